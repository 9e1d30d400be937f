//go:build !js

// awk, on goawk. That module opens files and starts commands by itself, so it
// is told not to, and the program is rewritten (rewrite.go) to call functions of
// this file for redirections, getline, close and system.

package texttool

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/benhoyt/goawk/interp"
	"github.com/benhoyt/goawk/lexer"
	"github.com/benhoyt/goawk/parser"
	"github.com/itchyny/timefmt-go"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	for _, n := range []string{"awk", "gawk", "mawk"} {
		all[n] = func(c *program.Context, args []string) int {
			a := &awk{run: run{Context: c, name: n}, streams: map[string]*stream{}}
			return a.main(args[1:])
		}
	}
}

// awk is one run.
type awk struct {
	run
	source  string
	args    []string // operands, after the program
	queue   []string // files still to be read as main input
	files   bool     // there were file operands
	current io.Reader
	streams map[string]*stream
	opened  []*stream // in the order in which they were opened
	to      io.Writer // where a redirected print goes
	record  string    // what the last getline read
	status  int       // and what it returned
	keys    []string  // of the array that a for loop begins to visit
	loops   map[int][]string
	loop    int
}

// stream is a file or command that the program has open.
type stream struct {
	name string
	w    io.Writer
	in   *records
	pipe *kernel.Pipe
	proc *kernel.Proc
}

const (
	awkVersion  = "mawk 1.3.4 20240123"
	gawkVersion = "GNU Awk 5.2.1, API 3.2"
	awkUsage    = "Usage: mawk [Options] [Program] [file ...]\n"
)

func (a *awk) main(args []string) int {
	vars := []string{}
	assign := func(name, value string) {
		if v, err := lexer.Unescape(value); err == nil {
			value = v
		}
		vars = append(vars, name, value)
	}
	var sources []string
	var i int
	for i = 0; i < len(args); i++ {
		o := args[i]
		if o == "--" {
			i++
			break
		}
		if len(o) < 2 || o[0] != '-' {
			break
		}
		value := func() (string, bool) {
			if len(o) > 2 {
				return o[2:], true
			}
			if i++; i >= len(args) {
				a.fail(a.name + ": option requires an argument -- '" + o[1:2] + "'\n")
				return "", false
			}
			return args[i], true
		}
		switch {
		case o == "--version" || o == "-V" || o == "-Wversion" || o == "-Wv" || o == "-W" && i+1 < len(args) && strings.HasPrefix(args[i+1], "v"):
			v := awkVersion
			if a.name == "gawk" {
				v = gawkVersion
			}
			_, _ = a.Write([]byte(v + "\n"))
			a.flush()
			return 0
		case strings.HasPrefix(o, "--"):
			a.fail(a.name + ": not an option: " + o + "\n")
			return 2
		case o[1] == 'F':
			v, ok := value()
			if !ok {
				return 2
			}
			assign("FS", v)
		case o[1] == 'v':
			v, ok := value()
			if !ok {
				return 2
			}
			name, val, has := strings.Cut(v, "=")
			if !has || !isName(name) {
				a.fail(a.name + ": improper assignment: -v " + v + "\n")
				return 2
			}
			assign(name, val)
		case o[1] == 'f':
			v, ok := value()
			if !ok {
				return 2
			}
			var b []byte
			var err error
			if v == "-" {
				b, err = io.ReadAll(stdin{&a.run})
			} else {
				b, err = a.readAll(v)
			}
			if err != nil {
				a.fail(a.name + ": cannot open " + v + " (" + vfs.Reason(err) + ")\n")
				return 2
			}
			sources = append(sources, string(b))
		case o[1] == 'W' || o == "-e" && false:
			if _, ok := value(); !ok {
				return 2
			}
		default:
			a.fail(a.name + ": not an option: " + o + "\n")
			return 2
		}
	}
	args = args[i:]
	if sources == nil {
		if len(args) == 0 {
			a.fail(awkUsage)
			return 2
		}
		sources, args = args[:1], args[1:]
	}
	a.source = strings.ReplaceAll(strings.Join(sources, "\n"), "\r", "")
	a.args = args
	return a.execute(vars)
}

