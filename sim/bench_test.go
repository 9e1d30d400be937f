// What a cluster costs: time to make one, time until pods are Ready, memory
// per pod, and how much of it is written to a backend. scripts/bench/run prints
// these beside the budgets.

package sim_test

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/rest"
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

// BenchmarkRollout is a rolling update, from the change of the image until no
// old pod is left to replace.
func BenchmarkRollout(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("pods=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				c := newCluster(b, sim.Options{Nodes: 11})
				makeReady(b, c, "Deployment", n)
				api := client.New(c.Handler(), "bench")
				cur, err := client.Get[*appsv1.Deployment](api, "default", "web")
				if err != nil {
					b.Fatal(err)
				}
				next := *cur
				next.Spec.Template.Spec.Containers = []corev1.Container{{Name: "web", Image: "nginx:1.28"}}
				done := false
				c.OnChange(func(ch store.Change) {
					if d, ok := ch.Object.(*appsv1.Deployment); ok {
						done = d.Status.ObservedGeneration > cur.Generation && int(d.Status.UpdatedReplicas) == n &&
							int(d.Status.AvailableReplicas) == n && int(d.Status.Replicas) == n
					}
				})
				b.StartTimer()
				if _, err := client.Update(api, &next); err != nil {
					b.Fatal(err)
				}
				if !c.Jump(c.Now().Add(24*time.Hour), func() bool { return done }) {
					b.Fatal("the rollout does not end")
				}
				b.StopTimer()
				c.Close()
				b.StartTimer()
			}
		})
	}
}

// BenchmarkServiceRequests is 10,000 requests of one client through a NodePort
// to three pods, each by a curl of its own and into an access log.
func BenchmarkServiceRequests(b *testing.B) {
	c := newCluster(b, sim.Options{Nodes: 3})
	defer c.Close()
	makeReady(b, c, "Deployment", 3)
	api := client.New(c.Handler(), "bench")
	svc := &corev1.Service{}
	svc.Namespace, svc.Name = "default", "web"
	svc.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": "web"},
		Ports: []corev1.ServicePort{{Port: 80, NodePort: 30080}}}
	if _, err := client.Create(api, svc); err != nil {
		b.Fatal(err)
	}
	c.JumpTo(c.Now().Add(time.Minute))
	term := c.Terminal("1")
	b.ReportAllocs()
	for b.Loop() {
		var out strings.Builder
		run := term.Start(`for i in $(seq 10000); do curl -s -o /dev/null -w "%{http_code}\n" localhost:30080; done`,
			sim.RunOptions{OnOutput: func(_ int, p []byte) { out.Write(p) }})
		c.Jump(c.Now().Add(24*time.Hour), func() bool { _, done := run.Done(); return done })
		if n := strings.Count(out.String(), "200\n"); n != 10000 {
			b.Fatalf("%d of 10,000 requests were answered", n)
		}
	}
}

// BenchmarkServer is what the API server does for many clients of 10,000 pods:
// a list of them all, written as JSON, and every one of them changed before the
// eyes of 100 watchers.
func BenchmarkServer(b *testing.B) {
	const pods, watchers = 10000, 100
	c := newCluster(b, sim.Options{Nodes: 100})
	defer c.Close()
	makeReady(b, c, "ReplicaSet", pods)
	api := client.New(c.Handler(), "bench")
	list := &rest.Request{Method: "GET", Path: "/api/v1/pods"}
	b.Run(fmt.Sprintf("list/pods=%d", pods), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			resp := c.Handler().Serve(list)
			_, body, err := apiserver.Encode(list, resp)
			if err != nil || resp.Code != 200 {
				b.Fatal(resp.Code, err)
			}
			b.ReportMetric(float64(len(body))/1e6, "MB")
		}
	})
	b.Run(fmt.Sprintf("watch/watchers=%d/pods=%d", watchers, pods), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			objects, version, err := client.List[*corev1.Pod](api, "default", "")
			if err != nil || len(objects) != pods {
				b.Fatal(len(objects), err)
			}
			open := make([]rest.Watch, watchers)
			ready := make([]bool, watchers)
			for i := range open {
				resp := c.Handler().Serve(&rest.Request{Method: "GET", Path: "/api/v1/namespaces/default/pods",
					Query: url.Values{"watch": {"true"}, "resourceVersion": {version}}})
				if resp.Code != 200 {
					b.Fatal(resp.Code)
				}
				open[i] = resp.Watch
				open[i].Notify(func() { ready[i] = true })
			}
			seen := 0
			for n, o := range objects {
				p := *o
				p.Annotations = map[string]string{"touched": version}
				if _, err := client.Update(api, &p); err != nil {
					b.Fatal(err)
				}
				if n%100 != 99 && n != pods-1 {
					continue
				}
				for i, w := range open { // as a host does once the writer has had its turn
					if !ready[i] {
						continue
					}
					ready[i] = false
					for e, ok := w.Next(); ok; e, ok = w.Next() {
						if e.Type != rest.Modified {
							b.Fatal(e.Type)
						}
						seen++
					}
				}
			}
			if seen != pods*watchers {
				b.Fatalf("%d events", seen)
			}
			for _, w := range open {
				w.Stop()
			}
		}
	})
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

// number is a positive number from the environment, or n.
func number(name string, n int) int {
	if v, err := strconv.Atoi(os.Getenv(name)); err == nil && v > 0 {
		return v
	}
	return n
}

// TestLarge is Kubernetes' own published limit. KUBONSAI_BENCH_LARGE=1 go test
// ./sim -run TestLarge -v; KUBONSAI_BENCH_NODES and _PODS make it smaller.
func TestLarge(t *testing.T) {
	if os.Getenv("KUBONSAI_BENCH_LARGE") == "" {
		t.Skip("set KUBONSAI_BENCH_LARGE=1 to run 5,000 nodes with 150,000 pods")
	}
	nodes, pods := number("KUBONSAI_BENCH_NODES", 5000), number("KUBONSAI_BENCH_PODS", 150000)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(1_900_000_000) // as the native binary
	}
	begin := time.Now()
	c := newCluster(t, sim.Options{Nodes: nodes})
	defer c.Close()
	t.Logf("%d nodes after %.1f s", nodes, time.Since(begin).Seconds())
	makeReady(t, c, "ReplicaSet", pods)
	took := time.Since(begin)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d pods Ready after %.1f s, %.1f s of CPU, the collector's included; %.0f MB taken from the system at most, %.0f MB in use",
		pods, took.Seconds(), cpuSeconds(), float64(m.Sys)/1e6, float64(heap())/1e6)
}

// cpuSeconds is the CPU time of this process so far, to a hundredth of a second;
// 0 where the system does not tell.
func cpuSeconds() float64 {
	stat, _ := os.ReadFile("/proc/self/stat")
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return float64(user+system) / 100
}

// TestHeapProfile writes what is in use with 1,000 Ready pods on 10 nodes, for
// pprof; KUBONSAI_BENCH_NODES and _PODS make it larger.
func TestHeapProfile(t *testing.T) {
	path := os.Getenv("KUBONSAI_HEAP_PROFILE")
	if path == "" {
		t.Skip("KUBONSAI_HEAP_PROFILE names no file")
	}
	runtime.MemProfileRate = 4096
	c := newCluster(t, sim.Options{Nodes: number("KUBONSAI_BENCH_NODES", 11)})
	makeReady(t, c, "ReplicaSet", number("KUBONSAI_BENCH_PODS", 1000))
	t.Logf("%.1f MB in use", float64(heap())/1e6)
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
