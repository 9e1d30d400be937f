// uniq, cut, comm, join, column, shuf: tools on fields and sets of lines.

package tool

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("sort [OPTION]... [FILE]...", sortTool, "sort")
	reg("uniq [OPTION]... [INPUT [OUTPUT]]", uniq, "uniq")
	reg("cut OPTION... [FILE]...", cut, "cut")
	reg("tr [OPTION]... STRING1 [STRING2]", tr, "tr")
	reg("comm [OPTION]... FILE1 FILE2", comm, "comm")
	reg("join [OPTION]... FILE1 FILE2", join, "join")
	reg("column [options] [<file>...]", column, "column")
	reg("shuf [OPTION]... [FILE]\n  or:  shuf -e [OPTION]... [ARG]...\n  or:  shuf -i LO-HI [OPTION]...", shuf, "shuf")
}

func shuf(t *T) int {
	if !t.parse("ei:n:", "echo=e", "input-range=i", "head-count=n") {
		return 1
	}
	var lines []string
	add := func(l string) {
		t.hold(int64(len(l)))
		lines = append(lines, l)
	}
	switch {
	case t.has("i"):
		from, to, _ := strings.Cut(t.opts["i"], "-")
		lo, err1 := strconv.Atoi(from)
		hi, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || hi < lo-1 {
			t.errorf("invalid input range: '%s'", t.opts["i"])
			return 1
		}
		for ; lo <= hi; lo++ {
			add(strconv.Itoa(lo))
		}
	case t.has("e"):
		lines = append(lines, t.args...)
	default:
		t.files(t.args, func(_ string, r io.Reader) error {
			return t.lines(r, func(l []byte, _ bool) bool { add(string(l)); return true })
		})
	}
	n := len(lines)
	if t.has("n") {
		count, err := strconv.Atoi(t.opts["n"])
		if err != nil || count < 0 {
			t.errorf("invalid line count: '%s'", t.opts["n"])
			return 1
		}
		n = min(n, count)
	}
	for i := range n {
		r := t.random(3)
		k := i + int(uint32(r[0])<<16|uint32(r[1])<<8|uint32(r[2]))%(len(lines)-i)
		lines[i], lines[k] = lines[k], lines[i]
		t.puts(lines[i] + "\n")
	}
	return t.bad
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func uniq(t *T) int {
	if !t.parse("cduif:s:w:", "count=c", "repeated=d", "unique=u", "ignore-case=i", "skip-fields=f", "skip-chars=s", "check-chars=w") {
		return 1
	}
	skipF, _ := t.number("f", 0)
	skipC, _ := t.number("s", 0)
	width, _ := t.number("w", -1)
	key := func(l string) string {
		for range skipF {
			l = strings.TrimLeft(l, " \t")
			if i := strings.IndexAny(l, " \t"); i >= 0 {
				l = l[i:]
			} else {
				l = ""
			}
		}
		l = l[min(skipC, len(l)):]
		if width >= 0 {
			l = l[:min(width, len(l))]
		}
		if t.has("i") {
			l = strings.ToLower(l)
		}
		return l
	}
	var out io.Writer
	in := []string{}
	if len(t.args) > 0 {
		in = t.args[:1]
	}
	if len(t.args) > 1 {
		w, err := t.create(t.args[1], os.O_TRUNC)
		if err != nil {
			t.errorf("%s: %s", t.args[1], vfs.Reason(err))
			return 1
		}
		out = w
	}
	last, n := "", 0
	emit := func() {
		if n == 0 || t.has("d") && n < 2 || t.has("u") && n > 1 {
			return
		}
		line := last + "\n"
		if t.has("c") {
			line = fmt.Sprintf("%7d %s\n", n, last)
		}
		if out != nil {
			t.rawWrite(out, []byte(line))
		} else {
			t.puts(line)
		}
	}
	t.files(in, func(_ string, r io.Reader) error {
		return t.lines(r, func(l []byte, _ bool) bool {
			s := string(l)
			if n > 0 && key(s) == key(last) {
				n++
				return true
			}
			emit()
			last, n = s, 1
			return true
		})
	})
	emit()
	return t.bad
}

func cut(t *T) int {
	if !t.parse("d:f:c:b:sn", "delimiter=d", "fields=f", "characters=c", "bytes=b", "only-delimited=s", "complement=C?", "output-delimiter=o") {
		return 1
	}
	list, kind := "", ""
	for _, k := range []string{"f", "c", "b"} {
		if v, ok := t.opts[k]; ok {
			if kind != "" {
				return t.usageError(1, "only one type of list may be specified")
			}
			list, kind = v, k
		}
	}
	if kind == "" {
		return t.usageError(1, "you must specify a list of bytes, characters, or fields")
	}
	delim := "\t"
	if v, ok := t.opts["d"]; ok {
		if kind != "f" {
			return t.usageError(1, "an input delimiter may be specified only when operating on fields")
		}
		if utf8.RuneCountInString(v) > 1 {
			return t.usageError(1, "the delimiter must be a single character")
		}
		delim = v
	}
	outDelim := delim
	if v, ok := t.opts["o"]; ok {
		outDelim = v
	} else if kind != "f" {
		outDelim = ""
	}
	type span struct{ a, b int }
	var spans []span
	for _, p := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		a, b, isRange := strings.Cut(p, "-")
		s := span{1, 1 << 30}
		var err1, err2 error
		if a != "" {
			s.a, err1 = strconv.Atoi(a)
		}
		if !isRange {
			s.b = s.a
		} else if b != "" {
			s.b, err2 = strconv.Atoi(b)
		}
		what := map[string]string{"f": "field", "c": "byte/character", "b": "byte/character"}[kind]
		if err1 != nil || err2 != nil || a == "" && b == "" {
			if kind == "f" {
				return t.usageError(1, "invalid field value ‘%s’", p)
			}
			return t.usageError(1, "invalid byte/character position ‘%s’", p)
		}
		if s.a == 0 || s.b == 0 {
			if kind == "f" {
				return t.usageError(1, "fields are numbered from 1")
			}
			return t.usageError(1, "byte/character positions are numbered from 1")
		}
		if s.b < s.a {
			return t.usageError(1, "invalid decreasing range")
		}
		_ = what
		spans = append(spans, s)
	}
	if len(spans) == 0 {
		return t.usageError(1, "fields are numbered from 1")
	}
	wanted := func(n int) bool {
		for _, s := range spans {
			if n >= s.a && n <= s.b {
				return !t.has("C")
			}
		}
		return t.has("C")
	}
	t.files(t.args, func(_ string, r io.Reader) error {
		return t.lines(r, func(l []byte, _ bool) bool {
			line := string(l)
			var out []string
			if kind == "f" {
				if !strings.Contains(line, delim) {
					if !t.has("s") {
						t.puts(line + "\n")
					}
					return true
				}
				for i, f := range strings.Split(line, delim) {
					if wanted(i + 1) {
						out = append(out, f)
					}
				}
			} else if kind == "b" {
				for i := range len(line) {
					if wanted(i + 1) {
						out = append(out, line[i:i+1])
					}
				}
			} else {
				i := 0
				for _, c := range line {
					if i++; wanted(i) {
						out = append(out, string(c))
					}
				}
			}
			t.puts(strings.Join(out, outDelim) + "\n")
			return true
		})
	})
	return t.bad
}

