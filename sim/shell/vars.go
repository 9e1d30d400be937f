// Variables: scalars, indexed and associative arrays, their attributes, the
// scopes of functions, and the parameters that the shell computes.

package shell

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Kind is what a variable holds.
type Kind uint8

// The kinds of variables.
const (
	Scalar Kind = iota
	Indexed
	Associative
)

// Var is a shell variable. Read the value with Value, Element and so on.
type Var struct {
	Kind     Kind
	Set      bool // has a value (declare without one has none)
	Exported bool
	ReadOnly bool
	Integer  bool
	Lower    bool
	Upper    bool
	NameRef  bool

	str   string
	list  []string // Indexed: the elements
	idx   []int    // their subscripts when not 0,1,2…
	pairs map[string]string
	size  int // bytes, for the memory bound
	owner *int
}

// Value is the value as a scalar: of an array, that of element 0.
func (v *Var) Value() (string, bool) {
	if v == nil {
		return "", false
	}
	switch v.Kind {
	case Indexed:
		return v.at(0)
	case Associative:
		s, ok := v.pairs["0"]
		return s, ok
	}
	return v.str, v.Set
}

func (v *Var) at(i int) (string, bool) {
	if v.idx != nil {
		if p, ok := slices.BinarySearch(v.idx, i); ok {
			return v.list[p], true
		}
		return "", false
	}
	if i >= 0 && i < len(v.list) {
		return v.list[i], true
	}
	return "", false
}

func (v *Var) maxIndex() int {
	if v.idx != nil {
		if len(v.idx) == 0 {
			return -1
		}
		return v.idx[len(v.idx)-1]
	}
	return len(v.list) - 1
}

// Elements are the values of an array in order; of a set scalar, its value.
func (v *Var) Elements() []string {
	switch {
	case v == nil:
		return nil
	case v.Kind == Indexed:
		return v.list
	case v.Kind == Associative:
		out := make([]string, 0, len(v.pairs))
		for _, k := range v.Keys() {
			out = append(out, v.pairs[k])
		}
		return out
	case v.Set:
		return []string{v.str}
	}
	return nil
}

// Keys are the subscripts of an array, in the order of Elements. Those of an
// associative array come in the order of bash's hash table.
func (v *Var) Keys() []string {
	switch {
	case v == nil:
		return nil
	case v.Kind == Indexed:
		out := make([]string, len(v.list))
		for i := range out {
			if v.idx != nil {
				out[i] = strconv.Itoa(v.idx[i])
			} else {
				out[i] = strconv.Itoa(i)
			}
		}
		return out
	case v.Kind == Associative:
		keys := slices.Sorted(maps.Keys(v.pairs))
		buckets := uint32(1024)
		for len(v.pairs) > int(buckets)*2 {
			buckets *= 4
		}
		sort.SliceStable(keys, func(i, j int) bool { return fnv1(keys[i])%buckets < fnv1(keys[j])%buckets })
		return keys
	case v.Set:
		return []string{"0"}
	}
	return nil
}

func fnv1(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h *= 16777619
		h ^= uint32(s[i])
	}
	return h
}

func (v *Var) flags() string {
	f := ""
	for _, a := range []struct {
		on bool
		c  string
	}{{v.Kind == Indexed, "a"}, {v.Kind == Associative, "A"}, {v.Integer, "i"}, {v.Lower, "l"}, {v.NameRef, "n"}, {v.ReadOnly, "r"}, {v.Upper, "u"}, {v.Exported, "x"}} {
		if a.on {
			f += a.c
		}
	}
	return f
}

// fatalError ends a non-interactive shell (and the current line of an
// interactive one) after its text was printed with the shell's prefix.
type fatalError struct {
	text   string
	status int
}

func (e *fatalError) Error() string { return e.text }

func fatalf(format string, args ...any) error {
	return &fatalError{text: fmt.Sprintf(format, args...), status: 1}
}

// maxMemory bounds what the variables of one shell may hold, maxExpansion what
// one expansion may give.
const (
	maxMemory    = 64 << 20
	maxExpansion = 16 << 20
	maxFields    = 1 << 20
)

func errMemory() error { return &fatalError{text: "xrealloc: cannot allocate memory", status: 2} }

// lookup is the stored variable, name references followed.
func (s *Shell) lookup(name string) *Var {
	v := s.vars[name]
	for range 8 {
		if v == nil || !v.NameRef || v.str == "" {
			return v
		}
		v = s.vars[v.str]
	}
	return v
}

func (s *Shell) refName(name string) string {
	for range 8 {
		v := s.vars[name]
		if v == nil || !v.NameRef || v.str == "" {
			return name
		}
		name = v.str
	}
	return name
}

// own is the variable for changing; made when missing.
func (s *Shell) own(name string) (*Var, error) {
	v := s.vars[name]
	switch {
	case v == nil:
		v = &Var{owner: s.token}
	case v.ReadOnly:
		return nil, fatalf("%s: readonly variable", name)
	case v.owner != s.token:
		w := *v
		w.list, w.idx, w.pairs, w.owner = slices.Clone(v.list), slices.Clone(v.idx), maps.Clone(v.pairs), s.token
		v = &w
	default:
		return v, nil
	}
	s.vars[name] = v
	return v, nil
}

