// Events are by far the most objects of a busy cluster: several for each pod,
// kept for an hour, alike but for names and times. In the store they are packed:
// what many have in common is shared, the rest takes a fifth of the room.

package apiserver

import (
	"math"
	"strconv"
	"strings"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
)

// eventShape is what the events of one component about one kind have in common.
type eventShape struct {
	meta                    metav1.TypeMeta
	namespace               string
	kind, apiVersion        string // of the object that the event is about …
	objectNamespace         string
	fieldPath               string
	reason, kindOf, action  string
	source                  corev1.EventSource
	controller, instance    string
	manager, managerVersion string
}

// packedEvent is a stored event. Its name is that of the object it is about
// with a number, as recorders make it.
type packedEvent struct {
	shape    *eventShape
	about    string
	aboutUID metav1.UID
	message  string
	series   *corev1.EventSeries
	uid      [2]uint64
	number   uint64 // of the name
	aboutRV  uint64
	revision uint64
	created  int64 // seconds
	at       int64 // eventTime in microseconds, noTime when it has none
	// Seconds after created, absent when the event does not have that time.
	first, last, managed int32
	count                int32
}

const (
	noTime = math.MinInt64
	absent = math.MinInt32
)

// maxShapes bounds what the packer remembers in order to share it.
const maxShapes = 1 << 15

// eventPacker packs events.
type eventPacker struct{ shapes map[eventShape]*eventShape }

// pack returns nil for an event that is not like those of the usual recorders.
func (k *eventPacker) pack(obj metav1.Object) store.Packed {
	e, ok := obj.(*corev1.Event)
	if !ok || !usual(&e.ObjectMeta) || e.Related != nil {
		return nil
	}
	m := &e.ManagedFields[0]
	p := &packedEvent{about: e.InvolvedObject.Name, aboutUID: e.InvolvedObject.UID, message: e.Message, series: e.Series,
		revision: store.RevisionOf(e), created: e.CreationTimestamp.Unix(), at: noTime, count: e.Count}
	fits := p.since(&e.FirstTimestamp, &p.first) && p.since(&e.LastTimestamp, &p.last) && p.since(m.Time, &p.managed)
	if t := e.EventTime; !t.IsZero() {
		p.at = t.UnixMicro()
		fits = fits && t.Nanosecond()%1000 == 0 && t.Location() == time.UTC
	}
	if rv := e.InvolvedObject.ResourceVersion; rv != "" {
		p.aboutRV, _ = strconv.ParseUint(rv, 10, 64)
		fits = fits && p.aboutRV != 0 && rv[0] != '0' && rv[0] != '+'
	}
	number, ok := strings.CutPrefix(e.Name, p.about+".")
	if !fits || !ok || number == "" || number[0] == '0' || !parseHex(number, &p.number) || !parseUID(string(e.UID), &p.uid) {
		return nil
	}
	shape := eventShape{e.TypeMeta, e.Namespace, e.InvolvedObject.Kind, e.InvolvedObject.APIVersion, e.InvolvedObject.Namespace,
		e.InvolvedObject.FieldPath, e.Reason, e.Type, e.Action, e.Source, e.ReportingController, e.ReportingInstance, m.Manager, m.APIVersion}
	if p.shape = k.shapes[shape]; p.shape == nil {
		if len(k.shapes) >= maxShapes {
			clear(k.shapes)
		}
		p.shape = &shape
		k.shapes[shape] = p.shape
	}
	return p
}

// usual reports whether an event's metadata is what a recorder's are: no more
// than a name, and one owner of its fields, who is not spelled out.
func usual(m *metav1.ObjectMeta) bool {
	if len(m.ManagedFields) != 1 || m.GenerateName != "" || m.SelfLink != "" || m.Generation != 0 || m.DeletionTimestamp != nil ||
		m.DeletionGracePeriodSeconds != nil || len(m.Labels)+len(m.Annotations)+len(m.OwnerReferences)+len(m.Finalizers) > 0 || !seconds(&m.CreationTimestamp) {
		return false
	}
	f := &m.ManagedFields[0]
	return f.Operation == metav1.ManagedFieldsOperationUpdate && f.FieldsType == "FieldsV1" && f.FieldsV1 == nil && f.Subresource == ""
}

func seconds(t *metav1.Time) bool { return t.Nanosecond() == 0 && t.Location() == time.UTC }

// since notes a time as seconds after the event's creation; false when it
// cannot be noted so.
func (p *packedEvent) since(t *metav1.Time, to *int32) bool {
	if t.IsZero() {
		*to = absent
		return true
	}
	d := t.Unix() - p.created
	*to = int32(d)
	return int64(*to) == d && *to != absent && seconds(t)
}

func (p *packedEvent) time(seconds int32) metav1.Time {
	if seconds == absent {
		return metav1.Time{}
	}
	return metav1.Unix(p.created+int64(seconds), 0)
}

func (p *packedEvent) event() *corev1.Event {
	s := p.shape
	m := metav1.ManagedFieldsEntry{Manager: s.manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: s.managerVersion, FieldsType: "FieldsV1"}
	if p.managed != absent {
		t := p.time(p.managed)
		m.Time = &t
	}
	e := &corev1.Event{TypeMeta: s.meta, Reason: s.reason, Message: p.message, Source: s.source,
		FirstTimestamp: p.time(p.first), LastTimestamp: p.time(p.last), Count: p.count, Type: s.kindOf, Series: p.series, Action: s.action,
		ReportingController: s.controller, ReportingInstance: s.instance}
	e.InvolvedObject = corev1.ObjectReference{Kind: s.kind, Namespace: s.objectNamespace, Name: p.about, UID: p.aboutUID,
		APIVersion: s.apiVersion, FieldPath: s.fieldPath}
	if p.aboutRV != 0 {
		e.InvolvedObject.ResourceVersion = strconv.FormatUint(p.aboutRV, 10)
	}
	if p.at != noTime {
		e.EventTime = metav1.NewMicroTime(time.UnixMicro(p.at))
	}
	e.Name, e.Namespace = p.about+"."+strconv.FormatUint(p.number, 16), s.namespace
	e.UID, e.ResourceVersion = metav1.UID(seed.UID(p.uid)), strconv.FormatUint(p.revision, 10)
	e.CreationTimestamp = metav1.Unix(p.created, 0)
	e.ManagedFields = []metav1.ManagedFieldsEntry{m}
	return e
}

// Unpack implements store.Packed.
func (p *packedEvent) Unpack() metav1.Object { return p.event() }

// GetObjectMeta implements metav1.Object.
func (p *packedEvent) GetObjectMeta() *metav1.ObjectMeta { return p.event().GetObjectMeta() }

// GetTypeMeta implements metav1.Object.
func (p *packedEvent) GetTypeMeta() *metav1.TypeMeta { return p.event().GetTypeMeta() }

// parseUID reads a uid in the form that the server gives them.
func parseUID(s string, to *[2]uint64) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		parseHex(s[:8], &to[0]) && parseHex(s[9:13], &to[0]) && parseHex(s[14:18], &to[0]) &&
		parseHex(s[19:23], &to[1]) && parseHex(s[24:], &to[1])
}

// parseHex appends small hexadecimal digits to a number.
func parseHex(s string, to *uint64) bool {
	if len(s) > 16 {
		return false
	}
	n := *to
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			n = n<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | uint64(c-'a'+10)
		default:
			return false
		}
	}
	*to = n
	return true
}
