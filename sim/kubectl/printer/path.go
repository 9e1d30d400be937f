// This file prints by expression: JSONPath, Go templates and custom columns,
// and sorts objects by a JSONPath field.

package printer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sort"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/internal/gotemplate"
	"k8s.io/client-go/util/jsonpath"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/internal/lazy"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

// JSONPath prints what a JSONPath template finds.
type JSONPath struct {
	text string
	path *jsonpath.JSONPath
}

// NewJSONPath parses a template.
func NewJSONPath(text string, allowMissing, asJSON bool) (*JSONPath, error) {
	p := jsonpath.New("out")
	if err := p.Parse(text); err != nil {
		return nil, fmt.Errorf("error parsing jsonpath %s, %v", text, err)
	}
	p.AllowMissingKeys(allowMissing)
	p.EnableJSONOutput(asJSON)
	return &JSONPath{text, p}, nil
}

// Print is Printer's.
func (p *JSONPath) Print(obj any, w io.Writer) error {
	m, err := toTree(obj)
	if err != nil {
		return err
	}
	if err := execute(p.path, w, m); err != nil {
		return fmt.Errorf("error executing jsonpath %q: Error executing template: %v. Printing more information for debugging the template:\n\ttemplate was:\n\t\t%v\n\tobject given to jsonpath engine was:\n\t\t%#v\n\n\n", p.text, err, p.text, any(m))
	}
	return nil
}

// execute keeps a template that the library cannot cope with from ending the program.
func execute(p *jsonpath.JSONPath, w io.Writer, m any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return p.Execute(w, m)
}

func find(p *jsonpath.JSONPath, m any) (v [][]reflect.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return p.FindResults(m)
}

// Template prints with a Go template.
type Template struct {
	text string
	t    *gotemplate.Template
}

// NewTemplate parses a template.
func NewTemplate(text string, allowMissing bool) (*Template, error) {
	t, err := gotemplate.New("output", text, !allowMissing)
	if err != nil {
		return nil, fmt.Errorf("error parsing template %s, %v", text, err)
	}
	return &Template{text, t}, nil
}

// Print is Printer's.
func (p *Template) Print(obj any, w io.Writer) error {
	m, err := toTree(obj)
	if err != nil {
		return err
	}
	// Templates see numbers as encoding/json's: int64 and float64 already.
	err = func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("caught panic: %+v", r)
			}
		}()
		return p.t.Execute(w, m)
	}()
	if err != nil {
		data, _ := json.Marshal(m)
		fmt.Fprintf(w, "Error executing template: %v. Printing more information for debugging the template:\n", err)
		fmt.Fprintf(w, "\ttemplate was:\n\t\t%v\n\traw data was:\n\t\t%v\n\tobject given to template engine was:\n\t\t%+v\n\n", p.text, string(data), m)
		return fmt.Errorf("error executing template %q: %v", p.text, err)
	}
	return nil
}

// Columns prints custom columns.
type Columns struct {
	Headers   []string
	NoHeaders bool
	paths     []*jsonpath.JSONPath
	printed   bool
	wrong     error // with the paths, told after the headings
}

var relaxed = lazy.Regexp(`^\{\.?([^{}]+)\}$|^\.?([^{}]+)$`)

// RelaxedPath turns x.y, .x.y, {x.y} and {.x.y} into {.x.y}.
func RelaxedPath(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	m := relaxed().FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'")
	}
	if m[1] != "" {
		return "{." + m[1] + "}", nil
	}
	return "{." + m[2] + "}", nil
}

