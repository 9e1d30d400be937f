// kubonsai doctest: Markdown pages as tests, see package doctest.

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubonsai/kubonsai/sim/doctest"
)

var doctestCommand = command{
	name:  "doctest",
	args:  "[flags] FILE.md...",
	short: "run the shell blocks of Markdown pages and compare their output",
	long: `Doctest runs the shell blocks of each page in order on a fresh simulated
cluster, in virtual time, and compares what each prints with what the page shows
beneath it: a following output block, lines between prompts, or comment lines
beneath a command. What depends on chance (ages, random names, addresses, the
width of columns) does not count. A command that fails must be shown to fail.
The exit status is 1 when a page no longer tells the truth.`,
}

func init() { doctestCommand.run = runDoctest }

func runDoctest(args []string) int {
	f := newFlags("doctest")
	junit := f.String("junit", "", "file to write a JUnit XML report to")
	languages := f.String("languages", "bash,sh,shell,zsh,console,shell-session", "languages whose blocks run on a page that neither names languages nor marks blocks")
	seed := f.Uint64("seed", 1, "what all chance in the simulation derives from, for pages that name none")
	nodes := f.Int("nodes", 1, "number of nodes, for pages that name none")
	quiet := f.BoolP("quiet", "q", false, "print only the blocks that did not pass")
	rest, status, ok := parse(&doctestCommand, f, args, 1, -1)
	if !ok {
		return status
	}
	var reports []*doctest.Report
	for _, name := range rest {
		r := &doctest.Report{Page: filepath.ToSlash(name)}
		r.Results, r.Err = testPage(name, strings.Split(*languages, ","), doctest.Host{Seed: *seed, Nodes: *nodes})
		r.Print(os.Stdout, *quiet)
		if !r.OK() {
			status = 1
		}
		reports = append(reports, r)
	}
	if *junit != "" {
		if err := writeJUnit(*junit, reports); err != nil {
			return fail("doctest", err)
		}
	}
	return status
}

func testPage(name string, languages []string, h doctest.Host) ([]doctest.Result, error) {
	source, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	page, err := doctest.Read(name, source, languages)
	if err != nil {
		return nil, err
	}
	h.Load = func(p string) (map[string][]byte, error) {
		p = filepath.Join(filepath.Dir(name), filepath.FromSlash(p))
		if info, err := os.Stat(p); err != nil {
			return nil, err
		} else if info.IsDir() {
			return readFolder(p)
		}
		data, err := os.ReadFile(p)
		return map[string][]byte{filepath.Base(p): data}, err
	}
	return page.Run(h)
}

func writeJUnit(name string, reports []*doctest.Report) error {
	out, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("--junit: %w", err)
	}
	if err := doctest.JUnit(out, reports); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
