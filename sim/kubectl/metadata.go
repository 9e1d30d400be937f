// kubectl label and kubectl annotate: small changes of an object's metadata.

package kubectl

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/validation"
	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func labelCommand() *Command {
	return &Command{
		Use:   "label [--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]",
		Short: "Update the labels on a resource",
		Long:  "Set labels (key=value) or remove them (key-). A label that is there already keeps its value unless --overwrite is given. A value has at most 63 characters.",
		Examples: `kubectl label pod web stage=test
kubectl label pod web stage=live --overwrite
kubectl label pods --all team=front
kubectl label pod web stage-`,
		New: func() Verb { return &metadataOptions{field: "labels", what: "label"} },
	}
}

func annotateCommand() *Command {
	return &Command{
		Use:   "annotate [--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]",
		Short: "Update the annotations on a resource",
		Long:  "Set annotations (key=value) or remove them (key-). Annotations hold any text, for tools and people. One that is there already keeps its value unless --overwrite is given.",
		Examples: `kubectl annotate pod web description='my front end'
kubectl annotate pod web description='our front end' --overwrite
kubectl annotate pod web description-`,
		New: func() Verb { return &metadataOptions{field: "annotations", what: "annotation"} },
	}
}

type metadataOptions struct {
	field, what      string
	files            FilenameOptions
	out              outputFlags
	record           recordFlag
	overwrite        bool
	list, local, all bool
	allNS            bool
	selector         string
	fieldSelector    string
	resourceVersion  string
	manager          string
	dryRunText       string
	dryRun           DryRun

	resources []string
	set       map[string]string
	remove    []string
}

func (o *metadataOptions) Flags(f *pflag.FlagSet) {
	o.record.flags(f)
	o.out.flags(f)
	f.BoolVar(&o.overwrite, "overwrite", false, "Change values that are there already")
	f.BoolVar(&o.list, "list", false, "Print the "+o.field+" of the objects")
	f.BoolVar(&o.local, "local", false, "Change the content of files only, without a server")
	fieldSelectorFlag(f, &o.fieldSelector)
	f.BoolVar(&o.all, "all", false, "Select all objects of the types, in the namespace")
	allNamespacesFlag(f, &o.allNS)
	f.StringVar(&o.resourceVersion, "resource-version", "", "Only change the object if it has this version")
	o.files.flags(f, "that names the objects")
	dryRunFlag(f, &o.dryRunText)
	verb := strings.TrimSuffix(o.what, "ion") + "e"
	if o.what == "label" {
		verb = "label"
	}
	fieldManagerFlag(f, &o.manager, "kubectl-"+verb)
	selectorFlag(f, &o.selector)
}

func (o *metadataOptions) Complete(s *Session, args []string) (err error) {
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	if err := o.out.check(s); err != nil {
		return err
	}
	var pairs []string
	if o.resources, pairs, err = resourcesAndPairs(args, o.what); err != nil {
		return err
	}
	if o.what == "label" {
		o.set, o.remove, err = parseLabelArgs(pairs)
	} else {
		o.set, o.remove, err = parsePairs(pairs, o.what, true)
	}
	return err
}

func parseLabelArgs(args []string) (map[string]string, []string, error) {
	set := map[string]string{}
	var remove []string
	for _, a := range args {
		switch parts := strings.Split(a, "="); {
		case len(parts) == 2:
			if errs := validation.IsValidLabelValue(parts[1]); len(errs) > 0 {
				return nil, nil, fmt.Errorf("invalid label value: %q: %s", a, strings.Join(errs, ";"))
			}
			set[parts[0]] = parts[1]
		case len(parts) > 2:
			return nil, nil, fmt.Errorf("invalid label spec: %v", a)
		case strings.HasSuffix(a, "-"):
			remove = append(remove, a[:len(a)-1])
		default:
			return nil, nil, fmt.Errorf("unknown label spec: %v", a)
		}
	}
	for _, r := range remove {
		if _, both := set[r]; both {
			return nil, nil, errors.New("can not both modify and remove a label in the same command")
		}
	}
	return set, remove, nil
}

