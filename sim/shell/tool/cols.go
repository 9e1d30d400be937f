// sort, uniq, cut, tr, comm, join, column: tools on fields and sets of lines.

package tool

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kubonsai/kubonsai/sim/shell/pattern"
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

type sortKey struct {
	from, fromChar, to, toChar int
	flags                      string
}

func sortTool(t *T) int {
	if !t.parse("nrufhVbdgMicsmzk:t:o:S:T:", "numeric-sort=n", "reverse=r", "unique=u", "ignore-case=f", "human-numeric-sort=h", "version-sort=V", "key=k", "field-separator=t", "output=o", "stable=s", "check=c?", "general-numeric-sort=g", "month-sort=M", "ignore-leading-blanks=b", "zero-terminated=z", "parallel=par", "dictionary-order=d") {
		return 2
	}
	var keys []sortKey
	for _, k := range t.every("k") {
		key := sortKey{to: 1 << 30}
		fromText, toText, has := strings.Cut(k, ",")
		parse := func(s string, f, c *int) bool {
			num := strings.TrimRight(s, "bdfghiMnrV")
			key.flags += s[len(num):]
			a, b, dot := strings.Cut(num, ".")
			n, err := strconv.Atoi(a)
			if err != nil || n < 0 {
				return false
			}
			*f = n
			if dot {
				*c, _ = strconv.Atoi(b)
			}
			return true
		}
		if !parse(fromText, &key.from, &key.fromChar) || key.from == 0 {
			t.errorf("invalid number at field start: invalid count at start of ‘%s’", k)
			return 2
		}
		if has && !parse(toText, &key.to, &key.toChar) {
			t.errorf("invalid number after ',': invalid count at start of ‘%s’", toText)
			return 2
		}
		keys = append(keys, key)
	}
	sep, hasSep := t.opts["t"]
	if hasSep {
		if sep == `\t` {
			sep = "\t"
		}
		if len(sep) != 1 {
			t.errorf("multi-character tab ‘%s’", sep)
			return 2
		}
	}
	global := ""
	for _, f := range []string{"n", "r", "f", "h", "V", "b", "g", "M", "d"} {
		if t.has(f) {
			global += f
		}
	}
	delim := byte('\n')
	if t.has("z") {
		delim = 0
	}
	var lines []string
	names := t.args
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, n := range names {
		r, err := t.open(n)
		if err == nil {
			err = t.records(r, delim, func(l []byte, _ bool) bool {
				t.hold(int64(len(l)) + 16)
				lines = append(lines, string(l))
				return true
			})
		}
		if err != nil {
			if vfs.Reason(err) == "Is a directory" {
				t.errorf("read failed: %s: Is a directory", n)
			} else {
				t.errorf("cannot read: %s: %s", n, vfs.Reason(err))
			}
			return 2
		}
	}
	field := func(l string, k sortKey) string {
		var starts, ends []int
		if hasSep {
			at := 0
			for {
				i := strings.Index(l[at:], sep)
				starts = append(starts, at)
				if i < 0 {
					ends = append(ends, len(l))
					break
				}
				ends = append(ends, at+i)
				at += i + 1
			}
		} else {
			for at := 0; at < len(l); {
				s := at
				for at < len(l) && (l[at] == ' ' || l[at] == '\t') {
					at++
				}
				for at < len(l) && l[at] != ' ' && l[at] != '\t' {
					at++
				}
				starts, ends = append(starts, s), append(ends, at)
			}
		}
		if k.from > len(starts) {
			return ""
		}
		a := starts[k.from-1]
		if strings.Contains(k.flags+global, "b") {
			for a < len(l) && (l[a] == ' ' || l[a] == '\t') {
				a++
			}
		}
		if k.fromChar > 0 {
			a = min(a+k.fromChar-1, len(l))
		}
		b := len(l)
		if k.to <= len(ends) && k.to > 0 {
			b = ends[k.to-1]
			if k.toChar > 0 {
				b = min(starts[k.to-1]+k.toChar, len(l))
			}
		}
		if b < a {
			return ""
		}
		return l[a:b]
	}
	ticks := 0
	compareKeys := func(x, y string) int {
		if ticks++; ticks&255 == 0 {
			t.Proc.Tick()
		}
		if len(keys) == 0 {
			c := compareAs(x, y, global)
			if strings.Contains(global, "r") {
				c = -c
			}
			return c
		}
		for _, k := range keys {
			flags := k.flags
			if strings.Trim(flags, "b") == "" {
				flags = global
			}
			c := compareAs(field(x, k), field(y, k), flags)
			if strings.Contains(flags, "r") {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	}
	compare := func(x, y string) int {
		c := compareKeys(x, y)
		if c == 0 && !t.has("u") && !t.has("s") {
			c = strings.Compare(x, y)
			if t.has("r") {
				c = -c
			}
		}
		return c
	}
	if t.has("c") {
		for i := 1; i < len(lines); i++ {
			if c := compare(lines[i-1], lines[i]); c > 0 || c == 0 && t.has("u") {
				t.errorf("%s:%d: disorder: %s", names[0], i+1, lines[i])
				return 1
			}
		}
		return 0
	}
	sort.SliceStable(lines, func(i, j int) bool { return compare(lines[i], lines[j]) < 0 })
	var out io.Writer
	if o, ok := t.opts["o"]; ok {
		w, err := t.create(o, os.O_TRUNC)
		if err != nil {
			t.errorf("open failed: %s: %s", o, vfs.Reason(err))
			return 2
		}
		out = w
	}
	for i, l := range lines {
		if t.has("u") && i > 0 && compareKeys(lines[i-1], l) == 0 {
			continue
		}
		if out != nil {
			t.rawWrite(out, []byte(l+string(delim)))
		} else {
			t.puts(l)
			t.write([]byte{delim})
		}
	}
	return t.bad
}

func compareAs(x, y, flags string) int {
	switch {
	case strings.ContainsAny(flags, "ng"):
		return compareNumbers(x, y, 1)
	case strings.Contains(flags, "h"):
		ux, uy := unit(x), unit(y)
		sx, sy := 1, 1
		if strings.HasPrefix(strings.TrimSpace(x), "-") {
			sx = -1
		}
		if strings.HasPrefix(strings.TrimSpace(y), "-") {
			sy = -1
		}
		if ux*sx != uy*sy {
			return ux*sx - uy*sy
		}
		return compareNumbers(x, y, 1)
	case strings.Contains(flags, "V"):
		return compareVersions(x, y)
	case strings.Contains(flags, "M"):
		return month(x) - month(y)
	}
	if strings.Contains(flags, "d") {
		f := func(r rune) rune {
			if r == ' ' || r == '\t' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return -1
		}
		x, y = strings.Map(f, x), strings.Map(f, y)
	}
	if strings.Contains(flags, "f") {
		x, y = strings.ToUpper(x), strings.ToUpper(y)
	}
	return strings.Compare(x, y)
}

func month(s string) int {
	s = strings.ToUpper(strings.TrimSpace(s))
	if len(s) < 3 {
		return 0
	}
	return (strings.Index("JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", s[:3]) + 3) / 3
}

func unit(s string) int {
	s = strings.TrimLeft(strings.TrimSpace(s), "-0123456789.")
	if s == "" {
		return 0
	}
	return strings.IndexByte("KMGTPEZY", strings.ToUpper(s[:1])[0]) + 1
}

func compareNumbers(x, y string, _ int) int {
	parse := func(s string) float64 {
		s = strings.TrimLeft(s, " \t")
		i := 0
		for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' || i == 0 && s[i] == '-') {
			i++
		}
		f, _ := strconv.ParseFloat(strings.TrimSuffix(s[:i], "."), 64)
		return f
	}
	a, b := parse(x), parse(y)
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareVersions(x, y string) int {
	for x != "" && y != "" {
		if isDigit(x[0]) && isDigit(y[0]) {
			i, j := 0, 0
			for i < len(x) && isDigit(x[i]) {
				i++
			}
			for j < len(y) && isDigit(y[j]) {
				j++
			}
			a, b := strings.TrimLeft(x[:i], "0"), strings.TrimLeft(y[:j], "0")
			if len(a) != len(b) {
				return len(a) - len(b)
			}
			if c := strings.Compare(a, b); c != 0 {
				return c
			}
			x, y = x[i:], y[j:]
			continue
		}
		if x[0] != y[0] {
			return int(x[0]) - int(y[0])
		}
		x, y = x[1:], y[1:]
	}
	return len(x) - len(y)
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

func trSet(spec string) ([]rune, int, error) {
	var out []rune
	fill := -1
	rs := []rune(spec)
	one := func(i int) (rune, int) {
		if rs[i] == '\\' && i+1 < len(rs) {
			switch c := rs[i+1]; c {
			case 'n':
				return '\n', 2
			case 't':
				return '\t', 2
			case 'r':
				return '\r', 2
			case 'a':
				return 7, 2
			case 'b':
				return 8, 2
			case 'f':
				return 12, 2
			case 'v':
				return 11, 2
			case '0', '1', '2', '3', '4', '5', '6', '7':
				n, j := rune(0), 1
				for j < 4 && i+j < len(rs) && rs[i+j] >= '0' && rs[i+j] <= '7' {
					n = n*8 + rs[i+j] - '0'
					j++
				}
				return n, j
			default:
				return c, 2
			}
		}
		return rs[i], 1
	}
	for i := 0; i < len(rs); {
		rest := string(rs[i:])
		if strings.HasPrefix(rest, "[:") {
			if end := strings.Index(rest, ":]"); end > 1 {
				name := rest[2:end]
				if !strings.Contains("alpha digit alnum upper lower space blank punct print graph cntrl xdigit", name) {
					return nil, 0, fmt.Errorf("invalid character class ‘%s’", name)
				}
				for c := rune(0); c < 128; c++ {
					if pattern.Class(name, c) {
						out = append(out, c)
					}
				}
				i += end + 2
				continue
			}
		}
		if rs[i] == '[' && i+2 < len(rs) && rs[i+2] == '*' {
			end := 0
			for k := i + 3; k < len(rs) && end == 0; k++ {
				if rs[k] == ']' {
					end = k - i - 2
				}
			}
			if end > 0 {
				n, _ := strconv.Atoi(string(rs[i+3 : i+2+end]))
				if n == 0 {
					fill = len(out)
					out = append(out, rs[i+1])
				}
				for range min(n, 1<<16) {
					out = append(out, rs[i+1])
				}
				i += 3 + end
				continue
			}
		}
		a, n := one(i)
		i += n
		if i+1 < len(rs) && rs[i] == '-' {
			b, m := one(i + 1)
			if b < a {
				return nil, 0, fmt.Errorf("range-endpoints of '%c-%c' are in reverse collating sequence order", a, b)
			}
			for c := a; c <= b; c++ {
				out = append(out, c)
			}
			i += 1 + m
			continue
		}
		out = append(out, a)
	}
	return out, fill, nil
}

func tr(t *T) int {
	if !t.parseOpts("dscCt", true, "delete=d", "squeeze-repeats=s", "complement=c", "truncate-set1=t") {
		return 1
	}
	del, squeeze, comp := t.has("d"), t.has("s"), t.has("c") || t.has("C")
	if len(t.args) == 0 {
		return t.usageError(1, "missing operand")
	}
	if len(t.args) == 1 && !del && !squeeze {
		t.errorf("missing operand after ‘%s’", t.args[0])
		t.eprint("Two strings must be given when translating.\nTry 'tr --help' for more information.\n")
		return 1
	}
	if len(t.args) > 2 || del && !squeeze && len(t.args) > 1 {
		t.errorf("extra operand ‘%s’", t.args[len(t.args)-1])
		if del && len(t.args) == 2 {
			t.eprint("Only one string may be given when deleting without squeezing repeats.\n")
		}
		t.eprint("Try 'tr --help' for more information.\n")
		return 1
	}
	set1, _, err := trSet(t.args[0])
	var set2 []rune
	fill := -1
	if err == nil && len(t.args) > 1 {
		set2, fill, err = trSet(t.args[1])
	}
	if err != nil {
		t.errorf("%s", err)
		return 1
	}
	in1 := map[rune]bool{}
	for _, r := range set1 {
		in1[r] = true
	}
	member := func(r rune) bool { return in1[r] != comp }
	m := map[rune]rune{}
	var last rune
	if len(t.args) > 1 && !del {
		if len(set2) == 0 {
			t.errorf("when not truncating set1, string2 must be non-empty")
			return 1
		}
		if fill >= 0 {
			for len(set2) < len(set1) {
				set2 = append(set2[:fill+1], append([]rune{set2[fill]}, set2[fill+1:]...)...)
			}
		}
		last = set2[len(set2)-1]
		for i, r := range set1 {
			if i < len(set2) {
				m[r] = set2[i]
			} else if !t.has("t") {
				m[r] = last
			}
		}
	}
	sq := map[rune]bool{}
	sqComp := false
	if squeeze {
		src := set2
		if len(t.args) == 1 {
			src, sqComp = set1, comp
		}
		for _, r := range src {
			sq[r] = true
		}
	}
	prev := rune(-1)
	in := stdin{t}
	buf := make([]byte, 32<<10)
	var carry []byte
	for {
		n, err := in.Read(buf)
		t.Proc.Tick()
		data := append(carry, buf[:n]...)
		carry = nil
		for len(data) > 0 {
			if err == nil && !utf8.FullRune(data) {
				carry = bytes.Clone(data)
				break
			}
			r, size := utf8.DecodeRune(data)
			raw := data[:size]
			data = data[size:]
			if del && member(r) {
				continue
			}
			if !del && len(t.args) > 1 && member(r) {
				if comp {
					r = last
				} else if to, ok := m[r]; ok {
					r = to
				}
				raw = nil
			}
			if squeeze && r == prev && sq[r] != sqComp {
				continue
			}
			prev = r
			if raw != nil {
				t.write(raw)
			} else {
				t.puts(string(r))
			}
		}
		if err != nil {
			return t.bad
		}
	}
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
