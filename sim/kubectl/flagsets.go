// This file declares flags that many verbs share, with kubectl's names and defaults.

package kubectl

import "github.com/spf13/pflag"

// fileFlags adds -f, -k and -R.
func (o *FilenameOptions) flags(f *pflag.FlagSet, what string) {
	f.StringSliceVarP(&o.Filenames, "filename", "f", nil, "Manifest, directory or URL "+what)
	f.StringVarP(&o.Kustomize, "kustomize", "k", "", "Directory with a kustomization; not together with -f or -R")
	f.BoolVarP(&o.Recursive, "recursive", "R", false, "Look into the directories of -f as well")
}

func selectorFlag(f *pflag.FlagSet, p *string) {
	f.StringVarP(p, "selector", "l", "", "Label selector: '=', '==', '!=', 'in', 'notin' (a=b,c in (d,e))")
}

func fieldSelectorFlag(f *pflag.FlagSet, p *string) {
	f.StringVar(p, "field-selector", "", "Field selector: '=', '==', '!=' (a=b,c!=d); each kind has few such fields")
}

func chunkFlag(f *pflag.FlagSet, p *int64) {
	f.Int64Var(p, "chunk-size", 500, "Read large lists in chunks of this many; 0 reads them at once")
}

func allNamespacesFlag(f *pflag.FlagSet, p *bool) {
	f.BoolVarP(p, "all-namespaces", "A", false, "Look in all namespaces, whatever --namespace says")
}

func subresourceFlag(f *pflag.FlagSet, p *string, what string) {
	f.StringVar(p, "subresource", "", what)
}

func fieldManagerFlag(f *pflag.FlagSet, p *string, def string) {
	f.StringVar(p, "field-manager", def, "Name that owns the fields which this command sets")
}

// DryRun is the value of --dry-run.
type DryRun string

// The strategies of --dry-run.
const (
	DryRunNone   DryRun = "none"
	DryRunClient DryRun = "client"
	DryRunServer DryRun = "server"
)

func dryRunFlag(f *pflag.FlagSet, p *string) {
	f.StringVar(p, "dry-run", "none", `"none", "server" or "client": with client the object is only printed, with server it is sent but not stored`)
	noOptDefault(f, "dry-run", "unchanged")
}

// dryRun reads the flag's value.
func (s *Session) dryRun(value string) (DryRun, error) {
	switch value {
	case "none", "client", "server":
		return DryRun(value), nil
	case "unchanged":
		s.logLine('W', "helpers.go:719", "--dry-run is deprecated and can be replaced with --dry-run=client.")
		return DryRunClient, nil
	case "true":
		s.logLine('W', "helpers.go:733", "--dry-run=true is deprecated (boolean value) and can be replaced with --dry-run=client.")
		return DryRunClient, nil
	case "false":
		s.logLine('W', "helpers.go:736", "--dry-run=false is deprecated (boolean value) and can be replaced with --dry-run=none.")
		return DryRunNone, nil
	}
	return "", &invalidDryRun{value}
}

type invalidDryRun struct{ value string }

func (e *invalidDryRun) Error() string {
	return `Invalid dry-run value (` + e.value + `). Must be "none", "server", or "client".`
}

func validateFlag(f *pflag.FlagSet, p *string) {
	f.StringVar(p, "validate", "strict", `"strict" (or true), "warn" or "ignore" (or false): what happens to unknown or duplicate fields`)
	noOptDefault(f, "validate", "strict")
}

// validationDirective is the server's fieldValidation for the flag's value.
func validationDirective(value string) (string, error) {
	switch value {
	case "true", "strict", "Strict":
		return "Strict", nil
	case "warn", "Warn":
		return "Warn", nil
	case "false", "ignore", "Ignore":
		return "Ignore", nil
	}
	return "", &invalidValidate{value}
}

type invalidValidate struct{ value string }

func (e *invalidValidate) Error() string {
	return `invalid - validate option "` + e.value + `"; must be one of: strict (or true), warn, ignore (or false)`
}
