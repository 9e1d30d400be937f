// The machine's motion. A host owns the pace: it tells the machine up to which
// virtual time it may go, and the machine, with its clusters, runs what is runnable and due until
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
func (m *Machine) Now() time.Time { return m.clock.Now() }

// Turn runs runnable processes, and timers due at or before limit, at most
// steps of them in all, fewer when a process uses up its quantum (see
// kernel.Proc.Tick). It reports whether something is still runnable or due: the
// host should then call it again, after letting its own events in. When it
// returns false the clock stands at limit (or a little past it, see Spend).
func (m *Machine) Turn(limit time.Time, steps int) (more bool) {
	m.Current() // the host sees a change of it soon, asked or not
	for range steps {
		if m.kernel.Step() {
			if m.kernel.UsedUp() {
				return true
			}
			continue
		}
		if !m.clock.Step(m.reach(limit)) {
			m.clock.SetNow(limit)
			return false
		}
	}
	return true
}

func (m *Machine) reach(limit time.Time) time.Time {
	if !m.spend.After(limit) {
		return limit
	}
	if most := limit.Add(maxAhead); m.spend.After(most) {
		return most
	}
	return m.spend
}

// NextDue is when the next timer is due; false when the cluster is idle. A
// host that paces by the wall sleeps until then.
func (m *Machine) NextDue() (time.Time, bool) { return m.clock.Next() }

// Timers are the names of what the cluster waits for, in order; empty when it
// is idle.
func (m *Machine) Timers() []string { return m.clock.Names() }

// Runnable reports whether a user program could run now.
func (m *Machine) Runnable() bool { return m.kernel.Runnable() }

// Quanta is kernel.Kernel.Quanta of the machine's programs.
func (m *Machine) Quanta() int { return m.kernel.Quanta() }

// Jump runs the cluster without regard to the wall until done returns true:
// what is runnable first, then the next timer, however far away it is, but
// none after limit (the zero time is no limit). It returns false when limit is
// reached, or when nothing is left that could ever happen.
func (m *Machine) Jump(limit time.Time, done func() bool) bool {
	for !done() {
		if m.kernel.Step() {
			continue
		}
		next, ok := m.clock.Next()
		if !ok || !limit.IsZero() && next.After(limit) {
			if !limit.IsZero() {
				m.clock.SetNow(limit)
			}
			return false
		}
		m.clock.Step(next)
	}
	return true
}

// JumpTo lets everything happen that is due until t, and moves the clock there.
func (m *Machine) JumpTo(t time.Time) {
	m.Jump(t, func() bool { return false })
}

// Spawn starts a user program of the host's own: something that blocks on the
// simulation, such as a connection to a container.
func (m *Machine) Spawn(name string, fn func(p *kernel.Proc) int) *kernel.Proc {
	return m.kernel.Spawn(nil, name, fn)
}

// NewPipe is a pipe between a host's connection and a program of the simulation.
func (m *Machine) NewPipe() *kernel.Pipe { return m.kernel.NewPipe(0) }
