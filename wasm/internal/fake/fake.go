// Package fake is a cluster that is none: just enough of one, on the real
// kernel and clock, to test the host, the page and the storages without the
// simulation. Its shell knows a dozen words, one command a line.
package fake

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/store"
	"github.com/kubonsai/kubonsai/sim/vfs"
	"github.com/kubonsai/kubonsai/wasm/bridge"
)

// Cluster is the fake.
type Cluster struct {
	clock   *clock.Clock
	kernel  *kernel.Kernel
	files   *vfs.FS
	backend store.Backend
	watches []*watch
	defined bool // widgets are served
	urls    func(string) ([]byte, bool)
	spend   time.Time // until when programs have asked for time of their own
	Flushes int
	FailNow error // what Flush returns
}

// Open makes a fake cluster on a backend, or restores the one it holds.
func Open(backend store.Backend, o bridge.OpenOptions) (*Cluster, bool, error) {
	start := o.Start
	if start.IsZero() {
		start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	records, err := backend.Load()
	if err != nil {
		return nil, false, err
	}
	if len(o.Snapshot) > 0 {
		records = []store.Record{{Key: "state", Value: o.Snapshot}}
	}
	var state struct {
		Now   time.Time
		Files *vfs.FS
	}
	restored := false
	for _, r := range records {
		if r.Key == "state" {
			state.Files = vfs.New(time.Now)
			if err := json.Unmarshal(r.Value, &state); err != nil {
				return nil, false, fmt.Errorf("the snapshot is not one of a cluster: %w", err)
			}
			start, restored = state.Now, true
		}
	}
	c := &Cluster{clock: clock.New(start), backend: backend}
	c.files = vfs.New(c.clock.Now)
	if restored {
		raw, _ := json.Marshal(state.Files)
		if err := json.Unmarshal(raw, c.files); err != nil {
			return nil, false, err
		}
	}
	if err := c.files.MkdirAll(bridge.Home, 0o755); err != nil {
		return nil, false, err
	}
	c.kernel, c.urls = kernel.New(c.clock), o.URLs
	c.kernel.OnSpend(func(until time.Time) { c.spend = until })
	return c, restored, nil
}

// Now implements bridge.Cluster.
func (c *Cluster) Now() time.Time { return c.clock.Now() }

// Turn implements bridge.Cluster.
func (c *Cluster) Turn(limit time.Time, steps int) bool {
	for range steps {
		if c.kernel.Step() {
			if c.kernel.UsedUp() {
				return true
			}
			continue
		}
		if !c.clock.Step(c.reach(limit)) {
			c.clock.SetNow(limit)
			return false
		}
	}
	return true
}

// reach is how far programs may carry the clock, as in sim.
func (c *Cluster) reach(limit time.Time) time.Time {
	if most := limit.Add(300 * time.Millisecond); c.spend.After(most) {
		return most
	}
	if c.spend.After(limit) {
		return c.spend
	}
	return limit
}

// NextDue implements bridge.Cluster.
func (c *Cluster) NextDue() (time.Time, bool) { return c.clock.Next() }

// Snapshot implements bridge.Cluster.
func (c *Cluster) Snapshot() ([]byte, error) {
	return json.Marshal(map[string]any{"Now": c.clock.Now(), "Files": c.files})
}

// Flush implements bridge.Cluster.
func (c *Cluster) Flush() error {
	if c.FailNow != nil {
		return c.FailNow
	}
	c.Flushes++
	data, err := c.Snapshot()
	if err != nil {
		return err
	}
	return c.backend.Append([]store.Record{{Key: "state", Value: data}})
}

// Close implements bridge.Cluster.
func (c *Cluster) Close() error { return c.backend.Close() }

// Files implements bridge.Cluster.
func (c *Cluster) Files() *vfs.FS { return c.files }

// Dir implements bridge.Cluster.
func (c *Cluster) Dir(string) string { return bridge.Home }

// Handler implements bridge.Cluster: nodes, events and definitions can be read
// and watched, and widgets once the command "define" was run.
func (c *Cluster) Handler() rest.Handler {
	return rest.HandlerFunc(func(r *rest.Request) *rest.Response {
		object := func(version, kind, name string) any {
			return map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": name, "uid": "1"}}
		}
		lists := map[string]any{
			"/api/v1/nodes":  object("v1", "Node", "fake-worker"),
			"/api/v1/events": object("v1", "Event", "fake-event"),
			"/apis/apiextensions.k8s.io/v1/customresourcedefinitions": object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com"),
		}
		groups := map[string]any{"/api/v1": []any{"nodes", "nodes/status", "events"}, "/apis/apiextensions.k8s.io/v1": []any{"customresourcedefinitions"}}
		if c.defined {
			lists["/apis/example.com/v1/widgets"] = object("example.com/v1", "Widget", "fake-widget")
			groups["/apis/example.com/v1"] = []any{"widgets"}
		}
		names, isGroup := groups[r.Path].([]any)
		switch {
		case lists[r.Path] != nil && r.Query.Get("watch") != "":
			w := &watch{path: r.Path, queue: []rest.Event{{Type: rest.Added, Object: lists[r.Path]}}}
			c.watches = append(c.watches, w)
			return &rest.Response{Code: 200, Watch: w}
		case lists[r.Path] != nil:
			return &rest.Response{Code: 200, Object: map[string]any{"kind": "List", "items": []any{lists[r.Path]}}}
		case r.Path == "/apis":
			var all []any
			for _, path := range []string{"/apis/apiextensions.k8s.io/v1", "/apis/example.com/v1"} {
				if groups[path] != nil {
					v := map[string]any{"groupVersion": path[len("/apis/"):]}
					all = append(all, map[string]any{"name": strings.Split(path, "/")[2], "preferredVersion": v, "versions": []any{v}})
				}
			}
			return &rest.Response{Code: 200, Object: map[string]any{"groups": all}}
		case isGroup:
			var all []any
			for _, name := range names {
				all = append(all, map[string]any{"name": name, "verbs": []string{"list", "watch"}})
			}
			return &rest.Response{Code: 200, Object: map[string]any{"resources": all}}
		}
		return &rest.Response{Code: 404, Object: &metav1.Status{Message: "the server could not find the requested resource", Code: 404}}
	})
}

type watch struct {
	path   string
	queue  []rest.Event
	notify func()
	ended  bool
}

func (w *watch) Next() (rest.Event, bool) {
	if len(w.queue) == 0 {
		return rest.Event{}, false
	}
	e := w.queue[0]
	w.queue = w.queue[1:]
	return e, true
}

// again says that the watch's object has changed.
func (w *watch) again() {
	w.queue = append(w.queue, rest.Event{Type: rest.Modified, Object: map[string]any{"kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "widgets.example.com"}}})
	if w.notify != nil {
		w.notify()
	}
}
func (w *watch) Done() bool       { return w.ended && len(w.queue) == 0 }
func (w *watch) Notify(fn func()) { w.notify = fn }
func (w *watch) Stop()            { w.ended = true }

type run struct {
	c     *Cluster
	proc  *kernel.Proc
	stdin *kernel.Pipe
	opt   bridge.RunOptions
	sent  int
	ready kernel.WaitQueue
}

func (r *run) Interrupt()               { r.proc.Signal(kernel.SIGINT) }
func (r *run) Kill()                    { r.proc.Signal(kernel.SIGKILL) }
func (r *run) Write(b []byte)           { _, _ = r.stdin.Write(b) }
func (r *run) Asks() bool               { return r.stdin.Wanted() }
func (r *run) CloseInput()              { r.stdin.CloseWrite() }
func (r *run) Resize(columns, rows int) { r.opt.Columns, r.opt.Rows = columns, rows }
func (r *run) Ack(n int)                { r.sent -= n; r.ready.Wake() }

func (r *run) print(stream int, text string) {
	for r.opt.Window > 0 && r.sent > r.opt.Window {
		if r.proc.Wait(&r.ready) != nil {
			return
		}
	}
	r.sent += len(text)
	r.opt.OnOutput(stream, []byte(text))
}

// Start implements bridge.Cluster.
func (c *Cluster) Start(_, script string, opt bridge.RunOptions) bridge.Run {
	r := &run{c: c, opt: opt, stdin: c.kernel.NewPipe(0)}
	code := 0
	r.proc = c.kernel.Spawn(nil, "fake", func(p *kernel.Proc) int {
		for line := range strings.SplitSeq(script, "\n") {
			if code = r.command(p, strings.TrimSpace(line)); code != 0 {
				return code
			}
		}
		return 0
	})
	r.proc.AtExit(func() {
		code, _ := r.proc.Done()
		opt.OnExit(code)
	})
	return r
}

func (r *run) command(p *kernel.Proc, line string) int {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "":
	case "#":
	case "echo":
		r.print(1, rest+"\n")
	case "warn":
		r.print(2, rest+"\n")
	case "sleep":
		s, _ := strconv.ParseFloat(rest, 64)
		if p.Sleep(time.Duration(s*float64(time.Second))) != nil {
			return 130
		}
	case "while": // while true; do :; done
		for {
			p.Tick()
		}
	case "yes":
		for {
			p.Tick()
			r.print(1, "y\n")
		}
	case "watch":
		for i := 0; ; i++ {
			r.print(1, fmt.Sprintf("tick %d\n", i))
			if p.Sleep(time.Second) != nil {
				return 130
			}
		}
	case "cat":
		data, err := r.c.files.ReadFile(vfs.Clean(bridge.Home + "/" + rest))
		if err != nil {
			r.print(2, "cat: "+rest+": No such file or directory\n")
			return 1
		}
		r.print(1, string(data))
	case "read": // the first line that is typed, or the end of input
		buf := make([]byte, 1024)
		n, _ := r.stdin.Read(buf)
		r.print(1, "got "+string(buf[:n]))
	case "edit":
		var q kernel.WaitQueue
		var text string
		ok, done := false, false
		r.opt.Edit(rest, "old text\n", func(t string, saved bool) { text, ok, done = t, saved, true; q.Wake() })
		for !done {
			if p.Wait(&q) != nil {
				return 130
			}
		}
		r.print(1, fmt.Sprintf("edited %v: %s", ok, text))
	case "clear":
		r.opt.OnClear()
	case "size":
		r.print(1, fmt.Sprintf("%d × %d\n", r.opt.Columns, r.opt.Rows))
	case "curl":
		if data, ok := r.c.urls(rest); ok {
			r.print(1, string(data))
			return 0
		}
		r.print(2, "curl: (6) Could not resolve host: "+rest+"\n")
		return 6
	case "define":
		r.c.defined = true
		for _, w := range r.c.watches {
			if strings.HasSuffix(w.path, "/customresourcedefinitions") {
				w.again()
			}
		}
	case "exit":
		n, _ := strconv.Atoi(rest)
		return n
	case "panic":
		panic(errors.New("fake panic"))
	case "kubectl":
		r.print(1, "NAME          STATUS   ROLES    AGE   VERSION\nfake-worker   Ready    <none>   2m    v1.36.2\n")
	default:
		r.print(2, "bash: "+word+": command not found\n")
		return 127
	}
	return 0
}
