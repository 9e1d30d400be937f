// Package structural works with the schemas of custom resources: it removes
// what they do not know (prune.go), fills in what they default (prune.go) and
// judges what is there in the words that users see (validate.go). Trees are
// those of metav1.DecodeTree.
package structural

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	apiextensionsv1 "github.com/kubonsai/kubonsai/sim/api/apiextensions/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/cel"
)

// Schema is a compiled node of a schema.
type Schema struct {
	*apiextensionsv1.JSONSchemaProps
	Properties map[string]*Schema
	Items      *Schema
	Additional *Schema // of maps
	// AnyAdditional lets maps hold anything.
	AnyAdditional       bool
	Preserve            bool
	allOf, anyOf, oneOf []*Schema
	not                 *Schema
	enum                []any
	fallback            any // the default
	hasDefault          bool
	pattern             *regexp.Regexp
	rules               []rule
	hasRules            bool // here or below
	root                bool // or an embedded resource: has apiVersion, kind and metadata
	names               []string
}

type rule struct {
	*apiextensionsv1.ValidationRule
	program, message *cel.Program
}

// Compile compiles a schema; errors are those that the definition is refused with.
func Compile(p *apiextensionsv1.JSONSchemaProps, path *field.Path) (*Schema, field.ErrorList) {
	var errs field.ErrorList
	s := compile(p, path, true, &errs)
	s.root = true
	if p.AdditionalProperties != nil {
		errs = append(errs, field.Forbidden(path.Child("additionalProperties"), "must not be used at the root"))
	}
	if len(errs) == 0 {
		s.check(path, &errs)
	}
	return s, errs
}

// shownRule is a rule as messages show it: under Go's field names.
type shownRule struct {
	Rule, Message, MessageExpression string
	Reason                           *apiextensionsv1.FieldValueErrorReason
	FieldPath                        string
	OptionalOldSelf                  *bool
}

func shown(r *apiextensionsv1.ValidationRule) shownRule {
	return shownRule{r.Rule, r.Message, r.MessageExpression, r.Reason, r.FieldPath, r.OptionalOldSelf}
}

func tree(j *apiextensionsv1.JSON) any {
	v, err := metav1.DecodeTree(j.Raw)
	if err != nil {
		return nil
	}
	return v
}

var schemaTypes = []string{"array", "boolean", "integer", "number", "object", "string"}

func compile(p *apiextensionsv1.JSONSchemaProps, path *field.Path, typed bool, errs *field.ErrorList) *Schema {
	s := &Schema{JSONSchemaProps: p, root: p.XEmbeddedResource, Preserve: p.XPreserveUnknownFields != nil && *p.XPreserveUnknownFields}
	add := func(e *field.Error) { *errs = append(*errs, e) }
	if typed {
		switch {
		case p.Type == "" && !p.XIntOrString && !s.Preserve:
			add(field.Required(path.Child("type"), "must not be empty for specified object fields"))
		case p.Type != "" && p.XIntOrString:
			add(field.Invalid(path.Child("type"), p.Type, "must be empty if x-kubernetes-int-or-string is true"))
		case p.Type != "" && !slices.Contains(schemaTypes, p.Type):
			add(field.NotSupported(path.Child("type"), p.Type, schemaTypes))
		case p.XEmbeddedResource && p.Type != "object":
			add(field.Invalid(path.Child("type"), p.Type, "must be object if x-kubernetes-embedded-resource is true"))
		}
		if p.Type == "array" && (p.Items == nil || p.Items.Schema == nil) {
			add(field.Required(path.Child("items"), "must be specified"))
		}
	}
	if len(p.Properties) > 0 && p.AdditionalProperties != nil && typed {
		add(field.Forbidden(path.Child("additionalProperties"), "additionalProperties and properties are mutual exclusive"))
	}
	if p.Ref != nil {
		add(field.Forbidden(path.Child("$ref"), "$ref is not supported"))
	}
	if p.UniqueItems {
		add(field.Forbidden(path.Child("uniqueItems"), "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"))
	}
	if len(p.Properties) > 0 {
		s.Properties = map[string]*Schema{}
		s.names = slices.Sorted(maps.Keys(p.Properties))
		for _, name := range s.names {
			child := p.Properties[name]
			s.Properties[name] = compile(&child, path.Child("properties").Key(name), typed, errs)
		}
	}
	if p.Items != nil && p.Items.Schema != nil {
		s.Items = compile(p.Items.Schema, path.Child("items"), typed, errs)
	}
	if a := p.AdditionalProperties; a != nil {
		s.AnyAdditional = a.Allows
		if a.Schema != nil {
			s.Additional = compile(a.Schema, path.Child("additionalProperties"), typed, errs)
		}
	}
	several := func(list []apiextensionsv1.JSONSchemaProps, name string) (out []*Schema) {
		for i := range list {
			out = append(out, compile(&list[i], path.Child(name).Index(i), false, errs))
		}
		return out
	}
	s.allOf, s.anyOf, s.oneOf = several(p.AllOf, "allOf"), several(p.AnyOf, "anyOf"), several(p.OneOf, "oneOf")
	if p.Not != nil {
		s.not = compile(p.Not, path.Child("not"), false, errs)
	}
	for i := range p.Enum {
		s.enum = append(s.enum, tree(&p.Enum[i]))
	}
	if p.Pattern != "" {
		var err error
		if s.pattern, err = regexp.Compile(p.Pattern); err != nil {
			add(field.Invalid(path.Child("pattern"), p.Pattern, "must be a valid regular expression, but isn't: "+err.Error()))
		}
	}
	if p.Default != nil && len(p.Default.Raw) > 0 {
		s.fallback, s.hasDefault = tree(p.Default), true
	}
	for i := range p.XValidations {
		r := rule{ValidationRule: &p.XValidations[i]}
		at := path.Child("x-kubernetes-validations").Index(i)
		var err error
		if strings.TrimSpace(r.Rule) == "" {
			add(field.Required(at.Child("rule"), "rule is not specified"))
			continue
		}
		if r.program, err = cel.Parse(r.Rule); err != nil {
			add(field.Invalid(at.Child("rule"), shown(r.ValidationRule), "compilation failed: "+err.Error()))
			continue
		}
		if r.MessageExpression != "" {
			if r.message, err = cel.Parse(r.MessageExpression); err != nil {
				add(field.Invalid(at.Child("messageExpression"), shown(r.ValidationRule), "messageExpression compilation failed: "+err.Error()))
				continue
			}
		}
		s.rules = append(s.rules, r)
	}
	s.hasRules = len(s.rules) > 0
	for _, c := range s.children() {
		s.hasRules = s.hasRules || c.hasRules
	}
	if s.hasDefault && typed && len(*errs) == 0 {
		at := path.Child("default")
		for _, e := range s.Validate(s.fallback, nil, at, false) {
			e.Detail = strings.TrimPrefix(strings.TrimPrefix(e.Detail, at.String()), ".") // named from here on
			add(e)
		}
	}
	return s
}

