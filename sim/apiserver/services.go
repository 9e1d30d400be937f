// This file gives services their cluster IPs and node ports when they are
// created or change their type, and takes them back.

package apiserver

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/allocator"
)

const headless = "None"

// allocate completes a service that is about to be stored in place of old (nil
// for a creation). release undoes it; what an update no longer needs is given
// back by written.
func (c *call) allocate(obj, old metav1.Object) (release func(), err error) {
	release = func() {}
	svc, ok := obj.(*corev1.Service)
	if !ok || c.subresource != "" {
		return release, nil
	}
	var before *corev1.Service
	if old != nil {
		before = old.(*corev1.Service)
	}
	a := c.s.services
	var ips []string
	var ports []int32
	release = func() {
		for _, ip := range ips {
			a.ReleaseIP(ip)
		}
		for _, p := range ports {
			a.ReleasePort(p)
		}
	}
	var errs field.ErrorList
	spec := field.NewPath("spec")
	// The cluster's networks are of IPv4 alone.
	if p := svc.Spec.IPFamilyPolicy; before == nil && p != nil && *p == corev1.IPFamilyPolicyRequireDualStack {
		errs = append(errs, field.Invalid(spec.Child("ipFamilyPolicy"), *p, "this cluster is not configured for dual-stack services"))
	}
	for i, f := range svc.Spec.IPFamilies {
		if f == corev1.IPv6Protocol && svc.Spec.Type != corev1.ServiceTypeExternalName {
			errs = append(errs, field.Invalid(spec.Child("ipFamilies").Index(i), f, "not configured on this cluster"))
		}
	}
	for i, ip := range svc.Spec.ClusterIPs {
		if _, err := netip.ParseAddr(ip); err != nil && ip != headless && ip != "" {
			errs = append(errs, field.Invalid(spec.Child("clusterIPs").Index(i), ip, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"))
		}
	}
	if len(errs) > 0 {
		return release, apierrors.NewInvalid(c.kind.GroupKind(), svc.Name, errs)
	}
	if err := c.allocateIP(svc, before, &ips); err != nil {
		errs = append(errs, field.Invalid(spec.Child("clusterIPs"), svc.Spec.ClusterIPs, "failed to allocate IP "+svc.Spec.ClusterIP+": "+err.Error()))
	}
	errs = append(errs, c.allocatePorts(svc, before, &ports)...)
	if len(errs) > 0 {
		release()
		return func() {}, apierrors.NewInvalid(c.kind.GroupKind(), svc.Name, errs)
	}
	return release, nil
}

func (c *call) allocateIP(svc, before *corev1.Service, taken *[]string) error {
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		if before != nil && before.Spec.Type != corev1.ServiceTypeExternalName {
			svc.Spec.ClusterIP, svc.Spec.ClusterIPs = "", nil
		}
		return nil
	}
	if before != nil && svc.Spec.ClusterIP == "" && before.Spec.Type != corev1.ServiceTypeExternalName {
		svc.Spec.ClusterIP, svc.Spec.ClusterIPs = before.Spec.ClusterIP, before.Spec.ClusterIPs
	}
	if before != nil && svc.Spec.ClusterIP != before.Spec.ClusterIP && sameValue(svc.Spec.ClusterIPs, before.Spec.ClusterIPs) {
		svc.Spec.ClusterIPs = nil // of a client that knows the older field only
	}
	if svc.Spec.ClusterIP == "" && len(svc.Spec.ClusterIPs) > 0 {
		svc.Spec.ClusterIP = svc.Spec.ClusterIPs[0]
	}
	if svc.Spec.ClusterIP != "" && len(svc.Spec.ClusterIPs) == 0 {
		svc.Spec.ClusterIPs = []string{svc.Spec.ClusterIP}
	}
	if len(svc.Spec.IPFamilies) == 0 && (svc.Spec.ClusterIP != headless || len(svc.Spec.Selector) > 0) {
		svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
	}
	if len(svc.Spec.IPFamilies) == 0 {
		svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
	}
	if svc.Spec.IPFamilyPolicy == nil {
		single := corev1.IPFamilyPolicySingleStack
		svc.Spec.IPFamilyPolicy = &single
	}
	if svc.Spec.ClusterIP == headless {
		return nil
	}
	if before != nil && before.Spec.ClusterIP == svc.Spec.ClusterIP && svc.Spec.ClusterIP != "" {
		return nil
	}
	if svc.Spec.ClusterIP != "" {
		if err := c.s.services.TakeIP(svc.Spec.ClusterIP); err != nil {
			return err
		}
	} else {
		ip, err := c.s.services.NextIP()
		if err != nil {
			return err
		}
		svc.Spec.ClusterIP, svc.Spec.ClusterIPs = ip, []string{ip}
	}
	*taken = append(*taken, svc.Spec.ClusterIP)
	return nil
}

func usesNodePorts(svc *corev1.Service) bool {
	switch svc.Spec.Type {
	case corev1.ServiceTypeNodePort:
		return true
	case corev1.ServiceTypeLoadBalancer:
		return svc.Spec.AllocateLoadBalancerNodePorts == nil || *svc.Spec.AllocateLoadBalancerNodePorts
	}
	return false
}

func (c *call) allocatePorts(svc, before *corev1.Service, taken *[]int32) field.ErrorList {
	var errs field.ErrorList
	held := map[int32]bool{} // by the stored service
	if before != nil {
		for _, p := range allocator.Ports(before) {
			held[p] = true
		}
	}
	mine := map[int32]corev1.Protocol{}
	take := func(port int32, path *field.Path) {
		if held[port] {
			return
		}
		if err := c.s.services.TakePort(port); err != nil {
			errs = append(errs, field.Invalid(path, port, err.Error()))
			return
		}
		*taken = append(*taken, port)
	}
	wants := usesNodePorts(svc)
	if !wants && before != nil && usesNodePorts(before) && svc.Spec.Type == corev1.ServiceTypeClusterIP {
		// A change back to ClusterIP drops the ports that were not asked for again.
		for i := range svc.Spec.Ports {
			if held[svc.Spec.Ports[i].NodePort] {
				svc.Spec.Ports[i].NodePort = 0
			}
		}
	}
	if before != nil && wants {
		for i := range svc.Spec.Ports { // keep the ports of a manifest that does not name them
			p := &svc.Spec.Ports[i]
			if p.NodePort != 0 {
				continue
			}
			for _, o := range before.Spec.Ports {
				if o.NodePort != 0 && o.Port == p.Port && o.Protocol == p.Protocol && !inUse(svc, o.NodePort) {
					p.NodePort = o.NodePort
				}
			}
		}
	}
	for i := range svc.Spec.Ports {
		p := &svc.Spec.Ports[i]
		path := field.NewPath("spec", "ports").Index(i).Child("nodePort")
		if p.NodePort == 0 {
			continue
		}
		if protocol, ok := mine[p.NodePort]; ok && protocol != p.Protocol {
			continue // one port, two protocols
		}
		mine[p.NodePort] = p.Protocol
		if svc.Spec.Type == corev1.ServiceTypeNodePort || svc.Spec.Type == corev1.ServiceTypeLoadBalancer {
			take(p.NodePort, path)
		}
	}
	if len(errs) > 0 {
		return errs
	}
	for i := range svc.Spec.Ports {
		p := &svc.Spec.Ports[i]
		if p.NodePort != 0 || !wants {
			continue
		}
		for _, o := range svc.Spec.Ports { // TCP and UDP of the same port share it
			if o.NodePort != 0 && o.Port == p.Port && o.Protocol != p.Protocol {
				p.NodePort = o.NodePort
			}
		}
		if p.NodePort != 0 {
			continue
		}
		port, err := c.s.services.NextPort()
		if err != nil {
			return append(errs, field.InternalError(field.NewPath("spec", "ports").Index(i).Child("nodePort"), err))
		}
		p.NodePort = port
		mine[port] = p.Protocol
		*taken = append(*taken, port)
	}
	needsCheck := svc.Spec.Type == corev1.ServiceTypeLoadBalancer && svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
	switch {
	case needsCheck && svc.Spec.HealthCheckNodePort != 0:
		take(svc.Spec.HealthCheckNodePort, field.NewPath("spec", "healthCheckNodePort"))
	case needsCheck:
		if port, err := c.s.services.NextPort(); err == nil {
			svc.Spec.HealthCheckNodePort = port
			*taken = append(*taken, port)
		}
	case before != nil && svc.Spec.HealthCheckNodePort == before.Spec.HealthCheckNodePort:
		svc.Spec.HealthCheckNodePort = 0
	}
	return errs
}

func inUse(svc *corev1.Service, port int32) bool {
	for _, p := range svc.Spec.Ports {
		if p.NodePort == port {
			return true
		}
	}
	return false
}

// written follows each stored write: what a service no longer holds is free.
func (s *Server) written(k *Kind, old, obj metav1.Object) {
	before, ok := old.(*corev1.Service)
	if !ok {
		return
	}
	now := &corev1.Service{}
	if obj != nil {
		now = obj.(*corev1.Service)
	}
	for _, ip := range before.Spec.ClusterIPs {
		if !has(now.Spec.ClusterIPs, ip) {
			s.services.ReleaseIP(ip)
		}
	}
	kept := map[int32]bool{}
	for _, p := range allocator.Ports(now) {
		kept[p] = true
	}
	for _, p := range allocator.Ports(before) {
		if !kept[p] {
			s.services.ReleasePort(p)
		}
	}
}

// Reload reads anew what the server derives from stored objects, after the
// store has been restored.
func (s *Server) Reload() {
	s.services.Reset(s.store)
	s.expiry.reload()
}
