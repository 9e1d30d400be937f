// MySQL, MariaDB and PostgreSQL as far as tutorials go: databases and tables of
// text, the statements that fill and read them, and the command line clients.
// Anything else is refused by name. What a server holds is one file in its data
// directory, so that it outlives the container on a volume.

package container

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

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
	Auto    string      `json:"auto,omitempty"` // the column that counts up
	Next    int         `json:"next,omitempty"`
	Rows    [][]*string `json:"rows"` // nil is NULL
}

// sqlRequest and sqlReply are what clients and servers say to each other.
type sqlRequest struct {
	User, Password, Database, Text string
}

type sqlReply struct {
	Results  []sqlResult
	Database string // after the statements
	Error    string
}

type sqlResult struct {
	Columns []string // nil for statements without rows
	Rows    [][]*string
	Tag     string // PostgreSQL's word for what was done
}

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
	s.saveSQL(d)
}

func (s *server) saveSQL(d *sqlData) {
	if data, err := json.Marshal(d); err == nil {
		_ = s.c.FS().MkdirAll(s.dataDir(), 0o700)
		_ = s.c.FS().WriteFile(s.dataFile(), data, 0o600)
	}
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
	r := &sqlRun{s: s, d: d, db: q.Database, from: req.Remote.Addr().String()}
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
		for i, st := range sqlStatements(q.Text) {
			res, err := r.run(st)
			if err != nil {
				if out.Error = err.Error(); !s.postgres() {
					out.Error = strings.Replace(out.Error, "):", fmt.Sprintf(") at line %d:", i+1), 1)
				}
				break
			}
			out.Results = append(out.Results, *res)
		}
		if r.changed {
			s.saveSQL(d)
		}
		out.Database = r.db
	}
	body, _ := json.Marshal(out)
	return &network.Response{Body: body}
}

// sqlStatements splits a text into statements of words.
func sqlStatements(text string) [][]string {
	var out [][]string
	var st []string
	for i := 0; i < len(text); {
		c := text[i]
		j := i + 1
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
			continue
		case c == ';':
			if st != nil {
				out, st = append(out, st), nil
			}
			i++
			continue
		case c == '-' && strings.HasPrefix(text[i:], "--"), c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
			continue
		case c == '\'' || c == '"' || c == '`':
			var b strings.Builder
			for ; j < len(text); j++ {
				if text[j] == '\\' && j+1 < len(text) {
					j++
				} else if text[j] == c {
					if j+1 == len(text) || text[j+1] != c {
						break
					}
					j++
				}
				b.WriteByte(text[j])
			}
			if w := b.String(); c == '\'' {
				st = append(st, "'"+w) // a literal keeps its mark
			} else {
				st = append(st, w)
			}
			i = j + 1
			continue
		case strings.IndexByte("(),=*<>", c) < 0:
			for j < len(text) && strings.IndexByte(" \t\r\n;(),=*<>'\"`", text[j]) < 0 {
				j++
			}
		}
		st = append(st, text[i:j])
		i = j
	}
	if st != nil {
		out = append(out, st)
	}
	return out
}

// sqlRun is a connection at work.
type sqlRun struct {
	s       *server
	d       *sqlData
	db      string
	from    string
	w       []string // what remains of the statement
	changed bool
}

func (r *sqlRun) take(words ...string) bool {
	for i, w := range words {
		if i >= len(r.w) || !strings.EqualFold(r.w[i], w) {
			return false
		}
	}
	r.w = r.w[len(words):]
	return true
}

func (r *sqlRun) word() string {
	if len(r.w) == 0 {
		return ""
	}
	w := r.w[0]
	r.w = r.w[1:]
	return w
}

func (r *sqlRun) errorf(code int, state, mysql, postgres string, args ...any) error {
	if r.s.postgres() {
		return fmt.Errorf("ERROR:  "+postgres, args...)
	}
	return fmt.Errorf("ERROR %d (%s): "+mysql, append([]any{code, state}, args...)...)
}

