// Package rbac decides who may do what from the roles and bindings in the
// store. Requests of the cluster's own parts and of its administrator are never
// asked about; those made with --as, or with a service account's token, are.
package rbac

import (
	"fmt"
	"slices"
	"strings"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/store"
)

// Authorizer is an apiserver.Authorizer.
type Authorizer struct{ store *store.Store }

// New returns an authorizer over a store.
func New(s *store.Store) *Authorizer { return &Authorizer{s} }

const suffix = ".rbac.authorization.k8s.io"

// visit calls fn for each rule that the user has in the namespace ("" for the
// cluster's own), with the binding that gives it, until fn returns false. It
// returns what is wrong with bindings met on the way.
func (a *Authorizer) visit(u *rest.User, namespace string, fn func(rule *rbacv1.PolicyRule, why string) bool) (problems []string) {
	stopped := false
	rules := func(ref rbacv1.RoleRef, namespace, why string) {
		list, ok := a.rulesOf(ref, namespace)
		if !ok {
			problems = append(problems, fmt.Sprintf("%s%s %q not found", strings.ToLower(ref.Kind), suffix, ref.Name))
			return
		}
		for i := range list {
			if !stopped && !fn(&list[i], why) {
				stopped = true
			}
		}
	}
	describe := func(kind, name, namespace string, ref rbacv1.RoleRef, s *rbacv1.Subject) string {
		if namespace != "" {
			name += "/" + namespace
		}
		who := s.Name
		if s.Namespace != "" {
			who += "/" + s.Namespace
		}
		return fmt.Sprintf("%s %q of %s %q to %s %q", kind, name, ref.Kind, ref.Name, s.Kind, who)
	}
	a.store.Scan("clusterrolebindings"+suffix, "", func(obj metav1.Object) bool {
		b := obj.(*rbacv1.ClusterRoleBinding)
		if s := applies(u, b.Subjects, ""); s != nil {
			rules(b.RoleRef, "", describe("ClusterRoleBinding", b.Name, "", b.RoleRef, s))
		}
		return !stopped
	})
	if namespace == "" || stopped {
		return problems
	}
	a.store.Scan("rolebindings"+suffix, namespace, func(obj metav1.Object) bool {
		b := obj.(*rbacv1.RoleBinding)
		if s := applies(u, b.Subjects, namespace); s != nil {
			rules(b.RoleRef, namespace, describe("RoleBinding", b.Name, namespace, b.RoleRef, s))
		}
		return !stopped
	})
	return problems
}

// rulesOf are the rules of the role that a binding in the namespace refers to.
func (a *Authorizer) rulesOf(ref rbacv1.RoleRef, namespace string) (rules []rbacv1.PolicyRule, found bool) {
	key := store.Key{Resource: "clusterroles" + suffix, Name: ref.Name}
	if ref.Kind == "Role" {
		key.Resource, key.Namespace = "roles"+suffix, namespace
	}
	switch r, _ := a.store.Get(key); r := r.(type) {
	case *rbacv1.ClusterRole:
		return r.Rules, true
	case *rbacv1.Role:
		return r.Rules, true
	}
	return nil, false
}

// applies returns the subject that the user is or belongs to, or nil.
func applies(u *rest.User, subjects []rbacv1.Subject, namespace string) *rbacv1.Subject {
	for i := range subjects {
		s := &subjects[i]
		met := false
		switch s.Kind {
		case "User":
			met = s.Name == u.Name
		case "Group":
			met = slices.Contains(u.Groups, s.Name)
		case "ServiceAccount":
			ns := s.Namespace
			if ns == "" {
				ns = namespace
			}
			met = ns != "" && u.Name == "system:serviceaccount:"+ns+":"+s.Name
		}
		if met {
			return s
		}
	}
	return nil
}

// Authorize implements apiserver.Authorizer.
func (a *Authorizer) Authorize(q apiserver.AccessAttributes) (allowed bool, reason string) {
	if slices.Contains(q.User.Groups, "system:masters") {
		return true, ""
	}
	problems := a.visit(q.User, q.Namespace, func(r *rbacv1.PolicyRule, why string) bool {
		if matches(r, &q) {
			allowed, reason = true, "RBAC: allowed by "+why
		}
		return !allowed
	})
	if !allowed && len(problems) > 0 {
		reason = "RBAC: " + strings.Join(problems, ", ")
		if len(problems) > 1 {
			reason = "RBAC: [" + strings.Join(problems, ", ") + "]"
		}
	}
	return allowed, reason
}

func has(list []string, s string) bool { return slices.Contains(list, "*") || slices.Contains(list, s) }

func matches(r *rbacv1.PolicyRule, q *apiserver.AccessAttributes) bool {
	if !has(r.Verbs, q.Verb) {
		return false
	}
	if q.Resource == "" {
		return coversPath(r, q.Path)
	}
	full := q.Resource
	if q.Subres != "" {
		full += "/" + q.Subres
	}
	return has(r.APIGroups, q.Group) && coversResource(r, full) &&
		(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, q.Name))
}

func coversPath(r *rbacv1.PolicyRule, path string) bool {
	return slices.ContainsFunc(r.NonResourceURLs, func(p string) bool {
		prefix, open := strings.CutSuffix(p, "*")
		return p == path || open && strings.HasPrefix(path, prefix)
	})
}

// coversResource reports whether the rule is about the resource, which may be RESOURCE/SUBRESOURCE.
func coversResource(r *rbacv1.PolicyRule, resource string) bool {
	_, sub, _ := strings.Cut(resource, "/")
	return has(r.Resources, resource) || sub != "" && slices.Contains(r.Resources, "*/"+sub)
}

// Rules implements apiserver.Authorizer.
func (a *Authorizer) Rules(u *rest.User, namespace string) (resources []apiserver.ResourceRule, paths []apiserver.PathRule, complete bool) {
	add := func(r *rbacv1.PolicyRule, _ string) bool {
		if len(r.Resources) > 0 {
			resources = append(resources, apiserver.ResourceRule{Verbs: r.Verbs, Groups: r.APIGroups, Resources: r.Resources, Names: r.ResourceNames})
		}
		if len(r.NonResourceURLs) > 0 {
			paths = append(paths, apiserver.PathRule{Verbs: r.Verbs, Paths: r.NonResourceURLs})
		}
		return true
	}
	if slices.Contains(u.Groups, "system:masters") {
		all := []string{"*"}
		add(&rbacv1.PolicyRule{Verbs: all, APIGroups: all, Resources: all}, "")
		add(&rbacv1.PolicyRule{Verbs: all, NonResourceURLs: all}, "")
	}
	return resources, paths, len(a.visit(u, namespace, add)) == 0
}

var _ apiserver.Authorizer = (*Authorizer)(nil)
