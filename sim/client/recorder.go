// The event recorder: what client-go's two recorders do. The older one, which
// controllers and kubelets use, counts repetitions in place, combines similar
// messages and drops what one object says too often; the newer one, which the
// scheduler uses, opens a series. Behaviour after client-go's
// tools/record/events_cache.go and tools/events/event_broadcaster.go.

package client

import (
	"fmt"
	"strconv"
	"strings"
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
	seen      map[string]*seenEvent
	similar   map[string]*similarEvents
	spam      map[string]*bucket
	series    map[string]*seenEvent
}

type seenEvent struct {
	namespace, name string
	count           int32
	at              time.Time
}

type similarEvents struct {
	messages map[string]bool
	last     time.Time
}

type bucket struct {
	tokens float64
	last   time.Time
}

// NewRecorder returns a recorder for a component ("replicaset-controller");
// host is the node's name for kubelets, else "".
func NewRecorder(c *Client, clk *clock.Clock, component, host string) *Recorder {
	return &Recorder{client: c, clock: clk, component: component, host: host,
		seen: map[string]*seenEvent{}, similar: map[string]*similarEvents{},
		spam: map[string]*bucket{}, series: map[string]*seenEvent{}}
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
	source := r.component + "\x00" + r.host
	about := strings.Join([]string{ref.Kind, ref.Namespace, ref.Name, string(ref.UID), ref.APIVersion}, "\x00")
	group := strings.Join([]string{source, about, eventType, reason}, "\x00")

	key := group + "\x00" + ref.FieldPath + "\x00" + message
	sim := r.similar[group]
	if sim == nil || now.Sub(sim.last) > similarInterval {
		bound(r.similar)
		sim = &similarEvents{messages: map[string]bool{}}
		r.similar[group] = sim
	}
	sim.messages[message] = true
	sim.last = now
	if len(sim.messages) >= similarLimit {
		for m := range sim.messages { // keep the set from growing; any one will do
			if m != message {
				delete(sim.messages, m)
				break
			}
		}
		message = "(combined from similar events): " + message
		key = group
	}

	if !r.allow(source + "\x00" + about) {
		return
	}
	if old := r.seen[key]; old != nil {
		old.count++
		patch := map[string]any{"count": old.count, "lastTimestamp": metav1.NewTime(now), "message": message}
		if _, err := Patch[*corev1.Event](r.client, old.namespace, old.name, StrategicPatch, patch, ""); err == nil {
			return
		}
		delete(r.seen, key) // it has expired
	}
	ev := r.event(ref, eventType, reason, message)
	ev.FirstTimestamp, ev.LastTimestamp, ev.Count = metav1.NewTime(now), metav1.NewTime(now), 1
	ev.Source = corev1.EventSource{Component: r.component, Host: r.host}
	ev.ReportingController, ev.ReportingInstance = r.component, r.host
	if _, err := Create(r.client, ev); err == nil {
		bound(r.seen)
		r.seen[key] = &seenEvent{namespace: ev.Namespace, name: ev.Name, count: 1, at: now}
	}
}

// SeriesEvent records an event in the newer form, with an action; the same
// reason about the same object within minutes becomes a series.
func (r *Recorder) SeriesEvent(obj metav1.Object, eventType, reason, action, message string) {
	now := r.clock.Now()
	ref := ObjectReference(obj)
	key := strings.Join([]string{ref.Kind, ref.Namespace, ref.Name, string(ref.UID), eventType, reason, action}, "\x00")
	if old := r.series[key]; old != nil && now.Sub(old.at) < seriesInterval {
		old.at = now
		old.count++
		if old.count > 2 {
			return // upstream writes later counts when the series ends
		}
		patch := map[string]any{"series": map[string]any{"count": old.count, "lastObservedTime": metav1.NewMicroTime(now)}}
		if _, err := Patch[*corev1.Event](r.client, old.namespace, old.name, StrategicPatch, patch, ""); err == nil {
			return
		}
	}
	ev := r.event(ref, eventType, reason, message)
	ev.EventTime = metav1.NewMicroTime(now)
	ev.Action = action
	ev.ReportingController = r.component
	ev.ReportingInstance = r.host
	if ev.ReportingInstance == "" {
		ev.ReportingInstance = r.component
	}
	if _, err := Create(r.client, ev); err == nil {
		bound(r.series)
		r.series[key] = &seenEvent{namespace: ev.Namespace, name: ev.Name, count: 1, at: now}
	}
}

// event is an event about ref with a name of its own.
func (r *Recorder) event(ref corev1.ObjectReference, eventType, reason, message string) *corev1.Event {
	at := r.clock.Now()
	if !at.After(r.last) {
		at = r.last.Add(1)
	}
	r.last = at
	ns := ref.Namespace
	if ns == "" {
		ns = "default"
	}
	ev := &corev1.Event{InvolvedObject: ref, Type: eventType, Reason: reason, Message: message}
	ev.APIVersion, ev.Kind = "v1", "Event"
	ev.Namespace = ns
	ev.Name = ref.Name + "." + strconv.FormatInt(at.UnixNano(), 16)
	return ev
}

// allow takes a token from the bucket of one source and object.
func (r *Recorder) allow(key string) bool {
	now := r.clock.Now()
	b := r.spam[key]
	if b == nil {
		bound(r.spam)
		b = &bucket{tokens: spamBurst, last: now}
		r.spam[key] = b
	}
	b.tokens = min(spamBurst, b.tokens+now.Sub(b.last).Seconds()/spamRefill.Seconds())
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// bound empties a cache that has grown too large; what is forgotten merely
// starts counting anew.
func bound[V any](m map[string]V) {
	if len(m) >= recorderEntries {
		clear(m)
	}
}
