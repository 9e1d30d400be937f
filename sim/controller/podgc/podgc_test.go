package podgc

import (
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
)

// Pods bound to a node that does not exist are deleted after a while.
func TestOrphans(t *testing.T) {
	c := ct.New(t)
	c.Node("node-1", "4", "8Gi")
	New(c.Client, c.Factory)
	for _, node := range []string{"node-1", "nowhere"} {
		ct.Apply[*corev1.Pod](c, "metadata: {name: on-"+node+"}\nspec: {nodeName: "+node+", containers: [{name: a, image: b}]}")
	}
	c.Run(30 * time.Second)
	if n := len(ct.List[*corev1.Pod](c, "")); n != 2 {
		t.Errorf("%d pods after 30 s, want 2", n)
	}
	c.Run(time.Minute)
	if n := len(ct.List[*corev1.Pod](c, "")); n != 1 {
		t.Errorf("%d pods after 90 s, want 1", n)
	}
	if err := client.Delete[*corev1.Node](c.Client, "", "node-1", client.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Run(90 * time.Second)
	if n := len(ct.List[*corev1.Pod](c, "")); n != 0 {
		t.Errorf("%d pods after the node was deleted, want 0", n)
	}
	if left := c.Timers(); len(left) != 0 {
		t.Errorf("timers %q pending in an idle cluster", left)
	}
}
