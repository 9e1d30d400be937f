// The expansion of parameters: ${name}, its operators, arrays and slices.

package shell

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/shell/pattern"
)

func lit(e syntax.ArithmExpr) string {
	if w, ok := e.(*syntax.Word); ok {
		return w.Lit()
	}
	return ""
}

func isList(p *syntax.ParamExp) bool {
	if p.Param == nil || p.Length {
		return false
	}
	return p.Param.Value == "@" || lit(p.Index) == "@" || p.Names == syntax.NamesPrefixWords
}

// value is what a parameter expansion works on.
type value struct {
	vals []string
	list bool // several values: @ or *
	star bool
	set  bool
}

func (v value) text(s *Shell) string {
	if v.list {
		if v.star {
			return strings.Join(v.vals, s.ifsFirst())
		}
		return strings.Join(v.vals, " ")
	}
	if len(v.vals) == 0 {
		return ""
	}
	return v.vals[0]
}

func (s *Shell) paramValue(name string, index syntax.ArithmExpr) (value, error) {
	if name == "@" || name == "*" {
		return value{vals: s.params, list: true, star: name == "*", set: len(s.params) > 0}, nil
	}
	if l := lit(index); l == "@" || l == "*" {
		v := s.lookup(name)
		if els, ok := s.computedArray(name); ok {
			return value{vals: els, list: true, star: l == "*", set: len(els) > 0}, nil
		}
		els := v.Elements()
		return value{vals: els, list: true, star: l == "*", set: len(els) > 0}, nil
	}
	if index != nil {
		text, set, err := s.element(name, index)
		return value{vals: []string{text}, set: set}, err
	}
	if els, ok := s.computedArray(name); ok {
		if len(els) == 0 {
			return value{}, nil
		}
		return value{vals: els[:1], set: true}, nil
	}
	text, set := s.param(name)
	return value{vals: []string{text}, set: set}, nil
}

// computedArray are the arrays that the shell keeps itself.
func (s *Shell) computedArray(name string) ([]string, bool) {
	switch name {
	case "PIPESTATUS":
		out := make([]string, len(s.pipeStatus))
		for i, c := range s.pipeStatus {
			out[i] = strconv.Itoa(c)
		}
		return out, true
	case "FUNCNAME":
		out := make([]string, 0, len(s.funcNames)+1)
		for i := len(s.funcNames) - 1; i >= 0; i-- {
			out = append(out, s.funcNames[i])
		}
		if len(out) > 0 && s.script != "" {
			out = append(out, "main")
		}
		return out, true
	case "BASH_SOURCE":
		if s.script == "" {
			return nil, true
		}
		return []string{s.script}, true
	case "DIRSTACK":
		return append([]string{s.Dir}, s.dirStack...), true
	case "GROUPS":
		return []string{strconv.Itoa(s.ctx.UID)}, true
	}
	return nil, false
}

func (s *Shell) element(name string, index syntax.ArithmExpr) (string, bool, error) {
	if els, ok := s.computedArray(name); ok {
		n, err := s.arith(index)
		if err != nil || n < 0 || n >= int64(len(els)) {
			return "", false, err
		}
		return els[n], true, nil
	}
	v := s.lookup(name)
	if v != nil && v.Kind == Associative {
		key, err := s.subscript(index)
		if err != nil {
			return "", false, err
		}
		t, ok := v.pairs[key]
		return t, ok, nil
	}
	n, err := s.arith(index)
	if err != nil {
		return "", false, s.arithError(index, err)
	}
	if v == nil {
		return "", false, nil
	}
	if v.Kind == Scalar {
		if n == 0 || n == -1 {
			return v.str, v.Set, nil
		}
		return "", false, nil
	}
	if n < 0 {
		if n += int64(v.maxIndex()) + 1; n < 0 {
			return "", false, &exprError{name + ": bad array subscript"}
		}
	}
	t, ok := v.at(int(n))
	return t, ok, nil
}

func (b *builder) emit(v value, quoted bool) error {
	if v.list {
		return b.list(v.vals, quoted, v.star)
	}
	t := v.text(b.s)
	if quoted {
		return b.add(t, true)
	}
	return b.split(t)
}

