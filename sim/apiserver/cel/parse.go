// Package cel evaluates the expressions of x-kubernetes-validations and of
// admission policies: the Common Expression Language with the libraries that
// Kubernetes adds. Upstream's implementation weighs more than the rest of the
// API server; values here are those of JSON trees. parse.go reads expressions,
// check.go judges them before they are run, eval.go computes them; functions.go
// and library.go hold the functions.
// https://kubernetes.io/docs/reference/using-api/cel/
package cel

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Program is a parsed expression.
type Program struct {
	text string
	root node
	// Names are the variables that occur in it.
	Names map[string]bool
}

// Text is the expression as it was written.
func (p *Program) Text() string { return p.text }

type nodeKind int

const (
	literal  nodeKind = iota
	ident             // text
	field             // args[0].text
	index             // args[0][args[1]]
	call              // text(args…), or args[0].text(args[1:]…) if method
	operator          // text over args: one, two, or three for ?:
	list              // [args…]
	mapping           // {args[0]: args[1], …}
	macro             // args[0].text(vars, args[1:]…)
	has               // whether the field args[0] is there
	maybe             // an element, or the key of an entry, that an optional value may leave out
)

type node struct {
	kind   nodeKind
	text   string
	value  any
	args   []node
	vars   []string
	at     int  // in the source: of a name its start, of a call its parenthesis, of an operator itself
	method bool // a call with a receiver
	opt    bool // .?field, [?index]
}

const maxDepth = 100

// Parse reads an expression.
func Parse(text string) (p *Program, err error) {
	s := &scanner{text: text}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*problem)
			if !ok {
				panic(r)
			}
			p, err = nil, e
		}
	}()
	s.next()
	root := s.expr()
	if s.kind != 0 {
		s.fail("extraneous input '%s' expecting <EOF>", s.tok)
	}
	p = &Program{text, root, map[string]bool{}}
	p.root.names(nil, p.Names)
	return p, nil
}

// names gathers the free variables.
func (n *node) names(bound []string, into map[string]bool) {
	if n.kind == ident && !slices.Contains(bound, n.text) {
		into[n.text] = true
	}
	for i := range n.args {
		inner := bound
		if n.kind == macro && i > 0 {
			inner = append(bound[:len(bound):len(bound)], n.vars...)
		}
		n.args[i].names(inner, into)
	}
}

// problem is what is wrong at a place of the source, shown as upstream does.
type problem struct {
	source string
	at     int
	text   string
}

func (e *problem) Error() string {
	before := e.source[:e.at]
	start := strings.LastIndexByte(before, '\n') + 1
	line, _, _ := strings.Cut(e.source[start:], "\n")
	column := utf8.RuneCountInString(before[start:])
	return fmt.Sprintf("ERROR: <input>:%d:%d: %s\n | %s\n | %s^", strings.Count(before, "\n")+1, column+1, e.text, strings.ReplaceAll(line, "\t", " "), strings.Repeat(".", column))
}

// scanner is both: it holds the current token.
type scanner struct {
	text       string
	pos, start int
	kind       byte // 0 end, 'n' name, 'i' int, 'f' float, 's' string, 'o' operator
	tok        string
	value      any
	depth      int
}

func (s *scanner) fail(format string, args ...any) {
	panic(&problem{s.text, s.start, "Syntax error: " + fmt.Sprintf(format, args...)})
}

func letter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

var operators = []string{"&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}"}

func (s *scanner) next() {
	for s.pos < len(s.text) {
		if c := s.text[s.pos]; c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			s.pos++
		} else if strings.HasPrefix(s.text[s.pos:], "//") {
			for s.pos < len(s.text) && s.text[s.pos] != '\n' {
				s.pos++
			}
		} else {
			break
		}
	}
	s.start = s.pos
	s.kind, s.tok, s.value = 0, "", nil
	if s.pos >= len(s.text) {
		return
	}
	rest := s.text[s.pos:]
	c := rest[0]
	quoted := func(i int) bool { return len(rest) > i && (rest[i] == '"' || rest[i] == '\'') }
	raw, bytes := c|0x20 == 'r', c|0x20 == 'b'
	switch {
	case quoted(0) || (raw || bytes) && quoted(1):
		s.kind = 's'
		if bytes {
			s.pos++
		}
		s.string(raw)
		if bytes {
			s.value = []byte(s.value.(string))
		}
	case letter(c):
		n := 1
		for n < len(rest) && (letter(rest[n]) || digit(rest[n])) {
			n++
		}
		s.kind, s.tok = 'n', rest[:n]
		s.pos += n
	case digit(c):
		s.number(rest)
	default:
		for _, op := range operators {
			if strings.HasPrefix(rest, op) {
				s.kind, s.tok = 'o', op
				s.pos += len(op)
				return
			}
		}
		r, _ := utf8.DecodeRuneInString(rest)
		s.fail("token recognition error at: '%c'", r)
	}
}

