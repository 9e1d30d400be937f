// kubectl patch: strategic merge, JSON merge and JSON patches.

package kubectl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func patchCommand() *Command {
	return &Command{
		Use:   "patch (-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE]",
		Short: "Update fields of a resource",
		Long:  "Change fields of an object with a strategic merge patch, a JSON merge patch or a JSON patch, written in JSON or YAML. Custom resources know no strategic merge patch.",
		Examples: `kubectl patch node worker -p '{"spec":{"unschedulable":true}}'
kubectl patch deployment web --type=merge -p '{"spec":{"replicas":2}}'
kubectl patch pod web --type=json -p '[{"op":"replace","path":"/metadata/labels/a","value":"b"}]'
kubectl patch deployment web --subresource=scale --type=merge -p '{"spec":{"replicas":2}}'`,
		New: func() Verb { return &patchOptions{} },
	}
}

type patchOptions struct {
	files       FilenameOptions
	out         outputFlags
	record      recordFlag
	patch, file string
	kind        string
	local       bool
	manager     string
	subresource string
	dryRunText  string
	dryRun      DryRun
	args        []string
}

func (o *patchOptions) Flags(f *pflag.FlagSet) {
	o.record.flags(f)
	o.out.flags(f)
	f.StringVarP(&o.patch, "patch", "p", "", "The patch")
	f.StringVar(&o.file, "patch-file", "", "File with the patch")
	f.StringVar(&o.kind, "type", "strategic", "Kind of patch; one of [json merge strategic]")
	dryRunFlag(f, &o.dryRunText)
	o.files.flags(f, "that names the objects to patch")
	f.BoolVar(&o.local, "local", false, "Patch the content of files only, without a server")
	fieldManagerFlag(f, &o.manager, "kubectl-patch")
	subresourceFlag(f, &o.subresource, "Patch this subresource of the object")
}

func (o *patchOptions) Complete(s *Session, args []string) (err error) {
	o.args = args
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	return o.out.check(s)
}

var patchTypes = map[string]string{"json": JSONPatch, "merge": MergePatch, "strategic": StrategicMergePatch}

func (o *patchOptions) Validate() error {
	switch {
	case o.patch != "" && o.file != "":
		return errors.New("cannot specify --patch and --patch-file together")
	case o.patch == "" && o.file == "":
		return errors.New("must specify --patch or --patch-file containing the contents of the patch")
	case o.local && len(o.args) > 0:
		return errors.New("cannot specify --local and server resources")
	case o.local && o.dryRun == DryRunServer:
		return errors.New("cannot specify --local and --dry-run=server - did you mean --dry-run=client?")
	}
	if o.kind != "" && patchTypes[strings.ToLower(o.kind)] == "" {
		return fmt.Errorf("--type must be one of [json merge strategic], not %q", o.kind)
	}
	return nil
}

func (o *patchOptions) Run(s *Session) error {
	media := StrategicMergePatch
	if o.kind != "" {
		media = patchTypes[strings.ToLower(o.kind)]
	}
	text := []byte(o.patch)
	if o.file != "" {
		var err error
		if text, err = s.FS.ReadFile(s.Path(o.file)); err != nil {
			return fmt.Errorf("unable to read patch file: %v", openError(o.file, err))
		}
	}
	data := text
	if !strings.HasPrefix(strings.TrimLeft(string(text), " \t\r\n"), "{") { // else it is JSON already
		var err error
		if data, err = yaml.YAMLToJSON(text); err != nil {
			return fmt.Errorf("unable to parse %q: %v", o.patch, err)
		}
	}
	b, err := s.objects(o.files, o.args)
	if err != nil {
		return err
	}
	b.Local, b.Subresource = o.local, o.subresource
	count := 0
	err = b.Do().Visit(func(i *Info) error {
		count++
		before := i.Object
		var after tree.Map
		if o.local || o.dryRun == DryRunClient {
			if after, err = patchLocally(before, media, data); err != nil {
				return err
			}
		} else {
			after, err = i.patch(writer{DryRun: o.dryRun, Manager: o.manager}, media, data)
			if err != nil {
				if apierrors.IsUnsupportedMediaType(err) {
					return fmt.Errorf("%s is not supported by %s: %w", media, gvkText(i.Mapping.GVK()), err)
				}
				return err
			}
			if o.record.record && tree.Strings(after, "metadata", "annotations")[changeCause] != s.commandLine() {
				noted := tree.Copy(after)
				o.record.note(s, noted)
				if recorded, err := i.patch(writer{DryRun: o.dryRun, Manager: o.manager}, MergePatch, smerge.TwoWay(after, noted, nil)); err == nil {
					after = recorded
				}
			}
		}
		operation := "patched"
		if smerge.Equal(before, after) {
			operation = "patched (no change)"
		}
		return o.out.print(s, operation, DryRunNone, after) // the real one does not say "dry run" here
	})
	if err != nil {
		return err
	}
	if count == 0 {
		return errors.New("no objects passed to patch")
	}
	return nil
}

// gvkText prints as upstream's %s: "example.com/v1, Kind=Bonsai".
func gvkText(gvk metav1.GroupVersionKind) string {
	return fmt.Sprintf("%s/%s, Kind=%s", gvk.Group, gvk.Version, gvk.Kind)
}

func patchLocally(obj tree.Map, media string, data []byte) (tree.Map, error) {
	v, err := metav1.DecodeTree(data)
	if err != nil {
		return nil, map[string]error{JSONPatch: err, MergePatch: errors.New("Invalid JSON Patch"), StrategicMergePatch: errors.New("invalid JSON document")}[media]
	}
	m, isMap := v.(tree.Map)
	ops, isList := v.([]any)
	switch media {
	case JSONPatch:
		if !isList {
			return nil, fmt.Errorf("json: cannot unmarshal %s into Go value of type jsonpatch.Patch", jsonType(v))
		}
		return smerge.JSONPatch(obj, ops)
	case MergePatch:
		if !isMap {
			return nil, errors.New("Invalid JSON Patch")
		}
		return smerge.Merge(obj, m), nil
	}
	t := schemaOf(obj)
	if t == nil {
		gvk := metav1.FromAPIVersionAndKind(tree.APIVersion(obj), tree.Kind(obj))
		return nil, fmt.Errorf("strategic merge patch is not supported for %s locally, try --type merge", gvkText(gvk))
	}
	if !isMap {
		return nil, errors.New("invalid JSON document")
	}
	return smerge.Strategic(obj, m, t)
}
