// This file is the strategy of services. Addresses and ports are allocated by
// the server between preparation and validation.

package resource

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/intstr"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

var (
	threeHours      = new(corev1.DefaultClientIPServiceAffinitySeconds)
	internalCluster = new(corev1.ServiceInternalTrafficPolicyCluster)
	ipModeVIP       = new(corev1.LoadBalancerIPModeVIP)
)

func init() {
	Register("services", &Strategy{
		Default: func(obj metav1.Object) { defaultService(obj.(*corev1.Service)) },
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			s := obj.(*corev1.Service)
			s.Status = corev1.ServiceStatus{}
			clearServiceFields(s, nil)
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			s, old := obj.(*corev1.Service), oldObj.(*corev1.Service)
			s.Status = old.Status
			if s.Spec.ClusterIP != old.Spec.ClusterIP && slices.Equal(s.Spec.ClusterIPs, old.Spec.ClusterIPs) { // the list follows
				if s.Spec.ClusterIPs = slices.Clone(s.Spec.ClusterIPs); s.Spec.ClusterIP == "" {
					s.Spec.ClusterIPs = nil
				} else if len(s.Spec.ClusterIPs) > 0 {
					s.Spec.ClusterIPs[0] = s.Spec.ClusterIP
				}
			}
			clearServiceFields(s, old)
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			obj.(*corev1.Service).Spec = oldObj.(*corev1.Service).Spec
		},
		Warnings: func(_ *Context, obj, _ metav1.Object) []string { return serviceWarnings(obj.(*corev1.Service)) },
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsLabel)}
			v.service(obj.(*corev1.Service), nil)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, oldObj)}
			s, old := obj.(*corev1.Service), oldObj.(*corev1.Service)
			if s.Spec.Type != corev1.ServiceTypeExternalName && old.Spec.Type != corev1.ServiceTypeExternalName && old.Spec.ClusterIP != "" {
				if len(s.Spec.ClusterIPs) == 0 {
					v.invalid(specPath.Child("clusterIPs").Index(0), s.Spec.ClusterIPs, "primary clusterIP can not be unset")
				} else if len(old.Spec.ClusterIPs) > 0 && s.Spec.ClusterIPs[0] != old.Spec.ClusterIPs[0] {
					v.invalid(specPath.Child("clusterIPs").Index(0), s.Spec.ClusterIPs, "may not change once set")
				}
			}
			v.service(s, old)
			return v.errs
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			s := obj.(*corev1.Service)
			p := statusPath.Child("loadBalancer", "ingress")
			if s.Spec.Type != corev1.ServiceTypeLoadBalancer && len(s.Status.LoadBalancer.Ingress) > 0 {
				v.forbidden(p, "may only be used when `spec.type` is \"LoadBalancer\"")
			}
			for i, ingress := range s.Status.LoadBalancer.Ingress {
				if ingress.IP != "" {
					v.add(validateIP(ingress.IP, p.Index(i).Child("ip")))
				}
				if ingress.Hostname != "" {
					v.check(p.Index(i), "hostname", ingress.Hostname, dnsSubdomain)
				}
			}
			return v.errs
		},
		Fields: func(obj metav1.Object) fields.Set {
			s := obj.(*corev1.Service)
			return fields.Set{"spec.clusterIP": s.Spec.ClusterIP, "spec.type": string(s.Spec.Type)}
		},
		FieldNames: []string{"spec.clusterIP", "spec.type"},
		Columns: []column{
			nameColumn(),
			text("Type", "How the service is reached."),
			text("Cluster-IP", "Its address within the cluster."),
			text("External-IP", "Its addresses for the world outside."),
			text("Port(s)", "Its ports, with the ports of the nodes that lead to them."),
			ageColumn(),
			wide(text("Selector", "Which pods answer.")),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			s := obj.(*corev1.Service)
			ip := none
			if len(s.Spec.ClusterIPs) > 0 {
				ip = s.Spec.ClusterIPs[0]
			}
			return []any{s.Name, string(s.Spec.Type), ip, externalAddresses(s), servicePorts(s.Spec.Ports), age(s, now), formatLabels(s.Spec.Selector)}
		},
	})
}

