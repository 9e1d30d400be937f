// Slim makes a js/wasm module of the Go linker smaller and a little faster
// without changing what it does:
//
//	go run ./scripts/slim in.wasm out.wasm
//
// and divides what it made in two parts, of which a page needs one to begin with
// (split.go):
//
//	go run ./scripts/slim -observe observed.wasm in.wasm slim.wasm
//	go run ./scripts/slim -calls calls.txt -rest rest.wasm slim.wasm first.wasm
//
// It leaves out what the runtime only needs to print names, lines and inlined
// calls in stack traces (with -names, a file tells whose the numbers are), packs
// the table of functions (tables.go), lays the data out in few segments, and
// rewrites the compiler's code (code.go, resume.go, calls.go, frame.go), of which
// it keeps one copy (fold.go). The program cannot tell, except that
// runtime.Caller finds no file and line and other names.
//
// What counts is the size once compressed: code that is the same in all functions
// costs next to nothing, a number that differs costs two or three bytes.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/scripts/internal/gowasm"
)

var (
	verbose  = flag.Bool("v", false, "tell what was done")
	nameFile = flag.String("names", "", "write to this file which functions the short names in stack traces stand for")
	memory   = flag.Int("memory", 0, "the most memory the module may take, in MiB; 0: as much as its host gives")
	observed = flag.String("observe", "", "also write to this file a module that notes in its exports cN which functions it calls")
	calls    = flag.String("calls", "", "divide a module that slim made: the numbers N of the functions for the first part")
	restFile = flag.String("rest", "", "where the rest of a divided module goes")
)

// gap is how many zeros between two pieces of data are worth a new segment:
// compression makes more of long segments than of few zeros.
const gap = 64

func main() {
	flag.Parse()
	if flag.NArg() != 2 || (*calls == "") != (*restFile == "") {
		fmt.Fprintln(os.Stderr, "usage: slim [-v] [-names file] [-memory MiB] [-observe file] in.wasm out.wasm\n       slim [-v] -calls file -rest file slim.wasm first.wasm")
		os.Exit(2)
	}
	do := run
	if *calls != "" {
		do = divide
	}
	if err := do(flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "slim:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	raw, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	slim, names, chance, err := shrink(raw, *memory)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	if *nameFile != "" {
		var b bytes.Buffer
		for _, n := range names {
			fmt.Fprintln(&b, n[0], n[1])
		}
		if err := os.WriteFile(*nameFile, b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if *observed != "" {
		b, err := observe(slim, chance)
		if err != nil {
			return err
		}
		if err := os.WriteFile(*observed, b, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(out, slim, 0o644)
}

func divide(in, out string) error {
	raw, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	list, err := os.ReadFile(*calls)
	if err != nil {
		return err
	}
	var wanted []int
	for _, f := range strings.Fields(string(list)) {
		n, err := strconv.Atoi(f)
		if err != nil {
			return fmt.Errorf("%s: %w", *calls, err)
		}
		wanted = append(wanted, n)
	}
	first, rest, err := split(raw, wanted)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	if err := os.WriteFile(*restFile, rest, 0o644); err != nil {
		return err
	}
	return os.WriteFile(out, first, 0o644)
}

// shrink returns the smaller module, what the functions that have short names now
// were called, and which of its functions a run calls by chance, counted without
// the imports. memory is the most it may take, in MiB; 0 sets no limit.
func shrink(raw []byte, memory int) (slim []byte, names [][2]string, chance []int, err error) {
	m, err := gowasm.Read(raw)
	if err != nil {
		return nil, nil, nil, err
	}
	code, err := rewriteCode(m)
	if err != nil {
		return nil, nil, nil, err
	}
	kept := 0
	for i, body := range code.bodies {
		if body != i {
			continue
		}
		if byChance(m.Functions[i].Name) {
			chance = append(chance, kept)
		}
		kept++
	}
	starts := strip(m)
	movePCTables(m, code.places)
	moveFuncData(m, starts)
	if names, err = shortenNames(m, code); err != nil {
		return nil, nil, nil, err
	}
	if err := packTables(m); err != nil {
		return nil, nil, nil, err
	}
	m.Sections = slices.DeleteFunc(m.Sections, func(s gowasm.Section) bool {
		return s.ID == gowasm.SectionCustom // the build id, the producers, the names
	})
	if memory > 0 {
		limit(m, memory)
	}
	slim, err = m.Encode(gap)
	return slim, names, chance, err
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
