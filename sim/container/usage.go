// What a container uses: memory, whose limit kills, and cpu.

package container

import (
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
)

// Charge implements program.System.
func (c *Container) Charge(p *kernel.Proc, n int64) { c.charge(p, n) }

// limit is the memory that the container may use; 0 is no limit.
func (c *Container) limit() int64 { return c.MemoryLimit }

func (c *Container) charge(p *kernel.Proc, n int64) {
	c.memory += n
	c.peak = max(c.peak, c.memory)
	if p != nil {
		for _, e := range c.procs {
			if e.proc == p {
				e.rss += n
			}
		}
	}
	if n > 0 && c.limit() > 0 && c.memory > c.limit() && c.State == Running {
		cur := c.rt.Kernel.Current()
		dead := cur != nil && c.PID(cur) != 0
		c.oom()
		if dead {
			cur.Exit(128 + int(kernel.SIGKILL)) // does not come back
		}
	}
}

// oom is the out-of-memory killer: it takes the whole container.
func (c *Container) oom() { c.kill(137, "OOMKilled") }

// pace charges the cpu time of a process, and of those it starts, to the container.
func (c *Container) pace(p *kernel.Proc) {
	p.Pace(cpuQuantum, func(d time.Duration) { c.cpu.add(c.rt.Clock.Now(), d.Seconds()*1000) })
}

// cpuQuantum is the cpu time that some thousand steps of a shell or a tool take.
const cpuQuantum = 2500 * time.Microsecond

// meter follows the use of cpu: what is used all the time, and what requests
// cost, averaged over some tens of seconds.
type meter struct {
	idle float64 // milli-cores
	busy float64 // milli-cores, while a program keeps computing
	load float64 // core-milliseconds within the window
	at   time.Time
}

const meterWindow = 30 * time.Second

func (m *meter) add(now time.Time, ms float64) {
	m.load = m.value(now) + ms
	m.at = now
}

func (m *meter) value(now time.Time) float64 {
	if m.load == 0 {
		return 0
	}
	d := float64(now.Sub(m.at)) / float64(meterWindow)
	if d > 20 {
		return 0
	}
	v := m.load
	for ; d >= 1; d-- {
		v *= 0.36787944117144233
	}
	return v * (1 - d + d*d/2 - d*d*d/6)
}

// Usage is what the container uses now: cpu in thousandths of a core, memory
// in bytes.
func (c *Container) Usage() (milliCPU, memory int64) {
	if c.State != Running {
		return 0, 0
	}
	now := c.rt.Clock.Now()
	ms := c.cpu.value(now)
	milliCPU = int64(c.cpu.idle + c.cpu.busy + ms*1000/float64(meterWindow.Milliseconds()))
	if c.CPULimit > 0 {
		milliCPU = min(milliCPU, c.CPULimit)
	}
	return milliCPU, c.memory
}
