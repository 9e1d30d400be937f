// Package proxy is kube-proxy, CoreDNS and the network plugin as a model:
// Services, EndpointSlices and NetworkPolicies become rules that a connection
// walks through, and records that names resolve to. All are computed from the
// shared informers when they are asked for, so they can never lag. Trace tells
// the same walk in words.
package proxy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	networkingv1 "github.com/kubonsai/kubonsai/sim/api/networking/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/seed"
)

// Proxy implements network.Router and network.Resolver.
type Proxy struct {
	clock      *clock.Clock
	random     *seed.Stream
	net        *network.Network
	services   *client.Informer[*corev1.Service]
	slices     *client.Informer[*discoveryv1.EndpointSlice]
	pods       *client.Informer[*corev1.Pod]
	policies   *client.Informer[*networkingv1.NetworkPolicy]
	namespaces *client.Informer[*corev1.Namespace]
	nodes      *client.Informer[*corev1.Node]
	affinity   map[affinityKey]affinity
	// Domain is the cluster's DNS domain.
	Domain string
	// Nodes are the machines of the cluster; nil has none.
	Nodes Nodes
	// Outside answers names that are not the cluster's own; nil knows none.
	Outside func(name string) []netip.Addr
}

// Nodes is what the rules need to know of the machines.
type Nodes interface {
	// Nodes are the names, the control plane's first.
	Nodes() []string
	// NodeAddr is a node's address, and whether there is such a node.
	NodeAddr(name string) (netip.Addr, bool)
	// NodeOf names the node whose address, or whose pod's address, that is.
	NodeOf(a netip.Addr) string
	// IsNode reports whether the address is a node's.
	IsNode(a netip.Addr) bool
}

type affinityKey struct {
	client netip.Addr
	svc    string
	port   int32
}

// maxAffinities is how many are kept before those that have ended are dropped.
const maxAffinities = 4096

type affinity struct {
	to    netip.AddrPort
	until time.Time
}

const (
	byAddress  = "address"
	byNodePort = "nodePort"
	byHostPort = "hostPort"
	byService  = "service"
)

// New returns a proxy and installs it as the network's router and resolver.
func New(clk *clock.Clock, src *seed.Source, net *network.Network, f *client.Factory) *Proxy {
	p := &Proxy{clock: clk, random: src.Stream("kube-proxy"), net: net, affinity: map[affinityKey]affinity{}, Domain: "cluster.local",
		services: client.InformerFor[*corev1.Service](f), slices: client.InformerFor[*discoveryv1.EndpointSlice](f), pods: client.InformerFor[*corev1.Pod](f),
		policies: client.InformerFor[*networkingv1.NetworkPolicy](f), namespaces: client.InformerFor[*corev1.Namespace](f), nodes: client.InformerFor[*corev1.Node](f)}
	p.services.AddIndex(byAddress, func(s *corev1.Service) []string {
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
		return []string{e.Namespace + "/" + e.Labels[discoveryv1.LabelServiceName]}
	})
	p.pods.AddIndex(byHostPort, func(o *corev1.Pod) []string {
		if o.Spec.HostNetwork || o.Spec.NodeName == "" || controller.IsTerminal(o) {
			return nil
		}
		var out []string
		eachPort(o, func(c *corev1.ContainerPort) {
			if c.HostPort != 0 {
				out = append(out, strconv.Itoa(int(c.HostPort)))
			}
		})
		return out
	})
	net.SetRouter(p)
	net.SetResolver(p)
	return p
}

// route is how far a connection has come through the rules.
type route struct {
	from    *network.Namespace
	proto   network.Protocol
	to      netip.AddrPort
	via     string // "clusterIP", "nodePort", "loadBalancer", "externalIP", "hostPort"; "" when it goes to the address itself
	svc     *corev1.Service
	port    *corev1.ServicePort // nil: the service has no such port
	entry   string              // the node whose rules it meets
	local   bool                // only endpoints on that node
	keep    bool                // the client's address is kept
	fromPod *corev1.Pod         // nil when it comes from elsewhere
	ends    []Endpoint          // where it may be sent; the address itself when there is no service
	near    string              // what the endpoints were narrowed to by their hints: "node x", "zone y"
	all     int                 // how many endpoints there were before the traffic policy
	shutOut bool                // by the service's loadBalancerSourceRanges
	fail    network.Kind
}

// Endpoint is one place that a service's connections may be sent to.
type Endpoint struct {
	Addr netip.AddrPort
	Node string
	Pod  string // "namespace/name", "" when it is not a pod
}

