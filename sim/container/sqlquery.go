// Queries of the simulated databases: SELECT with joins, groups and order, and
// what psql's backslash commands show. A value is a text, nil is NULL.

package container

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// sqlName is a column of the rows that a query goes over.
type sqlName struct{ table, name string }

// names are the columns of a table that goes by an alias.
func (t *sqlTable) names(alias string) []sqlName {
	out := make([]sqlName, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = sqlName{alias, c}
	}
	return out
}

// until reads up to the first of the words that is not in parentheses.
func (r *sqlRun) until(words ...string) []sqlToken {
	depth, n := 0, 0
	for ; n < len(r.w); n++ {
		switch t := r.w[n].text; {
		case t == "(":
			depth++
		case t == ")":
			depth--
		}
		if depth == 0 && slices.Contains(words, strings.ToLower(r.w[n].text)) {
			break
		}
	}
	out := r.w[:n:n]
	r.w = r.w[n:]
	return out
}

// filter reports whether a condition is true for a row; none is always.
func (r *sqlRun) filter(clause string, w []sqlToken, row []*string) (bool, error) {
	if len(w) == 0 {
		return true, nil
	}
	if r.steps++; r.steps > sqlMaxSteps {
		return false, r.errorf(1104, "42000", sqlTooMany, sqlTooMany)
	}
	r.row, r.clause = row, clause
	v, err := r.eval(w)
	return truth(v), err
}

// sqlItem is one entry of a SELECT's list.
type sqlItem struct {
	w    []sqlToken
	star int    // for a *, how many columns; they begin at from
	from int    // the first of them
	head string // the column's name
}

// query is a SELECT, or several with UNION between them; the first word has
// been read.
func (r *sqlRun) query() (*sqlResult, error) {
	first := r.until("union")
	rest := r.w
	r.w = first
	out, err := r.selection()
	if err != nil || len(rest) == 0 {
		return out, err
	}
	var tail []sqlToken
	for len(rest) > 0 {
		r.w = rest[1:]
		all := r.take("all")
		if !all {
			r.take("distinct")
		}
		if !r.take("select") {
			return nil, r.wrong()
		}
		part := r.until("union")
		if rest = r.w; len(rest) == 0 { // what orders and limits all of them
			r.w = part
			part = r.until("order", "limit", "offset")
			tail = r.w
		}
		r.w = part
		next, err := r.selection()
		if err != nil {
			return nil, err
		}
		if len(next.Columns) != len(out.Columns) {
			return nil, r.errorf(1222, "21000", "The used SELECT statements have a different number of columns", "each UNION query must have the same number of columns")
		}
		if out.Rows = append(out.Rows, next.Rows...); !all {
			seen := map[string]bool{}
			out.Rows = slices.DeleteFunc(out.Rows, func(row []*string) bool {
				key := strings.Join(cells(row, "\x00"), "\x01")
				had := seen[key]
				seen[key] = true
				return had
			})
		}
	}
	r.w = tail
	order, desc := r.orders()
	limit, offset := r.limits()
	if len(r.w) > 0 {
		return nil, r.wrong()
	}
	lines := make([]sqlLine, len(out.Rows))
	for i, row := range out.Rows {
		lines[i].out = row
		for _, o := range order {
			key, err := r.orderKey(o, out.Columns, row)
			if err != nil {
				return nil, err
			}
			lines[i].keys = append(lines[i].keys, key)
		}
	}
	r.w, r.group = nil, nil
	r.fill(out, lines, desc, limit, offset)
	return out, nil
}

// sqlLine is a row of a result with what it is ordered by.
type sqlLine struct{ out, keys []*string }

// orders reads ORDER BY: what it is by, and which of it descends.
func (r *sqlRun) orders() (order [][]sqlToken, desc []bool) {
	if !r.take("order", "by") {
		return nil, nil
	}
	for _, o := range sqlList(r.until("limit", "offset")) {
		down := false
		if n := len(o) - 1; n > 0 && (strings.EqualFold(o[n].text, "desc") || strings.EqualFold(o[n].text, "asc")) {
			down, o = strings.EqualFold(o[n].text, "desc"), o[:n]
		}
		order, desc = append(order, o), append(desc, down)
	}
	return order, desc
}

