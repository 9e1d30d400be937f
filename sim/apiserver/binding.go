// This file binds pods to nodes and evicts them.

package apiserver

import (
	"fmt"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	policyv1 "github.com/kubonsai/kubonsai/sim/api/policy/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/store"
)

var podResource = metav1.GroupResource{Resource: "pods"}

// bindPod answers POST …/pods/NAME/binding.
func (c *call) bindPod() (*rest.Response, error) {
	if err := c.readOptions("CreateOptions", false); err != nil {
		return nil, err
	}
	obj, err := c.decode(metav1.GroupVersionKind{Version: "v1", Kind: "Binding"}, nil)
	if err != nil {
		return nil, err
	}
	b := obj.(*corev1.Binding)
	if c.name != b.Name {
		return nil, apierrors.NewBadRequest("name in URL does not match name in Binding object")
	}
	return c.bind(b)
}

// createBinding answers POST …/bindings.
func (c *call) createBinding() (*rest.Response, error) {
	obj, err := c.decode(c.kind.GroupVersionKind(), nil)
	if err != nil {
		return nil, err
	}
	c.name = obj.GetObjectMeta().Name
	return c.bind(obj.(*corev1.Binding))
}

func (c *call) bind(b *corev1.Binding) (*rest.Response, error) {
	if err := c.fitNamespace(b.GetObjectMeta()); err != nil {
		return nil, err
	}
	switch {
	case b.Target.Kind != "" && b.Target.Kind != "Node":
		return nil, apierrors.NewUnknown(fmt.Sprintf("target.kind: Unsupported value: %q: supported values: \"Node\", \"<empty>\"", b.Target.Kind))
	case b.Target.Name == "":
		return nil, apierrors.NewUnknown("target.name: Required value")
	}
	if err := c.admit(Create, b, nil); err != nil {
		return nil, err
	}
	old, ok := c.s.lookup("pods", c.namespace, b.Name).(*corev1.Pod)
	if !ok {
		return nil, apierrors.NewNotFound(podResource, b.Name)
	}
	refuse := func(format string, args ...any) (*rest.Response, error) {
		return nil, apierrors.NewConflict(metav1.GroupResource{Resource: "pods/binding"}, b.Name, fmt.Errorf(format, args...))
	}
	switch {
	case b.UID != "" && b.UID != old.UID:
		return nil, apierrors.NewConflict(podResource, b.Name, fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: %v", b.UID, old.UID))
	case b.ResourceVersion != "" && b.ResourceVersion != old.ResourceVersion:
		return nil, apierrors.NewConflict(podResource, b.Name, fmt.Errorf("Precondition failed: ResourceVersion in precondition: %v, ResourceVersion in object meta: %v", b.ResourceVersion, old.ResourceVersion))
	case old.DeletionTimestamp != nil:
		return refuse("pod %s is being deleted, cannot be assigned to a host", old.Name)
	case old.Spec.NodeName != "":
		return refuse("pod %v is already assigned to node %q", old.Name, old.Spec.NodeName)
	case len(old.Spec.SchedulingGates) != 0:
		return refuse("pod %v has non-empty .spec.schedulingGates", old.Name)
	}
	pod := *old
	pod.Spec.NodeName = b.Target.Name
	pod.Status.NominatedNodeName = ""
	pod.Annotations = merged(old.Annotations, b.Annotations)
	pod.Labels = merged(old.Labels, b.Labels)
	pod.Status.Conditions = withCondition(&pod.Status, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, metav1.NewTime(c.s.now()))
	if !c.options.dryRun {
		if err := c.s.store.Update(store.Key{Resource: "pods", Namespace: c.namespace, Name: b.Name}, old, &pod); err != nil {
			return nil, apierrors.NewModified(podResource, b.Name)
		}
	}
	return &rest.Response{Code: 201, Object: succeeded(nil, 201)}, nil
}

// merged is base with the entries of more; base itself stays as it is.
func merged(base, more map[string]string) map[string]string {
	if len(more) == 0 {
		return base
	}
	out := make(map[string]string, len(base)+len(more))
	for k, v := range base {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// withCondition is the status' conditions with the one given, whose transition
// time is now if its status has changed.
func withCondition(s *corev1.PodStatus, cond corev1.PodCondition, now metav1.Time) []corev1.PodCondition {
	out := append([]corev1.PodCondition(nil), s.Conditions...)
	cond.LastTransitionTime = now
	for i := range out {
		if out[i].Type == cond.Type {
			if out[i].Status == cond.Status {
				cond.LastTransitionTime = out[i].LastTransitionTime
			}
			out[i] = cond
			return out
		}
	}
	return append(out, cond)
}

var evictionKind = metav1.GroupVersionKind{Group: "policy", Version: "v1", Kind: "Eviction"}

// evict answers POST …/pods/NAME/eviction: a deletion that disruption budgets
// may refuse.
func (c *call) evict() (*rest.Response, error) {
	if err := c.readOptions("CreateOptions", false); err != nil {
		return nil, err
	}
	obj, err := c.decode(evictionKind, nil)
	if err != nil {
		return nil, err
	}
	e := obj.(*policyv1.Eviction)
	if c.name != e.Name {
		return nil, apierrors.NewBadRequest("name in URL does not match name in Eviction object")
	}
	if err := c.fitNamespace(e.GetObjectMeta()); err != nil {
		return nil, err
	}
	stored, err := c.stored(c.name)
	if err != nil {
		return nil, err
	}
	pod := stored.(*corev1.Pod)
	o := metav1.DeleteOptions{}
	if e.DeleteOptions != nil {
		o = *e.DeleteOptions
	}
	dry, errs := dryRun(o.DryRun)
	if len(errs) > 0 {
		return nil, apierrors.NewInvalid(metav1.GroupKind{Group: metav1.GroupName, Kind: "DeleteOptions"}, "", errs)
	}
	c.options.dryRun = c.options.dryRun || dry
	if err := c.admit(Create, e, nil); err != nil {
		return nil, err
	}
	if !ignoresBudget(pod) {
		if err := c.spendBudget(pod); err != nil {
			return nil, err
		}
	}
	if !c.options.dryRun {
		marked := *pod
		marked.Status.Conditions = withCondition(&marked.Status, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
			ObservedGeneration: pod.Generation, Reason: "EvictionByEvictionAPI", Message: "Eviction API: evicting"}, metav1.NewTime(c.s.now()))
		if err := c.s.store.Update(c.key(c.name), pod, &marked); err != nil {
			return nil, apierrors.NewModified(podResource, c.name)
		}
		pod = &marked
		o.Preconditions = withoutRevision(o.Preconditions)
	}
	if _, _, err := c.deleteObject(pod, &o); err != nil {
		return nil, err
	}
	return &rest.Response{Code: 201, Object: succeeded(nil, 201)}, nil
}

func withoutRevision(p *metav1.Preconditions) *metav1.Preconditions {
	if p == nil {
		return nil
	}
	return &metav1.Preconditions{UID: p.UID}
}

func ignoresBudget(pod *corev1.Pod) bool {
	switch pod.Status.Phase {
	case corev1.PodSucceeded, corev1.PodFailed, corev1.PodPending:
		return true
	}
	return pod.DeletionTimestamp != nil
}

// spendBudget counts the eviction against the pod's disruption budget.
func (c *call) spendBudget(pod *corev1.Pod) error {
	var budgets []*policyv1.PodDisruptionBudget
	c.s.store.Scan("poddisruptionbudgets.policy", pod.Namespace, func(obj metav1.Object) bool {
		b := obj.(*policyv1.PodDisruptionBudget)
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err == nil && selector.Matches(labelSet(pod.Labels)) {
			budgets = append(budgets, b)
		}
		return true
	})
	if len(budgets) == 0 {
		return nil
	}
	if len(budgets) > 1 {
		e := apierrors.NewInternalError(fmt.Errorf(""))
		e.ErrStatus.Message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
		e.ErrStatus.Reason, e.ErrStatus.Details = "", nil
		return e
	}
	b := budgets[0]
	if !podReady(pod) {
		policy := b.Spec.UnhealthyPodEvictionPolicy
		if policy != nil && *policy == policyv1.AlwaysAllow || b.Status.CurrentHealthy >= b.Status.DesiredHealthy && b.Status.DesiredHealthy > 0 {
			return nil
		}
	}
	tooMany := func(message, cause string) error {
		e := apierrors.NewTooManyRequests(message, 0)
		e.ErrStatus.Details = &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: policyv1.DisruptionBudgetCause, Message: cause}}}
		return e
	}
	const refused = "Cannot evict pod as it would violate the pod's disruption budget."
	if b.Status.ObservedGeneration < b.Generation {
		e := tooMany(refused, fmt.Sprintf("The disruption budget %s is still being processed by the server.", b.Name))
		e.(*apierrors.StatusError).ErrStatus.Details.RetryAfterSeconds = 10
		return e
	}
	if b.Status.DisruptionsAllowed <= 0 {
		return tooMany(refused, fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", b.Name, b.Status.DesiredHealthy, b.Status.CurrentHealthy))
	}
	if c.options.dryRun {
		return nil
	}
	next := *b
	next.Status.DisruptionsAllowed--
	next.Status.DisruptedPods = map[string]metav1.Time{pod.Name: metav1.NewTime(c.s.now())}
	for k, v := range b.Status.DisruptedPods {
		next.Status.DisruptedPods[k] = v
	}
	if cond := "DisruptionAllowed"; next.Status.DisruptionsAllowed == 0 {
		next.Status.Conditions = append([]metav1.Condition(nil), b.Status.Conditions...)
		for i := range next.Status.Conditions {
			if d := &next.Status.Conditions[i]; d.Type == cond {
				d.Status, d.Reason, d.LastTransitionTime = metav1.ConditionFalse, "InsufficientPods", metav1.NewTime(c.s.now())
			}
		}
	}
	return c.s.store.Update(store.Key{Resource: "poddisruptionbudgets.policy", Namespace: b.Namespace, Name: b.Name}, b, &next)
}

func podReady(pod *corev1.Pod) bool {
	for _, cond := range pod.Status.Conditions {
		if cond.Type == corev1.PodReady {
			return cond.Status == corev1.ConditionTrue
		}
	}
	return false
}
