// This file is the strategy of ingresses, ingress classes and network policies.

package resource

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/intstr"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	networkingv1 "github.com/kubonsai/kubonsai/sim/api/networking/v1"
	"github.com/kubonsai/kubonsai/sim/api/validation"
)

var scopeCluster = new(string(networkingv1.IngressClassParametersReferenceScopeCluster))

func init() {
	Register("ingresses.networking.k8s.io", &Strategy{
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			i := obj.(*networkingv1.Ingress)
			i.Generation = 1
			i.Status = networkingv1.IngressStatus{}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			i, old := obj.(*networkingv1.Ingress), oldObj.(*networkingv1.Ingress)
			i.Status = old.Status
			nextGeneration(i, old, semanticEqual(&i.Spec, &old.Spec))
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			i, old := obj.(*networkingv1.Ingress), oldObj.(*networkingv1.Ingress)
			i.Spec = old.Spec
			i.Generation = old.Generation
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			i := obj.(*networkingv1.Ingress)
			v := validator{errs: validateMeta(i, true, dnsSubdomain)}
			v.ingress(&i.Spec)
			const class = "kubernetes.io/ingress.class"
			if a, ok := i.Annotations[class]; ok && i.Spec.IngressClassName != nil && a != *i.Spec.IngressClassName {
				v.invalid(field.NewPath("annotations").Child(class), a, "must match `ingressClassName` when both are specified")
			}
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.ingress(&obj.(*networkingv1.Ingress).Spec)
			return v.errs
		},
		Columns: []column{
			nameColumn(),
			text("Class", "Which controller serves it."),
			text("Hosts", "The hosts that it answers for."),
			text("Address", "Where it is reached."),
			text("Ports", "The ports it listens on."),
			ageColumn(),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			i := obj.(*networkingv1.Ingress)
			class := none
			if i.Spec.IngressClassName != nil {
				class = *i.Spec.IngressClassName
			}
			var addresses []string
			for _, a := range i.Status.LoadBalancer.Ingress {
				if a.IP != "" {
					addresses = append(addresses, a.IP)
				} else if a.Hostname != "" {
					addresses = append(addresses, a.Hostname)
				}
			}
			slices.Sort(addresses)
			ports := "80"
			if len(i.Spec.TLS) > 0 {
				ports = "80, 443"
			}
			return []any{i.Name, class, ingressHosts(i.Spec.Rules), strings.Join(slices.Compact(addresses), ","), ports, age(i, now)}
		},
	})
	Register("ingressclasses.networking.k8s.io", &Strategy{
		Default: func(obj metav1.Object) {
			c := obj.(*networkingv1.IngressClass)
			if p := c.Spec.Parameters; p != nil && p.Scope == nil {
				q := *p
				q.Scope = scopeCluster
				c.Spec.Parameters = &q
			}
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) { obj.GetObjectMeta().Generation = 1 },
		PrepareForUpdate: func(_ *Context, obj, old metav1.Object) {
			nextGeneration(obj, old, semanticEqual(&obj.(*networkingv1.IngressClass).Spec, &old.(*networkingv1.IngressClass).Spec))
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			c := obj.(*networkingv1.IngressClass)
			v := validator{errs: validateMeta(c, false, dnsSubdomain)}
			if c.Spec.Controller == "" {
				v.required(specPath.Child("controller"), "")
			} else {
				v.add(validation.IsDomainPrefixedPath(specPath.Child("controller"), c.Spec.Controller))
			}
			if p, at := c.Spec.Parameters, specPath.Child("parameters"); p != nil {
				if p.Kind == "" {
					v.required(at.Child("kind"), "")
				}
				if p.Name == "" {
					v.required(at.Child("name"), "")
				}
			}
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			c := obj.(*networkingv1.IngressClass)
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.add(immutableField(specPath.Child("controller"), c.Spec.Controller, old.(*networkingv1.IngressClass).Spec.Controller))
			return v.errs
		},
		Columns: []column{nameColumn(), text("Controller", "Who serves the class."), text("Parameters", "Where its settings are."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			c := obj.(*networkingv1.IngressClass)
			name, parameters := c.Name, none
			if c.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true" {
				name += " (default)"
			}
			if p := c.Spec.Parameters; p != nil {
				parameters = p.Kind
				if p.APIGroup != nil {
					parameters += "." + *p.APIGroup
				}
				parameters += "/" + p.Name
			}
			return []any{name, c.Spec.Controller, parameters, age(c, now)}
		},
	})
	Register("networkpolicies.networking.k8s.io", &Strategy{
		Default: func(obj metav1.Object) {
			n := obj.(*networkingv1.NetworkPolicy)
			if len(n.Spec.PolicyTypes) == 0 {
				n.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
				if len(n.Spec.Egress) > 0 {
					n.Spec.PolicyTypes = append(n.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
				}
			}
			port := func(p *networkingv1.NetworkPolicyPort) *networkingv1.NetworkPolicyPort {
				if p.Protocol != nil {
					return p
				}
				q := *p
				q.Protocol = protocolTCP
				return &q
			}
			n.Spec.Ingress = mapped(n.Spec.Ingress, func(r *networkingv1.NetworkPolicyIngressRule) *networkingv1.NetworkPolicyIngressRule {
				if ports := mapped(r.Ports, port); replaced(ports, r.Ports) {
					return &networkingv1.NetworkPolicyIngressRule{Ports: ports, From: r.From}
				}
				return r
			})
			n.Spec.Egress = mapped(n.Spec.Egress, func(r *networkingv1.NetworkPolicyEgressRule) *networkingv1.NetworkPolicyEgressRule {
				if ports := mapped(r.Ports, port); replaced(ports, r.Ports) {
					return &networkingv1.NetworkPolicyEgressRule{Ports: ports, To: r.To}
				}
				return r
			})
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) { obj.GetObjectMeta().Generation = 1 },
		PrepareForUpdate: func(_ *Context, obj, old metav1.Object) {
			nextGeneration(obj, old, semanticEqual(&obj.(*networkingv1.NetworkPolicy).Spec, &old.(*networkingv1.NetworkPolicy).Spec))
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.networkPolicy(&obj.(*networkingv1.NetworkPolicy).Spec)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.networkPolicy(&obj.(*networkingv1.NetworkPolicy).Spec)
			return v.errs
		},
		Columns: []column{nameColumn(), text("Pod-Selector", "Which pods it protects."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			n := obj.(*networkingv1.NetworkPolicy)
			return []any{n.Name, formatSelector(&n.Spec.PodSelector), age(n, now)}
		},
	})
}

func ingressHosts(rules []networkingv1.IngressRule) string {
	var hosts []string
	more := false
	for _, r := range rules {
		if len(hosts) == 3 {
			more = true
			break
		}
		if r.Host != "" {
			hosts = append(hosts, r.Host)
		}
	}
	switch {
	case len(hosts) == 0:
		return "*"
	case more:
		return fmt.Sprintf("%s + %d more...", strings.Join(hosts, ","), len(rules)-3)
	}
	return strings.Join(hosts, ",")
}

func (v *validator) ingress(spec *networkingv1.IngressSpec) {
	if len(spec.Rules) == 0 && spec.DefaultBackend == nil {
		v.invalid(specPath, internal{spec.Rules}, "either `defaultBackend` or `rules` must be specified")
	}
	if spec.DefaultBackend != nil {
		v.backend(spec.DefaultBackend, specPath.Child("defaultBackend"))
	}
	host := func(h string, p *field.Path) {
		check := nameCheck(dnsSubdomain)
		if strings.Contains(h, "*") {
			check = validation.IsWildcardDNS1123Subdomain
		}
		for _, msg := range check(h) {
			v.invalid(p, h, msg)
		}
	}
	for i := range spec.Rules {
		r := &spec.Rules[i]
		p := specPath.Child("rules").Index(i)
		if r.Host != "" {
			if _, err := netip.ParseAddr(r.Host); err == nil {
				v.invalid(p.Child("host"), r.Host, "must be a DNS name, not an IP address")
			}
			host(r.Host, p.Child("host"))
		}
		if r.HTTP == nil {
			continue
		}
		if len(r.HTTP.Paths) == 0 {
			v.required(p.Child("http", "paths"), "")
		}
		for j := range r.HTTP.Paths {
			v.ingressPath(&r.HTTP.Paths[j], p.Child("http", "paths").Index(j))
		}
	}
	for i, t := range spec.TLS {
		for j, h := range t.Hosts {
			host(h, specPath.Child("tls").Index(i).Child("hosts").Index(j))
		}
		if t.SecretName != "" {
			v.check(specPath.Child("tls").Index(i), "secretName", t.SecretName, dnsSubdomain)
		}
	}
	if spec.IngressClassName != nil {
		v.check(specPath, "ingressClassName", *spec.IngressClassName, dnsSubdomain)
	}
}

func (v *validator) ingressPath(h *networkingv1.HTTPIngressPath, p *field.Path) {
	if h.PathType == nil {
		v.required(p.Child("pathType"), "pathType must be specified")
		return
	}
	switch *h.PathType {
	case networkingv1.PathTypeExact, networkingv1.PathTypePrefix:
		if !strings.HasPrefix(h.Path, "/") {
			v.invalid(p.Child("path"), h.Path, "must be an absolute path")
		}
		for _, s := range []string{"//", "/./", "/../", "%2f", "%2F"} {
			if strings.Contains(h.Path, s) {
				v.invalid(p.Child("path"), h.Path, "must not contain '"+s+"'")
			}
		}
		for _, s := range []string{"/..", "/."} {
			if strings.HasSuffix(h.Path, s) {
				v.invalid(p.Child("path"), h.Path, "cannot end with '"+s+"'")
			}
		}
	case networkingv1.PathTypeImplementationSpecific:
		if h.Path != "" && !strings.HasPrefix(h.Path, "/") {
			v.invalid(p.Child("path"), h.Path, "must be an absolute path")
		}
	default:
		oneOf(v, p, "pathType", *h.PathType, networkingv1.PathTypeExact, networkingv1.PathTypeImplementationSpecific, networkingv1.PathTypePrefix)
	}
	v.backend(&h.Backend, p.Child("backend"))
}

func (v *validator) backend(b *networkingv1.IngressBackend, p *field.Path) {
	switch {
	case b.Resource != nil && b.Service != nil:
		v.invalid(p, "", "cannot set both resource and service backends")
	case b.Resource != nil:
		if b.Resource.Kind == "" {
			v.required(p.Child("resource", "kind"), "")
		}
		if b.Resource.Name == "" {
			v.required(p.Child("resource", "name"), "")
		}
	case b.Service != nil:
		if b.Service.Name == "" {
			v.required(p.Child("service", "name"), "")
		} else {
			v.check(p.Child("service"), "name", b.Service.Name, dnsLabel)
		}
		port := &b.Service.Port
		switch {
		case port.Name != "" && port.Number != 0:
			v.invalid(p, "", "cannot set both port name & port number")
		case port.Name != "":
			v.check(p.Child("service", "port"), "name", port.Name, validation.IsValidPortName)
		case port.Number != 0:
			v.port(port.Number, p.Child("service", "port"), "number")
		default:
			v.required(p, "port name or number is required")
		}
	default:
		v.invalid(p, "", "resource or service backend is required")
	}
}

func (v *validator) networkPolicy(spec *networkingv1.NetworkPolicySpec) {
	v.add(validateSelector(&spec.PodSelector, specPath.Child("podSelector")))
	ports := func(list []networkingv1.NetworkPolicyPort, p *field.Path) {
		for i, port := range list {
			at := p.Child("ports").Index(i)
			if port.Protocol != nil {
				oneOf(v, at, "protocol", *port.Protocol, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
			}
			if port.Port == nil {
				if port.EndPort != nil {
					v.invalid(at.Child("endPort"), *port.EndPort, "may not be specified when `port` is not specified")
				}
				continue
			}
			v.portOrName(*port.Port, at, "port")
			if port.EndPort != nil {
				if port.Port.Type == intstr.String {
					v.invalid(at.Child("endPort"), *port.EndPort, "may not be specified when `port` is non-numeric")
				} else if *port.EndPort < port.Port.IntVal {
					v.invalid(at.Child("endPort"), port.Port.IntVal, "must be greater than or equal to `port`")
				}
			}
		}
	}
	peers := func(list []networkingv1.NetworkPolicyPeer, child string, p *field.Path) {
		for i, peer := range list {
			at := p.Child(child).Index(i)
			n := 0
			if peer.PodSelector != nil {
				n++
				v.add(validateSelector(peer.PodSelector, at.Child("podSelector")))
			}
			if peer.NamespaceSelector != nil {
				n++
				v.add(validateSelector(peer.NamespaceSelector, at.Child("namespaceSelector")))
			}
			if b := peer.IPBlock; b != nil {
				n++
				if b.CIDR == "" {
					v.required(at.Child("ipBlock", "cidr"), "")
				} else {
					v.add(validateCIDR(b.CIDR, at.Child("ipBlock", "cidr")))
				}
				for j, except := range b.Except {
					at := at.Child("ipBlock", "except").Index(j)
					errs := validateCIDR(except, at)
					v.add(errs)
					outer, err := netip.ParsePrefix(b.CIDR)
					if inner, e := netip.ParsePrefix(except); err == nil && e == nil && len(errs) == 0 && (!outer.Contains(inner.Addr()) || outer.Bits() >= inner.Bits()) {
						v.invalid(at, except, "must be a strict subset of `cidr`")
					}
				}
			}
			if n == 0 {
				v.required(at, "must specify a peer")
			} else if n > 1 && peer.IPBlock != nil {
				v.forbidden(at, "may not specify both ipBlock and another peer")
			}
		}
	}
	for i, r := range spec.Ingress {
		p := specPath.Child("ingress").Index(i)
		ports(r.Ports, p)
		peers(r.From, "from", p)
	}
	for i, r := range spec.Egress {
		p := specPath.Child("egress").Index(i)
		ports(r.Ports, p)
		peers(r.To, "to", p)
	}
	if len(spec.PolicyTypes) > 2 {
		v.invalid(specPath.Child("policyTypes"), spec.PolicyTypes, "may not specify more than two policyTypes")
		return
	}
	for i, t := range spec.PolicyTypes {
		if t != networkingv1.PolicyTypeEgress && t != networkingv1.PolicyTypeIngress {
			v.errs = append(v.errs, field.NotSupported(specPath.Child("policyTypes").Index(i), t, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}))
		}
	}
}
