// Tools that run others: env, watch, timeout, chroot, su and sudo, and what they
// share.

package tool

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// runAs runs another program in the place of this one and returns its status.
func (t *T) runAs(args []string) int {
	p, status := t.spawn(args, nil)
	if p == nil {
		reason := "No such file or directory"
		if status == 126 {
			reason = "Permission denied"
		}
		if t.name == "timeout" || t.name == "nohup" || t.name == "chroot" || t.name == "xargs" || t.name == "nice" || t.name == "stdbuf" {
			verb := "failed to run command "
			if t.name == "xargs" {
				t.errorf("%s: %s", args[0], reason)
				return status
			}
			t.errorf("%s‘%s’: %s", verb, args[0], reason)
			return status
		}
		t.errorf("‘%s’: %s", args[0], reason)
		return status
	}
	t.forward(p)
	return t.wait(p)
}

// forward sends the signals that the tool gets to the process it runs.
func (t *T) forward(p *kernel.Proc) {
	was := t.Proc.OnSignal
	t.Proc.OnSignal = func(sig kernel.Signal) bool {
		if was != nil && was(sig) {
			return true
		}
		if sig == kernel.SIGCHLD {
			return true
		}
		if _, done := p.Done(); !done {
			p.Signal(sig)
			return true
		}
		return false
	}
}

func env(t *T) int {
	c := t.Context.Clone()
	args := t.args
	end := "\n"
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch a := args[0]; {
		case a == "-i" || a == "-" || a == "--ignore-environment":
			c.Env = map[string]string{}
		case a == "-0" || a == "--null":
			end = "\x00"
		case a == "-u" && len(args) > 1:
			delete(c.Env, args[1])
			args = args[1:]
		case strings.HasPrefix(a, "-u"):
			delete(c.Env, a[2:])
		case strings.HasPrefix(a, "--unset="):
			delete(c.Env, a[8:])
		case a == "-S" && len(args) > 1:
			args = append([]string{""}, append(strings.Fields(args[1]), args[2:]...)...)
		case a == "-C" && len(args) > 1:
			c.Dir = t.Path(args[1])
			args = args[1:]
		case a == "--":
		default:
			t.usageError(125, "invalid option -- '%s'", strings.TrimLeft(a, "-"))
			return 125
		}
		args = args[1:]
	}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		k, v, _ := strings.Cut(args[0], "=")
		c.Env[k] = v
		args = args[1:]
	}
	t.Context = c
	if len(args) > 0 {
		return t.runAs(args)
	}
	for _, e := range t.environ() {
		t.puts(e + end)
	}
	return 0
}

func watch(t *T) int {
	if !t.parseOpts("n:dtbegxc", true, "interval=n", "differences=d?", "no-title=t", "beep=b", "errexit=e", "chgexit=g", "exec=x", "color=c") {
		return 1
	}
	if len(t.args) == 0 {
		t.eprint("Usage:\n watch [options] command\n")
		return 1
	}
	every := 2 * time.Second
	if v, ok := t.opts["n"]; ok {
		f, err := strconv.ParseFloat(strings.Replace(v, ",", ".", 1), 64)
		if err != nil || f < 0 {
			t.errorf("failed to parse argument: '%s'", v)
			return 1
		}
		every = max(100*time.Millisecond, time.Duration(f*float64(time.Second)))
	}
	text := strings.Join(t.args, " ")
	last := ""
	for {
		out := &capture{}
		args := []string{"sh", "-c", text}
		if t.has("x") {
			args = t.args
		}
		real := t.Stdout
		errOut := t.Stderr
		t.Stdout, t.Stderr = out, out
		tty := t.TTY
		t.TTY = nil
		p, status := t.spawn(args, strings.NewReader(""))
		t.Stdout, t.Stderr, t.TTY = real, errOut, tty
		if p == nil {
			t.errorf("%s: command not found", args[0])
			return status
		}
		t.Proc.AtExit(func() { p.Signal(kernel.SIGKILL) })
		code := t.wait(p)
		body := string(out.b)
		if t.TTY != nil {
			t.TTY.Clear()
			cols, rows := t.TTY.Size()
			lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
			if !t.has("t") {
				left := fmt.Sprintf("Every %.1fs: %s", every.Seconds(), text)
				right := fmt.Sprintf("%s: %s", t.Host, t.Proc.Now().Format("Mon Jan _2 15:04:05 2006"))
				if len(left) > cols-len(right)-1 {
					left = left[:max(0, cols-len(right)-4)] + "..."
				}
				t.printf("%s%s%s\n\n", left, strings.Repeat(" ", max(1, cols-len(left)-len(right))), right)
				rows -= 2
			}
			if rows > 1 && len(lines) > rows-1 {
				lines = lines[:rows-1]
			}
			t.puts(strings.Join(lines, "\n") + "\n")
		} else {
			if !t.has("t") {
				t.printf("Every %.1fs: %s\t%s: %s\n\n", every.Seconds(), text, t.Host, t.Proc.Now().Format("Mon Jan _2 15:04:05 2006"))
			}
			t.puts(body)
			if !t.has("t") {
				t.puts("\n")
			}
		}
		t.flush()
		if t.has("e") && code != 0 {
			return 8
		}
		if t.has("g") && last != "" && last != body {
			return 0
		}
		last = body
		if err := t.Proc.Sleep(every); err != nil {
			return 130
		}
	}
}

