// Package policy compiles what admission policies and webhooks say in the
// Common Expression Language: match conditions, variables, validations and
// messages. Who asks and what about is package admission's; what a definition
// must look like, package resource's.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	admissionv1 "github.com/kubonsai/kubonsai/sim/api/admissionregistration/v1"
	"github.com/kubonsai/kubonsai/sim/api/schema"
	"github.com/kubonsai/kubonsai/sim/apiserver/cel"
)

// Condition is a compiled match condition.
type Condition struct {
	Name string
	*cel.Program
}

// Validation is a compiled validation.
type Validation struct {
	*admissionv1.Validation
	Program, MessageExpression *cel.Program
}

// Variable is a compiled variable.
type Variable struct {
	Name string
	*cel.Program
}

// Policy is a compiled ValidatingAdmissionPolicy.
type Policy struct {
	Conditions  []Condition
	Variables   []Variable
	Validations []Validation
	Annotations []Variable // by key
	hasParams   bool
}

// object makes a type of the names of its fields; those in typed are not dyn.
func object(names string, typed map[string]*cel.Type) *cel.Type {
	list := strings.Fields(names)
	return cel.ObjectOf(func(name string) (*cel.Type, bool) {
		t, ok := typed[name]
		return t, ok || slices.Contains(list, name)
	})
}

var (
	textMap   = cel.MapOf(cel.String)
	kindType  = texts("group version kind")
	pluralOf  = texts("group version resource")
	userType  = object("", map[string]*cel.Type{"username": cel.String, "uid": cel.String, "groups": cel.ListOf(cel.String), "extra": cel.MapOf(cel.ListOf(cel.String))})
	namespace = object("", map[string]*cel.Type{
		"metadata": object("", map[string]*cel.Type{"name": cel.String, "generateName": cel.String, "namespace": cel.String, "labels": textMap,
			"annotations": textMap, "UID": cel.String, "creationTimestamp": cel.Timestamp, "deletionGracePeriodSeconds": cel.Int,
			"deletionTimestamp": cel.Timestamp, "generation": cel.Int, "resourceVersion": cel.String, "finalizers": cel.ListOf(cel.String)}),
		"spec":   object("", map[string]*cel.Type{"finalizers": cel.ListOf(cel.String)}),
		"status": object("", map[string]*cel.Type{"phase": cel.String}),
	})
	request = object("options", map[string]*cel.Type{"kind": kindType, "resource": pluralOf, "subResource": cel.String, "requestKind": kindType,
		"requestResource": pluralOf, "requestSubResource": cel.String, "name": cel.String, "namespace": cel.String, "operation": cel.String,
		"userInfo": userType, "dryRun": cel.Bool})
)

func texts(names string) *cel.Type {
	typed := map[string]*cel.Type{}
	for name := range strings.FieldsSeq(names) {
		typed[name] = cel.String
	}
	return object("", typed)
}

// environment are the variables of an expression; what of is nil is of any type.
func environment(hasParams, authorizer bool, of, params *cel.Type) map[string]*cel.Type {
	vars := map[string]*cel.Type{"object": of, "oldObject": of, "request": request, "namespaceObject": namespace}
	if hasParams {
		vars["params"] = params
	}
	if authorizer {
		vars["authorizer"], vars["authorizer.requestResource"] = cel.Authorizer, cel.ResourceOf
	}
	return vars
}

// compile compiles one expression into *into.
func compile(into **cel.Program, text string, vars map[string]*cel.Type, want *cel.Type, path *field.Path) (t *cel.Type, errs field.ErrorList) {
	p, err := cel.Parse(text)
	if err == nil {
		t, err = p.Check(vars, want)
	}
	switch {
	case err == nil:
		*into = p
	case errors.Is(err, cel.ErrResult):
		errs = append(errs, field.Invalid(path, text, err.Error()))
	default:
		errs = append(errs, field.Invalid(path, text, "compilation failed: "+err.Error()))
	}
	return t, errs
}

// CompileConditions compiles match conditions.
func CompileConditions(list []admissionv1.MatchCondition, hasParams bool, path *field.Path) (out []Condition, errs field.ErrorList) {
	vars := environment(hasParams, true, nil, nil)
	for i, m := range list {
		c := Condition{Name: m.Name}
		if text := strings.TrimSpace(m.Expression); text != "" {
			_, more := compile(&c.Program, text, vars, cel.Bool, path.Index(i).Child("expression"))
			errs = append(errs, more...)
		}
		if c.Program != nil {
			out = append(out, c)
		}
	}
	return out, errs
}

// Compile compiles a policy; errors are those that it is refused with.
func Compile(spec *admissionv1.ValidatingAdmissionPolicySpec, path *field.Path) (*Policy, field.ErrorList) {
	p := &Policy{hasParams: spec.ParamKind != nil}
	var errs field.ErrorList
	p.Conditions, errs = CompileConditions(spec.MatchConditions, p.hasParams, path.Child("matchConditions"))
	return p, append(errs, p.compile(spec, path, nil, nil)...)
}

