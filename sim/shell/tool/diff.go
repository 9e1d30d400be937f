// diff and cmp.

package tool

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("diff [OPTION]... FILES", diff, "diff")
	reg("cmp [OPTION]... FILE1 [FILE2]", cmp, "cmp")
}

// Edit is a run of lines that differ: a[A0:A1] became b[B0:B1].
type Edit struct{ A0, A1, B0, B1 int }

// Edits compares two lists of lines. Lists that differ too much for an exact
// answer in bounded memory give one edit from the first to the last difference.
func Edits(a, b []string) []Edit {
	pre := 0
	for pre < len(a) && pre < len(b) && a[pre] == b[pre] {
		pre++
	}
	suf := 0
	for suf < len(a)-pre && suf < len(b)-pre && a[len(a)-1-suf] == b[len(b)-1-suf] {
		suf++
	}
	x, y := a[pre:len(a)-suf], b[pre:len(b)-suf]
	if len(x) == 0 && len(y) == 0 {
		return nil
	}
	whole := []Edit{{pre, len(a) - suf, pre, len(b) - suf}}
	if len(x) == 0 || len(y) == 0 {
		return whole
	}
	if len(x)*len(y) > 16<<20 {
		return whole
	}
	// lengths of the longest common subsequence of the tails
	n, m := len(x), len(y)
	l := make([][]int32, n+1)
	for i := range l {
		l[i] = make([]int32, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if x[i] == y[j] {
				l[i][j] = l[i+1][j+1] + 1
			} else {
				l[i][j] = max(l[i+1][j], l[i][j+1])
			}
		}
	}
	var out []Edit
	i, j := 0, 0
	for i < n || j < m {
		if i < n && j < m && x[i] == y[j] {
			i++
			j++
			continue
		}
		e := Edit{A0: pre + i, B0: pre + j}
		for i < n || j < m {
			if i < n && j < m && x[i] == y[j] {
				break
			}
			if j >= m || i < n && l[i+1][j] >= l[i][j+1] {
				i++
			} else {
				j++
			}
		}
		e.A1, e.B1 = pre+i, pre+j
		out = append(out, e)
	}
	return out
}

func diff(t *T) int {
	if !t.parse("urqNibwBU:sayc", "unified=U?", "recursive=r", "brief=q", "new-file=N", "ignore-case=i", "ignore-space-change=b", "ignore-all-space=w", "ignore-blank-lines=B", "report-identical-files=s", "color=K?", "label=L", "text=a", "side-by-side=y", "strip-trailing-cr=z?") {
		return 2
	}
	if len(t.args) < 2 {
		if len(t.args) == 1 {
			return t.diffUsage("missing operand after '%s'", t.args[0])
		}
		return t.diffUsage("missing operand after 'diff'")
	}
	if len(t.args) > 2 {
		return t.diffUsage("extra operand '%s'", t.args[2])
	}
	if v, ok := t.opts["U"]; ok {
		t.opts["u"] = ""
		if v == "" {
			delete(t.opts, "U")
		}
	}
	return t.diffPaths(t.args[0], t.args[1], "")
}

func (t *T) diffPaths(a, b, header string) int {
	t.Proc.Tick()
	stat := func(n string) (fs.FileInfo, error) {
		if n == "-" {
			return nil, nil
		}
		return t.FS.Stat(t.Path(n))
	}
	ia, ea := stat(a)
	ib, eb := stat(b)
	dirA, dirB := ia != nil && ia.IsDir(), ib != nil && ib.IsDir()
	bad := false
	if ea != nil && !(t.has("N") && eb == nil) {
		t.errorf("%s: %s", a, vfs.Reason(ea))
		bad = true
	}
	if eb != nil && !(t.has("N") && ea == nil) {
		t.errorf("%s: %s", b, vfs.Reason(eb))
		bad = true
	}
	if bad {
		return 2
	}
	if dirA && dirB {
		return t.diffDirs(a, b)
	}
	if dirA && ib != nil {
		a = strings.TrimSuffix(a, "/") + "/" + path.Base(b)
		return t.diffPaths(a, b, header)
	}
	if dirB && ia != nil {
		b = strings.TrimSuffix(b, "/") + "/" + path.Base(a)
		return t.diffPaths(a, b, header)
	}
	return t.diffFiles(a, b, header)
}

