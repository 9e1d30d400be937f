// Judging an expression before it is run: are its names known, do its types
// fit. What is dyn fits everything, as upstream.

package cel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Type is the type of a value as far as it is known. The zero of a pointer to
// it is dyn.
type Type struct {
	sort   byte // a letter of typeNames' values, 'O' for objects with known fields
	elem   *Type
	fields func(name string) *Type // nil: no such field
}

// typeNames are the types that expressions can name, and the letters that stand
// for them in signatures.
var typeNames = map[string]byte{"dyn": '*', "bool": 'b', "int": 'i', "uint": 'i', "double": 'd', "string": 's', "bytes": 'y', "list": 'l',
	"map": 'm', "null_type": 'n', "type": 'T', "google.protobuf.Timestamp": 't', "google.protobuf.Duration": 'D', "optional_type": 'o',
	"kubernetes.Quantity": 'Q', "kubernetes.URL": 'U', "net.IP": 'P', "net.CIDR": 'C', "kubernetes.Semver": 'V', "kubernetes.NamedFormat": 'F',
	"kubernetes.authorization.Authorizer": 'A', "kubernetes.authorization.PathCheck": 'p', "kubernetes.authorization.GroupCheck": 'g',
	"kubernetes.authorization.ResourceCheck": 'r', "kubernetes.authorization.Decision": 'z'}

// The types that variables are declared with.
var (
	Bool       = &Type{sort: 'b'}
	Int        = &Type{sort: 'i'}
	Double     = &Type{sort: 'd'}
	String     = &Type{sort: 's'}
	Timestamp  = &Type{sort: 't'}
	Bytes      = &Type{sort: 'y'}
	Authorizer = &Type{sort: 'A'}
	ResourceOf = &Type{sort: 'r'} // a resource check of the authorizer
	OptionalOf = &Type{sort: 'o'}
)

// ListOf and MapOf are the types of lists and of maps with string keys.
func ListOf(elem *Type) *Type { return &Type{sort: 'l', elem: elem} }
func MapOf(elem *Type) *Type  { return &Type{sort: 'm', elem: elem} }

// ObjectOf is an object with known fields; fields returns ok false for others.
func ObjectOf(fields func(name string) (t *Type, ok bool)) *Type {
	return &Type{sort: 'O', fields: func(name string) *Type {
		t, ok := fields(name)
		switch {
		case !ok:
			return nil
		case t == nil:
			return dyn
		}
		return t
	}}
}

var dyn = &Type{sort: '*'}

func (t *Type) dyn() bool { return t == nil || t.sort == '*' }

func (t *Type) String() string {
	switch {
	case t.dyn():
		return "dyn"
	case t.sort == 'l':
		return "list(" + t.elem.String() + ")"
	case t.sort == 'm':
		return "map(string, " + t.elem.String() + ")"
	case t.sort == 'O':
		return "object"
	case t.sort == 'n':
		return "null"
	case t.sort == 't':
		return "timestamp"
	case t.sort == 'D':
		return "duration"
	}
	for name, letter := range typeNames {
		if letter == t.sort && name != "uint" {
			return name
		}
	}
	return "dyn"
}

// Check judges the expression with the given variables (nil is dyn) and, if
// wants is given, requires the result to have that very type.
func (p *Program) Check(vars map[string]*Type, want *Type) (t *Type, err error) {
	c := &checker{p: p, vars: vars}
	t = c.check(&p.root)
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	if want != nil && t.sort != want.sort {
		return nil, wrongResult(want.String())
	}
	return t, nil
}

// ErrResult is what errors about the type of an expression's result are.
var ErrResult = errors.New("wrong result")

type wrongResult string

func (e wrongResult) Error() string   { return "must evaluate to " + string(e) }
func (wrongResult) Is(err error) bool { return err == ErrResult }

// problems are all that is wrong with an expression.
type problems []*problem

func (e problems) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

type checker struct {
	p     *Program
	vars  map[string]*Type
	scope []struct {
		name string
		t    *Type
	}
	errs problems
}

func (c *checker) fail(n *node, format string, args ...any) *Type {
	c.errs = append(c.errs, &problem{c.p.text, n.at, fmt.Sprintf(format, args...)})
	return dyn
}

