// Tests of the file tree: the words of its errors, overlays, mounts, and seeded
// random histories compared with a map of paths.

package vfs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"sort"
	"strings"
	"testing"
	"time"
)

func tick() func() time.Time {
	t := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	return func() time.Time { t = t.Add(time.Second); return t }
}

func TestErrors(t *testing.T) {
	f := New(tick())
	must(t, f.MkdirAll("/a/b", 0o755))
	must(t, f.WriteFile("/a/f", []byte("x"), 0o644))
	must(t, f.Symlink("loop", "/loop"))
	ro := New(tick())
	must(t, ro.WriteFile("/x", []byte("1"), 0o644))
	f.Mount("/ro", ro, true)
	must(t, f.Symlink("/ro/x", "/tox"))
	f.SetFunc("/proc/uptime", func() []byte { return []byte("1 2\n") })
	_, enoent := f.ReadFile("/none")
	for _, c := range []struct {
		name string
		err  error
		want string
		is   error
	}{
		{"read none", enoent, "open /none: no such file or directory", fs.ErrNotExist},
		{"mkdir exists", f.Mkdir("/a", 0o755), "mkdir /a: file exists", fs.ErrExist},
		{"mkdir no parent", f.Mkdir("/q/r", 0o755), "mkdir /q/r: no such file or directory", fs.ErrNotExist},
		{"mkdir in file", f.Mkdir("/a/f/g", 0o755), "mkdir /a/f/g: not a directory", nil},
		{"remove full", f.Remove("/a"), "remove /a: directory not empty", nil},
		{"write dir", f.WriteFile("/a", nil, 0o644), "open /a: is a directory", nil},
		{"loop", f.WriteFile("/loop", nil, 0o644), "open /loop: too many levels of symbolic links", nil},
		{"read-only", f.WriteFile("/ro/y", nil, 0o644), "open /ro/y: read-only file system", fs.ErrPermission},
		{"read-only through link", f.WriteFile("/tox", nil, 0o644), "open /tox: read-only file system", nil},
		{"read-only remove", f.Remove("/ro/x"), "remove /ro/x: read-only file system", nil},
		{"mount busy", f.Remove("/ro"), "remove /ro: device or resource busy", nil},
		{"cross-device", f.Rename("/a/f", "/ro/z"), "rename /a/f: invalid cross-device link", nil},
		{"into itself", f.Rename("/a", "/a/b/c"), "rename /a: invalid argument", nil},
		{"dir over file", f.Rename("/a/b", "/a/f"), "rename /a/b: not a directory", nil},
		{"synthetic", f.WriteFile("/proc/uptime", nil, 0o644), "open /proc/uptime: permission denied", fs.ErrPermission},
		{"long name", f.Mkdir("/"+strings.Repeat("n", 300), 0o755), "mkdir /" + strings.Repeat("n", 300) + ": file name too long", nil},
		{"file with slash", f.WriteFile("/a/f/", nil, 0), "open /a/f/: not a directory", nil},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, c.err, c.want)
		}
		if c.is != nil && !errors.Is(c.err, c.is) {
			t.Errorf("%s: %v is not %v", c.name, c.err, c.is)
		}
		var pe *fs.PathError
		if !errors.As(c.err, &pe) {
			t.Errorf("%s: %T is no *fs.PathError", c.name, c.err)
		}
	}
	if got := Reason(enoent); got != "No such file or directory" {
		t.Error(got)
	}
}

func TestZerosAreCheap(t *testing.T) {
	f := New(tick())
	var charged int64
	f.OnGrow(func(d int64) error {
		if charged+d > 60<<20 {
			return ENOSPC
		}
		charged += d
		return nil
	})
	h, err := f.Open("/big", os.O_WRONLY|os.O_CREATE, 0o644)
	must(t, err)
	chunk := make([]byte, 1<<20)
	n := 0
	for ; err == nil; n++ {
		_, err = h.Write(chunk)
	}
	if n != 61 || !errors.Is(err, ENOSPC) || len(h.node.data.pages) != 0 || f.Used() != 60<<20 {
		t.Fatalf("%d writes, %v, %d pages, used %d", n, err, len(h.node.data.pages), f.Used())
	}
	must(t, f.Remove("/big"))
	if charged != 0 || f.Used() != 0 {
		t.Fatalf("after removal: charged %d, used %d", charged, f.Used())
	}
}

