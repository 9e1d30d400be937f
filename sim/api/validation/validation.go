// Package validation checks names, keys and values as the API does, with its
// messages (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
// Each function returns what is wrong, nothing when all is well. (The upstream
// package links the net and log packages into the browser module.)
package validation

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Longest texts, in bytes.
const (
	DNS1123LabelMaxLength      = 63
	DNS1123SubdomainMaxLength  = 253
	DNS1035LabelMaxLength      = 63
	LabelValueMaxLength        = 63
	qualifiedNameMaxLength     = 63
	labelFormat                = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
	subdomainFormat            = labelFormat + `(\.` + labelFormat + ")*"
	underscoreLabelFormat      = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
	underscoreSubdomainFormat  = underscoreLabelFormat + `(\.` + underscoreLabelFormat + ")*"
	dns1035Format              = "[a-z]([-a-z0-9]*[a-z0-9])?"
	qualifiedFormat            = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
	labelValueFormat           = "(" + qualifiedFormat + ")?"
	endsAlphanumeric           = "and must start and end with an alphanumeric character"
	subdomainMessage           = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " + endsAlphanumeric
	underscoreSubdomainMessage = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', " + endsAlphanumeric
)

// MaxLenError says that a text is too long.
func MaxLenError(length int) string {
	return fmt.Sprintf("must be no more than %d characters", length)
}

// RegexError says that a text has not the form it should have.
func RegexError(msg, format string, examples ...string) string {
	var b strings.Builder
	b.WriteString(msg + " (")
	for i, e := range examples {
		if i == 0 {
			b.WriteString("e.g. ")
		} else {
			b.WriteString(" or ")
		}
		b.WriteString("'" + e + "', ")
	}
	b.WriteString("regex used for validation is '" + format + "')")
	return b.String()
}

// EmptyError says that a text is missing.
func EmptyError() string { return "must be non-empty" }

// InclusiveRangeError says that a number is out of range.
func InclusiveRangeError(lo, hi int) string {
	return fmt.Sprintf("must be between %d and %d, inclusive", lo, hi)
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' }
func digit(c byte) bool { return c >= '0' && c <= '9' }
func alnum(c byte) bool { return lower(c) || digit(c) || c >= 'A' && c <= 'Z' }

// only reports whether every byte of s is alphanumeric or one of extra.
func only(s, extra string) bool {
	for i := 0; i < len(s); i++ {
		if !alnum(s[i]) && strings.IndexByte(extra, s[i]) < 0 {
			return false
		}
	}
	return true
}

// isLabel reports whether s is lower case alphanumeric with hyphens (and extra) inside.
func isLabel(s, extra string) bool {
	if s == "" || !(lower(s[0]) || digit(s[0])) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !lower(s[i]) && !digit(s[i]) && s[i] != '-' && strings.IndexByte(extra, s[i]) < 0 {
			return false
		}
	}
	last := s[len(s)-1]
	return lower(last) || digit(last)
}

func isSubdomain(s string) bool {
	for _, part := range strings.Split(s, ".") {
		if !isLabel(part, "") {
			return false
		}
	}
	return true
}

// IsDNS1123Label checks a name that becomes part of a DNS name.
func IsDNS1123Label(value string) []string {
	var errs []string
	if len(value) > DNS1123LabelMaxLength {
		errs = append(errs, MaxLenError(DNS1123LabelMaxLength))
	}
	switch {
	case isLabel(value, ""):
	case isSubdomain(value):
		errs = append(errs, "must not contain dots")
	default:
		errs = append(errs, RegexError("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "+endsAlphanumeric,
			labelFormat, "my-name", "123-abc"))
	}
	return errs
}

// IsDNS1123Subdomain checks the name of most objects.
func IsDNS1123Subdomain(value string) []string {
	var errs []string
	if len(value) > DNS1123SubdomainMaxLength {
		errs = append(errs, MaxLenError(DNS1123SubdomainMaxLength))
	}
	if !isSubdomain(value) {
		errs = append(errs, RegexError(subdomainMessage, subdomainFormat, "example.com"))
	}
	return errs
}

