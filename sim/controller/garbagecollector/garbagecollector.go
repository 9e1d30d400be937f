// Package garbagecollector deletes objects whose owners are gone, and lets
// owners that are deleted in the foreground or with orphaning wait for their
// dependents. It keeps a graph of all objects by uid, fed by one watch per
// resource, custom ones included.
package garbagecollector

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
	"github.com/kubonsai/kubonsai/sim/rest"
)

const latency = 10 * time.Millisecond

// Finalizers that the API server sets and this controller removes.
const (
	foreground = "foregroundDeletion"
	orphan     = "orphan"
)

// Controller is the garbage collector.
type Controller struct {
	client   *client.Client
	clock    *clock.Clock
	recorder *client.Recorder
	discover func() []*api.Resource
	monitors map[metav1.GroupVersionResource]*monitor
	order    []*monitor
	nodes    map[metav1.UID]*node
	// dependents by the uid of an owner, be it known or not.
	dependents map[metav1.UID]map[metav1.UID]*node
	kinds      map[metav1.GroupKind]*api.Resource
	delete     *client.Queue
	orphans    *client.Queue
	armed      bool
}

// monitor is the watch on one resource.
type monitor struct {
	res     *api.Resource
	watch   rest.Watch
	pending bool
}

// node is an object in the graph.
type node struct {
	res *api.Resource
	obj metav1.Object
}

func (n *node) meta() *metav1.ObjectMeta { return n.obj.GetObjectMeta() }

func (n *node) has(finalizer string) bool { return slices.Contains(n.meta().Finalizers, finalizer) }

// deletingDependents says that the object waits for its dependents to go first.
func (n *node) deletingDependents() bool {
	return n.meta().DeletionTimestamp != nil && n.has(foreground)
}

// New returns the controller. discover lists what is served, with custom
// resources; nil means the built-in ones.
func New(c *client.Client, f *client.Factory, discover func() []*api.Resource) *Controller {
	if discover == nil {
		discover = api.Resources
	}
	gc := &Controller{client: c, clock: f.Clock(), discover: discover,
		recorder: client.NewRecorder(c, f.Clock(), "garbage-collector-controller", ""),
		monitors: map[metav1.GroupVersionResource]*monitor{}, nodes: map[metav1.UID]*node{},
		dependents: map[metav1.UID]map[metav1.UID]*node{}}
	gc.delete = client.NewQueue(f.Clock(), "garbage-collector", latency, gc.attemptToDelete)
	gc.orphans = client.NewQueue(f.Clock(), "garbage-collector orphans", latency, gc.attemptToOrphan)
	gc.resync()
	return gc
}

// resync opens watches for resources that are new and drops those that are gone.
func (c *Controller) resync() {
	all := c.discover()
	c.kinds = map[metav1.GroupKind]*api.Resource{}
	for _, r := range all {
		if c.kinds[r.GroupKind()] == nil {
			c.kinds[r.GroupKind()] = r
		}
	}
	served := map[metav1.GroupVersionResource]bool{}
	for _, r := range controller.Deletable(all) {
		gvr := r.GroupVersionResource()
		served[gvr] = true
		if c.monitors[gvr] == nil {
			m := &monitor{res: r}
			c.monitors[gvr] = m
			c.order = append(c.order, m)
			c.open(m)
		}
	}
	c.order = slices.DeleteFunc(c.order, func(m *monitor) bool {
		gvr := m.res.GroupVersionResource()
		if served[gvr] {
			return false
		}
		if m.watch != nil {
			m.watch.Stop()
		}
		delete(c.monitors, gvr)
		for _, n := range c.sorted(c.nodes) {
			if n.res.GroupVersionResource() == gvr {
				c.removed(n)
			}
		}
		return true
	})
}

func (c *Controller) open(m *monitor) {
	items, version, err := controller.ListAny(c.client, m.res, "")
	if err != nil {
		return // the resource is not served (yet); the next resync tries again
	}
	seen := map[metav1.UID]bool{}
	for _, o := range items {
		seen[o.GetObjectMeta().UID] = true
		c.observe(m.res, o)
	}
	for _, n := range c.sorted(c.nodes) {
		if n.res == m.res && !seen[n.meta().UID] {
			c.removed(n)
		}
	}
	if m.watch, err = controller.WatchAny(c.client, m.res, version); err != nil {
		return
	}
	m.watch.Notify(func() {
		m.pending = true
		if !c.armed {
			c.armed = true
			c.clock.After(0, "garbage-collector watch", c.drain)
		}
	})
}

