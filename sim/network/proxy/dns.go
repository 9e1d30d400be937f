// The cluster's DNS: names of services and pods, as CoreDNS answers them.

package proxy

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	"github.com/kubonsai/kubonsai/sim/network"
)

// Query implements network.Resolver. A pod that listens on port 53 is the
// cluster's DNS; servers outside the cluster are the world's.
func (p *Proxy) Query(from *network.Namespace, server netip.Addr, name string) (network.Answer, network.Kind) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	inside := false
	if server.IsValid() {
		path := p.Route(from, network.UDP, netip.AddrPortFrom(server, 53))
		switch path.Fail {
		case 0:
		case network.Refused:
			return network.Answer{}, network.Refused
		default:
			return network.Answer{}, network.NoServer
		}
		owner := p.net.Owner(path.To.Addr())
		inside = owner != nil && owner.Listening(int(path.To.Port()))
		if owner != nil && owner.Pod != "" && !inside {
			return network.Answer{}, network.Refused
		}
	}
	var answer network.Answer
	found := false
	if inside {
		answer, found = p.query(name, 0)
	} else {
		answer.Addrs = p.outside(name)
		found = len(answer.Addrs) > 0
	}
	if !found {
		return answer, network.NoHost
	}
	return answer, 0
}

func (p *Proxy) outside(name string) []netip.Addr {
	if p.Outside == nil {
		return nil
	}
	return p.Outside(name)
}

func (p *Proxy) query(name string, depth int) (network.Answer, bool) {
	none := network.Answer{}
	if rev, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		return p.reverse(rev)
	}
	rest, ok := strings.CutSuffix(name, "."+p.Domain)
	if !ok {
		a := p.outside(name)
		return network.Answer{Addrs: a}, len(a) > 0
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
		p.eachHeadless(svc, func(_ string, a netip.Addr, _ *discoveryv1.EndpointSlice) { out.Addrs = append(out.Addrs, a) })
		p.random.Shuffle(len(out.Addrs), func(i, j int) { out.Addrs[i], out.Addrs[j] = out.Addrs[j], out.Addrs[i] })
		return out, true
	case len(parts) == 1 && headless:
		var out network.Answer
		p.eachHeadless(svc, func(host string, a netip.Addr, _ *discoveryv1.EndpointSlice) {
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
			p.eachHeadless(svc, func(host string, a netip.Addr, slice *discoveryv1.EndpointSlice) {
				if host == "" {
					host = strings.ReplaceAll(a.String(), ".", "-")
				}
				if port := slicePort(slice, &sp); port != 0 {
					out.SRV = append(out.SRV, network.SRV{Priority: 0, Weight: 100, Port: int(port), Target: host + "." + base})
				}
			})
		}
		return out, len(out.SRV) > 0
	}
	return none, false
}

func (p *Proxy) eachHeadless(svc *corev1.Service, fn func(host string, a netip.Addr, slice *discoveryv1.EndpointSlice)) {
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
				fn(host, a, s)
			}
		}
	}
}

func (p *Proxy) reverse(rev string) (network.Answer, bool) {
	b := strings.Split(rev, ".")
	slices.Reverse(b)
	ip := strings.Join(b, ".")
	for _, s := range p.services.ByIndex(byAddress, ip) {
		return network.Answer{PTR: s.Name + "." + s.Namespace + ".svc." + p.Domain}, true
	}
	// a pod's address has a name when it has a host name in a service
	out := network.Answer{}
	p.slices.Scan("", func(s *discoveryv1.EndpointSlice) bool {
		for _, e := range s.Endpoints {
			if e.Hostname != nil && slices.Contains(e.Addresses, ip) {
				out.PTR = *e.Hostname + "." + s.Labels[discoveryv1.LabelServiceName] + "." + s.Namespace + ".svc." + p.Domain
			}
		}
		return out.PTR == ""
	})
	return out, out.PTR != ""
}
