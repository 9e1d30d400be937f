package clusterroleaggregation

import (
	"fmt"
	"testing"
	"time"

	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/rbac"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
)

// "A controller, running as part of the cluster control plane, watches for
// ClusterRole objects with an aggregationRule set."
func TestAggregation(t *testing.T) {
	c := ct.New(t)
	New(c.Client, c.Factory)
	role := func(name, labels, rules string) {
		ct.Apply[*rbacv1.ClusterRole](c, fmt.Sprintf("{metadata: {name: %s, labels: {%s}}, %s}", name, labels, rules))
	}
	rule := func(verb string) string {
		return fmt.Sprintf("{apiGroups: [''], resources: [pods], verbs: [%s]}", verb)
	}
	role("sum", "to: sum", "aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: sum}}, {matchLabels: {also: 'yes'}}]}")
	role("b", "to: sum, also: 'yes'", "rules: ["+rule("get")+", "+rule("list")+"]")
	role("a", "to: sum", "rules: ["+rule("list")+", "+rule("watch")+"]")
	role("other", "to: nothing", "rules: ["+rule("delete")+"]")
	verbs := func() string {
		t.Helper()
		c.Run(time.Second)
		out := ""
		for _, r := range ct.Get[*rbacv1.ClusterRole](c, "", "sum").Rules {
			out += r.Verbs[0] + " "
		}
		return out
	}
	if got := verbs(); got != "list watch get " {
		t.Errorf("two roles: %s", got)
	}
	ct.Change(c, "", "other", func(r *rbacv1.ClusterRole) { r.Labels = map[string]string{"also": "yes"} })
	if got := verbs(); got != "list watch get delete " {
		t.Errorf("one more: %s", got)
	}
	for _, name := range []string{"a", "b", "other"} {
		_ = client.Delete[*rbacv1.ClusterRole](c.Client, "", name, client.DeleteOptions{})
	}
	if got := verbs(); got != "" {
		t.Errorf("none left: %s", got)
	}
}

// The roles that a cluster begins with are as the controller leaves them.
func TestDefaults(t *testing.T) {
	c := ct.New(t)
	for _, obj := range rbac.Defaults() {
		if r, ok := obj.(*rbacv1.ClusterRole); ok {
			ct.Create(c, r)
		}
	}
	New(c.Client, c.Factory)
	before := c.Store.Revision()
	c.Run(time.Minute)
	if after := c.Store.Revision(); after != before {
		t.Errorf("%d writes", after-before)
	}
}
