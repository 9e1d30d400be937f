package replicaset

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
)

const manifest = `
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: nginx, image: "nginx:1.25"}]}
`

func setUp(t *testing.T) (*ct.Cluster, *ct.Kubelet) {
	c := ct.New(t)
	New(c.Client, c.Factory)
	k := c.StartKubelet(100 * time.Millisecond)
	k.AnyPod = true
	return c, k
}

// "A ReplicaSet's purpose is to maintain a stable set of replica Pods running
// at any given time" — and says so in its status and events.
func TestCreatesReplicas(t *testing.T) {
	c, _ := setUp(t)
	ct.Apply[*appsv1.ReplicaSet](c, manifest)
	var seen []appsv1.ReplicaSetStatus
	client.InformerFor[*appsv1.ReplicaSet](c.Factory).OnChange(func(_, rs *appsv1.ReplicaSet) { seen = append(seen, rs.Status) })
	c.Run(10 * time.Second)
	pods := ct.List[*corev1.Pod](c, "app=web")
	if len(pods) != 3 {
		t.Fatalf("%d pods, want 3", len(pods))
	}
	for _, p := range pods {
		if !strings.HasPrefix(p.Name, "web-") || len(p.Name) != len("web-")+5 || p.GenerateName != "web-" {
			t.Errorf("pod name %q", p.Name)
		}
		ref := metav1.GetControllerOf(p)
		if ref == nil || ref.Kind != "ReplicaSet" || ref.APIVersion != "apps/v1" || ref.Name != "web" || !*ref.BlockOwnerDeletion {
			t.Errorf("owner %+v", ref)
		}
	}
	events := c.Events("web")
	if len(events) != 3 || !strings.HasPrefix(events[0], "Normal SuccessfulCreate Created pod: web-") {
		t.Errorf("events %q", events)
	}
	// objects/replicaset-heal-scale.jsonl: none seen yet, three labelled, then ready.
	if len(seen) < 4 || seen[1].Replicas != 0 || seen[1].ObservedGeneration != 1 || *seen[1].TerminatingReplicas != 0 ||
		seen[2].Replicas != 3 || seen[2].FullyLabeledReplicas != 3 {
		t.Errorf("statuses %+v", seen)
	}
	if last := seen[len(seen)-1]; last.ReadyReplicas != 3 || last.AvailableReplicas != 3 {
		t.Errorf("last status %+v", last)
	}
}

// A deleted pod is replaced at once, while it is still terminating.
func TestHeals(t *testing.T) {
	c, k := setUp(t)
	k.AnyPod = true
	ct.Apply[*appsv1.ReplicaSet](c, manifest)
	c.Run(5 * time.Second)
	k.Hold = func(*corev1.Pod) bool { return true }
	victim := ct.List[*corev1.Pod](c, "")[0].Name
	if err := client.Delete[*corev1.Pod](c.Client, "default", victim, client.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Run(5 * time.Second)
	pods := ct.List[*corev1.Pod](c, "")
	if len(pods) != 3 || slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return p.Name == victim }) {
		t.Errorf("%d pods", len(pods))
	}
}

// "the ReplicaSet ... acquires other Pods" that match and have no controller,
// and keeps the count; a pod whose label changes is released and replaced.
func TestAdoptsAndReleases(t *testing.T) {
	c, _ := setUp(t)
	for _, name := range []string{"pod1", "pod2"} {
		ct.Apply[*corev1.Pod](c, "metadata: {name: "+name+", labels: {app: web}}\nspec: {containers: [{name: a, image: b}]}")
	}
	ct.Apply[*appsv1.ReplicaSet](c, manifest)
	c.Run(5 * time.Second)
	if n := len(ct.List[*corev1.Pod](c, "")); n != 3 {
		t.Fatalf("%d pods, want 3", n)
	}
	p := ct.Get[*corev1.Pod](c, "default", "pod1")
	if ref := metav1.GetControllerOf(p); ref == nil || ref.Name != "web" {
		t.Fatalf("pod1 was not adopted: %+v", p.OwnerReferences)
	}
	ct.Change(c, "default", "pod1", func(p *corev1.Pod) { p.Labels["app"] = "debug" })
	c.Run(5 * time.Second)
	p = ct.Get[*corev1.Pod](c, "default", "pod1")
	if len(p.OwnerReferences) != 0 {
		t.Errorf("pod1 was not released: %+v", p.OwnerReferences)
	}
	if n := len(ct.List[*corev1.Pod](c, "app=web")); n != 3 {
		t.Errorf("%d pods match, want 3", n)
	}
	// Back again: one too many.
	ct.Change(c, "default", "pod1", func(p *corev1.Pod) { p.Labels["app"] = "web" })
	c.Run(5 * time.Second)
	if n := len(ct.List[*corev1.Pod](c, "app=web")); n != 3 {
		t.Errorf("%d pods match after the return, want 3", n)
	}
}

func TestScalesDown(t *testing.T) {
	c, _ := setUp(t)
	ct.Apply[*appsv1.ReplicaSet](c, manifest)
	c.Run(5 * time.Second)
	ct.Change(c, "default", "web", func(rs *appsv1.ReplicaSet) { rs.Spec.Replicas = new(int32(1)) })
	c.Run(5 * time.Second)
	rs := ct.Get[*appsv1.ReplicaSet](c, "default", "web")
	if rs.Status.Replicas != 1 || rs.Status.ObservedGeneration != 2 || len(ct.List[*corev1.Pod](c, "")) != 1 {
		t.Errorf("status %+v", rs.Status)
	}
	n := 0
	for _, e := range c.Events("web") {
		if strings.HasPrefix(e, "Normal SuccessfulDelete Deleted pod: web-") {
			n++
		}
	}
	if n != 2 {
		t.Errorf("events %q", c.Events("web"))
	}
}

// minReadySeconds: ready pods become available later, without any other event.
func TestMinReadySeconds(t *testing.T) {
	c, _ := setUp(t)
	rs := ct.Parse[*appsv1.ReplicaSet](c, manifest)
	rs.Spec.MinReadySeconds = 10
	ct.Create(c, rs)
	c.Run(5 * time.Second)
	if s := ct.Get[*appsv1.ReplicaSet](c, "default", "web").Status; s.ReadyReplicas != 3 || s.AvailableReplicas != 0 {
		t.Errorf("after 5 s: %+v", s)
	}
	c.Run(6 * time.Second)
	if s := ct.Get[*appsv1.ReplicaSet](c, "default", "web").Status; s.AvailableReplicas != 3 {
		t.Errorf("after 11 s: %+v", s)
	}
	if left := c.Timers(); len(left) != 0 {
		t.Errorf("timers %q pending in an idle cluster", left)
	}
}

func TestReplicationController(t *testing.T) {
	c := ct.New(t)
	NewReplicationController(c.Client, c.Factory)
	k := c.StartKubelet(time.Millisecond)
	k.AnyPod = true
	ct.Apply[*corev1.ReplicationController](c, `
metadata: {name: old}
spec:
  replicas: 2
  selector: {app: old}
  template:
    metadata: {labels: {app: old}}
    spec: {containers: [{name: nginx, image: "nginx:1.25"}]}
`)
	c.Run(5 * time.Second)
	rc := ct.Get[*corev1.ReplicationController](c, "default", "old")
	if rc.Status.ReadyReplicas != 2 || rc.Status.ObservedGeneration != 1 {
		t.Errorf("status %+v", rc.Status)
	}
}
