// kubonsai run: a shell script against a fresh cluster, in virtual time.

package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/provision"
)

var runCommand = command{
	name:  "run",
	args:  "[flags] FILE|-",
	short: "run a shell script against a fresh simulated cluster",
	long: `Run executes a shell script (- is standard input) in a terminal of a fresh
simulated cluster. Time is virtual: a "sleep 3600" costs milliseconds. The same
seed and the same script give the same output. The exit status is the script's;
125 says that the script waited for something that can never happen, or ran out
of virtual time.`,
}

func init() { runCommand.run = runScript }

const nodesHelp = "number of nodes (0: no cluster), or CPU/MEMORY of each: 2/4Gi,4/8Gi"

func runScript(args []string) int {
	f := newFlags("run")
	seed := f.Uint64("seed", 1, "what all chance in the simulation derives from")
	dir := f.String("dir", "", "folder whose files the script finds in its home directory (copied; never written to)")
	nodes := f.String("nodes", "1", nodesHelp)
	noCluster := f.Bool("no-cluster", false, "begin without a cluster, as --nodes 0")
	metrics := f.Bool("metrics-server", false, "start with a metrics server, for kubectl top and HorizontalPodAutoscalers (kind has none)")
	cloud := f.Bool("cloud", false, "give services of type LoadBalancer an address (on kind they stay pending)")
	limit := f.Duration("timeout", 24*time.Hour, "virtual time after which the script is stopped")
	start := f.String("start", "", "virtual time at which the cluster starts, RFC 3339 (default 2026-01-01T00:00:00Z)")
	rest, status, ok := parse(&runCommand, f, args, 1, 1)
	if !ok {
		return status
	}
	var script []byte
	var err error
	if rest[0] == "-" {
		script, err = io.ReadAll(os.Stdin)
	} else {
		script, err = os.ReadFile(rest[0])
	}
	if err != nil {
		return fail("run", err)
	}
	opts := sim.Options{Seed: *seed, MetricsServer: *metrics, CloudLoadBalancer: *cloud}
	if opts.Nodes, opts.Shapes, err = provision.ParseNodes(*nodes); err != nil {
		return fail("run", fmt.Errorf("--nodes: %w", err))
	}
	if *noCluster {
		opts.Nodes = -1
	}
	if *start != "" {
		if opts.Start, err = time.Parse(time.RFC3339, *start); err != nil {
			return fail("run", fmt.Errorf("--start: %w", err))
		}
	}
	if *dir != "" {
		if opts.Files, err = readFolder(*dir); err != nil {
			return fail("run", err)
		}
	}
	c, err := sim.New(opts)
	if err != nil {
		return fail("run", err)
	}
	defer c.Close()

	var interrupts atomic.Int32
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt)
	go func() {
		for range ch {
			interrupts.Add(1)
		}
	}()
	r := c.Terminal("1").Start(string(script), sim.RunOptions{
		OnOutput: func(stream int, data []byte) {
			if stream == 1 {
				os.Stdout.Write(data)
			} else {
				os.Stderr.Write(data)
			}
		},
	})
	seen := int32(0)
	done := func() bool {
		if n := interrupts.Load(); n != seen {
			if seen = n; n > 1 {
				r.Kill()
			} else {
				r.Interrupt()
			}
		}
		_, done := r.Done()
		return done
	}
	if !c.Jump(c.Now().Add(*limit), done) {
		if _, more := c.NextDue(); more {
			fmt.Fprintf(os.Stderr, "kubonsai run: stopped after %s of virtual time (--timeout)\n", *limit)
		} else {
			fmt.Fprintln(os.Stderr, "kubonsai run: the script waits for something that can never happen")
		}
		return 125
	}
	code, _ := r.Done()
	return code
}

// readFolder reads all regular files below dir, by slash-separated name.
func readFolder(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)] = data
		return nil
	})
	return files, err
}
