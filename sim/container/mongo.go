// MongoDB as far as tutorials go: documents in collections, the calls of the
// shell that fill and read them, and mongosh, whose lines the server reads. What
// it holds is one file in its data directory, in the shell's own notation.
// https://www.mongodb.com/docs/mongodb-shell/

package container

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
)

// Values of documents are nil, bool, float64, string, mongoCall, []any and *mongoDoc.
type mongoDoc struct{ fields []mongoField }

type mongoField struct {
	name  string
	value any
}

// mongoCall is a value that the shell writes as a call: ObjectId('…'), ISODate('…').
type mongoCall struct{ name, text string }

func doc(kv ...any) *mongoDoc {
	d := &mongoDoc{}
	for i := 0; i+1 < len(kv); i += 2 {
		d.set(kv[i].(string), kv[i+1])
	}
	return d
}

func (d *mongoDoc) index(name string) int {
	return slices.IndexFunc(d.fields, func(f mongoField) bool { return f.name == name })
}

// get follows a path of names and of places in lists.
func (d *mongoDoc) get(path string) (any, bool) {
	name, rest, deeper := strings.Cut(path, ".")
	i := d.index(name)
	if i < 0 {
		return nil, false
	}
	v := d.fields[i].value
	for deeper {
		switch x := v.(type) {
		case *mongoDoc:
			return x.get(rest)
		case []any:
			name, rest, deeper = strings.Cut(rest, ".")
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(x) {
				return nil, false
			}
			v = x[n]
		default:
			return nil, false
		}
	}
	return v, true
}

func (d *mongoDoc) set(path string, v any) {
	name, rest, deeper := strings.Cut(path, ".")
	i := d.index(name)
	if i < 0 {
		d.fields = append(d.fields, mongoField{name: name})
		i = len(d.fields) - 1
	}
	if !deeper {
		d.fields[i].value = v
		return
	}
	inner, ok := d.fields[i].value.(*mongoDoc)
	if ok {
		inner = inner.clone()
	} else {
		inner = &mongoDoc{}
	}
	inner.set(rest, v)
	d.fields[i].value = inner
}

func (d *mongoDoc) clone() *mongoDoc { return &mongoDoc{slices.Clone(d.fields)} }

// ── the shell's notation ────────────────────────────────────────────────────

// mongoParser reads the shell's language.
type mongoParser struct {
	s     string
	depth int
}

func (p *mongoParser) space() { p.s = strings.TrimLeft(p.s, " \t\r\n") }

func (p *mongoParser) take(c string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.s, c)
	if ok {
		p.s = rest
	}
	return ok
}

// name reads a name; "" when none comes.
func (p *mongoParser) name() string {
	p.space()
	n := 0
	for n < len(p.s) && (p.s[n] == '_' || p.s[n] == '$' || p.s[n]|0x20 >= 'a' && p.s[n]|0x20 <= 'z' || n > 0 && p.s[n] >= '0' && p.s[n] <= '9' || p.s[n] >= 0x80) {
		n++
	}
	name := p.s[:n]
	p.s = p.s[n:]
	return name
}

func (p *mongoParser) wrong() error {
	return errors.New("SyntaxError: this shell is simulated and does not understand: " + strings.TrimSpace(p.s))
}

