// MongoDB as far as tutorials go: documents in collections, the calls of the
// shell that fill and read them, and mongosh, whose lines the server reads. What
// it holds is one file in its data directory, in the shell's own notation.
// https://www.mongodb.com/docs/mongodb-shell/

package container

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
)

// ── the shell's notation ────────────────────────────────────────────────────

// ── the server ──────────────────────────────────────────────────────────────

// mongoData is what a server holds: documents by database and collection.
type mongoData map[string]map[string][]*mongoDoc

// mongoRequest is a line of the shell, and mongoReply what it prints.
type mongoRequest struct{ User, Password, DB, Line string }

type mongoReply struct{ Text, DB, Error string }

func (s *server) loadMongo() mongoData {
	d := mongoData{"admin": {"system.version": nil}, "config": {}, "local": {"startup_log": nil}}
	data, _ := s.c.FS().ReadFile(s.dataFile())
	kept := map[string]map[string]string{}
	_ = json.Unmarshal(data, &kept)
	for db, colls := range kept {
		d[db] = map[string][]*mongoDoc{}
		for name, text := range colls {
			v, _ := (&mongoParser{s: text}).value()
			list, _ := v.([]any)
			d[db][name] = nil
			for _, e := range list {
				if x, ok := e.(*mongoDoc); ok {
					d[db][name] = append(d[db][name], x)
				}
			}
		}
	}
	return d
}

func (s *server) saveMongo(d mongoData) error {
	kept := map[string]map[string]string{}
	for db, colls := range d {
		kept[db] = map[string]string{}
		for name, docs := range colls {
			list := make([]any, len(docs))
			for i := range docs {
				list[i] = docs[i]
			}
			kept[db][name] = inspect(list, 0)
		}
	}
	data, err := json.Marshal(kept)
	if err == nil {
		_ = s.c.FS().MkdirAll(s.dataDir(), 0o755)
		err = s.c.FS().WriteFile(s.dataFile(), data, 0o600)
	}
	return err
}

func (s *server) serveMongo(_ *kernel.Proc, req *network.Request) *network.Response {
	var q mongoRequest
	if req.Method != network.Raw || json.Unmarshal(req.Body, &q) != nil {
		return nil
	}
	r := &mongoRun{s: s, d: s.loadMongo(), db: q.DB}
	root := s.getenv("MONGO_INITDB_ROOT_USERNAME")
	r.locked = root != "" && q.User == ""
	out := mongoReply{}
	var err error
	switch {
	case q.User != "" && (q.User != root || q.Password != s.getenv("MONGO_INITDB_ROOT_PASSWORD")):
		err = errors.New("MongoServerError: Authentication failed.")
	case q.Line != "":
		out.Text, err = r.line(q.Line)
	}
	if err != nil {
		out.Error = err.Error()
	}
	if r.changed && s.saveMongo(r.d) != nil {
		out = mongoReply{Error: "MongoServerError: No space left on device"}
	}
	out.DB = r.db
	body, _ := json.Marshal(out)
	return &network.Response{Body: body}
}

// mongoRun is a connection at work.
type mongoRun struct {
	s       *server
	d       mongoData
	db      string
	locked  bool // who asks has not said who they are
	changed bool
}

// mongoArgs are a call's arguments.
type mongoArgs []any

func (a mongoArgs) doc(i int) *mongoDoc {
	if i < len(a) {
		if d, ok := a[i].(*mongoDoc); ok {
			return d
		}
	}
	return &mongoDoc{}
}

func (a mongoArgs) text(i int) string {
	if i < len(a) {
		return mongoText(a[i])
	}
	return ""
}

// call reads the arguments of a call, or ok is false when none comes.
func (p *mongoParser) call() (args mongoArgs, ok bool, err error) {
	if !p.take("(") {
		return nil, false, nil
	}
	for !p.take(")") {
		v, err := p.value()
		if err != nil {
			return nil, true, err
		}
		args = append(args, v)
		if !p.take(",") && !strings.HasPrefix(strings.TrimLeft(p.s, " \t\r\n"), ")") {
			return nil, true, p.wrong()
		}
	}
	return args, true, nil
}

// line does what one line, or statement, says and returns what it prints.
func (r *mongoRun) line(text string) (string, error) {
	out := ""
	p := &mongoParser{s: text}
	for {
		for p.take(";") {
		}
		if p.space(); p.s == "" {
			return out, nil
		}
		s, err := r.statement(p)
		if err != nil {
			return out, err
		}
		p.space()
		if p.s != "" && p.s[0] != ';' {
			return out, p.wrong()
		}
		if out = s; p.s == "" {
			return out, nil
		}
	}
}

