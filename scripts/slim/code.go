// This file rewrites the compiler's code.
//
// The Go compiler's functions for wasm are a loop around a br_table: local 0 is
// the number of the block to go to, so that a goroutine can be resumed in the
// middle of a function, and local 1 is the stack pointer. The code of block n
// stands after the end of the n-th nested wasm block. Calls store the return
// address on the Go stack and give 1 when the wasm stack is to be unwound. See
// cmd/internal/obj/wasm and cmd/compile/internal/wasm.
//
// What is rewritten, all of it within one function and without knowledge of
// what the code is for:
//
//   - a jump forward goes through the br_table: it becomes a br or br_if, as the
//     block it leads to is still open;
//   - the address SP+K is computed in 64 bits: K becomes the offset of the load
//     or store (SP+K is an address of the stack, so it cannot overflow);
//   - a condition is widened and compared with zero, up to four times: it is
//     negated once or not at all;
//   - a call of a function that never returns (a nil check's, a bounds check's,
//     that of the stack's growth) needs no code for a return.
//
// resume.go then numbers the places anew where functions are resumed, calls.go
// changes how functions call each other, frame.go how they address their frames,
// and fold.go has functions of the same code share a body.

package main

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/kubonsai/kubonsai/scripts/internal/gowasm"
)

// The instructions that are looked at.
const (
	opUnreachable = 0x00
	opBlock       = 0x02
	opLoop        = 0x03
	opIf          = 0x04
	opElse        = 0x05
	opEnd         = 0x0b
	opBr          = 0x0c
	opBrIf        = 0x0d
	opBrTable     = 0x0e
	opReturn      = 0x0f
	opCall        = 0x10
	opCallInd     = 0x11
	opDrop        = 0x1a
	opSelect      = 0x1b
	opLocalGet    = 0x20
	opLocalSet    = 0x21
	opLocalTee    = 0x22
	opGlobalGet   = 0x23
	opGlobalSet   = 0x24
	opFirstLoad   = 0x28
	opLastLoad    = 0x35
	opI32Load     = 0x28
	opI32Load8U   = 0x2d
	opI32Store    = 0x36
	opI64Load     = 0x29
	opI64Store    = 0x37
	opI32Store8   = 0x3a
	opLastStore   = 0x3e
	opMemorySize  = 0x3f
	opMemoryGrow  = 0x40
	opI32Const    = 0x41
	opI64Const    = 0x42
	opF32Const    = 0x43
	opF64Const    = 0x44
	opI32Eqz      = 0x45
	opI32Eq       = 0x46
	opI32LtU      = 0x49
	opI32GeU      = 0x4f
	opI64Eqz      = 0x50
	opLastCompare = 0x66
	opI32Add      = 0x6a
	opI32Sub      = 0x6b
	opI32Mul      = 0x6c
	opI32And      = 0x71
	opI32Or       = 0x72
	opI32Xor      = 0x73
	opI32Shl      = 0x74
	opI32ShrU     = 0x76
	opI64Add      = 0x7c
	opI64ShrU     = 0x88
	opI32Wrap     = 0xa7
	opI64ExtendU  = 0xad
	opLastNumeric = 0xc4
	opPrefix      = 0xfc

	void = 0x40 // the type of a block without result
	i64  = 0x7e
	i32  = 0x7f
)

// An instruction. raw is its encoding as long as it is what was read.
type instruction struct {
	op     byte
	arg    int // index, depth, constant, alignment, type of a block
	offset int
	raw    []byte
	table  []int
}

// neverReturn are the runtime's functions that end by unwinding the wasm stack.
var neverReturn = map[string]bool{
	"runtime.sigpanic": true, "runtime.gopanic": true, "runtime.morestack": true, "runtime.morestack_noctxt": true, "runtime.panicwrap": true,
	"runtime.goPanicIndex": true, "runtime.goPanicIndexU": true, "runtime.goPanicSliceAlen": true, "runtime.goPanicSliceAlenU": true,
	"runtime.goPanicSliceAcap": true, "runtime.goPanicSliceAcapU": true, "runtime.goPanicSliceB": true, "runtime.goPanicSliceBU": true,
	"runtime.goPanicSlice3Alen": true, "runtime.goPanicSlice3AlenU": true, "runtime.goPanicSlice3Acap": true, "runtime.goPanicSlice3AcapU": true,
	"runtime.goPanicSlice3B": true, "runtime.goPanicSlice3BU": true, "runtime.goPanicSlice3C": true, "runtime.goPanicSlice3CU": true,
	"runtime.goPanicSliceConvert": true, "runtime.panicdivide": true, "runtime.panicshift": true, "runtime.panicdottypeE": true,
	"runtime.panicdottypeI": true, "runtime.panicnildottype": true,
}

