// Package plugin holds the scheduler's rules, one a file: what keeps a pod off
// a node, with the words it is told in, and what makes one node better than
// another. A rule prepares itself once for each pod and then judges nodes one
// by one; a rule that has nothing to say about a pod returns no function.
package plugin

import (
	"github.com/kubonsai/kubonsai/sim/api/labels"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
)

// Status is why a node, or the whole pod, was rejected. nil is success.
type Status struct {
	Plugin  string
	Reasons []string
	// Unresolvable says that removing other pods would not help.
	Unresolvable bool
}

// FilterFunc judges one node.
type FilterFunc func(n *NodeInfo) *Status

// ScoreFunc rates one node that passed all filters.
type ScoreFunc func(n *NodeInfo) int64

// NormalizeFunc brings raw scores to 0…MaxScore in place.
type NormalizeFunc func(scores []int64)

// MaxScore is the best score of a rule, before its weight.
const MaxScore = 100

// Rule is one rule. Filter and Score may be nil.
type Rule struct {
	Name   string
	Filter func(c *Cycle) (FilterFunc, *Status)
	// Score is given the nodes that passed all filters.
	Score  func(c *Cycle, nodes []*NodeInfo) (ScoreFunc, NormalizeFunc)
	Weight int64
	// Topology says that the rule looks at the pods of other nodes, so that
	// the removal of a pod on one node changes what it says of another.
	Topology bool
}

// Cycle is the attempt to place one pod.
type Cycle struct {
	Pod *PodInfo
	// Nodes are all nodes of the cluster.
	Nodes []*NodeInfo
	// Cluster answers questions beyond nodes and pods.
	Cluster Cluster
	// Count counts a namespace's pods per node that match a selector.
	Count func(namespace string, sel labels.Selector) func(n *NodeInfo) int64
	// AffinityPods is how many pods in the cluster have (anti-)affinity terms.
	AffinityPods int
}

// Cluster is what rules ask about other objects.
type Cluster interface {
	Claim(namespace, name string) *corev1.PersistentVolumeClaim
	Volume(name string) *corev1.PersistentVolume
	Class(name string) *storagev1.StorageClass
	// Volumes are all persistent volumes, in order.
	Volumes() []*corev1.PersistentVolume
	NamespaceLabels(name string) map[string]string
	// Selector selects the pods that belong together with this one: those of
	// its services and its controller. nil when there are none.
	Selector(pod *corev1.Pod) labels.Selector
}

// Rules are the default profile's rules in the order in which they filter.
var Rules = []*Rule{
	NodeUnschedulable, NodeName, TaintToleration, NodeAffinity, NodePorts, NodeResourcesFit,
	VolumeRestrictions, VolumeBinding, VolumeZone, PodTopologySpread, InterPodAffinity,
	BalancedAllocation, ImageLocality,
}

func unresolvable(plugin, reason string) *Status {
	return &Status{Plugin: plugin, Reasons: []string{reason}, Unresolvable: true}
}

func rejected(plugin, reason string) *Status {
	return &Status{Plugin: plugin, Reasons: []string{reason}}
}

// normalize scales scores to 0…MaxScore by the highest; reverse turns them around.
func normalize(reverse bool) NormalizeFunc {
	return func(scores []int64) {
		best := int64(0)
		for _, s := range scores {
			best = max(best, s)
		}
		for i, s := range scores {
			switch {
			case best == 0 && reverse:
				scores[i] = MaxScore
			case best == 0:
			case reverse:
				scores[i] = MaxScore - MaxScore*s/best
			default:
				scores[i] = MaxScore * s / best
			}
		}
	}
}

// labelSet is labels as selectors match them.
func labelSet(m map[string]string) labels.Set { return labels.Set(m) }

func selector(ls *metav1.LabelSelector) labels.Selector {
	s, err := metav1.LabelSelectorAsSelector(ls)
	if err != nil {
		return labels.Nothing()
	}
	return s
}
