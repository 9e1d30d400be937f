package proxy_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	networkingv1 "github.com/kubonsai/kubonsai/sim/api/networking/v1"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/network/proxy"
)

// machines are two nodes, 172.18.0.2 and 172.18.0.3, with pods in 10.244.0.0/24
// and 10.244.1.0/24.
type machines struct{}

func (machines) Nodes() []string { return []string{"n0", "n1"} }
func (machines) NodeAddr(name string) (netip.Addr, bool) {
	return netip.AddrFrom4([4]byte{172, 18, 0, name[1] - '0' + 2}), true
}
func (m machines) IsNode(a netip.Addr) bool {
	return a == netip.MustParseAddr("172.18.0.2") || a == netip.MustParseAddr("172.18.0.3")
}
func (m machines) NodeOf(a netip.Addr) string {
	switch b := a.As4(); {
	case m.IsNode(a):
		return fmt.Sprintf("n%d", b[3]-2)
	case b[0] == 10 && b[1] == 244:
		return fmt.Sprintf("n%d", b[2])
	}
	return ""
}

type fixture struct {
	*ct.Cluster
	net   *network.Network
	proxy *proxy.Proxy
	ns    map[string]*network.Namespace
}

func setup(t *testing.T) *fixture {
	f := &fixture{Cluster: ct.New(t), net: network.New(), ns: map[string]*network.Namespace{}}
	f.proxy = proxy.New(f.Clock, f.Seed, f.net, f.Factory)
	f.proxy.Nodes = machines{}
	f.ns["reader"] = f.net.NewNamespace("reader", netip.MustParseAddr("172.18.0.1"))
	f.ns["reader"].NodePorts = true
	for i, n := range []string{"n0", "n1"} {
		f.ns[n] = f.net.NewNamespace("node/"+n, netip.AddrFrom4([4]byte{172, 18, 0, byte(i + 2)}))
	}
	return f
}

func answer(*kernel.Proc, *network.Request) *network.Response { return &network.Response{Status: 200} }

// pod makes a pod that listens on ports 80 and 8080, called http and admin.
func (f *fixture) pod(namespace, name, labels, ip string) {
	ct.Apply[*corev1.Pod](f.Cluster, fmt.Sprintf("metadata: {name: %s, namespace: %s, labels: {%s}}\nspec: {nodeName: %s, containers: [{name: x, image: y, ports: [{name: http, containerPort: 80}, {name: admin, containerPort: 8080}]}]}",
		name, namespace, labels, machines{}.NodeOf(netip.MustParseAddr(ip))))
	ct.ChangeStatus(f.Cluster, namespace, name, func(p *corev1.Pod) { p.Status.Phase, p.Status.PodIP = corev1.PodRunning, ip })
	ns := f.net.NewNamespace(namespace+"/"+name, netip.MustParseAddr(ip))
	ns.Pod = ns.Name
	for _, port := range []int{80, 8080} {
		if _, err := ns.Listen(port, false, answer); err != nil {
			f.T.Fatal(err)
		}
	}
	f.ns[name] = ns
}

// outcome is what a connection from a namespace to ADDRESS:PORT comes to.
func (f *fixture) outcome(from, to string) string {
	_, path, err := f.ns[from].Find(netip.MustParseAddrPort(to))
	if err == nil {
		return path.To.String()
	}
	return map[network.Kind]string{network.Refused: "refused", network.Timeout: "dropped", network.Empty: "empty", network.Unreachable: "unreachable"}[err.(*network.Error).Kind]
}

