// This file is the strategy of endpoints and endpoint slices.

package resource

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

var protocolTCP = new(corev1.ProtocolTCP)

func init() {
	Register("endpoints", &Strategy{
		Default: func(obj metav1.Object) {
			e := obj.(*corev1.Endpoints)
			e.Subsets = mapped(e.Subsets, func(s *corev1.EndpointSubset) *corev1.EndpointSubset {
				ports := mapped(s.Ports, func(p *corev1.EndpointPort) *corev1.EndpointPort {
					if p.Protocol != "" {
						return p
					}
					q := *p
					q.Protocol = corev1.ProtocolTCP
					return &q
				})
				if !replaced(ports, s.Ports) {
					return s
				}
				t := *s
				t.Ports = ports
				return &t
			})
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.endpoints(obj.(*corev1.Endpoints))
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.endpoints(obj.(*corev1.Endpoints))
			return v.errs
		},
		Columns: []column{nameColumn(), text("Endpoints", "Where the service's traffic goes."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			e := obj.(*corev1.Endpoints)
			return []any{e.Name, formatSubsets(e.Subsets), age(e, now)}
		},
	})
	Register("endpointslices.discovery.k8s.io", &Strategy{
		Default: func(obj metav1.Object) {
			s := obj.(*discoveryv1.EndpointSlice)
			s.Ports = mapped(s.Ports, func(p *discoveryv1.EndpointPort) *discoveryv1.EndpointPort {
				return edited(p, func(d *draft[discoveryv1.EndpointPort]) {
					if d.p.Name == nil {
						d.edit().Name = emptyString
					}
					if d.p.Protocol == nil {
						d.edit().Protocol = protocolTCP
					}
				})
			})
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) { obj.GetObjectMeta().Generation = 1 },
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			s, old := obj.(*discoveryv1.EndpointSlice), oldObj.(*discoveryv1.EndpointSlice)
			nextGeneration(s, old, semanticEqual(s.Endpoints, old.Endpoints) && semanticEqual(s.Ports, old.Ports) && semanticEqual(s.Labels, old.Labels))
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.endpointSlice(obj.(*discoveryv1.EndpointSlice))
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			s := obj.(*discoveryv1.EndpointSlice)
			v.endpointSlice(s)
			v.add(immutableField(field.NewPath("addressType"), s.AddressType, old.(*discoveryv1.EndpointSlice).AddressType))
			return v.errs
		},
		Columns: []column{
			nameColumn(),
			text("AddressType", "What kind of addresses the slice holds."),
			text("Ports", "The ports that every endpoint serves."),
			text("Endpoints", "The first addresses."),
			ageColumn(),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			s := obj.(*discoveryv1.EndpointSlice)
			var ports, addresses []string
			for _, p := range s.Ports {
				switch {
				case p.Port != nil:
					ports = append(ports, strconv.Itoa(int(*p.Port)))
				case p.Name != nil:
					ports = append(ports, *p.Name)
				default:
					ports = append(ports, "*")
				}
			}
			for _, e := range s.Endpoints {
				addresses = append(addresses, e.Addresses...)
			}
			return []any{s.Name, string(s.AddressType), orUnset(andMore(ports, 3)), orUnset(andMore(addresses, 3)), age(s, now)}
		},
	})
}

func orUnset(s string) string {
	if s == "" {
		return "<unset>"
	}
	return s
}

// andMore joins the first items and counts the others.
func andMore(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ",")
	}
	return fmt.Sprintf("%s + %d more...", strings.Join(list[:most], ","), len(list)-most)
}

func formatSubsets(subsets []corev1.EndpointSubset) string {
	if len(subsets) == 0 {
		return none
	}
	var all []string
	for _, s := range subsets {
		if len(s.Ports) == 0 {
			for _, a := range s.Addresses {
				all = append(all, a.IP)
			}
		}
		for _, p := range s.Ports {
			for _, a := range s.Addresses {
				host := a.IP
				if strings.Contains(host, ":") {
					host = "[" + host + "]"
				}
				all = append(all, host+":"+strconv.Itoa(int(p.Port)))
			}
		}
	}
	return andMore(all, 3)
}

