package plugin

import (
	"fmt"
	"slices"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
)

// claims returns the pod's claims by name, those of ephemeral volumes included.
func claims(pod *corev1.Pod) (names []string, ephemeral map[string]bool) {
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		switch {
		case v.PersistentVolumeClaim != nil:
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		case v.Ephemeral != nil:
			name := pod.Name + "-" + v.Name
			if ephemeral == nil {
				ephemeral = map[string]bool{}
			}
			ephemeral[name] = true
			names = append(names, name)
		}
	}
	return names, ephemeral
}

// VolumeRestrictions keeps a pod away from a ReadWriteOncePod claim that
// another pod uses.
var VolumeRestrictions = &Rule{Name: "VolumeRestrictions", Topology: true, Filter: func(c *Cycle) (FilterFunc, *Status) {
	names, _ := claims(c.Pod.Pod)
	var once []string
	for _, name := range names {
		pvc := c.Cluster.Claim(c.Pod.Pod.Namespace, name)
		if pvc == nil {
			return nil, unresolvable("VolumeRestrictions", fmt.Sprintf("persistentvolumeclaim %q not found", name))
		}
		if slices.Contains(pvc.Spec.AccessModes, corev1.ReadWriteOncePod) {
			once = append(once, name)
		}
	}
	if len(once) == 0 {
		return nil, nil
	}
	no := rejected("VolumeRestrictions", "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod")
	used := false
	for _, n := range c.Nodes {
		for _, p := range n.Pods {
			if p.Pod.Namespace != c.Pod.Pod.Namespace {
				continue
			}
			theirs, _ := claims(p.Pod)
			for _, name := range theirs {
				used = used || slices.Contains(once, name)
			}
		}
	}
	return func(n *NodeInfo) *Status {
		if used {
			return no
		}
		return nil
	}, nil
}}

// Unbound are the pod's claims that wait for a node to be chosen.
func Unbound(c Cluster, pod *corev1.Pod) []*corev1.PersistentVolumeClaim {
	names, _ := claims(pod)
	var out []*corev1.PersistentVolumeClaim
	for _, name := range names {
		if pvc := c.Claim(pod.Namespace, name); pvc != nil && !bound(pvc) {
			out = append(out, pvc)
		}
	}
	return out
}

// bound reports whether the claim has its volume, and both sides know.
func bound(pvc *corev1.PersistentVolumeClaim) bool {
	return pvc.Spec.VolumeName != "" && pvc.Annotations["pv.kubernetes.io/bind-completed"] != ""
}

// VolumeBinding keeps a pod off all nodes while a claim is missing or unbound,
// and on the nodes that its volumes can be reached from. Claims of a class that
// waits for its first consumer are matched with a volume that the node can
// reach, or left to the class's provisioner.
var VolumeBinding = &Rule{Name: "VolumeBinding", Filter: func(c *Cycle) (FilterFunc, *Status) {
	pod := c.Pod.Pod
	names, ephemeral := claims(pod)
	if len(names) == 0 {
		return nil, nil
	}
	var have []*corev1.PersistentVolumeClaim
	var delayed []*corev1.PersistentVolumeClaim
	immediate := false
	for _, name := range names {
		pvc := c.Cluster.Claim(pod.Namespace, name)
		switch {
		case pvc == nil && ephemeral[name]:
			return nil, unresolvable("VolumeBinding", fmt.Sprintf("waiting for ephemeral volume controller to create the persistentvolumeclaim %q", name))
		case pvc == nil:
			return nil, unresolvable("VolumeBinding", fmt.Sprintf("persistentvolumeclaim %q not found", name))
		case pvc.Status.Phase == corev1.ClaimLost:
			return nil, unresolvable("VolumeBinding", fmt.Sprintf("persistentvolumeclaim %q bound to non-existent persistentvolume %q", name, pvc.Spec.VolumeName))
		case pvc.DeletionTimestamp != nil:
			return nil, unresolvable("VolumeBinding", fmt.Sprintf("persistentvolumeclaim %q is being deleted", name))
		case bound(pvc):
			have = append(have, pvc)
		case waits(c.Cluster, pvc) && pvc.Spec.VolumeName == "":
			delayed = append(delayed, pvc)
		default:
			immediate = true
		}
	}
	if immediate {
		return nil, unresolvable("VolumeBinding", "pod has unbound immediate PersistentVolumeClaims")
	}
	conflict := unresolvable("VolumeBinding", "node(s) didn't match PersistentVolume's node affinity")
	missing := unresolvable("VolumeBinding", "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)")
	nothing := unresolvable("VolumeBinding", "node(s) didn't find available persistent volumes to bind")
	return func(n *NodeInfo) *Status {
		for _, pvc := range have {
			pv := c.Cluster.Volume(pvc.Spec.VolumeName)
			if pv == nil {
				return missing
			}
			if !reaches(pv, n.Node) {
				return conflict
			}
		}
		taken := map[string]bool{}
		for _, pvc := range delayed {
			if pv := Match(c.Cluster, pvc, n.Node, taken); pv != nil {
				taken[pv.Name] = true
			} else if !provisionable(c.Cluster, pvc, n.Node) {
				return nothing
			}
		}
		return nil
	}, nil
}}

