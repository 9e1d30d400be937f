// The libraries that Kubernetes adds: quantities, URLs, IP addresses, versions,
// named formats, and the authorizer.

package cel

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/api/validation"
)

type quantity struct{ resource.Quantity }

func (quantity) Type() string     { return "kubernetes.Quantity" }
func (q quantity) String() string { return q.Quantity.String() }

func (q quantity) Call(method string, args []any) (any, bool) {
	var other quantity
	if len(args) == 1 {
		switch x := args[0].(type) {
		case quantity:
			other = x
		case int64:
			other.Set(x)
		default:
			return nil, false
		}
	}
	switch method {
	case "sign":
		return int64(q.Sign()), true
	case "isInteger":
		_, ok := q.AsInt64()
		return ok, true
	case "asInteger":
		n, ok := q.AsInt64()
		if !ok {
			fail("cannot convert value to integer")
		}
		return n, true
	case "asApproximateFloat":
		return q.AsApproximateFloat64(), true
	case "add", "sub":
		sum := q.Quantity
		if method == "add" {
			sum.Add(other.Quantity)
		} else {
			sum.Sub(other.Quantity)
		}
		return quantity{sum}, true
	}
	return comparison(method, q.Cmp(other.Quantity))
}

func comparison(method string, c int) (any, bool) {
	switch method {
	case "isGreaterThan":
		return c > 0, true
	case "isLessThan":
		return c < 0, true
	case "compareTo":
		return int64(c), true
	}
	return nil, false
}

type link struct{ *url.URL }

func (link) Type() string { return "kubernetes.URL" }

func (u link) Call(method string, _ []any) (any, bool) {
	switch method {
	case "getScheme":
		return u.Scheme, true
	case "getHost":
		return u.Host, true
	case "getHostname":
		return u.Hostname(), true
	case "getPort":
		return u.Port(), true
	case "getEscapedPath":
		return u.EscapedPath(), true
	case "getQuery":
		out := map[string]any{}
		for k, v := range u.Query() {
			out[k] = listOf(v)
		}
		return out, true
	}
	return nil, false
}

func parseURL(s string) (link, error) {
	u, err := url.Parse(s)
	if err == nil && !(u.IsAbs() || strings.HasPrefix(s, "/")) {
		err = fmt.Errorf("URL parse error during conversion from string: parse %q: invalid URI for request", s)
	}
	return link{u}, err
}

type address struct{ netip.Addr }

func (address) Type() string { return "net.IP" }

func (a address) Call(method string, _ []any) (any, bool) {
	switch method {
	case "family":
		if a.Is4() {
			return int64(4), true
		}
		return int64(6), true
	case "isUnspecified":
		return a.IsUnspecified(), true
	case "isLoopback":
		return a.IsLoopback(), true
	case "isLinkLocalMulticast":
		return a.IsLinkLocalMulticast(), true
	case "isLinkLocalUnicast":
		return a.IsLinkLocalUnicast(), true
	case "isGlobalUnicast":
		return a.IsGlobalUnicast(), true
	}
	return nil, false
}

func parseIP(s string) (address, error) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		err = fmt.Errorf("IP Address %q parse error during conversion from string: %v", s, err)
	case a.Zone() != "":
		err = fmt.Errorf("IP address %q with zone value is not allowed", s)
	case a.Is4In6():
		err = fmt.Errorf("IPv4-mapped IPv6 address %q is not allowed", s)
	}
	return address{a}, err
}

type prefix struct{ netip.Prefix }

func (prefix) Type() string { return "net.CIDR" }

func (p prefix) Call(method string, args []any) (any, bool) {
	switch method {
	case "containsIP":
		switch x := args[0].(type) {
		case string:
			return p.Contains(must(parseIP(x)).Addr), true
		case address:
			return p.Contains(x.Addr), true
		}
	case "containsCIDR":
		other, ok := args[0].(prefix)
		if s, is := args[0].(string); is {
			other, ok = must(parseCIDR(s)), true
		}
		return p.Overlaps(other.Prefix) && p.Bits() <= other.Bits(), ok
	case "ip":
		return address{p.Addr()}, true
	case "masked":
		return prefix{p.Masked()}, true
	case "prefixLength":
		return int64(p.Bits()), true
	}
	return nil, false
}

func parseCIDR(s string) (prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		err = fmt.Errorf("network address parse error during conversion from string: %v", err)
	}
	return prefix{p}, err
}

// version is a semantic version. https://semver.org
type version struct {
	number [3]int64
	before []string // the parts after the hyphen
	text   string
}

func (*version) Type() string     { return "kubernetes.Semver" }
func (v *version) String() string { return v.text }

