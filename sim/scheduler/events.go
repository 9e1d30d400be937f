// What happens in the cluster, as far as it concerns pods that wait for a node.

package scheduler

import (
	"slices"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
	"github.com/kubonsai/kubonsai/sim/scheduler/plugin"
)

func responsible(pod *corev1.Pod) bool {
	return pod.Spec.SchedulerName == "" || pod.Spec.SchedulerName == Name
}

func terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func (s *Scheduler) podChanged(old, pod *corev1.Pod) {
	uid := metav1.UID("")
	if old != nil {
		uid = old.UID
	} else {
		uid = pod.UID
	}
	switch {
	case pod == nil:
		s.queue.remove(uid)
		if p := s.cache.removePod(uid); p != nil {
			s.cache.nominate(p, "")
			s.podLeft(p.Pod)
		} else {
			delete(s.cache.nominations, uid)
		}
	case pod.Spec.NodeName != "" && terminal(pod):
		s.queue.remove(uid)
		if p := s.cache.removePod(uid); p != nil {
			s.podLeft(p.Pod)
		}
	case pod.Spec.NodeName != "":
		s.queue.remove(uid)
		delete(s.cache.nominations, uid)
		fresh := old == nil || old.Spec.NodeName == "" || !sameLabels(old.Labels, pod.Labels)
		before := s.cache.placed[uid]
		s.cache.setPod(pod)
		switch {
		case fresh:
			s.podCame(pod)
		case before != nil && old.Generation != pod.Generation && pod.DeletionTimestamp == nil:
			s.podLeft(pod) // a resize may have made room
		}
	case terminal(pod) || !responsible(pod) || pod.DeletionTimestamp != nil:
		s.queue.remove(uid)
	case old == nil || s.queue.entries[uid] == nil:
		info := plugin.NewPodInfo(pod)
		s.cache.nominate(info, pod.Status.NominatedNodeName)
		s.queue.add(info)
	default:
		// A pod that waits has changed itself.
		e := s.queue.entries[uid]
		if old.Status.NominatedNodeName != pod.Status.NominatedNodeName {
			s.cache.nominate(e.info, pod.Status.NominatedNodeName)
		}
		if old.Generation == pod.Generation && sameLabels(old.Labels, pod.Labels) {
			e.info.Pod = pod
			return
		}
		s.queue.changes++
		s.queue.add(plugin.NewPodInfo(pod))
	}
}

// podLeft: a pod has left its node, which may make room.
func (s *Scheduler) podLeft(pod *corev1.Pod) {
	s.queue.event(func(e *entry) bool {
		return e.rejectedBy[plugin.NodeResourcesFit.Name] || e.rejectedBy[plugin.NodePorts.Name] ||
			e.rejectedBy[plugin.InterPodAffinity.Name] || e.rejectedBy[plugin.PodTopologySpread.Name] ||
			e.rejectedBy[plugin.VolumeRestrictions.Name] || len(e.rejectedBy) == 0
	})
}

// podCame: a pod has come to a node or changed its labels, which may make affinity terms match.
func (s *Scheduler) podCame(pod *corev1.Pod) {
	s.queue.event(func(e *entry) bool {
		return e.rejectedBy[plugin.InterPodAffinity.Name] && len(e.info.RequiredAffinity) > 0 ||
			e.rejectedBy[plugin.PodTopologySpread.Name] && e.info.Pod.Namespace == pod.Namespace
	})
}

func (s *Scheduler) nodeChanged(old, node *corev1.Node) {
	if node == nil {
		s.cache.removeNode(old.Name)
		s.queue.event(func(e *entry) bool { return e.rejectedBy[plugin.PodTopologySpread.Name] })
		return
	}
	n := s.cache.setNode(node)
	if old != nil && !nodeMatters(old, node) {
		return
	}
	s.queue.event(func(e *entry) bool { return s.nodeHelps(e, old, n) })
}

// nodeMatters tells heartbeats from changes that rules look at.
func nodeMatters(old, node *corev1.Node) bool {
	return old.Spec.Unschedulable != node.Spec.Unschedulable || !sameLabels(old.Labels, node.Labels) ||
		!slices.EqualFunc(old.Spec.Taints, node.Spec.Taints, func(a, b corev1.Taint) bool {
			return a.Key == b.Key && a.Value == b.Value && a.Effect == b.Effect
		}) || !sameResources(old.Status.Allocatable, node.Status.Allocatable)
}

