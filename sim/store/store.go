// Package store keeps the API's objects: one revision counter for all writes,
// compare-and-set, ordered lists over cheap snapshots, and a window of recent
// changes that watches read from. It plays the part of etcd and the API
// server's watch cache. Objects in it are immutable: a writer gives up the
// right to change what it puts in, a reader must copy before it changes.
//
// The store knows nothing of kinds, defaults or validation (package apiserver).
package store

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/tidwall/btree"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// The errors of the store. Callers compare with errors.Is.
var (
	ErrNotFound = errors.New("key not found")
	ErrExists   = errors.New("key exists already")
	ErrConflict = errors.New("revision does not match")
	ErrExpired  = errors.New("revision has been compacted")
	ErrFuture   = errors.New("revision is in the future")
)

// Key names one object. Resource is the plural with its group, "pods" or
// "deployments.apps"; Namespace is empty for cluster-scoped objects.
type Key struct{ Resource, Namespace, Name string }

func (k Key) String() string { return k.Resource + "/" + k.Namespace + "/" + k.Name }

// path orders objects within a resource as etcd's keys do.
func (k Key) path() string { return k.Namespace + "/" + k.Name }

// Change is one committed write. Prev is nil for a creation, Object is nil for
// a deletion; Last is then the object's final state, at the deletion's revision.
type Change struct {
	Revision     uint64
	Key          Key
	Prev, Object metav1.Object
	Last         metav1.Object
}

// Packed is an object in a smaller form, for resources that have very many.
type Packed interface {
	metav1.Object
	// Unpack returns an equal of the object that was packed, the caller's own.
	Unpack() metav1.Object
}

// DefaultWindow is how many changes of a resource a watch can look back on.
const DefaultWindow = 512

// maxSnapshots bounds the snapshots kept for paged lists, over all resources.
const maxSnapshots = 16

// Store is the object store. It is not safe for concurrent use: the simulation
// runs on one baton.
type Store struct {
	rev       uint64
	resources map[string]*resource
	window    int
	onCommit  []func(Change)
	snapshots []*Snapshot // of paged lists, oldest first
}

type resource struct {
	name     string
	objects  *btree.Map[string, metav1.Object]
	log      []Change // ascending revisions
	base     uint64   // sequence number of log[0]
	dropped  uint64   // revision of the newest change no longer in log
	watchers []*Watcher
	pack     func(metav1.Object) Packed // nil for most
}

// New returns an empty store at revision 1, as etcd begins.
func New() *Store {
	return &Store{rev: 1, resources: map[string]*resource{}, window: DefaultWindow}
}

// Close ends every watch: who waits on one is notified and finds it stopped.
func (s *Store) Close() {
	names := make([]string, 0, len(s.resources))
	for name := range s.resources {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, w := range append([]*Watcher(nil), s.resources[name].watchers...) {
			w.Stop()
			if w.notify != nil {
				w.notify()
			}
		}
	}
}

// SetWindow sets how many changes of each resource stay readable by watches.
func (s *Store) SetWindow(n int) { s.window = n }

// SetPacking makes the store keep the objects of a resource, those that are
// there included, as pack makes them smaller; pack returns nil for an object
// that is to stay as it is. Every read unpacks.
func (s *Store) SetPacking(resource string, pack func(metav1.Object) Packed) {
	r := s.resource(resource)
	r.pack = pack
	old := r.objects.Copy()
	old.Scan(func(path string, o metav1.Object) bool {
		r.put(path, o)
		return true
	})
}

// put keeps an object that has its revision.
func (r *resource) put(path string, obj metav1.Object) {
	if r.pack != nil {
		if p := r.pack(obj); p != nil {
			obj = p
		}
	}
	r.objects.Set(path, obj)
}

// unpacked is a kept object as readers see it.
func unpacked(o metav1.Object) metav1.Object {
	if p, ok := o.(Packed); ok {
		return p.Unpack()
	}
	return o
}

// same reports whether a kept object is the one that a reader got.
func (r *resource) same(kept, got metav1.Object) bool {
	if kept == got || r.pack == nil || got == nil {
		return kept == got
	}
	return RevisionOf(unpacked(kept)) == RevisionOf(got)
}

// Revision is the revision of the latest write.
func (s *Store) Revision() uint64 { return s.rev }

// OnCommit adds an observer that is called after each write (journals, change
// notices). It must not write to the store.
func (s *Store) OnCommit(fn func(Change)) { s.onCommit = append(s.onCommit, fn) }

func (s *Store) resource(name string) *resource {
	r := s.resources[name]
	if r == nil {
		r = &resource{name: name, objects: btree.NewMap[string, metav1.Object](32), dropped: s.rev}
		s.resources[name] = r
	}
	return r
}

// Get returns the object at key, or ErrNotFound.
func (s *Store) Get(key Key) (metav1.Object, error) {
	if r := s.resources[key.Resource]; r != nil {
		if o, ok := r.objects.Get(key.path()); ok {
			if r.pack != nil {
				o = unpacked(o)
			}
			return o, nil
		}
	}
	return nil, ErrNotFound
}

// Create adds the object and sets its resourceVersion; ErrExists if the key is taken.
func (s *Store) Create(key Key, obj metav1.Object) error {
	r, path := s.resource(key.Resource), key.path()
	if _, ok := r.objects.Get(path); ok {
		return ErrExists
	}
	key.Name = path[len(path)-len(key.Name):] // what is kept of the key shares the path's memory
	s.stamp(obj)
	r.put(path, obj)
	s.commit(r, Change{Revision: s.rev, Key: key, Object: obj})
	return nil
}