// drain brings the graph up to date.
func (c *Controller) drain() {
	c.armed = false
	discover := false
	for again := true; again; {
		again = false
		for _, m := range c.order { // resync replaces it, but not meanwhile
			if !m.pending || m.watch == nil {
				continue
			}
			m.pending = false
			again = true
			for {
				e, ok := m.watch.Next()
				if !ok {
					break
				}
				switch obj, _ := e.Object.(metav1.Object); {
				case e.Type == rest.Error:
					c.open(m)
				case obj == nil || e.Type == rest.Bookmark:
				case e.Type == rest.Deleted:
					if n := c.nodes[obj.GetObjectMeta().UID]; n != nil {
						n.obj = obj
						c.removed(n)
					}
				default:
					c.observe(m.res, obj)
				}
				discover = discover || m.res.Kind == "CustomResourceDefinition"
			}
		}
		if discover && !again {
			discover = false
			c.resync()
			again = true
		}
	}
}

// observe takes over a new or changed object.
func (c *Controller) observe(r *api.Resource, obj metav1.Object) {
	m := obj.GetObjectMeta()
	n := c.nodes[m.UID]
	var old *metav1.ObjectMeta
	if n == nil {
		n = &node{res: r, obj: obj}
		c.nodes[m.UID] = n
	} else {
		old = n.meta()
		n.obj = obj
	}
	ownersChanged := old == nil || !slices.EqualFunc(old.OwnerReferences, m.OwnerReferences, sameRef)
	if ownersChanged {
		if old != nil {
			for _, ref := range old.OwnerReferences {
				delete(c.dependents[ref.UID], m.UID)
				if owner := c.nodes[ref.UID]; owner != nil && owner.deletingDependents() {
					c.delete.Add(string(ref.UID)) // it may be free to go now
				}
			}
		}
		lost := false
		for _, ref := range m.OwnerReferences {
			deps := c.dependents[ref.UID]
			if deps == nil {
				deps = map[metav1.UID]*node{}
				c.dependents[ref.UID] = deps
			}
			deps[m.UID] = n
			owner := c.nodes[ref.UID]
			lost = lost || owner == nil || owner.deletingDependents() || !c.matches(owner, ref, m.Namespace)
		}
		if lost {
			c.delete.Add(string(m.UID))
		}
	}
	if m.DeletionTimestamp == nil {
		return
	}
	if n.has(orphan) && (old == nil || old.DeletionTimestamp == nil || !slices.Contains(old.Finalizers, orphan)) {
		c.orphans.Add(string(m.UID))
	}
	if n.has(foreground) && (old == nil || old.DeletionTimestamp == nil || !slices.Contains(old.Finalizers, foreground)) {
		for _, d := range c.sorted(c.dependents[m.UID]) {
			c.delete.Add(string(d.meta().UID))
		}
		c.delete.Add(string(m.UID))
	}
}

func sameRef(a, b metav1.OwnerReference) bool {
	value := func(p *bool) bool { return p != nil && *p }
	return a.UID == b.UID && a.Name == b.Name && a.Kind == b.Kind && a.APIVersion == b.APIVersion &&
		value(a.BlockOwnerDeletion) == value(b.BlockOwnerDeletion) && value(a.Controller) == value(b.Controller)
}

// removed takes an object out of the graph.
func (c *Controller) removed(n *node) {
	uid := n.meta().UID
	delete(c.nodes, uid)
	for _, ref := range n.meta().OwnerReferences {
		delete(c.dependents[ref.UID], uid)
		if len(c.dependents[ref.UID]) == 0 {
			delete(c.dependents, ref.UID)
		}
		if owner := c.nodes[ref.UID]; owner != nil && owner.deletingDependents() {
			c.delete.Add(string(ref.UID))
		}
	}
	for _, d := range c.sorted(c.dependents[uid]) {
		c.delete.Add(string(d.meta().UID))
	}
}

// sorted lists nodes by resource, namespace and name.
func (c *Controller) sorted(set map[metav1.UID]*node) []*node {
	out := make([]*node, 0, len(set))
	for _, n := range set {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b *node) int {
		x, y := a.meta(), b.meta()
		return cmp.Or(cmp.Compare(a.res.Group, b.res.Group), cmp.Compare(a.res.Plural, b.res.Plural),
			cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name), cmp.Compare(x.UID, y.UID))
	})
	return out
}

// matches reports whether the object is what the reference, seen from a
// dependent's namespace, refers to.
func (c *Controller) matches(owner *node, ref metav1.OwnerReference, namespace string) bool {
	m := owner.meta()
	return m.Name == ref.Name && owner.res.Kind == ref.Kind &&
		metav1.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).Group == owner.res.Group &&
		(m.Namespace == "" || m.Namespace == namespace)
}