func (r *mongoRun) statement(p *mongoParser) (string, error) {
	start := p.s
	switch word := p.name(); word {
	case "use":
		name := strings.TrimRight(strings.TrimSpace(p.s), ";")
		p.s = ""
		if name == "" || strings.ContainsAny(name, " /\\.\"$*<>:|?") {
			return "", fmt.Errorf("MongoshInvalidInputError: [COMMON-10001] Invalid database name: %s", name)
		}
		if r.db == name {
			return "already on db " + name, nil
		}
		r.db = name
		return "switched to db " + name, nil
	case "show":
		return r.show(p.name())
	case "exit", "quit":
		_, _, err := p.call()
		return "", err
	case "print", "printjson":
		args, ok, err := p.call()
		if !ok || err != nil {
			return "", cmp.Or(err, p.wrong())
		}
		var words []string
		for i := range args {
			words = append(words, args.text(i))
		}
		return strings.Join(words, " "), nil
	case "rs", "sh":
		p.s = ""
		return "", errors.New("MongoServerError[NoReplicationEnabled]: not running with --replSet")
	case "db":
		return r.database(p)
	case "":
	default:
		if p.space(); p.s == "" || p.s[0] == '.' || p.s[0] == '(' {
			return "", fmt.Errorf("ReferenceError: %s is not defined", word)
		}
	}
	p.s = start
	v, err := p.value()
	if err != nil {
		return "", err
	}
	return mongoText(v), nil
}

const mongoLocked = "MongoServerError[Unauthorized]: Command %s requires authentication"

func (r *mongoRun) show(what string) (string, error) {
	if r.locked {
		return "", fmt.Errorf(mongoLocked, map[bool]string{true: "listDatabases", false: "listCollections"}[what == "dbs" || what == "databases"])
	}
	var out []string
	switch what {
	case "dbs", "databases":
		names := slices.Sorted(maps.Keys(r.d))
		width := 0
		for _, n := range names {
			width = max(width, len(n))
		}
		for _, n := range names {
			size := 8
			for _, docs := range r.d[n] {
				size += 32 + len(docs)/100
			}
			out = append(out, fmt.Sprintf("%-*s  %.2f KiB", width, n, float64(size)))
		}
	case "collections", "tables":
		out = slices.Sorted(maps.Keys(r.d[r.db]))
	case "users", "roles":
		return "[]", nil
	default:
		return "", fmt.Errorf("MongoshInvalidInputError: [COMMON-10001] '%s' is not a valid argument for \"show\".", what)
	}
	return strings.Join(out, "\n"), nil
}

// database is what begins with db.
func (r *mongoRun) database(p *mongoParser) (string, error) {
	if p.take("[") {
		name, ok := p.quoted()
		if !ok || !p.take("]") {
			return "", p.wrong()
		}
		return r.collection(name, p)
	}
	if !p.take(".") {
		return r.db, nil
	}
	name := p.name()
	args, called, err := p.call()
	if err != nil {
		return "", err
	}
	if !called {
		for !called && p.take(".") { // a collection's name may hold dots
			before := p.s
			next := p.name()
			if p.space(); strings.HasPrefix(p.s, "(") {
				p.s = "." + before
				return r.collection(name, p)
			}
			name += "." + next
		}
		return r.db + "." + name, nil
	}
	if r.locked {
		return "", fmt.Errorf(mongoLocked, name)
	}
	ok := doc("ok", 1.0)
	switch name {
	case "getCollection":
		return r.collection(args.text(0), p)
	case "getName":
		return r.db, nil
	case "getSiblingDB", "getSisterDB":
		was := r.db
		r.db = args.text(0)
		out, err := r.database(p)
		r.db = was
		return out, err
	case "version":
		return r.s.c.Image.Version, nil
	case "getCollectionNames":
		var list []any
		for _, n := range slices.Sorted(maps.Keys(r.d[r.db])) {
			list = append(list, n)
		}
		return inspect(list, 0), nil
	case "createCollection":
		if _, there := r.d[r.db][args.text(0)]; there {
			return "", fmt.Errorf("MongoServerError[NamespaceExists]: Collection %s.%s already exists.", r.db, args.text(0))
		}
		r.touch(args.text(0))
		return inspect(ok, 0), nil
	case "createUser", "updateUser", "grantRolesToUser":
		return inspect(ok, 0), nil
	case "dropDatabase":
		delete(r.d, r.db)
		r.changed = true
		return inspect(doc("ok", 1.0, "dropped", r.db), 0), nil
	case "runCommand", "adminCommand":
		what := args.text(0)
		if d := args.doc(0); len(d.fields) > 0 {
			what = d.fields[0].name
		}
		switch what {
		case "ping":
			return inspect(ok, 0), nil
		case "hello", "isMaster", "ismaster":
			return inspect(doc("isWritablePrimary", true, "maxBsonObjectSize", 16777216.0, "readOnly", false, "ok", 1.0), 0), nil
		}
		return "", fmt.Errorf("MongoServerError[CommandNotFound]: no such command: '%s'", what)
	case "stats":
		n := 0
		for _, docs := range r.d[r.db] {
			n += len(docs)
		}
		return inspect(doc("db", r.db, "collections", float64(len(r.d[r.db])), "objects", float64(n), "ok", 1.0), 0), nil
	}
	return "", fmt.Errorf("TypeError: db.%s is not a function", name)
}

