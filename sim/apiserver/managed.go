// This file keeps metadata.managedFields: who has set which field. Writes of
// people and foreign clients are recorded field by field. Writes of the control
// plane within the process are recorded coarsely, as an entry without fields
// that stands for all of its part of the object that nobody else owns; it is
// spelled out when the object leaves the process or a server-side apply needs it.

package apiserver

import (
	"sort"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/managed"
)

const (
	maxUpdateManagers = 10
	ancientChanges    = "ancient-changes"
	beforeFirstApply  = "before-first-apply"
)

// coarseManagers are recorded without fields when they write from within the process.
var coarseManagers = map[string]bool{"kube-controller-manager": true, "kube-scheduler": true, "kubelet": true,
	"kube-apiserver": true, "kube-proxy": true, "coredns": true, "cloud-controller-manager": true}

// owner is one entry of managedFields.
type owner struct {
	metav1.ManagedFieldsEntry
	set *managed.Set // nil for a coarse entry
}

func (o *owner) same(e *owner) bool {
	return o.Manager == e.Manager && o.Operation == e.Operation && o.APIVersion == e.APIVersion && o.Subresource == e.Subresource
}

// identity is the entry of the call's writes.
func (c *call) identity(op metav1.ManagedFieldsOperationType) owner {
	now := metav1.NewTime(c.s.now())
	e := owner{ManagedFieldsEntry: metav1.ManagedFieldsEntry{Manager: c.manager(), Operation: op, APIVersion: c.kind.APIVersion(),
		Time: &now, FieldsType: "FieldsV1", Subresource: c.subresource}}
	if c.scaling {
		e.Subresource, e.Time = "scale", nil
	}
	return e
}

// coarseWrite is what a coarse write makes of the entries of managedFields: many
// objects are written by one component within a second, and share the outcome.
type coarseWrite struct {
	entries                          *metav1.ManagedFieldsEntry // the first one
	count                            int
	manager, apiVersion, subresource string
	second                           int64
}

// maxCoarseWrites bounds the outcomes that are remembered to be shared.
const maxCoarseWrites = 1024

// touched is the entries after a coarse write of the call; it may be shared and
// must not be changed.
func (c *call) touched(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	if c.scaling {
		return touchOwner(entries, c.identity(metav1.ManagedFieldsOperationUpdate).ManagedFieldsEntry)
	}
	key := coarseWrite{count: len(entries), manager: c.manager(), apiVersion: c.kind.APIVersion(), subresource: c.subresource, second: c.s.now().Unix()}
	if len(entries) > 0 {
		key.entries = &entries[0]
	}
	out, ok := c.s.coarse[key]
	if !ok {
		out = touchOwner(entries, c.identity(metav1.ManagedFieldsOperationUpdate).ManagedFieldsEntry)
		if len(c.s.coarse) >= maxCoarseWrites {
			clear(c.s.coarse)
		}
		c.s.coarse[key] = out
	}
	return out
}

func (c *call) coarse() bool { return c.req.Object != nil && coarseManagers[c.manager()] }

// trackCreate gives the fields of a new object to its creator.
func (c *call) trackCreate(obj metav1.Object) {
	if c.coarse() {
		obj.GetObjectMeta().ManagedFields = c.touched(nil)
		return
	}
	e := c.identity(metav1.ManagedFieldsOperationUpdate)
	view := c.kind.external(obj)
	tree, err := api.ToTree(view)
	if err != nil {
		return
	}
	e.set = c.region(managed.Compare(c.kind.blank(), tree, managed.Root(c.kind.Schema)).Touched())
	obj.GetObjectMeta().ManagedFields = encodeOwners([]owner{e})
}

// trackUpdate gives what has changed to who has changed it.
func (c *call) trackUpdate(old, obj metav1.Object) {
	m, om := obj.GetObjectMeta(), old.GetObjectMeta()
	given := m.ManagedFields
	switch {
	case len(given) == 0:
		given = om.ManagedFields
	case len(given) == 1 && given[0].Manager == "" && given[0].FieldsV1 == nil && given[0].Operation == "":
		m.ManagedFields = nil // how clients forget all owners
		return
	}
	subresource := c.subresource
	if c.scaling {
		subresource = "scale"
	}
	if c.coarse() && !hasFields(given, subresource) {
		m.ManagedFields = c.touched(given)
		return
	}
	e := c.identity(metav1.ManagedFieldsOperationUpdate)
	owners, err := decodeOwners(given)
	if err != nil {
		if owners, err = decodeOwners(om.ManagedFields); err != nil {
			owners = nil
		}
	}
	before, err := api.ToTree(c.kind.external(old))
	if err != nil {
		return
	}
	after, err := api.ToTree(c.kind.external(obj))
	if err != nil {
		return
	}
	changes := managed.Compare(before, after, managed.Root(c.kind.Schema))
	changes.Added, changes.Modified, changes.Removed = c.region(changes.Added), c.region(changes.Modified), c.region(changes.Removed)
	owners = takeOver(owners, e, changes)
	m.ManagedFields = encodeOwners(owners)
}