// IsDNS1123SubdomainWithUnderscore checks a DNS name that may have underscores.
func IsDNS1123SubdomainWithUnderscore(value string) []string {
	var errs []string
	if len(value) > DNS1123SubdomainMaxLength {
		errs = append(errs, MaxLenError(DNS1123SubdomainMaxLength))
	}
	for _, part := range strings.Split(value, ".") {
		if !isLabel(strings.TrimPrefix(part, "_"), "_") {
			return append(errs, RegexError(underscoreSubdomainMessage, underscoreSubdomainFormat, "example.com"))
		}
	}
	return errs
}

// IsWildcardDNS1123Subdomain checks a name such as *.example.com.
func IsWildcardDNS1123Subdomain(value string) []string {
	var errs []string
	if len(value) > DNS1123SubdomainMaxLength {
		errs = append(errs, MaxLenError(DNS1123SubdomainMaxLength))
	}
	if rest, ok := strings.CutPrefix(value, "*."); !ok || !isSubdomain(rest) {
		errs = append(errs, RegexError("a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
			`\*\.`+subdomainFormat, "*.example.com"))
	}
	return errs
}

// IsDNS1035Label checks the name of a service.
func IsDNS1035Label(value string) []string {
	var errs []string
	if len(value) > DNS1035LabelMaxLength {
		errs = append(errs, MaxLenError(DNS1035LabelMaxLength))
	}
	if !isLabel(value, "") || !lower(value[0]) {
		errs = append(errs, RegexError("a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
			dns1035Format, "my-name", "abc-123"))
	}
	return errs
}

// IsQualifiedName checks the key of a label: a name with an optional DNS prefix.
func IsQualifiedName(value string) []string {
	var errs []string
	prefix, name, ok := strings.Cut(value, "/")
	switch {
	case !ok:
		name = value
	case strings.Contains(name, "/"):
		return append(errs, "a valid label key "+RegexError("must consist of alphanumeric characters, '-', '_' or '.', "+endsAlphanumeric,
			qualifiedFormat, "MyName", "my.name", "123-abc")+" with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")
	case prefix == "":
		errs = append(errs, "prefix part "+EmptyError())
	default:
		for _, e := range IsDNS1123Subdomain(prefix) {
			errs = append(errs, "prefix part "+e)
		}
	}
	if name == "" {
		errs = append(errs, "name part "+EmptyError())
	} else if len(name) > qualifiedNameMaxLength {
		errs = append(errs, fmt.Sprintf("name part must be no more than %d bytes", qualifiedNameMaxLength))
	}
	if !isQualified(name) {
		errs = append(errs, "name part "+RegexError("must consist of alphanumeric characters, '-', '_' or '.', "+endsAlphanumeric,
			qualifiedFormat, "MyName", "my.name", "123-abc"))
	}
	return errs
}

func isQualified(s string) bool {
	return s != "" && alnum(s[0]) && alnum(s[len(s)-1]) && only(s, "-_.")
}

// IsValidLabelValue checks the value of a label.
func IsValidLabelValue(value string) []string {
	var errs []string
	if len(value) > LabelValueMaxLength {
		errs = append(errs, fmt.Sprintf("must be no more than %d bytes", LabelValueMaxLength))
	}
	if value != "" && !isQualified(value) {
		errs = append(errs, RegexError("a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "+endsAlphanumeric,
			labelValueFormat, "MyValue", "my_value", "12345"))
	}
	return errs
}

// IsCIdentifier checks an identifier of the C language.
func IsCIdentifier(value string) []string {
	if value == "" || digit(value[0]) || !only(value, "_") {
		return []string{RegexError("a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
			"[A-Za-z_][A-Za-z0-9_]*", "my_name", "MY_NAME", "MyName")}
	}
	return nil
}

// IsInRange checks a number.
func IsInRange(value, lo, hi int) []string {
	if value < lo || value > hi {
		return []string{InclusiveRangeError(lo, hi)}
	}
	return nil
}

