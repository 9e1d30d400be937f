// Tests that nothing a script does can hang the simulation or use up memory:
// Stop ends loops, forks and expansions are bounded, broken pipes end writers.

package shell_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/shell"
)

// start runs a script and returns its process, not yet stepped.
func (m *machine) start(script string, out, errOut *bytes.Buffer) *kernel.Proc {
	_ = m.fs.MkdirAll("/tmp/w", 0o755)
	c := m.context("", out, errOut)
	return m.k.Spawn(nil, "bash", func(p *kernel.Proc) int {
		c.Proc = p
		return c.Lookup("bash")(c, []string{"bash", "-c", script})
	})
}

func (m *machine) drain(steps int) bool {
	far := m.clock.Now().Add(1000 * time.Hour)
	for range steps {
		if !m.k.Step() && !m.clock.Step(far) {
			return true
		}
	}
	return false
}

func TestStopEndsLoops(t *testing.T) {
	for _, script := range []string{
		"while true; do :; done", "while :; do :; done", "for ((;;)); do :; done", "for ((;;)); do ((i++)); done", "until false; do true; done",
		"sleep infinity", "sleep 1000; echo no", "yes > /dev/null", "yes | cat > /dev/null", "cat /dev/zero > /dev/null", "while true; do sleep 1; done",
		"watch date", "tail -f /tmp/w/f", "f() { while :; do :; done; }; f", "x=$(while :; do :; done)", "(while :; do :; done)", "while :; do :; done | cat",
		"wait $(sleep 1000)", "sleep 1000 | sleep 1000", "while true; do echo x; done | while read l; do :; done", "sh -c 'while :; do :; done'", "seq 1 100000000 > /dev/null",
		"touch f; while read l; do :; done < <(tail -f f)", "sed ':a;ba' <<< x", "sleep 1000 & wait", "timeout 10000 sleep 10000", "xargs sleep <<< 1000", "find / -exec sleep 1000 ';'",
		"trap 'echo bye' EXIT; while :; do :; done",
	} {
		m := newMachine()
		_ = m.fs.MkdirAll("/tmp/w", 0o755)
		_ = m.fs.WriteFile("/tmp/w/f", []byte("x\n"), 0o644)
		var out, errOut bytes.Buffer
		p := m.start(script, &out, &errOut)
		far := m.clock.Now().Add(5 * time.Second)
		for range 200 {
			if !m.k.Step() && !m.clock.Step(far) {
				break
			}
		}
		p.Signal(kernel.SIGINT)
		began := time.Now()
		for range 2000 {
			if _, done := p.Done(); done {
				break
			}
			if !m.k.Step() && !m.clock.Step(m.clock.Now().Add(time.Second)) {
				break
			}
		}
		code, done := p.Done()
		if !done || code != 130 {
			t.Errorf("%s: done %v, status %d after SIGINT", script, done, code)
		}
		if d := time.Since(began); d > 200*time.Millisecond {
			t.Errorf("%s: took %v to stop", script, d)
		}
		if strings.Contains(script, "bye") && out.String() != "bye\n" {
			t.Errorf("EXIT trap: %q", out.String())
		}
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct{ script, stderr string }{
		{":(){ :|:& };:", "fork: retry: Resource temporarily unavailable"},
		{"f() { f; }; f", "maximum function nesting level exceeded"},
		{"x=a; while :; do x=$x$x; done", "cannot allocate"},
		{"a=(); while :; do a+=(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa$RANDOM); [ ${#a[@]} -gt 9000 ] && a+=($(printf '%1000000s' | tr ' ' x) \"${a[@]}\"); done", "cannot allocate"},
		{"echo {1..100000000}", "cannot allocate"},
		{"echo {1..9999}{1..9999}", "cannot allocate"},
		{"eval 'f() { eval f; }; f'", "nesting level"},
		{"printf 'source f' > f; . ./f", "nesting level"},
		{"printf '#!/bin/sh\\nexec ./x' > x; chmod +x x; ./x", "Resource temporarily unavailable"},
		{"x='$(eval \"$x\")'; eval \"$x\"", ""},
		{strings.Repeat("(", 100000), "syntax error"},
		{strings.Repeat("$(", 5000), "syntax error"},
		{"echo $((" + strings.Repeat("(", 20000) + "1" + strings.Repeat(")", 20000) + "))", "syntax error"},
		{"x=$(cat /dev/zero)", ""},
		{"x=$(yes)", "cannot allocate"},
		{"printf '%999999999d' 1 | wc -c", ""},
		{"a='a'; a[0]=a; echo $((a))", "recursion level exceeded"},
		{"[[ " + strings.Repeat("a", 3000) + " == " + strings.Repeat("*a", 300) + "b ]]", ""},
	} {
		m := newMachine()
		m.fs.SetLimit(64 << 20)
		began := time.Now()
		var out, errBuf bytes.Buffer
		m.start(c.script, &out, &errBuf)
		name := c.script[:min(40, len(c.script))]
		if !m.drain(3_000_000) {
			t.Errorf("%s: does not end", name)
		}
		if errOut := errBuf.String(); !strings.Contains(errOut, c.stderr) {
			t.Errorf("%s: stderr %.200q, want %q", name, errOut, c.stderr)
		}
		if d := time.Since(began); d > 20*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
		if live := m.k.Live(); live > 0 {
			t.Errorf("%s: %d processes are left", name, live)
		}
	}
}

func TestBrokenPipes(t *testing.T) {
	out, errOut, code, done := newMachine().run("", 100000, "bash", "-c", "while :; do echo x; done | head -1; echo ${PIPESTATUS[@]}; yes | sed 1q; seq 1000000 | head -2; cat /dev/zero | head -c 3 | wc -c")
	if want := "x\n141 0\ny\n1\n2\n3\n"; out != want || errOut != "" || code != 0 || !done {
		t.Errorf("%q %q %d %v", out, errOut, code, done)
	}
}

func TestVirtualTime(t *testing.T) {
	out, errOut, _, _ := newMachine().run("", 100000, "bash", "-c", "date; time sleep 3600; date; timeout 5 sleep 100; echo $?; sleep 2 & sleep 1; wait; echo $SECONDS")
	if want := "Sun Nov 22 02:14:45 UTC 2026\nSun Nov 22 03:14:45 UTC 2026\n124\n3607\n"; out != want {
		t.Errorf("%q", out)
	}
	if want := "\nreal\t60m0.000s\nuser\t0m0.000s\nsys\t0m0.000s\n"; errOut != want {
		t.Errorf("%q", errOut)
	}
}

func TestAshWords(t *testing.T) {
	m := newMachine()
	_ = m.fs.MkdirAll("/tmp/w", 0o755)
	for _, c := range []struct {
		script, out, stderr string
		code                int
	}{
		{"foo", "", "sh: foo: not found\n", 127},
		{"./nosuch", "", "sh: ./nosuch: not found\n", 127},
		{"cat < nosuch", "", "sh: can't open nosuch: no such file\n", 1},
		{"echo x > /nosuch/y", "", "sh: can't create /nosuch/y: nonexistent directory\n", 1},
		{"cd /nosuch", "", "sh: cd: can't cd to /nosuch: No such file or directory\n", 1},
	} {
		var out, errOut bytes.Buffer
		ctx := m.context("", &out, &errOut)
		p := m.k.Spawn(nil, "sh", func(p *kernel.Proc) int {
			ctx.Proc = p
			return shell.Program(shell.Ash, "sh")(ctx, []string{"sh", "-c", c.script})
		})
		m.drain(10000)
		code, _ := p.Done()
		if out.String() != c.out || errOut.String() != c.stderr || code != c.code {
			t.Errorf("%s: %q %q %d", c.script, out.String(), errOut.String(), code)
		}
	}
}

func TestIncomplete(t *testing.T) {
	for src, want := range map[string]bool{
		"echo a": false, "if true": true, "if true; then": true, "echo 'a": true, "echo \"a": true, "cat <<EOF\na\n": true, "cat <<EOF\na\nEOF\n": false,
		"echo a \\\n": true, "f() {": true, "echo $(": true, "for x in a; do": true, ")": false, "": false, "echo a |": true, "a &&": true, "case x in": true,
	} {
		if got := shell.Incomplete(src); got != want {
			t.Errorf("%q: %v", src, got)
		}
	}
}

func TestInteractive(t *testing.T) {
	m := newMachine()
	_ = m.fs.MkdirAll("/tmp/w", 0o755)
	var out, errOut bytes.Buffer
	c := m.context("", &out, &errOut)
	m.k.Spawn(nil, "terminal", func(p *kernel.Proc) int {
		c.Proc = p
		s := shell.New(c, shell.Options{Interactive: true})
		for _, line := range []string{"x=1", "foo", "echo $x $?", "set -u; echo $nope; echo no", "set +u; sleep 5 &", "jobs", "kill %1", "sleep 1", "alias ll='echo LL'", "ll a", "cd /; pwd", "if", "f() { echo f$1; }", "f 2", "exit 3"} {
			s.Notify()
			s.Run(line, "")
		}
		return s.Close()
	})
	m.drain(10000)
	if want := "1 127\n[1]+  Running                 sleep 5 &\nLL a\n/\nf2\n"; out.String() != want {
		t.Errorf("stdout %q", out.String())
	}
	if e := errOut.String(); !strings.HasPrefix(e, "bash: foo: command not found\nbash: nope: unbound variable\n[1] ") || !strings.Contains(e, "[1]+  Terminated              sleep 5\n") || !strings.HasSuffix(e, "exit\n") {
		t.Errorf("stderr %q", e)
	}
}

func FuzzShell(f *testing.F) {
	for _, s := range strings.Split(bashScripts+toolScripts, "\n%%") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		m := newMachine()
		m.fs.SetLimit(16 << 20)
		m.k.OnPanic(func(p *kernel.Proc, r any, stack []byte) { t.Errorf("%v\n%s", r, stack) })
		var out, errOut bytes.Buffer
		p := m.start(src, &out, &errOut)
		far := m.clock.Now().Add(time.Hour)
		for range 60 {
			if out.Len()+errOut.Len() > 8<<20 || !m.k.Step() && !m.clock.Step(far) {
				break
			}
		}
		p.Signal(kernel.SIGKILL)
	})
}

func BenchmarkLoop(b *testing.B) {
	for range b.N {
		if out, errOut, _, done := newMachine().run("", 1_000_000, "bash", "-c", "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done; echo $i"); out != "10000\n" || !done {
			b.Fatal(out, errOut)
		}
	}
}

func BenchmarkPipeline(b *testing.B) {
	for range b.N {
		if out, _, _, _ := newMachine().run("", 1_000_000, "bash", "-c", "seq 1000 | grep 7 | wc -l"); out != "271\n" {
			b.Fatal(out)
		}
	}
}
