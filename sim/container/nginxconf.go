// As much of nginx's configuration language as manifests use: servers with
// listen and server_name, locations with root, alias, index, try_files, return,
// proxy_pass and stub_status, upstreams, includes.

package container

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

type nginxServer struct {
	ports     []int
	names     []string
	base      nginxLocation
	locations []*nginxLocation
}

type nginxLocation struct {
	path  string
	exact bool
	regex bool
	root  string
	alias string
	index []string
	try   []string
	ret   int
	text  string
	ctype string
	proxy string
	stub  bool
}

func (n *nginxServer) name() string {
	if len(n.names) == 0 {
		return ""
	}
	return n.names[0]
}

// location is the one that answers the path: exact, else the longest prefix.
func (n *nginxServer) location(p string) *nginxLocation {
	best := &n.base
	if n.base.ret != 0 {
		return best
	}
	length := -1
	for _, l := range n.locations {
		switch {
		case l.exact:
			if l.path == p {
				return l
			}
		case l.regex:
			if ext := strings.Trim(l.path, `\$^.*`); strings.HasSuffix(l.path, "$") && strings.HasSuffix(p, "."+ext) {
				return l
			}
		case strings.HasPrefix(p, l.path) && len(l.path) > length:
			best, length = l, len(l.path)
		}
	}
	return best
}

// directive is one parsed statement, with its block if it has one.
type directive struct {
	words []string
	block []directive
	file  string
	line  int
}

func parseNginx(file, text string) ([]directive, error) {
	p := &nginxParser{file: file, text: text, line: 1}
	list, err := p.block(false)
	return list, err
}

type nginxParser struct {
	file, text string
	pos, line  int
}

func (p *nginxParser) block(inner bool) ([]directive, error) {
	var out []directive
	var words []string
	start := p.line
	for {
		tok, quoted, ok := p.token()
		if !ok {
			if inner {
				return nil, fmt.Errorf("unexpected end of file, expecting \"}\" in %s:%d", p.file, p.line)
			}
			if len(words) > 0 {
				return nil, fmt.Errorf("unexpected end of file, expecting \";\" or \"}\" in %s:%d", p.file, p.line)
			}
			return out, nil
		}
		if len(words) == 0 {
			start = p.line
		}
		switch {
		case tok == ";" && !quoted:
			if len(words) == 0 {
				return nil, fmt.Errorf("unexpected \";\" in %s:%d", p.file, p.line)
			}
			out = append(out, directive{words: words, file: p.file, line: start})
			words = nil
		case tok == "{" && !quoted:
			b, err := p.block(true)
			if err != nil {
				return nil, err
			}
			out = append(out, directive{words: words, block: b, file: p.file, line: start})
			words = nil
		case tok == "}" && !quoted:
			if !inner || len(words) > 0 {
				return nil, fmt.Errorf("unexpected \"}\" in %s:%d", p.file, p.line)
			}
			return out, nil
		default:
			words = append(words, tok)
		}
	}
}

func (p *nginxParser) token() (tok string, quoted, ok bool) {
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == '\n':
			p.line++
			p.pos++
		case c == ' ' || c == '\t' || c == '\r':
			p.pos++
		case c == '#':
			for p.pos < len(p.text) && p.text[p.pos] != '\n' {
				p.pos++
			}
		case c == ';' || c == '{' || c == '}':
			p.pos++
			return string(c), false, true
		case c == '"' || c == '\'':
			var b strings.Builder
			for p.pos++; p.pos < len(p.text) && p.text[p.pos] != c; p.pos++ {
				ch := p.text[p.pos]
				if ch == '\\' && p.pos+1 < len(p.text) {
					p.pos++
					switch ch = p.text[p.pos]; ch {
					case 'n':
						ch = '\n'
					case 't':
						ch = '\t'
					}
				}
				if ch == '\n' {
					p.line++
				}
				b.WriteByte(ch)
			}
			p.pos++
			return b.String(), true, true
		default:
			i := p.pos
			for p.pos < len(p.text) && !strings.ContainsRune(" \t\r\n;{}", rune(p.text[p.pos])) {
				if strings.HasPrefix(p.text[p.pos:], "${") {
					for p.pos < len(p.text) && p.text[p.pos] != '}' {
						p.pos++
					}
				}
				p.pos++
			}
			p.pos = min(p.pos, len(p.text))
			return p.text[i:p.pos], false, true
		}
	}
	return "", false, false
}

