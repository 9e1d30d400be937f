// This file replaces objects: the whole of one, or through the status
// subresource its status. Patches and other subresources end here too.

package apiserver

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func (c *call) update() (*rest.Response, error) {
	if err := c.readOptions("UpdateOptions", false); err != nil {
		return nil, err
	}
	obj, err := c.decode(c.kind.GroupVersionKind(), c.kind.Dynamic)
	if err != nil {
		return nil, err
	}
	m := obj.GetObjectMeta()
	if err := c.fitName(m); err != nil {
		return nil, err
	}
	if err := c.fitNamespace(m); err != nil {
		return nil, err
	}
	old := c.s.lookup(c.kind.Key, c.namespace, c.name)
	if old == nil {
		if !c.kind.Strategy.AllowCreateOnUpdate || c.subresource != "" {
			return nil, apierrors.NewNotFound(c.gr(), c.name)
		}
		if m.UID != "" {
			return nil, apierrors.NewConflict(c.gr(), c.name, fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: ", m.UID))
		}
		obj, err := c.createObject(obj, true)
		if err != nil {
			return nil, err
		}
		return c.respond(201, obj)
	}
	obj = c.kind.internal(obj)
	if c.kind.Strategy.Default != nil && !(c.subresource == "status" && c.req.Object != nil) {
		c.kind.Strategy.Default(obj)
	}
	obj, err = c.replace(old, obj, true)
	if err != nil {
		return nil, err
	}
	return c.respond(200, obj)
}

// updating says which of a strategy's rules an update goes by.
type updating struct {
	prepare  func(*resource.Context, metav1.Object, metav1.Object)
	validate func(*resource.Context, metav1.Object, metav1.Object) field.ErrorList
}

func (c *call) updating() updating {
	s := c.kind.Strategy
	if f, ok := subresourceRules[c.kind.Key+"/"+c.subresource]; ok {
		return f(s)
	}
	if c.subresource == "status" {
		u := updating{s.PrepareForStatusUpdate, s.ValidateStatusUpdate}
		if u.prepare == nil {
			u.prepare = keepAllButStatus
		}
		if u.validate == nil {
			u.validate = func(*resource.Context, metav1.Object, metav1.Object) field.ErrorList { return nil }
		}
		return u
	}
	u := updating{s.PrepareForUpdate, s.ValidateUpdate}
	if u.prepare == nil && c.kind.Dynamic != nil {
		u.prepare = c.kind.prepareTree
	}
	if u.validate == nil {
		u.validate = func(_ *resource.Context, obj, old metav1.Object) field.ErrorList {
			return validateMetaUpdate(obj.GetObjectMeta(), old.GetObjectMeta())
		}
	}
	return u
}

// replace stores obj, the server's own copy in the stored version, in place of
// old. It returns what is stored then; that is old if nothing has changed.
func (c *call) replace(old, obj metav1.Object, track bool) (metav1.Object, error) {
	k := c.kind
	m, om := obj.GetObjectMeta(), old.GetObjectMeta()
	if m.UID != "" && m.UID != om.UID && c.verb != "patch" {
		return nil, apierrors.NewConflict(c.gr(), om.Name, fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: %v", m.UID, om.UID))
	}
	if track {
		c.trackUpdate(old, obj)
	}
	managed := m.ManagedFields
	c.dedupOwners(m)
	attributes := c.attributes(Update, obj, old)
	if err := c.s.admission.Admit(attributes); err != nil {
		return nil, err
	}
	switch m.ResourceVersion {
	case om.ResourceVersion:
	case "", "0":
		if k.Strategy.DenyUnconditionalUpdate {
			return nil, apierrors.NewInvalid(metav1.GroupKind{Group: k.Group, Kind: k.Plural}, om.Name, field.ErrorList{
				field.Invalid(field.NewPath("metadata").Child("resourceVersion"), 0, "must be specified for an update")})
		}
		m.ResourceVersion = om.ResourceVersion
	default:
		return nil, apierrors.NewModified(c.gr(), om.Name)
	}
	// What no client may change.
	m.Generation = om.Generation
	m.SelfLink = om.SelfLink
	if m.UID == "" {
		m.UID = om.UID
	}
	if m.CreationTimestamp.IsZero() {
		m.CreationTimestamp = om.CreationTimestamp
	}
	if m.DeletionTimestamp == nil {
		m.DeletionTimestamp = om.DeletionTimestamp
	}
	if m.DeletionGracePeriodSeconds == nil {
		m.DeletionGracePeriodSeconds = om.DeletionGracePeriodSeconds
	}
	ctx := attributes.Context
	u := c.updating()
	if u.prepare != nil {
		u.prepare(ctx, obj, old)
	}
	m.ManagedFields = managed
	release, err := c.allocate(obj, old)
	if err != nil {
		return nil, err
	}
	committed := false
	defer func() {
		if !committed {
			release()
		}
	}()
	if errs := u.validate(ctx, obj, old); len(errs) > 0 {
		return nil, apierrors.NewInvalid(k.GroupKind(), m.Name, errs)
	}
	if c.subresource == "" && k.Strategy.Warnings != nil {
		for _, w := range k.Strategy.Warnings(ctx, obj, old) {
			c.warn(w)
		}
	}
	if err := c.s.admission.Validate(attributes); err != nil {
		return nil, err
	}
	if unchanged(obj, old) {
		return old, nil
	}
	if c.options.dryRun {
		return obj, nil
	}
	if deletedByUpdate(obj, old) {
		obj, err = c.remove(old, obj)
		return obj, err
	}
	if err := c.s.store.Update(c.key(m.Name), old, obj); err != nil {
		return nil, apierrors.NewModified(c.gr(), m.Name)
	}
	committed = true
	c.s.written(k, old, obj)
	return obj, nil
}

// deletedByUpdate reports that an object which waits to go has lost its last
// finalizer, and no grace period is left.
func deletedByUpdate(obj, old metav1.Object) bool {
	om := old.GetObjectMeta()
	if len(obj.GetObjectMeta().Finalizers) > 0 || om.DeletionTimestamp == nil {
		return false
	}
	if ns, ok := obj.(*corev1.Namespace); ok && len(ns.Spec.Finalizers) > 0 {
		return false
	}
	grace := om.DeletionGracePeriodSeconds
	return grace == nil || *grace == 0
}

// keepAllButStatus is the status update of kinds without a strategy.
func keepAllButStatus(_ *resource.Context, obj, old metav1.Object) {
	if u, ok := obj.(*metav1.Unstructured); ok {
		before := old.(*metav1.Unstructured)
		tree := make(map[string]any, len(before.Object))
		for k, v := range before.Object {
			tree[k] = v
		}
		delete(tree, "status")
		if s, ok := u.Object["status"]; ok {
			tree["status"] = s
		}
		u.Object = tree
	} else {
		keepFields(obj, old, "Status")
	}
	m, om := obj.GetObjectMeta(), old.GetObjectMeta()
	m.Labels, m.Annotations, m.Finalizers, m.OwnerReferences = om.Labels, om.Annotations, om.Finalizers, om.OwnerReferences
	m.DeletionTimestamp = om.DeletionTimestamp
}

// prepareTree is the update of a custom resource: with a status subresource the
// status stays, and a change beside metadata raises the generation.
func (k *Kind) prepareTree(_ *resource.Context, obj, old metav1.Object) {
	u, before := obj.(*metav1.Unstructured), old.(*metav1.Unstructured)
	if k.Subresource("status") != nil {
		delete(u.Object, "status")
		if s, ok := before.Object["status"]; ok {
			u.Object["status"] = s
		}
	}
	strip := func(t map[string]any) map[string]any {
		out := make(map[string]any, len(t))
		for key, v := range t {
			if key != "status" || k.Subresource("status") == nil {
				out[key] = v
			}
		}
		return out
	}
	if !sameValue(strip(u.Object), strip(before.Object)) {
		u.Generation = before.Generation + 1
	}
}

// touch is a copy of a stored object whose metadata may be changed.
func touch(obj metav1.Object) (metav1.Object, *metav1.ObjectMeta) {
	out := api.ShallowCopy(obj)
	return out, out.GetObjectMeta()
}