func (s *scanner) number(rest string) {
	n := 0
	hex := strings.HasPrefix(rest, "0x")
	if hex {
		n = 2
	}
	float := false
	for n < len(rest) {
		c := rest[n]
		switch {
		case digit(c) || hex && (c|0x20 >= 'a' && c|0x20 <= 'f'):
		case !hex && c == '.' && n+1 < len(rest) && digit(rest[n+1]):
			float = true
		case !hex && c|0x20 == 'e':
			float = true
			if n+1 < len(rest) && (rest[n+1] == '+' || rest[n+1] == '-') {
				n++
			}
		default:
			goto done
		}
		n++
	}
done:
	s.tok = rest[:n]
	s.pos += n
	var err error
	if float {
		s.kind = 'f'
		s.value, err = strconv.ParseFloat(s.tok, 64)
	} else {
		s.kind = 'i'
		s.value, err = strconv.ParseInt(s.tok, 0, 64)
		if s.tok == "9223372036854775808" {
			err = nil // good after a minus; see unary
		}
		if s.pos < len(s.text) && s.text[s.pos]|0x20 == 'u' {
			s.pos++
		}
	}
	if err != nil {
		s.fail("invalid number literal")
	}
}

func (s *scanner) string(raw bool) {
	if raw {
		s.pos++
	}
	quote := s.text[s.pos : s.pos+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.pos:], triple) {
		quote = triple
	}
	s.pos += len(quote)
	var b strings.Builder
	for {
		rest := s.text[s.pos:]
		switch {
		case rest == "":
			s.fail("token recognition error at: '%s'", s.text[s.start:])
		case strings.HasPrefix(rest, quote):
			s.pos += len(quote)
			s.value = b.String()
			return
		case rest[0] == '\\' && !raw:
			if len(rest) > 1 && strings.IndexByte("?`", rest[1]) >= 0 {
				b.WriteByte(rest[1])
				s.pos += 2
				continue
			}
			q := quote[0]
			if len(rest) > 1 && (rest[1] == '"' || rest[1] == '\'') {
				q = rest[1]
			}
			r, wide, tail, err := strconv.UnquoteChar(rest, q)
			if err != nil {
				s.fail("invalid escape sequence")
			}
			if wide {
				b.WriteRune(r)
			} else {
				b.WriteByte(byte(r))
			}
			s.pos = len(s.text) - len(tail)
		default:
			b.WriteByte(rest[0])
			s.pos++
		}
	}
}

func (s *scanner) is(op string) bool { return s.kind == 'o' && s.tok == op }

func (s *scanner) accept(op string) bool {
	if s.is(op) {
		s.next()
		return true
	}
	return false
}

func (s *scanner) expect(op string) {
	if !s.accept(op) {
		got := s.tok
		if s.kind == 0 {
			got = "<EOF>"
		}
		s.fail("mismatched input '%s' expecting '%s'", got, op)
	}
}

const expressionTokens = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"

func (s *scanner) expr() node {
	if s.depth++; s.depth > maxDepth {
		s.fail("expression recursion limit exceeded: %d", maxDepth)
	}
	defer func() { s.depth-- }()
	cond := s.binary(0)
	at := s.start
	if !s.accept("?") {
		return cond
	}
	a := s.binary(0)
	s.expect(":")
	return node{kind: operator, text: "?:", at: at, args: []node{cond, a, s.expr()}}
}

// levels are the binary operators from the loosest to the tightest.
var levels = [][]string{{"||"}, {"&&"}, {"==", "!=", "<=", ">=", "<", ">", "in"}, {"+", "-"}, {"*", "/", "%"}}

func (s *scanner) binary(level int) node {
	if level == len(levels) {
		return s.unary()
	}
	left := s.binary(level + 1)
next:
	for {
		for _, op := range levels[level] {
			if s.is(op) || op == "in" && s.kind == 'n' && s.tok == op {
				at := s.start
				s.next()
				left = node{kind: operator, text: op, at: at, args: []node{left, s.binary(level + 1)}}
				continue next
			}
		}
		return left
	}
}

func (s *scanner) unary() node {
	if s.depth++; s.depth > maxDepth {
		s.fail("expression recursion limit exceeded: %d", maxDepth)
	}
	defer func() { s.depth-- }()
	for _, op := range []string{"!", "-"} {
		at := s.start
		if s.accept(op) {
			if op == "-" && s.kind == 'i' && s.tok == "9223372036854775808" { // has no positive twin
				s.value, s.tok = int64(math.MinInt64), ""
				return s.postfix(s.primary())
			}
			return node{kind: operator, text: op, at: at, args: []node{s.unary()}}
		}
	}
	return s.postfix(s.primary())
}

