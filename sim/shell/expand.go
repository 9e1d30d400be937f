// Word expansion: braces, tilde, parameters, command substitution, arithmetic,
// word splitting, file names, quote removal, in bash's order.

package shell

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/shell/pattern"
	"github.com/kubonsai/kubonsai/sim/shell/tool"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// frag is a piece of a field: quoted pieces are never split or globbed.
type frag struct {
	text   string
	quoted bool
}

type field []frag

func (f field) text() string {
	if len(f) == 1 {
		return f[0].text
	}
	var b strings.Builder
	for _, p := range f {
		b.WriteString(p.text)
	}
	return b.String()
}

// pattern is the field with its quoted pieces escaped.
func (f field) pattern() string {
	var b strings.Builder
	for _, p := range f {
		if p.quoted {
			b.WriteString(pattern.Quote(p.text))
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// builder collects the fields of one word.
type builder struct {
	s       *Shell
	nosplit bool // assignments, here-documents, patterns: one field
	assign  bool // tildes after colons too
	heredoc bool
	fields  []field
	cur     field
	open    bool
	ws      bool // IFS white space has just ended a field
	size    int
}

func (b *builder) add(text string, quoted bool) error {
	b.open, b.ws = true, false
	b.s.work(len(text))
	b.size += len(text)
	if b.size > maxExpansion || len(b.fields) > maxFields {
		return errMemory()
	}
	b.cur = append(b.cur, frag{text, quoted})
	return nil
}

func (b *builder) flush() bool {
	if !b.open {
		return false
	}
	b.fields = append(b.fields, b.cur)
	b.cur, b.open = nil, false
	return true
}

// split adds the result of an unquoted expansion.
func (b *builder) split(text string) error {
	if text == "" {
		return nil
	}
	if b.nosplit {
		return b.add(text, false)
	}
	ifs := b.s.ifs()
	start := -1
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !strings.ContainsRune(ifs, r) || ifs == "" {
			if start < 0 {
				start = i
			}
			i += n
			continue
		}
		if start >= 0 {
			if err := b.add(text[start:i], false); err != nil {
				return err
			}
			start = -1
		}
		if r == ' ' || r == '\t' || r == '\n' {
			if b.flush() {
				b.ws = true
			}
		} else if !b.flush() {
			if !b.ws {
				b.fields = append(b.fields, field{})
			}
			b.ws = false
		}
		i += n
	}
	if start >= 0 {
		return b.add(text[start:], false)
	}
	return nil
}

// list adds the values of $@, ${a[*]} and so on.
func (b *builder) list(vals []string, quoted, star bool) error {
	if b.nosplit || quoted && star {
		sep := " "
		if star {
			sep = b.s.ifsFirst()
		}
		n := 0
		for _, v := range vals {
			if n += len(v); n > maxExpansion {
				return errMemory()
			}
		}
		return b.add(strings.Join(vals, sep), quoted)
	}
	for i, v := range vals {
		if i > 0 {
			b.flush()
			b.ws = false
		}
		var err error
		if quoted {
			err = b.add(v, true)
		} else {
			err = b.split(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) parts(parts []syntax.WordPart, dq bool) error {
	for i, part := range parts {
		if err := b.part(part, dq, i == 0, i == len(parts)-1); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) part(part syntax.WordPart, dq, first, last bool) error {
	s := b.s
	switch p := part.(type) {
	case *syntax.Lit:
		text := p.Value
		if dq || b.heredoc {
			return b.add(unescapeDouble(text, !b.heredoc), true)
		}
		if first && strings.HasPrefix(text, "~") && !b.open {
			rest, err := b.tilde(text, last)
			if err != nil {
				return err
			}
			text = rest
		}
		return b.unquotedLit(text)
	case *syntax.SglQuoted:
		if p.Dollar {
			return b.add(unescapeDollar(p.Value), true)
		}
		return b.add(p.Value, true)
	case *syntax.DblQuoted:
		wasOpen, wasFields, empty := b.open, len(b.fields), false
		for _, q := range p.Parts {
			if pe, ok := q.(*syntax.ParamExp); ok && isList(pe) {
				empty = true
			}
			if err := b.part(q, true, false, false); err != nil {
				return err
			}
		}
		if !wasOpen && !b.open && len(b.fields) == wasFields && (!empty || len(p.Parts) > 1) {
			return b.add("", true)
		}
		if !b.open && !empty {
			return b.add("", true)
		}
		return nil
	case *syntax.ParamExp:
		return b.paramExp(p, dq || b.heredoc)
	case *syntax.CmdSubst:
		out, err := s.cmdSubst(p)
		if err != nil {
			return err
		}
		if dq || b.heredoc {
			return b.add(out, true)
		}
		return b.split(out)
	case *syntax.ArithmExp:
		n, err := s.arith(p.X)
		if err != nil {
			return s.arithError(p.X, err)
		}
		if dq {
			return b.add(strconv.FormatInt(n, 10), true)
		}
		return b.split(strconv.FormatInt(n, 10))
	case *syntax.ProcSubst:
		name, err := s.procSubst(p)
		if err != nil {
			return err
		}
		return b.add(name, true)
	case *syntax.ExtGlob:
		return b.add(p.Op.String()+p.Pattern.Value+")", false)
	}
	return fmt.Errorf("unsupported word part %T", part)
}

// arithError puts the expression before the message, as bash does.
func (s *Shell) arithError(e syntax.ArithmExpr, err error) error {
	if _, ok := err.(*fatalError); ok {
		return err
	}
	if ew, ok := err.(*exprError); ok {
		return ew
	}
	return &exprError{arithSource(e, 0) + ": " + err.Error()}
}

// exprError discards the command it occurs in, but does not end the shell.
type exprError struct{ text string }

func (e *exprError) Error() string { return e.text }

func (b *builder) unquotedLit(text string) error {
	if b.assign && strings.Contains(text, ":~") {
		segs := strings.Split(text, ":")
		for i, seg := range segs {
			if i > 0 && strings.HasPrefix(seg, "~") {
				name, rest, _ := strings.Cut(seg[1:], "/")
				if home, ok := b.s.home(name); ok {
					segs[i] = home
					if strings.Contains(seg, "/") {
						segs[i] += "/" + rest
					}
				}
			}
		}
		text = strings.Join(segs, ":")
	}
	for {
		i := strings.IndexByte(text, '\\')
		if i < 0 {
			if text == "" {
				return nil
			}
			return b.add(text, false)
		}
		if i > 0 {
			if err := b.add(text[:i], false); err != nil {
				return err
			}
		}
		if i+1 >= len(text) {
			return b.add(`\`, true)
		}
		_, n := utf8.DecodeRuneInString(text[i+1:])
		if text[i+1] != '\n' {
			if err := b.add(text[i+1:i+1+n], true); err != nil {
				return err
			}
		}
		text = text[i+1+n:]
	}
}

// tilde adds what a leading ~ stands for and returns the text that follows.
func (b *builder) tilde(text string, last bool) (string, error) {
	end := len(text)
	if i := strings.IndexByte(text, '/'); i >= 0 {
		end = i
	} else if !last {
		return text, nil
	}
	if b.assign {
		if i := strings.IndexByte(text[:end], ':'); i >= 0 {
			end = i
		}
	}
	if strings.ContainsRune(text[:end], '\\') {
		return text, nil
	}
	if home, ok := b.s.home(text[1:end]); ok {
		return text[end:], b.add(home, true)
	}
	return text, nil
}

func (s *Shell) home(user string) (string, bool) {
	switch user {
	case "":
		if h, ok := s.param("HOME"); ok {
			return h, true
		}
		if s.ctx.User == "root" || s.ctx.User == "" {
			return "/root", true
		}
		return "/home/" + s.ctx.User, true
	case "+":
		return s.Dir, true
	case "-":
		return s.param("OLDPWD")
	case "root":
		return "/root", true
	}
	if user == s.ctx.User {
		return s.home("")
	}
	return "", false
}

func unescapeDouble(t string, quotes bool) string {
	if strings.IndexByte(t, '\\') < 0 {
		return t
	}
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] == '\\' && i+1 < len(t) {
			switch c := t[i+1]; {
			case c == '\\' || c == '$' || c == '`' || c == '"' && quotes:
				i++
			case c == '\n':
				i++
				continue
			}
		}
		b.WriteByte(t[i])
	}
	return b.String()
}

// unescapeDollar interprets $'…'.
func unescapeDollar(t string) string {
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] != '\\' || i+1 >= len(t) {
			b.WriteByte(t[i])
			continue
		}
		i++
		digits := func(limit, base int) int {
			n, count := tool.Digits(t[i+1:], limit, base)
			i += count
			return n
		}
		if c, ok := tool.Escape(t[i]); ok {
			b.WriteByte(c)
			continue
		}
		switch c := t[i]; c {
		case 'x':
			b.WriteByte(byte(digits(2, 16)))
		case 'u':
			b.WriteRune(rune(digits(4, 16)))
		case 'U':
			b.WriteRune(rune(digits(8, 16)))
		case 'c':
			if i+1 < len(t) {
				i++
				b.WriteByte(t[i] & 31)
			}
		case '0', '1', '2', '3', '4', '5', '6', '7':
			i--
			b.WriteByte(byte(digits(3, 8)))
		case '\\', '\'', '"', '?':
			b.WriteByte(c)
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

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

// literal expands a word to one string, without splitting or globbing.
func (s *Shell) literal(w *syntax.Word) (string, error) {
	if w == nil {
		return "", nil
	}
	if len(w.Parts) == 1 {
		if l, ok := w.Parts[0].(*syntax.Lit); ok && !strings.ContainsAny(l.Value, `\~`) {
			return l.Value, nil
		}
	}
	b := builder{s: s, nosplit: true}
	err := b.parts(w.Parts, false)
	return b.cur.text(), err
}

// assignValue is literal with the tildes of assignments.
func (s *Shell) assignValue(w *syntax.Word) (string, error) {
	if w == nil {
		return "", nil
	}
	b := builder{s: s, nosplit: true, assign: true}
	err := b.parts(w.Parts, false)
	return b.cur.text(), err
}

// document expands a here-document.
func (s *Shell) document(w *syntax.Word) (string, error) {
	b := builder{s: s, nosplit: true, heredoc: true}
	err := b.parts(w.Parts, false)
	return b.cur.text(), err
}

// patternOf expands a word to a pattern: quoted pieces match themselves.
func (s *Shell) patternOf(w *syntax.Word) (string, error) {
	if w == nil {
		return "", nil
	}
	b := builder{s: s, nosplit: true}
	err := b.parts(w.Parts, false)
	return b.cur.pattern(), err
}

// fields expands words to arguments.
func (s *Shell) fields(words ...*syntax.Word) ([]string, error) {
	var out []string
	for _, w := range words {
		if len(w.Parts) == 1 {
			switch p := w.Parts[0].(type) {
			case *syntax.Lit:
				if !strings.ContainsAny(p.Value, `\~*?[{`) {
					out = append(out, p.Value)
					continue
				}
			case *syntax.SglQuoted:
				if !p.Dollar {
					out = append(out, p.Value)
					continue
				}
			}
		}
		braced := []*syntax.Word{w}
		if s.opts['B'] && hasBrace(w) {
			var err error
			if braced, err = s.braces(w); err != nil {
				return nil, err
			}
		}
		for _, bw := range braced {
			b := builder{s: s}
			if err := b.parts(bw.Parts, false); err != nil {
				return nil, err
			}
			b.flush()
			for _, f := range b.fields {
				var err error
				if out, err = s.glob(f, out); err != nil {
					return nil, err
				}
			}
			if len(out) > maxFields {
				return nil, errMemory()
			}
		}
	}
	return out, nil
}

func hasBrace(w *syntax.Word) bool {
	for _, p := range w.Parts {
		if l, ok := p.(*syntax.Lit); ok && strings.Contains(l.Value, "{") {
			return true
		}
	}
	return false
}

// braces expands {a,b} and {1..9}; the size is bounded.
func (s *Shell) braces(w *syntax.Word) ([]*syntax.Word, error) {
	split := &syntax.Word{Parts: slices.Clone(w.Parts)}
	if !syntax.SplitBraces(split) {
		return []*syntax.Word{w}, nil
	}
	n := 0
	return s.braceWord(split, &n)
}

func (s *Shell) braceWord(w *syntax.Word, n *int) ([]*syntax.Word, error) {
	for i, part := range w.Parts {
		br, ok := part.(*syntax.BraceExp)
		if !ok {
			continue
		}
		var alts []*syntax.Word
		if br.Sequence {
			seq, err := braceSequence(br)
			if err != nil {
				return nil, err
			}
			for _, t := range seq {
				alts = append(alts, &syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{Value: t}}})
			}
		} else {
			for _, e := range br.Elems {
				sub, err := s.braceWord(e, n)
				if err != nil {
					return nil, err
				}
				alts = append(alts, sub...)
			}
		}
		rest, err := s.braceWord(&syntax.Word{Parts: w.Parts[i+1:]}, n)
		if err != nil {
			return nil, err
		}
		var out []*syntax.Word
		for _, a := range alts {
			for _, r := range rest {
				if *n++; *n > maxFields/4 {
					return nil, errMemory()
				}
				out = append(out, &syntax.Word{Parts: slices.Concat(w.Parts[:i], a.Parts, r.Parts)})
			}
		}
		return out, nil
	}
	return []*syntax.Word{w}, nil
}

func braceSequence(br *syntax.BraceExp) ([]string, error) {
	from, to := br.Elems[0].Lit(), br.Elems[1].Lit()
	step := int64(1)
	if len(br.Elems) > 2 {
		step, _ = strconv.ParseInt(br.Elems[2].Lit(), 10, 64)
	}
	a, errA := strconv.ParseInt(from, 10, 64)
	z, errZ := strconv.ParseInt(to, 10, 64)
	char := errA != nil || errZ != nil
	if char {
		if len(from) != 1 || len(to) != 1 {
			return []string{"{" + from + ".." + to + "}"}, nil
		}
		a, z = int64(from[0]), int64(to[0])
	}
	if step == 0 {
		step = 1
	}
	if step < 0 {
		step = -step
	}
	if a > z {
		step = -step
	}
	count := (z - a) / step
	if count < 0 || count >= maxFields/4 {
		return nil, errMemory()
	}
	width := 0
	padded := func(t string) bool {
		t = strings.TrimPrefix(t, "-")
		return len(t) > 1 && t[0] == '0'
	}
	if !char && (padded(from) || padded(to)) {
		width = max(len(from), len(to))
	}
	out := make([]string, 0, count+1)
	for i := int64(0); i <= count; i++ {
		v := a + i*step
		if char {
			out = append(out, string(rune(v)))
		} else {
			out = append(out, fmt.Sprintf("%0*d", width, v))
		}
	}
	return out, nil
}

// glob adds the file names that a field matches, or the field itself.
func (s *Shell) glob(f field, out []string) ([]string, error) {
	meta := false
	for _, p := range f {
		meta = meta || !p.quoted && strings.ContainsAny(p.text, "*?[(")
	}
	if !meta || s.opts['f'] {
		return append(out, f.text()), nil
	}
	pat := f.pattern()
	if !pattern.HasMeta(pat, s.matchMode()) {
		return append(out, f.text()), nil
	}
	matches := s.globPath(pat)
	if len(matches) == 0 {
		switch {
		case s.shopts["failglob"]:
			return nil, &exprError{"no match: " + f.text()}
		case s.shopts["nullglob"]:
			return out, nil
		}
		return append(out, f.text()), nil
	}
	return append(out, matches...), nil
}

func (s *Shell) matchMode() pattern.Mode {
	m := pattern.Mode(0)
	if s.shopts["extglob"] {
		m = pattern.Ext
	}
	return m
}

func (s *Shell) globPath(pat string) []string {
	bases := []string{""}
	rest := pat
	if strings.HasPrefix(pat, "/") {
		bases = []string{"/"}
		rest = strings.TrimLeft(pat, "/")
	}
	mode := s.matchMode()
	if s.shopts["nocaseglob"] {
		mode |= pattern.NoCase
	}
	comps := strings.Split(rest, "/")
	for i, comp := range comps {
		last := i == len(comps)-1
		var next []string
		for _, base := range bases {
			s.tick()
			if comp == "" { // a trailing slash: directories only
				if info, err := s.ctx.FS.Stat(vfs.Join(s.Dir, base)); err == nil && info.IsDir() {
					next = append(next, base)
				}
				continue
			}
			if !pattern.HasMeta(comp, mode) {
				name := base + pattern.Unquote(comp)
				if _, err := s.ctx.FS.Lstat(vfs.Join(s.Dir, name)); err == nil {
					next = append(next, name+slash(!last))
				}
				continue
			}
			if comp == "**" && s.shopts["globstar"] {
				s.globStar(base, last, &next, 0)
				continue
			}
			entries, err := s.ctx.FS.ReadDir(vfs.Join(s.Dir, base))
			if err != nil {
				continue
			}
			for _, e := range entries {
				name := e.Name()
				if strings.HasPrefix(name, ".") && !strings.HasPrefix(comp, ".") && !strings.HasPrefix(comp, `\.`) && !s.shopts["dotglob"] {
					continue
				}
				if !pattern.Match(comp, name, mode) {
					continue
				}
				if !last && !s.isDir(vfs.Join(s.Dir, base+name), e) {
					continue
				}
				next = append(next, base+name+slash(!last))
			}
		}
		bases = next
		if len(bases) > maxFields {
			return nil
		}
	}
	sort.Strings(bases)
	return bases
}

func (s *Shell) globStar(base string, last bool, out *[]string, depth int) {
	if !last {
		*out = append(*out, base)
	} else if base != "" {
		*out = append(*out, base)
	}
	entries, err := s.ctx.FS.ReadDir(vfs.Join(s.Dir, base))
	if err != nil || depth > 64 {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && !s.shopts["dotglob"] {
			continue
		}
		if e.IsDir() {
			s.globStar(base+e.Name()+"/", last, out, depth+1)
		} else if last {
			*out = append(*out, base+e.Name())
		}
	}
}

func slash(b bool) string {
	if b {
		return "/"
	}
	return ""
}

func (s *Shell) isDir(p string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := s.ctx.FS.Stat(path.Clean(p))
	return err == nil && info.IsDir()
}

// Quote writes text so that the shell reads it back as one word; always says
// whether to quote what needs no quotes (as ${x@Q} does).
func Quote(t string, always bool) string {
	plain, ctrl := t != "", false
	for _, r := range t {
		switch {
		case r < 32 || r == 127 || r == utf8.RuneError:
			ctrl, plain = true, false
		case !(r == '_' || r == '-' || r == '.' || r == '/' || r == ':' || r == '=' || r == '+' || r == '@' || r == '%' || r == ',' || r >= '0' && r <= '9' || unicode.IsLetter(r)):
			plain = false
		}
	}
	if plain && !always {
		return t
	}
	if !ctrl {
		return "'" + strings.ReplaceAll(t, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == 27:
			b.WriteString(`\E`)
		case c == 7:
			b.WriteString(`\a`)
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 32 || c == 127:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + "'"
}

func doubleQuote(t string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(t) + `"`
}
