// The parser's part of a session: what is refused, when a line is not complete,
// and bash's words for what is wrong.

package shell

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func parser(f Flavour) *syntax.Parser { return syntax.NewParser(syntax.Variant(syntax.LangBash)) }

// eachStmt gives the statements of the text as they are parsed, and at last an
// error. The parser may go on after it was told to stop, so what comes then is
// dropped here.
func eachStmt(f Flavour, src string, fn func(st *syntax.Stmt, err error) bool) {
	stopped := false
	parser(f).StmtsSeq(strings.NewReader(src))(func(st *syntax.Stmt, err error) bool {
		if !stopped {
			stopped = !fn(st, err)
		}
		return !stopped
	})
}

// maxNesting bounds how deep the source may nest, maxSource its size.
const (
	maxNesting = 500
	maxSource  = 8 << 20
)

// nesting is an upper estimate of how deep the parser will recurse.
func nesting(src string) int {
	depth, most, run := 0, 0, 0
	word := 0
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch c {
		case '(', '{', '[', '`':
			depth++
		case ')', '}', ']':
			if depth > 0 {
				depth--
			}
		case '!', '-', '+', '~', '?', '*':
			run++
			most = max(most, run/4)
			continue
		}
		if c != ' ' && c != '\t' {
			run = 0
		}
		if c >= 'a' && c <= 'z' {
			continue
		}
		switch src[word:i] {
		case "if", "while", "until", "case", "for", "then", "do", "else", "elif", "time", "coproc", "function":
			run = 0
			if keywordBefore(src, word) {
				depth++
			}
		case "fi", "done", "esac":
			if depth > 0 {
				depth--
			}
		}
		word = i + 1
		most = max(most, depth)
	}
	return most
}

func keywordBefore(src string, at int) bool {
	t := strings.TrimRight(src[:at], " \t\n")
	for _, k := range []string{"if", "while", "until", "then", "do", "else", "elif", "time", "coproc", "!", "case"} {
		if strings.HasSuffix(t, k) {
			return true
		}
	}
	return false
}

