// Package simctl is the command kubonsai of the reader's terminals: what a
// reader asks of the simulation itself and no real cluster's tool could answer.
// One file per sub-command; what they need of the cluster comes in by Options.
package simctl

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubonsai/kubonsai/sim/program"
)

// Options are what the sub-commands need; a sub-command whose part is nil is
// not offered.
type Options struct {
	Trace *Tracer
	Nodes Nodes
}

// command is one sub-command.
type command struct {
	name, args, short string
	long              string // shown by --help under the usage line
	run               func(c *program.Context, args []string) int
}

// New returns the program.
func New(o Options) program.Program {
	commands := o.commands()
	return func(c *program.Context, args []string) int {
		if len(args) < 2 || args[1] == "--help" || args[1] == "-h" || args[1] == "help" && len(args) == 2 {
			usage(c.Stdout, commands)
			return 0
		}
		name, rest := args[1], args[2:]
		help := name == "help"
		if help {
			name, rest = rest[0], nil
		}
		for _, k := range commands {
			if k.name != name {
				continue
			}
			for _, a := range rest {
				help = help || a == "--help" || a == "-h"
			}
			if help {
				fmt.Fprintf(c.Stdout, "%s\n\nUsage:\n  kubonsai %s\n%s", k.short, strings.TrimSpace(k.name+" "+k.args), k.long)
				return 0
			}
			return k.run(c, rest)
		}
		fmt.Fprintf(c.Stderr, "kubonsai: unknown command %q\n", name)
		usage(c.Stderr, commands)
		return 2
	}
}

// commands is the table of sub-commands.
func (o Options) commands() []command {
	var out []command
	if o.Trace != nil {
		out = append(out, traceCommand(o.Trace))
	}
	if o.Nodes != nil {
		out = append(out, nodeCommand(o.Nodes))
	}
	return out
}

func usage(w io.Writer, commands []command) {
	fmt.Fprint(w, "kubonsai asks the simulation itself.\n\nUsage:\n  kubonsai COMMAND\n\nCommands:\n")
	for _, k := range commands {
		fmt.Fprintf(w, "  %-10s %s\n", k.name, k.short)
	}
	fmt.Fprint(w, "\nkubonsai COMMAND --help says more of one.\n")
}

// fail prints what is wrong with a command line.
func fail(c *program.Context, format string, args ...any) int {
	fmt.Fprintf(c.Stderr, "kubonsai: "+format+"\n", args...)
	return 2
}