func (t *T) lineList(name string) ([]string, bool) {
	b, err := t.readAll(name)
	if err != nil {
		t.errorf("%s: %s", name, vfs.Reason(err))
		return nil, false
	}
	if len(b) == 0 {
		return nil, true
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n"), true
}

func comm(t *T) int {
	if !t.parse("123", "check-order=x?", "nocheck-order=x?") {
		return 1
	}
	if len(t.args) < 2 {
		if len(t.args) == 1 {
			return t.usageError(1, "missing operand after ‘%s’", t.args[0])
		}
		return t.usageError(1, "missing operand")
	}
	a, ok := t.lineList(t.args[0])
	if !ok {
		return 1
	}
	b, ok := t.lineList(t.args[1])
	if !ok {
		return 1
	}
	p2, p3 := "\t", "\t\t"
	if t.has("1") {
		p2, p3 = "", "\t"
	}
	if t.has("2") {
		p3 = p3[:len(p3)-1]
	}
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			if !t.has("1") {
				t.puts(a[0] + "\n")
			}
			a = a[1:]
		case len(a) == 0 || b[0] < a[0]:
			if !t.has("2") {
				t.puts(p2 + b[0] + "\n")
			}
			b = b[1:]
		default:
			if !t.has("3") {
				t.puts(p3 + a[0] + "\n")
			}
			a, b = a[1:], b[1:]
		}
	}
	return 0
}

func join(t *T) int {
	if !t.parse("1:2:t:") {
		return 1
	}
	if len(t.args) < 2 {
		return t.usageError(1, "missing operand")
	}
	k1, _ := t.number("1", 1)
	k2, _ := t.number("2", 1)
	a, ok := t.lineList(t.args[0])
	b, ok2 := t.lineList(t.args[1])
	if !ok || !ok2 {
		return 1
	}
	sep, has := t.opts["t"]
	split := func(l string) []string {
		if has {
			return strings.Split(l, sep)
		}
		return strings.Fields(l)
	}
	out := " "
	if has {
		out = sep
	}
	get := func(f []string, k int) string {
		if k >= 1 && k <= len(f) {
			return f[k-1]
		}
		return ""
	}
	rest := func(f []string, k int) []string {
		var r []string
		for i, x := range f {
			if i != k-1 {
				r = append(r, x)
			}
		}
		return r
	}
	for _, x := range a {
		fx := split(x)
		for _, y := range b {
			t.Proc.Tick()
			if fy := split(y); get(fx, k1) == get(fy, k2) {
				t.puts(strings.Join(append(append([]string{get(fx, k1)}, rest(fx, k1)...), rest(fy, k2)...), out) + "\n")
			}
		}
	}
	return 0
}

func column(t *T) int {
	if !t.parse("ts:o:c:xN:", "table=t", "separator=s", "output-separator=o") {
		return 1
	}
	var rows [][]string
	var widths []int
	t.files(t.args, func(_ string, r io.Reader) error {
		return t.lines(r, func(l []byte, _ bool) bool {
			if len(bytes.TrimSpace(l)) == 0 {
				return true
			}
			var f []string
			if s, ok := t.opts["s"]; ok {
				f = strings.FieldsFunc(string(l), func(r rune) bool { return strings.ContainsRune(s, r) })
			} else {
				f = strings.Fields(string(l))
			}
			if !t.has("t") {
				f = []string{string(l)}
			}
			for i, x := range f {
				if i >= len(widths) {
					widths = append(widths, 0)
				}
				widths[i] = max(widths[i], utf8.RuneCountInString(x))
			}
			rows = append(rows, f)
			return true
		})
	})
	sep := "  "
	if v, ok := t.opts["o"]; ok {
		sep = v
	}
	for _, f := range rows {
		for i, x := range f {
			t.puts(x)
			if i < len(f)-1 {
				t.puts(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(x)) + sep)
			}
		}
		t.puts("\n")
	}
	return t.bad
}
