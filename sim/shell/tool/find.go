// find.

package tool

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/shell/pattern"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

type findNode struct {
	test func(f *finder, name, p string, info fs.FileInfo) bool
}

type finder struct {
	t                  *T
	args               []string
	minDepth, maxDepth int
	action             bool
	quit               bool
	prune              bool
	batch              map[int]*[]string
	depthFirst         bool
	nest               int
}

type findExpr func(name, p string, info fs.FileInfo) bool

func find(t *T) int {
	f := &finder{t: t, maxDepth: 1 << 30}
	var paths []string
	args := t.args
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "(" && args[0] != "!" {
		paths = append(paths, args[0])
		args = args[1:]
	}
	if len(paths) == 0 {
		paths = []string{"."}
	}
	f.args = args
	f.batch = map[int]*[]string{}
	expr, err := f.or()
	if err == nil && len(f.args) > 0 {
		err = fmt.Errorf("paths must precede expression: `%s'", f.args[0])
	}
	if err != nil {
		t.errorf("%s", err)
		return 1
	}
	if !f.action {
		e := expr
		expr = func(name, p string, info fs.FileInfo) bool {
			if e == nil || e(name, p, info) {
				t.puts(name + "\n")
			}
			return true
		}
	}
	for _, p := range paths {
		info, err := t.FS.Lstat(t.Path(p))
		if err != nil {
			t.errorf("‘%s’: %s", p, vfs.Reason(err))
			continue
		}
		f.walk(expr, p, t.Path(p), info, 0)
	}
	for i := range 1000 {
		if b := f.batch[i]; b != nil && len(*b) > 0 {
			if p, _ := t.spawn(*b, nil); p != nil {
				if t.wait(p) != 0 {
					t.bad = 1
				}
			}
		}
	}
	return t.bad
}

func (f *finder) walk(expr findExpr, name, p string, info fs.FileInfo, depth int) {
	f.t.Proc.Tick()
	if f.quit || depth > 200 {
		return
	}
	f.prune = false
	visit := func() {
		if depth >= f.minDepth {
			expr(name, p, info)
		}
	}
	if !f.depthFirst {
		visit()
	}
	if info.IsDir() && depth < f.maxDepth && !f.prune {
		if f.t.UID != 0 {
			if err := f.t.FS.Access(p, f.t.UID, 4); err != nil {
				f.t.errorf("‘%s’: %s", name, vfs.Reason(err))
				return
			}
		}
		entries, err := f.t.FS.ReadDir(p)
		if err != nil {
			f.t.errorf("‘%s’: %s", name, vfs.Reason(err))
		}
		for _, e := range entries {
			sub := path.Join(p, e.Name())
			if i, err := f.t.FS.Lstat(sub); err == nil {
				f.walk(expr, strings.TrimSuffix(name, "/")+"/"+e.Name(), sub, i, depth+1)
			}
		}
	}
	if f.depthFirst {
		visit()
	}
}

func (f *finder) or() (findExpr, error) {
	if f.nest++; f.nest > 200 {
		return nil, fmt.Errorf("expression is too deeply nested")
	}
	defer func() { f.nest-- }()
	l, err := f.and()
	for err == nil && len(f.args) > 0 && (f.args[0] == "-o" || f.args[0] == "-or") {
		f.args = f.args[1:]
		var r findExpr
		r, err = f.and()
		a, b := l, r
		l = func(n, p string, i fs.FileInfo) bool { return a != nil && a(n, p, i) || b != nil && b(n, p, i) }
	}
	return l, err
}

func (f *finder) and() (findExpr, error) {
	var l findExpr
	for len(f.args) > 0 && f.args[0] != "-o" && f.args[0] != "-or" && f.args[0] != ")" && f.args[0] != `\)` {
		if f.args[0] == "-a" || f.args[0] == "-and" {
			f.args = f.args[1:]
			continue
		}
		r, err := f.term()
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		if l == nil {
			l = r
			continue
		}
		a, b := l, r
		l = func(n, p string, i fs.FileInfo) bool { return a(n, p, i) && b(n, p, i) }
	}
	return l, nil
}

