//go:build js && wasm

// The sandbox as a host: it owns the machine, moves its clock and sleeps. The
// machine's time goes as the wall's; after an eviction it catches up.
//
// Three things are special here. The platform's clock stands while the program
// computes, so nothing waits for time to pass: work is counted in steps. A
// timer keeps the object in memory, so a sandbox that nobody is connected to
// has none, but one alarm. And one event may use little processor time, so long
// work is cut into budgets, each begun by an event of its own.

package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall/js"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/httpserver"
	"github.com/kubonsai/kubonsai/wasm/internal/guests"
	"github.com/kubonsai/kubonsai/wasm/internal/jsvalue"
	"github.com/kubonsai/kubonsai/wasm/internal/machine"
)

const (
	sliceSteps  = 500                    // steps between two turns of the isolate's other events: some 25 ms
	eventBudget = 60_000                 // steps that one event may cause: some 3 s
	restFirst   = 100 * time.Millisecond // the pause after the first budget that was used up in a row; doubles
	restMost    = 30 * time.Second       // and the longest one
	nearby      = 5 * time.Second        // what is due sooner is waited for in memory
	longest     = time.Minute            // the longest timer while somebody is connected
	dormant     = 24 * time.Hour         // after so long without a visitor, nothing happens until the next one
	stepCost    = 100 * time.Microsecond // what a look at the wall costs on its standing clock; see page.wall
)

// sandbox is the program's one machine and who is connected to it.
type sandbox struct {
	port    js.Value
	config  config
	storage *storage
	texts   *guests.Guests

	mu      sync.Mutex
	machine *sim.Machine
	ahead   time.Duration // of the wall's clock is the machine's: a snapshot may come from a page whose time was hurried
	server  *httpserver.Server
	stop    chan struct{} // closed when the machine is replaced
	pages   []*page
	streams int // open connections that last

	bell    chan struct{}
	later   []func()
	budget  int       // steps left for the present event
	spent   int       // budgets in a row that were used up
	visited time.Time // when the last request came
	alarm   time.Time // what the platform's alarm is set to
	broken  error     // the storage does not take writes: nothing may be acknowledged any more
}

func newSandbox(port js.Value, c config) *sandbox {
	s := &sandbox{port: port, config: c, storage: &storage{object: port.Get("storage")}, bell: make(chan struct{}, 1),
		budget: eventBudget, visited: time.UnixMilli(c.Visited), ahead: time.Duration(c.Ahead) * time.Millisecond}
	s.texts = &guests.Guests{Port: port, Later: s.call, Hold: func(bool) {}} // the module is at hand
	return s
}

// log writes one structured line.
func (s *sandbox) log(level, event string, fields map[string]any) {
	if fields == nil {
		fields = map[string]any{}
	}
	fields["event"] = event
	line, err := json.Marshal(fields)
	if err == nil {
		s.port.Call("log", level, string(line))
	}
}

// open makes or restores the machine.
func (s *sandbox) open() error {
	o, err := s.config.options()
	if err != nil {
		return err
	}
	o.Backend, o.TextTools, o.URLs = s.storage, s.texts, s.url
	o.Log = func(text string) { s.log("error", "fault", map[string]any{"message": text}) }
	if n := s.config.Bytes; n > 0 {
		o.Limits.Full = func() bool { return s.storage.size >= n }
	}
	if s.machine, err = sim.New(o); err != nil {
		return err
	}
	for _, notice := range s.machine.Notices() {
		s.log("warning", "notice", map[string]any{"message": notice})
	}
	s.stop = make(chan struct{})
	s.server = httpserver.NewServer(s.do, s.look, s.stop)
	s.server.Probe = true
	if s.config.Template != "" && len(s.storage.sizes) == 0 { // it is new, and not kept yet
		return s.prepare(s.config.Template)
	}
	return nil
}

// prepare applies manifests to a new machine, in a terminal of its own.
func (s *sandbox) prepare(manifests string) error {
	const name = "template.yaml"
	home := "/home/reader/" + name
	if err := s.machine.Files().WriteFile(home, []byte(manifests), 0o644); err != nil {
		return err
	}
	var out strings.Builder
	code := -1
	s.machine.Terminal("template").Start("kubectl apply -f "+name, sim.RunOptions{
		OnOutput: func(_ int, data []byte) { out.Write(data) },
		OnExit:   func(c int) { code = c },
	})
	s.machine.Jump(s.machine.Now().Add(time.Minute), func() bool { return code >= 0 })
	if code != 0 {
		return fmt.Errorf("the template could not be applied: %s", out.String())
	}
	return s.machine.Flush()
}

// replace puts a snapshot in the place of the machine, or, with none, begins
// anew. Whoever is connected is disconnected. The lock is held.
func (s *sandbox) replace(snapshot []byte) error {
	undo := func() error { return nil }
	var err error
	if snapshot == nil {
		old, lerr := s.storage.Load()
		if lerr != nil && old == nil {
			return lerr
		}
		undo = func() error { return s.storage.Append(old) }
		err = s.storage.Clear()
	} else {
		undo, err = machine.Replace(s.storage, snapshot)
	}
	if err != nil {
		return err
	}
	old, stop, server := s.machine, s.stop, s.server
	if err := s.open(); err != nil {
		s.machine, s.stop, s.server = old, stop, server
		if e := undo(); e != nil {
			s.fail(e)
		}
		return err
	}
	s.ahead = max(0, s.machine.Now().Sub(time.Now()))
	s.port.Call("ahead", float64(s.ahead.Milliseconds()))
	close(stop)
	for _, p := range s.pages {
		p.close(closeReplaced, "the sandbox was replaced")
	}
	s.pages = nil
	if err := old.Close(); err != nil {
		return err
	}
	return s.machine.Flush()
}

