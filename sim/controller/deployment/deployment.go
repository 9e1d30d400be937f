// Package deployment rolls ReplicaSets: one per pod template, scaled up and
// down against each other within maxSurge and maxUnavailable, numbered as
// revisions, with conditions that say how the rollout goes. Rolling back is
// kubectl's affair (it writes an older template).
package deployment

import (
	"fmt"
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

const latency = 6 * time.Millisecond // between a change and the controller's reaction

var gvk = appsv1.SchemeGroupVersion.WithKind("Deployment")

// Controller reconciles Deployments.
type Controller struct {
	client      *client.Client
	clock       *clock.Clock
	recorder    *client.Recorder
	deployments *client.Informer[*appsv1.Deployment]
	sets        *client.Informer[*appsv1.ReplicaSet]
	pods        *client.Informer[*corev1.Pod]
	queue       *client.Queue
}

// New returns the controller.
func New(c *client.Client, f *client.Factory) *Controller {
	dc := &Controller{client: c, clock: f.Clock(),
		recorder:    client.NewRecorder(c, f.Clock(), "deployment-controller", ""),
		deployments: client.InformerFor[*appsv1.Deployment](f),
		sets:        client.InformerFor[*appsv1.ReplicaSet](f),
		pods:        client.InformerFor[*corev1.Pod](f)}
	dc.queue = client.NewQueue(f.Clock(), "deployment-controller", latency, dc.sync)
	dc.sets.AddIndex(controller.OwnerIndex, controller.OwnerKeys[*appsv1.ReplicaSet])
	dc.pods.AddIndex(controller.OwnerIndex, controller.OwnerKeys[*corev1.Pod])
	dc.deployments.OnChange(func(old, d *appsv1.Deployment) {
		if d != nil {
			dc.queue.Add(client.Key(d))
		}
	})
	dc.sets.OnChange(dc.setChanged)
	dc.pods.OnChange(dc.podChanged)
	return dc
}

func (c *Controller) setChanged(old, rs *appsv1.ReplicaSet) {
	if old != nil {
		if ref := controller.ControllerRef(old); ref != nil {
			c.enqueueRef(old.Namespace, ref)
		}
	}
	if rs == nil {
		return
	}
	if ref := controller.ControllerRef(rs); ref != nil {
		c.enqueueRef(rs.Namespace, ref)
		return
	}
	if len(rs.Labels) == 0 || rs.DeletionTimestamp != nil {
		return
	}
	c.deployments.Scan(rs.Namespace, func(d *appsv1.Deployment) bool {
		if sel, err := metav1.LabelSelectorAsSelector(d.Spec.Selector); err == nil && !sel.Empty() && sel.Matches(labels.Set(rs.Labels)) {
			c.queue.Add(client.Key(d))
		}
		return true
	})
}

func (c *Controller) enqueueRef(namespace string, ref *metav1.OwnerReference) {
	if ref.Kind != gvk.Kind {
		return
	}
	if d, ok := c.deployments.Get(namespace, ref.Name); ok && d.UID == ref.UID {
		c.queue.Add(client.Key(d))
	}
}

// podChanged wakes a Recreate deployment when the last of its old pods is gone.
func (c *Controller) podChanged(old, pod *corev1.Pod) {
	if pod != nil && !controller.IsTerminal(pod) {
		return
	}
	if pod == nil {
		pod = old
	}
	ref := controller.ControllerRef(pod)
	if ref == nil || ref.Kind != "ReplicaSet" {
		return
	}
	rs, ok := c.sets.Get(pod.Namespace, ref.Name)
	if !ok || rs.UID != ref.UID {
		return
	}
	ref = controller.ControllerRef(rs)
	if ref == nil {
		return
	}
	if d, ok := c.deployments.Get(pod.Namespace, ref.Name); ok && d.UID == ref.UID &&
		d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		c.queue.Add(client.Key(d))
	}
}

