// This file deletes: at once, or after the finalizers and the grace period that
// stand in the way; one object, or all that a selector matches.

package apiserver

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubonsai/kubonsai/sim/api"
	apiextensionsv1 "github.com/kubonsai/kubonsai/sim/api/apiextensions/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// returnsDeleted are the resources whose deletion answers with the object
// rather than with a Status.
var returnsDeleted = map[string]bool{
	"pods": true, "services": true, "serviceaccounts": true, "namespaces": true, "persistentvolumes": true,
	"persistentvolumeclaims": true, "podtemplates": true, "resourcequotas": true, "storageclasses.storage.k8s.io": true,
	"csidrivers.storage.k8s.io": true, "csinodes.storage.k8s.io": true, "volumeattachments.storage.k8s.io": true,
	"volumeattributesclasses.storage.k8s.io": true, "resourceclaims.resource.k8s.io": true,
	"resourceclaimtemplates.resource.k8s.io": true, "resourceslices.resource.k8s.io": true, "deviceclasses.resource.k8s.io": true,
}

var deleteOptionsKind = metav1.GroupVersionKind{Version: "v1", Kind: "DeleteOptions"}

// readDeleteOptions takes them from the body, or else from the query.
func (c *call) readDeleteOptions() (*metav1.DeleteOptions, error) {
	o := &metav1.DeleteOptions{}
	switch {
	case c.req.Object != nil:
		return nil, apierrors.NewBadRequest("decoded object cannot be converted to DeleteOptions")
	case len(c.req.Body) > 0:
		data, _, err := c.body()
		if err != nil {
			return nil, err
		}
		got, err := kindOf(data)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		if got.Kind != "" && got.Kind != "DeleteOptions" {
			return nil, apierrors.NewBadRequest("decoded object cannot be converted to DeleteOptions")
		}
		if err := unmarshal(data, o); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	default:
		if err := c.queryDeleteOptions(o); err != nil {
			return nil, err
		}
	}
	var errs field.ErrorList
	if o.OrphanDependents != nil && o.PropagationPolicy != nil {
		errs = append(errs, field.Invalid(field.NewPath("propagationPolicy"), o.PropagationPolicy, "orphanDependents and deletionPropagation cannot be both set"))
	}
	if p := o.PropagationPolicy; p != nil {
		switch *p {
		case metav1.DeletePropagationForeground, metav1.DeletePropagationBackground, metav1.DeletePropagationOrphan:
		default:
			errs = append(errs, field.NotSupported(field.NewPath("propagationPolicy"), p, []string{"Foreground", "Background", "Orphan", "nil"}))
		}
	}
	dry, more := dryRun(o.DryRun)
	c.options.dryRun = dry
	errs = append(errs, more...)
	if len(errs) > 0 {
		return nil, apierrors.NewInvalid(metav1.GroupKind{Group: metav1.GroupName, Kind: "DeleteOptions"}, "", errs)
	}
	return o, nil
}

func (c *call) queryDeleteOptions(o *metav1.DeleteOptions) error {
	q := c.req.Query
	if s := q.Get("gracePeriodSeconds"); s != "" {
		var n int64
		if _, err := fmt.Sscanf(s, "%d", &n); err != nil {
			return apierrors.NewBadRequest(fmt.Sprintf("strconv.ParseInt: parsing %q: invalid syntax", s))
		}
		o.GracePeriodSeconds = &n
	}
	if s := q.Get("propagationPolicy"); s != "" {
		p := metav1.DeletionPropagation(s)
		o.PropagationPolicy = &p
	}
	if q.Has("orphanDependents") {
		b := c.queryBool("orphanDependents")
		o.OrphanDependents = &b
	}
	o.DryRun = q["dryRun"]
	return nil
}

func (c *call) delete() (*rest.Response, error) {
	o, err := c.readDeleteOptions()
	if err != nil {
		return nil, err
	}
	old, err := c.stored(c.name)
	if err != nil {
		return nil, err
	}
	obj, gone, err := c.deleteObject(old, o)
	if err != nil {
		return nil, err
	}
	code := 200
	if !gone && o.OrphanDependents != nil && !*o.OrphanDependents {
		code = 202
	}
	if gone && !returnsDeleted[c.kind.Key] {
		return &rest.Response{Code: code, Object: succeeded(c.details(old), 0)}, nil
	}
	return c.respond(code, obj)
}

