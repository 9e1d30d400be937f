// A container's log: lines with the time and the stream they came from, bounded
// in size, oldest first to go.

package container

import (
	"bytes"
	"io"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
)

// Line is one line of a log; Text ends with a newline unless it was the last
// thing the container wrote.
type Line struct {
	Time   time.Time `json:"t"`
	Stderr bool      `json:"e,omitempty"`
	Text   string    `json:"s"`
}

// Log is what a container wrote.
type Log struct {
	lines   []Line
	dropped int // lines that are no longer kept
	size    int
	limit   int
	partial [2][]byte
	closed  bool
	told    bool
	written int // bytes that the running program has written in all
	skip    int // so many bytes of what is repeated are here already; see Container.repeat
	wait    kernel.WaitQueue
	// unwritten prints what has been written but not put down: few logs are
	// ever read, and at its start a program prints what is known beforehand.
	unwritten func(stdout, stderr io.Writer)
	due       time.Time // the time of the unwritten lines
}

// maxLine is where a line without an end is cut, as containerd does.
const maxLine = 16 << 10

// repeated cuts off what a program that is repeated writes once more.
func (l *Log) repeated(b []byte) []byte {
	n := min(l.skip, len(b))
	l.skip -= n
	return b[n:]
}

func (l *Log) write(now time.Time, stderr bool, b []byte) {
	l.written += len(b)
	l.settle()
	l.put(now, stderr, b)
	l.wait.Wake()
}

// later is a write whose lines are put down once somebody needs them. print
// must write the same whenever it is called.
func (l *Log) later(now time.Time, print func(stdout, stderr io.Writer)) {
	l.settle()
	l.unwritten, l.due = print, now
	l.wait.Wake()
}

// settle puts down what is unwritten.
func (l *Log) settle() {
	if print := l.unwritten; print != nil {
		l.unwritten = nil
		print(logWriter{l, l.due, false}, logWriter{l, l.due, true})
	}
}

// logWriter writes into a log without a word to anyone.
type logWriter struct {
	l      *Log
	now    time.Time
	stderr bool
}

func (w logWriter) Write(b []byte) (int, error) {
	w.l.put(w.now, w.stderr, b)
	return len(b), nil
}

func (l *Log) put(now time.Time, stderr bool, b []byte) {
	i := 0
	if stderr {
		i = 1
	}
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n')
		if n < 0 {
			l.partial[i] = append(l.partial[i], b...)
			if len(l.partial[i]) >= maxLine {
				l.add(Line{now, stderr, string(l.partial[i])})
				l.partial[i] = nil
			}
			break
		}
		l.add(Line{now, stderr, string(l.partial[i]) + string(b[:n+1])})
		l.partial[i] = nil
		b = b[n+1:]
	}
}

func (l *Log) add(line Line) {
	l.lines = append(l.lines, line)
	l.size += len(line.Text)
	if l.size <= l.limit {
		return
	}
	// Drop a tenth at once, so that a runaway log does not cost a copy a line.
	drop, target := 0, l.limit*9/10
	for l.size > target && drop < len(l.lines)-1 {
		l.size -= len(l.lines[drop].Text)
		drop++
	}
	l.lines = append([]Line(nil), l.lines[drop:]...)
	l.dropped += drop
}

func (l *Log) close(now time.Time) {
	l.settle()
	for i, p := range l.partial {
		if len(p) > 0 {
			l.add(Line{now, i == 1, string(p)})
			l.partial[i] = nil
		}
	}
	l.closed = true
	l.wait.Wake()
}

// Lines returns the lines from number from on (counting dropped ones), and the
// number that comes next.
func (l *Log) Lines(from int) (lines []Line, next int) {
	l.settle()
	i := max(from-l.dropped, 0)
	if i > len(l.lines) {
		i = len(l.lines)
	}
	return l.lines[i:], l.dropped + len(l.lines)
}

// Dropped is how many lines the size limit has cost so far.
func (l *Log) Dropped() int { return l.dropped }

// Tell reports, once, that the reader is to be told of dropped lines.
func (l *Log) Tell() bool {
	first := !l.told
	l.told = true
	return first
}

// Closed reports whether nothing more will be written.
func (l *Log) Closed() bool { return l.closed }

// Wait is woken when a line is added or the log is closed.
func (l *Log) Wait() *kernel.WaitQueue { return &l.wait }

// stream is the standard output or error of a container's main process.
type stream struct {
	c      *Container
	stderr bool
}

var _ io.Writer = stream{}

func (s stream) Write(b []byte) (int, error) {
	n := len(b)
	if p := s.c.rt.Kernel.Current(); s.c.log.skip > 0 && p != nil && p.Repeating() {
		if b = s.c.log.repeated(b); len(b) == 0 {
			return n, nil
		}
	}
	s.c.log.write(s.c.rt.Clock.Now(), s.stderr, b)
	s.c.rt.changed(s.c)
	if s.c.onWrite != nil {
		s.c.onWrite()
	}
	for i := 0; i < len(s.c.attached); i++ {
		a := s.c.attached[i]
		w := a.stdout
		if s.stderr && a.stderr != nil {
			w = a.stderr
		}
		if w == nil {
			continue
		}
		if _, err := w.Write(b); err != nil {
			s.c.detach(a)
			i--
		}
	}
	return n, nil
}
