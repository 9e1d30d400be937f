// Package kernel runs user programs: the reader's shells and the processes in
// containers. A program may block, so each one is a goroutine; but only one of
// them runs at any time, and only while the host has handed it the baton. A
// program gives the baton back when it blocks (Sleep, Wait, a pipe), when it
// yields, and when it ends. So the order of everything is decided here, by the
// queue of runnable processes, and is the same on every platform; and the
// kernel always knows whether anything is still runnable, before the host lets
// the clock jump.
//
// The control plane is not made of processes: its actors are calls made by
// clock timers on the host's goroutine. A process may call it directly while it
// holds the baton; nothing else moves meanwhile.
package kernel

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/kubonsai/kubonsai/sim/clock"
)

// Signal is a POSIX signal number.
type Signal int

// The signals that the simulation knows.
const (
	SIGHUP  Signal = 1
	SIGINT  Signal = 2
	SIGQUIT Signal = 3
	SIGKILL Signal = 9
	SIGUSR1 Signal = 10
	SIGUSR2 Signal = 12
	SIGPIPE Signal = 13
	SIGALRM Signal = 14
	SIGTERM Signal = 15
	SIGCHLD Signal = 17
)

// ErrInterrupted is returned by a blocking call that ended because a signal
// arrived whose handler lets the process live.
var ErrInterrupted = errors.New("interrupted system call")

// quantumTime is the virtual time in which a process makes the steps after which
// it yields: less than a browser needs for them, so that nobody waits for it.
const quantumTime = 60 * time.Microsecond

// killed unwinds the goroutine of a process that a signal ended.
type killed struct{ code int }

// exited unwinds the goroutine of a process that called Exit.
type exited struct{ code int }

// quantum is how many small steps (see Tick) a process may take before it
// yields: about a millisecond of them in a browser.
const quantum = 1024

// Kernel owns the processes and the baton.
type Kernel struct {
	clock   *clock.Clock
	nextPID int
	runq    []*Proc
	current *Proc
	live    map[int]*Proc
	back    chan struct{} // the running process hands the baton back here
	panics  func(p *Proc, reason any, stack []byte)
	quantum int  // process steps since the last yield; see Tick
	used    bool // the last Step ended because its quantum was used up
	quanta  int  // how many have been used up
	onSpend func(until time.Time)
}

// New returns a kernel whose processes sleep on the given clock.
func New(c *clock.Clock) *Kernel {
	return &Kernel{clock: c, live: map[int]*Proc{}, back: make(chan struct{})}
}

// OnPanic sets what is told of a program that panicked. The process ends with
// status 70 and the simulation goes on.
func (k *Kernel) OnPanic(fn func(p *Proc, reason any, stack []byte)) { k.panics = fn }

// OnSpend sets what is told when a process spends time that its host should not
// make a person wait for; see Proc.Spend.
func (k *Kernel) OnSpend(fn func(until time.Time)) { k.onSpend = fn }

// Clock is the clock that processes sleep on.
func (k *Kernel) Clock() *clock.Clock { return k.clock }

// Current is the process that holds the baton; nil on the host's goroutine.
func (k *Kernel) Current() *Proc { return k.current }

// Runnable reports whether any process could run now.
func (k *Kernel) Runnable() bool { return len(k.runq) > 0 }

// Live is the number of processes that have not ended.
func (k *Kernel) Live() int { return len(k.live) }

// Proc is one process. Its methods that block may be called by its own
// goroutine only; Signal and the accessors by anyone who holds the baton.
type Proc struct {
	ID     int    // unique in this kernel, never reused
	Name   string // for traces
	Parent *Proc

	// OnSignal decides what a signal does: true lets the process live (the
	// blocking call it is in returns ErrInterrupted), false ends it with
	// status 128+signal. nil ends it on every signal but SIGCHLD. SIGKILL is
	// never asked about.
	OnSignal func(Signal) bool

	kernel   *Kernel
	resume   chan struct{}
	queued   bool
	waiting  *WaitQueue
	timer    *clock.Timer
	timedOut bool
	pending  []Signal
	doomed   bool
	doomCode int
	done     bool
	code     int
	exit     WaitQueue
	pace     time.Duration // of virtual time that a quantum takes; see Pace
	onPace   func(time.Duration)
	atExit   []func()
	behind   time.Duration // how much of its past the process has yet to repeat; see Repeat
	past     *past
	// Execs is how often another program has taken the process over; who does
	// that bounds it, for the old one's stack stays.
	Execs int
}

// past is what a program that is repeated and all its processes share.
type past struct {
	sleeps int
	over   bool
}

// maxRepeated is how many sleeps are repeated before a program is taken for one
// that goes round and round, and is wherever it has come to by then.
const maxRepeated = 500

