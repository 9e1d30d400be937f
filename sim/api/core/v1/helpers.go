// This file holds the small methods of core/v1 types that schedulers,
// kubelets and printers share.

package v1

import (
	"github.com/kubonsai/kubonsai/sim/api/resource"
)

// String returns the name.
func (n ResourceName) String() string { return string(n) }

// Cpu returns the list's cpu, zero where it has none.
func (l ResourceList) Cpu() *resource.Quantity { return l.Name(ResourceCPU, resource.DecimalSI) }

// Memory returns the list's memory, zero where it has none.
func (l ResourceList) Memory() *resource.Quantity { return l.Name(ResourceMemory, resource.BinarySI) }

// Storage returns the list's storage, zero where it has none.
func (l ResourceList) Storage() *resource.Quantity { return l.Name(ResourceStorage, resource.BinarySI) }

// Pods returns the list's number of pods, zero where it has none.
func (l ResourceList) Pods() *resource.Quantity { return l.Name(ResourcePods, resource.DecimalSI) }

// StorageEphemeral returns the list's ephemeral storage, zero where it has none.
func (l ResourceList) StorageEphemeral() *resource.Quantity {
	return l.Name(ResourceEphemeralStorage, resource.BinarySI)
}

// Name returns a copy of the named quantity, or zero in the given format.
func (l ResourceList) Name(name ResourceName, format resource.Format) *resource.Quantity {
	if q, ok := l[name]; ok {
		return &q
	}
	return &resource.Quantity{Format: format}
}

// MatchTaint reports whether key and effect are the same.
func (t *Taint) MatchTaint(other *Taint) bool {
	return t.Key == other.Key && t.Effect == other.Effect
}

// ToString prints a taint as kubectl does: key=value:effect.
func (t *Taint) ToString() string {
	s := t.Key
	if t.Value != "" {
		s += "=" + t.Value
	}
	switch {
	case t.Effect != "":
		s += ":" + string(t.Effect)
	case t.Value != "":
		s += ":"
	}
	return s
}

// MatchToleration reports whether key, value, operator and effect are the same; seconds do not count.
func (t *Toleration) MatchToleration(other *Toleration) bool {
	return t.Key == other.Key && t.Value == other.Value && t.Effect == other.Effect && t.Operator == other.Operator
}

// ToleratesTaint reports whether the toleration covers the taint, with the operators Exists and Equal;
// the numeric operators are behind a feature gate that is off in v1.36.
func (t *Toleration) ToleratesTaint(taint *Taint) bool {
	if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
		return false
	}
	switch t.Operator {
	case "", TolerationOpEqual:
		return t.Value == taint.Value
	case TolerationOpExists:
		return true
	}
	return false
}
