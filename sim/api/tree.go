// This file converts typed objects to JSON trees and back, by the rules of
// encoding/json but without its bytes: patches, server-side apply, field
// selectors and JSONPath all work on trees. A tree is made of map[string]any,
// []any, string, bool, nil, int64 and float64 (see metav1.DecodeTree). Names are
// matched by case; unknown fields are left to package schema's strict decoding;
// type errors are worded as the API server words them.

package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/kubonsai/kubonsai/sim/api/intstr"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/resource"
)

// ToTree converts an object, or any other API struct by pointer. The tree shares nothing that can be changed with it.
func ToTree(obj any) (map[string]any, error) {
	v := reflect.ValueOf(obj)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil, fmt.Errorf("ToTree wants a pointer, not %T", obj)
	}
	tree, err := codecOf(v.Type()).encode(v)
	if err != nil {
		return nil, err
	}
	m, ok := tree.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%T is not a JSON object", obj)
	}
	return m, nil
}

// FromTree fills a zero object from a tree, *metav1.List and *metav1.Unstructured included.
// obj shares nothing that can be changed with the tree.
func FromTree(tree map[string]any, obj any) error {
	v := reflect.ValueOf(obj)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("FromTree wants a pointer, not %T", obj)
	}
	return new(decoder).value(codecOf(v.Type().Elem()), v.Elem(), tree)
}

// Decode makes the object that the tree's apiVersion and kind name: a typed one if the kind
// is known, else *metav1.Unstructured.
func Decode(tree map[string]any) (metav1.Object, error) {
	apiVersion, _ := tree["apiVersion"].(string)
	kind, _ := tree["kind"].(string)
	obj := newOrTree(metav1.FromAPIVersionAndKind(apiVersion, kind))
	return obj, FromTree(tree, obj)
}

func newOrTree(gvk metav1.GroupVersionKind) metav1.Object {
	if obj := New(gvk); obj != nil {
		return obj
	}
	return new(metav1.Unstructured)
}

// codec converts values of one Go type.
type codec struct {
	typ    reflect.Type
	encode func(v reflect.Value) (any, error)
	decode func(d *decoder, v reflect.Value, in any) error // in is never nil
}

type fieldCodec struct {
	name      string
	path      []string // names for error messages, those of inlined structs included
	index     []int
	omitEmpty bool
	isZero    func(reflect.Value) bool // not nil: omitzero
	codec     *codec
}

// decoder knows where in the tree it is, for error messages.
type decoder struct {
	owner string
	path  []string
}

func (d *decoder) value(c *codec, v reflect.Value, in any) error {
	if in == nil { // null empties what can be empty and leaves the rest
		switch v.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
			v.SetZero()
		}
		return nil
	}
	return c.decode(d, v, in)
}

// mismatch is the error of a JSON value that a Go type cannot hold.
func (d *decoder) mismatch(in any, t reflect.Type) error {
	e := &json.UnmarshalTypeError{Type: t, Struct: d.owner, Field: strings.Join(d.path, ".")}
	switch x := in.(type) {
	case map[string]any:
		e.Value = "object"
	case []any:
		e.Value = "array"
	case string:
		e.Value = "string"
	case bool:
		e.Value = "bool"
	default:
		e.Value = "number"
		switch t.Kind() { // a number of the wrong sort is quoted
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
			reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			if text, err := json.Marshal(x); err == nil {
				e.Value += " " + string(text)
			}
		}
	}
	return e
}

// custom adds the place to an error of a type's own UnmarshalJSON.
func (d *decoder) custom(err error) error {
	if e, ok := err.(*json.UnmarshalTypeError); ok && d.owner != "" {
		path := d.path
		if e.Field != "" {
			path = append(path[:len(path):len(path)], e.Field)
		}
		e.Struct, e.Field = d.owner, strings.Join(path, ".")
	}
	return err
}

var (
	codecs   sync.Map // reflect.Type -> *codec, complete ones only
	codecsMu sync.Mutex
)

func codecOf(t reflect.Type) *codec {
	if c, ok := codecs.Load(t); ok {
		return c.(*codec)
	}
	codecsMu.Lock()
	defer codecsMu.Unlock()
	fresh := map[reflect.Type]*codec{}
	c := makeCodec(t, fresh)
	for t, c := range fresh {
		codecs.Store(t, c)
	}
	return c
}

