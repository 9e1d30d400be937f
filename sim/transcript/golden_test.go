package transcript

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim"
)

// golden are the scenarios whose transcripts of a real v1.36.2 cluster the
// simulation must repeat.
var golden = []string{
	"replicaset", "errors", "output-formats", "pod-failures", "scheduling", "deployment",
	"containers", "kubectl-tools", "configmap", "service",
}

// unequal are the steps that cannot be equal, each with the reason.
var unequal = []struct {
	scenario string
	step     int
	reason   string
}{
}

var goldenSeeds = []uint64{1, 2, 3}

func TestGolden(t *testing.T) {
	reasons := map[string]string{}
	for _, u := range unequal {
		reasons[fmt.Sprint(u.scenario, " ", u.step)] = u.reason
	}
	for _, name := range golden {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Load(os.DirFS("../testdata/transcripts"), name)
			if err != nil {
				t.Fatal(err)
			}
			want := Parse(s.Transcript)
			differs := map[int]bool{}
			for _, seed := range goldenSeeds {
				text, err := Record(s, sim.Options{Seed: seed, Log: func(text string) { t.Errorf("seed %d: %s", seed, text) }})
				if err != nil {
					t.Fatal(err)
				}
				equal, diffs := Compare(want, Parse(text))
				t.Logf("seed %d: %d of %d steps are equal", seed, equal, len(want))
				for _, d := range diffs {
					differs[d.N] = true
					if reasons[fmt.Sprint(name, " ", d.N)] == "" {
						t.Errorf("seed %d, step %d: $ %s\n    %s", seed, d.N, d.Command, strings.Join(d.Lines, "\n    "))
					}
				}
			}
			for _, u := range unequal {
				if u.scenario == name && !differs[u.step] {
					t.Errorf("step %d has become equal: take it off the list", u.step)
				}
			}
		})
	}
	for _, u := range unequal {
		if u.reason == "" || !slices.Contains(golden, u.scenario) {
			t.Errorf("unequal: %s step %d has no reason or no scenario", u.scenario, u.step)
		}
	}
}
