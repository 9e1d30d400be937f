// Package proxy is kube-proxy and CoreDNS as a model: Services and
// EndpointSlices become rules that a destination walks through, and records
// that names resolve to. Both are computed from the shared informers when they
// are asked for, so they can never lag.
package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/seed"
)

// Proxy implements network.Router, network.Resolver and network.Querier.
type Proxy struct {
	clock    *clock.Clock
	random   *seed.Stream
	net      *network.Network
	services *client.Informer[*corev1.Service]
	slices   *client.Informer[*discoveryv1.EndpointSlice]
	pods     *client.Informer[*corev1.Pod]
	affinity map[affinityKey]affinity
	// Domain is the cluster's DNS domain.
	Domain string
	// IsNode reports whether an address is a node's, so that NodePorts answer there.
	IsNode func(netip.Addr) bool
	// NodeOf names the node whose address, or whose pod's address, that is.
	NodeOf func(netip.Addr) string
	// Outside answers names that are not the cluster's own; nil knows none.
	Outside func(name string) []netip.Addr
}

type affinityKey struct {
	client netip.Addr
	svc    string
	port   int32
}

type affinity struct {
	to    netip.AddrPort
	until time.Time
}

const (
	byClusterIP = "clusterIP"
	byNodePort  = "nodePort"
	byService   = "service"
	byIP        = "podIP"
)

// New returns a proxy and installs it as the network's router and resolver.
func New(clk *clock.Clock, src *seed.Source, net *network.Network, f *client.Factory) *Proxy {
	p := &Proxy{clock: clk, random: src.Stream("kube-proxy"), net: net, affinity: map[affinityKey]affinity{}, Domain: "cluster.local",
		services: client.InformerFor[*corev1.Service](f), slices: client.InformerFor[*discoveryv1.EndpointSlice](f), pods: client.InformerFor[*corev1.Pod](f)}
	p.services.AddIndex(byClusterIP, func(s *corev1.Service) []string {
		out := slices.Clone(s.Spec.ClusterIPs)
		if len(out) == 0 && s.Spec.ClusterIP != "" {
			out = []string{s.Spec.ClusterIP}
		}
		out = append(out, s.Spec.ExternalIPs...)
		for _, i := range s.Status.LoadBalancer.Ingress {
			if i.IP != "" {
				out = append(out, i.IP)
			}
		}
		return out
	})
	p.services.AddIndex(byNodePort, func(s *corev1.Service) []string {
		var out []string
		for _, port := range s.Spec.Ports {
			if port.NodePort != 0 {
				out = append(out, strconv.Itoa(int(port.NodePort)))
			}
		}
		return out
	})
	p.slices.AddIndex(byService, func(e *discoveryv1.EndpointSlice) []string {
		return []string{e.Namespace + "/" + e.Labels["kubernetes.io/service-name"]}
	})
	p.pods.AddIndex(byIP, func(o *corev1.Pod) []string {
		if o.Status.PodIP == "" || o.Spec.HostNetwork {
			return nil
		}
		return []string{o.Status.PodIP}
	})
	net.SetRouter(p)
	net.SetResolver(p)
	return p
}

// Step is one line of the explanation of a connection.
type Step struct{ Rule, Result string }

// Route implements network.Router.
func (p *Proxy) Route(from *network.Namespace, to netip.AddrPort) (netip.AddrPort, bool) {
	dest, ok, _ := p.walk(from, to, false)
	return dest, ok
}

// Trace explains where a connection would go, without choosing anything.
func (p *Proxy) Trace(from *network.Namespace, to netip.AddrPort) (dest netip.AddrPort, ok bool, steps []Step) {
	return p.walk(from, to, true)
}

