package job

import (
	"strings"
	"testing"
	"time"

	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
)

const manifest = `
apiVersion: batch/v1
kind: Job
metadata: {name: pi}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: "busybox:1.36"}]}
`

func setUp(t *testing.T, edit func(*batchv1.JobSpec)) *ct.Cluster {
	c := ct.New(t)
	New(c.Client, c.Factory)
	NewCleaner(c.Client, c.Factory)
	c.StartKubelet(100 * time.Millisecond).AnyPod = true
	j := ct.Parse[*batchv1.Job](c, manifest)
	if edit != nil {
		edit(&j.Spec)
	}
	ct.Create(c, j)
	c.Run(3 * time.Second)
	return c
}

// end ends the running pods; a pod's exit code comes from its completion index.
func end(c *ct.Cluster, code func(index int) int32) {
	for _, p := range ct.List[*corev1.Pod](c, "") {
		if p.Status.Phase != corev1.PodRunning {
			continue
		}
		ct.ChangeStatus(c, "default", p.Name, func(p *corev1.Pod) {
			exit := code(completionIndex(p))
			p.Status.Phase = corev1.PodSucceeded
			if exit != 0 {
				p.Status.Phase = corev1.PodFailed
			}
			p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: exit, FinishedAt: metav1.NewTime(c.Clock.Now())}}
		})
	}
	c.Run(3 * time.Second)
}

func status(c *ct.Cluster) (batchv1.JobStatus, string) {
	s := ct.Get[*batchv1.Job](c, "default", "pi").Status
	var types []string
	for _, cond := range s.Conditions {
		types = append(types, string(cond.Type)+"="+string(cond.Status)+" "+cond.Reason)
	}
	return s, strings.Join(types, ", ")
}

// objects/job.jsonl: the end is announced, the finalizer goes, the end counts.
func TestCompletes(t *testing.T) {
	c := setUp(t, nil)
	var seen []batchv1.JobStatus
	client.InformerFor[*batchv1.Job](c.Factory).OnChange(func(_, j *batchv1.Job) { seen = append(seen, j.Status) })
	if s, _ := status(c); s.Active != 1 || *s.Ready != 1 || s.StartTime == nil {
		t.Fatalf("running: %+v", s)
	}
	if p := ct.List[*corev1.Pod](c, "")[0]; !tracked(p) {
		t.Errorf("finalizers %v", p.Finalizers)
	}
	end(c, func(int) int32 { return 0 })
	s, conditions := status(c)
	if conditions != "SuccessCriteriaMet=True CompletionsReached, Complete=True CompletionsReached" || s.Succeeded != 1 || s.Active != 0 || s.CompletionTime == nil {
		t.Errorf("%s %+v", conditions, s)
	}
	announced := false
	for _, s := range seen {
		announced = announced || len(s.UncountedTerminatedPods.Succeeded) == 1 && s.Succeeded == 0
	}
	if !announced {
		t.Error("the end was never announced")
	}
	if p := ct.List[*corev1.Pod](c, "")[0]; tracked(p) {
		t.Errorf("finalizers %v", p.Finalizers)
	}
	if e := c.Events("pi"); len(e) != 2 || !strings.HasPrefix(e[0], "Normal SuccessfulCreate Created pod: pi-") || e[1] != "Normal Completed Job completed" {
		t.Errorf("%q", e)
	}
	c.Run(time.Minute)
	for _, name := range c.Clock.Names() {
		if strings.Contains(name, "job") {
			t.Errorf("timer %s pending in an idle cluster", name)
		}
	}
}

// "failed Pods … are recreated with an exponential back-off delay (10s, 20s, 40s …)".
func TestBacksOffAndFails(t *testing.T) {
	c := setUp(t, func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32(1)) })
	end(c, func(int) int32 { return 1 })
	if n := len(ct.List[*corev1.Pod](c, "")); n != 1 {
		t.Fatalf("%d pods before the back-off is over", n)
	}
	c.Run(10 * time.Second)
	if n := len(ct.List[*corev1.Pod](c, "")); n != 2 {
		t.Fatalf("%d pods after it", n)
	}
	end(c, func(int) int32 { return 1 })
	s, conditions := status(c)
	if conditions != "FailureTarget=True BackoffLimitExceeded, Failed=True BackoffLimitExceeded" || s.Failed != 2 {
		t.Errorf("%s %+v", conditions, s)
	}
}

