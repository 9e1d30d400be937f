// Package cronjob starts jobs at the times of a schedule, keeps a list of those
// that run, and removes old ones beyond the history limits. schedule.go knows
// when.
package cronjob

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/timezone"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency = 8 * time.Millisecond
	// late is how long after a due time the controller looks: clocks may differ.
	late       = 100 * time.Millisecond
	manyMissed = 100
)

var gvk = batchv1.SchemeGroupVersion.WithKind("CronJob")

// Controller reconciles cron jobs.
type Controller struct {
	client   *client.Client
	clock    *clock.Clock
	recorder *client.Recorder
	crons    *client.Informer[*batchv1.CronJob]
	jobs     *client.Informer[*batchv1.Job]
	queue    *client.Queue
}

// New returns the controller of CronJobs.
func New(c *client.Client, f *client.Factory) *Controller {
	cc := &Controller{client: c, clock: f.Clock(), recorder: client.NewRecorder(c, f.Clock(), "cronjob-controller", ""),
		crons: client.InformerFor[*batchv1.CronJob](f), jobs: client.InformerFor[*batchv1.Job](f)}
	cc.queue = client.NewQueue(f.Clock(), "cronjob-controller", latency, cc.sync)
	cc.jobs.AddIndex(controller.OwnerIndex, controller.OwnerKeys[*batchv1.Job])
	cc.crons.OnChange(func(old, cj *batchv1.CronJob) {
		if cj == nil {
			cc.queue.Remove(client.Key(old))
			return
		}
		cc.queue.Add(client.Key(cj))
	})
	cc.jobs.OnChange(func(old, job *batchv1.Job) {
		for _, j := range []*batchv1.Job{old, job} {
			if j == nil {
				continue
			}
			if ref := controller.ControllerRef(j); ref != nil && ref.Kind == gvk.Kind {
				if cj, ok := cc.crons.Get(j.Namespace, ref.Name); ok && cj.UID == ref.UID {
					cc.queue.Add(client.Key(cj))
				}
			}
		}
	})
	return cc
}

// Finished returns the condition that ended the job, "" while it runs.
func Finished(j *batchv1.Job) batchv1.JobConditionType {
	for i := range j.Status.Conditions {
		if c := &j.Status.Conditions[i]; (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return c.Type
		}
	}
	return ""
}

func (c *Controller) sync(key string) error {
	shared, ok := c.crons.ByKey(key)
	if !ok {
		return nil
	}
	cj := controller.Copy(shared)
	cj.Status.Active = slices.Clone(cj.Status.Active)
	jobs := c.jobs.ByIndex(controller.OwnerIndex, string(cj.UID))
	changed := c.cleanUp(cj, jobs)
	seen, err := c.observe(cj, jobs)
	changed = changed || seen
	next := time.Duration(0)
	if err == nil && cj.DeletionTimestamp == nil {
		var started bool
		next, started, err = c.start(cj)
		changed = changed || started
	}
	if changed {
		if len(cj.Status.Active) == 0 {
			cj.Status.Active = nil
		}
		if _, uerr := client.UpdateStatus(c.client, cj); uerr != nil && !apierrors.IsNotFound(uerr) {
			return uerr
		}
	}
	if next > 0 {
		c.queue.AddAfter(key, next)
	}
	return err
}

func (c *Controller) forget(cj *batchv1.CronJob, uid metav1.UID) bool {
	n := len(cj.Status.Active)
	cj.Status.Active = slices.DeleteFunc(cj.Status.Active, func(r corev1.ObjectReference) bool { return r.UID == uid })
	return len(cj.Status.Active) < n
}

func listed(cj *batchv1.CronJob, uid metav1.UID) bool {
	return slices.ContainsFunc(cj.Status.Active, func(r corev1.ObjectReference) bool { return r.UID == uid })
}

// cleanUp deletes the oldest finished jobs beyond the limits.
func (c *Controller) cleanUp(cj *batchv1.CronJob, jobs []*batchv1.Job) bool {
	changed := false
	for _, how := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed} {
		limit := cj.Spec.SuccessfulJobsHistoryLimit
		if how == batchv1.JobFailed {
			limit = cj.Spec.FailedJobsHistoryLimit
		}
		if limit == nil {
			continue
		}
		var ended []*batchv1.Job
		for _, j := range jobs {
			if Finished(j) == how && j.DeletionTimestamp == nil {
				ended = append(ended, j)
			}
		}
		slices.SortStableFunc(ended, func(a, b *batchv1.Job) int {
			x, y := a.Status.StartTime, b.Status.StartTime
			if x != nil && y != nil && !x.Equal(y) {
				return x.Compare(y.Time)
			}
			if (x == nil) != (y == nil) {
				return map[bool]int{true: 1, false: -1}[x == nil]
			}
			return strings.Compare(a.Name, b.Name)
		})
		for _, j := range ended[:max(0, len(ended)-int(*limit))] {
			changed = c.remove(cj, j) == nil || changed
		}
	}
	return changed
}

