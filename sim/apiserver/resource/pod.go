// This file is the strategy of pods: what a create and an update may set, the
// rules of updates, the status column that everybody reads, and how long a
// deletion waits for the kubelet. Defaults and validation of the spec are in
// podspec_*.go, shared with the templates of the workloads.

package resource

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func init() {
	Register("pods", &Strategy{
		Default:                func(obj metav1.Object) { defaultPod(obj.(*corev1.Pod)) },
		PrepareForCreate:       preparePod,
		PrepareForUpdate:       preparePodUpdate,
		PrepareForStatusUpdate: preparePodStatus,
		Validate:               func(_ *Context, obj metav1.Object) field.ErrorList { return validatePod(obj.(*corev1.Pod)) },
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			return validatePodUpdate(obj.(*corev1.Pod), old.(*corev1.Pod))
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			return validatePodStatusUpdate(obj.(*corev1.Pod), old.(*corev1.Pod))
		},
		Warnings: podWarnings,
		Fields:   func(obj metav1.Object) fields.Set { return podFields(obj.(*corev1.Pod)) },
		FieldNames: []string{"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
			"status.phase", "status.podIP", "status.nominatedNodeName"},
		Columns: []column{
			nameColumn(),
			text("Ready", "How many of the pod's containers are ready, out of how many."),
			text("Status", "What the pod as a whole is doing."),
			text("Restarts", "How often its containers were restarted, and when last."),
			ageColumn(),
			wide(text("IP", "The pod's address.")),
			wide(text("Node", "The node that the pod runs on.")),
			wide(text("Nominated Node", "The node on which room is being made for the pod.")),
			wide(text("Readiness Gates", "How many of the extra conditions of readiness hold.")),
		},
		Row:   func(obj metav1.Object, now time.Time) []any { return podRow(obj.(*corev1.Pod), now) },
		Grace: func(obj metav1.Object, seconds *int64) (int64, bool) { return podGrace(obj.(*corev1.Pod), seconds) },
	})
	podTemplate := func(obj metav1.Object) *corev1.PodTemplateSpec { return &obj.(*corev1.PodTemplate).Template }
	Register("podtemplates", &Strategy{
		Default:          func(obj metav1.Object) { defaultPodSpec(&podTemplate(obj).Spec) },
		PrepareForCreate: func(_ *Context, obj metav1.Object) { obj.GetObjectMeta().Generation = 1 },
		PrepareForUpdate: func(_ *Context, obj, old metav1.Object) {
			nextGeneration(obj, old, semanticEqual(podTemplate(obj), podTemplate(old)))
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			return append(validateMeta(obj, true, dnsSubdomain), validateTemplate(podTemplate(obj), field.NewPath("template"))...)
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			return append(validateMetaUpdate(obj, old), validateTemplate(podTemplate(obj), field.NewPath("template"))...)
		},
		Columns: []column{nameColumn(), text("Containers", "The names of the template's containers."),
			text("Images", "The images of the template's containers."), text("Pod Labels", "The labels that its pods get.")},
		Row: func(obj metav1.Object, _ time.Time) []any {
			t := podTemplate(obj)
			return []any{obj.GetObjectMeta().Name, containerNames(t.Spec.Containers), containerImages(t.Spec.Containers), formatLabels(t.Labels)}
		},
	})
}

func preparePod(c *Context, obj metav1.Object) {
	pod := obj.(*corev1.Pod)
	pod.Generation = 1
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending, QOSClass: qosClass(&pod.Spec)}
	if len(pod.Spec.SchedulingGates) > 0 {
		pod.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonSchedulingGated,
			Message:            "Scheduling is blocked due to non-empty scheduling gates",
			LastTransitionTime: metav1.NewTime(c.Now),
		}}
	}
	applyMatchLabelKeys(pod)
}

