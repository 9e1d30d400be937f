// What ReplicaSets and ReplicationControllers have in common, and how each
// spells it.

package replicaset

import (
	"slices"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/controller"
)

// kind is what the engine must know of a resource.
type kind[T metav1.Object] struct {
	component  string // as events name it
	gvk        metav1.GroupVersionKind
	spec       func(T) spec
	status     func(T) status
	withStatus func(T, status) T // a copy with that status
}

type spec struct {
	replicas, minReadySeconds int32
	selector                  *metav1.LabelSelector
	labels                    map[string]string // the selector of a ReplicationController
	template                  *corev1.PodTemplateSpec
}

func (s spec) compile() (labels.Selector, error) {
	if s.selector == nil {
		return labels.SelectorFromSet(s.labels), nil
	}
	return metav1.LabelSelectorAsSelector(s.selector)
}

type status struct {
	replicas, fullyLabeled, ready, available int32
	terminating                              *int32
	observedGeneration                       int64
	conditions                               []appsv1.ReplicaSetCondition
}

func (s status) equal(t status) bool {
	return s.replicas == t.replicas && s.fullyLabeled == t.fullyLabeled && s.ready == t.ready &&
		s.available == t.available && equalPointees(s.terminating, t.terminating) &&
		s.observedGeneration == t.observedGeneration && slices.Equal(s.conditions, t.conditions)
}

func equalPointees[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

var replicaSets = kind[*appsv1.ReplicaSet]{
	component: "replicaset-controller",
	gvk:       appsv1.SchemeGroupVersion.WithKind("ReplicaSet"),
	spec: func(rs *appsv1.ReplicaSet) spec {
		return spec{replicas: value(rs.Spec.Replicas), minReadySeconds: rs.Spec.MinReadySeconds,
			selector: rs.Spec.Selector, template: &rs.Spec.Template}
	},
	status: func(rs *appsv1.ReplicaSet) status {
		s := rs.Status
		return status{s.Replicas, s.FullyLabeledReplicas, s.ReadyReplicas, s.AvailableReplicas,
			s.TerminatingReplicas, s.ObservedGeneration, s.Conditions}
	},
	withStatus: func(rs *appsv1.ReplicaSet, s status) *appsv1.ReplicaSet {
		rs = controller.Copy(rs)
		rs.Status = appsv1.ReplicaSetStatus{Replicas: s.replicas, FullyLabeledReplicas: s.fullyLabeled,
			ReadyReplicas: s.ready, AvailableReplicas: s.available, TerminatingReplicas: s.terminating,
			ObservedGeneration: s.observedGeneration, Conditions: s.conditions}
		return rs
	},
}

var replicationControllers = kind[*corev1.ReplicationController]{
	component: "replication-controller",
	gvk:       corev1.SchemeGroupVersion.WithKind("ReplicationController"),
	spec: func(rc *corev1.ReplicationController) spec {
		return spec{replicas: value(rc.Spec.Replicas), minReadySeconds: rc.Spec.MinReadySeconds,
			labels: rc.Spec.Selector, template: rc.Spec.Template}
	},
	status: func(rc *corev1.ReplicationController) status {
		s := rc.Status
		out := status{s.Replicas, s.FullyLabeledReplicas, s.ReadyReplicas, s.AvailableReplicas, nil, s.ObservedGeneration, nil}
		for _, c := range s.Conditions {
			out.conditions = append(out.conditions, appsv1.ReplicaSetCondition{Type: appsv1.ReplicaSetConditionType(c.Type),
				Status: c.Status, LastTransitionTime: c.LastTransitionTime, Reason: c.Reason, Message: c.Message})
		}
		return out
	},
	withStatus: func(rc *corev1.ReplicationController, s status) *corev1.ReplicationController {
		rc = controller.Copy(rc)
		rc.Status = corev1.ReplicationControllerStatus{Replicas: s.replicas, FullyLabeledReplicas: s.fullyLabeled,
			ReadyReplicas: s.ready, AvailableReplicas: s.available, ObservedGeneration: s.observedGeneration}
		for _, c := range s.conditions {
			rc.Status.Conditions = append(rc.Status.Conditions, corev1.ReplicationControllerCondition{
				Type: corev1.ReplicationControllerConditionType(c.Type), Status: c.Status,
				LastTransitionTime: c.LastTransitionTime, Reason: c.Reason, Message: c.Message})
		}
		return rc
	},
}

func value(p *int32) int32 {
	if p == nil {
		return 1
	}
	return *p
}

func hasAll(have, want map[string]string) bool {
	for k, v := range want {
		if w, ok := have[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// totals are the numbers of a status.
type totals struct{ active, fullyLabeled, ready, available, terminating int }

// count counts a set's active pods and the terminating ones.
func count(sp spec, active, terminating []*corev1.Pod, now time.Time) totals {
	n := totals{active: len(active), terminating: len(terminating)}
	for _, p := range active {
		if hasAll(p.Labels, sp.template.Labels) {
			n.fullyLabeled++
		}
		if controller.IsReady(p) {
			n.ready++
			if controller.IsAvailable(p, sp.minReadySeconds, now) {
				n.available++
			}
		}
	}
	return n
}

// calculateStatus is the status of a set with these pods; old is what it was.
func calculateStatus(old status, generation int64, sp spec, n totals, manageErr error, now time.Time) status {
	s := status{replicas: int32(n.active), fullyLabeled: int32(n.fullyLabeled), ready: int32(n.ready), available: int32(n.available),
		observedGeneration: generation, conditions: old.conditions}
	if sp.selector != nil { // ReplicationControllers do not report terminating pods
		s.terminating = new(int32(n.terminating))
	}
	failing := slices.IndexFunc(old.conditions, func(c appsv1.ReplicaSetCondition) bool {
		return c.Type == appsv1.ReplicaSetReplicaFailure
	})
	switch {
	case manageErr != nil && failing < 0:
		reason := "FailedCreate"
		if n.active > int(sp.replicas) {
			reason = "FailedDelete"
		}
		s.conditions = append(slices.Clone(old.conditions), appsv1.ReplicaSetCondition{
			Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue,
			LastTransitionTime: metav1.NewTime(now), Reason: reason, Message: manageErr.Error()})
	case manageErr == nil && failing >= 0:
		s.conditions = slices.Delete(slices.Clone(old.conditions), failing, failing+1)
		if len(s.conditions) == 0 {
			s.conditions = nil
		}
	}
	return s
}
