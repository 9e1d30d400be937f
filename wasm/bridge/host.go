// Host drives one cluster for one page: it takes request frames, lets virtual
// time follow the wall clock, and sends what happens as frames. It knows
// nothing of JavaScript: wasm/browser gives it the wall time, carries its
// frames and calls Cycle from the program's one goroutine.

package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/shell/repo"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// Cluster is what the host needs of a cluster; *sim.Machine through the small
// adapter in wasm/browser. It is used from one goroutine.
type Cluster interface {
	Now() time.Time
	Turn(limit time.Time, steps int) (more bool)
	NextDue() (time.Time, bool)
	Flush() error
	Handler() rest.Handler
	Start(terminal, script string, opt RunOptions) Run
	Dir(terminal string) string
	Files() *vfs.FS
	Snapshot() ([]byte, error)
	Close() error
}

// RunOptions say how a script is run and who is told of what it does.
type RunOptions struct {
	Columns, Rows int
	Interactive   bool
	Beside        bool // runs in a copy of the terminal's shell
	Window        int
	OnOutput      func(stream int, data []byte)
	OnExit        func(code int)
	OnClear       func()
	Edit          func(name, text string, done func(text string, ok bool))
}

// Run is a script under way.
type Run interface {
	Interrupt()
	Kill()
	Write(data []byte)
	Asks() bool // whether a program waits for input
	CloseInput()
	Resize(columns, rows int)
	Ack(n int)
}

// OpenOptions say which cluster to boot or restore.
type OpenOptions struct {
	Name    string
	Seed    uint64
	Nodes   string // see provision.ParseNodes
	Cloud   bool   // services of type LoadBalancer get addresses
	Storage string
	Start   time.Time
	// Snapshot, when set, replaces what the storage holds.
	Snapshot []byte
	// Erase begins anew: what the storage holds is deleted first.
	Erase bool
	// URLs are texts that programs get when they fetch these addresses.
	URLs func(url string) ([]byte, bool)
}

// Opened is an open cluster.
type Opened struct {
	Cluster  Cluster
	Restored bool
	// Storage is where it is kept, when that is not where it was to be kept.
	Storage  string
	Warnings []string
	// Shared says that others use the cluster too: its time is not the page's to
	// stop or hurry.
	Shared bool
}

// Home is where relative file names begin.
const Home = "/home/reader"

const (
	sliceTime  = 8 * time.Millisecond   // the longest stretch of work between two looks at the inbox
	sliceSteps = 8                      // steps between two looks at the wall clock
	stepTime   = 100 * time.Millisecond // the longest that a step of a paused cluster works
	flushEvery = 250 * time.Millisecond // how often a busy cluster is saved
	flushShare = 20                     // a save that took t is not followed by another within 20 t
	suspended  = 5 * time.Second        // a wake-up later than this was a sleeping machine
	window     = 256 << 10              // output in flight to the page, per run
	outputRate = 30 * time.Millisecond  // how often a busy run's output is sent
	outputSize = 32 << 10               // so much output is sent at once
	maxChange  = 1 << 20                // bytes of watch events in one frame
)

// Host serves one page. The zero value is not usable.
type Host struct {
	open    func(OpenOptions) (*Opened, error)
	send    func(*Frame)
	wall    func() time.Time
	version string

	options  OpenOptions
	cluster  Cluster
	shared   bool // see Opened
	pace     *Pace
	urls     map[string][]byte
	runs     map[int]*hostRun
	watches  map[int]*hostWatch
	order    []int // ids of runs and watches, in the order they came
	held     []*Frame
	edits    int
	urgent   bool // an answer waits for a save
	unsaved  bool // something may have happened since the last save
	nextSave time.Time
	planned  time.Time // when the host meant to wake up; zero: when something comes
	busy     bool
	told     Frame // the last state the page was told
	ended    bool
	failing  int // saves that failed in a row
}

type hostRun struct {
	id      int
	run     Run
	out     []*Frame
	sent    time.Time // when out was last sent
	edits   map[int]func(string, bool)
	broken  bool // interrupted or killed
	exited  bool
	dropped bool
	asked   bool // the page knows that a program waits for input
}

