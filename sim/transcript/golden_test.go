package transcript

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim"
)

// golden are the scenarios, by where they are in testdata, whose transcripts of
// real v1.36.2 clusters the simulation must repeat.
var golden = map[string][]string{
	"transcripts": {
		"replicaset", "errors", "output-formats", "pod-failures", "scheduling", "deployment",
		"containers", "kubectl-tools", "configmap", "service",
		"workloads", "policies", "custom-resources", "api",
	},
	"recorded": {"workload-controllers", "pod-life", "updates", "mistakes-workloads", "mistakes-kinds", "mistakes-pods"},
}

var goldenSeeds = []uint64{1, 2, 3}

func TestGolden(t *testing.T) {
	for dir, scenarios := range golden {
		t.Run(dir, func(t *testing.T) { testGolden(t, os.DirFS("../testdata/"+dir), scenarios) })
	}
}

func testGolden(t *testing.T, dir fs.FS, scenarios []string) {
	known, err := LoadDifferences(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Load(dir, name)
			if err != nil {
				t.Fatal(err)
			}
			want := Parse(s.Transcript)
			differs := map[string]int{} // with how many seeds
			for _, seed := range goldenSeeds {
				text, err := Record(s, sim.Options{Seed: seed, Log: func(text string) { t.Errorf("seed %d: %s", seed, text) }})
				if err != nil {
					t.Fatal(err)
				}
				equal, diffs := Compare(want, Parse(text))
				t.Logf("seed %d: %d of %d steps are equal", seed, equal, len(want))
				for _, d := range diffs {
					key := fmt.Sprint(name, " ", d.N)
					differs[key]++
					if !known.Has(key) {
						t.Errorf("seed %d, step %d: $ %s\n    %s", seed, d.N, d.Command, strings.Join(d.Lines, "\n    "))
					}
				}
			}
			for key := range known.Never {
				if strings.HasPrefix(key, name+" ") && differs[key] == 0 {
					t.Errorf("%s has become equal: take it off the list", key)
				}
			}
			for key := range known.Chance {
				switch {
				case !strings.HasPrefix(key, name+" "):
				case differs[key] == 0:
					t.Errorf("%s is equal with every seed: take it off the list", key)
				case differs[key] == len(goldenSeeds):
					t.Errorf("%s is equal with no seed", key)
				}
			}
		})
	}
	for _, list := range []map[string]string{known.Never, known.Chance} {
		for key, reason := range list {
			if name, _, _ := strings.Cut(key, " "); reason == "" || !slices.Contains(scenarios, name) {
				t.Errorf("%s has no reason, or is of no scenario", key)
			}
		}
	}
}
