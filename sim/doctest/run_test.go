package doctest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
)

// results are a page's verdicts, one a line, with their details.
func results(t *testing.T, page string) (string, *Report) {
	t.Helper()
	p, err := Read("p.md", []byte(page), all)
	r := &Report{Page: "p.md", Err: err}
	if err == nil {
		r.Results, r.Err = p.Run(Host{Seed: 1, Load: func(name string) (map[string][]byte, error) {
			if name != "files" {
				return nil, fmt.Errorf("%s: no such folder", name)
			}
			return map[string][]byte{"a/b.txt": []byte("hello\n")}, nil
		}})
	}
	var b strings.Builder
	if r.Err != nil {
		fmt.Fprintln(&b, r.Err)
	}
	for _, x := range r.Results {
		fmt.Fprintf(&b, "%d %s", x.Line, x.Status)
		if len(x.Detail) > 0 {
			fmt.Fprintf(&b, ": %s", strings.Join(x.Detail, " | "))
		}
		b.WriteString("\n")
	}
	return b.String(), r
}

func TestRun(t *testing.T) {
	defer func(n int) { maxQuanta = n }(maxQuanta)
	maxQuanta = 2000
	for name, c := range map[string]struct{ page, want string }{
		"output beneath":                        {"```sh\necho a\n```\n```\na\n```\n", "2 passed\n"},
		"it differs":                            {"```sh\necho a\n```\n```\nb\n```\n", "2 differs: $ echo a | - b | + a\n"},
		"comment lines beneath a command":       {"```sh\n# first\necho a\n# a\n\necho b\n# about the next\necho c; echo d\n# c\n# d\n```\n", "2 passed\n"},
		"comment lines differ":                  {"```sh\necho a\n# b\n```\n", "2 differs: $ echo a | - b | + a\n"},
		"between prompts":                       {"```console\n$ echo a\na\n$ echo b\nc\n```\n", "2 differs: $ echo b | - c | + b\n"},
		"prompts and a block beneath":           {"```console\n$ echo a\na\n$ echo b\n```\n```\nb\n```\n", "2 passed\n"},
		"a failure that nobody shows":           {"```sh\nfalse\necho a\n```\n", "2 failed: exit status 1: false\n"},
		"no such command":                       {"```sh\nkubectx\n```\n", "2 failed: exit status 127: kubectx |   bash: kubectx: command not found\n"},
		"a failure that is shown":               {"```sh\nkubectl get pod nope\n```\n```\nError from server (NotFound): pods \"nope\" not found\n```\n", "2 passed\n"},
		"a failure that is announced":           {"<!-- kubonsai fails -->\n```sh\nfalse; true\n```\n<!-- kubonsai exit=3 -->\n```sh\n(exit 3)\n```\n", "3 passed\n7 passed\n"},
		"a failure that is announced and shown": {"<!-- kubonsai fails -->\n```sh\nls nope\necho a\n```\n```\n...\na\n```\n", "3 passed\n"},
		"a failure that does not come":          {"<!-- kubonsai fails -->\n```sh\ntrue\n```\n", "3 failed: the page says that a command fails here, and none does\n"},
		"an example":                            {"<!-- kubonsai example -->\n```sh\necho $RANDOM\n```\n```\n4711\n```\n", "3 passed\n"},
		"skipped":                               {"<!-- kubonsai skip=later -->\n```sh\nfalse\n```\n", "3 skipped: later\n"},
		"one shell for all blocks":              {"```sh\nx=1\n```\n```sh\necho $x\n# 1\n```\n<!-- kubonsai terminal=2 -->\n```sh\necho \"[$x]\"\n# []\n```\n", "2 passed\n5 passed\n10 passed\n"},
		"the last status is kept":               {"```sh\n(exit 3)\necho $?\n# 3\n```\n", "2 failed: exit status 3: (exit 3)\n"},
		"files":                                 {"<!-- kubonsai page files=files -->\n```yaml\n# x.yaml\nk: v\n```\n<!-- kubonsai file=h.txt\nhidden\n-->\n```sh\ncat x.yaml h.txt a/b.txt\n```\n```\n# x.yaml\nk: v\nhidden\nhello\n```\n", "10 passed\n"},
		"a file that changes":                   {"```yaml\n# x.yaml\nk: 1\n```\n```sh\ntail -1 x.yaml\n# k: 1\n```\n```yaml\n# x.yaml\nk: 2\n```\n```sh\ntail -1 x.yaml\n# k: 2\n```\n", "6 passed\n14 passed\n"},
		"hidden set-up":                         {"<!-- kubonsai run\nkubectl create namespace dev\n-->\n```sh\nkubectl get ns dev\n```\n```\nNAME   STATUS   AGE\ndev    Active   3s\n```\n", "2 passed\n5 passed\n"},
		"a forward beside, and its port":        {"```sh\nkubectl create deployment web --image=nginx\nkubectl rollout status deployment web\nkubectl port-forward deployment/web 8080:80\n```\n```sh\ncurl -sI localhost:8080 | head -1\n# HTTP/1.1 200 OK\n```\n```sh\nkubectl port-forward deployment/web 8080:80\n```\n```\nForwarding from 127.0.0.1:8080 -> 80\nForwarding from [::1]:8080 -> 80\n```\n<!-- kubonsai stop -->\n<!-- kubonsai fails -->\n```sh\ncurl -s localhost:8080\n```\n", "2 passed\n7 passed\n11 passed\n20 passed\n"},
		"a watch that goes on":                  {"<!-- kubonsai run\nkubectl run a --image=nginx\n-->\n<!-- kubonsai until=stop terminal=2 -->\n```sh\nkubectl get pods -w\n```\n```\nNAME  READY  STATUS   RESTARTS  AGE\na     1/1    Running      0  5s\na     1/1    Terminating  0  9s\na     0/1    Completed    0  9s\n```\n```sh\nkubectl delete pod a\n```\n", "2 passed\n6 passed\n15 passed\n"},
		"what is typed":                         {"<!-- kubonsai input=\"x y\\nz\\n\" -->\n```sh\ncat\n```\n```\nx y\nz\n```\n", "3 passed\n"},
		"an editor saves what it got":           {"```sh\nkubectl edit ns default\n# Edit cancelled, no changes made.\n```\n", "2 passed\n"},
		"a command that never ends":             {"```sh\nsleep 100000\necho a\n# a\n```\n", "2 failed: did not end: sleep 100000\n"},
		"a loop that never rests":               {"```sh\nwhile :; do :; done\necho a\n# a\n```\n", "2 failed: did not end: while :; do :; done\n"},
		"several nodes":                         {"---\nkubonsai: {nodes: 2}\n---\n```sh\nkubectl get nodes -o name\n# node/kind-control-plane\n# node/kind-worker\n```\n", "5 passed\n"},
		"no cluster at first":                   {"<!-- kubonsai page cluster=none -->\n<!-- kubonsai fails -->\n```sh\nkubectl get nodes\n```\n```sh\nkind create cluster --name a\nkubectl get nodes -o name\n# node/a-control-plane\n```\n", "4 passed\n7 passed\n"},
		"an image of the page's own":            {"<!-- kubonsai images\nimages:\n- name: example.com/hi\n  versions: [v1]\n  base: busybox\n-->\n```sh\nkubectl run a --image=example.com/hi:v1\n```\n", "8 passed\n"},
		"a folder that is not there":            {"<!-- kubonsai page files=nope -->\n```sh\nls\n```\n", "files=nope: nope: no such folder\n"},
		"no script at all":                      {"```sh\nif\n```\n", "2 failed: exit status 2: if |   bash: syntax error: unexpected end of file\n"},
	} {
		if got, _ := results(t, c.page); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

func TestReports(t *testing.T) {
	_, good := results(t, "```sh\necho '<a>'\n# <a>\n```\n<!-- kubonsai skip=later -->\n```sh\nx\n```\n")
	_, bad := results(t, "```sh\necho a\n# b\n```\n```sh\nfalse\n```\n")
	_, worse := results(t, "<!-- kubonsai nonsense -->")
	if !good.OK() || bad.OK() || worse.OK() {
		t.Error(good.OK(), bad.OK(), worse.OK())
	}
	var text bytes.Buffer
	for _, r := range []*Report{good, bad, worse} {
		r.Print(&text, false)
	}
	want := `p.md:2: passed: echo '<a>'
p.md:7: skipped: x
    later
p.md: 1 passed, 1 skipped
p.md:2: differs: echo a
    $ echo a
    - b
    + a
p.md:6: failed: false
    exit status 1: false
p.md: 0 passed, 1 differs, 1 failed
p.md: line 1: unknown option "nonsense"
`
	if text.String() != want {
		t.Errorf("got\n%swant\n%s", text.String(), want)
	}
	var out bytes.Buffer
	if err := JUnit(&out, []*Report{good, bad, worse}); err != nil {
		t.Fatal(err)
	}
	var suites junitSuites
	if err := xml.Unmarshal(out.Bytes(), &suites); err != nil {
		t.Fatal(err)
	}
	if suites.Tests != 5 || suites.Failures != 2 || suites.Errors != 1 || len(suites.Suites) != 3 || suites.Suites[0].Skipped != 1 || suites.Suites[1].Cases[0].Failure.Text != "$ echo a\n- b\n+ a" {
		t.Errorf("%s", out.String())
	}
}
