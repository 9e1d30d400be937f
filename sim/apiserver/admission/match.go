// This file tells which writes a policy or a webhook is meant for, and shows
// them a write as a tree: the object in the version that they have asked for.

package admission

import (
	"slices"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api"
	admissionv1 "github.com/kubonsai/kubonsai/sim/api/admissionregistration/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/cel"
)

// exempt are the resources that no policy and no webhook can intercept, lest
// nobody can mend a broken one.
func exempt(a *attributes) bool {
	return a.Kind.Group == admissionv1.GroupName
}

// criteria are what the definitions of policies and webhooks have in common.
type criteria struct {
	rules, exclude   []admissionv1.NamedRuleWithOperations
	policy           *admissionv1.MatchPolicyType
	namespace, other *metav1.LabelSelector // of the namespace, of the object
}

func criteriaOf(m *admissionv1.MatchResources) *criteria {
	return &criteria{m.ResourceRules, m.ExcludeResourceRules, m.MatchPolicy, m.NamespaceSelector, m.ObjectSelector}
}

// match returns the kind in whose version the write is to be shown; nil when it
// is not meant.
func (m *criteria) match(a *attributes) *apiserver.Kind {
	if !m.inNamespace(a) || !m.selects(a) {
		return nil
	}
	if m.ruled(m.exclude, a) != nil {
		return nil
	}
	if len(m.rules) == 0 && m.exclude == nil || m.rules == nil {
		return a.Kind
	}
	return m.ruled(m.rules, a)
}

// ruled finds a rule for the write, under the name that it came by or, if that
// will do, under another name of the same objects.
func (m *criteria) ruled(rules []admissionv1.NamedRuleWithOperations, a *attributes) *apiserver.Kind {
	find := func(k *apiserver.Kind) bool {
		return slices.ContainsFunc(rules, func(r admissionv1.NamedRuleWithOperations) bool { return fits(&r, a, k) })
	}
	if len(rules) == 0 {
		return nil
	}
	if find(a.Kind) {
		return a.Kind
	}
	if m.policy == nil || *m.policy == admissionv1.Equivalent {
		for _, k := range a.Equivalents() {
			if k != a.Kind && find(k) {
				return k
			}
		}
	}
	return nil
}

func fits(r *admissionv1.NamedRuleWithOperations, a *attributes, k *apiserver.Kind) bool {
	any := func(list []string, s string) bool { return slices.Contains(list, "*") || slices.Contains(list, s) }
	if !slices.Contains(r.Operations, admissionv1.OperationAll) && !slices.Contains(r.Operations, admissionv1.OperationType(a.Operation)) ||
		!any(r.APIGroups, k.Group) || !any(r.APIVersions, k.Version) ||
		len(r.ResourceNames) > 0 && !slices.Contains(r.ResourceNames, a.Name) {
		return false
	}
	if s := r.Scope; s != nil && *s != admissionv1.AllScopes {
		if (*s == admissionv1.NamespacedScope) != k.Namespaced {
			return false
		}
	}
	return slices.ContainsFunc(r.Resources, func(s string) bool {
		resource, sub, _ := strings.Cut(s, "/")
		return (resource == "*" || resource == k.Plural) && (sub == a.Subresource || sub == "*")
	})
}

// inNamespace asks the namespace selector: about a namespace itself by its own
// labels; other things of the cluster are always meant.
func (m *criteria) inNamespace(a *attributes) bool {
	if m.namespace == nil || empty(m.namespace) {
		return true
	}
	if a.Kind.Key == "namespaces" {
		obj := a.Object
		if obj == nil || a.Subresource != "" {
			obj = a.Old
		}
		return obj == nil || matches(m.namespace, obj)
	}
	if a.Namespace == "" {
		return true
	}
	ns, ok := get[*corev1.Namespace](a, "namespaces", "", a.Namespace)
	return ok && matches(m.namespace, ns)
}

// selects asks the object selector, about the object as it was and as it will be.
func (m *criteria) selects(a *attributes) bool {
	if m.other == nil || empty(m.other) {
		return true
	}
	return a.Object != nil && matches(m.other, a.Object) || a.Old != nil && matches(m.other, a.Old)
}

func empty(s *metav1.LabelSelector) bool {
	return len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0
}

func matches(s *metav1.LabelSelector, obj metav1.Object) bool {
	sel, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && sel.Matches(labels.Set(obj.GetObjectMeta().Labels))
}

// view shows a write as trees.
type view struct {
	a       *attributes
	kind    *apiserver.Kind // in whose version
	request map[string]any
	vars    map[string]any
}

