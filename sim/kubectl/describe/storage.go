// The pages of persistent volumes, storage classes, endpoints and endpoint slices.

package describe

import (
	"strconv"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
)

func init() {
	register("", "PersistentVolume", persistentVolume)
	register("storage.k8s.io", "StorageClass", storageClass)
	register("", "Endpoints", endpointSubsets)
	register("discovery.k8s.io", "EndpointSlice", endpointSlice)
}

func persistentVolume(p *page, o *corev1.PersistentVolume) error {
	p.line(0, "Name:\t%s", o.Name)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Finalizers:\t%v", o.Finalizers)
	class := o.Annotations["volume.beta.kubernetes.io/storage-class"]
	if class == "" {
		class = o.Spec.StorageClassName
	}
	p.line(0, "StorageClass:\t%s", class)
	if o.DeletionTimestamp != nil {
		p.line(0, "Status:\tTerminating (lasts %s)", p.since(o.DeletionTimestamp.Time))
	} else {
		p.line(0, "Status:\t%v", o.Status.Phase)
	}
	claim := ""
	if c := o.Spec.ClaimRef; c != nil {
		claim = c.Namespace + "/" + c.Name
	}
	p.line(0, "Claim:\t%s", claim)
	p.line(0, "Reclaim Policy:\t%v", o.Spec.PersistentVolumeReclaimPolicy)
	p.line(0, "Access Modes:\t%s", accessModes(o.Spec.AccessModes))
	if o.Spec.VolumeMode != nil {
		p.line(0, "VolumeMode:\t%v", *o.Spec.VolumeMode)
	}
	p.line(0, "Capacity:\t%s", quantity(o.Spec.Capacity, "storage"))
	p.affinity(o.Spec.NodeAffinity)
	p.line(0, "Message:\t%s", o.Status.Message)
	p.line(0, "Source:")
	switch {
	case o.Spec.HostPath != nil || o.Spec.NFS != nil:
		p.volume(&corev1.Volume{VolumeSource: corev1.VolumeSource{HostPath: o.Spec.HostPath, NFS: o.Spec.NFS}})
	case o.Spec.Local != nil:
		p.line(2, "Type:\tLocalVolume (a persistent volume backed by local storage on a node)")
		p.line(2, "Path:\t%v", o.Spec.Local.Path)
	case o.Spec.CSI != nil:
		c := o.Spec.CSI
		p.line(2, "Type:\tCSI (a Container Storage Interface (CSI) volume source)")
		p.line(2, "Driver:\t%v", c.Driver)
		p.line(2, "FSType:\t%v", c.FSType)
		p.line(2, "VolumeHandle:\t%v", c.VolumeHandle)
		p.line(2, "ReadOnly:\t%v", c.ReadOnly)
		if len(c.VolumeAttributes) == 0 {
			p.line(2, "VolumeAttributes:\t<none>")
		}
		for i, k := range sorted(c.VolumeAttributes) {
			title := ""
			if i == 0 {
				title = "VolumeAttributes:"
			}
			p.line(2, "%s\t    %s=%s", title, k, c.VolumeAttributes[k])
		}
	default:
		p.line(1, "<unknown>")
	}
	p.showEvents(p.eventsOf(o, "PersistentVolume"))
	return nil
}

func (p *page) affinity(a *corev1.VolumeNodeAffinity) {
	if a == nil || a.Required == nil {
		p.line(0, "Node Affinity:\t<none>")
		return
	}
	p.line(0, "Node Affinity:\t")
	if len(a.Required.NodeSelectorTerms) == 0 {
		p.line(1, "Required Terms:\t<none>")
		return
	}
	p.line(1, "Required Terms:\t")
	for i, term := range a.Required.NodeSelectorTerms {
		title := "Term " + strconv.Itoa(i) + ":"
		if len(term.MatchExpressions) == 0 {
			p.line(2, "%s\t<none>", title)
		}
		for _, r := range term.MatchExpressions {
			text := r.Key + " " + strings.ToLower(string(r.Operator))
			if len(r.Values) > 0 {
				text += " [" + strings.Join(r.Values, ", ") + "]"
			}
			p.line(2, "%s\t%s", title, text)
			title = ""
		}
	}
}

