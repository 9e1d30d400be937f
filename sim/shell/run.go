// How a simple command finds its program and runs it; scripts; command and
// process substitution.

package shell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// run executes expanded words: a function, a builtin or a program.
func (s *Shell) run(args []string) {
	if fn, ok := s.funcs[args[0]]; ok {
		s.callFunc(args, fn)
		return
	}
	if s.runBuiltin(args) {
		return
	}
	s.runProgram(args)
}

func (s *Shell) runBuiltin(args []string) bool {
	if s.disabled[args[0]] {
		return false
	}
	b, ok := builtins[args[0]]
	if !ok {
		return false
	}
	s.tail = false
	status := b(s, args)
	if s.flow < flowDiscard || args[0] == "exit" {
		s.status = status
	}
	return true
}

func (s *Shell) callFunc(args []string, body *syntax.Stmt) {
	limit := maxDepth
	if s.depth >= limit {
		s.errorf("%s: maximum function nesting level exceeded (%d)", args[0], limit)
		s.status = 1
		s.flow = flowDiscard
		if !s.interactive {
			s.flow = flowExit
		}
		return
	}
	s.depth++
	params, loops, tail := s.params, s.loops, s.tail
	s.params, s.loops, s.tail = args[1:], 0, false
	s.scopes = append(s.scopes, &scope{saved: map[string]*Var{}})
	s.funcNames = append(s.funcNames, args[0])
	s.stmt(body)
	s.funcNames = s.funcNames[:len(s.funcNames)-1]
	s.restore(s.scopes[len(s.scopes)-1].saved)
	s.scopes = s.scopes[:len(s.scopes)-1]
	s.params, s.loops, s.tail = params, loops, tail
	s.depth--
	if s.flow == flowReturn {
		s.flow = flowNone
	}
	if cmd, ok := s.traps["RETURN"]; ok {
		s.runTrap(cmd)
	}
}

var standardDirs = map[string]bool{"/bin": true, "/usr/bin": true, "/usr/local/bin": true, "/sbin": true, "/usr/sbin": true, "/usr/local/sbin": true}

// find is what a command name stands for: a program, or a script's path.
func (s *Shell) find(name string) (prog program.Program, script string, status int, reason string) {
	if strings.Contains(name, "/") {
		return s.findPath(name)
	}
	dirs := strings.Split(s.Get("PATH"), ":")
	standard := false
	denied := ""
	for _, d := range dirs {
		if d == "" {
			d = "."
		}
		p := vfs.Join(s.Dir, d)
		standard = standard || standardDirs[p]
		file := path.Join(p, name)
		info, err := s.ctx.FS.Stat(file)
		if err != nil || info.IsDir() {
			continue
		}
		if s.ctx.FS.Access(file, s.ctx.UID, 1) != nil {
			denied = file
			continue
		}
		prog, script, status, reason = s.findPath(file)
		if prog != nil || script != "" {
			return
		}
	}
	if standard {
		if prog := s.ctx.Lookup(name); prog != nil {
			return prog, "", 0, ""
		}
	}
	if denied != "" {
		return nil, "", 126, "Permission denied"
	}
	return nil, "", 127, ""
}

