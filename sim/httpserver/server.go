// The HTTP side: requests become rest.Requests, answers are written in the form
// that the client accepts, watches are streamed.

package httpserver

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// maxBody bounds a request's body, in bytes; the API server's own limit is
// lower and words the error.
const maxBody = 8 << 20

// forwarded are the header fields that the API looks at.
var forwarded = []string{"Accept", "Content-Type", "User-Agent", "Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Authorization"}

// ServeHTTP serves the cluster's API.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

	var resp *rest.Response
	var contentType string
	var data []byte
	h.Do(func(c *sim.Cluster) {
		resp = c.Handler().Serve(req)
		if resp.Watch == nil && resp.Stream == nil {
			contentType, data, err = apiserver.Encode(req, resp)
		}
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, text := range resp.Warnings {
		w.Header().Add("Warning", `299 - "`+escape(text)+`"`)
	}
	switch {
	case resp.Watch != nil:
		h.serveWatch(w, r, resp)
	case resp.Stream != nil:
		h.serveStream(w, r, resp)
	default:
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "no-cache, private")
		w.WriteHeader(resp.Code)
		w.Write(data)
	}
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
func (h *Host) serveWatch(w http.ResponseWriter, r *http.Request, resp *rest.Response) {
	notice := make(chan struct{}, 1)
	h.Do(func(*sim.Cluster) {
		resp.Watch.Notify(func() {
			select {
			case notice <- struct{}{}:
			default:
			}
		})
	})
	defer h.Do(func(*sim.Cluster) { resp.Watch.Stop() })
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flush(w)
	for {
		var out []byte
		var done bool
		var err error
		h.Do(func(*sim.Cluster) {
			for len(out) < 1<<20 {
				e, ok := resp.Watch.Next()
				if !ok {
					break
				}
				var line []byte
				if line, err = apiserver.EncodeWatchEvent(e); err != nil {
					return
				}
				out = append(out, line...)
			}
			done = resp.Watch.Done()
		})
		if len(out) > 0 {
			if _, werr := w.Write(out); werr != nil {
				return
			}
			flush(w)
		}
		if done || err != nil {
			return
		}
		if len(out) >= 1<<20 {
			continue
		}
		select {
		case <-r.Context().Done():
			return
		case <-h.stop:
			return
		case <-notice:
		}
	}
}

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// serveStream writes a followed log.
func (h *Host) serveStream(w http.ResponseWriter, r *http.Request, resp *rest.Response) {
	out := newBuffer()
	var p *kernel.Proc
	h.Do(func(c *sim.Cluster) {
		p = c.Spawn("log stream", func(p *kernel.Proc) int {
			resp.Stream.Run(rest.StreamOptions{Stdout: out})
			return 0
		})
		p.AtExit(out.close)
	})
	defer h.Do(func(*sim.Cluster) { p.Signal(kernel.SIGKILL) })
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusOK)
	flush(w)
	for {
		data, done := out.take()
		if len(data) > 0 {
			if _, err := w.Write(data); err != nil {
				return
			}
			flush(w)
		}
		if done {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-h.stop:
			return
		case <-out.notice:
		case <-time.After(time.Second):
		}
	}
}

// buffer carries a process's output to a connection's goroutine.
type buffer struct {
	mu     sync.Mutex
	data   []byte
	closed bool
	notice chan struct{}
}

func newBuffer() *buffer { return &buffer{notice: make(chan struct{}, 1)} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p...)
	b.tell()
	return len(p), nil
}

func (b *buffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.tell()
}

func (b *buffer) tell() {
	select {
	case b.notice <- struct{}{}:
	default:
	}
}

func (b *buffer) take() ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data := b.data
	b.data = nil
	return data, b.closed
}
