// This file is the strategy of persistent volumes, volume claims and storage classes.

package resource

import (
	"path"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
)

var (
	reclaimDelete    = new(corev1.PersistentVolumeReclaimDelete)
	bindingImmediate = new(storagev1.VolumeBindingImmediate)
)

func init() {
	Register("persistentvolumes", &Strategy{
		Default: func(obj metav1.Object) {
			pv := obj.(*corev1.PersistentVolume)
			if pv.Status.Phase == "" {
				pv.Status.Phase = corev1.VolumePending
			}
			if pv.Spec.PersistentVolumeReclaimPolicy == "" {
				pv.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
			}
			if pv.Spec.VolumeMode == nil {
				pv.Spec.VolumeMode = filesystemVolumeMode
			}
			if h := pv.Spec.HostPath; h != nil && h.Type == nil {
				pv.Spec.HostPath = &corev1.HostPathVolumeSource{Path: h.Path, Type: hostPathUnset}
			}
			pv.Spec.Capacity = roundedUp(pv.Spec.Capacity)
		},
		PrepareForCreate: func(c *Context, obj metav1.Object) {
			now := metav1.NewTime(c.Now)
			obj.(*corev1.PersistentVolume).Status = corev1.PersistentVolumeStatus{Phase: corev1.VolumePending, LastPhaseTransitionTime: &now}
		},
		PrepareForUpdate: func(_ *Context, obj, old metav1.Object) {
			obj.(*corev1.PersistentVolume).Status = old.(*corev1.PersistentVolume).Status
		},
		PrepareForStatusUpdate: func(c *Context, obj, oldObj metav1.Object) {
			pv, old := obj.(*corev1.PersistentVolume), oldObj.(*corev1.PersistentVolume)
			pv.Spec = old.Spec
			if pv.Status.Phase != old.Status.Phase && (pv.Status.LastPhaseTransitionTime == nil || pv.Status.LastPhaseTransitionTime.Equal(old.Status.LastPhaseTransitionTime)) {
				now := metav1.NewTime(c.Now)
				pv.Status.LastPhaseTransitionTime = &now
			}
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, false, dnsSubdomain)}
			v.volume(&obj.(*corev1.PersistentVolume).Spec)
			return v.errs
		},
		Warnings: func(_ *Context, obj, _ metav1.Object) []string {
			if obj.(*corev1.PersistentVolume).Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle {
				return []string{"spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."}
			}
			return nil
		},
		ValidateUpdate: func(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
			pv, old := obj.(*corev1.PersistentVolume), oldObj.(*corev1.PersistentVolume)
			v := validator{errs: validateMeta(obj, false, dnsSubdomain)}
			v.volume(&pv.Spec)
			v.add(validateMetaUpdate(obj, oldObj))
			if !semanticEqual(&pv.Spec.PersistentVolumeSource, &old.Spec.PersistentVolumeSource) {
				v.forbidden(field.NewPath("spec", "persistentvolumesource"), "spec.persistentvolumesource is immutable after creation\n"+
					unifiedDiff(&old.Spec.PersistentVolumeSource, &pv.Spec.PersistentVolumeSource))
			}
			v.add(immutableField(field.NewPath("volumeMode"), pv.Spec.VolumeMode, old.Spec.VolumeMode))
			return v.errs
		},
		Fields:     func(obj metav1.Object) fields.Set { return fields.Set{"name": obj.GetObjectMeta().Name} },
		FieldNames: []string{"name"},
		Columns: []column{
			nameColumn(),
			text("Capacity", "How much it holds."),
			text("Access Modes", "How it can be mounted."),
			text("Reclaim Policy", "What happens to it when its claim is gone."),
			text("Status", "Whether it is claimed."),
			text("Claim", "Who has claimed it."),
			text("StorageClass", "The class that it belongs to."),
			text("VolumeAttributesClass", "The class of its attributes."),
			text("Reason", "Why it is in that status."),
			ageColumn(),
			wide(text("VolumeMode", "Whether it is a file system or a block device.")),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			pv := obj.(*corev1.PersistentVolume)
			claim := ""
			if r := pv.Spec.ClaimRef; r != nil {
				claim = r.Namespace + "/" + r.Name
			}
			phase := string(pv.Status.Phase)
			if pv.DeletionTimestamp != nil {
				phase = "Terminating"
			}
			size := pv.Spec.Capacity[corev1.ResourceStorage]
			class := pv.Spec.StorageClassName
			if c, ok := pv.Annotations[corev1.BetaStorageClassAnnotation]; ok {
				class = c
			}
			return []any{pv.Name, size.String(), accessModeNames(pv.Spec.AccessModes), string(pv.Spec.PersistentVolumeReclaimPolicy), phase, claim,
				class, unsetOr(pv.Spec.VolumeAttributesClassName), pv.Status.Reason, age(pv, now), unsetOr(pv.Spec.VolumeMode)}
		},
	})
	Register("persistentvolumeclaims", &Strategy{
		Default: func(obj metav1.Object) {
			c := obj.(*corev1.PersistentVolumeClaim)
			if c.Status.Phase == "" {
				c.Status.Phase = corev1.ClaimPending
			}
			if s := edited(&c.Spec, defaultClaimSpec); s != &c.Spec {
				c.Spec = *s
			}
			c.Spec.Resources.Requests = roundedUp(c.Spec.Resources.Requests)
			c.Spec.Resources.Limits = roundedUp(c.Spec.Resources.Limits)
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			obj.(*corev1.PersistentVolumeClaim).Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}
		},
		PrepareForUpdate: func(_ *Context, obj, old metav1.Object) {
			obj.(*corev1.PersistentVolumeClaim).Status = old.(*corev1.PersistentVolumeClaim).Status
		},
		PrepareForStatusUpdate: func(_ *Context, obj, old metav1.Object) {
			obj.(*corev1.PersistentVolumeClaim).Spec = old.(*corev1.PersistentVolumeClaim).Spec
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			return append(validateMeta(obj, true, dnsSubdomain), validateClaimSpec(&obj.(*corev1.PersistentVolumeClaim).Spec, specPath)...)
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			return validateClaimUpdate(obj.(*corev1.PersistentVolumeClaim), old.(*corev1.PersistentVolumeClaim))
		},
		Fields:     func(obj metav1.Object) fields.Set { return fields.Set{"name": obj.GetObjectMeta().Name} },
		FieldNames: []string{"name"},
		Columns: []column{
			nameColumn(),
			text("Status", "Whether it has a volume."),
			text("Volume", "The volume it has."),
			text("Capacity", "How much the volume holds."),
			text("Access Modes", "How the volume can be mounted."),
			text("StorageClass", "The class that it asks for."),
			text("VolumeAttributesClass", "The class of its attributes."),
			ageColumn(),
			wide(text("VolumeMode", "Whether it is a file system or a block device.")),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			c := obj.(*corev1.PersistentVolumeClaim)
			phase := string(c.Status.Phase)
			if c.DeletionTimestamp != nil {
				phase = "Terminating"
			}
			capacity, modes := "", ""
			if c.Spec.VolumeName != "" {
				q := c.Status.Capacity[corev1.ResourceStorage]
				capacity, modes = q.String(), accessModeNames(c.Status.AccessModes)
			}
			class := deref(c.Spec.StorageClassName)
			if a, ok := c.Annotations[corev1.BetaStorageClassAnnotation]; ok {
				class = a
			}
			return []any{c.Name, phase, c.Spec.VolumeName, capacity, modes, class, unsetOr(c.Spec.VolumeAttributesClassName), age(c, now), unsetOr(c.Spec.VolumeMode)}
		},
	})
	Register("storageclasses.storage.k8s.io", &Strategy{
		Default: func(obj metav1.Object) {
			s := obj.(*storagev1.StorageClass)
			if s.ReclaimPolicy == nil {
				s.ReclaimPolicy = reclaimDelete
			}
			if s.VolumeBindingMode == nil {
				s.VolumeBindingMode = bindingImmediate
			}
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			s := obj.(*storagev1.StorageClass)
			v := validator{errs: validateMeta(s, false, dnsSubdomain)}
			if s.Provisioner == "" {
				v.required(field.NewPath("provisioner"), "")
			} else {
				for _, msg := range qualifiedName(s.Provisioner) {
					v.invalid(field.NewPath("provisioner"), s.Provisioner, msg)
				}
			}
			if r := s.ReclaimPolicy; r != nil && *r != corev1.PersistentVolumeReclaimDelete && *r != corev1.PersistentVolumeReclaimRetain {
				v.errs = append(v.errs, field.NotSupported(field.NewPath("reclaimPolicy"), *r, []corev1.PersistentVolumeReclaimPolicy{corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRetain}))
			}
			if m := s.VolumeBindingMode; m == nil {
				v.required(field.NewPath("volumeBindingMode"), "")
			} else if *m != storagev1.VolumeBindingImmediate && *m != storagev1.VolumeBindingWaitForFirstConsumer {
				v.errs = append(v.errs, field.NotSupported(field.NewPath("volumeBindingMode"), *m, []storagev1.VolumeBindingMode{storagev1.VolumeBindingImmediate, storagev1.VolumeBindingWaitForFirstConsumer}))
			}
			if _, ok := s.Parameters[""]; ok {
				v.invalid(field.NewPath("parameters"), "", "field can not be empty.")
			}
			for i, t := range s.AllowedTopologies {
				for _, earlier := range s.AllowedTopologies[:i] {
					if reflect.DeepEqual(topology(t), topology(earlier)) {
						v.duplicate(field.NewPath("allowedTopologies").Index(i).Child("matchLabelExpressions"), "")
					}
				}
				if len(t.MatchLabelExpressions) == 0 { // is compared with the terms that are yet to come, too
					v.duplicate(field.NewPath("allowedTopologies").Index(i).Child("matchLabelExpressions"), "")
				}
				for j, r := range t.MatchLabelExpressions {
					at := field.NewPath("allowedTopologies").Index(i).Child("matchLabelExpressions").Index(j)
					if len(r.Values) == 0 {
						v.required(at.Child("values"), "")
					}
					v.check(at, "key", r.Key, qualifiedName)
				}
			}
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, oldObj)}
			s, old := obj.(*storagev1.StorageClass), oldObj.(*storagev1.StorageClass)
			v.add(immutableField(field.NewPath("parameters"), s.Parameters, old.Parameters))
			v.add(immutableField(field.NewPath("provisioner"), s.Provisioner, old.Provisioner))
			v.add(immutableField(field.NewPath("reclaimPolicy"), s.ReclaimPolicy, old.ReclaimPolicy))
			v.add(immutableField(field.NewPath("volumeBindingMode"), s.VolumeBindingMode, old.VolumeBindingMode))
			return v.errs
		},
		Columns: []column{
			nameColumn(),
			text("Provisioner", "Who makes its volumes."),
			text("ReclaimPolicy", "What happens to a volume when its claim is gone."),
			text("VolumeBindingMode", "When a claim gets its volume."),
			text("AllowVolumeExpansion", "Whether volumes can grow."),
			ageColumn(),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			s := obj.(*storagev1.StorageClass)
			name := s.Name
			if s.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" || s.Annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true" {
				name += " (default)"
			}
			reclaim, binding := corev1.PersistentVolumeReclaimDelete, storagev1.VolumeBindingImmediate
			if s.ReclaimPolicy != nil {
				reclaim = *s.ReclaimPolicy
			}
			if s.VolumeBindingMode != nil {
				binding = *s.VolumeBindingMode
			}
			return []any{name, s.Provisioner, string(reclaim), string(binding), deref(s.AllowVolumeExpansion), age(s, now)}
		},
	})
}

