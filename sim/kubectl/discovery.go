// This file asks the server which resources it has and finds them by what
// people type: plurals, singulars, kinds, short names, group-qualified names
// and categories.

package kubectl

import (
	"fmt"
	"sort"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api"
	discoveryv2 "github.com/kubonsai/kubonsai/sim/api/apidiscovery/v2"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Mapping is one resource of the server in one version.
type Mapping struct {
	Group, Version, Kind string
	Resource, Singular   string // plural and singular names
	Namespaced           bool
	ShortNames           []string
	Categories           []string
	Verbs                []string
	Subresources         []string
	Preferred            bool // the group's preferred version
}

// APIVersion is the apiVersion of its objects.
func (m *Mapping) APIVersion() string {
	return metav1.GroupVersion{Group: m.Group, Version: m.Version}.String()
}

// GroupResource prints as in messages: deployments.apps.
func (m *Mapping) GroupResource() metav1.GroupResource {
	return metav1.GroupResource{Group: m.Group, Resource: m.Resource}
}

// GroupKind prints as in messages: Deployment.apps.
func (m *Mapping) GroupKind() metav1.GroupKind {
	return metav1.GroupKind{Group: m.Group, Kind: m.Kind}
}

// GVK is the kind with its group and version.
func (m *Mapping) GVK() metav1.GroupVersionKind {
	return metav1.GroupVersionKind{Group: m.Group, Version: m.Version, Kind: m.Kind}
}

// String is the name that -o name and messages use: "deployment.apps".
func (m *Mapping) String() string {
	if m.Group == "" {
		return strings.ToLower(m.Kind)
	}
	return strings.ToLower(m.Kind) + "." + m.Group
}

// HasVerb reports whether the resource accepts the verb.
func (m *Mapping) HasVerb(verb string) bool {
	for _, v := range m.Verbs {
		if v == verb {
			return true
		}
	}
	return false
}

// Mapper knows the server's resources, in its order of preference.
type Mapper struct {
	All    []*Mapping
	groups map[string]bool
	// renew asks the server again; nil when that has been done in this run.
	renew func() error
}

// discoveries are what earlier runs have learned of servers, as the files of
// kubectl's discovery cache. What is missing there is asked for anew; what is
// there but gone from the server is noticed when it is used.
type discoveries map[string]*Mapper

// again asks the server once more if what is known came from the cache.
func (m *Mapper) again() bool {
	renew := m.renew
	if renew == nil {
		return false
	}
	m.renew = nil
	return renew() == nil
}

const discoveryAccept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"

// Mapper knows the server's resources from the cache or asks for them.
func (c *Client) Mapper() (*Mapper, error) {
	if c.mapper != nil {
		return c.mapper, nil
	}
	known := c.s.Options.known[c.target.server]
	if known == nil {
		return c.FreshMapper()
	}
	m := &Mapper{All: known.All, groups: known.groups}
	m.renew = func() error {
		fresh, err := c.discover()
		if err == nil {
			m.All, m.groups = fresh.All, fresh.groups
		}
		return err
	}
	c.mapper = m
	return m, nil
}

// FreshMapper asks the server, once in a run.
func (c *Client) FreshMapper() (*Mapper, error) {
	if c.mapper != nil && c.mapper.renew == nil {
		return c.mapper, nil
	}
	m, err := c.discover()
	if err == nil {
		c.mapper = m
	}
	return m, err
}

// discover asks the server and remembers the answer.
func (c *Client) discover() (*Mapper, error) {
	m := &Mapper{groups: map[string]bool{}}
	for _, path := range []string{"/api", "/apis"} {
		resp, err := c.Do(&rest.Request{Method: "GET", Path: path, Header: rest.Header{"Accept": discoveryAccept}})
		if err != nil {
			return nil, err
		}
		list, ok := resp.Object.(*discoveryv2.APIGroupDiscoveryList)
		if !ok {
			t, err := ResponseTree(resp)
			if err != nil {
				return nil, err
			}
			if t["kind"] != "APIGroupDiscoveryList" {
				return nil, fmt.Errorf("the server does not answer %s with an APIGroupDiscoveryList", path)
			}
			list = new(discoveryv2.APIGroupDiscoveryList)
			if err := api.FromTree(t, list); err != nil {
				return nil, err
			}
		}
		for _, g := range list.Items {
			m.groups[g.Name] = true
			for vi, v := range g.Versions {
				for _, r := range v.Resources {
					e := &Mapping{
						Group: g.Name, Version: v.Version, Resource: r.Resource, Singular: r.SingularResource,
						Namespaced: r.Scope == discoveryv2.ScopeNamespace, ShortNames: r.ShortNames, Categories: r.Categories,
						Verbs: r.Verbs, Preferred: vi == 0,
					}
					if r.ResponseKind != nil {
						e.Kind = r.ResponseKind.Kind
					}
					if e.Singular == "" { // servers behind the aggregation layer may leave it out
						e.Singular = strings.ToLower(e.Kind)
					}
					for _, sub := range r.Subresources {
						e.Subresources = append(e.Subresources, sub.Subresource)
					}
					m.All = append(m.All, e)
				}
			}
		}
	}
	if c.s.Options.known != nil {
		c.s.Options.known[c.target.server] = m
	}
	return m, nil
}

// ForKind finds the resource of a kind, which may be in lower case altogether;
// version "" takes the preferred one.
func (m *Mapper) ForKind(gk metav1.GroupKind, version string) (*Mapping, error) {
	for _, e := range m.All {
		if e.Group == gk.Group && (e.Kind == gk.Kind || strings.ToLower(e.Kind) == gk.Kind) && (version == "" || e.Version == version) {
			return e, nil
		}
	}
	if of, ok := strings.CutSuffix(gk.Kind, "List"); ok { // lists are of every group and of every kind
		for _, e := range m.All {
			if e.Group == gk.Group && (version == "" || e.Version == version) && (of == "" || of == e.Kind) {
				return &Mapping{Group: e.Group, Version: e.Version, Kind: gk.Kind, Resource: strings.ToLower(gk.Kind) + "s"}, nil
			}
		}
	}
	if m.again() {
		return m.ForKind(gk, version)
	}
	return nil, &noKindMatch{gk.Group, version, gk.Kind}
}

// ForObject finds the resource of an object's apiVersion and kind.
func (m *Mapper) ForObject(apiVersion, kind string) (*Mapping, error) {
	gvk := metav1.FromAPIVersionAndKind(apiVersion, kind)
	return m.ForKind(gvk.GroupKind(), gvk.Version)
}

// byResource finds a plural, singular or short name; group and version may be "".
func (m *Mapper) byResource(group, version, name string) *Mapping {
	name = strings.ToLower(name)
	inGroup := func(e *Mapping, exact bool) bool {
		return (group == "" || e.Group == group || !exact && strings.HasPrefix(e.Group, group)) && (version == "" || e.Version == version)
	}
	for _, exact := range []bool{true, false} {
		for _, e := range m.All {
			if inGroup(e, exact) && (e.Resource == name || e.Singular == name) {
				return e
			}
		}
		for _, e := range m.All {
			if inGroup(e, exact) {
				for _, s := range e.ShortNames {
					if s == name {
						return e
					}
				}
			}
		}
	}
	return nil
}

// Find looks up what a person typed: pods, po, Pod, deployments.apps, deployments.v1.apps.
func (m *Mapper) Find(arg string) (*Mapping, error) {
	name, rest, dotted := strings.Cut(arg, ".")
	if dotted {
		if version, group, ok := strings.Cut(rest, "."); ok {
			if e := m.byResource(group, version, name); e != nil {
				return e, nil
			}
		}
		// "pods.v1." names the core group
		if version, ok := strings.CutSuffix(rest, "."); ok {
			for _, e := range m.All {
				if e.Group == "" && e.Version == version && (e.Resource == name || e.Singular == name) {
					return e, nil
				}
			}
		}
		if e := m.byResource(rest, "", name); e != nil {
			return e, nil
		}
	} else if e := m.byResource("", "", name); e != nil {
		return e, nil
	}
	// By kind: Deployment, Deployment.apps, Deployment.v1.apps.
	for _, e := range m.All {
		if e.Kind == name && (!dotted || e.Group == rest || e.Version+"."+e.Group == rest) {
			return e, nil
		}
	}
	if m.again() {
		return m.Find(arg)
	}
	return nil, fmt.Errorf("the server doesn't have a resource type %q", name)
}

// Expand lists the resources of a category (all, api-extensions).
func (m *Mapper) Expand(category string) []*Mapping {
	var out []*Mapping
	seen := map[metav1.GroupResource]bool{}
	for _, e := range m.All {
		for _, c := range e.Categories {
			if c == category && !seen[e.GroupResource()] {
				seen[e.GroupResource()] = true
				out = append(out, e)
			}
		}
	}
	return out
}

// GroupVersions lists every group/version, sorted.
func (m *Mapper) GroupVersions() []string {
	seen := map[string]bool{}
	var out []string
	for _, e := range m.All {
		if gv := e.APIVersion(); !seen[gv] {
			seen[gv] = true
			out = append(out, gv)
		}
	}
	sort.Strings(out)
	return out
}
