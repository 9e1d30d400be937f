// This file numbers the places anew at which functions are resumed.
//
// The compiler counts one or more places per block, so that its tables of pc
// values have a place for each change; the br_table at the beginning of a
// function leads from places to blocks. Here block b has place b+1, and block 0
// also place 0: all functions' br_tables begin alike, and a function's tables of
// pc values become short. A call resumes at the block that comes next; its stack
// map is looked up at the place before the one to which it returns, so that each
// call has its own.
//
// Calls that never return and whose stack map nobody looks at all get the same
// place, 1. These are sigpanic's (the runtime looks at the place of the deferred
// calls instead, or knows that the frame is dead) and, in functions that defer
// nothing, those of other panics: nothing in such a frame is looked at again,
// and the stack map of the function's beginning, which place 1 has, says so.

package main

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/kubonsai/kubonsai/scripts/internal/gowasm"
)

// placePanic is where calls return to that never do.
const placePanic = 1

// places are the new numbers of one function.
type places struct {
	frame     int   // how deep the stack is after the function's beginning
	stackMaps []int // by place, which of the function's stack maps; nil if it has none
	// The calls that are resumed, by where in the code they write the return
	// address, and whether it is the one after the running address.
	resumed map[int]bool
}

// A pcTable gives a value to each place of a function; pcUnknown where it ends.
type pcTable []byte

const pcUnknown = math.MinInt

// at is the value of a place.
func (t pcTable) at(place int) int {
	r := gowasm.Reader{B: t}
	value, pc := -1, 0
	for first := true; len(r.B) > 0; first = false {
		d := r.Uint()
		if d == 0 && !first {
			break
		}
		value += int(int32(uint32(d)>>1 ^ -uint32(d&1)))
		if pc += r.Uint(); place < pc {
			return value
		}
	}
	return pcUnknown
}

// newPCTable is the table of a function with these values, the last of which
// goes on to behind the function's end.
func newPCTable(values []int) pcTable {
	var t pcTable
	last, from := -1, 0
	for i := 0; i < len(values); {
		to := i + 1
		for to < len(values) && values[to] == values[i] {
			to++
		}
		d := int32(values[i] - last)
		t = binary.AppendUvarint(t, uint64(uint32(d<<1)^uint32(d>>31)))
		length := to - from
		if to == len(values) {
			length = 1<<16 - 1 // as good as any
		}
		t = binary.AppendUvarint(t, uint64(length))
		last, from, i = values[i], to, to
	}
	return append(t, 0)
}