func (a *awk) execute(vars []string) int {
	funcs := a.functions()
	pc := &parser.ParserConfig{Funcs: funcs}
	prog, err := parser.ParseProgram([]byte(a.source), pc)
	if err != nil {
		a.fail(syntaxError(a.name, a.source, err))
		return 2
	}
	safe := false
	if changed := rewrite(a.source); changed != a.source && !strings.Contains(a.source, "__kb_") {
		if p, err := parser.ParseProgram([]byte(changed), pc); err == nil {
			prog = p
			safe = redirects(reflect.ValueOf(p).Elem().FieldByName("Program"))
		}
	}
	var environ []string
	for _, kv := range a.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		environ = append(environ, k, v)
	}
	it, err := interp.New(prog)
	if err != nil {
		a.fail(a.name + ": " + err.Error() + "\n")
		return 2
	}
	status, err := it.ExecuteContext(ticking{a}, &interp.Config{
		Stdin: input{a}, Output: a, Error: redirected{a}, Argv0: a.name, Args: a.operands(), Vars: vars, Environ: append([]string{}, environ...),
		NoExec: true, NoFileWrites: !safe, NoFileReads: true, Funcs: funcs, NewlineOutput: interp.RawNewlineMode, Chars: true,
	})
	a.flush()
	if err != nil {
		a.fail(a.runtimeError(err))
		status = 2
	}
	for len(a.opened) > 0 {
		a.close(a.opened[0].name)
	}
	return status & 255
}

func (a *awk) runtimeError(err error) string {
	msg := err.Error()
	switch {
	case strings.HasPrefix(msg, "division by zero"):
		return a.name + ": cmd. line:1: fatal: " + msg + " attempted\n"
	case strings.HasPrefix(msg, "format error: got "):
		return a.name + ": run time error: not enough arguments passed to printf\n"
	}
	return a.name + ": run time error: " + msg + "\n"
}

// redirects reports whether every redirection in the program is to what __kb_to
// says, which is never a file: only then goawk may believe that it writes files.
// The types of its tree are internal to it.
func redirects(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return v.IsNil() || redirects(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if !redirects(v.Index(i)) {
				return false
			}
		}
	case reflect.Struct:
		if to := v.FieldByName("Redirect"); to.IsValid() && to.Int() != int64(lexer.ILLEGAL) {
			dest := v.FieldByName("Dest")
			for dest.Kind() == reflect.Interface || dest.Kind() == reflect.Pointer {
				if dest.IsNil() {
					return false
				}
				dest = dest.Elem()
			}
			if dest.Kind() != reflect.Struct || dest.Type().Name() != "UserCallExpr" || dest.FieldByName("Name").String() != "__kb_to" {
				return false
			}
		}
		for i := range v.NumField() {
			if !redirects(v.Field(i)) {
				return false
			}
		}
	}
	return v.IsValid()
}

// ticking is the context that goawk asks every thousand instructions whether
// to go on: it always is, and the process yields meanwhile.
type ticking struct{ a *awk }

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (ticking) Deadline() (time.Time, bool) { return time.Time{}, false }
func (ticking) Value(any) any               { return nil }
func (ticking) Done() <-chan struct{}       { return closed }
func (t ticking) Err() error {
	t.a.flush()
	for range 4096 {
		t.a.Proc.Tick()
	}
	return nil
}

// operands are what goawk gets for the program's: the name of each file is a
// variable's value, and the file itself comes as standard input.
func (a *awk) operands() []string {
	var out []string
	for _, o := range a.args {
		switch a.push(o) {
		case 1:
			out = append(out, o)
		case 2:
			out = append(out, "__kb_FILENAME="+escape(o), "-")
		}
	}
	return out
}