// fail says that what was done is not kept. Nothing is answered any more: the
// object ends, and the next request finds what the storage has.
func (s *sandbox) fail(err error) {
	if s.broken == nil {
		s.broken = err
		s.log("error", "storage", map[string]any{"message": err.Error()})
		s.port.Call("abort", err.Error())
	}
}

// do calls fn with the machine at the present, and makes durable what it did.
func (s *sandbox) do(fn func(m *sim.Machine)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(sliceSteps)
	fn(s.machine)
	s.save()
	s.ring()
}

// look calls fn while nobody else touches the machine.
func (s *sandbox) look(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

func (s *sandbox) turn(steps int) (more bool) {
	s.budget -= steps
	return s.machine.Turn(time.Now().Add(s.ahead), steps)
}

func (s *sandbox) save() {
	if err := s.machine.Flush(); err != nil {
		s.fail(err)
	}
}

func (s *sandbox) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// call has fn run by the main loop, with the lock held.
func (s *sandbox) call(fn func()) {
	s.later = append(s.later, fn)
	s.ring()
}

// event says that something came from outside: there is a new budget.
func (s *sandbox) event() { s.budget = eventBudget }

// visit is an event that a visitor caused.
func (s *sandbox) visit() {
	s.visited, s.spent = time.Now(), 0
	s.event()
}

// run is the main loop. It does not return.
func (s *sandbox) run() {
	wake := js.FuncOf(func(js.Value, []js.Value) any { s.ring(); return nil })
	for {
		more := s.cycle()
		d, inMemory := s.rest(more)
		if inMemory {
			timer := s.port.Call("timer", float64(d)/float64(time.Millisecond), wake)
			<-s.bell
			s.port.Call("cancel", timer)
		} else {
			s.setAlarm(d)
			<-s.bell
		}
	}
}

// cycle is one slice of work. A fault of the simulation does not end the
// program: its visitors go on.
func (s *sandbox) cycle() (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			s.log("error", "fault", map[string]any{"message": fmt.Sprint(r)})
			more = false
		}
	}()
	for len(s.later) > 0 {
		fn := s.later[0]
		s.later = s.later[1:]
		fn()
	}
	more = s.turn(sliceSteps)
	for _, p := range s.pages {
		if p.host.Cycle() == 0 {
			more = true
		}
	}
	s.save()
	if !more {
		s.spent = 0
	}
	return more
}

// rest is how long nothing is to be done, and whether a timer waits for that or
// the platform's alarm. A negative time is no alarm.
func (s *sandbox) rest(more bool) (d time.Duration, inMemory bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if more && s.budget > 0 {
		return 0, true
	}
	if more { // the rest is for another event
		s.spent++
		return min(restFirst<<min(s.spent-1, 20), restMost), false
	}
	due, ok := s.machine.NextDue()
	if !ok {
		return -1, false
	}
	d = max(due.Sub(time.Now())-s.ahead, time.Millisecond)
	if s.streams > 0 {
		return min(d, longest), true
	}
	idle := time.Since(s.visited)
	if d <= nearby && idle < time.Minute {
		return d, true
	}
	if idle > dormant {
		return -1, false
	}
	// Nobody looks: nobody can tell whether things happen in time or are caught
	// up with. The longer that lasts, the fewer wake-ups.
	return max(d, idle/4), false
}

// setAlarm has the platform wake the sandbox after d; never, when d is
// negative. The other side adds the day on which the sandbox expires.
func (s *sandbox) setAlarm(d time.Duration) {
	var at time.Time
	if d >= 0 {
		at = time.Now().Add(d)
	}
	if off := at.Sub(s.alarm); !s.alarm.IsZero() && !at.IsZero() && off.Abs() < 50*time.Millisecond || at.Equal(s.alarm) {
		return
	}
	s.alarm = at
	ms := 0.0
	if d >= 0 {
		ms = float64(at.UnixMilli())
	}
	s.port.Call("alarm", ms)
}

// export gives JavaScript what it calls.
func (s *sandbox) export() {
	method := func(name string, fn func(args []js.Value) any) {
		s.port.Set(name, js.FuncOf(func(_ js.Value, args []js.Value) any { return fn(args) }))
	}
	method("upgrade", func(args []js.Value) any {
		s.visit()
		go s.upgrade(args[0], args[1])
		return nil
	})
	method("wake", func([]js.Value) any { // the alarm
		s.alarm = time.Time{}
		s.event()
		s.ring()
		return nil
	})
	method("stats", func([]js.Value) any {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return map[string]any{
			"heap": float64(m.HeapAlloc), "bytes": float64(s.storage.size), "records": len(s.storage.sizes),
			"streams": s.streams, "pages": len(s.pages), "now": float64(s.machine.Now().UnixMilli()),
		}
	})
	method("snapshot", func(args []js.Value) any {
		done := args[0]
		s.visit()
		s.call(func() {
			if data, err := s.machine.Snapshot(); err != nil {
				done.Invoke(err.Error(), js.Null())
			} else {
				done.Invoke(js.Null(), jsvalue.Array(data))
			}
		})
		return nil
	})
	method("replace", func(args []js.Value) any {
		var data []byte
		if args[0].Type() == js.TypeObject {
			data = jsvalue.Bytes(args[0])
		}
		done := args[1]
		s.visit()
		s.call(func() {
			if err := s.replace(data); err != nil {
				done.Invoke(err.Error())
			} else {
				done.Invoke(js.Null())
			}
		})
		return nil
	})
}
