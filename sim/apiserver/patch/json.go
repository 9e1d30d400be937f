// Package patch changes JSON trees: JSON patch (RFC 6902), merge patch (RFC
// 7386) and Kubernetes' strategic merge patch. Trees are those of
// metav1.DecodeTree. The functions may change the document they are given and
// return the result; the document must be the caller's own.
package patch

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// MaxOperations is how many operations one JSON patch may have.
const MaxOperations = 10000

// maxCopied bounds what the copy operations of one patch may add, in values.
const maxCopied = 1 << 20

// Operation is one step of a JSON patch.
type Operation struct {
	Op, Path, From string
	Value          any
	hasValue       bool
}

// Operations reads a decoded JSON patch. Errors are worded as encoding/json's.
func Operations(tree any) ([]Operation, error) {
	list, ok := tree.([]any)
	if !ok {
		return nil, fmt.Errorf("json: cannot unmarshal %s into Go value of type []handlers.jsonPatchOp", Sort(tree))
	}
	out := make([]Operation, len(list))
	for i, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("json: cannot unmarshal %s into Go value of type handlers.jsonPatchOp", Sort(e))
		}
		o := &out[i]
		for name, into := range map[string]*string{"op": &o.Op, "path": &o.Path, "from": &o.From} {
			switch s := m[name].(type) {
			case nil:
			case string:
				*into = s
			default:
				return nil, fmt.Errorf("json: cannot unmarshal %s into Go struct field jsonPatchOp.%s of type string", Sort(s), name)
			}
		}
		o.Value, o.hasValue = m["value"]
	}
	return out, nil
}

// Sort names the kind of a JSON value as encoding/json does.
func Sort(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "bool"
	}
	return "number"
}

// JSON applies the operations in order. At the first that fails it returns the error.
func JSON(doc any, ops []Operation) (any, error) {
	var err error
	copied := 0
	for _, o := range ops {
		switch o.Op {
		case "add":
			doc, err = set(doc, o.Path, o.Value, false)
		case "replace":
			doc, err = set(doc, o.Path, o.Value, true)
		case "remove":
			doc, _, err = remove(doc, o.Path)
		case "move":
			var v any
			if doc, v, err = remove(doc, o.From); err == nil {
				doc, err = set(doc, o.Path, v, false)
			}
		case "copy":
			var v any
			if v, err = get(doc, o.From); err == nil {
				if copied += size(v); copied > maxCopied {
					return nil, fmt.Errorf("unable to copy, the accumulated size increase of copy operations exceeds the limit")
				}
				doc, err = set(doc, o.Path, Copy(v), false)
			}
		case "test":
			var v any
			v, err = get(doc, o.Path)
			if err == nil && !reflect.DeepEqual(v, o.Value) {
				err = fmt.Errorf("testing value %s failed: test failed", o.Path)
			} else if err != nil && o.Value == nil && o.hasValue {
				err = nil // what is absent is null
			}
		default:
			err = fmt.Errorf("Unexpected kind: %s", o.Op)
		}
		if err != nil {
			return nil, err
		}
	}
	return doc, nil
}

func size(v any) int {
	n := 1
	switch x := v.(type) {
	case map[string]any:
		for _, e := range x {
			n += size(e)
		}
	case []any:
		for _, e := range x {
			n += size(e)
		}
	}
	return n
}

// Copy is a deep copy of a tree.
func Copy(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = Copy(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = Copy(e)
		}
		return out
	}
	return v
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// split reads a JSON pointer.
func split(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	if path[0] != '/' {
		return nil, fmt.Errorf("%q is not a JSON pointer", path)
	}
	parts := strings.Split(path[1:], "/")
	for i := range parts {
		parts[i] = unescape.Replace(parts[i])
	}
	return parts, nil
}

func missing(path string) error {
	return fmt.Errorf("operation does not apply: doc is missing path: %q: missing value", path)
}

// element reads an index into a list of n; end allows the place behind the last.
func element(key string, n int, end bool) (int, error) {
	if key == "-" && end {
		return n, nil
	}
	i, err := strconv.Atoi(key)
	if err != nil {
		return 0, err
	}
	if i < 0 { // counted from the end, as upstream's library allows
		i += n
		if end {
			i++
		}
	}
	if i < 0 || i > n || i == n && !end {
		return 0, fmt.Errorf("unable to access invalid index: %s: invalid index referenced", key)
	}
	return i, nil
}

func get(doc any, path string) (any, error) {
	parts, err := split(path)
	if err != nil {
		return nil, err
	}
	for _, key := range parts {
		switch x := doc.(type) {
		case map[string]any:
			v, ok := x[key]
			if !ok {
				return nil, missing(path)
			}
			doc = v
		case []any:
			i, err := element(key, len(x), false)
			if err != nil {
				return nil, err
			}
			doc = x[i]
		default:
			return nil, missing(path)
		}
	}
	return doc, nil
}

// update replaces the container that holds the last part of the path.
func update(doc any, path string, change func(container any, key string) (any, error)) (any, error) {
	parts, err := split(path)
	if err != nil {
		return nil, err
	}
	return descend(doc, parts, path, change)
}

func descend(doc any, parts []string, path string, change func(any, string) (any, error)) (any, error) {
	if len(parts) == 1 {
		return change(doc, parts[0])
	}
	switch x := doc.(type) {
	case map[string]any:
		v, ok := x[parts[0]]
		if !ok {
			return nil, missing(path)
		}
		v, err := descend(v, parts[1:], path, change)
		if err != nil {
			return nil, err
		}
		x[parts[0]] = v
		return x, nil
	case []any:
		i, err := element(parts[0], len(x), false)
		if err != nil {
			return nil, err
		}
		v, err := descend(x[i], parts[1:], path, change)
		if err != nil {
			return nil, err
		}
		x[i] = v
		return x, nil
	}
	return nil, missing(path)
}

func set(doc any, path string, value any, replace bool) (any, error) {
	if path == "" {
		return Copy(value), nil
	}
	value = Copy(value)
	return update(doc, path, func(container any, key string) (any, error) {
		switch x := container.(type) {
		case map[string]any:
			x[key] = value // a replaced key need not be there: the server's library is lenient
			return x, nil
		case []any:
			i, err := element(key, len(x), !replace)
			if err != nil {
				return nil, err
			}
			if replace {
				x[i] = value
				return x, nil
			}
			out := make([]any, 0, len(x)+1)
			out = append(out, x[:i]...)
			out = append(out, value)
			return append(out, x[i:]...), nil
		}
		return nil, missing(path)
	})
}

func remove(doc any, path string) (rest, removed any, err error) {
	if path == "" {
		return nil, doc, nil
	}
	rest, err = update(doc, path, func(container any, key string) (any, error) {
		switch x := container.(type) {
		case map[string]any:
			v, ok := x[key]
			if !ok {
				return nil, missing(path)
			}
			removed = v
			delete(x, key)
			return x, nil
		case []any:
			i, err := element(key, len(x), false)
			if err != nil {
				return nil, err
			}
			removed = x[i]
			return append(append([]any{}, x[:i]...), x[i+1:]...), nil
		}
		return nil, missing(path)
	})
	return rest, removed, err
}

// Merge applies a merge patch: null deletes, objects merge, all else replaces.
func Merge(doc, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return Copy(patch)
	}
	d, ok := doc.(map[string]any)
	if !ok {
		d = map[string]any{}
	}
	for k, v := range p {
		if v == nil {
			delete(d, k)
		} else {
			d[k] = Merge(d[k], v)
		}
	}
	return d
}