func (r *sqlRun) sorry(st []string) error {
	const text = "this database is simulated and does not understand: %s"
	return r.errorf(1064, "42000", text, text, strings.Join(st, " "))
}

// table finds the table that comes next.
func (r *sqlRun) table() (db, name string, t *sqlTable, err error) {
	db, name = r.db, r.word()
	if a, b, ok := strings.Cut(name, "."); ok {
		if r.s.postgres() {
			name = b // a schema
		} else {
			db, name = a, b
		}
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
			err = fmt.Errorf("ERROR:  relation %q does not exist", name)
		} else {
			err = fmt.Errorf("ERROR 1146 (42S02): Table '%s.%s' doesn't exist", db, name)
		}
	}
	return db, name, t, err
}

func (t *sqlTable) column(name string) int {
	return slices.IndexFunc(t.Columns, func(c string) bool { return strings.EqualFold(c, name) })
}

// literal is the value of a word.
func literal(w string) *string {
	if strings.EqualFold(w, "null") {
		return nil
	}
	v := strings.TrimPrefix(w, "'")
	return &v
}

// where reads a condition on one column and returns the test of a row.
func (r *sqlRun) where(t *sqlTable) (func([]*string) bool, error) {
	if !r.take("where") {
		return func([]*string) bool { return true }, nil
	}
	name := r.word()
	i := t.column(name)
	if i < 0 {
		return nil, r.errorf(1054, "42S22", "Unknown column '%s' in 'where clause'", "column %q does not exist", name)
	}
	if !r.take("=") {
		return nil, r.sorry(r.w)
	}
	want := literal(r.word())
	return func(row []*string) bool { return row[i] != nil && want != nil && *row[i] == *want }, nil
}

func (r *sqlRun) run(st []string) (*sqlResult, error) {
	r.w = st
	done := func(format string, args ...any) (*sqlResult, error) {
		r.changed = true
		return &sqlResult{Tag: fmt.Sprintf(format, args...)}, nil
	}
	list := func(head string, names []string) (*sqlResult, error) {
		res := &sqlResult{Columns: []string{head}}
		for _, n := range names {
			res.Rows = append(res.Rows, []*string{&n})
		}
		return res, nil
	}
	switch {
	case r.take("select"):
		return r.selectRows(st)
	case r.take("show", "databases"):
		return list("Database", slices.Sorted(maps.Keys(r.d.DBs)))
	case r.take("show", "tables"), r.take(`\dt`):
		if r.db == "" {
			return nil, r.errorf(1046, "3D000", "No database selected", "no database")
		}
		return list("Tables_in_"+r.db, slices.Sorted(maps.Keys(r.d.DBs[r.db])))
	case r.take("use"), r.take(`\c`):
		name := r.word()
		if r.d.DBs[name] == nil {
			return nil, r.errorf(1049, "42000", "Unknown database '%s'", "database %q does not exist", name)
		}
		r.db = name
		return &sqlResult{}, nil
	case r.take("create", "database"), r.take("create", "schema"):
		lenient := r.take("if", "not", "exists")
		name := r.word()
		if r.d.DBs[name] != nil && !lenient {
			return nil, r.errorf(1007, "HY000", "Can't create database '%s'; database exists", "database %q already exists", name)
		}
		if r.d.DBs[name] == nil {
			r.d.DBs[name] = map[string]*sqlTable{}
		}
		return done("CREATE DATABASE")
	case r.take("drop", "database"):
		lenient := r.take("if", "exists")
		name := r.word()
		if r.d.DBs[name] == nil && !lenient {
			return nil, r.errorf(1008, "HY000", "Can't drop database '%s'; database doesn't exist", "database %q does not exist", name)
		}
		delete(r.d.DBs, name)
		return done("DROP DATABASE")
	case r.take("create", "table"):
		lenient := r.take("if", "not", "exists")
		db, name, t, err := r.table()
		switch {
		case t != nil && lenient:
			return done("CREATE TABLE")
		case t != nil:
			return nil, r.errorf(1050, "42S01", "Table '%s' already exists", "relation %q already exists", name)
		case db == "" || r.d.DBs[db] == nil:
			return nil, err
		case !r.take("("):
			return nil, r.sorry(st)
		}
		if t, err = r.columns(st); err != nil {
			return nil, err
		}
		r.d.DBs[db][name] = t
		return done("CREATE TABLE")
	case r.take("drop", "table"):
		lenient := r.take("if", "exists")
		db, name, t, err := r.table()
		if t == nil && !lenient {
			return nil, err
		}
		delete(r.d.DBs[db], name)
		return done("DROP TABLE")
	case r.take("insert", "into"):
		return r.insert(st)
	case r.take("delete", "from"), r.take("truncate", "table"):
		_, _, t, err := r.table()
		if err != nil {
			return nil, err
		}
		match, err := r.where(t)
		if err != nil {
			return nil, err
		}
		n := len(t.Rows)
		t.Rows = slices.DeleteFunc(t.Rows, match)
		return done("DELETE %d", n-len(t.Rows))
	case r.take("update"):
		_, _, t, err := r.table()
		if err != nil {
			return nil, err
		}
		if !r.take("set") {
			return nil, r.sorry(st)
		}
		set := map[int]*string{}
		for {
			name := r.word()
			i := t.column(name)
			if i < 0 {
				return nil, r.errorf(1054, "42S22", "Unknown column '%s' in 'field list'", "column %q does not exist", name)
			}
			if !r.take("=") {
				return nil, r.sorry(st)
			}
			if set[i] = literal(r.word()); !r.take(",") {
				break
			}
		}
		match, err := r.where(t)
		if err != nil {
			return nil, err
		}
		n := 0
		for _, row := range t.Rows {
			if match(row) {
				n++
				for i, v := range set {
					row[i] = v
				}
			}
		}
		return done("UPDATE %d", n)
	}
	return nil, r.sorry(st)
}

