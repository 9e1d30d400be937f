// Commands on a node itself, as docker exec and minikube ssh run them.

package provision

import (
	"maps"

	"github.com/kubonsai/kubonsai/sim/program"
)

// RunOn runs a command for c where shell leads; found is false when there is no
// such program.
func RunOn(c, shell *program.Context, args []string) (code int, found bool) {
	p := shell.Lookup(args[0])
	if p == nil {
		return 127, false
	}
	on := *shell
	on.Proc, on.Stdin, on.Stdout, on.Stderr, on.TTY = c.Proc, c.Stdin, c.Stdout, c.Stderr, c.TTY
	on.Env = maps.Clone(shell.Env)
	return p(&on, args), true
}
