// How a script falls into commands. A page shows a whole block with one Run
// button; commands in it that go on for ever (a watch, a proxy) must not keep
// those after them from running, so the page asks where the commands begin and
// end and which of them never end by themselves.

package bridge

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Steps splits a script into its top-level commands. A script that does not
// parse is one step, so that running it shows the shell's own error.
// incomplete says that more lines are needed (an open quote or heredoc).
func Steps(script string) (steps []Step, incomplete bool) {
	parser := syntax.NewParser(syntax.Variant(syntax.LangBash), syntax.KeepComments(false))
	file, err := parser.Parse(strings.NewReader(script), "")
	if err != nil {
		return []Step{{Start: 0, End: len(script), Text: script}}, syntax.IsIncomplete(err) || openEnd(script)
	}
	for _, stmt := range file.Stmts {
		start, end := int(stmt.Pos().Offset()), int(stmt.End().Offset())
		syntax.Walk(stmt, func(n syntax.Node) bool {
			if r, ok := n.(*syntax.Redirect); ok && r.Hdoc != nil {
				if e := int(r.Hdoc.End().Offset()); e > end {
					end = e
					// The delimiter's line belongs to the command.
					if nl := strings.IndexByte(script[min(e, len(script)):], '\n'); nl >= 0 {
						end = e + nl
					} else {
						end = len(script)
					}
				}
			}
			return true
		})
		start, end = min(start, len(script)), min(end, len(script))
		if n := len(steps); n > 0 && start < steps[n-1].End { // "a; b" with a heredoc between
			start = min(steps[n-1].End, end)
		}
		steps = append(steps, Step{Start: start, End: end, Text: script[start:end], Endless: endless(stmt)})
	}
	return steps, openEnd(script)
}

// openEnd reports a script whose last line ends in a backslash.
func openEnd(script string) bool {
	return strings.HasSuffix(strings.TrimRight(script, "\n"), "\\")
}

// endless reports commands that are known to go on until they are interrupted.
func endless(stmt *syntax.Stmt) bool {
	if stmt.Background {
		return false
	}
	switch cmd := stmt.Cmd.(type) {
	case *syntax.BinaryCmd:
		if cmd.Op == syntax.Pipe || cmd.Op == syntax.PipeAll {
			if head, ok := cmd.Y.Cmd.(*syntax.CallExpr); ok && word(head.Args, 0) == "head" {
				return false
			}
			return endless(cmd.X)
		}
		return endless(cmd.X) || endless(cmd.Y)
	case *syntax.TimeClause:
		return cmd.Stmt != nil && endless(cmd.Stmt)
	case *syntax.CallExpr:
		return endlessCall(cmd.Args)
	}
	return false
}

func endlessCall(args []*syntax.Word) bool {
	switch word(args, 0) {
	case "watch":
		return true
	case "kubectl", "k":
	default:
		return false
	}
	verb, watch, follow := "", false, false
	for i := 1; i < len(args); i++ {
		switch a := word(args, i); {
		case a == "--":
			return verb == "proxy" || verb == "port-forward"
		case a == "--watch" || a == "-w" || a == "--watch=true" || a == "--watch-only":
			watch = true
		case a == "-f" || a == "--follow" || a == "--follow=true":
			follow = true
		case strings.HasPrefix(a, "-"):
		case verb == "":
			verb = a
		}
	}
	switch verb {
	case "proxy", "port-forward":
		return true
	case "get", "events":
		return watch
	case "logs":
		return follow
	}
	return false
}

// word is the text of a plain argument, "" when it is made of anything else.
func word(args []*syntax.Word, i int) string {
	if i >= len(args) {
		return ""
	}
	return args[i].Lit()
}
