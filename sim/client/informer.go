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
	client *Client
	clock  *clock.Clock
	caches map[*api.Resource]*cache
}

// NewFactory returns a factory whose informers list and watch through c. Their
// watches are pinned: the store keeps what they have yet to read.
func NewFactory(c *Client, clk *clock.Clock) *Factory {
	return &Factory{client: c, clock: clk, caches: map[*api.Resource]*cache{}}
}

// Clock is the clock that informers are pumped by.
func (f *Factory) Clock() *clock.Clock { return f.clock }

// Informer caches the objects of one kind. The objects are shared and must not
// be changed.
type Informer[T metav1.Object] struct{ cache *cache }

// A cache is what an informer has. It does not know the objects' type, as a
// tree of its own for every kind's would make the program much bigger.
type cache struct {
	factory  *Factory
	res      *api.Resource
	objects  tree
	watch    rest.Watch
	handlers []func(old, obj metav1.Object)
	indexes  map[string]*index
	version  uint64
	pending  bool // the watch has something to read
	armed    bool // a pump timer is set
	draining bool
}

// A tree has objects by key.
type tree = btree.Map[string, metav1.Object]

type index struct {
	keys func(metav1.Object) []string
	sets map[string]*tree
}

// InformerFor returns the factory's informer of T's kind, made at the first call.
func InformerFor[T metav1.Object](f *Factory) *Informer[T] {
	return &Informer[T]{f.cache(resourceOf[T]())}
}

