// Programs in a module of their own behave as those that are linked: same
// output, same turns, same time.

package texttool_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/shell/guest"
	"github.com/kubonsai/kubonsai/sim/shell/guest/host"
	"github.com/kubonsai/kubonsai/sim/shell/texttool"
)

// ways are how a program is started.
var ways = map[string]program.Program{"linked": host.Native(texttool.Run), "apart": host.Remote(&loader{})}

// loader makes instances that are goroutines.
type loader struct {
	err     error
	late    []func() // what Open is to be answered with, later
	held    bool
	dropped int
	crash   int // the step at which instances fail, 0 never
}

func (l *loader) Open(done func(host.Instance, error)) (cancel func()) {
	give := func() {
		if l.err != nil {
			done(nil, l.err)
			return
		}
		done(&instance{loader: l, in: make(chan []byte), out: make(chan []byte)}, nil)
	}
	if !l.held {
		give()
		return func() {}
	}
	n := len(l.late)
	l.late = append(l.late, give)
	return func() { l.late[n] = nil }
}

type instance struct {
	*loader
	in, out chan []byte
	steps   int
}

func (i *instance) Step(reply []byte) ([]byte, error) {
	if i.steps++; i.steps == i.crash {
		return nil, errors.New("out of memory")
	}
	if i.steps == 1 {
		go func() {
			i.out <- guest.Serve(reply, func(q []byte) []byte {
				i.out <- q
				return <-i.in
			}, texttool.Run)
		}()
	} else {
		i.in <- reply
	}
	return <-i.out, nil
}

func (i *instance) Memory() int64 { return 1 << 20 }

func (i *instance) Close(whole bool) {
	if !whole {
		i.dropped++
	}
}

// turns is what a run does, step by step.
func turns(p program.Program, script string) (out, errOut string, code, steps int, elapsed string) {
	m := newMachine(p)
	begin := m.clock.Now()
	var o, e bytes.Buffer
	proc := m.spawn(script, &o, &e)
	for {
		if _, done := proc.Done(); done || !m.k.Step() && !m.clock.Step(begin.AddDate(0, 0, 1)) {
			break
		}
		steps++
	}
	code, _ = proc.Done()
	return o.String(), e.String(), code, steps, m.clock.Now().Sub(begin).String()
}

func TestApartIsTheSame(t *testing.T) {
	lines := append(append([]line{}, awkLines...), jqLines...)
	for _, s := range []string{
		`seq 20000 | awk '{ s += $1; if ($1 % 1000 == 0) print s }' | jq -c '[., .]' & seq 5000 | jq -s add & wait`,
		`awk 'BEGIN { for (i = 0; i < 100000; i++) n += i; print n; system("sleep 2; exit 3") }' & jq -n '[range(30000)] | add'; wait; echo $?`,
		`(echo 1; sleep 1; echo 2) | awk '{ print; print $1 | "cat >&2" } END { close("cat >&2") }'`,
		`awk '' people; awk 'BEGIN { print ARGV[1] "|" ARGV[2] }' '' x; A= B='x y' awk 'BEGIN { print ENVIRON["B"] }'`,
		`echo x > ro; awk 'BEGIN { print "y" > "ro"; exit } END { print "z" > "/nodir/x" }'; cat ro; jq . /tmp; jq -n 'input' ; head -c 100000 /dev/zero | tr '\0' y | awk '{ print length }'`,
	} {
		lines = append(lines, line{script: s})
	}
	for _, c := range lines {
		out, errOut, code, steps, elapsed := turns(ways["linked"], c.script)
		out2, errOut2, code2, steps2, elapsed2 := turns(ways["apart"], c.script)
		if out != out2 || errOut != errOut2 || code != code2 || elapsed != elapsed2 {
			t.Errorf("%s:\n linked %q %q %d %s\n apart %q %q %d %s", c.script, out, errOut, code, elapsed, out2, errOut2, code2, elapsed2)
		} else if steps != steps2 {
			t.Errorf("%s: %d turns linked, %d apart", c.script, steps, steps2)
		}
	}
}

func TestWhatCannotBeLoaded(t *testing.T) {
	l := &loader{err: errors.New("kubonsai-text.wasm answered 404")}
	m := newMachine(host.Remote(l))
	if out, errOut, code, _ := m.run(`echo a | jq .; awk 1 people; echo $?`); out != "127\n" || code != 0 ||
		errOut != "jq: cannot load: kubonsai-text.wasm answered 404\nawk: cannot load: kubonsai-text.wasm answered 404\n" {
		t.Errorf("%q %q %d", out, errOut, code)
	}
	l.err = nil
	if out, errOut, _, _ := m.run(`echo '"a"' | jq -r .`); out != "a\n" {
		t.Errorf("%q %q", out, errOut)
	}
}

// While it is loaded nothing runs and no time passes; who does not wait any more
// does not get it.
func TestLoading(t *testing.T) {
	l := &loader{held: true}
	m := newMachine(host.Remote(l))
	var out bytes.Buffer
	p := m.spawn(`echo '"a"' | jq -r .`, &out, &out)
	killed := m.spawn(`exec awk 1 people`, &out, &out)
	for m.k.Step() {
	}
	if len(l.late) != 2 || m.clock.Step(m.clock.Now().AddDate(1, 0, 0)) {
		t.Fatal("it does not wait")
	}
	killed.Signal(kernel.SIGINT)
	for m.k.Step() {
	}
	n := 0
	for _, give := range l.late {
		if give != nil {
			n++
			give()
		}
	}
	for m.k.Step() {
	}
	if _, done := p.Done(); n != 1 || !done || out.String() != "a\n" {
		t.Errorf("%d waited: %q", n, out.String())
	}
}

func TestCrash(t *testing.T) {
	l := &loader{crash: 2}
	m := newMachine(host.Remote(l))
	out, errOut, _, _ := m.run(`seq 3 | awk '{ print }'; echo $?; jq -n 1 | cat; echo ${PIPESTATUS[0]}`)
	if out != "2\n1\n2\n" || strings.Count(errOut, ": out of memory\n") != 2 || l.dropped != 2 {
		t.Errorf("%q %q %d", out, errOut, l.dropped)
	}
}

func FuzzMessages(f *testing.F) {
	start := guest.Start{Args: []string{"awk", "BEGIN { print 1 }"}, Env: []string{"A=1"}}
	f.Add((&guest.Reply{Left: 1, Data: start.Encode()}).Encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		last := guest.Serve(b, func([]byte) []byte { return b }, func(s guest.System, _ guest.Start) int {
			n, err := s.Read(0, make([]byte, 4))
			if n > 4 || n < 0 || n > 0 && err != nil {
				t.Errorf("read %d %v", n, err)
			}
			return 0
		})
		if _, err := guest.DecodeRequest(last); err != nil {
			t.Error(err)
		}
		if q, err := guest.DecodeRequest(b); err == nil && !bytes.Equal(q.Encode(), b) {
			t.Errorf("%v is not the same again", q)
		}
	})
}
