package sim

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/store"
)

// do runs a line in a terminal and returns what it printed.
func do(t testing.TB, c *Machine, terminal, line string) string {
	t.Helper()
	var out strings.Builder
	run := c.Terminal(terminal).Start(line, RunOptions{OnOutput: func(_ int, b []byte) { out.Write(b) }})
	if !c.Jump(c.Now().Add(time.Hour), func() bool { _, done := run.Done(); return done }) {
		t.Fatalf("$ %s does not end; it printed %q", line, out.String())
	}
	return out.String()
}

// reload closes the cluster without a flush, as a crash does, and opens it again.
func reload(t testing.TB, c *Machine, b store.Backend) *Machine {
	t.Helper()
	c.kernel.Shutdown()
	d, err := New(Options{Backend: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.kernel.Shutdown() })
	if len(d.Notices()) > 0 {
		t.Errorf("notices after a reload: %q", d.Notices())
	}
	return d
}

func newKept(t testing.TB, b store.Backend) *Machine {
	t.Helper()
	c, err := New(Options{Seed: 1, Backend: b, Files: map[string][]byte{"rs.yaml": []byte(rsYAML)}, ImagesPresent: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const rsYAML = `apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: nginx, image: "nginx:1.27"}]
`

// A reload in the middle of a scale-up: what was acknowledged is there, the
// rest goes on, nothing restarts and the clock does not go back.
func TestReloadInTheMiddleOfAScaleUp(t *testing.T) {
	b := store.NewMemory()
	c := newKept(t, b)
	do(t, c, "1", "kubectl apply -f rs.yaml; sleep 10; export GREETING=hello; mkdir work; cd work; f() { echo $GREETING from f; }")
	before := do(t, c, "1", "kubectl get pods -o jsonpath='{range .items[*]}{.metadata.uid} {.status.podIP} {.status.containerStatuses[0].containerID}{\"\\n\"}{end}'")
	do(t, c, "1", "kubectl scale rs web --replicas=5")
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	now := c.Now()
	c = reload(t, c, b)
	if c.Now().Before(now) {
		t.Errorf("the clock went back from %s to %s", now, c.Now())
	}
	c.JumpTo(c.Now().Add(20 * time.Second))
	after := do(t, c, "1", "kubectl get pods -o jsonpath='{range .items[*]}{.metadata.uid} {.status.podIP} {.status.containerStatuses[0].containerID}{\"\\n\"}{end}'")
	for _, line := range strings.Split(strings.TrimSpace(before), "\n") {
		if !strings.Contains(after, line) {
			t.Errorf("the pod %q did not survive as it was:\n%s", line, after)
		}
	}
	if got := do(t, c, "1", "kubectl get rs web --no-headers | awk '{print $2,$3,$4}' 2>/dev/null || kubectl get rs web --no-headers"); !strings.Contains(strings.Join(strings.Fields(got), " "), "5 5 5") {
		t.Errorf("after the reload the replica set is %q", got)
	}
	if got := do(t, c, "1", "kubectl get pods --no-headers | grep -vc ' 0 '"); strings.TrimSpace(got) != "0" {
		t.Errorf("containers restarted: %s", do(t, c, "1", "kubectl get pods"))
	}
	if got := do(t, c, "1", "pwd; f; ls ~"); got != Home+"/work\nhello from f\nrs.yaml\nwork\n" {
		t.Errorf("the terminal came back as %q", got)
	}
	if c.Current() == nil || c.Flush() != nil {
		t.Error("flush after the reload")
	}
}

// Many reloads at odd moments: the cluster always comes to rest as asked.
func TestReloadAnytime(t *testing.T) {
	b := store.NewMemory()
	c := newKept(t, b)
	do(t, c, "1", "kubectl create deployment d --image=nginx:1.27 --replicas=2")
	for i := range 30 {
		c.JumpTo(c.Now().Add(time.Duration(37*i%400) * time.Millisecond))
		if i%7 == 3 {
			do(t, c, "1", fmt.Sprintf("kubectl scale deployment d --replicas=%d", 1+i%4))
		}
		if i%10 == 9 {
			do(t, c, "1", fmt.Sprintf("kubectl set image deployment/d nginx=nginx:1.2%d", 5+i/10))
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		c = reload(t, c, b)
	}
	c.JumpTo(c.Now().Add(2 * time.Minute))
	if got := do(t, c, "1", "kubectl rollout status deployment d --timeout=1s"); got != "deployment \"d\" successfully rolled out\n" {
		t.Errorf("%s%s", got, do(t, c, "1", "kubectl get pods,rs,deploy"))
	}
}

func TestSnapshotRestore(t *testing.T) {
	c := newKept(t, nil)
	defer c.Close()
	do(t, c, "1", "kubectl apply -f rs.yaml; sleep 10; kubectl exec $(kubectl get pods -o name | head -n 1) -- sh -c 'echo kept > /tmp/file'")
	want := do(t, c, "1", "kubectl get pods -o wide")
	snap, err := c.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Restore(snap, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got := do(t, d, "1", "kubectl get pods -o wide"); got != want {
		t.Errorf("restored:\n%swas:\n%s", got, want)
	}
	if got := do(t, d, "1", "kubectl exec $(kubectl get pods -o name | head -n 1) -- cat /tmp/file"); got != "kept\n" {
		t.Errorf("the container's file is %q", got)
	}
	for _, bad := range []string{"", "{}", "[]", `{"kubonsai":1,"records":{}}`, `{"kubonsai":99,"records":{"meta":{}}}`} {
		if _, err := Restore([]byte(bad), Options{}); err == nil {
			t.Errorf("the snapshot %q was taken", bad)
		}
	}
}

// full is a backend on a full disk.
type full struct {
	*store.Memory
	full bool
}

func (f *full) Append(batch []store.Record) error {
	if f.full {
		return errors.New("disk full")
	}
	return f.Memory.Append(batch)
}

// "The state is the last acknowledged one, or a clear message": a failed flush
// is reported and loses nothing.
func TestFullDisk(t *testing.T) {
	b := &full{Memory: store.NewMemory()}
	c := newKept(t, b)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	b.full = true
	do(t, c, "1", "kubectl create configmap one --from-literal=a=1")
	if err := c.Flush(); err == nil {
		t.Error("a full disk was not reported")
	}
	do(t, c, "1", "kubectl create configmap two --from-literal=a=1; kubectl delete configmap one")
	b.full = false
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	c = reload(t, c, b)
	if got := do(t, c, "1", "kubectl get cm -o name"); got != "configmap/kube-root-ca.crt\nconfigmap/two\n" {
		t.Errorf("kept: %s", got)
	}
}

// A damaged record is named and left out; a later version's state is refused.
func TestDamage(t *testing.T) {
	b := store.NewMemory()
	c := newKept(t, b)
	do(t, c, "1", "kubectl create configmap one --from-literal=a=1; kubectl create configmap two --from-literal=a=1")
	c.Flush()
	c.kernel.Shutdown()
	b.Append([]store.Record{{Key: "object/configmaps/default/one", Value: []byte(`{"apiVersion":"v1","ki`)}})
	d, err := New(Options{Backend: b})
	if err != nil {
		t.Fatal(err)
	}
	if n := d.Notices(); len(n) != 1 || !strings.Contains(n[0], "object/configmaps/default/one") {
		t.Errorf("notices %q", n)
	}
	if got := do(t, d, "1", "kubectl get cm -o name"); got != "configmap/kube-root-ca.crt\nconfigmap/two\n" {
		t.Errorf("left: %s", got)
	}
	d.kernel.Shutdown()
	b.Append([]store.Record{{Key: "meta", Value: []byte(`{"version":2}`)}})
	if _, err := New(Options{Backend: b}); !errors.Is(err, ErrFutureState) {
		t.Errorf("a later version's state: %v", err)
	}
}

// The files of a node outlive pods and reloads; debug shows them.
// https://kubernetes.io/docs/tasks/debug/debug-cluster/kubectl-node-debug/
func TestNodeFiles(t *testing.T) {
	b := store.NewMemory()
	c := newKept(t, b)
	const pod = `kubectl apply -f - <<X
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers: [{name: c, image: busybox, command: [sleep, "3600"], volumeMounts: [{name: d, mountPath: /d}, {name: s, mountPath: /s, subPath: sub}, {name: o, mountPath: /o}]}]
  volumes: [{name: d, hostPath: {path: /mnt/data}}, {name: s, hostPath: {path: /mnt}}, {name: o, hostPath: {path: /etc/os-release, type: File}}]
X
kubectl wait --for=condition=Ready pod/p`
	do(t, c, "1", pod)
	const look = "kubectl exec p -- cat /d/x /s/y; kubectl exec p -- grep ^ID /o"
	if got, want := do(t, c, "1", "kubectl exec p -- sh -c 'echo one > /d/x; echo two > /s/y'; kubectl delete pod p --now > /dev/null; { "+pod+"; } > /dev/null; "+look), "one\ntwo\nID=debian\n"; got != want {
		t.Errorf("another pod: %q", got)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	c = reload(t, c, b)
	defer c.Close()
	if got, want := do(t, c, "1", look), "one\ntwo\nID=debian\n"; got != want {
		t.Errorf("after a reload: %q", got)
	}
	got := do(t, c, "1", "kubectl debug node/kind-control-plane -i --quiet --image=busybox -- sh -c 'cat /host/mnt/data/x; chroot /host sh -c \"cat /etc/hostname /mnt/sub/y\"; chroot /none; chroot /etc/passwd; mkdir -p /tmp/a/bin; chroot /tmp/a ls -A' 2>&1")
	for _, want := range []string{"one\nkind-control-plane\ntwo\n", "chroot: cannot change root directory to '/none': No such file or directory\n", "to '/etc/passwd': Not a directory\n", "bin\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("debug of a node: without %q:\n%s", want, got)
		}
	}
}
