package sim

import (
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/provision"
	"github.com/kubonsai/kubonsai/sim/rest"
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

const mapping = `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraPortMappings:
  - containerPort: 30599
    hostPort: 30599
`

// created is what kind prints of a cluster of one node, to a terminal.
func created(name, image string) string {
	return `Creating cluster "` + name + `" ...
 ✓ Ensuring node image (` + image + `) 🖼️
 ✓ Preparing nodes 📦 
 ✓ Writing configuration 📜
 ✓ Starting control-plane 🕹️
 ✓ Installing CNI 🔌
 ✓ Installing StorageClass 💾
Set kubectl context to "kind-` + name + `"
You can now use your cluster with:

kubectl cluster-info --context kind-` + name + `

`
}

// A tutorial's way to a cluster with a mapped port and back, as its readers
// type it.
func TestClusterWithPortMapping(t *testing.T) {
	b := store.NewMemory()
	m := newMachine(t, Options{Backend: b, ImagesPresent: true, Files: map[string][]byte{"kind/export-mapping.yaml": []byte(mapping)}})
	begins := func(line, want string) {
		t.Helper()
		if got := typed(t, m, line); !strings.HasPrefix(got, want) {
			t.Errorf("$ %s\n got %q\nwant %q", line, got, want)
		}
	}
	begins("kind delete cluster", "Deleting cluster \"kind\" ...\nDeleted nodes: [\"kind-control-plane\"]\n")
	begins("kubectl get pods", "The connection to the server localhost:8080 was refused - did you specify the right host or port?\n")
	begins("kind create cluster --name kind-nodeport --config kind/export-mapping.yaml --image=kindest/node:v1.29.0", created("kind-nodeport", "kindest/node:v1.29.0"))
	begins("kubectl get nodes --no-headers", "kind-nodeport-control-plane   NotReady   control-plane   ")
	begins("kubectl wait --for=condition=Ready node --all --timeout=1m >/dev/null; kubectl get nodes -o jsonpath='{.items[*].status.nodeInfo.kubeletVersion}'", "v1.29.0")
	begins("curl -s localhost:30599; echo $?", "52\n")
	begins("kubectl create deployment web --image=nginx:1.27 >/dev/null; kubectl create service nodeport web --tcp=80:80 --node-port=30599 >/dev/null; kubectl rollout status deploy/web >/dev/null; curl -s localhost:30599 | grep title", "<title>Welcome to nginx!</title>\n")
	begins("kubectl create service nodeport other --tcp=80:80 --node-port=30600; curl -s localhost:30600; echo $?", "service/other created\n7\n")
	begins("kind delete cluster -n kind-nodeport", "Deleting cluster \"kind-nodeport\" ...\nDeleted nodes: [\"kind-nodeport-control-plane\"]\n")
	begins("curl -s localhost:30599; echo $?", "7\n")
	begins("kind create cluster --image=kindest/node:v1.29.0", created("kind", "kindest/node:v1.29.0"))
	begins("kind get clusters; kind get nodes; kubectl config current-context", "kind\nkind-control-plane\nkind-kind\n")
	begins("sleep 20; kubectl get nodes --no-headers", "kind-control-plane   Ready   control-plane   ")
}

// What is not made by a terminal gets the lines that kind prints to a file.
func TestKindWithoutTerminal(t *testing.T) {
	m := newMachine(t, Options{Nodes: -1, Files: map[string][]byte{"ha.yaml": []byte("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes: [{role: worker}, {role: control-plane}, {role: control-plane}]\n")}})
	got := do(t, m, "1", "kind create cluster --config ha.yaml --wait 1m 2>&1 | head -22")
	want := `Creating cluster "kind" ...
 • Ensuring node image (kindest/node:v1.36.2) 🖼️  ...
 ✓ Ensuring node image (kindest/node:v1.36.2) 🖼️
 • Preparing nodes 📦 📦 📦   ...
 ✓ Preparing nodes 📦 📦 📦 
 • Configuring the external load balancer ⚖️  ...
 ✓ Configuring the external load balancer ⚖️
 • Writing configuration 📜  ...
 ✓ Writing configuration 📜
 • Starting control-plane 🕹️  ...
 ✓ Starting control-plane 🕹️
 • Installing CNI 🔌  ...
 ✓ Installing CNI 🔌
 • Installing StorageClass 💾  ...
 ✓ Installing StorageClass 💾
 • Joining more control-plane nodes 🎮  ...
 ✓ Joining more control-plane nodes 🎮
 • Joining worker nodes 🚜  ...
 ✓ Joining worker nodes 🚜
 • Waiting ≤ 1m0s for control-plane = Ready ⏳  ...
 ✓ Waiting ≤ 1m0s for control-plane = Ready ⏳
 • Ready after `
	if !strings.HasPrefix(got, want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got := do(t, m, "1", "kubectl get nodes --no-headers | awk '{print $1, $2}'; kubectl get node kind-control-plane -o jsonpath='{.spec.taints[*].key}'"); got !=
		"kind-control-plane Ready\nkind-control-plane2 Ready\nkind-worker Ready\nnode-role.kubernetes.io/control-plane" {
		t.Errorf("the nodes are %s", got)
	}
}

// A configuration's subnets are where addresses come from.
func TestKindSubnets(t *testing.T) {
	m := newMachine(t, Options{Nodes: -1, ImagesPresent: true, Files: map[string][]byte{"c.yaml": []byte(`kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking: {podSubnet: 10.10.0.0/16, serviceSubnet: 10.11.0.0/24}
nodes: [{role: control-plane}, {role: worker, labels: {tier: back}}]
`)}})
	do(t, m, "1", "kind create cluster -q --config c.yaml; kubectl create deployment web --image=nginx:1.27; kubectl expose deploy web --port=80; kubectl rollout status deploy/web; kubectl run c --image=curlimages/curl:8.5.0 --command -- sleep 9999; kubectl wait pod/c --for=condition=Ready")
	for _, x := range []struct{ line, want string }{
		{"kubectl get svc -A -o jsonpath='{.items[*].spec.clusterIP}' | tr ' ' '\n' | grep -c '^10\\.11\\.0\\.'", "3\n"},
		{"kubectl get svc -A -o jsonpath='{.items[*].spec.clusterIP}' | tr ' ' '\n' | grep -c -e '^10.11.0.1$' -e '^10.11.0.10$'", "2\n"},
		{"kubectl get pods -o jsonpath='{.items[*].status.podIP}' | tr ' ' '\n' | grep -c '^10\\.10\\.1\\.'", "2\n"},
		{"kubectl get nodes -l tier=back -o jsonpath='{.items[*].spec.podCIDR}'", "10.10.1.0/24"},
		{"kubectl exec c -- curl -s http://web | grep title", "<title>Welcome to nginx!</title>\n"},
	} {
		if got := do(t, m, "1", x.line); got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
}

// TestToolErrors has the tools' answers to bad input.
func TestToolErrors(t *testing.T) {
	m := newMachine(t, Options{Files: map[string][]byte{
		"kind.yaml": []byte(mapping), "field.yaml": []byte(mapping + "foo: 1\n"), "bad.yaml": []byte("kind: [\n"), "pod.yaml": []byte("apiVersion: v1\nkind: Pod\n"),
		"role.yaml": []byte("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: x\nnodes: [{role: master}]\n"),
		"port.yaml": []byte("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: x\nnetworking: {apiServerPort: 6443}\n"),
		"cni.yaml":  []byte("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: x\nnetworking: {disableDefaultCNI: true}\n"),
	}})
	for _, x := range []struct{ line, want string }{
		{"kind create cluster", "ERROR: failed to create cluster: node(s) already exist for a cluster with the name \"kind\"\n1\n"},
		{"kind create cluster --config nope.yaml", "ERROR: failed to create cluster: error reading file: open nope.yaml: no such file or directory\n1\n"},
		{"kind create cluster --config bad.yaml", "ERROR: failed to create cluster: could not determine kind / apiVersion for config: yaml: line 1: did not find expected node content\n1\n"},
		{"kind create cluster --config pod.yaml", "ERROR: failed to create cluster: unknown apiVersion: v1\n1\n"},
		{"kind create cluster --config field.yaml", "ERROR: failed to create cluster: unable to decode config: yaml: unmarshal errors:\n  line 8: field foo not found in type v1alpha4.Cluster\n1\n"},
		{"kind create cluster --config role.yaml", "ERROR: failed to create cluster: [invalid configuration for node 0: \"master\" is not a valid node role, must have at least one control-plane node]\n1\n"},
		{"kind create cluster --name A_b", "ERROR: failed to create cluster: 'A_b' is not a valid cluster name, cluster names must match `^[a-z0-9.-]+$`\n1\n"},
		{"kind create cluster --name x --image nope 2>&1 | sed -n 3,4p", " ✗ Ensuring node image (nope) 🖼️\nERROR: failed to create cluster: failed to pull image \"nope\": command \"docker pull nope\" failed with error: exit status 1\n0\n"},
		{"kind create cluster --config port.yaml 2>&1 | grep -c 'port is already allocated'", "1\n0\n"},
		{"kind get clusters", "kind\n0\n"},
		{"kind create >/dev/null", "ERROR: Subcommand is required\n1\n"},
		{"kind creat cluster", "ERROR: unknown command \"creat\" for \"kind\"\n1\n"},
		{"kind get clusters x", "ERROR: unknown command \"x\" for \"kind get clusters\"\n1\n"},
		{"kind get clusters --foo", "ERROR: unknown flag: --foo\n1\n"},
		{"kind get nodes -n x", "No kind nodes found for cluster \"x\".\n0\n"},
		{"kind get kubeconfig -n x", "ERROR: could not locate any control plane nodes for cluster named 'x'. Use the --name option to select a different cluster\n1\n"},
		{"kind load docker-image NOPE", "ERROR: image: \"NOPE\" not present locally\n1\n"},
		{"kind load docker-image nginx:1.27 2>&1 | grep -o 'not yet.*'; kind load docker-image nginx:1.27 2>&1 | grep -o 'found.*'", "not yet present on node \"kind-control-plane\", loading...\nfound to be already present on all nodes.\n0\n"},
		{"kind delete cluster --name x", "Deleting cluster \"x\" ...\n0\n"},
		{"kind delete clusters", "ERROR: no cluster names provided\n1\n"},
		{"kind version; kind -q version", "kind v0.32.0 go1.26.3 linux/amd64\n0.32.0\n0\n"},
		{"kind -q create cluster --config cni.yaml; sleep 60; kubectl get nodes --no-headers | awk '{print $2}'; kubectl get pods -A --no-headers | awk '{print $4}'", "NotReady\nPending\n0\n"},
		{"kind delete cluster -qn x", "0\n"},
		{"minikube ip", "* Profile \"minikube\" not found. Run \"minikube profile list\" to view all profiles.\n* To start a cluster, run: \"minikube start\"\n85\n"},
		{"minikube foo", "Error: unknown command \"foo\" for \"minikube\"\nRun 'minikube --help' for usage.\n1\n"},
		{"minikube start --driver=foo 2>&1 | tail -1", "X Exiting due to DRV_UNSUPPORTED_OS: The driver 'foo' is not supported on linux/amd64\n0\n"},
		{"minikube start -p a_b", "\nX Exiting due to MK_USAGE: Profile name \"a_b\" is not valid. Only alphanumeric and dashes '-' are permitted. Minimum 1 character, starting with alphanumeric.\n14\n"},
		{"minikube start --kubernetes-version=v1.99.0 2>&1 | tail -1", "X Exiting due to K8S_NEW_UNSUPPORTED: Kubernetes v1.99.0 is not supported by this release of minikube\n0\n"},
		{"minikube profile list", "\nX Exiting due to MK_USAGE_NO_PROFILE: No minikube profile was found.\n14\n"},
		{"minikube delete", "* \"minikube\" profile does not exist, trying anyways.\n* Removed all traces of the \"minikube\" cluster.\n0\n"},
		{"kubonsai node stop nope", "kubonsai: node \"nope\" not found\n1\n"},
		{"kubonsai node", "kubonsai: what about the nodes? See kubonsai node --help\n2\n"},
	} {
		if got := do(t, m, "1", x.line+"; echo $?"); got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
}

// Several clusters have the same names and addresses inside and do not meet;
// contexts lead to the right one; a hand-written kubeconfig keeps what is its own.
func TestSeveralClusters(t *testing.T) {
	m := newMachine(t, Options{ImagesPresent: true})
	for _, x := range []struct{ line, want string }{
		{"kubectl config set-context mine --cluster=kind-kind --user=kind-kind --namespace=kube-system", "Context \"mine\" created.\n"},
		{"kubectl run here --image=nginx:1.27 >/dev/null; kind create cluster --name two -q; sleep 15; kubectl run here --image=nginx:1.27", "pod/here created\n"},
		{"kubectl config get-contexts -o name", "kind-kind\nkind-two\nmine\n"},
		{"kubectl delete pod here --context kind-kind; kubectl get pod here -o name", "pod \"here\" deleted from default namespace\npod/here\n"},
		{"kubectl --context mine get deploy -o name", "deployment.apps/coredns\n"},
		{"kubectl get node -o jsonpath='{.items[0].status.addresses[0].address}'; kubectl config use-context kind-kind; kubectl get node -o jsonpath='{.items[0].status.addresses[0].address}'",
			"172.18.0.3Switched to context \"kind-kind\".\n172.18.0.2"},
		{"kubonsai node list", "NAME                 STATE\nkind-control-plane   running\n"},
		{"kubectl config use-context kind-two; kubonsai node list", "Switched to context \"kind-two\".\nNAME                STATE\ntwo-control-plane   running\n"},
		{"minikube start >/dev/null; kubectl config current-context; kubectl get nodes --no-headers | awk '{print $1, $2}'", "minikube\nminikube Ready\n"},
		{"kubectl create deployment web --image=nginx:1.27 >/dev/null; kubectl expose deploy web --port=80 --type=NodePort >/dev/null; kubectl rollout status deploy/web >/dev/null; curl -s $(minikube ip):$(kubectl get svc web -o jsonpath='{.spec.ports[0].nodePort}') | grep title", "<title>Welcome to nginx!</title>\n"},
		// from a pod of one cluster to a node of another, and to nobody's
		{"URL=$(minikube service web --url); kubectl --context kind-kind run c --image=curlimages/curl:8.5.0 --command -- sleep 9999 >/dev/null; kubectl --context kind-kind wait pod/c --for=condition=Ready >/dev/null; kubectl --context kind-kind exec c -- curl -s $URL | grep title", "<title>Welcome to nginx!</title>\n"},
		{"kubectl --context kind-kind exec c -- curl -s --max-time 2 $(kubectl get svc web -o jsonpath='{.spec.clusterIP}')", "command terminated with exit code 28\n"},
		{"minikube addons enable nope 2>&1 | tail -1", "X Exiting due to MK_ADDON_ENABLE: enable failed: the simulation does not have the addon nope; it has: default-storageclass, ingress, metrics-server, storage-provisioner\n"},
		{"minikube addons list | grep -c disabled; minikube addons enable metrics-server; minikube addons enable ingress | tail -2; minikube addons list | grep -c enabled",
			"2\n* metrics-server is an addon maintained by Kubernetes. For any concerns contact minikube on GitHub.\nYou can view the list of minikube maintainers at: https://github.com/kubernetes/minikube/blob/master/OWNERS\n  - Using image registry.k8s.io/metrics-server/metrics-server:v0.8.0\n* The 'metrics-server' addon is enabled\n* Verifying ingress addon...\n* The 'ingress' addon is enabled\n4\n"},
		{"kubectl wait -n ingress-nginx --for=condition=ready pod -l app.kubernetes.io/component=controller >/dev/null; kubectl create ingress web --class=nginx --rule='web.example/*=web:80' >/dev/null; sleep 40; curl -s --resolve web.example:80:$(minikube ip) http://web.example/ | grep title; kubectl top nodes --no-headers | wc -l",
			"<title>Welcome to nginx!</title>\n1\n"},
		{"minikube addons disable ingress; minikube addons list | grep -c enabled; sleep 60; kubectl get ns ingress-nginx", "* \"The 'ingress' addon is disabled\n3\nError from server (NotFound): namespaces \"ingress-nginx\" not found\n"},
		{"minikube tunnel >t & sleep 1; kubectl expose deploy web --name=lb --port=80 --type=LoadBalancer >/dev/null; sleep 1; curl -s $(kubectl get svc lb -o jsonpath='{.status.loadBalancer.ingress[0].ip}') | grep title; grep services t; kill %1; sleep 1; kubectl get svc lb -o jsonpath={.status.loadBalancer}; kubectl delete svc lb >/dev/null",
			"<title>Welcome to nginx!</title>\n\tservices: []\n\tservices: [lb]\n{}"},
		{"minikube stop >/dev/null; kubectl config get-contexts -o name; kubectl get pods", "kind-kind\nkind-two\nmine\nThe connection to the server localhost:8080 was refused - did you specify the right host or port?\n"},
		{"minikube start >/dev/null; kubectl get pods --no-headers | awk '{print $3, $4}'", "Running 1\n"},
		{"cp .kube/config other; kind delete cluster --name two -q; kubectl --kubeconfig other --context kind-two get pods | sed 's/127.0.0.1:[0-9]*/SERVER/'", "The connection to the server 127.0.0.1 was refused"},
		{"kind export kubeconfig --kubeconfig new -q; grep -c kind-kind new", "6\n"},
		{"kind delete clusters --all -q; minikube delete -p minikube >/dev/null; kubectl config get-contexts -o name", "mine\n"},
		{"kubectl --context mine get pods", "Error in configuration: cluster \"kind-kind\" does not exist\n"},
	} {
		got := do(t, m, "1", x.line)
		if strings.HasPrefix(x.want, "The connection to the server 127") {
			got, _, _ = strings.Cut(regexp.MustCompile(`127.0.0.1:\d+`).ReplaceAllString(got, "127.0.0.1"), " - ")
		}
		if got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
	if left := m.Timers(); len(left) > 0 {
		t.Errorf("timers are left of clusters that were deleted: %q", left)
	}
	if n := m.kernel.Live(); n > 0 {
		t.Errorf("%d processes are left of clusters that were deleted", n)
	}
}

// A reload at any moment of a creation leaves what a real machine would: the
// cluster is there, whole or half, and can be deleted; the others go on.
func TestReloadWhileAClusterIsMade(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 4 * time.Second, 9 * time.Second, 17 * time.Second, 30 * time.Second} {
		b := store.NewMemory()
		m := newMachine(t, Options{Backend: b, ImagesPresent: true})
		do(t, m, "1", "kubectl create deployment web --image=nginx:1.27; kubectl rollout status deploy/web")
		m.Terminal("1").Start("kind create cluster --name two; kubectl run made --image=nginx:1.27", RunOptions{})
		for until := m.Now().Add(after); m.Now().Before(until); {
			m.JumpTo(m.Now().Add(500 * time.Millisecond))
			if err := m.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		m = reload(t, m, b)
		m.JumpTo(m.Now().Add(30 * time.Second))
		if got := do(t, m, "1", "kubectl --context kind-kind get deploy web -o jsonpath='{.status.readyReplicas}'"); got != "1" {
			t.Errorf("after %s: the first cluster says %q", after, got)
		}
		have := do(t, m, "1", "kind get clusters")
		if want := after >= 8*time.Second; strings.Contains(have, "two") != want {
			t.Errorf("after %s: kind get clusters says %q", after, have)
		}
		if after > 20*time.Second {
			if got := do(t, m, "1", "kubectl get nodes,pods --no-headers | awk '{print $1, $2, $3}'"); got != "node/two-control-plane Ready control-plane\npod/made 1/1 Running\n" {
				t.Errorf("after %s: the second cluster says %q", after, got)
			}
		}
		do(t, m, "1", "kind delete cluster --name two")
		if err := m.Flush(); err != nil {
			t.Fatal(err)
		}
		records, _ := b.Load()
		for _, r := range records {
			if strings.HasPrefix(r.Key, clusterPrefix) {
				t.Errorf("after %s: %s is left of the cluster that was deleted", after, r.Key)
			}
		}
		do(t, m, "1", "kind delete cluster; kind create cluster")
		if err := m.Flush(); err != nil {
			t.Fatal(err)
		}
		m = reload(t, m, b)
		if got := do(t, m, "1", "kubectl get deploy"); got != "No resources found in default namespace.\n" {
			t.Errorf("after %s: in the new cluster of the old name: %q", after, got)
		}
		data, err := m.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		d, err := Restore(data, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := do(t, d, "1", "kind get clusters; sleep 20; kubectl get nodes --no-headers | awk '{print $2}'"); got != "kind\nReady\n" {
			t.Errorf("after %s: in the snapshot: %q", after, got)
		}
		d.Close()
	}
}

// A node that fails is noticed after its grace period; its pods are evicted five
// minutes later, a DaemonSet's stay; it comes back (Kubernetes documentation,
// Nodes: heartbeats; Taints and Tolerations: taint based evictions).
func TestNodeFailure(t *testing.T) {
	b := store.NewMemory()
	m := newMachine(t, Options{Nodes: 3, ImagesPresent: true, Backend: b})
	do(t, m, "1", `kubectl create deployment web --image=nginx:1.27 --replicas=4; kubectl rollout status deploy/web
kubectl apply -f - <<EOF
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: c, image: "nginx:1.27"}]}
EOF
kubectl rollout status ds/agent`)
	is := func(line, want string) {
		t.Helper()
		if got := do(t, m, "1", line); got != want {
			t.Errorf("$ %s\n got %q\nwant %q", line, got, want)
		}
	}
	const states = `kubectl get nodes --no-headers | awk '{printf "%s ", $2}'`
	const running = `kubectl get pods -l app=web -o wide --no-headers | awk '$3 == "Running" {print $7}' | sort | uniq -c | awk '{printf "%s ", $2}'`
	is(running, "kind-worker kind-worker2 ")
	is("kubonsai node stop kind-worker; kubonsai node list", "node kind-worker stopped\nNAME                 STATE\nkind-control-plane   running\nkind-worker          stopped\nkind-worker2         running\n")
	m.JumpTo(m.Now().Add(38 * time.Second))
	is(states, "Ready Ready Ready ")
	m.JumpTo(m.Now().Add(15 * time.Second))
	is(states, "Ready NotReady Ready ")
	is("kubectl get node kind-worker -o jsonpath='{.spec.taints[*].key}'", "node.kubernetes.io/unreachable node.kubernetes.io/unreachable")
	if err := m.Flush(); err != nil {
		t.Fatal(err)
	}
	m = reload(t, m, b)
	m.JumpTo(m.Now().Add(4 * time.Minute))
	is(states, "Ready NotReady Ready ")
	is(running, "kind-worker kind-worker2 ")
	m.JumpTo(m.Now().Add(2 * time.Minute))
	is("kubectl get deploy web -o jsonpath='{.status.readyReplicas}'", "4")
	is("kubectl get pods -l app=agent --no-headers | wc -l", "2\n")
	is("kubectl get pods -l app=web --no-headers | grep -c Terminating", "2\n")
	is("kubonsai node start kind-worker", "node kind-worker started\n")
	m.JumpTo(m.Now().Add(40 * time.Second))
	is(states, "Ready Ready Ready ")
	is("kubectl get pods -l app=web --no-headers | grep -c Terminating", "0\n")
	is("kubectl get ds agent -o jsonpath='{.status.numberReady}'", "2")
	is("kubonsai node stop kind-control-plane; kubectl get pods", "node kind-control-plane stopped\nThe connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?\n")
	is("kubonsai node start kind-control-plane; kubectl get ns default -o name", "node kind-control-plane started\nnamespace/default\n")
}

// The first cluster has as many nodes of such a size as the page asks for.
func TestShapes(t *testing.T) {
	for _, x := range []struct{ text, want string }{
		{"0", ""},
		{"2", "kind-control-plane 2 24684096Ki\nkind-worker 2 24684096Ki\n"},
		{"2/4Gi, 8/16Gi", "kind-control-plane 2 4Gi\nkind-worker 8 16Gi\n"},
	} {
		n, shapes, err := provision.ParseNodes(x.text)
		if err != nil {
			t.Fatal(err)
		}
		b := store.NewMemory()
		m := newMachine(t, Options{Nodes: n, Shapes: shapes, Backend: b})
		for range 2 {
			if got := do(t, m, "1", `kubectl get nodes -o jsonpath='{range .items[*]}{.metadata.name} {.status.capacity.cpu} {.status.capacity.memory}{"\n"}{end}' 2>/dev/null`); got != x.want {
				t.Errorf("nodes %q: got %q, want %q", x.text, got, x.want)
			}
			if err := m.Flush(); err != nil {
				t.Fatal(err)
			}
			m = reload(t, m, b)
		}
	}
	for _, bad := range []string{"-1", "x", "2/", "/4Gi", "2/4Gi,", "0/4Gi", "99999"} {
		if _, _, err := provision.ParseNodes(bad); err == nil {
			t.Errorf("nodes %q is taken", bad)
		}
	}
}

// What a host watches ends when another cluster becomes the current one, and
// the next request goes to that one.
func TestHostFollowsTheContext(t *testing.T) {
	m := newMachine(t, Options{})
	watch := func() rest.Watch {
		resp := m.Handler().Serve(&rest.Request{Method: "GET", Path: "/api/v1/nodes", Query: map[string][]string{"watch": {"1"}}, Header: rest.Header{}})
		if resp.Watch == nil {
			t.Fatalf("the watch is answered by %d", resp.Code)
		}
		return resp.Watch
	}
	first := func(w rest.Watch) string {
		e, ok := w.Next()
		if !ok {
			t.Fatal("nothing to see")
		}
		return e.Object.(metav1.Object).GetObjectMeta().Name
	}
	for _, x := range []struct{ line, node string }{
		{"kind create cluster -q --name two", "two-control-plane"},
		{"kubectl config use-context kind-kind", "kind-control-plane"},
		{"minikube start", "minikube"},
		{"minikube delete; kubectl config use-context kind-two", "two-control-plane"},
	} {
		w, told := watch(), false
		first(w)
		w.Notify(func() { told = true })
		do(t, m, "1", x.line)
		m.Turn(m.Now(), 1)
		if !told || !w.Done() {
			t.Errorf("after %s the watch of the other cluster goes on", x.line)
		}
		if got := first(watch()); got != x.node {
			t.Errorf("after %s the host sees %s", x.line, got)
		}
	}
}

// https://kubernetes.io/docs/tasks/configure-pod-container/configure-persistent-volume-storage/
func TestNodeShell(t *testing.T) {
	runScript(t, Options{Seed: 1}, []scriptStep{
		{"minikube start > /dev/null; minikube ssh 'mkdir /mnt/data; sudo mkdir /mnt/data; sudo sh -c \"echo Hello > /mnt/data/index.html\"; whoami; cat /mnt/data/index.html'",
			"mkdir: cannot create directory ‘/mnt/data’: Permission denied\ndocker\nHello\n"},
		{"kubectl apply -f https://k8s.io/examples/pods/storage/pv-volume.yaml -f https://k8s.io/examples/pods/storage/pv-claim.yaml -f https://k8s.io/examples/pods/storage/pv-pod.yaml > /dev/null; kubectl wait --for=condition=Ready pod/task-pv-pod", "pod/task-pv-pod condition met\n"},
		{"kubectl exec task-pv-pod -- curl -s localhost; kubectl exec task-pv-pod -- touch /usr/share/nginx/html/new; minikube ssh -- ls /mnt/data", "Hello\nindex.html\nnew\n"},
		{"minikube ssh 'exit 4'; echo $?; echo 'cd /mnt; pwd' | minikube ssh; minikube ssh -n nope", "~ ssh: Process exited with status 4\n1\n/mnt\n\nX Exiting due to GUEST_NODE_RETRIEVE"},
	})
}
