//go:build js && wasm

// The core in wasm, as a page's worker runs it, without the page: prints one
// line of JSON per figure. Run by ../wasm.mjs, which provides the CPU clock.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall/js"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/store"
)

var selector = metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}

func cpu() float64 { return js.Global().Call("benchCPU").Float() }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func report(name string, value float64, unit string) {
	b, _ := json.Marshal(map[string]any{"name": name, "value": value, "unit": unit})
	fmt.Println(string(b))
}

func measured(fn func()) float64 {
	at := cpu()
	fn()
	return cpu() - at
}

func create(c *sim.Machine, replicas int) {
	n := int32(replicas)
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = "default", "web"
	d.Spec.Replicas = &n
	d.Spec.Selector = &selector
	d.Spec.Template.Labels = selector.MatchLabels
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "web", Image: "nginx:1.27"}}
	_, err := client.Create(client.New(c.Handler(), "bench"), d)
	must(err)
}

// readiness follows how many pods of the deployment are Ready.
func readiness(c *sim.Machine) *int {
	n := new(int)
	c.OnChange(func(ch store.Change) {
		if d, ok := ch.Object.(*appsv1.Deployment); ok && d.Name == "web" {
			*n = int(d.Status.ReadyReplicas)
		}
	})
	return n
}

func makeReady(c *sim.Machine, replicas int) {
	ready := readiness(c)
	create(c, replicas)
	if !c.Jump(c.Now().Add(time.Hour), func() bool { return *ready == replicas }) {
		must(fmt.Errorf("%d of %d pods are ready after an hour", *ready, replicas))
	}
}

func run(c *sim.Machine, line string) string {
	var out strings.Builder
	r := c.Terminal("1").Start(line, sim.RunOptions{OnOutput: func(_ int, p []byte) { out.Write(p) }})
	c.Jump(c.Now().Add(time.Hour), func() bool { _, done := r.Done(); return done })
	return out.String()
}

func boot(nodes int, b store.Backend) *sim.Machine {
	c, err := sim.New(sim.Options{Nodes: nodes, Backend: b})
	must(err)
	return c
}

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(250) // as wasm/browser
	}
	if len(os.Args) > 1 && os.Args[1] == "memory" {
		c := boot(11, nil)
		makeReady(c, 1000)
		heap("heap with 1000 pods")
		runtime.KeepAlive(c)
		return
	}
	var c *sim.Machine
	report("boot", measured(func() { c = boot(1, nil) }), "ms")
	report("kubectl get nodes", measured(func() { run(c, "kubectl get nodes") }), "ms")
	c.Close()
	for _, n := range []int{3, 100, 1000} {
		best := 0.0
		for i := range 3 {
			c := boot(11, nil)
			t := measured(func() { makeReady(c, n) })
			if i == 0 {
				report(fmt.Sprintf("%d Ready, first", n), t, "ms")
			}
			if i == 0 || t < best {
				best = t
			}
			c.Close()
		}
		report(fmt.Sprintf("%d Ready", n), best, "ms")
	}
	for _, n := range []int{100, 1000} {
		c := boot(11, nil)
		makeReady(c, n)
		report(fmt.Sprintf("rolling update of %d", n), measured(func() {
			run(c, "kubectl set image deployment/web web=nginx:1.28; kubectl rollout status deployment/web")
		}), "ms")
		c.Close()
	}
	c = boot(3, nil)
	makeReady(c, 3)
	run(c, "kubectl expose deployment web --type=NodePort --port=80 --overrides='{\"spec\":{\"ports\":[{\"port\":80,\"nodePort\":30080}]}}'")
	report("10,000 requests through a Service", measured(func() {
		run(c, "for i in $(seq 10000); do curl -s -o /dev/null localhost:30080; done")
	}), "ms")
	c.Close()
	// As the page's worker does: a busy cluster is kept every 250 ms.
	c = boot(11, store.NewMemory())
	must(c.Flush())
	flush := 0.0
	ready := readiness(c)
	create(c, 1000)
	for *ready < 1000 {
		c.Turn(c.Now().Add(250*time.Millisecond), 1<<20)
		flush += measured(func() { must(c.Flush()) })
	}
	report("flushes of 1000 pods", flush, "ms")
	report("kubectl get pods, 1000", measured(func() { run(c, "kubectl get pods") }), "ms")
	c.Close()
}

func heap(name string) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	report(name, float64(m.HeapAlloc)/1e6, "MB")
}
