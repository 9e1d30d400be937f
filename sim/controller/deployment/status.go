// The deployment's status: counts over its sets, the conditions Available,
// Progressing and ReplicaFailure, and the progress deadline.

package deployment

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
)

// Reasons of the Progressing condition.
const (
	reasonUpdated     = "ReplicaSetUpdated"
	reasonCreateError = "ReplicaSetCreateError"
	reasonCreated     = "NewReplicaSetCreated"
	reasonFound       = "FoundNewReplicaSet"
	reasonAvailable   = "NewReplicaSetAvailable"
	reasonTimedOut    = "ProgressDeadlineExceeded"
	reasonPaused      = "DeploymentPaused"
	reasonResumed     = "DeploymentResumed"
)

func condition(conds []appsv1.DeploymentCondition, t appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range conds {
		if conds[i].Type == t {
			return &conds[i]
		}
	}
	return nil
}

func (r *rollout) setCondition(s *appsv1.DeploymentStatus, t appsv1.DeploymentConditionType, status corev1.ConditionStatus, reason, message string) {
	now := metav1.NewTime(r.now)
	s.Conditions = withCondition(s.Conditions, appsv1.DeploymentCondition{Type: t, Status: status,
		LastUpdateTime: now, LastTransitionTime: now, Reason: reason, Message: message})
}

// withCondition returns the conditions with c in place of the one of its type,
// at the end. Nothing changes while status and reason stay the same.
func withCondition(conds []appsv1.DeploymentCondition, c appsv1.DeploymentCondition) []appsv1.DeploymentCondition {
	if cur := condition(conds, c.Type); cur != nil {
		if cur.Status == c.Status {
			if cur.Reason == c.Reason {
				return conds
			}
			c.LastTransitionTime = cur.LastTransitionTime
		}
	}
	return append(withoutCondition(conds, c.Type), c)
}

func withoutCondition(conds []appsv1.DeploymentCondition, t appsv1.DeploymentConditionType) []appsv1.DeploymentCondition {
	var out []appsv1.DeploymentCondition
	for _, c := range conds {
		if c.Type != t {
			out = append(out, c)
		}
	}
	return out
}

// calculateStatus counts over all sets.
func (r *rollout) calculateStatus() appsv1.DeploymentStatus {
	d := r.d
	s := appsv1.DeploymentStatus{ObservedGeneration: d.Generation, CollisionCount: d.Status.CollisionCount,
		Conditions: slices.Clone(d.Status.Conditions)}
	wanted, terminating := int32(0), int32(0)
	known := true
	for _, rs := range r.all() {
		wanted += replicasOf(rs)
		s.Replicas += rs.Status.Replicas
		s.ReadyReplicas += rs.Status.ReadyReplicas
		s.AvailableReplicas += rs.Status.AvailableReplicas
		switch {
		case rs.Status.TerminatingReplicas != nil:
			terminating += *rs.Status.TerminatingReplicas
		case rs.Status.ObservedGeneration != 0:
			known = false
		}
	}
	if r.new != nil {
		s.UpdatedReplicas = r.new.Status.Replicas
	}
	s.UnavailableReplicas = max(wanted-s.AvailableReplicas, 0)
	if known {
		s.TerminatingReplicas = &terminating
	}
	if s.AvailableReplicas >= replicas(d)-maxUnavailable(d) {
		r.setCondition(&s, appsv1.DeploymentAvailable, corev1.ConditionTrue, "MinimumReplicasAvailable", "Deployment has minimum availability.")
	} else {
		r.setCondition(&s, appsv1.DeploymentAvailable, corev1.ConditionFalse, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
	}
	return s
}

// syncStatus writes the counts, without a look at progress.
func (r *rollout) syncStatus() error {
	s := r.calculateStatus()
	if reflect.DeepEqual(s, r.d.Status) {
		return nil
	}
	r.d.Status = s
	return r.updateStatus()
}

// syncRolloutStatus writes the counts and how the rollout progresses.
func (r *rollout) syncRolloutStatus() error {
	d := r.d
	s := r.calculateStatus()
	if !hasProgressDeadline(d) {
		s.Conditions = withoutCondition(s.Conditions, appsv1.DeploymentProgressing)
	}
	cur := condition(d.Status.Conditions, appsv1.DeploymentProgressing)
	finished := s.Replicas == s.UpdatedReplicas && cur != nil && cur.Reason == reasonAvailable
	if hasProgressDeadline(d) && !finished {
		subject := fmt.Sprintf("Deployment %q", d.Name)
		if r.new != nil {
			subject = fmt.Sprintf("ReplicaSet %q", r.new.Name)
		}
		switch {
		case complete(d, &s):
			r.setCondition(&s, appsv1.DeploymentProgressing, corev1.ConditionTrue, reasonAvailable, subject+" has successfully progressed.")
		case progressing(&d.Status, &s):
			now := metav1.NewTime(r.now)
			c := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue,
				LastUpdateTime: now, LastTransitionTime: now, Reason: reasonUpdated, Message: subject + " is progressing."}
			if cur != nil && cur.Status == corev1.ConditionTrue {
				c.LastTransitionTime = cur.LastTransitionTime
			}
			s.Conditions = append(withoutCondition(s.Conditions, c.Type), c)
		case timedOut(d, &s, r.now):
			r.setCondition(&s, appsv1.DeploymentProgressing, corev1.ConditionFalse, reasonTimedOut, subject+" has timed out progressing.")
		}
	}
	if f := r.replicaFailure(); f != nil {
		s.Conditions = withCondition(s.Conditions, appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure,
			Status: f.Status, LastUpdateTime: f.LastTransitionTime, LastTransitionTime: f.LastTransitionTime,
			Reason: f.Reason, Message: f.Message})
	} else {
		s.Conditions = withoutCondition(s.Conditions, appsv1.DeploymentReplicaFailure)
	}
	if !reflect.DeepEqual(s, d.Status) {
		d.Status = s
		if err := r.updateStatus(); err != nil {
			return err
		}
	}
	r.awaitDeadline()
	return nil
}

