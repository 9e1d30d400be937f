package sim

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/store"
)

// typed runs a line as a person at a terminal does and returns what the
// terminal shows in the end: a carriage return begins the line again.
func typed(t testing.TB, m *Machine, line string) string {
	t.Helper()
	var out strings.Builder
	run := m.Terminal("tty").Start(line, RunOptions{Interactive: true, OnOutput: func(_ int, b []byte) { out.Write(b) }})
	if !m.Jump(m.Now().Add(time.Hour), func() bool { _, done := run.Done(); return done }) {
		t.Fatalf("$ %s does not end; it printed %q", line, out.String())
	}
	lines := strings.Split(regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(out.String(), ""), "\n")
	for i, l := range lines {
		lines[i] = l[strings.LastIndexByte(l, '\r')+1:]
	}
	return strings.Join(lines, "\n")
}

func newMachine(t testing.TB, o Options) *Machine {
	t.Helper()
	o.Log = func(text string) { t.Error(text) }
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestDump(t *testing.T) {
	m := newMachine(t, Options{Nodes: -1, Files: map[string][]byte{"kind/export-mapping.yaml": []byte(mapping)}, Backend: store.NewMemory()})
	for _, l := range strings.Split(strings.TrimSpace(dumpLines), "\n") {
		t.Logf("$ %s\n%s", l, typed(t, m, l))
		if err := m.Flush(); err != nil {
			t.Error(err)
		}
	}
	t.Log(m.Timers())
	t.Log(do(t, m, "2", "kind create cluster --name other"))
}

const mapping = `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraPortMappings:
  - containerPort: 30599
    hostPort: 30599
`

const dumpLines = `
kubectl get nodes
kind get clusters
kind create cluster --name kind-nodeport --config kind/export-mapping.yaml --image=kindest/node:v1.29.0
kubectl get nodes -o wide
sleep 15; kubectl get nodes; kubectl get pods -A
kubectl create deployment hello --image=nginx:1.27; kubectl create service nodeport hello --tcp=80:80 --node-port=30599; kubectl rollout status deploy/hello
curl -s localhost:30599 | head -4
curl localhost:30600
kind create cluster --name kind-nodeport
kind create cluster --config kind/export-mapping.yaml
kind get clusters; kind get nodes -A
kind create cluster --wait 5m
kubectl config get-contexts
kubectl get pods --context kind-kind-nodeport
kubectl get nodes -o wide
cat ~/.kube/config
kind delete cluster -n kind-nodeport
kind delete cluster -n kind-nodeport
kubectl get nodes --context kind-kind-nodeport
kind delete cluster
kubectl get nodes
kind get clusters
`
