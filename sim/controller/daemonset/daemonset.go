// Package daemonset keeps one pod of a template on every node that fits:
// nodes.go says which nodes do, update.go replaces pods when the template
// changes.
package daemonset

import (
	"maps"
	"slices"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency = 8 * time.Millisecond
	burst   = 250 // most pods created or deleted in one go
	// A pod that failed is replaced after a growing pause.
	failureMin = time.Second
	failureMax = 15 * time.Minute
)

var gvk = appsv1.SchemeGroupVersion.WithKind("DaemonSet")

// Controller reconciles daemon sets.
type Controller struct {
	client    *client.Client
	clock     *clock.Clock
	recorder  *client.Recorder
	sets      *client.Informer[*appsv1.DaemonSet]
	pods      *client.Informer[*corev1.Pod]
	nodes     *client.Informer[*corev1.Node]
	revisions *client.Informer[*appsv1.ControllerRevision]
	queue     *client.Queue
	failures  map[string]failure // by set's uid and node
}

// failure is the back-off of a failing pod; a lost one merely starts anew.
type failure struct {
	pause time.Duration
	at    time.Time
}

// New returns the controller of DaemonSets.
func New(c *client.Client, f *client.Factory) *Controller {
	dc := &Controller{client: c, clock: f.Clock(), recorder: client.NewRecorder(c, f.Clock(), "daemonset-controller", ""),
		sets: client.InformerFor[*appsv1.DaemonSet](f), pods: client.InformerFor[*corev1.Pod](f), nodes: client.InformerFor[*corev1.Node](f),
		revisions: client.InformerFor[*appsv1.ControllerRevision](f), failures: map[string]failure{}}
	dc.queue = client.NewQueue(f.Clock(), "daemonset-controller", latency, dc.sync)
	dc.pods.AddIndex(controller.OwnerIndex, controller.OwnerKeys[*corev1.Pod])
	dc.revisions.AddIndex(controller.OwnerIndex, controller.OwnerKeys[*appsv1.ControllerRevision])
	dc.sets.OnChange(func(old, ds *appsv1.DaemonSet) {
		if ds == nil {
			dc.queue.Remove(client.Key(old))
			return
		}
		dc.queue.Add(client.Key(ds))
	})
	dc.pods.OnChange(func(old, pod *corev1.Pod) {
		controller.EachOwner(dc.sets, gvk.Kind, func(ds *appsv1.DaemonSet) *metav1.LabelSelector { return ds.Spec.Selector }, old, pod, dc.queue.Add)
	})
	dc.nodes.OnChange(dc.nodeChanged)
	return dc
}

func (c *Controller) nodeChanged(old, node *corev1.Node) {
	if old != nil && node != nil && maps.Equal(old.Labels, node.Labels) &&
		old.Spec.Unschedulable == node.Spec.Unschedulable && slices.EqualFunc(old.Spec.Taints, node.Spec.Taints,
		func(a, b corev1.Taint) bool { return a.Key == b.Key && a.Value == b.Value && a.Effect == b.Effect }) {
		return
	}
	c.sets.Scan("", func(ds *appsv1.DaemonSet) bool {
		c.queue.Add(client.Key(ds))
		return true
	})
}

// pass is one look at a set.
type pass struct {
	*Controller
	ds        *appsv1.DaemonSet
	key       string
	now       time.Time
	hash      string
	nodes     []*corev1.Node
	pods      map[string][]*corev1.Pod // by the node that they are meant for
	collision int32
}

func (c *Controller) sync(key string) error {
	ds, ok := c.sets.ByKey(key)
	if !ok || ds.DeletionTimestamp != nil {
		return nil
	}
	sel, err := metav1.LabelSelectorAsSelector(ds.Spec.Selector)
	if err != nil {
		return nil
	}
	if sel.Empty() {
		c.recorder.Eventf(ds, controller.Warning, "SelectingAll", "This daemon set is selecting all pods. A non-empty selector is required.")
		return nil
	}
	revisions, err := controller.Revisions(c.client, c.revisions, ds, gvk, sel)
	if err != nil {
		return err
	}
	p := &pass{Controller: c, ds: ds, key: key, now: c.clock.Now(), nodes: c.nodes.List("", nil)}
	if n := ds.Status.CollisionCount; n != nil {
		p.collision = *n
	}
	cur, err := controller.CurrentRevision(c.client, revisions, ds, gvk, &ds.Spec.Template, appsv1.DefaultDaemonSetUniqueLabelKey, &p.collision)
	if err != nil {
		return err
	}
	p.hash = cur.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]
	if err := p.claim(sel); err != nil {
		return err
	}
	err = p.manage()
	if err == nil && ds.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		if err = p.claim(sel); err == nil {
			err = p.rollingUpdate()
		}
	}
	if err == nil {
		limit := int32(10)
		if ds.Spec.RevisionHistoryLimit != nil {
			limit = *ds.Spec.RevisionHistoryLimit
		}
		err = controller.TruncateRevisions(c.client, revisions, limit, func(r *appsv1.ControllerRevision) bool { return r.Name == cur.Name || p.uses(r) })
	}
	if cerr := p.claim(sel); cerr != nil {
		return cerr
	}
	if serr := p.updateStatus(); err == nil {
		err = serr
	}
	return err
}

