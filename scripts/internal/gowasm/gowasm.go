// Package gowasm reads and writes the js/wasm modules of the Go linker: their
// sections, the initial memory and the runtime's tables in it. It knows the
// layout of runtime.moduledata and runtime._func of Go 1.26; Read refuses a
// module that does not look like it.
package gowasm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The sections of a module, by number.
const (
	SectionCustom   = 0
	SectionType     = 1
	SectionImport   = 2
	SectionFunction = 3
	SectionTable    = 4
	SectionMemory   = 5
	SectionGlobal   = 6
	SectionExport   = 7
	SectionStart    = 8
	SectionElement  = 9
	SectionCode     = 10
	SectionData     = 11
)

// SectionNames are their names.
var SectionNames = [...]string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count"}

// A Section is one section of a module.
type Section struct {
	ID   byte
	Body []byte
}

// A Module is a wasm module made by the Go linker.
type Module struct {
	Sections    []Section
	Imports     int   // imported functions, which come first in the numbering of functions
	ImportTypes []int // theirs
	Memory      Memory
	Tables      Tables
	Functions   []Function // by number, without the imports
}

// A Function is an entry of the runtime's function table.
type Function struct {
	Name   string
	Struct int // the address of its runtime._func, 0 if it has none
	Size   int // of its body
}

// Tables are the extents of the runtime's tables.
type Tables struct {
	FuncNames, CompilationUnits, Files, PCTables, Funcs, FuncTable, FuncData, FindFunc Extent
	Types, NoPtrData, Data, BSS, NoPtrBSS                                              Extent
	End                                                                                int // of all variables
}

// An Extent is a range of addresses.
type Extent struct{ From, To int }

// Len is its length.
func (e Extent) Len() int { return e.To - e.From }

const header = "\x00asm\x01\x00\x00\x00"

// Read takes a module apart, and finds the runtime's tables.
func Read(raw []byte) (*Module, error) {
	m, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	return m, m.readTables()
}

// Parse takes a module apart; its Tables and the functions' names stay unknown.
func Parse(raw []byte) (*Module, error) {
	if !bytes.HasPrefix(raw, []byte(header)) {
		return nil, errors.New("not a wasm module")
	}
	m := &Module{}
	r := Reader{raw[len(header):]}
	for len(r.B) > 0 {
		s := Section{ID: r.Byte()}
		s.Body = r.Bytes(r.Uint())
		m.Sections = append(m.Sections, s)
	}
	for s := range m.each(SectionImport) {
		for range s.Uint() {
			s.Bytes(s.Uint())
			s.Bytes(s.Uint())
			if s.Byte() != 0 {
				return nil, errors.New("imports something else than functions")
			}
			m.ImportTypes = append(m.ImportTypes, s.Uint())
			m.Imports++
		}
	}
	for s := range m.each(SectionCode) {
		for range s.Uint() {
			n := s.Uint()
			s.Bytes(n)
			m.Functions = append(m.Functions, Function{Size: n})
		}
	}
	for s := range m.each(SectionData) {
		for range s.Uint() {
			if kind := s.Uint(); kind != 0 {
				return nil, fmt.Errorf("data segment of kind %d", kind)
			}
			s.Byte() // i32.const
			at := s.Int()
			s.Byte() // end
			m.Memory.Put(at, s.Bytes(s.Uint()))
		}
	}
	return m, nil
}

func (m *Module) each(id byte) func(func(*Reader) bool) {
	return func(yield func(*Reader) bool) {
		for _, s := range m.Sections {
			if s.ID == id && !yield(&Reader{s.Body}) {
				return
			}
		}
	}
}

// Section is the first section of a kind, or nil.
func (m *Module) Section(id byte) *Section {
	for i := range m.Sections {
		if m.Sections[i].ID == id {
			return &m.Sections[i]
		}
	}
	return nil
}

// InitialMemory is the size of the memory that the module asks for.
func (m *Module) InitialMemory() int {
	for r := range m.each(SectionMemory) {
		r.Uint() // how many memories
		r.Byte() // whether there is a limit
		return r.Uint() << 16
	}
	return 0
}

// Encode puts the module together; the data section is made of Memory, with a
// new segment after every gap of more zeros than that.
func (m *Module) Encode(gap int) ([]byte, error) {
	out := []byte(header)
	for _, s := range m.Sections {
		if s.ID == SectionData {
			var err error
			if s.Body, err = m.Memory.segments(gap); err != nil {
				return nil, err
			}
		}
		out = append(out, s.ID)
		out = binary.AppendUvarint(out, uint64(len(s.Body)))
		out = append(out, s.Body...)
	}
	return out, nil
}

// The order of runtime.moduledata's fields, in words.
const (
	funcnametab = 1
	cutab       = 4
	filetab     = 7
	pctab       = 10
	pclntable   = 13
	ftab        = 16
	findfunctab = 19
	minpc       = 20
	text        = 22
	noptrdata   = 24
	data        = 26
	bss         = 28
	noptrbss    = 30
	end         = 34
	types       = 37
	gofunc      = 40
	epclntab    = 41
)

// FirstFunction is the address of function 0, in functions: the address of block
// b of function n is (FirstFunction+n)<<16 + b.
const FirstFunction = 0x1000

