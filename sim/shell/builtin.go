// The builtin commands.

package shell

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/shell/tool"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

var builtins map[string]func(s *Shell, args []string) int

func init() {
	ok := func(*Shell, []string) int { return 0 }
	builtins = map[string]func(s *Shell, args []string) int{
		":": ok, "true": ok, "false": func(*Shell, []string) int { return 1 },
		"echo": builtinEcho, "printf": builtinPrintf, "test": builtinTest, "[": builtinTest,
		"cd": builtinCd, "pwd": builtinPwd, "pushd": builtinPushd, "popd": builtinPopd, "dirs": builtinDirs,
		"export": declBuiltin, "readonly": declBuiltin, "declare": declBuiltin, "typeset": declBuiltin, "local": declBuiltin,
		"unset": builtinUnset, "set": builtinSet, "shift": builtinShift, "shopt": builtinShopt,
		"read": builtinRead, "mapfile": builtinMapfile, "readarray": builtinMapfile,
		"eval": builtinEval, "source": builtinSource, ".": builtinSource, "exec": builtinExec,
		"exit": builtinExit, "logout": builtinExit, "return": builtinReturn, "break": builtinBreak, "continue": builtinBreak,
		"trap": builtinTrap, "wait": builtinWait, "jobs": builtinJobs, "kill": builtinKill, "fg": builtinFg, "bg": builtinBg, "disown": ok,
		"type": builtinType, "command": builtinCommand, "builtin": builtinBuiltin, "hash": builtinHash, "enable": builtinEnable,
		"alias": builtinAlias, "unalias": builtinUnalias, "umask": builtinUmask, "getopts": builtinGetopts, "let": builtinLet,
		"times": builtinTimes, "ulimit": builtinUlimit, "help": builtinHelp, "history": ok, "bind": ok, "complete": ok, "compgen": ok, "caller": func(*Shell, []string) int { return 1 },
		"suspend": ok,
	}
}

// toolContext lets the functions of package tool see what the shell sees.
func (s *Shell) toolContext() *program.Context {
	c := *s.ctx
	c.Dir = s.Dir
	c.Proc = s.proc
	return &c
}

func (s *Shell) write(name, text string) int {
	if err := s.fdWrite(1, []byte(text)); err != nil {
		s.errorf("%s: write error: %s", name, vfs.Reason(err))
		return 1
	}
	return 0
}

func builtinEcho(s *Shell, args []string) int {
	return s.write("echo", tool.Echo(args[1:], s.shopts["xpg_echo"]))
}

func builtinPrintf(s *Shell, args []string) int {
	rest := args[1:]
	name := ""
	for len(rest) > 0 {
		switch {
		case rest[0] == "-v" && len(rest) > 1:
			name = rest[1]
			rest = rest[2:]
			continue
		case rest[0] == "--":
			rest = rest[1:]
		case len(rest[0]) > 1 && rest[0][0] == '-' && rest[0][1] != '%':
			s.errorf("printf: %s: invalid option", rest[0][:2])
			s.fdWrite(2, []byte("printf: usage: printf [-v var] format [arguments]\n"))
			return 2
		}
		break
	}
	if len(rest) == 0 {
		s.fdWrite(2, []byte("printf: usage: printf [-v var] format [arguments]\n"))
		return 2
	}
	text, errs := tool.Printf(rest[0], rest[1:], s.now(), func(t string) string { return Quote(t, false) })
	status := 0
	if name != "" {
		base, sub, has := strings.Cut(name, "[")
		var err error
		if has {
			sub = strings.TrimSuffix(sub, "]")
			err = s.setElement(base, sub, func() (int64, error) { return s.arithText(sub) }, text, false)
		} else if !syntax.ValidName(name) {
			s.errorf("printf: `%s': not a valid identifier", name)
			return 2
		} else {
			err = s.assign(name, text, false)
		}
		if err != nil {
			s.errorf("%s", err)
			return 1
		}
	} else {
		status = s.write("printf", text)
	}
	for _, e := range errs {
		s.errorf("printf: %s", e)
		status = 1
	}
	return status
}

