// This file applies the limit ranges of a namespace: it gives containers the
// requests and limits they leave out, and refuses what lies outside the limits.

package admission

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

const limitRangerAnnotation = "kubernetes.io/limit-ranger"

// LimitRanger is described at the top of its file.
var LimitRanger = Plugin{
	Name: "LimitRanger",
	Admit: func(a *apiserver.Attributes) error {
		if is(a, apiserver.Create, "pods") {
			pod := a.Object.(*corev1.Pod)
			list(a, "limitranges", a.Namespace, func(r *corev1.LimitRange) { fillIn(r, pod) })
		}
		return nil
	},
	Validate: func(a *apiserver.Attributes) error {
		pods := is(a, apiserver.Create, "pods")
		claims := is(a, apiserver.Create, "persistentvolumeclaims") || is(a, apiserver.Update, "persistentvolumeclaims")
		if !pods && !claims {
			return nil
		}
		var refused error
		list(a, "limitranges", a.Namespace, func(r *corev1.LimitRange) {
			var found []string
			if pods {
				found = podOutside(r, a.Object.(*corev1.Pod))
			} else {
				found = claimOutside(r, a.Object.(*corev1.PersistentVolumeClaim))
			}
			if refused == nil && len(found) > 0 {
				refused = forbid(a, "%s", together(found))
			}
		})
		return refused
	},
}

// together prints several reasons as one, as apimachinery's aggregates do.
func together(messages []string) string {
	var unique []string
	for _, m := range messages {
		if !slices.Contains(unique, m) {
			unique = append(unique, m)
		}
	}
	if len(unique) == 1 {
		return unique[0]
	}
	return "[" + strings.Join(unique, ", ") + "]"
}

// fillIn gives the pod's containers the range's defaults and notes that it did.
func fillIn(r *corev1.LimitRange, pod *corev1.Pod) {
	requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
	for _, l := range r.Spec.Limits {
		if l.Type == corev1.LimitTypeContainer {
			maps.Copy(requests, l.DefaultRequest)
			maps.Copy(limits, l.Default)
		}
	}
	var notes []string
	fill := func(containers []corev1.Container, kind string) []corev1.Container {
		copied := false
		for i := range containers {
			c := &containers[i]
			newRequests, filledRequests := added(c.Resources.Requests, requests)
			newLimits, filledLimits := added(c.Resources.Limits, limits)
			if len(filledRequests)+len(filledLimits) == 0 {
				continue
			}
			if !copied { // they may be the template's
				containers, copied = slices.Clone(containers), true
			}
			containers[i].Resources.Requests, containers[i].Resources.Limits = newRequests, newLimits
			if len(filledRequests) > 0 {
				notes = append(notes, strings.Join(filledRequests, ", ")+" request for "+kind+" "+containers[i].Name)
			}
			if len(filledLimits) > 0 {
				notes = append(notes, strings.Join(filledLimits, ", ")+" limit for "+kind+" "+containers[i].Name)
			}
		}
		return containers
	}
	pod.Spec.Containers = fill(pod.Spec.Containers, "container")
	pod.Spec.InitContainers = fill(pod.Spec.InitContainers, "init container")
	if len(notes) > 0 {
		annotations := make(map[string]string, len(pod.Annotations)+1)
		maps.Copy(annotations, pod.Annotations)
		annotations[limitRangerAnnotation] = "LimitRanger plugin set: " + strings.Join(notes, "; ")
		pod.Annotations = annotations
	}
}

// added is have with what it lacks of defaults, and the names of that.
func added(have, defaults corev1.ResourceList) (corev1.ResourceList, []string) {
	var names []string
	for name := range defaults {
		if _, ok := have[name]; !ok {
			names = append(names, string(name))
		}
	}
	if len(names) == 0 {
		return have, nil
	}
	slices.Sort(names)
	out := maps.Clone(have)
	if out == nil {
		out = corev1.ResourceList{}
	}
	for _, name := range names {
		out[corev1.ResourceName(name)] = defaults[corev1.ResourceName(name)]
	}
	return out, names
}