func (c *call) details(obj metav1.Object) *metav1.StatusDetails {
	m := obj.GetObjectMeta()
	return &metav1.StatusDetails{Name: m.Name, Group: c.kind.Group, Kind: c.kind.Plural, UID: m.UID}
}

// deleteObject deletes a stored object, or marks it as being deleted. gone says
// that it is no longer there; obj is its last or its present state.
func (c *call) deleteObject(old metav1.Object, o *metav1.DeleteOptions) (obj metav1.Object, gone bool, err error) {
	om := old.GetObjectMeta()
	if p := o.Preconditions; p != nil {
		if p.UID != nil && *p.UID != om.UID {
			return nil, false, apierrors.NewConflict(c.gr(), om.Name, fmt.Errorf("the UID in the precondition (%s) does not match the UID in record (%s). The object might have been deleted and then recreated", *p.UID, om.UID))
		}
		if p.ResourceVersion != nil && *p.ResourceVersion != om.ResourceVersion {
			return nil, false, apierrors.NewConflict(c.gr(), om.Name, fmt.Errorf("the ResourceVersion in the precondition (%s) does not match the ResourceVersion in record (%s). The object might have been modified", *p.ResourceVersion, om.ResourceVersion))
		}
	}
	attributes := c.attributes(Delete, nil, old)
	attributes.Name = om.Name
	if c.kind.Key == "namespaces" {
		attributes.Namespace = om.Name
	}
	if err := c.s.admission.Admit(attributes); err != nil {
		return nil, false, err
	}
	if err := c.s.admission.Validate(attributes); err != nil {
		return nil, false, err
	}
	now := metav1.NewTime(c.s.now())
	obj, m := touch(old)
	if crd, ok := obj.(*apiextensionsv1.CustomResourceDefinition); ok {
		terminateDefinition(crd, now)
	}
	if ns, ok := obj.(*corev1.Namespace); ok && len(ns.Spec.Finalizers) > 0 {
		if ns.DeletionTimestamp != nil {
			return old, false, nil
		}
		m.DeletionTimestamp = &now
		ns.Status.Phase = corev1.NamespaceTerminating
		c.setDeletionFinalizers(m, o)
		return c.mark(old, obj)
	}
	graceful, pending := c.gracefully(old, m, o)
	if pending {
		return old, false, nil
	}
	c.setDeletionFinalizers(m, o)
	if !graceful && len(m.Finalizers) == 0 || graceful && len(m.Finalizers) == 0 && *m.DeletionGracePeriodSeconds == 0 {
		if c.options.dryRun {
			return obj, true, nil
		}
		obj, err = c.remove(old, obj)
		return obj, true, err
	}
	if !graceful {
		if om.DeletionTimestamp == nil && m.Generation > 0 {
			m.Generation++
		}
		if m.DeletionTimestamp == nil || m.DeletionTimestamp.After(now.Time) {
			m.DeletionTimestamp = &now
		}
		m.DeletionGracePeriodSeconds = new(int64)
	}
	return c.mark(old, obj)
}

// gracefully sets the deletion's time when the object is given some. pending
// says that it is being deleted already and this request changes nothing.
func (c *call) gracefully(old metav1.Object, m *metav1.ObjectMeta, o *metav1.DeleteOptions) (graceful, pending bool) {
	grace := c.kind.Strategy.Grace
	if grace == nil {
		return false, false
	}
	seconds := o.GracePeriodSeconds
	if seconds != nil && *seconds < 0 {
		one := int64(1)
		seconds = &one
	}
	now := c.s.now()
	if m.DeletionTimestamp != nil {
		if m.DeletionGracePeriodSeconds == nil || *m.DeletionGracePeriodSeconds == 0 {
			return false, false
		}
		if seconds == nil || *seconds >= *m.DeletionGracePeriodSeconds {
			return false, true
		}
		period := *seconds
		due := metav1.NewTime(m.DeletionTimestamp.Add(time.Duration(period-*m.DeletionGracePeriodSeconds) * time.Second))
		if due.Time.Before(metav1.NewTime(now).Time) {
			due = metav1.NewTime(now)
			if period != 0 {
				period = 1
			}
		}
		m.DeletionTimestamp, m.DeletionGracePeriodSeconds = &due, &period
		return true, false
	}
	period, immediate := grace(old, seconds)
	if immediate {
		return false, false
	}
	due := metav1.NewTime(now.Add(time.Duration(period) * time.Second))
	m.DeletionTimestamp, m.DeletionGracePeriodSeconds = &due, &period
	if m.Generation > 0 {
		m.Generation++
	}
	return true, false
}

