// jq, on gojq: options, inputs and outputs as jq 1.7 has them. What differs:
// .[], paths and "\(.)" take an object's keys sorted, not as they came, and
// catch sees gojq's words.

package texttool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// jq is one run.
type jq struct {
	run
	orders *orders
	query  *gojq.Query

	null, slurp, rawIn, stream       bool
	raw, join, nul, ascii, sorted    bool
	compact, tab, exitStatus, isFile bool
	indent                           int

	names  []string
	values []any

	files   []string
	stdin   bool // no file was named
	texts   *texts
	raws    *records
	file    string // the file that is read, "" for standard input
	started bool
	ended   bool // the inputs are at their end
	slurped bool
	bad     bool // a file could not be read
	broken  error
}

const jqUsage = `Usage:	jq [OPTIONS] FILTER [FILES...]
	jq [OPTIONS] -n FILTER
	jq [OPTIONS] --args FILTER [ARGUMENTS...]
	jq [OPTIONS] --jsonargs FILTER [JSON_VALUES...]
`

// usage is a wrong use of options.
func (j *jq) usage(format string, args ...any) int {
	j.fail("jq: " + fmt.Sprintf(format, args...) + "\n" +
		"Use jq --help for help with command-line options,\nor see the jq manpage, or online docs  at https://jqlang.github.io/jq\n")
	return 2
}

func (j *jq) main(args []string) int {
	j.indent = 2
	filter, has := "", false
	var positional []any
	named := map[string]any{}
	var order []string
	bind := func(name string, v any) {
		if _, ok := named[name]; !ok {
			named[name] = v
			order = append(order, name)
		}
	}
	rest := byte(0) // what further arguments are: files, 's'trings, 'j'son
	onlyArgs := false
	for i := 0; i < len(args); i++ {
		a := args[i]
		if onlyArgs || len(a) < 2 || a[0] != '-' {
			switch {
			case !has:
				filter, has = a, true
			case rest == 's':
				positional = append(positional, a)
			case rest == 'j':
				v, err := parseOne(a, j.orders)
				if err != nil {
					return j.usage("invalid JSON text passed to --jsonargs")
				}
				positional = append(positional, v)
			default:
				j.files = append(j.files, a)
			}
			continue
		}
		if a == "--" {
			onlyArgs = true
			continue
		}
		two := func() (x, y string, ok bool) {
			if i+2 >= len(args) {
				return "", "", false
			}
			i += 2
			return args[i-1], args[i], true
		}
		if strings.HasPrefix(a, "--") {
			switch a[2:] {
			case "arg":
				x, y, ok := two()
				if !ok {
					return j.usage("--arg takes two parameters (e.g. --arg varname value)")
				}
				bind(x, y)
			case "argjson":
				x, y, ok := two()
				if !ok {
					return j.usage("--argjson takes two parameters (e.g. --argjson varname text)")
				}
				v, err := parseOne(y, j.orders)
				if err != nil {
					return j.usage("invalid JSON text passed to --argjson")
				}
				bind(x, v)
			case "slurpfile", "rawfile":
				x, y, ok := two()
				if !ok {
					return j.usage("%s takes two parameters (e.g. %s varname filename)", a, a)
				}
				v, err := j.load(y, a == "--rawfile")
				if err != nil {
					j.fail("jq: Bad JSON in " + a + " " + x + " " + y + ": " + err.Error() + "\n")
					return 2
				}
				bind(x, v)
			case "args":
				rest = 's'
			case "jsonargs":
				rest = 'j'
			case "indent":
				if i++; i >= len(args) {
					return j.usage("--indent takes one parameter")
				}
				n, _ := strconv.Atoi(args[i])
				if n < -1 || n > 7 {
					return j.usage("--indent takes a number between -1 and 7")
				}
				j.indent, j.tab, j.compact = max(n, 0), n < 0, n == 0
			case "tab":
				j.tab, j.compact = true, false
			case "help":
				_, _ = j.Write([]byte(jqUsage))
				j.flush()
				return 0
			case "version":
				_, _ = j.Write([]byte("jq-1.7.1\n"))
				j.flush()
				return 0
			case "raw-output0":
				j.raw, j.nul, j.join = true, true, true
			case "unbuffered", "seq", "binary":
			case "stream":
				j.stream = true
			default:
				if c, ok := longOptions[a[2:]]; !ok || !j.flag(c) {
					return j.usage("Unknown option %s", a)
				}
			}
			continue
		}
		for n := 1; n < len(a); n++ {
			switch c := a[n]; {
			case c == 'h':
				_, _ = j.Write([]byte(jqUsage))
				j.flush()
				return 0
			case c == 'V':
				_, _ = j.Write([]byte("jq-1.7.1\n"))
				j.flush()
				return 0
			case c == 'L':
				if n == len(a)-1 {
					i++
				}
				n = len(a)
			case !j.flag(c):
				return j.usage("Unknown option -%s", a[n:])
			}
		}
	}
	if j.isFile && has {
		b, err := j.readAll(filter)
		if err != nil {
			j.fail("jq: error: Could not open " + filter + ": " + err.Error() + "\n")
			return 2
		}
		filter = string(b)
	}
	if !has {
		j.fail(jqUsage)
		return 2
	}
	j.stdin = len(j.files) == 0
	for _, n := range order {
		j.names, j.values = append(j.names, "$"+n), append(j.values, named[n])
	}
	j.orders.add(named, order)
	args2 := map[string]any{"positional": append([]any{}, positional...), "named": named}
	j.orders.add(args2, []string{"positional", "named"})
	j.names = append(j.names, "$ARGS", "$__prog_args")
	j.values = append(j.values, args2, named)

	if strings.TrimSpace(filter) == "" {
		filter = "."
	}
	q, err := gojq.Parse(filter)
	if err != nil {
		j.fail(compileError(filter, err))
		return 3
	}
	j.query = q
	learn(q, j.orders)
	q.FuncDefs = append(prelude(), q.FuncDefs...)
	code, err := gojq.Compile(q, j.options(false)...)
	if err != nil {
		j.fail(compileError(filter, err))
		return 3
	}
	return j.process(code)
}

