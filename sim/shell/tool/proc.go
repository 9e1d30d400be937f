// env, xargs, watch, timeout, ps, kill and their kin: tools about processes and
// the machine.

package tool

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() {
	reg("env [OPTION]... [-] [NAME=VALUE]... [COMMAND [ARG]...]", env, "env")
	reg("printenv [OPTION]... [VARIABLE]...", func(t *T) int {
		if len(t.args) == 0 {
			for _, e := range t.environ() {
				t.puts(e + "\n")
			}
			return 0
		}
		bad := 0
		for _, n := range t.args {
			if v, ok := t.Env[n]; ok {
				t.puts(v + "\n")
			} else {
				bad = 1
			}
		}
		return bad
	}, "printenv")
	reg("xargs [OPTION]... COMMAND [INITIAL-ARGS]...", xargs, "xargs")
	reg("watch [options] command", watch, "watch")
	reg("timeout [OPTION] DURATION COMMAND [ARG]...", timeout, "timeout")
	reg("nohup COMMAND [ARG]...", func(t *T) int {
		if len(t.args) == 0 {
			t.usageError(0, "missing operand")
			return 125
		}
		return t.runAs(t.args)
	}, "nohup", "setsid", "stdbuf", "nice")
	reg("chroot [OPTION] NEWROOT [COMMAND [ARG]...]", chroot, "chroot")
	reg("time [-p] COMMAND [ARG]...", func(t *T) int {
		start := t.Proc.Now()
		args := t.args
		if len(args) > 0 && args[0] == "-p" {
			args = args[1:]
		}
		if len(args) == 0 {
			return 0
		}
		code := t.runAs(args)
		d := t.Proc.Now().Sub(start)
		t.eprint(fmt.Sprintf("real\t%dm %.2fs\nuser\t0m 0.00s\nsys\t0m 0.00s\n", int(d.Minutes()), d.Seconds()-60*float64(int(d.Minutes()))))
		return code
	}, "time")
	reg("ps [options]", ps, "ps")
	reg("kill [-s signal|-p] pid...", kill, "kill")
	reg("pgrep [options] <pattern>", pgrep, "pgrep", "pkill", "killall", "pidof")
	reg("top [-b] [-n N]", top, "top", "htop")
	reg("id [OPTION]... [USER]", id, "id")
	reg("whoami", func(t *T) int {
		u := t.user()
		if u == strconv.Itoa(t.UID) {
			if t.busybox() {
				t.errorf("unknown uid %s", u)
			} else {
				t.errorf("cannot find name for user ID %s", u)
			}
			return 1
		}
		t.puts(u + "\n")
		return 0
	}, "whoami", "logname")
	reg("groups", func(t *T) int { t.puts(t.user() + "\n"); return 0 }, "groups")
	reg("tty", func(t *T) int {
		if t.TTY == nil {
			t.puts("not a tty\n")
			return 1
		}
		t.puts("/dev/pts/0\n")
		return 0
	}, "tty")
	reg("stty", func(t *T) int {
		if len(t.args) > 0 && t.args[0] == "size" && t.TTY != nil {
			c, r := t.TTY.Size()
			t.printf("%d %d\n", r, c)
		}
		return 0
	}, "stty")
	reg("tput", func(t *T) int {
		if len(t.args) > 0 {
			c, r := 80, 24
			if t.TTY != nil {
				c, r = t.TTY.Size()
			}
			switch t.args[0] {
			case "cols":
				t.printf("%d\n", c)
			case "lines":
				t.printf("%d\n", r)
			case "clear":
				t.clear()
			case "bold":
				t.puts("\x1b[1m")
			case "sgr0":
				t.puts("\x1b(B\x1b[m")
			case "setaf":
				if len(t.args) > 1 {
					t.puts("\x1b[3" + t.args[1] + "m")
				}
			}
		}
		return 0
	}, "tput")
	reg("clear", func(t *T) int { t.clear(); return 0 }, "clear", "reset")
	reg("hostname [-b|-I|-i|-s|-f]", hostname, "hostname")
	reg("uname [OPTION]...", uname, "uname")
	reg("arch", func(t *T) int { t.puts("x86_64\n"); return 0 }, "arch")
	reg("uptime [options]", func(t *T) int {
		up := t.uptime()
		s := fmt.Sprintf("%2d min", int(up.Minutes()))
		if up >= time.Hour {
			s = fmt.Sprintf("%2d:%02d", int(up.Hours())%24, int(up.Minutes())%60)
		}
		if days := int(up.Hours()) / 24; days > 0 {
			plural := "s"
			if days == 1 {
				plural = ""
			}
			s = fmt.Sprintf("%d day%s, %s", days, plural, s)
		}
		t.printf(" %s up %s,  0 users,  load average: 0.08, 0.03, 0.01\n", t.Proc.Now().Format("15:04:05"), s)
		return 0
	}, "uptime")
	reg("free [options]", func(t *T) int {
		const total = 8 << 20
		if len(t.args) > 0 && strings.Contains(t.args[0], "h") {
			t.puts("               total        used        free      shared  buff/cache   available\nMem:           8.0Gi       1.6Gi       4.2Gi        12Mi       2.2Gi       6.2Gi\nSwap:             0B          0B          0B\n")
			return 0
		}
		div := 1
		if len(t.args) > 0 && strings.Contains(t.args[0], "m") {
			div = 1024
		}
		t.puts("               total        used        free      shared  buff/cache   available\n")
		t.printf("Mem:     %11d %11d %11d %11d %11d %11d\n", total/div, 1677721/div, 4404019/div, 12288/div, 2306867/div, 6501171/div)
		t.printf("Swap:    %11d %11d %11d\n", 0, 0, 0)
		return 0
	}, "free")
	reg("nproc [OPTION]...", func(t *T) int { t.puts("2\n"); return 0 }, "nproc")
	reg("su [options] [-] [user [argument...]]", su, "su", "sudo")
	reg("getent database [key ...]", getent, "getent")
}

