// The table of the builtin commands, and those of no group (echo, printf, exit,
// break, let, umask, ulimit, help …); the others are in builtin_*.go.

package shell

import (
	"io/fs"
	"sort"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

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
