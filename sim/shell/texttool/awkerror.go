// What awk says about a program that it cannot read, in mawk's words.

package texttool

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/benhoyt/goawk/lexer"
	"github.com/benhoyt/goawk/parser"
)

var (
	undefinedFunction = regexp.MustCompile(`^undefined function "(\w+)"`)
	arrayAsScalar     = regexp.MustCompile(`^can't use array "(\w+)" as scalar|^can't use scalar "(\w+)" as array`)
)

func syntaxError(name, src string, err error) string {
	var pe *parser.ParseError
	if !errors.As(err, &pe) {
		return name + ": " + err.Error() + "\n"
	}
	line := pe.Position.Line
	last := strings.Count(strings.TrimSuffix(src, "\n"), "\n") + 2
	say := func(line int, format string, args ...any) string {
		return fmt.Sprintf("%s: line %d: %s\n", name, line, fmt.Sprintf(format, args...))
	}
	switch msg := pe.Message; {
	case undefinedFunction.MatchString(msg):
		return say(last, "function %s never defined", undefinedFunction.FindStringSubmatch(msg)[1])
	case arrayAsScalar.MatchString(msg):
		m := arrayAsScalar.FindStringSubmatch(msg)
		if m[1] == "" {
			return say(line, "type error in arg(1) in call to %s", m[2])
		}
		return say(line, "illegal reference to array %s", m[1])
	case strings.Contains(msg, "end quote") || strings.Contains(msg, "newline in string"):
		text := strings.Split(src, "\n")[line-1]
		if i := strings.LastIndexByte(text[:min(pe.Position.Column, len(text))], '"'); i >= 0 {
			text = text[i:]
		}
		return say(line, "runaway string constant %.10s ...", text)
	case strings.Contains(msg, "end slash") || strings.Contains(msg, "newline in regex"):
		text := strings.Split(src, "\n")[line-1]
		if i := strings.IndexByte(text, '/'); i >= 0 {
			text = text[i:]
		}
		return say(line, "runaway regular expression %.10s ...", text)
	case strings.Contains(msg, "return must be"):
		return say(line, "return outside function body")
	case strings.HasPrefix(msg, "next can't") || strings.HasPrefix(msg, "nextfile can't"):
		return say(line, "improper use of next")
	case strings.Contains(msg, "missing closing )"):
		return fmt.Sprintf("%s: line %d: regular expression compile failed (missing ')')\n", name, line)
	case strings.Contains(msg, "unexpected char"):
		text := strings.Split(src, "\n")[line-1]
		at := max(0, min(pe.Position.Column-1, len(text)-1))
		if at < len(text) {
			return fmt.Sprintf("%s: %d: unexpected character '%c'\n", name, line, text[at])
		}
	}
	toks, _ := scan(src)
	open := 0
	for i, t := range toks {
		switch t.tok {
		case lexer.LBRACE:
			open++
		case lexer.RBRACE:
			if open--; open < 0 {
				return say(line, "extra '}'") + say(line, "syntax error at or near end of line")
			}
		}
		if t.at != pe.Position {
			continue
		}
		switch {
		case t.tok == lexer.EOF && open > 0:
			return say(last, "missing } near end of file")
		case t.tok == lexer.EOF || t.tok == lexer.NEWLINE:
			return say(line, "syntax error at or near end of line")
		}
		return say(line, "syntax error at or near %s", strings.TrimSpace(toks[i].text))
	}
	return say(line, "syntax error at or near end of line")
}
