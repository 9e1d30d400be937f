// Word expansion: braces, tilde, parameters, command substitution, arithmetic,
// word splitting, file names, quote removal, in bash's order.

package shell

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/shell/pattern"
	"github.com/kubonsai/kubonsai/sim/shell/tool"
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