func (v *version) Call(method string, args []any) (any, bool) {
	for i, name := range []string{"major", "minor", "patch"} {
		if method == name {
			return v.number[i], true
		}
	}
	if len(args) != 1 {
		return nil, false
	}
	other, ok := args[0].(*version)
	if !ok {
		return nil, false
	}
	return comparison(method, v.compare(other))
}

func (v *version) compare(w *version) int {
	if c := slices.Compare(v.number[:], w.number[:]); c != 0 {
		return c
	}
	switch { // a version before a release is smaller
	case len(v.before) == 0 || len(w.before) == 0:
		return order(int64(len(w.before)), int64(len(v.before)))
	}
	return slices.CompareFunc(v.before, w.before, func(a, b string) int {
		x, errX := strconv.ParseInt(a, 10, 64)
		y, errY := strconv.ParseInt(b, 10, 64)
		switch {
		case errX == nil && errY == nil:
			return order(x, y)
		case errX == nil:
			return -1
		case errY == nil:
			return 1
		}
		return strings.Compare(a, b)
	})
}

func parseVersion(text string, normalize bool) (*version, error) {
	bad := fmt.Errorf("No Major.Minor.Patch elements found")
	v := &version{text: text}
	rest, _, _ := strings.Cut(text, "+")
	if normalize {
		rest = strings.TrimPrefix(rest, "v")
	}
	rest, before, pre := strings.Cut(rest, "-")
	if pre {
		v.before = strings.Split(before, ".")
	}
	parts := strings.Split(rest, ".")
	for normalize && len(parts) < 3 {
		parts = append(parts, "0")
	}
	if len(parts) != 3 {
		return nil, bad
	}
	for i, p := range parts {
		n, err := strconv.ParseInt(p, 10, 64)
		if err != nil || n < 0 || !normalize && len(p) > 1 && p[0] == '0' {
			return nil, fmt.Errorf("Invalid character(s) found in major number %q", p)
		}
		v.number[i] = n
	}
	return v, nil
}

// format is a named format.
type format struct {
	name  string
	check func(string) []string
}

func (*format) Type() string     { return "kubernetes.NamedFormat" }
func (f *format) String() string { return f.name }

func (f *format) Call(method string, args []any) (any, bool) {
	if method != "validate" || len(args) != 1 {
		return nil, false
	}
	s, ok := args[0].(string)
	if !ok {
		return nil, false
	}
	if errs := f.check(s); len(errs) > 0 {
		return some(listOf(errs)), true
	}
	return missing, true
}

func parses[T any](fn func(string) (T, error)) func(string) []string {
	return func(s string) []string {
		if _, err := fn(s); err != nil {
			return []string{err.Error()}
		}
		return nil
	}
}

var namedFormats = []*format{
	{"dns1123Label", validation.IsDNS1123Label},
	{"dns1123Subdomain", validation.IsDNS1123Subdomain},
	{"dns1035Label", validation.IsDNS1035Label},
	{"qualifiedName", validation.IsQualifiedName},
	{"dns1123LabelPrefix", func(s string) []string { return validation.IsDNS1123Label(strings.TrimSuffix(s, "-")) }},
	{"dns1123SubdomainPrefix", func(s string) []string { return validation.IsDNS1123Subdomain(strings.TrimSuffix(s, "-")) }},
	{"dns1035LabelPrefix", func(s string) []string { return validation.IsDNS1035Label(strings.TrimSuffix(s, "-")) }},
	{"labelValue", validation.IsValidLabelValue},
	{"uri", parses(parseURL)},
	{"uuid", func(s string) []string {
		if !compileRegexp(`^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$`).MatchString(s) {
			return []string{"does not match the UUID format"}
		}
		return nil
	}},
	{"byte", parses(base64.StdEncoding.DecodeString)},
	{"date", parses(func(s string) (time.Time, error) { return time.Parse(time.DateOnly, s) })},
	{"datetime", parses(func(s string) (time.Time, error) { return time.Parse(time.RFC3339, s) })},
}

