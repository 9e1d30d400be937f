// Streams: what joins a connection's goroutines to a program of the simulation.
// Bytes cross in the kernel's bounded pipes, so a slow client blocks the
// program and a slow program blocks the client.

package httpserver

import (
	"bytes"
	"io"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// ends are the client's ends of a stream; nil where it does not take part.
type ends struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	sizes          <-chan size // of the client's terminal
	tty            bool
	gone           <-chan struct{} // closed when the client has left
}

// size is the size of a terminal in characters, as clients encode it.
type size struct{ Width, Height uint16 }

// run connects a stream to the client's ends until one side is done. Its error
// is the stream's own.
func (h *Server) run(s rest.Stream, e ends) error {
	var err error
	ended := make(chan struct{})
	var pumps []func()
	var p *kernel.Proc
	h.Do(func(c *sim.Machine) {
		o := rest.StreamOptions{TTY: e.tty, Raw: e.tty}
		var outs []*kernel.Pipe
		out := func(w io.Writer) io.Writer {
			pipe, room := c.NewPipe(), make(chan struct{}, 1)
			pipe.OnChange(func() { poke(room) })
			outs = append(outs, pipe)
			pumps = append(pumps, func() { h.drain(pipe, room, w) })
			return pipe
		}
		if e.stdout != nil {
			o.Stdout = out(e.stdout)
		}
		if e.stderr != nil {
			o.Stderr = out(e.stderr)
		}
		if e.stdin != nil {
			pipe, room := c.NewPipe(), make(chan struct{}, 1)
			pipe.OnRoom(func() { poke(room) })
			o.Stdin = pipe
			go h.fill(pipe, room, e.stdin, ended)
		}
		if e.sizes != nil {
			select { // clients send the size at once; a program should start with it
			case z := <-e.sizes:
				o.Columns, o.Rows = int(z.Width), int(z.Height)
			case <-time.After(20 * time.Millisecond):
			}
		}
		p = c.Spawn("stream", func(*kernel.Proc) int {
			err = s.Run(o)
			return 0
		})
		p.AtExit(func() {
			for _, pipe := range outs {
				pipe.CloseWrite()
			}
			close(ended)
		})
	})
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		done := make(chan struct{})
		for _, pump := range pumps {
			go func() { pump(); done <- struct{}{} }()
		}
		for range pumps {
			<-done
		}
		<-ended
	}()
	for {
		select {
		case <-drained:
			h.Do(func(*sim.Machine) { s.Close() })
			return err
		case z := <-e.sizes:
			h.Do(func(*sim.Machine) { s.Resize(int(z.Width), int(z.Height)) })
		case <-e.gone:
			h.Do(func(*sim.Machine) {
				s.Close()
				p.Signal(kernel.SIGKILL)
			})
			return io.ErrClosedPipe
		case <-h.stop:
			return io.ErrClosedPipe
		}
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// drain writes what comes out of the pipe to the client. When the client cannot
// be written to any more, the program gets a broken pipe.
func (h *Server) drain(pipe *kernel.Pipe, more <-chan struct{}, w io.Writer) {
	for {
		var data []byte
		var closed bool
		h.Do(func(*sim.Machine) { data, closed = pipe.Take() })
		if len(data) > 0 {
			if _, err := w.Write(data); err != nil {
				h.Do(func(*sim.Machine) { pipe.CloseRead() })
				return
			}
			continue
		}
		if closed {
			return
		}
		select {
		case <-more:
		case <-h.stop:
			return
		}
	}
}

// fill puts what the client sends into the pipe.
func (h *Server) fill(pipe *kernel.Pipe, room <-chan struct{}, r io.Reader, ended <-chan struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		full := false
		h.Do(func(*sim.Machine) {
			if n > 0 {
				_, werr := pipe.Write(bytes.Clone(buf[:n]))
				if werr != nil && err == nil {
					err = werr
				}
			}
			if err != nil {
				pipe.CloseWrite()
			}
			full = pipe.Len() >= kernel.PipeSize
		})
		for full && err == nil {
			select {
			case <-room:
				h.Do(func(*sim.Machine) { full = pipe.Len() >= kernel.PipeSize })
			case <-ended:
				return
			case <-h.stop:
				return
			}
		}
		if err != nil {
			return
		}
	}
}
