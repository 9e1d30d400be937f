package main

import (
	"maps"
	"slices"

	"github.com/kubonsai/kubonsai/scripts/internal/gowasm"
)

// What the runtime needs at run time of the tables of pc values and of function
// data (internal/abi, symtab.go): the depth of the stack, and what is a pointer
// in it; the rest is for stack traces, debuggers and preemption by signals.
const (
	pcStackMap   = 1
	dataInlining = 3
	dataDefers   = 4
)

// strip clears what is for stack traces only. Nothing moves: what is cleared is
// left out of the data segments, or compresses to nothing. The result says where
// the function data begin, as offsets, and ends with where they end.
func strip(m *gowasm.Module) []int {
	mem, t := m.Memory, m.Tables
	pcs := newMask(t.PCTables)
	nameMask := newMask(t.FuncNames)
	starts := map[int]bool{} // funcdata: where one begins, and whether it is needed
	for _, f := range m.Functions {
		at := f.Struct
		if at == 0 {
			continue
		}
		for _, field := range []int{gowasm.FuncPCFile, gowasm.FuncPCLine, gowasm.FuncCUOffset, gowasm.FuncStartLine} {
			mem.SetHalf(at+field, 0)
		}
		off := int(mem.Half(at + gowasm.FuncNameOff))
		nameMask.keep(off, off+len(f.Name)) // those of inlined functions go
		keepPCTable(mem, t.PCTables, pcs, int(mem.Half(at+gowasm.FuncPCSP)))
		at += gowasm.FuncPCData
		npcdata, nfuncdata := int(mem.Half(f.Struct+gowasm.FuncNPCData)), int(mem[f.Struct+gowasm.FuncNFuncData])
		for i := range npcdata {
			if i == pcStackMap {
				keepPCTable(mem, t.PCTables, pcs, int(mem.Half(at)))
			} else {
				mem.SetHalf(at, 0)
			}
			at += 4
		}
		for i := range nfuncdata {
			if off := mem.Half(at); off != 1<<32-1 {
				needed := i != dataInlining && i <= dataDefers
				starts[int(off)] = starts[int(off)] || needed
				if !needed {
					mem.SetHalf(at, 1<<32-1)
				}
			}
			at += 4
		}
	}
	n := pcs.clear(mem) + nameMask.clear(mem)
	// Each datum of go:func.* reaches to the next.
	order := append(slices.Sorted(maps.Keys(starts)), t.FuncData.Len())
	for i, off := range order[:len(order)-1] {
		if !starts[off] {
			clear(mem[t.FuncData.From+off : t.FuncData.From+order[i+1]])
			n += order[i+1] - off
		}
	}
	for _, e := range []gowasm.Extent{t.Files, t.CompilationUnits} {
		clear(mem[e.From:e.To])
		n += e.Len()
	}
	say("tables: %d bytes cleared", n)
	return order
}

// keepPCTable marks a table of pc values: pairs of varints, ended by a zero that
// is not the first.
func keepPCTable(mem gowasm.Memory, tables gowasm.Extent, keep mask, off int) {
	if off == 0 || keep.kept[off] {
		return
	}
	keep.keep(off, off+pcTableSize(mem[tables.From+off:tables.To]))
}

// pcTableSize is the size of the table at the beginning of b.
func pcTableSize(b []byte) int {
	r := gowasm.Reader{B: b}
	for first := true; r.Uint() != 0 || first; first = false {
		r.Uint()
	}
	return len(b) - len(r.B)
}

// A mask says which bytes of a table are needed.
type mask struct {
	gowasm.Extent
	kept []bool
}

func newMask(e gowasm.Extent) mask { return mask{e, make([]bool, e.Len())} }

func (m mask) keep(from, to int) {
	for i := from; i < to; i++ {
		m.kept[i] = true
	}
}

func (m mask) clear(mem gowasm.Memory) (n int) {
	for i, kept := range m.kept {
		if !kept {
			mem[m.From+i] = 0
			n++
		}
	}
	return n
}
