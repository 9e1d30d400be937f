// Programs in a module of their own, as processes.

package host

import (
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/shell/guest"
)

// Loader brings instances of a module: machines that run one program at a time.
type Loader interface {
	// Open calls done with an instance, or why there is none: at once, or
	// later on the host's goroutine. cancel says that nobody waits any more.
	Open(done func(Instance, error)) (cancel func())
}

// Instance is one machine.
type Instance interface {
	// Step gives the program a reply and runs it to its next request. An error
	// is the end of the instance.
	Step(reply []byte) (request []byte, err error)
	// Memory is how much the instance holds, in bytes. It never shrinks.
	Memory() int64
	// Close gives the instance back. whole says that its program has ended by
	// itself, so that another can run on it.
	Close(whole bool)
}

// Remote makes a program of one that a module has. The process is parked while
// the module is fetched.
func Remote(l Loader) program.Program {
	return func(c *program.Context, args []string) int {
		p := newProcess(c)
		defer p.end()
		m, err := wait(c.Proc, l)
		if err != nil {
			_ = p.Write(2, []byte(args[0]+": cannot load: "+err.Error()+"\n"))
			return 127
		}
		whole := false
		defer func() { m.Close(whole) }()
		start := p.start(args)
		reply := guest.Reply{Data: start.Encode()}
		charged := m.Memory()
		for {
			reply.Left, reply.Now = c.Proc.TicksLeft(), c.Proc.Now()
			b, err := m.Step(reply.Encode())
			var q guest.Request
			if err == nil {
				q, err = guest.DecodeRequest(b)
			}
			if err != nil {
				_ = p.Write(2, []byte(args[0]+": "+err.Error()+"\n"))
				return 2
			}
			if n := m.Memory() - charged; n > 0 && c.System != nil {
				charged += n
				c.System.Charge(c.Proc, n)
			}
			for range q.Ticks {
				c.Proc.Tick()
			}
			switch q.Op {
			case guest.OpEnd:
				whole = true
				return q.X
			case guest.OpCrash:
				_ = p.Write(2, []byte(args[0]+": "+string(q.Data)+"\n"))
				return 2
			}
			reply = p.answer(q)
		}
	}
}

// wait blocks until there is an instance.
func wait(p *kernel.Proc, l Loader) (m Instance, err error) {
	var q kernel.WaitQueue
	came, left := false, false
	cancel := l.Open(func(i Instance, e error) {
		if m, err, came = i, e, true; left && i != nil {
			i.Close(true)
		}
		q.Wake()
	})
	defer func() {
		if !came { // the process was killed
			left = true
			cancel()
		}
	}()
	for !came {
		_ = p.Wait(&q)
	}
	return m, err
}

// answer makes one call for the program.
func (p *Process) answer(q guest.Request) (r guest.Reply) {
	var err error
	switch q.Op {
	case guest.OpRead:
		b := make([]byte, min(max(q.Y, 0), 64<<10))
		var n int
		n, err = p.Read(q.X, b)
		r.Data = b[:n]
		if n > 0 {
			err = nil // comes again
		}
	case guest.OpWrite:
		err = p.Write(q.X, q.Data)
	case guest.OpOpen:
		r.X, err = p.Open(string(q.Data), q.X)
	case guest.OpClose:
		p.Close(q.X)
	case guest.OpSpawn:
		r.X, r.Y = p.Spawn(string(q.Data), guest.Ends(q.X))
	case guest.OpJoin:
		r.X = p.Join(q.X)
	}
	if err != nil {
		r.Failed, r.Data = true, nil
		if e, ok := err.(guest.Error); ok {
			r.Data = []byte(e)
		}
	}
	return r
}