// Spawn makes a process that will run fn, which returns its exit status. It
// does not run before the host's next Step. parent may be nil.
func (k *Kernel) Spawn(parent *Proc, name string, fn func(p *Proc) int) *Proc {
	k.nextPID++
	p := &Proc{ID: k.nextPID, Name: name, Parent: parent, kernel: k, resume: make(chan struct{})}
	if parent != nil {
		p.pace, p.onPace = parent.pace, parent.onPace
		p.behind, p.past = parent.lag(), parent.past
	}
	k.live[p.ID] = p
	started := false
	go func() { // the one place in the core where goroutines come from
		<-p.resume
		started = true
		code := 0
		defer func() {
			_ = started
			switch r := recover().(type) {
			case nil:
			case killed:
				code = r.code
			case exited:
				code = r.code
			default:
				code = 70
				if k.panics != nil {
					k.panics(p, r, debug.Stack())
				} else {
					panic(fmt.Sprintf("process %d (%s): %v\n%s", p.ID, p.Name, r, debug.Stack()))
				}
			}
			p.end(code)
			k.back <- struct{}{}
		}()
		p.checkDoom()
		code = fn(p)
	}()
	k.enqueue(p)
	return p
}

func (p *Proc) end(code int) {
	p.code, p.done = code, true
	p.timer.Stop()
	delete(p.kernel.live, p.ID)
	for i := len(p.atExit) - 1; i >= 0; i-- {
		p.atExit[i]()
	}
	p.atExit = nil
	p.exit.Wake()
}

func (k *Kernel) enqueue(p *Proc) {
	if p.queued || p.done {
		return
	}
	p.queued = true
	k.runq = append(k.runq, p)
}

// Step hands the baton to the first runnable process until it blocks, yields
// or ends; it reports whether there was one. Called by the host only.
func (k *Kernel) Step() bool {
	var p *Proc
	for p == nil || p.done { // one that was killed while it ran may have ended since
		if len(k.runq) == 0 {
			return false
		}
		p = k.runq[0]
		k.runq[0] = nil
		k.runq = k.runq[1:]
		p.queued = false
	}
	k.current, k.used = p, false
	p.resume <- struct{}{}
	<-k.back
	k.current = nil
	return true
}

// UsedUp reports whether the last Step ended because the process had used up
// its quantum: it is busy, and a host that must stay answerable looks at its
// wall clock now.
func (k *Kernel) UsedUp() bool { return k.used }

// Quanta is how many quanta processes have used up so far. A host without a
// person to stop it bounds with it how long a program may compute.
func (k *Kernel) Quanta() int { return k.quanta }

// park gives the baton back and waits to be resumed.
func (p *Proc) park() {
	if p.kernel.current != p {
		panic(fmt.Sprintf("kernel: process %d (%s) blocks without the baton", p.ID, p.Name))
	}
	p.kernel.back <- struct{}{}
	<-p.resume
	p.checkDoom()
}

func (p *Proc) checkDoom() {
	if p.doomed && !p.done {
		panic(killed{p.doomCode})
	}
}

// takeSignal reports whether a survivable signal interrupts the caller.
func (p *Proc) takeSignal() bool {
	if len(p.pending) == 0 {
		return false
	}
	p.pending = p.pending[:0]
	return true
}

// Sleep blocks for d of virtual time. It returns ErrInterrupted early when a
// signal arrives that the process survives.
func (p *Proc) Sleep(d time.Duration) error {
	if d <= 0 {
		return p.Yield()
	}
	if lag := p.lag(); lag > 0 {
		p.past.sleeps++
		if d <= lag && p.past.sleeps <= maxRepeated {
			p.behind -= d
			return p.Yield()
		}
		d -= lag
		p.behind, p.past.over = 0, p.past.sleeps > maxRepeated
		if d <= 0 {
			return p.Yield()
		}
	}
	var q WaitQueue
	_, err := p.WaitTimeout(&q, d)
	return err
}

// Repeat has the process, which has not run yet, and those that it spawns go
// through a past of the given length again, in which their sleeps take no time:
// so a program that was under way when the simulation was saved gets to where it
// was. To them it is then.
func (p *Proc) Repeat(length time.Duration) {
	if length > 0 {
		p.behind, p.past = length, &past{}
	}
}

// Repeating reports whether the process is still in its past.
func (p *Proc) Repeating() bool { return p.lag() > 0 }

// lag is how far behind the present the process still is.
func (p *Proc) lag() time.Duration {
	if p.past == nil || p.past.over {
		p.behind = 0
	}
	return p.behind
}

// Spend is Sleep for the time that a program itself takes (a client's start-up
// and its round trips). A host that paces the clock by the wall lets it pass at
// once, within limits, instead of making a person wait for it.
func (p *Proc) Spend(d time.Duration) error {
	if p.kernel.onSpend != nil {
		p.kernel.onSpend(p.Now().Add(d))
	}
	return p.Sleep(d)
}

// Yield lets the other runnable processes and the host go first.
func (p *Proc) Yield() error {
	if p.takeSignal() {
		return ErrInterrupted
	}
	p.kernel.enqueue(p)
	p.park()
	return nil
}

