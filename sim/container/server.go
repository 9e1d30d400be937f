// The event-driven programs of images: servers whose work happens in network
// handlers and whose process is an entry in the table. A server started by a
// shell is the same thing bound to a process of the kernel (see asProgram).

package container

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
)

type server struct {
	c              *Container
	b              *image.Behaviour
	args           []string
	via            bool              // started through the image's entrypoint script
	env            map[string]string // nil is the container's
	pid            int
	p              *process  // nil when bound to a process of the kernel
	at             time.Time // of what is printed later than it was due
	stdout, stderr io.Writer
	done           func(code int)

	listeners []*network.Listener
	workers   []*process
	timer     *clock.Timer
	requests  int
	ending    bool
	closed    bool
	quiet     bool // restored: say nothing at the start
	conf      []*nginxServer
	redis     *redisStore
	memcached *memcached   // nil until it is asked
	caller    *kernel.Proc // whose request is answered now
	stop      func()       // called at the end; nil for nothing
}

func (s *server) now() time.Time {
	if !s.at.IsZero() {
		return s.at
	}
	return s.c.rt.Clock.Now()
}

func (s *server) getenv(name string) string {
	if s.env != nil {
		return s.env[name]
	}
	return s.c.getenv(name)
}

// say prints what the program prints at its start, when somebody looks; print
// must print the same then.
func (s *server) say(print func()) {
	if s.p == nil {
		print()
		return
	}
	now := s.now()
	s.c.log.later(now, func(stdout, stderr io.Writer) {
		out, err := s.stdout, s.stderr
		s.stdout, s.stderr, s.at = stdout, stderr, now
		print()
		s.stdout, s.stderr, s.at = out, err, time.Time{}
	})
	s.c.rt.changed(s.c)
}

func (s *server) logf(format string, args ...any) {
	fmt.Fprintf(s.stderr, format+"\n", args...)
}

// start opens the listeners and prints what the program prints at its start.
func (s *server) start() {
	b := s.b
	fresh := b.Data == "" || !s.has(s.dataFile())
	if fresh && len(b.Requires) > 0 && !slices.ContainsFunc(b.Requires, func(n string) bool { return s.getenv(n) != "" }) {
		s.logf("%s", s.expand(b.Missing, nil))
		s.end(1)
		return
	}
	switch b.Kind {
	case "exit":
		s.printLog(b.Log)
		s.end(b.Code)
		return
	case "stress":
		s.startStress()
		return
	case "nginx":
		s.startNginx()
		return
	case "redis":
		s.loadRedis()
	case "ingress":
		s.startIngress()
		return
	}
	if b.Title != "" && s.p != nil {
		s.p.args = []string{b.Title}
	}
	for i := range b.Workers {
		s.worker(b.Workers[i:i+1:i+1], 0)
	}
	log := b.Log
	if b.ReadyMS > 0 && fresh && !s.quiet {
		n := min(1, len(log))
		s.printLog(log[:n])
		s.timer = s.c.rt.Clock.After(time.Duration(b.ReadyMS)*time.Millisecond, "server ready", func() { s.open(log[n:]) })
		return
	}
	s.open(log)
}

// open makes the server answer.
func (s *server) open(log []string) {
	if s.b.Kind == "sql" {
		s.initSQL()
	}
	s.printLog(log)
	port := s.port()
	if port != 0 && !s.listen(port, s.handler()) {
		return
	}
	for _, p := range s.b.Ports {
		if p != port && !s.listen(p, s.handler()) {
			return
		}
	}
}

func (s *server) has(name string) bool { _, err := s.c.FS().Stat(name); return err == nil }

func (s *server) handler() network.Handler {
	switch s.b.Kind {
	case "http":
		return s.serveRoutes
	case "httpd":
		return s.serveStatic
	case "files":
		return s.serveFiles
	case "liveness":
		return s.serveLiveness
	case "httpbin":
		return s.serveHTTPBin
	case "guestbook":
		return s.serveGuestbook
	case "redis":
		return s.serveRedis
	case "sql":
		return s.serveSQL
	case "memcached":
		return s.serveMemcached
	case "mongo":
		return s.serveMongo
	}
	return func(*kernel.Proc, *network.Request) *network.Response { return nil } // speaks nothing that is known here
}

