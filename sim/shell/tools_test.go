// Tests of the tools that have no equal on the machine: curl, wget and others
// on the virtual network, watch, memory charges.

package shell_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/program"
)

func webMachine(m *machine) (*network.Namespace, *network.Network) {
	n := network.New()
	home := n.NewNamespace("home", netip.MustParseAddr("10.0.0.1"))
	web := n.NewNamespace("web", netip.MustParseAddr("10.0.0.2"))
	home.AddHost("web", netip.MustParseAddr("10.0.0.2"))
	home.AddHost("lost", netip.MustParseAddr("10.9.9.9"))
	_, _ = web.Listen(80, false, func(p *kernel.Proc, r *network.Request) *network.Response {
		switch r.Path {
		case "/missing":
			return &network.Response{Status: 404, Body: []byte("nope\n")}
		case "/redirect":
			return &network.Response{Status: 302, Header: network.Header{"Location": {"/"}}}
		case "/slow":
			_ = p.Sleep(30 * time.Second)
			return &network.Response{Status: 200, Body: []byte("late\n")}
		case "/empty":
			return nil
		case "/echo":
			return &network.Response{Status: 200, Body: []byte(r.Method + " " + r.Header.Get("Content-Type") + " " + r.Header.Get("X-A") + " " + string(r.Body) + "\n")}
		case "/stream":
			pipe := p.Kernel().NewPipe(0)
			p.Kernel().Spawn(nil, "server", func(q *kernel.Proc) int {
				for range 3 {
					_, _ = pipe.Write([]byte("tick\n"))
					_ = q.Sleep(time.Second)
				}
				pipe.CloseWrite()
				return 0
			})
			return &network.Response{Status: 200, Stream: pipe}
		}
		return &network.Response{Status: 200, Header: network.Header{"Server": {"nginx"}, "Content-Type": {"text/html"}}, Body: []byte("hello " + r.Host + r.Path + "\n")}
	})
	return home, n
}

