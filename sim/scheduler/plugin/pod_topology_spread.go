// The plugin PodTopologySpread: pods of one group stay spread over zones, nodes
// or other domains (https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/).

package plugin

import (
	"math"

	"github.com/kubonsai/kubonsai/sim/api/labels"
	"k8s.io/apimachinery/pkg/selection"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

const (
	hostnameLabel = "kubernetes.io/hostname"
	zoneLabel     = "topology.kubernetes.io/zone"
)

// spread is one compiled constraint.
type spread struct {
	key        string
	maxSkew    int64
	minDomains int64
	selector   labels.Selector
	affinity   bool // only nodes that the pod's node affinity allows count
	taints     bool // only nodes whose taints the pod tolerates count
}

func (s *spread) counts(pod *corev1.Pod, n *NodeInfo) bool {
	return (!s.affinity || MatchesNode(pod, n.Node)) &&
		(!s.taints || untolerated(n.Node.Spec.Taints, pod.Spec.Tolerations) == nil)
}

// spreads compiles the pod's constraints of one kind.
func spreads(c *Cycle, action corev1.UnsatisfiableConstraintAction) []spread {
	pod := c.Pod.Pod
	var out []spread
	for i := range pod.Spec.TopologySpreadConstraints {
		t := &pod.Spec.TopologySpreadConstraints[i]
		if t.WhenUnsatisfiable != action {
			continue
		}
		s := spread{key: t.TopologyKey, maxSkew: int64(t.MaxSkew), minDomains: 1, selector: selector(t.LabelSelector),
			affinity: t.NodeAffinityPolicy == nil || *t.NodeAffinityPolicy == corev1.NodeInclusionPolicyHonor,
			taints:   t.NodeTaintsPolicy != nil && *t.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor}
		if t.MinDomains != nil {
			s.minDomains = int64(*t.MinDomains)
		}
		for _, key := range t.MatchLabelKeys {
			if v, ok := pod.Labels[key]; ok {
				if r, err := labels.NewRequirement(key, selection.In, []string{v}); err == nil {
					s.selector = s.selector.Add(*r)
				}
			}
		}
		out = append(out, s)
	}
	return out
}

// PodTopologySpread keeps pods that belong together spread over nodes, zones or
// whatever the pod's constraints name; a pod without constraints prefers nodes
// and zones with fewer pods of its service or controller.
var PodTopologySpread = &Rule{Name: "PodTopologySpread", Weight: 2, Topology: true,
	Filter: func(c *Cycle) (FilterFunc, *Status) {
		pod := c.Pod.Pod
		constraints := spreads(c, corev1.DoNotSchedule)
		if len(constraints) == 0 {
			return nil, nil
		}
		matches := make([]map[string]int64, len(constraints))
		least := make([]int64, len(constraints))
		self := make([]int64, len(constraints))
		for i := range constraints {
			matches[i] = map[string]int64{}
			if constraints[i].selector.Matches(labels.Set(pod.Labels)) {
				self[i] = 1
			}
		}
		count := make([]func(*NodeInfo) int64, len(constraints))
		for i := range constraints {
			count[i] = c.Count(pod.Namespace, constraints[i].selector)
		}
	nodes:
		for _, n := range c.Nodes {
			for i := range constraints {
				if _, ok := n.label(constraints[i].key); !ok {
					continue nodes
				}
			}
			for i := range constraints {
				if constraints[i].counts(pod, n) {
					matches[i][n.Node.Labels[constraints[i].key]] += count[i](n)
				}
			}
		}
		for i := range constraints {
			if int64(len(matches[i])) < constraints[i].minDomains {
				continue // too few domains: the least counts as 0
			}
			least[i] = math.MaxInt64
			for _, v := range matches[i] {
				least[i] = min(least[i], v)
			}
			if len(matches[i]) == 0 {
				least[i] = 0
			}
		}
		const reason = "node(s) didn't match pod topology spread constraints"
		missing := unresolvable("PodTopologySpread", reason+" (missing required label)")
		no := rejected("PodTopologySpread", reason)
		return func(n *NodeInfo) *Status {
			for i := range constraints {
				v, ok := n.label(constraints[i].key)
				if !ok {
					return missing
				}
				if matches[i][v]+self[i]-least[i] > constraints[i].maxSkew {
					return no
				}
			}
			return nil
		}, nil
	},
	Score: func(c *Cycle, nodes []*NodeInfo) (ScoreFunc, NormalizeFunc) {
		pod := c.Pod.Pod
		var constraints []spread
		strict := len(pod.Spec.TopologySpreadConstraints) > 0
		if strict {
			constraints = spreads(c, corev1.ScheduleAnyway)
		} else if sel := c.Cluster.Selector(pod); sel != nil && !sel.Empty() {
			constraints = []spread{
				{key: hostnameLabel, maxSkew: 3, selector: sel, affinity: true},
				{key: zoneLabel, maxSkew: 5, selector: sel, affinity: true},
			}
		}
		if len(constraints) == 0 {
			return nil, nil
		}
		ignored := map[*NodeInfo]bool{}
		domains := make([]map[string]int64, len(constraints))
		count := make([]func(*NodeInfo) int64, len(constraints))
		weight := make([]float64, len(constraints))
		zones := false // a constraint beyond single nodes needs a look at all nodes
		for i := range constraints {
			domains[i] = map[string]int64{}
			count[i] = c.Count(pod.Namespace, constraints[i].selector)
		}
	nodes:
		for _, n := range nodes {
			if strict {
				for i := range constraints {
					if _, ok := n.label(constraints[i].key); !ok {
						ignored[n] = true
						continue nodes
					}
				}
			}
			for i := range constraints {
				if constraints[i].key == hostnameLabel {
					continue
				}
				if v, ok := n.label(constraints[i].key); ok {
					zones = true
					domains[i][v] = 0
				}
			}
		}
		for i := range constraints {
			size := len(domains[i])
			if constraints[i].key == hostnameLabel {
				size = len(nodes) - len(ignored)
			}
			weight[i] = math.Log(float64(size + 2))
		}
		if zones {
			for _, n := range c.Nodes {
				for i := range constraints {
					if constraints[i].key == hostnameLabel {
						continue
					}
					v, ok := n.label(constraints[i].key)
					if !ok {
						continue
					}
					if have, ok := domains[i][v]; ok && constraints[i].counts(pod, n) {
						domains[i][v] = have + count[i](n)
					}
				}
			}
		}
		score := func(n *NodeInfo) int64 {
			if len(ignored) > 0 && ignored[n] {
				return -1
			}
			sum := 0.0
			for i := range constraints {
				v, ok := n.label(constraints[i].key)
				if !ok {
					continue
				}
				var pods int64
				if constraints[i].key == hostnameLabel {
					pods = count[i](n)
				} else {
					pods = domains[i][v]
				}
				sum += float64(pods)*weight[i] + float64(constraints[i].maxSkew-1)
			}
			return int64(math.Round(sum))
		}
		return score, func(scores []int64) {
			low, high := int64(math.MaxInt64), int64(0)
			for _, s := range scores {
				if s >= 0 {
					low, high = min(low, s), max(high, s)
				}
			}
			for i, s := range scores {
				switch {
				case s < 0:
					scores[i] = 0
				case high == 0:
					scores[i] = MaxScore
				default:
					scores[i] = MaxScore * (high + low - s) / high
				}
			}
		}
	},
}
