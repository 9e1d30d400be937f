// The shell as a program: sh, bash and ash, as -c, a script or standard input.

package shell

import (
	"io"
	"path"
	"strings"

	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

// Programs are sh, bash and (in containers) ash by name.
func Programs(f Flavour) map[string]program.Program {
	m := map[string]program.Program{"sh": Program(f, "sh"), "bash": Program(Bash, "bash")}
	if f == Ash {
		m["ash"] = Program(Ash, "ash")
		delete(m, "bash")
	}
	return m
}

// Program is the shell as a program of the given name:
//
//	sh [-eux] [-o option] [-l] -c command [name [argument …]]
//	sh [-eux] [-o option] [-l] [-s | file [argument …]]
//
// Without a file it runs what standard input holds.
func Program(f Flavour, name string) program.Program {
	return func(c *program.Context, args []string) int {
		return Main(c, args, Options{Name: name, Flavour: f})
	}
}

// Main runs a shell with the arguments of its command line; o gives flavour,
// name and random source.
func Main(c *program.Context, args []string, o Options) int {
	if o.Name == "" {
		o.Name = path.Base(args[0])
	}
	o.ShowLine = true
	s := New(c, o)
	defer s.runCleanups()
	i := 1
	command, hasCommand, stdin, login := "", false, false, false
opts:
	for ; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			i++
			break opts
		case a == "-":
			i++
			break opts
		case a == "--login" || a == "--norc" || a == "--noprofile" || a == "--posix":
			login = login || a == "--login"
			continue
		case a == "--version":
			s.out("GNU bash, version %s (x86_64-pc-linux-gnu)\n", Version)
			return 0
		case a == "--help":
			s.out("%s: [option] ... [file [argument ...]]\n", o.Name)
			return 0
		case strings.HasPrefix(a, "--"):
			s.showLine = false
			s.errorf("%s: invalid option", a)
			return 2
		case len(a) > 1 && (a[0] == '-' || a[0] == '+'):
			for _, ch := range a[1:] {
				switch ch {
				case 'c':
					hasCommand = true
				case 's':
					stdin = true
				case 'l':
					login = true
				case 'i':
					s.opts['i'] = true
				case 'o', 'O':
					if i+1 < len(args) {
						i++
						if ch == 'O' {
							s.shopts[args[i]] = a[0] == '-'
						} else if !s.setOption(args[i], a[0] == '-') {
							s.showLine = false
							s.errorf("%s: invalid option name", args[i])
							return 2
						}
					}
				default:
					if !strings.ContainsRune("abefhkmnptuvxBCEHPT", ch) {
						s.showLine = false
						s.errorf("%c%c: invalid option", a[0], ch)
						return 2
					}
					s.opts[byte(ch)] = a[0] == '-'
				}
			}
			continue
		}
		break
	}
	rest := args[i:]
	if login {
		for _, f := range []string{"/etc/profile", s.Get("HOME") + "/.profile"} {
			if data, err := c.FS.ReadFile(vfs.Join(s.Dir, f)); err == nil {
				s.sourcing++
				s.source(string(data))
				s.sourcing--
			}
		}
		s.flow, s.status = flowNone, 0
	}
	switch {
	case hasCommand:
		if len(rest) == 0 {
			s.showLine = false
			s.errorf("-c: option requires an argument")
			return 2
		}
		command = rest[0]
		s.opts['c'] = true
		if len(rest) > 1 {
			s.arg0 = rest[1]
			s.name = rest[1]
			s.params = rest[2:]
		}
	case !stdin && len(rest) > 0:
		file := rest[0]
		data, err := c.FS.ReadFile(vfs.Join(s.Dir, file))
		if err != nil {
			s.showLine = false
			if info, e := c.FS.Stat(vfs.Join(s.Dir, file)); e == nil && info.IsDir() {
				s.errorf("%s: %s", file, vfs.Reason(err))
				return 126
			}
			if f := o.Flavour; f == Ash {
				s.errorf("can't open '%s': %s", file, vfs.Reason(err))
				return 2
			}
			s.errorf("%s: %s", file, vfs.Reason(err))
			return 127
		}
		s.arg0, s.name, s.script = file, file, file
		s.params = rest[1:]
		command = string(data)
	default:
		s.params = rest
		s.script = s.name
		if c.TTY != nil {
			return s.terminal()
		}
		data, err := io.ReadAll(io.LimitReader(fdReader{s, 0}, maxSource+1))
		if err != nil {
			return 1
		}
		command = string(data)
	}
	s.Run(command, s.script)
	return s.Close() & 255
}