// limits reads LIMIT and OFFSET; a limit of -1 is none.
func (r *sqlRun) limits() (limit, offset int) {
	limit = -1
	count := func() int {
		n, err := strconv.Atoi(r.peek())
		if err == nil && n >= 0 {
			r.word()
		}
		return n
	}
	if r.take("limit") && !r.take("all") {
		if limit = count(); r.take(",") {
			offset, limit = limit, count()
		}
	}
	if r.take("offset") {
		offset = count()
	}
	return limit, offset
}

// fill puts the lines, in their order, into a result.
func (r *sqlRun) fill(res *sqlResult, lines []sqlLine, desc []bool, limit, offset int) {
	slices.SortStableFunc(lines, func(a, b sqlLine) int {
		for i := range desc {
			x, y := a.keys[i], b.keys[i]
			d := 0
			switch {
			case x == nil || y == nil:
				if d = boolInt(x != nil) - boolInt(y != nil); r.s.postgres() {
					d = -d
				}
			default:
				d = r.compare(*x, *y)
			}
			if desc[i] {
				d = -d
			}
			if d != 0 {
				return d
			}
		}
		return 0
	})
	lines = lines[min(offset, len(lines)):]
	if limit >= 0 {
		lines = lines[:min(limit, len(lines))]
	}
	res.Rows = nil
	for _, l := range lines {
		res.Rows = append(res.Rows, l.out)
	}
	res.Tag, res.N = fmt.Sprintf("SELECT %d", len(lines)), len(lines)
}

// selection is one SELECT.
func (r *sqlRun) selection() (*sqlResult, error) {
	distinct := r.take("distinct")
	clauses := []string{"from", "where", "group", "having", "order", "limit", "offset"}
	list := sqlList(r.until(clauses...))
	r.cols, r.row, r.aliases = nil, nil, map[string][]sqlToken{}
	for _, w := range list {
		if n := len(w) - 2; n > 0 && strings.EqualFold(w[n].text, "as") {
			r.aliases[strings.ToLower(strings.Trim(w[n+1].text, "`'"))] = w[:n]
		} else if n == 0 || n > 0 && (w[n].text == ")" || strings.EqualFold(w[n].text, "end")) {
			r.aliases[strings.ToLower(strings.Trim(w[n+1].text, "`'"))] = w[:n+1]
		}
	}
	rows := [][]*string{{}}
	if r.take("from") {
		var err error
		if rows, err = r.source(); err != nil {
			return nil, err
		}
	}
	var where, having []sqlToken
	var group [][]sqlToken
	if r.take("where") {
		if where = r.until(clauses[2:]...); len(where) == 0 {
			return nil, r.wrong()
		}
	}
	if r.take("group", "by") {
		group = sqlList(r.until(clauses[3:]...))
	}
	if r.take("having") {
		having = r.until(clauses[4:]...)
	}
	order, desc := r.orders()
	limit, offset := r.limits()
	if len(r.w) > 0 {
		return nil, r.wrong()
	}
	empty := make([]*string, len(r.cols))
	var kept [][]*string
	if _, err := r.filter("where clause", where, empty); err != nil {
		return nil, err
	}
	for _, row := range rows {
		ok, err := r.filter("where clause", where, row)
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, row)
		}
	}
	groups, err := r.groups(kept, group, list, having)
	if err != nil {
		return nil, err
	}
	items, err := r.items(list, empty)
	if err != nil {
		return nil, err
	}
	res := &sqlResult{Columns: []string{}}
	for _, it := range items {
		if it.w != nil {
			res.Columns = append(res.Columns, it.head)
			continue
		}
		for _, c := range r.cols[it.from : it.from+it.star] {
			res.Columns = append(res.Columns, c.name)
		}
	}
	var lines []sqlLine
	seen := map[string]bool{}
	for _, g := range groups {
		r.row, r.group = empty, g
		if len(g) > 0 {
			r.row = g[0]
		}
		row := r.row
		if len(having) > 0 {
			if ok, err := r.filter("having clause", having, row); err != nil {
				return nil, err
			} else if !ok {
				continue
			}
		}
		var l sqlLine
		r.clause = "field list"
		for _, it := range items {
			if it.w == nil {
				l.out = append(l.out, row[it.from:it.from+it.star]...)
				continue
			}
			v, err := r.eval(it.w)
			if err != nil {
				return nil, err
			}
			l.out = append(l.out, v)
		}
		if distinct {
			key := strings.Join(cells(l.out, "\x00"), "\x01")
			if seen[key] {
				continue
			}
			seen[key] = true
		}
		r.clause = "order clause"
		for _, o := range order {
			v, err := r.orderKey(o, res.Columns, l.out)
			if err != nil {
				return nil, err
			}
			l.keys = append(l.keys, v)
		}
		lines = append(lines, l)
	}
	r.w, r.group = nil, nil
	r.fill(res, lines, desc, limit, offset)
	return res, nil
}

