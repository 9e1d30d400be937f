// Package disruption keeps the status of PodDisruptionBudgets: how many pods
// are healthy, how many must be, and so how many may be evicted now. The API
// server's eviction endpoint spends what the status allows.
package disruption

import (
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	policyv1 "github.com/kubonsai/kubonsai/sim/api/policy/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency = 8 * time.Millisecond
	// deletionTimeout is how long an evicted pod may take to be deleted before
	// it counts as healthy again.
	deletionTimeout = 2 * time.Minute
)

// Controller reconciles disruption budgets.
type Controller struct {
	client    *client.Client
	clock     *clock.Clock
	recorder  *client.Recorder
	budgets   *client.Informer[*policyv1.PodDisruptionBudget]
	pods      *client.Informer[*corev1.Pod]
	sets      *client.Informer[*appsv1.ReplicaSet]
	deploys   *client.Informer[*appsv1.Deployment]
	statefuls *client.Informer[*appsv1.StatefulSet]
	rcs       *client.Informer[*corev1.ReplicationController]
	queue     *client.Queue
}

// New returns the controller of PodDisruptionBudgets.
func New(c *client.Client, f *client.Factory) *Controller {
	dc := &Controller{client: c, clock: f.Clock(), recorder: client.NewRecorder(c, f.Clock(), "controllermanager", ""),
		budgets: client.InformerFor[*policyv1.PodDisruptionBudget](f), pods: client.InformerFor[*corev1.Pod](f),
		sets: client.InformerFor[*appsv1.ReplicaSet](f), deploys: client.InformerFor[*appsv1.Deployment](f),
		statefuls: client.InformerFor[*appsv1.StatefulSet](f), rcs: client.InformerFor[*corev1.ReplicationController](f)}
	dc.queue = client.NewQueue(f.Clock(), "disruption", latency, dc.sync)
	dc.budgets.OnChange(func(old, b *policyv1.PodDisruptionBudget) {
		if b == nil {
			dc.queue.Remove(client.Key(old))
			return
		}
		dc.queue.Add(client.Key(b))
	})
	dc.pods.OnChange(func(old, p *corev1.Pod) {
		if dc.budgets.Len() == 0 || old != nil && p != nil && controller.IsReady(old) == controller.IsReady(p) &&
			(old.DeletionTimestamp == nil) == (p.DeletionTimestamp == nil) && maps.Equal(old.Labels, p.Labels) {
			return
		}
		for _, pod := range []*corev1.Pod{old, p} {
			if pod == nil {
				continue
			}
			dc.budgets.Scan(pod.Namespace, func(b *policyv1.PodDisruptionBudget) bool {
				if sel, err := metav1.LabelSelectorAsSelector(b.Spec.Selector); err == nil && sel.Matches(labels.Set(pod.Labels)) {
					dc.queue.Add(client.Key(b))
				}
				return true
			})
		}
	})
	return dc
}

func (c *Controller) sync(key string) error {
	b, ok := c.budgets.ByKey(key)
	if !ok {
		return nil
	}
	err := c.reconcile(b, key)
	if err == nil || apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return err
	}
	u := controller.Copy(b)
	u.Status.DisruptionsAllowed = 0
	c.condition(u, metav1.ConditionFalse, policyv1.SyncFailedReason, err.Error(), u.Status.ObservedGeneration)
	_, err = client.UpdateStatus(c.client, u)
	return err
}

