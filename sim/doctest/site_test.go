package doctest

import (
	"os"
	"path/filepath"
	"testing"
)

// The site's own pages tell the truth, whatever chance does.
func TestSitePages(t *testing.T) {
	pages, err := filepath.Glob("../../site/pages/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(err, len(pages))
	}
	ran := 0
	for _, name := range pages {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for seed := uint64(1); seed <= 3; seed++ {
			p, err := Read(name, source, nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r := &Report{Page: name}
			r.Results, r.Err = p.Run(Host{Seed: seed})
			ran += r.count(Passed)
			if !r.OK() {
				t.Errorf("seed %d", seed)
				r.Print(t.Output(), true)
			}
		}
	}
	if ran == 0 {
		t.Error("no block ran")
	}
}
