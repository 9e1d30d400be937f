// yq (mikefarah's, version 4): YAML through gojq. Its language is close to jq's
// where tutorials use it: paths, select, assignments, map, sort_by. Comments and
// styles of a document are kept as long as the expression gives back the
// document itself.

package texttool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
	"go.yaml.in/yaml/v3"
)

// yq is one run.
type yq struct {
	jq
	inPlace, nullInput, quoted, pretty bool
	noSeparator                        bool
	from, to                           string
	printed                            bool
	out                                bytes.Buffer
}

func (y *yq) refuse(format string, args ...any) int {
	y.fail("Error: " + fmt.Sprintf(format, args...) + "\n")
	return 1
}

// strenv is how yq reads the environment: strenv(NAME), env(NAME).
var strenv = regexp.MustCompile(`\b(str)?env\(([A-Za-z_]\w*)\)`)

func (y *yq) main(args []string) int {
	y.to, y.indent = "yaml", 2
	var words []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		if len(a) < 2 || a[0] != '-' {
			words = append(words, a)
			continue
		}
		name, value, has := strings.Cut(a, "=")
		next := func() string {
			if !has && i+1 < len(args) {
				i++
				value = args[i]
			}
			return value
		}
		switch name {
		case "-V", "--version":
			_, _ = y.Write([]byte("yq (https://github.com/mikefarah/yq/) version v4.48.1\n"))
			y.flush()
			return 0
		case "-i", "--inplace":
			y.inPlace = true
		case "-n", "--null-input":
			y.nullInput = true
		case "-e", "--exit-status":
			y.exitStatus = true
		case "-P", "--prettyPrint":
			y.pretty = true
		case "-N", "--no-doc":
			y.noSeparator = true
		case "-j", "--tojson":
			y.to = "json"
		case "-o", "--output-format":
			y.to = next()
		case "-p", "--input-format":
			y.from = next()
		case "-I", "--indent":
			n, err := strconv.Atoi(next())
			if err != nil || n < 0 || n > 9 {
				return y.refuse("invalid argument %q for \"-I, --indent\" flag: strconv.ParseInt: parsing %[1]q: invalid syntax", value)
			}
			y.indent = n
		case "-r", "--unwrapScalar":
			y.quoted = value == "false"
		case "-C", "-M", "--colors", "--no-colors":
		default:
			switch rest := a[2:]; {
			case a[:2] == "-o":
				y.to = rest
			case a[:2] == "-p":
				y.from = rest
			case a[:2] == "-I":
				y.indent, _ = strconv.Atoi(rest)
			default:
				if strings.HasPrefix(a, "--") {
					return y.refuse("unknown flag: %s", name)
				}
				return y.refuse("unknown shorthand flag: '%c' in %s", a[1], a)
			}
		}
	}
	switch y.to {
	case "y", "yml", "auto", "yaml":
		y.to = "yaml"
	case "j", "json":
		y.to = "json"
	default:
		return y.refuse("unknown format '%s' please use [yaml|json]", y.to)
	}
	if len(words) == 0 && y.inPlace || len(words) == 1 && y.inPlace && !y.exists(words[0]) {
		return y.refuse("write in place flag only applicable when giving an expression and at least one file")
	}
	if len(words) > 0 && slices.Contains([]string{"e", "eval", "ea", "eval-all"}, words[0]) {
		words = words[1:]
	}
	if len(words) == 1 && y.exists(words[0]) { // a file alone is shown as it is
		words = []string{".", words[0]}
	}
	if len(words) == 0 {
		words = []string{"."}
	}
	expr, files := words[0], words[1:]
	code, err := y.compile(expr)
	if err != nil {
		return y.refuse("%s", err)
	}
	if y.nullInput {
		return y.finish(y.document(code, nil))
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		data, err := []byte(nil), error(nil)
		if name == "-" {
			data, err = io.ReadAll(source{&y.run, stdin})
		} else {
			data, err = y.readAll(name)
		}
		if err != nil {
			return y.refuse("open %s: %s", name, strings.ToLower(err.Error()[:1])+err.Error()[1:])
		}
		status := y.documents(code, name, data)
		if status == 0 && y.inPlace {
			if status = y.rewrite(name); status == 0 {
				y.out.Reset()
				y.printed = false
			}
		}
		if status != 0 {
			y.flushOut()
			return status
		}
	}
	return y.finish(0)
}

// exists reports whether there is a file of that name, which no expression is.
func (y *yq) exists(name string) bool {
	_, err := y.readAll(name)
	return err == nil
}

func (y *yq) flushOut() {
	_, _ = y.Write(y.out.Bytes())
	y.out.Reset()
	y.flush()
}

