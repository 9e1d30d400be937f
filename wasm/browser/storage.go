//go:build js && wasm

// The storages a cluster can live on: IndexedDB, memory, or one that the
// JavaScript side brings along (a directory in Node).

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall/js"

	"github.com/kubonsai/kubonsai/sim/store"
	"github.com/kubonsai/kubonsai/wasm/internal/jsvalue"
	"github.com/kubonsai/kubonsai/wasm/internal/record"
)

// storage is a backend that can put what it holds out of the way.
type storage interface {
	store.Backend
	// SetAside moves all records to where they are kept, but not loaded.
	SetAside(reason string) error
}

// storageError is a browser's storage that cannot be had or read.
type storageError struct{ err error }

func (e *storageError) Error() string { return e.err.Error() }
func (e *storageError) Unwrap() error { return e.err }

// memory is a storage that nothing can damage.
type memory struct{ *store.Memory }

func (m memory) SetAside(string) error { return m.Clear() }

// memories are the clusters kept in this program's memory: closing one and
// opening it again, as a restore does, must find what was there.
var memories = map[string]*store.Memory{}

func openStorage(port js.Value, kind, name string) (storage, error) {
	switch {
	case kind == "memory":
		if memories[name] == nil {
			memories[name] = store.NewMemory()
		}
		return memory{memories[name]}, nil
	case kind == "" || kind == "indexeddb":
		if !js.Global().Get("indexedDB").Truthy() {
			if js.Global().Get("process").Get("versions").Truthy() {
				return nil, errors.New("Node has no IndexedDB: use storage: 'memory' or 'file:DIRECTORY'")
			}
			return nil, &storageError{errors.New("this browser has no IndexedDB")}
		}
		b, err := openIDB(name)
		if err != nil {
			return nil, &storageError{err}
		}
		return b, nil
	case strings.HasPrefix(kind, "file:"):
		storage := port.Call("storage", kind)
		if !storage.Truthy() {
			return nil, fmt.Errorf("storage %q is for Node only: use 'indexeddb' or 'memory' in a page", kind)
		}
		return &foreign{storage}, nil
	}
	return nil, fmt.Errorf("unknown storage %q: use 'indexeddb', 'memory' or 'file:DIRECTORY'", kind)
}

// foreign is a storage written in JavaScript; its methods return promises.
type foreign struct{ object js.Value }

func (f *foreign) Load() ([]store.Record, error) {
	v, err := await(f.object.Call("load"))
	if err != nil {
		return nil, err
	}
	var stored []record.Row
	for i := range v.Length() {
		pair := v.Index(i)
		stored = append(stored, record.Row{Key: pair.Index(0).String(), Value: jsvalue.Bytes(pair.Index(1))})
	}
	records, bad := record.Unseal(stored)
	if len(bad) > 0 {
		list := js.Global().Get("Array").New()
		for _, b := range bad {
			list.Call("push", b.Key)
		}
		if _, err := await(f.object.Call("quarantine", list)); err != nil {
			return records, errors.Join(record.Damaged(bad), err)
		}
		return records, record.Damaged(bad)
	}
	return records, nil
}

func (f *foreign) Append(batch []store.Record) error {
	list := js.Global().Get("Array").New(len(batch))
	for i, r := range batch {
		pair := js.Global().Get("Array").New(r.Key, js.Null())
		if r.Value != nil {
			pair.SetIndex(1, jsvalue.Array(record.Seal(r.Key, r.Value)))
		}
		list.SetIndex(i, pair)
	}
	_, err := await(f.object.Call("append", list))
	return err
}

// SetAside implements storage.
func (f *foreign) SetAside(string) error {
	v, err := await(f.object.Call("load"))
	if err != nil {
		return err
	}
	keys := js.Global().Get("Array").New()
	for i := range v.Length() {
		keys.Call("push", v.Index(i).Index(0))
	}
	_, err = await(f.object.Call("quarantine", keys))
	return err
}

func (f *foreign) Clear() error { _, err := await(f.object.Call("clear")); return err }
func (f *foreign) Close() error { _, err := await(f.object.Call("close")); return err }

// await blocks the host loop until a promise settles.
func await(promise js.Value) (js.Value, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	v, err := jsvalue.Await(ctx, promise)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the storage did not answer within %v", deadline)
	}
	return v, err
}