// hasFields reports that someone owns fields by name in the part of an object
// that a subresource writes.
func hasFields(entries []metav1.ManagedFieldsEntry, subresource string) bool {
	for i := range entries {
		if entries[i].FieldsV1 != nil && (entries[i].Subresource == "status") == (subresource == "status") {
			return true
		}
	}
	return false
}

// touchOwner notes the time of a coarse write.
func touchOwner(entries []metav1.ManagedFieldsEntry, e metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	for i := range entries {
		o := &entries[i]
		if o.Manager == e.Manager && o.Operation == e.Operation && o.APIVersion == e.APIVersion && o.Subresource == e.Subresource {
			if o.Time.Equal(e.Time) {
				return entries
			}
			out := append([]metav1.ManagedFieldsEntry(nil), entries...)
			out[i].Time = e.Time
			sortOwners(out)
			return out
		}
	}
	out := make([]metav1.ManagedFieldsEntry, 0, len(entries)+1)
	out = append(append(out, entries...), e)
	sortOwners(out)
	return out
}

// takeOver gives the changed fields to e and takes them from the others.
func takeOver(owners []owner, e owner, changes managed.Changes) []owner {
	touched := changes.Touched()
	if touched.Empty() && changes.Removed.Empty() {
		return owners
	}
	lost := managed.Union(touched, changes.Removed)
	var out []owner
	found := false
	for _, o := range owners {
		if o.same(&e) {
			found = true
			if o.set != nil {
				now := managed.Union(managed.Difference(o.set, changes.Removed), touched)
				if managed.Equal(now, o.set) && touched.Empty() {
					now = o.set
				} else {
					o.Time = e.Time
				}
				o.set = now
			} else {
				o.Time = e.Time
			}
		} else if o.set != nil {
			o.set = managed.Difference(o.set, lost)
		}
		if o.set == nil || !o.set.Empty() {
			out = append(out, o)
		}
	}
	if !found && !touched.Empty() {
		e.set = touched
		out = append(out, e)
	}
	return capOwners(out)
}

// capOwners folds the oldest updates into one entry when there are too many.
func capOwners(owners []owner) []owner {
	n := 0
	for _, o := range owners {
		if o.Operation == metav1.ManagedFieldsOperationUpdate {
			n++
		}
	}
	if n <= maxUpdateManagers {
		return owners
	}
	sort.SliceStable(owners, func(i, j int) bool { return lessOwner(&owners[i].ManagedFieldsEntry, &owners[j].ManagedFieldsEntry) })
	var out []owner
	var bucket *owner
	for _, o := range owners {
		if o.Operation == metav1.ManagedFieldsOperationUpdate && o.set != nil && n >= maxUpdateManagers && (bucket == nil || bucket.APIVersion == o.APIVersion && bucket.Subresource == o.Subresource) {
			if bucket == nil {
				o.Manager = ancientChanges
				out = append(out, o)
				bucket = &out[len(out)-1]
			} else {
				bucket.set = managed.Union(bucket.set, o.set)
				bucket.Time = o.Time
			}
			n--
			continue
		}
		out = append(out, o)
	}
	return out
}

// nobody's are the fields that the server itself sets.
var nobodys = [][]string{{"f:apiVersion"}, {"f:kind"}, {"f:metadata", "f:name"}, {"f:metadata", "f:namespace"},
	{"f:metadata", "f:creationTimestamp"}, {"f:metadata", "f:selfLink"}, {"f:metadata", "f:uid"}, {"f:metadata", "f:generation"},
	{"f:metadata", "f:managedFields"}, {"f:metadata", "f:resourceVersion"}}

// region is the part of a set that the call's writes can reach.
func (c *call) region(s *managed.Set) *managed.Set {
	for _, p := range nobodys {
		s = s.Without(p...)
	}
	if m := s.Children["f:metadata"]; m != nil && m.Member {
		m.Member = false
	}
	switch {
	case c.scaling:
		return s.Only("spec")
	case c.subresource == "status":
		return s.Only("status", "metadata")
	case c.subresource == "" && c.kind.Subresource("status") != nil:
		return s.Without("f:status")
	}
	return s
}

// blank is the tree of an empty object of the kind.
func (k *Kind) blank() map[string]any {
	tree, err := api.ToTree(k.New())
	if err != nil {
		return map[string]any{}
	}
	return tree
}

