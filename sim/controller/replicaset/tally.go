// A set with thousands of pods is looked at whenever one of them changes; its
// numbers are therefore kept up to date pod by pod instead of being counted
// anew each time.

package replicaset

import (
	"github.com/kubonsai/kubonsai/sim/api/labels"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/controller"
)

// tally is what the pods of one set come to, as long as its spec is the one of
// that generation.
type tally struct {
	generation int64
	sel        labels.Selector
	labels     map[string]string // of the template
	counts
}

// counts are numbers of pods that have the set as their controller.
type counts struct {
	active, fullyLabeled, ready int // replicas
	terminating                 int
	strays                      int // active, but no longer selected: to be released
}

// totals are the numbers of a set without minReadySeconds.
func (n counts) totals() totals {
	return totals{n.active, n.fullyLabeled, n.ready, n.ready, n.terminating}
}

// add counts one pod, sign times.
func (t *tally) add(p *corev1.Pod, sign int) {
	selected := t.sel.Matches(labels.Set(p.Labels))
	switch {
	case controller.IsActive(p) && selected:
		t.active += sign
		if hasAll(p.Labels, t.labels) {
			t.fullyLabeled += sign
		}
		if controller.IsReady(p) {
			t.ready += sign
		}
	case controller.IsActive(p):
		t.strays += sign
	case controller.IsTerminating(p) && selected:
		t.terminating += sign
	}
}

// recount follows a change of a pod.
func (c *Controller[T]) recount(old, pod *corev1.Pod) {
	if len(c.tallies) == 0 {
		return
	}
	if old != nil {
		if ref := controller.ControllerRef(old); ref != nil {
			if t := c.tallies[ref.UID]; t != nil {
				t.add(old, -1)
			}
		}
	}
	if pod != nil {
		if ref := controller.ControllerRef(pod); ref != nil {
			if t := c.tallies[ref.UID]; t != nil {
				t.add(pod, 1)
			}
		}
	}
}

// tally returns the set's numbers, counted once per generation.
func (c *Controller[T]) tally(m *metav1.ObjectMeta, sp spec) (*tally, error) {
	c.pods.Len() // drains: recount has seen every change from here on
	t := c.tallies[m.UID]
	if t != nil && t.generation == m.Generation {
		return t, nil
	}
	sel, err := sp.compile()
	if err != nil {
		return nil, err
	}
	t = &tally{generation: m.Generation, sel: sel, labels: sp.template.Labels}
	for _, p := range c.pods.ByIndex(controller.OwnerIndex, string(m.UID)) {
		t.add(p, 1)
	}
	c.tallies[m.UID] = t
	return t, nil
}
