// sort.

package tool

import (
	"io"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

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
