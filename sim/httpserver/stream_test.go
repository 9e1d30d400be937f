// Streams as clients see them: exec, attach, logs and port-forward over
// WebSocket and SPDY.

package httpserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/kubonsai/kubonsai/sim"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// serveWeb is a server whose cluster runs the pod web (nginx) and the pod
// shell (busybox with stdin and a terminal).
func serveWeb(t testing.TB) *httptest.Server {
	t.Helper()
	c, err := sim.New(sim.Options{Seed: 1, Start: time.Now(), ImagesPresent: true})
	if err != nil {
		t.Fatal(err)
	}
	run := c.Terminal("t").Start(`kubectl run web --image=nginx:1.25
kubectl apply -f - <<E
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"shell"},"spec":{"containers":[{"name":"c","image":"busybox:1.36","command":["sh"],"stdin":true,"tty":true}]}}
E
kubectl wait --for=condition=Ready pod --all --timeout=1m`, sim.RunOptions{})
	c.Jump(c.Now().Add(time.Minute), func() bool { _, done := run.Done(); return done })
	if code, _ := run.Done(); code != 0 {
		t.Fatalf("set-up ended with status %d", code)
	}
	h := NewHost(c, 1, func(err error) { t.Error(err) })
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		h.Close()
	})
	return srv
}

func dialWebSocket(t *testing.T, srv *httptest.Server, path string, protocols ...string) *websocket.Conn {
	t.Helper()
	cfg, err := websocket.NewConfig("ws"+strings.TrimPrefix(srv.URL, "http")+path, srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Protocol = protocols
	ws, err := websocket.DialConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { ws.Close() })
	return ws
}

func dialSPDY(t *testing.T, srv *httptest.Server, path, protocol string) (httpstream.Connection, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: %s\r\nContent-Length: 0\r\n\r\n", path, protocol)
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(resp.Body)
		conn.Close()
		return nil, fmt.Sprintf("%d %s", resp.StatusCode, body)
	}
	c, err := spdy.NewClientConnection(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, resp.Header.Get("X-Stream-Protocol-Version")
}

const podPath = "/api/v1/namespaces/default/pods/"

func command(pod, sub string, streams string, argv ...string) string {
	q := url.Values{"command": argv}
	for _, s := range strings.Fields(streams) {
		q.Set(s, "true")
	}
	return podPath + pod + "/" + sub + "?" + q.Encode()
}

// result reads channels until the server closes; by channel.
func result(t *testing.T, ws *websocket.Conn) map[byte]string {
	t.Helper()
	out := map[byte]string{}
	for {
		var frame []byte
		if err := websocket.Message.Receive(ws, &frame); err != nil {
			if err != io.EOF {
				t.Fatal(err)
			}
			return out
		}
		if len(frame) > 0 {
			out[frame[0]] += string(frame[1:])
		}
	}
}

func TestExecOverWebSocket(t *testing.T) {
	srv := serveWeb(t)
	ws := dialWebSocket(t, srv, command("web", "exec", "stdout stderr", "sh", "-c", "echo out; echo err >&2; exit 7"), "v5.channel.k8s.io", "v4.channel.k8s.io")
	got := result(t, ws)
	if got[1] != "out\n" || got[2] != "err\n" {
		t.Errorf("streams: %q", got)
	}
	var status metav1.Status
	if err := json.Unmarshal([]byte(got[3]), &status); err != nil {
		t.Fatal(err)
	}
	if status.Reason != "NonZeroExitCode" || status.Details.Causes[0].Message != "7" {
		t.Errorf("status: %s", got[3])
	}

	// Standard input ends with the channel's close frame.
	ws = dialWebSocket(t, srv, command("web", "exec", "stdin stdout", "wc", "-c"), "v5.channel.k8s.io")
	big := strings.Repeat("0123456789", 20_000)
	for i := 0; i < len(big); i += 10_000 {
		websocket.Message.Send(ws, append([]byte{0}, big[i:i+10_000]...))
	}
	websocket.Message.Send(ws, []byte{255, 0})
	if got := result(t, ws); strings.TrimSpace(got[1]) != "200000" {
		t.Errorf("wc: %q", got)
	}

	// The oldest protocol says failures in words.
	ws = dialWebSocket(t, srv, command("web", "exec", "stdout", "false"), "channel.k8s.io")
	if got := result(t, ws); !strings.Contains(got[3], "exit code 1") {
		t.Errorf("channel.k8s.io: %q", got)
	}

	// What cannot start is said on the error channel; the newest protocol is
	// translated by the API server, which wraps the error once more.
	for protocol, want := range map[string]string{
		"v4.channel.k8s.io": `"Internal error occurred: error executing command in container: `,
		"v5.channel.k8s.io": `"Internal error occurred: Internal error occurred: error executing command in container: `,
	} {
		ws = dialWebSocket(t, srv, command("web", "exec", "stdout", "nope"), protocol)
		if got := result(t, ws)[3]; !strings.Contains(got, want) || !strings.Contains(got, `\"nope\": executable file not found in $PATH`) {
			t.Errorf("%s: nope: %q", protocol, got)
		}
	}
}

