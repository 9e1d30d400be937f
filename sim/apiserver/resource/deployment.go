// This file is the strategy of deployments.

package resource

import (
	"fmt"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

var (
	quarter      = new(intstr.FromString("25%"))
	intstr0      = new(intstr.FromInt32(0))
	intstr1      = new(intstr.FromInt32(1))
	sixHundred32 = new(int32(600))
)

func init() {
	Register("deployments.apps", &Strategy{
		Default: func(obj metav1.Object) { defaultDeployment(&obj.(*appsv1.Deployment).Spec) },
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			d := obj.(*appsv1.Deployment)
			d.Generation = 1
			d.Status = appsv1.DeploymentStatus{}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			d, old := obj.(*appsv1.Deployment), oldObj.(*appsv1.Deployment)
			d.Status = old.Status
			nextGeneration(d, old, semanticEqual(&d.Spec, &old.Spec) && semanticEqual(d.Annotations, old.Annotations))
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			d, old := obj.(*appsv1.Deployment), oldObj.(*appsv1.Deployment)
			d.Spec = old.Spec
			d.Labels = old.Labels
			d.Generation = old.Generation
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.deployment(&obj.(*appsv1.Deployment).Spec)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			spec := &obj.(*appsv1.Deployment).Spec
			v.deployment(spec)
			v.add(immutableField(specPath.Child("selector"), spec.Selector, old.(*appsv1.Deployment).Spec.Selector))
			return v.errs
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			s := &obj.(*appsv1.Deployment).Status
			v.nonnegative(s.ObservedGeneration, statusPath, "observedGeneration")
			v.nonnegative(int64(s.Replicas), statusPath, "replicas")
			v.nonnegative(int64(s.UpdatedReplicas), statusPath, "updatedReplicas")
			v.nonnegative(int64(s.ReadyReplicas), statusPath, "readyReplicas")
			v.nonnegative(int64(s.AvailableReplicas), statusPath, "availableReplicas")
			v.nonnegative(int64(s.UnavailableReplicas), statusPath, "unavailableReplicas")
			const most = "cannot be greater than status.replicas"
			if s.UpdatedReplicas > s.Replicas {
				v.invalid(statusPath.Child("updatedReplicas"), s.UpdatedReplicas, most)
			}
			if s.ReadyReplicas > s.Replicas {
				v.invalid(statusPath.Child("readyReplicas"), s.ReadyReplicas, most)
			}
			if s.AvailableReplicas > s.Replicas {
				v.invalid(statusPath.Child("availableReplicas"), s.AvailableReplicas, most)
			}
			if s.AvailableReplicas > s.ReadyReplicas {
				v.invalid(statusPath.Child("availableReplicas"), s.AvailableReplicas, "cannot be greater than readyReplicas")
			}
			v.notDecremented(s.CollisionCount, old.(*appsv1.Deployment).Status.CollisionCount, "collisionCount")
			return v.errs
		},
		Warnings: func(_ *Context, obj, old metav1.Object) []string {
			d := obj.(*appsv1.Deployment)
			if old != nil && d.Generation == old.GetObjectMeta().Generation {
				return nil
			}
			return workloadWarnings(d, &d.Spec.Template)
		},
		Columns: append([]column{
			nameColumn(),
			text("Ready", "How many pods are ready, out of how many there shall be."),
			text("Up-to-date", "How many pods have the present template."),
			text("Available", "How many pods have been ready for long enough."),
			ageColumn(),
		}, workloadColumns(true)...),
		Row: func(obj metav1.Object, now time.Time) []any {
			d := obj.(*appsv1.Deployment)
			containers := d.Spec.Template.Spec.Containers
			return []any{d.Name, fmt.Sprintf("%d/%d", d.Status.ReadyReplicas, deref(d.Spec.Replicas)),
				int64(d.Status.UpdatedReplicas), int64(d.Status.AvailableReplicas), age(d, now),
				containerNames(containers), containerImages(containers), selectorText(d.Spec.Selector)}
		},
		Scale: &Scale{
			Get: func(obj metav1.Object) (int32, int32, string) {
				d := obj.(*appsv1.Deployment)
				return deref(d.Spec.Replicas), d.Status.Replicas, selectorText(d.Spec.Selector)
			},
			Set: func(obj metav1.Object, n int32) { obj.(*appsv1.Deployment).Spec.Replicas = &n },
		},
	})
}

func defaultDeployment(spec *appsv1.DeploymentSpec) {
	if spec.Replicas == nil {
		spec.Replicas = one32
	}
	if spec.Strategy.Type == "" {
		spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
	}
	if spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		r := appsv1.RollingUpdateDeployment{}
		if spec.Strategy.RollingUpdate != nil {
			r = *spec.Strategy.RollingUpdate
		}
		if r.MaxUnavailable == nil {
			r.MaxUnavailable = quarter
		}
		if r.MaxSurge == nil {
			r.MaxSurge = quarter
		}
		if spec.Strategy.RollingUpdate == nil || r != *spec.Strategy.RollingUpdate {
			spec.Strategy.RollingUpdate = &r
		}
	}
	if spec.RevisionHistoryLimit == nil {
		spec.RevisionHistoryLimit = ten32
	}
	if spec.ProgressDeadlineSeconds == nil {
		spec.ProgressDeadlineSeconds = sixHundred32
	}
	defaultPodSpec(&spec.Template.Spec)
}

func (v *validator) deployment(spec *appsv1.DeploymentSpec) {
	v.nonnegative(int64(deref(spec.Replicas)), specPath, "replicas")
	v.selectorAndTemplate(spec.Selector, &spec.Template, "deployment", "ReplicaSet")
	v.deploymentStrategy(&spec.Strategy, specPath.Child("strategy"))
	v.nonnegative(int64(spec.MinReadySeconds), specPath, "minReadySeconds")
	if spec.RevisionHistoryLimit != nil {
		v.nonnegative(int64(*spec.RevisionHistoryLimit), specPath, "revisionHistoryLimit")
	}
	if s := spec.ProgressDeadlineSeconds; s != nil {
		v.nonnegative(int64(*s), specPath, "progressDeadlineSeconds")
		if *s <= spec.MinReadySeconds {
			v.invalid(specPath.Child("progressDeadlineSeconds"), s, "must be greater than minReadySeconds")
		}
	}
}

func (v *validator) deploymentStrategy(s *appsv1.DeploymentStrategy, p *field.Path) {
	switch s.Type {
	case appsv1.RecreateDeploymentStrategyType:
		if s.RollingUpdate != nil {
			v.forbidden(p.Child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'")
		}
	case appsv1.RollingUpdateDeploymentStrategyType:
		if s.RollingUpdate == nil {
			v.required(p.Child("rollingUpdate"), "this should be defaulted and never be nil")
			return
		}
		p = p.Child("rollingUpdate")
		unavailable, surge := deref(s.RollingUpdate.MaxUnavailable), deref(s.RollingUpdate.MaxSurge)
		v.positiveOrPercent(unavailable, p, "maxUnavailable")
		v.positiveOrPercent(surge, p, "maxSurge")
		u, _ := percentage(unavailable)
		n, _ := percentage(surge)
		if u == 0 && n == 0 {
			v.invalid(p.Child("maxUnavailable"), unavailable, "may not be 0 when `maxSurge` is 0")
		}
		v.atMost100Percent(unavailable, p, "maxUnavailable")
	default:
		v.errs = append(v.errs, field.NotSupported(p, internal{s}, []string{"Recreate", "RollingUpdate"}))
	}
}
