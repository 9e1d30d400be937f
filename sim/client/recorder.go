// The event recorder: what client-go's two recorders do. The older one, which
// controllers and kubelets use, counts repetitions in place, combines similar
// messages and drops what one object says too often; the newer one, which the
// scheduler uses, opens a series. Behaviour after client-go's
// tools/record/events_cache.go and tools/events/event_broadcaster.go.

package client

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/clock"
)

// The correlator's limits, as upstream's defaults.
const (
	similarLimit    = 10 // different messages of one reason before they are combined
	similarInterval = 10 * time.Minute
	spamBurst       = 25 // events of one source about one object …
	spamRefill      = 5 * time.Minute
	seriesInterval  = 6 * time.Minute
	recorderEntries = 4096
)

// Recorder writes events about objects on behalf of one component.
type Recorder struct {
	client    *Client
	clock     *clock.Clock
	component string
	host      string
	last      time.Time // of the latest event name, so that names stay unique
	seen      map[digest]seenEvent
	similar   map[digest]similarEvents
	spam      map[digest]bucket
	series    map[digest]seriesEvent
}

// digest stands for the fields of an event that make it the same as another:
// the texts themselves would take more room than the events.
type digest struct{ a, b uint64 }

// The two halves are FNV-1a with different primes.
const (
	digestBasis  = 14695981039346656037
	digestPrimeA = 1099511628211
	digestPrimeB = 0x9e3779b97f4a7c15
)

// with is the digest of what d stands for followed by more fields.
func (d digest) with(fields ...string) digest {
	for _, f := range fields {
		for i := 0; i < len(f); i++ {
			d.a = (d.a ^ uint64(f[i])) * digestPrimeA
			d.b = (d.b ^ uint64(f[i])) * digestPrimeB
		}
		d.a = (d.a ^ 0x100) * digestPrimeA // the end of a field is not a byte
		d.b = (d.b ^ 0x100) * digestPrimeB
		d.b ^= d.b >> 29
	}
	return d
}

// seenEvent is an event that was written: the number in its name (see
// eventName) and how often it happened. There are as many as events, so times
// are kept as nanoseconds.
type seenEvent struct {
	number int64
	count  int32
}

type seriesEvent struct {
	seenEvent
	at int64
}

// similarEvents are the different messages of one reason, oldest first.
type similarEvents struct {
	last  int64 // nanoseconds
	first uint64
	more  *[]uint64 // nil for most
}

// tooMany notes the digest of a message and reports whether there are so many that they are
// to be combined.
func (s *similarEvents) tooMany(message uint64) bool {
	switch {
	case s.last == 0:
		s.first = message
		return false
	case s.first == message:
		return false
	case s.more == nil:
		s.more = new([]uint64)
	case slices.Contains(*s.more, message):
		return false
	}
	more := append(*s.more, message)
	many := 1+len(more) >= similarLimit
	if many { // keep the list from growing; any one will do
		s.first, more = more[0], slices.Delete(more, 0, 1)
	}
	*s.more = more
	return many
}

type bucket struct {
	tokens float64
	last   int64 // nanoseconds
}

// NewRecorder returns a recorder for a component ("replicaset-controller");
// host is the node's name for kubelets, else "".
func NewRecorder(c *Client, clk *clock.Clock, component, host string) *Recorder {
	return &Recorder{client: c, clock: clk, component: component, host: host,
		seen: map[digest]seenEvent{}, similar: map[digest]similarEvents{},
		spam: map[digest]bucket{}, series: map[digest]seriesEvent{}}
}

// ObjectReference refers to an object as events do.
func ObjectReference(obj metav1.Object) corev1.ObjectReference {
	m := obj.GetObjectMeta()
	gvk := obj.GetTypeMeta().GroupVersionKind()
	if gvk.Empty() {
		if r := api.Of(obj); r != nil {
			gvk = r.GroupVersionKind()
		}
	}
	av, kind := gvk.ToAPIVersionAndKind()
	return corev1.ObjectReference{Kind: kind, APIVersion: av, Namespace: m.Namespace, Name: m.Name,
		UID: m.UID, ResourceVersion: m.ResourceVersion}
}

// Eventf records an event about obj. eventType is "Normal" or "Warning".
func (r *Recorder) Eventf(obj metav1.Object, eventType, reason, format string, args ...any) {
	r.EventAt(ObjectReference(obj), eventType, reason, fmt.Sprintf(format, args...))
}

