// This file packs the runtime's table of functions.
//
// The table is an index (ftab: per function its entry and where its record is)
// and records (runtime._func), most of whose words are offsets that many
// functions share. The module gets the records by columns: per function a
// number, 0 for a value that the column has not had before, else which; and the
// new values, as differences. A start function of the module puts the table
// together, byte for byte as it was, before the program runs.

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/kubonsai/kubonsai/scripts/internal/gowasm"
)

// A column is one word of the index or of the records.
type column struct {
	where  int32 // the table
	offset int   // of the word in the entry or record; for pcdata and funcdata its number
	sum    bool  // each value is written added to those before
}

const (
	inIndex = iota
	inRecord
	inPCData
	inFuncData
)

// columns are what is packed, in an order in which the start function knows
// where to write: first where the records are, then how many words they have.
func columns(pcdata, funcdata int) []column {
	list := []column{{inIndex, 0, true}, {inIndex, 4, true}, {inRecord, 0, true}, {inRecord, gowasm.FuncNameOff, true}}
	for offset := 8; offset < gowasm.FuncPCData; offset += 4 {
		list = append(list, column{inRecord, offset, false})
	}
	for n := range pcdata {
		list = append(list, column{inPCData, n, false})
	}
	for n := range funcdata {
		list = append(list, column{inFuncData, n, false})
	}
	return list
}

// A table is the function table as the packing sees it.
type table struct {
	mem            gowasm.Memory
	index, records int
	count          int
}

// address is where function i's word of a column is, if the function has it.
func (t table) address(c column, i int) (int, bool) {
	if c.where == inIndex {
		return t.index + 8*i + c.offset, true
	}
	record := t.records + int(t.mem.Half(t.index+8*i+4))
	npcdata, nfuncdata := int(t.mem.Half(record+gowasm.FuncNPCData)), int(t.mem[record+gowasm.FuncNFuncData])
	switch c.where {
	case inPCData:
		return record + gowasm.FuncPCData + 4*c.offset, c.offset < npcdata
	case inFuncData:
		return record + gowasm.FuncPCData + 4*(npcdata+c.offset), c.offset < nfuncdata
	}
	return record + c.offset, true
}

// pack takes a column apart; codes and values are nil if all its words are zero.
func (t table) pack(c column) (codes, values []byte) {
	known := map[uint32]int{}
	var last, newest uint32
	zero := true
	for i := range t.count {
		at, ok := t.address(c, i)
		if !ok {
			continue
		}
		v := t.mem.Half(at)
		zero = zero && v == 0
		if c.sum {
			v, last = v-last, v
		}
		n := known[v]
		codes = binary.AppendUvarint(codes, uint64(n))
		if n == 0 {
			known[v] = len(known) + 1
			d := int32(v - newest)
			newest = v
			values = binary.AppendUvarint(values, uint64(uint32(d<<1)^uint32(d>>31)))
		}
	}
	if zero {
		return nil, nil
	}
	return codes, values
}

// unpack does what the start function does.
func (t table) unpack(c column, codes, values []byte) {
	r, s := gowasm.Reader{B: codes}, gowasm.Reader{B: values}
	var known []uint32
	var sum, newest uint32
	for i := range t.count {
		at, ok := t.address(c, i)
		if !ok {
			continue
		}
		n := r.Uint()
		if n == 0 {
			d := uint32(s.Uint())
			newest += d>>1 ^ -(d & 1)
			known = append(known, newest)
			n = len(known)
		}
		v := known[n-1]
		if c.sum {
			sum += v
			v = sum
		}
		t.mem.SetHalf(at, v)
	}
}

