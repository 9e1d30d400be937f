// This file gives functions a second pointer into the stack.
//
// The compiler addresses all of a function's frame by the stack pointer, so that
// the offset of its first parameter or variable differs with the frame's size.
// Here a local points to a place that is as far from the frame's end in every
// function; parameters and variables are addressed by it, and outgoing arguments
// by the stack pointer. Offsets are then much the same in all functions.

package main

import "slices"

const (
	frameReach = 64  // how far below the frame's end the frame pointer points
	stackSmall = 128 // abi.StackSmall: frames that are larger ask for the rest
)

// A frame is what is known of a function's part of the stack.
type frame struct {
	size     int // without the return address
	outgoing int // the size of the arguments and results of the functions it calls
}

// addressFrame changes the code that convention.rewrite made. It reports false,
// and changes nothing, if the function is not built as expected or has no use of
// a frame pointer.
func addressFrame(list []instruction, f frame) ([]instruction, bool) {
	// Where the stack pointer's local is set, it must be known to what.
	adjust := map[int]bool{} // after which instruction the frame pointer is to be set
	alloc, from := false, 0
	for i, in := range list {
		if (in.op != opLocalSet && in.op != opLocalTee) || in.arg != localSP {
			continue
		}
		switch {
		case i == 1 && list[0].op == opGlobalGet && in.op == opLocalSet: // the beginning
			adjust[i] = true
		case i >= 3 && follows(list[i-3:], opLocalGet, opI32Const, opI32Sub, opLocalTee, opGlobalSet) && list[i-3].arg == localSP:
			switch n := list[i-2].arg; {
			case n == 8 && !alloc && follows(list[i+2:], opLocalGet, opLocalGet, opI64Store): // arrival
				if f.size == 0 {
					alloc, adjust[i+1], from = true, true, i
				}
			case n == f.size && !alloc:
				alloc, adjust[i+1], from = true, true, i
			default:
				return nil, false
			}
		case i >= 3 && follows(list[i-3:], opLocalGet, opI32Const, opI32Add, opLocalTee, opGlobalSet) && list[i-3].arg == localSP: // return
			if n := list[i-2].arg; n != f.size+8 && n != f.size {
				return nil, false
			}
		case i >= 2 && (list[i-2].op == opCall || list[i-2].op == opCallInd) && list[i-1].op == opGlobalGet && list[i-1].arg == globalSP && in.op == opLocalSet:
			adjust[i] = true
		default:
			return nil, false
		}
	}
	if !alloc {
		return nil, false
	}
	out := slices.Clone(list)
	uses := 0
	early := false
	operands(list, func(access, base int) {
		if base < 0 || list[base].op != opLocalGet || list[base].arg != localSP {
			return
		}
		at := list[access].offset
		if at < f.outgoing || at < 8 {
			return
		}
		early = early || access < from
		if at = at - f.size + frameReach; at < 0 {
			return
		}
		out[base] = instruction{op: opLocalGet, arg: localFrame}
		out[access].offset, out[access].raw = at, nil
		uses++
	})
	for i, in := range list { // addresses of variables
		if in.op != opLocalGet || in.arg != localSP {
			continue
		}
		if l := list[i:]; follows(l, opLocalGet, opI64ExtendU, opI64Const, opI64Add) && l[2].arg >= max(f.outgoing, 8) {
			out[i] = instruction{op: opLocalGet, arg: localFrame}
			out[i+2] = instruction{op: opI64Const, arg: l[2].arg - f.size + frameReach}
			uses++
			early = early || i < from
		}
	}
	if early || f.size == 0 && uses == 0 {
		return nil, false
	}
	// The frame's size comes in once, so that the rest is alike everywhere.
	done := make([]instruction, 0, len(out)+4*len(adjust))
	for i := 0; i < len(out); i++ {
		in := out[i]
		switch {
		case i == 1: // the beginning
			done = append(done, instruction{op: opLocalTee, arg: localSP},
				instruction{op: opI32Const, arg: f.size - frameReach}, instruction{op: opLocalTee, arg: localReach}, instruction{op: opI32Add}, instruction{op: opLocalSet, arg: localFrame})
		case f.size > 0 && i == from-3: // the frame
			done = append(done, in, instruction{op: opI32Const, arg: frameReach}, instruction{op: opI32Sub}, instruction{op: opLocalTee, arg: localFrame},
				instruction{op: opLocalGet, arg: localReach}, instruction{op: opI32Sub})
			i += 2
		case f.size > 0 && adjust[i] && i == from+1:
			done = append(done, in)
		case adjust[i] && in.op == opGlobalSet:
			done = append(done, in,
				instruction{op: opLocalGet, arg: localSP}, instruction{op: opLocalGet, arg: localReach}, instruction{op: opI32Add}, instruction{op: opLocalSet, arg: localFrame})
		case adjust[i]:
			done = append(done, instruction{op: opLocalTee, arg: localSP},
				instruction{op: opLocalGet, arg: localReach}, instruction{op: opI32Add}, instruction{op: opLocalSet, arg: localFrame})
		case i > from && follows(out[i:], opLocalGet, opI32Const, opI32Add, opLocalTee, opGlobalSet) && in.arg == localSP && out[i+3].arg == localSP: // a return
			done = append(done, instruction{op: opLocalGet, arg: localFrame}, instruction{op: opI32Const, arg: out[i+1].arg - f.size + frameReach})
			i++
		case i < from && f.size > stackSmall && follows(out[i:], opI32Const, opI32Add) && in.arg == f.size-stackSmall: // whether there is room for a large frame
			done = append(done, instruction{op: opLocalGet, arg: localReach}, instruction{op: opI32Add}, instruction{op: opI32Const, arg: frameReach - stackSmall})
		default:
			done = append(done, in)
		}
	}
	return done, true
}

// operands calls f for each load and store with the instruction that gave its
// address, or -1 if that is not known.
func operands(list []instruction, f func(access, base int)) {
	var stack []int
	push := func(i int) { stack = append(stack, i) }
	pop := func() int {
		if len(stack) == 0 {
			return -1
		}
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		return v
	}
	for i, in := range list {
		switch op := in.op; {
		case op == opLocalGet || op == opGlobalGet || op == opMemorySize || op >= opI32Const && op <= opF64Const:
			push(i)
		case op == opLocalSet || op == opGlobalSet || op == opDrop:
			pop()
		case op == opLocalTee || op == opMemoryGrow:
			pop()
			push(i)
		case op >= opFirstLoad && op <= opLastLoad:
			f(i, pop())
			push(i)
		case op > opLastLoad && op <= opLastStore:
			pop()
			f(i, pop())
		case op == opSelect:
			pop()
			pop()
			pop()
			push(i)
		case op >= opI32Eqz && op <= opLastNumeric:
			pop()
			if !unary(op) {
				pop()
			}
			push(i)
		case op == opPrefix && in.arg < 8: // saturating conversions
			pop()
			push(i)
		default: // control: the compiler leaves no operand on the stack
			stack = stack[:0]
		}
	}
}
