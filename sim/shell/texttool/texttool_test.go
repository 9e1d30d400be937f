// Tests of awk and jq: typed lines whose output is fixed here, and compared with
// the machine's own awk and jq where they are installed.

package texttool_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/shell"
	"github.com/kubonsai/kubonsai/sim/shell/texttool"
	"github.com/kubonsai/kubonsai/sim/shell/tool"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

var files = map[string]string{
	"people":   "ann 31 paris\nbob 25 rome\ncid 40 oslo\n",
	"more":     "dan 7 bern\n",
	"csv":      "a,b,c\n1,2,3\n",
	"prog.awk": "BEGIN { n = 0 }\n# count\n{ n++ } # each\nEND { print n }\n",
	"para":     "a b\nc\n\n\nd e\n",
	"pod.json": `{"kind":"Pod","metadata":{"name":"web","labels":{"app":"web","tier":"front"}},"spec":{"containers":[{"name":"c","image":"nginx"},{"name":"side","image":"busybox"}]},"n":[3,1,2]}` + "\n",
	"two.json": "{\"b\":1,\"a\":2}\n{\"b\":3,\"a\":4}\n",
	"bad.json": "No resources found\n",
	"f.jq":     ".metadata.name\n",
}

type machine struct {
	clock *clock.Clock
	k     *kernel.Kernel
	fs    *vfs.FS
	tools program.Program
}

func newMachine(tools program.Program) *machine {
	m := &machine{tools: tools, clock: clock.New(time.Date(2026, 11, 22, 2, 14, 45, 0, time.UTC))}
	m.k = kernel.New(m.clock)
	m.fs = vfs.New(m.clock.Now)
	_ = m.fs.MkdirAll("/tmp/w", 0o755)
	m.fs.AddDevices(strings.NewReader(""))
	for n, s := range files {
		_ = m.fs.WriteFile("/tmp/w/"+n, []byte(s), 0o644)
	}
	return m
}

func (m *machine) spawn(script string, out, errOut *bytes.Buffer) *kernel.Proc {
	programs := tool.All()
	for _, n := range texttool.Names {
		programs[n] = m.tools
	}
	for n, p := range shell.Programs(shell.Bash) {
		programs[n] = p
	}
	c := &program.Context{
		FS: m.fs, Dir: "/tmp/w", Env: map[string]string{"HOME": "/root", "PATH": "/usr/bin:/bin"},
		Stdin: strings.NewReader(""), Stdout: out, Stderr: errOut, User: "root", Host: "reader",
		Lookup: func(n string) program.Program { return programs[n] },
	}
	return m.k.Spawn(nil, "bash", func(p *kernel.Proc) int {
		c.Proc = p
		return c.Lookup("bash")(c, []string{"bash", "-c", script})
	})
}

func (m *machine) run(script string) (stdout, stderr string, code int, done bool) {
	var out, errOut bytes.Buffer
	p := m.spawn(script, &out, &errOut)
	far := m.clock.Now().Add(24 * time.Hour)
	for range 100000 {
		if _, end := p.Done(); end || !m.k.Step() && !m.clock.Step(far) {
			break
		}
	}
	code, done = p.Done()
	return out.String(), errOut.String(), code, done
}

type line struct {
	script string
	out    string // "" when the machine's own program is asked
	err    string
	code   int
	only   bool // the machine's program is of another version here
}

