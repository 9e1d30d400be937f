// Package httpserver is a native host: it paces a cluster by the wall clock and
// serves its REST API over net/http, so that the real kubectl and any other
// client can talk to it. It is the only place that knows both net/http and
// package rest. A host with a pace of its own takes the Server alone.
package httpserver

import (
	"sync"
	"time"

	"github.com/kubonsai/kubonsai/sim"
)

const (
	// turnSteps is how many steps the cluster makes before requests and watchers
	// get a turn.
	turnSteps = 200
	// watchWindow is how many changes a watcher may be behind, who reads while a
	// hundred others do: ten thousand pods that come at once are some forty
	// thousand changes. Upstream's watch cache grows to 102,400.
	watchWindow = 64 << 10
)

// Host owns a cluster and moves its clock. Its methods may be called from any
// goroutine.
type Host struct {
	*Server
	mu      sync.Mutex
	cluster *sim.Machine
	speed   float64
	base    time.Time // virtual time at anchor
	anchor  time.Time // wall time
	wake    chan struct{}
	stop    chan struct{}
	stopped sync.WaitGroup
	onError func(error)
	sync    func() error // nil, or makes durable what has been flushed
}

// Syncer is a store.Backend whose batches must be made durable by a call, which
// may come from any goroutine and serve several batches at once.
type Syncer interface{ Sync() error }

// SyncWith has every Do end with the given backend's Sync, outside the lock.
// Call it before the host is used.
func (h *Host) SyncWith(s Syncer) { h.sync = s.Sync }

// NewHost takes over the cluster and starts its clock, speed times as fast as
// the wall's. At speed 1 a cluster that was put away catches up with the wall,
// whose clock clients compare with. onError is told when the state could not be
// kept.
func NewHost(c *sim.Machine, speed float64, onError func(error)) *Host {
	h := &Host{cluster: c, speed: speed, base: c.Now(), anchor: time.Now(),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), onError: onError}
	h.Server = NewServer(h.Do, h.look, h.stop)
	h.Server.pace, h.Server.wait = speed, h.release
	if speed == 1 && h.anchor.After(h.base) {
		h.base = h.anchor
	}
	c.SetWatchWindow(watchWindow)
	h.stopped.Add(1)
	go h.loop()
	return h
}

func (h *Host) target() time.Time {
	return h.base.Add(time.Duration(float64(time.Since(h.anchor)) * h.speed))
}

func (h *Host) loop() {
	defer h.stopped.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		h.mu.Lock()
		target := h.target()
		more := h.cluster.Turn(target, turnSteps)
		if err := h.cluster.Flush(); err != nil {
			h.onError(err)
		}
		next, ok := h.cluster.NextDue()
		h.mu.Unlock()
		select {
		case <-h.stop:
			return
		default:
		}
		if more {
			continue
		}
		wait := time.Hour
		if ok {
			wait = max(time.Duration(float64(next.Sub(target))/h.speed), time.Millisecond)
		}
		timer.Reset(wait)
		select {
		case <-h.stop:
			return
		case <-h.wake:
		case <-timer.C:
		}
	}
}

// Do calls fn while nothing else touches the cluster, with its clock at the
// present, and makes what it did durable before it returns.
func (h *Host) Do(fn func(c *sim.Machine)) {
	h.locked(fn)
	if h.sync != nil {
		if err := h.sync(); err != nil {
			h.onError(err)
		}
	}
}

// look calls fn while nothing else touches the cluster; the clock stands.
func (h *Host) look(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
}

func (h *Host) locked(fn func(c *sim.Machine)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cluster.Turn(h.target(), turnSteps)
	fn(h.cluster)
	if err := h.cluster.Flush(); err != nil {
		h.onError(err)
	}
	poke(h.wake)
}

// Close stops the clock and closes the cluster.
func (h *Host) Close() error {
	close(h.stop)
	h.stopped.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cluster.Close()
}