func (f *Factory) cache(res *api.Resource) *cache {
	c := f.caches[res]
	if c == nil {
		c = &cache{factory: f, res: res, indexes: map[string]*index{}}
		f.caches[res] = c
		c.relist()
	}
	return c
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

func (c *cache) path() string { return Path(c.res, "", "", "") }

// relist reads everything anew and opens a watch from there; handlers see the
// differences.
func (c *cache) relist() {
	resp, err := c.factory.client.Do(&rest.Request{Method: "GET", Path: c.path()})
	if err != nil {
		panic("informer of " + c.res.Plural + ": " + err.Error())
	}
	l := resp.Object.(*metav1.List)
	seen := make(map[string]bool, len(l.Items))
	for _, o := range l.Items {
		seen[Key(o)] = true
		c.apply(rest.Added, o)
	}
	var gone []metav1.Object
	c.objects.Scan(func(k string, o metav1.Object) bool {
		if !seen[k] {
			gone = append(gone, o)
		}
		return true
	})
	for _, o := range gone {
		c.apply(rest.Deleted, o)
	}
	resp, err = c.factory.client.Do(&rest.Request{Method: "GET", Path: c.path(),
		Header: rest.Header{"User-Agent": c.factory.client.userAgent, PinnedHeader: "true"},
		Query:  url.Values{"watch": {"true"}, "resourceVersion": {l.ResourceVersion}}})
	if err != nil {
		panic("informer of " + c.res.Plural + ": " + err.Error())
	}
	c.watch = resp.Watch
	c.watch.Notify(func() {
		c.pending = true
		if !c.armed && len(c.handlers) > 0 {
			c.armed = true
			c.factory.clock.After(0, "informer "+c.res.Plural, func() {
				c.armed = false
				c.drain()
			})
		}
	})
}

// PinnedHeader asks the server, inside the process only, to keep the changes
// that the watch has yet to read.
const PinnedHeader = "X-Kubonsai-Pinned"

// drain brings the cache up to date.
func (c *cache) drain() {
	if !c.pending || c.draining {
		return
	}
	c.draining = true
	defer func() { c.draining = false }()
	for {
		c.pending = false
		for {
			e, ok := c.watch.Next()
			if !ok {
				break
			}
			switch e.Type {
			case rest.Error:
				c.relist()
			case rest.Bookmark:
			default:
				c.apply(e.Type, e.Object.(metav1.Object))
			}
		}
		if !c.pending {
			return
		}
	}
}

func (c *cache) apply(t rest.EventType, obj metav1.Object) {
	c.version++
	key := Key(obj)
	old, had := c.objects.Get(key)
	if t == rest.Deleted {
		if !had {
			return
		}
		c.objects.Delete(key)
		for _, ix := range c.indexes {
			ix.remove(key, old)
		}
		for _, fn := range c.handlers {
			fn(obj, nil)
		}
		return
	}
	if had && old.GetObjectMeta().ResourceVersion == obj.GetObjectMeta().ResourceVersion {
		return
	}
	c.objects.Set(key, obj)
	for _, ix := range c.indexes {
		if had {
			ix.replace(key, old, obj)
		} else {
			ix.add(key, obj)
		}
	}
	for _, fn := range c.handlers {
		fn(old, obj)
	}
}

func (ix *index) add(key string, obj metav1.Object) {
	for _, v := range ix.keys(obj) {
		set := ix.sets[v]
		if set == nil {
			set = &tree{}
			ix.sets[v] = set
		}
		set.Set(key, obj)
	}
}

// replace is remove and add; most changes leave an object where it is.
func (ix *index) replace(key string, old, obj metav1.Object) {
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

func (ix *index) remove(key string, obj metav1.Object) {
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
	inf.cache.onChange(func(old, obj metav1.Object) {
		was, _ := old.(T)
		is, _ := obj.(T)
		fn(was, is)
	})
}

func (c *cache) onChange(fn func(old, obj metav1.Object)) {
	c.drain()
	c.handlers = append(c.handlers, fn)
	c.objects.Scan(func(_ string, o metav1.Object) bool {
		fn(nil, o)
		return true
	})
}

// AddIndex adds an index by the values that keys returns for an object; adding
// the same name again does nothing.
func (inf *Informer[T]) AddIndex(name string, keys func(T) []string) {
	inf.cache.addIndex(name, func(o metav1.Object) []string { return keys(o.(T)) })
}

func (c *cache) addIndex(name string, keys func(metav1.Object) []string) {
	if c.indexes[name] != nil {
		return
	}
	ix := &index{keys: keys, sets: map[string]*tree{}}
	c.indexes[name] = ix
	c.objects.Scan(func(k string, o metav1.Object) bool {
		ix.add(k, o)
		return true
	})
}

// Get returns the object, and whether there is one.
func (inf *Informer[T]) Get(namespace, name string) (T, bool) {
	if namespace != "" {
		name = namespace + "/" + name
	}
	return inf.ByKey(name)
}

// ByKey is Get by the object's key.
func (inf *Informer[T]) ByKey(key string) (T, bool) {
	inf.cache.drain()
	o, _ := inf.cache.objects.Get(key)
	obj, ok := o.(T)
	return obj, ok
}

// Scan calls fn for the objects of the namespace ("" is all), in order, until
// it returns false.
func (inf *Informer[T]) Scan(namespace string, fn func(T) bool) {
	inf.cache.scan(namespace, func(o metav1.Object) bool { return fn(o.(T)) })
}

func (c *cache) scan(namespace string, fn func(metav1.Object) bool) {
	c.drain()
	if namespace == "" {
		c.objects.Scan(func(_ string, o metav1.Object) bool { return fn(o) })
		return
	}
	prefix := namespace + "/"
	c.objects.Ascend(prefix, func(k string, o metav1.Object) bool {
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
	inf.cache.drain()
	set := inf.cache.indexes[name].sets[value]
	if set == nil {
		return nil
	}
	out := make([]T, 0, set.Len())
	set.Scan(func(_ string, o metav1.Object) bool {
		out = append(out, o.(T))
		return true
	})
	return out
}

// Version is another number after each change of the cache.
func (inf *Informer[T]) Version() uint64 { inf.cache.drain(); return inf.cache.version }

// Len is the number of objects in the cache.
func (inf *Informer[T]) Len() int { inf.cache.drain(); return inf.cache.objects.Len() }
