// Computing an expression over JSON trees.

package cel

import (
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

func (e *env) eval(n *node) any {
	if r := e.root(); r.left <= 0 {
		panic(failure{errBudget})
	} else {
		r.left--
	}
	switch n.kind {
	case literal:
		return n.value
	case ident:
		v, ok := e.lookup(n.text)
		if !ok {
			fail("undeclared reference to '%s'", n.text)
		}
		return v
	case field:
		return member(e.eval(&n.args[0]), n.text)
	case index:
		return element(e.eval(&n.args[0]), e.eval(&n.args[1]))
	case list:
		out := make([]any, len(n.args))
		for i := range n.args {
			out[i] = e.eval(&n.args[i])
		}
		return out
	case mapping:
		out := map[string]any{}
		for i := 0; i < len(n.args); i += 2 {
			out[fmt.Sprint(e.eval(&n.args[i]))] = e.eval(&n.args[i+1])
		}
		return out
	case macro:
		return e.macro(n)
	case operator:
		return e.operator(n)
	}
	if !n.method && n.text == "has" {
		f := &n.args[0]
		m, ok := e.eval(&f.args[0]).(map[string]any)
		if !ok {
			return false
		}
		_, ok = m[unescaped(f.text)]
		return ok
	}
	args := make([]any, len(n.args))
	for i := range n.args {
		args[i] = e.eval(&n.args[i])
	}
	fn := functions[n.text]
	if fn == nil {
		fail("undeclared reference to '%s'", n.text)
	}
	if len(args) == 0 {
		fail("no such overload")
	}
	v, ok := fn(args)
	if !ok {
		fail("no such overload")
	}
	return v
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

func member(v any, name string) any {
	m, ok := v.(map[string]any)
	if !ok {
		fail("no such overload")
	}
	out, ok := m[unescaped(name)]
	if !ok {
		fail("no such key: %s", unescaped(name))
	}
	return out
}

func element(v, i any) any {
	switch c := v.(type) {
	case map[string]any:
		k, ok := i.(string)
		if !ok {
			fail("no such overload")
		}
		out, ok := c[k]
		if !ok {
			fail("no such key: %s", k)
		}
		return out
	case []any:
		n, ok := i.(int64)
		if !ok {
			fail("no such overload")
		}
		if n < 0 || n >= int64(len(c)) {
			fail("index out of bounds: %d", n)
		}
		return c[n]
	}
	fail("no such overload")
	return nil
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
			return -x
		case float64:
			return -x
		}
		fail("no such overload")
	}
	b := e.eval(&n.args[1])
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
			k, ok := a.(string)
			_, has := c[k]
			return ok && has
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
	return arithmetic(n.text, a, b)
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
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
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

func arithmetic(op string, a, b any) any {
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
			if op == "/" {
				return x / y
			}
			return x % y
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
			if len(x)+len(y) > 1<<20 {
				panic(failure{errBudget})
			}
			return x + y
		}
	case []any:
		if y, ok := b.([]any); ok && op == "+" {
			return append(slices.Clone(x), y...)
		}
	case time.Duration:
		switch y := b.(type) {
		case time.Duration:
			if op == "+" {
				return x + y
			}
			return x - y
		case time.Time:
			return y.Add(x)
		}
	case time.Time:
		switch y := b.(type) {
		case time.Duration:
			if op == "-" {
				y = -y
			}
			return x.Add(y)
		case time.Time:
			return x.Sub(y)
		}
	}
	fail("no such overload")
	return nil
}

// macro runs a body for each element of a list, or key of a map.
func (e *env) macro(n *node) any {
	over := e.eval(&n.args[0])
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
	inner := &env{vars: map[string]any{}, outer: e, top: e.root()}
	_, isMap := over.(map[string]any)
	var out []any
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
		element := inner.vars[n.vars[0]]
		v, err := inner.try(&n.args[1])
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
				out = append(out, element)
			}
		case "map":
			if len(n.args) == 3 {
				if truth(v) {
					out = append(out, inner.eval(&n.args[2]))
				}
			} else {
				out = append(out, v)
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
	}
	if out == nil {
		out = []any{}
	}
	return out
}