func (p *Proxy) walk(from *network.Namespace, to netip.AddrPort, trace bool) (dest netip.AddrPort, ok bool, steps []Step) {
	say := func(rule, format string, args ...any) {
		if trace {
			steps = append(steps, Step{rule, fmt.Sprintf(format, args...)})
		}
	}
	var svc *corev1.Service
	var port *corev1.ServicePort
	local := false
	if list := p.services.ByIndex(byClusterIP, to.Addr().String()); len(list) > 0 {
		svc = list[0]
		for i := range svc.Spec.Ports {
			if svc.Spec.Ports[i].Port == int32(to.Port()) {
				port = &svc.Spec.Ports[i]
			}
		}
		say("clusterIP "+to.Addr().String(), "service %s/%s", svc.Namespace, svc.Name)
		if port == nil {
			say("port "+strconv.Itoa(int(to.Port())), "the service has no such port")
			return to, false, steps
		}
		local = svc.Spec.InternalTrafficPolicy != nil && *svc.Spec.InternalTrafficPolicy == "Local"
	} else if p.IsNode != nil && p.IsNode(to.Addr()) || to.Addr().IsLoopback() && from.NodePorts {
		for _, s := range p.services.ByIndex(byNodePort, strconv.Itoa(int(to.Port()))) {
			svc = s
			for i := range s.Spec.Ports {
				if s.Spec.Ports[i].NodePort == int32(to.Port()) {
					port = &s.Spec.Ports[i]
				}
			}
			say("nodePort "+strconv.Itoa(int(to.Port())), "service %s/%s", svc.Namespace, svc.Name)
		}
		if svc != nil {
			local = svc.Spec.ExternalTrafficPolicy == "Local"
		}
	}
	if svc == nil {
		return to, true, steps
	}
	ready := p.endpoints(svc, port)
	if local && p.NodeOf != nil {
		node := p.NodeOf(from.Addr())
		if to.Addr() != from.Addr() && p.IsNode != nil && p.IsNode(to.Addr()) {
			node = p.NodeOf(to.Addr())
		}
		all := len(ready)
		ready = slices.DeleteFunc(ready, func(e endpoint) bool { return e.node != node })
		say("traffic policy Local", "%d of %d endpoints are on node %s", len(ready), all, node)
	}
	if len(ready) == 0 {
		say("endpoints", "no ready endpoint: the connection is refused")
		return to, false, steps
	}
	say("endpoints", "one of %d", len(ready))
	if trace {
		return ready[0].addr, true, steps
	}
	if svc.Spec.SessionAffinity == "ClientIP" {
		k := affinityKey{from.Addr(), svc.Namespace + "/" + svc.Name, port.Port}
		if a, ok := p.affinity[k]; ok && p.clock.Now().Before(a.until) {
			if slices.ContainsFunc(ready, func(e endpoint) bool { return e.addr == a.to }) {
				return a.to, true, nil
			}
		}
		timeout := 3 * time.Hour
		if c := svc.Spec.SessionAffinityConfig; c != nil && c.ClientIP != nil && c.ClientIP.TimeoutSeconds != nil {
			timeout = time.Duration(*c.ClientIP.TimeoutSeconds) * time.Second
		}
		e := ready[p.random.IntN(len(ready))]
		p.affinity[k] = affinity{e.addr, p.clock.Now().Add(timeout)}
		return e.addr, true, nil
	}
	return ready[p.random.IntN(len(ready))].addr, true, nil
}

type endpoint struct {
	addr netip.AddrPort
	node string
}

// endpoints are those that take connections: the ready ones, or, when there is
// none, those that are serving though they terminate.
func (p *Proxy) endpoints(svc *corev1.Service, port *corev1.ServicePort) []endpoint {
	var ready, terminating []endpoint
	for _, s := range p.slices.ByIndex(byService, svc.Namespace+"/"+svc.Name) {
		if s.AddressType != "IPv4" {
			continue
		}
		var number int32
		for _, sp := range s.Ports {
			name := ""
			if sp.Name != nil {
				name = *sp.Name
			}
			if name == port.Name && sp.Port != nil {
				number = *sp.Port
			}
		}
		if number == 0 {
			continue
		}
		for _, e := range s.Endpoints {
			if len(e.Addresses) == 0 {
				continue
			}
			a, err := netip.ParseAddr(e.Addresses[0])
			if err != nil {
				continue
			}
			x := endpoint{addr: netip.AddrPortFrom(a, uint16(number))}
			if e.NodeName != nil {
				x.node = *e.NodeName
			}
			switch c := e.Conditions; {
			case c.Ready == nil || *c.Ready:
				ready = append(ready, x)
			case c.Serving != nil && *c.Serving && c.Terminating != nil && *c.Terminating:
				terminating = append(terminating, x)
			}
		}
	}
	if len(ready) == 0 {
		return terminating
	}
	return ready
}

// Resolve implements network.Resolver: search paths first, as resolv.conf says.
func (p *Proxy) Resolve(from *network.Namespace, name string) []netip.Addr {
	for _, n := range from.DNS.Candidates(name) {
		if a, ok := p.Query(from, n); ok && len(a.Addrs) > 0 {
			return a.Addrs
		}
	}
	return nil
}

// Query implements network.Querier.
func (p *Proxy) Query(from *network.Namespace, name string) (network.Answer, bool) {
	return p.query(strings.ToLower(strings.TrimSuffix(name, ".")), 0)
}