func (s *Shell) chdir(name, to string, print bool) int {
	dir := vfs.Join(s.Dir, to)
	info, err := s.ctx.FS.Stat(dir)
	if err == nil && !info.IsDir() {
		err = vfs.ENOTDIR
	}
	if err == nil {
		err = s.ctx.FS.Access(dir, s.ctx.UID, 1)
	}
	if err != nil {
		if s.flavour == Ash {
			s.errorf("%s: can't cd to %s: %s", name, to, vfs.Reason(err))
		} else {
			s.errorf("%s: %s: %s", name, to, vfs.Reason(err))
		}
		return 1
	}
	s.export("OLDPWD", s.Dir)
	s.Dir = dir
	s.export("PWD", dir)
	if print {
		s.out("%s\n", dir)
	}
	return 0
}

func builtinCd(s *Shell, args []string) int {
	rest := args[1:]
	physical := false
	for len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		o := rest[0]
		rest = rest[1:]
		if o == "--" {
			break
		}
		if strings.Trim(o[1:], "LPe@") != "" {
			s.errorf("cd: %s: invalid option", o)
			s.fdWrite(2, []byte("cd: usage: cd [-L|[-P [-e]] [-@]] [dir]\n"))
			return 2
		}
		physical = strings.Contains(o, "P")
	}
	if len(rest) > 1 {
		s.errorf("cd: too many arguments")
		return 1
	}
	to, print := "", false
	switch {
	case len(rest) == 0:
		h, ok := s.param("HOME")
		if !ok {
			s.errorf("cd: HOME not set")
			return 1
		}
		to = h
	case rest[0] == "-":
		old, ok := s.param("OLDPWD")
		if !ok {
			s.errorf("cd: OLDPWD not set")
			return 1
		}
		to, print = old, true
	default:
		to = rest[0]
		if cdpath := s.Get("CDPATH"); cdpath != "" && !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, ".") {
			for _, d := range strings.Split(cdpath, ":") {
				p := vfs.Join(vfs.Join(s.Dir, d), to)
				if info, err := s.ctx.FS.Stat(p); err == nil && info.IsDir() {
					to, print = p, d != "" && d != "."
					break
				}
			}
		}
	}
	if to == "" {
		return 0
	}
	if physical {
		if real, err := s.ctx.FS.Realpath(vfs.Join(s.Dir, to)); err == nil {
			to = real
		}
	}
	return s.chdir("cd", to, print)
}

func builtinPwd(s *Shell, args []string) int {
	dir := s.Dir
	if len(args) > 1 && args[1] == "-P" {
		if real, err := s.ctx.FS.Realpath(dir); err == nil {
			dir = real
		}
	}
	return s.write("pwd", dir+"\n")
}

func (s *Shell) dirsLine() string {
	home, _ := s.home("")
	var out []string
	for _, d := range append([]string{s.Dir}, s.dirStack...) {
		if home != "/" && (d == home || strings.HasPrefix(d, home+"/")) {
			d = "~" + strings.TrimPrefix(d, home)
		}
		out = append(out, d)
	}
	return strings.Join(out, " ") + "\n"
}

func builtinDirs(s *Shell, args []string) int {
	if len(args) > 1 && args[1] == "-c" {
		s.dirStack = nil
		return 0
	}
	if len(args) > 1 && (args[1] == "-p" || args[1] == "-v") {
		for i, d := range strings.Fields(s.dirsLine()) {
			if args[1] == "-v" {
				s.out("%2d  %s\n", i, d)
			} else {
				s.out("%s\n", d)
			}
		}
		return 0
	}
	return s.write("dirs", s.dirsLine())
}

func builtinPushd(s *Shell, args []string) int {
	old := s.Dir
	if len(args) < 2 {
		if len(s.dirStack) == 0 {
			s.errorf("pushd: no other directory")
			return 1
		}
		to := s.dirStack[0]
		if s.chdir("pushd", to, false) != 0 {
			return 1
		}
		s.dirStack = append([]string{old}, s.dirStack[1:]...)
		return s.write("pushd", s.dirsLine())
	}
	if s.chdir("pushd", args[1], false) != 0 {
		return 1
	}
	s.dirStack = append([]string{old}, s.dirStack...)
	return s.write("pushd", s.dirsLine())
}

