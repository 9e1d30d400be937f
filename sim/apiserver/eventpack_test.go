package apiserver

import (
	"reflect"
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func recorded() *corev1.Event {
	now := time.Date(2026, 7, 1, 9, 0, 1, 123456000, time.UTC)
	s := metav1.NewTime(now)
	later := metav1.NewTime(now.Add(time.Minute))
	e := &corev1.Event{Reason: "Started", Message: "Container started", Type: "Normal", Count: 3, FirstTimestamp: s, LastTimestamp: later,
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", APIVersion: "v1", Namespace: "default", Name: "web-x", UID: "u", ResourceVersion: "77",
			FieldPath: "spec.containers{web}"},
		Source: corev1.EventSource{Component: "kubelet", Host: "n1"}, ReportingController: "kubelet", ReportingInstance: "n1"}
	e.APIVersion, e.Kind = "v1", "Event"
	e.Namespace, e.Name, e.ResourceVersion, e.CreationTimestamp = "default", "web-x.18ab03", "123", s
	e.UID = "0123abcd-4567-4abc-8def-00112233aabb"
	e.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet", Operation: "Update", APIVersion: "v1", Time: &later, FieldsType: "FieldsV1"}}
	return e
}

func TestPackedEventIsTheSame(t *testing.T) {
	k := &eventPacker{shapes: map[eventShape]*eventShape{}}
	series := recorded()
	series.FirstTimestamp, series.LastTimestamp, series.Count, series.Action = metav1.Time{}, metav1.Time{}, 0, "Binding"
	series.EventTime = metav1.NewMicroTime(time.Date(2026, 7, 1, 9, 0, 1, 123456789, time.UTC))
	series.Series = &corev1.EventSeries{Count: 2}
	series.InvolvedObject.ResourceVersion = ""
	for _, e := range []*corev1.Event{recorded(), series} {
		p := k.pack(e)
		if p == nil {
			t.Fatalf("%s is not packed", e.Reason)
		}
		if got := p.Unpack(); !reflect.DeepEqual(got, e) {
			t.Errorf("packed and unpacked:\n%+v\nwant\n%+v", got, e)
		}
	}
	if a, b := k.pack(recorded()).(*packedEvent), k.pack(recorded()).(*packedEvent); a.shape != b.shape {
		t.Error("alike events share no shape")
	}
}

// What has no place in the packed form must stay as it is.
func TestUnusualEventIsNotPacked(t *testing.T) {
	k := &eventPacker{shapes: map[eventShape]*eventShape{}}
	local := time.FixedZone("x", 3600)
	for name, edit := range map[string]func(*corev1.Event){
		"other name":     func(e *corev1.Event) { e.Name = "mine" },
		"leading zero":   func(e *corev1.Event) { e.Name = "web-x.0a" },
		"capital digits": func(e *corev1.Event) { e.Name = "web-x.0A" },
		"no number":      func(e *corev1.Event) { e.Name = "web-x." },
		"long number":    func(e *corev1.Event) { e.Name = "web-x.11112222333344445" },
		"labels":         func(e *corev1.Event) { e.Labels = map[string]string{"a": "b"} },
		"annotations":    func(e *corev1.Event) { e.Annotations = map[string]string{"a": "b"} },
		"finalizers":     func(e *corev1.Event) { e.Finalizers = []string{"a/b"} },
		"owner":          func(e *corev1.Event) { e.OwnerReferences = []metav1.OwnerReference{{Name: "o"}} },
		"generateName":   func(e *corev1.Event) { e.GenerateName = "web-x." },
		"deleted":        func(e *corev1.Event) { e.DeletionTimestamp = &e.FirstTimestamp },
		"related":        func(e *corev1.Event) { e.Related = &corev1.ObjectReference{Name: "r"} },
		"uid":            func(e *corev1.Event) { e.UID = "0123ABCD-4567-4abc-8def-00112233aabb" },
		"version":        func(e *corev1.Event) { e.InvolvedObject.ResourceVersion = "007" },
		"no version":     func(e *corev1.Event) { e.InvolvedObject.ResourceVersion = "x" },
		"fraction":       func(e *corev1.Event) { e.FirstTimestamp.Time = e.FirstTimestamp.Add(time.Millisecond) },
		"zone":           func(e *corev1.Event) { e.LastTimestamp.Time = e.LastTimestamp.In(local) },
		"far away":       func(e *corev1.Event) { e.FirstTimestamp.Time = e.FirstTimestamp.AddDate(-200, 0, 0) },
		"nanoseconds":    func(e *corev1.Event) { e.EventTime.Time = e.CreationTimestamp.Add(1) },
		"owned fields":   func(e *corev1.Event) { e.ManagedFields[0].FieldsV1 = &metav1.FieldsV1{Raw: []byte("{}")} },
		"two owners":     func(e *corev1.Event) { e.ManagedFields = append(e.ManagedFields, e.ManagedFields[0]) },
		"no owner":       func(e *corev1.Event) { e.ManagedFields = nil },
		"applied":        func(e *corev1.Event) { e.ManagedFields[0].Operation = "Apply" },
		"subresource":    func(e *corev1.Event) { e.ManagedFields[0].Subresource = "status" },
	} {
		e := recorded()
		edit(e)
		if k.pack(e) != nil {
			t.Errorf("%s: packed", name)
		}
	}
	// Every field must be looked at: a new one has to be thought about here.
	if n, m := reflect.TypeOf(corev1.Event{}).NumField(), reflect.TypeOf(metav1.ObjectMeta{}).NumField(); n != 16 || m != 15 {
		t.Errorf("Event has %d fields, ObjectMeta %d: teach the packer and then this test", n, m)
	}
}
