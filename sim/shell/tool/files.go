// rm, mkdir, rmdir, touch, ln, chmod, chown, mktemp, truncate and the tools on
// names: what changes the file tree. cp, mv and install are in copy.go, dd in dd.go.

package tool

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("install [OPTION]... SOURCE DEST", install, "install")
	reg("cp [OPTION]... [-T] SOURCE DEST\n  or:  cp [OPTION]... SOURCE... DIRECTORY", cp, "cp")
	reg("mv [OPTION]... [-T] SOURCE DEST\n  or:  mv [OPTION]... SOURCE... DIRECTORY", mv, "mv")
	reg("rm [OPTION]... [FILE]...", rm, "rm")
	reg("unlink FILE", rm, "unlink")
	reg("mkdir [OPTION]... DIRECTORY...", mkdir, "mkdir")
	reg("rmdir [OPTION]... DIRECTORY...", rmdir, "rmdir")
	reg("touch [OPTION]... FILE...", touch, "touch")
	reg("ln [OPTION]... [-T] TARGET LINK_NAME", ln, "ln")
	reg("chmod [OPTION]... MODE[,MODE]... FILE...", chmod, "chmod")
	reg("chown [OPTION]... [OWNER][:[GROUP]] FILE...", chown, "chown", "chgrp")
	reg("mktemp [OPTION]... [TEMPLATE]", mktemp, "mktemp")
	reg("dd [OPERAND]...", dd, "dd")
	reg("truncate OPTION... FILE...", truncate, "truncate")
	reg("basename NAME [SUFFIX]", basename, "basename")
	reg("dirname [OPTION] NAME...", func(t *T) int {
		if !t.parse("z") {
			return 1
		}
		if len(t.args) == 0 {
			return t.usageError(1, "missing operand")
		}
		for _, a := range t.args {
			d := strings.TrimRight(a, "/")
			i := strings.LastIndexByte(d, '/')
			switch {
			case d == "" && a != "":
				d = "/"
			case i < 0:
				d = "."
			case i == 0:
				d = "/"
			default:
				d = strings.TrimRight(d[:i], "/")
			}
			t.puts(d + "\n")
		}
		return 0
	}, "dirname")
	reg("realpath [OPTION]... FILE...", func(t *T) int {
		if !t.parse("emsLPqz", "canonicalize-existing=e", "canonicalize-missing=m", "no-symlinks=s", "quiet=q") {
			return 1
		}
		if len(t.args) == 0 {
			return t.usageError(1, "missing operand")
		}
		for _, a := range t.args {
			p, err := t.canonical(a, t.has("e"))
			if err != nil && !t.has("m") {
				t.errorf("%s: %s", a, vfs.Reason(err))
				continue
			}
			t.puts(p + "\n")
		}
		return t.bad
	}, "realpath")
	reg("readlink [OPTION]... FILE...", func(t *T) int {
		if !t.parse("femnqsvz", "canonicalize=f", "no-newline=n") {
			return 1
		}
		if len(t.args) == 0 {
			return t.usageError(1, "missing operand")
		}
		for _, a := range t.args {
			var p string
			var err error
			if t.has("f") || t.has("e") || t.has("m") {
				p, err = t.canonical(a, t.has("e"))
			} else {
				p, err = t.FS.Readlink(t.Path(a))
			}
			if err != nil {
				t.bad = 1
				continue
			}
			t.puts(p)
			if !t.has("n") {
				t.puts("\n")
			}
		}
		return t.bad
	}, "readlink")
	reg("pwd [OPTION]...", func(t *T) int { t.puts(t.Dir + "\n"); return 0 }, "pwd")
	reg("sync", func(t *T) int { return 0 }, "sync")
	reg("which [-a] filename ...", func(t *T) int {
		if !t.parse("a") {
			return 2
		}
		bad := 0
		for _, a := range t.args {
			if p := Which(t.Context, a, t.Env["PATH"]); p != "" {
				t.puts(p + "\n")
			} else {
				bad = 1
			}
		}
		return bad
	}, "which")
}

