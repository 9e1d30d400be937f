// Package tool holds the Unix tools that scripts use, as programs: the
// behaviour and words of GNU coreutils, grep, sed, findutils, curl and so on,
// as far as documents show them. One file per tool or family. Tools that are
// builtins of the shell as well (echo, printf, test) export what they do.
package tool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

var all = map[string]program.Program{}

// All is every tool by name. The map is the caller's.
func All() map[string]program.Program {
	m := make(map[string]program.Program, len(all))
	for k, v := range all {
		m[k] = v
	}
	return m
}

// Names are the names of every tool, sorted.
func Names() []string {
	out := make([]string, 0, len(all))
	for k := range all {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// reg registers a tool that works on a T.
func reg(usage string, fn func(t *T) int, names ...string) {
	for _, n := range names {
		all[n] = func(c *program.Context, args []string) int {
			t := &T{Context: c, name: n, args: args[1:], usage: usage}
			if len(args) == 2 && args[1] == "--help" && usage != "" {
				t.printf("Usage: %s\n", usage)
				t.flush()
				return 0
			}
			status := fn(t)
			t.flush()
			return status
		}
	}
}

// T is one run of a tool: its context, options and buffered output. The output
// is flushed before every read from standard input and at the end.
type T struct {
	*program.Context
	name  string
	args  []string
	usage string
	opts  map[string]string
	out   []byte
	bad   int // what the status becomes when a file could not be used
	held  int64
}

const maxLine = 64 << 20

func (t *T) write(b []byte) {
	t.out = append(t.out, b...)
	if len(t.out) >= 32<<10 {
		t.flush()
	}
}
func (t *T) puts(s string) {
	t.out = append(t.out, s...)
	if len(t.out) >= 32<<10 {
		t.flush()
	}
}
func (t *T) printf(format string, args ...any) { t.puts(fmt.Sprintf(format, args...)) }

// flush writes the output; a broken pipe ends the process silently.
func (t *T) flush() {
	b := t.out
	t.out = t.out[:0]
	t.rawWrite(t.Stdout, b)
}

func (t *T) rawWrite(w io.Writer, b []byte) bool {
	for len(b) > 0 {
		n, err := w.Write(b)
		b = b[min(n, len(b)):]
		switch {
		case err == nil:
			return true
		case errors.Is(err, kernel.ErrInterrupted):
		case errors.Is(err, kernel.ErrBrokenPipe):
			t.out = nil
			t.Proc.Exit(141)
		default:
			if w != t.Stderr {
				t.errorf("write error: %s", vfs.Reason(err))
				t.out = nil
				t.Proc.Exit(1)
			}
			return false
		}
	}
	return true
}

// errorf prints "name: …" to standard error.
func (t *T) errorf(format string, args ...any) {
	t.flush()
	t.rawWrite(t.Stderr, []byte(t.name+": "+fmt.Sprintf(t.inWords(format), args...)+"\n"))
	t.bad = 1
}

func (t *T) eprint(s string) {
	t.flush()
	t.rawWrite(t.Stderr, []byte(s))
}

// usageError is what GNU tools say after a wrong option.
func (t *T) usageError(status int, format string, args ...any) int {
	t.errorf(format, args...)
	t.eprint("Try '" + t.name + " --help' for more information.\n")
	return status
}

// parse reads options as getopt does, options and operands mixed. spec lists
// "x" flags and "x:" options with a value, by letter, and "long=x" names.
// It reports false after printing the error.
func (t *T) parse(spec string, long ...string) bool {
	return t.parseOpts(spec, false, long...)
}

// parseOpts is parse; with ordered, the first operand ends the options.
func (t *T) parseOpts(spec string, ordered bool, long ...string) bool {
	t.opts = map[string]string{}
	takes := func(c byte) int {
		i := strings.IndexByte(spec, c)
		if i < 0 || c == ':' {
			return -1
		}
		if i+1 < len(spec) && spec[i+1] == ':' {
			return 1
		}
		return 0
	}
	var rest []string
	args := t.args
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			t.args = append(rest, args[i+1:]...)
			return true
		case strings.HasPrefix(a, "--"):
			name, val, has := strings.Cut(a[2:], "=")
			var hit string
			matches := 0
			for _, l := range long {
				ln, lk, _ := strings.Cut(l, "=")
				if ln == name {
					hit, matches = lk, 1
					break
				}
				if strings.HasPrefix(ln, name) {
					hit = lk
					matches++
				}
			}
			if matches != 1 {
				t.usageError(0, "unrecognized option '%s'", a)
				return false
			}
			opt := strings.HasSuffix(hit, "?")
			set := func(v string) {
				if old, ok := t.opts[hit]; ok {
					t.opts[hit+hit] = strings.TrimPrefix(t.opts[hit+hit]+"\x00"+old, "\x00")
				}
				t.opts[hit] = v
			}
			if opt || len(hit) == 1 && takes(hit[0]) == 0 || strings.HasSuffix(hit, "!") {
				hit = strings.TrimRight(hit, "?!")
				t.opts[hit] = val
				continue
			}
			if !has {
				if i+1 >= len(args) {
					t.usageError(0, "option '--%s' requires an argument", name)
					return false
				}
				i++
				val = args[i]
			}
			set(val)
		case len(a) > 1 && a[0] == '-':
			for j := 1; j < len(a); j++ {
				switch takes(a[j]) {
				case -1:
					t.usageError(0, "invalid option -- '%c'", a[j])
					return false
				case 0:
					t.opts[a[j:j+1]] = ""
					continue
				}
				v := a[j+1:]
				if v == "" {
					if i+1 >= len(args) {
						t.usageError(0, "option requires an argument -- '%c'", a[j])
						return false
					}
					i++
					v = args[i]
				}
				key := a[j : j+1]
				if old, ok := t.opts[key]; ok {
					t.opts[key+key] = strings.TrimPrefix(t.opts[key+key]+"\x00"+old, "\x00")
				}
				t.opts[key] = v
				break
			}
		default:
			if ordered {
				t.args = args[i:]
				return true
			}
			rest = append(rest, a)
		}
	}
	t.args = rest
	return true
}

