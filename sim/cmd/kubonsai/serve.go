// kubonsai serve: the cluster's API for the real kubectl and other clients.

package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/httpserver"
)

var serveCommand = command{
	name:  "serve",
	args:  "[flags]",
	short: "serve the simulated cluster's API over HTTP",
	long: `Serve runs a simulated cluster at the pace of the wall clock and serves its
REST API, so that the real kubectl can talk to it.`,
}

func init() { serveCommand.run = serve }

func serve(args []string) int {
	f := newFlags("serve")
	addr := f.String("addr", "127.0.0.1:6443", "address to listen on")
	seed := f.Uint64("seed", 1, "what all chance in the simulation derives from")
	nodes := f.Int("nodes", 1, "number of nodes")
	speed := f.Float64("speed", 1, "how many seconds of virtual time pass in a second")
	kubeconfig := f.String("kubeconfig", "", "file to write a kubeconfig to")
	_, status, ok := parse(&serveCommand, f, args, 0, 0)
	if !ok {
		return status
	}
	if *speed <= 0 {
		return fail("serve", fmt.Errorf("--speed must be positive"))
	}
	c, err := sim.New(sim.Options{Seed: *seed, Nodes: *nodes, Start: time.Now(), Log: func(s string) { fmt.Fprintln(os.Stderr, s) }})
	if err != nil {
		return fail("serve", err)
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return fail("serve", err)
	}
	url := "http://" + ln.Addr().String()
	if *kubeconfig != "" {
		text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: kubonsai
  cluster:
    server: %s
contexts:
- name: kubonsai
  context:
    cluster: kubonsai
    user: kubonsai
current-context: kubonsai
users:
- name: kubonsai
  user: {}
`, url)
		if err := os.WriteFile(*kubeconfig, []byte(text), 0o600); err != nil {
			return fail("serve", err)
		}
	}
	h := httpserver.NewHost(c, *speed, func(err error) { fmt.Fprintln(os.Stderr, "kubonsai serve:", err) })
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan os.Signal, 1)
	signal.Notify(done, os.Interrupt)
	go func() {
		<-done
		srv.Close()
	}()
	fmt.Fprintf(os.Stderr, "serving a cluster of %d node(s) on %s\n", *nodes, url)
	err = srv.Serve(ln)
	if cerr := h.Close(); cerr != nil {
		return fail("serve", cerr)
	}
	if err != http.ErrServerClosed {
		return fail("serve", err)
	}
	return 0
}
