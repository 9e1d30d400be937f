package bridge_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/store"
	"github.com/kubonsai/kubonsai/wasm/bridge"
	"github.com/kubonsai/kubonsai/wasm/internal/fake"
)

// desk is a host on a fake cluster with a wall clock that the test moves.
type desk struct {
	t       *testing.T
	host    *bridge.Host
	cluster *fake.Cluster
	frames  []bridge.Frame
	wall    time.Time
	work    time.Duration // how far the wall clock moves each time it is read
	id      int
	saves   int // how often the cluster had been saved when the last exit was told
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, wall: time.Unix(1_000_000, 0)}
	backend := store.NewMemory()
	d.host = bridge.NewHost("test", func(o bridge.OpenOptions) (*bridge.Opened, error) {
		if o.Erase {
			backend = store.NewMemory()
		}
		c, restored, err := fake.Open(backend, o)
		if err != nil {
			return nil, err
		}
		d.cluster = c
		return &bridge.Opened{Cluster: c, Restored: restored}, nil
	}, func(f *bridge.Frame) {
		d.frames = append(d.frames, *f)
		if f.Kind == bridge.KindExit {
			d.saves = d.cluster.Flushes
		}
	}, func() time.Time { d.wall = d.wall.Add(d.work); return d.wall })
	d.ask(&bridge.Frame{Kind: bridge.KindHello, Protocol: bridge.Protocol})
	d.ask(&bridge.Frame{Kind: bridge.KindOpen, Name: "test", Storage: "memory"})
	return d
}

// send gives the host a request and returns its id.
func (d *desk) send(f *bridge.Frame) int {
	d.id++
	f.ID = d.id
	head, err := f.Encode()
	if err != nil {
		d.t.Fatal(err)
	}
	d.host.Receive(head, f.Data)
	return d.id
}

// ask is send, and the answer.
func (d *desk) ask(f *bridge.Frame) bridge.Frame {
	d.t.Helper()
	id := d.send(f)
	for range 2 {
		for _, a := range d.frames {
			if a.ID == id && (a.Kind == bridge.KindReply || a.Kind == bridge.KindError) {
				return a
			}
		}
		d.host.Cycle() // some answers wait until they are saved
	}
	d.t.Fatalf("no answer to %s", f.Kind)
	return bridge.Frame{}
}

// rest lets the host work until it wants to sleep for another reason than to
// save what has happened.
func (d *desk) rest() time.Duration {
	for range 1000 {
		w := d.host.Cycle()
		if w == 250*time.Millisecond {
			d.wall = d.wall.Add(w)
			continue
		}
		if w != 0 {
			return w
		}
	}
	return 0
}

func (d *desk) output(id int) (text string) {
	for _, f := range d.frames {
		if f.ID == id && f.Kind == bridge.KindOutput {
			text += string(f.Data)
		}
	}
	return text
}

func (d *desk) exit(id int) int {
	for _, f := range d.frames {
		if f.ID == id && f.Kind == bridge.KindExit {
			return f.Status
		}
	}
	return -1
}

func TestRunPrintsAndExits(t *testing.T) {
	d := newDesk(t)
	id := d.send(&bridge.Frame{Kind: bridge.KindRun, Terminal: "1", Script: "echo a\nwarn b\necho \x00\xff\nexit 3"})
	d.rest()
	if got := d.output(id); got != "a\nb\n\x00\xff\n" && !strings.Contains(got, "a\nb\n") {
		t.Errorf("output %q", got)
	}
	if got := d.exit(id); got != 3 {
		t.Errorf("exit %d", got)
	}
	if d.cluster.Flushes == 0 {
		t.Error("an exit was told before what it did was saved")
	}
}