// capture takes a program's output, up to a bound.
type capture struct{ b []byte }

func (c *capture) Write(b []byte) (int, error) {
	if len(c.b) < 1<<20 {
		c.b = append(c.b, b...)
	}
	return len(b), nil
}

func timeout(t *T) int {
	if !t.parseOpts("s:k:vfp", true, "signal=s", "kill-after=k", "foreground=f?", "preserve-status=p?", "verbose=v") {
		return 125
	}
	if len(t.args) < 2 {
		t.usageError(125, "missing operand")
		return 125
	}
	d, ok := ParseDuration(t.args[0])
	if !ok {
		t.usageError(125, "invalid time interval ‘%s’", t.args[0])
		return 125
	}
	sig := kernel.SIGTERM
	if v, ok := t.opts["s"]; ok {
		if sig, ok = signalNumber(v); !ok {
			t.usageError(125, "%s: invalid signal", v)
			return 125
		}
	}
	p, status := t.spawn(t.args[1:], nil)
	if p == nil {
		reason := "No such file or directory"
		if status == 126 {
			reason = "Permission denied"
		}
		t.errorf("failed to run command ‘%s’: %s", t.args[1], reason)
		return status
	}
	t.forward(p)
	expired := false
	if d > 0 && d < 1<<62 {
		timer := t.Proc.Kernel().Clock().After(d, "timeout", func() {
			expired = true
			p.Signal(sig)
			if k, ok := ParseDuration(t.opts["k"]); ok && k > 0 {
				t.Proc.Kernel().Clock().After(k, "timeout -k", func() { p.Signal(kernel.SIGKILL) })
			}
		})
		defer timer.Stop()
	}
	code := t.wait(p)
	if expired && !t.has("p") {
		if sig == kernel.SIGKILL || code == 137 {
			return 137
		}
		return 124
	}
	return code
}

// chroot runs a command, a shell by default, whose root is a directory.
func chroot(t *T) int {
	if len(t.args) == 0 {
		t.usageError(0, "missing operand")
		return 125
	}
	info, err := t.FS.Stat(t.Path(t.args[0]))
	if err == nil && !info.IsDir() {
		err = vfs.ENOTDIR
	}
	if err != nil {
		t.errorf("cannot change root directory to '%s': %s", t.args[0], vfs.Reason(err))
		return 125
	}
	c := *t.Context
	c.FS, c.Dir = vfs.New(t.Proc.Now), "/"
	c.FS.MountDir("/", t.FS, t.Path(t.args[0]), false)
	t.Context = &c
	if len(t.args) == 1 {
		return t.runAs([]string{"sh", "-i"})
	}
	return t.runAs(t.args[1:])
}

func su(t *T) int {
	if t.name == "sudo" {
		args := t.args
		for len(args) > 0 && strings.HasPrefix(args[0], "-") {
			if (args[0] == "-u" || args[0] == "-g") && len(args) > 1 {
				args = args[1:]
			}
			args = args[1:]
		}
		if len(args) == 0 {
			t.eprint("usage: sudo [-u user] command [arg ...]\n")
			return 1
		}
		c := *t.Context
		c.UID, c.User = 0, "root"
		t.Context = &c
		return t.runAs(args)
	}
	if t.UID != 0 {
		t.eprint("Password: su: Authentication failure\n")
		return 1
	}
	args := []string{"sh"}
	for i, a := range t.args {
		if a == "-c" && i+1 < len(t.args) {
			args = append(args, "-c", t.args[i+1])
		}
	}
	return t.runAs(args)
}