func podOutside(r *corev1.LimitRange, pod *corev1.Pod) []string {
	var out []string
	for i := range r.Spec.Limits {
		l := &r.Spec.Limits[i]
		switch l.Type {
		case corev1.LimitTypeContainer:
			for _, containers := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
				for j := range containers {
					out = append(out, outside(l, containers[j].Resources.Requests, containers[j].Resources.Limits)...)
				}
			}
		case corev1.LimitTypePod:
			out = append(out, outside(l, podTotal(pod, requestsOf), podTotal(pod, limitsOf))...)
		}
	}
	return out
}

func claimOutside(r *corev1.LimitRange, claim *corev1.PersistentVolumeClaim) []string {
	var out []string
	for i := range r.Spec.Limits {
		l := &r.Spec.Limits[i]
		if l.Type != corev1.LimitTypePersistentVolumeClaim {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(l.Min)) {
			out = note(out, atLeast(l.Type, name, l.Min[name], claim.Spec.Resources.Requests, nil))
		}
		for _, name := range slices.Sorted(maps.Keys(l.Max)) {
			most, usage := l.Max[name], "maximum %s usage per %s is %s"
			if request, ok := claim.Spec.Resources.Requests[name]; !ok {
				out = append(out, fmt.Sprintf(usage+".  No request is specified", name, l.Type, most.String()))
			} else if request.Cmp(most) > 0 {
				out = append(out, fmt.Sprintf(usage+", but request is %s", name, l.Type, most.String(), request.String()))
			}
		}
	}
	return out
}

func note(list []string, err error) []string {
	if err != nil {
		list = append(list, err.Error())
	}
	return list
}

func outside(l *corev1.LimitRangeItem, requests, limits corev1.ResourceList) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(l.Min)) {
		out = note(out, atLeast(l.Type, name, l.Min[name], requests, limits))
	}
	for _, name := range slices.Sorted(maps.Keys(l.Max)) {
		out = note(out, atMost(l.Type, name, l.Max[name], requests, limits))
	}
	for _, name := range slices.Sorted(maps.Keys(l.MaxLimitRequestRatio)) {
		out = note(out, ratioAtMost(l.Type, name, l.MaxLimitRequestRatio[name], requests, limits))
	}
	return out
}

func atLeast(t corev1.LimitType, name corev1.ResourceName, least resource.Quantity, requests, limits corev1.ResourceList) error {
	request, ok := requests[name]
	limit, limited := limits[name]
	usage := fmt.Sprintf("minimum %s usage per %s is %s", name, t, least.String())
	switch {
	case !ok:
		return errors.New(usage + ".  No request is specified")
	case request.Cmp(least) < 0:
		return errors.New(usage + ", but request is " + request.String())
	case limited && limit.Cmp(least) < 0:
		return errors.New(usage + ", but limit is " + limit.String())
	}
	return nil
}

func atMost(t corev1.LimitType, name corev1.ResourceName, most resource.Quantity, requests, limits corev1.ResourceList) error {
	request, ok := requests[name]
	limit, limited := limits[name]
	usage := fmt.Sprintf("maximum %s usage per %s is %s", name, t, most.String())
	switch {
	case !limited:
		return errors.New(usage + ".  No limit is specified")
	case limit.Cmp(most) > 0:
		return errors.New(usage + ", but limit is " + limit.String())
	case ok && request.Cmp(most) > 0:
		return errors.New(usage + ", but request is " + request.String())
	}
	return nil
}

func ratioAtMost(t corev1.LimitType, name corev1.ResourceName, most resource.Quantity, requests, limits corev1.ResourceList) error {
	request, limit := requests[name], limits[name]
	ratio := fmt.Sprintf("%s max limit to request ratio per %s is %s", name, t, most.String())
	switch {
	case request.IsZero():
		return errors.New(ratio + ", but no request is specified or request is 0")
	case limit.IsZero():
		return errors.New(ratio + ", but no limit is specified or limit is 0")
	}
	if have := limit.AsApproximateFloat64() / request.AsApproximateFloat64(); have > most.AsApproximateFloat64() {
		return fmt.Errorf("%s, but provided ratio is %f", ratio, have)
	}
	return nil
}

func requestsOf(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Requests }
func limitsOf(r *corev1.ResourceRequirements) corev1.ResourceList   { return r.Limits }

// podTotal is what the pod as a whole asks for, or may have.
func podTotal(pod *corev1.Pod, of func(*corev1.ResourceRequirements) corev1.ResourceList) corev1.ResourceList {
	return corev1.PodTotal(&pod.Spec, of)
}
