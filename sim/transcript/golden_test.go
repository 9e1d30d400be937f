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
	"workloads", "policies", "custom-resources", "api",
}

// never are the steps that cannot be equal, each with the reason; chance those
// that are equal with some seeds only, for chance decided in the recording too.
var (
	never = reasons{
		"output-formats 47":   "explain's descriptions are not the API's own prose, which the schemas come without",
		"output-formats 48":   "explain's descriptions are not the API's own prose, which the schemas come without",
		"scheduling 3":        "the machine ID and the system UUID are those of the recording machine",
		"pod-failures 2":      "the recorded kubelet wrote one status for the start and the end of a container that ran for milliseconds; mostly it wrote two, as here",
		"pod-failures 11":     "the recorded probe came before nginx listened, the first time",
		"deployment 31":       "events of one second are listed in the order of their random names",
		"containers 19":       "the recording's busybox was built with a shorter ps",
		"containers 20":       "ls shows the date of the recording",
		"containers 34":       "the recording's busybox crashed",
		"containers 48":       "the recording's image curl 8.5.0 held curl 7.88.1",
		"containers 53":       "the process id depends on what the recording ran before",
		"kubectl-tools 27":    "the recorded pod was told to stop while its entrypoint still ran, and so lived for its whole grace period",
		"kubectl-tools 51":    "the recording's kubeconfig stood elsewhere",
		"kubectl-tools 55":    "the pod that was told to stop too early (step 27) is still there",
		"configmap 39":        "ls shows the date of the recording",
		"service 11":          "which pod of a Service got a request is chance, and the recording's image curl 8.5.0 held curl 7.88.1",
		"custom-resources 19": "describe shows a resource version, which depends on what the recording ran before",
		"api 18":              "the columns' descriptions are not the API's own prose, which the simulation comes without",
		"api 19":              "the recording had one object more, from a run before",
		"api 32":              "the recording had one object more, from a run before",
		"service 36":          "the recorded attach came after the container had printed",
	}
	chance = reasons{
		"pod-failures 3": "the jitter of the back-off decides whether the third restart has come",
		"pod-failures 4": "the jitter of the back-off decides whether the third restart has come",
		"pod-failures 5": "the jitter of the back-off decides whether the third restart has come",
		"pod-failures 6": "the jitter of the back-off decides whether the third restart has come",
		"pod-failures 7": "the jitter of the back-off decides whether the third restart has come",
		"service 12":     "which pod of a Service got a request is chance",
	}
)

type reasons map[string]string

var goldenSeeds = []uint64{1, 2, 3}

func TestGolden(t *testing.T) {
	for _, name := range golden {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Load(os.DirFS("../testdata/transcripts"), name)
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
					if never[key] == "" && chance[key] == "" {
						t.Errorf("seed %d, step %d: $ %s\n    %s", seed, d.N, d.Command, strings.Join(d.Lines, "\n    "))
					}
				}
			}
			for key := range never {
				if strings.HasPrefix(key, name+" ") && differs[key] == 0 {
					t.Errorf("%s has become equal: take it off the list", key)
				}
			}
			for key := range chance {
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
	for _, list := range []reasons{never, chance} {
		for key, reason := range list {
			if name, _, _ := strings.Cut(key, " "); reason == "" || !slices.Contains(golden, name) {
				t.Errorf("%s has no reason, or is of no scenario", key)
			}
		}
	}
}
