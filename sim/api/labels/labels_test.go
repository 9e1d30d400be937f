package labels

import (
	"math/rand/v2"
	"testing"

	upstream "k8s.io/apimachinery/pkg/labels"
)

func samples() []string {
	out := []string{"", "a", "!a", "a=b", "a==b", "a!=b", "a in (b)", "a in (b,c)", "a notin (b, c)", "a in b", "a in ()", "a in (,b)", "a in (b,)", "a in (b,,c)",
		"a=b,c=d", "c=d,a=b", "a>1", "a<1", "a>x", "a=", "a=,b", ",", "a,", "a,,b", "=b", "a b", "a===b", "a=!b", "in in (in)", "notin", "a in (b", "a in b)", "(a)",
		"a=b c", "A_B=c", "-a=b", "a=-b", "x/y=z", "x/y/z=1", "!a=b", "a!b", "a in (in,notin)", "tier notin (backend,database)", "environment in (dev,staging)"}
	rnd := rand.New(rand.NewPCG(2, 2))
	parts := []string{"a", "b", "in", "notin", "(", ")", ",", "=", "==", "!=", "!", ">", "<", "1", " ", "-", "x/y", "\t"}
	for range 20000 {
		s := ""
		for range rnd.IntN(9) {
			s += parts[rnd.IntN(len(parts))]
		}
		out = append(out, s)
	}
	return out
}

// The parser accepts, refuses (with the same words) and prints as upstream's.
func TestParseAgainstUpstream(t *testing.T) {
	sets := []map[string]string{{}, {"a": "b"}, {"a": "1"}, {"a": "2", "b": "c"}, {"in": "in"}, {"x/y": "1"}, {"a": ""}}
	bad := 0
	for _, s := range samples() {
		want, werr := upstream.Parse(s)
		got, gerr := Parse(s)
		if (werr == nil) != (gerr == nil) || werr != nil && werr.Error() != gerr.Error() {
			if bad++; bad < 10 {
				t.Errorf("%q\n    ours %v\nupstream %v", s, gerr, werr)
			}
			continue
		}
		if werr != nil {
			continue
		}
		if got.String() != want.String() || got.Empty() != want.Empty() {
			t.Errorf("%q is printed %q, upstream %q", s, got, want)
		}
		for _, set := range sets {
			if got.Matches(Set(set)) != want.Matches(upstream.Set(set)) {
				t.Errorf("%q matches %v: %v, upstream %v", s, set, got.Matches(Set(set)), want.Matches(upstream.Set(set)))
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range samples()[:40] {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sel, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(sel.String())
		if err != nil || again.String() != sel.String() {
			t.Errorf("%q is printed %q and read back as %v (%v)", s, sel, again, err)
		}
	})
}
