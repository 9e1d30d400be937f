// kubectl scale: the scale subresource of deployments, replica sets and their like.

package kubectl

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func scaleCommand() *Command {
	return &Command{
		Use:   "scale [--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME)",
		Short: "Set a new size for a deployment, replica set, or replication controller",
		Long:  "Set how many pods a deployment, replica set, replication controller or stateful set shall have.\n\nWith --current-replicas or --resource-version the size only changes if the object is as expected.",
		Examples: `kubectl scale deployment/web --replicas=3
kubectl scale rs web api --replicas=2
kubectl scale --replicas=5 -f web.yaml
kubectl scale deployment web --current-replicas=2 --replicas=3`,
		New: func() Verb { return &scaleOptions{} },
	}
}

type scaleOptions struct {
	files           FilenameOptions
	out             outputFlags
	record          recordFlag
	selector        string
	all             bool
	resourceVersion string
	current         int
	replicas        int
	timeout         time.Duration
	dryRunText      string
	dryRun          DryRun
	args            []string
}

func (o *scaleOptions) Flags(f *pflag.FlagSet) {
	o.record.flags(f)
	o.out.flags(f)
	f.BoolVar(&o.all, "all", false, "Select all objects of the types, in the namespace")
	f.StringVar(&o.resourceVersion, "resource-version", "", "Only scale the object if it has this version")
	f.IntVar(&o.current, "current-replicas", -1, "Only scale the object if it has this size; -1 is any")
	f.IntVar(&o.replicas, "replicas", 0, "The new size. Required.")
	markRequired(f, "replicas")
	f.DurationVar(&o.timeout, "timeout", 0, "How long to wait until the new size is reached; 0 does not wait")
	o.files.flags(f, "that names the objects to scale")
	dryRunFlag(f, &o.dryRunText)
	selectorFlag(f, &o.selector)
}

func (o *scaleOptions) Complete(s *Session, args []string) (err error) {
	o.args = args
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	return o.out.check(s)
}

func (o *scaleOptions) Validate() error {
	if o.replicas < 0 {
		return errors.New("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
	}
	if o.current < -1 {
		return errors.New("The --current-replicas must specify an integer of -1 or greater")
	}
	return nil
}

func (o *scaleOptions) Run(s *Session) error {
	b, err := s.objects(o.files, o.args)
	if err != nil {
		return err
	}
	b.Selector, b.TypeOnlyMeansAll = o.selector, o.all
	r := b.Do()
	if r.Err() != nil {
		return r.Err()
	}
	infos, infoErr := r.Infos()
	if o.resourceVersion != "" && len(infos) > 1 {
		return errors.New("cannot use --resource-version with multiple resources")
	}
	if len(infos) == 0 {
		if infoErr != nil {
			return infoErr
		}
		return errors.New("no objects passed to scale")
	}
	for _, i := range infos {
		size := int64(o.replicas)
		if o.dryRun != DryRunClient {
			if size, err = o.scale(s, i); err != nil {
				return err
			}
		}
		if i.Mapping.Group == "" || i.Mapping.Group == "apps" {
			i.Object = tree.Copy(i.Object)
			tree.Set(i.Object, size, "spec", "replicas")
		}
		if o.record.record && o.dryRun == DryRunNone {
			before := tree.Copy(i.Object)
			o.record.note(s, i.Object)
			_, _ = i.patch(writer{}, MergePatch, smerge.TwoWay(before, i.Object, nil))
		}
		if err := o.out.print(s, "scaled", o.dryRun, i.Object); err != nil {
			return err
		}
	}
	return infoErr
}

func (o *scaleOptions) scale(s *Session, i *Info) (int64, error) {
	sub := *i
	sub.Subresource = "scale"
	w := writer{DryRun: o.dryRun}
	var answer tree.Map
	var err error
	if o.current == -1 && o.resourceVersion == "" {
		answer, err = sub.patch(w, MergePatch, tree.Map{"spec": tree.Map{"replicas": int64(o.replicas)}})
	} else {
		var scale tree.Map
		if scale, err = i.client.Get(i.Mapping, i.Namespace, i.Name, "scale"); err != nil {
			return 0, err
		}
		if n, _ := tree.Int(scale, "spec", "replicas"); o.current != -1 && n != int64(o.current) {
			return 0, fmt.Errorf("Expected replicas to be %d, was %d", o.current, n)
		}
		if v := tree.String(scale, "metadata", "resourceVersion"); o.resourceVersion != "" && v != o.resourceVersion {
			return 0, fmt.Errorf("Expected resource version to be %s, was %s", o.resourceVersion, v)
		}
		scale = tree.Copy(scale)
		tree.Set(scale, int64(o.replicas), "spec", "replicas")
		answer, err = i.client.Send("PUT", i.Mapping, i.Namespace, i.Name, "scale", w.query(), scale)
	}
	if err != nil {
		return 0, err
	}
	size, _ := tree.Int(answer, "spec", "replicas")
	if o.timeout == 0 || o.dryRun != DryRunNone {
		return size, nil
	}
	deadline := s.Now().Add(o.timeout)
	for {
		scale, err := i.client.Get(i.Mapping, i.Namespace, i.Name, "scale")
		if err != nil {
			return size, err
		}
		want, _ := tree.Int(scale, "spec", "replicas")
		have, _ := tree.Int(scale, "status", "replicas")
		if want == have {
			return size, nil
		}
		if !s.Now().Before(deadline) {
			return size, fmt.Errorf("timed out waiting for %q to be synced", i.Name)
		}
		if err := s.Proc.Sleep(time.Second); err != nil {
			return size, err
		}
	}
}
