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
	var stored []row
	for i := range v.Length() {
		pair := v.Index(i)
		stored = append(stored, row{pair.Index(0).String(), bytesOf(pair.Index(1))})
	}
	records, bad := unseal(stored)
	if len(bad) > 0 {
		list := js.Global().Get("Array").New()
		for _, b := range bad {
			list.Call("push", b.key)
		}
		if _, err := await(f.object.Call("quarantine", list)); err != nil {
			return records, errors.Join(damaged(bad), err)
		}
		return records, damaged(bad)
	}
	return records, nil
}

func (f *foreign) Append(batch []store.Record) error {
	list := js.Global().Get("Array").New(len(batch))
	for i, r := range batch {
		pair := js.Global().Get("Array").New(r.Key, js.Null())
		if r.Value != nil {
			pair.SetIndex(1, arrayOf(seal(r.Key, r.Value)))
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
	type result struct {
		v   js.Value
		err error
	}
	done := make(chan result, 1)
	ok := js.FuncOf(func(_ js.Value, args []js.Value) any {
		v := js.Undefined()
		if len(args) > 0 {
			v = args[0]
		}
		done <- result{v: v}
		return nil
	})
	bad := js.FuncOf(func(_ js.Value, args []js.Value) any {
		text := "failed"
		if len(args) > 0 {
			text = js.Global().Get("String").Invoke(args[0]).String()
		}
		done <- result{err: errors.New(text)}
		return nil
	})
	defer ok.Release()
	defer bad.Release()
	promise.Call("then", ok, bad)
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		return js.Undefined(), fmt.Errorf("the storage did not answer within %v", deadline)
	}
}
