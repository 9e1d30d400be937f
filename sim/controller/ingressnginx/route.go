// The table of routes: hosts, paths, annotations, and the endpoints behind them.

package ingressnginx

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	networkingv1 "github.com/kubonsai/kubonsai/sim/api/networking/v1"
	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/internal/lazy"
	"github.com/kubonsai/kubonsai/sim/network"
)

const annotations = "nginx.ingress.kubernetes.io/"

// vhost is what one host name leads to.
type vhost struct {
	locations []*location
	tls       bool // some ingress lists the host in its TLS section
}

// location is one path of a host.
type location struct {
	path    string
	kind    networkingv1.PathType
	regex   *regexp.Regexp // set where paths are patterns
	ingress *networkingv1.Ingress
	backend *networkingv1.IngressBackend
}

// build makes the table anew from the controller's ingresses.
func (n *Controller) build() {
	n.stale = false
	n.servers = map[string]*vhost{}
	server := func(host string) *vhost {
		host = strings.ToLower(host)
		if n.servers[host] == nil {
			n.servers[host] = &vhost{}
		}
		return n.servers[host]
	}
	add := func(host, path string, kind networkingv1.PathType, i *networkingv1.Ingress, b *networkingv1.IngressBackend) {
		if path == "" {
			path = "/"
		}
		v := server(host)
		if slices.ContainsFunc(v.locations, func(l *location) bool {
			return l.path == path && (l.kind == networkingv1.PathTypeExact) == (kind == networkingv1.PathTypeExact)
		}) {
			return // an older ingress has it
		}
		v.locations = append(v.locations, &location{path: path, kind: kind, ingress: i, backend: b})
	}
	n.each(func(i *networkingv1.Ingress) {
		for _, r := range i.Spec.Rules {
			if r.HTTP == nil {
				server(r.Host)
				continue
			}
			for j := range r.HTTP.Paths {
				h := &r.HTTP.Paths[j]
				kind := networkingv1.PathTypeImplementationSpecific
				if h.PathType != nil {
					kind = *h.PathType
				}
				add(r.Host, h.Path, kind, i, &h.Backend)
			}
		}
	})
	n.each(func(i *networkingv1.Ingress) { // default backends take what the rules leave; hosts without a rule have no TLS
		if b := i.Spec.DefaultBackend; b != nil {
			for _, r := range i.Spec.Rules {
				add(r.Host, "/", networkingv1.PathTypePrefix, i, b)
			}
			if len(i.Spec.Rules) == 0 {
				add("", "/", networkingv1.PathTypePrefix, i, b)
			}
		}
		for _, t := range i.Spec.TLS {
			for _, h := range t.Hosts {
				if v := n.servers[strings.ToLower(h)]; v != nil {
					v.tls = true
				}
			}
		}
	})
	for _, v := range n.servers {
		v.arrange()
	}
}

// arrange puts the locations in the order in which they are looked at. One
// ingress that asks for patterns makes patterns of all paths of the host.
func (v *vhost) arrange() {
	patterns := slices.ContainsFunc(v.locations, func(l *location) bool {
		return l.ingress.Annotations[annotations+"use-regex"] == "true" || l.ingress.Annotations[annotations+"rewrite-target"] != ""
	})
	slices.SortStableFunc(v.locations, func(a, b *location) int {
		if c := len(b.path) - len(a.path); c != 0 {
			return c
		}
		return exactness(b) - exactness(a)
	})
	if !patterns {
		return
	}
	for _, l := range v.locations {
		end := ""
		switch {
		case l.kind == networkingv1.PathTypeExact:
			end = "$"
		case l.kind == networkingv1.PathTypePrefix && !strings.HasSuffix(l.path, "/") && !strings.ContainsAny(l.path, "()*$"):
			end = "(?:/|$)"
		}
		if re, err := regexp.Compile("(?i)^" + l.path + end); err == nil {
			l.regex = re
		}
	}
}

func exactness(l *location) int {
	if l.kind == networkingv1.PathTypeExact {
		return 1
	}
	return 0
}

func (l *location) matches(path string) bool {
	switch {
	case l.regex != nil:
		return l.regex.MatchString(path)
	case l.kind == networkingv1.PathTypeExact:
		return path == l.path
	case l.kind == networkingv1.PathTypePrefix: // whole elements
		prefix := strings.TrimSuffix(l.path, "/")
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	}
	return strings.HasPrefix(path, l.path)
}

// find is the server and the location of a request; nil where there is none.
func (n *Controller) find(host, path string) (*vhost, *location) {
	n.ingress.Len() // brings the cache, and with it the table, up to date
	n.classes.Len()
	if n.stale {
		n.build()
	}
	v := n.servers[host]
	if v == nil {
		if _, domain, ok := strings.Cut(host, "."); ok {
			v = n.servers["*."+domain]
		}
	}
	if v == nil {
		if v = n.servers[""]; v == nil {
			return nil, nil
		}
	}
	for _, l := range v.locations {
		if l.matches(path) {
			return v, l
		}
	}
	return v, nil
}

// Route implements container.IngressController. Endpoints take turns.
func (n *Controller) Route(r *network.Request) container.IngressRoute {
	out, _ := n.route(r)
	if len(out.Endpoints) > 0 {
		first := n.turn[out.Name] % len(out.Endpoints)
		n.turn[out.Name] = first + 1
		out.Endpoints = append(slices.Clone(out.Endpoints[first:]), out.Endpoints[:first]...)
	}
	return out
}

