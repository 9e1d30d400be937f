// This file is the strategy of events, which are stored in their core form.

package resource

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/duration"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func init() {
	Register("events", &Strategy{
		AllowCreateOnUpdate: true,
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			e := obj.(*corev1.Event)
			v := validator{errs: validateMeta(e, true, dnsSubdomain)}
			v.event(e)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.event(obj.(*corev1.Event))
			return v.errs
		},
		Fields: func(obj metav1.Object) fields.Set {
			e := obj.(*corev1.Event)
			source := e.Source.Component
			if source == "" {
				source = e.ReportingController
			}
			o := &e.InvolvedObject
			return fields.Set{
				"involvedObject.kind": o.Kind, "involvedObject.namespace": o.Namespace, "involvedObject.name": o.Name,
				"involvedObject.uid": string(o.UID), "involvedObject.apiVersion": o.APIVersion,
				"involvedObject.resourceVersion": o.ResourceVersion, "involvedObject.fieldPath": o.FieldPath,
				"reason": e.Reason, "reportingComponent": e.ReportingController, "source": source, "type": e.Type,
			}
		},
		FieldNames: []string{"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
			"involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
			"reason", "reportingComponent", "source", "type"},
		Columns: []column{
			text("Last Seen", "The time since it was last seen."),
			text("Type", "Normal or Warning."),
			text("Reason", "Why it happened, in one word."),
			text("Object", "What it is about."),
			wide(text("Subobject", "Which part of the object it is about.")),
			wide(text("Source", "Who reported it.")),
			text("Message", "What happened."),
			wide(text("First Seen", "The time since it was first seen.")),
			wide(text("Count", "How often it was seen.")),
			wide(column{Name: "Name", Type: "string", Format: "name", Description: "The event's own name."}),
		},
		Row: func(obj metav1.Object, now time.Time) []any { return eventRow(obj.(*corev1.Event), now) },
	})
}

func (v *validator) event(e *corev1.Event) {
	if e.InvolvedObject.Namespace == "" {
		if e.Namespace != metav1.NamespaceNone && e.Namespace != metav1.NamespaceDefault && e.Namespace != metav1.NamespaceSystem {
			v.invalid(field.NewPath("involvedObject", "namespace"), e.InvolvedObject.Namespace, "does not match event.namespace")
		}
	} else if e.Namespace != e.InvolvedObject.Namespace {
		v.invalid(field.NewPath("involvedObject", "namespace"), e.InvolvedObject.Namespace, "does not match event.namespace")
	}
	for _, msg := range dnsLabel(e.Namespace) {
		v.invalid(field.NewPath("namespace"), e.Namespace, msg)
	}
}

func eventRow(e *corev1.Event, now time.Time) []any {
	micro := func(t metav1.MicroTime) string {
		if t.IsZero() {
			return "<unknown>"
		}
		return duration.HumanDuration(now.Sub(t.Time))
	}
	first := since(e.FirstTimestamp, now)
	if e.FirstTimestamp.IsZero() {
		first = micro(e.EventTime)
	}
	last := since(e.LastTimestamp, now)
	if e.LastTimestamp.IsZero() {
		last = first
	}
	count := e.Count
	if e.Series != nil {
		last, count = micro(e.Series.LastObservedTime), e.Series.Count
	} else if count == 0 {
		count = 1
	}
	target := strings.ToLower(e.InvolvedObject.Kind)
	if e.InvolvedObject.Name != "" {
		target += "/" + e.InvolvedObject.Name
	}
	source, host := e.Source.Component, e.Source.Host
	if source == "" {
		source = e.ReportingController
	}
	if host == "" {
		host = e.ReportingInstance
	}
	if host != "" {
		source += ", " + host
	}
	return []any{last, e.Type, e.Reason, target, e.InvolvedObject.FieldPath, source, strings.TrimSpace(e.Message), first, int64(count), e.Name}
}
