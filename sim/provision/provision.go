// Package provision is what kind, minikube and the host ask of the reader's
// machine: a cluster of a certain shape, made, stopped and taken away again. It
// leaves the tools' words to their packages and the making to package sim.
package provision

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/rest"
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
	// PodSubnet and ServiceSubnet are where pods and Services get addresses from;
	// zero is 10.244.0.0/16 and 10.96.0.0/16.
	PodSubnet     netip.Prefix `json:"podSubnet"`
	ServiceSubnet netip.Prefix `json:"serviceSubnet"`
	// Connected says that the pods' network has been installed: nodes that
	// register become ready.
	Connected bool `json:"connected,omitempty"`
	// MetricsServer measures pods, for autoscaling and kubectl top.
	MetricsServer bool `json:"metricsServer,omitempty"`
	// Ingress says that ingress-nginx has been switched on.
	Ingress bool `json:"ingress,omitempty"`
	// CloudLoadBalancer gives services of type LoadBalancer an address.
	CloudLoadBalancer bool `json:"cloudLoadBalancer,omitempty"`
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
	// Tainted keeps other pods off, as kubeadm does with control planes.
	Tainted bool `json:"tainted,omitempty"`
	// Removed nodes keep their place, so that the others keep their addresses.
	Removed bool `json:"removed,omitempty"`
}

// Port makes a port of a node answer on the reader's machine.
type Port struct {
	Node          int  `json:"node"` // index in Spec.Nodes
	ContainerPort int  `json:"containerPort"`
	HostPort      int  `json:"hostPort"`        // 0 lets the machine choose
	Local         bool `json:"local,omitempty"` // on the loopback only
}

// KindNodes are n nodes as kind names them: a control plane, then workers. With
// workers the control plane is tainted.
func KindNodes(cluster string, n int) []Node {
	roles := make([]bool, n)
	roles[0] = true
	return KindRoles(cluster, roles)
}

// KindRoles are kind's nodes for the roles: true is a control plane.
func KindRoles(cluster string, controlPlane []bool) []Node {
	var out []Node
	count := map[string]int{}
	for _, is := range controlPlane {
		name := cluster + "-worker"
		if is {
			name = cluster + "-control-plane"
		}
		if count[name]++; count[name] > 1 {
			name += fmt.Sprint(count[name])
		}
		out = append(out, Node{Name: name, ControlPlane: is, Tainted: is && len(controlPlane) > 1})
	}
	return out
}

// Cluster is one cluster of the machine, as its tool sees it.
type Cluster interface {
	// Spec is what it is like; its maps and slices are not to be changed.
	Spec() Spec
	// Boot starts the control plane and the nodes of a cluster that was prepared
	// or halted. It returns at once; things happen as time passes.
	Boot() error
	// Halt stops everything; Boot goes on from there.
	Halt()
	// Up reports whether the cluster is booted and its API server answers.
	Up() bool
	// ConnectNetwork installs the pods' network: the nodes become ready after
	// about that time.
	ConnectNetwork(after time.Duration)
	// Handler is the API, valid while the cluster is up.
	Handler() rest.Handler
	// AddNode and RemoveNode change the nodes of a cluster that is up.
	AddNode(Node) error
	RemoveNode(name string) error
	// StopNode is a machine that fails, StartNode one that comes back.
	StopNode(name string) error
	StartNode(name string) error
	// Stopped reports whether a node does not run.
	Stopped(name string) bool
	// Shell is what programs find that root runs on a node, without streams and
	// a process; nil when it does not run.
	Shell(node string) *program.Context
	// LoadImage puts an image onto nodes, HasImage reports whether it is there.
	LoadImage(nodes []string, image string)
	HasImage(node, image string) bool
	// SwitchIngress and SwitchMetricsServer install the add-on in a cluster that
	// is up, or remove it; the Spec tells which are on. Doing so twice is no error.
	SwitchIngress(on bool) error
	SwitchMetricsServer(on bool) error
}

// Machine is the reader's machine, as the tools see it. All is done at once;
// the tools let the time pass that it takes.
type Machine interface {
	// Clusters are a tool's clusters, sorted by name.
	Clusters(tool string) []Cluster
	// Prepare makes a cluster whose nodes exist but do not run yet. It chooses
	// the addresses and ports that the spec leaves open.
	Prepare(Spec) (Cluster, error)
	// Delete takes a cluster away wholly.
	Delete(Cluster)
	// ImageID is the id of an image on the reader's machine, "" when it is not
	// there. What a registry has counts as pulled.
	ImageID(image string) string
	// Use makes a cluster the one that the host shows.
	Use(Cluster)
}

// Find is a tool's cluster of that name; nil when there is none.
func Find(m Machine, tool, name string) Cluster {
	for _, c := range m.Clusters(tool) {
		if c.Spec().Name == name {
			return c
		}
	}
	return nil
}

// PortError says that a port of the reader's machine is taken.
type PortError struct{ Port int }

func (e *PortError) Error() string {
	return fmt.Sprintf("Bind for 0.0.0.0:%d failed: port is already allocated", e.Port)
}
