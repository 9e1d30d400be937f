// This file validates what every object has: names, labels, annotations, owner
// references and finalizers, on creation and on update. The common case takes
// no regular expression; the messages come from apimachinery's validators.

package resource

import (
	"reflect"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

const (
	immutableMessage   = "field is immutable"
	negativeMessage    = "must be greater than or equal to 0"
	notPositiveMessage = "must be greater than zero"
	totalAnnotations   = 256 << 10
)

var metadataPath = field.NewPath("metadata")
var specPath = field.NewPath("spec")
var statusPath = field.NewPath("status")

// A nameCheck returns what is wrong with a name.
type nameCheck func(name string) []string

func plain(s string, limit int, dot bool) bool {
	if s == "" || len(s) > limit {
		return false
	}
	edge := true // the next character must be alphanumeric
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			edge = false
		case c == '-' && !edge:
			if i+1 < len(s) && s[i+1] == '.' {
				return false
			}
		case c == '.' && dot && !edge:
			edge = true
		default:
			return false
		}
	}
	return !edge && s[len(s)-1] != '-'
}

func dnsLabel(s string) []string {
	if plain(s, 63, false) {
		return nil
	}
	return validation.IsDNS1123Label(s)
}

func dnsSubdomain(s string) []string {
	if plain(s, 253, true) {
		return nil
	}
	return validation.IsDNS1123Subdomain(s)
}

func dns1035Label(s string) []string {
	if plain(s, 63, false) && s[0] > '9' {
		return nil
	}
	return validation.IsDNS1035Label(s)
}

func qualifiedName(s string) []string {
	prefix, name, found := strings.Cut(s, "/")
	if !found {
		prefix, name = "", s
	}
	if plain(name, 63, false) && (!found || plain(prefix, 253, true)) {
		return nil
	}
	return validation.IsQualifiedName(s)
}

func labelValue(s string) []string {
	if s == "" || plain(s, 63, false) {
		return nil
	}
	return validation.IsValidLabelValue(s)
}

// pathSegment is the rule of names that need only fit into a URL: RBAC's.
func pathSegment(s string) []string {
	if s == "." || s == ".." {
		return []string{"may not be '" + s + "'"}
	}
	var out []string
	for _, c := range []string{"/", "%"} {
		if strings.Contains(s, c) {
			out = append(out, "may not contain '"+c+"'")
		}
	}
	return out
}

// validateMeta is the validation of metadata on creation.
func validateMeta(obj metav1.Object, namespaced bool, name nameCheck) field.ErrorList {
	var errs field.ErrorList
	m := obj.GetObjectMeta()
	if m.GenerateName != "" {
		for _, msg := range name(maskTrailingDash(m.GenerateName)) {
			errs = append(errs, field.Invalid(metadataPath.Child("generateName"), m.GenerateName, msg))
		}
	}
	if m.Name == "" {
		errs = append(errs, field.Required(metadataPath.Child("name"), "name or generateName is required"))
	} else {
		for _, msg := range name(m.Name) {
			errs = append(errs, field.Invalid(metadataPath.Child("name"), m.Name, msg))
		}
	}
	if !namespaced {
		if m.Namespace != "" {
			errs = append(errs, field.Forbidden(metadataPath.Child("namespace"), "not allowed on this type"))
		}
	} else if m.Namespace == "" {
		errs = append(errs, field.Required(metadataPath.Child("namespace"), ""))
	} else {
		for _, msg := range dnsLabel(m.Namespace) {
			errs = append(errs, field.Invalid(metadataPath.Child("namespace"), m.Namespace, msg))
		}
	}
	errs = append(errs, nonnegative(m.Generation, metadataPath, "generation")...)
	errs = append(errs, validateLabels(m.Labels, metadataPath, "labels")...)
	errs = append(errs, validateAnnotations(m.Annotations, metadataPath)...)
	errs = append(errs, validateOwners(m.OwnerReferences)...)
	errs = append(errs, validateFinalizers(m.Finalizers)...)
	errs = append(errs, coreFinalizers(m.Finalizers)...)
	return errs
}

// maskTrailingDash lets a prefix end in the dash that the suffix will follow.
func maskTrailingDash(prefix string) string {
	if len(prefix) > 1 && strings.HasSuffix(prefix, "-") {
		return prefix[:len(prefix)-2] + "a"
	}
	return prefix
}

