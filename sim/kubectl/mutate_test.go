package kubectl

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/program"
)

// TestDroppedFlags: what documents use and kubectl has removed works, with one line on stderr.
func TestDroppedFlags(t *testing.T) {
	w := newWorld(t)
	w.check("kubectl run hog --image=nginx:1.25-alpine --limits=memory=50Mi --requests=memory=20Mi", want{"pod/hog created\n",
		"Flag --limits has been deprecated, kubectl has removed it since; it still works here, elsewhere use --overrides.\n" +
			"Flag --requests has been deprecated, kubectl has removed it since; it still works here, elsewhere use --overrides.\n", 0})
	w.check("kubectl get pod hog -o jsonpath={.spec.containers[0].resources}", want{`{"limits":{"memory":"50Mi"},"requests":{"memory":"20Mi"}}`, "", 0})
	w.check("kubectl run g --image=nginx --generator=run-pod/v1", want{"pod/g created\n",
		"Flag --generator has been deprecated, kubectl has removed it since; kubectl run only creates pods.\n", 0})
	w.check("kubectl delete pod g --cascade=false --wait=false", want{"pod \"g\" deleted from default namespace\n",
		"warning: --cascade=false is deprecated (boolean value) and can be replaced with --cascade=orphan.\n", 0})
}

// TestGroupsNeedSubcommands: the help page goes to stderr and the status is 1.
func TestGroupsNeedSubcommands(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{"kubectl set", "kubectl rollout", "kubectl create secret", "kubectl create service"} {
		out, errs, code := w.do(line, "")
		if out != "" || !strings.Contains(errs, "Available Commands:") || code != 1 {
			t.Errorf("%s: %d\n%s%s", line, code, out, errs)
		}
	}
	w.check("kubectl set foo", want{"", "error: unknown command \"foo\"\nSee 'kubectl set -h' for help and examples\n", 1})
}

// pass lets time pass until something holds.
func (w *world) pass(until func() bool) {
	w.settle()
	for i := 0; i < 100 && !until(); i++ {
		due, ok := w.clock.Next()
		if !ok {
			return
		}
		w.clock.AdvanceTo(due)
		w.settle()
	}
}

// edited runs kubectl edit with an editor that replaces text, once for each pair.
func (w *world) edited(line string, replacements ...string) (stdout, stderr string, code int, seen []string) {
	var out, errs bytes.Buffer
	turn := 0
	editor := program.Program(func(c *program.Context, args []string) int {
		data, err := c.FS.ReadFile(args[1])
		if err != nil {
			return 1
		}
		seen = append(seen, string(data))
		if 2*turn+1 < len(replacements) {
			data = []byte(strings.ReplaceAll(string(data), replacements[2*turn], replacements[2*turn+1]))
		}
		turn++
		c.FS.WriteFile(args[1], data, 0o600)
		return 0
	})
	c := &program.Context{FS: w.fs, Dir: "/home/reader", Env: map[string]string{"HOME": "/home/reader", "KUBE_EDITOR": "ed"}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Lookup: func(name string) program.Program {
			if name == "ed" {
				return editor
			}
			return nil
		}}
	run := New(w.options())
	p := w.kernel.Spawn(nil, "kubectl", func(p *kernel.Proc) int {
		c.Proc = p
		return run(c, fields(line))
	})
	w.pass(func() bool { _, done := p.Done(); return done })
	code, done := p.Done()
	if !done {
		w.t.Fatalf("%s does not end", line)
	}
	return out.String(), errs.String(), code, seen
}

