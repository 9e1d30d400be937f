// The HTTP side: requests become rest.Requests, answers are written in the form
// that the client accepts, watches are streamed.

package httpserver

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/streaming/pkg/httpstream"

	"github.com/kubonsai/kubonsai/sim"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/protobuf"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// maxBody bounds a request's body, in bytes; the API server's own limit is
// lower and words the error.
const maxBody = 8 << 20

// gzipFrom is the size in bytes from which answers are compressed, as upstream.
const gzipFrom = 128 << 10

// forwarded are the header fields that the API looks at.
var forwarded = []string{"Accept", "Content-Type", "User-Agent", "Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Authorization"}

// Server serves the API of a machine's current cluster. The machine is its
// host's: every call of it is made inside do, which returns when what was done
// is durable.
type Server struct {
	do      func(fn func(c *sim.Machine))
	look    func(fn func())
	stop    <-chan struct{}
	openapi openapiV2
	encoded encodings
	watches atomic.Uint64 // that were begun
	pace    float64       // virtual time that passes in a unit of the wall's
	// wait is rest.Request's field of that name; nil where nothing can be waited for.
	wait func(fn func())
	// Probe has idle watches send a blank line now and then, for hosts that
	// learn only by writing that a client is gone.
	Probe bool
}

// bookmarkEvery is how long a watch is silent before it is given a bookmark, as
// upstream.
const bookmarkEvery = time.Minute

// NewServer returns a server for a host that gives turns on its machine by do,
// by look only for as long as it takes to read, with the clock standing, and
// closes stop when it ends; open watches and streams end then.
func NewServer(do func(fn func(c *sim.Machine)), look func(fn func()), stop <-chan struct{}) *Server {
	return &Server{do: do, look: look, stop: stop, pace: 1}
}

// Do calls fn while nothing else touches the machine.
func (h *Server) Do(fn func(c *sim.Machine)) { h.do(fn) }

// ServeHTTP serves the cluster's API.
func (h *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	req := &rest.Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: rest.Header{}, Body: body}
	for _, name := range forwarded {
		if v := r.Header.Values(name); len(v) > 0 {
			req.Header[name] = v[0]
			for _, more := range v[1:] {
				req.Header[name] += "," + more
			}
		}
	}
	if isWatch(req) && req.Query.Get("timeoutSeconds") == "" {
		req.Query.Set("timeoutSeconds", strconv.Itoa(h.watchSeconds()))
	}
	for name, v := range r.Header {
		if strings.HasPrefix(name, "Impersonate-Extra-") {
			req.Header[name] = strings.Join(v, ",")
		}
	}

	if err := asJSON(req); err != nil {
		h.write(w, r, req, &rest.Response{Code: http.StatusBadRequest, Object: apierrors.NewBadRequest(err.Error()).Object()})
		return
	}
	inProtobuf := wantsOpenAPIProtobuf(req)
	var resp *rest.Response
	for tries := 0; tries == 0 || resp.Later && tries < rest.LaterTries; tries++ {
		if tries > 0 && !h.sleep(r.Context(), rest.LaterAfter) {
			return
		}
		h.Do(func(c *sim.Machine) { resp = h.answer(c, r, req) })
	}
	if inProtobuf {
		if resp, err = h.openapi.encode(resp); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	for _, text := range resp.Warnings {
		w.Header().Add("Warning", `299 - "`+escape(text)+`"`)
	}
	switch {
	case resp.Watch != nil:
		h.serveWatch(w, r, resp)
	case resp.Stream != nil && resp.Code == http.StatusSwitchingProtocols:
		h.upgrade(w, r, req, resp.Stream)
	case resp.Stream != nil:
		h.serveLog(w, r, resp.Stream)
	default:
		h.write(w, r, req, resp)
	}
}

// sleep lets virtual time pass; false when the context or the host has ended meanwhile.
func (h *Server) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(time.Duration(float64(d) / h.pace))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-h.stop:
	}
	return false
}

// watchLeast is how long a watch lasts at least, in seconds of the wall's clock,
// when its client does not say: upstream's --min-request-timeout. It lasts up to
// twice as long, so that clients do not all come back at once.
const watchLeast = 1800

func (h *Server) watchSeconds() int {
	n := watchLeast + h.watches.Add(1)*977%watchLeast
	return int(float64(n) * h.pace) // the API counts virtual seconds
}

func isWatch(req *rest.Request) bool {
	w := req.Query.Get("watch")
	return req.Method == http.MethodGet && (w == "1" || w == "true" || strings.Contains(req.Path, "/watch/"))
}

