// How a script of sed is carried out.

package tool

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

type sedMachine struct {
	t      *T
	cmds   []*sedCmd
	quiet  bool
	out    io.Writer // nil: standard output
	files  map[string]io.Writer
	line   int
	delim  byte
	hold   string
	lastRe *regexp.Regexp

	names []string
	queue []sedLine
	in    chan struct{}
	next  func() (sedLine, bool)
	cur   string
}

type sedLine struct {
	text string
	nl   bool
	file string
}

func (m *sedMachine) put(s string) {
	if m.out != nil {
		_, _ = m.out.Write([]byte(s))
		return
	}
	m.t.puts(s)
}

// reader gives the lines of all the files one by one, one line ahead so that $
// is known.
func (m *sedMachine) reader(names []string) func() (sedLine, bool) {
	var r io.Reader
	var buf []byte
	eof := true
	name := ""
	read := func() (sedLine, bool) {
		for {
			if i := bytes.IndexByte(buf, m.delim); i >= 0 {
				l := sedLine{string(buf[:i]), true, name}
				buf = buf[i+1:]
				return l, true
			}
			if eof {
				if len(buf) > 0 {
					l := sedLine{string(buf), false, name}
					buf = nil
					return l, true
				}
				if len(names) == 0 {
					return sedLine{}, false
				}
				name = names[0]
				names = names[1:]
				var err error
				if r, err = m.t.open(name); err != nil {
					m.t.errorf("can't read %s: %s", name, vfs.Reason(err))
					m.t.bad = 2
					continue
				}
				eof = false
			}
			chunk := make([]byte, 16<<10)
			n, err := r.Read(chunk)
			m.t.Proc.Tick()
			buf = append(buf, chunk[:n]...)
			if len(buf) > maxLine {
				m.t.errorf("couldn't re-allocate memory")
				m.t.Proc.Exit(4)
			}
			if err != nil {
				if err != io.EOF {
					m.t.errorf("couldn't edit %s: %s", name, strings.ToLower(vfs.Reason(err)))
					m.t.errorf("read error on %s: %s", name, vfs.Reason(err))
					m.t.bad = 4
				}
				eof = true
			}
		}
	}
	return read
}

