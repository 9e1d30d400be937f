// The real kubectl in place of ours: on the transcripts of a real cluster, where
// what differs here and not with ours is the server's fault, and beside ours on
// scenarios of its own.

package httpserver

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/transcript"
)

const transcripts = "../testdata/transcripts"

// races are the steps that now and then are not equal with the real kubectl
// alone, each with the reason.
var races = map[string]string{
	"containers 54":     "kubectl cp ends with the archive, whether or not what tar says on stderr has come",
	"output-formats 33": "two containers' logs come in two streams, the first lines of either first",
	"workloads 2":       fullMinute,
	"workloads 5":       fullMinute,
	"workloads 6":       fullMinute,
	"workloads 11":      fullMinute,
	"workloads 22":      fullMinute,
	"workloads 23":      fullMinute,
}

// The clock is the wall's here, as the real kubectl reckons ages by it.
const fullMinute = "the CronJob runs at the full minute, wherever in the scenario that is"

func scenarios(t *testing.T, dir string, run func(t *testing.T, s *transcript.Scenario)) {
	if _, err := os.Stat(realKubectl); err != nil || testing.Short() {
		t.Skip("the real kubectl has not been built: make parity")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			s, err := transcript.Load(os.DirFS(dir), e.Name())
			if err != nil {
				t.Fatal(err)
			}
			run(t, s)
		})
	}
}

// recordReal runs the scenario with the real kubectl.
func recordReal(t *testing.T, s *transcript.Scenario) []transcript.Step {
	text, err := transcript.RecordOn(s, newRealMachine(t, s, sim.Options{Seed: 1}))
	if err != nil {
		t.Fatal(err)
	}
	return transcript.Parse(text)
}

func TestGoldenRealKubectl(t *testing.T) {
	known, err := transcript.LoadDifferences(os.DirFS(transcripts))
	if err != nil {
		t.Fatal(err)
	}
	scenarios(t, transcripts, func(t *testing.T, s *transcript.Scenario) {
		want := transcript.Parse(s.Transcript)
		equal, diffs := transcript.Compare(want, recordReal(t, s))
		t.Logf("%d of %d steps are equal", equal, len(want))
		for _, d := range diffs {
			key := s.Name + " " + strconv.Itoa(d.N)
			if !known.Has(key) && races[key] == "" {
				t.Errorf("step %d: $ %s\n    %s", d.N, d.Command, strings.Join(d.Lines, "\n    "))
			}
		}
	})
}

// TestBesideRealKubectl runs scenarios in two equal clusters, one with our
// kubectl and one with the real one: what both print must be equal.
func TestBesideRealKubectl(t *testing.T) {
	scenarios(t, "testdata/beside", func(t *testing.T, s *transcript.Scenario) {
		text, err := transcript.Record(s, sim.Options{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := transcript.Parse(text), recordReal(t, s)
		for i, step := range ours {
			real := theirs[i]
			equal := step.Exit == real.Exit && slices.Equal(normal(step.Stdout), normal(real.Stdout)) && slices.Equal(normal(step.Stderr), normal(real.Stderr))
			if !equal {
				t.Errorf("step %d\n%s\n--- ours\n%s", step.N, transcript.Format(nil, []transcript.Step{real}), transcript.Format(nil, []transcript.Step{step}))
			}
		}
		t.Logf("%d steps", len(ours))
	})
}

func normal(lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, transcript.Normalize(l))
	}
	return out
}