// awaitDeadline comes back when the progress deadline has passed.
func (r *rollout) awaitDeadline() {
	cur := condition(r.d.Status.Conditions, appsv1.DeploymentProgressing)
	if !hasProgressDeadline(r.d) || cur == nil || complete(r.d, &r.d.Status) || cur.Reason == reasonTimedOut {
		return
	}
	deadline := cur.LastUpdateTime.Add(time.Duration(*r.d.Spec.ProgressDeadlineSeconds) * time.Second)
	r.queue.AddAfter(client.Key(r.d), max(deadline.Sub(r.now), 0)+time.Second)
}

func (r *rollout) replicaFailure() *appsv1.ReplicaSetCondition {
	find := func(rs *appsv1.ReplicaSet) *appsv1.ReplicaSetCondition {
		for i := range rs.Status.Conditions {
			if rs.Status.Conditions[i].Type == appsv1.ReplicaSetReplicaFailure {
				return &rs.Status.Conditions[i]
			}
		}
		return nil
	}
	if r.new != nil {
		if c := find(r.new); c != nil {
			return c
		}
	}
	for _, rs := range r.olds {
		if c := find(rs); c != nil {
			return c
		}
	}
	return nil
}

func hasProgressDeadline(d *appsv1.Deployment) bool {
	return d.Spec.ProgressDeadlineSeconds != nil && *d.Spec.ProgressDeadlineSeconds != noLimit
}

// complete reports whether all replicas are of the current template and available.
func complete(d *appsv1.Deployment, s *appsv1.DeploymentStatus) bool {
	n := replicas(d)
	return s.UpdatedReplicas == n && s.Replicas == n && s.AvailableReplicas == n && s.ObservedGeneration >= d.Generation
}

// progressing reports whether more pods are new, ready or available, or fewer are old.
func progressing(old, s *appsv1.DeploymentStatus) bool {
	return s.UpdatedReplicas > old.UpdatedReplicas ||
		s.Replicas-s.UpdatedReplicas < old.Replicas-old.UpdatedReplicas ||
		s.ReadyReplicas > old.ReadyReplicas || s.AvailableReplicas > old.AvailableReplicas
}

func timedOut(d *appsv1.Deployment, s *appsv1.DeploymentStatus, now time.Time) bool {
	c := condition(s.Conditions, appsv1.DeploymentProgressing)
	switch {
	case c == nil || c.Reason == reasonAvailable:
		return false
	case c.Reason == reasonTimedOut:
		return true
	}
	return c.LastUpdateTime.Add(time.Duration(*d.Spec.ProgressDeadlineSeconds) * time.Second).Before(now)
}
