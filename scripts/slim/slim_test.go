package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// TestSlim runs a program as the linker made it and slimmed: both must say the
// same.
func TestSlim(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs node")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "program.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "./testdata/program.go")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := output(t, file)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	slim, _, err := shrink(raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(slim) >= len(raw) {
		t.Errorf("slim made %d bytes of %d", len(slim), len(raw))
	}
	file = filepath.Join(dir, "slim.wasm")
	if err := os.WriteFile(file, slim, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := output(t, file); got != want {
		t.Errorf("slimmed:\n%s\nas linked:\n%s", got, want)
	}
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