// Tick is called by interpreters at every small step (a statement, a loop
// turn). Every thousand of them take some virtual time, so that an endless loop
// can neither starve the other processes, nor hide from a signal, nor stop the
// clock.
func (p *Proc) Tick() {
	p.kernel.quantum++
	if !p.doomed && p.kernel.quantum < quantum {
		return
	}
	p.kernel.quantum, p.kernel.used = 0, true
	p.kernel.quanta++
	p.checkDoom()
	d := quantumTime
	if p.pace > 0 {
		d = p.pace
		p.onPace(d)
	} else if p.kernel.onSpend != nil {
		p.kernel.onSpend(p.Now().Add(d))
	}
	p.timer = p.kernel.clock.After(d, "compute "+p.Name, p.unblock)
	p.park()
	p.timer = nil
}

// TicksLeft is how many Ticks there are until one yields, that one included.
func (p *Proc) TicksLeft() int { return quantum - p.kernel.quantum }

// Pace makes the process, and those that it spawns, take d of virtual time for
// every quantum of Ticks, so that one that never blocks does not keep the clock
// from moving; used is told of each.
func (p *Proc) Pace(d time.Duration, used func(time.Duration)) { p.pace, p.onPace = d, used }

// Wait blocks until the queue is woken, or a signal arrives (ErrInterrupted).
// Callers check their condition again afterwards.
func (p *Proc) Wait(q *WaitQueue) error {
	_, err := p.WaitTimeout(q, -1)
	return err
}

// WaitTimeout is Wait with a bound in virtual time; a negative d is no bound.
func (p *Proc) WaitTimeout(q *WaitQueue, d time.Duration) (timedOut bool, err error) {
	if p.takeSignal() {
		return false, ErrInterrupted
	}
	q.procs = append(q.procs, p)
	p.waiting, p.timedOut = q, false
	if d >= 0 {
		p.timer = p.kernel.clock.After(d, "sleep "+p.Name, func() {
			p.timedOut = true
			p.unblock()
		})
	}
	p.park()
	p.timer.Stop()
	p.timer = nil
	if p.timedOut {
		return true, nil
	}
	if p.takeSignal() {
		return false, ErrInterrupted
	}
	return false, nil
}

// unblock takes the process out of whatever queue it waits in and makes it runnable.
func (p *Proc) unblock() {
	if q := p.waiting; q != nil {
		for i, o := range q.procs {
			if o == p {
				q.procs = append(q.procs[:i:i], q.procs[i+1:]...)
				break
			}
		}
		p.waiting = nil
	}
	p.kernel.enqueue(p)
}

// Signal delivers a signal. A process that ends by it unwinds at once if it
// blocks, else at its next blocking call or Tick.
func (p *Proc) Signal(sig Signal) {
	if p.done || p.doomed {
		return
	}
	if sig != SIGKILL {
		if p.OnSignal != nil && p.OnSignal(sig) {
			p.pending = append(p.pending, sig)
			if p.waiting != nil {
				p.unblock()
			}
			return
		}
		if p.OnSignal == nil && sig == SIGCHLD {
			return
		}
	}
	p.doomed, p.doomCode = true, 128+int(sig)
	p.timer.Stop()
	p.unblock()
}

// Exit ends the calling process from anywhere in its call stack; deferred
// calls run.
func (p *Proc) Exit(code int) { panic(exited{code}) }

// AtExit calls fn when the process has ended, last one first.
func (p *Proc) AtExit(fn func()) { p.atExit = append(p.atExit, fn) }

// Done reports whether the process has ended, and its exit status.
func (p *Proc) Done() (code int, done bool) { return p.code, p.done }

// Join blocks until other has ended and returns its exit status.
func (p *Proc) Join(other *Proc) (int, error) {
	for !other.done {
		if err := p.Wait(&other.exit); err != nil {
			return 0, err
		}
	}
	if lag := other.lag(); other.past == p.past && lag < p.lag() {
		p.behind = lag // what was waited for took that long
	}
	return other.code, nil
}

// Kernel is the kernel the process belongs to.
func (p *Proc) Kernel() *Kernel { return p.kernel }

// Now is the virtual time.
func (p *Proc) Now() time.Time { return p.kernel.clock.Now().Add(-p.lag()) }

// WaitQueue is where processes wait for something to change. The zero value is
// ready to use.
type WaitQueue struct{ procs []*Proc }

// Wake makes every waiting process runnable, in the order in which they came.
func (q *WaitQueue) Wake() {
	procs := q.procs
	q.procs = nil
	for _, p := range procs {
		p.waiting = nil
		p.kernel.enqueue(p)
	}
}

// Empty reports whether no process waits.
func (q *WaitQueue) Empty() bool { return len(q.procs) == 0 }

// Shutdown kills every process and runs until all of them have unwound, so
// that no goroutine is left. Called by the host, once, when it is done.
func (k *Kernel) Shutdown() {
	for len(k.live) > 0 {
		for _, p := range k.live {
			p.Signal(SIGKILL)
		}
		for k.Step() {
		}
	}
}
