// The plugin TaintToleration: nodes whose taints a pod does not tolerate are
// filtered out or scored low (https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/).

package plugin

import corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"

func tolerates(ts []corev1.Toleration, taint *corev1.Taint) bool {
	for i := range ts {
		if ts[i].ToleratesTaint(taint) {
			return true
		}
	}
	return false
}

// untolerated returns the first NoSchedule or NoExecute taint that is not tolerated.
func untolerated(taints []corev1.Taint, ts []corev1.Toleration) *corev1.Taint {
	for i := range taints {
		if t := &taints[i]; t.Effect != corev1.TaintEffectPreferNoSchedule && !tolerates(ts, t) {
			return t
		}
	}
	return nil
}

// TaintToleration keeps pods off nodes with taints they do not tolerate, and
// prefers nodes with fewer PreferNoSchedule taints that they do not tolerate.
var TaintToleration = &Rule{Name: "TaintToleration", Weight: 3,
	Filter: func(c *Cycle) (FilterFunc, *Status) {
		no := unresolvable("TaintToleration", "node(s) had untolerated taint(s)")
		return func(n *NodeInfo) *Status {
			if n.tainted && untolerated(n.Node.Spec.Taints, c.Pod.Pod.Spec.Tolerations) != nil {
				return no
			}
			return nil
		}, nil
	},
	Score: func(c *Cycle, nodes []*NodeInfo) (ScoreFunc, NormalizeFunc) {
		any := false
		for _, n := range nodes {
			any = any || n.tainted
		}
		if !any {
			return nil, nil
		}
		return func(n *NodeInfo) int64 {
			count := int64(0)
			for i := range n.Node.Spec.Taints {
				t := &n.Node.Spec.Taints[i]
				if t.Effect != corev1.TaintEffectPreferNoSchedule {
					continue
				}
				ok := false
				for j := range c.Pod.Pod.Spec.Tolerations {
					tol := &c.Pod.Pod.Spec.Tolerations[j]
					if (tol.Effect == "" || tol.Effect == corev1.TaintEffectPreferNoSchedule) && tol.ToleratesTaint(t) {
						ok = true
					}
				}
				if !ok {
					count++
				}
			}
			return count
		}, normalize(true)
	},
}
