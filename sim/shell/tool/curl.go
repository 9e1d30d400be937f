// curl. https://curl.se/docs/manpage.html

package tool

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

type curlRun struct {
	t          *T
	silent     bool
	showErr    bool
	fail       bool
	failBody   bool
	include    bool
	head       bool
	verbose    bool
	follow     bool
	method     string
	data       []byte
	hasData    bool
	get        bool
	headers    []string
	user       string
	agent      string
	outputs    []string
	remote     bool
	writeOut   string
	maxTime    time.Duration
	connect    time.Duration
	retry      int
	retryDelay time.Duration
	retryAll   bool
	dumpHeader string
	insecure   bool
	cacert     string
	maxRedirs  int
	upload     string
	form       []string
	resolve    map[string]string
	http10     bool
	create     bool
	cookie     string
}

func (r *curlRun) error(code int, format string, args ...any) int {
	if !r.silent || r.showErr {
		r.t.eprint(fmt.Sprintf("curl: (%d) %s\n", code, fmt.Sprintf(format, args...)))
	}
	return code
}

func curl(t *T) int {
	r := &curlRun{t: t, agent: "curl/8.5.0", maxRedirs: 50, resolve: map[string]string{}}
	var urls []string
	takes := "oXdHuwmAeTxbcDFKErytzC"
	i := 0
	next := func(opt string) (string, bool) {
		if i+1 >= len(t.args) {
			t.eprint("curl: option " + opt + ": requires parameter\ncurl: try 'curl --help' or 'curl --manual' for more information\n")
			return "", false
		}
		i++
		return t.args[i], true
	}
	long := map[string]string{"silent": "s", "show-error": "S", "fail": "f", "include": "i", "show-headers": "i", "head": "I", "verbose": "v", "output": "o", "remote-name": "O", "request": "X", "data": "d", "data-ascii": "d", "header": "H", "location": "L", "insecure": "k", "user": "u", "write-out": "w", "max-time": "m", "user-agent": "A", "referer": "e", "get": "G", "upload-file": "T", "proxy": "x", "globoff": "g", "dump-header": "D", "form": "F", "cookie": "b", "cookie-jar": "c", "http1.0": "0", "ipv4": "4", "ipv6": "6", "no-buffer": "N", "progress-bar": "#", "cert": "E"}
	longTakes := map[string]bool{"data-raw": true, "data-binary": true, "data-urlencode": true, "json": true, "connect-timeout": true, "retry": true, "retry-delay": true, "retry-max-time": true, "noproxy": true, "cacert": true, "capath": true, "key": true, "url": true, "max-redirs": true, "resolve": true, "limit-rate": true, "unix-socket": true, "interface": true, "connect-to": true, "proto": true, "ciphers": true, "tls-max": true, "output-dir": true, "oauth2-bearer": true, "dns-servers": true, "keepalive-time": true}
	longFlags := map[string]bool{"fail-with-body": true, "compressed": true, "no-progress-meter": true, "http1.1": true, "http2": true, "http2-prior-knowledge": true, "retry-connrefused": true, "retry-all-errors": true, "create-dirs": true, "tlsv1.2": true, "tlsv1.3": true, "path-as-is": true, "parallel": true, "tcp-nodelay": true, "no-keepalive": true, "location-trusted": true, "raw": true, "ssl-no-revoke": true, "disable": true}
	seconds := func(v string) (time.Duration, bool) {
		f, err := strconv.ParseFloat(v, 64)
		return time.Duration(f * float64(time.Second)), err == nil && f >= 0
	}
	addData := func(v string) {
		if r.hasData && len(r.data) > 0 {
			r.data = append(r.data, '&')
		}
		r.data = append(r.data, v...)
		r.hasData = true
	}
	readData := func(v string, strip bool) bool {
		if !strings.HasPrefix(v, "@") {
			addData(v)
			return true
		}
		b, err := t.readAll(v[1:])
		if err != nil {
			r.error(26, "Failed to open %s", v[1:])
			return false
		}
		if strip {
			b = []byte(strings.NewReplacer("\n", "", "\r", "", "\x00", "").Replace(string(b)))
		}
		addData(string(b))
		return true
	}
	set := func(name, v string) int {
		switch name {
		case "o":
			r.outputs = append(r.outputs, v)
		case "X":
			r.method = v
		case "d":
			if !readData(v, true) {
				return 26
			}
		case "data-binary":
			if !readData(v, false) {
				return 26
			}
		case "data-raw":
			addData(v)
		case "data-urlencode":
			k, val, ok := strings.Cut(v, "=")
			if !ok {
				addData(queryEscape(v))
			} else if k == "" {
				addData(queryEscape(val))
			} else {
				addData(k + "=" + queryEscape(val))
			}
		case "json":
			if !readData(v, false) {
				return 26
			}
			r.headers = append(r.headers, "Content-Type: application/json", "Accept: application/json")
		case "H":
			if strings.HasPrefix(v, "@") {
				if b, err := t.readAll(v[1:]); err == nil {
					r.headers = append(r.headers, strings.Split(strings.TrimSpace(string(b)), "\n")...)
				}
				break
			}
			r.headers = append(r.headers, v)
		case "u":
			r.user = v
		case "oauth2-bearer":
			r.headers = append(r.headers, "Authorization: Bearer "+v)
		case "w":
			if strings.HasPrefix(v, "@") {
				b, _ := t.readAll(v[1:])
				v = string(b)
			}
			r.writeOut = v
		case "m", "connect-timeout", "retry-delay":
			d, ok := seconds(v)
			if !ok {
				t.eprint("curl: option " + map[string]string{"m": "-m", "connect-timeout": "--connect-timeout", "retry-delay": "--retry-delay"}[name] + ": expected a proper numerical parameter\ncurl: try 'curl --help' or 'curl --manual' for more information\n")
				return 2
			}
			switch name {
			case "m":
				r.maxTime = d
			case "connect-timeout":
				r.connect = d
			default:
				r.retryDelay = d
			}
		case "retry":
			n, err := strconv.Atoi(v)
			if err != nil {
				t.eprint("curl: option --retry: expected a proper numerical parameter\ncurl: try 'curl --help' or 'curl --manual' for more information\n")
				return 2
			}
			r.retry = n
		case "A":
			r.agent = v
		case "e":
			r.headers = append(r.headers, "Referer: "+v)
		case "T":
			r.upload = v
		case "D":
			r.dumpHeader = v
		case "F":
			r.form = append(r.form, v)
		case "b":
			r.headers = append(r.headers, "Cookie: "+v)
		case "cacert":
			r.cacert = v
		case "url":
			urls = append(urls, v)
		case "max-redirs":
			r.maxRedirs, _ = strconv.Atoi(v)
		case "resolve":
			if f := strings.SplitN(v, ":", 3); len(f) == 3 {
				r.resolve[strings.TrimPrefix(f[0], "+")+":"+f[1]] = f[2]
			}
		}
		return 0
	}
	for ; i < len(t.args); i++ {
		a := t.args[i]
		switch {
		case strings.HasPrefix(a, "--") && len(a) > 2:
			name := a[2:]
			if l, ok := long[name]; ok {
				name = l
			}
			if len(name) == 1 && strings.Contains(takes, name) || longTakes[name] {
				v, ok := next(a)
				if !ok {
					return 2
				}
				if code := set(name, v); code != 0 {
					return code
				}
				continue
			}
			if len(name) == 1 {
				r.flag(name[0])
				continue
			}
			switch {
			case name == "fail-with-body":
				r.fail, r.failBody = true, true
			case name == "no-progress-meter":
				r.silent, r.showErr = true, true
			case name == "retry-connrefused" || name == "retry-all-errors":
				r.retryAll = true
			case name == "create-dirs":
				r.create = true
			case name == "version":
				t.puts("curl 8.5.0 (x86_64-pc-linux-gnu) libcurl/8.5.0\nRelease-Date: 2023-12-06\nProtocols: http https\n")
				return 0
			case name == "help":
				t.puts("Usage: curl [options...] <url>\n")
				return 0
			case longFlags[name] || strings.HasPrefix(name, "no-"):
			default:
				t.eprint("curl: option " + a + ": is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n")
				return 2
			}
		case len(a) > 1 && a[0] == '-':
			for j := 1; j < len(a); j++ {
				c := a[j]
				if strings.IndexByte(takes, c) >= 0 {
					v := a[j+1:]
					if v == "" {
						var ok bool
						if v, ok = next("-" + string(c)); !ok {
							return 2
						}
					}
					if code := set(string(c), v); code != 0 {
						return code
					}
					break
				}
				switch c {
				case 'V':
					t.puts("curl 8.5.0 (x86_64-pc-linux-gnu) libcurl/8.5.0\nRelease-Date: 2023-12-06\nProtocols: http https\n")
					return 0
				case 'h':
					t.puts("Usage: curl [options...] <url>\n")
					return 0
				}
				if strings.IndexByte("sSfiIvOLkGg0146N#nqaBjlpRZ23", c) < 0 {
					t.eprint("curl: option -" + string(c) + ": is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n")
					return 2
				}
				r.flag(c)
			}
		default:
			urls = append(urls, a)
		}
	}
	if len(urls) == 0 {
		t.eprint("curl: (2) no URL specified\ncurl: try 'curl --help' or 'curl --manual' for more information\n")
		return 2
	}
	status := 0
	for k, raw := range urls {
		status = r.fetch(raw, k)
	}
	return status
}