// renumber changes the numbers in the code of function n, counted without the
// imports, after rewriter.rewrite. The result is nil if the function has none, or
// is built in a way that is not known.
func (w *rewriter) renumber(m *gowasm.Module, n int, list []instruction) (*places, []instruction) {
	f := m.Functions[n]
	if f.Struct == 0 || len(list) < 3 {
		return nil, list
	}
	table := func(field int) pcTable {
		if off := int(m.Memory.Half(f.Struct + field)); off != 0 {
			return pcTable(m.Memory[m.Tables.PCTables.From+off : m.Tables.PCTables.To])
		}
		return nil
	}
	depths := table(gowasm.FuncPCSP)
	var stackMaps pcTable
	if m.Memory.Half(f.Struct+gowasm.FuncNPCData) > pcStackMap {
		stackMaps = table(gowasm.FuncPCData + 4*pcStackMap)
	}
	defers := m.Memory.Half(f.Struct+gowasm.FuncDeferReturn) != 0

	dispatch := slices.IndexFunc(list, func(in instruction) bool { return in.op == opBrTable })
	var old []int // the block of a place
	blocks := 0
	if dispatch > 0 {
		if before := list[dispatch-1]; before.op != opLocalGet || before.arg != localPCB {
			return nil, list
		}
		old = list[dispatch].table
		blocks = slices.Max(old)
	}
	blockOf := func(place int) int {
		if old == nil {
			return 0
		}
		return old[min(place, len(old)-1)]
	}
	p := &places{frame: max(depths.at(0), depths.at(1)), stackMaps: make([]int, blocks+2), resumed: map[int]bool{}}
	for i := range p.stackMaps {
		p.stackMaps[i] = pcUnknown
	}
	ok := depths.at(0) == 0
	require := func(place, stackMap int) {
		if was := p.stackMaps[place]; was != pcUnknown && was != stackMap || stackMap == pcUnknown {
			ok = false
		}
		p.stackMaps[place] = stackMap
	}
	base := (gowasm.FirstFunction + n) << 16
	block := 0
	// to says where the call at place "from" returns to now.
	to := func(from int) int {
		stackMap := func() int {
			if stackMaps == nil {
				return -1
			}
			return stackMaps.at(from - 1)
		}
		switch {
		case from == 0: // back to the beginning
			return 0
		case depths.at(from) != p.frame:
			ok = false
		case blockOf(from) == block+1 && blockOf(from-1) == block:
			require(block+1, stackMap())
			return block + 2
		case blockOf(from) == block: // nobody resumes there
			require(block, stackMap())
			return block + 1
		default:
			ok = false
		}
		return 0
	}

	const dead = -1
	type label struct {
		at, block int // the block that begins at its end, or -1
	}
	var open []label
	targets := make([]bool, blocks+1) // of branches
	running := 0                      // the place whose address the local has, unknown or dead
	const unknown = -2
	out := slices.Clone(list)
	for i := 0; i < len(list); i++ {
		in, l := list[i], list[i:]
		switch in.op {
		case opBlock, opLoop, opIf:
			open = append(open, label{i, -1})
		case opElse:
			ok = ok && len(open) > 0 && open[len(open)-1].block < 0
		case opEnd:
			if len(open) == 0 { // the function's
				break
			}
			last := open[len(open)-1]
			open = open[:len(open)-1]
			if last.block < 0 {
				break
			}
			block = last.block
			if prev := list[i-1].op; prev == opBr || prev == opReturn || prev == opUnreachable || prev == opBrTable {
				running = dead
			}
			switch {
			case block == 0:
				running = 0
			case targets[block]:
				running = unknown
			case running == dead || running == block+1:
				running = block + 1
			default:
				running = unknown
			}
		case opBr, opBrIf:
			if d := len(open) - 1 - in.arg; d >= 0 && open[d].block >= 0 {
				targets[open[d].block] = true
			}
		case opBrTable:
			if i != dispatch {
				ok = false
				break
			}
			for d := range blocks + 1 {
				if d >= len(open) || list[open[len(open)-1-d].at].op != opBlock {
					return nil, list
				}
				open[len(open)-1-d].block = d
			}
			in.raw = nil
			in.table = []int{0}
			for b := range blocks + 1 {
				in.table = append(in.table, b)
			}
			out[i] = in
		case opI32Const:
			if follows(l, opI32Const, opLocalSet, opBr) && l[1].arg == localPCB {
				if in.arg < 0 || blockOf(in.arg) == 0 {
					ok = false
				}
				out[i] = instruction{op: opI32Const, arg: blockOf(in.arg) + 1}
			}
		case opLocalGet:
			if isPush(l) && l[6].arg>>16 == base>>16 {
				place := to(l[6].arg - base)
				if place > block+1 {
					p.resumed[i] = running == place-1
					running = place
				}
				out[i+6] = instruction{op: opI64Const, arg: base + place}
				i += 7
			}
		case opI64Const:
			if in.arg>>16 != base>>16 || in.arg == base {
				break
			}
			switch {
			case !follows(l, opI64Const, opCall, opReturn) || !w.neverReturn[l[1].arg]:
				ok = false
			case l[1].arg == w.sigpanic:
				out[i] = instruction{op: opI64Const, arg: base + placePanic}
			case !defers && in.arg > base && depths.at(in.arg-base) == p.frame:
				require(placePanic-1, -1)
				out[i] = instruction{op: opI64Const, arg: base + placePanic}
			default:
				out[i] = instruction{op: opI64Const, arg: base + to(in.arg-base)}
			}
		}
	}
	if defers {
		at := f.Struct + gowasm.FuncDeferReturn
		place := int(m.Memory.Half(at))
		b := blockOf(place)
		if b == 0 || b >= blocks || p.stackMaps[b+1] == pcUnknown || stackMaps != nil && p.stackMaps[b+1] != stackMaps.at(place) {
			ok = false
		}
		if ok {
			m.Memory.SetHalf(at, uint32(b+1))
		}
	}
	if !ok {
		w.done["functions not renumbered"]++
		return nil, list
	}
	last := -1
	for i, v := range p.stackMaps {
		if v == pcUnknown {
			p.stackMaps[i] = last
		}
		last = p.stackMaps[i]
	}
	if stackMaps == nil {
		p.stackMaps = nil
	}
	return p, out
}
