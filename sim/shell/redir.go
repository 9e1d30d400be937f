// Redirections.

package shell

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

type openMode int

const (
	openRead openMode = iota
	openWrite
	openClobber
	openAppend
	openReadWrite
)

// nullFile stands for /dev/null where the tree has no devices.
type nullFile struct{ emptyReader }

func (nullFile) Write(b []byte) (int, error) { return len(b), nil }

// open opens a file for a redirection; names of descriptors give a duplicate.
func (s *Shell) open(name string, mode openMode) (*desc, error) {
	p := vfs.Join(s.Dir, name)
	fd := -1
	switch p {
	case "/dev/stdin":
		fd = 0
	case "/dev/stdout":
		fd = 1
	case "/dev/stderr":
		fd = 2
	default:
		for _, dir := range []string{"/dev/fd/", "/proc/self/fd/"} {
			if rest, ok := strings.CutPrefix(p, dir); ok {
				if n, err := strconv.Atoi(rest); err == nil && s.fds[n] != nil {
					fd = n
				}
			}
		}
	}
	if fd >= 0 {
		d := s.fds[fd]
		if d == nil {
			return nil, vfs.ENOENT
		}
		d.refs++
		return d, nil
	}
	flag := os.O_RDONLY
	want := fs.FileMode(4)
	switch mode {
	case openWrite:
		if s.opts['C'] {
			if info, err := s.ctx.FS.Stat(p); err == nil && info.Mode().IsRegular() {
				return nil, errnoText("cannot overwrite existing file")
			}
		}
		flag, want = os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 2
	case openClobber:
		flag, want = os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 2
	case openAppend:
		flag, want = os.O_WRONLY|os.O_CREATE|os.O_APPEND, 2
	case openReadWrite:
		flag, want = os.O_RDWR|os.O_CREATE, 6
	}
	if name == "" {
		return nil, vfs.ENOENT
	}
	if s.ctx.UID != 0 {
		target := p
		if _, err := s.ctx.FS.Stat(p); err != nil {
			target = path.Dir(p)
			if mode == openRead {
				target = ""
			}
		}
		if target != "" {
			if info, err := s.ctx.FS.Stat(target); err == nil && info.Mode()&fs.ModeDevice == 0 {
				if err := s.ctx.FS.Access(target, s.ctx.UID, want); err != nil {
					return nil, err
				}
			}
		}
	}
	perm := fs.FileMode(0o666 &^ s.umask)
	_, missing := s.ctx.FS.Lstat(p)
	f, err := s.ctx.FS.Open(p, flag, perm)
	if err != nil {
		if p == "/dev/null" {
			return &desc{r: nullFile{}, w: nullFile{}, refs: 1}, nil
		}
		return nil, err
	}
	if missing != nil && s.ctx.UID != 0 {
		s.ctx.FS.Own(p, s.ctx.UID)
	}
	d := &desc{refs: 1, onClose: func() { _ = f.Close() }}
	if want&4 != 0 {
		d.r = f
	}
	if want&2 != 0 {
		d.w = f
	}
	return d, nil
}

