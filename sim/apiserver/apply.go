// This file is server-side apply: a client states the fields it has an opinion
// on, becomes their owner, and what it stated earlier and no longer does goes
// away, unless someone else owns it too.

package apiserver

import (
	"encoding/json"
	"fmt"
	"maps"
	"sort"
	"strings"

	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api"
	autoscalingv1 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/schema"
	"github.com/kubonsai/kubonsai/sim/apiserver/managed"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func schemaRoot(gvk metav1.GroupVersionKind) *schema.Value {
	return managed.Root(schema.ForKind(gvk.Group, gvk.Version, gvk.Kind))
}

// configuration is the body of an apply as a tree.
func (c *call) configuration() (map[string]any, error) {
	if c.req.Object != nil {
		return api.ToTree(c.req.Object)
	}
	data, err := yaml.YAMLToJSON(c.req.Body)
	var tree map[string]any
	if err == nil {
		err = kjson.UnmarshalCaseSensitivePreserveInts(data, &tree)
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: %v", err))
	}
	if c.options.validation != metav1.FieldValidationIgnore {
		if _, err := yaml.YAMLToJSONStrict(c.req.Body); err != nil {
			if c.options.validation == metav1.FieldValidationStrict {
				return nil, apierrors.NewBadRequest(fmt.Sprintf("error strict decoding YAML: %v", err))
			}
			c.warn(err.Error())
		}
	}
	return tree, nil
}

func (c *call) apply(old metav1.Object) (*rest.Response, error) {
	config, err := c.configuration()
	if err != nil {
		return nil, err
	}
	if old == nil && c.subresource != "" {
		return nil, apierrors.NewNotFound(c.gr(), c.name)
	}
	want, root := c.kind.GroupVersionKind(), managed.Root(c.kind.Schema)
	if c.subresource == "scale" {
		want, root = scaleKind, schemaRoot(scaleKind)
	}
	if err := c.checkConfiguration(config, want, root); err != nil {
		return nil, err
	}
	if c.subresource == "scale" {
		return c.applyScale(old, config)
	}
	e := c.identity(metav1.ManagedFieldsOperationApply)
	claims := c.region(managed.Of(config, root))
	// The live object and its owners.
	live := c.kind.blank()
	var owners []owner
	if old != nil {
		view := c.kind.external(old)
		if live, err = api.ToTree(view); err != nil {
			return nil, apierrors.NewInternalError(err)
		}
		if owners, err = spellOut(view); err != nil {
			owners = nil
		}
		if len(owners) == 0 {
			all, err := ownable(view)
			if err != nil {
				return nil, apierrors.NewInternalError(err)
			}
			owners = []owner{{ManagedFieldsEntry: metav1.ManagedFieldsEntry{Manager: beforeFirstApply, Operation: metav1.ManagedFieldsOperationUpdate,
				APIVersion: e.APIVersion, Time: e.Time, FieldsType: "FieldsV1"}, set: c.region(all)}}
		}
	}
	merged := managed.Merge(live, config, root).(map[string]any)
	// What this manager said before and others do not say goes away.
	others := &managed.Set{}
	var before *managed.Set
	for i := range owners {
		if owners[i].same(&e) {
			before = owners[i].set
		} else {
			others = managed.Union(others, owners[i].set)
		}
	}
	if before != nil {
		keep := managed.Union(others, claims)
		if dropped := managed.Difference(before, keep); !dropped.Empty() {
			rest, _ := managed.Remove(merged, dropped, keep, root)
			if merged, _ = rest.(map[string]any); merged == nil {
				merged = map[string]any{}
			}
		}
	}
	changes := managed.Compare(live, merged, root)
	if old != nil && (c.options.force == nil || !*c.options.force) {
		if err := c.conflicts(owners, e, changes, live, root); err != nil {
			return nil, err
		}
	}
	owners = c.claim(owners, e, claims, changes)
	if e.Manager == "kubectl" {
		syncLastApplied(merged, config)
	}
	return c.storeApplied(old, merged, owners)
}

// claim makes the configuration's fields e's, and no longer those of others
// whose values it changed or removed.
func (c *call) claim(owners []owner, e owner, claims *managed.Set, changes managed.Changes) []owner {
	lost := c.region(managed.Union(changes.Touched(), changes.Removed))
	var out []owner
	found := false
	for _, o := range owners {
		if o.same(&e) {
			found = true
			if managed.Equal(o.set, claims) {
				out = append(out, o)
				continue
			}
			o.set, o.Time = claims, e.Time
		} else {
			o.set = managed.Difference(o.set, lost)
		}
		if !o.set.Empty() {
			out = append(out, o)
		}
	}
	if !found && !claims.Empty() {
		e.set = claims
		out = append(out, e)
	}
	return out
}

// syncLastApplied keeps the annotation of kubectl's client-side apply, where
// there is one, in step with what kubectl applies on the server, so that a
// reader may go back to the former.
func syncLastApplied(merged, config map[string]any) {
	annotations := func(tree map[string]any) map[string]any {
		meta, _ := tree["metadata"].(map[string]any)
		a, _ := meta["annotations"].(map[string]any)
		return a
	}
	live := annotations(merged)
	if text, _ := live[corev1.LastAppliedConfigAnnotation].(string); text == "" {
		return
	}
	applied := config
	if own := annotations(config); own[corev1.LastAppliedConfigAnnotation] != nil {
		applied = maps.Clone(config)
		meta := maps.Clone(config["metadata"].(map[string]any))
		own = maps.Clone(own)
		delete(own, corev1.LastAppliedConfigAnnotation)
		meta["annotations"], applied["metadata"] = own, meta
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	if enc.Encode(applied) == nil {
		live = maps.Clone(live)
		live[corev1.LastAppliedConfigAnnotation] = b.String()
		meta := maps.Clone(merged["metadata"].(map[string]any))
		meta["annotations"] = live
		merged["metadata"] = meta
	}
}

// storeApplied creates or updates the object.
func (c *call) storeApplied(old metav1.Object, merged map[string]any, owners []owner) (*rest.Response, error) {
	obj, unknown, err := c.kind.fromTree(merged)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if err := c.strict(unknown); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	m := obj.GetObjectMeta()
	if m.Name == "" && old == nil {
		m.Name = c.name
	}
	if err := c.fitNamespace(m); err != nil {
		return nil, err
	}
	if err := c.fitName(m); err != nil {
		return nil, err
	}
	m.ManagedFields = encodeOwners(owners)
	if old == nil {
		if m.UID != "" {
			return nil, apierrors.NewConflict(c.gr(), c.name, fmt.Errorf("uid mismatch: the provided object specified uid %s, and no existing object was found", m.UID))
		}
		if obj, err = c.createObject(obj, false); err != nil {
			return nil, err
		}
		return c.respond(201, obj)
	}
	obj = c.kind.internal(obj)
	if c.kind.Strategy.Default != nil {
		c.kind.Strategy.Default(obj)
	}
	if obj, err = c.replace(old, obj, false); err != nil {
		return nil, err
	}
	return c.respond(200, obj)
}

// checkConfiguration refuses what cannot be applied.
func (c *call) checkConfiguration(config map[string]any, want metav1.GroupVersionKind, root *schema.Value) error {
	got := metav1.FromAPIVersionAndKind(str(config["apiVersion"]), str(config["kind"]))
	meta, _ := config["metadata"].(map[string]any)
	typed := func(text string) error {
		return fmt.Errorf("failed to create typed patch object (%v/%v; %v): %s", c.namespace, str(meta["name"]), got, text)
	}
	switch {
	case got.Kind == "":
		return apierrors.NewBadRequest("invalid object type: Object 'Kind' is missing in '" + compact(config) + "'")
	case got.GroupVersion() != want.GroupVersion():
		return apierrors.NewBadRequest(fmt.Sprintf("Incorrect version specified in apply patch. Specified patch version: %s, expected: %s", got.GroupVersion(), want.GroupVersion()))
	case got.Kind != want.Kind:
		return apierrors.NewBadRequest(fmt.Sprintf("failed to convert patch object to proper version: %s", "converting to "+want.Kind+" from "+got.Kind))
	case meta["managedFields"] != nil:
		return apierrors.NewBadRequest("metadata.managedFields must be nil")
	}
	if root != nil {
		if bad := managed.Unknown(config, root, nil); len(bad) == 1 {
			return typed(bad[0])
		} else if len(bad) > 1 {
			return typed("errors:\n  " + strings.Join(bad, "\n  "))
		}
	}
	return nil
}

func compact(tree map[string]any) string {
	data, err := json.Marshal(tree)
	if err != nil {
		return ""
	}
	return string(data)
}

// conflict is a field that the configuration would take from its owner.
type conflict struct {
	owner *owner
	path  managed.Path
}

// conflicts is the error of an apply that would change other managers' fields.
func (c *call) conflicts(owners []owner, e owner, changes managed.Changes, live map[string]any, root *schema.Value) error {
	touched := c.region(changes.Touched())
	if e.Manager == "kubectl" {
		// A client-side apply before gave these fields; changing the tool is no conflict.
		touched = managed.Difference(touched, lastApplied(live, root))
	}
	var found []conflict
	for i := range owners {
		o := &owners[i]
		if o.same(&e) {
			continue
		}
		for _, p := range managed.Intersection(o.set, touched).Paths() {
			found = append(found, conflict{o, p})
		}
	}
	if len(found) == 0 {
		return nil
	}
	sort.SliceStable(found, func(i, j int) bool {
		a, b := found[i], found[j]
		if x, y := printOwner(a.owner), printOwner(b.owner); x != y {
			return x < y
		}
		return a.path.String() < b.path.String()
	})
	causes := make([]metav1.StatusCause, len(found))
	for i, f := range found {
		causes[i] = metav1.StatusCause{Type: metav1.CauseTypeFieldManagerConflict, Message: "conflict with " + printOwner(f.owner), Field: f.path.String()}
	}
	if len(found) == 1 {
		return apierrors.NewApplyConflict(causes, fmt.Sprintf("Apply failed with 1 conflict: conflict with %s: %s", printOwner(found[0].owner), found[0].path))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Apply failed with %d conflicts: ", len(found))
	last := ""
	for i, f := range found {
		if name := printOwner(f.owner); name != last {
			if i > 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "conflicts with %s:", name)
			last = name
		}
		fmt.Fprintf(&b, "\n- %s", f.path)
	}
	return apierrors.NewApplyConflict(causes, b.String())
}

func printOwner(o *owner) string {
	s := fmt.Sprintf("%q", o.Manager)
	if o.Subresource != "" {
		s += fmt.Sprintf(" with subresource %q", o.Subresource)
	}
	if o.Operation == metav1.ManagedFieldsOperationUpdate {
		s += " using " + o.APIVersion
	}
	return s
}

// lastAppliedAnnotation is what kubectl's client-side apply leaves behind.
const lastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration"

// lastApplied are the fields of the last client-side apply that still have its values.
func lastApplied(live map[string]any, root *schema.Value) *managed.Set {
	meta, _ := live["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	var config map[string]any
	if s := str(annotations[lastAppliedAnnotation]); s == "" || unmarshal([]byte(s), &config) != nil || config == nil {
		return &managed.Set{}
	}
	said := managed.Of(config, root)
	changed := managed.Compare(live, managed.Merge(live, config, root).(map[string]any), root)
	return managed.Difference(said, changed.Touched())
}

// applyScale applies a configuration to an object's Scale.
func (c *call) applyScale(old metav1.Object, config map[string]any) (*rest.Response, error) {
	live, err := api.ToTree(c.scaleOf(old))
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	merged := managed.Merge(live, config, schemaRoot(scaleKind)).(map[string]any)
	scale := &autoscalingv1.Scale{}
	if err := api.FromTree(merged, scale); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return c.rescale(old, scale)
}