type hostWatch struct {
	id    int
	watch rest.Watch
	dirty bool
}

// NewHost returns a host that opens clusters with open, sends frames with send
// and reads the wall clock with wall.
func NewHost(version string, open func(OpenOptions) (*Opened, error), send func(*Frame), wall func() time.Time) *Host {
	return &Host{
		open: open, send: send, wall: wall, version: version,
		urls: map[string][]byte{}, runs: map[int]*hostRun{}, watches: map[int]*hostWatch{},
	}
}

// Opened reports whether there is a cluster.
func (h *Host) Opened() bool { return h.cluster != nil }

// Ended reports whether the page has closed the cluster.
func (h *Host) Ended() bool { return h.ended }

// Receive takes one request. It may block while the storage works.
func (h *Host) Receive(head, data []byte) {
	f, err := Decode(head, data)
	if err != nil {
		h.fail(f.ID, "BadFrame", err)
		return
	}
	defer func() {
		if r := recover(); r != nil {
			h.fail(f.ID, "Internal", fmt.Errorf("kubonsai has a bug: %s: %v; the cluster goes on from its saved state after a reload", f.Kind, r))
		}
	}()
	if err := h.handle(f); err != nil {
		code := "Failed"
		var coded *codedError
		if errors.As(err, &coded) {
			code = coded.code
		}
		h.fail(f.ID, code, err)
	}
}

type codedError struct {
	code string
	text string
}

func (e *codedError) Error() string { return e.text }

func (h *Host) fail(id int, code string, err error) {
	h.send(&Frame{ID: id, Kind: KindError, Code: code, Message: err.Error()})
}

func (h *Host) handle(f *Frame) error {
	reply := &Frame{ID: f.ID, Kind: KindReply}
	switch f.Kind {
	case KindHello:
		reply.Protocol, reply.Version = Protocol, h.version
		h.send(reply)
		return nil
	case KindOpen:
		if h.cluster != nil {
			return &codedError{"AlreadyOpen", "a cluster is open already: close it first"}
		}
		h.options = OpenOptions{Name: f.Name, Seed: f.Seed, Nodes: f.Nodes, Cloud: f.Cloud, Storage: f.Storage, URLs: h.url}
		if f.Start != 0 {
			h.options.Start = time.UnixMilli(f.Start).UTC()
		}
		return h.boot(reply, h.options, f.Speed, f.Paused)
	case KindPrepare:
		if h.cluster == nil {
			h.rehearse(f.Nodes)
		}
		h.send(reply)
		return nil
	case KindSteps:
		steps, incomplete := Steps(f.Script)
		reply.Steps, reply.OK = steps, !incomplete
		h.send(reply)
		return nil
	case KindURL:
		h.urls[f.Path] = f.Data
		h.send(reply)
		return nil
	case KindClose:
		var err error
		if h.cluster != nil {
			err = h.shut(true)
		}
		h.ended = true
		if err != nil {
			return err
		}
		h.send(reply)
		return nil
	}
	if h.cluster == nil {
		return &codedError{"NotOpen", "no cluster is open: send open first"}
	}
	wall := h.wall()
	switch f.Kind {
	case KindRun:
		if h.runs[f.ID] != nil || h.watches[f.ID] != nil {
			return fmt.Errorf("id %d is in use", f.ID)
		}
		h.start(f)
		return nil
	case KindStdin, KindInterrupt, KindKill, KindResize, KindAck, KindEdited:
		r := h.runs[f.Run]
		if r == nil || r.run == nil {
			if f.Kind == KindAck {
				return nil
			}
			return &codedError{"NotRunning", fmt.Sprintf("run %d is not under way (any more): call run() for another", f.Run)}
		}
		switch f.Kind {
		case KindStdin:
			if len(f.Data) > 0 {
				r.asked = false
				r.run.Write(f.Data)
			}
			if f.EOF {
				r.run.CloseInput()
			}
		case KindInterrupt:
			r.broken = true
			r.run.Interrupt()
		case KindKill:
			if r.broken { // an interrupt that came with it works first
				h.cluster.Turn(h.cluster.Now(), sliceSteps)
			}
			r.broken = true
			r.run.Kill()
		case KindResize:
			r.run.Resize(f.Columns, f.Rows)
		case KindAck:
			r.run.Ack(f.Bytes)
			return nil
		case KindEdited:
			done := r.edits[f.Edit]
			if done == nil {
				return &codedError{"NotRunning", fmt.Sprintf("edit %d is not open", f.Edit)}
			}
			delete(r.edits, f.Edit)
			done(f.Text, f.OK)
		}
	case KindFetch:
		if err := h.fetch(f, reply); err != nil {
			return err
		}
	case KindWatch:
		return h.startWatch(f)
	case KindStop:
		w := h.watches[f.Watch]
		if w == nil {
			return &codedError{"NotRunning", fmt.Sprintf("watch %d is not open (any more): call watch() for another", f.Watch)}
		}
		w.watch.Stop()
		delete(h.watches, f.Watch)
		h.send(&Frame{ID: f.Watch, Kind: KindDone})
	case KindRead, KindWrite, KindList, KindRemove:
		if err := h.file(f, reply); err != nil {
			return err
		}
		if f.Kind == KindWrite || f.Kind == KindRemove {
			h.held, h.urgent = append(h.held, reply), true // answered once it is saved
			return nil
		}
	case KindComplete:
		reply.Words, reply.Column = complete(h.cluster, f.Terminal, f.Script, f.Column)
	case KindSnapshot:
		data, err := h.cluster.Snapshot()
		if err != nil {
			return err
		}
		reply.Data = data
	case KindRestore:
		o := h.options
		o.Snapshot = f.Data
		return h.again(reply, o)
	case KindReset:
		o := h.options
		o.Erase = true
		if f.Seed != 0 {
			o.Seed = f.Seed
		}
		if f.Nodes != "" {
			o.Nodes = f.Nodes
		}
		return h.again(reply, o)
	case KindSpeed, KindPause, KindStep:
		if h.shared {
			return &codedError{"Shared", "this cluster is a hosted sandbox, whose clock is the wall's: it cannot be stopped or hurried"}
		}
		h.move(f, wall)
		h.state(reply)
	case KindStatus:
		h.state(reply)
	default:
		return fmt.Errorf("request %q is known but not served", f.Kind)
	}
	h.send(reply)
	return nil
}

