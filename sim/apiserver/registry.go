// This file knows which resources are served: those of package api, and those
// that are installed while the server runs (custom resources). A resource that
// is served in two versions, or under two groups, is stored once; the others
// are conversions of it.

package apiserver

import (
	"sort"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/schema"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
)

// Kind is one served version of a resource.
type Kind struct {
	*api.Resource
	Strategy *resource.Strategy
	// Key is the resource in the store.
	Key string
	// Storage is the version that the store holds; nil when it is this one.
	Storage *api.Resource
	// ToStorage and FromStorage convert; they return new objects.
	ToStorage, FromStorage func(metav1.Object) metav1.Object
	// Schema describes the objects; nil when nothing is known.
	Schema *schema.Type
	// Dynamic is set for kinds whose objects are *metav1.Unstructured.
	Dynamic *Dynamic
	// Compute is set for kinds whose objects are not stored.
	Compute Compute
}

// Dynamic is what a custom resource brings along instead of Go types.
type Dynamic struct {
	// Prune removes what the schema does not know from a tree (the fields beside
	// apiVersion, kind and metadata) and returns the paths of what it removed.
	Prune func(tree map[string]any) []string
	// OpenAPI is the schema document for /openapi, without x-kubernetes-group-version-kind.
	OpenAPI map[string]any
}

type registry struct {
	byGVR  map[metav1.GroupVersionResource]*Kind
	byKey  map[string]*Kind
	added  []*Kind // dynamic ones, by group, version, plural
	change uint64  // counts changes, for caches of documents
}

func newRegistry() *registry {
	r := &registry{byGVR: map[metav1.GroupVersionResource]*Kind{}, byKey: map[string]*Kind{}}
	for _, res := range api.Resources() {
		k := &Kind{Resource: res, Key: res.GroupResource().String(),
			Schema: schema.ForKind(res.Group, res.Version, res.Kind)}
		k.Strategy = resource.For(k.Key)
		if c, ok := conversions[res.GroupVersionKind()]; ok {
			k.Key, k.Storage = c.key, api.ByGVK(c.storage)
			k.ToStorage, k.FromStorage = c.to, c.from
			k.Strategy = resource.For(c.key)
		}
		if k.Key == "componentstatuses" {
			k.Compute = componentStatuses
		}
		r.byGVR[res.GroupVersionResource()] = k
		if k.Storage == nil && r.byKey[k.Key] == nil {
			r.byKey[k.Key] = k
		}
	}
	return r
}

func (r *registry) find(group, version, plural string) *Kind {
	return r.byGVR[metav1.GroupVersionResource{Group: group, Version: version, Resource: plural}]
}

// hasVersion reports whether anything is served in the group and version.
func (r *registry) hasVersion(group, version string) bool {
	for _, g := range r.groups() {
		if g.Name == group {
			for _, v := range g.Versions {
				if v == version {
					return true
				}
			}
		}
	}
	return false
}

// groups lists the static groups, then those that only dynamic kinds have.
func (r *registry) groups() []api.Group {
	if len(r.added) == 0 {
		return api.Groups()
	}
	out := append([]api.Group(nil), api.Groups()...)
next:
	for _, k := range r.added {
		for i := range out {
			if out[i].Name != k.Group {
				continue
			}
			for _, v := range out[i].Versions {
				if v == k.Version {
					continue next
				}
			}
			out[i].Versions = append(out[i].Versions[:len(out[i].Versions):len(out[i].Versions)], k.Version)
			continue next
		}
		out = append(out, api.Group{Name: k.Group, Versions: []string{k.Version}})
	}
	return out
}

// resources lists what is served in a group and version.
func (r *registry) resources(group, version string) []*Kind {
	var out []*Kind
	for _, res := range api.Resources() {
		if res.Group == group && res.Version == version {
			out = append(out, r.byGVR[res.GroupVersionResource()])
		}
	}
	for _, k := range r.added {
		if k.Group == group && k.Version == version {
			out = append(out, k)
		}
	}
	return out
}

// Install serves a further resource, replacing what was installed under the
// same group, version and name.
func (s *Server) Install(k *Kind) {
	r := s.kinds
	gvr := k.GroupVersionResource()
	s.Uninstall(gvr)
	if k.Key == "" {
		k.Key = k.GroupResource().String()
	}
	if k.Strategy == nil {
		k.Strategy = &resource.Strategy{}
	}
	r.byGVR[gvr] = k
	if k.Storage == nil {
		r.byKey[k.Key] = k
	}
	r.added = append(r.added, k)
	sort.SliceStable(r.added, func(i, j int) bool {
		a, b := r.added[i], r.added[j]
		if a.Group != b.Group {
			return a.Group < b.Group
		}
		if a.Version != b.Version {
			return a.Version < b.Version
		}
		return a.Plural < b.Plural
	})
	r.change++
}

// Uninstall ends the service of a resource that Install began. Its objects stay
// in the store.
func (s *Server) Uninstall(gvr metav1.GroupVersionResource) {
	r := s.kinds
	for i, k := range r.added {
		if k.GroupVersionResource() == gvr {
			r.added = append(r.added[:i:i], r.added[i+1:]...)
			delete(r.byGVR, gvr)
			if r.byKey[k.Key] == k {
				delete(r.byKey, k.Key)
			}
			r.change++
			return
		}
	}
}

// Kinds lists every served kind, static ones first.
func (s *Server) Kinds() []*Kind {
	var out []*Kind
	for _, res := range api.Resources() {
		out = append(out, s.kinds.byGVR[res.GroupVersionResource()])
	}
	return append(out, s.kinds.added...)
}

// Resources lists every served resource, static ones first.
func (s *Server) Resources() []*api.Resource {
	if len(s.kinds.added) == 0 {
		return api.Resources()
	}
	out := append([]*api.Resource(nil), api.Resources()...)
	for _, k := range s.kinds.added {
		out = append(out, k.Resource)
	}
	return out
}

// stores reports whether the kind has objects in the store (reviews have none).
func (k *Kind) stores() bool { return k.HasVerb("get") || k.HasVerb("list") }

// external is a stored object in the version of k.
func (k *Kind) external(obj metav1.Object) metav1.Object {
	if k.FromStorage == nil {
		return obj
	}
	return k.FromStorage(obj)
}

// internal is an object of k's version as it is stored.
func (k *Kind) internal(obj metav1.Object) metav1.Object {
	if k.ToStorage == nil {
		return obj
	}
	return k.ToStorage(obj)
}
