// This file compares objects: a write that changes nothing is not stored.

package apiserver

import (
	"reflect"
	"time"

	quantity "github.com/kubonsai/kubonsai/sim/api/resource"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// unchanged reports that two objects differ in nothing but when their fields
// were last managed.
func unchanged(a, b metav1.Object) bool {
	if !sameValue(a.GetObjectMeta().Finalizers, b.GetObjectMeta().Finalizers) {
		return false // the usual reasons first
	}
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	if x.Type() != y.Type() {
		return false
	}
	for i := x.NumField() - 1; i >= 0; i-- { // status is last
		if x.Field(i).Type() == objectMetaType {
			if !sameMeta(a.GetObjectMeta(), b.GetObjectMeta()) {
				return false
			}
		} else if !same(x.Field(i), y.Field(i)) {
			return false
		}
	}
	return true
}

var (
	objectMetaType = reflect.TypeFor[metav1.ObjectMeta]()
	quantityType   = reflect.TypeFor[quantity.Quantity]()
	timeType       = reflect.TypeFor[time.Time]()
)

func sameMeta(a, b *metav1.ObjectMeta) bool {
	x, y := *a, *b
	if len(x.ManagedFields) != len(y.ManagedFields) {
		return false
	}
	for i := range x.ManagedFields {
		e, f := x.ManagedFields[i], y.ManagedFields[i]
		e.Time, f.Time = nil, nil
		if !sameValue(e, f) {
			return false
		}
	}
	x.ManagedFields, y.ManagedFields = nil, nil
	return sameValue(x, y)
}

// sameValue compares as the API does: what is empty equals what is absent.
func sameValue(a, b any) bool { return same(reflect.ValueOf(a), reflect.ValueOf(b)) }

func same(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Type() {
	case quantityType:
		x, y := a.Interface().(quantity.Quantity), b.Interface().(quantity.Quantity)
		return x.Cmp(y) == 0
	case timeType:
		return a.Interface().(time.Time).Equal(b.Interface().(time.Time))
	}
	switch a.Kind() {
	case reflect.String:
		return a.String() == b.String()
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer:
		return a.Pointer() == b.Pointer() || !a.IsNil() && !b.IsNil() && same(a.Elem(), b.Elem())
	case reflect.Interface:
		return same(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		if a.Len() == 0 || a.Pointer() == b.Pointer() {
			return true
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() {
			return false
		}
		if a.Len() == 0 || a.Pointer() == b.Pointer() {
			return true
		}
		for it := a.MapRange(); it.Next(); {
			if v := b.MapIndex(it.Key()); !v.IsValid() || !same(it.Value(), v) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

// keepFields sets every field of obj to old's, but for metadata and those named.
func keepFields(obj, old metav1.Object, but ...string) {
	x, y := reflect.ValueOf(obj).Elem(), reflect.ValueOf(old).Elem()
	for i := range x.NumField() {
		f := x.Type().Field(i)
		if f.Type != objectMetaType && !has(but, f.Name) {
			x.Field(i).Set(y.Field(i))
		}
	}
}
