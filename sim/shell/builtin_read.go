// Builtins that read input: read and mapfile.

package shell

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func builtinRead(s *Shell, args []string) int {
	var raw, silent bool
	prompt, array, delim, fd, limit := "", "", byte('\n'), 0, -1
	exact := false
	timeout := time.Duration(-1)
	rest := args[1:]
	for len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		o := rest[0]
		rest = rest[1:]
		if o == "--" {
			break
		}
		for i := 1; i < len(o); i++ {
			arg := func() string {
				v := o[i+1:]
				i = len(o)
				if v == "" && len(rest) > 0 {
					v = rest[0]
					rest = rest[1:]
				}
				return v
			}
			switch c := o[i]; c {
			case 'r':
				raw = true
			case 's':
				silent = true
			case 'e':
			case 'p':
				prompt = arg()
			case 'a':
				array = arg()
			case 'd':
				if v := arg(); v != "" {
					delim = v[0]
				} else {
					delim = 0
				}
			case 'n', 'N':
				v := arg()
				n, err := strconv.Atoi(v)
				if err != nil || n < 0 {
					s.errorf("read: %s: invalid number", v)
					return 1
				}
				limit, exact = n, c == 'N'
			case 'u':
				v := arg()
				n, err := strconv.Atoi(v)
				if err != nil {
					s.errorf("read: %s: invalid file descriptor specification", v)
					return 1
				}
				fd = n
			case 't':
				v := arg()
				f, err := strconv.ParseFloat(v, 64)
				if err != nil || f < 0 {
					s.errorf("read: %s: invalid timeout specification", v)
					return 1
				}
				timeout = time.Duration(f * float64(time.Second))
			case 'i':
				arg()
			default:
				s.errorf("read: -%c: invalid option", c)
				s.fdWrite(2, []byte("read: usage: read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] [-p prompt] [-t timeout] [-u fd] [name ...]\n"))
				return 2
			}
		}
	}
	_ = silent
	for _, n := range rest {
		if base, _, _ := strings.Cut(n, "["); !syntax.ValidName(base) {
			s.errorf("read: `%s': not a valid identifier", n)
			return 1
		}
	}
	d := s.fds[fd]
	if d == nil || d.r == nil {
		s.errorf("read: %d: invalid file descriptor: Bad file descriptor", fd)
		return 1
	}
	if prompt != "" && d.tty {
		s.fdWrite(2, []byte(prompt))
	}
	line, status := s.readInput(fd, delim, limit, exact, raw, timeout)
	if s.flow >= flowDiscard {
		return s.status
	}
	set := func(name, v string) bool {
		base, sub, has := strings.Cut(name, "[")
		var err error
		if has {
			sub = strings.TrimSuffix(sub, "]")
			err = s.setElement(base, sub, func() (int64, error) { return s.arithText(sub) }, v, false)
		} else {
			err = s.assign(name, v, false)
		}
		if err != nil {
			s.errorf("%s", err)
			status = 1
		}
		return err == nil
	}
	if exact {
		name := "REPLY"
		if len(rest) > 0 {
			name = rest[0]
		}
		set(name, line.text())
		return status
	}
	if array != "" {
		if err := s.setList(array, line.split(s.ifs(), -1)); err != nil {
			s.errorf("%s", err)
			return 1
		}
		return status
	}
	if len(rest) == 0 {
		set("REPLY", line.text())
		return status
	}
	values := line.split(s.ifs(), len(rest))
	for i, n := range rest {
		v := ""
		if i < len(values) {
			v = values[i]
		}
		if !set(n, v) {
			break
		}
	}
	return status
}

// inputLine is a line that read has read: bytes, and which were escaped.
type inputLine struct {
	b   []byte
	esc []bool
}

func (l inputLine) text() string { return string(l.b) }

// split cuts the line into at most n fields (-1: all) as read does.
func (l inputLine) split(ifs string, n int) []string {
	is := func(i int) bool { return !l.esc[i] && strings.IndexByte(ifs, l.b[i]) >= 0 }
	white := func(i int) bool { return is(i) && (l.b[i] == ' ' || l.b[i] == '\t' || l.b[i] == '\n') }
	i, end := 0, len(l.b)
	for i < end && white(i) {
		i++
	}
	var out []string
	for i < end {
		if n > 0 && len(out) == n-1 {
			// the last field takes the rest, without trailing white space
			rest := end
			for rest > i && white(rest-1) {
				rest--
			}
			// one trailing delimiter goes too when it is the only one
			j := i
			for j < rest && !is(j) {
				j++
			}
			if j < rest && !white(j) {
				k := j + 1
				for k < rest && white(k) {
					k++
				}
				if k == rest {
					rest = j
				}
			}
			return append(out, string(l.b[i:rest]))
		}
		start := i
		for i < end && !is(i) {
			i++
		}
		out = append(out, string(l.b[start:i]))
		for i < end && white(i) {
			i++
		}
		if i < end && is(i) && !white(i) {
			i++
			for i < end && white(i) {
				i++
			}
		}
	}
	return out
}

