// Counting: an end is first announced in the status, then the pod loses its
// finalizer, then the end moves into the counters.

package job

import (
	"errors"
	"slices"
	"time"

	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

// record is what the back-off goes by: failures since the last success.
type record struct {
	failures int
	last     time.Time
}

// after is the record when further pods have ended.
func (r record) after(succeeded, failures []*corev1.Pod) record {
	if len(succeeded) == 0 {
		r.failures += len(failures)
		for _, p := range failures {
			if t := finishTime(p); t.After(r.last) {
				r.last = t
			}
		}
		return r
	}
	var success time.Time
	for _, p := range succeeded {
		if t := finishTime(p); t.After(success) {
			success = t
		}
	}
	r = record{}
	for _, p := range failures {
		if t := finishTime(p); t.After(success) {
			r.failures++
			if t.After(r.last) {
				r.last = t
			}
		}
	}
	return r
}

// pause is how long the next pod has to wait.
func (r record) pause(now time.Time) time.Duration {
	if r.failures == 0 {
		return 0
	}
	d := backoffMin
	for i := 1; i < r.failures && d < backoffMax; i++ {
		d *= 2
	}
	return max(0, min(d, backoffMax)-now.Sub(r.last))
}

// finishTime is when the pod's last container ended, as far as can be told.
func finishTime(p *corev1.Pod) time.Time {
	var t time.Time
	known := true
	look := func(list []corev1.ContainerStatus, counts func(name string) bool) {
		for i := range list {
			if !counts(list[i].Name) {
				continue
			}
			end := list[i].State.Terminated
			if end == nil || end.FinishedAt.IsZero() {
				known = false
			} else if end.FinishedAt.After(t) {
				t = end.FinishedAt.Time
			}
		}
	}
	look(p.Status.ContainerStatuses, func(string) bool { return true })
	look(p.Status.InitContainerStatuses, func(name string) bool {
		return slices.ContainsFunc(p.Spec.InitContainers, func(c corev1.Container) bool {
			return c.Name == name && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		})
	})
	if known && !t.IsZero() {
		return t
	}
	if c := controller.PodCondition(p, corev1.PodReady); c != nil && c.Status == corev1.ConditionFalse && !c.LastTransitionTime.IsZero() {
		return c.LastTransitionTime.Time
	}
	if p.DeletionTimestamp != nil {
		grace := int64(0)
		if p.DeletionGracePeriodSeconds != nil {
			grace = *p.DeletionGracePeriodSeconds
		}
		return p.DeletionTimestamp.Add(-time.Duration(grace) * time.Second)
	}
	return p.CreationTimestamp.Time
}

// newlyFinished are the ended pods that the status does not know yet.
func (p *pass) newlyFinished() (succeeded, failures []*corev1.Pod) {
	known := p.job.Status.UncountedTerminatedPods
	for _, pod := range p.pods {
		if !tracked(pod) || indexed(p.job) && p.index(pod) < 0 {
			continue
		}
		if pod.Status.Phase == corev1.PodSucceeded && !slices.Contains(known.Succeeded, pod.UID) {
			succeeded = append(succeeded, pod)
		}
		if failed(pod, p.job) && !slices.Contains(known.Failed, pod.UID) {
			failures = append(failures, pod)
		}
	}
	return succeeded, failures
}

// track announces ends, takes finalizers, counts, and ends the job when all of
// that is done.
func (p *pass) track(write bool) error {
	job := p.job
	status := &job.Status
	pending := status.UncountedTerminatedPods
	holders := map[metav1.UID]bool{}
	for _, pod := range p.pods {
		if tracked(pod) {
			holders[pod.UID] = true
		}
	}
	write = settle(status, holders) || write
	if indexed(job) {
		slices.SortStableFunc(p.pods, func(a, b *corev1.Pod) int { return completionIndex(a) - completionIndex(b) })
	}
	was := *pending
	was.Succeeded, was.Failed = slices.Clone(pending.Succeeded), slices.Clone(pending.Failed)
	var release []*corev1.Pod
	var fresh []int
	full := false
	for _, pod := range p.pods {
		bad := failed(pod, job)
		if !tracked(pod) || !p.releasable(pod, bad) {
			continue
		}
		release = append(release, pod)
		switch {
		case pod.Status.Phase == corev1.PodSucceeded && !slices.Contains(was.Failed, pod.UID):
			if indexed(job) {
				if i := p.index(pod); i >= 0 && !p.counted.has(i) {
					fresh = append(fresh, i)
					write = true
				}
			} else if !slices.Contains(pending.Succeeded, pod.UID) {
				pending.Succeeded = append(pending.Succeeded, pod.UID)
				write = true
			}
		case bad || p.end != nil && p.end.Type != batchv1.JobSuccessCriteriaMet:
			if slices.Contains(pending.Failed, pod.UID) || indexed(job) && p.index(pod) < 0 {
				break
			}
			if counts, _, _ := matchFailurePolicy(job.Spec.PodFailurePolicy, pod); counts {
				pending.Failed = append(pending.Failed, pod.UID)
				write = true
			}
		}
		if len(fresh)+len(pending.Succeeded)+len(pending.Failed) >= maxPending {
			full = true
			break
		}
	}
	if indexed(job) {
		p.done = p.done.with(fresh)
		if text := p.done.String(); text != status.CompletedIndexes {
			status.CompletedIndexes = text
			write = true
		}
		status.Succeeded = int32(p.done.total())
		if p.failedIndexes != nil {
			if text := p.failedIndexes.String(); status.FailedIndexes == nil || *status.FailedIndexes != text {
				status.FailedIndexes = &text
				write = true
			}
		}
	}
	if p.end != nil {
		switch p.end.Type {
		case batchv1.JobFailureTarget:
			status.Conditions = append(status.Conditions, *p.end)
			write = true
			p.end = p.condition(batchv1.JobFailed, p.end.Reason, p.end.Message)
		case batchv1.JobSuccessCriteriaMet:
			if findCondition(job, batchv1.JobSuccessCriteriaMet) == nil {
				status.Conditions = append(status.Conditions, *p.end)
				write = true
			}
			p.end = p.condition(batchv1.JobComplete, p.end.Reason, p.end.Message)
		}
	}
	if write {
		if err := p.flush(); err != nil {
			return err
		}
		p.failures[job.UID] = p.record
	}
	var errs []error
	for _, pod := range release {
		if err := p.untrack(pod); err != nil {
			errs = append(errs, err)
		} else {
			delete(holders, pod.UID)
		}
	}
	write = settle(&p.job.Status, holders)
	if len(errs) > 0 {
		if write {
			errs = append(errs, p.flush())
		}
		return errors.Join(errs...)
	}
	ended := !full && p.finish()
	if !write && !ended {
		return nil
	}
	if err := p.flush(); err != nil {
		return err
	}
	if ended {
		delete(p.failures, p.job.UID)
		if p.end.Type == batchv1.JobFailed {
			p.recorder.Eventf(p.job, controller.Warning, p.end.Reason, "%s", p.end.Message)
			return nil
		}
		if n := p.job.Spec.Completions; n != nil && p.job.Status.Succeeded > *n {
			p.recorder.Eventf(p.job, controller.Warning, "TooManySucceededPods", "Too many succeeded pods running after completion count reached")
		}
		p.recorder.Eventf(p.job, controller.Normal, "Completed", "Job completed")
	}
	return nil
}

// flush writes the status; the pass goes on with what was stored.
func (p *pass) flush() error {
	stored, err := client.UpdateStatus(p.client, p.job)
	if err != nil {
		return err
	}
	job := controller.Copy(stored)
	job.Status.Conditions = slices.Clone(job.Status.Conditions)
	pending := batchv1.UncountedTerminatedPods{}
	if u := stored.Status.UncountedTerminatedPods; u != nil {
		pending = batchv1.UncountedTerminatedPods{Succeeded: slices.Clone(u.Succeeded), Failed: slices.Clone(u.Failed)}
	}
	job.Status.UncountedTerminatedPods = &pending
	p.job = job
	return nil
}

// settle moves the announced ends of pods that have lost their finalizer into
// the counters.
func settle(s *batchv1.JobStatus, holders map[metav1.UID]bool) bool {
	move := func(uids *[]metav1.UID, n *int32) bool {
		left := slices.DeleteFunc(slices.Clone(*uids), func(u metav1.UID) bool { return !holders[u] })
		moved := len(*uids) - len(left)
		if len(left) == 0 {
			left = nil
		}
		*uids = left
		*n += int32(moved)
		return moved > 0
	}
	a := move(&s.UncountedTerminatedPods.Succeeded, &s.Succeeded)
	return move(&s.UncountedTerminatedPods.Failed, &s.Failed) || a
}

// releasable reports whether the pod's finalizer may go.
func (p *pass) releasable(pod *corev1.Pod, bad bool) bool {
	if p.job.DeletionTimestamp != nil || p.end != nil || pod.Status.Phase == corev1.PodSucceeded {
		return true
	}
	if !bad {
		return false
	}
	// The pod that failed last in an index tells its successor how often.
	held := p.delayed[completionIndex(pod)]
	return held == nil || held.UID != pod.UID
}

// finish adds the final condition once nothing is left to count.
func (p *pass) finish() bool {
	s := &p.job.Status
	if p.end == nil || len(s.UncountedTerminatedPods.Succeeded)+len(s.UncountedTerminatedPods.Failed) > 0 || p.terminating > 0 {
		return false
	}
	p.ensure(p.end.Type, p.end.Status, p.end.Reason, p.end.Message)
	if p.end.Type == batchv1.JobComplete {
		t := p.end.LastTransitionTime
		s.CompletionTime = &t
	}
	return true
}

func (p *pass) condition(t batchv1.JobConditionType, reason, message string) *batchv1.JobCondition {
	now := metav1.NewTime(p.now)
	return &batchv1.JobCondition{Type: t, Status: corev1.ConditionTrue, LastProbeTime: now, LastTransitionTime: now, Reason: reason, Message: message}
}

// findCondition returns the condition of that type if it is true.
func findCondition(job *batchv1.Job, t batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		if c := &job.Status.Conditions[i]; c.Type == t && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}

// ensure sets a condition; one that is absent counts as false.
func (p *pass) ensure(t batchv1.JobConditionType, status corev1.ConditionStatus, reason, message string) bool {
	next := p.condition(t, reason, message)
	next.Status = status
	for i := range p.job.Status.Conditions {
		if c := &p.job.Status.Conditions[i]; c.Type == t {
			if c.Status == status && c.Reason == reason && c.Message == message {
				return false
			}
			*c = *next
			return true
		}
	}
	if status == corev1.ConditionFalse {
		return false
	}
	p.job.Status.Conditions = append(p.job.Status.Conditions, *next)
	return true
}