func TestIndexed(t *testing.T) {
	mode := batchv1.IndexedCompletion
	c := setUp(t, func(s *batchv1.JobSpec) {
		s.CompletionMode, s.Completions, s.Parallelism, s.BackoffLimitPerIndex = &mode, new(int32(5)), new(int32(3)), new(int32(0))
	})
	for _, p := range ct.List[*corev1.Pod](c, "") {
		i := p.Annotations[batchv1.JobCompletionIndexAnnotation]
		if !strings.HasPrefix(p.Name, "pi-"+i+"-") || p.Spec.Hostname != "pi-"+i || p.Labels[batchv1.JobCompletionIndexAnnotation] != i ||
			p.Spec.Containers[0].Env[0].Name != "JOB_COMPLETION_INDEX" {
			t.Errorf("pod %s %s %v", p.Name, p.Spec.Hostname, p.Labels)
		}
	}
	for range 4 {
		end(c, func(i int) int32 { return map[bool]int32{true: 1}[i == 1] })
	}
	s, conditions := status(c)
	if s.CompletedIndexes != "0,2-4" || s.FailedIndexes == nil || *s.FailedIndexes != "1" || !strings.Contains(conditions, "Failed=True FailedIndexes") {
		t.Errorf("%s %+v", conditions, s)
	}
}

func TestSuspendDeadlineAndTTL(t *testing.T) {
	c := setUp(t, func(s *batchv1.JobSpec) {
		s.Suspend, s.ActiveDeadlineSeconds, s.TTLSecondsAfterFinished = new(true), new(int64(5)), new(int32(30))
	})
	if _, conditions := status(c); conditions != "Suspended=True JobSuspended" || len(ct.List[*corev1.Pod](c, "")) != 0 {
		t.Errorf("%s", conditions)
	}
	ct.Change(c, "default", "pi", func(j *batchv1.Job) { j.Spec.Suspend = new(false) })
	c.Run(3 * time.Second)
	if s, conditions := status(c); conditions != "Suspended=False JobResumed" || s.Active != 1 {
		t.Errorf("%s %+v", conditions, s)
	}
	c.Run(8 * time.Second)
	if _, conditions := status(c); !strings.Contains(conditions, "Failed=True DeadlineExceeded") {
		t.Errorf("%s", conditions)
	}
	c.Run(40 * time.Second)
	if jobs := ct.List[*batchv1.Job](c, ""); len(jobs) != 0 && jobs[0].DeletionTimestamp == nil {
		t.Errorf("the job is still there")
	}
}

func TestFailurePolicy(t *testing.T) {
	pod := func(code int32) *corev1.Pod {
		p := &corev1.Pod{}
		p.Namespace, p.Name = "default", "p"
		p.Status.Phase = corev1.PodFailed
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}}}
		return p
	}
	policy := &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
		{Action: batchv1.PodFailurePolicyActionIgnore, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{3}}},
		{Action: batchv1.PodFailurePolicyActionFailJob, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpNotIn, Values: []int32{1}}},
	}}
	for code, want := range map[int32]string{
		1: "true  ", 3: "false Ignore ", 42: "true FailJob Container c for pod default/p failed with exit code 42 matching FailJob rule at index 1",
	} {
		counts, action, message := matchFailurePolicy(policy, pod(code))
		if got := map[bool]string{true: "true ", false: "false "}[counts] + string(action) + " " + message; got != want {
			t.Errorf("%d: %q, want %q", code, got, want)
		}
	}
}

func TestIntervals(t *testing.T) {
	for text, want := range map[string]string{"": "", "1": "1", "1,2": "1,2", "0-2,3": "0-3", "5,1,3": "1,3,5", "2-4,9": "2-4,9", "x,1": "1"} {
		if got := parseIntervals(text, 10).String(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
