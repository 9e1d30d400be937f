// Package shell is the simulation's shell: the bash dialect, evaluated
// statement by statement on processes of the kernel. Parsing is mvdan.cc/sh's;
// expansion, evaluation, jobs and builtins are here (RATIONALE.md says why).
// The tools live in package tool; kubectl and the rest are found through the
// context's Lookup.
package shell

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
)

// Version is what $BASH_VERSION says.
const Version = "5.2.15(1)-release"

// Flavour is whose words the shell uses.
type Flavour int

// The flavours.
const (
	Bash Flavour = iota
	Ash          // busybox sh
)

// Options are what a shell is started with.
type Options struct {
	Name        string // prefix of errors and $0; "bash" when empty
	Flavour     Flavour
	Args        []string // positional parameters
	Interactive bool     // a terminal's shell: errors do not end it, jobs are announced
	ShowLine    bool     // errors name the line, as in scripts and -c
	Random      func() uint64
	ProcLimit   int // processes of this shell and all below it; 256 when 0
}

type flow int

const (
	flowNone flow = iota
	flowBreak
	flowContinue
	flowReturn
	flowDiscard // back to the next top-level command
	flowExit
)

// Shell is one shell process: its variables, functions, options, descriptors
// and jobs. A subshell is a copy on a process of its own.
type Shell struct {
	Dir string // working directory

	ctx     *program.Context
	proc    *kernel.Proc
	tree    *tree
	flavour Flavour
	name    string
	arg0    string
	script  string // file being run, "" for -c and terminals
	pid     int
	ppid    int

	vars      map[string]*Var
	token     *int // who may change a Var in place
	scopes    []*scope
	funcs     map[string]*syntax.Stmt
	aliases   map[string]string
	params    []string
	opts      map[byte]bool
	shopts    map[string]bool
	traps     map[string]string
	fds       map[int]*desc
	dirStack  []string
	hashed    map[string]string
	funcNames []string
	disabled  map[string]bool
	umask     uint32

	jobs       []*job
	jobSeq     int
	jobChanged *kernel.WaitQueue
	lastBg     int
	fg         []*kernel.Proc
	sigs       []kernel.Signal
	inTrap     bool
	exitRan    bool

	status      int
	pipeStatus  []int
	substStatus int
	flow        flow
	flowCount   int
	loops       int
	noErr       int // > 0 where a failure does not count for set -e
	depth       int
	arithDepth  int
	subshell    int
	sourcing    int
	tail        bool // the process ends with this command: run programs in place
	interactive bool
	showLine    bool
	line        int
	lineBase    int
	lastArg     string
	command     string
	optPos      int
	cleanups    []func()
	keepRedirs  bool
	worked      int

	random       uint64
	randomSeeded bool
	randSource   func() uint64
	secondsBase  int64
}

// tree is what a shell shares with every subshell below it.
type tree struct {
	pid     int
	live    int
	limit   int
	memory  int
	refuse  time.Time // no new processes before
	warned  int
	pids    map[int]*kernel.Proc
	nextTmp int
}

// maxDepth bounds functions, eval and source within each other.
const maxDepth = 400

var defaultShopts = []string{"expand_aliases", "extglob", "sourcepath", "promptvars", "interactive_comments", "progcomp", "checkwinsize", "cmdhist", "complete_fullquote", "extquote", "force_fignore", "globasciiranges", "globskipdots", "hostcomplete", "patsub_replacement"}

