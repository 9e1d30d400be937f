// This file holds small questions that controllers, printers and the API
// server ask of metadata: who controls an object, what a label selector selects,
// whether a label or annotation is there.

package v1

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// GetControllerOf returns a copy of the owner reference whose controller field is true, or nil.
func GetControllerOf(obj Object) *OwnerReference {
	for _, ref := range obj.GetObjectMeta().OwnerReferences {
		if ref.Controller != nil && *ref.Controller {
			return &ref
		}
	}
	return nil
}

// IsControlledBy reports whether owner is obj's controller.
func IsControlledBy(obj, owner Object) bool {
	ref := GetControllerOf(obj)
	return ref != nil && ref.UID == owner.GetObjectMeta().UID
}

// NewControllerRef makes an owner reference to owner as controller, which blocks the owner's deletion.
func NewControllerRef(owner Object, gvk GroupVersionKind) *OwnerReference {
	m := owner.GetObjectMeta()
	apiVersion, kind := gvk.ToAPIVersionAndKind()
	return &OwnerReference{APIVersion: apiVersion, Kind: kind, Name: m.Name, UID: m.UID,
		Controller: new(true), BlockOwnerDeletion: new(true)}
}

// LabelSelectorAsSelector compiles a selector: nil selects nothing, the empty one everything.
func LabelSelectorAsSelector(ls *LabelSelector) (labels.Selector, error) {
	if ls == nil {
		return labels.Nothing(), nil
	}
	if len(ls.MatchLabels) == 0 && len(ls.MatchExpressions) == 0 {
		return labels.Everything(), nil
	}
	var all []labels.Requirement
	require := func(key string, op selection.Operator, values []string) error {
		r, err := labels.NewRequirement(key, op, values)
		if err == nil {
			all = append(all, *r)
		}
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(ls.MatchLabels)) {
		if err := require(key, selection.Equals, []string{ls.MatchLabels[key]}); err != nil {
			return nil, err
		}
	}
	for _, e := range ls.MatchExpressions {
		op, ok := labelOperators[e.Operator]
		if !ok {
			return nil, fmt.Errorf("%q is not a valid label selector operator", e.Operator)
		}
		if err := require(e.Key, op, slices.Clone(e.Values)); err != nil {
			return nil, err
		}
	}
	return labels.NewSelector().Add(all...), nil
}

var labelOperators = map[LabelSelectorOperator]selection.Operator{
	LabelSelectorOpIn:           selection.In,
	LabelSelectorOpNotIn:        selection.NotIn,
	LabelSelectorOpExists:       selection.Exists,
	LabelSelectorOpDoesNotExist: selection.DoesNotExist,
}

// LabelSelectorAsMap returns the selector as plain labels, where it can be one.
func LabelSelectorAsMap(ls *LabelSelector) (map[string]string, error) {
	if ls == nil {
		return nil, nil
	}
	out := make(map[string]string, len(ls.MatchLabels))
	maps.Copy(out, ls.MatchLabels)
	for _, e := range ls.MatchExpressions {
		switch _, known := labelOperators[e.Operator]; {
		case !known:
			return out, fmt.Errorf("%q is not a valid selector operator", e.Operator)
		case e.Operator != LabelSelectorOpIn:
			return out, fmt.Errorf("operator %q cannot be converted into the old label selector format", e.Operator)
		case len(e.Values) != 1:
			return out, fmt.Errorf("operator %q without a single value cannot be converted into the old label selector format", e.Operator)
		}
		out[e.Key] = e.Values[0]
	}
	return out, nil
}

// ParseToLabelSelector reads the one-line syntax of kubectl -l.
func ParseToLabelSelector(s string) (*LabelSelector, error) {
	requirements, err := labels.ParseToRequirements(s)
	if err != nil {
		return nil, fmt.Errorf("couldn't parse the selector string \"%s\": %v", s, err)
	}
	out := &LabelSelector{MatchLabels: map[string]string{}, MatchExpressions: []LabelSelectorRequirement{}}
	for _, r := range requirements {
		values := r.ValuesUnsorted()
		slices.Sort(values)
		switch r.Operator() {
		case selection.Equals, selection.DoubleEquals:
			if len(values) != 1 {
				return nil, fmt.Errorf("equals operator must have exactly one value")
			}
			out.MatchLabels[r.Key()] = values[0]
			continue
		case selection.GreaterThan, selection.LessThan:
			return nil, fmt.Errorf("%q isn't supported in label selectors", r.Operator())
		}
		e := LabelSelectorRequirement{Key: r.Key(), Values: values}
		for name, op := range labelOperators {
			if op == r.Operator() {
				e.Operator = name
			}
		}
		if e.Operator == "" {
			return nil, fmt.Errorf("%q is not a valid label selector operator", r.Operator())
		}
		out.MatchExpressions = append(out.MatchExpressions, e)
	}
	return out, nil
}

// FormatLabelSelector prints a selector as in kubectl's tables.
func FormatLabelSelector(ls *LabelSelector) string {
	selector, err := LabelSelectorAsSelector(ls)
	if err != nil {
		return "<error>"
	}
	if s := selector.String(); s != "" {
		return s
	}
	return "<none>"
}

// HasAnnotation reports whether the annotation is set, be it to "".
func HasAnnotation(m ObjectMeta, name string) bool { _, ok := m.Annotations[name]; return ok }

// HasLabel reports whether the label is set, be it to "".
func HasLabel(m ObjectMeta, name string) bool { _, ok := m.Labels[name]; return ok }

// SetMetaDataAnnotation sets an annotation in place: the map must be the caller's own.
func SetMetaDataAnnotation(m *ObjectMeta, name, value string) {
	if m.Annotations == nil {
		m.Annotations = map[string]string{}
	}
	m.Annotations[name] = value
}

// SetMetaDataLabel sets a label in place: the map must be the caller's own.
func SetMetaDataLabel(m *ObjectMeta, name, value string) {
	if m.Labels == nil {
		m.Labels = map[string]string{}
	}
	m.Labels[name] = value
}

// String prints verbs as in API discovery's tables.
func (v Verbs) String() string { return "[" + strings.Join(v, " ") + "]" }
