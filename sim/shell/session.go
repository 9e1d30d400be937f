// A terminal's shell outlives the process of one command: it moves on to the
// next command's process, and it can be kept as text.

package shell

import (
	"sort"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/program"
)

// Attach moves the shell to another process, whose streams and terminal it
// takes; variables, functions and the directory stay. Its former process must
// have ended.
func (s *Shell) Attach(c *program.Context) {
	env := s.ctx.Env
	s.ctx, s.proc = c, c.Proc
	if env != nil {
		c.Env = env
	}
	s.fds[0] = &desc{r: c.Stdin, refs: 1, tty: c.TTY != nil}
	s.fds[1] = &desc{w: c.Stdout, refs: 1, tty: c.TTY != nil}
	s.fds[2] = &desc{w: c.Stderr, refs: 1, tty: c.TTY != nil}
	s.tree.pids[s.pid] = c.Proc
	s.flow, s.sigs, s.fg, s.exitRan, s.loops, s.depth = flowNone, nil, nil, false, 0, 0
	s.proc.OnSignal = s.onSignal
}

// Fork is a shell of its own on another process, with copies of this one's
// variables, functions and directory.
func (s *Shell) Fork(c *program.Context) *Shell {
	n := New(c, Options{Name: s.name, Flavour: s.flavour, Interactive: s.interactive, Random: s.randSource, ProcLimit: s.tree.limit})
	f := s.fork()
	n.vars, n.funcs, n.aliases, n.opts, n.shopts, n.Dir = f.vars, f.funcs, f.aliases, f.opts, f.shopts, f.Dir
	n.token = f.token
	f.closeAll()
	return n
}

// Saved is what is kept of a shell.
type Saved struct {
	Dir    string `json:"dir"`
	Script string `json:"script"` // text that declares the variables, functions and aliases
}

// Save returns what is kept of the shell. Jobs, traps and what runs are not.
func (s *Shell) Save() Saved {
	var b strings.Builder
	for _, name := range names(s.vars) {
		switch v := s.vars[name]; {
		case v.ReadOnly, name == "_", name == "PWD", name == "SHLVL", strings.HasPrefix(name, "BASH"):
		default:
			b.WriteString(s.declaration(name, v, true) + "\n")
		}
	}
	for _, name := range names(s.funcs) {
		var body strings.Builder
		if syntax.NewPrinter().Print(&body, s.funcs[name]) == nil {
			b.WriteString(name + "() " + body.String() + "\n")
		}
	}
	for _, name := range names(s.aliases) {
		b.WriteString("alias " + name + "=" + declQuote(s.aliases[name]) + "\n")
	}
	return Saved{Dir: s.Dir, Script: b.String()}
}

// Restore takes back what Save returned; call it on the shell's own process.
func (s *Shell) Restore(saved Saved) {
	out, errs := s.fds[1], s.fds[2]
	s.fds[1], s.fds[2] = &desc{w: discard{}, refs: 1}, &desc{w: discard{}, refs: 1}
	s.source(saved.Script)
	s.fds[1], s.fds[2] = out, errs
	s.flow, s.status = flowNone, 0
	if info, err := s.ctx.FS.Stat(saved.Dir); err == nil && info.IsDir() {
		s.Dir = saved.Dir
		s.export("PWD", saved.Dir)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func names[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for n := range m {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}