// setDeletionFinalizers gives the object the finalizer of the garbage collector
// that the propagation policy asks for.
func (c *call) setDeletionFinalizers(m *metav1.ObjectMeta, o *metav1.DeleteOptions) {
	var orphan, foreground bool
	switch {
	case o.OrphanDependents != nil:
		orphan = *o.OrphanDependents
	case o.PropagationPolicy != nil:
		orphan = *o.PropagationPolicy == metav1.DeletePropagationOrphan
		foreground = *o.PropagationPolicy == metav1.DeletePropagationForeground
	case has(m.Finalizers, metav1.FinalizerOrphanDependents):
		orphan = true
	case has(m.Finalizers, metav1.FinalizerDeleteDependents):
		foreground = true
	default:
		orphan = c.kind.Strategy.DefaultOrphan
	}
	if !c.collected() {
		return
	}
	if orphan == has(m.Finalizers, metav1.FinalizerOrphanDependents) && foreground == has(m.Finalizers, metav1.FinalizerDeleteDependents) {
		return
	}
	var out []string
	for _, f := range m.Finalizers {
		if f != metav1.FinalizerOrphanDependents && f != metav1.FinalizerDeleteDependents {
			out = append(out, f)
		}
	}
	if orphan {
		out = append(out, metav1.FinalizerOrphanDependents)
	}
	if foreground {
		out = append(out, metav1.FinalizerDeleteDependents)
	}
	m.Finalizers = out
}

// collected reports whether the garbage collector looks after the kind; it does
// not look after events.
func (c *call) collected() bool { return c.kind.Key != "events" }

// mark stores an object that is being deleted.
func (c *call) mark(old, obj metav1.Object) (metav1.Object, bool, error) {
	if c.options.dryRun || unchanged(obj, old) {
		return obj, false, nil
	}
	if err := c.s.store.Update(c.key(obj.GetObjectMeta().Name), old, obj); err != nil {
		return nil, false, apierrors.NewModified(c.gr(), obj.GetObjectMeta().Name)
	}
	c.s.written(c.kind, old, obj)
	return obj, false, nil
}

// remove takes an object out of the store; last is what its watchers see.
func (c *call) remove(old, last metav1.Object) (metav1.Object, error) {
	name := old.GetObjectMeta().Name
	if last == old {
		last = api.ShallowCopy(old)
	}
	if err := c.s.store.Delete(c.key(name), old, last); err != nil {
		return nil, apierrors.NewModified(c.gr(), name)
	}
	c.s.written(c.kind, old, nil)
	return last, nil
}

func (c *call) deleteCollection() (*rest.Response, error) {
	l, err := c.readListing(false)
	if err != nil {
		return nil, err
	}
	o, err := c.readDeleteOptions()
	if err != nil {
		return nil, err
	}
	list, err := c.page(l)
	if err != nil {
		return nil, err
	}
	for _, item := range list.Items {
		m := item.GetObjectMeta()
		old := c.s.lookup(c.kind.Key, m.Namespace, m.Name)
		if old == nil {
			continue
		}
		one := *c // namespaces differ in a collection over all of them
		one.name, one.namespace = m.Name, m.Namespace
		each := *o
		if _, _, err := one.deleteObject(old, &each); err != nil && !apierrors.IsNotFound(err) {
			c.warnings = one.warnings
			return nil, err
		}
		c.warnings = one.warnings
	}
	list.ResourceVersion = fmt.Sprint(c.s.store.Revision())
	return c.respondList(list)
}
