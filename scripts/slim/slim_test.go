package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestSlim runs a program as the linker made it and slimmed: both must say the
// same.
func TestSlim(t *testing.T) {
	file := build(t, "./testdata/program.go")
	want := output(t, file)
	raw, slim, _ := slimmed(t, file)
	if len(slim) >= len(raw) {
		t.Errorf("slim made %d bytes of %d", len(slim), len(raw))
	}
	if got := output(t, file); got != want {
		t.Errorf("slimmed:\n%s\nas linked:\n%s", got, want)
	}
}

// TestSplit runs a program in two parts: that with every other function in the
// first, so that calls cross everywhere, and that with what it calls.
func TestSplit(t *testing.T) {
	file := build(t, "./testdata/program.go")
	want := output(t, file)
	_, slim, _ := slimmed(t, file)
	p, err := readProgram(slim)
	if err != nil {
		t.Fatal(err)
	}
	var other []int
	for n := 0; n < len(p.bodies); n += 2 {
		other = append(other, n)
	}
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	parts := func(files ...string) string {
		cmd := exec.Command("node", append([]string{"--stack-size=8192", "testdata/parts.mjs", runtime.GOROOT()}, files...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	noted, err := observe(slim, nil)
	if err != nil {
		t.Fatal(err)
	}
	var called []int
	for _, n := range strings.Fields(parts(write("observed.wasm", noted))) {
		n, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		called = append(called, n)
	}
	if len(called) < 100 || len(called) > len(p.bodies)*9/10 {
		t.Errorf("it calls %d of its %d functions", len(called), len(p.bodies))
	}
	for name, wanted := range map[string][]int{"every other": other, "none": nil, "what is called": called} {
		first, rest, err := split(slim, wanted)
		if err != nil {
			t.Fatal(err)
		}
		if got := parts(write("first.wasm", first), write("rest.wasm", rest)); got != want {
			t.Errorf("%s:\n%s\nas linked:\n%s", name, got, want)
		}
		if name == "what is called" && len(first) > len(slim)*9/10 {
			t.Errorf("the first part has %d of %d bytes", len(first), len(slim))
		}
	}
	if _, _, err := split(slim, []int{len(p.bodies)}); err == nil {
		t.Error("a function that there is not: no error")
	}
}

// TestNames looks whether the short names in a stack trace stand for the
// functions that were on the stack.
func TestNames(t *testing.T) {
	file := build(t, "./testdata/stack.go")
	_, _, names := slimmed(t, file)
	trace := output(t, file)
	for _, n := range names {
		trace = strings.ReplaceAll(trace, n[0]+"(", n[1]+"(")
	}
	at := 0
	for _, f := range []string{"main.list.get.func1(", "runtime.goPanicIndex(", "main.list.get(", "main.main(", "runtime.main("} {
		i := strings.Index(trace[at:], "\n"+f)
		if i < 0 {
			t.Fatalf("no %s where it should be in:\n%s", f, trace)
		}
		at += i
	}
}

// TestUnknown gives slim what it must not touch.
func TestUnknown(t *testing.T) {
	for name, raw := range map[string]string{
		"empty":                "",
		"text":                 "no module at all",
		"not of Go's linker":   "\x00asm\x01\x00\x00\x00",
		"only a memory of one": "\x00asm\x01\x00\x00\x00\x05\x03\x01\x00\x01",
	} {
		if _, _, _, err := shrink([]byte(raw), 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// build makes a module of a program.
func build(t *testing.T, program string) string {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs node")
	}
	file := filepath.Join(t.TempDir(), "program.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, program)
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// slimmed slims a module in its file.
func slimmed(t *testing.T, file string) (raw, slim []byte, names [][2]string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if slim, names, _, err = shrink(raw, 512); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, slim, 0o644); err != nil {
		t.Fatal(err)
	}
	return raw, slim, names
}

func output(t *testing.T, file string) string {
	cmd := exec.Command("node", "--stack-size=8192", filepath.Join(runtime.GOROOT(), "lib/wasm/wasm_exec_node.js"), file)
	cmd.Env = append(os.Environ(), "GOGC=5")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
