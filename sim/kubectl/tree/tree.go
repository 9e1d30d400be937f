// Package tree holds the small helpers with which kubectl reads and changes
// API objects as JSON trees (map[string]any, []any, string, bool, nil, int64,
// float64). Converting typed objects to trees and back is package api's.
package tree

import "sort"

// Map is one JSON object.
type Map = map[string]any

// Get walks the named fields; nil when any is missing.
func Get(m Map, path ...string) any {
	var v any = m
	for _, p := range path {
		mm, ok := v.(Map)
		if !ok {
			return nil
		}
		v = mm[p]
	}
	return v
}

// String is the string at the path, "" when it is missing or not a string.
func String(m Map, path ...string) string {
	s, _ := Get(m, path...).(string)
	return s
}

// Bool is the boolean at the path.
func Bool(m Map, path ...string) bool {
	b, _ := Get(m, path...).(bool)
	return b
}

// Int is the whole number at the path; ok is false when there is none.
func Int(m Map, path ...string) (n int64, ok bool) {
	switch v := Get(m, path...).(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case float64:
		return int64(v), v == float64(int64(v))
	}
	return 0, false
}

// Sub is the object at the path, nil when there is none.
func Sub(m Map, path ...string) Map {
	s, _ := Get(m, path...).(Map)
	return s
}

// Slice is the list at the path, nil when there is none.
func Slice(m Map, path ...string) []any {
	s, _ := Get(m, path...).([]any)
	return s
}

// Maps is the list at the path, those of its items that are objects.
func Maps(m Map, path ...string) []Map {
	var out []Map
	for _, v := range Slice(m, path...) {
		if mm, ok := v.(Map); ok {
			out = append(out, mm)
		}
	}
	return out
}

// Strings is the map of strings at the path (labels, annotations, data).
func Strings(m Map, path ...string) map[string]string {
	sub := Sub(m, path...)
	if sub == nil {
		return nil
	}
	out := make(map[string]string, len(sub))
	for k, v := range sub {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}

// Set puts a value at the path, making the objects on the way.
func Set(m Map, value any, path ...string) {
	for _, p := range path[:len(path)-1] {
		next, ok := m[p].(Map)
		if !ok {
			next = Map{}
			m[p] = next
		}
		m = next
	}
	m[path[len(path)-1]] = value
}

// Delete removes the field at the path, if it is there.
func Delete(m Map, path ...string) {
	if sub := Sub(m, path[:len(path)-1]...); sub != nil {
		delete(sub, path[len(path)-1])
	}
}

// Copy copies a tree deeply.
func Copy[T any](v T) T {
	c, _ := copyAny(v).(T)
	return c
}

func copyAny(v any) any {
	switch x := v.(type) {
	case Map:
		if x == nil {
			return x
		}
		out := make(Map, len(x))
		for k, e := range x {
			out[k] = copyAny(e)
		}
		return out
	case []any:
		if x == nil {
			return x
		}
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = copyAny(e)
		}
		return out
	}
	return v
}

// Keys lists the keys of a map, sorted.
func Keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Name, Namespace, Kind and APIVersion are the fields that every object has.
func Name(m Map) string       { return String(m, "metadata", "name") }
func Namespace(m Map) string  { return String(m, "metadata", "namespace") }
func Kind(m Map) string       { return String(m, "kind") }
func APIVersion(m Map) string { return String(m, "apiVersion") }

// IsList reports whether the object is a list of objects.
func IsList(m Map) bool {
	_, ok := m["items"].([]any)
	return ok
}
