// This file publishes the API's schemas as OpenAPI documents, made from the
// schema table: names, types, defaults, list semantics, and for each resource
// the operations and parameters that clients look for. Descriptions are left out.

package apiserver

import (
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/schema"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// documents keeps what has been made, until the served resources change.
type documents struct {
	change uint64
	byPath map[string][]byte
}

func (c *call) openapi(parts []string) (*rest.Response, error) {
	if c.req.Method != "GET" && c.req.Method != "HEAD" {
		return nil, errMethodNotAllowed(c.req)
	}
	if !acceptsJSON(c.req.Header.Get("Accept")) {
		return nil, apierrors.NewNotAcceptable([]string{"application/json"})
	}
	name := strings.Join(parts, "/")
	d := &c.s.docs
	if d.byPath == nil || d.change != c.s.kinds.change {
		*d = documents{change: c.s.kinds.change, byPath: map[string][]byte{}}
	}
	body, ok := d.byPath[name]
	if !ok {
		doc := c.document(parts)
		if doc == nil {
			return notFoundPage(), nil
		}
		var err error
		if body, err = json.Marshal(doc); err != nil {
			return nil, apierrors.NewInternalError(err)
		}
		d.byPath[name] = body
	}
	return &rest.Response{Code: 200, ContentType: "application/json", Body: body}, nil
}

func acceptsJSON(accept string) bool {
	if strings.TrimSpace(accept) == "" {
		return true
	}
	for clause := range strings.SplitSeq(accept, ",") {
		switch mediaType(clause) {
		case "application/json", "*/*", "application/*":
			return true
		}
	}
	return false
}

type tree = map[string]any

// document is the document at a path below /openapi, or nil.
func (c *call) document(parts []string) any {
	switch {
	case len(parts) == 1 && parts[0] == "v3":
		return c.openapiIndex()
	case len(parts) == 1 && parts[0] == "v2":
		return c.openapiV2()
	case len(parts) >= 2 && parts[0] == "v3":
		for _, g := range c.s.kinds.groups() {
			for _, v := range g.Versions {
				if gv := (metav1.GroupVersion{Group: g.Name, Version: v}); prefix(gv) == strings.Join(parts[1:], "/") {
					return c.openapiV3(gv)
				}
			}
		}
	}
	return nil
}

// prefix is the path of a group and version without the first slash.
func prefix(gv metav1.GroupVersion) string {
	if gv.Group == "" {
		return "api/" + gv.Version
	}
	return "apis/" + gv.String()
}

func (c *call) openapiIndex() tree {
	paths := tree{}
	for _, g := range c.s.kinds.groups() {
		for _, v := range g.Versions {
			gv := metav1.GroupVersion{Group: g.Name, Version: v}
			// The hash need only change when the document may.
			sum := sha512.Sum512([]byte(fmt.Sprint(prefix(gv), " ", c.s.kinds.change, " ", Version.GitVersion)))
			paths[prefix(gv)] = tree{"serverRelativeURL": "/openapi/v3/" + prefix(gv) + "?hash=" + strings.ToUpper(hex.EncodeToString(sum[:]))}
		}
	}
	return tree{"paths": paths}
}

var apiInfo = tree{"title": "Kubernetes", "version": Version.GitVersion}

// openapiV3 is the document of one group and version.
func (c *call) openapiV3(gv metav1.GroupVersion) tree {
	w := &schemaWriter{prefix: schema.RefPrefix, out: tree{}}
	paths := tree{}
	for _, k := range c.s.kinds.resources(gv.Group, gv.Version) {
		c.describe(w, k, paths, false)
	}
	return tree{"openapi": "3.0.0", "info": apiInfo, "paths": paths, "components": tree{"schemas": w.out}}
}

func (c *call) openapiV2() tree {
	w := &schemaWriter{prefix: "#/definitions/", out: tree{}, v2: true}
	paths := tree{}
	for _, k := range c.s.Kinds() {
		c.describe(w, k, paths, true)
	}
	return tree{"swagger": "2.0", "info": apiInfo, "paths": paths, "definitions": w.out}
}

// describe adds a resource's paths and schemas.
func (c *call) describe(w *schemaWriter, k *Kind, paths tree, v2 bool) {
	gvk := k.GroupVersionKind()
	w.kind(k, gvk)
	list := gvk
	list.Kind += "List"
	w.add(schema.ForKind(list.Group, list.Version, list.Kind))
	base := "/" + prefix(metav1.GroupVersion{Group: k.Group, Version: k.Version})
	collection := base + "/" + k.Plural
	if k.Namespaced {
		if k.HasVerb("list") {
			paths[collection] = operations(gvk, v2, "list")
		}
		collection = base + "/namespaces/{namespace}/" + k.Plural
	}
	var all, one []string
	for _, v := range k.Verbs {
		switch v {
		case "list", "create", "deletecollection":
			all = append(all, v)
		case "get", "update", "patch", "delete":
			one = append(one, v)
		}
	}
	if len(all) > 0 {
		paths[collection] = operations(gvk, v2, all...)
	}
	if len(one) > 0 {
		paths[collection+"/{name}"] = operations(gvk, v2, one...)
	}
	for _, s := range k.Subresources {
		w.add(schema.ForKind(s.Kind.Group, s.Kind.Version, s.Kind.Kind))
		var verbs []string
		for _, v := range s.Verbs {
			if v != "delete" || s.Name == "proxy" {
				verbs = append(verbs, v)
			}
		}
		paths[collection+"/{name}/"+s.Name] = operations(s.Kind, v2, verbs...)
	}
}

var methods = map[string]string{"list": "get", "get": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete", "deletecollection": "delete"}

func operations(gvk metav1.GroupVersionKind, v2 bool, verbs ...string) tree {
	out := tree{}
	for _, verb := range verbs {
		var names []string
		switch verb {
		case "create", "update":
			names = []string{"dryRun", "fieldManager", "fieldValidation"}
		case "patch":
			names = []string{"dryRun", "fieldManager", "fieldValidation", "force"}
		case "delete":
			names = []string{"dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"}
		case "list", "deletecollection":
			names = []string{"allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
				"resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch"}
		}
		parameters := []any{}
		for _, n := range names {
			sort := "string"
			switch n {
			case "force", "orphanDependents", "allowWatchBookmarks", "sendInitialEvents", "watch":
				sort = "boolean"
			case "gracePeriodSeconds", "limit", "timeoutSeconds":
				sort = "integer"
			}
			p := tree{"name": n, "in": "query"}
			if v2 {
				p["type"] = sort
			} else {
				p["schema"] = tree{"type": sort}
			}
			parameters = append(parameters, p)
		}
		out[methods[verb]] = tree{"parameters": parameters, "responses": tree{"200": tree{"description": "OK"}},
			"x-kubernetes-action":             strings.NewReplacer("create", "post", "update", "put").Replace(verb),
			"x-kubernetes-group-version-kind": tree{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}}
	}
	return out
}

// schemaWriter collects schemas and those they refer to.
type schemaWriter struct {
	prefix string
	out    tree
	v2     bool
}

func (w *schemaWriter) kind(k *Kind, gvk metav1.GroupVersionKind) {
	if k.Dynamic == nil {
		w.add(k.Schema)
		return
	}
	parts := strings.Split(gvk.Group, ".")
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	doc := tree{"type": "object"}
	for key, v := range k.Dynamic.OpenAPI {
		doc[key] = v
	}
	properties := tree{}
	if p, ok := doc["properties"].(map[string]any); ok {
		for key, v := range p {
			properties[key] = v
		}
	}
	const metaType = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
	properties["apiVersion"], properties["kind"] = tree{"type": "string"}, tree{"type": "string"}
	properties["metadata"] = tree{"$ref": w.prefix + metaType}
	doc["properties"] = properties
	doc["x-kubernetes-group-version-kind"] = []any{tree{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}}
	w.out[strings.Join(parts, ".")+"."+gvk.Version+"."+gvk.Kind] = doc
	w.add(schema.Lookup(metaType))
}

func (w *schemaWriter) add(t *schema.Type) {
	if t == nil || w.out[t.Name] != nil {
		return
	}
	doc := tree{}
	w.out[t.Name] = doc
	switch t.Kind {
	case schema.Quantity, schema.IntOrString:
		doc["type"] = "string"
		if !w.v2 {
			delete(doc, "type")
			doc["oneOf"] = []any{tree{"type": "string"}, tree{"type": "number"}}
			if t.Kind == schema.IntOrString {
				doc["oneOf"] = []any{tree{"type": "integer"}, tree{"type": "string"}}
			}
		}
		if t.Kind == schema.IntOrString {
			doc["format"] = "int-or-string"
		}
		return
	case schema.Time, schema.MicroTime:
		doc["type"], doc["format"] = "string", "date-time"
		return
	case schema.Any:
		return
	}
	doc["type"] = "object"
	if len(t.Fields) > 0 {
		properties := tree{}
		var required []string
		for i := range t.Fields {
			f := &t.Fields[i]
			properties[f.Name] = w.value(&f.Value, false)
			if f.Required {
				required = append(required, f.Name)
			}
		}
		doc["properties"] = properties
		if required != nil {
			doc["required"] = required
		}
	}
	marks(doc, &t.Value)
	if len(t.Kinds) > 0 {
		var kinds []any
		for _, k := range t.Kinds {
			kinds = append(kinds, tree{"group": k.Group, "version": k.Version, "kind": k.Kind})
		}
		doc["x-kubernetes-group-version-kind"] = kinds
	}
	if len(t.Unions) > 0 {
		var unions []any
		for _, u := range t.Unions {
			o := tree{"fields-to-discriminateBy": u.Members}
			if u.Discriminator != "" {
				o["discriminator"] = u.Discriminator
			}
			unions = append(unions, o)
		}
		doc["x-kubernetes-unions"] = unions
	}
}

// marks adds what the API says about merging.
func marks(doc tree, v *schema.Value) {
	for key, value := range map[string]string{"x-kubernetes-patch-strategy": v.PatchStrategy, "x-kubernetes-patch-merge-key": v.PatchMergeKey,
		"x-kubernetes-list-type": v.ListType, "x-kubernetes-map-type": v.MapType} {
		if value != "" {
			doc[key] = value
		}
	}
	if len(v.ListMapKeys) > 0 {
		doc["x-kubernetes-list-map-keys"] = v.ListMapKeys
	}
}

// value is the schema of a field, or of an element of one.
func (w *schemaWriter) value(v *schema.Value, element bool) tree {
	doc := tree{}
	switch {
	case v.Ref != "":
		w.add(schema.Lookup(v.Ref))
		ref := tree{"$ref": w.prefix + v.Ref}
		if w.v2 || element && v.Default == "" {
			doc = ref
		} else {
			doc["allOf"] = []any{ref}
		}
	case v.Kind == schema.Array:
		doc["type"], doc["items"] = "array", w.value(v.Elem, true)
	case v.Kind == schema.Map:
		doc["type"], doc["additionalProperties"] = "object", w.value(v.Elem, true)
	case v.Kind == schema.Time || v.Kind == schema.MicroTime:
		doc["type"], doc["format"] = "string", "date-time"
	case v.Kind == schema.Any:
	case v.Kind == schema.IntOrString:
		doc["x-kubernetes-int-or-string"] = true
	case v.Kind == schema.Quantity:
		doc["type"] = "string"
	default:
		doc["type"] = string(v.Kind)
	}
	if v.Format != "" && v.Ref == "" && doc["format"] == nil {
		doc["format"] = v.Format
	}
	if len(v.Enum) > 0 {
		doc["enum"] = v.Enum
	}
	if v.Default != "" && !(w.v2 && v.Ref != "") {
		doc["default"] = v.DefaultValue()
	}
	marks(doc, v)
	return doc
}
