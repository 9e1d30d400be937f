// This file holds the rules of metadata that are the same for all resources:
// what the server sets itself, what a request must agree with, and the
// validation of kinds that have no strategy of their own.

package apiserver

import (
	"fmt"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

const (
	maxNameLength   = 63
	suffixLength    = 5
	maxNameAttempts = 8
)

// generateName appends a random suffix to a prefix, which is cut to leave room.
func (s *Server) generateName(prefix string) string {
	if len(prefix) > maxNameLength-suffixLength {
		prefix = prefix[:maxNameLength-suffixLength]
	}
	return prefix + s.suffixes.Suffix(suffixLength)
}

// fitNamespace makes the object's namespace that of the request.
func (c *call) fitNamespace(m *metav1.ObjectMeta) error {
	want := ""
	if c.kind.Namespaced {
		want = c.namespace
	}
	switch {
	case m.Namespace == want:
	case m.Namespace == "":
		m.Namespace = want
	case want == "":
		// Upstream refuses it later, as a field of the object.
		if c.kind.Strategy.Validate == nil {
			return apierrors.NewBadRequest("namespace is not allowed on this type")
		}
	default:
		return apierrors.NewBadRequest(fmt.Sprintf("the namespace of the provided object does not match the namespace sent on the request"))
	}
	return nil
}

// fitName checks the object's name against that of the path.
func (c *call) fitName(m *metav1.ObjectMeta) error {
	if m.Name == "" {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s based on URL) was undeterminable: name must be provided", c.name))
	}
	if m.Name != c.name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", m.Name, c.name))
	}
	if c.namespace != "" && m.Namespace != "" && m.Namespace != c.namespace {
		return apierrors.NewBadRequest(fmt.Sprintf("the namespace of the object (%s) does not match the namespace on the request (%s)", m.Namespace, c.namespace))
	}
	return nil
}

// dedupOwners drops owner references that are there twice.
func (c *call) dedupOwners(m *metav1.ObjectMeta) {
	if len(m.OwnerReferences) < 2 {
		return
	}
	var out []metav1.OwnerReference
	var dropped []string
	for i, ref := range m.OwnerReferences {
		duplicate := false
		for _, o := range m.OwnerReferences[:i] {
			duplicate = duplicate || sameOwner(o, ref)
		}
		if duplicate {
			dropped = append(dropped, string(ref.UID))
		} else {
			out = append(out, ref)
		}
	}
	if len(dropped) > 0 {
		m.OwnerReferences = out
		c.warn(fmt.Sprintf(".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: %v", strings.Join(dropped, ", ")))
	}
}

func sameOwner(a, b metav1.OwnerReference) bool {
	return a.UID == b.UID && a.APIVersion == b.APIVersion && a.Kind == b.Kind && a.Name == b.Name &&
		samePointer(a.Controller, b.Controller) && samePointer(a.BlockOwnerDeletion, b.BlockOwnerDeletion)
}

func samePointer[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// validatePath is what every name must be: one segment of a path.
func validatePath(m *metav1.ObjectMeta) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("metadata").Child("name")
	if m.Name == "" {
		return field.ErrorList{field.Required(path, "name or generateName is required")}
	}
	if m.Name == "." || m.Name == ".." {
		errs = append(errs, field.Invalid(path, m.Name, fmt.Sprintf("may not be '%s'", m.Name)))
	}
	for _, c := range []string{"/", "%"} {
		if strings.Contains(m.Name, c) {
			errs = append(errs, field.Invalid(path, m.Name, fmt.Sprintf("may not contain '%s'", c)))
		}
	}
	return errs
}

// validateMeta is for kinds whose strategy validates nothing: names are DNS
// subdomains, labels and annotations have the usual forms.
func validateMeta(k *Kind, m *metav1.ObjectMeta) field.ErrorList {
	path := field.NewPath("metadata")
	var errs field.ErrorList
	check := func(p *field.Path, value string, messages []string) {
		for _, msg := range messages {
			errs = append(errs, field.Invalid(p, value, msg))
		}
	}
	check(path.Child("name"), m.Name, validation.IsDNS1123Subdomain(m.Name))
	if k.Namespaced && m.Namespace == "" {
		errs = append(errs, field.Required(path.Child("namespace"), ""))
	}
	errs = append(errs, validateTags(m)...)
	for _, f := range m.Finalizers {
		check(path.Child("finalizers"), f, validation.IsQualifiedName(f))
	}
	return errs
}

// validateTags validates labels and annotations.
func validateTags(m *metav1.ObjectMeta) field.ErrorList {
	path := field.NewPath("metadata")
	var errs field.ErrorList
	check := func(p *field.Path, value string, messages []string) {
		for _, msg := range messages {
			errs = append(errs, field.Invalid(p, value, msg))
		}
	}
	for _, key := range sortedKeys(m.Labels) {
		check(path.Child("labels"), key, validation.IsQualifiedName(key))
		check(path.Child("labels"), m.Labels[key], validation.IsValidLabelValue(m.Labels[key]))
	}
	for _, key := range sortedKeys(m.Annotations) {
		check(path.Child("annotations"), key, validation.IsQualifiedName(strings.ToLower(key)))
	}
	return errs
}

// validateMetaUpdate is for kinds whose strategy does not validate updates.
func validateMetaUpdate(m, old *metav1.ObjectMeta) field.ErrorList {
	path := field.NewPath("metadata")
	var errs field.ErrorList
	immutable := func(name string, same bool, value any) {
		if !same {
			errs = append(errs, field.Invalid(path.Child(name), value, "field is immutable"))
		}
	}
	if old.DeletionTimestamp != nil {
		var extra []string
		for _, f := range m.Finalizers {
			if !has(old.Finalizers, f) {
				extra = append(extra, f)
			}
		}
		if len(extra) > 0 {
			errs = append(errs, field.Forbidden(path.Child("finalizers"),
				fmt.Sprintf("no new finalizers can be added if the object is being deleted, found new finalizers %#v", extra)))
		}
	}
	immutable("name", m.Name == old.Name, m.Name)
	immutable("namespace", m.Namespace == old.Namespace, m.Namespace)
	immutable("uid", m.UID == old.UID, m.UID)
	immutable("creationTimestamp", m.CreationTimestamp.Equal(&old.CreationTimestamp), m.CreationTimestamp)
	immutable("deletionTimestamp", m.DeletionTimestamp.Equal(old.DeletionTimestamp), m.DeletionTimestamp)
	return append(errs, validateTags(m)...)
}