func builtinPopd(s *Shell, args []string) int {
	if len(s.dirStack) == 0 {
		s.errorf("popd: directory stack empty")
		return 1
	}
	to := s.dirStack[0]
	if s.chdir("popd", to, false) != 0 {
		return 1
	}
	s.dirStack = s.dirStack[1:]
	return s.write("popd", s.dirsLine())
}

func builtinUnset(s *Shell, args []string) int {
	rest := args[1:]
	kind := byte(0)
	for len(rest) > 0 && len(rest[0]) == 2 && rest[0][0] == '-' {
		kind = rest[0][1]
		rest = rest[1:]
	}
	status := 0
	for _, n := range rest {
		if kind == 'f' {
			delete(s.funcs, n)
			continue
		}
		if base, sub, has := strings.Cut(n, "["); has {
			status |= s.unsetElement(base, strings.TrimSuffix(sub, "]"))
			continue
		}
		if !syntax.ValidName(n) {
			if _, isFn := s.funcs[n]; isFn {
				delete(s.funcs, n)
				continue
			}
			continue // as bash, silently
		}
		if kind == 'n' {
			delete(s.vars, n)
			continue
		}
		if _, set := s.vars[n]; !set && kind == 0 {
			delete(s.funcs, n)
			continue
		}
		if err := s.unset(n); err != nil {
			s.errorf("unset: %s", err)
			status = 1
		}
	}
	return status
}

func (s *Shell) unsetElement(name, sub string) int {
	if s.lookup(name) == nil {
		return 0
	}
	if sub == "@" || sub == "*" {
		_ = s.unset(name)
		return 0
	}
	v, err := s.own(s.refName(name))
	if err != nil {
		s.errorf("unset: %s", err)
		return 1
	}
	if v.Kind == Associative {
		delete(v.pairs, strings.Trim(sub, `"'`))
		return 0
	}
	n, err := s.arithText(sub)
	if err != nil {
		s.errorf("unset: %s", err)
		return 1
	}
	s.toIndexed(v)
	if n < 0 {
		n += int64(v.maxIndex()) + 1
	}
	if v.idx == nil {
		v.idx = make([]int, len(v.list))
		for i := range v.idx {
			v.idx[i] = i
		}
	}
	for i, at := range v.idx {
		if int64(at) == n {
			v.idx = append(v.idx[:i:i], v.idx[i+1:]...)
			v.list = append(v.list[:i:i], v.list[i+1:]...)
			break
		}
	}
	return 0
}

var optionNames = []struct {
	name   string
	letter byte
}{
	{"allexport", 'a'}, {"braceexpand", 'B'}, {"emacs", 0}, {"errexit", 'e'}, {"errtrace", 'E'}, {"functrace", 'T'},
	{"hashall", 'h'}, {"histexpand", 'H'}, {"history", 0}, {"ignoreeof", 0}, {"interactive-comments", 1}, {"keyword", 'k'}, {"monitor", 'm'},
	{"noclobber", 'C'}, {"noexec", 'n'}, {"noglob", 'f'}, {"nolog", 0}, {"notify", 'b'}, {"nounset", 'u'}, {"onecmd", 't'},
	{"physical", 'P'}, {"pipefail", 'o'}, {"posix", 0}, {"privileged", 'p'}, {"verbose", 'v'}, {"vi", 0}, {"xtrace", 'x'},
}

func (s *Shell) setOption(name string, on bool) bool {
	for _, o := range optionNames {
		if o.name == name {
			if o.letter != 0 {
				s.opts[o.letter] = on
			}
			return true
		}
	}
	return false
}

