// This file is the strategy of jobs and cron jobs.

package resource

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/duration"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/timezone"
	"github.com/kubonsai/kubonsai/sim/api/validation"
)

var (
	nonIndexed          = new(batchv1.NonIndexedCompletion)
	maxInt32            = new(int32(math.MaxInt32))
	terminatingOrFailed = new(batchv1.TerminatingOrFailed)
	replaceFailed       = new(batchv1.Failed)
)

const (
	legacyJobNameLabel       = "job-name"
	legacyControllerUIDLabel = "controller-uid"
)

func init() {
	Register("jobs.batch", &Strategy{
		DefaultOrphan: true,
		Default: func(obj metav1.Object) {
			j := obj.(*batchv1.Job)
			defaultJob(&j.Spec)
			if len(j.Labels) == 0 && j.Spec.Template.Labels != nil {
				j.Labels = j.Spec.Template.Labels
			}
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			j := obj.(*batchv1.Job)
			j.Generation = 1
			j.Status = batchv1.JobStatus{}
			if !deref(j.Spec.ManualSelector) {
				generateSelector(j)
			}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			j, old := obj.(*batchv1.Job), oldObj.(*batchv1.Job)
			j.Status = old.Status
			nextGeneration(j, old, semanticEqual(&j.Spec, &old.Spec))
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			j, old := obj.(*batchv1.Job), oldObj.(*batchv1.Job)
			j.Spec = old.Spec
			j.Generation = old.Generation
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			j := obj.(*batchv1.Job)
			v := validator{errs: validateMeta(j, true, dnsSubdomain)}
			v.generatedSelector(j)
			v.job(&j.Spec, specPath)
			v.jobSelector(&j.Spec)
			if j.Spec.CompletionMode != nil && *j.Spec.CompletionMode == batchv1.IndexedCompletion && deref(j.Spec.Completions) > 0 {
				if host := fmt.Sprintf("%s-%d", j.Name, *j.Spec.Completions-1); len(dnsLabel(host)) > 0 {
					v.invalid(metadataPath.Child("name"), j.Name, "will not able to create pod with invalid DNS label: "+host)
				}
			}
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, oldObj)}
			spec, old := &obj.(*batchv1.Job).Spec, &oldObj.(*batchv1.Job).Spec
			v.generatedSelector(obj.(*batchv1.Job))
			v.job(spec, specPath)
			v.jobSelector(spec)
			if spec.CompletionMode == nil || *spec.CompletionMode != batchv1.IndexedCompletion {
				v.add(immutableField(specPath.Child("completions"), spec.Completions, old.Completions))
			} else if !equalPointers(spec.Completions, old.Completions) && spec.Completions != nil && !equalPointers(spec.Completions, spec.Parallelism) {
				v.invalid(specPath.Child("completions"), spec.Completions, "can only be modified in tandem with spec.parallelism")
			}
			v.add(immutableField(specPath.Child("selector"), spec.Selector, old.Selector))
			if !deref(old.Suspend) && !semanticEqual(&spec.Template, &old.Template) {
				v.invalid(specPath.Child("template"), internal{&spec.Template}, immutableMessage)
			}
			v.add(immutableField(specPath.Child("completionMode"), spec.CompletionMode, old.CompletionMode))
			v.add(immutableField(specPath.Child("podFailurePolicy"), spec.PodFailurePolicy, old.PodFailurePolicy))
			v.add(immutableField(specPath.Child("backoffLimitPerIndex"), spec.BackoffLimitPerIndex, old.BackoffLimitPerIndex))
			return v.errs
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList { return validateMetaUpdate(obj, old) },
		Warnings: func(_ *Context, obj, old metav1.Object) []string {
			j := obj.(*batchv1.Job)
			if old != nil {
				return nil
			}
			return workloadWarnings(j, &j.Spec.Template)
		},
		Fields: func(obj metav1.Object) fields.Set {
			return fields.Set{"status.successful": strconv.Itoa(int(obj.(*batchv1.Job).Status.Succeeded))}
		},
		FieldNames: []string{"status.successful"},
		Columns: append([]column{
			nameColumn(),
			text("Status", "Where the job stands."),
			text("Completions", "How many pods have succeeded, out of how many shall."),
			text("Duration", "How long it has run."),
			ageColumn(),
		}, workloadColumns(true)...),
		Row: func(obj metav1.Object, now time.Time) []any { return jobRow(obj.(*batchv1.Job), now) },
	})
	Register("cronjobs.batch", &Strategy{
		Default: func(obj metav1.Object) {
			spec := &obj.(*batchv1.CronJob).Spec
			if spec.ConcurrencyPolicy == "" {
				spec.ConcurrencyPolicy = batchv1.AllowConcurrent
			}
			if spec.Suspend == nil {
				spec.Suspend = no
			}
			if spec.SuccessfulJobsHistoryLimit == nil {
				spec.SuccessfulJobsHistoryLimit = three32
			}
			if spec.FailedJobsHistoryLimit == nil {
				spec.FailedJobsHistoryLimit = one32
			}
			defaultPodSpec(&spec.JobTemplate.Spec.Template.Spec)
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			c := obj.(*batchv1.CronJob)
			c.Generation = 1
			c.Status = batchv1.CronJobStatus{}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			c, old := obj.(*batchv1.CronJob), oldObj.(*batchv1.CronJob)
			c.Status = old.Status
			nextGeneration(c, old, semanticEqual(&c.Spec, &old.Spec))
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			c, old := obj.(*batchv1.CronJob), oldObj.(*batchv1.CronJob)
			c.Spec = old.Spec
			c.Generation = old.Generation
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			c := obj.(*batchv1.CronJob)
			v := validator{errs: validateMeta(c, true, dnsSubdomain)}
			v.cronJob(&c.Spec)
			if len(c.Name) > 52 {
				v.invalid(metadataPath.Child("name"), c.Name, "must be no more than 52 characters")
			}
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.cronJob(&obj.(*batchv1.CronJob).Spec)
			return v.errs
		},
		Columns: append([]column{
			nameColumn(),
			text("Schedule", "When jobs are started."),
			text("Timezone", "In which time zone that is meant."),
			boolean("Suspend", "Whether no jobs are started for now."),
			integer("Active", "How many of its jobs are running."),
			text("Last Schedule", "The time since the last job was due."),
			ageColumn(),
		}, workloadColumns(true)...),
		Row: func(obj metav1.Object, now time.Time) []any {
			c := obj.(*batchv1.CronJob)
			last, zone, suspend := none, none, "<unset>"
			if c.Status.LastScheduleTime != nil {
				last = since(*c.Status.LastScheduleTime, now)
			}
			if c.Spec.TimeZone != nil {
				zone = *c.Spec.TimeZone
			}
			if c.Spec.Suspend != nil {
				suspend = map[bool]string{true: "True", false: "False"}[*c.Spec.Suspend]
			}
			job := &c.Spec.JobTemplate.Spec
			return []any{c.Name, c.Spec.Schedule, zone, suspend, int64(len(c.Status.Active)), last, age(c, now),
				containerNames(job.Template.Spec.Containers), containerImages(job.Template.Spec.Containers), formatSelector(job.Selector)}
		},
	})
}

