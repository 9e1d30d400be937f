// nginx: its configuration's files, locations, access log, proxying.

package container

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func (s *server) startNginx() {
	scripts := s.via && !s.quiet
	if scripts && s.c.nextPID < 7 {
		s.c.nextPID = 7 // the scripts had processes of their own
	}
	fail := func(reason string) {
		if scripts {
			s.nginxEntrypoint()
		}
		s.logf("%s [emerg] %d#0: %s", stamp(s.now()), s.pid, reason)
	}
	conf, err := s.nginxConfig()
	s.conf = conf
	if err != nil {
		fail(err.Error())
		s.logf("nginx: [emerg] %s", err)
		s.end(1)
		return
	}
	for _, dir := range []string{"/var/cache/nginx/client_temp", "/run/nginx.pid"} {
		if s.c.Image.User != "" || s.c.UID == 0 && !s.c.Config.ReadOnly {
			break // the unprivileged build keeps them in /tmp; root may write anywhere
		}
		call, why := "mkdir", "30: Read-only file system"
		if path.Base(dir) == "nginx.pid" {
			call = "open"
		}
		switch err := s.c.FS().Access(path.Dir(dir), s.c.UID, 2); {
		case err == nil:
			continue
		case !errors.Is(err, vfs.EROFS):
			why = "13: Permission denied"
		}
		s.logf("%s [emerg] %d#0: %s() %q failed (%s)", stamp(s.now()), s.pid, call, dir, why)
		s.logf("nginx: [emerg] %s() %q failed (%s)", call, dir, why)
		s.end(1)
		return
	}
	if s.p != nil {
		s.p.args = []string{"nginx: master process " + strings.Join(s.args, " ")}
	}
	for _, srv := range conf {
		for _, port := range srv.ports {
			if slices.ContainsFunc(s.listeners, func(l *network.Listener) bool { return l.Port == port }) {
				continue
			}
			if s.c.UID != 0 && port < 1024 && !s.c.rt.unprivilegedPorts() {
				fail(fmt.Sprintf("bind() to 0.0.0.0:%d failed (13: Permission denied)", port))
				s.end(1)
				return
			}
			l, err := s.c.sb.ns.Listen(port, false, func(p *kernel.Proc, r *network.Request) *network.Response {
				if r.Method == network.Raw {
					return s.notHTTP(r)
				}
				s.requests++
				s.c.cpu.add(s.now(), s.b.CPU)
				return s.serveNginx(p, port, r)
			})
			if err != nil {
				reason := fmt.Sprintf("bind() to 0.0.0.0:%d failed (98: Address already in use)", port)
				fail(reason)
				s.logf("nginx: [emerg] %s", reason)
				s.end(1)
				return
			}
			s.listeners = append(s.listeners, l)
		}
	}
	s.c.notify()
	const workers = 2
	first := s.c.nextPID
	for range workers {
		s.worker(nginxWorker, 101)
	}
	if s.quiet {
		return
	}
	s.say(func() {
		if scripts {
			s.nginxEntrypoint()
		}
		s.notice("using the \"epoll\" event method")
		s.notice("nginx/%s", s.c.Image.Version)
		if s.c.Image.Base == "alpine" {
			s.notice("built by gcc 14.2.0 (Alpine 14.2.0) ")
		} else {
			s.notice("built by gcc 12.2.0 (Debian 12.2.0-14+deb12u1) ")
		}
		s.notice("OS: Linux 6.18.44")
		s.notice("getrlimit(RLIMIT_NOFILE): 20000:20000")
		s.notice("start worker processes")
		for i := range workers {
			s.notice("start worker process %d", first+i)
		}
	})
}

// nginxWorker is the command line of a worker.
var nginxWorker = []string{"nginx: worker process"}

// nginxEntrypoint is what the image's entrypoint script prints.
func (s *server) nginxEntrypoint() {
	for _, l := range []string{
		"/docker-entrypoint.d/ is not empty, will attempt to perform configuration",
		"Looking for shell scripts in /docker-entrypoint.d/",
		"Launching /docker-entrypoint.d/10-listen-on-ipv6-by-default.sh",
		"Launching /docker-entrypoint.d/20-envsubst-on-templates.sh",
		"Launching /docker-entrypoint.d/30-tune-worker-processes.sh",
		"Configuration complete; ready for start up",
	} {
		fmt.Fprintln(s.stdout, "/docker-entrypoint.sh: "+l)
	}
}

// unprivilegedPorts: containerd lets every user bind low ports in a pod.
func (r *Runtime) unprivilegedPorts() bool { return true }

