// This file changes how functions call each other.
//
// The compiler's caller makes room on the Go stack and writes the return address
// there, a constant of which most is the caller's number. Here the callee does
// that, once per function instead of once per call; the return address is its
// second parameter, and the caller adds the place to resume at (resume.go) to its
// own number, which it keeps in a local; another local has the address of the
// place that the code has come to, so that the next one's is often that and one.
// Where a call has no return address of
// its own (a jump to another function; the runtime's assembly; the loop that
// resumes), the one on the stack is taken off and given as the parameter.

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/kubonsai/kubonsai/scripts/internal/gowasm"
)

// The globals and locals of the compiler's functions, and the locals here.
const (
	globalSP = 0

	oldSP = 1

	localPCB    = 0 // the block to go to
	localReturn = 1 // the return address
	localSP     = 2
	localFrame  = 3 // the frame pointer
	localReach  = 4 // the frame pointer less the stack pointer
	localBase   = 5 // the function's own address
	localPlace  = 6 // the running address
	moved       = 5 // how much the numbers of the other locals grow
)

var (
	oldSignature = []byte{0x60, 1, i32, 1, i32}
	newSignature = []byte{0x60, 2, i32, i64, 1, i32}
)

// A convention is what is known of the functions' types.
type convention struct {
	imports       int
	types         []int // of the functions, without the imports
	resume        int   // the helper of the loop that resumes
	folded, taken int   // calls with and without a return address of their own
	running       int   // of those with one: it is the running address's next
}

// newConvention changes the type of the compiler's functions, which is the first.
func newConvention(m *gowasm.Module) (*convention, error) {
	c := &convention{imports: m.Imports, resume: m.Imports + len(m.Functions)}
	types := m.Section(gowasm.SectionType)
	r := gowasm.Reader{B: types.Body}
	n := r.Uint()
	if !bytes.HasPrefix(r.B, oldSignature) {
		return nil, errors.New("the first type is not that of the compiler's functions")
	}
	types.Body = append(append(binary.AppendUvarint(nil, uint64(n)), newSignature...), r.B[len(oldSignature):]...)
	for _, t := range m.ImportTypes {
		if t == 0 {
			return nil, errors.New("an import has the type of the compiler's functions")
		}
	}
	f := gowasm.Reader{B: m.Section(gowasm.SectionFunction).Body}
	for range f.Uint() {
		c.types = append(c.types, f.Uint())
	}
	for _, f := range m.Functions {
		if f.Name == "wasm_pc_f_loop_export" {
			return nil, errors.New("functions exported with go:wasmexport are not supported")
		}
	}
	return c, nil
}

// addHelper adds the function (block, function) with which the loop that resumes
// calls a function. A block other than the first finds the return address where
// the first has written it.
func (c *convention) addHelper(m *gowasm.Module) error {
	const block, function, address = 0, 1, 2
	w := &writer{}
	w.get(block)
	w.op(opI32Eqz)
	w.block(opIf, func() {
		w.list = append(w.list, takeReturn...)
		w.set(address)
	})
	w.get(block)
	w.get(address)
	w.get(function)
	w.op(opCallInd)
	w.op(opEnd)
	if n := addFunction(m, []byte{0x60, 2, i32, i32, 1, i32}, encode([]byte{1, 1, i64}, w.list)); n != c.resume {
		return fmt.Errorf("the helper is function %d, not %d", n, c.resume)
	}
	return nil
}

// takeReturn takes the return address off the Go stack.
var takeReturn = []instruction{
	{op: opGlobalGet, arg: globalSP}, {op: opI64Load, arg: 3},
	{op: opGlobalGet, arg: globalSP}, {op: opI32Const, arg: 8}, {op: opI32Add}, {op: opGlobalSet, arg: globalSP},
}

// compiled reports whether function n, counted with the imports, is called with
// a return address.
func (c *convention) compiled(n int) bool { return n >= c.imports && c.types[n-c.imports] == 0 }

