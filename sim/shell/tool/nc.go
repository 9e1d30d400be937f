// nc and telnet: connections by hand. What is typed goes out as it comes; HTTP is
// recognized and sent as one message. Listening, nc is a server of one
// connection at a time, or of each with -k. Messages are those of Debian's
// netcat-openbsd and of busybox.

package tool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
)

func init() {
	reg("nc [-klnvz] [-p port] [-w timeout] [-e program] [host] [port]", nc, "nc", "netcat", "telnet")
}

func nc(t *T) int {
	if t.name == "telnet" {
		if !t.parse("") {
			return 1
		}
	} else if !t.parse("zvw:nlp:uq:kN46i:e:") {
		return 1
	}
	if t.has("l") {
		return t.listen()
	}
	if len(t.args) == 0 {
		t.eprint("usage: nc [-46hklnuvz] [-w timeout] [destination] [port]\n")
		return 1
	}
	host, port := t.args[0], 23
	if len(t.args) > 1 {
		var err error
		if port, err = strconv.Atoi(t.args[1]); err != nil || port < 1 || port > 65535 {
			t.errorf("port number invalid: %s", t.args[1])
			return 1
		}
	}
	busy, telnet := t.busybox(), t.name == "telnet"
	as, err := t.lookup(host)
	switch {
	case err == nil && len(as) > 0:
	case busy:
		t.errorf("bad address '%s'", host)
		return 1
	case telnet:
		t.eprint("telnet: could not resolve " + host + "/" + strconv.Itoa(port) + ": " + unresolved(err) + "\n")
		return 1
	default:
		t.errorf("getaddrinfo for host \"%s\" port %d: %s", host, port, unresolved(err))
		return 1
	}
	to := netip.AddrPortFrom(as[0], uint16(port))
	if telnet && !busy {
		t.puts("Trying " + as[0].String() + "...\n")
	}
	if _, _, err := t.Net.Find(to); err != nil {
		reason, ok := t.refusal(err)
		switch {
		case !ok:
			return 130
		case telnet && busy:
			t.errorf("can't connect to remote host (%s): %s", as[0], reason)
		case telnet:
			t.errorf("Unable to connect to remote host: %s", reason)
		case busy && (t.has("v") || !t.has("z")):
			t.errorf("%s (%s): %s", host, to, reason)
		case !busy && t.has("v"):
			t.errorf("connect to %s (%s) port %d (tcp) failed: %s", host, as[0], port, reason)
		}
		return 1
	}
	switch {
	case telnet && busy:
		t.puts("Connected to " + host + "\n")
	case telnet:
		t.puts("Connected to " + host + ".\nEscape character is '^]'.\n")
	case t.has("v") && busy:
		t.eprint(fmt.Sprintf("%s (%s) open\n", host, to))
	case t.has("v"):
		service := map[int]string{80: "http", 443: "https", 22: "ssh", 53: "domain", 3306: "mysql", 6379: "redis", 8080: "http-alt"}[port]
		if service == "" {
			service = "*"
		}
		t.eprint(fmt.Sprintf("Connection to %s (%s) %d port [tcp/%s] succeeded!\n", host, as[0], port, service))
	}
	if t.has("z") {
		return 0
	}
	c, err := t.Net.Dial(host, port)
	if err != nil {
		return 1
	}
	defer c.Close()
	code := t.carry(c)
	if telnet && !busy {
		t.eprint("Connection closed by foreign host.\n")
		return 1
	}
	return code
}

// refusal is why there is no connection, after the time that it takes to find
// out; ok is false when the tool was interrupted.
func (t *T) refusal(err error) (reason string, ok bool) {
	kind := network.Refused
	if e := (*network.Error)(nil); errors.As(err, &e) {
		kind = e.Kind
	}
	switch kind {
	case network.Timeout:
		wait, reason := 130*time.Second, "Connection timed out"
		if v, ok := t.opts["w"]; ok {
			n, _ := strconv.Atoi(v)
			wait, reason = time.Duration(n)*time.Second, "Operation timed out"
		}
		return reason, t.Proc.Sleep(wait) == nil
	case network.Unreachable:
		return "No route to host", true
	}
	return "Connection refused", true
}

// carry sends what is read and shows what comes back until both are at their end.
func (t *T) carry(c *network.Conn) int {
	var listener *kernel.Proc
	send := func(r *network.Request) bool {
		resp, err := c.Do(t.Proc, r)
		if err != nil {
			return false
		}
		if r.Method != network.Raw {
			t.puts(responseHead(resp, t.Proc.Now(), r.Method))
		}
		t.write(resp.Body)
		t.flush()
		if resp.Stream != nil && listener == nil {
			out := t.Stdout
			listener = t.Proc.Kernel().Spawn(t.Proc, t.name, func(*kernel.Proc) int {
				_, _ = io.Copy(out, resp.Stream)
				return 0
			})
			t.Proc.AtExit(func() { listener.Signal(kernel.SIGKILL) })
		}
		return true
	}
	raw := func(b []byte) bool { return send(&network.Request{Method: network.Raw, Body: b}) }
	if c.Live && !raw(nil) {
		return 1
	}
	in := bufio.NewReader(stdin{t})
	if first, _ := in.Peek(8); network.IsRequest(first) && !c.Live {
		r, err := network.ReadRequest(in)
		if err != nil || !send(r) {
			return 1
		}
		return 0
	}
	buf := make([]byte, 16<<10)
	for {
		n, err := in.Read(buf)
		if n > 0 && !raw(bytes.Clone(buf[:n])) {
			break // the other end is gone
		}
		if err != nil {
			break
		}
	}
	if listener != nil {
		if _, err := t.Proc.Join(listener); err != nil {
			return 130
		}
	}
	return 0
}