// NewColumns reads NAME:.path,NAME:.path.
func NewColumns(spec string, noHeaders bool) (*Columns, error) {
	if spec == "" {
		return nil, fmt.Errorf("custom-columns format specified but no custom columns given")
	}
	c := &Columns{NoHeaders: noHeaders}
	for _, part := range strings.Split(spec, ",") {
		header, path, ok := strings.Cut(part, ":")
		if !ok {
			return nil, fmt.Errorf("unexpected custom-columns spec: %s, expected <header>:<json-path-expr>", part)
		}
		if err := c.add(header, path); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// NewColumnsFile reads a template of two lines, headers and paths.
func NewColumnsFile(text string) (*Columns, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if strings.TrimSpace(lines[0]) == "" && len(lines) == 1 {
		return nil, fmt.Errorf("invalid template, missing header line. Expected format is one line of space separated headers, one line of space separated column specs.")
	}
	if len(lines) < 2 {
		return nil, fmt.Errorf("invalid template, missing spec line. Expected format is one line of space separated headers, one line of space separated column specs.")
	}
	headers, specs := strings.Fields(lines[0]), strings.Fields(lines[1])
	if len(headers) != len(specs) {
		return nil, fmt.Errorf("number of headers (%d) and field specifications (%d) don't match", len(headers), len(specs))
	}
	c := &Columns{}
	for i := range headers {
		if err := c.add(headers[i], specs[i]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Columns) add(header, path string) error {
	spec, err := RelaxedPath(path)
	if err != nil {
		return err
	}
	p := jsonpath.New(fmt.Sprintf("column%d", len(c.paths))).AllowMissingKeys(true)
	if err := p.Parse(spec); err != nil && c.wrong == nil {
		c.wrong = err
	}
	c.Headers = append(c.Headers, header)
	c.paths = append(c.paths, p)
	return nil
}

// Print is Printer's.
func (c *Columns) Print(obj any, out io.Writer) error {
	w, ok := out.(*TabWriter)
	if !ok {
		w = NewTabWriter(out)
		defer w.Flush()
	}
	if !c.printed && !c.NoHeaders {
		fmt.Fprintln(w, strings.Join(c.Headers, "\t"))
	}
	c.printed = true
	if c.wrong != nil {
		return c.wrong
	}
	m, err := toTree(obj)
	if err != nil {
		return err
	}
	items := []tree.Map{m}
	if tree.IsList(m) {
		items = tree.Maps(m, "items")
	}
	for _, item := range items {
		cells := make([]string, len(c.paths))
		for i, p := range c.paths {
			values, err := find(p, item)
			if err != nil {
				return err
			}
			var texts []string
			if len(values) == 0 || len(values[0]) == 0 {
				texts = append(texts, "<none>")
			}
			for _, vs := range values {
				for _, v := range vs {
					texts = append(texts, Escape(fmt.Sprint(v.Interface())))
				}
			}
			cells[i] = strings.Join(texts, ",")
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return nil
}

// sorter orders things by the value that a path finds in each.
type sorter struct {
	values [][][]reflect.Value
	swap   func(i, j int)
	err    error
}

func (s *sorter) Len() int { return len(s.values) }
func (s *sorter) Swap(i, j int) {
	s.values[i], s.values[j] = s.values[j], s.values[i]
	s.swap(i, j)
}
func (s *sorter) Less(i, j int) bool {
	a, b := s.values[i], s.values[j]
	if len(a) == 0 || len(a[0]) == 0 {
		return true
	}
	if len(b) == 0 || len(b[0]) == 0 {
		return false
	}
	less, err := less(a[0][0], b[0][0])
	if err != nil && s.err == nil {
		s.err = err
	}
	return less
}

func less(a, b reflect.Value) (bool, error) {
	for a.Kind() == reflect.Interface || a.Kind() == reflect.Pointer {
		if a.IsNil() {
			return !(b.Kind() == reflect.Interface && b.IsNil()), nil
		}
		a = a.Elem()
	}
	for b.Kind() == reflect.Interface || b.Kind() == reflect.Pointer {
		if b.IsNil() {
			return false, nil
		}
		b = b.Elem()
	}
	switch {
	case !a.IsValid() || !b.IsValid():
		return !a.IsValid() && b.IsValid(), nil
	case a.CanInt() && b.CanInt():
		return a.Int() < b.Int(), nil
	case (a.CanFloat() || a.CanInt()) && (b.CanFloat() || b.CanInt()):
		return number(a) < number(b), nil
	case a.Kind() == reflect.String && b.Kind() == reflect.String:
		x, y := a.String(), b.String()
		qx, err := resource.ParseQuantity(x)
		if err != nil {
			return x < y, nil
		}
		qy, err := resource.ParseQuantity(y)
		if err != nil {
			return x < y, nil
		}
		return qx.Cmp(qy) < 0, nil
	}
	switch a.Kind() {
	case reflect.String, reflect.Int64, reflect.Float64:
		return false, &UnsortableError{text: "unsortable interface: interface"}
	}
	return false, &UnsortableError{text: fmt.Sprintf("unsortable type: %T", a.Interface())}
}

// UnsortableError says that a field's values have no order.
type UnsortableError struct{ Field, text string }

func (e *UnsortableError) Error() string { return e.text }

func number(v reflect.Value) float64 {
	if v.CanInt() {
		return float64(v.Int())
	}
	return v.Float()
}

func sortBy(field string, n int, at func(int) (any, error), swap func(i, j int)) error {
	p := jsonpath.New("sorting").AllowMissingKeys(true)
	if err := p.Parse(field); err != nil {
		return fmt.Errorf("sorting error: %v", err)
	}
	s := &sorter{swap: swap}
	found := false
	for i := range n {
		obj, err := at(i)
		if err != nil {
			return err
		}
		v, err := find(p, obj)
		if err != nil {
			return err
		}
		found = found || len(v) > 0 && len(v[0]) > 0
		s.values = append(s.values, v)
	}
	if n > 0 && !found {
		return fmt.Errorf("couldn't find any field with path %q in the list of objects", field)
	}
	sort.Sort(s)
	if e := (*UnsortableError)(nil); errors.As(s.err, &e) {
		e.Field = field
	}
	return s.err
}

// SortTable sorts the rows by a field of their objects.
func SortTable(t *metav1.Table, field string) error {
	if len(t.Rows) < 2 { // nothing is compared, so upstream does not read the field
		return nil
	}
	if path, err := RelaxedPath(field); err == nil {
		field = path
	}
	return sortBy(field, len(t.Rows),
		func(i int) (any, error) { return rowObject(t.Rows[i]) },
		func(i, j int) { t.Rows[i], t.Rows[j] = t.Rows[j], t.Rows[i] })
}

// SortTrees sorts objects by a field; swap, if not nil, is told of every exchange.
func SortTrees(objs []tree.Map, field string, swap func(i, j int)) error {
	path, err := RelaxedPath(field)
	if err != nil {
		return err
	}
	return sortBy(path, len(objs), func(i int) (any, error) { return objs[i], nil }, func(i, j int) {
		objs[i], objs[j] = objs[j], objs[i]
		if swap != nil {
			swap(i, j)
		}
	})
}
