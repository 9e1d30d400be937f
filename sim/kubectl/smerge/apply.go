// This file applies patches to trees: strategic merge, JSON merge and JSON patch.

package smerge

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/schema"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

// Strategic applies a strategic merge patch; a nil type applies it as a JSON merge patch.
func Strategic(doc, patch tree.Map, t *schema.Type) (tree.Map, error) {
	if t == nil {
		return Merge(doc, patch), nil
	}
	out, err := applyMap(tree.Copy(doc), tree.Copy(patch), typeOf(t))
	return out, err
}

// Ordered applies a strategic merge patch as kustomize does: of a list that is
// merged, the patch's elements come first, in its order.
func Ordered(doc, patch tree.Map, t *schema.Type) (tree.Map, error) {
	if t != nil {
		patch = tree.Copy(patch)
		setOrder(patch, typeOf(t))
	}
	return Strategic(doc, patch, t)
}

func setOrder(patch tree.Map, n node) {
	for _, k := range tree.Keys(patch) {
		f := n.field(k)
		switch v := patch[k].(type) {
		case tree.Map:
			setOrder(v, f)
		case []any:
			if !f.strategy("merge") || !isMaps(v, nil) {
				continue
			}
			var order []any
			for _, e := range v {
				if m, ok := e.(tree.Map); ok && m[directive] == nil {
					order = append(order, tree.Map{f.mergeKey(): m[f.mergeKey()]})
					setOrder(m, f.item())
				}
			}
			patch[elementOrder+k] = order
		}
	}
}

// Merge applies a JSON merge patch.
func Merge(doc, patch tree.Map) tree.Map {
	out := tree.Copy(doc)
	if out == nil {
		out = tree.Map{}
	}
	for k, p := range patch {
		pm, isMap := p.(tree.Map)
		switch {
		case p == nil:
			delete(out, k)
		case isMap:
			om, _ := out[k].(tree.Map)
			out[k] = Merge(om, pm)
		default:
			out[k] = tree.Copy(p)
		}
	}
	return out
}

func applyMap(doc, patch tree.Map, n node) (tree.Map, error) {
	switch d := patch[directive]; d {
	case nil:
	case "replace":
		delete(patch, directive)
		return clean(patch).(tree.Map), nil
	case "delete":
		return tree.Map{}, nil
	case "merge":
		delete(patch, directive)
	default:
		return nil, fmt.Errorf("unknown patch type: %v in map: %v", d, patch)
	}
	if doc == nil {
		doc = tree.Map{}
	}
	if keep, ok := patch[retainKeys].([]any); ok {
		for k := range doc {
			if !contains(keep, k) {
				delete(doc, k)
			}
		}
		delete(patch, retainKeys)
	}
	for _, k := range tree.Keys(patch) {
		p := patch[k]
		if name, ok := strings.CutPrefix(k, deletedValues); ok {
			gone, _ := p.([]any)
			var left []any
			for _, v := range tree.Slice(doc, name) {
				if !contains(gone, v) {
					left = append(left, v)
				}
			}
			if doc[name] != nil {
				doc[name] = left
			}
			continue
		}
		if strings.HasPrefix(k, elementOrder) {
			continue
		}
		if p == nil {
			delete(doc, k)
			continue
		}
		f := n.field(k)
		switch pv := p.(type) {
		case tree.Map:
			dv, ok := doc[k].(tree.Map)
			if pv[directive] == "delete" {
				delete(doc, k)
				continue
			}
			if !ok || f.strategy("replace") {
				doc[k] = clean(pv)
				continue
			}
			sub, err := applyMap(dv, pv, f)
			if err != nil {
				return nil, err
			}
			doc[k] = sub
		case []any:
			dv, ok := doc[k].([]any)
			if !ok || !f.strategy("merge") {
				doc[k] = clean(pv)
				continue
			}
			sub, err := applyList(dv, pv, f)
			if err != nil {
				return nil, err
			}
			doc[k] = sub
		default:
			doc[k] = p
		}
	}
	for _, k := range tree.Keys(patch) {
		if name, ok := strings.CutPrefix(k, elementOrder); ok {
			want, _ := patch[k].([]any)
			if have := tree.Slice(doc, name); have != nil {
				doc[name] = reorder(have, want, n.field(name).mergeKey())
			}
		}
	}
	return doc, nil
}