// https://kubernetes.io/docs/concepts/services-networking/network-policies/
func TestPolicies(t *testing.T) {
	const (
		web, db, other = "10.244.0.5:80", "10.244.1.6:80", "10.244.0.8:80"
	)
	for _, c := range []struct {
		name, spec string // of a policy in default, which selects web unless it says otherwise
		want       string // the pairs that are dropped
	}{
		{"none", "", ""},
		{"ingress, no rules", "podSelector: {matchLabels: {app: web}}", "client>web client>web:8080 other>web reader>web n1>web"},
		{"selects every pod of the namespace", "podSelector: {}", "client>web client>web:8080 client>db other>web db>client reader>web n1>web"},
		{"policyTypes default to ingress", "podSelector: {}\ningress: [{}]", ""},
		{"egress only", "podSelector: {matchLabels: {app: client}}\npolicyTypes: [Egress]", "client>web client>web:8080 client>db client>other client>outside"},
		{"egress rules make policyTypes both", "podSelector: {matchLabels: {app: client}}\negress: [{}]", "db>client"},
		{"from a pod selector of the same namespace", "podSelector: {matchLabels: {app: web}}\ningress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]", "other>web reader>web n1>web"},
		{"from a namespace", "podSelector: {matchLabels: {app: web}}\ningress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}]", "client>web client>web:8080 reader>web n1>web"},
		{"both selectors: and", "podSelector: {matchLabels: {app: web}}\ningress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: client}}}]}]", "other>web reader>web n1>web"},
		{"two peers: or", "podSelector: {matchLabels: {app: web}}\ningress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}, {podSelector: {matchLabels: {app: client}}}]}]", "reader>web n1>web"},
		{"ipBlock", "podSelector: {matchLabels: {app: web}}\ningress: [{from: [{ipBlock: {cidr: 172.18.0.0/16, except: [172.18.0.3/32]}}]}]", "client>web client>web:8080 other>web n1>web"},
		{"ipBlock of everything but the pods", "podSelector: {matchLabels: {app: client}}\npolicyTypes: [Egress]\negress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.244.0.0/16]}}]}]", "client>web client>web:8080 client>db client>other"},
		{"port", "podSelector: {matchLabels: {app: web}}\ningress: [{ports: [{port: 80}]}]", "client>web:8080"},
		{"port of another protocol", "podSelector: {matchLabels: {app: web}}\ningress: [{ports: [{port: 80, protocol: UDP}]}]", "client>web client>web:8080 other>web reader>web n1>web"},
		{"named port", "podSelector: {matchLabels: {app: web}}\ningress: [{ports: [{port: admin}]}]", "client>web other>web reader>web n1>web"},
		{"port range", "podSelector: {matchLabels: {app: web}}\ningress: [{ports: [{port: 8000, endPort: 8100}]}]", "client>web other>web reader>web n1>web"},
		{"named port of the destination", "podSelector: {matchLabels: {app: client}}\npolicyTypes: [Egress]\negress: [{ports: [{port: http}]}]", "client>web:8080 client>outside"},
		{"expression", "podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}", "client>db db>client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := setup(t)
			f.pod("default", "client", "app: client", "10.244.1.4")
			f.pod("default", "web", "app: web", "10.244.0.5")
			f.pod("default", "db", "app: db", "10.244.1.6")
			f.pod("kube-system", "other", "app: other", "10.244.0.8")
			outside := f.net.NewNamespace("outside", netip.MustParseAddr("203.0.113.9"))
			_, _ = outside.Listen(80, false, answer)
			if c.spec != "" {
				ct.Apply[*networkingv1.NetworkPolicy](f.Cluster, "metadata: {name: p}\nspec:\n  "+strings.ReplaceAll(c.spec, "\n", "\n  "))
			}
			var got []string
			for _, x := range [][3]string{{"client", "web", web}, {"client", "web:8080", "10.244.0.5:8080"}, {"client", "db", db}, {"client", "other", other}, {"client", "outside", "203.0.113.9:80"},
				{"other", "web", web}, {"db", "client", "10.244.1.4:80"}, {"reader", "web", web}, {"n1", "web", web}} {
				if f.outcome(x[0], x[2]) == "dropped" {
					got = append(got, x[0]+">"+x[1])
				}
			}
			if g := strings.Join(got, " "); g != c.want {
				t.Errorf("dropped %q\n  want  %q", g, c.want)
			}
			// a node reaches its own pods whatever policies say, and a pod itself
			for _, x := range [][2]string{{"n0", web}, {"n1", db}, {"web", web}, {"client", "10.244.1.4:80"}} {
				if o := f.outcome(x[0], x[1]); o != x[1] {
					t.Errorf("%s to %s: %s", x[0], x[1], o)
				}
			}
		})
	}
}