func (b *builder) paramExp(p *syntax.ParamExp, quoted bool) error {
	s := b.s
	if p.Param == nil || p.Flags != nil || p.Width || p.IsSet || p.NestedParam != nil {
		return &exprError{"bad substitution"}
	}
	name, index := p.Param.Value, p.Index
	if name == "LINENO" {
		s.line = int(p.Pos().Line()) + s.lineBase
	}
	if p.Excl {
		if p.Names != 0 {
			var names []string
			for n := range s.vars {
				if strings.HasPrefix(n, name) {
					names = append(names, n)
				}
			}
			sort.Strings(names)
			return b.emit(value{vals: names, list: true, star: p.Names == syntax.NamesPrefix}, quoted)
		}
		if l := lit(index); l == "@" || l == "*" {
			return b.emit(value{vals: s.lookup(name).Keys(), list: true, star: l == "*"}, quoted)
		}
		if v := s.vars[name]; v != nil && v.NameRef {
			return b.emit(value{vals: []string{v.str}, set: true}, quoted)
		}
		v, err := s.paramValue(name, index)
		if err != nil {
			return err
		}
		target := v.text(s)
		if !v.set {
			return &exprError{name + ": invalid indirect expansion"}
		}
		base, sub, has := strings.Cut(target, "[")
		if !(syntax.ValidName(base) || !has && isSpecialParam(base)) || has && !strings.HasSuffix(sub, "]") {
			return &exprError{target + ": invalid variable name"}
		}
		name, index = base, nil
		if has {
			sub = strings.TrimSuffix(sub, "]")
			index = &syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{Value: sub}}}
			if e, err := syntax.NewParser().Arithmetic(strings.NewReader(sub)); err == nil && e != nil && sub != "@" && sub != "*" {
				index = e
			}
		}
	}
	v, err := s.paramValue(name, index)
	if err != nil {
		return err
	}
	if p.Length {
		n := len(v.vals)
		switch {
		case !v.list && !v.set && s.opts['u']:
			return fatalf("%s: unbound variable", name)
		case !v.list:
			n = utf8.RuneCountInString(v.text(s))
		}
		return b.emit(value{vals: []string{strconv.Itoa(n)}}, quoted)
	}
	overrides := p.Exp != nil && (p.Exp.Op == syntax.AlternateUnset || p.Exp.Op == syntax.AlternateUnsetOrNull ||
		p.Exp.Op == syntax.DefaultUnset || p.Exp.Op == syntax.DefaultUnsetOrNull || p.Exp.Op == syntax.ErrorUnset ||
		p.Exp.Op == syntax.ErrorUnsetOrNull || p.Exp.Op == syntax.AssignUnset || p.Exp.Op == syntax.AssignUnsetOrNull)
	if !v.set && !v.list && s.opts['u'] && !overrides {
		label := name
		if index != nil {
			if l := lit(index); l != "" {
				label += "[" + l + "]"
			}
		} else if c := name[0]; c >= '0' && c <= '9' {
			label = "$" + name
		}
		return fatalf("%s: unbound variable", label)
	}
	switch {
	case p.Slice != nil:
		if v, err = s.slice(p, name, index, v); err != nil {
			return err
		}
	case p.Repl != nil:
		if v, err = s.replace(p.Repl, v); err != nil {
			return err
		}
	case p.Exp != nil:
		return b.expOp(p, name, index, v, quoted)
	}
	return b.emit(v, quoted)
}

func isSpecialParam(name string) bool {
	if len(name) == 1 && strings.Contains("?#$!-@*", name) {
		return true
	}
	_, err := strconv.ParseUint(name, 10, 16)
	return err == nil
}

func (b *builder) expOp(p *syntax.ParamExp, name string, index syntax.ArithmExpr, v value, quoted bool) error {
	s := b.s
	null := v.text(s) == ""
	if v.list && len(v.vals) > 1 {
		null = false
	}
	word := func() error {
		if p.Exp.Word == nil {
			if quoted {
				return b.add("", true)
			}
			return nil
		}
		if quoted {
			return b.parts(p.Exp.Word.Parts, true)
		}
		return b.defaultWord(p.Exp.Word)
	}
	useWord := false
	switch op := p.Exp.Op; op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		if v.set && !(op == syntax.AlternateUnsetOrNull && null) {
			return word()
		}
		if quoted && !isList(p) {
			return b.add("", true)
		}
		return nil
	case syntax.DefaultUnset, syntax.AssignUnset, syntax.ErrorUnset:
		useWord = !v.set
	case syntax.DefaultUnsetOrNull, syntax.AssignUnsetOrNull, syntax.ErrorUnsetOrNull:
		useWord = !v.set || null
	case syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		pat, err := s.patternOf(p.Exp.Word)
		if err != nil {
			return err
		}
		return b.emit(v.each(func(t string) string { return s.remove(t, pat, op) }), quoted)
	case syntax.UpperFirst, syntax.UpperAll, syntax.LowerFirst, syntax.LowerAll:
		pat, err := s.patternOf(p.Exp.Word)
		if err != nil {
			return err
		}
		return b.emit(v.each(func(t string) string { return changeCase(t, pat, op) }), quoted)
	case syntax.OtherParamOps:
		arg := ""
		if p.Exp.Word != nil {
			arg = p.Exp.Word.Lit()
		}
		out, err := s.transform(arg, name, index, v)
		if err != nil {
			return err
		}
		return b.emit(out, quoted)
	default:
		return &exprError{name + ": bad substitution"}
	}
	if !useWord {
		return b.emit(v, quoted)
	}
	switch p.Exp.Op {
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		msg, err := s.literal(p.Exp.Word)
		if err != nil {
			return err
		}
		if msg == "" {
			msg = "parameter null or not set"
			if p.Exp.Op == syntax.ErrorUnset {
				msg = "parameter not set"
			}
		}
		return fatalf("%s: %s", name, msg)
	case syntax.AssignUnset, syntax.AssignUnsetOrNull:
		text, err := s.literal(p.Exp.Word)
		if err != nil {
			return err
		}
		if !syntax.ValidName(name) {
			return &exprError{"$" + name + ": cannot assign in this way"}
		}
		if index != nil && lit(index) != "@" && lit(index) != "*" {
			err = s.assignIndex(name, index, text, false)
		} else {
			err = s.assign(name, text, false)
		}
		if err != nil {
			return err
		}
		if quoted {
			return b.add(text, true)
		}
		return b.split(text)
	}
	return word()
}

