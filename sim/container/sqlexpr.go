// Expressions of SQL: operators, functions, subqueries, aggregates,
// worked out word by word for each row.

package container

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// eval works out the expression that the words are.
func (r *sqlRun) eval(w []sqlToken) (*string, error) {
	r.w = w
	v, err := r.expr(0)
	if err == nil && len(r.w) > 0 {
		err = r.wrong()
	}
	return v, err
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
var sqlReserved = strings.Fields("from where group order limit offset having on join inner left right cross select set values as and or in is like between by asc desc case interval cast exists distinct union table into when then else end")

// choice is CASE, with a subject or without.
func (r *sqlRun) choice() (v *string, err error) {
	r.word()
	var subject *string
	simple := !strings.EqualFold(r.peek(), "when")
	if simple {
		if subject, err = r.expr(0); err != nil {
			return nil, err
		}
	}
	met := false
	for n := 0; r.take("when"); n++ {
		when, err := r.expr(0)
		if err != nil {
			return nil, err
		}
		if !r.take("then") {
			return nil, r.wrong()
		}
		then, err := r.expr(0)
		if err != nil {
			return nil, err
		}
		hit := truth(when)
		if simple {
			hit = subject != nil && when != nil && r.compare(*subject, *when) == 0
		}
		if hit && !met {
			v, met = then, true
		}
	}
	if r.take("else") {
		other, err := r.expr(0)
		if err != nil {
			return nil, err
		}
		if !met {
			v = other
		}
	}
	if !r.take("end") {
		return nil, r.wrong()
	}
	return v, nil
}

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
	case low == "case":
		return r.choice()
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
