// kubectl options, plugin and completion: small commands about kubectl itself.

package kubectl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

func optionsCommand() *Command {
	return &Command{
		Use: "options", Short: "Print the list of flags inherited by all commands", Group: "Other Commands:",
		New: func() Verb { return optionsOptions{} },
	}
}

type optionsOptions struct{}

func (optionsOptions) Flags(*pflag.FlagSet)              {}
func (optionsOptions) Complete(*Session, []string) error { return nil }
func (optionsOptions) Validate() error                   { return nil }
func (optionsOptions) Run(s *Session) error {
	s.Printf("The following options can be passed to any command:\n\n%s", flagUsages(s.global))
	return nil
}

func pluginCommand() *Command {
	return &Command{
		Use: "plugin [flags]", Short: "Provides utilities for interacting with plugins", New: needsSubcommand,
		Sub: []*Command{{
			Use: "list [flags]", Short: "List all visible plugin executables on a user's PATH",
			New: func() Verb { return &pluginListOptions{} },
		}},
	}
}

type pluginListOptions struct{ nameOnly bool }

func (o *pluginListOptions) Flags(f *pflag.FlagSet) {
	f.BoolVar(&o.nameOnly, "name-only", false, "Print names without their paths")
}
func (o *pluginListOptions) Complete(*Session, []string) error { return nil }
func (o *pluginListOptions) Validate() error                   { return nil }
func (o *pluginListOptions) Run(*Session) error {
	return errors.New("unable to find any kubectl plugins in your PATH")
}

var completionShells = []string{"bash", "fish", "powershell", "zsh"}

// alphaCommand is where commands are tried out; this version has none, and then
// the help does not list it.
func alphaCommand() *Command {
	return &Command{Use: "alpha", Short: "Commands for features in alpha", Hidden: true, New: func() Verb { return alphaOptions{} }}
}

type alphaOptions struct{}

func (alphaOptions) Flags(*pflag.FlagSet)              {}
func (alphaOptions) Complete(*Session, []string) error { return nil }
func (alphaOptions) Validate() error                   { return nil }

func (alphaOptions) Run(s *Session) error {
	s.Errorf("No alpha commands are available in this version of kubectl\n")
	return nil
}

func completionCommand() *Command {
	return &Command{
		Use:   "completion SHELL",
		Short: "Output shell completion code for the specified shell (bash, zsh, fish, or powershell)",
		Long:  "Prints a script that a shell can source. The terminal here completes nothing, so the script is empty but for a comment.",
		New:   func() Verb { return &completionOptions{} },
	}
}

type completionOptions struct{ args []string }

func (o *completionOptions) Flags(*pflag.FlagSet) {}
func (o *completionOptions) Complete(s *Session, args []string) error {
	switch {
	case len(args) == 0:
		return s.UsageErrorf("Shell not specified.")
	case len(args) > 1:
		return s.UsageErrorf("Too many arguments. Expected only the shell type.")
	}
	for _, sh := range completionShells {
		if sh == args[0] {
			o.args = args
			return nil
		}
	}
	return s.UsageErrorf("Unsupported shell type %q.", args[0])
}
func (o *completionOptions) Validate() error { return nil }
func (o *completionOptions) Run(s *Session) error {
	fmt.Fprintf(s.Stdout, "# %s: this simulated kubectl has nothing to complete with.\n", strings.Join(o.args, " "))
	return nil
}
