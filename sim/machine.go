// Package sim wires everything and is the simulation's public Go API: a host
// makes a Machine — the reader's, with files, terminals, a clock and any number
// of clusters — starts scripts in its terminals, moves its clock, and serves
// the REST API of its current cluster. A Machine is single-threaded: all its
// methods are called from one goroutine of the host.
package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/admission"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/container/image"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/provision"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/shell/guest/host"
	"github.com/kubonsai/kubonsai/sim/store"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// Options say what machine to make and with which cluster. The zero value is a
// cluster of one node with seed 0 that is kept nowhere.
type Options struct {
	Name string // for the host's use
	Seed uint64
	// Nodes is how many nodes the cluster kind has: one control plane, the rest
	// workers. 0 is 1; a negative number begins without a cluster.
	Nodes int
	// Shapes are the nodes' capacities, in order; nodes that it leaves out have
	// the default one.
	Shapes []provision.Shape
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
	// MetricsServer installs a metrics server for autoscaling and kubectl top
	// in a new cluster, which has none otherwise, as kind's; see SwitchMetricsServer.
	MetricsServer bool
	// TextTools brings the module with awk and jq when they are first used; nil
	// takes those that are linked, which the browser module has not.
	TextTools host.Loader
	// Programs are more programs for the reader's terminals, or others in place
	// of the machine's own, by name.
	Programs map[string]program.Program
	// CloudLoadBalancer gives services of type LoadBalancer an address; without
	// a cloud, as on kind, they stay pending. See Cluster.SwitchLoadBalancer.
	CloudLoadBalancer bool
	// Limits bound what the machine holds, beyond what bounds every machine.
	Limits Limits
	// Authority signs the certificates that clients of the cluster ask for; nil is
	// one for the inside of the simulation, which computes no signatures.
	Authority apiserver.Authority
	// Webhooks calls admission webhooks that have a URL; nil reaches none. Those
	// that have a Service are looked for in the cluster.
	Webhooks func(c *apiserver.WebhookCall) (code int, body []byte, err error)
	// Log is told of faults of the simulation itself; nil drops them.
	Log func(text string)
}

// Limits are for hosts that hold the machines of many; zero is no bound.
type Limits struct {
	admission.Capacity       // of each cluster
	Clusters           int   // on the machine
	LogBytes           int   // of each container
	FileBytes          int64 // that each container may write to its own files
}

// DefaultStart is when clusters start if the host does not say.
var DefaultStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// bootTime is how long the cluster has been up when the reader finds it.
const bootTime = 2 * time.Minute

// Machine is the reader's machine and the clusters on it.
type Machine struct {
	opts Options

	watchWindow int // see SetWatchWindow; 0 is the store's own
	clock       *clock.Clock
	seed        *seed.Source
	kernel      *kernel.Kernel
	files       *vfs.FS
	backend     store.Backend
	network     *network.Network   // the reader's own, joined to the clusters'
	net         *network.Namespace // what the reader's programs are on
	clusters    []*Cluster         // in the order in which they were made
	current     *Cluster           // see Current
	watches     []*hostWatch       // of the current cluster, through Handler
	contextAt   uint64             // generation of the files when the kubeconfig was last read
	terminals   map[string]*Terminal
	saved       map[string][]byte // terminals of the kept state that have not been opened yet
	spend       time.Time         // until when programs have asked for time of their own
	dirty       dirtyState
	onChange    []func(store.Change)
	notices     []string
	programs    map[string]program.Program
	images      *image.Catalogue // what registries have
}

// New makes a machine, or restores the one that the backend holds. Records
// that were damaged are named by Notices.
func New(opts Options) (*Machine, error) {
	if opts.Nodes == 0 {
		opts.Nodes = 1
	}
	if opts.Start.IsZero() {
		opts.Start = DefaultStart
	}
	if opts.Log == nil {
		opts.Log = func(string) {}
	}
	m := &Machine{opts: opts, backend: opts.Backend, terminals: map[string]*Terminal{}, dirty: newDirtyState()}
	m.images = image.Default()
	for i, doc := range opts.Images {
		if err := m.images.Add(doc); err != nil {
			return nil, fmt.Errorf("image catalogue %d: %w", i+1, err)
		}
	}
	var state *kept
	if m.backend != nil {
		records, err := m.backend.Load()
		if err != nil {
			m.notices = append(m.notices, err.Error())
		}
		var bad []string
		if state, bad, err = readKept(records); err != nil {
			return nil, err
		}
		for _, k := range bad {
			m.notices = append(m.notices, "the saved record "+k+" is damaged and was left out")
		}
	}
	start := opts.Start.Add(-bootTime)
	m.seed = seed.New(opts.Seed)
	if state != nil {
		start, m.seed = state.meta.Now, state.meta.Seed
		m.saved = state.terminals
	}
	m.clock = clock.New(start)
	m.kernel = kernel.New(m.clock)
	m.kernel.OnSpend(func(until time.Time) {
		if until.After(m.spend) {
			m.spend = until
		}
	})
	m.kernel.OnPanic(func(p *kernel.Proc, reason any, stack []byte) {
		opts.Log(fmt.Sprintf("process %s panicked: %v\n%s", p.Name, reason, stack))
	})
	m.makeNetwork()
	m.programs = m.readerPrograms()
	m.files = vfs.New(m.clock.Now)
	if err := m.makeHome(state); err != nil {
		return nil, err
	}
	if state != nil {
		return m, m.restoreClusters(state)
	}
	if opts.Nodes < 0 {
		m.JumpTo(opts.Start)
		return m, nil
	}
	c := m.newCluster(defaultSpec(opts), "", m.seed)
	if err := c.Boot(); err != nil {
		return nil, err
	}
	m.current = c
	m.JumpTo(opts.Start)
	return m, nil
}