func (p *Proxy) query(name string, depth int) (network.Answer, bool) {
	none := network.Answer{}
	if rev, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		return p.reverse(rev)
	}
	rest, ok := strings.CutSuffix(name, "."+p.Domain)
	if !ok {
		if p.Outside != nil {
			if a := p.Outside(name); len(a) > 0 {
				return network.Answer{Addrs: a}, true
			}
		}
		return none, false
	}
	parts := strings.Split(rest, ".")
	switch kind := parts[len(parts)-1]; kind {
	case "pod":
		if len(parts) == 3 {
			if a, err := netip.ParseAddr(strings.ReplaceAll(parts[0], "-", ".")); err == nil {
				return network.Answer{Addrs: []netip.Addr{a}}, true
			}
		}
		return none, false
	case "svc":
	default:
		return none, false
	}
	parts = parts[:len(parts)-1]
	if len(parts) < 2 {
		return none, false
	}
	svc, found := p.services.Get(parts[len(parts)-1], parts[len(parts)-2])
	if !found {
		return none, false
	}
	parts = parts[:len(parts)-2]
	if svc.Spec.Type == "ExternalName" {
		if len(parts) > 0 || depth > 7 {
			return none, false
		}
		a, _ := p.query(strings.TrimSuffix(svc.Spec.ExternalName, "."), depth+1)
		a.CNAME = svc.Spec.ExternalName
		return a, true
	}
	headless := svc.Spec.ClusterIP == "None"
	switch {
	case len(parts) == 0 && !headless:
		var out network.Answer
		for _, ip := range svc.Spec.ClusterIPs {
			if a, err := netip.ParseAddr(ip); err == nil {
				out.Addrs = append(out.Addrs, a)
			}
		}
		return out, true
	case len(parts) == 0:
		var out network.Answer
		p.eachHeadless(svc, func(_ string, a netip.Addr) { out.Addrs = append(out.Addrs, a) })
		p.random.Shuffle(len(out.Addrs), func(i, j int) { out.Addrs[i], out.Addrs[j] = out.Addrs[j], out.Addrs[i] })
		return out, len(out.Addrs) > 0
	case len(parts) == 1 && headless:
		var out network.Answer
		p.eachHeadless(svc, func(host string, a netip.Addr) {
			if host == parts[0] || host == "" && parts[0] == strings.ReplaceAll(a.String(), ".", "-") {
				out.Addrs = append(out.Addrs, a)
			}
		})
		return out, len(out.Addrs) > 0
	case len(parts) == 2 && strings.HasPrefix(parts[0], "_"):
		var out network.Answer
		for _, sp := range svc.Spec.Ports {
			if "_"+sp.Name != parts[0] || "_"+strings.ToLower(string(sp.Protocol)) != parts[1] {
				continue
			}
			base := svc.Name + "." + svc.Namespace + ".svc." + p.Domain
			if !headless {
				out.SRV = append(out.SRV, network.SRV{Priority: 0, Weight: 100, Port: int(sp.Port), Target: base})
				continue
			}
			p.eachHeadless(svc, func(host string, a netip.Addr) {
				if host == "" {
					host = strings.ReplaceAll(a.String(), ".", "-")
				}
				out.SRV = append(out.SRV, network.SRV{Priority: 0, Weight: 100, Port: int(sp.Port), Target: host + "." + base})
			})
		}
		return out, len(out.SRV) > 0
	}
	return none, false
}

func (p *Proxy) eachHeadless(svc *corev1.Service, fn func(host string, a netip.Addr)) {
	for _, s := range p.slices.ByIndex(byService, svc.Namespace+"/"+svc.Name) {
		for _, e := range s.Endpoints {
			if len(e.Addresses) == 0 || e.Conditions.Ready != nil && !*e.Conditions.Ready && !svc.Spec.PublishNotReadyAddresses {
				continue
			}
			host := ""
			if e.Hostname != nil {
				host = *e.Hostname
			}
			if a, err := netip.ParseAddr(e.Addresses[0]); err == nil {
				fn(host, a)
			}
		}
	}
}

func (p *Proxy) reverse(rev string) (network.Answer, bool) {
	b := strings.Split(rev, ".")
	slices.Reverse(b)
	ip := strings.Join(b, ".")
	for _, s := range p.services.ByIndex(byClusterIP, ip) {
		return network.Answer{PTR: s.Name + "." + s.Namespace + ".svc." + p.Domain}, true
	}
	for _, o := range p.pods.ByIndex(byIP, ip) {
		return network.Answer{PTR: strings.ReplaceAll(ip, ".", "-") + "." + o.Namespace + ".pod." + p.Domain}, true
	}
	return network.Answer{}, false
}

// Describe names the addresses of the cluster for people.
func (p *Proxy) Describe(a netip.Addr) string {
	for _, s := range p.services.ByIndex(byClusterIP, a.String()) {
		return "service " + s.Namespace + "/" + s.Name
	}
	for _, o := range p.pods.ByIndex(byIP, a.String()) {
		return "pod " + o.Namespace + "/" + o.Name
	}
	return ""
}
