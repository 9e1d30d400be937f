// This file watches: the objects there are, then what happens to them, as a
// client with these selectors sees it. An object that begins to match is ADDED,
// one that no longer does is DELETED.

package apiserver

import (
	"strconv"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/store"
)

// PinnedHeader, with any value, makes the store keep changes until the watch
// has read them, so that it never expires. It is for actors in the process that
// are sure to read; an abandoned pinned watch costs memory without bound.
const PinnedHeader = "X-Kubonsai-Pinned"

func (c *call) watch() (*rest.Response, error) {
	l, err := c.readListing(true)
	if err != nil {
		return nil, err
	}
	w := &watch{s: c.s, l: l, form: c.form, kind: c.kind}
	from := c.s.store.Revision()
	initial := l.sendInitialEvents == nil && (l.resourceVersion == "" || l.resourceVersion == "0") ||
		l.sendInitialEvents != nil && *l.sendInitialEvents
	if rv := l.resourceVersion; rv != "" && rv != "0" {
		n, err := parseRevision(rv)
		if err != nil {
			return nil, err
		}
		if n > from && initial {
			return nil, apierrors.NewTooLargeResourceVersion(n, from, 1)
		}
		if !initial {
			from = min(n, from)
		}
	}
	options := store.WatchOptions{Namespace: l.namespace, Name: l.name, From: from, Pinned: c.req.Header.Get(PinnedHeader) != ""}
	if w.log, err = c.s.store.Watch(c.kind.Key, options); err != nil {
		return nil, c.s.tooOld(from)
	}
	w.asked = from
	if initial {
		c.s.store.Scan(c.kind.Key, l.namespace, func(obj metav1.Object) bool {
			if l.matches(obj) {
				w.initial = append(w.initial, obj)
			}
			return true
		})
		w.mark = l.sendInitialEvents != nil && l.bookmarks
	}
	if l.timeout > 0 {
		w.timer = c.s.clock.After(l.timeout, "apiserver/watch-timeout", w.timeOut)
	}
	return &rest.Response{Code: 200, Watch: w}, nil
}

// tooOld is the error of a watch that begins before the log does.
func (s *Server) tooOld(asked uint64) error {
	return apierrors.NewTooOldResourceVersion(asked, s.store.Revision())
}

// watch implements rest.Watch.
type watch struct {
	s       *Server
	l       *listing
	kind    *Kind
	form    form
	log     *store.Watcher
	asked   uint64
	initial []metav1.Object // yet to be sent as ADDED
	mark    bool            // a bookmark follows the initial objects
	headed  bool            // table columns have been sent
	timer   *clock.Timer
	expired bool // the timeout has passed
	done    bool
	notify  func()
}

// Next implements rest.Watch.
func (w *watch) Next() (rest.Event, bool) {
	if w.done {
		return rest.Event{}, false
	}
	if len(w.initial) > 0 {
		obj := w.initial[0]
		w.initial[0], w.initial = nil, w.initial[1:]
		return w.event(rest.Added, obj), true
	}
	if w.mark {
		w.mark = false
		return w.bookmark(true), true
	}
	for {
		if w.log.Stopped() { // the store has been closed
			w.end()
			return rest.Event{}, false
		}
		c, ok, err := w.log.Next()
		if err != nil {
			w.end()
			return rest.Event{Type: rest.Error, Object: apierrors.From(w.s.tooOld(w.asked)).Object()}, true
		}
		if !ok {
			break
		}
		w.asked = c.Revision
		if e, ok := w.convert(c); ok {
			return e, true
		}
	}
	if w.expired {
		w.end()
		if w.l.bookmarks {
			return w.bookmark(false), true
		}
	}
	return rest.Event{}, false
}

// convert turns a change of the store into what this watch shows of it.
func (w *watch) convert(c store.Change) (rest.Event, bool) {
	before := c.Prev != nil && w.l.matches(c.Prev)
	after := c.Object != nil && w.l.matches(c.Object)
	switch {
	case c.Object == nil:
		if before {
			return w.event(rest.Deleted, c.Last), true
		}
	case before && after:
		return w.event(rest.Modified, c.Object), true
	case after:
		return w.event(rest.Added, c.Object), true
	case before:
		last := api.ShallowCopy(c.Prev)
		last.GetObjectMeta().ResourceVersion = c.Object.GetObjectMeta().ResourceVersion
		return w.event(rest.Deleted, last), true
	}
	return rest.Event{}, false
}

func (w *watch) event(t rest.EventType, obj metav1.Object) rest.Event {
	obj = w.kind.external(obj)
	switch w.form.as {
	case asTable:
		table := w.kind.table([]metav1.Object{obj}, w.form, w.s.now(), !w.headed)
		table.ResourceVersion = obj.GetObjectMeta().ResourceVersion
		w.headed = true
		return rest.Event{Type: t, Object: table}
	case asPartial:
		return rest.Event{Type: t, Object: partial(obj, w.form.version)}
	}
	return rest.Event{Type: t, Object: obj}
}

// bookmark tells how far the watch is.
func (w *watch) bookmark(initial bool) rest.Event {
	obj := w.kind.New()
	setKind(obj, w.kind.Resource)
	m := obj.GetObjectMeta()
	m.ResourceVersion = strconv.FormatUint(max(w.asked, 1), 10)
	if initial {
		m.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	}
	if w.form.as == asPartial {
		return rest.Event{Type: rest.Bookmark, Object: partial(obj, w.form.version)}
	}
	if w.form.as == asTable {
		return w.event(rest.Bookmark, obj)
	}
	return rest.Event{Type: rest.Bookmark, Object: obj}
}

// Bookmark implements rest.Bookmarker.
func (w *watch) Bookmark() (rest.Event, bool) {
	if w.done || w.expired || !w.l.bookmarks || len(w.initial) > 0 || w.mark {
		return rest.Event{}, false
	}
	w.asked = max(w.asked, w.s.store.Revision())
	return w.bookmark(false), true
}

func (w *watch) timeOut() {
	w.expired = true
	if w.notify != nil {
		w.notify()
	}
}

// Done implements rest.Watch.
func (w *watch) Done() bool { return w.done }

// Notify implements rest.Watch.
func (w *watch) Notify(fn func()) {
	w.notify = fn
	w.log.Notify(fn)
	if fn != nil && (len(w.initial) > 0 || w.mark || w.expired) && !w.done {
		fn()
	}
}

// Stop implements rest.Watch.
func (w *watch) Stop() {
	w.end()
	w.initial, w.mark = nil, false
}

func (w *watch) end() {
	w.done = true
	w.log.Stop()
	w.timer.Stop()
}
