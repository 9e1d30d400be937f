// cat, tac, nl, head, tail, wc, tee, rev, fold, paste, expand: tools that go
// through lines.

package tool

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("cat [OPTION]... [FILE]...", cat, "cat")
	reg("tac [OPTION]... [FILE]...", func(t *T) int {
		t.files(t.args, func(n string, r io.Reader) error {
			var ls [][]byte
			err := t.lines(r, func(l []byte, nl bool) bool {
				t.hold(int64(len(l)))
				ls = append(ls, append(bytes.Clone(l), '\n'))
				return true
			})
			for i := len(ls) - 1; i >= 0; i-- {
				t.write(ls[i])
			}
			return err
		})
		return t.bad
	}, "tac")
	reg("rev [FILE]...", func(t *T) int {
		t.files(t.args, func(n string, r io.Reader) error {
			return t.lines(r, func(l []byte, nl bool) bool {
				rs := []rune(string(l))
				for i, j := 0, len(rs)-1; i < j; i, j = i+1, j-1 {
					rs[i], rs[j] = rs[j], rs[i]
				}
				t.puts(string(rs))
				if nl {
					t.puts("\n")
				}
				return true
			})
		})
		return t.bad
	}, "rev")
	reg("nl [OPTION]... [FILE]...", func(t *T) int {
		if !t.parse("b:w:s:n:v:i:") {
			return 1
		}
		w, _ := t.number("w", 6)
		n, _ := t.number("v", 1)
		sep := "\t"
		if v, ok := t.opts["s"]; ok {
			sep = v
		}
		t.files(t.args, func(_ string, r io.Reader) error {
			return t.lines(r, func(l []byte, nl bool) bool {
				if len(l) == 0 && t.opts["b"] != "a" {
					t.printf("%*s\n", w+len(sep), "")
					return true
				}
				t.printf("%*d%s%s\n", w, n, sep, l)
				n++
				return true
			})
		})
		return t.bad
	}, "nl")
	reg("head [OPTION]... [FILE]...", head, "head")
	reg("tail [OPTION]... [FILE]...", tail, "tail")
	reg("wc [OPTION]... [FILE]...", wc, "wc")
	reg("tee [OPTION]... [FILE]...", tee, "tee")
	reg("fold [OPTION]... [FILE]...", func(t *T) int {
		if !t.parse("w:sb", "width=w", "spaces=s") {
			return 1
		}
		w, ok := t.number("w", 80)
		if !ok || w < 1 {
			t.errorf("invalid number of columns: ‘%s’", t.opts["w"])
			return 1
		}
		t.files(t.args, func(_ string, r io.Reader) error {
			return t.lines(r, func(l []byte, nl bool) bool {
				rs := []rune(string(l))
				for len(rs) > w {
					cut := w
					if t.has("s") {
						for i := w - 1; i > 0; i-- {
							if rs[i] == ' ' {
								cut = i + 1
								break
							}
						}
					}
					t.puts(string(rs[:cut]) + "\n")
					rs = rs[cut:]
				}
				t.puts(string(rs))
				if nl {
					t.puts("\n")
				}
				return true
			})
		})
		return t.bad
	}, "fold")
	reg("paste [OPTION]... [FILE]...", paste, "paste")
	reg("expand [OPTION]... [FILE]...", func(t *T) int {
		if !t.parse("t:i") {
			return 1
		}
		w, _ := t.number("t", 8)
		w = max(w, 1)
		t.files(t.args, func(_ string, r io.Reader) error {
			return t.lines(r, func(l []byte, nl bool) bool {
				col := 0
				for _, c := range string(l) {
					if c == '\t' {
						n := w - col%w
						t.puts(strings.Repeat(" ", n))
						col += n
						continue
					}
					t.puts(string(c))
					col++
				}
				t.puts("\n")
				return true
			})
		})
		return t.bad
	}, "expand")
}

