package plugin

import (
	"strconv"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

// NodeAffinity keeps pods on nodes that match their node selector and required
// node affinity, and prefers nodes that match the preferred terms.
var NodeAffinity = &Rule{Name: "NodeAffinity", Weight: 2,
	Filter: func(c *Cycle) (FilterFunc, *Status) {
		pod := c.Pod.Pod
		if !wantsNodes(pod) {
			return nil, nil
		}
		no := unresolvable("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
		return func(n *NodeInfo) *Status {
			if MatchesNode(pod, n.Node) {
				return nil
			}
			return no
		}, nil
	},
	Score: func(c *Cycle, nodes []*NodeInfo) (ScoreFunc, NormalizeFunc) {
		a := c.Pod.Pod.Spec.Affinity
		if a == nil || a.NodeAffinity == nil || len(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) == 0 {
			return nil, nil
		}
		terms := a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution
		return func(n *NodeInfo) int64 {
			sum := int64(0)
			for i := range terms {
				if terms[i].Weight != 0 && matchesTerm(&terms[i].Preference, n.Node) {
					sum += int64(terms[i].Weight)
				}
			}
			return sum
		}, normalize(false)
	},
}

func wantsNodes(pod *corev1.Pod) bool {
	a := pod.Spec.Affinity
	return len(pod.Spec.NodeSelector) > 0 || a != nil && a.NodeAffinity != nil &&
		a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil
}

// MatchesNode reports whether the node fulfils the pod's node selector and
// required node affinity.
func MatchesNode(pod *corev1.Pod, node *corev1.Node) bool {
	for k, v := range pod.Spec.NodeSelector {
		if got, ok := node.Labels[k]; !ok || got != v {
			return false
		}
	}
	a := pod.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	return MatchesSelector(a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution, node)
}

// MatchesSelector reports whether any of the selector's terms matches the node.
func MatchesSelector(s *corev1.NodeSelector, node *corev1.Node) bool {
	for i := range s.NodeSelectorTerms {
		if matchesTerm(&s.NodeSelectorTerms[i], node) {
			return true
		}
	}
	return false
}

func matchesTerm(t *corev1.NodeSelectorTerm, node *corev1.Node) bool {
	if len(t.MatchExpressions) == 0 && len(t.MatchFields) == 0 {
		return false
	}
	for i := range t.MatchExpressions {
		e := &t.MatchExpressions[i]
		v, ok := node.Labels[e.Key]
		if !matchesRequirement(e, v, ok) {
			return false
		}
	}
	for i := range t.MatchFields {
		e := &t.MatchFields[i]
		if e.Key != "metadata.name" || !matchesRequirement(e, node.Name, true) {
			return false
		}
	}
	return true
}

func matchesRequirement(e *corev1.NodeSelectorRequirement, value string, has bool) bool {
	in := func() bool {
		for _, v := range e.Values {
			if v == value {
				return true
			}
		}
		return false
	}
	switch e.Operator {
	case corev1.NodeSelectorOpIn:
		return has && in()
	case corev1.NodeSelectorOpNotIn:
		return !has || !in()
	case corev1.NodeSelectorOpExists:
		return has
	case corev1.NodeSelectorOpDoesNotExist:
		return !has
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if !has || len(e.Values) != 1 {
			return false
		}
		x, errx := strconv.ParseInt(value, 10, 64)
		y, erry := strconv.ParseInt(e.Values[0], 10, 64)
		if errx != nil || erry != nil {
			return false
		}
		if e.Operator == corev1.NodeSelectorOpGt {
			return x > y
		}
		return x < y
	}
	return false
}

// NodeNames returns the nodes that the pod's required affinity names
// (metadata.name in …, as DaemonSets write it), or nil when it does not.
func NodeNames(pod *corev1.Pod) []string {
	a := pod.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	names := []string{}
	for i := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		t := &a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[i]
		named := false
		for _, f := range t.MatchFields {
			if f.Key == "metadata.name" && f.Operator == corev1.NodeSelectorOpIn {
				named = true
				names = append(names, f.Values...)
			}
		}
		if !named {
			return nil
		}
	}
	return names
}
