// kubectl set: image, resources, selector, serviceaccount and subject.

package kubectl

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func setCommand() *Command {
	return &Command{
		Use: "set SUBCOMMAND", New: needsSubcommand, Short: "Set specific features on objects",
		Long: "Change a part of objects that are there already.",
		Sub: []*Command{
			{Use: "env RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N", Short: "Update environment variables on a pod template",
				Long:     "Set environment variables (KEY=value), remove them (KEY-), import them from a config map or secret (--from), or list them (--list).",
				Examples: "kubectl set env deployment/web COLOUR=green\nkubectl set env deployment/web COLOUR-\nkubectl set env --from=configmap/settings deployment/web",
				New:      func() Verb { return &setEnv{} }},
			{Use: "image (-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N", Short: "Update the image of a pod template",
				Examples: "kubectl set image deployment/web nginx=nginx:1.27\nkubectl set image deployments,rc nginx=nginx:1.27 --all", New: func() Verb { return &setImage{} }},
			{Use: "resources (-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS]", Short: "Update resource requests/limits on objects with pod templates",
				Examples: "kubectl set resources deployment web --limits=cpu=200m,memory=512Mi --requests=cpu=100m", New: func() Verb { return &setResources{} }},
			{Use: "selector (-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version]", Short: "Set the selector on a resource",
				Examples: "kubectl set selector service web app=web", New: func() Verb { return &setSelector{} }},
			{Use: "serviceaccount (-f FILENAME | TYPE NAME) SERVICE_ACCOUNT", Aliases: []string{"sa"}, Short: "Update the service account of a resource",
				Examples: "kubectl set serviceaccount deployment web reader", New: func() Verb { return &setServiceAccount{} }},
			{Use: "subject (-f FILENAME | TYPE NAME) [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
				Short: "Update the user, group, or service account in a role binding or cluster role binding", New: func() Verb { return &setSubject{} }},
		},
	}
}

// setter is what the subcommands share.
type setter struct {
	out        outputFlags
	record     recordFlag
	files      FilenameOptions
	selector   string
	all, local bool
	dryRunText string
	manager    string
	dryRun     DryRun
	resources  []string
	infos      []*Info
}

func (o *setter) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	o.record.flags(f)
	o.files.flags(f, "that names the objects")
	f.BoolVar(&o.all, "all", false, "Select all objects of the types, in the namespace")
	f.BoolVar(&o.local, "local", false, "Change the content of files only, without a server")
	dryRunFlag(f, &o.dryRunText)
	fieldManagerFlag(f, &o.manager, "kubectl-set")
	selectorFlag(f, &o.selector)
}

func (o *setter) complete(s *Session) (err error) {
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	return o.out.check(s)
}

var errLocalServer = errors.New("cannot specify --local and --dry-run=server - did you mean --dry-run=client?")

func (o *setter) find(s *Session, args []string) ([]*Info, error) {
	b, err := s.objects(o.files, args)
	if err != nil {
		return nil, err
	}
	b.Local = o.local
	if !o.local {
		b.Selector, b.TypeOnlyMeansAll, b.Latest = o.selector, o.all, true
	}
	return b.Do().Infos()
}

func (o *setter) Validate() error { return nil }