func (c *Controller) remove(cj *batchv1.CronJob, j *batchv1.Job) error {
	if err := client.Delete[*batchv1.Job](c.client, j.Namespace, j.Name, client.DeleteOptions{Propagation: "Background"}); err != nil {
		c.recorder.Eventf(cj, controller.Warning, "FailedDelete", "Deleted job: %v", err)
		return err
	}
	c.forget(cj, j.UID)
	c.recorder.Eventf(cj, controller.Normal, "SuccessfulDelete", "Deleted job %v", j.Name)
	return nil
}

// observe brings the list of running jobs up to date.
func (c *Controller) observe(cj *batchv1.CronJob, jobs []*batchv1.Job) (bool, error) {
	changed := false
	children := map[metav1.UID]bool{}
	for _, j := range jobs {
		children[j.UID] = true
		how := Finished(j)
		switch found := listed(cj, j.UID); {
		case !found && how == "":
			c.recorder.Eventf(cj, controller.Warning, "UnexpectedJob", "Saw a job that the controller did not create or forgot: %s", j.Name)
		case found && how != "":
			c.forget(cj, j.UID)
			c.recorder.Eventf(cj, controller.Normal, "SawCompletedJob", "Saw completed job: %s, condition: %v", j.Name, how)
			changed = true
		}
		if end := j.Status.CompletionTime; how == batchv1.JobComplete && end != nil &&
			(cj.Status.LastSuccessfulTime == nil || end.After(cj.Status.LastSuccessfulTime.Time)) {
			cj.Status.LastSuccessfulTime = end
			changed = true
		}
	}
	for _, ref := range slices.Clone(cj.Status.Active) {
		if children[ref.UID] {
			continue
		}
		_, err := client.Get[*batchv1.Job](c.client, ref.Namespace, ref.Name)
		if apierrors.IsNotFound(err) {
			c.recorder.Eventf(cj, controller.Normal, "MissingJob", "Active job went missing: %v", ref.Name)
			changed = c.forget(cj, ref.UID) || changed
		} else if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// start starts the job that is due, if one is, and says when to look again.
func (c *Controller) start(cj *batchv1.CronJob) (next time.Duration, changed bool, err error) {
	now := c.clock.Now()
	name := ""
	if cj.Spec.TimeZone != nil {
		name = *cj.Spec.TimeZone
	}
	z, err := timezone.Find(name)
	if err != nil {
		c.recorder.Eventf(cj, controller.Warning, "UnknownTimeZone", "invalid timeZone: %q: %s", name, err)
		return 0, false, nil
	}
	if cj.Spec.Suspend != nil && *cj.Spec.Suspend {
		return 0, false, nil
	}
	s, err := parseSchedule(cj.Spec.Schedule, z)
	if err != nil {
		c.recorder.Eventf(cj, controller.Warning, "UnparseableSchedule", "unparseable schedule: %q : %s", cj.Spec.Schedule, err)
		return 0, false, nil
	}
	wait := func() time.Duration {
		from := now
		if t, missed := mostRecent(cj, s, now, false); !t.IsZero() {
			from = t
		} else if missed == 0 {
			from = cj.CreationTimestamp.Time
			if last := cj.Status.LastScheduleTime; last != nil {
				from = last.Time
			}
		}
		due := s.Next(from)
		if due.IsZero() {
			return 0
		}
		return max(due.Add(late).Sub(now), time.Millisecond)
	}
	due, missed := mostRecent(cj, s, now, true)
	if due.IsZero() {
		return wait(), false, nil
	}
	if missed > manyMissed {
		c.recorder.Eventf(cj, controller.Warning, "TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew")
	}
	if d := cj.Spec.StartingDeadlineSeconds; d != nil && due.Add(time.Duration(*d)*time.Second).Before(now) {
		c.recorder.Eventf(cj, controller.Warning, "MissSchedule", "Missed scheduled time to start a job: %s", due.UTC().Format(time.RFC1123Z))
		return wait(), false, nil
	}
	jobName := fmt.Sprintf("%s-%d", cj.Name, due.Unix()/60)
	if last := cj.Status.LastScheduleTime; last != nil && last.Time.Equal(due) ||
		slices.ContainsFunc(cj.Status.Active, func(r corev1.ObjectReference) bool { return r.Name == jobName }) {
		return wait(), false, nil
	}
	if cj.Spec.ConcurrencyPolicy == batchv1.ForbidConcurrent && len(cj.Status.Active) > 0 {
		c.recorder.Eventf(cj, controller.Normal, "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid")
		return wait(), false, nil
	}
	if cj.Spec.ConcurrencyPolicy == batchv1.ReplaceConcurrent {
		for _, ref := range slices.Clone(cj.Status.Active) {
			j, err := client.Get[*batchv1.Job](c.client, ref.Namespace, ref.Name)
			if err != nil {
				c.recorder.Eventf(cj, controller.Warning, "FailedGet", "Get job: %v", err)
				return 0, changed, err
			}
			if err := c.remove(cj, j); err != nil {
				return 0, changed, err
			}
			changed = true
		}
	}
	job, created, err := c.create(cj, jobName, z.Stamp(due))
	if err != nil || job == nil {
		return 0, changed, err
	}
	if created {
		c.recorder.Eventf(cj, controller.Normal, "SuccessfulCreate", "Created job %v", job.Name)
	}
	cj.Status.Active = append(cj.Status.Active, client.ObjectReference(job))
	t := metav1.NewTime(due)
	cj.Status.LastScheduleTime = &t
	return wait(), true, nil
}

// create makes the job of a due time; nil when one of that name is not for us.
func (c *Controller) create(cj *batchv1.CronJob, name, stamp string) (*batchv1.Job, bool, error) {
	job := &batchv1.Job{Spec: cj.Spec.JobTemplate.Spec}
	job.APIVersion, job.Kind = gvk.GroupVersion().String(), "Job"
	job.Namespace, job.Name = cj.Namespace, name
	job.Labels = cj.Spec.JobTemplate.Labels
	job.Annotations = map[string]string{batchv1.CronJobScheduledTimestampAnnotation: stamp}
	for k, v := range cj.Spec.JobTemplate.Annotations {
		if k != batchv1.CronJobScheduledTimestampAnnotation {
			job.Annotations[k] = v
		}
	}
	job.Spec.Template.Labels = maps.Clone(job.Spec.Template.Labels)
	job.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(cj, gvk)}
	created, err := client.Create(c.client, job)
	switch {
	case apierrors.IsAlreadyExists(err):
		have, err := client.Get[*batchv1.Job](c.client, job.Namespace, job.Name)
		if err != nil || !metav1.IsControlledBy(have, cj) || listed(cj, have.UID) {
			return nil, false, err
		}
		return have, false, nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil, false, err
	case err != nil:
		c.recorder.Eventf(cj, controller.Warning, "FailedCreate", "Error creating job: %v", err)
		return nil, false, err
	}
	return created, true, nil
}

// mostRecent is the latest due time since the last one that was served, the
// zero time if there is none, and how many were missed before it. withDeadline
// leaves out those that the starting deadline has passed.
func mostRecent(cj *batchv1.CronJob, s *schedule, now time.Time, withDeadline bool) (time.Time, int64) {
	earliest := cj.CreationTimestamp.Time
	if cj.Status.LastScheduleTime != nil {
		earliest = cj.Status.LastScheduleTime.Time
	}
	if d := cj.Spec.StartingDeadlineSeconds; withDeadline && d != nil {
		if t := now.Add(-time.Duration(*d) * time.Second); t.After(earliest) {
			earliest = t
		}
	}
	first := s.Next(earliest)
	if first.IsZero() || now.Before(first) {
		return time.Time{}, 0
	}
	second := s.Next(first)
	if second.IsZero() || now.Before(second) {
		return first, 0
	}
	period := max(1, int64(second.Sub(first).Round(time.Second)/time.Second))
	missed := int64(now.Sub(first)/time.Second)/period + 1
	var last time.Time
	from := first.Add(time.Duration((missed-2)*period) * time.Second)
	for t := s.Next(from); !t.IsZero() && !t.After(now); t = s.Next(t) {
		last = t
	}
	return last, missed
}