func (s *server) printLog(lines []string) {
	if s.quiet || len(lines) == 0 {
		return
	}
	print := func() {
		for _, l := range lines {
			fmt.Fprintln(s.stdout, s.expand(l, nil))
		}
	}
	if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "${file:") || strings.Contains(l, "${COUNT}") }) {
		print() // files change and requests are counted
		return
	}
	s.say(print)
}

// port is where the program listens: the flag, the variable, the default.
func (s *server) port() int {
	if f := s.b.PortFlag; f == "#" {
		for _, a := range s.args[1:] {
			if n, err := strconv.Atoi(a); err == nil {
				return n
			}
		}
	} else if f != "" {
		if v, ok := s.flag(f); ok {
			if n, err := strconv.Atoi(v[strings.LastIndexByte(v, ':')+1:]); err == nil {
				return n
			}
		}
	}
	if v := s.getenv(s.b.PortEnv); s.b.PortEnv != "" && v != "" {
		if n, err := strconv.Atoi(strings.TrimPrefix(v, ":")); err == nil {
			return n
		}
	}
	return s.b.Port
}

// flag finds "--name value", "--name=value" or "-name=value" among the arguments.
func (s *server) flag(name string) (string, bool) {
	name = strings.TrimLeft(name, "-")
	for i, a := range s.args {
		if !strings.HasPrefix(a, "-") {
			continue
		}
		k, v, ok := strings.Cut(strings.TrimLeft(a, "-"), "=")
		switch {
		case k != name:
		case ok:
			return v, true
		case i+1 < len(s.args):
			return s.args[i+1], true
		}
	}
	return "", false
}

// rawKinds are the servers that do not speak HTTP; slowRequest is the cost in
// milliseconds from which on a client has to wait for it.
var rawKinds = []string{"redis", "sql", "memcached", "mongo"}

const slowRequest = 20

// notHTTP answers what is no HTTP: a server of HTTP refuses it once there is a
// line of it, others say nothing.
func (s *server) notHTTP(r *network.Request) *network.Response {
	if s.b.Kind == "tcp" || !bytes.Contains(r.Body, []byte("\n")) {
		return &network.Response{}
	}
	resp := s.respond(400, "text/html", nil)
	if s.b.Kind == "nginx" {
		resp.Body = s.nginxError(400)
	}
	resp.Header.Set("Content-Length", strconv.Itoa(len(resp.Body)))
	resp.Header.Set("Connection", "close")
	var out bytes.Buffer
	_ = network.WriteResponse(&out, resp)
	return &network.Response{Body: out.Bytes()}
}

func (s *server) listen(port int, h network.Handler) bool {
	l, err := s.c.sb.ns.Listen(port, false, func(p *kernel.Proc, r *network.Request) *network.Response {
		if r.Method == network.Raw && !slices.Contains(rawKinds, s.b.Kind) {
			return s.notHTTP(r)
		}
		s.requests++
		s.c.cpu.add(s.now(), s.b.CPU)
		if p != nil && s.b.CPU >= slowRequest {
			_ = p.Sleep(time.Duration(s.b.CPU * float64(time.Millisecond)))
		}
		return h(p, r)
	})
	if err != nil {
		s.logf("listen tcp :%d: %s", port, err)
		s.end(1)
		return false
	}
	s.listeners = append(s.listeners, l)
	s.c.notify()
	return true
}

// worker adds a process to the table.
func (s *server) worker(args []string, uid int) {
	if s.p == nil && s.c.State != Running {
		return
	}
	w := &process{pid: s.c.pid(), ppid: s.pid, uid: uid, args: args, started: s.now(), srv: s, rss: 1 << 20}
	s.workers = append(s.workers, w)
	s.c.procs = append(s.c.procs, w)
}

// workerDied replaces a worker that was killed.
func (s *server) workerDied(p *process) {
	s.c.forget(p)
	for i, w := range s.workers {
		if w == p {
			s.workers = slices.Delete(s.workers, i, i+1)
			if s.b.Kind == "nginx" {
				s.notice("signal 17 (SIGCHLD) received from %d", p.pid)
				s.notice("worker process %d exited on signal 15", p.pid)
			}
			s.worker(p.args, p.uid)
			return
		}
	}
}

