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

// sqlToken is one word of a statement: that of a string begins with ', that of
// a quoted name with `.
type sqlToken struct {
	text    string
	at, end int // where it stands
}

// sqlTokens splits a text into words; open is the quote that is not closed.
func sqlTokens(text string, pg bool) (out []sqlToken, open byte) {
	const single = " \t\r\n;(),=*<>+/%!|'\"`"
	for i := 0; i < len(text); {
		c, j := text[i], i+1
		rest := text[i:]
		w := ""
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
			continue
		case strings.HasPrefix(rest, "--"), c == '#' && !pg:
			for i < len(text) && text[i] != '\n' {
				i++
			}
			continue
		case strings.HasPrefix(rest, "/*"):
			_, after, _ := strings.Cut(rest[2:], "*/")
			i = len(text) - len(after)
			continue
		case c == '\'' || c == '"' || c == '`':
			mark := byte('`')
			if c == '\'' || c == '"' && !pg {
				mark = '\''
			}
			b := []byte{mark}
			for ; j < len(text) && (text[j] != c || j+1 < len(text) && text[j+1] == c); j++ {
				if text[j] == c || text[j] == '\\' && !pg && j+1 < len(text) {
					j++
				}
				b = append(b, text[j])
			}
			if j >= len(text) {
				open = c
			}
			w, j = string(b), min(j+1, len(text))
		case c == '\\' && len(rest) > 1 && !pg:
			j++ // \G
		case strings.HasPrefix(rest, "<=") || strings.HasPrefix(rest, ">=") || strings.HasPrefix(rest, "<>") || strings.HasPrefix(rest, "!=") || strings.HasPrefix(rest, "||"):
			j++
		case strings.IndexByte(single, c) < 0 && c != '-':
			for j < len(text) && strings.IndexByte(single, text[j]) < 0 && (text[j] != '-' || !plainWord(text[i:j])) && (text[j] != '\\' || pg) {
				j++
			}
		}
		if w == "" {
			w = text[i:j]
		}
		out = append(out, sqlToken{w, i, j})
		i = j
	}
	return out, open
}

// plainWord: what stands before a minus is a name or a number, so that it is one.
func plainWord(s string) bool { return s[0] != '\\' && s[0] != '@' }

// sqlRun is a connection at work.
type sqlRun struct {
	s       *server
	d       *sqlData
	db      string
	user    string
	from    string
	text    string
	st, w   []sqlToken // the statement, and what remains of it
	changed bool
	depth   int
	steps   int    // rows looked at
	clause  string // what MySQL calls the part of the query that is worked out

	cols    []sqlName             // of the rows that a query goes over
	aliases map[string][]sqlToken // of what the query lists
	row     []*string
	group   [][]*string // the rows of an aggregate
}

// word is the next word's text, "" at the end.
func (r *sqlRun) peek() string {
	if len(r.w) == 0 {
		return ""
	}
	return r.w[0].text
}

func (r *sqlRun) word() string {
	w := r.peek()
	r.w = r.w[min(1, len(r.w)):]
	return w
}

// name is the next word as a name.
func (r *sqlRun) name() string {
	w, quoted := strings.CutPrefix(r.word(), "`")
	if r.s.postgres() && !quoted {
		w = strings.ToLower(w)
	}
	return w
}

// take reads the words if they come next.
func (r *sqlRun) take(words ...string) bool {
	if len(words) > len(r.w) {
		return false
	}
	for i, w := range words {
		if !strings.EqualFold(r.w[i].text, w) {
			return false
		}
	}
	r.w = r.w[len(words):]
	return true
}

// takeAny reads one of the words.
func (r *sqlRun) takeAny(words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return r.take(strings.Fields(w)...) })
}

// inParens reads a list in parentheses and returns its parts.
func (r *sqlRun) inParens() ([][]sqlToken, error) {
	if !r.take("(") {
		return nil, r.wrong()
	}
	depth := 1
	for i, t := range r.w {
		switch t.text {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				inner := r.w[:i]
				r.w = r.w[i+1:]
				return sqlList(inner), nil
			}
		}
	}
	r.w = nil
	return nil, r.wrong()
}

// sqlList splits words at the commas that are not in parentheses.
func sqlList(w []sqlToken) (out [][]sqlToken) {
	depth, from := 0, 0
	for i, t := range w {
		switch t.text {
		case "(":
			depth++
		case ")":
			depth--
		case ",":
			if depth == 0 {
				out, from = append(out, w[from:i]), i+1
			}
		}
	}
	return append(out, w[from:])
}

func (r *sqlRun) errorf(code int, state, mysql, postgres string, args ...any) error {
	if r.s.postgres() {
		return fmt.Errorf("ERROR:  "+postgres, args...)
	}
	return fmt.Errorf("ERROR %d (%s): "+mysql, append([]any{code, state}, args...)...)
}