// nginxConfig is loadNginx, shared by all containers whose configuration is
// the image's own.
func (s *server) nginxConfig() ([]*nginxServer, error) {
	own := s.c.root != nil
	for _, m := range s.c.Mounts {
		own = own || strings.HasPrefix(m.Path, "/etc")
	}
	if own {
		return s.loadNginx()
	}
	rt, name := s.c.rt, s.c.Image.Name
	if conf, ok := rt.nginx[name]; ok {
		return conf, nil
	}
	conf, err := s.loadNginx()
	if err == nil {
		rt.nginx[name] = conf
	}
	return conf, err
}

// loadNginx reads the configuration of the container; the error is what
// follows [emerg].
func (s *server) loadNginx() ([]*nginxServer, error) {
	const main = "/etc/nginx/nginx.conf"
	data, err := s.c.FS().ReadFile(main)
	if err != nil {
		return nil, fmt.Errorf("open() %q failed (2: No such file or directory)", main)
	}
	top, err := parseNginx(main, string(data))
	if err != nil {
		return nil, err
	}
	var servers []*nginxServer
	var walk func(list []directive, inHTTP bool, base nginxLocation) error
	walk = func(list []directive, inHTTP bool, base nginxLocation) error {
		for _, d := range list {
			switch d.words[0] {
			case "include":
				for _, f := range s.glob(d.words[len(d.words)-1]) {
					data, err := s.c.FS().ReadFile(f)
					if err != nil {
						return fmt.Errorf("open() %q failed (2: No such file or directory) in %s:%d", f, d.file, d.line)
					}
					inc, err := parseNginx(f, string(data))
					if err != nil {
						return err
					}
					if err := walk(inc, inHTTP, base); err != nil {
						return err
					}
				}
			case "http":
				if err := walk(d.block, true, base); err != nil {
					return err
				}
			case "root":
				base.root = strings.Join(d.words[1:], " ")
			case "default_type":
				base.ctype = d.words[len(d.words)-1]
			case "server":
				if inHTTP {
					srv, err := readServer(d, base)
					if err != nil {
						return err
					}
					servers = append(servers, srv)
				}
			case "upstream", "events", "user", "worker_processes", "error_log", "access_log", "pid", "types", "sendfile", "tcp_nopush", "keepalive_timeout", "log_format", "map", "gzip", "daemon", "worker_rlimit_nofile", "load_module", "stream", "env", "geo", "limit_req_zone", "proxy_cache_path", "client_max_body_size", "server_tokens", "resolver", "split_clients":
			default:
				if strings.ContainsAny(d.words[0], "_") || inHTTP {
					continue
				}
				return fmt.Errorf("unknown directive %q in %s:%d", d.words[0], d.file, d.line)
			}
		}
		return nil
	}
	err = walk(top, false, nginxLocation{root: "/etc/nginx/html", index: []string{"index.html"}, ctype: "text/plain"})
	if err != nil {
		return nil, err
	}
	return servers, nil
}

func (s *server) glob(pattern string) []string {
	if !strings.HasPrefix(pattern, "/") {
		pattern = "/etc/nginx/" + pattern
	}
	if !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}
	}
	list, err := s.c.FS().ReadDir(path.Dir(pattern))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range list {
		if ok, _ := path.Match(path.Base(pattern), e.Name()); ok && !e.IsDir() {
			out = append(out, path.Dir(pattern)+"/"+e.Name())
		}
	}
	slices.Sort(out)
	return out
}

