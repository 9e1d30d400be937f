// Builtins about the working directory: cd, pwd, dirs, pushd, popd.

package shell

import (
	"strings"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

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