// makeCodec registers c before it looks at the type's parts, because types may hold themselves.
func makeCodec(t reflect.Type, fresh map[reflect.Type]*codec) *codec {
	if c, ok := codecs.Load(t); ok {
		return c.(*codec)
	}
	if c := fresh[t]; c != nil {
		return c
	}
	c := &codec{typ: t}
	fresh[t] = c
	if special(c) {
		return c
	}
	var elem *codec
	switch t.Kind() {
	case reflect.Bool:
		c.encode = func(v reflect.Value) (any, error) { return v.Bool(), nil }
		c.decode = func(d *decoder, v reflect.Value, in any) error {
			b, ok := in.(bool)
			if !ok {
				return d.mismatch(in, t)
			}
			v.SetBool(b)
			return nil
		}
	case reflect.String:
		c.encode = func(v reflect.Value) (any, error) { return v.String(), nil }
		c.decode = func(d *decoder, v reflect.Value, in any) error {
			s, ok := in.(string)
			if !ok {
				return d.mismatch(in, t)
			}
			v.SetString(s)
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		c.encode = func(v reflect.Value) (any, error) { return v.Int(), nil }
		c.decode = func(d *decoder, v reflect.Value, in any) error {
			n, ok := integer(in)
			if !ok || v.OverflowInt(n) {
				return d.mismatch(in, t)
			}
			v.SetInt(n)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		c.encode = func(v reflect.Value) (any, error) { return int64(v.Uint()), nil }
		c.decode = func(d *decoder, v reflect.Value, in any) error {
			n, ok := integer(in)
			if !ok || n < 0 || v.OverflowUint(uint64(n)) {
				return d.mismatch(in, t)
			}
			v.SetUint(uint64(n))
			return nil
		}
	case reflect.Float32, reflect.Float64:
		c.encode = func(v reflect.Value) (any, error) { return v.Float(), nil }
		c.decode = func(d *decoder, v reflect.Value, in any) error {
			if n, ok := integer(in); ok {
				v.SetFloat(float64(n))
			} else if f, ok := in.(float64); ok {
				v.SetFloat(f)
			} else {
				return d.mismatch(in, t)
			}
			return nil
		}
	case reflect.Pointer:
		elem = makeCodec(t.Elem(), fresh)
		c.encode = func(v reflect.Value) (any, error) {
			if v.IsNil() {
				return nil, nil
			}
			return elem.encode(v.Elem())
		}
		c.decode = func(d *decoder, v reflect.Value, in any) error {
			if v.IsNil() {
				v.Set(reflect.New(t.Elem()))
			}
			return elem.decode(d, v.Elem(), in)
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			bytesCodec(c)
			break
		}
		elem = makeCodec(t.Elem(), fresh)
		c.encode = func(v reflect.Value) (any, error) {
			if v.IsNil() {
				return nil, nil
			}
			out := make([]any, v.Len())
			for i := range out {
				var err error
				if out[i], err = elem.encode(v.Index(i)); err != nil {
					return nil, err
				}
			}
			return out, nil
		}
		c.decode = func(d *decoder, v reflect.Value, in any) error {
			list, ok := in.([]any)
			if !ok {
				return d.mismatch(in, t)
			}
			out := reflect.MakeSlice(t, len(list), len(list))
			for i, e := range list {
				if err := d.value(elem, out.Index(i), e); err != nil {
					return err
				}
			}
			v.Set(out)
			return nil
		}
	case reflect.Map:
		elem = makeCodec(t.Elem(), fresh)
		c.encode = func(v reflect.Value) (any, error) {
			if v.IsNil() {
				return nil, nil
			}
			out := make(map[string]any, v.Len())
			for it := v.MapRange(); it.Next(); {
				e, err := elem.encode(it.Value())
				if err != nil {
					return nil, err
				}
				out[it.Key().String()] = e
			}
			return out, nil
		}
		c.decode = func(d *decoder, v reflect.Value, in any) error {
			m, ok := in.(map[string]any)
			if !ok {
				return d.mismatch(in, t)
			}
			out := reflect.MakeMapWithSize(t, len(m))
			for k, e := range m {
				ev := reflect.New(t.Elem()).Elem()
				if err := d.value(elem, ev, e); err != nil {
					return err
				}
				out.SetMapIndex(reflect.ValueOf(k).Convert(t.Key()), ev)
			}
			v.Set(out)
			return nil
		}
	case reflect.Struct:
		structCodec(c, fresh)
	case reflect.Interface:
		c.encode = encodeAny
		c.decode = func(d *decoder, v reflect.Value, in any) error {
			if t.NumMethod() != 0 {
				return d.mismatch(in, t)
			}
			v.Set(reflect.ValueOf(copyTree(in)))
			return nil
		}
	default:
		panic("api: no JSON form for " + t.String())
	}
	return c
}

func encodeAny(v reflect.Value) (any, error) {
	if v.IsNil() {
		return nil, nil
	}
	switch x := v.Interface().(type) {
	case map[string]any, []any, string, bool, int64, float64:
		return copyTree(x), nil
	case int:
		return int64(x), nil
	}
	return codecOf(v.Elem().Type()).encode(v.Elem())
}

func structCodec(c *codec, fresh map[reflect.Type]*codec) {
	t := c.typ
	fields := fieldsOf(t, nil, nil, fresh)
	c.encode = func(v reflect.Value) (any, error) {
		out := make(map[string]any, 4)
		for i := range fields {
			f := &fields[i]
			fv := v.FieldByIndex(f.index)
			if f.omitEmpty && empty(fv) || f.isZero != nil && f.isZero(fv) {
				continue
			}
			e, err := f.codec.encode(fv)
			if err != nil {
				return nil, err
			}
			out[f.name] = e
		}
		return out, nil
	}
	c.decode = func(d *decoder, v reflect.Value, in any) error {
		m, ok := in.(map[string]any)
		if !ok {
			return d.mismatch(in, t)
		}
		if len(m) == 0 {
			return nil
		}
		owner, path := d.owner, d.path
		for i := range fields {
			f := &fields[i]
			e, ok := m[f.name]
			if !ok {
				continue
			}
			d.owner, d.path = t.Name(), append(path, f.path...)
			if err := d.value(f.codec, v.FieldByIndex(f.index), e); err != nil {
				return err
			}
		}
		d.owner, d.path = owner, path
		return nil
	}
}

func fieldsOf(t reflect.Type, index []int, path []string, fresh map[reflect.Type]*codec) []fieldCodec {
	var out []fieldCodec
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if name == "-" || !sf.IsExported() {
			continue
		}
		at := append(index[:len(index):len(index)], i)
		if name == "" && sf.Anonymous {
			if sf.Type.Kind() != reflect.Struct {
				panic("api: " + t.String() + " inlines the pointer " + sf.Name)
			}
			out = append(out, fieldsOf(sf.Type, at, append(path[:len(path):len(path)], sf.Name), fresh)...)
			continue
		}
		if name == "" {
			name = sf.Name
		}
		f := fieldCodec{name: name, path: append(path[:len(path):len(path)], name), index: at, codec: makeCodec(sf.Type, fresh)}
		for o := range strings.SplitSeq(options, ",") {
			f.omitEmpty = f.omitEmpty || o == "omitempty"
			if o == "omitzero" {
				f.isZero = zeroFunc(sf.Type)
			}
		}
		out = append(out, f)
	}
	return out
}

func zeroFunc(t reflect.Type) func(reflect.Value) bool {
	switch t {
	case reflect.TypeFor[metav1.Time]():
		return func(v reflect.Value) bool { return v.Interface().(metav1.Time).Time.IsZero() }
	case reflect.TypeFor[metav1.MicroTime]():
		return func(v reflect.Value) bool { return v.Interface().(metav1.MicroTime).Time.IsZero() }
	}
	return reflect.Value.IsZero
}

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.String, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func bytesCodec(c *codec) {
	c.encode = func(v reflect.Value) (any, error) {
		if v.IsNil() {
			return nil, nil
		}
		return base64.StdEncoding.EncodeToString(v.Bytes()), nil
	}
	c.decode = func(d *decoder, v reflect.Value, in any) error {
		s, ok := in.(string)
		if !ok {
			return d.mismatch(in, c.typ)
		}
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return err
		}
		v.SetBytes(b)
		return nil
	}
}

