// Package schema tells what the API's published schemas say of each type: the
// fields with their kinds, which are required, enums, defaults, and how lists
// and maps merge. It serves strict decoding, patches, server-side apply, explain
// and the OpenAPI endpoints. The facts are one embedded table, written by
// scripts/gen; a type is parsed when it is first asked for.
//
// The table has one line for each type: its name and the words of its own
// value, then its fields, separated by tabs; each field is its name (with ! if
// it is required) and the words of its value, separated by spaces. The first
// word is the kind: o(bject), s(tring), i(nteger), n(umber), b(oolean), t(ime),
// x int-or-string, q(uantity), ? any, r and a type's name, a or m (array, map)
// and the kind of its elements; a format follows after a colon. Further words:
// E enum, D default, P patch strategy, G patch merge key, L list type, Y list
// map keys, M map type; a dot before them for each level of elements they belong
// to. A type's line may go on with K group/version/kind and U unions. In names ^
// and ~ stand for the packages of meta/v1 and k8s.io/api, a leading dot for the
// type's own package; in enums ~ stands for a space.
package schema

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
)

//go:embed zz_generated.table.txt
var table string

// Kind is the sort of JSON value that a field holds.
type Kind string

// The kinds of values. Object has a Ref, or is a JSON object of any content;
// Array and Map have an Elem.
const (
	Object      Kind = "object"
	Array       Kind = "array"
	Map         Kind = "map"
	String      Kind = "string"
	Integer     Kind = "integer"
	Number      Kind = "number"
	Boolean     Kind = "boolean"
	Any         Kind = "any"
	IntOrString Kind = "int-or-string"
	Quantity    Kind = "quantity"
	Time        Kind = "time"
	MicroTime   Kind = "micro-time"
)

// Value is what the schema says of one place in a document.
type Value struct {
	Kind   Kind
	Format string // int32, int64, double, byte, date-time…
	Ref    string // full name of the type, if it has one: io.k8s.api.core.v1.Container
	Elem   *Value // of arrays and maps

	Enum    []string // as published: sorted
	Default string   // JSON text; "" is none

	PatchStrategy string // merge, replace, retainKeys, or two of them with a comma
	PatchMergeKey string
	ListType      string // atomic, set, map; "" is atomic
	ListMapKeys   []string
	MapType       string // atomic, granular; "" is granular
}

// Field is one field of a type.
type Field struct {
	Name     string
	Required bool
	Value
}

// GroupVersionKind names a kind that a type is the schema of.
type GroupVersionKind struct{ Group, Version, Kind string }

// Union is a set of fields of which at most one is set.
type Union struct {
	Discriminator string            // the field that says which, or ""
	Members       map[string]string // field -> the discriminator's value
}

// Type is one named schema.
type Type struct {
	Name string // io.k8s.api.core.v1.Pod
	Value
	Fields []Field // by name
	Kinds  []GroupVersionKind
	Unions []Union
}

// Field returns the named field, or nil.
func (t *Type) Field(name string) *Field {
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return &t.Fields[i]
		}
	}
	return nil
}

// ShortName is the name without its package: Pod.
func (t *Type) ShortName() string { return t.Name[strings.LastIndexByte(t.Name, '.')+1:] }

// Type returns the type that the value, or for arrays and maps the innermost element, refers to; nil if none.
func (v *Value) Type() *Type {
	for v.Elem != nil {
		v = v.Elem
	}
	if v.Ref == "" {
		return nil
	}
	return Lookup(v.Ref)
}

// AtomicMap reports whether an object or map is replaced as a whole, by its own mark or its type's.
func (v *Value) AtomicMap() bool {
	if v.MapType != "" || v.Kind != Object {
		return v.MapType == "atomic"
	}
	t := v.Type()
	return t != nil && t.MapType == "atomic"
}

// Lookup finds a type by its full name, or returns nil. Types are shared: do not change them.
func Lookup(fullName string) *Type {
	l := lines()
	t := l.byName[fullName]
	if t == nil {
		return nil
	}
	t.once.Do(t.parse)
	return &t.Type
}

// ForKind finds the type of a kind (lists included), or returns nil.
func ForKind(group, version, kind string) *Type {
	return Lookup(lines().byKind[GroupVersionKind{group, version, kind}])
}

// Names lists the full names of all types, sorted.
func Names() []string { return lines().names }

// RefPrefix precedes a type's full name in an OpenAPI v3 $ref.
const RefPrefix = "#/components/schemas/"

// FullName turns k8s.io/api/apps/v1.Deployment, or an OpenAPI v2 or v3 $ref, into io.k8s.api.apps.v1.Deployment.
func FullName(s string) string {
	for _, prefix := range []string{RefPrefix, "#/definitions/"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			return rest
		}
	}
	if rest, ok := strings.CutPrefix(s, "k8s.io/"); ok {
		return "io.k8s." + strings.ReplaceAll(rest, "/", ".")
	}
	return s
}

// GoName turns io.k8s.api.apps.v1.Deployment into upstream's k8s.io/api/apps/v1.Deployment.
func GoName(fullName string) string {
	rest, ok := strings.CutPrefix(fullName, "io.k8s.")
	i := strings.LastIndexByte(rest, '.')
	if !ok || i < 0 {
		return fullName
	}
	return "k8s.io/" + strings.ReplaceAll(rest[:i], ".", "/") + rest[i:]
}

type entry struct {
	Type
	line string
	once sync.Once
}

