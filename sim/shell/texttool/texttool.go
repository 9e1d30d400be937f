// Package texttool holds awk, jq, yq and bc: programs that are languages of their own,
// each on a library that is too large for a page to load with the rest. They see
// nothing of the simulation but a guest.System: the native binary links them,
// a page loads them as a module of its own (wasm/texttool).
package texttool

import (
	"io"
	"os"

	"github.com/kubonsai/kubonsai/sim/shell/guest"
)

// Names are the programs of this package.
var Names = []string{"awk", "gawk", "mawk", "jq", "yq", "bc"}

// Run runs the program that start names and returns its exit status.
func Run(s guest.System, start guest.Start) int {
	r := run{System: s, Start: start, name: start.Args[0]}
	switch r.name {
	case "jq":
		j := &jq{run: r, orders: newOrders()}
		return j.main(start.Args[1:])
	case "yq":
		y := &yq{jq: jq{run: r, orders: newOrders()}}
		return y.main(start.Args[1:])
	case "bc":
		b := &bc{run: r}
		return b.main(start.Args[1:])
	}
	a := &awk{run: r}
	return a.main(start.Args[1:])
}

// run is one run of a program: its system and the output that is not yet
// written. The output is written before the program may block, every few
// instructions, and at the end.
type run struct {
	guest.System
	guest.Start
	name string
	out  []byte
}

// The standard streams.
const (
	stdin = iota
	stdout
	stderr
)

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
	r.send(stdout, b)
}

// send writes all of b to a stream.
func (r *run) send(fd int, b []byte) {
	if len(b) == 0 {
		return
	}
	if err := r.System.Write(fd, b); err != nil && fd != stderr {
		r.fail(r.name + ": write failure (" + err.Error() + ")\n")
		r.out = nil
		r.Exit(2)
	}
}

// fail prints to standard error, after what was printed so far.
func (r *run) fail(text string) {
	r.flush()
	r.send(stderr, []byte(text))
}

// source is a stream as a reader that flushes before it may block.
type source struct {
	r  *run
	fd int
}

func (s source) Read(b []byte) (int, error) {
	s.r.flush()
	return s.r.System.Read(s.fd, b)
}

// open opens a file for reading.
func (r *run) open(name string) (io.Reader, error) {
	fd, err := r.System.Open(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return source{r, fd}, nil
}

// readAll reads a file whole.
func (r *run) readAll(name string) ([]byte, error) {
	f, err := r.open(name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}
