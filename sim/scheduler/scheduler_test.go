package scheduler_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
	"github.com/kubonsai/kubonsai/sim/controller/replicaset"
	"github.com/kubonsai/kubonsai/sim/scheduler"
)

func setUp(t testing.TB, nodes int) (*ct.Cluster, *scheduler.Scheduler) {
	c := ct.New(t)
	for i := range nodes {
		c.Node(fmt.Sprintf("node-%d", i+1), "2", "24684096Ki")
	}
	return c, scheduler.New(c.Client, c.Factory, c.Seed)
}

func pod(c *ct.Cluster, name, spec string) *corev1.Pod {
	c.T.Helper()
	return ct.Apply[*corev1.Pod](c, "metadata: {name: "+name+", labels: {app: "+name+"}}\nspec:\n  containers: [{name: main, image: 'nginx:1.27'"+spec)
}

// The words of testdata/transcripts/scheduling, and the condition of a recorded pod.
func TestRejections(t *testing.T) {
	const tail = " no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
	for _, tt := range []struct{ name, spec, want string }{
		{"too-big", ", resources: {requests: {cpu: 64}}}]", "0/1 nodes are available: 1 Insufficient cpu." + tail},
		{"too-much-memory", ", resources: {requests: {cpu: 64, memory: 900Gi}}}]", "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory." + tail},
		{"wrong-node", "}]\n  nodeSelector: {disktype: ssd}", "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector." + tail},
		{"no-volume", "}]\n  volumes: [{name: data, persistentVolumeClaim: {claimName: missing-claim}}]",
			`0/1 nodes are available: persistentvolumeclaim "missing-claim" not found. not found`},
		{"gpu", ", resources: {limits: {nvidia.com/gpu: 1}, requests: {nvidia.com/gpu: 1}}}]", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu." + tail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := setUp(t, 1)
			pod(c, tt.name, tt.spec)
			c.Run(time.Second / 2)
			p := ct.Get[*corev1.Pod](c, "default", tt.name)
			if len(p.Status.Conditions) != 1 {
				t.Fatalf("conditions %+v", p.Status.Conditions)
			}
			cond := p.Status.Conditions[0]
			if cond.Type != corev1.PodScheduled || cond.Status != corev1.ConditionFalse || cond.Reason != "Unschedulable" || cond.Message != tt.want {
				t.Errorf("condition %+v\nwant %s", cond, tt.want)
			}
			if got, want := c.Events(tt.name), []string{"Warning FailedScheduling " + tt.want}; !slices.Equal(got, want) {
				t.Errorf("events %q\nwant %q", got, want)
			}
			c.Run(time.Hour)
			if n := len(c.Events(tt.name)); n != 1 {
				t.Errorf("%d events after an hour in which nothing happened", n)
			}
			if left := c.Timers(); len(left) != 0 {
				t.Errorf("timers %q pending in an idle cluster", left)
			}
		})
	}
}

// A pod is bound, with the event of objects/pod-run-delete.jsonl.
func TestBinds(t *testing.T) {
	c, _ := setUp(t, 1)
	pod(c, "web", "}]")
	c.Run(time.Second)
	p := ct.Get[*corev1.Pod](c, "default", "web")
	if p.Spec.NodeName != "node-1" || len(p.Status.Conditions) != 1 || p.Status.Conditions[0].Status != corev1.ConditionTrue {
		t.Errorf("node %q, conditions %+v", p.Spec.NodeName, p.Status.Conditions)
	}
	if got := c.Events("web"); !slices.Equal(got, []string{"Normal Scheduled Successfully assigned default/web to node-1"}) {
		t.Errorf("events %q", got)
	}
}

// What keeps a pod Pending, and what lets it run: labels, taints, cordon (testdata/transcripts/scheduling).
func TestRetriedWhenTheNodeChanges(t *testing.T) {
	for _, tt := range []struct {
		name, spec string
		before     func(*corev1.Node)
		reason     string
		after      func(*corev1.Node)
		useless    func(*corev1.Node)
	}{
		{"label", "}]\n  nodeSelector: {disktype: ssd}", func(*corev1.Node) {}, "1 node(s) didn't match Pod's node affinity/selector.",
			func(n *corev1.Node) { n.Labels["disktype"] = "ssd" }, func(n *corev1.Node) { n.Labels["disktype"] = "hdd" }},
		{"taint", "}]", func(n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: "dedicated", Value: "gpu", Effect: corev1.TaintEffectNoSchedule}}
		}, "1 node(s) had untolerated taint(s).", func(n *corev1.Node) { n.Spec.Taints = nil }, func(n *corev1.Node) { n.Labels["x"] = "y" }},
		{"cordon", "}]", func(n *corev1.Node) { n.Spec.Unschedulable = true }, "1 node(s) were unschedulable.",
			func(n *corev1.Node) { n.Spec.Unschedulable = false }, func(n *corev1.Node) { n.Labels["x"] = "y" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := setUp(t, 1)
			ct.Change(c, "", "node-1", tt.before)
			pod(c, "web", tt.spec)
			c.Run(5 * time.Second)
			if got := c.Events("web"); len(got) != 1 || !strings.Contains(got[0], tt.reason) {
				t.Errorf("events %q", got)
			}
			ct.Change(c, "", "node-1", tt.useless)
			c.Run(5 * time.Second)
			if got := c.Events("web"); len(got) != 1 {
				t.Errorf("a useless change led to %q", got)
			}
			ct.Change(c, "", "node-1", tt.after)
			c.Run(100 * time.Millisecond)
			if p := ct.Get[*corev1.Pod](c, "default", "web"); p.Spec.NodeName == "" {
				t.Errorf("still pending: %+v", p.Status.Conditions)
			}
		})
	}
}

