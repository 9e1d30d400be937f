// gojq's errors in jq's words, and what jq says of a filter it cannot read.

package texttool

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/itchyny/gojq"
)

// words are gojq's errors and jq's; T stands for a value with its type.
var words = []struct {
	re  *regexp.Regexp
	say func(m []string) string
}{
	{regexp.MustCompile(`^cannot iterate over: (.*)$`), func(m []string) string { return "Cannot iterate over " + typed(m[1]) }},
	{regexp.MustCompile(`^expected an array but got: (.*)$`), func(m []string) string { return "Cannot index " + kind(m[1]) + " with number" }},
	{regexp.MustCompile(`^expected a number for indexing (?:an?) (array|string) but got: (.*)$`), func(m []string) string {
		if s, ok := strings.CutPrefix(m[2], `string (`); ok {
			return "Cannot index " + m[1] + " with string " + strings.TrimSuffix(s, ")")
		}
		return "Cannot index " + m[1] + " with " + kind(m[2])
	}},
	{regexp.MustCompile(`^expected a string for object key but got: (.*)$`), func(m []string) string {
		return "Object keys must be strings"
	}},
	{regexp.MustCompile(`^cannot add: (.*)$`), func(m []string) string { return pair(m[1]) + " cannot be added" }},
	{regexp.MustCompile(`^cannot subtract: (.*)$`), func(m []string) string { return pair(m[1]) + " cannot be subtracted" }},
	{regexp.MustCompile(`^cannot multiply: (.*)$`), func(m []string) string { return pair(m[1]) + " cannot be multiplied" }},
	{regexp.MustCompile(`^cannot divide: (.*)$`), func(m []string) string { return pair(m[1]) + " cannot be divided" }},
	{regexp.MustCompile(`^cannot modulo: (.*)$`), func(m []string) string { return pair(m[1]) + " cannot be divided (remainder)" }},
	{regexp.MustCompile(`^cannot divide (.*) by: (.*)$`), func(m []string) string {
		return typed(m[1]) + " and " + typed(m[2]) + " cannot be divided because the divisor is zero"
	}},
	{regexp.MustCompile(`^cannot modulo (.*) by: (.*)$`), func(m []string) string {
		return typed(m[1]) + " and " + typed(m[2]) + " cannot be divided (remainder) because the divisor is zero"
	}},
	{regexp.MustCompile(`^cannot negate: (.*)$`), func(m []string) string { return typed(m[1]) + " cannot be negated" }},
	{regexp.MustCompile(`^length cannot be applied to: (.*)$`), func(m []string) string { return typed(m[1]) + " has no length" }},
	{regexp.MustCompile(`^(?:keys|keys_unsorted|to_entries|with_entries) cannot be applied to: (.*)$`), func(m []string) string { return typed(m[1]) + " has no keys" }},
	{regexp.MustCompile(`^tonumber cannot be applied to: (.*)$`), func(m []string) string { return typed(m[1]) + " cannot be parsed as a number" }},
	{regexp.MustCompile(`^tonumber cannot be applied to ("[^:]*"): .*$`), func(m []string) string { return "Cannot be parsed as a number: " + m[1] }},
	{regexp.MustCompile(`^(?:_match|match|test)\(.*\) cannot be applied to: (.*)$`), func(m []string) string {
		return typed(m[1]) + " cannot be matched, as it is not a string"
	}},
	{regexp.MustCompile(`^(?:split)\(.*\) cannot be applied to: (.*)$`), func(m []string) string { return "split input and separator must be strings" }},
	{regexp.MustCompile(`^(?:startswith|endswith)\(.*\) cannot be applied to: (.*)$`), func(m []string) string {
		return "startswith() requires string inputs"
	}},
	{regexp.MustCompile(`^(?:sort|sort_by|group_by|unique|unique_by|_sort_by|_group_by|_unique_by)(?:\(.*\))? cannot be applied to: (.*)$`), func(m []string) string {
		return typed(m[1]) + " cannot be sorted, as it is not an array"
	}},
	{regexp.MustCompile(`^fromjson cannot be applied to (".*"): .*$`), func(m []string) string {
		if s, err := parseOne(m[1], nil); err == nil {
			if _, err := parseOne(fmt.Sprint(s), nil); err != nil {
				return err.Error() + " (while parsing '" + fmt.Sprint(s) + "')"
			}
		}
		return ""
	}},
	{regexp.MustCompile(`^@(csv|tsv) cannot be applied to: (.*)$`), func(m []string) string {
		return typed(m[2]) + " cannot be " + m[1] + "-formatted, only an array can be"
	}},
	{regexp.MustCompile(`^@(csv) cannot format an array including: (.*)$`), func(m []string) string { return typed(m[2]) + " is not valid in a csv row" }},
}