// signal reports whether the program has a handler for the signal.
func (s *server) signal(sig kernel.Signal) bool {
	switch sig {
	case kernel.SIGTERM, kernel.SIGQUIT, kernel.SIGINT:
		if s.b.Term == nil {
			return false
		}
		if s.ending {
			return true
		}
		s.ending = true
		if s.b.Kind == "nginx" {
			name := map[kernel.Signal]string{kernel.SIGTERM: "SIGTERM", kernel.SIGQUIT: "SIGQUIT", kernel.SIGINT: "SIGINT"}[sig]
			what := "exiting"
			if sig == kernel.SIGQUIT {
				what = "shutting down"
			}
			s.notice("signal %d (%s) received, %s", int(sig), name, what)
			for _, w := range s.workers {
				fmt.Fprintf(s.stderr, "%s [notice] %d#0: exiting\n%s [notice] %d#0: exit\n", stamp(s.now()), w.pid, stamp(s.now()), w.pid)
			}
		}
		for _, l := range s.listeners {
			l.Close()
		}
		s.timer.Stop()
		s.timer = s.c.rt.Clock.After(time.Duration(s.b.StopMS)*time.Millisecond, "server ends", func() {
			if s.b.Kind == "nginx" {
				s.notice("exit")
			}
			s.end(*s.b.Term)
		})
		return true
	case kernel.SIGHUP, kernel.SIGUSR1, kernel.SIGUSR2, kernel.SIGCHLD:
		return s.b.Term != nil
	}
	return false
}

// close frees what the server holds.
func (s *server) close() {
	if s.closed {
		return
	}
	s.closed = true
	s.timer.Stop()
	if s.stop != nil {
		s.stop()
	}
	for _, l := range s.listeners {
		l.Close()
	}
	s.listeners = nil
	for _, w := range s.workers {
		s.c.forget(w)
	}
	s.c.cpu.busy = 0
	s.c.notify()
}

func (s *server) end(code int) {
	if s.closed {
		return
	}
	s.close()
	if s.p != nil {
		// The container is not told before its start has been noted.
		s.c.rt.Clock.After(0, "server ended", func() { s.done(code) })
		return
	}
	s.done(code)
}

func stamp(t time.Time) string { return t.Format("2006/01/02 15:04:05") }

// expand fills in the variables of a template.
func (s *server) expand(text string, r *network.Request) string {
	if !strings.Contains(text, "${") {
		return text
	}
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			break
		}
		j := strings.IndexByte(text[i:], '}')
		if j < 0 {
			break
		}
		b.WriteString(text[:i])
		b.WriteString(s.variable(text[i+2:i+j], r))
		text = text[i+j+1:]
	}
	b.WriteString(text)
	return b.String()
}

func (s *server) variable(name string, r *network.Request) string {
	now := s.now()
	switch name {
	case "HOSTNAME":
		return s.c.sb.Hostname
	case "VERSION":
		return s.c.Image.Version
	case "TAG":
		return s.c.Image.Tag
	case "VNUM":
		return strings.TrimPrefix(s.c.Image.Version, "v")
	case "IP":
		return s.c.sb.ns.Addr().String()
	case "COUNT":
		return strconv.Itoa(s.requests)
	case "UPTIME":
		return strconv.FormatFloat(now.Sub(s.c.Started).Seconds(), 'f', 3, 64)
	case "date":
		return stamp(now)
	case "isodate":
		return now.Format("2006-01-02T15:04:05.000Z")
	case "redisdate":
		return now.Format("02 Jan 2006 15:04:05.000")
	case "pydate":
		return now.Format("02/Jan/2006 15:04:05")
	case "gotime":
		return now.Format("2006-01-02 15:04:05.999999999 -0700 MST")
	case "apachedate":
		return now.Format("Mon Jan 02 15:04:05.000000 2006")
	case "clf":
		return now.Format("02/Jan/2006:15:04:05 -0700")
	}
	if k, v, ok := strings.Cut(name, ":"); ok {
		switch k {
		case "env":
			return s.getenv(v)
		case "flag":
			t, _ := s.flag(v)
			return t
		case "header":
			if r == nil {
				return ""
			}
			return r.Header.Get(query(r).Get(v))
		case "query":
			return query(r).Get(v)
		case "shell":
			return s.shell(query(r).Get(v))
		case "file":
			data, err := s.c.FS().ReadFile(v)
			if err != nil {
				return "open " + v + ": no such file or directory"
			}
			return string(data)
		}
	}
	if r == nil {
		return ""
	}
	switch name {
	case "PATH":
		return r.Path
	case "QUERY":
		if _, q, ok := strings.Cut(r.Path, "?"); ok {
			return q
		}
		return "nil"
	case "METHOD":
		return r.Method
	case "BARE":
		return pathOf(r)
	case "HOST":
		return r.Host
	case "HOSTPORT":
		if strings.Contains(r.Host, ":") {
			return r.Host
		}
		return r.Host + ":" + strconv.Itoa(int(r.Local.Port()))
	case "CLIENT":
		return r.Remote.Addr().String()
	case "CLIENTPORT":
		return strconv.Itoa(int(r.Remote.Port()))
	case "AGENT":
		return r.Header.Get("User-Agent")
	case "BODY":
		return string(r.Body)
	case "BODYORNOT":
		if len(r.Body) == 0 {
			return "\t-no body in request-"
		}
		return string(r.Body)
	case "HEADERS", "HEADERLINES":
		var b strings.Builder
		for _, n := range r.Header.Names() {
			if name == "HEADERS" {
				fmt.Fprintf(&b, "\t%s=%s\n", strings.ToLower(n), r.Header.Get(n))
			} else if n != "Host" {
				fmt.Fprintf(&b, "%s: %s\n", n, r.Header.Get(n))
			}
		}
		return b.String()
	}
	return ""
}

