// Package nodelifecycle notices nodes whose kubelet has fallen silent: it marks
// them and their pods not ready, taints them as their conditions ask for, and
// evicts pods that do not tolerate a NoExecute taint. Heartbeats are not
// written; the kubelets are asked, and say so when one stops, so that nothing
// ticks while all is well.
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

const (
	latency = 2 * time.Millisecond
	// gracePeriod is for how long a silent kubelet is waited for, and monitor
	// how often upstream looks.
	gracePeriod = 50 * time.Second
	// NodeIndex is the index of pods by node.
	NodeIndex = "node"
)

// Heartbeats tells which nodes' kubelets are silent (kubelet.Kubelet does).
type Heartbeats interface {
	// Stopped reports whether a node's kubelet is silent, and since when.
	Stopped(node string) (since time.Time, stopped bool)
	// OnNode adds an observer of nodes that fall silent or come back.
	OnNode(func(node string, stopped bool))
}

// Controller reconciles nodes.
type Controller struct {
	client   *client.Client
	clock    *clock.Clock
	recorder *client.Recorder
	beats    Heartbeats
	nodes    *client.Informer[*corev1.Node]
	pods     *client.Informer[*corev1.Pod]
	queue    *client.Queue
	eviction *eviction
}

// New returns the controller. beats may be nil: no kubelet ever falls silent.
func New(c *client.Client, f *client.Factory, beats Heartbeats) *Controller {
	nc := &Controller{client: c, clock: f.Clock(), beats: beats,
		recorder: client.NewRecorder(c, f.Clock(), "node-controller", ""),
		nodes:    client.InformerFor[*corev1.Node](f), pods: client.InformerFor[*corev1.Pod](f)}
	nc.queue = client.NewQueue(f.Clock(), "node-controller", latency, nc.sync)
	nc.pods.AddIndex(NodeIndex, ByNode)
	nc.eviction = newEviction(c, f, nc.nodes, nc.pods)
	if beats != nil {
		beats.OnNode(func(node string, _ bool) { nc.queue.Add(node) })
	}
	start := f.Clock().Now()
	nc.nodes.OnChange(func(old, n *corev1.Node) {
		switch {
		case n == nil:
			nc.recorder.Eventf(old, controller.Normal, "RemovingNode", "Node %s event: Removing Node %v from Controller", old.Name, old.Name)
			return
		case old == nil && !n.CreationTimestamp.Add(time.Second).Before(start):
			nc.recorder.Eventf(n, controller.Normal, "RegisteredNode", "Node %s event: Registered Node %v in Controller", n.Name, n.Name)
		}
		nc.queue.Add(n.Name)
	})
	return nc
}

// ByNode computes NodeIndex.
func ByNode(p *corev1.Pod) []string {
	if p.Spec.NodeName == "" {
		return nil
	}
	return []string{p.Spec.NodeName}
}

func condition(n *corev1.Node, t corev1.NodeConditionType) *corev1.NodeCondition {
	for i := range n.Status.Conditions {
		if n.Status.Conditions[i].Type == t {
			return &n.Status.Conditions[i]
		}
	}
	return nil
}

func (c *Controller) sync(name string) error {
	n, ok := c.nodes.Get("", name)
	if !ok {
		return nil
	}
	if c.beats != nil {
		if since, stopped := c.beats.Stopped(name); stopped {
			due := since.Add(gracePeriod)
			if c.clock.Now().Before(due) {
				c.queue.AddAfter(name, due.Sub(c.clock.Now()))
			} else if u, err := c.markUnknown(n); err != nil {
				return gone(err)
			} else {
				n = u
			}
		}
	}
	return gone(c.taint(n))
}

func gone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

var heartbeatConditions = []corev1.NodeConditionType{corev1.NodeReady, corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure}

