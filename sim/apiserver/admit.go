// This file is the seam to the admission plugins: what they see of a write.

package apiserver

import (
	"fmt"
	"strings"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func forbidden(a AccessAttributes, reason string) error {
	name := a.Resource
	if a.Subres != "" {
		name += "/" + a.Subres
	}
	where := "at the cluster scope"
	if a.Namespace != "" {
		where = fmt.Sprintf("in the namespace %q", a.Namespace)
	}
	text := fmt.Sprintf("User %q cannot %s resource %q in API group %q %s", a.User.Name, a.Verb, name, a.Group, where)
	if a.Resource == "" {
		text = fmt.Sprintf("User %q cannot %s path %q", a.User.Name, a.Verb, a.Path)
	}
	if reason = strings.TrimSpace(reason); reason != "" {
		text += ": " + reason
	}
	return fmt.Errorf("%s", text)
}

// The operations of Attributes.
const (
	Create  = "CREATE"
	Update  = "UPDATE"
	Delete  = "DELETE"
	Connect = "CONNECT"
)

// Attributes are one write as admission plugins see it.
type Attributes struct {
	Operation   string
	Kind        *Kind
	Subresource string
	Namespace   string // for namespaces, their own name
	Name        string
	Object      metav1.Object // the server's own copy; nil for DELETE
	Old         metav1.Object // shared; nil for CREATE
	DryRun      bool
	User        *rest.User
	Context     *resource.Context
	// Warn adds a Warning header to the answer.
	Warn func(string)
	// Authorize asks what somebody may do.
	Authorize func(AccessAttributes) (allowed bool, reason string)
}

// Admission looks at writes before they are stored. Errors should be
// *apierrors.StatusError, usually NewForbidden.
type Admission interface {
	// Admit may change a.Object in place.
	Admit(a *Attributes) error
	// Validate sees the object as it will be stored.
	Validate(a *Attributes) error
}

type admitAll struct{}

func (admitAll) Admit(*Attributes) error    { return nil }
func (admitAll) Validate(*Attributes) error { return nil }

// ask asks what somebody may do; the cluster's own parts may do everything.
func (c *call) ask(a AccessAttributes) (allowed bool, reason string) {
	if c.req.User == nil && a.User == Administrator {
		return true, ""
	}
	return c.s.authorizer.Authorize(a)
}

func (c *call) attributes(operation string, obj, old metav1.Object) *Attributes {
	a := &Attributes{Operation: operation, Kind: c.kind, Subresource: c.subresource, Namespace: c.namespace, Name: c.name,
		Object: obj, Old: old, DryRun: c.options.dryRun, User: c.user(), Context: c.s.context(), Warn: c.warn,
		Authorize: c.ask}
	a.Context.User = a.User
	if a.Name == "" && obj != nil {
		a.Name = obj.GetObjectMeta().Name
	}
	if c.kind.Key == "namespaces" {
		a.Namespace = a.Name
	}
	return a
}
