//go:build js && wasm

// The sandbox's storage: rows of the Durable Object's SQLite. Every call is
// synchronous, and the platform holds back what is sent after a write until the
// write is on disk, so an answer never runs ahead of its rows.

package main

import (
	"errors"
	"fmt"
	"syscall/js"

	"github.com/kubonsai/kubonsai/sim/store"
	"github.com/kubonsai/kubonsai/wasm/internal/jsvalue"
	"github.com/kubonsai/kubonsai/wasm/internal/record"
)

// storage is a store.Backend on the port's object of that name: load(),
// append(batch), quarantine(keys), clear(). See src/storage.ts.
type storage struct {
	object js.Value
	size   int64            // of all values
	sizes  map[string]int64 // of each
}

// attempt calls a method and turns what it throws into an error.
func (s *storage) attempt(method string, args ...any) (v js.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			thrown, ok := r.(js.Error)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("the sandbox's storage: %s", thrown.Get("message").String())
		}
	}()
	return s.object.Call(method, args...), nil
}

func (s *storage) resize(key string, n int64) {
	s.size += n - s.sizes[key]
	if n == 0 {
		delete(s.sizes, key)
	} else {
		s.sizes[key] = n
	}
}

// Load implements store.Backend.
func (s *storage) Load() ([]store.Record, error) {
	s.size, s.sizes = 0, map[string]int64{}
	list, err := s.attempt("load")
	if err != nil {
		return nil, err
	}
	rows := make([]record.Row, list.Length())
	for i := range rows {
		pair := list.Index(i)
		rows[i] = record.Row{Key: pair.Index(0).String(), Value: jsvalue.Bytes(pair.Index(1))}
		s.resize(rows[i].Key, int64(len(rows[i].Value)))
	}
	good, bad := record.Unseal(rows)
	if len(bad) == 0 {
		return good, nil
	}
	if good == nil {
		good = []store.Record{}
	}
	keys := js.Global().Get("Array").New()
	for _, b := range bad {
		keys.Call("push", b.Key)
		s.resize(b.Key, 0)
	}
	_, err = s.attempt("quarantine", keys)
	return good, errors.Join(record.Damaged(bad), err)
}

// Append implements store.Backend.
func (s *storage) Append(batch []store.Record) error {
	if len(batch) == 0 {
		return nil
	}
	list := js.Global().Get("Array").New(len(batch))
	for i, r := range batch {
		pair := js.Global().Get("Array").New(r.Key, js.Null())
		if r.Value != nil {
			pair.SetIndex(1, jsvalue.Array(record.Seal(r.Key, r.Value)))
		}
		list.SetIndex(i, pair)
	}
	if _, err := s.attempt("append", list); err != nil {
		return err
	}
	for _, r := range batch {
		s.resize(r.Key, int64(len(r.Value)))
	}
	return nil
}

// Clear implements store.Backend.
func (s *storage) Clear() error {
	s.size, s.sizes = 0, map[string]int64{}
	_, err := s.attempt("clear")
	return err
}

// Close implements store.Backend.
func (s *storage) Close() error { return nil }
