// What a cluster costs: time to make one, time until pods are Ready, memory
// per pod, and how much of it is written to a backend. scripts/bench/run prints
// these beside the budgets.

package sim_test

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/store"
)

func newCluster(tb testing.TB, opts sim.Options) *sim.Machine {
	tb.Helper()
	c, err := sim.New(opts)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func template(name string) (metav1.LabelSelector, corev1.PodTemplateSpec) {
	labels := map[string]string{"app": name}
	var t corev1.PodTemplateSpec
	t.Labels = labels
	t.Spec.Containers = []corev1.Container{{Name: "web", Image: "nginx:1.27"}}
	return metav1.LabelSelector{MatchLabels: labels}, t
}

// makeReady creates a workload and lets the cluster run until all its pods are Ready.
func makeReady(tb testing.TB, c *sim.Machine, kind string, replicas int) {
	tb.Helper()
	api := client.New(c.Handler(), "bench")
	n := int32(replicas)
	sel, t := template("web")
	var ready int32
	c.OnChange(func(ch store.Change) {
		switch o := ch.Object.(type) {
		case *appsv1.ReplicaSet:
			if kind == "ReplicaSet" {
				ready = o.Status.ReadyReplicas
			}
		case *appsv1.Deployment:
			ready = o.Status.ReadyReplicas
		}
	})
	var err error
	switch kind {
	case "ReplicaSet":
		rs := &appsv1.ReplicaSet{}
		rs.Namespace, rs.Name = "default", "web"
		rs.Spec = appsv1.ReplicaSetSpec{Replicas: &n, Selector: &sel, Template: t}
		_, err = client.Create(api, rs)
	case "Deployment":
		d := &appsv1.Deployment{}
		d.Namespace, d.Name = "default", "web"
		d.Spec = appsv1.DeploymentSpec{Replicas: &n, Selector: &sel, Template: t}
		_, err = client.Create(api, d)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if !c.Jump(c.Now().Add(time.Hour), func() bool { return ready == n }) {
		tb.Fatalf("%d of %d pods are ready after an hour", ready, n)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkBoot(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newCluster(b, sim.Options{}).Close()
	}
}

func BenchmarkReady(b *testing.B) {
	for _, kind := range []string{"ReplicaSet", "Deployment"} {
		for _, x := range []struct{ nodes, pods int }{{1, 3}, {1, 100}, {11, 100}, {11, 1000}} {
			b.Run(fmt.Sprintf("%s/nodes=%d/pods=%d", kind, x.nodes, x.pods), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					c := newCluster(b, sim.Options{Nodes: x.nodes})
					b.StartTimer()
					makeReady(b, c, kind, x.pods)
					b.StopTimer()
					c.Close()
					b.StartTimer()
				}
			})
		}
	}
}

// BenchmarkHeap reports the memory in use with 1,000 Ready pods, at once and an
// hour later when the events have expired.
func BenchmarkHeap(b *testing.B) {
	for b.Loop() {
		before := heap()
		c := newCluster(b, sim.Options{Nodes: 11})
		booted := heap()
		makeReady(b, c, "Deployment", 1000)
		b.ReportMetric(float64(booted-before)/1e6, "MB-booted")
		b.ReportMetric(float64(heap()-before)/1e6, "MB-1000-pods")
		c.JumpTo(c.Now().Add(2 * time.Hour))
		b.ReportMetric(float64(heap()-before)/1e6, "MB-later")
		c.Close()
	}
}

func BenchmarkKubectlGetPods(b *testing.B) {
	c := newCluster(b, sim.Options{Nodes: 11})
	defer c.Close()
	makeReady(b, c, "ReplicaSet", 1000)
	term := c.Terminal("1")
	b.ReportAllocs()
	for b.Loop() {
		var out strings.Builder
		run := term.Start("kubectl get pods", sim.RunOptions{OnOutput: func(_ int, p []byte) { out.Write(p) }})
		c.Jump(c.Now().Add(time.Minute), func() bool { _, done := run.Done(); return done })
		if n := strings.Count(out.String(), "\n"); n != 1001 {
			b.Fatalf("%d lines", n)
		}
	}
}

// counting is a backend that only counts.
type counting struct {
	*store.Memory
	batches, bytes int
}

func (c *counting) Append(batch []store.Record) error {
	c.batches++
	for _, r := range batch {
		c.bytes += len(r.Value)
	}
	return nil
}

// BenchmarkFlush is a page's way: a busy cluster is kept every 250 ms.
func BenchmarkFlush(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		back := &counting{Memory: store.NewMemory()}
		c := newCluster(b, sim.Options{Nodes: 11, Backend: back})
		if err := c.Flush(); err != nil {
			b.Fatal(err)
		}
		back.batches, back.bytes = 0, 0
		api := client.New(c.Handler(), "bench")
		n := int32(1000)
		sel, t := template("web")
		rs := &appsv1.ReplicaSet{}
		rs.Namespace, rs.Name = "default", "web"
		rs.Spec = appsv1.ReplicaSetSpec{Replicas: &n, Selector: &sel, Template: t}
		b.StartTimer()
		if _, err := client.Create(api, rs); err != nil {
			b.Fatal(err)
		}
		var spent time.Duration
		for i := 0; ; i++ {
			c.Turn(c.Now().Add(250*time.Millisecond), 1<<20)
			at := time.Now()
			if err := c.Flush(); err != nil {
				b.Fatal(err)
			}
			spent += time.Since(at)
			if rs, err := client.Get[*appsv1.ReplicaSet](api, "default", "web"); err != nil || rs.Status.ReadyReplicas == n || i > 1e5 {
				break
			}
		}
		b.ReportMetric(float64(spent.Microseconds())/1e3, "ms-flush")
		b.ReportMetric(float64(back.batches), "batches")
		b.ReportMetric(float64(back.bytes)/1e6, "MB-written")
		c.Close()
	}
}