func builtinSet(s *Shell, args []string) int {
	if len(args) == 1 {
		names := make([]string, 0, len(s.vars))
		for n, v := range s.vars {
			if v.Set {
				names = append(names, n)
			}
		}
		sort.Strings(names)
		var b strings.Builder
		for _, n := range names {
			b.WriteString(s.declaration(n, s.vars[n], false) + "\n")
		}
		return s.write("set", b.String())
	}
	for i := 1; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			s.params = append([]string(nil), args[i+1:]...)
			return 0
		case a == "-":
			s.opts['x'], s.opts['v'] = false, false
			if i+1 < len(args) {
				s.params = append([]string(nil), args[i+1:]...)
			}
			return 0
		case len(a) > 1 && (a[0] == '-' || a[0] == '+'):
			on := a[0] == '-'
			for _, ch := range a[1:] {
				if ch == 'o' {
					if i+1 >= len(args) {
						for _, o := range optionNames {
							v := "off"
							if o.letter != 0 && s.opts[o.letter] || o.letter == 1 {
								v = "on"
							}
							if on {
								s.out("%-15s\t%s\n", o.name, v)
							} else {
								s.out("set %so %s\n", map[string]string{"on": "-", "off": "+"}[v], o.name)
							}
						}
						return 0
					}
					i++
					if !s.setOption(args[i], on) {
						s.errorf("set: %s: invalid option name", args[i])
						return 2
					}
					continue
				}
				if !strings.ContainsRune("abefhkmnptuvxBCEHPT", ch) {
					s.errorf("set: %c%c: invalid option", a[0], ch)
					s.fdWrite(2, []byte("set: usage: set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]\n"))
					return 2
				}
				s.opts[byte(ch)] = on
			}
		default:
			s.params = append([]string(nil), args[i:]...)
			return 0
		}
	}
	return 0
}

func builtinShopt(s *Shell, args []string) int {
	rest := args[1:]
	on, off, quiet, byO := false, false, false, false
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		for _, c := range rest[0][1:] {
			switch c {
			case 's':
				on = true
			case 'u':
				off = true
			case 'q':
				quiet = true
			case 'o':
				byO = true
			}
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		names := make([]string, 0, len(s.shopts))
		for n := range s.shopts {
			names = append(names, n)
		}
		sort.Strings(names)
		for _, n := range names {
			if on && !s.shopts[n] || off && s.shopts[n] {
				continue
			}
			s.out("%-20s\t%s\n", n, map[bool]string{true: "on", false: "off"}[s.shopts[n]])
		}
		return 0
	}
	status := 0
	for _, n := range rest {
		if byO {
			if !s.setOption(n, on) {
				s.errorf("shopt: %s: invalid option name", n)
				status = 1
			}
			continue
		}
		switch {
		case on || off:
			if !knownShopt[n] {
				s.errorf("shopt: %s: invalid shell option name", n)
				status = 1
				continue
			}
			s.shopts[n] = on
		default:
			if !s.shopts[n] {
				status = 1
			}
			if !quiet {
				s.out("%-20s\t%s\n", n, map[bool]string{true: "on", false: "off"}[s.shopts[n]])
			}
		}
	}
	return status
}

var knownShopt = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range append(strings.Fields("autocd cdable_vars cdspell checkhash checkjobs direxpand dirspell dotglob execfail extdebug failglob globstar gnu_errfmt histappend histreedit histverify huponexit inherit_errexit lastpipe lithist localvar_inherit localvar_unset login_shell mailwarn no_empty_cmd_completion nocaseglob nocasematch noexpand_translation nullglob progcomp_alias restricted_shell shift_verbose varredir_close xpg_echo assoc_expand_once compat43 compat44"), defaultShopts...) {
		m[n] = true
	}
	return m
}()

func builtinShift(s *Shell, args []string) int {
	n := 1
	if len(args) > 1 {
		var err error
		if n, err = strconv.Atoi(args[1]); err != nil {
			s.errorf("shift: %s: numeric argument required", args[1])
			return 1
		}
	}
	if n < 0 {
		s.errorf("shift: %d: shift count out of range", n)
		return 1
	}
	if n > len(s.params) {
		return 1
	}
	s.params = s.params[n:]
	return 0
}

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

func (s *Shell) nested(src string) int {
	if s.depth >= maxDepth {
		s.errorf("maximum nesting level exceeded (%d)", maxDepth)
		s.flow = flowExit
		return 1
	}
	s.depth++
	s.sourcing++
	base, line := s.lineBase, s.line
	s.lineBase = line - 1
	s.status = 0
	s.source(src)
	s.lineBase, s.line = base, line
	s.sourcing--
	s.depth--
	return s.status
}

