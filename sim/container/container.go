// One container: its configuration, and its life from created through running
// to exited.

package container

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// State is where a container is in its life.
type State string

// The states of a container.
const (
	Created State = "created"
	Running State = "running"
	Exited  State = "exited"
)

// Config describes a container.
type Config struct {
	Name    string
	Attempt int
	Image   *image.Image
	Argv    []string
	Env     []string // NAME=value; later ones win
	Dir     string   // "" is the image's
	UID     int      // -1 is the image's
	GID     int      // -1 is the image's
	Groups  []int    // further ones
	Mounts  []Mount
	// MemoryLimit is in bytes, CPULimit in thousandths of a core; 0 is none.
	MemoryLimit int64
	CPULimit    int64
	Stdin       bool
	StdinOnce   bool
	TTY         bool
	ReadOnly    bool // the root file system
	// MessagePath is where the program may leave a termination message.
	MessagePath string
	// Target is the container whose processes an ephemeral container sees.
	Target *Container
}

// Mount puts a volume into a container. Source is asked for when the file
// system is first looked at.
type Mount struct {
	Path     string
	SubPath  string
	ReadOnly bool
	Source   func() *vfs.FS
}

// Container is one container.
type Container struct {
	Config
	ID       string
	State    State
	Created  time.Time
	Started  time.Time
	Finished time.Time
	ExitCode int
	Reason   string // Completed, Error, OOMKilled, StartError
	Message  string

	rt       *Runtime
	uri      string // ID is a part of it
	sb       *Sandbox
	log      *Log
	root     *vfs.FS
	procs    []*process // by pid
	nextPID  int
	main     *process
	stdin    *kernel.Pipe
	attached []*attachment
	onExit   []func()
	memory   int64 // everything charged, the base included
	peak     int64
	stopping bool
	quiet    bool // being restored: say nothing at the start
	sigkill  *clock.Timer
	cpu      meter
	onWrite  func()
	events   []func() // told when something a probe may see has changed
}

// StartError is why a container could not be started, in containerd's and runc's words.
type StartError struct{ Cause string }

func (e *StartError) Error() string {
	return "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: " + e.Cause
}

const vfsSticky = fs.ModeSticky

func vfsMode(m uint32) fs.FileMode { return fs.FileMode(m) & fs.ModePerm }

// userOf parses "uid[:gid]".
func userOf(s string) (uid, gid int) {
	u, g, _ := strings.Cut(s, ":")
	uid, _ = strconv.Atoi(u)
	gid, _ = strconv.Atoi(g)
	return uid, gid
}

const uriScheme = "containerd://"

// URI is the container's id with the runtime's name, as the API shows it.
func (c *Container) URI() string { return c.uri }

// Create makes a container in the sandbox; it does not run yet.
func (s *Sandbox) Create(cfg Config) *Container { return s.create(cfg, s.rt.ids.Hex(32)) }

func (s *Sandbox) create(cfg Config, id string) *Container {
	uri := uriScheme + id
	c := &Container{Config: cfg, ID: uri[len(uriScheme):], uri: uri, State: Created, Created: s.rt.Clock.Now(), rt: s.rt, sb: s,
		log: &Log{limit: s.rt.LogLimit}, nextPID: 1}
	uid, gid := userOf(cfg.Image.User)
	if c.UID < 0 {
		c.UID = uid
	}
	if c.GID < 0 {
		c.GID = gid
	}
	if c.Dir == "" {
		c.Dir = cfg.Image.WorkDir
	}
	if c.Dir == "" {
		c.Dir = "/"
	}
	s.containers = append(s.containers, c)
	s.rt.changed(c)
	return c
}

