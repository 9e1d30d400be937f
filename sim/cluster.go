// One cluster: its control plane, nodes, containers and network, on a clock of
// its own scope, so that deleting the cluster takes all of it away.

package sim

import (
	"fmt"
	"slices"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/provision"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
)

// Cluster is one simulated cluster.
type Cluster struct {
	machine  *Machine
	spec     provision.Spec
	prefix   string // of its records' keys; "" for the cluster that a machine begins with
	opts     Options
	clock    *clock.Clock // a scope of the machine's; closed when the cluster stops
	kernel   *kernel.Kernel
	seed     *seed.Source
	store    *store.Store // nil until the first boot
	stopped  *kept        // what Boot goes on from; nil when it begins anew
	up       bool
	releases []func() // what Halt undoes
	dirty    clusterDirty
	savers   []Saver
	parts
}

// newCluster adds a cluster that has not been booted.
func (m *Machine) newCluster(spec provision.Spec, prefix string, src *seed.Source) *Cluster {
	c := &Cluster{machine: m, spec: spec, prefix: prefix, opts: m.opts, kernel: m.kernel, seed: src, dirty: newClusterDirty()}
	m.clusters = append(m.clusters, c)
	return c
}

// Spec implements provision.Cluster.
func (c *Cluster) Spec() provision.Spec { return c.spec }

// Up implements provision.Cluster.
func (c *Cluster) Up() bool { return c.up && !c.Stopped(c.spec.Nodes[0].Name) }

// Handler is the cluster's REST API; valid while it is up.
func (c *Cluster) Handler() rest.Handler { return c.server }

// Boot implements provision.Cluster.
func (c *Cluster) Boot() error {
	if c.up {
		return nil
	}
	state := c.stopped
	c.clock = c.machine.clock.Scope()
	c.store = store.New()
	if n := c.machine.watchWindow; n > 0 {
		c.store.SetWindow(n)
	}
	if state != nil {
		if err := c.store.Restore(state.meta.Revision, state.objects); err != nil {
			return err
		}
	}
	c.watchStore()
	if err := c.wire(state); err != nil {
		c.end()
		return err
	}
	c.up, c.stopped = true, nil
	c.machine.dirty.clusters = true
	if state == nil {
		return c.addons()
	}
	if c.spec.Connected {
		c.awaitNetwork(networkTime)
	}
	if state.meta.Stopped {
		for _, name := range c.kubelet.Nodes() {
			if err := c.kubelet.StartNode(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// networkTime is how long nodes whose network is installed take to find it
// after a reload.
const networkTime = 5 * time.Second

// end drops what the cluster waits for and its listeners.
func (c *Cluster) end() {
	c.clock.Close()
	for _, release := range c.releases {
		release()
	}
	c.releases = nil
	c.store.Close()
}

// ConnectNetwork implements provision.Cluster.
func (c *Cluster) ConnectNetwork(after time.Duration) {
	if !c.up {
		return
	}
	c.spec.Connected = true
	c.machine.dirty.clusters = true
	c.awaitNetwork(after)
}

// awaitNetwork makes the nodes that wait for their network ready, one after
// another.
func (c *Cluster) awaitNetwork(after time.Duration) {
	for _, name := range c.kubelet.Nodes() {
		if c.kubelet.WaitsForNetwork(name) {
			c.clock.After(after, "network of "+name, func() { c.kubelet.NetworkReady(name) })
			after += 700 * time.Millisecond
		}
	}
}

// Halt implements provision.Cluster: what a reload would go on from is kept,
// with all nodes off, and everything ends. Boot starts the nodes again.
func (c *Cluster) Halt() {
	if !c.up {
		return
	}
	for _, name := range c.kubelet.Nodes() {
		_ = c.kubelet.StopNode(name)
	}
	c.stopped = c.state()
	c.stopped.meta.Stopped, c.up = true, false
	c.end()
	c.machine.dirty.clusters = true
}

// AddNode implements provision.Cluster.
func (c *Cluster) AddNode(n provision.Node) error {
	if err := c.kubelet.AddNode(c.nodeConfig(n)); err != nil {
		return err
	}
	c.spec.Nodes = append(slices.Clone(c.spec.Nodes), n)
	c.machine.dirty.clusters = true
	return nil
}

// RemoveNode implements provision.Cluster.
func (c *Cluster) RemoveNode(name string) error {
	i := slices.IndexFunc(c.spec.Nodes, func(n provision.Node) bool { return n.Name == name && !n.Removed })
	if i < 0 {
		return fmt.Errorf("node %q not found", name)
	}
	c.spec.Nodes = slices.Clone(c.spec.Nodes)
	c.spec.Nodes[i].Removed = true
	c.machine.dirty.clusters = true
	if !c.up {
		return nil
	}
	if err := c.kubelet.RemoveNode(name); err != nil {
		return err
	}
	return client.Delete[*corev1.Node](c.admin, "", name, client.DeleteOptions{})
}

// Stopped implements provision.Cluster.
func (c *Cluster) Stopped(name string) bool {
	if !c.up {
		return true
	}
	_, stopped := c.kubelet.Stopped(name)
	return stopped
}

// LoadImage implements provision.Cluster.
func (c *Cluster) LoadImage(nodes []string, name string) {
	if c.up {
		c.kubelet.LoadImage(nodes, name)
	}
}

// HasImage implements provision.Cluster.
func (c *Cluster) HasImage(node, name string) bool { return c.up && c.kubelet.HasImage(node, name) }