func cat(t *T) int {
	if !t.parse("nbsAETvetu", "number=n", "number-nonblank=b", "squeeze-blank=s", "show-all=A", "show-ends=E", "show-tabs=T", "show-nonprinting=v") {
		return 1
	}
	if t.has("A") {
		t.opts["v"], t.opts["E"], t.opts["T"] = "", "", ""
	}
	if t.has("e") {
		t.opts["v"], t.opts["E"] = "", ""
	}
	if t.has("t") {
		t.opts["v"], t.opts["T"] = "", ""
	}
	plain := len(t.opts) == 0
	n, blank := 0, false
	t.files(t.args, func(name string, r io.Reader) error {
		if plain {
			b := make([]byte, 32<<10)
			for {
				k, err := r.Read(b)
				t.write(b[:k])
				t.Proc.Tick()
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
			}
		}
		return t.lines(r, func(l []byte, nl bool) bool {
			if t.has("s") && len(l) == 0 && blank {
				return true
			}
			blank = len(l) == 0
			if t.has("b") && len(l) > 0 || t.has("n") && !t.has("b") {
				n++
				t.printf("%6d\t", n)
			}
			for _, c := range l {
				switch {
				case c == '\t' && t.has("T"):
					t.puts("^I")
				case t.has("v") && c != '\t' && c < 32:
					t.puts("^" + string(rune(c+64)))
				case t.has("v") && c == 127:
					t.puts("^?")
				case t.has("v") && c >= 128:
					t.puts("M-")
					switch d := c - 128; {
					case d < 32:
						t.puts("^" + string(rune(d+64)))
					case d == 127:
						t.puts("^?")
					default:
						t.puts(string(rune(d)))
					}
				default:
					t.write([]byte{c})
				}
			}
			if nl {
				if t.has("E") {
					t.puts("$")
				}
				t.puts("\n")
			}
			return true
		})
	})
	return t.bad
}

// count reads a number with a GNU suffix.
func count(v string) (int64, bool) {
	mult := int64(1)
	u := strings.TrimLeft(v, "+-0123456789")
	if u != "" {
		v = strings.TrimSuffix(v, u)
		switch strings.TrimSuffix(u, "iB") {
		case "b":
			mult = 512
		case "k", "K":
			mult = 1 << 10
		case "M", "m":
			mult = 1 << 20
		case "G", "g":
			mult = 1 << 30
		case "T":
			mult = 1 << 40
		case "kB", "KB":
			mult = 1000
		case "MB":
			mult = 1e6
		case "GB":
			mult = 1e9
		case "c", "w":
			if u == "w" {
				mult = 2
			}
		default:
			return 0, false
		}
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || mult > 1 && (n > 1<<62/mult || n < -(1<<62/mult)) {
		return 0, false
	}
	return n * mult, true
}

// oldCount turns head -5 and tail -5 (+5) into -n.
func oldCount(args []string, plus bool) []string {
	out := make([]string, 0, len(args)+1)
	for i, a := range args {
		if i == 0 && len(a) > 1 && (a[0] == '-' || plus && a[0] == '+') && a[1] >= '0' && a[1] <= '9' {
			if a[0] == '-' {
				a = a[1:]
			}
			rest := strings.TrimLeft(a, "+0123456789")
			out = append(out, "-n", strings.TrimSuffix(a, rest))
			if rest != "" {
				out = append(out, "-"+rest)
			}
			continue
		}
		out = append(out, a)
	}
	return out
}

func header(t *T, i int, name string, many bool) {
	if t.has("q") || !many && !t.has("v") {
		return
	}
	if i > 0 {
		t.puts("\n")
	}
	if name == "-" {
		name = "standard input"
	}
	t.printf("==> %s <==\n", name)
}

func head(t *T) int {
	t.args = oldCount(t.args, false)
	if !t.parse("n:c:qvz", "lines=n", "bytes=c", "quiet=q", "silent=q", "verbose=v") {
		return 1
	}
	n := int64(10)
	if v, ok := t.opts["n"]; ok {
		if n, ok = count(v); !ok {
			t.errorf("invalid number of lines: ‘%s’", v)
			return 1
		}
	}
	bytesN, byBytes := int64(0), false
	if v, ok := t.opts["c"]; ok {
		if bytesN, ok = count(v); !ok {
			t.errorf("invalid number of bytes: ‘%s’", v)
			return 1
		}
		byBytes = true
	}
	i := 0
	many := len(t.args) > 1
	names := t.args
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		r, err := t.open(name)
		if err != nil {
			t.errorf("cannot open '%s' for reading: %s", name, vfs.Reason(err))
			continue
		}
		header(t, i, name, many)
		i++
		switch {
		case byBytes && bytesN < 0:
			b, e := t.all(r)
			err = e
			if k := int64(len(b)) + bytesN; k > 0 {
				t.write(b[:k])
			}
		case byBytes:
			left := bytesN
			buf := make([]byte, 32<<10)
			for left > 0 {
				k, e := r.Read(buf[:min(left, int64(len(buf)))])
				t.write(buf[:k])
				left -= int64(k)
				t.Proc.Tick()
				if e != nil {
					if e != io.EOF {
						err = e
					}
					break
				}
			}
		case n < 0:
			var ring []string
			err = t.lines(r, func(l []byte, nl bool) bool {
				ring = append(ring, string(l))
				if int64(len(ring)) > -n {
					t.puts(ring[0] + "\n")
					ring = ring[1:]
				}
				return true
			})
		default:
			left := n
			if left > 0 {
				err = t.lines(r, func(l []byte, nl bool) bool {
					t.write(l)
					if nl {
						t.puts("\n")
					}
					left--
					return left > 0
				})
			}
		}
		if err != nil {
			t.errorf("error reading '%s': %s", name, vfs.Reason(err))
		}
	}
	return t.bad
}