// applyMatchLabelKeys writes the pod's own values of matchLabelKeys into the selectors.
func applyMatchLabelKeys(pod *corev1.Pod) {
	add := func(s *metav1.LabelSelector, keys []string, op metav1.LabelSelectorOperator) *metav1.LabelSelector {
		if s == nil {
			return nil
		}
		expressions := s.MatchExpressions
		for _, k := range keys {
			if value, ok := pod.Labels[k]; ok {
				expressions = append(expressions[:len(expressions):len(expressions)],
					metav1.LabelSelectorRequirement{Key: k, Operator: op, Values: []string{value}})
			}
		}
		return &metav1.LabelSelector{MatchLabels: s.MatchLabels, MatchExpressions: expressions}
	}
	term := func(t *corev1.PodAffinityTerm) *corev1.PodAffinityTerm {
		if len(t.MatchLabelKeys)+len(t.MismatchLabelKeys) == 0 || t.LabelSelector == nil {
			return t
		}
		u := *t
		u.LabelSelector = add(u.LabelSelector, u.MatchLabelKeys, metav1.LabelSelectorOpIn)
		u.LabelSelector = add(u.LabelSelector, u.MismatchLabelKeys, metav1.LabelSelectorOpNotIn)
		return &u
	}
	weighted := func(w *corev1.WeightedPodAffinityTerm) *corev1.WeightedPodAffinityTerm {
		if t := term(&w.PodAffinityTerm); t != &w.PodAffinityTerm {
			return &corev1.WeightedPodAffinityTerm{Weight: w.Weight, PodAffinityTerm: *t}
		}
		return w
	}
	if a := pod.Spec.Affinity; a != nil && (a.PodAffinity != nil || a.PodAntiAffinity != nil) {
		b := *a
		if p := a.PodAffinity; p != nil {
			b.PodAffinity = &corev1.PodAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution:  mapped(p.RequiredDuringSchedulingIgnoredDuringExecution, term),
				PreferredDuringSchedulingIgnoredDuringExecution: mapped(p.PreferredDuringSchedulingIgnoredDuringExecution, weighted),
			}
		}
		if p := a.PodAntiAffinity; p != nil {
			b.PodAntiAffinity = &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution:  mapped(p.RequiredDuringSchedulingIgnoredDuringExecution, term),
				PreferredDuringSchedulingIgnoredDuringExecution: mapped(p.PreferredDuringSchedulingIgnoredDuringExecution, weighted),
			}
		}
		pod.Spec.Affinity = &b
	}
	pod.Spec.TopologySpreadConstraints = mapped(pod.Spec.TopologySpreadConstraints, func(c *corev1.TopologySpreadConstraint) *corev1.TopologySpreadConstraint {
		if len(c.MatchLabelKeys) == 0 || c.LabelSelector == nil {
			return c
		}
		d := *c
		d.LabelSelector = add(c.LabelSelector, c.MatchLabelKeys, metav1.LabelSelectorOpIn)
		return &d
	})
}

// nextGeneration keeps the stored generation, one more when the spec has changed.
func nextGeneration(obj, old metav1.Object, same bool) {
	g := old.GetObjectMeta().Generation
	if !same {
		g++
	}
	obj.GetObjectMeta().Generation = g
}

func preparePodUpdate(_ *Context, obj, oldObj metav1.Object) {
	pod, old := obj.(*corev1.Pod), oldObj.(*corev1.Pod)
	pod.Status = old.Status
	nextGeneration(pod, old, semanticEqual(&pod.Spec, &old.Spec))
}

func preparePodStatus(_ *Context, obj, oldObj metav1.Object) {
	pod, old := obj.(*corev1.Pod), oldObj.(*corev1.Pod)
	pod.Spec = old.Spec
	pod.Generation = old.Generation
	pod.DeletionTimestamp = old.DeletionTimestamp
	pod.DeletionGracePeriodSeconds = old.DeletionGracePeriodSeconds
	pod.OwnerReferences = old.OwnerReferences
	if pod.Status.QOSClass == "" {
		pod.Status.QOSClass = old.Status.QOSClass
	}
	if pod.Status.ObservedGeneration == 0 {
		pod.Status.ObservedGeneration = old.Status.ObservedGeneration
	}
	pod.Status.Conditions = mapped(pod.Status.Conditions, func(c *corev1.PodCondition) *corev1.PodCondition {
		if c.ObservedGeneration != 0 {
			return c
		}
		for i := range old.Status.Conditions {
			if o := &old.Status.Conditions[i]; o.Type == c.Type && o.ObservedGeneration != 0 {
				d := *c
				d.ObservedGeneration = o.ObservedGeneration
				return &d
			}
		}
		return c
	})
}