// move changes the cluster's pace.
func (h *Host) move(f *Frame, wall time.Time) {
	switch f.Kind {
	case KindSpeed:
		h.pace.SetSpeed(f.Speed, wall)
	case KindPause:
		h.pace.SetPaused(f.Paused, wall)
	case KindStep:
		if due, ok := h.cluster.NextDue(); ok {
			if due.Before(h.cluster.Now()) {
				due = h.cluster.Now()
			}
			for h.cluster.Turn(due, sliceSteps) && h.wall().Sub(wall) < stepTime {
			}
			h.pace.Rebase(h.cluster.Now(), wall)
		}
	}
}

// rehearse boots a cluster in memory, lets it answer a command and forgets it.
// A browser compiles each function of the module when it is first called: that
// is half of the time to the first answer.
func (h *Host) rehearse(nodes string) {
	opened, err := h.open(OpenOptions{Name: "rehearsal", Storage: "memory", Nodes: nodes})
	if err != nil {
		return // open will say it again, to somebody
	}
	c, done := opened.Cluster, false
	c.Start("1", "kubectl get nodes", RunOptions{
		Columns: 80, Rows: 24, Window: window,
		OnOutput: func(int, []byte) {}, OnExit: func(int) { done = true }, OnClear: func() {},
	})
	for limit := c.Now().Add(time.Minute); !done && c.Turn(limit, sliceSteps); {
	}
	_, _ = c.Snapshot()
	_ = c.Close()
}

func (h *Host) url(u string) ([]byte, bool) {
	data, ok := h.urls[u]
	return data, ok
}

func (h *Host) boot(reply *Frame, o OpenOptions, speed float64, paused bool) error {
	opened, err := h.open(o)
	if err != nil {
		return err
	}
	if opened.Storage != "" {
		h.options.Storage = opened.Storage
	}
	wall := h.wall()
	h.shared = opened.Shared
	h.cluster, h.unsaved, h.nextSave, h.failing = opened.Cluster, false, time.Time{}, 0
	h.pace = NewPace(h.cluster.Now(), wall, speed)
	h.pace.SetPaused(paused, wall)
	for _, w := range opened.Warnings {
		h.send(&Frame{Kind: KindNotice, Level: "warning", Code: "Storage", Message: w})
	}
	h.state(reply)
	reply.Restored = opened.Restored
	h.send(reply)
	return nil
}