// typed is gojq's value with its type, as jq prints one: 11 characters of it.
func typed(s string) string {
	if s == "null" {
		return "null (null)"
	}
	k, v, ok := strings.Cut(s, " (")
	if !ok {
		return s
	}
	v = strings.TrimSuffix(v, ")")
	if len(v) > 14 {
		v = strings.ToValidUTF8(v[:11], "") + "..."
	}
	return k + " (" + v + ")"
}

func kind(s string) string {
	k, _, _ := strings.Cut(s, " ")
	return k
}

var pairs = regexp.MustCompile(`^(null|\w+ \(.*?\)) and (null|(?:object|array|string|number|boolean) \(.*\))$`)

func pair(s string) string {
	if m := pairs.FindStringSubmatch(s); m != nil {
		return typed(m[1]) + " and " + typed(m[2])
	}
	return s
}

// message is the error of a filter that ran on v, in jq's words.
func (j *jq) message(err error, v any) string {
	msg := err.Error()
	if got, ok := strings.CutPrefix(msg, "expected an object but got: "); ok {
		return "Cannot index " + kind(got) + ` with string "` + j.failingKey(msg, v) + `"`
	}
	for _, w := range words {
		if m := w.re.FindStringSubmatch(msg); m != nil {
			if s := w.say(m); s != "" {
				return s
			}
		}
	}
	return msg
}

// failingKey is the key whose lookup failed: the filter is run up to each of
// its keys in turn. gojq's error does not name it.
func (j *jq) failingKey(msg string, v any) string {
	type step struct {
		q   *gojq.Query
		key string
	}
	var steps []step
	var last string
	simple := true
	var walk func(q *gojq.Query, before *gojq.Query)
	then := func(before, q *gojq.Query) *gojq.Query {
		if before == nil {
			return q
		}
		return &gojq.Query{Left: before, Op: gojq.OpPipe, Right: q}
	}
	walk = func(q, before *gojq.Query) {
		switch {
		case q == nil:
		case q.Term != nil:
			t := *q.Term
			t.SuffixList = nil
			if t.Type == gojq.TermTypeQuery {
				walk(t.Query, before)
			}
			if t.Type == gojq.TermTypeArray && t.Array.Query != nil {
				walk(t.Array.Query, before)
			}
			if t.Type == gojq.TermTypeObject {
				for _, kv := range t.Object.KeyVals {
					if kv.Val == nil {
						last = strings.TrimPrefix(kv.Key, "$")
						continue
					}
					walk(kv.Val, before)
				}
			}
			if t.Type == gojq.TermTypeFunc {
				for _, a := range t.Func.Args {
					in := before
					if t.Func.Name == "map" || strings.HasSuffix(t.Func.Name, "_by") {
						in = then(before, &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity, SuffixList: []*gojq.Suffix{{Iter: true}}}})
					}
					walk(a, in)
				}
			}
			note := func(ix *gojq.Index) {
				if ix == nil {
					return
				}
				key := ix.Name
				if ix.Str != nil {
					key = ix.Str.Str
				}
				if key != "" {
					last = key
					c := t
					c.SuffixList = append([]*gojq.Suffix{}, t.SuffixList...)
					steps = append(steps, step{then(before, &gojq.Query{Term: &c}), key})
				}
			}
			if t.Type == gojq.TermTypeIndex {
				note(t.Index)
			}
			for _, s := range q.Term.SuffixList {
				if s.Bind != nil {
					simple = false
					walk(s.Bind.Body, before)
					return
				}
				t.SuffixList = append(t.SuffixList, s)
				note(s.Index)
			}
		case q.Op == gojq.OpPipe:
			walk(q.Left, before)
			walk(q.Right, then(before, q.Left))
		default:
			walk(q.Left, before)
			walk(q.Right, before)
		}
	}
	walk(j.query, nil)
	if simple && len(steps) > 1 {
		for _, s := range steps {
			code, err := gojq.Compile(s.q, j.options(true)...)
			if err != nil {
				continue
			}
			it := code.RunWithContext(steady{j}, v, j.values...)
			for {
				out, ok := it.Next()
				if !ok {
					break
				}
				if err, bad := out.(error); bad {
					if err.Error() == msg {
						return s.key
					}
					break
				}
			}
		}
	}
	return last
}

