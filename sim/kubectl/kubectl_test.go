// The tests' world: a real API server on a clock of its own, a home directory
// with a kubeconfig, and kubectl run as a process. Tables are keyed by the
// typed line.

package kubectl

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

const testKubeconfig = `apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority-data: Y2E=
    server: https://127.0.0.1:6443
  name: kind-kind
contexts:
- context:
    cluster: kind-kind
    user: kind-kind
  name: kind-kind
current-context: kind-kind
users:
- name: kind-kind
  user:
    client-certificate-data: Y2VydA==
    client-key-data: a2V5
`

type world struct {
	t      testing.TB
	clock  *clock.Clock
	kernel *kernel.Kernel
	server *apiserver.Server
	fs     *vfs.FS
	env    map[string]string
}

func newWorld(t testing.TB) *world { return newWorldWith(t, store.New(), nil) }

// newWorldWith makes a world that asks an authorizer; nil allows everything.
func newWorldWith(t testing.TB, st *store.Store, authorizer apiserver.Authorizer) *world {
	t.Helper()
	clk := clock.New(time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC))
	w := &world{t: t, clock: clk, kernel: kernel.New(clk), fs: vfs.New(clk.Now), env: map[string]string{"HOME": "/home/reader"}}
	w.server = apiserver.New(apiserver.Options{Store: st, Clock: clk, Authorizer: authorizer, Seed: seed.New(1), OnPanic: func(r any, stack []byte) {
		t.Errorf("panic: %v\n%s", r, stack)
	}})
	if err := w.server.Bootstrap("172.18.0.2"); err != nil {
		t.Fatal(err)
	}
	w.fs.MkdirAll("/home/reader/.kube", 0o755)
	w.fs.WriteFile("/home/reader/.kube/config", []byte(testKubeconfig), 0o600)
	return w
}

func (w *world) options() Options {
	return Options{
		Connect: func(server string) (rest.Handler, error) {
			if server != "https://127.0.0.1:6443" {
				return nil, fmt.Errorf("dial tcp %s: connect: connection refused", strings.TrimPrefix(server, "https://"))
			}
			return w.server, nil
		},
		FetchURL: func(url string) ([]byte, error) {
			if url == "https://example.org/pod.yaml" {
				return []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: fetched}\nspec: {containers: [{name: a, image: b}]}\n"), nil
			}
			return nil, fmt.Errorf("unable to read URL %q, server reported %s, status code=%d", url, "404 Not Found", 404)
		},
	}
}

// start begins a line; stop ends it by a signal and returns what it printed.
func (w *world) start(line, stdin string) (out, errs *bytes.Buffer, p *kernel.Proc) {
	out, errs = &bytes.Buffer{}, &bytes.Buffer{}
	args := fields(line)
	c := &program.Context{FS: w.fs, Dir: "/home/reader", Env: w.env, Stdin: strings.NewReader(stdin), Stdout: out, Stderr: errs,
		Lookup: func(name string) program.Program {
			if name == "true" {
				return func(*program.Context, []string) int { return 0 }
			}
			return nil
		}}
	run := New(w.options())
	p = w.kernel.Spawn(nil, "kubectl", func(p *kernel.Proc) int {
		c.Proc = p
		return run(c, args)
	})
	w.settle()
	return out, errs, p
}

func (w *world) settle() {
	for w.kernel.Step() {
	}
}

// do runs a line to its end, letting time pass while it waits.
func (w *world) do(line, stdin string) (stdout, stderr string, code int) {
	w.t.Helper()
	out, errs, p := w.start(line, stdin)
	for i := 0; i < 1000; i++ {
		if c, done := p.Done(); done {
			return out.String(), errs.String(), c
		}
		due, ok := w.clock.Next()
		if !ok {
			break
		}
		w.clock.AdvanceTo(due)
		w.settle()
	}
	w.t.Fatalf("%s does not end; so far:\n%s%s", line, out, errs)
	return
}

// fields splits a line as a shell would, with ' and " quotes.
func fields(line string) []string {
	var out []string
	var cur strings.Builder
	in, quote := false, rune(0)
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			cur.WriteRune(r)
		case r == '\'' || r == '"':
			quote, in = r, true
		case r == ' ':
			if in {
				out = append(out, cur.String())
				cur.Reset()
			}
			in = false
		default:
			cur.WriteRune(r)
			in = true
		}
	}
	if in {
		out = append(out, cur.String())
	}
	return out
}

// put stores an object given as YAML.
func (w *world) put(path, manifest string) {
	w.t.Helper()
	body, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		w.t.Fatal(err)
	}
	resp := w.server.Serve(&rest.Request{Method: "POST", Path: path, Body: body, Header: rest.Header{"Content-Type": "application/json", "User-Agent": "test"}})
	if resp.Code >= 300 {
		w.t.Fatalf("POST %s: %d %v", path, resp.Code, resp.Object)
	}
}

// patchStatus merges a status into an object.
func (w *world) patchStatus(path, status string) {
	w.t.Helper()
	body, err := yaml.YAMLToJSON([]byte(status))
	if err != nil {
		w.t.Fatal(err)
	}
	resp := w.server.Serve(&rest.Request{Method: "PATCH", Path: path + "/status", Body: body,
		Header: rest.Header{"Content-Type": "application/merge-patch+json", "User-Agent": "test"}})
	if resp.Code >= 300 {
		w.t.Fatalf("PATCH %s: %d %v", path, resp.Code, resp.Object)
	}
}

const (
	podsPath = "/api/v1/namespaces/default/pods"
	alpha    = `{apiVersion: v1, kind: Pod, metadata: {name: alpha, labels: {app: one}, annotations: {note: first}}, spec: {containers: [{name: main, image: "nginx:1.27", ports: [{containerPort: 80, name: http}]}, {name: side, image: "busybox:1.36", command: [sh, -c, sleep 1]}]}}`
	beta     = `{apiVersion: v1, kind: Pod, metadata: {name: beta, labels: {app: two}}, spec: {containers: [{name: main, image: "nginx:1.25.3"}]}}`
)

func (w *world) twoPods() *world {
	w.put(podsPath, alpha)
	w.put(podsPath, beta)
	w.clock.AdvanceTo(w.clock.Now().Add(7 * time.Second))
	return w
}

type want struct {
	out, err string
	code     int
}

func (w *world) check(line string, want want) {
	w.t.Helper()
	out, errs, code := w.do(line, "")
	if out != want.out || errs != want.err || code != want.code {
		w.t.Errorf("%s\n got exit %d stdout %q\n             stderr %q\nwant exit %d stdout %q\n             stderr %q", line, code, out, errs, want.code, want.out, want.err)
	}
}
