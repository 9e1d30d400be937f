// Package replicaset keeps as many pods of a template alive as asked for: it
// adopts and releases pods by selector, creates and deletes what differs, and
// reports the counts. One engine serves ReplicaSets and
// ReplicationControllers; resources.go holds what differs between the two.
package replicaset

import (
	"maps"
	"slices"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency       = 8 * time.Millisecond // between a change and the controller's reaction
	burstReplicas = 500                  // most pods created or deleted in one sync
)

// Controller reconciles the sets of one kind.
type Controller[T metav1.Object] struct {
	client   *client.Client
	clock    *clock.Clock
	recorder *client.Recorder
	kind     kind[T]
	sets     *client.Informer[T]
	pods     *client.Informer[*corev1.Pod]
	queue    *client.Queue
	tallies  map[metav1.UID]*tally
}

// New returns the controller of ReplicaSets.
func New(c *client.Client, f *client.Factory) *Controller[*appsv1.ReplicaSet] {
	return newController(c, f, replicaSets)
}

// NewReplicationController returns the controller of ReplicationControllers.
func NewReplicationController(c *client.Client, f *client.Factory) *Controller[*corev1.ReplicationController] {
	return newController(c, f, replicationControllers)
}

func newController[T metav1.Object](c *client.Client, f *client.Factory, k kind[T]) *Controller[T] {
	rc := &Controller[T]{client: c, clock: f.Clock(), kind: k,
		recorder: client.NewRecorder(c, f.Clock(), k.component, ""),
		sets:     client.InformerFor[T](f),
		pods:     client.InformerFor[*corev1.Pod](f),
		tallies:  map[metav1.UID]*tally{}}
	rc.queue = client.NewQueue(f.Clock(), k.component, latency, rc.sync)
	rc.sets.AddIndex(controller.OwnerIndex, controller.OwnerKeys[T])
	rc.pods.AddIndex(controller.OwnerIndex, controller.OwnerKeys[*corev1.Pod])
	rc.sets.OnChange(rc.setChanged)
	rc.pods.OnChange(rc.podChanged)
	return rc
}

func (c *Controller[T]) setChanged(old, obj T) {
	if any(obj) == any(*new(T)) {
		c.queue.Remove(client.Key(old))
		c.queue.Forget(client.Key(old))
		delete(c.tallies, old.GetObjectMeta().UID)
		return
	}
	c.queue.Add(client.Key(obj))
}

func (c *Controller[T]) podChanged(old, pod *corev1.Pod) {
	c.recount(old, pod)
	if old != nil && pod != nil {
		if !matters(old, pod) {
			return
		}
		if was := controller.ControllerRef(old); was != nil {
			if is := controller.ControllerRef(pod); is == nil || is.UID != was.UID {
				c.enqueueOwner(old)
			}
		}
	}
	cur := pod
	if cur == nil {
		cur = old
	}
	if controller.ControllerRef(cur) != nil {
		c.enqueueOwner(cur)
		return
	}
	if pod == nil || pod.DeletionTimestamp != nil || len(pod.Labels) == 0 {
		return
	}
	// An orphan: whoever selects it may adopt it.
	c.sets.Scan(pod.Namespace, func(set T) bool {
		if sel, err := c.kind.spec(set).compile(); err == nil && !sel.Empty() && sel.Matches(labels.Set(pod.Labels)) {
			c.queue.Add(client.Key(set))
		}
		return true
	})
}

// matters reports whether the change could concern a set: most changes of a
// pod (its node, its containers' states) do not.
func matters(old, pod *corev1.Pod) bool {
	return controller.IsReady(old) != controller.IsReady(pod) || controller.IsTerminal(old) != controller.IsTerminal(pod) ||
		(old.DeletionTimestamp == nil) != (pod.DeletionTimestamp == nil) || !maps.Equal(old.Labels, pod.Labels) ||
		!slices.EqualFunc(old.OwnerReferences, pod.OwnerReferences, func(a, b metav1.OwnerReference) bool { return a.UID == b.UID })
}

func (c *Controller[T]) enqueueOwner(pod *corev1.Pod) {
	ref := controller.ControllerRef(pod)
	if ref == nil || ref.Kind != c.kind.gvk.Kind {
		return
	}
	if set, ok := c.sets.Get(pod.Namespace, ref.Name); ok && set.GetObjectMeta().UID == ref.UID {
		c.queue.Add(client.Key(set))
	}
}