func (t *T) diffDirs(a, b string) int {
	la, _ := t.FS.ReadDir(t.Path(a))
	lb, _ := t.FS.ReadDir(t.Path(b))
	kinds := map[string][2]fs.DirEntry{}
	var names []string
	for _, e := range la {
		kinds[e.Name()] = [2]fs.DirEntry{e, nil}
		names = append(names, e.Name())
	}
	for _, e := range lb {
		k, ok := kinds[e.Name()]
		if !ok {
			names = append(names, e.Name())
		}
		k[1] = e
		kinds[e.Name()] = k
	}
	sort.Strings(names)
	status := 0
	for _, n := range names {
		k := kinds[n]
		x, y := a+"/"+n, b+"/"+n
		switch {
		case k[0] == nil && !t.has("N"):
			t.printf("Only in %s: %s\n", b, n)
			status = max(status, 1)
		case k[1] == nil && !t.has("N"):
			t.printf("Only in %s: %s\n", a, n)
			status = max(status, 1)
		case k[0] != nil && k[1] != nil && k[0].IsDir() && k[1].IsDir():
			if t.has("r") {
				status = max(status, t.diffDirs(x, y))
			} else {
				t.printf("Common subdirectories: %s and %s\n", x, y)
			}
		case k[0] != nil && k[1] != nil && k[0].IsDir() != k[1].IsDir():
			what := map[bool]string{true: "directory", false: "regular file"}
			t.printf("File %s is a %s while file %s is a %s\n", x, what[k[0].IsDir()], y, what[k[1].IsDir()])
			status = max(status, 1)
		default:
			opts := ""
			for _, o := range []string{"r", "u", "N", "b", "i", "w"} {
				if t.has(o) {
					opts += o
				}
			}
			head := "diff " + x + " " + y + "\n"
			if opts != "" {
				head = "diff -" + strings.Join(strings.Split(opts, ""), " -") + " " + x + " " + y + "\n"
				var given []string
				for _, o := range strings.Split(opts, "") {
					given = append(given, "-"+o)
				}
				head = "diff " + strings.Join(given, " ") + " " + x + " " + y + "\n"
			}
			status = max(status, t.diffFiles(x, y, head))
		}
	}
	return status
}

