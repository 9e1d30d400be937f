// This file is the strategy of replication controllers.

package resource

import (
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func init() {
	Register("replicationcontrollers", &Strategy{
		DefaultOrphan: true,
		Default: func(obj metav1.Object) {
			rc := obj.(*corev1.ReplicationController)
			if t := rc.Spec.Template; t != nil {
				if t.Labels != nil {
					if len(rc.Spec.Selector) == 0 {
						rc.Spec.Selector = t.Labels
					}
					if len(rc.Labels) == 0 {
						rc.Labels = t.Labels
					}
				}
				copied := *t
				defaultPodSpec(&copied.Spec)
				rc.Spec.Template = &copied
			}
			if rc.Spec.Replicas == nil {
				rc.Spec.Replicas = one32
			}
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			rc := obj.(*corev1.ReplicationController)
			rc.Generation = 1
			rc.Status = corev1.ReplicationControllerStatus{}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			rc, old := obj.(*corev1.ReplicationController), oldObj.(*corev1.ReplicationController)
			rc.Status = old.Status
			nextGeneration(rc, old, semanticEqual(&rc.Spec, &old.Spec))
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			rc, old := obj.(*corev1.ReplicationController), oldObj.(*corev1.ReplicationController)
			rc.Spec = old.Spec
			rc.Generation = old.Generation
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.replicationController(&obj.(*corev1.ReplicationController).Spec)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.replicationController(&obj.(*corev1.ReplicationController).Spec)
			return v.errs
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			s := &obj.(*corev1.ReplicationController).Status
			v.replicaCounts(s.Replicas, s.FullyLabeledReplicas, s.ReadyReplicas, s.AvailableReplicas, s.ObservedGeneration, nil)
			return v.errs
		},
		Warnings: func(_ *Context, obj, old metav1.Object) []string {
			rc := obj.(*corev1.ReplicationController)
			if old != nil && rc.Generation == old.GetObjectMeta().Generation {
				return nil
			}
			return workloadWarnings(rc, rc.Spec.Template)
		},
		Fields: func(obj metav1.Object) fields.Set {
			return fields.Set{"status.replicas": strconv.Itoa(int(obj.(*corev1.ReplicationController).Status.Replicas))}
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
			rc := obj.(*corev1.ReplicationController)
			var containers []corev1.Container
			if rc.Spec.Template != nil {
				containers = rc.Spec.Template.Spec.Containers
			}
			return []any{rc.Name, int64(deref(rc.Spec.Replicas)), int64(rc.Status.Replicas), int64(rc.Status.ReadyReplicas), age(rc, now),
				containerNames(containers), containerImages(containers), formatLabels(rc.Spec.Selector)}
		},
		Scale: &Scale{
			Get: func(obj metav1.Object) (int32, int32, string) {
				rc := obj.(*corev1.ReplicationController)
				selector := ""
				if len(rc.Spec.Selector) > 0 {
					selector = formatLabels(rc.Spec.Selector)
				}
				return deref(rc.Spec.Replicas), rc.Status.Replicas, selector
			},
			Set: func(obj metav1.Object, n int32) { obj.(*corev1.ReplicationController).Spec.Replicas = &n },
		},
	})
}

func (v *validator) replicationController(spec *corev1.ReplicationControllerSpec) {
	v.nonnegative(int64(spec.MinReadySeconds), specPath, "minReadySeconds")
	if len(spec.Selector) == 0 {
		v.required(specPath.Child("selector"), "")
	}
	if spec.Replicas == nil {
		v.required(specPath.Child("replicas"), "")
	} else {
		v.nonnegative(int64(*spec.Replicas), specPath, "replicas")
	}
	p := specPath.Child("template")
	if spec.Template == nil {
		v.required(p, "")
		return
	}
	for k, value := range spec.Selector {
		if got, ok := spec.Template.Labels[k]; !ok || got != value {
			v.invalid(p.Child("metadata", "labels"), spec.Template.Labels, "`selector` does not match template `labels`")
			break
		}
	}
	v.add(validateTemplate(spec.Template, p))
	v.alwaysRestarts(spec.Template, p, "ReplicationController")
}
