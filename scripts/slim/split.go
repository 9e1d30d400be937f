// This file divides a module in two: a first part that a page starts with, and
// the rest, which may come while the program runs.
//
// Which functions are in the first part is learnt from running the program:
// observe makes a module that notes which functions it calls, in globals; split
// keeps those. Both parts have one memory, one table of functions and one set of
// globals, which the first part exports and the rest imports. Calls from part to
// part go through the table, in which every function of the compiler has its
// place. While the rest is not there, its places lead to functions that the
// host puts there, which fetch the rest and call again (site/src/parts.ts).
//
// What the host must know is in the first part's custom section "rest": the name
// under which the rest imports, a hash of the whole module, so that parts of two
// builds do not fit; and where in the table the rest's functions are.

package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubonsai/kubonsai/scripts/internal/gowasm"
)

const (
	exportFunction = 0
	exportTable    = 1
	exportMemory   = 2
	exportGlobal   = 3

	funcref = 0x70
)

// A program is what a slim module does, as far as dividing it needs to know.
type program struct {
	*gowasm.Module
	types    []int        // of the functions, without the imports
	bodies   [][]byte     // theirs
	slots    []int        // of the table, from first on: the functions, counted with the imports
	first    int          // the table's first used place
	places   map[int]int  // of functions, counted with the imports: one in the table
	exported map[int]bool // functions that are
	globals  []globalType
}

type globalType struct{ kind, mutable byte }

func readProgram(raw []byte) (*program, error) {
	m, err := gowasm.Parse(raw)
	if err != nil {
		return nil, err
	}
	p := &program{Module: m, places: map[int]int{}, exported: map[int]bool{}}
	for _, id := range []byte{gowasm.SectionType, gowasm.SectionFunction, gowasm.SectionGlobal, gowasm.SectionExport, gowasm.SectionElement, gowasm.SectionCode} {
		if m.Section(id) == nil {
			return nil, fmt.Errorf("no section %s", gowasm.SectionNames[id])
		}
	}
	r := gowasm.Reader{B: m.Section(gowasm.SectionFunction).Body}
	for range r.Uint() {
		p.types = append(p.types, r.Uint())
	}
	r = gowasm.Reader{B: m.Section(gowasm.SectionCode).Body}
	for range r.Uint() {
		p.bodies = append(p.bodies, r.Bytes(r.Uint()))
	}
	r = gowasm.Reader{B: m.Section(gowasm.SectionGlobal).Body}
	for range r.Uint() {
		p.globals = append(p.globals, globalType{r.Byte(), r.Byte()})
		if op := r.Byte(); op != opI32Const && op != opI64Const {
			return nil, errors.New("a global begins with something else than a number")
		}
		r.Int()
		r.Byte() // end
	}
	r = gowasm.Reader{B: m.Section(gowasm.SectionExport).Body}
	for range r.Uint() {
		r.Bytes(r.Uint())
		if kind, n := r.Byte(), r.Uint(); kind == exportFunction {
			p.exported[n] = true
		}
	}
	var n int
	p.first, n, r.B, err = elements(m)
	for i := range n {
		f := r.Uint()
		p.slots = append(p.slots, f)
		if _, ok := p.places[f]; !ok {
			p.places[f] = p.first + i
		}
	}
	return p, err
}

