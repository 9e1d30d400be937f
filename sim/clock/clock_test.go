package clock

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Timers fire by due time, then in the order in which they were set.
func TestOrder(t *testing.T) {
	c := New(t0)
	var got []string
	add := func(d time.Duration, name string) *Timer {
		return c.After(d, name, func() { got = append(got, fmt.Sprintf("%s@%s", name, c.Since(t0))) })
	}
	add(2*time.Second, "c")
	add(time.Second, "a")
	add(time.Second, "b")
	stopped := add(time.Second, "never")
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop should report true once")
	}
	c.After(time.Second, "nest", func() { add(0, "nested") })
	c.AdvanceTo(t0.Add(3 * time.Second))
	want := "[a@1s b@1s nested@1s c@2s]"
	if s := fmt.Sprint(got); s != want {
		t.Errorf("fired %s, want %s", s, want)
	}
	if !c.Now().Equal(t0.Add(3 * time.Second)) {
		t.Errorf("now is %s", c.Now())
	}
	if _, ok := c.Next(); ok {
		t.Error("an idle clock has a next timer")
	}
}

// A timer set for the past fires without moving the clock back.
func TestPast(t *testing.T) {
	c := New(t0)
	c.SetNow(t0.Add(time.Hour))
	c.At(t0, "late", func() {})
	if !c.Step(c.Now()) || !c.Now().Equal(t0.Add(time.Hour)) {
		t.Errorf("now is %s", c.Now())
	}
	c.SetNow(t0)
	if !c.Now().Equal(t0.Add(time.Hour)) {
		t.Error("SetNow moved the clock back")
	}
}

func BenchmarkTimers(b *testing.B) {
	c := New(t0)
	for i := range 10000 {
		c.After(time.Duration(i)*time.Hour, "far", func() {})
	}
	b.ReportAllocs()
	for b.Loop() {
		c.After(time.Millisecond, "near", func() {})
		c.Step(c.Now().Add(time.Second))
	}
}

// Closing a scope drops its timers and no others, and no later one fires.
func TestScope(t *testing.T) {
	c := New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	var fired []string
	set := func(c *Clock, after time.Duration, name string) *Timer {
		return c.After(after, name, func() { fired = append(fired, name) })
	}
	a, b := c.Scope(), c.Scope()
	set(c, 3, "c3")
	dropped := set(a, 1, "a1")
	set(b, 2, "b2")
	set(a, 4, "a4")
	set(b, 1, "b1")
	a.Close()
	if dropped.Pending() || dropped.Stop() || set(a, 1, "late").Pending() {
		t.Error("a timer of a closed scope is pending")
	}
	c.AdvanceTo(c.Now().Add(time.Second))
	if got := strings.Join(fired, " "); got != "b1 b2 c3" || !a.Now().Equal(c.Now()) {
		t.Errorf("fired %q; the scope's time is %s", got, a.Now())
	}
}
