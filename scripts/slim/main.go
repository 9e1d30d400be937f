// Slim makes a js/wasm module of the Go linker smaller and a little faster
// without changing what it does:
//
//	go run ./scripts/slim in.wasm out.wasm
//
// It leaves out what the runtime only needs to print file names, line numbers
// and inlined calls in stack traces (the functions' names stay), lays the data
// out in few segments, and rewrites patterns of the compiler's code: see
// code.go. The program cannot tell, except that runtime.Caller finds no file
// and line.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"

	"github.com/kubonsai/kubonsai/scripts/internal/gowasm"
)

var (
	verbose = flag.Bool("v", false, "tell what was done")
	memory  = flag.Int("memory", 0, "the most memory the module may take, in MiB; 0: as much as its host gives")
)

// gap is how many zeros between two pieces of data are worth a new segment:
// compression makes more of long segments than of few zeros.
const gap = 64

func main() {
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: slim [-v] [-memory MiB] in.wasm out.wasm")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "slim:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	raw, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	slim, err := shrink(raw, *memory)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	return os.WriteFile(out, slim, 0o644)
}

func shrink(raw []byte, memory int) ([]byte, error) {
	m, err := gowasm.Read(raw)
	if err != nil {
		return nil, err
	}
	if err := rewriteCode(m); err != nil {
		return nil, err
	}
	strip(m)
	kept := m.Sections[:0]
	for _, s := range m.Sections {
		if s.ID != gowasm.SectionCustom { // the build id, the producers, the names
			kept = append(kept, s)
		}
	}
	m.Sections = kept
	if memory > 0 {
		limit(m, memory)
	}
	return m.Encode(gap)
}

// limit sets the most memory that the module's one memory grows to.
func limit(m *gowasm.Module, mebibytes int) {
	s := m.Section(gowasm.SectionMemory)
	r := gowasm.Reader{B: s.Body}
	r.Uint() // one
	r.Byte() // without a limit
	s.Body = binary.AppendUvarint([]byte{1, 1}, uint64(r.Uint()))
	s.Body = binary.AppendUvarint(s.Body, uint64(mebibytes)*16)
}

func say(format string, args ...any) {
	if *verbose {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}
}