func (t *T) user() string {
	if t.User != "" {
		return t.User
	}
	if t.UID == 0 {
		return "root"
	}
	return strconv.Itoa(t.UID)
}

func (t *T) clear() {
	t.flush()
	if t.TTY != nil {
		t.TTY.Clear()
		return
	}
	t.puts("\x1b[H\x1b[2J\x1b[3J")
}

// epoch is when the machine started, as far as its first process tells.
func (t *T) uptime() time.Duration {
	if t.System != nil {
		if ps := t.System.Processes(); len(ps) > 0 {
			return t.Proc.Now().Sub(ps[0].Started)
		}
	}
	y, m, d := t.Proc.Now().Date()
	return t.Proc.Now().Sub(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
}

func (t *T) environ() []string {
	var out []string
	for _, e := range t.Environ() {
		out = append(out, e)
	}
	return out
}

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

func xargs(t *T) int {
	if !t.parseOpts("0n:I:i:rP:td:L:s:xpa:", true, "null=0", "max-args=n", "replace=I", "no-run-if-empty=r", "max-procs=P", "verbose=t", "delimiter=d", "max-lines=L") {
		return 1
	}
	command := t.args
	if len(command) == 0 {
		command = []string{"echo"}
	}
	n, ok := t.number("n", 0)
	if !ok || t.has("n") && n < 1 {
		t.errorf("value %s for -n option should be >= 1", t.opts["n"])
		return 1
	}
	procs, _ := t.number("P", 1)
	if procs == 0 {
		procs = 1 << 10
	}
	repl, byLine := t.opts["I"]
	if v, has := t.opts["L"]; has {
		byLine = true
		repl = ""
		n, _ = strconv.Atoi(v)
	}
	in := io.Reader(stdin{t})
	if f, ok := t.opts["a"]; ok {
		r, err := t.open(f)
		if err != nil {
			t.errorf("Cannot open input file ‘%s’: %s", f, vfs.Reason(err))
			return 1
		}
		in = r
	}
	status := 0
	var running []*kernel.Proc
	reap := func(limit int) bool {
		for len(running) > limit {
			code := t.wait(running[0])
			running = running[1:]
			switch {
			case code == 255:
				t.errorf("%s: exited with status 255; aborting", command[0])
				status = 124
				return false
			case code > 128 && code < 160:
				t.errorf("%s: terminated by signal %d", command[0], code-128)
				status = 125
				return false
			case code != 0:
				status = 123
			}
		}
		return true
	}
	t.Proc.OnSignal = func(sig kernel.Signal) bool {
		if sig == kernel.SIGCHLD {
			return true
		}
		for _, p := range running {
			p.Signal(sig)
		}
		return false
	}
	start := func(args []string) bool {
		if t.has("t") {
			t.eprint(strings.Join(args, " ") + "\n")
		}
		p, code := t.spawn(args, strings.NewReader(""))
		if p == nil {
			reason := "No such file or directory"
			if code == 126 {
				reason = "Permission denied"
			}
			t.errorf("%s: %s", args[0], reason)
			status = code
			return false
		}
		running = append(running, p)
		return reap(procs - 1)
	}
	ran := false
	var batch []string
	size := 0
	flush := func() bool {
		if len(batch) == 0 {
			return true
		}
		ran = true
		args := append(append([]string(nil), command...), batch...)
		batch, size = nil, 0
		return start(args)
	}
	add := func(item string) bool {
		if t.has("I") {
			ran = true
			args := make([]string, len(command))
			for i, a := range command {
				args[i] = strings.ReplaceAll(a, repl, item)
			}
			return start(args)
		}
		batch = append(batch, item)
		size += len(item) + 1
		if n > 0 && len(batch) >= n || size > 128<<10 {
			return flush()
		}
		return true
	}
	more := true
	switch {
	case t.has("0") || t.has("d"):
		delim := byte(0)
		if v, ok := t.opts["d"]; ok {
			e, _ := Escapes(v, true)
			if e == "" {
				t.errorf("Invalid input delimiter specification %s", v)
				return 1
			}
			delim = e[0]
		}
		_ = t.records(in, delim, func(l []byte, _ bool) bool { more = add(string(l)); return more })
	case byLine && t.has("I"):
		_ = t.lines(in, func(l []byte, _ bool) bool {
			if s := strings.TrimLeft(string(l), " \t"); s != "" {
				w, bad := unquoteArgs(s, true)
				if bad != "" {
					t.errorf("%s", bad)
					status, more = 1, false
					return false
				}
				more = add(w[0])
			}
			return more
		})
	default:
		lines := 0
		_ = t.lines(in, func(l []byte, _ bool) bool {
			words, bad := unquoteArgs(string(l), false)
			if bad != "" {
				t.errorf("%s", bad)
				status, more = 1, false
				return false
			}
			for _, w := range words {
				if t.has("L") {
					batch = append(batch, w)
					continue
				}
				if more = add(w); !more {
					return false
				}
			}
			if t.has("L") && len(words) > 0 {
				if lines++; lines >= n {
					lines = 0
					more = flush()
				}
			}
			return more
		})
	}
	if more {
		more = flush()
	}
	if more && !ran && !t.has("r") && !t.has("I") {
		more = start(command)
	}
	reap(0)
	return status
}

// unquoteArgs splits a line as xargs does: quotes and backslashes protect.
func unquoteArgs(l string, whole bool) (words []string, bad string) {
	var b strings.Builder
	open := false
	for i := 0; i < len(l); i++ {
		switch c := l[i]; {
		case c == '\'' || c == '"':
			j := strings.IndexByte(l[i+1:], c)
			if j < 0 {
				kind := "single"
				if c == '"' {
					kind = "double"
				}
				return nil, "unmatched " + kind + " quote; by default quotes are special to xargs unless you use the -0 option"
			}
			b.WriteString(l[i+1 : i+1+j])
			i += j + 1
			open = true
		case c == '\\' && i+1 < len(l):
			i++
			b.WriteByte(l[i])
			open = true
		case (c == ' ' || c == '\t') && !whole:
			if open {
				words = append(words, b.String())
				b.Reset()
				open = false
			}
		default:
			b.WriteByte(c)
			open = true
		}
	}
	if open || whole {
		words = append(words, b.String())
	}
	return words, ""
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

func signalNumber(v string) (kernel.Signal, bool) {
	if n, err := strconv.Atoi(v); err == nil {
		return kernel.Signal(n), n >= 0 && n < 65
	}
	v = strings.TrimPrefix(strings.ToUpper(v), "SIG")
	for n, name := range []string{0: "EXIT", 1: "HUP", 2: "INT", 3: "QUIT", 6: "ABRT", 9: "KILL", 10: "USR1", 12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 17: "CHLD", 18: "CONT", 19: "STOP", 20: "TSTP", 28: "WINCH"} {
		if name != "" && name == v {
			return kernel.Signal(n), true
		}
	}
	return 0, false
}

// processes is the process table; without a System, the tool and what started
// it.
func (t *T) processes() []program.ProcessInfo {
	if t.System != nil {
		return t.System.Processes()
	}
	var out []program.ProcessInfo
	for p := t.Proc; p != nil; p = p.Parent {
		info := program.ProcessInfo{PID: p.ID, User: t.user(), Args: []string{p.Name}, Started: t.Proc.Now(), State: "S"}
		if p.Parent != nil {
			info.PPID = p.Parent.ID
		}
		if p == t.Proc {
			info.Args, info.State = append([]string{t.name}, t.args...), "R"
		} else if p.Name == "subshell" || p.Name == "" {
			info.Args = []string{"bash"}
		}
		out = append(out, info)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].PID < out[j].PID })
	return out
}