func escape(s string) string { return strings.ReplaceAll(s, `\`, `\\`) }

var assignment = regexp.MustCompile(`^[_a-zA-Z][_a-zA-Z0-9]*=`)

func isName(s string) bool { return assignment.MatchString(s+"=") && !strings.Contains(s, "=") }

// push says what an operand is: 0 nothing, 1 an assignment, 2 a file.
func (a *awk) push(o string) int {
	switch {
	case o == "":
		return 0
	case assignment.MatchString(o):
		return 1
	}
	a.queue = append(a.queue, o)
	a.files = true
	return 2
}

// input is the main input: the files one after another, each with its end.
type input struct{ a *awk }

func (in input) Read(b []byte) (int, error) {
	a := in.a
	if !a.files {
		return a.read(a.Stdin, b)
	}
	if a.current == nil {
		if len(a.queue) == 0 {
			return 0, io.EOF
		}
		name := a.queue[0]
		a.queue = a.queue[1:]
		if name == "-" {
			a.current = stdin{&a.run}
		} else {
			f, err := a.open(name)
			if err != nil {
				a.fail(a.name + ": cannot open " + name + " (" + vfs.Reason(err) + ")\n")
				a.Proc.Exit(2)
			}
			a.current = f
		}
	}
	n, err := a.current.Read(b)
	if err != nil {
		a.current = nil
		if err != io.EOF {
			a.fail(a.name + ": read error (" + vfs.Reason(err) + ")\n")
			a.Proc.Exit(2)
		}
	}
	return n, err
}

// redirected is where goawk writes what a print statement redirects.
type redirected struct{ a *awk }

func (w redirected) Write(b []byte) (int, error) {
	if w.a.to == nil {
		w.a.send(w.a.Stderr, b)
	} else if w.a.to == io.Writer(w.a) {
		return w.a.Write(b)
	} else {
		w.a.send(w.a.to, b)
	}
	return len(b), nil
}

// functions are what a rewritten program calls, and those of gawk and mawk that
// goawk does not have.
func (a *awk) functions() map[string]any {
	return map[string]any{
		"systime": func() float64 { return float64(a.Proc.Now().Unix()) },
		"strftime": func(args ...string) string {
			format, t := "%c", a.Proc.Now()
			if len(args) > 0 {
				format = args[0]
			}
			if len(args) > 1 {
				if n, err := strconv.ParseFloat(args[1], 64); err == nil {
					t = time.Unix(int64(n), 0)
				}
			}
			return timefmt.Format(t.UTC(), format)
		},
		"__kb_now":      func() float64 { return float64(a.Proc.Now().Unix()) },
		"__kb_to":       a.redirect,
		"__kb_cmd":      func(command, rs string) int { return a.getline(command, rs, true) },
		"__kb_file":     func(name, rs string) int { return a.getline(name, rs, false) },
		"__kb_substr":   substr,
		"__kb_val":      func() string { return a.record },
		"__kb_st":       func() int { return a.status },
		"__kb_one":      func(...string) int { return 1 },
		"__kb_close":    a.close,
		"__kb_system":   a.system,
		"__kb_fflush":   func(...string) int { a.flush(); return 0 },
		"__kb_nextfile": func() int { a.current = nil; return 0 },
		"__kb_argc":     func() int { return len(a.args) + 1 },
		"__kb_arg": func(i int) string {
			if i < 1 || i > len(a.args) {
				return a.name
			}
			return a.args[i-1]
		},
		"__kb_reset": func() int { a.queue, a.files = nil, false; return 0 },
		"__kb_push":  a.push,
		"__kb_esc":   escape,
		"__kb_add":   func(k string) int { a.keys = append(a.keys, k); return 0 },
		"__kb_begin": func() int {
			sort.Slice(a.keys, func(i, j int) bool { return keyLess(a.keys[i], a.keys[j]) })
			if a.loops == nil {
				a.loops = map[int][]string{}
			}
			a.loop++
			a.loops[a.loop], a.keys = a.keys, nil
			return a.loop
		},
		"__kb_has": func(id int) int {
			if len(a.loops[id]) > 0 {
				return 1
			}
			delete(a.loops, id)
			return 0
		},
		"__kb_next": func(id int) string {
			k := a.loops[id][0]
			a.loops[id] = a.loops[id][1:]
			return k
		},
	}
}

// substr is awk's, whose start and length are rounded and may lie outside.
func substr(s string, from float64, length ...float64) string {
	r := []rune(s)
	begin, end := math.RoundToEven(from), math.Inf(1)
	if len(length) > 0 {
		end = begin + math.RoundToEven(length[0])
	}
	begin, end = max(begin, 1), min(end, float64(len(r)+1))
	if !(begin < end) {
		return ""
	}
	return string(r[int(begin)-1 : int(end)-1])
}

// keyLess is the order in which a for loop visits an array: numbers first.
func keyLess(x, y string) bool {
	m, errX := strconv.ParseFloat(x, 64)
	n, errY := strconv.ParseFloat(y, 64)
	switch {
	case errX == nil && errY == nil && m != n:
		return m < n
	case (errX == nil) != (errY == nil):
		return errX == nil
	}
	return x < y
}

func (a *awk) redirect(op, name string) string {
	const multiplexed = "/dev/stderr" // goawk's name for what is given as its error output
	a.to = nil
	switch {
	case op == "|":
	case name == "-" || name == "/dev/stdout":
		a.to = a
		return multiplexed
	case name == "/dev/stderr":
		a.flush()
		return multiplexed
	}
	s := a.streams[name]
	if s == nil {
		s = &stream{name: name}
		a.flush()
		if op == "|" {
			s.pipe = a.Proc.Kernel().NewPipe(0)
			s.w = s.pipe
			s.proc = a.start(name, s.pipe, a.Stdout, s.pipe.CloseRead)
		} else {
			f, err := a.create(name, op == ">>")
			if err != nil {
				a.fail(a.name + ": cannot open \"" + name + "\" for output (" + vfs.Reason(err) + ")\n")
				a.Proc.Exit(2)
			}
			s.w = f
		}
		a.streams[name] = s
		a.opened = append(a.opened, s)
	}
	a.to = s.w
	return multiplexed
}

func (a *awk) create(name string, more bool) (io.Writer, error) {
	p := a.Path(name)
	_, missing := a.FS.Stat(p)
	if a.UID != 0 {
		changed := p
		if missing != nil {
			changed = path.Dir(p)
		}
		if info, err := a.FS.Stat(changed); err == nil && info.Mode()&fs.ModeDevice == 0 {
			if err := a.FS.Access(changed, a.UID, 2); err != nil {
				return nil, err
			}
		}
	}
	flag := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if more {
		flag = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	f, err := a.FS.Open(p, flag, 0o644)
	if err != nil {
		return nil, err
	}
	if missing != nil && a.UID != 0 {
		a.FS.Own(p, a.UID)
	}
	return f, nil
}

// start runs a command in a shell of its own.
func (a *awk) start(command string, in io.Reader, out io.Writer, end func()) *kernel.Proc {
	c := a.Context.Clone()
	c.Stdin, c.Stdout = in, out
	argv := []string{"sh", "-c", command}
	p := a.Proc.Kernel().Spawn(a.Proc, "sh", func(p *kernel.Proc) int {
		c.Proc = p
		if sh := c.Lookup("sh"); sh != nil {
			return sh(c, argv) & 255
		}
		return 127
	})
	if end != nil {
		p.AtExit(end)
	}
	if a.System != nil {
		a.System.Register(p, argv)
	}
	return p
}

func (a *awk) join(p *kernel.Proc) int {
	for {
		code, err := a.Proc.Join(p)
		if err == nil {
			return code
		}
	}
}

func (a *awk) system(command string) int {
	a.flush()
	return a.join(a.start(command, a.Stdin, a.Stdout, nil))
}

// close ends a stream: 0 or the command's status, -1 when there is none.
func (a *awk) close(name string) int {
	s := a.streams[name]
	if s == nil {
		return -1
	}
	a.flush()
	delete(a.streams, name)
	for i, o := range a.opened {
		if o == s {
			a.opened = append(a.opened[:i:i], a.opened[i+1:]...)
			break
		}
	}
	if s.pipe != nil {
		if s.in != nil {
			s.pipe.CloseRead()
		} else {
			s.pipe.CloseWrite()
		}
		return a.join(s.proc)
	}
	return 0
}

func (a *awk) getline(name, rs string, command bool) int {
	s := a.streams[name]
	if s == nil || s.in == nil {
		s = &stream{name: name}
		if command {
			a.flush()
			s.pipe = a.Proc.Kernel().NewPipe(0)
			s.proc = a.start(name, a.Stdin, s.pipe, s.pipe.CloseWrite)
			s.in = &records{from: file{&a.run, s.pipe}}
		} else {
			f, err := a.open(name)
			if err != nil {
				a.status = -1
				return -1
			}
			s.in = &records{from: f}
		}
		a.streams[name] = s
		a.opened = append(a.opened, s)
	}
	var err error
	a.record, err = s.in.next(rs)
	switch {
	case err == nil:
		a.status = 1
	case errors.Is(err, io.EOF):
		a.status = 0
	default:
		a.status = -1
	}
	return a.status
}

// records reads a stream record by record.
type records struct {
	from io.Reader
	buf  string
	end  error
	sep  string
	last bool // the last record had no separator behind it
	re   *regexp.Regexp
}

func (r *records) next(rs string) (string, error) {
	if rs != r.sep || r.re == nil {
		r.sep, r.re = rs, nil
		switch {
		case rs == "":
			r.re = regexp.MustCompile(`\n\n+`)
		case len(rs) == 1:
			r.re = regexp.MustCompile(regexp.QuoteMeta(rs))
		default:
			re, err := regexp.Compile(rs)
			if err != nil {
				return "", err
			}
			r.re = re
		}
	}
	for {
		if rs == "" {
			r.buf = strings.TrimLeft(r.buf, "\n")
		}
		// A separator at the very end of what has come may still grow.
		if m := r.re.FindStringIndex(r.buf); m != nil && (m[1] < len(r.buf) || len(rs) == 1 || r.end != nil) {
			rec := r.buf[:m[0]]
			r.buf = r.buf[m[1]:]
			return rec, nil
		}
		if r.end != nil {
			if r.buf == "" {
				return "", r.end
			}
			rec := r.buf
			r.last = true
			if rs == "" {
				rec = strings.TrimRight(rec, "\n")
			}
			r.buf = ""
			return rec, nil
		}
		chunk := make([]byte, 8<<10)
		n, err := r.from.Read(chunk)
		r.buf += string(chunk[:n])
		r.end = err
	}
}