// again closes the cluster and opens it with other options.
func (h *Host) again(reply *Frame, o OpenOptions) error {
	speed, paused := h.pace.Speed(), h.pace.Paused()
	if err := h.shut(!o.Erase); err != nil {
		return err
	}
	err := h.boot(reply, o, speed, paused)
	if err != nil && len(o.Snapshot) > 0 {
		// The old state is still in the storage: a bad snapshot costs nothing.
		if e := h.boot(&Frame{Kind: KindState}, h.options, speed, paused); e != nil {
			return errors.Join(err, e)
		}
		return err
	}
	o.Snapshot, o.Erase, o.Storage = nil, false, h.options.Storage
	h.options = o
	return err
}

// shut ends what is under way and closes the cluster.
func (h *Host) shut(save bool) error {
	for _, id := range h.ids() {
		if r := h.runs[id]; r != nil && !r.exited {
			r.dropped = true
			r.run.Kill()
		}
		if w := h.watches[id]; w != nil {
			w.watch.Stop()
			h.send(&Frame{ID: id, Kind: KindDone})
		}
	}
	for range 10_000 { // let the killed programs unwind
		if !h.cluster.Turn(h.cluster.Now(), sliceSteps) {
			break
		}
	}
	for _, id := range h.ids() {
		if r := h.runs[id]; r != nil {
			for _, f := range r.out {
				h.send(f)
			}
			if r.dropped {
				h.send(&Frame{ID: id, Kind: KindError, Code: "Closed", Message: "the cluster was closed or replaced while the command ran: run it again"})
			}
		}
	}
	held := h.held
	h.runs, h.watches, h.order, h.held = map[int]*hostRun{}, map[int]*hostWatch{}, nil, nil
	var err error
	if save {
		err = h.cluster.Flush()
	}
	for _, f := range held {
		h.send(f)
	}
	err = errors.Join(err, h.cluster.Close())
	h.cluster = nil
	return err
}

// ids are the open runs and watches, oldest first.
func (h *Host) ids() []int {
	live := h.order[:0]
	for _, id := range h.order {
		if h.runs[id] != nil || h.watches[id] != nil {
			live = append(live, id)
		}
	}
	h.order = live
	return append([]int(nil), live...)
}

func (h *Host) start(f *Frame) {
	r := &hostRun{id: f.ID, edits: map[int]func(string, bool){}}
	h.runs[f.ID] = r
	h.order = append(h.order, f.ID)
	terminal := f.Terminal
	r.run = h.cluster.Start(terminal, f.Script, RunOptions{
		Columns: f.Columns, Rows: f.Rows, Interactive: f.Interactive, Beside: f.Beside, Window: window,
		OnOutput: func(stream int, data []byte) {
			if n := len(r.out); n > 0 && r.out[n-1].Kind == KindOutput && r.out[n-1].Stream == stream {
				r.out[n-1].Data = append(r.out[n-1].Data, data...)
				return
			}
			r.out = append(r.out, &Frame{ID: f.ID, Kind: KindOutput, Stream: stream, Data: data})
		},
		OnClear: func() { r.out = append(r.out, &Frame{ID: f.ID, Kind: KindClear}) },
		OnExit: func(code int) {
			if r.exited || r.dropped {
				return
			}
			r.exited = true
			r.out = append(r.out, &Frame{ID: f.ID, Kind: KindExit, Status: code, Terminal: terminal, Path: h.cluster.Dir(terminal)})
		},
		Edit: func(name, text string, done func(string, bool)) {
			h.edits++
			r.edits[h.edits] = done
			r.out = append(r.out, &Frame{ID: f.ID, Kind: KindEdit, Edit: h.edits, Name: name, Text: text})
		},
	})
}

