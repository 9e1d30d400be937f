// Package simtest throws random actions and faults at whole clusters, one seed
// at a time, and checks what must always hold and what must hold in the end. A
// failure prints the seed and the actions that led to it.
package simtest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/resource"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/store"
)

var (
	seeds = flag.Int("seeds", 1000, "number of random runs")
	first = flag.Uint64("seed", 0, "seed of the first random run")
)

func TestRandomRuns(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 50)
	}
	const groups = 4
	for g := range groups {
		t.Run(strconv.Itoa(g), func(t *testing.T) {
			t.Parallel()
			for i := g; i < n; i += groups {
				seed := *first + uint64(i)
				if msg, log := runSeed(seed); msg != "" {
					t.Fatalf("seed %d: %s\nactions:\n  %s\nrun again with: go test ./sim/simtest -run TestRandomRuns -seed %d -seeds 1",
						seed, msg, strings.Join(log, "\n  "), seed)
				}
			}
		})
	}
}

// runner is one random run.
type runner struct {
	c       *sim.Machine
	api     *client.Client
	rnd     *rand.Rand
	log     []string
	broken  string // the first broken invariant
	uids    map[metav1.UID]string
	last    uint64
	bound   map[string]string // pod uid → node
	stopped map[string]bool
	next    int
}

func runSeed(seed uint64) (string, []string) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	r := &runner{rnd: rnd, uids: map[metav1.UID]string{}, bound: map[string]string{}, stopped: map[string]bool{}}
	c, err := sim.New(sim.Options{Seed: seed, Nodes: 1 + rnd.IntN(3), Log: func(s string) { r.fail("%s", s) }})
	if err != nil {
		return err.Error(), nil
	}
	defer c.Close()
	r.c, r.api = c, client.New(c.Handler(), "simtest")
	c.OnChange(r.observe)
	for range 12 + rnd.IntN(12) {
		r.act()
		if r.check(); r.broken != "" {
			return r.broken, r.log
		}
	}
	for _, n := range c.Nodes() {
		if r.stopped[n] {
			c.StartNode(n)
		}
	}
	r.note("faults stop")
	c.JumpTo(c.Now().Add(15 * time.Minute))
	r.check()
	r.settled()
	return r.broken, r.log
}

func (r *runner) fail(format string, args ...any) {
	if r.broken == "" {
		r.broken = fmt.Sprintf(format, args...)
	}
}