// TestEdit follows kubectl's editor loop: unchanged, changed, empty, invalid and mended, invalid and given up.
func TestEdit(t *testing.T) {
	w := newWorld(t)
	w.do("kubectl create deployment web --image=nginx --replicas=2", "")
	const header = "# Please edit the object below. Lines beginning with a '#' will be ignored,\n# and an empty file will abort the edit. If an error occurs while saving this file will be\n# reopened with the relevant failures.\n#\n"
	out, errs, code, seen := w.edited("kubectl edit deployment web")
	if out != "" || errs != "Edit cancelled, no changes made.\n" || code != 0 {
		t.Errorf("unchanged: %d %q %q", code, out, errs)
	}
	if len(seen) != 1 || !strings.HasPrefix(seen[0], header+"apiVersion: apps/v1\nkind: Deployment\n") || strings.Contains(seen[0], "managedFields") {
		t.Errorf("file:\n%s", seen)
	}
	out, errs, code, _ = w.edited("kubectl edit deployment web --output-patch", "replicas: 2", "replicas: 3")
	if out != "Patch: {\"spec\":{\"replicas\":3}}\ndeployment.apps/web edited\n" || errs != "" || code != 0 {
		t.Errorf("changed: %d %q %q", code, out, errs)
	}
	out, errs, code, seen = w.edited("kubectl edit deployment web", "replicas: 3", "replicas: -1", "replicas: -1", "replicas: 4")
	if out != "deployment.apps/web edited\n" || errs != "error: deployments.apps \"web\" is invalid\n" || code != 0 {
		t.Errorf("mended: %d %q %q", code, out, errs)
	}
	if len(seen) != 2 || !strings.HasPrefix(seen[1], header+"# deployments.apps \"web\" was not valid:\n# * spec.replicas: Invalid value: -1: must be greater than or equal to 0\n#\napiVersion: apps/v1\n") {
		t.Errorf("second file:\n%s", seen)
	}
	out, errs, code, _ = w.edited("kubectl edit deployment web", "replicas: 4", "replicas: -1")
	if code != 1 || !strings.HasPrefix(errs, "error: deployments.apps \"web\" is invalid\nA copy of your changes has been stored to \"/tmp/kubectl-edit-") ||
		!strings.HasSuffix(errs, "\nerror: Edit cancelled, no valid changes were saved.\n") {
		t.Errorf("given up: %d %q %q", code, out, errs)
	}
	_, errs, code, seen = w.edited("kubectl edit deployment web", "spec:\n", "spec\n", "spec\n", "spec:\n")
	if code != 0 || len(seen) < 2 || !strings.Contains(seen[1], "was not valid:\n# * <nil>: Invalid value: \"The edited file failed validation\": ") {
		t.Errorf("syntax: %d %q\n%s", code, errs, seen)
	}
}

// TestProxy serves the API on a local port until it is stopped.
func TestProxy(t *testing.T) {
	w := newWorld(t)
	ns := network.New().NewNamespace("reader")
	var out, errs bytes.Buffer
	c := &program.Context{FS: w.fs, Dir: "/home/reader", Env: w.env, Stdout: &out, Stderr: &errs, Net: ns}
	run := New(w.options())
	p := w.kernel.Spawn(nil, "kubectl", func(p *kernel.Proc) int {
		c.Proc = p
		return run(c, fields("kubectl proxy --port=8080"))
	})
	w.pass(func() bool { return out.Len() > 0 })
	if out.String() != "Starting to serve on 127.0.0.1:8080\n" {
		t.Fatalf("%q %q", &out, &errs)
	}
	ask := func(r *network.Request) (status int, body string) {
		q := w.kernel.Spawn(nil, "curl", func(p *kernel.Proc) int {
			resp, err := ns.Do(p, "localhost", 8080, r)
			if err != nil {
				body = err.Error()
				return 1
			}
			status, body = resp.Status, string(resp.Body)
			if resp.Stream != nil {
				b := make([]byte, 4096)
				n, _ := io.ReadAtLeast(resp.Stream, b, 1)
				body = string(b[:n])
				resp.Stream.CloseRead()
			}
			return 0
		})
		w.settle()
		if _, done := q.Done(); !done {
			t.Fatalf("%s %s does not end", r.Method, r.Path)
		}
		return status, body
	}
	w.do("kubectl create configmap c", "")
	const cms = "/api/v1/namespaces/default/configmaps"
	if status, body := ask(&network.Request{Method: "GET", Host: "localhost:8080", Path: cms + "/c"}); status != 200 || !strings.Contains(body, `"name": "c"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := ask(&network.Request{Method: "GET", Host: "localhost:8080", Path: cms + "?watch=true&fieldSelector=metadata.name=c"}); status != 200 || !strings.HasPrefix(body, `{"type":"ADDED","object":{`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := ask(&network.Request{Method: "DELETE", Host: "localhost:8080", Path: cms + "/c", Header: network.Header{"content-type": {"application/json"}},
		Body: []byte(`{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"}`)}); status != 200 || !strings.Contains(body, `"status": "Success"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := ask(&network.Request{Method: "GET", Host: "evil.example", Path: cms}); status != 403 || body != "Forbidden\n" {
		t.Errorf("%d %s", status, body)
	}
	p.Signal(kernel.SIGINT)
	w.settle()
	if code, done := p.Done(); !done || code != 130 || ns.Listening(8080) {
		t.Errorf("after Ctrl-C: %d %v, still listening: %v", code, done, ns.Listening(8080))
	}
}
