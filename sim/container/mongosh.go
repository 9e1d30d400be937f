// mongosh, the client of MongoDB.

package container

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/network"
)

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
