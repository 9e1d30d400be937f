// gzip and tar.

package tool

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

func gzipTool(t *T) int {
	if !t.parse("dckf123456789nqvtlr", "decompress=d", "stdout=c", "keep=k", "force=f", "best=9", "fast=1") {
		return 1
	}
	decompress := t.has("d") || t.name != "gzip"
	toOut := t.has("c") || t.name == "zcat" || len(t.args) == 0
	names := t.args
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, n := range names {
		in, err := t.readAll(n)
		if err != nil {
			if vfs.Reason(err) == "Is a directory" {
				t.errorf("%s is a directory -- ignored", n)
				t.bad = 2
			} else {
				t.errorf("%s: %s", n, vfs.Reason(err))
			}
			continue
		}
		shown := n
		if n == "-" {
			shown = "stdin"
		}
		var out []byte
		dest := n + ".gz"
		if decompress {
			r, err := gzip.NewReader(bytes.NewReader(in))
			if err == nil {
				out, err = io.ReadAll(io.LimitReader(r, maxLine))
			}
			if err != nil {
				t.eprint("\n")
				t.errorf("%s: not in gzip format", shown)
				continue
			}
			if !toOut && !strings.HasSuffix(n, ".gz") && !strings.HasSuffix(n, ".tgz") {
				t.errorf("%s: unknown suffix -- ignored", n)
				t.bad = 2
				continue
			}
			dest = strings.TrimSuffix(n, ".gz")
			if strings.HasSuffix(n, ".tgz") {
				dest = strings.TrimSuffix(n, ".tgz") + ".tar"
			}
		} else {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			if n != "-" {
				w.Name = path.Base(n)
			}
			_, _ = w.Write(in)
			_ = w.Close()
			out = b.Bytes()
		}
		if toOut || n == "-" {
			t.write(out)
			continue
		}
		if err := t.FS.WriteFile(t.Path(dest), out, 0o644); err != nil {
			t.errorf("%s: %s", dest, vfs.Reason(err))
			continue
		}
		t.own(t.Path(dest))
		if !t.has("k") {
			_ = t.FS.Remove(t.Path(n))
		}
	}
	return t.bad
}