func builtinEval(s *Shell, args []string) int {
	rest := args[1:]
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	}
	return s.nested(strings.Join(rest, " "))
}

func builtinSource(s *Shell, args []string) int {
	if len(args) < 2 {
		s.errorf("%s: filename argument required", args[0])
		s.fdWrite(2, []byte(args[0]+": usage: "+args[0]+" filename [arguments]\n"))
		return 2
	}
	file := args[1]
	full := vfs.Join(s.Dir, file)
	if !strings.Contains(file, "/") {
		for _, d := range strings.Split(s.Get("PATH"), ":") {
			p := path.Join(vfs.Join(s.Dir, d), file)
			if info, err := s.ctx.FS.Stat(p); err == nil && info.Mode().IsRegular() {
				full = p
				break
			}
		}
	}
	var data []byte
	var err error
	if d, e := s.open(full, openRead); e == nil {
		data, err = io.ReadAll(io.LimitReader(d.r, maxSource+1))
		d.close()
	} else {
		err = e
	}
	if err != nil {
		if s.flavour == Ash {
			s.errorf("%s: can't open '%s': %s", args[0], file, vfs.Reason(err))
		} else {
			s.errorf("%s: %s", file, vfs.Reason(err))
		}
		return 1
	}
	params, base, name, script := s.params, s.lineBase, s.name, s.script
	if len(args) > 2 {
		s.params = args[2:]
	}
	if s.showLine || true {
		s.name, s.script = file, file
	}
	show := s.showLine
	s.showLine = true
	line := s.line
	s.line = 1
	status := s.nested(string(data))
	s.showLine, s.name, s.script, s.lineBase, s.line = show, name, script, base, line
	if len(args) > 2 {
		s.params = params
	}
	if s.flow == flowReturn {
		s.flow = flowNone
		status = s.status
	}
	return status
}

// maxExecs is how many programs may take one process over, one after another.
const maxExecs = 1000

func builtinExec(s *Shell, args []string) int {
	if len(args) > 1 && args[1] == "-a" && len(args) > 3 {
		args = append([]string{"exec"}, args[3:]...)
	}
	if len(args) == 1 {
		s.keepRedirs = true
		return 0
	}
	name := args[1]
	prog, script, status, reason := s.find(name)
	if prog == nil && script == "" {
		if reason == "" {
			reason = "not found"
		}
		s.errorf("exec: %s: %s", name, reason)
		s.status = status
		if !s.interactive {
			s.flow = flowExit
		}
		return status
	}
	if script != "" {
		if prog = s.scriptProgram(script); prog == nil {
			return s.status
		}
	}
	if s.proc.Execs++; s.proc.Execs > maxExecs { // a script that execs itself
		s.errorf("%s: Resource temporarily unavailable", name)
		s.flow = flowExit
		s.exitRan = true
		s.status = 126
		return 126
	}
	c := s.programContext(s.proc)
	was := s.proc.OnSignal
	s.proc.OnSignal = nil
	s.status = prog(c, args[1:]) & 255
	s.proc.OnSignal = was
	s.flow = flowExit
	s.exitRan = true
	return s.status
}

func (s *Shell) statusArg(args []string) (int, bool) {
	if len(args) < 2 {
		return s.status, true
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		s.errorf("%s: %s: numeric argument required", args[0], args[1])
		return 2, false
	}
	return int(n & 255), true
}

func builtinExit(s *Shell, args []string) int {
	if len(args) > 2 {
		if _, err := strconv.Atoi(args[1]); err == nil {
			s.errorf("exit: too many arguments")
			return 1
		}
	}
	if s.interactive && s.subshell == 0 {
		s.fdWrite(2, []byte("exit\n"))
	}
	n, _ := s.statusArg(args)
	s.status = n
	s.flow = flowExit
	return n
}