// Route implements network.Router.
func (p *Proxy) Route(from *network.Namespace, proto network.Protocol, to netip.AddrPort) network.Path {
	r := p.match(from, proto, to)
	if r.fail != 0 {
		return network.Path{To: to, Fail: r.fail}
	}
	e := r.ends[0]
	if len(r.ends) > 1 || r.svc != nil && r.svc.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		e = p.choose(&r)
	}
	path := network.Path{To: e.Addr, Source: p.source(&r, e)}
	if !p.permits(&r, e, nil) {
		path.Fail = network.Timeout
	}
	return path
}

// match finds the service whose address that is and its endpoints.
func (p *Proxy) match(from *network.Namespace, proto network.Protocol, to netip.AddrPort) route {
	r := route{from: from, proto: proto, to: to}
	if from.Pod != "" {
		r.fromPod, _ = p.pods.ByKey(from.Pod)
	}
	addr := to.Addr()
	atNode := p.Nodes != nil && p.Nodes.IsNode(addr)
	if p.Nodes != nil {
		switch {
		case atNode:
			r.entry = p.Nodes.NodeOf(addr)
		case from.NodePorts: // the reader's machine
			if names := p.Nodes.Nodes(); len(names) > 0 {
				r.entry = names[0]
			}
		default:
			r.entry = p.Nodes.NodeOf(from.Addr())
		}
	}
	mapped := addr.IsLoopback() && from.NodePorts
	if list := p.services.ByIndex(byAddress, addr.String()); len(list) > 0 {
		for _, s := range list {
			if r.port == nil {
				r.svc, r.port = s, findPort(s, proto, func(sp *corev1.ServicePort) int32 { return sp.Port }, to.Port())
			}
		}
		switch {
		case slices.Contains(r.svc.Spec.ClusterIPs, addr.String()):
			r.via = "clusterIP"
			r.local = r.svc.Spec.InternalTrafficPolicy != nil && *r.svc.Spec.InternalTrafficPolicy == corev1.ServiceInternalTrafficPolicyLocal
		case slices.Contains(r.svc.Spec.ExternalIPs, addr.String()):
			r.via = "externalIP"
		default:
			r.via = "loadBalancer"
			if len(r.svc.Spec.LoadBalancerSourceRanges) > 0 && !inRanges(r.svc.Spec.LoadBalancerSourceRanges, from.Addr()) {
				r.shutOut, r.fail = true, network.Timeout
			}
		}
	} else if atNode || mapped {
		number := strconv.Itoa(int(to.Port()))
		for _, s := range p.services.ByIndex(byNodePort, number) {
			if sp := findPort(s, proto, func(sp *corev1.ServicePort) int32 { return sp.NodePort }, to.Port()); sp != nil {
				r.svc, r.port, r.via = s, sp, "nodePort"
			}
		}
		if r.svc == nil && p.hostPort(&r, number, mapped) {
			return r
		}
	}
	if r.svc == nil {
		r.ends = []Endpoint{p.endpointAt(to)}
		return r
	}
	if r.via != "clusterIP" && r.svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		// connections from within the cluster go everywhere all the same, and a
		// load balancer sends to the nodes that have endpoints
		r.keep = r.fromPod == nil && (from.NodePorts || p.Nodes != nil && p.Nodes.NodeOf(from.Addr()) != r.entry)
		r.local = r.keep && r.via != "loadBalancer"
	}
	if r.port == nil {
		r.fail = network.Refused
		return r
	}
	p.endpoints(&r)
	if len(r.ends) == 0 && r.fail == 0 {
		switch {
		case mapped: // the container runtime's port mapping has taken the connection by then
			r.fail = network.Empty
		case r.all > 0:
			r.fail = network.Timeout
		default:
			r.fail = network.Refused
		}
	}
	return r
}

func findPort(s *corev1.Service, proto network.Protocol, number func(*corev1.ServicePort) int32, want uint16) *corev1.ServicePort {
	for i := range s.Spec.Ports {
		sp := &s.Spec.Ports[i]
		if number(sp) == int32(want) && (sp.Protocol == "" && proto == network.TCP || string(sp.Protocol) == string(proto)) {
			return sp
		}
	}
	return nil
}

func inRanges(ranges []string, a netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(r string) bool {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(r))
		return err == nil && prefix.Contains(a)
	})
}

// eachPort calls fn for the ports of a pod's containers, its sidecars' too.
func eachPort(o *corev1.Pod, fn func(*corev1.ContainerPort)) {
	for _, list := range [2][]corev1.Container{o.Spec.Containers, o.Spec.InitContainers} {
		for i := range list {
			for j := range list[i].Ports {
				fn(&list[i].Ports[j])
			}
		}
	}
}

