// A pipe between processes: an io.Reader and io.Writer whose blocking is
// accounted for by the kernel. It is what connects the parts of a shell
// pipeline, a container's standard streams, and the streams of exec and attach.

package kernel

import (
	"errors"
	"io"
)

// ErrBrokenPipe is what a write gets once the read end is closed.
var ErrBrokenPipe = errors.New("broken pipe")

// Pipe is a bounded byte queue. Read blocks the current process while it is
// empty, Write while it is full. On the host's goroutine, where nothing may
// block, Read returns 0, nil when empty and Write always takes everything.
type Pipe struct {
	kernel   *Kernel
	buf      []byte
	limit    int
	wclosed  bool
	rclosed  bool
	readers  WaitQueue
	writers  WaitQueue
	onChange func()
	onRoom   func()
}

// PipeSize is how much an ordinary pipe holds before a writer blocks (as Linux).
const PipeSize = 64 << 10

// NewPipe returns an empty pipe that holds limit bytes; 0 means PipeSize.
func (k *Kernel) NewPipe(limit int) *Pipe {
	if limit <= 0 {
		limit = PipeSize
	}
	return &Pipe{kernel: k, limit: limit}
}

// OnChange sets what is called when there is something to read or the pipe is
// closed for writing; hosts use it to forward output.
func (p *Pipe) OnChange(fn func()) { p.onChange = fn }

// Wanted reports whether somebody waits for something to read.
func (p *Pipe) Wanted() bool { return len(p.buf) == 0 && !p.wclosed && !p.readers.Empty() }

// OnRoom sets what is called when something has been read or the pipe is closed
// for reading; hosts, whose writes never block, use it to wait for room.
func (p *Pipe) OnRoom(fn func()) { p.onRoom = fn }

func (p *Pipe) room() {
	p.writers.Wake()
	if p.onRoom != nil {
		p.onRoom()
	}
}

// Read takes what is there; io.EOF when empty and closed for writing.
func (p *Pipe) Read(b []byte) (int, error) {
	for {
		if len(p.buf) > 0 {
			n := copy(b, p.buf)
			p.buf = p.buf[n:]
			if len(p.buf) == 0 {
				p.buf = nil
			}
			p.room()
			return n, nil
		}
		if p.wclosed || p.rclosed {
			return 0, io.EOF
		}
		cur := p.kernel.current
		if cur == nil || len(b) == 0 {
			return 0, nil
		}
		if err := cur.Wait(&p.readers); err != nil {
			return 0, err
		}
	}
}

// Write puts b in, blocking while the pipe is full.
func (p *Pipe) Write(b []byte) (int, error) {
	written := 0
	for {
		if p.rclosed {
			return written, ErrBrokenPipe
		}
		if p.wclosed {
			return written, io.ErrClosedPipe
		}
		cur := p.kernel.current
		room := p.limit - len(p.buf)
		if cur == nil {
			room = len(b)
		}
		if room > 0 && len(b) > 0 {
			n := min(room, len(b))
			p.buf = append(p.buf, b[:n]...)
			b = b[n:]
			written += n
			p.readers.Wake()
			if p.onChange != nil {
				p.onChange()
			}
		}
		if len(b) == 0 {
			return written, nil
		}
		if err := cur.Wait(&p.writers); err != nil {
			return written, err
		}
	}
}

// CloseWrite says that nothing more will be written.
func (p *Pipe) CloseWrite() {
	if p.wclosed {
		return
	}
	p.wclosed = true
	p.readers.Wake()
	if p.onChange != nil {
		p.onChange()
	}
}

// CloseRead says that nothing more will be read: writers get ErrBrokenPipe.
func (p *Pipe) CloseRead() {
	if p.rclosed {
		return
	}
	p.rclosed, p.buf = true, nil
	p.room()
	p.readers.Wake()
}

// Take returns everything that is buffered, without blocking, and whether the
// write end is closed.
func (p *Pipe) Take() (data []byte, closed bool) {
	data, p.buf = p.buf, nil
	if len(data) > 0 {
		p.room()
	}
	return data, p.wclosed
}

// Len is the number of bytes waiting to be read.
func (p *Pipe) Len() int { return len(p.buf) }