// tree is an object in the version of the view, nil for none.
func (v *view) tree(obj metav1.Object) (any, error) {
	if obj == nil {
		return nil, nil
	}
	gvk := v.objectKind()
	if v.a.Subresource == "" || v.a.Subresource == "status" {
		if v.kind.FromStorage != nil {
			obj = v.kind.FromStorage(obj)
		}
	}
	t, err := api.ToTree(obj)
	if err != nil {
		return nil, err
	}
	t["apiVersion"], t["kind"] = gvk.GroupVersion().String(), gvk.Kind
	return t, nil
}

// objectKind is the kind of the object in a request: a subresource may have one of its own.
func (v *view) objectKind() metav1.GroupVersionKind {
	if s := v.kind.Subresource(v.a.Subresource); s != nil && s.Kind.Kind != "" {
		return s.Kind
	}
	return v.kind.GroupVersionKind()
}

func kindTree(k metav1.GroupVersionKind) map[string]any {
	return map[string]any{"group": k.Group, "version": k.Version, "kind": k.Kind}
}

func resourceTree(k *apiserver.Kind) map[string]any {
	return map[string]any{"group": k.Group, "version": k.Version, "resource": k.Plural}
}

// requestTree is what admission requests say of the write beside its objects.
func (v *view) requestTree() map[string]any {
	a := v.a
	asked := view{a: a, kind: a.Kind}
	user := map[string]any{"username": a.User.Name}
	if a.User.UID != "" {
		user["uid"] = a.User.UID
	}
	groups := make([]any, len(a.User.Groups))
	for i, g := range a.User.Groups {
		groups[i] = g
	}
	user["groups"] = groups
	if len(a.User.Extra) > 0 {
		extra := map[string]any{}
		for k, values := range a.User.Extra {
			list := make([]any, len(values))
			for i := range values {
				list[i] = values[i]
			}
			extra[k] = list
		}
		user["extra"] = extra
	}
	r := map[string]any{
		"kind": kindTree(v.objectKind()), "resource": resourceTree(v.kind),
		"requestKind": kindTree(asked.objectKind()), "requestResource": resourceTree(a.Kind),
		"name": a.Name, "operation": a.Operation, "userInfo": user, "dryRun": a.DryRun, "options": a.OptionsTree(),
	}
	if a.Subresource != "" {
		r["subResource"], r["requestSubResource"] = a.Subresource, a.Subresource
	}
	if a.Kind.Namespaced || a.Kind.Key == "namespaces" {
		r["namespace"] = a.Namespace
	}
	return r
}

// variables are what expressions about the write see; params, and what policies
// compute, are added by the caller.
func (v *view) variables() (map[string]any, error) {
	if v.vars == nil {
		object, err := v.tree(v.a.Object)
		if err != nil {
			return nil, err
		}
		old, err := v.tree(v.a.Old)
		if err != nil {
			return nil, err
		}
		request := v.requestTree()
		for _, optional := range []string{"subResource", "requestSubResource", "namespace"} { // typed: always there
			if request[optional] == nil {
				request[optional] = ""
			}
		}
		var namespace any
		if v.a.Namespace != "" {
			if ns, ok := get[*corev1.Namespace](v.a, "namespaces", "", v.a.Namespace); ok {
				if namespace, err = api.ToTree(ns); err != nil {
					return nil, err
				}
			} else if ns, ok := v.a.Object.(*corev1.Namespace); ok {
				if namespace, err = api.ToTree(ns); err != nil {
					return nil, err
				}
			}
		}
		v.vars = map[string]any{"object": object, "oldObject": old, "request": request, "namespaceObject": namespace,
			"authorizer": cel.NewAuthorizer(v.ask),
			"authorizer.requestResource": cel.NewResourceCheck(cel.Query{Group: v.a.Kind.Group, Resource: v.a.Kind.Plural, Subresource: v.a.Subresource,
				Namespace: v.a.Namespace, Name: v.a.Name}, v.ask)}
	}
	out := make(map[string]any, len(v.vars)+2)
	for k, x := range v.vars {
		out[k] = x
	}
	return out, nil
}

// ask answers the expressions' authorizer.
func (v *view) ask(q cel.Query) (bool, string) {
	user := v.a.User
	if sa := q.ServiceAccount; sa[1] != "" {
		user = apiserver.ServiceAccountUser(sa[0], sa[1])
	}
	return v.a.Authorize(apiserver.AccessAttributes{User: user, Verb: q.Verb, Group: q.Group, Version: "*", Resource: q.Resource, Subres: q.Subresource,
		Namespace: q.Namespace, Name: q.Name, Path: q.Path})
}