type allLines struct {
	byName map[string]*entry
	byKind map[GroupVersionKind]string
	names  []string
}

// lines finds where each type is; it parses no more than names and kinds.
var lines = sync.OnceValue(func() *allLines {
	l := &allLines{byName: map[string]*entry{}, byKind: map[GroupVersionKind]string{}}
	for line := range strings.Lines(table) {
		line = strings.TrimSuffix(line, "\n")
		head, _, _ := strings.Cut(line, "\t")
		short, words, _ := strings.Cut(head, " ")
		e := &entry{line: line}
		e.Name = longName(short, "")
		for w := range strings.SplitSeq(words, " ") {
			if strings.HasPrefix(w, "K") {
				k := parseKind(w[1:])
				e.Kinds = append(e.Kinds, k)
				l.byKind[k] = e.Name
			}
		}
		l.byName[e.Name] = e
		l.names = append(l.names, e.Name)
	}
	return l
})

func (e *entry) parse() {
	head, fields, _ := strings.Cut(e.line, "\t")
	e.line = ""
	_, words, _ := strings.Cut(head, " ")
	var own []string
	for w := range strings.SplitSeq(words, " ") {
		switch {
		case strings.HasPrefix(w, "U"):
			parts := strings.Split(w[1:], ",")
			u := Union{Discriminator: parts[0], Members: map[string]string{}}
			for _, p := range parts[1:] {
				field, value, _ := strings.Cut(p, "=")
				u.Members[field] = value
			}
			e.Unions = append(e.Unions, u)
		case w != "" && !strings.HasPrefix(w, "K"):
			own = append(own, w)
		}
	}
	pkg := e.Name[:strings.LastIndexByte(e.Name, '.')]
	e.Value = Value{Kind: Object}
	if own != nil {
		e.Value = parseValue(own, pkg)
	}
	if k, ok := wellKnown[e.Name]; ok {
		e.Kind = k
	}
	if fields == "" {
		return
	}
	for f := range strings.SplitSeq(fields, "\t") {
		words := strings.Split(f, " ")
		name, required := strings.CutSuffix(words[0], "!")
		e.Fields = append(e.Fields, Field{Name: name, Required: required, Value: parseValue(words[1:], pkg)})
	}
}

// wellKnown are types whose JSON is not an object, or one without a schema.
var wellKnown = map[string]Kind{
	"io.k8s.apimachinery.pkg.api.resource.Quantity":                                         Quantity,
	"io.k8s.apimachinery.pkg.util.intstr.IntOrString":                                       IntOrString,
	"io.k8s.apimachinery.pkg.apis.meta.v1.Time":                                             Time,
	"io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime":                                        MicroTime,
	"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON":                         Any,
	"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray":       Any,
	"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool":        Any,
	"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": Any,
}

func parseValue(words []string, pkg string) Value {
	var v Value
	at := []*Value{&v} // by depth
	for code := words[0]; ; code = code[1:] {
		here := at[len(at)-1]
		if code[0] != 'a' && code[0] != 'm' {
			here.scalar(code, pkg)
			break
		}
		here.Kind, here.Elem = Array, new(Value)
		if code[0] == 'm' {
			here.Kind = Map
		}
		at = append(at, here.Elem)
	}
	for _, w := range words[1:] {
		bare := strings.TrimLeft(w, ".")
		at[len(w)-len(bare)].attribute(bare[0], bare[1:])
	}
	return v
}

func (v *Value) scalar(code, pkg string) {
	if code[0] == 'r' {
		v.Kind, v.Ref = Object, longName(code[1:], pkg)
		if k, ok := wellKnown[v.Ref]; ok {
			v.Kind = k
		}
		return
	}
	kind, format, _ := strings.Cut(code, ":")
	v.Format = format
	v.Kind = map[string]Kind{"o": Object, "s": String, "i": Integer, "n": Number, "b": Boolean,
		"t": Time, "x": IntOrString, "q": Quantity, "?": Any}[kind]
	if v.Kind == Time {
		v.Format = "date-time"
	}
}

func (v *Value) attribute(letter byte, text string) {
	switch letter {
	case 'E':
		v.Enum = strings.Split(strings.ReplaceAll(text, "~", " "), ",")
	case 'D':
		v.Default = text
	case 'P':
		v.PatchStrategy = text
	case 'G':
		v.PatchMergeKey = text
	case 'L':
		v.ListType = text
	case 'Y':
		v.ListMapKeys = strings.Split(text, ",")
	case 'M':
		v.MapType = text
	default:
		panic("schema: the table has the unknown word " + string(letter) + text)
	}
}

// DefaultValue decodes the default; nil if there is none.
func (v *Value) DefaultValue() any {
	if v.Default == "" {
		return nil
	}
	if v.Kind == Integer {
		var n int64
		if json.Unmarshal([]byte(v.Default), &n) == nil {
			return n
		}
	}
	var out any
	if err := json.Unmarshal([]byte(v.Default), &out); err != nil {
		panic("schema: default " + v.Default + ": " + err.Error())
	}
	return out
}

func parseKind(s string) GroupVersionKind {
	parts := strings.Split(s, "/")
	return GroupVersionKind{parts[0], parts[1], parts[2]}
}

func longName(short, pkg string) string {
	switch short[0] {
	case '^':
		return "io.k8s.apimachinery.pkg.apis.meta.v1." + short[1:]
	case '~':
		return "io.k8s.api." + short[1:]
	case '.':
		return pkg + short
	}
	return short
}
