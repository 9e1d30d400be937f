// Local ephemeral storage: what pods write to their containers' layers, logs and
// emptyDir volumes is held against their limits, and a pod that has written too
// much is evicted.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#resource-emphemeralstorage-consumption

package kubelet

import (
	"fmt"
	"slices"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/resource"
)

// housekeeping is how often the kubelet measures what pods have written.
const housekeeping = 10 * time.Second

const ephemeralStorage = corev1.ResourceName("ephemeral-storage")

// wrote is called for every write; a pod without limits is not looked at.
func (p *pod) wrote() {
	if p.storage.Pending() || p.finished || p.removed || !p.limitsStorage() {
		return
	}
	p.storage = p.k.Clock.After(housekeeping, "kubelet storage "+p.key, p.checkStorage)
}

// emptyDirGrew charges what is written to a volume in memory to the container
// that writes.
func (p *pod) emptyDirGrew(v *volume, delta int64) {
	p.wrote()
	if v.spec.EmptyDir.Medium != "Memory" {
		return
	}
	cur := p.k.Kernel.Current()
	for _, c := range p.all() {
		if c.running() && cur != nil && c.cur.PID(cur) != 0 {
			c.cur.Charge(nil, delta)
			return
		}
	}
}

func (p *pod) limitsStorage() bool {
	for i := range p.obj.Spec.Containers {
		if _, ok := p.obj.Spec.Containers[i].Resources.Limits[ephemeralStorage]; ok {
			return true
		}
	}
	for i := range p.obj.Spec.Volumes {
		if e := p.obj.Spec.Volumes[i].EmptyDir; e != nil && e.SizeLimit != nil {
			return true
		}
	}
	return false
}

// checkStorage evicts the pod when it is over a limit, in the eviction
// manager's order and words.
func (p *pod) checkStorage() {
	if p.finished || p.removed || p.terminating || p.node.stopped {
		return
	}
	total := int64(0)
	for i := range p.obj.Spec.Volumes {
		v := p.volume(p.obj.Spec.Volumes[i].Name)
		if v == nil || v.fs == nil || v.spec.EmptyDir == nil {
			continue
		}
		e := v.spec.EmptyDir
		if e.SizeLimit != nil && e.SizeLimit.Value() > 0 && v.fs.Used() > e.SizeLimit.Value() {
			p.evict(fmt.Sprintf("Usage of EmptyDir volume %q exceeds the limit %q. ", v.spec.Name, e.SizeLimit.String()))
			return
		}
		if e.Medium != "Memory" {
			total += v.fs.Used()
		}
	}
	limit, limited := resource.Quantity{}, true
	over := ""
	for i := range p.obj.Spec.Containers {
		spec := &p.obj.Spec.Containers[i]
		q, ok := spec.Resources.Limits[ephemeralStorage]
		limited = limited && ok
		limit.Add(q)
		if c := p.ctr(spec.Name); c != nil && c.cur != nil {
			used := c.cur.Disk()
			total += used
			if ok && used > q.Value() && over == "" {
				over = fmt.Sprintf("Container %s exceeded its local ephemeral storage limit %q. ", spec.Name, q.String())
			}
		}
	}
	switch {
	case limited && total > limit.Value():
		p.evict(fmt.Sprintf("Pod ephemeral local storage usage exceeds the total limit of containers %s. ", limit.String()))
	case over != "":
		p.evict(over)
	}
}

// evict ends the pod at once.
func (p *pod) evict(message string) {
	p.k.event(p, nil, 0, "Warning", "Evicted", message)
	p.failReason, p.failMessage = "Evicted", message
	p.terminating = true
	p.wake(0)
}

// disruption is the condition of a pod that the kubelet has evicted.
func (p *pod) disruption(list []corev1.PodCondition) []corev1.PodCondition {
	if p.failReason != "Evicted" {
		return list
	}
	for i := range list {
		if list[i].Type == "DisruptionTarget" {
			return list
		}
	}
	return append(slices.Clip(list), corev1.PodCondition{Type: "DisruptionTarget", Status: "True", Reason: "TerminationByKubelet", Message: p.failMessage,
		ObservedGeneration: p.obj.Generation, LastTransitionTime: metav1.NewTime(p.k.Clock.Now())})
}