func BenchmarkSnapshot(b *testing.B) {
	c := newCluster(b, sim.Options{Nodes: 11})
	defer c.Close()
	makeReady(b, c, "ReplicaSet", 1000)
	b.ReportAllocs()
	for b.Loop() {
		data, err := c.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(data))/1e6, "MB")
	}
}

func BenchmarkManyPods(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		before := heap()
		c := newCluster(b, sim.Options{Nodes: 100})
		b.StartTimer()
		makeReady(b, c, "ReplicaSet", 10000)
		b.StopTimer()
		b.ReportMetric(float64(heap()-before)/1e6, "MB")
		c.Close()
		b.StartTimer()
	}
}

// TestLarge is Kubernetes' own published limit. KUBONSAI_BENCH_LARGE=1 go test
// ./sim -run TestLarge -v; KUBONSAI_BENCH_NODES and _PODS make it smaller.
func TestLarge(t *testing.T) {
	if os.Getenv("KUBONSAI_BENCH_LARGE") == "" {
		t.Skip("set KUBONSAI_BENCH_LARGE=1 to run 5,000 nodes with 150,000 pods")
	}
	number := func(name string, n int) int {
		if v, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return v
		}
		return n
	}
	nodes, pods := number("KUBONSAI_BENCH_NODES", 5000), number("KUBONSAI_BENCH_PODS", 150000)
	begin := time.Now()
	c := newCluster(t, sim.Options{Nodes: nodes})
	defer c.Close()
	t.Logf("%d nodes after %.1f s", nodes, time.Since(begin).Seconds())
	makeReady(t, c, "ReplicaSet", pods)
	took := time.Since(begin)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d pods Ready after %.1f s; %.0f MB taken from the system at most, %.0f MB in use",
		pods, took.Seconds(), float64(m.Sys)/1e6, float64(heap())/1e6)
}

// TestHeapProfile writes what is in use with 1,000 Ready pods, for pprof.
func TestHeapProfile(t *testing.T) {
	path := os.Getenv("KUBONSAI_HEAP_PROFILE")
	if path == "" {
		t.Skip("KUBONSAI_HEAP_PROFILE names no file")
	}
	runtime.MemProfileRate = 4096
	c := newCluster(t, sim.Options{Nodes: 11})
	makeReady(t, c, "Deployment", 1000)
	heap()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := pprof.Lookup("heap").WriteTo(f, 0); err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(c)
}

// BenchmarkServiceRequests is 10,000 requests from one pod through a Service to
// 10 pods, names resolved for each.
func BenchmarkServiceRequests(b *testing.B) {
	const requests = 10_000
	c := newCluster(b, sim.Options{Nodes: 3, ImagesPresent: true})
	defer c.Close()
	makeReady(b, c, "Deployment", 10)
	term := c.Terminal("bench")
	run := func(script string) {
		r := term.Start(script, sim.RunOptions{})
		if !c.Jump(c.Now().Add(time.Hour), func() bool { _, done := r.Done(); return done }) {
			b.Fatal("does not end")
		}
		if code, _ := r.Done(); code != 0 {
			b.Fatalf("%s: exit status %d", script, code)
		}
	}
	run("kubectl expose deployment web --port=80; kubectl run client --image=curlimages/curl:8.5.0 --command -- sleep 360000; kubectl wait --for=condition=Ready pod/client")
	made := 0
	c.OnConnect(func(from string, _, _ netip.AddrPort) {
		if from == "default/client" {
			made++
		}
	})
	script := fmt.Sprintf("kubectl exec client -- sh -c 'i=0; while [ $i -lt %d ]; do curl -s -o /dev/null http://web/ || exit 1; i=$((i+1)); done'", requests)
	for b.Loop() {
		made = 0
		run(script)
		if made != requests {
			b.Fatalf("%d connections", made)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/requests, "µs/request")
}