// A rewriter rewrites the functions of a module.
type rewriter struct {
	neverReturn map[int]bool
	sigpanic    int
	panicwrap   int
	wrappers    map[int]bool // the functions that call it
	current     int          // the function that is rewritten
	done        map[string]int
}

// A rewritten module's functions, by their numbers as in m.Functions.
type rewritten struct {
	wrappers map[int]bool // those that call runtime.panicwrap
	places   []*places    // theirs, where they are new
	bodies   []int        // the functions whose bodies they have
}

// rewriteCode rewrites all functions.
func rewriteCode(m *gowasm.Module) (done rewritten, err error) {
	w := &rewriter{neverReturn: map[int]bool{}, wrappers: map[int]bool{}, done: map[string]int{}}
	for i, f := range m.Functions {
		if neverReturn[f.Name] {
			w.neverReturn[m.Imports+i] = true
			switch f.Name {
			case "runtime.panicwrap":
				w.panicwrap = m.Imports + i
			case "runtime.sigpanic":
				w.sigpanic = m.Imports + i
			}
		}
	}
	c, err := newConvention(m)
	if err != nil {
		return done, err
	}
	code := m.Section(gowasm.SectionCode)
	r := gowasm.Reader{B: code.Body}
	var functions []function
	for range r.Uint() {
		body := r.Bytes(r.Uint())
		f := gowasm.Reader{B: body}
		for range f.Uint() { // the locals
			f.Uint()
			f.Byte()
		}
		list, err := decode(f.B)
		if err != nil {
			return done, err
		}
		w.current = len(functions)
		p, list := w.renumber(m, w.current, w.rewrite(list))
		done.places = append(done.places, p)
		locals, list, err := c.rewrite(w.current, m.Functions[w.current].Name, body[:len(body)-len(f.B)], list, p)
		if err != nil {
			return done, err
		}
		if p != nil && c.compiled(m.Imports+w.current) {
			f := frame{size: p.frame}
			for _, in := range list {
				if in.op == opCall && in.arg >= m.Imports && in.arg-m.Imports < len(m.Functions) {
					if callee := m.Functions[in.arg-m.Imports].Struct; callee != 0 {
						f.outgoing = max(f.outgoing, int(int32(m.Memory.Half(callee+gowasm.FuncArgs))))
					}
				}
			}
			if framed, ok := addressFrame(list, f); ok {
				list = framed
				w.done["frames"]++
			} else {
				w.done["no frames"]++
			}
		}
		functions = append(functions, newFunction(w.current, locals, list))
	}
	if functions, done.bodies, err = w.fold(m, c, functions, done.places); err != nil {
		return done, err
	}
	before := len(code.Body)
	code.Body = binary.AppendUvarint(nil, uint64(len(functions)))
	for _, f := range functions {
		b := encode(f.locals, f.list)
		code.Body = binary.AppendUvarint(code.Body, uint64(len(b)))
		code.Body = append(code.Body, b...)
	}
	if err := c.addHelper(m); err != nil {
		return done, err
	}
	say("calls: %d with a return address, %d of them one on, %d without", c.folded, c.running, c.taken)
	say("code: %d → %d bytes %v", before, len(code.Body), w.done)
	done.wrappers = w.wrappers
	return done, nil
}

// grow adds to the count that a section begins with and returns what it was.
func grow(s *gowasm.Section, n int) int {
	r := gowasm.Reader{B: s.Body}
	count := r.Uint()
	s.Body = append(binary.AppendUvarint(nil, uint64(count+n)), r.B...)
	return count
}

func (w *rewriter) rewrite(list []instruction) []instruction {
	return w.addresses(w.unwinding(w.panics(w.returns(w.branches(w.conditions(list))))))
}

