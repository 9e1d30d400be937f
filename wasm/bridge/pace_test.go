package bridge

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	wall := time.Unix(1000, 0)
	base := time.Unix(5_000_000, 0)
	p := NewPace(base, wall, 0)
	at := func(d time.Duration) time.Time { return wall.Add(d) }
	if got := p.Virtual(at(3 * time.Second)); !got.Equal(base.Add(3 * time.Second)) {
		t.Errorf("real time: %v", got)
	}
	if got := p.Virtual(at(-time.Hour)); !got.Equal(base) {
		t.Errorf("a wall clock that is set back moves virtual time: %v", got)
	}
	p.SetSpeed(10, at(3*time.Second))
	if got := p.Virtual(at(4 * time.Second)); !got.Equal(base.Add(13 * time.Second)) {
		t.Errorf("10×: %v", got)
	}
	if d, ok := p.Until(base.Add(33*time.Second), at(4*time.Second)); !ok || d < 2*time.Second || d > 2*time.Second+time.Millisecond {
		t.Errorf("until: %v %v", d, ok)
	}
	p.SetPaused(true, at(4*time.Second))
	if got := p.Virtual(at(time.Hour)); !got.Equal(base.Add(13 * time.Second)) {
		t.Errorf("paused: %v", got)
	}
	if _, ok := p.Until(base.Add(time.Hour), at(5*time.Second)); ok {
		t.Error("a paused pace promises to arrive")
	}
	if d, ok := p.Until(base, at(5*time.Second)); !ok || d != 0 {
		t.Errorf("what is due is due: %v %v", d, ok)
	}
	p.SetPaused(false, at(time.Hour))
	if got := p.Virtual(at(time.Hour + time.Second)); !got.Equal(base.Add(23 * time.Second)) {
		t.Errorf("resumed: %v", got)
	}
	p.Hold(true, at(time.Hour+time.Second))
	p.SetPaused(false, at(time.Hour+time.Second))
	if _, ok := p.Until(base.Add(time.Hour), at(2*time.Hour)); ok || !p.Virtual(at(2*time.Hour)).Equal(base.Add(23*time.Second)) || p.Paused() {
		t.Error("time passes while it is held")
	}
	p.Hold(false, at(2*time.Hour))
	if got := p.Virtual(at(2*time.Hour + time.Second)); !got.Equal(base.Add(33 * time.Second)) {
		t.Errorf("held no more: %v", got)
	}
	p.SetSpeed(1e9, at(time.Hour))
	if p.Speed() != MaxSpeed {
		t.Errorf("speed %v", p.Speed())
	}
}
