// Taint-based eviction: pods leave a node whose NoExecute taints they do not
// tolerate, at once or after their tolerationSeconds.

package nodelifecycle

import (
	"slices"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
)

type eviction struct {
	client   *client.Client
	clock    *clock.Clock
	recorder *client.Recorder
	nodes    *client.Informer[*corev1.Node]
	pods     *client.Informer[*corev1.Pod]
	queue    *client.Queue // pods of tainted nodes
	marked   map[string]metav1.UID
}

func newEviction(c *client.Client, f *client.Factory, nodes *client.Informer[*corev1.Node], pods *client.Informer[*corev1.Pod]) *eviction {
	e := &eviction{client: c, clock: f.Clock(), nodes: nodes, pods: pods, marked: map[string]metav1.UID{},
		recorder: client.NewRecorder(c, f.Clock(), "taint-eviction-controller", "")}
	e.queue = client.NewQueue(f.Clock(), "taint-eviction-controller", latency, e.sync)
	nodes.OnChange(func(old, n *corev1.Node) {
		if n == nil || slices.EqualFunc(noExecute(old), noExecute(n), func(a, b corev1.Taint) bool { return a.Key == b.Key && a.Value == b.Value }) {
			return
		}
		for _, p := range pods.ByIndex(NodeIndex, n.Name) {
			e.queue.Add(client.Key(p))
		}
	})
	pods.OnChange(func(old, p *corev1.Pod) {
		if p == nil {
			delete(e.marked, client.Key(old))
			e.queue.Remove(client.Key(old))
			return
		}
		if p.Spec.NodeName == "" || old != nil && old.Spec.NodeName == p.Spec.NodeName && old.Generation == p.Generation {
			return
		}
		if n, ok := nodes.Get("", p.Spec.NodeName); ok && len(noExecute(n)) > 0 {
			e.queue.Add(client.Key(p))
		}
	})
	return e
}

func noExecute(n *corev1.Node) []corev1.Taint {
	if n == nil {
		return nil
	}
	var out []corev1.Taint
	for _, t := range n.Spec.Taints {
		if t.Effect == corev1.TaintEffectNoExecute {
			out = append(out, t)
		}
	}
	return out
}

func (e *eviction) sync(key string) error {
	p, ok := e.pods.ByKey(key)
	if !ok || p.DeletionTimestamp != nil {
		delete(e.marked, key)
		return nil
	}
	n, ok := e.nodes.Get("", p.Spec.NodeName)
	if !ok {
		return nil
	}
	taints := noExecute(n)
	wait, limited, tolerated := toleration(p, taints)
	switch {
	case len(taints) == 0 || tolerated && !limited:
		if e.marked[key] == p.UID {
			e.recorder.Eventf(p, controller.Normal, "TaintManagerEviction", "Cancelling deletion of Pod %s", key)
			delete(e.marked, key)
		}
		return nil
	case tolerated:
		e.marked[key] = p.UID
		since := taintedSince(taints, e.clock.Now())
		if due := since.Add(wait); due.After(e.clock.Now()) {
			e.queue.AddAfter(key, due.Sub(e.clock.Now()))
			return nil
		}
	}
	delete(e.marked, key)
	e.recorder.Eventf(p, controller.Normal, "TaintManagerEviction", "Marking for deletion Pod %s", key)
	u := controller.Copy(p)
	u.Status.Conditions = append(slices.DeleteFunc(slices.Clone(p.Status.Conditions), func(c corev1.PodCondition) bool {
		return c.Type == corev1.DisruptionTarget
	}), corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, ObservedGeneration: p.Generation,
		LastTransitionTime: metav1.NewTime(e.clock.Now()), Reason: "DeletionByTaintManager",
		Message: "Taint manager: deleting due to NoExecute taint"})
	if _, err := client.UpdateStatus(e.client, u); err != nil {
		return gone(err)
	}
	err := client.Delete[*corev1.Pod](e.client, p.Namespace, p.Name, client.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// taintedSince is when the latest of the taints was added.
func taintedSince(taints []corev1.Taint, now time.Time) time.Time {
	since := time.Time{}
	for _, t := range taints {
		if t.TimeAdded == nil {
			return now
		}
		if t.TimeAdded.After(since) {
			since = t.TimeAdded.Time
		}
	}
	return since
}

// toleration tells whether the pod tolerates all taints, and for how long at
// most, if that is limited.
func toleration(p *corev1.Pod, taints []corev1.Taint) (wait time.Duration, limited, tolerated bool) {
	for i := range taints {
		ok := false
		for j := range p.Spec.Tolerations {
			t := &p.Spec.Tolerations[j]
			if !t.ToleratesTaint(&taints[i]) {
				continue
			}
			ok = true
			if t.TolerationSeconds != nil {
				d := time.Duration(max(*t.TolerationSeconds, 0)) * time.Second
				if !limited || d < wait {
					wait, limited = d, true
				}
			}
		}
		if !ok {
			return 0, false, false
		}
	}
	return wait, limited, true
}
