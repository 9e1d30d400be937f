// expr: arithmetic, comparisons and strings, as coreutils'.

package tool

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

func init() {
	reg("expr EXPRESSION", expr, "expr")
}

// exprParser evaluates the arguments of expr by precedence.
type exprParser struct {
	args []string
	last string // the argument before args
	err  string
}

// exprLevels are the binary operators, loosest first.
var exprLevels = [][]string{{"|"}, {"&"}, {"<", "<=", "=", "==", "!=", ">=", ">"}, {"+", "-"}, {"*", "/", "%"}, {":"}}

func expr(t *T) int {
	args := t.args
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		t.errorf("missing operand\nTry 'expr --help' for more information.")
		return 2
	}
	p := &exprParser{args: args}
	v := p.level(0)
	if p.err == "" && len(p.args) > 0 {
		p.err = "syntax error: unexpected argument ‘" + p.args[0] + "’"
	}
	if p.err != "" {
		t.errorf("%s", p.err)
		return 2
	}
	t.puts(v + "\n")
	if exprFalse(v) {
		return 1
	}
	return 0
}

// exprFalse reports whether a value is empty or zero.
func exprFalse(v string) bool {
	return v == "" || strings.Trim(strings.TrimPrefix(v, "-"), "0") == "" && v != "-"
}

func (p *exprParser) fail(text string) string {
	if p.err == "" {
		p.err = text
	}
	return ""
}

func (p *exprParser) level(n int) string {
	if n == len(exprLevels) {
		return p.primary()
	}
	left := p.level(n + 1)
	for p.err == "" && len(p.args) > 0 {
		op := ""
		for _, o := range exprLevels[n] {
			if p.args[0] == o {
				op = o
			}
		}
		if op == "" {
			break
		}
		p.next()
		left = p.apply(op, left, p.level(n+1))
	}
	return left
}

func (p *exprParser) apply(op, a, b string) string {
	if p.err != "" {
		return ""
	}
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	numbers := errX == nil && errY == nil
	switch op {
	case "|":
		switch {
		case !exprFalse(a):
			return a
		case !exprFalse(b):
			return b
		}
		return "0"
	case "&":
		if exprFalse(a) || exprFalse(b) {
			return "0"
		}
		return a
	case ":":
		return p.match(a, b)
	case "+", "-", "*", "/", "%":
		switch {
		case !numbers:
			return p.fail("non-integer argument")
		case y == 0 && (op == "/" || op == "%"):
			return p.fail("division by zero")
		}
		switch op {
		case "+":
			x += y
		case "-":
			x -= y
		case "*":
			x *= y
		case "/":
			x /= y
		default:
			x %= y
		}
		return strconv.FormatInt(x, 10)
	}
	c := strings.Compare(a, b)
	if numbers {
		c = 0
		if x < y {
			c = -1
		} else if x > y {
			c = 1
		}
	}
	holds := map[string]bool{"<": c < 0, "<=": c <= 0, "=": c == 0, "==": c == 0, "!=": c != 0, ">=": c >= 0, ">": c > 0}
	if holds[op] {
		return "1"
	}
	return "0"
}

// match is the length of what the basic regular expression matches at the
// string's start, or the text of its first group.
func (p *exprParser) match(s, pattern string) string {
	e, err := translate(pattern, false)
	if err != nil {
		return p.fail(err.Error())
	}
	re, err := regexp.Compile("^(?s:" + e + ")")
	if err != nil {
		return p.fail("Invalid regular expression")
	}
	re.Longest()
	m := re.FindStringSubmatch(s)
	switch {
	case re.NumSubexp() > 0 && m == nil:
		return ""
	case re.NumSubexp() > 0:
		return m[1]
	case m == nil:
		return "0"
	}
	return strconv.Itoa(utf8.RuneCountInString(m[0]))
}

func (p *exprParser) next() string {
	if len(p.args) == 0 {
		return p.fail("syntax error: missing argument after ‘" + p.last + "’")
	}
	p.last = p.args[0]
	p.args = p.args[1:]
	return p.last
}

func (p *exprParser) primary() string {
	word := p.next()
	if p.err != "" {
		return ""
	}
	rest := len(p.args)
	switch {
	case word == "(":
		v := p.level(0)
		if p.err == "" && (len(p.args) == 0 || p.args[0] != ")") {
			return p.fail("syntax error: expecting ')' after ‘" + v + "’")
		}
		if p.err == "" {
			p.args = p.args[1:]
		}
		return v
	case word == ")":
		return p.fail("syntax error: unexpected ')'")
	case word == "+" && rest > 0:
		return p.next()
	case word == "length" && rest > 0:
		return strconv.Itoa(utf8.RuneCountInString(p.primary()))
	case word == "match" && rest > 1:
		s := p.primary()
		return p.match(s, p.primary())
	case word == "index" && rest > 1:
		s := p.primary()
		i := strings.IndexAny(s, p.primary())
		return strconv.Itoa(utf8.RuneCountInString(s[:max(i, 0)]) + min(i+1, 1))
	case word == "substr" && rest > 2:
		s := []rune(p.primary())
		from, err1 := strconv.Atoi(p.primary())
		length, err2 := strconv.Atoi(p.primary())
		if err1 != nil || err2 != nil || from < 1 || length < 1 || from > len(s) {
			return ""
		}
		return string(s[from-1 : min(from-1+length, len(s))])
	}
	return word
}