// quoted reads a string.
func (p *mongoParser) quoted() (string, bool) {
	p.space()
	if p.s == "" || strings.IndexByte("'\"`", p.s[0]) < 0 {
		return "", false
	}
	for i := 1; i < len(p.s); i++ {
		switch p.s[i] {
		case '\\':
			i++
		case p.s[0]:
			text := p.s[1:i]
			p.s = p.s[i+1:]
			return strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\'`, "'", `\"`, `"`, `\\`, `\`).Replace(text), true
		}
	}
	return "", false
}

// value reads one value.
func (p *mongoParser) value() (any, error) {
	p.space()
	if p.depth++; p.depth > 100 {
		return nil, p.wrong()
	}
	defer func() { p.depth-- }()
	if text, ok := p.quoted(); ok {
		return text, nil
	}
	switch {
	case p.take("{"):
		d := &mongoDoc{}
		for !p.take("}") {
			name, ok := p.quoted()
			if !ok {
				name = p.name()
			}
			if name == "" {
				n := len(p.s) - len(strings.TrimLeft(p.s, "0123456789"))
				name, p.s = p.s[:n], p.s[n:]
			}
			if name == "" || !p.take(":") {
				return nil, p.wrong()
			}
			v, err := p.value()
			if err != nil {
				return nil, err
			}
			if i := d.index(name); i >= 0 {
				d.fields[i].value = v
			} else {
				d.fields = append(d.fields, mongoField{name, v})
			}
			if !p.take(",") && !strings.HasPrefix(strings.TrimLeft(p.s, " \t\r\n"), "}") {
				return nil, p.wrong()
			}
		}
		return d, nil
	case p.take("["):
		list := []any{}
		for !p.take("]") {
			v, err := p.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			if !p.take(",") && !strings.HasPrefix(strings.TrimLeft(p.s, " \t\r\n"), "]") {
				return nil, p.wrong()
			}
		}
		return list, nil
	case p.take("/"):
		end := strings.IndexByte(p.s, '/')
		if end < 0 {
			return nil, p.wrong()
		}
		text := p.s[:end]
		p.s = p.s[end+1:]
		return mongoCall{"/", text + "/" + p.name()}, nil
	}
	if n := len(p.s) - len(strings.TrimLeft(p.s, "+-.0123456789")); n > 0 {
		if f, err := strconv.ParseFloat(p.s[:n], 64); err == nil {
			p.s = p.s[n:]
			return f, nil
		}
		return nil, p.wrong()
	}
	start := p.s
	_ = p.take("new ")
	switch name := p.name(); name {
	case "true", "false":
		return name == "true", nil
	case "null", "undefined":
		return nil, nil
	case "ObjectId", "ISODate", "Date", "NumberInt", "NumberLong", "Int32", "Long", "Double":
		if !p.take("(") {
			break
		}
		arg := any(nil)
		if !p.take(")") {
			var err error
			if arg, err = p.value(); err != nil || !p.take(")") {
				return nil, p.wrong()
			}
		}
		text := mongoText(arg)
		switch {
		case name == "ObjectId" || name == "ISODate":
			if text == "null" {
				text = ""
			}
			return mongoCall{name, text}, nil
		case name == "Date":
			return mongoCall{"ISODate", strings.TrimPrefix(text, "null")}, nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			break
		}
		return f, nil
	}
	p.s = start
	return nil, p.wrong()
}

// mongoText is a value as String() gives it.
func mongoText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return inspect(v, 0)
}

// inspect writes a value as the shell shows it: on one line where that fits,
// by the rules of Node's util.inspect.
func inspect(v any, indent int) string {
	var parts []string
	open, end := "{", "}"
	switch x := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(x)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case string:
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\t", `\t`).Replace(x) + "'"
	case mongoCall:
		if x.name == "/" {
			return "/" + x.text
		}
		return x.name + "('" + x.text + "')"
	case []any:
		open, end = "[", "]"
		for _, e := range x {
			parts = append(parts, inspect(e, indent+2))
		}
	case *mongoDoc:
		for _, f := range x.fields {
			name := f.name
			if p := (&mongoParser{s: name}); p.name() != name || name == "" {
				name = "'" + name + "'"
			}
			parts = append(parts, name+": "+inspect(f.value, indent+2))
		}
	}
	if len(parts) == 0 {
		return open + end
	}
	total := 2*len(parts) + indent + 11
	for _, p := range parts {
		total += len(p)
	}
	if total <= 80 && !strings.Contains(strings.Join(parts, ""), "\n") && depth(v) <= 3 {
		return open + " " + strings.Join(parts, ", ") + " " + end
	}
	in := "\n" + strings.Repeat(" ", indent)
	return open + in + "  " + strings.Join(parts, ","+in+"  ") + in + end
}

// depth is how many levels a value has.
func depth(v any) int {
	n := 0
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			n = max(n, depth(e))
		}
	case *mongoDoc:
		for _, f := range x.fields {
			n = max(n, depth(f.value))
		}
	default:
		return 0
	}
	return n + 1
}

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

func (r *mongoRun) insertDocs(name, method string, args mongoArgs) (string, error) {
	var list []any
	if len(args) > 0 {
		if l, ok := args[0].([]any); ok && method != "insertOne" {
			list = l
		} else {
			list = args[:1]
		}
	}
	if len(list) == 0 {
		return "", fmt.Errorf("MongoInvalidArgumentError: Argument \"docs\" must be an array of documents")
	}
	ids := doc()
	for i, v := range list {
		d, ok := v.(*mongoDoc)
		if !ok {
			return "", errors.New("MongoInvalidArgumentError: Document must be an object")
		}
		d = d.clone()
		id, has := d.get("_id")
		if !has {
			count := 1
			for _, colls := range r.d {
				for _, docs := range colls {
					count += len(docs)
				}
			}
			id = mongoCall{"ObjectId", fmt.Sprintf("%08x%010.10s%06x", r.s.now().Unix(), strings.ReplaceAll(r.s.c.ID, "-", ""), count)}
			d.fields = slices.Insert(d.fields, 0, mongoField{"_id", id})
		}
		for k := range d.fields {
			if c, ok := d.fields[k].value.(mongoCall); ok && c.name == "ISODate" && c.text == "" {
				d.fields[k].value = mongoCall{"ISODate", r.s.now().UTC().Format("2006-01-02T15:04:05.000Z")}
			}
		}
		for _, other := range r.d[r.db][name] {
			if oid, _ := other.get("_id"); order(oid, id) == 0 {
				return "", fmt.Errorf("MongoServerError: E11000 duplicate key error collection: %s.%s index: _id_ dup key: { _id: %s }", r.db, name, strings.ReplaceAll(inspect(id, 0), "'", `"`))
			}
		}
		r.touch(name)
		r.d[r.db][name] = append(slices.Clip(r.d[r.db][name]), d)
		ids.fields = append(ids.fields, mongoField{strconv.Itoa(i), id})
	}
	if method == "insertOne" {
		return inspect(doc("acknowledged", true, "insertedId", ids.fields[0].value), 0), nil
	}
	return inspect(doc("acknowledged", true, "insertedIds", ids), 0), nil
}

