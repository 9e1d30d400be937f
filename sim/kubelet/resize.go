// This file changes what running containers may take when their pod's resources
// are changed: at once, or with a restart where the container's policy says so.
// https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/

package kubelet

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/kubonsai/kubonsai/sim/api/resource"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// resizing is how far the change of a pod's resources has come.
type resizing struct {
	progress, pending corev1.PodCondition // those without a type are not there
	summary           string              // of the change under way
}

func sameQuantities(a, b corev1.ResourceList) bool {
	return maps.EqualFunc(a, b, func(x, y resource.Quantity) bool { return x.Cmp(y) == 0 })
}

func sameResources(a, b *corev1.ResourceRequirements) bool {
	return sameQuantities(a.Requests, b.Requests) && sameQuantities(a.Limits, b.Limits)
}

// resize begins or ends the change of what the pod's containers have been given
// to what they ask for.
func (k *Kubelet) resize(p *pod) {
	var todo []*ctr
	for _, c := range p.all() {
		if c.granted == nil {
			c.granted = &c.spec.Resources
		}
		if (c.kind == appCtr || c.kind == sidecarCtr) && !sameResources(c.granted, &c.spec.Resources) {
			todo = append(todo, c)
		}
	}
	z := &p.resizing
	if len(todo) == 0 {
		z.pending = corev1.PodCondition{}
	}
	if len(todo) == 0 || z.progress.Type != "" {
		return
	}
	now := metav1.NewTime(k.Clock.Now())
	condition := func(t corev1.PodConditionType) corev1.PodCondition {
		return corev1.PodCondition{Type: t, ObservedGeneration: p.obj.Generation, Status: "True", LastProbeTime: now, LastTransitionTime: now}
	}
	cpu, mem := podRequests(p.obj)
	if what, message := k.lacks(p, cpu, mem); what != "" {
		if !slices.Contains(p.node.deferred, p) {
			p.node.deferred = append(p.node.deferred, p)
		}
		if z.pending.Type == "" || z.pending.Message != message {
			z.pending = condition(corev1.PodResizePending)
			z.pending.Reason, z.pending.Message = corev1.PodReasonDeferred, message
			k.event(p, nil, 0, "Warning", "ResizeDeferred", "Pod resize Deferred: "+summary(p.obj, message))
		}
		return
	}
	z.pending, z.progress, z.summary = corev1.PodCondition{}, condition(corev1.PodResizeInProgress), summary(p.obj, "")
	if p.took {
		p.node.usedCPU, p.node.usedMemory = p.node.usedCPU+cpu-p.tookCPU, p.node.usedMemory+mem-p.tookMemory
		p.tookCPU, p.tookMemory = cpu, mem
	}
	k.event(p, nil, 0, "Normal", "ResizeStarted", "Pod resize started: "+z.summary)
	for _, c := range todo {
		wanted := c.spec.Resources
		if c.running() && !c.stopping {
			if c.restartsFor(&wanted) {
				c.restart = true
				k.stopContainer(p, c, gracePeriod(p.obj), fmt.Sprintf("Container %s resize requires restart", c.spec.Name))
			} else {
				c.cur.MemoryLimit, c.cur.CPULimit = wanted.Limits.Memory().Value(), wanted.Limits.Cpu().MilliValue()
			}
		}
		c.wanted = &wanted
	}
	k.Clock.After(k.relist(p.node), "kubelet resize "+p.key, func() { k.resized(p) })
}

// resized ends a change when no container has to end for it any more.
func (k *Kubelet) resized(p *pod) {
	if p.removed || p.finished {
		return
	}
	all := p.all()
	if slices.ContainsFunc(all, func(c *ctr) bool { return c.wanted != nil && (c.restart || c.replace) }) {
		k.Clock.After(k.relist(p.node), "kubelet resize "+p.key, func() { k.resized(p) })
		return
	}
	for _, c := range all {
		if c.wanted != nil {
			c.granted, c.wanted = c.wanted, nil
		}
	}
	p.resizing.progress = corev1.PodCondition{}
	k.event(p, nil, 0, "Normal", "ResizeCompleted", "Pod resize completed: "+p.resizing.summary)
	p.wake(0)
}

// restartsFor reports whether the container must be restarted for the change.
func (c *ctr) restartsFor(wanted *corev1.ResourceRequirements) bool {
	for _, r := range c.spec.ResizePolicy {
		differ := func(a, b corev1.ResourceList) bool {
			x, had := a[r.ResourceName]
			y, has := b[r.ResourceName]
			return had != has || x.Cmp(y) != 0
		}
		if r.RestartPolicy == corev1.RestartContainer && (differ(c.granted.Requests, wanted.Requests) || differ(c.granted.Limits, wanted.Limits)) {
			return true
		}
	}
	return false
}

// summary is what events say of a pod's resources.
func summary(o *corev1.Pod, problem string) string {
	type allocation struct {
		Name      string                      `json:"name"`
		Resources corev1.ResourceRequirements `json:"resources"`
	}
	s := struct {
		InitContainers []allocation `json:"initContainers,omitempty"`
		Containers     []allocation `json:"containers,omitempty"`
		Generation     int64        `json:"generation"`
		Error          string       `json:"error,omitempty"`
	}{Generation: o.Generation, Error: problem}
	for i := range o.Spec.InitContainers {
		s.InitContainers = append(s.InitContainers, allocation{o.Spec.InitContainers[i].Name, o.Spec.InitContainers[i].Resources})
	}
	for i := range o.Spec.Containers {
		s.Containers = append(s.Containers, allocation{o.Spec.Containers[i].Name, o.Spec.Containers[i].Resources})
	}
	text, _ := json.Marshal(s)
	return string(text)
}

// with puts the conditions of a change before the others.
func (z *resizing) with(list []corev1.PodCondition) []corev1.PodCondition {
	var out []corev1.PodCondition
	for _, c := range []corev1.PodCondition{z.pending, z.progress} {
		if c.Type != "" {
			out = append(out, c)
		}
	}
	if out == nil {
		return list
	}
	return append(out, list...)
}
