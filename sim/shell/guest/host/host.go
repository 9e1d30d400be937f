// Package host lets a guest's program run as a process of the kernel: Process
// is the System of a program that is linked with the simulation, Native and
// Remote make of both sorts what a shell can start.
package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/shell/guest"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// Process is the System of one program: its process and what it has open.
type Process struct {
	*program.Context
	open []stream // by descriptor; one that is closed is empty
}

// stream is one of a process's open files and pipes.
type stream struct {
	in    io.Reader
	out   io.Writer
	close func()
	pid   int
	child *kernel.Proc
}

func newProcess(c *program.Context) *Process {
	return &Process{c, []stream{{in: c.Stdin}, {out: c.Stdout}, {out: c.Stderr}}}
}

// start is what a program begins with.
func (p *Process) start(args []string) guest.Start {
	_, pipe := p.Stdout.(*kernel.Pipe)
	return guest.Start{Args: args, Env: p.Environ(), Pipe: pipe}
}

// end closes what the program left open, so that no command waits for it.
func (p *Process) end() {
	for fd := range p.open {
		p.Close(fd)
	}
}

func (p *Process) at(fd int) *stream {
	if fd < 0 || fd >= len(p.open) {
		return &stream{}
	}
	return &p.open[fd]
}

func (p *Process) add(s stream) int {
	p.open = append(p.open, s)
	return len(p.open) - 1
}

// Read is guest.System's.
func (p *Process) Read(fd int, b []byte) (int, error) {
	from := p.at(fd).in
	if from == nil {
		return 0, guest.Error(vfs.Reason(vfs.EBADF))
	}
	for {
		p.Proc.Tick()
		n, err := from.Read(b)
		switch {
		case errors.Is(err, kernel.ErrInterrupted):
		case n > 0 || err == io.EOF:
			return n, err
		case err != nil:
			return n, guest.Error(vfs.Reason(err))
		case len(b) == 0:
			return 0, nil
		default:
			_ = p.Proc.Yield()
		}
	}
}

// Write is guest.System's.
func (p *Process) Write(fd int, b []byte) error {
	to := p.at(fd).out
	if to == nil {
		return guest.Error(vfs.Reason(vfs.EBADF))
	}
	for len(b) > 0 {
		n, err := to.Write(b)
		b = b[min(n, len(b)):]
		switch {
		case err == nil:
			return nil
		case errors.Is(err, kernel.ErrInterrupted):
		case errors.Is(err, kernel.ErrBrokenPipe):
			p.Proc.Exit(128 + int(kernel.SIGPIPE))
		default:
			return guest.Error(vfs.Reason(err))
		}
	}
	return nil
}

// Open is guest.System's.
func (p *Process) Open(name string, flag int) (int, error) {
	f, err := p.file(p.Path(name), flag)
	if err != nil {
		return -1, guest.Error(vfs.Reason(err))
	}
	return p.add(f), nil
}

func (p *Process) file(name string, flag int) (stream, error) {
	if flag == os.O_RDONLY {
		switch name {
		case "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0":
			return stream{in: p.Stdin}, nil
		}
	}
	info, missing := p.FS.Stat(name)
	checked, mode := name, fs.FileMode(4)
	if flag != os.O_RDONLY {
		mode = 2
		if missing != nil {
			checked = path.Dir(name)
		}
	}
	if p.UID != 0 && (missing != nil || info.Mode()&fs.ModeDevice == 0) {
		if err := p.FS.Access(checked, p.UID, mode); errors.Is(err, vfs.EACCES) {
			return stream{}, err
		}
	}
	f, err := p.FS.Open(name, flag, 0o644)
	if err != nil {
		return stream{}, err
	}
	if missing != nil && p.UID != 0 {
		p.FS.Own(name, p.UID)
	}
	return stream{in: f, out: f, close: func() { _ = f.Close() }}, nil
}

// Close is guest.System's.
func (p *Process) Close(fd int) {
	if s := p.at(fd); s.close != nil {
		s.close()
		s.in, s.out, s.close = nil, nil, nil
	}
}

// Spawn is guest.System's.
func (p *Process) Spawn(command string, ends guest.Ends) (pid, fd int) {
	c := p.Context.Clone()
	var s stream
	pipe := p.Proc.Kernel().NewPipe(0)
	switch ends {
	case guest.In:
		c.Stdin = pipe
		s.out, s.close = pipe, pipe.CloseWrite
	case guest.Out:
		c.Stdout = pipe
		s.in, s.close = pipe, pipe.CloseRead
	}
	argv := []string{"sh", "-c", command}
	s.child = p.Proc.Kernel().Spawn(p.Proc, "sh", func(child *kernel.Proc) int {
		c.Proc = child
		if sh := c.Lookup("sh"); sh != nil {
			return sh(c, argv) & 255
		}
		return 127
	})
	switch ends {
	case guest.In:
		s.child.AtExit(pipe.CloseRead)
	case guest.Out:
		s.child.AtExit(pipe.CloseWrite)
	}
	if p.System != nil {
		p.System.Register(s.child, argv)
	}
	fd = p.add(s)
	return fd, fd
}

// Join is guest.System's.
func (p *Process) Join(pid int) int {
	child := p.at(pid).child
	for child != nil {
		if code, err := p.Proc.Join(child); err == nil {
			return code
		}
	}
	return -1
}

// Now is guest.System's.
func (p *Process) Now() time.Time { return p.Proc.Now() }

// Tick is guest.System's.
func (p *Process) Tick() { p.Proc.Tick() }

// Exit is guest.System's.
func (p *Process) Exit(code int) { p.Proc.Exit(code) }

// Native makes a program of one that is linked with the simulation.
func Native(run func(guest.System, guest.Start) int) program.Program {
	return func(c *program.Context, args []string) int {
		p := newProcess(c)
		defer p.end()
		return run(p, p.start(args))
	}
}
