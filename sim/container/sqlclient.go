// The command line clients of the simulated databases, mysql (mariadb) and psql:
// their flags, the statements that they are given or that a reader types line by
// line, and how they show what comes back.

package container

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/network"
)

// sqlClientRun is one run of a client.
type sqlClientRun struct {
	*invocation
	pg, bare, box bool
	talk          bool // a reader types
	sqlRequest
	host string
	port int
	seen bool // the server has answered
}

func (c *sqlClientRun) local() bool { return c.host == "" || c.host == "localhost" }

// sqlClient is mysql (mariadb) and psql.
func sqlClient(v *invocation) int {
	c := &sqlClientRun{invocation: v, pg: v.b.Kind == "psql", box: v.TTY != nil, port: v.b.Port}
	c.User = "root"
	file, ask := "", false
	var commands []string
	if c.pg {
		c.User, c.Database, c.Password = "postgres", v.Env["PGDATABASE"], v.Env["PGPASSWORD"]
		c.host = v.Env["PGHOST"]
		if u := v.Env["PGUSER"]; u != "" {
			c.User = u
		}
	}
	args := v.args[1:]
	// value is a flag's: the rest of the word or the next word.
	value := func(a, short, long string) (string, bool) {
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
	if c.pg {
		database, execute, dbFlag, user, executeFlag = "dbname", "command", "-d", "-U", "-c"
	}
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		switch {
		case !strings.HasPrefix(a, "-"):
			if c.Database != "" && c.pg {
				c.User = a
			} else {
				c.Database = a
			}
			if strings.HasPrefix(a, "postgres") && strings.Contains(a, "://") {
				c.url(a)
			}
			continue
		case a == "-V" || a == "--version":
			if c.pg {
				fmt.Fprintf(v.Stdout, "psql (PostgreSQL) %s\n", v.c.Image.Version)
			} else {
				fmt.Fprintf(v.Stdout, "%s  Ver %s for Linux on x86_64\n", path.Base(v.args[0]), v.c.Image.Version)
			}
			return 0
		case !c.pg && (a == "-p" || a == "--password"):
			ask = true
			continue
		case !c.pg && (strings.HasPrefix(a, "-p") || strings.HasPrefix(a, "--password=")):
			c.Password, _ = value(a, "-p", "password")
			if !strings.HasPrefix(path.Base(v.args[0]), "mariadb") {
				fmt.Fprintln(v.Stderr, "mysql: [Warning] Using a password on the command line interface can be insecure.")
			}
			continue
		case c.pg && len(a) > 2 && a[1] != '-' && strings.Trim(a[1:], "tAqXwc") == "":
			// flags in one word: -tAc
			c.bare = c.bare || strings.Contains(a, "t")
			if a[len(a)-1] != 'c' {
				continue
			}
			a = "-c"
		case a == "-N" || a == "--skip-column-names" || c.pg && (a == "-t" || a == "--tuples-only"):
			c.bare = true
			continue
		case a == "-t" || a == "--table":
			c.box = true
			continue
		case !c.pg && len(a) > 2 && a[1] != '-' && strings.Trim(a[1:], "tNsBrqe") == "":
			// flags in one word: -sNe
			c.bare, c.box = c.bare || strings.Contains(a, "N"), c.box || strings.Contains(a, "t")
			if a[len(a)-1] != 'e' {
				continue
			}
			a = "-e"
		}
		if x, ok := value(a, "-h", "host"); ok {
			c.host = x
		} else if x, ok := value(a, "-P", "port"); ok && !c.pg {
			c.port, _ = strconv.Atoi(x)
		} else if x, ok := value(a, "-p", "port"); ok && c.pg {
			c.port, _ = strconv.Atoi(x)
		} else if x, ok := value(a, user, map[bool]string{true: "username", false: "user"}[c.pg]); ok {
			c.User = x
		} else if x, ok := value(a, dbFlag, database); ok {
			c.Database = x
		} else if x, ok := value(a, executeFlag, execute); ok {
			commands = append(commands, x)
		} else if x, ok := value(a, "-f", "file"); ok && c.pg {
			file = x
		}
	}
	if c.pg && c.Database == "" {
		c.Database = c.User
	}
	in := bufio.NewReader(v.Stdin)
	if ask && v.TTY != nil {
		fmt.Fprint(v.Stdout, "Enter password: ")
		line, _ := in.ReadString('\n')
		c.Password = strings.TrimRight(line, "\r\n")
	}
	if code := c.send(sqlStatement{line: 1}); code != 0 {
		return code // the connection itself
	}
	switch {
	case commands != nil && c.pg: // each for itself; the last one's status is psql's
		code := 0
		for _, command := range commands {
			if code = c.all(command, true); code == 2 {
				break
			}
		}
		return code
	case commands != nil:
		return c.all(strings.Join(commands, ";"), true)
	case file != "":
		data, err := v.FS.ReadFile(v.Path(file))
		if err != nil {
			return v.fail(1, "psql: error: %s: No such file or directory", file)
		}
		return c.all(string(data), false)
	case v.TTY == nil:
		data, _ := io.ReadAll(in)
		return c.all(string(data), !c.pg)
	}
	return c.converse(in)
}

