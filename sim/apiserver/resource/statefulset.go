// This file is the strategy of stateful sets.

package resource

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func init() {
	Register("statefulsets.apps", &Strategy{
		Default: func(obj metav1.Object) { defaultStatefulSet(&obj.(*appsv1.StatefulSet).Spec) },
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			s := obj.(*appsv1.StatefulSet)
			s.Generation = 1
			s.Status = appsv1.StatefulSetStatus{}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			s, old := obj.(*appsv1.StatefulSet), oldObj.(*appsv1.StatefulSet)
			s.Status = old.Status
			nextGeneration(s, old, semanticEqual(&s.Spec, &old.Spec))
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			s, old := obj.(*appsv1.StatefulSet), oldObj.(*appsv1.StatefulSet)
			s.Spec = old.Spec
			s.Generation = old.Generation
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsLabel)}
			v.statefulSet(&obj.(*appsv1.StatefulSet).Spec, true)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, oldObj)}
			s, old := obj.(*appsv1.StatefulSet), oldObj.(*appsv1.StatefulSet)
			v.statefulSet(&s.Spec, false)
			same := s.Spec
			same.Replicas, same.Template, same.UpdateStrategy = old.Spec.Replicas, old.Spec.Template, old.Spec.UpdateStrategy
			same.MinReadySeconds, same.Ordinals, same.RevisionHistoryLimit = old.Spec.MinReadySeconds, old.Spec.Ordinals, old.Spec.RevisionHistoryLimit
			same.PersistentVolumeClaimRetentionPolicy = old.Spec.PersistentVolumeClaimRetentionPolicy
			if !semanticEqual(&same, &old.Spec) {
				v.forbidden(specPath, "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden")
			}
			return v.errs
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			s := &obj.(*appsv1.StatefulSet).Status
			v.replicaCounts(s.Replicas, 0, s.ReadyReplicas, s.AvailableReplicas, s.ObservedGeneration, nil)
			return v.errs
		},
		Warnings: func(_ *Context, obj, old metav1.Object) []string {
			s := obj.(*appsv1.StatefulSet)
			var out []string
			if old == nil || s.Generation != old.GetObjectMeta().Generation {
				out = templateWarnings(&s.Spec.Template.Spec, specPath.Child("template", "spec"))
			}
			if deref(s.Spec.RevisionHistoryLimit) < 0 {
				out = append(out, "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended")
			}
			return out
		},
		Columns: append([]column{
			nameColumn(),
			text("Ready", "How many pods are ready, out of how many there shall be."),
			ageColumn(),
		}, workloadColumns(false)...),
		Row: func(obj metav1.Object, now time.Time) []any {
			s := obj.(*appsv1.StatefulSet)
			containers := s.Spec.Template.Spec.Containers
			return []any{s.Name, fmt.Sprintf("%d/%d", s.Status.ReadyReplicas, deref(s.Spec.Replicas)), age(s, now),
				containerNames(containers), containerImages(containers)}
		},
		Scale: &Scale{
			Get: func(obj metav1.Object) (int32, int32, string) {
				s := obj.(*appsv1.StatefulSet)
				return deref(s.Spec.Replicas), s.Status.Replicas, selectorText(s.Spec.Selector)
			},
			Set: func(obj metav1.Object, n int32) { obj.(*appsv1.StatefulSet).Spec.Replicas = &n },
		},
	})
}

func defaultStatefulSet(spec *appsv1.StatefulSetSpec) {
	if spec.PodManagementPolicy == "" {
		spec.PodManagementPolicy = appsv1.OrderedReadyPodManagement
	}
	u := &spec.UpdateStrategy
	if u.Type == "" {
		u.Type = appsv1.RollingUpdateStatefulSetStrategyType
		if u.RollingUpdate == nil {
			u.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{}
		}
	}
	if u.Type == appsv1.RollingUpdateStatefulSetStrategyType && u.RollingUpdate != nil && u.RollingUpdate.Partition == nil {
		u.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: zero32}
	}
	if r := u.RollingUpdate; r != nil && r.MaxUnavailable != nil { // the feature is off by default
		u.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: r.Partition}
	}
	policy := appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{}
	if p := spec.PersistentVolumeClaimRetentionPolicy; p != nil {
		policy = *p
	}
	if policy.WhenDeleted == "" {
		policy.WhenDeleted = appsv1.RetainPersistentVolumeClaimRetentionPolicyType
	}
	if policy.WhenScaled == "" {
		policy.WhenScaled = appsv1.RetainPersistentVolumeClaimRetentionPolicyType
	}
	spec.PersistentVolumeClaimRetentionPolicy = &policy
	if spec.Replicas == nil {
		spec.Replicas = one32
	}
	if spec.RevisionHistoryLimit == nil {
		spec.RevisionHistoryLimit = ten32
	}
	defaultPodSpec(&spec.Template.Spec)
	spec.VolumeClaimTemplates = mapped(spec.VolumeClaimTemplates, func(c *corev1.PersistentVolumeClaim) *corev1.PersistentVolumeClaim {
		return edited(c, func(d *draft[corev1.PersistentVolumeClaim]) {
			if d.p.Kind == "" {
				d.edit().Kind = "PersistentVolumeClaim"
			}
			if d.p.APIVersion == "" {
				d.edit().APIVersion = "v1"
			}
			if d.p.Status.Phase == "" {
				d.edit().Status.Phase = corev1.ClaimPending
			}
			if s := edited(&d.p.Spec, defaultClaimSpec); s != &d.p.Spec {
				d.edit().Spec = *s
			}
		})
	})
}