// change edits each object's copy and sends the difference; what names it in
// the error of a failure.
func (o *setter) change(s *Session, infos []*Info, operation, what string, edit func(obj tree.Map) error) error {
	var errs []error
	for _, i := range infos {
		obj := tree.Copy(i.Object)
		if err := edit(obj); err != nil {
			if list, ok := err.(Aggregate); ok {
				errs = append(errs, list...)
			} else {
				errs = append(errs, fmt.Errorf("error: %s %v\n", i.ObjectName(), err))
				continue
			}
		}
		patch := smerge.TwoWay(i.Object, obj, schemaOf(obj))
		if len(patch) == 0 {
			continue
		}
		if o.record.record {
			o.record.note(s, obj)
			patch = smerge.TwoWay(i.Object, obj, schemaOf(obj))
		}
		if !o.local && o.dryRun != DryRunClient {
			answer, err := i.patch(writer{DryRun: o.dryRun, Manager: o.manager}, StrategicMergePatch, patch)
			if err != nil {
				errs = append(errs, fmt.Errorf("failed to patch %s %v", what, err))
				continue
			}
			obj = answer
		}
		var shown any = obj
		if typed, err := api.Decode(obj); err == nil {
			shown = typed
		}
		if err := o.out.print(s, operation, o.dryRun, shown); err != nil {
			errs = append(errs, err)
		}
	}
	return NewAggregate(errs)
}

// podSpec is the pod spec of an object that has one; it may be changed.
func podSpecFor(obj tree.Map) (tree.Map, error) {
	path := []string{"spec", "template", "spec"}
	switch tree.Kind(obj) {
	case "Pod":
		path = []string{"spec"}
	case "CronJob":
		path = []string{"spec", "jobTemplate", "spec", "template", "spec"}
	case "Deployment", "DaemonSet", "ReplicaSet", "StatefulSet", "ReplicationController", "Job":
	default:
		return nil, fmt.Errorf("the object is not a pod or does not have a pod template: *v1.%s", tree.Kind(obj))
	}
	spec := tree.Sub(obj, path...)
	if spec == nil {
		return nil, errors.New("the object has no pod template")
	}
	return spec, nil
}

type setImage struct {
	setter
	images map[string]string
}

func (o *setImage) Complete(s *Session, args []string) (err error) {
	if err = o.complete(s); err != nil {
		return err
	}
	var pairs []string
	if o.resources, pairs, err = resourcesAndPairs(args, "image"); err != nil {
		return err
	}
	if o.images, _, err = parsePairs(pairs, "image", false); err != nil {
		return err
	}
	o.infos, err = o.find(s, o.resources)
	return err
}

func (o *setImage) Validate() error {
	var errs []error
	switch {
	case o.all && o.selector != "":
		errs = append(errs, errors.New("cannot set --all and --selector at the same time"))
	case len(o.resources) == 0 && o.files.Empty():
		errs = append(errs, errors.New("one or more resources must be specified as <resource> <name> or <resource>/<name>"))
	}
	if len(o.images) == 0 {
		errs = append(errs, errors.New("at least one image update is required"))
	} else if _, every := o.images["*"]; every && len(o.images) > 1 {
		errs = append(errs, errors.New("all containers are already specified by *, but saw more than one container_name=container_image pairs"))
	}
	if o.local && o.dryRun == DryRunServer {
		errs = append(errs, errLocalServer)
	}
	return NewAggregate(errs)
}

func (o *setImage) Run(s *Session) error {
	return o.change(s, o.infos, "image updated", "image update to pod template:", func(obj tree.Map) error {
		spec, err := podSpecFor(obj)
		if err != nil {
			return err
		}
		var errs []error
		for _, name := range tree.Keys(o.images) {
			found := false
			for _, list := range []string{"initContainers", "containers"} {
				for _, c := range tree.Maps(spec, list) {
					if name == "*" || tree.String(c, "name") == name {
						c["image"] = o.images[name]
						found = true
					}
				}
			}
			if !found {
				errs = append(errs, fmt.Errorf("error: unable to find container named %q", name))
			}
		}
		return NewAggregate(errs)
	})
}

type setResources struct {
	setter
	containers       string
	limits, requests string
}

func (o *setResources) Flags(f *pflag.FlagSet) {
	o.setter.Flags(f)
	f.StringVarP(&o.containers, "containers", "c", "*", "Names of the containers to change; may hold wildcards")
	f.StringVar(&o.limits, "limits", "", "Limits, such as cpu=200m,memory=512Mi")
	f.StringVar(&o.requests, "requests", "", "Requests, such as cpu=100m,memory=256Mi")
}