// clean removes directives and nulls from what a patch adds as a whole.
func clean(v any) any {
	switch x := v.(type) {
	case tree.Map:
		for k, e := range x {
			if e == nil || k == directive || k == retainKeys || strings.HasPrefix(k, elementOrder) || strings.HasPrefix(k, deletedValues) {
				delete(x, k)
				continue
			}
			x[k] = clean(e)
		}
	case []any:
		out := x[:0]
		for _, e := range x {
			if m, ok := e.(tree.Map); ok && m[directive] != nil {
				continue
			}
			out = append(out, clean(e))
		}
		return out
	}
	return v
}

func applyList(doc, patch []any, n node) ([]any, error) {
	if !isMaps(doc, patch) {
		out := append([]any{}, doc...)
		for _, v := range patch {
			if !contains(out, v) {
				out = append(out, v)
			}
		}
		return out, nil
	}
	mk := n.mergeKey()
	out := append([]any{}, doc...)
	var added []any
	for _, p := range patch {
		pm, ok := p.(tree.Map)
		if !ok {
			return nil, errors.New("expected a list of maps")
		}
		switch pm[directive] {
		case "replace":
			var all []any
			for _, q := range patch {
				if qm, _ := q.(tree.Map); qm[directive] == nil {
					all = append(all, clean(q))
				}
			}
			return all, nil
		case "delete":
			kept := out[:0]
			for _, v := range out {
				if m, _ := v.(tree.Map); !Equal(m[mk], pm[mk]) {
					kept = append(kept, v)
				}
			}
			out = kept
			continue
		}
		if pm[mk] == nil {
			return nil, fmt.Errorf("map: %v does not contain declared merge key: %s", pm, mk)
		}
		found := false
		for i, v := range out {
			if m, _ := v.(tree.Map); Equal(m[mk], pm[mk]) {
				sub, err := applyMap(m, pm, n.item())
				if err != nil {
					return nil, err
				}
				out[i], found = sub, true
				break
			}
		}
		if !found {
			added = append(added, clean(p))
		}
	}
	return append(added, out...), nil // as the server does: what is new comes first
}

// reorder puts the named items into the wanted order; the others keep their
// places behind the item that they followed.
func reorder(have, want []any, mk string) []any {
	id := func(v any) any {
		if m, ok := v.(tree.Map); ok {
			return m[mk]
		}
		return v
	}
	index := func(v any) int {
		for i, w := range want {
			if Equal(id(w), id(v)) {
				return i
			}
		}
		return -1
	}
	var named, others []any
	for i := range want {
		for _, v := range have {
			if index(v) == i {
				named = append(named, v)
			}
		}
	}
	for _, v := range have {
		if index(v) < 0 {
			others = append(others, v)
		}
	}
	return append(named, others...)
}

