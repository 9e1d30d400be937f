// This file is the strategy of replica sets.

package resource

import (
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// Shared by all who leave the field out; nothing writes through them.
var (
	zero32, one32, three32, six32, ten32 = new(int32(0)), new(int32(1)), new(int32(3)), new(int32(6)), new(int32(10))
)

func init() {
	Register("replicasets.apps", &Strategy{
		Default: func(obj metav1.Object) {
			rs := obj.(*appsv1.ReplicaSet)
			if rs.Spec.Replicas == nil {
				rs.Spec.Replicas = one32
			}
			defaultPodSpec(&rs.Spec.Template.Spec)
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			rs := obj.(*appsv1.ReplicaSet)
			rs.Generation = 1
			rs.Status = appsv1.ReplicaSetStatus{}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			rs, old := obj.(*appsv1.ReplicaSet), oldObj.(*appsv1.ReplicaSet)
			rs.Status = old.Status
			nextGeneration(rs, old, semanticEqual(&rs.Spec, &old.Spec))
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			rs, old := obj.(*appsv1.ReplicaSet), oldObj.(*appsv1.ReplicaSet)
			rs.Spec = old.Spec
			rs.Generation = old.Generation
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.replicaSet(&obj.(*appsv1.ReplicaSet).Spec)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			spec := &obj.(*appsv1.ReplicaSet).Spec
			v.replicaSet(spec)
			v.add(immutableField(specPath.Child("selector"), spec.Selector, old.(*appsv1.ReplicaSet).Spec.Selector))
			return v.errs
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			s := &obj.(*appsv1.ReplicaSet).Status
			v.replicaCounts(s.Replicas, s.FullyLabeledReplicas, s.ReadyReplicas, s.AvailableReplicas, s.ObservedGeneration, s.TerminatingReplicas)
			return v.errs
		},
		Warnings: func(_ *Context, obj, old metav1.Object) []string {
			rs := obj.(*appsv1.ReplicaSet)
			if old != nil && rs.Generation == old.GetObjectMeta().Generation {
				return nil
			}
			return workloadWarnings(rs, &rs.Spec.Template)
		},
		Fields: func(obj metav1.Object) fields.Set {
			return fields.Set{"status.replicas": strconv.Itoa(int(obj.(*appsv1.ReplicaSet).Status.Replicas))}
		},
		FieldNames: []string{"status.replicas"},
		Columns: append([]column{
			nameColumn(),
			integer("Desired", "How many pods there shall be."),
			integer("Current", "How many pods there are."),
			integer("Ready", "How many of them are ready."),
			ageColumn(),
		}, workloadColumns(true)...),
		Row: func(obj metav1.Object, now time.Time) []any {
			rs := obj.(*appsv1.ReplicaSet)
			containers := rs.Spec.Template.Spec.Containers
			return []any{rs.Name, int64(deref(rs.Spec.Replicas)), int64(rs.Status.Replicas), int64(rs.Status.ReadyReplicas), age(rs, now),
				containerNames(containers), containerImages(containers), formatSelector(rs.Spec.Selector)}
		},
		Scale: &Scale{
			Get: func(obj metav1.Object) (int32, int32, string) {
				rs := obj.(*appsv1.ReplicaSet)
				return deref(rs.Spec.Replicas), rs.Status.Replicas, selectorText(rs.Spec.Selector)
			},
			Set: func(obj metav1.Object, n int32) { obj.(*appsv1.ReplicaSet).Spec.Replicas = &n },
		},
	})
}

func (v *validator) replicaSet(spec *appsv1.ReplicaSetSpec) {
	v.nonnegative(int64(deref(spec.Replicas)), specPath, "replicas")
	v.nonnegative(int64(spec.MinReadySeconds), specPath, "minReadySeconds")
	v.selectorAndTemplate(spec.Selector, &spec.Template, "deployment", "ReplicaSet")
}
