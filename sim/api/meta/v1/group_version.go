// This file gives the group, version, kind and resource names their printed
// forms, and converts between them.

package v1

import (
	"fmt"
	"strings"
)

// String returns kind, or kind.group.
func (gk GroupKind) String() string { return dotted(gk.Kind, gk.Group) }

// Empty reports whether nothing is set.
func (gk GroupKind) Empty() bool { return gk == GroupKind{} }

// WithVersion adds a version.
func (gk GroupKind) WithVersion(version string) GroupVersionKind {
	return GroupVersionKind{Group: gk.Group, Version: version, Kind: gk.Kind}
}

// String returns resource, or resource.group.
func (gr GroupResource) String() string { return dotted(gr.Resource, gr.Group) }

// Empty reports whether nothing is set.
func (gr GroupResource) Empty() bool { return gr == GroupResource{} }

// WithVersion adds a version.
func (gr GroupResource) WithVersion(version string) GroupVersionResource {
	return GroupVersionResource{Group: gr.Group, Version: version, Resource: gr.Resource}
}

// ParseGroupResource reads resource.group or resource.
func ParseGroupResource(s string) GroupResource {
	resource, group, _ := strings.Cut(s, ".")
	return GroupResource{Group: group, Resource: resource}
}

// String returns the apiVersion: group/version, or version for the core group.
func (gv GroupVersion) String() string {
	if gv.Group == "" {
		return gv.Version
	}
	return gv.Group + "/" + gv.Version
}

// Empty reports whether nothing is set.
func (gv GroupVersion) Empty() bool { return gv == GroupVersion{} }

// WithKind adds a kind.
func (gv GroupVersion) WithKind(kind string) GroupVersionKind {
	return GroupVersionKind{Group: gv.Group, Version: gv.Version, Kind: kind}
}

// WithResource adds a resource.
func (gv GroupVersion) WithResource(resource string) GroupVersionResource {
	return GroupVersionResource{Group: gv.Group, Version: gv.Version, Resource: resource}
}

// ParseGroupVersion reads an apiVersion. The empty string is the empty GroupVersion.
func ParseGroupVersion(apiVersion string) (GroupVersion, error) {
	switch strings.Count(apiVersion, "/") {
	case 0:
		return GroupVersion{Version: apiVersion}, nil
	case 1:
		if apiVersion == "/" { // upstream takes it for empty
			return GroupVersion{}, nil
		}
		group, version, _ := strings.Cut(apiVersion, "/")
		return GroupVersion{Group: group, Version: version}, nil
	}
	return GroupVersion{}, fmt.Errorf("unexpected GroupVersion string: %v", apiVersion)
}

// String prints as in the API's messages: apps/v1, Kind=Deployment.
func (gvk GroupVersionKind) String() string {
	return gvk.Group + "/" + gvk.Version + ", Kind=" + gvk.Kind
}

// Empty reports whether nothing is set.
func (gvk GroupVersionKind) Empty() bool { return gvk == GroupVersionKind{} }

// GroupKind drops the version.
func (gvk GroupVersionKind) GroupKind() GroupKind {
	return GroupKind{Group: gvk.Group, Kind: gvk.Kind}
}

// GroupVersion drops the kind.
func (gvk GroupVersionKind) GroupVersion() GroupVersion {
	return GroupVersion{Group: gvk.Group, Version: gvk.Version}
}

// ToAPIVersionAndKind returns the two fields of TypeMeta.
func (gvk GroupVersionKind) ToAPIVersionAndKind() (apiVersion, kind string) {
	if gvk.Empty() {
		return "", ""
	}
	return gvk.GroupVersion().String(), gvk.Kind
}

// FromAPIVersionAndKind reads the two fields of TypeMeta; a malformed apiVersion leaves only the kind.
func FromAPIVersionAndKind(apiVersion, kind string) GroupVersionKind {
	gv, err := ParseGroupVersion(apiVersion)
	if err != nil {
		return GroupVersionKind{Kind: kind}
	}
	return gv.WithKind(kind)
}

// String prints as in the API's messages: apps/v1, Resource=deployments.
func (gvr GroupVersionResource) String() string {
	return gvr.Group + "/" + gvr.Version + ", Resource=" + gvr.Resource
}

// Empty reports whether nothing is set.
func (gvr GroupVersionResource) Empty() bool { return gvr == GroupVersionResource{} }

// GroupResource drops the version.
func (gvr GroupVersionResource) GroupResource() GroupResource {
	return GroupResource{Group: gvr.Group, Resource: gvr.Resource}
}

// GroupVersion drops the resource.
func (gvr GroupVersionResource) GroupVersion() GroupVersion {
	return GroupVersion{Group: gvr.Group, Version: gvr.Version}
}

func dotted(name, group string) string {
	if group == "" {
		return name
	}
	return name + "." + group
}
