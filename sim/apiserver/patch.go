// This file answers PATCH: it makes a tree of the stored object, lets package
// patch change it, and stores the outcome as an update. Server-side apply,
// which also may create, is in apply.go.

package apiserver

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"github.com/kubonsai/kubonsai/sim/api"
	autoscalingv1 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/schema"
	"github.com/kubonsai/kubonsai/sim/apiserver/patch"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// The media types of patches.
const (
	JSONPatch           = "application/json-patch+json"
	MergePatch          = "application/merge-patch+json"
	StrategicMergePatch = "application/strategic-merge-patch+json"
	ApplyPatch          = "application/apply-patch+yaml"
)

func (c *call) patch() (*rest.Response, error) {
	accepted := []string{JSONPatch, MergePatch, StrategicMergePatch, ApplyPatch}
	if c.kind.Dynamic != nil {
		accepted = []string{JSONPatch, MergePatch, ApplyPatch}
	}
	how := mediaType(c.req.Header.Get("Content-Type"))
	if !has(accepted, how) {
		return nil, apierrors.NewUnsupportedMediaType(accepted)
	}
	if err := c.readOptions("PatchOptions", how == ApplyPatch); err != nil {
		return nil, err
	}
	if len(c.req.Body) > MaxBody {
		return nil, apierrors.NewRequestEntityTooLarge(fmt.Sprintf("limit is %d", MaxBody))
	}
	old := c.s.lookup(c.kind.Key, c.namespace, c.name)
	if how == ApplyPatch {
		return c.apply(old)
	}
	if old == nil {
		return nil, apierrors.NewNotFound(c.gr(), c.name)
	}
	view := c.view(old)
	tree, err := api.ToTree(view)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	p := &patching{call: c, kind: c.kind.Schema}
	if c.subresource == "scale" {
		p.kind = schema.ForKind(scaleKind.Group, scaleKind.Version, scaleKind.Kind)
	}
	switch how {
	case JSONPatch:
		tree, err = p.json(tree)
	case MergePatch:
		tree, err = p.merge(tree)
	default:
		tree, err = p.strategic(tree)
	}
	if err != nil {
		return nil, err
	}
	obj, err := p.object(tree)
	if err != nil {
		return nil, err
	}
	return c.storePatched(old, obj)
}

// view is the stored object as this call shows it: in its version, or as a Scale.
func (c *call) view(old metav1.Object) metav1.Object {
	if c.subresource == "scale" {
		return c.scaleOf(old)
	}
	return c.kind.external(old)
}

// storePatched stores what a view has become.
func (c *call) storePatched(old, obj metav1.Object) (*rest.Response, error) {
	m := obj.GetObjectMeta()
	if m.Namespace != "" || c.kind.Namespaced {
		if err := c.fitNamespace(m); err != nil {
			return nil, err
		}
	}
	if err := c.fitName(m); err != nil {
		return nil, err
	}
	if scale, ok := obj.(*autoscalingv1.Scale); ok && c.subresource == "scale" {
		return c.rescale(old, scale)
	}
	obj = c.kind.internal(obj)
	if c.kind.Strategy.Default != nil {
		c.kind.Strategy.Default(obj)
	}
	obj, err := c.replace(old, obj, true)
	if err != nil {
		return nil, err
	}
	return c.respond(200, obj)
}

// patching is one patch on its way.
type patching struct {
	*call
	kind   *schema.Type
	strict []error // what strict decoding found in the patch itself
	shown  string  // the value that an error of the outcome names; "" is the outcome
	words  func(reflect.Type, any) error
}

// decodePatch reads the body as a tree; into is the Go type that messages name.
func (p *patching) decodePatch() (map[string]any, error) {
	if p.req.Object != nil {
		return api.ToTree(p.req.Object)
	}
	var tree map[string]any
	strict, err := kjson.UnmarshalStrict(p.req.Body, &tree)
	if err != nil {
		return nil, err
	}
	if p.options.validation != metav1.FieldValidationIgnore {
		p.strict = append(p.strict, strict...)
	}
	return tree, nil
}

func (p *patching) json(tree map[string]any) (map[string]any, error) {
	var steps any
	if _, err := kjson.UnmarshalStrict(p.req.Body, &steps); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	ops, err := patch.Operations(steps)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	if len(ops) > patch.MaxOperations {
		return nil, apierrors.NewRequestEntityTooLarge(fmt.Sprintf("The allowed maximum operations in a JSON patch is %d, got %d", patch.MaxOperations, len(ops)))
	}
	out, err := patch.JSON(tree, ops)
	if err != nil {
		return nil, unprocessable(err)
	}
	m, ok := out.(map[string]any)
	if !ok {
		return nil, p.invalid(out, fmt.Errorf("couldn't get version/kind; json parse error: json: cannot unmarshal %s into Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }", patch.Sort(out)))
	}
	return m, nil
}

func unprocessable(err error) error {
	return apierrors.NewGenericServerResponse(422, "", metav1.GroupResource{}, "", err.Error(), 0, false)
}