func (t *T) all(r io.Reader) ([]byte, error) {
	var b []byte
	chunk := make([]byte, 32<<10)
	for {
		n, err := r.Read(chunk)
		b = append(b, chunk[:n]...)
		t.hold(int64(n))
		t.Proc.Tick()
		if len(b) > maxLine {
			t.errorf("memory exhausted")
			t.Proc.Exit(1)
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

func tail(t *T) int {
	t.args = oldCount(t.args, true)
	if !t.parse("n:c:fFqvs:", "lines=n", "bytes=c", "follow=f?", "quiet=q", "verbose=v", "retry=R?", "pid=p", "sleep-interval=s") {
		return 1
	}
	parse := func(v string) (n int64, from, ok bool) {
		from = strings.HasPrefix(v, "+")
		n, ok = count(strings.TrimLeft(v, "+"))
		if n < 0 {
			n = -n
		}
		return
	}
	n, from := int64(10), false
	if v, ok := t.opts["n"]; ok {
		if n, from, ok = parse(v); !ok {
			t.errorf("invalid number of lines: ‘%s’", v)
			return 1
		}
	}
	byBytes := false
	if v, ok := t.opts["c"]; ok {
		if n, from, ok = parse(v); !ok {
			t.errorf("invalid number of bytes: ‘%s’", v)
			return 1
		}
		byBytes = true
	}
	names := t.args
	if len(names) == 0 {
		names = []string{"-"}
	}
	many := len(names) > 1
	type followed struct {
		name string
		r    io.Reader
		size int64
	}
	var follow []followed
	for i, name := range names {
		r, err := t.open(name)
		if err != nil {
			t.errorf("cannot open '%s' for reading: %s", name, vfs.Reason(err))
			if t.has("F") {
				follow = append(follow, followed{name: name})
			}
			continue
		}
		header(t, i, name, many)
		switch {
		case byBytes && from:
			b, e := t.all(r)
			err = e
			t.write(b[min(int64(len(b)), max(n-1, 0)):])
		case byBytes:
			b, e := t.all(r)
			err = e
			t.write(b[max(0, int64(len(b))-n):])
		case from:
			at := int64(1)
			err = t.lines(r, func(l []byte, nl bool) bool {
				if at >= n {
					t.write(l)
					if nl {
						t.puts("\n")
					}
				}
				at++
				return true
			})
		default:
			var ring [][]byte
			err = t.lines(r, func(l []byte, nl bool) bool {
				t.hold(int64(len(l)))
				line := append(make([]byte, 0, len(l)+1), l...)
				if nl {
					line = append(line, '\n')
				}
				ring = append(ring, line)
				if int64(len(ring)) > n {
					t.hold(-int64(len(ring[0])))
					ring = ring[1:]
				}
				return true
			})
			for _, l := range ring {
				t.write(l)
			}
		}
		if err != nil {
			t.errorf("error reading '%s': %s", name, vfs.Reason(err))
		}
		follow = append(follow, followed{name: name, r: r})
	}
	if !t.has("f") && !t.has("F") || len(follow) == 0 {
		return t.bad
	}
	t.flush()
	last := len(follow) - 1
	stdinOnly := true
	for _, f := range follow {
		if f.name != "-" {
			stdinOnly = false
		}
	}
	if stdinOnly {
		return t.bad
	}
	buf := make([]byte, 32<<10)
	for {
		if err := t.Proc.Sleep(200 * time.Millisecond); err != nil {
			return 130
		}
		for i := range follow {
			f := &follow[i]
			if f.name == "-" {
				continue
			}
			info, err := t.FS.Stat(t.Path(f.name))
			if t.has("F") {
				if err == nil && (f.r == nil || info.Size() < f.size) {
					if f.r == nil {
						t.eprint(fmt.Sprintf("tail: '%s' has appeared;  following new file\n", f.name))
					}
					f.r, _ = t.open(f.name)
				}
			} else if err == nil && info.Size() < f.size {
				t.eprint(fmt.Sprintf("tail: %s: file truncated\n", f.name))
				f.r, _ = t.open(f.name)
			}
			if err == nil {
				f.size = info.Size()
			}
			for f.r != nil {
				k, err := f.r.Read(buf)
				if k > 0 && many && i != last {
					header(t, 1, f.name, many)
					last = i
				}
				t.write(buf[:k])
				if err != nil || k == 0 {
					break
				}
			}
			t.flush()
		}
	}
}

func wc(t *T) int {
	if !t.parse("lwcmL", "lines=l", "words=w", "bytes=c", "chars=m", "max-line-length=L") {
		return 1
	}
	if len(t.opts) == 0 {
		t.opts["l"], t.opts["w"], t.opts["c"] = "", "", ""
	}
	type row struct {
		n    map[string]int64
		name string
	}
	var rows []row
	total := map[string]int64{}
	anon := len(t.args) == 0
	t.files(t.args, func(name string, r io.Reader) error {
		n := map[string]int64{}
		inWord := false
		width := int64(0)
		buf := make([]byte, 32<<10)
		var err error
		for {
			var k int
			k, err = r.Read(buf)
			t.Proc.Tick()
			n["c"] += int64(k)
			for _, c := range buf[:k] {
				if c == '\n' {
					n["l"]++
					n["L"] = max(n["L"], width)
					width = 0
				} else if c&0xc0 != 0x80 {
					width++
				}
				if c&0xc0 != 0x80 {
					n["m"]++
				}
				space := c == ' ' || c >= 9 && c <= 13
				if !space && !inWord {
					n["w"]++
				}
				inWord = !space
			}
			if err != nil {
				break
			}
		}
		n["L"] = max(n["L"], width)
		if err != io.EOF {
			rows = append(rows, row{n, name})
			return err
		}
		for k, v := range n {
			if k == "L" {
				total[k] = max(total[k], v)
			} else {
				total[k] += v
			}
		}
		rows = append(rows, row{n, name})
		return nil
	})
	if len(t.args) > 1 {
		rows = append(rows, row{total, "total"})
	}
	width := 1
	kinds := 0
	for _, k := range []string{"l", "w", "m", "c", "L"} {
		if t.has(k) {
			kinds++
		}
	}
	if kinds > 1 || len(rows) > 1 {
		width = len(strconv.FormatInt(total["c"], 10))
		if anon || len(t.args) == 1 && t.args[0] == "-" {
			width = 7
		}
	}
	for _, r := range rows {
		var cols []string
		for _, k := range []string{"l", "w", "m", "c", "L"} {
			if t.has(k) {
				cols = append(cols, fmt.Sprintf("%*d", width, r.n[k]))
			}
		}
		if !anon {
			cols = append(cols, r.name)
		}
		t.puts(strings.Join(cols, " ") + "\n")
	}
	return t.bad
}

func tee(t *T) int {
	if !t.parse("aip", "append=a", "ignore-interrupts=i") {
		return 1
	}
	flag := os.O_TRUNC
	if t.has("a") {
		flag = os.O_APPEND
	}
	var outs []io.Writer
	for _, n := range t.args {
		w, err := t.create(n, flag)
		if err != nil {
			t.errorf("%s: %s", n, vfs.Reason(err))
			continue
		}
		outs = append(outs, w)
	}
	buf := make([]byte, 32<<10)
	in := stdin{t}
	for {
		n, err := in.Read(buf)
		for _, w := range outs {
			if _, e := w.Write(buf[:n]); e != nil {
				t.bad = 1
			}
		}
		t.write(buf[:n])
		t.flush()
		if err != nil {
			return t.bad
		}
	}
}

func paste(t *T) int {
	if !t.parse("d:s", "delimiters=d", "serial=s") {
		return 1
	}
	delims := "\t"
	if v, ok := t.opts["d"]; ok {
		delims, _ = Escapes(v, true)
	}
	rs := []rune(delims)
	if len(rs) == 0 {
		rs = []rune{0}
	}
	d := func(i int) string {
		if r := rs[i%len(rs)]; r != 0 {
			return string(r)
		}
		return ""
	}
	var cols [][]string
	t.files(t.args, func(_ string, r io.Reader) error {
		var ls []string
		err := t.lines(r, func(l []byte, nl bool) bool {
			t.hold(int64(len(l)))
			ls = append(ls, string(l))
			return true
		})
		cols = append(cols, ls)
		return err
	})
	if t.has("s") {
		for _, c := range cols {
			for i, l := range c {
				if i > 0 {
					t.puts(d(i - 1))
				}
				t.puts(l)
			}
			t.puts("\n")
		}
		return t.bad
	}
	// "paste - -" takes lines in turn from standard input
	if k := len(t.args); k > 1 && strings.Trim(strings.Join(t.args, ""), "-") == "" {
		src := cols[0]
		cols = make([][]string, k)
		for i, l := range src {
			cols[i%k] = append(cols[i%k], l)
		}
	}
	rows := 0
	for _, c := range cols {
		rows = max(rows, len(c))
	}
	for r := range rows {
		for i, c := range cols {
			if i > 0 {
				t.puts(d(i - 1))
			}
			if r < len(c) {
				t.puts(c[r])
			}
		}
		t.puts("\n")
	}
	return t.bad
}

func runes(b []byte) int { return utf8.RuneCount(b) }
