// kubectl proxy: the API on a local port, with the reader's credentials.

package kubectl

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/pflag"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func proxyCommand() *Command {
	return &Command{
		Use:   "proxy [--port=PORT] [--www=static-dir] [--www-prefix=prefix] [--api-prefix=prefix]",
		Short: "Run a proxy to the Kubernetes API server",
		Long:  "Serve the API, and if asked the files of a directory, on a local port until the command is stopped.",
		Examples: `kubectl proxy --port=8080
kubectl proxy --www=./static --www-prefix=/static/
kubectl proxy --port=0`,
		New: func() Verb { return &proxyOptions{} },
	}
}

type proxyOptions struct {
	www, wwwPrefix, apiPrefix      string
	acceptPaths, rejectPaths       string
	acceptHosts, rejectMethods     string
	port                           int
	address, socket                string
	disableFilter, appendPath      bool
	keepalive                      time.Duration
	paths, noPaths, hosts, methods []*regexp.Regexp
}

func (o *proxyOptions) Flags(f *pflag.FlagSet) {
	f.StringVarP(&o.www, "www", "w", "", "Serve the files of this directory as well")
	f.StringVarP(&o.wwwPrefix, "www-prefix", "P", "/static/", "Path of those files")
	f.StringVar(&o.apiPrefix, "api-prefix", "/", "Path of the API")
	f.StringVar(&o.acceptPaths, "accept-paths", "^.*", "Paths to accept; regular expressions separated by commas")
	f.StringVar(&o.rejectPaths, "reject-paths", "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach", "Paths to reject all the same")
	f.StringVar(&o.acceptHosts, "accept-hosts", `^localhost$,^127\.0\.0\.1$,^\[::1\]$`, "Host names to accept")
	f.StringVar(&o.rejectMethods, "reject-methods", "^$", "HTTP methods to reject")
	f.IntVarP(&o.port, "port", "p", 8001, "The port; 0 is any free one")
	f.StringVar(&o.address, "address", "127.0.0.1", "Address to listen on")
	f.BoolVar(&o.disableFilter, "disable-filter", false, "Accept everything")
	f.StringVarP(&o.socket, "unix-socket", "u", "", "Unix socket to listen on")
	f.DurationVar(&o.keepalive, "keepalive", 0, "Keep-alive period of connections")
	f.BoolVar(&o.appendPath, "append-server-path", false, "Put the path of the kubeconfig's server before each request's")
}

func (o *proxyOptions) Complete(*Session, []string) error {
	if !strings.HasSuffix(o.wwwPrefix, "/") {
		o.wwwPrefix += "/"
	}
	if !strings.HasSuffix(o.apiPrefix, "/") {
		o.apiPrefix += "/"
	}
	return nil
}

func (o *proxyOptions) Validate() error {
	if o.port != 8001 && o.socket != "" {
		return errors.New("cannot set --unix-socket and --port at the same time")
	}
	for _, l := range []struct {
		text string
		into *[]*regexp.Regexp
	}{{o.acceptPaths, &o.paths}, {o.rejectPaths, &o.noPaths}, {o.acceptHosts, &o.hosts}, {o.rejectMethods, &o.methods}} {
		for _, expr := range strings.Split(l.text, ",") {
			re, err := regexp.Compile(expr)
			if err != nil {
				return err
			}
			*l.into = append(*l.into, re)
		}
	}
	return nil
}

func matches(list []*regexp.Regexp, s string) bool {
	for _, re := range list {
		if re.MatchString(s) {
			return true
		}
	}
	return false
}

func (o *proxyOptions) accepts(r *network.Request, p string) bool {
	if o.disableFilter {
		return true
	}
	host := r.Host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return !matches(o.methods, r.Method) && !matches(o.noPaths, p) && matches(o.paths, p) && matches(o.hosts, host)
}

