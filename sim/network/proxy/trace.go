// Connections explained: the walk of a connection through names, services,
// endpoints and policies in words. It asks the very functions that route.

package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
	"github.com/kubonsai/kubonsai/sim/network"
)

// Step is one rule of the walk, what it did, and details, a line each.
type Step struct {
	Rule, Result string
	Detail       []string
}

// Explanation is a connection's walk.
type Explanation struct {
	Steps []Step
	// Ends are where it may end.
	Ends []Endpoint
	// Connects is whether each of them would answer.
	Connects bool
}

// Trace explains where a connection to host and port would go. Nothing is
// sent or chosen.
func (p *Proxy) Trace(from *network.Namespace, proto network.Protocol, host string, port uint16) Explanation {
	t := &tracing{p: p, from: from, proto: proto}
	addrs := t.name(host)
	connects := len(addrs) > 0
	for _, a := range addrs {
		connects = t.address(netip.AddrPortFrom(a, port)) && connects
	}
	return Explanation{t.steps, t.ends, connects}
}

type tracing struct {
	p     *Proxy
	from  *network.Namespace
	proto network.Protocol
	steps []Step
	ends  []Endpoint
}

func (t *tracing) say(rule, format string, args ...any) *Step {
	t.steps = append(t.steps, Step{Rule: rule, Result: fmt.Sprintf(format, args...)})
	return &t.steps[len(t.steps)-1]
}

func (s *Step) add(format string, args ...any) {
	s.Detail = append(s.Detail, fmt.Sprintf(format, args...))
}

// name resolves the host; each search path that was tried is a detail.
func (t *tracing) name(host string) []netip.Addr {
	addrs, err := t.from.Lookup(host)
	if _, e := netip.ParseAddr(host); e == nil {
		return addrs
	}
	server := t.from.DNS.Server()
	if _, known := t.from.Host(host); err == nil && (addrs[0].IsLoopback() || known) {
		t.say("name", "%s is %s, by /etc/hosts", host, addrs[0])
		return addrs[:1]
	}
	at := len(t.steps)
	t.say("name", "")
	for _, name := range t.from.DNS.Candidates(host) {
		answer, kind := t.from.Query(server, name)
		switch {
		case kind == network.NoServer || kind == network.Refused:
			t.steps[at].Result = fmt.Sprintf("%s: the name server %s does not answer", host, server)
			t.address(netip.AddrPortFrom(server, 53), network.UDP)
			return nil
		case kind != 0:
			t.steps[at].add("%s: no such name", name)
			continue
		case answer.CNAME != "":
			t.steps[at].add("%s: another name for %s (ExternalName)", name, answer.CNAME)
		}
		if len(answer.Addrs) == 0 {
			t.steps[at].add("%s: no address", name)
			continue
		}
		t.steps[at].add("%s: %s", name, joinAddrs(answer.Addrs))
		t.steps[at].Result = fmt.Sprintf("%s is %s", host, answer.Addrs[0])
		if n := len(answer.Addrs); n > 1 {
			t.steps[at].Result = fmt.Sprintf("%s is one of %d addresses, in random order", host, n)
		}
		return slices.SortedFunc(slices.Values(answer.Addrs), netip.Addr.Compare)
	}
	t.steps[at].Result = host + ": no such name"
	return nil
}

func joinAddrs(list []netip.Addr) string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.String()
	}
	return strings.Join(out, ", ")
}

// address walks from an address on; protocols replace that of the connection.
func (t *tracing) address(to netip.AddrPort, protocols ...network.Protocol) bool {
	proto := t.proto
	if len(protocols) > 0 {
		proto = protocols[0]
	}
	if a := to.Addr(); (a.IsLoopback() || a.IsUnspecified()) && (t.from.Listening(int(to.Port())) || !t.from.NodePorts) {
		return t.listening(t.say("local", "%s stays within %s", to, t.from.Name), Endpoint{Addr: to}, t.from)
	}
	r := t.p.match(t.from, proto, to)
	switch {
	case r.via == "hostPort":
		t.say("hostPort", "port %d of node %s is mapped to pod %s", to.Port(), r.entry, r.ends[0].Pod)
	case r.svc != nil:
		t.service(&r)
	}
	if r.svc != nil && len(r.ends) == 0 || r.fail != 0 {
		t.result(r.fail)
		return false
	}
	t.say("endpoint", "")
	t.ends = append(t.ends, r.ends...)
	at := len(t.steps) - 1
	good := 0
	sticky := t.p.remembered(&r)
	for i, e := range r.ends {
		who := e.Addr.String()
		if e.Pod != "" {
			who += " pod " + e.Pod
		} else if e.Node != "" {
			who += " node " + e.Node
		}
		if e.Pod != "" && e.Node != "" {
			who += " on " + e.Node
		}
		t.steps[at].add("%s", who)
		verdict := t.verdict(&r, e, &t.steps[at])
		if verdict == 0 {
			good++
		}
		if sticky == i {
			t.steps[at].add("  this client's last one, by session affinity")
		}
	}
	s := &t.steps[at]
	switch n := len(r.ends); {
	case n == 1:
		s.Result = "the only one"
		if r.via == "" {
			s.Result = "the address itself"
		}
	case sticky >= 0:
		s.Result = fmt.Sprintf("%d; session affinity keeps to one of them", n)
	default:
		s.Result = fmt.Sprintf("one of %d, each with a chance of 1/%d", n, n)
	}
	switch {
	case good == len(r.ends):
		t.say("result", "connects")
	case good > 0:
		t.say("result", "connects to %d of %d endpoints only", good, len(r.ends))
	case len(r.ends) == 1:
		t.result(t.verdict(&r, r.ends[0], nil))
	default:
		t.say("result", "connects to none of the endpoints")
	}
	return good == len(r.ends)
}

