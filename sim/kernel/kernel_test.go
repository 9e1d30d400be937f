package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/clock"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// drive runs everything until nothing can happen any more.
func drive(k *Kernel) {
	for k.Step() || k.Clock().Step(k.Clock().Now().Add(1000*time.Hour)) {
	}
}

func newKernel() *Kernel { return New(clock.New(t0)) }

// An hour of sleep costs no wall time, and two sleepers wake in order.
func TestSleepIsVirtual(t *testing.T) {
	k := newKernel()
	var log []string
	for _, d := range []time.Duration{time.Hour, time.Minute} {
		k.Spawn(nil, d.String(), func(p *Proc) int {
			p.Sleep(d)
			log = append(log, fmt.Sprintf("%s at %s", p.Name, p.Now().Sub(t0)))
			return 0
		})
	}
	drive(k)
	if got := fmt.Sprint(log); got != "[1m0s at 1m0s 1h0m0s at 1h0m0s]" {
		t.Error(got)
	}
	if k.Live() != 0 {
		t.Errorf("%d processes left", k.Live())
	}
}

// A pipeline of three moves more than a pipe holds, and the head of it gets a
// broken pipe when the tail goes away.
// A process with a pace that never blocks lets the clock move, and can be killed.
func TestPace(t *testing.T) {
	k := newKernel()
	used := time.Duration(0)
	p := k.Spawn(nil, "busy", func(p *Proc) int {
		p.Pace(10*time.Millisecond, func(d time.Duration) { used += d })
		k.Spawn(p, "child", func(p *Proc) int {
			for {
				p.Tick()
			}
		})
		for {
			p.Tick()
		}
	})
	k.Clock().After(time.Second, "kill", func() {
		for _, q := range []int{p.ID, p.ID + 1} {
			k.live[q].Signal(SIGKILL)
		}
	})
	drive(k)
	if k.Live() != 0 || used != 1980*time.Millisecond && used != 2*time.Second {
		t.Errorf("%d processes, %v of cpu time in a second", k.Live(), used)
	}
}

func TestPipeline(t *testing.T) {
	k := newKernel()
	a, b := k.NewPipe(16), k.NewPipe(16)
	var first error
	lines := 0
	k.Spawn(nil, "yes", func(p *Proc) int {
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(a, "line %d of many\n", i); err != nil {
				first = err
				return 141
			}
		}
	})
	k.Spawn(nil, "cat", func(p *Proc) int {
		_, err := io.Copy(b, a)
		a.CloseRead()
		if !errors.Is(err, ErrBrokenPipe) {
			t.Errorf("cat: %v", err)
		}
		return 0
	})
	k.Spawn(nil, "head", func(p *Proc) int {
		s := bufio.NewScanner(b)
		for lines < 100 && s.Scan() {
			if want := fmt.Sprintf("line %d of many", lines); s.Text() != want {
				t.Errorf("got %q, want %q", s.Text(), want)
			}
			lines++
		}
		b.CloseRead()
		return 0
	})
	drive(k)
	if lines != 100 || !errors.Is(first, ErrBrokenPipe) || k.Live() != 0 {
		t.Errorf("lines %d, writer's error %v, %d processes left", lines, first, k.Live())
	}
}

func TestSignals(t *testing.T) {
	k := newKernel()
	loop := k.Spawn(nil, "loop", func(p *Proc) int {
		for {
			p.Tick()
		}
	})
	sleeper := k.Spawn(nil, "sleeper", func(p *Proc) int { p.Sleep(time.Hour); return 0 })
	var slept error
	tough := k.Spawn(nil, "tough", func(p *Proc) int { slept = p.Sleep(time.Hour); return 5 })
	tough.OnSignal = func(s Signal) bool { return s == SIGTERM }
	unborn := k.Spawn(nil, "unborn", func(p *Proc) int { t.Error("ran"); return 0 })
	unborn.Signal(SIGKILL)
	for range 10 {
		k.Step()
	}
	loop.Signal(SIGINT)
	sleeper.Signal(SIGTERM)
	tough.Signal(SIGTERM)
	for k.Step() {
	}
	for _, c := range []struct {
		p    *Proc
		want int
	}{{loop, 130}, {sleeper, 143}, {tough, 5}, {unborn, 137}} {
		if code, done := c.p.Done(); !done || code != c.want {
			t.Errorf("%s: done %v, status %d, want %d", c.p.Name, done, code, c.want)
		}
	}
	if !errors.Is(slept, ErrInterrupted) {
		t.Errorf("the survivor's sleep returned %v", slept)
	}
	if k.Clock().Len() != 0 {
		t.Errorf("%d timers left of interrupted sleeps", k.Clock().Len())
	}
}

