// Persistence: the machine and its clusters as records by key. Each part tells
// what has changed; Flush appends the changed records to the backend as one
// batch, so that what is kept is always one moment of them all. A snapshot is
// all records in one document.

package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/provision"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
)

// FormatVersion is the version of the kept state. A state of a later version
// is refused, not guessed at.
const FormatVersion = 1

// The prefixes of record keys.
const (
	metaKey        = "meta"
	objectPrefix   = "object/"
	filesKey       = "files/home"
	terminalPrefix = "terminal/"
	nodePrefix     = "node/"    // the kubelets' and containers' own records
	clusterPrefix  = "cluster/" // tool/name/: records of clusters made later, under their own keys
)

// meta is the record that makes the others one state. It also describes the
// cluster that the machine began with, whose records have no prefix.
type meta struct {
	Version  int             `json:"version"`
	Now      time.Time       `json:"now"`
	Revision uint64          `json:"revision"`
	Seed     *seed.Source    `json:"seed"`
	Nodes    int             `json:"nodes"`
	Metrics  bool            `json:"metricsServer,omitempty"`
	Images   bool            `json:"imagesPresent,omitempty"`
	Spec     *provision.Spec `json:"spec,omitempty"`    // of the first cluster, when it is another than Nodes says
	Current  string          `json:"current,omitempty"` // prefix of the current cluster's records
	None     bool            `json:"none,omitempty"`    // the first cluster is gone, or never was
	Booted   bool            `json:"booted,omitempty"`  // of clusters made later: it has a control plane
	Stopped  bool            `json:"stopped,omitempty"` // it does not run
}

// ErrFutureState says that a kept state was written by a later version.
var ErrFutureState = errors.New("the saved cluster was written by a newer version of kubonsai: update the page, or reset the cluster to start over")

var errIncomplete = errors.New("the saved cluster has no meta record, so what else is there of it cannot be used")

// Saver is a part of a cluster, beside the API objects, whose state is kept.
type Saver interface {
	// Dirty returns the records that have changed since the last call.
	Dirty() []store.Record
	// Save returns all records.
	Save() []store.Record
	// Load takes back what Save returned; it is called before anything runs.
	Load([]store.Record) error
}

type dirtyState struct {
	terminals map[string]bool
	gone      map[string]bool // keys of records of clusters that were deleted
	files     uint64          // generation of the reader's files when last kept
	kept      bool            // the first flush has been made
	clusters  bool            // one was made, deleted, stopped or chosen
}

func newDirtyState() dirtyState {
	return dirtyState{terminals: map[string]bool{}, gone: map[string]bool{}}
}

type clusterDirty struct {
	objects map[store.Key]bool
	nodes   map[string][]byte // savers' records that are not kept yet
}

func newClusterDirty() clusterDirty {
	return clusterDirty{objects: map[store.Key]bool{}, nodes: map[string][]byte{}}
}

func (c *Cluster) watchStore() {
	m := c.machine
	c.store.OnCommit(func(ch store.Change) {
		if m.backend != nil {
			c.dirty.objects[ch.Key] = true
		}
		if len(m.onChange) > 0 && c == m.Current() {
			for _, fn := range m.onChange {
				fn(ch)
			}
		}
	})
}

func (m *Machine) terminalDirty(id string) { m.dirty.terminals[id] = true }

func (c *Cluster) objectKey(k store.Key) string {
	return c.prefix + objectPrefix + k.Resource + "/" + k.Namespace + "/" + k.Name
}

func (c *Cluster) objectRecord(k store.Key) (store.Record, error) {
	obj, err := c.store.Get(k)
	if errors.Is(err, store.ErrNotFound) {
		return store.Record{Key: c.objectKey(k)}, nil
	}
	if err != nil {
		return store.Record{}, err
	}
	data, err := json.Marshal(obj)
	return store.Record{Key: c.objectKey(k), Value: data}, err
}

func jsonRecord(key string, v any) (store.Record, error) {
	data, err := json.Marshal(v)
	return store.Record{Key: key, Value: data}, err
}

// Flush makes everything that has happened durable. After an error the changes
// stay due: the next Flush tries them again.
func (m *Machine) Flush() error {
	if m.backend == nil {
		return nil
	}
	batch, commit, err := m.changedRecords()
	if err != nil || len(batch) == 0 {
		return err
	}
	if err := m.backend.Append(batch); err != nil {
		return err
	}
	commit()
	return nil
}