// url reads psql's postgresql://user:password@host:port/database.
func (c *sqlClientRun) url(s string) {
	_, s, _ = strings.Cut(s, "://")
	s, _, _ = strings.Cut(s, "?")
	s, c.Database, _ = strings.Cut(s, "/")
	if who, at, ok := strings.Cut(s, "@"); ok {
		c.User, c.Password, _ = strings.Cut(who, ":")
		s = at
	}
	host, port, ok := strings.Cut(s, ":")
	if c.host = host; ok {
		c.port, _ = strconv.Atoi(port)
	}
}

// sqlStatement is one statement of a client's text.
type sqlStatement struct {
	text     string
	line     int  // where it begins
	vertical bool // \G: a column a line
}

// split takes the statements that are complete from a text; all takes what
// remains as one, too. rest is what is still open, and open its quote.
func (c *sqlClientRun) split(text string, all bool) (out []sqlStatement, rest string, open byte) {
	tokens, open := sqlTokens(text, c.pg)
	from := 0
	add := func(end, after int, vertical bool) {
		st := text[from:end]
		begin := from + len(st) - len(strings.TrimLeft(st, " \t\r\n"))
		if st = strings.TrimSpace(st); st != "" {
			out = append(out, sqlStatement{st, 1 + strings.Count(text[:begin], "\n"), vertical})
		}
		from = after
	}
	first, end := true, 0
	for _, t := range tokens {
		switch {
		case t.at < from:
		case first && c.pg && t.text[0] == '\\': // psql's own, to the end of the line
			if end = strings.IndexByte(text[t.at:], '\n'); end < 0 {
				end = len(text) - t.at
			}
			add(t.at+end, t.at+end, false)
		case t.text == ";" || !c.pg && (t.text == `\G` || t.text == `\g`):
			add(t.at, t.end, t.text == `\G`)
			first = true
			continue
		case t.text == `\c` && !c.pg: // forget it
			from = t.end
		default:
			first = false
			continue
		}
		first = true
	}
	if all && len(tokens) > 0 && tokens[len(tokens)-1].at >= from {
		add(len(text), len(text), false)
	}
	return out, text[from:], open
}

// all sends the statements of a text; stop ends it at the first error.
func (c *sqlClientRun) all(text string, stop bool) int {
	statements, _, _ := c.split(text, true)
	for _, st := range statements {
		if quit(st.text) {
			return 0
		}
		if code := c.send(st); code != 0 && (stop || code == 2) {
			return code
		}
	}
	return 0
}

// quit reports whether a line leaves the client.
func quit(line string) bool {
	switch strings.ToLower(strings.TrimRight(strings.TrimSpace(line), ";")) {
	case "exit", "quit", `\q`:
		return true
	}
	return false
}