func pathOf(r *network.Request) string {
	p, _, _ := strings.Cut(r.Path, "?")
	if p == "" {
		p = "/"
	}
	return p
}

const httpDate = "Mon, 02 Jan 2006 15:04:05 GMT"

// software is the Server header.
func (s *server) software() string {
	switch {
	case s.b.Kind == "nginx":
		return "nginx/" + s.c.Image.Version
	case s.b.Kind == "httpd" && s.b.Server == "":
		return "Apache/" + s.c.Image.Version + " (Unix)"
	}
	return s.b.Server
}

func (s *server) respond(status int, ctype string, body []byte) *network.Response {
	h := network.Header{"Date": {s.now().Format(httpDate)}, "Content-Length": {strconv.Itoa(len(body))}}
	if ctype != "" {
		h["Content-Type"] = []string{ctype}
	}
	if v := s.software(); v != "" {
		h["Server"] = []string{v}
	}
	return &network.Response{Status: status, Header: h, Body: body}
}

func (s *server) serveRoutes(proc *kernel.Proc, r *network.Request) *network.Response {
	p := pathOf(r)
	s.caller = proc
	resp := s.respond(404, "text/plain; charset=utf-8", []byte("404 page not found\n"))
	for _, rt := range s.b.Routes {
		if p != rt.Path && (rt.Exact || !strings.HasPrefix(p, rt.Path)) {
			continue
		}
		status := rt.Status
		if status == 0 {
			status = 200
		}
		resp = s.respond(status, rt.Type, []byte(s.expand(rt.Body, r)))
		for k, v := range rt.Header {
			resp.Header.Set(k, s.expand(v, r))
		}
		break
	}
	if s.b.Access != "" {
		line := strings.ReplaceAll(s.b.Access, "${LENGTH}", strconv.Itoa(len(resp.Body)))
		fmt.Fprintln(s.stdout, s.expand(line, r))
	}
	return resp
}

// serveLiveness is the tutorials' probe example: healthy for ten seconds.
func (s *server) serveLiveness(_ *kernel.Proc, r *network.Request) *network.Response {
	if d := s.now().Sub(s.c.Started); pathOf(r) == "/healthz" && d > 10*time.Second {
		return s.respond(500, "text/plain", []byte("error: "+strconv.FormatFloat(d.Seconds(), 'f', 2, 64)))
	}
	return s.respond(200, "text/plain", []byte("ok"))
}

// serveStatic is Apache: files under Root.
func (s *server) serveStatic(_ *kernel.Proc, r *network.Request) *network.Response {
	status, ctype, body := 200, "", []byte(nil)
	file, data, ok := s.file(s.b.Root, pathOf(r), "index.html", "index.php")
	switch {
	case !ok:
		status, ctype = 404, "text/html; charset=iso-8859-1"
		body = []byte("<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>404 Not Found</title>\n</head><body>\n<h1>Not Found</h1>\n<p>The requested URL was not found on this server.</p>\n</body></html>\n")
	default:
		ctype, body = contentType(file), data
	}
	fmt.Fprintf(s.stdout, "%s - - [%s] \"%s %s HTTP/1.1\" %d %d\n", r.Remote.Addr(), s.now().Format("02/Jan/2006:15:04:05 -0700"), r.Method, r.Path, status, len(body))
	resp := s.respond(status, ctype, body)
	if r.Method == "HEAD" {
		resp.Body = nil
	}
	return resp
}