func (m *Module) readTables() error {
	// runtime.pcHeader: magic, two zeros, the least instruction size, the size
	// of a pointer, the number of functions. Moduledata begins with its address.
	magic := []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}
	mem := m.Memory
	for h := mem.Find(0, magic); h >= 0; h = mem.Find(h+1, magic) {
		address := binary.LittleEndian.AppendUint64(nil, uint64(h))
		for md := mem.Find(0, address); md >= 0; md = mem.Find(md+1, address) {
			word := func(i int) int { return mem.Word(md + 8*i) }
			if md%8 == 0 && word(ftab+1) == mem.Word(h+8)+1 && word(text) == 0 && word(minpc) == FirstFunction<<16 {
				return m.tablesAt(word)
			}
		}
	}
	return errors.New("no function table: not a js/wasm module of Go 1.26, or its layout has changed")
}

func (m *Module) tablesAt(word func(int) int) error {
	slice := func(i, size int) Extent { return Extent{word(i), word(i) + size*word(i+1)} }
	pair := func(i int) Extent { return Extent{word(i), word(i + 1)} }
	m.Tables = Tables{
		FuncNames: slice(funcnametab, 1), CompilationUnits: slice(cutab, 4), Files: slice(filetab, 1), PCTables: slice(pctab, 1),
		Funcs: slice(pclntable, 1), FuncTable: slice(ftab, 8), FuncData: Extent{word(gofunc), word(findfunctab)}, FindFunc: Extent{word(findfunctab), word(epclntab)},
		Types: pair(types), NoPtrData: pair(noptrdata), Data: pair(data), BSS: pair(bss), NoPtrBSS: pair(noptrbss),
		End: word(end),
	}
	if m.Tables.FuncData.Len() < 0 || m.Tables.FindFunc.Len() < 0 {
		return errors.New("the function data do not stand before the table that finds functions")
	}
	for i := range word(ftab+1) - 1 {
		n := int(m.Memory.Half(word(ftab)+8*i)) - FirstFunction
		if n < 0 || n >= len(m.Functions) {
			return fmt.Errorf("the function table has function %d of %d", n, len(m.Functions))
		}
		f := &m.Functions[n]
		f.Struct = word(pclntable) + int(m.Memory.Half(word(ftab)+8*i+4))
		f.Name = m.Memory.String(word(funcnametab) + int(m.Memory.Half(f.Struct+FuncNameOff)))
	}
	return nil
}

// The offsets of runtime._func's fields.
const (
	FuncNameOff     = 4
	FuncArgs        = 8
	FuncDeferReturn = 12
	FuncPCSP        = 16
	FuncPCFile      = 20
	FuncPCLine      = 24
	FuncNPCData     = 28
	FuncCUOffset    = 32
	FuncStartLine   = 36
	FuncID          = 40 // a byte
	FuncNFuncData   = 43 // a byte
	FuncPCData      = 44 // the words of pcdata, then those of funcdata
)

// Memory is the initial linear memory.
type Memory []byte

// Put sets the bytes from an address on.
func (m *Memory) Put(at int, b []byte) {
	if grow := at + len(b) - len(*m); grow > 0 {
		*m = append(*m, make([]byte, grow)...)
	}
	copy((*m)[at:], b)
}

// Find is the first address from an address on of some bytes, or -1.
func (m Memory) Find(from int, what []byte) int {
	if i := bytes.Index(m[from:], what); i >= 0 {
		return from + i
	}
	return -1
}

// Word is the 64-bit word at an address.
func (m Memory) Word(at int) int { return int(binary.LittleEndian.Uint64(m[at:])) }

// Half is the 32-bit word at an address.
func (m Memory) Half(at int) uint32 { return binary.LittleEndian.Uint32(m[at:]) }

// SetHalf sets it.
func (m Memory) SetHalf(at int, v uint32) { binary.LittleEndian.PutUint32(m[at:], v) }

// String is the zero-terminated string at an address.
func (m Memory) String(at int) string {
	s, _, _ := bytes.Cut(m[at:], []byte{0})
	return string(s)
}

func (m Memory) segments(gap int) ([]byte, error) {
	var list []Extent
	for i := 0; i < len(m); i++ {
		switch {
		case m[i] == 0:
		case len(list) > 0 && i-list[len(list)-1].To <= gap:
			list[len(list)-1].To = i + 1
		default:
			list = append(list, Extent{i, i + 1})
		}
	}
	if len(list) > 100_000 {
		return nil, fmt.Errorf("%d data segments are more than engines take", len(list))
	}
	out := binary.AppendUvarint(nil, uint64(len(list)))
	for _, e := range list {
		out = append(out, 0, 0x41)
		out = AppendInt(out, e.From)
		out = append(out, 0x0b)
		out = binary.AppendUvarint(out, uint64(e.Len()))
		out = append(out, m[e.From:e.To]...)
	}
	return out, nil
}

// Reader reads the encoding of wasm.
type Reader struct{ B []byte }

// Byte reads a byte.
func (r *Reader) Byte() byte { return r.Bytes(1)[0] }

// Bytes reads n bytes.
func (r *Reader) Bytes(n int) []byte {
	b := r.B[:n]
	r.B = r.B[n:]
	return b
}

// Uint reads an unsigned LEB128.
func (r *Reader) Uint() int {
	n, size := binary.Uvarint(r.B)
	r.B = r.B[size:]
	return int(n)
}

// Int reads a signed LEB128.
func (r *Reader) Int() int {
	n := 0
	for shift := 0; ; {
		c := r.Byte()
		n |= int(c&0x7f) << shift
		shift += 7
		if c < 0x80 {
			if c&0x40 != 0 && shift < 64 {
				n |= -1 << shift
			}
			return n
		}
	}
}

// AppendInt appends a signed LEB128.
func AppendInt(b []byte, v int) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}
