// Braces and file names: what becomes several words.

package shell

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/kubonsai/kubonsai/sim/shell/pattern"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func hasBrace(w *syntax.Word) bool {
	for _, p := range w.Parts {
		if l, ok := p.(*syntax.Lit); ok && strings.Contains(l.Value, "{") {
			return true
		}
	}
	return false
}

// braces expands {a,b} and {1..9}; the size is bounded.
func (s *Shell) braces(w *syntax.Word) ([]*syntax.Word, error) {
	split := &syntax.Word{Parts: slices.Clone(w.Parts)}
	if !syntax.SplitBraces(split) {
		return []*syntax.Word{w}, nil
	}
	n := 0
	return s.braceWord(split, &n)
}

func (s *Shell) braceWord(w *syntax.Word, n *int) ([]*syntax.Word, error) {
	for i, part := range w.Parts {
		br, ok := part.(*syntax.BraceExp)
		if !ok {
			continue
		}
		var alts []*syntax.Word
		if br.Sequence {
			seq, err := braceSequence(br)
			if err != nil {
				return nil, err
			}
			for _, t := range seq {
				alts = append(alts, &syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{Value: t}}})
			}
		} else {
			for _, e := range br.Elems {
				sub, err := s.braceWord(e, n)
				if err != nil {
					return nil, err
				}
				alts = append(alts, sub...)
			}
		}
		rest, err := s.braceWord(&syntax.Word{Parts: w.Parts[i+1:]}, n)
		if err != nil {
			return nil, err
		}
		var out []*syntax.Word
		for _, a := range alts {
			for _, r := range rest {
				if *n++; *n > maxFields/4 {
					return nil, errMemory()
				}
				out = append(out, &syntax.Word{Parts: slices.Concat(w.Parts[:i], a.Parts, r.Parts)})
			}
		}
		return out, nil
	}
	return []*syntax.Word{w}, nil
}

func braceSequence(br *syntax.BraceExp) ([]string, error) {
	from, to := br.Elems[0].Lit(), br.Elems[1].Lit()
	step := int64(1)
	if len(br.Elems) > 2 {
		step, _ = strconv.ParseInt(br.Elems[2].Lit(), 10, 64)
	}
	a, errA := strconv.ParseInt(from, 10, 64)
	z, errZ := strconv.ParseInt(to, 10, 64)
	char := errA != nil || errZ != nil
	if char {
		if len(from) != 1 || len(to) != 1 {
			return []string{"{" + from + ".." + to + "}"}, nil
		}
		a, z = int64(from[0]), int64(to[0])
	}
	if step == 0 {
		step = 1
	}
	if step < 0 {
		step = -step
	}
	if a > z {
		step = -step
	}
	count := (z - a) / step
	if count < 0 || count >= maxFields/4 {
		return nil, errMemory()
	}
	width := 0
	padded := func(t string) bool {
		t = strings.TrimPrefix(t, "-")
		return len(t) > 1 && t[0] == '0'
	}
	if !char && (padded(from) || padded(to)) {
		width = max(len(from), len(to))
	}
	out := make([]string, 0, count+1)
	for i := int64(0); i <= count; i++ {
		v := a + i*step
		if char {
			out = append(out, string(rune(v)))
		} else {
			out = append(out, fmt.Sprintf("%0*d", width, v))
		}
	}
	return out, nil
}

// glob adds the file names that a field matches, or the field itself.
func (s *Shell) glob(f field, out []string) ([]string, error) {
	meta := false
	for _, p := range f {
		meta = meta || !p.quoted && strings.ContainsAny(p.text, "*?[(")
	}
	if !meta || s.opts['f'] {
		return append(out, f.text()), nil
	}
	pat := f.pattern()
	if !pattern.HasMeta(pat, s.matchMode()) {
		return append(out, f.text()), nil
	}
	matches := s.globPath(pat)
	if len(matches) == 0 {
		switch {
		case s.shopts["failglob"]:
			return nil, &exprError{"no match: " + f.text()}
		case s.shopts["nullglob"]:
			return out, nil
		}
		return append(out, f.text()), nil
	}
	return append(out, matches...), nil
}

func (s *Shell) matchMode() pattern.Mode {
	m := pattern.Mode(0)
	if s.shopts["extglob"] {
		m = pattern.Ext
	}
	return m
}

func (s *Shell) globPath(pat string) []string {
	bases := []string{""}
	rest := pat
	if strings.HasPrefix(pat, "/") {
		bases = []string{"/"}
		rest = strings.TrimLeft(pat, "/")
	}
	mode := s.matchMode()
	if s.shopts["nocaseglob"] {
		mode |= pattern.NoCase
	}
	comps := strings.Split(rest, "/")
	for i, comp := range comps {
		last := i == len(comps)-1
		var next []string
		for _, base := range bases {
			s.tick()
			if comp == "" { // a trailing slash: directories only
				if info, err := s.ctx.FS.Stat(vfs.Join(s.Dir, base)); err == nil && info.IsDir() {
					next = append(next, base)
				}
				continue
			}
			if !pattern.HasMeta(comp, mode) {
				name := base + pattern.Unquote(comp)
				if _, err := s.ctx.FS.Lstat(vfs.Join(s.Dir, name)); err == nil {
					next = append(next, name+slash(!last))
				}
				continue
			}
			if comp == "**" && s.shopts["globstar"] {
				s.globStar(base, last, &next, 0)
				continue
			}
			entries, err := s.ctx.FS.ReadDir(vfs.Join(s.Dir, base))
			if err != nil {
				continue
			}
			for _, e := range entries {
				name := e.Name()
				if strings.HasPrefix(name, ".") && !strings.HasPrefix(comp, ".") && !strings.HasPrefix(comp, `\.`) && !s.shopts["dotglob"] {
					continue
				}
				if !pattern.Match(comp, name, mode) {
					continue
				}
				if !last && !s.isDir(vfs.Join(s.Dir, base+name), e) {
					continue
				}
				next = append(next, base+name+slash(!last))
			}
		}
		bases = next
		if len(bases) > maxFields {
			return nil
		}
	}
	sort.Strings(bases)
	return bases
}

func (s *Shell) globStar(base string, last bool, out *[]string, depth int) {
	if !last {
		*out = append(*out, base)
	} else if base != "" {
		*out = append(*out, base)
	}
	entries, err := s.ctx.FS.ReadDir(vfs.Join(s.Dir, base))
	if err != nil || depth > 64 {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && !s.shopts["dotglob"] {
			continue
		}
		if e.IsDir() {
			s.globStar(base+e.Name()+"/", last, out, depth+1)
		} else if last {
			*out = append(*out, base+e.Name())
		}
	}
}

func slash(b bool) string {
	if b {
		return "/"
	}
	return ""
}

func (s *Shell) isDir(p string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := s.ctx.FS.Stat(path.Clean(p))
	return err == nil && info.IsDir()
}
