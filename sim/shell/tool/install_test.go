// What envsubst replaces.

package tool

import "testing"

func TestVariables(t *testing.T) {
	env := map[string]string{"A": "1", "B_2": "two"}
	for in, want := range map[string]string{
		"x: $A ${A}b $B_2-$Bx": "x: 1 1b two-", "$$A $ ${ ${A ${} $1 ${1}": "$1 $ ${ ${A ${} $1 ${1}", "$A$A${NONE}": "11", "": "", "$": "$",
	} {
		if got := variables(in, func(_, n string) string { return env[n] }); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}
