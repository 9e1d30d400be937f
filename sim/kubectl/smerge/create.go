// Package smerge makes and applies patches on the client's side, as kubectl
// apply, edit, set and patch --local need them: strategic merge patches by the
// merge keys of the schema table, and JSON merge patches for kinds without a
// schema. Documents are JSON trees; the arguments are never changed. This file
// makes patches, apply.go applies them.
package smerge

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/schema"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

// The directives that a strategic merge patch may hold beside fields.
const (
	directive     = "$patch"
	retainKeys    = "$retainKeys"
	elementOrder  = "$setElementOrder/"
	deletedValues = "$deleteFromPrimitiveList/"
)

// ThreeWay is the patch that turns current into what modified asks for: what
// modified has is added or changed, what original had and modified no longer
// has is deleted, and the rest of current is left alone. A nil type makes a
// JSON merge patch.
func ThreeWay(original, modified, current tree.Map, t *schema.Type) tree.Map {
	if t == nil {
		return tree.Copy(mergeDiff(original, modified, current))
	}
	return tree.Copy(diffMap(original, modified, current, typeOf(t), false))
}

// TwoWay is the patch that turns original into modified.
func TwoWay(original, modified tree.Map, t *schema.Type) tree.Map {
	return ThreeWay(original, modified, original, t)
}

// mergeDiff is the JSON merge patch of three documents.
func mergeDiff(original, modified, current tree.Map) tree.Map {
	patch := tree.Map{}
	for k, m := range modified {
		c, inCurrent := current[k]
		mm, isMap := m.(tree.Map)
		cm, wasMap := c.(tree.Map)
		switch {
		case isMap && wasMap:
			o, _ := original[k].(tree.Map)
			if sub := mergeDiff(o, mm, cm); len(sub) > 0 {
				patch[k] = sub
			}
		case m == nil:
			if inCurrent && c != nil {
				patch[k] = nil
			}
		case !inCurrent || !Equal(c, m):
			patch[k] = m
		}
	}
	for k := range original {
		if _, kept := modified[k]; !kept {
			patch[k] = nil
		}
	}
	return patch
}

// node is what the schema says of the place that is being compared.
type node struct{ value *schema.Value }

func typeOf(t *schema.Type) node {
	return node{&schema.Value{Kind: schema.Object, Ref: t.Name}}
}

// field is the node of a field; its value is nil when the schema does not know it.
func (n node) field(name string) node {
	v := n.value
	if v == nil {
		return node{}
	}
	if v.Kind == schema.Map && v.Elem != nil {
		return node{v.Elem}
	}
	if v.Ref != "" {
		if t := schema.Lookup(v.Ref); t != nil {
			if f := t.Field(name); f != nil {
				return node{&f.Value}
			}
			if t.Kind == schema.Map && t.Elem != nil {
				return node{t.Elem}
			}
		}
	}
	return node{}
}

// item is the node of a list's items.
func (n node) item() node {
	if n.value == nil {
		return node{}
	}
	return node{n.value.Elem}
}

func (n node) strategy(name string) bool {
	return n.value != nil && slices.Contains(strings.Split(n.value.PatchStrategy, ","), name)
}

func (n node) mergeKey() string {
	if n.value == nil {
		return ""
	}
	return n.value.PatchMergeKey
}

func diffMap(original, modified, current tree.Map, n node, retain bool) tree.Map {
	patch := tree.Map{}
	for k, m := range modified {
		c, inCurrent := current[k]
		if !inCurrent {
			patch[k] = m
			continue
		}
		f := n.field(k)
		switch mv := m.(type) {
		case tree.Map:
			cv, ok := c.(tree.Map)
			if !ok {
				patch[k] = m
				continue
			}
			o, _ := original[k].(tree.Map)
			if f.strategy("replace") {
				if !Equal(cv, mv) {
					patch[k] = m
				}
			} else if sub := diffMap(o, mv, cv, f, f.strategy("retainKeys")); len(sub) > 0 {
				patch[k] = sub
			}
		case []any:
			cv, ok := c.([]any)
			switch {
			case !ok:
				patch[k] = m
			case f.strategy("merge"):
				o, _ := original[k].([]any)
				diffList(patch, k, o, mv, cv, f)
			case !Equal(cv, mv):
				patch[k] = m
			}
		default:
			if !Equal(c, m) {
				patch[k] = m
			}
		}
	}
	for k := range original {
		if _, kept := modified[k]; !kept {
			patch[k] = nil
		}
	}
	if retain {
		keys := []any{}
		for _, k := range tree.Keys(modified) {
			if modified[k] != nil {
				keys = append(keys, k)
			}
		}
		if len(keys) > 0 && (len(patch) > 0 || hasMore(current, modified) || hasMore(original, modified)) {
			patch[retainKeys] = keys
		}
	}
	return patch
}