func ps(t *T) int {
	bsd := len(t.args) > 0 && !strings.HasPrefix(t.args[0], "-")
	all := strings.Join(t.args, " ")
	list := t.processes()
	now := t.Proc.Now()
	clock := func(p program.ProcessInfo) string {
		if now.Sub(p.Started) >= 24*time.Hour {
			return p.Started.Format("Jan02")
		}
		return p.Started.Format("15:04")
	}
	busybox := t.busybox()
	own := map[int]bool{}
	if t.System == nil {
		for _, p := range list {
			own[p.PID] = true
		}
	} else {
		// the terminal's own: this process and those above it
		me := t.System.PID(t.Proc)
		byPID := map[int]program.ProcessInfo{}
		for _, p := range list {
			byPID[p.PID] = p
		}
		for n := 0; me != 0 && n < 100; n++ {
			own[me] = true
			me = byPID[me].PPID
		}
	}
	if i := strings.Index(all, "-o"); i >= 0 && !busybox {
		cols := strings.Split(strings.Fields(strings.TrimSpace(all[i+2:]) + " ")[0], ",")
		t.psColumns(list, cols, own, strings.ContainsAny(all[:i], "eA") || strings.Contains(all, "-e"))
		return 0
	}
	switch {
	case busybox:
		t.puts("PID   USER     TIME  COMMAND\n")
		for _, p := range list {
			t.printf("%5d %-8s  0:00 %s\n", p.PID, p.User, psCommand(p))
		}
	case bsd && strings.Contains(all, "u"):
		t.puts("USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n")
		for _, p := range list {
			t.printf("%-8s %7d  0.0  0.0 %6d %5d ?        %-4s %s   0:00 %s\n", p.User, p.PID, p.RSS/1024*3, p.RSS/1024, p.State, clock(p), psCommand(p))
		}
	case bsd:
		t.puts("    PID TTY      STAT   TIME COMMAND\n")
		for _, p := range list {
			t.printf("%7d ?        %-4s   0:00 %s\n", p.PID, p.State, psCommand(p))
		}
	case strings.Contains(all, "f"):
		t.puts("UID          PID    PPID  C STIME TTY          TIME CMD\n")
		for _, p := range list {
			if !strings.ContainsAny(all, "eA") && !own[p.PID] {
				continue
			}
			t.printf("%-8s %7d %7d  0 %s ?        00:00:00 %s\n", p.User, p.PID, p.PPID, clock(p), psCommand(p))
		}
	default:
		t.puts("    PID TTY          TIME CMD\n")
		for _, p := range list {
			if !strings.ContainsAny(all, "eA") && !own[p.PID] {
				continue
			}
			t.printf("%7d ?        00:00:00 %s\n", p.PID, base(p))
		}
	}
	return 0
}

