// Redis (and Valkey): a store of strings, lists, hashes and sets, its protocol,
// and its command line client. What it holds is kept in dump.rdb (as JSON) in
// its working directory, so that it outlives the container on a volume.
// https://redis.io/docs/latest/commands/

package container

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

type redisStore struct {
	keys map[string]*redisValue
	conf map[string]string
}

// redisValue is of one type: string, list, hash or set.
type redisValue struct {
	Type    string            `json:"t"`
	Text    string            `json:"s,omitempty"`
	List    []string          `json:"l,omitempty"`
	Hash    map[string]string `json:"h,omitempty"` // a set has members without values
	Expires int64             `json:"e,omitempty"` // in Unix milliseconds
}

func (s *server) dataFile() string {
	if s.b.Kind == "redis" {
		return vfs.Join(s.c.Dir, "dump.rdb")
	}
	return s.dataDir() + "/kubonsai.json"
}

// loadRedis reads the configuration (a file as first argument, then --name
// value) and what was kept.
func (s *server) loadRedis() {
	r := &redisStore{conf: map[string]string{"maxmemory": "0", "maxmemory-policy": "noeviction", "appendonly": "no",
		"save": "3600 1 300 100 60 10000", "databases": "16", "bind": "* -::*", "port": strconv.Itoa(s.b.Port), "requirepass": ""}}
	s.redis = r
	args := s.args[1:]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		data, err := s.c.FS().ReadFile(vfs.Join(s.c.Dir, args[0]))
		if err != nil {
			s.logf("*** FATAL CONFIG FILE ERROR (Redis %s) ***\nCan't open config file '%s': No such file or directory", s.c.Image.Version, args[0])
			s.end(1)
			return
		}
		for _, line := range strings.Split(string(data), "\n") {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k[0] != '#' {
				r.conf[strings.ToLower(k)] = strings.Trim(strings.TrimSpace(v), `"`)
			}
		}
	}
	name := ""
	for _, a := range args {
		if k, ok := strings.CutPrefix(a, "--"); ok {
			name, r.conf[k] = k, ""
		} else if name != "" {
			r.conf[name] = strings.TrimSpace(r.conf[name] + " " + a)
		}
	}
	if n := parseBytes(strings.TrimSuffix(strings.ToLower(r.conf["maxmemory"]), "b")); n > 0 {
		r.conf["maxmemory"] = strconv.FormatInt(n, 10)
	}
	if data, err := s.c.FS().ReadFile(s.dataFile()); err == nil {
		_ = json.Unmarshal(data, &r.keys)
	}
	if r.keys == nil {
		r.keys = map[string]*redisValue{}
	}
}

// leader is whom a replica follows; "" when it is none.
func (r *redisStore) leader() (host string, port int) {
	f := strings.Fields(r.conf["replicaof"] + " " + r.conf["slaveof"])
	if len(f) < 2 || f[0] == "no" {
		return "", 0
	}
	port, _ = strconv.Atoi(f[1])
	return f[0], port
}

// redisWrites are the commands that a replica refuses.
var redisWrites = " SET SETEX SETNX GETSET DEL INCR DECR INCRBY DECRBY APPEND EXPIRE PERSIST LPUSH RPUSH LPOP RPOP HSET HDEL SADD SREM MSET FLUSHALL FLUSHDB "