// columns reads the columns of a new table.
func (r *sqlRun) columns(st []string) (*sqlTable, error) {
	t := &sqlTable{Next: 1}
	depth := 1
	first := true
	name := ""
	for depth > 0 {
		if len(r.w) == 0 {
			return nil, r.sorry(st)
		}
		switch w := r.word(); {
		case w == "(":
			depth++
		case w == ")":
			depth--
		case w == "," && depth == 1:
			first = true
		case first:
			first = false
			if name = w; !slices.Contains([]string{"PRIMARY", "UNIQUE", "KEY", "INDEX", "CONSTRAINT", "FOREIGN"}, strings.ToUpper(w)) {
				t.Columns = append(t.Columns, w)
			}
		case slices.Contains([]string{"AUTO_INCREMENT", "SERIAL", "BIGSERIAL", "GENERATED"}, strings.ToUpper(w)):
			t.Auto = name
		}
	}
	return t, nil
}

func (r *sqlRun) insert(st []string) (*sqlResult, error) {
	_, _, t, err := r.table()
	if err != nil {
		return nil, err
	}
	into := t.Columns
	if r.take("(") {
		for into = nil; !r.take(")"); r.take(",") {
			w := r.word()
			if t.column(w) < 0 {
				return nil, r.errorf(1054, "42S22", "Unknown column '%s' in 'field list'", "column %q does not exist", w)
			}
			into = append(into, w)
		}
	}
	if !r.take("values") && !r.take("value") {
		return nil, r.sorry(st)
	}
	n := 0
	for ok := true; ok; ok = r.take(",") {
		if !r.take("(") {
			return nil, r.sorry(st)
		}
		row := make([]*string, len(t.Columns))
		i := 0
		for ; !r.take(")"); r.take(",") {
			if len(r.w) == 0 {
				return nil, r.sorry(st)
			}
			v, err := r.value(nil, nil, st)
			if err != nil {
				return nil, err
			}
			if i < len(into) {
				row[t.column(into[i])] = v
			}
			i++
		}
		if i != len(into) {
			return nil, r.errorf(1136, "21S01", "Column count doesn't match value count at row %d", "INSERT has a wrong number of expressions in row %d", n+1)
		}
		if k := t.column(t.Auto); t.Auto != "" && row[k] == nil {
			v := strconv.Itoa(t.Next)
			row[k] = &v
			t.Next++
		}
		t.Rows = append(t.Rows, row)
		n++
	}
	r.changed = true
	return &sqlResult{Tag: fmt.Sprintf("INSERT 0 %d", n)}, nil
}

