// Package persistentvolume binds claims to volumes: to one that fits, or to one
// that a storage class's provisioner makes. provision.go is the provisioner of
// local directories; protect.go lets go of what nobody uses, and makes the
// claims of ephemeral volumes.
package persistentvolume

import (
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
	"github.com/kubonsai/kubonsai/sim/scheduler/plugin"
)

const (
	latency = 8 * time.Millisecond
	// A new claim is looked at while its pod is still being created.
	claimLatency = 2 * time.Millisecond
	// How often claims that wait are looked at again, which their events tell:
	// --pvclaimbinder-sync-period of kube-controller-manager.
	resync = 15 * time.Second
)

const (
	bindCompleted     = "pv.kubernetes.io/bind-completed"
	boundByController = "pv.kubernetes.io/bound-by-controller"
	provisionedBy     = "pv.kubernetes.io/provisioned-by"
	claimProtection   = "kubernetes.io/pvc-protection"
	volumeProtection  = "kubernetes.io/pv-protection"
)

type (
	claim  = *corev1.PersistentVolumeClaim
	volume = *corev1.PersistentVolume
)

// Controller reconciles claims and volumes.
type Controller struct {
	client      *client.Client
	clock       *clock.Clock
	recorder    *client.Recorder
	provisioner *client.Recorder
	claims      *client.Informer[claim]
	volumes     *client.Informer[volume]
	classes     *client.Informer[*storagev1.StorageClass]
	pods        *client.Informer[*corev1.Pod]
	claimQueue  *client.Queue
	volumeQueue *client.Queue
	podQueue    *client.Queue
	work        *client.Queue // the provisioner's
}

// New returns the controller of claims and volumes, with its provisioner.
func New(c *client.Client, f *client.Factory) *Controller {
	vc := &Controller{client: c, clock: f.Clock(), recorder: client.NewRecorder(c, f.Clock(), "persistentvolume-controller", ""),
		provisioner: client.NewRecorder(c, f.Clock(), "rancher.io/local-path_local-path-provisioner", ""),
		claims:      client.InformerFor[claim](f), volumes: client.InformerFor[volume](f),
		classes: client.InformerFor[*storagev1.StorageClass](f), pods: client.InformerFor[*corev1.Pod](f)}
	vc.claimQueue = client.NewQueue(f.Clock(), "persistentvolume claims", claimLatency, vc.syncClaim)
	vc.volumeQueue = client.NewQueue(f.Clock(), "persistentvolume volumes", latency, vc.syncVolume)
	vc.podQueue = client.NewQueue(f.Clock(), "ephemeral volumes", latency, vc.syncPod)
	vc.work = client.NewQueue(f.Clock(), "local-path-provisioner", provisionTime, vc.provision)
	vc.claims.OnChange(func(old, pvc claim) {
		for _, c := range []claim{old, pvc} {
			if c != nil && c.Spec.VolumeName != "" {
				vc.volumeQueue.Add(c.Spec.VolumeName)
			}
		}
		if pvc != nil {
			vc.claimQueue.Add(client.Key(pvc))
		} else {
			vc.volumesOf(old)
		}
	})
	vc.volumes.OnChange(func(old, pv volume) {
		for _, v := range []volume{old, pv} {
			if v != nil && v.Spec.ClaimRef != nil {
				vc.claimQueue.Add(v.Spec.ClaimRef.Namespace + "/" + v.Spec.ClaimRef.Name)
			}
		}
		if pv != nil {
			vc.volumeQueue.Add(pv.Name)
			if pv.Spec.ClaimRef == nil {
				vc.retryPending()
			}
		}
	})
	vc.classes.OnChange(func(_, class *storagev1.StorageClass) {
		if class != nil {
			vc.retryPending()
		}
	})
	vc.pods.OnChange(vc.podChanged)
	return vc
}

// volumesOf looks again at the volumes that refer to a claim which is gone.
func (c *Controller) volumesOf(pvc claim) {
	c.volumes.Scan("", func(pv volume) bool {
		if r := pv.Spec.ClaimRef; r != nil && r.Namespace == pvc.Namespace && r.Name == pvc.Name {
			c.volumeQueue.Add(pv.Name)
		}
		return true
	})
}

// retryPending looks again at the claims that wait for a volume.
func (c *Controller) retryPending() {
	c.claims.Scan("", func(pvc claim) bool {
		if pvc.Spec.VolumeName == "" {
			c.claimQueue.Add(client.Key(pvc))
		}
		return true
	})
}

func className(pvc claim) string {
	if v, ok := pvc.Annotations[corev1.BetaStorageClassAnnotation]; ok {
		return v
	}
	if pvc.Spec.StorageClassName != nil {
		return *pvc.Spec.StorageClassName
	}
	return ""
}