func TestTerminalOverWebSocket(t *testing.T) {
	srv := serveWeb(t)
	ws := dialWebSocket(t, srv, command("web", "exec", "stdin stdout tty", "sh"), "v5.channel.k8s.io")
	websocket.Message.Send(ws, append([]byte{4}, `{"Width":120,"Height":33}`...))
	screen := ""
	expect := func(text string) {
		t.Helper()
		for !strings.Contains(screen, text) {
			var frame []byte
			if err := websocket.Message.Receive(ws, &frame); err != nil {
				t.Fatalf("waiting for %q: %v; screen: %q", text, err, screen)
			}
			if len(frame) > 0 && frame[0] == 1 {
				screen += string(frame[1:])
			}
		}
		screen = screen[strings.Index(screen, text)+len(text):]
	}
	typed := func(s string) { websocket.Message.Send(ws, append([]byte{0}, s...)) }
	expect("# ")
	typed("echo twp\x7f\x7fwo\r")
	expect("wo\r\n")  // the echoed line …
	expect("two\r\n") // … and its answer
	expect("# ")
	typed("sleep 1000\r")
	expect("sleep 1000\r\n")
	typed("\x03") // ends the sleep, not the shell
	expect("^C")
	expect("# ")
	typed("cat\r")
	expect("cat\r\n")
	typed("\x04") // ends cat's input only
	expect("# ")
	typed("exit 5\r")
	if got := result(t, ws); !strings.Contains(got[3], `"message":"5"`) {
		t.Errorf("exit: %q", got)
	}
}

func TestAttach(t *testing.T) {
	srv := serveWeb(t)
	ws := dialWebSocket(t, srv, command("shell", "attach", "stdin stdout tty"), "v5.channel.k8s.io")
	websocket.Message.Send(ws, []byte("\x00echo $((6*7))\r"))
	for got := ""; !strings.Contains(got, "42\r\n"); {
		var frame []byte
		if err := websocket.Message.Receive(ws, &frame); err != nil {
			t.Fatalf("%v; screen: %q", err, got)
		}
		got += string(frame[1:])
	}
}

func TestExecOverSPDY(t *testing.T) {
	srv := serveWeb(t)
	for _, protocol := range []string{"v4.channel.k8s.io", "v5.channel.k8s.io"} {
		conn, chosen := dialSPDY(t, srv, command("web", "exec", "stdin stdout", "sh", "-c", "cat; exit 3"), protocol)
		if conn == nil || chosen != protocol {
			t.Fatalf("%s: %s", protocol, chosen)
		}
		open := func(kind string) httpstream.Stream {
			s, err := conn.CreateStream(http.Header{"streamType": {kind}})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		trouble, in, out := open("error"), open("stdin"), open("stdout")
		io.WriteString(in, "through")
		in.Close()
		if got, _ := io.ReadAll(out); string(got) != "through" {
			t.Errorf("stdout: %q", got)
		}
		if got, _ := io.ReadAll(trouble); !strings.Contains(string(got), `"message":"3"`) {
			t.Errorf("status: %q", got)
		}
	}
	if _, answer := dialSPDY(t, srv, command("web", "exec", "stdout", "true"), "v9.channel.k8s.io"); !strings.Contains(answer, "unable to negotiate protocol: client supports [v9.channel.k8s.io]") {
		t.Errorf("unknown protocol: %s", answer)
	}
	if _, answer := dialSPDY(t, srv, command("nobody", "exec", "stdout", "true"), "v4.channel.k8s.io"); !strings.Contains(answer, `pods \"nobody\" not found`) {
		t.Errorf("unknown pod: %s", answer)
	}
}

// tunnel makes the SPDY connection inside a WebSocket.
func tunnel(t *testing.T, srv *httptest.Server, path string) httpstream.Connection {
	t.Helper()
	ws := dialWebSocket(t, srv, path, tunnelProtocol)
	ws.PayloadType = websocket.BinaryFrame
	c, err := spdy.NewClientConnection(ws)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPortForward(t *testing.T) {
	srv := serveWeb(t)
	native, _ := dialSPDY(t, srv, podPath+"web/portforward", forwardProtocol)
	if native == nil {
		t.Fatal("no upgrade")
	}
	for name, conn := range map[string]httpstream.Connection{"SPDY": native, "WebSocket": tunnel(t, srv, podPath+"web/portforward")} {
		for id, port := range []string{"80", "81", "80"} {
			open := func(kind string) httpstream.Stream {
				s, err := conn.CreateStream(http.Header{"streamType": {kind}, "port": {port}, "requestID": {fmt.Sprint(id)}})
				if err != nil {
					t.Fatal(name, err)
				}
				return s
			}
			trouble, data := open("error"), open("data")
			trouble.Close()
			io.WriteString(data, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			data.Close()
			body, _ := io.ReadAll(data)
			said, _ := io.ReadAll(trouble)
			switch {
			case port == "80" && (!strings.Contains(string(body), "Welcome to nginx!") || len(said) > 0):
				t.Errorf("%s %s: %q, error %q", name, port, body, said)
			case port == "81" && !strings.Contains(string(said), "connection refused"):
				t.Errorf("%s %s: %q, error %q", name, port, body, said)
			}
		}
	}
}

func TestFollowedLogEndsWithItsClient(t *testing.T) {
	srv := serveWeb(t)
	resp, err := http.Get(srv.URL + podPath + "web/log?follow=true")
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || line == "" {
		t.Errorf("first line %q, %v", line, err)
	}
	resp.Body.Close()
}

func TestUpgradeRequired(t *testing.T) {
	srv := serveWeb(t)
	resp, err := http.Post(srv.URL+command("web", "exec", "stdout", "true"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 400 || !strings.Contains(string(body), "Upgrade request required") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// A watch whose client does not say how long it shall last ends all the same.
func TestWatchesEnd(t *testing.T) {
	h := &Server{pace: 60}
	seen := map[int]bool{}
	for range 100 {
		n := h.watchSeconds()
		if n < 60*watchLeast || n > 2*60*watchLeast {
			t.Fatalf("%d virtual seconds at sixty times the wall's pace", n)
		}
		seen[n] = true
	}
	if len(seen) < 50 {
		t.Errorf("%d different lengths among 100", len(seen))
	}
}