// value is that of the expression that comes next: a literal, a column of the
// row, or one of some functions.
func (r *sqlRun) value(t *sqlTable, row []*string, st []string) (*string, error) {
	w := r.word()
	text := func(s string) (*string, error) { return &s, nil }
	if len(r.w) > 1 && r.w[0] == "(" && r.w[1] == ")" {
		r.w = r.w[2:]
		switch strings.ToLower(w) {
		case "now", "current_timestamp", "sysdate":
			now := r.s.now().UTC()
			if r.s.postgres() {
				return text(now.Format("2006-01-02 15:04:05.000000+00"))
			}
			return text(now.Format(time.DateTime))
		case "version":
			if r.s.postgres() {
				return text("PostgreSQL " + r.s.c.Image.Version + " on x86_64-pc-linux-gnu")
			}
			return text(r.s.c.Image.Version)
		case "database", "current_database":
			if r.db == "" {
				return nil, nil
			}
			return text(r.db)
		}
		return nil, r.sorry(st)
	}
	switch strings.ToLower(w) {
	case "@@server_id":
		return text("1")
	case "@@hostname":
		return text(r.s.c.sb.Hostname)
	case "@@version":
		return text(r.s.c.Image.Version)
	}
	if t != nil {
		if i := t.column(w); i >= 0 {
			return row[i], nil
		}
	}
	if _, err := strconv.ParseFloat(w, 64); err == nil || strings.HasPrefix(w, "'") || strings.EqualFold(w, "null") {
		return literal(w), nil
	}
	return nil, r.errorf(1054, "42S22", "Unknown column '%s' in 'field list'", "column %q does not exist", w)
}

func (r *sqlRun) selectRows(st []string) (*sqlResult, error) {
	from := slices.IndexFunc(r.w, func(w string) bool { return strings.EqualFold(w, "from") })
	expr := r.w
	t := &sqlTable{Rows: [][]*string{{}}}
	match := func([]*string) bool { return true }
	limit := -1
	if from >= 0 {
		expr, r.w = r.w[:from], r.w[from+1:]
		var err error
		if _, _, t, err = r.table(); err != nil {
			return nil, err
		}
		if match, err = r.where(t); err != nil {
			return nil, err
		}
		if r.take("order", "by") {
			i := t.column(r.word())
			if i < 0 {
				return nil, r.sorry(st)
			}
			c := *t
			c.Rows = slices.Clone(t.Rows)
			desc := r.take("desc")
			_ = r.take("asc")
			slices.SortStableFunc(c.Rows, func(a, b []*string) int {
				d := compareSQL(a[i], b[i])
				if desc {
					return -d
				}
				return d
			})
			t = &c
		}
		if r.take("limit") {
			limit, _ = strconv.Atoi(r.word())
		}
		if len(r.w) > 0 {
			return nil, r.sorry(st)
		}
	}
	var rows [][]*string
	for _, row := range t.Rows {
		if match(row) && (limit < 0 || len(rows) < limit) {
			rows = append(rows, row)
		}
	}
	res := &sqlResult{Columns: []string{}}
	if len(expr) == 4 && strings.EqualFold(expr[0], "count") && expr[1] == "(" {
		n := strconv.Itoa(len(rows))
		res.Columns = []string{strings.Join(expr, "")}
		if r.s.postgres() {
			res.Columns[0] = "count"
		}
		res.Rows = [][]*string{{&n}}
		return res, nil
	}
	if len(rows) == 0 {
		rows = [][]*string{nil} // for the head
	}
	for k, row := range rows {
		if row == nil {
			row = make([]*string, len(t.Columns))
		}
		var out []*string
		r.w = expr
		for ok := true; ok; ok = r.take(",") {
			if from >= 0 && r.take("*") {
				out = append(out, row...)
				if k == 0 {
					res.Columns = append(res.Columns, t.Columns...)
				}
				continue
			}
			before := r.w
			v, err := r.value(t, row, st)
			if err != nil {
				return nil, err
			}
			head := strings.TrimPrefix(strings.Join(before[:len(before)-len(r.w)], ""), "'")
			if r.s.postgres() {
				if name, _, call := strings.Cut(strings.ToLower(head), "("); call {
					head = name
				} else if t.column(head) < 0 {
					head = "?column?"
				}
			}
			if r.take("as") {
				head = r.word()
			}
			if k == 0 {
				res.Columns = append(res.Columns, head)
			}
			out = append(out, v)
		}
		if len(r.w) > 0 {
			return nil, r.sorry(st)
		}
		if rows[k] != nil {
			res.Rows = append(res.Rows, out)
		}
	}
	return res, nil
}