func (f *finder) term() (findExpr, error) {
	op := f.args[0]
	f.args = f.args[1:]
	t := f.t
	arg := func() (string, error) {
		if len(f.args) == 0 {
			return "", fmt.Errorf("missing argument to `%s'", op)
		}
		a := f.args[0]
		f.args = f.args[1:]
		return a, nil
	}
	number := func() (func(int64) bool, string, error) {
		a, err := arg()
		if err != nil {
			return nil, "", err
		}
		body := strings.TrimLeft(a, "+-")
		unit := strings.TrimLeft(body, "0123456789")
		n, e := strconv.ParseInt(strings.TrimSuffix(body, unit), 10, 64)
		if e != nil {
			return nil, "", fmt.Errorf("invalid argument `%s' to `%s'", a, op)
		}
		switch a[0] {
		case '+':
			return func(v int64) bool { return v > n }, unit, nil
		case '-':
			return func(v int64) bool { return v < n }, unit, nil
		}
		return func(v int64) bool { return v == n }, unit, nil
	}
	switch op {
	case "(", `\(`:
		e, err := f.or()
		if err != nil {
			return nil, err
		}
		if len(f.args) == 0 {
			return nil, fmt.Errorf("invalid expression; I was expecting to find a ')' somewhere but did not see one.")
		}
		f.args = f.args[1:]
		return e, nil
	case "!", "-not":
		if len(f.args) == 0 {
			return nil, fmt.Errorf("expected an expression after '%s'", op)
		}
		e, err := f.term()
		if err != nil || e == nil {
			return nil, err
		}
		return func(n, p string, i fs.FileInfo) bool { return !e(n, p, i) }, nil
	case "-name", "-iname", "-path", "-ipath", "-wholename":
		pat, err := arg()
		mode := pattern.Mode(0)
		if strings.HasPrefix(op, "-i") {
			mode = pattern.NoCase
		}
		return func(n, p string, i fs.FileInfo) bool {
			if !strings.HasSuffix(op, "path") && op != "-wholename" {
				n = path.Base(n)
			}
			return pattern.Match(pat, n, mode)
		}, err
	case "-regex":
		a, err := arg()
		if err != nil {
			return nil, err
		}
		re, e := CompileBRE("^\\("+a+"\\)$", false)
		if e != nil {
			return nil, e
		}
		return func(n, p string, i fs.FileInfo) bool { return re.MatchString(n) }, nil
	case "-type":
		a, err := arg()
		if err == nil && strings.Trim(a, "fdlcbps,") != "" {
			err = fmt.Errorf("Unknown argument to -type: %s", a)
		}
		return func(n, p string, i fs.FileInfo) bool {
			m := i.Mode()
			return strings.Contains(a, "f") && m.IsRegular() || strings.Contains(a, "d") && m.IsDir() || strings.Contains(a, "l") && m&fs.ModeSymlink != 0 || strings.Contains(a, "c") && m&fs.ModeCharDevice != 0
		}, err
	case "-maxdepth", "-mindepth":
		a, err := arg()
		if err != nil {
			return nil, err
		}
		n, e := strconv.Atoi(a)
		if e != nil {
			return nil, fmt.Errorf("Expected a positive decimal integer argument to %s, but got ‘%s’", op, a)
		}
		if op == "-maxdepth" {
			f.maxDepth = n
		} else {
			f.minDepth = n
		}
		return nil, nil
	case "-depth":
		f.depthFirst = true
		return nil, nil
	case "-xdev", "-mount", "-follow", "-noleaf":
		return nil, nil
	case "-empty":
		return func(n, p string, i fs.FileInfo) bool {
			if i.IsDir() {
				e, _ := t.FS.ReadDir(p)
				return len(e) == 0
			}
			return i.Mode().IsRegular() && i.Size() == 0
		}, nil
	case "-size":
		cmp, unit, err := number()
		if err != nil {
			return nil, err
		}
		div, ok := map[string]int64{"": 512, "b": 512, "c": 1, "w": 2, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}[unit]
		if !ok {
			return nil, fmt.Errorf("invalid -size type `%s'", unit)
		}
		return func(n, p string, i fs.FileInfo) bool { return cmp((i.Size() + div - 1) / div) }, nil
	case "-mtime", "-mmin", "-ctime", "-atime", "-cmin", "-amin":
		cmp, _, err := number()
		unit := 24 * time.Hour
		if strings.HasSuffix(op, "min") {
			unit = time.Minute
		}
		return func(n, p string, i fs.FileInfo) bool { return cmp(int64(t.Proc.Now().Sub(i.ModTime()) / unit)) }, err
	case "-newer":
		a, err := arg()
		if err != nil {
			return nil, err
		}
		ref, e := t.FS.Stat(t.Path(a))
		if e != nil {
			return nil, fmt.Errorf("‘%s’: %s", a, vfs.Reason(e))
		}
		return func(n, p string, i fs.FileInfo) bool { return i.ModTime().After(ref.ModTime()) }, nil
	case "-perm":
		a, err := arg()
		if err != nil {
			return nil, err
		}
		want, ok := ParseMode(strings.TrimLeft(a, "-/"), 0, false)
		if !ok {
			return nil, fmt.Errorf("invalid mode '%s'", a)
		}
		return func(n, p string, i fs.FileInfo) bool {
			m := i.Mode().Perm()
			switch a[0] {
			case '-':
				return m&want == want
			case '/':
				return m&want != 0
			}
			return m == want
		}, nil
	case "-user", "-group":
		a, err := arg()
		return func(n, p string, i fs.FileInfo) bool {
			u, g := t.owner(i)
			return op == "-user" && u == a || op == "-group" && g == a
		}, err
	case "-true":
		return func(string, string, fs.FileInfo) bool { return true }, nil
	case "-false":
		return func(string, string, fs.FileInfo) bool { return false }, nil
	case "-print", "-print0":
		f.action = true
		end := "\n"
		if op == "-print0" {
			end = "\x00"
		}
		return func(n, p string, i fs.FileInfo) bool { t.puts(n + end); return true }, nil
	case "-printf":
		f.action = true
		a, err := arg()
		a, _ = Escapes(a, true)
		return func(n, p string, i fs.FileInfo) bool {
			kind := "f"
			if i.IsDir() {
				kind = "d"
			}
			t.puts(strings.NewReplacer("%p", n, "%f", path.Base(n), "%h", path.Dir(n), "%s", fmt.Sprint(i.Size()), "%m", fmt.Sprintf("%o", i.Mode().Perm()), "%y", kind, "%%", "%").Replace(a))
			return true
		}, err
	case "-ls":
		f.action = true
		return func(n, p string, i fs.FileInfo) bool {
			u, g := t.owner(i)
			t.printf("%9d %6d %s %3d %-8s %-8s %8d %s %s\n", i.Sys().(*vfs.Stat).Ino, (i.Size()+4095)/4096*4, ModeString(i.Mode()), i.Sys().(*vfs.Stat).Nlink, u, g, i.Size(), lsTime(i.ModTime(), t.Proc.Now(), ""), n)
			return true
		}, nil
	case "-prune":
		return func(n, p string, i fs.FileInfo) bool { f.prune = true; return true }, nil
	case "-quit":
		f.action = true
		return func(n, p string, i fs.FileInfo) bool { f.quit = true; return true }, nil
	case "-delete":
		f.action, f.depthFirst = true, true
		return func(n, p string, i fs.FileInfo) bool {
			if err := t.FS.Remove(p); err != nil {
				t.errorf("cannot delete ‘%s’: %s", n, vfs.Reason(err))
				return false
			}
			return true
		}, nil
	case "-exec", "-execdir", "-ok":
		f.action = true
		var words []string
		batch := false
		done := false
		for len(f.args) > 0 {
			w := f.args[0]
			f.args = f.args[1:]
			if w == ";" || w == `\;` {
				done = true
				break
			}
			if w == "+" && len(words) > 0 && words[len(words)-1] == "{}" {
				batch, done = true, true
				break
			}
			words = append(words, w)
		}
		if !done || len(words) == 0 {
			return nil, fmt.Errorf("missing argument to `%s'", op)
		}
		if batch {
			list := append([]string(nil), words[:len(words)-1]...)
			f.batch[len(f.batch)] = &list
			head := len(list)
			_ = head
			return func(n, p string, i fs.FileInfo) bool { list = append(list, n); return true }, nil
		}
		return func(n, p string, i fs.FileInfo) bool {
			argv := make([]string, len(words))
			for k, w := range words {
				argv[k] = strings.ReplaceAll(w, "{}", n)
			}
			proc, status := t.spawn(argv, nil)
			if proc == nil {
				reason := "No such file or directory"
				if status == 126 {
					reason = "Permission denied"
				}
				t.errorf("‘%s’: %s", argv[0], reason)
				return false
			}
			return t.wait(proc) == 0
		}, nil
	}
	if strings.HasPrefix(op, "-") {
		return nil, fmt.Errorf("unknown predicate `%s'", op)
	}
	return nil, fmt.Errorf("paths must precede expression: `%s'", op)
}