// attemptToDelete looks at one object's owners.
func (c *Controller) attemptToDelete(uid string) error {
	c.drain()
	n := c.nodes[metav1.UID(uid)]
	if n == nil {
		return nil
	}
	m := n.meta()
	if n.deletingDependents() {
		return c.deletingDependents(n)
	}
	if m.DeletionTimestamp != nil || len(m.OwnerReferences) == 0 {
		return nil
	}
	var solid, dangling, waiting []metav1.OwnerReference
	for _, ref := range m.OwnerReferences {
		owner := c.nodes[ref.UID]
		switch {
		case owner != nil && c.matches(owner, ref, m.Namespace) && owner.deletingDependents():
			waiting = append(waiting, ref)
		case owner != nil && c.matches(owner, ref, m.Namespace):
			solid = append(solid, ref)
		default:
			known := c.kinds[metav1.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()]
			if owner != nil || known != nil && known.Namespaced && m.Namespace == "" {
				c.recorder.Eventf(n.obj, controller.Warning, "OwnerRefInvalidNamespace",
					"ownerRef [%s/%s, namespace: %s, name: %s, uid: %s] does not exist in namespace %q",
					ref.APIVersion, ref.Kind, m.Namespace, ref.Name, ref.UID, m.Namespace)
			}
			if known == nil || known.Namespaced && m.Namespace == "" {
				return nil // whether the owner is gone cannot be found out
			}
			dangling = append(dangling, ref)
		}
	}
	switch {
	case len(solid) > 0:
		if len(dangling)+len(waiting) == 0 {
			return nil
		}
		return c.edit(n, func(m *metav1.ObjectMeta) { m.OwnerReferences = solid })
	case len(waiting) > 0 && len(c.dependents[m.UID]) > 0:
		for _, d := range c.sorted(c.dependents[m.UID]) {
			if d.deletingDependents() {
				// A circle: nobody may block.
				if err := c.edit(n, func(m *metav1.ObjectMeta) {
					m.OwnerReferences = slices.Clone(m.OwnerReferences)
					for i := range m.OwnerReferences {
						m.OwnerReferences[i].BlockOwnerDeletion = new(false)
					}
				}); err != nil {
					return err
				}
				break
			}
		}
		return c.remove(n, "Foreground")
	}
	policy := "Background"
	switch {
	case n.has(orphan):
		policy = "Orphan"
	case n.has(foreground):
		policy = "Foreground"
	}
	return c.remove(n, policy)
}

// deletingDependents lets an object go once no dependent blocks it.
func (c *Controller) deletingDependents(n *node) error {
	uid := n.meta().UID
	blocked := false
	for _, d := range c.sorted(c.dependents[uid]) {
		for _, ref := range d.meta().OwnerReferences {
			if ref.UID == uid && ref.BlockOwnerDeletion != nil && *ref.BlockOwnerDeletion {
				blocked = true
				if d.meta().DeletionTimestamp == nil {
					c.delete.Add(string(d.meta().UID))
				}
			}
		}
	}
	if blocked {
		return nil
	}
	return c.edit(n, func(m *metav1.ObjectMeta) {
		m.Finalizers = slices.DeleteFunc(slices.Clone(m.Finalizers), func(f string) bool { return f == foreground })
	})
}

// attemptToOrphan frees an object's dependents, then the object.
func (c *Controller) attemptToOrphan(uid string) error {
	c.drain()
	n := c.nodes[metav1.UID(uid)]
	if n == nil || n.meta().DeletionTimestamp == nil || !n.has(orphan) {
		return nil
	}
	for _, d := range c.sorted(c.dependents[metav1.UID(uid)]) {
		err := c.edit(d, func(m *metav1.ObjectMeta) {
			var refs []metav1.OwnerReference
			for _, ref := range m.OwnerReferences {
				if ref.UID != metav1.UID(uid) {
					refs = append(refs, ref)
				}
			}
			m.OwnerReferences = refs
		})
		if err != nil {
			return fmt.Errorf("orphaning dependents of %s: %w", n.meta().Name, err)
		}
	}
	return c.edit(n, func(m *metav1.ObjectMeta) {
		m.Finalizers = slices.DeleteFunc(slices.Clone(m.Finalizers), func(f string) bool { return f == orphan })
	})
}

// edit changes an object's metadata; change replaces fields, not what they point to.
func (c *Controller) edit(n *node, change func(*metav1.ObjectMeta)) error {
	obj := api.ShallowCopy(n.obj)
	change(obj.GetObjectMeta())
	if err := controller.UpdateAny(c.client, n.res, obj, ""); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

func (c *Controller) remove(n *node, policy string) error {
	m := n.meta()
	err := client.DeleteResource(c.client, n.res, m.Namespace, m.Name, client.DeleteOptions{UID: string(m.UID), Propagation: policy})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return err
	}
	return nil
}
