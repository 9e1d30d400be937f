// Persistence: the cluster as records by key. Each part of it tells what has
// changed; Flush appends the changed records to the backend as one batch, so
// that what is kept is always one moment of the cluster. A snapshot is all
// records in one document.

package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
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
	nodePrefix     = "node/" // the kubelets' and containers' own records
)

// meta is the record that makes the others one state.
type meta struct {
	Version  int          `json:"version"`
	Now      time.Time    `json:"now"`
	Revision uint64       `json:"revision"`
	Seed     *seed.Source `json:"seed"`
	Nodes    int          `json:"nodes"`
	Metrics  bool         `json:"metricsServer,omitempty"`
	Images   bool         `json:"imagesPresent,omitempty"`
}

// ErrFutureState says that a kept state was written by a later version.
var ErrFutureState = errors.New("the saved cluster was written by a newer version of kubonsai: update the page, or reset the cluster to start over")

// Saver is a part of the cluster, beside the API objects, whose state is kept.
type Saver interface {
	// Dirty returns the records that have changed since the last call.
	Dirty() []store.Record
	// Save returns all records.
	Save() []store.Record
	// Load takes back what Save returned; it is called before anything runs.
	Load([]store.Record) error
}

type dirtyState struct {
	objects   map[store.Key]bool
	terminals map[string]bool
	nodes     map[string][]byte // savers' records that are not kept yet
	files     uint64            // generation of the reader's files when last kept
	kept      bool              // the first flush has been made
}

func (c *Cluster) watchStore() {
	c.dirty.objects = map[store.Key]bool{}
	c.dirty.terminals = map[string]bool{}
	c.dirty.nodes = map[string][]byte{}
	c.store.OnCommit(func(ch store.Change) {
		if c.backend != nil {
			c.dirty.objects[ch.Key] = true
		}
		for _, fn := range c.onChange {
			fn(ch)
		}
	})
}

func (c *Cluster) terminalDirty(id string) { c.dirty.terminals[id] = true }

func objectKey(k store.Key) string {
	return objectPrefix + k.Resource + "/" + k.Namespace + "/" + k.Name
}

func (c *Cluster) objectRecord(k store.Key) (store.Record, error) {
	obj, err := c.store.Get(k)
	if errors.Is(err, store.ErrNotFound) {
		return store.Record{Key: objectKey(k)}, nil
	}
	if err != nil {
		return store.Record{}, err
	}
	data, err := json.Marshal(obj)
	return store.Record{Key: objectKey(k), Value: data}, err
}

func jsonRecord(key string, v any) (store.Record, error) {
	data, err := json.Marshal(v)
	return store.Record{Key: key, Value: data}, err
}

// Flush makes everything that has happened durable. After an error the changes
// stay due: the next Flush tries them again.
func (c *Cluster) Flush() error {
	if c.backend == nil {
		return nil
	}
	batch, commit, err := c.changedRecords()
	if err != nil || len(batch) == 0 {
		return err
	}
	if err := c.backend.Append(batch); err != nil {
		return err
	}
	commit()
	return nil
}

func (c *Cluster) changedRecords() (batch []store.Record, commit func(), err error) {
	add := func(r store.Record, e error) {
		if e != nil && err == nil {
			err = fmt.Errorf("save %s: %w", r.Key, e)
		}
		batch = append(batch, r)
	}
	keys := make([]store.Key, 0, len(c.dirty.objects))
	for k := range c.dirty.objects {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	for _, k := range keys {
		add(c.objectRecord(k))
	}
	for _, id := range sortedKeys(c.dirty.terminals) {
		add(c.terminalRecord(id))
	}
	generation := c.files.Generation()
	if generation != c.dirty.files || !c.dirty.kept {
		add(jsonRecord(filesKey, c.files))
	}
	for _, s := range c.savers {
		for _, r := range s.Dirty() {
			c.dirty.nodes[nodePrefix+r.Key] = r.Value
		}
	}
	for _, k := range sortedKeys(c.dirty.nodes) {
		batch = append(batch, store.Record{Key: k, Value: c.dirty.nodes[k]})
	}
	if len(batch) > 0 || !c.dirty.kept {
		add(jsonRecord(metaKey, c.meta()))
	}
	return batch, func() {
		clear(c.dirty.objects)
		clear(c.dirty.terminals)
		clear(c.dirty.nodes)
		c.dirty.files, c.dirty.kept = generation, true
	}, err
}

func (c *Cluster) meta() meta {
	return meta{Version: FormatVersion, Now: c.clock.Now(), Revision: c.store.Revision(), Seed: c.seed, Nodes: c.opts.Nodes, Metrics: c.opts.MetricsServer, Images: c.opts.ImagesPresent}
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

// Snapshot returns the whole state of the cluster as one JSON document.
func (c *Cluster) Snapshot() ([]byte, error) {
	doc := document{Kubonsai: FormatVersion, Records: map[string]json.RawMessage{}}
	var err error
	add := func(r store.Record, e error) {
		if e != nil && err == nil {
			err = e
		}
		doc.Records[r.Key] = r.Value
	}
	for _, res := range c.store.Resources() {
		c.store.Scan(res, "", func(o metav1.Object) bool {
			m := o.GetObjectMeta()
			add(c.objectRecord(store.Key{Resource: res, Namespace: m.Namespace, Name: m.Name}))
			return true
		})
	}
	for _, id := range c.Terminals() {
		add(c.terminalRecord(id))
	}
	add(jsonRecord(filesKey, c.files))
	for _, s := range c.savers {
		for _, r := range s.Save() {
			doc.Records[nodePrefix+r.Key] = r.Value
		}
	}
	add(jsonRecord(metaKey, c.meta()))
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

// kept is a state read back from a backend.
type kept struct {
	meta      meta
	objects   map[store.Key]metav1.Object
	files     []byte
	terminals map[string][]byte
	savers    []store.Record
}

// readKept makes a state of records; nil when they hold none. Records that
// cannot be read are named in bad; the rest is used.
func readKept(records []store.Record) (k *kept, bad []string, err error) {
	k = &kept{objects: map[store.Key]metav1.Object{}, terminals: map[string][]byte{}}
	found := false
	for _, r := range records {
		switch {
		case r.Key == metaKey:
			found = true
			k.meta.Seed = seed.New(0)
			if err := json.Unmarshal(r.Value, &k.meta); err != nil {
				return nil, nil, fmt.Errorf("the saved cluster cannot be read: %w", err)
			}
			if k.meta.Version > FormatVersion {
				return nil, nil, ErrFutureState
			}
		case r.Key == filesKey:
			k.files = r.Value
		case strings.HasPrefix(r.Key, terminalPrefix):
			k.terminals[r.Key[len(terminalPrefix):]] = r.Value
		case strings.HasPrefix(r.Key, nodePrefix):
			k.savers = append(k.savers, store.Record{Key: r.Key[len(nodePrefix):], Value: r.Value})
		case strings.HasPrefix(r.Key, objectPrefix):
			key, obj, err := decodeObject(r)
			if err != nil {
				bad = append(bad, r.Key)
				continue
			}
			k.objects[key] = obj
		}
	}
	if !found {
		return nil, bad, nil
	}
	return k, bad, nil
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
