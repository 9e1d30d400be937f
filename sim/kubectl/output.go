// This file draws the results of the verbs that change objects: "created" and
// its like by default, or the object in one of the formats of -o.

package kubectl

import (
	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
)

// outputFlags are PrintFlags for verbs that print several objects, each with
// what happened to it.
type outputFlags struct {
	PrintFlags
	cached printer.Printer // keeps count of the documents printed
}

func (o *outputFlags) flags(f *pflag.FlagSet) { o.PrintFlags.Flags(f) }

// dryRunSuffix makes an operation say that it was only tried.
func dryRunSuffix(operation string, d DryRun) string {
	switch d {
	case DryRunClient:
		return operation + " (dry run)"
	case DryRunServer:
		return operation + " (server dry run)"
	}
	return operation
}

// check fails for a format that does not exist.
func (o *outputFlags) check(s *Session) error {
	_, err := o.printer(s, "", DryRunNone)
	return err
}

// print draws one object; operation is what happened to it.
func (o *outputFlags) print(s *Session, operation string, d DryRun, obj any) error {
	p, err := o.printer(s, operation, d)
	if err != nil {
		return err
	}
	return p.Print(obj, s.Stdout)
}

func (o *outputFlags) printer(s *Session, operation string, d DryRun) (printer.Printer, error) {
	if o.cached != nil {
		return o.cached, nil
	}
	o.Operation = operation
	p, err := o.Printer(s, d)
	if _, isName := p.(*printer.Name); !isName && err == nil {
		o.cached = p
	}
	return p, err
}