// conditions simplifies negations.
func (w *rewriter) conditions(list []instruction) []instruction {
	out := make([]instruction, 0, len(list))
	last := func(n int) byte {
		if len(out) < n {
			return opUnreachable
		}
		return out[len(out)-n].op
	}
	for _, in := range list {
		if in.op == opI64Eqz && last(1) == opI64ExtendU {
			out = out[:len(out)-1]
			in = instruction{op: opI32Eqz}
			w.done["widened"]++
		}
		switch {
		case in.op == opI32Eqz && inverse[last(1)] != 0:
			out[len(out)-1] = instruction{op: inverse[last(1)]}
			w.done["inverted"]++
			continue
		case in.op == opI32Eqz && last(1) == opI32Eqz && last(2) >= opI32Eqz && last(2) <= opLastCompare:
			out = out[:len(out)-1] // the negation of a negated 0 or 1
			w.done["negated twice"]++
			continue
		}
		out = append(out, in)
	}
	return out
}

// inverse is the comparison that holds when another does not.
var inverse = func() (t [256]byte) {
	for _, pair := range [][2]byte{
		{0x46, 0x47}, {0x48, 0x4e}, {0x49, 0x4f}, {0x4a, 0x4c}, {0x4b, 0x4d}, // i32: eq ne, lt ge, lt ge unsigned, gt le, gt le unsigned
		{0x51, 0x52}, {0x53, 0x59}, {0x54, 0x5a}, {0x55, 0x57}, {0x56, 0x58}, // i64
		{0x5b, 0x5c}, {0x61, 0x62}, // f32, f64: eq ne; the others differ for NaN
	} {
		t[pair[0]], t[pair[1]] = pair[1], pair[0]
	}
	return t
}()

// branches makes jumps forward direct.
func (w *rewriter) branches(list []instruction) []instruction {
	type label struct {
		op byte
		at int
	}
	var open []label
	dispatch := -1    // where the loop is
	var targets []int // where the block begins whose end is before the code of block n
	// depth is that of the block to which a jump to block n leads from here, if
	// it is through the loop and the block is open.
	depth := func(n, through, inside int) (int, bool) {
		i := len(open) - 1 - (through - inside)
		if targets == nil || i < 0 || i >= len(open) || open[i].at != dispatch || n < 0 || n >= len(targets) {
			return 0, false
		}
		d := slices.IndexFunc(open, func(l label) bool { return l.at == targets[n] })
		return len(open) - 1 - d, d >= 0
	}
	out := make([]instruction, 0, len(list))
	for i := 0; i < len(list); i++ {
		in := list[i]
		switch in.op {
		case opBlock, opLoop, opIf:
			if follows(list[i:], opIf, opI32Const, opLocalSet, opBr, opEnd) && in.arg == void && list[i+2].arg == 0 {
				if d, ok := depth(list[i+1].arg, list[i+3].arg, 1); ok {
					out = append(out, instruction{op: opBrIf, arg: d})
					w.done["conditional jumps"]++
					i += 4
					continue
				}
			}
			if in.op == opLoop && dispatch < 0 {
				dispatch = i
			}
			open = append(open, label{in.op, i})
		case opI32Const:
			if follows(list[i:], opI32Const, opLocalSet, opBr) && list[i+1].arg == 0 {
				if d, ok := depth(in.arg, list[i+2].arg, 0); ok {
					out = append(out, instruction{op: opBr, arg: d})
					w.done["jumps"]++
					i += 2
					continue
				}
			}
		case opBrTable:
			if before := list[i-1]; dispatch >= 0 && targets == nil && before.op == opLocalGet && before.arg == 0 {
				for _, d := range in.table[:len(in.table)-1] {
					at := -1
					if n := len(open) - 1 - d; n >= 0 && open[n].op == opBlock {
						at = open[n].at
					}
					targets = append(targets, at)
				}
			}
		case opEnd:
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		}
		out = append(out, in)
	}
	return out
}

// returns adds the frame's size and that of the return address to the stack
// pointer at once.
func (w *rewriter) returns(list []instruction) []instruction {
	out := make([]instruction, 0, len(list))
	for i := 0; i < len(list); i++ {
		l := list[i:]
		if follows(l, opLocalGet, opI32Const, opI32Add, opLocalTee, opGlobalSet, opLocalGet, opI32Const, opI32Add, opLocalTee, opGlobalSet) &&
			l[0].arg == 1 && l[3].arg == 1 && l[4].arg == 0 && l[5].arg == 1 && l[8].arg == 1 && l[9].arg == 0 {
			out = append(out, l[0], instruction{op: opI32Const, arg: l[1].arg + l[6].arg}, l[2], l[3], l[4])
			w.done["returns"]++
			i += 9
			continue
		}
		out = append(out, l[0])
	}
	return out
}

