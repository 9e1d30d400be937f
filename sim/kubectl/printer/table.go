// This file draws the server's tables: which columns are shown, the added
// namespace, label and event columns, the kind before the name.

package printer

import (
	"fmt"
	"io"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"k8s.io/apimachinery/pkg/util/duration"
)

// Table prints tables and, for want of one, names and ages of objects.
type Table struct {
	Kind         metav1.GroupKind // what WithKind puts before names
	WithKind     bool
	WithNS       bool
	NoHeaders    bool
	Wide         bool
	ShowLabels   bool
	ColumnLabels []string
	Now          func() time.Time

	lastColumns []metav1.TableColumnDefinition
	headers     bool // printed for lastColumns
	plain       bool // headers of plain objects printed
}

// FormatLabels is a set of labels as a,b=c text.
func FormatLabels(labels map[string]string) string {
	if len(labels) == 0 {
		return "<none>"
	}
	parts := make([]string, 0, len(labels))
	for k, v := range labels {
		parts = append(parts, k+"="+v)
	}
	sort.Strings(parts)
	return strings.Join(parts, ",")
}

func rowObject(r metav1.TableRow) (tree.Map, error) {
	switch o := r.Object.(type) {
	case nil:
		return nil, nil
	case tree.Map:
		return o, nil
	default:
		return api.ToTree(o)
	}
}

// rowMeta is what a row says about its object without converting all of it.
func rowMeta(r metav1.TableRow) (namespace string, labels map[string]string, ok bool) {
	switch o := r.Object.(type) {
	case nil:
		return "", nil, false
	case tree.Map:
		return tree.Namespace(o), tree.Strings(o, "metadata", "labels"), true
	case interface{ GetObjectMeta() *metav1.ObjectMeta }:
		m := o.GetObjectMeta()
		return m.Namespace, m.Labels, true
	}
	return "", nil, false
}

// Print is Printer's. The table's rows may be changed.
func (p *Table) Print(obj any, w io.Writer) error {
	event := ""
	if e, ok := obj.(*Event); ok {
		event, obj = e.Type, e.Object
	}
	t, ok := obj.(*metav1.Table)
	if !ok {
		return p.printPlain(obj, event, w)
	}
	noHeaders := p.NoHeaders
	if p.headers && (len(t.ColumnDefinitions) == 0 || reflect.DeepEqual(t.ColumnDefinitions, p.lastColumns)) {
		noHeaders = true
	}
	if len(t.ColumnDefinitions) == 0 {
		t.ColumnDefinitions = p.lastColumns
	} else if !reflect.DeepEqual(t.ColumnDefinitions, p.lastColumns) {
		p.lastColumns, p.headers = t.ColumnDefinitions, false
	}
	if len(t.Rows) > 0 {
		p.headers = true
	} else {
		return nil
	}
	var b strings.Builder
	if !noHeaders {
		var cells []string
		if event != "" {
			cells = append(cells, "EVENT")
		}
		if p.WithNS {
			cells = append(cells, "NAMESPACE")
		}
		for _, c := range t.ColumnDefinitions {
			if p.Wide || c.Priority == 0 {
				cells = append(cells, strings.ToUpper(c.Name))
			}
		}
		cells = append(cells, p.labelHeaders()...)
		b.WriteString(strings.Join(cells, "\t") + "\n")
	}
	nameColumn := -1
	if p.WithKind && p.Kind.Kind != "" {
		for i, c := range t.ColumnDefinitions {
			if c.Format == "name" && c.Type == "string" {
				nameColumn = i
				break
			}
		}
	}
	for _, r := range t.Rows {
		namespace, labels, known := rowMeta(r)
		var cells []string
		if event != "" {
			cells = append(cells, formatEvent(event))
		}
		if p.WithNS {
			cells = append(cells, Escape(namespace))
		}
		for i, c := range r.Cells {
			if i >= len(t.ColumnDefinitions) || !p.Wide && t.ColumnDefinitions[i].Priority != 0 {
				continue
			}
			text := cellText(c)
			if i == nameColumn {
				text = strings.ToLower(p.Kind.String()) + "/" + text
			}
			cells = append(cells, text)
		}
		for _, l := range p.ColumnLabels {
			cells = append(cells, Escape(labels[l]))
		}
		if p.ShowLabels {
			text := ""
			if known {
				text = FormatLabels(labels)
			}
			cells = append(cells, Escape(text))
		}
		b.WriteString(strings.Join(cells, "\t") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func cellText(c any) string {
	if c == nil {
		return ""
	}
	s, ok := c.(string)
	if !ok {
		if f, isFloat := c.(float64); isFloat && f == float64(int64(f)) {
			return fmt.Sprint(int64(f))
		}
		return Escape(fmt.Sprint(c))
	}
	more := ""
	if i := strings.IndexAny(s, "\f\n\r"); i >= 0 {
		s, more = s[:i], "..."
	}
	return Escape(s) + more
}

func (p *Table) labelHeaders() []string {
	var out []string
	for _, l := range p.ColumnLabels {
		out = append(out, strings.ToUpper(l[strings.LastIndex(l, "/")+1:]))
	}
	if p.ShowLabels {
		out = append(out, "LABELS")
	}
	return out
}

func formatEvent(t string) string {
	switch t {
	case "ADDED", "DELETED", "ERROR":
		return fmt.Sprintf("%-8s", t)
	}
	return t
}

// printPlain prints the name and age of objects that came without a table.
func (p *Table) printPlain(obj any, event string, w io.Writer) error {
	m, err := toTree(obj)
	if err != nil {
		return err
	}
	var b strings.Builder
	if !p.plain && !p.NoHeaders {
		var cells []string
		if event != "" {
			cells = append(cells, "EVENT")
		}
		if p.WithNS {
			cells = append(cells, "NAMESPACE")
		}
		cells = append(cells, "NAME", "AGE")
		b.WriteString(strings.Join(append(cells, p.labelHeaders()...), "\t") + "\n")
	}
	p.plain = true
	items := []tree.Map{m}
	if tree.IsList(m) {
		items = tree.Maps(m, "items")
	}
	for _, o := range items {
		var cells []string
		if event != "" {
			cells = append(cells, formatEvent(event))
		}
		if p.WithNS {
			cells = append(cells, tree.Namespace(o))
		}
		name := tree.Name(o)
		if p.WithKind && p.Kind.Kind != "" {
			name = strings.ToLower(p.Kind.String()) + "/" + name
		}
		cells = append(cells, name, p.age(tree.String(o, "metadata", "creationTimestamp")))
		labels := tree.Strings(o, "metadata", "labels")
		for _, l := range p.ColumnLabels {
			cells = append(cells, labels[l])
		}
		if p.ShowLabels {
			cells = append(cells, FormatLabels(labels))
		}
		b.WriteString(strings.Join(cells, "\t") + "\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func (p *Table) age(stamp string) string {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil || p.Now == nil {
		return "<unknown>"
	}
	return duration.HumanDuration(p.Now().Sub(t))
}
