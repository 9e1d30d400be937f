// The clusters of the reader's machine: making one more, choosing its
// addresses, deleting one. It is what kind and minikube work on.

package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/provision"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
)

// Clusters implements provision.Machine.
func (m *Machine) Clusters(tool string) []provision.Cluster {
	var out []provision.Cluster
	for _, c := range m.clusters {
		if c.spec.Tool == tool {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b provision.Cluster) int { return strings.Compare(a.Spec().Name, b.Spec().Name) })
	return out
}

// Prepare implements provision.Machine.
func (m *Machine) Prepare(spec provision.Spec) (provision.Cluster, error) {
	if provision.Find(m, spec.Tool, spec.Name) != nil {
		return nil, fmt.Errorf("cluster %q exists already", spec.Name)
	}
	if n := m.opts.Limits.Clusters; n > 0 && len(m.clusters) >= n {
		return nil, fmt.Errorf("the sandbox is limited to %d clusters", n)
	}
	prefix := fmt.Sprintf("%s%s/%s/", clusterPrefix, spec.Tool, spec.Name)
	chance := m.seed.Stream("clusters")
	if !spec.FirstNode.IsValid() {
		if spec.Tool == provision.Kind {
			spec.FirstNode = m.freeNodes(len(spec.Nodes))
		} else {
			spec.FirstNode = m.freeSubnet()
		}
	}
	pick := func() int {
		for {
			if port := 32768 + chance.IntN(60999-32768); !m.net.Listening(port) {
				return port
			}
		}
	}
	if !spec.Server.IsValid() {
		if spec.Tool == provision.Kind {
			spec.Server = netip.AddrPortFrom(loopback, 0)
		} else {
			spec.Server = netip.AddrPortFrom(spec.FirstNode, uint16(spec.APIPort))
		}
	}
	if spec.Server.Port() == 0 {
		spec.Server = netip.AddrPortFrom(spec.Server.Addr(), uint16(pick()))
	}
	spec.Ports = slices.Clone(spec.Ports)
	for i := range spec.Ports {
		if spec.Ports[i].HostPort == 0 {
			spec.Ports[i].HostPort = pick()
		}
	}
	wanted := []int{}
	if spec.Server.Addr().IsLoopback() {
		wanted = append(wanted, int(spec.Server.Port()))
	}
	for _, p := range spec.Ports {
		wanted = append(wanted, p.HostPort)
	}
	for i, port := range wanted {
		if m.net.Listening(port) || m.published(port) || slices.Contains(wanted[:i], port) {
			return nil, &provision.PortError{Port: port}
		}
	}
	c := m.newCluster(spec, prefix, seed.New(chance.Uint64()))
	m.dirty.clusters = true
	return c, nil
}

// published reports whether a cluster that does not run has the port.
func (m *Machine) published(port int) bool {
	for _, c := range m.clusters {
		if c.spec.Server.Addr().IsLoopback() && int(c.spec.Server.Port()) == port {
			return true
		}
		for _, p := range c.spec.Ports {
			if p.HostPort == port {
				return true
			}
		}
	}
	return false
}

// freeNodes is the first of n addresses in a row that are free on docker's
// network of kind.
func (m *Machine) freeNodes(n int) netip.Addr {
	first := readerAddr.Next()
	for moved := true; moved; {
		moved = false
		for _, c := range m.clusters {
			if c.spec.Tool != provision.Kind {
				continue
			}
			if end := after(c.spec.FirstNode, len(c.spec.Nodes)); c.spec.FirstNode.Less(after(first, n)) && first.Less(end) {
				first, moved = end, true
			}
		}
	}
	return first
}

// freeSubnet is the first node's address on the first network that is free of
// those that minikube tries: 192.168.49.0/24, 192.168.58.0/24 and so on.
func (m *Machine) freeSubnet() netip.Addr {
	for third := 49; ; third += 9 {
		a := netip.AddrFrom4([4]byte{192, 168, byte(third), 2})
		if third > 255 || !slices.ContainsFunc(m.clusters, func(c *Cluster) bool { return c.spec.FirstNode == a }) {
			return a
		}
	}
}

func after(a netip.Addr, n int) netip.Addr {
	for range n {
		a = a.Next()
	}
	return a
}

// publish makes the spec's ports answer on the reader's machine.
func (c *Cluster) publish() error {
	for _, p := range c.spec.Ports {
		node := c.spec.Nodes[p.Node].Name
		l, err := c.machine.net.Listen(p.HostPort, p.Local, func(proc *kernel.Proc, r *network.Request) *network.Response {
			addr, _ := c.kubelet.NodeAddr(node)
			resp, err := c.readerNet.Do(proc, addr.String(), p.ContainerPort, r)
			if err != nil {
				return nil // docker has taken the connection by then, and closes it
			}
			return resp
		})
		if err != nil {
			return err
		}
		c.releases = append(c.releases, l.Close)
	}
	return nil
}

// Delete implements provision.Machine.
func (m *Machine) Delete(of provision.Cluster) {
	i := slices.IndexFunc(m.clusters, func(c *Cluster) bool { return provision.Cluster(c) == of })
	if i < 0 {
		return
	}
	c := m.clusters[i]
	c.Halt()
	if m.backend != nil {
		gone := func(key string) { m.dirty.gone[key] = true }
		c.allRecords(func(r store.Record, _ error) { gone(r.Key) })
		for k := range c.dirty.objects {
			gone(c.objectKey(k))
		}
		for k := range c.dirty.nodes {
			gone(k)
		}
		if c.prefix != "" {
			gone(c.prefix + metaKey)
		}
	}
	m.clusters = slices.Delete(m.clusters, i, i+1)
	m.dirty.clusters = true
	if m.current == c {
		m.show(nil)
		if n := len(m.clusters); n > 0 {
			m.show(m.clusters[n-1])
		}
	}
}

// Use implements provision.Machine.
func (m *Machine) Use(c provision.Cluster) {
	if c, ok := c.(*Cluster); ok && slices.Contains(m.clusters, c) {
		m.show(c)
		m.dirty.clusters = true
	}
}

// ImageID implements provision.Machine.
func (m *Machine) ImageID(name string) string {
	img, err := m.images.Resolve(name)
	if err != nil {
		return ""
	}
	return img.Digest
}
