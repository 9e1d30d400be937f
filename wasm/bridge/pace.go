// Pace is how virtual time follows the wall clock in a page: virtual = base +
// (wall − anchor) × speed. It is a pure function of the wall times it is given.

package bridge

import "time"

// The bounds of a pace's speed.
const (
	MinSpeed = 0.5
	MaxSpeed = 100
)

// Pace maps wall time to virtual time. Call Rebase before its first use.
type Pace struct {
	base   time.Time // virtual
	anchor time.Time // wall
	speed  float64
	paused bool
	held   bool
}

// NewPace returns a pace that stands at the virtual time base at the wall time
// wall; a speed of 0 means 1.
func NewPace(base, wall time.Time, speed float64) *Pace {
	if speed == 0 {
		speed = 1
	}
	return &Pace{base: base, anchor: wall, speed: min(max(speed, MinSpeed), MaxSpeed)}
}

// Speed is the current speed.
func (p *Pace) Speed() float64 { return p.speed }

// Paused reports whether virtual time stands still.
func (p *Pace) Paused() bool { return p.paused }

// Virtual is the virtual time at the given wall time. It never runs backwards
// when the wall clock does.
func (p *Pace) Virtual(wall time.Time) time.Time {
	if p.paused || p.held || !wall.After(p.anchor) {
		return p.base
	}
	return p.base.Add(time.Duration(float64(wall.Sub(p.anchor)) * p.speed))
}

// Rebase says that it is virtual now at the given wall time: the cluster went
// ahead by itself, or could not follow.
func (p *Pace) Rebase(virtual, wall time.Time) { p.base, p.anchor = virtual, wall }

// SetSpeed changes the speed from the given wall time on.
func (p *Pace) SetSpeed(speed float64, wall time.Time) {
	p.Rebase(p.Virtual(wall), wall)
	p.speed = min(max(speed, MinSpeed), MaxSpeed)
}

// SetPaused stops virtual time, or lets it go on from where it stood.
func (p *Pace) SetPaused(paused bool, wall time.Time) {
	p.Rebase(p.Virtual(wall), wall)
	p.paused = paused
}

// Hold stops virtual time as a pause does that the user cannot end, while the
// host has to fetch something.
func (p *Pace) Hold(held bool, wall time.Time) {
	p.Rebase(p.Virtual(wall), wall)
	p.held = held
}

// Until is how long the wall clock has to go before virtual time reaches due.
// false: never, because the pace is paused.
func (p *Pace) Until(due, wall time.Time) (time.Duration, bool) {
	v := p.Virtual(wall)
	if !due.After(v) {
		return 0, true
	}
	if p.paused || p.held {
		return 0, false
	}
	d := time.Duration(float64(due.Sub(v))/p.speed) + 1
	return max(d, 0), true
}