func builtinReturn(s *Shell, args []string) int {
	if len(s.funcNames) == 0 && s.sourcing == 0 {
		s.errorf("return: can only `return' from a function or sourced script")
		return 2
	}
	n, _ := s.statusArg(args)
	s.status = n
	s.flow = flowReturn
	return n
}

func builtinBreak(s *Shell, args []string) int {
	if s.loops == 0 {
		s.errorf("%s: only meaningful in a `for', `while', or `until' loop", args[0])
		return 0
	}
	n := 1
	if len(args) > 1 {
		var err error
		if n, err = strconv.Atoi(args[1]); err != nil {
			s.errorf("%s: %s: numeric argument required", args[0], args[1])
			s.flow = flowExit
			return 128
		}
		if n < 1 {
			s.errorf("%s: %s: loop count out of range", args[0], args[1])
			s.flow, s.flowCount = flowBreak, s.loops
			return 1
		}
	}
	s.flow, s.flowCount = flowBreak, n
	if args[0] == "continue" {
		s.flow = flowContinue
	}
	return 0
}

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

func builtinType(s *Shell, args []string) int {
	kind, pathOnly, all := false, false, false
	rest := args[1:]
	for len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		kind = kind || strings.Contains(rest[0], "t")
		pathOnly = pathOnly || strings.ContainsAny(rest[0], "pP")
		all = all || strings.Contains(rest[0], "a")
		rest = rest[1:]
	}
	status := 0
	for _, n := range rest {
		k, detail := s.kindOf(n)
		switch {
		case k == "":
			status = 1
			if !kind && !pathOnly {
				if s.flavour == Ash {
					s.out("%s: not found\n", n)
				} else {
					s.errorf("type: %s: not found", n)
				}
			}
		case kind:
			s.out("%s\n", k)
		case pathOnly:
			if k == "file" {
				s.out("%s\n", detail)
			}
		case k == "alias":
			s.out("%s is aliased to `%s'\n", n, detail)
		case k == "keyword":
			s.out("%s is a shell keyword\n", n)
		case k == "function":
			s.out("%s is a function\n%s", n, funcText(n, s.funcs[n]))
		case k == "builtin":
			s.out("%s is a shell builtin\n", n)
		default:
			s.out("%s is %s\n", n, detail)
		}
	}
	return status
}

var keywords = map[string]bool{"if": true, "then": true, "else": true, "elif": true, "fi": true, "case": true, "esac": true, "for": true, "select": true, "while": true, "until": true, "do": true, "done": true, "in": true, "function": true, "time": true, "{": true, "}": true, "!": true, "[[": true, "]]": true, "coproc": true}

func (s *Shell) kindOf(n string) (kind, detail string) {
	if t, ok := s.aliases[n]; ok && s.shopts["expand_aliases"] {
		return "alias", t
	}
	if keywords[n] {
		return "keyword", ""
	}
	if _, ok := s.funcs[n]; ok {
		return "function", ""
	}
	if _, ok := builtins[n]; ok && !s.disabled[n] {
		return "builtin", ""
	}
	if p := s.which(n); p != "" {
		return "file", p
	}
	return "", ""
}

// which is the path that a command's name is found at.
func (s *Shell) which(n string) string {
	return tool.Which(s.toolContext(), n, s.Get("PATH"))
}

func builtinCommand(s *Shell, args []string) int {
	rest := args[1:]
	show, verbose := false, false
	for len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		show = show || strings.Contains(rest[0], "v")
		verbose = verbose || strings.Contains(rest[0], "V")
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return 0
	}
	if verbose {
		return builtinType(s, append([]string{"type"}, rest...))
	}
	if show {
		status := 1
		for _, n := range rest {
			switch k, detail := s.kindOf(n); k {
			case "":
			case "file":
				s.out("%s\n", detail)
				status = 0
			case "alias":
				s.out("alias %s=%s\n", n, Quote(detail, true))
				status = 0
			default:
				s.out("%s\n", n)
				status = 0
			}
		}
		return status
	}
	if s.runBuiltin(rest) {
		return s.status
	}
	s.runProgram(rest)
	return s.status
}