func (s *Shell) findPath(name string) (program.Program, string, int, string) {
	p := vfs.Join(s.Dir, name)
	info, err := s.ctx.FS.Stat(p)
	if err != nil {
		if standardDirs[path.Dir(p)] {
			if prog := s.ctx.Lookup(path.Base(p)); prog != nil {
				return prog, "", 0, ""
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, "", 127, "No such file or directory"
		}
		return nil, "", 126, vfs.Reason(err)
	}
	if info.IsDir() {
		return nil, "", 126, "Is a directory"
	}
	if s.ctx.FS.Access(p, s.ctx.UID, 1) != nil {
		return nil, "", 126, "Permission denied"
	}
	f, err := s.ctx.FS.Open(p, 0, 0)
	if err != nil {
		return nil, "", 126, vfs.Reason(err)
	}
	head := make([]byte, 64)
	n, _ := f.Read(head)
	head = head[:n]
	if len(head) == 0 || bytes.HasPrefix(head, []byte("\x7fELF")) {
		base := path.Base(p)
		if real, err := s.ctx.FS.Realpath(p); err == nil && s.ctx.Lookup(base) == nil {
			base = path.Base(real)
		}
		if prog := s.ctx.Lookup(base); prog != nil {
			return prog, "", 0, ""
		}
		if len(head) > 0 {
			return nil, "", 126, "cannot execute binary file: Exec format error"
		}
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return nil, "", 126, "cannot execute binary file: Exec format error"
	}
	return nil, name, 0, ""
}

// runProgram starts a program or script and waits for it.
func (s *Shell) runProgram(args []string) {
	prog, script, status, reason := s.find(args[0])
	if prog == nil && script == "" {
		s.notFound(args[0], status, reason)
		return
	}
	if script != "" {
		if prog = s.scriptProgram(script); prog == nil {
			return
		}
	}
	if s.tail {
		s.proc.OnSignal = nil
		if len(s.sigs) > 0 {
			s.proc.Exit(128 + int(s.sigs[0]))
		}
		c := s.programContext(s.proc)
		if s.ctx.System != nil {
			s.ctx.System.Register(s.proc, args)
		}
		s.status = prog(c, args)
		s.flow = flowExit
		s.exitRan = true
		return
	}
	child := &Shell{fds: map[int]*desc{}}
	for n, d := range s.fds {
		d.refs++
		child.fds[n] = d
	}
	c := s.programContext(nil)
	p, err := s.spawn(args[0], args, func(p *kernel.Proc) int {
		c.Proc = p
		return prog(c, args) & 255
	})
	if err != nil {
		child.closeAll()
		s.status = 254
		return
	}
	p.AtExit(child.closeAll)
	s.status = s.join(p)
}

func (s *Shell) notFound(name string, status int, reason string) {
	s.status = status
	if reason != "" {
		if s.flavour == Ash {
			if status == 127 {
				reason = "not found"
			}
		}
		s.errorf("%s: %s", name, reason)
		return
	}
	if fn, ok := s.funcs["command_not_found_handle"]; ok {
		s.callFunc([]string{"command_not_found_handle", name}, fn)
		return
	}
	if s.flavour == Ash {
		s.errorf("%s: not found", name)
		return
	}
	s.errorf("%s: command not found", name)
}

// programContext is what a program started now gets.
func (s *Shell) programContext(p *kernel.Proc) *program.Context {
	c := *s.ctx
	c.Proc, c.Dir, c.Env = p, s.Dir, s.environ()
	if s.lastArg != "" {
		c.Env["_"] = s.lastArg
	}
	c.Stdin, c.Stdout, c.Stderr = io.Reader(emptyReader{}), io.Writer(closedWriter{}), io.Writer(closedWriter{})
	if d := s.fds[0]; d != nil && d.r != nil {
		c.Stdin = d.r
	}
	if d := s.fds[1]; d != nil && d.w != nil {
		c.Stdout = d.w
	}
	if d := s.fds[1]; d == nil || !d.tty {
		c.TTY = nil
	}
	if d := s.fds[2]; d != nil && d.w != nil {
		c.Stderr = d.w
	}
	return &c
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, io.EOF }

type closedWriter struct{}

func (closedWriter) Write(b []byte) (int, error) { return 0, errBadFD }

// scriptProgram runs an executable text file: its #! line names the
// interpreter, else this shell reads it.
func (s *Shell) scriptProgram(script string) program.Program {
	data, err := s.ctx.FS.ReadFile(vfs.Join(s.Dir, script))
	if err != nil {
		s.errorf("%s: %s", script, vfs.Reason(err))
		s.status = 126
		return nil
	}
	line, _, _ := strings.Cut(string(data[:min(len(data), 256)]), "\n")
	if !strings.HasPrefix(line, "#!") {
		shell := Program(s.flavour, s.name)
		return func(c *program.Context, args []string) int {
			return shell(c, append([]string{s.name, script}, args[1:]...))
		}
	}
	words := strings.Fields(line[2:])
	if len(words) > 0 && path.Base(words[0]) == "env" && len(words) > 1 {
		words = words[1:]
		if words[0] == "-S" {
			words = words[1:]
		}
	}
	if len(words) > 0 {
		if prog := s.ctx.Lookup(path.Base(words[0])); prog != nil {
			return func(c *program.Context, args []string) int {
				argv := append([]string{path.Base(words[0])}, words[1:]...)
				return prog(c, append(append(argv, script), args[1:]...))
			}
		}
	}
	interp := strings.TrimSpace(line[2:])
	s.errorf("%s: %s: bad interpreter: No such file or directory", script, interp)
	s.status = 126
	return nil
}

// collector takes the output of a command substitution.
type collector struct {
	buf  bytes.Buffer
	done kernel.WaitQueue
	over bool
}

func (c *collector) Write(b []byte) (int, error) {
	if c.buf.Len()+len(b) > maxExpansion {
		c.over = true
		return 0, kernel.ErrBrokenPipe
	}
	return c.buf.Write(b)
}

// cmdSubst runs $(…) and returns its output without trailing newlines.
func (s *Shell) cmdSubst(cs *syntax.CmdSubst) (string, error) {
	if len(cs.Stmts) == 0 {
		s.substStatus = 0
		return "", nil
	}
	if len(cs.Stmts) == 1 {
		if st := cs.Stmts[0]; st.Cmd == nil && len(st.Redirs) == 1 && st.Redirs[0].Op == syntax.RdrIn && st.Redirs[0].N == nil {
			name, err := s.literal(st.Redirs[0].Word)
			if err != nil {
				return "", err
			}
			d, err := s.open(name, openRead)
			if err != nil {
				s.errorf("%s: %s", name, vfs.Reason(err))
				s.substStatus = 1
				return "", nil
			}
			data, _ := io.ReadAll(io.LimitReader(d.r, maxExpansion+1))
			d.close()
			if len(data) > maxExpansion {
				return "", errMemory()
			}
			s.substStatus = 0
			return trimOutput(data), nil
		}
	}
	out := &collector{}
	d := &desc{w: out, refs: 1}
	d.onClose = out.done.Wake
	c := s.fork()
	c.noErr = 0
	if s.flavour == Bash {
		c.opts['e'] = false
	}
	c.setFD(1, d)
	p, err := s.start(c, "", func(c *Shell) {
		c.tail = len(cs.Stmts) == 1
		c.stmts(cs.Stmts)
	})
	if err != nil {
		s.substStatus = 254
		return "", nil
	}
	code := s.join(p)
	for d.refs > 0 && s.flow == flowNone {
		if err := s.proc.Wait(&out.done); err != nil && len(s.sigs) > 0 {
			s.handleSignals()
		}
	}
	if s.flow != flowNone {
		return "", errInterrupted
	}
	s.substStatus = code
	s.status = code
	if out.over {
		return "", errMemory()
	}
	return trimOutput(out.buf.Bytes()), nil
}

func trimOutput(b []byte) string {
	if bytes.IndexByte(b, 0) >= 0 {
		b = bytes.ReplaceAll(b, []byte{0}, nil)
	}
	return strings.TrimRight(string(b), "\n")
}

// pipeDevice is the file behind a process substitution.
type pipeDevice struct{ p *kernel.Pipe }

func (d pipeDevice) Read(b []byte) (int, error) { return d.p.Read(b) }

func (d pipeDevice) Write(b []byte) (int, error) { return d.p.Write(b) }

// procSubst starts the command of <(…) or >(…) and returns the file's name,
// which lives until the command that uses it has ended.
func (s *Shell) procSubst(ps *syntax.ProcSubst) (string, error) {
	pipe := s.proc.Kernel().NewPipe(0)
	c := s.fork()
	c.noErr = 0
	if ps.Op == syntax.CmdOut {
		c.setFD(0, &desc{r: pipe, refs: 1, onClose: pipe.CloseRead})
	} else {
		c.setFD(1, &desc{w: pipe, refs: 1, onClose: pipe.CloseWrite})
	}
	p, err := s.start(c, "", func(c *Shell) {
		c.tail = len(ps.Stmts) == 1
		c.stmts(ps.Stmts)
	})
	if err != nil {
		return "", &exprError{"process substitution failed"}
	}
	n := 63 - s.tree.nextTmp%32
	s.tree.nextTmp++
	name := fmt.Sprintf("/dev/fd/%d", n)
	if _, err := s.ctx.FS.Stat(name); err == nil {
		name = fmt.Sprintf("/dev/fd/%d", 64+s.tree.nextTmp)
	}
	s.ctx.FS.SetDevice(name, pipeDevice{pipe})
	files := s.ctx.FS
	s.lastBg = s.pidOf(p)
	s.cleanups = append(s.cleanups, func() {
		_ = files.Remove(name)
		if ps.Op == syntax.CmdOut {
			pipe.CloseWrite()
			s.join(p)
		} else {
			pipe.CloseRead()
		}
	})
	return name, nil
}
