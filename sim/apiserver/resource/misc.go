// This file is the strategy of small kinds that have little more than a table:
// leases, controller revisions, runtime classes, CSI and service address kinds.

package resource

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	apiregistrationv1 "github.com/kubonsai/kubonsai/sim/api/apiregistration/v1"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	coordinationv1 "github.com/kubonsai/kubonsai/sim/api/coordination/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	networkingv1 "github.com/kubonsai/kubonsai/sim/api/networking/v1"
	nodev1 "github.com/kubonsai/kubonsai/sim/api/node/v1"
	storagev1 "github.com/kubonsai/kubonsai/sim/api/storage/v1"
)

func init() {
	Register("leases.coordination.k8s.io", &Strategy{
		AllowCreateOnUpdate: true,
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.lease(&obj.(*coordinationv1.Lease).Spec)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.lease(&obj.(*coordinationv1.Lease).Spec)
			return v.errs
		},
		Columns: []column{nameColumn(), text("Holder", "Who holds the lease."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			l := obj.(*coordinationv1.Lease)
			return []any{l.Name, deref(l.Spec.HolderIdentity), age(l, now)}
		},
	})
	Register("controllerrevisions.apps", &Strategy{
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.revision(obj.(*appsv1.ControllerRevision))
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			r := obj.(*appsv1.ControllerRevision)
			v.revision(r)
			v.add(immutableField(field.NewPath("data"), r.Data, old.(*appsv1.ControllerRevision).Data))
			return v.errs
		},
		Columns: []column{nameColumn(), text("Controller", "Whose revision it is."), text("Revision", "Its number."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			r := obj.(*appsv1.ControllerRevision)
			controller := none
			if ref := metav1.GetControllerOf(r); ref != nil {
				gvk := metav1.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
				controller = strings.ToLower(gvk.GroupKind().String()) + "/" + ref.Name
			}
			return []any{r.Name, controller, r.Revision, age(r, now)}
		},
	})
	Register("apiservices.apiregistration.k8s.io", &Strategy{
		Default: func(obj metav1.Object) {
			if r := obj.(*apiregistrationv1.APIService).Spec.Service; r != nil && r.Port == nil {
				r.Port = new(int32(443))
			}
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			s := obj.(*apiregistrationv1.APIService)
			v := validator{errs: validateMeta(s, false, func(name string) []string {
				if want := s.Spec.Version + "." + s.Spec.Group; name != want {
					return []string{fmt.Sprintf("must be `spec.version+\".\"+spec.group`: %q", want)}
				}
				return nil
			})}
			return v.errs
		},
		Columns: []column{nameColumn(), text("Service", "Who answers for the group."), text("Available", "Whether they do."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			s := obj.(*apiregistrationv1.APIService)
			service, available := "Local", "Unknown"
			if r := s.Spec.Service; r != nil {
				service = r.Namespace + "/" + r.Name
			}
			for _, c := range s.Status.Conditions {
				if c.Type == apiregistrationv1.Available {
					available = string(c.Status)
					if c.Status != apiregistrationv1.ConditionTrue {
						available += " (" + c.Reason + ")"
					}
				}
			}
			return []any{s.Name, service, available, age(s, now)}
		},
	})
	Register("componentstatuses", &Strategy{
		Columns: []column{nameColumn(), text("Status", "Whether it is healthy."), text("Message", "What it says."), text("Error", "What is wrong with it.")},
		Row: func(obj metav1.Object, _ time.Time) []any {
			s := obj.(*corev1.ComponentStatus)
			row := []any{s.Name, "Unknown", "", ""}
			for _, c := range s.Conditions {
				if c.Type == corev1.ComponentHealthy {
					row[1], row[2], row[3] = "Unhealthy", c.Message, c.Error
					if c.Status == corev1.ConditionTrue {
						row[1] = "Healthy"
					}
				}
			}
			return row
		},
	})
	Register("runtimeclasses.node.k8s.io", &Strategy{
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, false, dnsSubdomain)}
			if h := obj.(*nodev1.RuntimeClass).Handler; h == "" {
				v.required(field.NewPath("handler"), "")
			} else {
				v.check(nil, "handler", h, dnsLabel)
			}
			return v.errs
		},
		Columns: []column{nameColumn(), text("Handler", "The runtime's own name for it."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			r := obj.(*nodev1.RuntimeClass)
			return []any{r.Name, r.Handler, age(r, now)}
		},
	})
	Register("csinodes.storage.k8s.io", &Strategy{
		Columns: []column{nameColumn(), integer("Drivers", "How many storage drivers the node has."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			n := obj.(*storagev1.CSINode)
			return []any{n.Name, int64(len(n.Spec.Drivers)), age(n, now)}
		},
	})
	Register("servicecidrs.networking.k8s.io", &Strategy{
		Columns: []column{nameColumn(), text("CIDRs", "The addresses that services get."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			s := obj.(*networkingv1.ServiceCIDR)
			return []any{s.Name, strings.Join(s.Spec.CIDRs, ","), age(s, now)}
		},
	})
	Register("ipaddresses.networking.k8s.io", &Strategy{
		Columns: []column{nameColumn(), text("ParentRef", "Who has the address.")},
		Row: func(obj metav1.Object, now time.Time) []any {
			a := obj.(*networkingv1.IPAddress)
			parent := ""
			if p := a.Spec.ParentRef; p != nil {
				parent = p.Resource
				if p.Group != "" {
					parent += "." + p.Group
				}
				parent += "/"
				if p.Namespace != "" {
					parent += p.Namespace + "/"
				}
				parent += p.Name
			}
			return []any{a.Name, parent}
		},
	})
}

func (v *validator) lease(s *coordinationv1.LeaseSpec) {
	if d := s.LeaseDurationSeconds; d != nil && *d <= 0 {
		v.invalid(specPath.Child("leaseDurationSeconds"), *d, "must be greater than 0")
	}
	if n := s.LeaseTransitions; n != nil && *n < 0 {
		v.invalid(specPath.Child("leaseTransitions"), *n, negativeMessage)
	}
}

func (v *validator) revision(r *appsv1.ControllerRevision) {
	if len(r.Data.Raw) == 0 {
		v.required(field.NewPath("data"), "data is mandatory")
	}
	if r.Revision < 0 {
		v.invalid(field.NewPath("revision"), r.Revision, negativeMessage)
	}
}