// serveRedis answers a connection's commands, inline or as arrays.
func (s *server) serveRedis(p *kernel.Proc, req *network.Request) *network.Response {
	if req.Method != network.Raw {
		return nil
	}
	var out bytes.Buffer
	in := bufio.NewReader(bytes.NewReader(req.Body))
	authed := s.redis.conf["requirepass"] == ""
	changed := false
	host, port := s.redis.leader()
	for {
		args, err := readRedis(in)
		if err != nil {
			break
		}
		if len(args) == 0 {
			continue
		}
		switch name := strings.ToUpper(args[0]); {
		case name == "AUTH":
			if authed = len(args) > 1 && args[len(args)-1] == s.redis.conf["requirepass"]; authed {
				out.WriteString("+OK\r\n")
			} else {
				out.WriteString("-WRONGPASS invalid username-password pair or user is disabled.\r\n")
			}
		case !authed:
			out.WriteString("-NOAUTH Authentication required.\r\n")
		case host != "" && strings.Contains(redisWrites, " "+name+" "):
			out.WriteString("-READONLY You can't write against a read only replica.\r\n")
		case host != "" && name != "INFO" && name != "CONFIG" && name != "PING":
			// What a replica holds is what its leader holds.
			var b bytes.Buffer
			encodeRedis(&b, args)
			if resp, err := s.c.sb.ns.Do(p, host, port, &network.Request{Method: network.Raw, Body: b.Bytes()}); err == nil {
				out.Write(resp.Body)
			} else {
				encodeRedis(&out, nil)
			}
		default:
			reply, wrote := s.redisCommand(name, args[1:])
			encodeRedis(&out, reply)
			changed = changed || wrote
		}
	}
	if changed {
		if data, err := json.Marshal(s.redis.keys); err == nil {
			_ = s.c.FS().WriteFile(s.dataFile(), data, 0o644)
		}
	}
	return &network.Response{Body: out.Bytes()}
}

// Replies are a string (bulk), redisStatus, redisError, int, nil, or a list of them.
type (
	redisStatus string
	redisError  string
)

func encodeRedis(w *bytes.Buffer, reply any) {
	switch v := reply.(type) {
	case nil:
		w.WriteString("$-1\r\n")
	case redisStatus:
		fmt.Fprintf(w, "+%s\r\n", v)
	case redisError:
		fmt.Fprintf(w, "-%s\r\n", v)
	case int:
		fmt.Fprintf(w, ":%d\r\n", v)
	case string:
		fmt.Fprintf(w, "$%d\r\n%s\r\n", len(v), v)
	case []string:
		fmt.Fprintf(w, "*%d\r\n", len(v))
		for _, e := range v {
			encodeRedis(w, e)
		}
	case []any:
		fmt.Fprintf(w, "*%d\r\n", len(v))
		for _, e := range v {
			encodeRedis(w, e)
		}
	}
}

// readRedis reads one command.
func readRedis(in *bufio.Reader) ([]string, error) {
	line, err := in.ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	if err != nil && line == "" {
		return nil, err
	}
	if !strings.HasPrefix(line, "*") {
		return splitQuoted(line), nil
	}
	n, _ := strconv.Atoi(line[1:])
	var args []string
	for range n {
		head, err := in.ReadString('\n')
		size, bad := strconv.Atoi(strings.TrimRight(strings.TrimPrefix(head, "$"), "\r\n"))
		if err != nil || bad != nil || size < 0 || size > 64<<20 {
			return nil, io.ErrUnexpectedEOF
		}
		buf := make([]byte, size+2)
		if _, err := io.ReadFull(in, buf); err != nil {
			return nil, err
		}
		args = append(args, string(buf[:size]))
	}
	return args, nil
}

// splitQuoted splits a typed line into words; quotes hold words together.
func splitQuoted(line string) []string {
	var out []string
	word, quote, in := "", rune(0), false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word += string(c)
		case c == '"' || c == '\'':
			quote, in = c, true
		case c == ' ' || c == '\t':
			if in {
				out, word, in = append(out, word), "", false
			}
		default:
			word, in = word+string(c), true
		}
	}
	if in {
		out = append(out, word)
	}
	return out
}

const (
	wrongType  = redisError("WRONGTYPE Operation against a key holding the wrong kind of value")
	notInteger = redisError("ERR value is not an integer or out of range")
	redisOK    = redisStatus("OK")
)

