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
	"github.com/kubonsai/kubonsai/wasm/internal/guests"
	"github.com/kubonsai/kubonsai/wasm/internal/machine"
)

type cluster struct {
	machine.Cluster
	backend store.Backend
}

func (c cluster) Close() error { return c.backend.Close() }

// open boots a cluster on a storage, or restores the one that it holds. Where
// the browser's storage cannot be had (a private window), the cluster lives in
// memory, and the reader is told.
func open(port js.Value, texts *guests.Guests, o bridge.OpenOptions) (*bridge.Opened, error) {
	backend, err := openStorage(port, o.Storage, o.Name)
	if err == nil {
		var opened *bridge.Opened
		if opened, err = boot(backend, texts, o); err == nil {
			return opened, nil
		}
		err = errors.Join(err, backend.Close())
	}
	var failed *storageError
	if !errors.As(err, &failed) {
		return nil, err
	}
	o.Storage = "memory"
	if backend, err = openStorage(port, o.Storage, o.Name); err != nil {
		return nil, err
	}
	opened, err := boot(backend, texts, o)
	if err != nil {
		return nil, err
	}
	opened.Storage = o.Storage
	opened.Warnings = append(opened.Warnings, "this cluster is not kept, it lasts until the page is closed: "+failed.Error())
	return opened, nil
}

func boot(backend storage, texts *guests.Guests, o bridge.OpenOptions) (*bridge.Opened, error) {
	nodes, shapes, err := provision.ParseNodes(o.Nodes)
	if err != nil {
		return nil, err
	}
	if o.Erase {
		if err := backend.Clear(); err != nil {
			return nil, err
		}
	}
	undo := func() error { return nil }
	if len(o.Snapshot) > 0 {
		if undo, err = machine.Replace(backend, o.Snapshot); err != nil {
			return nil, err
		}
	}
	keep := &loaded{Backend: backend}
	start := func() (*sim.Machine, error) {
		c, err := sim.New(sim.Options{Seed: o.Seed, Nodes: nodes, Shapes: shapes, CloudLoadBalancer: o.Cloud, Start: o.Start, Backend: keep, URLs: o.URLs, MetricsServer: true, TextTools: texts, Log: func(text string) { println(text) }})
		if keep.failed != nil {
			// What cannot be read must not be written over.
			return nil, &storageError{keep.failed}
		}
		return c, err
	}
	c, err := start()
	if err != nil && keep.failed == nil && keep.records > 0 {
		if len(o.Snapshot) > 0 {
			return nil, errors.Join(err, undo())
		}
		// What this version cannot read is kept as it is, out of the way.
		if e := backend.SetAside(err.Error()); e != nil {
			return nil, errors.Join(err, e)
		}
		keep.warnings = append(keep.warnings, "the saved cluster was set aside and a new one was started: "+err.Error())
		c, err = start()
	}
	if err != nil {
		return nil, err
	}
	return &bridge.Opened{Cluster: cluster{machine.Cluster{Machine: c}, backend}, Restored: keep.records > 0, Warnings: append(keep.warnings, c.Notices()...)}, nil
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