func defaultJob(spec *batchv1.JobSpec) {
	if spec.Completions == nil && spec.Parallelism == nil {
		spec.Completions = one32
	}
	if spec.Parallelism == nil {
		spec.Parallelism = one32
	}
	if spec.BackoffLimit == nil {
		spec.BackoffLimit = six32
		if spec.BackoffLimitPerIndex != nil {
			spec.BackoffLimit = maxInt32
		}
	}
	if spec.CompletionMode == nil {
		spec.CompletionMode = nonIndexed
	}
	if spec.Suspend == nil {
		spec.Suspend = no
	}
	if spec.PodReplacementPolicy == nil {
		spec.PodReplacementPolicy = terminatingOrFailed
		if spec.PodFailurePolicy != nil {
			spec.PodReplacementPolicy = replaceFailed
		}
	}
	if spec.ManualSelector == nil {
		spec.ManualSelector = no
	}
	if p := spec.PodFailurePolicy; p != nil {
		rules := mapped(p.Rules, func(r *batchv1.PodFailurePolicyRule) *batchv1.PodFailurePolicyRule {
			conditions := mapped(r.OnPodConditions, func(c *batchv1.PodFailurePolicyOnPodConditionsPattern) *batchv1.PodFailurePolicyOnPodConditionsPattern {
				if c.Status != "" {
					return c
				}
				return &batchv1.PodFailurePolicyOnPodConditionsPattern{Type: c.Type, Status: corev1.ConditionTrue}
			})
			if !replaced(conditions, r.OnPodConditions) {
				return r
			}
			s := *r
			s.OnPodConditions = conditions
			return &s
		})
		if replaced(rules, p.Rules) {
			spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: rules}
		}
	}
	defaultPodSpec(&spec.Template.Spec)
}

