// Package describe writes the pages of kubectl describe: one function per kind,
// laid out to the letter as the real one's. It reads objects through Source and
// prints nothing itself. Which objects are meant is kubectl's affair.
package describe

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// Source is where a page's facts come from.
type Source struct {
	Now    time.Time
	Events bool // show the events of the object
	// List reads a collection of the API ("" is the core group, "" all
	// namespaces). What it returns is shared.
	List func(group, resource, namespace string, query url.Values) ([]metav1.Object, error)
	// Get reads one object.
	Get func(group, resource, namespace, name string) (metav1.Object, error)
}

// describers by kind; the functions get the object with its Go type.
var describers = map[metav1.GroupKind]func(p *page, obj metav1.Object) error{}

func register[T metav1.Object](group, kind string, fn func(p *page, obj T) error) {
	describers[metav1.GroupKind{Group: group, Kind: kind}] = func(p *page, obj metav1.Object) error {
		o, ok := obj.(T)
		if !ok {
			return generic(p, obj)
		}
		return fn(p, o)
	}
}

// Object is the page of one object.
func Object(src Source, obj metav1.Object) (string, error) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	p := &page{Source: src, w: w}
	fn := describers[api.KindOf(obj).GroupKind()]
	if fn == nil {
		fn = generic
	}
	if err := fn(p, obj); err != nil {
		return "", err
	}
	w.Flush()
	return b.String(), nil
}

// Template is a pod template as rollout history shows it, its tabs left alone.
func Template(t *corev1.PodTemplateSpec) string {
	var b bytes.Buffer
	(&page{w: plain{&b}}).template(t)
	return b.String()
}

// plain is text whose cells are not aligned.
type plain struct{ *bytes.Buffer }

// Flush has nothing to do.
func (plain) Flush() error { return nil }

// page is a text under construction: lines with cells that are aligned.
type page struct {
	Source
	w interface {
		io.Writer
		Flush() error
	}
}

// line writes one line, two spaces deeper for each level.
func (p *page) line(level int, format string, args ...any) {
	p.text(level, format+"\n", args...)
}

func (p *page) text(level int, format string, args ...any) {
	fmt.Fprintf(p.w, strings.Repeat("  ", level)+format, args...)
}

func stamp(t time.Time) string { return t.Format(time.RFC1123Z) }

func (p *page) since(t time.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(p.Now.Sub(t))
}

func orNone(s string) string {
	if s == "" {
		return "<none>"
	}
	return s
}

