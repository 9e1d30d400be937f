// Background jobs and signals by name.

package shell

import (
	"fmt"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/kernel"
)

type job struct {
	id     int
	pid    int
	proc   *kernel.Proc
	text   string
	told   bool // its end was announced or waited for
	waited bool
}

func (j *job) done() (int, bool) { return j.proc.Done() }

func (s *Shell) background(st *syntax.Stmt) {
	c := s.fork()
	c.noErr = 0
	fg := *st
	fg.Background = false
	fg.Semicolon = syntax.Pos{}
	if !s.interactive {
		c.setFD(0, &desc{r: emptyReader{}, refs: 1})
		c.traps["INT"] = ""
		c.traps["QUIT"] = ""
	}
	p, err := s.start(c, "", func(c *Shell) {
		delete(c.traps, "INT")
		delete(c.traps, "QUIT")
		c.tail = true
		c.stmt(&fg)
	})
	if err != nil {
		return
	}
	id := 1
	for _, j := range s.jobs {
		if _, done := j.done(); !done || !j.told {
			id = max(id, j.id+1)
		}
	}
	if len(s.jobs) > 512 {
		kept := s.jobs[:0]
		for _, j := range s.jobs {
			if _, done := j.done(); !done {
				kept = append(kept, j)
			}
		}
		s.jobs = kept
	}
	s.lastBg = s.pidOf(p)
	s.jobs = append(s.jobs, &job{id: id, pid: s.lastBg, proc: p, text: printNode(&fg)})
	q := s.jobChanged
	p.AtExit(func() { q.Wake() })
	if s.interactive {
		s.fdWrite(2, []byte(fmt.Sprintf("[%d] %d\n", id, s.lastBg)))
	}
	s.status = 0
}

// current are the jobs that jobs lists.
func (s *Shell) current() []*job {
	var out []*job
	for _, j := range s.jobs {
		if !j.told {
			out = append(out, j)
		}
	}
	return out
}

func jobState(j *job) string {
	code, done := j.done()
	switch {
	case !done:
		return "Running"
	case code == 0:
		return "Done"
	case code == 130:
		return "Interrupt"
	case code == 137:
		return "Killed"
	case code == 143:
		return "Terminated"
	}
	return fmt.Sprintf("Exit %d", code)
}

func (s *Shell) jobLine(j *job, list []*job, pids bool) string {
	mark := " "
	if n := len(list); n > 0 && j == list[n-1] {
		mark = "+"
	} else if n > 1 && j == list[n-2] {
		mark = "-"
	}
	text := j.text
	if _, done := j.done(); !done {
		text += " &"
	}
	pid := ""
	if pids {
		pid = fmt.Sprintf("%d ", j.pid)
	}
	return fmt.Sprintf("[%d]%s  %s%-24s%s\n", j.id, mark, pid, jobState(j), text)
}

// Notify announces the background jobs that have ended since the last call; a
// terminal calls it before it prints a prompt.
func (s *Shell) Notify() {
	list := s.current()
	for _, j := range list {
		if _, done := j.done(); done {
			s.fdWrite(2, []byte(s.jobLine(j, list, false)))
			j.told = true
		}
	}
}

// findJob is the job that %n, %%, %+, %-, %name or a pid means.
func (s *Shell) findJob(spec string) *job {
	list := s.current()
	if !strings.HasPrefix(spec, "%") {
		pid, err := strconv.Atoi(spec)
		if err != nil {
			return nil
		}
		for _, j := range s.jobs {
			if j.pid == pid {
				return j
			}
		}
		return nil
	}
	spec = spec[1:]
	switch spec {
	case "", "%", "+":
		if len(list) > 0 {
			return list[len(list)-1]
		}
		return nil
	case "-":
		if len(list) > 1 {
			return list[len(list)-2]
		}
		return nil
	}
	n, err := strconv.Atoi(spec)
	for _, j := range list {
		if err == nil && j.id == n || err != nil && strings.HasPrefix(j.text, spec) || strings.HasPrefix(spec, "?") && strings.Contains(j.text, spec[1:]) {
			return j
		}
	}
	return nil
}

// waitJob blocks until the job ends or a trapped signal arrives.
func (s *Shell) waitJob(j *job) (int, bool) {
	for {
		if code, done := j.done(); done {
			j.told, j.waited = true, true
			return code, true
		}
		if _, err := s.proc.Join(j.proc); err != nil && len(s.sigs) > 0 {
			sig := s.sigs[0]
			s.handleSignals()
			return 128 + int(sig), false
		}
	}
}

var signals = []struct {
	n    kernel.Signal
	name string
}{
	{1, "HUP"}, {2, "INT"}, {3, "QUIT"}, {4, "ILL"}, {5, "TRAP"}, {6, "ABRT"}, {7, "BUS"}, {8, "FPE"}, {9, "KILL"},
	{10, "USR1"}, {11, "SEGV"}, {12, "USR2"}, {13, "PIPE"}, {14, "ALRM"}, {15, "TERM"}, {16, "STKFLT"}, {17, "CHLD"},
	{18, "CONT"}, {19, "STOP"}, {20, "TSTP"}, {21, "TTIN"}, {22, "TTOU"}, {23, "URG"}, {24, "XCPU"}, {25, "XFSZ"},
	{26, "VTALRM"}, {27, "PROF"}, {28, "WINCH"}, {29, "IO"}, {30, "PWR"}, {31, "SYS"},
}

func sigName(n kernel.Signal) string {
	for _, s := range signals {
		if s.n == n {
			return s.name
		}
	}
	return strconv.Itoa(int(n))
}

// parseSignal reads a signal's number or name, with or without SIG.
func parseSignal(t string) (kernel.Signal, bool) {
	if n, err := strconv.Atoi(t); err == nil {
		return kernel.Signal(n), n >= 0 && n <= 64
	}
	t = strings.TrimPrefix(strings.ToUpper(t), "SIG")
	for _, s := range signals {
		if s.name == t {
			return s.n, true
		}
	}
	return 0, false
}
