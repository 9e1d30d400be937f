// Package namespace empties namespaces that are being deleted, says in their
// conditions what is left, and finalizes them when nothing is.
package namespace

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
)

// delay is how long a deleted namespace rests before it is emptied, so that
// requests under way come to their end.
const delay = 5 * time.Second

// Controller reconciles namespaces.
type Controller struct {
	client     *client.Client
	clock      *clock.Clock
	discover   func() []*api.Resource
	namespaces *client.Informer[*corev1.Namespace]
	queue      *client.Queue
	resource   *api.Resource
}

// New returns the controller. discover lists what is served, with custom
// resources; nil means the built-in ones.
func New(c *client.Client, f *client.Factory, discover func() []*api.Resource) *Controller {
	if discover == nil {
		discover = api.Resources
	}
	nc := &Controller{client: c, clock: f.Clock(), discover: discover,
		namespaces: client.InformerFor[*corev1.Namespace](f), resource: api.ByResource("", "namespaces")}
	nc.queue = client.NewQueue(f.Clock(), "namespace-controller", delay, nc.sync)
	nc.namespaces.OnChange(func(old, ns *corev1.Namespace) {
		// The controller's own reports count too: after each it looks again.
		if ns != nil && ns.DeletionTimestamp != nil {
			nc.queue.Add(client.Key(ns))
		}
	})
	return nc
}

func (c *Controller) sync(key string) error {
	ns, ok := c.namespaces.ByKey(key)
	if !ok || ns.DeletionTimestamp == nil {
		return nil
	}
	if len(ns.Spec.Finalizers) == 0 {
		return nil
	}
	left := c.empty(ns.Name)
	now := metav1.NewTime(c.clock.Now())
	conds := ns.Status.Conditions
	for _, want := range left.conditions() {
		conds = withCondition(conds, want, now)
	}
	if !slices.Equal(conds, ns.Status.Conditions) || ns.Status.Phase != corev1.NamespaceTerminating {
		u := controller.Copy(ns)
		u.Status.Conditions = conds
		u.Status.Phase = corev1.NamespaceTerminating
		stored, err := client.UpdateStatus(c.client, u)
		if err != nil {
			if apierrors.IsNotFound(err) {
				return nil
			}
			return err
		}
		ns = stored
	}
	if left.err != nil {
		return left.err
	}
	if len(left.resources) > 0 {
		wait := left.estimate/2 + 1
		c.queue.AddAfter(key, time.Duration(wait)*time.Second)
		return nil
	}
	u := controller.Copy(ns)
	u.Spec.Finalizers = slices.DeleteFunc(slices.Clone(ns.Spec.Finalizers), func(f corev1.FinalizerName) bool {
		return f == corev1.FinalizerKubernetes
	})
	err := controller.UpdateAny(c.client, c.resource, u, "finalize")
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

// remains is what is left in a namespace.
type remains struct {
	resources  map[string]int // by resource.group, as messages name them
	finalizers map[string]int
	estimate   int64 // seconds until pods have ended
	err        error
}

// empty deletes all content and looks at what stays.
func (c *Controller) empty(namespace string) *remains {
	left := &remains{resources: map[string]int{}, finalizers: map[string]int{}}
	for _, r := range controller.Deletable(c.discover()) {
		if !r.Namespaced {
			continue
		}
		items, _, err := controller.ListAny(c.client, r, namespace)
		if err != nil {
			left.err = err
			continue
		}
		if len(items) == 0 {
			continue
		}
		for _, o := range items {
			if pod, ok := o.(*corev1.Pod); ok && pod.Spec.NodeName != "" && !controller.IsTerminal(pod) && pod.Spec.TerminationGracePeriodSeconds != nil {
				left.estimate = max(left.estimate, *pod.Spec.TerminationGracePeriodSeconds)
			}
			m := o.GetObjectMeta()
			if m.DeletionTimestamp != nil {
				continue
			}
			err := client.DeleteResource(c.client, r, namespace, m.Name, client.DeleteOptions{Propagation: "Background"})
			if err != nil && !apierrors.IsNotFound(err) {
				left.err = err
			}
		}
		if items, _, err = controller.ListAny(c.client, r, namespace); err != nil {
			left.err = err
			continue
		}
		if len(items) > 0 {
			left.resources[r.Plural+"."+r.Group] = len(items)
		}
		for _, o := range items {
			for _, f := range o.GetObjectMeta().Finalizers {
				left.finalizers[f]++
			}
		}
	}
	// Events go last: what was deleted may have said something.
	c.deleteEvents(namespace)
	return left
}

func (c *Controller) deleteEvents(namespace string) {
	events := api.ByResource("", "events")
	items, _, err := controller.ListAny(c.client, events, namespace)
	if err != nil {
		return
	}
	for _, o := range items {
		_ = client.DeleteResource(c.client, events, namespace, o.GetObjectMeta().Name, client.DeleteOptions{})
	}
}

// conditions are those of the namespace's status, in upstream's order.
func (r *remains) conditions() []corev1.NamespaceCondition {
	cond := func(t corev1.NamespaceConditionType, bad bool, goodReason, goodMessage, badReason, badMessage string) corev1.NamespaceCondition {
		if bad {
			return corev1.NamespaceCondition{Type: t, Status: corev1.ConditionTrue, Reason: badReason, Message: badMessage}
		}
		return corev1.NamespaceCondition{Type: t, Status: corev1.ConditionFalse, Reason: goodReason, Message: goodMessage}
	}
	failure := ""
	if r.err != nil {
		failure = "Failed to delete all resource types, 1 remaining: " + r.err.Error()
	}
	return []corev1.NamespaceCondition{
		cond("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered", "All resources successfully discovered", "", ""),
		cond("NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions", "All legacy kube types successfully parsed", "", ""),
		cond("NamespaceDeletionContentFailure", r.err != nil, "ContentDeleted", "All content successfully deleted, may be waiting on finalization",
			"ContentDeletionFailed", failure),
		cond("NamespaceContentRemaining", len(r.resources) > 0, "ContentRemoved", "All content successfully removed",
			"SomeResourcesRemain", "Some resources are remaining: "+list(r.resources, "%s has %d resource instances")),
		cond("NamespaceFinalizersRemaining", len(r.finalizers) > 0, "ContentHasNoFinalizers", "All content-preserving finalizers finished",
			"SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: "+list(r.finalizers, "%s in %d resource instances")),
	}
}

func list(counts map[string]int, format string) string {
	parts := make([]string, 0, len(counts))
	for name, n := range counts {
		parts = append(parts, fmt.Sprintf(format, name, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func withCondition(conds []corev1.NamespaceCondition, c corev1.NamespaceCondition, now metav1.Time) []corev1.NamespaceCondition {
	c.LastTransitionTime = now
	for i, cur := range conds {
		if cur.Type != c.Type {
			continue
		}
		if cur.Status == c.Status && cur.Reason == c.Reason && cur.Message == c.Message {
			return conds
		}
		if cur.Status == c.Status {
			c.LastTransitionTime = cur.LastTransitionTime
		}
		conds = slices.Clone(conds)
		conds[i] = c
		return conds
	}
	return append(conds[:len(conds):len(conds)], c)
}
