// Documents of MongoDB: their form in the shell, read and printed.

package container

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Values of documents are nil, bool, float64, string, mongoCall, []any and *mongoDoc.
type mongoDoc struct{ fields []mongoField }

type mongoField struct {
	name  string
	value any
}

// mongoCall is a value that the shell writes as a call: ObjectId('…'), ISODate('…').
type mongoCall struct{ name, text string }

func doc(kv ...any) *mongoDoc {
	d := &mongoDoc{}
	for i := 0; i+1 < len(kv); i += 2 {
		d.set(kv[i].(string), kv[i+1])
	}
	return d
}

func (d *mongoDoc) index(name string) int {
	return slices.IndexFunc(d.fields, func(f mongoField) bool { return f.name == name })
}

// get follows a path of names and of places in lists.
func (d *mongoDoc) get(path string) (any, bool) {
	name, rest, deeper := strings.Cut(path, ".")
	i := d.index(name)
	if i < 0 {
		return nil, false
	}
	v := d.fields[i].value
	for deeper {
		switch x := v.(type) {
		case *mongoDoc:
			return x.get(rest)
		case []any:
			name, rest, deeper = strings.Cut(rest, ".")
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(x) {
				return nil, false
			}
			v = x[n]
		default:
			return nil, false
		}
	}
	return v, true
}

func (d *mongoDoc) set(path string, v any) {
	name, rest, deeper := strings.Cut(path, ".")
	i := d.index(name)
	if i < 0 {
		d.fields = append(d.fields, mongoField{name: name})
		i = len(d.fields) - 1
	}
	if !deeper {
		d.fields[i].value = v
		return
	}
	inner, ok := d.fields[i].value.(*mongoDoc)
	if ok {
		inner = inner.clone()
	} else {
		inner = &mongoDoc{}
	}
	inner.set(rest, v)
	d.fields[i].value = inner
}

func (d *mongoDoc) clone() *mongoDoc { return &mongoDoc{slices.Clone(d.fields)} }

// mongoParser reads the shell's language.
type mongoParser struct {
	s     string
	depth int
}

func (p *mongoParser) space() { p.s = strings.TrimLeft(p.s, " \t\r\n") }

func (p *mongoParser) take(c string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.s, c)
	if ok {
		p.s = rest
	}
	return ok
}

// name reads a name; "" when none comes.
func (p *mongoParser) name() string {
	p.space()
	n := 0
	for n < len(p.s) && (p.s[n] == '_' || p.s[n] == '$' || p.s[n]|0x20 >= 'a' && p.s[n]|0x20 <= 'z' || n > 0 && p.s[n] >= '0' && p.s[n] <= '9' || p.s[n] >= 0x80) {
		n++
	}
	name := p.s[:n]
	p.s = p.s[n:]
	return name
}

func (p *mongoParser) wrong() error {
	return errors.New("SyntaxError: this shell is simulated and does not understand: " + strings.TrimSpace(p.s))
}