// every lists all the values of an option that was given several times.
func (t *T) every(key string) []string {
	v, ok := t.opts[key]
	if !ok {
		return nil
	}
	if old, ok := t.opts[key+key]; ok {
		return append(strings.Split(old, "\x00"), v)
	}
	return []string{v}
}

func (t *T) has(key string) bool { _, ok := t.opts[key]; return ok }

// number reads an option's value.
func (t *T) number(key string, def int) (int, bool) {
	v, ok := t.opts[key]
	if !ok {
		return def, true
	}
	n, err := strconv.Atoi(v)
	return n, err == nil
}

// stdin flushes the output before it may block.
type stdin struct{ t *T }

func (r stdin) Read(b []byte) (int, error) {
	r.t.flush()
	for {
		n, err := r.t.Stdin.Read(b)
		if errors.Is(err, kernel.ErrInterrupted) {
			continue
		}
		if n == 0 && err == nil && len(b) > 0 {
			if err := r.t.Proc.Yield(); err == nil {
				continue
			}
		}
		return n, err
	}
}

// devReader flushes before it may block in a device such as <(…)'s pipe.
type devReader struct {
	t *T
	f *vfs.File
}

func (r devReader) Read(b []byte) (int, error) {
	r.t.flush()
	for range 1 + len(b)/512 { // some hundred megabytes a second
		r.t.Proc.Tick()
	}
	return r.f.Read(b)
}