func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (c *Controller) syncClaim(key string) error {
	pvc, ok := c.claims.ByKey(key)
	if !ok {
		return nil
	}
	if pvc.DeletionTimestamp != nil {
		return c.releaseClaim(pvc)
	}
	if pvc.Spec.VolumeName != "" {
		return c.syncChosen(pvc)
	}
	class, found := c.classes.Get("", className(pvc))
	waits := found && class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
	selected := pvc.Annotations[plugin.SelectedNodeAnnotation] != ""
	if pv := c.match(pvc, waits && !selected); pv != nil {
		return c.bind(pvc, pv)
	}
	switch {
	case className(pvc) == "":
		c.recorder.Eventf(pvc, controller.Normal, "FailedBinding", "no persistent volumes available for this claim and no storage class is set")
	case waits && !selected:
		c.tellWaiting(pvc)
	case !found:
		c.recorder.Eventf(pvc, controller.Warning, "ProvisioningFailed", "storageclass.storage.k8s.io %q not found", className(pvc))
	case class.Provisioner == "kubernetes.io/no-provisioner":
	default:
		return c.askProvisioner(pvc, class)
	}
	c.claimQueue.AddAfter(key, resync)
	return nil
}

// tellWaiting says what a claim waits for: its first pod, or that this gets a
// node. A pod that came with the claim is not known yet.
func (c *Controller) tellWaiting(pvc claim) {
	var names []string
	for _, pod := range c.pods.List(pvc.Namespace, nil) {
		known := pod.CreationTimestamp.Time.Before(pvc.CreationTimestamp.Time) || c.clock.Now().Sub(pod.CreationTimestamp.Time) >= time.Second
		if known && pod.Spec.NodeName == "" && !controller.IsTerminal(pod) && uses(pod, pvc.Name) {
			names = append(names, pod.Name)
		}
	}
	switch len(names) {
	case 0:
		c.recorder.Eventf(pvc, controller.Normal, "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
	case 1:
		c.recorder.Eventf(pvc, controller.Normal, "WaitForPodScheduled", "waiting for pod %s to be scheduled", names[0])
	default:
		c.recorder.Eventf(pvc, controller.Normal, "WaitForPodScheduled", "waiting for pods %s to be scheduled", strings.Join(names, ","))
	}
}

// syncChosen finishes the binding of a claim that names its volume.
func (c *Controller) syncChosen(pvc claim) error {
	pv, ok := c.volumes.Get("", pvc.Spec.VolumeName)
	if !ok {
		if pvc.Annotations[bindCompleted] == "" || pvc.Status.Phase == corev1.ClaimLost {
			return nil
		}
		c.recorder.Eventf(pvc, controller.Warning, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
		u := controller.Copy(pvc)
		u.Status.Phase, u.Status.AccessModes, u.Status.Capacity = corev1.ClaimLost, nil, nil
		_, err := client.UpdateStatus(c.client, u)
		return ignoreGone(err)
	}
	if ref := pv.Spec.ClaimRef; ref != nil && !refersTo(ref, pvc) {
		return nil // the volume is somebody else's: the claim waits
	}
	if pvc.Annotations[bindCompleted] != "" && pvc.Status.Phase == corev1.ClaimBound && pv.Status.Phase == corev1.VolumeBound {
		return nil
	}
	return c.bind(pvc, pv)
}

func refersTo(ref *corev1.ObjectReference, pvc claim) bool {
	return ref.Namespace == pvc.Namespace && ref.Name == pvc.Name && (ref.UID == "" || ref.UID == pvc.UID)
}

// match finds the volume that is reserved for a claim, else the smallest that
// fits, unless only reserved ones count.
func (c *Controller) match(pvc claim, reservedOnly bool) volume {
	want := pvc.Spec.Resources.Requests[corev1.ResourceStorage]
	sel := labels.Everything()
	if pvc.Spec.Selector != nil {
		s, err := metav1.LabelSelectorAsSelector(pvc.Spec.Selector)
		if err != nil {
			return nil
		}
		sel = s
	}
	var best volume
	for _, pv := range c.volumes.List("", nil) {
		if pv.DeletionTimestamp != nil {
			continue
		}
		if ref := pv.Spec.ClaimRef; ref != nil {
			if refersTo(ref, pvc) {
				return pv
			}
			continue
		}
		size := pv.Spec.Capacity[corev1.ResourceStorage]
		if reservedOnly || pv.Spec.StorageClassName != className(pvc) || size.Cmp(want) < 0 || !sel.Matches(labels.Set(pv.Labels)) ||
			pv.Status.Phase != corev1.VolumeAvailable && pv.Status.Phase != corev1.VolumePending ||
			mode(pv.Spec.VolumeMode) != mode(pvc.Spec.VolumeMode) ||
			slices.ContainsFunc(pvc.Spec.AccessModes, func(m corev1.PersistentVolumeAccessMode) bool { return !slices.Contains(pv.Spec.AccessModes, m) }) {
			continue
		}
		if best != nil {
			if s := best.Spec.Capacity[corev1.ResourceStorage]; s.Cmp(size) <= 0 {
				continue
			}
		}
		best = pv
	}
	return best
}

func mode(m *corev1.PersistentVolumeMode) corev1.PersistentVolumeMode {
	if m == nil {
		return corev1.PersistentVolumeFilesystem
	}
	return *m
}

func annotated(have map[string]string, pairs ...string) map[string]string {
	out := maps.Clone(have)
	if out == nil {
		out = map[string]string{}
	}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// bind ties the two to each other, in the order volume, claim.
func (c *Controller) bind(pvc claim, pv volume) error {
	if ref := pv.Spec.ClaimRef; ref == nil || ref.UID != pvc.UID {
		u := controller.Copy(pv)
		if ref == nil {
			u.Annotations = annotated(pv.Annotations, boundByController, "yes")
		}
		r := client.ObjectReference(pvc)
		u.Spec.ClaimRef = &r
		stored, err := client.Update(c.client, u)
		if err != nil {
			return err
		}
		pv = stored
	}
	if pv.Status.Phase != corev1.VolumeBound {
		stored, err := c.setPhase(pv, corev1.VolumeBound, "")
		if err != nil {
			return err
		}
		pv = stored
	}
	if pvc.Spec.VolumeName != pv.Name || pvc.Annotations[bindCompleted] == "" {
		u := controller.Copy(pvc)
		if pvc.Spec.VolumeName == "" {
			u.Spec.VolumeName = pv.Name
			u.Annotations = annotated(pvc.Annotations, boundByController, "yes")
		}
		u.Annotations = annotated(u.Annotations, bindCompleted, "yes")
		stored, err := client.Update(c.client, u)
		if err != nil {
			return err
		}
		pvc = stored
	}
	if pvc.Status.Phase != corev1.ClaimBound {
		u := controller.Copy(pvc)
		u.Status.Phase, u.Status.AccessModes = corev1.ClaimBound, pv.Spec.AccessModes
		u.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: pv.Spec.Capacity[corev1.ResourceStorage]}
		_, err := client.UpdateStatus(c.client, u)
		return ignoreGone(err)
	}
	return nil
}

func (c *Controller) setPhase(pv volume, phase corev1.PersistentVolumePhase, message string) (volume, error) {
	if pv.Status.Phase == phase && pv.Status.Message == message {
		return pv, nil
	}
	u := controller.Copy(pv)
	u.Status.Phase, u.Status.Message = phase, message
	now := metav1.NewTime(c.clock.Now())
	u.Status.LastPhaseTransitionTime = &now
	return client.UpdateStatus(c.client, u)
}

func (c *Controller) syncVolume(name string) error {
	pv, ok := c.volumes.Get("", name)
	if !ok {
		return nil
	}
	ref := pv.Spec.ClaimRef
	if ref == nil || ref.UID == "" {
		if pv.DeletionTimestamp == nil {
			_, err := c.setPhase(pv, corev1.VolumeAvailable, "")
			return ignoreGone(err)
		}
		return c.releaseVolume(pv)
	}
	pvc, ok := c.claims.Get(ref.Namespace, ref.Name)
	if ok && pvc.UID == ref.UID {
		if pvc.Spec.VolumeName == "" || pvc.Spec.VolumeName == pv.Name && pvc.Annotations[bindCompleted] == "" {
			c.claimQueue.Add(client.Key(pvc))
		}
		return nil
	}
	// The claim is gone.
	if pv.Status.Phase != corev1.VolumeReleased && pv.Status.Phase != corev1.VolumeFailed {
		stored, err := c.setPhase(pv, corev1.VolumeReleased, "")
		if err != nil {
			return ignoreGone(err)
		}
		pv = stored
	}
	if pv.DeletionTimestamp != nil {
		return c.releaseVolume(pv)
	}
	if pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete || pv.Status.Phase == corev1.VolumeFailed {
		return nil
	}
	if pv.Annotations[provisionedBy] != "" {
		c.work.Add(volumeWork + pv.Name)
		return nil
	}
	message := `error getting deleter volume plugin for volume "` + pv.Name + `": no deletable volume plugin matched`
	c.recorder.Eventf(pv, controller.Warning, "VolumeFailedDelete", "%s", message)
	_, err := c.setPhase(pv, corev1.VolumeFailed, message)
	return ignoreGone(err)
}
