// This file gives each pod its service account, the pull secrets of the
// account, and the volume with the account's token in every container.

package admission

import (
	"slices"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

const (
	tokenVolumePrefix = "kube-api-access-"
	tokenMountPath    = "/var/run/secrets/kubernetes.io/serviceaccount"
)

// Shared by all pods; nothing writes through them.
var (
	tokenSeconds   = new(int64(3607)) // an odd number, by which old tokens are told from new ones
	tokenMode      = new(int32(0o644))
	tokenProjected = &corev1.ProjectedVolumeSource{
		DefaultMode: tokenMode,
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: tokenSeconds}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
				Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
				Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}}}}},
		},
	}
)

// ServiceAccount is described at the top of its file.
var ServiceAccount = Plugin{Name: "ServiceAccount", Admit: func(a *apiserver.Attributes) error {
	if !is(a, apiserver.Create, "pods") {
		return nil
	}
	pod := a.Object.(*corev1.Pod)
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		if pod.Spec.ServiceAccountName != "" {
			return forbid(a, "a mirror pod may not reference service accounts")
		}
		return nil
	}
	if pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = "default"
	}
	pod.Spec.DeprecatedServiceAccount = pod.Spec.ServiceAccountName
	sa, ok := get[*corev1.ServiceAccount](a, "serviceaccounts", a.Namespace, pod.Spec.ServiceAccountName)
	if !ok {
		if pod.Spec.ServiceAccountName == "default" { // which a controller makes
			a.Later()
		}
		return forbid(a, "error looking up service account %s/%s: serviceaccount %q not found", a.Namespace, pod.Spec.ServiceAccountName, pod.Spec.ServiceAccountName)
	}
	automount := true
	if sa.AutomountServiceAccountToken != nil {
		automount = *sa.AutomountServiceAccountToken
	}
	if pod.Spec.AutomountServiceAccountToken != nil {
		automount = *pod.Spec.AutomountServiceAccountToken
	}
	if automount {
		mountToken(&pod.Spec, a.Context.Suffix)
	}
	if len(pod.Spec.ImagePullSecrets) == 0 && len(sa.ImagePullSecrets) > 0 {
		pod.Spec.ImagePullSecrets = slices.Clone(sa.ImagePullSecrets)
	}
	return nil
}}

func mountToken(spec *corev1.PodSpec, suffix func(int) string) {
	name, present := "", false
	taken := func(name string) bool {
		return slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == name })
	}
	for i := range spec.Volumes {
		if strings.HasPrefix(spec.Volumes[i].Name, tokenVolumePrefix) {
			name, present = spec.Volumes[i].Name, true
			break
		}
	}
	for name == "" || !present && taken(name) {
		name = tokenVolumePrefix + suffix(5)
	}
	mounted := false
	mount := func(list []corev1.Container) []corev1.Container {
		copied := false
		for i := range list {
			if slices.ContainsFunc(list[i].VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == tokenMountPath }) {
				continue
			}
			if !copied { // they may be the template's
				list, copied = slices.Clone(list), true
			}
			mounts := make([]corev1.VolumeMount, 0, len(list[i].VolumeMounts)+1)
			mounts = append(mounts, list[i].VolumeMounts...)
			list[i].VolumeMounts = append(mounts, corev1.VolumeMount{Name: name, ReadOnly: true, MountPath: tokenMountPath})
		}
		mounted = mounted || copied
		return list
	}
	spec.InitContainers = mount(spec.InitContainers)
	spec.Containers = mount(spec.Containers)
	if mounted && !present {
		volumes := make([]corev1.Volume, 0, len(spec.Volumes)+1)
		volumes = append(volumes, spec.Volumes...)
		spec.Volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: tokenProjected}})
	}
}