// "If a Pod cannot be scheduled, the scheduler tries to preempt (evict) lower
// priority Pods to make scheduling of the pending Pod possible."
func TestPreempts(t *testing.T) {
	c, _ := setUp(t, 1)
	k := c.StartKubelet(50 * time.Millisecond)
	_ = k
	low := ct.Parse[*corev1.Pod](c, "metadata: {name: low}\nspec: {containers: [{name: a, image: b, resources: {requests: {cpu: 1500m}}}]}")
	low.Spec.Priority = new(int32(10))
	ct.Create(c, low)
	c.Run(time.Second)
	same := ct.Parse[*corev1.Pod](c, "metadata: {name: same}\nspec: {containers: [{name: a, image: b, resources: {requests: {cpu: 1500m}}}]}")
	same.Spec.Priority = new(int32(10))
	ct.Create(c, same)
	c.Run(time.Second)
	if got := c.Events("same"); len(got) != 1 || !strings.HasSuffix(got[0], "1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.") {
		t.Errorf("events %q", got)
	}
	high := ct.Parse[*corev1.Pod](c, "metadata: {name: high}\nspec: {containers: [{name: a, image: b, resources: {requests: {cpu: 1500m}}}]}")
	high.Spec.Priority = new(int32(1000))
	ct.Create(c, high)
	c.Run(20 * time.Millisecond)
	if p := ct.Get[*corev1.Pod](c, "default", "high"); p.Status.NominatedNodeName != "node-1" {
		t.Errorf("nominated to %q: %+v %q", p.Status.NominatedNodeName, p.Status, c.Events("high"))
	}
	c.Run(10 * time.Second)
	if p := ct.Get[*corev1.Pod](c, "default", "high"); p.Spec.NodeName != "node-1" {
		t.Errorf("not scheduled: %+v, %q", p.Status, c.Events("high"))
	}
	if got := c.Events("low"); !slices.ContainsFunc(got, func(e string) bool { return strings.HasPrefix(e, "Normal Preempted Preempted by pod ") }) {
		t.Errorf("events of the victim %q", got)
	}
}

// A pod that waits for room is placed when another goes, after its back-off.
func TestRetriedWhenAPodGoes(t *testing.T) {
	c, _ := setUp(t, 1)
	c.StartKubelet(50 * time.Millisecond)
	pod(c, "one", ", resources: {requests: {cpu: 1500m}}}]")
	c.Run(time.Second)
	pod(c, "two", ", resources: {requests: {cpu: 1500m}}}]")
	c.Run(5 * time.Second)
	_ = client.Delete[*corev1.Pod](c.Client, "default", "one", client.DeleteOptions{})
	c.Run(time.Second)
	if p := ct.Get[*corev1.Pod](c, "default", "two"); p.Spec.NodeName == "" {
		t.Errorf("still pending: %q", c.Events("two"))
	}
}

// Pods of one ReplicaSet are spread over the nodes.
func TestSpreads(t *testing.T) {
	c, _ := setUp(t, 5)
	replicaset.New(c.Client, c.Factory)
	rs := ct.Parse[*appsv1.ReplicaSet](c, rsManifest)
	rs.Spec.Replicas = new(int32(10))
	ct.Create(c, rs)
	c.Run(5 * time.Second)
	count := map[string]int{}
	for _, p := range ct.List[*corev1.Pod](c, "") {
		count[p.Spec.NodeName]++
	}
	for node, n := range count {
		if n != 2 {
			t.Errorf("%d pods on %q: %v", n, node, count)
		}
	}
}

const rsManifest = `
metadata: {name: web}
spec:
  replicas: 1000
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: nginx, image: "nginx:1.25"}]}
`

// BenchmarkReplicaSet1000 is 1,000 replicas on 10 nodes, from the ReplicaSet's
// creation until all are ready.
func BenchmarkReplicaSet1000(b *testing.B) {
	for b.Loop() {
		c, s := setUp(b, 10)
		replicaset.New(c.Client, c.Factory)
		c.StartKubelet(100 * time.Millisecond)
		ct.Apply[*appsv1.ReplicaSet](c, rsManifest)
		c.Run(time.Minute)
		if n, _ := s.Pending(); n != 0 {
			b.Fatalf("%d pods pending", n)
		}
		if rs := ct.Get[*appsv1.ReplicaSet](c, "default", "web"); rs.Status.ReadyReplicas != 1000 {
			b.Fatalf("status %+v", rs.Status)
		}
	}
}

// BenchmarkLargest is Kubernetes' own published limits: 150,000 pods on 5,000
// nodes, in 150 ReplicaSets.
func BenchmarkLargest(b *testing.B) {
	for b.Loop() {
		c, s := setUp(b, 5000)
		replicaset.New(c.Client, c.Factory)
		c.StartKubelet(100 * time.Millisecond)
		for i := range 150 {
			ct.Apply[*appsv1.ReplicaSet](c, strings.ReplaceAll(rsManifest, "web", fmt.Sprintf("web-%d", i)))
		}
		c.Run(10 * time.Minute)
		if n, _ := s.Pending(); n != 0 {
			b.Fatalf("%d pods pending", n)
		}
		pods := c.Store.Count("pods")
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MB")
		b.ReportMetric(float64(pods), "pods")
	}
}
