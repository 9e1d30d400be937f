//go:build js && wasm

// A page that is attached to the sandbox: a bridge.Host over the shared
// machine, whose frames travel through a WebSocket. What several pages do to
// one machine, each of them sees.

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall/js"
	"time"

	"github.com/kubonsai/kubonsai/wasm/bridge"
	"github.com/kubonsai/kubonsai/wasm/internal/jsvalue"
	"github.com/kubonsai/kubonsai/wasm/internal/machine"
)

// pagePath is where pages attach, below the sandbox's own path, and pageProtocol
// the WebSocket subprotocol that they speak: a frame is its head's length (4
// bytes, big-endian), the head and the data, in one or more messages of at most
// maxPart bytes; each message begins with a byte that is 1 when more follow.
const (
	pagePath     = "/-/page"
	pageProtocol = "kubonsai.v1"
	maxPart      = 512 << 10
)

type page struct {
	s      *sandbox
	socket js.Value
	host   *bridge.Host
	urls   func(url string) ([]byte, bool)
	whole  []byte    // what has come of a frame
	wallAt time.Time // see wall
	gone   chan struct{}
}

// shared is the sandbox's machine as one of its pages sees it. Its time is the
// sandbox's: a page cannot run ahead, and closing it leaves the machine alone.
type shared struct {
	machine.Cluster
	s *sandbox
}

func (c shared) Turn(_ time.Time, steps int) bool { return c.s.turn(steps) }

func (c shared) Flush() error {
	err := c.Machine.Flush()
	if err != nil {
		c.s.fail(err)
	}
	return err
}

func (c shared) Close() error { return nil }

// attach serves a page until it goes away.
func (s *sandbox) attach(socket js.Value) {
	p := &page{s: s, socket: socket, gone: make(chan struct{})}
	p.host = bridge.NewHost(version, p.open, p.send, p.wall)
	came := js.FuncOf(func(_ js.Value, args []js.Value) any {
		data := jsvalue.Bytes(args[0])
		s.visit()
		s.call(func() { p.take(data) })
		return nil
	})
	closed := false
	ended := js.FuncOf(func(js.Value, []js.Value) any {
		if !closed {
			closed = true
			close(p.gone)
		}
		return nil
	})
	socket.Set("onmessage", came)
	socket.Set("onclose", ended)
	socket.Call("accept", pageProtocol)
	s.call(func() { s.pages = append(s.pages, p) })
	<-p.gone
	socket.Set("onmessage", js.Null())
	socket.Set("onclose", js.Null())
	came.Release()
	ended.Release()
	done := make(chan struct{})
	s.call(func() {
		defer close(done)
		p.detach()
	})
	<-done
}

// detach forgets the page; what it ran ends. The lock is held.
func (p *page) detach() {
	for i, o := range p.s.pages {
		if o == p {
			p.s.pages = append(p.s.pages[:i:i], p.s.pages[i+1:]...)
			p.host.Receive([]byte(`{"id":1,"kind":"close"}`), nil)
		}
	}
}

// The codes with which the connection is ended from this side: the machine is
// another one, attach again; a frame is not one; a frame is too large.
const (
	closeReplaced = 4000
	closeBroken   = 1007
	closeTooLarge = 1009
)

// close ends the connection from this side.
func (p *page) close(code int, reason string) { p.socket.Call("close", code, reason) }

// take adds a message to the frame that is coming. The lock is held.
func (p *page) take(part []byte) {
	if len(p.whole)+len(part) > bridge.MaxHead+int(p.s.config.Bytes) {
		p.close(closeTooLarge, "a frame is too large")
		return
	}
	if len(part) == 0 {
		p.close(closeBroken, "a message is empty")
		return
	}
	p.whole = append(p.whole, part[1:]...)
	if part[0] != 0 {
		return
	}
	whole := p.whole
	p.whole = nil
	if len(whole) < 4 || int64(binary.BigEndian.Uint32(whole)) > int64(len(whole)-4) {
		p.close(closeBroken, "a frame is broken")
		return
	}
	n := 4 + int(binary.BigEndian.Uint32(whole))
	var data []byte
	if len(whole) > n {
		data = whole[n:]
	}
	p.host.Receive(whole[4:n], data)
}

// send is what the host answers with.
func (p *page) send(f *bridge.Frame) {
	head, err := f.Encode()
	if err != nil {
		head = fmt.Appendf(nil, `{"id":%d,"kind":"error","code":"Internal","message":%q}`, f.ID, err)
	}
	whole := binary.BigEndian.AppendUint32(nil, uint32(len(head)))
	whole = append(append(whole, head...), f.Data...)
	for len(whole) > 0 {
		part := whole[:min(len(whole), maxPart)]
		whole = whole[len(part):]
		more := byte(0)
		if len(whole) > 0 {
			more = 1
		}
		p.socket.Call("send", jsvalue.Array(append([]byte{more}, part...)))
	}
}

// wall is the wall clock as the host may see it: it measures its slices by it,
// so the clock must go on while the program computes, which the platform's does
// not.
func (p *page) wall() time.Time {
	if t := time.Now(); t.After(p.wallAt) {
		p.wallAt = t
	} else {
		p.wallAt = p.wallAt.Add(stepCost)
	}
	return p.wallAt
}

// open attaches the page to the machine; with a snapshot, or to begin anew, the
// machine is replaced first, for everybody.
func (p *page) open(o bridge.OpenOptions) (*bridge.Opened, error) {
	s := p.s
	if o.Storage == "memory" {
		return nil, errors.New("a hosted sandbox needs no rehearsal")
	}
	p.urls = o.URLs
	if len(o.Snapshot) > 0 || o.Erase {
		// The page itself stays; the others are told to attach again.
		others := s.pages[:0:0]
		for _, q := range s.pages {
			if q != p {
				others = append(others, q)
			}
		}
		s.pages = others
		err := s.replace(o.Snapshot)
		s.pages = append(s.pages, p)
		if err != nil {
			return nil, err
		}
	}
	return &bridge.Opened{Cluster: shared{machine.Cluster{Machine: s.machine}, s}, Restored: true, Storage: "sandbox", Shared: true}, nil
}

// url answers the addresses that a page has given texts for.
func (s *sandbox) url(u string) ([]byte, bool) {
	for _, p := range s.pages {
		if p.urls != nil {
			if data, ok := p.urls(u); ok {
				return data, ok
			}
		}
	}
	return nil, false
}