func (r *mongoRun) updateDocs(name, method string, found []int, args mongoArgs) (string, error) {
	change := args.doc(1)
	operators := len(change.fields) > 0 && strings.HasPrefix(change.fields[0].name, "$")
	if operators != (method != "replaceOne") {
		return "", errors.New("MongoInvalidArgumentError: Update document requires atomic operators")
	}
	upserted, docs := any(nil), r.d[r.db][name]
	apply := func(d *mongoDoc) (*mongoDoc, error) {
		out := d.clone()
		if !operators {
			id, has := out.get("_id")
			if out = change.clone(); has && out.index("_id") < 0 {
				out.fields = slices.Insert(out.fields, 0, mongoField{"_id", id})
			}
			return out, nil
		}
		for _, op := range change.fields {
			for _, f := range mongoArgs([]any{op.value}).doc(0).fields {
				old, _ := out.get(f.name)
				n, _ := old.(float64)
				by, _ := f.value.(float64)
				list, _ := old.([]any)
				switch op.name {
				case "$set":
					out.set(f.name, f.value)
				case "$unset":
					if i := out.index(f.name); i >= 0 {
						out.fields = slices.Delete(out.fields, i, i+1)
					}
				case "$inc":
					out.set(f.name, n+by)
				case "$mul":
					out.set(f.name, n*by)
				case "$push":
					out.set(f.name, append(slices.Clip(list), f.value))
				case "$pull":
					out.set(f.name, slices.DeleteFunc(slices.Clone(list), func(x any) bool { return order(x, f.value) == 0 }))
				case "$currentDate":
					out.set(f.name, mongoCall{"ISODate", r.s.now().UTC().Format("2006-01-02T15:04:05.000Z")})
				default:
					return nil, fmt.Errorf("MongoServerError[FailedToParse]: Unknown modifier: %s", op.name)
				}
			}
		}
		return out, nil
	}
	modified := 0
	for _, i := range found {
		d, err := apply(docs[i])
		if err != nil {
			return "", err
		}
		if order(d, docs[i]) != 0 {
			modified++
		}
		docs[i] = d
		r.changed = true
	}
	if up, _ := args.doc(2).get("upsert"); up == true && len(found) == 0 {
		d := &mongoDoc{}
		for _, f := range args.doc(0).fields {
			if _, nested := f.value.(*mongoDoc); !nested && !strings.HasPrefix(f.name, "$") {
				d.set(f.name, f.value)
			}
		}
		d, err := apply(d)
		if err != nil {
			return "", err
		}
		if _, err := r.insertDocs(name, "insertOne", mongoArgs{d}); err != nil {
			return "", err
		}
		upserted, _ = r.d[r.db][name][len(docs)].get("_id")
	}
	return inspect(doc("acknowledged", true, "insertedId", upserted, "matchedCount", float64(len(found)), "modifiedCount", float64(modified),
		"upsertedCount", float64(boolInt(upserted != nil))), 0), nil
}

