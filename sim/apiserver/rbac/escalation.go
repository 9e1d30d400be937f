// Nobody gives away what they do not have: a role may hold, and a binding may
// grant, only what its author may do there already, unless they may escalate
// that role or bind it.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping

package rbac

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/admission"
	"github.com/kubonsai/kubonsai/sim/rest"
)

var everything = []string{"*"}

// Escalation is the plugin that refuses such writes. The API server does not
// ask it about the cluster's own parts.
func (a *Authorizer) Escalation() admission.Plugin {
	return admission.Plugin{Name: "RBACEscalation", Admit: func(w *apiserver.Attributes) error {
		if w.Operation == apiserver.Delete || w.Kind.Group != rbacv1.GroupName || w.User == apiserver.Administrator || slices.Contains(w.User.Groups, "system:masters") {
			return nil
		}
		refuse := func(err error) error { return apierrors.NewForbidden(w.Kind.GroupResource(), w.Name, err) }
		switch obj := w.Object.(type) {
		case *rbacv1.Role:
			if !a.may(w, "escalate", w.Kind.Plural, w.Name) {
				return a.confirm(w, obj.Rules, refuse)
			}
		case *rbacv1.ClusterRole:
			if a.may(w, "escalate", w.Kind.Plural, w.Name) {
				return nil
			}
			if obj.AggregationRule != nil && len(obj.AggregationRule.ClusterRoleSelectors) > 0 {
				full := []rbacv1.PolicyRule{{Verbs: everything, APIGroups: everything, Resources: everything}, {Verbs: everything, NonResourceURLs: everything}}
				if a.missing(w.User, "", full) != nil {
					return refuse(errors.New("must have cluster-admin privileges to use an aggregationRule"))
				}
			}
			return a.confirm(w, obj.Rules, refuse)
		case *rbacv1.RoleBinding:
			return a.confirmBinding(w, obj.RoleRef, refuse)
		case *rbacv1.ClusterRoleBinding:
			return a.confirmBinding(w, obj.RoleRef, refuse)
		}
		return nil
	}}
}

func (a *Authorizer) may(w *apiserver.Attributes, verb, resource, name string) bool {
	ok, _ := a.Authorize(apiserver.AccessAttributes{User: w.User, Verb: verb, Group: rbacv1.GroupName, Version: "*",
		Resource: resource, Namespace: w.Namespace, Name: name})
	return ok
}

func (a *Authorizer) confirmBinding(w *apiserver.Attributes, ref rbacv1.RoleRef, refuse func(error) error) error {
	resource := strings.ToLower(ref.Kind) + "s"
	if a.may(w, "bind", resource, ref.Name) {
		return nil
	}
	rules, ok := a.rulesOf(ref, w.Namespace)
	if !ok {
		return apierrors.NewNotFound(metav1.GroupResource{Group: rbacv1.GroupName, Resource: resource}, ref.Name)
	}
	return a.confirm(w, rules, refuse)
}

// confirm refuses rules that the author has not got in full.
func (a *Authorizer) confirm(w *apiserver.Attributes, rules []rbacv1.PolicyRule, refuse func(error) error) error {
	missing := a.missing(w.User, w.Namespace, rules)
	if missing == nil {
		return nil
	}
	return refuse(fmt.Errorf("user %q (groups=%q) is attempting to grant RBAC permissions not currently held:\n%s",
		w.User.Name, w.User.Groups, strings.Join(missing, "\n")))
}

// missing describes, sorted, what of the rules the user may not do in the namespace.
func (a *Authorizer) missing(u *rest.User, namespace string, rules []rbacv1.PolicyRule) (out []string) {
	var own []*rbacv1.PolicyRule
	a.visit(u, namespace, func(r *rbacv1.PolicyRule, _ string) bool {
		own = append(own, r)
		return true
	})
	// what differs only by the verb is told as one rule
	verbs := map[string][]string{}
	for i := range rules {
		atoms(&rules[i], func(r *rbacv1.PolicyRule) {
			if slices.ContainsFunc(own, func(o *rbacv1.PolicyRule) bool { return covers(o, r) }) {
				return
			}
			what := ""
			for _, part := range []struct {
				name   string
				values []string
			}{{"APIGroups", r.APIGroups}, {"Resources", r.Resources}, {"NonResourceURLs", r.NonResourceURLs}, {"ResourceNames", r.ResourceNames}} {
				if len(part.values) > 0 {
					what += fmt.Sprintf("%s:%q, ", part.name, part.values)
				}
			}
			if r.NonResourceURLs != nil {
				out = append(out, fmt.Sprintf("{%sVerbs:%q}", what, r.Verbs))
			} else if !slices.Contains(verbs[what], r.Verbs[0]) {
				verbs[what] = append(verbs[what], r.Verbs[0])
			}
		})
	}
	for what, list := range verbs {
		out = append(out, fmt.Sprintf("{%sVerbs:%q}", what, list))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// atoms takes a rule apart into those of one verb on one thing each.
func atoms(r *rbacv1.PolicyRule, fn func(*rbacv1.PolicyRule)) {
	for _, verb := range r.Verbs {
		for _, path := range r.NonResourceURLs {
			fn(&rbacv1.PolicyRule{Verbs: []string{verb}, NonResourceURLs: []string{path}})
		}
	}
	for _, group := range r.APIGroups {
		for _, resource := range r.Resources {
			for _, verb := range r.Verbs {
				atom := rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{group}, Resources: []string{resource}}
				if len(r.ResourceNames) == 0 {
					fn(&atom)
				}
				for _, name := range r.ResourceNames {
					atom.ResourceNames = []string{name}
					fn(&atom)
				}
			}
		}
	}
}

// covers reports whether a rule allows all that an atom does.
func covers(r, atom *rbacv1.PolicyRule) bool {
	if !has(r.Verbs, atom.Verbs[0]) {
		return false
	}
	if len(atom.NonResourceURLs) > 0 {
		return coversPath(r, atom.NonResourceURLs[0])
	}
	return has(r.APIGroups, atom.APIGroups[0]) && coversResource(r, atom.Resources[0]) &&
		(len(r.ResourceNames) == 0 || len(atom.ResourceNames) > 0 && slices.Contains(r.ResourceNames, atom.ResourceNames[0]))
}
