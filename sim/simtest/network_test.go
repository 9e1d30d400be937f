package simtest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/store"
)

// TestConnections opens connections while pods come, go and turn unready and
// policies change: no request reaches an endpoint that is not ready, except
// where terminating ones are the last resort, and no policy lets pass what it
// denies.
func TestConnections(t *testing.T) {
	n := *seeds / 5
	if testing.Short() {
		n = min(n, 20)
	}
	n = max(n, 1)
	made := 0
	for i := range n {
		seed := *first + uint64(i)
		r := &connections{runner: runner{rnd: rand.New(rand.NewPCG(seed, 2))}, pods: map[string]*corev1.Pod{}, slices: map[string]*discoveryv1.EndpointSlice{},
			services: map[string]*corev1.Service{}, policies: map[string]policy{}}
		r.run(seed)
		made += r.made
		if r.broken != "" {
			t.Fatalf("seed %d: %s\nactions:\n  %s\nrun again with: go test ./sim/simtest -run TestConnections -seed %d -seeds 5", seed, r.broken, strings.Join(r.log, "\n  "), seed)
		}
	}
	if made < 5*n {
		t.Errorf("only %d connections in %d runs", made, n)
	}
}

// connections is one run, with what it knows of the cluster by its writes.
type connections struct {
	runner
	pods     map[string]*corev1.Pod // by namespace/name
	slices   map[string]*discoveryv1.EndpointSlice
	services map[string]*corev1.Service
	policies map[string]policy
	made     int
}

// policy is a policy of the test: who it isolates, what it allows. Roles are
// values of the pods' label role; "" is everybody.
type policy struct {
	role            string
	ingress, egress bool
	from, to        string // the role that is allowed; "-" is nobody
}

// manifest is the command that applies the policy. Names go on being answered.
func (p policy) manifest(name string) string {
	selector := func(role string) string {
		if role == "" {
			return "{}"
		}
		return "{matchLabels: {role: " + role + "}}"
	}
	var types, parts, egress []string
	if p.ingress {
		rule := ""
		if p.from != "-" {
			rule = "{from: [{podSelector: " + selector(p.from) + "}]}"
		}
		types, parts = append(types, "Ingress"), append(parts, "ingress: ["+rule+"]")
	}
	if p.egress {
		egress = append(egress, "{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}], ports: [{port: 53, protocol: UDP}]}")
		if p.to != "-" {
			egress = append(egress, "{to: [{podSelector: "+selector(p.to)+"}]}")
		}
		types, parts = append(types, "Egress"), append(parts, "egress: ["+strings.Join(egress, ", ")+"]")
	}
	return fmt.Sprintf("kubectl apply -f - <<X\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s}\nspec: {podSelector: %s, policyTypes: [%s], %s}\nX",
		name, selector(p.role), strings.Join(types, ", "), strings.Join(parts, ", "))
}

// denied reports whether the policies forbid a connection between two pods of
// one namespace; a nil pod is the world outside.
func (r *connections) denied(from, to *corev1.Pod) bool {
	is := func(o *corev1.Pod, role string) bool { return o != nil && (role == "" || o.Labels["role"] == role) }
	isolatedIn, isolatedOut, in, out := false, false, false, false
	for _, p := range r.policies {
		if p.ingress && is(to, p.role) {
			isolatedIn = true
			in = in || p.from != "-" && is(from, p.from)
		}
		if p.egress && is(from, p.role) {
			isolatedOut = true
			out = out || p.to != "-" && is(to, p.to)
		}
	}
	return isolatedIn && !in || isolatedOut && !out
}

func (r *connections) run(seed uint64) {
	c, err := sim.New(sim.Options{Seed: seed, Nodes: 1 + r.rnd.IntN(2), ImagesPresent: true, Log: func(s string) { r.fail("%s", s) }})
	if err != nil {
		r.fail("%v", err)
		return
	}
	defer c.Close()
	r.c, r.api = c, client.New(c.Handler(), "simtest")
	c.OnChange(r.learn)
	r.shell(`kubectl apply -f - <<X
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, role: web}}
    spec:
      containers:
      - name: nginx
        image: nginx:1.27
        ports: [{name: http, containerPort: 80}]
        readinessProbe: {exec: {command: [sh, -c, "! test -e /unready"]}, periodSeconds: 1, failureThreshold: 1}
        lifecycle: {preStop: {exec: {command: [sleep, "8"]}}}
X
kubectl create service nodeport web --tcp=80:80 --node-port=30080
kubectl expose deployment web --name=plain --port=8000 --target-port=http
for n in a b; do kubectl run $n --image=curlimages/curl:8.5.0 --labels=role=$n --command -- sleep 360000; done
kubectl wait --for=condition=Ready pod --all`)
	c.OnConnect(r.connected)
	for range 25 {
		r.step()
		if r.broken != "" {
			return
		}
	}
}