// generateSelector labels the template with the job's name and uid and selects
// by the uid. The labels that the job took over from its template grow with it.
func generateSelector(j *batchv1.Job) {
	shared := semanticEqual(j.Labels, j.Spec.Template.Labels)
	labels := make(map[string]string, len(j.Spec.Template.Labels)+4)
	for _, k := range []string{legacyJobNameLabel, batchv1.JobNameLabel} {
		labels[k] = j.Name
	}
	for _, k := range []string{legacyControllerUIDLabel, batchv1.ControllerUidLabel} {
		labels[k] = string(j.UID)
	}
	maps.Copy(labels, j.Spec.Template.Labels)
	j.Spec.Template.Labels = labels
	if shared {
		j.Labels = labels
	}
	selector := metav1.LabelSelector{}
	if j.Spec.Selector != nil {
		selector = *j.Spec.Selector
	}
	if _, ok := selector.MatchLabels[batchv1.ControllerUidLabel]; !ok {
		match := map[string]string{batchv1.ControllerUidLabel: string(j.UID)}
		maps.Copy(match, selector.MatchLabels)
		selector.MatchLabels = match
		j.Spec.Selector = &selector
	}
}

func (v *validator) generatedSelector(j *batchv1.Job) {
	if deref(j.Spec.ManualSelector) || j.Spec.Selector == nil {
		return
	}
	p := specPath.Child("template", "metadata", "labels")
	want := map[string]string{}
	for _, l := range [][2]string{{legacyControllerUIDLabel, string(j.UID)}, {legacyJobNameLabel, j.Name},
		{batchv1.ControllerUidLabel, string(j.UID)}, {batchv1.JobNameLabel, j.Name}} {
		want[l[0]] = l[1]
		if have, ok := j.Spec.Template.Labels[l[0]]; !ok {
			v.required(p.Key(l[0]), "must be '"+l[1]+"'")
		} else if have != l[1] {
			v.invalid(p.Key(l[0]), j.Spec.Template.Labels, "must be '"+l[1]+"'")
		}
	}
	if s, err := metav1.LabelSelectorAsSelector(j.Spec.Selector); err == nil && !s.Matches(labelSet(want)) {
		v.invalid(specPath.Child("selector"), j.Spec.Selector, "`selector` not auto-generated")
	}
}

func (v *validator) jobSelector(spec *batchv1.JobSpec) {
	if spec.Selector == nil {
		v.required(specPath.Child("selector"), "")
	} else {
		v.add(validateSelector(spec.Selector, specPath.Child("selector")))
	}
	if s, err := metav1.LabelSelectorAsSelector(spec.Selector); err == nil && !s.Matches(labelSet(spec.Template.Labels)) {
		v.invalid(specPath.Child("template", "metadata", "labels"), spec.Template.Labels, "`selector` does not match template `labels`")
	}
}

