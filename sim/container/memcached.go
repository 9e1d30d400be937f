// memcached and its text protocol. What it holds is a file of its container, so
// that it outlives a reload of the page but, like the real one's, no restart.
// https://github.com/memcached/memcached/blob/master/doc/protocol.txt

package container

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
)

// memcached is what a server holds.
type memcached struct {
	Items  map[string]memcachedItem
	Counts map[string]int // statistics by name
	open   map[netip.AddrPort][]byte
}

type memcachedItem struct {
	Value   string
	Flags   string
	Expires int64 // in Unix seconds; 0 for never
	Cas     int
}

func (s *server) serveMemcached(_ *kernel.Proc, req *network.Request) *network.Response {
	m := s.memcached
	if m == nil {
		m = &memcached{open: map[netip.AddrPort][]byte{}}
		if data, err := s.c.FS().ReadFile(s.dataFile()); err == nil {
			_ = json.Unmarshal(data, m)
		}
		if m.Items == nil {
			m.Items, m.Counts = map[string]memcachedItem{}, map[string]int{}
		}
		s.memcached = m
	}
	text := append(m.open[req.Remote], req.Body...)
	delete(m.open, req.Remote)
	if len(m.open) > 64 { // of connections that have ended
		clear(m.open)
	}
	var out bytes.Buffer
	changed := false
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			m.open[req.Remote] = text
			break
		}
		f := strings.Fields(string(line))
		if len(f) == 0 {
			out.WriteString("ERROR\r\n")
			text = rest
			continue
		}
		var value []byte
		if len(f) >= 5 && slices.Contains([]string{"set", "add", "replace", "append", "prepend", "cas"}, f[0]) {
			n, err := strconv.Atoi(f[4])
			if err != nil || n < 0 {
				out.WriteString("CLIENT_ERROR bad data chunk\r\n")
				text = rest
				continue
			}
			if n > 1<<20 {
				out.WriteString("SERVER_ERROR object too large for cache\r\n")
				return &network.Response{Body: out.Bytes()}
			}
			if len(rest) < n+1 {
				m.open[req.Remote] = text
				break
			}
			value = rest[:n]
			after := bytes.TrimPrefix(rest[n:], []byte("\r"))
			if len(after) == 0 || after[0] != '\n' { // the value is longer than it was said to be
				_, rest, _ = bytes.Cut(rest, []byte("\n"))
				out.WriteString("CLIENT_ERROR bad data chunk\r\nERROR\r\n")
				text = rest
				continue
			}
			rest = after[1:]
		}
		text = rest
		reply, wrote := s.memcachedCommand(f, string(value))
		changed = changed || wrote
		if f[len(f)-1] != "noreply" {
			out.WriteString(reply)
		}
		if f[0] == "quit" {
			break
		}
	}
	if changed {
		if data, err := json.Marshal(m); err == nil {
			_ = s.c.FS().MkdirAll(s.dataDir(), 0o755)
			_ = s.c.FS().WriteFile(s.dataFile(), data, 0o600)
		}
	}
	return &network.Response{Body: out.Bytes()}
}

// memcachedCommand does one command and reports whether it wrote.
func (s *server) memcachedCommand(f []string, value string) (reply string, wrote bool) {
	m, now := s.memcached, s.now().Unix()
	for k, v := range m.Items {
		if v.Expires != 0 && v.Expires <= now {
			delete(m.Items, k)
		}
	}
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	expires := func(text string) int64 {
		n, _ := strconv.ParseInt(text, 10, 64)
		if n > 0 && n <= 60*60*24*30 {
			n += now
		} else if n < 0 {
			n = 1
		}
		return n
	}
	key := arg(1)
	old, found := m.Items[key]
	if len(key) > 250 {
		return "CLIENT_ERROR bad command line format\r\n", false
	}
	switch f[0] {
	case "get", "gets", "gat":
		if key == "" {
			return "ERROR\r\n", false
		}
		for _, k := range f[1:] {
			it, ok := m.Items[k]
			if m.Counts["cmd_get"]++; !ok {
				m.Counts["get_misses"]++
				continue
			}
			m.Counts["get_hits"]++
			cas := ""
			if f[0] == "gets" {
				cas = " " + strconv.Itoa(it.Cas)
			}
			reply += fmt.Sprintf("VALUE %s %s %d%s\r\n%s\r\n", k, it.Flags, len(it.Value), cas, it.Value)
		}
		return reply + "END\r\n", false
	case "set", "add", "replace", "append", "prepend", "cas":
		if len(f) < 5 {
			return "ERROR\r\n", false
		}
		m.Counts["cmd_set"]++
		switch {
		case f[0] == "cas" && !found:
			return "NOT_FOUND\r\n", false
		case f[0] == "cas" && arg(5) != strconv.Itoa(old.Cas):
			return "EXISTS\r\n", false
		case f[0] == "add" && found, f[0] != "add" && f[0] != "set" && !found:
			return "NOT_STORED\r\n", false
		case f[0] == "append":
			value, f[2] = old.Value+value, old.Flags
		case f[0] == "prepend":
			value, f[2] = value+old.Value, old.Flags
		}
		m.Counts["total_items"]++
		m.Items[key] = memcachedItem{value, f[2], expires(f[3]), m.Counts["total_items"]}
		return "STORED\r\n", true
	case "incr", "decr":
		n, err := strconv.ParseUint(old.Value, 10, 64)
		by, bad := strconv.ParseUint(arg(2), 10, 64)
		switch {
		case bad != nil:
			return "CLIENT_ERROR invalid numeric delta argument\r\n", false
		case !found:
			return "NOT_FOUND\r\n", false
		case err != nil:
			return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", false
		case f[0] == "incr":
			n += by
		default:
			n -= min(n, by)
		}
		old.Value = strconv.FormatUint(n, 10)
		m.Items[key] = old
		return old.Value + "\r\n", true
	case "delete", "touch":
		switch {
		case key == "":
			return "ERROR\r\n", false
		case !found:
			return "NOT_FOUND\r\n", false
		case f[0] == "touch":
			old.Expires = expires(arg(2))
			m.Items[key] = old
			return "TOUCHED\r\n", true
		}
		delete(m.Items, key)
		return "DELETED\r\n", true
	case "flush_all":
		clear(m.Items)
		return "OK\r\n", true
	case "version":
		return "VERSION " + s.c.Image.Version + "\r\n", false
	case "verbosity":
		return "OK\r\n", false
	case "quit":
		return "", false
	case "stats":
		size := 0
		for _, it := range m.Items {
			size += len(it.Value)
		}
		rows := map[string]int{"pid": s.pid, "time": int(now), "uptime": int(s.now().Sub(s.c.Started).Seconds()), "pointer_size": 64, "threads": 4,
			"curr_connections": 2, "max_connections": 1024, "limit_maxbytes": 64 << 20, "curr_items": len(m.Items), "bytes": size, "cmd_get": 0, "cmd_set": 0, "get_hits": 0, "get_misses": 0, "total_items": 0}
		maps.Copy(rows, m.Counts)
		for _, k := range slices.Sorted(maps.Keys(rows)) {
			reply += fmt.Sprintf("STAT %s %d\r\n", k, rows[k])
		}
		return reply + "STAT version " + s.c.Image.Version + "\r\nEND\r\n", false
	}
	return "ERROR\r\n", false
}