// rollout is one sync's view: the deployment (a copy whose status and
// annotations may be replaced), the set of its current template (nil until it
// is made) and the others, oldest first.
type rollout struct {
	*Controller
	d    *appsv1.Deployment
	new  *appsv1.ReplicaSet
	olds []*appsv1.ReplicaSet
	now  time.Time
}

func (r *rollout) all() []*appsv1.ReplicaSet {
	if r.new == nil {
		return r.olds
	}
	return append(slices.Clone(r.olds), r.new)
}

func (c *Controller) sync(key string) error {
	stored, ok := c.deployments.ByKey(key)
	if !ok {
		return nil
	}
	d := controller.Copy(stored)
	if sel := d.Spec.Selector; sel != nil && len(sel.MatchLabels) == 0 && len(sel.MatchExpressions) == 0 {
		c.recorder.Eventf(d, controller.Warning, "SelectingAll", "This deployment is selecting all pods. A non-empty selector is required.")
		if d.Status.ObservedGeneration < d.Generation {
			d.Status.ObservedGeneration = d.Generation
			_, err := client.StatusGiven(c.client, d)
			return err
		}
		return nil
	}
	sets, err := c.claim(d)
	if err != nil {
		return err
	}
	r := &rollout{Controller: c, d: d, now: c.clock.Now()}
	r.divide(sets)
	switch err = r.run(); {
	case apierrors.IsNotFound(err):
		return nil // deleted meanwhile
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	}
	return err
}

// claim returns the deployment's ReplicaSets after adoption and release, oldest first.
func (c *Controller) claim(d *appsv1.Deployment) ([]*appsv1.ReplicaSet, error) {
	sel, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, nil
	}
	candidates := slices.Clone(c.sets.ByIndex(controller.OwnerIndex, string(d.UID)))
	for _, rs := range c.sets.ByIndex(controller.OwnerIndex, controller.OrphanKey(d.Namespace)) {
		if sel.Matches(labels.Set(rs.Labels)) {
			candidates = append(candidates, rs)
		}
	}
	sets, err := controller.Claim(c.client, d, gvk, sel, candidates)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(sets, byAge)
	return sets, nil
}

// divide finds the set of the current template; the oldest wins.
func (r *rollout) divide(sets []*appsv1.ReplicaSet) {
	for _, rs := range sets {
		if r.new == nil && EqualIgnoreHash(&rs.Spec.Template, &r.d.Spec.Template) {
			r.new = rs
		} else {
			r.olds = append(r.olds, rs)
		}
	}
}

func (r *rollout) run() error {
	d := r.d
	if d.DeletionTimestamp != nil {
		if err := r.syncRevision(false); err != nil {
			return err
		}
		return r.syncStatus()
	}
	if err := r.checkPaused(); err != nil {
		return err
	}
	if err := r.syncRevision(false); err != nil {
		return err
	}
	if d.Spec.Paused || r.scaling() {
		return r.scaleAll()
	}
	switch d.Spec.Strategy.Type {
	case appsv1.RecreateDeploymentStrategyType:
		return r.recreate()
	case appsv1.RollingUpdateDeploymentStrategyType:
		return r.rolling()
	}
	return fmt.Errorf("unexpected deployment strategy type: %s", d.Spec.Strategy.Type)
}

// scaling reports whether replicas was changed since the sets were last sized.
func (r *rollout) scaling() bool {
	for _, rs := range active(r.all()) {
		if desired, ok := annotatedInt(rs, DesiredReplicasAnnotation); ok && desired != replicas(r.d) {
			return true
		}
	}
	return false
}

// updateStatus writes the deployment's status and revision annotation and
// goes on with what the server stored.
func (r *rollout) updateStatus() error {
	d, err := client.StatusGiven(r.client, r.d)
	if err != nil {
		return err
	}
	r.d = controller.Copy(d)
	return nil
}

