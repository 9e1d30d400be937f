// Rolling updates: either old pods go first, so many that no more than
// maxUnavailable are missing, or new pods come first, maxSurge at a time.

package daemonset

import (
	"maps"
	"slices"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/kubonsai/kubonsai/sim/controller"
)

// updated reports whether the pod has the set's present template.
func (p *pass) updated(pod *corev1.Pod) bool {
	g := p.ds.Annotations[appsv1.DeprecatedTemplateGeneration]
	return g != "" && pod.Labels["pod-template-generation"] == g || pod.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] == p.hash
}

func (p *pass) limit(of func(*appsv1.RollingUpdateDaemonSet) *intstr.IntOrString, nodes int) int {
	u := &p.ds.Spec.UpdateStrategy
	if u.Type != appsv1.RollingUpdateDaemonSetStrategyType || u.RollingUpdate == nil || of(u.RollingUpdate) == nil {
		return 0
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(of(u.RollingUpdate), nodes, true)
	if err != nil {
		return 0
	}
	return n
}

func (p *pass) maxSurge(nodes int) int {
	return p.limit(func(r *appsv1.RollingUpdateDaemonSet) *intstr.IntOrString { return r.MaxSurge }, nodes)
}

func (p *pass) rollingUpdate() error {
	desired := 0
	runs := map[string]bool{}
	for _, n := range p.nodes {
		if run, _ := shouldRun(n, p.ds); run {
			desired++
			runs[n.Name] = true
			if p.pods[n.Name] == nil {
				p.pods[n.Name] = nil
			}
		}
	}
	surge := p.maxSurge(desired)
	most := p.limit(func(r *appsv1.RollingUpdateDaemonSet) *intstr.IntOrString { return r.MaxUnavailable }, desired)
	if desired > 0 && most == 0 && surge == 0 {
		most = 1
	}
	if surge == 0 {
		return p.replace(most)
	}
	return p.surge(surge, desired, runs)
}

// pair finds the pod of the present and the one of an older template on a node;
// false when there are several of a kind.
func (p *pass) pair(pods []*corev1.Pod) (next, last *corev1.Pod, ok bool) {
	for _, pod := range pods {
		slot := &last
		if p.updated(pod) {
			slot = &next
		}
		if pod.DeletionTimestamp != nil {
			continue
		}
		if *slot != nil {
			return nil, nil, false
		}
		*slot = pod
	}
	return next, last, true
}

func (p *pass) available(pod *corev1.Pod) bool {
	return pod != nil && controller.IsAvailable(pod, p.ds.Spec.MinReadySeconds, p.now)
}

// replace deletes old pods; the next sync puts new ones in their place.
func (p *pass) replace(most int) error {
	missing := 0
	var broken, candidates []string
	for _, node := range slices.Sorted(maps.Keys(p.pods)) {
		next, last, ok := p.pair(p.pods[node])
		switch {
		case !ok || (next == nil) == (last == nil):
			missing++
		case next != nil:
			if !p.available(next) {
				missing++
			}
		case !p.available(last):
			broken = append(broken, last.Name)
			missing++
		default:
			candidates = append(candidates, last.Name)
		}
	}
	return p.apply(nil, append(broken, candidates[:min(len(candidates), max(0, most-missing))]...))
}

// surge creates new pods beside old ones and deletes an old one when the new
// one is available.
func (p *pass) surge(most, desired int, runs map[string]bool) error {
	surging, available := 0, 0
	var remove, leaving, fresh, candidates []string
	for _, node := range slices.Sorted(maps.Keys(p.pods)) {
		next, last, ok := p.pair(p.pods[node])
		if !ok {
			surging++
			continue
		}
		if p.available(last) || last == nil && p.available(next) {
			available++
		}
		switch {
		case last == nil:
		case next == nil && !p.available(last):
			if runs[node] {
				fresh = append(fresh, node)
			} else {
				remove = append(remove, last.Name)
			}
		case next == nil && !runs[node]:
			leaving = append(leaving, last.Name)
		case next == nil:
			candidates = append(candidates, node)
		case p.available(next):
			remove = append(remove, last.Name)
		default:
			surging++
		}
	}
	remove = append(remove, leaving[:min(len(leaving), max(0, available-desired))]...)
	return p.apply(append(fresh, candidates[:min(len(candidates), max(0, most-surging))]...), remove)
}