// orderKey is what a row is sorted by: a column of the result by number or
// name, or an expression.
func (r *sqlRun) orderKey(w []sqlToken, heads []string, out []*string) (*string, error) {
	if len(w) == 1 {
		if n, err := strconv.Atoi(w[0].text); err == nil {
			if n < 1 || n > len(out) {
				return nil, r.errorf(1054, "42S22", "Unknown column '%d' in 'order clause'", "ORDER BY position %d is not in select list", n)
			}
			return out[n-1], nil
		}
		name := strings.TrimPrefix(w[0].text, "`")
		if i := slices.IndexFunc(heads, func(h string) bool { return strings.EqualFold(h, name) }); i >= 0 {
			return out[i], nil
		}
	}
	return r.eval(w)
}

// groups are the rows by the values of the GROUP BY's expressions; without one
// each row is its own, or all are one when an aggregate is asked for.
func (r *sqlRun) groups(rows [][]*string, by, list [][]sqlToken, having []sqlToken) ([][][]*string, error) {
	if by == nil {
		for _, w := range append(list, having) {
			for i, t := range w {
				if i+1 < len(w) && w[i+1].text == "(" && slices.Contains(sqlAggregates, strings.ToLower(t.text)) {
					return [][][]*string{rows}, nil
				}
			}
		}
		out := make([][][]*string, len(rows))
		for i := range rows {
			out[i] = rows[i : i+1]
		}
		return out, nil
	}
	var out [][][]*string
	at := map[string]int{}
	r.clause = "group statement"
	for _, r.row = range rows {
		var key []*string
		for _, w := range by {
			if len(w) == 1 && numeric(w[0].text) { // a column of the list
				if n, _ := strconv.Atoi(w[0].text); n >= 1 && n <= len(list) {
					w = list[n-1]
				}
			}
			v, err := r.eval(w)
			if err != nil {
				return nil, err
			}
			key = append(key, v)
		}
		k := strings.Join(cells(key, "\x00"), "\x01")
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], r.row)
	}
	return out, nil
}