// IsValidPortNum checks a port's number.
func IsValidPortNum(port int) []string { return IsInRange(port, 1, 65535) }

// IsValidUserID checks a user id.
func IsValidUserID(uid int64) []string { return isID(uid) }

// IsValidGroupID checks a group id.
func IsValidGroupID(gid int64) []string { return isID(gid) }

func isID(id int64) []string {
	if id < 0 || id > math.MaxInt32 {
		return []string{InclusiveRangeError(0, math.MaxInt32)}
	}
	return nil
}

// IsValidPortName checks the name of a port (an IANA service name).
func IsValidPortName(port string) []string {
	var errs []string
	if len(port) > 15 {
		errs = append(errs, MaxLenError(15))
	}
	letters, others := 0, port == ""
	for i := 0; i < len(port); i++ {
		if lower(port[i]) {
			letters++
		} else if !digit(port[i]) && port[i] != '-' {
			others = true
		}
	}
	if others {
		errs = append(errs, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
	}
	if letters == 0 {
		errs = append(errs, "must contain at least one letter (a-z)")
	}
	if strings.Contains(port, "--") {
		errs = append(errs, "must not contain consecutive hyphens")
	}
	if strings.HasPrefix(port, "-") || strings.HasSuffix(port, "-") {
		errs = append(errs, "must not begin or end with a hyphen")
	}
	return errs
}

// IsValidPercent checks a percentage.
func IsValidPercent(percent string) []string {
	n, ok := strings.CutSuffix(percent, "%")
	if !ok || n == "" || strings.Trim(n, "0123456789") != "" {
		return []string{RegexError("a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", "1%", "93%")}
	}
	return nil
}

// IsHTTPHeaderName checks the name of a header field.
func IsHTTPHeaderName(value string) []string {
	if value == "" || !only(value, "-") {
		return []string{RegexError("a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", "X-Header-Name")}
	}
	return nil
}

// IsEnvVarName checks an environment variable's name by the older, stricter rule.
func IsEnvVarName(value string) []string {
	var errs []string
	if value == "" || digit(value[0]) || !only(value, "-._") {
		errs = append(errs, RegexError("a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
			"[-._a-zA-Z][-._a-zA-Z0-9]*", "my.env-name", "MY_ENV.NAME", "MyEnvName1"))
	}
	return append(errs, dots(value)...)
}

// IsRelaxedEnvVarName checks an environment variable's name.
func IsRelaxedEnvVarName(value string) []string {
	if value == "" {
		return []string{"environment variable name " + EmptyError()}
	}
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < ' ' || c > '~' || c == '=' {
			return []string{"a valid environment variable name must consist only of printable ASCII characters other than '='"}
		}
	}
	return nil
}

// IsConfigMapKey checks a key of a ConfigMap or Secret.
func IsConfigMapKey(value string) []string {
	var errs []string
	if len(value) > DNS1123SubdomainMaxLength {
		errs = append(errs, MaxLenError(DNS1123SubdomainMaxLength))
	}
	if value == "" || !only(value, "-._") {
		errs = append(errs, RegexError("a valid config key must consist of alphanumeric characters, '-', '_' or '.'", "[-._a-zA-Z0-9]+", "key.name", "KEY_NAME", "key-name"))
	}
	return append(errs, dots(value)...)
}

// dots refuses what would be taken for a folder.
func dots(value string) []string {
	switch {
	case value == ".":
		return []string{"must not be '.'"}
	case value == "..":
		return []string{"must not be '..'"}
	case strings.HasPrefix(value, ".."):
		return []string{"must not start with '..'"}
	}
	return nil
}

