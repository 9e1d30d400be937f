// This file holds namespaces to the Pod Security Standards that their labels
// ask for: enforce refuses pods, warn warns about pods and about what makes
// pods. The checks themselves are in podsecurity_checks.go.

package admission

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

const securityLabel = "pod-security.kubernetes.io/"

// securityLevels, from the loosest to the strictest.
var securityLevels = []string{"privileged", "baseline", "restricted"}

// standard is a level in a version; the version is shown, not interpreted.
type standard struct {
	level   int
	version string
}

func (s standard) String() string { return securityLevels[s.level] + ":" + s.version }

// standards are what a namespace's labels ask for. Where nothing else is said,
// warnings go by what is enforced.
func standards(labels map[string]string) (enforce, warn standard) {
	read := func(mode string) (s standard, said bool) {
		s.version = "latest"
		if v := labels[securityLabel+mode+"-version"]; v != "" {
			s.version = v
		}
		level, said := labels[securityLabel+mode]
		s.level = max(0, slices.Index(securityLevels, level))
		return s, said
	}
	enforce, _ = read("enforce")
	warn, said := read("warn")
	if !said && warn.level < enforce.level {
		warn = enforce
	}
	return enforce, warn
}

// PodSecurity is described at the top of its file.
var PodSecurity = Plugin{Name: "PodSecurity", Validate: func(a *apiserver.Attributes) error {
	if a.Operation != apiserver.Create && a.Operation != apiserver.Update || a.Subresource != "" {
		return nil
	}
	if ns, ok := a.Object.(*corev1.Namespace); ok {
		return checkNamespace(a, ns)
	}
	meta, spec := podTemplate(a.Object)
	if spec == nil {
		return nil
	}
	ns, ok := get[*corev1.Namespace](a, "namespaces", "", a.Namespace)
	if !ok {
		return nil
	}
	enforce, warn := standards(ns.Labels)
	if enforce.level == 0 && warn.level == 0 {
		return nil
	}
	pod, isPod := a.Object.(*corev1.Pod)
	if isPod && a.Old != nil && samePods(pod, a.Old.(*corev1.Pod)) {
		return nil
	}
	if isPod {
		if found := check(enforce.level, meta, spec); len(found) > 0 {
			return forbid(a, "violates PodSecurity %q: %s", enforce.String(), details(found))
		}
	}
	if found := check(warn.level, meta, spec); len(found) > 0 {
		a.Warn(fmt.Sprintf("would violate PodSecurity %q: %s", warn.String(), details(found)))
	}
	return nil
}}

// samePods reports whether an update of a pod leaves alone what is checked: the
// images may change.
func samePods(a, b *corev1.Pod) bool {
	return len(a.Spec.EphemeralContainers) == len(b.Spec.EphemeralContainers) && maps.Equal(a.Annotations, b.Annotations)
}

// checkNamespace refuses labels that say nothing, and names the pods that are
// there and violate what is enforced from now on.
func checkNamespace(a *attributes, ns *corev1.Namespace) error {
	old := map[string]string{}
	if o, ok := a.Old.(*corev1.Namespace); ok {
		old = o.Labels
	}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		key := securityLabel + mode
		if v, ok := ns.Labels[key]; ok && old[key] != v && !slices.Contains(securityLevels, v) {
			return apierrors.NewInvalid(a.Kind.GroupKind(), a.Name, field.ErrorList{field.Invalid(field.NewPath("metadata", "labels").Key(key), v, "must be one of "+strings.Join(securityLevels, ", "))})
		}
		key += "-version"
		if v, ok := ns.Labels[key]; ok && old[key] != v && v != "latest" {
			minor, one := strings.CutPrefix(v, "v1.")
			if n, err := strconv.Atoi(minor); !one || err != nil || n < 0 || strconv.Itoa(n) != minor {
				return apierrors.NewInvalid(a.Kind.GroupKind(), a.Name, field.ErrorList{field.Invalid(field.NewPath("metadata", "labels").Key(key), v, `must be "latest" or "v1.x"`)})
			}
		}
	}
	enforce, _ := standards(ns.Labels)
	was, _ := standards(old)
	if a.Operation != apiserver.Update || enforce == was || enforce.level < was.level || enforce.level == 0 {
		return nil
	}
	var first, rest []*corev1.Pod
	owners := map[metav1.UID]bool{}
	list(a, "pods", ns.Name, func(p *corev1.Pod) {
		ref := metav1.GetControllerOf(p)
		if ref != nil && owners[ref.UID] {
			rest = append(rest, p)
			return
		}
		if ref != nil {
			owners[ref.UID] = true
		}
		first = append(first, p)
	})
	names := map[string][]string{}
	for _, p := range append(first, rest...) {
		if found := check(enforce.level, &p.ObjectMeta, &p.Spec); len(found) > 0 {
			reasons := make([]string, len(found))
			for i, v := range found {
				reasons[i] = v.reason
			}
			text := strings.Join(reasons, ", ")
			names[text] = append(names[text], p.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	a.Warn(fmt.Sprintf("existing pods in namespace %q violate the new PodSecurity enforce level %q", ns.Name, enforce.String()))
	var lines []string
	for text, pods := range names {
		switch n := len(pods) - 1; n {
		case 0:
			lines = append(lines, fmt.Sprintf("%s: %s", pods[0], text))
		case 1:
			lines = append(lines, fmt.Sprintf("%s (and 1 other pod): %s", pods[0], text))
		default:
			lines = append(lines, fmt.Sprintf("%s (and %d other pods): %s", pods[0], n, text))
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		a.Warn(line)
	}
	return nil
}

func details(found []violation) string {
	parts := make([]string, len(found))
	for i, v := range found {
		parts[i] = v.reason
		if v.detail != "" {
			parts[i] += " (" + v.detail + ")"
		}
	}
	return strings.Join(parts, ", ")
}

// podTemplate is the pod that an object is or makes; nil for others.
func podTemplate(obj metav1.Object) (*metav1.ObjectMeta, *corev1.PodSpec) {
	var t *corev1.PodTemplateSpec
	switch o := obj.(type) {
	case *corev1.Pod:
		return &o.ObjectMeta, &o.Spec
	case *corev1.ReplicationController:
		t = o.Spec.Template
	case *corev1.PodTemplate:
		t = &o.Template
	case *appsv1.Deployment:
		t = &o.Spec.Template
	case *appsv1.ReplicaSet:
		t = &o.Spec.Template
	case *appsv1.StatefulSet:
		t = &o.Spec.Template
	case *appsv1.DaemonSet:
		t = &o.Spec.Template
	case *batchv1.Job:
		t = &o.Spec.Template
	case *batchv1.CronJob:
		t = &o.Spec.JobTemplate.Spec.Template
	}
	if t == nil {
		return nil, nil
	}
	return &t.ObjectMeta, &t.Spec
}
