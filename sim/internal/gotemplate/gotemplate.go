// Package gotemplate executes Go templates on plain trees: map[string]any,
// []any, strings, numbers, booleans and nil. It is text/template without
// reflection on methods, which would keep the linker from leaving out any
// exported method of the program (a fifth of it); parsing, results and messages
// are those of text/template, and a test compares the two.
package gotemplate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/template/parse"
)

// Template is a parsed template.
type Template struct {
	name         string
	trees        map[string]*parse.Tree
	missingError bool
}

// New parses a template. With missingError a map's missing key is an error.
func New(name, text string, missingError bool) (*Template, error) {
	names := make(map[string]any, len(functions))
	for name := range functions {
		names[name] = true
	}
	trees, err := parse.Parse(name, text, "", "", names)
	if err != nil {
		return nil, err
	}
	return &Template{name, trees, missingError}, nil
}

// A value is what an expression gives: nothing (a missing key), the content of
// an interface (an element of a map or list, which may be nil), or a concrete
// value. The difference shows in messages and in what nil is.
type value struct {
	v    any
	kind kind
}

type kind byte

const (
	none kind = iota
	boxed
	concrete
)

func of(v any) value {
	if v == nil {
		return value{}
	}
	return value{v, concrete}
}

// open takes a value out of its interface.
func (v value) open() value { return of(v.v) }

func (v value) isNilBox() bool { return v.kind == boxed && v.v == nil }

// typ is the name of the static type.
func (v value) typ() string {
	if v.kind == boxed {
		return "interface {}"
	}
	return fmt.Sprintf("%T", v.v)
}

// missing stands for the absent last argument of a command.
var missing = value{v: new(byte), kind: concrete}

func (v value) isMissing() bool { return v == missing }

type variable struct {
	name  string
	value value
}

type state struct {
	*Template
	tree  *parse.Tree
	w     io.Writer
	node  parse.Node
	vars  []variable
	depth int
}

type execError struct{ error }

// Execute applies the template to a tree.
func (t *Template) Execute(w io.Writer, data any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(execError)
			if !ok {
				panic(r)
			}
			err = e.error
		}
	}()
	s := &state{Template: t, tree: t.trees[t.name], w: w, vars: []variable{{"$", of(data)}}}
	s.walk(of(data), s.tree.Root)
	return nil
}

func (s *state) fail(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	location, context := s.tree.ErrorContext(s.node)
	panic(execError{fmt.Errorf("template: %s: executing %q at <%s>: %w", location, s.tree.Name, context, err)})
}

func (s *state) write(text []byte) {
	if _, err := s.w.Write(text); err != nil {
		panic(execError{err})
	}
}

func (s *state) pop(mark int) { s.vars = s.vars[:mark] }

func (s *state) variable(name string) *value {
	for i := len(s.vars) - 1; i >= 0; i-- {
		if s.vars[i].name == name {
			return &s.vars[i].value
		}
	}
	s.fail("undefined variable: %s", name)
	return nil
}

// How a list of nodes ended.
type ending byte

const (
	toEnd ending = iota
	broken
	continued
)

func (s *state) walk(dot value, node parse.Node) ending {
	s.node = node
	switch node := node.(type) {
	case *parse.ActionNode:
		v := s.pipeline(dot, node.Pipe)
		if len(node.Pipe.Decl) == 0 {
			s.node = node
			if v.kind == none {
				v = of("<no value>")
			}
			s.write(fmt.Append(nil, v.v))
		}
	case *parse.BreakNode:
		return broken
	case *parse.ContinueNode:
		return continued
	case *parse.CommentNode:
	case *parse.IfNode:
		return s.branch(dot, &node.BranchNode, false)
	case *parse.WithNode:
		return s.branch(dot, &node.BranchNode, true)
	case *parse.ListNode:
		for _, n := range node.Nodes {
			if end := s.walk(dot, n); end != toEnd {
				return end
			}
		}
	case *parse.RangeNode:
		return s.loop(dot, node)
	case *parse.TemplateNode:
		s.call(dot, node)
	case *parse.TextNode:
		s.write(node.Text)
	default:
		s.fail("unknown node: %s", node)
	}
	return toEnd
}

func (s *state) branch(dot value, node *parse.BranchNode, with bool) ending {
	defer s.pop(len(s.vars))
	v := s.pipeline(dot, node.Pipe)
	switch {
	case truth(v) && with:
		return s.walk(v, node.List)
	case truth(v):
		return s.walk(dot, node.List)
	case node.ElseList != nil:
		return s.walk(dot, node.ElseList)
	}
	return toEnd
}

func truth(v value) bool {
	switch x := v.v.(type) {
	case nil:
		return false
	case map[string]any:
		return len(x) > 0
	case []any:
		return len(x) > 0
	case string:
		return x != ""
	case bool:
		return x
	case int:
		return x != 0
	case int64:
		return x != 0
	case float64:
		return x != 0
	case byte:
		return x != 0
	case complex128:
		return x != 0
	}
	return true
}

