// This file is the strategy of nodes.

package resource

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func init() {
	Register("nodes", &Strategy{
		Default: func(obj metav1.Object) {
			n := obj.(*corev1.Node)
			n.Status.Capacity = roundedUp(n.Status.Capacity)
			n.Status.Allocatable = roundedUp(n.Status.Allocatable)
			if n.Status.Allocatable == nil {
				n.Status.Allocatable = n.Status.Capacity
			}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			n, old := obj.(*corev1.Node), oldObj.(*corev1.Node)
			n.Status = old.Status
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			obj.(*corev1.Node).Spec = oldObj.(*corev1.Node).Spec
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			n := obj.(*corev1.Node)
			v := validator{errs: validateMeta(n, false, dnsSubdomain)}
			v.taints(n.Spec.Taints)
			for i, cidr := range n.Spec.PodCIDRs {
				v.add(validateCIDR(cidr, specPath.Child("podCIDRs").Index(i)))
			}
			v.nodeResources(n)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			return validateNodeUpdate(obj.(*corev1.Node), old.(*corev1.Node))
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			return validateNodeUpdate(obj.(*corev1.Node), old.(*corev1.Node))
		},
		Fields: func(obj metav1.Object) fields.Set {
			return fields.Set{"spec.unschedulable": strconv.FormatBool(obj.(*corev1.Node).Spec.Unschedulable)}
		},
		FieldNames: []string{"spec.unschedulable"},
		Columns: []column{
			nameColumn(),
			text("Status", "Whether the node can run pods."),
			text("Roles", "What the node is for, from its labels."),
			ageColumn(),
			text("Version", "The version of the node's kubelet."),
			wide(text("Internal-IP", "The node's address within the cluster.")),
			wide(text("External-IP", "The node's address for the world outside.")),
			wide(text("OS-Image", "What operating system the node runs.")),
			wide(text("Kernel-Version", "The version of its kernel.")),
			wide(text("Container-Runtime", "Which runtime runs its containers.")),
		},
		Row: func(obj metav1.Object, now time.Time) []any { return nodeRow(obj.(*corev1.Node), now) },
	})
}

func (v *validator) taints(list []corev1.Taint) {
	seen := map[[2]string]bool{}
	for i, t := range list {
		p := metadataPath.Child("taints").Index(i)
		v.check(p, "key", t.Key, qualifiedName)
		if msgs := labelValue(t.Value); len(msgs) > 0 {
			v.invalid(p.Child("value"), t.Value, strings.Join(msgs, ";"))
		}
		v.taintEffect(t.Effect, p)
		key := [2]string{t.Key, string(t.Effect)}
		if seen[key] {
			err := field.Duplicate(p, internal{t})
			err.Detail = "taints must be unique by key and effect pair"
			v.errs = append(v.errs, err)
		}
		seen[key] = true
	}
}

func (v *validator) nodeResources(n *corev1.Node) {
	for _, side := range []struct {
		child string
		list  corev1.ResourceList
	}{{"capacity", n.Status.Capacity}, {"allocatable", n.Status.Allocatable}} {
		for _, name := range sortedKeys(side.list) {
			q := side.list[name]
			p := statusPath.Child(side.child).Key(string(name))
			v.quantity(name, q, p)
		}
	}
}

func validateNodeUpdate(n, old *corev1.Node) field.ErrorList {
	v := validator{errs: validateMetaUpdate(n, old)}
	v.nodeResources(n)
	if len(old.Spec.PodCIDRs) > 0 && (!slices.Equal(n.Spec.PodCIDRs, old.Spec.PodCIDRs) || n.Spec.PodCIDR != old.Spec.PodCIDR) {
		v.forbidden(specPath.Child("podCIDRs"), "node updates may not change podCIDR except from \"\" to valid")
	}
	if old.Spec.ProviderID != "" && n.Spec.ProviderID != old.Spec.ProviderID {
		v.forbidden(specPath.Child("providerID"), "node updates may not change providerID except from \"\" to valid")
	}
	v.taints(n.Spec.Taints)
	return v.errs
}

func nodeRow(n *corev1.Node, now time.Time) []any {
	status := "Unknown"
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			status = "NotReady"
			if c.Status == corev1.ConditionTrue {
				status = "Ready"
			}
		}
	}
	if n.Spec.Unschedulable {
		status += ",SchedulingDisabled"
	}
	var roles []string
	for k, value := range n.Labels {
		role, ok := strings.CutPrefix(k, "node-role.kubernetes.io/")
		if k == "kubernetes.io/role" {
			role, ok = value, true
		}
		if ok && role != "" && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	slices.Sort(roles)
	address := func(t corev1.NodeAddressType) string {
		for _, a := range n.Status.Addresses {
			if a.Type == t {
				return a.Address
			}
		}
		return none
	}
	known := func(s string) string {
		if s == "" {
			return "<unknown>"
		}
		return s
	}
	info := &n.Status.NodeInfo
	kernel := known(info.KernelVersion)
	if info.Architecture != "" {
		kernel += " (" + info.Architecture + ")"
	}
	return []any{n.Name, status, orNone(strings.Join(roles, ",")), age(n, now), info.KubeletVersion,
		address(corev1.NodeInternalIP), address(corev1.NodeExternalIP), known(info.OSImage), kernel, known(info.ContainerRuntimeVersion)}
}
