// This file gives a pod what its runtime class asks for: overhead, and where it
// may run. A pod with a class that does not exist is refused.

package admission

import (
	"maps"
	"slices"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	nodev1 "github.com/kubonsai/kubonsai/sim/api/node/v1"
	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

// RuntimeClass is described at the top of its file.
var RuntimeClass = Plugin{
	Name: "RuntimeClass",
	Admit: func(a *apiserver.Attributes) error {
		if !is(a, apiserver.Create, "pods") {
			return nil
		}
		pod := a.Object.(*corev1.Pod)
		var overhead corev1.ResourceList
		if name := pod.Spec.RuntimeClassName; name != nil {
			class, ok := get[*nodev1.RuntimeClass](a, "runtimeclasses.node.k8s.io", "", *name)
			if !ok {
				return forbid(a, "pod rejected: RuntimeClass %q not found", *name)
			}
			if class.Overhead != nil {
				overhead = class.Overhead.PodFixed
			}
			if s := class.Scheduling; s != nil {
				for _, k := range slices.Sorted(maps.Keys(s.NodeSelector)) {
					if v, ok := pod.Spec.NodeSelector[k]; ok && v != s.NodeSelector[k] {
						return forbid(a, "conflict: runtimeClass.scheduling.nodeSelector[%s] = %s; pod.spec.nodeSelector[%s] = %s", k, s.NodeSelector[k], k, v)
					}
				}
				selector := maps.Clone(pod.Spec.NodeSelector)
				if selector == nil {
					selector = map[string]string{}
				}
				maps.Copy(selector, s.NodeSelector)
				pod.Spec.NodeSelector = selector
				pod.Spec.Tolerations = append(pod.Spec.Tolerations[:len(pod.Spec.Tolerations):len(pod.Spec.Tolerations)], s.Tolerations...)
			}
		}
		same := maps.EqualFunc(overhead, pod.Spec.Overhead, func(x, y resource.Quantity) bool { return x.Cmp(y) == 0 })
		switch {
		case overhead == nil && len(pod.Spec.Overhead) > 0:
			return forbid(a, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
		case len(pod.Spec.Overhead) > 0 && !same:
			return forbid(a, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
		case overhead != nil:
			pod.Spec.Overhead = overhead
		}
		return nil
	},
}
