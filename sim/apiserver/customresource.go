// This file makes served kinds of CustomResourceDefinitions: what a strategy is
// for a built-in resource follows here from the definition's schema.

package apiserver

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/util/jsonpath"

	"github.com/kubonsai/kubonsai/sim/api"
	apiextensionsv1 "github.com/kubonsai/kubonsai/sim/api/apiextensions/v1"
	"github.com/kubonsai/kubonsai/sim/api/duration"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
	"github.com/kubonsai/kubonsai/sim/apiserver/structural"
)

var customVerbs = []string{"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"}

// CustomKinds are the kinds that a definition serves, one a version.
func CustomKinds(crd *apiextensionsv1.CustomResourceDefinition) []*Kind {
	names := &crd.Spec.Names
	var out []*Kind
	var storage *api.Resource
	for i := range crd.Spec.Versions {
		v := &crd.Spec.Versions[i]
		gvk := metav1.GroupVersionKind{Group: crd.Spec.Group, Version: v.Name, Kind: names.Kind}
		r := &api.Resource{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Plural: names.Plural, Singular: names.Singular,
			ShortNames: names.ShortNames, Categories: names.Categories, Namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped,
			Verbs: customVerbs, New: func() metav1.Object {
				u := &metav1.Unstructured{Object: map[string]any{}}
				u.SetGroupVersionKind(gvk)
				return u
			}}
		if v.Storage {
			storage = r
		}
		if !v.Served {
			continue
		}
		if s := v.Subresources; s != nil {
			view := []string{"get", "patch", "update"}
			if s.Status != nil {
				r.Subresources = append(r.Subresources, api.Subresource{Name: "status", Kind: gvk, Verbs: view})
			}
			if s.Scale != nil {
				r.Subresources = append(r.Subresources, api.Subresource{Name: "scale", Kind: scaleKind, Verbs: view})
			}
		}
		k := &Kind{Resource: r, Dynamic: &Dynamic{}}
		var schema *structural.Schema
		if v.Schema != nil && v.Schema.OpenAPIV3Schema != nil {
			schema, _ = structural.Compile(v.Schema.OpenAPIV3Schema, nil)
			k.Dynamic.OpenAPI, _ = api.ToTree(v.Schema.OpenAPIV3Schema)
			if !crd.Spec.PreserveUnknownFields {
				k.Dynamic.Prune = func(tree map[string]any) []string { return schema.Prune(tree, "") }
			}
		}
		k.Strategy = customStrategy(k, v, schema)
		out = append(out, k)
	}
	for _, k := range out {
		if storage != nil && k.Version != storage.Version {
			own := k.Resource
			k.Storage = storage
			k.ToStorage = func(obj metav1.Object) metav1.Object { return versioned(obj, storage) }
			k.FromStorage = func(obj metav1.Object) metav1.Object { return versioned(obj, own) }
		}
	}
	return out
}

// versioned is the object in another version: nothing but its apiVersion differs.
func versioned(obj metav1.Object, r *api.Resource) metav1.Object {
	out := api.ShallowCopy(obj)
	setKind(out, r)
	return out
}

func customStrategy(k *Kind, v *apiextensionsv1.CustomResourceDefinitionVersion, schema *structural.Schema) *resource.Strategy {
	tree := func(obj metav1.Object) map[string]any { return obj.(*metav1.Unstructured).Object }
	s := &resource.Strategy{DenyUnconditionalUpdate: true}
	hasStatus := v.Subresources != nil && v.Subresources.Status != nil
	s.PrepareForCreate = func(_ *resource.Context, obj metav1.Object) {
		if hasStatus {
			delete(tree(obj), "status")
		}
		obj.GetObjectMeta().Generation = 1
	}
	check := func(obj, old metav1.Object) field.ErrorList {
		if schema == nil {
			return nil
		}
		var was any
		if old != nil {
			was, _ = api.ToTree(old)
		}
		now, err := api.ToTree(obj)
		if err != nil {
			return nil
		}
		return schema.Validate(now, was, nil, true)
	}
	s.Validate = func(_ *resource.Context, obj metav1.Object) field.ErrorList {
		if errs := validateMeta(k, obj.GetObjectMeta()); len(errs) > 0 {
			return errs
		}
		return check(obj, nil)
	}
	s.ValidateUpdate = func(_ *resource.Context, obj, old metav1.Object) field.ErrorList {
		return append(validateMetaUpdate(obj.GetObjectMeta(), old.GetObjectMeta()), check(obj, old)...)
	}
	s.ValidateStatusUpdate = s.ValidateUpdate
	if schema != nil {
		s.Default = func(obj metav1.Object) {
			if t := tree(obj); t != nil {
				schema.Default(t)
			}
		}
	}
	if v.Deprecated {
		text := k.APIVersion() + " " + k.Kind + " is deprecated"
		if v.DeprecationWarning != nil {
			text = *v.DeprecationWarning
		}
		s.Warnings = func(*resource.Context, metav1.Object, metav1.Object) []string { return []string{text} }
	}
	if v.Subresources != nil && v.Subresources.Scale != nil {
		s.Scale = customScale(v.Subresources.Scale)
	}
	s.Columns, s.Row = customTable(v.AdditionalPrinterColumns)
	if len(v.SelectableFields) > 0 {
		for _, f := range v.SelectableFields {
			s.FieldNames = append(s.FieldNames, strings.TrimPrefix(f.JSONPath, "."))
		}
		s.Fields = func(obj metav1.Object) fields.Set {
			out := fields.Set{}
			for _, name := range s.FieldNames {
				out[name] = ""
				if v := at(tree(obj), name); v != nil {
					out[name] = fmt.Sprint(v)
				}
			}
			return out
		}
	}
	return s
}