// className is the claim's storage class; "" is none.
func className(pvc *corev1.PersistentVolumeClaim) string {
	if v, ok := pvc.Annotations[corev1.BetaStorageClassAnnotation]; ok {
		return v
	}
	if pvc.Spec.StorageClassName != nil {
		return *pvc.Spec.StorageClassName
	}
	return ""
}

func waits(c Cluster, pvc *corev1.PersistentVolumeClaim) bool {
	class := c.Class(className(pvc))
	return class != nil && class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
}

func provisionable(c Cluster, pvc *corev1.PersistentVolumeClaim, node *corev1.Node) bool {
	class := c.Class(className(pvc))
	if class == nil || class.Provisioner == "" || class.Provisioner == "kubernetes.io/no-provisioner" || pvc.Spec.Selector != nil {
		return false
	}
	if chosen := pvc.Annotations[SelectedNodeAnnotation]; chosen != "" && chosen != node.Name {
		return false
	}
	return true
}

// SelectedNodeAnnotation tells the provisioner of a claim the node that the
// first consumer will run on.
const SelectedNodeAnnotation = "volume.kubernetes.io/selected-node"

func reaches(pv *corev1.PersistentVolume, node *corev1.Node) bool {
	return pv.Spec.NodeAffinity == nil || pv.Spec.NodeAffinity.Required == nil || MatchesSelector(pv.Spec.NodeAffinity.Required, node)
}

// Match returns the smallest available volume that the claim could take and
// the node can reach, or nil.
func Match(c Cluster, pvc *corev1.PersistentVolumeClaim, node *corev1.Node, taken map[string]bool) *corev1.PersistentVolume {
	want := pvc.Spec.Resources.Requests[corev1.ResourceStorage]
	var best *corev1.PersistentVolume
	for _, pv := range c.Volumes() {
		ref := pv.Spec.ClaimRef
		if ref != nil && ref.Namespace == pvc.Namespace && ref.Name == pvc.Name && (ref.UID == "" || ref.UID == pvc.UID) {
			if reaches(pv, node) {
				return pv
			}
			return nil
		}
		if ref != nil || taken[pv.Name] || pv.DeletionTimestamp != nil || pv.Status.Phase != corev1.VolumeAvailable ||
			pv.Spec.StorageClassName != className(pvc) || !reaches(pv, node) {
			continue
		}
		ok := true
		for _, mode := range pvc.Spec.AccessModes {
			ok = ok && slices.Contains(pv.Spec.AccessModes, mode)
		}
		size := pv.Spec.Capacity[corev1.ResourceStorage]
		if !ok || size.Cmp(want) < 0 || pvc.Spec.Selector != nil && !selector(pvc.Spec.Selector).Matches(labelSet(pv.Labels)) {
			continue
		}
		if best != nil {
			if s := best.Spec.Capacity[corev1.ResourceStorage]; s.Cmp(size) <= 0 {
				continue
			}
		}
		best = pv
	}
	return best
}

// VolumeZone keeps a pod in the zone of the volumes that carry zone labels.
var VolumeZone = &Rule{Name: "VolumeZone", Filter: func(c *Cycle) (FilterFunc, *Status) {
	names, _ := claims(c.Pod.Pod)
	want := map[string]string{}
	for _, name := range names {
		pvc := c.Cluster.Claim(c.Pod.Pod.Namespace, name)
		if pvc == nil || pvc.Spec.VolumeName == "" {
			continue
		}
		if pv := c.Cluster.Volume(pvc.Spec.VolumeName); pv != nil {
			for _, key := range []string{zoneLabel, "topology.kubernetes.io/region"} {
				if v, ok := pv.Labels[key]; ok {
					want[key] = v
				}
			}
		}
	}
	if len(want) == 0 {
		return nil, nil
	}
	no := unresolvable("VolumeZone", "node(s) had no available volume zone")
	return func(n *NodeInfo) *Status {
		for k, v := range want {
			if got, ok := n.Node.Labels[k]; ok && got != v {
				return no
			}
		}
		return nil
	}, nil
}}
