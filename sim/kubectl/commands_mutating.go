// This file names the verbs that change the cluster or talk to containers.
// commands.go places them in the tree; a verb without an entry is left out.

package kubectl

var mutatingCommands = map[string]func() *Command{}

func mutating(name string) *Command {
	if f := mutatingCommands[name]; f != nil {
		return f()
	}
	return &Command{}
}
