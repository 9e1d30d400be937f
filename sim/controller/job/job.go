// Package job runs pods to completion: as many at a time as the parallelism
// says until enough have succeeded, with a growing pause after failures, until
// the back-off limit. Each pod carries a finalizer until its end has been
// counted in the job's status, so that no end is counted twice or lost.
// index.go holds what indexed jobs add, policy.go the rules about failed pods
// and about early success, status.go the counting, ttl.go the removal of
// finished jobs.
package job

import (
	"errors"
	"slices"
	"strconv"
	"time"

	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency    = 8 * time.Millisecond // between a change of a job and the reaction
	batchDelay = time.Second          // pods' changes are looked at together
	backoffMin = 10 * time.Second
	backoffMax = 10 * time.Minute
	burstPods  = 500 // most pods created or deleted in one sync
	maxPending = 500 // most ends that one status update announces
)

var gvk = batchv1.SchemeGroupVersion.WithKind("Job")

// Controller reconciles jobs.
type Controller struct {
	client   *client.Client
	clock    *clock.Clock
	recorder *client.Recorder
	jobs     *client.Informer[*batchv1.Job]
	pods     *client.Informer[*corev1.Pod]
	queue    *client.Queue
	orphans  *client.Queue
	failures map[metav1.UID]record
}

// New returns the controller of Jobs.
func New(c *client.Client, f *client.Factory) *Controller {
	jc := &Controller{client: c, clock: f.Clock(), recorder: client.NewRecorder(c, f.Clock(), "job-controller", ""),
		jobs: client.InformerFor[*batchv1.Job](f), pods: client.InformerFor[*corev1.Pod](f), failures: map[metav1.UID]record{}}
	jc.queue = client.NewQueue(f.Clock(), "job-controller", latency, jc.sync)
	jc.orphans = client.NewQueue(f.Clock(), "job-orphan-pods", latency, jc.syncOrphan)
	jc.pods.AddIndex(controller.OwnerIndex, controller.OwnerKeys[*corev1.Pod])
	jc.jobs.OnChange(jc.jobChanged)
	jc.pods.OnChange(jc.podChanged)
	return jc
}

func (c *Controller) jobChanged(old, job *batchv1.Job) {
	switch {
	case job == nil:
		delete(c.failures, old.UID)
		c.queue.Remove(client.Key(old))
		c.releaseAll(old)
	case old != nil && finished(job) != nil:
		c.releaseAll(job)
	case old != nil && old.Generation == job.Generation:
		c.queue.AddAfter(client.Key(job), batchDelay)
	default:
		c.queue.Add(client.Key(job))
	}
}

// releaseAll looks at the pods of a job that is finished or gone: their ends
// need no counting any more.
func (c *Controller) releaseAll(job *batchv1.Job) {
	for _, p := range c.pods.ByIndex(controller.OwnerIndex, string(job.UID)) {
		if tracked(p) {
			c.orphans.Add(client.Key(p))
		}
	}
}

func (c *Controller) podChanged(old, pod *corev1.Pod) {
	cur := pod
	if cur == nil {
		cur = old
	}
	ref := controller.ControllerRef(cur)
	if old != nil && pod != nil {
		if was := controller.ControllerRef(old); was != nil && (ref == nil || ref.UID != was.UID) {
			if job := c.owner(cur.Namespace, was); job != nil {
				c.queue.AddAfter(client.Key(job), batchDelay)
			}
		}
	}
	if ref != nil {
		if ref.Kind != gvk.Kind {
			return
		}
		job := c.owner(cur.Namespace, ref)
		if job != nil && finished(job) == nil {
			c.queue.AddAfter(client.Key(job), batchDelay)
		} else if pod != nil && tracked(pod) {
			c.orphans.Add(client.Key(pod))
		}
		return
	}
	if pod == nil {
		return
	}
	if tracked(pod) {
		c.orphans.Add(client.Key(pod))
	}
	if pod.DeletionTimestamp != nil || len(pod.Labels) == 0 {
		return
	}
	c.jobs.Scan(pod.Namespace, func(job *batchv1.Job) bool {
		if sel, err := metav1.LabelSelectorAsSelector(job.Spec.Selector); err == nil && !sel.Empty() && sel.Matches(labels.Set(pod.Labels)) {
			c.queue.AddAfter(client.Key(job), batchDelay)
		}
		return true
	})
}

func (c *Controller) owner(namespace string, ref *metav1.OwnerReference) *batchv1.Job {
	if ref.Kind != gvk.Kind {
		return nil
	}
	if job, ok := c.jobs.Get(namespace, ref.Name); ok && job.UID == ref.UID {
		return job
	}
	return nil
}