func (t *T) psColumns(list []program.ProcessInfo, cols []string, own map[int]bool, all bool) {
	value := func(p program.ProcessInfo, c string) string {
		switch c {
		case "pid":
			return fmt.Sprintf("%7d", p.PID)
		case "ppid":
			return fmt.Sprintf("%7d", p.PPID)
		case "user", "uid", "euser":
			return fmt.Sprintf("%-8s", p.User)
		case "comm", "ucmd":
			return base(p)
		case "stat", "s", "state":
			return fmt.Sprintf("%-4s", p.State)
		case "rss":
			return fmt.Sprintf("%5d", p.RSS/1024)
		case "%cpu", "%mem", "pcpu", "pmem":
			return " 0.0"
		case "time":
			return "00:00:00"
		case "etime":
			return fmt.Sprintf("%11s", t.Proc.Now().Sub(p.Started).Truncate(time.Second))
		}
		return psCommand(p)
	}
	heads := map[string]string{"pid": "    PID", "ppid": "   PPID", "user": "USER    ", "comm": "COMMAND", "args": "COMMAND", "cmd": "CMD", "command": "COMMAND", "stat": "STAT", "rss": "  RSS", "%cpu": "%CPU", "%mem": "%MEM", "time": "    TIME", "etime": "    ELAPSED"}
	var h []string
	silent := true
	for i, c := range cols {
		name, label, has := strings.Cut(c, "=")
		cols[i] = name
		if has {
			h = append(h, label)
			silent = silent && label == ""
		} else {
			h = append(h, heads[name])
			silent = false
		}
	}
	if !silent {
		t.puts(strings.Join(h, " ") + "\n")
	}
	for _, p := range list {
		if !all && !own[p.PID] {
			continue
		}
		var v []string
		for _, c := range cols {
			v = append(v, value(p, c))
		}
		t.puts(strings.TrimRight(strings.Join(v, " "), " ") + "\n")
	}
}