func (o *setResources) Complete(s *Session, args []string) (err error) {
	o.resources = args
	if err = o.complete(s); err != nil {
		return err
	}
	o.infos, err = o.find(s, args)
	return err
}

func (o *setResources) Validate() error {
	if o.local && o.dryRun == DryRunServer {
		return errLocalServer
	}
	if o.all && o.selector != "" {
		return errors.New("cannot set --all and --selector at the same time")
	}
	if o.limits == "" && o.requests == "" {
		return errors.New("you must specify an update to requests or limits (in the form of --requests/--limits)")
	}
	for _, text := range []string{o.limits, o.requests} {
		if _, err := resourceList(text); err != nil {
			return err
		}
	}
	return nil
}

func (o *setResources) Run(s *Session) error {
	return o.change(s, o.infos, "resource requirements updated", "resources update to pod template", func(obj tree.Map) error {
		spec, err := podSpecFor(obj)
		if err != nil {
			return err
		}
		found := false
		for _, list := range []string{"initContainers", "containers"} {
			for _, c := range tree.Maps(spec, list) {
				if ok, _ := path.Match(o.containers, tree.String(c, "name")); !ok {
					continue
				}
				found = true
				for kind, text := range map[string]string{"limits": o.limits, "requests": o.requests} {
					quantities, err := resourceList(text)
					if err != nil {
						return err
					}
					for name, q := range quantities {
						tree.Set(c, q.String(), "resources", kind, string(name))
					}
				}
			}
		}
		if !found {
			return Aggregate{fmt.Errorf("error: unable to find container named %s", o.containers)}
		}
		return nil
	})
}

type setSelector struct {
	setter
	resourceVersion string
	expression      string
}

func (o *setSelector) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	o.record.flags(f)
	f.StringSliceVarP(&o.files.Filenames, "filename", "f", nil, "Manifest, directory or URL that names the objects")
	f.BoolVarP(&o.files.Recursive, "recursive", "R", true, "Look into the directories of -f as well")
	f.BoolVar(&o.all, "all", false, "Select all objects of the types, in the namespace")
	f.BoolVar(&o.local, "local", false, "Change the content of files only, without a server")
	dryRunFlag(f, &o.dryRunText)
	fieldManagerFlag(f, &o.manager, "kubectl-set")
	f.StringVar(&o.resourceVersion, "resource-version", "", "Only change the object if it has this version")
}

func (o *setSelector) Complete(s *Session, args []string) error {
	n := len(args)
	if n > 0 && strings.ContainsAny(args[n-1], "=") {
		o.expression, args = args[n-1], args[:n-1]
	} else if n > 0 {
		if _, err := metav1.ParseToLabelSelector(args[n-1]); err == nil && n > 1 && !strings.Contains(args[n-1], "/") {
			o.expression, args = args[n-1], args[:n-1]
		}
	}
	o.resources = args
	return o.complete(s)
}

func (o *setSelector) Validate() error {
	if o.expression == "" {
		return errors.New("one selector is required")
	}
	return nil
}

func (o *setSelector) Run(s *Session) error {
	selector, err := metav1.ParseToLabelSelector(o.expression)
	if err != nil {
		return err
	}
	infos, err := o.find(s, o.resources)
	if err != nil {
		return err
	}
	for _, i := range infos {
		obj := tree.Copy(i.Object)
		if o.resourceVersion != "" {
			tree.Set(obj, o.resourceVersion, "metadata", "resourceVersion")
		}
		if tree.Kind(obj) != "Service" {
			return errors.New("setting a selector is only supported for Services")
		}
		if len(selector.MatchExpressions) > 0 {
			return fmt.Errorf("match expression %v not supported on this object", selector.MatchExpressions)
		}
		labels := tree.Map{}
		for k, v := range selector.MatchLabels {
			labels[k] = v
		}
		tree.Set(obj, labels, "spec", "selector")
		o.record.note(s, obj)
		if !o.local && o.dryRun != DryRunClient {
			before := tree.Copy(i.Object)
			if o.resourceVersion != "" {
				tree.Delete(before, "metadata", "resourceVersion")
			}
			if obj, err = i.patch(writer{DryRun: o.dryRun, Manager: o.manager}, StrategicMergePatch, smerge.TwoWay(before, obj, schemaOf(obj))); err != nil {
				return err
			}
		}
		if err := o.out.print(s, "selector updated", o.dryRun, obj); err != nil {
			return err
		}
	}
	return nil
}

