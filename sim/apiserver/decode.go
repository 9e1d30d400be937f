// This file makes a typed object of a request's body: JSON or YAML, decoded
// strictly, with the words of the real server for what does not fit.

package apiserver

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// MaxBody is the largest body that the server reads, in bytes.
const MaxBody = 3 << 20

var bodyTypes = []string{"application/json", "application/yaml"}

// body returns the request's body as JSON. strict holds what a lenient reader
// would not have noticed on the way.
func (c *call) body() (data []byte, strict []error, err error) {
	if len(c.req.Body) > MaxBody {
		return nil, nil, apierrors.NewRequestEntityTooLarge(fmt.Sprintf("limit is %d", MaxBody))
	}
	switch mediaType(c.req.Header.Get("Content-Type")) {
	case "", "application/json":
		return c.req.Body, nil, nil
	case "application/yaml":
		if c.options.validation != metav1.FieldValidationIgnore {
			if _, err := yaml.YAMLToJSONStrict(c.req.Body); err != nil {
				strict = append(strict, err)
			}
		}
		data, err := yaml.YAMLToJSON(c.req.Body)
		if err != nil {
			return nil, nil, apierrors.NewBadRequest(err.Error())
		}
		return data, strict, nil
	}
	return nil, nil, apierrors.NewUnsupportedMediaType(bodyTypes)
}

// mediaType is a Content-Type without its parameters, in lower case.
func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(s))
}

// decode returns the body as an object of the given kind, the server's own copy.
func (c *call) decode(want metav1.GroupVersionKind, dynamic *Dynamic) (metav1.Object, error) {
	if c.req.Object != nil {
		return c.decoded(want)
	}
	data, strict, err := c.body()
	if err != nil {
		return nil, err
	}
	got, err := kindOf(data)
	if err != nil {
		return nil, unrecognized(want, err, data)
	}
	if got.Version == "" && got.Group == "" {
		got.Group, got.Version = want.Group, want.Version
	}
	if got.Kind == "" {
		got.Kind = want.Kind
	}
	cannot := func(err error) error {
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", got.Kind, got.Version, want.Kind, err))
	}
	if got != want {
		switch {
		case dynamic == nil && api.New(got) == nil:
			return nil, cannot(fmt.Errorf("no kind %q is registered for version %q in scheme %q", got.Kind, got.GroupVersion(), "pkg/api/legacyscheme/scheme.go:30"))
		case got.Kind != want.Kind:
			return nil, cannot(fmt.Errorf("converting (%s.%s) to (%s.%s): unknown conversion", got.Version, got.Kind, internalPackage(want.Group), want.Kind))
		}
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) does not match the expected API version (%s)", got.GroupVersion(), want.GroupVersion()))
	}
	var obj metav1.Object
	if dynamic != nil {
		u := &metav1.Unstructured{}
		obj = u
		if err = json.Unmarshal(data, u); err == nil {
			var tree map[string]any
			duplicates, _ := kjson.UnmarshalStrict(data, &tree, kjson.DisallowDuplicateFields)
			strict = append(strict, duplicates...)
			strict = append(strict, unknownMeta(tree)...)
			if dynamic.Prune != nil {
				for _, path := range dynamic.Prune(u.Object) {
					strict = append(strict, fmt.Errorf("unknown field %q", path))
				}
			}
		}
	} else {
		obj = api.New(want)
		var found []error
		found, err = kjson.UnmarshalStrict(data, obj)
		strict = append(strict, found...)
	}
	if err != nil {
		return nil, cannot(err)
	}
	if err := c.strict(strict); err != nil {
		return nil, cannot(err)
	}
	obj.GetTypeMeta().SetGroupVersionKind(want)
	return obj, nil
}

// decoded copies the object that came along in memory.
func (c *call) decoded(want metav1.GroupVersionKind) (metav1.Object, error) {
	obj := c.req.Object
	if got := api.KindOf(obj); got != want {
		if u, ok := obj.(*metav1.Unstructured); !ok || u.GroupVersionKind() != (metav1.GroupVersionKind{}) {
			if got.Kind == want.Kind {
				return nil, apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) does not match the expected API version (%s)", got.GroupVersion(), want.GroupVersion()))
			}
			return nil, apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: converting (%s.%s) to (%s.%s): unknown conversion",
				got.Kind, got.Version, want.Kind, got.Version, got.Kind, internalPackage(want.Group), want.Kind))
		}
	}
	if c.req.Given {
		obj.GetTypeMeta().SetGroupVersionKind(want)
		return obj, nil
	}
	if c.subresource == "status" {
		// Everything but metadata and status is replaced by the stored object's.
		obj = api.ShallowCopy(obj)
	} else {
		obj = api.DeepCopy(obj)
	}
	obj.GetTypeMeta().SetGroupVersionKind(want)
	return obj, nil
}