// sqlUnknown are words of statements that a real server understands and this one does not.
var sqlUnknown = strings.Fields("alter analyze call case cast check comment conflict copy cross do duplicate except execute exists explain extension extract for function handler index intersect interval kill load lock over partition policy prepare procedure recursive reindex rename replace reset restore returning revoke rollback rollup savepoint schema sequence trigger union unlock using vacuum values view window with")

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

// createTable reads the columns of a new table.
func (r *sqlRun) createTable() (*sqlResult, error) {
	lenient := r.take("if", "not", "exists")
	db, name, t, err := r.table()
	switch {
	case t != nil && lenient:
		r.w = nil
		return &sqlResult{Tag: "CREATE TABLE"}, nil
	case t != nil:
		return nil, r.errorf(1050, "42S01", "Table '%s' already exists", "relation %q already exists", name)
	case db == "" || r.d.DBs[db] == nil:
		return nil, err
	}
	parts, err := r.inParens()
	if err != nil {
		return nil, err
	}
	options := r.w
	if len(options) > 0 && !slices.Contains([]string{"ENGINE", "DEFAULT", "CHARSET", "CHARACTER", "COLLATE", "COMMENT", "AUTO_INCREMENT", "WITH"}, strings.ToUpper(options[0].text)) {
		return nil, r.wrong()
	}
	t = &sqlTable{Next: 1}
	for _, part := range parts {
		r.w = part
		if err := r.column(t); err != nil {
			return nil, err
		}
	}
	r.w = nil
	r.d.DBs[db][name], r.changed = t, true
	return &sqlResult{Tag: "CREATE TABLE"}, nil
}

// column reads one column, or a constraint, of a table.
func (r *sqlRun) column(t *sqlTable) error {
	if r.take("constraint") {
		r.name()
	}
	if r.takeAny("foreign", "key", "index", "check", "fulltext") {
		r.w = nil
		return nil
	}
	if primary := r.take("primary", "key"); primary || r.take("unique") {
		for r.peek() != "(" && len(r.w) > 0 {
			r.word()
		}
		parts, err := r.inParens()
		if err != nil || len(parts) > 1 {
			return err // a key of several columns is not checked
		}
		r.w = parts[0]
		i := t.column(r.name())
		if i < 0 {
			return r.errorf(1072, "42000", "Key column doesn't exist in table", "column named in key does not exist")
		}
		if t.Defs[i].Key = "UNI"; primary {
			t.Defs[i].Key, t.Defs[i].NotNull = "PRI", true
		}
		return nil
	}
	name := r.name()
	if name == "" || len(r.w) == 0 || strings.ContainsAny(name, "'()=*<>") {
		return r.wrong()
	}
	if t.column(name) >= 0 {
		return r.errorf(1060, "42S21", "Duplicate column name '%s'", "column %q specified more than once", name)
	}
	typ := strings.ToLower(r.word())
	for _, more := range []string{"precision", "varying", "unsigned"} {
		if r.take(more) {
			typ += " " + more
		}
	}
	if r.peek() == "(" {
		from := r.w[0].at
		if _, err := r.inParens(); err != nil {
			return err
		}
		end := from
		for _, tok := range r.st {
			if tok.at >= from && (len(r.w) == 0 || tok.at < r.w[0].at) && tok.text == ")" {
				end = tok.end
				break
			}
		}
		typ += r.text[from:end]
	}
	if r.takeAny("with time zone") {
		typ += " with time zone"
	}
	c := sqlColumn{Type: typ}
	if strings.HasSuffix(typ, "serial") {
		t.Auto, c.NotNull = name, true
	}
	for len(r.w) > 0 {
		switch {
		case r.take("not", "null"):
			c.NotNull = true
		case r.take("primary", "key"):
			c.Key, c.NotNull = "PRI", true
		case r.take("unique"):
			c.Key = "UNI"
		case r.takeAny("auto_increment", "generated always as identity", "generated by default as identity"):
			t.Auto = name
		case r.take("default"):
			from := r.w
			if _, err := r.expr(3); err != nil {
				return err
			}
			used := from[:len(from)-len(r.w)]
			c.Default = r.text[used[0].at:used[len(used)-1].end]
		case r.takeAny("references", "check", "on", "comment", "collate", "character"):
			r.w = nil
		case !r.takeAny("null", "key"):
			return r.wrong()
		}
	}
	t.Columns, t.Defs = append(t.Columns, name), append(t.Defs, c)
	return nil
}