// defaultSpec is the cluster that a machine begins with.
func defaultSpec(opts Options) provision.Spec {
	nodes := provision.KindNodes("kind", opts.Nodes)
	for i, s := range opts.Shapes[:min(len(opts.Shapes), len(nodes))] {
		nodes[i].CPU, nodes[i].Memory = s.CPU, s.Memory
	}
	return provision.Spec{Tool: provision.Kind, Name: "kind", Nodes: nodes,
		FirstNode: netip.AddrFrom4([4]byte{172, 18, 0, 2}), Server: netip.AddrPortFrom(loopback, defaultAPIPort),
		MetricsServer: opts.MetricsServer, CloudLoadBalancer: opts.CloudLoadBalancer, ImagesPresent: opts.ImagesPresent, AllNodePorts: true, Connected: true}
}

// Restore makes a machine of a snapshot. What the backend held before is
// replaced by it.
func Restore(snapshot []byte, opts Options) (*Machine, error) {
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

// Current is the cluster that the host shows: the one that the current context
// of the reader's ~/.kube/config leads to or, when it leads nowhere, the one
// that was current before. It is nil when there is none.
func (m *Machine) Current() *Cluster {
	if generation := m.files.Generation(); generation != m.contextAt {
		m.contextAt = generation
		server := provision.CurrentServer(m.files, Home+"/.kube/config")
		for _, c := range m.clusters {
			if server == "https://"+c.spec.Server.String() {
				m.show(c)
			}
		}
	}
	return m.current
}

// running is the current cluster if it runs, else nil.
func (m *Machine) running() *Cluster {
	if c := m.Current(); c != nil && c.up {
		return c
	}
	return nil
}

// show makes a cluster, or none, the current one; what the host watched of
// another one ends.
func (m *Machine) show(c *Cluster) {
	if m.current == c {
		return
	}
	m.current = c
	watches := m.watches
	m.watches = nil
	for _, w := range watches {
		w.end()
	}
}

// Handler is the REST API of the current cluster, whichever that is when a
// request comes. Its watches end when another cluster becomes the current one.
func (m *Machine) Handler() rest.Handler {
	return rest.HandlerFunc(func(r *rest.Request) *rest.Response {
		c := m.running()
		if c == nil {
			return noCluster()
		}
		resp := c.server.Serve(r)
		if resp.Watch != nil {
			m.watches = slices.DeleteFunc(m.watches, func(w *hostWatch) bool { return w.Done() })
			w := &hostWatch{Watch: resp.Watch}
			m.watches = append(m.watches, w)
			resp.Watch = w
		}
		return resp
	})
}

// hostWatch is a watch of the host's that can be ended from this side.
type hostWatch struct {
	rest.Watch
	notify func()
}

func (w *hostWatch) Notify(fn func()) {
	w.notify = fn
	w.Watch.Notify(fn)
}

// Bookmark implements rest.Bookmarker.
func (w *hostWatch) Bookmark() (rest.Event, bool) {
	if m, ok := w.Watch.(rest.Bookmarker); ok {
		return m.Bookmark()
	}
	return rest.Event{}, false
}

func (w *hostWatch) end() {
	w.Stop()
	if w.notify != nil {
		w.notify()
	}
}

// ServeStranger is Cluster.ServeStranger of the current cluster.
func (m *Machine) ServeStranger(r *rest.Request) *rest.Response {
	if c := m.running(); c != nil {
		return c.ServeStranger(r)
	}
	return noCluster()
}

func noCluster() *rest.Response {
	e := apierrors.NewServiceUnavailable("no cluster runs on this machine")
	return &rest.Response{Code: int(e.ErrStatus.Code), Object: e.Object()}
}

// SetWatchWindow sets how many changes of a resource a watch may lag behind
// before it is told 410, for hosts that have memory and many watchers.
func (m *Machine) SetWatchWindow(changes int) {
	m.watchWindow = changes
	for _, c := range m.clusters {
		if c.store != nil {
			c.store.SetWindow(changes)
		}
	}
}

// Files are the reader's files.
func (m *Machine) Files() *vfs.FS { return m.files }

// OnChange adds an observer of every change to an API object of the current
// cluster. It must not call back into the machine.
func (m *Machine) OnChange(fn func(store.Change)) { m.onChange = append(m.onChange, fn) }

// OnConnect sets the observer of the connections of the reader's machine and of
// the current cluster: who opens one (a pod's "namespace/name", else the name
// of a machine), the address asked for and the one that it ends at. It must not
// call back into the machine.
func (m *Machine) OnConnect(fn func(from string, to, end netip.AddrPort)) {
	tell := func(ns *network.Namespace, to netip.AddrPort, path network.Path) { fn(ns.Name, to, path.To) }
	m.network.OnConnect = tell
	if c := m.Current(); c != nil {
		c.network.OnConnect = tell
	}
}

// Notices are messages for the user about what could not be restored.
func (m *Machine) Notices() []string { return m.notices }

// Close ends all programs and releases the backend.
func (m *Machine) Close() error {
	m.kernel.Shutdown()
	if m.backend != nil {
		return m.backend.Close()
	}
	return nil
}

// Reset forgets the kept state. The machine must not be used afterwards.
func (m *Machine) Reset() error {
	m.kernel.Shutdown()
	if m.backend != nil {
		return m.backend.Clear()
	}
	return nil
}