// checkPaused notes pause and resumption in the Progressing condition, so that
// the time between does not count against the progress deadline.
func (r *rollout) checkPaused() error {
	if !hasProgressDeadline(r.d) {
		return nil
	}
	cond := condition(r.d.Status.Conditions, appsv1.DeploymentProgressing)
	if cond != nil && cond.Reason == reasonTimedOut {
		return nil
	}
	noted := cond != nil && cond.Reason == reasonPaused
	switch {
	case r.d.Spec.Paused && !noted:
		r.setCondition(&r.d.Status, appsv1.DeploymentProgressing, corev1.ConditionUnknown, reasonPaused, "Deployment is paused")
	case !r.d.Spec.Paused && noted:
		r.setCondition(&r.d.Status, appsv1.DeploymentProgressing, corev1.ConditionUnknown, reasonResumed, "Deployment is resumed")
	default:
		return nil
	}
	return r.updateStatus()
}

// scaleReplicaSet resizes a set and keeps its size annotations; the set's
// place in the rollout is taken by the updated one.
func (r *rollout) scaleReplicaSet(rs *appsv1.ReplicaSet, size int32, force bool) (bool, error) {
	old := replicasOf(rs)
	if !force && old == size {
		return false, nil
	}
	annotations, changed := withSize(rs.Annotations, replicas(r.d), replicas(r.d)+maxSurge(r.d))
	if old == size && !changed {
		return false, nil
	}
	u := controller.Copy(rs)
	u.Annotations = annotations
	u.Spec.Replicas = &size
	u, err := client.Update(r.client, u)
	if err != nil {
		return false, err
	}
	r.replace(rs, u)
	if old == size {
		return false, nil
	}
	direction := "down"
	if old < size {
		direction = "up"
	}
	r.recorder.Eventf(r.d, controller.Normal, "ScalingReplicaSet", "Scaled %s replica set %s from %d to %d", direction, u.Name, old, size)
	return true, nil
}

func (r *rollout) replace(old, u *appsv1.ReplicaSet) {
	if r.new == old {
		r.new = u
	}
	if i := slices.Index(r.olds, old); i >= 0 {
		r.olds = slices.Clone(r.olds)
		r.olds[i] = u
	}
}

// scaleAll handles a paused deployment and a change of replicas: the sets keep
// their templates, their sizes follow in proportion.
func (r *rollout) scaleAll() error {
	if err := r.proportion(); err != nil {
		return err
	}
	if r.d.Spec.Paused {
		if err := r.cleanup(); err != nil {
			return err
		}
	}
	return r.syncStatus()
}

func (r *rollout) proportion() error {
	want := replicas(r.d)
	if rs := r.activeOrLatest(); rs != nil {
		_, err := r.scaleReplicaSet(rs, want, false)
		return err
	}
	if saturated(r.d, r.new) {
		for _, rs := range active(r.olds) {
			if _, err := r.scaleReplicaSet(rs, 0, false); err != nil {
				return err
			}
		}
		return nil
	}
	if !isRolling(r.d) {
		return nil
	}
	sets := active(r.all())
	allowed := int32(0)
	if want > 0 {
		allowed = want + maxSurge(r.d)
	}
	sizes := proportionalSizes(r.d, sets, allowed-total(sets))
	for i, rs := range sets {
		if _, err := r.scaleReplicaSet(rs, sizes[i], true); err != nil {
			return err
		}
	}
	return nil
}

// activeOrLatest is the only set with replicas, or the latest when there is
// none; nil when several have replicas.
func (r *rollout) activeOrLatest() *appsv1.ReplicaSet {
	switch act := active(r.all()); len(act) {
	case 0:
		if r.new != nil {
			return r.new
		}
		if len(r.olds) > 0 {
			return r.olds[len(r.olds)-1]
		}
		return nil
	case 1:
		return act[0]
	}
	return nil
}

func (r *rollout) rolling() error {
	if err := r.syncRevision(true); err != nil {
		return err
	}
	done, err := r.growNew()
	if err == nil && !done {
		if done, err = r.shrinkOlds(); err == nil && !done && complete(r.d, &r.d.Status) {
			err = r.cleanup()
		}
	}
	if err != nil {
		return err
	}
	return r.syncRolloutStatus()
}

