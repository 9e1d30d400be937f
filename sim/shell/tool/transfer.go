// One transfer of curl: the request, redirects, the answer and what is told of it.

package tool

import (
	"encoding/base64"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// transfer is one attempt at one URL.
type transfer struct {
	*curlRun
	url    target
	begin  time.Time
	more   bool // another attempt may follow this one
	method string
	body   []byte
	header network.Header
	order  []string          // of the header's names, as they are sent
	vars   map[string]string // of --write-out
	hops   int
	resp   *network.Response
	first  string // the status line and header of the answer
}

// once does one transfer; transient says that --retry may try again.
func (r *curlRun) once(raw string, index int, more bool) (code int, transient bool) {
	x := &transfer{curlRun: r, begin: r.t.Proc.Now(), more: more}
	var ok bool
	if x.url, ok = parseURL(raw); !ok {
		return r.badURL(raw, x.url), false
	}
	switch x.url.scheme {
	case "http", "https":
	case "file":
		b, err := r.t.readAll(x.url.path)
		if err != nil {
			return r.error(37, "Couldn't open file %s", x.url.path), false
		}
		r.t.write(b)
		return 0, false
	default:
		return r.error(1, "Protocol \"%s\" not supported", x.url.scheme), false
	}
	if code := x.prepare(); code != 0 {
		return code, false
	}
	x.vars = map[string]string{"http_code": "000", "response_code": "000", "size_download": "0", "num_redirects": "0", "url_effective": raw, "content_type": "", "remote_ip": "", "remote_port": "", "local_ip": "", "local_port": "", "redirect_url": "", "method": x.method, "scheme": strings.ToUpper(x.url.scheme), "http_version": "1.1", "exitcode": "0", "errormsg": "", "url": raw, "size_upload": strconv.Itoa(len(x.body)), "speed_download": "0", "num_connects": "1", "ssl_verify_result": "0", "size_header": "0", "size_request": "0", "filename_effective": ""}
	if !strings.Contains(raw, "://") {
		x.vars["url_effective"] = "http://" + raw
	}
	if rest := strings.SplitN(x.vars["url_effective"], "://", 2); len(rest) == 2 && !strings.ContainsAny(rest[1], "/?") {
		x.vars["url_effective"] += "/"
	}
	for {
		if code, transient := x.exchange(); code != 0 {
			return code, transient
		}
		again, code := x.redirect()
		if code != 0 {
			return code, false
		}
		if !again {
			return x.receive(index)
		}
	}
}

// badURL says what is wrong with a URL, as far as it was understood.
func (r *curlRun) badURL(raw string, u target) int {
	switch {
	case u.host == "":
		return r.error(3, "URL rejected: No host part in the URL")
	case strings.Contains(raw, ":"):
		return r.error(3, "URL rejected: Port number was not a decimal number between 0 and 65535")
	}
	return r.error(3, "URL rejected: Malformed input to a URL function")
}

func (x *transfer) note(format string, args ...any) {
	if x.verbose {
		x.t.eprint(fmt.Sprintf(format, args...) + "\n")
	}
}

// fail ends the transfer with an error and what --write-out wants.
func (x *transfer) fail(code int, msg string) int {
	x.error(code, "%s", msg)
	x.finish(code, msg)
	return code
}

func (x *transfer) put(name, value string) {
	for _, o := range x.order {
		if strings.EqualFold(o, name) {
			x.header.Set(o, value)
			return
		}
	}
	x.order = append(x.order, name)
	x.header.Set(name, value)
}

// prepare makes the request of the options.
func (x *transfer) prepare() (code int) {
	t := x.t
	x.method, x.body = "GET", x.data
	switch {
	case x.head:
		x.method = "HEAD"
	case x.get:
		if len(x.body) > 0 {
			sep := "?"
			if strings.Contains(x.url.path, "?") {
				sep = "&"
			}
			x.url.path += sep + string(x.body)
		}
		x.body = nil
	case x.upload != "":
		x.method = "PUT"
		b, err := t.readAll(x.upload)
		if err != nil {
			return x.error(26, "Can't open '%s'!", x.upload)
		}
		x.body = b
	case x.hasData || len(x.form) > 0:
		x.method = "POST"
	}
	if x.curlRun.method != "" {
		x.method = x.curlRun.method
	}
	x.header = network.Header{"Host": {x.url.hostHeader()}, "User-Agent": {x.agent}, "Accept": {"*/*"}}
	x.order = []string{"Host", "User-Agent", "Accept"}
	user := x.user
	if user == "" {
		user = x.url.user
	}
	if user != "" {
		x.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user)))
		x.order = []string{"Host", "Authorization", "User-Agent", "Accept"}
	}
	if len(x.form) > 0 {
		if code := x.multipart(); code != 0 {
			return code
		}
	}
	if (x.hasData || len(x.form) > 0 || x.upload != "") && !x.get {
		x.put("Content-Length", strconv.Itoa(len(x.body)))
		if x.hasData && x.upload == "" {
			x.put("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	for _, line := range x.headers {
		k, v, has := strings.Cut(line, ":")
		v = strings.TrimSpace(v)
		switch {
		case !has && strings.HasSuffix(line, ";"):
			x.put(strings.TrimSuffix(line, ";"), "")
		case v == "":
			for n := range x.header {
				if strings.EqualFold(n, k) {
					delete(x.header, n)
				}
			}
		default:
			x.put(k, v)
		}
	}
	return 0
}

// multipart makes the body of --form.
func (x *transfer) multipart() (code int) {
	const boundary = "------------------------d74496d66958873e"
	var b strings.Builder
	for _, f := range x.form {
		k, v, _ := strings.Cut(f, "=")
		name := ""
		if strings.HasPrefix(v, "@") {
			data, err := x.t.readAll(v[1:])
			if err != nil {
				return x.error(26, "Failed to open/read local data from file/application")
			}
			name = fmt.Sprintf("; filename=\"%s\"\r\nContent-Type: application/octet-stream", path.Base(v[1:]))
			v = string(data)
		}
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n%s\r\n", boundary, k, name, v)
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	x.body = []byte(b.String())
	x.put("Content-Type", "multipart/form-data; boundary="+boundary)
	return 0
}

// exchange sends the request and takes the beginning of the answer.
func (x *transfer) exchange() (code int, transient bool) {
	t, u := x.t, x.url
	if t.Net == nil {
		return x.fail(6, "Could not resolve host: "+u.host), false
	}
	req := &network.Request{Method: x.method, Host: x.header.Get("Host"), Path: u.path, TLS: u.scheme == "https", Header: x.header, Body: x.body}
	dial := u.host
	if to, ok := x.resolve[u.host+":"+strconv.Itoa(u.port)]; ok {
		dial = to
	}
	addrs, lookupErr := t.Net.Lookup(dial)
	ip := ""
	if lookupErr == nil && len(addrs) > 0 {
		ip = addrs[0].String()
		x.note("* Host %s:%d was resolved.\n* IPv6: (none)\n* IPv4: %s\n*   Trying %s:%d...", u.host, u.port, ip, ip, u.port)
	}
	if req.TLS && !x.insecure && ip != "" {
		if code, msg := x.verify(addrs[0], u.port); code != 0 {
			x.note("* Connected to %s (%s) port %d\n* %s\n* Closing connection", u.host, ip, u.port, msg)
			x.fail(code, msg)
			if code == untrusted && (!x.silent || x.showErr) {
				t.eprint("More details here: https://curl.se/docs/sslcerts.html\n\ncurl failed to verify the legitimacy of the server and therefore could not\nestablish a secure connection to it. To learn more about this situation and\nhow to fix it, please visit the web page mentioned above.\n")
			}
			return code, false
		}
	}
	start := t.Proc.Now()
	var err error
	if x.resp, err = x.do(dial, u.port, req); err != nil {
		code, msg := x.failure(err, u, ip, start, x.begin)
		switch code {
		case 6:
			x.note("* Could not resolve host: %s\n* Closing connection", u.host)
		case 7:
			x.note("* connect to %s port %d failed: Connection refused\n* Failed to connect to %s port %d after %d ms: Couldn't connect to server\n* Closing connection", ip, u.port, u.host, u.port, t.Proc.Now().Sub(start).Milliseconds())
		default:
			x.note("* %s\n* Closing connection", msg)
		}
		transient = code == 28 || (code == 7 || code == 6 || code == 56 || code == 52) && x.retryAll
		if !(x.more && transient) || !x.silent || x.showErr {
			x.error(code, "%s", msg)
		}
		x.finish(code, msg)
		return code, transient
	}
	x.vars["remote_ip"], x.vars["remote_port"] = ip, strconv.Itoa(u.port)
	x.first = responseHead(x.resp, t.Proc.Now(), x.method)
	x.note("* Connected to %s (%s) port %d", u.host, ip, u.port)
	if x.verbose {
		t.eprint(fmt.Sprintf("> %s %s HTTP/1.1\n", x.method, u.path))
		for _, k := range x.order {
			if _, ok := x.header[k]; ok {
				t.eprint(fmt.Sprintf("> %s: %s\n", k, x.header.Get(k)))
			}
		}
		t.eprint("> \n")
		for _, l := range strings.Split(strings.TrimSuffix(x.first, "\r\n"), "\r\n") {
			if l != "" {
				t.eprint("< " + l + "\n")
			}
		}
		t.eprint("< \n")
	}
	status := fmt.Sprintf("%03d", x.resp.Status)
	x.vars["http_code"], x.vars["response_code"] = status, status
	x.vars["content_type"] = x.resp.Header.Get("Content-Type")
	return 0, false
}

// redirect turns to where the answer points, if it does and that is wanted.
func (x *transfer) redirect() (again bool, code int) {
	loc := x.resp.Header.Get("Location")
	if loc == "" || x.resp.Status/100 != 3 {
		return false, 0
	}
	next := loc
	if !strings.Contains(loc, "://") {
		if !strings.HasPrefix(loc, "/") {
			loc = path.Join(path.Dir(x.url.path), loc)
		}
		next = x.url.scheme + "://" + x.url.hostHeader() + loc
	}
	x.vars["redirect_url"] = next
	if !x.follow {
		return false, 0
	}
	if x.include {
		x.t.puts(x.first)
	}
	if x.hops++; x.hops > x.maxRedirs {
		return false, x.fail(47, fmt.Sprintf("Maximum (%d) redirects followed", x.maxRedirs))
	}
	u, ok := parseURL(next)
	if !ok {
		return false, x.error(3, "URL rejected: Malformed input to a URL function")
	}
	if status := x.resp.Status; status == 303 || (status == 301 || status == 302) && x.method == "POST" && x.curlRun.method == "" {
		x.method, x.body = "GET", nil
		delete(x.header, "Content-Length")
		delete(x.header, "Content-Type")
	}
	x.url = u
	x.header.Set("Host", u.hostHeader())
	x.vars["num_redirects"], x.vars["url_effective"], x.vars["redirect_url"] = strconv.Itoa(x.hops), next, ""
	x.note("* Issue another request to this URL: '%s'", next)
	return true, 0
}

// receive judges the last answer and puts it where it is to go: the index-th output.
func (x *transfer) receive(index int) (code int, transient bool) {
	t, status := x.t, x.resp.Status
	if x.dumpHeader != "" {
		if w, err := t.create(x.dumpHeader, os.O_TRUNC); x.dumpHeader == "-" {
			t.puts(x.first)
		} else if err == nil {
			_, _ = w.Write([]byte(x.first))
		}
	}
	refused := x.curlRun.fail && status >= 400
	if refused {
		transient = status == 408 || status == 429 || status >= 500 && status != 501 && status != 505 || x.retryAll
		if !x.failBody {
			return x.fail(22, fmt.Sprintf("The requested URL returned error: %d", status)), transient
		}
	} else {
		transient = status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504
	}
	name, out, code := x.output(index)
	if code != 0 {
		return code, false
	}
	if x.include {
		out([]byte(x.first))
	}
	size := 0
	if x.method != "HEAD" {
		size = len(x.resp.Body)
		if !out(x.resp.Body) {
			return x.error(23, "Failure writing output to destination"), false
		}
		if x.resp.Stream != nil {
			n, code := x.stream(x.resp.Stream, x.begin, out)
			size += n
			if code != 0 {
				x.vars["size_download"] = strconv.Itoa(size)
				return x.fail(28, fmt.Sprintf("Operation timed out after %d milliseconds with %d bytes received", t.Proc.Now().Sub(x.begin).Milliseconds(), size)), true
			}
		}
	}
	if name != "" && !x.silent {
		t.eprint(progress(size))
	}
	x.note("* Connection #0 to host %s left intact", x.url.host)
	x.vars["size_download"] = strconv.Itoa(size)
	switch {
	case refused:
		return x.fail(22, fmt.Sprintf("The requested URL returned error: %d", status)), transient
	case transient && x.more && name == "":
		return 0, true
	}
	x.finish(0, "")
	return 0, false
}

// output is the file that the body goes to, "" for standard output, and what writes it.
func (x *transfer) output(index int) (name string, out func([]byte) bool, code int) {
	t := x.t
	if index < len(x.outputs) {
		name = x.outputs[index]
	} else if x.remote {
		p, _, _ := strings.Cut(x.url.path, "?")
		if name = path.Base(p); name == "/" || name == "." {
			return "", nil, x.error(23, "Remote file name has no length")
		}
	}
	if name == "" || name == "-" {
		return "", func(b []byte) bool { t.write(b); return true }, 0
	}
	if x.create {
		_ = t.FS.MkdirAll(path.Dir(t.Path(name)), 0o755)
	}
	w, err := t.create(name, os.O_TRUNC)
	if err != nil {
		t.eprint(fmt.Sprintf("Warning: Failed to open the file %s: %s\n", name, vfs.Reason(err)))
		return "", nil, x.error(23, "Failure writing output to destination")
	}
	x.vars["filename_effective"] = name
	return name, func(b []byte) bool {
		_, err := w.Write(b)
		return err == nil
	}, 0
}

// finish prints what --write-out wants, unless another attempt follows.
func (x *transfer) finish(code int, msg string) {
	if x.writeOut == "" || code != 0 && x.more {
		return
	}
	t := x.t
	el := t.Proc.Now().Sub(x.begin).Seconds()
	total := fmt.Sprintf("%.6f", max(el, 0.000412))
	x.vars["exitcode"], x.vars["errormsg"] = strconv.Itoa(code), msg
	for k, v := range map[string]string{"time_total": total, "time_connect": fmt.Sprintf("%.6f", max(el/2, 0.000203)), "time_namelookup": "0.000051", "time_appconnect": "0.000000", "time_pretransfer": "0.000231", "time_starttransfer": total, "time_redirect": "0.000000"} {
		x.vars[k] = v
	}
	out, _ := Escapes(x.writeOut, true)
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
		if v, ok := x.vars[name]; ok {
			t.puts(v)
		} else if !strings.HasPrefix(name, "header{") && name != "stdout" && name != "stderr" && name != "onerror" {
			t.flush()
			t.eprint("curl: unknown --write-out variable: '" + name + "'\n")
		}
		out = out[i+j+1:]
	}
	t.puts(strings.ReplaceAll(out, "%%", "%"))
}