func storageClass(p *page, o *storagev1.StorageClass) error {
	p.line(0, "Name:\t%s", o.Name)
	is := "No"
	if o.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" || o.Annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true" {
		is = "Yes"
	}
	p.line(0, "IsDefaultClass:\t%s", is)
	p.line(0, "Annotations:\t%s", formatLabels(o.Annotations))
	p.line(0, "Provisioner:\t%s", o.Provisioner)
	p.line(0, "Parameters:\t%s", formatLabels(o.Parameters))
	expand := "<unset>"
	if o.AllowVolumeExpansion != nil {
		expand = title(*o.AllowVolumeExpansion)
	}
	p.line(0, "AllowVolumeExpansion:\t%s", expand)
	if len(o.MountOptions) == 0 {
		p.line(0, "MountOptions:\t<none>")
	} else {
		p.line(0, "MountOptions:")
		for _, m := range o.MountOptions {
			p.line(1, "%s", m)
		}
	}
	if o.ReclaimPolicy != nil {
		p.line(0, "ReclaimPolicy:\t%s", *o.ReclaimPolicy)
	}
	if o.VolumeBindingMode != nil {
		p.line(0, "VolumeBindingMode:\t%s", *o.VolumeBindingMode)
	}
	if o.AllowedTopologies != nil {
		p.line(0, "AllowedTopologies:\t")
		for i, term := range o.AllowedTopologies {
			title := "Term " + strconv.Itoa(i) + ":"
			for _, r := range term.MatchLabelExpressions {
				p.line(1, "%s\t%s in [%s]", title, r.Key, strings.Join(r.Values, ", "))
				title = ""
			}
		}
	}
	p.showEvents(p.eventsOf(o, "StorageClass"))
	return nil
}

func endpointSubsets(p *page, o *corev1.Endpoints) error {
	p.head(&o.ObjectMeta)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Subsets:")
	addresses := func(list []corev1.EndpointAddress) string {
		var out []string
		for _, a := range list {
			out = append(out, a.IP)
		}
		return orNone(strings.Join(out, ","))
	}
	for _, s := range o.Subsets {
		p.line(1, "Addresses:\t%s", addresses(s.Addresses))
		p.line(1, "NotReadyAddresses:\t%s", addresses(s.NotReadyAddresses))
		if len(s.Ports) > 0 {
			p.line(1, "Ports:")
			p.line(2, "Name\tPort\tProtocol")
			p.line(2, "----\t----\t--------")
			for _, port := range s.Ports {
				p.line(2, "%s\t%d\t%s", named(port.Name), port.Port, port.Protocol)
			}
		}
		p.line(0, "")
	}
	p.showEvents(p.eventsOf(o, "Endpoints"))
	return nil
}

func endpointSlice(p *page, o *discoveryv1.EndpointSlice) error {
	p.head(&o.ObjectMeta)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "AddressType:\t%s", string(o.AddressType))
	text := func(s *string) string {
		if s == nil {
			return "<unset>"
		}
		return *s
	}
	if len(o.Ports) == 0 {
		p.line(0, "Ports: <unset>")
	} else {
		p.line(0, "Ports:")
		p.line(1, "Name\tPort\tProtocol")
		p.line(1, "----\t----\t--------")
		for _, port := range o.Ports {
			name, number, protocol := "", "<unset>", ""
			if port.Name != nil {
				name = *port.Name
			}
			if port.Port != nil {
				number = strconv.Itoa(int(*port.Port))
			}
			if port.Protocol != nil {
				protocol = string(*port.Protocol)
			}
			p.line(1, "%s\t%s\t%s", named(name), number, protocol)
		}
	}
	if len(o.Endpoints) == 0 {
		p.line(0, "Endpoints: <none>")
	} else {
		p.line(0, "Endpoints:")
	}
	for _, e := range o.Endpoints {
		p.line(1, "- Addresses:\t%s", orNone(strings.Join(e.Addresses, ", ")))
		p.line(2, "Conditions:")
		ready := "<unset>"
		if e.Conditions.Ready != nil {
			ready = strconv.FormatBool(*e.Conditions.Ready)
		}
		p.line(3, "Ready:\t%s", ready)
		p.line(2, "Hostname:\t%s", text(e.Hostname))
		if e.TargetRef != nil {
			p.line(2, "TargetRef:\t%s/%s", e.TargetRef.Kind, e.TargetRef.Name)
		}
		p.line(2, "NodeName:\t%s", text(e.NodeName))
		p.line(2, "Zone:\t%s", text(e.Zone))
	}
	p.showEvents(p.eventsOf(o, "EndpointSlice"))
	return nil
}

func named(s string) string {
	if s == "" {
		return "<unset>"
	}
	return s
}