func (o *metadataOptions) Validate() error {
	if o.list && o.out.Output != "" {
		return errors.New("--list and --output may not be specified together")
	}
	if o.all && o.selector != "" {
		return errors.New("cannot set --all and --selector at the same time")
	}
	if o.all && o.fieldSelector != "" {
		return errors.New("cannot set --all and --field-selector at the same time")
	}
	example := "pod"
	if o.what == "annotation" {
		example = "rsrc"
	}
	switch {
	case o.local && o.dryRun == DryRunServer:
		return errors.New("cannot specify --local and --dry-run=server - did you mean --dry-run=client?")
	case o.local && len(o.resources) > 0:
		return fmt.Errorf("can only use local files by -f %s.yaml or --filename=%s.json when --local=true is set", example, example)
	case o.local && o.files.Empty():
		return fmt.Errorf("one or more files must be specified as -f %s.yaml or --filename=%s.json", example, example)
	case !o.local && len(o.resources) == 0 && o.files.Empty():
		return errors.New("one or more resources must be specified as <resource> <name> or <resource>/<name>")
	}
	if len(o.set) == 0 && len(o.remove) == 0 && !o.list {
		return fmt.Errorf("at least one %s update is required", o.what)
	}
	if o.what == "annotation" {
		var both []string
		for _, r := range o.remove {
			if _, ok := o.set[r]; ok {
				both = append(both, r)
			}
		}
		if len(both) > 0 {
			return fmt.Errorf("can not both modify and remove the following annotation(s) in the same command: %s", strings.Join(both, ", "))
		}
	}
	return nil
}

// conflicts says which values would be overwritten.
func (o *metadataOptions) conflicts(have map[string]string) error {
	if o.overwrite {
		return nil
	}
	var errs []error
	var texts []string
	for _, k := range tree.Keys(o.set) {
		old, ok := have[k]
		if !ok || old == o.set[k] || o.what == "annotation" && k == changeCause {
			continue
		}
		errs = append(errs, fmt.Errorf("'%s' already has a value (%s), and --overwrite is false", k, old))
		texts = append(texts, fmt.Sprintf("'%s' already has a value (%s)", k, old))
	}
	if len(errs) > 0 && o.what == "annotation" {
		return fmt.Errorf("--overwrite is false but found the following declared annotation(s): %s", strings.Join(texts, "; "))
	}
	return NewAggregate(errs)
}

func (o *metadataOptions) Run(s *Session) error {
	b, err := s.objects(o.files, o.resources)
	if err != nil {
		return err
	}
	b.Local = o.local
	if !o.local {
		b.Selector, b.FieldSelector, b.AllNamespaces, b.TypeOnlyMeansAll, b.Latest = o.selector, o.fieldSelector, o.allNS, o.all, true
	}
	r := b.Do()
	if r.Err() != nil {
		return r.Err()
	}
	if !r.SingleItemImplied() && o.resourceVersion != "" {
		return errors.New("--resource-version may only be used with a single resource")
	}
	return r.Visit(func(i *Info) error {
		before := tree.Copy(i.Object)
		if o.resourceVersion != "" {
			tree.Delete(before, "metadata", "resourceVersion")
		}
		obj := tree.Copy(before)
		have := tree.Strings(obj, "metadata", o.field)
		remote := o.dryRun != DryRunClient && !o.local && !o.list
		if remote && o.what == "label" {
			for _, k := range o.remove {
				if _, ok := have[k]; !ok {
					s.Printf("label %q not found.\n", k)
				}
			}
		}
		if err := o.conflicts(have); err != nil {
			return err
		}
		added, removed := 0, 0
		for k, v := range o.set {
			if old, ok := have[k]; !ok || old != v {
				tree.Set(obj, v, "metadata", o.field, k)
				added++
			}
		}
		for _, k := range o.remove {
			if _, ok := have[k]; ok {
				tree.Delete(obj, "metadata", o.field, k)
				removed++
			}
		}
		if o.resourceVersion != "" {
			tree.Set(obj, o.resourceVersion, "metadata", "resourceVersion")
		}
		if remote && (added+removed > 0 || o.what == "annotation") {
			o.record.note(s, obj)
			answer, err := i.patch(writer{DryRun: o.dryRun, Manager: o.manager}, MergePatch, smerge.TwoWay(before, obj, nil))
			if err != nil {
				return err
			}
			if o.what == "annotation" {
				obj = answer
			}
		}
		if o.list {
			indent := ""
			if !r.SingleItemImplied() {
				indent = " "
				gvk := schemaGroupKind(obj)
				s.Printf("Listing %s for %s/%s:\n", o.field, gvk, i.Name)
			}
			values := tree.Strings(obj, "metadata", o.field)
			keys := tree.Keys(values)
			sort.Strings(keys)
			for _, k := range keys {
				s.Printf("%s%s=%s\n", indent, k, values[k])
			}
			return nil
		}
		operation := "annotated"
		if o.what == "label" {
			switch {
			case added > 0 && removed > 0:
				operation = "modified"
			case added > 0:
				operation = "labeled"
			case removed > 0:
				operation = "unlabeled"
			default:
				operation = "not labeled"
			}
		}
		return o.out.print(s, operation, o.dryRun, obj)
	})
}

// schemaGroupKind is "Kind.group", with its dot also for the core group.
func schemaGroupKind(obj tree.Map) string {
	group, _, ok := strings.Cut(tree.APIVersion(obj), "/")
	if !ok {
		group = ""
	}
	return tree.Kind(obj) + "." + group
}