// quoted reads a string.
func (p *mongoParser) quoted() (string, bool) {
	p.space()
	if p.s == "" || strings.IndexByte("'\"`", p.s[0]) < 0 {
		return "", false
	}
	for i := 1; i < len(p.s); i++ {
		switch p.s[i] {
		case '\\':
			i++
		case p.s[0]:
			text := p.s[1:i]
			p.s = p.s[i+1:]
			return strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\'`, "'", `\"`, `"`, `\\`, `\`).Replace(text), true
		}
	}
	return "", false
}

// value reads one value.
func (p *mongoParser) value() (any, error) {
	p.space()
	if p.depth++; p.depth > 100 {
		return nil, p.wrong()
	}
	defer func() { p.depth-- }()
	if text, ok := p.quoted(); ok {
		return text, nil
	}
	switch {
	case p.take("{"):
		d := &mongoDoc{}
		for !p.take("}") {
			name, ok := p.quoted()
			if !ok {
				name = p.name()
			}
			if name == "" {
				n := len(p.s) - len(strings.TrimLeft(p.s, "0123456789"))
				name, p.s = p.s[:n], p.s[n:]
			}
			if name == "" || !p.take(":") {
				return nil, p.wrong()
			}
			v, err := p.value()
			if err != nil {
				return nil, err
			}
			if i := d.index(name); i >= 0 {
				d.fields[i].value = v
			} else {
				d.fields = append(d.fields, mongoField{name, v})
			}
			if !p.take(",") && !strings.HasPrefix(strings.TrimLeft(p.s, " \t\r\n"), "}") {
				return nil, p.wrong()
			}
		}
		return d, nil
	case p.take("["):
		list := []any{}
		for !p.take("]") {
			v, err := p.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			if !p.take(",") && !strings.HasPrefix(strings.TrimLeft(p.s, " \t\r\n"), "]") {
				return nil, p.wrong()
			}
		}
		return list, nil
	case p.take("/"):
		end := strings.IndexByte(p.s, '/')
		if end < 0 {
			return nil, p.wrong()
		}
		text := p.s[:end]
		p.s = p.s[end+1:]
		return mongoCall{"/", text + "/" + p.name()}, nil
	}
	if n := len(p.s) - len(strings.TrimLeft(p.s, "+-.0123456789")); n > 0 {
		if f, err := strconv.ParseFloat(p.s[:n], 64); err == nil {
			p.s = p.s[n:]
			return f, nil
		}
		return nil, p.wrong()
	}
	start := p.s
	_ = p.take("new ")
	switch name := p.name(); name {
	case "true", "false":
		return name == "true", nil
	case "null", "undefined":
		return nil, nil
	case "ObjectId", "ISODate", "Date", "NumberInt", "NumberLong", "Int32", "Long", "Double":
		if !p.take("(") {
			break
		}
		arg := any(nil)
		if !p.take(")") {
			var err error
			if arg, err = p.value(); err != nil || !p.take(")") {
				return nil, p.wrong()
			}
		}
		text := mongoText(arg)
		switch {
		case name == "ObjectId" || name == "ISODate":
			if text == "null" {
				text = ""
			}
			return mongoCall{name, text}, nil
		case name == "Date":
			return mongoCall{"ISODate", strings.TrimPrefix(text, "null")}, nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			break
		}
		return f, nil
	}
	p.s = start
	return nil, p.wrong()
}

// mongoText is a value as String() gives it.
func mongoText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return inspect(v, 0)
}

// inspect writes a value as the shell shows it: on one line where that fits,
// by the rules of Node's util.inspect.
func inspect(v any, indent int) string {
	var parts []string
	open, end := "{", "}"
	switch x := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(x)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case string:
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\t", `\t`).Replace(x) + "'"
	case mongoCall:
		if x.name == "/" {
			return "/" + x.text
		}
		return x.name + "('" + x.text + "')"
	case []any:
		open, end = "[", "]"
		for _, e := range x {
			parts = append(parts, inspect(e, indent+2))
		}
	case *mongoDoc:
		for _, f := range x.fields {
			name := f.name
			if p := (&mongoParser{s: name}); p.name() != name || name == "" {
				name = "'" + name + "'"
			}
			parts = append(parts, name+": "+inspect(f.value, indent+2))
		}
	}
	if len(parts) == 0 {
		return open + end
	}
	total := 2*len(parts) + indent + 11
	for _, p := range parts {
		total += len(p)
	}
	if total <= 80 && !strings.Contains(strings.Join(parts, ""), "\n") && depth(v) <= 3 {
		return open + " " + strings.Join(parts, ", ") + " " + end
	}
	in := "\n" + strings.Repeat(" ", indent)
	return open + in + "  " + strings.Join(parts, ","+in+"  ") + in + end
}

// depth is how many levels a value has.
func depth(v any) int {
	n := 0
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			n = max(n, depth(e))
		}
	case *mongoDoc:
		for _, f := range x.fields {
			n = max(n, depth(f.value))
		}
	default:
		return 0
	}
	return n + 1
}