// Hold stops virtual time until what a program waits for has been fetched from
// outside: how long that takes is no part of the cluster's history.
func (h *Host) Hold(held bool) {
	if h.pace != nil {
		h.pace.Hold(held, h.wall())
	}
}

// Cycle does a slice of work. It returns how long the program may sleep before
// the next call: 0 when there is more to do at once (the caller lets its
// messages in first), negative when nothing will happen before a request comes.
func (h *Host) Cycle() time.Duration {
	if h.cluster == nil {
		return -1
	}
	begin := h.wall()
	if !h.planned.IsZero() && begin.Sub(h.planned) > suspended {
		// The machine slept; the cluster did too.
		h.pace.Rebase(h.pace.Virtual(h.planned), begin)
	}
	h.planned = time.Time{}
	more := false
	for {
		wall := h.wall()
		limit := h.pace.Virtual(wall)
		more = h.cluster.Turn(limit, sliceSteps)
		if now := h.cluster.Now(); now.After(limit) {
			h.pace.Rebase(now, wall)
		} else if lag := limit.Sub(now); more && lag > time.Duration(float64(time.Second)*h.pace.Speed()) {
			h.pace.Rebase(now, wall) // too slow for this speed: do not pile up debt
		}
		if !more || h.wall().Sub(begin) >= sliceTime {
			break
		}
	}
	exits := h.deliver(more)
	h.save(exits || h.urgent)
	h.tell(more)
	if more {
		return 0
	}
	return h.sleep()
}

// deliver sends what has happened since the last call, except exits, which
// wait until what the commands did is saved. The exit of a command that was
// interrupted does not wait: whoever stops it is not kept by a slow storage,
// and what it did is saved right after. While the cluster is busy, output is
// gathered for a little while: the page has to draw each piece.
func (h *Host) deliver(busy bool) (exits bool) {
	wall := h.wall()
	for _, id := range h.ids() {
		if w := h.watches[id]; w != nil && w.dirty {
			h.drain(w)
			continue
		}
		r := h.runs[id]
		if r != nil && !r.asked && !r.exited && r.run != nil && r.run.Asks() {
			r.asked = true
			r.out = append(r.out, &Frame{ID: id, Kind: KindAsk})
		}
		if r == nil || len(r.out) == 0 || busy && !r.exited && wall.Sub(r.sent) < outputRate && r.small() {
			continue
		}
		r.sent = wall
		for _, f := range r.out {
			if f.Kind == KindExit {
				delete(h.runs, id)
				exits = true
				if !r.broken {
					h.held = append(h.held, f)
					continue
				}
			}
			h.send(f)
		}
		r.out = nil
	}
	return exits
}

// small reports whether what waits to be sent is so little that more may come.
func (r *hostRun) small() bool {
	n := 0
	for _, f := range r.out {
		n += len(f.Data)
	}
	return n < outputSize
}

// save makes what has happened durable: at once when a command has ended, else
// a few times a second; sleep wakes for what is still due.
func (h *Host) save(now bool) {
	if !now && h.wall().Before(h.nextSave) {
		h.unsaved = true
		return
	}
	h.unsaved, h.urgent = false, false
	begin := h.wall()
	err := h.cluster.Flush()
	end := h.wall()
	h.nextSave = end.Add(max(flushEvery, flushShare*end.Sub(begin)))
	if err != nil {
		told := h.failing > 0
		if now { // the reader may be making room: tries are frequent again
			h.failing = 0
		}
		h.failing++
		h.nextSave = h.wall().Add(min(time.Duration(1<<min(h.failing, 6))*time.Second, time.Minute))
		if !told {
			h.send(&Frame{Kind: KindNotice, Level: "error", Code: "NotSaved", Message: err.Error()})
		}
	} else if h.failing > 0 {
		h.failing = 0
		h.send(&Frame{Kind: KindNotice, Level: "info", Code: "Saved", Message: "the cluster is saved again"})
	}
	for _, f := range h.held {
		h.send(f)
	}
	h.held = nil
}

// state puts what the page shows of the cluster's pace into a frame.
func (h *Host) state(f *Frame) {
	f.Now = h.pace.Virtual(h.wall()).UnixMilli()
	f.Speed, f.Paused, f.Storage = h.pace.Speed(), h.pace.Paused(), h.options.Storage
	f.Saved, f.Busy = h.failing == 0, len(h.runs) > 0
}

