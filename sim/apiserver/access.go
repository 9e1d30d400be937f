// This file says who sends a request and asks whether they may.

package apiserver

import (
	"strings"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Administrator is who sends the requests that carry no user.
var Administrator = &rest.User{
	Name:   "kubernetes-admin",
	Groups: []string{"kubeadm:cluster-admins", "system:authenticated"},
}

// AccessAttributes are what an authorizer decides on.
type AccessAttributes struct {
	User                             *rest.User
	Verb                             string // of the API (get, list …) or, for other paths, the HTTP method in lower case
	Group, Version, Resource, Subres string
	Namespace, Name                  string
	Path                             string // for requests that are no resource's
}

// Authorizer decides who may do what. reason explains, in upstream's words, a
// denial or a permission; "" is allowed.
type Authorizer interface {
	Authorize(a AccessAttributes) (allowed bool, reason string)
	// Rules lists what the user may do in a namespace.
	Rules(user *rest.User, namespace string) (resources []ResourceRule, paths []PathRule, complete bool)
}

// ResourceRule allows verbs on resources.
type ResourceRule struct{ Verbs, Groups, Resources, Names []string }

// PathRule allows verbs on paths that are no resources.
type PathRule struct{ Verbs, Paths []string }

type allowAll struct{}

func (allowAll) Authorize(AccessAttributes) (bool, string) { return true, "" }

func (allowAll) Rules(*rest.User, string) ([]ResourceRule, []PathRule, bool) {
	// What the default roles give to an administrator, and to everyone who has logged in.
	all := []string{"*"}
	return []ResourceRule{
			{Verbs: all, Groups: all, Resources: all},
			{Verbs: []string{"create"}, Groups: []string{"authorization.k8s.io"}, Resources: []string{"selfsubjectaccessreviews", "selfsubjectrulesreviews"}},
			{Verbs: []string{"create"}, Groups: []string{"authentication.k8s.io"}, Resources: []string{"selfsubjectreviews"}},
		}, []PathRule{
			{Verbs: all, Paths: all},
			{Verbs: []string{"get"}, Paths: []string{"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"}},
		}, true
}

// user is who sends the request.
func (c *call) user() *rest.User {
	if c.req.User != nil {
		return c.req.User
	}
	return Administrator
}

// authorizePath is authorize for paths that are no resource's.
func (c *call) authorizePath() error {
	if _, ok := c.s.authorizer.(allowAll); ok || c.req.User == nil {
		return nil
	}
	a := AccessAttributes{User: c.req.User, Verb: strings.ToLower(c.req.Method), Path: c.req.Path}
	if ok, reason := c.s.authorizer.Authorize(a); !ok {
		return apierrors.NewForbidden(metav1.GroupResource{}, "", forbidden(a, reason))
	}
	return nil
}

func (c *call) authorize() error {
	if _, ok := c.s.authorizer.(allowAll); ok || c.req.User == nil {
		return nil
	}
	a := AccessAttributes{User: c.req.User, Verb: c.verb, Group: c.kind.Group, Version: c.kind.Version, Resource: c.kind.Plural,
		Subres: c.subresource, Namespace: c.namespace, Name: c.name, Path: c.req.Path}
	if ok, reason := c.s.authorizer.Authorize(a); !ok {
		return apierrors.NewForbidden(c.gr(), c.name, forbidden(a, reason))
	}
	return nil
}
