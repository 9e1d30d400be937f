// Package cel evaluates the expressions of x-kubernetes-validations: the part of
// the Common Expression Language that schemas use. Upstream's implementation
// weighs more than the rest of the API server; values here are those of JSON
// trees. parse.go reads expressions, eval.go computes them, functions.go holds
// the functions.
package cel

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Program is a parsed expression.
type Program struct {
	root node
	// Names are the variables that occur in it.
	Names map[string]bool
}

type nodeKind int

const (
	literal  nodeKind = iota
	ident             // text
	field             // args[0].text; test with has()
	index             // args[0][args[1]]
	call              // text(args…), or args[0].text(args[1:]…) if method
	operator          // text over args: one, two, or three for ?:
	list              // [args…]
	mapping           // {args[0]: args[1], …}
	macro             // args[0].text(vars, args[1:]…)
)

type node struct {
	kind   nodeKind
	text   string
	value  any
	args   []node
	vars   []string
	method bool
}

const maxDepth = 100

// Parse reads an expression.
func Parse(text string) (p *Program, err error) {
	s := &scanner{text: text, names: map[string]bool{}}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(syntaxError)
			if !ok {
				panic(r)
			}
			p, err = nil, e
		}
	}()
	s.next()
	root := s.expr()
	if s.kind != 0 {
		s.fail("unexpected %q", s.tok)
	}
	return &Program{root, s.names}, nil
}

type syntaxError struct {
	at   int
	text string
}

func (e syntaxError) Error() string {
	return fmt.Sprintf("ERROR: <input>:1:%d: Syntax error: %s", e.at+1, e.text)
}

// scanner is both: it holds the current token.
type scanner struct {
	text       string
	pos, start int
	kind       byte // 0 end, 'n' name, 'i' int, 'f' float, 's' string, 'o' operator
	tok        string
	value      any
	names      map[string]bool
	depth      int
}

func (s *scanner) fail(format string, args ...any) {
	panic(syntaxError{s.start, fmt.Sprintf(format, args...)})
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
	raw := len(rest) > 1 && (c == 'r' || c == 'R') && (rest[1] == '"' || rest[1] == '\'')
	switch {
	case raw || c == '"' || c == '\'':
		s.kind = 's'
		s.string(raw)
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

func (s *scanner) expr() node {
	if s.depth++; s.depth > maxDepth {
		s.fail("expression recursion limit exceeded: %d", maxDepth)
	}
	defer func() { s.depth-- }()
	cond := s.binary(0)
	if !s.accept("?") {
		return cond
	}
	a := s.binary(0)
	s.expect(":")
	return node{kind: operator, text: "?:", args: []node{cond, a, s.expr()}}
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
				s.next()
				left = node{kind: operator, text: op, args: []node{left, s.binary(level + 1)}}
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
		if s.accept(op) {
			return node{kind: operator, text: op, args: []node{s.unary()}}
		}
	}
	return s.postfix(s.primary())
}

// macros take a variable (or two) and expressions over it.
var macros = map[string]bool{"all": true, "exists": true, "exists_one": true, "existsOne": true, "map": true, "filter": true}

func (s *scanner) postfix(n node) node {
	for {
		switch {
		case s.accept("."):
			if s.kind != 'n' {
				s.fail("mismatched input '%s' expecting IDENTIFIER", s.tok)
			}
			name := s.tok
			s.next()
			if !s.accept("(") {
				n = node{kind: field, text: name, args: []node{n}}
				continue
			}
			args := s.list(")")
			if macros[name] && len(args) >= 2 && args[0].kind == ident {
				m := node{kind: macro, text: name, args: append([]node{n}, args[1:]...), vars: []string{args[0].text}}
				if (name == "all" || name == "exists" || name == "existsOne") && len(args) == 3 && args[1].kind == ident {
					m.vars, m.args = append(m.vars, args[1].text), []node{n, args[2]}
				}
				n = m
				continue
			}
			n = node{kind: call, text: name, args: append([]node{n}, args...), method: true}
		case s.accept("["):
			n = node{kind: index, args: []node{n, s.expr()}}
			s.expect("]")
		default:
			return n
		}
	}
}

func (s *scanner) list(end string) []node {
	var out []node
	for !s.accept(end) {
		out = append(out, s.expr())
		if !s.is(end) {
			s.expect(",")
		}
	}
	return out
}

func (s *scanner) primary() node {
	switch tok, value := s.tok, s.value; s.kind {
	case 'i', 'f', 's':
		s.next()
		return node{kind: literal, value: value}
	case 'n':
		s.next()
		switch tok {
		case "true", "false":
			return node{kind: literal, value: tok == "true"}
		case "null":
			return node{kind: literal}
		}
		if s.accept("(") {
			args := s.list(")")
			if tok == "has" && (len(args) != 1 || args[0].kind != field) {
				s.fail("invalid argument to has() macro")
			}
			return node{kind: call, text: tok, args: args}
		}
		s.names[tok] = true
		return node{kind: ident, text: tok}
	}
	switch {
	case s.accept("("):
		n := s.expr()
		s.expect(")")
		return n
	case s.accept("["):
		return node{kind: list, args: s.list("]")}
	case s.accept("{"):
		n := node{kind: mapping}
		for !s.accept("}") {
			n.args = append(n.args, s.expr())
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
	s.fail("mismatched input '%s' expecting an expression", got)
	return node{}
}
