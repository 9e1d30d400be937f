// The scheduling queue: pods ready to be tried by priority then arrival, pods
// that were rejected and wait for a relevant event or for their back-off to
// end. No timer is pending while nothing could change.

package scheduler

import (
	"container/heap"
	"time"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/scheduler/plugin"
)

const (
	latency        = 5 * time.Millisecond // from a pod's arrival to its first try
	cycleTime      = 1 * time.Millisecond // between two tries when many wait
	initialBackoff = 1 * time.Second
	maxBackoff     = 10 * time.Second
	flushAfter     = 5 * time.Minute // a parked pod is tried again after any change at all
)

type state uint8

const (
	active  state = iota // in the heap
	parked               // waits for an event
	backing              // waits for its back-off
	gated                // has scheduling gates
)

// entry is a pod without a node.
type entry struct {
	info       *plugin.PodInfo
	state      state
	seq        uint64 // arrival
	index      int    // in the heap
	attempts   int
	lastTry    time.Time
	rejectedBy map[string]bool // plugins
	changes    uint64          // queue.changes at the last try
	timer      *clock.Timer
}

type queue struct {
	clock   *clock.Clock
	try     func(*entry)
	entries map[metav1.UID]*entry
	heap    entryHeap
	seq     uint64
	timer   *clock.Timer
	flush   *clock.Timer
	changes uint64 // events that could matter to anyone
	parked  parkedList
}

// parkedList keeps parked entries in order of arrival.
type parkedList struct{ list []*entry }

func newQueue(clk *clock.Clock, try func(*entry)) *queue {
	return &queue{clock: clk, try: try, entries: map[metav1.UID]*entry{}}
}

func (q *queue) counts() (all, unschedulable int) { return len(q.entries), len(q.parked.list) }

// add puts a new pod, or one whose gates are gone, into the queue.
func (q *queue) add(info *plugin.PodInfo) {
	e := q.entries[info.Pod.UID]
	if e == nil {
		q.seq++
		e = &entry{seq: q.seq, index: -1, state: parked}
		q.entries[info.Pod.UID] = e
	}
	e.info = info
	if len(info.Pod.Spec.SchedulingGates) > 0 {
		q.unpark(e)
		e.state = gated
		return
	}
	q.activate(e)
}

func (q *queue) remove(uid metav1.UID) {
	e := q.entries[uid]
	if e == nil {
		return
	}
	delete(q.entries, uid)
	e.timer.Stop()
	q.unpark(e)
	if e.index >= 0 {
		heap.Remove(&q.heap, e.index)
	}
}

func (q *queue) activate(e *entry) {
	e.timer.Stop()
	q.unpark(e)
	if e.index >= 0 {
		heap.Fix(&q.heap, e.index)
		return
	}
	e.state = active
	heap.Push(&q.heap, e)
	q.arm(latency)
}

func (q *queue) arm(d time.Duration) {
	if len(q.heap) > 0 && !q.timer.Pending() {
		q.timer = q.clock.After(d, Name, q.fire)
	}
}

func (q *queue) fire() {
	if len(q.heap) > 0 {
		e := heap.Pop(&q.heap).(*entry)
		e.changes = q.changes
		q.try(e)
	}
	q.arm(cycleTime)
}

// park keeps a rejected pod until an event moves it.
func (q *queue) park(e *entry) {
	if q.entries[e.info.Pod.UID] != e || e.index >= 0 {
		return // gone, or changed and queued again, during its try
	}
	q.unpark(e)
	e.state = parked
	i := len(q.parked.list)
	for i > 0 && q.parked.list[i-1].seq > e.seq {
		i--
	}
	q.parked.list = append(q.parked.list, nil)
	copy(q.parked.list[i+1:], q.parked.list[i:])
	q.parked.list[i] = e
	if e.changes != q.changes {
		q.armFlush()
	}
}

func (q *queue) unpark(e *entry) {
	if e.state != parked {
		return
	}
	for i, o := range q.parked.list {
		if o == e {
			q.parked.list = append(q.parked.list[:i:i], q.parked.list[i+1:]...)
			return
		}
	}
}

// backoff moves a parked pod to the heap once its back-off since its last try
// is over: 1 s after the first failure, doubling up to 10 s.
func (q *queue) backoff(e *entry) {
	if q.entries[e.info.Pod.UID] != e || e.state != parked {
		return
	}
	q.unpark(e)
	d := initialBackoff
	for i := 1; i < e.attempts && d < maxBackoff; i++ {
		d *= 2
	}
	due := e.lastTry.Add(min(d, maxBackoff))
	if !due.After(q.clock.Now()) {
		q.activate(e)
		return
	}
	e.state = backing
	e.timer = q.clock.At(due, Name+" back-off", func() { q.activate(e) })
}

// event moves the parked pods that relevant says yes to.
func (q *queue) event(relevant func(*entry) bool) {
	q.changes++
	if len(q.parked.list) == 0 {
		return
	}
	for _, e := range append([]*entry(nil), q.parked.list...) {
		if relevant(e) {
			q.backoff(e)
		}
	}
	if len(q.parked.list) > 0 {
		q.armFlush()
	}
}

// armFlush sees to it that parked pods are tried again some time after any
// change, in case an event was wrongly held for irrelevant. While nothing at
// all changes another try would end the same, so no timer is needed.
func (q *queue) armFlush() {
	if q.flush.Pending() {
		return
	}
	q.flush = q.clock.After(flushAfter, Name+" flush", func() {
		again := false
		for _, e := range append([]*entry(nil), q.parked.list...) {
			switch {
			case e.changes == q.changes:
			case q.clock.Since(e.lastTry) >= flushAfter:
				q.backoff(e)
			default:
				again = true
			}
		}
		if again {
			q.armFlush()
		}
	})
}

type entryHeap []*entry

func (h entryHeap) Len() int { return len(h) }
func (h entryHeap) Less(i, j int) bool {
	if x, y := h[i].info.Priority, h[j].info.Priority; x != y {
		return x > y
	}
	return h[i].seq < h[j].seq
}
func (h entryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *entryHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}
func (h *entryHeap) Pop() any {
	old := *h
	n := len(old) - 1
	e := old[n]
	old[n] = nil
	*h = old[:n]
	e.index = -1
	return e
}
