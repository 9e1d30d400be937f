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
	"sync"
	"syscall/js"
	"time"

	"github.com/kubonsai/kubonsai/wasm/bridge"
	"github.com/kubonsai/kubonsai/wasm/internal/guests"
	"github.com/kubonsai/kubonsai/wasm/internal/jsvalue"
)

// version is set by the build: -ldflags "-X main.version=…".
var version = "dev"

// bell wakes the host loop; ringing it twice is ringing it once.
type bell chan struct{}

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// todo holds calls that are to be made on the host's goroutine.
type todo struct {
	bell
	calls []func()
}

func (t *todo) do(fn func()) {
	t.calls = append(t.calls, fn)
	t.ring()
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
	debug.SetGCPercent(-1) // a boot makes little garbage and is waited for
	b := make(bell, 1)
	wake := js.FuncOf(func(js.Value, []js.Value) any { b.ring(); return nil })
	defer wake.Release()

	send := func(f *bridge.Frame) {
		head, err := f.Encode()
		if err != nil {
			head = fmt.Appendf(nil, `{"id":%d,"kind":"error","code":"Internal","message":%q}`, f.ID, err)
		}
		data := js.Null()
		if f.Data != nil {
			data = jsvalue.Array(f.Data)
		}
		port.Call("post", string(head), data)
	}
	var host *bridge.Host
	later := &todo{bell: b}
	texts := &guests.Guests{Port: port, Later: later.do, Hold: func(held bool) { host.Hold(held) }}
	host = bridge.NewHost(version, func(o bridge.OpenOptions) (*bridge.Opened, error) { return open(port, texts, o) }, send, time.Now)

	port.Set("wake", wake)
	port.Call("ready")
	timer := js.Null()
	for !host.Ended() {
		select { // whatever rang for is taken now
		case <-b:
		default:
		}
		for m := port.Call("take"); !m.IsNull() && !host.Ended(); m = port.Call("take") {
			var data []byte
			if d := m.Index(1); d.Type() == js.TypeObject {
				data = jsvalue.Bytes(d)
			}
			host.Receive([]byte(m.Index(0).String()), data)
		}
		for len(later.calls) > 0 {
			fn := later.calls[0]
			later.calls = later.calls[1:]
			fn()
		}
		if host.Ended() {
			break
		}
		if host.Opened() {
			collect()
		}
		switch wait := cycle(host, send); {
		case wait == 0:
			port.Call("yield", wake)
			<-b
		case wait < 0:
			<-b
		default:
			timer = port.Call("timer", float64(wait)/float64(time.Millisecond), wake)
			<-b
			port.Call("cancel", timer)
		}
	}
	port.Call("ended")
}

// collect lets the garbage be collected from now on.
var collect = sync.OnceFunc(func() {
	debug.SetGCPercent(250) // fewer collections, and 1,000 pods still within 100 MB: scripts/bench/run
})

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
