// Assignments and the declaration commands: declare, local, export, readonly.

package shell

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// assignment performs one name=value of a simple command.
func (s *Shell) assignment(a *syntax.Assign) error {
	if a.Name == nil {
		return nil
	}
	name := a.Name.Value
	if a.Array != nil {
		return s.assignArray(name, a.Array, a.Append)
	}
	text, err := s.assignValue(a.Value)
	if err != nil {
		return err
	}
	if s.opts['x'] {
		op := "="
		if a.Append {
			op = "+="
		}
		sub := ""
		if a.Index != nil {
			sub = "[" + printNode(a.Index) + "]"
		}
		q := text
		if q != "" {
			q = Quote(q, false)
		}
		s.trace(name + sub + op + q)
	}
	if a.Index != nil {
		return s.assignIndex(name, a.Index, text, a.Append)
	}
	return s.assign(name, text, a.Append)
}

func (s *Shell) assignArray(name string, arr *syntax.ArrayExpr, add bool) error {
	name = s.refName(name)
	old := s.lookup(name)
	if old != nil && old.ReadOnly {
		return fatalf("%s: readonly variable", name)
	}
	assoc := old != nil && old.Kind == Associative
	type item struct {
		key   string
		n     int64
		value string
		add   bool
	}
	var items []item
	next := int64(0)
	if add && old != nil && !assoc {
		next = int64(old.maxIndex() + 1)
		if old.Kind == Scalar {
			next = int64(b2i(old.Set))
		}
	}
	for i := 0; i < len(arr.Elems); i++ {
		e := arr.Elems[i]
		if e.Index != nil {
			text, err := s.assignValue(e.Value)
			if err != nil {
				return err
			}
			if assoc {
				key, err := s.subscript(e.Index)
				if err != nil {
					return err
				}
				items = append(items, item{key: key, value: text})
				continue
			}
			n, err := s.arith(e.Index)
			if err != nil {
				return s.arithError(e.Index, err)
			}
			if n < 0 {
				return &exprError{fmt.Sprintf("[%d]=%s: bad array subscript", n, text)}
			}
			items = append(items, item{n: n, value: text})
			next = n + 1
			continue
		}
		words, err := s.fields(e.Value)
		if err != nil {
			return err
		}
		if assoc { // key value key value
			for j := 0; j < len(words); j++ {
				value := ""
				if j+1 < len(words) {
					value = words[j+1]
				} else if i+1 < len(arr.Elems) && arr.Elems[i+1].Index == nil {
					i++
					if value, err = s.literal(arr.Elems[i].Value); err != nil {
						return err
					}
				}
				items = append(items, item{key: words[j], value: value})
				j++
			}
			continue
		}
		for _, w := range words {
			items = append(items, item{n: next, value: w})
			next++
		}
	}
	v, err := s.own(name)
	if err != nil {
		return err
	}
	if !add {
		if err := s.account(v, -v.size); err != nil {
			return err
		}
		v.str, v.list, v.idx, v.pairs = "", nil, nil, nil
		if assoc {
			v.pairs = map[string]string{}
		} else {
			v.Kind = Indexed
		}
		v.Set = true
	} else if !assoc {
		s.toIndexed(v)
	}
	v.Set = true
	for _, it := range items {
		if v.Integer {
			n, err := s.arithText(it.value)
			if err != nil {
				return err
			}
			it.value = strconv.FormatInt(n, 10)
		}
		if v.Lower {
			it.value = strings.ToLower(it.value)
		} else if v.Upper {
			it.value = strings.ToUpper(it.value)
		}
		if assoc {
			err = s.setKey(v, it.key, it.value)
		} else {
			err = s.setIndex(v, int(it.n), it.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// declItem is one argument of a declaration command.
type declItem struct {
	name  string
	value string
	has   bool
	add   bool
	arr   *syntax.ArrayExpr
	index syntax.ArithmExpr
}

func (s *Shell) declClause(c *syntax.DeclClause) {
	var opts []string
	var items []declItem
	traced := []string{c.Variant.Value}
	for _, a := range c.Args {
		if a.Name == nil || a.Naked && a.Name == nil {
			words, err := s.fields(a.Value)
			if err != nil {
				s.fail(err)
				return
			}
			for _, w := range words {
				traced = append(traced, w)
				if len(items) == 0 && len(w) > 1 && (w[0] == '-' || w[0] == '+') {
					opts = append(opts, w)
					continue
				}
				items = append(items, splitDecl(w))
			}
			continue
		}
		it := declItem{name: a.Name.Value, has: !a.Naked, add: a.Append, arr: a.Array, index: a.Index}
		if a.Array == nil && !a.Naked {
			var err error
			if it.value, err = s.assignValue(a.Value); err != nil {
				s.fail(err)
				return
			}
		}
		t := it.name
		if it.has {
			t += "=" + it.value
		}
		traced = append(traced, t)
		items = append(items, it)
	}
	if s.flow != flowNone {
		return
	}
	if s.opts['x'] {
		s.trace(traceQuote(traced)...)
	}
	s.status = s.declare(c.Variant.Value, opts, items)
}

func splitDecl(w string) declItem {
	name, value, has := strings.Cut(w, "=")
	it := declItem{name: name, value: value, has: has}
	if has && strings.HasSuffix(name, "+") {
		it.name, it.add = strings.TrimSuffix(name, "+"), true
	}
	return it
}

// declBuiltin is a declaration command that came as plain words.
func declBuiltin(s *Shell, args []string) int {
	var opts []string
	var items []declItem
	for _, w := range args[1:] {
		if len(items) == 0 && len(w) > 1 && (w[0] == '-' || w[0] == '+') {
			opts = append(opts, w)
			continue
		}
		items = append(items, splitDecl(w))
	}
	return s.declare(args[0], opts, items)
}

func (s *Shell) declare(variant string, opts []string, items []declItem) int {
	on := map[byte]bool{}
	off := map[byte]bool{}
	for _, o := range opts {
		if o == "--" {
			continue
		}
		for i := 1; i < len(o); i++ {
			valid := "aAilnruxgpfFt"
			if variant == "export" {
				valid = "nfp"
			}
			if variant == "readonly" {
				valid = "aApf"
			}
			if !strings.ContainsRune(valid, rune(o[i])) {
				s.errorf("%s: -%c: invalid option", variant, o[i])
				usage := variant + " [-aAfFgiIlnrtux] [name[=value] ...] or " + variant + " -p [-aAfFilnrtux] [name ...]"
				switch variant {
				case "export":
					usage = "export [-fn] [name[=value] ...] or export -p"
				case "readonly":
					usage = "readonly [-aAf] [name[=value] ...] or readonly -p"
				case "local":
					usage = "local [option] name[=value] ..."
				}
				s.fdWrite(2, []byte(variant+": usage: "+usage+"\n"))
				return 2
			}
			if o[0] == '-' {
				on[o[i]] = true
			} else {
				off[o[i]] = true
			}
		}
	}
	switch variant {
	case "export":
		if on['n'] {
			off['x'] = true
			delete(on, 'n')
		} else {
			on['x'] = true
		}
	case "readonly":
		on['r'] = true
	case "nameref":
		on['n'] = true
	case "local":
		if len(s.scopes) == 0 {
			s.errorf("local: can only be used in a function")
			return 1
		}
	}
	if on['f'] || on['F'] {
		return s.declareFuncs(variant, on, items)
	}
	if on['p'] || len(items) == 0 {
		return s.printDecls(variant, on, items)
	}
	status := 0
	for _, it := range items {
		if !syntax.ValidName(it.name) {
			if base, sub, ok := strings.Cut(it.name, "["); !ok || !syntax.ValidName(base) || !strings.HasSuffix(sub, "]") {
				t := it.name
				if it.has {
					t += "=" + it.value
				}
				s.errorf("%s: `%s': not a valid identifier", variant, t)
				status = 1
				continue
			} else {
				it.name = base
				if e, err := syntax.NewParser().Arithmetic(strings.NewReader(strings.TrimSuffix(sub, "]"))); err == nil && e != nil {
					it.index = e
				}
			}
		}
		if err := s.declareOne(variant, it, on, off); err != nil {
			s.errorf("%s%s", map[bool]string{true: variant + ": ", false: ""}[variant != "export" || true], strings.TrimPrefix(err.Error(), variant+": "))
			status = 1
		}
	}
	return status
}

func (s *Shell) declareOne(variant string, it declItem, on, off map[byte]bool) error {
	name := it.name
	if len(s.scopes) > 0 && !on['g'] && (variant == "local" || variant == "declare" || variant == "typeset") {
		if v := s.vars[name]; v != nil && v.ReadOnly && variant == "local" {
			if _, ok := s.scopes[len(s.scopes)-1].saved[name]; !ok {
				return fmt.Errorf("%s: readonly variable", name)
			}
		}
		s.local(name)
	} else if !on['n'] {
		name = s.refName(name)
	}
	v := s.vars[name]
	if v != nil && v.ReadOnly {
		if it.has || off['r'] {
			return fmt.Errorf("%s: readonly variable", name)
		}
		if on['x'] || on['r'] {
			w := *v
			w.Exported = v.Exported || on['x']
			s.vars[name] = &w
		}
		return nil
	}
	v, err := s.own(name)
	if err != nil {
		return err
	}
	if on['a'] {
		s.toIndexed(v)
	}
	if on['A'] {
		if v.Kind == Indexed && len(v.list) > 0 {
			return fmt.Errorf("%s: cannot convert indexed to associative array", name)
		}
		v.Kind = Associative
		if v.pairs == nil {
			v.pairs = map[string]string{}
		}
	}
	set := func(c byte, field *bool) {
		if on[c] {
			*field = true
		}
		if off[c] {
			*field = false
		}
	}
	set('i', &v.Integer)
	set('x', &v.Exported)
	if on['l'] || on['u'] {
		v.Lower, v.Upper = on['l'], on['u']
	}
	if on['n'] {
		v.NameRef = false
		if it.has {
			if it.value == name {
				return fmt.Errorf("%s: nameref variable self references not allowed", name)
			}
			if err := s.account(v, len(it.value)); err != nil {
				return err
			}
			v.str, v.Set = it.value, true
		}
		v.NameRef = true
		return nil
	}
	switch {
	case it.arr != nil:
		err = s.assignArray(name, it.arr, it.add)
	case it.index != nil && it.has:
		err = s.assignIndex(name, it.index, it.value, it.add)
	case it.index != nil:
		s.toIndexed(v)
	case it.has && v.Kind == Indexed && strings.HasPrefix(it.value, "(") && strings.HasSuffix(it.value, ")"):
		err = s.assign(name, it.value, it.add)
	case it.has:
		err = s.assign(name, it.value, it.add)
	}
	if err != nil {
		return err
	}
	if v = s.vars[name]; v != nil && on['r'] {
		v.ReadOnly = true
	}
	return nil
}

func (s *Shell) declareFuncs(variant string, on map[byte]bool, items []declItem) int {
	if len(items) == 0 {
		names := make([]string, 0, len(s.funcs))
		for n := range s.funcs {
			names = append(names, n)
		}
		sort.Strings(names)
		for _, n := range names {
			items = append(items, declItem{name: n})
			if on['F'] {
				s.out("declare -f %s\n", n)
			}
		}
		if on['F'] {
			return 0
		}
	}
	status := 0
	for _, it := range items {
		fn, ok := s.funcs[it.name]
		switch {
		case !ok:
			status = 1
		case variant == "export" || variant == "readonly":
		case on['F']:
			s.out("%s\n", it.name)
		default:
			s.out("%s", funcText(it.name, fn))
		}
	}
	return status
}

// funcText is a function as type and declare -f print it.
func funcText(name string, body *syntax.Stmt) string {
	block, ok := body.Cmd.(*syntax.Block)
	var list []*syntax.Stmt
	if ok {
		list = block.Stmts
	} else {
		list = []*syntax.Stmt{body}
	}
	var out strings.Builder
	out.WriteString(name + " () \n{ \n")
	for i, st := range list {
		var b strings.Builder
		_ = syntax.NewPrinter(syntax.Indent(4)).Print(&b, st)
		text := strings.TrimRight(b.String(), "\n")
		if i < len(list)-1 && !st.Background && !strings.Contains(text, "<<") {
			text = strings.TrimSuffix(text, ";") + ";"
		}
		out.WriteString("    " + strings.ReplaceAll(text, "\n", "\n    ") + "\n")
	}
	out.WriteString("}")
	for _, r := range body.Redirs {
		if ok {
			out.WriteString(" " + printNode(r))
		}
	}
	return out.String() + "\n"
}

func (s *Shell) declaration(name string, v *Var, prefix bool) string {
	flags := v.flags()
	if flags == "" {
		flags = "-"
	}
	head := "declare -" + flags + " " + name
	if !prefix {
		head = name
	}
	switch {
	case v.Kind == Scalar && !v.Set || v.Kind != Scalar && !v.Set && len(v.Elements()) == 0:
		return head
	case v.Kind == Scalar && prefix:
		return head + "=" + declQuote(v.str)
	case v.Kind == Scalar:
		if v.str == "" {
			return head + "="
		}
		return head + "=" + Quote(v.str, false)
	}
	var parts []string
	els := v.Elements()
	for i, k := range v.Keys() {
		if v.Kind == Associative && strings.ContainsAny(k, " \t\"'$\\") {
			k = declQuote(k)
		}
		parts = append(parts, "["+k+"]="+declQuote(els[i]))
	}
	t := strings.Join(parts, " ")
	if v.Kind == Associative && t != "" {
		t += " "
	}
	return head + "=(" + t + ")"
}

func declQuote(t string) string {
	for _, r := range t {
		if r < 32 || r == 127 {
			return Quote(t, true)
		}
	}
	return doubleQuote(t)
}

func (s *Shell) printDecls(variant string, on map[byte]bool, items []declItem) int {
	status := 0
	if len(items) > 0 {
		for _, it := range items {
			v := s.vars[it.name]
			if v == nil {
				s.errorf("%s: %s: not found", variant, it.name)
				status = 1
				continue
			}
			s.out("%s\n", s.declaration(it.name, v, true))
		}
		return status
	}
	names := make([]string, 0, len(s.vars))
	for n, v := range s.vars {
		match := true
		for c, is := range map[byte]bool{'a': v.Kind == Indexed, 'A': v.Kind == Associative, 'i': v.Integer, 'r': v.ReadOnly, 'x': v.Exported, 'n': v.NameRef, 'l': v.Lower, 'u': v.Upper} {
			if on[c] && !is {
				match = false
			}
		}
		if variant == "local" {
			_, match = s.scopes[len(s.scopes)-1].saved[n]
		}
		if match {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	for _, n := range names {
		switch {
		case s.flavour == Ash && (variant == "export" || variant == "readonly"):
			s.out("%s %s='%s'\n", variant, n, s.vars[n].str)
		case variant == "declare" && len(on) == 0 || variant == "typeset" && len(on) == 0 || variant == "local":
			s.out("%s\n", s.declaration(n, s.vars[n], false))
		default:
			s.out("%s\n", s.declaration(n, s.vars[n], true))
		}
	}
	return 0
}
