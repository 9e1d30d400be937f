// This file sums what a pod's containers ask for.

package v1

import "maps"

// PodTotal is what a pod as a whole asks for, or may have: of picks requests or
// limits. Containers that run at the same time are summed, init containers
// count where one alone takes more, the pod's own figures win over both.
// https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
func PodTotal(spec *PodSpec, of func(*ResourceRequirements) ResourceList) ResourceList {
	total, sidecars, peak := ResourceList{}, ResourceList{}, ResourceList{}
	for i := range spec.Containers {
		add(total, of(&spec.Containers[i].Resources))
	}
	raise := func(to, list ResourceList) {
		for name, q := range list {
			if have, ok := to[name]; !ok || q.Cmp(have) > 0 {
				to[name] = q.DeepCopy()
			}
		}
	}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == ContainerRestartPolicyAlways {
			add(total, of(&c.Resources))
			add(sidecars, of(&c.Resources))
			raise(peak, sidecars)
			continue
		}
		step := ResourceList{}
		add(step, of(&c.Resources))
		add(step, sidecars)
		raise(peak, step)
	}
	raise(total, peak)
	if spec.Resources != nil {
		maps.Copy(total, of(spec.Resources))
	}
	add(total, spec.Overhead)
	return total
}

// add sums b into a.
func add(a, b ResourceList) {
	for name, q := range b {
		sum := a[name].DeepCopy()
		if _, ok := a[name]; !ok {
			sum.Format = q.Format
		}
		sum.Add(q)
		a[name] = sum
	}
}
