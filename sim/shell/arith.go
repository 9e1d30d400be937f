// Arithmetic: $(( )), (( )), let, subscripts. Values are 64-bit and wrap.

package shell

import (
	"fmt"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

const maxArithDepth = 64

// arith evaluates an expression. Errors are in bash's words, without the
// expression that bash prints first (see arithError).
func (s *Shell) arith(e syntax.ArithmExpr) (int64, error) {
	s.arithDepth++
	defer func() { s.arithDepth-- }()
	if s.arithDepth > 20*maxArithDepth {
		return 0, fmt.Errorf("expression recursion level exceeded")
	}
	switch e := e.(type) {
	case nil:
		return 0, nil
	case *syntax.ParenArithm:
		return s.arith(e.X)
	case *syntax.Word:
		return s.arithWord(e)
	case *syntax.UnaryArithm:
		if e.Op == syntax.Inc || e.Op == syntax.Dec {
			old, err := s.arith(e.X)
			if err != nil {
				return 0, err
			}
			val := old + 1
			if e.Op == syntax.Dec {
				val = old - 1
			}
			if err := s.arithAssign(e.X, val); err != nil {
				return 0, err
			}
			if e.Post {
				return old, nil
			}
			return val, nil
		}
		v, err := s.arith(e.X)
		if err != nil {
			return 0, err
		}
		switch e.Op {
		case syntax.Not:
			return b2i(v == 0), nil
		case syntax.BitNegation:
			return ^v, nil
		case syntax.Minus:
			return -v, nil
		}
		return v, nil
	case *syntax.BinaryArithm:
		return s.arithBinary(e)
	}
	return 0, fmt.Errorf("syntax error: operand expected")
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

var assignOps = map[syntax.BinAritOperator]syntax.BinAritOperator{
	syntax.AddAssgn: syntax.Add, syntax.SubAssgn: syntax.Sub, syntax.MulAssgn: syntax.Mul,
	syntax.QuoAssgn: syntax.Quo, syntax.RemAssgn: syntax.Rem, syntax.AndAssgn: syntax.And,
	syntax.OrAssgn: syntax.Or, syntax.XorAssgn: syntax.Xor, syntax.ShlAssgn: syntax.Shl, syntax.ShrAssgn: syntax.Shr,
}

func (s *Shell) arithBinary(e *syntax.BinaryArithm) (int64, error) {
	if e.Op == syntax.Assgn {
		y, err := s.arith(e.Y)
		if err != nil {
			return 0, err
		}
		return y, s.arithAssign(e.X, y)
	}
	x, err := s.arith(e.X)
	if err != nil {
		return 0, err
	}
	switch e.Op {
	case syntax.AndArit:
		if x == 0 {
			return 0, nil
		}
		y, err := s.arith(e.Y)
		return b2i(y != 0), err
	case syntax.OrArit:
		if x != 0 {
			return 1, nil
		}
		y, err := s.arith(e.Y)
		return b2i(y != 0), err
	case syntax.TernQuest:
		alt, ok := e.Y.(*syntax.BinaryArithm)
		if !ok {
			return 0, fmt.Errorf("syntax error: `:' expected for conditional expression")
		}
		if x != 0 {
			return s.arith(alt.X)
		}
		return s.arith(alt.Y)
	}
	y, err := s.arith(e.Y)
	if err != nil {
		return 0, err
	}
	op, assign := assignOps[e.Op]
	if !assign {
		op = e.Op
	}
	v, err := arithOp(op, x, y)
	if err != nil {
		return 0, err
	}
	if assign {
		err = s.arithAssign(e.X, v)
	}
	return v, err
}

func arithOp(op syntax.BinAritOperator, x, y int64) (int64, error) {
	switch op {
	case syntax.Add:
		return x + y, nil
	case syntax.Sub:
		return x - y, nil
	case syntax.Mul:
		return x * y, nil
	case syntax.Quo, syntax.Rem:
		if y == 0 {
			return 0, fmt.Errorf("division by 0 (error token is \"%d\")", y)
		}
		if y == -1 {
			if op == syntax.Rem {
				return 0, nil
			}
			return -x, nil
		}
		if op == syntax.Quo {
			return x / y, nil
		}
		return x % y, nil
	case syntax.Pow:
		if y < 0 {
			return 0, fmt.Errorf("exponent less than 0 (error token is \"%d\")", y)
		}
		r := int64(1)
		for ; y > 0; y >>= 1 {
			if y&1 != 0 {
				r *= x
			}
			x *= x
		}
		return r, nil
	case syntax.Eql:
		return b2i(x == y), nil
	case syntax.Neq:
		return b2i(x != y), nil
	case syntax.Gtr:
		return b2i(x > y), nil
	case syntax.Lss:
		return b2i(x < y), nil
	case syntax.Geq:
		return b2i(x >= y), nil
	case syntax.Leq:
		return b2i(x <= y), nil
	case syntax.And:
		return x & y, nil
	case syntax.Or:
		return x | y, nil
	case syntax.Xor:
		return x ^ y, nil
	case syntax.Shl:
		return x << uint(y&63), nil
	case syntax.Shr:
		return x >> uint(y&63), nil
	case syntax.Comma:
		return y, nil
	}
	return 0, fmt.Errorf("syntax error: invalid arithmetic operator")
}

// arithName is the variable, and its subscript, that a node names without $.
func arithName(e syntax.ArithmExpr) (name string, index syntax.ArithmExpr, ok bool) {
	w, isWord := e.(*syntax.Word)
	if !isWord || len(w.Parts) != 1 {
		return "", nil, false
	}
	switch p := w.Parts[0].(type) {
	case *syntax.Lit:
		return p.Value, nil, syntax.ValidName(p.Value)
	case *syntax.ParamExp:
		if p.Short && p.Index != nil && !p.Dollar.IsValid() && p.Param != nil {
			return p.Param.Value, p.Index, true
		}
	}
	return "", nil, false
}

func (s *Shell) arithAssign(target syntax.ArithmExpr, v int64) error {
	name, index, ok := arithName(target)
	if !ok {
		return fmt.Errorf("attempted assignment to non-variable")
	}
	text := strconv.FormatInt(v, 10)
	if index == nil {
		return s.assign(name, text, false)
	}
	return s.assignIndex(name, index, text, false)
}

// assignIndex assigns name[index]=value.
func (s *Shell) assignIndex(name string, index syntax.ArithmExpr, value string, add bool) error {
	key := ""
	if v := s.lookup(name); v != nil && v.Kind == Associative {
		var err error
		if key, err = s.subscript(index); err != nil {
			return err
		}
	} else if w, ok := index.(*syntax.Word); ok {
		key = w.Lit()
	}
	return s.setElement(name, key, func() (int64, error) { return s.arith(index) }, value, add)
}

// subscript is the text of an associative array's subscript.
func (s *Shell) subscript(index syntax.ArithmExpr) (string, error) {
	if w, ok := index.(*syntax.Word); ok {
		return s.literal(w)
	}
	return arithSource(index, 0), nil
}

func (s *Shell) arithWord(w *syntax.Word) (int64, error) {
	if name, index, ok := arithName(w); ok {
		if index == nil {
			text, set := s.param(name)
			if !set && s.opts['u'] {
				return 0, fatalf("%s: unbound variable", name)
			}
			if text == "" {
				return 0, nil
			}
			return s.arithValue(text)
		}
		text, _, err := s.element(name, index)
		if err != nil {
			return 0, err
		}
		return s.arithValue(text)
	}
	text, err := s.literal(w)
	if err != nil {
		return 0, err
	}
	return s.arithText(text)
}

// arithValue is a variable's text as a number: mostly one already.
func (s *Shell) arithValue(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && (text == "0" || text[0] != '0' && !strings.HasPrefix(text, "-0")) {
		return n, nil
	}
	return s.arithText(text)
}

// arithText evaluates text that came out of an expansion or a variable.
func (s *Shell) arithText(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, nil
	}
	if c := text[0]; c >= '0' && c <= '9' && !strings.ContainsAny(text, " \t\n+-*/%<>=&|^?:,()!~[") {
		return number(text)
	}
	s.arithDepth += 16
	defer func() { s.arithDepth -= 16 }()
	if s.arithDepth > 20*maxArithDepth {
		return 0, fmt.Errorf("expression recursion level exceeded (error token is \"%s\")", text)
	}
	if len(text) > 64<<10 || nesting(text) > maxNesting {
		return 0, fmt.Errorf("expression too long")
	}
	e, err := syntax.NewParser().Arithmetic(strings.NewReader(text))
	if err != nil || e == nil {
		return 0, fmt.Errorf("syntax error: operand expected (error token is \"%s\")", text)
	}
	if w, ok := e.(*syntax.Word); ok {
		if lit := w.Lit(); lit != "" && !syntax.ValidName(lit) {
			return number(lit)
		}
		if _, _, ok := arithName(w); !ok && len(w.Parts) > 0 {
			if t, err := s.literal(w); err != nil || t == text {
				return 0, fmt.Errorf("syntax error: operand expected (error token is \"%s\")", text)
			}
		}
	}
	return s.arith(e)
}

// number reads a constant: decimal, 0x, octal, base#digits.
func number(t string) (int64, error) {
	base, digits := int64(10), t
	switch {
	case strings.HasPrefix(t, "0x"), strings.HasPrefix(t, "0X"):
		base, digits = 16, t[2:]
	case strings.Contains(t, "#"):
		b, d, _ := strings.Cut(t, "#")
		n, err := strconv.ParseInt(b, 10, 32)
		if err != nil || n < 2 || n > 64 {
			return 0, fmt.Errorf("invalid arithmetic base (error token is \"%s\")", t)
		}
		base, digits = n, d
	case len(t) > 1 && t[0] == '0':
		base, digits = 8, t[1:]
	}
	var n int64
	for i := range len(digits) {
		d := int64(-1)
		switch c := digits[i]; {
		case c >= '0' && c <= '9':
			d = int64(c - '0')
		case c >= 'a' && c <= 'z':
			d = int64(c-'a') + 10
		case c >= 'A' && c <= 'Z' && base <= 36:
			d = int64(c-'A') + 10
		case c >= 'A' && c <= 'Z':
			d = int64(c-'A') + 36
		case c == '@':
			d = 62
		case c == '_':
			d = 63
		default:
			return 0, fmt.Errorf("syntax error: invalid arithmetic operator (error token is \"%s\")", digits[i:])
		}
		if d >= base {
			return 0, fmt.Errorf("value too great for base (error token is \"%s\")", t)
		}
		n = n*base + d
	}
	return n, nil
}

// arithSource writes an expression as text, without spaces.
func arithSource(e syntax.ArithmExpr, depth int) string {
	if depth > 200 {
		return "..."
	}
	switch e := e.(type) {
	case *syntax.ParenArithm:
		return "(" + arithSource(e.X, depth+1) + ")"
	case *syntax.UnaryArithm:
		if e.Post {
			return arithSource(e.X, depth+1) + e.Op.String()
		}
		return e.Op.String() + arithSource(e.X, depth+1)
	case *syntax.BinaryArithm:
		return arithSource(e.X, depth+1) + e.Op.String() + arithSource(e.Y, depth+1)
	case *syntax.Word:
		var b strings.Builder
		_ = syntax.NewPrinter().Print(&b, e)
		return b.String()
	}
	return ""
}
