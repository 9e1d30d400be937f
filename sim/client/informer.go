// Informers: a local, ordered, indexed cache of one resource per cluster, kept
// up to date by one watch and shared by all actors. A cache is drained before
// it is read, so nobody ever sees a stale one; the latency between cause and
// effect belongs to the work queues.

package client

import (
	"net/url"
	"slices"

	"github.com/tidwall/btree"

	"github.com/kubonsai/kubonsai/sim/api"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Factory makes the shared informers of one cluster.
type Factory struct {
	client    *Client
	clock     *clock.Clock
	informers map[*api.Resource]any
}

// NewFactory returns a factory whose informers list and watch through c. Their
// watches are pinned: the store keeps what they have yet to read.
func NewFactory(c *Client, clk *clock.Clock) *Factory {
	return &Factory{client: c, clock: clk, informers: map[*api.Resource]any{}}
}

// Clock is the clock that informers are pumped by.
func (f *Factory) Clock() *clock.Clock { return f.clock }

// Informer caches the objects of one kind. The objects are shared and must not
// be changed.
type Informer[T metav1.Object] struct {
	factory  *Factory
	res      *api.Resource
	objects  btree.Map[string, T]
	watch    rest.Watch
	handlers []func(old, obj T)
	indexes  map[string]*index[T]
	version  uint64
	pending  bool // the watch has something to read
	armed    bool // a pump timer is set
	draining bool
}

type index[T metav1.Object] struct {
	keys func(T) []string
	sets map[string]*btree.Map[string, T]
}

// InformerFor returns the factory's informer of T's kind, made at the first call.
func InformerFor[T metav1.Object](f *Factory) *Informer[T] {
	res := resourceOf[T]()
	if inf, ok := f.informers[res]; ok {
		return inf.(*Informer[T])
	}
	inf := &Informer[T]{factory: f, res: res, indexes: map[string]*index[T]{}}
	f.informers[res] = inf
	inf.relist()
	return inf
}

// Key is an object's key in queues and caches: "namespace/name", or "name" for
// cluster-scoped objects.
func Key(o metav1.Object) string {
	m := o.GetObjectMeta()
	if m.Namespace == "" {
		return m.Name
	}
	return m.Namespace + "/" + m.Name
}

// SplitKey undoes Key.
func SplitKey(key string) (namespace, name string) {
	for i := 0; i < len(key); i++ {
		if key[i] == '/' {
			return key[:i], key[i+1:]
		}
	}
	return "", key
}

func (inf *Informer[T]) path() string { return Path(inf.res, "", "", "") }

// relist reads everything anew and opens a watch from there; handlers see the
// differences.
func (inf *Informer[T]) relist() {
	resp, err := inf.factory.client.Do(&rest.Request{Method: "GET", Path: inf.path()})
	if err != nil {
		panic("informer of " + inf.res.Plural + ": " + err.Error())
	}
	l := resp.Object.(*metav1.List)
	seen := make(map[string]bool, len(l.Items))
	for _, o := range l.Items {
		obj := o.(T)
		seen[Key(obj)] = true
		inf.apply(rest.Added, obj)
	}
	var gone []T
	inf.objects.Scan(func(k string, o T) bool {
		if !seen[k] {
			gone = append(gone, o)
		}
		return true
	})
	for _, o := range gone {
		inf.apply(rest.Deleted, o)
	}
	resp, err = inf.factory.client.Do(&rest.Request{Method: "GET", Path: inf.path(),
		Header: rest.Header{"User-Agent": inf.factory.client.userAgent, PinnedHeader: "true"},
		Query:  url.Values{"watch": {"true"}, "resourceVersion": {l.ResourceVersion}}})
	if err != nil {
		panic("informer of " + inf.res.Plural + ": " + err.Error())
	}
	inf.watch = resp.Watch
	inf.watch.Notify(func() {
		inf.pending = true
		if !inf.armed && len(inf.handlers) > 0 {
			inf.armed = true
			inf.factory.clock.After(0, "informer "+inf.res.Plural, func() {
				inf.armed = false
				inf.drain()
			})
		}
	})
}

// PinnedHeader asks the server, inside the process only, to keep the changes
// that the watch has yet to read.
const PinnedHeader = "X-Kubonsai-Pinned"

// drain brings the cache up to date.
func (inf *Informer[T]) drain() {
	if !inf.pending || inf.draining {
		return
	}
	inf.draining = true
	defer func() { inf.draining = false }()
	for {
		inf.pending = false
		for {
			e, ok := inf.watch.Next()
			if !ok {
				break
			}
			switch e.Type {
			case rest.Error:
				inf.relist()
			case rest.Bookmark:
			default:
				inf.apply(e.Type, e.Object.(T))
			}
		}
		if !inf.pending {
			return
		}
	}
}

func (inf *Informer[T]) apply(t rest.EventType, obj T) {
	inf.version++
	key := Key(obj)
	old, had := inf.objects.Get(key)
	var none T
	if t == rest.Deleted {
		if !had {
			return
		}
		inf.objects.Delete(key)
		for _, ix := range inf.indexes {
			ix.remove(key, old)
		}
		for _, fn := range inf.handlers {
			fn(obj, none)
		}
		return
	}
	if had && old.GetObjectMeta().ResourceVersion == obj.GetObjectMeta().ResourceVersion {
		return
	}
	inf.objects.Set(key, obj)
	for _, ix := range inf.indexes {
		if had {
			ix.replace(key, old, obj)
		} else {
			ix.add(key, obj)
		}
	}
	for _, fn := range inf.handlers {
		fn(old, obj)
	}
}

func (ix *index[T]) add(key string, obj T) {
	for _, v := range ix.keys(obj) {
		set := ix.sets[v]
		if set == nil {
			set = &btree.Map[string, T]{}
			ix.sets[v] = set
		}
		set.Set(key, obj)
	}
}

// replace is remove and add; most changes leave an object where it is.
func (ix *index[T]) replace(key string, old, obj T) {
	keys := ix.keys(obj)
	if slices.Equal(ix.keys(old), keys) {
		for _, v := range keys {
			ix.sets[v].Set(key, obj)
		}
		return
	}
	ix.remove(key, old)
	ix.add(key, obj)
}

func (ix *index[T]) remove(key string, obj T) {
	for _, v := range ix.keys(obj) {
		if set := ix.sets[v]; set != nil {
			set.Delete(key)
			if set.Len() == 0 {
				delete(ix.sets, v)
			}
		}
	}
}

// OnChange adds a handler: old is the zero T for a new object, obj for a
// deleted one (old is then its final state). It is called at once for every
// object in the cache. Handlers should do no more than add keys to queues.
func (inf *Informer[T]) OnChange(fn func(old, obj T)) {
	inf.drain()
	inf.handlers = append(inf.handlers, fn)
	var none T
	inf.objects.Scan(func(_ string, o T) bool {
		fn(none, o)
		return true
	})
}

// AddIndex adds an index by the values that keys returns for an object; adding
// the same name again does nothing.
func (inf *Informer[T]) AddIndex(name string, keys func(T) []string) {
	if inf.indexes[name] != nil {
		return
	}
	ix := &index[T]{keys: keys, sets: map[string]*btree.Map[string, T]{}}
	inf.indexes[name] = ix
	inf.objects.Scan(func(k string, o T) bool {
		ix.add(k, o)
		return true
	})
}

// Get returns the object, and whether there is one.
func (inf *Informer[T]) Get(namespace, name string) (T, bool) {
	inf.drain()
	if namespace != "" {
		name = namespace + "/" + name
	}
	return inf.objects.Get(name)
}

// ByKey is Get by the object's key.
func (inf *Informer[T]) ByKey(key string) (T, bool) {
	inf.drain()
	return inf.objects.Get(key)
}

// Scan calls fn for the objects of the namespace ("" is all), in order, until
// it returns false.
func (inf *Informer[T]) Scan(namespace string, fn func(T) bool) {
	inf.drain()
	if namespace == "" {
		inf.objects.Scan(func(_ string, o T) bool { return fn(o) })
		return
	}
	prefix := namespace + "/"
	inf.objects.Ascend(prefix, func(k string, o T) bool {
		return len(k) >= len(prefix) && k[:len(prefix)] == prefix && fn(o)
	})
}

// List returns the objects of the namespace ("" is all) that match the
// selector (nil is all), in order.
func (inf *Informer[T]) List(namespace string, sel labels.Selector) []T {
	var out []T
	inf.Scan(namespace, func(o T) bool {
		if sel == nil || sel.Matches(labels.Set(o.GetObjectMeta().Labels)) {
			out = append(out, o)
		}
		return true
	})
	return out
}

// ByIndex returns the objects with that value in the index, in order.
func (inf *Informer[T]) ByIndex(name, value string) []T {
	inf.drain()
	set := inf.indexes[name].sets[value]
	if set == nil {
		return nil
	}
	return set.Values()
}

// Version is another number after each change of the cache.
func (inf *Informer[T]) Version() uint64 { inf.drain(); return inf.version }

// Len is the number of objects in the cache.
func (inf *Informer[T]) Len() int { inf.drain(); return inf.objects.Len() }
