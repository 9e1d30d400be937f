// kubectl replace: puts whole objects, or deletes and creates them with --force.

package kubectl

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func replaceCommand() *Command {
	return &Command{
		Use:   "replace -f FILENAME",
		Short: "Replace a resource by file name or stdin",
		Long:  "Replace whole objects by what files describe. To change a live object, get it in full first: kubectl get TYPE NAME -o yaml.",
		Examples: `kubectl replace -f ./web.yaml
kubectl get pod web -o yaml | sed 's/1.25/1.27/' | kubectl replace -f -
kubectl replace --force -f ./web.yaml`,
		New: func() Verb { return &replaceOptions{del: deleteOptions{grace: -1}} },
	}
}

type replaceOptions struct {
	del         deleteOptions
	out         outputFlags
	record      recordFlag
	validate    string
	saveConfig  bool
	dryRunText  string
	raw         string
	manager     string
	subresource string
	dryRun      DryRun
}

func (o *replaceOptions) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	o.del.sharedFlags(f)
	o.record.flags(f)
	validateFlag(f, &o.validate)
	saveConfigFlag(f, &o.saveConfig)
	dryRunFlag(f, &o.dryRunText)
	f.StringVar(&o.raw, "raw", "", "Path to PUT to on the server, as it is")
	fieldManagerFlag(f, &o.manager, "kubectl-replace")
	subresourceFlag(f, &o.subresource, "Replace this subresource of the object")
}

func (o *replaceOptions) Complete(s *Session, args []string) (err error) {
	if o.validate, err = validationDirective(o.validate); err != nil {
		return err
	}
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	if err := o.out.check(s); err != nil {
		return err
	}
	if err := o.del.prepare(s); err != nil {
		return err
	}
	o.del.ignoreNotFound, o.del.args = true, args
	o.del.dryRun = DryRunNone
	if o.out.Output == "name" {
		o.del.output = "name"
	}
	if o.del.grace == 0 {
		o.del.grace, o.del.wait = 1, true
	}
	return o.del.files.Require()
}

func (o *replaceOptions) Validate() error {
	switch {
	case o.del.grace >= 0 && !o.del.force:
		return errors.New("--grace-period must have --force specified")
	case o.del.timeout != 0 && !o.del.force:
		return errors.New("--timeout must have --force specified")
	case o.del.force && o.dryRun != DryRunNone:
		return errors.New("--dry-run can not be used when --force is set")
	case o.del.files.Empty():
		return errors.New("must specify --filename to replace")
	}
	if o.raw == "" {
		return nil
	}
	if err := checkRaw(o.raw, &o.del.files, true); err != nil {
		return err
	}
	if o.out.Output != "" {
		return errors.New("--raw and --output are mutually exclusive")
	}
	return nil
}

func (o *replaceOptions) annotate(s *Session, i *Info) {
	if _, has := tree.Strings(i.Object, "metadata", "annotations")[lastApplied]; has || o.saveConfig {
		setLastApplied(i.Object)
	}
	o.record.note(s, i.Object)
}

func (o *replaceOptions) Run(s *Session) error {
	if o.raw != "" {
		return s.sendRaw("PUT", o.raw, o.del.files.Filenames[0])
	}
	w := writer{DryRun: o.dryRun, Manager: o.manager, Validation: o.validate}
	if o.del.force {
		return o.force(s, w)
	}
	b, err := s.objects(o.del.files, nil)
	if err != nil {
		return err
	}
	b.Validate, b.Subresource = validator(o.validate), o.subresource
	return b.Do().Visit(func(i *Info) error {
		o.annotate(s, i)
		if o.dryRun != DryRunClient {
			obj, err := i.replace(w, i.Object)
			if err != nil {
				return AddSource("replacing", i.Source, err)
			}
			i.Refresh(obj)
		}
		return o.out.print(s, "replaced", o.dryRun, i.Object)
	})
}

func (o *replaceOptions) force(s *Session, w writer) error {
	for n, f := range o.del.files.Filenames { // stdin is read twice
		if f != "-" {
			continue
		}
		data, err := s.ReadStdin()
		if err != nil {
			return err
		}
		file := fmt.Sprintf("/tmp/kubectl_replace_%s/resource.stdin", s.suffix("replace"))
		if err := s.FS.MkdirAll(file[:len(file)-len("/resource.stdin")], 0o700); err != nil {
			return err
		}
		if err := s.FS.WriteFile(file, data, 0o600); err != nil {
			return err
		}
		defer s.FS.RemoveAll(file[:len(file)-len("/resource.stdin")])
		o.del.files.Filenames[n] = file
	}
	b, err := s.objects(o.del.files, o.del.args)
	if err != nil {
		return err
	}
	b.NoFetch = true
	again := *b
	if err := o.del.deleteResult(b.Do()); err != nil {
		return err
	}
	timeout := o.del.timeout
	if timeout == 0 {
		timeout = 5 * time.Minute
	}
	wait := again
	err = wait.Do().Visit(func(i *Info) error {
		if i.client.untilGone(i.Mapping, i.Namespace, i.Name, "", timeout) != nil {
			return errTimedOut
		}
		return nil
	})
	if err != nil {
		return err
	}
	again.Args, again.NoFetch, again.Validate = nil, false, validator(o.validate)
	count := 0
	err = again.Do().Visit(func(i *Info) error {
		o.annotate(s, i)
		obj, err := i.create(w, i.Object)
		if err != nil {
			return err
		}
		count++
		i.Refresh(obj)
		return o.out.print(s, "replaced", o.dryRun, i.Object)
	})
	if err != nil {
		return err
	}
	if count == 0 {
		return errors.New("no objects passed to replace")
	}
	return nil
}
