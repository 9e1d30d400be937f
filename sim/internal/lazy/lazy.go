// Package lazy puts off work that most runs of the program never need, so that
// it starts sooner.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp compiles an expression when the function that it returns is first
// called, and panics then if the expression is wrong. Any number of clusters may
// call it.
func Regexp(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