func decodeOwners(entries []metav1.ManagedFieldsEntry) ([]owner, error) {
	out := make([]owner, len(entries))
	for i, e := range entries {
		out[i].ManagedFieldsEntry = e
		if e.FieldsV1 != nil {
			s, err := managed.Parse(e.FieldsV1.Raw)
			if err != nil {
				return nil, err
			}
			out[i].set = s
		}
	}
	return out, nil
}

func encodeOwners(owners []owner) []metav1.ManagedFieldsEntry {
	if len(owners) == 0 {
		return nil
	}
	out := make([]metav1.ManagedFieldsEntry, 0, len(owners))
	for _, o := range owners {
		e := o.ManagedFieldsEntry
		if o.set != nil {
			if o.set.Empty() {
				continue
			}
			e.FieldsV1 = &metav1.FieldsV1{Raw: o.set.JSON()}
		}
		out = append(out, e)
	}
	sortOwners(out)
	return out
}

func sortOwners(list []metav1.ManagedFieldsEntry) {
	sort.SliceStable(list, func(i, j int) bool { return lessOwner(&list[i], &list[j]) })
}

func lessOwner(a, b *metav1.ManagedFieldsEntry) bool {
	if a.Operation != b.Operation {
		return a.Operation < b.Operation
	}
	var s, t int64
	if a.Time != nil {
		s = a.Time.Unix()
	}
	if b.Time != nil {
		t = b.Time.Unix()
	}
	if s != t {
		return s < t
	}
	if a.Manager != b.Manager {
		return a.Manager < b.Manager
	}
	if a.APIVersion != b.APIVersion {
		return a.APIVersion < b.APIVersion
	}
	return a.Subresource < b.Subresource
}

// expandManaged spells out coarse entries; the object itself stays as it is.
func expandManaged(obj metav1.Object) metav1.Object {
	entries := obj.GetObjectMeta().ManagedFields
	for i := range entries {
		if entries[i].FieldsV1 != nil {
			continue
		}
		owners, err := spellOut(obj)
		if err != nil {
			return obj
		}
		out := api.ShallowCopy(obj)
		out.GetObjectMeta().ManagedFields = encodeOwners(owners)
		return out
	}
	return obj
}

// spellOut is the object's owners with all their fields.
func spellOut(obj metav1.Object) ([]owner, error) {
	owners, err := decodeOwners(obj.GetObjectMeta().ManagedFields)
	if err != nil {
		return nil, err
	}
	var all *managed.Set
	for i := range owners {
		if owners[i].set == nil {
			if all == nil {
				if all, err = ownable(obj); err != nil {
					return nil, err
				}
			}
		} else if all != nil {
			continue
		}
	}
	if all == nil {
		return owners, nil
	}
	for i := range owners {
		if owners[i].set != nil {
			all = managed.Difference(all, owners[i].set)
		}
	}
	for i := range owners {
		o := &owners[i]
		if o.set != nil {
			continue
		}
		if o.Subresource == "status" {
			o.set = all.Only("status")
			// With a status some controllers write annotations (deployments' revision).
			if meta := all.Children["f:metadata"]; meta != nil && meta.Children["f:annotations"] != nil && !coarseMain(owners) {
				o.set = managed.Union(o.set, &managed.Set{Children: map[string]*managed.Set{
					"f:metadata": {Children: map[string]*managed.Set{"f:annotations": meta.Children["f:annotations"]}}}})
			}
		} else {
			o.set = all.Without("f:status")
		}
		all = managed.Difference(all, o.set)
	}
	return owners, nil
}

// coarseMain reports a coarse entry for the object itself, beside its status.
func coarseMain(owners []owner) bool {
	for i := range owners {
		if owners[i].Subresource == "" && coarseManagers[owners[i].Manager] {
			return true
		}
	}
	return false
}

// ownable are the fields of an object that can have an owner. Of an object that
// is shown in part (metadata alone) it is what is shown.
func ownable(obj metav1.Object) (*managed.Set, error) {
	tree, err := api.ToTree(obj)
	if err != nil {
		return nil, err
	}
	k := &Kind{}
	blank := map[string]any{"metadata": map[string]any{}}
	if r := api.Of(obj); r != nil {
		k.Resource = r
		blank = k.blank()
	}
	gvk := api.KindOf(obj)
	s := managed.Compare(blank, tree, schemaRoot(gvk)).Touched()
	for _, p := range nobodys {
		s = s.Without(p...)
	}
	if m := s.Children["f:metadata"]; m != nil {
		m.Member = false
	}
	if strings.HasPrefix(gvk.Kind, "Partial") {
		s = s.Only("metadata")
	}
	return s, nil
}