// hostPort is the network plugin's port mapping: a pod's hostPort on its node.
// The reader's machine maps its own ports to those of any node.
func (p *Proxy) hostPort(r *route, number string, mapped bool) bool {
	for _, o := range p.pods.ByIndex(byHostPort, number) {
		a, err := netip.ParseAddr(o.Status.PodIP)
		if err != nil || !mapped && o.Spec.NodeName != r.entry {
			continue
		}
		eachPort(o, func(c *corev1.ContainerPort) {
			if strconv.Itoa(int(c.HostPort)) == number && (c.Protocol == "" || string(c.Protocol) == string(r.proto)) {
				r.via, r.entry = "hostPort", o.Spec.NodeName
				r.ends = []Endpoint{p.endpointAt(netip.AddrPortFrom(a, uint16(c.ContainerPort)))}
			}
		})
		if len(r.ends) > 0 {
			return true
		}
	}
	return false
}

// endpointAt is the address as an endpoint.
func (p *Proxy) endpointAt(a netip.AddrPort) Endpoint {
	e := Endpoint{Addr: a}
	if owner := p.net.Owner(a.Addr()); owner != nil {
		e.Pod = owner.Pod
	}
	if p.Nodes != nil {
		e.Node = p.Nodes.NodeOf(a.Addr())
	}
	return e
}

// choose picks an endpoint: the client's last one when the service has session
// affinity and it still is one, else any with equal chance.
func (p *Proxy) choose(r *route) Endpoint {
	now := p.clock.Now()
	if r.svc.Spec.SessionAffinity != corev1.ServiceAffinityClientIP {
		return r.ends[p.random.IntN(len(r.ends))]
	}
	key, i := r.affinityKey(), p.remembered(r)
	if i < 0 {
		i = p.random.IntN(len(r.ends))
	}
	timeout := time.Duration(corev1.DefaultClientIPServiceAffinitySeconds) * time.Second
	if c := r.svc.Spec.SessionAffinityConfig; c != nil && c.ClientIP != nil && c.ClientIP.TimeoutSeconds != nil {
		timeout = time.Duration(*c.ClientIP.TimeoutSeconds) * time.Second
	}
	if len(p.affinity) >= maxAffinities {
		maps.DeleteFunc(p.affinity, func(_ affinityKey, a affinity) bool { return !now.Before(a.until) })
	}
	p.affinity[key] = affinity{r.ends[i].Addr, now.Add(timeout)} // counted from the last connection
	return r.ends[i]
}

func (r *route) affinityKey() affinityKey {
	return affinityKey{r.from.Addr(), client.Key(r.svc), r.port.Port}
}

// remembered is the index of the endpoint that the client's affinity is for; -1 for none.
func (p *Proxy) remembered(r *route) int {
	if r.svc == nil || r.svc.Spec.SessionAffinity != corev1.ServiceAffinityClientIP {
		return -1
	}
	key := r.affinityKey()
	a, ok := p.affinity[key]
	if ok && !p.clock.Now().Before(a.until) {
		delete(p.affinity, key)
		return -1
	}
	if !ok {
		return -1
	}
	return slices.IndexFunc(r.ends, func(e Endpoint) bool { return e.Addr == a.to })
}

// source is the client's address as the endpoint sees it. Masquerading hides
// who is not a pod behind the node where the connection met the rules, unless
// the traffic policy is Local; the node shows its own pods the first address of
// their range.
func (p *Proxy) source(r *route, e Endpoint) netip.Addr {
	if p.Nodes == nil {
		return netip.Addr{}
	}
	external := r.svc != nil && r.via != "clusterIP"
	node := ""
	switch {
	case r.from.Pod != "":
		if own := p.Nodes.NodeOf(r.from.Addr()); external && !r.keep {
			node = r.entry
		} else if e.Node != own && !p.onPodNetwork(e) {
			node = own
		}
	case r.from.NodePorts:
		if r.svc != nil && !r.keep {
			node = r.entry
		}
	default:
		node = p.Nodes.NodeOf(r.from.Addr())
	}
	if node == "" {
		return netip.Addr{}
	}
	if e.Node == node && p.onPodNetwork(e) {
		b := e.Addr.Addr().As4()
		b[3] = 1
		return netip.AddrFrom4(b)
	}
	a, _ := p.Nodes.NodeAddr(node)
	return a
}

// onPodNetwork reports whether the endpoint is a pod with an address of its own.
func (p *Proxy) onPodNetwork(e Endpoint) bool {
	owner := p.net.Owner(e.Addr.Addr())
	return owner != nil && owner.Pod != ""
}