func (s *server) nginxError(status int) []byte {
	// where nginx has words of its own
	text := map[int]string{405: "Not Allowed", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}[status]
	if text == "" {
		text = network.StatusText(status)
	}
	text = strconv.Itoa(status) + " " + text
	return []byte("<html>\r\n<head><title>" + text + "</title></head>\r\n<body>\r\n<center><h1>" + text + "</h1></center>\r\n<hr><center>" + s.software() + "</center>\r\n</body>\r\n</html>\r\n")
}

func (s *server) serveNginx(p *kernel.Proc, port int, r *network.Request) *network.Response {
	resp, sent := s.answerNginx(p, port, r)
	h := resp.Header
	h.Set("Server", s.software())
	h.Set("Date", s.now().Format(httpDate))
	if h.Get("Connection") == "" {
		h.Set("Connection", "keep-alive")
	}
	h.Set("Content-Length", strconv.Itoa(len(resp.Body)))
	if r.Method == "HEAD" {
		resp.Body, sent = nil, 0
	}
	fmt.Fprintf(s.stdout, "%s - - [%s] \"%s %s HTTP/1.1\" %d %d \"%s\" \"%s\" \"%s\"\n", r.Remote.Addr(),
		s.now().Format("02/Jan/2006:15:04:05 -0700"), r.Method, r.Path, resp.Status, sent,
		dash(r.Header.Get("Referer")), dash(r.Header.Get("User-Agent")), dash(r.Header.Get("X-Forwarded-For")))
	return resp
}

func dash(v string) string {
	if v == "" {
		return "-"
	}
	return v
}

func (s *server) answerNginx(p *kernel.Proc, port int, r *network.Request) (*network.Response, int) {
	fail := func(status int) (*network.Response, int) {
		b := s.nginxError(status)
		return &network.Response{Status: status, Header: network.Header{"Content-Type": {"text/html"}}, Body: b}, len(b)
	}
	srv := s.nginxServer(port, r.Host)
	if srv == nil {
		return fail(404)
	}
	reqPath := pathOf(r)
	loc := srv.location(reqPath)
	if loc.ret != 0 {
		body := []byte(s.nginxText(loc.text, r))
		h := network.Header{"Content-Type": {loc.ctype}}
		if loc.ret == 301 || loc.ret == 302 || loc.ret == 307 || loc.ret == 308 {
			h = network.Header{"Location": {string(body)}, "Content-Type": {"text/html"}}
			body = s.nginxError(loc.ret)
		} else if loc.text == "" && loc.ret >= 300 {
			return fail(loc.ret)
		}
		return &network.Response{Status: loc.ret, Header: h, Body: body}, len(body)
	}
	if loc.proxy != "" {
		return s.proxyNginx(p, loc, r, fail)
	}
	if loc.stub {
		b := fmt.Appendf(nil, "Active connections: 1 \nserver accepts handled requests\n %d %d %d \nReading: 0 Writing: 1 Waiting: 0 \n", s.requests, s.requests, s.requests)
		return &network.Response{Status: 200, Header: network.Header{"Content-Type": {"text/plain"}}, Body: b}, len(b)
	}
	if r.Method != "GET" && r.Method != "HEAD" {
		return fail(405)
	}
	root, rel := loc.root, reqPath
	if loc.alias != "" {
		root, rel = loc.alias, strings.TrimPrefix(reqPath, loc.path)
	}
	name, data, ok := s.file(root, rel, loc.index...)
	if !ok {
		for _, t := range loc.try {
			if code, found := strings.CutPrefix(t, "="); found {
				n, _ := strconv.Atoi(code)
				return fail(n)
			}
			t = strings.ReplaceAll(t, "$uri", reqPath)
			if name, data, ok = s.file(root, t, loc.index...); ok {
				break
			}
		}
	}
	if !ok {
		fs := s.c.FS()
		status, why := 404, fmt.Sprintf("open() %q failed (2: No such file or directory)", name)
		if st, err := fs.Stat(name); err == nil && st.IsDir() {
			if !strings.HasSuffix(reqPath, "/") {
				b := s.nginxError(301)
				return &network.Response{Status: 301, Header: network.Header{"Content-Type": {"text/html"}, "Location": {"http://" + r.Host + reqPath + "/"}}, Body: b}, len(b)
			}
			status, why = 403, fmt.Sprintf("directory index of %q is forbidden", name+"/")
		}
		worker := s.pid
		if len(s.workers) > 0 {
			worker = s.workers[0].pid
		}
		fmt.Fprintf(s.stderr, "%s [error] %d#0: *%d %s, client: %s, server: %s, request: \"%s %s HTTP/1.1\", host: \"%s\"\n", stamp(s.now()), worker, s.requests, why, r.Remote.Addr(), srv.name(), r.Method, r.Path, r.Host)
		return fail(status)
	}
	h := network.Header{"Content-Type": {contentType(name)}, "Accept-Ranges": {"bytes"}}
	if st, err := s.c.FS().Stat(name); err == nil {
		h.Set("Last-Modified", st.ModTime().UTC().Format(httpDate))
		h.Set("ETag", fmt.Sprintf("\"%x-%x\"", st.ModTime().Unix(), len(data)))
	}
	sent := len(data)
	return &network.Response{Status: 200, Header: h, Body: data}, sent
}