// server is a listening nc.
type server struct {
	*T
	client netip.AddrPort // who is served; the zero value for nobody
	in     *kernel.Pipe   // what the client has said
	out    *kernel.Pipe   // what it is to hear
	gone   kernel.WaitQueue
}

// listen is nc -l.
func (t *T) listen() int {
	text := t.opts["p"]
	if text == "" && len(t.args) > 0 {
		text = t.args[len(t.args)-1] // [address] port
	}
	port, err := strconv.Atoi(text)
	if text == "" && !t.busybox() {
		t.eprint("usage: nc [-46hklnuvz] [-w timeout] [destination] [port]\n")
		return 1
	}
	if text != "" && (err != nil || port < 1 || port > 65535) {
		t.errorf("port number invalid: %s", text)
		return 1
	}
	for {
		s := &server{T: t}
		s.reset()
		l, err := t.Net.Listen(port, false, s.handle)
		if err != nil {
			t.errorf("%s", map[bool]string{true: "bind: Address already in use", false: "Address already in use"}[t.busybox()])
			return 1
		}
		l.Live = t.opts["e"] == ""
		l.Closed = func(client netip.AddrPort) {
			if client == s.client {
				s.in.CloseWrite()
				s.gone.Wake()
			}
		}
		if port = l.Port; t.has("v") {
			t.eprint(fmt.Sprintf("Listening on 0.0.0.0 %d\n", port))
		}
		code := s.serve()
		l.Close()
		if code != 0 || !t.has("k") {
			return code
		}
	}
}

func (s *server) reset() {
	k := s.Proc.Kernel()
	s.client, s.in, s.out = netip.AddrPort{}, k.NewPipe(0), k.NewPipe(0)
}

// serve shows what one client says and reads what it is to hear.
func (s *server) serve() int {
	var reader *kernel.Proc
	if s.opts["e"] == "" {
		in, out := s.Stdin, s.out
		reader = s.Proc.Kernel().Spawn(s.Proc, s.name, func(*kernel.Proc) int {
			_, _ = io.Copy(out, in)
			out.CloseWrite()
			return 0
		})
		end := func() { reader.Signal(kernel.SIGKILL) }
		s.Proc.AtExit(end)
		defer end()
	}
	buf := make([]byte, 16<<10)
	for {
		n, err := s.in.Read(buf)
		if s.opts["e"] == "" {
			s.write(buf[:n])
			s.flush()
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			s.out.CloseWrite()
			return 0
		default:
			return 130
		}
	}
}

// handle takes a client's message.
func (s *server) handle(p *kernel.Proc, r *network.Request) *network.Response {
	if p == nil || s.client.IsValid() && s.client != r.Remote {
		return nil // one at a time
	}
	first := !s.client.IsValid()
	s.client = r.Remote
	if first && s.has("v") {
		s.eprint(fmt.Sprintf("Connection received on %s %d\n", r.Remote.Addr(), r.Remote.Port()))
	}
	data := network.RequestBytes(r)
	if _, err := s.in.Write(data); err != nil {
		return nil
	}
	switch prog := s.opts["e"]; {
	case prog != "":
		var out bytes.Buffer
		s.run(p, prog, data, &out)
		return answer(r, out.Bytes())
	case r.Method != network.Raw:
		out, err := io.ReadAll(s.out)
		if err != nil {
			return nil
		}
		return answer(r, out)
	case first:
		return &network.Response{Stream: s.out}
	}
	return &network.Response{}
}

// run answers with a program's output.
func (s *server) run(p *kernel.Proc, name string, data []byte, out io.Writer) {
	args := append([]string{name}, s.args...)
	if s.opts["p"] == "" && len(s.args) > 0 {
		args = args[:len(args)-1] // the last was the port
	}
	prog := s.program(name)
	if prog == nil {
		s.errorf("can't execute '%s': No such file or directory", name)
		return
	}
	c := s.Clone()
	c.Stdin, c.Stdout = bytes.NewReader(data), out
	child := s.Proc.Kernel().Spawn(s.Proc, name, func(p *kernel.Proc) int {
		c.Proc = p
		return prog(c, args)
	})
	_, _ = p.Join(child)
}

// answer is what nc's user wrote, as the client takes it: anything but HTTP is
// nothing to a client of HTTP.
func answer(r *network.Request, data []byte) *network.Response {
	if r.Method == network.Raw {
		return &network.Response{Body: data}
	}
	resp, err := network.ParseResponse(data)
	if err != nil {
		return nil
	}
	return resp
}