// hasMore reports whether a has a field that b lacks.
func hasMore(a, b tree.Map) bool {
	for k, v := range a {
		if _, ok := b[k]; !ok && v != nil {
			return true
		}
	}
	return false
}

func isMaps(lists ...[]any) bool {
	for _, l := range lists {
		if len(l) > 0 {
			_, ok := l[0].(tree.Map)
			return ok
		}
	}
	return false
}

// diffList compares lists whose items merge, and puts the result into patch.
func diffList(patch tree.Map, key string, original, modified, current []any, n node) {
	if !isMaps(modified, current, original) {
		diffScalars(patch, key, original, modified, current)
		return
	}
	mk := n.mergeKey()
	var changes, deletions []any
	changed := false
	if len(current) == 0 {
		changes = append(changes, modified...)
	} else {
		seen := map[string]int{}
		for _, m := range modified {
			mm, _ := m.(tree.Map)
			id := fmt.Sprint(mm[mk])
			nth := seen[id]
			seen[id]++
			c := nthByKey(current, mk, mm[mk], nth)
			if c == nil {
				changes = append(changes, m)
				continue
			}
			if sub := diffMap(nthByKey(original, mk, mm[mk], nth), mm, c, n.item(), false); len(sub) > 0 {
				sub[mk] = mm[mk]
				changes = append(changes, sub)
			}
		}
		changed = len(changes) > 0 || !sameOrder(current, modified, mk)
	}
	var gone []string
	byName := map[string]any{}
	for _, o := range original {
		om, _ := o.(tree.Map)
		if nthByKey(modified, mk, om[mk], 0) == nil {
			id := fmt.Sprint(om[mk])
			gone = append(gone, id)
			byName[id] = om[mk]
		}
	}
	sort.Strings(gone)
	for _, id := range gone {
		deletions = append(deletions, tree.Map{directive: "delete", mk: byName[id]})
	}
	if all := append(changes, deletions...); len(all) > 0 {
		patch[key] = all
	}
	if changed || len(deletions) > 0 {
		order := make([]any, 0, len(modified))
		for _, m := range modified {
			mm, _ := m.(tree.Map)
			order = append(order, tree.Map{mk: mm[mk]})
		}
		if len(order) > 0 {
			patch[elementOrder+key] = order
		}
	}
}

func diffScalars(patch tree.Map, key string, original, modified, current []any) {
	var added, gone []any
	for _, m := range modified {
		if !contains(current, m) {
			added = append(added, m)
		}
	}
	for _, o := range original {
		if !contains(modified, o) && !contains(gone, o) {
			gone = append(gone, o)
		}
	}
	if len(added) > 0 {
		patch[key] = added
	}
	if len(gone) > 0 {
		patch[deletedValues+key] = gone
	}
	if len(modified) > 0 && len(current) > 0 && (len(gone) > 0 || !Equal(current, modified)) {
		patch[elementOrder+key] = modified
	}
}

func contains(list []any, v any) bool {
	for _, x := range list {
		if Equal(x, v) {
			return true
		}
	}
	return false
}

// nthByKey is the item whose merge key has that value; nil when there is none.
func nthByKey(list []any, key string, value any, nth int) tree.Map {
	for _, v := range list {
		if m, ok := v.(tree.Map); ok && Equal(m[key], value) {
			if nth == 0 {
				return m
			}
			nth--
		}
	}
	return nil
}

func sameOrder(a, b []any, key string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		am, _ := a[i].(tree.Map)
		bm, _ := b[i].(tree.Map)
		if !Equal(am[key], bm[key]) {
			return false
		}
	}
	return true
}

// Equal compares trees; whole numbers are equal whatever their Go type.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case tree.Map:
		y, ok := b.(tree.Map)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok || !Equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case int64, float64, int:
		xf, ok1 := number(a)
		yf, ok2 := number(b)
		return ok1 && ok2 && xf == yf
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}
