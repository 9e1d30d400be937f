package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPacked fails when what the program embeds is not what is written.
func TestPacked(t *testing.T) {
	for _, f := range files {
		doc, err := os.ReadFile(filepath.Join("../..", f.from))
		if err != nil {
			t.Fatal(err)
		}
		want, err := f.pack(doc)
		if err != nil {
			t.Fatalf("%s: %v", f.from, err)
		}
		if got, err := os.ReadFile(filepath.Join("../..", f.to)); err != nil || string(got) != want {
			t.Errorf("%s is not what is made of %s: run make generate (%v)", f.to, f.from, err)
		}
	}
}