// open opens a file for reading; "-" and the names of standard input are it.
func (t *T) open(name string) (io.Reader, error) {
	if name == "-" {
		return stdin{t}, nil
	}
	p := t.Path(name)
	switch p {
	case "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0":
		return stdin{t}, nil
	}
	if t.UID != 0 {
		if err := t.FS.Access(p, t.UID, 4); errors.Is(err, vfs.EACCES) {
			return nil, err
		}
	}
	f, err := t.FS.Open(p, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	if f.Device() != nil {
		return devReader{t, f}, nil
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return f, nil
	}
	return f, nil
}

// create opens a file for writing.
func (t *T) create(name string, flag int) (io.Writer, error) {
	p := t.Path(name)
	switch p {
	case "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return t.Stdout, nil
	case "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2":
		return t.Stderr, nil
	}
	_, err := t.FS.Stat(p)
	if err != nil {
		if err := t.mayChange(path.Dir(p)); err != nil {
			return nil, err
		}
	} else if err := t.mayChange(p); err != nil {
		return nil, err
	}
	f, e := t.FS.Open(p, os.O_WRONLY|os.O_CREATE|flag, 0o644)
	if e != nil {
		return nil, e
	}
	if err != nil && t.UID != 0 {
		t.FS.Own(p, t.UID)
	}
	return f, nil
}

// mayChange says why the user may not write to the file or directory.
func (t *T) mayChange(p string) error {
	if t.UID == 0 {
		return nil
	}
	info, err := t.FS.Stat(p)
	if err != nil || info.Mode()&fs.ModeDevice != 0 {
		return nil
	}
	return t.FS.Access(p, t.UID, 2)
}

// readAll reads a file whole; its size is charged to the process.
func (t *T) readAll(name string) ([]byte, error) {
	r, err := t.open(name)
	if err != nil {
		return nil, err
	}
	var b []byte
	chunk := make([]byte, 32<<10)
	for {
		n, err := r.Read(chunk)
		b = append(b, chunk[:n]...)
		t.hold(int64(n))
		if len(b) > maxLine {
			t.errorf("memory exhausted")
			t.Proc.Exit(1)
		}
		t.Proc.Tick()
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// hold charges memory; what is still held is given back when the process ends.
func (t *T) hold(n int64) {
	if t.System == nil || n == 0 {
		return
	}
	if t.held == 0 {
		t.Proc.AtExit(func() { t.System.Charge(t.Proc, -t.held) })
	}
	t.System.Charge(t.Proc, n)
	t.held += n
}

// lines reads lines, without their newline; nl tells whether there was one.
// fn returns false to stop.
func (t *T) lines(r io.Reader, fn func(line []byte, nl bool) bool) error {
	return t.records(r, '\n', fn)
}

func (t *T) records(r io.Reader, delim byte, fn func(line []byte, nl bool) bool) error {
	var buf []byte
	chunk := make([]byte, 16<<10)
	for {
		n, err := r.Read(chunk)
		t.Proc.Tick()
		data := chunk[:n]
		for len(data) > 0 {
			i := bytes.IndexByte(data, delim)
			if i < 0 {
				buf = append(buf, data...)
				t.hold(int64(len(data)))
				if len(buf) > maxLine {
					t.errorf("memory exhausted")
					t.Proc.Exit(2)
				}
				break
			}
			line := data[:i]
			if len(buf) > 0 {
				buf = append(buf, line...)
				line = buf
			}
			if !fn(line, true) {
				return nil
			}
			if len(buf) > 0 {
				t.hold(-int64(len(buf) - i))
				buf = buf[:0]
			}
			data = data[i+1:]
		}
		if err != nil {
			if len(buf) > 0 {
				fn(buf, false)
			}
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

// files calls fn for each named file, or standard input when there is none,
// and prints errors as GNU tools do.
func (t *T) files(names []string, fn func(name string, r io.Reader) error) {
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, n := range names {
		r, err := t.open(n)
		if err == nil {
			err = fn(n, r)
		}
		if err != nil {
			t.errorf("%s: %s", n, vfs.Reason(err))
		}
	}
}

// spawn starts another program with the tool's streams and returns its process;
// nil when there is no such program.
func (t *T) spawn(args []string, in io.Reader) (*kernel.Proc, int) {
	prog := t.program(args[0])
	if prog == nil {
		if strings.Contains(args[0], "/") {
			if info, err := t.FS.Stat(t.Path(args[0])); err == nil && !info.IsDir() {
				if t.FS.Access(t.Path(args[0]), t.UID, 1) != nil {
					return nil, 126
				}
			}
		}
		return nil, 127
	}
	t.flush()
	c := t.Context.Clone()
	if in != nil {
		c.Stdin = in
	}
	p := t.Proc.Kernel().Spawn(t.Proc, args[0], func(p *kernel.Proc) int {
		c.Proc = p
		return prog(c, args) & 255
	})
	if t.System != nil {
		t.System.Register(p, args)
	}
	return p, 0
}

// program is what a name stands for: a tool, or a script through sh.
func (t *T) program(name string) program.Program {
	if !strings.Contains(name, "/") {
		if p := t.Lookup(name); p != nil {
			return p
		}
		for _, d := range strings.Split(t.Env["PATH"], ":") {
			if d == "" {
				continue
			}
			if info, err := t.FS.Stat(path.Join(d, name)); err == nil && info.Mode().IsRegular() && t.FS.Access(path.Join(d, name), t.UID, 1) == nil {
				return t.script(path.Join(d, name))
			}
		}
		return nil
	}
	p := t.Path(name)
	info, err := t.FS.Stat(p)
	if err != nil {
		if standard[path.Dir(p)] {
			return t.Lookup(path.Base(p))
		}
		return nil
	}
	if info.IsDir() || t.FS.Access(p, t.UID, 1) != nil {
		return nil
	}
	if info.Size() == 0 {
		return t.Lookup(path.Base(p))
	}
	return t.script(name)
}

func (t *T) script(p string) program.Program {
	sh := t.Lookup("sh")
	if b, err := t.FS.ReadFile(t.Path(p)); err == nil && bytes.HasPrefix(b, []byte("#!")) && bytes.Contains(bytes.SplitN(b, []byte("\n"), 2)[0], []byte("bash")) {
		if bash := t.Lookup("bash"); bash != nil {
			sh = bash
		}
	}
	if sh == nil {
		return nil
	}
	return func(c *program.Context, args []string) int {
		return sh(c, append([]string{"sh", p}, args[1:]...))
	}
}

var standard = map[string]bool{"/bin": true, "/usr/bin": true, "/usr/local/bin": true, "/sbin": true, "/usr/sbin": true, "/usr/local/sbin": true}

// wait joins a process that the tool started; signals to the tool end both.
func (t *T) wait(p *kernel.Proc) int {
	for {
		code, err := t.Proc.Join(p)
		if err == nil {
			return code
		}
	}
}

// Which is the path that a command is found at, "" when there is none.
func Which(c *program.Context, name, searchPath string) string {
	if strings.Contains(name, "/") {
		if info, err := c.FS.Stat(c.Path(name)); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return name
		}
		if standard[path.Dir(c.Path(name))] && c.Lookup(path.Base(name)) != nil {
			return name
		}
		return ""
	}
	known := c.Lookup(name) != nil
	first := ""
	for _, d := range strings.Split(searchPath, ":") {
		if d == "" {
			continue
		}
		p := path.Join(vfs.Join(c.Dir, d), name)
		if info, err := c.FS.Stat(p); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return p
		}
		if known && standard[vfs.Join(c.Dir, d)] && (first == "" || d == "/usr/bin") && first != "/usr/bin/"+name {
			first = p
		}
	}
	local := map[string]bool{"kubectl": true, "helm": true, "kind": true, "minikube": true}
	if local[name] && first != "" {
		return "/usr/local/bin/" + name
	}
	if strings.Contains(searchPath, "/usr/bin") && first != "" {
		return "/usr/bin/" + name
	}
	return first
}
