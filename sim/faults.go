// Faults that a host may cause.

package sim

import (
	"errors"

	"github.com/kubonsai/kubonsai/sim/program"
)

// Shell implements provision.Cluster.
func (c *Cluster) Shell(node string) *program.Context { return c.kubelet.Shell(node) }

// StopNode takes a node off: its kubelet and containers stop, and it answers
// no more. The error names unknown nodes.
func (c *Cluster) StopNode(name string) error { return c.kubelet.StopNode(name) }

// StartNode brings a stopped node back, as after a reboot.
func (c *Cluster) StartNode(name string) error { return c.kubelet.StartNode(name) }

// Nodes names the machines of the cluster, stopped ones included.
func (c *Cluster) Nodes() []string { return c.kubelet.Nodes() }

// CrashContainer ends a running container with the exit code.
func (c *Cluster) CrashContainer(namespace, pod, container string, code int) error {
	return c.kubelet.CrashContainer(namespace, pod, container, code)
}

// errNoCluster is the answer to what needs a cluster while none runs.
var errNoCluster = errors.New("there is no cluster")

// StopNode is Cluster.StopNode of the current cluster.
func (m *Machine) StopNode(name string) error {
	if c := m.running(); c != nil {
		return c.StopNode(name)
	}
	return errNoCluster
}

// StartNode is Cluster.StartNode of the current cluster.
func (m *Machine) StartNode(name string) error {
	if c := m.running(); c != nil {
		return c.StartNode(name)
	}
	return errNoCluster
}

// Nodes is Cluster.Nodes of the current cluster.
func (m *Machine) Nodes() []string {
	if c := m.running(); c != nil {
		return c.Nodes()
	}
	return nil
}

// NodeStopped reports whether a node of the current cluster does not run.
func (m *Machine) NodeStopped(name string) bool {
	c := m.running()
	return c == nil || c.Stopped(name)
}

// CrashContainer is Cluster.CrashContainer of the current cluster.
func (m *Machine) CrashContainer(namespace, pod, container string, code int) error {
	if c := m.running(); c != nil {
		return c.CrashContainer(namespace, pod, container, code)
	}
	return errNoCluster
}
