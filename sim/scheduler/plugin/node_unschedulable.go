package plugin

import corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"

var unschedulableTaint = corev1.Taint{Key: "node.kubernetes.io/unschedulable", Effect: corev1.TaintEffectNoSchedule}

// NodeUnschedulable keeps pods off cordoned nodes, unless they tolerate the
// taint that stands for it.
var NodeUnschedulable = &Rule{Name: "NodeUnschedulable", Filter: func(c *Cycle) (FilterFunc, *Status) {
	no := unresolvable("NodeUnschedulable", "node(s) were unschedulable")
	tolerated := tolerates(c.Pod.Pod.Spec.Tolerations, &unschedulableTaint)
	return func(n *NodeInfo) *Status {
		if n.unschedulable && !tolerated {
			return no
		}
		return nil
	}, nil
}}
