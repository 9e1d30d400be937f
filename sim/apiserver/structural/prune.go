// Pruning and defaulting.

package structural

import (
	"maps"
	"slices"
	"strconv"
)

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// embedded are the fields of every object, which embedded resources may have.
var embedded = map[string]bool{"apiVersion": true, "kind": true, "metadata": true}

// Prune removes the fields that the schema does not know and returns their paths.
func (s *Schema) Prune(v any, path string) (removed []string) {
	switch x := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(x)) {
			child := s.Properties[name]
			if child == nil {
				child = s.Additional
			}
			switch {
			case s.XEmbeddedResource && embedded[name]:
			case child != nil:
				removed = append(removed, child.Prune(x[name], join(path, name))...)
			case s.Preserve || s.AnyAdditional:
			default:
				delete(x, name)
				removed = append(removed, join(path, name))
			}
		}
	case []any:
		if s.Items != nil {
			for i, e := range x {
				removed = append(removed, s.Items.Prune(e, path+"["+strconv.Itoa(i)+"]")...)
			}
		}
	}
	return removed
}

// Default fills in what is missing.
func (s *Schema) Default(v any) {
	switch x := v.(type) {
	case map[string]any:
		for _, name := range s.names {
			child := s.Properties[name]
			have, ok := x[name]
			if ok && have == nil && child.hasDefault && !child.Nullable {
				ok = false // null does not count where it is not allowed
			}
			if !ok && child.hasDefault {
				x[name] = copied(child.fallback)
				ok = true
			}
			if ok {
				child.Default(x[name])
			}
		}
		if s.Additional != nil {
			for name, e := range x {
				if s.Properties[name] == nil {
					s.Additional.Default(e)
				}
			}
		}
	case []any:
		if s.Items != nil {
			for _, e := range x {
				s.Items.Default(e)
			}
		}
	}
}

func copied(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = copied(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = copied(e)
		}
		return out
	}
	return v
}
