// A work queue holds the keys that a reconciler has yet to look at. A key is
// taken after the queue's latency, once however often it was added; one that
// failed comes back later and later, as client-go's rate limiter does.

package client

import (
	"time"

	"github.com/tidwall/btree"

	"github.com/kubonsai/kubonsai/sim/clock"
)

// The bounds of the per-key back-off of a failing reconciler.
const (
	backoffBase = 5 * time.Millisecond
	backoffMax  = 1000 * time.Second
)

// Queue calls a reconciler for each key that is due, one per timer, in order
// of due time.
type Queue struct {
	clock    *clock.Clock
	name     string
	latency  time.Duration
	sync     func(key string) error
	due      map[string]item
	order    btree.Map[string, string] // sortable due time and sequence → key
	seq      uint64
	timer    *clock.Timer
	failures map[string]int
	onError  func(key string, err error)
}

type item struct {
	due   time.Time
	order string
}

// NewQueue returns an empty queue. sync gets one key at a time; a key whose
// sync returns an error is tried again after a back-off.
func NewQueue(clk *clock.Clock, name string, latency time.Duration, sync func(key string) error) *Queue {
	return &Queue{clock: clk, name: name, latency: latency, sync: sync,
		due: map[string]item{}, failures: map[string]int{}}
}

// OnError sets what is told of failed syncs, beside the retry.
func (q *Queue) OnError(fn func(key string, err error)) { q.onError = fn }

// Add makes the key due after the queue's latency, unless it is due sooner.
func (q *Queue) Add(key string) { q.AddAfter(key, q.latency) }

// AddAfter makes the key due after d, unless it is due sooner.
func (q *Queue) AddAfter(key string, d time.Duration) {
	due := q.clock.Now().Add(max(d, 0))
	if it, ok := q.due[key]; ok {
		if !due.Before(it.due) {
			return
		}
		q.order.Delete(it.order)
	}
	q.seq++
	it := item{due: due, order: sortable(due, q.seq)}
	q.due[key] = it
	q.order.Set(it.order, key)
	q.arm()
}

// AddRateLimited makes the key due after its back-off, which doubles each time
// until Forget.
func (q *Queue) AddRateLimited(key string) {
	n := q.failures[key]
	q.failures[key] = n + 1
	d := backoffMax
	if n < 18 {
		d = min(backoffBase<<n, backoffMax)
	}
	q.AddAfter(key, d)
}

// Forget resets the key's back-off.
func (q *Queue) Forget(key string) { delete(q.failures, key) }

// Remove takes the key out of the queue.
func (q *Queue) Remove(key string) {
	if it, ok := q.due[key]; ok {
		q.order.Delete(it.order)
		delete(q.due, key)
	}
}

// Len is the number of keys waiting.
func (q *Queue) Len() int { return len(q.due) }

func (q *Queue) arm() {
	_, key, ok := q.order.Min()
	if !ok {
		return
	}
	due := q.due[key].due
	if q.timer.Pending() {
		if !due.Before(q.timer.Due()) {
			return
		}
		q.timer.Stop()
	}
	q.timer = q.clock.At(due, q.name, q.fire)
}

func (q *Queue) fire() {
	order, key, ok := q.order.Min()
	if !ok {
		return
	}
	if q.due[key].due.After(q.clock.Now()) {
		q.arm()
		return
	}
	q.order.Delete(order)
	delete(q.due, key)
	if err := q.sync(key); err != nil {
		if q.onError != nil {
			q.onError(key, err)
		}
		q.AddRateLimited(key)
	} else {
		q.Forget(key)
	}
	q.arm()
}

// sortable is a string that orders by time, then by sequence.
func sortable(t time.Time, seq uint64) string {
	var b [16]byte
	ns := uint64(t.UnixNano())
	for i := 0; i < 8; i++ {
		b[i] = byte(ns >> (56 - 8*i))
		b[8+i] = byte(seq >> (56 - 8*i))
	}
	return string(b[:])
}