// busybox reports that the machine's tools are busybox's.
func (t *T) busybox() bool {
	_, err := t.FS.Stat("/bin/busybox")
	return err == nil
}

func psCommand(p program.ProcessInfo) string {
	if p.State == "Z" {
		return "[" + base(p) + "] <defunct>"
	}
	return strings.Join(p.Args, " ")
}

func base(p program.ProcessInfo) string {
	if len(p.Args) == 0 {
		return "?"
	}
	n := p.Args[0]
	if i := strings.LastIndexByte(n, '/'); i >= 0 {
		n = n[i+1:]
	}
	return strings.TrimSuffix(n, ":")
}

func (t *T) signal(pid int, sig kernel.Signal) error {
	if t.System != nil {
		return t.System.Kill(pid, sig)
	}
	for p := t.Proc; p != nil; p = p.Parent {
		if p.ID == pid {
			if sig != 0 {
				p.Signal(sig)
			}
			return nil
		}
	}
	return vfs.Errno("No such process")
}

func kill(t *T) int {
	sig := kernel.SIGTERM
	args := t.args
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		a := args[0]
		args = args[1:]
		if a == "--" {
			break
		}
		if a == "-l" {
			t.puts("HUP\nINT\nQUIT\nKILL\nUSR1\nUSR2\nPIPE\nALRM\nTERM\nCHLD\n")
			return 0
		}
		name := a[1:]
		if a == "-s" && len(args) > 0 {
			name, args = args[0], args[1:]
		}
		var ok bool
		if sig, ok = signalNumber(name); !ok {
			t.errorf("unknown signal: %s", name)
			return 1
		}
	}
	if len(args) == 0 {
		t.errorf("not enough arguments")
		return 1
	}
	for _, a := range args {
		pid, err := strconv.Atoi(a)
		if err != nil {
			t.errorf("failed to parse argument: '%s'", a)
			continue
		}
		if err := t.signal(pid, sig); err != nil {
			if t.busybox() {
				t.errorf("can't kill pid %d: %s", pid, err)
			} else {
				t.errorf("(%d): %s", pid, err)
			}
		}
	}
	return t.bad
}