func (r *runner) note(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

// observe checks every single write.
func (r *runner) observe(ch store.Change) {
	if ch.Revision <= r.last {
		r.fail("revision %d after %d", ch.Revision, r.last)
	}
	r.last = ch.Revision
	if ch.Object == nil {
		return
	}
	m := ch.Object.GetObjectMeta()
	if ch.Prev == nil {
		if other, used := r.uids[m.UID]; used || m.UID == "" {
			r.fail("%s has the uid %q of %s", ch.Key, m.UID, other)
		}
		r.uids[m.UID] = ch.Key.String()
	} else if old := ch.Prev.GetObjectMeta(); old.UID != m.UID || old.CreationTimestamp != m.CreationTimestamp {
		r.fail("%s changed its uid or creation time", ch.Key)
	} else if old.Generation > m.Generation {
		r.fail("%s: generation fell from %d to %d", ch.Key, old.Generation, m.Generation)
	} else if old.DeletionTimestamp != nil && m.DeletionTimestamp == nil {
		r.fail("%s came back from deletion", ch.Key)
	}
	pod, ok := ch.Object.(*corev1.Pod)
	if !ok {
		return
	}
	if prev, ok := ch.Prev.(*corev1.Pod); ok {
		if prev.Spec.NodeName != "" && prev.Spec.NodeName != pod.Spec.NodeName {
			r.fail("pod %s moved from %s to %q", pod.Name, prev.Spec.NodeName, pod.Spec.NodeName)
		}
		if (prev.Status.Phase == corev1.PodFailed || prev.Status.Phase == corev1.PodSucceeded) && pod.Status.Phase != prev.Status.Phase {
			r.fail("pod %s went from %s to %s", pod.Name, prev.Status.Phase, pod.Status.Phase)
		}
	}
	for _, cs := range pod.Status.ContainerStatuses {
		states := 0
		for _, set := range []bool{cs.State.Waiting != nil, cs.State.Running != nil, cs.State.Terminated != nil} {
			if set {
				states++
			}
		}
		if states > 1 {
			r.fail("container %s of %s is in %d states", cs.Name, pod.Name, states)
		}
		if cs.Ready && cs.State.Running == nil {
			r.fail("container %s of %s is ready but does not run", cs.Name, pod.Name)
		}
	}
}

func list[T metav1.Object](r *runner, ns string) []T {
	items, _, err := client.List[T](r.api, ns, "")
	if err != nil {
		r.fail("list: %v", err)
	}
	return items
}

func pick[T any](r *runner, items []T) (T, bool) {
	var none T
	if len(items) == 0 {
		return none, false
	}
	return items[r.rnd.IntN(len(items))], true
}

// shell runs a command in a terminal; commands may fail, but must end.
func (r *runner) shell(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	r.note("$ %s", line)
	var out strings.Builder
	run := r.c.Terminal("1").Start(line, sim.RunOptions{OnOutput: func(_ int, b []byte) { out.Write(b) }})
	if !r.c.Jump(r.c.Now().Add(10*time.Minute), func() bool { _, done := run.Done(); return done }) {
		r.fail("$ %s does not end; it printed %q", line, out.String())
	}
}

const manifest = `kubectl apply -f - <<EOF
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: %[1]s}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      containers: [{name: main, image: "nginx:1.27", resources: {requests: {cpu: %[3]dm}}}]
EOF`

func (r *runner) act() {
	pods := func() []*corev1.Pod { return list[*corev1.Pod](r, "default") }
	switch r.rnd.IntN(12) {
	case 0, 1:
		r.next++
		r.shell(manifest, "rs"+strconv.Itoa(r.next), r.rnd.IntN(5), 50+r.rnd.IntN(400))
	case 2:
		r.next++
		r.shell("kubectl create deployment d%d --image=nginx:1.27 --replicas=%d", r.next, r.rnd.IntN(5))
	case 3:
		if d, ok := pick(r, list[*appsv1.Deployment](r, "default")); ok {
			tag := []string{"1.26", "1.25.3", "no-such-tag", "1.27"}[r.rnd.IntN(4)]
			r.shell("kubectl set image deployment/%s nginx=nginx:%s", d.Name, tag)
		}
	case 4:
		if rs, ok := pick(r, list[*appsv1.ReplicaSet](r, "default")); ok {
			r.shell("kubectl scale rs %s --replicas=%d", rs.Name, r.rnd.IntN(6))
		}
	case 5:
		if p, ok := pick(r, pods()); ok {
			r.shell("kubectl delete pod %s --wait=false", p.Name)
		}
	case 6:
		if p, ok := pick(r, pods()); ok {
			r.shell("kubectl label pod %s app=%s --overwrite", p.Name, []string{"loose", "rs1", "d1"}[r.rnd.IntN(3)])
		}
	case 7:
		if rs, ok := pick(r, list[*appsv1.ReplicaSet](r, "default")); ok {
			how := []string{"background", "orphan", "foreground"}[r.rnd.IntN(3)]
			r.shell("kubectl delete rs %s --cascade=%s --wait=false", rs.Name, how)
		}
	case 8:
		if p, ok := pick(r, pods()); ok {
			code := r.rnd.IntN(3)
			r.note("crash %s with %d", p.Name, code)
			r.c.CrashContainer(p.Namespace, p.Name, p.Spec.Containers[0].Name, code)
		}
	case 9:
		if n, ok := pick(r, r.c.Nodes()); ok {
			if r.stopped[n] {
				r.note("start %s", n)
				r.c.StartNode(n)
			} else {
				r.note("stop %s", n)
				r.c.StopNode(n)
			}
			r.stopped[n] = !r.stopped[n]
		}
	}
	d := time.Duration(r.rnd.IntN(20000)) * time.Millisecond
	if r.rnd.IntN(8) == 0 {
		d = time.Duration(r.rnd.IntN(600)) * time.Second
	}
	r.note("+%s", d)
	r.c.JumpTo(r.c.Now().Add(d))
}

// check checks what must hold at any time.
func (r *runner) check() {
	cpu := map[string]*resource.Quantity{}
	count := map[string]int{}
	for _, p := range list[*corev1.Pod](r, "") {
		if p.Spec.NodeName == "" || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded {
			continue
		}
		if cpu[p.Spec.NodeName] == nil {
			cpu[p.Spec.NodeName] = &resource.Quantity{}
		}
		count[p.Spec.NodeName]++
		for _, c := range p.Spec.Containers {
			cpu[p.Spec.NodeName].Add(c.Resources.Requests["cpu"])
		}
	}
	for _, n := range list[*corev1.Node](r, "") {
		q := n.Status.Allocatable["cpu"]
		if used := cpu[n.Name]; used != nil && used.Cmp(q) > 0 {
			r.fail("node %s has %s of cpu and promised %s", n.Name, q.String(), used.String())
		}
		if limit := n.Status.Allocatable["pods"]; int64(count[n.Name]) > limit.Value() {
			r.fail("node %s holds %d pods", n.Name, count[n.Name])
		}
	}
}

// settled checks what must hold once faults have stopped and time has passed.
func (r *runner) settled() {
	owned := map[metav1.UID]int{}
	live := map[metav1.UID]bool{}
	for _, rs := range list[*appsv1.ReplicaSet](r, "") {
		live[rs.UID] = true
	}
	pods := list[*corev1.Pod](r, "default")
	for _, p := range pods {
		if p.DeletionTimestamp != nil {
			r.fail("pod %s has been terminating since %s", p.Name, p.DeletionTimestamp)
		}
		if ref := metav1.GetControllerOf(p); ref != nil {
			if !live[ref.UID] {
				r.fail("pod %s outlived its owner %s", p.Name, ref.Name)
			}
			if p.Status.Phase != corev1.PodFailed && p.Status.Phase != corev1.PodSucceeded {
				owned[ref.UID]++
			}
		}
	}
	for _, rs := range list[*appsv1.ReplicaSet](r, "default") {
		if rs.DeletionTimestamp != nil {
			r.fail("replicaset %s is still being deleted", rs.Name)
			continue
		}
		if n := owned[rs.UID]; n != int(*rs.Spec.Replicas) {
			r.fail("replicaset %s wants %d pods and has %d", rs.Name, *rs.Spec.Replicas, n)
		}
		if rs.Status.ObservedGeneration != rs.Generation {
			r.fail("replicaset %s: generation %d, observed %d", rs.Name, rs.Generation, rs.Status.ObservedGeneration)
		}
		if strings.Contains(rs.Spec.Template.Spec.Containers[0].Image, "no-such-tag") {
			continue
		}
		if rs.Status.ReadyReplicas != *rs.Spec.Replicas {
			waiting := false // for room on a node
			for _, p := range pods {
				waiting = waiting || p.Spec.NodeName == "" || p.Status.Phase == corev1.PodPending
			}
			if !waiting {
				r.fail("replicaset %s wants %d ready pods and has %d", rs.Name, *rs.Spec.Replicas, rs.Status.ReadyReplicas)
			}
		}
	}
}
