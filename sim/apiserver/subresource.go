// This file lists the subresources: which have a handler of their own, and
// which are updates of the object under other rules. Scale, bindings, evictions
// and connections to nodes have further files.

package apiserver

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// subresources are those that are not a view of the object itself.
var subresources map[string]func(*call) (*rest.Response, error)

func init() {
	subresources = map[string]func(*call) (*rest.Response, error){
		"scale": (*call).scale, "binding": (*call).bindPod, "eviction": (*call).evict, "token": (*call).token,
		"log": (*call).log, "exec": (*call).exec, "attach": (*call).attach, "portforward": (*call).portForward,
		"proxy": (*call).proxy,
	}
}

// subresourceRules are the updates under rules of their own, by store resource and subresource.
var subresourceRules = map[string]func(*resource.Strategy) updating{
	"namespaces/finalize": func(s *resource.Strategy) updating {
		return updating{prepare: func(_ *resource.Context, obj, old metav1.Object) {
			obj.(*corev1.Namespace).Status = old.(*corev1.Namespace).Status
		}, validate: validateMetaOnly}
	},
	"pods/ephemeralcontainers": func(*resource.Strategy) updating {
		return updating{prepare: prepareEphemeral, validate: validateEphemeral}
	},
	"pods/resize": func(*resource.Strategy) updating {
		return updating{prepare: prepareResize, validate: resource.ValidateResize}
	},
	"certificatesigningrequests.certificates.k8s.io/approval": func(*resource.Strategy) updating {
		return updating{prepare: resource.PrepareForApproval, validate: resource.ValidateApproval}
	},
}

func validateMetaOnly(_ *resource.Context, obj, old metav1.Object) field.ErrorList {
	return validateMetaUpdate(obj.GetObjectMeta(), old.GetObjectMeta())
}

func keepMeta(obj, old metav1.Object) {
	m, om := obj.GetObjectMeta(), old.GetObjectMeta()
	m.Labels, m.Annotations, m.Finalizers, m.OwnerReferences = om.Labels, om.Annotations, om.Finalizers, om.OwnerReferences
}

// prepareEphemeral lets nothing but the ephemeral containers change.
func prepareEphemeral(_ *resource.Context, obj, old metav1.Object) {
	pod, before := obj.(*corev1.Pod), old.(*corev1.Pod)
	containers := pod.Spec.EphemeralContainers
	pod.Spec, pod.Status = before.Spec, before.Status
	pod.Spec.EphemeralContainers = containers
	keepMeta(pod, before)
	if !sameValue(containers, before.Spec.EphemeralContainers) {
		pod.Generation = before.Generation + 1
	}
}

func validateEphemeral(c *resource.Context, obj, old metav1.Object) field.ErrorList {
	pod, before := obj.(*corev1.Pod), old.(*corev1.Pod)
	errs := validateMetaOnly(c, obj, old)
	path := field.NewPath("spec", "ephemeralContainers")
	names := map[string]bool{}
	for _, o := range before.Spec.Containers {
		names[o.Name] = true
	}
	for _, o := range before.Spec.InitContainers {
		names[o.Name] = true
	}
	now := map[string]corev1.EphemeralContainer{}
	for i, e := range pod.Spec.EphemeralContainers {
		p := path.Index(i)
		if e.Name == "" {
			errs = append(errs, field.Required(p.Child("name"), ""))
		} else if names[e.Name] {
			errs = append(errs, field.Duplicate(p.Child("name"), e.Name))
		}
		names[e.Name] = true
		if e.Image == "" {
			errs = append(errs, field.Required(p.Child("image"), ""))
		}
		now[e.Name] = e
	}
	for _, e := range before.Spec.EphemeralContainers {
		if n, ok := now[e.Name]; !ok {
			errs = append(errs, field.Forbidden(path, fmt.Sprintf("existing ephemeral containers %q may not be removed\n", e.Name)))
		} else if !sameValue(n, e) {
			errs = append(errs, field.Forbidden(path, fmt.Sprintf("existing ephemeral containers %q may not be changed\n", e.Name)))
		}
	}
	return errs
}

// prepareResize lets nothing but the containers' resources change.
func prepareResize(_ *resource.Context, obj, old metav1.Object) {
	pod, before := obj.(*corev1.Pod), old.(*corev1.Pod)
	wanted := pod.Spec
	pod.Spec, pod.Status = before.Spec, before.Status
	keepMeta(pod, before)
	resize := func(list []corev1.Container, from []corev1.Container) []corev1.Container {
		out := append([]corev1.Container(nil), list...)
		for i := range out {
			for _, f := range from {
				if f.Name == out[i].Name {
					out[i].Resources, out[i].ResizePolicy = f.Resources, f.ResizePolicy
				}
			}
		}
		return out
	}
	pod.Spec.Containers = resize(before.Spec.Containers, wanted.Containers)
	pod.Spec.InitContainers = resize(before.Spec.InitContainers, wanted.InitContainers)
	if !sameValue(pod.Spec, before.Spec) {
		pod.Generation = before.Generation + 1
	}
}
