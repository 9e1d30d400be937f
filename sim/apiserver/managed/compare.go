// This file walks trees beside their schema: what changed between two of them,
// which fields one has, and how one merges into another.

package managed

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"

	"github.com/kubonsai/kubonsai/sim/api/schema"
)

// shape is how a place in a document merges.
type shape int

const (
	leaf  shape = iota // as a whole
	table              // by field or key
	list               // items by their keys
	set                // items by their value
)

// shapeOf is the shape of a value where the schema says v (nil is unknown).
func shapeOf(v *schema.Value, values ...any) shape {
	if v == nil || v.Kind == schema.Any || v.Kind == schema.Object && v.Ref == "" {
		for _, x := range values {
			if x != nil {
				if _, ok := x.(map[string]any); ok && (v == nil || !v.AtomicMap()) {
					return table
				}
				return leaf
			}
		}
		return leaf
	}
	switch v.Kind {
	case schema.Object, schema.Map:
		if v.AtomicMap() {
			return leaf
		}
		if t := v.Type(); v.Kind == schema.Object && t != nil && len(t.Fields) == 0 && t.Kind != schema.Object {
			return leaf
		}
		return table
	case schema.Array:
		switch v.ListType {
		case "map":
			return list
		case "set":
			return set
		}
	}
	return leaf
}

func child(v *schema.Value, key string) *schema.Value {
	switch {
	case v == nil:
		return nil
	case v.Kind == schema.Map:
		return v.Elem
	case v.Kind == schema.Object:
		if t := v.Type(); t != nil {
			if f := t.Field(key); f != nil {
				return &f.Value
			}
		}
	}
	return nil
}

// Root is the place of a whole object of a type.
func Root(t *schema.Type) *schema.Value {
	if t == nil {
		return nil
	}
	return &schema.Value{Kind: schema.Object, Ref: t.Name}
}

// itemKey is the path element of an item of an associative list.
func itemKey(v *schema.Value, item any) (string, error) {
	if v.ListType == "set" {
		data, err := json.Marshal(item)
		return "v:" + string(data), err
	}
	m, ok := item.(map[string]any)
	if !ok {
		return "", fmt.Errorf("associative list without keys has an element that's a map type")
	}
	keys := map[string]any{}
	for _, k := range v.ListMapKeys {
		value, ok := m[k]
		if !ok || value == nil {
			if f := child(v.Elem, k); f != nil {
				value = f.DefaultValue()
			}
			if value == nil {
				if len(v.ListMapKeys) == 1 {
					return "", fmt.Errorf("associative list with keys has an element that omits key field %q (and doesn't have default value)", k)
				}
				continue
			}
		}
		keys[k] = value
	}
	data, err := json.Marshal(keys)
	return "k:" + string(data), err
}

// items are the elements of a list by their path elements, and their order. ok
// is false when two have the same.
func items(v *schema.Value, l any) (by map[string]any, order []string, ok bool) {
	slice, _ := l.([]any)
	by = make(map[string]any, len(slice))
	for _, e := range slice {
		k, err := itemKey(v, e)
		if err != nil {
			return nil, nil, false
		}
		if _, twice := by[k]; twice {
			return nil, nil, false
		}
		by[k] = e
		order = append(order, k)
	}
	return by, order, true
}

// Changes are the paths that differ between two documents.
type Changes struct{ Added, Modified, Removed *Set }

// Touched is what is new or different.
func (c Changes) Touched() *Set { return Union(c.Added, c.Modified) }

// Compare says what has to change in old to become new.
func Compare(old, new map[string]any, root *schema.Value) Changes {
	w := &comparer{Changes{&Set{}, &Set{}, &Set{}}}
	w.compare(old, new, true, true, root, nil)
	return w.Changes
}

type comparer struct{ Changes }

func (w *comparer) leaf(old, new any, hadOld, hasNew bool, at Path) {
	switch {
	case !hadOld:
		w.Added.Insert(at...)
	case !hasNew:
		w.Removed.Insert(at...)
	case !reflect.DeepEqual(old, new):
		w.Modified.Insert(at...)
	}
}

