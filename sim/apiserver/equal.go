// This file compares objects: a write that changes nothing is not stored.

package apiserver

import (
	"reflect"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
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
		} else if !resource.SameValue(x.Field(i), y.Field(i)) {
			return false
		}
	}
	return true
}

var objectMetaType = reflect.TypeFor[metav1.ObjectMeta]()

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

// sameValue is resource.SameValue of API values.
func sameValue(a, b any) bool { return resource.SameValue(reflect.ValueOf(a), reflect.ValueOf(b)) }

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
