// This file is the strategy of roles and their bindings.

package resource

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
)

func init() {
	role := func(namespaced bool, rules func(metav1.Object) []rbacv1.PolicyRule) *Strategy {
		validate := func(obj metav1.Object, errs field.ErrorList) field.ErrorList {
			v := validator{errs: errs}
			for i, r := range rules(obj) {
				v.policyRule(&r, namespaced, field.NewPath("rules").Index(i))
			}
			return v.errs
		}
		return &Strategy{
			AllowCreateOnUpdate: true,
			Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
				return validate(obj, validateMeta(obj, namespaced, pathSegment))
			},
			ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
				return append(validate(obj, validateMeta(obj, namespaced, pathSegment)), validateMetaUpdate(obj, old)...)
			},
		}
	}
	Register("roles.rbac.authorization.k8s.io", role(true, func(obj metav1.Object) []rbacv1.PolicyRule { return obj.(*rbacv1.Role).Rules }))
	Register("clusterroles.rbac.authorization.k8s.io", role(false, func(obj metav1.Object) []rbacv1.PolicyRule { return obj.(*rbacv1.ClusterRole).Rules }))

	binding := func(namespaced bool, parts func(metav1.Object) (*rbacv1.RoleRef, *[]rbacv1.Subject)) *Strategy {
		validate := func(obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, namespaced, pathSegment)}
			ref, subjects := parts(obj)
			p := field.NewPath("roleRef")
			oneOf(&v, p, "apiGroup", ref.APIGroup, rbacv1.GroupName)
			if namespaced {
				oneOf(&v, p, "kind", ref.Kind, "Role", "ClusterRole")
			} else {
				oneOf(&v, p, "kind", ref.Kind, "ClusterRole")
			}
			if ref.Name == "" {
				v.required(p.Child("name"), "")
			} else {
				v.check(p, "name", ref.Name, pathSegment)
			}
			for i, s := range *subjects {
				v.subject(&s, namespaced, field.NewPath("subjects").Index(i))
			}
			return v.errs
		}
		return &Strategy{
			AllowCreateOnUpdate: true,
			Default: func(obj metav1.Object) {
				ref, subjects := parts(obj)
				if ref.APIGroup == "" {
					ref.APIGroup = rbacv1.GroupName
				}
				*subjects = mapped(*subjects, func(s *rbacv1.Subject) *rbacv1.Subject {
					if s.APIGroup != "" || s.Kind != rbacv1.UserKind && s.Kind != rbacv1.GroupKind {
						return s
					}
					t := *s
					t.APIGroup = rbacv1.GroupName
					return &t
				})
			},
			Validate: func(_ *Context, obj metav1.Object) field.ErrorList { return validate(obj) },
			ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
				v := validator{errs: validate(obj)}
				v.add(validateMetaUpdate(obj, old))
				ref, _ := parts(obj)
				if was, _ := parts(old); *ref != *was {
					v.invalid(field.NewPath("roleRef"), internal{*ref}, "cannot change roleRef")
				}
				return v.errs
			},
			Columns: []column{
				nameColumn(),
				text("Role", "What is granted."),
				ageColumn(),
				wide(text("Users", "The users who get it.")),
				wide(text("Groups", "The groups that get it.")),
				wide(text("ServiceAccounts", "The service accounts that get it.")),
			},
			Row: func(obj metav1.Object, now time.Time) []any {
				ref, subjects := parts(obj)
				var users, groups, accounts []string
				for _, s := range *subjects {
					switch s.Kind {
					case rbacv1.ServiceAccountKind:
						accounts = append(accounts, s.Namespace+"/"+s.Name)
					case rbacv1.UserKind:
						users = append(users, s.Name)
					case rbacv1.GroupKind:
						groups = append(groups, s.Name)
					}
				}
				return []any{obj.GetObjectMeta().Name, ref.Kind + "/" + ref.Name, age(obj, now),
					strings.Join(users, ", "), strings.Join(groups, ", "), strings.Join(accounts, ", ")}
			},
		}
	}
	Register("rolebindings.rbac.authorization.k8s.io", binding(true, func(obj metav1.Object) (*rbacv1.RoleRef, *[]rbacv1.Subject) {
		b := obj.(*rbacv1.RoleBinding)
		return &b.RoleRef, &b.Subjects
	}))
	Register("clusterrolebindings.rbac.authorization.k8s.io", binding(false, func(obj metav1.Object) (*rbacv1.RoleRef, *[]rbacv1.Subject) {
		b := obj.(*rbacv1.ClusterRoleBinding)
		return &b.RoleRef, &b.Subjects
	}))
}

func (v *validator) policyRule(r *rbacv1.PolicyRule, namespaced bool, p *field.Path) {
	if len(r.Verbs) == 0 {
		v.required(p.Child("verbs"), "verbs must contain at least one value")
	}
	if len(r.NonResourceURLs) > 0 {
		if namespaced {
			v.invalid(p.Child("nonResourceURLs"), r.NonResourceURLs, "namespaced rules cannot apply to non-resource URLs")
		}
		if len(r.APIGroups)+len(r.Resources)+len(r.ResourceNames) > 0 {
			v.invalid(p.Child("nonResourceURLs"), r.NonResourceURLs, "rules cannot apply to both regular resources and non-resource URLs")
		}
		return
	}
	if len(r.APIGroups) == 0 {
		v.required(p.Child("apiGroups"), "resource rules must supply at least one api group")
	}
	if len(r.Resources) == 0 {
		v.required(p.Child("resources"), "resource rules must supply at least one resource")
	}
}

func (v *validator) subject(s *rbacv1.Subject, namespaced bool, p *field.Path) {
	if s.Name == "" {
		v.required(p.Child("name"), "")
	}
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		if s.Name != "" {
			v.check(p, "name", s.Name, dnsSubdomain)
		}
		if s.APIGroup != "" {
			v.errs = append(v.errs, field.NotSupported(p.Child("apiGroup"), s.APIGroup, []string{""}))
		}
		if !namespaced && s.Namespace == "" {
			v.required(p.Child("namespace"), "")
		}
	case rbacv1.UserKind, rbacv1.GroupKind:
		oneOf(v, p, "apiGroup", s.APIGroup, rbacv1.GroupName)
	default:
		oneOf(v, p, "kind", s.Kind, rbacv1.ServiceAccountKind, rbacv1.UserKind, rbacv1.GroupKind)
	}
}
