// Package scheduler finds a node for each pod: it takes pending pods by
// priority and arrival, asks the rules of package plugin, binds the pod to the
// best node, or says word for word why none will do and waits for something
// that could change that. What nodes have left is kept up to date pod by pod,
// never computed anew.
package scheduler

import (
	"fmt"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	policyv1 "github.com/kubonsai/kubonsai/sim/api/policy/v1"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/scheduler/plugin"
	"github.com/kubonsai/kubonsai/sim/seed"
)

// Name is the scheduler that pods get when they name none.
const Name = "default-scheduler"

// Sampling: on large clusters the search ends once so many nodes will do.
const (
	minFeasible        = 100 // nodes, always
	minFeasiblePercent = 5
)

// Scheduler is the actor.
type Scheduler struct {
	client   *client.Client
	clock    *clock.Clock
	recorder *client.Recorder
	chance   *seed.Stream // which of equally good nodes

	pods       *client.Informer[*corev1.Pod]
	nodes      *client.Informer[*corev1.Node]
	services   *client.Informer[*corev1.Service]
	namespaces *client.Informer[*corev1.Namespace]
	claims     *client.Informer[*corev1.PersistentVolumeClaim]
	volumes    *client.Informer[*corev1.PersistentVolume]
	classes    *client.Informer[*storagev1.StorageClass]
	sets       *client.Informer[*appsv1.ReplicaSet]
	rcs        *client.Informer[*corev1.ReplicationController]
	stateful   *client.Informer[*appsv1.StatefulSet]
	budgets    *client.Informer[*policyv1.PodDisruptionBudget]

	cache *cache
	queue *queue
	start int // where the search for nodes begins next
	podsR *api.Resource
}

// New returns the scheduler. src is the seed's source of streams.
func New(c *client.Client, f *client.Factory, src *seed.Source) *Scheduler {
	s := &Scheduler{client: c, clock: f.Clock(),
		recorder:   client.NewRecorder(c, f.Clock(), Name, Name+"-kind-control-plane"),
		chance:     src.Stream("scheduler"),
		pods:       client.InformerFor[*corev1.Pod](f),
		nodes:      client.InformerFor[*corev1.Node](f),
		services:   client.InformerFor[*corev1.Service](f),
		namespaces: client.InformerFor[*corev1.Namespace](f),
		claims:     client.InformerFor[*corev1.PersistentVolumeClaim](f),
		volumes:    client.InformerFor[*corev1.PersistentVolume](f),
		classes:    client.InformerFor[*storagev1.StorageClass](f),
		sets:       client.InformerFor[*appsv1.ReplicaSet](f),
		rcs:        client.InformerFor[*corev1.ReplicationController](f),
		stateful:   client.InformerFor[*appsv1.StatefulSet](f),
		budgets:    client.InformerFor[*policyv1.PodDisruptionBudget](f),
		cache:      newCache(),
		podsR:      api.ByResource("", "pods"),
	}
	s.queue = newQueue(f.Clock(), s.cycle)
	s.nodes.OnChange(s.nodeChanged)
	s.pods.OnChange(s.podChanged)
	s.claims.OnChange(func(old, obj *corev1.PersistentVolumeClaim) { s.storageChanged() })
	s.volumes.OnChange(func(old, obj *corev1.PersistentVolume) { s.storageChanged() })
	s.classes.OnChange(func(old, obj *storagev1.StorageClass) { s.storageChanged() })
	return s
}

// cycle tries to place one pod.
func (s *Scheduler) cycle(q *entry) {
	s.nodes.Len() // drains: the cache is up to date from here on
	s.pods.Len()
	pod, ok := s.pods.Get(q.info.Pod.Namespace, q.info.Pod.Name)
	if !ok || pod.UID != q.info.Pod.UID || pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
		return
	}
	q.attempts++
	q.lastTry = s.clock.Now()
	if s.cache.len() == 0 {
		s.fail(q, "no nodes available to schedule pods", nil, "")
		return
	}
	c := s.newCycle(q.info, s.cache.nodes)
	feasible, why := s.findFeasible(c)
	if len(feasible) == 0 {
		s.reject(q, c, why)
		return
	}
	node := s.best(c, feasible)
	s.assign(q, node)
}

func (s *Scheduler) newCycle(p *plugin.PodInfo, nodes []*plugin.NodeInfo) *plugin.Cycle {
	return &plugin.Cycle{Pod: p, Nodes: nodes, Cluster: view{s}, Count: s.cache.counter, AffinityPods: s.cache.affinity}
}

// diagnosis is why no node would do.
type diagnosis struct {
	preFilter *plugin.Status            // the pod as a whole was rejected
	nodes     map[string]*plugin.Status // by node name
	absent    *plugin.Status            // of nodes that were not looked at
	total     int
}

func (s *Scheduler) numFeasible(all int) int {
	if all < minFeasible {
		return all
	}
	percent := max(50-all/125, minFeasiblePercent)
	return max(all*percent/100, minFeasible)
}

