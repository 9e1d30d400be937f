// Package sim wires a whole cluster and is the simulation's public Go API: a
// host makes a Cluster, starts scripts in its terminals, moves its clock, and
// serves its REST API. A Cluster is single-threaded: all its methods are called
// from one goroutine of the host.
package sim

import (
	"fmt"
	"time"

	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// Options say what cluster to make. The zero value is a cluster of one node
// with seed 0 that is kept nowhere.
type Options struct {
	Name  string // for the host's use
	Seed  uint64
	Nodes int // 0 is 1
	// Start is the virtual time at which the reader finds the cluster; the
	// zero time is 2026-01-01T00:00:00Z.
	Start time.Time
	// Backend keeps the state; nil keeps nothing. When it holds a state, that
	// is restored and Seed, Nodes, Start and Files are ignored.
	Backend store.Backend
	// Files are put into the reader's home, by slash-separated relative name.
	Files map[string][]byte
	// URLs answers the URLs that kubectl apply -f and curl ask for; nil, or
	// false, leaves the built-in ones.
	URLs func(url string) ([]byte, bool)
	// Images are more catalogues of images, in YAML.
	Images [][]byte
	// ImagesPresent says that the nodes have every image already: nothing is
	// pulled, as on the cluster that the transcripts were recorded on.
	ImagesPresent bool
	// MetricsServer measures pods for autoscaling and kubectl top; a new
	// cluster has none, as kind's.
	MetricsServer bool
	// Log is told of faults of the simulation itself; nil drops them.
	Log func(text string)
}

// DefaultStart is when clusters start if the host does not say.
var DefaultStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// bootTime is how long the cluster has been up when the reader finds it.
const bootTime = 2 * time.Minute

// Cluster is one simulated cluster with its reader's machine.
type Cluster struct {
	opts      Options
	clock     *clock.Clock
	seed      *seed.Source
	kernel    *kernel.Kernel
	store     *store.Store
	files     *vfs.FS
	backend   store.Backend
	terminals map[string]*Terminal
	saved     map[string][]byte // terminals of the kept state that have not been opened yet
	spend     time.Time         // until when programs have asked for time of their own
	dirty     dirtyState
	savers    []Saver
	onChange  []func(store.Change)
	notices   []string
	parts
}

// New makes a cluster, or restores the one that the backend holds. Records
// that were damaged are named by Notices.
func New(opts Options) (*Cluster, error) {
	if opts.Nodes <= 0 {
		opts.Nodes = 1
	}
	if opts.Start.IsZero() {
		opts.Start = DefaultStart
	}
	if opts.Log == nil {
		opts.Log = func(string) {}
	}
	c := &Cluster{opts: opts, backend: opts.Backend, terminals: map[string]*Terminal{}}
	var state *kept
	if c.backend != nil {
		records, err := c.backend.Load()
		if err != nil {
			c.notices = append(c.notices, err.Error())
		}
		var bad []string
		if state, bad, err = readKept(records); err != nil {
			return nil, err
		}
		for _, k := range bad {
			c.notices = append(c.notices, "the saved record "+k+" is damaged and was left out")
		}
	}
	start := opts.Start.Add(-bootTime)
	c.seed = seed.New(opts.Seed)
	if state != nil {
		start, c.seed = state.meta.Now, state.meta.Seed
		c.opts.Nodes, c.opts.MetricsServer, c.opts.ImagesPresent = state.meta.Nodes, state.meta.Metrics, state.meta.Images
		c.saved = state.terminals
	}
	c.clock = clock.New(start)
	c.kernel = kernel.New(c.clock)
	c.kernel.OnSpend(func(until time.Time) {
		if until.After(c.spend) {
			c.spend = until
		}
	})
	c.kernel.OnPanic(func(p *kernel.Proc, reason any, stack []byte) {
		opts.Log(fmt.Sprintf("process %s panicked: %v\n%s", p.Name, reason, stack))
	})
	c.store = store.New()
	if state != nil {
		if err := c.store.Restore(state.meta.Revision, state.objects); err != nil {
			return nil, err
		}
	}
	c.watchStore()
	c.files = vfs.New(c.clock.Now)
	if err := c.makeHome(state); err != nil {
		return nil, err
	}
	if err := c.wire(state); err != nil {
		return nil, err
	}
	if state == nil {
		if err := c.addons(); err != nil {
			return nil, err
		}
		c.JumpTo(opts.Start)
	}
	return c, nil
}

// Restore makes a cluster of a snapshot. What the backend held before is
// replaced by it.
func Restore(snapshot []byte, opts Options) (*Cluster, error) {
	records, err := ReadSnapshot(snapshot)
	if err != nil {
		return nil, err
	}
	if opts.Backend == nil {
		opts.Backend = store.NewMemory()
	}
	if err := opts.Backend.Clear(); err != nil {
		return nil, err
	}
	if err := opts.Backend.Append(records); err != nil {
		return nil, err
	}
	return New(opts)
}

// Handler is the cluster's REST API.
func (c *Cluster) Handler() rest.Handler { return c.server }

// Files are the reader's files.
func (c *Cluster) Files() *vfs.FS { return c.files }

// OnChange adds an observer of every change to an API object. It must not
// call back into the cluster.
func (c *Cluster) OnChange(fn func(store.Change)) { c.onChange = append(c.onChange, fn) }

// Notices are messages for the user about what could not be restored.
func (c *Cluster) Notices() []string { return c.notices }

// Close ends all programs and releases the backend.
func (c *Cluster) Close() error {
	c.kernel.Shutdown()
	if c.backend != nil {
		return c.backend.Close()
	}
	return nil
}

// Reset forgets the kept state. The cluster must not be used afterwards.
func (c *Cluster) Reset() error {
	c.kernel.Shutdown()
	if c.backend != nil {
		return c.backend.Clear()
	}
	return nil
}
