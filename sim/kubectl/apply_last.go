// kubectl apply view-last-applied, set-last-applied and edit-last-applied.

package kubectl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func applyViewLastCommand() *Command {
	return &Command{Use: "view-last-applied (TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME)",
		Short: "View the latest last-applied-configuration annotations of a resource/object", New: func() Verb { return &viewLastOptions{} }}
}

type viewLastOptions struct {
	files            FilenameOptions
	output, selector string
	all              bool
	args             []string
	texts            []string
}

func (o *viewLastOptions) Flags(f *pflag.FlagSet) {
	f.StringVarP(&o.output, "output", "o", "yaml", "Output format: yaml or json")
	f.BoolVar(&o.all, "all", false, "Select all objects of the types, in the namespace")
	o.files.flags(f, "that names the objects")
	selectorFlag(f, &o.selector)
}

func (o *viewLastOptions) Complete(s *Session, args []string) error {
	b, err := s.objects(o.files, args)
	if err != nil {
		return err
	}
	b.ContinueOnError, b.TypeOnlyMeansAll = false, b.EnforceNamespace
	b.SelectAll, b.Selector, b.Latest = o.all, o.selector, true
	return b.Do().Visit(func(i *Info) error {
		text, ok := tree.Strings(i.Object, "metadata", "annotations")[lastApplied]
		if !ok {
			if i.Source == "" { // the real one says nothing either
				return nil
			}
			return AddSource(fmt.Sprintf("no last-applied-configuration annotation found on resource: %s\n", i.Name), i.Source, errors.New("%!v(<nil>)"))
		}
		o.texts = append(o.texts, text)
		return nil
	})
}

func (o *viewLastOptions) Validate() error { return nil }

func (o *viewLastOptions) Run(s *Session) error {
	for _, text := range o.texts {
		switch o.output {
		case "json":
			var b bytes.Buffer
			if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
				return err
			}
			s.Printf("%s", b.String())
		case "yaml":
			out, err := yaml.JSONToYAML([]byte(text))
			if err != nil {
				return err
			}
			s.Printf("%s", out)
		default:
			return s.UsageErrorf("Unexpected -o output mode: %s, the flag 'output' must be one of yaml|json", o.output)
		}
	}
	return nil
}

func applySetLastCommand() *Command {
	return &Command{Use: "set-last-applied -f FILENAME",
		Short: "Set the last-applied-configuration annotation on a live object to match the contents of a file", New: func() Verb { return &setLastOptions{} }}
}

type setLastOptions struct {
	files      FilenameOptions
	out        outputFlags
	create     bool
	dryRunText string
	dryRun     DryRun
}

func (o *setLastOptions) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	dryRunFlag(f, &o.dryRunText)
	f.BoolVar(&o.create, "create-annotation", false, "Make the annotation on objects that do not have it")
	f.StringSliceVarP(&o.files.Filenames, "filename", "f", nil, "Manifest, directory or URL with the configuration")
}

func (o *setLastOptions) Complete(s *Session, _ []string) (err error) {
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	return o.out.check(s)
}

func (o *setLastOptions) Validate() error { return nil }

func (o *setLastOptions) Run(s *Session) error {
	b, err := s.objects(o.files, nil)
	if err != nil {
		return err
	}
	b.ContinueOnError = false
	type change struct {
		i     *Info
		patch tree.Map
	}
	var changes []change
	err = b.Do().Visit(func(i *Info) error {
		manifest := i.Object
		patch := lastAppliedPatch(manifest)
		if err := i.Get(); err != nil {
			if apierrors.IsNotFound(err) {
				return err
			}
			return AddSource(fmt.Sprintf("retrieving current configuration of:\n%s\nfrom server for:", i.describe()), i.Source, err)
		}
		original, has, err := originalConfiguration(i.Object)
		if err != nil {
			return err
		}
		if !has && !o.create {
			return fmt.Errorf("no last-applied-configuration annotation found on resource: %s, to create the annotation, run the command with --create-annotation", i.Name)
		}
		if smerge.Equal(original, manifest) {
			s.Printf("set-last-applied %s: no changes required.\n", i.Name)
			return nil
		}
		changes = append(changes, change{i, patch})
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range changes {
		obj := c.i.Object
		if o.dryRun != DryRunClient {
			if obj, err = c.i.patch(writer{DryRun: o.dryRun}, MergePatch, c.patch); err != nil {
				return err
			}
		}
		if err := o.out.print(s, "configured", o.dryRun, obj); err != nil {
			return err
		}
	}
	return nil
}

// lastAppliedPatch writes a manifest into the annotation.
func lastAppliedPatch(manifest tree.Map) tree.Map {
	data, _ := json.Marshal(manifest)
	return tree.Map{"metadata": tree.Map{"annotations": tree.Map{lastApplied: string(data) + "\n"}}}
}

func applyEditLastCommand() *Command {
	return &Command{Use: "edit-last-applied (RESOURCE/NAME | -f FILENAME)",
		Short: "Edit latest last-applied-configuration annotations of a resource/object",
		New:   func() Verb { return &editOptions{mode: editLastApplied, manager: clientSideManager} }}
}