var awkLines = []line{
	{script: `awk '{print $1}' people`},
	{script: `awk 'NR==1 || /o/ {print $2,$3; next} {print NR}' people`},
	{script: `awk -F, '{print $2}' csv`},
	{script: `awk -F , -v OFS=- '{$1=$1; print; print NF}' csv`},
	{script: `awk -v n=2 '$2 > 30 {s += $2} END {print s * n}' people`},
	{script: `awk '{print FILENAME, FNR, NR}' people more`},
	{script: `awk '{print x, $1}' x=1 people x=2 more`},
	{script: `awk -f prog.awk people`},
	{script: `cat people | awk '{print $1}' more -`},
	{script: `awk -- '{print NR}' more`},
	{script: `awk -v RS= '{print NR": "$1"|"$NF}' para`},
	{script: `awk 'BEGIN{exit 3} END{print "end"}'`, code: 3},
	{script: `awk 'BEGIN { printf "%5.2f|%-5s|%05d|%x|%c|%%|%e\n", 3.14159, "ab", 42, 255, "hello", 12345.678 }'`},
	{script: `awk 'BEGIN { s = "hello"; gsub(/l/, "[&]", s); print s; print match("foobar", /o+/), RSTART, RLENGTH, substr(s, 2, 3), toupper(s), length(s) }'`},
	{script: `awk '{c[length($1)]++} END {for (k in c) print k, c[k]}' people`},
	{script: `awk '{a[$1]=$2} END {for (k in a) print k, a[k] | "sort"}' people`},
	{script: `awk 'function f(a,  k, n) { for (k in a) { if (k == "x") continue; n += a[k] } return n } BEGIN { t["x"]=1; t["y"]=2; t["z"]=3; print f(t); for (k in t) for (j in t) n++; print n }'`},
	{script: `awk '{print > "o_" $1} END {close("o_bob"); while ((getline l < "o_bob") > 0) print "read", l}' people; cat o_ann o_cid`},
	{script: `awk '{print $1 >> "o"; print $2 > "/dev/stderr"}' people; cat o`},
	{script: `awk 'BEGIN { while (("cat people" | getline l) > 0) n++; print n; "echo 10" | getline x; print (x > 9) ; print NR }'`, out: "3\n1\n4\n", only: true},
	{script: `awk 'BEGIN { print "b" > "o"; fflush("o"); while ((getline l < "o") > 0) print "read", l; print close("o"), close("o") }'`},
	{script: `awk 'BEGIN { "echo a b" | getline; print $2; r = (getline y < "/nofile"); print r; if ((getline z < "more") > 0) print z }'`},
	{script: `awk 'BEGIN { print "b\na" | "sort"; close("sort"); print "after"; r = system("exit 3"); print r; system("echo sys") }'`},
	{script: `awk '{ getline; print } END { print NR }' people`},
	{script: `awk 'NR==1 { nextfile } { print FILENAME, $1 }' people more`},
	{script: `awk 'BEGIN { printf "%s %s %d\n", ARGV[1], ARGV[2], ARGC; ARGV[1] = "" } { print $1 }' people more`},
	{script: `awk 'BEGIN { print ENVIRON["HOME"], length(), substr("hello", 0, 2), index("abc", "c"), int(-3.7), 2**3, 2^-1, 1e6, 0.1+0.2 }'`, out: "/root 0 h 3 -3 8 0.5 1000000 0.3\n", only: true},
	{script: `awk 'BEGIN { srand(1); a = rand(); srand(1); print (a == rand()), srand(5), srand() }' `, out: "1 1 5\n"},
	{script: `awk 'BEGIN { print (2 < 10), ("2" < "10"), ("a" < "b"); print -2^2, !0 !1, 1 " " -1 }'`},
	{script: `echo '5 apples' | awk '{ if ($1 > 3) print "many"; else print "few" }'`},
	{script: `printf 'a:b c:d' | awk -F'[: ]' '{ print $3, NF }'`},
	{script: `printf 'a\tb c\n' | awk -F'\t' '{ print $2 }'`},
	{script: `printf 'a|b\n' | awk -F'|' '{ print $2 }'`},
	{script: `awk 'NR==1, NR==2 { print "r", $1 } END { print $0 }' people`},
	{script: `awk '!seen[$3]++ # comment > here
		{ x = $2 / 5 / 1; print x }' people | tail -1`},
	{script: `yes | awk '{print; n++} n==2{exit}'`},
	{script: `awk 'BEGIN { while (1) print "y" }' | head -2; echo ${PIPESTATUS[0]}`, out: "y\ny\n141\n", only: true},
	{script: `awk '{print $1' people`, err: "awk: line 2: missing } near end of file\n", code: 2},
	{script: `awk '{print $1}}' people`, err: "awk: line 1: extra '}'\nawk: line 1: syntax error at or near end of line\n", code: 2},
	{script: `awk 'BEGIN{print 1 +}'`, err: "awk: line 1: syntax error at or near }\n", code: 2},
	{script: `awk 'BEGIN{foo(1)}'`, err: "awk: line 2: function foo never defined\n", code: 2},
	{script: `awk 'BEGIN{x[1]=1; x=2}'`, err: "awk: line 1: illegal reference to array x\n", code: 2},
	{script: `awk '{ print "abc }' more`, err: "awk: line 1: runaway string constant \"abc } ...\n", code: 2},
	{script: `awk 'BEGIN{next}'`, err: "awk: line 1: improper use of next\n", code: 2},
	{script: `awk 'BEGIN{return 1}'`, err: "awk: line 1: return outside function body\n", code: 2},
	{script: `awk '{print $1}' more nofile`, out: "dan\n", err: "awk: cannot open nofile (No such file or directory)\n", code: 2},
	{script: `awk '{print}' /tmp`, err: "awk: read error (Is a directory)\n", code: 2},
	{script: `awk 'BEGIN{print 1 > "/nodir/x"}'`, err: "awk: cannot open \"/nodir/x\" for output (No such file or directory)\n", code: 2},
	{script: `awk -f nofile`, err: "awk: cannot open nofile (No such file or directory)\n", code: 2},
	{script: `awk --bogus 1`, err: "awk: not an option: --bogus\n", code: 2},
	{script: `awk -v 1=2 'BEGIN{}'`, err: "awk: improper assignment: -v 1=2\n", code: 2},
	{script: `awk 'BEGIN { print systime(), strftime("%Y-%m-%d %H:%M", systime()) }'`, out: "1795313685 2026-11-22 02:14\n", only: true},
	{script: `mawk --version`, out: "mawk 1.3.4 20240123\n", only: true},
}

