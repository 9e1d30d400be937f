// POSIX regular expressions, basic and extended, as Go regular expressions.
// Back-references in patterns are the one thing that Go cannot do.

package tool

import (
	"errors"
	"regexp"
	"strings"
)

// CompileERE compiles an extended regular expression; matches are leftmost and
// longest.
func CompileERE(expr string, nocase bool) (*regexp.Regexp, error) {
	return compilePosix(expr, true, nocase)
}

// CompileBRE compiles a basic regular expression with GNU's \+ \? \|.
func CompileBRE(expr string, nocase bool) (*regexp.Regexp, error) {
	return compilePosix(expr, false, nocase)
}

var errRegex = errors.New("Invalid regular expression")

func compilePosix(expr string, extended, nocase bool) (*regexp.Regexp, error) {
	t, err := translate(expr, extended)
	if err != nil {
		return nil, err
	}
	flags := "(?s)"
	if nocase {
		flags = "(?si)"
	}
	re, err := regexp.Compile(flags + t)
	if err != nil {
		return nil, errRegex
	}
	re.Longest()
	return re, nil
}

func translate(expr string, extended bool) (string, error) {
	var b strings.Builder
	depth := 0
	start := true // at the start of a branch: * is literal
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		atom := func(s string) { b.WriteString(s); start = false }
		if c == '[' {
			end, text, err := bracket(expr[i:])
			if err != nil {
				return "", err
			}
			atom(text)
			i += end - 1
			continue
		}
		if c == '\\' {
			if i+1 >= len(expr) {
				return "", errors.New("Trailing backslash")
			}
			i++
			d := expr[i]
			switch {
			case d == '<', d == '>':
				atom(`\b`)
			case strings.IndexByte("bBwWsS", d) >= 0:
				atom(`\` + string(d))
			case d == '`':
				b.WriteString(`\A`)
			case d == '\'':
				b.WriteString(`\z`)
			case d == 'n':
				atom("\n")
			case d == 't':
				atom("\t")
			case d >= '1' && d <= '9':
				return "", errors.New("Invalid back reference")
			case !extended && d == '(':
				b.WriteByte('(')
				depth++
				start = true
			case !extended && d == ')':
				if depth == 0 {
					return "", errors.New(`Unmatched ) or \)`)
				}
				depth--
				atom(")")
			case !extended && d == '{':
				end := strings.Index(expr[i:], `\}`)
				if end < 0 {
					return "", errors.New(`Unmatched \{`)
				}
				b.WriteString("{" + fixRange(expr[i+1:i+end]) + "}")
				i += end + 1
			case !extended && (d == '+' || d == '?'):
				if start {
					atom(`\` + string(d))
				} else {
					b.WriteByte(d)
				}
			case !extended && d == '|':
				b.WriteByte('|')
				start = true
			default:
				atom(regexp.QuoteMeta(string(d)))
			}
			continue
		}
		switch {
		case c == '*':
			if start {
				atom(`\*`)
			} else if n := b.Len(); b.String()[n-1] != '*' || n > 1 && b.String()[n-2] == '\\' {
				b.WriteByte('*')
			}
		case c == '.':
			atom(".")
		case c == '^':
			if extended || start {
				b.WriteString("^")
			} else {
				atom(`\^`)
			}
		case c == '$':
			last := i+1 == len(expr) || strings.HasPrefix(expr[i+1:], `\)`) || strings.HasPrefix(expr[i+1:], `\|`)
			if extended || last {
				b.WriteByte('$')
			} else {
				atom(`\$`)
			}
		case extended && c == '(':
			b.WriteByte('(')
			depth++
			start = true
		case extended && c == ')':
			if depth == 0 {
				atom(`\)`)
				break
			}
			depth--
			atom(")")
		case extended && c == '|':
			b.WriteByte('|')
			start = true
		case extended && (c == '+' || c == '?'):
			if start {
				atom(`\` + string(c))
			} else if t := b.String(); strings.HasSuffix(t, "*") && !strings.HasSuffix(t, `\*`) || strings.HasSuffix(t, "+") && !strings.HasSuffix(t, `\+`) || strings.HasSuffix(t, "?") && !strings.HasSuffix(t, `\?`) {
				// x*+ means x*, not Go's possessive or lazy forms
			} else {
				b.WriteByte(c)
			}
		case extended && c == '{':
			end := strings.IndexByte(expr[i:], '}')
			if start || end < 0 || strings.Trim(expr[i+1:i+max(end, 1)], "0123456789,") != "" || end == 1 {
				atom(`\{`)
				break
			}
			b.WriteString("{" + fixRange(expr[i+1:i+end]) + "}")
			i += end
		default:
			atom(regexp.QuoteMeta(string(c)))
			if c >= 0x80 { // the bytes of one rune stay together
				t := b.String()
				b.Reset()
				b.WriteString(t[:len(t)-len(regexp.QuoteMeta(string(c)))])
				j := i + 1
				for j < len(expr) && expr[j]&0xc0 == 0x80 {
					j++
				}
				b.WriteString("(?:" + expr[i:j] + ")")
				i = j - 1
			}
		}
	}
	if depth > 0 {
		return "", errors.New(`Unmatched ( or \(`)
	}
	return b.String(), nil
}

func fixRange(r string) string {
	if strings.HasPrefix(r, ",") {
		return "0" + r
	}
	return r
}

// bracket translates "[…]"; end is its length.
func bracket(s string) (end int, text string, err error) {
	var b strings.Builder
	b.WriteByte('[')
	i := 1
	if i < len(s) && s[i] == '^' {
		b.WriteByte('^')
		i++
	}
	for first := true; i < len(s); first = false {
		switch {
		case s[i] == ']' && !first:
			b.WriteByte(']')
			return i + 1, b.String(), nil
		case strings.HasPrefix(s[i:], "[:"):
			j := strings.Index(s[i:], ":]")
			if j < 0 {
				return 0, "", errRegex
			}
			b.WriteString(s[i : i+j+2])
			i += j + 2
			continue
		case s[i] == '-' || s[i] >= 0x80:
			b.WriteByte(s[i])
		case s[i] == '\\' || s[i] == '[' || s[i] == ']' || s[i] == '^' || s[i] == '&' || s[i] == '~':
			b.WriteByte('\\')
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
		// a leading or trailing dash is literal
		if s[i] == '-' {
			t := b.String()
			next := byte(']')
			if i+1 < len(s) {
				next = s[i+1]
			}
			if first || next == ']' {
				b.Reset()
				b.WriteString(t[:len(t)-1] + `\-`)
			}
		}
		i++
	}
	return 0, "", errRegex
}