// canonical follows every link; the last name may be missing unless all must
// exist.
func (t *T) canonical(name string, exist bool) (string, error) {
	p := t.Path(name)
	real, err := t.FS.Realpath(p)
	if err == nil {
		return real, nil
	}
	if !exist {
		if dir, e := t.FS.Realpath(path.Dir(p)); e == nil {
			if _, e := t.FS.Lstat(p); e != nil {
				return path.Join(dir, path.Base(p)), nil
			}
		}
	}
	return p, err
}

func rm(t *T) int {
	if !t.parse("rRfivdI", "recursive=r", "force=f", "verbose=v", "dir=d", "interactive=i?", "preserve-root=p?", "no-preserve-root=P?") {
		return 1
	}
	if len(t.args) == 0 {
		if t.has("f") {
			return 0
		}
		return t.usageError(1, "missing operand")
	}
	for _, n := range t.args {
		base := path.Base(strings.TrimRight(n, "/"))
		if base == "." || base == ".." {
			t.errorf("refusing to remove '.' or '..' directory: skipping '%s'", n)
			continue
		}
		p := t.Path(n)
		info, err := t.FS.Lstat(p)
		if err != nil {
			if !t.has("f") {
				t.errorf("cannot remove '%s': %s", n, vfs.Reason(err))
			}
			continue
		}
		if p == "/" && !t.has("P") {
			t.errorf("it is dangerous to operate recursively on '/'")
			t.errorf("use --no-preserve-root to override this failsafe")
			continue
		}
		if info.IsDir() {
			if !t.has("r") && !t.has("R") && !t.has("d") {
				t.errorf("cannot remove '%s': Is a directory", n)
				continue
			}
		}
		err = t.mayChange(path.Dir(p))
		if err == nil {
			if info.IsDir() && (t.has("r") || t.has("R")) {
				t.removeTree(n, p, 0)
				continue
			}
			err = t.FS.Remove(p)
		}
		if err != nil {
			t.errorf("cannot remove '%s': %s", n, vfs.Reason(err))
			continue
		}
		if t.has("v") {
			kind := ""
			if info.IsDir() {
				kind = "directory "
			}
			t.printf("removed %s'%s'\n", kind, n)
		}
	}
	return t.bad
}

func (t *T) removeTree(name, p string, depth int) {
	t.Proc.Tick()
	info, err := t.FS.Lstat(p)
	if err != nil {
		return
	}
	if info.IsDir() && depth < 200 {
		entries, _ := t.FS.ReadDir(p)
		for _, e := range entries {
			t.removeTree(strings.TrimSuffix(name, "/")+"/"+e.Name(), path.Join(p, e.Name()), depth+1)
		}
	}
	if err := t.FS.Remove(p); err != nil {
		t.errorf("cannot remove '%s': %s", name, vfs.Reason(err))
	} else if t.has("v") {
		kind := ""
		if info.IsDir() {
			kind = "directory "
		}
		t.printf("removed %s'%s'\n", kind, name)
	}
}

func mkdir(t *T) int {
	if !t.parse("pvm:", "parents=p", "verbose=v", "mode=m") {
		return 1
	}
	if len(t.args) == 0 {
		return t.usageError(1, "missing operand")
	}
	for _, n := range t.args {
		p := t.Path(n)
		make1 := func(p, shown string) error {
			err := t.mayChange(path.Dir(p))
			if err == nil {
				err = t.FS.Mkdir(p, 0o755)
			}
			if err == nil {
				t.own(p)
				if t.has("v") {
					t.printf("mkdir: created directory '%s'\n", shown)
				}
			}
			return err
		}
		var err error
		if t.has("p") {
			at := "/"
			for _, c := range strings.Split(strings.Trim(p, "/"), "/") {
				at = path.Join(at, c)
				if info, e := t.FS.Stat(at); e == nil {
					if !info.IsDir() {
						err = vfs.ENOTDIR
						if at == p {
							err = vfs.EEXIST
						}
						break
					}
					continue
				}
				if err = make1(at, strings.TrimPrefix(at, t.Dir+"/")); err != nil {
					break
				}
			}
		} else {
			err = make1(p, n)
		}
		if err != nil {
			t.errorf("cannot create directory ‘%s’: %s", n, vfs.Reason(err))
			continue
		}
		if m, ok := t.opts["m"]; ok {
			mode, valid := ParseMode(m, 0o777, true)
			if !valid {
				t.errorf("invalid mode '%s'", m)
				return 1
			}
			_ = t.FS.Chmod(p, mode)
		}
	}
	return t.bad
}

