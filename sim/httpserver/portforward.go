// Port-forward: SPDY streams in pairs, one of data and one for an error, for
// each forwarded connection; natively over SPDY, or tunnelled through a
// WebSocket. See k8s.io/client-go/tools/portforward and KEP-4006.

package httpserver

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"golang.org/x/net/websocket"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/kubonsai/kubonsai/sim/rest"
)

const (
	forwardProtocol = "portforward.k8s.io"
	tunnelProtocol  = "SPDY/3.1+" + forwardProtocol
)

// servePortForward answers a request for portforward. open opens a connection
// to a port of the pod.
func (h *Server) servePortForward(w http.ResponseWriter, r *http.Request, open func(port string) (rest.Stream, error)) {
	f := &forwarding{h: h, open: open, pairs: map[string]*pair{}, gone: make(chan struct{})}
	if !wsstream.IsWebSocketRequest(r) {
		if _, err := httpstream.Handshake(r, w, []string{forwardProtocol}); err != nil {
			return
		}
		if conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, f.newStream); conn != nil {
			f.wait(conn)
		}
		return
	}
	websocket.Server{
		Handshake: func(c *websocket.Config, _ *http.Request) error {
			if !slices.Contains(c.Protocol, tunnelProtocol) {
				return fmt.Errorf("requested protocol(s) are not supported: %v; supports [%s]", c.Protocol, tunnelProtocol)
			}
			c.Protocol = []string{tunnelProtocol}
			return nil
		},
		Handler: func(ws *websocket.Conn) {
			ws.PayloadType = websocket.BinaryFrame
			conn, err := spdy.NewServerConnection(net.Conn(ws), f.newStream)
			if err != nil {
				return
			}
			f.wait(conn)
		},
	}.ServeHTTP(w, r)
}

// forwarding is one client's port-forward.
type forwarding struct {
	h    *Server
	open func(port string) (rest.Stream, error)
	gone chan struct{}

	mu    sync.Mutex
	pairs map[string]*pair
}

// pair is the two streams of one forwarded connection.
type pair struct{ data, trouble httpstream.Stream }

func (f *forwarding) wait(conn httpstream.Connection) {
	conn.SetIdleTimeout(idleTimeout)
	select {
	case <-conn.CloseChan():
	case <-f.h.stop:
	}
	close(f.gone)
	conn.Close()
}

// newStream pairs the streams by their request id; complete pairs are served.
func (f *forwarding) newStream(s httpstream.Stream, replySent <-chan struct{}) error {
	port := s.Headers().Get("port")
	if port == "" {
		return fmt.Errorf("%q header is required", "port")
	}
	kind := s.Headers().Get("streamType")
	if kind != "error" && kind != "data" {
		return fmt.Errorf("invalid stream type %q", kind)
	}
	id := s.Headers().Get("requestID")
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pairs[id]
	if p == nil {
		p = &pair{}
		f.pairs[id] = p
	}
	switch {
	case kind == "error" && p.trouble == nil:
		p.trouble = s
	case kind == "data" && p.data == nil:
		p.data = s
	default:
		return fmt.Errorf("%s stream already assigned", kind)
	}
	if p.data != nil && p.trouble != nil {
		delete(f.pairs, id)
		go func() {
			<-replySent
			f.serve(p, port)
		}()
	}
	return nil
}

func (f *forwarding) serve(p *pair, port string) {
	s, err := f.open(port)
	if err == nil {
		err = f.h.run(s, ends{stdin: p.data, stdout: p.data, gone: f.gone})
	}
	p.data.Close()
	if err != nil {
		fmt.Fprint(p.trouble, err.Error())
	}
	p.trouble.Close()
}

// forwardRequest is the request for one more connection of a port-forward.
func forwardRequest(req *rest.Request, port string) *rest.Request {
	one := *req
	one.Query = url.Values{"ports": {port}}
	return &one
}
