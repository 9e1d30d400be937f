//go:build js && wasm

// The program of a hosted sandbox: one machine with its clusters, kept alive
// inside one Durable Object, served over HTTP and WebSockets. Whatever it needs
// of JavaScript is in the object globalThis.kubonsaiSandboxes[argv[1]], made by
// src/program.ts, so that one isolate can hold several programs.
//
// Nothing here blocks in a JavaScript callback: callbacks only queue or start
// goroutines. Whoever touches the machine holds the sandbox's lock.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall/js"

	"github.com/syumai/workers"
)

// version is set by the build: -ldflags "-X main.version=…".
var version = "dev"

func main() {
	if len(os.Args) < 2 {
		fmt.Println("the program of a sandbox is started by wasm/worker/src/program.ts")
		return
	}
	port := js.Global().Get("kubonsaiSandboxes").Get(os.Args[1])
	config, err := readConfig(port)
	if err != nil {
		port.Call("failed", err.Error())
		return
	}
	debug.SetGCPercent(100)
	if config.MemoryMB > 0 {
		// Beyond half of what the module may take the collector works for memory
		// rather than for time.
		debug.SetMemoryLimit(int64(config.MemoryMB) << 20 / 2)
	}
	s := newSandbox(port, config)
	if err := s.open(); err != nil {
		port.Call("failed", err.Error())
		return
	}
	workers.ServeNonBlock(door{s})
	s.export()
	workers.Ready()
	s.run()
}