// tell sends the state when it has changed by itself.
func (h *Host) tell(more bool) {
	var f Frame
	h.state(&f)
	f.Kind, f.Now = KindState, 0
	if f.Saved != h.told.Saved || f.Busy != h.told.Busy || f.Speed != h.told.Speed || f.Paused != h.told.Paused {
		h.told = f
		h.told.Data = nil
		out := f
		h.state(&out)
		h.send(&out)
	}
}

// sleep is how long nothing is due.
func (h *Host) sleep() time.Duration {
	wall := h.wall()
	d := time.Duration(-1)
	if due, ok := h.cluster.NextDue(); ok {
		if wait, ok := h.pace.Until(due, wall); ok {
			d = max(wait, time.Millisecond)
		}
	}
	if h.failing > 0 || h.unsaved {
		if retry := max(h.nextSave.Sub(wall), time.Millisecond); d < 0 || retry < d {
			d = retry
		}
	}
	if d >= 0 {
		h.planned = wall.Add(d)
	}
	return d
}

// fetch serves one request of the REST API.
func (h *Host) fetch(f, reply *Frame) error {
	req, err := request(f)
	if err != nil {
		return err
	}
	if isTrue(req.Query.Get("watch")) || isTrue(req.Query.Get("follow")) {
		return &codedError{"UseWatch", "fetch answers once: use watch(path) for a stream of changes"}
	}
	resp := h.cluster.Handler().Serve(req)
	switch {
	case resp.Watch != nil:
		resp.Watch.Stop()
		return &codedError{"UseWatch", "fetch answers once: use watch(path) for a stream of changes"}
	case resp.Stream != nil:
		resp.Stream.Close()
		return &codedError{"UseRun", "exec, attach and port-forward are streams: use run('kubectl exec …')"}
	}
	reply.Status = resp.Code
	reply.Headers = map[string]string{}
	for i, w := range resp.Warnings {
		reply.Headers[fmt.Sprintf("Warning-%d", i)] = w
	}
	if resp.Object != nil {
		data, err := json.Marshal(resp.Object)
		if err != nil {
			return err
		}
		reply.Headers["Content-Type"], reply.Data = "application/json", data
		return nil
	}
	reply.Headers["Content-Type"], reply.Data = resp.ContentType, resp.Body
	return nil
}

func isTrue(s string) bool { return s == "1" || s == "true" }

func request(f *Frame) (*rest.Request, error) {
	u, err := url.ParseRequestURI(f.Path)
	if err != nil || !strings.HasPrefix(f.Path, "/") {
		return nil, &codedError{"BadPath", fmt.Sprintf("path %q must begin with a slash, as in /api/v1/namespaces/default/pods", f.Path)}
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, &codedError{"BadPath", fmt.Sprintf("the query of %q cannot be read: %v", f.Path, err)}
	}
	header := rest.Header{}
	for k, v := range f.Headers {
		header[canonical(k)] = v
	}
	method := strings.ToUpper(f.Method)
	if method == "" {
		method = "GET"
	}
	if len(f.Data) > 0 && header["Content-Type"] == "" {
		header["Content-Type"] = "application/json"
	}
	return &rest.Request{Method: method, Path: u.Path, Query: q, Header: header, Body: f.Data}, nil
}

// canonical writes a header field's name as HTTP does: Content-Type.
func canonical(s string) string {
	parts := strings.Split(strings.ToLower(s), "-")
	for i, p := range parts {
		if p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "-")
}