func defaultService(s *corev1.Service) {
	spec := &s.Spec
	if spec.SessionAffinity == "" {
		spec.SessionAffinity = corev1.ServiceAffinityNone
	}
	switch c := spec.SessionAffinityConfig; {
	case spec.SessionAffinity == corev1.ServiceAffinityNone:
		spec.SessionAffinityConfig = nil
	case spec.SessionAffinity == corev1.ServiceAffinityClientIP && (c == nil || c.ClientIP == nil || c.ClientIP.TimeoutSeconds == nil):
		spec.SessionAffinityConfig = &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: threeHours}}
	}
	if spec.Type == "" {
		spec.Type = corev1.ServiceTypeClusterIP
	}
	spec.Ports = mapped(spec.Ports, func(p *corev1.ServicePort) *corev1.ServicePort {
		return edited(p, func(d *draft[corev1.ServicePort]) {
			if d.p.Protocol == "" {
				d.edit().Protocol = corev1.ProtocolTCP
			}
			if d.p.TargetPort == intstr.FromInt32(0) || d.p.TargetPort == intstr.FromString("") {
				d.edit().TargetPort = intstr.FromInt32(d.p.Port)
			}
		})
	})
	if externallyAccessible(s) && spec.ExternalTrafficPolicy == "" {
		spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
	}
	if spec.InternalTrafficPolicy == nil && spec.Type != corev1.ServiceTypeExternalName {
		switch spec.Type {
		case corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeClusterIP:
			spec.InternalTrafficPolicy = internalCluster
		}
	}
	if spec.Type == corev1.ServiceTypeLoadBalancer {
		if spec.AllocateLoadBalancerNodePorts == nil {
			spec.AllocateLoadBalancerNodePorts = yes
		}
		s.Status.LoadBalancer.Ingress = mapped(s.Status.LoadBalancer.Ingress, func(i *corev1.LoadBalancerIngress) *corev1.LoadBalancerIngress {
			if i.IP == "" || i.IPMode != nil {
				return i
			}
			j := *i
			j.IPMode = ipModeVIP
			return &j
		})
	}
	// clusterIP and clusterIPs say the same
	if spec.ClusterIP != "" && len(spec.ClusterIPs) == 0 {
		spec.ClusterIPs = []string{spec.ClusterIP}
	}
}

func externallyAccessible(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer || s.Spec.Type == corev1.ServiceTypeNodePort ||
		s.Spec.Type == corev1.ServiceTypeClusterIP && len(s.Spec.ExternalIPs) > 0
}

// clearServiceFields drops, when the type changes, what the new type cannot have
// and the client only carried along.
func clearServiceFields(s, old *corev1.Service) {
	if old == nil || s.Spec.Type == old.Spec.Type {
		return
	}
	if !externallyAccessible(s) && s.Spec.ExternalTrafficPolicy == old.Spec.ExternalTrafficPolicy {
		s.Spec.ExternalTrafficPolicy = ""
	}
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		if equalPointers(s.Spec.AllocateLoadBalancerNodePorts, old.Spec.AllocateLoadBalancerNodePorts) {
			s.Spec.AllocateLoadBalancerNodePorts = nil
		}
		if equalPointers(s.Spec.LoadBalancerClass, old.Spec.LoadBalancerClass) {
			s.Spec.LoadBalancerClass = nil
		}
		if s.Spec.HealthCheckNodePort == old.Spec.HealthCheckNodePort {
			s.Spec.HealthCheckNodePort = 0
		}
		s.Status.LoadBalancer = corev1.LoadBalancerStatus{}
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		if s.Spec.ClusterIP == old.Spec.ClusterIP && slices.Equal(s.Spec.ClusterIPs, old.Spec.ClusterIPs) {
			s.Spec.ClusterIP, s.Spec.ClusterIPs = "", nil
		}
		if slices.Equal(s.Spec.IPFamilies, old.Spec.IPFamilies) {
			s.Spec.IPFamilies = nil
		}
		if equalPointers(s.Spec.IPFamilyPolicy, old.Spec.IPFamilyPolicy) {
			s.Spec.IPFamilyPolicy = nil
		}
		s.Spec.InternalTrafficPolicy = nil
	}
}

