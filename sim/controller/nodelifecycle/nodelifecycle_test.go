package nodelifecycle

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
)

type beats struct {
	c       *ct.Cluster
	stopped map[string]time.Time
	fn      []func(string, bool)
}

func (b *beats) Stopped(node string) (time.Time, bool) { t, ok := b.stopped[node]; return t, ok }
func (b *beats) OnNode(fn func(string, bool))          { b.fn = append(b.fn, fn) }
func (b *beats) stop(node string) {
	b.stopped[node] = b.c.Clock.Now()
	for _, fn := range b.fn {
		fn(node, true)
	}
}
func (b *beats) start(node string) {
	delete(b.stopped, node)
	ct.ChangeStatus(b.c, "", node, func(n *corev1.Node) {
		for i := range n.Status.Conditions {
			cond := &n.Status.Conditions[i]
			cond.Status = corev1.ConditionFalse
			if cond.Type == corev1.NodeReady {
				cond.Status = corev1.ConditionTrue
			}
		}
	})
	for _, fn := range b.fn {
		fn(node, false)
	}
}

func taints(c *ct.Cluster, node string) string {
	var out []string
	for _, t := range ct.Get[*corev1.Node](c, "", node).Spec.Taints {
		out = append(out, t.ToString())
	}
	return strings.Join(out, " ")
}

// A node falls silent: 50 s later it is Unknown and tainted, its pods are not
// ready; they are evicted after their 300 s.
func TestSilentNode(t *testing.T) {
	c := ct.New(t)
	c.Node("node-1", "4", "8Gi")
	b := &beats{c: c, stopped: map[string]time.Time{}}
	New(c.Client, c.Factory, b)
	k := c.StartKubelet(100 * time.Millisecond)
	ct.Apply[*corev1.Pod](c, `
metadata: {name: web}
spec:
  nodeName: node-1
  containers: [{name: a, image: b}]
  tolerations:
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 300}
`)
	c.Run(time.Minute)
	if got := c.Events("node-1"); !slices.Contains(got, "Normal RegisteredNode Node node-1 event: Registered Node node-1 in Controller") {
		t.Errorf("events %q", got)
	}
	k.Hold = func(*corev1.Pod) bool { return true }
	b.stop("node-1")
	c.Run(45 * time.Second)
	if taints(c, "node-1") != "" {
		t.Errorf("tainted within the grace period: %s", taints(c, "node-1"))
	}
	c.Run(6 * time.Second)
	if got := taints(c, "node-1"); got != "node.kubernetes.io/unreachable:NoSchedule node.kubernetes.io/unreachable:NoExecute" {
		t.Errorf("taints %s", got)
	}
	n := ct.Get[*corev1.Node](c, "", "node-1")
	for _, cond := range n.Status.Conditions {
		if cond.Status != corev1.ConditionUnknown || cond.Reason != "NodeStatusUnknown" || cond.Message != "Kubelet stopped posting node status." {
			t.Errorf("condition %+v", cond)
		}
	}
	if !slices.Contains(c.Events("node-1"), "Normal NodeNotReady Node node-1 status is now: NodeNotReady") {
		t.Errorf("events %q", c.Events("node-1"))
	}
	if p := ct.Get[*corev1.Pod](c, "default", "web"); controller.IsReady(p) || !slices.Contains(c.Events("web"), "Warning NodeNotReady Node is not ready") {
		t.Errorf("pod ready %v, events %q", controller.IsReady(p), c.Events("web"))
	}
	c.Run(295 * time.Second)
	if p := ct.Get[*corev1.Pod](c, "default", "web"); p.DeletionTimestamp != nil {
		t.Error("evicted before its tolerationSeconds")
	}
	c.Run(10 * time.Second)
	if !slices.Contains(c.Events("web"), "Normal TaintManagerEviction Marking for deletion Pod default/web") {
		t.Errorf("events %q", c.Events("web"))
	}
	if p, err := client.Get[*corev1.Pod](c.Client, "default", "web"); err == nil && p.DeletionTimestamp == nil {
		t.Error("not evicted")
	}
	b.start("node-1")
	c.Run(time.Second)
	if got := taints(c, "node-1"); got != "" {
		t.Errorf("taints after recovery: %s", got)
	}
	if left := c.Timers(); len(left) != 0 {
		t.Errorf("timers %q pending in an idle cluster", left)
	}
}

func TestRecoveryCancelsEviction(t *testing.T) {
	c := ct.New(t)
	c.Node("node-1", "4", "8Gi")
	b := &beats{c: c, stopped: map[string]time.Time{}}
	New(c.Client, c.Factory, b)
	ct.Apply[*corev1.Pod](c, "metadata: {name: web}\nspec: {nodeName: node-1, containers: [{name: a, image: b}], tolerations: [{operator: Exists, effect: NoExecute, tolerationSeconds: 300}]}")
	c.Run(time.Second)
	b.stop("node-1")
	c.Run(2 * time.Minute)
	b.start("node-1")
	c.Run(time.Hour)
	if !slices.Contains(c.Events("web"), "Normal TaintManagerEviction Cancelling deletion of Pod default/web") {
		t.Errorf("events %q", c.Events("web"))
	}
	if p := ct.Get[*corev1.Pod](c, "default", "web"); p.DeletionTimestamp != nil {
		t.Error("evicted nevertheless")
	}
}

// Cordoning taints the node, uncordoning takes the taint away.
func TestCordon(t *testing.T) {
	c := ct.New(t)
	c.Node("node-1", "4", "8Gi")
	New(c.Client, c.Factory, nil)
	ct.Change(c, "", "node-1", func(n *corev1.Node) { n.Spec.Unschedulable = true })
	c.Run(time.Second)
	if got := taints(c, "node-1"); got != "node.kubernetes.io/unschedulable:NoSchedule" {
		t.Errorf("taints %q", got)
	}
	ct.Change(c, "", "node-1", func(n *corev1.Node) { n.Spec.Unschedulable = false })
	c.Run(time.Second)
	if got := taints(c, "node-1"); got != "" {
		t.Errorf("taints %q", got)
	}
}