func (h *Host) startWatch(f *Frame) error {
	if h.runs[f.ID] != nil || h.watches[f.ID] != nil {
		return fmt.Errorf("id %d is in use", f.ID)
	}
	req, err := request(f)
	if err != nil {
		return err
	}
	req.Query.Set("watch", "1")
	resp := h.cluster.Handler().Serve(req)
	if resp.Watch == nil {
		if resp.Stream != nil {
			resp.Stream.Close()
		}
		text := fmt.Sprintf("%s cannot be watched: the server answered %d", f.Path, resp.Code)
		if s, ok := resp.Object.(interface{ Error() string }); ok {
			text = s.Error()
		} else if data, err := json.Marshal(resp.Object); err == nil && resp.Object != nil {
			var status struct{ Message string }
			if json.Unmarshal(data, &status) == nil && status.Message != "" {
				text = status.Message
			}
		}
		return &codedError{"WatchFailed", text + " (" + f.Path + "): fetch('/apis') tells what is served"}
	}
	w := &hostWatch{id: f.ID, watch: resp.Watch, dirty: true}
	h.watches[f.ID] = w
	h.order = append(h.order, f.ID)
	resp.Watch.Notify(func() { w.dirty = true })
	h.drain(w)
	return nil
}

func (h *Host) drain(w *hostWatch) {
	w.dirty = false
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	flush := func() {
		if buf.Len() > 0 {
			h.send(&Frame{ID: w.id, Kind: KindChange, Data: append([]byte(nil), buf.Bytes()...)})
			buf.Reset()
		}
	}
	for {
		e, ok := w.watch.Next()
		if !ok {
			break
		}
		_ = enc.Encode(struct {
			Type   rest.EventType `json:"type"`
			Object any            `json:"object"`
		}{e.Type, e.Object})
		if buf.Len() > maxChange {
			flush()
		}
	}
	flush()
	if w.watch.Done() && h.watches[w.id] != nil {
		w.watch.Stop()
		delete(h.watches, w.id)
		h.send(&Frame{ID: w.id, Kind: KindDone})
	}
}

// resolve makes a page's file name absolute: relative ones are the reader's.
func resolve(name string) string {
	if name == "~" || strings.HasPrefix(name, "~/") {
		name = name[1:]
		return vfs.Clean(Home + "/" + name)
	}
	if strings.HasPrefix(name, "/") {
		return vfs.Clean(name)
	}
	return vfs.Clean(Home + "/" + name)
}

func (h *Host) file(f, reply *Frame) error {
	files, name := h.cluster.Files(), resolve(f.Path)
	coded := func(err error) error {
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrNotExist):
			return &codedError{"NotFound", err.Error() + "; list() names the files that are there, write() makes one"}
		}
		return err
	}
	switch f.Kind {
	case KindRead:
		data, err := files.ReadFile(name)
		if err != nil {
			return coded(err)
		}
		reply.Data, reply.OK = data, true
	case KindWrite:
		if err := files.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := files.WriteFile(name, f.Data, 0o644); err != nil {
			return err
		}
		repo.Track(files, name, f.Data, h.cluster.Now())
		return nil
	case KindRemove:
		return coded(files.RemoveAll(name))
	case KindList:
		entries, err := files.ReadDir(name)
		if err != nil {
			return coded(err)
		}
		for _, e := range entries {
			entry := Entry{Name: e.Name(), Dir: e.IsDir()}
			if info, err := e.Info(); err == nil {
				entry.Size = info.Size()
			}
			reply.Entries = append(reply.Entries, entry)
		}
	}
	return nil
}

// complete lists what the word before column could become: names of files, and
// for a first word the shell's commands are the page's business.
func complete(c Cluster, terminal, line string, column int) ([]string, int) {
	if column <= 0 || column > len(line) {
		column = len(line)
	}
	for column < len(line) && !utf8.RuneStart(line[column]) {
		column++
	}
	start := strings.LastIndexAny(line[:column], " \t|<>;&=\"'") + 1
	word := line[start:column]
	dir, base := "", word
	if i := strings.LastIndexByte(word, '/'); i >= 0 {
		dir, base = word[:i+1], word[i+1:]
	}
	at := c.Dir(terminal)
	switch {
	case strings.HasPrefix(dir, "/"):
		at = dir
	case strings.HasPrefix(dir, "~/"):
		at = Home + dir[1:]
	case dir != "":
		at = at + "/" + dir
	}
	entries, err := c.Files().ReadDir(vfs.Clean(at))
	if err != nil {
		return nil, start
	}
	var words []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, base) || base == "" && strings.HasPrefix(name, ".") {
			continue
		}
		if e.IsDir() {
			name += "/"
		}
		words = append(words, dir+name)
	}
	sort.Strings(words)
	return words, start
}
