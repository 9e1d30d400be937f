//go:build js && wasm

// The way of an upgraded connection. The platform accepts WebSockets in
// JavaScript and hands over whole messages; what serves exec, attach and
// port-forward natively speaks WebSocket over a hijacked connection. So a
// message is put into a frame of RFC 6455 on its way in and taken out of one on
// its way out, and the same code serves both.

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"syscall/js"
	"time"

	"github.com/kubonsai/kubonsai/wasm/internal/jsvalue"
)

// maxInbox bounds what a client may send ahead of the program that reads it, in
// bytes. The platform cannot be asked to stop.
const maxInbox = 4 << 20

// The opcodes of frames, RFC 6455 section 5.2.
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
)

// conn is a hijacked connection over the JavaScript object socket, which has
// accept(protocol), reject(status, headers, body), send(data), close(code,
// reason), and calls onmessage(bytes, text) and onclose(). See src/socket.ts.
type conn struct {
	socket js.Value
	in     []byte        // frames that came and were not read yet
	more   chan struct{} // something came, or the end
	closed bool

	out      []byte // what was written of a frame that is not whole
	accepted bool
	free     func()
}

func newConn(socket js.Value) *conn {
	c := &conn{socket: socket, more: make(chan struct{}, 1)}
	came := js.FuncOf(func(_ js.Value, args []js.Value) any {
		if len(c.in) > maxInbox {
			c.socket.Call("close", 1008, "too much was sent ahead")
			c.end()
			return nil
		}
		op := byte(opBinary)
		if args[1].Bool() {
			op = opText
		}
		c.in = appendFrame(c.in, op, jsvalue.Bytes(args[0]))
		c.poke()
		return nil
	})
	gone := js.FuncOf(func(js.Value, []js.Value) any { c.end(); return nil })
	socket.Set("onmessage", came)
	socket.Set("onclose", gone)
	c.free = func() {
		socket.Set("onmessage", js.Null())
		socket.Set("onclose", js.Null())
		came.Release()
		gone.Release()
	}
	return c
}

func (c *conn) poke() {
	select {
	case c.more <- struct{}{}:
	default:
	}
}

func (c *conn) end() {
	if !c.closed {
		c.closed = true
		c.poke()
	}
}

// appendFrame adds a frame as a client sends it, masked with zeros.
func appendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// cutFrame takes a frame as a server sends it from the front of b; ok is false
// when it is not whole.
func cutFrame(b []byte) (op byte, payload, rest []byte, ok bool) {
	if len(b) < 2 {
		return 0, nil, b, false
	}
	op = b[0] & 0x0f
	n, head := uint64(b[1]&0x7f), 2
	switch {
	case n == 126 && len(b) >= 4:
		n, head = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case n == 127 && len(b) >= 10:
		n, head = binary.BigEndian.Uint64(b[2:]), 10
	case n >= 126:
		return 0, nil, b, false
	}
	if uint64(len(b)-head) < n {
		return 0, nil, b, false
	}
	return op, b[head : head+int(n)], b[head+int(n):], true
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	for len(c.in) == 0 {
		if c.closed {
			return 0, io.EOF
		}
		<-c.more
	}
	n := copy(p, c.in)
	if c.in = c.in[n:]; len(c.in) == 0 {
		c.in = nil
	}
	return n, nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	c.out = append(c.out, p...)
	if !c.accepted {
		i := bytes.Index(c.out, []byte("\r\n\r\n"))
		if i < 0 {
			return len(p), nil
		}
		head := c.out[:i+4]
		c.out = c.out[i+4:]
		if err := c.answer(head); err != nil {
			c.end()
			return 0, err
		}
	}
	for {
		op, payload, rest, ok := cutFrame(c.out)
		if !ok {
			break
		}
		switch op {
		case opText:
			c.socket.Call("send", string(payload))
		case opBinary:
			c.socket.Call("send", jsvalue.Array(payload))
		case opClose:
			code, reason := 1000, ""
			if len(payload) >= 2 {
				code, reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
			}
			c.socket.Call("close", code, reason)
		}
		c.out = rest
	}
	if len(c.out) == 0 {
		c.out = nil
	}
	return len(p), nil
}

// answer reads the head of the answer to the upgrade and passes it on.
func (c *conn) answer(head []byte) error {
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		return err
	}
	r.Body.Close()
	if r.StatusCode != http.StatusSwitchingProtocols {
		c.socket.Call("reject", r.StatusCode, headers(r.Header), js.Null())
		return errors.New("the upgrade was refused")
	}
	c.accepted = true
	c.socket.Call("accept", r.Header.Get("Sec-Websocket-Protocol"))
	return nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if c.free == nil {
		return nil
	}
	c.end()
	c.socket.Call("close", 1000, "")
	c.free()
	c.free = nil
	return nil
}

type addr struct{}

func (addr) Network() string { return "websocket" }
func (addr) String() string  { return "sandbox" }

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return addr{} }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return addr{} }

// SetDeadline implements net.Conn; the platform ends connections that are idle.
func (c *conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// headers lists header fields as pairs.
func headers(h http.Header) js.Value {
	list := js.Global().Get("Array").New()
	for k, values := range h {
		for _, v := range values {
			list.Call("push", js.Global().Get("Array").New(k, v))
		}
	}
	return list
}

// upgrading is a response whose connection can be taken over.
type upgrading struct {
	*response
	conn  *conn
	taken bool
}

// Hijack implements http.Hijacker.
func (u *upgrading) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	u.taken = true
	return u.conn, bufio.NewReadWriter(bufio.NewReader(u.conn), bufio.NewWriter(u.conn)), nil
}

// upgrade serves a request that wants a WebSocket. request has url and headers,
// a list of pairs.
func (s *sandbox) upgrade(request, socket js.Value) {
	u, err := url.Parse(request.Get("url").String())
	if err != nil {
		return
	}
	r := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, RequestURI: u.RequestURI()}
	list := request.Get("headers")
	for i := range list.Length() {
		r.Header.Add(textproto.CanonicalMIMEHeaderKey(list.Index(i).Index(0).String()), list.Index(i).Index(1).String())
	}
	// What the platform has seen to already, and the library looks at.
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-Websocket-Version", "13")
	if r.Header.Get("Sec-Websocket-Key") == "" {
		r.Header.Set("Sec-Websocket-Key", "a3Vib25zYWkta3Vib25zYQ==")
	}
	w := &upgrading{response: &response{port: s.port, header: http.Header{}, ready: make(chan struct{}), cancel: func() {}}}
	reject := func() {
		socket.Call("reject", w.code, headers(w.header), jsvalue.Array(w.buf.Bytes()))
	}
	leave, err := s.enter()
	if err != nil {
		refuse(w, err)
		reject()
		return
	}
	defer leave()
	if u.Path == pagePath {
		s.attach(socket)
		return
	}
	w.conn = newConn(socket)
	defer w.conn.Close()
	func() {
		defer s.recovered(w)
		s.server.ServeHTTP(w, r)
	}()
	if !w.taken {
		reject()
	}
}