// defaultWord expands the word of ${x:-word} where the expansion stands
// unquoted: its literals are split too.
func (b *builder) defaultWord(w *syntax.Word) error {
	for i, part := range w.Parts {
		if l, ok := part.(*syntax.Lit); ok {
			text := l.Value
			if i == 0 && strings.HasPrefix(text, "~") {
				rest, err := b.tilde(text, len(w.Parts) == 1)
				if err != nil {
					return err
				}
				text = rest
			}
			for text != "" {
				j := strings.IndexByte(text, '\\')
				if j < 0 || j+1 >= len(text) {
					if err := b.split(text); err != nil {
						return err
					}
					break
				}
				if err := b.split(text[:j]); err != nil {
					return err
				}
				_, n := utf8.DecodeRuneInString(text[j+1:])
				if err := b.add(text[j+1:j+1+n], true); err != nil {
					return err
				}
				text = text[j+1+n:]
			}
			continue
		}
		if err := b.part(part, false, i == 0, i == len(w.Parts)-1); err != nil {
			return err
		}
	}
	return nil
}

func (v value) each(fn func(string) string) value {
	out := make([]string, len(v.vals))
	for i, t := range v.vals {
		out[i] = fn(t)
	}
	v.vals = out
	return v
}

func (s *Shell) remove(t, pat string, op syntax.ParExpOperator) string {
	var cuts []int
	for i := range t {
		cuts = append(cuts, i)
	}
	cuts = append(cuts, len(t))
	prefix := op == syntax.RemSmallPrefix || op == syntax.RemLargePrefix
	if op == syntax.RemLargePrefix || op == syntax.RemSmallSuffix {
		slices.Reverse(cuts)
	}
	if !pattern.HasMeta(pat, pattern.Ext) {
		plain := pattern.Unquote(pat)
		if prefix {
			return strings.TrimPrefix(t, plain)
		}
		return strings.TrimSuffix(t, plain)
	}
	if len(t) > 16<<10 { // quadratic below
		cuts = cuts[:min(len(cuts), 16<<10)]
	}
	for _, i := range cuts {
		s.work(len(t))
		if prefix && pattern.Match(pat, t[:i], pattern.Ext) {
			return t[i:]
		}
		if !prefix && pattern.Match(pat, t[i:], pattern.Ext) {
			return t[:i]
		}
	}
	return t
}

func changeCase(t, pat string, op syntax.ParExpOperator) string {
	to := unicode.ToLower
	if op == syntax.UpperFirst || op == syntax.UpperAll {
		to = unicode.ToUpper
	}
	rs := []rune(t)
	for i, r := range rs {
		if pat == "" || pattern.Match(pat, string(r), pattern.Ext) {
			rs[i] = to(r)
		}
		if op == syntax.UpperFirst || op == syntax.LowerFirst {
			break
		}
	}
	return string(rs)
}

