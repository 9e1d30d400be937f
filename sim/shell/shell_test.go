// Tests of the shell: each row runs in ours and, when bash is on the machine,
// in the real one; stdout, stderr and exit status must be those of the row.

package shell_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/shell"
	"github.com/kubonsai/kubonsai/sim/shell/tool"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// machine is a home with files, on which scripts run.
type machine struct {
	clock *clock.Clock
	k     *kernel.Kernel
	fs    *vfs.FS
}

func newMachine() *machine {
	m := &machine{clock: clock.New(time.Date(2026, 11, 22, 2, 14, 45, 0, time.UTC))}
	m.k = kernel.New(m.clock)
	m.fs = vfs.New(m.clock.Now)
	_ = m.fs.MkdirAll("/home/reader", 0o755)
	_ = m.fs.MkdirAll("/tmp", 0o1777)
	m.fs.AddDevices(zeros{})
	return m
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func (m *machine) context(stdin string, out, errOut *bytes.Buffer) *program.Context {
	tools := tool.All()
	for n, p := range shell.Programs(shell.Bash) {
		tools[n] = p
	}
	return &program.Context{
		FS: m.fs, Dir: "/tmp/w", Env: map[string]string{"HOME": "/home/reader", "PATH": "/usr/local/bin:/usr/bin:/bin"},
		Stdin: strings.NewReader(stdin), Stdout: out, Stderr: errOut, User: "root", Host: "reader",
		Lookup: func(n string) program.Program { return tools[n] },
	}
}

// run executes argv to its end, or for at most steps turns.
func (m *machine) run(stdin string, steps int, argv ...string) (stdout, stderr string, code int, done bool) {
	_ = m.fs.MkdirAll("/tmp/w", 0o755)
	var out, errOut bytes.Buffer
	c := m.context(stdin, &out, &errOut)
	prog := c.Lookup(argv[0])
	p := m.k.Spawn(nil, argv[0], func(p *kernel.Proc) int {
		c.Proc = p
		return prog(c, argv)
	})
	far := m.clock.Now().Add(100 * 365 * 24 * time.Hour)
	for range steps {
		if _, end := p.Done(); end {
			break
		}
		if !m.k.Step() && !m.clock.Step(far) {
			break
		}
	}
	code, done = p.Done()
	return out.String(), errOut.String(), code, done
}

func bash(t testing.TB) string {
	p, err := exec.LookPath("bash")
	if err != nil {
		return ""
	}
	if out, _ := exec.Command(p, "-c", "echo ${BASH_VERSINFO[0]}").Output(); strings.TrimSpace(string(out)) != "5" {
		return ""
	}
	return p
}

// real runs the script in the machine's own bash, in an empty directory.
func real(t testing.TB, argv ...string) (stdout, stderr string, code int) {
	dir := t.TempDir()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Args[0] = "bash"
	cmd.Dir = dir
	cmd.Env = []string{"HOME=/home/reader", "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	_ = cmd.Run()
	_ = os.Remove
	clean := func(s string) string { return strings.ReplaceAll(s, dir, "/tmp/w") }
	return clean(out.String()), clean(errOut.String()), cmd.ProcessState.ExitCode()
}

func compare(t *testing.T, script, skipReason string) {
	t.Helper()
	m := newMachine()
	out, errOut, code, done := m.run("", 1_000_000, "bash", "-c", script)
	if !done {
		t.Errorf("%s\n  does not end", script)
		return
	}
	if skipReason != "" {
		return
	}
	if b := bash(t); b != "" {
		wantOut, wantErr, wantCode := real(t, b, "-c", script)
		if out != wantOut || errOut != wantErr || code != wantCode {
			t.Errorf("%s\n ours: %q %q %d\n bash: %q %q %d", script, out, errOut, code, wantOut, wantErr, wantCode)
		}
	}
}

func ExampleShell() {
	m := newMachine()
	out, _, code, _ := m.run("", 1000, "bash", "-c", "for i in 1 2 3; do echo $((i*i)); done | tac; false")
	fmt.Print(out, code)
	// Output:
	// 9
	// 4
	// 1
	// 1
}