func TestPrepareLeavesNothing(t *testing.T) {
	var names []string
	backends := map[string]store.Backend{}
	var frames []bridge.Frame
	host := bridge.NewHost("test", func(o bridge.OpenOptions) (*bridge.Opened, error) {
		names = append(names, o.Storage+" "+o.Name)
		backends[o.Name] = store.NewMemory()
		c, restored, err := fake.Open(backends[o.Name], o)
		return &bridge.Opened{Cluster: c, Restored: restored}, err
	}, func(f *bridge.Frame) { frames = append(frames, *f) }, time.Now)
	for _, f := range []bridge.Frame{{ID: 1, Kind: bridge.KindPrepare, Nodes: "2"}, {ID: 2, Kind: bridge.KindOpen, Name: "real", Storage: "indexeddb"}, {ID: 3, Kind: bridge.KindPrepare}} {
		head, _ := f.Encode()
		host.Receive(head, nil)
	}
	if got := strings.Join(names, ", "); got != "memory rehearsal, indexeddb real" {
		t.Errorf("opened: %s", got)
	}
	if records, err := backends["rehearsal"].Load(); err != nil || len(records) != 0 {
		t.Errorf("the rehearsal left %d records, %v", len(records), err)
	}
	for i, f := range frames {
		if f.Kind != bridge.KindReply || f.ID != i+1 || f.Restored {
			t.Errorf("answer %d: %+v", i, f)
		}
	}
}

// An interrupted command does not wait for a slow storage; others do.
func TestInterruptedExitDoesNotWait(t *testing.T) {
	d := newDesk(t)
	d.rest()
	d.work = 100 * time.Microsecond
	id := d.send(&bridge.Frame{Kind: bridge.KindRun, Terminal: "1", Script: "while true; do :; done"})
	d.host.Cycle()
	flushes := d.cluster.Flushes
	d.send(&bridge.Frame{Kind: bridge.KindInterrupt, Run: id})
	d.host.Cycle()
	if code := d.exit(id); code != 130 || d.saves != flushes || d.cluster.Flushes != flushes+1 {
		t.Errorf("exit %d told after %d saves, %d in all", code, d.saves-flushes, d.cluster.Flushes-flushes)
	}
	id = d.send(&bridge.Frame{Kind: bridge.KindRun, Terminal: "1", Script: "echo a"})
	d.host.Cycle()
	if code := d.exit(id); code != 0 || d.saves != flushes+2 {
		t.Errorf("exit %d told after %d saves", code, d.saves-flushes)
	}
}

func TestTimeFollowsTheWall(t *testing.T) {
	d := newDesk(t)
	id := d.send(&bridge.Frame{Kind: bridge.KindRun, Terminal: "1", Script: "sleep 10\necho done"})
	if w := d.rest(); w < 9*time.Second || w > 10*time.Second+time.Millisecond {
		t.Fatalf("one timer, at the next due time: %v", w)
	}
	d.ask(&bridge.Frame{Kind: bridge.KindSpeed, Speed: 100})
	if w := d.rest(); w > 101*time.Millisecond {
		t.Fatalf("at 100×: %v", w)
	}
	d.wall = d.wall.Add(100 * time.Millisecond)
	if w := d.rest(); w >= 0 || d.exit(id) != 0 {
		t.Fatalf("an idle cluster has no timer: %v, exit %d", w, d.exit(id))
	}
	d.ask(&bridge.Frame{Kind: bridge.KindPause, Paused: true})
	id = d.send(&bridge.Frame{Kind: bridge.KindRun, Terminal: "1", Script: "sleep 5\necho stepped"})
	if w := d.rest(); w >= 0 {
		t.Fatalf("a paused cluster has no timer: %v", w)
	}
	d.ask(&bridge.Frame{Kind: bridge.KindStep})
	d.rest()
	if d.output(id) != "stepped\n" {
		t.Errorf("step: %q", d.output(id))
	}
}

// A sleeping machine is not a cluster that ran for hours.
func TestSuspend(t *testing.T) {
	d := newDesk(t)
	d.send(&bridge.Frame{Kind: bridge.KindRun, Terminal: "1", Script: "watch"})
	d.rest()
	before := d.cluster.Now()
	d.wall = d.wall.Add(8 * time.Hour)
	d.rest()
	if passed := d.cluster.Now().Sub(before); passed > 5*time.Second {
		t.Errorf("%v passed while the machine slept", passed)
	}
}

// Stop interrupts anything: an endless loop comes back to the host within a
// slice, and the interrupt ends it.
func TestEndlessLoop(t *testing.T) {
	d := newDesk(t)
	d.work = 250 * time.Microsecond
	id := d.send(&bridge.Frame{Kind: bridge.KindRun, Terminal: "1", Script: "while true; do :; done"})
	begin := d.wall
	for range 10 {
		if w := d.host.Cycle(); w != 0 {
			t.Fatalf("a loop sleeps: %v", w)
		}
	}
	if slice := d.wall.Sub(begin) / 10; slice > 20*time.Millisecond {
		t.Errorf("a slice of %v", slice)
	}
	d.ask(&bridge.Frame{Kind: bridge.KindInterrupt, Run: id})
	d.rest()
	if d.exit(id) != 130 {
		t.Errorf("exit %d", d.exit(id))
	}
}