// Services: which endpoints, by which policy, seen from where.
func TestServices(t *testing.T) {
	const vip, node0, node1 = "10.96.0.20:8000", "172.18.0.2:30080", "172.18.0.3:30080"
	service := func(extra string) string {
		return "metadata: {name: web}\nspec: {clusterIP: 10.96.0.20, clusterIPs: [10.96.0.20], type: NodePort, ports: [{port: 8000, targetPort: 80, nodePort: 30080}]" + extra + "}"
	}
	slice := func(endpoints ...string) string {
		return "metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\nports: [{name: '', port: 80, protocol: TCP}]\nendpoints: [" + strings.Join(endpoints, ", ") + "]"
	}
	const (
		a       = "{addresses: [10.244.0.5], nodeName: n0, targetRef: {kind: Pod, namespace: default, name: a}, conditions: {ready: true, serving: true, terminating: false}}"
		b       = "{addresses: [10.244.1.6], nodeName: n1, targetRef: {kind: Pod, namespace: default, name: b}, conditions: {ready: true, serving: true, terminating: false}}"
		unready = "{addresses: [10.244.0.5], nodeName: n0, conditions: {ready: false, serving: false, terminating: false}}"
		leaving = "{addresses: [10.244.1.6], nodeName: n1, conditions: {ready: false, serving: true, terminating: true}}"
		gone    = "{addresses: [10.244.1.6], nodeName: n1, conditions: {ready: false, serving: false, terminating: true}}"
		atA     = "10.244.0.5:80"
		atB     = "10.244.1.6:80"
	)
	for _, c := range []struct {
		name, extra string
		endpoints   []string
		from, to    string
		want        string // outcomes of 20 connections, sorted
	}{
		{"cluster ip", "", []string{a, b}, "client", vip, atA + " " + atB},
		{"only the ready one", "", []string{unready, b}, "client", vip, atB},
		{"none ready", "", []string{unready}, "client", vip, "refused"},
		{"no endpoint", "", nil, "client", vip, "refused"},
		{"a port that the service has not", "", []string{a}, "client", "10.96.0.20:80", "refused"},
		{"terminating but serving, as the last resort", "", []string{unready, leaving}, "client", vip, atB},
		{"terminating, others ready", "", []string{a, leaving}, "client", vip, atA},
		{"terminating, not serving", "", []string{gone}, "client", vip, "refused"},
		{"node port of any node", "", []string{b}, "reader", node0, atB},
		{"node port by the reader's localhost", "", []string{b}, "reader", "127.0.0.1:30080", atB},
		{"port mapping to nobody", "", nil, "reader", "127.0.0.1:30080", "empty"},
		{"node port to nobody", "", nil, "reader", node0, "refused"},
		{"localhost is the client's own elsewhere", "", []string{b}, "client", "127.0.0.1:30080", "refused"},
		{"internal traffic policy Local", ", internalTrafficPolicy: Local", []string{a, b}, "client", vip, atB},
		{"Local, none on the client's node", ", internalTrafficPolicy: Local", []string{a}, "client", vip, "dropped"},
		{"external traffic policy Local", ", externalTrafficPolicy: Local", []string{a, b}, "reader", node1, atB},
		{"Local, none on that node", ", externalTrafficPolicy: Local", []string{a}, "reader", node1, "dropped"},
		{"Local does not bind pods", ", externalTrafficPolicy: Local", []string{a}, "client", node1, atA},
		{"session affinity", ", sessionAffinity: ClientIP", []string{a, b}, "client", vip, "either " + atA + " or " + atB},
		{"external ip", ", externalIPs: [198.51.100.7]", []string{a}, "client", "198.51.100.7:8000", atA},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := setup(t)
			f.pod("default", "client", "app: client", "10.244.1.4")
			f.pod("default", "a", "app: web", "10.244.0.5")
			f.pod("default", "b", "app: web", "10.244.1.6")
			ct.Apply[*corev1.Service](f.Cluster, service(c.extra))
			if c.endpoints != nil {
				ct.Apply[*discoveryv1.EndpointSlice](f.Cluster, slice(c.endpoints...))
			}
			seen := map[string]bool{}
			for range 20 {
				seen[f.outcome(c.from, c.to)] = true
			}
			got := strings.Join(sorted(seen), " ")
			if rest, either := strings.CutPrefix(c.want, "either "); either {
				if x, y, _ := strings.Cut(rest, " or "); got != x && got != y {
					t.Errorf("got %s, want %s", got, c.want)
				}
			} else if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func sorted(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

// Session affinity lasts for its timeout after the last connection.
func TestAffinityExpires(t *testing.T) {
	f := setup(t)
	f.pod("default", "client", "app: client", "10.244.1.4")
	ct.Apply[*corev1.Service](f.Cluster, "metadata: {name: web}\nspec: {clusterIP: 10.96.0.20, clusterIPs: [10.96.0.20], sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}, ports: [{port: 80}]}")
	var endpoints []string
	for i := range 50 {
		ip := fmt.Sprintf("10.244.0.%d", 10+i)
		f.pod("default", fmt.Sprintf("p%d", i), "app: web", ip)
		endpoints = append(endpoints, "{addresses: ["+ip+"]}")
	}
	ct.Apply[*discoveryv1.EndpointSlice](f.Cluster, "metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\nports: [{name: '', port: 80, protocol: TCP}]\nendpoints: ["+strings.Join(endpoints, ", ")+"]")
	first := f.outcome("client", "10.96.0.20:80")
	for range 10 {
		f.Run(50 * time.Second)
		if got := f.outcome("client", "10.96.0.20:80"); got != first {
			t.Fatalf("%s after %s", got, first)
		}
	}
	other := 0
	for range 10 {
		f.Run(61 * time.Second)
		if f.outcome("client", "10.96.0.20:80") != first {
			other++
		}
	}
	if other == 0 {
		t.Error("the affinity never ends")
	}
}

// What the other end sees: https://kubernetes.io/docs/tutorials/services/source-ip/
func TestSource(t *testing.T) {
	f := setup(t)
	f.pod("default", "client", "app: client", "10.244.1.4")
	f.pod("default", "a", "app: web", "10.244.0.5")
	ct.Apply[*corev1.Service](f.Cluster, "metadata: {name: web}\nspec: {clusterIP: 10.96.0.20, clusterIPs: [10.96.0.20], type: NodePort, ports: [{port: 80, nodePort: 30080}]}")
	ct.Apply[*corev1.Service](f.Cluster, "metadata: {name: local}\nspec: {clusterIP: 10.96.0.21, clusterIPs: [10.96.0.21], type: NodePort, externalTrafficPolicy: Local, ports: [{port: 80, nodePort: 30081}]}")
	for _, name := range []string{"web", "local"} {
		ct.Apply[*discoveryv1.EndpointSlice](f.Cluster, "metadata: {name: "+name+"-1, labels: {kubernetes.io/service-name: "+name+"}}\naddressType: IPv4\nports: [{name: '', port: 80, protocol: TCP}]\nendpoints: [{addresses: [10.244.0.5], nodeName: n0}]")
	}
	for _, c := range [][3]string{
		{"client", "10.96.0.20:80", "10.244.1.4"},
		{"client", "10.244.0.5:80", "10.244.1.4"},
		{"reader", "172.18.0.2:30080", "10.244.0.1"}, // the pod's node, by its address in the pods' range
		{"reader", "172.18.0.3:30080", "172.18.0.3"}, // another node
		{"reader", "172.18.0.2:30081", "172.18.0.1"},
		{"n0", "10.244.0.5:80", "10.244.0.1"},
		{"n1", "10.244.0.5:80", "172.18.0.3"},
	} {
		seen := ""
		l, _, err := f.ns["a"].Find(netip.MustParseAddrPort("127.0.0.1:80"))
		if err != nil {
			t.Fatal(err)
		}
		l.Handler = func(_ *kernel.Proc, r *network.Request) *network.Response {
			seen = r.Remote.Addr().String()
			return &network.Response{Status: 200}
		}
		to := netip.MustParseAddrPort(c[1])
		if _, err := f.ns[c[0]].Do(nil, to.Addr().String(), int(to.Port()), &network.Request{Method: "GET", Path: "/"}); err != nil || seen != c[2] {
			t.Errorf("%s to %s is seen as %s (%v), want %s", c[0], c[1], seen, err, c[2])
		}
	}
}
