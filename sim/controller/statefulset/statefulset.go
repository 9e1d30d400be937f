// Package statefulset keeps pods with lasting names and volumes, numbered from
// 0: one after the other, each waiting for the one before, or all at once
// (Parallel). pod.go makes a pod of an ordinal, claim.go its volume claims.
package statefulset

import (
	"slices"
	"time"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const latency = 8 * time.Millisecond

var gvk = appsv1.SchemeGroupVersion.WithKind("StatefulSet")

// Controller reconciles stateful sets.
type Controller struct {
	client    *client.Client
	clock     *clock.Clock
	recorder  *client.Recorder
	sets      *client.Informer[*appsv1.StatefulSet]
	pods      *client.Informer[*corev1.Pod]
	claims    *client.Informer[*corev1.PersistentVolumeClaim]
	revisions *client.Informer[*appsv1.ControllerRevision]
	queue     *client.Queue
}

// New returns the controller of StatefulSets.
func New(c *client.Client, f *client.Factory) *Controller {
	sc := &Controller{client: c, clock: f.Clock(), recorder: client.NewRecorder(c, f.Clock(), "statefulset-controller", ""),
		sets: client.InformerFor[*appsv1.StatefulSet](f), pods: client.InformerFor[*corev1.Pod](f),
		claims: client.InformerFor[*corev1.PersistentVolumeClaim](f), revisions: client.InformerFor[*appsv1.ControllerRevision](f)}
	sc.queue = client.NewQueue(f.Clock(), "statefulset-controller", latency, sc.sync)
	sc.pods.AddIndex(controller.OwnerIndex, controller.OwnerKeys[*corev1.Pod])
	sc.revisions.AddIndex(controller.OwnerIndex, controller.OwnerKeys[*appsv1.ControllerRevision])
	sc.sets.OnChange(func(old, set *appsv1.StatefulSet) {
		if set == nil {
			sc.queue.Remove(client.Key(old))
			return
		}
		sc.queue.Add(client.Key(set))
	})
	sc.pods.OnChange(func(old, pod *corev1.Pod) {
		controller.EachOwner(sc.sets, gvk.Kind, func(set *appsv1.StatefulSet) *metav1.LabelSelector { return set.Spec.Selector }, old, pod, sc.queue.Add)
	})
	return sc
}

// pass is one look at a set.
type pass struct {
	*Controller
	set             *appsv1.StatefulSet
	now             time.Time
	current, update *appsv1.ControllerRevision
	old             *corev1.PodTemplateSpec // the template of the current revision
	collisions      int32
	count, start    int
	parallel        bool
	// replicas are the pods within the range; one that does not exist yet has no phase.
	replicas  []*corev1.Pod
	condemned []*corev1.Pod // those beyond it, highest ordinal first
	unhealthy *corev1.Pod   // the first that is not available
	deleted   int32         // pods of the current revision deleted in this pass
}

func (c *Controller) sync(key string) error {
	set, ok := c.sets.ByKey(key)
	if !ok {
		return nil
	}
	sel, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil {
		return nil
	}
	revisions, err := controller.Revisions(c.client, c.revisions, set, gvk, sel)
	if err != nil {
		return err
	}
	candidates := slices.Clone(c.pods.ByIndex(controller.OwnerIndex, string(set.UID)))
	for _, p := range c.pods.ByIndex(controller.OwnerIndex, controller.OrphanKey(set.Namespace)) {
		if parent, _ := parse(p.Name); parent == set.Name && sel.Matches(labels.Set(p.Labels)) {
			candidates = append(candidates, p)
		}
	}
	pods, err := controller.Claim(c.client, set, gvk, sel, candidates)
	if err != nil {
		return err
	}
	p := &pass{Controller: c, set: set, now: c.clock.Now(), count: 1, parallel: set.Spec.PodManagementPolicy == appsv1.ParallelPodManagement}
	if set.Spec.Replicas != nil {
		p.count = int(*set.Spec.Replicas)
	}
	if set.Spec.Ordinals != nil {
		p.start = int(set.Spec.Ordinals.Start)
	}
	if n := set.Status.CollisionCount; n != nil {
		p.collisions = *n
	}
	if err := p.findRevisions(revisions); err != nil {
		return err
	}
	p.sortPods(pods)
	workErr := p.work()
	status := p.status()
	if !same(status, &set.Status) {
		u := controller.Copy(set)
		u.Status = *status
		if _, err := client.UpdateStatus(c.client, u); err != nil && !apierrors.IsNotFound(err) && workErr == nil {
			return err
		}
	}
	limit := int32(10)
	if set.Spec.RevisionHistoryLimit != nil {
		limit = *set.Spec.RevisionHistoryLimit
	}
	err = controller.TruncateRevisions(c.client, revisions, limit, func(r *appsv1.ControllerRevision) bool {
		return r.Name == p.current.Name || r.Name == p.update.Name ||
			slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return revisionOf(pod) == r.Name })
	})
	if workErr != nil {
		return workErr
	}
	if set.Spec.MinReadySeconds > 0 && status.ReadyReplicas != status.AvailableReplicas {
		d, ok := controller.NextAvailable(pods, set.Spec.MinReadySeconds, p.now)
		if !ok {
			d = time.Duration(set.Spec.MinReadySeconds) * time.Second
		}
		c.queue.AddAfter(key, d)
	}
	return err
}

