package sim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
)

const idleManifest = `kubectl apply -f - <<EOF
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1.27
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
        livenessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
EOF
kubectl expose deployment web --port=80
kubectl rollout status deployment/web --timeout=5m`

// A cluster in which nothing happens wakes nobody: the only timer left is the
// one that removes events an hour after they were written, and then none.
func TestIdleClusterHasNoTimers(t *testing.T) {
	c, err := sim.New(sim.Options{Nodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out strings.Builder
	run := c.Terminal("1").Start(idleManifest, sim.RunOptions{OnOutput: func(_ int, b []byte) { out.Write(b) }})
	if !c.Jump(c.Now().Add(10*time.Minute), func() bool { _, done := run.Done(); return done }) || !strings.Contains(out.String(), "successfully rolled out") {
		t.Fatalf("the deployment did not become ready: %s", out.String())
	}
	c.JumpTo(c.Now().Add(2 * time.Minute))
	for _, name := range c.Timers() {
		if name != "apiserver/event-ttl" {
			t.Errorf("a timer is pending in an idle cluster: %s", name)
		}
	}
	due, ok := c.NextDue()
	if !ok || due.Sub(c.Now()) < 30*time.Minute {
		t.Errorf("the next timer is due in %s; events should last for an hour", due.Sub(c.Now()))
	}
	api := client.New(c.Handler(), "test")
	events := func() int {
		l, _, err := client.List[*corev1.Event](api, "", "")
		if err != nil {
			t.Fatal(err)
		}
		return len(l)
	}
	if events() == 0 {
		t.Error("no events")
	}
	c.JumpTo(c.Now().Add(2 * time.Hour))
	if n := events(); n != 0 {
		t.Errorf("%d events are left after two hours", n)
	}
	if left := c.Timers(); len(left) != 0 {
		t.Errorf("timers pending in an idle cluster without events: %q", left)
	}
}

// An event lasts for an hour after its last write, over a restart too.
func TestEventsExpire(t *testing.T) {
	c, err := sim.New(sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	api := client.New(c.Handler(), "test")
	for _, name := range []string{"once", "again"} {
		ev := &corev1.Event{InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "default", Name: "p"}, Reason: "Test", Type: "Normal"}
		ev.APIVersion, ev.Kind, ev.Namespace, ev.Name = "v1", "Event", "default", name
		ev.LastTimestamp = metav1.NewTime(c.Now())
		if _, err := client.Create(api, ev); err != nil {
			t.Fatal(err)
		}
	}
	c.JumpTo(c.Now().Add(40 * time.Minute))
	ev, err := client.Get[*corev1.Event](api, "default", "again")
	if err != nil {
		t.Fatal(err)
	}
	up := *ev
	up.Count, up.LastTimestamp = 2, metav1.NewTime(c.Now())
	if _, err := client.Update(api, &up); err != nil {
		t.Fatal(err)
	}
	data, err := c.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	d, err := sim.Restore(data, sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i, c := range []*sim.Machine{c, d} {
		api := client.New(c.Handler(), "test")
		has := func(name string) bool {
			_, err := client.Get[*corev1.Event](api, "default", name)
			return err == nil
		}
		c.JumpTo(c.Now().Add(30 * time.Minute))
		if has("once") || !has("again") {
			t.Errorf("cluster %d after 70 minutes: once %v, again %v", i, has("once"), has("again"))
		}
		c.JumpTo(c.Now().Add(35 * time.Minute))
		if has("again") {
			t.Errorf("cluster %d: an event lives for longer than an hour", i)
		}
	}
}