func (r *sqlRun) alterTable() (*sqlResult, error) {
	_, _, t, err := r.table()
	if err != nil {
		return nil, err
	}
	switch {
	case r.take("add"):
		_ = r.take("column")
		n := len(t.Columns)
		for len(t.Defs) < n { // of an earlier version
			t.Defs = append(t.Defs, sqlColumn{})
		}
		if err := r.column(t); err != nil {
			return nil, err
		}
		if len(t.Columns) > n {
			v, err := r.defaultOf(t, n)
			if err != nil {
				return nil, err
			}
			for i := range t.Rows {
				t.Rows[i] = append(t.Rows[i], v)
			}
		}
		r.w = nil
	case r.take("drop"):
		_ = r.take("column")
		name := r.name()
		i := t.column(name)
		if i < 0 {
			return nil, r.errorf(1091, "42000", "Can't DROP '%s'; check that column/key exists", "column %q does not exist", name)
		}
		t.Columns = slices.Delete(t.Columns, i, i+1)
		if i < len(t.Defs) {
			t.Defs = slices.Delete(t.Defs, i, i+1)
		}
		for k := range t.Rows {
			t.Rows[k] = slices.Delete(t.Rows[k], i, i+1)
		}
	default:
		return nil, r.wrong()
	}
	r.changed = true
	return &sqlResult{Tag: "ALTER TABLE"}, nil
}

// defaultOf is the value that a row gets for a column that it does not name.
func (r *sqlRun) defaultOf(t *sqlTable, i int) (*string, error) {
	d := t.def(i).Default
	if d == "" {
		return nil, nil
	}
	sub := &sqlRun{s: r.s, d: r.d, db: r.db, user: r.user, from: r.from, text: d}
	sub.st, _ = sqlTokens(d, r.s.postgres())
	sub.w = sub.st
	return sub.expr(0)
}

// check refuses a row that a table's columns do not allow, and writes its
// decimals as they are declared; self is the row's own place, -1 for a new one.
func (r *sqlRun) check(name string, t *sqlTable, row []*string, self int) error {
	for i, v := range row {
		c, col := t.def(i), t.Columns[i]
		switch {
		case v == nil && c.NotNull && r.s.postgres():
			return fmt.Errorf("ERROR:  null value in column %q of relation %q violates not-null constraint\nDETAIL:  Failing row contains (%s).", col, name, strings.Join(cells(row, "null"), ", "))
		case v == nil && c.NotNull:
			return fmt.Errorf("ERROR 1048 (23000): Column '%s' cannot be null", col)
		case v == nil:
		case numeric(*v) && strings.Contains(c.Type, ","): // decimal(10,2)
			scale, _ := strconv.Atoi(strings.Trim(c.Type[strings.IndexByte(c.Type, ',')+1:], " )"))
			f, _ := strconv.ParseFloat(*v, 64)
			row[i] = text(strconv.FormatFloat(f, 'f', min(max(scale, 0), 30), 64))
		case !numeric(*v) && (strings.HasPrefix(c.Type, "int") || strings.HasSuffix(c.Type, "int") || strings.Contains(c.Type, "int(") || strings.HasSuffix(c.Type, "serial")):
			if r.s.postgres() {
				return fmt.Errorf("ERROR:  invalid input syntax for type integer: %q", *v)
			}
			return fmt.Errorf("ERROR 1366 (HY000): Incorrect integer value: '%s' for column '%s' at row 1", *v, col)
		case c.Key != "":
			for k, other := range t.Rows {
				if k == self || other[i] == nil || *other[i] != *v {
					continue
				}
				key := map[bool]string{true: "PRIMARY", false: col}[c.Key == "PRI"]
				if r.s.postgres() {
					key = map[bool]string{true: name + "_pkey", false: name + "_" + col + "_key"}[c.Key == "PRI"]
					return fmt.Errorf("ERROR:  duplicate key value violates unique constraint %q\nDETAIL:  Key (%s)=(%s) already exists.", key, col, *v)
				}
				if !strings.HasPrefix(r.s.c.Image.Version, "5.") && !r.s.mariadb() {
					key = name + "." + key
				}
				return fmt.Errorf("ERROR 1062 (23000): Duplicate entry '%s' for key '%s'", *v, key)
			}
		}
	}
	return nil
}