type setServiceAccount struct {
	setter
	account string
}

func (o *setServiceAccount) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	o.record.flags(f)
	o.files.flags(f, "that names the objects")
	f.BoolVar(&o.all, "all", false, "Select all objects of the types, in the namespace")
	f.BoolVar(&o.local, "local", false, "Change the content of files only, without a server")
	dryRunFlag(f, &o.dryRunText)
	fieldManagerFlag(f, &o.manager, "kubectl-set")
}

func (o *setServiceAccount) Complete(s *Session, args []string) (err error) {
	if err = o.complete(s); err != nil {
		return err
	}
	if o.local && o.dryRun == DryRunServer {
		return errLocalServer
	}
	if len(args) == 0 {
		return errors.New("serviceaccount is required")
	}
	o.account, o.resources = args[len(args)-1], args[:len(args)-1]
	o.infos, err = o.find(s, o.resources)
	return err
}

func (o *setServiceAccount) Run(s *Session) error {
	return o.change(s, o.infos, "serviceaccount updated", "ServiceAccountName", func(obj tree.Map) error {
		spec, err := podSpecFor(obj)
		if err == nil {
			spec["serviceAccountName"] = o.account
		}
		return err
	})
}

type setSubject struct {
	setter
	bindingFlags
}

func (o *setSubject) Flags(f *pflag.FlagSet) {
	o.setter.Flags(f)
	f.StringArrayVar(&o.users, "user", nil, "User to add; may be repeated")
	f.StringArrayVar(&o.groups, "group", nil, "Group to add; may be repeated")
	f.StringArrayVar(&o.accounts, "serviceaccount", nil, "Service account to add, <namespace>:<name>; may be repeated")
}

func (o *setSubject) Complete(s *Session, args []string) (err error) {
	if err = o.complete(s); err != nil {
		return err
	}
	o.infos, err = o.find(s, args)
	return err
}

func (o *setSubject) Validate() error {
	switch {
	case o.local && o.dryRun == DryRunServer:
		return errLocalServer
	case o.all && o.selector != "":
		return errors.New("cannot set --all and --selector at the same time")
	case len(o.users)+len(o.groups)+len(o.accounts) == 0:
		return errors.New("you must specify at least one value of user, group or serviceaccount")
	}
	_, err := o.subjects()
	return err
}

func (o *setSubject) Run(s *Session) error {
	return o.change(s, o.infos, "subjects updated", "subjects to rolebinding:", func(obj tree.Map) error {
		if k := tree.Kind(obj); k != "RoleBinding" && k != "ClusterRoleBinding" {
			return errors.New("setting subjects is only supported for RoleBinding/ClusterRoleBinding")
		}
		subjects, err := o.subjects()
		if err != nil {
			return err
		}
		list := tree.Slice(obj, "subjects")
		for _, sub := range subjects {
			m := tree.Map{"kind": sub.Kind, "name": sub.Name}
			if sub.APIGroup != "" {
				m["apiGroup"] = sub.APIGroup
			}
			if sub.Namespace != "" {
				m["namespace"] = sub.Namespace
			}
			known := false
			for _, have := range list {
				known = known || smerge.Equal(have, m)
			}
			if !known {
				list = append(list, m)
			}
		}
		obj["subjects"] = list
		return nil
	})
}