func pgrep(t *T) int {
	sig := kernel.SIGTERM
	var rest []string
	for _, a := range t.args {
		if len(a) > 1 && a[0] == '-' && t.name != "pgrep" {
			if s, ok := signalNumber(a[1:]); ok {
				sig = s
				continue
			}
		}
		rest = append(rest, a)
	}
	t.args = rest
	if !t.parse("flaxnovcu:s:qe9I", "full=f", "exact=x", "list-name=l", "list-full=a", "newest=n", "oldest=o", "signal=s") {
		return 2
	}
	if v, ok := t.opts["s"]; ok && t.name != "pidof" {
		sig, _ = signalNumber(v)
	}
	if len(t.args) == 0 {
		return t.usageError(2, "no matching criteria specified")
	}
	me := 0
	if t.System != nil {
		me = t.System.PID(t.Proc)
	} else {
		me = t.Proc.ID
	}
	var hits []program.ProcessInfo
	for _, p := range t.processes() {
		if p.PID == me {
			continue
		}
		for _, pat := range t.args {
			text := base(p)
			if t.has("f") {
				text = strings.Join(p.Args, " ")
			}
			hit := text == pat
			if t.name == "pgrep" || t.name == "pkill" {
				if re, err := CompileERE(pat, false); err == nil && !t.has("x") {
					hit = re.MatchString(text)
				}
			}
			if hit {
				hits = append(hits, p)
				break
			}
		}
	}
	if len(hits) == 0 {
		if t.name == "killall" && !t.has("q") {
			t.errorf("%s: no process found", t.args[0])
			if !t.busybox() {
				t.bad = 1
			}
		}
		return 1
	}
	if t.has("n") {
		hits = hits[len(hits)-1:]
	}
	if t.has("o") {
		hits = hits[:1]
	}
	switch t.name {
	case "pidof":
		var ids []string
		for i := len(hits) - 1; i >= 0; i-- {
			ids = append(ids, strconv.Itoa(hits[i].PID))
		}
		t.puts(strings.Join(ids, " ") + "\n")
	case "pgrep":
		if t.has("c") {
			t.printf("%d\n", len(hits))
			break
		}
		for _, p := range hits {
			switch {
			case t.has("a"):
				t.printf("%d %s\n", p.PID, strings.Join(p.Args, " "))
			case t.has("l"):
				t.printf("%d %s\n", p.PID, base(p))
			default:
				t.printf("%d\n", p.PID)
			}
		}
	default:
		for _, p := range hits {
			if err := t.signal(p.PID, sig); err != nil {
				t.errorf("killing pid %d failed: %s", p.PID, err)
			}
		}
	}
	return t.bad
}

func top(t *T) int {
	if !t.parse("bn:d:cHu:p:o:", "batch=b") {
		return 1
	}
	n, _ := t.number("n", -1)
	if n < 0 && t.TTY == nil && !t.has("b") {
		t.eprint("top: failed tty get\n")
		return 1
	}
	for i := 0; n < 0 || i < n; i++ {
		if i > 0 {
			if err := t.Proc.Sleep(3 * time.Second); err != nil {
				return 130
			}
		}
		if t.TTY != nil && !t.has("b") {
			t.flush()
			t.TTY.Clear()
		}
		list := t.processes()
		t.printf("top - %s up %d min,  0 users,  load average: 0.08, 0.03, 0.01\nTasks: %3d total,   1 running, %3d sleeping,   0 stopped,   0 zombie\n%%Cpu(s):  0.3 us,  0.3 sy,  0.0 ni, 99.3 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st\nMiB Mem :   8192.0 total,   4300.8 free,   1638.4 used,   2252.8 buff/cache\nMiB Swap:      0.0 total,      0.0 free,      0.0 used.   6348.8 avail Mem\n\n    PID USER      PR  NI    VIRT    RES    SHR S  %%CPU  %%MEM     TIME+ COMMAND\n",
			t.Proc.Now().Format("15:04:05"), int(t.uptime().Minutes()), len(list), max(0, len(list)-1))
		for _, p := range list {
			t.printf("%7d %-8s  20   0 %7d %6d %6d %s   0.0   0.0   0:00.00 %s\n", p.PID, p.User, p.RSS/1024*3, p.RSS/1024, p.RSS/2048, p.State, base(p))
		}
		t.flush()
	}
	return 0
}

