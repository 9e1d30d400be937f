// Objects as JSON, remembered: a list is written object by object, and an event
// that a hundred watchers see is encoded once.

package httpserver

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"sync"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/rest"
)

const (
	// maxEncoded is how much JSON is remembered, in bytes.
	maxEncoded = 64 << 20
	// eventsAtOnce is how many events a watch takes while it holds the cluster.
	eventsAtOnce = 100
)

// encodings remember the JSON of objects, which never change. When there is no
// room, what is there stays until it has hardly been of use for a while, so that
// a list longer than the room is served in part.
type encodings struct {
	mu     sync.Mutex
	known  map[metav1.Object]*encoding
	size   int
	missed int // since the last time that room was made
}

// encoding is made by the first who asks; the others wait for it.
type encoding struct {
	once sync.Once
	data []byte
	err  error
}

func (c *encodings) object(obj metav1.Object) ([]byte, error) {
	if _, ok := obj.(*metav1.PartialObjectMetadata); ok { // made for one answer
		return apiserver.EncodeObject(obj)
	}
	c.mu.Lock()
	e := c.known[obj]
	if e == nil {
		e = &encoding{}
		if c.missed++; c.known == nil || c.missed > 4*len(c.known)+1000 {
			c.known, c.size, c.missed = map[metav1.Object]*encoding{}, 0, 0
		}
		if c.size < maxEncoded {
			c.known[obj] = e
		}
	}
	c.mu.Unlock()
	e.once.Do(func() {
		e.data, e.err = apiserver.EncodeObject(obj)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.known[obj] == e {
			c.size += len(e.data)
		}
	})
	return e.data, e.err
}

// event is one line of a watch.
func (c *encodings) event(e rest.Event) ([]byte, error) {
	obj, ok := e.Object.(metav1.Object)
	if !ok || e.Type == rest.Bookmark || e.Type == rest.Error {
		return apiserver.EncodeWatchEvent(e)
	}
	data, err := c.object(obj)
	if err != nil {
		return nil, err
	}
	return apiserver.EncodeEvent(e.Type, data), nil
}

// writeList sends a list as it is encoded, compressed if it is long and the
// client takes that.
func (h *Server) writeList(w http.ResponseWriter, r *http.Request, contentType string, resp *rest.Response) {
	list := resp.Object.(*metav1.List)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-cache, private")
	out := &zipping{w: w, code: resp.Code, zip: strings.Contains(strings.Join(r.Header.Values("Accept-Encoding"), ","), "gzip")}
	buffered := bufio.NewWriterSize(out, gzipFrom) // what is shorter is sent plain
	err := apiserver.WriteList(buffered, list, h.encoded.object)
	if err == nil && !out.begun {
		out.zip = false
	}
	if err == nil {
		err = buffered.Flush()
	}
	switch {
	case err == nil:
		err = out.close()
	case !out.begun:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err != nil {
		panic(http.ErrAbortHandler) // the client must not take what it has for the whole
	}
}

// zipping writes an answer's head with the first bytes of its body.
type zipping struct {
	w     http.ResponseWriter
	code  int
	zip   bool
	begun bool
	body  io.WriteCloser
}

func (z *zipping) Write(b []byte) (int, error) {
	if !z.begun {
		z.begun = true
		if z.zip {
			z.w.Header().Set("Content-Encoding", "gzip")
			z.w.Header().Add("Vary", "Accept-Encoding")
			z.body, _ = gzip.NewWriterLevel(z.w, gzip.BestSpeed)
		}
		z.w.WriteHeader(z.code)
	}
	if z.body != nil {
		return z.body.Write(b)
	}
	return z.w.Write(b)
}

func (z *zipping) close() error {
	if z.body != nil {
		return z.body.Close()
	}
	return nil
}
