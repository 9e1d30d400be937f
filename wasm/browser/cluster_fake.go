//go:build js && wasm && fake

// A build for tests of the page and the storages without the simulation:
// go build -tags fake.

package main

import (
	"syscall/js"

	"github.com/kubonsai/kubonsai/wasm/bridge"
	"github.com/kubonsai/kubonsai/wasm/internal/fake"
	"github.com/kubonsai/kubonsai/wasm/internal/guests"
)

func open(port js.Value, _ *guests.Guests, o bridge.OpenOptions) (*bridge.Opened, error) {
	backend, err := openStorage(port, o.Storage, o.Name)
	if err != nil {
		return nil, err
	}
	if o.Erase {
		if err := backend.Clear(); err != nil {
			return nil, err
		}
	}
	c, restored, err := fake.Open(backend, o)
	if err != nil {
		return nil, err
	}
	return &bridge.Opened{Cluster: c, Restored: restored}, nil
}
