// Builtins about variables and options: set, shopt, unset, shift, getopts.

package shell

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

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
