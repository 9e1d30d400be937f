// What the scheduler keeps of pods and nodes: requests summed up once, per
// node kept up to date as pods come and go.

package plugin

import (
	"slices"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

// What a container without a request counts for when nodes are compared.
const (
	defaultMilliCPU = 100
	defaultMemory   = 200 * 1024 * 1024
)

// Resource is an amount of everything a node can give.
type Resource struct {
	MilliCPU, Memory, EphemeralStorage int64
	Pods                               int64
	Scalar                             map[corev1.ResourceName]int64
}

func amounts(l corev1.ResourceList) Resource {
	var r Resource
	for name, q := range l {
		switch name {
		case corev1.ResourceCPU:
			r.MilliCPU = q.MilliValue()
		case corev1.ResourceMemory:
			r.Memory = q.Value()
		case corev1.ResourceEphemeralStorage:
			r.EphemeralStorage = q.Value()
		case corev1.ResourcePods:
			r.Pods = q.Value()
		default:
			if r.Scalar == nil {
				r.Scalar = map[corev1.ResourceName]int64{}
			}
			r.Scalar[name] = q.Value()
		}
	}
	return r
}

func (r *Resource) add(o *Resource, sign int64) {
	r.MilliCPU += sign * o.MilliCPU
	r.Memory += sign * o.Memory
	r.EphemeralStorage += sign * o.EphemeralStorage
	for k, v := range o.Scalar {
		if r.Scalar == nil {
			r.Scalar = map[corev1.ResourceName]int64{}
		}
		r.Scalar[k] += sign * v
	}
}

func (r *Resource) max(o *Resource) {
	r.MilliCPU = max(r.MilliCPU, o.MilliCPU)
	r.Memory = max(r.Memory, o.Memory)
	r.EphemeralStorage = max(r.EphemeralStorage, o.EphemeralStorage)
	for k, v := range o.Scalar {
		if r.Scalar == nil {
			r.Scalar = map[corev1.ResourceName]int64{}
		}
		r.Scalar[k] = max(r.Scalar[k], v)
	}
}

func (r Resource) clone() Resource {
	if r.Scalar != nil {
		s := make(map[corev1.ResourceName]int64, len(r.Scalar))
		for k, v := range r.Scalar {
			s[k] = v
		}
		r.Scalar = s
	}
	return r
}

// Port is a port that a pod takes on its node.
type Port struct {
	IP       string
	Protocol corev1.Protocol
	Port     int32
}

// Term is one pod (anti-)affinity term, compiled.
type Term struct {
	namespaces map[string]bool
	nsSelector labels.Selector // nil when the term has none
	selector   labels.Selector
	Key        string
	Weight     int64
}

// PodInfo is a pod with what the rules need to know of it.
type PodInfo struct {
	Pod      *corev1.Pod
	Request  Resource
	NonZero  Resource // MilliCPU and Memory only, with defaults for missing requests
	Ports    []Port
	Priority int32

	RequiredAffinity, RequiredAnti, PreferredAffinity, PreferredAnti []Term
}

// HasAffinity reports whether the pod has any (anti-)affinity terms.
func (p *PodInfo) HasAffinity() bool {
	return len(p.RequiredAffinity)+len(p.RequiredAnti)+len(p.PreferredAffinity)+len(p.PreferredAnti) > 0
}

// NewPodInfo looks at the pod once.
func NewPodInfo(pod *corev1.Pod) *PodInfo {
	p := &PodInfo{Pod: pod}
	if pod.Spec.Priority != nil {
		p.Priority = *pod.Spec.Priority
	}
	p.Request, p.NonZero = podRequests(pod)
	for i := range pod.Spec.Containers {
		p.addPorts(&pod.Spec.Containers[i])
	}
	for i := range pod.Spec.InitContainers {
		if restartable(&pod.Spec.InitContainers[i]) {
			p.addPorts(&pod.Spec.InitContainers[i])
		}
	}
	if a := pod.Spec.Affinity; a != nil {
		if a.PodAffinity != nil {
			for i := range a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
				p.RequiredAffinity = append(p.RequiredAffinity, newTerm(pod, &a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[i], 0))
			}
			for i := range a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
				w := &a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution[i]
				p.PreferredAffinity = append(p.PreferredAffinity, newTerm(pod, &w.PodAffinityTerm, int64(w.Weight)))
			}
		}
		if a.PodAntiAffinity != nil {
			for i := range a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
				p.RequiredAnti = append(p.RequiredAnti, newTerm(pod, &a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[i], 0))
			}
			for i := range a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
				w := &a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[i]
				p.PreferredAnti = append(p.PreferredAnti, newTerm(pod, &w.PodAffinityTerm, int64(w.Weight)))
			}
		}
	}
	return p
}