// IsValidIPForLegacyField checks an address in a field older than the strict
// rules; values of the object before an update stay allowed.
func IsValidIPForLegacyField(path *field.Path, value string, strict bool, old []string) field.ErrorList {
	if slices.Contains(old, value) {
		return nil
	}
	var errs field.ErrorList
	addr, err := netip.ParseAddr(value)
	if err != nil || addr.Zone() != "" {
		sloppy, serr := netip.ParseAddr(withoutLeadingZeros(value))
		if serr != nil || sloppy.Zone() != "" {
			return append(errs, field.Invalid(path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"))
		}
		if strict {
			errs = append(errs, field.Invalid(path, value, "must not have leading 0s"))
		}
		return errs
	}
	if strict && addr.Is4In6() {
		errs = append(errs, field.Invalid(path, value, "must not be an IPv4-mapped IPv6 address"))
	}
	return errs
}

// IsValidIP checks an address by the strict rules.
func IsValidIP(path *field.Path, value string) field.ErrorList {
	errs := IsValidIPForLegacyField(path, value, true, nil)
	if len(errs) == 0 {
		if addr, _ := netip.ParseAddr(value); addr.String() != value {
			errs = append(errs, field.Invalid(path, value, fmt.Sprintf("must be in canonical form (%q)", addr.String())))
		}
	}
	return errs
}

// IsValidCIDRForLegacyField checks a range of addresses likewise.
func IsValidCIDRForLegacyField(path *field.Path, value string, strict bool, old []string) field.ErrorList {
	if slices.Contains(old, value) {
		return nil
	}
	var errs field.ErrorList
	prefix, err := netip.ParsePrefix(value)
	if err != nil {
		ip, bits, _ := strings.Cut(value, "/")
		if trimmed := strings.TrimLeft(bits, "0"); trimmed != "" || bits == "" {
			bits = trimmed
		} else {
			bits = "0"
		}
		if _, err := netip.ParsePrefix(withoutLeadingZeros(ip) + "/" + bits); err != nil {
			return append(errs, field.Invalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"))
		}
		if strict {
			errs = append(errs, field.Invalid(path, value, "must not have leading 0s in IP or prefix length"))
		}
		return errs
	}
	if strict {
		if prefix.Addr().Is4In6() {
			errs = append(errs, field.Invalid(path, value, "must not have an IPv4-mapped IPv6 address"))
		} else if prefix.Addr() != prefix.Masked().Addr() {
			errs = append(errs, field.Invalid(path, value, "must not have bits set beyond the prefix length"))
		}
	}
	return errs
}

// IsValidCIDR checks a range by the strict rules.
func IsValidCIDR(path *field.Path, value string) field.ErrorList {
	errs := IsValidCIDRForLegacyField(path, value, true, nil)
	if len(errs) == 0 {
		if p, _ := netip.ParsePrefix(value); p.String() != value {
			errs = append(errs, field.Invalid(path, value, fmt.Sprintf("must be in canonical form (%q)", p.String())))
		}
	}
	return errs
}

// withoutLeadingZeros is an IPv4 address as sloppy parsers read it.
func withoutLeadingZeros(s string) string {
	parts := strings.Split(s, ".")
	if len(parts) != 4 || strings.Contains(s, ":") {
		return s
	}
	for i, p := range parts {
		if t := strings.TrimLeft(p, "0"); p != "" {
			if t == "" {
				t = "0"
			}
			parts[i] = t
		}
	}
	return strings.Join(parts, ".")
}

const pathCharacters = "/-._~%!$&'()*+,;=:"

// IsDomainPrefixedPath checks a name such as example.com/ingress-controller.
func IsDomainPrefixedPath(path *field.Path, value string) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	host, rest, _ := strings.Cut(value, "/")
	if host == "" || rest == "" {
		return field.ErrorList{field.Invalid(path, value, `must be a domain-prefixed path (such as "acme.io/foo")`)}
	}
	var errs field.ErrorList
	for _, msg := range IsDNS1123Subdomain(host) {
		errs = append(errs, field.Invalid(path, host, msg))
	}
	for i := range len(rest) {
		if c := rest[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(pathCharacters, c) < 0 {
			return append(errs, field.Invalid(path, rest, RegexError("Invalid path", `[A-Za-z0-9/\-._~%!$&'()*+,;=:]+`)))
		}
	}
	return errs
}
