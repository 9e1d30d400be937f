// This file lets pods stay for five minutes on nodes that are not ready or
// cannot be reached, and keeps pods off nodes that have just joined.

package admission

import (
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

var fiveMinutes = new(int64(300))

// The usual case, shared by all pods that have no tolerations of their own;
// its capacity is its length, so that appending copies it.
var defaultTolerations = []corev1.Toleration{
	{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: fiveMinutes},
	{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: fiveMinutes},
}

// DefaultTolerationSeconds adds the two tolerations where the pod says nothing about the taints.
var DefaultTolerationSeconds = Plugin{Name: "DefaultTolerationSeconds", Admit: func(a *apiserver.Attributes) error {
	if !is(a, apiserver.Create, "pods") && !is(a, apiserver.Update, "pods") {
		return nil
	}
	pod := a.Object.(*corev1.Pod)
	if len(pod.Spec.Tolerations) == 0 {
		pod.Spec.Tolerations = defaultTolerations
		return nil
	}
	out := pod.Spec.Tolerations[:len(pod.Spec.Tolerations):len(pod.Spec.Tolerations)]
	for i := range defaultTolerations {
		said := false
		for _, t := range pod.Spec.Tolerations {
			said = said || (t.Key == defaultTolerations[i].Key || t.Key == "") && (t.Effect == corev1.TaintEffectNoExecute || t.Effect == "")
		}
		if !said {
			out = append(out, defaultTolerations[i])
		}
	}
	pod.Spec.Tolerations = out
	return nil
}}

// TaintNodesByCondition taints new nodes until the node controller has seen them ready.
var TaintNodesByCondition = Plugin{Name: "TaintNodesByCondition", Admit: func(a *apiserver.Attributes) error {
	if !is(a, apiserver.Create, "nodes") {
		return nil
	}
	node := a.Object.(*corev1.Node)
	taint := corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}
	for i := range node.Spec.Taints {
		if node.Spec.Taints[i].MatchTaint(&taint) {
			return nil
		}
	}
	n := len(node.Spec.Taints)
	node.Spec.Taints = append(node.Spec.Taints[:n:n], taint)
	return nil
}}
