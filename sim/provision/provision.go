// Package provision is what kind, minikube and the host ask of the reader's
// machine: a cluster of a certain shape, made, stopped and taken away again. It
// leaves the tools' words to their packages and the making to package sim.
package provision

import (
	"fmt"
	"net/netip"
	"time"
)

// The tools that make clusters. A cluster's name is unique among its tool's.
const (
	Kind     = "kind"
	Minikube = "minikube"
)

// Spec says what a cluster is like. It is kept with the cluster.
type Spec struct {
	Tool  string `json:"tool"`
	Name  string `json:"name"` // of kind's cluster or of minikube's profile
	Nodes []Node `json:"nodes"`
	Ports []Port `json:"ports,omitempty"` // published on the reader's machine
	// FirstNode is the first node's address; the others' follow.
	FirstNode netip.Addr `json:"firstNode"`
	// Server is where the reader's machine finds the API server.
	Server netip.AddrPort `json:"server"`
	// APIPort is the API server's port on its node; 0 is 6443.
	APIPort int `json:"apiPort,omitempty"`
	// NoNetwork leaves the pods' network out: nodes stay NotReady.
	NoNetwork bool `json:"noNetwork,omitempty"`
	// MetricsServer measures pods, for autoscaling and kubectl top.
	MetricsServer bool `json:"metricsServer,omitempty"`
	// ImagesPresent says that the nodes have every image already.
	ImagesPresent bool `json:"imagesPresent,omitempty"`
	// AllNodePorts lets every NodePort answer on the reader's localhost.
	AllNodePorts bool `json:"allNodePorts,omitempty"`
}

// Node is one machine of a cluster.
type Node struct {
	Name         string            `json:"name"`
	ControlPlane bool              `json:"controlPlane,omitempty"`
	CPU          string            `json:"cpu,omitempty"`    // a quantity; "" is the default
	Memory       string            `json:"memory,omitempty"` // a quantity; "" is the default
	Labels       map[string]string `json:"labels,omitempty"`
	Version      string            `json:"version,omitempty"` // what its kubelet says it is; "" is the simulation's own
}

// Port makes a port of a node answer on the reader's machine.
type Port struct {
	Node          int        `json:"node"` // index in Spec.Nodes
	ContainerPort int        `json:"containerPort"`
	HostPort      int        `json:"hostPort"`
	Address       netip.Addr `json:"address"` // unspecified is every one
}

// KindNodes names n nodes as kind does: a control plane, then workers.
func KindNodes(cluster string, n int) []Node {
	out := []Node{{Name: cluster + "-control-plane", ControlPlane: true}}
	for i := 1; i < n; i++ {
		name := cluster + "-worker"
		if i > 1 {
			name += fmt.Sprint(i)
		}
		out = append(out, Node{Name: name})
	}
	return out
}

// Cluster is one cluster of the machine, as its tool sees it.
type Cluster interface {
	// Spec is what it is like; its maps and slices are not to be changed.
	Spec() Spec
	// Boot starts the control plane and the nodes of a cluster that was made or
	// stopped; it returns at once, things happen as time passes.
	Boot() error
	// Up reports whether the control plane runs.
	Up() bool
	// ConnectNetwork makes the pods' network of the nodes ready.
	ConnectNetwork()
}

// Machine is the reader's machine, as the tools see it. All is done at once;
// the tools let the time pass that it takes.
type Machine interface {
	// Clusters are a tool's clusters, sorted by name.
	Clusters(tool string) []Cluster
	// Find is the cluster of that name, nil when there is none.
	Find(tool, name string) Cluster
	// Prepare makes a cluster whose nodes exist but do not run yet. It chooses
	// the addresses and ports that the spec leaves open.
	Prepare(Spec) (Cluster, error)
	// Delete takes a cluster away wholly.
	Delete(Cluster)
	// Now is the virtual time.
	Now() time.Time
}
