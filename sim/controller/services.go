// What the controllers of Endpoints and EndpointSlices share: which pods stand
// behind a service, and at which ports.

package controller

import (
	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/kubonsai/kubonsai/sim/api/labels"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
)

// ServicesOf calls fn with the key of every service that selects the pod, or
// did before it changed.
func ServicesOf(services *client.Informer[*corev1.Service], old, pod *corev1.Pod, fn func(key string)) {
	namespace := ""
	if old != nil {
		namespace = old.Namespace
	} else {
		namespace = pod.Namespace
	}
	services.Scan(namespace, func(s *corev1.Service) bool {
		if len(s.Spec.Selector) == 0 {
			return true
		}
		sel := labels.SelectorFromSet(s.Spec.Selector)
		if old != nil && sel.Matches(labels.Set(old.Labels)) || pod != nil && sel.Matches(labels.Set(pod.Labels)) {
			fn(client.Key(s))
		}
		return true
	})
}

// EndpointChanged reports whether the pod's part in a service may have changed.
func EndpointChanged(old, pod *corev1.Pod) bool {
	if old == nil || pod == nil {
		return true
	}
	return old.Status.PodIP != pod.Status.PodIP || IsReady(old) != IsReady(pod) || old.Spec.NodeName != pod.Spec.NodeName ||
		(old.DeletionTimestamp == nil) != (pod.DeletionTimestamp == nil) || IsTerminal(old) != IsTerminal(pod) ||
		!sameLabels(old.Labels, pod.Labels) || old.Generation != pod.Generation
}

func sameLabels(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// TargetPort resolves a service's target port on a pod; false when the pod has
// no port of that name.
func TargetPort(p *corev1.Pod, sp *corev1.ServicePort) (int32, bool) {
	if sp.TargetPort.Type == intstr.Int {
		if sp.TargetPort.IntVal == 0 {
			return sp.Port, true
		}
		return sp.TargetPort.IntVal, true
	}
	find := func(containers []corev1.Container, sidecars bool) (int32, bool) {
		for i := range containers {
			c := &containers[i]
			if sidecars && (c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways) {
				continue
			}
			for _, port := range c.Ports {
				protocol := port.Protocol
				if protocol == "" {
					protocol = corev1.ProtocolTCP
				}
				if port.Name == sp.TargetPort.StrVal && protocol == sp.Protocol {
					return port.ContainerPort, true
				}
			}
		}
		return 0, false
	}
	if n, ok := find(p.Spec.Containers, false); ok {
		return n, true
	}
	return find(p.Spec.InitContainers, true)
}

// HostnameFor is the name that DNS gives the pod within the service, or "".
func HostnameFor(p *corev1.Pod, s *corev1.Service) string {
	if p.Spec.Hostname != "" && p.Spec.Subdomain == s.Name && p.Namespace == s.Namespace {
		return p.Spec.Hostname
	}
	return ""
}
