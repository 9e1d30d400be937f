// This file draws the help pages: kubectl's layout, our words.

package kubectl

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

var rootGroups = []string{
	"Basic Commands (Beginner):", "Basic Commands (Intermediate):", "Deploy Commands:",
	"Cluster Management Commands:", "Troubleshooting and Debugging Commands:",
	"Advanced Commands:", "Settings Commands:", "Other Commands:",
}

func (s *Session) helpCommand(root *Command, args []string) error {
	c := root
	for _, a := range args {
		if next := c.find(a); next != nil {
			c = next
		} else if c == root {
			fmt.Fprintf(s.Stderr, "Unknown help topic [`%s`]\n", strings.Join(args, " "))
			return s.help(root, nil)
		}
	}
	own := pflag.NewFlagSet("own", pflag.ContinueOnError)
	if c.New != nil {
		c.New().Flags(own)
	}
	return s.help(c, own)
}

// help prints the page of a command; own are its flags without the global ones.
func (s *Session) help(c *Command, own *pflag.FlagSet) error {
	var b strings.Builder
	text := c.Long
	if text == "" {
		text = c.Short
	}
	b.WriteString(strings.TrimSpace(text) + "\n\n")
	if len(c.Aliases) > 0 {
		fmt.Fprintf(&b, "Aliases:\n%s\n\n", strings.Join(append([]string{c.Name()}, c.Aliases...), ", "))
	}
	if c.Examples != "" {
		b.WriteString("Examples:\n")
		for _, line := range strings.Split(strings.TrimSpace(c.Examples), "\n") {
			b.WriteString(strings.TrimRight("  "+strings.TrimSpace(line), " ") + "\n")
		}
		b.WriteString("\n")
	}
	list := func(heading string, cs []*Command) {
		var lines []string
		width := 11
		for _, x := range c.Sub {
			width = max(width, len(x.Name()))
		}
		for _, x := range cs {
			if !x.Hidden && x.Deprecated == "" {
				lines = append(lines, fmt.Sprintf("  %-*s   %s", width, x.Name(), x.Short))
			}
		}
		if len(lines) > 0 || heading == "Other Commands:" {
			b.WriteString(heading + "\n" + strings.Join(lines, "\n") + "\n\n")
		}
	}
	if c.parent == nil {
		for _, g := range rootGroups {
			var cs []*Command
			for _, x := range c.Sub {
				if x.Group == g && x.Name() != "options" {
					cs = append(cs, x)
				}
			}
			if g == "Other Commands:" {
				b.WriteString("Subcommands provided by plugins:\n\n")
			}
			list(g, cs)
		}
	} else if len(c.Sub) > 0 {
		list("Available Commands:", c.Sub)
	}
	if own != nil {
		if usage := flagUsages(own); usage != "" {
			b.WriteString("Options:\n" + usage + "\n")
		}
	}
	usage := c.Path() + strings.TrimPrefix(c.Use, c.Name())
	if c.parent == nil {
		usage = c.Name() + " [flags]"
	}
	if !strings.Contains(usage, "[options]") {
		usage += " [options]"
	}
	b.WriteString("Usage:\n  " + usage + "\n\n")
	if len(c.Sub) > 0 {
		fmt.Fprintf(&b, "Use %q for more information about a given command.\n", c.Path()+" <command> --help")
	}
	fmt.Fprintf(&b, "Use %q for a list of global command-line options (applies to all commands).\n", c.root().Name()+" options")
	_, err := fmt.Fprint(s.Stdout, b.String())
	return err
}

// flagUsages lists flags with their defaults, a blank line between them.
func flagUsages(fs *pflag.FlagSet) string {
	var parts []string
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" || f.Name == "help" {
			return
		}
		value := f.DefValue
		if f.Value.Type() == "string" {
			value = "'" + value + "'"
		}
		short := ""
		if f.Shorthand != "" {
			short = "-" + f.Shorthand + ", "
		}
		parts = append(parts, fmt.Sprintf("    %s--%s=%s:\n\t%s\n", short, f.Name, value, f.Usage))
	})
	return strings.Join(parts, "\n")
}