var longOptions = map[string]byte{
	"slurp": 's', "raw-output": 'r', "join-output": 'j', "compact-output": 'c', "color-output": 'C', "monochrome-output": 'M',
	"ascii-output": 'a', "sort-keys": 'S', "raw-input": 'R', "null-input": 'n', "from-file": 'f', "exit-status": 'e',
}

// flag sets an option without a value.
func (j *jq) flag(c byte) bool {
	switch c {
	case 's':
		j.slurp = true
	case 'r':
		j.raw = true
	case 'j':
		j.raw, j.join = true, true
	case 'c':
		j.compact = true
	case 'C', 'M', 'b':
	case 'a':
		j.ascii = true
	case 'S':
		j.sorted = true
	case 'R':
		j.rawIn = true
	case 'n':
		j.null = true
	case 'f':
		j.isFile = true
	case 'e':
		j.exitStatus = true
	default:
		return false
	}
	return true
}

func (j *jq) load(name string, raw bool) (any, error) {
	b, err := j.readAll(name)
	if err != nil {
		return nil, errors.New("Could not open " + name + ": " + err.Error())
	}
	if raw {
		return string(b), nil
	}
	t := &texts{from: strings.NewReader(string(b)), orders: j.orders}
	all := []any{}
	for {
		v, err := t.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
}

// steady is the context that gojq asks at every instruction whether to go on.
type steady struct{ j *jq }

func (steady) Deadline() (time.Time, bool) { return time.Time{}, false }
func (steady) Value(any) any               { return nil }
func (steady) Err() error                  { return nil }
func (s steady) Done() <-chan struct{} {
	s.j.Tick()
	return nil
}

// inputs is what input and inputs read.
type inputs struct{ j *jq }

func (in inputs) Next() (any, bool) {
	v, err := in.j.input()
	if err == io.EOF {
		return nil, false
	}
	if err != nil {
		in.j.broken = err
		return err, true
	}
	return v, true
}

func (j *jq) options(quiet bool) []gojq.CompilerOption {
	say := func(text string) {
		if !quiet {
			j.fail(text)
		}
	}
	return []gojq.CompilerOption{
		gojq.WithEnvironLoader(func() []string { return j.Env }),
		gojq.WithVariables(j.names),
		gojq.WithInputIter(inputs{j}),
		gojq.WithFunction("kubonsai_now", 0, 0, func(any, []any) any { return float64(j.Now().UnixNano()) / 1e9 }),
		gojq.WithFunction("kubonsai_keys", 0, 0, func(v any, _ []any) any {
			keys := []any{}
			switch v := v.(type) {
			case map[string]any:
				for _, k := range j.orders.of(v) {
					keys = append(keys, k)
				}
			case []any:
				for i := range v {
					keys = append(keys, i)
				}
			default:
				return noKeys{v}
			}
			return keys
		}),
		gojq.WithFunction("kubonsai_tojson", 0, 0, func(v any, _ []any) any { return (&writer{orders: j.orders}).encode(v) }),
		gojq.WithFunction("debug", 0, 0, func(v any, _ []any) any {
			say((&writer{orders: j.orders}).encode([]any{"DEBUG:", v}) + "\n")
			return v
		}),
		gojq.WithFunction("stderr", 0, 0, func(v any, _ []any) any {
			if s, ok := v.(string); ok {
				say(s)
			} else {
				say((&writer{orders: j.orders}).encode(v))
			}
			return v
		}),
		gojq.WithFunction("input_filename", 0, 0, func(any, []any) any {
			if j.file == "" {
				return nil
			}
			return j.file
		}),
		gojq.WithFunction("input_line_number", 0, 0, func(any, []any) any {
			if j.texts == nil {
				return 0
			}
			return j.texts.lines
		}),
	}
}

// input is the next input, whatever -s and -R make of it.
func (j *jq) input() (any, error) {
	if j.slurp {
		if j.slurped {
			return nil, io.EOF
		}
		j.slurped = true
		list, text := []any{}, strings.Builder{}
		for {
			v, err := j.one()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
			if s, ok := v.(string); ok && j.rawIn {
				text.WriteString(s)
			} else {
				list = append(list, v)
			}
		}
		if j.rawIn {
			return text.String(), nil
		}
		return list, nil
	}
	return j.one()
}

func (j *jq) one() (any, error) {
	for {
		if !j.started {
			if j.ended {
				return nil, io.EOF
			}
			var from io.Reader
			j.file = ""
			switch {
			case j.stdin:
				from = source{&j.run, stdin}
				j.ended = true
			case len(j.files) == 0:
				j.ended = true
				return nil, io.EOF
			default:
				j.file = j.files[0]
				j.files = j.files[1:]
				f, err := j.open(j.file)
				if j.file == "-" {
					f, err, j.file = source{&j.run, stdin}, nil, ""
				}
				if j.file != "" && err == nil { // a directory can be opened
					first := make([]byte, 16<<10)
					n, e := f.Read(first)
					if e != nil && e != io.EOF {
						j.fail("jq: error: Input error: " + e.Error() + "\n")
						j.bad = true
						continue
					}
					f = io.MultiReader(bytes.NewReader(first[:n]), f)
				}
				if err != nil {
					j.fail("jq: error: Could not open " + j.file + ": " + err.Error() + "\n")
					j.bad = true
					continue
				}
				from = f
			}
			j.started = true
			if j.rawIn {
				j.raws = &records{from: from}
			} else {
				j.texts = &texts{from: from, orders: j.orders}
			}
		}
		var v any
		var err error
		if j.rawIn {
			var s string
			if s, err = j.raws.next("\n"); err == nil && j.slurp && !j.raws.last {
				s += "\n"
			}
			v = s
		} else {
			v, err = j.texts.Next()
		}
		if err == io.EOF {
			j.started = false
			continue
		}
		return v, err
	}
}

// where is the input's position, for errors.
func (j *jq) where() string {
	if j.texts == nil && j.raws == nil {
		return "<unknown>"
	}
	name := j.file
	if name == "" {
		name = "<stdin>"
	}
	n := 0
	if j.texts != nil {
		n = j.texts.lines
	}
	return fmt.Sprintf("%s:%d", name, n)
}

func (j *jq) process(code *gojq.Code) int {
	w := &writer{orders: j.orders, sorted: j.sorted, ascii: j.ascii, indent: strings.Repeat(" ", j.indent)}
	switch {
	case j.compact:
		w.indent = ""
	case j.tab:
		w.indent = "\t"
	}
	status, last := 0, -4 // as jq: -4 no output, -1 null or false, 0 other
	for first := true; ; first = false {
		var v any
		if j.null {
			if !first {
				break
			}
		} else {
			var err error
			if v, err = j.input(); err == io.EOF {
				break
			} else if err != nil {
				j.parseFailed(err)
				return 2
			}
		}
		var each []any
		if j.stream && !j.null {
			each = streamed(v, nil, true)
		} else {
			each = []any{v}
		}
		for _, v := range each {
			code, halted := j.print(code, w, v, &last)
			if halted {
				return code
			}
			status = code
			if j.broken != nil {
				return 2
			}
		}
	}
	j.flush()
	if j.bad {
		return 2
	}
	if status != 0 {
		return status
	}
	if j.exitStatus {
		return -last
	}
	return 0
}

func (j *jq) parseFailed(err error) {
	var pe parseError
	if errors.As(err, &pe) {
		j.fail("jq: parse error: " + string(pe) + "\n")
		return
	}
	j.fail("jq: error: Input error: " + err.Error() + "\n")
}

// print runs the filter on one input and prints what comes.
func (j *jq) print(code *gojq.Code, w *writer, v any, last *int) (status int, halted bool) {
	*last = -4
	it := code.RunWithContext(steady{j}, v, j.values...)
	for {
		out, ok := it.Next()
		if !ok {
			return 0, false
		}
		if err, bad := out.(error); bad {
			var halt *gojq.HaltError
			if errors.As(err, &halt) {
				j.flush()
				switch m := halt.Value().(type) {
				case nil:
				case string:
					j.fail(m)
				default:
					j.fail((&writer{orders: j.orders}).encode(m) + "\n")
				}
				return halt.ExitCode(), true
			}
			if j.broken != nil {
				j.parseFailed(j.broken)
				return 2, false
			}
			var ve gojq.ValueError
			if errors.As(err, &ve) {
				if s, ok := ve.Value().(string); ok {
					j.fail("jq: error (at " + j.where() + "): " + s + "\n")
				} else {
					j.fail("jq: error (at " + j.where() + ") (not a string): " + (&writer{orders: j.orders}).encode(ve.Value()) + "\n")
				}
			} else {
				j.fail("jq: error (at " + j.where() + "): " + j.message(err, v) + "\n")
			}
			return 5, false
		}
		s, isString := out.(string)
		if !isString || !j.raw || j.ascii {
			s = w.encode(out)
		}
		if *last = 0; out == nil || out == false {
			*last = -1
		}
		if !j.join {
			s += "\n"
		}
		if j.nul {
			s += "\x00"
		}
		_, _ = j.Write([]byte(s))
		if !j.Pipe {
			j.flush()
		}
		j.Tick()
	}
}

// prelude are the functions that a filter gets instead of gojq's own: those that
// look at the clock or at the order of keys.
func prelude() []*gojq.FuncDef {
	q, err := gojq.Parse(`def now: kubonsai_now;
		def keys_unsorted: kubonsai_keys;
		def to_entries: [kubonsai_keys[] as $k | {key: $k, value: .[$k]}];
		def with_entries(f): to_entries | map(f) | from_entries;
		def tojson: kubonsai_tojson;
		def tostring: if type == "string" then . else kubonsai_tojson end; .`)
	if err != nil {
		panic(err)
	}
	return q.FuncDefs
}

// noKeys is jq's error for what has no keys.
type noKeys struct{ v any }

func (e noKeys) Error() string {
	return typed(gojq.TypeOf(e.v)+" ("+gojq.Preview(e.v)+")") + " has no keys"
}

// streamed is a value as --stream gives it.
func streamed(v any, path []any, top bool) []any {
	at := func(k any) []any { return append(append([]any{}, path...), k) }
	var out []any
	var lastKey any
	switch v := v.(type) {
	case []any:
		if len(v) > 0 {
			for i, e := range v {
				out = append(out, streamed(e, at(i), false)...)
				lastKey = i
			}
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			out = append(out, streamed(v[k], at(k), false)...)
			lastKey = k
		}
	}
	if lastKey == nil {
		return []any{[]any{append([]any{}, path...), v}}
	}
	return append(out, []any{at(lastKey)})
}

// learn takes the order of keys from the objects that a filter makes.
func learn(q *gojq.Query, o *orders) {
	if q == nil {
		return
	}
	for _, f := range q.FuncDefs {
		learn(f.Body, o)
	}
	learn(q.Left, o)
	learn(q.Right, o)
	learnTerm(q.Term, o)
}

func learnTerm(t *gojq.Term, o *orders) {
	if t == nil {
		return
	}
	learn(t.Query, o)
	if t.Array != nil {
		learn(t.Array.Query, o)
	}
	if t.Func != nil {
		for _, a := range t.Func.Args {
			learn(a, o)
		}
	}
	if t.Str != nil {
		for _, q := range t.Str.Queries {
			learn(q, o)
		}
	}
	if t.If != nil {
		learn(t.If.Cond, o)
		learn(t.If.Then, o)
		for _, e := range t.If.Elif {
			learn(e.Cond, o)
			learn(e.Then, o)
		}
		learn(t.If.Else, o)
	}
	if t.Try != nil {
		learn(t.Try.Body, o)
		learn(t.Try.Catch, o)
	}
	if t.Reduce != nil {
		learn(t.Reduce.Start, o)
		learn(t.Reduce.Update, o)
	}
	if t.Foreach != nil {
		learn(t.Foreach.Start, o)
		learn(t.Foreach.Update, o)
		learn(t.Foreach.Extract, o)
	}
	if t.Label != nil {
		learn(t.Label.Body, o)
	}
	for _, s := range t.SuffixList {
		if s.Bind != nil {
			learn(s.Bind.Body, o)
		}
		if s.Index != nil {
			learn(s.Index.Start, o)
			learn(s.Index.End, o)
		}
	}
	if t.Object == nil {
		return
	}
	made := map[string]any{}
	var keys []string
	for _, kv := range t.Object.KeyVals {
		learn(kv.Val, o)
		learn(kv.KeyQuery, o)
		k := strings.TrimPrefix(kv.Key, "$")
		if kv.KeyString != nil && kv.KeyString.Queries == nil {
			k = kv.KeyString.Str
		}
		if k == "" {
			return // a key that is computed
		}
		if _, ok := made[k]; !ok {
			made[k] = nil
			keys = append(keys, k)
		}
	}
	o.byKeys[keySet(sortedKeys(made))] = keys
}
