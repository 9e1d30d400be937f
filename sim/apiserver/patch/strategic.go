// This file is the strategic merge patch: lists merge by the key that the
// schema names, and directives in the patch delete, replace and order.

package patch

import (
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/schema"
)

const (
	directive      = "$patch"
	retainKeys     = "$retainKeys"
	deletePrefix   = "$deleteFromPrimitiveList/"
	orderPrefix    = "$setElementOrder/"
	directiveMerge = "merge"
)

// Errors of a malformed patch, in upstream's words.
var (
	ErrPrimitiveList = errors.New("invalid patch format of primitive list")
	ErrRetainKeys    = errors.New("invalid patch format of retainKeys")
	ErrElementOrder  = errors.New("invalid patch format of setElementOrder list")
	// ErrRetainContent is of a patch that sets what it does not retain.
	ErrRetainContent = errors.New("patch content doesn't match retainKeys list")
)

// Strategic applies a strategic merge patch to a document of the given type.
func Strategic(doc, patch map[string]any, t *schema.Type) (map[string]any, error) {
	var root *schema.Value
	if t != nil {
		root = &schema.Value{Kind: schema.Object, Ref: t.Name}
	}
	return mergeMap(doc, patch, root)
}

// child is the schema of a field.
func child(v *schema.Value, key string) *schema.Value {
	switch {
	case v == nil:
		return nil
	case v.Kind == schema.Map:
		return v.Elem
	case v.Kind != schema.Object:
		return nil
	}
	if t := v.Type(); t != nil {
		if f := t.Field(key); f != nil {
			return &f.Value
		}
	}
	return nil
}

func strategy(v *schema.Value, name string) bool {
	if v == nil {
		return false
	}
	for s := range strings.SplitSeq(v.PatchStrategy, ",") {
		if s == name {
			return true
		}
	}
	return false
}

func sortedKeys(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func mergeMap(original, patch map[string]any, v *schema.Value) (map[string]any, error) {
	if how, ok := patch[directive]; ok {
		switch how {
		case "replace":
			return cleanMap(patch), nil
		case "delete":
			return map[string]any{}, nil
		case directiveMerge:
		default:
			return nil, fmt.Errorf("unknown patch type: %v in map: %v", how, patch)
		}
	}
	if err := retain(original, patch); err != nil {
		return nil, err
	}
	if err := orderLists(original, patch, v); err != nil {
		return nil, err
	}
	for _, k := range sortedKeys(patch) {
		value := patch[k]
		if k == directive || k == retainKeys || strings.HasPrefix(k, orderPrefix) {
			continue
		}
		if name, ok := strings.CutPrefix(k, deletePrefix); ok {
			list, ok := value.([]any)
			if !ok {
				return nil, ErrPrimitiveList
			}
			if from, ok := original[name].([]any); ok {
				original[name] = without(from, list)
			}
			continue
		}
		if _, ordered := patch[orderPrefix+k]; ordered {
			continue // orderLists has merged it
		}
		if value == nil {
			delete(original, k)
			continue
		}
		old, ok := original[k]
		if !ok || old == nil || Sort(old) != Sort(value) {
			original[k] = clean(value)
			continue
		}
		f := child(v, k)
		switch x := value.(type) {
		case map[string]any:
			if strategy(f, "replace") {
				original[k] = clean(x)
				continue
			}
			merged, err := mergeMap(old.(map[string]any), x, f)
			if err != nil {
				return nil, err
			}
			original[k] = merged
		case []any:
			if !strategy(f, "merge") {
				original[k] = clean(x)
				continue
			}
			merged, err := mergeList(old.([]any), x, f)
			if err != nil {
				return nil, err
			}
			original[k] = order(merged, x, old.([]any), f.PatchMergeKey)
		default:
			original[k] = value
		}
	}
	return original, nil
}

// retain drops what a $retainKeys list does not name.
func retain(original, patch map[string]any) error {
	list, ok := patch[retainKeys]
	if !ok {
		return nil
	}
	names, ok := list.([]any)
	if !ok {
		return ErrRetainKeys
	}
	keep := map[string]bool{}
	for _, n := range names {
		s, ok := n.(string)
		if !ok {
			return ErrRetainKeys
		}
		keep[s] = true
	}
	for k := range patch {
		if !strings.HasPrefix(k, "$") && !keep[k] && patch[k] != nil {
			return ErrRetainContent
		}
	}
	for k := range original {
		if !keep[k] {
			delete(original, k)
		}
	}
	return nil
}

// orderLists merges the lists for which the patch sets an order.
func orderLists(original, patch map[string]any, v *schema.Value) error {
	for _, k := range sortedKeys(patch) {
		name, ok := strings.CutPrefix(k, orderPrefix)
		if !ok {
			continue
		}
		wanted, ok := patch[k].([]any)
		if !ok {
			return ErrElementOrder
		}
		f := child(v, name)
		if f != nil && f.PatchMergeKey != "" {
			for _, e := range wanted {
				m, ok := e.(map[string]any)
				if !ok || m[f.PatchMergeKey] == nil {
					return missingKey(e, f.PatchMergeKey)
				}
			}
		}
		key := ""
		if f != nil {
			key = f.PatchMergeKey
		}
		var old, list []any
		if patch[name] != nil {
			if list, ok = patch[name].([]any); !ok {
				return ErrElementOrder
			}
		} else if _, null := patch[name]; null {
			delete(original, name)
			continue
		}
		old, _ = original[name].([]any)
		merged := old
		switch {
		case old == nil && list == nil:
			continue
		case old == nil:
			merged, _ = clean(list).([]any)
		case list != nil && strategy(f, "merge"):
			var err error
			if merged, err = mergeList(old, list, f); err != nil {
				return err
			}
		case list != nil:
			merged, _ = clean(list).([]any)
		}
		if del, ok := patch[deletePrefix+name].([]any); ok {
			merged = without(merged, del)
		}
		original[name] = order(merged, wanted, old, key)
	}
	return nil
}

func missingKey(e any, key string) error {
	return fmt.Errorf("map: %v does not contain declared merge key: %s", e, key)
}

// clean is a value of the patch as it enters a document: without nulls in
// objects and without directives.
func clean(v any) any {
	switch x := v.(type) {
	case map[string]any:
		return cleanMap(x)
	case []any:
		out := make([]any, 0, len(x))
		for _, e := range x {
			if m, ok := e.(map[string]any); ok {
				switch m[directive] {
				case "delete":
					continue
				case "replace":
					if len(m) == 1 {
						continue
					}
				}
			}
			out = append(out, clean(e))
		}
		return out
	}
	return v
}

func cleanMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, e := range m {
		if e == nil || k == directive || k == retainKeys || strings.HasPrefix(k, orderPrefix) || strings.HasPrefix(k, deletePrefix) {
			continue
		}
		out[k] = clean(e)
	}
	return out
}