func (r *curlRun) flag(c byte) {
	switch c {
	case 's':
		r.silent = true
	case 'S':
		r.showErr = true
	case 'f':
		r.fail = true
	case 'i':
		r.include = true
	case 'I':
		r.head, r.include = true, true
	case 'v':
		r.verbose = true
	case 'L':
		r.follow = true
	case 'G':
		r.get = true
	case 'O':
		r.remote = true
	case 'k':
		r.insecure = true
	case '0':
		r.http10 = true
	}
}

func queryEscape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (r *curlRun) fetch(raw string, index int) int {
	t := r.t
	for attempt := 0; ; attempt++ {
		code, transient := r.once(raw, index, attempt < r.retry)
		if code == 0 && !transient || attempt >= r.retry || !transient {
			return code
		}
		wait := r.retryDelay
		if wait == 0 {
			wait = time.Duration(1<<min(attempt, 9)) * time.Second
		}
		if !r.silent || r.showErr {
			left := r.retry - attempt
			what := "problem (retrying all errors)"
			if code == 28 {
				what = "problem: timeout"
			} else if code == 22 || code == 0 {
				what = "problem: HTTP error"
			} else if code == 7 {
				what = "problem: connection refused"
			}
			plural := "ies"
			if left == 1 {
				plural = "y"
			}
			secs := "seconds"
			if wait == time.Second {
				secs = "second"
			}
			t.eprint(fmt.Sprintf("Warning: %s. Will retry in %s %s. %d \nWarning: retr%s left.\n", capital(what), strconv.FormatFloat(wait.Seconds(), 'f', -1, 64), secs, left, plural))
		}
		if err := t.Proc.Sleep(wait); err != nil {
			return 130
		}
	}
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// once does one transfer; transient says that --retry may try again.
func (r *curlRun) once(raw string, index int, more bool) (code int, transient bool) {
	t := r.t
	begin := t.Proc.Now()
	u, ok := parseURL(raw)
	if !ok {
		if strings.Contains(raw, ":") && u.host != "" {
			return r.error(3, "URL rejected: Port number was not a decimal number between 0 and 65535"), false
		}
		if u.host == "" {
			return r.error(3, "URL rejected: No host part in the URL"), false
		}
		return r.error(3, "URL rejected: Malformed input to a URL function"), false
	}
	switch u.scheme {
	case "http", "https":
	case "file":
		b, err := t.readAll(u.path)
		if err != nil {
			return r.error(37, "Couldn't open file %s", u.path), false
		}
		t.write(b)
		return 0, false
	default:
		return r.error(1, "Protocol \"%s\" not supported", u.scheme), false
	}
	method := "GET"
	body := r.data
	switch {
	case r.head:
		method = "HEAD"
	case r.get:
		if len(body) > 0 {
			sep := "?"
			if strings.Contains(u.path, "?") {
				sep = "&"
			}
			u.path += sep + string(body)
		}
		body = nil
	case r.upload != "":
		method = "PUT"
		b, err := t.readAll(r.upload)
		if err != nil {
			return r.error(26, "Can't open '%s'!", r.upload), false
		}
		body = b
	case r.hasData || len(r.form) > 0:
		method = "POST"
	}
	if r.method != "" {
		method = r.method
	}
	h := network.Header{"Host": {u.hostHeader()}, "User-Agent": {r.agent}, "Accept": {"*/*"}}
	order := []string{"Host", "User-Agent", "Accept"}
	put := func(k, v string) {
		for _, o := range order {
			if strings.EqualFold(o, k) {
				h.Set(o, v)
				return
			}
		}
		order = append(order, k)
		h.Set(k, v)
	}
	user := r.user
	if user == "" {
		user = u.user
	}
	if user != "" {
		put("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user)))
		order = append([]string{"Host", "Authorization"}, order[1:len(order)-1]...)
	}
	if len(r.form) > 0 {
		const boundary = "------------------------d74496d66958873e"
		var b strings.Builder
		for _, f := range r.form {
			k, v, _ := strings.Cut(f, "=")
			name := ""
			if strings.HasPrefix(v, "@") {
				data, err := t.readAll(v[1:])
				if err != nil {
					return r.error(26, "Failed to open/read local data from file/application"), false
				}
				name = fmt.Sprintf("; filename=\"%s\"\r\nContent-Type: application/octet-stream", path.Base(v[1:]))
				v = string(data)
			}
			fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n%s\r\n", boundary, k, name, v)
		}
		fmt.Fprintf(&b, "--%s--\r\n", boundary)
		body = []byte(b.String())
		put("Content-Type", "multipart/form-data; boundary="+boundary)
	}
	if (r.hasData || len(r.form) > 0 || r.upload != "") && !r.get {
		put("Content-Length", strconv.Itoa(len(body)))
		if r.hasData && r.upload == "" {
			put("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	for _, x := range r.headers {
		k, v, has := strings.Cut(x, ":")
		v = strings.TrimSpace(v)
		switch {
		case !has && strings.HasSuffix(x, ";"):
			put(strings.TrimSuffix(x, ";"), "")
		case v == "":
			for n := range h {
				if strings.EqualFold(n, k) {
					delete(h, n)
				}
			}
		default:
			put(k, v)
		}
	}
	hops := 0
	var resp *network.Response
	var headText string
	note := func(format string, args ...any) {
		if r.verbose {
			t.eprint(fmt.Sprintf(format, args...) + "\n")
		}
	}
	vars := map[string]string{"http_code": "000", "response_code": "000", "size_download": "0", "num_redirects": "0", "url_effective": raw, "content_type": "", "remote_ip": "", "remote_port": "", "local_ip": "", "local_port": "", "redirect_url": "", "method": method, "scheme": strings.ToUpper(u.scheme), "http_version": "1.1", "exitcode": "0", "errormsg": "", "url": raw, "size_upload": strconv.Itoa(len(body)), "speed_download": "0", "num_connects": "1", "ssl_verify_result": "0", "size_header": "0", "size_request": "0", "filename_effective": ""}
	if !strings.Contains(raw, "://") {
		vars["url_effective"] = "http://" + raw
	}
	if rest := strings.SplitN(vars["url_effective"], "://", 2); len(rest) == 2 && !strings.ContainsAny(rest[1], "/?") {
		vars["url_effective"] += "/"
	}
	finish := func(code int, msg string) {
		if r.writeOut == "" {
			return
		}
		if code != 0 && more {
			return
		}
		el := t.Proc.Now().Sub(begin).Seconds()
		total := fmt.Sprintf("%.6f", max(el, 0.000412))
		vars["exitcode"], vars["errormsg"] = strconv.Itoa(code), msg
		for k, v := range map[string]string{"time_total": total, "time_connect": fmt.Sprintf("%.6f", max(el/2, 0.000203)), "time_namelookup": "0.000051", "time_appconnect": "0.000000", "time_pretransfer": "0.000231", "time_starttransfer": total, "time_redirect": "0.000000"} {
			vars[k] = v
		}
		out, _ := Escapes(r.writeOut, true)
		for {
			i := strings.Index(out, "%{")
			if i < 0 {
				break
			}
			j := strings.IndexByte(out[i:], '}')
			if j < 0 {
				break
			}
			t.puts(strings.ReplaceAll(out[:i], "%%", "%"))
			name := out[i+2 : i+j]
			if v, ok := vars[name]; ok {
				t.puts(v)
			} else if strings.HasPrefix(name, "header{") || name == "stdout" || name == "stderr" || name == "onerror" {
			} else {
				t.flush()
				t.eprint("curl: unknown --write-out variable: '" + name + "'\n")
			}
			out = out[i+j+1:]
		}
		t.puts(strings.ReplaceAll(out, "%%", "%"))
	}
	for {
		if t.Net == nil {
			finish(6, "Could not resolve host: "+u.host)
			return r.error(6, "Could not resolve host: %s", u.host), false
		}
		req := &network.Request{Method: method, Host: h.Get("Host"), Path: u.path, TLS: u.scheme == "https", Header: h, Body: body}
		dial := u.host
		if to, ok := r.resolve[u.host+":"+strconv.Itoa(u.port)]; ok {
			dial = to
		}
		addrs, lookupErr := t.Net.Lookup(dial)
		ip := ""
		if lookupErr == nil && len(addrs) > 0 {
			ip = addrs[0].String()
			note("* Host %s:%d was resolved.\n* IPv6: (none)\n* IPv4: %s\n*   Trying %s:%d...", u.host, u.port, ip, ip, u.port)
		}
		if req.TLS && !r.insecure && ip != "" {
			if code, msg := r.verify(addrs[0], u.port); code != 0 {
				note("* Connected to %s (%s) port %d\n* %s\n* Closing connection", u.host, ip, u.port, msg)
				finish(code, msg)
				if code == untrusted {
					msg += "\nMore details here: https://curl.se/docs/sslcerts.html\n\ncurl failed to verify the legitimacy of the server and therefore could not\nestablish a secure connection to it. To learn more about this situation and\nhow to fix it, please visit the web page mentioned above."
				}
				return r.error(code, "%s", msg), false
			}
		}
		start := t.Proc.Now()
		var err error
		resp, err = r.do(dial, u.port, req)
		if err != nil {
			code, msg := r.failure(err, u, ip, start, begin)
			if r.verbose {
				switch code {
				case 6:
					note("* Could not resolve host: %s\n* Closing connection", u.host)
				case 7:
					note("* connect to %s port %d failed: Connection refused\n* Failed to connect to %s port %d after %d ms: Couldn't connect to server\n* Closing connection", ip, u.port, u.host, u.port, t.Proc.Now().Sub(start).Milliseconds())
				default:
					note("* %s\n* Closing connection", msg)
				}
			}
			transient = code == 28 || (code == 7 || code == 6 || code == 56 || code == 52) && r.retryAll
			if !(more && transient) || !r.silent || r.showErr {
				r.error(code, "%s", msg)
			}
			finish(code, msg)
			return code, transient
		}
		vars["remote_ip"], vars["remote_port"] = ip, strconv.Itoa(u.port)
		note("* Connected to %s (%s) port %d", u.host, ip, u.port)
		if r.verbose {
			version := "HTTP/1.1"
			t.eprint(fmt.Sprintf("> %s %s %s\n", method, u.path, version))
			for _, k := range order {
				if _, ok := h[k]; ok {
					t.eprint(fmt.Sprintf("> %s: %s\n", k, h.Get(k)))
				}
			}
			t.eprint("> \n")
		}
		headText = responseHead(resp, t.Proc.Now(), method)
		if r.verbose {
			for _, l := range strings.Split(strings.TrimSuffix(headText, "\r\n"), "\r\n") {
				if l != "" {
					t.eprint("< " + l + "\n")
				}
			}
			t.eprint("< \n")
		}
		vars["http_code"] = fmt.Sprintf("%03d", resp.Status)
		vars["response_code"] = vars["http_code"]
		vars["content_type"] = resp.Header.Get("Content-Type")
		loc := resp.Header.Get("Location")
		if loc == "" || resp.Status/100 != 3 {
			break
		}
		next := loc
		if !strings.Contains(loc, "://") {
			if !strings.HasPrefix(loc, "/") {
				loc = path.Join(path.Dir(u.path), loc)
			}
			next = u.scheme + "://" + u.hostHeader() + loc
		}
		vars["redirect_url"] = next
		if !r.follow {
			break
		}
		if r.include {
			t.puts(headText)
		}
		if hops++; hops > r.maxRedirs {
			msg := fmt.Sprintf("Maximum (%d) redirects followed", r.maxRedirs)
			finish(47, msg)
			return r.error(47, "%s", msg), false
		}
		v, ok := parseURL(next)
		if !ok {
			return r.error(3, "URL rejected: Malformed input to a URL function"), false
		}
		if resp.Status == 303 || (resp.Status == 301 || resp.Status == 302) && method == "POST" && r.method == "" {
			method, body = "GET", nil
			delete(h, "Content-Length")
			delete(h, "Content-Type")
		}
		u = v
		h.Set("Host", u.hostHeader())
		vars["num_redirects"], vars["url_effective"], vars["redirect_url"] = strconv.Itoa(hops), next, ""
		note("* Issue another request to this URL: '%s'", next)
	}
	if r.dumpHeader != "" {
		if w, err := t.create(r.dumpHeader, os.O_TRUNC); r.dumpHeader == "-" {
			t.puts(headText)
		} else if err == nil {
			_, _ = w.Write([]byte(headText))
		}
	}
	if r.fail && resp.Status >= 400 {
		transient = resp.Status == 408 || resp.Status == 429 || resp.Status >= 500 && resp.Status != 501 && resp.Status != 505 || r.retryAll
		if !r.failBody {
			msg := fmt.Sprintf("The requested URL returned error: %d", resp.Status)
			r.error(22, "%s", msg)
			finish(22, msg)
			return 22, transient
		}
	} else if resp.Status == 408 || resp.Status == 429 || resp.Status == 500 || resp.Status == 502 || resp.Status == 503 || resp.Status == 504 {
		transient = true
	}
	out := func(b []byte) bool { t.write(b); return true }
	name := ""
	if index < len(r.outputs) {
		name = r.outputs[index]
	} else if r.remote {
		p, _, _ := strings.Cut(u.path, "?")
		if name = path.Base(p); name == "/" || name == "." {
			return r.error(23, "Remote file name has no length"), false
		}
	}
	if name != "" && name != "-" {
		if r.create {
			_ = t.FS.MkdirAll(path.Dir(t.Path(name)), 0o755)
		}
		w, err := t.create(name, os.O_TRUNC)
		if err != nil {
			t.eprint(fmt.Sprintf("Warning: Failed to open the file %s: %s\n", name, vfs.Reason(err)))
			return r.error(23, "Failure writing output to destination"), false
		}
		vars["filename_effective"] = name
		out = func(b []byte) bool {
			_, err := w.Write(b)
			return err == nil
		}
	}
	if r.include {
		out([]byte(headText))
	}
	size := 0
	if method != "HEAD" {
		size = len(resp.Body)
		if !out(resp.Body) {
			return r.error(23, "Failure writing output to destination"), false
		}
		if resp.Stream != nil {
			n, code := r.stream(resp.Stream, begin, out)
			size += n
			if code != 0 {
				vars["size_download"] = strconv.Itoa(size)
				msg := fmt.Sprintf("Operation timed out after %d milliseconds with %d bytes received", t.Proc.Now().Sub(begin).Milliseconds(), size)
				r.error(28, "%s", msg)
				finish(28, msg)
				return 28, true
			}
		}
	}
	if name != "" && name != "-" && !r.silent {
		t.eprint(progress(size))
	}
	note("* Connection #0 to host %s left intact", u.host)
	vars["size_download"] = strconv.Itoa(size)
	if r.fail && resp.Status >= 400 {
		msg := fmt.Sprintf("The requested URL returned error: %d", resp.Status)
		r.error(22, "%s", msg)
		finish(22, msg)
		return 22, transient
	}
	if transient && more && name == "" {
		return 0, true
	}
	finish(0, "")
	return 0, false
}

func progress(size int) string {
	s := strconv.Itoa(size)
	if size > 99999 {
		s = fmt.Sprintf("%dk", size/1024)
	}
	return "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n                                 Dload  Upload   Total   Spent    Left  Speed\n" +
		fmt.Sprintf("\r100 %5s  100 %5s    0     0  %5s      0 --:--:-- --:--:-- --:--:-- %5s\n", s, s, s, s)
}

// do sends the request within the time limits.
// untrusted is curl's code for a certificate that it cannot verify.
const untrusted = 60

// verify judges the certificate of whoever listens at the address. Servers on
// the simulation's networks have certificates of authorities that only --cacert
// makes known; any certificate in that file will do. Nobody there: the
// connection is to fail.
func (r *curlRun) verify(a netip.Addr, port int) (code int, msg string) {
	if !a.IsPrivate() && !a.IsLoopback() {
		return 0, ""
	}
	if _, _, err := r.t.Net.Find(netip.AddrPortFrom(a, uint16(port))); err != nil {
		return 0, ""
	}
	if r.cacert != "" {
		if data, err := r.t.readAll(r.cacert); err != nil {
			return 77, "error setting certificate file: " + r.cacert
		} else if strings.Contains(string(data), "-----BEGIN CERTIFICATE-----") {
			return 0, ""
		}
	}
	return untrusted, "SSL certificate problem: unable to get local issuer certificate"
}

func (r *curlRun) do(host string, port int, req *network.Request) (*network.Response, error) {
	t := r.t
	if r.maxTime <= 0 {
		return t.Net.Do(t.Proc, host, port, req)
	}
	// the handler blocks this very process: a timer wakes it by a signal
	expired := false
	was := t.Proc.OnSignal
	t.Proc.OnSignal = func(sig kernel.Signal) bool {
		if sig == kernel.SIGALRM && expired {
			return true
		}
		return was != nil && was(sig)
	}
	timer := t.Proc.Kernel().Clock().After(r.maxTime, "curl --max-time", func() {
		expired = true
		t.Proc.Signal(kernel.SIGALRM)
	})
	resp, err := t.Net.Do(t.Proc, host, port, req)
	timer.Stop()
	t.Proc.OnSignal = was
	if expired {
		return nil, errMaxTime
	}
	return resp, err
}

var errMaxTime = errors.New("operation timed out")

// failure maps an error of the network to curl's code and words; a timeout
// takes its time first.
func (r *curlRun) failure(err error, u target, ip string, start, begin time.Time) (int, string) {
	t := r.t
	ms := func() int64 { return t.Proc.Now().Sub(start).Milliseconds() }
	if err == errMaxTime {
		return 28, fmt.Sprintf("Operation timed out after %d milliseconds with 0 bytes received", t.Proc.Now().Sub(begin).Milliseconds())
	}
	var e *network.Error
	if !errors.As(err, &e) {
		if errors.Is(err, kernel.ErrInterrupted) {
			return 130, "interrupted"
		}
		return 56, "Recv failure: " + capital(err.Error())
	}
	switch e.Kind {
	case network.NoHost:
		return 6, "Could not resolve host: " + u.host
	case network.Timeout, network.NoServer:
		wait := 130 * time.Second
		if e.After > 0 {
			wait = e.After
		}
		if r.connect > 0 {
			wait = min(wait, r.connect)
		}
		if r.maxTime > 0 {
			wait = min(wait, r.maxTime)
		}
		wait -= t.Proc.Now().Sub(start)
		if r.connect > 0 || r.maxTime > 0 {
			wait += time.Millisecond // its timers are looked at when they have run out
		}
		if wait > 0 {
			if err := t.Proc.Sleep(wait); err != nil {
				return 130, "interrupted"
			}
		}
		if e.Kind == network.NoServer {
			if t.Proc.Now().Sub(start) < e.After {
				return 28, fmt.Sprintf("Resolving timed out after %d milliseconds", ms())
			}
			return 6, "Could not resolve host: " + u.host
		}
		switch {
		case r.connect > 0 && (r.maxTime <= 0 || r.connect < r.maxTime):
			return 28, fmt.Sprintf("Failed to connect to %s port %d after %d ms: Timeout was reached", u.host, u.port, ms())
		case r.maxTime > 0: // looked at before the connection is
			return 28, fmt.Sprintf("Connection timed out after %d milliseconds", ms())
		}
		return 28, fmt.Sprintf("Failed to connect to %s port %d after %d ms: Couldn't connect to server", u.host, u.port, ms())
	case network.Unreachable:
		return 7, fmt.Sprintf("Failed to connect to %s port %d after %d ms: Couldn't connect to server", u.host, u.port, ms())
	case network.Reset:
		return 56, "Recv failure: Connection reset by peer"
	case network.Empty:
		return 52, "Empty reply from server"
	}
	return 7, fmt.Sprintf("Failed to connect to %s port %d after %d ms: Couldn't connect to server", u.host, u.port, ms())
}

// stream copies a body that arrives over time; code 28 when --max-time is over.
func (r *curlRun) stream(p *kernel.Pipe, begin time.Time, out func([]byte) bool) (n, code int) {
	t := r.t
	defer p.CloseRead()
	expired := false
	if r.maxTime > 0 {
		was := t.Proc.OnSignal
		t.Proc.OnSignal = func(sig kernel.Signal) bool {
			if sig == kernel.SIGALRM && expired {
				return true
			}
			return was != nil && was(sig)
		}
		timer := t.Proc.Kernel().Clock().At(begin.Add(r.maxTime), "curl --max-time", func() {
			expired = true
			t.Proc.Signal(kernel.SIGALRM)
		})
		defer func() { timer.Stop(); t.Proc.OnSignal = was }()
	}
	buf := make([]byte, 16<<10)
	for {
		t.flush()
		k, err := p.Read(buf)
		n += k
		if k > 0 && !out(buf[:k]) {
			return n, 23
		}
		if expired {
			return n, 28
		}
		if err == io.EOF {
			return n, 0
		}
		if err != nil && !errors.Is(err, kernel.ErrInterrupted) {
			return n, 0
		}
	}
}

// responseHead is the head of a response as curl -i prints it.
func responseHead(resp *network.Response, now time.Time, method string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", resp.Status, ReasonPhrase(resp.Status))
	seen := map[string]bool{}
	put := func(k string) {
		for _, n := range resp.Header.Names() {
			if strings.EqualFold(n, k) && !seen[n] {
				seen[n] = true
				for _, v := range resp.Header[n] {
					fmt.Fprintf(&b, "%s: %s\r\n", n, v)
				}
			}
		}
	}
	put("Server")
	if resp.Header.Get("Date") == "" {
		fmt.Fprintf(&b, "Date: %s\r\n", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	}
	put("Date")
	put("Content-Type")
	put("Content-Length")
	if resp.Header.Get("Content-Length") == "" {
		if resp.Stream != nil {
			if resp.Header.Get("Transfer-Encoding") == "" {
				b.WriteString("Transfer-Encoding: chunked\r\n")
			}
		} else if resp.Status != 204 && resp.Status != 304 {
			fmt.Fprintf(&b, "Content-Length: %d\r\n", len(resp.Body))
		}
	}
	names := resp.Header.Names()
	sort.Strings(names)
	for _, n := range names {
		put(n)
	}
	return b.String() + "\r\n"
}