// markUnknown gives a silent node its conditions, and its pods theirs.
func (c *Controller) markUnknown(n *corev1.Node) (*corev1.Node, error) {
	now := metav1.NewTime(c.clock.Now())
	conds := slices.Clone(n.Status.Conditions)
	changed := false
	ready := condition(n, corev1.NodeReady)
	wasReady := ready != nil && ready.Status == corev1.ConditionTrue
	for _, t := range heartbeatConditions {
		i := slices.IndexFunc(conds, func(c corev1.NodeCondition) bool { return c.Type == t })
		if i < 0 {
			conds = append(conds, corev1.NodeCondition{Type: t, Status: corev1.ConditionUnknown, Reason: "NodeStatusNeverUpdated",
				Message: "Kubelet never posted node status.", LastHeartbeatTime: n.CreationTimestamp, LastTransitionTime: now})
			changed = true
		} else if conds[i].Status != corev1.ConditionUnknown {
			conds[i].Status, conds[i].Reason, conds[i].Message = corev1.ConditionUnknown, "NodeStatusUnknown", "Kubelet stopped posting node status."
			conds[i].LastTransitionTime = now
			changed = true
		}
	}
	if changed {
		u := controller.Copy(n)
		u.Status.Conditions = conds
		var err error
		if n, err = client.UpdateStatus(c.client, u); err != nil {
			return nil, err
		}
	}
	if wasReady {
		c.recorder.Eventf(n, controller.Normal, "NodeNotReady", "Node %s status is now: NodeNotReady", n.Name)
	}
	return n, c.markPods(n.Name, now)
}

// markPods says that the pods of a silent node are not ready.
func (c *Controller) markPods(node string, now metav1.Time) error {
	for _, p := range c.pods.ByIndex(NodeIndex, node) {
		ready := controller.PodCondition(p, corev1.PodReady)
		if ready == nil || ready.Status != corev1.ConditionTrue {
			continue
		}
		u := controller.Copy(p)
		u.Status.Conditions = slices.Clone(p.Status.Conditions)
		cond := controller.PodCondition(u, corev1.PodReady)
		cond.Status, cond.LastTransitionTime = corev1.ConditionFalse, now
		if _, err := client.UpdateStatus(c.client, u); err != nil {
			if apierrors.IsNotFound(err) {
				continue
			}
			return err
		}
		c.recorder.Eventf(p, controller.Warning, "NodeNotReady", "Node is not ready")
	}
	return nil
}

const taintPrefix = "node.kubernetes.io/"

// conditionTaint is the taint that a condition's status asks for.
func conditionTaint(c *corev1.NodeCondition) string {
	switch {
	case c.Type == corev1.NodeReady && c.Status == corev1.ConditionFalse:
		return taintPrefix + "not-ready"
	case c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown:
		return taintPrefix + "unreachable"
	case c.Status != corev1.ConditionTrue:
		return ""
	}
	switch c.Type {
	case corev1.NodeMemoryPressure:
		return taintPrefix + "memory-pressure"
	case corev1.NodeDiskPressure:
		return taintPrefix + "disk-pressure"
	case corev1.NodePIDPressure:
		return taintPrefix + "pid-pressure"
	case corev1.NodeNetworkUnavailable:
		return taintPrefix + "network-unavailable"
	}
	return ""
}

// managed are the taints that this controller sets and removes.
func managed(t *corev1.Taint) bool {
	switch t.Key {
	case taintPrefix + "not-ready", taintPrefix + "unreachable":
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	case taintPrefix + "memory-pressure", taintPrefix + "disk-pressure", taintPrefix + "pid-pressure",
		taintPrefix + "network-unavailable", taintPrefix + "unschedulable":
		return t.Effect == corev1.TaintEffectNoSchedule
	}
	return false
}

// wantedTaints are the taints that the node's state asks for.
func wantedTaints(n *corev1.Node) []corev1.Taint {
	var out []corev1.Taint
	for i := range n.Status.Conditions {
		cond := &n.Status.Conditions[i]
		key := conditionTaint(cond)
		if key == "" {
			continue
		}
		out = append(out, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule})
		if cond.Type == corev1.NodeReady {
			out = append(out, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoExecute})
		}
	}
	if n.Spec.Unschedulable {
		out = append(out, corev1.Taint{Key: taintPrefix + "unschedulable", Effect: corev1.TaintEffectNoSchedule})
	}
	return out
}

// taint brings the node's taints in line with its conditions.
func (c *Controller) taint(n *corev1.Node) error {
	want := wantedTaints(n)
	var taints []corev1.Taint
	changed := false
	for _, t := range n.Spec.Taints {
		keep := !managed(&t)
		for i := range want {
			if want[i].MatchTaint(&t) {
				keep = true
				want = slices.Delete(want, i, i+1)
				break
			}
		}
		if keep {
			taints = append(taints, t)
		} else {
			changed = true
		}
	}
	now := metav1.NewTime(c.clock.Now())
	for _, t := range want {
		t.TimeAdded = &now
		taints = append(taints, t)
		changed = true
	}
	if !changed {
		return nil
	}
	u := controller.Copy(n)
	u.Spec.Taints = taints
	_, err := client.Update(c.client, u)
	return err
}