func (r *sqlRun) insert() (*sqlResult, error) {
	_, name, t, err := r.table()
	if err != nil {
		return nil, err
	}
	into := t.Columns
	if r.peek() == "(" {
		parts, err := r.inParens()
		if err != nil {
			return nil, err
		}
		rest := r.w
		into = nil
		for _, p := range parts {
			r.w = p
			c := r.name()
			if t.column(c) < 0 {
				r.clause = "field list"
				return nil, r.noColumn(c, firstOf(p))
			}
			into = append(into, c)
		}
		r.w = rest
	}
	var rows [][]*string
	switch {
	case r.take("select"):
		res, err := r.query()
		if err != nil {
			return nil, err
		}
		rows = res.Rows
	case r.takeAny("values", "value"):
		for ok := true; ok; ok = r.take(",") {
			parts, err := r.inParens()
			if err != nil {
				return nil, err
			}
			rest := r.w
			var row []*string
			for i, p := range parts {
				r.w = p
				var v *string
				if r.take("default") && i < len(into) {
					v, err = r.defaultOf(t, t.column(into[i]))
				} else {
					v, err = r.expr(0)
				}
				if err == nil && len(r.w) > 0 {
					err = r.wrong()
				}
				if err != nil {
					return nil, err
				}
				row = append(row, v)
			}
			rows, r.w = append(rows, row), rest
		}
	default:
		return nil, r.wrong()
	}
	if len(r.w) > 0 {
		return nil, r.wrong()
	}
	for n, vs := range rows {
		if len(vs) != len(into) {
			more := "INSERT has more target columns than expressions"
			if len(vs) > len(into) {
				more = "INSERT has more expressions than target columns"
			}
			return nil, r.errorf(1136, "21S01", "Column count doesn't match value count at row %d", more+"%.0d", n+1)
		}
	}
	before, next := len(t.Rows), t.Next
	for _, vs := range rows {
		row := make([]*string, len(t.Columns))
		for i, c := range t.Columns {
			k := slices.IndexFunc(into, func(n string) bool { return strings.EqualFold(n, c) })
			if k >= 0 {
				row[i] = vs[k]
			} else if row[i], err = r.defaultOf(t, i); err != nil {
				return nil, err
			}
			if c != t.Auto {
				if k < 0 && row[i] == nil && t.def(i).NotNull && !r.s.postgres() {
					t.Rows = t.Rows[:before]
					return nil, fmt.Errorf("ERROR 1364 (HY000): Field '%s' doesn't have a default value", c)
				}
				continue
			}
			if row[i] == nil {
				row[i] = text(strconv.Itoa(t.Next))
				t.Next++
			} else if n, _ := strconv.Atoi(*row[i]); n >= t.Next && !r.s.postgres() {
				t.Next = n + 1
			}
		}
		if err := r.check(name, t, row, -1); err != nil {
			t.Rows = t.Rows[:before]
			if r.changed = r.s.postgres(); !r.changed { // whose sequences only go on
				t.Next = next
			}
			return nil, err
		}
		t.Rows = append(t.Rows, row)
	}
	r.changed = true
	return &sqlResult{Tag: fmt.Sprintf("INSERT 0 %d", len(rows)), N: len(rows)}, nil
}

func (r *sqlRun) update() (*sqlResult, error) {
	_, name, t, err := r.table()
	if err != nil {
		return nil, err
	}
	if !r.take("set") {
		return nil, r.wrong()
	}
	sets := sqlList(r.until("where"))
	n := 0
	r.cols = t.names(name)
	where := r.w
	for _, p := range sets { // before any row, so that an empty table finds mistakes too
		r.w = p
		if c := r.name(); t.column(c) < 0 {
			r.clause = "field list"
			return nil, r.noColumn(c, firstOf(p))
		}
	}
	r.w = where
	fresh := map[int][]*string{}
	err = r.matching(t, func(i int) error {
		row := slices.Clone(t.Rows[i])
		for _, p := range sets {
			r.w = p
			c := t.column(r.name())
			if !r.take("=") {
				return r.wrong()
			}
			v, err := r.expr(0)
			if err == nil && len(r.w) > 0 {
				err = r.wrong()
			}
			if err != nil {
				return err
			}
			row[c] = v
		}
		n++
		fresh[i] = row
		return r.check(name, t, row, i)
	})
	if err != nil {
		return nil, err
	}
	for i, row := range fresh {
		t.Rows[i] = row
	}
	r.changed = true
	return &sqlResult{Tag: fmt.Sprintf("UPDATE %d", n), N: n}, nil
}

// matching calls fn for each row that a WHERE, if one comes next, is true for.
func (r *sqlRun) matching(t *sqlTable, fn func(i int) error) error {
	var where []sqlToken
	if r.take("where") {
		if where = r.w; len(where) == 0 {
			return r.wrong()
		}
	} else if len(r.w) > 0 {
		return r.wrong()
	}
	r.cols = t.names("")
	match, err := r.filter("where clause", where, make([]*string, len(t.Columns)))
	for i := 0; i < len(t.Rows) && err == nil; i++ {
		if match, err = r.filter("where clause", where, t.Rows[i]); match && err == nil {
			r.row = t.Rows[i]
			err = fn(i)
		}
	}
	r.w = nil
	return err
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