func init() {
	valid := func(fn func(string) error) func([]any) (any, bool) {
		return texts(func(s ...string) any { return fn(s[0]) == nil })
	}
	define("quantity", "s>Q", texts(func(s ...string) any {
		return quantity{must(resource.ParseQuantity(s[0]))}
	}))
	define("isQuantity", "s>b", valid(func(s string) error { _, err := resource.ParseQuantity(s); return err }))
	define("url", "s>U", texts(func(s ...string) any { return must(parseURL(s[0])) }))
	define("isURL", "s>b", valid(func(s string) error { _, err := parseURL(s); return err }))
	define("ip", "s>P", texts(func(s ...string) any { return must(parseIP(s[0])) }))
	define("isIP", "s>b", valid(func(s string) error { _, err := parseIP(s); return err }))
	define("ip.isCanonical", "s>b", texts(func(s ...string) any { return must(parseIP(s[0])).String() == s[0] }))
	define("cidr", "s>C", texts(func(s ...string) any { return must(parseCIDR(s[0])) }))
	define("isCIDR", "s>b", valid(func(s string) error { _, err := parseCIDR(s); return err }))
	semver := func(args []any) (*version, error) {
		s, ok := args[0].(string)
		normalize := false
		if len(args) == 2 {
			normalize, _ = args[1].(bool)
		}
		if !ok {
			fail("no such overload")
		}
		return parseVersion(s, normalize)
	}
	define("semver", "s>V sb>V", func(args []any) (any, bool) { return must(semver(args)), true })
	define("isSemver", "s>b sb>b", func(args []any) (any, bool) { _, err := semver(args); return err == nil, true })
	named := func(name string) (*format, bool) {
		i := slices.IndexFunc(namedFormats, func(f *format) bool { return f.name == name })
		if i < 0 {
			return nil, false
		}
		return namedFormats[i], true
	}
	define("format.named", "s>o", texts(func(s ...string) any {
		if f, ok := named(s[0]); ok {
			return some(f)
		}
		return missing
	}))
	for _, f := range namedFormats {
		define("format."+f.name, ">F", func([]any) (any, bool) { return f, true })
	}
	// Methods of Objects alone, and the others' further signatures.
	for signatures, names := range map[string]string{
		"Q.>b": "isInteger", "Q.>i": "sign asInteger", "Q.>d": "asApproximateFloat", "Q.Q>Q Q.i>Q": "add sub",
		"Q.Q>b V.V>b": "isGreaterThan isLessThan", "Q.Q>i V.V>i": "compareTo", "V.>i": "major minor patch",
		"U.>s": "getScheme getHost getHostname getPort getEscapedPath", "U.>m": "getQuery",
		"P.>i": "family", "P.>b": "isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast",
		"C.s>b C.P>b": "containsIP", "C.s>b C.C>b": "containsCIDR", "C.>P": "ip", "C.>C": "masked", "C.>i": "prefixLength",
		"F.s>o": "validate",
		"A.s>p": "path", "A.s>g": "group", "A.ss>A": "serviceAccount", "g.s>r": "resource",
		"r.s>r": "subresource namespace name fieldSelector labelSelector", "p.s>z r.s>z": "check",
		"z.>b": "allowed errored", "z.>s": "reason error",
	} {
		for name := range strings.FieldsSeq(names) {
			define(name, signatures, nil)
		}
	}
}

// Query is what an authorizer is asked.
type Query struct {
	ServiceAccount                                [2]string // namespace and name; empty asks about the request's user
	Path, Verb                                    string
	Group, Resource, Subresource, Namespace, Name string
	authorize                                     func(Query) (allowed bool, reason string)
	kind                                          string
}

// NewAuthorizer is the value of the variable authorizer.
func NewAuthorizer(authorize func(Query) (allowed bool, reason string)) Object {
	return Query{authorize: authorize, kind: "Authorizer"}
}

// NewResourceCheck is the value of authorizer.requestResource.
func NewResourceCheck(q Query, authorize func(Query) (allowed bool, reason string)) Object {
	q.authorize, q.kind = authorize, "ResourceCheck"
	return q
}

// Type implements Object.
func (q Query) Type() string { return "kubernetes.authorization." + q.kind }

// Call implements Object.
func (q Query) Call(method string, args []any) (any, bool) {
	var s [2]string
	for i, a := range args {
		text, ok := a.(string)
		if !ok || i > 1 {
			return nil, false
		}
		s[i] = text
	}
	switch method {
	case "path":
		q.Path, q.kind = s[0], "PathCheck"
	case "group":
		q.Group, q.kind = s[0], "GroupCheck"
	case "serviceAccount":
		q.ServiceAccount = [2]string{s[0], s[1]}
	case "resource":
		q.Resource, q.kind = s[0], "ResourceCheck"
	case "subresource":
		q.Subresource = s[0]
	case "namespace":
		q.Namespace = s[0]
	case "name":
		q.Name = s[0]
	case "fieldSelector", "labelSelector": // narrow what is asked for; nothing here answers more to it
	case "check":
		q.Verb = s[0]
		allowed, reason := q.authorize(q)
		return decision{allowed, reason}, true
	default:
		return nil, false
	}
	return q, true
}

type decision struct {
	allowed bool
	reason  string
}

func (decision) Type() string { return "kubernetes.authorization.Decision" }

func (d decision) Call(method string, _ []any) (any, bool) {
	switch method {
	case "allowed":
		return d.allowed, true
	case "reason":
		return d.reason, true
	case "errored":
		return false, true
	case "error":
		return "", true
	}
	return nil, false
}
