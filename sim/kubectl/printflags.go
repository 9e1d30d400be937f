// This file is the -o flag and its company: which printer a run gets.

package kubectl

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/pflag"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
)

var (
	documentFormats = []string{"json", "yaml", "kyaml"}
	templateFormats = []string{"go-template", "go-template-file", "template", "templatefile", "jsonpath", "jsonpath-as-json", "jsonpath-file"}
	columnFormats   = []string{"custom-columns", "custom-columns-file"}
)

// outputFormats lists the formats of verbs that print what they did.
func outputFormats() []string {
	return append(append(append([]string{}, documentFormats...), "name"), templateFormats...)
}

// PrintFlags are the output flags of verbs that print what they did: without
// -o the line "pod/web created", with it the object.
type PrintFlags struct {
	Output        string
	Template      string
	AllowMissing  bool
	ManagedFields bool
	// Operation is what happened: "created", "labeled".
	Operation string
	s         *Session
}

// Flags declares -o, --template, --allow-missing-template-keys, --show-managed-fields.
func (p *PrintFlags) Flags(f *pflag.FlagSet) {
	f.StringVarP(&p.Output, "output", "o", p.Output, "Output format, one of: ("+strings.Join(outputFormats(), ", ")+")")
	p.templateFlags(f)
}

func (p *PrintFlags) templateFlags(f *pflag.FlagSet) {
	f.StringVar(&p.Template, "template", "", "Template, or file with one, for -o go-template and -o go-template-file")
	f.BoolVar(&p.AllowMissing, "allow-missing-template-keys", true, "Let templates name fields that an object does not have")
	f.BoolVar(&p.ManagedFields, "show-managed-fields", false, "Print metadata.managedFields with JSON and YAML")
}

// noPrinterError says which formats there are.
type noPrinterError struct {
	format  string
	allowed []string
}

func (e *noPrinterError) Error() string {
	allowed := append([]string{}, e.allowed...)
	sort.Strings(allowed)
	if e.format != "" {
		return fmt.Sprintf("unable to match a printer suitable for the output format %q, allowed formats are: %s", e.format, strings.Join(allowed, ","))
	}
	return fmt.Sprintf("unable to match a printer suitable for the options specified, allowed formats are: %s", strings.Join(allowed, ","))
}

// Printer is the printer for the flags; dry runs are named after the operation.
func (p *PrintFlags) Printer(s *Session, dry DryRun) (printer.Printer, error) {
	operation := p.Operation
	switch dry {
	case DryRunClient:
		operation += " (dry run)"
	case DryRunServer:
		operation += " (server dry run)"
	}
	format := p.Output
	if p.Template != "" && format == "" {
		format = "go-template"
	}
	switch format {
	case "":
		return &printer.Name{Operation: operation}, nil
	case "name":
		return &printer.Name{Operation: operation, Short: true}, nil
	}
	pr, err := p.document(s, format)
	if pr == nil && err == nil {
		return nil, &noPrinterError{p.Output, outputFormats()}
	}
	return pr, err
}

// document is the printer of the formats that need nothing but the object; nil for other formats.
func (p *PrintFlags) document(s *Session, format string) (printer.Printer, error) {
	switch strings.ToLower(format) {
	case "json":
		return &printer.JSON{ManagedFields: p.ManagedFields}, nil
	case "yaml":
		return &printer.YAML{ManagedFields: p.ManagedFields}, nil
	case "kyaml":
		return &printer.KYAML{ManagedFields: p.ManagedFields}, nil
	}
	name, text := format, p.Template
	if text == "" {
		name, text, _ = strings.Cut(format, "=")
	}
	known := false
	for _, f := range templateFormats {
		known = known || f == name
	}
	if !known {
		return nil, nil
	}
	if text == "" {
		return nil, errors.New("template format specified but no template given")
	}
	switch name {
	case "jsonpath-file", "templatefile", "go-template-file":
		data, err := s.FS.ReadFile(s.Path(text))
		if err != nil {
			return nil, fmt.Errorf("error reading --template %s, open %s: no such file or directory", text, text)
		}
		text = string(data)
	}
	if strings.HasPrefix(name, "jsonpath") {
		return asPrinter(printer.NewJSONPath(text, p.AllowMissing, name == "jsonpath-as-json"))
	}
	return asPrinter(printer.NewTemplate(text, p.AllowMissing))
}

func asPrinter[P printer.Printer](p P, err error) (printer.Printer, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

// getPrintFlags are the output flags of get (and of events).
type getPrintFlags struct {
	PrintFlags
	NoHeaders  bool
	ShowLabels bool
	ShowKind   bool
	SortBy     string
	Labels     []string
}

func getFormats() []string {
	out := append(append([]string{}, outputFormats()...), columnFormats...)
	return append(out, "wide")
}

func (p *getPrintFlags) Flags(f *pflag.FlagSet) {
	f.StringVarP(&p.Output, "output", "o", "", "Output format, one of: ("+strings.Join(getFormats(), ", ")+")")
	p.templateFlags(f)
	f.BoolVar(&p.NoHeaders, "no-headers", false, "Leave out the headers of tables and custom columns")
	f.BoolVar(&p.ShowLabels, "show-labels", false, "Add a column with all labels")
	f.BoolVar(&p.ShowKind, "show-kind", false, "Put the kind before each name")
	f.StringVar(&p.SortBy, "sort-by", "", "Sort lists by the field at this JSONPath ('{.metadata.name}')")
	f.StringSliceVarP(&p.Labels, "label-columns", "L", nil, "Add a column for each of these labels")
}

// human reports whether a table is to be drawn.
func (p *getPrintFlags) human() bool {
	return p.Output == "" && p.Template == "" || p.Output == "wide"
}

// get's printer; kind, namespaces and kinds concern tables only.
func (p *getPrintFlags) printer(s *Session, kind metav1.GroupKind, withNamespace, withKind bool) (printer.Printer, error) {
	format := p.Output
	if p.Template != "" && format == "" {
		format = "go-template"
	}
	if pr, err := p.document(s, format); pr != nil || err != nil {
		return pr, err
	}
	switch {
	case p.human():
		return &printer.Table{
			Kind: kind, WithKind: withKind || p.ShowKind, WithNS: withNamespace, NoHeaders: p.NoHeaders,
			Wide: format == "wide", ShowLabels: p.ShowLabels, ColumnLabels: p.Labels, Now: s.Now,
		}, nil
	case format == "name":
		return &printer.Name{Short: true}, nil
	}
	name, spec, _ := strings.Cut(format, "=")
	if p.Template != "" {
		name, spec = format, p.Template
	}
	switch name {
	case "custom-columns":
		return asPrinter(printer.NewColumns(spec, p.NoHeaders))
	case "custom-columns-file":
		if spec == "" {
			return nil, errors.New("custom-columns format specified but no custom columns given")
		}
		data, err := s.FS.ReadFile(s.Path(spec))
		if err != nil {
			return nil, fmt.Errorf("error reading template %s, open %s: no such file or directory\n", spec, spec)
		}
		return asPrinter(printer.NewColumnsFile(string(data)))
	}
	return nil, &noPrinterError{p.Output, getFormats()}
}