func (v *validator) statefulSet(spec *appsv1.StatefulSetSpec, create bool) {
	switch spec.PodManagementPolicy {
	case "":
		v.required(specPath.Child("podManagementPolicy"), "")
	case appsv1.OrderedReadyPodManagement, appsv1.ParallelPodManagement:
	default:
		v.invalid(specPath.Child("podManagementPolicy"), spec.PodManagementPolicy, "must be 'OrderedReady' or 'Parallel'")
	}
	u := &spec.UpdateStrategy
	p := specPath.Child("updateStrategy")
	switch u.Type {
	case "":
		v.required(p, "")
	case appsv1.OnDeleteStatefulSetStrategyType:
		if u.RollingUpdate != nil {
			v.invalid(p.Child("rollingUpdate"), internal{u.RollingUpdate}, "only allowed for updateStrategy 'RollingUpdate'")
		}
	case appsv1.RollingUpdateStatefulSetStrategyType:
		if r := u.RollingUpdate; r != nil {
			v.nonnegative(int64(deref(r.Partition)), p.Child("rollingUpdate"), "partition")
		}
	default:
		v.invalid(p, internal{u}, "must be 'RollingUpdate' or 'OnDelete'")
	}
	if r := spec.PersistentVolumeClaimRetentionPolicy; r != nil {
		p := specPath.Child("persistentVolumeClaimRetentionPolicy")
		oneOf(v, p, "whenDeleted", r.WhenDeleted, appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType)
		oneOf(v, p, "whenScaled", r.WhenScaled, appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType)
	}
	v.nonnegative(int64(deref(spec.Replicas)), specPath, "replicas")
	v.nonnegative(int64(spec.MinReadySeconds), specPath, "minReadySeconds")
	if spec.Ordinals != nil {
		v.nonnegative(int64(spec.Ordinals.Start), specPath, "ordinals.start")
	}
	if create && spec.ServiceName != "" {
		v.check(specPath, "serviceName", spec.ServiceName, dnsLabel)
	}
	if create {
		for i := range spec.VolumeClaimTemplates {
			v.add(validateClaimSpec(&spec.VolumeClaimTemplates[i].Spec, specPath.Child("volumeClaimTemplates").Index(i).Child("spec")))
		}
	}
	v.selector(spec.Selector, "statefulset")
	selector, err := metav1.LabelSelectorAsSelector(spec.Selector)
	at := specPath.Child("template")
	if err != nil {
		v.invalid(specPath.Child("selector"), spec.Selector, "")
	} else {
		t := spec.Template
		t.Spec.Subdomain, t.Spec.Hostname = "", "" // the controller sets them
		t.Spec.Volumes = claimVolumes(spec)
		if !selector.Empty() && !selector.Matches(labelSet(t.Labels)) {
			v.invalid(at.Child("metadata", "labels"), t.Labels, "`selector` does not match template `labels`")
		}
		v.add(validateTemplate(&t, at))
	}
	v.alwaysRestarts(&spec.Template, at, "StatefulSet")
}

// claimVolumes are the template's volumes with those that the claims will bring.
func claimVolumes(spec *appsv1.StatefulSetSpec) []corev1.Volume {
	if len(spec.VolumeClaimTemplates) == 0 {
		return spec.Template.Spec.Volumes
	}
	var out []corev1.Volume
	claimed := map[string]bool{}
	for i := range spec.VolumeClaimTemplates {
		name := spec.VolumeClaimTemplates[i].Name
		if claimed[name] {
			continue
		}
		claimed[name] = true
		out = append(out, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}})
	}
	for _, vol := range spec.Template.Spec.Volumes {
		if !claimed[vol.Name] {
			out = append(out, vol)
		}
	}
	return out
}
