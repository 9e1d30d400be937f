// This file lets a request act as somebody else: kubectl's --as.

package apiserver

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

const serviceAccountUser = "system:serviceaccount:"

// impersonate makes the user that the Impersonate header fields name the one
// who asks, if the real one may act so.
func (c *call) impersonate() error {
	name := c.req.Header.Get("Impersonate-User")
	groups := c.req.Header.Get("Impersonate-Group")
	if name == "" {
		if groups != "" {
			return apierrors.NewInternalError(errImpersonation)
		}
		return nil
	}
	u := &rest.User{Name: name, UID: c.req.Header.Get("Impersonate-Uid")}
	if groups != "" {
		u.Groups = strings.Split(groups, ",")
	}
	for _, field := range slices.Sorted(maps.Keys(c.req.Header)) {
		key, ok := strings.CutPrefix(field, "Impersonate-Extra-")
		if !ok {
			continue
		}
		if key, _ = url.PathUnescape(strings.ToLower(key)); u.Extra == nil {
			u.Extra = map[string][]string{}
		}
		u.Extra[key] = strings.Split(c.req.Header[field], ",")
	}
	if c.req.User != nil {
		may := func(a AccessAttributes) error {
			a.User, a.Verb, a.Version = c.req.User, "impersonate", "v1"
			if ok, reason := c.s.authorizer.Authorize(a); !ok {
				return apierrors.NewForbidden(metav1.GroupResource{Group: a.Group, Resource: a.Resource}, a.Name, forbidden(a, reason))
			}
			return nil
		}
		ask := func(resource, namespace, name string) error {
			return may(AccessAttributes{Resource: resource, Namespace: namespace, Name: name})
		}
		resource, namespace, who := "users", "", name
		if ns, sa, ok := strings.Cut(strings.TrimPrefix(name, serviceAccountUser), ":"); ok && strings.HasPrefix(name, serviceAccountUser) {
			resource, namespace, who = "serviceaccounts", ns, sa
		}
		if err := ask(resource, namespace, who); err != nil {
			return err
		}
		for _, g := range u.Groups {
			if err := ask("groups", "", g); err != nil {
				return err
			}
		}
		const group = "authentication.k8s.io"
		if u.UID != "" {
			if err := may(AccessAttributes{Group: group, Resource: "uids", Name: u.UID}); err != nil {
				return err
			}
		}
		for _, key := range slices.Sorted(maps.Keys(u.Extra)) {
			for _, value := range u.Extra[key] {
				if err := may(AccessAttributes{Group: group, Resource: "userextras", Subres: key, Name: value}); err != nil {
					return err
				}
			}
		}
	}
	if rest, ok := strings.CutPrefix(name, serviceAccountUser); ok && groups == "" {
		namespace, _, _ := strings.Cut(rest, ":")
		u.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace}
	}
	if name != "system:anonymous" && !has(u.Groups, "system:authenticated") {
		u.Groups = append(u.Groups, "system:authenticated")
	}
	req := *c.req
	req.User = u
	c.req = &req
	return nil
}

// ServiceAccountUser is whom a service account is as a user.
func ServiceAccountUser(namespace, name string) *rest.User {
	return &rest.User{Name: serviceAccountUser + namespace + ":" + name,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"}}
}

type impersonationError string

func (e impersonationError) Error() string { return string(e) }

const errImpersonation = impersonationError("requested groups without impersonating a user name")