func (y *yq) finish(status int) int {
	y.flushOut()
	if status == 0 && y.exitStatus && y.bad {
		return y.refuse("no matches found")
	}
	return status
}

// rewrite puts what would be printed into the file.
func (y *yq) rewrite(name string) int {
	fd, err := y.System.Open(name, os.O_WRONLY|os.O_TRUNC)
	if err == nil {
		err = y.System.Write(fd, y.out.Bytes())
		y.System.Close(fd)
	}
	if err != nil {
		return y.refuse("open %s: %s", name, strings.ToLower(err.Error()))
	}
	return 0
}

func (y *yq) compile(expr string) (*gojq.Code, error) {
	expr = strenv.ReplaceAllStringFunc(expr, func(s string) string {
		m := strenv.FindStringSubmatch(s)
		if m[1] == "" {
			return "($ENV." + m[2] + " | kubonsai_yaml)"
		}
		return "$ENV." + m[2]
	})
	q, err := gojq.Parse(expr)
	if err != nil {
		return nil, fmt.Errorf("bad expression, please check expression syntax: %s", strings.TrimSpace(strings.SplitN(err.Error(), "\n", 2)[0]))
	}
	learn(q, y.orders)
	q.FuncDefs = append(append(prelude(), extras()...), q.FuncDefs...)
	return gojq.Compile(q, append(y.options(false), gojq.WithFunction("kubonsai_yaml", 0, 0, func(v any, _ []any) any {
		s, _ := v.(string)
		var n yaml.Node
		if yaml.Unmarshal([]byte(s), &n) != nil {
			return v
		}
		out, err := y.value(&n, 0)
		if err != nil {
			return v
		}
		return out
	}))...)
}

// extras are yq's functions that jq has not.
func extras() []*gojq.FuncDef {
	q, err := gojq.Parse(`def upcase: ascii_upcase; def downcase: ascii_downcase; def kind: {"object":"map","array":"seq"}[type] // "scalar";
		def pick(k): . as $o | reduce k[] as $i ({}; if $o | has($i) then .[$i] = $o[$i] else . end);
		def omit(k): delpaths([k[] | [.]]); def to_yaml: kubonsai_tojson; def to_json: kubonsai_tojson; .`)
	if err != nil {
		panic(err)
	}
	return q.FuncDefs
}

// documents runs the expression on each document of a file.
func (y *yq) documents(code *gojq.Code, name string, data []byte) int {
	d := yaml.NewDecoder(bytes.NewReader(data))
	any := false
	for {
		var n yaml.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return y.refuse("bad file '%s': %s", name, strings.SplitN(err.Error(), "\n", 2)[0])
		}
		any = true
		if status := y.document(code, &n); status != 0 {
			return status
		}
	}
	if !any { // an empty file
		return y.document(code, nil)
	}
	return 0
}

// document runs the expression on one document.
func (y *yq) document(code *gojq.Code, n *yaml.Node) int {
	var in any
	if n != nil {
		var err error
		if in, err = y.value(n, 0); err != nil {
			return y.refuse("%s", err)
		}
	}
	iter := code.Run(in)
	results := 0
	for {
		y.Tick()
		v, ok := iter.Next()
		if !ok {
			break
		}
		if err, bad := v.(error); bad {
			var halt *gojq.HaltError
			if errors.As(err, &halt) && halt.Value() == nil {
				break
			}
			if strings.HasPrefix(err.Error(), "cannot iterate over: null") {
				break // nothing is of nothing
			}
			return y.refuse("%s", y.message(err, in))
		}
		if y.printed && results == 0 && !y.noSeparator && y.to == "yaml" {
			y.out.WriteString("---\n")
		}
		results++
		y.printed = true
		y.bad = v == nil || v == false
		y.show(v, n)
		if y.out.Len() > 16<<10 && !y.inPlace {
			y.flushOut()
		}
	}
	if results == 0 {
		y.bad = true
	}
	return 0
}

// show writes one result; n is the document that it came of.
func (y *yq) show(v any, n *yaml.Node) {
	if y.to == "json" {
		w := &writer{orders: y.orders, indent: strings.Repeat(" ", y.indent)}
		y.out.WriteString(w.encode(v) + "\n")
		return
	}
	switch s := v.(type) {
	case nil:
		y.out.WriteString("null\n")
		return
	case string:
		if !y.quoted {
			y.out.WriteString(s + "\n")
			return
		}
	}
	fresh := y.node(v)
	if n != nil && len(n.Content) == 1 && n.Content[0].Kind == fresh.Kind && !y.pretty && similar(n.Content[0], fresh) {
		sync(n.Content[0], fresh)
		fresh = n
	}
	e := yaml.NewEncoder(&y.out)
	e.SetIndent(max(y.indent, 2))
	_ = e.Encode(fresh)
	_ = e.Close()
}