func (s *Shell) account(v *Var, delta int) error {
	if delta > 0 && s.tree.memory+delta > maxMemory {
		return errMemory()
	}
	v.size += delta
	s.tree.memory += delta
	return nil
}

// Set gives a variable a value, as an assignment does. The error is bash's:
// "x: readonly variable".
func (s *Shell) Set(name, value string) error { return s.assign(name, value, false) }

// Get is a variable's value, "" when it is not set. Special parameters too.
func (s *Shell) Get(name string) string { v, _ := s.param(name); return v }

// Lookup is the stored variable, nil when there is none.
func (s *Shell) Lookup(name string) *Var { return s.lookup(name) }

func (s *Shell) assign(name, value string, add bool) error {
	name = s.refName(name)
	switch name {
	case "RANDOM":
		if n, err := strconv.Atoi(value); err == nil {
			s.random = uint64(n)
			s.randomSeeded = true
		}
		return nil
	case "SECONDS":
		n, _ := strconv.Atoi(value)
		s.secondsBase = s.now().Unix() - int64(n)
		return nil
	case "BASHPID", "PPID", "UID", "EUID", "BASH_VERSINFO":
		return fatalf("%s: readonly variable", name)
	}
	v, err := s.own(name)
	if err != nil {
		return err
	}
	old, _ := v.Value()
	if v.Integer {
		n, err := s.arithText(value)
		if err != nil {
			return err
		}
		if add {
			o, _ := s.arithText(old)
			n += o
		}
		value, add = strconv.FormatInt(n, 10), false
	}
	if add {
		if len(old)+len(value) > maxExpansion {
			return errMemory()
		}
		value = old + value
	}
	if v.Lower {
		value = strings.ToLower(value)
	} else if v.Upper {
		value = strings.ToUpper(value)
	}
	switch v.Kind {
	case Indexed:
		return s.setIndex(v, 0, value)
	case Associative:
		return s.setKey(v, "0", value)
	}
	if err := s.account(v, len(value)-v.size); err != nil {
		return err
	}
	v.str, v.Set = value, true
	if s.opts['a'] {
		v.Exported = true
	}
	if name == "PATH" {
		s.hashed = nil
	}
	return nil
}

func (s *Shell) setIndex(v *Var, i int, value string) error {
	if err := s.account(v, len(value)+16); err != nil {
		return err
	}
	v.Set = true
	if v.idx == nil {
		switch {
		case i < len(v.list):
			v.list[i] = value
			return nil
		case i == len(v.list):
			v.list = append(v.list, value)
			return nil
		}
		v.idx = make([]int, len(v.list))
		for j := range v.idx {
			v.idx[j] = j
		}
	}
	p, ok := slices.BinarySearch(v.idx, i)
	if ok {
		v.list[p] = value
		return nil
	}
	v.idx = slices.Insert(v.idx, p, i)
	v.list = slices.Insert(v.list, p, value)
	return nil
}

func (s *Shell) setKey(v *Var, key, value string) error {
	if err := s.account(v, len(key)+len(value)+32); err != nil {
		return err
	}
	if v.pairs == nil {
		v.pairs = map[string]string{}
	}
	v.pairs[key] = value
	v.Set = true
	return nil
}

// setElement assigns name[key]=value; numeric says what the key means for an
// indexed array.
func (s *Shell) setElement(name, key string, numeric func() (int64, error), value string, add bool) error {
	name = s.refName(name)
	v, err := s.own(name)
	if err != nil {
		return err
	}
	if v.Integer {
		n, err := s.arithText(value)
		if err != nil {
			return err
		}
		value = strconv.FormatInt(n, 10)
	}
	if v.Kind == Associative {
		if add {
			value = v.pairs[key] + value
		}
		return s.setKey(v, key, value)
	}
	n, err := numeric()
	if err != nil {
		return err
	}
	s.toIndexed(v)
	if n < 0 {
		if n += int64(v.maxIndex()) + 1; n < 0 {
			return fatalf("%s[%s]: bad array subscript", name, key)
		}
	}
	if add {
		old, _ := v.at(int(n))
		if v.Integer {
			a, _ := s.arithText(old)
			b, _ := s.arithText(value)
			value = strconv.FormatInt(a+b, 10)
		} else {
			value = old + value
		}
	}
	return s.setIndex(v, int(n), value)
}

func (s *Shell) toIndexed(v *Var) {
	if v.Kind == Scalar {
		v.Kind = Indexed
		if v.Set {
			v.list = []string{v.str}
			v.str = ""
		}
	}
}

