// The volume claims of a set's pods: they outlive the pods, and the set unless
// its retention policy says otherwise.

package statefulset

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

var podKind = corev1.SchemeGroupVersion.WithKind("Pod")

func claimName(t *corev1.PersistentVolumeClaim, set *appsv1.StatefulSet, n int) string {
	return t.Name + "-" + set.Name + "-" + strconv.Itoa(n)
}

// makeClaims creates the claims that a pod lacks.
func (p *pass) makeClaims(pod *corev1.Pod) error {
	var errs []error
	for i := range p.set.Spec.VolumeClaimTemplates {
		t := &p.set.Spec.VolumeClaimTemplates[i]
		name := claimName(t, p.set, ordinal(pod))
		if have, ok := p.claims.Get(p.set.Namespace, name); ok {
			if have.DeletionTimestamp != nil {
				errs = append(errs, fmt.Errorf("pvc %s is being deleted", name))
			}
			continue
		}
		claim := controller.Copy(t)
		claim.APIVersion, claim.Kind = "v1", "PersistentVolumeClaim"
		claim.Namespace, claim.Name = p.set.Namespace, name
		claim.Labels = maps.Clone(t.Labels)
		if claim.Labels == nil {
			claim.Labels = map[string]string{}
		}
		maps.Copy(claim.Labels, p.set.Spec.Selector.MatchLabels)
		_, err := client.Create(p.client, claim)
		switch {
		case err == nil:
			p.recorder.Eventf(p.set, controller.Normal, "SuccessfulCreate", "Create Claim %s Pod %s in StatefulSet %s success", name, pod.Name, p.set.Name)
		case !apierrors.IsAlreadyExists(err):
			p.recorder.Eventf(p.set, controller.Warning, "FailedCreate", "Create Claim %s for Pod %s in StatefulSet %s failed error: %s", name, pod.Name, p.set.Name, err)
			fallthrough
		default:
			errs = append(errs, fmt.Errorf("failed to create PVC %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// createClaims creates the claims that a pending pod waits for.
func (p *pass) createClaims(pod *corev1.Pod) error {
	if err := p.makeClaims(pod); err != nil {
		return err
	}
	return p.fixClaims(pod)
}

func (p *pass) retention() (deleted, scaled bool) {
	r := p.set.Spec.PersistentVolumeClaimRetentionPolicy
	const remove = appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	return r != nil && r.WhenDeleted == remove, r != nil && r.WhenScaled == remove
}

// fixClaims gives a pod's claims the owners that the retention policy asks for:
// the set, so that they go with it, or the pod once it is scaled away.
func (p *pass) fixClaims(pod *corev1.Pod) error {
	whenDeleted, whenScaled := p.retention()
	n := ordinal(pod)
	for i := range p.set.Spec.VolumeClaimTemplates {
		claim, ok := p.claims.Get(p.set.Namespace, claimName(&p.set.Spec.VolumeClaimTemplates[i], p.set, n))
		if !ok {
			continue
		}
		outside := n < p.start || n >= p.start+p.count
		foreign := slices.ContainsFunc(claim.OwnerReferences, func(r metav1.OwnerReference) bool {
			return r.Controller != nil && *r.Controller && r.UID != p.set.UID && r.UID != pod.UID
		})
		if foreign && (whenDeleted || whenScaled) {
			p.recorder.Eventf(p.set, controller.Warning, "ConflictingController",
				"PersistentVolumeClaim %s has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim", claim.Name)
			continue
		}
		var refs []metav1.OwnerReference
		for _, r := range claim.OwnerReferences {
			if r.UID != p.set.UID && (pod.UID == "" || r.UID != pod.UID) {
				refs = append(refs, r)
			}
		}
		switch {
		case whenScaled && outside && pod.UID != "":
			refs = append(refs, *metav1.NewControllerRef(pod, podKind))
		case whenDeleted && !(whenScaled && outside):
			refs = append(refs, *metav1.NewControllerRef(p.set, gvk))
		}
		if slices.EqualFunc(refs, claim.OwnerReferences, func(a, b metav1.OwnerReference) bool { return a.UID == b.UID }) {
			continue
		}
		u := controller.Copy(claim)
		u.OwnerReferences = refs
		if _, err := client.Update(p.client, u); err != nil {
			return fmt.Errorf("could not update claim %s for delete policy ownerRefs: %w", claim.Name, err)
		}
	}
	return nil
}

// stale reports whether a claim still belongs to a former pod of that name and
// is about to go with it.
func (p *pass) stale(pod *corev1.Pod) bool {
	if _, scaled := p.retention(); !scaled {
		return false
	}
	for i := range p.set.Spec.VolumeClaimTemplates {
		claim, ok := p.claims.Get(p.set.Namespace, claimName(&p.set.Spec.VolumeClaimTemplates[i], p.set, ordinal(pod)))
		if ok && slices.ContainsFunc(claim.OwnerReferences, func(r metav1.OwnerReference) bool {
			return r.Kind == podKind.Kind && r.Name == pod.Name && r.UID != pod.UID
		}) {
			return true
		}
	}
	return false
}