func id(t *T) int {
	if !t.parse("ugGnrz", "user=u", "group=g", "groups=G", "name=n") {
		return 1
	}
	u := t.user()
	if len(t.args) > 0 && t.args[0] != u {
		t.errorf("‘%s’: no such user", t.args[0])
		return 1
	}
	// named is "0(root)", or the number alone where it has no name.
	named := func(id int, name string) string {
		if n := strconv.Itoa(id); name == "" || name == n {
			return n
		}
		return fmt.Sprintf("%d(%s)", id, name)
	}
	gids := t.FS.Groups()
	if len(gids) == 0 {
		gids = []int{t.UID}
	}
	group := func(id int) string {
		if id == t.UID && len(t.FS.Groups()) == 0 {
			return u
		}
		return t.groupName(id)
	}
	all := slices.Clone(gids)
	slices.Sort(all)
	word := func(id int, name string) string {
		if t.has("n") && name != "" {
			return name
		}
		return strconv.Itoa(id)
	}
	switch {
	case t.has("u"):
		t.puts(word(t.UID, u) + "\n")
	case t.has("g"):
		t.puts(word(gids[0], group(gids[0])) + "\n")
	default:
		var list []string
		for _, g := range all {
			if t.has("G") {
				list = append(list, word(g, group(g)))
			} else {
				list = append(list, named(g, group(g)))
			}
		}
		if t.has("G") {
			t.puts(strings.Join(list, " ") + "\n")
			break
		}
		t.printf("uid=%s gid=%s groups=%s\n", named(t.UID, u), named(gids[0], group(gids[0])), strings.Join(list, ","))
	}
	return 0
}

// canonicalName is the machine's full name, as /etc/hosts has it.
func (t *T) canonicalName() string {
	b, _ := t.FS.ReadFile("/etc/hosts")
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Fields(l); len(f) > 1 && slices.Contains(f[1:], t.Host) {
			return f[1]
		}
	}
	return t.Host
}

func hostname(t *T) int {
	if len(t.args) > 0 {
		switch t.args[0] {
		case "-i", "-I":
			if t.Net != nil {
				var out []string
				for _, a := range t.Net.Addrs {
					out = append(out, a.String())
				}
				s := strings.Join(out, " ")
				if t.args[0] == "-I" {
					s += " "
				}
				t.puts(s + "\n")
			}
			return 0
		case "-s":
			h, _, _ := strings.Cut(t.Host, ".")
			t.puts(h + "\n")
			return 0
		case "-f", "-A", "-d":
			name := t.canonicalName()
			if t.args[0] == "-d" {
				_, name, _ = strings.Cut(name, ".")
			}
			t.puts(name + "\n")
			return 0
		default:
			t.eprint("hostname: you must be root to change the host name\n")
			return 1
		}
	}
	t.puts(t.Host + "\n")
	return 0
}

func uname(t *T) int {
	if !t.parse("asnrvmpio", "all=a", "kernel-name=s", "nodename=n", "kernel-release=r", "kernel-version=v", "machine=m", "processor=p", "operating-system=o") {
		return 1
	}
	if len(t.opts) == 0 {
		t.opts["s"] = ""
	}
	var out []string
	add := func(k, v string) {
		if t.has(k) || t.has("a") && k != "p" && k != "i" {
			out = append(out, v)
		}
	}
	add("s", "Linux")
	add("n", t.Host)
	add("r", "6.8.0-45-generic")
	add("v", "#45-Ubuntu SMP PREEMPT_DYNAMIC Fri Aug 30 12:02:04 UTC 2024")
	add("m", "x86_64")
	add("p", "x86_64")
	add("i", "x86_64")
	add("o", "GNU/Linux")
	t.puts(strings.Join(out, " ") + "\n")
	return 0
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

func getent(t *T) int {
	if len(t.args) == 0 {
		t.eprint("getent: wrong number of arguments\n")
		return 1
	}
	switch t.args[0] {
	case "hosts", "ahosts", "ahostsv4":
		if t.Net == nil || len(t.args) < 2 {
			return 2
		}
		for _, h := range t.args[1:] {
			as, err := t.Net.Lookup(h)
			if err != nil || len(as) == 0 {
				return 2
			}
			if t.args[0] != "hosts" {
				for _, a := range as {
					t.printf("%-15s STREAM %s\n%-15s DGRAM  \n%-15s RAW    \n", a, h, a, a)
				}
				continue
			}
			for _, a := range as {
				t.printf("%-15s %s\n", a, h)
			}
		}
	case "passwd", "group":
		b, err := t.FS.ReadFile("/etc/" + t.args[0])
		if err != nil {
			return 2
		}
		found := len(t.args) == 1
		for _, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
			f := strings.Split(l, ":")
			if len(t.args) == 1 || f[0] == t.args[1] || len(f) > 2 && f[2] == t.args[1] {
				t.puts(l + "\n")
				found = true
			}
		}
		if !found {
			return 2
		}
	default:
		t.eprint("Unknown database: " + t.args[0] + "\n")
		return 1
	}
	return 0
}