// terminal reads commands from a terminal: a prompt, a line (more when the
// command is not complete), until the end of input or exit.
func (s *Shell) terminal() int {
	s.interactive, s.showLine, s.script = true, false, ""
	s.shopts["expand_aliases"] = true
	s.opts['i'] = true
	ps1 := "\\s-\\v\\$ "
	if s.flavour == Ash {
		ps1 = "\\w \\$ "
	} else if _, ok := s.param("PS1"); !ok {
		ps1 = "\\u@\\h:\\w\\$ "
	}
	if v, ok := s.param("PS1"); ok {
		ps1 = v
	}
	for !s.Exited() {
		s.Notify()
		s.fdWrite(1, []byte(s.prompt(ps1)))
		src := ""
		for {
			line, err := s.readLine(0, '\n')
			src += line
			if len(s.sigs) > 0 || s.flow == flowDiscard {
				s.handleSignals()
				s.flow, src = flowNone, ""
				s.fdWrite(1, []byte("\n"))
				break
			}
			if err != nil {
				if src == "" {
					s.fdWrite(2, []byte("exit\n"))
					return s.Close() & 255
				}
				break
			}
			if !Incomplete(src) {
				break
			}
			s.fdWrite(1, []byte("> "))
		}
		if strings.TrimSpace(src) != "" {
			s.Run(src, "")
		}
	}
	return s.Close() & 255
}

// Prompt is the text of $PS1, or of def when it is not set, with its escapes
// replaced.
func (s *Shell) Prompt(def string) string {
	if v, ok := s.param("PS1"); ok {
		def = v
	}
	return s.prompt(def)
}

func (s *Shell) prompt(t string) string {
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] != '\\' || i+1 >= len(t) {
			b.WriteByte(t[i])
			continue
		}
		i++
		switch t[i] {
		case 'u':
			b.WriteString(s.ctx.User)
		case 'h', 'H':
			host := s.ctx.Host
			if t[i] == 'h' {
				host, _, _ = strings.Cut(host, ".")
			}
			b.WriteString(host)
		case 'w', 'W':
			dir := s.Dir
			if home, ok := s.home(""); ok && home != "/" && (dir == home || strings.HasPrefix(dir, home+"/")) {
				dir = "~" + strings.TrimPrefix(dir, home)
			}
			if t[i] == 'W' && dir != "/" && dir != "~" {
				dir = path.Base(dir)
			}
			b.WriteString(dir)
		case '$':
			if s.ctx.UID == 0 {
				b.WriteByte('#')
			} else {
				b.WriteByte('$')
			}
		case 's':
			b.WriteString(s.name)
		case 'v':
			b.WriteString("5.2")
		case 't':
			b.WriteString(s.now().Format("15:04:05"))
		case 'A':
			b.WriteString(s.now().Format("15:04"))
		case 'd':
			b.WriteString(s.now().Format("Mon Jan 02"))
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'a':
			b.WriteByte(7)
		case 'e':
			b.WriteByte(27)
		case '0':
			if strings.HasPrefix(t[i:], "033") {
				b.WriteByte(27)
				i += 2
			}
		case '[', ']':
		case '\\':
			b.WriteByte('\\')
		default:
			b.WriteByte('\\')
			b.WriteByte(t[i])
		}
	}
	return b.String()
}