// packTables packs the function table and adds the start function.
func packTables(m *gowasm.Module) error {
	t := table{mem: m.Memory, index: m.Tables.FuncTable.From, records: m.Tables.Funcs.From, count: m.Tables.FuncTable.Len()/8 - 1}
	pcdata, funcdata := 0, 0
	for _, f := range m.Functions {
		if f.Struct != 0 {
			pcdata = max(pcdata, int(m.Memory.Half(f.Struct+gowasm.FuncNPCData)))
			funcdata = max(funcdata, int(m.Memory[f.Struct+gowasm.FuncNFuncData]))
		}
	}
	// What is packed stands behind the program's memory, in what the linker
	// leaves for the runtime's first allocations; the start function clears it.
	from := (m.Tables.End + 15) &^ 15
	known := from // where the start function notes a column's values
	stream := make([]byte, 4*t.count)
	type packed struct {
		column
		codes, values int
	}
	var list []packed
	for _, c := range columns(pcdata, funcdata) {
		codes, values := t.pack(c)
		if codes == nil {
			continue
		}
		list = append(list, packed{c, from + len(stream), from + len(stream) + len(codes)})
		stream = append(append(stream, codes...), values...)
	}
	if limit := m.InitialMemory(); from+len(stream) > limit {
		return fmt.Errorf("the packed function table ends at %#x, the memory at %#x", from+len(stream), limit)
	}
	// The proof that nothing gets lost.
	before := append(gowasm.Memory(nil), m.Memory...)
	extent := gowasm.Extent{From: t.index, To: t.index + 8*t.count}
	clear(m.Memory[extent.From:extent.To])
	for i := range t.count { // the records' words; what stands between them was zero
		t.mem = before
		record, _ := t.address(column{inRecord, 0, false}, i)
		end, _ := t.address(column{inFuncData, int(before[record+gowasm.FuncNFuncData]), false}, i)
		clear(m.Memory[record:end])
	}
	cleared := append(gowasm.Memory(nil), m.Memory...)
	t.mem = cleared
	for _, c := range list {
		t.unpack(c.column, stream[c.codes-from:], stream[c.values-from:])
	}
	if string(cleared) != string(before) {
		return errors.New("the function table is not what it was after packing")
	}
	m.Memory.Put(from, stream)

	// The table that finds the function of an address: per 4096 addresses, of
	// which a function has 65536, the function's number and 16 bytes for what
	// comes in between. The last entry may be cut short.
	find := m.Tables.FindFunc
	regular := gowasm.Memory(make([]byte, find.Len()))
	for i := range (find.Len() + bucket - 1) / bucket {
		regular.SetHalf(bucket*i, uint32(i>>4))
	}
	if string(regular) != string(m.Memory[find.From:find.To]) {
		return errors.New("the table that finds functions is not regular")
	}
	clear(m.Memory[find.From:find.To])
	findFunc := addFunction(m, []byte{0x60, 0, 0}, findFuncBody(find))

	nameBody := namesBody(t, m.Tables.FuncNames.From)
	names := addFunction(m, []byte{0x60, 0, 0}, nameBody)
	unpack := addFunction(m, []byte{0x60, 5, i32, i32, i32, i32, i32, 0}, unpackBody(t, known))
	var body []byte
	body = append(body, 0)
	for _, c := range list {
		sum := 0
		if c.sum {
			sum = 1
		}
		for _, v := range []int{c.codes, c.values, int(c.where), c.offset, sum} {
			body = gowasm.AppendInt(append(body, opI32Const), v)
		}
		body = binary.AppendUvarint(append(body, opCall), uint64(unpack))
	}
	for _, f := range []int{names, findFunc} {
		body = binary.AppendUvarint(append(body, opCall), uint64(f))
	}
	body = encode(body, []instruction{
		{op: opI32Const, arg: from}, {op: opI32Const}, {op: opI32Const, arg: len(stream)},
	})
	body = append(body, opPrefix, 11, 0, opEnd) // memory.fill
	start := addFunction(m, []byte{0x60, 0, 0}, body)
	if m.Section(gowasm.SectionStart) != nil {
		return errors.New("the module has a start function already")
	}
	for i, s := range m.Sections {
		if s.ID == gowasm.SectionElement {
			m.Sections = append(m.Sections[:i:i], append([]gowasm.Section{{ID: gowasm.SectionStart, Body: binary.AppendUvarint(nil, uint64(start))}}, m.Sections[i:]...)...)
			break
		}
	}
	say("function table: packed into %d bytes", len(stream)-4*t.count)
	return nil
}