func podWarnings(_ *Context, obj, old metav1.Object) []string {
	pod := obj.(*corev1.Pod)
	if old != nil {
		return nil
	}
	var out []string
	if msgs := dnsLabel(pod.Name); len(msgs) > 0 {
		out = append(out, fmt.Sprintf("metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: %v", msgs))
	}
	return append(out, templateWarnings(&pod.Spec, specPath)...)
}

func podFields(pod *corev1.Pod) fields.Set {
	ip := ""
	if len(pod.Status.PodIPs) > 0 {
		ip = pod.Status.PodIPs[0].IP
	}
	return fields.Set{
		"spec.nodeName":            pod.Spec.NodeName,
		"spec.restartPolicy":       string(pod.Spec.RestartPolicy),
		"spec.schedulerName":       pod.Spec.SchedulerName,
		"spec.serviceAccountName":  pod.Spec.ServiceAccountName,
		"spec.hostNetwork":         strconv.FormatBool(pod.Spec.HostNetwork),
		"status.phase":             string(pod.Status.Phase),
		"status.podIP":             ip,
		"status.nominatedNodeName": pod.Status.NominatedNodeName,
	}
}

// Validation.

func validatePodMetaAndSpec(pod *corev1.Pod) field.ErrorList {
	var v validator
	v.add(validateMeta(pod, true, dnsSubdomain))
	v.podAnnotations(pod.Annotations, &pod.Spec, metadataPath)
	v.add(validatePodSpec(&pod.Spec, &pod.ObjectMeta, specPath))
	if pod.Spec.ServiceAccountName == "" {
		for i := range pod.Spec.Volumes {
			if s := pod.Spec.Volumes[i].Projected; s != nil {
				for j := range s.Sources {
					if s.Sources[j].ServiceAccountToken != nil {
						v.forbidden(specPath.Child("volumes").Index(i).Child("projected", "sources").Index(j).Child("serviceAccountToken"),
							"must not be specified when serviceAccountName is not set")
					}
				}
			}
		}
	}
	for i := range pod.Spec.Containers {
		if c := &pod.Spec.Containers[i]; c.Image != strings.TrimSpace(c.Image) {
			v.trimmedImage(c, specPath.Child("containers").Index(i))
		}
	}
	for i := range pod.Spec.InitContainers {
		v.trimmedImage(&pod.Spec.InitContainers[i], specPath.Child("initContainers").Index(i))
	}
	return v.errs
}

// podAnnotations validates the annotations that mean something for pods.
func (v *validator) podAnnotations(m map[string]string, spec *corev1.PodSpec, p *field.Path) {
	if len(m) == 0 {
		return
	}
	if value, ok := m[corev1.MirrorPodAnnotationKey]; ok && spec.NodeName == "" {
		v.invalid(p.Child("annotations").Key(corev1.MirrorPodAnnotationKey), value, "must set spec.nodeName if mirror pod annotation is set")
	}
	if value, ok := m[corev1.PodDeletionCost]; ok && !validDeletionCost(value) {
		v.invalid(p.Child("annotations").Key(corev1.PodDeletionCost), value, "must be a 32bit integer")
	}
}

// validDeletionCost is a whole number in its only spelling: no plus, no leading zero.
func validDeletionCost(s string) bool {
	if s == "" || s[0] == '+' || s[0] == '0' && len(s) > 1 {
		return false
	}
	_, err := strconv.ParseInt(s, 10, 32)
	return err == nil
}

func validatePod(pod *corev1.Pod) field.ErrorList {
	v := validator{errs: validatePodMetaAndSpec(pod)}
	if len(pod.Spec.EphemeralContainers) > 0 {
		v.forbidden(specPath.Child("ephemeralContainers"), "cannot be set on create")
	}
	if pod.Spec.NodeName != "" && len(pod.Spec.SchedulingGates) > 0 {
		v.forbidden(specPath.Child("nodeName"), "cannot be set until all schedulingGates have been cleared")
	}
	return v.errs
}

const podUpdateMessage = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
	"`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," +
	"`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"

