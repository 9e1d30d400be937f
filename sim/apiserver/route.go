// This file reads a request's path: which resource, in which namespace, which
// object and which subresource of it, and which verb the HTTP method means
// there. Paths that are no resources (discovery, health, OpenAPI) are answered
// here through their own files.

package apiserver

import (
	"strings"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// target is what a path names.
type target struct {
	kind        *Kind
	namespace   string // "" for cluster-scoped objects and for all namespaces
	name        string // "" for the collection
	subresource string
	path        string // what follows a proxy subresource, with its slash
}

// route fills in the target and the verb, or answers at once.
func (c *call) route() (resp *rest.Response, done bool, err error) {
	p := strings.TrimSuffix(c.req.Path, "/")
	parts := strings.Split(strings.TrimPrefix(p, "/"), "/")
	var group, version string
	var rest []string
	switch {
	case parts[0] == "api" && len(parts) >= 2:
		version, rest = parts[1], parts[2:]
	case parts[0] == "apis" && len(parts) >= 3:
		group, version, rest = parts[1], parts[2], parts[3:]
	default:
		if err = c.authorizePath(); err == nil {
			resp, err = c.root(p, parts)
		}
		return resp, true, err
	}
	if len(rest) == 0 {
		if err := c.authorizePath(); err != nil {
			return nil, true, err
		}
	}
	if (parts[0] == "apis" && group == "") || !c.s.kinds.hasVersion(group, version) {
		return notFoundPage(), true, nil
	}
	if len(rest) == 0 {
		resp, err = c.apiResources(group, version)
		return resp, true, err
	}
	watching := false
	if rest[0] == "watch" && len(rest) > 1 { // the old form of ?watch=true
		watching, rest = true, rest[1:]
	}
	if !c.locate(group, version, rest, c.req.Path) {
		return nil, true, errUnknownPath(c.req)
	}
	if err := c.method(watching); err != nil {
		return nil, true, err
	}
	return nil, false, nil
}

// locate reads the part of the path after the version.
func (c *call) locate(group, version string, parts []string, full string) bool {
	namespaced := false
	if parts[0] == "namespaces" && len(parts) >= 3 && !(group == "" && len(parts) == 3 && (parts[2] == "status" || parts[2] == "finalize")) {
		namespaced = true
		c.namespace, parts = parts[1], parts[2:]
		if c.namespace == "" {
			return false
		}
	}
	c.kind = c.s.kinds.find(group, version, parts[0])
	if c.kind == nil || namespaced && !c.kind.Namespaced {
		return false
	}
	if len(parts) > 1 {
		c.name = parts[1]
		if c.name == "" || c.kind.Namespaced && !namespaced {
			return false
		}
	}
	if len(parts) > 2 {
		c.subresource = parts[2]
		if c.kind.Subresource(c.subresource) == nil {
			return false
		}
		if c.subresource == "proxy" {
			head := strings.Join(parts[:3], "/")
			i := strings.Index(full, "/"+head)
			c.path = full[i+1+len(head):]
		} else if len(parts) > 3 {
			return false
		}
	}
	return true
}

// method turns the HTTP method into a verb.
func (c *call) method(watching bool) error {
	get := map[string]string{"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "POST": "create", "HEAD": "get"}
	c.verb = get[c.req.Method]
	if c.subresource != "" {
		if !has(c.kind.Subresource(c.subresource).Verbs, c.verb) {
			return errMethodNotAllowed(c.req)
		}
		return nil
	}
	if c.name == "" {
		collection := map[string]string{"GET": "list", "HEAD": "list", "POST": "create", "DELETE": "deletecollection"}
		c.verb = collection[c.req.Method]
		if c.kind.Namespaced && c.namespace == "" && c.verb != "list" {
			return errMethodNotAllowed(c.req)
		}
	} else if c.verb == "create" {
		return errMethodNotAllowed(c.req)
	}
	if c.verb == "list" || c.verb == "get" && (watching || c.queryBool("watch")) {
		if watching || c.queryBool("watch") {
			c.verb = "watch"
		}
	}
	if c.verb == "" || !c.kind.HasVerb(c.verb) {
		return errMethodNotAllowed(c.req)
	}
	return nil
}

func has(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// queryBool reads a query parameter as the API does: anything but "0" and "false" is true.
func (c *call) queryBool(name string) bool {
	v, ok := c.req.Query[name]
	if !ok || len(v) == 0 {
		return false
	}
	switch strings.ToLower(v[0]) {
	case "false", "0":
		return false
	}
	return true
}

func errUnknownPath(req *rest.Request) error {
	return apierrors.NewGenericServerResponse(404, req.Method, metav1.GroupResource{}, "", "404 page not found", 0, false)
}

func errMethodNotAllowed(req *rest.Request) error {
	return apierrors.NewGenericServerResponse(405, req.Method, metav1.GroupResource{}, "", "", 0, false)
}

// notFoundPage is the answer outside of every API group.
func notFoundPage() *rest.Response {
	return &rest.Response{Code: 404, ContentType: "text/plain; charset=utf-8", Body: []byte("404 page not found\n")}
}
