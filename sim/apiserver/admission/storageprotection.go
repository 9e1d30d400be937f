// This file keeps claims that pods use, and volumes that are bound, from
// vanishing: a finalizer that their controller removes when nobody needs them.
// And it keeps claims from growing where their class does not let them.

package admission

import (
	"slices"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

// StorageObjectInUseProtection is described at the top of its file.
var StorageObjectInUseProtection = Plugin{Name: "StorageObjectInUseProtection", Admit: func(a *apiserver.Attributes) error {
	finalizer := ""
	switch {
	case is(a, apiserver.Create, "persistentvolumeclaims"):
		finalizer = "kubernetes.io/pvc-protection"
	case is(a, apiserver.Create, "persistentvolumes"):
		finalizer = "kubernetes.io/pv-protection"
	default:
		return nil
	}
	if m := a.Object.GetObjectMeta(); !slices.Contains(m.Finalizers, finalizer) {
		m.Finalizers = append(m.Finalizers[:len(m.Finalizers):len(m.Finalizers)], finalizer)
	}
	return nil
}}

// PersistentVolumeClaimResize refuses larger requests of claims that cannot grow.
var PersistentVolumeClaimResize = Plugin{Name: "PersistentVolumeClaimResize", Validate: func(a *apiserver.Attributes) error {
	if !is(a, apiserver.Update, "persistentvolumeclaims") {
		return nil
	}
	claim, old := a.Object.(*corev1.PersistentVolumeClaim), a.Old.(*corev1.PersistentVolumeClaim)
	now, before := claim.Spec.Resources.Requests[corev1.ResourceStorage], old.Spec.Resources.Requests[corev1.ResourceStorage]
	if now.Cmp(before) <= 0 {
		return nil
	}
	if old.Status.Phase != corev1.ClaimBound {
		return forbid(a, "Only bound persistent volume claims can be expanded")
	}
	if name := claim.Spec.StorageClassName; name != nil {
		class, ok := get[*storagev1.StorageClass](a, "storageclasses.storage.k8s.io", "", *name)
		if ok && class.AllowVolumeExpansion != nil && *class.AllowVolumeExpansion {
			return nil
		}
	}
	return forbid(a, "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize")
}}
