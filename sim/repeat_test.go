// Programs in containers that are under way when the machine is put away.

package sim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/store"
)

func TestProgramsGoOnAfterRestart(t *testing.T) {
	backend := store.NewMemory()
	open := func() *sim.Machine {
		m, err := sim.New(sim.Options{Seed: 1, Backend: backend})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := open()
	run := func(script string) string {
		t.Helper()
		var out strings.Builder
		done := false
		m.Terminal("1").Start(script, sim.RunOptions{
			OnOutput: func(_ int, data []byte) { out.Write(data) }, OnExit: func(int) { done = true }})
		m.Jump(m.Now().Add(10*time.Minute), func() bool { return done })
		return out.String()
	}
	run(`kubectl run count --image=busybox --restart=Never -- sh -c 'for i in 1 2 3 4 5 6; do echo $i at $(date +%s); sleep 10; done; exit 4'
kubectl run pair --image=busybox --restart=Never -- sh -c '(sleep 50; echo slow) & sleep 20; echo quick; wait; echo both'
kubectl run nap --image=busybox --restart=Never -- sleep 40
kubectl wait --for=jsonpath={.status.phase}=Running pod/count pod/pair pod/nap`)
	for range 3 { // put away in the middle, three times
		m.JumpTo(m.Now().Add(11 * time.Second))
		if err := m.Flush(); err != nil {
			t.Fatal(err)
		}
		_ = m.Close()
		m = open()
	}
	run("sleep 60")
	count := strings.Fields(run("kubectl logs count"))
	if len(count) != 18 {
		t.Fatalf("count printed %q", count)
	}
	for i := 0; i < 6; i++ {
		if count[3*i] != string(rune('1'+i)) {
			t.Errorf("count printed %q", count)
		}
	}
	if got := run("kubectl logs pair"); got != "quick\nslow\nboth\n" {
		t.Errorf("pair printed %q", got)
	}
	const times = `kubectl get pod %s -o jsonpath='{.status.containerStatuses[0].state.terminated.exitCode} {.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].state.terminated.startedAt} {.status.containerStatuses[0].state.terminated.finishedAt}'`
	for name, want := range map[string]struct {
		code    string
		seconds float64
	}{"count": {"4", 60}, "pair": {"0", 50}, "nap": {"0", 40}} {
		f := strings.Fields(run(strings.ReplaceAll(times, "%s", name)))
		if len(f) != 4 || f[0] != want.code || f[1] != "0" {
			t.Errorf("%s: %q", name, f)
			continue
		}
		from, _ := time.Parse(time.RFC3339, f[2])
		to, _ := time.Parse(time.RFC3339, f[3])
		if d := to.Sub(from).Seconds(); d < want.seconds || d > want.seconds+1 {
			t.Errorf("%s ran for %v s, want %v", name, d, want.seconds)
		}
	}
}