var jqLines = []line{
	{script: `jq . pod.json`},
	{script: `jq -c . two.json`},
	{script: `jq -S . two.json`},
	{script: `jq --tab .spec pod.json`},
	{script: `jq --indent 1 .metadata pod.json`},
	{script: `jq -r .metadata.name pod.json`},
	{script: `jq -r '.spec.containers[] | "\(.name)\t\(.image)"' pod.json`},
	{script: `jq -c '{name: .metadata.name, image: .spec.containers[0].image, app: .metadata.labels.app}' pod.json`},
	{script: `jq -c '.spec.containers | map({name, img: .image})' pod.json`},
	{script: `jq -c 'keys, (.metadata.labels|to_entries), (.n|sort, add, length, max)' pod.json`},
	{script: `jq -c '.z=1, del(.b), keys_unsorted, to_entries, with_entries(.value+=1), map_values(.+1), tojson' two.json`},
	{script: `jq -s -c . two.json`},
	{script: `jq -s 'map(.a)|add' two.json`},
	{script: `jq -n -c '[1,2,3] | map(.*2)'`},
	{script: `echo '1 2 3' | jq -n -c '[inputs]'`},
	{script: `jq -n -r --arg x 1 --argjson y '{"k":[2]}' '$x, $y.k[0], ($ARGS.named|length)'`},
	{script: `jq -j '.b, "x"' two.json`},
	{script: `printf 'a\nb\n' | jq -R .`},
	{script: `printf 'a\nb\n' | jq -Rs .`},
	{script: `printf '"h\\u00e9\\ud83d\\ude00\\u0001<&>"' | jq -a .`},
	{script: `printf '"h\\u00e9\\ud83d\\ude00\\u0001<&>"' | jq .`},
	{script: `jq -r '[.b,"x y",null]|@csv,@tsv,@sh' two.json | head -3`},
	{script: `jq -r -f f.jq pod.json`},
	{script: `jq -e .b two.json >/dev/null`},
	{script: `jq -e .nope two.json`, code: 1},
	{script: `echo 1 | jq -e empty`, code: 4},
	{script: `jq '.b|debug' two.json`},
	{script: `jq -c 'select(.b > 1)' two.json`},
	{script: `jq -c '[paths]|length' pod.json`},
	{script: `jq -c '[limit(3; range(10))], (reduce range(5) as $i (0; . + $i)), ("a,b"|split(",")), ("abc"|test("B";"i")), ([3,1]|sort), ({} | .a.b = 1)' -n`},
	{script: `echo '1.5 100 -0.25 1e3 0.1' | jq -c .`},
	{script: `jq .a.b two.json`, err: "jq: error (at two.json:1): Cannot index number with string \"b\"\njq: error (at two.json:2): Cannot index number with string \"b\"\n", code: 5},
	{script: `echo 5 | jq .a`, err: "jq: error (at <stdin>:1): Cannot index number with string \"a\"\n", code: 5},
	{script: `printf 5 | jq .a`, err: "jq: error (at <stdin>:0): Cannot index number with string \"a\"\n", code: 5},
	{script: `jq '.metadata.name.first.second' pod.json`, err: "jq: error (at pod.json:1): Cannot index string with string \"first\"\n", code: 5},
	{script: `jq '.spec.containers | map(.name.x)' pod.json`, err: "jq: error (at pod.json:1): Cannot index string with string \"x\"\n", code: 5},
	{script: `jq '.spec.containers.name' pod.json`, err: "jq: error (at pod.json:1): Cannot index array with string \"name\"\n", code: 5},
	{script: `jq '.metadata[0]' pod.json`, err: "jq: error (at pod.json:1): Cannot index object with number\n", code: 5},
	{script: `jq '.items[]' pod.json`, err: "jq: error (at pod.json:1): Cannot iterate over null (null)\n", code: 5},
	{script: `jq '.kind + 1' pod.json`, err: "jq: error (at pod.json:1): string (\"Pod\") and number (1) cannot be added\n", code: 5},
	{script: `jq '.kind|keys' pod.json`, err: "jq: error (at pod.json:1): string (\"Pod\") has no keys\n", code: 5},
	{script: `jq 'error("x")' pod.json`, err: "jq: error (at pod.json:1): x\n", code: 5},
	{script: `jq -c '.metadata|error' pod.json`, err: `jq: error (at pod.json:1) (not a string): {"name":"web","labels":{"app":"web","tier":"front"}}` + "\n", code: 5},
	{script: `jq -n '1|.a'`, err: "jq: error (at <unknown>): Cannot index number with string \"a\"\n", code: 5},
	{script: `jq -n '"bye\n"|halt_error'`, err: "bye\n", code: 5},
	{script: `jq . bad.json`, err: "jq: parse error: Invalid numeric literal at line 1, column 3\n", code: 2, only: true},
	{script: `echo '{"a":1' | jq .`, err: "jq: parse error: Unfinished JSON term at EOF at line 2, column 0\n", code: 2, only: true},
	{script: `echo '{"a" 1}' | jq .`, err: "jq: parse error: Expected separator between values at line 1, column 7\n", code: 2, only: true},
	{script: `echo '[1,]' | jq .`, err: "jq: parse error: Expected another array element at line 1, column 4\n", code: 2, only: true},
	{script: `echo '"abc' | jq .`, err: "jq: parse error: Unfinished string at EOF at line 2, column 0\n", code: 2, only: true},
	{script: `echo '1 [' | jq .`, out: "1\n", err: "jq: parse error: Unfinished JSON term at EOF at line 2, column 0\n", code: 2, only: true},
	{script: `jq .a nofile.json`, err: "jq: error: Could not open nofile.json: No such file or directory\n", code: 2, only: true},
	{script: `jq '.a |' two.json`, err: "jq: error: syntax error, unexpected end of file (Unix shell quoting issues?) at <top-level>, line 1:\n.a |   \njq: 1 compile error\n", code: 3, only: true},
	{script: `jq '.a}' two.json`, err: "jq: error: syntax error, unexpected INVALID_CHARACTER, expecting end of file (Unix shell quoting issues?) at <top-level>, line 1:\n.a}  \njq: 1 compile error\n", code: 3, only: true},
	{script: `jq foo two.json`, err: "jq: error: foo/0 is not defined at <top-level>, line 1:\nfoo\njq: 1 compile error\n", code: 3},
	{script: `jq '$x' two.json`, err: "jq: error: $x is not defined at <top-level>, line 1:\n$x\njq: 1 compile error\n", code: 3},
	{script: `jq -n now`, out: "1795313685\n", only: true},
	{script: `jq --version`, out: "jq-1.7.1\n", only: true},
}

