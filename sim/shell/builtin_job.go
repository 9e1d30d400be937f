// Builtins about jobs and signals: trap, wait, jobs, fg, bg, kill.

package shell

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/kernel"
)

func builtinTrap(s *Shell, args []string) int {
	rest := args[1:]
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	}
	if len(rest) > 0 && rest[0] == "-l" {
		return builtinKill(s, []string{"kill", "-l"})
	}
	if len(rest) == 0 || rest[0] == "-p" {
		order := []string{"EXIT"}
		for _, sg := range signals {
			order = append(order, sg.name)
		}
		for _, n := range append(order, "DEBUG", "ERR", "RETURN") {
			if cmd, ok := s.traps[n]; ok {
				label := n
				if n != "EXIT" && n != "ERR" && n != "DEBUG" && n != "RETURN" {
					label = "SIG" + n
				}
				s.out("trap -- %s %s\n", Quote(cmd, true), label)
			}
		}
		return 0
	}
	cmd := rest[0]
	names := rest[1:]
	if len(names) == 0 {
		if _, ok := parseSignal(cmd); ok || strings.EqualFold(cmd, "EXIT") {
			names, cmd = rest, "-"
		} else {
			s.fdWrite(2, []byte("trap: usage: trap [-lp] [[arg] signal_spec ...]\n"))
			return 2
		}
	}
	status := 0
	for _, n := range names {
		name := strings.ToUpper(n)
		switch name {
		case "EXIT", "ERR", "DEBUG", "RETURN":
		case "0":
			name = "EXIT"
		default:
			sig, ok := parseSignal(n)
			if !ok {
				s.errorf("trap: %s: invalid signal specification", n)
				status = 1
				continue
			}
			name = sigName(sig)
		}
		if cmd == "-" {
			delete(s.traps, name)
		} else {
			s.traps[name] = cmd
		}
	}
	return status
}

func builtinWait(s *Shell, args []string) int {
	rest := args[1:]
	if len(rest) > 0 && rest[0] == "-n" {
		for {
			var pending bool
			for _, j := range s.jobs {
				if j.waited {
					continue
				}
				if code, done := j.done(); done {
					j.waited, j.told = true, true
					return code
				}
				pending = true
			}
			if !pending {
				return 127
			}
			if err := s.proc.Wait(s.jobChanged); err != nil && len(s.sigs) > 0 {
				sig := s.sigs[0]
				s.handleSignals()
				return 128 + int(sig)
			}
		}
	}
	if len(rest) == 0 {
		for _, j := range s.jobs {
			if j.waited {
				continue
			}
			announce := s.interactive && !j.told
			list := s.current()
			if code, ok := s.waitJob(j); !ok {
				return code
			}
			if announce {
				s.fdWrite(2, []byte(s.jobLine(j, list, false)))
			}
		}
		return 0
	}
	status := 0
	for _, spec := range rest {
		j := s.findJob(spec)
		if j == nil {
			switch _, err := strconv.Atoi(spec); {
			case strings.HasPrefix(spec, "%"):
				s.errorf("wait: %s: no such job", spec)
			case err != nil:
				s.errorf("wait: `%s': not a pid or valid job spec", spec)
				status = 2
				continue
			default:
				s.errorf("wait: pid %s is not a child of this shell", spec)
			}
			status = 127
			continue
		}
		code, ok := s.waitJob(j)
		status = code
		if !ok {
			return code
		}
	}
	return status
}

func builtinJobs(s *Shell, args []string) int {
	pids, long, running := false, false, false
	for _, a := range args[1:] {
		pids = pids || a == "-p"
		long = long || a == "-l"
		running = running || a == "-r"
	}
	list := s.current()
	for _, j := range list {
		_, done := j.done()
		switch {
		case running && done:
		case pids:
			s.out("%d\n", j.pid)
		default:
			s.out("%s", s.jobLine(j, list, long))
		}
		if done {
			j.told = true
		}
	}
	return 0
}