// Explain tells in words what Route does with a request to the program in a
// pod; ok is false when the program does not run there.
func (n *Controller) Explain(pod string, r *network.Request) (text string, out container.IngressRoute, ok bool) {
	if !slices.ContainsFunc(n.runs, func(o *run) bool { return o.pod == pod }) {
		return "", out, false
	}
	out, l := n.route(r)
	path, _, _ := strings.Cut(r.Path, "?")
	if l == nil {
		return fmt.Sprintf("no ingress has a rule for host %s and path %s: answers 404", r.Host, path), out, true
	}
	host := "any host"
	for _, rule := range l.ingress.Spec.Rules {
		if rule.HTTP != nil && rule.Host != "" {
			for i := range rule.HTTP.Paths {
				if &rule.HTTP.Paths[i].Backend == l.backend {
					host = "host " + rule.Host
				}
			}
		}
	}
	text = fmt.Sprintf("%s/%s, %s, %s path %s", l.ingress.Namespace, l.ingress.Name, host, l.kind, l.path)
	switch b := l.backend.Service; {
	case out.Location != "":
		text += fmt.Sprintf(": redirects (%d) to %s", out.Status, out.Location)
	case b == nil:
		text += ": its backend is no service, answers 503"
	case len(out.Endpoints) == 0:
		text += fmt.Sprintf(": service %s has no ready endpoint at that port, answers 503", b.Name)
	default:
		text += ": service " + b.Name
		if out.Path != r.Path {
			text += ", asked for " + out.Path
		}
	}
	return text, out, true
}

func (n *Controller) route(r *network.Request) (container.IngressRoute, *location) {
	path, query, _ := strings.Cut(r.Path, "?")
	host := strings.ToLower(r.Host)
	if h, _, ok := strings.Cut(host, ":"); ok {
		host = h
	}
	v, l := n.find(host, path)
	if l == nil {
		return container.IngressRoute{Name: "upstream-default-backend", Status: 404}, nil
	}
	note := func(name string) string { return l.ingress.Annotations[annotations+name] }
	if !r.TLS && (v.tls && note("ssl-redirect") != "false" || note("force-ssl-redirect") == "true") {
		return container.IngressRoute{Status: 308, Location: "https://" + host + r.Path}, l
	}
	if root := note("app-root"); root != "" && path == "/" {
		return container.IngressRoute{Status: 302, Location: "http://" + r.Host + root}, l
	}
	out := container.IngressRoute{Path: r.Path}
	if target := note("rewrite-target"); target != "" && l.regex != nil {
		m := l.regex.FindStringSubmatchIndex(path)
		out.Path = string(l.regex.ExpandString(nil, braced().ReplaceAllString(target, "$${$1}"), path, m))
		if query != "" {
			out.Path += "?" + query
		}
	}
	b := l.backend.Service
	if b == nil {
		out.Status = 503
		return out, l
	}
	number := b.Port.Name
	if b.Port.Number != 0 {
		number = strconv.Itoa(int(b.Port.Number))
	}
	key := l.ingress.Namespace + "/" + b.Name
	out.Name = l.ingress.Namespace + "-" + b.Name + "-" + number
	if svc, ok := n.services.ByKey(key); ok {
		out.Endpoints = n.endpoints(key, svc, &b.Port)
	}
	if len(out.Endpoints) == 0 {
		out.Status = 503
	}
	return out, l
}

// braced finds the references to groups of a rewrite-target.
var braced = lazy.Regexp(`\$(\d)`)

// external is where a service of type ExternalName leads: its name's addresses,
// at the target port or, if it has no ports, at the one that the ingress names.
func (n *Controller) external(svc *corev1.Service, port *networkingv1.ServiceBackendPort) []netip.AddrPort {
	number := int(port.Number)
	for _, sp := range svc.Spec.Ports {
		if port.Name != "" && sp.Name == port.Name || port.Number != 0 && sp.Port == port.Number {
			if number = int(sp.TargetPort.IntVal); number == 0 {
				number = int(sp.Port)
			}
		}
	}
	if _, err := netip.ParseAddr(svc.Spec.ExternalName); err == nil || number == 0 || n.Lookup == nil || len(n.runs) == 0 {
		return nil // an address is no name
	}
	var out []netip.AddrPort
	for _, a := range n.Lookup(n.runs[0].pod, svc.Spec.ExternalName) {
		out = append(out, netip.AddrPortFrom(a, uint16(number)))
	}
	return out
}

// endpoints are the ready ones behind a service's port.
func (n *Controller) endpoints(key string, svc *corev1.Service, port *networkingv1.ServiceBackendPort) []netip.AddrPort {
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return n.external(svc, port)
	}
	i := slices.IndexFunc(svc.Spec.Ports, func(sp corev1.ServicePort) bool {
		return port.Name != "" && sp.Name == port.Name || port.Number != 0 && sp.Port == port.Number
	})
	if i < 0 {
		return nil
	}
	var out []netip.AddrPort
	for _, s := range n.slices.ByIndex(serviceIndex, key) {
		for _, sp := range s.Ports {
			if sp.Port == nil || sp.Name == nil && svc.Spec.Ports[i].Name != "" || sp.Name != nil && *sp.Name != svc.Spec.Ports[i].Name {
				continue
			}
			for _, e := range s.Endpoints {
				if e.Conditions.Ready != nil && !*e.Conditions.Ready || len(e.Addresses) == 0 {
					continue
				}
				if a, err := netip.ParseAddr(e.Addresses[0]); err == nil {
					out = append(out, netip.AddrPortFrom(a, uint16(*sp.Port)))
				}
			}
		}
	}
	return out
}
