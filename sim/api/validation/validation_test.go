package validation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	upstream "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func samples() []string {
	out := []string{"", "a", "A", "-", ".", "..", "...", "a-b", "-a", "a-", "a.b", "a..b", ".a", "a.", "a_b", "_a", "a/b", "/a", "a/", "a/b/c", "Example.com/x",
		"example.com/MyName", "1", "123", "1a", "http", "a--b", "1%", "%", "10.0.0.1", "010.0.0.1", "1.2.3", "::1", "fe80::1%eth0", "::ffff:1.2.3.4", "FE80::1",
		"10.0.0.0/8", "10.0.0.1/8", "010.0.0.0/08", "x/8", "::/0", "10.0.0.0/33", "*.a.b", "*a", "MY_ENV", "my.env-name", "a=b", "é", "a b", "a\nb",
		strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 253), strings.Repeat("a", 254), strings.Repeat("a", 16), "x.y/" + strings.Repeat("b", 64)}
	rnd := rand.New(rand.NewPCG(1, 1))
	const alphabet = "aA0-_./%=:*"
	for range 5000 {
		b := make([]byte, rnd.IntN(8))
		for i := range b {
			b[i] = alphabet[rnd.IntN(len(alphabet))]
		}
		out = append(out, string(b))
	}
	return out
}

// Every check agrees with upstream's, message by message.
func TestAgainstUpstream(t *testing.T) {
	path := field.NewPath("spec")
	lists := func(f func(*field.Path, string) field.ErrorList) func(string) []string {
		return func(s string) []string {
			var out []string
			for _, e := range f(path, s) {
				out = append(out, e.Error())
			}
			return out
		}
	}
	legacy := func(f func(*field.Path, string, bool, []string) field.ErrorList) func(string) []string {
		return lists(func(p *field.Path, s string) field.ErrorList { return f(p, s, true, nil) })
	}
	for _, c := range []struct {
		name       string
		ours, them func(string) []string
	}{
		{"IsDNS1123Label", IsDNS1123Label, upstream.IsDNS1123Label},
		{"IsDNS1123Subdomain", IsDNS1123Subdomain, upstream.IsDNS1123Subdomain},
		{"IsDNS1123SubdomainWithUnderscore", IsDNS1123SubdomainWithUnderscore, upstream.IsDNS1123SubdomainWithUnderscore},
		{"IsWildcardDNS1123Subdomain", IsWildcardDNS1123Subdomain, upstream.IsWildcardDNS1123Subdomain},
		{"IsDNS1035Label", IsDNS1035Label, upstream.IsDNS1035Label},
		{"IsQualifiedName", IsQualifiedName, upstream.IsQualifiedName},
		{"IsValidLabelValue", IsValidLabelValue, upstream.IsValidLabelValue},
		{"IsCIdentifier", IsCIdentifier, upstream.IsCIdentifier},
		{"IsValidPortName", IsValidPortName, upstream.IsValidPortName},
		{"IsValidPercent", IsValidPercent, upstream.IsValidPercent},
		{"IsHTTPHeaderName", IsHTTPHeaderName, upstream.IsHTTPHeaderName},
		{"IsEnvVarName", IsEnvVarName, upstream.IsEnvVarName},
		{"IsRelaxedEnvVarName", IsRelaxedEnvVarName, upstream.IsRelaxedEnvVarName},
		{"IsConfigMapKey", IsConfigMapKey, upstream.IsConfigMapKey},
		{"IsDomainPrefixedPath", lists(IsDomainPrefixedPath), lists(upstream.IsDomainPrefixedPath)},
		{"IsValidIP", lists(IsValidIP), lists(upstream.IsValidIP)},
		{"IsValidCIDR", lists(IsValidCIDR), lists(upstream.IsValidCIDR)},
		{"IsValidIPForLegacyField", legacy(IsValidIPForLegacyField), legacy(upstream.IsValidIPForLegacyField)},
		{"IsValidCIDRForLegacyField", legacy(IsValidCIDRForLegacyField), legacy(upstream.IsValidCIDRForLegacyField)},
	} {
		bad := 0
		for _, s := range samples() {
			if got, want := fmt.Sprint(c.ours(s)), fmt.Sprint(c.them(s)); got != want {
				if bad++; bad <= 3 {
					t.Errorf("%s(%q)\n ours %s\nwant %s", c.name, s, got, want)
				}
			}
		}
	}
	for _, n := range []int64{-1, 0, 1, 65535, 65536, 1 << 31, 1<<31 - 1} {
		if fmt.Sprint(IsValidPortNum(int(n)), IsValidUserID(n), IsValidGroupID(n)) != fmt.Sprint(upstream.IsValidPortNum(int(n)), upstream.IsValidUserID(n), upstream.IsValidGroupID(n)) {
			t.Errorf("%d", n)
		}
	}
}
