package clusterroleaggregation

import (
	"strings"
	"testing"
	"time"

	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
)

// The rules are those of the selected roles in the order of their names, each once.
func TestAggregation(t *testing.T) {
	c := ct.New(t)
	New(c.Client, c.Factory)
	rules := func() string {
		t.Helper()
		c.Run(time.Second)
		role, err := client.Get[*rbacv1.ClusterRole](c.Client, "", "sum")
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, r := range role.Rules {
			out = append(out, strings.Join(r.Verbs, ",")+" "+strings.Join(r.Resources, ","))
		}
		return strings.Join(out, "; ")
	}
	ct.Apply[*rbacv1.ClusterRole](c, "metadata: {name: sum}\naggregationRule: {clusterRoleSelectors: [{matchLabels: {part: a}}, {matchExpressions: [{key: part, operator: In, values: [b]}]}]}")
	if got := rules(); got != "" {
		t.Error(got)
	}
	for name, part := range map[string]string{"z": "a", "y": "a", "x": "b", "w": "none"} {
		ct.Apply[*rbacv1.ClusterRole](c, "metadata: {name: "+name+", labels: {part: "+part+"}}\nrules: [{apiGroups: [\"\"], resources: ["+name+"s], verbs: [get]}, {apiGroups: [\"\"], resources: [pods], verbs: [list]}]")
	}
	if got, want := rules(), "get ys; list pods; get zs; get xs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := client.Delete[*rbacv1.ClusterRole](c.Client, "", "z", client.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, want := rules(), "get ys; list pods; get xs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if left := c.Timers(); len(left) != 0 {
		t.Errorf("timers %q pending in an idle cluster", left)
	}
}