func (w *comparer) compare(old, new any, hadOld, hasNew bool, v *schema.Value, at Path) {
	var a, b map[string]any
	sh := shapeOf(v, new, old)
	switch sh {
	case leaf:
		w.leaf(old, new, hadOld, hasNew, at)
		return
	case table:
		a, _ = old.(map[string]any)
		b, _ = new.(map[string]any)
	default:
		var ok, ok2 bool
		a, _, ok = items(v, old)
		b, _, ok2 = items(v, new)
		if !ok || !ok2 {
			w.leaf(old, new, hadOld, hasNew, at)
			return
		}
	}
	if len(a) == 0 && len(b) == 0 {
		if hadOld != hasNew || (old == nil) != (new == nil) {
			w.leaf(old, new, hadOld, hasNew, at)
		}
		return
	}
	if len(at) > 0 {
		if !hadOld {
			w.Added.Insert(at...)
		}
		if !hasNew {
			w.Removed.Insert(at...)
		}
	}
	visit := func(k string, x, y any, had, has bool) {
		var cv *schema.Value
		element := k
		if sh == table {
			cv, element = child(v, k), "f:"+k
		} else if sh == list {
			cv = v.Elem
		}
		next := append(at[:len(at):len(at)], element)
		if sh == set {
			w.leaf(x, y, had, has, next)
			return
		}
		w.compare(x, y, had, has, cv, next)
	}
	for k, x := range a {
		y, has := b[k]
		visit(k, x, y, true, has)
	}
	for k, y := range b {
		if _, had := a[k]; !had {
			visit(k, nil, y, false, true)
		}
	}
}

// Of is the set of fields that a configuration has an opinion on.
func Of(tree map[string]any, root *schema.Value) *Set {
	s := &Set{}
	claim(s, tree, root)
	return s
}

func claim(s *Set, value any, v *schema.Value) {
	switch shapeOf(v, value) {
	case leaf:
		s.Member = true
	case table:
		m, ok := value.(map[string]any)
		if !ok {
			s.Member = true
			return
		}
		for k, e := range m {
			c := &Set{}
			cv := child(v, k)
			claim(c, e, cv)
			if em, isMap := e.(map[string]any); e == nil || isMap && len(em) == 0 || v == nil || v.Kind == schema.Map || cv == nil {
				c.Member = true
			}
			s.put("f:"+k, c)
		}
	default:
		by, _, ok := items(v, value)
		if !ok {
			s.Member = true
			return
		}
		for k, e := range by {
			c := &Set{}
			if v.ListType == "map" {
				claim(c, e, v.Elem)
			}
			c.Member = true
			s.put(k, c)
		}
	}
}

// Merge is live with the opinions of config; both stay as they are, but the
// result may share parts with them.
func Merge(live, config any, v *schema.Value) any {
	if config == nil {
		return live
	}
	switch sh := shapeOf(v, config, live); sh {
	case table:
		a, ok := live.(map[string]any)
		b, ok2 := config.(map[string]any)
		if !ok || !ok2 {
			return config
		}
		out := make(map[string]any, len(a)+len(b))
		for k, e := range a {
			out[k] = e
		}
		for k, e := range b {
			if old, ok := a[k]; ok {
				out[k] = Merge(old, e, child(v, k))
			} else {
				out[k] = e
			}
		}
		return out
	case list, set:
		a, aOrder, ok := items(v, live)
		b, bOrder, ok2 := items(v, config)
		if !ok || !ok2 {
			return config
		}
		merged := map[string]any{}
		for k, e := range a {
			merged[k] = e
		}
		for k, e := range b {
			if old, ok := a[k]; ok && sh == list {
				e = Merge(old, e, v.Elem)
			}
			merged[k] = e
		}
		out := []any{}
		for _, k := range interleave(aOrder, bOrder) {
			out = append(out, merged[k])
		}
		return out
	}
	return config
}