func (s *Shell) slice(p *syntax.ParamExp, name string, index syntax.ArithmExpr, v value) (value, error) {
	off, err := s.arith(p.Slice.Offset)
	if err != nil {
		return v, s.arithError(p.Slice.Offset, err)
	}
	length, hasLength := int64(0), p.Slice.Length != nil
	if hasLength {
		if length, err = s.arith(p.Slice.Length); err != nil {
			return v, s.arithError(p.Slice.Length, err)
		}
	}
	var units []string
	var runes []rune
	n := int64(0)
	positional := name == "@" || name == "*"
	if v.list {
		units = v.vals
		if positional {
			units = append([]string{s.arg0}, s.params...)
		}
		n = int64(len(units))
		if arr := s.lookup(name); !positional && arr != nil && arr.Kind == Indexed && arr.idx != nil {
			// a sparse array is sliced by subscript
			if off < 0 {
				off += int64(arr.maxIndex()) + 1
			}
			i, _ := slices.BinarySearch(arr.idx, int(off))
			off = int64(i)
		}
	} else {
		runes = []rune(v.text(s))
		n = int64(len(runes))
	}
	if off < 0 {
		off += n
	}
	if off < 0 || off > n {
		if v.list {
			return value{list: true, star: v.star}, nil
		}
		return value{vals: []string{""}, set: v.set}, nil
	}
	end := n
	if hasLength {
		if length < 0 {
			if v.list {
				return v, &exprError{fmt.Sprintf("%d: substring expression < 0", length)}
			}
			if end = n + length; end < off {
				return v, &exprError{fmt.Sprintf("%d: substring expression < 0", length)}
			}
		} else {
			end = min(n, off+length)
		}
	}
	if v.list {
		v.vals = units[off:end]
		return v, nil
	}
	v.vals = []string{string(runes[off:end])}
	return v, nil
}

func (s *Shell) replace(r *syntax.Replace, v value) (value, error) {
	pat, err := s.patternOf(r.Orig)
	if err != nil {
		return v, err
	}
	with, err := s.literal(r.With)
	if err != nil || pat == "" {
		return v, err
	}
	anchor := byte(0)
	if !r.All && (pat[0] == '#' || pat[0] == '%') {
		anchor, pat = pat[0], pat[1:]
	}
	plain := !pattern.HasMeta(pat, pattern.Ext)
	over := false
	out := v.each(func(t string) string {
		var b strings.Builder
		for i := 0; ; {
			s.work(16)
			if b.Len() > maxExpansion {
				over = true
				return ""
			}
			n := -1
			switch {
			case plain && anchor == 0:
				j := strings.Index(t[i:], pattern.Unquote(pat))
				if j < 0 || i == len(t) {
					b.WriteString(t[i:])
					return b.String()
				}
				b.WriteString(t[i : i+j])
				i += j
				n = len(pattern.Unquote(pat))
			case anchor == '#' && i > 0:
			case anchor == '%':
				if pattern.Match(pat, t[i:], pattern.Ext) {
					n = len(t) - i
				}
			default:
				for j := len(t); j > i || j == i && anchor != 0; j-- {
					s.work(j - i)
					if pattern.Match(pat, t[i:j], pattern.Ext) {
						n = j - i
						break
					}
				}
			}
			if n >= 0 {
				b.WriteString(with)
				i += n
				if !r.All || n == 0 && i >= len(t) {
					b.WriteString(t[i:])
					return b.String()
				}
			}
			if i >= len(t) {
				return b.String()
			}
			if n <= 0 {
				b.WriteByte(t[i])
				i++
			}
		}
	})
	if over {
		return v, errMemory()
	}
	return out, nil
}

func (s *Shell) transform(op, name string, index syntax.ArithmExpr, v value) (value, error) {
	switch op {
	case "Q":
		if !v.set {
			return v, nil
		}
		return v.each(func(t string) string { return Quote(t, true) }), nil
	case "U":
		return v.each(strings.ToUpper), nil
	case "L":
		return v.each(strings.ToLower), nil
	case "u":
		return v.each(func(t string) string { return changeCase(t, "", syntax.UpperFirst) }), nil
	case "E":
		return v.each(unescapeDollar), nil
	case "P":
		return v.each(s.prompt), nil
	case "a":
		if va := s.lookup(name); va != nil {
			return value{vals: []string{va.flags()}, set: true}, nil
		}
		return value{vals: []string{""}}, nil
	case "A":
		va := s.lookup(name)
		if va == nil {
			return value{vals: []string{""}}, nil
		}
		if va.flags() == "" {
			return value{vals: []string{name + "=" + Quote(v.text(s), true)}, set: true}, nil
		}
		return value{vals: []string{s.declaration(name, va, true)}, set: true}, nil
	case "K", "k":
		va := s.lookup(name)
		if va == nil || va.Kind == Scalar {
			return v.each(func(t string) string { return Quote(t, true) }), nil
		}
		var out []string
		els := va.Elements()
		for i, k := range va.Keys() {
			if op == "k" {
				out = append(out, k, els[i])
			} else {
				out = append(out, k, doubleQuote(els[i]))
			}
		}
		if op == "K" {
			return value{vals: []string{strings.Join(out, " ")}, set: true}, nil
		}
		return value{vals: out, list: true, set: true}, nil
	}
	return v, &exprError{name + ": bad substitution"}
}