// movePCTables puts the tables of pc values close together, in the order in
// which the columns ask for them: those of the new places, or what there was.
func movePCTables(m *gowasm.Module, renumbered []*places) {
	extent := m.Tables.PCTables
	old := append(gowasm.Memory(nil), m.Memory[extent.From:extent.To]...)
	clear(m.Memory[extent.From:extent.To])
	moved := map[string]int{}
	next := 1
	move := func(at int, table pcTable) {
		from := m.Memory.Half(at)
		if from == 0 {
			return
		}
		if table == nil {
			table = pcTable(old[from:])
			table = table[:pcTableSize(table)]
		}
		to, ok := moved[string(table)]
		if !ok {
			to = next
			m.Memory.Put(extent.From+to, table)
			moved[string(table)] = to
			next += len(table)
		}
		m.Memory.SetHalf(at, uint32(to))
	}
	for i, f := range m.Functions {
		if f.Struct != 0 {
			var table pcTable
			if p := renumbered[i]; p != nil {
				table = newPCTable([]int{0, p.frame})
			}
			move(f.Struct+gowasm.FuncPCSP, table)
		}
	}
	for i, f := range m.Functions {
		if f.Struct != 0 && int(m.Memory.Half(f.Struct+gowasm.FuncNPCData)) > pcStackMap {
			var table pcTable
			if p := renumbered[i]; p != nil && p.stackMaps != nil {
				table = newPCTable(p.stackMaps)
			}
			move(f.Struct+gowasm.FuncPCData+4*pcStackMap, table)
		}
	}
	say("tables of pc values: %d → %d bytes", len(old), next)
}

// moveFuncData puts the function data close together, in the order in which the
// columns ask for them; starts is where they begin. Nothing else refers to them.
func moveFuncData(m *gowasm.Module, starts []int) {
	extent := m.Tables.FuncData
	old := append(gowasm.Memory(nil), m.Memory[extent.From:extent.To]...)
	clear(m.Memory[extent.From:extent.To])
	moved := map[int]int{}
	next := 0
	for n := range dataDefers + 1 {
		for _, f := range m.Functions {
			if f.Struct == 0 || n >= int(m.Memory[f.Struct+gowasm.FuncNFuncData]) {
				continue
			}
			at := f.Struct + gowasm.FuncPCData + 4*(int(m.Memory.Half(f.Struct+gowasm.FuncNPCData))+n)
			from := int(m.Memory.Half(at))
			if from == 1<<32-1 {
				continue
			}
			to, ok := moved[from]
			if !ok {
				if from%8 == 0 {
					next = (next + 7) &^ 7 // as may be needed
				}
				to = next
				i, _ := slices.BinarySearch(starts, from)
				m.Memory.Put(extent.From+to, old[from:starts[i+1]])
				moved[from] = to
				next = (next + starts[i+1] - from + 3) &^ 3
			}
			m.Memory.SetHalf(at, uint32(to))
		}
	}
	say("function data: %d → %d bytes", len(old), next)
}

// shortenNames gives most functions a name of five letters, "f" and their number
// in the table in hexadecimal, that the start function writes: nobody but a
// reader of a stack trace looks at names, and -names is for them. Those stay
// that the runtime asks for: its own and reflect's, and those of wrappers, which
// it takes apart for a message.
// The result pairs short names and names; functions that share a body are found
// under the short name of one of them, which stands for all.
func shortenNames(m *gowasm.Module, code rewritten) (short [][2]string, err error) {
	extent := m.Tables.FuncNames
	clear(m.Memory[extent.From:extent.To])
	off := 1 // at 0 is the name of what has none
	n, kept := 0, 0
	entry := map[int]int{} // of a function, in the result
	for i, f := range m.Functions {
		if f.Struct == 0 {
			continue
		}
		name := shortName(n)
		if code.wrappers[i] || hasKeptName(f.Name) {
			name = f.Name
			m.Memory.Put(extent.From+off, []byte(name))
			kept++
		} else {
			entry[i] = len(short)
			short = append(short, [2]string{name, f.Name})
		}
		m.Memory.SetHalf(f.Struct+gowasm.FuncNameOff, uint32(off))
		off += len(name) + 1
		n++
	}
	for i, body := range code.bodies {
		if at, ok := entry[body]; ok && body != i {
			short[at][1] += " = " + m.Functions[i].Name
		}
	}
	if off > extent.Len() || n > 1<<16 {
		return nil, fmt.Errorf("no room for the short names of %d functions", n)
	}
	say("names: %d of %d kept, %d → %d bytes", kept, n, extent.Len(), off)
	return short, nil
}