// validateMetaUpdate compares the metadata of an update with the stored one.
func validateMetaUpdate(obj, oldObj metav1.Object) field.ErrorList {
	var errs field.ErrorList
	m, old := obj.GetObjectMeta(), oldObj.GetObjectMeta()
	if old.DeletionTimestamp != nil {
		var extra []string
		for _, f := range m.Finalizers {
			if !contains(old.Finalizers, f) && !contains(extra, f) {
				extra = append(extra, f)
			}
		}
		if len(extra) > 0 {
			errs = append(errs, field.Forbidden(metadataPath.Child("finalizers"),
				"no new finalizers can be added if the object is being deleted, found new finalizers "+goStrings(extra)))
		}
	}
	if m.ResourceVersion == "" {
		errs = append(errs, field.Invalid(metadataPath.Child("resourceVersion"), "", "must be specified for an update"))
	}
	if m.Generation < old.Generation {
		errs = append(errs, field.Invalid(metadataPath.Child("generation"), m.Generation, "must not be decremented"))
	}
	immutable := func(name string, same bool, value any) {
		if !same {
			errs = append(errs, field.Invalid(metadataPath.Child(name), value, immutableMessage))
		}
	}
	immutable("name", m.Name == old.Name, m.Name)
	immutable("namespace", m.Namespace == old.Namespace, m.Namespace)
	immutable("uid", m.UID == old.UID, m.UID)
	immutable("creationTimestamp", m.CreationTimestamp.Equal(&old.CreationTimestamp), m.CreationTimestamp)
	immutable("deletionTimestamp", m.DeletionTimestamp.Equal(old.DeletionTimestamp), m.DeletionTimestamp)
	immutable("deletionGracePeriodSeconds", equalPointers(m.DeletionGracePeriodSeconds, old.DeletionGracePeriodSeconds), m.DeletionGracePeriodSeconds)
	errs = append(errs, validateLabels(m.Labels, metadataPath, "labels")...)
	errs = append(errs, validateAnnotations(m.Annotations, metadataPath)...)
	errs = append(errs, validateOwners(m.OwnerReferences)...)
	errs = append(errs, coreFinalizers(m.Finalizers)...)
	return errs
}