func validatePodUpdate(pod, old *corev1.Pod) field.ErrorList {
	v := validator{errs: validateMetaUpdate(pod, old)}
	v.add(validatePodMetaAndSpec(pod))
	v.podAnnotationUpdates(pod, old)
	if !v.imageUpdates(pod.Spec.Containers, old.Spec.Containers, "containers") ||
		!v.imageUpdates(pod.Spec.InitContainers, old.Spec.InitContainers, "initContainers") {
		return v.errs
	}
	deadline := specPath.Child("activeDeadlineSeconds")
	if s, was := pod.Spec.ActiveDeadlineSeconds, old.Spec.ActiveDeadlineSeconds; s != nil {
		if *s < 0 || *s > math.MaxInt32 {
			v.invalid(deadline, *s, validation.InclusiveRangeError(0, math.MaxInt32))
			return v.errs
		}
		if was != nil && *was < *s {
			v.invalid(deadline, *s, "must be less than or equal to previous value")
			return v.errs
		}
	} else if was != nil {
		v.invalid(deadline, s, "must not update from a positive integer to nil value")
	}
	v.addedTolerations(pod, old)
	for i, g := range pod.Spec.SchedulingGates {
		found := false
		for _, o := range old.Spec.SchedulingGates {
			found = found || o.Name == g.Name
		}
		if !found {
			v.forbidden(specPath.Child("schedulingGates").Index(i).Child("name"),
				"only deletion is allowed, but found new scheduling gate '"+g.Name+"'")
		}
	}
	if semanticEqual(&pod.Spec, &old.Spec) {
		return v.errs
	}
	same := pod.Spec // with what may change set back
	same.Containers = imagesOf(pod.Spec.Containers, old.Spec.Containers)
	same.InitContainers = imagesOf(pod.Spec.InitContainers, old.Spec.InitContainers)
	same.ActiveDeadlineSeconds = old.Spec.ActiveDeadlineSeconds
	same.SchedulingGates = old.Spec.SchedulingGates
	same.Tolerations = old.Spec.Tolerations
	if g := old.Spec.TerminationGracePeriodSeconds; g != nil && *g < 0 && deref(same.TerminationGracePeriodSeconds) == 1 {
		same.TerminationGracePeriodSeconds = g
	}
	if len(old.Spec.SchedulingGates) > 0 {
		v.gatedUpdate(&same, &old.Spec)
	}
	if !semanticEqual(&same, &old.Spec) {
		v.forbidden(specPath, podUpdateMessage+unifiedDiff(&old.Spec, &same))
	}
	return v.errs
}

// imagesOf is the list with the other's images.
func imagesOf(list, other []corev1.Container) []corev1.Container {
	i := -1
	return mapped(list, func(c *corev1.Container) *corev1.Container {
		i++
		if c.Image == other[i].Image {
			return c
		}
		d := *c
		d.Image = other[i].Image
		return &d
	})
}

func (v *validator) imageUpdates(list, old []corev1.Container, child string) bool {
	if len(list) != len(old) {
		v.forbidden(specPath.Child(child), "pod updates may not add or remove containers")
		return false
	}
	for i := range list {
		if list[i].Image == "" {
			v.required(specPath.Child(child).Index(i).Child("image"), "")
		}
		v.trimmedImage(&list[i], specPath.Child(child).Index(i))
	}
	return true
}

func (v *validator) addedTolerations(pod, old *corev1.Pod) {
	p := specPath.Child("tolerations")
	for _, o := range old.Spec.Tolerations {
		found := false
		for _, t := range pod.Spec.Tolerations {
			if t.MatchToleration(&o) {
				found = true
				break
			}
		}
		if !found {
			v.forbidden(p, "existing toleration can not be modified except its tolerationSeconds")
			return
		}
	}
	v.add(validateTolerations(pod.Spec.Tolerations, p))
}

// gatedUpdate lets a pod that still waits at its gates narrow where it may run,
// and sets in spec back what it has judged.
func (v *validator) gatedUpdate(spec, old *corev1.PodSpec) {
	if !semanticEqual(spec.NodeSelector, old.NodeSelector) {
		for _, k := range sortedKeys(old.NodeSelector) {
			if value, ok := spec.NodeSelector[k]; !ok || value != old.NodeSelector[k] {
				v.invalid(specPath.Child("nodeSelector"), spec.NodeSelector, "only additions to spec.nodeSelector are allowed (no mutations or deletions)")
				break
			}
		}
		spec.NodeSelector = old.NodeSelector
	}
	var is, was *corev1.NodeAffinity
	if spec.Affinity != nil {
		is = spec.Affinity.NodeAffinity
	}
	if old.Affinity != nil {
		was = old.Affinity.NodeAffinity
	}
	if semanticEqual(is, was) {
		return
	}
	if spec.Affinity == nil {
		spec.Affinity = &corev1.Affinity{NodeAffinity: was}
	} else if a := *spec.Affinity; old.Affinity == nil && a.PodAffinity == nil && a.PodAntiAffinity == nil {
		spec.Affinity = nil
	} else {
		a.NodeAffinity = was
		spec.Affinity = &a
	}
}

