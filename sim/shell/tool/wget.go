// wget, in the words of GNU's and of busybox's.

package tool

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func wget(t *T) int {
	if !t.parse("qO:ST:t:cP:nNvi:", "quiet=q", "output-document=O", "server-response=S", "spider=D?", "timeout=T", "tries=t", "header=H", "post-data=p", "no-check-certificate=K?", "no-verbose=n", "directory-prefix=P", "method=m", "body-data=p", "user-agent=U", "no-proxy=Y?") {
		return 2
	}
	if len(t.args) == 0 {
		t.eprint("wget: missing URL\nUsage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options.\n")
		return 1
	}
	busy := t.busybox()
	quiet := t.has("q")
	status := 0
	for _, raw := range t.args {
		u, ok := parseURL(raw)
		if !ok {
			t.eprint(raw + ": Invalid host name.\n")
			status = 1
			continue
		}
		say := func(format string, args ...any) {
			if !quiet {
				t.eprint(fmt.Sprintf(format, args...))
			}
		}
		limit := 0 * time.Second
		if v, ok := t.opts["T"]; ok {
			f, _ := strconv.ParseFloat(v, 64)
			limit = time.Duration(f * float64(time.Second))
		}
		agent := "Wget/1.21.3"
		if busy {
			agent = "Wget"
		}
		if v, ok := t.opts["U"]; ok {
			agent = v
		}
		h := network.Header{"Host": {u.hostHeader()}, "User-Agent": {agent}, "Accept": {"*/*"}, "Connection": {"close"}}
		for _, x := range t.every("H") {
			k, v, _ := strings.Cut(x, ":")
			h.Set(k, strings.TrimSpace(v))
		}
		method := "GET"
		var body []byte
		if v, ok := t.opts["p"]; ok {
			method, body = "POST", []byte(v)
		}
		if v, ok := t.opts["m"]; ok {
			method = v
		}
		var resp *network.Response
		var err error
		ip := ""
		for hop := 0; ; hop++ {
			if t.Net == nil {
				err = &network.Error{Kind: network.NoHost, Host: u.host}
			} else {
				if as, e := t.Net.Lookup(u.host); e == nil && len(as) > 0 {
					ip = as[0].String()
				}
				if !busy {
					say("--%s--  %s\n", t.Proc.Now().Format("2006-01-02 15:04:05"), fullURL(u))
					if ip == "" {
						say("Resolving %s (%s)... ", u.host, u.host)
					} else {
						if ip != u.host {
							say("Resolving %s (%s)... %s\n", u.host, u.host, ip)
							say("Connecting to %s (%s)|%s|:%d... ", u.host, u.host, ip, u.port)
						} else {
							say("Connecting to %s:%d... ", u.host, u.port)
						}
					}
				} else if ip != "" {
					say("Connecting to %s (%s:%d)\n", u.hostHeader(), ip, u.port)
				}
				r := &curlRun{t: t, maxTime: limit}
				resp, err = r.do(u.host, u.port, &network.Request{Method: method, Host: u.hostHeader(), Path: u.path, TLS: u.scheme == "https", Header: h, Body: body})
			}
			if err != nil || resp.Status/100 != 3 || resp.Header.Get("Location") == "" || hop > 20 {
				break
			}
			loc := resp.Header.Get("Location")
			if !strings.Contains(loc, "://") {
				loc = u.scheme + "://" + u.hostHeader() + loc
			}
			if !busy {
				say("connected.\nHTTP request sent, awaiting response... %d %s\nLocation: %s [following]\n", resp.Status, ReasonPhrase(resp.Status), loc)
			}
			if u, ok = parseURL(loc); !ok {
				return 1
			}
			h.Set("Host", u.hostHeader())
		}
		if err != nil {
			status = t.wgetError(err, u, ip, limit, busy, quiet)
			continue
		}
		if !busy {
			say("connected.\nHTTP request sent, awaiting response... ")
			if t.has("S") {
				say("\n  %s\n", strings.TrimSpace(strings.ReplaceAll(responseHead(resp, t.Proc.Now(), method), "\r\n", "\n  ")))
			} else {
				say("%d %s\n", resp.Status, ReasonPhrase(resp.Status))
			}
		} else if t.has("S") {
			t.eprint("  " + strings.TrimSpace(strings.ReplaceAll(responseHead(resp, t.Proc.Now(), method), "\r\n", "\n  ")) + "\n")
		}
		if resp.Status >= 400 {
			if busy {
				t.eprint(fmt.Sprintf("wget: server returned error: HTTP/1.1 %d %s\n", resp.Status, ReasonPhrase(resp.Status)))
				status = 1
			} else {
				say("%s ERROR %d: %s.\n\n", t.Proc.Now().Format("2006-01-02 15:04:05"), resp.Status, ReasonPhrase(resp.Status))
				status = 8
			}
			continue
		}
		if t.has("D") {
			if busy {
				say("remote file exists\n")
			} else {
				say("Length: %d [%s]\nRemote file exists.\n\n", len(resp.Body), strings.Split(resp.Header.Get("Content-Type"), ";")[0])
			}
			continue
		}
		name := t.opts["O"]
		shown := name
		if name == "" {
			p, _, _ := strings.Cut(u.path, "?")
			if name = path.Base(p); name == "/" || strings.HasSuffix(p, "/") {
				name = "index.html"
			}
			shown = name
			if busy {
				if _, err := t.FS.Stat(t.Path(name)); err == nil {
					t.eprint("wget: can't open '" + name + "': File exists\n")
					status = 1
					continue
				}
			} else {
				orig := name
				for k := 1; ; k++ {
					if _, err := t.FS.Stat(t.Path(name)); err != nil {
						break
					}
					name = fmt.Sprintf("%s.%d", orig, k)
				}
				shown = name
			}
		}
		out := func(b []byte) { t.write(b) }
		if name == "-" {
			shown = "STDOUT"
		} else {
			w, err := t.create(name, os.O_TRUNC)
			if err != nil {
				t.eprint(name + ": " + vfs.Reason(err) + "\n")
				status = 3
				continue
			}
			out = func(b []byte) { t.rawWrite(w, b) }
		}
		size := len(resp.Body)
		if !busy {
			kind := strings.Split(resp.Header.Get("Content-Type"), ";")[0]
			say("Length: %d [%s]\nSaving to: ‘%s’\n\n", size, kind, shown)
		} else if name != "-" {
			say("saving to '%s'\n", name)
		} else {
			say("writing to stdout\n")
		}
		out(resp.Body)
		if resp.Stream != nil {
			r := &curlRun{t: t, maxTime: limit}
			n, _ := r.stream(resp.Stream, t.Proc.Now(), func(b []byte) bool { out(b); return true })
			size += n
		}
		t.flush()
		if busy {
			bar := "********************************"
			say("%-20s 100%% |%s| %5d  0:00:00 ETA\n", name, bar, size)
			if name != "-" {
				say("'%s' saved\n", name)
			} else {
				say("written to stdout\n")
			}
		} else {
			say("\n     0K                                                       100%% %s=0s\n\n%s (%s) - ‘%s’ saved [%d/%d]\n\n", "1.00M", t.Proc.Now().Format("2006-01-02 15:04:05"), "1.00 MB/s", shown, size, size)
			if name == "-" {
				_ = name
			}
		}
	}
	return status
}

