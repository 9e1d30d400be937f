// This file turns the name of a pod's priority class into a number.

package admission

import (
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	schedulingv1 "github.com/kubonsai/kubonsai/sim/api/scheduling/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

var (
	zeroPriority  = new(int32(0))
	preemptLower  = new(corev1.PreemptLowerPriority)
	systemClasses = map[string]int32{"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}
)

// Priority is described at the top of its file.
var Priority = Plugin{
	Name: "Priority",
	Admit: func(a *apiserver.Attributes) error {
		if is(a, apiserver.Create, "pods") {
			return setPriority(a, a.Object.(*corev1.Pod))
		}
		if is(a, apiserver.Update, "pods") {
			pod, old := a.Object.(*corev1.Pod), a.Old.(*corev1.Pod)
			if pod.Spec.Priority == nil {
				pod.Spec.Priority = old.Spec.Priority
			}
			if pod.Spec.PreemptionPolicy == nil {
				pod.Spec.PreemptionPolicy = old.Spec.PreemptionPolicy
			}
		}
		return nil
	},
	Validate: func(a *apiserver.Attributes) error {
		if a.Kind.Key != "priorityclasses.scheduling.k8s.io" || a.Operation == apiserver.Delete || a.Subresource != "" {
			return nil
		}
		class := a.Object.(*schedulingv1.PriorityClass)
		if !class.GlobalDefault {
			return nil
		}
		if other := defaultClass(a); other != nil && other.Name != class.Name {
			return forbid(a, "PriorityClass %v is already marked as default. Only one default can exist", other.Name)
		}
		return nil
	},
}

func defaultClass(a *attributes) *schedulingv1.PriorityClass {
	var found *schedulingv1.PriorityClass
	list(a, "priorityclasses.scheduling.k8s.io", "", func(c *schedulingv1.PriorityClass) {
		if c.GlobalDefault && (found == nil || c.Value < found.Value) {
			found = c
		}
	})
	return found
}

func setPriority(a *attributes, pod *corev1.Pod) error {
	priority, policy := zeroPriority, preemptLower
	name := pod.Spec.PriorityClassName
	class, found := (*schedulingv1.PriorityClass)(nil), false
	if name == "" {
		if class = defaultClass(a); class != nil {
			found = true
			pod.Spec.PriorityClassName = class.Name
		}
	} else if class, found = get[*schedulingv1.PriorityClass](a, "priorityclasses.scheduling.k8s.io", "", name); !found {
		value, system := systemClasses[name]
		if !system {
			return forbid(a, "no PriorityClass with name %v was found", name)
		}
		priority = &value
	}
	if found {
		priority = &class.Value
		if class.PreemptionPolicy != nil {
			policy = class.PreemptionPolicy
		}
	}
	if p := pod.Spec.Priority; p != nil && *p != *priority {
		return forbid(a, "the integer value of priority (%d) must not be provided in pod spec; priority admission controller computed %d from the given PriorityClass name", *p, *priority)
	}
	if p := pod.Spec.PreemptionPolicy; p != nil && *p != *policy {
		return forbid(a, "the string value of PreemptionPolicy (%s) must not be provided in pod spec; priority admission controller computed %s from the given PriorityClass name", *p, *policy)
	}
	pod.Spec.Priority, pod.Spec.PreemptionPolicy = priority, policy
	return nil
}
