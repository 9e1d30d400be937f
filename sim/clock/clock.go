// Package clock is the simulation's only source of time: a virtual now and an
// ordered queue of timers. It never looks at the wall clock; the host decides
// when and how far it moves (see sim.Machine). Timers fire in order of their
// due time, then in the order in which they were set, on the goroutine that
// advances the clock.
package clock

import (
	"container/heap"
	"sort"
	"time"
)

// Clock holds the virtual now and the timers that wait for it. It is not safe
// for concurrent use: the simulation runs on one baton (see package kernel).
type Clock struct {
	*queue
	closed bool
}

// queue is what a clock and its scopes share.
type queue struct {
	now    time.Time
	seq    uint64
	timers timerHeap
}

// Timer is one pending call. The zero value is not usable.
type Timer struct {
	due   time.Time
	seq   uint64
	index int // position in the heap, -1 when it is not pending
	name  string
	fn    func()
	clock *Clock
}

// New returns a clock that stands at start (kept in UTC).
func New(start time.Time) *Clock { return &Clock{queue: &queue{now: start.UTC()}} }

// Scope returns a clock with the same time and the same order of timers, whose
// own timers can be dropped all at once by Close: the clock of a part that can
// be taken away.
func (c *Clock) Scope() *Clock { return &Clock{queue: c.queue} }

// Close drops the timers that were set on this clock (not those of other
// scopes). Timers that are set on it later never fire.
func (c *Clock) Close() {
	c.closed = true
	kept := make(timerHeap, 0, len(c.timers))
	for _, t := range c.timers {
		if t.clock == c {
			t.index = -1
			continue
		}
		t.index = len(kept)
		kept = append(kept, t)
	}
	c.timers = kept
	heap.Init(&c.timers)
}

// Now is the current virtual time, in UTC.
func (c *Clock) Now() time.Time { return c.now }

// Since is the virtual time that has passed since t.
func (c *Clock) Since(t time.Time) time.Duration { return c.now.Sub(t) }

// At calls fn when the clock reaches due; a due time in the past fires at the
// next advance, without moving the clock back. name is for traces.
func (c *Clock) At(due time.Time, name string, fn func()) *Timer {
	c.seq++
	if due.Before(c.now) {
		due = c.now
	}
	t := &Timer{due: due, seq: c.seq, name: name, fn: fn, clock: c, index: -1}
	if !c.closed {
		heap.Push(&c.timers, t)
	}
	return t
}

// After calls fn once d has passed.
func (c *Clock) After(d time.Duration, name string, fn func()) *Timer {
	return c.At(c.now.Add(d), name, fn)
}

// Due is when the timer fires.
func (t *Timer) Due() time.Time { return t.due }

// Stop forgets the timer; it reports whether the timer was still pending. A
// nil timer may be stopped.
func (t *Timer) Stop() bool {
	if t == nil || t.index < 0 {
		return false
	}
	heap.Remove(&t.clock.timers, t.index)
	return true
}

// Pending reports whether the timer has yet to fire. A nil timer is not.
func (t *Timer) Pending() bool { return t != nil && t.index >= 0 }

// Next is the due time of the earliest timer; false when none is pending, that
// is, when the cluster is idle.
func (c *Clock) Next() (time.Time, bool) {
	if len(c.timers) == 0 {
		return time.Time{}, false
	}
	return c.timers[0].due, true
}

// Len is the number of pending timers.
func (c *Clock) Len() int { return len(c.timers) }

// Names are those of the pending timers, in the order in which they fire: what
// a cluster still waits for.
func (c *Clock) Names() []string {
	h := append(timerHeap(nil), c.timers...)
	sort.Slice(h, func(i, j int) bool { return timerHeap(h).Less(i, j) })
	out := make([]string, len(h))
	for i, t := range h {
		out[i] = t.name
	}
	return out
}

// Step fires the earliest timer that is due at or before limit, after moving
// now to its due time. It reports whether a timer fired.
func (c *Clock) Step(limit time.Time) bool {
	if len(c.timers) == 0 || c.timers[0].due.After(limit) {
		return false
	}
	t := heap.Pop(&c.timers).(*Timer)
	if t.due.After(c.now) {
		c.now = t.due
	}
	fn := t.fn
	t.fn, t.name = nil, "" // who still holds the timer keeps nothing else alive
	fn()
	return true
}

// SetNow moves now forward to t without firing anything; it never moves back.
// Hosts call it after the timers up to t have fired.
func (c *Clock) SetNow(t time.Time) {
	if t.After(c.now) {
		c.now = t.UTC()
	}
}

// AdvanceTo fires every timer due at or before t, in order, then moves now to t.
func (c *Clock) AdvanceTo(t time.Time) {
	for c.Step(t) {
	}
	c.SetNow(t)
}

type timerHeap []*Timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *timerHeap) Push(x any) {
	t := x.(*Timer)
	t.index = len(*h)
	*h = append(*h, t)
}
func (h *timerHeap) Pop() any {
	old := *h
	n := len(old) - 1
	t := old[n]
	old[n] = nil
	*h = old[:n]
	t.index = -1
	return t
}
