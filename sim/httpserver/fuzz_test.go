// Whatever a client sends down a stream or asks with, the server goes on.

package httpserver

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"
)

// upgrades are the streams that can be opened, with their protocols.
var upgrades = []struct{ path, upgrade, protocol string }{
	{"web/exec?command=cat&stdin=1&stdout=1", "websocket", "v5.channel.k8s.io"},
	{"web/exec?command=cat&stdin=1&stdout=1", "websocket", "base64.channel.k8s.io"},
	{"shell/attach?stdin=1&stdout=1&tty=1", "websocket", "v4.channel.k8s.io"},
	{"web/portforward?ports=80", "websocket", tunnelProtocol},
	{"web/exec?command=cat&stdin=1&stdout=1", "SPDY/3.1", "v4.channel.k8s.io"},
	{"web/portforward", "SPDY/3.1", forwardProtocol},
}

// FuzzStreams opens a stream and sends anything: which chooses the stream, and
// whether the data come in frames of a WebSocket.
func FuzzStreams(f *testing.F) {
	srv := serveWeb(f)
	f.Add(byte(0), []byte("\x00hello\x04{\"Width\":80,\"Height\":24}\xff\x00"))
	f.Add(byte(1), []byte("0aGVsbG8="))
	f.Add(byte(3), []byte("\x80\x03\x00\x01\x01\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"))
	f.Add(byte(5), []byte("\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01"))
	f.Add(byte(16), []byte("\x81\x85\x00\x00\x00\x00hello\x88\x80\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		u := upgrades[int(which&15)%len(upgrades)]
		target, _ := url.Parse(srv.URL)
		conn, err := net.Dial("tcp", target.Host)
		if err != nil {
			t.Skip(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		header := "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: " + u.protocol
		method := "GET"
		if u.upgrade != "websocket" {
			method, header = "POST", "X-Stream-Protocol-Version: "+u.protocol
		}
		fmt.Fprintf(conn, "%s /api/v1/namespaces/default/pods/%s HTTP/1.1\r\nHost: %s\r\nOrigin: http://x\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s\r\n\r\n", method, u.path, target.Host, u.upgrade, header)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", u.path, err)
		}
		if resp.StatusCode != http.StatusSwitchingProtocols { // an earlier one has ended the program
			conn.Close()
			return
		}
		if which&16 == 0 && u.upgrade == "websocket" {
			for part := range strings.SplitSeq(string(data), "\xff") {
				conn.Write(frame([]byte(part)))
			}
		} else {
			conn.Write(data)
		}
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, conn)
		conn.Close()
		if resp, err := http.Get(srv.URL + "/readyz"); err != nil || resp.StatusCode != 200 {
			t.Fatalf("the server is gone: %v %v", resp, err)
		} else {
			resp.Body.Close()
		}
		if n := runtime.NumGoroutine(); n > 2000 {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines:\n%s", n, buf[:runtime.Stack(buf, true)])
		}
	})
}

// frame is a binary message of a WebSocket client, under the mask of zeros.
func frame(b []byte) []byte {
	head := []byte{0x82}
	switch n := len(b); {
	case n < 126:
		head = append(head, 0x80|byte(n))
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 0x80|126), uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 0x80|127), uint64(n))
	}
	return append(append(head, 0, 0, 0, 0), b...)
}

// FuzzHTTP asks anything of the whole server: it answers, and never by a panic.
func FuzzHTTP(f *testing.F) {
	srv := serveWeb(f)
	h := srv.Config.Handler
	f.Add("GET", "/api/v1/pods", "limit=1&labelSelector=a", "application/json;as=Table;v=v1;g=meta.k8s.io", "", "")
	f.Add("POST", "/api/v1/namespaces/default/configmaps", "dryRun=All&fieldValidation=Strict", "application/yaml", "application/json", `{"metadata":{"name":"a"}}`)
	f.Add("PATCH", "/api/v1/namespaces/default/pods/web", "fieldManager=x&force=true", "", "application/apply-patch+yaml", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"}}`)
	f.Add("POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", "", "", "application/json", `{"metadata":{"name":"c"},"spec":{"request":"LS0t","signerName":"a.b/c","usages":["any"]}}`)
	f.Add("POST", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", "dryRun=All", "", "application/json",
		`{"metadata":{"name":"p"},"spec":{"matchConstraints":{"resourceRules":[{"apiGroups":["*"],"apiVersions":["*"],"operations":["*"],"resources":["*"]}]},"validations":[{"expression":"object.?a.orValue(1) == 1"}]}}`)
	f.Add("DELETE", "/api/v1/namespaces/default/pods", "labelSelector=none", "", "application/vnd.kubernetes.protobuf", "k8s\x00")
	f.Add("GET", "/api/v1/namespaces/default/services/http:web:80/proxy/a?b", "pretty=1&watch=0", "*/*", "", "")
	f.Fuzz(func(t *testing.T, method, path, query, accept, contentType, body string) {
		u := &url.URL{Path: path, RawQuery: query}
		q, err := url.ParseQuery(query)
		if err != nil || !strings.HasPrefix(path, "/") || q.Has("watch") || strings.Contains(path, "/watch/") || q.Has("follow") {
			return
		}
		r, err := http.NewRequest(method, "http://x"+u.EscapedPath()+"?"+query, strings.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set("Accept", accept)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 && strings.Contains(w.Body.String(), "panic") {
			t.Errorf("%s %s: %s", method, u, w.Body)
		}
	})
}
