package plugin

import (
	"github.com/kubonsai/kubonsai/sim/api/labels"
	"k8s.io/apimachinery/pkg/selection"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

// hardWeight is what a running pod's required affinity is worth to a new pod
// that it selects.
const hardWeight = 1

func newTerm(pod *corev1.Pod, t *corev1.PodAffinityTerm, weight int64) Term {
	out := Term{selector: selector(t.LabelSelector), Key: t.TopologyKey, Weight: weight}
	add := func(keys []string, op selection.Operator) {
		for _, key := range keys {
			if v, ok := pod.Labels[key]; ok {
				if r, err := labels.NewRequirement(key, op, []string{v}); err == nil {
					out.selector = out.selector.Add(*r)
				}
			}
		}
	}
	add(t.MatchLabelKeys, selection.In)
	add(t.MismatchLabelKeys, selection.NotIn)
	if len(t.Namespaces) == 0 && t.NamespaceSelector == nil {
		out.namespaces = map[string]bool{pod.Namespace: true}
		return out
	}
	out.namespaces = map[string]bool{}
	for _, ns := range t.Namespaces {
		out.namespaces[ns] = true
	}
	if t.NamespaceSelector != nil {
		out.nsSelector = selector(t.NamespaceSelector)
	}
	return out
}

// matches reports whether the term selects the pod.
func (t *Term) matches(c *Cycle, pod *corev1.Pod) bool {
	if !t.namespaces[pod.Namespace] &&
		(t.nsSelector == nil || !t.nsSelector.Matches(labels.Set(c.Cluster.NamespaceLabels(pod.Namespace)))) {
		return false
	}
	return t.selector.Matches(labels.Set(pod.Labels))
}

type domain struct{ key, value string }

// InterPodAffinity keeps pods near to or away from other pods, as their terms
// and those of running pods say.
var InterPodAffinity = &Rule{Name: "InterPodAffinity", Weight: 2, Topology: true,
	Filter: func(c *Cycle) (FilterFunc, *Status) {
		p := c.Pod
		if len(p.RequiredAffinity) == 0 && len(p.RequiredAnti) == 0 && c.AffinityPods == 0 {
			return nil, nil
		}
		forbidden, near, away := map[domain]int{}, map[domain]int{}, map[domain]int{}
		for _, n := range c.Nodes {
			for _, e := range n.AntiPods {
				for i := range e.RequiredAnti {
					t := &e.RequiredAnti[i]
					if v, ok := n.label(t.Key); ok && t.matches(c, p.Pod) {
						forbidden[domain{t.Key, v}]++
					}
				}
			}
			if len(p.RequiredAffinity) == 0 && len(p.RequiredAnti) == 0 {
				continue
			}
			for _, e := range n.Pods {
				if len(p.RequiredAffinity) > 0 && matchesAll(c, p.RequiredAffinity, e.Pod) {
					for i := range p.RequiredAffinity {
						if v, ok := n.label(p.RequiredAffinity[i].Key); ok {
							near[domain{p.RequiredAffinity[i].Key, v}]++
						}
					}
				}
				for i := range p.RequiredAnti {
					t := &p.RequiredAnti[i]
					if v, ok := n.label(t.Key); ok && t.matches(c, e.Pod) {
						away[domain{t.Key, v}]++
					}
				}
			}
		}
		if len(forbidden) == 0 && len(p.RequiredAffinity) == 0 && len(p.RequiredAnti) == 0 {
			return nil, nil
		}
		noAffinity := unresolvable("InterPodAffinity", "node(s) didn't match pod affinity rules")
		noAnti := rejected("InterPodAffinity", "node(s) didn't match pod anti-affinity rules")
		noExisting := rejected("InterPodAffinity", "node(s) didn't satisfy existing pods anti-affinity rules")
		// The first pod of a group that wants to be together may go anywhere.
		first := len(near) == 0 && matchesAll(c, p.RequiredAffinity, p.Pod)
		return func(n *NodeInfo) *Status {
			exists := true
			for i := range p.RequiredAffinity {
				v, ok := n.label(p.RequiredAffinity[i].Key)
				if !ok {
					return noAffinity
				}
				exists = exists && near[domain{p.RequiredAffinity[i].Key, v}] > 0
			}
			if !exists && !first {
				return noAffinity
			}
			for i := range p.RequiredAnti {
				if v, ok := n.label(p.RequiredAnti[i].Key); ok && away[domain{p.RequiredAnti[i].Key, v}] > 0 {
					return noAnti
				}
			}
			if len(forbidden) > 0 {
				for key, value := range n.Node.Labels {
					if forbidden[domain{key, value}] > 0 {
						return noExisting
					}
				}
			}
			return nil
		}, nil
	},
	Score: func(c *Cycle, nodes []*NodeInfo) (ScoreFunc, NormalizeFunc) {
		p := c.Pod
		own := len(p.PreferredAffinity)+len(p.PreferredAnti) > 0
		if !own && c.AffinityPods == 0 {
			return nil, nil
		}
		score := map[domain]int64{}
		add := func(n *NodeInfo, terms []Term, pod *corev1.Pod, sign, fixed int64) {
			for i := range terms {
				t := &terms[i]
				w := t.Weight
				if fixed != 0 {
					w = fixed
				}
				if v, ok := n.label(t.Key); ok && w != 0 && t.matches(c, pod) {
					score[domain{t.Key, v}] += sign * w
				}
			}
		}
		for _, n := range c.Nodes {
			existing := n.AffinityPods
			if own {
				existing = n.Pods
			}
			for _, e := range existing {
				add(n, p.PreferredAffinity, e.Pod, 1, 0)
				add(n, p.PreferredAnti, e.Pod, -1, 0)
				add(n, e.RequiredAffinity, p.Pod, 1, hardWeight)
				add(n, e.PreferredAffinity, p.Pod, 1, 0)
				add(n, e.PreferredAnti, p.Pod, -1, 0)
			}
		}
		if len(score) == 0 {
			return nil, nil
		}
		return func(n *NodeInfo) int64 {
				sum := int64(0)
				for d, s := range score {
					if v, ok := n.label(d.key); ok && v == d.value {
						sum += s
					}
				}
				return sum
			}, func(scores []int64) {
				if len(scores) == 0 {
					return
				}
				low, high := scores[0], scores[0]
				for _, s := range scores {
					low, high = min(low, s), max(high, s)
				}
				for i, s := range scores {
					scores[i] = 0
					if high > low {
						scores[i] = int64(MaxScore * (float64(s-low) / float64(high-low)))
					}
				}
			}
	},
}

// matchesAll reports whether all terms select the pod.
func matchesAll(c *Cycle, terms []Term, pod *corev1.Pod) bool {
	for i := range terms {
		if !terms[i].matches(c, pod) {
			return false
		}
	}
	return len(terms) > 0
}