func (v *validator) job(spec *batchv1.JobSpec, p *field.Path) {
	count := func(n *int32, child string) {
		if n != nil {
			v.nonnegative(int64(*n), p, child)
		}
	}
	count(spec.Parallelism, "parallelism")
	count(spec.Completions, "completions")
	if spec.ActiveDeadlineSeconds != nil {
		v.nonnegative(*spec.ActiveDeadlineSeconds, p, "activeDeadlineSeconds")
	}
	count(spec.BackoffLimit, "backoffLimit")
	count(spec.TTLSecondsAfterFinished, "ttlSecondsAfterFinished")
	count(spec.BackoffLimitPerIndex, "backoffLimitPerIndex")
	count(spec.MaxFailedIndexes, "maxFailedIndexes")
	if spec.MaxFailedIndexes != nil && spec.BackoffLimitPerIndex == nil {
		v.required(p.Child("backoffLimitPerIndex"), "when maxFailedIndexes is specified")
	}
	if m := spec.ManagedBy; m != nil {
		v.add(validation.IsDomainPrefixedPath(p.Child("managedBy"), *m))
	}
	indexed := false
	if m := spec.CompletionMode; m != nil {
		oneOf(v, p, "completionMode", *m, batchv1.NonIndexedCompletion, batchv1.IndexedCompletion)
		indexed = *m == batchv1.IndexedCompletion
	}
	if indexed {
		if spec.Completions == nil {
			v.required(p.Child("completions"), "when completion mode is Indexed")
		}
		if deref(spec.Parallelism) > 100000 {
			v.invalid(p.Child("parallelism"), *spec.Parallelism, "must be less than or equal to 100000 when completion mode is Indexed")
		}
		if spec.Completions != nil && spec.MaxFailedIndexes != nil && *spec.MaxFailedIndexes > *spec.Completions {
			v.invalid(p.Child("maxFailedIndexes"), *spec.MaxFailedIndexes, "must be less than or equal to completions")
		}
	} else if spec.CompletionMode == nil || *spec.CompletionMode == batchv1.NonIndexedCompletion {
		if spec.BackoffLimitPerIndex != nil {
			v.invalid(p.Child("backoffLimitPerIndex"), *spec.BackoffLimitPerIndex, "requires indexed completion mode")
		}
		if spec.MaxFailedIndexes != nil {
			v.invalid(p.Child("maxFailedIndexes"), *spec.MaxFailedIndexes, "requires indexed completion mode")
		}
	}
	if spec.PodFailurePolicy != nil {
		v.podFailurePolicy(spec, p.Child("podFailurePolicy", "rules"))
	}
	switch {
	case spec.SuccessPolicy == nil:
	case !indexed:
		v.invalid(p.Child("successPolicy"), internal{*spec.SuccessPolicy}, "requires indexed completion mode")
	default:
		v.successPolicy(spec, p.Child("successPolicy", "rules"))
	}
	if r := spec.PodReplacementPolicy; r != nil {
		if spec.PodFailurePolicy != nil {
			oneOf(v, p, "podReplacementPolicy", *r, batchv1.Failed)
		} else {
			oneOf(v, p, "podReplacementPolicy", *r, batchv1.Failed, batchv1.TerminatingOrFailed)
		}
	}
	v.add(validateTemplate(&spec.Template, p.Child("template")))
	at := p.Child("template", "spec")
	switch r := spec.Template.Spec.RestartPolicy; {
	case r == "" || r == corev1.RestartPolicyAlways:
		v.required(at.Child("restartPolicy"), `valid values: "OnFailure", "Never"`)
	case !oneOf(v, at, "restartPolicy", r, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever):
	case spec.PodFailurePolicy != nil && r != corev1.RestartPolicyNever:
		v.invalid(at.Child("restartPolicy"), r, `only "Never" is supported when podFailurePolicy is specified`)
	}
}

// chosen is oneOf for fields that must be set, with the valid values in alphabetical order.
func chosen[T ~string](v *validator, p *field.Path, child string, value T, valid ...T) {
	if value == "" {
		v.required(p.Child(child), fmt.Sprintf("valid values: %q", valid))
	} else {
		oneOf(v, p, child, value, valid...)
	}
}

