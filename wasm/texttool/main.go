//go:build js && wasm

// The program of kubonsai-text.wasm: awk, jq, yq and bc for a page's cluster. An
// instance runs one of them at a time, for a process of the cluster's program
// in the same thread: the function step, called with a reply, runs it to its
// next request and returns that. See sim/shell/guest for the messages,
// site/src/engine.ts for who starts instances, wasm/browser/guest.go for who
// calls step.
package main

import (
	"fmt"
	"os"
	"syscall/js"

	"github.com/kubonsai/kubonsai/sim/shell/guest"
	"github.com/kubonsai/kubonsai/sim/shell/texttool"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Println("kubonsai-text.wasm is started by kubonsai.wasm when awk or jq is used")
		return
	}
	// A call from JavaScript returns when all goroutines have come to rest, so
	// the program stands at its next request by then.
	replies, requests := make(chan []byte), make(chan []byte)
	step := js.FuncOf(func(_ js.Value, args []js.Value) any {
		b := make([]byte, args[0].Get("byteLength").Int())
		js.CopyBytesToGo(b, args[0])
		replies <- b
		q := <-requests
		a := js.Global().Get("Uint8Array").New(len(q))
		js.CopyBytesToJS(a, q)
		return a
	})
	js.Global().Get("kubonsaiGuests").Get(os.Args[1]).Set("step", step)
	for {
		requests <- guest.Serve(<-replies, func(q []byte) []byte {
			requests <- q
			return <-replies
		}, texttool.Run)
	}
}
