// Faults that a host may cause.

package sim

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