// compareSQL orders numbers as numbers; NULL comes first.
func compareSQL(a, b *string) int {
	switch {
	case a == nil || b == nil:
		return boolInt(a != nil) - boolInt(b != nil)
	}
	x, e1 := strconv.ParseFloat(*a, 64)
	y, e2 := strconv.ParseFloat(*b, 64)
	if e1 == nil && e2 == nil {
		return boolInt(x > y) - boolInt(x < y)
	}
	return strings.Compare(*a, *b)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sqlClient is mysql (mariadb) and psql.
func sqlClient(v *invocation) int {
	pg := v.b.Kind == "psql"
	q := sqlRequest{User: "root"}
	host, port, command, bare, given := "", v.b.Port, "", false, false
	box := v.TTY != nil
	if pg {
		q.User, q.Database, q.Password = "postgres", v.Env["PGDATABASE"], v.Env["PGPASSWORD"]
		host = v.Env["PGHOST"]
	}
	args := v.args[1:]
	// value is a flag's: the rest of the word or the next word.
	var value func(a, short, long string) (string, bool)
	value = func(a, short, long string) (string, bool) {
		if rest, ok := strings.CutPrefix(a, "--"+long+"="); ok {
			return rest, true
		}
		if rest, ok := strings.CutPrefix(a, short); ok && !strings.HasPrefix(a, "--") && rest != "" {
			return strings.TrimPrefix(rest, "="), true
		}
		if (a == short || a == "--"+long) && len(args) > 0 {
			rest := args[0]
			args = args[1:]
			return rest, true
		}
		return "", false
	}
	database, execute, dbFlag := "database", "execute", "-D"
	user, executeFlag := "-u", "-e"
	if pg {
		database, execute, dbFlag, user, executeFlag = "dbname", "command", "-d", "-U", "-c"
	}
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		switch {
		case !strings.HasPrefix(a, "-"):
			if q.Database != "" && pg {
				q.User = a
			} else {
				q.Database = a
			}
			continue
		case a == "-V" || a == "--version":
			if pg {
				fmt.Fprintf(v.Stdout, "psql (PostgreSQL) %s\n", v.c.Image.Version)
			} else {
				fmt.Fprintf(v.Stdout, "%s  Ver %s for Linux on x86_64\n", path.Base(v.args[0]), v.c.Image.Version)
			}
			return 0
		case !pg && (a == "-p" || a == "--password"):
			continue // asks for one; there is nobody to answer
		case !pg && (strings.HasPrefix(a, "-p") || strings.HasPrefix(a, "--password=")):
			q.Password, _ = value(a, "-p", "password")
			if !strings.HasPrefix(path.Base(v.args[0]), "mariadb") {
				fmt.Fprintln(v.Stderr, "mysql: [Warning] Using a password on the command line interface can be insecure.")
			}
			continue
		case pg && len(a) > 2 && a[1] != '-' && strings.Trim(a[1:], "tAqXwc") == "":
			// flags in one word: -tAc
			bare = bare || strings.Contains(a, "t")
			if a[len(a)-1] != 'c' {
				continue
			}
			a = "-c"
		case a == "-N" || a == "--skip-column-names" || pg && (a == "-t" || a == "--tuples-only"):
			bare = true
			continue
		case a == "-t" || a == "--table":
			box = true
			continue
		case !pg && a == "-sN", !pg && a == "-Ns":
			bare = true
			continue
		}
		if x, ok := value(a, "-h", "host"); ok {
			host = x
		} else if x, ok := value(a, "-P", "port"); ok && !pg {
			port, _ = strconv.Atoi(x)
		} else if x, ok := value(a, "-p", "port"); ok && pg {
			port, _ = strconv.Atoi(x)
		} else if x, ok := value(a, user, map[bool]string{true: "username", false: "user"}[pg]); ok {
			q.User = x
		} else if x, ok := value(a, dbFlag, database); ok {
			q.Database = x
		} else if x, ok := value(a, executeFlag, execute); ok {
			command, given = command+x+";", true
		}
	}
	if pg && q.Database == "" {
		q.Database = q.User
	}
	if !given {
		if v.TTY != nil {
			return v.fail(1, "%s: this client is simulated and does not talk by the line: give a statement with %s or on standard input", path.Base(v.args[0]), executeFlag)
		}
		data, _ := io.ReadAll(v.Stdin)
		command = string(data)
	}
	q.Text = command
	body, _ := json.Marshal(q)
	local := host == "" || host == "localhost"
	at := host
	if local {
		at = "127.0.0.1"
	}
	data, err := v.send(at, port, body)
	if err != nil {
		return v.fail(map[bool]int{true: 2, false: 1}[pg], "%s", sqlRefused(pg, local, host, port, err))
	}
	var out sqlReply
	if json.Unmarshal(data, &out) != nil {
		return v.fail(1, "ERROR 2013 (HY000): Lost connection to MySQL server at 'reading initial communication packet'")
	}
	for _, res := range out.Results {
		switch {
		case pg:
			printPostgres(v.Stdout, res, bare)
		case box:
			printBox(v.Stdout, res)
		default:
			printTabs(v.Stdout, res, bare)
		}
	}
	if out.Error == "" {
		return 0
	}
	if pg && strings.HasPrefix(out.Error, "FATAL") {
		at := fmt.Sprintf("connection to server on socket \"/var/run/postgresql/.s.PGSQL.%d\" failed: ", port)
		if !local {
			at = fmt.Sprintf("connection to server at \"%s\", port %d failed: ", host, port)
		}
		return v.fail(2, "psql: error: %s%s", at, out.Error)
	}
	return v.fail(1, "%s", out.Error)
}

