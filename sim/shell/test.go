// Conditions: [[ … ]], and test or [ through package tool.

package shell

import (
	"fmt"
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/shell/pattern"
	"github.com/kubonsai/kubonsai/sim/shell/tool"
)

func (s *Shell) testExpr(e syntax.TestExpr) (bool, error) {
	switch e := e.(type) {
	case *syntax.Word:
		text, err := s.literal(e)
		return text != "", err
	case *syntax.ParenTest:
		return s.testExpr(e.X)
	case *syntax.UnaryTest:
		if e.Op == syntax.TsNot {
			ok, err := s.testExpr(e.X)
			return !ok, err
		}
		w, ok := e.X.(*syntax.Word)
		if !ok {
			return false, fmt.Errorf("conditional unary operator expected")
		}
		text, err := s.literal(w)
		if err != nil {
			return false, err
		}
		return s.testUnary(e.Op.String(), text)
	case *syntax.BinaryTest:
		switch e.Op {
		case syntax.AndTest, syntax.OrTest:
			ok, err := s.testExpr(e.X)
			if err != nil || ok == (e.Op == syntax.OrTest) {
				return ok, err
			}
			return s.testExpr(e.Y)
		}
		x, okx := e.X.(*syntax.Word)
		y, oky := e.Y.(*syntax.Word)
		if !okx || !oky {
			return false, fmt.Errorf("conditional binary operator expected")
		}
		left, err := s.literal(x)
		if err != nil {
			return false, err
		}
		switch e.Op {
		case syntax.TsMatchShort, syntax.TsMatch, syntax.TsNoMatch:
			pat, err := s.patternOf(y)
			if err != nil {
				return false, err
			}
			mode := pattern.Ext
			if s.shopts["nocasematch"] {
				mode |= pattern.NoCase
			}
			return pattern.Match(pat, left, mode) == (e.Op != syntax.TsNoMatch), nil
		case syntax.TsReMatch:
			return s.regexMatch(left, y)
		}
		right, err := s.literal(y)
		if err != nil {
			return false, err
		}
		switch op := e.Op.String(); op {
		case "-eq", "-ne", "-lt", "-le", "-gt", "-ge":
			a, err := s.arithText(left)
			if err != nil {
				return false, fmt.Errorf("[[: %s: %s", left, err)
			}
			b, err := s.arithText(right)
			if err != nil {
				return false, fmt.Errorf("[[: %s: %s", right, err)
			}
			return tool.CompareInts(op, a, b), nil
		case "<":
			return left < right, nil
		case ">":
			return left > right, nil
		default:
			return tool.TestBinary(s.toolContext(), left, op, right)
		}
	}
	return false, fmt.Errorf("unsupported condition")
}

func (s *Shell) testUnary(op, text string) (bool, error) {
	switch op {
	case "-v":
		name, sub, has := strings.Cut(text, "[")
		v := s.lookup(name)
		if has {
			key := strings.TrimSuffix(sub, "]")
			for _, k := range v.Keys() {
				if k == key || key == "@" {
					return true, nil
				}
			}
			return false, nil
		}
		_, ok := s.param(name)
		return ok && !isSpecialParam(name) || ok && isSpecialParam(name), nil
	case "-R":
		v := s.vars[text]
		return v != nil && v.NameRef, nil
	case "-o":
		for _, o := range optionNames {
			if o.name == text {
				return s.opts[o.letter], nil
			}
		}
		return false, nil
	case "-t":
		n := 0
		fmt.Sscan(text, &n)
		d := s.fds[n]
		return d != nil && d.tty, nil
	}
	return tool.TestUnary(s.toolContext(), op, text)
}

func (s *Shell) regexMatch(text string, w *syntax.Word) (bool, error) {
	b := builder{s: s, nosplit: true}
	if err := b.parts(w.Parts, false); err != nil {
		return false, err
	}
	var expr strings.Builder
	for i, f := range b.cur {
		_ = i
		if f.quoted {
			expr.WriteString(regexp.QuoteMeta(f.text))
		} else {
			expr.WriteString(f.text)
		}
	}
	re, err := tool.CompileERE(expr.String(), s.shopts["nocasematch"])
	if err != nil {
		s.status = 2
		return false, &regexError{}
	}
	m := re.FindStringSubmatch(text)
	if m == nil {
		_ = s.setList("BASH_REMATCH", nil)
		return false, nil
	}
	return true, s.setList("BASH_REMATCH", m)
}

type regexError struct{}

func (*regexError) Error() string { return "syntax error in regular expression" }

func builtinTest(s *Shell, args []string) int {
	if args[0] == "[" {
		if args[len(args)-1] != "]" {
			s.errorf("[: missing `]'")
			return 2
		}
		args = args[:len(args)-1]
	}
	ok, err := tool.Test(args[1:], s.testUnary, func(l, op, r string) (bool, error) {
		return tool.TestBinary(s.toolContext(), l, op, r)
	})
	if err != nil {
		s.errorf("%s: %s", args[0], err)
		return 2
	}
	return int(b2i(!ok))
}