// strict treats what strict decoding found as the client asked.
func (c *call) strict(found []error) error {
	if len(found) == 0 || c.options.validation == metav1.FieldValidationIgnore {
		return nil
	}
	if c.options.validation == metav1.FieldValidationWarn {
		for _, e := range found {
			c.warn(e.Error())
		}
		return nil
	}
	return strictError(found)
}

func strictError(found []error) error {
	texts := make([]string, len(found))
	for i, e := range found {
		texts[i] = e.Error()
	}
	return fmt.Errorf("strict decoding error: %s", strings.Join(texts, ", "))
}

// kindOf reads apiVersion and kind of a JSON document.
func kindOf(data []byte) (metav1.GroupVersionKind, error) {
	var head metav1.TypeMeta
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &head); err != nil {
		return metav1.GroupVersionKind{}, fmt.Errorf("couldn't get version/kind; json parse error: %v", err)
	}
	gv, err := metav1.ParseGroupVersion(head.APIVersion)
	if err != nil {
		return metav1.GroupVersionKind{}, err
	}
	return gv.WithKind(head.Kind), nil
}

// unrecognized is the error of a body whose kind could not be read.
func unrecognized(want metav1.GroupVersionKind, err error, data []byte) error {
	shown, more := data, ""
	if len(data) > 30 {
		shown, more = data[:30], " ..."
	}
	text := "<empty>"
	if len(data) > 0 && data[0] == '{' {
		text = string(shown) + more
	} else if len(data) > 0 {
		text = fmt.Sprintf("%x", shown) + more
	}
	return apierrors.NewBadRequest(fmt.Sprintf("the object provided is unrecognized (must be of type %s): %v (%s)", want.Kind, err, text))
}

// internalPackage is the Go package that upstream's messages name a group by.
func internalPackage(group string) string {
	if group == "" {
		return "core"
	}
	name, _, _ := strings.Cut(group, ".")
	return name
}

// fromTree makes an object of the kind from a tree that a patch has produced,
// and lists the fields that the kind does not have.
func (k *Kind) fromTree(tree map[string]any) (metav1.Object, []error, error) {
	obj := k.New()
	if err := api.FromTree(tree, obj); err != nil {
		return nil, nil, err
	}
	setKind(obj, k.Resource)
	var unknown []error
	if k.Dynamic == nil {
		unknown = unknownFields(reflect.TypeOf(obj), tree, "")
	} else {
		unknown = unknownMeta(tree)
		if k.Dynamic.Prune != nil {
			for _, path := range k.Dynamic.Prune(obj.(*metav1.Unstructured).Object) {
				unknown = append(unknown, fmt.Errorf("unknown field %q", path))
			}
		}
	}
	return obj, unknown, nil
}

// unknownMeta lists the unknown fields in the metadata of a custom resource.
func unknownMeta(tree map[string]any) []error {
	return unknownFields(reflect.TypeFor[metav1.ObjectMeta](), tree["metadata"], "metadata")
}

var jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()

// unknownFields walks a tree beside the Go type that it was decoded into.
func unknownFields(t reflect.Type, tree any, path string) []error {
	return knownFields{}.unknown(t, tree, path)
}

func (known knownFields) unknown(t reflect.Type, tree any, path string) []error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch x := tree.(type) {
	case map[string]any:
		if t.Kind() == reflect.Map {
			var out []error
			for _, k := range sortedKeys(x) {
				out = append(out, known.unknown(t.Elem(), x[k], join(path, k))...)
			}
			return out
		}
		if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(jsonUnmarshaler) {
			return nil
		}
		fields := known.of(t)
		var out []error
		for _, k := range sortedKeys(x) {
			ft, ok := fields[k]
			if !ok {
				out = append(out, fmt.Errorf("unknown field %q", join(path, k)))
				continue
			}
			out = append(out, known.unknown(ft, x[k], join(path, k))...)
		}
		return out
	case []any:
		if t.Kind() != reflect.Slice {
			return nil
		}
		var out []error
		for i, e := range x {
			out = append(out, known.unknown(t.Elem(), e, fmt.Sprintf("%s[%d]", path, i))...)
		}
		return out
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// knownFields are the fields of the types that one walk has met.
type knownFields map[reflect.Type]map[string]reflect.Type

// of are the types of a struct's fields by their JSON names.
func (known knownFields) of(t reflect.Type) map[string]reflect.Type {
	if f, ok := known[t]; ok {
		return f
	}
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name == "" && f.Anonymous:
			for k, v := range known.of(f.Type) {
				out[k] = v
			}
		case name == "":
			out[f.Name] = f.Type
		default:
			out[name] = f.Type
		}
	}
	known[t] = out
	return out
}
