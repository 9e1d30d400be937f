// Computing an expression over JSON trees.

package cel

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// budget is how many steps an expression may take.
const budget = 1000000

// Values are those of JSON trees, []byte, time.Time, time.Duration, typeName, and:

// Object is a value with methods of its own.
type Object interface {
	// Type names the type: "net.IP", "kubernetes.Quantity" ….
	Type() string
	// Call calls a method; ok is false when it takes no such arguments.
	Call(method string, args []any) (v any, ok bool)
}

// Fields is a value whose fields are computed when they are read.
type Fields interface {
	// Field returns the named field; ok is false when there is none.
	Field(name string) (v any, ok bool, err error)
}

// typeName is a type as a value.
type typeName string

// optional is a value that may be missing.
type optional struct {
	v   any
	set bool
}

// Optional is a value that is there or not.
func Optional(v any, there bool) any {
	if !there {
		return missing
	}
	return some(v)
}

var missing = optional{}

func some(v any) optional { return optional{v, true} }

// Eval computes the expression with the given variables.
func (p *Program) Eval(vars map[string]any) (v any, err error) {
	e := &env{vars: vars, left: budget}
	defer func() {
		if r := recover(); r != nil {
			failed, ok := r.(failure)
			if !ok {
				panic(r)
			}
			v, err = nil, failed.error
		}
	}()
	return e.eval(&p.root), nil
}

type failure struct{ error }

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

type env struct {
	vars  map[string]any
	outer *env
	left  int
	top   *env
}

func (e *env) root() *env {
	if e.top != nil {
		return e.top
	}
	return e
}