func (s *state) loop(dot value, r *parse.RangeNode) ending {
	defer s.pop(len(s.vars))
	v := s.pipeline(dot, r.Pipe)
	mark := len(s.vars)
	decl := r.Pipe.Decl
	ran := false
	once := func(index, elem value) (stop bool) {
		ran = true
		switch {
		case len(decl) > 1 && r.Pipe.IsAssign:
			*s.variable(decl[0].Ident[0]) = index
			*s.variable(decl[1].Ident[0]) = elem
		case len(decl) > 0 && r.Pipe.IsAssign:
			*s.variable(decl[0].Ident[0]) = elem
		case len(decl) > 0:
			s.vars[len(s.vars)-1].value = elem
			if len(decl) > 1 {
				s.vars[len(s.vars)-2].value = index
			}
		}
		defer s.pop(mark)
		return s.walk(elem, r.List) == broken
	}
	count := func(n int64, at func(int64) any) {
		if len(decl) > 1 {
			s.fail("can't use %v to iterate over more than one variable", v.v)
		}
		for i := range n {
			if once(value{}, of(at(i))) {
				break
			}
		}
	}
	switch x := v.v.(type) {
	case nil:
	case int:
		count(int64(x), func(i int64) any { return int(i) })
	case int64:
		count(x, func(i int64) any { return i })
	case byte:
		count(int64(x), func(i int64) any { return byte(i) })
	case []any:
		for i, e := range x {
			if once(of(i), value{e, boxed}) {
				break
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if once(of(k), value{x[k], boxed}) {
				break
			}
		}
	default:
		s.fail("range can't iterate over %v", v.v)
	}
	if !ran && r.ElseList != nil {
		if s.walk(dot, r.ElseList) == continued {
			return continued // that of the loop around this one; a break ends here
		}
	}
	return toEnd
}

const maxDepth = 1000 // text/template's limit in wasm

func (s *state) call(dot value, t *parse.TemplateNode) {
	tree := s.trees[t.Name]
	if tree == nil {
		s.fail("template %q not defined", t.Name)
	}
	if s.depth == maxDepth {
		s.fail("exceeded maximum template depth (%v)", maxDepth)
	}
	dot = s.pipeline(dot, t.Pipe)
	inner := *s
	inner.depth++
	inner.tree = tree
	inner.vars = []variable{{"$", dot}}
	inner.walk(dot, tree.Root)
}

func (s *state) pipeline(dot value, pipe *parse.PipeNode) (v value) {
	if pipe == nil {
		return value{}
	}
	s.node = pipe
	v = missing
	for _, cmd := range pipe.Cmds {
		v = s.command(dot, cmd, v).open()
	}
	for _, d := range pipe.Decl {
		if pipe.IsAssign {
			*s.variable(d.Ident[0]) = v
		} else {
			s.vars = append(s.vars, variable{d.Ident[0], v})
		}
	}
	return v
}

func (s *state) notAFunction(args []parse.Node, final value) {
	if len(args) > 1 || !final.isMissing() {
		s.fail("can't give argument to non-function %s", args[0])
	}
}

func (s *state) command(dot value, cmd *parse.CommandNode, final value) value {
	first := cmd.Args[0]
	switch n := first.(type) {
	case *parse.FieldNode:
		s.node = n
		return s.chain(dot, n, n.Ident, cmd.Args, final)
	case *parse.ChainNode:
		return s.chainNode(dot, n, cmd.Args, final)
	case *parse.IdentifierNode:
		return s.function(dot, n, cmd, cmd.Args, final)
	case *parse.PipeNode:
		s.notAFunction(cmd.Args, final)
		return s.pipeline(dot, n)
	case *parse.VariableNode:
		return s.variableNode(n, cmd.Args, final)
	}
	s.node = first
	s.notAFunction(cmd.Args, final)
	switch n := first.(type) {
	case *parse.BoolNode:
		return of(n.True)
	case *parse.DotNode:
		return dot
	case *parse.NilNode:
		s.fail("nil is not a command")
	case *parse.NumberNode:
		return s.number(n)
	case *parse.StringNode:
		return of(n.Text)
	}
	s.fail("can't evaluate command %q", first)
	return value{}
}

// number is a constant in a context that asks for no type.
func (s *state) number(n *parse.NumberNode) value {
	s.node = n
	hex := len(n.Text) > 2 && n.Text[0] == '0' && (n.Text[1] == 'x' || n.Text[1] == 'X') && !strings.ContainsAny(n.Text, "pP")
	switch {
	case n.IsComplex:
		return of(n.Complex128)
	case n.IsFloat && !hex && n.Text[0] != '\'' && strings.ContainsAny(n.Text, ".eEpP"):
		return of(n.Float64)
	case n.IsInt:
		return of(int(n.Int64))
	case n.IsUint:
		s.fail("%s overflows int", n.Text)
	}
	return value{}
}

func (s *state) chainNode(dot value, n *parse.ChainNode, args []parse.Node, final value) value {
	s.node = n
	if n.Node.Type() == parse.NodeNil {
		s.fail("indirection through explicit nil in %s", n)
	}
	return s.chain(s.argument(dot, valueArg, n.Node), n, n.Field, args, final)
}

func (s *state) variableNode(n *parse.VariableNode, args []parse.Node, final value) value {
	s.node = n
	v := *s.variable(n.Ident[0])
	if len(n.Ident) == 1 {
		s.notAFunction(args, final)
		return v
	}
	return s.chain(v, n, n.Ident[1:], args, final)
}

// chain follows fields; arguments would be those of the last.
func (s *state) chain(v value, node parse.Node, fields []string, args []parse.Node, final value) value {
	for i, name := range fields {
		if i < len(fields)-1 {
			v = s.field(v, name, false)
		} else {
			v = s.field(v, name, len(args) > 1 || !final.isMissing())
		}
	}
	return v
}

func (s *state) field(v value, name string, hasArgs bool) value {
	if v.kind == none {
		if s.missingError {
			s.fail("nil data; no entry for key %q", name)
		}
		return value{}
	}
	if v.isNilBox() {
		s.fail("nil pointer evaluating %s.%s", v.typ(), name)
	}
	m, ok := v.v.(map[string]any)
	if !ok {
		s.fail("can't evaluate field %s in type %s", name, v.typ())
	}
	if hasArgs {
		s.fail("%s is not a method but has arguments", name)
	}
	e, ok := m[name]
	if !ok {
		if s.missingError {
			s.fail("map has no entry for key %q", name)
		}
		return value{}
	}
	return value{e, boxed}
}

// What a function asks of an argument.
type param byte

const (
	valueArg  param = iota // any value, or none
	anyArg                 // any value; none becomes nil
	stringArg              // a string
)

// validate makes a value fit a parameter.
func (s *state) validate(v value, p param) value {
	switch {
	case p == stringArg && v.kind == none:
		s.fail("invalid value; expected string")
	case p == stringArg:
		if _, ok := v.v.(string); !ok {
			if v.v != nil {
				v = v.open()
			}
			s.fail("wrong type for value; expected string; got %s", v.typ())
		}
		return v.open()
	case p == anyArg && v.kind == none:
		return value{kind: boxed}
	}
	return v
}

func (s *state) argument(dot value, p param, n parse.Node) value {
	s.node = n
	switch n := n.(type) {
	case *parse.DotNode:
		return s.validate(dot, p)
	case *parse.NilNode:
		if p == stringArg {
			s.fail("cannot assign nil to string")
		}
		return s.validate(value{}, p)
	case *parse.FieldNode:
		return s.validate(s.chain(dot, n, n.Ident, nil, missing), p)
	case *parse.VariableNode:
		return s.validate(s.variableNode(n, nil, missing), p)
	case *parse.PipeNode:
		return s.validate(s.pipeline(dot, n), p)
	case *parse.IdentifierNode:
		return s.validate(s.function(dot, n, n, nil, missing), p)
	case *parse.ChainNode:
		return s.validate(s.chainNode(dot, n, nil, missing), p)
	}
	if p == stringArg {
		if n, ok := n.(*parse.StringNode); ok {
			return of(n.Text)
		}
		s.fail("expected string; found %s", n)
	}
	switch n := n.(type) {
	case *parse.BoolNode:
		return of(n.True)
	case *parse.NumberNode:
		return s.number(n)
	case *parse.StringNode:
		return of(n.Text)
	}
	s.fail("can't handle assignment of %s to empty interface argument", n)
	return value{}
}

func (s *state) function(dot value, n *parse.IdentifierNode, cmd parse.Node, args []parse.Node, final value) value {
	s.node = n
	name := n.Ident
	f, ok := functions[name]
	if !ok {
		s.fail("%q is not a defined function", name)
	}
	if args != nil {
		args = args[1:]
	}
	count := len(args)
	if !final.isMissing() {
		count++
	}
	fixed := len(f.params)
	if f.variadic {
		fixed--
		if count < fixed {
			s.fail("wrong number of args for %s: want at least %d got %d", name, fixed, len(args))
		}
	} else if count != fixed {
		s.fail("wrong number of args for %s: want %d got %d", name, fixed, count)
	}
	p := func(i int) param { return f.params[min(i, len(f.params)-1)] }
	if name == "and" || name == "or" {
		var v value
		for _, a := range args {
			v = s.argument(dot, valueArg, a)
			if truth(v) == (name == "or") {
				return v
			}
		}
		if !final.isMissing() {
			v = s.validate(final, valueArg)
		}
		return v
	}
	values := make([]value, 0, count)
	for i, a := range args {
		values = append(values, s.argument(dot, p(i), a))
	}
	if !final.isMissing() {
		values = append(values, s.validate(final, p(count-1)))
	}
	if name == "call" {
		callee := fmt.Sprint(final.v)
		if len(args) > 0 {
			callee = args[0].String()
		}
		values = append([]value{of(callee)}, values...)
	}
	v, err := f.call(values)
	if err != nil {
		s.node = cmd
		s.fail("error calling %s: %w", name, err)
	}
	return v
}