func (c *Controller) reconcile(b *policyv1.PodDisruptionBudget, key string) error {
	sel, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil {
		c.recorder.Eventf(b, controller.Warning, "NoPods", "Failed to get pods: %v", err)
		return err
	}
	pods := c.pods.List(b.Namespace, sel)
	if len(pods) == 0 {
		c.recorder.Eventf(b, controller.Normal, "NoPods", "No matching pods found")
	}
	expected, desired, unmanaged, err := c.expected(b, pods)
	if err != nil {
		c.recorder.Eventf(b, controller.Warning, "CalculateExpectedPodCountFailed", "Failed to calculate the number of expected pods: %v", err)
		return err
	}
	if unmanaged {
		c.recorder.Eventf(b, controller.Warning, "UnmanagedPods", "Pods selected by this PodDisruptionBudget (selector: %v) were found "+
			"to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. "+
			"To account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.", metav1.FormatLabelSelector(b.Spec.Selector))
	}
	now := c.clock.Now()
	disrupted := map[string]metav1.Time{}
	healthy := int32(0)
	var recheck time.Duration
	for _, p := range pods {
		if p.DeletionTimestamp != nil {
			continue
		}
		if at, ok := b.Status.DisruptedPods[p.Name]; ok {
			if left := at.Add(deletionTimeout).Sub(now); left >= 0 {
				disrupted[p.Name] = at
				if recheck == 0 || left < recheck {
					recheck = left + time.Millisecond
				}
				continue
			}
			c.recorder.Eventf(p, controller.Warning, "NotDeleted", "Pod was expected by PDB %s/%s to be deleted but it wasn't", b.Namespace, b.Namespace)
		}
		if controller.IsReady(p) {
			healthy++
		}
	}
	if recheck > 0 {
		c.queue.AddAfter(key, recheck)
	}
	allowed := max(0, healthy-desired)
	if expected <= 0 {
		allowed = 0
	}
	u := controller.Copy(b)
	u.Status = policyv1.PodDisruptionBudgetStatus{ObservedGeneration: b.Generation, CurrentHealthy: healthy, DesiredHealthy: desired,
		ExpectedPods: expected, DisruptionsAllowed: allowed, DisruptedPods: disrupted, Conditions: b.Status.Conditions}
	status, reason := metav1.ConditionTrue, policyv1.SufficientPodsReason
	if allowed == 0 {
		status, reason = metav1.ConditionFalse, policyv1.InsufficientPodsReason
	}
	changed := c.condition(u, status, reason, "", b.Generation)
	if s := &b.Status; !changed && s.ObservedGeneration == b.Generation && s.CurrentHealthy == healthy && s.DesiredHealthy == desired &&
		s.ExpectedPods == expected && s.DisruptionsAllowed == allowed &&
		maps.EqualFunc(s.DisruptedPods, disrupted, func(a, b metav1.Time) bool { return a.Equal(&b) }) {
		return nil
	}
	_, err = client.UpdateStatus(c.client, u)
	return err
}

// expected is how many pods there should be and how many of them must stay
// healthy; unmanaged reports pods that no controller replaces.
func (c *Controller) expected(b *policyv1.PodDisruptionBudget, pods []*corev1.Pod) (expected, desired int32, unmanaged bool, err error) {
	least, most := b.Spec.MinAvailable, b.Spec.MaxUnavailable
	if most == nil && least != nil && least.Type == intstr.Int {
		return int32(len(pods)), least.IntVal, false, nil
	}
	if most == nil && least == nil {
		return 0, 0, false, nil
	}
	seen := map[metav1.UID]bool{}
	for _, p := range pods {
		ref := controller.ControllerRef(p)
		switch {
		case ref == nil:
			unmanaged = true
		case !seen[ref.UID]:
			seen[ref.UID] = true
			n, ok := c.scale(p.Namespace, ref)
			if !ok {
				return 0, 0, false, fmt.Errorf("found no controllers for pod %q", p.Name)
			}
			expected += n
		}
	}
	v := least
	if most != nil {
		v = most
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(v, int(expected), true)
	if most != nil {
		return expected, max(0, expected-int32(n)), unmanaged, err
	}
	return expected, int32(n), unmanaged, err
}

// scale is how many pods a controller is asked for.
func (c *Controller) scale(namespace string, ref *metav1.OwnerReference) (int32, bool) {
	one := func(n *int32) (int32, bool) {
		if n == nil {
			return 1, true
		}
		return *n, true
	}
	switch ref.Kind {
	case "ReplicaSet":
		rs, ok := c.sets.Get(namespace, ref.Name)
		if !ok || rs.UID != ref.UID {
			return 0, false
		}
		if up := controller.ControllerRef(rs); up != nil && up.Kind == "Deployment" {
			if d, ok := c.deploys.Get(namespace, up.Name); ok && d.UID == up.UID {
				return one(d.Spec.Replicas)
			}
			return 0, false
		}
		return one(rs.Spec.Replicas)
	case "StatefulSet":
		if s, ok := c.statefuls.Get(namespace, ref.Name); ok && s.UID == ref.UID {
			return one(s.Spec.Replicas)
		}
	case "ReplicationController":
		if rc, ok := c.rcs.Get(namespace, ref.Name); ok && rc.UID == ref.UID {
			return one(rc.Spec.Replicas)
		}
	}
	return 0, false
}

// condition sets DisruptionAllowed and reports whether that changed anything.
func (c *Controller) condition(b *policyv1.PodDisruptionBudget, status metav1.ConditionStatus, reason, message string, generation int64) bool {
	next := metav1.Condition{Type: policyv1.DisruptionAllowedCondition, Status: status, Reason: reason, Message: message,
		ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(c.clock.Now())}
	list := slices.Clone(b.Status.Conditions)
	i := slices.IndexFunc(list, func(d metav1.Condition) bool { return d.Type == next.Type })
	if i < 0 {
		b.Status.Conditions = append(list, next)
		return true
	}
	if list[i].Status == status {
		next.LastTransitionTime = list[i].LastTransitionTime
	}
	changed := list[i] != next
	list[i] = next
	b.Status.Conditions = list
	return changed
}