func integer(in any) (int64, bool) {
	switch x := in.(type) {
	case int64:
		return x, true
	case int:
		return int64(x), true
	}
	return 0, false
}

var marshaler = reflect.TypeFor[json.Marshaler]()

// special gives a codec to types whose JSON form is not their Go form. The usual ones get short cuts.
func special(c *codec) bool {
	switch c.typ {
	case reflect.TypeFor[metav1.Time]():
		c.encode = func(v reflect.Value) (any, error) { return orNull(v.Interface().(metav1.Time).String()), nil }
	case reflect.TypeFor[metav1.MicroTime]():
		c.encode = func(v reflect.Value) (any, error) { return orNull(v.Interface().(metav1.MicroTime).String()), nil }
	case reflect.TypeFor[metav1.Duration]():
		c.encode = func(v reflect.Value) (any, error) { return v.Interface().(metav1.Duration).Duration.String(), nil }
	case quantityType:
		c.encode = func(v reflect.Value) (any, error) {
			q := v.Interface().(resource.Quantity)
			return q.String(), nil
		}
	case reflect.TypeFor[intstr.IntOrString]():
		c.encode = func(v reflect.Value) (any, error) {
			if x := v.Interface().(intstr.IntOrString); x.Type == intstr.String {
				return x.StrVal, nil
			} else {
				return int64(x.IntVal), nil
			}
		}
	case reflect.TypeFor[metav1.Unstructured]():
		unstructuredCodec(c)
		return true
	case reflect.TypeFor[metav1.List]():
		listCodec(c)
		return true
	default:
		if c.typ.Kind() == reflect.Pointer || c.typ.Kind() == reflect.Interface || !reflect.PointerTo(c.typ).Implements(marshaler) {
			return false
		}
		c.encode = func(v reflect.Value) (any, error) {
			data, err := json.Marshal(v.Interface())
			if err != nil {
				return nil, err
			}
			return metav1.DecodeTree(data)
		}
	}
	c.decode = func(d *decoder, v reflect.Value, in any) error {
		data, err := literal(in)
		if err != nil {
			return err
		}
		return d.custom(v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(data))
	}
	return true
}