// findRevisions finds the revision that pods shall have and the one that they
// had before the present update.
func (p *pass) findRevisions(revisions []*appsv1.ControllerRevision) (err error) {
	set := p.set
	p.update, err = controller.CurrentRevision(p.client, revisions, set, gvk, &set.Spec.Template, "controller.kubernetes.io/hash", &p.collisions)
	if err != nil {
		return err
	}
	p.current, p.old = p.update, &set.Spec.Template
	for _, r := range revisions {
		if r.Name == set.Status.CurrentRevision && r.Name != p.update.Name {
			p.current = r
			p.old, err = controller.RevisionTemplate(r)
		}
	}
	return err
}

// sortPods puts each pod in its place and plans those that are missing.
func (p *pass) sortPods(pods []*corev1.Pod) {
	p.replicas = make([]*corev1.Pod, p.count)
	for _, pod := range pods {
		_, n := parse(pod.Name)
		switch i := n - p.start; {
		case n >= 0 && i >= 0 && i < p.count:
			p.replicas[i] = pod
		case n >= 0:
			p.condemned = append(p.condemned, pod)
		}
	}
	slices.SortStableFunc(p.condemned, func(a, b *corev1.Pod) int { return ordinal(b) - ordinal(a) })
	for i, pod := range p.replicas {
		if pod == nil {
			p.replicas[i] = p.newPod(p.start + i)
		}
		if p.unhealthy == nil && p.unavailable(p.replicas[i]) {
			p.unhealthy = p.replicas[i]
		}
	}
	for i := len(p.condemned) - 1; i >= 0 && p.unhealthy == nil; i-- {
		if p.unavailable(p.condemned[i]) {
			p.unhealthy = p.condemned[i]
		}
	}
}

func created(p *corev1.Pod) bool { return p.Status.Phase != "" }

func running(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodRunning && controller.IsReady(p)
}

func (p *pass) available(pod *corev1.Pod) bool {
	return controller.IsAvailable(pod, p.set.Spec.MinReadySeconds, p.now)
}

func (p *pass) unavailable(pod *corev1.Pod) bool {
	return !p.available(pod) || pod.DeletionTimestamp != nil
}

// work does what is due: the pods of the range in order, then those beyond it
// from the top, then the update.
func (p *pass) work() error {
	if p.set.DeletionTimestamp != nil {
		return nil
	}
	each := func(n int, fn func(i int) (stop bool, err error)) (bool, error) {
		for i := range n {
			if stop, err := fn(i); err != nil || stop && !p.parallel {
				return true, err
			}
		}
		return false, nil
	}
	if stop, err := each(len(p.replicas), p.replica); stop {
		return err
	}
	if stop, err := each(len(p.condemned), func(i int) (bool, error) { return false, p.fixClaims(p.condemned[i]) }); stop {
		return err
	}
	if stop, err := each(len(p.condemned), func(i int) (bool, error) { return p.condemn(p.condemned[i]) }); stop {
		return err
	}
	if p.set.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
		return nil
	}
	return p.rollOut()
}