func rmdir(t *T) int {
	if !t.parse("pv", "parents=p", "ignore-fail-on-non-empty=i?") {
		return 1
	}
	if len(t.args) == 0 {
		return t.usageError(1, "missing operand")
	}
	for _, n := range t.args {
		for at := n; ; {
			info, err := t.FS.Lstat(t.Path(at))
			if err == nil && !info.IsDir() {
				err = vfs.ENOTDIR
			}
			if err == nil {
				err = t.FS.Remove(t.Path(at))
			}
			if err != nil {
				if !t.has("i") {
					t.errorf("failed to remove '%s': %s", at, vfs.Reason(err))
				}
				break
			}
			up := path.Dir(strings.TrimRight(at, "/"))
			if !t.has("p") || up == "." || up == "/" {
				break
			}
			at = up
		}
	}
	return t.bad
}

func touch(t *T) int {
	if !t.parse("acmd:r:t:h", "no-create=c", "date=d", "reference=r") {
		return 1
	}
	if len(t.args) == 0 {
		return t.usageError(1, "missing file operand")
	}
	at := t.Proc.Now()
	if v, ok := t.opts["d"]; ok {
		var valid bool
		if at, valid = parseDate(v, at); !valid {
			t.errorf("invalid date format ‘%s’", v)
			return 1
		}
	}
	if v, ok := t.opts["t"]; ok {
		layouts := map[int]string{8: "01021504", 10: "0601021504", 12: "200601021504"}
		main, sec, _ := strings.Cut(v, ".")
		d, err := time.Parse(layouts[len(main)], main)
		if err != nil {
			t.errorf("invalid date format ‘%s’", v)
			return 1
		}
		n := 0
		fmt.Sscan(sec, &n)
		at = d.Add(time.Duration(n) * time.Second)
		if len(main) == 8 {
			at = at.AddDate(t.Proc.Now().Year(), 0, 0)
		}
	}
	if v, ok := t.opts["r"]; ok {
		info, err := t.FS.Stat(t.Path(v))
		if err != nil {
			t.errorf("failed to get attributes of '%s': %s", v, vfs.Reason(err))
			return 1
		}
		at = info.ModTime()
	}
	for _, n := range t.args {
		p := t.Path(n)
		if _, err := t.FS.Stat(p); err != nil {
			if t.has("c") {
				continue
			}
			if strings.HasSuffix(n, "/") {
				t.errorf("cannot touch '%s': No such file or directory", n)
				continue
			}
			if _, err := t.create(n, 0); err != nil {
				t.errorf("cannot touch '%s': %s", n, vfs.Reason(err))
				continue
			}
		}
		err := t.mayChange(p)
		if err == nil {
			err = t.FS.Chtimes(p, at, at)
		}
		if err != nil {
			t.errorf("cannot touch '%s': %s", n, vfs.Reason(err))
		}
	}
	return t.bad
}

func ln(t *T) int {
	if !t.parse("sfnvTt:rib", "symbolic=s", "force=f", "no-dereference=n", "verbose=v", "no-target-directory=T") {
		return 1
	}
	if len(t.args) == 1 {
		t.args = append(t.args, path.Base(t.args[0]))
	}
	if len(t.args) == 0 {
		return t.usageError(1, "missing file operand")
	}
	if t.has("n") {
		if info, err := t.FS.Lstat(t.Path(t.args[len(t.args)-1])); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			t.opts["T"] = ""
		}
	}
	sources, at, ok := t.targets()
	if !ok {
		return 1
	}
	for _, s := range sources {
		d := at(s)
		if t.has("f") {
			if info, err := t.FS.Lstat(t.Path(d)); err == nil && !info.IsDir() {
				_ = t.FS.Remove(t.Path(d))
			}
		}
		err := t.mayChange(path.Dir(t.Path(d)))
		kind := "symbolic link"
		if err == nil {
			if t.has("s") {
				err = t.FS.Symlink(s, t.Path(d))
			} else {
				kind = "hard link"
				if info, e := t.FS.Stat(t.Path(s)); e != nil {
					t.errorf("failed to access '%s': %s", s, vfs.Reason(e))
					continue
				} else if info.IsDir() {
					t.errorf("%s: hard link not allowed for directory", s)
					continue
				}
				err = t.FS.Link(t.Path(s), t.Path(d))
			}
		}
		if err != nil {
			if kind == "hard link" {
				t.errorf("failed to create %s '%s' => '%s': %s", kind, d, s, vfs.Reason(err))
			} else {
				t.errorf("failed to create %s '%s': %s", kind, d, vfs.Reason(err))
			}
			continue
		}
		if t.has("v") {
			t.printf("'%s' -> '%s'\n", d, s)
		}
	}
	return t.bad
}

