// Package controller holds what the controllers share: questions about pods
// (active, ready, available), claiming pods by selector and controller
// reference, making pods from templates, the order in which pods are given up,
// slow start. The controllers themselves are one package each below it; they
// reconcile one key at a time and keep no state that the API does not hold.
package controller

import (
	"errors"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
)

// Event types.
const (
	Normal  = corev1.EventTypeNormal
	Warning = corev1.EventTypeWarning
)

// Copy returns a copy of obj's top struct: its metadata and status may be
// replaced field by field, what they point to may not be changed.
func Copy[T metav1.Object](obj T) T { return api.ShallowCopy(obj).(T) }

// PodCondition returns the pod's condition of that type, or nil.
func PodCondition(p *corev1.Pod, t corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == t {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

// IsReady reports whether the pod's Ready condition is true.
func IsReady(p *corev1.Pod) bool {
	c := PodCondition(p, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

// IsAvailable reports whether the pod has been ready for minReadySeconds.
func IsAvailable(p *corev1.Pod, minReadySeconds int32, now time.Time) bool {
	c := PodCondition(p, corev1.PodReady)
	if c == nil || c.Status != corev1.ConditionTrue {
		return false
	}
	if minReadySeconds == 0 {
		return true
	}
	return !c.LastTransitionTime.IsZero() &&
		!c.LastTransitionTime.Add(time.Duration(minReadySeconds)*time.Second).After(now)
}

// NextAvailable is how long it takes until the next of the ready pods becomes
// available; false when there is none to wait for.
func NextAvailable(pods []*corev1.Pod, minReadySeconds int32, now time.Time) (time.Duration, bool) {
	var next time.Duration
	found := false
	for _, p := range pods {
		if !IsReady(p) || IsAvailable(p, minReadySeconds, now) {
			continue
		}
		d := PodCondition(p, corev1.PodReady).LastTransitionTime.
			Add(time.Duration(minReadySeconds) * time.Second).Sub(now)
		if !found || d < next {
			next, found = d, true
		}
	}
	return next, found
}

// IsTerminal reports whether the pod has run to its end.
func IsTerminal(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// IsActive reports whether the pod counts as a replica: neither ended nor being deleted.
func IsActive(p *corev1.Pod) bool { return !IsTerminal(p) && p.DeletionTimestamp == nil }

// IsTerminating reports whether the pod is being deleted and has not ended yet.
func IsTerminating(p *corev1.Pod) bool { return !IsTerminal(p) && p.DeletionTimestamp != nil }

// OwnerIndex is the index of pods by controller: the value is the
// controller's uid, or orphans/NAMESPACE for pods without one.
const OwnerIndex = "controller"

// OrphanKey is the value of OwnerIndex for the orphans of a namespace.
func OrphanKey(namespace string) string { return "orphans/" + namespace }

// OwnerKeys computes OwnerIndex.
func OwnerKeys[T metav1.Object](obj T) []string {
	m := obj.GetObjectMeta()
	for i := range m.OwnerReferences {
		if r := &m.OwnerReferences[i]; r.Controller != nil && *r.Controller {
			return []string{string(r.UID)}
		}
	}
	return []string{OrphanKey(m.Namespace)}
}

// ControllerRef returns the object's controller reference without copying it, or nil.
func ControllerRef(obj metav1.Object) *metav1.OwnerReference {
	refs := obj.GetObjectMeta().OwnerReferences
	for i := range refs {
		if refs[i].Controller != nil && *refs[i].Controller {
			return &refs[i]
		}
	}
	return nil
}

// EachOwner calls fn with the keys of the sets of a kind that a change of a pod
// concerns: who controlled it before and controls it now, and, of a pod that
// nobody controls, all that select it and may adopt it.
func EachOwner[T metav1.Object](sets *client.Informer[T], kind string, selector func(T) *metav1.LabelSelector, old, pod *corev1.Pod, fn func(key string)) {
	for _, p := range []*corev1.Pod{old, pod} {
		if p == nil {
			continue
		}
		if ref := ControllerRef(p); ref != nil {
			if ref.Kind == kind {
				if set, ok := sets.Get(p.Namespace, ref.Name); ok && set.GetObjectMeta().UID == ref.UID {
					fn(client.Key(set))
				}
			}
		} else if p == pod && p.DeletionTimestamp == nil && len(p.Labels) > 0 {
			sets.Scan(p.Namespace, func(set T) bool {
				if sel, err := metav1.LabelSelectorAsSelector(selector(set)); err == nil && !sel.Empty() && sel.Matches(labels.Set(p.Labels)) {
					fn(client.Key(set))
				}
				return true
			})
		}
	}
}

// Claim decides over the objects that owner controls and over orphans: those
// it owns and selects are kept, those it owns and no longer selects are
// released, orphans that it selects are adopted unless either is being deleted.
// It returns the objects that owner holds afterwards, in the order given.
func Claim[T metav1.Object](c *client.Client, owner metav1.Object, gvk metav1.GroupVersionKind,
	sel labels.Selector, candidates []T) ([]T, error) {
	om := owner.GetObjectMeta()
	var out []T
	var errs []error
	for _, obj := range candidates {
		m := obj.GetObjectMeta()
		ref := ControllerRef(obj)
		matches := sel.Matches(labels.Set(m.Labels))
		switch {
		case ref != nil && ref.UID != om.UID:
		case ref != nil && matches:
			out = append(out, obj)
		case ref != nil:
			if om.DeletionTimestamp != nil {
				continue
			}
			if _, err := release(c, obj, om.UID); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsInvalid(err) {
				errs = append(errs, err)
			}
		case om.DeletionTimestamp != nil || !matches || m.DeletionTimestamp != nil:
		default:
			adopted, err := adopt(c, obj, metav1.NewControllerRef(owner, gvk))
			if err == nil {
				out = append(out, adopted)
			} else if !apierrors.IsNotFound(err) {
				errs = append(errs, err)
			}
		}
	}
	return out, errors.Join(errs...)
}

func adopt[T metav1.Object](c *client.Client, obj T, ref *metav1.OwnerReference) (T, error) {
	o := Copy(obj)
	m := o.GetObjectMeta()
	m.OwnerReferences = append(m.OwnerReferences[:len(m.OwnerReferences):len(m.OwnerReferences)], *ref)
	return client.Update(c, o)
}

func release[T metav1.Object](c *client.Client, obj T, owner metav1.UID) (T, error) {
	o := Copy(obj)
	m := o.GetObjectMeta()
	var refs []metav1.OwnerReference
	for _, r := range m.OwnerReferences {
		if r.UID != owner {
			refs = append(refs, r)
		}
	}
	m.OwnerReferences = refs
	return client.Update(c, o)
}

// PodFromTemplate makes the pod that a controller creates from its template.
// The pod shares the template's spec: the API server copies what it changes.
func PodFromTemplate(t *corev1.PodTemplateSpec, owner metav1.Object, gvk metav1.GroupVersionKind) *corev1.Pod {
	om := owner.GetObjectMeta()
	p := &corev1.Pod{Spec: t.Spec}
	p.APIVersion, p.Kind = "v1", "Pod"
	p.Namespace = om.Namespace
	p.GenerateName = NamePrefix(om.Name)
	p.Labels, p.Annotations = t.Labels, t.Annotations
	p.Finalizers = t.Finalizers
	p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, gvk)}
	return p
}

// NamePrefix is the generateName of a controller's pods.
func NamePrefix(name string) string {
	// A prefix with a dash that would no longer be a valid name is used bare.
	if len(name)+1 > 253 {
		return name
	}
	return name + "-"
}

// SlowStart calls create n times in batches of 1, 2, 4 …: after a failure the
// batch is finished but no other is begun. It returns the number of successes
// and the first error.
func SlowStart(n int, create func() error) (int, error) {
	done := 0
	for size := min(n, 1); size > 0; size = min(2*size, n-done) {
		var first error
		ok := 0
		for range size {
			if err := create(); err == nil {
				ok++
			} else if first == nil {
				first = err
			}
		}
		done += ok
		if first != nil {
			return done, first
		}
	}
	return done, nil
}
