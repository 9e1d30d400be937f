// git's words, compared with those of the machine's own git.

package shell_test

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/shell"
	"github.com/kubonsai/kubonsai/sim/shell/repo"
	"github.com/kubonsai/kubonsai/sim/shell/tool"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func simulated(t *testing.T, dir, script string, set func(*vfs.FS, time.Time)) string {
	c := clock.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	k, f := kernel.New(c), vfs.New(c.Now)
	_ = f.MkdirAll(dir, 0o777)
	f.AddDevices(strings.NewReader(""))
	if set != nil {
		set(f, c.Now())
	}
	programs := tool.All()
	for n, p := range shell.Programs(shell.Bash) {
		programs[n] = p
	}
	var out bytes.Buffer
	x := &program.Context{FS: f, Dir: dir, Env: map[string]string{"HOME": dir, "PATH": "/usr/bin:/bin"}, Stdin: strings.NewReader(""),
		Stdout: &out, Stderr: &out, User: "ann", Host: "box", Lookup: func(n string) program.Program { return programs[n] }}
	p := k.Spawn(nil, "bash", func(p *kernel.Proc) int {
		x.Proc = p
		return x.Lookup("bash")(x, []string{"bash", "-c", script})
	})
	for k.Step() || c.Step(c.Now().Add(time.Hour)) {
	}
	if _, done := p.Done(); !done {
		t.Fatal("the script does not end")
	}
	return out.String()
}

const gitScript = `
run() { echo "\$ git $*"; git "$@" 2>&1; echo "[$?]"; }
run status
run init -q -b main 2>/dev/null || true
run config user.name ann; run config user.email ann@box; run config user.name; run config no.such
run status; run log; run diff; run branch
mkdir k8s; printf 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  labels:\n    a: b\n    c: d\ndata:\n  PORT: "8081"\n' > k8s/c.yaml; echo one > a.txt
run status; run status -s
run add nofile; run add; run add k8s; run status
run commit -m 'first one'
run commit -m again
run add .; run status -s; run commit -q -m second
sed -i s/8081/5555/ k8s/c.yaml
run status; run diff; run diff -- k8s/c.yaml; run diff a.txt; run diff --name-only; run diff --quiet; run diff HEAD; run diff HEAD~1 HEAD; run diff HEAD~1 -- k8s
cd k8s; run diff c.yaml; run diff --cached; run add c.yaml; run diff --cached; run restore --staged c.yaml; cd ..
run status -s; run checkout -- k8s/c.yaml; run diff; run checkout nofile; run restore nofile; run diff nofile
rm a.txt; printf 'x' > new; run status; run add -A; run diff --staged; run commit -m 'third'
run checkout -b topic; echo y > y; run add y; run commit -m y; run branch; run checkout main; ls; run branch topic; run branch -d nobranch; run checkout main
run log --oneline -n 2 --no-decorate; run rev-parse --abbrev-ref HEAD; run bogus
printf '1\n' > p; printf '2\n' > q; run diff --no-index p q; run diff --no-index p p; run diff --no-index p nofile; cd /; run status
`

var commitID = regexp.MustCompile(`\b[0-9a-f]{7}\]|(?m)^[0-9a-f]{7} `)

func TestGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	dir := t.TempDir()
	cmd := exec.Command("bash", "-c", gitScript)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "GIT_PAGER=cat"}
	real, _ := cmd.CombinedOutput()
	mask := func(s string) []string { return strings.Split(commitID.ReplaceAllString(s, "ID "), "\n$ ") }
	want, got := mask(string(real)), mask(simulated(t, dir, gitScript, nil))
	for i := range max(len(want), len(got)) {
		var w, g string
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			t.Errorf("got\n%s\nwant\n%s", g, w)
		}
	}
}

// The reader's home is a repository that knows the files of the page.
func TestGitInTheReadersHome(t *testing.T) {
	got := simulated(t, repo.Home, `echo b > a/f.yaml; git diff -- a/f.yaml; git status -s; git diff HEAD origin | wc -l; git commit -qam edit >/dev/null; git status; git diff HEAD origin | tail -2; git checkout HEAD~1 -- a/f.yaml; cat a/f.yaml; ls -A`, func(f *vfs.FS, now time.Time) {
		for name, data := range map[string]string{repo.Home + "/a/f.yaml": "a\n", repo.Home + "/.kube/config": "x", "/tmp/x": "x"} {
			_ = f.MkdirAll(repo.Home+"/a", 0o755)
			if strings.Contains(name, "f.yaml") {
				_ = f.WriteFile(name, []byte(data), 0o644)
			}
			repo.Track(f, name, []byte(data), now)
			repo.Track(f, name, []byte("later"), now)
		}
	})
	want := "diff --git a/a/f.yaml b/a/f.yaml\nindex 7898192..6178079 100644\n--- a/a/f.yaml\n+++ b/a/f.yaml\n@@ -1 +1 @@\n-a\n+b\n M a/f.yaml\n0\nOn branch main\nnothing to commit, working tree clean\n-b\n+a\na\na\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