// endpoints fills in those that take connections: the ready ones or, when
// there is none, those that are serving though they terminate (KEP-1669);
// where the traffic policy is Local, of the entry node only.
func (p *Proxy) endpoints(r *route) {
	var ready, terminating []Endpoint
	var hints []*discoveryv1.EndpointHints // of the ready ones
	for _, s := range p.slices.ByIndex(byService, client.Key(r.svc)) {
		if s.AddressType != discoveryv1.AddressTypeIPv4 {
			continue
		}
		number := slicePort(s, r.port)
		if number == 0 {
			continue
		}
		for i := range s.Endpoints {
			e := &s.Endpoints[i]
			if len(e.Addresses) == 0 {
				continue
			}
			a, err := netip.ParseAddr(e.Addresses[0])
			if err != nil {
				continue
			}
			x := Endpoint{Addr: netip.AddrPortFrom(a, uint16(number))}
			if e.NodeName != nil {
				x.Node = *e.NodeName
			}
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
				x.Pod = e.TargetRef.Namespace + "/" + e.TargetRef.Name
			}
			switch c := &e.Conditions; {
			case c.Ready == nil || *c.Ready:
				ready, hints = append(ready, x), append(hints, e.Hints)
			case c.Serving != nil && *c.Serving && c.Terminating != nil && *c.Terminating:
				terminating = append(terminating, x)
			}
		}
	}
	usable := func(list []Endpoint) []Endpoint {
		if !r.local {
			return list
		}
		return slices.DeleteFunc(slices.Clone(list), func(e Endpoint) bool { return e.Node != r.entry })
	}
	r.all = len(ready)
	if r.all == 0 {
		r.all = len(terminating)
	}
	if !r.local {
		ready = p.nearest(r, ready, hints)
	}
	if r.ends = usable(ready); len(r.ends) == 0 {
		r.ends = usable(terminating)
	}
}

// nearest narrows endpoints to those whose hints are for the node, else for its
// zone, if every endpoint has such hints and some are for it (KEP-4444).
func (p *Proxy) nearest(r *route, ready []Endpoint, hints []*discoveryv1.EndpointHints) []Endpoint {
	zone := ""
	if n, ok := p.nodes.Get("", r.entry); ok {
		zone = n.Labels[corev1.LabelTopologyZone]
	}
	for _, by := range []struct {
		what, name string
		of         func(*discoveryv1.EndpointHints) []string
	}{
		{"node", r.entry, func(h *discoveryv1.EndpointHints) (out []string) {
			for _, n := range h.ForNodes {
				out = append(out, n.Name)
			}
			return out
		}},
		{"zone", zone, func(h *discoveryv1.EndpointHints) (out []string) {
			for _, z := range h.ForZones {
				out = append(out, z.Name)
			}
			return out
		}},
	} {
		var near []Endpoint
		all := by.name != ""
		for i, h := range hints {
			if h == nil || len(by.of(h)) == 0 {
				all = false
			} else if slices.Contains(by.of(h), by.name) {
				near = append(near, ready[i])
			}
		}
		if all && len(near) > 0 {
			r.near = by.what + " " + by.name
			return near
		}
	}
	return ready
}

// HealthCheck is who answers on a node at a service's healthCheckNodePort: nil
// when no service has it. It tells a load balancer whether the node has
// endpoints (k8s.io/kubernetes/pkg/proxy/healthcheck).
func (p *Proxy) HealthCheck(node string, port int) network.Handler {
	for _, s := range p.services.List("", nil) {
		if int(s.Spec.HealthCheckNodePort) != port || port == 0 {
			continue
		}
		return func(_ *kernel.Proc, req *network.Request) *network.Response {
			if req.Method == network.Raw {
				return nil
			}
			ends := map[netip.Addr]bool{}
			for i := range s.Spec.Ports {
				r := route{svc: s, port: &s.Spec.Ports[i], entry: node, local: true}
				p.endpoints(&r)
				for _, e := range r.ends {
					ends[e.Addr.Addr()] = true
				}
			}
			status := 200
			if len(ends) == 0 {
				status = 503
			}
			body := fmt.Sprintf("{\n\t\"service\": {\n\t\t\"namespace\": %q,\n\t\t\"name\": %q\n\t},\n\t\"localEndpoints\": %d,\n\t\"serviceProxyHealthy\": true\n}", s.Namespace, s.Name, len(ends))
			return &network.Response{Status: status, Body: []byte(body), Header: network.Header{"Content-Type": {"application/json"}, "X-Content-Type-Options": {"nosniff"},
				"X-Load-Balancing-Endpoint-Weight": {strconv.Itoa(len(ends))}, "Content-Length": {strconv.Itoa(len(body))}}}
		}
	}
	return nil
}

// slicePort is the number that a service's port has on a slice's endpoints; 0 for none.
func slicePort(s *discoveryv1.EndpointSlice, port *corev1.ServicePort) int32 {
	for i := range s.Ports {
		sp := &s.Ports[i]
		name := ""
		if sp.Name != nil {
			name = *sp.Name
		}
		if name == port.Name && sp.Port != nil {
			return *sp.Port
		}
	}
	return 0
}