// items reads the list of a SELECT and names its columns.
func (r *sqlRun) items(list [][]sqlToken, empty []*string) ([]sqlItem, error) {
	var out []sqlItem
	for _, w := range list {
		r.w, r.row, r.group, r.clause = w, empty, nil, "field list"
		if len(w) == 0 {
			return nil, r.wrong()
		}
		if star := len(w) == 1 && w[0].text == "*"; star || len(w) == 2 && w[1].text == "*" && strings.HasSuffix(w[0].text, ".") {
			it := sqlItem{star: len(r.cols)}
			if !star {
				table := strings.TrimSuffix(w[0].text, ".")
				is := func(c sqlName) bool { return strings.EqualFold(c.table, table) }
				if it.from = slices.IndexFunc(r.cols, is); it.from < 0 {
					return nil, r.errorf(1051, "42S02", "Unknown table '%s'", "missing FROM-clause entry for table %q", table)
				}
				for it.star = 0; it.from+it.star < len(r.cols) && is(r.cols[it.from+it.star]); {
					it.star++
				}
			}
			if it.star == 0 {
				return nil, r.errorf(1096, "HY000", "No tables used", "SELECT * with no tables specified is not valid")
			}
			out = append(out, it)
			continue
		}
		if w[0].text == "*" {
			r.w = w[1:]
			return nil, r.wrong()
		}
		if _, err := r.expr(0); err != nil {
			return nil, err
		}
		it := sqlItem{w: w[:len(w)-len(r.w)]}
		first, last := it.w[0], it.w[len(it.w)-1]
		it.head = strings.TrimPrefix(first.text, "`")
		single := len(it.w) == 1
		if r.s.postgres() && single {
			it.head, _, _ = strings.Cut(it.head, "::")
		}
		if single && !numeric(it.head) {
			it.head = it.head[strings.LastIndexByte(it.head, '.')+1:]
		}
		isColumn := slices.ContainsFunc(r.cols, func(c sqlName) bool { return strings.EqualFold(c.name, it.head) })
		switch {
		case single && isColumn:
		case single && first.text[0] == '\'' && !r.s.postgres():
			it.head = first.text[1:]
		case r.s.postgres() && len(it.w) > 1 && it.w[1].text == "(" && last.text == ")", single && strings.HasPrefix(strings.ToLower(it.head), "current_"):
			it.head = strings.ToLower(first.text)
		case r.s.postgres() && strings.EqualFold(first.text, "case"):
			it.head = "case"
		case r.s.postgres():
			it.head = "?column?"
		default:
			it.head = r.text[first.at:last.end]
		}
		if r.take("as") || len(r.w) == 1 && !slices.Contains(sqlReserved, strings.ToLower(r.peek())) && strings.IndexByte("'()=*<>+-/%!|,", r.peek()[0]) < 0 {
			it.head = strings.TrimPrefix(r.name(), "'")
		}
		if len(r.w) > 0 {
			return nil, r.wrong()
		}
		out = append(out, it)
	}
	return out, nil
}

// source reads the tables of a FROM and joins their rows.
func (r *sqlRun) source() ([][]*string, error) {
	add := func() (*sqlTable, error) {
		_, name, t, err := r.table()
		if err != nil {
			return nil, err
		}
		alias := name
		if next := strings.ToLower(r.peek()); r.take("as") || next != "" && next != "," && next != "full" && next != "natural" && !slices.Contains(sqlReserved, next) {
			alias = r.name()
		}
		r.cols = append(r.cols, t.names(alias)...)
		return t, nil
	}
	t, err := add()
	if err != nil {
		return nil, err
	}
	rows := t.Rows
	for {
		left := r.takeAny("left join", "left outer join")
		if !left && !r.takeAny("join", "inner join", "cross join", ",") {
			return rows, nil
		}
		if t, err = add(); err != nil {
			return nil, err
		}
		var on []sqlToken
		if r.take("on") {
			on = r.until("where", "group", "having", "order", "limit", "offset", "join", "inner", "left", "cross", ",")
		}
		rest := r.w
		var out [][]*string
		for _, a := range rows {
			found := false
			for _, b := range t.Rows {
				row := append(slices.Clip(a), b...)
				ok, err := r.filter("on clause", on, row)
				if err != nil {
					return nil, err
				}
				if ok {
					out, found = append(out, row), true
				}
				if len(out) > sqlMaxSteps/10 {
					return nil, r.errorf(1104, "42000", sqlTooMany, sqlTooMany)
				}
			}
			if left && !found {
				out = append(out, append(slices.Clip(a), make([]*string, len(t.Columns))...))
			}
		}
		rows, r.w = out, rest
	}
}

