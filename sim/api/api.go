// Package api knows every kind that the simulated server serves: its group,
// version, names, verbs and Go type. Facts come from the discovery documents of
// a real v1.36 server (zz_generated.registry.go); this file looks them up. The
// rest of the package copies objects and converts them from and to JSON trees.
// Kinds that custom resource definitions add are the API server's affair.
package api

import (
	"reflect"
	"slices"
	"sync"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// Resource is one served collection of objects.
type Resource struct {
	Group, Version, Kind string
	Plural, Singular     string
	ShortNames           []string
	Namespaced           bool
	Verbs                []string
	Categories           []string
	Subresources         []Subresource
	// New makes an empty object of the kind; its TypeMeta is empty too.
	New func() metav1.Object
}

// Subresource is a further endpoint of each object, such as status, scale or log.
type Subresource struct {
	Name  string
	Kind  metav1.GroupVersionKind // what it answers with
	Verbs []string
}

// Group is an API group with its versions, the preferred one first. The core group's name is "".
type Group struct {
	Name     string
	Versions []string
}

// GroupVersionKind is the kind with its group and version.
func (r *Resource) GroupVersionKind() metav1.GroupVersionKind {
	return metav1.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

// GroupVersionResource is the plural with its group and version.
func (r *Resource) GroupVersionResource() metav1.GroupVersionResource {
	return metav1.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Plural}
}

// GroupResource prints as in messages: deployments.apps.
func (r *Resource) GroupResource() metav1.GroupResource {
	return metav1.GroupResource{Group: r.Group, Resource: r.Plural}
}

// GroupKind prints as in messages: Deployment.apps.
func (r *Resource) GroupKind() metav1.GroupKind {
	return metav1.GroupKind{Group: r.Group, Kind: r.Kind}
}

// APIVersion is the apiVersion field of the kind's objects.
func (r *Resource) APIVersion() string {
	return metav1.GroupVersion{Group: r.Group, Version: r.Version}.String()
}

// HasVerb reports whether the collection or its objects accept the verb.
func (r *Resource) HasVerb(verb string) bool { return slices.Contains(r.Verbs, verb) }

// Subresource returns the named subresource, or nil.
func (r *Resource) Subresource(name string) *Subresource {
	for i := range r.Subresources {
		if r.Subresources[i].Name == name {
			return &r.Subresources[i]
		}
	}
	return nil
}

// Groups lists the API groups in the server's discovery order, the core group first.
// The result is shared: do not change it.
func Groups() []Group { return groups }

// Resources lists what is served, in the server's discovery order. The result is shared: do not change it.
func Resources() []*Resource { return resources }

// ByGVR finds a resource by its exact version, or returns nil.
func ByGVR(gvr metav1.GroupVersionResource) *Resource { return index().byGVR[gvr] }

// ByGVK finds a resource by the kind of its objects, or returns nil.
func ByGVK(gvk metav1.GroupVersionKind) *Resource { return index().byGVK[gvk] }

// ByResource finds a resource in the group's preferred version, or returns nil.
func ByResource(group, plural string) *Resource {
	return index().byGR[metav1.GroupResource{Group: group, Resource: plural}]
}

// Of finds the resource that a typed object belongs to by its Go type. It is nil for *Unstructured and
// for kinds without a collection of their own, such as Scale.
func Of(obj metav1.Object) *Resource { return index().byType[reflect.TypeOf(obj)] }

// New makes an empty object of any known kind, those without a collection (Scale, Eviction, TokenRequest…)
// included; nil for an unknown one.
func New(gvk metav1.GroupVersionKind) metav1.Object {
	if f := kinds[gvk]; f != nil {
		return f()
	}
	return nil
}

// KindOf returns the kind of a typed object by its Go type; for *Unstructured, what the object says.
func KindOf(obj metav1.Object) metav1.GroupVersionKind {
	if u, ok := obj.(*metav1.Unstructured); ok {
		return u.GroupVersionKind()
	}
	return index().kindOf[reflect.TypeOf(obj)]
}

type lookup struct {
	byGVR  map[metav1.GroupVersionResource]*Resource
	byGVK  map[metav1.GroupVersionKind]*Resource
	byGR   map[metav1.GroupResource]*Resource
	byType map[reflect.Type]*Resource
	kindOf map[reflect.Type]metav1.GroupVersionKind
}

var index = sync.OnceValue(func() *lookup {
	l := &lookup{
		byGVR:  map[metav1.GroupVersionResource]*Resource{},
		byGVK:  map[metav1.GroupVersionKind]*Resource{},
		byGR:   map[metav1.GroupResource]*Resource{},
		byType: map[reflect.Type]*Resource{},
		kindOf: map[reflect.Type]metav1.GroupVersionKind{},
	}
	for _, r := range resources {
		l.byGVR[r.GroupVersionResource()] = r
		l.byGVK[r.GroupVersionKind()] = r
		if _, ok := l.byGR[r.GroupResource()]; !ok { // the preferred version comes first
			l.byGR[r.GroupResource()] = r
		}
		l.byType[reflect.TypeOf(r.New())] = r
	}
	for gvk, f := range kinds {
		l.kindOf[reflect.TypeOf(f())] = gvk
	}
	return l
})