// cursor is what the calls after find() make of the documents.
func cursor(p *mongoParser, docs []*mongoDoc, projection *mongoDoc) (string, error) {
	limit, skip := 0, 0
	for p.take(".") {
		method := p.name()
		args, called, err := p.call()
		if !called || err != nil {
			return "", cmp.Or(err, p.wrong())
		}
		n, _ := strconv.Atoi(args.text(0))
		switch method {
		case "sort":
			slices.SortStableFunc(docs, func(a, b *mongoDoc) int {
				for _, f := range args.doc(0).fields {
					x, _ := a.get(f.name)
					y, _ := b.get(f.name)
					if c := order(x, y); c != 0 {
						if f.value == -1.0 {
							return -c
						}
						return c
					}
				}
				return 0
			})
		case "limit":
			limit = max(n, 0)
		case "skip":
			skip = max(n, 0)
		case "count", "size", "itcount":
			return strconv.Itoa(len(docs)), nil
		case "pretty", "toArray":
		default:
			return "", fmt.Errorf("TypeError: db.collection.find(...).%s is not a function", method)
		}
	}
	docs = docs[min(skip, len(docs)):]
	if limit > 0 {
		docs = docs[:min(limit, len(docs))]
	}
	if len(docs) == 0 {
		return "", nil
	}
	more := ""
	if len(docs) > 20 {
		docs, more = docs[:20], "\nType \"it\" for more"
	}
	list := make([]any, len(docs))
	for i, d := range docs {
		list[i] = project(d, projection)
	}
	return inspect(list, 0) + more, nil
}

// project keeps the fields that a projection names, or drops them.
func project(d, projection *mongoDoc) *mongoDoc {
	if len(projection.fields) == 0 {
		return d
	}
	keep := slices.ContainsFunc(projection.fields, func(f mongoField) bool { return f.name != "_id" && (f.value == 1.0 || f.value == true) })
	out := &mongoDoc{}
	for _, f := range d.fields {
		v, named := projection.get(f.name)
		if yes := v == 1.0 || v == true; yes || !named && (!keep || f.name == "_id") {
			out.fields = append(out.fields, f)
		}
	}
	return out
}

// order compares two values, those of different types by their type.
func order(a, b any) int {
	rank := func(v any) int {
		switch v.(type) {
		case nil:
			return 0
		case float64:
			return 1
		case string:
			return 2
		case *mongoDoc:
			return 3
		case []any:
			return 4
		case bool:
			return 6
		}
		return 5
	}
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	if x, ok := a.(float64); ok {
		return cmp.Compare(x, b.(float64))
	}
	return strings.Compare(mongoText(a), mongoText(b))
}