// interleave keeps the order of the configuration's items, and puts the others
// where they stood in the live list.
func interleave(live, config []string) []string {
	mine := map[string]bool{}
	for _, k := range config {
		mine[k] = true
	}
	at := map[string]int{}
	for i, k := range live {
		at[k] = i
	}
	var others []string
	for _, k := range live {
		if !mine[k] {
			others = append(others, k)
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(others) || j < len(config) {
		switch {
		case i == len(others):
			out, j = append(out, config[j]), j+1
		case j == len(config):
			out, i = append(out, others[i]), i+1
		default:
			if p, ok := at[config[j]]; ok && at[others[i]] < p {
				out, i = append(out, others[i]), i+1
			} else {
				out, j = append(out, config[j]), j+1
			}
		}
	}
	return out
}

// Remove is a document without the members of s. A container goes with all that
// is in it only when nothing of keep is left inside.
func Remove(value any, s, keep *Set, v *schema.Value) (rest any, gone bool) {
	if s == nil {
		return value, false
	}
	switch sh := shapeOf(v, value); sh {
	case table:
		m, ok := value.(map[string]any)
		if !ok {
			break
		}
		out := make(map[string]any, len(m))
		for k, e := range m {
			c := s.Children["f:"+k]
			var kc *Set
			if keep != nil {
				kc = keep.Children["f:"+k]
			}
			r, gone := Remove(e, c, kc, child(v, k))
			if !gone {
				out[k] = r
			}
		}
		if s.Member && keep.Empty() {
			return nil, true
		}
		return out, false
	case list, set:
		by, order, ok := items(v, value)
		if !ok {
			break
		}
		out := []any{}
		for _, k := range order {
			c := s.Children[k]
			var kc *Set
			if keep != nil {
				kc = keep.Children[k]
			}
			e := by[k]
			gone := false
			if sh == list {
				e, gone = Remove(e, c, kc, v.Elem)
			} else {
				gone = c != nil && c.Member && kc.Empty()
			}
			if !gone {
				out = append(out, e)
			}
		}
		if s.Member && keep.Empty() || len(out) == 0 && len(order) > 0 && keep.Empty() {
			return nil, true
		}
		return out, false
	}
	return value, s.Member && keep.Empty()
}

// Unknown lists the places of a configuration that its schema does not have, as
// ".spec.replica: field not declared in schema".
func Unknown(value any, v *schema.Value, at Path) []string {
	var out []string
	switch x := value.(type) {
	case map[string]any:
		if v == nil || v.Kind == schema.Any || v.Kind == schema.Object && (v.Type() == nil || len(v.Type().Fields) == 0) {
			return nil
		}
		if v.Kind != schema.Object && v.Kind != schema.Map {
			return []string{fmt.Sprintf("%s: expected %s, got map", at, words[v.Kind])}
		}
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			next := append(at[:len(at):len(at)], "f:"+k)
			c := child(v, k)
			if c == nil && v.Kind == schema.Object {
				out = append(out, fmt.Sprintf("%s: field not declared in schema", next))
				continue
			}
			out = append(out, Unknown(x[k], c, next)...)
		}
	case []any:
		if v == nil || v.Kind == schema.Any {
			return nil
		}
		if v.Kind != schema.Array {
			return []string{fmt.Sprintf("%s: expected %s, got list", at, words[v.Kind])}
		}
		for i, e := range x {
			element := index(i)
			if v.ListType == "map" {
				k, err := itemKey(v, e)
				if err != nil {
					out = append(out, fmt.Sprintf("%s: element %d: %v", at, i, err))
					continue
				}
				element = k
			}
			out = append(out, Unknown(e, v.Elem, append(at[:len(at):len(at)], element))...)
		}
	case nil:
	default:
		if v != nil {
			if w := words[v.Kind]; wrong(x, v.Kind) {
				return []string{fmt.Sprintf("%s: expected %s, got %v", at, w, shown(x))}
			}
		}
	}
	return out
}

var words = map[schema.Kind]string{schema.Object: "map", schema.Map: "map", schema.Array: "list", schema.String: "string",
	schema.Integer: "numeric (int or float)", schema.Number: "numeric (int or float)", schema.Boolean: "boolean",
	schema.Time: "string", schema.MicroTime: "string", schema.Quantity: "string", schema.IntOrString: "string"}

func wrong(x any, k schema.Kind) bool {
	switch k {
	case schema.Object, schema.Map, schema.Array:
		return true
	case schema.String, schema.Time, schema.MicroTime:
		_, ok := x.(string)
		return !ok
	case schema.Boolean:
		_, ok := x.(bool)
		return !ok
	case schema.Integer, schema.Number:
		switch x.(type) {
		case int64, float64:
			return false
		}
		return true
	}
	return false
}

func shown(x any) any {
	if s, ok := x.(string); ok {
		return "&{" + s + "}"
	}
	return fmt.Sprintf("&{%v}", x)
}