// compileError is what jq prints for a filter that it cannot compile.
func compileError(src string, err error) string {
	say := func(msg string, at int) string {
		line := strings.Count(src[:at], "\n") + 1
		from := strings.LastIndex(src[:at], "\n") + 1
		text, _, _ := strings.Cut(src[from:], "\n")
		return fmt.Sprintf("jq: error: %s at <top-level>, line %d:\n%s%s\njq: 1 compile error\n", msg, line, text, strings.Repeat(" ", at-from))
	}
	var pe *gojq.ParseError
	if !errors.As(err, &pe) {
		msg := err.Error()
		if name, ok := strings.CutPrefix(msg, "function not defined: "); ok {
			base, _, _ := strings.Cut(name, "/")
			return say(name+" is not defined", max(0, strings.Index(src, base)))
		}
		if name, ok := strings.CutPrefix(msg, "variable not defined: "); ok {
			return say(name+" is not defined", max(0, strings.Index(src, name)))
		}
		if name, ok := strings.CutPrefix(msg, "format not defined: "); ok {
			return say(strings.TrimPrefix(name, "@")+" is not a valid format", max(0, strings.Index(src, name)))
		}
		return say(msg, 0)
	}
	at := min(max(pe.Offset-len(pe.Token), 0), len(src))
	name := "end of file"
	switch tok := pe.Token; {
	case strings.Contains(pe.Error(), "unterminated string"):
		return say("syntax error, unexpected end of file, expecting QQSTRING_TEXT or QQSTRING_INTERP_START or QQSTRING_END (Unix shell quoting issues?)", at)
	case tok == "":
		at = len(strings.TrimRight(src, " \n\t"))
		for at > 0 {
			at--
			if at == 0 || !isWord(src[at]) || !isWord(src[at-1]) {
				break
			}
		}
	case tok == "}" || tok == "]" || tok == ")" || strings.Contains(pe.Error(), "invalid token"):
		name = "INVALID_CHARACTER"
	case tok[0] == '"':
		name = "QQSTRING_START"
	case tok[0] >= '0' && tok[0] <= '9':
		name = "LITERAL"
	case tok[0] == '.' && len(tok) > 1 && isWord(tok[1]):
		name = "FIELD"
	case tok[0] == '$' && len(tok) > 1:
		name = "'$'"
	case keywords[tok]:
		name = tok
	case isWord(tok[0]):
		name = "IDENT"
	case len(tok) == 1:
		name = "'" + tok + "'"
	default:
		name = tok
	}
	if name != "end of file" {
		if _, err := gojq.Parse(src[:at]); err == nil {
			name += ", expecting end of file"
		}
	}
	return say("syntax error, unexpected "+name+" (Unix shell quoting issues?)", at)
}

func isWord(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

var keywords = map[string]bool{"if": true, "then": true, "elif": true, "else": true, "end": true, "as": true, "def": true, "reduce": true,
	"foreach": true, "try": true, "catch": true, "label": true, "import": true, "include": true, "and": true, "or": true}