const nginxConnect = 60 * time.Second // proxy_connect_timeout

func (s *server) proxyNginx(p *kernel.Proc, loc *nginxLocation, r *network.Request, fail func(int) (*network.Response, int)) (*network.Response, int) {
	rest := strings.TrimPrefix(strings.TrimPrefix(loc.proxy, "http://"), "https://")
	host, uri, hasURI := strings.Cut(rest, "/")
	if up := s.upstream(host); up != "" {
		host = up
	}
	name, portText, ok := strings.Cut(host, ":")
	port := 80
	if ok {
		port, _ = strconv.Atoi(portText)
	}
	target := r.Path
	if hasURI {
		target = "/" + uri + strings.TrimPrefix(r.Path, loc.path)
	}
	up := *r
	up.Path, up.Host = target, host
	resp, err := s.c.sb.ns.Do(p, name, port, &up)
	if err != nil {
		worker := s.pid
		if len(s.workers) > 0 {
			worker = s.workers[0].pid
		}
		status, why := 502, "connect() failed (111: Connection refused)"
		if ne, ok := err.(*network.Error); ok && ne.Waits() {
			status, why = 504, "upstream timed out (110: Connection timed out)"
			if p != nil {
				_ = p.Sleep(nginxConnect)
			}
		}
		fmt.Fprintf(s.stderr, "%s [error] %d#0: *%d %s while connecting to upstream, client: %s, server: localhost, request: \"%s %s HTTP/1.1\", upstream: \"http://%s%s\", host: \"%s\"\n", stamp(s.now()), worker, s.requests, why, r.Remote.Addr(), r.Method, r.Path, host, target, r.Host)
		return fail(status)
	}
	out := *resp
	return &out, len(resp.Body)
}

func (s *server) nginxText(text string, r *network.Request) string {
	if !strings.Contains(text, "$") {
		return text
	}
	host, _, _ := strings.Cut(r.Host, ":")
	return strings.NewReplacer("$hostname", s.c.sb.Hostname, "$host", host, "$http_host", r.Host, "$request_uri", r.Path,
		"$uri", pathOf(r), "$remote_addr", r.Remote.Addr().String(), "$server_addr", r.Local.Addr().String(),
		"$request_method", r.Method, "$scheme", "http", "$nginx_version", s.c.Image.Version, "$time_iso8601", s.now().Format(time.RFC3339)).Replace(text)
}

// nginxCommand is what `nginx` with an argument does from a shell; done is
// false when it is to run as a server.
func nginxCommand(c *Container, ctx *program.Context, args []string) (code int, done bool) {
	for i, a := range args[1:] {
		switch a {
		case "-v":
			fmt.Fprintf(ctx.Stderr, "nginx version: nginx/%s\n", c.Image.Version)
			return 0, true
		case "-V":
			fmt.Fprintf(ctx.Stderr, "nginx version: nginx/%s\nbuilt by gcc 12.2.0 (Debian 12.2.0-14+deb12u1) \nTLS SNI support enabled\n", c.Image.Version)
			return 0, true
		case "-t", "-T":
			if _, err := (&server{c: c, b: &image.Behaviour{Port: 80}}).loadNginx(); err != nil {
				fmt.Fprintf(ctx.Stderr, "%s [emerg] 1#0: %s\nnginx: [emerg] %s\nnginx: configuration file /etc/nginx/nginx.conf test failed\n", stamp(c.rt.Clock.Now()), err, err)
				return 1, true
			}
			fmt.Fprint(ctx.Stderr, "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\nnginx: configuration file /etc/nginx/nginx.conf test is successful\n")
			return 0, true
		case "-s":
			if i+2 >= len(args) {
				fmt.Fprintln(ctx.Stderr, "nginx: option \"-s\" requires parameter")
				return 1, true
			}
			pid := c.PID(ctx.Proc)
			fmt.Fprintf(ctx.Stderr, "%s [notice] %d#0: signal process started\n", stamp(c.rt.Clock.Now()), pid)
			switch args[i+2] {
			case "reload":
				if m := c.main; m != nil && m.srv != nil && m.srv.b.Kind == "nginx" {
					m.srv.reloadNginx()
				}
			case "quit":
				_ = c.Kill(1, kernel.SIGQUIT)
			case "stop":
				_ = c.Kill(1, kernel.SIGTERM)
			}
			return 0, true
		}
	}
	return 0, false
}
