//go:build js && wasm

// The program in the page's worker (or in a Node thread): it carries frames
// between JavaScript and bridge.Host, sleeps with one timer, yields to the
// worker's messages between slices, and opens clusters on a storage. Whatever
// it needs of JavaScript is in the object globalThis.kubonsaiHosts[argv[1]],
// made by site/src/engine.ts, so that one thread can hold several programs.
//
// Nothing here blocks in a JavaScript callback: callbacks only queue; the main
// goroutine is the host loop and the only one that waits for promises.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall/js"
	"time"

	"github.com/kubonsai/kubonsai/wasm/bridge"
)

// version is set by the build: -ldflags "-X main.version=…".
var version = "dev"

type inbound struct{ head, data []byte }

// queue holds the messages that have come and wakes the host loop.
type queue struct {
	messages []inbound
	wake     chan struct{}
}

func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func main() {
	id := "main"
	if len(os.Args) > 1 {
		id = os.Args[1]
	}
	port := js.Global().Get("kubonsaiHosts").Get(id)
	if port.IsUndefined() {
		fmt.Println("kubonsai.wasm is started by kubonsai-api.js: call create() from there")
		return
	}
	debug.SetGCPercent(250) // fewer collections, and 1,000 pods still within 100 MB: scripts/bench/run
	q := &queue{wake: make(chan struct{}, 1)}
	receive := js.FuncOf(func(_ js.Value, args []js.Value) any {
		m := inbound{head: []byte(args[0].String())}
		if len(args) > 1 && args[1].Type() == js.TypeObject {
			m.data = bytesOf(args[1])
		}
		q.messages = append(q.messages, m)
		q.poke()
		return nil
	})
	wake := js.FuncOf(func(js.Value, []js.Value) any { q.poke(); return nil })
	defer receive.Release()
	defer wake.Release()

	send := func(f *bridge.Frame) {
		head, err := f.Encode()
		if err != nil {
			head = fmt.Appendf(nil, `{"id":%d,"kind":"error","code":"Internal","message":%q}`, f.ID, err)
		}
		data := js.Null()
		if f.Data != nil {
			data = arrayOf(f.Data)
		}
		port.Call("post", string(head), data)
	}
	host := bridge.NewHost(version, func(o bridge.OpenOptions) (*bridge.Opened, error) { return open(port, o) }, send, time.Now)

	port.Set("receive", receive)
	port.Call("ready")
	timer := js.Null()
	for !host.Ended() {
		for len(q.messages) > 0 {
			m := q.messages[0]
			q.messages = q.messages[1:]
			host.Receive(m.head, m.data)
		}
		if host.Ended() {
			break
		}
		switch wait := cycle(host, send); {
		case len(q.messages) > 0:
			continue
		case wait == 0:
			port.Call("yield", wake)
			<-q.wake
		case wait < 0:
			<-q.wake
		default:
			timer = port.Call("timer", float64(wait)/float64(time.Millisecond), wake)
			<-q.wake
			port.Call("cancel", timer)
		}
	}
	port.Call("ended")
}

// cycle is one slice of work; a bug in an actor must not take the reader's page
// down with it.
func cycle(host *bridge.Host, send func(*bridge.Frame)) (wait time.Duration) {
	defer func() {
		if r := recover(); r != nil {
			send(&bridge.Frame{Kind: bridge.KindNotice, Level: "error", Code: "Internal",
				Message: fmt.Sprintf("kubonsai has a bug: %v; the cluster goes on, a reload starts it from its saved state", r)})
			wait = 50 * time.Millisecond
		}
	}()
	return host.Cycle()
}

func bytesOf(v js.Value) []byte {
	b := make([]byte, v.Get("byteLength").Int())
	js.CopyBytesToGo(b, v)
	return b
}

func arrayOf(b []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(a, b)
	return a
}
