// grep, egrep, fgrep.

package tool

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/kubonsai/kubonsai/sim/shell/pattern"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("grep [OPTION]... PATTERNS [FILE]...", grep, "grep", "egrep", "fgrep")
}

func grep(t *T) int {
	t.args = grepContext(t.args)
	if !t.parse("EFGPivcnowxqlLsrRHhe:f:A:B:C:m:abzyI", "extended-regexp=E", "fixed-strings=F", "basic-regexp=G", "perl-regexp=P", "ignore-case=i", "invert-match=v", "count=c", "line-number=n", "only-matching=o", "word-regexp=w", "line-regexp=x", "quiet=q", "silent=q", "files-with-matches=l", "files-without-match=L", "no-messages=s", "recursive=r", "dereference-recursive=R", "with-filename=H", "no-filename=h", "regexp=e", "file=f", "after-context=A", "before-context=B", "context=C", "max-count=m", "color=K?", "colour=K?", "text=a", "line-buffered=U?", "include=inc", "exclude=exc", "exclude-dir=excdir", "byte-offset=b", "null-data=z") {
		return 2
	}
	pats := t.every("e")
	if f, ok := t.opts["f"]; ok {
		b, err := t.readAll(f)
		if err != nil {
			t.errorf("%s: %s", f, vfs.Reason(err))
			return 2
		}
		if len(b) > 0 {
			pats = append(pats, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")...)
		}
	}
	if !t.has("e") && !t.has("f") {
		if len(t.args) == 0 {
			t.eprint("Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n")
			return 2
		}
		pats = strings.Split(t.args[0], "\n")
		t.args = t.args[1:]
	}
	var alts []string
	for _, p := range pats {
		var e string
		var err error
		switch {
		case t.has("F") || t.name == "fgrep":
			e = regexp.QuoteMeta(p)
		case t.has("P"):
			e = p
		case t.has("E") || t.name == "egrep":
			e, err = translate(p, true)
		default:
			e, err = translate(p, false)
		}
		if err != nil {
			t.errorf("%s", err)
			return 2
		}
		alts = append(alts, "(?:"+e+")")
	}
	expr := strings.Join(alts, "|")
	if len(alts) == 0 {
		expr = "[^\\s\\S]"
	}
	if t.has("x") {
		expr = "^(?:" + expr + ")$"
	}
	flags := "(?s)"
	if t.has("i") || t.has("y") {
		flags = "(?si)"
	}
	re, err := regexp.Compile(flags + expr)
	if err != nil {
		t.errorf("Invalid regular expression")
		return 2
	}
	if !t.has("P") {
		re.Longest()
	}
	word := t.has("w")
	find := func(l []byte) [][]int {
		m := re.FindAllIndex(l, -1)
		if !word {
			return m
		}
		isWord := func(i int) bool {
			return i >= 0 && i < len(l) && (l[i] == '_' || l[i] >= '0' && l[i] <= '9' || l[i] >= 'a' && l[i] <= 'z' || l[i] >= 'A' && l[i] <= 'Z')
		}
		var out [][]int
		for _, x := range m {
			if !isWord(x[0]-1) && !isWord(x[1]) {
				out = append(out, x)
			}
		}
		return out
	}
	color := t.opts["K"] == "always" || t.has("K") && t.TTY != nil && t.opts["K"] != "never"
	paint := func(code, s string) string {
		if !color || s == "" {
			return s
		}
		return "\x1b[" + code + "m\x1b[K" + s + "\x1b[m\x1b[K"
	}
	before, _ := t.number("B", 0)
	after, _ := t.number("A", 0)
	if c, ok := t.opts["C"]; ok {
		n := 0
		fmt.Sscan(c, &n)
		if !t.has("A") {
			after = n
		}
		if !t.has("B") {
			before = n
		}
	}
	limit, ok := t.number("m", -1)
	if !ok {
		t.errorf("invalid max count")
		return 2
	}
	recursive := t.has("r") || t.has("R")
	names := t.args
	if len(names) == 0 {
		names = []string{"-"}
		if recursive {
			names = []string{"."}
		}
	}
	label := (len(names) > 1 || recursive) && !t.has("h") || t.has("H")
	matched := false
	errs := false
	fail := func(name string, err error) {
		errs = true
		if !t.has("s") {
			reason := vfs.Reason(err)
			t.errorf("%s: %s", name, reason)
		}
	}
	printedAny := false
	file := func(name string) {
		r, err := t.open(name)
		if err != nil {
			fail(name, err)
			return
		}
		shown := name
		if name == "-" {
			shown = "(standard input)"
		}
		n, hits := 0, 0
		var ring []string
		trail := 0
		lastLine := 0
		binary := false
		prefix := func(sep string, line, off int) string {
			p := ""
			if label {
				p = paint("35", shown) + paint("36", sep)
			}
			if t.has("n") {
				p += paint("32", fmt.Sprint(line)) + paint("36", sep)
			}
			if t.has("b") {
				p += paint("32", fmt.Sprint(off)) + paint("36", sep)
			}
			return p
		}
		quiet := t.has("q") || t.has("l") || t.has("L") || t.has("c")
		offset := 0
		err = t.lines(r, func(l []byte, nl bool) bool {
			n++
			start := offset
			offset += len(l) + 1
			if bytes.IndexByte(l, 0) >= 0 && !t.has("a") {
				binary = true
			}
			m := find(l)
			hit := len(m) > 0 != t.has("v")
			if !hit {
				if trail > 0 && !quiet && !t.has("o") {
					trail--
					t.puts(prefix("-", n, start) + string(l) + "\n")
					lastLine = n
				} else if before > 0 {
					ring = append(ring, string(l))
					if len(ring) > before {
						ring = ring[1:]
					}
				}
				return !(limit >= 0 && hits >= limit && trail <= 0)
			}
			if limit >= 0 && hits >= limit {
				return false
			}
			hits++
			matched = true
			if t.has("q") || t.has("l") || t.has("L") {
				return false
			}
			if t.has("c") {
				return limit < 0 || hits < limit
			}
			if binary {
				return false
			}
			if (before > 0 || after > 0) && printedAny && !t.has("o") && n-len(ring)-1 > lastLine && (lastLine > 0 || label || printedAny) {
				t.puts(paint("36", "--") + "\n")
			}
			for i, b := range ring {
				t.puts(prefix("-", n-len(ring)+i, 0) + b + "\n")
			}
			ring = nil
			printedAny = true
			lastLine = n
			trail = after
			if t.has("o") {
				for _, x := range m {
					if x[1] > x[0] {
						t.puts(prefix(":", n, start+x[0]) + paint("01;31", string(l[x[0]:x[1]])) + "\n")
					}
				}
			} else {
				line := string(l)
				if color && !t.has("v") {
					var b strings.Builder
					at := 0
					for _, x := range m {
						b.WriteString(line[at:x[0]] + paint("01;31", line[x[0]:x[1]]))
						at = x[1]
					}
					line = b.String() + line[at:]
				}
				t.puts(prefix(":", n, start) + line + "\n")
			}
			return !(limit >= 0 && hits >= limit && after == 0)
		})
		if err != nil {
			fail(name, err)
			return
		}
		switch {
		case t.has("q"):
		case t.has("l"):
			if hits > 0 {
				t.puts(paint("35", shown) + "\n")
			}
		case t.has("L"):
			if hits == 0 {
				t.puts(paint("35", shown) + "\n")
			}
		case t.has("c"):
			p := ""
			if label {
				p = paint("35", shown) + paint("36", ":")
			}
			t.printf("%s%d\n", p, hits)
		case binary && hits > 0:
			t.printf("grep: %s: binary file matches\n", shown)
		}
	}
	var walk func(name string, depth int)
	walk = func(name string, depth int) {
		t.Proc.Tick()
		if t.has("q") && matched || depth > 100 {
			return
		}
		if name != "-" {
			if info, err := t.FS.Stat(t.Path(name)); err == nil && info.IsDir() {
				if !recursive {
					t.errorf("%s: Is a directory", name)
					errs = true
					return
				}
				if x := t.opts["excdir"]; x != "" && depth > 0 && pattern.Match(x, path.Base(name), 0) {
					return
				}
				entries, err := t.FS.ReadDir(t.Path(name))
				if err != nil {
					fail(name, err)
					return
				}
				for _, e := range entries {
					sub := strings.TrimSuffix(name, "/") + "/" + e.Name()
					if name == "." && len(t.args) == 0 {
						sub = e.Name()
					}
					walk(sub, depth+1)
				}
				return
			}
			if x := t.opts["inc"]; x != "" && depth > 0 && !pattern.Match(x, path.Base(name), 0) {
				return
			}
			if x := t.opts["exc"]; x != "" && pattern.Match(x, path.Base(name), 0) {
				return
			}
		}
		file(name)
	}
	for _, n := range names {
		walk(n, 0)
	}
	switch {
	case matched && (t.has("q") || !errs):
		return 0
	case errs || t.bad != 0 && !recursive && !matched && errs:
		return 2
	case t.has("L"):
		return 0
	case matched:
		return 0
	}
	return 1
}

// grepContext turns -5 into -C 5.
func grepContext(args []string) []string {
	out := make([]string, 0, len(args))
	for i, a := range args {
		if len(a) > 1 && a[0] == '-' && strings.Trim(a[1:], "0123456789") == "" && (i == 0 || args[i-1] != "-m" && args[i-1] != "-A" && args[i-1] != "-B" && args[i-1] != "-C" && args[i-1] != "-e") {
			out = append(out, "-C", a[1:])
			continue
		}
		out = append(out, a)
	}
	return out
}

var _ = io.EOF
