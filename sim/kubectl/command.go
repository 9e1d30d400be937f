// This file is the command tree: what a verb is, how a typed line finds its
// verb, and how its flags are read, in the order and with the words of the real
// kubectl. The help pages are drawn in help.go.

package kubectl

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/pflag"
)

// Verb is one run of a command: an options struct whose fields the flags fill.
// The three steps are called in order, each only if the one before succeeded.
type Verb interface {
	// Flags declares the flags, bound to the struct's fields.
	Flags(f *pflag.FlagSet)
	// Complete takes the arguments and looks up what the flags leave out.
	Complete(s *Session, args []string) error
	// Validate looks for contradictions between the options.
	Validate() error
	// Run does it.
	Run(s *Session) error
}

// Command is a node of the command tree.
type Command struct {
	// Use is the usage line without the parents' names; its first word is the command's name.
	Use        string
	Aliases    []string
	SuggestFor []string // other words that suggest this command
	Short      string
	Long       string
	Examples   string
	Hidden     bool
	Deprecated string // printed when used
	Group      string // heading on the root's help page
	// New makes a fresh Verb; nil for a command that only has subcommands.
	New func() Verb
	Sub []*Command

	parent *Command
}

// Name is the first word of Use.
func (c *Command) Name() string {
	name, _, _ := strings.Cut(c.Use, " ")
	return name
}

// Path is the command with its parents: "kubectl config view".
func (c *Command) Path() string {
	if c.parent == nil {
		return c.Name()
	}
	return c.parent.Path() + " " + c.Name()
}

func (c *Command) root() *Command {
	for c.parent != nil {
		c = c.parent
	}
	return c
}

func (c *Command) find(name string) *Command {
	for _, s := range c.Sub {
		if s.Name() == name {
			return s
		}
	}
	for _, s := range c.Sub {
		for _, a := range s.Aliases {
			if a == name {
				return s
			}
		}
	}
	return nil
}

func (c *Command) link() {
	for _, s := range c.Sub {
		s.parent = c
		s.link()
	}
}

// usageError is a mistake in the command line that points to the help page.
func usageErrorf(path, format string, args ...any) error {
	return fmt.Errorf("%s\nSee '%s -h' for help and examples", fmt.Sprintf(format, args...), path)
}

// UsageErrorf says what is wrong with the line and where the help is.
func (s *Session) UsageErrorf(format string, args ...any) error {
	return usageErrorf(s.Command.Path(), format, args...)
}

const requiredFlag = "kubonsai_required"

// markRequired makes the command fail when the flag is not given.
func markRequired(f *pflag.FlagSet, names ...string) {
	for _, n := range names {
		_ = f.SetAnnotation(n, requiredFlag, []string{"true"})
	}
}

// markDropped keeps a flag working that kubectl has removed: one line on stderr says so.
func markDropped(f *pflag.FlagSet, name, instead string) { _ = f.MarkDeprecated(name, instead) }

// noOptDefault lets a flag stand without a value: --dry-run means --dry-run=unchanged.
func noOptDefault(f *pflag.FlagSet, name, value string) { f.Lookup(name).NoOptDefVal = value }

// descend walks down the tree along the words that name subcommands; flags may
// stand anywhere between them.
func (s *Session) descend(root *Command, args []string) (*Command, []string, error) {
	c, rest := root, args
	for {
		known := s.global
		if c.New != nil && len(c.Sub) > 0 {
			known = pflag.NewFlagSet("", pflag.ContinueOnError)
			c.New().Flags(known)
			s.global.VisitAll(func(f *pflag.Flag) {
				if known.Lookup(f.Name) == nil && (f.Shorthand == "" || known.ShorthandLookup(f.Shorthand) == nil) {
					known.AddFlag(f)
				}
			})
		}
		i := firstWord(known, rest)
		if i < 0 || len(c.Sub) == 0 {
			return c, rest, nil
		}
		next := c.find(rest[i])
		if next == nil {
			break
		}
		c = next
		rest = append(append([]string{}, rest[:i]...), rest[i+1:]...)
	}
	if c == root {
		i := firstWord(s.global, rest)
		msg := fmt.Sprintf("unknown command %q for %q", rest[i], root.Name())
		if near := root.suggestions(rest[i]); len(near) > 0 {
			msg += "\n\nDid you mean this?\n"
			for _, n := range near {
				msg += "\t" + n + "\n"
			}
		}
		return nil, nil, errors.New(msg)
	}
	return c, rest, nil
}