func (p *PodInfo) addPorts(c *corev1.Container) {
	for _, port := range c.Ports {
		if port.HostPort <= 0 {
			continue
		}
		q := Port{IP: port.HostIP, Protocol: port.Protocol, Port: port.HostPort}
		if q.IP == "" {
			q.IP = "0.0.0.0"
		}
		if q.Protocol == "" {
			q.Protocol = corev1.ProtocolTCP
		}
		p.Ports = append(p.Ports, q)
	}
}

func restartable(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// podRequests sums up what a pod needs at its neediest moment: all containers
// and sidecars together, or one init container with the sidecars begun before
// it; requests of the pod as a whole win; overhead comes on top.
func podRequests(pod *corev1.Pod) (total, nonZero Resource) {
	sum := func(c *corev1.Container) (Resource, Resource) {
		r := amounts(c.Resources.Requests)
		nz := Resource{MilliCPU: r.MilliCPU, Memory: r.Memory}
		if _, ok := c.Resources.Requests[corev1.ResourceCPU]; !ok {
			nz.MilliCPU = defaultMilliCPU
		}
		if _, ok := c.Resources.Requests[corev1.ResourceMemory]; !ok {
			nz.Memory = defaultMemory
		}
		return r, nz
	}
	for i := range pod.Spec.Containers {
		r, nz := sum(&pod.Spec.Containers[i])
		total.add(&r, 1)
		nonZero.add(&nz, 1)
	}
	if len(pod.Spec.InitContainers) > 0 {
		var sidecars, sidecarsNZ, peak, peakNZ Resource
		for i := range pod.Spec.InitContainers {
			c := &pod.Spec.InitContainers[i]
			r, nz := sum(c)
			if restartable(c) {
				total.add(&r, 1)
				nonZero.add(&nz, 1)
				sidecars.add(&r, 1)
				sidecarsNZ.add(&nz, 1)
				r, nz = sidecars.clone(), sidecarsNZ
			} else {
				r, nz = r.clone(), nz.clone()
				r.add(&sidecars, 1)
				nz.add(&sidecarsNZ, 1)
			}
			peak.max(&r)
			peakNZ.max(&nz)
		}
		total.max(&peak)
		nonZero.max(&peakNZ)
	}
	if pod.Spec.Resources != nil {
		r := amounts(pod.Spec.Resources.Requests)
		if _, ok := pod.Spec.Resources.Requests[corev1.ResourceCPU]; ok {
			total.MilliCPU, nonZero.MilliCPU = r.MilliCPU, r.MilliCPU
		}
		if _, ok := pod.Spec.Resources.Requests[corev1.ResourceMemory]; ok {
			total.Memory, nonZero.Memory = r.Memory, r.Memory
		}
	}
	if len(pod.Spec.Overhead) > 0 {
		r := amounts(pod.Spec.Overhead)
		total.add(&r, 1)
		nonZero.MilliCPU += r.MilliCPU
		nonZero.Memory += r.Memory
	}
	total.Pods, nonZero.Scalar = 0, nil
	return total, nonZero
}

// NodeInfo is a node with its pods and what they have taken.
//
// What most pods are judged by comes first: of a large cluster hundreds of
// nodes are looked at for each pod, and little of that is in the processor's
// cache.
type NodeInfo struct {
	Node *corev1.Node
	// Index is the node's place in arrays that the scheduler keeps per node.
	Index         int
	unschedulable bool
	tainted       bool
	// the node's commonest topology labels, looked up once
	hasHostname, hasZone bool
	Pods                 []*PodInfo
	Allocatable          Resource
	Requested            Resource
	NonZero              Resource
	hostname, zone       string

	ports  map[Port]int
	images map[string]int64
	// AffinityPods and AntiPods are the pods with any terms, and with required anti-affinity.
	AffinityPods, AntiPods []*PodInfo
}

// NewNodeInfo returns an empty node.
func NewNodeInfo(node *corev1.Node, index int) *NodeInfo {
	n := &NodeInfo{Index: index}
	n.SetNode(node)
	return n
}

// SetNode takes over a changed node object.
func (n *NodeInfo) SetNode(node *corev1.Node) {
	if n.Node == nil || !sameImages(n.Node.Status.Images, node.Status.Images) {
		n.images = nil
		for _, img := range node.Status.Images {
			for _, name := range img.Names {
				if n.images == nil {
					n.images = map[string]int64{}
				}
				n.images[name] = img.SizeBytes
			}
		}
	}
	n.Node = node
	n.unschedulable, n.tainted = node.Spec.Unschedulable, len(node.Spec.Taints) > 0
	n.hostname, n.hasHostname = node.Labels[hostnameLabel]
	n.zone, n.hasZone = node.Labels[zoneLabel]
	n.Allocatable = amounts(node.Status.Allocatable)
}

// label is node.Labels[key].
func (n *NodeInfo) label(key string) (string, bool) {
	switch key {
	case hostnameLabel:
		return n.hostname, n.hasHostname
	case zoneLabel:
		return n.zone, n.hasZone
	}
	s, ok := n.Node.Labels[key]
	return s, ok
}

func sameImages(a, b []corev1.ContainerImage) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Add puts the pod on the node.
func (n *NodeInfo) Add(p *PodInfo) {
	n.Pods = append(n.Pods, p)
	n.account(p, 1)
	if p.HasAffinity() {
		n.AffinityPods = append(n.AffinityPods, p)
	}
	if len(p.RequiredAnti) > 0 {
		n.AntiPods = append(n.AntiPods, p)
	}
}

// Remove takes the pod off the node.
func (n *NodeInfo) Remove(p *PodInfo) {
	i := slices.Index(n.Pods, p)
	if i < 0 {
		return
	}
	n.Pods = slices.Delete(n.Pods, i, i+1)
	n.account(p, -1)
	if i := slices.Index(n.AffinityPods, p); i >= 0 {
		n.AffinityPods = slices.Delete(n.AffinityPods, i, i+1)
	}
	if i := slices.Index(n.AntiPods, p); i >= 0 {
		n.AntiPods = slices.Delete(n.AntiPods, i, i+1)
	}
}

func (n *NodeInfo) account(p *PodInfo, sign int64) {
	n.Requested.add(&p.Request, sign)
	n.NonZero.add(&p.NonZero, sign)
	for _, port := range p.Ports {
		if n.ports == nil {
			n.ports = map[Port]int{}
		}
		if n.ports[port] += int(sign); n.ports[port] == 0 {
			delete(n.ports, port)
		}
	}
}

// Without returns a copy of the node that lacks the pods for which drop is true.
func (n *NodeInfo) Without(drop func(*PodInfo) bool) *NodeInfo {
	c := &NodeInfo{Node: n.Node, Index: n.Index, unschedulable: n.unschedulable, tainted: n.tainted,
		Allocatable: n.Allocatable, images: n.images, hostname: n.hostname, hasHostname: n.hasHostname, zone: n.zone, hasZone: n.hasZone}
	for _, p := range n.Pods {
		if !drop(p) {
			c.Add(p)
		}
	}
	return c
}