func (m *Machine) changedRecords() (batch []store.Record, commit func(), err error) {
	add := func(r store.Record, e error) {
		if e != nil && err == nil {
			err = fmt.Errorf("save %s: %w", r.Key, e)
		}
		batch = append(batch, r)
	}
	for _, c := range m.clusters {
		c.changedRecords(add)
	}
	for _, r := range batch {
		delete(m.dirty.gone, r.Key) // a new cluster has taken the name
	}
	for _, k := range sortedKeys(m.dirty.gone) {
		batch = append(batch, store.Record{Key: k})
	}
	for _, id := range sortedKeys(m.dirty.terminals) {
		add(m.terminalRecord(id))
	}
	generation := m.files.Generation()
	if generation != m.dirty.files || !m.dirty.kept {
		add(jsonRecord(filesKey, m.files))
	}
	if len(batch) > 0 || !m.dirty.kept || m.dirty.clusters {
		m.metaRecords(add)
	}
	return batch, func() {
		for _, c := range m.clusters {
			c.dirty = newClusterDirty()
		}
		clear(m.dirty.terminals)
		clear(m.dirty.gone)
		m.dirty.files, m.dirty.kept, m.dirty.clusters = generation, true, false
	}, err
}

// changedRecords adds what is due of one cluster.
func (c *Cluster) changedRecords(add func(store.Record, error)) {
	keys := make([]store.Key, 0, len(c.dirty.objects))
	for k := range c.dirty.objects {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	for _, k := range keys {
		add(c.objectRecord(k))
	}
	c.drainSavers()
	for _, k := range sortedKeys(c.dirty.nodes) {
		add(store.Record{Key: k, Value: c.dirty.nodes[k]}, nil)
	}
}

// drainSavers notes what the savers have changed.
func (c *Cluster) drainSavers() {
	for _, s := range c.savers {
		for _, r := range s.Dirty() {
			c.dirty.nodes[c.prefix+nodePrefix+r.Key] = r.Value
		}
	}
}

// allRecords adds every record of one cluster but its meta record.
func (c *Cluster) allRecords(add func(store.Record, error)) {
	state := c.stopped
	if c.up {
		state = c.state()
	}
	if state == nil {
		return
	}
	for k, o := range state.objects {
		add(jsonRecord(c.objectKey(k), o))
	}
	for _, r := range state.savers {
		add(store.Record{Key: c.prefix + nodePrefix + r.Key, Value: r.Value}, nil)
	}
}

// state is what a cluster that is up would go on from.
func (c *Cluster) state() *kept {
	out := emptyKept()
	out.meta.Revision = c.store.Revision()
	for _, res := range c.store.Resources() {
		c.store.Scan(res, "", func(o metav1.Object) bool {
			m := o.GetObjectMeta()
			out.objects[store.Key{Resource: res, Namespace: m.Namespace, Name: m.Name}] = o
			return true
		})
	}
	c.drainSavers() // Save would forget what is due
	for _, s := range c.savers {
		out.savers = append(out.savers, s.Save()...)
	}
	return out
}

// metaRecords adds the machine's meta record and those of the clusters.
func (m *Machine) metaRecords(add func(store.Record, error)) {
	top := meta{Version: FormatVersion, Now: m.clock.Now(), Seed: m.seed, None: true}
	if c := m.Current(); c != nil {
		top.Current = c.prefix
	}
	for _, c := range m.clusters {
		var revision uint64
		switch {
		case c.up:
			revision = c.store.Revision()
		case c.stopped != nil:
			revision = c.stopped.meta.Revision
		}
		spec := c.spec
		if c.prefix != "" {
			add(jsonRecord(c.prefix+metaKey, meta{Version: FormatVersion, Now: top.Now, Revision: revision, Seed: c.seed, Nodes: len(spec.Nodes), Spec: &spec,
				Booted: c.up || c.stopped != nil, Stopped: !c.up}))
			continue
		}
		top.None, top.Revision, top.Stopped = false, revision, !c.up
		top.Nodes, top.Metrics, top.Images = len(spec.Nodes), spec.MetricsServer, spec.ImagesPresent
		if !reflect.DeepEqual(spec, defaultSpec(Options{Nodes: top.Nodes, MetricsServer: top.Metrics, ImagesPresent: top.Images})) {
			top.Spec = &spec
		}
	}
	add(jsonRecord(metaKey, top))
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// document is the form of a snapshot.
type document struct {
	Kubonsai int                        `json:"kubonsai"` // FormatVersion
	Records  map[string]json.RawMessage `json:"records"`
}

// Snapshot returns the whole state of the machine as one JSON document.
func (m *Machine) Snapshot() ([]byte, error) {
	doc := document{Kubonsai: FormatVersion, Records: map[string]json.RawMessage{}}
	var err error
	add := func(r store.Record, e error) {
		if e != nil && err == nil {
			err = e
		}
		doc.Records[r.Key] = r.Value
	}
	for _, c := range m.clusters {
		c.allRecords(add)
	}
	for _, id := range m.Terminals() {
		add(m.terminalRecord(id))
	}
	add(jsonRecord(filesKey, m.files))
	m.metaRecords(add)
	if err != nil {
		return nil, err
	}
	return json.Marshal(doc)
}

// ReadSnapshot turns a snapshot into records for a backend, after checking it.
func ReadSnapshot(data []byte) ([]store.Record, error) {
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil || doc.Records == nil {
		return nil, fmt.Errorf("this is not a snapshot of a kubonsai cluster: %w", orNotJSON(err))
	}
	if doc.Kubonsai > FormatVersion {
		return nil, ErrFutureState
	}
	out := make([]store.Record, 0, len(doc.Records))
	for _, k := range sortedKeys(doc.Records) {
		out = append(out, store.Record{Key: k, Value: doc.Records[k]})
	}
	if _, ok := doc.Records[metaKey]; !ok {
		return nil, errors.New("the snapshot has no meta record: it is incomplete")
	}
	return out, nil
}

func orNotJSON(err error) error {
	if err == nil {
		return errors.New("it holds no records")
	}
	return err
}

// kept is a state read back from a backend: the machine's with its first
// cluster, or that of a cluster made later.
type kept struct {
	meta      meta
	found     bool // there is a meta record
	objects   map[store.Key]metav1.Object
	files     []byte
	terminals map[string][]byte
	savers    []store.Record
	clusters  map[string]*kept // by prefix
}

func emptyKept() *kept {
	return &kept{objects: map[store.Key]metav1.Object{}, terminals: map[string][]byte{}, clusters: map[string]*kept{}}
}

// readKept makes a state of records; nil when they hold none. Records that
// cannot be read are named in bad; the rest is used.
func readKept(records []store.Record) (k *kept, bad []string, err error) {
	k = emptyKept()
	for _, r := range records {
		of, prefix := k, ""
		if parts := strings.SplitN(r.Key, "/", 4); parts[0]+"/" == clusterPrefix && len(parts) == 4 {
			prefix = r.Key[:len(r.Key)-len(parts[3])]
			if k.clusters[prefix] == nil {
				k.clusters[prefix] = emptyKept()
			}
			of = k.clusters[prefix]
		}
		key := r.Key[len(prefix):]
		switch {
		case key == metaKey:
			of.found = true
			of.meta.Seed = seed.New(0)
			if err := json.Unmarshal(r.Value, &of.meta); err != nil {
				return nil, nil, fmt.Errorf("the saved cluster cannot be read: %w", err)
			}
			if of.meta.Version > FormatVersion {
				return nil, nil, ErrFutureState
			}
		case key == filesKey:
			of.files = r.Value
		case strings.HasPrefix(key, terminalPrefix):
			of.terminals[key[len(terminalPrefix):]] = r.Value
		case strings.HasPrefix(key, nodePrefix):
			of.savers = append(of.savers, store.Record{Key: key[len(nodePrefix):], Value: r.Value})
		case strings.HasPrefix(key, objectPrefix):
			objectKey, obj, err := decodeObject(store.Record{Key: key, Value: r.Value})
			if err != nil {
				bad = append(bad, r.Key)
				continue
			}
			of.objects[objectKey] = obj
		}
	}
	if !k.found && len(records) > 0 {
		return nil, nil, errIncomplete
	}
	if !k.found {
		return nil, bad, nil
	}
	return k, bad, nil
}

// restoreClusters brings back the clusters of a kept state.
func (m *Machine) restoreClusters(state *kept) error {
	if top := &state.meta; !top.None {
		spec := defaultSpec(Options{Nodes: top.Nodes, MetricsServer: top.Metrics, ImagesPresent: top.Images})
		if top.Spec != nil {
			spec = *top.Spec
		}
		if err := m.newCluster(spec, "", m.seed).restore(state, true); err != nil {
			return err
		}
	}
	for _, prefix := range sortedKeys(state.clusters) {
		s := state.clusters[prefix]
		if !s.found || s.meta.Spec == nil {
			m.notices = append(m.notices, "the saved record "+prefix+metaKey+" is missing: its cluster was left out")
			continue
		}
		if err := m.newCluster(*s.meta.Spec, prefix, s.meta.Seed).restore(s, s.meta.Booted); err != nil {
			return err
		}
	}
	for _, c := range m.clusters {
		if c.prefix == state.meta.Current {
			m.current = c
		}
	}
	return nil
}

// restore makes the cluster go on from what was kept, unless it was stopped.
func (c *Cluster) restore(state *kept, booted bool) error {
	if !booted {
		return nil
	}
	c.stopped = state
	if state.meta.Stopped {
		return nil
	}
	return c.Boot()
}

func decodeObject(r store.Record) (store.Key, metav1.Object, error) {
	parts := strings.SplitN(r.Key[len(objectPrefix):], "/", 3)
	if len(parts) != 3 {
		return store.Key{}, nil, fmt.Errorf("key %q", r.Key)
	}
	key := store.Key{Resource: parts[0], Namespace: parts[1], Name: parts[2]}
	gr := metav1.ParseGroupResource(key.Resource)
	var obj metav1.Object
	var head metav1.TypeMeta
	if err := json.Unmarshal(r.Value, &head); err != nil {
		return key, nil, err
	}
	if res := api.ByGVK(head.GroupVersionKind()); res != nil {
		obj = res.New()
	} else if res := api.ByResource(gr.Group, gr.Resource); res != nil {
		obj = res.New()
	} else {
		obj = &metav1.Unstructured{}
	}
	return key, obj, json.Unmarshal(r.Value, obj)
}
