// This file keeps claims that pods use, and volumes that are bound, from
// vanishing: a finalizer that their controller removes when nobody needs them.

package admission

import (
	"slices"

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
