// A container's process table and its signals.

package container

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// process is one entry of the process table.
type process struct {
	pid, ppid int
	uid       int
	args      []string
	started   time.Time
	proc      *kernel.Proc // nil for event-driven servers and their workers
	srv       *server
	rss       int64
}

func (c *Container) pid() int {
	p := c.nextPID
	c.nextPID++
	return p
}

// Signal sends a signal from outside, as the runtime does to stop the container.
func (c *Container) Signal(sig kernel.Signal) {
	if c.State != Running {
		return
	}
	if sig == kernel.SIGKILL {
		c.kill(137, "")
		return
	}
	c.signal(c.main, sig)
}

// signal delivers a signal as the kernel of the pid namespace does: what has
// no handler does not reach pid 1.
func (c *Container) signal(p *process, sig kernel.Signal) {
	switch {
	case p.srv != nil:
		if p.srv.signal(sig) || p.pid == 1 {
			return
		}
		if sig == kernel.SIGKILL || sig == kernel.SIGTERM {
			p.srv.workerDied(p)
		}
	case p.proc == nil:
	case p.pid != 1:
		p.proc.Signal(sig)
	default:
		handler := p.proc.OnSignal
		if sig == kernel.SIGKILL || handler == nil || !c.traps(p.args) || !handler(sig) {
			return
		}
		p.proc.OnSignal = func(kernel.Signal) bool { return true } // it has been asked already
		p.proc.Signal(sig)
		p.proc.OnSignal = handler
	}
}

// traps reports whether a command line may set a handler. A shell takes every
// signal to decide for itself, and its default is to end, which the kernel does
// not do to pid 1; only one that uses trap has a handler.
func (c *Container) traps(args []string) bool {
	switch path.Base(args[0]) {
	case "sh", "bash", "ash", "dash":
	default:
		return true
	}
	for _, a := range args[1:] {
		if strings.Contains(a, "trap") {
			return true
		}
		if strings.HasPrefix(a, "-") || strings.ContainsAny(a, " \n;") {
			continue
		}
		if data, err := c.FS().ReadFile(vfs.Join(c.Dir, a)); err == nil && strings.Contains(string(data), "trap") {
			return true
		}
	}
	return false
}

// Processes implements program.System.
func (c *Container) Processes() []program.ProcessInfo {
	var out []program.ProcessInfo
	add := func(pid int, p *process) {
		user := c.UserName()
		if p.uid != c.UID {
			user = strconv.Itoa(p.uid)
		}
		if p.uid == 101 && strings.HasPrefix(p.args[0], "nginx: worker") {
			user = "nginx"
		}
		out = append(out, program.ProcessInfo{PID: pid, PPID: p.ppid, User: user, Args: p.args, Started: p.started, State: "S", RSS: p.rss})
	}
	own := 0
	if c.Target != nil && c.Target.State == Running {
		own = 100
		for _, p := range c.Target.procs {
			add(p.pid, p)
		}
	}
	for _, p := range c.procs {
		add(own+p.pid, p)
	}
	slices.SortStableFunc(out, func(a, b program.ProcessInfo) int { return a.PID - b.PID })
	return out
}

// Kill implements program.System.
func (c *Container) Kill(pid int, sig kernel.Signal) error {
	if c.Target != nil && c.Target.State == Running {
		return c.Target.Kill(pid, sig)
	}
	if pid == -1 {
		self := c.PID(c.rt.Kernel.Current())
		for _, p := range slices.Clone(c.procs) {
			if p.pid != 1 && p.pid != self {
				c.signal(p, sig)
			}
		}
		return nil
	}
	p := c.process(pid)
	if p == nil {
		return errNoProcess
	}
	if sig == 0 {
		return nil
	}
	if pid == 1 && sig == kernel.SIGKILL {
		return nil // pid 1 cannot be killed from inside
	}
	c.signal(p, sig)
	return nil
}

type constError string

func (e constError) Error() string { return string(e) }

const errNoProcess = constError("No such process")

// PID implements program.System.
func (c *Container) PID(p *kernel.Proc) int {
	for _, e := range c.procs {
		if e.proc == p && p != nil {
			return e.pid
		}
	}
	return 0
}

// process is the process with the pid; nil when there is none.
func (c *Container) process(pid int) *process {
	for _, p := range c.procs {
		if p.pid == pid {
			return p
		}
	}
	return nil
}

func (c *Container) forget(p *process) {
	if i := slices.Index(c.procs, p); i >= 0 {
		c.procs = slices.Delete(c.procs, i, i+1)
	}
}

// Register implements program.System.
func (c *Container) Register(p *kernel.Proc, args []string) int {
	if pid := c.PID(p); pid != 0 {
		return pid
	}
	e := &process{pid: c.pid(), uid: c.UID, args: args, started: c.rt.Clock.Now(), proc: p, rss: 512 << 10}
	for q := p.Parent; q != nil; q = q.Parent {
		if pid := c.PID(q); pid != 0 {
			e.ppid = pid
			break
		}
	}
	c.procs = append(c.procs, e)
	p.AtExit(func() {
		if e.rss > 512<<10 {
			c.memory -= e.rss - 512<<10
		}
		c.forget(e)
		c.notify()
	})
	return e.pid
}
