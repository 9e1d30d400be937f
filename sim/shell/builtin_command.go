// Builtins that run commands or tell of them: eval, source, exec, type, command,
// hash, enable, alias.

package shell

import (
	"io"
	"path"
	"sort"
	"strings"

	"github.com/kubonsai/kubonsai/sim/shell/tool"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

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
