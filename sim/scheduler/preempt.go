// Preemption: when no node will do, whether removing pods of lower priority
// from one would help, from which, and which pods.

package scheduler

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	policyv1 "github.com/kubonsai/kubonsai/sim/api/policy/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/scheduler/plugin"
)

// candidate is a node that would do without the victims.
type candidate struct {
	node       *plugin.NodeInfo
	victims    []*plugin.PodInfo // most important first
	violations int               // of disruption budgets
}

// preempt returns the node that was chosen and freed, or why there is none.
func (s *Scheduler) preempt(c *plugin.Cycle, why *diagnosis) (node, text string) {
	pod := c.Pod.Pod
	if pod.Spec.PreemptionPolicy != nil && *pod.Spec.PreemptionPolicy == corev1.PreemptNever {
		return "", "not eligible due to preemptionPolicy=Never."
	}
	if n := s.cache.byName[pod.Status.NominatedNodeName]; n != nil {
		if st := why.nodes[n.Node.Name]; st == nil || !st.Unresolvable {
			for _, p := range n.Pods {
				if p.Priority < c.Pod.Priority && p.Pod.DeletionTimestamp != nil && preempted(p.Pod) {
					return "", "not eligible due to a terminating pod on the nominated node."
				}
			}
		}
	}
	count := map[string]int{}
	helpless := len(c.Nodes)
	var all []candidate
	enough := max(len(c.Nodes)*10/100, 100)
	for _, n := range c.Nodes {
		st := why.nodes[n.Node.Name]
		if st == nil || st.Unresolvable {
			continue
		}
		helpless--
		if len(all) >= enough {
			continue
		}
		if found, ok := s.victims(c, n); ok {
			all = append(all, found)
		} else {
			count["No preemption victims found for incoming pod"]++
		}
	}
	if len(all) == 0 {
		if helpless > 0 {
			count["Preemption is not helpful for scheduling"] = helpless
		}
		head := fmt.Sprintf("0/%v nodes are available:", len(c.Nodes))
		if text := histogram(count); text != "" {
			head += " " + text + "."
		}
		return "", head
	}
	best := pick(all)
	for _, v := range best.victims {
		s.evict(v.Pod, c.Pod.Pod, best.node.Node.Name)
	}
	s.cache.nominate(c.Pod, best.node.Node.Name)
	for _, nom := range s.cache.nominations { // lower ones give way
		if nom.node == best.node.Node.Name && nom.info.Priority < c.Pod.Priority {
			s.cache.nominate(nom.info, "")
		}
	}
	return best.node.Node.Name, ""
}

func preempted(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.DisruptionTarget {
			return c.Status == corev1.ConditionTrue && c.Reason == corev1.PodReasonPreemptionByScheduler
		}
	}
	return false
}

// victims finds the fewest, least important pods of lower priority without
// which the pod fits on the node.
func (s *Scheduler) victims(c *plugin.Cycle, n *plugin.NodeInfo) (candidate, bool) {
	var lower []*plugin.PodInfo
	for _, p := range n.Pods {
		if p.Priority < c.Pod.Priority {
			lower = append(lower, p)
		}
	}
	if len(lower) == 0 {
		return candidate{}, false
	}
	gone := map[*plugin.PodInfo]bool{}
	for _, p := range lower {
		gone[p] = true
	}
	fits := func() bool {
		cut := n.Without(func(p *plugin.PodInfo) bool { return gone[p] })
		nodes := slices.Clone(c.Nodes)
		nodes[slices.Index(nodes, n)] = cut
		d := s.newCycle(c.Pod, nodes)
		d.Count = func(namespace string, sel labels.Selector) func(*plugin.NodeInfo) int64 {
			cached := s.cache.counter(namespace, sel)
			return func(o *plugin.NodeInfo) int64 {
				if o == cut {
					return countPods(cut, namespace, sel)
				}
				return cached(o)
			}
		}
		filters, st := prepare(d)
		if st != nil {
			return false
		}
		for _, nom := range s.cache.nominatedFor(c.Pod)[n.Node.Name] {
			cut.Add(nom)
		}
		return run(filters, cut) == nil
	}
	if !fits() {
		return candidate{}, false
	}
	slices.SortStableFunc(lower, moreImportant)
	protected, free := s.byBudget(lower)
	out := candidate{node: n}
	for _, p := range protected {
		delete(gone, p)
		if !fits() {
			gone[p] = true
			out.violations++
		}
	}
	for _, p := range free {
		delete(gone, p)
		if !fits() {
			gone[p] = true
		}
	}
	for _, p := range lower {
		if gone[p] {
			out.victims = append(out.victims, p)
		}
	}
	return out, true
}