// A program that writes without end runs into the bound on memory, and gets it
// back by removing what it wrote.
func TestStoredIsBounded(t *testing.T) {
	f := New(tick())
	chunk := bytes.Repeat([]byte("spam\n"), 1<<18)
	write := func() (n int, err error) {
		for ; err == nil && n < 1000; n++ {
			err = f.AppendFile(fmt.Sprintf("/f%d", n%3), chunk, 0o644)
		}
		return n, err
	}
	must(t, f.WriteFile("/small", chunk[:1000], 0o644))
	b, err := json.Marshal(f)
	must(t, err)
	g := New(tick())
	must(t, json.Unmarshal(b, g))
	if g.stored != 1000 || f.stored != 1000 {
		t.Errorf("stored %d, after a reload %d", f.stored, g.stored)
	}
	must(t, f.Remove("/small"))
	n, err := write()
	if !errors.Is(err, ENOSPC) || n*len(chunk) < maxStored || n*len(chunk) > maxStored*5/4 {
		t.Fatalf("%d writes of %d bytes, %v", n, len(chunk), err)
	}
	must(t, f.AppendFile("/zeros", make([]byte, 1<<20), 0o644))
	for _, p := range []string{"/f0", "/f1", "/f2"} {
		must(t, f.Remove(p))
	}
	if f.stored != 0 {
		t.Errorf("%d bytes are stored in an empty tree", f.stored)
	}
}

