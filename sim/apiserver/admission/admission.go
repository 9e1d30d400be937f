// Package admission holds the plugins through which every write passes before
// it is stored: they fill in what depends on other objects (service account,
// priority, default classes) and refuse what the cluster's state does not allow
// (missing or ending namespaces, quotas, limits). One file per plugin; the
// order is the API server's.
package admission

import (
	"fmt"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

type attributes = apiserver.Attributes

// Plugin is one rule. Either function may be nil. Admit may change the object,
// copying what is shared; Validate may not.
type Plugin struct {
	Name     string
	Admit    func(a *apiserver.Attributes) error
	Validate func(a *apiserver.Attributes) error
}

// Chain runs plugins in their order; the first error ends it.
type Chain []Plugin

// Admit runs the changing half of each plugin.
func (c Chain) Admit(a *apiserver.Attributes) error {
	for i := range c {
		if c[i].Admit == nil {
			continue
		}
		if err := c[i].Admit(a); err != nil {
			return err
		}
	}
	return nil
}

// Validate runs the judging half of each plugin.
func (c Chain) Validate(a *apiserver.Attributes) error {
	for i := range c {
		if c[i].Validate == nil {
			continue
		}
		if err := c[i].Validate(a); err != nil {
			return err
		}
	}
	return nil
}

// Default is what an API server runs unless it is told otherwise.
func Default() Chain {
	own := Chain{
		NamespaceLifecycle,
		LimitRanger,
		ServiceAccount,
		PodSecurity,
		PodResize,
		TaintNodesByCondition,
		Priority,
		RuntimeClass,
		DefaultTolerationSeconds,
		DefaultStorageClass,
		PersistentVolumeClaimResize,
		StorageObjectInUseProtection,
		CertificateApproval,
		CertificateSigning,
		CertificateSubjectRestriction,
		DefaultIngressClass,
	}
	return append(own[:len(own):len(own)],
		MutatingAdmissionWebhook(own.Admit),
		ValidatingAdmissionPolicy(),
		ValidatingAdmissionWebhook,
		ResourceQuota,
	)
}

var _ apiserver.Admission = Chain(nil)

// forbid refuses the write of the object for a reason.
func forbid(a *attributes, format string, args ...any) *apierrors.StatusError {
	name := a.Name
	if name == "" && a.Object != nil {
		if name = a.Object.GetObjectMeta().GenerateName; name == "" {
			name = "Unknown"
		}
	}
	return apierrors.NewForbidden(a.Kind.GroupResource(), name, fmt.Errorf(format, args...))
}

// is reports whether the write is an operation on objects of the resource themselves.
func is(a *attributes, operation, resource string) bool {
	return a.Operation == operation && a.Kind.Key == resource && a.Subresource == ""
}

func get[T metav1.Object](a *attributes, resource, namespace, name string) (T, bool) {
	obj, ok := a.Context.Get(resource, namespace, name).(T)
	return obj, ok
}

// list visits the typed objects of a resource; nothing when the server cannot list.
func list[T metav1.Object](a *attributes, resource, namespace string, visit func(T)) {
	if a.Context.List == nil {
		return
	}
	a.Context.List(resource, namespace, func(obj metav1.Object) {
		if t, ok := obj.(T); ok {
			visit(t)
		}
	})
}
