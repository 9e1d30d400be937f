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
	// Later sets rest.Response's field of that name.
	Later func()
	// Authorize asks what somebody may do.
	Authorize func(AccessAttributes) (allowed bool, reason string)

	call *call
}

// Equivalents are the kinds under which the same objects are served.
func (a *Attributes) Equivalents() []*Kind {
	var out []*Kind
	for _, k := range a.call.s.Kinds() {
		if k.Key == a.Kind.Key {
			out = append(out, k)
		}
	}
	return out
}

// KindOf finds a served kind; nil when there is none.
func (a *Attributes) KindOf(gvk metav1.GroupVersionKind) *Kind {
	for _, k := range a.call.s.Kinds() {
		if k.GroupVersionKind() == gvk && k.stores() {
			return k
		}
	}
	return nil
}

// Shown is the write as policies and webhooks see it: a change of scale is one
// of a Scale, though plugins of the server itself see the workload.
func (a *Attributes) Shown() *Attributes {
	c := a.call
	if !c.scaling || a.Subresource != "" {
		return a
	}
	out := *a
	out.Subresource, out.Object, out.Old = "scale", c.scaleOf(a.Object), c.scaleOf(a.Old)
	return &out
}

// OptionsTree are the options of the write, as a tree.
func (a *Attributes) OptionsTree() map[string]any {
	if a.Operation == Connect {
		return nil
	}
	verb := string(a.Operation[0]) + strings.ToLower(a.Operation[1:])
	if a.call.verb == "patch" && a.Operation == Update {
		verb = "Patch"
	}
	t := map[string]any{"kind": verb + "Options", "apiVersion": "meta.k8s.io/v1"}
	if m := a.call.options.manager; m != "" && a.Operation != Delete {
		t["fieldManager"] = m
	}
	if v := a.call.options.validation; v != "" && a.Operation != Delete {
		t["fieldValidation"] = v
	}
	if a.DryRun {
		t["dryRun"] = []any{"All"}
	}
	return t
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
		Object: obj, Old: old, DryRun: c.options.dryRun, User: c.user(), Context: c.s.context(), Warn: c.warn, Later: func() { c.later = true },
		Authorize: c.ask, call: c}
	a.Context.User = a.User
	if a.Name == "" && obj != nil {
		a.Name = obj.GetObjectMeta().Name
	}
	if c.kind.Key == "namespaces" {
		a.Namespace = a.Name
	}
	return a
}

// admit asks both halves of admission about something that is not stored as it is.
func (c *call) admit(operation string, obj, old metav1.Object) error {
	a := c.attributes(operation, obj, old)
	if err := c.s.admission.Admit(a); err != nil {
		return err
	}
	return c.s.admission.Validate(a)
}
