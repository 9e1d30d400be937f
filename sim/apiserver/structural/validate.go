// Validation of values against a schema, and its rules. What an update leaves
// as it was is not held against it.

package structural

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"

	apiextensionsv1 "github.com/kubonsai/kubonsai/sim/api/apiextensions/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/cel"
	"github.com/kubonsai/kubonsai/sim/internal/lazy"
)

// Validate judges a value; old is what it replaces, nil if nothing. rules says
// whether the rules are looked at too.
func (s *Schema) Validate(v, old any, path *field.Path, rules bool) field.ErrorList {
	w := &walk{}
	w.value(s, v, old, path)
	if !rules || !s.hasRules {
		return w.errs
	}
	for _, e := range w.errs {
		switch e.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return append(w.errs, field.Invalid(nil, nil, "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"))
		}
	}
	w.rules(s, v, old, path)
	return w.errs
}

type walk struct{ errs field.ErrorList }

func (w *walk) add(e *field.Error) { w.errs = append(w.errs, e) }

// invalid adds an error in the words of the schema validator, which begin with the path.
func (w *walk) invalid(path *field.Path, v any, format string, args ...any) {
	w.add(field.Invalid(path, v, name(path)+" in body "+fmt.Sprintf(format, args...)))
}

func name(p *field.Path) string {
	if p == nil {
		return ""
	}
	return p.String()
}

func child(p *field.Path, name string) *field.Path {
	if p == nil {
		return field.NewPath(name)
	}
	return p.Child(name)
}

// fits reports whether a value is of the schema's type.
func (s *Schema) fits(v any) bool {
	if s.XIntOrString {
		switch v.(type) {
		case int64, string:
			return true
		}
		return false
	}
	switch have := typeName(v); s.Type {
	case "":
		return true
	case "number":
		return have == "number" || have == "integer"
	case "integer":
		f, ok := v.(float64)
		return have == "integer" || ok && f == math.Trunc(f)
	default:
		return have == s.Type
	}
}

func (w *walk) value(s *Schema, v, old any, path *field.Path) {
	if old != nil && cel.Equal(v, old) {
		return
	}
	if v == nil && (s.Nullable || s.Type == "" && !s.XIntOrString) {
		return
	}
	if !s.fits(v) {
		want := s.Type
		if s.XIntOrString {
			want = "integer,string"
		}
		shown := typeName(v)
		w.add(field.TypeInvalid(path, shown, fmt.Sprintf("%s in body must be of type %s: %q", name(path), want, shown)))
		return
	}
	if len(s.enum) > 0 && !slices.ContainsFunc(s.enum, func(e any) bool { return cel.Equal(e, v) }) {
		allowed := make([]string, len(s.enum))
		for i, e := range s.enum {
			if text, ok := e.(string); ok {
				allowed[i] = text
			} else {
				allowed[i] = jsonText(e)
			}
		}
		w.add(field.NotSupported(path, v, allowed))
	}
	switch x := v.(type) {
	case string:
		w.text(s, x, path)
	case int64:
		w.number(s, v, float64(x), path)
	case float64:
		w.number(s, v, x, path)
	case []any:
		was, _ := old.([]any)
		w.array(s, x, was, path)
	case map[string]any:
		was, _ := old.(map[string]any)
		w.object(s, x, was, path)
	}
	w.combined(s, v, old, path)
}

