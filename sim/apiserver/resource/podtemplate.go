// This file holds what all workloads share: the validation of their pod
// template and selector, the replica counts of their status, and the warnings
// that the server gives about a template.

package resource

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// validateTemplate validates a pod template wherever it stands.
func validateTemplate(t *corev1.PodTemplateSpec, p *field.Path) field.ErrorList {
	var v validator
	v.add(validateLabels(t.Labels, p, "labels"))
	v.add(validateAnnotations(t.Annotations, p))
	v.podAnnotations(t.Annotations, &t.Spec, p)
	v.add(validatePodSpec(&t.Spec, nil, p.Child("spec")))
	if len(t.Spec.EphemeralContainers) > 0 {
		v.forbidden(p.Child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template")
	}
	return v.errs
}

// selectorAndTemplate validates the pair for replica sets and
// deployments; kind is the word that the messages use.
func (v *validator) selectorAndTemplate(s *metav1.LabelSelector, t *corev1.PodTemplateSpec, emptyFor, kind string) {
	v.selector(s, emptyFor)
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		v.invalid(specPath.Child("selector"), s, "invalid label selector")
		return
	}
	p := specPath.Child("template")
	if !selector.Empty() && !selector.Matches(labelSet(t.Labels)) { // no selector selects nothing
		v.invalid(p.Child("metadata", "labels"), t.Labels, "`selector` does not match template `labels`")
	}
	v.add(validateTemplate(t, p))
	v.alwaysRestarts(t, p, kind)
}

func (v *validator) selector(s *metav1.LabelSelector, emptyFor string) {
	if s == nil {
		v.required(specPath.Child("selector"), "")
		return
	}
	v.add(validateSelector(s, specPath.Child("selector")))
	if len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		v.invalid(specPath.Child("selector"), s, "empty selector is invalid for "+emptyFor)
	}
}

func (v *validator) alwaysRestarts(t *corev1.PodTemplateSpec, p *field.Path, kind string) {
	if t.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		v.errs = append(v.errs, field.NotSupported(p.Child("spec", "restartPolicy"), t.Spec.RestartPolicy, []corev1.RestartPolicy{corev1.RestartPolicyAlways}))
	}
	if t.Spec.ActiveDeadlineSeconds != nil {
		v.forbidden(p.Child("spec", "activeDeadlineSeconds"), "activeDeadlineSeconds in "+kind+" is not Supported")
	}
}

type labelSet map[string]string

func (l labelSet) Has(k string) bool              { _, ok := l[k]; return ok }
func (l labelSet) Get(k string) string            { return l[k] }
func (l labelSet) Lookup(k string) (string, bool) { value, ok := l[k]; return value, ok }

// replicaCounts validates the counts of a status against each other.
func (v *validator) replicaCounts(replicas, fullyLabeled, ready, available int32, observed int64, terminating *int32) {
	v.nonnegative(int64(replicas), statusPath, "replicas")
	v.nonnegative(int64(fullyLabeled), statusPath, "fullyLabeledReplicas")
	v.nonnegative(int64(ready), statusPath, "readyReplicas")
	v.nonnegative(int64(available), statusPath, "availableReplicas")
	v.nonnegative(observed, statusPath, "observedGeneration")
	if terminating != nil {
		v.nonnegative(int64(*terminating), statusPath, "terminatingReplicas")
	}
	const most = "cannot be greater than status.replicas"
	if fullyLabeled > replicas {
		v.invalid(statusPath.Child("fullyLabeledReplicas"), fullyLabeled, most)
	}
	if ready > replicas {
		v.invalid(statusPath.Child("readyReplicas"), ready, most)
	}
	if available > replicas {
		v.invalid(statusPath.Child("availableReplicas"), available, most)
	}
	if available > ready {
		v.invalid(statusPath.Child("availableReplicas"), available, "cannot be greater than readyReplicas")
	}
}

func (v *validator) notDecremented(is, was *int32, child string) {
	if was != nil && (is == nil || *is < *was) {
		v.invalid(statusPath.Child(child), deref(is), "cannot be decremented")
	}
}

func selectorText(s *metav1.LabelSelector) string {
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return "<invalid>"
	}
	return selector.String()
}

// workloadWarnings warns about names that do not fit into host names, and about the template.
func workloadWarnings(obj metav1.Object, t *corev1.PodTemplateSpec) []string {
	var out []string
	if msgs := dnsLabel(obj.GetObjectMeta().Name); len(msgs) > 0 {
		out = append(out, fmt.Sprintf("metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: %v", msgs))
	}
	if t != nil {
		out = append(out, templateWarnings(&t.Spec, specPath.Child("template", "spec"))...)
	}
	return out
}