// setList makes the variable an indexed array of the values.
func (s *Shell) setList(name string, values []string) error {
	name = s.refName(name)
	v, err := s.own(name)
	if err != nil {
		return err
	}
	size := 0
	for _, x := range values {
		size += len(x) + 16
	}
	if err := s.account(v, size-v.size); err != nil {
		return err
	}
	v.Kind, v.Set, v.str, v.list, v.idx, v.pairs = Indexed, true, "", values, nil, nil
	return nil
}

// Unset removes a variable.
func (s *Shell) unset(name string) error {
	name = s.refName(name)
	if v := s.vars[name]; v != nil {
		if v.ReadOnly {
			return fmt.Errorf("%s: cannot unset: readonly variable", name)
		}
		if v.owner == s.token {
			s.tree.memory -= v.size
		}
		delete(s.vars, name)
		if name == "PATH" {
			s.hashed = nil
		}
	}
	return nil
}

// export sets and marks a variable.
func (s *Shell) export(name, value string) {
	if s.assign(name, value, false) == nil {
		s.vars[s.refName(name)].Exported = true
	}
}

// scope remembers what a function's local variables hide.
type scope struct{ saved map[string]*Var }

// local hides the variable until the innermost function returns.
func (s *Shell) local(name string) *Var {
	sc := s.scopes[len(s.scopes)-1]
	v := s.vars[name]
	if _, ok := sc.saved[name]; !ok {
		sc.saved[name] = v
		w := &Var{owner: s.token}
		if v != nil && v.Exported {
			w.Exported = true
		}
		s.vars[name] = w
		return w
	}
	if v == nil {
		v = &Var{owner: s.token}
		s.vars[name] = v
	}
	return v
}

func (s *Shell) restore(saved map[string]*Var) {
	for name, v := range saved {
		if cur := s.vars[name]; cur != nil && cur != v && cur.owner == s.token {
			s.tree.memory -= cur.size
		}
		if v == nil {
			delete(s.vars, name)
		} else {
			s.vars[name] = v
		}
		if name == "PATH" {
			s.hashed = nil
		}
	}
}

// param is a parameter by name: positional, special, or a variable.
func (s *Shell) param(name string) (string, bool) {
	if name == "" {
		return "", false
	}
	if c := name[0]; c >= '0' && c <= '9' {
		n, err := strconv.Atoi(name)
		switch {
		case err != nil:
			return "", false
		case n == 0:
			return s.arg0, true
		case n <= len(s.params):
			return s.params[n-1], true
		}
		return "", false
	}
	switch name {
	case "?":
		return strconv.Itoa(s.status), true
	case "#":
		return strconv.Itoa(len(s.params)), true
	case "$":
		return strconv.Itoa(s.tree.pid), true
	case "!":
		if s.lastBg == 0 {
			return "", false
		}
		return strconv.Itoa(s.lastBg), true
	case "-":
		return s.optionLetters(), true
	case "@":
		return strings.Join(s.params, " "), len(s.params) > 0
	case "*":
		return strings.Join(s.params, s.ifsFirst()), len(s.params) > 0
	case "_":
		return s.lastArg, true
	case "RANDOM":
		return strconv.Itoa(s.nextRandom()), true
	case "SRANDOM":
		return strconv.Itoa(s.nextRandom()<<15 | s.nextRandom()), true
	case "SECONDS":
		return strconv.FormatInt(s.now().Unix()-s.secondsBase, 10), true
	case "EPOCHSECONDS":
		return strconv.FormatInt(s.now().Unix(), 10), true
	case "EPOCHREALTIME":
		return fmt.Sprintf("%d.%06d", s.now().Unix(), s.now().Nanosecond()/1000), true
	case "LINENO":
		return strconv.Itoa(s.line), true
	case "BASHPID":
		return strconv.Itoa(s.pid), true
	case "PPID":
		return strconv.Itoa(s.ppid), true
	case "UID", "EUID":
		return strconv.Itoa(s.ctx.UID), true
	case "BASH_SUBSHELL":
		return strconv.Itoa(s.subshell), true
	case "BASH_COMMAND":
		return s.command, true
	case "SHELLOPTS":
		var on []string
		for _, o := range optionNames {
			if s.opts[o.letter] {
				on = append(on, o.name)
			}
		}
		return strings.Join(on, ":"), true
	}
	return s.lookup(name).Value()
}

func (s *Shell) nextRandom() int {
	if s.randomSeeded || s.randSource == nil {
		s.random = s.random*6364136223846793005 + 1442695040888963407
		return int(s.random >> 40 & 32767)
	}
	return int(s.randSource() & 32767)
}

func (s *Shell) ifs() string {
	if v, ok := s.lookup("IFS").Value(); ok {
		return v
	}
	return " \t\n"
}

func (s *Shell) ifsFirst() string {
	for _, r := range s.ifs() {
		return string(r)
	}
	return ""
}

// environ is what programs are given.
func (s *Shell) environ() map[string]string {
	env := map[string]string{}
	for name, v := range s.vars {
		if v.Exported && v.Kind == Scalar && v.Set {
			env[name] = v.str
		}
	}
	return env
}