func sameResources(a, b corev1.ResourceList) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v.Cmp(w) != 0 {
			return false
		}
	}
	return true
}

// nodeHelps reports whether the new or changed node answers one of the rules
// that rejected the pod.
func (s *Scheduler) nodeHelps(e *entry, old *corev1.Node, n *plugin.NodeInfo) bool {
	if len(e.rejectedBy) == 0 {
		return true // there was no node at all
	}
	c := s.newCycle(e.info, s.cache.nodes)
	for _, r := range []*plugin.Rule{plugin.NodeUnschedulable, plugin.NodeName, plugin.TaintToleration, plugin.NodeAffinity} {
		if !e.rejectedBy[r.Name] {
			continue
		}
		f, st := r.Filter(c)
		if st == nil && (f == nil || f(n) == nil) {
			return true
		}
	}
	if e.rejectedBy[plugin.NodeResourcesFit.Name] && plugin.FitsEmpty(e.info, n) &&
		(old == nil || !sameResources(old.Status.Allocatable, n.Node.Status.Allocatable)) {
		return true
	}
	return e.rejectedBy[plugin.PodTopologySpread.Name] || e.rejectedBy[plugin.InterPodAffinity.Name] ||
		e.rejectedBy[plugin.VolumeBinding.Name] && old == nil || e.rejectedBy[plugin.NodePorts.Name] && old == nil
}

func (s *Scheduler) storageChanged() {
	s.queue.event(func(e *entry) bool {
		return e.rejectedBy[plugin.VolumeBinding.Name] || e.rejectedBy[plugin.VolumeRestrictions.Name] || e.rejectedBy[plugin.VolumeZone.Name]
	})
}

// view answers the rules' questions from the informers.
type view struct{ s *Scheduler }

func (v view) Claim(namespace, name string) *corev1.PersistentVolumeClaim {
	o, _ := v.s.claims.Get(namespace, name)
	return o
}

func (v view) Volume(name string) *corev1.PersistentVolume {
	o, _ := v.s.volumes.Get("", name)
	return o
}

func (v view) Class(name string) *storagev1.StorageClass {
	o, _ := v.s.classes.Get("", name)
	return o
}

func (v view) Volumes() []*corev1.PersistentVolume { return v.s.volumes.List("", nil) }

func (v view) NamespaceLabels(name string) map[string]string {
	if ns, ok := v.s.namespaces.Get("", name); ok {
		return ns.Labels
	}
	return nil
}

// Selector joins the selectors of the pod's services with that of its controller.
func (v view) Selector(pod *corev1.Pod) labels.Selector {
	set := labels.Set{}
	v.s.services.Scan(pod.Namespace, func(svc *corev1.Service) bool {
		if len(svc.Spec.Selector) > 0 && labels.SelectorFromSet(svc.Spec.Selector).Matches(labels.Set(pod.Labels)) {
			for k, val := range svc.Spec.Selector {
				set[k] = val
			}
		}
		return true
	})
	var controller labels.Selector
	if owner := metav1.GetControllerOf(pod); owner != nil {
		var ls *metav1.LabelSelector
		switch owner.Kind {
		case "ReplicaSet":
			if o, ok := v.s.sets.Get(pod.Namespace, owner.Name); ok {
				ls = o.Spec.Selector
			}
		case "StatefulSet":
			if o, ok := v.s.stateful.Get(pod.Namespace, owner.Name); ok {
				ls = o.Spec.Selector
			}
		case "ReplicationController":
			if o, ok := v.s.rcs.Get(pod.Namespace, owner.Name); ok {
				for k, val := range o.Spec.Selector {
					set[k] = val
				}
			}
		}
		if ls != nil {
			controller, _ = metav1.LabelSelectorAsSelector(ls)
		}
	}
	if len(set) == 0 {
		return controller
	}
	sel := labels.SelectorFromSet(set)
	if controller != nil {
		if reqs, ok := controller.Requirements(); ok {
			sel = sel.Add(reqs...)
		}
	}
	return sel
}
