package rbac

import (
	"testing"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/store"
)

func TestAuthorize(t *testing.T) {
	s := store.New()
	put := func(resource string, obj metav1.Object) {
		m := obj.GetObjectMeta()
		if err := s.Create(store.Key{Resource: resource + suffix, Namespace: m.Namespace, Name: m.Name}, obj); err != nil {
			t.Fatal(err)
		}
	}
	for _, obj := range Defaults() {
		switch obj.(type) {
		case *rbacv1.ClusterRole:
			put("clusterroles", obj)
		default:
			put("clusterrolebindings", obj)
		}
	}
	meta := metav1.ObjectMeta{Namespace: "team", Name: "reader"}
	put("roles", &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}, ResourceNames: []string{"web"}}}})
	put("rolebindings", &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "reader"}, Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "bot", Namespace: "team"}}})
	put("rolebindings", &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "jane"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "jane"}}})
	put("rolebindings", &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "lost"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "gone"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "joe"}}})
	a := New(s)
	bot, jane, joe := "system:serviceaccount:team:bot", "jane", "joe"
	for _, q := range []struct {
		user, verb, group, resource, sub, namespace, name string
		want                                              bool
		reason                                            string
	}{
		{bot, "get", "apps", "deployments", "", "team", "web", true, `RBAC: allowed by RoleBinding "reader/team" of Role "reader" to ServiceAccount "bot/team"`},
		{bot, "get", "apps", "deployments", "", "team", "api", false, ""},
		{bot, "get", "apps", "deployments", "", "other", "web", false, ""},
		{bot, "delete", "apps", "deployments", "", "team", "web", false, ""},
		{jane, "list", "", "pods", "", "team", "", true, `RBAC: allowed by RoleBinding "jane/team" of ClusterRole "view" to User "jane"`},
		{jane, "get", "", "pods", "log", "team", "p", true, `RBAC: allowed by RoleBinding "jane/team" of ClusterRole "view" to User "jane"`},
		{jane, "get", "", "secrets", "", "team", "", false, ""},
		{joe, "get", "", "pods", "", "team", "", false, `RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found`},
	} {
		ok, reason := a.Authorize(apiserver.AccessAttributes{User: &rest.User{Name: q.user}, Verb: q.verb, Group: q.group, Resource: q.resource,
			Subres: q.sub, Namespace: q.namespace, Name: q.name})
		if ok != q.want || reason != q.reason {
			t.Errorf("%s %s %s/%s in %s: %v %q", q.user, q.verb, q.resource, q.name, q.namespace, ok, reason)
		}
	}
	if ok, _ := a.Authorize(apiserver.AccessAttributes{User: apiserver.Administrator, Verb: "delete", Resource: "nodes"}); !ok {
		t.Error("the administrator may not delete nodes")
	}
	if ok, _ := a.Authorize(apiserver.AccessAttributes{User: &rest.User{Name: "x", Groups: []string{"system:authenticated"}}, Verb: "get", Path: "/apis/apps"}); !ok {
		t.Error("discovery is closed")
	}
}
