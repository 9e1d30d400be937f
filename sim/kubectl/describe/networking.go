// The pages of network policies, ingresses and their classes.

package describe

import (
	"fmt"
	"net/url"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	networkingv1 "github.com/kubonsai/kubonsai/sim/api/networking/v1"
)

func init() {
	register("networking.k8s.io", "NetworkPolicy", networkPolicy)
	register("networking.k8s.io", "Ingress", ingress)
	register("networking.k8s.io", "IngressClass", ingressClass)
}

func networkPolicy(p *page, o *networkingv1.NetworkPolicy) error {
	p.head(&o.ObjectMeta)
	p.line(0, "Created on:\t%s", o.CreationTimestamp.Time)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Spec:")
	p.text(1, "PodSelector: ")
	if len(o.Spec.PodSelector.MatchLabels) == 0 && len(o.Spec.PodSelector.MatchExpressions) == 0 {
		p.line(2, "<none> (Allowing the specific traffic to all pods in this namespace)")
	} else {
		p.line(2, "%s", selectorText(&o.Spec.PodSelector))
	}
	affects := func(t networkingv1.PolicyType) bool {
		for _, have := range o.Spec.PolicyTypes {
			if have == t {
				return true
			}
		}
		return false
	}
	if affects(networkingv1.PolicyTypeIngress) {
		p.line(1, "Allowing ingress traffic:")
		for i, r := range o.Spec.Ingress {
			p.policyRule(i, "From", "source", r.Ports, r.From)
		}
		p.isolated(len(o.Spec.Ingress), "ingress")
	} else {
		p.line(1, "Not affecting ingress traffic")
	}
	if affects(networkingv1.PolicyTypeEgress) {
		p.line(1, "Allowing egress traffic:")
		for i, r := range o.Spec.Egress {
			p.policyRule(i, "To", "destination", r.Ports, r.To)
		}
		p.isolated(len(o.Spec.Egress), "egress")
	} else {
		p.line(1, "Not affecting egress traffic")
	}
	types := make([]string, len(o.Spec.PolicyTypes))
	for i, t := range o.Spec.PolicyTypes {
		types[i] = string(t)
	}
	p.line(1, "Policy Types: %s", strings.Join(types, ", "))
	return nil
}

func (p *page) isolated(rules int, direction string) {
	if rules == 0 {
		p.line(2, "<none> (Selected pods are isolated for %s connectivity)", direction)
	}
}

func (p *page) policyRule(i int, word, what string, ports []networkingv1.NetworkPolicyPort, peers []networkingv1.NetworkPolicyPeer) {
	if i > 0 {
		p.line(2, "----------")
	}
	if len(ports) == 0 {
		p.line(2, "To Port: <any> (traffic allowed to all ports)")
	}
	for _, port := range ports {
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		switch {
		case port.Port == nil:
			p.line(2, "To Port: <nil>/%s", protocol)
		case port.EndPort != nil:
			p.line(2, "To Port Range: %s-%d/%s", port.Port, *port.EndPort, protocol)
		default:
			p.line(2, "To Port: %s/%s", port.Port, protocol)
		}
	}
	if len(peers) == 0 {
		p.line(2, "%s: <any> (traffic not restricted by %s)", word, what)
	}
	for _, peer := range peers {
		p.line(2, "%s:", word)
		if b := peer.IPBlock; b != nil {
			p.line(3, "IPBlock:")
			p.line(4, "CIDR: %s", b.CIDR)
			p.line(4, "Except: %s", strings.Join(b.Except, ", "))
			continue
		}
		if peer.NamespaceSelector != nil {
			p.line(3, "NamespaceSelector: %s", orNone(selectorText(peer.NamespaceSelector)))
		}
		if peer.PodSelector != nil {
			p.line(3, "PodSelector: %s", orNone(selectorText(peer.PodSelector)))
		}
	}
}

