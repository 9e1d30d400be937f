package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func pod(ns, name, label string) *corev1.Pod {
	p := &corev1.Pod{}
	p.Namespace, p.Name = ns, name
	p.Labels = map[string]string{"l": label}
	return p
}

func key(ns, name string) Key { return Key{"pods", ns, name} }

func mustCreate(t testing.TB, s *Store, ns, name string) *corev1.Pod {
	t.Helper()
	p := pod(ns, name, "")
	if err := s.Create(key(ns, name), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCompareAndSet(t *testing.T) {
	s := New()
	a := mustCreate(t, s, "default", "a")
	if a.ResourceVersion != "2" {
		t.Errorf("the first write has revision %s", a.ResourceVersion)
	}
	if err := s.Create(key("default", "a"), pod("default", "a", "")); !errors.Is(err, ErrExists) {
		t.Errorf("second create: %v", err)
	}
	b := pod("default", "a", "b")
	if err := s.Update(key("default", "a"), a, b); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(key("default", "a"), a, pod("default", "a", "c")); !errors.Is(err, ErrConflict) {
		t.Errorf("update of a stale object: %v", err)
	}
	if err := s.Delete(key("default", "a"), a, pod("default", "a", "")); !errors.Is(err, ErrConflict) {
		t.Errorf("delete of a stale object: %v", err)
	}
	if err := s.Update(key("default", "x"), a, b); !errors.Is(err, ErrNotFound) {
		t.Errorf("update of nothing: %v", err)
	}
	if err := s.Delete(key("default", "a"), b, pod("default", "a", "")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(key("default", "a")); !errors.Is(err, ErrNotFound) {
		t.Errorf("get after delete: %v", err)
	}
	if s.Revision() != 4 {
		t.Errorf("revision %d after three writes", s.Revision())
	}
}

func TestSnapshotIsStable(t *testing.T) {
	s := New()
	for i := range 5 {
		mustCreate(t, s, "b", fmt.Sprint(i))
	}
	mustCreate(t, s, "a", "x")
	mustCreate(t, s, "bb", "y")
	snap := s.Snapshot("pods")
	s.Keep(snap)
	mustCreate(t, s, "b", "later")
	var got []string
	snap.Ascend("b", "b/1", func(k string, o metav1.Object) bool {
		got = append(got, k)
		return len(got) < 3
	})
	if fmt.Sprint(got) != "[b/2 b/3 b/4]" {
		t.Error(got)
	}
	if again, err := s.Kept("pods", snap.Revision); err != nil || again != snap {
		t.Error("the snapshot was not kept")
	}
	if _, err := s.Kept("pods", 999); !errors.Is(err, ErrExpired) {
		t.Errorf("unknown snapshot: %v", err)
	}
}

func TestWatchWindow(t *testing.T) {
	s := New()
	s.SetWindow(10)
	slow, _ := s.Watch("pods", WatchOptions{From: s.Revision()})
	pinned, _ := s.Watch("pods", WatchOptions{From: s.Revision(), Pinned: true})
	for i := range 15 {
		mustCreate(t, s, "default", fmt.Sprint("p", i))
	}
	for range 15 {
		if _, ok, _ := pinned.Next(); !ok {
			t.Fatal("the pinned watcher lost a change")
		}
	}
	for i := range 30 {
		mustCreate(t, s, "default", fmt.Sprint("q", i))
	}
	if _, ok, err := slow.Next(); ok || !errors.Is(err, ErrExpired) || !slow.Stopped() {
		t.Errorf("a slow watcher gets %v", err)
	}
	for i := range 30 {
		if _, ok, err := pinned.Next(); !ok || err != nil {
			t.Fatalf("the pinned watcher lost change %d: %v", i, err)
		}
	}
	if _, err := s.Watch("pods", WatchOptions{From: 2}); !errors.Is(err, ErrExpired) {
		t.Errorf("watch from a compacted revision: %v", err)
	}
	if _, err := s.Watch("pods", WatchOptions{From: 9999}); !errors.Is(err, ErrFuture) {
		t.Errorf("watch from the future: %v", err)
	}
}

// packedPod keeps no more than a label of a pod.
type packedPod struct{ ns, name, label, rv string }

func (p *packedPod) Unpack() metav1.Object {
	o := pod(p.ns, p.name, p.label)
	o.ResourceVersion = p.rv
	return o
}
func (p *packedPod) GetObjectMeta() *metav1.ObjectMeta { return p.Unpack().GetObjectMeta() }
func (p *packedPod) GetTypeMeta() *metav1.TypeMeta     { return p.Unpack().GetTypeMeta() }

func TestPacking(t *testing.T) {
	s := New()
	mustCreate(t, s, "default", "early")
	s.SetPacking("pods", func(o metav1.Object) Packed {
		p := o.(*corev1.Pod)
		if p.Name == "large" {
			return nil
		}
		return &packedPod{p.Namespace, p.Name, p.Labels["l"], p.ResourceVersion}
	})
	mustCreate(t, s, "default", "large")
	w, _ := s.Watch("pods", WatchOptions{From: s.Revision()})
	for _, name := range []string{"early", "large"} {
		k := key("default", name)
		first, err := s.Get(k)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Update(k, first, pod("default", name, "new")); err != nil {
			t.Fatal(err)
		}
		if err := s.Update(k, first, pod("default", name, "newer")); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: update of a stale object: %v", name, err)
		}
		if c, ok, _ := w.Next(); !ok || c.Prev != metav1.Object(first) || c.Object.(*corev1.Pod).Labels["l"] != "new" {
			t.Errorf("%s: the watch shows %+v", name, c)
		}
	}
	snap := s.Snapshot("pods")
	read := map[string]func(func(metav1.Object)){
		"scan": func(fn func(metav1.Object)) { s.Scan("pods", "", func(o metav1.Object) bool { fn(o); return true }) },
		"snapshot": func(fn func(metav1.Object)) {
			snap.Ascend("", "", func(_ string, o metav1.Object) bool { fn(o); return true })
		},
	}
	for name, all := range read {
		n := 0
		all(func(o metav1.Object) {
			n++
			if p, ok := o.(*corev1.Pod); !ok || p.Labels["l"] != "new" {
				t.Errorf("%s shows %T %+v", name, o, o)
			}
		})
		if n != 2 {
			t.Errorf("%s shows %d objects", name, n)
		}
	}
	cur, _ := s.Get(key("default", "early"))
	if err := s.Delete(key("default", "early"), cur, pod("default", "early", "")); err != nil || s.Count("pods") != 1 {
		t.Errorf("delete: %v, %d are left", err, s.Count("pods"))
	}
}

func TestNotifyOncePerBatch(t *testing.T) {
	s := New()
	w, _ := s.Watch("pods", WatchOptions{Namespace: "a", From: s.Revision()})
	calls := 0
	w.Notify(func() { calls++ })
	mustCreate(t, s, "a", "1")
	mustCreate(t, s, "a", "2")
	mustCreate(t, s, "b", "1")
	if calls != 1 {
		t.Errorf("%d notices before reading", calls)
	}
	n := 0
	for {
		_, ok, _ := w.Next()
		if !ok {
			break
		}
		n++
	}
	mustCreate(t, s, "a", "3")
	if n != 2 || calls != 2 {
		t.Errorf("read %d changes, %d notices", n, calls)
	}
	w.Stop()
	mustCreate(t, s, "a", "4")
	if calls != 2 {
		t.Error("a stopped watcher was notified")
	}
}

// A client that lists and then watches ends with the store's own state,
// whatever is written in between, and sees revisions rise.
func TestListWatchRandom(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		s := New()
		s.SetWindow(8)
		write := func() {
			name := fmt.Sprint(rnd.IntN(6))
			k := key("default", name)
			cur, err := s.Get(k)
			switch {
			case err != nil:
				mustCreate(t, s, "default", name)
			case rnd.IntN(3) == 0:
				s.Delete(k, cur, pod("default", name, ""))
			default:
				s.Update(k, cur, pod("default", name, fmt.Sprint(rnd.IntN(1000))))
			}
		}
		for range rnd.IntN(20) {
			write()
		}
		state := map[string]string{}
		snap := s.Snapshot("pods")
		snap.Ascend("", "", func(k string, o metav1.Object) bool {
			state[k] = o.GetObjectMeta().ResourceVersion
			return true
		})
		w, err := s.Watch("pods", WatchOptions{From: snap.Revision, Pinned: true})
		if err != nil {
			t.Fatal(err)
		}
		last := snap.Revision
		read := func() {
			for {
				c, ok, err := w.Next()
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if !ok {
					return
				}
				if c.Revision <= last {
					t.Fatalf("seed %d: revision %d after %d", seed, c.Revision, last)
				}
				last = c.Revision
				if c.Object == nil {
					delete(state, c.Key.path())
				} else {
					state[c.Key.path()] = c.Object.GetObjectMeta().ResourceVersion
				}
			}
		}
		for range 100 {
			write()
			if rnd.IntN(9) == 0 {
				read()
			}
		}
		read()
		want := map[string]string{}
		s.Scan("pods", "", func(o metav1.Object) bool {
			want["default/"+o.GetObjectMeta().Name] = o.GetObjectMeta().ResourceVersion
			return true
		})
		if fmt.Sprint(state) != fmt.Sprint(want) {
			t.Fatalf("seed %d: watcher has %v, store has %v", seed, state, want)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	s := New()
	for i := range 1000 {
		mustCreate(b, s, "default", fmt.Sprint(i))
	}
	k := key("default", "500")
	b.ReportAllocs()
	for b.Loop() {
		cur, _ := s.Get(k)
		if err := s.Update(k, cur, pod("default", "500", "")); err != nil {
			b.Fatal(err)
		}
	}
}