func (p *pass) uses(r *appsv1.ControllerRevision) bool {
	hash := r.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]
	for _, pods := range p.pods {
		for _, pod := range pods {
			if pod.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] == hash {
				return true
			}
		}
	}
	return false
}

// claim reads which pods the set has, by node.
func (p *pass) claim(sel labels.Selector) error {
	candidates := slices.Clone(p.Controller.pods.ByIndex(controller.OwnerIndex, string(p.ds.UID)))
	for _, pod := range p.Controller.pods.ByIndex(controller.OwnerIndex, controller.OrphanKey(p.ds.Namespace)) {
		if sel.Matches(labels.Set(pod.Labels)) {
			candidates = append(candidates, pod)
		}
	}
	pods, err := controller.Claim(p.client, p.ds, gvk, sel, candidates)
	if err != nil {
		return err
	}
	p.pods = map[string][]*corev1.Pod{}
	for _, pod := range pods {
		if controller.IsTerminal(pod) && pod.DeletionTimestamp != nil {
			continue
		}
		if node := targetNode(pod); node != "" {
			p.pods[node] = append(p.pods[node], pod)
		}
	}
	for _, list := range p.pods {
		slices.SortStableFunc(list, older)
	}
	return nil
}

// older orders the pods of a node: those assigned to it first, then by age.
func older(a, b *corev1.Pod) int {
	if x, y := a.Spec.NodeName == "", b.Spec.NodeName == ""; x != y {
		if y {
			return -1
		}
		return 1
	}
	return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
}

// manage creates the pods that nodes lack and deletes those that they have too many.
func (p *pass) manage() error {
	var create, remove []string
	known := map[string]bool{}
	for _, n := range p.nodes {
		known[n.Name] = true
		need, rm := p.onNode(n)
		if need {
			create = append(create, n.Name)
		}
		remove = append(remove, rm...)
	}
	// Pods that wait for a node which is gone.
	for _, name := range slices.Sorted(maps.Keys(p.pods)) {
		for _, pod := range p.pods[name] {
			if !known[name] && pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil {
				remove = append(remove, pod.Name)
			}
		}
	}
	return p.apply(create, remove)
}

// onNode says whether a node needs a pod and which of its pods must go.
func (p *pass) onNode(n *corev1.Node) (need bool, remove []string) {
	run, keep := shouldRun(n, p.ds)
	pods := p.pods[n.Name]
	switch {
	case run && len(pods) == 0:
		return true, nil
	case !keep:
		for _, pod := range pods {
			if pod.DeletionTimestamp == nil {
				remove = append(remove, pod.Name)
			}
		}
		return false, remove
	}
	var alive []*corev1.Pod
	for _, pod := range pods {
		switch {
		case pod.DeletionTimestamp != nil:
		case pod.Status.Phase == corev1.PodFailed:
			key := string(p.ds.UID) + "/" + n.Name
			f := p.failures[key]
			if left := f.at.Add(f.pause).Sub(p.now); left > 0 {
				p.queue.AddAfter(p.key, left)
				continue
			}
			if p.now.Sub(f.at) > 2*failureMax {
				f.pause = 0
			}
			p.failures[key] = failure{min(max(2*f.pause, failureMin), failureMax), p.now}
			p.recorder.Eventf(p.ds, controller.Warning, "FailedDaemonPod", "Found failed daemon pod %s/%s on node %s, will try to kill it", pod.Namespace, pod.Name, n.Name)
			remove = append(remove, pod.Name)
		case pod.Status.Phase == corev1.PodSucceeded:
			p.recorder.Eventf(p.ds, controller.Normal, "SucceededDaemonPod", "Found succeeded daemon pod %s/%s on node %s, will try to delete it", pod.Namespace, pod.Name, n.Name)
			remove = append(remove, pod.Name)
		default:
			alive = append(alive, pod)
		}
	}
	if p.maxSurge(1) == 0 {
		for i := 1; i < len(alive); i++ {
			remove = append(remove, alive[i].Name)
		}
		return false, remove
	}
	if len(alive) <= 1 {
		return len(alive) == 0 && run, remove
	}
	// During a surge a node may have one old and one new pod.
	var next, last *corev1.Pod
	for _, pod := range alive {
		switch {
		case p.updated(pod) && next == nil:
			next = pod
		case !p.updated(pod) && last == nil:
			last = pod
		default:
			remove = append(remove, pod.Name)
		}
	}
	if next != nil && last != nil && (!controller.IsReady(last) || controller.IsAvailable(next, p.ds.Spec.MinReadySeconds, p.now)) {
		remove = append(remove, last.Name)
	}
	return false, remove
}