func TestAgainstTheMachine(t *testing.T) {
	for _, c := range append(append([]line{}, awkLines...), jqLines...) {
		out, errOut, code, done := newMachine(ways["linked"]).run(c.script)
		if !done {
			t.Errorf("%s: does not end", c.script)
			continue
		}
		fixed := c.out != "" || c.err != "" || c.only
		if fixed && (out != c.out || errOut != c.err) || code != c.code {
			t.Errorf("%s:\n got %q %q %d\nwant %q %q %d", c.script, out, errOut, code, c.out, c.err, c.code)
		}
		name := strings.Fields(c.script)[0]
		if strings.Contains(c.script, "awk") {
			name = "awk"
		} else {
			name = "jq"
		}
		if _, err := exec.LookPath(name); err != nil || c.only {
			continue
		}
		o, e, n := real(t, c.script)
		if o != out || e != errOut || n != code {
			t.Errorf("%s:\n got %q %q %d\nmachine's %q %q %d", c.script, out, errOut, code, o, e, n)
		}
	}
}

// real runs the line in the machine's own bash.
func real(t *testing.T, script string) (stdout, stderr string, code int) {
	dir := t.TempDir()
	for n, s := range files {
		if err := os.WriteFile(filepath.Join(dir, n), []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Env = dir, []string{"HOME=/root", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	_ = cmd.Run()
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// Nothing that a program names is a file or a command of the machine that runs
// the simulation.
func TestTheMachineIsOutOfReach(t *testing.T) {
	dir := t.TempDir()
	for _, script := range []string{
		`awk 'BEGIN { print "x" > "DIR/f"; print "y" >> "DIR/g"; printf("z") > ("DIR" "/h"); print "w" | "cat > DIR/i" }'`,
		`awk 'function __kb_to(a, b) { return b } BEGIN { print "x" > "DIR/f" }'`,
		`awk 'function f() { print "a" > "DIR/f"; return 1 } { if (1) print "b" > "DIR/" $1; else print "c" > "DIR/g" }' people`,
		`awk 'BEGIN { print(1,2) > "DIR/f"
		print 1,
		2 > "DIR/g" ; x = 1 ? 2 : 3 ; print (x > 1) ? "DIR/h" : "DIR/i"; for (print "q" > "DIR/j"; 0; ) ; while ((getline l < "DIR/real") > 0) print l; "cat DIR/real" | getline m; print m; system("cat DIR/real") }' 'DIR/real'`,
		`awk '{ print }' DIR/real; awk -f DIR/real; jq . DIR/real; jq -n --rawfile x DIR/real '$x'; jq -f DIR/real -n; jq -n 'include "real"; .'; jq -n 'import "DIR/real" as $x; $x'; jq -n '$ENV.PATH, env.GOROOT' `,
	} {
		if err := os.WriteFile(filepath.Join(dir, "real"), []byte("SECRET\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		m := newMachine(ways["linked"])
		_ = m.fs.MkdirAll(dir, 0o755)
		out, errOut, _, done := m.run(strings.ReplaceAll(script, "DIR", dir))
		if strings.Contains(out+errOut, "SECRET") || !done {
			t.Errorf("%s: %q %q", script, out, errOut)
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("%s wrote files of the machine: %v", script, left)
		}
	}
}

// What comes slowly is worked on as it comes.
func TestInputIsReadAsItComes(t *testing.T) {
	for _, script := range []string{
		`(echo 1; sleep 1; echo 2; sleep 1) | awk '{print $1}' | while read l; do echo $SECONDS $l; done`,
		`(echo 1; sleep 1; echo 2; sleep 1) | jq . | while read l; do echo $SECONDS $l; done`,
		`(echo 1; sleep 1; echo 2; sleep 1) | awk '{print $1 | "cat"; close("cat")}' | while read l; do echo $SECONDS $l; done`,
	} {
		for way, p := range ways {
			if out, errOut, _, _ := newMachine(p).run(script); out != "0 1\n1 2\n" {
				t.Errorf("%s, %s: %q %q", script, way, out, errOut)
			}
		}
	}
}

func TestEndlessLoopsYield(t *testing.T) {
	for _, p := range ways {
		endless(t, p)
	}
}

func endless(t *testing.T, tools program.Program) {
	for _, script := range []string{`awk 'BEGIN{while(1);}'`, `awk 'BEGIN{for(;;) x = x "a" substr(x, 1, 3)}' >/dev/null`, `jq -n 'def f: f; f'`, `jq -n 'range(1;infinite)' >/dev/null`, `awk 'BEGIN { while (1) print "x" > "/dev/null" }'`} {
		m := newMachine(tools)
		var out, errOut bytes.Buffer
		p := m.spawn("exec "+script, &out, &errOut)
		for range 20 {
			begin := time.Now()
			m.k.Step()
			if d := time.Since(begin); d > 200*time.Millisecond {
				t.Errorf("%s: one turn took %v", script, d)
			}
		}
		if _, done := p.Done(); done {
			t.Errorf("%s has ended: %q %q", script, out.String(), errOut.String())
		}
		m.k.Shutdown()
		if code, done := p.Done(); !done || code != 137 {
			t.Errorf("%s: %d %v", script, code, done)
		}
	}
}

func TestInterrupt(t *testing.T) {
	for _, argv := range [][]string{{"awk", "BEGIN{while(1);}", "linked"}, {"jq", "-n", "def f: f; f", "linked"}, {"awk", "BEGIN{while(1);}", "apart"}} {
		m := newMachine(nil)
		var out bytes.Buffer
		p := m.k.Spawn(nil, argv[0], func(p *kernel.Proc) int {
			c := &program.Context{Proc: p, FS: m.fs, Dir: "/tmp/w", Env: map[string]string{}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
			return ways[argv[len(argv)-1]](c, argv[:len(argv)-1])
		})
		for range 5 {
			m.k.Step()
		}
		p.Signal(kernel.SIGINT)
		begin := time.Now()
		m.k.Step()
		if code, done := p.Done(); !done || code != 130 || time.Since(begin) > 200*time.Millisecond || out.Len() > 0 {
			t.Errorf("%v: %d %v %q", argv, code, done, out.String())
		}
	}
}
