// kubectl apply: makes the cluster like the manifests, by a three-way merge of
// what was applied last, what the manifest says and what is there, or by
// server-side apply. Pruning is here; the commands for the last-applied
// annotation are in apply_last.go.

package kubectl

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func applyCommand() *Command {
	return &Command{
		Use:   "apply (-f FILENAME | -k DIRECTORY)",
		Short: "Apply a configuration to a resource by file name or stdin",
		Long:  "Make the cluster's objects as manifests describe them: what is missing is created, what differs is changed, and fields that an earlier apply set and the manifest no longer names are removed. Other fields are left alone.\n\nManifests are JSON or YAML.",
		Examples: `kubectl apply -f ./web.yaml
kubectl apply -k ./overlay
cat web.yaml | kubectl apply -f -
kubectl apply -f ./web.yaml --dry-run=server
kubectl apply -f ./web.yaml --server-side`,
		New: func() Verb { return &applyOptions{del: deleteOptions{grace: -1}} },
		Sub: []*Command{applyEditLastCommand(), applySetLastCommand(), applyViewLastCommand()},
	}
}

type applyOptions struct {
	del            deleteOptions // -f, -k, -R, --force, --cascade, --grace-period, --timeout
	out            outputFlags
	record         recordFlag
	validate       string
	dryRunText     string
	serverSide     bool
	forceConflicts bool
	manager        string
	selector       string
	prune, all     bool
	allowlist      []string
	overwrite      bool
	openAPIPatch   bool
	subresource    string

	dryRun     DryRun
	seenUIDs   map[string]bool
	namespaces map[string]bool
	pruned     []*Mapping
}

const (
	clientSideManager  = "kubectl-client-side-apply"
	serverSideManager  = "kubectl"
	lastAppliedManager = "kubectl-last-applied"
)

func (o *applyOptions) Flags(f *pflag.FlagSet) {
	o.del.sharedFlags(f)
	o.record.flags(f)
	o.out.flags(f)
	validateFlag(f, &o.validate)
	dryRunFlag(f, &o.dryRunText)
	f.BoolVar(&o.serverSide, "server-side", false, "Let the server merge")
	f.BoolVar(&o.forceConflicts, "force-conflicts", false, "Take over fields that others manage; with --server-side")
	fieldManagerFlag(f, &o.manager, clientSideManager)
	selectorFlag(f, &o.selector)
	f.StringArrayVar(&o.allowlist, "prune-allowlist", nil, "Kinds to prune, <group/version/kind>, instead of the usual ones")
	f.BoolVar(&o.all, "all", false, "Select all objects, when pruning")
	f.BoolVar(&o.prune, "prune", false, "Delete objects that an earlier apply made and the manifests no longer have; with -l or --all")
	f.BoolVar(&o.overwrite, "overwrite", true, "Prefer the manifest where somebody else changed a field")
	f.BoolVar(&o.openAPIPatch, "openapi-patch", true, "Compute the difference from the server's schemas")
	subresourceFlag(f, &o.subresource, "Apply to this subresource; with --server-side")
}

func (o *applyOptions) Complete(s *Session, args []string) (err error) {
	if len(args) > 0 {
		return s.UsageErrorf("Unexpected args: %v", args)
	}
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	if o.serverSide && !s.Changed("field-manager") {
		o.manager = serverSideManager
	}
	if err := o.del.prepare(s); err != nil {
		return err
	}
	if err := o.del.files.Require(); err != nil {
		return err
	}
	if o.validate, err = validationDirective(o.validate); err != nil {
		return err
	}
	if err := o.out.check(s); err != nil {
		return err
	}
	if o.prune {
		o.pruned, err = s.prunedKinds(o.allowlist)
	}
	return err
}