func unsetOr[T ~string](p *T) string {
	if p == nil {
		return "<unset>"
	}
	return string(*p)
}

func (v *validator) volume(spec *corev1.PersistentVolumeSpec) {
	p := specPath
	if len(spec.AccessModes) == 0 {
		v.required(p.Child("accessModes"), "")
	}
	v.accessModes(spec.AccessModes, p)
	if len(spec.Capacity) == 0 {
		v.required(p.Child("capacity"), "")
	}
	if _, ok := spec.Capacity[corev1.ResourceStorage]; !ok || len(spec.Capacity) > 1 {
		v.errs = append(v.errs, field.NotSupported(p.Child("capacity"), spec.Capacity, []corev1.ResourceName{corev1.ResourceStorage}))
	}
	for _, name := range sortedKeys(spec.Capacity) {
		q := spec.Capacity[name]
		if q.Sign() < 0 {
			v.invalid(p.Child("capacity").Key(string(name)), q.Value(), "must be a valid resource quantity")
		}
		if q.Sign() <= 0 {
			v.invalid(p.Child("capacity").Key(string(name)), q.String(), notPositiveMessage)
		}
	}
	if r := spec.PersistentVolumeReclaimPolicy; r != "" {
		oneOf(v, p, "persistentVolumeReclaimPolicy", r, corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRecycle, corev1.PersistentVolumeReclaimRetain)
	}
	if a := spec.NodeAffinity; a != nil {
		if a.Required == nil {
			v.required(p.Child("nodeAffinity", "required"), "must specify required node constraints")
		} else {
			v.nodeSelector(a.Required, p.Child("nodeAffinity", "required"))
		}
	}
	types := 0
	source := func(set bool, child string) bool {
		if set {
			if types++; types > 1 {
				v.forbidden(p.Child(child), "may not specify more than 1 volume type")
			}
		}
		return set && types == 1
	}
	if source(spec.HostPath != nil, "hostPath") {
		v.hostPath(spec.HostPath, p.Child("hostPath"))
	}
	if source(spec.NFS != nil, "nfs") {
		v.nfs(spec.NFS, p.Child("nfs"))
	}
	if source(spec.Local != nil, "local") {
		if spec.Local.Path == "" {
			v.required(p.Child("local", "path"), "")
		} else {
			v.noBacksteps(spec.Local.Path, p.Child("local", "path"))
		}
		if spec.NodeAffinity == nil {
			v.required(p.Child("nodeAffinity"), "Local volume requires node affinity")
		}
	}
	if source(spec.CSI != nil, "csi") {
		if at := p.Child("csi"); spec.CSI.Driver == "" {
			v.required(at.Child("driver"), "")
		}
		if spec.CSI.VolumeHandle == "" {
			v.required(p.Child("csi", "volumeHandle"), "")
		}
	}
	if spec.PersistentVolumeSource == (corev1.PersistentVolumeSource{}) {
		v.required(p, "must specify a volume type")
	}
	if spec.HostPath != nil && path.Clean(spec.HostPath.Path) == "/" && spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle {
		v.forbidden(p.Child("persistentVolumeReclaimPolicy"), "may not be 'recycle' for a hostPath mount of '/'")
	}
	if spec.StorageClassName != "" {
		v.check(p, "storageClassName", spec.StorageClassName, dnsSubdomain)
	}
	if spec.VolumeMode == nil {
		v.required(p.Child("volumeMode"), "")
	} else {
		oneOf(v, p, "volumeMode", *spec.VolumeMode, corev1.PersistentVolumeBlock, corev1.PersistentVolumeFilesystem)
	}
}

