// The line discipline of a terminal whose client sends keys, not lines: what
// is typed is echoed, edited and handed on by the line, as Linux's tty does in
// canonical mode (termios(3)). The page's terminals edit by themselves and do
// not need it; a real kubectl with -it does.

package container

import (
	"io"
	"unicode/utf8"

	"github.com/kubonsai/kubonsai/sim/kernel"
)

// discipline turns the keys read from a client into lines and signals.
type discipline struct {
	echo   io.Writer // the client's screen; gets \r\n for \n
	lines  func([]byte)
	eof    func()
	signal func(kernel.Signal)

	line   []byte
	escape int // how far into an escape sequence the keys are
}

// The control characters of a Linux terminal's default settings.
const (
	keyIntr  = 3  // ^C
	keyEOF   = 4  // ^D
	keyBS    = 8  // ^H
	keyKill  = 21 // ^U
	keyWord  = 23 // ^W
	keyEsc   = 27
	keyQuit  = 28 // ^\
	keyErase = 127
)

// run reads keys until the client closes its end.
func (d *discipline) run(keys io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := keys.Read(buf)
		for _, b := range buf[:n] {
			d.key(b)
		}
		if err != nil {
			d.flush()
			d.eof()
			return
		}
	}
}

func (d *discipline) flush() {
	if len(d.line) > 0 {
		d.lines(d.line)
		d.line = nil
	}
}

func (d *discipline) key(b byte) {
	if d.escape > 0 { // cursor keys and the like: there is no line to move in
		switch {
		case d.escape == 1 && (b == '[' || b == 'O'):
			d.escape = 2
			return
		case d.escape == 2 && (b < 0x40 || b > 0x7e):
			return
		}
		d.escape = 0
		return
	}
	switch b {
	case keyEsc:
		d.escape = 1
	case keyIntr, keyQuit:
		d.line = nil
		io.WriteString(d.echo, "^"+string(rune(b+'@')))
		if b == keyIntr {
			d.signal(kernel.SIGINT)
		} else {
			d.signal(kernel.SIGQUIT)
		}
	case keyEOF:
		if len(d.line) == 0 {
			d.eof()
		}
		d.flush()
	case keyErase, keyBS:
		d.erase()
	case keyKill:
		for len(d.line) > 0 {
			d.erase()
		}
	case keyWord:
		for len(d.line) > 0 && d.line[len(d.line)-1] == ' ' {
			d.erase()
		}
		for len(d.line) > 0 && d.line[len(d.line)-1] != ' ' {
			d.erase()
		}
	case '\r', '\n':
		io.WriteString(d.echo, "\n")
		d.line = append(d.line, '\n')
		d.flush()
	default:
		if b < ' ' && b != '\t' {
			io.WriteString(d.echo, "^"+string(rune(b+'@')))
		} else {
			d.echo.Write([]byte{b})
		}
		d.line = append(d.line, b)
	}
}

// erase takes the last character of the line back.
func (d *discipline) erase() {
	if len(d.line) == 0 {
		return
	}
	_, n := utf8.DecodeLastRune(d.line)
	d.line = d.line[:len(d.line)-n]
	io.WriteString(d.echo, "\b \b")
}

// screen writes to a terminal: a line feed also returns to the first column.
type screen struct{ w io.Writer }

func (s screen) Write(b []byte) (int, error) {
	var out []byte
	for _, c := range b {
		if c == '\n' {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	if _, err := s.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// typed is what a program reads from a terminal: lines, and an end of input
// that holds for one read only.
type typed struct {
	kernel *kernel.Kernel
	chunks [][]byte // an empty one is an end of input
	wait   kernel.WaitQueue
}

func (t *typed) put(b []byte) {
	t.chunks = append(t.chunks, b)
	t.wait.Wake()
}

// Read implements io.Reader; it blocks the current process until there is input.
func (t *typed) Read(b []byte) (int, error) {
	for len(t.chunks) == 0 {
		if err := t.kernel.Current().Wait(&t.wait); err != nil {
			return 0, err
		}
	}
	c := t.chunks[0]
	if len(c) == 0 {
		t.chunks = t.chunks[1:]
		return 0, io.EOF
	}
	n := copy(b, c)
	if n == len(c) {
		t.chunks = t.chunks[1:]
	} else {
		t.chunks[0] = c[n:]
	}
	return n, nil
}

// raw puts a terminal between a client that sends keys and a program. The
// returned function ends it.
func (c *Container) raw(s *IO, lines func([]byte), eof func(), signal func(kernel.Signal)) func() {
	s.Stdout = screen{s.Stdout}
	d := &discipline{echo: s.Stdout, lines: lines, eof: eof, signal: signal}
	keys := s.Stdin
	pump := c.rt.Kernel.Spawn(nil, "tty "+c.sb.Name, func(*kernel.Proc) int {
		d.run(keys)
		return 0
	})
	return func() { pump.Signal(kernel.SIGKILL) }
}