func (v *validator) podAnnotationUpdates(pod, old *corev1.Pod) {
	if is, was := pod.Annotations[corev1.MirrorPodAnnotationKey], old.Annotations[corev1.MirrorPodAnnotationKey]; is != was {
		what := "remove or update"
		if was == "" {
			what = "add"
		}
		v.forbidden(metadataPath.Child("annotations").Key(corev1.MirrorPodAnnotationKey), "may not "+what+" mirror pod annotation")
	}
	v.podAnnotations(pod.Annotations, &pod.Spec, metadataPath)
}

func validatePodStatusUpdate(pod, old *corev1.Pod) field.ErrorList {
	v := validator{errs: validateMetaUpdate(pod, old)}
	v.podAnnotationUpdates(pod, old)
	for i, c := range pod.Status.Conditions {
		if c.ObservedGeneration < 0 {
			v.invalid(statusPath.Child("conditions").Index(i).Child("observedGeneration"), c.ObservedGeneration, "must be a non-negative integer")
		}
		switch c.Type {
		case corev1.PodScheduled, corev1.PodReady, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReadyToStartContainers:
			continue
		}
		v.check(statusPath.Child("conditions").Index(i), "Type", string(c.Type), qualifiedName)
	}
	if n := pod.Status.NominatedNodeName; n != old.Status.NominatedNodeName && n != "" {
		v.check(statusPath, "nominatedNodeName", n, dnsSubdomain)
		if old.Spec.NodeName != "" {
			v.forbidden(statusPath.Child("nominatedNodeName"), "may not be set on pods that are already bound to a node")
		}
	}
	if pod.Status.QOSClass != old.Status.QOSClass {
		v.invalid(statusPath.Child("qosClass"), pod.Status.QOSClass, immutableMessage)
	}
	if pod.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		v.restarts(pod.Status.ContainerStatuses, old.Status.ContainerStatuses, &old.Spec)
	}
	return v.errs
}

// restarts refuses statuses in which a container that must not run again does.
func (v *validator) restarts(list, old []corev1.ContainerStatus, spec *corev1.PodSpec) {
	for i := range old {
		ended := old[i].State.Terminated
		if ended == nil || ended.ExitCode != 0 && spec.RestartPolicy == corev1.RestartPolicyOnFailure {
			continue
		}
		for j := range spec.Containers { // rules of its own may let it
			if c := &spec.Containers[j]; c.Name == old[i].Name && (c.RestartPolicy != nil || len(c.RestartPolicyRules) > 0) {
				ended = nil
			}
		}
		for j := range list {
			if ended != nil && list[j].Name == old[i].Name && list[j].State.Terminated == nil {
				v.forbidden(statusPath.Child("containerStatuses").Index(i).Child("state"), "may not be transitioned to non-terminated state")
			}
		}
	}
}

// PrepareEphemeralContainersUpdate and ValidateEphemeralContainersUpdate are
// the rules of the subresource ephemeralcontainers.
func PrepareEphemeralContainersUpdate(_ *Context, obj, oldObj metav1.Object) {
	pod, old := obj.(*corev1.Pod), oldObj.(*corev1.Pod)
	ephemeral := pod.Spec.EphemeralContainers
	pod.Spec, pod.Status = old.Spec, old.Status
	resetForStatus(pod, old)
	pod.Spec.EphemeralContainers = ephemeral
	nextGeneration(pod, old, semanticEqual(&pod.Spec, &old.Spec))
}