// templateWarnings are the most usual of the server's hints about a pod spec.
func templateWarnings(spec *corev1.PodSpec, p *field.Path) []string {
	var out []string
	warn := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, k := range sortedKeys(spec.NodeSelector) {
		if d := deprecatedNodeLabels[k]; d != "" {
			warn("%s: %s", p.Child("nodeSelector").Key(k), d)
		}
	}
	const matchesNone = "%s: a null labelSelector results in matching no pod"
	for i := range spec.TopologySpreadConstraints {
		c, at := &spec.TopologySpreadConstraints[i], p.Child("topologySpreadConstraints").Index(i)
		if d := deprecatedNodeLabels[c.TopologyKey]; d != "" {
			warn("%s: %s is %s", at.Child("topologyKey"), c.TopologyKey, d)
		}
		if c.LabelSelector == nil {
			warn(matchesNone, at.Child("labelSelector"))
		}
	}
	for i := range spec.Volumes {
		vol := &spec.Volumes[i]
		if vol.GitRepo != nil {
			warn("%s: deprecated in v1.11, and disabled by default in v1.33+", p.Child("volumes").Index(i).Child("gitRepo"))
		}
		if vol.Projected != nil {
			for _, s := range vol.Projected.Sources {
				if s == (corev1.VolumeProjection{}) {
					warn("volume %q (Projected) has no sources provided", vol.Name)
				}
			}
		}
	}
	for i := range spec.ImagePullSecrets {
		if spec.ImagePullSecrets[i].Name == "" {
			warn("%s: invalid empty name %q", p.Child("imagePullSecrets").Index(i).Child("name"), "")
		}
	}
	eachRegular := func(list []corev1.Container, child string) {
		for i := range list {
			c := &list[i]
			names := map[string]bool{}
			for j := range c.Env {
				if e := &c.Env[j]; names[e.Name] && (e.ValueFrom != nil || e.Value == "$("+e.Name+")" || !strings.Contains(e.Value, "$("+e.Name+")")) {
					warn("%s: hides previous definition of %q, which may be dropped when using apply", p.Child(child).Index(i).Child("env").Index(j), c.Env[j].Name)
				}
				names[c.Env[j].Name] = true
			}
			for _, side := range []struct {
				name string
				list corev1.ResourceList
			}{{"limits", c.Resources.Limits}, {"requests", c.Resources.Requests}} {
				for _, n := range sortedKeys(side.list) {
					q := side.list[n]
					if (n == corev1.ResourceMemory || n == corev1.ResourceEphemeralStorage) && q.MilliValue()%1000 != 0 {
						warn("%s: fractional byte value %q is invalid, must be an integer", p.Child(child).Index(i).Child("resources", side.name).Key(string(n)), q.String())
					}
				}
			}
		}
	}
	eachRegular(spec.InitContainers, "initContainers")
	eachRegular(spec.Containers, "containers")
	type definition struct {
		port *corev1.ContainerPort
		at   *field.Path
	}
	var ports []definition
	eachContainer(spec, p, func(c *corev1.Container, at *field.Path) {
		for j := range c.Ports {
			a, at := &c.Ports[j], at.Child("ports").Index(j)
			for _, b := range ports {
				switch o := b.port; {
				case a.ContainerPort != o.ContainerPort || a.Protocol != o.Protocol:
				case a.HostPort == o.HostPort && a.HostIP == o.HostIP:
					warn("%s: duplicate port definition with %s", at, b.at)
				case a.HostPort == 0 || o.HostPort == 0:
					warn("%s: overlapping port definition with %s", at, b.at)
				case a.HostPort == o.HostPort && (a.HostIP == "") != (o.HostIP == ""):
					warn("%s: dangerously ambiguous port definition with %s", at, b.at)
				}
			}
			ports = append(ports, definition{a, at})
		}
	})
	for i, d := range ports {
		for _, o := range ports[:i] {
			if d.port.Name != "" && d.port.Name == o.port.Name {
				warn("%s: duplicate port name %q with %s, services and probes that select ports by name will use %s", d.at, d.port.Name, o.at, o.at)
				break
			}
		}
	}
	if a := spec.Affinity; a != nil {
		terms := func(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, at *field.Path) {
			for i := range required {
				if required[i].LabelSelector == nil {
					warn(matchesNone, at.Child("requiredDuringSchedulingIgnoredDuringExecution").Index(i).Child("labelSelector"))
				}
			}
			for i := range preferred {
				if preferred[i].PodAffinityTerm.LabelSelector == nil {
					warn(matchesNone, at.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i).Child("podAffinityTerm", "labelSelector"))
				}
			}
		}
		if t := a.PodAffinity; t != nil {
			terms(t.RequiredDuringSchedulingIgnoredDuringExecution, t.PreferredDuringSchedulingIgnoredDuringExecution, p.Child("affinity", "podAffinity"))
		}
		if t := a.PodAntiAffinity; t != nil {
			terms(t.RequiredDuringSchedulingIgnoredDuringExecution, t.PreferredDuringSchedulingIgnoredDuringExecution, p.Child("affinity", "podAntiAffinity"))
		}
	}
	return out
}

// deprecatedNodeLabels says what to use instead of labels that nodes once had.
var deprecatedNodeLabels = map[string]string{
	"beta.kubernetes.io/arch":                       `deprecated since v1.14; use "kubernetes.io/arch" instead`,
	"beta.kubernetes.io/os":                         `deprecated since v1.14; use "kubernetes.io/os" instead`,
	"failure-domain.beta.kubernetes.io/region":      `deprecated since v1.17; use "topology.kubernetes.io/region" instead`,
	"failure-domain.beta.kubernetes.io/zone":        `deprecated since v1.17; use "topology.kubernetes.io/zone" instead`,
	"beta.kubernetes.io/instance-type":              `deprecated since v1.17; use "node.kubernetes.io/instance-type" instead`,
	"app.kubernetes.io/created-by":                  "deprecated since v1.9",
	"scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
	"node-role.kubernetes.io/master":                `use "node-role.kubernetes.io/control-plane" instead`,
}