func (w *walk) text(s *Schema, x string, path *field.Path) {
	n := int64(utf8.RuneCountInString(x))
	if s.MaxLength != nil && n > *s.MaxLength {
		w.add(field.TooLong(path, "", int(*s.MaxLength)))
	}
	if s.MinLength != nil && n < *s.MinLength {
		w.invalid(path, x, "should be at least %d chars long", *s.MinLength)
	}
	if s.pattern != nil && !s.pattern.MatchString(x) {
		w.invalid(path, x, "should match '%s'", s.JSONSchemaProps.Pattern)
	}
	if check := formats[s.Format]; check != nil && !check(x) {
		w.invalid(path, x, "must be of type %s: %q", s.Format, x)
	}
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func (w *walk) number(s *Schema, v any, x float64, path *field.Path) {
	if m := s.Maximum; m != nil {
		if s.ExclusiveMaximum && x >= *m {
			w.invalid(path, v, "should be less than %s", decimal(*m))
		} else if x > *m {
			w.invalid(path, v, "should be less than or equal to %s", decimal(*m))
		}
	}
	if m := s.Minimum; m != nil {
		if s.ExclusiveMinimum && x <= *m {
			w.invalid(path, v, "should be greater than %s", decimal(*m))
		} else if x < *m {
			w.invalid(path, v, "should be greater than or equal to %s", decimal(*m))
		}
	}
	if m := s.MultipleOf; m != nil && *m != 0 && math.Abs(math.Mod(x, *m)) > 1e-9 {
		w.invalid(path, v, "should be a multiple of %s", decimal(*m))
	}
	switch i, isInt := v.(int64); {
	case isInt && s.Format == "int32" && (i > math.MaxInt32 || i < math.MinInt32):
		w.invalid(path, v, "must be of type int32: %q", strconv.FormatInt(i, 10))
	}
}

func (w *walk) array(s *Schema, x, old []any, path *field.Path) {
	n := int64(len(x))
	if s.MaxItems != nil && n > *s.MaxItems {
		w.add(field.TooMany(path, len(x), int(*s.MaxItems)))
	}
	if s.MinItems != nil && n < *s.MinItems {
		w.invalid(path, n, "should have at least %d items", *s.MinItems)
	}
	if s.Items != nil {
		for i, e := range x {
			w.value(s.Items, e, s.former(e, i, old), path.Index(i))
		}
	}
	if s.XListType == nil {
		return
	}
	seen := []any{}
	for i, e := range x {
		key := e
		if *s.XListType == "map" {
			key = s.keyOf(e)
		} else if *s.XListType != "set" {
			return
		}
		if slices.ContainsFunc(seen, func(k any) bool { return cel.Equal(k, key) }) {
			w.add(field.Duplicate(path.Index(i), key))
		}
		seen = append(seen, key)
	}
}

// keyOf are the values that tell the items of a list of type map apart.
func (s *Schema) keyOf(e any) any {
	m, _ := e.(map[string]any)
	key := map[string]any{}
	for _, k := range s.XListMapKeys {
		if v, ok := m[k]; ok {
			key[k] = v
		}
	}
	return key
}

// former is the item of an old list that an item replaces.
func (s *Schema) former(e any, i int, old []any) any {
	if s.XListType != nil && *s.XListType == "map" {
		for _, o := range old {
			if cel.Equal(s.keyOf(o), s.keyOf(e)) {
				return o
			}
		}
		return nil
	}
	for _, o := range old {
		if cel.Equal(o, e) {
			return o
		}
	}
	return nil
}

func (w *walk) object(s *Schema, x, old map[string]any, path *field.Path) {
	n := int64(len(x))
	if s.MaxProperties != nil && n > *s.MaxProperties {
		w.add(field.TooMany(path, len(x), int(*s.MaxProperties)))
	}
	if s.MinProperties != nil && n < *s.MinProperties {
		w.invalid(path, n, "should have at least %d properties", *s.MinProperties)
	}
	for _, r := range s.Required {
		if _, ok := x[r]; !ok {
			w.add(field.Required(child(path, r), ""))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(x)) {
		if c := s.Properties[k]; c != nil {
			w.value(c, x[k], old[k], child(path, k))
		} else if s.Additional != nil {
			w.value(s.Additional, x[k], old[k], child(path, k))
		}
	}
}

// combined looks at allOf, anyOf, oneOf and not.
func (w *walk) combined(s *Schema, v, old any, path *field.Path) {
	meets := func(c *Schema) (field.ErrorList, bool) {
		inner := &walk{}
		inner.value(c, v, nil, path)
		return inner.errs, len(inner.errs) == 0
	}
	must := func(text string) {
		w.add(field.Invalid(path, v, fmt.Sprintf("%q must validate %s", name(path), text)))
	}
	for _, c := range s.allOf {
		if errs, ok := meets(c); !ok {
			must("all the schemas (allOf)")
			w.errs = append(w.errs, errs...)
		}
	}
	if len(s.anyOf) > 0 {
		var best field.ErrorList
		met := false
		for _, c := range s.anyOf {
			errs, ok := meets(c)
			met = met || ok
			if best == nil || len(errs) < len(best) {
				best = errs
			}
		}
		if !met {
			must("at least one schema (anyOf)")
			w.errs = append(w.errs, best...)
		}
	}
	if len(s.oneOf) > 0 {
		n := 0
		var best field.ErrorList
		for _, c := range s.oneOf {
			errs, ok := meets(c)
			if ok {
				n++
			}
			if best == nil || len(errs) < len(best) {
				best = errs
			}
		}
		if n == 0 {
			must("one and only one schema (oneOf). Found none valid")
			w.errs = append(w.errs, best...)
		} else if n > 1 {
			must(fmt.Sprintf("one and only one schema (oneOf). Found %d valid alternatives", n))
		}
	}
	if s.not != nil {
		if _, ok := meets(s.not); ok {
			w.add(field.Invalid(path, v, fmt.Sprintf("%q must not validate the schema (not)", name(path))))
		}
	}
}

// rules evaluates x-kubernetes-validations here and below.
func (w *walk) rules(s *Schema, v, old any, path *field.Path) {
	if !s.hasRules || v == nil {
		return
	}
	if old == nil || !cel.Equal(v, old) {
		for i := range s.rules {
			w.rule(s, &s.rules[i], v, old, path)
		}
	}
	switch x := v.(type) {
	case map[string]any:
		was, _ := old.(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if c := s.Properties[k]; c != nil {
				w.rules(c, x[k], was[k], child(path, k))
			} else if s.Additional != nil {
				w.rules(s.Additional, x[k], was[k], path.Key(k))
			}
		}
	case []any:
		was, _ := old.([]any)
		if s.Items != nil {
			for i, e := range x {
				w.rules(s.Items, e, s.former(e, i, was), path.Index(i))
			}
		}
	}
}

func (w *walk) rule(s *Schema, r *rule, v, old any, path *field.Path) {
	transition := r.program.Names["oldSelf"]
	optional := r.OptionalOldSelf != nil && *r.OptionalOldSelf
	if transition && old == nil && !optional {
		return
	}
	vars := map[string]any{"self": v, "oldSelf": old}
	if optional {
		vars["oldSelf"] = cel.Optional(old, old != nil)
	}
	at := path
	for part := range strings.SplitSeq(strings.Trim(r.FieldPath, "."), ".") {
		if part != "" {
			at = child(at, part)
		}
	}
	value := v
	switch v.(type) {
	case map[string]any, []any:
		value = field.OmitValueType{}
	}
	if at != path {
		value = field.OmitValueType{}
	}
	result, err := r.program.Eval(vars)
	message := r.Message
	if message == "" {
		message = "failed rule: " + strings.TrimSpace(r.Rule)
	}
	switch {
	case err != nil:
		detail := fmt.Sprintf("%v evaluating rule: %s", err, messageOr(r))
		if strings.HasPrefix(err.Error(), "no such overload") {
			detail = fmt.Sprintf("'%v': call arguments did not match a supported operator, function or macro signature for rule: %s", err, messageOr(r))
		}
		w.add(field.Invalid(path, s.Type, detail))
		return
	case result == true:
		return
	}
	if r.message != nil {
		if text, err := r.message.Eval(vars); err == nil {
			if t, ok := text.(string); ok && strings.TrimSpace(t) != "" && !strings.Contains(t, "\n") {
				message = t
			}
		}
	}
	reason := apiextensionsv1.FieldValueInvalid
	if r.Reason != nil {
		reason = *r.Reason
	}
	switch reason {
	case apiextensionsv1.FieldValueForbidden:
		w.add(field.Forbidden(at, message))
	case apiextensionsv1.FieldValueRequired:
		w.add(field.Required(at, message))
	case apiextensionsv1.FieldValueDuplicate:
		w.add(field.Duplicate(at, value))
	default:
		w.add(field.Invalid(at, value, message))
	}
}

func messageOr(r *rule) string {
	if r.Message != "" {
		return r.Message
	}
	return strings.TrimSpace(r.Rule)
}

func matches(expr string) func(string) bool {
	pattern := lazy.Regexp(expr)
	return func(s string) bool { return pattern().MatchString(s) }
}

// formats are the string formats that are checked; others are notes to the reader.
var formats = map[string]func(string) bool{
	"date":      func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil },
	"date-time": func(s string) bool { _, err := time.Parse(time.RFC3339, s); return err == nil },
	"duration":  func(s string) bool { _, err := time.ParseDuration(s); return err == nil },
	"ipv4":      func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() },
	"ipv6":      func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is6() },
	"cidr":      func(s string) bool { _, err := netip.ParsePrefix(s); return err == nil },
	"uri":       func(s string) bool { u, err := url.ParseRequestURI(s); return err == nil && u.Scheme != "" },
	"email":     matches(`^[^@\s]+@[^@\s]+$`),
	"uuid":      matches(`(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$`),
	"hostname":  matches(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$`),
	"byte":      matches(`^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`),
}