// unwinding gives every call the same bytes where it ends the function to unwind
// the wasm stack: a return instead of a jump to the end, whose depth differs.
// The code gets longer, and smaller once compressed.
func (w *rewriter) unwinding(list []instruction) []instruction {
	var open []int // where the blocks begin
	end := make([]int, len(list))
	for i, in := range list {
		switch in.op {
		case opBlock, opLoop, opIf:
			open = append(open, i)
		case opEnd:
			if len(open) > 0 {
				end[open[len(open)-1]] = i
				open = open[:len(open)-1]
			}
		}
	}
	open = open[:0]
	out := make([]instruction, 0, len(list))
	for i, in := range list {
		switch in.op {
		case opBlock, opLoop, opIf:
			open = append(open, i)
		case opEnd:
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		case opBrIf:
			if i < 3 || !follows(list[i-3:], opCall, opGlobalGet, opLocalSet) || in.arg >= len(open) {
				break
			}
			to := open[len(open)-1-in.arg]
			if after := list[end[to]:]; list[to].op == opBlock && follows(after, opEnd, opI32Const) && after[1].arg == 1 && len(after) == 3 {
				out = append(out, instruction{op: opIf, arg: void}, after[1], instruction{op: opReturn}, instruction{op: opEnd})
				w.done["unwinding"]++
				continue
			}
		}
		out = append(out, in)
	}
	return out
}

// panics shortens calls that do not return to: the return address, the call,
// return. That is for convention.rewrite, see there.
func (w *rewriter) panics(list []instruction) []instruction {
	out := make([]instruction, 0, len(list))
	for i := 0; i < len(list); i++ {
		l := list[i:]
		if follows(l, opLocalGet, opI32Const, opI32Sub, opLocalTee, opGlobalSet, opLocalGet, opI64Const, opI64Store, opI32Const, opCall) &&
			l[0].arg == 1 && l[1].arg == 8 && l[3].arg == 1 && l[4].arg == 0 && l[5].arg == 1 && l[7].offset == 0 && l[8].arg == 0 && w.neverReturn[l[9].arg] {
			n := 10
			if follows(l[n:], opGlobalGet, opLocalSet) && l[n].arg == 0 && l[n+1].arg == 1 {
				n += 2
			}
			if follows(l[n:], opBrIf) {
				out = append(out, l[6], instruction{op: opCall, arg: l[9].arg}, instruction{op: opReturn})
				w.done["panics"]++
				if l[9].arg == w.panicwrap {
					w.wrappers[w.current] = true
				}
				i += n
				continue
			}
		}
		out = append(out, list[i])
	}
	return out
}

// addresses makes K of SP+K the offset of the load or store.
func (w *rewriter) addresses(list []instruction) []instruction {
	out := make([]instruction, 0, len(list))
	added := map[int]int{} // what is yet to be added after an instruction of out
	var stack []int        // the operands, as far as known: the instruction of out that gave SP, or -1
	push := func() { stack = append(stack, -1) }
	pop := func() int {
		if len(stack) == 0 {
			return -1
		}
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		return v
	}
	fold := func(in *instruction, at int) {
		if k, ok := added[at]; ok {
			delete(added, at)
			in.offset += k
			in.raw = nil
			w.done["addresses"]++
		}
	}
	for i := 0; i < len(list); i++ {
		in := list[i]
		if follows(list[i:], opLocalGet, opI64ExtendU, opI64Const, opI64Add, opI32Wrap) && in.arg == 1 && list[i+2].arg >= 0 && list[i+2].arg < 1<<20 {
			added[len(out)] = list[i+2].arg
			stack = append(stack, len(out))
			out = append(out, in)
			i += 4
			continue
		}
		switch op := in.op; {
		case op == opLocalGet || op == opGlobalGet || op == opMemorySize || op >= opI32Const && op <= opF64Const:
			push()
		case op == opLocalSet || op == opGlobalSet || op == opDrop:
			pop()
		case op == opLocalTee || op == opMemoryGrow:
			pop()
			push()
		case op >= opFirstLoad && op <= opLastLoad:
			fold(&in, pop())
			push()
		case op > opLastLoad && op <= opLastStore:
			pop()
			fold(&in, pop())
		case op == opSelect:
			pop()
			pop()
			pop()
			push()
		case op >= opI32Eqz && op <= opLastNumeric:
			pop()
			if !unary(op) {
				pop()
			}
			push()
		case op == opPrefix && in.arg < 8: // saturating conversions
			pop()
			push()
		default: // control: the compiler leaves no operand on the stack
			stack = stack[:0]
		}
		out = append(out, in)
	}
	if len(added) == 0 {
		return out
	}
	final := make([]instruction, 0, len(out)+2*len(added))
	for i, in := range out {
		final = append(final, in)
		if k, ok := added[i]; ok {
			final = append(final, instruction{op: opI32Const, arg: k}, instruction{op: opI32Add})
		}
	}
	return final
}