func (r *rollout) growNew() (bool, error) {
	want, have := replicas(r.d), replicasOf(r.new)
	if have > want {
		return r.scaleReplicaSet(r.new, want, false)
	}
	if have == want {
		return false, nil
	}
	return r.scaleReplicaSet(r.new, newSize(r.d, r.all(), r.new), false)
}

// shrinkOlds gives up old pods: first those that are not available anyway,
// then as many available ones as maxUnavailable lets go.
func (r *rollout) shrinkOlds() (bool, error) {
	olds := active(r.olds)
	if len(olds) == 0 {
		return false, nil
	}
	minAvailable := replicas(r.d) - maxUnavailable(r.d)
	room := total(r.all()) - minAvailable - (replicasOf(r.new) - r.new.Status.AvailableReplicas)
	if room <= 0 {
		return false, nil
	}
	scaled := false
	left := room
	for _, rs := range olds {
		if left > 0 && rs.Status.AvailableReplicas > replicasOf(rs) {
			return scaled, nil // its last scale-down has yet to happen
		}
		if n := min(left, replicasOf(rs)-rs.Status.AvailableReplicas); n > 0 {
			if _, err := r.scaleReplicaSet(rs, replicasOf(rs)-n, false); err != nil {
				return scaled, err
			}
			scaled = true
			left -= n
		}
	}
	available := int32(0)
	for _, rs := range r.all() {
		// More than it wants are about to go, even if its status does not say so yet.
		available += min(rs.Status.AvailableReplicas, replicasOf(rs))
	}
	left = available - minAvailable
	for _, rs := range active(r.olds) {
		if n := min(left, replicasOf(rs)); n > 0 {
			if _, err := r.scaleReplicaSet(rs, replicasOf(rs)-n, false); err != nil {
				return scaled, err
			}
			scaled = true
			left -= n
		}
	}
	return scaled, nil
}

func (r *rollout) recreate() error {
	scaled := false
	for _, rs := range active(r.olds) {
		s, err := r.scaleReplicaSet(rs, 0, false)
		if err != nil {
			return err
		}
		scaled = scaled || s
	}
	if scaled || r.oldPodsRunning() {
		return r.syncRolloutStatus()
	}
	if err := r.syncRevision(true); err != nil {
		return err
	}
	if _, err := r.scaleReplicaSet(r.new, replicas(r.d), false); err != nil {
		return err
	}
	if complete(r.d, &r.d.Status) {
		if err := r.cleanup(); err != nil {
			return err
		}
	}
	return r.syncRolloutStatus()
}

func (r *rollout) oldPodsRunning() bool {
	for _, rs := range r.olds {
		if rs.Status.Replicas > 0 {
			return true
		}
		for _, p := range r.pods.ByIndex(controller.OwnerIndex, string(rs.UID)) {
			if !controller.IsTerminal(p) {
				return true
			}
		}
	}
	return false
}

// cleanup deletes empty old sets beyond revisionHistoryLimit, lowest revision first.
func (r *rollout) cleanup() error {
	limit := r.d.Spec.RevisionHistoryLimit
	if limit == nil || *limit == noLimit {
		return nil
	}
	var old []*appsv1.ReplicaSet
	for _, rs := range r.olds {
		if rs.DeletionTimestamp == nil {
			old = append(old, rs)
		}
	}
	n := len(old) - int(*limit)
	if n <= 0 {
		return nil
	}
	slices.SortStableFunc(old, byRevision)
	for _, rs := range old[:n] {
		if rs.Status.Replicas != 0 || replicasOf(rs) != 0 || rs.Generation > rs.Status.ObservedGeneration {
			continue
		}
		if err := client.Delete[*appsv1.ReplicaSet](r.client, rs.Namespace, rs.Name, client.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}