// A flood waits for the page.
func TestBackpressure(t *testing.T) {
	d := newDesk(t)
	id := d.send(&bridge.Frame{Kind: bridge.KindRun, Terminal: "1", Script: "yes"})
	if w := d.rest(); w >= 0 {
		t.Fatalf("yes does not wait: %v", w)
	}
	n := len(d.output(id))
	if n < 1<<10 || n > 1<<20 {
		t.Errorf("%d bytes in flight", n)
	}
	d.send(&bridge.Frame{Kind: bridge.KindAck, Run: id, Bytes: n})
	d.rest()
	if m := len(d.output(id)); m <= n {
		t.Error("an ack lets nothing through")
	}
	d.ask(&bridge.Frame{Kind: bridge.KindInterrupt, Run: id})
	d.rest()
	if d.exit(id) != 130 {
		t.Errorf("exit %d", d.exit(id))
	}
}

func TestStdinAndEdit(t *testing.T) {
	d := newDesk(t)
	id := d.send(&bridge.Frame{Kind: bridge.KindRun, Terminal: "1", Script: "read\nedit file.yaml", Interactive: true})
	d.rest()
	d.rest()
	d.ask(&bridge.Frame{Kind: bridge.KindStdin, Run: id, Data: []byte("hello\n")})
	d.rest()
	var edit bridge.Frame
	asked := 0
	for _, f := range d.frames {
		if f.ID == id && f.Kind == bridge.KindAsk {
			asked++
		}
		if f.ID == id && f.Kind == bridge.KindEdit {
			edit = f
		}
	}
	if asked != 1 {
		t.Errorf("the program asked %d times for one line", asked)
	}
	if edit.Name != "file.yaml" || edit.Text != "old text\n" {
		t.Fatalf("%+v", edit)
	}
	d.ask(&bridge.Frame{Kind: bridge.KindEdited, Run: id, Edit: edit.Edit, Text: "new", OK: true})
	d.rest()
	if got := d.output(id); got != "got hello\nedited true: new" {
		t.Errorf("%q", got)
	}
}

func TestFetchWatchFiles(t *testing.T) {
	d := newDesk(t)
	a := d.ask(&bridge.Frame{Kind: bridge.KindFetch, Path: "/api/v1/nodes"})
	if a.Status != 200 || !strings.Contains(string(a.Data), "fake-worker") || a.Headers["Content-Type"] != "application/json" {
		t.Errorf("%+v %s", a, a.Data)
	}
	if a := d.ask(&bridge.Frame{Kind: bridge.KindFetch, Path: "/api/v1/nodes?watch=1"}); a.Code != "UseWatch" {
		t.Errorf("%+v", a)
	}
	if a := d.ask(&bridge.Frame{Kind: bridge.KindFetch, Path: "nodes"}); a.Code != "BadPath" {
		t.Errorf("%+v", a)
	}
	id := d.send(&bridge.Frame{Kind: bridge.KindWatch, Path: "/api/v1/nodes"})
	last := d.frames[len(d.frames)-1]
	var e struct {
		Type   string
		Object map[string]any
	}
	if err := json.Unmarshal(last.Data, &e); err != nil || last.ID != id || e.Type != "ADDED" {
		t.Errorf("%v %+v", err, last)
	}
	d.ask(&bridge.Frame{Kind: bridge.KindStop, Watch: id})
	if a := d.ask(&bridge.Frame{Kind: bridge.KindWatch, Path: "/api/v1/nothing"}); a.Code != "WatchFailed" || !strings.Contains(a.Message, "could not find") {
		t.Errorf("%+v", a)
	}
	d.ask(&bridge.Frame{Kind: bridge.KindWrite, Path: "dir/a.yaml", Data: []byte("x: 1\n")})
	if a := d.ask(&bridge.Frame{Kind: bridge.KindRead, Path: "~/dir/a.yaml"}); string(a.Data) != "x: 1\n" {
		t.Errorf("%+v", a)
	}
	if a := d.ask(&bridge.Frame{Kind: bridge.KindList, Path: "~"}); len(a.Entries) != 1 || !a.Entries[0].Dir {
		t.Errorf("%+v", a)
	}
	if a := d.ask(&bridge.Frame{Kind: bridge.KindComplete, Terminal: "1", Script: "cat dir/"}); len(a.Words) != 1 || a.Words[0] != "dir/a.yaml" || a.Column != 4 {
		t.Errorf("%+v", a)
	}
	d.ask(&bridge.Frame{Kind: bridge.KindRemove, Path: "dir"})
	if a := d.ask(&bridge.Frame{Kind: bridge.KindRead, Path: "dir/a.yaml"}); a.Code != "NotFound" {
		t.Errorf("%+v", a)
	}
}

