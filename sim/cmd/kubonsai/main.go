// Command kubonsai is the native host of the simulation: it runs shell scripts
// against a fresh cluster in virtual time, records and replays scenarios, and
// serves the cluster's API to the real kubectl.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
)

// command is one subcommand. run gets the arguments after its name and returns
// the exit status.
type command struct {
	name, args, short, long string
	run                     func(args []string) int
}

var commands = []*command{&runCommand, &recordCommand, &replayCommand, &doctestCommand, &serveCommand}

// softLimit is the memory, in bytes, beyond which the collector works harder
// before more is taken: a cluster of 5,000 nodes and 150,000 pods stays within
// 2 GB. GOMEMLIMIT sets another.
const softLimit = 1_900_000_000

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softLimit)
	}
	os.Exit(dispatch(os.Args[1:]))
}

func dispatch(args []string) int {
	if len(args) == 0 {
		usage(os.Stderr)
		return 2
	}
	switch args[0] {
	case "-h", "--help", "help":
		if len(args) > 1 {
			return dispatch([]string{args[1], "--help"})
		}
		usage(os.Stdout)
		return 0
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(args[1:])
		}
	}
	fmt.Fprintf(os.Stderr, "kubonsai: unknown command %q\n\n", args[0])
	usage(os.Stderr)
	return 2
}

func usage(w *os.File) {
	fmt.Fprint(w, "kubonsai simulates a Kubernetes cluster.\n\nUsage:\n  kubonsai COMMAND [flags]\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.short)
	}
	fmt.Fprint(w, "\nRun 'kubonsai COMMAND --help' for the flags of a command.\n")
}

// help prints a command's page; flags is what pflag says of its flags.
func (c *command) help(w *os.File, flags string) {
	fmt.Fprintf(w, "%s\n\nUsage:\n  kubonsai %s %s\n", strings.TrimSpace(c.long), c.name, c.args)
	if flags != "" {
		fmt.Fprintf(w, "\nFlags:\n%s", flags)
	}
}
