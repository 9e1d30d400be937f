// What indexed jobs add: each pod works on one index; the status lists which
// are done as intervals ("0-3,7").

package job

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/controller"
)

func indexed(job *batchv1.Job) bool {
	return job.Spec.CompletionMode != nil && *job.Spec.CompletionMode == batchv1.IndexedCompletion
}

// completionIndex is the index that a pod works on, -1 if none.
func completionIndex(p *corev1.Pod) int {
	n, err := strconv.Atoi(p.Annotations[batchv1.JobCompletionIndexAnnotation])
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// index is completionIndex within the job's range, else -1.
func (p *pass) index(pod *corev1.Pod) int {
	if i := completionIndex(pod); i < int(*p.job.Spec.Completions) {
		return i
	}
	return -1
}

// intervals is an ordered set of numbers.
type intervals []interval

type interval struct{ first, last int }

func parseIntervals(text string, limit int) intervals {
	var out intervals
	for part := range strings.SplitSeq(text, ",") {
		a, b, span := strings.Cut(part, "-")
		first, err := strconv.Atoi(a)
		if err != nil {
			continue
		}
		if first >= limit {
			break
		}
		last := first
		if span {
			if last, err = strconv.Atoi(b); err != nil {
				continue
			}
			last = min(last, limit-1)
		}
		out = out.merge(intervals{{first, last}})
	}
	return out
}

func (s intervals) String() string {
	var b strings.Builder
	for i, v := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(v.first))
		switch {
		case v.last == v.first+1:
			fmt.Fprintf(&b, ",%d", v.last)
		case v.last > v.first:
			fmt.Fprintf(&b, "-%d", v.last)
		}
	}
	return b.String()
}

func (s intervals) total() int {
	n := 0
	for _, v := range s {
		n += v.last - v.first + 1
	}
	return n
}

func (s intervals) has(i int) bool {
	return slices.ContainsFunc(s, func(v interval) bool { return v.first <= i && i <= v.last })
}

func (s intervals) merge(o intervals) intervals {
	all := append(slices.Clone(s), o...)
	slices.SortFunc(all, func(a, b interval) int { return a.first - b.first })
	var out intervals
	for _, v := range all {
		if n := len(out); n > 0 && v.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, v.last)
		} else {
			out = append(out, v)
		}
	}
	return out
}

func (s intervals) with(numbers []int) intervals {
	o := make(intervals, len(numbers))
	for i, n := range numbers {
		o[i] = interval{n, n}
	}
	return s.merge(o)
}

// overlap is how many numbers both have.
func (s intervals) overlap(o intervals) int {
	n := 0
	for _, a := range s {
		for _, b := range o {
			n += max(0, min(a.last, b.last)-max(a.first, b.first)+1)
		}
	}
	return n
}

// judgeIndexes counts by index and looks for what ends the job there.
func (p *pass) judgeIndexes() {
	job := p.job
	limit := int(*job.Spec.Completions)
	p.counted = parseIntervals(job.Status.CompletedIndexes, limit)
	var done []int
	for _, pod := range p.pods {
		if i := p.index(pod); i >= 0 && pod.Status.Phase == corev1.PodSucceeded && tracked(pod) {
			done = append(done, i)
		}
	}
	p.done = p.counted.with(done)
	p.succeeded = int32(p.done.total())
	if job.Spec.BackoffLimitPerIndex != nil {
		var bad intervals
		if job.Status.FailedIndexes != nil {
			bad = parseIntervals(*job.Status.FailedIndexes, limit)
		}
		for _, pod := range p.pods {
			if i := p.index(pod); i >= 0 && tracked(pod) && p.failsIndex(pod) {
				bad = bad.with([]int{i})
			}
		}
		p.failedIndexes = &bad
		if p.end == nil {
			if most := job.Spec.MaxFailedIndexes; most != nil && bad.total() > int(*most) {
				p.end = p.condition(batchv1.JobFailureTarget, batchv1.JobReasonMaxFailedIndexesExceeded, "Job has exceeded the specified maximal number of failed indexes")
			} else if bad.total() > 0 && bad.total()+p.done.total() >= limit {
				p.end = p.condition(batchv1.JobFailureTarget, batchv1.JobReasonFailedIndexes, "Job has failed indexes")
			}
		}
		p.delayed = p.lastFailures()
	}
	if p.end == nil {
		if message, ok := p.succeededByPolicy(); ok {
			p.end = p.condition(batchv1.JobSuccessCriteriaMet, batchv1.JobReasonSuccessPolicy, message)
		}
	}
}

// failsIndex reports whether the pod's failure gives its index up.
func (p *pass) failsIndex(pod *corev1.Pod) bool {
	if !failed(pod, p.job) {
		return false
	}
	counts, action, _ := matchFailurePolicy(p.job.Spec.PodFailurePolicy, pod)
	return action == batchv1.PodFailurePolicyActionFailIndex ||
		counts && annotated(pod, batchv1.JobIndexFailureCountAnnotation) >= *p.job.Spec.BackoffLimitPerIndex
}