// replica brings the i-th pod on its way; true when the next has to wait.
func (p *pass) replica(i int) (bool, error) {
	pod := p.replicas[i]
	if controller.IsTerminal(pod) {
		if pod.DeletionTimestamp == nil {
			return true, p.delete(pod)
		}
		return true, nil
	}
	if !created(pod) {
		if p.stale(pod) {
			return true, nil
		}
		made, err := p.create(pod)
		if err != nil {
			return true, err
		}
		pod = made
		p.replicas[i] = made
		if !p.parallel {
			return true, nil
		}
	}
	if pod.Status.Phase == corev1.PodPending {
		if err := p.createClaims(pod); err != nil {
			return true, err
		}
	}
	if !p.parallel && (pod.DeletionTimestamp != nil || !running(pod) || !p.available(pod)) {
		return true, nil
	}
	return false, p.fixPod(pod)
}

// condemn deletes a pod beyond the range; true when the next has to wait.
func (p *pass) condemn(pod *corev1.Pod) (bool, error) {
	if pod.DeletionTimestamp != nil {
		return true, nil
	}
	if !p.parallel && pod != p.unhealthy && (!running(pod) || !p.available(pod)) {
		return true, nil
	}
	return true, p.delete(pod)
}

// rollOut deletes pods of an older template, from the top down to the
// partition, one at a time.
func (p *pass) rollOut() error {
	partition, most := 0, 1
	if r := p.set.Spec.UpdateStrategy.RollingUpdate; r != nil {
		if r.Partition != nil {
			partition = int(*r.Partition)
		}
	}
	for _, pod := range p.replicas {
		if p.unavailable(pod) {
			most--
		}
	}
	for i := len(p.replicas) - 1; i >= partition && most > 0; i-- {
		pod := p.replicas[i]
		if revisionOf(pod) == p.update.Name || pod.DeletionTimestamp != nil {
			continue
		}
		if err := p.delete(pod); err != nil {
			return err
		}
		p.deleted++
		most--
	}
	return nil
}

func (p *pass) delete(pod *corev1.Pod) error {
	err := client.Delete[*corev1.Pod](p.client, pod.Namespace, pod.Name, client.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		err = nil
	}
	p.record("delete", pod, err)
	return err
}

// record writes the event about an operation on a pod.
func (p *pass) record(verb string, pod *corev1.Pod, err error) {
	title := string(verb[0]-'a'+'A') + verb[1:]
	if err == nil {
		p.recorder.Eventf(p.set, controller.Normal, "Successful"+title, "%s Pod %s in StatefulSet %s successful", title, pod.Name, p.set.Name)
		return
	}
	p.recorder.Eventf(p.set, controller.Warning, "Failed"+title, "%s Pod %s in StatefulSet %s failed error: %s", title, pod.Name, p.set.Name, err)
}

func (p *pass) status() *appsv1.StatefulSetStatus {
	s := &appsv1.StatefulSetStatus{ObservedGeneration: p.set.Generation, CurrentRevision: p.current.Name, UpdateRevision: p.update.Name,
		CollisionCount: new(p.collisions), Conditions: p.set.Status.Conditions}
	for _, list := range [][]*corev1.Pod{p.replicas, p.condemned} {
		for _, pod := range list {
			if !created(pod) {
				continue
			}
			s.Replicas++
			if running(pod) {
				s.ReadyReplicas++
				if p.available(pod) {
					s.AvailableReplicas++
				}
			}
			if pod.DeletionTimestamp == nil {
				if revisionOf(pod) == p.current.Name {
					s.CurrentReplicas++
				}
				if revisionOf(pod) == p.update.Name {
					s.UpdatedReplicas++
				}
			}
		}
	}
	s.CurrentReplicas -= p.deleted
	if n := int32(p.count); p.set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType &&
		s.UpdatedReplicas == n && s.ReadyReplicas == n && s.Replicas == n {
		s.CurrentReplicas, s.CurrentRevision = s.UpdatedReplicas, s.UpdateRevision
	}
	return s
}

func same(a, b *appsv1.StatefulSetStatus) bool {
	return a.ObservedGeneration <= b.ObservedGeneration && a.Replicas == b.Replicas && a.ReadyReplicas == b.ReadyReplicas &&
		a.CurrentReplicas == b.CurrentReplicas && a.UpdatedReplicas == b.UpdatedReplicas && a.AvailableReplicas == b.AvailableReplicas &&
		a.CurrentRevision == b.CurrentRevision && a.UpdateRevision == b.UpdateRevision
}