// firstWord is the index of the first argument that is neither a flag nor the
// value of a known flag; -1 when there is none.
func firstWord(known *pflag.FlagSet, args []string) int {
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			return -1
		case strings.HasPrefix(a, "--") && !strings.Contains(a, "="):
			if f := known.Lookup(a[2:]); f != nil && f.NoOptDefVal == "" {
				i++
			} else if f == nil {
				// An unknown long flag takes the next word along, as it
				// does when its command is not known yet.
				i++
			}
		case strings.HasPrefix(a, "-") && !strings.Contains(a, "=") && len(a) == 2:
			if f := known.ShorthandLookup(a[1:]); f == nil || f.NoOptDefVal == "" {
				i++
			}
		case a != "" && !strings.HasPrefix(a, "-"):
			return i
		}
	}
	return -1
}

// suggestions are the commands that the typed word may have meant.
func (c *Command) suggestions(typed string) []string {
	var out []string
	for _, s := range c.Sub {
		if s.Hidden || s.Deprecated != "" {
			continue
		}
		near := distance(strings.ToLower(typed), strings.ToLower(s.Name())) <= 2 ||
			strings.HasPrefix(strings.ToLower(s.Name()), strings.ToLower(typed))
		for _, w := range s.SuggestFor {
			near = near || strings.EqualFold(typed, w)
		}
		if near {
			out = append(out, s.Name())
		}
	}
	return out
}

// distance is the number of letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost = 1 + min(diagonal, row[j], row[j-1])
			}
			diagonal, row[j] = row[j], cost
		}
	}
	return row[len(b)]
}

// execute finds the command of the line and runs it.
func (s *Session) execute(root *Command, args []string) error {
	if len(args) > 0 && args[0] == "help" {
		return s.helpCommand(root, args[1:])
	}
	c, rest, err := s.descend(root, args)
	if err != nil {
		return err
	}
	s.Command = c
	var v Verb = groupVerb{}
	if c.New != nil {
		v = c.New()
	}
	flags := pflag.NewFlagSet(c.Name(), pflag.ContinueOnError)
	flags.SetOutput(s.Stderr)
	flags.Usage = func() {}
	flags.SetNormalizeFunc(dashes)
	v.Flags(flags)
	own := pflag.NewFlagSet("own", pflag.ContinueOnError)
	flags.VisitAll(func(f *pflag.Flag) { own.AddFlag(f) })
	s.global.VisitAll(func(f *pflag.Flag) {
		if flags.Lookup(f.Name) == nil {
			if f.Shorthand != "" && flags.ShorthandLookup(f.Shorthand) != nil {
				g := *f
				g.Shorthand = ""
				f = &g
			}
			flags.AddFlag(f)
		}
	})
	help := flags.Lookup("help") == nil
	var wantHelp bool
	if help {
		short := "h"
		if flags.ShorthandLookup("h") != nil {
			short = ""
		}
		flags.BoolVarP(&wantHelp, "help", short, false, "help for "+c.Name())
	}
	s.Flags = flags
	if err := flags.Parse(rest); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return s.help(c, own)
		}
		return fmt.Errorf("%s\nSee '%s --help' for usage.", err, c.Path())
	}
	if wantHelp {
		return s.help(c, own)
	}
	if c.Deprecated != "" {
		fmt.Fprintf(s.Stderr, "Command %q is deprecated, %s\n", c.Name(), c.Deprecated)
	}
	words := flags.Args()
	s.ArgsLenAtDash = flags.ArgsLenAtDash()
	if c.New == nil {
		if len(words) > 0 && c.parent != nil {
			return s.UsageErrorf("unknown command %q", strings.Join(words, " "))
		}
		return s.help(c, own)
	}
	var missing []string
	flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := f.Annotations[requiredFlag]; ok && !f.Changed {
			missing = append(missing, f.Name)
		}
	})
	if len(missing) > 0 {
		sort.Strings(missing)
		return fmt.Errorf(`required flag(s) "%s" not set`, strings.Join(missing, `", "`))
	}
	if err := v.Complete(s, words); err != nil {
		return err
	}
	if err := v.Validate(); err != nil {
		return err
	}
	if err := v.Run(s); err != nil {
		return err
	}
	if s.Global.WarningsAsErrors && s.warnings > 0 {
		if s.warnings == 1 {
			return errors.New("1 warning received")
		}
		return fmt.Errorf("%d warnings received", s.warnings)
	}
	return nil
}

// dashes lets --dry_run stand for --dry-run.
func dashes(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
}

// Changed reports whether the flag was given on the command line.
func (s *Session) Changed(flag string) bool {
	f := s.Flags.Lookup(flag)
	return f != nil && f.Changed
}

// groupVerb stands in for commands that only have subcommands.
type groupVerb struct{}

func (groupVerb) Flags(*pflag.FlagSet)              {}
func (groupVerb) Complete(*Session, []string) error { return nil }
func (groupVerb) Validate() error                   { return nil }
func (groupVerb) Run(*Session) error                { return nil }