func (p *patching) merge(tree map[string]any) (map[string]any, error) {
	changes, err := p.decodePatch()
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	if changes == nil {
		return nil, apierrors.NewBadRequest("Invalid JSON Patch")
	}
	return patch.Merge(tree, changes).(map[string]any), nil
}

func (p *patching) strategic(tree map[string]any) (map[string]any, error) {
	changes, err := p.decodePatch()
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	p.shown = fmt.Sprintf("%+v", changes)
	p.words = mismatch
	out, err := patch.Strategic(tree, changes, p.kind)
	switch {
	case errors.Is(err, patch.ErrPrimitiveList), errors.Is(err, patch.ErrRetainKeys), errors.Is(err, patch.ErrElementOrder):
		return nil, apierrors.NewBadRequest(err.Error())
	case errors.Is(err, patch.ErrRetainContent):
		return nil, unprocessable(err)
	}
	return out, err
}

// object makes a typed object of the patched tree.
func (p *patching) object(tree map[string]any) (metav1.Object, error) {
	k := p.call.kind
	if p.subresource == "scale" {
		k = &Kind{Resource: &api.Resource{Group: scaleKind.Group, Version: scaleKind.Version, Kind: scaleKind.Kind,
			New: func() metav1.Object { return api.New(scaleKind) }}}
	}
	if p.words != nil {
		if err := p.words(reflect.TypeOf(k.New()).Elem(), tree); err != nil && k.Dynamic == nil {
			return nil, p.invalid(tree, err)
		}
	}
	if got := metav1.FromAPIVersionAndKind(str(tree["apiVersion"]), str(tree["kind"])); got != k.GroupVersionKind() && k.Dynamic == nil && p.words == nil {
		if api.New(got) == nil {
			return nil, p.invalid(tree, fmt.Errorf("no kind %q is registered for version %q in scheme %q", got.Kind, got.GroupVersion(), "pkg/api/legacyscheme/scheme.go:30"))
		}
		return nil, p.invalid(tree, fmt.Errorf("converting (%s.%s) to (%s.%s): unknown conversion", got.Version, got.Kind, internalPackage(k.Group), k.Kind))
	}
	obj, unknown, err := k.fromTree(tree)
	if err != nil {
		return nil, p.invalid(tree, err)
	}
	if err := p.call.strict(append(p.strict, unknown...)); err != nil {
		return nil, p.invalid(tree, err)
	}
	return obj, nil
}

func str(v any) string { s, _ := v.(string); return s }

// invalid is the error of a patch whose outcome is no object of the kind.
func (p *patching) invalid(tree any, err error) error {
	shown := p.shown
	if shown == "" {
		data, _ := json.Marshal(tree)
		shown = string(data)
	}
	return apierrors.NewInvalid(metav1.GroupKind{}, "", field.ErrorList{field.Invalid(field.NewPath("patch"), shown, err.Error())})
}

// mismatch words, as upstream's converter does, the first value of a tree that
// a Go type cannot hold.
func mismatch(t reflect.Type, v any) error {
	if v == nil {
		return nil
	}
	if t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(jsonUnmarshaler) {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return json.Unmarshal(data, reflect.New(t).Interface())
	}
	sort := reflect.TypeOf(v).Kind()
	cannot := func() error { return fmt.Errorf("cannot convert %s to %s", reflect.TypeOf(v), t) }
	switch t.Kind() {
	case reflect.Pointer:
		return mismatch(t.Elem(), v)
	case reflect.Interface:
		return nil
	case reflect.Map:
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("cannot restore map from %v", sort)
		}
		for _, k := range sortedKeys(m) {
			if err := mismatch(t.Elem(), m[k]); err != nil {
				return err
			}
		}
		return nil
	case reflect.Slice:
		if s, ok := v.(string); ok && t.Elem().Kind() == reflect.Uint8 {
			if _, err := base64.StdEncoding.DecodeString(s); err != nil {
				return fmt.Errorf("error decoding from json: %w", err)
			}
			return nil
		}
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("cannot restore slice from %v", sort)
		}
		for _, e := range list {
			if err := mismatch(t.Elem(), e); err != nil {
				return err
			}
		}
		return nil
	case reflect.Struct:
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("cannot restore struct from: %v", sort)
		}
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			var err error
			if name == "" && f.Anonymous {
				err = mismatch(f.Type, v)
			} else if e, ok := m[name]; ok {
				err = mismatch(f.Type, e)
			}
			if err != nil {
				return err
			}
		}
		return nil
	case reflect.String:
		if sort == reflect.Int64 {
			return cannot()
		}
		if sort == reflect.String {
			return nil
		}
	case reflect.Bool:
		if sort == reflect.Bool {
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		switch x := v.(type) {
		case int64:
			if reflect.Zero(t).OverflowInt(x) {
				return fmt.Errorf("value %v overflows %s", x, t.Kind()) // close to upstream
			}
			return nil
		case float64:
			if x == float64(int64(x)) {
				return nil
			}
			return cannot()
		}
	case reflect.Float32, reflect.Float64:
		if sort == reflect.Float64 || sort == reflect.Int64 {
			return nil
		}
	default:
		return nil
	}
	return fmt.Errorf("unrecognized type: %v", t.Kind())
}
