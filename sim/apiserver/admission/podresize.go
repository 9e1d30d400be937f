// This file refuses resizes of pods beyond what their node could ever give.

package admission

import (
	"fmt"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

// PodResize is described at the top of its file.
var PodResize = Plugin{Name: "PodResize", Validate: func(a *apiserver.Attributes) error {
	if a.Operation != apiserver.Update || a.Kind.Key != "pods" || a.Subresource != "resize" {
		return nil
	}
	pod, old := a.Object.(*corev1.Pod), a.Old.(*corev1.Pod)
	if pod.Spec.NodeName == "" || pod.Generation == old.Generation {
		return nil
	}
	node, ok := get[*corev1.Node](a, "nodes", "", pod.Spec.NodeName)
	if !ok {
		return forbid(a, "node %q not found", pod.Spec.NodeName)
	}
	requests, allocatable := podTotal(pod, requestsOf), node.Status.Allocatable
	var lacks []string
	if r, most := requests.Cpu().MilliValue(), allocatable.Cpu().MilliValue(); r > most {
		lacks = append(lacks, fmt.Sprintf("cpu, requested: %d, allocatable: %d", r, most))
	}
	if r, most := requests.Memory().Value(), allocatable.Memory().Value(); r > most {
		lacks = append(lacks, fmt.Sprintf("memory, requested: %d, allocatable: %d", r, most))
	}
	if len(lacks) > 0 {
		return forbid(a, "node didn't have enough allocatable resources: %s", strings.Join(lacks, "; "))
	}
	return nil
}}
