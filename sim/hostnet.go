// The reader's machine on the network: its own namespace, and the ways between
// it, the clusters' networks and the API servers. Every cluster has a network
// of its own, so that their pods and services may have the same addresses; the
// nodes' addresses are all different.

package sim

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/network/proxy"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/simctl"
)

var (
	// readerAddr is the reader's machine on kind's network.
	readerAddr = netip.AddrFrom4([4]byte{172, 18, 0, 1})
	loopback   = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)

// makeNetwork puts the reader's machine on its network.
func (m *Machine) makeNetwork() {
	m.network = network.New()
	m.net = m.network.NewNamespace("reader", readerAddr)
	m.net.Gateway = true
	m.network.SetGateway(m.gateway)
	m.network.SetResolver(names{m})
	m.listenWeb()
}

// gateway is where a connection of the reader's machine goes on: to the cluster
// whose node that is, else to the current one.
func (m *Machine) gateway(to netip.AddrPort) *network.Namespace {
	for _, c := range m.clusters {
		if c.up && (c.kubelet.IsNode(to.Addr()) || to.Addr().IsLoopback() && c.spec.AllNodePorts) {
			return c.readerNet
		}
	}
	if c := m.running(); c != nil && !to.Addr().IsLoopback() {
		return c.readerNet
	}
	return nil
}

// joinMachine joins the cluster's network to the reader's machine and, through
// it, to the other clusters' nodes.
func (c *Cluster) joinMachine() {
	c.readerNet = c.network.NewNamespace("reader")
	c.readerNet.Addrs = []netip.Addr{readerAddr}
	c.readerNet.NodePorts = true
	bridge := c.machine.network.NewNamespace("bridge")
	c.network.SetGateway(func(to netip.AddrPort) *network.Namespace {
		if c.machine.network.Owner(to.Addr()) != nil {
			return bridge
		}
		for _, other := range c.machine.clusters {
			if other != c && other.up && other.kubelet.IsNode(to.Addr()) {
				return other.readerNet
			}
		}
		return nil
	})
}

// names answers the reader's machine as the current cluster's DNS does.
type names struct{ m *Machine }

func (n names) Query(_ *network.Namespace, server netip.Addr, name string) (network.Answer, network.Kind) {
	if slices.Contains(webHosts, strings.TrimPrefix(name, "www.")) {
		return network.Answer{Addrs: []netip.Addr{webAddr}}, 0
	}
	if c := n.m.running(); c != nil {
		return c.proxy.Query(c.readerNet, server, name)
	}
	return network.Answer{}, network.NoHost
}

// tracer is what kubonsai trace asks: about the current cluster.
func (m *Machine) tracer() *simctl.Tracer { return m.tracerOf(m.running) }

// tracerOf explains connections to a cluster, which is asked for anew each time.
func (m *Machine) tracerOf(cluster func() *Cluster) *simctl.Tracer {
	return &simctl.Tracer{
		Proxy: func() *proxy.Proxy {
			if c := cluster(); c != nil {
				return c.proxy
			}
			return nil
		},
		Here: func(host string, port uint16) *network.Namespace {
			addrs, err := m.net.Lookup(host)
			if err == nil && addrs[0].IsLoopback() && (m.net.Listening(int(port)) || m.gateway(netip.AddrPortFrom(addrs[0], port)) == nil) {
				return m.net
			}
			return cluster().readerNet
		},
		Published: func(host string, port uint16) (string, netip.AddrPort, *simctl.Tracer) {
			if addrs, err := m.net.Lookup(host); err != nil || !addrs[0].IsLoopback() && addrs[0] != readerAddr {
				return "", netip.AddrPort{}, nil
			}
			for _, c := range m.clusters {
				for _, p := range c.spec.Ports {
					if c.up && p.HostPort == int(port) {
						node := c.spec.Nodes[p.Node].Name
						addr, _ := c.kubelet.NodeAddr(node)
						return node, netip.AddrPortFrom(addr, uint16(p.ContainerPort)), m.tracerOf(func() *Cluster { return c })
					}
				}
			}
			return "", netip.AddrPort{}, nil
		},
		PodNet: func(namespace, pod string) *network.Namespace { return cluster().podNet(namespace, pod) },
		Ingress: func(pod string, r *network.Request) (string, container.IngressRoute, bool) {
			return cluster().ingress.Explain(pod, r)
		},
	}
}

// connect finds the API server of a kubeconfig's URL, as kubectl sees it.
func (m *Machine) connect(server string) (rest.Handler, error) {
	refused := &network.Error{Kind: network.Refused, Host: server}
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" {
		return nil, refused
	}
	port, _ := strconv.Atoi(u.Port())
	host := u.Hostname()
	if host == "localhost" {
		host = loopback.String()
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return nil, refused
	}
	to := netip.AddrPortFrom(addr, uint16(port))
	for _, c := range m.clusters {
		if to != c.spec.Server && to != netip.AddrPortFrom(c.spec.FirstNode, c.apiPort()) {
			continue
		}
		if !c.Up() {
			break
		}
		return rest.HandlerFunc(c.serveReader), nil
	}
	return nil, refused
}
