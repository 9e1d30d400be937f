package simtest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
)

// history runs a session under the seed and returns everything that was
// printed, and every record of the cluster as it is in the end.
func history(t *testing.T, seed uint64) string {
	t.Helper()
	var b strings.Builder
	c, err := sim.New(sim.Options{Seed: seed, Nodes: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, line := range []string{
		"kubectl create deployment web --image=nginx:1.27 --replicas=3", "sleep 5; kubectl get pods -o wide",
		"kubectl get pods -o name | head -n 2 | xargs kubectl delete", "kubectl get pods -o yaml",
		"kubectl run x --image=busybox:1.36 & kubectl run y --image=busybox:1.36; wait; kubectl get events",
		"for i in $(seq 5); do echo $RANDOM | tee -a numbers; done; sort -n numbers | md5sum",
		"kubectl exec deploy/web -- sh -c 'kill 1'; sleep 30; kubectl describe pods",
		"kubectl scale deployment web --replicas=6; sleep 1; kubectl get pods; kubectl delete deployment web; sleep 40; kubectl get all",
	} {
		run := c.Terminal("1").Start(line, sim.RunOptions{OnOutput: func(_ int, data []byte) { b.Write(data) }})
		c.Jump(time.Time{}, func() bool { _, done := run.Done(); return done })
	}
	snap, err := c.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	b.Write(snap)
	return b.String()
}

// The same seed and the same commands give the same history, to the byte.
func TestSameSeedSameHistory(t *testing.T) {
	a := history(t, 5)
	for range 3 {
		b := history(t, 5)
		if a == b {
			continue
		}
		i := 0
		for i < min(len(a), len(b)) && a[i] == b[i] {
			i++
		}
		around := func(s string) string { return s[max(0, i-300):min(len(s), i+200)] }
		t.Fatalf("two runs of one seed differ at %d:\n%s\n---\n%s", i, around(a), around(b))
	}
	if history(t, 6) == a {
		t.Error("two seeds give the same history")
	}
}

// TestHistoryHash prints a hash of the history; TestSameHistoryInWasm runs it
// on both platforms.
func TestHistoryHash(t *testing.T) {
	fmt.Printf("history %x\n", sha256.Sum256([]byte(history(t, 5))))
}

// "The same seed and the same commands give the same history, on every
// platform": natively and in WebAssembly under Node.
func TestSameHistoryInWasm(t *testing.T) {
	if runtime.GOOS == "js" {
		t.Skip("the native test runs this one's other half")
	}
	if testing.Short() {
		t.Skip("compiles the simulation for wasm")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("Node is not installed")
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-trimpath", "-vet=off", "-run", "^TestHistoryHash$", "-v",
		"-exec", filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "go_js_wasm_exec"), ".")
	// The shim passes the environment on to wasm, which has little room for it.
	cmd.Env = []string{"GOOS=js", "GOARCH=wasm"}
	for _, name := range []string{"PATH", "HOME", "GOPATH", "GOMODCACHE", "GOCACHE", "GOFLAGS", "GOPROXY", "GOSUMDB"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := fmt.Sprintf("history %x", sha256.Sum256([]byte(history(t, 5))))
	if !strings.Contains(string(out), want) {
		t.Errorf("natively %s; in wasm:\n%s", want, out)
	}
}
