// This file leaves out functions whose code is that of another one: instances of
// generic functions, methods that embedding brings, equality of like structs.
//
// They stay apart in the table of functions, so that their addresses differ and
// the runtime finds them by these; the table's entries and all calls lead to one
// body. If that calls on, it is found on the stack under its own address. So the
// runtime must know the same of both: the depth and maps of the stack, and what
// kind of function it is.

package main

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/kubonsai/kubonsai/scripts/internal/gowasm"
)

// A function is the code of one, and its own address in it.
type function struct {
	locals []byte
	list   []instruction
	base   int // where in list its address is, or -1
}

func newFunction(n int, locals []byte, list []instruction) function {
	address := (gowasm.FirstFunction + n) << 16
	f := function{slices.Clone(locals), list, -1}
	for i, in := range list {
		if in.op == opI64Const && in.arg == address && follows(list[i:], opI64Const, opLocalSet) && list[i+1].arg == localBase {
			f.base = i
			break
		}
	}
	return f
}

// fold returns the functions that are kept, and has all refer to these; same says
// which one stands for a function.
func (w *rewriter) fold(m *gowasm.Module, c *convention, functions []function, renumbered []*places) (kept []function, same []int, err error) {
	same = make([]int, len(functions))
	for i := range same {
		same[i] = i
	}
	for changed := true; changed; {
		changed = false
		first := map[string]int{}
		for i, f := range functions {
			if same[i] != i {
				continue
			}
			key := binary.AppendUvarint(nil, uint64(c.types[i]))
			if f.base >= 0 {
				key = w.appendRecord(key, m, i, renumbered[i])
			}
			key = append(key, f.locals...)
			for at, in := range f.list {
				switch {
				case at == f.base:
					key = append(key, opI64Const)
				case in.op == opCall && in.arg >= m.Imports && in.arg-m.Imports < len(same):
					key = binary.AppendUvarint(append(key, opCall), uint64(m.Imports+same[in.arg-m.Imports]))
				default:
					key = encode(key, f.list[at:at+1])
				}
			}
			if of, ok := first[string(key)]; ok {
				same[i] = of
				changed = true
			} else {
				first[string(key)] = i
			}
		}
		for i := range same {
			same[i] = same[same[i]]
		}
	}
	// The numbers that functions have now.
	numbers := make([]int, m.Imports+len(functions)+1)
	for i := range m.Imports {
		numbers[i] = i
	}
	var types []int
	for i, f := range functions {
		if same[i] == i {
			numbers[m.Imports+i] = m.Imports + len(kept)
			kept = append(kept, f)
			types = append(types, c.types[i])
		}
	}
	for i := range functions {
		numbers[m.Imports+i] = numbers[m.Imports+same[i]]
	}
	c.resume, numbers[c.resume] = m.Imports+len(kept), m.Imports+len(kept)
	w.done["functions folded"] = len(functions) - len(kept)

	for _, f := range kept {
		for i, in := range f.list {
			if in.op == opCall {
				f.list[i] = instruction{op: opCall, arg: numbers[in.arg]}
			}
		}
	}
	s := m.Section(gowasm.SectionFunction)
	s.Body = binary.AppendUvarint(nil, uint64(len(types)))
	for _, t := range types {
		s.Body = binary.AppendUvarint(s.Body, uint64(t))
	}
	return kept, same, errors.Join(renumberElements(m, numbers), renumberExports(m, numbers))
}

// appendRecord appends what the runtime knows of function i.
func (w *rewriter) appendRecord(key []byte, m *gowasm.Module, i int, p *places) []byte {
	f := m.Functions[i]
	if p == nil || w.wrappers[i] || hasKeptName(f.Name) { // is like no other
		return binary.AppendUvarint(append(key, 1), uint64(i))
	}
	key = append(key, 0)
	npcdata, nfuncdata := int(m.Memory.Half(f.Struct+gowasm.FuncNPCData)), int(m.Memory[f.Struct+gowasm.FuncNFuncData])
	for _, field := range []int{gowasm.FuncArgs, gowasm.FuncDeferReturn} {
		key = binary.LittleEndian.AppendUint32(key, m.Memory.Half(f.Struct+field))
	}
	key = append(key, m.Memory[f.Struct+gowasm.FuncID:f.Struct+gowasm.FuncNFuncData]...)
	key = binary.AppendUvarint(key, uint64(p.frame))
	for n := range min(nfuncdata, dataDefers+1) {
		if n != dataInlining {
			key = binary.LittleEndian.AppendUint32(key, m.Memory.Half(f.Struct+gowasm.FuncPCData+4*(npcdata+n)))
		}
	}
	return append(key, newPCTable(p.stackMaps)...)
}

// hasKeptName reports whether the runtime asks for a function's name.
func hasKeptName(name string) bool {
	return strings.HasPrefix(name, "runtime.") || strings.HasPrefix(name, "reflect.") || strings.HasPrefix(name, "internal/runtime/")
}

// elements takes the segment that fills the table apart: its first place, how many
// functions it has, and their numbers, encoded.
func elements(m *gowasm.Module) (first, count int, functions []byte, err error) {
	r := gowasm.Reader{B: m.Section(gowasm.SectionElement).Body}
	if r.Uint() != 1 || r.Uint() != 0 || r.Byte() != opI32Const {
		return 0, 0, nil, errors.New("the table is not filled from one segment")
	}
	first = r.Int()
	r.Byte() // end
	return first, r.Uint(), r.B, nil
}

// renumberElements has the table's entries lead to the functions' new numbers.
func renumberElements(m *gowasm.Module, numbers []int) error {
	first, n, functions, err := elements(m)
	if err != nil {
		return err
	}
	r := gowasm.Reader{B: functions}
	body := append(gowasm.AppendInt([]byte{1, 0, opI32Const}, first), opEnd)
	body = binary.AppendUvarint(body, uint64(n))
	for range n {
		body = binary.AppendUvarint(body, uint64(numbers[r.Uint()]))
	}
	m.Section(gowasm.SectionElement).Body = body
	return nil
}

// renumberExports does that for what the module exports.
func renumberExports(m *gowasm.Module, numbers []int) error {
	s := m.Section(gowasm.SectionExport)
	r := gowasm.Reader{B: s.Body}
	n := r.Uint()
	body := binary.AppendUvarint(nil, uint64(n))
	for range n {
		name := r.Bytes(r.Uint())
		kind := r.Byte()
		index := r.Uint()
		if kind == 0 { // a function
			index = numbers[index]
		}
		body = append(binary.AppendUvarint(body, uint64(len(name))), name...)
		body = binary.AppendUvarint(append(body, kind), uint64(index))
	}
	s.Body = body
	return nil
}