func (o *applyOptions) Validate() error {
	switch {
	case o.forceConflicts && !o.serverSide:
		return errors.New("--force-conflicts only works with --server-side")
	case o.dryRun == DryRunClient && o.serverSide:
		return errors.New("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)")
	case o.serverSide && o.del.force:
		return errors.New("--force cannot be used with --server-side")
	case o.dryRun == DryRunServer && o.del.force:
		return errors.New("--dry-run=server cannot be used with --force")
	case o.all && o.selector != "":
		return errors.New("cannot set --all and --selector at the same time")
	case o.prune && o.del.force:
		return errors.New("--force cannot be used with --prune")
	case o.prune && !o.all && o.selector == "":
		return errors.New("all resources selected for prune without explicitly passing --all. To prune all resources, pass the --all flag. If you did not mean to prune all resources, specify a label selector")
	case o.prune && o.serverSide:
		return errors.New("--prune is in alpha and doesn't currently work on objects created by server-side apply")
	case o.subresource != "" && !o.serverSide:
		return errors.New("--subresource can only be specified for --server-side")
	}
	return nil
}

func (o *applyOptions) Run(s *Session) error {
	b, err := s.objects(o.del.files, nil)
	if err != nil {
		return err
	}
	b.Selector, b.Validate = o.selector, validator(o.validate)
	o.seenUIDs, o.namespaces = map[string]bool{}, map[string]bool{}
	if b.EnforceNamespace {
		o.namespaces[b.Namespace] = true
	}
	var errs []error
	infos, err := b.Do().Infos()
	if err != nil {
		errs = append(errs, err)
	}
	if len(infos) == 0 && err == nil {
		return errors.New("no objects passed to apply")
	}
	for _, i := range infos {
		if err := o.one(s, i); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	if len(errs) > 1 {
		return NewAggregate(errs)
	}
	if o.out.structured() {
		var obj any = infos[0].Object
		if len(infos) > 1 {
			items := make([]any, len(infos))
			for n, i := range infos {
				items[n] = i.Object
			}
			obj = printer.NewList(items)
		}
		if err := o.out.print(s, "", o.dryRun, obj); err != nil {
			return err
		}
	}
	if o.prune {
		return s.unnamed(o.pruned, o.namespaces, o.seenUIDs, o.selector, func(c *Client, m *Mapping, obj tree.Map) error {
			return o.pruneOne(s, c, m, obj)
		})
	}
	return nil
}

// structured reports whether the object itself is asked for.
func (o *outputFlags) structured() bool {
	return o.Output != "" && o.Output != "name"
}

func (o *applyOptions) done(s *Session, i *Info, operation string) error {
	o.seenUIDs[tree.String(i.Object, "metadata", "uid")] = true
	if o.out.structured() {
		return nil
	}
	return o.out.print(s, operation, o.dryRun, i.Object)
}

// describe is an Info in the words of apply's errors.
func (i *Info) describe() string {
	m := i.Mapping
	return fmt.Sprintf("Resource: %q, GroupVersionKind: %q\nName: %q, Namespace: %q", gvrText(m), gvkText(m.GVK()), i.Name, i.Namespace)
}

func warnDeleting(s *Session, obj tree.Map) {
	if tree.String(obj, "metadata", "deletionTimestamp") != "" {
		s.Errorf("Warning: Detected changes to resource %s which is currently being deleted.\n", tree.Name(obj))
	}
}

// one applies one object.
func (o *applyOptions) one(s *Session, i *Info) error {
	if i.Namespaced() {
		o.namespaces[i.Namespace] = true
	}
	o.record.note(s, i.Object)
	if g := tree.String(i.Object, "metadata", "generateName"); i.Name == "" && g != "" {
		return fmt.Errorf("from %s: cannot use generate name with apply", g)
	}
	w := writer{DryRun: o.dryRun, Manager: o.manager, Validation: o.validate, Force: o.forceConflicts}
	if o.serverSide {
		return o.onServer(s, i, w)
	}
	manifest := tree.Copy(i.Object)
	setLastApplied(manifest)
	if err := i.Get(); err != nil {
		if !apierrors.IsNotFound(err) {
			return AddSource(fmt.Sprintf("retrieving current configuration of:\n%s\nfrom server for:", i.describe()), i.Source, err)
		}
		obj := tree.Copy(manifest)
		pruneNulls(obj)
		i.Object = obj
		if o.dryRun != DryRunClient {
			created, err := i.create(w, obj)
			if err != nil {
				return AddSource("creating", i.Source, err)
			}
			i.Refresh(created)
		}
		return o.done(s, i, "created")
	}
	if _, ok := tree.Strings(i.Object, "metadata", "annotations")[lastApplied]; !ok {
		s.Errorf("Warning: resource %[1]s is missing the %[2]s annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.\n",
			i.ObjectName(), lastApplied)
	}
	patch, obj, err := o.patch(s, i, manifest, w)
	if err != nil {
		data, _ := json.Marshal(patch)
		return AddSource(fmt.Sprintf("applying patch:\n%s\nto:\n%v\nfor:", data, i.describe()), i.Source, err)
	}
	i.Refresh(obj)
	warnDeleting(s, i.Object)
	if len(patch) == 0 {
		return o.done(s, i, "unchanged")
	}
	return o.done(s, i, "configured")
}

func pruneNulls(v any) {
	switch x := v.(type) {
	case tree.Map:
		for k, e := range x {
			if e == nil {
				delete(x, k)
			} else {
				pruneNulls(e)
			}
		}
	case []any:
		for _, e := range x {
			pruneNulls(e)
		}
	}
}

// applyPatch is the three-way difference between the last manifest, the new one and the object.
func applyPatch(i *Info, current, manifest tree.Map) (tree.Map, string, error) {
	original, _, err := originalConfiguration(current)
	if err != nil {
		return nil, "", fmt.Errorf("retrieving original configuration from:\n%v\nfor: %w", current, err)
	}
	t := i.Mapping.schemaType()
	patch := smerge.ThreeWay(original, manifest, current, t)
	if t != nil {
		return patch, StrategicMergePatch, nil
	}
	if _, changed := patch["apiVersion"]; changed || patch["kind"] != nil || tree.Get(patch, "metadata", "name") != nil {
		return nil, "", errors.New("At least one of apiVersion, kind and name was changed")
	}
	return patch, MergePatch, nil
}

// patch changes the object that Info holds; an empty patch changes nothing.
func (o *applyOptions) patch(s *Session, i *Info, manifest tree.Map, w writer) (patch, obj tree.Map, err error) {
	for try := 0; ; try++ {
		var media string
		if patch, media, err = applyPatch(i, i.Object, manifest); err != nil {
			return nil, nil, err
		}
		if len(patch) == 0 {
			return patch, i.Object, nil
		}
		if o.dryRun == DryRunClient {
			obj, err = smerge.Strategic(i.Object, patch, i.Mapping.schemaType())
			return patch, obj, err
		}
		obj, err = i.patch(w, media, patch)
		if err == nil {
			return patch, obj, nil
		}
		if !apierrors.IsConflict(err) || try >= 5 {
			break
		}
		if err := i.Get(); err != nil {
			return nil, nil, err
		}
	}
	if (apierrors.IsConflict(err) || apierrors.IsInvalid(err)) && o.del.force {
		obj, err = o.recreate(s, i, manifest, w)
		return manifest, obj, err
	}
	return patch, nil, AddSource("patching", i.Source, err)
}

// recreate deletes the object and makes it anew (--force).
func (o *applyOptions) recreate(s *Session, i *Info, manifest tree.Map, w writer) (tree.Map, error) {
	before := tree.Copy(i.Object)
	body := tree.Map{"propagationPolicy": o.del.propagation}
	if o.del.grace >= 0 {
		body["gracePeriodSeconds"] = int64(o.del.grace)
	}
	if _, err := i.client.Delete(i.Mapping, i.Namespace, i.Name, body); err != nil {
		return nil, err
	}
	timeout := o.del.timeout
	if timeout == 0 {
		timeout = 168 * time.Hour
	}
	if err := i.client.untilGone(i.Mapping, i.Namespace, i.Name, "", timeout); err != nil {
		return nil, errTimedOut
	}
	obj, err := i.create(w, manifest)
	if err != nil {
		restored, rerr := i.create(w, before)
		if rerr != nil {
			return nil, fmt.Errorf("An error occurred force-replacing the existing object with the newly provided one:\n\n%v.\n\nAdditionally, an error occurred attempting to restore the original object:\n\n%v", err, rerr)
		}
		return restored, err
	}
	return obj, nil
}

const conflictAdvice = `Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the ` + "`--force-conflicts`" + ` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts`

// onServer sends the manifest as an apply patch.
func (o *applyOptions) onServer(s *Session, i *Info, w writer) error {
	i.Subresource = o.subresource
	manifest := i.Object
	obj, err := i.patch(w, ApplyPatch, manifest)
	if err != nil {
		if apierrors.IsConflict(err) {
			return fmt.Errorf("%v\n%s", err, conflictAdvice)
		}
		if apierrors.IsUnsupportedMediaType(err) {
			return fmt.Errorf("Server-side apply not available on the server: (%v)", err)
		}
		return err
	}
	i.Refresh(obj)
	if o.subresource == "" && o.dryRun == DryRunNone {
		o.migrate(s, i, w, manifest)
	}
	warnDeleting(s, i.Object)
	return o.done(s, i, "serverside-applied")
}

// migrate hands the fields that client-side apply owned to server-side apply,
// and keeps the last-applied annotation alive beside it.
func (o *applyOptions) migrate(s *Session, i *Info, w writer, manifest tree.Map) {
	last, has := tree.Strings(i.Object, "metadata", "annotations")[lastApplied]
	if has && o.manager == serverSideManager && len(annotationOwners(i.Object, "Apply")) == 0 {
		keep := tree.Map{"apiVersion": i.Mapping.APIVersion(), "kind": i.Mapping.Kind,
			"metadata": tree.Map{"name": i.Name, "annotations": tree.Map{lastApplied: last}}}
		if i.Namespace != "" {
			tree.Set(keep, i.Namespace, "metadata", "namespace")
		}
		obj, err := i.patch(writer{DryRun: w.DryRun, Manager: lastAppliedManager, Validation: w.Validation}, ApplyPatch, keep)
		if err != nil {
			s.Errorf("Warning: failed to migrate kubectl.kubernetes.io/last-applied-configuration for Server-Side Apply. This is non-fatal and will be retried next time you apply. Error: %s\n", err)
			return
		}
		i.Refresh(obj)
	}
	owners := annotationOwners(i.Object, "Update")
	if len(owners) == 0 {
		return
	}
	fields := adoptFields(i.Object, owners, o.manager)
	ops := []any{
		tree.Map{"op": "replace", "path": "/metadata/managedFields", "value": fields},
		tree.Map{"op": "replace", "path": "/metadata/resourceVersion", "value": tree.String(i.Object, "metadata", "resourceVersion")},
	}
	obj, err := i.patch(w, JSONPatch, ops)
	if err != nil {
		s.Errorf("Warning: server rejected managed fields migration to Server-Side Apply. This is non-fatal and will be retried next time you apply. Error: %s\n", err)
		return
	}
	i.Refresh(obj)
	if obj, err = i.patch(w, ApplyPatch, manifest); err != nil {
		s.Errorf("Warning: failed to re-apply configuration after performing Server-Side Apply migration. This is non-fatal and will be retried next time you apply. Error: %s\n", err)
		return
	}
	i.Refresh(obj)
}

// annotationOwners are the managers that own the last-applied annotation by that operation.
func annotationOwners(obj tree.Map, operation string) map[string]bool {
	out := map[string]bool{}
	for _, e := range tree.Maps(obj, "metadata", "managedFields") {
		if tree.String(e, "operation") == operation && tree.String(e, "subresource") == "" &&
			tree.Get(e, "fieldsV1", "f:metadata", "f:annotations", "f:"+lastApplied) != nil {
			out[tree.String(e, "manager")] = true
		}
	}
	return out
}

// adoptFields joins the Update entries of the old managers to the Apply entry of the new one.
func adoptFields(obj tree.Map, old map[string]bool, manager string) []any {
	var out []any
	var mine tree.Map
	var adopted []tree.Map
	for _, e := range tree.Maps(obj, "metadata", "managedFields") {
		e = tree.Copy(e)
		plain := tree.String(e, "subresource") == ""
		switch {
		case plain && tree.String(e, "operation") == "Update" && old[tree.String(e, "manager")]:
			adopted = append(adopted, e)
			continue
		case plain && tree.String(e, "operation") == "Apply" && tree.String(e, "manager") == manager:
			mine = e
		}
		out = append(out, e)
	}
	for _, e := range adopted {
		if mine == nil {
			mine = e
			mine["operation"], mine["manager"] = "Apply", manager
			out = append(out, mine)
			continue
		}
		mine["fieldsV1"] = joinFields(tree.Sub(mine, "fieldsV1"), tree.Sub(e, "fieldsV1"))
	}
	return out
}

func joinFields(a, b tree.Map) tree.Map {
	out := tree.Copy(a)
	if out == nil {
		out = tree.Map{}
	}
	for k, v := range b {
		bm, _ := v.(tree.Map)
		am, _ := out[k].(tree.Map)
		out[k] = joinFields(am, bm)
	}
	return out
}

// The kinds that are pruned when none are named, as group/version/kind.
const prunedByDefault = "core/v1/ConfigMap core/v1/Endpoints core/v1/PersistentVolumeClaim core/v1/Pod " +
	"core/v1/ReplicationController core/v1/Secret core/v1/Service batch/v1/Job batch/v1/CronJob networking.k8s.io/v1/Ingress " +
	"apps/v1/DaemonSet apps/v1/Deployment apps/v1/ReplicaSet apps/v1/StatefulSet core/v1/Namespace core/v1/PersistentVolume"

// prunedKinds reads --prune-allowlist.
func (s *Session) prunedKinds(list []string) (out []*Mapping, err error) {
	c, err := s.Client()
	if err != nil {
		return nil, err
	}
	mapper, err := c.Mapper()
	if err != nil {
		return nil, err
	}
	for _, k := range list {
		parts := strings.Split(k, "/")
		if len(parts) != 3 {
			return nil, fmt.Errorf("invalid GroupVersionKind format: %v, please follow <group/version/kind>", k)
		}
		if parts[0] == "core" {
			parts[0] = ""
		}
		m, err := mapper.ForKind(metav1.GroupKind{Group: parts[0], Kind: parts[2]}, parts[1])
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// unnamed calls fn for what an earlier apply made and the present one does not
// name: objects of the kinds, or the usual ones, in the namespaces of those that
// it names, whose uid is not in seen.
func (s *Session) unnamed(kinds []*Mapping, namespaces, seen map[string]bool, selector string, fn func(*Client, *Mapping, tree.Map) error) error {
	if len(kinds) == 0 {
		s.logLine('W', "prune.go:71", "Deprecated: kubectl apply will no longer prune non-namespaced resources by default when used with the --namespace flag in a future release. To preserve the current behaviour, list the resources you want to target explicitly in the --prune-allowlist flag.")
		var err error
		if kinds, err = s.prunedKinds(strings.Fields(prunedByDefault)); err != nil {
			return fmt.Errorf("error retrieving RESTMappings to prune: %v", err)
		}
	}
	c, err := s.Client()
	if err != nil {
		return err
	}
	q := url.Values{}
	if selector != "" {
		q.Set("labelSelector", selector)
	}
	in := func(namespace string, scoped bool) error {
		for _, m := range kinds {
			if m.Namespaced != scoped {
				continue
			}
			list, err := c.List(m, namespace, q, 0)
			if err == nil {
				for _, obj := range tree.Maps(list, "items") {
					if _, applied := tree.Strings(obj, "metadata", "annotations")[lastApplied]; !applied || seen[tree.String(obj, "metadata", "uid")] {
						continue
					}
					if err = fn(c, m, obj); err != nil {
						break
					}
				}
			}
			if err != nil {
				which := "namespaced"
				if !scoped {
					which = "nonNamespaced"
				}
				return fmt.Errorf("error pruning %s object %v: %v", which, gvkText(m.GVK()), err)
			}
		}
		return nil
	}
	for _, ns := range tree.Keys(namespaces) {
		if err := in(ns, true); err != nil {
			return err
		}
	}
	return in("", false)
}

func (o *applyOptions) pruneOne(s *Session, c *Client, m *Mapping, obj tree.Map) error {
	if o.dryRun != DryRunClient {
		body := tree.Map{"propagationPolicy": o.del.propagation}
		if o.del.grace >= 0 {
			body["gracePeriodSeconds"] = int64(o.del.grace)
		}
		if o.dryRun == DryRunServer {
			body["dryRun"] = []any{"All"}
		}
		if _, err := c.Delete(m, tree.Namespace(obj), tree.Name(obj), body); err != nil {
			return err
		}
	}
	return o.out.print(s, "pruned", o.dryRun, obj)
}