// similar reports whether a result is the document, perhaps changed, and not a
// part of it: most of its keys are the document's.
func similar(a, b *yaml.Node) bool {
	if a.Kind != yaml.MappingNode {
		return true
	}
	same := 0
	for i := 0; i < len(a.Content); i += 2 {
		if child(b, a.Content[i].Value) != nil {
			same++
		}
	}
	return same*2 >= min(len(a.Content), len(b.Content))/2
}

// child is the value of a mapping's key, nil when it has none.
func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// sync makes a node say what another one says and keeps its comments and style.
func sync(old, fresh *yaml.Node) {
	if old.Kind == yaml.AliasNode || old.Kind != fresh.Kind {
		head, line, foot := old.HeadComment, old.LineComment, old.FootComment
		*old = *fresh
		old.HeadComment, old.LineComment, old.FootComment = head, line, foot
		return
	}
	switch old.Kind {
	case yaml.ScalarNode:
		if old.Value != fresh.Value || old.ShortTag() != fresh.ShortTag() {
			if old.ShortTag() != fresh.ShortTag() || strings.Contains(fresh.Value, "\n") {
				old.Style = fresh.Style
			}
			old.Value, old.Tag = fresh.Value, fresh.Tag
		}
	case yaml.SequenceNode:
		for i := range min(len(old.Content), len(fresh.Content)) {
			sync(old.Content[i], fresh.Content[i])
		}
		if len(old.Content) > len(fresh.Content) {
			old.Content = old.Content[:len(fresh.Content)]
		} else {
			old.Content = append(old.Content, fresh.Content[len(old.Content):]...)
		}
	case yaml.MappingNode:
		var kept []*yaml.Node
		for i := 0; i+1 < len(old.Content); i += 2 {
			if v := child(fresh, old.Content[i].Value); v != nil {
				sync(old.Content[i+1], v)
				kept = append(kept, old.Content[i], old.Content[i+1])
			} else if old.Content[i].Tag == "!!merge" {
				return // what an anchor brings in stays there
			}
		}
		for i := 0; i+1 < len(fresh.Content); i += 2 {
			if child(old, fresh.Content[i].Value) == nil {
				kept = append(kept, fresh.Content[i], fresh.Content[i+1])
			}
		}
		old.Content = kept
	}
}

// value is a node as gojq has it.
func (y *yq) value(n *yaml.Node, depth int) (any, error) {
	if depth > 200 {
		return nil, errors.New("the document is nested too deeply")
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return nil, nil
		}
		return y.value(n.Content[0], depth+1)
	case yaml.AliasNode:
		return y.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			var err error
			if list[i], err = y.value(c, depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		m, keys := map[string]any{}, []string(nil)
		set := func(k string, v any) {
			if _, ok := m[k]; !ok {
				keys = append(keys, k)
			}
			m[k] = v
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := y.value(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			if base, ok := v.(map[string]any); ok && n.Content[i].Tag == "!!merge" {
				for _, k := range y.orders.of(base) {
					set(k, base[k])
				}
				continue
			}
			set(n.Content[i].Value, v)
		}
		y.orders.add(m, keys)
		return m, nil
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), nil
	case "!!int":
		var i int
		if n.Decode(&i) == nil {
			return i, nil
		}
		if b, ok := new(big.Int).SetString(n.Value, 0); ok {
			return b, nil
		}
	case "!!float":
		var f float64
		if n.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
	}
	return n.Value, nil
}

// node is a value as YAML has it.
func (y *yq) node(v any) *yaml.Node {
	n := &yaml.Node{}
	switch x := v.(type) {
	case map[string]any:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		for _, k := range y.orders.of(x) {
			key := &yaml.Node{}
			key.SetString(k)
			n.Content = append(n.Content, key, y.node(x[k]))
		}
	case []any:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		for _, e := range x {
			n.Content = append(n.Content, y.node(e))
		}
	case string:
		n.SetString(x)
	case float64:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!float", number(x)
		if x == math.Trunc(x) {
			n.Tag = "!!int"
		}
	default:
		data, _ := json.Marshal(v)
		n.Kind, n.Value = yaml.ScalarNode, string(data)
		n.Tag = map[bool]string{true: "!!bool", false: "!!int"}[n.Value == "true" || n.Value == "false"]
		if v == nil {
			n.Tag = "!!null"
		}
	}
	return n
}