// literal is json.Marshal with a short cut for strings that need no escape.
func literal(in any) ([]byte, error) {
	switch x := in.(type) {
	case int64:
		return strconv.AppendInt(nil, x, 10), nil
	case string:
		plain := true
		for i := range len(x) {
			plain = plain && x[i] >= ' ' && x[i] < 0x7f && x[i] != '"' && x[i] != '\\'
		}
		if plain {
			buf := make([]byte, 0, len(x)+2)
			return append(append(append(buf, '"'), x...), '"'), nil
		}
	}
	return json.Marshal(in)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func unstructuredCodec(c *codec) {
	c.encode = func(v reflect.Value) (any, error) {
		u := v.Addr().Interface().(*metav1.Unstructured)
		out := make(map[string]any, len(u.Object)+3)
		for k, e := range u.Object {
			out[k] = copyTree(e)
		}
		meta, err := ToTree(&u.ObjectMeta)
		if err != nil {
			return nil, err
		}
		out["metadata"] = meta
		if u.APIVersion != "" {
			out["apiVersion"] = u.APIVersion
		}
		if u.Kind != "" {
			out["kind"] = u.Kind
		}
		return out, nil
	}
	c.decode = func(d *decoder, v reflect.Value, in any) error {
		m, ok := in.(map[string]any)
		if !ok {
			return d.mismatch(in, c.typ)
		}
		u := v.Addr().Interface().(*metav1.Unstructured)
		var head struct {
			metav1.TypeMeta
			metav1.ObjectMeta `json:"metadata"`
		}
		hv := reflect.ValueOf(&head).Elem()
		if err := d.value(codecOf(hv.Type()), hv, m); err != nil {
			return err
		}
		*u = metav1.Unstructured{TypeMeta: head.TypeMeta, ObjectMeta: head.ObjectMeta, Object: make(map[string]any, len(m))}
		for k, e := range m {
			if k != "apiVersion" && k != "kind" && k != "metadata" {
				u.Object[k] = copyTree(e)
			}
		}
		return nil
	}
}

// listCodec decodes items by their own kind, or by the list's where they do not say theirs, as typed lists do.
func listCodec(c *codec) {
	type head struct {
		metav1.TypeMeta
		metav1.ListMeta `json:"metadata"`
	}
	c.encode = func(v reflect.Value) (any, error) {
		l := v.Addr().Interface().(*metav1.List)
		out, err := ToTree(&head{l.TypeMeta, l.ListMeta})
		if err != nil {
			return nil, err
		}
		items := make([]any, len(l.Items))
		for i, obj := range l.Items {
			if items[i], err = ToTree(obj); err != nil {
				return nil, err
			}
		}
		out["items"] = items
		return out, nil
	}
	c.decode = func(d *decoder, v reflect.Value, in any) error {
		m, ok := in.(map[string]any)
		if !ok {
			return d.mismatch(in, c.typ)
		}
		var h head
		if err := FromTree(m, &h); err != nil {
			return err
		}
		l := metav1.List{TypeMeta: h.TypeMeta, ListMeta: h.ListMeta, Items: []metav1.Object{}}
		items, ok := m["items"].([]any)
		if !ok && m["items"] != nil {
			return d.mismatch(m["items"], reflect.TypeFor[[]metav1.Object]())
		}
		for _, item := range items {
			tree, ok := item.(map[string]any)
			if !ok {
				return d.mismatch(item, reflect.TypeFor[metav1.Object]())
			}
			gvk := h.GroupVersionKind()
			gvk.Kind = strings.TrimSuffix(gvk.Kind, "List")
			if kind, _ := tree["kind"].(string); kind != "" {
				apiVersion, _ := tree["apiVersion"].(string)
				gvk = metav1.FromAPIVersionAndKind(apiVersion, kind)
			}
			obj := newOrTree(gvk)
			if err := FromTree(tree, obj); err != nil {
				return err
			}
			l.Items = append(l.Items, obj)
		}
		*v.Addr().Interface().(*metav1.List) = l
		return nil
	}
}
