//go:build js && wasm

// What the trainer and the visitor have decided about a sandbox.

package main

import (
	"encoding/json"
	"fmt"
	"syscall/js"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/apiserver/admission"
	"github.com/kubonsai/kubonsai/sim/provision"
)

// config is the port's field of that name, as src/limits.ts writes it. Sizes
// are in bytes unless they say otherwise; zero is no bound.
type config struct {
	Seed     uint64 `json:"seed"`
	Nodes    string `json:"nodes"`
	Start    int64  `json:"start"`    // milliseconds since 1970, when the sandbox was made
	Template string `json:"template"` // manifests that a new sandbox begins with
	Cloud    bool   `json:"cloud"`
	Visited  int64  `json:"visited"` // milliseconds since 1970, about when it was last used
	Ahead    int64  `json:"ahead"`   // milliseconds by which the machine's clock is ahead of the wall's

	Objects  int   `json:"objects"`
	Pods     int   `json:"pods"`
	Clusters int   `json:"clusters"`
	Bytes    int64 `json:"bytes"` // of all that is kept
	Log      int   `json:"log"`   // of each container
	File     int64 `json:"file"`  // of each container
	Request  int64 `json:"request"`
	Streams  int   `json:"streams"` // open at once: watches, followed logs, exec, port-forward, pages
	MemoryMB int   `json:"memoryMB"`
}

func readConfig(port js.Value) (config, error) {
	var c config
	if err := json.Unmarshal([]byte(port.Get("config").String()), &c); err != nil {
		return c, fmt.Errorf("the sandbox's configuration: %w", err)
	}
	return c, nil
}

// options are those of a machine under this configuration; what a restored one
// was made with does not change any more.
func (c config) options() (sim.Options, error) {
	nodes, shapes, err := provision.ParseNodes(c.Nodes)
	if err != nil {
		return sim.Options{}, err
	}
	return sim.Options{
		Seed: c.Seed, Nodes: nodes, Shapes: shapes, Start: time.UnixMilli(c.Start).UTC(),
		MetricsServer: true, CloudLoadBalancer: c.Cloud,
		Limits: sim.Limits{
			Capacity: admission.Capacity{Objects: c.Objects, Pods: c.Pods},
			Clusters: c.Clusters, LogBytes: c.Log, FileBytes: c.File,
		},
	}, nil
}
