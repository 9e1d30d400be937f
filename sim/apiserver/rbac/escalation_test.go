package rbac

import (
	"testing"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/store"
)

// "You can only create/update a role if … you already have all the permissions
// contained in the role, at the same scope as the object being modified."
func TestEscalation(t *testing.T) {
	s := store.New()
	put := func(resource string, obj metav1.Object) {
		m := obj.GetObjectMeta()
		if err := s.Create(store.Key{Resource: resource + suffix, Namespace: m.Namespace, Name: m.Name}, obj); err != nil {
			t.Fatal(err)
		}
	}
	for _, obj := range Defaults() {
		if _, ok := obj.(*rbacv1.ClusterRole); ok {
			put("clusterroles", obj)
		}
	}
	rule := func(resource string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{resource}, Verbs: verbs}
	}
	named := rule("secrets", "get")
	named.ResourceNames = []string{"a"}
	put("roles", &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "dev", Name: "bind"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: []string{"view"}, Verbs: []string{"bind"}}, named}})
	bind := func(user, kind, role string) {
		put("rolebindings", &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "dev", Name: user},
			RoleRef: rbacv1.RoleRef{Kind: kind, Name: role}, Subjects: []rbacv1.Subject{{Kind: "User", Name: user}}})
	}
	bind("lead", "ClusterRole", "admin")
	bind("clerk", "Role", "bind")
	role := func(rules ...rbacv1.PolicyRule) *rbacv1.Role { return &rbacv1.Role{Rules: rules} }
	binding := func(kind, name string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{RoleRef: rbacv1.RoleRef{Kind: kind, Name: name}}
	}
	all := rbacv1.PolicyRule{APIGroups: everything, Resources: everything, Verbs: everything}
	plugin := New(s).Escalation()
	for _, test := range []struct {
		user, resource string
		obj            metav1.Object
		want           string
	}{
		{"lead", "roles", role(rule("pods", "get", "delete"), rule("pods/log", "get")), ""},
		{"lead", "roles", role(rule("nodes", "list", "get"), rule("pods", "get")),
			"roles.rbac.authorization.k8s.io \"x\" is forbidden: user \"lead\" (groups=[\"g\" \"h\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"list\" \"get\"]}"},
		{"lead", "roles", role(rule("secrets", "*")),
			"roles.rbac.authorization.k8s.io \"x\" is forbidden: user \"lead\" (groups=[\"g\" \"h\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"*\"]}"},
		{"clerk", "roles", role(named), ""},
		{"clerk", "roles", role(rule("secrets", "get")),
			"roles.rbac.authorization.k8s.io \"x\" is forbidden: user \"clerk\" (groups=[\"g\" \"h\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\"]}"},
		{"lead", "rolebindings", binding("ClusterRole", "edit"), ""},
		{"lead", "rolebindings", binding("ClusterRole", "cluster-admin"),
			"rolebindings.rbac.authorization.k8s.io \"x\" is forbidden: user \"lead\" (groups=[\"g\" \"h\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"},
		{"lead", "rolebindings", binding("Role", "gone"), `roles.rbac.authorization.k8s.io "gone" not found`},
		{"clerk", "rolebindings", binding("ClusterRole", "view"), ""},
		{"clerk", "clusterroles", &rbacv1.ClusterRole{AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{}}}},
			`clusterroles.rbac.authorization.k8s.io "x" is forbidden: must have cluster-admin privileges to use an aggregationRule`},
		{"system:masters", "roles", role(all), ""},
	} {
		w := &apiserver.Attributes{Operation: apiserver.Create, Name: "x", Namespace: "dev", Object: test.obj,
			Kind: &apiserver.Kind{Resource: &api.Resource{Group: rbacv1.GroupName, Plural: test.resource}},
			User: &rest.User{Name: test.user, Groups: []string{"g", "h"}}}
		if test.user == "system:masters" {
			w.User.Groups = []string{test.user}
		}
		got := ""
		if err := plugin.Admit(w); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s creates %s:\n%s\nwant\n%s", test.user, test.resource, got, test.want)
		}
	}
}
