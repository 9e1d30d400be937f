// kubonsai record and replay: scenarios, see package transcript.

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/transcript"
)

var recordCommand = command{
	name:  "record",
	args:  "[flags] DIR",
	short: "run a scenario in the simulation and print its transcript",
	long: `Record runs the script of a scenario folder in a fresh simulated cluster and
prints the transcript. A step begins no earlier, in virtual time, than the same
step of the folder's transcript, if it has one.`,
}

var replayCommand = command{
	name:  "replay",
	args:  "[flags] DIR...",
	short: "compare scenarios with the transcripts of a real cluster",
	long: `Replay records each scenario and compares it with the folder's transcript, after
what depends on chance or on the host is replaced by placeholders. It prints a
line "DIR equal/total" for each; the exit status is 1 unless all steps are equal.`,
}

func init() {
	recordCommand.run = record
	replayCommand.run = replay
}

func scenario(dir string, seed uint64) (*transcript.Scenario, string, error) {
	dir = filepath.Clean(dir)
	s, err := transcript.Load(os.DirFS(dir), ".")
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", dir, err)
	}
	s.Name = filepath.Base(dir)
	got, err := transcript.Record(s, sim.Options{Seed: seed})
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", dir, err)
	}
	return s, got, nil
}

func record(args []string) int {
	f := newFlags("record")
	seed := f.Uint64("seed", 1, "what all chance in the simulation derives from")
	rest, status, ok := parse(&recordCommand, f, args, 1, 1)
	if !ok {
		return status
	}
	_, got, err := scenario(rest[0], *seed)
	if err != nil {
		return fail("record", err)
	}
	fmt.Print(got)
	return 0
}

func replay(args []string) int {
	f := newFlags("replay")
	seed := f.Uint64("seed", 1, "what all chance in the simulation derives from")
	verbose := f.BoolP("verbose", "v", false, "print each difference")
	rest, status, ok := parse(&replayCommand, f, args, 1, -1)
	if !ok {
		return status
	}
	status = 0
	for _, dir := range rest {
		s, got, err := scenario(dir, *seed)
		if err != nil {
			status = fail("replay", err)
			continue
		}
		want := transcript.Parse(s.Transcript)
		equal, diffs := transcript.Compare(want, transcript.Parse(got))
		if *verbose {
			for _, d := range diffs {
				fmt.Printf("--- step %d: $ %s\n", d.N, d.Command)
				for _, l := range d.Lines {
					fmt.Println("    " + l)
				}
			}
		}
		fmt.Printf("%s %d/%d\n", dir, equal, len(want))
		if equal != len(want) {
			status = 1
		}
	}
	return status
}
