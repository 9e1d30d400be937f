// This file turns the discovery documents into the registry of served kinds.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

type gvk struct{ Group, Version, Kind string }

type discoveryList struct {
	Items []struct {
		Metadata struct{ Name string }
		Versions []struct {
			Version   string
			Resources []struct {
				Resource         string
				ResponseKind     gvk
				Scope            string
				SingularResource string
				Verbs            []string
				ShortNames       []string
				Categories       []string
				Subresources     []struct {
					Subresource   string
					ResponseKind  gvk
					AcceptedTypes []gvk
					Verbs         []string
				}
			}
		}
	}
}

func emitRegistry(dir string, pkgs []*pkg) ([]byte, error) {
	byGV := map[[2]string]*pkg{}
	for _, p := range pkgs {
		byGV[[2]string{p.group, p.version}] = p
	}
	imports := map[string]string{module + metaDir: "metav1"}
	use := func(p *pkg) string { imports[module+p.dir] = p.alias(); return p.alias() }

	var resources, groups, kinds bytes.Buffer
	for _, file := range []string{"aggregated-api.json", "aggregated-apis.json"} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return nil, err
		}
		var list discoveryList
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, g := range list.Items {
			fmt.Fprintf(&groups, "{Name: %q, Versions: []string{", g.Metadata.Name)
			for i, v := range g.Versions {
				if i > 0 {
					groups.WriteString(", ")
				}
				fmt.Fprintf(&groups, "%q", v.Version)
				p := byGV[[2]string{g.Metadata.Name, v.Version}]
				if p == nil {
					return nil, fmt.Errorf("no Go package for %s/%s", g.Metadata.Name, v.Version)
				}
				for _, r := range v.Resources {
					if !p.objects[r.ResponseKind.Kind] {
						return nil, fmt.Errorf("no Go struct for %s/%s %s", g.Metadata.Name, v.Version, r.ResponseKind.Kind)
					}
					fmt.Fprintf(&resources, "{Group: %q, Version: %q, Kind: %q, Plural: %q, Singular: %q, Namespaced: %t,\nVerbs: %#v,\n",
						g.Metadata.Name, v.Version, r.ResponseKind.Kind, r.Resource, r.SingularResource, r.Scope == "Namespaced", r.Verbs)
					if r.ShortNames != nil {
						fmt.Fprintf(&resources, "ShortNames: %#v,\n", r.ShortNames)
					}
					if r.Categories != nil {
						fmt.Fprintf(&resources, "Categories: %#v,\n", r.Categories)
					}
					if r.Subresources != nil {
						resources.WriteString("Subresources: []Subresource{\n")
						for _, s := range r.Subresources {
							k := s.ResponseKind
							if k.Version == "" { // the resource's own group and version
								k.Group, k.Version = g.Metadata.Name, v.Version
							}
							fmt.Fprintf(&resources, "{Name: %q, Kind: metav1.GroupVersionKind{Group: %q, Version: %q, Kind: %q}, Verbs: %#v},\n",
								s.Subresource, k.Group, k.Version, k.Kind, s.Verbs)
						}
						resources.WriteString("},\n")
					}
					fmt.Fprintf(&resources, "New: func() metav1.Object { return new(%s.%s) }},\n", use(p), r.ResponseKind.Kind)
				}
			}
			groups.WriteString("}},\n")
		}
	}
	for _, p := range pkgs {
		if p.dir == metaDir || p.dir == "apidiscovery/v2" {
			continue
		}
		var names []string
		for name := range p.objects {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			fmt.Fprintf(&kinds, "{Group: %q, Version: %q, Kind: %q}: func() metav1.Object { return new(%s.%s) },\n", p.group, p.version, name, use(p), name)
		}
	}

	var out bytes.Buffer
	out.WriteString(header + "package api\n\nimport (\n")
	var paths []string
	for path := range imports {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		fmt.Fprintf(&out, "%s %q\n", imports[path], path)
	}
	fmt.Fprintf(&out, ")\n\nvar groups = []Group{\n%s}\n\nvar resources = []*Resource{\n%s}\n\nvar kinds = map[metav1.GroupVersionKind]func() metav1.Object{\n%s}\n",
		groups.Bytes(), resources.Bytes(), kinds.Bytes())
	return out.Bytes(), nil
}