func moreImportant(a, b *plugin.PodInfo) int {
	if a.Priority != b.Priority {
		if a.Priority > b.Priority {
			return -1
		}
		return 1
	}
	return podStart(a.Pod).Compare(podStart(b.Pod))
}

// byBudget divides pods into those whose eviction would violate a disruption
// budget and the others.
func (s *Scheduler) byBudget(pods []*plugin.PodInfo) (protected, free []*plugin.PodInfo) {
	left := map[*policyv1.PodDisruptionBudget]int32{}
	for _, p := range pods {
		violates := false
		s.budgets.Scan(p.Pod.Namespace, func(b *policyv1.PodDisruptionBudget) bool {
			sel, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
			if err != nil || sel.Empty() || !sel.Matches(labels.Set(p.Pod.Labels)) {
				return true
			}
			if _, ok := b.Status.DisruptedPods[p.Pod.Name]; ok {
				return true
			}
			if _, ok := left[b]; !ok {
				left[b] = b.Status.DisruptionsAllowed
			}
			left[b]--
			violates = violates || left[b] < 0
			return true
		})
		if violates {
			protected = append(protected, p)
		} else {
			free = append(free, p)
		}
	}
	return protected, free
}

// pick chooses the candidate that hurts least: fewest budget violations, then
// the lowest highest priority, the lowest sum of priorities, the fewest pods,
// the latest start of its most important ones.
func pick(all []candidate) candidate {
	best := all[0]
	for _, c := range all[1:] {
		if better(c, best) {
			best = c
		}
	}
	return best
}

func better(a, b candidate) bool {
	if a.violations != b.violations {
		return a.violations < b.violations
	}
	if len(a.victims) == 0 || len(b.victims) == 0 {
		return len(a.victims) < len(b.victims)
	}
	if x, y := a.victims[0].Priority, b.victims[0].Priority; x != y {
		return x < y
	}
	sum := func(c candidate) (n int64) {
		for _, v := range c.victims {
			n += int64(v.Priority) + math.MaxInt32 + 1
		}
		return n
	}
	if x, y := sum(a), sum(b); x != y {
		return x < y
	}
	if len(a.victims) != len(b.victims) {
		return len(a.victims) < len(b.victims)
	}
	earliest := func(c candidate) time.Time {
		t := podStart(c.victims[0].Pod)
		for _, v := range c.victims {
			if v.Priority == c.victims[0].Priority && podStart(v.Pod).Before(t) {
				t = podStart(v.Pod)
			}
		}
		return t
	}
	return earliest(a).After(earliest(b))
}

// evict marks and deletes a victim.
func (s *Scheduler) evict(victim, by *corev1.Pod, node string) {
	cur, ok := s.pods.Get(victim.Namespace, victim.Name)
	if !ok || cur.UID != victim.UID {
		return
	}
	if !preempted(cur) {
		u := api.ShallowCopy(cur).(*corev1.Pod)
		u.Status.Conditions = append(slices.DeleteFunc(slices.Clone(cur.Status.Conditions), func(c corev1.PodCondition) bool {
			return c.Type == corev1.DisruptionTarget
		}), corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, ObservedGeneration: cur.Generation,
			LastTransitionTime: metav1.NewTime(s.clock.Now()), Reason: corev1.PodReasonPreemptionByScheduler,
			Message: Name + ": preempting to accommodate a higher priority pod"})
		_, _ = client.UpdateStatus(s.client, u)
	}
	if err := client.Delete[*corev1.Pod](s.client, victim.Namespace, victim.Name, client.DeleteOptions{UID: string(victim.UID)}); err == nil {
		s.recorder.SeriesEvent(cur, "Normal", "Preempted", "Preempting", fmt.Sprintf("Preempted by pod %v on node %v", by.UID, node))
	}
}