// ValidateEphemeralContainersUpdate lets containers only be added.
func ValidateEphemeralContainersUpdate(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
	pod, old := obj.(*corev1.Pod), oldObj.(*corev1.Pod)
	v := validator{errs: validateMetaUpdate(pod, old)}
	v.add(validatePodMetaAndSpec(pod))
	if _, ok := old.Annotations[corev1.MirrorPodAnnotationKey]; ok {
		return field.ErrorList{field.Forbidden(field.NewPath(""), "static pods do not support ephemeral containers")}
	}
	p := specPath.Child("ephemeralContainers")
	for i := range old.Spec.EphemeralContainers {
		was := &old.Spec.EphemeralContainers[i]
		var is *corev1.EphemeralContainer
		for j := range pod.Spec.EphemeralContainers {
			if pod.Spec.EphemeralContainers[j].Name == was.Name {
				is = &pod.Spec.EphemeralContainers[j]
			}
		}
		if is == nil {
			v.forbidden(p, fmt.Sprintf("existing ephemeral containers %q may not be removed\n", was.Name))
		} else if !semanticEqual(is, was) {
			v.forbidden(p, fmt.Sprintf("existing ephemeral containers %q may not be changed\n%v", was.Name, unifiedDiff(was, is)))
		}
	}
	return v.errs
}

// ValidateBinding validates the assignment of a pod to a node.
func ValidateBinding(b *corev1.Binding) field.ErrorList {
	var v validator
	if b.Target.Kind != "" && b.Target.Kind != "Node" {
		v.errs = append(v.errs, field.NotSupported(field.NewPath("target", "kind"), b.Target.Kind, []string{"Node", "<empty>"}))
	}
	if b.Target.Name == "" {
		v.required(field.NewPath("target", "name"), "")
	}
	return v.errs
}

// podGrace is how long the kubelet gets. A pod that no kubelet has, or that is
// over, goes at once.
func podGrace(pod *corev1.Pod, seconds *int64) (int64, bool) {
	grace := deref(pod.Spec.TerminationGracePeriodSeconds)
	if seconds != nil {
		grace = *seconds
	}
	if pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		grace = 0
	}
	if grace < 0 {
		grace = 1
	}
	return grace, grace == 0
}

// The table.

func podRow(pod *corev1.Pod, now time.Time) []any {
	total, ready := len(pod.Spec.Containers), 0
	restarts, sidecarRestarts := 0, 0
	var lastRestart, lastSidecarRestart metav1.Time
	status := string(pod.Status.Phase)
	if pod.Status.Reason != "" {
		status = pod.Status.Reason
	}
	initialized := false
	for i := range pod.Status.Conditions {
		switch c := &pod.Status.Conditions[i]; {
		case c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonSchedulingGated:
			status = corev1.PodReasonSchedulingGated
		case c.Type == corev1.PodInitialized:
			initialized = c.Status == corev1.ConditionTrue
		}
	}
	sidecars := map[string]bool{}
	for i := range pod.Spec.InitContainers {
		if isSidecar(&pod.Spec.InitContainers[i]) {
			sidecars[pod.Spec.InitContainers[i].Name] = true
			total++
		}
	}
	count := func(c *corev1.ContainerStatus, n *int, last *metav1.Time) {
		*n += int(c.RestartCount)
		if t := c.LastTerminationState.Terminated; t != nil && last.Time.Before(t.FinishedAt.Time) {
			*last = t.FinishedAt
		}
	}
	initializing := false
	for i := range pod.Status.InitContainerStatuses {
		c := &pod.Status.InitContainerStatuses[i]
		count(c, &restarts, &lastRestart)
		if sidecars[c.Name] {
			count(c, &sidecarRestarts, &lastSidecarRestart)
		}
		ended, waiting := c.State.Terminated, c.State.Waiting
		if ended != nil && ended.ExitCode == 0 {
			continue
		}
		if sidecars[c.Name] && deref(c.Started) {
			if c.Ready {
				ready++
			}
			continue
		}
		switch {
		case ended != nil:
			status = "Init:" + endReason(ended)
		case waiting != nil && waiting.Reason != "" && waiting.Reason != "PodInitializing":
			status = "Init:" + waiting.Reason
		default:
			status = fmt.Sprintf("Init:%d/%d", i, len(pod.Spec.InitContainers))
		}
		initializing = true
		break
	}
	if !initializing || initialized {
		restarts, lastRestart = sidecarRestarts, lastSidecarRestart
		running, failure := false, ""
		for i := len(pod.Status.ContainerStatuses) - 1; i >= 0; i-- {
			c := &pod.Status.ContainerStatuses[i]
			count(c, &restarts, &lastRestart)
			switch ended := c.State.Terminated; {
			case c.State.Waiting != nil && c.State.Waiting.Reason != "":
				status = c.State.Waiting.Reason
			case ended != nil:
				status = endReason(ended)
				if ended.ExitCode != 0 {
					failure = status
				}
			case c.Ready && c.State.Running != nil:
				running = true
				ready++
			}
		}
		if status == "Completed" {
			switch {
			case running && podIsReady(pod):
				status = "Running"
			case failure != "":
				status = failure
			case running:
				status = "NotReady"
			}
		}
	}
	if pod.DeletionTimestamp != nil {
		if pod.Status.Reason == "NodeLost" {
			status = "Unknown"
		} else if pod.Status.Phase != corev1.PodFailed && pod.Status.Phase != corev1.PodSucceeded {
			status = "Terminating"
		}
	}
	restartText := strconv.Itoa(restarts)
	if restarts != 0 && !lastRestart.IsZero() {
		restartText += " (" + since(lastRestart, now) + " ago)"
	}
	ip := ""
	if len(pod.Status.PodIPs) > 0 {
		ip = pod.Status.PodIPs[0].IP
	}
	return []any{pod.Name, strconv.Itoa(ready) + "/" + strconv.Itoa(total), status, restartText, age(pod, now),
		orNone(ip), orNone(pod.Spec.NodeName), orNone(pod.Status.NominatedNodeName), readinessGates(pod)}
}