// redisArity is how many arguments a command takes at least.
var redisArity = map[string]int{"ECHO": 1, "SET": 2, "SETEX": 3, "SETNX": 2, "GET": 1, "GETSET": 2, "DEL": 1, "EXISTS": 1, "INCR": 1, "DECR": 1, "INCRBY": 2, "DECRBY": 2, "APPEND": 2, "STRLEN": 1,
	"KEYS": 1, "TYPE": 1, "TTL": 1, "EXPIRE": 2, "PERSIST": 1, "LPUSH": 2, "RPUSH": 2, "LRANGE": 3, "LLEN": 1, "LPOP": 1, "RPOP": 1, "HSET": 3, "HGET": 2, "HGETALL": 1, "HDEL": 2,
	"SADD": 2, "SREM": 2, "SMEMBERS": 1, "SCARD": 1, "SISMEMBER": 2, "MSET": 2, "MGET": 1, "CONFIG": 1, "SELECT": 1,
	"PING": 0, "DBSIZE": 0, "FLUSHALL": 0, "FLUSHDB": 0, "INFO": 0, "SAVE": 0, "BGSAVE": 0, "ROLE": 0, "QUIT": 0, "COMMAND": 0}

// redisCommand runs one command; wrote says that the store has changed.
func (s *server) redisCommand(name string, a []string) (reply any, wrote bool) {
	st := s.redis
	least, known := redisArity[name]
	if !known {
		list := ""
		for _, x := range a {
			list += "'" + x + "' "
		}
		return redisError(fmt.Sprintf("ERR unknown command '%s', with args beginning with: %s", strings.ToLower(name), list)), false
	}
	if len(a) < least {
		return redisError("ERR wrong number of arguments for '" + strings.ToLower(name) + "' command"), false
	}
	now := s.now().UnixMilli()
	for k, v := range st.keys {
		if v.Expires > 0 && v.Expires <= now {
			delete(st.keys, k)
		}
	}
	key := ""
	if len(a) > 0 {
		key = a[0]
	}
	// of is the key's value if it has that type; made when make says so.
	of := func(t string, make bool) (*redisValue, bool) {
		v := st.keys[key]
		if v == nil && make {
			v = &redisValue{Type: t, Hash: map[string]string{}}
			st.keys[key] = v
		}
		return v, v == nil || v.Type == t
	}
	kind := "string"
	switch name[0] {
	case 'L', 'R':
		kind = "list"
	case 'H':
		kind = "hash"
	}
	if name == "SADD" || name == "SREM" || name == "SMEMBERS" || name == "SCARD" || name == "SISMEMBER" {
		kind = "set"
	}
	tidy := func() {
		if v := st.keys[key]; v != nil && (v.Type == "list" && len(v.List) == 0 || (v.Type == "hash" || v.Type == "set") && len(v.Hash) == 0) {
			delete(st.keys, key)
		}
	}
	switch name {
	case "PING":
		if key != "" {
			return key, false
		}
		return redisStatus("PONG"), false
	case "ECHO":
		return key, false
	case "SELECT", "SAVE", "QUIT":
		return redisOK, false
	case "BGSAVE":
		return redisStatus("Background saving started"), false
	case "COMMAND":
		return []string{}, false
	case "ROLE":
		return []any{"master", 0, []string{}}, false
	case "DBSIZE":
		return len(st.keys), false
	case "FLUSHALL", "FLUSHDB":
		st.keys = map[string]*redisValue{}
		return redisOK, true
	case "INFO":
		role := "master\r\nconnected_slaves:0"
		if host, port := st.leader(); host != "" {
			role = fmt.Sprintf("slave\r\nmaster_host:%s\r\nmaster_port:%d\r\nmaster_link_status:up", host, port)
		}
		return fmt.Sprintf("# Server\r\nredis_version:%s\r\nredis_mode:standalone\r\nos:Linux 6.18.44 x86_64\r\nprocess_id:1\r\ntcp_port:%d\r\nuptime_in_seconds:%d\r\n\r\n# Clients\r\nconnected_clients:1\r\n\r\n# Replication\r\nrole:%s\r\n\r\n# Keyspace\r\ndb0:keys=%d,expires=0,avg_ttl=0\r\n",
			s.c.Image.Version, s.port(), int(s.now().Sub(s.c.Started).Seconds()), role, len(st.keys)), false
	case "CONFIG":
		switch sub := strings.ToUpper(key); {
		case sub == "GET" && len(a) > 1:
			var out []string
			for _, k := range slices.Sorted(maps.Keys(st.conf)) {
				if ok, _ := path.Match(strings.ToLower(a[1]), k); ok {
					out = append(out, k, st.conf[k])
				}
			}
			return out, false
		case sub == "SET" && len(a) > 2:
			st.conf[strings.ToLower(a[1])] = a[2]
			return redisOK, false
		}
		return redisError("ERR unknown subcommand '" + key + "'. Try CONFIG HELP."), false
	case "KEYS":
		out := []string{}
		for _, k := range slices.Sorted(maps.Keys(st.keys)) {
			if ok, _ := path.Match(key, k); ok {
				out = append(out, k)
			}
		}
		return out, false
	case "DEL", "EXISTS":
		n := 0
		for _, k := range a {
			if st.keys[k] != nil {
				n++
				if name == "DEL" {
					delete(st.keys, k)
				}
			}
		}
		return n, name == "DEL" && n > 0
	case "TYPE":
		if v := st.keys[key]; v != nil {
			return redisStatus(v.Type), false
		}
		return redisStatus("none"), false
	case "TTL", "EXPIRE", "PERSIST":
		v := st.keys[key]
		switch {
		case v == nil && name == "TTL":
			return -2, false
		case v == nil:
			return 0, false
		case name == "TTL" && v.Expires == 0:
			return -1, false
		case name == "TTL":
			return int((v.Expires - now + 500) / 1000), false
		case name == "PERSIST":
			v.Expires = 0
			return 1, true
		}
		n, err := strconv.ParseInt(a[1], 10, 64)
		if err != nil {
			return notInteger, false
		}
		v.Expires = now + n*1000
		return 1, true
	case "SET", "SETEX", "SETNX", "GETSET":
		old := st.keys[key]
		v := &redisValue{Type: "string", Text: a[1]}
		if name == "SETEX" {
			a = []string{a[0], a[2], "EX", a[1]}
			v.Text = a[1]
		}
		for i := 2; i < len(a); i++ {
			switch opt := strings.ToUpper(a[i]); {
			case opt == "NX" && old != nil || opt == "XX" && old == nil:
				return nil, false
			case opt == "NX" || opt == "XX":
			case (opt == "EX" || opt == "PX") && i+1 < len(a):
				n, err := strconv.ParseInt(a[i+1], 10, 64)
				if err != nil || n <= 0 {
					return notInteger, false
				}
				if opt == "EX" {
					n *= 1000
				}
				v.Expires = now + n
				i++
			default:
				return redisError("ERR syntax error"), false
			}
		}
		switch {
		case name == "SETNX" && old != nil:
			return 0, false
		case name == "SETNX":
			st.keys[key] = v
			return 1, true
		}
		st.keys[key] = v
		if name == "GETSET" {
			if old == nil {
				return nil, true
			}
			return old.Text, true
		}
		return redisOK, true
	case "MSET":
		if len(a)%2 != 0 {
			return redisError("ERR wrong number of arguments for 'mset' command"), false
		}
		for i := 0; i < len(a); i += 2 {
			st.keys[a[i]] = &redisValue{Type: "string", Text: a[i+1]}
		}
		return redisOK, true
	case "MGET":
		var out []any
		for _, k := range a {
			if v := st.keys[k]; v != nil && v.Type == "string" {
				out = append(out, v.Text)
			} else {
				out = append(out, nil)
			}
		}
		return out, false
	}
	writes := name == "LPUSH" || name == "RPUSH" || name == "HSET" || name == "SADD" || name == "APPEND" || strings.HasPrefix(name, "INCR") || strings.HasPrefix(name, "DECR")
	v, ok := of(kind, writes)
	if !ok {
		return wrongType, false
	}
	defer tidy()
	none := v == nil
	if none {
		v = &redisValue{}
	}
	switch name {
	case "GET":
		if none {
			return nil, false
		}
		return v.Text, false
	case "STRLEN":
		return len(v.Text), false
	case "APPEND":
		v.Text += a[1]
		return len(v.Text), true
	case "INCR", "DECR", "INCRBY", "DECRBY":
		by := 1
		if len(a) > 1 {
			n, err := strconv.Atoi(a[1])
			if err != nil {
				return notInteger, false
			}
			by = n
		}
		if name[0] == 'D' {
			by = -by
		}
		if v.Text == "" {
			v.Text = "0"
		}
		n, err := strconv.Atoi(v.Text)
		if err != nil {
			return notInteger, false
		}
		v.Text = strconv.Itoa(n + by)
		return n + by, true
	case "LPUSH":
		for _, x := range a[1:] {
			v.List = slices.Insert(v.List, 0, x)
		}
		return len(v.List), true
	case "RPUSH":
		v.List = append(v.List, a[1:]...)
		return len(v.List), true
	case "LLEN":
		return len(v.List), false
	case "LPOP", "RPOP":
		if none {
			return nil, false
		}
		i := 0
		if name == "RPOP" {
			i = len(v.List) - 1
		}
		x := v.List[i]
		v.List = slices.Delete(v.List, i, i+1)
		return x, true
	case "LRANGE":
		i, e1 := strconv.Atoi(a[1])
		j, e2 := strconv.Atoi(a[2])
		if e1 != nil || e2 != nil {
			return notInteger, false
		}
		n := len(v.List)
		if i < 0 {
			i = max(i+n, 0)
		}
		if j < 0 {
			j += n
		}
		if j = min(j, n-1); i > j {
			return []string{}, false
		}
		return v.List[i : j+1], false
	case "HSET":
		n := 0
		for i := 1; i+1 < len(a); i += 2 {
			if _, have := v.Hash[a[i]]; !have {
				n++
			}
			v.Hash[a[i]] = a[i+1]
		}
		return n, true
	case "HGET":
		if x, have := v.Hash[a[1]]; have {
			return x, false
		}
		return nil, false
	case "HGETALL", "SMEMBERS":
		out := []string{}
		for _, k := range slices.Sorted(maps.Keys(v.Hash)) {
			if out = append(out, k); kind == "hash" {
				out = append(out, v.Hash[k])
			}
		}
		return out, false
	case "SADD":
		n := len(v.Hash)
		for _, x := range a[1:] {
			v.Hash[x] = ""
		}
		return len(v.Hash) - n, true
	case "HDEL", "SREM":
		n := len(v.Hash)
		for _, x := range a[1:] {
			delete(v.Hash, x)
		}
		return n - len(v.Hash), true
	case "SISMEMBER":
		if _, have := v.Hash[a[1]]; have {
			return 1, false
		}
		return 0, false
	}
	return len(v.Hash), false // SCARD
}

