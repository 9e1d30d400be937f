// The provisioner: for the classes of the local-path provisioner it makes
// volumes that are directories on the node of the first consumer.

package persistentvolume

import (
	"slices"
	"strings"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
	"github.com/kubonsai/kubonsai/sim/scheduler/plugin"
)

// provisionTime is how long making or removing a directory takes: the real
// provisioner runs a pod for it.
const provisionTime = 2 * time.Second

// volumeWork marks the provisioner's keys that are volumes to delete.
const volumeWork = "volume/"

// provisioners are those that the simulation plays.
var provisioners = []string{"rancher.io/local-path", "k8s.io/minikube-hostpath"}

// askProvisioner tells a class's provisioner of a claim.
func (c *Controller) askProvisioner(pvc claim, class *storagev1.StorageClass) error {
	const beta, ga = "volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner"
	if pvc.Annotations[ga] != class.Provisioner {
		u := controller.Copy(pvc)
		u.Annotations = annotated(pvc.Annotations, beta, class.Provisioner, ga, class.Provisioner)
		stored, err := client.Update(c.client, u)
		if err != nil {
			return ignoreGone(err)
		}
		pvc = stored
		c.recorder.Eventf(pvc, controller.Normal, "ExternalProvisioning", "Waiting for a volume to be created either by the external provisioner '%s' "+
			"or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.", class.Provisioner)
		if slices.Contains(provisioners, class.Provisioner) {
			c.provisioner.Eventf(pvc, controller.Normal, "Provisioning", "External provisioner is provisioning volume for claim %q", client.Key(pvc))
		}
	}
	if slices.Contains(provisioners, class.Provisioner) {
		c.work.Add(client.Key(pvc))
	}
	return nil
}

// provision makes the volume of a claim, or deletes a volume.
func (c *Controller) provision(key string) error {
	if name, ok := strings.CutPrefix(key, volumeWork); ok && name != "" {
		if pv, ok := c.volumes.Get("", name); ok && pv.Status.Phase == corev1.VolumeReleased {
			return ignoreGone(client.Delete[volume](c.client, "", name, client.DeleteOptions{}))
		}
		if _, isClaim := c.claims.ByKey(key); !isClaim {
			return nil
		}
	}
	pvc, ok := c.claims.ByKey(key)
	if !ok || pvc.Spec.VolumeName != "" || pvc.DeletionTimestamp != nil {
		return nil
	}
	class, ok := c.classes.Get("", className(pvc))
	if !ok {
		return nil
	}
	name := "pvc-" + string(pvc.UID)
	kind := corev1.HostPathDirectoryOrCreate
	pv := &corev1.PersistentVolume{}
	pv.APIVersion, pv.Kind, pv.Name = "v1", "PersistentVolume", name
	node := pvc.Annotations[plugin.SelectedNodeAnnotation]
	pv.Annotations = map[string]string{provisionedBy: class.Provisioner}
	pv.Spec = corev1.PersistentVolumeSpec{
		AccessModes:      pvc.Spec.AccessModes,
		Capacity:         corev1.ResourceList{corev1.ResourceStorage: pvc.Spec.Resources.Requests[corev1.ResourceStorage]},
		StorageClassName: class.Name, VolumeMode: pvc.Spec.VolumeMode, MountOptions: class.MountOptions,
	}
	pv.Spec.HostPath = &corev1.HostPathVolumeSource{Path: "/var/local-path-provisioner/" + name + "_" + pvc.Namespace + "_" + pvc.Name, Type: &kind}
	ref := client.ObjectReference(pvc)
	pv.Spec.ClaimRef = &ref
	if class.ReclaimPolicy != nil {
		pv.Spec.PersistentVolumeReclaimPolicy = *class.ReclaimPolicy
	}
	if node != "" {
		pv.Annotations["local.path.provisioner/selected-node"] = node
		pv.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kubernetes.io/hostname", Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}}}}
	}
	if _, err := client.Create(c.client, pv); err != nil && !apierrors.IsAlreadyExists(err) {
		c.provisioner.Eventf(pvc, controller.Warning, "ProvisioningFailed", "Error saving provisioned volume: %v", err)
		return err
	}
	c.provisioner.Eventf(pvc, controller.Normal, "ProvisioningSucceeded", "Successfully provisioned volume %s", name)
	return nil
}