// Update replaces the object, which must still be the one that prev is (the
// pointer that Get returned), and sets its resourceVersion. ErrNotFound,
// ErrConflict.
func (s *Store) Update(key Key, prev, obj metav1.Object) error {
	r, path := s.resource(key.Resource), key.path()
	cur, ok := r.objects.Get(path)
	if !ok {
		return ErrNotFound
	}
	if !r.same(cur, prev) {
		return ErrConflict
	}
	s.stamp(obj)
	r.put(path, obj)
	s.commit(r, Change{Revision: s.rev, Key: key, Prev: prev, Object: obj})
	return nil
}

// Delete removes the object, which must still be prev. last is its final state
// as watchers see it (a copy of its own, whose resourceVersion is set here).
func (s *Store) Delete(key Key, prev, last metav1.Object) error {
	r, path := s.resource(key.Resource), key.path()
	cur, ok := r.objects.Get(path)
	if !ok {
		return ErrNotFound
	}
	if !r.same(cur, prev) {
		return ErrConflict
	}
	s.stamp(last)
	r.objects.Delete(path)
	s.commit(r, Change{Revision: s.rev, Key: key, Prev: prev, Last: last})
	return nil
}

func (s *Store) stamp(obj metav1.Object) {
	s.rev++
	obj.GetObjectMeta().ResourceVersion = strconv.FormatUint(s.rev, 10)
}

func (s *Store) commit(r *resource, c Change) {
	r.log = append(r.log, c)
	r.trim(s.window)
	for _, fn := range s.onCommit {
		fn(c)
	}
	for _, w := range r.watchers {
		w.poke(c)
	}
}

// trim forgets old changes, in large steps, but none that a pinned watcher has
// yet to read.
func (r *resource) trim(window int) {
	if len(r.log) < 2*window {
		return
	}
	keep := r.base + uint64(len(r.log)-window)
	for _, w := range r.watchers {
		if w.pinned && w.next < keep {
			keep = w.next
		}
	}
	n := int(keep - r.base)
	if n < window {
		return
	}
	r.dropped = r.log[n-1].Revision
	r.log = append(make([]Change, 0, max(2*window, len(r.log)-n)), r.log[n:]...)
	r.base = keep
}

// Snapshot is the objects of one resource at one revision.
type Snapshot struct {
	Resource string
	Revision uint64
	objects  *btree.Map[string, metav1.Object]
	packed   bool
}

// Snapshot returns the resource as it is now, at the store's revision. It costs
// nothing until the store is written to.
func (s *Store) Snapshot(resource string) *Snapshot {
	r := s.resource(resource)
	return &Snapshot{Resource: resource, Revision: s.rev, objects: r.objects.Copy(), packed: r.pack != nil}
}

// Keep remembers the snapshot for the next pages of a list; the oldest ones
// are forgotten.
func (s *Store) Keep(snap *Snapshot) {
	for _, o := range s.snapshots {
		if o == snap {
			return
		}
	}
	s.snapshots = append(s.snapshots, snap)
	if len(s.snapshots) > maxSnapshots {
		s.snapshots = append([]*Snapshot(nil), s.snapshots[1:]...)
	}
}

// Kept returns the snapshot of the resource at that revision, or ErrExpired.
func (s *Store) Kept(resource string, rev uint64) (*Snapshot, error) {
	for _, o := range s.snapshots {
		if o.Resource == resource && o.Revision == rev {
			return o, nil
		}
	}
	return nil, ErrExpired
}

// Ascend calls fn for the objects of the namespace ("" is all), ordered by
// namespace and name, beginning after the key after ("" is the first), until
// fn returns false. The key of each object is what after takes.
func (s *Snapshot) Ascend(namespace, after string, fn func(key string, obj metav1.Object) bool) {
	prefix := ""
	if namespace != "" {
		prefix = namespace + "/"
	}
	start := prefix
	if after > start {
		start = after
	}
	s.objects.Ascend(start, func(k string, o metav1.Object) bool {
		if !strings.HasPrefix(k, prefix) {
			return false
		}
		if after != "" && k <= after {
			return true
		}
		if s.packed {
			o = unpacked(o)
		}
		return fn(k, o)
	})
}

// Len is the number of objects in all namespaces.
func (s *Snapshot) Len() int { return s.objects.Len() }

// Count is the number of objects of a resource in all namespaces.
func (s *Store) Count(resource string) int {
	if r := s.resources[resource]; r != nil {
		return r.objects.Len()
	}
	return 0
}

// Scan calls fn for the objects of a resource as they are now, like
// Snapshot.Ascend; fn must not write to the store.
func (s *Store) Scan(resource, namespace string, fn func(obj metav1.Object) bool) {
	r := s.resources[resource]
	if r == nil {
		return
	}
	prefix := ""
	if namespace != "" {
		prefix = namespace + "/"
	}
	r.objects.Ascend(prefix, func(k string, o metav1.Object) bool {
		if !strings.HasPrefix(k, prefix) {
			return false
		}
		if r.pack != nil {
			o = unpacked(o)
		}
		return fn(o)
	})
}

// Resources lists the resources that have or had objects, sorted.
func (s *Store) Resources() []string {
	out := make([]string, 0, len(s.resources))
	for n := range s.resources {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// Restore fills an empty store with objects that carry their resourceVersions
// and sets its revision. Watches cannot look back before it.
func (s *Store) Restore(revision uint64, objects map[Key]metav1.Object) error {
	if len(s.resources) != 0 {
		return fmt.Errorf("store: restore into a store that is in use")
	}
	s.rev = revision
	for k, o := range objects {
		s.resource(k.Resource).objects.Set(k.path(), o)
	}
	for _, r := range s.resources {
		r.dropped = revision
	}
	return nil
}