func (c *checker) check(n *node) *Type {
	switch n.kind {
	case literal:
		return typeOf(n.value)
	case ident:
		return c.ident(n)
	case field, has:
		if n.kind == has {
			c.check(&n.args[0])
			return Bool
		}
		return c.field(n)
	case index:
		over, key := c.check(&n.args[0]), c.check(&n.args[1])
		opt := n.opt || over.sort == 'o'
		if over.sort == 'o' {
			over = over.elem
		}
		out := dyn
		switch {
		case over.dyn():
		case over.sort == 'l' && (key.dyn() || key.sort == 'i'), over.sort == 'm' && (key.dyn() || key.sort == 's'):
			if out = over.elem; out == nil {
				out = dyn
			}
		case over.sort == 'O': // by name, which upstream's object types do not allow
			fallthrough
		default:
			return c.mismatch(n, "_[_]", false, over, key)
		}
		if opt {
			return &Type{sort: 'o', elem: out}
		}
		return out
	case list:
		var elem *Type
		for i := range n.args {
			a := &n.args[i]
			if a.kind == maybe {
				a = &a.args[0]
			}
			elem = join(elem, c.check(a), i == 0)
		}
		return ListOf(elem)
	case mapping:
		var elem *Type
		for i := 0; i < len(n.args); i += 2 {
			key := &n.args[i]
			if key.kind == maybe {
				key = &key.args[0]
			}
			c.check(key)
			elem = join(elem, c.check(&n.args[i+1]), i == 0)
		}
		return MapOf(elem)
	case macro:
		return c.macro(n)
	case operator:
		return c.operator(n)
	}
	args := make([]*Type, len(n.args))
	for i := range n.args {
		args[i] = c.check(&n.args[i])
	}
	fn := functions[n.text]
	if fn == nil {
		return c.fail(n, "undeclared reference to '%s' (in container '')", n.text)
	}
	if out := fn.result(n.method, args); out != nil {
		return out
	}
	return c.mismatch(n, n.text, n.method, args...)
}

func (c *checker) ident(n *node) *Type {
	for i := len(c.scope) - 1; i >= 0; i-- {
		if c.scope[i].name == n.text {
			return c.scope[i].t
		}
	}
	if t, ok := c.vars[n.text]; ok {
		if t == nil {
			return dyn
		}
		return t
	}
	if _, ok := typeNames[n.text]; ok {
		return &Type{sort: 'T'}
	}
	return c.fail(n, "undeclared reference to '%s' (in container '')", n.text)
}

func (c *checker) field(n *node) *Type {
	if t, ok := c.vars[qualified(n)]; ok {
		return t
	}
	over := c.check(&n.args[0])
	opt := n.opt || over.sort == 'o'
	if over.sort == 'o' {
		if over = over.elem; over == nil {
			over = dyn
		}
	}
	out := dyn
	switch {
	case over.dyn():
	case over.sort == 'm':
		if over.elem != nil {
			out = over.elem
		}
	case over.sort == 'O':
		if out = over.fields(unescaped(n.text)); out == nil {
			return c.fail(n, "undefined field '%s'", n.text)
		}
	default:
		return c.fail(n, "type '%s' does not support field selection", over)
	}
	if opt {
		return &Type{sort: 'o', elem: out}
	}
	return out
}

// join is the type of things of which some are a and some b.
func join(a, b *Type, first bool) *Type {
	switch {
	case first:
		return b
	case a.dyn() || b.dyn() || a.sort != b.sort:
		return dyn
	}
	return a
}

func (c *checker) macro(n *node) *Type {
	over := c.check(&n.args[0])
	keys, elems := dyn, dyn
	switch {
	case over.dyn():
	case over.sort == 'l':
		keys, elems = Int, over.elem
	case over.sort == 'm':
		keys, elems = String, over.elem
	case over.sort == 'o' && strings.HasPrefix(n.text, "opt"):
		elems = over.elem
	default:
		return c.fail(n, "expression of type '%s' cannot be range of a comprehension (must be list, map, or dynamic)", over)
	}
	if elems == nil {
		elems = dyn
	}
	was := len(c.scope)
	bind := func(name string, t *Type) {
		c.scope = append(c.scope, struct {
			name string
			t    *Type
		}{name, t})
	}
	switch {
	case len(n.vars) == 2:
		bind(n.vars[0], keys)
		bind(n.vars[1], elems)
	case over.sort == 'm':
		bind(n.vars[0], keys)
	default:
		bind(n.vars[0], elems)
	}
	first := c.scope[was].t
	var body *Type
	for i := range n.args[1:] {
		body = c.check(&n.args[1+i])
		if i == 0 && len(n.args) == 3 && !body.dyn() && body.sort != 'b' {
			c.fail(&n.args[1], "expected type 'bool' but found '%s'", body)
		}
	}
	c.scope = c.scope[:was]
	switch n.text {
	case "optMap":
		return &Type{sort: 'o', elem: body}
	case "optFlatMap":
		return body
	case "map", "transformList":
		return ListOf(body)
	case "transformMap":
		return MapOf(body)
	case "transformMapEntry":
		return MapOf(nil)
	}
	if !body.dyn() && body.sort != 'b' {
		c.fail(&n.args[len(n.args)-1], "expected type 'bool' but found '%s'", body)
	}
	if n.text == "filter" {
		return ListOf(first)
	}
	return Bool
}