// JSONPatch applies a list of RFC 6902 operations.
func JSONPatch(doc tree.Map, ops []any) (tree.Map, error) {
	var root any = tree.Copy(doc)
	for _, o := range ops {
		op, ok := o.(tree.Map)
		if !ok {
			return nil, errors.New("an operation is not an object")
		}
		path := tree.String(op, "path")
		var err error
		switch kind := tree.String(op, "op"); kind {
		case "add":
			root, err = edit(root, path, func(any, bool) (any, bool, error) { return tree.Copy(op["value"]), true, nil }, true)
		case "replace":
			root, err = edit(root, path, func(_ any, found bool) (any, bool, error) {
				if !found {
					return nil, false, fmt.Errorf("replace operation does not apply: doc is missing key: %s: missing value", path)
				}
				return tree.Copy(op["value"]), true, nil
			}, false)
		case "remove":
			root, err = edit(root, path, func(_ any, found bool) (any, bool, error) {
				if !found {
					return nil, false, fmt.Errorf("remove operation does not apply: doc is missing path: %s: missing value", path)
				}
				return nil, false, nil
			}, false)
		case "test":
			v, found := lookup(root, path)
			if !found && op["value"] != nil || !Equal(v, op["value"]) {
				err = fmt.Errorf("testing value %s failed: test failed", path)
			}
		case "copy", "move":
			from := tree.String(op, "from")
			v, found := lookup(root, from)
			if !found {
				return nil, fmt.Errorf("%s operation does not apply: doc is missing from path: %s: missing value", kind, from)
			}
			if kind == "move" {
				if root, err = edit(root, from, func(any, bool) (any, bool, error) { return nil, false, nil }, false); err != nil {
					return nil, err
				}
			}
			root, err = edit(root, path, func(any, bool) (any, bool, error) { return tree.Copy(v), true, nil }, true)
		default:
			err = fmt.Errorf("Unexpected kind: %s", kind)
		}
		if err != nil {
			return nil, err
		}
	}
	m, ok := root.(tree.Map)
	if !ok {
		return nil, errors.New("the patched document is no object")
	}
	return m, nil
}

func segments(path string) []string {
	if path == "" {
		return nil
	}
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, "~1", "/"), "~0", "~")
	}
	return parts
}

func lookup(v any, path string) (any, bool) {
	for _, s := range segments(path) {
		switch x := v.(type) {
		case tree.Map:
			e, ok := x[s]
			if !ok {
				return nil, false
			}
			v = e
		case []any:
			i, err := strconv.Atoi(s)
			if err != nil || i < 0 || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// edit replaces, inserts or removes the value at a path.
func edit(v any, path string, fn func(old any, found bool) (new any, keep bool, err error), insert bool) (any, error) {
	parts := segments(path)
	if len(parts) == 0 {
		n, _, err := fn(v, true)
		return n, err
	}
	var walk func(v any, parts []string) (any, error)
	walk = func(v any, parts []string) (any, error) {
		name := parts[0]
		switch x := v.(type) {
		case tree.Map:
			old, found := x[name]
			if len(parts) > 1 {
				if !found {
					return nil, fmt.Errorf("add operation does not apply: doc is missing path: %q: missing value", path)
				}
				sub, err := walk(old, parts[1:])
				if err == nil {
					x[name] = sub
				}
				return x, err
			}
			n, keep, err := fn(old, found)
			if err != nil {
				return nil, err
			}
			if keep {
				x[name] = n
			} else {
				delete(x, name)
			}
			return x, nil
		case []any:
			i := len(x)
			if name != "-" {
				var err error
				if i, err = strconv.Atoi(name); err != nil || i < 0 || i > len(x) {
					return nil, fmt.Errorf("add operation does not apply: doc is missing path: %q: invalid array index", path)
				}
			}
			if len(parts) > 1 {
				if i >= len(x) {
					return nil, fmt.Errorf("add operation does not apply: doc is missing path: %q: missing value", path)
				}
				sub, err := walk(x[i], parts[1:])
				if err == nil {
					x[i] = sub
				}
				return x, err
			}
			var old any
			found := i < len(x)
			if found {
				old = x[i]
			}
			n, keep, err := fn(old, found)
			switch {
			case err != nil:
				return nil, err
			case insert:
				out := append([]any{}, x[:i]...)
				return append(append(out, n), x[i:]...), nil
			case keep:
				x[i] = n
				return x, nil
			}
			return append(append([]any{}, x[:i]...), x[i+1:]...), nil
		}
		return nil, fmt.Errorf("add operation does not apply: doc is missing path: %q: missing value", path)
	}
	return walk(v, parts)
}