// New returns a shell on the context's process, whose streams, environment and
// directory it takes.
func New(c *program.Context, o Options) *Shell {
	s := &Shell{
		ctx: c, proc: c.Proc, Dir: c.Dir, flavour: o.Flavour, name: o.Name, params: o.Args,
		vars: map[string]*Var{}, token: new(int), funcs: map[string]*syntax.Stmt{}, aliases: map[string]string{},
		opts: map[byte]bool{'h': true, 'B': true}, shopts: map[string]bool{}, traps: map[string]string{},
		fds: map[int]*desc{}, disabled: map[string]bool{}, umask: 0o022, jobChanged: &kernel.WaitQueue{},
		interactive: o.Interactive, showLine: o.ShowLine, randSource: o.Random,
		tree: &tree{limit: o.ProcLimit, pids: map[int]*kernel.Proc{}},
	}
	if s.name == "" {
		s.name = "bash"
	}
	if s.Dir == "" {
		s.Dir = "/"
	}
	if s.tree.limit == 0 {
		s.tree.limit = 256
	}
	s.arg0 = s.name
	for _, n := range defaultShopts {
		s.shopts[n] = true
	}
	s.shopts["expand_aliases"] = o.Interactive
	s.shopts["extglob"] = true
	if o.Interactive {
		s.opts['i'], s.opts['m'], s.opts['H'] = true, true, true
	}
	if s.proc != nil {
		s.pid = s.pidOf(s.proc)
		s.tree.pids[s.pid] = s.proc
		if s.proc.Parent != nil {
			s.ppid = s.proc.Parent.ID
			if c.System != nil {
				s.ppid = c.System.PID(s.proc.Parent)
			}
		}
		s.random = uint64(s.pid)*2654435761 + 12345
		s.secondsBase = s.now().Unix()
	}
	s.tree.pid = s.pid
	s.fds[0] = &desc{r: c.Stdin, refs: 1, tty: c.TTY != nil}
	s.fds[1] = &desc{w: c.Stdout, refs: 1, tty: c.TTY != nil}
	s.fds[2] = &desc{w: c.Stderr, refs: 1, tty: c.TTY != nil}
	for k, v := range c.Env {
		if syntax.ValidName(k) {
			s.vars[k] = &Var{Set: true, Exported: true, str: v, size: len(v), owner: s.token}
		}
	}
	set := func(k, v string) {
		if _, ok := s.vars[k]; !ok {
			s.vars[k] = &Var{Set: true, str: v, owner: s.token}
		}
	}
	set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	set("IFS", " \t\n")
	s.vars["IFS"].str = " \t\n"
	set("PS4", "+ ")
	set("OPTIND", "1")
	if o.Flavour == Bash {
		set("BASH", "/bin/bash")
		set("BASH_VERSION", Version)
		set("HOSTNAME", c.Host)
		set("HOSTTYPE", "x86_64")
		set("OSTYPE", "linux-gnu")
		set("MACHTYPE", "x86_64-pc-linux-gnu")
		set("SHELL", "/bin/bash")
		s.vars["BASH_VERSINFO"] = &Var{Kind: Indexed, Set: true, ReadOnly: true, list: []string{"5", "2", "15", "1", "release", "x86_64-pc-linux-gnu"}, owner: s.token}
	}
	lvl := 0
	fmt.Sscan(s.Get("SHLVL"), &lvl)
	s.export("SHLVL", fmt.Sprint(lvl+1))
	s.export("PWD", s.Dir)
	if s.proc != nil {
		s.proc.OnSignal = s.onSignal
	}
	return s
}

func (s *Shell) now() time.Time {
	if s.proc == nil {
		return time.Time{}
	}
	return s.proc.Now()
}

// Context is what the shell was started with.
func (s *Shell) Context() *program.Context { return s.ctx }

// Status is $?.
func (s *Shell) Status() int { return s.status }

// Exited reports that the shell has run exit: a terminal closes.
func (s *Shell) Exited() bool { return s.flow == flowExit }

// Params are the positional parameters.
func (s *Shell) Params() []string { return s.params }

func (s *Shell) pidOf(p *kernel.Proc) int {
	if s.ctx.System != nil {
		if n := s.ctx.System.PID(p); n != 0 {
			return n
		}
	}
	return p.ID
}

// prefix opens an error message: "bash: ", "x.sh: line 3: ".
func (s *Shell) prefix() string {
	if s.flavour == Ash {
		if s.showLine && s.script != "" {
			return fmt.Sprintf("%s: line %d: ", s.name, s.line)
		}
		return s.name + ": "
	}
	if s.showLine {
		return fmt.Sprintf("%s: line %d: ", s.name, s.line)
	}
	return s.name + ": "
}

func (s *Shell) errorf(format string, args ...any) {
	s.fdWrite(2, []byte(s.prefix()+fmt.Sprintf(format, args...)+"\n"))
}

// fail reports an error of an expansion or assignment and decides how far it
// throws the shell back.
func (s *Shell) fail(err error) {
	if err == nil || s.flow == flowExit {
		return
	}
	var fatal *fatalError
	var expr *exprError
	if errors.Is(err, errInterrupted) {
		return
	}
	if errors.As(err, &fatal) {
		s.errorf("%s", fatal.text)
		s.status = fatal.status
		if s.interactive && s.subshell == 0 {
			s.flow = flowDiscard
			return
		}
		if strings.HasSuffix(fatal.text, ": readonly variable") {
			s.flow = flowDiscard
			return
		}
		if strings.HasSuffix(fatal.text, "unbound variable") && s.script == "" && s.showLine || !strings.HasSuffix(fatal.text, "unbound variable") && s.script == "" && s.showLine && fatal.status == 1 {
			s.status = 127
		}
		s.flow = flowExit
		return
	}
	s.errorf("%s", err.Error())
	s.status = 1
	if errors.As(err, &expr) {
		s.flow = flowDiscard
	}
}

