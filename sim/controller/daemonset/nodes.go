// Which nodes run a pod of the set, and how a pod is tied to its node.

package daemonset

import (
	"slices"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/scheduler/plugin"
)

// shouldRun reports whether the node gets a pod, and whether one that is there
// may stay.
func shouldRun(n *corev1.Node, ds *appsv1.DaemonSet) (run, keep bool) {
	spec := ds.Spec.Template.Spec
	if spec.NodeName != "" && spec.NodeName != n.Name {
		return false, false
	}
	if !plugin.MatchesNode(&corev1.Pod{Spec: spec}, n) {
		return false, false
	}
	tolerated := tolerations(&spec)
	run, keep = true, true
	for i := range n.Spec.Taints {
		t := &n.Spec.Taints[i]
		if t.Effect == corev1.TaintEffectPreferNoSchedule || slices.ContainsFunc(tolerated, func(o corev1.Toleration) bool { return tolerates(&o, t) }) {
			continue
		}
		run = false
		if t.Effect == corev1.TaintEffectNoExecute {
			keep = false
		}
	}
	return run, keep
}

func tolerates(o *corev1.Toleration, t *corev1.Taint) bool {
	if o.Effect != "" && o.Effect != t.Effect || o.Key != "" && o.Key != t.Key {
		return false
	}
	return o.Operator == corev1.TolerationOpExists || (o.Operator == "" || o.Operator == corev1.TolerationOpEqual) && o.Value == t.Value
}

// tolerations are the spec's own and those that every daemon pod has.
func tolerations(spec *corev1.PodSpec) []corev1.Toleration {
	out := slices.Clone(spec.Tolerations)
	add := func(key string, effect corev1.TaintEffect) {
		t := corev1.Toleration{Key: "node.kubernetes.io/" + key, Operator: corev1.TolerationOpExists, Effect: effect}
		if i := slices.IndexFunc(out, func(o corev1.Toleration) bool {
			return o.Key == t.Key && o.Effect == t.Effect && o.Operator == t.Operator
		}); i >= 0 {
			out[i] = t
			return
		}
		out = append(out, t)
	}
	add("not-ready", corev1.TaintEffectNoExecute)
	add("unreachable", corev1.TaintEffectNoExecute)
	for _, key := range []string{"disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"} {
		add(key, corev1.TaintEffectNoSchedule)
	}
	if spec.HostNetwork {
		add("network-unavailable", corev1.TaintEffectNoSchedule)
	}
	return out
}

const nodeNameField = "metadata.name"

// onlyNode is the affinity with the node as the only one allowed.
func onlyNode(a *corev1.Affinity, node string) *corev1.Affinity {
	out, na := corev1.Affinity{}, corev1.NodeAffinity{}
	if a != nil {
		out = *a
		if a.NodeAffinity != nil {
			na = *a.NodeAffinity
		}
	}
	na.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchFields: []corev1.NodeSelectorRequirement{{Key: nodeNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}}}
	out.NodeAffinity = &na
	return &out
}

// targetNode is the node that a pod is on or meant for, "" if none.
func targetNode(p *corev1.Pod) string {
	if p.Spec.NodeName != "" {
		return p.Spec.NodeName
	}
	a := p.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, f := range term.MatchFields {
			if f.Key == nodeNameField && f.Operator == corev1.NodeSelectorOpIn && len(f.Values) == 1 {
				return f.Values[0]
			}
		}
	}
	return ""
}