// sqlRefused is why there is no connection, in the client's words.
func sqlRefused(pg, local bool, host string, port int, err error) string {
	kind := network.Refused
	if e, ok := err.(*network.Error); ok {
		kind = e.Kind
	}
	switch {
	case pg && local:
		return fmt.Sprintf("psql: error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.%d\" failed: No such file or directory\n\tIs the server running locally and accepting connections on that socket?", port)
	case pg && kind == network.NoHost:
		return fmt.Sprintf("psql: error: could not translate host name %q to address: Name or service not known", host)
	case pg && kind == network.Timeout:
		return fmt.Sprintf("psql: error: connection to server at %q, port %d failed: Connection timed out\n\tIs the server running on that host and accepting TCP/IP connections?", host, port)
	case pg:
		return fmt.Sprintf("psql: error: connection to server at %q, port %d failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?", host, port)
	case local:
		return "ERROR 2002 (HY000): Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' (2)"
	case kind == network.NoHost:
		return fmt.Sprintf("ERROR 2005 (HY000): Unknown MySQL server host '%s' (-2)", host)
	case kind == network.Timeout:
		return fmt.Sprintf("ERROR 2003 (HY000): Can't connect to MySQL server on '%s:%d' (110)", host, port)
	}
	return fmt.Sprintf("ERROR 2003 (HY000): Can't connect to MySQL server on '%s:%d' (111)", host, port)
}