// eachBelow calls fn for the path and, with recursive, for all below it.
func (t *T) eachBelow(name, p string, recursive bool, depth int, fn func(name, p string, info fs.FileInfo)) {
	t.Proc.Tick()
	info, err := t.FS.Stat(p)
	if err != nil {
		t.errorf("cannot access '%s': %s", name, vfs.Reason(err))
		return
	}
	fn(name, p, info)
	if recursive && info.IsDir() && depth < 200 {
		entries, _ := t.FS.ReadDir(p)
		for _, e := range entries {
			if e.Type()&fs.ModeSymlink == 0 {
				t.eachBelow(name+"/"+e.Name(), path.Join(p, e.Name()), true, depth+1, fn)
			}
		}
	}
}

func chmod(t *T) int {
	// modes such as -x look like options
	var mode string
	var rest []string
	for _, a := range t.args {
		if len(a) > 1 && a[0] == '-' && strings.Trim(a[1:], "rwxXst,+-=ugoa") == "" && mode == "" && a != "-r" {
			mode = a
			continue
		}
		rest = append(rest, a)
	}
	t.args = rest
	if !t.parse("RvcfH", "recursive=R", "verbose=v", "changes=c", "quiet=f") {
		return 1
	}
	if mode == "" {
		if len(t.args) == 0 {
			return t.usageError(1, "missing operand")
		}
		mode, t.args = t.args[0], t.args[1:]
	}
	if len(t.args) == 0 {
		return t.usageError(1, "missing operand after ‘%s’", mode)
	}
	if _, ok := ParseMode(mode, 0, false); !ok {
		return t.usageError(1, "invalid mode: ‘%s’", mode)
	}
	for _, n := range t.args {
		t.eachBelow(n, t.Path(n), t.has("R"), 0, func(name, p string, info fs.FileInfo) {
			if st, ok := info.Sys().(*vfs.Stat); t.UID != 0 && ok && st.UID != t.UID {
				t.errorf("changing permissions of '%s': Operation not permitted", name)
				return
			}
			m, _ := ParseMode(mode, info.Mode(), info.IsDir())
			if err := t.FS.Chmod(p, m); err != nil {
				t.errorf("changing permissions of '%s': %s", name, vfs.Reason(err))
				return
			}
			if t.has("v") {
				t.printf("mode of '%s' changed from %04o (%s) to %04o (%s)\n", name, info.Mode().Perm(), ModeString(info.Mode())[1:], m.Perm(), ModeString(m)[1:])
			}
		})
	}
	return t.bad
}

func chown(t *T) int {
	if !t.parse("Rvcfh", "recursive=R", "no-dereference=h") {
		return 1
	}
	if len(t.args) == 0 {
		return t.usageError(1, "missing operand")
	}
	if len(t.args) == 1 {
		return t.usageError(1, "missing operand after ‘%s’", t.args[0])
	}
	spec := t.args[0]
	id := func(name, what string) (int, bool) {
		if name == "" {
			return -1, true
		}
		n := 0
		if _, err := fmt.Sscanf(name, "%d", &n); err == nil {
			return n, true
		}
		if name == "root" {
			return 0, true
		}
		if name == t.User {
			return t.UID, true
		}
		if b, err := t.FS.ReadFile("/etc/passwd"); err == nil {
			for _, l := range strings.Split(string(b), "\n") {
				if f := strings.Split(l, ":"); len(f) > 2 && f[0] == name {
					fmt.Sscan(f[2], &n)
					return n, true
				}
			}
		}
		t.errorf("invalid %s: ‘%s’", what, spec)
		return 0, false
	}
	user, group, _ := strings.Cut(spec, ":")
	if t.name == "chgrp" {
		user, group = "", spec
	}
	u, ok := id(user, "user")
	g, ok2 := id(group, "group")
	if !ok || !ok2 {
		return 1
	}
	for _, n := range t.args[1:] {
		t.eachBelow(n, t.Path(n), t.has("R"), 0, func(name, p string, info fs.FileInfo) {
			if st, ok := info.Sys().(*vfs.Stat); t.UID != 0 && ok && u >= 0 && u != st.UID {
				t.errorf("changing ownership of '%s': Operation not permitted", name)
				return
			}
			if err := t.FS.Chown(p, u, g); err != nil {
				t.errorf("changing ownership of '%s': %s", name, vfs.Reason(err))
			}
		})
	}
	return t.bad
}

