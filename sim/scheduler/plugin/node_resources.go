package plugin

import (
	"math"
	"slices"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

// NodeResourcesFit keeps pods off nodes without room for their requests, and
// prefers the node with the most room left (least allocated).
var NodeResourcesFit = &Rule{Name: "NodeResourcesFit", Weight: 1,
	Filter: func(c *Cycle) (FilterFunc, *Status) {
		want := &c.Pod.Request
		var scalars []corev1.ResourceName
		for name := range want.Scalar {
			scalars = append(scalars, name)
		}
		slices.Sort(scalars)
		return func(n *NodeInfo) *Status { return fit(want, scalars, n) }, nil
	},
	Score: func(c *Cycle, nodes []*NodeInfo) (ScoreFunc, NormalizeFunc) {
		p := &c.Pod.NonZero
		return func(n *NodeInfo) int64 {
			cpu := leastRequested(n.NonZero.MilliCPU+p.MilliCPU, n.Allocatable.MilliCPU)
			mem := leastRequested(n.NonZero.Memory+p.Memory, n.Allocatable.Memory)
			weights := int64(0)
			if n.Allocatable.MilliCPU > 0 {
				weights++
			}
			if n.Allocatable.Memory > 0 {
				weights++
			}
			if weights == 0 {
				return 0
			}
			return (cpu + mem) / weights
		}, nil
	},
}

func leastRequested(requested, capacity int64) int64 {
	if capacity == 0 || requested > capacity {
		return 0
	}
	return (capacity - requested) * MaxScore / capacity
}

// fit names every resource that is short. A request larger than the whole node
// cannot be helped by removing pods.
func fit(want *Resource, scalars []corev1.ResourceName, n *NodeInfo) *Status {
	var st *Status
	short := func(reason string, helpless bool) {
		if st == nil {
			st = &Status{Plugin: "NodeResourcesFit"}
		}
		st.Reasons = append(st.Reasons, reason)
		st.Unresolvable = st.Unresolvable || helpless
	}
	have, used := &n.Allocatable, &n.Requested
	if int64(len(n.Pods))+1 > have.Pods {
		short("Too many pods", false)
	}
	if want.MilliCPU > 0 && want.MilliCPU > have.MilliCPU-used.MilliCPU {
		short("Insufficient cpu", want.MilliCPU > have.MilliCPU)
	}
	if want.Memory > 0 && want.Memory > have.Memory-used.Memory {
		short("Insufficient memory", want.Memory > have.Memory)
	}
	if want.EphemeralStorage > 0 && want.EphemeralStorage > have.EphemeralStorage-used.EphemeralStorage {
		short("Insufficient ephemeral-storage", want.EphemeralStorage > have.EphemeralStorage)
	}
	for _, name := range scalars {
		if w := want.Scalar[name]; w > 0 && w > have.Scalar[name]-used.Scalar[name] {
			short("Insufficient "+string(name), w > have.Scalar[name])
		}
	}
	return st
}

// FitsEmpty reports whether the pod's requests fit into what the node has for
// pods altogether.
func FitsEmpty(p *PodInfo, n *NodeInfo) bool {
	w, h := &p.Request, &n.Allocatable
	if h.Pods < 1 || w.MilliCPU > h.MilliCPU || w.Memory > h.Memory || w.EphemeralStorage > h.EphemeralStorage {
		return false
	}
	for name, v := range w.Scalar {
		if v > h.Scalar[name] {
			return false
		}
	}
	return true
}

// BalancedAllocation prefers nodes whose cpu and memory would be used to a
// similar degree.
var BalancedAllocation = &Rule{Name: "NodeResourcesBalancedAllocation", Weight: 1,
	Score: func(c *Cycle, nodes []*NodeInfo) (ScoreFunc, NormalizeFunc) {
		p := &c.Pod.Request
		if p.MilliCPU == 0 && p.Memory == 0 {
			return nil, nil // best effort pods do not change the balance
		}
		return func(n *NodeInfo) int64 {
			d := imbalance(n.Requested.MilliCPU+p.MilliCPU, n.Requested.Memory+p.Memory, &n.Allocatable)
			return int64((1 - d) * MaxScore)
		}, nil
	},
}

// imbalance is the standard deviation of the used fractions of cpu and memory.
func imbalance(cpu, memory int64, have *Resource) float64 {
	if have.MilliCPU == 0 || have.Memory == 0 {
		return 0
	}
	x := math.Min(float64(cpu)/float64(have.MilliCPU), 1)
	y := math.Min(float64(memory)/float64(have.Memory), 1)
	return math.Abs(x-y) / 2
}

// ImageLocality prefers nodes that have the pod's images already, weighed by
// size and by how common the image is.
var ImageLocality = &Rule{Name: "ImageLocality", Weight: 1,
	Score: func(c *Cycle, nodes []*NodeInfo) (ScoreFunc, NormalizeFunc) {
		const mb = 1024 * 1024
		containers := c.Pod.Pod.Spec.Containers
		names := make([]string, len(containers))
		spread := make([]float64, len(containers))
		any := false
		for i := range containers {
			names[i] = normalizedImage(containers[i].Image)
			have := 0
			for _, n := range nodes {
				if _, ok := n.images[names[i]]; ok {
					have++
				}
			}
			spread[i] = float64(have) / float64(len(nodes))
			any = any || have > 0
		}
		if !any {
			return nil, nil
		}
		low, high := int64(23*mb), int64(1000*mb)*int64(len(containers))
		return func(n *NodeInfo) int64 {
			sum := int64(0)
			for i, name := range names {
				sum += int64(float64(n.images[name]) * spread[i])
			}
			sum = min(max(sum, low), high)
			return MaxScore * (sum - low) / (high - low)
		}, nil
	},
}

func normalizedImage(name string) string {
	if strings.LastIndex(name, ":") <= strings.LastIndex(name, "/") {
		return name + ":latest"
	}
	return name
}
