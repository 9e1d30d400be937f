// This file is the strategy of namespaces.

package resource

import (
	"maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func init() {
	Register("namespaces", &Strategy{
		Default: func(obj metav1.Object) {
			ns := obj.(*corev1.Namespace)
			nameNamespace(ns)
			if ns.Status.Phase == "" {
				ns.Status.Phase = corev1.NamespaceActive
			}
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			ns := obj.(*corev1.Namespace)
			nameNamespace(ns) // a generated name is known only now
			ns.Status = corev1.NamespaceStatus{Phase: corev1.NamespaceActive}
			for _, f := range ns.Spec.Finalizers {
				if f == corev1.FinalizerKubernetes {
					return
				}
			}
			ns.Spec.Finalizers = append(ns.Spec.Finalizers[:len(ns.Spec.Finalizers):len(ns.Spec.Finalizers)], corev1.FinalizerKubernetes)
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			ns, old := obj.(*corev1.Namespace), oldObj.(*corev1.Namespace)
			ns.Spec.Finalizers = old.Spec.Finalizers
			ns.Status = old.Status
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			obj.(*corev1.Namespace).Spec = oldObj.(*corev1.Namespace).Spec
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, false, dnsLabel)}
			for _, f := range obj.(*corev1.Namespace).Spec.Finalizers {
				for _, msg := range qualifiedName(string(f)) {
					v.invalid(specPath.Child("finalizers"), f, msg)
				}
				if !strings.Contains(string(f), "/") && f != corev1.FinalizerKubernetes {
					v.invalid(specPath.Child("finalizers"), f, "name is neither a standard finalizer name nor is it fully qualified")
				}
			}
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList { return validateMetaUpdate(obj, old) },
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			phase := obj.(*corev1.Namespace).Status.Phase
			if old.GetObjectMeta().DeletionTimestamp == nil {
				if phase != corev1.NamespaceActive {
					v.invalid(field.NewPath("status", "Phase"), phase, "may only be 'Active' if `deletionTimestamp` is empty")
				}
			} else if phase != corev1.NamespaceTerminating {
				v.invalid(field.NewPath("status", "Phase"), phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")
			}
			return v.errs
		},
		Fields: func(obj metav1.Object) fields.Set {
			ns := obj.(*corev1.Namespace)
			return fields.Set{"status.phase": string(ns.Status.Phase), "name": ns.Name}
		},
		FieldNames: []string{"status.phase", "name"},
		Columns:    []column{nameColumn(), text("Status", "Whether the namespace is in use or being deleted."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			ns := obj.(*corev1.Namespace)
			return []any{ns.Name, string(ns.Status.Phase), age(ns, now)}
		},
	})
}

// nameNamespace gives the namespace its name as a label.
func nameNamespace(ns *corev1.Namespace) {
	if ns.Name == "" || ns.Labels[corev1.LabelMetadataName] == ns.Name {
		return
	}
	labels := make(map[string]string, len(ns.Labels)+1)
	maps.Copy(labels, ns.Labels)
	labels[corev1.LabelMetadataName] = ns.Name
	ns.Labels = labels
}