func TestJoinExitAndPanic(t *testing.T) {
	k := newKernel()
	var told string
	k.OnPanic(func(p *Proc, reason any, stack []byte) { told = fmt.Sprint(p.Name, ": ", reason) })
	var codes []int
	k.Spawn(nil, "parent", func(p *Proc) int {
		for _, fn := range []func(*Proc) int{
			func(*Proc) int { return 3 },
			func(p *Proc) int { p.Sleep(time.Second); p.Exit(4); return 0 },
			func(*Proc) int { panic("oops") },
		} {
			code, _ := p.Join(k.Spawn(p, "child", fn))
			codes = append(codes, code)
		}
		return 0
	})
	drive(k)
	if fmt.Sprint(codes) != "[3 4 70]" || told != "child: oops" {
		t.Errorf("codes %v, panic %q", codes, told)
	}
}

// A process that is killed while it runs, and ends before it notices, is not run again.
func TestKilledWhileRunning(t *testing.T) {
	k := newKernel()
	k.Spawn(nil, "self", func(p *Proc) int { p.Signal(SIGTERM); return 0 })
	k.Spawn(nil, "other", func(p *Proc) int { return 0 })
	drive(k)
	if k.Live() != 0 {
		t.Errorf("%d processes left", k.Live())
	}
}

// The order of events is a function of the program alone.
func TestDeterminism(t *testing.T) {
	history := func() string {
		k := newKernel()
		var b strings.Builder
		for i := range 5 {
			k.Spawn(nil, "p", func(p *Proc) int {
				for j := range 5 {
					fmt.Fprintf(&b, "%d.%d ", i, j)
					if (i+j)%2 == 0 {
						p.Sleep(time.Duration(i) * time.Millisecond)
					} else {
						p.Yield()
					}
				}
				return 0
			})
		}
		drive(k)
		return b.String()
	}
	want := history()
	for range 20 {
		if got := history(); got != want {
			t.Fatalf("%s\n%s", got, want)
		}
	}
}

func BenchmarkSwitch(b *testing.B) {
	k := newKernel()
	k.Spawn(nil, "spin", func(p *Proc) int {
		for {
			p.Yield()
		}
	})
	for b.Loop() {
		k.Step()
	}
}

// A program that is repeated gets to where it was: sleeps of the past take no
// time, those of the present what is left of them, and to the program it is
// then, not now.
func TestRepeat(t *testing.T) {
	const past = 10 * time.Second
	for _, test := range []struct {
		name string
		run  func(k *Kernel, p *Proc, say func(string, *Proc))
		want string
		left time.Duration // of virtual time until the end
	}{
		{"in the middle of a sleep", func(_ *Kernel, p *Proc, say func(string, *Proc)) {
			say("begin", p)
			p.Sleep(4 * time.Second)
			say("past", p)
			p.Sleep(9 * time.Second)
			say("end", p)
		}, "begin@0s past@4s end@13s", 3 * time.Second},
		{"over before", func(_ *Kernel, p *Proc, say func(string, *Proc)) {
			p.Sleep(time.Second)
			say("end", p)
		}, "end@1s", 0},
		{"side by side", func(k *Kernel, p *Proc, say func(string, *Proc)) {
			slow := k.Spawn(p, "slow", func(q *Proc) int { q.Sleep(12 * time.Second); say("slow", q); return 0 })
			quick := k.Spawn(p, "quick", func(q *Proc) int { q.Sleep(3 * time.Second); say("quick", q); return 0 })
			p.Join(quick)
			say("one", p)
			p.Join(slow)
			say("both", p)
		}, "quick@3s one@3s slow@12s both@12s", 2 * time.Second},
		{"round and round", func(_ *Kernel, p *Proc, say func(string, *Proc)) {
			for range maxRepeated + 1 {
				p.Sleep(time.Millisecond)
			}
			say("end", p)
		}, "end@10s", 0},
	} {
		c := clock.New(time.Unix(1000, 0))
		k := New(c)
		var got []string
		start := c.Now().Add(-past)
		p := k.Spawn(nil, test.name, func(p *Proc) int {
			test.run(k, p, func(what string, p *Proc) {
				got = append(got, fmt.Sprintf("%s@%v", what, p.Now().Sub(start)))
			})
			return 0
		})
		p.Repeat(past)
		for {
			if k.Step() {
				continue
			}
			next, ok := c.Next()
			if !ok {
				break
			}
			c.Step(next)
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, s, test.want)
		}
		if left := c.Since(time.Unix(1000, 0)); left != test.left {
			t.Errorf("%s: ended after %v, want %v", test.name, left, test.left)
		}
	}
}