// redirect applies redirections in order. ok is false, and the status 1, when
// one fails; restore undoes them in any case.
func (s *Shell) redirect(redirs []*syntax.Redirect) (restore func(), ok bool) {
	if len(redirs) == 0 {
		return func() {}, true
	}
	type saved struct {
		fd int
		d  *desc
	}
	var undo []saved
	restore = func() {
		if s.keepRedirs { // exec without a command
			s.keepRedirs = false
			for _, u := range undo {
				if u.d != nil {
					u.d.close()
				}
			}
			undo = nil
			return
		}
		for i := len(undo) - 1; i >= 0; i-- {
			if cur := s.fds[undo[i].fd]; cur != nil {
				cur.close()
			}
			if undo[i].d == nil {
				delete(s.fds, undo[i].fd)
			} else {
				s.fds[undo[i].fd] = undo[i].d
			}
		}
		undo = nil
	}
	set := func(fd int, d *desc) {
		undo = append(undo, saved{fd, s.fds[fd]})
		if d == nil {
			delete(s.fds, fd)
		} else {
			s.fds[fd] = d
		}
	}
	for _, r := range redirs {
		fd, variable := -1, ""
		if r.N != nil {
			if n, err := strconv.Atoi(r.N.Value); err == nil {
				fd = n
			} else {
				variable = strings.Trim(r.N.Value, "{}")
			}
		}
		def := func(n int) {
			if variable != "" {
				for fd = 10; s.fds[fd] != nil; fd++ {
				}
				_ = s.assign(variable, strconv.Itoa(fd), false)
			} else if fd < 0 {
				fd = n
			}
		}
		if fd > 1023 {
			s.errorf("%d: Bad file descriptor", fd)
			s.status = 1
			return restore, false
		}
		switch r.Op {
		case syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc:
			def(0)
			text, err := s.hereText(r)
			if err != nil {
				s.fail(err)
				return restore, false
			}
			set(fd, &desc{r: strings.NewReader(text), refs: 1})
			continue
		}
		word, err := s.redirWord(r.Word)
		if err != nil {
			s.fail(err)
			if s.status == 0 {
				s.status = 1
			}
			return restore, false
		}
		bad := func(name string, err error) (func(), bool) {
			if s.flavour == Ash {
				verb := "open"
				if r.Op != syntax.RdrIn {
					verb = "create"
				}
				reason := strings.ToLower(vfs.Reason(err))
				if verb == "create" && reason == "no such file or directory" {
					reason = "nonexistent directory"
				}
				if verb == "open" && reason == "no such file or directory" {
					reason = "no such file"
				}
				if reason == "permission denied" || strings.HasPrefix(reason, "read-only") || strings.HasPrefix(reason, "is a") {
					reason = vfs.Reason(err)
				}
				s.errorf("can't %s %s: %s", verb, name, reason)
			} else if _, plain := err.(errnoText); plain {
				s.errorf("%s: %s", name, err)
			} else {
				s.errorf("%s: %s", name, vfs.Reason(err))
			}
			s.status = 1
			return restore, false
		}
		switch r.Op {
		case syntax.RdrIn, syntax.RdrInOut:
			def(0)
			mode := openRead
			if r.Op == syntax.RdrInOut {
				mode = openReadWrite
			}
			d, err := s.open(word, mode)
			if err != nil {
				return bad(word, err)
			}
			set(fd, d)
		case syntax.RdrOut, syntax.RdrClob, syntax.AppOut, syntax.AppClob:
			def(1)
			mode := openWrite
			if r.Op == syntax.RdrClob {
				mode = openClobber
			} else if r.Op != syntax.RdrOut {
				mode = openAppend
			}
			d, err := s.open(word, mode)
			if err != nil {
				return bad(word, err)
			}
			set(fd, d)
		case syntax.RdrAll, syntax.AppAll, syntax.RdrAllClob, syntax.AppAllClob:
			mode := openWrite
			if r.Op == syntax.AppAll || r.Op == syntax.AppAllClob {
				mode = openAppend
			}
			d, err := s.open(word, mode)
			if err != nil {
				return bad(word, err)
			}
			d.refs++
			set(1, d)
			set(2, d)
		case syntax.DplIn, syntax.DplOut:
			if r.Op == syntax.DplIn {
				def(0)
			} else {
				def(1)
			}
			if word == "-" {
				if variable != "" {
					fd, _ = strconv.Atoi(s.Get(variable))
				}
				set(fd, nil)
				continue
			}
			move := strings.HasSuffix(word, "-")
			n, err := strconv.Atoi(strings.TrimSuffix(word, "-"))
			if err != nil {
				if r.Op == syntax.DplOut && r.N == nil { // >&file
					d, err := s.open(word, openWrite)
					if err != nil {
						return bad(word, err)
					}
					d.refs++
					set(1, d)
					set(2, d)
					continue
				}
				s.errorf("%s: ambiguous redirect", word)
				s.status = 1
				return restore, false
			}
			d := s.fds[n]
			if d == nil {
				s.errorf("%d: Bad file descriptor", n)
				s.status = 1
				return restore, false
			}
			d.refs++
			set(fd, d)
			if move && n != fd {
				set(n, nil)
			}
		default:
			return bad(word, fmt.Errorf("unsupported redirection"))
		}
	}
	return restore, true
}

// redirWord expands the file name of a redirection, which must be one word.
func (s *Shell) redirWord(w *syntax.Word) (string, error) {
	words, err := s.fields(w)
	if err != nil {
		return "", err
	}
	if len(words) != 1 {
		return "", fmt.Errorf("%s: ambiguous redirect", printNode(w))
	}
	return words[0], nil
}

func (s *Shell) hereText(r *syntax.Redirect) (string, error) {
	if r.Op == syntax.WordHdoc {
		text, err := s.literal(r.Word)
		return text + "\n", err
	}
	if r.Hdoc == nil {
		return "", nil
	}
	quoted := false
	for _, p := range r.Word.Parts {
		l, ok := p.(*syntax.Lit)
		quoted = quoted || !ok || strings.Contains(l.Value, `\`)
	}
	doc := r.Hdoc
	if r.Op == syntax.DashHdoc {
		doc = stripTabs(doc)
	}
	if quoted {
		var b strings.Builder
		for _, p := range doc.Parts {
			if l, ok := p.(*syntax.Lit); ok {
				b.WriteString(l.Value)
			}
		}
		return b.String(), nil
	}
	return s.document(doc)
}

// stripTabs takes the tabs off the beginnings of the lines of a <<- document.
func stripTabs(w *syntax.Word) *syntax.Word {
	out := &syntax.Word{}
	start := true
	for _, p := range w.Parts {
		l, ok := p.(*syntax.Lit)
		if !ok {
			out.Parts = append(out.Parts, p)
			start = false
			continue
		}
		var b strings.Builder
		for i := range len(l.Value) {
			c := l.Value[i]
			if c == '\t' && start {
				continue
			}
			start = c == '\n'
			b.WriteByte(c)
		}
		out.Parts = append(out.Parts, &syntax.Lit{ValuePos: l.ValuePos, ValueEnd: l.ValueEnd, Value: b.String()})
	}
	return out
}

// readLine reads byte by byte, so that nothing is taken from whoever reads next.
func (s *Shell) readLine(fd int, delim byte) (string, error) {
	r := fdReader{s, fd}
	var b []byte
	one := make([]byte, 1)
	for {
		n, err := r.Read(one)
		if n > 0 {
			b = append(b, one[0])
			if one[0] == delim {
				return string(b), nil
			}
			if len(b) > maxExpansion {
				return string(b), errMemory()
			}
			continue
		}
		if err == nil {
			err = io.EOF
		}
		return string(b), err
	}
}
