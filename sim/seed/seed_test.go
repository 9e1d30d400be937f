package seed

import (
	"encoding/json"
	"regexp"
	"testing"
)

// Drawing from one stream must not shift another.
func TestStreamsAreIndependent(t *testing.T) {
	a, b := New(7), New(7)
	for range 100 {
		a.Stream("noise").Uint64()
	}
	if x, y := a.Stream("names").Suffix(5), b.Stream("names").Suffix(5); x != y {
		t.Errorf("%s and %s differ", x, y)
	}
	if New(7).Stream("names").Suffix(5) == New(8).Stream("names").Suffix(5) {
		t.Error("two seeds give the same names")
	}
}

func TestSaveRestore(t *testing.T) {
	s := New(3)
	s.Stream("uids").UID()
	saved, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	want := s.Stream("uids").UID()
	r := New(0)
	held := r.Stream("uids")
	if err := json.Unmarshal(saved, r); err != nil {
		t.Fatal(err)
	}
	if got := held.UID(); got != want {
		t.Errorf("after restore the next uid is %s, want %s", got, want)
	}
}

func TestForms(t *testing.T) {
	s := New(1).Stream("x")
	for range 1000 {
		if u := s.UID(); !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(u) {
			t.Fatalf("uid %q", u)
		}
		if n := s.Suffix(5); !regexp.MustCompile(`^[bcdfghjklmnpqrstvwxz2456789]{5}$`).MatchString(n) {
			t.Fatalf("suffix %q", n)
		}
	}
	if h := s.Hex(32); len(h) != 64 {
		t.Errorf("Hex(32) has %d digits", len(h))
	}
}
