//go:build js && wasm

// The way of an HTTP request. syumai/workers makes an http.Request of the
// platform's and a Response of what is answered; the two bodies are carried
// here, for the reasons in RATIONALE.md.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall/js"
	"time"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/wasm/internal/jsvalue"
)

// bodyTime is how long a client may take to send a request's body.
const bodyTime = 30 * time.Second

// door is the http.Handler that the platform's requests come to.
type door struct{ s *sandbox }

// rawBody is what the library's ResponseWriter has beside its interface: a body
// made in JavaScript. rawBodyOf is the same of a request's body.
type (
	rawBody   interface{ WriteRawJSBody(js.Value) }
	rawBodyOf interface{ GetRawJSBody() js.Value }
)

func (d door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.s.visit()
	mend(r)
	answer := &response{port: d.s.port, header: http.Header{}, ready: make(chan struct{})}
	ctx, cancel := context.WithCancel(r.Context())
	answer.cancel = cancel
	body, err := d.body(ctx, r)
	if err != nil {
		refuse(answer, err)
		answer.end()
	} else {
		r.Body = io.NopCloser(bytes.NewReader(body))
		go d.serve(answer, r.WithContext(ctx))
	}
	<-answer.ready
	for k, v := range answer.header {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.code)
	if !answer.body.IsUndefined() {
		w.(rawBody).WriteRawJSBody(answer.body)
	}
}

// serve answers one request on a goroutine of its own, which lives as long as
// the answer does.
func (d door) serve(w *response, r *http.Request) {
	defer w.end()
	defer d.s.recovered(w)
	q := r.URL.Query()
	if truth(q.Get("watch")) || truth(q.Get("follow")) || strings.Contains(r.URL.Path, "/watch/") {
		leave, err := d.s.enter()
		if err != nil {
			refuse(w, err)
			return
		}
		defer leave()
	}
	d.s.server.ServeHTTP(w, r)
}

func truth(s string) bool { return s == "1" || s == "true" }

// recovered answers for a handler that panicked.
func (s *sandbox) recovered(w http.ResponseWriter) {
	if r := recover(); r != nil {
		s.log("error", "fault", map[string]any{"message": fmt.Sprint(r)})
		refuse(w, apierrors.NewInternalError(fmt.Errorf("%v", r)))
	}
}

// enter counts a connection that lasts, until leave is called.
func (s *sandbox) enter() (leave func(), err error) {
	if most := s.config.Streams; most > 0 && s.streams >= most {
		return nil, apierrors.NewTooManyRequests(fmt.Sprintf("the sandbox is limited to %d watches, followed logs and other streams at once: end one first", most), 5)
	}
	s.streams++
	return sync.OnceFunc(func() { s.streams--; s.ring() }), nil
}

// refuse answers with an error of the API.
func refuse(w http.ResponseWriter, err error) {
	e := apierrors.From(err)
	status := e.ErrStatus
	data, _ := json.Marshal(e.Object())
	if d := status.Details; d != nil && d.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(d.RetryAfterSeconds))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	w.Write(data)
}

// mend joins what the library has split (it takes every comma for the end of a
// value), and leaves compression to the platform.
func mend(r *http.Request) {
	for k, v := range r.Header {
		if len(v) > 1 {
			r.Header[k] = []string{strings.Join(v, ",")}
		}
	}
	r.Header.Del("Accept-Encoding") // the platform compresses
	r.Host = r.URL.Host
}

func (d door) body(ctx context.Context, r *http.Request) ([]byte, error) {
	raw, ok := r.Body.(rawBodyOf)
	if !ok {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, bodyTime)
	defer cancel()
	v, err := jsvalue.Await(ctx, d.s.port.Call("body", raw.GetRawJSBody(), float64(d.s.config.Request)))
	switch {
	case err != nil:
		return nil, apierrors.NewBadRequest("the request's body could not be read: " + err.Error())
	case v.IsNull():
		return nil, apierrors.NewRequestEntityTooLarge(fmt.Sprintf("limit is %d", d.s.config.Request))
	}
	return jsvalue.Bytes(v), nil
}

// response is an http.ResponseWriter whose head leaves with the first Flush, or
// with the whole body when there is none.
type response struct {
	port   js.Value
	header http.Header
	code   int
	buf    bytes.Buffer
	stream js.Value // once the head has left
	body   js.Value // what the head takes along
	ready  chan struct{}
	cancel context.CancelFunc
	free   func()
	ended  bool
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(code int) {
	if w.code == 0 {
		w.code = code
	}
}

func (w *response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.stream.IsUndefined() {
		return w.buf.Write(b)
	}
	if len(b) == 0 {
		return 0, nil // a write of nothing stalls the platform's streams
	}
	// The platform's promise is kept when the client has taken the bytes.
	if _, err := jsvalue.Await(context.Background(), w.stream.Call("write", jsvalue.Array(b))); err != nil {
		w.cancel()
		return 0, err
	}
	return len(b), nil
}

// Flush implements http.Flusher.
func (w *response) Flush() {
	w.WriteHeader(http.StatusOK)
	if !w.stream.IsUndefined() {
		return
	}
	// The platform would gather what it compresses.
	w.header.Set("Content-Encoding", "identity")
	w.header.Set("Cache-Control", "no-cache, private, no-transform")
	gone := js.FuncOf(func(js.Value, []js.Value) any { w.cancel(); return nil })
	w.stream = w.port.Call("stream", gone)
	w.free = gone.Release
	w.body = w.stream.Get("readable")
	close(w.ready)
	first := w.buf.Bytes()
	if len(first) == 0 && strings.HasPrefix(w.header.Get("Content-Type"), "application/json") {
		first = []byte("\n") // the head travels with the first byte
	}
	if len(first) > 0 {
		w.Write(first)
	}
	w.buf = bytes.Buffer{}
}

// end sends what is left.
func (w *response) end() {
	if w.ended {
		return
	}
	w.ended = true
	w.WriteHeader(http.StatusOK)
	if w.stream.IsUndefined() {
		if w.buf.Len() > 0 {
			w.body = jsvalue.Array(w.buf.Bytes())
		}
		close(w.ready)
	} else {
		w.stream.Call("close") // and calls nothing any more
		w.free()
	}
	w.cancel()
}