// serveGuestbook is the guestbook tutorial's frontend: pages, and a script that
// writes to redis-leader and reads from redis-follower.
func (s *server) serveGuestbook(p *kernel.Proc, r *network.Request) *network.Response {
	if pathOf(r) != "/guestbook.php" {
		return s.serveStatic(p, r)
	}
	q := query(r)
	host, cmd := "redis-follower", []string{"GET", q.Get("key")}
	if q.Get("cmd") == "set" {
		host, cmd = "redis-leader", []string{"SET", q.Get("key"), q.Get("value")}
	}
	var b bytes.Buffer
	encodeRedis(&b, cmd)
	resp, err := s.c.sb.ns.Do(p, host, 6379, &network.Request{Method: network.Raw, Body: b.Bytes()})
	if err != nil {
		return s.respond(500, "text/html; charset=UTF-8", nil)
	}
	out := map[string]any{"message": "Updated"}
	if cmd[0] == "GET" {
		reply, _ := decodeRedis(bufio.NewReader(bytes.NewReader(resp.Body)))
		text, _ := reply.(string)
		out = map[string]any{"data": text}
	}
	data, _ := json.Marshal(out)
	return s.respond(200, "application/json", data)
}

// redisClient is redis-cli: one command from its arguments, or one a line.
func redisClient(v *invocation) int {
	host, port, pass := "127.0.0.1", "6379", v.Env["REDISCLI_AUTH"]
	raw := v.TTY == nil
	args := v.args[1:]
flags:
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "--raw":
			raw = true
		case "--no-raw":
			raw = false
		case "-v", "--version":
			fmt.Fprintf(v.Stdout, "%s %s\n", path.Base(v.args[0]), v.c.Image.Version)
			return 0
		case "-h", "-p", "-a", "--pass", "-n", "-u", "-i", "-r", "--user":
			if len(args) < 2 {
				break flags
			}
			switch args[0] {
			case "-h":
				host = args[1]
			case "-p":
				port = args[1]
			case "-a", "--pass":
				pass = args[1]
				if v.TTY != nil {
					fmt.Fprintln(v.Stderr, "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.")
				}
			}
			args = args[1:]
		}
		args = args[1:]
	}
	n, _ := strconv.Atoi(port)
	one := func(cmd []string) bool {
		var b bytes.Buffer
		if pass != "" {
			encodeRedis(&b, []string{"AUTH", pass})
		}
		encodeRedis(&b, cmd)
		out, err := v.send(host, n, b.Bytes())
		if err != nil {
			why := "Connection refused"
			if e, ok := err.(*network.Error); ok {
				switch e.Kind {
				case network.NoHost:
					why = "Name or service not known"
				case network.Timeout:
					why = "Connection timed out"
				}
			}
			fmt.Fprintf(v.Stderr, "Could not connect to Redis at %s:%d: %s\n", host, n, why)
			return false
		}
		in := bufio.NewReader(bytes.NewReader(out))
		if pass != "" {
			if auth, _ := decodeRedis(in); auth != redisOK {
				fmt.Fprintf(v.Stderr, "AUTH failed: %s\n", auth)
			}
		}
		reply, _ := decodeRedis(in)
		printRedis(v.Stdout, reply, raw, "")
		return true
	}
	if len(args) > 0 {
		if !one(args) {
			return 1
		}
		return 0
	}
	in := bufio.NewReader(v.Stdin)
	prompt := func() {
		if v.TTY != nil {
			fmt.Fprintf(v.Stdout, "%s:%d> ", host, n)
		}
	}
	for prompt(); ; prompt() {
		line, err := in.ReadString('\n')
		if cmd := splitQuoted(strings.TrimRight(line, "\r\n")); len(cmd) > 0 {
			if w := strings.ToLower(cmd[0]); w == "exit" || w == "quit" {
				return 0
			}
			if !one(cmd) && v.TTY == nil {
				return 1
			}
		}
		if err != nil {
			return 0
		}
	}
}