func TestNetworkTools(t *testing.T) {
	for _, c := range []struct {
		script, out, errOut string
		code                int
	}{
		{"curl -s web", "hello web/\n", "", 0},
		{"curl -s http://web/a?b=c", "hello web/a?b=c\n", "", 0},
		{"curl -i web", "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 02:14:45 GMT\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\nhello web/\n", "", 0},
		{"curl nosuch", "", "curl: (6) Could not resolve host: nosuch\n", 6},
		{"curl localhost:8080", "", "curl: (7) Failed to connect to localhost port 8080 after 0 ms: Couldn't connect to server\n", 7},
		{"curl -s localhost:8080", "", "", 7},
		{"curl -sS localhost:8080", "", "curl: (7) Failed to connect to localhost port 8080 after 0 ms: Couldn't connect to server\n", 7},
		{"curl -f web/missing", "", "curl: (22) The requested URL returned error: 404\n", 22},
		{"curl web/missing", "nope\n", "", 0},
		{`curl -s -o /dev/null -w '%{http_code}\n' web/missing`, "404\n", "", 0},
		{"curl -sL web/redirect", "hello web/\n", "", 0},
		{`curl -s web/echo -X PUT -d a=1 -d b=2 -H 'X-A: q'`, "PUT application/x-www-form-urlencoded q a=1&b=2\n", "", 0},
		{`curl -s web/echo --json '{"a":1}'`, "POST application/json  {\"a\":1}\n", "", 0},
		{"curl -m 3 web/slow", "", "curl: (28) Operation timed out after 3000 milliseconds with 0 bytes received\n", 28},
		{"curl -sS --connect-timeout 2 lost; echo $SECONDS", "2\n", "curl: (28) Failed to connect to lost port 80 after 2001 ms: Timeout was reached\n", 0},
		{"curl web:99999", "", "curl: (3) URL rejected: Port number was not a decimal number between 0 and 65535\n", 3},
		{"curl http://", "", "curl: (3) URL rejected: No host part in the URL\n", 3},
		{"curl", "", "curl: (2) no URL specified\ncurl: try 'curl --help' or 'curl --manual' for more information\n", 2},
		{"curl --bogus web", "", "curl: option --bogus: is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n", 2},
		{"curl -s web/stream | while read l; do echo $SECONDS $l; done", "0 tick\n1 tick\n2 tick\n", "", 0},
		{"curl -sN web/stream | head -1", "tick\n", "", 0},
		{"wget -qO- web", "hello web/\n", "", 0},
		{"wget -q web/missing; echo $?", "8\n", "", 0},
		{"nc -zv web 80", "", "Connection to web (10.0.0.2) 80 port [tcp/http] succeeded!\n", 0},
		{"nc -zv web 81", "", "nc: connect to web (10.0.0.2) port 81 (tcp) failed: Connection refused\n", 1},
		{"watch -n 1 date & sleep 1.5; kill $!; wait $! 2>/dev/null; echo", "", "", 0},
		{"vim x", "", "Vim: Warning: Output is not to a terminal\nVim: Warning: Input is not from a terminal\n", 1},
	} {
		m := newMachine()
		_ = m.fs.MkdirAll("/tmp/w", 0o755)
		home, _ := webMachine(m)
		var out, errOut bytes.Buffer
		ctx := m.context("", &out, &errOut)
		ctx.Net = home
		p := m.k.Spawn(nil, "bash", func(p *kernel.Proc) int {
			ctx.Proc = p
			return ctx.Lookup("bash")(ctx, []string{"bash", "-c", c.script})
		})
		m.drain(100000)
		code, done := p.Done()
		if strings.HasPrefix(c.script, "watch") {
			if strings.Count(out.String(), "Every 1.0s: date") != 2 {
				t.Errorf("watch: %q", out.String())
			}
			continue
		}
		if out.String() != c.out || errOut.String() != c.errOut || code != c.code || !done {
			t.Errorf("%s:\n got %q %q %d\nwant %q %q %d", c.script, out.String(), errOut.String(), code, c.out, c.errOut, c.code)
		}
	}
}

// small is a system that kills what asks for more than its limit.
type small struct{ used, limit int64 }

func (s *small) Processes() []program.ProcessInfo {
	return []program.ProcessInfo{{PID: 1, User: "root", Args: []string{"sleep", "infinity"}, State: "S"}, {PID: 7, PPID: 1, User: "root", Args: []string{"nginx: worker"}, State: "S", RSS: 4 << 20}}
}
func (s *small) Kill(pid int, sig kernel.Signal) error      { return nil }
func (s *small) PID(p *kernel.Proc) int                     { return p.ID }
func (s *small) Register(p *kernel.Proc, args []string) int { return p.ID }
func (s *small) Charge(p *kernel.Proc, n int64) {
	if s.used += n; s.used > s.limit {
		s.used -= n
		p.Signal(kernel.SIGKILL)
		_ = p.Yield()
	}
}

func TestMemoryIsCharged(t *testing.T) {
	for _, script := range []string{"tail /dev/zero", "sort /dev/zero", "grep x /dev/zero"} {
		m := newMachine()
		_ = m.fs.MkdirAll("/tmp/w", 0o755)
		var out, errOut bytes.Buffer
		ctx := m.context("", &out, &errOut)
		sys := &small{limit: 20 << 20}
		ctx.System = sys
		m.k.Spawn(nil, "bash", func(p *kernel.Proc) int {
			ctx.Proc = p
			return ctx.Lookup("bash")(ctx, []string{"bash", "-c", script + "; echo $?"})
		})
		m.drain(100000)
		if out.String() != "137\n" || sys.used != 0 {
			t.Errorf("%s: %q %q, %d bytes still charged", script, out.String(), errOut.String(), sys.used)
		}
	}
}