func (s *Shell) readInput(fd int, delim byte, limit int, exact, raw bool, timeout time.Duration) (inputLine, int) {
	var l inputLine
	if limit == 0 {
		return l, 0
	}
	d := s.fds[fd]
	var expired bool
	if timeout >= 0 {
		p, isPipe := d.r.(*kernel.Pipe)
		if timeout == 0 {
			if isPipe && p.Len() == 0 {
				return l, 1
			}
			return l, 0
		}
		if isPipe {
			me := s.proc
			was := me.OnSignal
			timer := me.Kernel().Clock().After(timeout, "read -t", func() {
				expired = true
				me.OnSignal = func(kernel.Signal) bool { return true }
				me.Signal(kernel.SIGALRM)
				me.OnSignal = was
			})
			defer timer.Stop()
		}
	}
	one := make([]byte, 1)
	for {
		var n int
		var err error
		if timeout > 0 {
			n, err = d.r.Read(one)
			if errors.Is(err, kernel.ErrInterrupted) {
				if expired {
					return l, 142
				}
				if len(s.sigs) > 0 {
					s.handleSignals()
					return l, s.status
				}
				continue
			}
		} else {
			n, err = fdReader{s, fd}.Read(one)
		}
		if n == 0 {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, kernel.ErrInterrupted) {
				s.errorf("read: read error: %d: %s", fd, vfs.Reason(err))
			}
			return l, 1
		}
		c := one[0]
		if c == delim && !exact {
			return l, 0
		}
		if c == '\\' && !raw && !exact {
			if n, _ := (fdReader{s, fd}).Read(one); n == 0 {
				return l, 1
			}
			if one[0] == '\n' {
				continue
			}
			l.b, l.esc = append(l.b, one[0]), append(l.esc, true)
		} else if c != 0 {
			l.b, l.esc = append(l.b, c), append(l.esc, false)
		}
		if limit > 0 && len(l.b) >= limit || len(l.b) > maxExpansion {
			return l, 0
		}
		if len(l.b)&1023 == 0 {
			s.tick()
		}
	}
}

func builtinMapfile(s *Shell, args []string) int {
	trim, fd, count, skip := false, 0, 0, 0
	delim := byte('\n')
	name := "MAPFILE"
	origin := -1
	rest := args[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") && len(rest[0]) > 1 {
		o := rest[0]
		rest = rest[1:]
		val := func() string {
			if len(o) > 2 {
				return o[2:]
			}
			if len(rest) > 0 {
				v := rest[0]
				rest = rest[1:]
				return v
			}
			return ""
		}
		switch o[1] {
		case 't':
			trim = true
		case 'd':
			v := val()
			delim = 0
			if v != "" {
				delim = v[0]
			}
		case 'n':
			count, _ = strconv.Atoi(val())
		case 's':
			skip, _ = strconv.Atoi(val())
		case 'O':
			origin, _ = strconv.Atoi(val())
		case 'u':
			fd, _ = strconv.Atoi(val())
		default:
			s.errorf("%s: %s: invalid option", args[0], o[:2])
			return 2
		}
	}
	if len(rest) > 0 {
		name = rest[0]
	}
	var list []string
	total := 0
	for count == 0 || len(list) < count {
		s.tick()
		line, err := s.readLine(fd, delim)
		if err != nil && line == "" || s.flow >= flowDiscard {
			break
		}
		if skip > 0 {
			skip--
			continue
		}
		if trim {
			line = strings.TrimSuffix(line, string(delim))
		}
		if total += len(line); total > maxExpansion {
			s.errorf("%s", errMemory())
			return 1
		}
		list = append(list, line)
	}
	if origin >= 0 {
		v, err := s.own(name)
		if err == nil {
			s.toIndexed(v)
			for i, l := range list {
				_ = s.setIndex(v, origin+i, l)
			}
		}
		return 0
	}
	if err := s.setList(name, list); err != nil {
		s.errorf("%s", err)
		return 1
	}
	return 0
}