func mktemp(t *T) int {
	if !t.parse("dqup:t", "directory=d", "tmpdir=p", "dry-run=u") {
		return 1
	}
	tmpl := "tmp.XXXXXXXXXX"
	dir := ""
	if len(t.args) > 0 {
		tmpl = t.args[0]
	}
	if v, ok := t.opts["p"]; ok {
		dir = v
	} else if len(t.args) == 0 || t.has("t") {
		dir = "/tmp"
		if v := t.Env["TMPDIR"]; v != "" {
			dir = v
		}
	}
	i := strings.LastIndex(tmpl, "XXX")
	if i < 0 {
		t.errorf("too few X's in template ‘%s’", tmpl)
		return 1
	}
	end := i + 3
	for i > 0 && tmpl[i-1] == 'X' {
		i--
	}
	seed := uint64(t.Proc.ID)*0x9e3779b97f4a7c15 + uint64(t.Proc.Now().UnixNano())
	for range 100 {
		b := []byte(tmpl)
		for k := i; k < end; k++ {
			seed = seed*6364136223846793005 + 1442695040888963407
			b[k] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[seed>>33%62]
		}
		name := string(b)
		if dir != "" {
			name = path.Join(dir, name)
		}
		if _, err := t.FS.Lstat(t.Path(name)); err == nil {
			continue
		}
		var err error
		switch {
		case t.has("u"):
		case t.has("d"):
			err = t.FS.Mkdir(t.Path(name), 0o700)
		default:
			err = t.FS.WriteFile(t.Path(name), nil, 0o600)
		}
		if err != nil {
			kind := "file"
			if t.has("d") {
				kind = "directory"
			}
			t.errorf("failed to create %s via template ‘%s’: %s", kind, tmpl, vfs.Reason(err))
			return 1
		}
		t.own(t.Path(name))
		t.puts(name + "\n")
		return 0
	}
	return 1
}

func truncate(t *T) int {
	if !t.parse("s:c", "size=s", "no-create=c") {
		return 1
	}
	n, ok := count(strings.TrimLeft(t.opts["s"], "<>/%"))
	if !ok {
		return t.usageError(1, "Invalid number: ‘%s’", t.opts["s"])
	}
	for _, name := range t.args {
		w, err := t.create(name, 0)
		if f, isFile := w.(*vfs.File); err == nil && isFile {
			size := n
			if info, e := f.Stat(); e == nil && strings.ContainsAny(t.opts["s"][:1], "+-") {
				size = max(0, info.Size()+n)
			}
			err = f.Truncate(size)
		}
		if err != nil {
			t.errorf("failed to truncate '%s': %s", name, vfs.Reason(err))
		}
	}
	return t.bad
}

func basename(t *T) int {
	if !t.parseOpts("as:z", true, "multiple=a", "suffix=s") {
		return 1
	}
	if len(t.args) == 0 {
		return t.usageError(1, "missing operand")
	}
	suffix := t.opts["s"]
	names := t.args
	if !t.has("a") && !t.has("s") {
		if len(t.args) > 2 {
			return t.usageError(1, "extra operand ‘%s’", t.args[2])
		}
		if len(t.args) == 2 {
			suffix = t.args[1]
		}
		names = t.args[:1]
	}
	for _, n := range names {
		b := n
		if n != "" {
			b = path.Base(n)
		}
		if b != suffix {
			b = strings.TrimSuffix(b, suffix)
		}
		t.puts(b + "\n")
	}
	return 0
}
