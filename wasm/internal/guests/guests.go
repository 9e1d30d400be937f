//go:build js && wasm

// Package guests is the second module, with awk and jq: fetched when it is first used, then one
// instance for each program that runs. An instance whose program has ended is
// used again; one that was interrupted, has crashed or has grown large is left
// to the garbage collector, with all that it held.

package guests

import (
	"errors"
	"fmt"
	"slices"
	"syscall/js"

	"github.com/kubonsai/kubonsai/sim/shell/guest/host"
	"github.com/kubonsai/kubonsai/wasm/internal/jsvalue"
)

// reusable is the memory up to which an instance is kept for the next program,
// and spare how many are.
const (
	reusable = 48 << 20
	spare    = 3
)

// Guests is the host.Loader of this module.
type Guests struct {
	// Port has fetchGuests(done) and guest(), as in site/src/engine.ts.
	Port js.Value
	// Later makes a call on the host's goroutine.
	Later func(func())
	// Hold stops virtual time while the module is fetched.
	Hold func(bool)

	fetching, fetched bool

	waiting []*waiter
	idle    []*instance
}

type waiter struct{ done func(host.Instance, error) }

// Open implements host.Loader.
func (g *Guests) Open(done func(host.Instance, error)) (cancel func()) {
	if g.fetched {
		done(g.instance())
		return func() {}
	}
	w := &waiter{done}
	g.waiting = append(g.waiting, w)
	g.Hold(true)
	if !g.fetching {
		g.fetching = true
		var came js.Func
		came = js.FuncOf(func(_ js.Value, args []js.Value) any {
			came.Release()
			failure := args[0]
			g.Later(func() { g.answer(failure) })
			return nil
		})
		g.Port.Call("fetchGuests", came)
	}
	return func() {
		g.waiting = slices.DeleteFunc(g.waiting, func(o *waiter) bool { return o == w })
		g.Hold(len(g.waiting) > 0)
	}
}

// answer tells everybody who waits that the module has come, or why not; then
// the next use tries again.
func (g *Guests) answer(failure js.Value) {
	g.fetching, g.fetched = false, failure.IsNull()
	waiting := g.waiting
	g.waiting = nil
	g.Hold(false)
	for _, w := range waiting {
		if g.fetched {
			w.done(g.instance())
		} else {
			w.done(nil, errors.New(failure.String()))
		}
	}
}

func (g *Guests) instance() (i host.Instance, err error) {
	if n := len(g.idle) - 1; n >= 0 {
		i = g.idle[n]
		g.idle = g.idle[:n]
		return i, nil
	}
	defer func() {
		if r := recover(); r != nil {
			i, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return &instance{Guests: g, guest: g.Port.Call("guest")}, nil
}

type instance struct {
	*Guests
	guest js.Value
}

func (i *instance) Step(reply []byte) (request []byte, err error) {
	defer func() {
		if recover() != nil {
			request, err = nil, errors.New("out of memory") // nothing else ends it
		}
	}()
	q := i.guest.Call("step", jsvalue.Array(reply))
	if q.Type() != js.TypeObject {
		return nil, errors.New("out of memory")
	}
	return jsvalue.Bytes(q), nil
}

func (i *instance) Memory() int64 { return int64(i.guest.Call("memory").Float()) }

func (i *instance) Close(whole bool) {
	if whole && i.Memory() <= reusable && len(i.idle) < spare {
		i.idle = append(i.idle, i)
	} else {
		i.guest.Call("close")
	}
}