// syncOrphan takes the finalizer from a pod that no unfinished job counts.
func (c *Controller) syncOrphan(key string) error {
	p, ok := c.pods.ByKey(key)
	if !ok || !tracked(p) {
		return nil
	}
	if ref := controller.ControllerRef(p); ref != nil {
		if ref.Kind != gvk.Kind || ref.APIVersion != gvk.GroupVersion().String() {
			return nil
		}
		if job := c.owner(p.Namespace, ref); job != nil && (finished(job) == nil || external(job)) {
			return nil
		}
	}
	return c.untrack(p)
}

func tracked(p *corev1.Pod) bool { return slices.Contains(p.Finalizers, batchv1.JobTrackingFinalizer) }

// untrack removes the finalizer from a pod.
func (c *Controller) untrack(p *corev1.Pod) error {
	if !tracked(p) {
		return nil
	}
	_, err := client.Patch[*corev1.Pod](c.client, p.Namespace, p.Name, client.StrategicPatch, map[string]any{
		"metadata": map[string]any{"$deleteFromPrimitiveList/finalizers": []string{batchv1.JobTrackingFinalizer}}}, "")
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// finished returns the condition that ended the job, or nil.
func finished(job *batchv1.Job) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		if c := &job.Status.Conditions[i]; (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}

// external reports whether somebody else manages the job.
func external(job *batchv1.Job) bool {
	return job.Spec.ManagedBy != nil && *job.Spec.ManagedBy != batchv1.JobControllerName
}

func suspended(job *batchv1.Job) bool { return job.Spec.Suspend != nil && *job.Spec.Suspend }

// replacesFailedOnly reports whether a pod is replaced only when it has ended,
// not as soon as it is being deleted.
func replacesFailedOnly(job *batchv1.Job) bool {
	return job.Spec.PodFailurePolicy != nil || job.Spec.PodReplacementPolicy != nil && *job.Spec.PodReplacementPolicy == batchv1.Failed
}

func failed(p *corev1.Pod, job *batchv1.Job) bool {
	return p.Status.Phase == corev1.PodFailed ||
		!replacesFailedOnly(job) && p.DeletionTimestamp != nil && p.Status.Phase != corev1.PodSucceeded
}

// pass is one look at a job.
type pass struct {
	*Controller
	job         *batchv1.Job // a copy; its status is this pass's to change
	key         string
	now         time.Time
	pods        []*corev1.Pod
	active      []*corev1.Pod
	ready       int32
	terminating int32
	succeeded   int32 // including those not yet in the status
	failed      int32
	record      record
	end         *batchv1.JobCondition // what ends the job

	// Of indexed jobs.
	counted, done intervals
	failedIndexes *intervals
	delayed       map[int]*corev1.Pod
}

func (c *Controller) sync(key string) error {
	shared, ok := c.jobs.ByKey(key)
	if !ok || external(shared) || finished(shared) != nil {
		return nil
	}
	job := controller.Copy(shared)
	job.Status.Conditions = slices.Clone(job.Status.Conditions)
	pending := batchv1.UncountedTerminatedPods{}
	if u := job.Status.UncountedTerminatedPods; u != nil {
		pending = batchv1.UncountedTerminatedPods{Succeeded: slices.Clone(u.Succeeded), Failed: slices.Clone(u.Failed)}
	}
	job.Status.UncountedTerminatedPods = &pending
	pods, err := c.claim(job)
	if err != nil {
		return err
	}
	p := &pass{Controller: c, job: job, key: key, now: c.clock.Now(), pods: pods}
	for _, pod := range pods {
		switch {
		case controller.IsActive(pod):
			p.active = append(p.active, pod)
			if controller.IsReady(pod) {
				p.ready++
			}
		case controller.IsTerminating(pod):
			p.terminating++
		}
	}
	return p.run()
}

// claim returns the job's pods; those it adopts get the finalizer.
func (c *Controller) claim(job *batchv1.Job) ([]*corev1.Pod, error) {
	sel, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
	if err != nil {
		return nil, nil
	}
	candidates := slices.Clone(c.pods.ByIndex(controller.OwnerIndex, string(job.UID)))
	own := len(candidates)
	for _, p := range c.pods.ByIndex(controller.OwnerIndex, controller.OrphanKey(job.Namespace)) {
		if sel.Matches(labels.Set(p.Labels)) {
			candidates = append(candidates, p)
		}
	}
	pods, err := controller.Claim(c.client, job, gvk, sel, candidates)
	if err != nil || len(candidates) == own {
		return pods, err
	}
	for i, p := range pods {
		if tracked(p) || slices.ContainsFunc(candidates[:own], func(q *corev1.Pod) bool { return q.UID == p.UID }) {
			continue
		}
		u := controller.Copy(p)
		u.Finalizers = append(slices.Clone(p.Finalizers), batchv1.JobTrackingFinalizer)
		if pods[i], err = client.Update(c.client, u); err != nil {
			return nil, err
		}
	}
	return pods, nil
}

func (p *pass) run() error {
	job, status := p.job, &p.job.Status
	succeeded, failures := p.newlyFinished()
	p.succeeded = status.Succeeded + int32(len(succeeded)+len(status.UncountedTerminatedPods.Succeeded))
	p.failed = status.Failed + int32(len(status.UncountedTerminatedPods.Failed))
	for _, pod := range failures {
		if counts, _, _ := matchFailurePolicy(job.Spec.PodFailurePolicy, pod); counts {
			p.failed++
		}
	}
	if status.StartTime == nil && !suspended(job) {
		t := metav1.NewTime(p.now)
		status.StartTime = &t
	}
	p.record = p.failures[job.UID].after(succeeded, failures)

	p.judge()
	active := int32(len(p.active))
	changed := false
	var manageErr error
	if p.end != nil {
		var deleted int32
		deleted, manageErr = p.deletePods(p.active, false)
		if deleted != active {
			p.end = nil
		}
		active -= deleted
	} else {
		managed := false
		if job.DeletionTimestamp == nil {
			active, manageErr = p.manage()
			managed = true
		}
		complete := false
		if job.Spec.Completions == nil {
			complete = p.succeeded > 0 && active == 0
		} else {
			complete = p.succeeded >= *job.Spec.Completions && active == 0
		}
		switch {
		case complete:
			p.end = p.condition(batchv1.JobSuccessCriteriaMet, batchv1.JobReasonCompletionsReached, "Reached expected number of succeeded pods")
		case managed && suspended(job):
			if p.ensure(batchv1.JobSuspended, corev1.ConditionTrue, "JobSuspended", "Job suspended") {
				changed = true
				p.recorder.Eventf(job, controller.Normal, "Suspended", "Job suspended")
				status.StartTime = nil
			}
		case managed:
			if p.ensure(batchv1.JobSuspended, corev1.ConditionFalse, "JobResumed", "Job resumed") {
				changed = true
				p.recorder.Eventf(job, controller.Normal, "Resumed", "Job resumed")
				t := metav1.NewTime(p.now)
				status.StartTime = &t
			}
		}
	}
	changed = changed || active != status.Active || status.Ready == nil || *status.Ready != p.ready ||
		status.Terminating == nil || *status.Terminating != p.terminating
	status.Active, status.Ready, status.Terminating = active, new(p.ready), new(p.terminating)
	return errors.Join(p.track(changed), manageErr)
}

// judge looks for what ends the job: first what was decided before, then
// failure, then early success.
func (p *pass) judge() {
	job := p.job
	if c := findCondition(job, batchv1.JobSuccessCriteriaMet); c != nil {
		p.end = c
	} else if c := findCondition(job, batchv1.JobFailureTarget); c != nil {
		p.end = p.condition(batchv1.JobFailed, c.Reason, c.Message)
	} else if message, ok := p.failedByPolicy(); ok {
		p.end = p.condition(batchv1.JobFailureTarget, batchv1.JobReasonPodFailurePolicy, message)
	}
	if p.end == nil {
		switch left, limited := p.deadline(); {
		case p.failed > *job.Spec.BackoffLimit || p.restartedTooOften():
			p.end = p.condition(batchv1.JobFailureTarget, batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit")
		case limited && left <= 0:
			p.end = p.condition(batchv1.JobFailureTarget, batchv1.JobReasonDeadlineExceeded, "Job was active longer than specified deadline")
		case limited:
			p.queue.AddAfter(p.key, left)
		}
	}
	if indexed(job) {
		p.judgeIndexes()
	}
}

// deadline is how long the job may still be active; false without a limit.
func (p *pass) deadline() (time.Duration, bool) {
	limit := p.job.Spec.ActiveDeadlineSeconds
	if limit == nil || suspended(p.job) || p.job.Status.StartTime == nil {
		return 0, false
	}
	return time.Duration(*limit)*time.Second - p.now.Sub(p.job.Status.StartTime.Time), true
}

// restartedTooOften reports, for pods that restart their containers themselves,
// whether they did so too often.
func (p *pass) restartedTooOften() bool {
	if p.job.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyOnFailure {
		return false
	}
	n := int32(0)
	for _, pod := range p.pods {
		if pod.Status.Phase != corev1.PodRunning && pod.Status.Phase != corev1.PodPending {
			continue
		}
		for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
			for i := range list {
				n += list[i].RestartCount
			}
		}
	}
	if limit := *p.job.Spec.BackoffLimit; limit > 0 {
		return n >= limit
	}
	return n > 0
}

// manage creates or deletes pods and returns how many are active then.
func (p *pass) manage() (int32, error) {
	job := p.job
	active := int32(len(p.active))
	remove := func(pods []*corev1.Pod) (int32, error) {
		deleted, err := p.deletePods(pods, true)
		return active - deleted, err
	}
	if suspended(job) {
		return remove(p.surplus(len(p.active)))
	}
	want := *job.Spec.Parallelism
	if job.Spec.Completions == nil {
		if p.succeeded > 0 {
			want = active
		}
	} else {
		want = max(0, min(want, *job.Spec.Completions-p.succeeded))
	}
	if extra := p.surplus(int(max(0, active-want))); len(extra) > 0 {
		return remove(extra[:min(len(extra), burstPods)])
	}
	diff := want - active
	if replacesFailedOnly(job) {
		diff -= p.terminating
	}
	if diff <= 0 {
		return active, nil
	}
	perIndex := job.Spec.BackoffLimitPerIndex != nil
	if !perIndex {
		if left := p.record.pause(p.now); left > 0 {
			p.queue.AddAfter(p.key, max(left, batchDelay))
			return 0, nil
		}
	}
	diff = min(diff, burstPods)
	var indexes []int
	if indexed(job) {
		indexes = p.nextIndexes(int(diff))
		if perIndex {
			var left time.Duration
			if indexes, left = p.dueIndexes(indexes); left > 0 {
				p.queue.AddAfter(p.key, max(left, batchDelay))
				return 0, nil
			}
		}
		diff = int32(len(indexes))
	}
	template := job.Spec.Template
	if !slices.Contains(template.Finalizers, batchv1.JobTrackingFinalizer) {
		template.Finalizers = append(slices.Clone(template.Finalizers), batchv1.JobTrackingFinalizer)
	}
	if indexed(job) {
		template.Spec.InitContainers = withIndexEnv(template.Spec.InitContainers)
		template.Spec.Containers = withIndexEnv(template.Spec.Containers)
	}
	next := 0
	created, err := controller.SlowStart(int(diff), func() error {
		pod := controller.PodFromTemplate(&template, job, gvk)
		if indexed(job) {
			p.setIndex(pod, indexes[next])
		}
		next++
		created, err := client.Create(p.client, pod)
		switch {
		case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
			return nil
		case err != nil:
			p.recorder.Eventf(job, controller.Warning, "FailedCreate", "Error creating: %v", err)
			return err
		}
		p.recorder.Eventf(job, controller.Normal, "SuccessfulCreate", "Created pod: %v", created.Name)
		return nil
	})
	return active + int32(created), err
}

// surplus are the active pods to delete: at least n, and those whose index is
// taken or too high.
func (p *pass) surplus(n int) []*corev1.Pod {
	rm, left := []*corev1.Pod(nil), p.active
	if indexed(p.job) {
		rm, left = p.duplicates()
	}
	if n > len(rm) {
		rm = append(rm, controller.RankForDeletion(left, nil, p.now)[:n-len(rm)]...)
	}
	return rm
}

// deletePods deletes pods and counts those that went. uncounted says that their
// end shall not count: their finalizers go first.
func (p *pass) deletePods(pods []*corev1.Pod, uncounted bool) (int32, error) {
	deleted := int32(0)
	var first error
	for _, pod := range pods {
		var err error
		if uncounted {
			err = p.untrack(pod)
		}
		if err == nil {
			if err = client.Delete[*corev1.Pod](p.client, pod.Namespace, pod.Name, client.DeleteOptions{}); err == nil {
				p.recorder.Eventf(p.job, controller.Normal, "SuccessfulDelete", "Deleted pod: %v", pod.Name)
			} else if !apierrors.IsNotFound(err) {
				p.recorder.Eventf(p.job, controller.Warning, "FailedDelete", "Error deleting: %v", err)
			}
		}
		if err != nil && !apierrors.IsNotFound(err) {
			if first == nil {
				first = err
			}
			continue
		}
		deleted++
		if controller.IsReady(pod) {
			p.ready--
		}
	}
	p.terminating += deleted
	return deleted, first
}

func annotated(p *corev1.Pod, name string) int32 {
	n, err := strconv.ParseInt(p.Annotations[name], 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}