// at is the value at a simple path such as .spec.replicas.
func at(tree map[string]any, path string) any {
	var v any = tree
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	return v
}

func customScale(s *apiextensionsv1.CustomResourceSubresourceScale) *resource.Scale {
	count := func(tree map[string]any, path string) int32 { n, _ := at(tree, path).(int64); return int32(n) }
	return &resource.Scale{
		Get: func(obj metav1.Object) (int32, int32, string) {
			t := obj.(*metav1.Unstructured).Object
			selector := ""
			if s.LabelSelectorPath != nil {
				selector, _ = at(t, *s.LabelSelectorPath).(string)
			}
			return count(t, s.SpecReplicasPath), count(t, s.StatusReplicasPath), selector
		},
		Set: func(obj metav1.Object, n int32) {
			m := obj.(*metav1.Unstructured).Object
			parts := strings.Split(strings.TrimPrefix(s.SpecReplicasPath, "."), ".")
			for _, part := range parts[:len(parts)-1] {
				next, ok := m[part].(map[string]any)
				if !ok {
					next = map[string]any{}
					m[part] = next
				}
				m = next
			}
			m[parts[len(parts)-1]] = int64(n)
		},
	}
}

// customTable makes the columns of a definition: the name, and those that it
// lists, or the age.
func customTable(columns []apiextensionsv1.CustomResourceColumnDefinition) ([]metav1.TableColumnDefinition, func(metav1.Object, time.Time) []any) {
	if len(columns) == 0 {
		columns = []apiextensionsv1.CustomResourceColumnDefinition{{Name: "Age", Type: "date", JSONPath: ".metadata.creationTimestamp",
			Description: "The time since the server stored the object."}}
	}
	head := []metav1.TableColumnDefinition{{Name: "Name", Type: "string", Format: "name", Description: "The object's name, unique among its kind in its namespace."}}
	paths := make([]*jsonpath.JSONPath, len(columns))
	for i, c := range columns {
		head = append(head, metav1.TableColumnDefinition{Name: c.Name, Type: c.Type, Format: c.Format, Description: c.Description, Priority: c.Priority})
		p := jsonpath.New(c.Name)
		if p.Parse("{"+c.JSONPath+"}") == nil {
			p.AllowMissingKeys(true)
			paths[i] = p
		}
	}
	return head, func(obj metav1.Object, now time.Time) []any {
		cells := []any{obj.GetObjectMeta().Name}
		tree, err := api.ToTree(obj)
		for i, p := range paths {
			var cell any
			if p != nil && err == nil {
				cell = customCell(p, columns[i].Type, tree, now)
			}
			cells = append(cells, cell)
		}
		return cells
	}
}

func customCell(p *jsonpath.JSONPath, sort string, tree map[string]any, now time.Time) (cell any) {
	defer func() {
		if recover() != nil { // an expression that the library cannot cope with
			cell = nil
		}
	}()
	results, err := p.FindResults(tree)
	if err != nil || len(results) == 0 || len(results[0]) == 0 {
		return nil
	}
	v := results[0][0]
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() {
		return nil
	}
	switch x := v.Interface(); sort {
	case "integer":
		switch n := x.(type) {
		case int64:
			return n
		case float64:
			return int64(n)
		}
	case "number":
		switch n := x.(type) {
		case int64:
			return float64(n)
		case float64:
			return n
		}
	case "boolean":
		if b, ok := x.(bool); ok {
			return b
		}
	case "date":
		if s, ok := x.(string); ok {
			t, err := time.Parse(time.RFC3339, s)
			if err != nil {
				return "<invalid>"
			}
			return duration.HumanDuration(now.Sub(t))
		}
	case "string":
		if s, ok := x.(string); ok {
			return s
		}
		var b bytes.Buffer
		if p.PrintResults(&b, []reflect.Value{reflect.ValueOf(x)}) == nil {
			return b.String()
		}
	}
	return nil
}

// terminateDefinition makes the first deletion of a definition wait until its
// objects are gone.
func terminateDefinition(crd *apiextensionsv1.CustomResourceDefinition, now metav1.Time) {
	if crd.DeletionTimestamp != nil || has(crd.Finalizers, apiextensionsv1.CustomResourceCleanupFinalizer) {
		return
	}
	crd.Finalizers = append(crd.Finalizers[:len(crd.Finalizers):len(crd.Finalizers)], apiextensionsv1.CustomResourceCleanupFinalizer)
	crd.Status.Conditions = append(crd.Status.Conditions[:len(crd.Status.Conditions):len(crd.Status.Conditions)],
		apiextensionsv1.CustomResourceDefinitionCondition{Type: apiextensionsv1.Terminating, Status: apiextensionsv1.ConditionTrue,
			Reason: "InstanceDeletionPending", Message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon", LastTransitionTime: now})
}
