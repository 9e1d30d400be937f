// cp, mv and install.

package tool

import (
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

// targets splits the operands of cp, mv and ln into sources and what tells the
// destination of each.
func (t *T) targets() (sources []string, at func(source string) string, ok bool) {
	if d, has := t.opts["t"]; has {
		return t.args, under(d), len(t.args) > 0
	}
	switch len(t.args) {
	case 0:
		t.usageError(1, "missing file operand")
		return
	case 1:
		t.usageError(1, "missing destination file operand after '%s'", t.args[0])
		return
	}
	dest := t.args[len(t.args)-1]
	sources = t.args[:len(t.args)-1]
	info, err := t.FS.Stat(t.Path(dest))
	intoDir := err == nil && info.IsDir() && !t.has("T")
	if len(sources) > 1 && !intoDir {
		if err != nil {
			t.errorf("target '%s': %s", dest, vfs.Reason(err))
		} else {
			t.errorf("target '%s' is not a directory", dest)
		}
		return
	}
	if intoDir {
		return sources, under(dest), true
	}
	return sources, func(string) string { return dest }, true
}

// under tells where in a directory a source goes.
func under(dir string) func(source string) string {
	return func(source string) string {
		return strings.TrimSuffix(dir, "/") + "/" + path.Base(strings.TrimRight(source, "/"))
	}
}

func cp(t *T) int {
	if !t.parse("rRafpvdinuLPHTt:lsx", "recursive=r", "archive=a", "force=f", "preserve=p?", "verbose=v", "no-clobber=n", "no-target-directory=T", "target-directory=t", "update=u?", "interactive=i", "dereference=L", "no-dereference=P") {
		return 1
	}
	sources, at, ok := t.targets()
	if !ok {
		return 1
	}
	for _, s := range sources {
		d := at(s)
		t.copy(s, d, 0)
	}
	return t.bad
}

func (t *T) copy(src, dst string, depth int) {
	t.Proc.Tick()
	recursive := t.has("r") || t.has("R") || t.has("a")
	keep := t.has("p") || t.has("a")
	p, q := t.Path(src), t.Path(dst)
	stat := t.FS.Stat
	if t.has("a") || t.has("d") || t.has("P") || recursive && !t.has("L") {
		stat = t.FS.Lstat
	}
	info, err := stat(p)
	if err != nil {
		t.errorf("cannot stat '%s': %s", src, vfs.Reason(err))
		return
	}
	if depth > 200 {
		t.errorf("cannot copy '%s': File name too long", src)
		return
	}
	if info.IsDir() {
		if !recursive {
			t.errorf("-r not specified; omitting directory '%s'", src)
			return
		}
		if q == p || strings.HasPrefix(q, p+"/") {
			t.errorf("cannot copy a directory, '%s', into itself, '%s'", src, dst)
			return
		}
		if di, err := t.FS.Stat(q); err == nil && !di.IsDir() {
			t.errorf("cannot overwrite non-directory '%s' with directory '%s'", dst, src)
			return
		} else if err != nil {
			err := t.mayChange(path.Dir(q))
			if err == nil {
				err = t.FS.Mkdir(q, info.Mode().Perm())
			}
			if err != nil {
				t.errorf("cannot create directory '%s': %s", dst, vfs.Reason(err))
				return
			}
			t.own(q)
			if t.has("v") {
				t.printf("'%s' -> '%s'\n", src, dst)
			}
		}
		entries, err := t.FS.ReadDir(p)
		if err != nil {
			t.errorf("cannot access '%s': %s", src, vfs.Reason(err))
			return
		}
		for _, e := range entries {
			t.copy(strings.TrimSuffix(src, "/")+"/"+e.Name(), strings.TrimSuffix(dst, "/")+"/"+e.Name(), depth+1)
		}
		if keep {
			_ = t.FS.Chtimes(q, info.ModTime(), info.ModTime())
		}
		return
	}
	if di, err := t.FS.Stat(q); err == nil {
		if di.IsDir() {
			t.errorf("cannot overwrite directory '%s' with non-directory '%s'", dst, src)
			return
		}
		a, _ := t.FS.Realpath(p)
		b, _ := t.FS.Realpath(q)
		if a == b {
			t.errorf("'%s' and '%s' are the same file", src, dst)
			return
		}
		if t.has("n") || t.has("u") && !info.ModTime().After(di.ModTime()) {
			return
		}
	} else if strings.HasSuffix(dst, "/") {
		t.errorf("cannot create regular file '%s': Not a directory", dst)
		return
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		to, _ := t.FS.Readlink(p)
		_ = t.FS.Remove(q)
		if err := t.FS.Symlink(to, q); err != nil {
			t.errorf("cannot create symbolic link '%s': %s", dst, vfs.Reason(err))
		}
		return
	}
	r, err := t.open(src)
	if err != nil {
		t.errorf("cannot open '%s' for reading: %s", src, vfs.Reason(err))
		return
	}
	_, missing := t.FS.Stat(q)
	w, err := t.create(dst, os.O_TRUNC)
	if err != nil {
		t.errorf("cannot create regular file '%s': %s", dst, vfs.Reason(err))
		return
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		t.Proc.Tick()
		if _, e := w.Write(buf[:n]); e != nil {
			t.errorf("error writing '%s': %s", dst, vfs.Reason(e))
			return
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.errorf("error reading '%s': %s", src, vfs.Reason(err))
			return
		}
	}
	if missing != nil || keep {
		_ = t.FS.Chmod(q, info.Mode())
	}
	if keep {
		_ = t.FS.Chtimes(q, info.ModTime(), info.ModTime())
	}
	if t.has("v") {
		t.printf("'%s' -> '%s'\n", src, dst)
	}
}

// own gives a new file to the user.
func (t *T) own(p string) {
	if t.UID != 0 {
		t.FS.Own(p, t.UID)
	}
}

// install copies files and sets their modes.
func install(t *T) int {
	if !t.parse("dDm:o:g:t:cCvbps", "mode=m", "owner=o", "group=g", "directory=d", "target-directory=t", "verbose=v") {
		return 1
	}
	mode, err := fs.FileMode(0o755), error(nil)
	if text := t.opts["m"]; text != "" {
		n, bad := strconv.ParseUint(text, 8, 12)
		if mode, err = fs.FileMode(n), bad; err != nil {
			t.errorf("invalid mode ‘%s’", text)
			return 1
		}
	}
	if (t.has("o") || t.has("g")) && t.UID != 0 {
		t.errorf("cannot change ownership: Operation not permitted")
		return 1
	}
	if t.has("d") {
		for _, dir := range t.args {
			if err := t.FS.MkdirAll(t.Path(dir), mode); err != nil {
				t.errorf("cannot create directory ‘%s’: %s", dir, vfs.Reason(err))
			}
		}
		return t.bad
	}
	to := t.opts["t"]
	if to == "" && len(t.args) > 1 {
		to, t.args = t.args[len(t.args)-1], t.args[:len(t.args)-1]
	}
	switch {
	case len(t.args) == 0:
		return t.usageError(1, "missing file operand")
	case to == "":
		return t.usageError(1, "missing destination file operand after ‘%s’", t.args[0])
	}
	info, err := t.FS.Stat(t.Path(to))
	inside := err == nil && info.IsDir()
	if !inside && (t.has("t") || len(t.args) > 1) {
		t.errorf("target '%s' is not a directory", to)
		return 1
	}
	for _, from := range t.args {
		target := to
		if inside {
			target = path.Join(to, path.Base(from))
		} else if t.has("D") {
			_ = t.FS.MkdirAll(path.Dir(t.Path(target)), 0o755)
		}
		data, err := t.FS.ReadFile(t.Path(from))
		if err != nil {
			t.errorf("cannot stat '%s': %s", from, vfs.Reason(err))
			continue
		}
		if err := t.FS.WriteFile(t.Path(target), data, mode); err != nil {
			t.errorf("cannot create regular file '%s': %s", target, vfs.Reason(err))
			continue
		}
		_ = t.FS.Chmod(t.Path(target), mode)
		if t.has("v") {
			t.printf("'%s' -> '%s'\n", from, target)
		}
	}
	return t.bad
}

func mv(t *T) int {
	if !t.parse("fivnuTt:", "force=f", "verbose=v", "no-clobber=n", "no-target-directory=T", "target-directory=t", "interactive=i", "update=u?") {
		return 1
	}
	sources, at, ok := t.targets()
	if !ok {
		return 1
	}
	for _, s := range sources {
		d := at(s)
		p, q := t.Path(s), t.Path(d)
		info, err := t.FS.Lstat(p)
		if err != nil {
			t.errorf("cannot stat '%s': %s", s, vfs.Reason(err))
			continue
		}
		if p == q {
			t.errorf("'%s' and '%s' are the same file", s, d)
			continue
		}
		if di, err := t.FS.Stat(q); err == nil {
			if t.has("n") {
				continue
			}
			if di.IsDir() && !info.IsDir() {
				t.errorf("cannot overwrite directory '%s' with non-directory", d)
				continue
			}
			if !di.IsDir() && info.IsDir() {
				t.errorf("cannot overwrite non-directory '%s' with directory '%s'", d, s)
				continue
			}
		}
		if info.IsDir() && strings.HasPrefix(q, p+"/") {
			t.errorf("cannot move '%s' to a subdirectory of itself, '%s'", s, d)
			continue
		}
		err = t.mayChange(path.Dir(p))
		if err == nil {
			err = t.mayChange(path.Dir(q))
		}
		if err == nil {
			err = t.FS.Rename(p, q)
		}
		if err != nil && strings.Contains(err.Error(), string(vfs.EXDEV)) {
			bad := t.bad
			t.bad = 0
			old := t.opts
			t.opts = map[string]string{"a": ""}
			t.copy(s, d, 0)
			t.opts = old
			if t.bad == 0 {
				_ = t.FS.RemoveAll(p)
				t.bad = bad
			}
			err = nil
		}
		if err != nil {
			t.errorf("cannot move '%s' to '%s': %s", s, d, vfs.Reason(err))
			continue
		}
		if t.has("v") {
			t.printf("renamed '%s' -> '%s'\n", s, d)
		}
	}
	return t.bad
}
