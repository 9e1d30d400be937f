// jq's reader of JSON: value after value from a stream, line by line, with the
// messages and positions of jq's own parser, which encoding/json cannot give.

package texttool

import (
	"fmt"
	"io"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// orders knows in which order the keys of objects came. gojq's objects are Go
// maps, so the order is kept beside them: for the very map that was read, else
// for the last object that had the same keys.
type orders struct {
	byMap  map[uintptr][]string
	byKeys map[string][]string
	keep   []any
}

func newOrders() *orders {
	return &orders{byMap: map[uintptr][]string{}, byKeys: map[string][]string{}}
}

func (o *orders) add(m map[string]any, keys []string) {
	o.byMap[reflect.ValueOf(m).Pointer()] = keys
	o.keep = append(o.keep, m) // its address must not be used again
	o.byKeys[keySet(sortedKeys(m))] = keys
}

// of is the order of an object's keys: as read; else as another object of the
// same keys had it; else that of the one it was made from by adding or deleting.
func (o *orders) of(m map[string]any) []string {
	if len(m) < 2 {
		return sortedKeys(m)
	}
	if keys, ok := o.byMap[reflect.ValueOf(m).Pointer()]; ok && len(keys) == len(m) {
		return keys
	}
	sorted := sortedKeys(m)
	if keys, ok := o.byKeys[keySet(sorted)]; ok {
		return keys
	}
	var best []string
	shared := 0
	for _, id := range sortedKeys(o.byKeys) {
		n := 0
		for _, k := range o.byKeys[id] {
			if _, ok := m[k]; ok {
				n++
			}
		}
		if n > shared || n == shared && n > 0 && len(o.byKeys[id]) < len(best) {
			best, shared = o.byKeys[id], n
		}
	}
	var keys []string
	seen := map[string]bool{}
	for _, k := range append(append([]string{}, best...), sorted...) {
		if _, ok := m[k]; ok && !seen[k] {
			keys = append(keys, k)
			seen[k] = true
		}
	}
	o.byKeys[keySet(sorted)] = keys
	return keys
}

func keySet(sorted []string) string { return strings.Join(sorted, "\x00") }

// texts reads JSON texts.
type texts struct {
	from   io.Reader
	orders *orders
	buf    []byte // what was read and not yet parsed
	line   []byte // the line that is being parsed
	end    error
	lines  int // complete lines taken

	atLine, column int
	stack          []node
	next           *any
	token          []byte
	state          byte // 0, '"' in a string, '\\' behind a backslash there
	done           bool
}

// node is an array or object that is not yet closed, or a key.
type node struct {
	kind byte // '[', '{', ':'
	arr  []any
	obj  map[string]any
	keys []string
	key  string
}

// parseError is the message of jq's parser.
type parseError string

func (e parseError) Error() string { return string(e) }

// Next is the next value; io.EOF at the end.
func (t *texts) Next() (any, error) {
	if t.done {
		return nil, io.EOF
	}
	if t.atLine == 0 {
		t.atLine = 1
	}
	for {
		for len(t.line) > 0 {
			c := t.line[0]
			t.line = t.line[1:]
			v, ok, msg := t.scan(c)
			if msg != "" {
				t.done = true
				return nil, parseError(fmt.Sprintf("%s at line %d, column %d", msg, t.atLine, t.column))
			}
			if ok {
				return v, nil
			}
		}
		if !t.more() {
			break
		}
	}
	t.done = true
	where := fmt.Sprintf(" at EOF at line %d, column %d", t.atLine, t.column)
	if t.end != io.EOF {
		return nil, t.end
	}
	if t.state != 0 {
		return nil, parseError("Unfinished string" + where)
	}
	if msg := t.literal(); msg != "" {
		return nil, parseError(msg + where)
	}
	if len(t.stack) > 0 {
		return nil, parseError("Unfinished JSON term" + where)
	}
	if t.next != nil {
		return *t.next, nil
	}
	return nil, io.EOF
}

// more takes the next line.
func (t *texts) more() bool {
	for {
		for i, c := range t.buf {
			if c == '\n' {
				t.line, t.buf = t.buf[:i+1], t.buf[i+1:]
				t.lines++
				return true
			}
		}
		if t.end != nil {
			t.line, t.buf = t.buf, nil
			return len(t.line) > 0
		}
		chunk := make([]byte, 16<<10)
		n, err := t.from.Read(chunk)
		if len(t.buf) == 0 {
			t.buf = chunk[:n]
		} else {
			t.buf = append(t.buf, chunk[:n]...)
		}
		t.end = err
	}
}

func (t *texts) take() (any, bool) {
	if len(t.stack) > 0 || t.next == nil {
		return nil, false
	}
	v := *t.next
	t.next = nil
	return v, true
}

func (t *texts) scan(c byte) (v any, ok bool, msg string) {
	t.column++
	if c == '\n' {
		t.atLine++
		t.column = 0
	}
	switch {
	case t.state == '\\':
		t.token = append(t.token, c)
		t.state = '"'
		return
	case t.state == '"' && c != '"':
		t.token = append(t.token, c)
		if c == '\\' {
			t.state = '\\'
		}
		return
	case t.state == '"':
		t.state = 0
		if msg = t.str(); msg == "" {
			v, ok = t.take()
		}
		return
	}
	switch c {
	case ' ', '\t', '\r', '\n':
		if msg = t.literal(); msg == "" {
			v, ok = t.take()
		}
	case '"':
		if msg = t.literal(); msg == "" {
			v, ok = t.take()
			t.state = '"'
		}
	case '[', ']', '{', '}', ',', ':':
		if msg = t.literal(); msg != "" {
			return
		}
		if v, ok = t.take(); ok {
			// "1[": the bracket belongs to the next text.
			msg = t.structure(c)
			return
		}
		if msg = t.structure(c); msg == "" {
			v, ok = t.take()
		}
	default:
		t.token = append(t.token, c)
	}
	return
}

func (t *texts) value(v any) string {
	if t.next != nil {
		return "Expected separator between values"
	}
	t.next = &v
	return ""
}

func (t *texts) structure(c byte) string {
	top := func() *node {
		if len(t.stack) == 0 {
			return &node{}
		}
		return &t.stack[len(t.stack)-1]
	}
	pop := func(v any) {
		t.stack = t.stack[:len(t.stack)-1]
		t.next = &v
	}
	set := func() {
		key := top().key
		t.stack = t.stack[:len(t.stack)-1]
		o := top()
		if _, has := o.obj[key]; !has {
			o.keys = append(o.keys, key)
		}
		o.obj[key] = *t.next
		t.next = nil
	}
	switch c {
	case '[', '{':
		if len(t.stack) >= 10000 {
			return "Exceeds depth limit for parsing"
		}
		if t.next != nil {
			return "Expected separator between values"
		}
		n := node{kind: c, arr: []any{}}
		if c == '{' {
			n.obj = map[string]any{}
		}
		t.stack = append(t.stack, n)
	case ':':
		if t.next == nil {
			return "Expected string key before ':'"
		}
		if top().kind != '{' {
			return "':' not as part of an object"
		}
		key, ok := (*t.next).(string)
		if !ok {
			return "Object keys must be strings"
		}
		t.stack = append(t.stack, node{kind: ':', key: key})
		t.next = nil
	case ',':
		if t.next == nil {
			return "Expected value before ','"
		}
		switch top().kind {
		case 0:
			return "',' not as part of an object or array"
		case '[':
			top().arr = append(top().arr, *t.next)
			t.next = nil
		case ':':
			set()
		default:
			return "Objects must consist of key:value pairs"
		}
	case ']':
		if top().kind != '[' {
			return "Unmatched ']'"
		}
		if t.next != nil {
			top().arr = append(top().arr, *t.next)
		} else if len(top().arr) > 0 {
			return "Expected another array element"
		}
		pop(top().arr)
	case '}':
		if len(t.stack) == 0 {
			return "Unmatched '}'"
		}
		if t.next != nil {
			if top().kind != ':' {
				return "Objects must consist of key:value pairs"
			}
			set()
		} else if top().kind != '{' {
			return "Unmatched '}'"
		} else if len(top().obj) > 0 {
			return "Expected another key-value pair"
		}
		o := top()
		if t.orders != nil {
			t.orders.add(o.obj, o.keys)
		}
		pop(o.obj)
	}
	return ""
}

func (t *texts) literal() string {
	if len(t.token) == 0 {
		return ""
	}
	s := string(t.token)
	t.token = t.token[:0]
	switch {
	case s == "true":
		return t.value(true)
	case s == "false":
		return t.value(false)
	case s == "null":
		return t.value(nil)
	case s == "nan":
		return t.value(math.NaN())
	case s[0] == '\'':
		return `Invalid string literal; expected ", but got '`
	case s[0] == 't' || s[0] == 'f' || strings.HasPrefix(s, "nu"):
		return "Invalid literal"
	}
	if strings.Trim(s, "-0123456789") == "" {
		if n, err := strconv.Atoi(s); err == nil {
			if n == 0 && s[0] == '-' {
				return t.value(math.Copysign(0, -1))
			}
			return t.value(n)
		}
		if b, ok := new(big.Int).SetString(s, 10); ok {
			return t.value(b)
		}
		return "Invalid numeric literal"
	}
	f, err := strconv.ParseFloat(s, 64)
	if strings.Trim(s, "+-.0123456789eE") != "" || err != nil && !math.IsInf(f, 0) {
		return "Invalid numeric literal"
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return t.value(int(f))
	}
	return t.value(f)
}

// str is the end of a string: t.token without its quotes.
func (t *texts) str() string {
	in := t.token
	t.token = nil
	var out []byte
	for i := 0; i < len(in); i++ {
		c := in[i]
		if c != '\\' {
			if c < 0x20 {
				return "Invalid string: control characters from U+0000 through U+001F must be escaped"
			}
			out = append(out, c)
			continue
		}
		i++
		switch in[i] {
		case '\\', '"', '/':
			out = append(out, in[i])
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 't':
			out = append(out, '\t')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 'u':
			if i+4 >= len(in) {
				return `Invalid \uXXXX escape`
			}
			r, err := strconv.ParseUint(string(in[i+1:i+5]), 16, 32)
			if err != nil {
				return `Invalid characters in \uXXXX escape`
			}
			i += 4
			if 0xd800 <= r && r < 0xdc00 && i+6 < len(in) && in[i+1] == '\\' && in[i+2] == 'u' {
				if low, err := strconv.ParseUint(string(in[i+3:i+7]), 16, 32); err == nil && 0xdc00 <= low && low < 0xe000 {
					r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
					i += 6
				}
			}
			out = utf8.AppendRune(out, rune(r)) // a lone surrogate becomes U+FFFD
		default:
			return "Invalid escape"
		}
	}
	return t.value(strings.ToValidUTF8(string(out), "\ufffd"))
}

// parseOne parses a text that is one value.
func parseOne(s string, o *orders) (any, error) {
	t := &texts{from: strings.NewReader(s), orders: o}
	v, err := t.Next()
	if err != nil {
		return nil, err
	}
	if _, err := t.Next(); err != io.EOF {
		return nil, parseError("Unexpected extra JSON values")
	}
	return v, nil
}