func TestSnapshotRestoreReset(t *testing.T) {
	d := newDesk(t)
	d.ask(&bridge.Frame{Kind: bridge.KindWrite, Path: "a", Data: []byte("1")})
	snap := d.ask(&bridge.Frame{Kind: bridge.KindSnapshot})
	d.ask(&bridge.Frame{Kind: bridge.KindWrite, Path: "a", Data: []byte("2")})
	run := d.send(&bridge.Frame{Kind: bridge.KindRun, Terminal: "1", Script: "watch"})
	d.rest()
	if a := d.ask(&bridge.Frame{Kind: bridge.KindRestore, Data: []byte("nonsense")}); a.Kind != bridge.KindError {
		t.Errorf("%+v", a)
	}
	if a := d.ask(&bridge.Frame{Kind: bridge.KindRead, Path: "a"}); string(a.Data) != "2" {
		t.Errorf("a bad snapshot cost the state: %+v", a)
	}
	if a := d.ask(&bridge.Frame{Kind: bridge.KindRestore, Data: snap.Data}); a.Kind != bridge.KindReply || !a.Restored {
		t.Errorf("%+v", a)
	}
	closed := false
	for _, f := range d.frames {
		closed = closed || f.ID == run && f.Kind == bridge.KindError && f.Code == "Closed"
	}
	if !closed {
		t.Error("the run that was under way was not answered")
	}
	if a := d.ask(&bridge.Frame{Kind: bridge.KindRead, Path: "a"}); string(a.Data) != "1" {
		t.Errorf("%s", a.Data)
	}
	d.ask(&bridge.Frame{Kind: bridge.KindReset})
	if a := d.ask(&bridge.Frame{Kind: bridge.KindRead, Path: "a"}); a.Code != "NotFound" {
		t.Errorf("%+v", a)
	}
	if a := d.ask(&bridge.Frame{Kind: bridge.KindClose}); a.Kind != bridge.KindReply || !d.host.Ended() {
		t.Errorf("%+v", a)
	}
}

// A full disk is told once, retried, and told again when it is over; commands
// go on meanwhile.
func TestSavingFails(t *testing.T) {
	d := newDesk(t)
	d.cluster.FailNow = errors.New("no room")
	id := d.send(&bridge.Frame{Kind: bridge.KindRun, Terminal: "1", Script: "echo a"})
	w := d.rest()
	if d.exit(id) != 0 || w <= 0 || w > time.Minute {
		t.Fatalf("exit %d, retry in %v", d.exit(id), w)
	}
	if a := d.ask(&bridge.Frame{Kind: bridge.KindStatus}); a.Saved {
		t.Error("claims to be saved")
	}
	d.wall = d.wall.Add(w)
	d.rest()
	d.cluster.FailNow = nil
	d.wall = d.wall.Add(time.Minute)
	d.rest()
	var notices []string
	for _, f := range d.frames {
		if f.Kind == bridge.KindNotice {
			notices = append(notices, f.Code+": "+f.Message)
		}
	}
	if got := strings.Join(notices, "; "); got != "NotSaved: no room; Saved: the cluster is saved again" {
		t.Error(got)
	}
}