// asJSON turns a body in protobuf into JSON. Kinds without such an encoding are
// left for the API server to refuse.
func asJSON(req *rest.Request) error {
	if t, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type")); t != protobuf.ContentType {
		return nil
	}
	data, err := protobuf.Decode(req.Body)
	if errors.Is(err, protobuf.ErrUnknownKind) {
		return nil
	}
	if err == nil {
		req.Body, req.Header["Content-Type"] = data, "application/json"
	}
	return err
}

// write sends an answer that is complete. Objects are immutable, so nothing
// stops while they are encoded.
func (h *Server) write(w http.ResponseWriter, r *http.Request, req *rest.Request, resp *rest.Response) {
	if contentType, ok := apiserver.Streams(req, resp); ok {
		h.writeList(w, r, contentType, resp)
		return
	}
	contentType, data, err := apiserver.Encode(req, resp)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-cache, private")
	if len(data) >= gzipFrom && strings.Contains(strings.Join(r.Header.Values("Accept-Encoding"), ","), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Add("Vary", "Accept-Encoding")
		w.WriteHeader(resp.Code)
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		z.Write(data)
		z.Close()
		return
	}
	w.WriteHeader(resp.Code)
	w.Write(data)
}

// escape quotes a warning's text as an HTTP quoted-string.
func escape(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"', '\\':
			b = append(b, '\\')
		case '\n', '\r':
			b = append(b, ' ')
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// serveWatch writes events as they come, until the client goes away or the
// watch ends.
func (h *Server) serveWatch(w http.ResponseWriter, r *http.Request, resp *rest.Response) {
	notice := make(chan struct{}, 1)
	h.look(func() {
		resp.Watch.Notify(func() {
			select {
			case notice <- struct{}{}:
			default:
			}
		})
	})
	defer h.look(resp.Watch.Stop)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flush(w)
	silent := time.NewTimer(bookmarkEvery)
	defer silent.Stop()
	bookmark := false
	for {
		var events []rest.Event
		var done bool
		h.look(func() {
			for len(events) < eventsAtOnce {
				e, ok := resp.Watch.Next()
				if !ok {
					break
				}
				events = append(events, e)
			}
			if m, ok := resp.Watch.(rest.Bookmarker); bookmark && ok && len(events) == 0 {
				if e, ok := m.Bookmark(); ok {
					events = append(events, e)
				}
			}
			done = resp.Watch.Done() && len(events) < eventsAtOnce
		})
		if bookmark && h.Probe && len(events) == 0 {
			if _, err := w.Write([]byte("\n")); err != nil {
				return
			}
			flush(w)
		}
		bookmark = false
		if len(events) > 0 {
			silent.Reset(bookmarkEvery)
		}
		for _, e := range events {
			line, err := h.encoded.event(e)
			if err != nil {
				return
			}
			if _, err := w.Write(line); err != nil {
				return
			}
		}
		if len(events) > 0 {
			flush(w)
		}
		if done {
			return
		}
		if len(events) == eventsAtOnce {
			continue
		}
		select {
		case <-r.Context().Done():
			return
		case <-h.stop:
			return
		case <-notice:
		case <-silent.C:
			silent.Reset(bookmarkEvery)
			bookmark = true
		}
	}
}

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// serveLog writes a followed log.
func (h *Server) serveLog(w http.ResponseWriter, r *http.Request, s rest.Stream) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusOK)
	flush(w)
	out := &flushing{w: w}
	defer out.end()
	h.run(s, ends{stdout: out, gone: r.Context().Done()})
}

// flushing sends on at once whatever is written, until the request has been
// served: its writer must not be touched then.
type flushing struct {
	mu sync.Mutex
	w  http.ResponseWriter // nil after the end
}

func (f *flushing) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.w == nil {
		return 0, io.ErrClosedPipe
	}
	n, err := f.w.Write(b)
	flush(f.w)
	return n, err
}

func (f *flushing) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.w = nil
}

// upgrade hands the connection over to a stream.
func (h *Server) upgrade(w http.ResponseWriter, r *http.Request, req *rest.Request, s rest.Stream) {
	if !httpstream.IsUpgradeRequest(r) {
		h.Do(func(*sim.Machine) { s.Close() })
		h.write(w, r, req, &rest.Response{Code: http.StatusBadRequest, Object: apierrors.NewBadRequest("Upgrade request required").Object()})
		return
	}
	if strings.HasSuffix(req.Path, "/portforward") {
		h.Do(func(*sim.Machine) { s.Close() })
		h.servePortForward(w, r, func(port string) (s rest.Stream, err error) {
			h.Do(func(c *sim.Machine) {
				resp := h.answer(c, r, forwardRequest(req, port))
				if status, ok := resp.Object.(*metav1.Status); ok {
					err = apierrors.FromStatus(status)
				}
				s = resp.Stream
			})
			return s, err
		})
		return
	}
	h.serveCommand(w, r, s)
}