func builtinFg(s *Shell, args []string) int {
	if !s.opts['m'] {
		s.errorf("fg: no job control")
		return 1
	}
	spec := "%%"
	if len(args) > 1 {
		spec = args[1]
		if !strings.HasPrefix(spec, "%") {
			spec = "%" + spec
		}
	}
	j := s.findJob(spec)
	if j == nil {
		name := "current"
		if len(args) > 1 {
			name = args[1]
		}
		s.errorf("fg: %s: no such job", name)
		return 1
	}
	s.out("%s\n", j.text)
	j.told, j.waited = true, true
	return s.join(j.proc)
}

func builtinBg(s *Shell, args []string) int {
	if !s.opts['m'] {
		s.errorf("bg: no job control")
		return 1
	}
	if j := s.findJob("%%"); j != nil {
		s.errorf("bg: job %d already in background", j.id)
		return 0
	}
	s.errorf("bg: current: no such job")
	return 1
}

func builtinKill(s *Shell, args []string) int {
	sig := kernel.SIGTERM
	rest := args[1:]
	for len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		o := rest[0]
		rest = rest[1:]
		if o == "--" {
			break
		}
		if o == "-l" || o == "-L" {
			if len(rest) > 0 {
				for _, r := range rest {
					if n, err := strconv.Atoi(r); err == nil {
						s.out("%s\n", sigName(kernel.Signal(n&127)))
					} else if g, ok := parseSignal(r); ok {
						s.out("%d\n", g)
					}
				}
				return 0
			}
			var b strings.Builder
			for i, g := range signals {
				fmt.Fprintf(&b, "%2d) SIG%s", g.n, g.name)
				if i%5 == 4 || i == len(signals)-1 {
					b.WriteByte('\n')
				} else {
					b.WriteByte('\t')
				}
			}
			return s.write("kill", b.String())
		}
		name := o[1:]
		if o == "-s" || o == "-n" {
			if len(rest) == 0 {
				s.errorf("kill: %s: option requires an argument", o)
				return 1
			}
			name = rest[0]
			rest = rest[1:]
		}
		g, ok := parseSignal(name)
		if !ok {
			s.errorf("kill: %s: invalid signal specification", name)
			return 1
		}
		sig = g
	}
	if len(rest) == 0 {
		s.fdWrite(2, []byte("kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]\n"))
		return 2
	}
	status := 0
	for _, spec := range rest {
		var p *kernel.Proc
		pid, err := strconv.Atoi(spec)
		switch {
		case strings.HasPrefix(spec, "%"):
			j := s.findJob(spec)
			if j == nil {
				s.errorf("kill: %s: no such job", spec)
				status = 1
				continue
			}
			p = j.proc
			if _, done := j.done(); done {
				s.errorf("kill: (%d) - No such process", j.pid)
				status = 1
				continue
			}
		case err != nil:
			s.errorf("kill: %s: arguments must be process or job IDs", spec)
			status = 1
			continue
		default:
			if pid < 0 {
				pid = -pid
			}
			if pid == 0 {
				pid = s.pid
			}
			p = s.tree.pids[pid]
			if s.ctx.System != nil && (p == nil || sig == 0 || pid == 1) {
				if err := s.ctx.System.Kill(pid, sig); err != nil {
					if s.flavour == Ash {
						s.errorf("can't kill pid %d: %s", pid, err)
					} else {
						s.errorf("kill: (%d) - %s", pid, err)
					}
					status = 1
				}
				continue
			}
			if p == nil {
				s.errorf("kill: (%d) - No such process", pid)
				status = 1
				continue
			}
		}
		if sig == 0 {
			continue
		}
		if sig == 18 || sig == 19 || sig == 20 {
			continue // stopping is not simulated
		}
		s.signalJob(p, sig)
	}
	if len(s.sigs) > 0 {
		s.handleSignals()
	} else if s.proc != nil {
		s.proc.Tick()
	}
	if s.flow == flowExit {
		return s.status
	}
	return status
}

// signalJob signals a process and, because a background command runs in a
// subshell here, what that subshell runs in the foreground.
func (s *Shell) signalJob(p *kernel.Proc, sig kernel.Signal) { p.Signal(sig) }
