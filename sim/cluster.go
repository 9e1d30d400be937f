// One cluster: its control plane, nodes, containers and network, on a clock of
// its own scope, so that deleting the cluster takes all of it away.

package sim

import (
	"fmt"

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
	releases []func() // what Stop undoes
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

// Up reports whether the control plane runs.
func (c *Cluster) Up() bool { return c.up }

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
	if state != nil {
		if err := c.store.Restore(state.meta.Revision, state.objects); err != nil {
			return err
		}
	}
	c.watchStore()
	if err := c.wire(state); err != nil {
		return err
	}
	c.up, c.stopped = true, nil
	if state == nil {
		return c.addons()
	}
	return nil
}

// ConnectNetwork implements provision.Cluster.
func (c *Cluster) ConnectNetwork() {}

// shutdown ends everything that the cluster does. Its records stay.
func (c *Cluster) shutdown() {
	if !c.up {
		return
	}
	c.up, c.stopped = false, c.state()
	c.clock.Close()
	for _, name := range c.kubelet.Nodes() {
		_ = c.kubelet.StopNode(name)
	}
	for _, release := range c.releases {
		release()
	}
	c.releases = nil
	c.store.Close()
}

// find is a tool's cluster of that name; nil when there is none.
func (m *Machine) find(tool, name string) *Cluster {
	for _, c := range m.clusters {
		if c.spec.Tool == tool && c.spec.Name == name {
			return c
		}
	}
	return nil
}

// recordPrefix is the records' prefix of a cluster that was made later.
func recordPrefix(s provision.Spec) string {
	return fmt.Sprintf("%s%s/%s/", clusterPrefix, s.Tool, s.Name)
}