// compile compiles all but the conditions, with objects and parameters of the given types.
func (p *Policy) compile(spec *admissionv1.ValidatingAdmissionPolicySpec, path *field.Path, of, params *cel.Type) (errs field.ErrorList) {
	known := map[string]*cel.Type{}
	variables := cel.ObjectOf(func(name string) (*cel.Type, bool) {
		t, ok := known[name]
		return t, ok
	})
	vars := environment(p.hasParams, true, of, params)
	inMessages := environment(p.hasParams, false, of, params)
	if len(spec.Variables) > 0 {
		vars["variables"], inMessages["variables"] = variables, variables
	}
	for i, v := range spec.Variables {
		c := Variable{Name: v.Name}
		if strings.TrimSpace(v.Expression) == "" {
			continue
		}
		t, more := compile(&c.Program, v.Expression, vars, nil, path.Child("variables").Index(i).Child("expression"))
		errs = append(errs, more...)
		known[v.Name] = t
		p.Variables = append(p.Variables, c)
	}
	for i := range spec.Validations {
		v := &spec.Validations[i]
		c, at := Validation{Validation: v}, path.Child("validations").Index(i)
		if strings.TrimSpace(v.Expression) != "" {
			_, more := compile(&c.Program, v.Expression, vars, cel.Bool, at.Child("expression"))
			errs = append(errs, more...)
		}
		if strings.TrimSpace(v.MessageExpression) != "" {
			_, more := compile(&c.MessageExpression, v.MessageExpression, inMessages, cel.String, at.Child("messageExpression"))
			errs = append(errs, more...)
		}
		p.Validations = append(p.Validations, c)
	}
	for i, a := range spec.AuditAnnotations {
		c := Variable{Name: a.Key}
		if strings.TrimSpace(a.ValueExpression) == "" {
			continue
		}
		t, more := compile(&c.Program, a.ValueExpression, vars, nil, path.Child("auditAnnotations").Index(i).Child("valueExpression"))
		if t != nil && t.String() != "string" && t.String() != "null" && t.String() != "dyn" {
			more = append(more, field.Invalid(path.Child("auditAnnotations").Index(i).Child("valueExpression"), a.ValueExpression, "must evaluate to one of [string null_type]"))
		}
		errs = append(errs, more...)
		p.Annotations = append(p.Annotations, c)
	}
	return errs
}

// Typed is a kind whose schema is known.
type Typed struct {
	Kind string // "apps/v1, Kind=Deployment"
	Type *cel.Type
}

// Warnings judges a policy's expressions with the types of what it matches, as
// status.typeChecking shows it.
func Warnings(spec *admissionv1.ValidatingAdmissionPolicySpec, objects []Typed, params *cel.Type) []admissionv1.ExpressionWarning {
	var out []admissionv1.ExpressionWarning
	for _, o := range objects {
		p := &Policy{hasParams: spec.ParamKind != nil}
		for _, e := range p.compile(spec, field.NewPath("spec"), o.Type, params) {
			text := o.Kind + ": " + strings.TrimPrefix(e.Detail, "compilation failed: ")
			i := slices.IndexFunc(out, func(w admissionv1.ExpressionWarning) bool { return w.FieldRef == e.Field })
			if i < 0 {
				out = append(out, admissionv1.ExpressionWarning{FieldRef: e.Field, Warning: text})
			} else {
				out[i].Warning += "\n" + text
			}
		}
	}
	return out
}

// TypeOf is the type of a value of the API's schema.
func TypeOf(v *schema.Value) *cel.Type {
	switch v.Kind {
	case schema.String, schema.Quantity:
		if v.Format == "byte" {
			return cel.Bytes
		}
		return cel.String
	case schema.Integer:
		return cel.Int
	case schema.Number:
		return cel.Double
	case schema.Boolean:
		return cel.Bool
	case schema.Time, schema.MicroTime:
		return cel.Timestamp
	case schema.Array:
		return cel.ListOf(TypeOf(v.Elem))
	case schema.Map:
		return cel.MapOf(TypeOf(v.Elem))
	case schema.Object:
		if t := v.Type(); t != nil {
			return Object(t)
		}
	}
	return nil
}

// Object is the type of an object of the API's schema.
func Object(t *schema.Type) *cel.Type {
	if len(t.Fields) == 0 {
		return TypeOf(&schema.Value{Kind: t.Kind, Format: t.Format, Elem: t.Elem})
	}
	return cel.ObjectOf(func(name string) (*cel.Type, bool) {
		if f := t.Field(name); f != nil {
			return TypeOf(&f.Value), true
		}
		return nil, false
	})
}

// Input are the values that expressions see.
type Input struct {
	vars      map[string]any
	variables *variables
}

// NewInput gathers the values: object, oldObject, request, namespaceObject,
// params and authorizer, by name.
func (p *Policy) NewInput(vars map[string]any) *Input {
	in := &Input{vars: vars, variables: &variables{p: p, done: map[string]result{}}}
	in.variables.in = in
	if len(p.Variables) > 0 {
		vars["variables"] = in.variables
	}
	return in
}

// Eval computes an expression of the policy; errors name it.
func (in *Input) Eval(p *cel.Program) (any, error) { return Eval(p, in.vars) }

// Eval computes an expression; errors name it.
func Eval(p *cel.Program, vars map[string]any) (any, error) {
	v, err := p.Eval(vars)
	if err != nil {
		err = fmt.Errorf("expression '%s' resulted in error: %w", p.Text(), err)
	}
	return v, err
}

// variables computes each variable when it is first read.
type variables struct {
	p    *Policy
	in   *Input
	done map[string]result
}

type result struct {
	v   any
	err error
}

// Field implements cel.Fields.
func (v *variables) Field(name string) (any, bool, error) {
	if r, ok := v.done[name]; ok {
		return r.v, true, r.err
	}
	for _, x := range v.p.Variables {
		if x.Name == name {
			v.done[name] = result{err: fmt.Errorf("composited variable %q refers to itself", name)}
			out, err := x.Eval(v.in.vars)
			if err != nil {
				err = fmt.Errorf("composited variable %q fails to evaluate: %w", name, err)
			}
			v.done[name] = result{out, err}
			return out, true, err
		}
	}
	return nil, false, nil
}
