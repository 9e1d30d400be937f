// Size tells what a Go program for js/wasm is made of: the bytes of its
// sections, of the runtime's tables, of each package's code and of the biggest
// functions. It reads the runtime's own tables, so a stripped module will do.
//
//	go run ./scripts/size [-top n] [-brotli] [-against old.wasm] [-match text] [file.wasm]
//
// Without a file it builds ./wasm/browser as the site does.
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubonsai/kubonsai/scripts/internal/gowasm"
)

var (
	top     = flag.Int("top", 40, "how many packages and functions to list")
	brotli  = flag.Bool("brotli", false, "also compress with brotli 11 (needs node; takes minutes)")
	against = flag.String("against", "", "another module: list the packages that grew or shrank")
	match   = flag.String("match", "", "list only the functions whose name contains this text")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1)
	}
}

func run() error {
	file := flag.Arg(0)
	if file == "" {
		dir, err := os.MkdirTemp("", "size")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		file = filepath.Join(dir, "kubonsai.wasm")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "./wasm/browser")
		build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return err
		}
	}
	m, err := read(file)
	if err != nil {
		return err
	}
	if *against != "" {
		old, err := read(*against)
		if err != nil {
			return err
		}
		m.compare(old)
		return nil
	}
	fmt.Printf("%-60s %9d\n", "raw", len(m.raw))
	fmt.Printf("%-60s %9d\n", "gzip 9", gzipped(m.raw))
	if *brotli {
		n, err := brotlied(file)
		if err != nil {
			return err
		}
		fmt.Printf("%-60s %9d\n", "brotli 11", n)
	}
	m.print()
	return nil
}

func gzipped(b []byte) int {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Len()
}

func brotlied(file string) (n int, err error) {
	const script = `const z=require('zlib'),c=z.constants,b=require('fs').readFileSync(process.argv[1]);
console.log(z.brotliCompressSync(b,{params:{[c.BROTLI_PARAM_QUALITY]:11,[c.BROTLI_PARAM_LGWIN]:24,[c.BROTLI_PARAM_SIZE_HINT]:b.length}}).length)`
	out, err := exec.Command("node", "-e", script, file).Output()
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(string(out), &n)
	return n, err
}

// A function is one body of the code section.
type function struct {
	name string
	size int
}

func (f function) pkg() string { return packageOf(f.name) }

// A module is what was read of a wasm file.
type module struct {
	raw       []byte
	sections  map[string]int
	tables    map[string]int // the parts of the data section
	functions []function
}

func read(file string) (*module, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	in, err := gowasm.Read(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	t := in.Tables
	m := &module{raw: raw, sections: map[string]int{}, tables: map[string]int{
		"types, strings, read-only data":             t.Types.Len(),
		"function table: names":                      t.FuncNames.Len(),
		"function table: functions":                  t.Funcs.Len(),
		"function table: stack depths, lines, …":     t.PCTables.Len(),
		"function table: pointer maps, inlining, …":  t.FuncData.Len(),
		"function table: files, compilation units":   t.Files.Len() + t.CompilationUnits.Len(),
		"variables with pointers":                    t.Data.Len(),
		"variables without pointers":                 t.NoPtrData.Len(),
		"(only memory) zero variables with pointers": t.BSS.Len(),
		"(only memory) zero variables without":       t.NoPtrBSS.Len(),
	}}
	for _, s := range in.Sections {
		m.sections[gowasm.SectionNames[s.ID]] += len(s.Body)
	}
	for _, f := range in.Functions {
		m.functions = append(m.functions, function{cmp.Or(f.Name, "(no name)"), f.Size})
	}
	return m, nil
}

func (m *module) packages() map[string]int {
	p := map[string]int{}
	for _, f := range m.functions {
		p[f.pkg()] += f.size
	}
	return p
}

func (m *module) print() {
	table("section", m.sections, len(m.sections))
	table("data", m.tables, len(m.tables))
	table("package (code)", m.packages(), *top)
	fmt.Printf("\n%-60s %9s\n", "function", "bytes")
	slices.SortStableFunc(m.functions, func(a, b function) int { return b.size - a.size })
	n := 0
	for _, f := range m.functions {
		if strings.Contains(f.name, *match) && n < *top {
			fmt.Printf("%-60s %9d\n", f.name, f.size)
			n++
		}
	}
}

func (m *module) compare(old *module) {
	fmt.Printf("%-60s %9d %+9d\n", "raw", len(m.raw), len(m.raw)-len(old.raw))
	fmt.Printf("%-60s %9d %+9d\n", "gzip 9", gzipped(m.raw), gzipped(m.raw)-gzipped(old.raw))
	difference := func(title string, now, before map[string]int) {
		d := maps.Clone(now)
		for k, v := range before {
			d[k] -= v
		}
		maps.DeleteFunc(d, func(_ string, v int) bool { return v == 0 })
		table(title, d, *top)
	}
	difference("section", m.sections, old.sections)
	difference("data", m.tables, old.tables)
	difference("package (code)", m.packages(), old.packages())
}

func table(title string, rows map[string]int, n int) {
	fmt.Printf("\n%-60s %9s\n", title, "bytes")
	keys := slices.SortedFunc(maps.Keys(rows), func(a, b string) int {
		return cmp.Or(max(rows[b], -rows[b])-max(rows[a], -rows[a]), strings.Compare(a, b))
	})
	for _, k := range keys[:min(n, len(keys))] {
		fmt.Printf("%-60s %9d\n", k, rows[k])
	}
}

// packageOf is the package of a symbol: what stands before the first dot after
// the last slash. Equality functions of types are a package of their own, and
// so are instances of generic functions under the package that defines them.
func packageOf(name string) string {
	if rest, ok := strings.CutPrefix(name, "type:"); ok {
		kind, _, _ := strings.Cut(strings.TrimPrefix(rest, "."), ".")
		return "type:" + kind
	}
	name, _, _ = strings.Cut(name, "[")
	slash := strings.LastIndexByte(name, '/') + 1
	dot := strings.IndexByte(name[slash:], '.')
	if dot < 0 {
		return "(no package)"
	}
	return name[:slash+dot]
}