func endReason(t *corev1.ContainerStateTerminated) string {
	switch {
	case t.Reason != "":
		return t.Reason
	case t.Signal != 0:
		return "Signal:" + strconv.Itoa(int(t.Signal))
	}
	return "ExitCode:" + strconv.Itoa(int(t.ExitCode))
}

func podIsReady(pod *corev1.Pod) bool {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

func readinessGates(pod *corev1.Pod) string {
	if len(pod.Spec.ReadinessGates) == 0 {
		return none
	}
	n := 0
	for _, g := range pod.Spec.ReadinessGates {
		for i := range pod.Status.Conditions {
			if c := &pod.Status.Conditions[i]; c.Type == g.ConditionType {
				if c.Status == corev1.ConditionTrue {
					n++
				}
				break
			}
		}
	}
	return fmt.Sprintf("%d/%d", n, len(pod.Spec.ReadinessGates))
}

// ValidateResize validates a pod whose containers' resources have changed.
// https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/#limitations
func ValidateResize(c *Context, obj, oldObj metav1.Object) field.ErrorList {
	pod, old := obj.(*corev1.Pod), oldObj.(*corev1.Pod)
	v := validator{errs: validateMetaUpdate(obj, oldObj)}
	for _, e := range For("pods").Validate(c, obj) {
		if strings.HasPrefix(e.Field, "spec.") {
			v.errs = append(v.errs, e)
		}
	}
	if _, static := old.Annotations["kubernetes.io/config.mirror"]; static {
		return field.ErrorList{field.Forbidden(field.NewPath(""), "static pods cannot be resized")}
	}
	if qosClass(&pod.Spec) != qosClass(&old.Spec) {
		v.invalid(specPath, old.Status.QOSClass, "Pod QOS Class may not change as a result of resizing")
	}
	lists := func(now, before []corev1.Container, p *field.Path) {
		for i := range now {
			if i >= len(before) {
				break
			}
			gone := func(now, before corev1.ResourceList, child, what string) {
				for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
					_, was := before[name]
					if _, is := now[name]; was && !is {
						v.forbidden(p.Index(i).Child("resources", child), "resource "+what+" cannot be removed")
						return
					}
				}
			}
			gone(now[i].Resources.Limits, before[i].Resources.Limits, "limits", "limits")
			gone(now[i].Resources.Requests, before[i].Resources.Requests, "requests", "requests")
		}
	}
	lists(pod.Spec.Containers, old.Spec.Containers, specPath.Child("containers"))
	lists(pod.Spec.InitContainers, old.Spec.InitContainers, specPath.Child("initContainers"))
	return v.errs
}