func shortName(n int) string { return fmt.Sprintf("f%04x", n) }

// namesBody writes the short names where the names' first bytes are zero.
func namesBody(t table, names int) []byte {
	const ( // the locals
		i = iota
		at
		digit
		shift
	)
	w := &writer{}
	w.block(opLoop, func() {
		w.get(i)
		w.num(8)
		w.op(opI32Mul)
		w.op(opI32Load, 2, t.index+4)
		w.op(opI32Load, 2, t.records+gowasm.FuncNameOff)
		w.op(opLocalTee, at)
		w.op(opI32Load8U, 0, names)
		w.op(opI32Eqz)
		w.block(opIf, func() {
			w.get(at)
			w.num('f')
			w.op(opI32Store8, 0, names)
			w.num(16)
			w.set(shift)
			w.block(opLoop, func() {
				w.get(at)
				w.num(1)
				w.op(opI32Add)
				w.op(opLocalTee, at)
				w.get(i)
				w.get(shift)
				w.num(4)
				w.op(opI32Sub)
				w.op(opLocalTee, shift)
				w.op(opI32ShrU)
				w.num(15)
				w.op(opI32And)
				w.op(opLocalTee, digit)
				w.num('0')
				w.op(opI32Add)
				w.get(digit) // + 39 for a to f
				w.num(6)
				w.op(opI32Add)
				w.num(4)
				w.op(opI32ShrU)
				w.num('a' - '9' - 1)
				w.op(opI32Mul)
				w.op(opI32Add)
				w.op(opI32Store8, 0, names)
				w.get(shift)
				w.op(opBrIf, 0)
			})
		})
		w.get(i)
		w.num(1)
		w.op(opI32Add)
		w.op(opLocalTee, i)
		w.num(t.count)
		w.op(opI32LtU)
		w.op(opBrIf, 0)
	})
	w.op(opEnd)
	return encode([]byte{1, shift + 1, i32}, w.list)
}

const bucket = 20 // the size of an entry of the table that finds functions

func findFuncBody(find gowasm.Extent) []byte {
	const i = 0
	w := &writer{}
	w.block(opLoop, func() {
		w.get(i)
		w.num(bucket)
		w.op(opI32Mul)
		w.get(i)
		w.num(4)
		w.op(opI32ShrU)
		w.op(opI32Store, 2, find.From)
		w.get(i)
		w.num(1)
		w.op(opI32Add)
		w.op(opLocalTee, i)
		w.num((find.Len() + bucket - 1) / bucket)
		w.op(opI32LtU)
		w.op(opBrIf, 0)
	})
	w.op(opEnd)
	return encode([]byte{1, 1, i32}, w.list)
}

// A writer writes instructions.
type writer struct{ list []instruction }

func (w *writer) op(op byte, args ...int) {
	in := instruction{op: op}
	if len(args) > 0 {
		in.arg = args[0]
	}
	if len(args) > 1 {
		in.offset = args[1]
	}
	w.list = append(w.list, in)
}

func (w *writer) block(kind byte, body func()) {
	w.op(kind, void)
	body()
	w.op(opEnd)
}

func (w *writer) get(local int) { w.op(opLocalGet, local) }
func (w *writer) set(local int) { w.op(opLocalSet, local) }
func (w *writer) num(v int)     { w.op(opI32Const, v) }

// addFunction adds a function of a new type and returns its number.
func addFunction(m *gowasm.Module, signature, body []byte) int {
	types, functions, code := m.Section(gowasm.SectionType), m.Section(gowasm.SectionFunction), m.Section(gowasm.SectionCode)
	n := grow(types, 1)
	types.Body = append(types.Body, signature...)
	i := grow(functions, 1)
	functions.Body = binary.AppendUvarint(functions.Body, uint64(n))
	grow(code, 1)
	code.Body = append(binary.AppendUvarint(code.Body, uint64(len(body))), body...)
	return m.Imports + i
}

