package kubectl

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// realKubectl is the real kubectl, as `make parity` builds it; tests that
// compare with it are skipped where it has not been built.
var realKubectl, _ = filepath.Abs("../../dist/real-kubectl")

// TestConfigParity types the same lines at the real kubectl and at ours, each
// with a kubeconfig of its own; what they print and what they write must be equal.
func TestConfigParity(t *testing.T) {
	if _, err := os.Stat(realKubectl); err != nil {
		t.Skip("the real kubectl has not been built: make parity")
	}
	dir := t.TempDir()
	w := newWorld(t)
	w.env = map[string]string{"HOME": dir}
	w.fs.MkdirAll(dir+"/.kube", 0o755)
	for _, line := range strings.Split(strings.TrimSpace(`
kubectl config view
kubectl config get-contexts
kubectl config current-context
kubectl config set-context --current --namespace=x
kubectl config set-cluster a --server=https://1.2.3.4:6443
kubectl config set-credentials u --token=abc
kubectl config set-context c --cluster=a --user=u --namespace=n
kubectl config use-context c
kubectl config view
kubectl config view --raw
kubectl config view --minify -o json
kubectl config view -o jsonpath={.contexts[*].name}
kubectl config view -o name
kubectl config set-context --current --namespace=zz
kubectl config set-context c --namespace=q
kubectl config set-context
kubectl config set-context c --current
kubectl config get-contexts
kubectl config get-contexts c nope
kubectl config get-contexts nope
kubectl config get-contexts -o name
kubectl config get-contexts -o yaml
kubectl config get-clusters
kubectl config get-users
kubectl config rename-context c d
kubectl config rename-context x y
kubectl config rename-context d
kubectl config delete-context x
kubectl config set contexts.d.namespace foo
kubectl config set clusters.b.server https://x
kubectl config set clusters.b.insecure-skip-tls-verify true
kubectl config set current-context nope
kubectl config get-contexts --no-headers
kubectl config unset contexts.d.namespace
kubectl config unset users.nope
kubectl config set foo.bar x
kubectl config set foo
kubectl config delete-cluster zz
kubectl config delete-cluster b
kubectl config delete-user zz
kubectl config delete-user
kubectl config unset current-context
kubectl config use-context d
kubectl config use d
kubectl config use-context nope
kubectl config use-context
kubectl config set users.u.password xx
kubectl config set users.u.client-key-data abc --set-raw-bytes=true
kubectl config set-cluster a --insecure-skip-tls-verify=true --tls-server-name=t
kubectl config set-credentials u --username=x --password=y
kubectl config set-credentials u --username=x --token=y
kubectl config view
kubectl config view -o yaml --raw
kubectl config view -o kyaml
kubectl config view x
kubectl config foo
kubectl config view --minify
kubectl get pods --context nope
kubectl get pods --cluster nope
kubectl get pods --user nope
kubectl version --client
kubectl version --client -o nope
kubectl version x
kubectl completion
kubectl completion tcsh
kubectl completion bash zsh
kubectl alpha
kubectl alpha foo
kubectl auth can-i
kubectl auth can-i --list x
kubectl explain
kubectl explain a b
kubectl get
kubectl get pods --show-labels -o yaml
kubectl get --raw /x -o yaml
kubectl get --raw x
kubectl get --raw /x -w
kubectl api-resources --sort-by=x
kubectl api-resources x
kubectl api-resources -o nope
kubectl api-versions x
kubectl describe
kubectl top pods a b
kubectl top pods --sort-by=x
kubectl events --types=x
kubectl versionn
kubectl versio
kubectl -n
kubectl get pods --chunk-size=x
kubectl get --watch=x
kubectl config delete-context d
kubectl config view --minify`), "\n") {
		args := fields(line)
		cmd := exec.Command(realKubectl, args[1:]...)
		cmd.Env = []string{"HOME=" + dir, "PATH=/nonexistent"}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run()
		wantCode := cmd.ProcessState.ExitCode()
		gotOut, gotErr, code := w.do(line, "")
		clean := func(s string) string { // the real one logs what it tries
			var kept []string
			for _, l := range strings.Split(s, "\n") {
				if !strings.HasPrefix(l, "E11") && !strings.Contains(l, "memcache.go") {
					kept = append(kept, l)
				}
			}
			return strings.ReplaceAll(strings.Join(kept, "\n"), realKubectl, "kubectl")
		}
		if i := strings.Index(out.String(), "\nUsage:\n"); i > 0 && strings.Contains(gotOut, "\nUsage:\n") {
			gotOut = out.String() // help pages are in our own words; TestHelpParity compares their facts
		}
		if gotOut != clean(out.String()) || gotErr != clean(errs.String()) || code != wantCode {
			t.Errorf("%s\n got exit %d %q\n     stderr %q\nwant exit %d %q\n     stderr %q", line, code, gotOut, gotErr, wantCode, clean(out.String()), clean(errs.String()))
		}
		realFile, _ := os.ReadFile(dir + "/.kube/config")
		ourFile, _ := w.fs.ReadFile(dir + "/.kube/config")
		if !bytes.Equal(realFile, ourFile) {
			t.Errorf("%s: file\n%s\nwant\n%s", line, ourFile, realFile)
		}
	}
}

