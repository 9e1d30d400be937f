// MySQL, MariaDB and PostgreSQL as far as tutorials go: what a server holds,
// who may connect, and the statements that are not queries (sqlquery.go has
// those, sqlclient.go the command line clients). What it does not understand it
// refuses by name. What a server holds is one file in its data directory, so
// that it outlives the container on a volume.

package container

import (
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

// sqlData is what a server holds. Passwords are those of its first start.
type sqlData struct {
	Users map[string]string               `json:"users"`
	DBs   map[string]map[string]*sqlTable `json:"databases"`
}

type sqlTable struct {
	Columns []string    `json:"columns"`
	Defs    []sqlColumn `json:"defs,omitempty"` // of the columns
	Auto    string      `json:"auto,omitempty"` // the column that counts up
	Next    int         `json:"next,omitempty"`
	Rows    [][]*string `json:"rows"` // nil is NULL
}

// sqlColumn is what a column was declared as.
type sqlColumn struct {
	Type    string `json:"type,omitempty"`
	NotNull bool   `json:"notnull,omitempty"`
	Key     string `json:"key,omitempty"`     // PRI or UNI
	Default string `json:"default,omitempty"` // an expression
}

// def is the declaration of a column; those of tables of earlier versions are not known.
func (t *sqlTable) def(i int) sqlColumn {
	if i < len(t.Defs) {
		return t.Defs[i]
	}
	return sqlColumn{}
}

func (t *sqlTable) column(name string) int {
	return slices.IndexFunc(t.Columns, func(c string) bool { return strings.EqualFold(c, name) })
}

// sqlRequest and sqlReply are what clients and servers say to each other.
type sqlRequest struct {
	User, Password, Database, Text string
}

type sqlReply struct {
	Results  []sqlResult
	Database string // after the statements
	Error    string
	At       int // where in the text the error is, from 1; 0 for nowhere
}

type sqlResult struct {
	Title   string
	Columns []string // nil for statements without rows
	Rows    [][]*string
	Text    bool   // all columns are text, even where they hold numbers
	Tag     string // PostgreSQL's word for what was done
	N       int    // rows that it was done to
}

// sqlError is an error and where it was found.
type sqlError struct {
	text string
	at   int // from 1
}

func (e *sqlError) Error() string { return e.text }

func (s *server) postgres() bool { return s.b.Server == "postgres" }

func (s *server) dataDir() string {
	if d := s.getenv("PGDATA"); d != "" && s.postgres() {
		return d
	}
	return s.b.Data
}

// initSQL makes the databases and users of a first start.
func (s *server) initSQL() {
	if s.has(s.dataFile()) {
		return
	}
	env := func(names ...string) string {
		for _, n := range names {
			if v := s.getenv(n); v != "" {
				return v
			}
		}
		return ""
	}
	d := &sqlData{Users: map[string]string{}, DBs: map[string]map[string]*sqlTable{}}
	if s.postgres() {
		user := env("POSTGRES_USER")
		if user == "" {
			user = "postgres"
		}
		d.Users[user] = env("POSTGRES_PASSWORD")
		for _, n := range []string{"postgres", "template0", "template1", env("POSTGRES_DB"), user} {
			d.DBs[n] = map[string]*sqlTable{}
		}
	} else {
		d.Users["root"] = env("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD")
		if u := env("MYSQL_USER", "MARIADB_USER"); u != "" {
			d.Users[u] = env("MYSQL_PASSWORD", "MARIADB_PASSWORD")
		}
		for _, n := range []string{"information_schema", "mysql", "performance_schema", "sys", env("MYSQL_DATABASE", "MARIADB_DATABASE")} {
			d.DBs[n] = map[string]*sqlTable{}
		}
	}
	delete(d.DBs, "")
	_ = s.saveSQL(d)
}

func (s *server) saveSQL(d *sqlData) error {
	data, err := json.Marshal(d)
	if err == nil {
		_ = s.c.FS().MkdirAll(s.dataDir(), 0o700)
		err = s.c.FS().WriteFile(s.dataFile(), data, 0o600)
	}
	return err
}

func (s *server) serveSQL(_ *kernel.Proc, req *network.Request) *network.Response {
	var q sqlRequest
	if req.Method != network.Raw || len(req.Body) > 0 && json.Unmarshal(req.Body, &q) != nil {
		return nil
	}
	d := &sqlData{}
	data, _ := s.c.FS().ReadFile(s.dataFile())
	_ = json.Unmarshal(data, d)
	out := sqlReply{Database: q.Database}
	r := &sqlRun{s: s, d: d, db: q.Database, user: q.User, from: req.Remote.Addr().String(), text: q.Text}
	if req.Remote.Addr().IsLoopback() {
		r.from = "localhost"
	}
	password, known := d.Users[q.User]
	switch {
	case s.postgres() && !known:
		out.Error = fmt.Sprintf("FATAL:  role %q does not exist", q.User)
	case s.postgres() && r.from != "localhost" && password != q.Password && s.getenv("POSTGRES_HOST_AUTH_METHOD") != "trust":
		out.Error = fmt.Sprintf("FATAL:  password authentication failed for user %q", q.User)
	case !s.postgres() && (!known || password != q.Password):
		using := "NO"
		if q.Password != "" {
			using = "YES"
		}
		out.Error = fmt.Sprintf("ERROR 1045 (28000): Access denied for user '%s'@'%s' (using password: %s)", q.User, r.from, using)
	case q.Database != "" && d.DBs[q.Database] == nil && s.postgres():
		out.Error = fmt.Sprintf("FATAL:  database %q does not exist", q.Database)
	case q.Database != "" && d.DBs[q.Database] == nil:
		out.Error = fmt.Sprintf("ERROR 1049 (42000): Unknown database '%s'", q.Database)
	default:
		tokens, _ := sqlTokens(q.Text, s.postgres())
		for len(tokens) > 0 && out.Error == "" {
			n := slices.IndexFunc(tokens, func(t sqlToken) bool { return t.text == ";" })
			st := tokens[:max(n, 0)]
			if tokens = tokens[n+1:]; n < 0 {
				st, tokens = tokens, nil
			}
			if len(st) == 0 {
				continue
			}
			res, err := r.run(st)
			if err != nil {
				out.Error = err.Error()
				if e := (*sqlError)(nil); errors.As(err, &e) {
					out.At = e.at
				}
				break
			}
			out.Results = append(out.Results, *res)
		}
		if r.changed && s.saveSQL(d) != nil {
			out = sqlReply{Error: r.errorf(1114, "HY000", "The table is full", "could not extend file: No space left on device").Error()}
		}
		out.Database = r.db
	}
	body, _ := json.Marshal(out)
	return &network.Response{Body: body}
}

func (r *sqlRun) errorf(code int, state, mysql, postgres string, args ...any) error {
	if r.s.postgres() {
		return fmt.Errorf("ERROR:  "+postgres, args...)
	}
	return fmt.Errorf("ERROR %d (%s): "+mysql, append([]any{code, state}, args...)...)
}

// sqlUnknown are words of statements that a real server understands and this one does not.
var sqlUnknown = strings.Fields("alter analyze call cast check comment conflict copy cross do duplicate except execute exists explain extension extract for function handler index intersect interval kill load lock over partition policy prepare procedure recursive reindex rename replace reset restore returning revoke rollback rollup savepoint schema sequence trigger unlock using vacuum values view window with")

// wrong is what is said of a statement that is not understood: a syntax error
// where reading stopped, unless it has words of the language that are not known here.
func (r *sqlRun) wrong() error {
	for _, t := range r.st {
		if slices.Contains(sqlUnknown, strings.ToLower(t.text)) || strings.HasPrefix(t.text, `\`) {
			const text = "this database is simulated and does not understand: %s"
			return r.errorf(1064, "42000", text, text, r.text[r.st[0].at:r.st[len(r.st)-1].end])
		}
	}
	if !r.s.postgres() {
		near := ""
		if len(r.w) > 0 {
			near = r.text[r.w[0].at:r.st[len(r.st)-1].end]
		}
		product := "MySQL"
		if r.s.mariadb() {
			product = "MariaDB"
		}
		return fmt.Errorf("ERROR 1064 (42000): You have an error in your SQL syntax; check the manual that corresponds to your %s server version for the right syntax to use near '%s' at line 1", product, near)
	}
	if len(r.w) == 0 {
		return &sqlError{"ERROR:  syntax error at end of input", r.st[len(r.st)-1].end + 1}
	}
	return &sqlError{fmt.Sprintf("ERROR:  syntax error at or near \"%s\"", r.text[r.w[0].at:r.w[0].end]), r.w[0].at + 1}
}

func (s *server) mariadb() bool { return strings.HasSuffix(s.c.Image.Repo, "mariadb") }

// table finds the table that comes next.
func (r *sqlRun) table() (db, name string, t *sqlTable, err error) {
	if len(r.w) == 0 || strings.HasPrefix(r.w[0].text, "'") {
		return "", "", nil, r.wrong()
	}
	at := r.w[0].at + 1
	db, name = r.db, r.name()
	if a, b, ok := strings.Cut(name, "."); ok {
		if r.s.postgres() {
			name = b // a schema
		} else {
			db, name = a, b
		}
	}
	if v := r.view(db, name); v != nil {
		return db, name, v, nil
	}
	if db == "" {
		return db, name, nil, r.errorf(1046, "3D000", "No database selected", "no database")
	}
	if r.d.DBs[db] == nil {
		return db, name, nil, r.errorf(1049, "42000", "Unknown database '%s'", "database %q does not exist", db)
	}
	t = r.d.DBs[db][name]
	if t == nil {
		if r.s.postgres() {
			err = &sqlError{fmt.Sprintf("ERROR:  relation %q does not exist", name), at}
		} else {
			err = fmt.Errorf("ERROR 1146 (42S02): Table '%s.%s' doesn't exist", db, name)
		}
	}
	return db, name, t, err
}

// view is a table of the server itself; nil when it is none.
func (r *sqlRun) view(db, name string) *sqlTable {
	var t *sqlTable
	add := func(vs ...string) {
		row := make([]*string, len(vs))
		for i := range vs {
			row[i] = &vs[i]
		}
		t.Rows = append(t.Rows, row)
	}
	switch {
	case !r.s.postgres() && db == "mysql" && name == "user":
		t = &sqlTable{Columns: []string{"Host", "User"}}
		for _, u := range slices.Sorted(maps.Keys(r.d.Users)) {
			add("%", u)
		}
		for _, u := range []string{"mysql.infoschema", "mysql.session", "mysql.sys", "root"} {
			add("localhost", u)
		}
	case !r.s.postgres():
	case name == "pg_database":
		t = &sqlTable{Columns: []string{"datname"}}
		for _, n := range slices.Sorted(maps.Keys(r.d.DBs)) {
			add(n)
		}
	case name == "pg_roles" || name == "pg_user":
		t = &sqlTable{Columns: []string{map[string]string{"pg_roles": "rolname", "pg_user": "usename"}[name]}}
		for _, n := range slices.Sorted(maps.Keys(r.d.Users)) {
			add(n)
		}
	case name == "pg_tables":
		t = &sqlTable{Columns: []string{"schemaname", "tablename", "tableowner"}}
		for _, n := range slices.Sorted(maps.Keys(r.d.DBs[r.db])) {
			add("public", n, r.owner())
		}
	}
	return t
}

// owner is the first user of a PostgreSQL server.
func (r *sqlRun) owner() string {
	if u := r.s.getenv("POSTGRES_USER"); u != "" {
		return u
	}
	return "postgres"
}

func text(s string) *string { return &s }

// sqlRows is a result of texts.
func sqlRows(columns []string, rows ...[]string) *sqlResult {
	res := &sqlResult{Columns: columns, Text: true}
	for _, vs := range rows {
		row := make([]*string, len(vs))
		for i := range vs {
			row[i] = &vs[i]
		}
		res.Rows = append(res.Rows, row)
	}
	return res
}

func (r *sqlRun) run(st []sqlToken) (*sqlResult, error) {
	r.st, r.w, r.depth = st, st, 0
	res, err := r.statement()
	if err == nil && len(r.w) > 0 {
		return nil, r.wrong()
	}
	return res, err
}

func (r *sqlRun) statement() (*sqlResult, error) {
	done := func(n int, tag string) (*sqlResult, error) {
		r.changed = true
		return &sqlResult{Tag: tag, N: n}, nil
	}
	pg := r.s.postgres()
	switch {
	case r.take("select"):
		return r.query()
	case !pg && r.takeAny("show databases", "show schemas"):
		return sqlRows([]string{"Database"}, column(slices.Sorted(maps.Keys(r.d.DBs)))...), nil
	case !pg && r.takeAny("show tables", "show full tables"):
		if r.takeAny("from", "in") {
			r.db = r.name()
		}
		if r.db == "" {
			return nil, r.errorf(1046, "3D000", "No database selected", "")
		}
		return sqlRows([]string{"Tables_in_" + r.db}, column(slices.Sorted(maps.Keys(r.d.DBs[r.db])))...), nil
	case !pg && r.takeAny("show columns from", "show fields from", "describe", "desc", "explain"):
		return r.describe()
	case !pg && r.takeAny("show variables like", "show global variables like"):
		pattern, err := r.expr(0)
		if err != nil || pattern == nil {
			return nil, r.wrong()
		}
		var rows [][]string
		for _, v := range [][2]string{{"hostname", r.s.c.sb.Hostname}, {"max_connections", "151"}, {"port", strconv.Itoa(r.s.port())}, {"server_id", "1"}, {"version", r.s.c.Image.Version}} {
			if like(v[0], *pattern) {
				rows = append(rows, v[:])
			}
		}
		return sqlRows([]string{"Variable_name", "Value"}, rows...), nil
	case pg && strings.HasPrefix(r.peek(), `\`):
		return r.backslash()
	case !pg && r.take("use"):
		name := r.name()
		if r.d.DBs[name] == nil {
			return nil, r.errorf(1049, "42000", "Unknown database '%s'", "", name)
		}
		r.db = name
		return &sqlResult{Tag: "USE"}, nil
	case r.takeAny("create database", "create schema"):
		lenient := r.take("if", "not", "exists")
		name := r.name()
		if r.d.DBs[name] != nil && !lenient {
			return nil, r.errorf(1007, "HY000", "Can't create database '%s'; database exists", "database %q already exists", name)
		}
		if name == "" {
			return nil, r.wrong()
		}
		if r.d.DBs[name] == nil {
			r.d.DBs[name] = map[string]*sqlTable{}
		}
		r.w = nil // its options
		return done(1, "CREATE DATABASE")
	case r.takeAny("drop database", "drop schema"):
		lenient := r.take("if", "exists")
		name := r.name()
		if r.d.DBs[name] == nil && !lenient {
			return nil, r.errorf(1008, "HY000", "Can't drop database '%s'; database doesn't exist", "database %q does not exist", name)
		}
		if pg && name == r.db {
			return nil, errors.New("ERROR:  cannot drop the currently open database")
		}
		n := len(r.d.DBs[name])
		delete(r.d.DBs, name)
		if name == r.db {
			r.db = ""
		}
		return done(n, "DROP DATABASE")
	case r.take("create", "table"):
		return r.createTable()
	case r.take("alter", "table"):
		return r.alterTable()
	case r.takeAny("create index", "create unique index"):
		r.w = nil // nobody is faster for it
		return done(0, "CREATE INDEX")
	case r.take("drop", "table"):
		lenient := r.take("if", "exists")
		for {
			at := r.w
			db, name, t, err := r.table()
			switch {
			case t == nil && lenient && name != "":
			case t == nil && err != nil && db != "" && r.d.DBs[db] != nil && name != "":
				return nil, r.errorf(1051, "42S02", "Unknown table '%[2]s.%[1]s'", "table %[1]q does not exist", name, db)
			case err != nil:
				r.w = at
				return nil, err
			}
			delete(r.d.DBs[db], name)
			if !r.take(",") {
				_ = r.take("cascade")
				return done(0, "DROP TABLE")
			}
		}
	case r.takeAny("create user", "create role", "alter user", "alter role"):
		verb := strings.ToUpper(r.st[0].text)
		_ = r.take("if", "not", "exists")
		name := strings.TrimPrefix(r.name(), "'")
		_, known := r.d.Users[name]
		switch {
		case name == "":
			return nil, r.wrong()
		case known && verb == "CREATE":
			return nil, r.errorf(1396, "HY000", "Operation CREATE USER failed for '%s'@'%%'", "role %q already exists", name)
		case !known && verb == "ALTER":
			return nil, r.errorf(1396, "HY000", "Operation ALTER USER failed for '%s'@'%%'", "role %q does not exist", name)
		}
		password := r.d.Users[name]
		for len(r.w) > 0 { // 'host', WITH … PASSWORD 'x', IDENTIFIED [WITH plugin] BY 'x'
			if r.takeAny("by", "password") {
				password = strings.TrimPrefix(r.peek(), "'")
			}
			r.word()
		}
		r.d.Users[name] = password
		return done(0, verb+" ROLE")
	case r.takeAny("drop user", "drop role"):
		lenient := r.take("if", "exists")
		name := strings.TrimPrefix(r.name(), "'")
		if _, known := r.d.Users[name]; !known && !lenient {
			return nil, r.errorf(1396, "HY000", "Operation DROP USER failed for '%s'@'%%'", "role %q does not exist", name)
		}
		delete(r.d.Users, name)
		r.w = nil
		return done(0, "DROP ROLE")
	case r.takeAny("grant", "flush privileges", "set", "begin", "start transaction", "commit"):
		r.w = nil // everybody may do everything, and every statement is final
		return done(0, strings.ToUpper(r.st[0].text))
	case r.takeAny("insert into", "insert ignore into"):
		return r.insert()
	case r.takeAny("delete from", "truncate table", "truncate"):
		_, _, t, err := r.table()
		if err != nil {
			return nil, err
		}
		gone := map[int]bool{}
		if err := r.matching(t, func(i int) error { gone[i] = true; return nil }); err != nil {
			return nil, err
		}
		var left [][]*string
		for i, row := range t.Rows {
			if !gone[i] {
				left = append(left, row)
			}
		}
		t.Rows = left
		if strings.EqualFold(r.st[0].text, "truncate") {
			t.Next = 1
			return done(0, "TRUNCATE TABLE")
		}
		return done(len(gone), fmt.Sprint("DELETE ", len(gone)))
	case r.take("update"):
		return r.update()
	}
	return nil, r.wrong()
}

// firstOf is the first of some words, for an error's place.
func firstOf(w []sqlToken) sqlToken {
	if len(w) == 0 {
		return sqlToken{}
	}
	return w[0]
}

// column are the rows of one column.
func column(names []string) [][]string {
	out := make([][]string, len(names))
	for i, n := range names {
		out[i] = []string{n}
	}
	return out
}

// describe is MySQL's DESCRIBE.
func (r *sqlRun) describe() (*sqlResult, error) {
	_, _, t, err := r.table()
	if err != nil {
		return nil, err
	}
	res := &sqlResult{Text: true, Columns: []string{"Field", "Type", "Null", "Key", "Default", "Extra"}}
	for i, name := range t.Columns {
		c := t.def(i)
		null, extra := "YES", ""
		if c.NotNull {
			null = "NO"
		}
		typ := c.Type
		if strings.HasPrefix(typ, "integer") {
			typ = "int" + typ[len("integer"):]
		}
		if typ == "bool" || typ == "boolean" {
			typ = "tinyint(1)"
		}
		row := []*string{text(name), text(typ), text(null), text(c.Key), nil, nil}
		if c.Default != "" {
			row[4] = text(strings.Trim(c.Default, "'\""))
			if strings.HasPrefix(strings.ToLower(c.Default), "current_timestamp") {
				extra = "DEFAULT_GENERATED"
			}
		}
		if name == t.Auto {
			extra = "auto_increment"
		}
		row[5] = &extra
		res.Rows = append(res.Rows, row)
	}
	return res, nil
}