func builtinBuiltin(s *Shell, args []string) int {
	if len(args) == 1 {
		return 0
	}
	if b, ok := builtins[args[1]]; ok {
		return b(s, args[1:])
	}
	s.errorf("builtin: %s: not a shell builtin", args[1])
	return 1
}

func builtinHash(s *Shell, args []string) int {
	status := 0
	for _, n := range args[1:] {
		if strings.HasPrefix(n, "-") {
			continue
		}
		if s.which(n) == "" {
			s.errorf("hash: %s: not found", n)
			status = 1
		}
	}
	return status
}

func builtinEnable(s *Shell, args []string) int {
	off := false
	for _, n := range args[1:] {
		if n == "-n" {
			off = true
			continue
		}
		if _, ok := builtins[n]; !ok {
			s.errorf("enable: %s: not a shell builtin", n)
			return 1
		}
		s.disabled[n] = off
	}
	if len(args) == 1 {
		names := make([]string, 0, len(builtins))
		for n := range builtins {
			if !s.disabled[n] {
				names = append(names, n)
			}
		}
		sort.Strings(names)
		for _, n := range names {
			s.out("enable %s\n", n)
		}
	}
	return 0
}

func builtinAlias(s *Shell, args []string) int {
	if len(args) == 1 || len(args) == 2 && args[1] == "-p" {
		names := make([]string, 0, len(s.aliases))
		for n := range s.aliases {
			names = append(names, n)
		}
		sort.Strings(names)
		for _, n := range names {
			s.out("alias %s=%s\n", n, Quote(s.aliases[n], true))
		}
		return 0
	}
	status := 0
	for _, a := range args[1:] {
		n, v, has := strings.Cut(a, "=")
		if has {
			s.aliases[n] = v
			continue
		}
		if t, ok := s.aliases[n]; ok {
			s.out("alias %s=%s\n", n, Quote(t, true))
		} else {
			s.errorf("alias: %s: not found", n)
			status = 1
		}
	}
	return status
}

func builtinUnalias(s *Shell, args []string) int {
	status := 0
	for _, n := range args[1:] {
		if n == "-a" {
			clear(s.aliases)
		} else if _, ok := s.aliases[n]; ok {
			delete(s.aliases, n)
		} else {
			s.errorf("unalias: %s: not found", n)
			status = 1
		}
	}
	return status
}

func builtinUmask(s *Shell, args []string) int {
	for _, a := range args[1:] {
		if a == "-S" {
			m := ^s.umask
			t := func(n uint32) string {
				r := ""
				for i, c := range "rwx" {
					if n>>(2-i)&1 == 1 {
						r += string(c)
					}
				}
				return r
			}
			s.out("u=%s,g=%s,o=%s\n", t(m>>6), t(m>>3), t(m))
			return 0
		}
		n, err := strconv.ParseUint(a, 8, 12)
		if err != nil {
			mode, ok := tool.ParseMode(a, fs.FileMode(^s.umask&0o777), false)
			if !ok {
				s.errorf("umask: %s: invalid symbolic mode operator", a)
				return 1
			}
			n = uint64(^uint32(mode) & 0o777)
		}
		s.umask = uint32(n)
		return 0
	}
	s.out("%04o\n", s.umask)
	return 0
}