func tarTool(t *T) int {
	if len(t.args) > 0 && !strings.HasPrefix(t.args[0], "-") {
		t.args[0] = "-" + t.args[0]
	}
	if !t.parse("cxtzvf:C:pjJkhOPmo", "create=c", "extract=x", "get=x", "list=t", "gzip=z", "verbose=v", "file=f", "directory=C", "touch=m", "to-stdout=O", "exclude=E", "strip-components=S", "no-same-owner=N?") {
		return 2
	}
	file := t.opts["f"]
	if file == "" {
		file = "-"
	}
	dir := t.Dir
	if v, ok := t.opts["C"]; ok {
		dir = t.Path(v)
		if info, err := t.FS.Stat(dir); err != nil || !info.IsDir() {
			t.errorf("%s: Cannot open: No such file or directory", v)
			t.errorf("Error is not recoverable: exiting now")
			return 2
		}
	}
	switch {
	case t.has("c"):
		if len(t.args) == 0 {
			t.errorf("Cowardly refusing to create an empty archive")
			t.eprint("Try 'tar --help' or 'tar --usage' for more information.\n")
			return 2
		}
		var b bytes.Buffer
		var gz *gzip.Writer
		out := io.Writer(&b)
		if t.has("z") || strings.HasSuffix(file, "gz") && t.has("a") {
			gz = gzip.NewWriter(&b)
			out = gz
		}
		w := tar.NewWriter(out)
		log := t.puts
		if file == "-" {
			log = t.eprint
		}
		var add func(name, p string, depth int)
		add = func(name, p string, depth int) {
			t.Proc.Tick()
			info, err := t.FS.Lstat(p)
			if err != nil {
				t.errorf("%s: Cannot stat: %s", name, vfs.Reason(err))
				t.bad = 2
				return
			}
			to := ""
			if info.Mode()&fs.ModeSymlink != 0 {
				to, _ = t.FS.Readlink(p)
			}
			h, err := tar.FileInfoHeader(plainInfo{info}, to)
			if err != nil || b.Len() > maxLine {
				return
			}
			h.Name = strings.TrimPrefix(name, "/")
			if st, ok := info.Sys().(*vfs.Stat); ok {
				h.Uid, h.Gid = st.UID, st.GID
			}
			if info.IsDir() {
				h.Name = strings.TrimSuffix(h.Name, "/") + "/"
			}
			var data []byte
			if info.Mode().IsRegular() {
				data, _ = t.FS.ReadFile(p)
				h.Size = int64(len(data))
			}
			if w.WriteHeader(h) != nil {
				return
			}
			_, _ = w.Write(data)
			if t.has("v") {
				log(h.Name + "\n")
			}
			if info.IsDir() && depth < 200 {
				entries, _ := t.FS.ReadDir(p)
				for _, e := range entries {
					add(strings.TrimSuffix(name, "/")+"/"+e.Name(), path.Join(p, e.Name()), depth+1)
				}
			}
		}
		for _, n := range t.args {
			if strings.HasPrefix(n, "/") {
				t.eprint("tar: Removing leading `/' from member names\n")
			}
			add(n, vfs.Join(dir, n), 0)
		}
		_ = w.Close()
		if gz != nil {
			_ = gz.Close()
		}
		if file == "-" {
			t.write(b.Bytes())
		} else {
			o, err := t.create(file, os.O_TRUNC)
			if err != nil {
				t.errorf("%s: Cannot open: %s", file, vfs.Reason(err))
				t.errorf("Error is not recoverable: exiting now")
				return 2
			}
			t.rawWrite(o, b.Bytes())
		}
		if t.bad != 0 {
			t.errorf("Exiting with failure status due to previous errors")
			return 2
		}
		return 0
	case t.has("x"), t.has("t"):
		data, err := t.readAll(file)
		if err != nil {
			t.errorf("%s: Cannot open: %s", file, vfs.Reason(err))
			t.errorf("Error is not recoverable: exiting now")
			return 2
		}
		in := io.Reader(bytes.NewReader(data))
		if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
			g, err := gzip.NewReader(in)
			if err != nil {
				t.errorf("This does not look like a tar archive")
				return 2
			}
			in = io.LimitReader(g, maxLine)
		}
		r := tar.NewReader(in)
		stripN, _ := t.number("S", 0)
		found := map[string]bool{}
		for {
			t.Proc.Tick()
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.errorf("This does not look like a tar archive")
				t.errorf("Exiting with failure status due to previous errors")
				return 2
			}
			if len(t.args) > 0 {
				match := false
				for _, n := range t.args {
					if strings.TrimSuffix(h.Name, "/") == strings.TrimSuffix(n, "/") || strings.HasPrefix(h.Name, strings.TrimSuffix(n, "/")+"/") {
						match, found[n] = true, true
					}
				}
				if !match {
					continue
				}
			}
			if t.has("t") {
				if t.has("v") {
					t.printf("%s %s/%s %9d %s %s\n", ModeString(h.FileInfo().Mode()), t.userName(h.Uid), t.userName(h.Gid), h.Size, h.ModTime.UTC().Format("2006-01-02 15:04"), h.Name)
				} else {
					t.puts(h.Name + "\n")
				}
				continue
			}
			name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
			for range stripN {
				_, name, _ = strings.Cut(name, "/")
			}
			if name == "" {
				continue
			}
			if t.has("v") {
				t.puts(h.Name + "\n")
			}
			p := path.Join(dir, name)
			switch h.Typeflag {
			case tar.TypeDir:
				err = t.FS.MkdirAll(p, 0o755)
			case tar.TypeSymlink:
				_ = t.FS.Remove(p)
				err = t.FS.Symlink(h.Linkname, p)
			default:
				var b []byte
				b, err = io.ReadAll(io.LimitReader(r, maxLine))
				if t.has("O") {
					t.write(b)
					continue
				}
				if err == nil {
					_ = t.FS.MkdirAll(path.Dir(p), 0o755)
					err = t.FS.WriteFile(p, b, h.FileInfo().Mode().Perm())
				}
			}
			if err != nil {
				t.errorf("%s: Cannot open: %s", h.Name, vfs.Reason(err))
				t.bad = 2
				continue
			}
			if h.Typeflag != tar.TypeSymlink {
				_ = t.FS.Chmod(p, h.FileInfo().Mode().Perm())
				if !t.has("m") {
					_ = t.FS.Chtimes(p, h.ModTime, h.ModTime)
				}
			}
		}
		for _, n := range t.args {
			if !found[n] {
				t.errorf("%s: Not found in archive", n)
				t.bad = 2
			}
		}
		if t.bad != 0 {
			t.errorf("Exiting with failure status due to previous errors")
			return 2
		}
		return 0
	}
	t.errorf("You must specify one of the '-Acdtrux', '--delete' or '--test-label' options")
	t.eprint("Try 'tar --help' or 'tar --usage' for more information.\n")
	return 2
}

// plainInfo hides Sys, which archive/tar would look into.
type plainInfo struct{ fs.FileInfo }

func (plainInfo) Sys() any { return nil }
