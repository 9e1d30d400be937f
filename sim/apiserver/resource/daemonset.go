// This file is the strategy of daemon sets.

package resource

import (
	"maps"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func init() {
	Register("daemonsets.apps", &Strategy{
		Default: func(obj metav1.Object) {
			spec := &obj.(*appsv1.DaemonSet).Spec
			if spec.UpdateStrategy.Type == "" {
				spec.UpdateStrategy.Type = appsv1.RollingUpdateDaemonSetStrategyType
			}
			if spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
				r := appsv1.RollingUpdateDaemonSet{}
				if spec.UpdateStrategy.RollingUpdate != nil {
					r = *spec.UpdateStrategy.RollingUpdate
				}
				if r.MaxUnavailable == nil {
					r.MaxUnavailable = intstr1
				}
				if r.MaxSurge == nil {
					r.MaxSurge = intstr0
				}
				spec.UpdateStrategy.RollingUpdate = &r
			}
			if spec.RevisionHistoryLimit == nil {
				spec.RevisionHistoryLimit = ten32
			}
			defaultPodSpec(&spec.Template.Spec)
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			d := obj.(*appsv1.DaemonSet)
			d.Generation = 1
			d.Status = appsv1.DaemonSetStatus{}
			setTemplateGeneration(d, max(1, templateGeneration(d)))
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			d, old := obj.(*appsv1.DaemonSet), oldObj.(*appsv1.DaemonSet)
			d.Status = old.Status
			n := templateGeneration(old)
			if !semanticEqual(&d.Spec.Template, &old.Spec.Template) {
				n++
			}
			setTemplateGeneration(d, n)
			nextGeneration(d, old, semanticEqual(&d.Spec, &old.Spec))
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			d, old := obj.(*appsv1.DaemonSet), oldObj.(*appsv1.DaemonSet)
			d.Spec = old.Spec
			d.Generation = old.Generation
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.daemonSet(&obj.(*appsv1.DaemonSet).Spec)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			spec := &obj.(*appsv1.DaemonSet).Spec
			v.add(immutableField(specPath.Child("selector"), spec.Selector, old.(*appsv1.DaemonSet).Spec.Selector))
			v.daemonSet(spec)
			return v.errs
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			s := &obj.(*appsv1.DaemonSet).Status
			v.nonnegative(int64(s.CurrentNumberScheduled), statusPath, "currentNumberScheduled")
			v.nonnegative(int64(s.NumberMisscheduled), statusPath, "numberMisscheduled")
			v.nonnegative(int64(s.DesiredNumberScheduled), statusPath, "desiredNumberScheduled")
			v.nonnegative(int64(s.NumberReady), statusPath, "numberReady")
			v.nonnegative(s.ObservedGeneration, statusPath, "observedGeneration")
			v.nonnegative(int64(s.UpdatedNumberScheduled), statusPath, "updatedNumberScheduled")
			v.nonnegative(int64(s.NumberAvailable), statusPath, "numberAvailable")
			v.nonnegative(int64(s.NumberUnavailable), statusPath, "numberUnavailable")
			v.notDecremented(s.CollisionCount, old.(*appsv1.DaemonSet).Status.CollisionCount, "collisionCount")
			return v.errs
		},
		Warnings: func(_ *Context, obj, old metav1.Object) []string {
			d := obj.(*appsv1.DaemonSet)
			if old != nil && d.Generation == old.GetObjectMeta().Generation {
				return nil
			}
			return templateWarnings(&d.Spec.Template.Spec, specPath.Child("template", "spec"))
		},
		Columns: append([]column{
			nameColumn(),
			integer("Desired", "How many nodes shall run a pod."),
			integer("Current", "How many of them have one."),
			integer("Ready", "How many of those pods are ready."),
			integer("Up-to-date", "How many have the present template."),
			integer("Available", "How many have been ready for long enough."),
			text("Node Selector", "Which nodes run a pod."),
			ageColumn(),
		}, workloadColumns(true)...),
		Row: func(obj metav1.Object, now time.Time) []any {
			d := obj.(*appsv1.DaemonSet)
			s := &d.Status
			containers := d.Spec.Template.Spec.Containers
			return []any{d.Name, int64(s.DesiredNumberScheduled), int64(s.CurrentNumberScheduled), int64(s.NumberReady),
				int64(s.UpdatedNumberScheduled), int64(s.NumberAvailable), formatLabels(d.Spec.Template.Spec.NodeSelector), age(d, now),
				containerNames(containers), containerImages(containers), formatSelector(d.Spec.Selector)}
		},
	})
}

// The generation of the template lives in an annotation.

func templateGeneration(d *appsv1.DaemonSet) int64 {
	n, _ := strconv.ParseInt(d.Annotations[appsv1.DeprecatedTemplateGeneration], 10, 64)
	return n
}

func setTemplateGeneration(d *appsv1.DaemonSet, n int64) {
	value := strconv.FormatInt(n, 10)
	if d.Annotations[appsv1.DeprecatedTemplateGeneration] == value {
		return
	}
	annotations := make(map[string]string, len(d.Annotations)+1)
	maps.Copy(annotations, d.Annotations)
	annotations[appsv1.DeprecatedTemplateGeneration] = value
	d.Annotations = annotations
}

func (v *validator) daemonSet(spec *appsv1.DaemonSetSpec) {
	v.add(validateSelector(spec.Selector, specPath.Child("selector")))
	at := specPath.Child("template")
	if selector, err := metav1.LabelSelectorAsSelector(spec.Selector); err == nil && !selector.Matches(labelSet(spec.Template.Labels)) {
		v.invalid(at.Child("metadata", "labels"), spec.Template.Labels, "`selector` does not match template `labels`")
	}
	if s := spec.Selector; s != nil && len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		v.invalid(specPath.Child("selector"), s, "empty selector is invalid for daemonset")
	}
	v.add(validateTemplate(&spec.Template, at))
	v.alwaysRestarts(&spec.Template, at, "DaemonSet")
	v.nonnegative(int64(spec.MinReadySeconds), specPath, "minReadySeconds")
	p := specPath.Child("updateStrategy")
	switch u := &spec.UpdateStrategy; u.Type {
	case appsv1.OnDeleteDaemonSetStrategyType:
	case appsv1.RollingUpdateDaemonSetStrategyType:
		if u.RollingUpdate == nil {
			v.required(p.Child("rollingUpdate"), "")
			break
		}
		p := p.Child("rollingUpdate")
		unavailable, surge := deref(u.RollingUpdate.MaxUnavailable), deref(u.RollingUpdate.MaxSurge)
		v.positiveOrPercent(unavailable, p, "maxUnavailable")
		v.positiveOrPercent(surge, p, "maxSurge")
		v.atMost100Percent(unavailable, p, "maxUnavailable")
		v.atMost100Percent(surge, p, "maxSurge")
		a, _ := percentage(unavailable)
		b, _ := percentage(surge)
		if a != 0 && b != 0 {
			v.invalid(p.Child("maxSurge"), surge, "may not be set when maxUnavailable is non-zero")
		} else if a == 0 && b == 0 {
			v.required(p.Child("maxUnavailable"), "cannot be 0 when maxSurge is 0")
		}
	default:
		v.errs = append(v.errs, field.NotSupported(p, internal{u}, []string{"RollingUpdate", "OnDelete"}))
	}
	if spec.RevisionHistoryLimit != nil {
		v.nonnegative(int64(*spec.RevisionHistoryLimit), specPath, "revisionHistoryLimit")
	}
}