// matches reports whether a document fits a filter.
func matches(d, filter *mongoDoc) (bool, error) {
	for _, f := range filter.fields {
		if f.name == "$and" || f.name == "$or" || f.name == "$nor" {
			list, _ := f.value.([]any)
			n := 0
			for _, e := range list {
				ok, err := matches(d, mongoArgs{e}.doc(0))
				if err != nil {
					return false, err
				}
				n += boolInt(ok)
			}
			if f.name == "$and" && n < len(list) || f.name == "$or" && n == 0 || f.name == "$nor" && n > 0 {
				return false, nil
			}
			continue
		}
		if strings.HasPrefix(f.name, "$") {
			return false, fmt.Errorf("MongoServerError[BadValue]: unknown top level operator: %s", f.name)
		}
		v, has := d.get(f.name)
		cond, ok := f.value.(*mongoDoc)
		if !ok || len(cond.fields) == 0 || !strings.HasPrefix(cond.fields[0].name, "$") {
			cond = doc("$eq", f.value)
		}
		for _, c := range cond.fields {
			ok, err := fits(v, has, c, cond)
			if !ok || err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// fits is one condition on a value; one on a list may be met by any element.
func fits(v any, has bool, c mongoField, all *mongoDoc) (bool, error) {
	equal := func(want any) bool {
		if re, ok := want.(mongoCall); ok && re.name == "/" {
			s, isText := v.(string)
			expr, flags, _ := strings.Cut(re.text, "/")
			return isText && regexLike(s, expr, strings.Contains(flags, "i"))
		}
		list, _ := v.([]any)
		return order(v, want) == 0 || slices.ContainsFunc(list, func(x any) bool { return order(x, want) == 0 })
	}
	in := func() bool {
		list, _ := c.value.([]any)
		return slices.ContainsFunc(list, equal)
	}
	same := fmt.Sprintf("%T", v) == fmt.Sprintf("%T", c.value)
	switch c.name {
	case "$eq":
		return equal(c.value), nil
	case "$ne":
		return !equal(c.value), nil
	case "$gt":
		return same && order(v, c.value) > 0, nil
	case "$gte":
		return same && order(v, c.value) >= 0, nil
	case "$lt":
		return same && order(v, c.value) < 0, nil
	case "$lte":
		return same && order(v, c.value) <= 0, nil
	case "$in":
		return in(), nil
	case "$nin":
		return !in(), nil
	case "$exists":
		return has == (c.value == true || c.value == 1.0), nil
	case "$regex":
		options, _ := all.get("$options")
		s, ok := v.(string)
		return ok && regexLike(s, mongoText(c.value), options == "i"), nil
	case "$options":
		return true, nil
	case "$not":
		ok, err := matches(doc("x", v), doc("x", c.value))
		return !ok, err
	case "$size":
		list, ok := v.([]any)
		return ok && float64(len(list)) == c.value, nil
	}
	return false, fmt.Errorf("MongoServerError[BadValue]: unknown operator: %s", c.name)
}

// ── the client ──────────────────────────────────────────────────────────────

// mongoShell is mongosh, and mongo of earlier versions.
func mongoShell(v *invocation) int {
	q := mongoRequest{DB: "test"}
	host, port, evals, quiet, file := "127.0.0.1", v.b.Port, []string(nil), false, ""
	args := v.args[1:]
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		name, value, has := strings.Cut(a, "=")
		switch name {
		case "--quiet":
			quiet = true
			continue
		case "--version":
			if v.args[0] == "mongosh" {
				fmt.Fprintln(v.Stdout, "2.5.8")
			} else {
				fmt.Fprintf(v.Stdout, "MongoDB shell version v%s\n", v.c.Image.Version)
			}
			return 0
		case "--eval", "--host", "--port", "-u", "--username", "-p", "--password", "--authenticationDatabase", "-f", "--file":
			if !has && len(args) > 0 {
				value, args = args[0], args[1:]
			}
		default:
			switch uri, is := strings.CutPrefix(a, "mongodb://"); {
			case is:
				uri, _, _ = strings.Cut(uri, "?")
				if who, rest, ok := strings.Cut(uri, "@"); ok {
					q.User, q.Password, _ = strings.Cut(who, ":")
					uri = rest
				}
				at, db, _ := strings.Cut(uri, "/")
				if db != "" {
					q.DB = db
				}
				at, _, _ = strings.Cut(at, ",")
				name, value = "--host", at
			case strings.HasPrefix(a, "-"):
				return v.fail(1, "Error parsing command line: unrecognized option: %s", a)
			case strings.Contains(a, "/"):
				name = "--host"
				value, q.DB, _ = strings.Cut(a, "/")
			case strings.HasSuffix(a, ".js"):
				name, value = "-f", a
			default:
				q.DB = a
				continue
			}
		}
		switch name {
		case "--eval":
			evals = append(evals, value)
		case "--host":
			h, p, ok := strings.Cut(value, ":")
			if host = h; ok {
				port, _ = strconv.Atoi(p)
			}
		case "--port":
			port, _ = strconv.Atoi(value)
		case "-u", "--username":
			q.User = value
		case "-p", "--password":
			q.Password = value
		case "-f", "--file":
			file = value
		}
	}
	send := func(line string) (code int) {
		q.Line = line
		body, _ := json.Marshal(q)
		data, err := v.send(host, port, body)
		if err != nil {
			why := fmt.Sprintf("connect ECONNREFUSED %s:%d", host, port)
			if e := (*network.Error)(nil); errors.As(err, &e) && e.Kind == network.NoHost {
				why = "getaddrinfo ENOTFOUND " + host
			} else if ok := errors.As(err, &e); ok && e.Waits() {
				_ = v.Proc.Sleep(2 * time.Second)
				why = "Server selection timed out after 2000 ms"
			}
			return v.fail(1, "MongoNetworkError: %s", why)
		}
		var out mongoReply
		if json.Unmarshal(data, &out) != nil {
			return v.fail(1, "MongoNetworkError: connection closed")
		}
		q.DB = out.DB
		if out.Text != "" {
			fmt.Fprintln(v.Stdout, out.Text)
		}
		if out.Error != "" {
			return v.fail(1, "%s", out.Error)
		}
		return 0
	}
	if code := send(""); code != 0 {
		return code
	}
	if file != "" {
		data, err := v.FS.ReadFile(v.Path(file))
		if err != nil {
			return v.fail(1, "Error: ENOENT: no such file or directory, open '%s'", file)
		}
		evals = append(evals, string(data))
	}
	for _, e := range evals {
		if code := send(e); code != 0 {
			return code
		}
	}
	if evals != nil {
		return 0
	}
	legacy := v.args[0] != "mongosh"
	if !quiet && v.TTY != nil {
		if legacy {
			fmt.Fprintf(v.Stdout, "MongoDB shell version v%s\nconnecting to: mongodb://%s:%d/%s\nMongoDB server version: %[1]s\n", v.c.Image.Version, host, port, q.DB)
		} else {
			fmt.Fprintf(v.Stdout, "Connecting to:\t\tmongodb://%s:%d/%s?directConnection=true\nUsing MongoDB:\t\t%s\nUsing Mongosh:\t\t2.5.8\n\nFor mongosh info see: https://www.mongodb.com/docs/mongodb-shell/\n\n", host, port, strings.TrimPrefix(q.DB, "test"), v.c.Image.Version)
		}
	}
	in := bufio.NewReader(v.Stdin)
	text := ""
	for {
		if v.TTY != nil {
			switch {
			case text != "":
				fmt.Fprint(v.Stdout, "... ")
			case legacy:
				fmt.Fprint(v.Stdout, "> ")
			default:
				fmt.Fprintf(v.Stdout, "%s> ", q.DB)
			}
		}
		line, err := in.ReadString('\n')
		text += line
		word := strings.Trim(strings.TrimSpace(text), ";")
		switch {
		case err == io.EOF && line == "", err != nil && err != io.EOF, slices.Contains([]string{"exit", "quit", "exit()", "quit()", ".exit"}, word):
			if legacy && v.TTY != nil {
				fmt.Fprintln(v.Stdout, "bye")
			}
			return 0
		case word == "":
		case unclosed(text) && err == nil:
			continue
		default:
			_ = send(strings.TrimSpace(text))
		}
		text = ""
	}
}

// unclosed reports whether a line goes on: a bracket or a quote is open.
func unclosed(text string) bool {
	open, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case strings.IndexByte("'\"`", c) >= 0:
			quote = c
		case strings.IndexByte("([{", c) >= 0:
			open++
		case strings.IndexByte(")]}", c) >= 0:
			open--
		}
	}
	return open > 0 || quote == '`'
}

// regexLike matches a regular expression; one that is none matches nothing.
func regexLike(s, expr string, fold bool) bool {
	if fold {
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile(expr)
	return err == nil && re.MatchString(s)
}