// apply creates a pod for each of the nodes and deletes the named pods.
func (p *pass) apply(nodes, remove []string) error {
	ds := p.ds
	template := ds.Spec.Template
	template.Labels = map[string]string{}
	maps.Copy(template.Labels, ds.Spec.Template.Labels)
	if g := ds.Annotations[appsv1.DeprecatedTemplateGeneration]; g != "" {
		template.Labels["pod-template-generation"] = g
	}
	template.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] = p.hash
	template.Spec.Tolerations = tolerations(&template.Spec)
	next := 0
	_, first := controller.SlowStart(min(len(nodes), burst), func() error {
		pod := controller.PodFromTemplate(&template, ds, gvk)
		pod.Spec.Affinity = onlyNode(pod.Spec.Affinity, nodes[next])
		next++
		created, err := client.Create(p.client, pod)
		switch {
		case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
			return nil
		case err != nil:
			p.recorder.Eventf(ds, controller.Warning, "FailedCreate", "Error creating: %v", err)
			return err
		}
		p.recorder.Eventf(ds, controller.Normal, "SuccessfulCreate", "Created pod: %v", created.Name)
		return nil
	})
	for _, name := range remove[:min(len(remove), burst)] {
		err := client.Delete[*corev1.Pod](p.client, ds.Namespace, name, client.DeleteOptions{})
		if err == nil {
			p.recorder.Eventf(ds, controller.Normal, "SuccessfulDelete", "Deleted pod: %v", name)
		} else if !apierrors.IsNotFound(err) {
			p.recorder.Eventf(ds, controller.Warning, "FailedDelete", "Error deleting: %v", err)
			if first == nil {
				first = err
			}
		}
	}
	return first
}

func (p *pass) updateStatus() error {
	ds := p.ds
	s := appsv1.DaemonSetStatus{ObservedGeneration: ds.Generation, CollisionCount: ds.Status.CollisionCount, Conditions: ds.Status.Conditions}
	if was := ds.Status.CollisionCount; p.collision > 0 && (was == nil || *was != p.collision) {
		s.CollisionCount = new(p.collision)
	}
	for _, n := range p.nodes {
		pods := p.pods[n.Name]
		run, _ := shouldRun(n, ds)
		switch {
		case run:
			s.DesiredNumberScheduled++
			if len(pods) == 0 {
				continue
			}
			s.CurrentNumberScheduled++
			if controller.IsReady(pods[0]) {
				s.NumberReady++
				if controller.IsAvailable(pods[0], ds.Spec.MinReadySeconds, p.now) {
					s.NumberAvailable++
				}
			}
			if p.updated(pods[0]) {
				s.UpdatedNumberScheduled++
			}
		case len(pods) > 0:
			s.NumberMisscheduled++
		}
	}
	s.NumberUnavailable = s.DesiredNumberScheduled - s.NumberAvailable
	if ds.Spec.MinReadySeconds > 0 && s.NumberReady != s.NumberAvailable {
		p.queue.AddAfter(p.key, time.Duration(ds.Spec.MinReadySeconds)*time.Second)
	}
	if was := ds.Status; counts(&s) == counts(&was) && was.ObservedGeneration >= ds.Generation && was.CollisionCount == s.CollisionCount {
		return nil
	}
	u := api.ShallowCopy(ds).(*appsv1.DaemonSet)
	u.Status = s
	_, err := client.UpdateStatus(p.client, u)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func counts(s *appsv1.DaemonSetStatus) [7]int32 {
	return [7]int32{s.CurrentNumberScheduled, s.NumberMisscheduled, s.DesiredNumberScheduled, s.NumberReady,
		s.UpdatedNumberScheduled, s.NumberAvailable, s.NumberUnavailable}
}
