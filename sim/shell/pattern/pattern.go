// Package pattern matches shell patterns: * ? [a-z] [!x] [[:digit:]], escapes
// by backslash, and the extended operators ?(a|b) *(a) +(a) @(a) !(a). It
// matches directly, without regular expressions, in bounded time.
package pattern

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mode changes how patterns match.
type Mode uint8

// The modes, to be combined.
const (
	Ext    Mode = 1 << iota // extended operators
	NoCase                  // letters match in both cases
)

// budget bounds the backtracking of one match, beside 64 steps for each byte of
// the text; a pattern that needs more does not match.
const budget = 1 << 16

type matcher struct {
	mode  Mode
	steps int // that are left
}

// Match reports whether the whole of s matches the pattern.
func Match(pat, s string, mode Mode) bool {
	m := matcher{mode: mode, steps: budget + 64*len(s)}
	return m.match(pat, s)
}

// HasMeta reports whether the pattern can match anything but one text.
func HasMeta(pat string, mode Mode) bool {
	for i := 0; i < len(pat); i++ {
		switch pat[i] {
		case '\\':
			i++
		case '*', '?':
			return true
		case '[':
			if _, _, ok := class(pat[i:], 'x', false); ok {
				return true
			}
		case '+', '@', '!':
			if mode&Ext != 0 && i+1 < len(pat) && pat[i+1] == '(' {
				return true
			}
		}
	}
	return false
}

// Quote escapes what would be special in a pattern.
func Quote(s string) string {
	if !strings.ContainsAny(s, `*?[]\+@!()|-^`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(`*?[]\+@!()|-^`, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Unquote takes the escapes away.
func Unquote(pat string) string {
	if strings.IndexByte(pat, '\\') < 0 {
		return pat
	}
	var b strings.Builder
	for i := 0; i < len(pat); i++ {
		if pat[i] == '\\' && i+1 < len(pat) {
			i++
		}
		b.WriteByte(pat[i])
	}
	return b.String()
}

func (m *matcher) match(pat, s string) bool {
	star, back := -1, 0 // where to resume after the last *
	var p, i int
	for {
		if m.steps--; m.steps < 0 {
			return false
		}
		if p < len(pat) {
			if m.mode&Ext != 0 && p+1 < len(pat) && pat[p+1] == '(' && strings.IndexByte("?*+@!", pat[p]) >= 0 {
				if alts, rest, ok := group(pat[p+1:]); ok {
					if m.ext(pat[p], alts, rest, s[i:]) {
						return true
					}
					goto retry
				}
			}
			switch c := pat[p]; c {
			case '*':
				star, back = p, i
				p++
				continue
			case '?':
				if i < len(s) {
					_, n := utf8.DecodeRuneInString(s[i:])
					i += n
					p++
					continue
				}
			case '[':
				if i < len(s) {
					r, n := utf8.DecodeRuneInString(s[i:])
					size, hit, ok := class(pat[p:], r, m.mode&NoCase != 0)
					if ok {
						if hit {
							i += n
							p += size
							continue
						}
						goto retry
					}
				}
				if i < len(s) && s[i] == '[' {
					i++
					p++
					continue
				}
			default:
				q := p
				if c == '\\' && p+1 < len(pat) {
					q++
				}
				if i < len(s) && m.same(pat[q], s[i]) {
					i++
					p = q + 1
					continue
				}
			}
		} else if i == len(s) {
			return true
		}
	retry:
		if star < 0 || back >= len(s) {
			return false
		}
		_, n := utf8.DecodeRuneInString(s[back:])
		back += n
		p, i = star+1, back
	}
}

func (m *matcher) same(a, b byte) bool {
	if a == b {
		return true
	}
	return m.mode&NoCase != 0 && unicode.ToLower(rune(a)) == unicode.ToLower(rune(b)) && a < 128 && b < 128
}

// group splits "(a|b)rest".
func group(pat string) (alts []string, rest string, ok bool) {
	depth, start := 0, 1
	for i := 0; i < len(pat); i++ {
		switch pat[i] {
		case '\\':
			i++
		case '(':
			depth++
		case '|':
			if depth == 1 {
				alts = append(alts, pat[start:i])
				start = i + 1
			}
		case ')':
			if depth--; depth == 0 {
				return append(alts, pat[start:i]), pat[i+1:], true
			}
		}
	}
	return nil, "", false
}

func (m *matcher) ext(op byte, alts []string, rest, s string) bool {
	if (op == '?' || op == '*') && m.match(rest, s) {
		return true
	}
	if op == '!' {
		for n := 0; n <= len(s); n++ {
			hit := false
			for _, a := range alts {
				hit = hit || m.match(a, s[:n])
			}
			if !hit && m.match(rest, s[n:]) {
				return true
			}
		}
		return false
	}
	for n := len(s); n >= 0; n-- {
		if m.steps < 0 {
			return false
		}
		for _, a := range alts {
			if !m.match(a, s[:n]) {
				continue
			}
			if m.match(rest, s[n:]) {
				return true
			}
			if (op == '*' || op == '+') && n > 0 && m.ext('*', alts, rest, s[n:]) {
				return true
			}
		}
	}
	return false
}

// class matches "[...]" at the start of pat; size is its length.
func class(pat string, r rune, nocase bool) (size int, hit, ok bool) {
	i := 1
	neg := false
	if i < len(pat) && (pat[i] == '!' || pat[i] == '^') {
		neg = true
		i++
	}
	if nocase {
		r = unicode.ToLower(r)
	}
	for first := true; i < len(pat); first = false {
		if pat[i] == ']' && !first {
			return i + 1, hit != neg, true
		}
		if strings.HasPrefix(pat[i:], "[:") {
			if end := strings.Index(pat[i:], ":]"); end > 1 {
				hit = hit || Class(pat[i+2:i+end], r)
				i += end + 2
				continue
			}
		}
		if pat[i] == '\\' && i+1 < len(pat) {
			i++
		}
		lo, n := utf8.DecodeRuneInString(pat[i:])
		i += n
		hi := lo
		if i+1 < len(pat) && pat[i] == '-' && pat[i+1] != ']' {
			i++
			if pat[i] == '\\' && i+1 < len(pat) {
				i++
			}
			hi, n = utf8.DecodeRuneInString(pat[i:])
			i += n
		}
		if nocase {
			lo, hi = unicode.ToLower(lo), unicode.ToLower(hi)
		}
		hit = hit || lo <= r && r <= hi
	}
	return 0, false, false
}

// Class reports whether r is of the POSIX character class, as in [:name:].
func Class(name string, r rune) bool {
	switch name {
	case "alpha":
		return unicode.IsLetter(r)
	case "digit":
		return '0' <= r && r <= '9'
	case "alnum":
		return unicode.IsLetter(r) || '0' <= r && r <= '9'
	case "upper":
		return unicode.IsUpper(r)
	case "lower":
		return unicode.IsLower(r)
	case "space":
		return unicode.IsSpace(r)
	case "blank":
		return r == ' ' || r == '\t'
	case "punct":
		return r < 128 && unicode.IsPrint(r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != ' '
	case "print":
		return unicode.IsPrint(r)
	case "graph":
		return unicode.IsGraphic(r) && r != ' '
	case "cntrl":
		return unicode.IsControl(r)
	case "xdigit":
		return '0' <= r && r <= '9' || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F'
	case "word":
		return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	return false
}
