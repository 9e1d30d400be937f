// The cluster's motion. A host owns the pace: it tells the cluster up to which
// virtual time it may go, and the cluster runs what is runnable and due until
// then, in one order that depends on nothing but the seed and the commands.

package sim

import (
	"errors"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
)

// maxAhead is how far programs that spend time of their own (kubectl's
// start-up) may carry the clock past the host's limit, so that a person does
// not wait for it; a loop of such programs is then held to the host's pace.
const maxAhead = 300 * time.Millisecond

var errNoEditor = errors.New("no editor here: this host cannot open one")

// Now is the cluster's virtual time.
func (c *Cluster) Now() time.Time { return c.clock.Now() }

// Turn runs runnable processes, and timers due at or before limit, at most
// steps of them in all. It reports whether something is still runnable or due:
// the host should then call it again, after letting its own events in. When it
// returns false the clock stands at limit (or a little past it, see Spend).
func (c *Cluster) Turn(limit time.Time, steps int) (more bool) {
	for range steps {
		if c.kernel.Step() {
			continue
		}
		if !c.clock.Step(c.reach(limit)) {
			c.clock.SetNow(limit)
			return false
		}
	}
	return true
}

func (c *Cluster) reach(limit time.Time) time.Time {
	if !c.spend.After(limit) {
		return limit
	}
	if most := limit.Add(maxAhead); c.spend.After(most) {
		return most
	}
	return c.spend
}

// NextDue is when the next timer is due; false when the cluster is idle. A
// host that paces by the wall sleeps until then.
func (c *Cluster) NextDue() (time.Time, bool) { return c.clock.Next() }

// Timers are the names of what the cluster waits for, in order; empty when it
// is idle.
func (c *Cluster) Timers() []string { return c.clock.Names() }

// Runnable reports whether a user program could run now.
func (c *Cluster) Runnable() bool { return c.kernel.Runnable() }

// Jump runs the cluster without regard to the wall until done returns true:
// what is runnable first, then the next timer, however far away it is, but
// none after limit (the zero time is no limit). It returns false when limit is
// reached, or when nothing is left that could ever happen.
func (c *Cluster) Jump(limit time.Time, done func() bool) bool {
	for !done() {
		if c.kernel.Step() {
			continue
		}
		next, ok := c.clock.Next()
		if !ok || !limit.IsZero() && next.After(limit) {
			if !limit.IsZero() {
				c.clock.SetNow(limit)
			}
			return false
		}
		c.clock.Step(next)
	}
	return true
}

// JumpTo lets everything happen that is due until t, and moves the clock there.
func (c *Cluster) JumpTo(t time.Time) {
	c.Jump(t, func() bool { return false })
}

// Spawn starts a user program of the host's own: something that blocks on the
// simulation, such as a connection to a container.
func (c *Cluster) Spawn(name string, fn func(p *kernel.Proc) int) *kernel.Proc {
	return c.kernel.Spawn(nil, name, fn)
}

// NewPipe is a pipe between a host's connection and a program of the simulation.
func (c *Cluster) NewPipe() *kernel.Pipe { return c.kernel.NewPipe(0) }