// touch makes a collection that is not there.
func (r *mongoRun) touch(name string) {
	if r.d[r.db] == nil {
		r.d[r.db] = map[string][]*mongoDoc{}
	}
	if _, ok := r.d[r.db][name]; !ok {
		r.d[r.db][name] = nil
	}
	r.changed = true
}

// collection is a call on a collection, and the calls on what that gives.
func (r *mongoRun) collection(name string, p *mongoParser) (string, error) {
	if !p.take(".") {
		return r.db + "." + name, nil
	}
	method := p.name()
	args, called, err := p.call()
	switch {
	case err != nil:
		return "", err
	case !called:
		return r.db + "." + name + "." + method, nil
	case r.locked:
		return "", fmt.Errorf(mongoLocked, method)
	}
	docs := r.d[r.db][name]
	match := func(limit int) (found []int, err error) {
		for i, d := range docs {
			ok, err := matches(d, args.doc(0))
			if err != nil {
				return nil, err
			}
			if ok && (limit == 0 || len(found) < limit) {
				found = append(found, i)
			}
		}
		return found, nil
	}
	switch method {
	case "insertOne", "insertMany", "insert":
		return r.insertDocs(name, method, args)
	case "find", "findOne":
		found, err := match(map[string]int{"findOne": 1}[method])
		if err != nil {
			return "", err
		}
		list := make([]*mongoDoc, len(found))
		for k, i := range found {
			list[k] = docs[i]
		}
		if method == "find" {
			return cursor(p, list, args.doc(1))
		}
		if len(list) == 0 {
			return "null", nil
		}
		return inspect(project(list[0], args.doc(1)), 0), nil
	case "countDocuments", "count", "estimatedDocumentCount":
		found, err := match(0)
		return strconv.Itoa(len(found)), err
	case "distinct":
		field := args.text(0)
		args = append(args[min(1, len(args)):], &mongoDoc{})
		found, err := match(0)
		var list []any
		for _, i := range found {
			if v, ok := docs[i].get(field); ok && !slices.ContainsFunc(list, func(x any) bool { return order(x, v) == 0 }) {
				list = append(list, v)
			}
		}
		slices.SortFunc(list, order)
		return inspect(list, 0), err
	case "updateOne", "updateMany", "update", "replaceOne", "deleteOne", "deleteMany", "remove":
		if len(args) == 0 {
			return "", fmt.Errorf("MongoshInvalidInputError: [COMMON-10001] Missing required argument at position 0 (Collection.%s)", method)
		}
		limit := 0
		if strings.HasSuffix(method, "One") || method == "update" {
			limit = 1
		}
		found, err := match(limit)
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(method, "delete") || method == "remove" {
			for k, i := range found {
				docs = slices.Delete(slices.Clone(docs), i-k, i-k+1)
			}
			if len(found) > 0 {
				r.d[r.db][name], r.changed = docs, true
			}
			return inspect(doc("acknowledged", true, "deletedCount", float64(len(found))), 0), nil
		}
		return r.updateDocs(name, method, found, args)
	case "drop":
		_, there := r.d[r.db][name]
		delete(r.d[r.db], name)
		r.changed = r.changed || there
		return "true", nil
	case "createIndex":
		var parts []string
		for _, f := range args.doc(0).fields {
			parts = append(parts, f.name+"_"+mongoText(f.value))
		}
		r.touch(name)
		return strings.Join(parts, "_"), nil
	case "getIndexes":
		return inspect([]any{doc("v", 2.0, "key", doc("_id", 1.0), "name", "_id_")}, 0), nil
	case "stats", "aggregate", "bulkWrite", "watch", "mapReduce", "findOneAndUpdate", "findOneAndDelete", "findOneAndReplace":
		return "", fmt.Errorf("MongoServerError: this server is simulated and has no %s", method)
	}
	return "", fmt.Errorf("TypeError: db.%s.%s is not a function", name, method)
}

// ── the client ──────────────────────────────────────────────────────────────