func attempts(pod *corev1.Pod) int32 {
	return annotated(pod, batchv1.JobIndexFailureCountAnnotation) + annotated(pod, batchv1.JobIndexIgnoredFailureCountAnnotation)
}

// lastFailures are, for each index that awaits another try, the pod that failed last.
func (p *pass) lastFailures() map[int]*corev1.Pod {
	busy := p.done.merge(*p.failedIndexes).with(indexesOf(p.active))
	out := map[int]*corev1.Pod{}
	for _, pod := range p.pods {
		i := p.index(pod)
		if i < 0 || !tracked(pod) || !failed(pod, p.job) || busy.has(i) {
			continue
		}
		if last := out[i]; last == nil || attempts(last) <= attempts(pod) && !finishTime(pod).Before(finishTime(last)) {
			out[i] = pod
		}
	}
	return out
}

func indexesOf(pods []*corev1.Pod) []int {
	var out []int
	for _, p := range pods {
		if i := completionIndex(p); i >= 0 {
			out = append(out, i)
		}
	}
	return out
}

// nextIndexes are the first n indexes that nobody works on.
func (p *pass) nextIndexes(n int) []int {
	busy := p.done.with(indexesOf(p.active))
	if replacesFailedOnly(p.job) {
		for _, pod := range p.pods {
			if controller.IsTerminating(pod) {
				busy = busy.with(indexesOf([]*corev1.Pod{pod}))
			}
		}
	}
	if p.failedIndexes != nil {
		busy = busy.merge(*p.failedIndexes)
	}
	var out []int
	for i := 0; i < int(*p.job.Spec.Completions) && len(out) < n; i++ {
		if !busy.has(i) {
			out = append(out, i)
		}
	}
	return out
}

// dueIndexes leaves out those whose back-off is not over, and says how long the
// first of them has to wait if none is due.
func (p *pass) dueIndexes(indexes []int) (due []int, left time.Duration) {
	for _, i := range indexes {
		d := time.Duration(0)
		if last := p.delayed[i]; last != nil {
			d = record{int(attempts(last)) + 1, finishTime(last)}.pause(p.now)
		}
		if d == 0 {
			due = append(due, i)
		} else if left == 0 || d < left {
			left = d
		}
	}
	if len(due) > 0 {
		left = 0
	}
	return due, left
}

// setIndex makes a pod work on an index.
func (p *pass) setIndex(pod *corev1.Pod, i int) {
	text := strconv.Itoa(i)
	annotations := map[string]string{}
	maps.Copy(annotations, pod.Annotations)
	labels := map[string]string{}
	maps.Copy(labels, pod.Labels)
	annotations[batchv1.JobCompletionIndexAnnotation] = text
	labels[batchv1.JobCompletionIndexAnnotation] = text
	if p.job.Spec.BackoffLimitPerIndex != nil {
		counted, ignored := int32(0), int32(0)
		if last := p.delayed[i]; last != nil {
			counted, ignored = annotated(last, batchv1.JobIndexFailureCountAnnotation), annotated(last, batchv1.JobIndexIgnoredFailureCountAnnotation)
			if counts, _, _ := matchFailurePolicy(p.job.Spec.PodFailurePolicy, last); counts {
				counted++
			} else {
				ignored++
			}
		}
		annotations[batchv1.JobIndexFailureCountAnnotation] = strconv.Itoa(int(counted))
		if ignored > 0 {
			annotations[batchv1.JobIndexIgnoredFailureCountAnnotation] = strconv.Itoa(int(ignored))
		}
	}
	pod.Annotations, pod.Labels = annotations, labels
	pod.Spec.Hostname = p.job.Name + "-" + text
	suffix := "-" + text + "-"
	pod.GenerateName = p.job.Name[:min(len(p.job.Name), 58-len(suffix))] + suffix
}

// withIndexEnv tells containers their index.
func withIndexEnv(list []corev1.Container) []corev1.Container {
	const name = "JOB_COMPLETION_INDEX"
	out := slices.Clone(list)
	for i := range out {
		if slices.ContainsFunc(out[i].Env, func(e corev1.EnvVar) bool { return e.Name == name }) {
			continue
		}
		out[i].Env = append(slices.Clone(out[i].Env), corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['" + batchv1.JobCompletionIndexAnnotation + "']"}}})
	}
	return out
}

// duplicates splits the active pods: those beyond the range or beside another
// of the same index, and the others.
func (p *pass) duplicates() (rm, left []*corev1.Pod) {
	groups := map[int][]*corev1.Pod{}
	for _, pod := range p.active {
		i := p.index(pod)
		groups[i] = append(groups[i], pod)
	}
	for _, i := range slices.Sorted(maps.Keys(groups)) {
		pods := groups[i]
		if i < 0 {
			rm = append(rm, pods...)
			continue
		}
		if len(pods) > 1 {
			pods = controller.RankForDeletion(pods, nil, p.now)
		}
		rm = append(rm, pods[:len(pods)-1]...)
		left = append(left, pods[len(pods)-1])
	}
	return rm, left
}