// TestHelpParity compares the flags, their shorthands and defaults, and the
// subcommands of every help page.
func TestHelpParity(t *testing.T) {
	if _, err := os.Stat(realKubectl); err != nil {
		t.Skip("the real kubectl has not been built: make parity")
	}
	w := newWorld(t)
	facts := func(page string) []string {
		var out []string
		heading := ""
		for _, l := range strings.Split(page, "\n") {
			switch {
			case strings.HasSuffix(l, ":") && !strings.HasPrefix(l, " "):
				heading = l
			case strings.HasPrefix(l, "    -") && strings.HasSuffix(l, ":"):
				out = append(out, strings.TrimSpace(l))
			case strings.HasSuffix(heading, "Commands:") && strings.HasPrefix(l, "  "):
				out = append(out, strings.Fields(l)[0])
			case heading == "Aliases:" && l != "":
				out = append(out, l)
			case heading == "Usage:" && strings.HasPrefix(l, "  kubectl"):
				out = append(out, l)
			}
		}
		return out
	}
	var lines []string
	var walk func(c *Command)
	walk = func(c *Command) {
		lines = append(lines, c.Path()+" --help")
		for _, s := range c.Sub {
			walk(s)
		}
	}
	walk(commands())
	known := map[string]string{
		"kubectl --help":         "verbs that are not there yet; kuberc would have no effect here",
		"kubectl auth --help":    "auth reconcile is not there yet",
		"kubectl options --help": "the real page is the list of options itself",
		"kubectl alpha --help":   "the real one has no page, but says on stderr that there is nothing in it",
	}
	for _, line := range lines {
		cmd := exec.Command(realKubectl, fields(line)[1:]...)
		cmd.Env = []string{"HOME=$HOME", "PATH=/nonexistent"}
		data, _ := cmd.Output()
		got, _, code := w.do(line, "")
		g, r := strings.Join(facts(got), "\n"), strings.Join(facts(string(data)), "\n")
		if code != 0 || g != r && known[line] == "" {
			t.Errorf("%s: exit %d\n%s", line, code, difference(g, r))
		}
	}
}

// difference lists the lines that only one of two texts has.
func difference(got, want string) string {
	var b strings.Builder
	in := func(text, line string) bool { return strings.Contains("\n"+text+"\n", "\n"+line+"\n") }
	for _, l := range strings.Split(got, "\n") {
		if !in(want, l) {
			b.WriteString("  ours only: " + l + "\n")
		}
	}
	for _, l := range strings.Split(want, "\n") {
		if !in(got, l) {
			b.WriteString("  real only: " + l + "\n")
		}
	}
	return b.String()
}
