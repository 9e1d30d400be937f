// How SQL is read: its tokens, and what takes them.

package container

import (
	"slices"
	"strings"
)

// sqlToken is one word of a statement: that of a string begins with ', that of
// a quoted name with `.
type sqlToken struct {
	text    string
	at, end int // where it stands
}

// sqlTokens splits a text into words; open is the quote that is not closed.
func sqlTokens(text string, pg bool) (out []sqlToken, open byte) {
	const single = " \t\r\n;(),=*<>+/%!|'\"`"
	for i := 0; i < len(text); {
		c, j := text[i], i+1
		rest := text[i:]
		w := ""
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
			continue
		case strings.HasPrefix(rest, "--"), c == '#' && !pg:
			for i < len(text) && text[i] != '\n' {
				i++
			}
			continue
		case strings.HasPrefix(rest, "/*"):
			_, after, _ := strings.Cut(rest[2:], "*/")
			i = len(text) - len(after)
			continue
		case c == '\'' || c == '"' || c == '`':
			mark := byte('`')
			if c == '\'' || c == '"' && !pg {
				mark = '\''
			}
			b := []byte{mark}
			for ; j < len(text) && (text[j] != c || j+1 < len(text) && text[j+1] == c); j++ {
				if text[j] == c || text[j] == '\\' && !pg && j+1 < len(text) {
					j++
				}
				b = append(b, text[j])
			}
			if j >= len(text) {
				open = c
			}
			w, j = string(b), min(j+1, len(text))
		case c == '\\' && len(rest) > 1 && !pg:
			j++ // \G
		case strings.HasPrefix(rest, "<=") || strings.HasPrefix(rest, ">=") || strings.HasPrefix(rest, "<>") || strings.HasPrefix(rest, "!=") || strings.HasPrefix(rest, "||"):
			j++
		case strings.IndexByte(single, c) < 0 && c != '-':
			for j < len(text) && strings.IndexByte(single, text[j]) < 0 && (text[j] != '-' || !plainWord(text[i:j])) && (text[j] != '\\' || pg) {
				j++
			}
		}
		if w == "" {
			w = text[i:j]
		}
		out = append(out, sqlToken{w, i, j})
		i = j
	}
	return out, open
}

// plainWord: what stands before a minus is a name or a number, so that it is one.
func plainWord(s string) bool { return s[0] != '\\' && s[0] != '@' }

// sqlRun is a connection at work.
type sqlRun struct {
	s       *server
	d       *sqlData
	db      string
	user    string
	from    string
	text    string
	st, w   []sqlToken // the statement, and what remains of it
	changed bool
	depth   int
	steps   int    // rows looked at
	clause  string // what MySQL calls the part of the query that is worked out

	cols    []sqlName             // of the rows that a query goes over
	aliases map[string][]sqlToken // of what the query lists
	row     []*string
	group   [][]*string // the rows of an aggregate
}

// word is the next word's text, "" at the end.
func (r *sqlRun) peek() string {
	if len(r.w) == 0 {
		return ""
	}
	return r.w[0].text
}

func (r *sqlRun) word() string {
	w := r.peek()
	r.w = r.w[min(1, len(r.w)):]
	return w
}

// name is the next word as a name.
func (r *sqlRun) name() string {
	w, quoted := strings.CutPrefix(r.word(), "`")
	if r.s.postgres() && !quoted {
		w = strings.ToLower(w)
	}
	return w
}

// take reads the words if they come next.
func (r *sqlRun) take(words ...string) bool {
	if len(words) > len(r.w) {
		return false
	}
	for i, w := range words {
		if !strings.EqualFold(r.w[i].text, w) {
			return false
		}
	}
	r.w = r.w[len(words):]
	return true
}

// takeAny reads one of the words.
func (r *sqlRun) takeAny(words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return r.take(strings.Fields(w)...) })
}

// inParens reads a list in parentheses and returns its parts.
func (r *sqlRun) inParens() ([][]sqlToken, error) {
	if !r.take("(") {
		return nil, r.wrong()
	}
	depth := 1
	for i, t := range r.w {
		switch t.text {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				inner := r.w[:i]
				r.w = r.w[i+1:]
				return sqlList(inner), nil
			}
		}
	}
	r.w = nil
	return nil, r.wrong()
}

// sqlList splits words at the commas that are not in parentheses.
func sqlList(w []sqlToken) (out [][]sqlToken) {
	depth, from := 0, 0
	for i, t := range w {
		switch t.text {
		case "(":
			depth++
		case ")":
			depth--
		case ",":
			if depth == 0 {
				out, from = append(out, w[from:i]), i+1
			}
		}
	}
	return append(out, w[from:])
}