// without is list less the values of drop.
func without(list, drop []any) []any {
	out := make([]any, 0, len(list))
next:
	for _, e := range list {
		for _, d := range drop {
			if reflect.DeepEqual(e, d) {
				continue next
			}
		}
		out = append(out, e)
	}
	return out
}

// mergeList merges a list whose strategy is merge; the order is not final.
func mergeList(original, patch []any, f *schema.Value) ([]any, error) {
	if len(patch) == 0 {
		return original, nil
	}
	if _, ok := patch[0].(map[string]any); !ok {
		out := append([]any(nil), original...)
		for _, e := range patch {
			if _, mixed := e.(map[string]any); mixed {
				return nil, fmt.Errorf("lists of mixed types are not supported: %v", patch)
			}
			if !contains(out, e) {
				out = append(out, e)
			}
		}
		return out, nil
	}
	key := f.PatchMergeKey
	if key == "" {
		return nil, fmt.Errorf("cannot merge lists without merge key for %s", f.Elem.Ref)
	}
	var add []map[string]any
	out := append([]any(nil), original...)
	replace := false
	for _, e := range patch {
		m, ok := e.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("lists of mixed types are not supported: %v", patch)
		}
		switch how := m[directive]; how {
		case nil:
			add = append(add, m)
		case "delete":
			value, ok := m[key]
			if !ok {
				return nil, missingKey(m, key)
			}
			kept := out[:0:0]
			for _, o := range out {
				if om, ok := o.(map[string]any); !ok || !reflect.DeepEqual(om[key], value) {
					kept = append(kept, o)
				}
			}
			out = kept
		case "replace":
			replace = true // of the whole list, with the other elements
			if len(m) > 1 {
				add = append(add, m)
			}
		case directiveMerge:
			return nil, fmt.Errorf("merging lists cannot yet be specified in the patch")
		default:
			return nil, fmt.Errorf("unknown patch type: %v in map: %v", how, patch)
		}
	}
	if replace {
		out = nil
	}
	for _, m := range add {
		value, ok := m[key]
		if !ok {
			return nil, missingKey(m, key)
		}
		found := false
		for i, o := range out {
			om, ok := o.(map[string]any)
			if !ok || !reflect.DeepEqual(om[key], value) {
				continue
			}
			merged, err := mergeMap(om, m, f.Elem)
			if err != nil {
				return nil, err
			}
			out[i], found = merged, true
			break
		}
		if !found {
			out = append(out, cleanMap(m))
		}
	}
	return out, nil
}

func contains(list []any, v any) bool {
	for _, e := range list {
		if reflect.DeepEqual(e, v) {
			return true
		}
	}
	return false
}

// place is where an element stands in a list, by its merge key or its value; -1 is nowhere.
func place(list []any, e any, key string) int {
	if m, ok := e.(map[string]any); ok && key != "" {
		for i, o := range list {
			if om, ok := o.(map[string]any); ok && reflect.DeepEqual(om[key], m[key]) {
				return i
			}
		}
		return -1
	}
	for i, o := range list {
		if reflect.DeepEqual(o, e) {
			return i
		}
	}
	return -1
}

// order puts the elements that wanted names in its order, and the others in the
// server's; between the two, the server's order decides where it knows both.
func order(merged, wanted, server []any, key string) []any {
	var mine, others []any
	for _, e := range merged {
		if place(wanted, e, key) >= 0 {
			mine = append(mine, e)
		} else {
			others = append(others, e)
		}
	}
	by := func(list, order []any) {
		sort.SliceStable(list, func(i, j int) bool { return place(order, list[i], key) < place(order, list[j], key) })
	}
	by(mine, wanted)
	by(others, server)
	out := make([]any, 0, len(merged))
	i, j := 0, 0
	for i < len(others) || j < len(mine) {
		if i < len(others) && j < len(mine) {
			a, b := place(server, others[i], key), place(server, mine[j], key)
			if a >= 0 && b >= 0 && a < b {
				out, i = append(out, others[i]), i+1
			} else {
				out, j = append(out, mine[j]), j+1
			}
		} else if i < len(others) {
			out, i = append(out, others[i]), i+1
		} else {
			out, j = append(out, mine[j]), j+1
		}
	}
	return out
}