func builtinGetopts(s *Shell, args []string) int {
	if len(args) < 3 {
		s.fdWrite(2, []byte("getopts: usage: getopts optstring name [arg ...]\n"))
		return 2
	}
	spec, name := args[1], args[2]
	words := s.params
	if len(args) > 3 {
		words = args[3:]
	}
	silent := strings.HasPrefix(spec, ":")
	ind, _ := strconv.Atoi(s.Get("OPTIND"))
	if ind < 1 {
		ind = 1
	}
	if s.optPos == 0 || ind > len(words) {
		s.optPos = 1
	}
	end := func() int {
		_ = s.assign(name, "?", false)
		_ = s.assign("OPTIND", strconv.Itoa(ind), false)
		s.optPos = 0
		return 1
	}
	_ = s.unset("OPTARG")
	if ind > len(words) {
		return end()
	}
	w := words[ind-1]
	if s.optPos >= len(w) || len(w) < 2 || w[0] != '-' {
		if w == "--" {
			ind++
			return end()
		}
		if len(w) < 2 || w[0] != '-' {
			return end()
		}
		s.optPos = 1
	}
	if w == "--" {
		ind++
		return end()
	}
	c := w[s.optPos]
	s.optPos++
	i := strings.IndexByte(strings.TrimPrefix(spec, ":"), c)
	if i < 0 || c == ':' {
		if s.optPos >= len(w) {
			ind++
			s.optPos = 0
		}
		_ = s.assign("OPTIND", strconv.Itoa(ind), false)
		_ = s.assign(name, "?", false)
		if silent {
			_ = s.assign("OPTARG", string(c), false)
		} else if s.Get("OPTERR") != "0" {
			s.fdWrite(2, []byte(fmt.Sprintf("%s: illegal option -- %c\n", s.arg0, c)))
		}
		return 0
	}
	rest := strings.TrimPrefix(spec, ":")[i+1:]
	if strings.HasPrefix(rest, ":") {
		if s.optPos < len(w) {
			_ = s.assign("OPTARG", w[s.optPos:], false)
			ind++
		} else if ind < len(words) {
			_ = s.assign("OPTARG", words[ind], false)
			ind += 2
		} else {
			ind++
			s.optPos = 0
			_ = s.assign("OPTIND", strconv.Itoa(ind), false)
			if silent {
				_ = s.assign(name, ":", false)
				_ = s.assign("OPTARG", string(c), false)
			} else {
				_ = s.assign(name, "?", false)
				s.fdWrite(2, []byte(fmt.Sprintf("%s: option requires an argument -- %c\n", s.arg0, c)))
			}
			return 0
		}
		s.optPos = 0
	} else if s.optPos >= len(w) {
		ind++
		s.optPos = 0
	}
	pos := s.optPos
	_ = s.assign("OPTIND", strconv.Itoa(ind), false)
	s.optPos = pos
	_ = s.assign(name, string(c), false)
	return 0
}

func builtinLet(s *Shell, args []string) int {
	if len(args) == 1 {
		s.errorf("let: expression expected")
		return 1
	}
	var n int64
	for _, a := range args[1:] {
		var err error
		if n, err = s.arithText(a); err != nil {
			s.errorf("let: %s: %s", a, err)
			return 1
		}
	}
	return int(b2i(n == 0))
}

func builtinTimes(s *Shell, args []string) int {
	return s.write("times", "0m0.000s 0m0.000s\n0m0.000s 0m0.000s\n")
}

func builtinUlimit(s *Shell, args []string) int {
	if len(args) == 1 || args[1] == "-S" || args[1] == "-H" {
		return s.write("ulimit", "unlimited\n")
	}
	values := map[string]string{"-n": "1048576", "-u": strconv.Itoa(s.tree.limit), "-c": "0", "-s": "8192", "-p": "8"}
	if args[1] == "-a" {
		return s.write("ulimit", "core file size              (blocks, -c) 0\nopen files                          (-n) 1048576\nstack size                  (kbytes, -s) 8192\nmax user processes                  (-u) "+strconv.Itoa(s.tree.limit)+"\n")
	}
	if len(args) == 2 {
		v := values[args[1]]
		if v == "" {
			v = "unlimited"
		}
		return s.write("ulimit", v+"\n")
	}
	return 0
}

func builtinHelp(s *Shell, args []string) int {
	if len(args) > 1 {
		if _, ok := builtins[args[1]]; !ok {
			s.errorf("help: no help topics match `%s'.  Try `help help' or `man -k %s' or `info %s'.", args[1], args[1], args[1])
			return 1
		}
		return s.write("help", args[1]+": a shell builtin; see https://www.gnu.org/software/bash/manual/\n")
	}
	names := make([]string, 0, len(builtins))
	for n := range builtins {
		names = append(names, n)
	}
	sort.Strings(names)
	return s.write("help", "GNU bash, version "+Version+" (x86_64-pc-linux-gnu)\nThese shell commands are defined internally:\n\n"+strings.Join(names, " ")+"\n")
}
