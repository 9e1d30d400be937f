// This file holds the validator, which gathers what is wrong with an object in
// the order in which the API server lists it, and the checks that several
// resources share. Paths are built only where something is wrong or where a
// list goes on below, since almost every object is right.

package resource

import (
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

type validator struct {
	errs field.ErrorList
}

func (v *validator) add(errs field.ErrorList) { v.errs = append(v.errs, errs...) }

func (v *validator) required(p *field.Path, detail string) {
	v.errs = append(v.errs, field.Required(p, detail))
}

func (v *validator) invalid(p *field.Path, value any, detail string) {
	v.errs = append(v.errs, field.Invalid(p, value, detail))
}

func (v *validator) forbidden(p *field.Path, detail string) {
	v.errs = append(v.errs, field.Forbidden(p, detail))
}

func (v *validator) duplicate(p *field.Path, value any) {
	v.errs = append(v.errs, field.Duplicate(p, value))
}

func (v *validator) notFound(p *field.Path, value any) {
	v.errs = append(v.errs, field.NotFound(p, value))
}

// oneOf requires a value among the valid ones, which are listed in the given order.
func oneOf[T ~string](v *validator, p *field.Path, child string, value T, valid ...T) bool {
	for _, w := range valid {
		if value == w {
			return true
		}
	}
	v.errs = append(v.errs, field.NotSupported(p.Child(child), value, valid))
	return false
}

// check reports a validator's messages about the child's value.
func (v *validator) check(p *field.Path, child, value string, f nameCheck) {
	for _, msg := range f(value) {
		v.invalid(p.Child(child), value, msg)
	}
}

func (v *validator) nonnegative(n int64, p *field.Path, child string) {
	if n < 0 {
		v.invalid(p.Child(child), n, negativeMessage)
	}
}

func (v *validator) fileMode(mode *int32, p *field.Path, child string) {
	if mode != nil && (*mode < 0 || *mode > 0o777) {
		v.invalid(p.Child(child), *mode, "must be a number between 0 and 0777 (octal), both inclusive")
	}
}

func (v *validator) port(n int32, p *field.Path, child string) {
	if n < 1 || n > 65535 {
		for _, msg := range validation.IsValidPortNum(int(n)) {
			v.invalid(p.Child(child), n, msg)
		}
	}
}

func (v *validator) portOrName(port intstr.IntOrString, p *field.Path, child string) {
	if port.Type == intstr.String {
		v.check(p, child, port.StrVal, validation.IsValidPortName)
		return
	}
	if port.IntVal < 1 || port.IntVal > 65535 {
		for _, msg := range validation.IsValidPortNum(int(port.IntVal)) {
			v.invalid(p.Child(child), int(port.IntVal), msg)
		}
	}
}

func (v *validator) noBacksteps(path string, p *field.Path) {
	for part := range strings.SplitSeq(path, "/") {
		if part == ".." {
			v.invalid(p, path, "must not contain '..'")
			return
		}
	}
}

func (v *validator) descendingPath(path string, p *field.Path) {
	if strings.HasPrefix(path, "/") {
		v.invalid(p, path, "must be a relative path")
	}
	v.noBacksteps(path, p)
}

func (v *validator) nonReservedPath(path string, p *field.Path) {
	v.descendingPath(path, p)
	if strings.HasPrefix(path, "..") && !strings.HasPrefix(path, "../") {
		v.invalid(p, path, "must not start with '..'")
	}
}

// quantity requires a value that is not negative, and whole for things that are counted.
func (v *validator) quantity(name corev1.ResourceName, q resource.Quantity, p *field.Path) {
	if q.Sign() < 0 {
		v.invalid(p, q.String(), negativeMessage)
	}
	if isWholeResource(name) && q.MilliValue()%1000 != 0 {
		v.invalid(p, q, "must be an integer")
	}
}

var standardResources = map[corev1.ResourceName]bool{
	"cpu": true, "memory": true, "ephemeral-storage": true, "requests.cpu": true, "requests.memory": true,
	"requests.ephemeral-storage": true, "limits.cpu": true, "limits.memory": true, "limits.ephemeral-storage": true,
	"pods": true, "resourcequotas": true, "services": true, "replicationcontrollers": true, "secrets": true,
	"configmaps": true, "persistentvolumeclaims": true, "storage": true, "requests.storage": true,
	"services.nodeports": true, "services.loadbalancers": true,
}

func isNativeResource(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/") || strings.Contains(string(name), "kubernetes.io/")
}

func isExtendedResource(name corev1.ResourceName) bool {
	return !isNativeResource(name) && !strings.HasPrefix(string(name), "requests.") && len(qualifiedName("requests."+string(name))) == 0
}

func isWholeResource(name corev1.ResourceName) bool {
	switch name {
	case "cpu", "memory", "ephemeral-storage":
		return false
	case "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
		"services.nodeports", "services.loadbalancers":
		return true
	}
	return isExtendedResource(name)
}

func canOvercommit(name corev1.ResourceName) bool {
	return isNativeResource(name) && !isHugePages(name)
}

// resourceName validates a name that a list of resources may have anywhere.
func (v *validator) resourceName(name corev1.ResourceName, p *field.Path) bool {
	if standardResources[name] {
		return true
	}
	msgs := qualifiedName(string(name))
	for _, msg := range msgs {
		v.invalid(p, name, msg)
	}
	if len(msgs) > 0 {
		return false
	}
	if !strings.Contains(string(name), "/") && !isHugePages(name) {
		v.invalid(p, name, "must be a standard resource type or fully qualified")
		return false
	}
	return true
}

func (v *validator) containerResourceName(name corev1.ResourceName, p *field.Path) {
	switch {
	case name == "cpu" || name == "memory" || name == "ephemeral-storage":
		return
	}
	v.resourceName(name, p)
	if !strings.Contains(string(name), "/") {
		if !isHugePages(name) {
			v.invalid(p, name, "must be a standard resource for containers")
		}
	} else if !isNativeResource(name) && !isExtendedResource(name) {
		v.invalid(p, name, "doesn't follow extended resource name standard")
	}
}

// Integer or percentage.

func (v *validator) positiveOrPercent(value intstr.IntOrString, p *field.Path, child string) {
	if value.Type == intstr.String {
		for _, msg := range validation.IsValidPercent(value.StrVal) {
			v.invalid(p.Child(child), value, msg)
		}
		return
	}
	v.nonnegative(int64(value.IntVal), p, child)
}

func (v *validator) atMost100Percent(value intstr.IntOrString, p *field.Path, child string) {
	if n, percent := percentage(value); percent && n > 100 {
		v.invalid(p.Child(child), value, "must not be greater than 100%")
	}
}

// percentage is the number and whether it stands for hundredths.
func percentage(value intstr.IntOrString) (int, bool) {
	if value.Type != intstr.String {
		return int(value.IntVal), false
	}
	if len(validation.IsValidPercent(value.StrVal)) > 0 {
		return intstrValue(value), false
	}
	n := 0
	for _, c := range strings.TrimSuffix(value.StrVal, "%") {
		if n < 1<<40 {
			n = n*10 + int(c-'0')
		}
	}
	return n, true
}

func intstrValue(value intstr.IntOrString) int { return value.IntValue() }