// rewrite changes one function, by its number without the imports, and returns
// the declaration of its locals and its code.
func (c *convention) rewrite(n int, name string, locals []byte, list []instruction, p *places) ([]byte, []instruction, error) {
	own := c.compiled(c.imports + n)
	if own && len(list) == 2 { // the build id
		return locals, list, nil
	}
	base := (gowasm.FirstFunction + n) << 16
	usesBase := false
	out := make([]instruction, 0, len(list)+16)
	from := 0
	if own {
		if !follows(list, opGlobalGet, opLocalSet) || list[0].arg != globalSP || list[1].arg != oldSP {
			return nil, nil, fmt.Errorf("%s does not begin with the stack pointer", name)
		}
		from = 2
	}
	address := func(a int) { // pushes a return address
		usesBase = true
		out = append(out, instruction{op: opLocalGet, arg: localBase})
		if b := a - base; b != 0 {
			out = append(out, instruction{op: opI64Const, arg: b}, instruction{op: opI64Add})
		}
	}
	running := false // whether a return address is the running one's next
	if p != nil {
		for _, follows := range p.resumed {
			running = running || follows
		}
	}
	// Whether the return address is written, or need not be. New goroutines find
	// that of goexit on their stack and return into its first block.
	arrived := !own || name == "runtime.goexit"
	arrive := func() {
		arrived = true
		out = append(out,
			instruction{op: opLocalGet, arg: localSP}, instruction{op: opI32Const, arg: 8}, instruction{op: opI32Sub},
			instruction{op: opLocalTee, arg: localSP}, instruction{op: opGlobalSet, arg: globalSP},
			instruction{op: opLocalGet, arg: localSP}, instruction{op: opLocalGet, arg: localReturn}, instruction{op: opI64Store, arg: 3})
	}
	dispatch := slices.IndexFunc(list, func(in instruction) bool { return in.op == opBrTable })
	if !arrived && dispatch < 0 {
		arrive()
	}
	// The return address of the call that comes next, and where it was written.
	pushed, where := 0, 0
	for i := from; i < len(list); i++ {
		in, l := list[i], list[i:]
		switch {
		case own && isPush(l) && l[6].arg>>16 == base>>16 && c.isCall(l[8:]):
			pushed, where = l[6].arg, i
			i += 7
			continue
		case own && follows(l, opI64Const, opCall, opReturn) && in.arg>>16 == base>>16 && c.compiled(l[1].arg): // of panics
			out = append(out, instruction{op: opI32Const})
			address(in.arg)
			continue
		case own && (in.op == opLocalGet || in.op == opLocalSet || in.op == opLocalTee) && in.arg > 0:
			in.raw = nil
			if in.arg == oldSP {
				in.arg = localSP
			} else {
				in.arg += moved
			}
		case in.op == opCallInd && in.arg == 0 && name == "wasm_pc_f_loop":
			in = instruction{op: opCall, arg: c.resume}
		case in.op == opCallInd && in.arg == 0 || in.op == opCall && c.compiled(in.arg):
			if in.op == opCall && i > 0 && list[i-1].op == opI64Const { // of panics
				break
			}
			var function []instruction // which stands before the call
			if in.op == opCallInd {
				function = append(function, out[len(out)-1])
				out = out[:len(out)-1]
			}
			if last := out[len(out)-1]; last.op != opI32Const || last.arg != 0 || len(function) > 0 && (function[0].op != opLocalGet || function[0].arg != localPCB) {
				return nil, nil, fmt.Errorf("%s has a call that is not known", name)
			}
			if pushed != 0 {
				resumed, next := false, false
				if running {
					next, resumed = p.resumed[where]
				}
				if next {
					out = append(out, instruction{op: opLocalGet, arg: localPlace}, instruction{op: opI64Const, arg: 1}, instruction{op: opI64Add})
					c.running++
				} else {
					address(pushed)
				}
				if resumed {
					out = append(out, instruction{op: opLocalTee, arg: localPlace})
				}
				pushed = 0
				c.folded++
			} else {
				out = append(out, takeReturn...)
				c.taken++
			}
			out = append(out, function...)
		}
		if running && i == dispatch-1 { // local.get of the block
			usesBase = true
			out = append(out, instruction{op: opLocalGet, arg: localBase}, in, instruction{op: opI64ExtendU}, instruction{op: opI64Add}, instruction{op: opLocalSet, arg: localPlace})
		}
		out = append(out, in)
		if own && dispatch >= 0 && follows(l, opI32Const, opLocalSet, opBr) && l[1].arg == localPCB && in.arg < len(list[dispatch].table) && list[dispatch].table[in.arg] == 0 {
			return nil, nil, fmt.Errorf("%s jumps to its first block", name)
		}
		if !arrived && in.op == opEnd && i == dispatch+1 {
			arrive()
		}
	}
	if !arrived || pushed != 0 {
		return nil, nil, fmt.Errorf("%s is not built like a function", name)
	}
	if !own {
		return locals, out, nil
	}
	head := []instruction{{op: opGlobalGet, arg: globalSP}, {op: opLocalSet, arg: localSP}}
	if usesBase {
		head = append(head, instruction{op: opI64Const, arg: base}, instruction{op: opLocalSet, arg: localBase})
	}
	// The locals: an i32, the stack pointer, comes first.
	r := gowasm.Reader{B: locals}
	groups := r.Uint()
	if count, kind := r.Uint(), r.Byte(); count != 1 || kind != i32 {
		return nil, nil, fmt.Errorf("%s has other locals", name)
	}
	wide := 2 // the two addresses and the i64s that come next
	if after := (gowasm.Reader{B: r.B}); groups > 1 {
		if count := after.Uint(); after.Byte() == i64 {
			wide += count
			groups--
			r = after
		}
	}
	decl := binary.AppendUvarint(nil, uint64(groups+1))
	decl = append(decl, 3, i32)
	decl = append(binary.AppendUvarint(decl, uint64(wide)), i64)
	return append(decl, r.B...), append(head, out...), nil
}

// isPush reports whether a list begins with the code that writes a constant
// return address.
func isPush(l []instruction) bool {
	return follows(l, opLocalGet, opI32Const, opI32Sub, opLocalTee, opGlobalSet, opLocalGet, opI64Const, opI64Store) &&
		l[0].arg == oldSP && l[1].arg == 8 && l[3].arg == oldSP && l[4].arg == globalSP && l[5].arg == oldSP && l[7].offset == 0
}

// isCall reports whether a list begins with the call of a compiled function.
func (c *convention) isCall(l []instruction) bool {
	return follows(l, opI32Const, opCall) && l[0].arg == 0 && c.compiled(l[1].arg) ||
		follows(l, opI64Const, opI64ShrU, opI32Wrap, opLocalSet, opI32Const, opLocalGet, opCallInd) && l[3].arg == localPCB && l[4].arg == 0 && l[5].arg == localPCB && l[6].arg == 0
}