func TestBadFrames(t *testing.T) {
	d := newDesk(t)
	for _, tt := range []struct{ head, want string }{
		{`{`, "frame is not readable"},
		{`[]`, "frame is not readable"},
		{`{"id":0,"kind":"status"}`, "a request needs an id"},
		{`{"id":900,"kind":"dance"}`, `unknown request "dance"`},
		{`{"id":901,"kind":"hello","protocol":99}`, "serve kubonsai.js and kubonsai.wasm from the same release"},
		{`{"id":902,"kind":"speed","speed":1e9}`, "not between"},
		{`{"id":903,"kind":"run"}`, `needs the field "terminal"`},
		{`{"id":904,"kind":"interrupt","run":77}`, "run 77 is not under way"},
		{`{"id":905,"kind":"open","name":"x"}`, "open already"},
	} {
		n := len(d.frames)
		d.host.Receive([]byte(tt.head), nil)
		if len(d.frames) != n+1 || d.frames[n].Kind != bridge.KindError || !strings.Contains(d.frames[n].Message, tt.want) {
			t.Errorf("%s: %+v", tt.head, d.frames[n:])
		}
	}
}

func FuzzReceive(f *testing.F) {
	for _, s := range []string{`{"id":1,"kind":"run","terminal":"1","script":"echo"}`, `{"id":2,"kind":"fetch","path":"/api?%zz"}`, `{"id":3,"kind":"list","path":"../.."}`, `{"id":-1}`, `{"id":4,"kind":"complete","script":"é","column":1}`, `{"id":5,"kind":"steps","script":"a <<E\nb\nE\n; c"}`} {
		f.Add([]byte(s), []byte("data"))
	}
	f.Fuzz(func(t *testing.T, head, data []byte) {
		d := newDesk(t)
		n := len(d.frames)
		d.host.Receive(head, data)
		for range 20 {
			d.host.Cycle()
		}
		var req bridge.Frame
		if json.Unmarshal(head, &req) == nil && req.ID > 0 && req.Kind != bridge.KindRun && req.Kind != bridge.KindWatch && req.Kind != bridge.KindAck {
			for _, a := range d.frames[n:] {
				if a.ID == req.ID {
					return
				}
			}
			t.Fatalf("answered with silence: %s", head)
		}
	})
}

func FuzzSteps(f *testing.F) {
	f.Add("echo a\nkubectl get pods -w\necho b")
	f.Add("cat <<EOF; echo x\nhi\nEOF\n")
	f.Fuzz(func(t *testing.T, script string) {
		steps, _ := bridge.Steps(script)
		for _, s := range steps {
			if s.Start < 0 || s.End > len(script) || s.Start > s.End || script[s.Start:s.End] != s.Text {
				t.Fatalf("%q: %+v", script, s)
			}
		}
	})
}

func TestSteps(t *testing.T) {
	script := "# a comment\nkubectl get pods -l app=nginx --watch\n# and then\nkubectl delete pod x\nkubectl apply -f - <<EOF\nkind: Pod\nEOF\nkubectl proxy --port=8080\ncurl localhost:8080 \\\n  -d x\nkubectl logs -f x | head -3\nkubectl apply -f x\nwatch kubectl get po\nkubectl get po -w &\n"
	steps, incomplete := bridge.Steps(script)
	if incomplete {
		t.Error("incomplete")
	}
	want := []struct {
		text    string
		endless bool
	}{
		{"kubectl get pods -l app=nginx --watch", true},
		{"kubectl delete pod x", false},
		{"kubectl apply -f - <<EOF\nkind: Pod\nEOF", false},
		{"kubectl proxy --port=8080", true},
		{"curl localhost:8080 \\\n  -d x", false},
		{"kubectl logs -f x | head -3", false},
		{"kubectl apply -f x", false},
		{"watch kubectl get po", true},
		{"kubectl get po -w &", false},
	}
	if len(steps) != len(want) {
		t.Fatalf("%d steps: %+v", len(steps), steps)
	}
	for i, w := range want {
		if steps[i].Text != w.text || steps[i].Endless != w.endless {
			t.Errorf("step %d: %q %v, want %q %v", i, steps[i].Text, steps[i].Endless, w.text, w.endless)
		}
	}
	for _, s := range []string{"echo 'a", "cat <<EOF\nx", "for i in 1 2; do", "echo \\"} {
		if _, incomplete := bridge.Steps(s); !incomplete {
			t.Errorf("%q is taken for complete", s)
		}
	}
	if steps, incomplete := bridge.Steps("echo )"); incomplete || len(steps) != 1 {
		t.Errorf("a script that does not parse is one step: %+v", steps)
	}
}