// byChance reports whether it is different in every run when a function is called:
// the runtime's when it collects garbage or a stack grows, equality when two keys
// of a map collide, the further steps of sorting when what a map had comes in an
// order that they are for, decoding where a text is not ASCII.
func byChance(name string) bool {
	for _, prefix := range []string{"runtime.", "internal/runtime/", "type:.", "slices.", "sort.", "sync.", "sync/atomic.", "unicode/utf8."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// observe makes a module that sets the exported global "cN" to 1 when it calls
// function N, counted without the imports; those given count as called.
func observe(raw []byte, given []int) ([]byte, error) {
	p, err := readProgram(raw)
	if err != nil {
		return nil, err
	}
	globals, exports := p.Section(gowasm.SectionGlobal), p.Section(gowasm.SectionExport)
	grow(globals, len(p.bodies))
	grow(exports, len(p.bodies))
	code := binary.AppendUvarint(nil, uint64(len(p.bodies)))
	for n, body := range p.bodies {
		mark := len(p.globals) + n
		called := byte(0)
		if slices.Contains(given, n) {
			called = 1
		}
		globals.Body = append(globals.Body, i32, 1, opI32Const, called, opEnd)
		exports.Body = appendExport(exports.Body, fmt.Sprintf("c%d", n), exportGlobal, mark)
		locals := localsSize(body)
		b := encode(append([]byte(nil), body[:locals]...), []instruction{{op: opI32Const, arg: 1}, {op: opGlobalSet, arg: mark}})
		b = append(b, body[locals:]...)
		code = append(binary.AppendUvarint(code, uint64(len(b))), b...)
	}
	p.Section(gowasm.SectionCode).Body = code
	return p.Encode(gap)
}

// split divides a module; wanted are functions, counted without the imports, that
// are to be in the first part.
func split(raw []byte, wanted []int) (first, rest []byte, err error) {
	p, err := readProgram(raw)
	if err != nil {
		return nil, nil, err
	}
	lists := make([][]instruction, len(p.bodies))
	inFirst := make([]bool, len(p.bodies))
	for _, n := range wanted {
		if n < 0 || n >= len(p.bodies) {
			return nil, nil, fmt.Errorf("there is no function %d: was another build observed?", n)
		}
		inFirst[n] = true
	}
	for n, body := range p.bodies {
		if lists[n], err = decode(body[localsSize(body):]); err != nil {
			return nil, nil, err
		}
		_, placed := p.places[p.Imports+n]
		inFirst[n] = inFirst[n] || p.types[n] != 0 || !placed || p.exported[p.Imports+n]
		for _, in := range lists[n] { // what has no place in the table is called from the first part only
			if in.op == opCall {
				if _, placed := p.places[in.arg]; !placed {
					inFirst[n] = true
				}
			}
		}
	}
	of := func(f int) int { // the part of a function, counted with the imports
		if f < p.Imports || inFirst[f-p.Imports] {
			return 0
		}
		return 1
	}
	// The functions' numbers in their parts. The rest imports none.
	numbers := make([]int, p.Imports+len(p.bodies))
	counts := [2]int{p.Imports, 0}
	for f := range numbers {
		if f < p.Imports {
			numbers[f] = f
			continue
		}
		numbers[f] = counts[of(f)]
		counts[of(f)]++
	}
	var functions, code [2][]byte
	for n, body := range p.bodies {
		part := of(p.Imports + n)
		b := encode(append([]byte(nil), body[:localsSize(body)]...), p.crossing(lists[n], part, of, numbers))
		functions[part] = binary.AppendUvarint(functions[part], uint64(p.types[n]))
		code[part] = append(binary.AppendUvarint(code[part], uint64(len(b))), b...)
	}
	counts[0] -= p.Imports
	for part := range 2 {
		functions[part] = append(binary.AppendUvarint(nil, uint64(counts[part])), functions[part]...)
		code[part] = append(binary.AppendUvarint(nil, uint64(counts[part])), code[part]...)
	}
	hash := sha256.Sum256(raw)
	name := fmt.Sprintf("%x", hash[:6])
	if rest, err = p.rest(name, functions[1], code[1], of, numbers); err != nil {
		return nil, nil, err
	}
	p.Section(gowasm.SectionFunction).Body = functions[0]
	p.Section(gowasm.SectionCode).Body = code[0]
	if first, err = p.firstPart(name, of, numbers); err != nil {
		return nil, nil, err
	}
	say("parts: %d functions with %d bytes of code, %d with %d", counts[0], len(code[0]), counts[1], len(code[1]))
	return first, rest, nil
}

// crossing has the calls of a function of a part lead to the callees' numbers
// there, or through the table to the other part.
func (p *program) crossing(list []instruction, part int, of func(int) int, numbers []int) []instruction {
	out := make([]instruction, 0, len(list))
	for _, in := range list {
		switch {
		case in.op != opCall:
			out = append(out, in)
		case of(in.arg) == part:
			out = append(out, instruction{op: opCall, arg: numbers[in.arg]})
		default:
			out = append(out, instruction{op: opI32Const, arg: p.places[in.arg]}, instruction{op: opCallInd, arg: p.types[in.arg-p.Imports]})
		}
	}
	return out
}

// firstPart turns the program into its first part.
func (p *program) firstPart(name string, of func(int) int, numbers []int) ([]byte, error) {
	exports := p.Section(gowasm.SectionExport)
	if err := renumberExports(p.Module, numbers); err != nil {
		return nil, err
	}
	grow(exports, 1+len(p.globals))
	exports.Body = appendExport(exports.Body, "table", exportTable, 0)
	for i := range p.globals {
		exports.Body = appendExport(exports.Body, fmt.Sprint(i), exportGlobal, i)
	}
	// The rest's places in the table: how far after the last run each run of
	// them begins and how long it is. Meanwhile any function will do.
	section := append([]byte{4}, "rest"...)
	section = append(append(section, byte(len(name))), name...)
	var runs []int
	last := 0
	here := append([]int(nil), numbers...)
	for f := range here {
		if of(f) == 1 {
			here[f] = p.Imports
		}
	}
	for i, f := range p.slots {
		if of(f) == 0 {
			continue
		}
		if n := len(runs); n > 0 && last == p.first+i {
			runs[n-1]++
		} else {
			runs = append(runs, p.first+i-last, 1)
		}
		last = p.first + i + 1
	}
	for _, n := range append([]int{len(runs) / 2}, runs...) {
		section = binary.AppendUvarint(section, uint64(n))
	}
	if err := renumberElements(p.Module, here); err != nil {
		return nil, err
	}
	if start := p.Section(gowasm.SectionStart); start != nil {
		r := gowasm.Reader{B: start.Body}
		start.Body = binary.AppendUvarint(nil, uint64(numbers[r.Uint()]))
	}
	p.Sections = append(p.Sections, gowasm.Section{ID: gowasm.SectionCustom, Body: section})
	return p.Encode(gap)
}

// rest is the other part.
func (p *program) rest(name string, functions, code []byte, of func(int) int, numbers []int) ([]byte, error) {
	imports := binary.AppendUvarint(nil, uint64(2+len(p.globals)))
	item := func(field string, kind byte, rest ...byte) {
		imports = append(append(imports, byte(len(name))), name...)
		imports = append(append(imports, byte(len(field))), field...)
		imports = append(append(imports, kind), rest...)
	}
	memory := gowasm.Reader{B: p.Section(gowasm.SectionMemory).Body}
	memory.Uint() // one
	item("table", exportTable, funcref, 0, 0)
	item("mem", exportMemory, memory.B...)
	for i, g := range p.globals {
		item(fmt.Sprint(i), exportGlobal, g.kind, g.mutable)
	}
	var segments []byte
	count := 0
	for i := 0; i < len(p.slots); i++ {
		from := i
		for i < len(p.slots) && of(p.slots[i]) == 1 {
			i++
		}
		if i == from {
			continue
		}
		count++
		segments = append(gowasm.AppendInt(append(segments, 0, opI32Const), p.first+from), opEnd)
		segments = binary.AppendUvarint(segments, uint64(i-from))
		for _, f := range p.slots[from:i] {
			segments = binary.AppendUvarint(segments, uint64(numbers[f]))
		}
	}
	m := &gowasm.Module{Sections: []gowasm.Section{
		{ID: gowasm.SectionType, Body: p.Section(gowasm.SectionType).Body},
		{ID: gowasm.SectionImport, Body: imports},
		{ID: gowasm.SectionFunction, Body: functions},
		{ID: gowasm.SectionElement, Body: append(binary.AppendUvarint(nil, uint64(count)), segments...)},
		{ID: gowasm.SectionCode, Body: code},
	}}
	return m.Encode(gap)
}

func appendExport(b []byte, name string, kind byte, n int) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
	return binary.AppendUvarint(append(b, kind), uint64(n))
}

// localsSize is the size of the declaration of the locals that a body begins with.
func localsSize(body []byte) int {
	r := gowasm.Reader{B: body}
	for range r.Uint() {
		r.Uint()
		r.Byte()
	}
	return len(body) - len(r.B)
}