// Incomplete reports whether the text is the beginning of a command that needs
// more lines: an open quote, block or here-document, or a trailing backslash.
func Incomplete(src string) bool {
	if len(src) > maxSource || nesting(src) > maxNesting {
		return false
	}
	if t := strings.TrimSuffix(src, "\n"); strings.HasSuffix(t, `\`) && (len(t)-len(strings.TrimRight(t, `\`)))%2 == 1 {
		return true
	}
	var failed error
	eachStmt(Bash, src, func(_ *syntax.Stmt, err error) bool {
		failed = err
		return err == nil
	})
	if failed != nil {
		return syntax.IsIncomplete(failed)
	}
	return heredocOpen(src)
}

// heredocOpen reports a here-document without its last line.
func heredocOpen(src string) bool {
	if !strings.Contains(src, "<<") {
		return false
	}
	f, err := parser(Bash).Parse(strings.NewReader(src), "")
	if err != nil {
		return false
	}
	open := false
	syntax.Walk(f, func(n syntax.Node) bool {
		if r, ok := n.(*syntax.Redirect); ok && (r.Op == syntax.Hdoc || r.Op == syntax.DashHdoc) {
			end := heredocWord(r.Word)
			found := false
			for i, l := range strings.Split(src, "\n") {
				if r.Op == syntax.DashHdoc {
					l = strings.TrimLeft(l, "\t")
				}
				if i >= int(r.Pos().Line()) && l == end {
					found = true
				}
			}
			open = open || !found
		}
		return true
	})
	return open
}

func heredocWord(w *syntax.Word) string {
	var b strings.Builder
	for _, p := range w.Parts {
		switch p := p.(type) {
		case *syntax.Lit:
			b.WriteString(strings.ReplaceAll(p.Value, `\`, ""))
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			for _, q := range p.Parts {
				if l, ok := q.(*syntax.Lit); ok {
					b.WriteString(l.Value)
				}
			}
		}
	}
	return b.String()
}

func errorLine(err error) int {
	var pe syntax.ParseError
	var le syntax.LangError
	switch {
	case errors.As(err, &pe):
		return int(pe.Pos.Line())
	case errors.As(err, &le):
		return int(le.Pos.Line())
	}
	return 1
}

// syntaxError reports a parse error in bash's words as far as they are known.
func (s *Shell) syntaxError(err error, src string) {
	s.status = 2
	defer func() {
		if !s.interactive && s.sourcing == 0 {
			s.flow = flowExit
		}
	}()
	var pe syntax.ParseError
	if !errors.As(err, &pe) {
		s.line = errorLine(err) + s.lineBase
		var le syntax.LangError
		if errors.As(err, &le) {
			s.errorf("syntax error: %s", le.Feature)
			return
		}
		s.errorf("syntax error: %s", err.Error())
		return
	}
	lines := strings.Split(src, "\n")
	lineNo := int(pe.Pos.Line())
	s.line = lineNo + s.lineBase
	where := s.name + ": "
	if s.showLine && s.script == "" && s.flavour == Bash {
		where = s.name + ": -c: "
	}
	lined := func(n int) string {
		if !s.showLine && s.flavour == Bash {
			return s.name + ": "
		}
		return fmt.Sprintf("%sline %d: ", where, n+s.lineBase)
	}
	last := len(lines)
	if strings.HasSuffix(src, "\n") {
		last--
	}
	token := "newline"
	if pe.Incomplete && !strings.Contains(pe.Text, "`for` must be followed by") {
		text := pe.Text
		for _, q := range []string{"'", "\"", "`"} {
			if strings.Contains(text, "closing quote "+q) || strings.Contains(text, "without closing quote") && strings.Contains(text, q) {
				s.fdWrite(2, []byte(lined(lineNo)+"unexpected EOF while looking for matching `"+q+"'\n"))
				return
			}
		}
		for open, closing := range map[string]string{"$(": ")", "${": "}", "$((": ")"} {
			if strings.Contains(text, "`"+open+"`") {
				if open == "$(" {
					lineNo = last + 1
				}
				s.fdWrite(2, []byte(lined(lineNo)+"unexpected EOF while looking for matching `"+closing+"'\n"))
				return
			}
		}
		s.fdWrite(2, []byte(lined(last+1)+"syntax error: unexpected end of file\n"))
		return
	}
	at := int(pe.Pos.Offset())
	if i := unexpectedToken(pe.Text, src, at); i != "" {
		token = i
	}
	if s.flavour == Ash {
		s.fdWrite(2, []byte(fmt.Sprintf("%s: syntax error: unexpected %q\n", s.name, token)))
		return
	}
	s.fdWrite(2, []byte(lined(lineNo)+"syntax error near unexpected token `"+token+"'\n"))
	if !s.interactive && lineNo >= 1 && lineNo <= len(lines) {
		s.fdWrite(2, []byte(lined(lineNo)+"`"+lines[lineNo-1]+"'\n"))
	}
}

// unexpectedToken finds the token that bash would name.
func unexpectedToken(text, src string, at int) string {
	if at > len(src) {
		at = len(src)
	}
	rest := src[at:]
	if strings.Contains(text, "must be followed by") {
		// the position is that of the operator: the culprit follows it
		for _, op := range []string{"&&", "||", "|&", "|", "if", "while", "for", "then", "do", "<<<", "<<", ">>", ">", "<", "!", "(", "{"} {
			if strings.HasPrefix(rest, op) {
				rest = strings.TrimLeft(rest[len(op):], " \t")
				break
			}
		}
	}
	rest = strings.TrimLeft(rest, " \t")
	for _, t := range []string{";;&", ";;", ";&", "&&", "||", "|&", "<<<", "<<", ">>", "&>", ";", "&", "|", "(", ")", "<", ">", "{", "}"} {
		if strings.HasPrefix(rest, t) {
			return t
		}
	}
	if rest == "" || rest[0] == '\n' {
		return "newline"
	}
	if i := strings.IndexAny(rest, " \t\n;&|()<>"); i > 0 {
		return rest[:i]
	}
	return rest
}