func (o *proxyOptions) Run(s *Session) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	if s.Net == nil {
		return errors.New("unable to listen: this machine has no network")
	}
	if o.socket != "" {
		return errors.New("listen unix " + o.socket + ": not supported here")
	}
	if o.www != "" {
		if info, err := s.FS.Stat(s.Path(o.www)); err != nil {
			s.logLine('W', "proxy.go:200", "Failed to stat static file directory "+o.www+": "+openError(o.www, err).Error())
		} else if !info.IsDir() {
			s.logLine('W', "proxy.go:202", "Static file directory "+o.www+" is not a directory")
		}
	}
	if o.disableFilter {
		s.logLine('W', "proxy.go:180", "Request filter disabled, your proxy is vulnerable to XSRF attacks, please be cautious")
	}
	var children []*kernel.Proc
	defer func() {
		for _, p := range children {
			p.Signal(kernel.SIGKILL)
		}
	}()
	spawn := func(name string, fn func(p *kernel.Proc) int) {
		live := children[:0]
		for _, p := range children {
			if _, done := p.Done(); !done {
				live = append(live, p)
			}
		}
		children = append(live, s.Proc.Kernel().Spawn(s.Proc, name, fn))
	}
	local := o.address == "127.0.0.1" || o.address == "localhost" || o.address == "::1"
	l, err := s.Net.Listen(o.port, local, func(p *kernel.Proc, r *network.Request) *network.Response {
		return o.serve(s, c, r, spawn)
	})
	if err != nil {
		return fmt.Errorf("listen tcp %s:%d: %v", o.address, o.port, err)
	}
	defer l.Close()
	s.Printf("Starting to serve on %s:%d\n", o.address, l.Port)
	var forever kernel.WaitQueue
	for {
		if err := s.Proc.Wait(&forever); err != nil {
			return err
		}
	}
}

// forwardedHeaders are the fields that the API looks at.
var forwardedHeaders = []string{"Accept", "Content-Type", "User-Agent", "Impersonate-User", "Impersonate-Group", "Impersonate-Uid"}

func text(status int, body string) *network.Response {
	return &network.Response{Status: status, Header: network.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(body)}
}

func (o *proxyOptions) serve(s *Session, c *Client, r *network.Request, spawn func(string, func(*kernel.Proc) int)) *network.Response {
	u, err := url.ParseRequestURI(r.Path)
	if err != nil {
		return text(400, "400 Bad Request")
	}
	if !o.accepts(r, u.Path) {
		return text(403, "Forbidden\n")
	}
	if o.www != "" && strings.HasPrefix(u.Path, o.wwwPrefix) {
		return o.file(s, strings.TrimPrefix(u.Path, o.wwwPrefix))
	}
	p := u.Path
	if prefix := strings.TrimSuffix(o.apiPrefix, "/"); prefix != "" {
		if !strings.HasPrefix(p, prefix+"/") && p != prefix {
			return text(404, "404 page not found\n")
		}
		p = strings.TrimPrefix(p, prefix)
	}
	req := &rest.Request{Method: r.Method, Path: p, Query: u.Query(), Header: rest.Header{}, Body: r.Body}
	for _, name := range forwardedHeaders {
		if v := r.Header.Get(name); v != "" {
			req.Header[name] = v
		}
	}
	if req.Header["Content-Type"] == "application/x-www-form-urlencoded" { // curl's own guess
		req.Header["Content-Type"] = r.Header.Get("Content-Type")
	}
	c.identify(req)
	resp := c.handler.Serve(req)
	if resp == nil {
		return text(502, "Bad Gateway")
	}
	wire := Wire{Kernel: s.Proc.Kernel(), Spawn: func(fn func(*kernel.Proc) int) { spawn("kubectl proxy", fn) },
		Encode: s.encode, EncodeEvent: s.encodeEvent}
	return wire.Answer(req, resp)
}

// encode writes an answer as bytes; the host's encoder knows the API's forms best.
func (s *Session) encode(req *rest.Request, resp *rest.Response) (string, []byte, error) {
	if s.Options.Encode != nil {
		return s.Options.Encode(req, resp)
	}
	if resp.Object == nil {
		return resp.ContentType, resp.Body, nil
	}
	data, err := json.MarshalIndent(resp.Object, "", "  ")
	return "application/json", data, err
}

func (s *Session) encodeEvent(e rest.Event) ([]byte, error) {
	if s.Options.EncodeEvent != nil {
		return s.Options.EncodeEvent(e)
	}
	raw, err := json.Marshal(e.Object)
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(metav1.WatchEvent{Type: string(e.Type), Object: metav1.RawExtension{Raw: raw}})
	return append(line, '\n'), err
}

func (o *proxyOptions) file(s *Session, name string) *network.Response {
	full := path.Join(s.Path(o.www), path.Clean("/"+name))
	info, err := s.FS.Stat(full)
	if err == nil && info.IsDir() {
		full = path.Join(full, "index.html")
	}
	data, err := s.FS.ReadFile(full)
	if err != nil {
		return text(404, "404 page not found\n")
	}
	kind := map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".json": "application/json", ".txt": "text/plain; charset=utf-8"}[path.Ext(full)]
	if kind == "" {
		kind = "application/octet-stream"
	}
	return &network.Response{Status: 200, Header: network.Header{"Content-Type": {kind}}, Body: data}
}
