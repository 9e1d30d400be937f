// Package machine adapts a sim.Machine to what package bridge asks of a cluster,
// and puts snapshots into storages: what every program with pages has in common.
package machine

import (
	"slices"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/store"
	"github.com/kubonsai/kubonsai/wasm/bridge"
)

// Cluster is most of a bridge.Cluster: all but Close, which is its owner's.
type Cluster struct{ *sim.Machine }

// Dir is the working directory of a terminal.
func (c Cluster) Dir(terminal string) string { return c.Terminal(terminal).Dir() }

// Start runs a script in a terminal.
func (c Cluster) Start(terminal, script string, o bridge.RunOptions) bridge.Run {
	return c.Terminal(terminal).Start(script, sim.RunOptions{
		Beside:  o.Beside,
		Columns: o.Columns, Rows: o.Rows, Interactive: o.Interactive, Window: o.Window,
		OnOutput: o.OnOutput, OnExit: o.OnExit, OnClear: o.OnClear, Edit: o.Edit,
	})
}

// Replace puts a snapshot's records in the place of what the backend holds, in
// one batch; undo puts back what was there.
func Replace(backend store.Backend, snapshot []byte) (undo func() error, err error) {
	records, err := sim.ReadSnapshot(snapshot)
	if err != nil {
		return nil, err
	}
	old, err := backend.Load()
	if err != nil && old == nil {
		return nil, err
	}
	return func() error { return backend.Append(instead(records, old)) }, backend.Append(instead(old, records))
}

// instead is the batch that makes old into records.
func instead(old, records []store.Record) []store.Record {
	batch := slices.Clone(records)
	fresh := map[string]bool{}
	for _, r := range records {
		fresh[r.Key] = true
	}
	for _, r := range old {
		if !fresh[r.Key] {
			batch = append(batch, store.Record{Key: r.Key})
		}
	}
	return batch
}
