// This file keeps namespaces within their resource quotas. What is used is
// counted from the objects that are stored, at the moment of the write, so it
// is right even where no controller has written the quota's status yet.

package admission

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

// ResourceQuota is described at the top of its file.
var ResourceQuota = Plugin{Name: "ResourceQuota", Validate: func(a *apiserver.Attributes) error {
	update := a.Operation == apiserver.Update && (a.Kind.Key == "services" || a.Kind.Key == "persistentvolumeclaims")
	if a.Operation != apiserver.Create && !update || a.Subresource != "" || a.Namespace == "" || a.Context.List == nil {
		return nil
	}
	var refused error
	list(a, "resourcequotas", a.Namespace, func(q *corev1.ResourceQuota) {
		if refused == nil {
			refused = charge(a, q)
		}
	})
	return refused
}}

func charge(a *attributes, q *corev1.ResourceQuota) error {
	if !inScope(q, a.Object) {
		return nil
	}
	delta := Usage(a.Kind.Key, a.Object, a.Context.Now)
	if pod, ok := a.Object.(*corev1.Pod); ok {
		if missing := unspecified(q, pod); missing != "" {
			return forbid(a, "failed quota: %s: must specify %s", q.Name, missing)
		}
	}
	if a.Old != nil && inScope(q, a.Old) {
		for name, was := range Usage(a.Kind.Key, a.Old, a.Context.Now) {
			left := delta[name].DeepCopy()
			left.Sub(was)
			delta[name] = left
		}
	}
	requested := corev1.ResourceList{}
	for name, n := range delta {
		if _, limited := q.Spec.Hard[name]; limited && n.Sign() > 0 {
			requested[name] = n
		}
	}
	if len(requested) == 0 {
		return nil
	}
	used := Used(a.Context.List, q, a.Context.Now)
	var exceeded []corev1.ResourceName
	for name, n := range requested {
		sum := used[name].DeepCopy()
		sum.Add(n)
		if sum.Cmp(q.Spec.Hard[name]) > 0 {
			exceeded = append(exceeded, name)
		}
	}
	if len(exceeded) == 0 {
		return nil
	}
	slices.Sort(exceeded)
	show := func(l corev1.ResourceList) string {
		parts := make([]string, len(exceeded))
		for i, name := range exceeded {
			n := l[name]
			parts[i] = string(name) + "=" + n.String()
		}
		return strings.Join(parts, ",")
	}
	return forbid(a, "exceeded quota: %s, requested: %s, used: %s, limited: %s", q.Name, show(requested), show(used), show(q.Spec.Hard))
}

// Used is what the objects of a quota's namespace use of what it limits.
func Used(list func(resource, namespace string, visit func(metav1.Object)), q *corev1.ResourceQuota, now time.Time) corev1.ResourceList {
	used := corev1.ResourceList{}
	kinds := map[string]bool{}
	for name, hard := range q.Spec.Hard {
		used[name] = resource.Quantity{Format: hard.Format}
		kinds[chargedKind(name)] = true
	}
	for _, key := range slices.Sorted(maps.Keys(kinds)) {
		if key == "" {
			continue
		}
		list(key, q.Namespace, func(obj metav1.Object) {
			if !inScope(q, obj) {
				return
			}
			for name, n := range Usage(key, obj, now) {
				if have, limited := used[name]; limited {
					have.Add(n)
					used[name] = have
				}
			}
		})
	}
	return used
}

// chargedKind is the resource whose objects count against a limit.
func chargedKind(name corev1.ResourceName) string {
	s := string(name)
	switch {
	case strings.HasPrefix(s, "count/"):
		return s[len("count/"):]
	case strings.HasPrefix(s, "services."):
		return "services"
	case s == "requests.storage" || strings.Contains(s, ".storageclass.storage.k8s.io/"):
		return "persistentvolumeclaims"
	case s == "services" || s == "secrets" || s == "configmaps" || s == "resourcequotas" || s == "replicationcontrollers" || s == "persistentvolumeclaims":
		return s
	}
	return "pods"
}

