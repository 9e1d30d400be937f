// Processes: ps, top, pgrep, kill.

package tool

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

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