// unary reports whether a numeric instruction takes one operand.
func unary(op byte) bool {
	return op == opI32Eqz || op == opI64Eqz || op >= 0x67 && op <= 0x69 || op >= 0x79 && op <= 0x7b || // clz, ctz, popcnt
		op >= 0x8b && op <= 0x91 || op >= 0x99 && op <= 0x9f || op >= opI32Wrap // abs … sqrt; conversions
}

func follows(list []instruction, ops ...byte) bool {
	if len(list) < len(ops) {
		return false
	}
	for i, op := range ops {
		if list[i].op != op {
			return false
		}
	}
	return true
}

func decode(body []byte) ([]instruction, error) {
	var out []instruction
	r := gowasm.Reader{B: body}
	for len(r.B) > 0 {
		start := r.B
		in := instruction{op: r.Byte()}
		switch op := in.op; {
		case op == opBlock || op == opLoop || op == opIf:
			in.arg = int(r.Byte())
		case op == opBr || op == opBrIf || op == opCall || op >= opLocalGet && op <= opGlobalSet:
			in.arg = r.Uint()
		case op == opBrTable:
			for range r.Uint() + 1 {
				in.table = append(in.table, r.Uint())
			}
		case op == opCallInd:
			in.arg = r.Uint()
			r.Uint()
		case op >= opFirstLoad && op <= opLastStore:
			in.arg = r.Uint()
			in.offset = r.Uint()
		case op == opMemorySize || op == opMemoryGrow:
			r.Byte()
		case op == opI32Const || op == opI64Const:
			in.arg = r.Int()
		case op == opF32Const:
			r.Bytes(4)
		case op == opF64Const:
			r.Bytes(8)
		case op == opPrefix:
			switch in.arg = r.Uint(); {
			case in.arg < 8:
			case in.arg == 10: // memory.copy
				r.Bytes(2)
			case in.arg == 11: // memory.fill
				r.Bytes(1)
			default:
				return nil, fmt.Errorf("instruction 0xfc %d is not known", in.arg)
			}
		case op <= 0x01 || op == opElse || op == opEnd || op == opReturn || op == opDrop || op == opSelect || op >= opI32Eqz && op <= opLastNumeric:
		default:
			return nil, fmt.Errorf("instruction %#x is not known", op)
		}
		in.raw = start[:len(start)-len(r.B)]
		out = append(out, in)
	}
	return out, nil
}

func encode(out []byte, list []instruction) []byte {
	for _, in := range list {
		if in.raw != nil {
			out = append(out, in.raw...)
			continue
		}
		out = append(out, in.op)
		switch op := in.op; {
		case op == opBlock || op == opLoop || op == opIf || op == opBr || op == opBrIf || op == opCall || op >= opLocalGet && op <= opGlobalSet:
			out = binary.AppendUvarint(out, uint64(in.arg))
		case op == opCallInd:
			out = append(binary.AppendUvarint(out, uint64(in.arg)), 0)
		case op == opBrTable:
			out = binary.AppendUvarint(out, uint64(len(in.table)-1))
			for _, d := range in.table {
				out = binary.AppendUvarint(out, uint64(d))
			}
		case op >= opFirstLoad && op <= opLastStore:
			out = binary.AppendUvarint(out, uint64(in.arg))
			out = binary.AppendUvarint(out, uint64(in.offset))
		case op == opI32Const || op == opI64Const:
			out = gowasm.AppendInt(out, in.arg)
		}
	}
	return out
}
