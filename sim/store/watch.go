// Watches read the log of recent changes through a cursor of their own; nothing
// is queued per watcher, so a slow one costs no memory: once the log has moved
// past its cursor it is told that its revision expired, as upstream does.

package store

import (
	"sort"
	"strconv"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// WatchOptions choose what a watcher sees.
type WatchOptions struct {
	Namespace string // "" is all
	Name      string // "" is all
	From      uint64 // changes after this revision
	Pinned    bool   // the log is kept until this watcher has read it; for actors inside the process
}

// Watcher is an open watch on one resource.
type Watcher struct {
	store   *Store
	res     *resource
	opts    WatchOptions
	pinned  bool
	next    uint64 // sequence number in the log
	notify  func()
	poked   bool
	stopped bool
}

// Watch opens a watch on the changes after opts.From. ErrExpired when they are
// no longer known, ErrFuture when the store has not reached that revision.
func (s *Store) Watch(resource string, opts WatchOptions) (*Watcher, error) {
	r := s.resource(resource)
	if opts.From > s.rev {
		return nil, ErrFuture
	}
	if opts.From < r.dropped {
		return nil, ErrExpired
	}
	i := sort.Search(len(r.log), func(i int) bool { return r.log[i].Revision > opts.From })
	w := &Watcher{store: s, res: r, opts: opts, pinned: opts.Pinned, next: r.base + uint64(i)}
	r.watchers = append(r.watchers, w)
	return w, nil
}

// Next returns the next change this watcher may see. ok is false when there is
// none now; err is ErrExpired when the log has moved past it, and the watch is over.
func (w *Watcher) Next() (c Change, ok bool, err error) {
	w.poked = false
	if w.stopped {
		return Change{}, false, nil
	}
	if w.next < w.res.base {
		w.Stop()
		return Change{}, false, ErrExpired
	}
	for i := int(w.next - w.res.base); i < len(w.res.log); i++ {
		w.next++
		if c := w.res.log[i]; w.sees(c) {
			return c, true, nil
		}
	}
	return Change{}, false, nil
}

func (w *Watcher) sees(c Change) bool {
	return (w.opts.Namespace == "" || w.opts.Namespace == c.Key.Namespace) &&
		(w.opts.Name == "" || w.opts.Name == c.Key.Name)
}

// Notify sets what is called when there is a change to read after Next had said
// that there was none. fn must not read the watcher or write to the store.
func (w *Watcher) Notify(fn func()) {
	w.notify = fn
	if fn != nil && !w.stopped && w.next < w.res.base+uint64(len(w.res.log)) {
		w.poked = true
		fn()
	}
}

func (w *Watcher) poke(c Change) {
	if w.poked || w.notify == nil || !w.sees(c) {
		return
	}
	w.poked = true
	w.notify()
}

// Stop ends the watch. Stopping twice is allowed.
func (w *Watcher) Stop() {
	if w.stopped {
		return
	}
	w.stopped = true
	for i, o := range w.res.watchers {
		if o == w {
			w.res.watchers = append(w.res.watchers[:i:i], w.res.watchers[i+1:]...)
			break
		}
	}
}

// Stopped reports whether the watch has ended.
func (w *Watcher) Stopped() bool { return w.stopped }

// RevisionOf is the object's resourceVersion as a number; 0 when it has none.
func RevisionOf(o metav1.Object) uint64 {
	n, _ := strconv.ParseUint(o.GetObjectMeta().ResourceVersion, 10, 64)
	return n
}