// prepare readies the filters for one pod.
func prepare(c *plugin.Cycle) ([]plugin.FilterFunc, *plugin.Status) {
	filters := make([]plugin.FilterFunc, 0, len(plugin.Rules))
	for _, r := range plugin.Rules {
		if r.Filter == nil {
			continue
		}
		f, st := r.Filter(c)
		if st != nil {
			return nil, st
		}
		if f != nil {
			filters = append(filters, f)
		}
	}
	return filters, nil
}

func run(filters []plugin.FilterFunc, n *plugin.NodeInfo) *plugin.Status {
	for _, f := range filters {
		if st := f(n); st != nil {
			return st
		}
	}
	return nil
}

// findFeasible looks for nodes that pass all filters, beginning after where the
// last search ended, until it has enough.
func (s *Scheduler) findFeasible(c *plugin.Cycle) ([]*plugin.NodeInfo, *diagnosis) {
	d := &diagnosis{total: len(c.Nodes)}
	filters, st := prepare(c)
	if st != nil {
		d.preFilter = st
		return nil, d
	}
	nodes := c.Nodes
	if names := plugin.NodeNames(c.Pod.Pod); names != nil {
		nodes = nil
		for _, name := range names {
			if n := s.cache.byName[name]; n != nil {
				nodes = append(nodes, n)
			}
		}
		d.absent = &plugin.Status{Plugin: plugin.NodeAffinity.Name, Unresolvable: true,
			Reasons: []string{"node(s) didn't satisfy plugin(s) [NodeAffinity]"}}
	}
	nominated := s.cache.nominatedFor(c.Pod)
	check := func(n *plugin.NodeInfo) *plugin.Status {
		if len(nominated) > 0 {
			// Pods of the same or a higher priority that wait for this node count.
			if more := nominated[n.Node.Name]; len(more) > 0 {
				full := n.Without(func(*plugin.PodInfo) bool { return false })
				for _, p := range more {
					full.Add(p)
				}
				if st := run(filters, full); st != nil {
					return st
				}
			}
		}
		return run(filters, n)
	}
	if name := c.Pod.Pod.Status.NominatedNodeName; name != "" {
		if n := s.cache.byName[name]; n != nil && check(n) == nil {
			return []*plugin.NodeInfo{n}, nil
		}
	}
	enough := s.numFeasible(len(nodes))
	out := make([]*plugin.NodeInfo, 0, enough)
	for i := range nodes {
		n := nodes[(s.start+i)%len(nodes)]
		st := check(n)
		if st == nil {
			out = append(out, n)
			if len(out) == enough && len(nodes) > enough {
				s.start = (s.start + i + 1) % len(nodes)
				break
			}
			continue
		}
		if len(out) == 0 {
			if d.nodes == nil {
				d.nodes = make(map[string]*plugin.Status)
			}
			d.nodes[n.Node.Name] = st
		}
	}
	return out, d
}

// best scores the nodes and draws among the best ones.
func (s *Scheduler) best(c *plugin.Cycle, nodes []*plugin.NodeInfo) *plugin.NodeInfo {
	if len(nodes) == 1 {
		return nodes[0]
	}
	total := make([]int64, len(nodes))
	scores := make([]int64, len(nodes))
	for _, r := range plugin.Rules {
		if r.Score == nil {
			continue
		}
		score, normalize := r.Score(c, nodes)
		if score == nil {
			continue
		}
		for i, n := range nodes {
			scores[i] = score(n)
		}
		if normalize != nil {
			normalize(scores)
		}
		for i := range scores {
			total[i] += r.Weight * scores[i]
		}
	}
	top := total[0]
	for _, t := range total {
		top = max(top, t)
	}
	ties := 0
	for _, t := range total {
		if t == top {
			ties++
		}
	}
	pick := 0
	if ties > 1 {
		pick = s.chance.IntN(ties)
	}
	for i, t := range total {
		if t == top {
			if pick == 0 {
				return nodes[i]
			}
			pick--
		}
	}
	return nodes[0]
}

// assign binds the pod, unless it first has to wait for its volumes.
func (s *Scheduler) assign(q *entry, n *plugin.NodeInfo) {
	pod := q.info.Pod
	if waiting, err := s.bindVolumes(pod, n.Node); err != nil || waiting {
		// The claims' next change brings the pod back; its node is fixed by then.
		q.rejectedBy = map[string]bool{plugin.VolumeBinding.Name: true}
		s.queue.park(q)
		if err != nil {
			s.queue.backoff(q)
		}
		return
	}
	b := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: n.Node.Name}}
	b.APIVersion, b.Kind = "v1", "Binding"
	b.Namespace, b.Name, b.UID = pod.Namespace, pod.Name, pod.UID
	_, err := client.Post(s.client, s.podsR, pod.Namespace, pod.Name, "binding", b)
	if err != nil {
		if apierrors.IsNotFound(err) {
			return
		}
		s.recorder.SeriesEvent(pod, "Warning", "FailedScheduling", "Scheduling", fmt.Sprintf("binding rejected: %v", err))
		s.queue.park(q)
		s.queue.backoff(q)
		return
	}
	s.cache.nominate(q.info, "")
	s.cache.assume(q.info, n)
	s.recorder.SeriesEvent(pod, "Normal", "Scheduled", "Binding",
		fmt.Sprintf("Successfully assigned %v/%v to %v", pod.Namespace, pod.Name, n.Node.Name))
}