// unpackBody is table.unpack as a function (codes, values, where, offset, sum).
func unpackBody(t table, known int) []byte {
	const ( // the locals
		codes = iota
		values
		where
		offset
		sum
		i
		record
		at
		n
		count
		newest
		total
		shift
		byt
	)
	w := &writer{}
	op, block, get, set, num := w.op, w.block, w.get, w.set, w.num
	load := func(offset int) { op(opI32Load, 2, offset) }
	varint := func(from, to int) { // to = the varint at from, which moves on
		num(0)
		set(to)
		num(0)
		set(shift)
		block(opLoop, func() {
			get(from)
			op(opI32Load8U, 0, 0)
			op(opLocalTee, byt)
			num(0x7f)
			op(opI32And)
			get(shift)
			op(opI32Shl)
			get(to)
			op(opI32Or)
			set(to)
			get(from)
			num(1)
			op(opI32Add)
			set(from)
			get(shift)
			num(7)
			op(opI32Add)
			set(shift)
			get(byt)
			num(0x80)
			op(opI32And)
			op(opBrIf, 0)
		})
	}
	address := func(base func(), scale int) { // at = record + base + scale × offset
		get(record)
		base()
		op(opI32Add)
		get(offset)
		if scale > 1 {
			num(scale)
			op(opI32Mul)
		}
		op(opI32Add)
		set(at)
	}
	is := func(w int) { get(where); num(w); op(opI32Eq) }
	block(opLoop, func() { // over the functions
		block(opBlock, func() { // left when this one has no such word
			num(t.records)
			get(i)
			num(8)
			op(opI32Mul)
			load(t.index + 4)
			op(opI32Add)
			set(record)
			address(func() { num(0) }, 1)
			is(inIndex)
			block(opIf, func() {
				get(i)
				num(8)
				op(opI32Mul)
				num(t.index)
				op(opI32Add)
				get(offset)
				op(opI32Add)
				set(at)
			})
			is(inPCData)
			block(opIf, func() {
				get(offset)
				get(record)
				load(gowasm.FuncNPCData)
				op(opI32GeU)
				op(opBrIf, 1)
				address(func() { num(gowasm.FuncPCData) }, 4)
			})
			is(inFuncData)
			block(opIf, func() {
				get(offset)
				get(record)
				op(opI32Load8U, 0, gowasm.FuncNFuncData)
				op(opI32GeU)
				op(opBrIf, 1)
				address(func() {
					get(record)
					load(gowasm.FuncNPCData)
					num(4)
					op(opI32Mul)
					num(gowasm.FuncPCData)
					op(opI32Add)
				}, 4)
			})
			varint(codes, n)
			get(n)
			op(opI32Eqz)
			block(opIf, func() {
				varint(values, n)
				get(n)
				num(1)
				op(opI32ShrU)
				num(0)
				get(n)
				num(1)
				op(opI32And)
				op(opI32Sub)
				op(opI32Xor)
				get(newest)
				op(opI32Add)
				set(newest)
				get(count)
				num(4)
				op(opI32Mul)
				get(newest)
				op(opI32Store, 2, known)
				get(count)
				num(1)
				op(opI32Add)
				op(opLocalTee, count)
				set(n)
			})
			get(n)
			num(4)
			op(opI32Mul)
			load(known - 4)
			set(n)
			get(sum)
			block(opIf, func() {
				get(n)
				get(total)
				op(opI32Add)
				op(opLocalTee, total)
				set(n)
			})
			get(at)
			get(n)
			op(opI32Store, 2, 0)
		})
		get(i)
		num(1)
		op(opI32Add)
		op(opLocalTee, i)
		num(t.count)
		op(opI32LtU)
		op(opBrIf, 0)
	})
	op(opEnd)
	return encode([]byte{1, byt - sum, i32}, w.list)
}