// converse reads statements from a reader, line by line.
func (c *sqlClientRun) converse(in *bufio.Reader) int {
	c.talk = true
	maria := (&server{c: c.c}).mariadb()
	switch {
	case c.pg:
		fmt.Fprintf(c.Stdout, "psql (%s)\nType \"help\" for help.\n\n", c.c.Image.Version)
	case maria:
		fmt.Fprintf(c.Stdout, "Welcome to the MariaDB monitor.  Commands end with ; or \\g.\nYour MariaDB connection id is 8\nServer version: %s-MariaDB mariadb.org binary distribution\n\nType 'help;' or '\\h' for help. Type '\\c' to clear the current input statement.\n\n", c.c.Image.Version)
	default:
		fmt.Fprintf(c.Stdout, "Welcome to the MySQL monitor.  Commands end with ; or \\g.\nYour MySQL connection id is 8\nServer version: %s MySQL Community Server - GPL\n\nType 'help;' or '\\h' for help. Type '\\c' to clear the current input statement.\n\n", c.c.Image.Version)
	}
	text, open := "", byte(0)
	for {
		begun := strings.TrimSpace(text) != ""
		mark := "="
		switch {
		case open != 0 && (c.pg || begun):
			mark = string(open)
		case begun:
			mark = "-"
		}
		switch {
		case c.pg:
			end := ">"
			if c.User == "postgres" || c.User == c.Env["POSTGRES_USER"] {
				end = "#"
			}
			fmt.Fprintf(c.Stdout, "%s%s%s ", c.Database, mark, end)
		case begun:
			fmt.Fprintf(c.Stdout, "    %s> ", map[bool]string{true: "-", false: mark}[mark == "-"])
		case maria:
			name := c.Database
			if name == "" {
				name = "(none)"
			}
			fmt.Fprintf(c.Stdout, "MariaDB [%s]> ", name)
		default:
			fmt.Fprint(c.Stdout, "mysql> ")
		}
		line, err := in.ReadString('\n')
		if err != nil && line == "" || !begun && quit(line) {
			switch {
			case c.pg && err != nil:
				fmt.Fprintln(c.Stdout, `\q`)
			case !c.pg:
				fmt.Fprintln(c.Stdout, "Bye")
			}
			return 0
		}
		if first, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(line)), " "); !c.pg && !begun && first == "use" {
			line = strings.TrimRight(line, "; \r\n") + ";" // the client's own, which needs no ;
		}
		var statements []sqlStatement
		statements, text, open = c.split(text+line, false)
		if strings.TrimSpace(text) == "" {
			text = ""
		}
		for _, st := range statements {
			if quit(st.text) {
				return 0
			}
			if code := c.send(st); code == 2 && c.seen {
				c.seen = false
			}
		}
	}
}

// send has the server do one statement and shows what it answers. The status is
// 2 when there is no connection.
func (c *sqlClientRun) send(st sqlStatement) int {
	v := c.invocation
	c.Text = st.text
	body, _ := json.Marshal(c.sqlRequest)
	at := c.host
	if c.local() {
		at = "127.0.0.1"
	}
	lost := map[bool]int{true: 2, false: 1}[c.pg]
	data, err := v.send(at, c.port, body)
	if err != nil {
		return v.fail(lost, "%s", sqlRefused(c.pg, c.local(), c.host, c.port, err))
	}
	var out sqlReply
	if json.Unmarshal(data, &out) != nil {
		return v.fail(1, "ERROR 2013 (HY000): Lost connection to MySQL server at 'reading initial communication packet'")
	}
	c.seen = true
	if out.Error == "" {
		c.Database = out.Database
	}
	for _, res := range out.Results {
		switch {
		case c.pg:
			printPostgres(v.Stdout, res, c.bare)
		case st.vertical:
			printVertical(v.Stdout, res)
		case c.box:
			printBox(v.Stdout, res)
		default:
			printTabs(v.Stdout, res, c.bare)
		}
		if c.talk && !c.pg {
			c.feedback(res)
		}
	}
	switch {
	case out.Error == "":
		return 0
	case c.pg && strings.HasPrefix(out.Error, "FATAL") && st.text == "":
		at := fmt.Sprintf("connection to server on socket \"/var/run/postgresql/.s.PGSQL.%d\" failed: ", c.port)
		if !c.local() {
			at = fmt.Sprintf("connection to server at \"%s\", port %d failed: ", c.host, c.port)
		}
		return v.fail(2, "psql: error: %s%s", at, out.Error)
	case c.pg:
		return v.fail(1, "%s", caret(out.Error, st.text, out.At))
	case c.talk || st.text == "":
	default:
		// Only errors of a statement are told where it stands.
		out.Error = strings.Replace(out.Error, "):", fmt.Sprintf(") at line %d:", st.line), 1)
	}
	v.fail(1, "%s", out.Error)
	if c.talk {
		fmt.Fprintln(v.Stderr)
	}
	return 1
}

// caret shows where in a statement an error is, as psql does.
func caret(message, text string, at int) string {
	if at < 1 || at > len(text)+1 {
		return message
	}
	begin := strings.LastIndexByte(text[:at-1], '\n') + 1
	line, _, _ := strings.Cut(text[begin:], "\n")
	where := fmt.Sprintf("LINE %d: ", 1+strings.Count(text[:at-1], "\n"))
	if !strings.HasSuffix(line, ";") && begin+len(line) == len(text) {
		line += ";"
	}
	return message + "\n" + where + line + "\n" + strings.Repeat(" ", len(where)+at-1-begin) + "^"
}