func (v *validator) service(s, old *corev1.Service) {
	spec := &s.Spec
	p := specPath
	headless := len(spec.ClusterIPs) == 1 && spec.ClusterIPs[0] == corev1.ClusterIPNone
	if len(spec.Ports) == 0 && !headless && spec.Type != corev1.ServiceTypeExternalName {
		v.required(p.Child("ports"), "")
	}
	switch spec.Type {
	case corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort:
		if headless {
			v.invalid(p.Child("clusterIPs").Index(0), corev1.ClusterIPNone, "may not be set to 'None' for "+string(spec.Type)+" services")
		}
	case corev1.ServiceTypeExternalName:
		if len(spec.ClusterIPs) > 0 {
			v.forbidden(p.Child("clusterIPs"), "may not be set for ExternalName services")
		}
		if len(spec.IPFamilies) > 0 {
			v.forbidden(p.Child("ipFamilies"), "may not be set for ExternalName services")
		}
		if spec.IPFamilyPolicy != nil {
			v.forbidden(p.Child("ipFamilyPolicy"), "may not be set for ExternalName services")
		}
		if name := strings.TrimSuffix(spec.ExternalName, "."); name == "" {
			v.required(p.Child("externalName"), "")
		} else {
			v.check(p, "externalName", name, dnsSubdomain)
		}
	}
	names := map[string]bool{}
	for i := range spec.Ports {
		port := &spec.Ports[i]
		at := p.Child("ports").Index(i)
		if port.Name != "" {
			v.check(at, "name", port.Name, dnsLabel)
			if names[port.Name] {
				v.duplicate(at.Child("name"), port.Name)
			}
			names[port.Name] = true
		} else if len(spec.Ports) > 1 {
			v.required(at.Child("name"), "")
		}
		v.port(port.Port, at, "port")
		if port.Protocol == "" {
			v.required(at.Child("protocol"), "")
		} else {
			oneOf(v, at, "protocol", port.Protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)
		}
		v.portOrName(port.TargetPort, at, "targetPort")
		if port.AppProtocol != nil {
			v.check(at, "appProtocol", *port.AppProtocol, qualifiedName)
		}
	}
	v.add(validateLabels(spec.Selector, p, "selector"))
	if spec.SessionAffinity == "" {
		v.required(p.Child("sessionAffinity"), "")
	} else {
		oneOf(v, p, "sessionAffinity", spec.SessionAffinity, corev1.ServiceAffinityClientIP, corev1.ServiceAffinityNone)
	}
	if c := spec.SessionAffinityConfig; spec.SessionAffinity == corev1.ServiceAffinityClientIP && c != nil && c.ClientIP != nil && c.ClientIP.TimeoutSeconds != nil {
		if t := *c.ClientIP.TimeoutSeconds; t <= 0 || t > 86400 {
			v.invalid(p.Child("sessionAffinityConfig", "clientIP", "timeoutSeconds"), t, "must be greater than 0 and less than 86400")
		}
	} else if spec.SessionAffinity == corev1.ServiceAffinityNone && c != nil {
		v.forbidden(p.Child("sessionAffinityConfig"), "must not be set when session affinity is None")
	}
	v.clusterIPs(s)
	for i, ip := range spec.ExternalIPs {
		at := p.Child("externalIPs").Index(i)
		if errs := validateIP(ip, at); len(errs) > 0 {
			v.add(errs)
		} else {
			v.add(validateEndpointIP(ip, at))
		}
	}
	if spec.Type == "" {
		v.required(p.Child("type"), "")
	} else {
		oneOf(v, p, "type", spec.Type, corev1.ServiceTypeClusterIP, corev1.ServiceTypeExternalName, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort)
	}
	if spec.Type == corev1.ServiceTypeClusterIP {
		for i := range spec.Ports {
			if spec.Ports[i].NodePort != 0 {
				v.forbidden(p.Child("ports").Index(i).Child("nodePort"), "may not be used when `type` is 'ClusterIP'")
			}
		}
	}
	for i, a := range spec.Ports {
		for _, b := range spec.Ports[:i] {
			if a.NodePort != 0 && a.NodePort == b.NodePort && a.Protocol == b.Protocol {
				v.duplicate(p.Child("ports").Index(i).Child("nodePort"), a.NodePort)
				break
			}
		}
	}
	for i, a := range spec.Ports {
		for _, b := range spec.Ports[:i] {
			if a.Port == b.Port && a.Protocol == b.Protocol {
				v.duplicate(p.Child("ports").Index(i), internal{servicePortKey{Protocol: a.Protocol, Port: a.Port}})
				break
			}
		}
	}
	if len(spec.LoadBalancerSourceRanges) > 0 {
		at := p.Child("LoadBalancerSourceRanges")
		if spec.Type != corev1.ServiceTypeLoadBalancer {
			v.forbidden(at, "may only be used when `type` is 'LoadBalancer'")
		}
		for i, cidr := range spec.LoadBalancerSourceRanges {
			v.add(validateCIDR(strings.TrimSpace(cidr), at.Index(i)))
		}
	}
	if spec.AllocateLoadBalancerNodePorts != nil && spec.Type != corev1.ServiceTypeLoadBalancer {
		v.forbidden(p.Child("allocateLoadBalancerNodePorts"), "may only be used when `type` is 'LoadBalancer'")
	}
	if spec.Type == corev1.ServiceTypeLoadBalancer && spec.AllocateLoadBalancerNodePorts == nil {
		v.required(field.NewPath("allocateLoadBalancerNodePorts"), "")
	}
	if spec.LoadBalancerClass != nil {
		if spec.Type != corev1.ServiceTypeLoadBalancer {
			v.forbidden(p.Child("loadBalancerClass"), "may only be used when `type` is 'LoadBalancer'")
		} else {
			v.check(p, "loadBalancerClass", *spec.LoadBalancerClass, qualifiedName)
		}
	}
	if !externallyAccessible(s) {
		if spec.ExternalTrafficPolicy != "" {
			v.invalid(p.Child("externalTrafficPolicy"), spec.ExternalTrafficPolicy, "may only be set for externally-accessible services")
		}
	} else if spec.ExternalTrafficPolicy == "" {
		v.required(p.Child("externalTrafficPolicy"), "")
	} else {
		oneOf(v, p, "externalTrafficPolicy", spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)
	}
	local := spec.Type == corev1.ServiceTypeLoadBalancer && spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
	if !local && spec.HealthCheckNodePort != 0 {
		v.invalid(p.Child("healthCheckNodePort"), spec.HealthCheckNodePort, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'")
	}
	if i := spec.InternalTrafficPolicy; i != nil {
		oneOf(v, p, "internalTrafficPolicy", *i, corev1.ServiceInternalTrafficPolicyCluster, corev1.ServiceInternalTrafficPolicyLocal)
	}
	if t := spec.TrafficDistribution; t != nil {
		oneOf(v, p, "trafficDistribution", *t, corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode)
	}
}

// servicePortKey prints as the server's own type does.
type servicePortKey struct {
	Name        string
	Protocol    corev1.Protocol
	AppProtocol *string
	Port        int32
	TargetPort  intstr.IntOrString
	NodePort    int32
}

func (v *validator) clusterIPs(s *corev1.Service) {
	spec := &s.Spec
	if spec.Type == corev1.ServiceTypeExternalName {
		return
	}
	for i, f := range spec.IPFamilies {
		oneOf(v, specPath, "ipFamilies", f, corev1.IPv4Protocol, corev1.IPv6Protocol)
		if slices.Contains(spec.IPFamilies[:i], f) {
			v.duplicate(specPath.Child("ipFamilies").Index(i), f)
		}
	}
	if f := spec.IPFamilyPolicy; f != nil {
		oneOf(v, specPath, "ipFamilyPolicy", *f, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack, corev1.IPFamilyPolicySingleStack)
	}
	if len(spec.ClusterIPs) == 0 {
		return
	}
	p := specPath.Child("clusterIPs")
	if spec.ClusterIP != "" && spec.ClusterIP != spec.ClusterIPs[0] {
		v.invalid(p, spec.ClusterIPs, "first value must match `clusterIP`")
	}
	if len(spec.ClusterIPs) > 1 && slices.Contains(spec.ClusterIPs, corev1.ClusterIPNone) {
		v.invalid(p, spec.ClusterIPs, "'None' must be the first and only value")
	}
	for i, ip := range spec.ClusterIPs {
		if ip == corev1.ClusterIPNone {
			continue
		}
		v.add(validateIP(ip, p.Index(i)))
	}
}

func externalAddresses(s *corev1.Service) string {
	switch s.Spec.Type {
	case corev1.ServiceTypeExternalName:
		return s.Spec.ExternalName
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort:
		return orNone(strings.Join(s.Spec.ExternalIPs, ","))
	case corev1.ServiceTypeLoadBalancer:
		all := append(loadBalancers(s.Status.LoadBalancer.Ingress), s.Spec.ExternalIPs...)
		if len(all) == 0 {
			return "<pending>"
		}
		return strings.Join(all, ",")
	}
	return "<unknown>"
}

func loadBalancers(list []corev1.LoadBalancerIngress) []string {
	var out []string
	for _, i := range list {
		if i.IP != "" {
			out = append(out, i.IP)
		} else if i.Hostname != "" {
			out = append(out, i.Hostname)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func servicePorts(ports []corev1.ServicePort) string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = strconv.Itoa(int(p.Port))
		if p.NodePort > 0 {
			out[i] += fmt.Sprintf(":%d", p.NodePort)
		}
		out[i] += "/" + string(p.Protocol)
	}
	return orNone(strings.Join(out, ","))
}

// serviceWarnings are the server's hints about fields that do nothing, or will not for long.
func serviceWarnings(s *corev1.Service) []string {
	spec := &s.Spec
	external := spec.Type == corev1.ServiceTypeExternalName
	headless := !external && spec.ClusterIP == corev1.ClusterIPNone
	var out []string
	for _, w := range [...]struct {
		when bool
		text string
	}{
		{headless && spec.LoadBalancerIP != "", "spec.loadBalancerIP is ignored for headless services"},
		{headless && len(spec.ExternalIPs) > 0, "spec.externalIPs is ignored for headless services"},
		{headless && spec.SessionAffinity != corev1.ServiceAffinityNone, "spec.SessionAffinity is ignored for headless services"},
		{!headless && !external && len(spec.ExternalIPs) > 0, "spec.externalIPs is deprecated and may no longer be implemented in some clusters"},
		{external && len(spec.ExternalIPs) > 0, `spec.externalIPs is ignored when spec.type is "ExternalName"`},
		{!external && spec.ExternalName != "", `spec.externalName is ignored when spec.type is not "ExternalName"`},
		{deref(spec.TrafficDistribution) == "PreferClose", `spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"`},
	} {
		if w.when {
			out = append(out, w.text)
		}
	}
	return out
}
