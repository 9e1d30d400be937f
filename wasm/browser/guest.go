//go:build js && wasm

// The second module, with awk and jq: fetched when it is first used, then one
// instance for each program that runs. An instance whose program has ended is
// used again; one that was interrupted, has crashed or has grown large is left
// to the garbage collector, with all that it held.

package main

import (
	"errors"
	"fmt"
	"slices"
	"syscall/js"

	"github.com/kubonsai/kubonsai/sim/shell/guest/host"
)

// reusable is the memory up to which an instance is kept for the next program,
// and spare how many are.
const (
	reusable = 48 << 20
	spare    = 3
)

// guests is the host.Loader of this module. port has, of site/src/engine.ts:
// fetchGuests(done) and guest().
type guests struct {
	port  js.Value
	later *todo
	hold  func(bool) // stops virtual time while the module is fetched

	fetching, fetched bool

	waiting []*waiter
	idle    []*instance
}

type waiter struct{ done func(host.Instance, error) }

func (g *guests) Open(done func(host.Instance, error)) (cancel func()) {
	if g.fetched {
		done(g.instance())
		return func() {}
	}
	w := &waiter{done}
	g.waiting = append(g.waiting, w)
	g.hold(true)
	if !g.fetching {
		g.fetching = true
		var came js.Func
		came = js.FuncOf(func(_ js.Value, args []js.Value) any {
			came.Release()
			failure := args[0]
			g.later.do(func() { g.answer(failure) })
			return nil
		})
		g.port.Call("fetchGuests", came)
	}
	return func() {
		g.waiting = slices.DeleteFunc(g.waiting, func(o *waiter) bool { return o == w })
		g.hold(len(g.waiting) > 0)
	}
}

// answer tells everybody who waits that the module has come, or why not; then
// the next use tries again.
func (g *guests) answer(failure js.Value) {
	g.fetching, g.fetched = false, failure.IsNull()
	waiting := g.waiting
	g.waiting = nil
	g.hold(false)
	for _, w := range waiting {
		if g.fetched {
			w.done(g.instance())
		} else {
			w.done(nil, errors.New(failure.String()))
		}
	}
}

func (g *guests) instance() (i host.Instance, err error) {
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
	return &instance{guests: g, guest: g.port.Call("guest")}, nil
}

type instance struct {
	*guests
	guest js.Value
}

func (i *instance) Step(reply []byte) (request []byte, err error) {
	defer func() {
		if recover() != nil {
			request, err = nil, errors.New("out of memory") // nothing else ends it
		}
	}()
	q := i.guest.Call("step", arrayOf(reply))
	if q.Type() != js.TypeObject {
		return nil, errors.New("out of memory")
	}
	return bytesOf(q), nil
}

func (i *instance) Memory() int64 { return int64(i.guest.Call("memory").Float()) }

func (i *instance) Close(whole bool) {
	if whole && i.Memory() <= reusable && len(i.idle) < spare {
		i.idle = append(i.idle, i)
	} else {
		i.guest.Call("close")
	}
}
