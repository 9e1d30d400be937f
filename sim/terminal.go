// Terminals: where a reader's commands run. A terminal keeps one shell, so that
// variables, functions, jobs and the working directory live on from one
// command to the next; all terminals share the reader's files and machine.

package sim

import (
	"encoding/json"
	"sort"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/shell"
	"github.com/kubonsai/kubonsai/sim/store"
)

// Home is the reader's home directory.
const Home = "/home/reader"

// Terminal is one of the reader's terminals.
type Terminal struct {
	ID      string
	machine *Machine
	shell   *shell.Shell
	ctx     *program.Context
	run     *Run // the command in the foreground, nil when idle
}

// RunOptions say how a script is run and who is told of what it does. The
// callbacks are made on the host's goroutine or while a process holds the
// baton; they must not call back into the machine, except to Ack.
type RunOptions struct {
	Columns, Rows int    // the terminal's size; 0 is 80 × 24
	Interactive   bool   // a person types: programs see a terminal
	Name          string // the script's file name, "" when it is typed
	Beside        bool   // run in a copy of the shell even if the terminal is idle
	// OnOutput gets what is written to standard output (1) and standard error
	// (2); the data is the callee's to keep.
	OnOutput func(stream int, data []byte)
	// OnExit is called once, with the script's exit status.
	OnExit func(code int)
	// OnClear is called when a program clears the screen.
	OnClear func()
	// Edit opens the host's editor on a text; done is called once, later, from
	// the host (not from within Edit). nil means that there is no editor.
	Edit func(name, text string, done func(text string, ok bool))
	// Window bounds the output that has not been acknowledged by Run.Ack, in
	// bytes; a program that writes more waits. 0 is no bound.
	Window int
}

// Run is one script under way in a terminal.
type Run struct {
	terminal *Terminal
	proc     *kernel.Proc
	opts     RunOptions
	stdin    *kernel.Pipe
	unacked  int
	acked    kernel.WaitQueue
	done     bool
	code     int
}

// Terminal returns the terminal of that name, made on first use.
func (m *Machine) Terminal(id string) *Terminal {
	if t := m.terminals[id]; t != nil {
		return t
	}
	t := &Terminal{ID: id, machine: m}
	m.terminals[id] = t
	return t
}

// Terminals are the names of the terminals that have been used, sorted.
func (m *Machine) Terminals() []string {
	out := sortedKeys(m.terminals)
	for id := range m.saved {
		if m.terminals[id] == nil {
			out = append(out, id)
		}
	}
	sort.Strings(out)
	return out
}

// savedTerminal is the record of a terminal.
type savedTerminal struct {
	Shell shell.Saved `json:"shell"`
}

func (m *Machine) terminalRecord(id string) (store.Record, error) {
	t := m.terminals[id]
	if t == nil || t.shell == nil {
		return store.Record{Key: terminalPrefix + id, Value: m.saved[id]}, nil
	}
	return jsonRecord(terminalPrefix+id, savedTerminal{Shell: t.shell.Save()})
}

// Busy reports whether a script is under way in the foreground.
func (t *Terminal) Busy() bool { return t.run != nil && !t.run.done }

// Dir is the shell's working directory.
func (t *Terminal) Dir() string {
	if t.shell == nil {
		return Home
	}
	return t.shell.Dir
}