func (e *env) lookup(name string) (any, bool) {
	for ; e != nil; e = e.outer {
		if v, ok := e.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// try computes a node and turns a failure into an error.
func (e *env) try(n *node) (v any, err error) {
	defer func() {
		if r := recover(); r != nil {
			failed, ok := r.(failure)
			if !ok || errors.Is(failed.error, errBudget) {
				panic(r)
			}
			err = failed.error
		}
	}()
	return e.eval(n), nil
}

var errBudget = errors.New("validation failed due to running out of cost budget, no further validation rules will be run")

// spend takes steps off the budget.
func (e *env) spend(n int) {
	r := e.root()
	if r.left -= n; r.left < 0 {
		panic(failure{errBudget})
	}
}

func (e *env) eval(n *node) any {
	e.spend(1)
	switch n.kind {
	case literal:
		return n.value
	case ident:
		if v, ok := e.lookup(n.text); ok {
			return v
		}
		if _, ok := typeNames[n.text]; !ok {
			fail("undeclared reference to '%s'", n.text)
		}
		return typeName(n.text)
	case field:
		if name := qualified(n); name != "" {
			if v, ok := e.lookup(name); ok {
				return v
			}
		}
		return member(e.eval(&n.args[0]), unescaped(n.text), n.opt)
	case index:
		return element(e.eval(&n.args[0]), e.eval(&n.args[1]), n.opt)
	case list:
		out := make([]any, 0, len(n.args))
		for i := range n.args {
			if a := &n.args[i]; a.kind != maybe {
				out = append(out, e.eval(a))
			} else if o := asOptional(e.eval(&a.args[0])); o.set {
				out = append(out, o.v)
			}
		}
		return out
	case mapping:
		out := map[string]any{}
		for i := 0; i < len(n.args); i += 2 {
			key, v := &n.args[i], e.eval(&n.args[i+1])
			if key.kind == maybe {
				o := asOptional(v)
				if !o.set {
					continue
				}
				key, v = &key.args[0], o.v
			}
			out[fmt.Sprint(e.eval(key))] = v
		}
		return out
	case macro:
		return e.macro(n)
	case operator:
		return e.operator(n)
	case has:
		f := &n.args[0]
		_, ok := find(e.eval(&f.args[0]), unescaped(f.text))
		return ok
	}
	args := make([]any, len(n.args))
	for i := range n.args {
		args[i] = e.eval(&n.args[i])
	}
	if n.method {
		if o, is := args[0].(Object); is {
			if v, ok := o.Call(n.text, args[1:]); ok {
				return v
			}
			fail("no such overload")
		}
	}
	fn := functions[n.text]
	if fn == nil || fn.call == nil {
		fail("no such overload")
	}
	e.spend(weight(args))
	v, ok := fn.call(args)
	if !ok {
		fail("no such overload")
	}
	return v
}

// weight is what a function's arguments cost to look at.
func weight(args []any) int {
	n := 0
	for _, a := range args {
		switch x := a.(type) {
		case string:
			n += len(x) / 10
		case []any:
			n += len(x)
		}
	}
	return n
}

func asOptional(v any) optional {
	o, ok := v.(optional)
	if !ok {
		fail("no such overload")
	}
	return o
}

// qualified is the whole name if the field may be a variable "a.b".
func qualified(n *node) string {
	if n.args[0].kind == ident && n.args[0].text == "authorizer" {
		return "authorizer." + n.text
	}
	return ""
}

// unescaped undoes the spelling of property names that are no identifiers.
func unescaped(name string) string {
	if !strings.Contains(name, "__") {
		return name
	}
	if len(name) > 4 && strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") {
		switch word := name[2 : len(name)-2]; word {
		case "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return":
			return word
		}
	}
	return strings.NewReplacer("__underscores__", "__", "__dot__", ".", "__dash__", "-", "__slash__", "/").Replace(name)
}

// find looks a field up.
func find(v any, name string) (any, bool) {
	switch m := v.(type) {
	case map[string]any:
		out, ok := m[name]
		return out, ok
	case Fields:
		out, ok, err := m.Field(name)
		if err != nil {
			panic(failure{err})
		}
		return out, ok
	case optional:
		if !m.set {
			return nil, false
		}
		return find(m.v, name)
	}
	fail("no such overload")
	return nil, false
}

func member(v any, name string, opt bool) any {
	_, is := v.(optional)
	out, ok := find(v, name)
	switch {
	case opt || is:
		if !ok {
			return missing
		}
		return some(out)
	case !ok:
		fail("no such key: %s", name)
	}
	return out
}

func element(v, i any, opt bool) any {
	if o, is := v.(optional); is {
		if !o.set {
			return missing
		}
		v, opt = o.v, true
	}
	if f, ok := i.(float64); ok && f == math.Trunc(f) {
		i = int64(f)
	}
	out, ok := any(nil), false
	switch c := v.(type) {
	case map[string]any:
		k := ""
		switch x := i.(type) {
		case string:
			k = x
		case int64, bool:
			k = fmt.Sprint(x)
		default:
			fail("no such overload")
		}
		if out, ok = c[k]; !ok && !opt {
			fail("no such key: %s", k)
		}
	case []any:
		n, is := i.(int64)
		if !is {
			fail("no such overload")
		}
		if ok = n >= 0 && n < int64(len(c)); ok {
			out = c[n]
		} else if !opt {
			fail("index out of bounds: %d", n)
		}
	default:
		fail("no such overload")
	}
	switch {
	case !opt:
		return out
	case ok:
		return some(out)
	}
	return missing
}

func truth(v any) bool {
	b, ok := v.(bool)
	if !ok {
		fail("no such overload")
	}
	return b
}

func (e *env) operator(n *node) any {
	switch n.text {
	case "&&", "||":
		// A false (or true) side decides, whatever is wrong with the other.
		decides := n.text == "||"
		a, aerr := e.try(&n.args[0])
		if aerr == nil && truth(a) == decides {
			return decides
		}
		b, berr := e.try(&n.args[1])
		if berr == nil && truth(b) == decides {
			return decides
		}
		for _, err := range []error{aerr, berr} {
			if err != nil {
				panic(failure{err})
			}
		}
		return !decides
	case "?:":
		if truth(e.eval(&n.args[0])) {
			return e.eval(&n.args[1])
		}
		return e.eval(&n.args[2])
	}
	a := e.eval(&n.args[0])
	if len(n.args) == 1 {
		if n.text == "!" {
			return !truth(a)
		}
		switch x := a.(type) {
		case int64:
			if x == math.MinInt64 {
				fail("integer overflow")
			}
			return -x
		case float64:
			return -x
		case time.Duration:
			return -x
		}
		fail("no such overload")
	}
	b := e.eval(&n.args[1])
	e.spend(weight([]any{a, b}))
	switch n.text {
	case "==":
		return Equal(a, b)
	case "!=":
		return !Equal(a, b)
	case "in":
		switch c := b.(type) {
		case []any:
			return slices.ContainsFunc(c, func(v any) bool { return Equal(a, v) })
		case map[string]any:
			_, has := c[fmt.Sprint(a)]
			return has
		}
		fail("no such overload")
	case "<", "<=", ">", ">=":
		c := compare(a, b)
		switch n.text {
		case "<":
			return c < 0
		case "<=":
			return c <= 0
		case ">":
			return c > 0
		}
		return c >= 0
	}
	return e.arithmetic(n.text, a, b)
}

// Equal compares values; numbers of both sorts compare by value.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case int64:
		switch y := b.(type) {
		case int64:
			return x == y
		case float64:
			return float64(x) == y
		}
		return false
	case float64:
		switch y := b.(type) {
		case int64:
			return x == float64(y)
		case float64:
			return x == y
		}
		return false
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, Equal)
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && maps.EqualFunc(x, y, Equal)
	case []byte:
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	case optional:
		y, ok := b.(optional)
		return ok && x.set == y.set && Equal(x.v, y.v)
	case quantity:
		y, ok := b.(quantity)
		return ok && x.Cmp(y.Quantity) == 0
	case Object, Fields:
		return fmt.Sprint(a) == fmt.Sprint(b)
	}
	switch b.(type) {
	case []any, map[string]any, []byte, Object, Fields:
		return false
	}
	return a == b
}

