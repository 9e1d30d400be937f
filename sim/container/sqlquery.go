// Queries of the simulated databases: SELECT with joins, groups and order, and
// expressions, which are worked out word by word for each row. A value is a
// text, nil is NULL.

package container

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
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

// eval works out the expression that the words are.
func (r *sqlRun) eval(w []sqlToken) (*string, error) {
	r.w = w
	v, err := r.expr(0)
	if err == nil && len(r.w) > 0 {
		err = r.wrong()
	}
	return v, err
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

// sqlMaxSteps bounds the rows that one request looks at: a server does not
// share its time.
const (
	sqlMaxSteps = 500_000
	sqlTooMany  = "this database is simulated: the query looks at too many rows"
)

func (r *sqlRun) bool(b bool) *string {
	switch {
	case r.s.postgres() && b:
		return text("t")
	case r.s.postgres():
		return text("f")
	}
	return text(strconv.Itoa(boolInt(b)))
}

func truth(v *string) bool {
	if v == nil {
		return false
	}
	f, err := strconv.ParseFloat(*v, 64)
	return err == nil && f != 0 || *v == "t" || *v == "true"
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// compare orders numbers as numbers; neither is NULL.
func (r *sqlRun) compare(a, b string) int {
	x, e1 := strconv.ParseFloat(a, 64)
	y, e2 := strconv.ParseFloat(b, 64)
	switch {
	case e1 == nil && e2 == nil:
		return cmp.Compare(x, y)
	case r.s.postgres():
		return strings.Compare(a, b)
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b))
}

// like matches SQL's patterns: % is any text, _ any letter.
func like(s, pattern string) bool {
	for i, c := range pattern {
		switch {
		case c == '%':
			for k := 0; k <= len(s); k++ {
				if like(s[k:], pattern[i+1:]) {
					return true
				}
			}
			return false
		case s == "" || c != '_' && s[0] != pattern[i]:
			return false
		}
		s = s[1:]
	}
	return s == ""
}

// sqlLevels say how tightly operators bind.
var sqlLevels = map[string]int{"or": 0, "and": 1, "=": 3, "<": 3, ">": 3, "<=": 3, ">=": 3, "<>": 3, "!=": 3, "||": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}

const sqlPrimary = 7

// expr works out the next expression whose operators bind at least so tightly.
func (r *sqlRun) expr(level int) (*string, error) {
	if level == sqlPrimary {
		return r.primary()
	}
	if level == 2 && r.take("not") {
		v, err := r.expr(2)
		if v != nil {
			v = r.bool(!truth(v))
		}
		return v, err
	}
	left, err := r.expr(level + 1)
	for err == nil {
		op := strings.ToLower(r.peek())
		if l, ok := sqlLevels[op]; ok && l == level {
			r.word()
			var right *string
			if right, err = r.expr(level + 1); err == nil {
				left, err = r.apply(op, left, right)
			}
			continue
		}
		var done bool
		if level != 3 {
			break
		}
		if left, done, err = r.predicate(left); done {
			break
		}
	}
	return left, err
}

// predicate is IS, IN, LIKE or BETWEEN after a value; done when none comes.
func (r *sqlRun) predicate(v *string) (out *string, done bool, err error) {
	if r.take("is") {
		not := r.take("not")
		switch {
		case r.take("null"):
			return r.bool((v == nil) != not), false, nil
		case r.take("true"):
			return r.bool(truth(v) != not), false, nil
		case r.take("false"):
			return r.bool((v != nil && !truth(v)) != not), false, nil
		}
		return nil, true, r.wrong()
	}
	start := r.w
	not := r.take("not")
	yes := false
	switch {
	case r.take("in"):
		parts, err := r.inParens()
		if err != nil {
			return nil, true, err
		}
		rest := r.w
		var in []*string
		if res, err := r.subquery(parts); err != nil {
			return nil, true, err
		} else if res != nil {
			for _, row := range res.Rows {
				in = append(in, row[0])
			}
			parts = nil
		}
		for _, p := range parts {
			x, err := r.eval(p)
			if err != nil {
				return nil, true, err
			}
			in = append(in, x)
		}
		r.w = rest
		yes = v != nil && slices.ContainsFunc(in, func(x *string) bool { return x != nil && r.compare(*v, *x) == 0 })
	case r.take("like"), r.take("ilike"):
		fold := !r.s.postgres() || strings.EqualFold(start[len(start)-len(r.w)-1].text, "ilike")
		p, err := r.expr(4)
		if err != nil || p == nil || v == nil {
			return nil, false, err
		}
		s, pattern := *v, *p
		if fold {
			s, pattern = strings.ToLower(s), strings.ToLower(pattern)
		}
		yes = like(s, pattern)
	case r.take("between"):
		a, err := r.expr(4)
		if err != nil || !r.take("and") {
			return nil, true, errors.Join(err, r.wrong())
		}
		b, err := r.expr(4)
		if err != nil || v == nil || a == nil || b == nil {
			return nil, false, err
		}
		yes = r.compare(*v, *a) >= 0 && r.compare(*v, *b) <= 0
	default:
		r.w = start
		return v, true, nil
	}
	if v == nil {
		return nil, false, nil
	}
	return r.bool(yes != not), false, nil
}

// subquery is the result of a SELECT in parentheses, nil when it is none.
func (r *sqlRun) subquery(parts [][]sqlToken) (*sqlResult, error) {
	if len(parts[0]) == 0 || !strings.EqualFold(parts[0][0].text, "select") {
		return nil, nil
	}
	last := parts[len(parts)-1]
	from := slices.IndexFunc(r.st, func(t sqlToken) bool { return t.at == parts[0][0].at })
	to := from
	for to < len(r.st) && (len(last) == 0 || r.st[to].at <= last[len(last)-1].at) {
		to++
	}
	sub := *r
	sub.w, sub.group, sub.depth = r.st[from+1:to], nil, r.depth+1
	if sub.depth > 20 {
		return nil, r.wrong()
	}
	res, err := sub.query()
	if err == nil && len(sub.w) > 0 {
		err = sub.wrong()
	}
	if err == nil && len(res.Columns) != 1 {
		err = r.errorf(1241, "21000", "Operand should contain 1 column(s)", "subquery must return only one column")
	}
	return res, err
}

// apply is an operator's value.
func (r *sqlRun) apply(op string, a, b *string) (*string, error) {
	level := sqlLevels[op]
	switch {
	case op == "||" && !r.s.postgres(), op == "or":
		if truth(a) || truth(b) || a != nil && b != nil {
			return r.bool(truth(a) || truth(b)), nil
		}
		return nil, nil
	case op == "and":
		if a != nil && !truth(a) || b != nil && !truth(b) || a != nil && b != nil {
			return r.bool(truth(a) && truth(b)), nil
		}
		return nil, nil
	case a == nil || b == nil:
		return nil, nil
	case op == "||":
		return text(*a + *b), nil
	case level == 3:
		c := r.compare(*a, *b)
		yes := c == 0
		switch op {
		case "<":
			yes = c < 0
		case ">":
			yes = c > 0
		case "<=":
			yes = c <= 0
		case ">=":
			yes = c >= 0
		case "<>", "!=":
			yes = c != 0
		}
		return r.bool(yes), nil
	}
	x, e1 := strconv.ParseFloat(*a, 64)
	y, e2 := strconv.ParseFloat(*b, 64)
	for _, s := range []struct {
		err error
		v   string
	}{{e1, *a}, {e2, *b}} {
		if s.err != nil && r.s.postgres() {
			return nil, fmt.Errorf("ERROR:  invalid input syntax for type integer: %q", s.v)
		}
	}
	whole := x == math.Trunc(x) && y == math.Trunc(y) && !strings.Contains(*a+*b, ".")
	switch {
	case op == "+":
		x += y
	case op == "-":
		x -= y
	case op == "*":
		x *= y
	case y == 0 && r.s.postgres():
		return nil, errors.New("ERROR:  division by zero")
	case y == 0:
		return nil, nil
	case op == "%":
		x = math.Mod(x, y)
	case r.s.postgres() && whole:
		x = math.Trunc(x / y)
	case r.s.postgres():
		return text(strconv.FormatFloat(x/y, 'f', 16, 64)), nil
	default:
		return text(strconv.FormatFloat(x/y, 'f', 4, 64)), nil
	}
	return text(number(x)), nil
}

// number writes a number without the noise of binary fractions.
func number(x float64) string {
	return strconv.FormatFloat(math.Round(x*1e9)/1e9, 'f', -1, 64)
}

// sqlReserved are words that no expression begins with.
var sqlReserved = strings.Fields("from where group order limit offset having on join inner left right cross select set values as and or in is like between by asc desc case interval cast exists distinct union table into")

// primary is a literal, a column, a call, or an expression in parentheses.
func (r *sqlRun) primary() (*string, error) {
	if len(r.w) == 0 {
		return nil, r.wrong()
	}
	first := r.w[0]
	low := strings.ToLower(first.text)
	switch c := first.text[0]; {
	case c == '(':
		parts, err := r.inParens()
		if err != nil {
			return nil, err
		}
		rest := r.w
		if r.depth++; r.depth > 200 {
			return nil, r.wrong()
		}
		defer func() { r.depth-- }()
		res, err := r.subquery(parts)
		var v *string
		switch {
		case err != nil || res != nil && len(res.Rows) == 0:
		case res != nil && len(res.Rows) > 1:
			err = r.errorf(1242, "21000", "Subquery returns more than 1 row", "more than one row returned by a subquery used as an expression")
		case res != nil:
			v = res.Rows[0][0]
		default:
			if len(parts) > 1 {
				return nil, r.wrong()
			}
			v, err = r.eval(parts[0])
		}
		if err == nil {
			r.w = rest
		}
		return v, err
	case c == '-' || c == '+':
		r.word()
		v, err := r.expr(sqlPrimary)
		if c == '-' && v != nil && err == nil {
			v, err = r.apply("-", text("0"), v)
		}
		return v, err
	case c == '\'':
		r.word()
		r.cast()
		return text(first.text[1:]), nil
	case c >= '0' && c <= '9' || c == '.':
		if !numeric(first.text) {
			return nil, r.wrong()
		}
		r.word()
		return text(first.text), nil
	case strings.IndexByte(")=*<>/%!|;,\\", c) >= 0 || slices.Contains(sqlReserved, low):
		return nil, r.wrong()
	}
	r.word()
	if r.peek() == "(" {
		return r.call(low)
	}
	base, _, _ := strings.Cut(low, "::")
	switch base {
	case "null":
		return nil, nil
	case "true", "false":
		return r.bool(low == "true"), nil
	case "@@server_id":
		return text("1"), nil
	case "@@hostname":
		return text(r.s.c.sb.Hostname), nil
	case "@@version":
		return text(r.version()), nil
	case "@@port":
		return text(strconv.Itoa(r.s.port())), nil
	case "current_timestamp", "localtimestamp", "current_date", "current_user", "session_user":
		return r.function(base, nil)
	}
	word, _, _ := strings.Cut(first.text, "::")
	if rest, ok := strings.CutPrefix(word, "`"); ok {
		for word = rest; strings.HasPrefix(r.peek(), ".") && len(r.w) > 0 && r.w[0].text != "."; {
			word += r.word()
		}
	}
	i, err := r.find(word, first)
	if w := r.aliases[strings.ToLower(word)]; err != nil && w != nil && r.clause != "where clause" && r.clause != "field list" {
		rest, clause := r.w, r.clause
		r.clause = "field list"
		v, err := r.eval(w)
		r.w, r.clause = rest, clause
		return v, err
	}
	if err != nil || i >= len(r.row) {
		return nil, err
	}
	return r.row[i], nil
}

// cast reads PostgreSQL's ::type.
func (r *sqlRun) cast() {
	if r.s.postgres() && strings.HasPrefix(r.peek(), "::") {
		r.word()
	}
}

func (r *sqlRun) noColumn(name string, at sqlToken) error {
	if r.s.postgres() {
		if t, c, ok := strings.Cut(name, "."); ok {
			name = t + "." + c
		} else {
			name = strconv.Quote(name)
		}
		return &sqlError{"ERROR:  column " + name + " does not exist", at.at + 1}
	}
	return fmt.Errorf("ERROR 1054 (42S22): Unknown column '%s' in '%s'", name, r.clause)
}

// find is the place of a column in the rows.
func (r *sqlRun) find(word string, at sqlToken) (int, error) {
	name, table := word, ""
	if i := strings.LastIndexByte(word, '.'); i >= 0 {
		table, name = word[:i], word[i+1:]
		table = table[strings.LastIndexByte(table, '.')+1:]
	}
	found := -1
	for i, c := range r.cols {
		if !strings.EqualFold(c.name, name) || table != "" && c.table != "" && !strings.EqualFold(c.table, table) {
			continue
		}
		if found >= 0 {
			return 0, r.errorf(1052, "23000", "Column '%s' in %s is ambiguous", "column reference %[1]q is ambiguous%.0[2]s", name, r.clause)
		}
		found = i
	}
	if found < 0 {
		return 0, r.noColumn(word, at)
	}
	return found, nil
}

func (r *sqlRun) version() string {
	v := r.s.c.Image.Version
	switch {
	case r.s.postgres():
		return "PostgreSQL " + v + " on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14+deb12u1) 12.2.0, 64-bit"
	case r.s.mariadb():
		return v + "-MariaDB-ubu2404"
	}
	return v
}

// call is a function's value; its name has been read.
func (r *sqlRun) call(name string) (*string, error) {
	parts, err := r.inParens()
	if err != nil {
		return nil, err
	}
	rest := r.w
	defer func() { r.w = rest; r.cast() }()
	if r.depth++; r.depth > 200 {
		return nil, r.wrong()
	}
	defer func() { r.depth-- }()
	if slices.Contains(sqlAggregates, name) {
		return r.aggregate(name, parts)
	}
	var args []*string
	for _, p := range parts {
		if len(p) == 0 && len(parts) == 1 {
			break
		}
		v, err := r.eval(p)
		if err != nil {
			rest = r.w
			return nil, err
		}
		args = append(args, v)
	}
	v, err := r.function(name, args)
	if err == errNoFunction {
		const sorry = "this database is simulated and has no function %s"
		err = r.errorf(1305, "42000", sorry, sorry, name)
	}
	return v, err
}

var (
	sqlAggregates = []string{"count", "sum", "avg", "min", "max"}
	errNoFunction = errors.New("no such function")
)

func (r *sqlRun) aggregate(name string, parts [][]sqlToken) (*string, error) {
	if len(parts) != 1 || len(parts[0]) == 0 {
		return nil, r.wrong()
	}
	arg := parts[0]
	if arg[0].text == "*" && name == "count" {
		return text(strconv.Itoa(len(r.group))), nil
	}
	group, row := r.group, r.row
	defer func() { r.group, r.row = group, row }()
	distinct := strings.EqualFold(arg[0].text, "distinct")
	arg = arg[boolInt(distinct):]
	n, sum := 0, 0.0
	var best *string
	seen := map[string]bool{}
	if len(group) == 0 { // a mistake shows without rows, too
		if _, err := r.eval(arg); err != nil {
			return nil, err
		}
	}
	for _, r.row = range group {
		v, err := r.eval(arg)
		switch {
		case err != nil:
			return nil, err
		case v == nil || distinct && seen[*v]:
			continue
		}
		seen[*v] = true
		n++
		f, _ := strconv.ParseFloat(*v, 64)
		sum += f
		if best == nil || name == "min" && r.compare(*v, *best) < 0 || name == "max" && r.compare(*v, *best) > 0 {
			best = v
		}
	}
	switch {
	case name == "count":
		return text(strconv.Itoa(n)), nil
	case n == 0 || name == "min" || name == "max":
		return best, nil
	case name == "sum":
		return text(number(sum)), nil
	case r.s.postgres():
		return text(strconv.FormatFloat(sum/float64(n), 'f', 16, 64)), nil
	}
	return text(strconv.FormatFloat(sum/float64(n), 'f', 4, 64)), nil
}

// function is the value of a function that looks at its arguments only.
func (r *sqlRun) function(name string, args []*string) (*string, error) {
	now := r.s.now().UTC()
	pg := r.s.postgres()
	switch name {
	case "now", "current_timestamp", "sysdate", "localtimestamp", "clock_timestamp":
		if pg {
			return text(now.Format("2006-01-02 15:04:05.000000+00")), nil
		}
		return text(now.Format(time.DateTime)), nil
	case "current_date", "curdate":
		return text(now.Format(time.DateOnly)), nil
	case "version":
		return text(r.version()), nil
	case "database", "current_database", "schema":
		if r.db == "" {
			return nil, nil
		}
		return &r.db, nil
	case "current_schema":
		return text("public"), nil
	case "user", "current_user", "session_user":
		switch {
		case pg:
			return &r.user, nil
		case name == "current_user" && r.from != "localhost":
			return text(r.user + "@%"), nil
		}
		return text(r.user + "@" + r.from), nil
	case "connection_id", "pg_backend_pid":
		return text("8"), nil
	case "coalesce", "ifnull":
		for _, a := range args {
			if a != nil {
				return a, nil
			}
		}
		return nil, nil
	case "concat":
		out := ""
		for _, a := range args {
			if a == nil && !pg {
				return nil, nil
			} else if a != nil {
				out += *a
			}
		}
		return &out, nil
	}
	if len(args) == 0 || !slices.Contains([]string{"upper", "ucase", "lower", "lcase", "length", "char_length", "abs", "round", "trim"}, name) {
		return nil, errNoFunction
	}
	v := args[0]
	if v == nil {
		return nil, nil
	}
	f, _ := strconv.ParseFloat(*v, 64)
	switch name {
	case "upper", "ucase":
		return text(strings.ToUpper(*v)), nil
	case "lower", "lcase":
		return text(strings.ToLower(*v)), nil
	case "length":
		if !pg {
			return text(strconv.Itoa(len(*v))), nil
		}
		fallthrough
	case "char_length":
		return text(strconv.Itoa(len([]rune(*v)))), nil
	case "trim":
		return text(strings.Trim(*v, " ")), nil
	case "abs":
		return text(number(math.Abs(f))), nil
	}
	places := 0
	if len(args) > 1 && args[1] != nil {
		places, _ = strconv.Atoi(*args[1])
	}
	places = min(max(places, 0), 15)
	scale := math.Pow10(places)
	return text(strconv.FormatFloat(math.Round(f*scale)/scale, 'f', places, 64)), nil
}

// sqlItem is one entry of a SELECT's list.
type sqlItem struct {
	w    []sqlToken
	star int    // for a *, how many columns; they begin at from
	from int    // the first of them
	head string // the column's name
}

// query is a SELECT; the word itself has been read.
func (r *sqlRun) query() (*sqlResult, error) {
	distinct := r.take("distinct")
	clauses := []string{"from", "where", "group", "having", "order", "limit", "offset"}
	list := sqlList(r.until(clauses...))
	r.cols, r.row, r.aliases = nil, nil, map[string][]sqlToken{}
	for _, w := range list {
		if n := len(w) - 2; n > 0 && strings.EqualFold(w[n].text, "as") {
			r.aliases[strings.ToLower(strings.Trim(w[n+1].text, "`'"))] = w[:n]
		} else if n == 0 || n > 0 && w[n].text == ")" {
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
	var group, order [][]sqlToken
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
	if r.take("order", "by") {
		order = sqlList(r.until(clauses[5:]...))
	}
	limit, offset := -1, 0
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
	type line struct{ out, keys []*string }
	var lines []line
	seen := map[string]bool{}
	var desc []bool
	for gi, g := range groups {
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
		var l line
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
			down := false
			if n := len(o) - 1; n > 0 && (strings.EqualFold(o[n].text, "desc") || strings.EqualFold(o[n].text, "asc")) {
				down, o = strings.EqualFold(o[n].text, "desc"), o[:n]
			}
			if gi == 0 || len(desc) < len(order) {
				desc = append(desc, down)
			}
			v, err := r.orderKey(o, res.Columns, l.out)
			if err != nil {
				return nil, err
			}
			l.keys = append(l.keys, v)
		}
		lines = append(lines, l)
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		for i := range order {
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
	for _, l := range lines {
		res.Rows = append(res.Rows, l.out)
	}
	r.w, r.group = nil, nil
	res.Tag, res.N = fmt.Sprintf("SELECT %d", len(lines)), len(lines)
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