// Usage is what one object counts for.
func Usage(key string, obj metav1.Object, now time.Time) corev1.ResourceList {
	one := *resource.NewQuantity(1, resource.DecimalSI)
	out := corev1.ResourceList{corev1.ResourceName("count/" + key): one}
	switch o := obj.(type) {
	case *corev1.Pod:
		if o.Status.Phase == corev1.PodFailed || o.Status.Phase == corev1.PodSucceeded {
			break
		}
		if o.DeletionTimestamp != nil && o.DeletionGracePeriodSeconds != nil &&
			now.After(o.DeletionTimestamp.Add(time.Duration(*o.DeletionGracePeriodSeconds)*time.Second)) {
			break
		}
		maps.Copy(out, computeUsage(podTotal(o, requestsOf), podTotal(o, limitsOf)))
	case *corev1.Service:
		ports := int64(0)
		switch o.Spec.Type {
		case corev1.ServiceTypeNodePort:
			ports = int64(len(o.Spec.Ports))
		case corev1.ServiceTypeLoadBalancer:
			out[corev1.ResourceServicesLoadBalancers] = one
			for _, p := range o.Spec.Ports {
				if p.NodePort != 0 || o.Spec.AllocateLoadBalancerNodePorts == nil || *o.Spec.AllocateLoadBalancerNodePorts {
					ports++
				}
			}
		}
		out[corev1.ResourceServices] = one
		out[corev1.ResourceServicesNodePorts] = *resource.NewQuantity(ports, resource.DecimalSI)
	case *corev1.PersistentVolumeClaim:
		out[corev1.ResourcePersistentVolumeClaims] = one
		class := o.Annotations[corev1.BetaStorageClassAnnotation]
		if class == "" && o.Spec.StorageClassName != nil {
			class = *o.Spec.StorageClassName
		}
		storage, asked := o.Spec.Resources.Requests[corev1.ResourceStorage]
		if asked {
			out[corev1.ResourceRequestsStorage] = storage
		}
		if class != "" {
			prefix := class + ".storageclass.storage.k8s.io/"
			out[corev1.ResourceName(prefix+"persistentvolumeclaims")] = one
			if asked {
				out[corev1.ResourceName(prefix+"requests.storage")] = storage
			}
		}
	default:
		if r := api.Of(obj); r != nil && r.Group == "" {
			out[corev1.ResourceName(r.Plural)] = one
		}
	}
	return out
}

func computeUsage(requests, limits corev1.ResourceList) corev1.ResourceList {
	out := corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(1, resource.DecimalSI)}
	for name, q := range requests {
		switch {
		case name == "cpu" || name == "memory" || name == "ephemeral-storage" || strings.HasPrefix(string(name), "hugepages-"):
			out[name] = q
			out["requests."+name] = q
		case strings.Contains(string(name), "/"):
			out["requests."+name] = q
		}
	}
	for name, q := range limits {
		if name == "cpu" || name == "memory" || name == "ephemeral-storage" {
			out["limits."+name] = q
		}
	}
	return out
}

// unspecified lists the limited resources that containers do not mention:
// "cpu for: a,b; memory for: a".
func unspecified(q *corev1.ResourceQuota, pod *corev1.Pod) string {
	if r := pod.Spec.Resources; r != nil && len(r.Requests)+len(r.Limits) > 0 {
		return ""
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(q.Spec.Hard)) {
		switch name {
		case "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory":
		default:
			continue
		}
		var without []string
		for _, containers := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
			for i := range containers {
				if _, ok := computeUsage(containers[i].Resources.Requests, containers[i].Resources.Limits)[name]; !ok {
					without = append(without, containers[i].Name)
				}
			}
		}
		if len(without) > 0 {
			slices.Sort(without)
			parts = append(parts, fmt.Sprintf("%s for: %s", name, strings.Join(slices.Compact(without), ",")))
		}
	}
	return strings.Join(parts, "; ")
}

// inScope reports whether a quota counts an object.
func inScope(q *corev1.ResourceQuota, obj metav1.Object) bool {
	if len(q.Spec.Scopes) == 0 && q.Spec.ScopeSelector == nil {
		return true
	}
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return false
	}
	matches := func(scope corev1.ResourceQuotaScope, op corev1.ScopeSelectorOperator, values []string) bool {
		switch scope {
		case corev1.ResourceQuotaScopeTerminating:
			return pod.Spec.ActiveDeadlineSeconds != nil
		case corev1.ResourceQuotaScopeNotTerminating:
			return pod.Spec.ActiveDeadlineSeconds == nil
		case corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort:
			return bestEffort(pod) == (scope == corev1.ResourceQuotaScopeBestEffort)
		case corev1.ResourceQuotaScopePriorityClass:
			class := pod.Spec.PriorityClassName
			switch op {
			case corev1.ScopeSelectorOpIn:
				return slices.Contains(values, class)
			case corev1.ScopeSelectorOpNotIn:
				return !slices.Contains(values, class)
			case corev1.ScopeSelectorOpDoesNotExist:
				return class == ""
			}
			return class != ""
		}
		return false
	}
	for _, s := range q.Spec.Scopes {
		if !matches(s, corev1.ScopeSelectorOpExists, nil) {
			return false
		}
	}
	if q.Spec.ScopeSelector != nil {
		for _, e := range q.Spec.ScopeSelector.MatchExpressions {
			if !matches(e.ScopeName, e.Operator, e.Values) {
				return false
			}
		}
	}
	return true
}

func bestEffort(pod *corev1.Pod) bool {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request, limit := podTotal(pod, requestsOf)[name], podTotal(pod, limitsOf)[name]
		if request.Sign() > 0 || limit.Sign() > 0 {
			return false
		}
	}
	return true
}