// validateEndpointIP refuses addresses that cannot be anybody's.
func validateEndpointIP(ip string, p *field.Path) field.ErrorList {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return field.ErrorList{field.Invalid(p, ip, "must be a valid IP address")}
	}
	a = a.Unmap()
	var v validator
	if a.IsUnspecified() {
		v.invalid(p, ip, fmt.Sprintf("may not be unspecified (%v)", ip))
	}
	if a.IsLoopback() {
		v.invalid(p, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
	}
	if a.IsLinkLocalUnicast() {
		v.invalid(p, ip, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
	}
	if a.IsLinkLocalMulticast() {
		v.invalid(p, ip, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
	}
	return v.errs
}

func (v *validator) endpoints(e *corev1.Endpoints) {
	for i, s := range e.Subsets {
		p := field.NewPath("subsets").Index(i)
		if len(s.Addresses) == 0 && len(s.NotReadyAddresses) == 0 {
			v.required(p, "must specify `addresses` or `notReadyAddresses`")
		}
		for _, side := range []struct {
			child string
			list  []corev1.EndpointAddress
		}{{"addresses", s.Addresses}, {"notReadyAddresses", s.NotReadyAddresses}} {
			for j, a := range side.list {
				at := p.Child(side.child).Index(j)
				v.add(validateIP(a.IP, at.Child("ip")))
				v.add(validateEndpointIP(a.IP, at.Child("ip")))
				if a.Hostname != "" {
					v.check(at, "hostname", a.Hostname, dnsLabel)
				}
			}
		}
		for j, port := range s.Ports {
			at := p.Child("ports").Index(j)
			if port.Name != "" {
				v.check(at, "name", port.Name, dnsLabel)
			} else if len(s.Ports) > 1 {
				v.required(at.Child("name"), "")
			}
			v.port(port.Port, at, "port")
			oneOf(v, at, "protocol", port.Protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)
		}
	}
}

func (v *validator) endpointSlice(s *discoveryv1.EndpointSlice) {
	valid := []discoveryv1.AddressType{discoveryv1.AddressTypeFQDN, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6}
	if s.AddressType == "" {
		v.required(field.NewPath("addressType"), "")
	} else if !slices.Contains(valid, s.AddressType) {
		v.errs = append(v.errs, field.NotSupported(field.NewPath("addressType"), s.AddressType, valid))
	}
	if len(s.Endpoints) > 1000 {
		v.errs = append(v.errs, field.TooMany(field.NewPath("endpoints"), len(s.Endpoints), 1000))
		return
	}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		if len(e.Addresses) == 0 {
			v.required(field.NewPath("endpoints").Index(i).Child("addresses"), "must contain at least 1 address")
		} else if len(e.Addresses) > 100 {
			v.errs = append(v.errs, field.TooMany(field.NewPath("endpoints").Index(i).Child("addresses"), len(e.Addresses), 100))
		}
		for j, a := range e.Addresses {
			addr, err := netip.ParseAddr(a)
			at := func() *field.Path { return field.NewPath("endpoints").Index(i).Child("addresses").Index(j) }
			switch s.AddressType {
			case discoveryv1.AddressTypeIPv4:
				if err != nil || !addr.Is4() {
					v.add(validation.IsValidIPForLegacyField(at(), a, true, nil))
					if err == nil {
						v.invalid(at(), a, "must be an IPv4 address")
					}
				}
			case discoveryv1.AddressTypeIPv6:
				if err != nil || !addr.Is6() {
					v.add(validation.IsValidIPForLegacyField(at(), a, true, nil))
					if err == nil {
						v.invalid(at(), a, "must be an IPv6 address")
					}
				}
			}
		}
		if e.Hostname != nil {
			v.check(field.NewPath("endpoints").Index(i), "hostname", *e.Hostname, dnsLabel)
		}
	}
	if len(s.Ports) > 20000 {
		v.errs = append(v.errs, field.TooMany(field.NewPath("ports"), len(s.Ports), 20000))
	}
	for i, p := range s.Ports {
		at := field.NewPath("ports").Index(i)
		if name := deref(p.Name); name != "" {
			v.check(at, "name", name, dnsLabel)
		}
		for _, q := range s.Ports[:i] {
			if deref(q.Name) == deref(p.Name) {
				v.duplicate(at.Child("name"), deref(p.Name))
				break
			}
		}
		if p.Protocol == nil {
			v.required(at.Child("protocol"), "")
		} else {
			oneOf(v, at, "protocol", *p.Protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)
		}
	}
}
