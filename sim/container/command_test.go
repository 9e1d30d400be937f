package container

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/seed"
)

// machin is pi times 10^n by Machin's formula, another way than pi's.
func machin(n int) *big.Int {
	one := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n+10)), nil)
	arctan := func(x int64) *big.Int {
		term := new(big.Int).Div(one, big.NewInt(x))
		sum, sq := new(big.Int).Set(term), big.NewInt(x*x)
		for k := int64(3); term.Sign() != 0; k += 2 {
			term.Div(term, sq)
			t := new(big.Int).Div(term, big.NewInt(k))
			if k%4 == 3 {
				t.Neg(t)
			}
			sum.Add(sum, t)
		}
		return sum
	}
	p := new(big.Int).Mul(arctan(5), big.NewInt(16))
	p.Sub(p, new(big.Int).Mul(arctan(239), big.NewInt(4)))
	return p
}

func TestPi(t *testing.T) {
	all := machin(2100).String()
	for _, n := range []int{1, 2, 3, 4, 5, 7, 50, 100, 763, 764, 765, 768, 769, 770, 999, 1000, 2000} {
		want, _ := new(big.Int).SetString(all[:n], 10)
		if all[n] >= '5' {
			want.Add(want, big.NewInt(1))
		}
		got := pi(n, func() {})
		if text := strings.Replace(got, ".", "", 1); text != want.String() || n > 1 && got[1] != '.' {
			t.Errorf("pi(%d) = %s, want the digits %s", n, got, want)
		}
	}
}

// store is a container whose program is a store that listens.
func store(t testing.TB, name string, env ...string) *server {
	clk := clock.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	rt := New(Options{Clock: clk, Kernel: kernel.New(clk), Network: network.New(), Seed: seed.New(1)})
	img, err := rt.Images.Resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	c := rt.NewSandbox(SandboxConfig{UID: "u", Name: "p"}).Create(Config{Name: "c", Image: img, Argv: img.Argv(nil, nil), Env: env, UID: -1, GID: -1})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		next, ok := clk.Next()
		if !ok {
			return c.main.srv
		}
		clk.Step(next)
	}
}

// Whatever is sent to a store, it answers in its protocol or not at all.
func FuzzRedis(f *testing.F) {
	for _, s := range []string{"PING\r\n", "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "*-1\r\n", "*1\r\n$-5\r\n", "SET a 'b c' EX 10", "LPUSH l 1 2\nLRANGE l -5 1\nLPOP l\nLPOP l\nLPOP l", "KEYS [", "INCR", "HSET h a b c", "CONFIG GET *\nINFO"} {
		f.Add(s)
	}
	s := store(f, "redis")
	f.Fuzz(func(t *testing.T, text string) {
		resp := s.serveRedis(nil, &network.Request{Method: network.Raw, Body: []byte(text)})
		in := bufio.NewReader(bytes.NewReader(resp.Body))
		for {
			if _, err := in.Peek(1); err != nil {
				return
			}
			if _, err := decodeRedis(in); err != nil {
				t.Fatalf("%q: answered %q", text, resp.Body)
			}
		}
	})
}

func FuzzSQL(f *testing.F) {
	for _, s := range []string{"select 1", "create table t (a int, b text); insert into t values (1,'x'),(2,null); select * from t where a=1", "select", "insert into t (", "insert into t values", "update t set a=", "select a from t order by", "select count(*) from", "select * from t limit", "drop table if exists", "create table", "'", "select now(", "delete from t where a", "use", "select , from t",
		"select x.a, count(*) n from t x left join t y on x.a=y.b where x.a in (select a from t) and not b like '%_' group by 1 having n > 0 order by 2 desc, a limit 1, 2", "select (((1+-2)*3)/0)||'a'::b is not null", "alter table t add c int default (1", "update t set a=(select a from t), b=coalesce(b,", "show variables like '%%%'", "describe t\\G"} {
		f.Add(s)
	}
	s := store(f, "mysql:8.0", "MYSQL_ROOT_PASSWORD=x")
	f.Fuzz(func(t *testing.T, text string) {
		body, _ := json.Marshal(sqlRequest{User: "root", Password: "x", Database: "d", Text: text})
		_ = s.saveSQL(&sqlData{Users: map[string]string{"root": "x"}, DBs: map[string]map[string]*sqlTable{"d": {"t": {Columns: []string{"a", "b"}, Rows: [][]*string{{nil, nil}}}}}})
		var out sqlReply
		if err := json.Unmarshal(s.serveSQL(nil, &network.Request{Method: network.Raw, Body: body}).Body, &out); err != nil {
			t.Fatal(err)
		}
		for _, res := range out.Results {
			for _, row := range res.Rows {
				if len(row) != len(res.Columns) {
					t.Fatalf("%q: %d columns, a row of %d", text, len(res.Columns), len(row))
				}
			}
		}
	})
}

// display is a terminal of tests.
type display struct{ program.Terminal }

// run runs a client in a container and returns what it prints.
func run(s *server, command, input string, tty program.Terminal) string {
	return runArgs(s, strings.Fields(command), input, tty)
}

func runArgs(s *server, argv []string, input string, tty program.Terminal) string {
	var out bytes.Buffer
	c := &program.Context{Net: s.c.sb.ns, Stdin: strings.NewReader(input), Stdout: &out, Stderr: &out, TTY: tty, Env: map[string]string{}, FS: s.c.FS()}
	if status := s.c.command(s.c.Image.Programs[argv[0]])(c, argv); status != 0 {
		fmt.Fprintf(&out, "[%d]\n", status)
	}
	return out.String()
}

// converse runs a client as a reader would, with what they type.
func converse(t *testing.T, s *server, command, keys string) string {
	t.Helper()
	return run(s, command, keys, display{})
}

// Every image's default program starts with its usual environment, and what it
// opens is closed again when the container is stopped.
func TestEveryImageStarts(t *testing.T) {
	for _, name := range image.Default().Names() {
		clk := clock.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		k := kernel.New(clk)
		rt := New(Options{Clock: clk, Kernel: k, Network: network.New(), Seed: seed.New(1)})
		img, err := rt.Images.Resolve(name)
		if err != nil {
			continue // no tag latest
		}
		c := rt.NewSandbox(SandboxConfig{UID: "u", Name: "p"}).Create(Config{Name: "c", Image: img, Argv: img.Argv(nil, nil), UID: -1, GID: -1,
			Env: []string{"MYSQL_ROOT_PASSWORD=x", "POSTGRES_PASSWORD=x", "PORT=8080"}})
		if c.Start() != nil {
			continue // its program is a tool, and here are none
		}
		clk.AdvanceTo(clk.Now().Add(20 * time.Second))
		for k.Step() {
		}
		if c.State == Exited && c.ExitCode != 0 {
			lines, _ := c.Log().Lines(0)
			t.Errorf("%s ends with %d: %v", name, c.ExitCode, lines)
		}
		c.Stop(time.Second)
		clk.AdvanceTo(clk.Now().Add(2 * time.Second))
		if c.State != Exited {
			t.Errorf("%s is still %s after its grace period", name, c.State)
		}
		for port := range 65536 {
			if c.sb.ns.Listening(port) {
				t.Errorf("%s still listens on %d", name, port)
			}
		}
	}
}
