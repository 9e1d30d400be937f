// This file answers the paths that are no resources: discovery in its old and
// its aggregated form, the version, and health.

package apiserver

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	apidiscoveryv2 "github.com/kubonsai/kubonsai/sim/api/apidiscovery/v2"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Version is what the server says it is.
var Version = struct {
	Major                 string `json:"major"`
	Minor                 string `json:"minor"`
	EmulationMajor        string `json:"emulationMajor"`
	EmulationMinor        string `json:"emulationMinor"`
	MinCompatibilityMajor string `json:"minCompatibilityMajor"`
	MinCompatibilityMinor string `json:"minCompatibilityMinor"`
	GitVersion            string `json:"gitVersion"`
	GitCommit             string `json:"gitCommit"`
	GitTreeState          string `json:"gitTreeState"`
	BuildDate             string `json:"buildDate"`
	GoVersion             string `json:"goVersion"`
	Compiler              string `json:"compiler"`
	Platform              string `json:"platform"`
}{"1", "36", "1", "36", "1", "35", "v1.36.2", "98b35193b2ac7a23a673325f5e9b830ecd5ba406", "clean", "2026-08-18T00:00:00Z", "go1.26.8", "gc", "linux/amd64"}

func (c *call) root(path string, parts []string) (*rest.Response, error) {
	switch parts[0] {
	case "":
		return c.read(indented(c.rootPaths()))
	case "api":
		return c.read(c.apiVersions())
	case "apis":
		if len(parts) == 1 {
			return c.read(c.apiGroups())
		}
		return c.read(c.apiGroup(parts[1]))
	case "version":
		if len(parts) == 1 {
			return c.read(indented(&Version))
		}
	case "healthz", "livez", "readyz":
		return c.read(c.health(parts))
	case "openapi":
		return c.openapi(parts[1:])
	case ".well-known":
		if path == "/.well-known/openid-configuration" {
			return c.read(text(200, "application/json", `{"issuer":"`+Issuer+`","jwks_uri":"https://`+c.s.address+`/openid/v1/jwks","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"]}`))
		}
	}
	return notFoundPage(), nil
}

// read lets only reading methods through.
func (c *call) read(resp *rest.Response) (*rest.Response, error) {
	if c.req.Method != "GET" && c.req.Method != "HEAD" {
		return nil, errMethodNotAllowed(c.req)
	}
	return resp, nil
}

func text(code int, contentType, body string) *rest.Response {
	return &rest.Response{Code: code, ContentType: contentType, Body: []byte(body)}
}

// indented is a document that is no API object, as upstream prints it.
func indented(v any) *rest.Response {
	body, _ := json.MarshalIndent(v, "", "  ")
	return &rest.Response{Code: 200, ContentType: "application/json", Body: body}
}

func (c *call) rootPaths() *metav1.RootPaths {
	out := &metav1.RootPaths{Paths: []string{"/.well-known/openid-configuration", "/api", "/api/v1", "/apis"}}
	var groups []string
	for _, g := range c.s.kinds.groups() {
		if g.Name == "" {
			continue
		}
		groups = append(groups, "/apis/"+g.Name)
		for _, v := range g.Versions {
			groups = append(groups, "/apis/"+g.Name+"/"+v)
		}
	}
	out.Paths = append(out.Paths, groups...)
	out.Paths = append(out.Paths, "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version")
	return out
}

// checks are the parts that the health pages list.
var checks = []string{"ping", "log", "etcd", "informer-sync", "poststarthook/start-apiextensions-informers",
	"poststarthook/bootstrap-controller", "poststarthook/rbac/bootstrap-roles", "poststarthook/scheduling/bootstrap-system-priority-classes",
	"poststarthook/apiservice-discovery-controller", "autoregister-completion"}

func (c *call) health(parts []string) *rest.Response {
	const plain = "text/plain; charset=utf-8"
	if len(parts) > 1 {
		if has(checks, strings.Join(parts[1:], "/")) {
			return text(200, plain, "ok")
		}
		return notFoundPage()
	}
	if !c.req.Query.Has("verbose") {
		return text(200, plain, "ok")
	}
	var b strings.Builder
	for _, name := range checks {
		if name == "informer-sync" && parts[0] != "readyz" {
			continue
		}
		fmt.Fprintf(&b, "[+]%s ok\n", name)
	}
	if parts[0] == "readyz" {
		b.WriteString("[+]shutdown ok\n")
	}
	fmt.Fprintf(&b, "%s check passed\n", parts[0])
	return text(200, plain, b.String())
}

// aggregated reports whether the client asks for discovery in one document.
func (c *call) aggregated() bool {
	for clause := range strings.SplitSeq(c.req.Header.Get("Accept"), ",") {
		clause = strings.ReplaceAll(clause, " ", "")
		media, params, _ := strings.Cut(clause, ";")
		if media != "application/json" {
			continue
		}
		if !strings.Contains(params, "as=") {
			return false
		}
		if strings.Contains(params, "as=APIGroupDiscoveryList") && strings.Contains(params, "g=apidiscovery.k8s.io") && strings.Contains(params, "v=v2") &&
			!strings.Contains(params, "v=v2beta") {
			return true
		}
	}
	return false
}