func compare(a, b any) int {
	switch x := a.(type) {
	case int64:
		switch y := b.(type) {
		case int64:
			return order(x, y)
		case float64:
			return order(float64(x), y)
		}
	case float64:
		switch y := b.(type) {
		case int64:
			return order(x, float64(y))
		case float64:
			return order(x, y)
		}
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y)
		}
	case []byte:
		if y, ok := b.([]byte); ok {
			return bytes.Compare(x, y)
		}
	case time.Duration:
		if y, ok := b.(time.Duration); ok {
			return order(x, y)
		}
	case time.Time:
		if y, ok := b.(time.Time); ok {
			return x.Compare(y)
		}
	case bool:
		if y, ok := b.(bool); ok && x != y {
			return map[bool]int{true: 1, false: -1}[x]
		} else if ok {
			return 0
		}
	}
	fail("no such overload")
	return 0
}

func order[T int64 | float64 | time.Duration](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// maxText is how long a text that an expression makes may be, in bytes.
const maxText = 1 << 20

func (e *env) arithmetic(op string, a, b any) any {
	switch x := a.(type) {
	case int64:
		y, ok := b.(int64)
		if !ok {
			break
		}
		switch op {
		case "+":
			if s := x + y; (s > x) == (y > 0) {
				return s
			}
			fail("integer overflow")
		case "-":
			if s := x - y; (s < x) == (y > 0) {
				return s
			}
			fail("integer overflow")
		case "*":
			if x == 0 || y == 0 {
				return int64(0)
			}
			if p := x * y; p/y == x && !(x == math.MinInt64 && y == -1) && !(y == math.MinInt64 && x == -1) {
				return p
			}
			fail("integer overflow")
		default:
			if y == 0 {
				fail("%s", map[string]string{"/": "division by zero", "%": "modulus by zero"}[op])
			}
			if op == "%" {
				return x % y
			}
			if x == math.MinInt64 && y == -1 {
				fail("integer overflow")
			}
			return x / y
		}
	case float64:
		y, ok := b.(float64)
		if !ok {
			break
		}
		switch op {
		case "+":
			return x + y
		case "-":
			return x - y
		case "*":
			return x * y
		case "/":
			return x / y
		}
	case string:
		if y, ok := b.(string); ok && op == "+" {
			if len(x)+len(y) > maxText {
				panic(failure{errBudget})
			}
			return x + y
		}
	case []byte:
		if y, ok := b.([]byte); ok && op == "+" && len(x)+len(y) <= maxText {
			return append(slices.Clone(x), y...)
		}
	case []any:
		if y, ok := b.([]any); ok && op == "+" {
			e.spend(len(x) + len(y))
			return append(slices.Clone(x), y...)
		}
	case time.Duration:
		switch y := b.(type) {
		case time.Duration:
			if op == "+" {
				return x + y
			} else if op == "-" {
				return x - y
			}
		case time.Time:
			if op == "+" {
				return y.Add(x)
			}
		}
	case time.Time:
		switch y := b.(type) {
		case time.Duration:
			if op == "-" {
				return x.Add(-y)
			} else if op == "+" {
				return x.Add(y)
			}
		case time.Time:
			if op == "-" {
				return x.Sub(y)
			}
		}
	}
	fail("no such overload")
	return nil
}

// macro runs a body for each element of a list, or key of a map.
func (e *env) macro(n *node) any {
	over := e.eval(&n.args[0])
	inner := &env{vars: map[string]any{}, outer: e, top: e.root()}
	if strings.HasPrefix(n.text, "opt") {
		o := asOptional(over)
		if !o.set {
			return missing
		}
		inner.vars[n.vars[0]] = o.v
		v := inner.eval(&n.args[1])
		if n.text == "optFlatMap" {
			return asOptional(v)
		}
		return some(v)
	}
	var first, second []any
	switch c := over.(type) {
	case []any:
		second = c
		for i := range c {
			first = append(first, int64(i))
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(c)) {
			first, second = append(first, k), append(second, c[k])
		}
	default:
		fail("no such overload")
	}
	_, isMap := over.(map[string]any)
	body := len(n.args) - 1
	out, entries := []any{}, map[string]any{}
	count := 0
	var problem error
	for i := range first {
		switch {
		case len(n.vars) == 2:
			inner.vars[n.vars[0]], inner.vars[n.vars[1]] = first[i], second[i]
		case isMap:
			inner.vars[n.vars[0]] = first[i]
		default:
			inner.vars[n.vars[0]] = second[i]
		}
		if body == 2 && !truth(inner.eval(&n.args[1])) {
			continue
		}
		v, err := inner.try(&n.args[body])
		if err != nil && (n.text == "all" || n.text == "exists") {
			problem = err
			continue
		}
		if err != nil {
			panic(failure{err})
		}
		switch n.text {
		case "all":
			if !truth(v) {
				return false
			}
		case "exists":
			if truth(v) {
				return true
			}
		case "exists_one", "existsOne":
			if truth(v) {
				count++
			}
		case "filter":
			if truth(v) {
				out = append(out, inner.vars[n.vars[0]])
			}
		case "map", "transformList":
			out = append(out, v)
		case "transformMap":
			entries[fmt.Sprint(first[i])] = v
		case "transformMapEntry":
			m, ok := v.(map[string]any)
			if !ok {
				fail("no such overload")
			}
			for _, k := range slices.Sorted(maps.Keys(m)) {
				if _, twice := entries[k]; twice {
					fail("insert failed: key %s already exists", k)
				}
				entries[k] = m[k]
			}
		}
	}
	if problem != nil {
		panic(failure{problem})
	}
	switch n.text {
	case "all":
		return true
	case "exists":
		return false
	case "exists_one", "existsOne":
		return count == 1
	case "transformMap", "transformMapEntry":
		return entries
	}
	return out
}
