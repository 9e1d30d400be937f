// The tools about processes and the machine by name; the short ones stand here,
// the others in run.go, xargs.go, ps.go and whoami.go.

package tool

import (
	"fmt"
	"strconv"
	"strings"
	"time"
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

// busybox reports that the machine's tools are busybox's.
func (t *T) busybox() bool {
	_, err := t.FS.Stat("/bin/busybox")
	return err == nil
}