// check judges the rules here and below by the types that the schema gives.
func (s *Schema) check(path *field.Path, errs *field.ErrorList) {
	if !s.hasRules {
		return
	}
	if len(s.rules) > 0 {
		self := s.typeOf()
		for i, r := range s.rules {
			at := path.Child("x-kubernetes-validations").Index(i)
			vars := map[string]*cel.Type{"self": self, "oldSelf": self}
			if r.OptionalOldSelf != nil && *r.OptionalOldSelf {
				vars["oldSelf"] = cel.OptionalOf
			}
			if _, err := r.program.Check(vars, cel.Bool); errors.Is(err, cel.ErrResult) {
				*errs = append(*errs, field.Invalid(at.Child("rule"), shown(r.ValidationRule), "cel expression must evaluate to a bool"))
			} else if err != nil {
				*errs = append(*errs, field.Invalid(at.Child("rule"), shown(r.ValidationRule), "compilation failed: "+err.Error()))
			}
			if r.message == nil {
				continue
			}
			if _, err := r.message.Check(vars, cel.String); err != nil {
				*errs = append(*errs, field.Invalid(at.Child("messageExpression"), shown(r.ValidationRule), "messageExpression compilation failed: "+err.Error()))
			}
		}
	}
	for _, name := range s.names {
		s.Properties[name].check(path.Child("properties").Key(name), errs)
	}
	if s.Items != nil {
		s.Items.check(path.Child("items"), errs)
	}
	if s.Additional != nil {
		s.Additional.check(path.Child("additionalProperties"), errs)
	}
}

var metadataType = cel.ObjectOf(func(name string) (*cel.Type, bool) {
	return cel.String, name == "name" || name == "generateName"
})

// typeOf is the type that expressions see; nil is any.
func (s *Schema) typeOf() *cel.Type {
	switch {
	case s.XIntOrString:
		return nil
	case s.Type == "boolean":
		return cel.Bool
	case s.Type == "integer":
		return cel.Int
	case s.Type == "number":
		return cel.Double
	case s.Type == "string":
		switch s.Format {
		case "date", "date-time", "duration", "byte": // upstream has types for them; values here are texts
			return nil
		}
		return cel.String
	case s.Type == "array" && s.Items != nil:
		return cel.ListOf(s.Items.typeOf())
	case s.Type != "object":
		return nil
	case s.Additional != nil:
		return cel.MapOf(s.Additional.typeOf())
	case s.AnyAdditional:
		return nil
	}
	return cel.ObjectOf(func(name string) (*cel.Type, bool) {
		if c := s.Properties[name]; c != nil && !(s.root && name == "metadata") {
			return c.typeOf(), true
		}
		if s.root {
			switch name {
			case "metadata":
				return metadataType, true
			case "apiVersion", "kind":
				return cel.String, true
			}
		}
		return nil, false
	})
}

func (s *Schema) children() []*Schema {
	out := make([]*Schema, 0, len(s.Properties)+2)
	for _, name := range s.names {
		out = append(out, s.Properties[name])
	}
	for _, c := range []*Schema{s.Items, s.Additional} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

// typeName is what messages call the sort of a value.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case int64:
		return "integer"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

func jsonText(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}