func (r *connections) learn(ch store.Change) {
	o := ch.Object
	if o == nil {
		o = ch.Prev
	}
	key := client.Key(o)
	switch o := o.(type) {
	case *corev1.Pod:
		keep(r.pods, key, o, ch.Object != nil)
	case *corev1.Service:
		keep(r.services, key, o, ch.Object != nil)
	case *discoveryv1.EndpointSlice:
		keep(r.slices, key, o, ch.Object != nil)
	}
}

func keep[T metav1.Object](m map[string]T, key string, o T, there bool) {
	if there {
		m[key] = o
	} else {
		delete(m, key)
	}
}

// connected checks one connection that was made.
func (r *connections) connected(from string, to, end netip.AddrPort) {
	if strings.HasPrefix(from, "node/") {
		return // the kubelet's probes
	}
	r.made++
	for _, s := range r.services {
		for _, sp := range s.Spec.Ports {
			if to.Addr().String() == s.Spec.ClusterIP && int32(to.Port()) == sp.Port || sp.NodePort != 0 && int32(to.Port()) == sp.NodePort {
				r.endpoint(s, end)
			}
		}
	}
	var target *corev1.Pod
	for _, p := range r.pods {
		if p.Namespace == "default" && p.Status.PodIP == end.Addr().String() && p.Status.Phase == corev1.PodRunning {
			target = p
		}
	}
	if target != nil && from != client.Key(target) && r.denied(r.pods[from], target) {
		r.fail("a connection from %s to %s (%s) passed the policies %+v", from, target.Name, to, r.policies)
	}
}

// endpoint checks that an endpoint is ready, or terminating and the last resort.
func (r *connections) endpoint(s *corev1.Service, end netip.AddrPort) {
	ready, serving := 0, false
	for _, sl := range r.slices {
		if sl.Namespace != s.Namespace || sl.Labels[discoveryv1.LabelServiceName] != s.Name {
			continue
		}
		for _, e := range sl.Endpoints {
			here := e.Addresses[0] == end.Addr().String()
			if *e.Conditions.Ready {
				ready++
				if here {
					return
				}
			}
			serving = serving || here && *e.Conditions.Serving && *e.Conditions.Terminating
		}
	}
	if !serving || ready > 0 {
		r.fail("a connection through %s went to %s, which is not ready; %d others are", s.Name, end, ready)
	}
}

func (r *connections) step() {
	switch r.rnd.IntN(10) {
	case 0:
		r.shell("kubectl scale deployment web --replicas=%d", r.rnd.IntN(4))
	case 1:
		r.shell("p=$(kubectl get pods -l app=web -o name | head -1); kubectl delete $p --wait=false")
	case 2:
		r.shell("p=$(kubectl get pods -l app=web -o name | tail -1); kubectl exec $p -- %s /unready", []string{"touch", "rm -f"}[r.rnd.IntN(2)])
	case 3:
		r.shell("kubectl label pod %s role=%s --overwrite", []string{"a", "b"}[r.rnd.IntN(2)], []string{"a", "b", "c"}[r.rnd.IntN(3)])
	case 4, 5:
		roles := []string{"", "a", "b", "web", "-"}
		p := policy{role: roles[r.rnd.IntN(4)], ingress: r.rnd.IntN(2) == 0, from: roles[r.rnd.IntN(5)], to: roles[r.rnd.IntN(5)]}
		p.egress = !p.ingress || r.rnd.IntN(3) == 0
		name := "p" + strconv.Itoa(r.rnd.IntN(3))
		r.shell("%s", p.manifest(name))
		r.policies[name] = p
	case 6:
		name := "p" + strconv.Itoa(r.rnd.IntN(3))
		r.shell("kubectl delete networkpolicy %s", name)
		delete(r.policies, name)
	}
	if r.rnd.IntN(3) == 0 {
		r.shell("curl -s -o /dev/null -m 1 %s", []string{"localhost:30080", "172.18.0.2:30080"}[r.rnd.IntN(2)])
	} else {
		r.shell("kubectl exec %s -- curl -s -o /dev/null -m 1 %s", []string{"a", "b"}[r.rnd.IntN(2)],
			[]string{"web", "plain:8000", "web.default.svc.cluster.local"}[r.rnd.IntN(3)])
	}
	r.c.JumpTo(r.c.Now().Add(time.Duration(r.rnd.IntN(6000)) * time.Millisecond))
}