// file reads a file below root; a directory stands for its index.
func (s *server) file(root, p string, index ...string) (name string, data []byte, ok bool) {
	fs := s.c.FS()
	name = path.Join(root, path.Clean("/"+p))
	if st, err := fs.Stat(name); err == nil && st.IsDir() {
		for _, i := range index {
			if data, err := fs.ReadFile(name + "/" + i); err == nil {
				return name + "/" + i, data, true
			}
		}
		return name, nil, false
	}
	data, err := fs.ReadFile(name)
	return name, data, err == nil
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".html", ".htm", ".php":
		return "text/html"
	case ".css":
		return "text/css"
	case ".js":
		return "application/javascript"
	case ".json":
		return "application/json"
	case ".txt":
		return "text/plain"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	}
	return "application/octet-stream"
}

// startStress understands the arguments of stress(1) and of vish/stress.
func (s *server) startStress() {
	workers := func(names ...string) float64 {
		for _, n := range names {
			if v, ok := s.flag(n); ok {
				f, _ := strconv.ParseFloat(v, 64)
				return f
			}
		}
		return 0
	}
	cpu := workers("cpu", "c", "cpus")
	var bytes int64
	if v, ok := s.flag("vm-bytes"); ok {
		bytes = int64(max(workers("vm", "m"), 1)) * parseBytes(v)
	} else if workers("vm", "m") > 0 {
		bytes = int64(workers("vm", "m")) * 256 << 20
	}
	if v, ok := s.flag("mem-total"); ok {
		bytes = parseBytes(v)
	}
	if !s.quiet && path.Base(s.args[0]) == "stress" && s.c.Image.Repo == "docker.io/polinux/stress" {
		fmt.Fprintf(s.stdout, "stress: info: [1] dispatching hogs: %d cpu, %d io, %d vm, %d hdd\n", int(cpu), int(workers("io", "i")), int(workers("vm", "m")), int(workers("hdd", "d")))
	}
	s.c.cpu.busy = cpu * 1000
	if bytes > 0 {
		s.c.cpu.busy += 50
	}
	if v, ok := s.flag("timeout"); ok {
		if n, err := strconv.Atoi(v); err == nil {
			v = strconv.Itoa(n) + "s"
		}
		if d, err := time.ParseDuration(v); err == nil {
			s.c.rt.Clock.After(d, "stress", func() { s.end(0) })
		}
	}
	if bytes > 0 {
		s.timer = s.c.rt.Clock.After(600*time.Millisecond, "stress allocates", func() { s.c.charge(nil, bytes) })
	}
}

func parseBytes(v string) int64 {
	v = strings.TrimSuffix(strings.TrimSuffix(v, "i"), "B")
	v = strings.TrimSuffix(v, "i")
	unit := int64(1)
	if v != "" {
		switch v[len(v)-1] {
		case 'k', 'K':
			unit = 1 << 10
		case 'm', 'M':
			unit = 1 << 20
		case 'g', 'G':
			unit = 1 << 30
		}
	}
	n, _ := strconv.ParseFloat(strings.TrimRight(v, "kKmMgG"), 64)
	return int64(n * float64(unit))
}

// ── nginx ───────────────────────────────────────────────────────────────────

func (s *server) notice(format string, args ...any) {
	fmt.Fprintf(s.stderr, "%s [notice] %d#0: %s\n", stamp(s.now()), s.pid, fmt.Sprintf(format, args...))
}

// Steady reports whether what the container answers can only change when
// something happens in it (see OnEvent).
func (c *Container) Steady() bool {
	if c.State != Running || c.main == nil || c.main.srv == nil {
		return false
	}
	s := c.main.srv
	switch s.b.Kind {
	case "liveness":
		return false
	}
	for _, n := range s.conf {
		for _, l := range n.locations {
			if l.proxy != "" {
				return false
			}
		}
	}
	return true
}
