// kubonsai node: machines that fail and come back.

package simctl

import (
	"fmt"

	"github.com/kubonsai/kubonsai/sim/program"
)

// Nodes are the machines of the current cluster.
type Nodes interface {
	// Nodes are their names; none when there is no cluster.
	Nodes() []string
	// NodeStopped reports whether a node does not run.
	NodeStopped(name string) bool
	// StopNode is a failure, StartNode the recovery.
	StopNode(name string) error
	StartNode(name string) error
}

const nodeHelp = `
  list          the nodes, and whether they run
  stop NODE...  their power is cut: the kubelet falls silent, containers are gone
  start NODE... they boot again

A node that falls silent is NotReady after 50 seconds, and its pods are evicted
five minutes later, unless they tolerate that; DaemonSets' pods stay.

Examples:
  kubonsai node stop kind-worker
  kubectl get nodes --watch
`

func nodeCommand(n Nodes) command {
	return command{name: "node", args: "list|stop|start [NODE...]", long: nodeHelp, short: "Stop and start nodes, as a failure of the machine does.",
		run: func(c *program.Context, args []string) int { return node(c, n, args) }}
}

func node(c *program.Context, n Nodes, args []string) int {
	if len(args) == 0 {
		return fail(c, "what about the nodes? See kubonsai node --help")
	}
	verb, names := args[0], args[1:]
	do, done := n.StopNode, "stopped"
	switch verb {
	case "list":
		if len(names) > 0 {
			return fail(c, "list takes no names")
		}
		all := n.Nodes()
		if len(all) == 0 {
			fmt.Fprintln(c.Stderr, "kubonsai: there is no cluster")
			return 1
		}
		width := len("NAME")
		for _, name := range all {
			width = max(width, len(name))
		}
		fmt.Fprintf(c.Stdout, "%-*s   STATE\n", width, "NAME")
		for _, name := range all {
			state := "running"
			if n.NodeStopped(name) {
				state = "stopped"
			}
			fmt.Fprintf(c.Stdout, "%-*s   %s\n", width, name, state)
		}
		return 0
	case "stop":
	case "start":
		do, done = n.StartNode, "started"
	default:
		return fail(c, "unknown command \"node %s\"; see kubonsai node --help", verb)
	}
	if len(names) == 0 {
		return fail(c, "node %s needs a node's name; see kubonsai node list", verb)
	}
	status := 0
	for _, name := range names {
		if err := do(name); err != nil {
			fmt.Fprintf(c.Stderr, "kubonsai: %v\n", err)
			status = 1
			continue
		}
		fmt.Fprintf(c.Stdout, "node %s %s\n", name, done)
	}
	return status
}