func fullURL(u target) string { return u.scheme + "://" + u.hostHeader() + u.path }

func (t *T) wgetError(err error, u target, ip string, limit time.Duration, busy, quiet bool) int {
	kind := network.Refused
	var e *network.Error
	if errors.As(err, &e) {
		kind = e.Kind
	} else if err == errMaxTime {
		kind = network.Timeout
	}
	if e != nil && e.Waits() {
		wait := e.After
		if wait == 0 && kind == network.Timeout {
			wait = 130 * time.Second
		}
		if limit > 0 && (kind == network.Timeout || !busy) { // busybox does not hurry the resolver
			wait = min(wait, limit)
		}
		if t.Proc.Sleep(wait) != nil {
			return 130
		}
	}
	if busy {
		switch kind {
		case network.NoHost, network.NoServer:
			t.eprint("wget: bad address '" + u.hostHeader() + "'\n")
		case network.Timeout:
			if limit > 0 {
				t.eprint("wget: download timed out\n")
			} else {
				t.eprint(fmt.Sprintf("wget: can't connect to remote host (%s): Operation timed out\n", ip))
			}
		case network.Unreachable:
			t.eprint(fmt.Sprintf("wget: can't connect to remote host (%s): Host is unreachable\n", ip))
		case network.Reset:
			t.eprint("wget: error getting response: Connection reset by peer\n")
		case network.Empty:
			t.eprint("wget: error getting response\n")
		default:
			t.eprint(fmt.Sprintf("wget: can't connect to remote host (%s): Connection refused\n", ip))
		}
		return 1
	}
	if quiet {
		return 4
	}
	switch kind {
	case network.NoHost, network.NoServer:
		t.eprint("failed: " + unresolved(err) + ".\nwget: unable to resolve host address ‘" + u.host + "’\n")
	case network.Timeout:
		t.eprint("failed: Connection timed out.\n")
	case network.Unreachable:
		t.eprint("failed: No route to host.\n")
	case network.Reset:
		t.eprint("connected.\nHTTP request sent, awaiting response... Read error (Connection reset by peer) in headers.\n")
	case network.Empty:
		t.eprint("connected.\nHTTP request sent, awaiting response... No data received.\n")
	default:
		t.eprint("failed: Connection refused.\n")
	}
	return 4
}