func validateClaimUpdate(c, old *corev1.PersistentVolumeClaim) field.ErrorList {
	v := validator{errs: validateMetaUpdate(c, old)}
	v.add(validateMeta(c, true, dnsSubdomain))
	v.add(validateClaimSpec(&c.Spec, specPath))
	is, was := c.Spec, old.Spec
	if was.VolumeName == "" {
		was.VolumeName = is.VolumeName
	}
	if was.StorageClassName == nil && is.StorageClassName != nil {
		is.StorageClassName = nil
	}
	if c.Status.Phase == corev1.ClaimBound {
		requests := make(corev1.ResourceList, len(is.Resources.Requests))
		for name, q := range is.Resources.Requests {
			requests[name] = q
		}
		requests[corev1.ResourceStorage] = was.Resources.Requests[corev1.ResourceStorage]
		is.Resources.Requests = requests
		is.VolumeAttributesClassName = was.VolumeAttributesClassName
	}
	if !semanticEqual(&is, &was) {
		v.forbidden(specPath, "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"+unifiedDiff(&was, &is))
	}
	before, now, capacity := old.Spec.Resources.Requests[corev1.ResourceStorage], c.Spec.Resources.Requests[corev1.ResourceStorage], old.Status.Capacity[corev1.ResourceStorage]
	if now.Cmp(before) < 0 && now.Cmp(capacity) <= 0 {
		v.forbidden(specPath.Child("resources", "requests", "storage"), "field can not be less than status.capacity")
	}
	v.add(immutableField(field.NewPath("volumeMode"), c.Spec.VolumeMode, old.Spec.VolumeMode))
	return v.errs
}

// topology is what a term of allowed topologies asks for: the values by their
// keys, in no order.
func topology(t corev1.TopologySelectorTerm) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, r := range t.MatchLabelExpressions {
		values := map[string]bool{}
		for _, value := range r.Values {
			values[value] = true
		}
		out[r.Key] = values
	}
	return out
}