func equalPointers[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// goStrings prints a string slice as Go's %#v, which is what the API's message has.
func goStrings(list []string) string {
	sorted := append([]string(nil), list...)
	for i := 1; i < len(sorted); i++ {
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	var b strings.Builder
	b.WriteString("[]string{")
	for i, s := range sorted {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(s))
	}
	b.WriteString("}")
	return b.String()
}

func validateLabels(m map[string]string, path *field.Path, child string) field.ErrorList {
	var errs field.ErrorList
	for _, k := range sortedKeys(m) {
		key, value := qualifiedName(k), labelValue(m[k])
		if len(key)+len(value) == 0 {
			continue
		}
		p := path.Child(child)
		for _, msg := range key {
			errs = append(errs, field.Invalid(p, k, msg))
		}
		for _, msg := range value {
			errs = append(errs, field.Invalid(p, m[k], msg))
		}
	}
	return errs
}

func validateAnnotations(m map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	total := 0
	for _, k := range sortedKeys(m) {
		total += len(k) + len(m[k])
		for _, msg := range qualifiedName(strings.ToLower(k)) {
			errs = append(errs, field.Invalid(path.Child("annotations"), k, msg))
		}
	}
	if total > totalAnnotations {
		errs = append(errs, field.TooLong(path.Child("annotations"), "", totalAnnotations))
	}
	return errs
}

func validateOwners(refs []metav1.OwnerReference) field.ErrorList {
	var errs field.ErrorList
	controller := ""
	path := metadataPath.Child("ownerReferences")
	for _, ref := range refs {
		gvk := metav1.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
		if gvk.Version == "" {
			errs = append(errs, field.Invalid(path.Child("apiVersion"), ref.APIVersion, "version must not be empty"))
		}
		if gvk.Kind == "" {
			errs = append(errs, field.Invalid(path.Child("kind"), ref.Kind, "must not be empty"))
		}
		if ref.Name == "" {
			errs = append(errs, field.Invalid(path.Child("name"), ref.Name, "must not be empty"))
		}
		if ref.UID == "" {
			errs = append(errs, field.Invalid(path.Child("uid"), ref.UID, "must not be empty"))
		}
		if gvk == (metav1.GroupVersionKind{Version: "v1", Kind: "Event"}) {
			errs = append(errs, field.Invalid(path, ref, gvk.String()+" is disallowed from being an owner"))
		}
		if !deref(ref.Controller) {
			continue
		}
		name := ref.Kind + "/" + ref.Name
		if controller != "" {
			errs = append(errs, field.Invalid(path, refs,
				"Only one reference can have Controller set to true. Found \"true\" in references for "+controller+" and "+name))
		} else {
			controller = name
		}
	}
	return errs
}

func validateFinalizers(list []string) field.ErrorList {
	var errs field.ErrorList
	path := metadataPath.Child("finalizers")
	orphan, foreground := false, false
	for _, f := range list {
		for _, msg := range qualifiedName(f) {
			errs = append(errs, field.Invalid(path, f, msg))
		}
		orphan = orphan || f == metav1.FinalizerOrphanDependents
		foreground = foreground || f == metav1.FinalizerDeleteDependents
	}
	if orphan && foreground {
		errs = append(errs, field.Invalid(path, list, "finalizer foregroundDeletion and orphan cannot be both set"))
	}
	return errs
}

// coreFinalizers refuses unprefixed finalizers that are not the API's own.
func coreFinalizers(list []string) field.ErrorList {
	var errs field.ErrorList
	for i, f := range list {
		if strings.Contains(f, "/") || f == "kubernetes" || f == metav1.FinalizerOrphanDependents || f == metav1.FinalizerDeleteDependents {
			continue
		}
		errs = append(errs, field.Invalid(metadataPath.Child("finalizers").Index(i), f, "name is neither a standard finalizer name nor is it fully qualified"))
	}
	return errs
}

func nonnegative(v int64, path *field.Path, child string) field.ErrorList {
	if v >= 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child(child), v, negativeMessage)}
}

func nonnegative32(v int32, path *field.Path, child string) field.ErrorList {
	return nonnegative(int64(v), path, child)
}

func immutableField(path *field.Path, value, old any) field.ErrorList {
	if semanticEqual(value, old) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value, immutableMessage)}
}

// validateSelector is the strict validation of a label selector.
func validateSelector(s *metav1.LabelSelector, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s == nil {
		return nil
	}
	errs = append(errs, validateLabels(s.MatchLabels, path, "matchLabels")...)
	for i, e := range s.MatchExpressions {
		p := path.Child("matchExpressions").Index(i)
		switch e.Operator {
		case metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn:
			if len(e.Values) == 0 {
				errs = append(errs, field.Required(p.Child("values"), "must be specified when `operator` is 'In' or 'NotIn'"))
			}
		case metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist:
			if len(e.Values) > 0 {
				errs = append(errs, field.Forbidden(p.Child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
			}
		default:
			errs = append(errs, field.Invalid(p.Child("operator"), e.Operator, "not a valid selector operator"))
		}
		for _, msg := range qualifiedName(e.Key) {
			errs = append(errs, field.Invalid(p.Child("key"), e.Key, msg))
		}
		for j, v := range e.Values {
			for _, msg := range labelValue(v) {
				errs = append(errs, field.Invalid(p.Child("values").Index(j), v, msg))
			}
		}
	}
	return errs
}

// semanticEqual is SameValue of API values.
func semanticEqual(a, b any) bool { return SameValue(reflect.ValueOf(a), reflect.ValueOf(b)) }

// resetForStatus keeps of an update's metadata what a status update may not change.
func resetForStatus(obj, oldObj metav1.Object) {
	m, old := obj.GetObjectMeta(), oldObj.GetObjectMeta()
	m.DeletionTimestamp = old.DeletionTimestamp
	m.Generation = old.Generation
	m.SelfLink = old.SelfLink
	m.Labels = old.Labels
	m.Annotations = old.Annotations
	m.Finalizers = old.Finalizers
	m.OwnerReferences = old.OwnerReferences
	m.ManagedFields = old.ManagedFields
}
