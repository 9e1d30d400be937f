// Package managed does the arithmetic of field ownership: sets of field paths in
// the form of metadata.managedFields (FieldsV1), what an update changed, what a
// configuration claims, and the merge of an applied configuration into an
// object. How lists and maps merge comes from the schema table. Who the
// managers are is the API server's affair.
package managed

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Set is a set of paths, as a tree. Path elements have their written form:
// f:name of a field, k:{…} of an item by its keys, v:… of an item by its value.
type Set struct {
	Member   bool // the path that leads here is in the set
	Children map[string]*Set
}

// maxDepth bounds the nesting of a set that a client sends.
const maxDepth = 200

// Parse reads FieldsV1.
func Parse(raw []byte) (*Set, error) {
	if len(raw) == 0 {
		return &Set{}, nil
	}
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	s, err := parse(tree, 0)
	if err != nil {
		return nil, err
	}
	s.Member = false
	return s, nil
}

func parse(tree map[string]any, depth int) (*Set, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("field set is nested too deeply")
	}
	s := &Set{Member: len(tree) == 0}
	for k, v := range tree {
		if k == "." {
			s.Member = true
			continue
		}
		if len(k) < 2 || k[1] != ':' || !strings.ContainsRune("fkvi", rune(k[0])) {
			return nil, fmt.Errorf("invalid path element %q", k)
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("path element %q leads to no object", k)
		}
		c, err := parse(m, depth+1)
		if err != nil {
			return nil, err
		}
		s.put(k, c)
	}
	return s, nil
}

func (s *Set) put(k string, c *Set) {
	if s.Children == nil {
		s.Children = map[string]*Set{}
	}
	s.Children[k] = c
}

// JSON writes FieldsV1.
func (s *Set) JSON() []byte { return s.append(nil, true) }

func (s *Set) append(b []byte, root bool) []byte {
	b = append(b, '{')
	first := true
	if s.Member && len(s.Children) > 0 && !root {
		b = append(b, `".":{}`...)
		first = false
	}
	for _, k := range s.keys() {
		if !first {
			b = append(b, ',')
		}
		first = false
		name, _ := json.Marshal(k)
		b = append(b, name...)
		b = append(b, ':')
		b = s.Children[k].append(b, false)
	}
	return append(b, '}')
}

func (s *Set) keys() []string {
	out := make([]string, 0, len(s.Children))
	for k := range s.Children {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Empty reports that no path is in the set.
func (s *Set) Empty() bool {
	if s == nil {
		return true
	}
	if s.Member {
		return false
	}
	for _, c := range s.Children {
		if !c.Empty() {
			return false
		}
	}
	return true
}

// Insert adds a path.
func (s *Set) Insert(path ...string) {
	for _, p := range path {
		c := s.Children[p]
		if c == nil {
			c = &Set{}
			s.put(p, c)
		}
		s = c
	}
	s.Member = true
}

// Has reports whether a path is in the set.
func (s *Set) Has(path ...string) bool {
	for _, p := range path {
		if s = s.Children[p]; s == nil {
			return false
		}
	}
	return s.Member
}

// combine makes a set of the members for which keep holds.
func combine(a, b *Set, keep func(a, b bool) bool) *Set {
	out := &Set{}
	var am, bm bool
	if a != nil {
		am = a.Member
	}
	if b != nil {
		bm = b.Member
	}
	out.Member = keep(am, bm)
	visit := func(k string) {
		var x, y *Set
		if a != nil {
			x = a.Children[k]
		}
		if b != nil {
			y = b.Children[k]
		}
		if c := combine(x, y, keep); c.Member || len(c.Children) > 0 {
			out.put(k, c)
		}
	}
	if a != nil {
		for k := range a.Children {
			visit(k)
		}
	}
	if b != nil {
		for k := range b.Children {
			if a == nil || a.Children[k] == nil {
				visit(k)
			}
		}
	}
	return out
}

// Union is what is in a or b.
func Union(a, b *Set) *Set { return combine(a, b, func(x, y bool) bool { return x || y }) }

// Difference is what is in a and not in b.
func Difference(a, b *Set) *Set { return combine(a, b, func(x, y bool) bool { return x && !y }) }

// Intersection is what is in both.
func Intersection(a, b *Set) *Set { return combine(a, b, func(x, y bool) bool { return x && y }) }

// Equal reports that both have the same paths.
func Equal(a, b *Set) bool { return Difference(a, b).Empty() && Difference(b, a).Empty() }

// Only is the part of the set under one of the top-level fields.
func (s *Set) Only(fields ...string) *Set {
	out := &Set{}
	for _, f := range fields {
		if c := s.Children["f:"+f]; c != nil {
			out.put("f:"+f, c)
		}
	}
	return out
}

// Without is the set less what is under a path.
func (s *Set) Without(path ...string) *Set {
	c, ok := s.Children[path[0]]
	if !ok {
		return s
	}
	out := &Set{Member: s.Member}
	for k, v := range s.Children {
		if k != path[0] {
			out.put(k, v)
		} else if len(path) > 1 {
			if rest := c.Without(path[1:]...); rest.Member || len(rest.Children) > 0 {
				out.put(k, rest)
			}
		}
	}
	return out
}

// Path is a way through an object.
type Path []string

// Paths lists the members in order.
func (s *Set) Paths() []Path {
	var out []Path
	s.walk(nil, func(p Path) { out = append(out, append(Path(nil), p...)) })
	return out
}

func (s *Set) walk(at Path, fn func(Path)) {
	if s.Member && len(at) > 0 {
		fn(at)
	}
	for _, k := range s.keys() {
		s.Children[k].walk(append(at[:len(at):len(at)], k), fn)
	}
}

// String prints a path as conflicts show it: .spec.containers[name="main"].image.
func (p Path) String() string {
	var b strings.Builder
	for _, e := range p {
		switch e[0] {
		case 'f':
			b.WriteString("." + e[2:])
		case 'i':
			b.WriteString("[" + e[2:] + "]")
		case 'v':
			b.WriteString("[=" + e[2:] + "]")
		case 'k':
			var keys map[string]json.RawMessage
			_ = json.Unmarshal([]byte(e[2:]), &keys)
			var parts []string
			for k, v := range keys {
				parts = append(parts, k+"="+string(v))
			}
			sort.Strings(parts)
			b.WriteString("[" + strings.Join(parts, ",") + "]")
		}
	}
	return b.String()
}

func index(i int) string { return "i:" + strconv.Itoa(i) }