func (v *validator) podFailurePolicy(spec *batchv1.JobSpec, p *field.Path) {
	rules := spec.PodFailurePolicy.Rules
	if len(rules) > 20 {
		v.errs = append(v.errs, field.TooMany(p, len(rules), 20))
	}
	for i := range rules {
		r, at := &rules[i], p.Index(i)
		if r.Action == batchv1.PodFailurePolicyActionFailIndex {
			if spec.BackoffLimitPerIndex == nil {
				v.invalid(at.Child("action"), r.Action, "requires the backoffLimitPerIndex to be set")
			}
		} else {
			chosen(v, at, "action", r.Action, batchv1.PodFailurePolicyActionCount, batchv1.PodFailurePolicyActionFailIndex,
				batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyActionIgnore)
		}
		if r.OnExitCodes != nil {
			v.onExitCodes(r.OnExitCodes, &spec.Template.Spec, at.Child("onExitCodes"))
		}
		for j, c := range r.OnPodConditions {
			on := at.Child("onPodConditions").Index(j)
			v.check(on, "type", string(c.Type), qualifiedName)
			chosen(v, on, "status", c.Status, corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown)
		}
		switch codes, conditions := r.OnExitCodes != nil, len(r.OnPodConditions) > 0; {
		case codes && conditions:
			v.invalid(at, field.OmitValueType{}, "specifying both OnExitCodes and OnPodConditions is not supported")
		case !codes && !conditions:
			v.invalid(at, field.OmitValueType{}, "specifying one of OnExitCodes and OnPodConditions is required")
		}
	}
}

func (v *validator) onExitCodes(c *batchv1.PodFailurePolicyOnExitCodesRequirement, pod *corev1.PodSpec, p *field.Path) {
	chosen(v, p, "operator", c.Operator, batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyOnExitCodesOpNotIn)
	named := func(o corev1.Container) bool { return o.Name == *c.ContainerName }
	if c.ContainerName != nil && !slices.ContainsFunc(pod.Containers, named) && !slices.ContainsFunc(pod.InitContainers, named) {
		v.invalid(p.Child("containerName"), *c.ContainerName, "must be one of the container or initContainer names in the pod template")
	}
	at := p.Child("values")
	if n := len(c.Values); n == 0 {
		v.invalid(at, c.Values, "at least one value is required")
	} else if n > 255 {
		v.errs = append(v.errs, field.TooMany(at, n, 255))
	}
	for i, n := range c.Values {
		if n == 0 && c.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn {
			v.invalid(at.Index(i), n, "must not be 0 for the In operator")
		}
		if slices.Contains(c.Values[:i], n) {
			v.duplicate(at.Index(i), n)
		}
	}
	if !slices.IsSorted(c.Values) {
		v.invalid(at, c.Values, "must be ordered")
	}
}

func (v *validator) successPolicy(spec *batchv1.JobSpec, p *field.Path) {
	rules, completions := spec.SuccessPolicy.Rules, deref(spec.Completions)
	if len(rules) == 0 {
		v.required(p, "at least one rules must be specified when the successPolicy is specified")
	}
	for i, r := range rules {
		at := p.Index(i)
		total := completions
		if r.SucceededIndexes == nil && r.SucceededCount == nil {
			v.required(at, "at least one of succeededCount or succeededIndexes must be specified")
		}
		if r.SucceededIndexes != nil {
			n, err := checkIndexes(*r.SucceededIndexes, completions)
			if total = n; err != nil {
				v.invalid(at.Child("succeededIndexes"), *r.SucceededIndexes, "error parsing succeededIndexes: "+err.Error())
			}
		}
		if c := r.SucceededCount; c != nil {
			v.nonnegative(int64(*c), at, "succeededCount")
			if *c > completions {
				v.invalid(at.Child("succeededCount"), *c, fmt.Sprintf("must be less than or equal to %d (the number of specified completions)", completions))
			}
			if r.SucceededIndexes != nil && *c > total {
				v.invalid(at.Child("succeededCount"), *c, fmt.Sprintf("must be less than or equal to %d (the number of indexes in the specified succeededIndexes field)", total))
			}
		}
	}
}