func (c *Controller[T]) sync(key string) error {
	set, ok := c.sets.ByKey(key)
	if !ok {
		return nil
	}
	meta, sp := set.GetObjectMeta(), c.kind.spec(set)
	t, err := c.tally(meta, sp)
	if err != nil {
		return nil
	}
	sel := t.sel
	if t.strays == 0 && t.active <= int(sp.replicas) && sp.minReadySeconds == 0 && !c.orphans(meta.Namespace, sel) {
		// Nothing to claim or to delete: the numbers say enough.
		totals := t.totals()
		var manageErr error
		if missing := int(sp.replicas) - t.active; missing > 0 && meta.DeletionTimestamp == nil {
			manageErr = c.grow(set, sp, missing)
		}
		if err := c.report(set, calculateStatus(c.kind.status(set), meta.Generation, sp, totals, manageErr, c.clock.Now())); err != nil {
			return err
		}
		return manageErr
	}
	owned := c.pods.ByIndex(controller.OwnerIndex, string(meta.UID))
	active := make([]*corev1.Pod, 0, len(owned))
	var candidates, terminating []*corev1.Pod
	for _, p := range owned {
		switch {
		case controller.IsActive(p) && sel.Matches(labels.Set(p.Labels)):
			active = append(active, p)
		case controller.IsActive(p):
			candidates = append(candidates, p) // to be released
		case controller.IsTerminating(p) && sel.Matches(labels.Set(p.Labels)):
			terminating = append(terminating, p)
		}
	}
	for _, p := range c.pods.ByIndex(controller.OwnerIndex, controller.OrphanKey(meta.Namespace)) {
		if controller.IsActive(p) && sel.Matches(labels.Set(p.Labels)) {
			candidates = append(candidates, p)
		}
	}
	adopted, err := controller.Claim(c.client, set, c.kind.gvk, sel, candidates)
	if err != nil {
		return err
	}
	active = append(active, adopted...)
	var manageErr error
	if meta.DeletionTimestamp == nil {
		manageErr = c.manage(set, sp, active)
	}
	now := c.clock.Now()
	status := calculateStatus(c.kind.status(set), meta.Generation, sp, count(sp, active, terminating, now), manageErr, now)
	if err := c.report(set, status); err != nil {
		return err
	}
	if manageErr != nil {
		return manageErr
	}
	if sp.minReadySeconds > 0 && status.ready != status.available {
		d, ok := controller.NextAvailable(active, sp.minReadySeconds, now)
		if !ok {
			d = time.Duration(sp.minReadySeconds) * time.Second
		}
		c.queue.AddAfter(key, d)
	}
	return nil
}

// orphans reports whether the namespace has pods that the set would adopt.
func (c *Controller[T]) orphans(namespace string, sel labels.Selector) bool {
	return slices.ContainsFunc(c.pods.ByIndex(controller.OwnerIndex, controller.OrphanKey(namespace)), func(p *corev1.Pod) bool {
		return controller.IsActive(p) && sel.Matches(labels.Set(p.Labels))
	})
}

// report writes the status if it is news.
func (c *Controller[T]) report(set T, s status) error {
	if s.equal(c.kind.status(set)) {
		return nil
	}
	_, err := client.StatusGiven(c.client, c.kind.withStatus(set, s))
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// manage creates or deletes pods until there are as many as the spec says.
func (c *Controller[T]) manage(set T, sp spec, active []*corev1.Pod) error {
	diff := len(active) - int(sp.replicas)
	switch {
	case diff < 0:
		return c.grow(set, sp, -diff)
	case diff > 0:
		diff = min(diff, burstReplicas)
		victims := active
		if diff < len(active) {
			victims = controller.RankForDeletion(active, c.related(set), c.clock.Now())
		}
		var first error
		for _, p := range victims[:diff] {
			err := client.Delete[*corev1.Pod](c.client, p.Namespace, p.Name, client.DeleteOptions{})
			if err == nil {
				c.recorder.Eventf(set, controller.Normal, "SuccessfulDelete", "Deleted pod: %v", p.Name)
			} else if !apierrors.IsNotFound(err) {
				c.recorder.Eventf(set, controller.Warning, "FailedDelete", "Error deleting: %v", err)
				if first == nil {
					first = err
				}
			}
		}
		return first
	}
	return nil
}

// grow creates the pods that are missing, as many as one sync may.
func (c *Controller[T]) grow(set T, sp spec, missing int) error {
	first := controller.PodFromTemplate(sp.template, set, c.kind.gvk)
	_, err := controller.SlowStart(min(missing, burstReplicas), func() error {
		next := *first // they share everything
		pod, err := client.CreateGiven(c.client, &next)
		if err != nil {
			if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
				return nil
			}
			c.recorder.Eventf(set, controller.Warning, "FailedCreate", "Error creating: %v", err)
			return err
		}
		c.recorder.Eventf(set, controller.Normal, "SuccessfulCreate", "Created pod: %v", pod.Name)
		return nil
	})
	return err
}

// related are the pods of all sets that have the same controller as set.
func (c *Controller[T]) related(set T) []*corev1.Pod {
	family := []T{set}
	if ref := controller.ControllerRef(set); ref != nil {
		family = c.sets.ByIndex(controller.OwnerIndex, string(ref.UID))
	}
	var out []*corev1.Pod
	for _, s := range family {
		out = append(out, c.pods.ByIndex(controller.OwnerIndex, string(s.GetObjectMeta().UID))...)
	}
	return out
}
