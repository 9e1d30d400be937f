// Package texttool holds awk and jq: programs that are languages of their own,
// each on a module that is too large for a page to load with the rest. The
// browser module links neither (the files that import them have the build
// constraint !js), so there the list is empty.
package texttool

import (
	"errors"
	"io"
	"os"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

var all = map[string]program.Program{}

// All is every program of this package by name. The map is the caller's.
func All() map[string]program.Program {
	m := make(map[string]program.Program, len(all))
	for k, v := range all {
		m[k] = v
	}
	return m
}

// run is one run of a program: its context and the output that is not yet
// written. The output is written before the program may block, every few
// instructions, and at the end.
type run struct {
	*program.Context
	name string
	out  []byte
}

// Write buffers what goes to standard output.
func (r *run) Write(b []byte) (int, error) {
	r.out = append(r.out, b...)
	if len(r.out) >= 16<<10 {
		r.flush()
	}
	return len(b), nil
}

func (r *run) flush() {
	b := r.out
	r.out = nil
	r.send(r.Stdout, b)
}

// send writes all of b; a broken pipe ends the process silently.
func (r *run) send(w io.Writer, b []byte) {
	for len(b) > 0 {
		n, err := w.Write(b)
		b = b[min(n, len(b)):]
		switch {
		case err == nil:
			return
		case errors.Is(err, kernel.ErrInterrupted):
		case errors.Is(err, kernel.ErrBrokenPipe):
			r.out = nil
			r.Proc.Exit(141)
		default:
			if w != r.Stderr {
				r.fail(r.name + ": write failure (" + vfs.Reason(err) + ")\n")
				r.out = nil
				r.Proc.Exit(2)
			}
			return
		}
	}
}

// fail prints to standard error, after what was printed so far.
func (r *run) fail(text string) {
	r.flush()
	r.send(r.Stderr, []byte(text))
}

// read reads from a stream that may block.
func (r *run) read(from io.Reader, b []byte) (int, error) {
	r.flush()
	for {
		r.Proc.Tick()
		n, err := from.Read(b)
		if errors.Is(err, kernel.ErrInterrupted) {
			continue
		}
		if n == 0 && err == nil && len(b) > 0 {
			_ = r.Proc.Yield()
			continue
		}
		return n, err
	}
}

// stdin is standard input as a reader that flushes before it may block.
type stdin struct{ r *run }

func (s stdin) Read(b []byte) (int, error) { return s.r.read(s.r.Stdin, b) }

// file is a file as such a reader: it may be a device or a pipe.
type file struct {
	r *run
	f io.Reader
}

func (s file) Read(b []byte) (int, error) { return s.r.read(s.f, b) }

// open opens a file for reading.
func (r *run) open(name string) (io.Reader, error) {
	p := r.Path(name)
	switch p {
	case "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0":
		return stdin{r}, nil
	}
	if r.UID != 0 {
		if err := r.FS.Access(p, r.UID, 4); errors.Is(err, vfs.EACCES) {
			return nil, err
		}
	}
	f, err := r.FS.Open(p, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return file{r, f}, nil
}

// readAll reads a file whole.
func (r *run) readAll(name string) ([]byte, error) {
	f, err := r.open(name)
	if err != nil {
		return nil, err
	}
	var out []byte
	chunk := make([]byte, 16<<10)
	for {
		n, err := f.Read(chunk)
		out = append(out, chunk[:n]...)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