// checkIndexes judges a list of indexes such as 1,3-5 and counts them.
func checkIndexes(list string, completions int32) (total int32, err error) {
	if list == "" {
		return 0, nil
	}
	last := int32(-1)
	for interval := range strings.SplitSeq(list, ",") {
		limits := strings.Split(interval, "-")
		if len(limits) > 2 {
			return 0, fmt.Errorf("the fragment %q violates the requirement that an index interval can have at most two parts separated by '-'", interval)
		}
		first := last
		for i, l := range limits {
			n, err := strconv.Atoi(l)
			switch {
			case err != nil:
				return 0, fmt.Errorf("cannot convert string to integer for index: %q", l)
			case n >= int(completions):
				return 0, fmt.Errorf("too large index: %q", l)
			case int32(n) <= last:
				return 0, fmt.Errorf("non-increasing order, previous: %d, current: %d", last, n)
			}
			if last = int32(n); i == 0 {
				first = last
			}
		}
		total += last - first + 1
	}
	return total, nil
}

func (v *validator) cronJob(spec *batchv1.CronJobSpec) {
	if spec.Schedule == "" {
		v.required(specPath.Child("schedule"), "")
	} else {
		if err := checkSchedule(spec.Schedule); err != nil {
			v.invalid(specPath.Child("schedule"), spec.Schedule, err.Error())
		}
		if strings.Contains(spec.Schedule, "TZ") {
			v.invalid(specPath.Child("schedule"), spec.Schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
		}
	}
	if spec.StartingDeadlineSeconds != nil {
		v.nonnegative(*spec.StartingDeadlineSeconds, specPath, "startingDeadlineSeconds")
	}
	if z := spec.TimeZone; z != nil {
		switch {
		case *z == "":
			v.invalid(specPath.Child("timeZone"), z, "timeZone must be nil or non-empty string")
		case strings.EqualFold(*z, "Local"):
			v.invalid(specPath.Child("timeZone"), z, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")
		default:
			if _, err := timezone.Find(*z); err != nil {
				v.invalid(specPath.Child("timeZone"), z, err.Error())
			}
		}
	}
	if spec.ConcurrencyPolicy == "" {
		v.required(specPath.Child("concurrencyPolicy"), "")
	} else {
		oneOf(v, specPath, "concurrencyPolicy", spec.ConcurrencyPolicy, batchv1.AllowConcurrent, batchv1.ForbidConcurrent, batchv1.ReplaceConcurrent)
	}
	v.job(&spec.JobTemplate.Spec, specPath.Child("jobTemplate", "spec"))
	if deref(spec.JobTemplate.Spec.ManualSelector) {
		v.errs = append(v.errs, field.NotSupported(specPath.Child("jobTemplate", "spec", "manualSelector"), *spec.JobTemplate.Spec.ManualSelector, []string{"nil", "false"}))
	}
	if spec.SuccessfulJobsHistoryLimit != nil {
		v.nonnegative(int64(*spec.SuccessfulJobsHistoryLimit), specPath, "successfulJobsHistoryLimit")
	}
	if spec.FailedJobsHistoryLimit != nil {
		v.nonnegative(int64(*spec.FailedJobsHistoryLimit), specPath, "failedJobsHistoryLimit")
	}
}

// checkSchedule says what is wrong with a schedule, in the words of the cron
// parser that Kubernetes uses. Running schedules is the controller's affair.
func checkSchedule(s string) error {
	if s, ok := strings.CutPrefix(s, "@"); ok {
		switch s {
		case "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly":
			return nil
		}
		if d, ok := strings.CutPrefix(s, "every "); ok {
			if _, err := time.ParseDuration(d); err != nil {
				return fmt.Errorf("failed to parse duration @%s: %s", s, err)
			}
			return nil
		}
		return fmt.Errorf("unrecognized descriptor: @%s", s)
	}
	parts := strings.Fields(s)
	if len(parts) > 0 && (strings.HasPrefix(parts[0], "TZ=") || strings.HasPrefix(parts[0], "CRON_TZ=")) {
		parts = parts[1:]
	}
	if len(parts) != 5 {
		return fmt.Errorf("expected exactly 5 fields, found %d: %v", len(parts), parts)
	}
	for i, bounds := range [][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}} {
		for expr := range strings.SplitSeq(parts[i], ",") {
			if err := checkCronRange(expr, bounds[0], bounds[1], cronNames[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

var cronNames = [5]string{3: "jan feb mar apr may jun jul aug sep oct nov dec", 4: "sun mon tue wed thu fri sat"}

func checkCronRange(expr string, low, high int, names string) error {
	value := func(s string) (int, error) {
		for i, name := range strings.Fields(names) {
			if strings.EqualFold(name, s) {
				return low + i, nil
			}
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0, fmt.Errorf("failed to parse int from %s: %s", s, err)
		}
		if n < 0 {
			return 0, fmt.Errorf("negative number (%d) not allowed: %s", n, s)
		}
		return n, nil
	}
	span, step, stepped := strings.Cut(expr, "/")
	if strings.Contains(step, "/") {
		return fmt.Errorf("too many slashes: %s", expr)
	}
	from, to, ranged := strings.Cut(span, "-")
	start, end := low, high
	var err error
	if from != "*" && from != "?" {
		if start, err = value(from); err != nil {
			return err
		}
		if end = start; stepped {
			end = high
		}
		if ranged {
			if strings.Contains(to, "-") {
				return fmt.Errorf("too many hyphens: %s", expr)
			}
			if end, err = value(to); err != nil {
				return err
			}
		}
	}
	by := 1
	if stepped {
		if by, err = value(step); err != nil {
			return err
		}
	}
	switch {
	case start < low:
		return fmt.Errorf("beginning of range (%d) below minimum (%d): %s", start, low, expr)
	case end > high:
		return fmt.Errorf("end of range (%d) above maximum (%d): %s", end, high, expr)
	case start > end:
		return fmt.Errorf("beginning of range (%d) beyond end of range (%d): %s", start, end, expr)
	case by == 0:
		return fmt.Errorf("step of range should be a positive number: %s", expr)
	}
	return nil
}

func jobRow(j *batchv1.Job, now time.Time) []any {
	var completions string
	switch {
	case j.Spec.Completions != nil:
		completions = fmt.Sprintf("%d/%d", j.Status.Succeeded, *j.Spec.Completions)
	case deref(j.Spec.Parallelism) > 1:
		completions = fmt.Sprintf("%d/1 of %d", j.Status.Succeeded, *j.Spec.Parallelism)
	default:
		completions = fmt.Sprintf("%d/1", j.Status.Succeeded)
	}
	ran := ""
	if start := j.Status.StartTime; start != nil {
		end := now
		if j.Status.CompletionTime != nil {
			end = j.Status.CompletionTime.Time
		}
		ran = duration.HumanDuration(end.Sub(start.Time))
	}
	is := map[batchv1.JobConditionType]bool{}
	for i := len(j.Status.Conditions) - 1; i >= 0; i-- { // the first of a type counts
		c := &j.Status.Conditions[i]
		is[c.Type] = c.Status == corev1.ConditionTrue
	}
	status := "Running"
	switch {
	case is[batchv1.JobComplete]:
		status = "Complete"
	case is[batchv1.JobFailed]:
		status = "Failed"
	case j.DeletionTimestamp != nil:
		status = "Terminating"
	case is[batchv1.JobSuspended]:
		status = "Suspended"
	case is[batchv1.JobFailureTarget]:
		status = "FailureTarget"
	case is[batchv1.JobSuccessCriteriaMet]:
		status = "SuccessCriteriaMet"
	}
	containers := j.Spec.Template.Spec.Containers
	return []any{j.Name, status, completions, ran, age(j, now), containerNames(containers), containerImages(containers), formatSelector(j.Spec.Selector)}
}
