// This file validates the specs of volume claims, in claims and in templates.

package resource

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

func validateClaimSpec(spec *corev1.PersistentVolumeClaimSpec, p *field.Path) field.ErrorList {
	var v validator
	if len(spec.AccessModes) == 0 {
		v.required(p.Child("accessModes"), "at least 1 access mode is required")
	}
	if spec.Selector != nil {
		v.add(validateSelector(spec.Selector, p.Child("selector")))
	}
	v.accessModes(spec.AccessModes, p)
	at := p.Child("resources").Key("storage")
	if q, ok := spec.Resources.Requests[corev1.ResourceStorage]; !ok {
		v.required(at, "")
	} else if q.Sign() <= 0 {
		v.invalid(at, q.String(), notPositiveMessage)
	}
	if deref(spec.StorageClassName) != "" {
		v.check(p, "storageClassName", *spec.StorageClassName, dnsSubdomain)
	}
	if spec.VolumeMode != nil {
		oneOf(&v, p, "volumeMode", *spec.VolumeMode, corev1.PersistentVolumeBlock, corev1.PersistentVolumeFilesystem)
	}
	if r := spec.DataSource; r != nil {
		v.dataSource(r.Name, r.Kind, r.APIGroup, p.Child("dataSource"))
	}
	if r := spec.DataSourceRef; r != nil {
		v.dataSource(r.Name, r.Kind, r.APIGroup, p.Child("dataSourceRef"))
	}
	if deref(spec.VolumeAttributesClassName) != "" {
		v.check(p, "volumeAttributesClassName", *spec.VolumeAttributesClassName, dnsSubdomain)
	}
	return v.errs
}

func (v *validator) dataSource(name, kind string, group *string, p *field.Path) {
	if name == "" {
		v.required(p.Child("name"), "")
	}
	if kind == "" {
		v.required(p.Child("kind"), "")
	}
	if deref(group) != "" {
		v.check(p, "apiGroup", *group, dnsSubdomain)
	} else if kind != "PersistentVolumeClaim" {
		v.invalid(p, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")
	}
}

func (v *validator) accessModes(modes []corev1.PersistentVolumeAccessMode, p *field.Path) {
	once, other := false, false
	for _, m := range modes {
		if oneOf(v, p, "accessModes", m, corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOnce, corev1.ReadWriteOncePod) {
			once = once || m == corev1.ReadWriteOncePod
			other = other || m != corev1.ReadWriteOncePod
		}
	}
	if once && other {
		v.forbidden(p.Child("accessModes"), "may not use ReadWriteOncePod with other access modes")
	}
}

// accessModeNames prints RWO,ROX,RWX,RWOP: what is there, in this order.
func accessModeNames(modes []corev1.PersistentVolumeAccessMode) string {
	var out []string
	for _, m := range []struct {
		mode corev1.PersistentVolumeAccessMode
		name string
	}{{corev1.ReadWriteOnce, "RWO"}, {corev1.ReadOnlyMany, "ROX"}, {corev1.ReadWriteMany, "RWX"}, {corev1.ReadWriteOncePod, "RWOP"}} {
		for _, have := range modes {
			if have == m.mode {
				out = append(out, m.name)
				break
			}
		}
	}
	return strings.Join(out, ",")
}