// macros take a variable (or two) and expressions over it.
var macros = map[string]bool{"all": true, "exists": true, "exists_one": true, "existsOne": true, "map": true, "filter": true,
	"transformList": true, "transformMap": true, "transformMapEntry": true}

func (s *scanner) postfix(n node) node {
	for {
		at := s.start
		switch {
		case s.accept("."):
			opt := s.accept("?")
			if s.kind != 'n' {
				s.fail("no viable alternative at input '.%s'", s.tok)
			}
			name := s.tok
			s.next()
			open := s.start
			if opt || !s.accept("(") {
				n = node{kind: field, text: name, args: []node{n}, at: at, opt: opt}
				continue
			}
			n = s.method(n, name, open)
		case s.accept("["):
			opt := s.accept("?")
			n = node{kind: index, args: []node{n, s.expr()}, at: at, opt: opt}
			s.expect("]")
		default:
			return n
		}
	}
}

// method is a call with a receiver: a macro, a function of a library, or a method.
func (s *scanner) method(n node, name string, at int) node {
	args := s.list(")")
	if n.kind == ident {
		if full := n.text + "." + name; functions[full] != nil {
			return node{kind: call, text: full, args: args, at: at}
		}
	}
	if len(args) < 2 || len(args) > 4 || args[0].kind != ident {
		if macros[name] && len(args) >= 2 {
			panic(&problem{s.text, args[0].at, "argument is not an identifier"})
		}
		return node{kind: call, text: name, args: append([]node{n}, args...), at: at, method: true}
	}
	twice := args[1].kind == ident && (len(args) == 3 && (name == "all" || name == "exists" || name == "exists_one" || name == "existsOne") ||
		len(args) >= 3 && strings.HasPrefix(name, "transform"))
	switch {
	case name == "optMap" || name == "optFlatMap":
		return node{kind: macro, text: name, args: []node{n, args[1]}, vars: []string{args[0].text}, at: at}
	case !macros[name] || strings.HasPrefix(name, "transform") && !twice:
	case twice:
		return node{kind: macro, text: name, args: append([]node{n}, args[2:]...), vars: []string{args[0].text, args[1].text}, at: at}
	case len(args) == 2 || len(args) == 3 && name == "map":
		return node{kind: macro, text: name, args: append([]node{n}, args[1:]...), vars: []string{args[0].text}, at: at}
	}
	return node{kind: call, text: name, args: append([]node{n}, args...), at: at, method: true}
}

func (s *scanner) list(end string) []node {
	var out []node
	for !s.accept(end) {
		opt := end == "]" && s.accept("?")
		n := s.expr()
		if opt {
			n = node{kind: maybe, args: []node{n}, at: n.at}
		}
		out = append(out, n)
		if !s.is(end) {
			s.expect(",")
		}
	}
	return out
}

func (s *scanner) primary() node {
	at := s.start
	switch tok, value := s.tok, s.value; s.kind {
	case 'i', 'f', 's':
		s.next()
		return node{kind: literal, value: value, at: at}
	case 'n':
		s.next()
		switch tok {
		case "true", "false":
			return node{kind: literal, value: tok == "true", at: at}
		case "null":
			return node{kind: literal, at: at}
		case "in":
			s.start = at
			s.fail("mismatched input 'in' expecting %s", expressionTokens)
		}
		open := s.start
		if s.accept("(") {
			args := s.list(")")
			if tok == "has" {
				if len(args) != 1 || args[0].kind != field {
					panic(&problem{s.text, open, "invalid argument to has() macro"})
				}
				return node{kind: has, args: args, at: open}
			}
			return node{kind: call, text: tok, args: args, at: open}
		}
		return node{kind: ident, text: tok, at: at}
	}
	switch {
	case s.accept("."): // a name of the outermost scope
		return s.primary()
	case s.accept("("):
		n := s.expr()
		s.expect(")")
		return n
	case s.accept("["):
		return node{kind: list, args: s.list("]"), at: at}
	case s.accept("{"):
		n := node{kind: mapping, at: at}
		for !s.accept("}") {
			opt := s.accept("?")
			key := s.expr()
			if opt {
				key = node{kind: maybe, args: []node{key}, at: key.at}
			}
			n.args = append(n.args, key)
			s.expect(":")
			n.args = append(n.args, s.expr())
			if !s.is("}") {
				s.expect(",")
			}
		}
		return n
	}
	got := s.tok
	if s.kind == 0 {
		got = "<EOF>"
	}
	s.fail("mismatched input '%s' expecting %s", got, expressionTokens)
	return node{}
}