func (c *checker) operator(n *node) *Type {
	args := make([]*Type, len(n.args))
	known := true
	for i := range n.args {
		args[i] = c.check(&n.args[i])
		known = known && !args[i].dyn()
	}
	a := args[0]
	b := args[len(args)-1]
	name := "_" + n.text + "_"
	switch n.text {
	case "?:":
		if !a.dyn() && a.sort != 'b' || !args[1].dyn() && !b.dyn() && args[1].sort != b.sort {
			return c.mismatch(n, "_?_:_", false, args...)
		}
		return join(args[1], b, false)
	case "&&", "||":
		for _, t := range args {
			if !t.dyn() && t.sort != 'b' {
				return c.mismatch(n, name, false, args...)
			}
		}
		return Bool
	case "!":
		if !a.dyn() && a.sort != 'b' {
			return c.mismatch(n, "!_", false, args...)
		}
		return Bool
	case "==", "!=":
		if known && a.sort != b.sort && a.sort != 'n' && b.sort != 'n' && !(a.sort == 'O' && b.sort == 'm' || a.sort == 'm' && b.sort == 'O') {
			return c.mismatch(n, name, false, args...)
		}
		return Bool
	case "in":
		switch {
		case !b.dyn() && b.sort != 'l' && b.sort != 'm',
			b.sort == 'l' && !b.elem.dyn() && !a.dyn() && a.sort != b.elem.sort,
			b.sort == 'm' && !a.dyn() && a.sort != 's':
			return c.mismatch(n, "@in", false, args...)
		}
		return Bool
	case "<", "<=", ">", ">=":
		numbers := strings.IndexByte("id", a.sort) >= 0 && strings.IndexByte("id", b.sort) >= 0
		if known && !numbers && (a.sort != b.sort || strings.IndexByte("bidsytD", a.sort) < 0) {
			return c.mismatch(n, name, false, args...)
		}
		return Bool
	}
	if len(args) == 1 {
		if !a.dyn() && a.sort != 'i' && a.sort != 'd' && a.sort != 'D' {
			return c.mismatch(n, "-_", false, args...)
		}
		return a
	}
	if !known {
		if a.dyn() && b.dyn() {
			return dyn
		}
		if t := join(a, b, a.dyn()); !t.dyn() && strings.IndexByte("ids", t.sort) >= 0 { // the other must be the same
			return t
		}
		return dyn
	}
	allowed := map[string]string{"+": "idsyl", "-": "id", "*": "id", "/": "id", "%": "i"}[n.text]
	switch pair := string([]byte{a.sort, b.sort}); {
	case a.sort == b.sort && strings.IndexByte(allowed, a.sort) >= 0:
		if a.sort == 'l' {
			return ListOf(join(a.elem, b.elem, false))
		}
		return a
	case n.text == "+" && (pair == "tD" || pair == "Dt"), n.text == "-" && pair == "tD":
		return Timestamp
	case pair == "DD" && (n.text == "+" || n.text == "-"), n.text == "-" && pair == "tt":
		return &Type{sort: 'D'}
	}
	return c.mismatch(n, name, false, args...)
}

// mismatch says that a function does not take what it is given.
func (c *checker) mismatch(n *node, name string, method bool, args ...*Type) *Type {
	texts := make([]string, len(args))
	for i, t := range args {
		texts[i] = t.String()
	}
	receiver := ""
	if method {
		receiver, texts = texts[0]+".", texts[1:]
	}
	return c.fail(n, "found no matching overload for '%s' applied to '%s(%s)'", name, receiver, strings.Join(texts, ", "))
}

// typeOf is the type of a value.
func typeOf(v any) *Type {
	switch x := v.(type) {
	case nil:
		return &Type{sort: 'n'}
	case bool:
		return Bool
	case int64:
		return Int
	case float64:
		return Double
	case string:
		return String
	case []byte:
		return Bytes
	case []any:
		return ListOf(nil)
	case map[string]any, Fields:
		return MapOf(nil)
	case time.Time:
		return Timestamp
	case time.Duration:
		return &Type{sort: 'D'}
	case optional:
		return OptionalOf
	case typeName:
		return &Type{sort: 'T'}
	case Object:
		return &Type{sort: typeNames[x.Type()]}
	}
	return dyn
}

// function is one function with all its signatures: "s.s>b" takes a string's
// method with a string and gives a bool, "s,i>s" is not a method. The letters
// are those of typeNames.
type function struct {
	signatures string
	call       func(args []any) (any, bool)
}

// result is the type of a call, nil when no signature fits.
func (f *function) result(method bool, args []*Type) *Type {
	var out *Type
	for sig := range strings.FieldsSeq(f.signatures) {
		takes, gives, _ := strings.Cut(sig, ">")
		receiver, rest, isMethod := strings.Cut(takes, ".")
		if isMethod != method {
			continue
		}
		letters := receiver + rest
		if len(letters) != len(args) || !slices.EqualFunc(args, []byte(letters), func(t *Type, letter byte) bool {
			return t.dyn() || letter == '*' || t.sort == letter || t.sort == 'O' && letter == 'm'
		}) {
			continue
		}
		t := &Type{sort: gives[0]}
		if len(gives) > 1 {
			t.elem = &Type{sort: gives[1]}
		}
		if out != nil && out.sort != t.sort {
			return dyn
		}
		out = t
	}
	return out
}
