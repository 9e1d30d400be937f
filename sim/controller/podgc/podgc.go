// Package podgc deletes pods that nobody else will: those of nodes that no
// longer exist, those deleted before they had a node, those on nodes declared
// out of service, and ended ones beyond a number.
package podgc

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
	// Upstream looks around every 20 s and gives a missing node 40 s to come
	// back. Here a timer is set only when there is something to collect, on
	// the next multiple of the period.
	period     = 20 * time.Second
	quarantine = 40 * time.Second
	// Threshold is how many ended pods are kept.
	Threshold = 12500
)

var outOfService = corev1.Taint{Key: "node.kubernetes.io/out-of-service"}

// Controller collects pods.
type Controller struct {
	client  *client.Client
	clock   *clock.Clock
	pods    *client.Informer[*corev1.Pod]
	nodes   *client.Informer[*corev1.Node]
	timer   *clock.Timer
	missing map[string]time.Time // nodes that do not exist, since when that is known
	ended   int
}

// New returns the controller.
func New(c *client.Client, f *client.Factory) *Controller {
	gc := &Controller{client: c, clock: f.Clock(), missing: map[string]time.Time{},
		pods: client.InformerFor[*corev1.Pod](f), nodes: client.InformerFor[*corev1.Node](f)}
	gc.nodes.OnChange(func(old, n *corev1.Node) {
		if n == nil || out(n) {
			gc.arm()
		}
	})
	gc.pods.OnChange(func(old, p *corev1.Pod) {
		if old != nil && controller.IsTerminal(old) {
			gc.ended--
		}
		if p == nil {
			return
		}
		if controller.IsTerminal(p) {
			gc.ended++
		}
		if gc.interesting(p) {
			gc.arm()
		}
	})
	return gc
}

func out(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == outOfService.Key })
}

func (c *Controller) interesting(p *corev1.Pod) bool {
	if c.ended > Threshold {
		return true
	}
	if p.Spec.NodeName == "" {
		return p.DeletionTimestamp != nil
	}
	n, ok := c.nodes.Get("", p.Spec.NodeName)
	return !ok || p.DeletionTimestamp != nil && out(n)
}

func (c *Controller) arm() {
	if !c.timer.Pending() {
		now := c.clock.Now()
		c.timer = c.clock.At(now.Truncate(period).Add(period), "pod-garbage-collector", c.collect)
	}
}

func (c *Controller) collect() {
	now := c.clock.Now()
	again := false
	seen := map[string]bool{}
	var orphans, unscheduled, ended []*corev1.Pod
	c.pods.Scan("", func(p *corev1.Pod) bool {
		n, ok := c.nodes.Get("", p.Spec.NodeName)
		switch {
		case p.Spec.NodeName == "":
			if p.DeletionTimestamp != nil {
				unscheduled = append(unscheduled, p)
			}
		case !ok:
			seen[p.Spec.NodeName] = true
			since, known := c.missing[p.Spec.NodeName]
			if !known {
				c.missing[p.Spec.NodeName] = now
				again = true
			} else if now.Sub(since) >= quarantine {
				orphans = append(orphans, p)
			} else {
				again = true
			}
		case p.DeletionTimestamp != nil && out(n):
			orphans = append(orphans, p)
		}
		if controller.IsTerminal(p) {
			ended = append(ended, p)
		}
		return true
	})
	for name := range c.missing {
		if !seen[name] {
			delete(c.missing, name)
		}
	}
	for _, p := range orphans {
		if !controller.IsTerminal(p) {
			c.markFailed(p, now)
		}
		c.remove(p)
	}
	for _, p := range unscheduled {
		c.remove(p)
	}
	if n := len(ended) - Threshold; n > 0 {
		slices.SortStableFunc(ended, func(a, b *corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
		for _, p := range ended[:n] {
			c.remove(p)
		}
	}
	if again {
		c.arm()
	}
}

// markFailed gives a pod whose node is gone its last status.
func (c *Controller) markFailed(p *corev1.Pod, now time.Time) {
	u := controller.Copy(p)
	u.Status.Phase = corev1.PodFailed
	u.Status.Conditions = append(slices.DeleteFunc(slices.Clone(p.Status.Conditions), func(c corev1.PodCondition) bool {
		return c.Type == corev1.DisruptionTarget
	}), corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, ObservedGeneration: p.Generation,
		LastTransitionTime: metav1.NewTime(now), Reason: "DeletionByPodGC", Message: "PodGC: node no longer exists"})
	_, _ = client.UpdateStatus(c.client, u) // the pod goes anyway
}

func (c *Controller) remove(p *corev1.Pod) {
	err := client.Delete[*corev1.Pod](c.client, p.Namespace, p.Name, client.DeleteOptions{GracePeriodSeconds: new(int64(0)), UID: string(p.UID)})
	if err != nil && !apierrors.IsNotFound(err) {
		c.arm()
	}
}
