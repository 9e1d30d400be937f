// Events live for an hour after their last write, as with upstream's
// --event-ttl. Like etcd's leases they expire by the minute: many at once, and
// one timer for the earliest.

package apiserver

import (
	"sort"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/store"
)

const (
	eventsKey  = "events" // where they are stored
	eventTTL   = time.Hour
	leaseReuse = time.Minute // writes of one minute expire together
)

// lease is one write of an event; a later write has a lease of its own.
type lease struct {
	namespace, name string
	version         uint64
	due             int64 // seconds
}

// expiry removes old events.
type expiry struct {
	s      *Server
	leases []lease // by due time
	timer  *clock.Timer
}

// leaseEnd is the end of the lease of a write at t, in seconds.
func leaseEnd(t time.Time) int64 {
	const minute = int64(leaseReuse / time.Second)
	return (t.Unix()+int64(eventTTL/time.Second))/minute*minute + minute
}

// watch begins to follow the writes of events.
func (x *expiry) watch() {
	x.s.store.OnCommit(func(c store.Change) {
		if c.Key.Resource == eventsKey && c.Object != nil {
			x.add(c.Key, c.Revision, x.s.now())
			x.arm()
		}
	})
}

func (x *expiry) add(key store.Key, revision uint64, written time.Time) {
	x.leases = append(x.leases, lease{key.Namespace, key.Name, revision, leaseEnd(written)})
}

func (x *expiry) arm() {
	if len(x.leases) > 0 && !x.timer.Pending() {
		x.timer = x.s.clock.At(time.Unix(x.leases[0].due, 0).UTC(), "apiserver/event-ttl", x.expire)
	}
}

func (x *expiry) expire() {
	now := x.s.now().Unix()
	n := 0
	for n < len(x.leases) && x.leases[n].due <= now {
		l := x.leases[n]
		n++
		key := store.Key{Resource: eventsKey, Namespace: l.namespace, Name: l.name}
		if obj, err := x.s.store.Get(key); err == nil && store.RevisionOf(obj) == l.version {
			_ = x.s.store.Delete(key, obj, api.ShallowCopy(obj))
		}
	}
	x.leases = append([]lease(nil), x.leases[n:]...)
	x.arm()
}

// reload takes up the events of a restored store: when they were last written
// is what they say themselves.
func (x *expiry) reload() {
	x.leases = nil
	x.s.store.Scan(eventsKey, "", func(obj metav1.Object) bool {
		m := obj.GetObjectMeta()
		x.add(store.Key{Resource: eventsKey, Namespace: m.Namespace, Name: m.Name}, store.RevisionOf(obj), lastSeen(obj))
		return true
	})
	sort.SliceStable(x.leases, func(i, j int) bool { return x.leases[i].due < x.leases[j].due })
	x.arm()
}

func lastSeen(obj metav1.Object) time.Time {
	t := obj.GetObjectMeta().CreationTimestamp.Time
	later := func(o time.Time) {
		if o.After(t) {
			t = o
		}
	}
	if e, ok := obj.(*corev1.Event); ok {
		later(e.LastTimestamp.Time)
		if e.Series != nil {
			later(e.Series.LastObservedTime.Time)
		}
	}
	return t
}
