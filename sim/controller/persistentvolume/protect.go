// Letting go: a claim that is being deleted stays while a pod uses it, a volume
// while it is bound. And the claims of ephemeral volumes, which come and go
// with their pods.

package persistentvolume

import (
	"slices"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

// claimName is the claim that a volume of a pod stands for, "" if none.
func claimName(p *corev1.Pod, v *corev1.Volume) string {
	switch {
	case v.PersistentVolumeClaim != nil:
		return v.PersistentVolumeClaim.ClaimName
	case v.Ephemeral != nil:
		return p.Name + "-" + v.Name
	}
	return ""
}

// uses reports whether a pod has a volume of a claim in its namespace.
func uses(p *corev1.Pod, claim string) bool {
	return slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return claimName(p, &v) == claim })
}

func (c *Controller) podChanged(old, pod *corev1.Pod) {
	p := pod
	if p == nil {
		p = old
	}
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		name := claimName(p, v)
		if name == "" {
			continue
		}
		if pod == nil || controller.IsTerminal(pod) {
			c.claimQueue.Add(p.Namespace + "/" + name)
		}
		if v.Ephemeral != nil && pod != nil && old == nil {
			c.podQueue.Add(client.Key(pod))
		}
	}
}

func without(list []string, s string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(f string) bool { return f == s })
}

// releaseClaim takes the finalizer from a claim that no pod uses.
func (c *Controller) releaseClaim(pvc claim) error {
	if !slices.Contains(pvc.Finalizers, claimProtection) {
		return nil
	}
	used := false
	c.pods.Scan(pvc.Namespace, func(p *corev1.Pod) bool {
		if p.Spec.NodeName == "" || controller.IsTerminal(p) {
			return true
		}
		used = uses(p, pvc.Name)
		return !used
	})
	if used {
		return nil
	}
	u := controller.Copy(pvc)
	u.Finalizers = without(pvc.Finalizers, claimProtection)
	_, err := client.Update(c.client, u)
	return ignoreGone(err)
}

// releaseVolume takes the finalizer from a volume that is being deleted and not bound.
func (c *Controller) releaseVolume(pv volume) error {
	if !slices.Contains(pv.Finalizers, volumeProtection) || pv.Status.Phase == corev1.VolumeBound {
		return nil
	}
	u := controller.Copy(pv)
	u.Finalizers = without(pv.Finalizers, volumeProtection)
	_, err := client.Update(c.client, u)
	return ignoreGone(err)
}

// syncPod makes the claims of a pod's ephemeral volumes.
func (c *Controller) syncPod(key string) error {
	p, ok := c.pods.ByKey(key)
	if !ok || p.DeletionTimestamp != nil {
		return nil
	}
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		if v.Ephemeral == nil || v.Ephemeral.VolumeClaimTemplate == nil {
			continue
		}
		name := claimName(p, v)
		if _, exists := c.claims.Get(p.Namespace, name); exists {
			continue
		}
		pvc := &corev1.PersistentVolumeClaim{ObjectMeta: v.Ephemeral.VolumeClaimTemplate.ObjectMeta, Spec: v.Ephemeral.VolumeClaimTemplate.Spec}
		pvc.APIVersion, pvc.Kind, pvc.Namespace, pvc.Name = "v1", "PersistentVolumeClaim", p.Namespace, name
		pvc.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(p, corev1.SchemeGroupVersion.WithKind("Pod"))}
		if _, err := client.Create(c.client, pvc); err != nil && !apierrors.IsAlreadyExists(err) {
			c.recorder.Eventf(p, controller.Warning, "EphemeralVolumeClaimCreationFailed", "ephemeral volume %s: %v", v.Name, err)
			return err
		}
	}
	return nil
}