// backslash are psql's commands that ask the server.
func (r *sqlRun) backslash() (*sqlResult, error) {
	name, owner := r.word(), r.owner()
	switch plus := strings.TrimSuffix(name, "+"); {
	case plus == `\l`:
		res := &sqlResult{Title: "List of databases", Columns: []string{"Name", "Owner", "Encoding", "Collate", "Ctype", "Access privileges"}}
		for _, n := range slices.Sorted(maps.Keys(r.d.DBs)) {
			access := ""
			if strings.HasPrefix(n, "template") {
				access = "=c/" + owner + "\n" + owner + "=CTc/" + owner
			}
			res.Rows = append(res.Rows, sqlRows(nil, []string{n, owner, "UTF8", "en_US.utf8", "en_US.utf8", access}).Rows...)
		}
		return res, nil
	case plus == `\dt`, plus == `\d` && len(r.w) == 0:
		var rows [][]string
		for _, n := range slices.Sorted(maps.Keys(r.d.DBs[r.db])) {
			rows = append(rows, []string{"public", n, "table", owner})
			if auto := r.d.DBs[r.db][n].Auto; auto != "" && plus == `\d` {
				rows = append(rows, []string{"public", n + "_" + auto + "_seq", "sequence", owner})
			}
		}
		if len(rows) == 0 {
			what := "relations"
			if v, _ := strconv.Atoi(strings.Split(r.s.c.Image.Version, ".")[0]); v >= 18 && plus == `\dt` {
				what = "tables"
			}
			return nil, errors.New("Did not find any " + what + ".")
		}
		res := sqlRows([]string{"Schema", "Name", "Type", "Owner"}, rows...)
		res.Title = "List of relations"
		return res, nil
	case plus == `\d`:
		_, table, t, err := r.table()
		if err != nil {
			return nil, fmt.Errorf("Did not find any relation named %q.", table)
		}
		res := &sqlResult{Title: `Table "public.` + table + `"`, Columns: []string{"Column", "Type", "Collation", "Nullable", "Default"}}
		for i, c := range t.Columns {
			d, null := t.def(i), ""
			if d.NotNull {
				null = "not null"
			}
			if c == t.Auto && d.Default == "" {
				d.Default = "nextval('" + table + "_" + c + "_seq'::regclass)"
			}
			res.Rows = append(res.Rows, sqlRows(nil, []string{c, postgresType(d.Type), "", null, d.Default}).Rows...)
			if d.Key != "" && res.Tag == "" {
				res.Tag = "Indexes:"
			}
			switch d.Key {
			case "PRI":
				res.Tag += fmt.Sprintf("\n    \"%s_pkey\" PRIMARY KEY, btree (%s)", table, c)
			case "UNI":
				res.Tag += fmt.Sprintf("\n    \"%s_%s_key\" UNIQUE CONSTRAINT, btree (%s)", table, c, c)
			}
		}
		return res, nil
	case plus == `\du` || plus == `\dg`:
		var rows [][]string
		for _, u := range slices.Sorted(maps.Keys(r.d.Users)) {
			attributes := ""
			if u == owner {
				attributes = "Superuser, Create role, Create DB, Replication, Bypass RLS"
			}
			rows = append(rows, []string{u, attributes})
		}
		res := sqlRows([]string{"Role name", "Attributes"}, rows...)
		res.Title = "List of roles"
		return res, nil
	case plus == `\dn`:
		res := sqlRows([]string{"Name", "Owner"}, []string{"public", "pg_database_owner"})
		res.Title = "List of schemas"
		return res, nil
	case name == `\c` || name == `\connect`:
		if n := r.name(); n != "" {
			if r.d.DBs[n] == nil {
				return nil, fmt.Errorf("FATAL:  database %q does not exist", n)
			}
			r.db = n
		}
		return &sqlResult{Tag: fmt.Sprintf("You are now connected to database %q as user %q.", r.db, r.user)}, nil
	case name == `\conninfo`:
		return &sqlResult{Tag: fmt.Sprintf("You are connected to database %q as user %q via socket in \"/var/run/postgresql\" at port \"%d\".", r.db, r.user, r.s.port())}, nil
	}
	r.w = nil
	return nil, fmt.Errorf("invalid command %s\nTry \\? for help.", name)
}

// postgresType is a type by the name that PostgreSQL shows.
func postgresType(t string) string {
	base, size, sized := strings.Cut(t, "(")
	if long := map[string]string{"int": "integer", "int4": "integer", "serial": "integer", "bigserial": "bigint", "int8": "bigint", "bool": "boolean", "varchar": "character varying", "char": "character",
		"decimal": "numeric", "timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone", "float": "double precision", "time": "time without time zone"}[base]; long != "" {
		base = long
	}
	if sized {
		base += "(" + strings.ReplaceAll(size, " ", "")
	}
	return base
}