// A read-only tree can be changed at its mounts, its devices and one file.
func TestReadOnlyTree(t *testing.T) {
	f := New(tick())
	must(t, f.WriteFile("/log", nil, 0o644))
	f.AddDevices(strings.NewReader(""))
	f.Mount("/v", New(tick()), false)
	f.SetReadOnly("/log")
	for p, ok := range map[string]bool{"/x": false, "/v/x": true, "/log": true, "/dev/null": true, "/dev/x": false} {
		if err := f.WriteFile(p, []byte("x"), 0o644); (err == nil) != ok || err != nil && !errors.Is(err, EROFS) {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// Groups give access, and a directory with the setgid bit hands down its own.
func TestGroups(t *testing.T) {
	f := New(tick())
	f.SetGroups(3000, 2000)
	must(t, f.Mkdir("/v", 0o777))
	must(t, f.Chmod("/v", 0o777|fs.ModeSetgid))
	must(t, f.Chown("/v", 0, 2000))
	must(t, f.WriteFile("/v/a", nil, 0o640))
	must(t, f.WriteFile("/b", nil, 0o640))
	must(t, f.Mkdir("/v/d", 0o755))
	for _, p := range []string{"/v/a", "/b"} {
		f.Own(p, 1000)
	}
	gid := func(p string) int {
		info, err := f.Stat(p)
		must(t, err)
		return info.Sys().(*Stat).GID
	}
	if got := fmt.Sprint(gid("/v/a"), gid("/b"), gid("/v/d")); got != "2000 3000 2000" {
		t.Errorf("groups %s", got)
	}
	if f.Access("/v/a", 7, 4) != nil || f.Access("/v/a", 7, 2) == nil {
		t.Error("a member of the group may read, and not write")
	}
}

func TestLimit(t *testing.T) {
	f := New(tick())
	f.SetLimit(10)
	must(t, f.WriteFile("/a", []byte("12345678"), 0o644))
	err := f.AppendFile("/a", []byte("90123"), 0o644)
	if err == nil || err.Error() != "write /a: no space left on device" {
		t.Fatal(err)
	}
}

func TestOverlay(t *testing.T) {
	low := New(tick())
	must(t, low.MkdirAll("/etc/d", 0o755))
	must(t, low.WriteFile("/etc/conf", []byte("low"), 0o600))
	must(t, low.WriteFile("/etc/d/one", []byte("1"), 0o644))
	must(t, low.Symlink("conf", "/etc/link"))
	a, b := Overlay(tick(), low), Overlay(tick(), low)
	lowGen := low.Generation()

	must(t, a.AppendFile("/etc/link", []byte("+a"), 0))
	check(t, a, "/etc/conf", "low+a")
	check(t, b, "/etc/conf", "low")
	if i, _ := a.Stat("/etc/conf"); i.Mode() != 0o600 {
		t.Error("copy-up lost the mode")
	}
	must(t, a.RemoveAll("/etc/d"))
	if _, err := a.Stat("/etc/d/one"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("whiteout does not hide", err)
	}
	must(t, a.Mkdir("/etc/d", 0o755))
	if names(t, a, "/etc/d") != "" {
		t.Error("new directory shows the lower one:", names(t, a, "/etc/d"))
	}
	must(t, a.WriteFile("/etc/d/two", []byte("2"), 0o644))
	must(t, b.Rename("/etc", "/etc2"))
	check(t, b, "/etc2/d/one", "1")
	if _, err := b.Stat("/etc"); err == nil {
		t.Error("renamed directory is still there")
	}
	if got := names(t, a, "/etc"); got != "conf d link" {
		t.Error(got)
	}
	check(t, low, "/etc/conf", "low")
	if low.Generation() != lowGen {
		t.Error("the lower tree changed")
	}
	// a tree over a tree over a tree
	c := Overlay(tick(), a)
	check(t, c, "/etc/conf", "low+a")
	must(t, c.Remove("/etc/conf"))
	if got := names(t, c, "/etc"); got != "d link" {
		t.Error(got)
	}
}

func TestHandleSurvivesRemoval(t *testing.T) {
	f := New(tick())
	must(t, f.WriteFile("/a", []byte("abc"), 0o644))
	h, _ := f.Open("/a", os.O_RDONLY, 0)
	must(t, f.Remove("/a"))
	b, err := io.ReadAll(h)
	if string(b) != "abc" || err != nil {
		t.Error(string(b), err)
	}
}

func TestAccess(t *testing.T) {
	f := New(tick())
	must(t, f.MkdirAll("/home/r", 0o755))
	must(t, f.WriteFile("/home/r/x", nil, 0o600))
	must(t, f.Chown("/home/r/x", 1000, 1000))
	for _, c := range []struct {
		uid  int
		want fs.FileMode
		ok   bool
	}{{0, 4, true}, {0, 1, false}, {1000, 6, true}, {1000, 1, false}, {7, 4, false}} {
		if err := f.Access("/home/r/x", c.uid, c.want); (err == nil) != c.ok {
			t.Errorf("uid %d want %d: %v", c.uid, c.want, err)
		}
	}
}

// model is the simplest tree: path → content, "" + slash for directories.
type model map[string]string

func (m model) has(p string) bool   { _, ok := m[p]; return ok }
func (m model) isDir(p string) bool { return m[p] == "/" }
func (m model) below(p string) (out []string) {
	for q := range m {
		if strings.HasPrefix(q, strings.TrimSuffix(p, "/")+"/") && q != "/" {
			out = append(out, q)
		}
	}
	sort.Strings(out)
	return out
}

// TestRandomHistories runs the same random operations on a tree, an overlay of
// overlays (each layer frozen after a while), and a map.
func TestRandomHistories(t *testing.T) {
	for seed := uint64(0); seed < 300; seed++ {
		rnd := rand.New(rand.NewPCG(seed, 1))
		f, m := New(tick()), model{"/": "/"}
		pick := func() string {
			p := ""
			for range 1 + rnd.IntN(3) {
				p += "/" + string(rune('a'+rnd.IntN(3)))
			}
			return p
		}
		for step := range 120 {
			if step%30 == 29 {
				switch rnd.IntN(2) {
				case 0:
					f = Overlay(tick(), f)
				case 1:
					b, err := json.Marshal(f)
					must(t, err)
					g := New(tick())
					if f.lower != nil {
						g = Overlay(tick(), f.lower)
					}
					must(t, json.Unmarshal(b, g))
					again, _ := json.Marshal(g)
					norm := func(b []byte) string {
						var s savedFS
						_ = json.Unmarshal(b, &s)
						return fmt.Sprint(s.Nodes)
					}
					if norm(b) != norm(again) {
						t.Fatalf("seed %d: saved twice\n%s\n%s", seed, b, again)
					}
					if f.Used() != g.Used() {
						t.Fatalf("seed %d: used %d, restored %d", seed, f.Used(), g.Used())
					}
					f = g
				}
			}
			p, q := pick(), pick()
			parent := m.isDir(path.Dir(p))
			var err error
			var ok bool
			op := rnd.IntN(6)
			switch op {
			case 0:
				err, ok = f.Mkdir(p, 0o755), parent && !m.has(p)
				if ok {
					m[p] = "/"
				}
			case 1, 2:
				text := fmt.Sprint(step)
				ok = parent && !m.isDir(p)
				if op == 1 {
					err = f.WriteFile(p, []byte(text), 0o644)
				} else {
					err = f.AppendFile(p, []byte(text), 0o644)
					text = m[p] + text
				}
				if ok {
					m[p] = text
				}
			case 3:
				err, ok = f.Remove(p), m.has(p) && len(m.below(p)) == 0
				if ok {
					delete(m, p)
				}
			case 4:
				err = f.RemoveAll(p)
				ok = err == nil
				for _, b := range m.below(p) {
					delete(m, b)
				}
				delete(m, p)
			case 5:
				err = f.Rename(p, q)
				ok = m.has(p) && m.isDir(path.Dir(q))
				switch {
				case !ok || p == q:
				case m.isDir(p) && (strings.HasPrefix(q+"/", p+"/") || m.has(q) && !m.isDir(q) || len(m.below(q)) > 0):
					ok = false
				case !m.isDir(p) && m.isDir(q):
					ok = false
				}
				if ok && p != q {
					for _, b := range m.below(p) {
						m[q+strings.TrimPrefix(b, p)] = m[b]
						delete(m, b)
					}
					m[q] = m[p]
					delete(m, p)
				}
			}
			if (err == nil) != ok {
				t.Fatalf("seed %d step %d op %d %s %s: err %v, model ok %v", seed, step, op, p, q, err, ok)
			}
			if got, want := dump(t, f), m.dump(); got != want {
				t.Fatalf("seed %d step %d op %d %s %s:\n got %s\nwant %s", seed, step, op, p, q, got, want)
			}
			if f.lower == nil {
				var used int64
				for _, text := range m {
					if text != "/" {
						used += int64(len(text))
					}
				}
				if f.Used() != used {
					t.Fatalf("seed %d step %d: used %d, want %d", seed, step, f.Used(), used)
				}
			}
		}
	}
}

func (m model) dump() string {
	var b strings.Builder
	for _, p := range m.below("/") {
		fmt.Fprintf(&b, "%s=%s ", p, m[p])
	}
	return b.String()
}

func dump(t *testing.T, f *FS) string {
	out := map[string]string{}
	var walk func(p string)
	walk = func(p string) {
		entries, err := f.ReadDir(p)
		must(t, err)
		for _, e := range entries {
			q := path.Join(p, e.Name())
			if e.IsDir() {
				out[q] = "/"
				walk(q)
			} else {
				b, err := f.ReadFile(q)
				must(t, err)
				out[q] = string(b)
			}
		}
	}
	walk("/")
	return model(out).dump()
}

func TestContentAgainstSlice(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	f := New(tick())
	h, _ := f.Open("/f", os.O_RDWR|os.O_CREATE, 0o644)
	var want []byte
	for range 400 {
		off := rnd.IntN(3 * PageSize)
		switch rnd.IntN(4) {
		case 0:
			must(t, h.Truncate(int64(off)))
			if off < len(want) {
				want = want[:off:off]
			}
			want = append(want, make([]byte, off-len(want))...)
		default:
			b := make([]byte, rnd.IntN(2*PageSize))
			if rnd.IntN(2) == 0 {
				for i := range b {
					b[i] = byte(rnd.Uint32())
				}
			}
			_, _ = h.Seek(int64(off), io.SeekStart)
			_, _ = h.Write(b)
			if end := off + len(b); end > len(want) && len(b) > 0 {
				want = append(want, make([]byte, end-len(want))...)
			} else if len(b) == 0 && off > len(want) {
				// a write of nothing beyond the end: POSIX leaves the size alone
			}
			if len(b) > 0 {
				copy(want[off:], b)
			}
		}
		got, _ := f.ReadFile("/f")
		if !bytes.Equal(got, want) {
			t.Fatalf("content differs: %d bytes, want %d", len(got), len(want))
		}
		held := int64(0)
		for _, p := range h.node.data.pages {
			held += int64(len(p.data))
		}
		if f.stored != held {
			t.Fatalf("%d bytes are said to be stored, %d are", f.stored, held)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	g := New(tick())
	_ = g.WriteFile("/a/b", []byte("x"), 0o644)
	_ = g.Mkdir("/a", 0o755)
	_ = g.Symlink("a", "/l")
	b, _ := json.Marshal(g)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		g := New(tick())
		if json.Unmarshal(b, g) == nil {
			if _, err := json.Marshal(g); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, f *FS, p, want string) {
	t.Helper()
	if b, err := f.ReadFile(p); err != nil || string(b) != want {
		t.Errorf("%s: %q, %v; want %q", p, b, err, want)
	}
}

func names(t *testing.T, f *FS, p string) string {
	t.Helper()
	entries, err := f.ReadDir(p)
	must(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestOwner(t *testing.T) {
	f := New(tick())
	must(t, f.WriteFile("/root-file", nil, 0o644))
	f.SetOwner(1000)
	must(t, f.MkdirAll("/home/r", 0o755))
	must(t, f.WriteFile("/home/r/x", nil, 0o644))
	must(t, f.WriteFile("/root-file", []byte("more"), 0o644))
	for p, uid := range map[string]int{"/root-file": 0, "/home/r": 1000, "/home/r/x": 1000} {
		if info, err := f.Stat(p); err != nil || info.Sys().(*Stat).UID != uid || info.Sys().(*Stat).GID != uid {
			t.Error(p, info, err)
		}
	}
}

// A mounted directory is the directory itself: what one side writes the other
// sees, and nothing above it is reached.
func TestMountDir(t *testing.T) {
	now := func() time.Time { return time.Unix(1, 0) }
	disk, pod, jail := New(now), New(now), New(now)
	if err := disk.MkdirAll("/srv/web/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	pod.MountDir("/data", disk, "/srv/web", false)
	pod.MountDir("/ro", disk, "/srv", true)
	jail.MountDir("/", pod, "/data/sub", false)
	write := func(f *FS, name, text string) {
		t.Helper()
		if err := f.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	write(pod, "/data/a", "1")
	write(disk, "/srv/web/b", "2")
	write(jail, "/c", "3")
	for _, x := range []struct {
		fs   *FS
		name string
		want string
	}{
		{disk, "/srv/web/a", "1"}, {pod, "/data/b", "2"}, {pod, "/ro/web/sub/c", "3"}, {jail, "/../c", "3"}, {disk, "/srv/web/sub/c", "3"},
		{jail, "/a", ""}, {jail, "/data/a", ""},
	} {
		if b, err := x.fs.ReadFile(x.name); string(b) != x.want || (err == nil) != (x.want != "") {
			t.Errorf("%s: %q %v", x.name, b, err)
		}
	}
	if err := pod.WriteFile("/ro/x", nil, 0o644); !errors.Is(err, EROFS) {
		t.Errorf("a read-only mount: %v", err)
	}
	if err := disk.RemoveAll("/srv/web"); err != nil {
		t.Fatal(err)
	}
	if _, err := pod.Stat("/data/b"); !errors.Is(err, ENOENT) {
		t.Errorf("the directory is gone: %v", err)
	}
}