// environ is the environment that programs of the container get, a map of the
// caller's own.
func (c *Container) environ() map[string]string {
	env := map[string]string{"PATH": defaultPath, "HOSTNAME": c.sb.Hostname}
	maps.Copy(env, c.Image.Env)
	for _, kv := range c.Env {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	if env["HOME"] == "" {
		env["HOME"] = c.home()
	}
	if c.TTY && env["TERM"] == "" {
		env["TERM"] = "xterm"
	}
	return env
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// getenv is one variable of environ, "" when it is not set.
func (c *Container) getenv(name string) string {
	v, ok := c.Image.Env[name]
	for i := len(c.Env) - 1; i >= 0; i-- {
		if k, s, _ := strings.Cut(c.Env[i], "="); k == name {
			v, ok = s, true
			break
		}
	}
	switch {
	case ok && v != "":
	case name == "HOME":
		return c.home()
	case name == "TERM" && c.TTY:
		return "xterm"
	case !ok && name == "PATH":
		return defaultPath
	case !ok && name == "HOSTNAME":
		return c.sb.Hostname
	}
	return v
}

func (c *Container) home() string {
	switch {
	case c.UID == 0:
		return "/root"
	case c.Image.WorkDir != "" && c.UserName() != strconv.Itoa(c.UID):
		return c.Image.WorkDir
	}
	return "/"
}

// UserName is the name of the container's user, or its number.
func (c *Container) UserName() string {
	uid, _ := userOf(c.Image.User)
	switch {
	case c.UID == 0:
		return "root"
	case c.UID == uid && c.Image.UserName != "":
		return c.Image.UserName
	case c.UID == 65534:
		return "nobody"
	}
	return strconv.Itoa(c.UID)
}

// Remove forgets the container and its log.
func (s *Sandbox) Remove(c *Container) {
	c.onExit = nil
	c.kill(137, "Error")
	s.containers = slices.DeleteFunc(s.containers, func(o *Container) bool { return o == c })
	s.rt.changed(c)
}

// Sandbox is where the container runs.
func (c *Container) Sandbox() *Sandbox { return c.sb }

// Log is what the container wrote so far.
func (c *Container) Log() *Log { return c.log }

// OnExit calls fn once the container has ended.
func (c *Container) OnExit(fn func()) { c.onExit = append(c.onExit, fn) }

// OnEvent calls fn when something that a probe may notice has changed: a
// listener opened or closed, a command ran inside.
func (c *Container) OnEvent(fn func()) { c.events = append(c.events, fn) }

// OnWrite calls fn when the container writes to its own layer or its log.
func (c *Container) OnWrite(fn func()) { c.onWrite = fn }

func (c *Container) notify() {
	for _, fn := range c.events {
		fn()
	}
}

// Start runs the container's program; a *StartError when that is not possible.
func (c *Container) Start() error {
	now := c.rt.Clock.Now()
	fail := func(cause string) error {
		e := &StartError{cause}
		c.State, c.ExitCode, c.Reason, c.Message = Exited, 128, "StartError", e.Error()
		c.Started, c.Finished = time.Unix(0, 0).UTC(), now
		c.log.close(now)
		c.rt.changed(c)
		return e
	}
	if len(c.Argv) == 0 {
		return fail("exec: \"\": executable file not found in $PATH")
	}
	if st, err := c.dirInfo(); err == nil && !st.IsDir() {
		return fail(fmt.Sprintf("mkdir %s: not a directory", c.Dir))
	}
	argv := c.Argv
	what, err := c.resolve(argv, c.Dir)
	if err != nil {
		return fail(err.Error())
	}
	c.State, c.Started = Running, now
	if c.Stdin {
		c.stdin = c.rt.Kernel.NewPipe(0)
	}
	c.memory = c.Image.Memory()
	c.cpu.idle = c.Image.CPU
	c.main = &process{pid: c.pid(), uid: c.UID, args: what.args, started: now, rss: c.memory}
	c.procs = append(c.procs, c.main)
	if c.limit() > 0 && c.memory > c.limit() {
		c.oom()
		return nil
	}
	if what.behaviour != nil {
		s := &server{c: c, b: what.behaviour, args: what.args, via: what.via, pid: 1, p: c.main, quiet: c.quiet,
			stdout: stream{c, false}, stderr: stream{c, true}}
		s.done = func(code int) { c.exit(code, "") }
		c.main.srv = s
		s.start()
		c.rt.changed(c)
		return nil
	}
	var stdin io.Reader = eof{}
	if c.stdin != nil {
		stdin = c.stdin
	}
	ctx := c.context(stdin, stream{c, false}, stream{c, true})
	if c.TTY {
		ctx.TTY = &terminal{cols: 80, rows: 24}
		ctx.Stderr = ctx.Stdout
	}
	main := c.main
	p := c.rt.Kernel.Spawn(nil, c.sb.Name+"/"+c.Name, func(p *kernel.Proc) int {
		ctx.Proc = p
		_ = p.Sleep(execTime) // a signal that it survives only makes it begin earlier
		return what.program(ctx, what.args)
	})
	main.proc = p
	c.pace(p)
	p.AtExit(func() {
		code, _ := p.Done()
		c.exit(code, "")
	})
	c.rt.changed(c)
	return nil
}

func (c *Container) dirInfo() (fs.FileInfo, error) {
	if c.Dir == "/" {
		return nil, fs.ErrNotExist
	}
	return c.FS().Stat(c.Dir)
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// context is the surroundings of a program in the container.
func (c *Container) context(stdin io.Reader, stdout, stderr io.Writer) *program.Context {
	return &program.Context{FS: c.FS(), Dir: c.Dir, Env: c.environ(), Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Net: c.sb.ns, Lookup: c.Lookup, User: c.UserName(), UID: c.UID, Host: c.sb.Hostname, System: c}
}

// Stop asks the program to end and kills it after grace. The image chooses the
// signal.
func (c *Container) Stop(grace time.Duration) {
	if c.State != Running {
		return
	}
	if grace <= 0 {
		c.kill(137, "")
		return
	}
	deadline := c.rt.Clock.Now().Add(grace)
	if c.sigkill.Pending() {
		if !deadline.Before(c.sigkill.Due()) {
			return
		}
		c.sigkill.Stop()
	}
	c.sigkill = c.rt.Clock.After(grace, "SIGKILL "+c.sb.Name, func() { c.kill(137, "") })
	if !c.stopping {
		c.stopping = true
		sig := kernel.SIGTERM
		switch c.Image.StopSignal {
		case "SIGQUIT":
			sig = kernel.SIGQUIT
		case "SIGINT":
			sig = kernel.SIGINT
		}
		c.signal(c.main, sig)
	}
}

// kill ends everything at once.
func (c *Container) kill(code int, reason string) {
	if c.State != Running {
		return
	}
	c.exit(code, reason)
}

// exit is the end of pid 1, and so of the container.
func (c *Container) exit(code int, reason string) {
	if c.State != Running {
		return
	}
	now := c.rt.Clock.Now()
	c.State, c.ExitCode, c.Finished = Exited, code, now
	c.sigkill.Stop()
	if c.Reason == "" {
		c.Reason = reason
	}
	if c.Reason == "" {
		c.Reason = "Error"
		if code == 0 {
			c.Reason = "Completed"
		}
	}
	for _, p := range slices.Clone(c.procs) {
		if c.process(p.pid) == nil {
			continue // a worker, gone with its server
		}
		if p.srv != nil {
			p.srv.close()
		}
		if p.proc != nil && p.proc != c.rt.Kernel.Current() {
			p.proc.Signal(kernel.SIGKILL)
		}
	}
	c.procs = nil
	c.memory = 0
	if c.MessagePath != "" && c.root != nil {
		if b, err := c.root.ReadFile(c.MessagePath); err == nil && len(b) > 0 {
			c.Message = string(b[:min(len(b), 4096)])
		}
	}
	c.log.close(now)
	for _, a := range c.attached {
		a.gone = true
		a.wait.Wake()
	}
	c.attached = nil
	c.rt.changed(c)
	fns := c.onExit
	c.onExit = nil
	for _, fn := range fns {
		fn()
	}
}

// Crash ends the container as a fault would.
func (c *Container) Crash(code int) { c.kill(code, "") }

// ── program.System ──────────────────────────────────────────────────────────

// ── exec and attach ─────────────────────────────────────────────────────────

// ── use of resources ────────────────────────────────────────────────────────
