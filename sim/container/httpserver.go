// Small HTTP servers of images beside the one that answers from routes: static
// files, and httpbin, whose answers are made of the request.

package container

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
)

func query(r *network.Request) url.Values {
	if r == nil {
		return nil
	}
	_, q, _ := strings.Cut(r.Path, "?")
	v, _ := url.ParseQuery(q)
	return v
}

// serveFiles gives out files below --directory, Root or the working directory;
// a directory without an index is shown by the behaviour's Listing.
func (s *server) serveFiles(_ *kernel.Proc, r *network.Request) *network.Response {
	root := s.b.Root
	for _, f := range []string{"directory", "d", "h"} {
		if v, ok := s.flag(f); ok {
			root = v
		}
	}
	if root == "" || root[0] != '/' {
		root = strings.TrimSuffix(s.c.Dir, "/") + "/" + root
	}
	p := pathOf(r)
	name, data, ok := s.file(root, p, "index.html", "index.htm")
	status, ctype := 200, contentType(name)
	if !ok {
		list, err := s.c.FS().ReadDir(name)
		if err != nil || s.b.Listing == "" {
			status, ctype, data = 404, "text/html;charset=utf-8", []byte(s.expand(s.b.Missing, r))
		} else {
			var b strings.Builder
			for _, e := range list {
				n := e.Name()
				if e.IsDir() {
					n += "/"
				}
				fmt.Fprintf(&b, "<li><a href=\"%s\">%[1]s</a></li>\n", n)
			}
			ctype, data = "text/html; charset=utf-8", []byte(s.expand(strings.ReplaceAll(s.b.Listing, "${LIST}", b.String()), r))
		}
	}
	if s.b.Access != "" {
		s.logf("%s", s.expand(strings.ReplaceAll(s.b.Access, "${STATUS}", strconv.Itoa(status)), r))
	}
	resp := s.respond(status, ctype, data)
	if r.Method == "HEAD" {
		resp.Body = nil
	}
	return resp
}

// serveHTTPBin is httpbin.org's request inspection. https://httpbin.org
func (s *server) serveHTTPBin(p *kernel.Proc, r *network.Request) *network.Response {
	path := strings.Trim(pathOf(r), "/")
	word, rest, _ := strings.Cut(path, "/")
	headers := map[string]string{}
	for _, n := range r.Header.Names() {
		headers[n] = r.Header.Get(n)
	}
	headers["Host"] = r.Host
	args := map[string]any{}
	for k, v := range query(r) {
		args[k] = v[0]
		if len(v) > 1 {
			args[k] = v
		}
	}
	all := map[string]any{"args": args, "headers": headers, "origin": r.Remote.Addr().String(), "url": "http://" + r.Host + r.Path}
	if len(r.Body) > 0 || r.Method != "GET" {
		all["data"], all["form"], all["json"] = string(r.Body), map[string]string{}, nil
		var v any
		if form, err := url.ParseQuery(string(r.Body)); err == nil && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
			m := map[string]string{}
			for k := range form {
				m[k] = form.Get(k)
			}
			all["data"], all["form"] = "", m
		} else if json.Unmarshal(r.Body, &v) == nil {
			all["json"] = v
		}
	}
	wants := map[string]string{"get": "GET", "post": "POST", "put": "PUT", "patch": "PATCH", "delete": "DELETE"}
	if m := wants[word]; m != "" && m != r.Method && !(m == "GET" && r.Method == "HEAD") {
		return s.respond(405, "text/html", []byte("<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<title>405 Method Not Allowed</title>\n<h1>Method Not Allowed</h1>\n<p>The method is not allowed for the requested URL.</p>\n"))
	}
	var out any
	switch word {
	case "get", "post", "put", "patch", "delete":
		out = all
	case "anything":
		all["method"] = r.Method
		out = all
	case "headers":
		out = map[string]any{"headers": headers}
	case "ip":
		out = map[string]any{"origin": all["origin"]}
	case "user-agent":
		out = map[string]any{"user-agent": r.Header.Get("User-Agent")}
	case "hostname":
		out = map[string]any{"hostname": s.c.sb.Hostname}
	case "uuid":
		out = map[string]any{"uuid": s.c.rt.ids.UID()}
	case "status":
		if n, err := strconv.Atoi(rest); err == nil && n >= 100 && n < 600 {
			return s.respond(n, "text/html; charset=utf-8", nil)
		}
		return s.respond(400, "text/html; charset=utf-8", []byte("Invalid status code"))
	case "delay":
		n, err := strconv.ParseFloat(rest, 64)
		if err != nil || n < 0 {
			return s.respond(400, "text/html; charset=utf-8", []byte("Invalid delay"))
		}
		if p != nil {
			_ = p.Sleep(time.Duration(min(n, 10) * float64(time.Second)))
		}
		out = all
	case "":
		return s.respond(200, "text/html; charset=utf-8", []byte("<!DOCTYPE html>\n<html><head><title>httpbin.org</title></head></html>\n"))
	default:
		return s.respond(404, "text/html", []byte("<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not found on the server.  If you entered the URL manually please check your spelling and try again.</p>\n"))
	}
	body, _ := json.MarshalIndent(out, "", "  ")
	return s.respond(200, "application/json", append(body, '\n'))
}

// shell runs a command line in the container and says as JSON what it printed,
// as agnhost's /shell does.
func (s *server) shell(line string) string {
	out := map[string]string{}
	var b bytes.Buffer
	proc, err := s.c.Exec([]string{"/bin/sh", "-c", line}, IO{Stdout: &b, Stderr: &b})
	code := 0
	if err == nil && s.caller != nil {
		code, err = s.caller.Join(proc)
	}
	switch out["output"] = b.String(); {
	case err != nil:
		out["error"] = err.Error()
	case code != 0:
		out["error"] = "exit status " + strconv.Itoa(code)
	}
	data, _ := json.Marshal(out)
	return string(data)
}