func title(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// rows writes a title and its values below each other.
func (p *page) rows(level int, title string, values []string) {
	if len(values) == 0 {
		values = []string{"<none>"}
	}
	p.line(level, "%s:\t%s", title, values[0])
	for _, v := range values[1:] {
		p.line(0, "\t%s", v)
	}
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func (p *page) labels(level int, title string, labels map[string]string) {
	var values []string
	for _, k := range sorted(labels) {
		values = append(values, k+"="+labels[k])
	}
	p.rows(level, title, values)
}

// annotationWidth is how much of an annotation is shown.
const annotationWidth = 140

func (p *page) annotations(level int, title string, annotations map[string]string) {
	lead := ""
	p.text(level, "%s:\t", title)
	none := true
	for _, k := range sorted(annotations) {
		if k == "kubectl.kubernetes.io/last-applied-configuration" {
			continue
		}
		none = false
		v := strings.TrimSuffix(annotations[k], "\n")
		if len(v)+len(k)+2 <= annotationWidth && !strings.Contains(v, "\n") {
			p.line(0, "%s%s: %s", lead, k, v)
		} else {
			p.line(0, "%s%s:", lead, k)
			for _, s := range strings.Split(v, "\n") {
				if len(s) > annotationWidth-2 {
					s = s[:annotationWidth-2] + "..."
				}
				p.line(0, "\t  %s", s)
			}
		}
		lead = "\t"
	}
	if none {
		p.line(0, "<none>")
	}
}

func (p *page) head(m *metav1.ObjectMeta) {
	p.line(0, "Name:\t%s", m.Name)
	p.line(0, "Namespace:\t%s", m.Namespace)
}

func (p *page) controller(m metav1.Object) {
	if ref := metav1.GetControllerOf(m); ref != nil {
		p.line(0, "Controlled By:\t%s/%s", ref.Kind, ref.Name)
	}
}

func formatLabels(m map[string]string) string {
	var parts []string
	for _, k := range sorted(m) {
		parts = append(parts, k+"="+m[k])
	}
	return orNone(strings.Join(parts, ","))
}

// events of an object, found as the real one does: by name, namespace, kind and uid.
func (p *page) eventsOf(obj metav1.Object, kind string, uids ...metav1.UID) []*corev1.Event {
	if !p.Events {
		return nil
	}
	m := obj.GetObjectMeta()
	if len(uids) == 0 {
		uids = []metav1.UID{m.UID}
	}
	found := []*corev1.Event{}
	for _, uid := range uids {
		terms := []string{"involvedObject.name=" + m.Name}
		if m.Namespace != "" {
			terms = append(terms, "involvedObject.namespace="+m.Namespace)
		}
		if kind != "" {
			terms = append(terms, "involvedObject.kind="+kind)
		}
		if uid != "" {
			terms = append(terms, "involvedObject.uid="+string(uid))
		}
		list, err := p.List("", "events", m.Namespace, url.Values{"fieldSelector": {strings.Join(terms, ",")}})
		if err != nil {
			continue
		}
		for _, o := range list {
			if e, ok := o.(*corev1.Event); ok {
				found = append(found, e)
			}
		}
	}
	return found
}

// showEvents ends the page with its events; nil shows nothing.
func (p *page) showEvents(events []*corev1.Event) {
	if events == nil {
		return
	}
	if len(events) == 0 {
		p.line(0, "Events:\t<none>")
		return
	}
	p.w.Flush()
	sort.SliceStable(events, func(i, j int) bool {
		return events[i].LastTimestamp.Time.Before(events[j].LastTimestamp.Time)
	})
	p.line(0, "Events:")
	p.line(1, "Type\tReason\tAge\tFrom\tMessage")
	p.line(1, "----\t------\t----\t----\t-------")
	for _, e := range events {
		from := e.Source.Component
		if from == "" {
			from = e.ReportingController
		}
		message := strings.TrimSpace(e.Message)
		if e.InvolvedObject.FieldPath != "" {
			message = e.InvolvedObject.FieldPath + ": " + message
		}
		p.line(1, "%v\t%v\t%s\t%v\t%v", e.Type, e.Reason, Interval(e, p.Now), from, message)
	}
}

// Interval is an event's age, and how often it was seen over what time.
func Interval(e *corev1.Event, now time.Time) string {
	since := func(t time.Time) string {
		if t.IsZero() {
			return "<unknown>"
		}
		return duration.HumanDuration(now.Sub(t))
	}
	first := since(e.EventTime.Time)
	if e.EventTime.IsZero() {
		first = since(e.FirstTimestamp.Time)
	}
	switch {
	case e.Series != nil:
		return fmt.Sprintf("%s (x%d over %s)", since(e.Series.LastObservedTime.Time), e.Series.Count, first)
	case e.Count > 1:
		return fmt.Sprintf("%s (x%d over %s)", since(e.LastTimestamp.Time), e.Count, first)
	}
	return first
}

// podStatus counts the pods of a controller by phase.
func (p *page) podStatus(owner metav1.Object, selector string) (string, error) {
	m := owner.GetObjectMeta()
	list, err := p.List("", "pods", m.Namespace, url.Values{"labelSelector": {selector}})
	if err != nil {
		return "", err
	}
	count := map[corev1.PodPhase]int{}
	for _, o := range list {
		pod, ok := o.(*corev1.Pod)
		if !ok {
			continue
		}
		if ref := metav1.GetControllerOf(pod); ref != nil && ref.UID == m.UID {
			count[pod.Status.Phase]++
		}
	}
	return fmt.Sprintf("%d Running / %d Waiting / %d Succeeded / %d Failed",
		count[corev1.PodRunning], count[corev1.PodPending], count[corev1.PodSucceeded], count[corev1.PodFailed]), nil
}

func selectorText(s *metav1.LabelSelector) string {
	sel, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return ""
	}
	return sel.String()
}
