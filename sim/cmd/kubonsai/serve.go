// kubonsai serve: the cluster's API for the real kubectl and other clients.

package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/httpserver"
	"github.com/kubonsai/kubonsai/sim/journal"
	"github.com/kubonsai/kubonsai/sim/provision"
)

var serveCommand = command{
	name:  "serve",
	args:  "[flags]",
	short: "serve the simulated cluster's API",
	long: `Serve runs a simulated cluster at the pace of the wall clock and serves its
REST API, so that the real kubectl and other clients can talk to it.

Over plain HTTP whoever shows no token is the cluster's administrator. With
--tls the server has a CA of its own; the kubeconfig then holds the
administrator's certificate, and everybody else is nobody until they show a
token or a certificate.

With --data the state is kept in a directory: an answered write is there after
any crash.`,
}

func init() { serveCommand.run = serve }

func serve(args []string) int {
	f := newFlags("serve")
	addr := f.String("addr", "127.0.0.1:6443", "address to listen on")
	data := f.String("data", "", "directory that keeps the state; nothing is kept without it")
	seed := f.Uint64("seed", 1, "what all chance in the simulation derives from")
	nodes := f.String("nodes", "1", nodesHelp)
	cloud := f.Bool("cloud", false, "give services of type LoadBalancer an address (on kind they stay pending)")
	speed := f.Float64("speed", 1, "how many seconds of virtual time pass in a second")
	kubeconfig := f.String("kubeconfig", "", "file to write a kubeconfig to")
	secure := f.Bool("tls", false, "serve HTTPS, with a CA of its own")
	metrics := f.Bool("metrics-server", false, "install a metrics server")
	_, status, ok := parse(&serveCommand, f, args, 0, 0)
	if !ok {
		return status
	}
	if *speed <= 0 {
		return fail("serve", errors.New("--speed must be positive"))
	}
	complain := func(err error) { fmt.Fprintln(os.Stderr, "kubonsai serve:", err) }
	count, shapes, err := provision.ParseNodes(*nodes)
	if err == nil && count < 0 {
		err = errors.New("a server needs a cluster")
	}
	if err != nil {
		return fail("serve", fmt.Errorf("--nodes: %w", err))
	}
	opts := sim.Options{Seed: *seed, Nodes: count, Shapes: shapes, Start: time.Now(), MetricsServer: *metrics, CloudLoadBalancer: *cloud,
		Webhooks: httpserver.CallWebhook, Log: func(s string) { fmt.Fprintln(os.Stderr, s) }}
	var dir *journal.Dir
	if *data != "" {
		var err error
		if dir, err = journal.Open(*data); err != nil {
			return fail("serve", err)
		}
		opts.Backend = dir
	}
	var authority *httpserver.Authority
	if *secure {
		if authority, err = httpserver.LoadAuthority(*data); err != nil {
			return fail("serve", err)
		}
		opts.Authority = authority
	}
	c, err := sim.New(opts)
	if err != nil {
		return fail("serve", err)
	}
	for _, notice := range c.Notices() {
		complain(errors.New(notice))
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return fail("serve", err)
	}
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second}
	config := kubeconfigFor{server: "http://" + ln.Addr().String()}
	if *secure {
		if err := config.secure(srv, authority, ln.Addr()); err != nil {
			return fail("serve", err)
		}
	}
	if *kubeconfig != "" {
		if err := os.WriteFile(*kubeconfig, config.text(), 0o600); err != nil {
			return fail("serve", err)
		}
	}
	h := httpserver.NewHost(c, *speed, complain)
	if dir != nil {
		h.SyncWith(dir)
	}
	srv.Handler = h
	done := make(chan os.Signal, 1)
	signal.Notify(done, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-done
		srv.Close()
	}()
	fmt.Fprintf(os.Stderr, "serving a cluster on %s\n", config.server)
	if *secure {
		err = srv.ServeTLS(ln, "", "")
	} else {
		err = srv.Serve(ln)
	}
	if cerr := h.Close(); cerr != nil {
		return fail("serve", cerr)
	}
	if err != http.ErrServerClosed {
		return fail("serve", err)
	}
	return 0
}

// kubeconfigFor is what a kubeconfig says of a served cluster.
type kubeconfigFor struct {
	server       string
	ca, crt, key []byte
}

// secure gives the server certificates, and the kubeconfig the administrator's.
func (k *kubeconfigFor) secure(srv *http.Server, authority *httpserver.Authority, addr net.Addr) (err error) {
	host, _, _ := net.SplitHostPort(addr.String())
	name, _ := os.Hostname()
	if srv.TLSConfig, err = authority.Server(host, name); err != nil {
		return err
	}
	k.server, k.ca = "https://"+addr.String(), authority.PEM
	k.crt, k.key, err = authority.Client(httpserver.Administrator, httpserver.AdministratorsGroup)
	return err
}

func (k *kubeconfigFor) text() []byte {
	line := func(field string, data []byte) string {
		if data == nil {
			return ""
		}
		return "\n    " + field + ": " + base64.StdEncoding.EncodeToString(data)
	}
	user := " {}"
	if k.crt != nil {
		user = line("client-certificate-data", k.crt) + line("client-key-data", k.key)
	}
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: kubonsai
  cluster:
    server: %s%s
contexts:
- name: kubonsai
  context:
    cluster: kubonsai
    user: kubonsai
current-context: kubonsai
users:
- name: kubonsai
  user:%s
`, k.server, line("certificate-authority-data", k.ca), user)
}