// feedback is what the mysql client says after a statement.
func (c *sqlClientRun) feedback(res sqlResult) {
	s := "s"
	if res.N == 1 {
		s = ""
	}
	switch {
	case res.Tag == "USE":
		fmt.Fprintln(c.Stdout, "Database changed")
		return
	case res.Columns != nil:
		n := len(res.Rows)
		if s = "s"; n == 1 {
			s = ""
		}
		if n == 0 {
			fmt.Fprint(c.Stdout, "Empty set (0.00 sec)\n\n")
		} else {
			fmt.Fprintf(c.Stdout, "%d row%s in set (0.00 sec)\n\n", n, s)
		}
		return
	}
	fmt.Fprintf(c.Stdout, "Query OK, %d row%s affected (0.01 sec)\n", res.N, s)
	switch word, _, _ := strings.Cut(res.Tag, " "); {
	case word == "INSERT" && res.N > 1:
		fmt.Fprintf(c.Stdout, "Records: %d  Duplicates: 0  Warnings: 0\n", res.N)
	case word == "UPDATE":
		fmt.Fprintf(c.Stdout, "Rows matched: %d  Changed: %d  Warnings: 0\n", res.N, res.N)
	}
	fmt.Fprintln(c.Stdout)
}

// printVertical is mysql's \G.
func printVertical(w io.Writer, res sqlResult) {
	width := 0
	for _, c := range res.Columns {
		width = max(width, len(c))
	}
	const stars = "***************************"
	for i, row := range res.Rows {
		fmt.Fprintf(w, "%s %d. row %s\n", stars, i+1, stars)
		for k, v := range cells(row, "NULL") {
			fmt.Fprintf(w, "%*s: %s\n", width, res.Columns[k], v)
		}
	}
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
	right := make([]bool, len(ws)) // columns of numbers
	for i := range ws {
		for _, row := range res.Rows {
			if row[i] != nil && !res.Text {
				right[i] = numeric(*row[i])
				if !right[i] {
					break
				}
			}
		}
	}
	row := func(vs []string, head bool) {
		for i, v := range vs {
			if !head && right[i] {
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
	ws := make([]int, len(res.Columns))
	total := 0
	for i, c := range res.Columns {
		ws[i] = len(c)
		for _, row := range res.Rows {
			for _, l := range strings.Split(cells(row, "")[i], "\n") {
				ws[i] = max(ws[i], len(l))
			}
		}
		total += ws[i] + 3
	}
	if res.Title != "" {
		fmt.Fprintf(w, "%s%s\n", strings.Repeat(" ", max(0, total-1-len(res.Title))/2), res.Title)
	}
	var head, line []string
	for i, c := range res.Columns {
		left := (ws[i] - len(c)) / 2
		head = append(head, strings.Repeat(" ", left+1)+c+strings.Repeat(" ", ws[i]-len(c)-left+1))
		line = append(line, strings.Repeat("-", ws[i]+2))
	}
	fmt.Fprintf(w, "%s\n%s\n", strings.Join(head, "|"), strings.Join(line, "+"))
	for _, r := range res.Rows {
		vs := cells(r, "")
		for more := true; more; {
			more = false
			for i, v := range vs {
				v, rest, wraps := strings.Cut(v, "\n")
				vs[i] = rest
				more = more || wraps
				last := i == len(r)-1
				switch {
				case numeric(v):
					fmt.Fprintf(w, " %*s", ws[i], v)
				case last && !wraps:
					fmt.Fprintf(w, " %s", v)
				default:
					fmt.Fprintf(w, " %-*s", ws[i], v)
				}
				if wraps {
					fmt.Fprint(w, "+")
				}
				if !last && wraps {
					fmt.Fprint(w, "|")
				} else if !last {
					fmt.Fprint(w, " |")
				}
			}
			fmt.Fprintln(w)
		}
	}
	if strings.HasPrefix(res.Title, "Table ") { // \d has a footer of its own
		fmt.Fprint(w, strings.TrimPrefix(res.Tag+"\n\n", "\n"))
		return
	}
	rows := "rows"
	if len(res.Rows) == 1 {
		rows = "row"
	}
	fmt.Fprintf(w, "(%d %s)\n\n", len(res.Rows), rows)
}
