package daemonset

import (
	"testing"
	"time"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
)

const manifest = `
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: c, image: "nginx:1.27"}]}
`

func setUp(t *testing.T) *ct.Cluster {
	c := ct.New(t)
	New(c.Client, c.Factory)
	k := c.StartKubelet(100 * time.Millisecond)
	k.AnyPod = true
	for _, n := range []string{"a", "b", "c"} {
		c.Node(n, "4", "8Gi")
	}
	return c
}

func on(c *ct.Cluster) map[string]string {
	out := map[string]string{}
	for _, p := range ct.List[*corev1.Pod](c, "app=agent") {
		if p.DeletionTimestamp == nil {
			out[targetNode(p)] += p.Spec.Containers[0].Image
		}
	}
	return out
}

// "A DaemonSet ensures that all (or some) Nodes run a copy of a Pod."
func TestOnePodPerNode(t *testing.T) {
	c := setUp(t)
	ct.Apply[*appsv1.DaemonSet](c, manifest)
	c.Run(5 * time.Second)
	if got := on(c); len(got) != 3 || got["a"] != "nginx:1.27" {
		t.Fatalf("%v", got)
	}
	s := ct.Get[*appsv1.DaemonSet](c, "default", "agent").Status
	if s.DesiredNumberScheduled != 3 || s.NumberReady != 3 || s.NumberAvailable != 3 || s.UpdatedNumberScheduled != 3 || s.ObservedGeneration != 1 {
		t.Errorf("%+v", s)
	}
	c.Node("d", "4", "8Gi")
	c.Run(5 * time.Second)
	if got := on(c); len(got) != 4 {
		t.Errorf("after a node came: %v", got)
	}
	ct.Change(c, "", "a", func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoExecute}}
	})
	c.Run(5 * time.Second)
	if got := on(c); len(got) != 3 || got["a"] != "" {
		t.Errorf("after a taint: %v", got)
	}
}

func TestRollingUpdate(t *testing.T) {
	c := setUp(t)
	ct.Apply[*appsv1.DaemonSet](c, manifest)
	c.Run(5 * time.Second)
	most := 0
	client.InformerFor[*corev1.Pod](c.Factory).OnChange(func(_, _ *corev1.Pod) { most = max(most, 3-len(on(c))) })
	ct.Change(c, "default", "agent", func(ds *appsv1.DaemonSet) { ds.Spec.Template.Spec.Containers[0].Image = "nginx:1.28" })
	c.Run(20 * time.Second)
	got := on(c)
	if len(got) != 3 || got["a"] != "nginx:1.28" || got["b"] != "nginx:1.28" || got["c"] != "nginx:1.28" {
		t.Errorf("%v", got)
	}
	if most > 1 {
		t.Errorf("%d nodes were without a pod at once", most)
	}
	if n := len(ct.List[*appsv1.ControllerRevision](c, "")); n != 2 {
		t.Errorf("%d revisions", n)
	}
}