var errInterrupted = errors.New("interrupted")

// tick is called at every statement and loop turn.
func (s *Shell) tick() {
	if s.proc != nil {
		s.proc.Tick()
	}
	if len(s.sigs) > 0 {
		s.handleSignals()
	}
}

// work counts n bytes of an expansion as ticks, so that large expansions yield
// as often as many small statements do.
func (s *Shell) work(n int) {
	s.worked += n
	for ; s.worked >= 512 && s.proc != nil; s.worked -= 512 {
		s.proc.Tick()
	}
}

// Run parses and executes the text, command by command, and returns the last
// status. name is the script's file name, "" when there is none. After a
// syntax error what came before has run; the status is 2. The EXIT trap runs
// when the text called exit; hosts call Close when the shell ends otherwise.
func (s *Shell) Run(src, name string) int {
	if name != "" {
		s.script = name
	}
	s.source(src)
	if s.flow == flowExit {
		s.runExitTrap()
	} else {
		s.flow = flowNone
	}
	return s.status
}

// Close ends the shell: the EXIT trap runs. It returns the shell's status.
func (s *Shell) Close() int {
	s.runExitTrap()
	return s.status
}

// source runs text in this shell, one line's commands at a time.
func (s *Shell) source(src string) {
	if len(src) > maxSource || nesting(src) > maxNesting {
		s.errorf("syntax error: script is too large or too deeply nested")
		s.status = 2
		return
	}
	src = strings.ReplaceAll(src, "\r\n", "\n")
	if strings.IndexByte(src, 0) >= 0 {
		src = strings.ReplaceAll(src, "\x00", "")
	}
	var group []*syntax.Stmt
	empty := true
	flush := func() bool {
		for _, st := range group {
			empty = false
			s.stmt(st)
			if s.flow != flowNone {
				break
			}
		}
		group = group[:0]
		if s.flow == flowDiscard {
			if s.interactive || s.sourcing == 0 {
				s.flow = flowNone
			}
		}
		return s.flow == flowNone
	}
	done := false
	eachStmt(s.flavour, src, func(st *syntax.Stmt, err error) bool {
		if err != nil {
			done = true
			line := errorLine(err)
			if len(group) > 0 && line > int(group[len(group)-1].End().Line()) {
				if !flush() {
					return false
				}
			}
			s.syntaxError(err, src)
			return false
		}
		if len(group) > 0 && st.Pos().Line() > group[len(group)-1].End().Line() {
			if !flush() {
				done = true
				return false
			}
		}
		group = append(group, st)
		return true
	})
	if done {
		return
	}
	flush()
	if empty && s.flow == flowNone && s.sourcing > 0 {
		s.status = 0
	}
}

// fork is a copy for a subshell; start gives it its process.
func (s *Shell) fork() *Shell {
	c := *s
	s.token, c.token = new(int), new(int)
	c.vars, c.funcs, c.aliases = maps.Clone(s.vars), maps.Clone(s.funcs), maps.Clone(s.aliases)
	c.opts, c.shopts = maps.Clone(s.opts), maps.Clone(s.shopts)
	c.fds = make(map[int]*desc, len(s.fds))
	for n, d := range s.fds {
		d.refs++
		c.fds[n] = d
	}
	c.traps = map[string]string{}
	for sig, cmd := range s.traps {
		if cmd == "" {
			c.traps[sig] = ""
		}
	}
	c.scopes = nil
	for _, sc := range s.scopes {
		c.scopes = append(c.scopes, &scope{saved: maps.Clone(sc.saved)})
	}
	ctx := *s.ctx
	c.ctx = &ctx
	c.jobs, c.fg, c.sigs, c.cleanups = nil, nil, nil, nil
	c.jobChanged = &kernel.WaitQueue{}
	c.subshell++
	c.tail, c.exitRan, c.inTrap = false, false, false
	c.interactive = false
	if s.interactive {
		c.opts['i'] = true
	}
	c.randomSeeded = true
	c.random = s.random*2862933555777941757 + 3037000493
	return &c
}

var errFork = errors.New("fork: retry: Resource temporarily unavailable")

// spawn starts a process for the shell; its pid is registered.
func (s *Shell) spawn(name string, args []string, fn func(p *kernel.Proc) int) (*kernel.Proc, error) {
	t := s.tree
	if t.live >= t.limit || s.now().Before(t.refuse) {
		if !s.now().Before(t.refuse) {
			t.warned = 0
		}
		t.refuse = s.now().Add(time.Second)
		if t.warned++; t.warned <= 4 {
			s.errorf("%s", errFork.Error())
		}
		return nil, errFork
	}
	t.live++
	p := s.proc.Kernel().Spawn(s.proc, name, fn)
	pid := p.ID
	if s.ctx.System != nil {
		pid = s.ctx.System.Register(p, args)
	}
	t.pids[pid] = p
	p.AtExit(func() {
		t.live--
		delete(t.pids, pid)
	})
	return p, nil
}

