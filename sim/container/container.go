// One container: its life from created through running to exited, its files,
// memory, and what runs in it.

package container

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
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

// process is one entry of the process table.
type process struct {
	pid, ppid int
	uid       int
	args      []string
	started   time.Time
	proc      *kernel.Proc // nil for event-driven servers and their workers
	srv       *server
	rss       int64
}

type attachment struct {
	stdout, stderr io.Writer
	wait           kernel.WaitQueue
	gone           bool
}

// StartError is why a container could not be started, in containerd's and runc's words.
type StartError struct{ Cause string }

func (e *StartError) Error() string {
	return "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: " + e.Cause
}

// ExecError is why a command could not be started in a running container.
type ExecError struct{ ID, Cause string }

func (e *ExecError) Error() string {
	return fmt.Sprintf("failed to exec in container: failed to start exec %q: OCI runtime exec failed: exec failed: unable to start container process: %s", e.ID, e.Cause)
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

// Disk is what the container takes of the node's storage, in bytes: its layer
// and its log.
func (c *Container) Disk() int64 {
	n := int64(c.log.size)
	if c.root != nil {
		n += c.root.Used()
	}
	return n
}

func (c *Container) notify() {
	for _, fn := range c.events {
		fn()
	}
}

// FS is the container's file system, put together at the first call.
func (c *Container) FS() *vfs.FS {
	if c.root == nil {
		c.root = c.rt.Root(c.Image)
		c.root.SetLimit(c.rt.FileLimit)
		c.furnish()
	}
	return c.root
}

// furnish adds what is not part of the kept upper layer: volumes, the files
// that the runtime provides, accounting.
func (c *Container) furnish() {
	f := c.root
	c.bind("/etc/hostname", []byte(c.sb.Hostname+"\n"))
	if c.sb.ManageHost {
		c.bind("/etc/hosts", c.sb.hostsFile())
	}
	c.bind("/etc/resolv.conf", c.sb.resolvConf())
	if c.MessagePath != "" {
		_ = f.MkdirAll(path.Dir(c.MessagePath), 0o755)
		if _, err := f.Stat(c.MessagePath); err != nil {
			_ = f.WriteFile(c.MessagePath, nil, 0o666)
		}
	}
	_ = f.MkdirAll(c.Dir, 0o755)
	for _, m := range c.Mounts {
		src := m.Source()
		if src == nil {
			continue
		}
		mountAt(c.rt.Clock.Now, f, m, src)
	}
	f.SetFunc("/proc/1/cmdline", func() []byte {
		if c.main == nil {
			return nil
		}
		return []byte(strings.Join(c.main.args, "\x00") + "\x00")
	})
	f.SetFunc("/proc/1/comm", func() []byte {
		if c.main == nil {
			return nil
		}
		return []byte(path.Base(strings.TrimSuffix(strings.Fields(c.main.args[0])[0], ":")) + "\n")
	})
	f.SetFunc("/proc/uptime", func() []byte {
		return fmt.Appendf(nil, "%.2f %.2f\n", c.rt.Clock.Since(c.Started).Seconds()+3600, 7200.0)
	})
	f.SetFunc("/proc/loadavg", func() []byte { return []byte("0.20 0.15 0.10 1/200 100\n") })
	f.SetFunc("/proc/meminfo", func() []byte {
		return []byte("MemTotal:       24684096 kB\nMemFree:        20000000 kB\nMemAvailable:   22000000 kB\n")
	})
	f.SetFunc("/sys/fs/cgroup/memory.max", func() []byte {
		if c.MemoryLimit == 0 {
			return []byte("max\n")
		}
		return fmt.Appendf(nil, "%d\n", c.MemoryLimit)
	})
	f.SetFunc("/sys/fs/cgroup/memory.current", func() []byte { return fmt.Appendf(nil, "%d\n", c.memory) })
	f.OnGrow(func(delta int64) error {
		c.charge(nil, delta)
		if c.onWrite != nil && delta > 0 {
			c.onWrite()
		}
		return nil
	})
	groups := []int{c.GID}
	for _, g := range c.Groups {
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	f.SetGroups(groups...)
	if c.ReadOnly {
		f.SetReadOnly(c.MessagePath)
	}
}

func (c *Container) bind(p string, data []byte) {
	if _, err := c.root.Stat("/etc"); err != nil {
		_ = c.root.MkdirAll("/etc", 0o755)
	}
	_ = c.root.WriteFile(p, data, 0o644)
}

// mountAt mounts a volume, or one file or directory of it.
func mountAt(now func() time.Time, f *vfs.FS, m Mount, src *vfs.FS) {
	if m.SubPath == "" {
		_ = f.MkdirAll(m.Path, 0o755)
		f.Mount(m.Path, src, m.ReadOnly)
		return
	}
	sub := vfs.Clean(m.SubPath)
	st, err := src.Stat(sub)
	if err != nil {
		_ = src.MkdirAll(sub, 0o755)
		st, err = src.Stat(sub)
	}
	if err == nil && !st.IsDir() {
		// A single file is bound as it is now: it does not follow updates, as with subPath.
		data, _ := src.ReadFile(sub)
		_ = f.MkdirAll(path.Dir(m.Path), 0o755)
		_ = f.WriteFile(m.Path, data, st.Mode().Perm())
		return
	}
	_ = f.MkdirAll(m.Path, 0o755)
	if _, err := src.Lstat("/..data"); err == nil {
		// of a ConfigMap or the like: as it is now, too
		now := vfs.New(now)
		copyTree(now, src, sub, "/")
		src, sub = now, "/"
	}
	f.MountDir(m.Path, src, sub, m.ReadOnly)
}

func copyTree(dst, src *vfs.FS, from, to string) {
	list, err := src.ReadDir(from)
	if err != nil {
		return
	}
	for _, e := range list {
		a, b := vfs.Join(from, e.Name()), vfs.Join(to, e.Name())
		if st, err := src.Stat(a); err == nil && st.IsDir() {
			_ = dst.MkdirAll(b, st.Mode().Perm())
			copyTree(dst, src, a, b)
		} else if err == nil {
			data, _ := src.ReadFile(a)
			_ = dst.WriteFile(b, data, st.Mode().Perm())
		}
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

func (c *Container) pid() int {
	p := c.nextPID
	c.nextPID++
	return p
}

// context is the surroundings of a program in the container.
func (c *Container) context(stdin io.Reader, stdout, stderr io.Writer) *program.Context {
	return &program.Context{FS: c.FS(), Dir: c.Dir, Env: c.environ(), Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Net: c.sb.ns, Lookup: c.Lookup, User: c.UserName(), UID: c.UID, Host: c.sb.Hostname, System: c}
}

// target is what a command line runs.
type target struct {
	args      []string
	behaviour *image.Behaviour
	program   program.Program
	via       bool // through the image's entrypoint
}

// resolve finds the program of a command line. The error's text is runc's.
func (c *Container) resolve(argv []string, dir string) (*target, error) {
	via := false
	for depth := 0; ; depth++ {
		name := argv[0]
		if b := c.behaviour(name); b != nil {
			b = mode(b, argv)
			if p := c.command(b); p != nil {
				return &target{args: argv, program: p}, nil
			}
			if b.Kind != "entrypoint" {
				return &target{args: argv, behaviour: b, via: via}, nil
			}
			via = true
			if len(argv) == 1 || depth > 8 {
				return &target{args: argv, program: func(*program.Context, []string) int { return 0 }}, nil
			}
			argv = argv[1:]
			// An entrypoint script hands flags to the image's own program.
			if strings.HasPrefix(argv[0], "-") && len(c.Image.Command) > 0 {
				argv = append([]string{c.Image.Command[0]}, argv...)
			}
			continue
		}
		if p := c.find(name, dir); p != nil {
			return &target{args: argv, program: p}, nil
		}
		if c.Image.Generic {
			zero := 0
			return &target{args: argv, behaviour: &image.Behaviour{Kind: "sleep", Term: &zero}}, nil
		}
		if !strings.Contains(name, "/") {
			return nil, fmt.Errorf("exec: %q: executable file not found in $PATH", name)
		}
		st, err := c.FS().Stat(vfs.Join(dir, name))
		switch {
		case err != nil:
			return nil, fmt.Errorf("exec: %q: stat %s: no such file or directory", name, name)
		case st.IsDir():
			return nil, fmt.Errorf("exec: %q: is a directory", name)
		case st.Mode().Perm()&0o111 == 0:
			return nil, fmt.Errorf("exec: %q: permission denied", name)
		}
		return nil, fmt.Errorf("exec %s: exec format error", name)
	}
}

func (c *Container) behaviour(name string) *image.Behaviour {
	if b := c.Image.Programs[name]; b != nil {
		return b
	}
	base := path.Base(name)
	for k, b := range c.Image.Programs {
		if strings.Contains(name, "/") {
			if k == base || strings.HasPrefix(name, "./") && path.Base(k) == base {
				return b
			}
		} else if path.Base(k) == name && strings.HasPrefix(k, "/") {
			return b
		}
	}
	return nil
}

// find looks for a tool or a script.
func (c *Container) find(name, dir string) program.Program {
	base := path.Base(name)
	d := path.Dir(name)
	if !strings.Contains(name, "/") || d == "/bin" || d == "/usr/bin" || d == "/sbin" || d == "/usr/sbin" || d == "/usr/local/bin" {
		if slices.Contains(c.rt.Images.Toolset(c.Image.Tools), base) {
			if p := c.rt.Programs(base); p != nil {
				return p
			}
		}
	}
	var files []string
	if strings.Contains(name, "/") {
		files = []string{vfs.Join(dir, name)}
	} else {
		for _, d := range strings.Split(c.getenv("PATH"), ":") {
			files = append(files, d+"/"+name)
		}
	}
	for _, f := range files {
		st, err := c.FS().Stat(f)
		if err != nil || !st.Mode().IsRegular() || st.Mode().Perm()&0o111 == 0 || st.Size() > 1<<20 {
			continue
		}
		data, err := c.FS().ReadFile(f)
		if err != nil || !strings.HasPrefix(string(data), "#!") {
			continue
		}
		line, _, _ := strings.Cut(string(data[2:]), "\n")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if path.Base(words[0]) == "env" && len(words) > 1 {
			words = words[1:]
		}
		p := c.find(words[0], "/")
		if p == nil {
			continue
		}
		return func(ctx *program.Context, args []string) int {
			return p(ctx, append(append(words, f), args[1:]...))
		}
	}
	return nil
}

// Lookup finds a program for the shell: tools, the image's own programs,
// scripts.
func (c *Container) Lookup(name string) program.Program {
	if b := c.behaviour(name); b != nil {
		return c.asProgram(b)
	}
	return c.find(name, c.Dir)
}

// asProgram runs an event-driven server as a process of the kernel: a shell
// may have started it.
func (c *Container) asProgram(b *image.Behaviour) program.Program {
	return func(ctx *program.Context, args []string) int {
		b := mode(b, args)
		if p := c.command(b); p != nil {
			return p(ctx, args)
		}
		if b.Kind == "entrypoint" {
			t, err := c.resolve(args, ctx.Dir)
			if err != nil {
				fmt.Fprintf(ctx.Stderr, "%s: %s\n", args[0], err)
				return 127
			}
			if t.behaviour != nil {
				return c.asProgram(t.behaviour)(ctx, t.args)
			}
			return t.program(ctx, t.args)
		}
		if b.Kind == "nginx" {
			if code, done := nginxCommand(c, ctx, args); done {
				return code
			}
		}
		var wait kernel.WaitQueue
		ended, code := false, 0
		s := &server{c: c, b: b, args: args, env: ctx.Env, pid: max(c.PID(ctx.Proc), 1), stdout: ctx.Stdout, stderr: ctx.Stderr}
		s.done = func(n int) { ended, code = true, n; wait.Wake() }
		old := ctx.Proc.OnSignal
		ctx.Proc.OnSignal = func(sig kernel.Signal) bool { return s.signal(sig) }
		defer func() { ctx.Proc.OnSignal = old; s.close() }()
		s.start()
		for !ended {
			_ = ctx.Proc.Wait(&wait)
		}
		return code
	}
}

// Signal sends a signal from outside, as the runtime does to stop the container.
func (c *Container) Signal(sig kernel.Signal) {
	if c.State != Running {
		return
	}
	if sig == kernel.SIGKILL {
		c.kill(137, "")
		return
	}
	c.signal(c.main, sig)
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

// signal delivers a signal as the kernel of the pid namespace does: what has
// no handler does not reach pid 1.
func (c *Container) signal(p *process, sig kernel.Signal) {
	switch {
	case p.srv != nil:
		if p.srv.signal(sig) || p.pid == 1 {
			return
		}
		if sig == kernel.SIGKILL || sig == kernel.SIGTERM {
			p.srv.workerDied(p)
		}
	case p.proc == nil:
	case p.pid != 1:
		p.proc.Signal(sig)
	default:
		handler := p.proc.OnSignal
		if sig == kernel.SIGKILL || handler == nil || !c.traps(p.args) || !handler(sig) {
			return
		}
		p.proc.OnSignal = func(kernel.Signal) bool { return true } // it has been asked already
		p.proc.Signal(sig)
		p.proc.OnSignal = handler
	}
}

// traps reports whether a command line may set a handler. A shell takes every
// signal to decide for itself, and its default is to end, which the kernel does
// not do to pid 1; only one that uses trap has a handler.
func (c *Container) traps(args []string) bool {
	switch path.Base(args[0]) {
	case "sh", "bash", "ash", "dash":
	default:
		return true
	}
	for _, a := range args[1:] {
		if strings.Contains(a, "trap") {
			return true
		}
		if strings.HasPrefix(a, "-") || strings.ContainsAny(a, " \n;") {
			continue
		}
		if data, err := c.FS().ReadFile(vfs.Join(c.Dir, a)); err == nil && strings.Contains(string(data), "trap") {
			return true
		}
	}
	return false
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

// Processes implements program.System.
func (c *Container) Processes() []program.ProcessInfo {
	var out []program.ProcessInfo
	add := func(pid int, p *process) {
		user := c.UserName()
		if p.uid != c.UID {
			user = strconv.Itoa(p.uid)
		}
		if p.uid == 101 && strings.HasPrefix(p.args[0], "nginx: worker") {
			user = "nginx"
		}
		out = append(out, program.ProcessInfo{PID: pid, PPID: p.ppid, User: user, Args: p.args, Started: p.started, State: "S", RSS: p.rss})
	}
	own := 0
	if c.Target != nil && c.Target.State == Running {
		own = 100
		for _, p := range c.Target.procs {
			add(p.pid, p)
		}
	}
	for _, p := range c.procs {
		add(own+p.pid, p)
	}
	slices.SortStableFunc(out, func(a, b program.ProcessInfo) int { return a.PID - b.PID })
	return out
}

// Kill implements program.System.
func (c *Container) Kill(pid int, sig kernel.Signal) error {
	if c.Target != nil && c.Target.State == Running {
		return c.Target.Kill(pid, sig)
	}
	if pid == -1 {
		self := c.PID(c.rt.Kernel.Current())
		for _, p := range slices.Clone(c.procs) {
			if p.pid != 1 && p.pid != self {
				c.signal(p, sig)
			}
		}
		return nil
	}
	p := c.process(pid)
	if p == nil {
		return errNoProcess
	}
	if sig == 0 {
		return nil
	}
	if pid == 1 && sig == kernel.SIGKILL {
		return nil // pid 1 cannot be killed from inside
	}
	c.signal(p, sig)
	return nil
}

type constError string

func (e constError) Error() string { return string(e) }

const errNoProcess = constError("No such process")

// PID implements program.System.
func (c *Container) PID(p *kernel.Proc) int {
	for _, e := range c.procs {
		if e.proc == p && p != nil {
			return e.pid
		}
	}
	return 0
}

// process is the process with the pid; nil when there is none.
func (c *Container) process(pid int) *process {
	for _, p := range c.procs {
		if p.pid == pid {
			return p
		}
	}
	return nil
}

func (c *Container) forget(p *process) {
	if i := slices.Index(c.procs, p); i >= 0 {
		c.procs = slices.Delete(c.procs, i, i+1)
	}
}

// Register implements program.System.
func (c *Container) Register(p *kernel.Proc, args []string) int {
	if pid := c.PID(p); pid != 0 {
		return pid
	}
	e := &process{pid: c.pid(), uid: c.UID, args: args, started: c.rt.Clock.Now(), proc: p, rss: 512 << 10}
	for q := p.Parent; q != nil; q = q.Parent {
		if pid := c.PID(q); pid != 0 {
			e.ppid = pid
			break
		}
	}
	c.procs = append(c.procs, e)
	p.AtExit(func() {
		if e.rss > 512<<10 {
			c.memory -= e.rss - 512<<10
		}
		c.forget(e)
		c.notify()
	})
	return e.pid
}

// Charge implements program.System.
func (c *Container) Charge(p *kernel.Proc, n int64) { c.charge(p, n) }

// limit is the memory that the container may use; 0 is no limit.
func (c *Container) limit() int64 { return c.MemoryLimit }

func (c *Container) charge(p *kernel.Proc, n int64) {
	c.memory += n
	c.peak = max(c.peak, c.memory)
	if p != nil {
		for _, e := range c.procs {
			if e.proc == p {
				e.rss += n
			}
		}
	}
	if n > 0 && c.limit() > 0 && c.memory > c.limit() && c.State == Running {
		cur := c.rt.Kernel.Current()
		dead := cur != nil && c.PID(cur) != 0
		c.oom()
		if dead {
			cur.Exit(128 + int(kernel.SIGKILL)) // does not come back
		}
	}
}

// oom is the out-of-memory killer: it takes the whole container.
func (c *Container) oom() { c.kill(137, "OOMKilled") }

// ── exec and attach ─────────────────────────────────────────────────────────

// IO are the streams of a command.
type IO struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	TTY            *terminal
	Raw            bool // the client's terminal sends keys; with TTY, and for Attach if the container has one
}

// NewTerminal is the terminal of an exec or attach session.
func NewTerminal(columns, rows int) *terminal { return &terminal{cols: columns, rows: rows} }

type terminal struct{ cols, rows int }

func (t *terminal) Size() (int, int) {
	if t.cols == 0 {
		return 80, 24
	}
	return t.cols, t.rows
}
func (t *terminal) Resize(c, r int) { t.cols, t.rows = c, r }
func (t *terminal) Clear()          {}
func (t *terminal) Edit(*kernel.Proc, string, string) (string, bool, error) {
	return "", false, constError("no editor in this container")
}

// Exec starts a command beside the container's program; the process's exit
// status is the command's. An *ExecError when it cannot be started.
func (c *Container) Exec(argv []string, s IO) (*kernel.Proc, error) {
	if c.State != Running {
		return nil, constError("container not running (" + c.ID + ")")
	}
	fail := func(err error) error { return &ExecError{c.rt.ids.Hex(32), err.Error()} }
	t, err := c.resolve(argv, c.Dir)
	if err != nil {
		return nil, fail(err)
	}
	run := t.program
	if t.behaviour != nil {
		run = c.asProgram(t.behaviour)
	}
	if s.Stdin == nil {
		s.Stdin = eof{}
	}
	if s.Stdout == nil {
		s.Stdout = io.Discard
	}
	if s.Stderr == nil {
		s.Stderr = io.Discard
	}
	var p *kernel.Proc
	hangUp := func() {}
	if s.Raw && s.TTY != nil {
		in := &typed{kernel: c.rt.Kernel}
		hangUp = c.raw(&s, in.put, func() { in.put(nil) }, func(sig kernel.Signal) { p.Signal(sig) })
		s.Stdin, s.Stderr = in, s.Stdout
	}
	ctx := c.context(s.Stdin, s.Stdout, s.Stderr)
	if s.TTY != nil {
		ctx.TTY = s.TTY
		if ctx.Env["TERM"] == "" {
			ctx.Env["TERM"] = "xterm"
		}
		if s.Stderr == io.Discard {
			ctx.Stderr = s.Stdout
		}
	}
	p = c.rt.Kernel.Spawn(nil, c.sb.Name+"/"+c.Name+" "+argv[0], func(p *kernel.Proc) int {
		ctx.Proc = p
		return run(ctx, t.args)
	})
	p.AtExit(hangUp)
	c.pace(p)
	c.nextPID += 3 // runc's own processes come and go
	c.Register(p, t.args)
	return p, nil
}

// pace charges the cpu time of a process, and of those it starts, to the container.
func (c *Container) pace(p *kernel.Proc) {
	p.Pace(cpuQuantum, func(d time.Duration) { c.cpu.add(c.rt.Clock.Now(), d.Seconds()*1000) })
}

// execTime is how long a container's own program takes from its start, which the
// runtime reports, to its first step: long enough that a client which waits for
// the container can attach to a program that ends at once.
const execTime = 60 * time.Millisecond

// cpuQuantum is the cpu time that some thousand steps of a shell or a tool take.
const cpuQuantum = 2500 * time.Microsecond

// Attach connects the streams to the container's main process and blocks p
// until the container ends or p is interrupted.
func (c *Container) Attach(p *kernel.Proc, s IO) error {
	if c.State != Running {
		return nil
	}
	raw := s.Raw && c.TTY
	switch {
	case raw && s.Stdin != nil && c.stdin != nil:
		defer c.raw(&s, func(line []byte) { c.stdin.Write(line) }, c.stdin.CloseWrite, c.Signal)()
	case raw && s.Stdout != nil:
		s.Stdout = screen{s.Stdout}
	}
	a := &attachment{stdout: s.Stdout, stderr: s.Stderr}
	c.attached = append(c.attached, a)
	defer c.detach(a)
	if !raw && s.Stdin != nil && c.stdin != nil {
		pump := c.rt.Kernel.Spawn(p, "attach "+c.sb.Name, func(q *kernel.Proc) int {
			buf := make([]byte, 4096)
			for {
				n, err := s.Stdin.Read(buf)
				if n > 0 {
					if _, err := c.stdin.Write(buf[:n]); err != nil {
						return 0
					}
				}
				if err != nil {
					if c.StdinOnce {
						c.stdin.CloseWrite()
					}
					return 0
				}
			}
		})
		defer pump.Signal(kernel.SIGKILL)
	}
	for !a.gone {
		if err := p.Wait(&a.wait); err != nil {
			return err
		}
	}
	return nil
}

func (c *Container) detach(a *attachment) {
	c.attached = slices.DeleteFunc(c.attached, func(o *attachment) bool { return o == a })
	if !a.gone {
		a.gone = true
		a.wait.Wake()
	}
}

// ── use of resources ────────────────────────────────────────────────────────

// meter follows the use of cpu: what is used all the time, and what requests
// cost, averaged over some tens of seconds.
type meter struct {
	idle float64 // milli-cores
	busy float64 // milli-cores, while a program keeps computing
	load float64 // core-milliseconds within the window
	at   time.Time
}

const meterWindow = 30 * time.Second

func (m *meter) add(now time.Time, ms float64) {
	m.load = m.value(now) + ms
	m.at = now
}

func (m *meter) value(now time.Time) float64 {
	if m.load == 0 {
		return 0
	}
	d := float64(now.Sub(m.at)) / float64(meterWindow)
	if d > 20 {
		return 0
	}
	v := m.load
	for ; d >= 1; d-- {
		v *= 0.36787944117144233
	}
	return v * (1 - d + d*d/2 - d*d*d/6)
}

// Usage is what the container uses now: cpu in thousandths of a core, memory
// in bytes.
func (c *Container) Usage() (milliCPU, memory int64) {
	if c.State != Running {
		return 0, 0
	}
	now := c.rt.Clock.Now()
	ms := c.cpu.value(now)
	milliCPU = int64(c.cpu.idle + c.cpu.busy + ms*1000/float64(meterWindow.Milliseconds()))
	if c.CPULimit > 0 {
		milliCPU = min(milliCPU, c.CPULimit)
	}
	return milliCPU, c.memory
}
