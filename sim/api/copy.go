// This file copies API values. Objects in the store are immutable, so who wants
// to change one takes a DeepCopy, or a ShallowCopy and replaces what it changes.
// A copier is made once for each Go type; types that hold no reference have
// none, and are copied by assignment.

package api

import (
	"maps"
	"reflect"
	"sync"
	"time"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/resource"
)

// DeepCopy returns a copy that shares nothing that can be changed with v.
func DeepCopy[T any](v T) T {
	src := reflect.ValueOf(&v).Elem()
	c := copierOf(src.Type())
	if c.copy == nil {
		return v
	}
	var out T
	c.copy(reflect.ValueOf(&out).Elem(), src)
	return out
}

// ShallowCopy copies the top struct only: maps, slices and pointers are shared with obj.
func ShallowCopy(obj metav1.Object) metav1.Object {
	src := reflect.ValueOf(obj)
	dst := reflect.New(src.Type().Elem())
	dst.Elem().Set(src.Elem())
	return dst.Interface().(metav1.Object)
}

// copier copies values of one type; a nil copy means that assignment will do.
type copier struct {
	copy func(dst, src reflect.Value)
}

var (
	copiers   sync.Map // reflect.Type -> *copier, complete ones only
	copiersMu sync.Mutex

	timeType     = reflect.TypeFor[time.Time]()
	quantityType = reflect.TypeFor[resource.Quantity]()
	labelsType   = reflect.TypeFor[map[string]string]()
	treeType     = reflect.TypeFor[map[string]any]()
)

func copierOf(t reflect.Type) *copier {
	if c, ok := copiers.Load(t); ok {
		return c.(*copier)
	}
	copiersMu.Lock()
	defer copiersMu.Unlock()
	fresh := map[reflect.Type]*copier{}
	c := makeCopier(t, fresh)
	for t, c := range fresh {
		copiers.Store(t, c)
	}
	return c
}

// makeCopier registers c before it looks at the type's parts, because types may hold themselves
// (JSONSchemaProps does), and sets c.copy first wherever a part could lead back here.
func makeCopier(t reflect.Type, fresh map[reflect.Type]*copier) *copier {
	if c, ok := copiers.Load(t); ok {
		return c.(*copier)
	}
	if c := fresh[t]; c != nil {
		return c
	}
	c := &copier{}
	fresh[t] = c
	var elem *copier
	switch {
	case t == timeType: // its location is never changed
	case t == quantityType:
		c.copy = func(dst, src reflect.Value) {
			*dst.Addr().Interface().(*resource.Quantity) = src.Interface().(resource.Quantity).DeepCopy()
		}
	case t == labelsType:
		c.copy = func(dst, src reflect.Value) {
			dst.Set(reflect.ValueOf(maps.Clone(src.Interface().(map[string]string))))
		}
	case t == treeType:
		c.copy = func(dst, src reflect.Value) {
			if !src.IsNil() {
				dst.Set(reflect.ValueOf(copyTree(src.Interface())))
			}
		}
	case t.Kind() == reflect.Struct:
		var parts []int
		var copiers []*copier
		for i := range t.NumField() {
			if !t.Field(i).IsExported() {
				continue // copied by assignment
			}
			if part := makeCopier(t.Field(i).Type, fresh); part.copy != nil {
				parts, copiers = append(parts, i), append(copiers, part)
			}
		}
		if parts != nil {
			c.copy = func(dst, src reflect.Value) {
				dst.Set(src)
				for i, part := range parts {
					copiers[i].copy(dst.Field(part), src.Field(part))
				}
			}
		}
	case t.Kind() == reflect.Pointer:
		c.copy = func(dst, src reflect.Value) {
			if src.IsNil() {
				return
			}
			p := reflect.New(t.Elem())
			elem.assign(p.Elem(), src.Elem())
			dst.Set(p)
		}
		elem = makeCopier(t.Elem(), fresh)
	case t.Kind() == reflect.Slice:
		c.copy = func(dst, src reflect.Value) {
			if src.IsNil() {
				return
			}
			n := src.Len()
			s := reflect.MakeSlice(t, n, n)
			if elem.copy == nil {
				reflect.Copy(s, src)
			} else {
				for i := range n {
					elem.copy(s.Index(i), src.Index(i))
				}
			}
			dst.Set(s)
		}
		elem = makeCopier(t.Elem(), fresh)
	case t.Kind() == reflect.Map:
		c.copy = func(dst, src reflect.Value) {
			if src.IsNil() {
				return
			}
			m := reflect.MakeMapWithSize(t, src.Len())
			for it := src.MapRange(); it.Next(); {
				v := it.Value()
				if elem.copy != nil {
					v = reflect.New(t.Elem()).Elem()
					elem.copy(v, it.Value())
				}
				m.SetMapIndex(it.Key(), v)
			}
			dst.Set(m)
		}
		elem = makeCopier(t.Elem(), fresh)
	case t.Kind() == reflect.Interface:
		c.copy = func(dst, src reflect.Value) {
			if src.IsNil() {
				return
			}
			v := src.Elem()
			p := reflect.New(v.Type()).Elem()
			copierOf(v.Type()).assign(p, v)
			dst.Set(p)
		}
	}
	return c
}

func (c *copier) assign(dst, src reflect.Value) {
	if c.copy == nil {
		dst.Set(src)
	} else {
		c.copy(dst, src)
	}
}

// copyTree copies what DecodeTree can return.
func copyTree(v any) any {
	switch x := v.(type) {
	case map[string]any:
		if x == nil {
			return x
		}
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = copyTree(e)
		}
		return out
	case []any:
		if x == nil {
			return x
		}
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = copyTree(e)
		}
		return out
	case nil, string, bool, int64, float64, int:
		return v
	}
	return DeepCopy(v)
}