// start runs body in a subshell c on a new process.
func (s *Shell) start(c *Shell, text string, body func(c *Shell)) (*kernel.Proc, error) {
	p, err := s.spawn("subshell", []string{s.name}, func(p *kernel.Proc) int {
		c.proc, c.ctx.Proc = p, p
		p.OnSignal = c.onSignal
		c.ppid, c.pid = c.pid, c.pidOf(p)
		defer c.runCleanups()
		body(c)
		c.runExitTrap()
		return c.status & 255
	})
	if err != nil {
		c.closeAll()
		s.status = 254
		return nil, err
	}
	p.AtExit(c.closeAll)
	return p, nil
}

func (s *Shell) closeAll() {
	for n, d := range s.fds {
		d.close()
		delete(s.fds, n)
	}
}

func (s *Shell) runCleanups() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
	s.cleanups = nil
}

// join waits for a foreground process.
func (s *Shell) join(p *kernel.Proc) int {
	s.fg = append(s.fg, p)
	defer func() {
		for i, q := range s.fg {
			if q == p {
				s.fg = append(s.fg[:i:i], s.fg[i+1:]...)
				break
			}
		}
	}()
	for {
		code, err := s.proc.Join(p)
		if err == nil {
			if code >= 128+1 && code == 128+int(kernel.SIGINT) && len(s.sigs) > 0 {
				s.handleSignals()
			}
			return code
		}
		for _, sig := range s.sigs {
			if sig != kernel.SIGINT {
				if _, trapped := s.traps[sigName(sig)]; !trapped {
					s.handleSignals()
					return 128 + int(sig)
				}
			}
		}
	}
}

// desc is an open descriptor, shared by whoever has it in a table.
type desc struct {
	r       io.Reader
	w       io.Writer
	refs    int
	tty     bool
	onClose func()
}

func (d *desc) close() {
	if d.refs--; d.refs == 0 && d.onClose != nil {
		d.onClose()
	}
}

// fdWrite writes to a descriptor; a broken pipe ends the process as SIGPIPE
// does.
func (s *Shell) fdWrite(fd int, b []byte) error {
	d := s.fds[fd]
	if d == nil || d.w == nil {
		return errBadFD
	}
	for len(b) > 0 {
		n, err := d.w.Write(b)
		b = b[min(n, len(b)):]
		if err == nil {
			return nil
		}
		if errors.Is(err, kernel.ErrInterrupted) {
			if len(s.sigs) > 0 {
				s.handleSignals()
				if s.flow >= flowDiscard {
					return nil
				}
			}
			continue
		}
		if errors.Is(err, kernel.ErrBrokenPipe) {
			if cmd, ok := s.traps["PIPE"]; ok && cmd == "" {
				return err
			}
			s.status, s.flow = 141, flowExit
			if s.subshell > 0 {
				s.proc.Exit(141)
			}
			return nil
		}
		return err
	}
	return nil
}

type errnoText string

func (e errnoText) Error() string { return string(e) }

const errBadFD = errnoText("bad file descriptor")

// fdReader is what reads a descriptor and goes on after signals that the shell
// survives.
type fdReader struct {
	s  *Shell
	fd int
}

func (r fdReader) Read(b []byte) (int, error) {
	d := r.s.fds[r.fd]
	if d == nil || d.r == nil {
		return 0, errBadFD
	}
	for {
		n, err := d.r.Read(b)
		if err == nil || !errors.Is(err, kernel.ErrInterrupted) {
			if n == 0 && err == nil {
				err = r.s.proc.Yield()
				if err == nil {
					continue
				}
			}
			return n, err
		}
		if len(r.s.sigs) > 0 {
			r.s.handleSignals()
			if r.s.flow >= flowDiscard {
				return 0, kernel.ErrInterrupted
			}
		}
	}
}

func (s *Shell) out(format string, args ...any) {
	s.fdWrite(1, []byte(fmt.Sprintf(format, args...)))
}

func (s *Shell) optionLetters() string {
	letters := ""
	for _, c := range "abefhkmnptuvxBCEHPT" {
		if s.opts[byte(c)] {
			letters += string(c)
		}
	}
	if s.opts['i'] {
		letters = strings.Replace(letters, "h", "hi", 1)
	}
	if s.opts['c'] {
		letters += "c"
	}
	return letters
}