// verdict is how a connection to an endpoint would fail, 0 when it would not.
func (t *tracing) verdict(r *route, e Endpoint, s *Step) network.Kind {
	permitted := t.p.permits(r, e, func(d *decision) {
		if s != nil && len(d.selecting) > 0 {
			s.add("  %s: %s", strings.ToLower(string(d.direction)), d.text())
		}
	})
	if !permitted {
		return network.Timeout
	}
	if r.proto != network.TCP {
		return 0
	}
	kind := t.p.net.Reach(t.from, e.Addr)
	if s != nil {
		switch kind {
		case network.Refused:
			s.add("  nothing listens on port %d", e.Addr.Port())
		case network.Timeout, network.Unreachable:
			s.add("  nobody has this address")
		}
	}
	return kind
}

func (t *tracing) listening(s *Step, e Endpoint, ns *network.Namespace) bool {
	if ns.Listening(int(e.Addr.Port())) {
		t.say("result", "connects")
		return true
	}
	s.add("nothing listens on port %d", e.Addr.Port())
	t.result(network.Refused)
	return false
}

func (t *tracing) result(k network.Kind) {
	text := map[network.Kind]string{network.Refused: "connection refused", network.Timeout: "no answer: the packets are dropped, the client waits until it times out",
		network.Empty: "the connection is closed without an answer", network.Unreachable: "no route to host"}[k]
	t.say("result", "%s", text)
}

// service tells the rules of a service up to its endpoints.
func (t *tracing) service(r *route) {
	spec := &r.svc.Spec
	s := t.say("service", "%s (%s), by its %s", client.Key(r.svc), spec.Type, r.via)
	switch r.via {
	case "nodePort":
		s.Result += fmt.Sprintf(" %d on node %s", r.to.Port(), r.entry)
	default:
		s.Result += " " + r.to.Addr().String()
	}
	if r.port == nil {
		s = t.say("port", "the service has no port %d/%s", r.to.Port(), r.proto)
		for i := range spec.Ports {
			s.add("it has %s", portText(&spec.Ports[i]))
		}
		return
	}
	t.say("port", "%s", portText(r.port))
	if r.shutOut {
		t.say("sources", "loadBalancerSourceRanges leave out %s", r.from.Addr())
	}
	if r.local {
		t.say("policy", "traffic policy Local: %d of %d endpoints are on node %s", len(r.ends), r.all, r.entry)
	}
	if r.near != "" {
		t.say("hints", "%d of %d endpoints are meant for %s", len(r.ends), r.all, r.near)
	}
	if r.all == 0 {
		t.nobody(r.svc, r.port)
	}
}

func portText(sp *corev1.ServicePort) string {
	text := fmt.Sprintf("%d/%s to target port %s", sp.Port, sp.Protocol, sp.TargetPort.String())
	if sp.Name != "" {
		text = sp.Name + ", " + text
	}
	return text
}

// nobody says why a service has no endpoint.
func (t *tracing) nobody(svc *corev1.Service, port *corev1.ServicePort) {
	if len(svc.Spec.Selector) == 0 {
		t.say("endpoints", "none: the service has no selector, and no EndpointSlice lists endpoints for it")
		return
	}
	sel := labels.SelectorFromSet(svc.Spec.Selector)
	pods := t.p.pods.List(svc.Namespace, sel)
	if len(pods) == 0 {
		s := t.say("endpoints", "none: no pod in namespace %s has the labels %s", svc.Namespace, sel)
		t.nearly(s, svc)
		return
	}
	s := t.say("endpoints", "none: of %d pods with the labels %s, none is ready", len(pods), sel)
	for i, o := range pods {
		if i == 5 {
			s.add("and %d more", len(pods)-i)
			break
		}
		why := "phase " + string(o.Status.Phase)
		_, has := controller.TargetPort(o, port)
		switch {
		case o.DeletionTimestamp != nil:
			why = "is being deleted"
		case !has && port.TargetPort.Type == intstr.String:
			why = "has no port named " + port.TargetPort.StrVal
		case o.Spec.NodeName == "":
			why = "is not scheduled"
		case o.Status.Phase == corev1.PodRunning && !controller.IsReady(o):
			why = "is not ready"
			if c := controller.PodCondition(o, corev1.PodReady); c != nil && c.Message != "" {
				why += ": " + c.Message
			}
		}
		s.add("pod %s %s", client.Key(o), why)
	}
}

// nearly lists labels of pods that have a key of the selector with another
// value, or its value under another key.
func (t *tracing) nearly(s *Step, svc *corev1.Service) {
	seen := map[string]int{}
	var order []string
	t.p.pods.Scan(svc.Namespace, func(o *corev1.Pod) bool {
		for k, v := range o.Labels {
			want, same := svc.Spec.Selector[k]
			if !same {
				for _, w := range svc.Spec.Selector {
					same = same || w == v
				}
			}
			if !same || want == v {
				continue
			}
			if text := k + "=" + v; seen[text] == 0 {
				order = append(order, text)
				seen[text] = 1
			} else {
				seen[text]++
			}
		}
		return true
	})
	slices.Sort(order)
	for _, text := range order[:min(len(order), 5)] {
		s.add("%d of its pods have %s", seen[text], text)
	}
}