func (m *sedMachine) run(names []string) (code int, quit bool) {
	for _, c := range m.cmds {
		c.active = false
		for _, f := range []string{c.file, map[bool]string{true: c.text}[c.name == 'w' || c.name == 'W']} {
			if f != "" && m.files[f] == nil {
				w, err := m.t.create(f, os.O_TRUNC)
				if err != nil {
					m.t.errorf("couldn't open file %s: %s", f, vfs.Reason(err))
					return 4, true
				}
				m.files[f] = w
			}
		}
	}
	read := m.reader(names)
	ahead, more := read()
	next := func() (sedLine, bool) {
		l, ok := ahead, more
		if ok {
			ahead, more = read()
			m.line++
		}
		return l, ok
	}
	pattern := ""
	restart := false
	steps := 0
	for {
		var l sedLine
		if !restart {
			var ok bool
			if l, ok = next(); !ok {
				return 0, false
			}
			pattern = l.text
		} else {
			l = sedLine{nl: true}
		}
		restart = false
		nl := l.nl || more
		m.cur = l.file
		var appended []string
		end := func() {
			if !m.quiet {
				m.put(pattern)
				if nl {
					m.put(string(m.delim))
				}
			}
			for _, a := range appended {
				m.put(a)
			}
			appended = nil
		}
		flushAppend := func() {
			for _, a := range appended {
				m.put(a)
			}
			appended = nil
		}
		replaced := false
		deleted := false
	cycle:
		for pc := 0; pc < len(m.cmds); pc++ {
			c := m.cmds[pc]
			if steps++; steps&63 == 0 {
				m.t.Proc.Tick()
			}
			if m.match(c, pattern, !more) == c.neg {
				if c.name == '{' {
					pc = c.target
				}
				continue
			}
			switch c.name {
			case 's':
				var ok bool
				if pattern, ok = m.substitute(c, pattern); ok {
					replaced = true
					if c.print {
						m.put(pattern + "\n")
					}
					if c.file != "" {
						m.t.rawWrite(m.files[c.file], []byte(pattern+"\n"))
					}
				}
			case 'y':
				pattern = strings.Map(func(r rune) rune {
					if to, ok := c.from[r]; ok {
						return to
					}
					return r
				}, pattern)
			case 'd':
				deleted = true
				break cycle
			case 'D':
				i := strings.IndexByte(pattern, '\n')
				if i < 0 {
					deleted = true
					break cycle
				}
				pattern = pattern[i+1:]
				restart, deleted = true, true
				break cycle
			case 'p':
				m.put(pattern + "\n")
			case 'P':
				first, _, _ := strings.Cut(pattern, "\n")
				m.put(first + "\n")
			case 'a':
				appended = append(appended, c.text)
			case 'i':
				m.put(c.text)
			case 'c':
				if c.a2 == nil || c.neg || !c.active {
					m.put(c.text)
				}
				deleted = true
				break cycle
			case 'r':
				if b, err := m.t.FS.ReadFile(m.t.Path(c.text)); err == nil {
					appended = append(appended, string(b))
				}
			case 'w':
				m.t.rawWrite(m.files[c.text], []byte(pattern+"\n"))
			case 'n':
				if !more {
					if m.quiet {
						return 0, false
					}
					break cycle
				}
				if !m.quiet {
					m.put(pattern + string(m.delim))
				}
				flushAppend()
				l, _ = next()
				pattern, nl = l.text, l.nl || more
			case 'N':
				if !more {
					break cycle
				}
				flushAppend()
				l, _ = next()
				pattern += "\n" + l.text
				nl = l.nl || more
				if len(pattern) > maxLine/4 {
					m.t.errorf("couldn't re-allocate memory")
					return 4, true
				}
			case 'g':
				pattern = m.hold
			case 'G':
				pattern += "\n" + m.hold
			case 'h':
				m.hold = pattern
			case 'H':
				m.hold += "\n" + pattern
			case 'x':
				pattern, m.hold = m.hold, pattern
			case 'z':
				pattern = ""
			case '=':
				m.put(strconv.Itoa(m.line) + "\n")
			case 'F':
				m.put(m.cur + "\n")
			case 'l':
				q := strconv.Quote(pattern)
				m.put(strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`) + "$\n")
			case 'b':
				pc = c.target - 1
			case 't':
				if replaced {
					replaced = false
					pc = c.target - 1
				}
			case 'T':
				if !replaced {
					pc = c.target - 1
				}
				replaced = false
			case 'q':
				end()
				return c.code, true
			case 'Q':
				return c.code, true
			}
			if len(pattern)+len(m.hold) > maxLine/2 {
				m.t.errorf("couldn't re-allocate memory")
				return 4, true
			}
		}
		if deleted {
			flushAppend()
		} else {
			end()
		}
	}
}

func (m *sedMachine) hit(a *sedAddr, pattern string, last bool) bool {
	switch {
	case a.re != nil:
		m.lastRe = a.re
		return a.re.MatchString(pattern)
	case a.use:
		return m.lastRe != nil && m.lastRe.MatchString(pattern)
	case a.last:
		return last
	case a.step > 0:
		return m.line >= a.line && (m.line-a.line)%a.step == 0
	}
	return m.line == a.line
}

func (m *sedMachine) match(c *sedCmd, pattern string, last bool) bool {
	if c.a1 == nil {
		return true
	}
	if c.a2 == nil {
		return m.hit(c.a1, pattern, last)
	}
	if c.a1.zero && m.line == 1 && !c.active && c.endLine == 0 {
		c.active = true
		c.endLine = -1
		if m.hit(c.a2, pattern, last) {
			c.active = false
		}
		return true
	}
	if c.active {
		switch {
		case c.a2.plus > 0 || c.a2.re == nil && !c.a2.use && !c.a2.last:
			end := c.endLine
			if m.line >= end {
				c.active = false
			}
			return m.line <= end
		case m.hit(c.a2, pattern, last):
			c.active = false
		}
		return true
	}
	if c.a1.zero || !m.hit(c.a1, pattern, last) {
		return false
	}
	c.active = true
	switch {
	case c.a2.plus > 0:
		c.endLine = m.line + c.a2.plus - 1
		c.active = c.endLine > m.line
	case c.a2.re == nil && !c.a2.use && !c.a2.last:
		c.endLine = c.a2.line
		c.active = c.endLine > m.line
	case c.a2.last:
		c.active = !last
	}
	return true
}

func (m *sedMachine) substitute(c *sedCmd, pattern string) (string, bool) {
	re := c.re
	if c.empty {
		re = m.lastRe
	}
	if re == nil {
		return pattern, false
	}
	m.lastRe = re
	limit := -1
	if !c.global && c.nth == 0 {
		limit = 1
	}
	locs := re.FindAllStringSubmatchIndex(pattern, limit)
	if len(locs) == 0 {
		return pattern, false
	}
	var b strings.Builder
	at, n, done := 0, 0, false
	for _, loc := range locs {
		n++
		if c.nth > 0 && (n < c.nth || n > c.nth && !c.global) {
			continue
		}
		done = true
		b.WriteString(pattern[at:loc[0]])
		var mode, once byte
		for _, part := range c.repl {
			if part.mode != 0 {
				switch part.mode {
				case 'E':
					mode = 0
				case 'l', 'u':
					once = part.mode
				default:
					mode = part.mode
				}
				continue
			}
			t := part.text
			if part.group >= 0 && 2*part.group+1 < len(loc) && loc[2*part.group] >= 0 {
				t = pattern[loc[2*part.group]:loc[2*part.group+1]]
			}
			switch mode {
			case 'L':
				t = strings.ToLower(t)
			case 'U':
				t = strings.ToUpper(t)
			}
			if once != 0 && t != "" {
				rs := []rune(t)
				if once == 'u' {
					t = strings.ToUpper(string(rs[:1])) + string(rs[1:])
				} else {
					t = strings.ToLower(string(rs[:1])) + string(rs[1:])
				}
				once = 0
			}
			b.WriteString(t)
		}
		at = loc[1]
		if b.Len() > maxLine/4 {
			break
		}
	}
	if !done {
		return pattern, false
	}
	b.WriteString(pattern[at:])
	return b.String(), true
}
