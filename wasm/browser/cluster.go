//go:build js && wasm && !fake

// The adapter between sim.Machine and what bridge.Host asks of a cluster.

package main

import (
	"errors"
	"syscall/js"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/provision"
	"github.com/kubonsai/kubonsai/sim/store"
	"github.com/kubonsai/kubonsai/wasm/bridge"
)

type cluster struct {
	*sim.Machine
	backend store.Backend
}

func (c cluster) Dir(terminal string) string { return c.Terminal(terminal).Dir() }

func (c cluster) Close() error { return c.backend.Close() }

func (c cluster) Start(terminal, script string, o bridge.RunOptions) bridge.Run {
	return c.Terminal(terminal).Start(script, sim.RunOptions{
		Beside:  o.Beside,
		Columns: o.Columns, Rows: o.Rows, Interactive: o.Interactive, Window: o.Window,
		OnOutput: o.OnOutput, OnExit: o.OnExit, OnClear: o.OnClear, Edit: o.Edit,
	})
}

// open boots a cluster on a storage, or restores the one that it holds.
func open(port js.Value, texts *guests, o bridge.OpenOptions) (*bridge.Opened, error) {
	backend, err := openStorage(port, o.Storage, o.Name)
	if err != nil {
		return nil, err
	}
	opened, err := boot(backend, texts, o)
	if err != nil {
		return nil, errors.Join(err, backend.Close())
	}
	return opened, nil
}

func boot(backend store.Backend, texts *guests, o bridge.OpenOptions) (*bridge.Opened, error) {
	if o.Erase {
		if err := backend.Clear(); err != nil {
			return nil, err
		}
	}
	keep := &loaded{Backend: backend}
	if len(o.Snapshot) > 0 {
		if err := replace(backend, o.Snapshot); err != nil {
			return nil, err
		}
	}
	nodes, shapes, err := provision.ParseNodes(o.Nodes)
	if err != nil {
		return nil, err
	}
	c, err := sim.New(sim.Options{Seed: o.Seed, Nodes: nodes, Shapes: shapes, Start: o.Start, Backend: keep, URLs: o.URLs, MetricsServer: true, TextTools: texts, Log: func(text string) { println(text) }})
	if err != nil {
		return nil, err
	}
	if keep.failed != nil {
		// What cannot be read must not be written over.
		return nil, keep.failed
	}
	return &bridge.Opened{Cluster: cluster{c, backend}, Restored: keep.records > 0, Warnings: append(keep.warnings, c.Notices()...)}, nil
}

// replace puts a snapshot's records in the place of what the backend holds, in
// one batch.
func replace(backend store.Backend, snapshot []byte) error {
	records, err := sim.ReadSnapshot(snapshot)
	if err != nil {
		return err
	}
	old, err := backend.Load()
	if err != nil && old == nil {
		return err
	}
	fresh := map[string]bool{}
	for _, r := range records {
		fresh[r.Key] = true
	}
	for _, r := range old {
		if !fresh[r.Key] {
			records = append(records, store.Record{Key: r.Key})
		}
	}
	return backend.Append(records)
}

// loaded notes what a backend had to say while it was read: records that were
// set aside must be told to the reader, and must not keep the rest from use.
type loaded struct {
	store.Backend
	records  int
	warnings []string
	failed   error
}

func (l *loaded) Load() ([]store.Record, error) {
	records, err := l.Backend.Load()
	l.records = len(records)
	if err != nil && records != nil {
		l.warnings = append(l.warnings, err.Error())
		err = nil
	}
	l.failed = err
	return records, err
}