func readServer(d directive, base nginxLocation) (*nginxServer, error) {
	srv := &nginxServer{base: base}
	var locations []directive
	for _, x := range d.block {
		switch x.words[0] {
		case "listen":
			if len(x.words) < 2 {
				return nil, fmt.Errorf("invalid number of arguments in \"listen\" directive in %s:%d", x.file, x.line)
			}
			a := x.words[1]
			n, err := strconv.Atoi(a[strings.LastIndexByte(a, ':')+1:])
			if err != nil || n < 1 || n > 65535 {
				return nil, fmt.Errorf("invalid port in %q of the \"listen\" directive in %s:%d", a, x.file, x.line)
			}
			if !slices.Contains(srv.ports, n) {
				srv.ports = append(srv.ports, n)
			}
		case "server_name":
			srv.names = x.words[1:]
		case "location":
			locations = append(locations, x)
		default:
			srv.base.set(x)
		}
	}
	if len(srv.ports) == 0 {
		srv.ports = []int{80}
	}
	for _, x := range locations {
		l := srv.base
		l.ret, l.text, l.try = 0, "", srv.base.try
		switch args := x.words[1:]; {
		case len(args) == 1:
			l.path = args[0]
		case len(args) == 2:
			l.exact, l.regex = args[0] == "=", strings.HasPrefix(args[0], "~")
			l.path = args[1]
		}
		for _, y := range x.block {
			l.set(y)
		}
		srv.locations = append(srv.locations, &l)
	}
	return srv, nil
}

func (l *nginxLocation) set(d directive) {
	args := d.words[1:]
	if len(args) == 0 && d.words[0] != "stub_status" {
		return
	}
	switch d.words[0] {
	case "root":
		l.root = args[0]
	case "alias":
		l.alias = args[0]
	case "index":
		l.index = args
	case "try_files":
		l.try = args
	case "default_type":
		l.ctype = args[0]
	case "add_header":
		if strings.EqualFold(args[0], "content-type") && len(args) > 1 {
			l.ctype = args[1]
		}
	case "proxy_pass":
		l.proxy = args[0]
	case "stub_status":
		l.stub = true
	case "return":
		if n, err := strconv.Atoi(args[0]); err == nil {
			l.ret = n
			l.text = strings.Join(args[1:], " ")
		} else {
			l.ret, l.text = 302, args[0]
		}
	}
}

// nginxServer is the server block that answers on the port for the host.
func (s *server) nginxServer(port int, host string) *nginxServer {
	host, _, _ = strings.Cut(host, ":")
	var first *nginxServer
	for _, n := range s.conf {
		if !slices.Contains(n.ports, port) {
			continue
		}
		if first == nil {
			first = n
		}
		if slices.Contains(n.names, host) {
			return n
		}
	}
	return first
}

// upstream is the first server of a named group.
func (s *server) upstream(name string) string {
	for _, f := range append([]string{"/etc/nginx/nginx.conf"}, s.glob("conf.d/*.conf")...) {
		data, err := s.c.FS().ReadFile(f)
		if err != nil {
			continue
		}
		list, err := parseNginx(f, string(data))
		if err != nil {
			continue
		}
		for i := 0; i < len(list); i++ {
			d := list[i]
			if d.words[0] == "http" {
				list = append(list, d.block...)
			}
			if d.words[0] == "upstream" && len(d.words) > 1 && d.words[1] == name {
				for _, x := range d.block {
					if x.words[0] == "server" && len(x.words) > 1 {
						return x.words[1]
					}
				}
			}
		}
	}
	return ""
}

// reloadNginx starts new workers, as after nginx -s reload.
func (s *server) reloadNginx() {
	s.notice("signal 1 (SIGHUP) received, reconfiguring")
	conf, err := s.loadNginx()
	if err != nil {
		s.logf("%s [emerg] 1#0: %s", stamp(s.now()), err)
		return
	}
	s.conf = conf
	s.notice("start worker processes")
	old := s.workers
	s.workers = nil
	for _, w := range old {
		s.c.forget(w)
		s.worker(nginxWorker, 101)
		s.notice("start worker process %d", s.workers[len(s.workers)-1].pid)
	}
	for _, w := range old {
		s.logf("%s [notice] %d#0: gracefully shutting down\n%s [notice] %d#0: exit", stamp(s.now()), w.pid, stamp(s.now()), w.pid)
	}
}