func ingress(p *page, o *networkingv1.Ingress) error {
	p.line(0, "Name:\t%s", o.Name)
	p.labels(0, "Labels", o.Labels)
	p.line(0, "Namespace:\t%s", o.Namespace)
	var at []string
	for _, i := range o.Status.LoadBalancer.Ingress {
		if i.IP != "" {
			at = append(at, i.IP)
		} else if i.Hostname != "" {
			at = append(at, i.Hostname)
		}
	}
	p.line(0, "Address:\t%s", strings.Join(at, ","))
	class := "<none>"
	if o.Spec.IngressClassName != nil {
		class = *o.Spec.IngressClassName
	}
	p.line(0, "Ingress Class:\t%s", class)
	def := "<default>"
	if o.Spec.DefaultBackend != nil {
		def = p.backend(o.Namespace, o.Spec.DefaultBackend)
	}
	p.line(0, "Default backend:\t%s", def)
	if len(o.Spec.TLS) > 0 {
		p.line(0, "TLS:")
		for _, t := range o.Spec.TLS {
			if t.SecretName == "" {
				p.line(1, "SNI routes %s", strings.Join(t.Hosts, ","))
			} else {
				p.line(1, "%s terminates %s", t.SecretName, strings.Join(t.Hosts, ","))
			}
		}
	}
	p.line(0, "Rules:")
	p.line(1, "Host\tPath\tBackends")
	p.line(1, "----\t----\t--------")
	none := true
	for _, r := range o.Spec.Rules {
		if r.HTTP == nil {
			continue
		}
		none = false
		host := r.Host
		if host == "" {
			host = "*"
		}
		p.line(1, "%s\t", host)
		for i := range r.HTTP.Paths {
			h := &r.HTTP.Paths[i]
			p.line(2, "\t%s \t%s", h.Path, p.backend(o.Namespace, &h.Backend))
		}
	}
	if none {
		p.line(1, "*\t*\t%s", def)
	}
	p.annotations(0, "Annotations", o.Annotations)
	p.showEvents(p.eventsOf(o, "Ingress"))
	return nil
}

// backend is a backend with the endpoints that it has now.
func (p *page) backend(namespace string, b *networkingv1.IngressBackend) string {
	switch {
	case b.Service != nil:
		port := b.Service.Port.Name
		if b.Service.Port.Number != 0 {
			port = fmt.Sprint(b.Service.Port.Number)
		}
		text := b.Service.Name + ":" + port
		obj, err := p.Get("", "services", namespace, b.Service.Name)
		if err != nil {
			return fmt.Sprintf("%s (<error: %v>)", text, err)
		}
		slices, err := p.List("discovery.k8s.io", "endpointslices", namespace, url.Values{"labelSelector": {"kubernetes.io/service-name=" + b.Service.Name}})
		if err != nil {
			return fmt.Sprintf("%s (<error: %v>)", text, err)
		}
		name := ""
		if svc, ok := obj.(*corev1.Service); ok {
			for _, sp := range svc.Spec.Ports {
				if b.Service.Port.Number != 0 && b.Service.Port.Number == sp.Port || b.Service.Port.Name != "" && b.Service.Port.Name == sp.Name {
					name = sp.Name
				}
			}
		}
		return fmt.Sprintf("%s (%s)", text, endpoints(slices, name))
	case b.Resource != nil:
		group := "<none>"
		if b.Resource.APIGroup != nil {
			group = *b.Resource.APIGroup
		}
		return fmt.Sprintf("APIGroup: %s, Kind: %s, Name: %s", group, b.Resource.Kind, b.Resource.Name)
	}
	return ""
}

func ingressClass(p *page, o *networkingv1.IngressClass) error {
	p.line(0, "Name:\t%s", o.Name)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Controller:\t%s", o.Spec.Controller)
	if r := o.Spec.Parameters; r != nil {
		p.line(0, "Parameters:")
		if r.APIGroup != nil {
			p.line(1, "APIGroup:\t%s", *r.APIGroup)
		}
		p.line(1, "Kind:\t%s", r.Kind)
		p.line(1, "Name:\t%s", r.Name)
	}
	p.showEvents(p.eventsOf(metav1.Object(o), "IngressClass"))
	return nil
}
