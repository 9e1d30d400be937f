// curl. https://curl.se/docs/manpage.html

package tool

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
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