func decodeRedis(in *bufio.Reader) (any, error) {
	line, err := in.ReadString('\n')
	if err != nil || len(line) < 3 {
		return redisError("Server closed the connection"), io.ErrUnexpectedEOF
	}
	text := strings.TrimRight(line[1:], "\r\n")
	n, _ := strconv.Atoi(text)
	switch line[0] {
	case '+':
		return redisStatus(text), nil
	case '-':
		return redisError(text), nil
	case ':':
		return n, nil
	case '$':
		if n < 0 {
			return nil, nil
		}
		buf := make([]byte, n+2)
		_, err := io.ReadFull(in, buf)
		return string(buf[:n]), err
	}
	out := []any{}
	for range n {
		e, err := decodeRedis(in)
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
	return out, nil
}

func printRedis(w io.Writer, reply any, raw bool, indent string) {
	switch v := reply.(type) {
	case nil:
		if raw {
			fmt.Fprintln(w)
		} else {
			fmt.Fprintln(w, "(nil)")
		}
	case redisError:
		if raw {
			fmt.Fprintln(w, string(v)+"\n")
		} else {
			fmt.Fprintln(w, "(error) "+string(v))
		}
	case int:
		if raw {
			fmt.Fprintln(w, v)
		} else {
			fmt.Fprintf(w, "(integer) %d\n", v)
		}
	case string:
		if raw {
			fmt.Fprintln(w, v)
		} else {
			fmt.Fprintln(w, strconv.Quote(v))
		}
	case []any:
		if len(v) == 0 && !raw {
			fmt.Fprintln(w, "(empty array)")
		} else if len(v) == 0 {
			fmt.Fprintln(w)
		}
		width := len(strconv.Itoa(len(v)))
		for i, e := range v {
			if !raw {
				if i > 0 {
					fmt.Fprint(w, indent)
				}
				fmt.Fprintf(w, "%*d) ", width, i+1)
			}
			printRedis(w, e, raw, indent+strings.Repeat(" ", width+2))
		}
	default:
		fmt.Fprintln(w, v)
	}
}