func (t *T) diffFiles(a, b, header string) int {
	read := func(n string) ([]byte, bool) {
		d, err := t.readAll(n)
		if err != nil {
			if t.has("N") {
				return nil, true
			}
			t.errorf("%s: %s", n, vfs.Reason(err))
			return nil, false
		}
		return d, true
	}
	da, ok := read(a)
	if !ok {
		return 2
	}
	db, ok := read(b)
	if !ok {
		return 2
	}
	same := bytes.Equal(da, db)
	if !same && (bytes.IndexByte(da, 0) >= 0 || bytes.IndexByte(db, 0) >= 0) && !t.has("a") {
		t.printf("Binary files %s and %s differ\n", a, b)
		return 1
	}
	split := func(d []byte) (lines []string, nl bool) {
		if len(d) == 0 {
			return nil, true
		}
		nl = d[len(d)-1] == '\n'
		return strings.Split(strings.TrimSuffix(string(d), "\n"), "\n"), nl
	}
	la, nla := split(da)
	lb, nlb := split(db)
	norm := func(ls []string, nl bool) []string {
		out := make([]string, len(ls))
		for i, l := range ls {
			if t.has("i") {
				l = strings.ToLower(l)
			}
			if t.has("w") {
				l = strings.Join(strings.Fields(l), "")
			} else if t.has("b") {
				l = strings.TrimRight(strings.Join(strings.FieldsFunc(l, func(r rune) bool { return r == ' ' || r == '\t' }), " "), " ")
			}
			if i == len(ls)-1 && !nl {
				l += "\x00" // differs from the same line with a newline
			}
			out[i] = l
		}
		return out
	}
	edits := Edits(norm(la, nla), norm(lb, nlb))
	if t.has("B") {
		kept := edits[:0]
		for _, e := range edits {
			if strings.TrimSpace(strings.Join(la[e.A0:e.A1], "")+strings.Join(lb[e.B0:e.B1], "")) != "" {
				kept = append(kept, e)
			}
		}
		edits = kept
	}
	if len(edits) == 0 {
		if t.has("s") {
			t.printf("Files %s and %s are identical\n", a, b)
		}
		return 0
	}
	if t.has("q") {
		t.printf("Files %s and %s differ\n", a, b)
		return 1
	}
	t.puts(header)
	line := func(mark string, ls []string, i int, nl bool) {
		t.puts(mark + ls[i] + "\n")
		if i == len(ls)-1 && !nl {
			t.puts("\\ No newline at end of file\n")
		}
	}
	if !t.has("u") {
		span := func(from, to int) string {
			if to-from <= 1 {
				return fmt.Sprint(max(to, from))
			}
			return fmt.Sprintf("%d,%d", from+1, to)
		}
		for _, e := range edits {
			switch {
			case e.A0 == e.A1:
				t.printf("%da%s\n", e.A0, span(e.B0, e.B1))
			case e.B0 == e.B1:
				t.printf("%sd%d\n", span(e.A0, e.A1), e.B0)
			default:
				t.printf("%sc%s\n", span(e.A0, e.A1), span(e.B0, e.B1))
			}
			for i := e.A0; i < e.A1; i++ {
				line("< ", la, i, nla)
			}
			if e.A0 < e.A1 && e.B0 < e.B1 {
				t.puts("---\n")
			}
			for i := e.B0; i < e.B1; i++ {
				line("> ", lb, i, nlb)
			}
		}
		return 1
	}
	stamp := func(n string) string {
		at := t.Proc.Now()
		if info, err := t.FS.Stat(t.Path(n)); err == nil && n != "-" {
			at = info.ModTime()
		}
		return n + "\t" + at.UTC().Format("2006-01-02 15:04:05.000000000 -0700")
	}
	labels := t.every("L")
	ha, hb := stamp(a), stamp(b)
	if len(labels) > 0 {
		ha = labels[0]
	}
	if len(labels) > 1 {
		hb = labels[1]
	}
	t.printf("--- %s\n+++ %s\n", ha, hb)
	ctx, _ := t.number("U", 3)
	for i := 0; i < len(edits); {
		j := i
		for j+1 < len(edits) && edits[j+1].A0-edits[j].A1 <= 2*ctx {
			j++
		}
		a0, b0 := max(0, edits[i].A0-ctx), max(0, edits[i].B0-ctx)
		a1, b1 := min(len(la), edits[j].A1+ctx), min(len(lb), edits[j].B1+ctx)
		span := func(from, to int) string {
			if to-from == 1 {
				return fmt.Sprint(from + 1)
			}
			if to == from {
				return fmt.Sprintf("%d,0", from)
			}
			return fmt.Sprintf("%d,%d", from+1, to-from)
		}
		t.printf("@@ -%s +%s @@\n", span(a0, a1), span(b0, b1))
		at := a0
		for ; i <= j; i++ {
			e := edits[i]
			for ; at < e.A0; at++ {
				line(" ", la, at, nla)
			}
			for ; at < e.A1; at++ {
				line("-", la, at, nla)
			}
			for k := e.B0; k < e.B1; k++ {
				line("+", lb, k, nlb)
			}
		}
		for ; at < a1; at++ {
			line(" ", la, at, nla)
		}
	}
	return 1
}

func cmp(t *T) int {
	if !t.parse("sln:b", "silent=s", "quiet=s", "verbose=l") {
		return 2
	}
	if len(t.args) == 1 {
		t.args = append(t.args, "-")
	}
	if len(t.args) < 2 {
		return t.diffUsage("missing operand after 'cmp'")
	}
	a, err := t.readAll(t.args[0])
	if err != nil {
		t.errorf("%s: %s", t.args[0], vfs.Reason(err))
		return 2
	}
	b, err := t.readAll(t.args[1])
	if err != nil {
		t.errorf("%s: %s", t.args[1], vfs.Reason(err))
		return 2
	}
	line := 1
	differs := false
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] != b[i] {
			differs = true
			if t.has("s") {
				return 1
			}
			if !t.has("l") {
				t.printf("%s %s differ: byte %d, line %d\n", t.args[0], t.args[1], i+1, line)
				return 1
			}
			t.printf("%d %3o %3o\n", i+1, a[i], b[i])
		}
		if a[i] == '\n' {
			line++
		}
	}
	if len(a) == len(b) {
		if differs {
			return 1
		}
		return 0
	}
	if !t.has("s") {
		short, n := t.args[0], len(a)
		if len(b) < len(a) {
			short, n = t.args[1], len(b)
		}
		if n == 0 {
			t.errorf("EOF on %s which is empty", short)
		} else if l := a[:min(len(a), len(b))]; l[len(l)-1] == '\n' {
			t.errorf("EOF on %s after byte %d, line %d", short, n, line-1)
		} else {
			t.errorf("EOF on %s after byte %d, in line %d", short, n, line)
		}
	}
	return 1
}

// diffUsage is how diffutils point to their help.
func (t *T) diffUsage(format string, args ...any) int {
	t.errorf(format, args...)
	t.errorf("Try '%s --help' for more information.", t.name)
	return 2
}