func cells(row []*string, null string) []string {
	out := make([]string, len(row))
	for i, v := range row {
		if out[i] = null; v != nil {
			out[i] = *v
		}
	}
	return out
}

func printTabs(w io.Writer, res sqlResult, bare bool) {
	if len(res.Rows) == 0 {
		return
	}
	if !bare {
		fmt.Fprintln(w, strings.Join(res.Columns, "\t"))
	}
	for _, row := range res.Rows {
		fmt.Fprintln(w, strings.Join(cells(row, "NULL"), "\t"))
	}
}

// widths are those of a table's columns.
func (res *sqlResult) widths(null string) []int {
	out := make([]int, len(res.Columns))
	for i, c := range res.Columns {
		out[i] = len(c)
		for _, row := range res.Rows {
			out[i] = max(out[i], len(cells(row, null)[i]))
		}
	}
	return out
}

func numeric(s string) bool { _, err := strconv.ParseFloat(s, 64); return err == nil }

func printBox(w io.Writer, res sqlResult) {
	if len(res.Rows) == 0 {
		return
	}
	ws := res.widths("NULL")
	line := ""
	for _, n := range ws {
		line += "+" + strings.Repeat("-", n+2)
	}
	line += "+\n"
	row := func(vs []string, head bool) {
		for i, v := range vs {
			if !head && numeric(v) {
				fmt.Fprintf(w, "| %*s ", ws[i], v)
			} else {
				fmt.Fprintf(w, "| %-*s ", ws[i], v)
			}
		}
		fmt.Fprintln(w, "|")
	}
	fmt.Fprint(w, line)
	row(res.Columns, true)
	fmt.Fprint(w, line)
	for _, r := range res.Rows {
		row(cells(r, "NULL"), false)
	}
	fmt.Fprint(w, line)
}

func printPostgres(w io.Writer, res sqlResult, bare bool) {
	if res.Columns == nil {
		if res.Tag != "" {
			fmt.Fprintln(w, res.Tag)
		}
		return
	}
	if bare {
		for _, r := range res.Rows {
			fmt.Fprintln(w, strings.Join(cells(r, ""), "|"))
		}
		return
	}
	ws := res.widths("")
	var head, line []string
	for i, c := range res.Columns {
		left := (ws[i] - len(c)) / 2
		head = append(head, strings.Repeat(" ", left+1)+c+strings.Repeat(" ", ws[i]-len(c)-left+1))
		line = append(line, strings.Repeat("-", ws[i]+2))
	}
	fmt.Fprintf(w, "%s\n%s\n", strings.Join(head, "|"), strings.Join(line, "+"))
	for _, r := range res.Rows {
		for i, v := range cells(r, "") {
			sep := " |"
			if i == len(r)-1 {
				sep = ""
			}
			switch {
			case numeric(v):
				fmt.Fprintf(w, " %*s%s", ws[i], v, sep)
			case sep == "":
				fmt.Fprintf(w, " %s", v)
			default:
				fmt.Fprintf(w, " %-*s%s", ws[i], v, sep)
			}
		}
		fmt.Fprintln(w)
	}
	rows := "rows"
	if len(res.Rows) == 1 {
		rows = "row"
	}
	fmt.Fprintf(w, "(%d %s)\n\n", len(res.Rows), rows)
}
