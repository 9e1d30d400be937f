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
minikube status
minikube start
kubectl get nodes -o wide
minikube status
minikube ip
kubectl create deployment hello --image=nginx:1.27; kubectl expose deploy hello --port=80 --type=NodePort; kubectl rollout status deploy/hello
curl -s $(minikube ip):$(kubectl get svc hello -o jsonpath='{.spec.ports[0].nodePort}') | head -4
minikube service hello --url
minikube service hello
minikube service nope; echo $?
minikube service list
minikube start -p two --nodes 2 --kubernetes-version v1.30.0
kubectl config get-contexts
kubectl get nodes
minikube profile list
minikube node list -p two
minikube node add -p two
kubectl get nodes -o wide
minikube node delete m02 -p two
kubectl get nodes -o wide
minikube stop; minikube status; echo $?; kubectl --context minikube get pods
minikube start
kubectl get nodes,pods
sleep 10; kubectl get pods; kubectl get nodes
minikube kubectl -- get pods -A
minikube delete; minikube delete --all
minikube version; minikube addons enable dashboard; minikube foo; minikube start --driver=foo; minikube node
cat ~/.kube/config
`