// bindVolumes gives the pod's unbound claims a volume, or tells their
// provisioner the node; waiting is true while a claim is not bound yet.
func (s *Scheduler) bindVolumes(pod *corev1.Pod, node *corev1.Node) (waiting bool, err error) {
	taken := map[string]bool{}
	for _, pvc := range plugin.Unbound(view{s}, pod) {
		waiting = true
		if pv := plugin.Match(view{s}, pvc, node, taken); pv != nil {
			taken[pv.Name] = true
			if pv.Spec.ClaimRef != nil && pv.Spec.ClaimRef.UID != "" {
				continue // the volume controller has yet to finish
			}
			u := api.ShallowCopy(pv).(*corev1.PersistentVolume)
			u.Spec.ClaimRef = &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: pvc.Namespace,
				Name: pvc.Name, UID: pvc.UID, ResourceVersion: pvc.ResourceVersion}
			u.Annotations = with(u.Annotations, "pv.kubernetes.io/bound-by-controller", "yes")
			if _, err := client.Update(s.client, u); err != nil {
				return true, err
			}
			continue
		}
		if pvc.Annotations[plugin.SelectedNodeAnnotation] == node.Name {
			continue
		}
		u := api.ShallowCopy(pvc).(*corev1.PersistentVolumeClaim)
		u.Annotations = with(u.Annotations, plugin.SelectedNodeAnnotation, node.Name)
		if _, err := client.Update(s.client, u); err != nil {
			return true, err
		}
	}
	return waiting, nil
}

func with(m map[string]string, key, value string) map[string]string {
	out := make(map[string]string, len(m)+1)
	for k, v := range m {
		out[k] = v
	}
	out[key] = value
	return out
}

// reject tells why the pod cannot be placed, after looking whether removing
// pods of lower priority would help.
func (s *Scheduler) reject(q *entry, c *plugin.Cycle, why *diagnosis) {
	by := map[string]bool{}
	if why.preFilter != nil {
		by[why.preFilter.Plugin] = true
	}
	if why.absent != nil {
		by[why.absent.Plugin] = true
	}
	for _, st := range why.nodes {
		by[st.Plugin] = true
	}
	var after, nominated string
	if why.preFilter != nil {
		after = "not found" // upstream's DynamicResources has no state to look at
	} else if node, text := s.preempt(c, why); node != "" {
		nominated = node
	} else {
		after = "no new claims to deallocate, preemption: " + text
	}
	message := fitError(why)
	if after != "" {
		message += " " + after
	}
	s.fail(q, message, by, nominated)
}

// fail records the failure and parks the pod until something relevant happens.
func (s *Scheduler) fail(q *entry, message string, by map[string]bool, nominated string) {
	pod := q.info.Pod
	q.rejectedBy = by
	s.queue.park(q)
	s.recorder.SeriesEvent(pod, "Warning", "FailedScheduling", "Scheduling", message)
	u := api.ShallowCopy(pod).(*corev1.Pod)
	cond := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, ObservedGeneration: pod.Generation,
		LastTransitionTime: metav1.NewTime(s.clock.Now()), Reason: corev1.PodReasonUnschedulable, Message: message}
	conds := make([]corev1.PodCondition, 0, len(pod.Status.Conditions)+1)
	same, found := false, false
	for _, o := range pod.Status.Conditions {
		if o.Type != cond.Type {
			conds = append(conds, o)
			continue
		}
		found = true
		if o.Status == cond.Status {
			cond.LastTransitionTime = o.LastTransitionTime
		}
		same = o.Status == cond.Status && o.Reason == cond.Reason && o.Message == cond.Message && o.ObservedGeneration == cond.ObservedGeneration
		conds = append(conds, cond)
	}
	if !found {
		conds = append(conds, cond)
	}
	u.Status.Conditions = conds
	if nominated != "" {
		u.Status.NominatedNodeName = nominated
	}
	if same && u.Status.NominatedNodeName == pod.Status.NominatedNodeName {
		return
	}
	_, _ = client.UpdateStatus(s.client, u) // a conflict means that the pod has changed, which brings it back
}

// Pending is the number of pods that wait for a node, and how many of them
// have been found unschedulable.
func (s *Scheduler) Pending() (all, unschedulable int) { return s.queue.counts() }

// podTime is when the pod last changed hands; used to tell apart long-running victims.
func podStart(p *corev1.Pod) time.Time {
	if p.Status.StartTime != nil {
		return p.Status.StartTime.Time
	}
	return time.Time{}
}