func (c *call) apiVersions() *rest.Response {
	if c.aggregated() {
		return c.discovery(func(group string) bool { return group == "" })
	}
	v := &metav1.APIVersions{Versions: []string{"v1"},
		ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{{ClientCIDR: "0.0.0.0/0", ServerAddress: c.s.address}}}
	v.Kind = "APIVersions"
	return &rest.Response{Code: 200, Object: v}
}

func (c *call) group(name string) *metav1.APIGroup {
	for _, g := range c.s.kinds.groups() {
		if g.Name != name || name == "" {
			continue
		}
		out := &metav1.APIGroup{Name: name}
		for _, v := range g.Versions {
			out.Versions = append(out.Versions, metav1.GroupVersionForDiscovery{GroupVersion: name + "/" + v, Version: v})
		}
		out.PreferredVersion = out.Versions[0]
		return out
	}
	return nil
}

func (c *call) apiGroups() *rest.Response {
	if c.aggregated() {
		return c.discovery(func(group string) bool { return group != "" })
	}
	list := &metav1.APIGroupList{}
	list.Kind, list.APIVersion = "APIGroupList", "v1"
	for _, g := range c.s.kinds.groups() {
		if o := c.group(g.Name); o != nil {
			list.Groups = append(list.Groups, *o)
		}
	}
	return &rest.Response{Code: 200, Object: list}
}

func (c *call) apiGroup(name string) *rest.Response {
	g := c.group(name)
	if g == nil {
		return notFoundPage()
	}
	g.Kind, g.APIVersion = "APIGroup", "v1"
	return &rest.Response{Code: 200, Object: g}
}

// storageHash tells clients whether two resources are stored as the same kind.
func storageHash(k *Kind) string {
	if !k.HasVerb("get") || k.Key == "componentstatuses" {
		return ""
	}
	stored := k.Resource
	if k.Storage != nil {
		stored = k.Storage
	}
	sum := sha256.Sum256([]byte(stored.Group + "/" + stored.Version + "/" + stored.Kind))
	return base64.StdEncoding.EncodeToString(sum[:8])
}

// apiResources answers /api/v1 and /apis/GROUP/VERSION.
func (c *call) apiResources(group, version string) (*rest.Response, error) {
	list := &metav1.APIResourceList{GroupVersion: metav1.GroupVersion{Group: group, Version: version}.String(), APIResources: []metav1.APIResource{}}
	list.Kind = "APIResourceList"
	if group != "" {
		list.APIVersion = "v1"
	}
	for _, k := range c.s.kinds.resources(group, version) {
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: k.Plural, SingularName: k.Singular, Namespaced: k.Namespaced,
			Kind: k.Kind, Verbs: k.Verbs, ShortNames: k.ShortNames, Categories: k.Categories, StorageVersionHash: storageHash(k)})
		for _, s := range k.Subresources {
			r := metav1.APIResource{Name: k.Plural + "/" + s.Name, Namespaced: k.Namespaced, Kind: s.Kind.Kind, Verbs: s.Verbs}
			if s.Kind.Group != group || s.Kind.Version != version {
				r.Group, r.Version = s.Kind.Group, s.Kind.Version
			}
			list.APIResources = append(list.APIResources, r)
		}
	}
	return c.read(&rest.Response{Code: 200, Object: list})
}

// discovery is the aggregated document of the groups that want holds for.
func (c *call) discovery(want func(group string) bool) *rest.Response {
	list := &apidiscoveryv2.APIGroupDiscoveryList{}
	list.Kind, list.APIVersion = "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2"
	for _, g := range c.s.kinds.groups() {
		if !want(g.Name) {
			continue
		}
		group := apidiscoveryv2.APIGroupDiscovery{}
		group.Name = g.Name
		for _, v := range g.Versions {
			version := apidiscoveryv2.APIVersionDiscovery{Version: v, Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent}
			for _, k := range c.s.kinds.resources(g.Name, v) {
				version.Resources = append(version.Resources, aggregate(k))
			}
			group.Versions = append(group.Versions, version)
		}
		list.Items = append(list.Items, group)
	}
	return &rest.Response{Code: 200, Object: list, ContentType: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
}

func aggregate(k *Kind) apidiscoveryv2.APIResourceDiscovery {
	scope := apidiscoveryv2.ScopeCluster
	if k.Namespaced {
		scope = apidiscoveryv2.ScopeNamespace
	}
	// Built-in kinds leave group and version out where they are the resource's own.
	own := func(gvk metav1.GroupVersionKind) *metav1.GroupVersionKind {
		if k.Dynamic == nil && gvk.Group == k.Group && gvk.Version == k.Version {
			gvk.Group, gvk.Version = "", ""
		}
		return &gvk
	}
	r := apidiscoveryv2.APIResourceDiscovery{Resource: k.Plural, ResponseKind: own(k.GroupVersionKind()), Scope: scope,
		SingularResource: k.Singular, Verbs: k.Verbs, ShortNames: k.ShortNames, Categories: k.Categories}
	for _, s := range k.Subresources {
		r.Subresources = append(r.Subresources, apidiscoveryv2.APISubresourceDiscovery{Subresource: s.Name, ResponseKind: own(s.Kind), Verbs: s.Verbs})
	}
	return r
}