// EventAt records an event about what ref refers to (its FieldPath names a
// container).
func (r *Recorder) EventAt(ref corev1.ObjectReference, eventType, reason, message string) {
	now := r.clock.Now()
	about := digest{digestBasis, digestBasis}.with(ref.Kind, ref.Namespace, ref.Name, string(ref.UID), ref.APIVersion)
	group := about.with(eventType, reason)
	text := digest{digestBasis, digestBasis}.with(message)

	key := group.with(ref.FieldPath, message)
	sim, ok := r.similar[group]
	if !ok || now.UnixNano()-sim.last > int64(similarInterval) {
		bound(r.similar)
		sim = similarEvents{}
	}
	many := sim.tooMany(text.a)
	sim.last = now.UnixNano()
	r.similar[group] = sim
	if many {
		message = "(combined from similar events): " + message
		key = group
	}

	if !r.allow(about) {
		return
	}
	if old, ok := r.seen[key]; ok {
		old.count++
		r.seen[key] = old
		if r.change(ref, old, func(ev *corev1.Event) {
			ev.Count, ev.LastTimestamp, ev.Message = old.count, metav1.NewTime(now), message
		}) {
			return
		}
		delete(r.seen, key) // it has expired
	}
	ev, number := r.event(ref, eventType, reason, message)
	ev.FirstTimestamp, ev.LastTimestamp, ev.Count = metav1.NewTime(now), metav1.NewTime(now), 1
	ev.Source = corev1.EventSource{Component: r.component, Host: r.host}
	ev.ReportingController, ev.ReportingInstance = r.component, r.host
	if r.create(ev) == nil {
		bound(r.seen)
		r.seen[key] = seenEvent{number: number, count: 1}
	}
}

// SeriesEvent records an event in the newer form, with an action; the same
// reason about the same object within minutes becomes a series.
func (r *Recorder) SeriesEvent(obj metav1.Object, eventType, reason, action, message string) {
	now := r.clock.Now()
	ref := ObjectReference(obj)
	key := digest{digestBasis, digestBasis}.with(ref.Kind, ref.Namespace, ref.Name, string(ref.UID), eventType, reason, action)
	if old, ok := r.series[key]; ok && now.UnixNano()-old.at < int64(seriesInterval) {
		old.at = now.UnixNano()
		old.count++
		r.series[key] = old
		if old.count > 2 {
			return // upstream writes later counts when the series ends
		}
		if r.change(ref, old.seenEvent, func(ev *corev1.Event) {
			ev.Series = &corev1.EventSeries{Count: old.count, LastObservedTime: metav1.NewMicroTime(now)}
		}) {
			return
		}
	}
	ev, number := r.event(ref, eventType, reason, message)
	ev.EventTime = metav1.NewMicroTime(now)
	ev.Action = action
	ev.ReportingController = r.component
	ev.ReportingInstance = r.host
	if ev.ReportingInstance == "" {
		ev.ReportingInstance = r.component
	}
	if r.create(ev) == nil {
		bound(r.series)
		r.series[key] = seriesEvent{seenEvent{number: number, count: 1}, now.UnixNano()}
	}
}

func (r *Recorder) create(ev *corev1.Event) error {
	_, err := CreateGiven(r.client, ev)
	return err
}

// change edits an event about ref that was written before; false if that is not
// there any more.
func (r *Recorder) change(ref corev1.ObjectReference, e seenEvent, edit func(*corev1.Event)) bool {
	cur, err := Get[*corev1.Event](r.client, eventNamespace(ref), eventName(ref, e.number))
	if err != nil {
		return false
	}
	ev := *cur
	edit(&ev)
	_, err = UpdateGiven(r.client, &ev)
	return err == nil
}

func eventNamespace(ref corev1.ObjectReference) string {
	if ref.Namespace == "" {
		return "default"
	}
	return ref.Namespace
}

func eventName(ref corev1.ObjectReference, number int64) string {
	return ref.Name + "." + strconv.FormatInt(number, 16)
}

// event is an event about ref with a name of its own, and the number in that.
func (r *Recorder) event(ref corev1.ObjectReference, eventType, reason, message string) (*corev1.Event, int64) {
	at := r.clock.Now()
	if !at.After(r.last) {
		at = r.last.Add(1)
	}
	r.last = at
	ev := &corev1.Event{InvolvedObject: ref, Type: eventType, Reason: reason, Message: message}
	ev.APIVersion, ev.Kind = "v1", "Event"
	ev.Namespace = eventNamespace(ref)
	// Two components may speak of one object at one moment.
	salt := digest{}.with(r.component, r.host).a % 1000
	number := at.UnixNano() + int64(salt)
	ev.Name = eventName(ref, number)
	return ev, number
}

// allow takes a token from the bucket of one source and object.
func (r *Recorder) allow(key digest) bool {
	now := r.clock.Now().UnixNano()
	b, ok := r.spam[key]
	if !ok {
		bound(r.spam)
		b = bucket{tokens: spamBurst, last: now}
	}
	b.tokens = min(spamBurst, b.tokens+time.Duration(now-b.last).Seconds()/spamRefill.Seconds())
	b.last = now
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
	}
	r.spam[key] = b
	return allowed
}

// bound empties a cache that has grown too large; what is forgotten merely
// starts counting anew.
func bound[V any](m map[digest]V) {
	if len(m) >= recorderEntries {
		clear(m)
	}
}
