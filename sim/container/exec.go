// What comes into a running container from outside: exec, attach, terminals.

package container

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
)

type attachment struct {
	stdout, stderr io.Writer
	wait           kernel.WaitQueue
	gone           bool
}

// ExecError is why a command could not be started in a running container.
type ExecError struct{ ID, Cause string }

func (e *ExecError) Error() string {
	return fmt.Sprintf("failed to exec in container: failed to start exec %q: OCI runtime exec failed: exec failed: unable to start container process: %s", e.ID, e.Cause)
}

// IO are the streams of a command.
type IO struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	TTY            *terminal
	Raw            bool // the client's terminal sends keys; with TTY, and for Attach if the container has one
}

// NewTerminal is the terminal of an exec or attach session.
func NewTerminal(columns, rows int) *terminal { return &terminal{cols: columns, rows: rows} }

type terminal struct{ cols, rows int }

func (t *terminal) Size() (int, int) {
	if t.cols == 0 {
		return 80, 24
	}
	return t.cols, t.rows
}

func (t *terminal) Resize(c, r int) { t.cols, t.rows = c, r }

func (t *terminal) Clear() {}

func (t *terminal) Edit(*kernel.Proc, string, string) (string, bool, error) {
	return "", false, constError("no editor in this container")
}

// Exec starts a command beside the container's program; the process's exit
// status is the command's. An *ExecError when it cannot be started.
func (c *Container) Exec(argv []string, s IO) (*kernel.Proc, error) {
	if c.State != Running {
		return nil, constError("container not running (" + c.ID + ")")
	}
	fail := func(err error) error { return &ExecError{c.rt.ids.Hex(32), err.Error()} }
	t, err := c.resolve(argv, c.Dir)
	if err != nil {
		return nil, fail(err)
	}
	run := t.program
	if t.behaviour != nil {
		run = c.asProgram(t.behaviour)
	}
	if s.Stdin == nil {
		s.Stdin = eof{}
	}
	if s.Stdout == nil {
		s.Stdout = io.Discard
	}
	if s.Stderr == nil {
		s.Stderr = io.Discard
	}
	var p *kernel.Proc
	hangUp := func() {}
	if s.Raw && s.TTY != nil {
		in := &typed{kernel: c.rt.Kernel}
		hangUp = c.raw(&s, in.put, func() { in.put(nil) }, func(sig kernel.Signal) { p.Signal(sig) })
		s.Stdin, s.Stderr = in, s.Stdout
	}
	ctx := c.context(s.Stdin, s.Stdout, s.Stderr)
	if s.TTY != nil {
		ctx.TTY = s.TTY
		if ctx.Env["TERM"] == "" {
			ctx.Env["TERM"] = "xterm"
		}
		if s.Stderr == io.Discard {
			ctx.Stderr = s.Stdout
		}
	}
	p = c.rt.Kernel.Spawn(nil, c.sb.Name+"/"+c.Name+" "+argv[0], func(p *kernel.Proc) int {
		ctx.Proc = p
		return run(ctx, t.args)
	})
	p.AtExit(hangUp)
	c.pace(p)
	c.nextPID += 3 // runc's own processes come and go
	c.Register(p, t.args)
	return p, nil
}

// execTime is how long a container's own program takes from its start, which the
// runtime reports, to its first step: long enough that a client which waits for
// the container can attach to a program that ends at once.
const execTime = 60 * time.Millisecond

// Attach connects the streams to the container's main process and blocks p
// until the container ends or p is interrupted.
func (c *Container) Attach(p *kernel.Proc, s IO) error {
	if c.State != Running {
		return nil
	}
	raw := s.Raw && c.TTY
	switch {
	case raw && s.Stdin != nil && c.stdin != nil:
		defer c.raw(&s, func(line []byte) { c.stdin.Write(line) }, c.stdin.CloseWrite, c.Signal)()
	case raw && s.Stdout != nil:
		s.Stdout = screen{s.Stdout}
	}
	a := &attachment{stdout: s.Stdout, stderr: s.Stderr}
	c.attached = append(c.attached, a)
	defer c.detach(a)
	if !raw && s.Stdin != nil && c.stdin != nil {
		pump := c.rt.Kernel.Spawn(p, "attach "+c.sb.Name, func(q *kernel.Proc) int {
			buf := make([]byte, 4096)
			for {
				n, err := s.Stdin.Read(buf)
				if n > 0 {
					if _, err := c.stdin.Write(buf[:n]); err != nil {
						return 0
					}
				}
				if err != nil {
					if c.StdinOnce {
						c.stdin.CloseWrite()
					}
					return 0
				}
			}
		})
		defer pump.Signal(kernel.SIGKILL)
	}
	for !a.gone {
		if err := p.Wait(&a.wait); err != nil {
			return err
		}
	}
	return nil
}

func (c *Container) detach(a *attachment) {
	c.attached = slices.DeleteFunc(c.attached, func(o *attachment) bool { return o == a })
	if !a.gone {
		a.gone = true
		a.wait.Wake()
	}
}
