// The programs of images that are commands: they run as processes of the
// kernel, read their input, print and end. Interpreters say which languages the
// simulation does not run; perl knows the documentation's digits of pi.

package container

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/program"
)

// invocation is one run of a command.
type invocation struct {
	*program.Context
	c    *Container
	b    *image.Behaviour
	args []string
}

// command is the program of a behaviour that is a command, nil for servers.
func (c *Container) command(b *image.Behaviour) program.Program {
	var fn func(*invocation) int
	switch b.Kind {
	case "print":
		fn = printCommand
	case "perl":
		fn = perlCommand
	case "redis-cli":
		fn = redisClient
	case "mysql", "psql":
		fn = sqlClient
	case "mongosh":
		fn = mongoShell
	case "rabbitmqctl":
		fn = rabbitControl
	default:
		return nil
	}
	return func(ctx *program.Context, args []string) int { return fn(&invocation{ctx, c, b, args}) }
}

// mode is what a program does when it is started with these arguments: the
// longest entry of Modes that they begin with decides.
func mode(b *image.Behaviour, args []string) *image.Behaviour {
	line, best := strings.Join(args[1:], " ")+" ", ""
	for k := range b.Modes {
		if strings.HasPrefix(line, k+" ") && len(k) >= len(best) {
			best = k
		}
	}
	if m, ok := b.Modes[best]; ok && best != "" {
		return &m
	}
	return b
}

// text fills in a template for a command.
func (v *invocation) text(t string) string {
	s := &server{c: v.c, b: v.b, args: v.args, env: v.Env}
	return s.expand(t, nil)
}

func (v *invocation) fail(code int, format string, args ...any) int {
	fmt.Fprintf(v.Stderr, format+"\n", args...)
	return code
}

// reach reports whether something listens there.
func (v *invocation) reach(host string, port int) error {
	_, err := v.send(host, port, nil)
	if e, ok := err.(*network.Error); ok && e.Kind != network.Refused && e.Kind != network.NoHost && e.Kind != network.Timeout && e.Kind != network.Unreachable {
		return nil // it took the connection
	}
	return err
}

