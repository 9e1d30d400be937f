// Package printer draws what kubectl found: tables, YAML, JSON, KYAML, names,
// JSONPath and Go templates, custom columns. An object is a tree (fields sorted)
// or a pointer to an API struct (fields in the struct's order, as the real
// kubectl prints what it made itself); a table is the server's *metav1.Table.
// Which objects to print, and in which order, is the verbs' affair.
package printer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

// Printer draws one object after the other.
type Printer interface {
	Print(obj any, w io.Writer) error
}

// Event is a watch event to be printed with its type.
type Event struct {
	Type   string
	Object any
}

// List is a v1 List that kubectl made itself.
type List struct {
	Kind       string   `json:"kind"`
	APIVersion string   `json:"apiVersion"`
	Metadata   tree.Map `json:"metadata"`
	Items      []any    `json:"items"`
}

// NewList returns a List of trees.
func NewList(items []any) *List {
	return &List{Kind: "List", APIVersion: "v1", Metadata: tree.Map{}, Items: items}
}

func (l *List) tree() tree.Map {
	return tree.Map{"apiVersion": l.APIVersion, "kind": l.Kind, "metadata": l.Metadata, "items": l.Items}
}

// toTree is the object as a tree, its own or a converted one.
func toTree(obj any) (tree.Map, error) {
	switch o := obj.(type) {
	case tree.Map:
		return o, nil
	case *List:
		return o.tree(), nil
	case *Event:
		inner, err := toTree(o.Object)
		if err != nil {
			return nil, err
		}
		return tree.Map{"type": o.Type, "object": inner}, nil
	}
	return api.ToTree(obj)
}

var errNoKind = errors.New("missing apiVersion or kind; try GetObjectKind().SetGroupVersionKind() if you know the type")

// withoutManagedFields drops metadata.managedFields, also from a list's items.
func withoutManagedFields(obj any) any {
	switch o := obj.(type) {
	case *Event:
		return &Event{o.Type, withoutManagedFields(o.Object)}
	case *List:
		return NewList(tree.Slice(withoutManagedFields(o.tree()).(tree.Map), "items"))
	case tree.Map:
		if items, ok := o["items"].([]any); ok {
			c := make(tree.Map, len(o))
			for k, v := range o {
				c[k] = v
			}
			out := make([]any, len(items))
			for i, it := range items {
				out[i] = it
				if m, ok := it.(tree.Map); ok {
					out[i] = withoutManagedFields(m)
				}
			}
			c["items"] = out
			return c
		}
		md := tree.Sub(o, "metadata")
		if _, there := md["managedFields"]; !there {
			return o
		}
		c := make(tree.Map, len(o))
		for k, v := range o {
			c[k] = v
		}
		m := make(tree.Map, len(md))
		for k, v := range md {
			if k != "managedFields" {
				m[k] = v
			}
		}
		c["metadata"] = m
		return c
	case *metav1.List:
		c := *o
		c.Items = make([]metav1.Object, len(o.Items))
		for i, it := range o.Items {
			c.Items[i] = withoutManagedFields(it).(metav1.Object)
		}
		return &c
	case metav1.Object:
		if len(o.GetObjectMeta().ManagedFields) == 0 {
			return o
		}
		c := api.ShallowCopy(o)
		c.GetObjectMeta().ManagedFields = nil
		return c
	}
	return obj
}

// JSON prints with four spaces; events are one line each.
type JSON struct{ ManagedFields bool }

// Print is Printer's.
func (p *JSON) Print(obj any, w io.Writer) error {
	if !p.ManagedFields {
		obj = withoutManagedFields(obj)
	}
	if e, ok := obj.(*Event); ok {
		data, err := json.Marshal(eventDocument{e.Type, e.Object})
		if err == nil {
			_, err = w.Write(append(data, '\n'))
		}
		return err
	}
	if m, ok := obj.(tree.Map); ok && tree.Kind(m) == "" && tree.APIVersion(m) == "" {
		return errNoKind
	}
	data, err := json.MarshalIndent(obj, "", "    ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

type eventDocument struct {
	Type   string `json:"type"`
	Object any    `json:"object"`
}

// YAML prints documents, a line "---" between them.
type YAML struct {
	ManagedFields bool
	printed       bool
}

// Print is Printer's.
func (p *YAML) Print(obj any, w io.Writer) error {
	if !p.ManagedFields {
		obj = withoutManagedFields(obj)
	}
	if p.printed {
		io.WriteString(w, "---\n")
	}
	p.printed = true
	if e, ok := obj.(*Event); ok {
		obj = eventDocument{e.Type, e.Object}
	} else if m, ok := obj.(tree.Map); ok && tree.Kind(m) == "" && tree.APIVersion(m) == "" {
		return errNoKind
	}
	data, err := yaml.Marshal(obj)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// KYAML prints documents in YAML's flow style.
type KYAML struct{ ManagedFields bool }

// Print is Printer's.
func (p *KYAML) Print(obj any, w io.Writer) error {
	if !p.ManagedFields {
		obj = withoutManagedFields(obj)
	}
	if e, ok := obj.(*Event); ok {
		obj = eventDocument{e.Type, e.Object}
	}
	data, err := json.Marshal(obj)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("---\n")
	if err := writeKYAML(&b, data); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

// Name prints kind.group/name, with what happened to it unless Short.
type Name struct {
	Operation string
	Short     bool
}

// Print is Printer's.
func (p *Name) Print(obj any, w io.Writer) error {
	if e, ok := obj.(*Event); ok {
		obj = e.Object
	}
	var apiVersion, kind, name string
	switch o := obj.(type) {
	case tree.Map:
		if tree.IsList(o) {
			for _, item := range tree.Maps(o, "items") {
				if err := p.Print(item, w); err != nil {
					return err
				}
			}
			return nil
		}
		apiVersion, kind, name = tree.APIVersion(o), tree.Kind(o), tree.Name(o)
	case metav1.Object:
		apiVersion, kind = api.KindOf(o).ToAPIVersionAndKind()
		name = o.GetObjectMeta().Name
	case *metav1.Table:
		return p.table(o, w)
	default:
		return fmt.Errorf("unknown object %T", obj)
	}
	if kind == "" {
		return errNoKind
	}
	if name == "" {
		name = "<unknown>"
	}
	gvk := metav1.FromAPIVersionAndKind(apiVersion, kind)
	full := strings.ToLower(kind)
	if gvk.Group != "" {
		full += "." + gvk.Group
	}
	operation := ""
	if p.Operation != "" && !p.Short {
		operation = " " + p.Operation
	}
	_, err := fmt.Fprintf(w, "%s/%s%s\n", full, name, operation)
	return err
}

func (p *Name) table(t *metav1.Table, w io.Writer) error {
	for _, r := range t.Rows {
		if m, err := rowObject(r); err == nil && m != nil {
			if err := p.Print(m, w); err != nil {
				return err
			}
		}
	}
	return nil
}