// Start begins a script and returns at once; the host's turns carry it on. A
// script started while another is under way runs beside it, in the same shell's
// directory and variables as they are then (a copy).
func (t *Terminal) Start(script string, opts RunOptions) *Run {
	m := t.machine
	if opts.Columns == 0 {
		opts.Columns, opts.Rows = 80, 24
	}
	r := &Run{terminal: t, opts: opts, stdin: m.kernel.NewPipe(0)}
	if !opts.Interactive {
		r.stdin.CloseWrite()
	}
	beside := opts.Beside || t.Busy()
	r.proc = m.kernel.Spawn(nil, "terminal "+t.ID, func(p *kernel.Proc) int {
		ctx := m.readerContext(p)
		ctx.Stdin = r.stdin
		ctx.Stdout = &runWriter{r, 1}
		ctx.Stderr = &runWriter{r, 2}
		if opts.Interactive || opts.Edit != nil {
			ctx.TTY = &runTTY{r}
		}
		sh := t.shell
		switch {
		case sh == nil && beside:
			sh = shell.New(ctx, shell.Options{Random: m.shellRandom})
			sh.Dir = t.Dir()
		case sh == nil:
			sh = shell.New(ctx, shell.Options{Random: m.shellRandom})
			if data, ok := m.saved[t.ID]; ok {
				delete(m.saved, t.ID)
				var saved savedTerminal
				if json.Unmarshal(data, &saved) == nil {
					sh.Restore(saved.Shell)
				}
			}
			t.shell = sh
		case beside:
			sh = sh.Fork(ctx)
			defer sh.Close()
		default:
			sh.Attach(ctx)
		}
		code := sh.Run(script, opts.Name)
		if sh.Exited() && t.shell == sh && code != 128+int(kernel.SIGINT) {
			t.shell = nil // exit was typed: the next command gets a new shell
		}
		return code
	})
	if !beside {
		t.run = r
	}
	r.proc.AtExit(func() {
		r.code, _ = r.proc.Done()
		r.done = true
		m.terminalDirty(t.ID)
		if opts.OnExit != nil {
			opts.OnExit(r.code)
		}
	})
	return r
}

// Done reports whether the script has ended, and its exit status.
func (r *Run) Done() (code int, done bool) { return r.code, r.done }

// Interrupt is what Ctrl-C does.
func (r *Run) Interrupt() { r.proc.Signal(kernel.SIGINT) }

// Kill ends the script and what it started, whatever they do about signals.
func (r *Run) Kill() { r.proc.Signal(kernel.SIGKILL) }

// Write is what a person types; it is lost if nothing reads it.
func (r *Run) Write(data []byte) { r.stdin.Write(data) }

// Asks reports whether a program waits for something to be typed.
func (r *Run) Asks() bool { return r.stdin.Wanted() }

// CloseInput is what Ctrl-D does.
func (r *Run) CloseInput() { r.stdin.CloseWrite() }

// Resize tells the programs the terminal's new size.
func (r *Run) Resize(columns, rows int) { r.opts.Columns, r.opts.Rows = columns, rows }

// Ack says that n bytes of output have been shown; see RunOptions.Window.
func (r *Run) Ack(n int) {
	r.unacked = max(0, r.unacked-n)
	if r.unacked < r.opts.Window {
		r.acked.Wake()
	}
}

// runWriter hands a program's output to the host.
type runWriter struct {
	run    *Run
	stream int
}

func (w *runWriter) Write(b []byte) (int, error) {
	r := w.run
	if len(b) == 0 || r.opts.OnOutput == nil {
		return len(b), nil
	}
	for r.opts.Window > 0 && r.unacked >= r.opts.Window {
		p := r.terminal.machine.kernel.Current()
		if p == nil {
			break
		}
		if err := p.Wait(&r.acked); err != nil {
			return 0, err
		}
	}
	r.unacked += len(b)
	r.opts.OnOutput(w.stream, append([]byte(nil), b...))
	return len(b), nil
}

// runTTY is the terminal as programs see it.
type runTTY struct{ run *Run }

func (t *runTTY) Size() (int, int) { return t.run.opts.Columns, t.run.opts.Rows }

func (t *runTTY) Clear() {
	if t.run.opts.OnClear != nil {
		t.run.opts.OnClear()
	}
}

func (t *runTTY) Edit(p *kernel.Proc, name, text string) (string, bool, error) {
	if t.run.opts.Edit == nil {
		return "", false, errNoEditor
	}
	var q kernel.WaitQueue
	var edited string
	var ok, answered bool
	t.run.opts.Edit(name, text, func(s string, saved bool) {
		if !answered {
			edited, ok, answered = s, saved, true
			q.Wake()
		}
	})
	for !answered {
		if err := p.Wait(&q); err != nil {
			return "", false, err
		}
	}
	return edited, ok, nil
}