// send writes to a server that does not speak HTTP and returns its answer.
func (v *invocation) send(host string, port int, data []byte) ([]byte, error) {
	resp, err := v.Net.Do(v.Proc, host, port, &network.Request{Method: network.Raw, Body: data})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// printCommand answers known arguments, after its server has answered if it has
// one, and says that it can do no more.
func printCommand(v *invocation) int {
	line := strings.Join(v.args[1:], " ")
	answer, ok := v.b.Answers[line]
	for k, a := range v.b.Answers {
		if k != "" && strings.HasSuffix(line, " "+k) {
			answer, ok = a, true
		}
	}
	if !ok {
		answer, ok = v.b.Answers["*"]
	}
	if line == "" && v.TTY != nil {
		ok = false
	}
	if ok && v.b.Port != 0 {
		s := &server{c: v.c, b: v.b, args: v.args, env: v.Env}
		host := "localhost"
		for _, f := range []string{"h", "host"} {
			if h, found := s.flag(f); found {
				host = h
			}
		}
		if v.reach(host, s.port()) != nil {
			return v.fail(max(v.b.Code, 1), "%s", v.text(v.b.Refused))
		}
	}
	if !ok {
		return v.fail(max(v.b.Code, 1), "%s", v.text(v.b.Missing))
	}
	if answer != "" {
		fmt.Fprintln(v.Stdout, v.text(answer))
	}
	return 0
}

// perlCommand runs print, sleep and exit.
func perlCommand(v *invocation) int {
	script, newline, given := "", "", false
	args := v.args[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		a := args[0]
		args = args[1:]
		switch {
		case a == "-v" || a == "--version":
			part := append(strings.Split(v.c.Image.Version, "."), "0", "0")
			fmt.Fprintf(v.Stdout, "\nThis is perl %s, version %s, subversion %s (v%s) built for x86_64-linux-gnu\n\n", part[0], part[1], part[2], v.c.Image.Version)
			return 0
		case strings.HasPrefix(a, "-M"):
		default:
			if strings.Contains(a, "l") {
				newline = "\n"
			}
			if strings.HasSuffix(a, "e") || strings.HasSuffix(a, "E") {
				if len(args) == 0 {
					return v.fail(29, "No code specified for %s.", a[:1]+a[len(a)-1:])
				}
				script, given, args = script+args[0]+"\n", true, args[1:]
			}
		}
	}
	if !given && len(args) > 0 {
		data, err := v.FS.ReadFile(args[0])
		if err != nil {
			return v.fail(2, "Can't open perl script \"%s\": No such file or directory", args[0])
		}
		script = string(data)
	} else if !given {
		data, _ := io.ReadAll(v.Stdin)
		script = string(data)
	}
	for _, line := range strings.FieldsFunc(script, func(r rune) bool { return r == ';' || r == '\n' }) {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(strings.Replace(line, "(", " (", 1), " ")
		rest = strings.TrimSpace(rest)
		n, isNumber := strconv.Atoi(strings.Trim(rest, "( )"))
		switch {
		case line == "" || line[0] == '#' || word == "use":
		case word == "print" || word == "say":
			out, ok := v.perlText(strings.Replace(rest, " (", "(", 1))
			if !ok {
				return v.perlSorry(line)
			}
			if word == "say" && newline == "" {
				out += "\n"
			}
			fmt.Fprint(v.Stdout, out+newline)
		case word == "sleep" && isNumber == nil:
			if v.Proc.Sleep(time.Duration(n)*time.Second) != nil {
				return 130
			}
		case word == "exit" && isNumber == nil:
			return n & 255
		default:
			return v.perlSorry(line)
		}
	}
	return 0
}

func (v *invocation) perlSorry(line string) int {
	return v.fail(255, "perl: this container is simulated and understands only print (strings, numbers, bpi), sleep and exit, not: %s", line)
}

// perlText is the value of a literal or of bpi(N).
func (v *invocation) perlText(expr string) (string, bool) {
	if rest, ok := strings.CutPrefix(expr, "bpi"); ok {
		n := 40
		if arg := strings.Trim(rest, "( )"); arg != "" {
			var err error
			if n, err = strconv.Atoi(arg); err != nil || n < 1 || n > 1_000_000 {
				return "", false
			}
		}
		// Math::BigFloat takes some seconds for 2000 digits.
		took := 3 * time.Second * time.Duration(n) * time.Duration(n) / 4_000_000
		v.c.cpu.busy += 1000
		err := v.Proc.Sleep(took)
		v.c.cpu.busy -= 1000
		return pi(n, v.Proc.Tick), err == nil
	}
	if len(expr) > 1 && (expr[0] == '"' || expr[0] == '\'') && expr[len(expr)-1] == expr[0] && strings.Count(expr, expr[:1]) == 2 {
		s := expr[1 : len(expr)-1]
		if expr[0] == '"' {
			if strings.ContainsAny(s, "$@") {
				return "", false
			}
			s = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`).Replace(s)
		}
		return s, true
	}
	_, err := strconv.ParseFloat(expr, 64)
	return expr, err == nil
}

// pi is the number to n digits, rounded: a spigot that gives four digits a turn.
func pi(n int, tick func()) string {
	const base = 10000
	turns := n/4 + 3
	a := make([]uint32, turns*14+1)
	for i := range a {
		a[i] = base / 5
	}
	var digits []byte
	rest := uint64(0)
	for c := turns * 14; c > 0; c -= 14 {
		d := uint64(0)
		for b := c; ; {
			g := uint64(2*b - 1)
			d += uint64(a[b]) * base
			a[b] = uint32(d % g)
			d /= g
			if b--; b == 0 {
				break
			}
			d *= uint64(b)
		}
		tick()
		four := rest + d/base
		rest = d % base
		for i := len(digits) - 1; four >= base; i-- { // a carry into what is there
			if digits[i]++; digits[i] <= '9' {
				four -= base
			} else {
				digits[i] = '0'
			}
		}
		digits = append(digits, fmt.Sprintf("%04d", four)...)
	}
	up := digits[n] >= '5'
	digits = digits[:n]
	for i := n - 1; up && i >= 0; i-- {
		if digits[i]++; digits[i] <= '9' {
			up = false
		} else {
			digits[i] = '0'
		}
	}
	if n == 1 {
		return string(digits)
	}
	return string(slices.Insert(digits, 1, '.'))
}
