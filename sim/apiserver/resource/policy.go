// This file is the strategy of disruption budgets, priority classes, resource
// quotas and limit ranges.

package resource

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	policyv1 "github.com/kubonsai/kubonsai/sim/api/policy/v1"
	schedulingv1 "github.com/kubonsai/kubonsai/sim/api/scheduling/v1"
)

var preemptLowerPriority = new(corev1.PreemptLowerPriority)

func init() {
	Register("poddisruptionbudgets.policy", &Strategy{
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			b := obj.(*policyv1.PodDisruptionBudget)
			b.Generation = 1
			b.Status = policyv1.PodDisruptionBudgetStatus{}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			b, old := obj.(*policyv1.PodDisruptionBudget), oldObj.(*policyv1.PodDisruptionBudget)
			b.Status = old.Status
			nextGeneration(b, old, semanticEqual(&b.Spec, &old.Spec))
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			b, old := obj.(*policyv1.PodDisruptionBudget), oldObj.(*policyv1.PodDisruptionBudget)
			b.Spec = old.Spec
			b.Generation = old.Generation
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.disruptionBudget(&obj.(*policyv1.PodDisruptionBudget).Spec)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.disruptionBudget(&obj.(*policyv1.PodDisruptionBudget).Spec)
			return v.errs
		},
		Columns: []column{
			nameColumn(),
			text("Min Available", "The fewest pods that must stay."),
			text("Max Unavailable", "The most pods that may be missing."),
			integer("Allowed Disruptions", "How many pods may be evicted now."),
			ageColumn(),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			b := obj.(*policyv1.PodDisruptionBudget)
			least, most := "N/A", "N/A"
			if b.Spec.MinAvailable != nil {
				least = b.Spec.MinAvailable.String()
			}
			if b.Spec.MaxUnavailable != nil {
				most = b.Spec.MaxUnavailable.String()
			}
			return []any{b.Name, least, most, int64(b.Status.DisruptionsAllowed), age(b, now)}
		},
	})
	Register("priorityclasses.scheduling.k8s.io", &Strategy{
		Default: func(obj metav1.Object) {
			if c := obj.(*schedulingv1.PriorityClass); c.PreemptionPolicy == nil {
				c.PreemptionPolicy = preemptLowerPriority
			}
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) { obj.GetObjectMeta().Generation = 1 },
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			c := obj.(*schedulingv1.PriorityClass)
			v := validator{errs: validateMeta(c, false, dnsSubdomain)}
			if strings.HasPrefix(c.Name, "system-") {
				known := map[string]int32{"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}
				want, ok := known[c.Name]
				reason := ""
				switch {
				case !ok:
					reason = fmt.Sprintf("%v is not a known system priority class", c.Name)
				case want != c.Value:
					reason = fmt.Sprintf("value of %v PriorityClass must be %v", c.Name, want)
				case c.GlobalDefault:
					reason = fmt.Sprintf("globalDefault of %v PriorityClass must be %v", c.Name, false)
				}
				if reason != "" {
					v.forbidden(metadataPath.Child("name"), "priority class names with 'system-' prefix are reserved for system use only. error: "+reason)
				}
			} else if c.Value > 1000000000 {
				v.forbidden(field.NewPath("value"), "maximum allowed value of a user defined priority is 1000000000")
			}
			if p := c.PreemptionPolicy; p != nil && *p != corev1.PreemptLowerPriority && *p != corev1.PreemptNever {
				v.errs = append(v.errs, field.NotSupported(field.NewPath("preemptionPolicy"), *p, []corev1.PreemptionPolicy{corev1.PreemptLowerPriority, corev1.PreemptNever}))
			}
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
			c, old := obj.(*schedulingv1.PriorityClass), oldObj.(*schedulingv1.PriorityClass)
			v := validator{errs: validateMetaUpdate(c, old)}
			if c.Value != old.Value {
				v.forbidden(field.NewPath("value"), "may not be changed in an update.")
			}
			v.add(immutableField(field.NewPath("preemptionPolicy"), c.PreemptionPolicy, old.PreemptionPolicy))
			return v.errs
		},
		Columns: []column{
			nameColumn(),
			integer("Value", "The priority."),
			boolean("Global-Default", "Whether pods without a class get it."),
			ageColumn(),
			text("PreemptionPolicy", "Whether its pods may displace others."),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			c := obj.(*schedulingv1.PriorityClass)
			return []any{c.Name, int64(c.Value), c.GlobalDefault, age(c, now), string(deref(c.PreemptionPolicy))}
		},
	})
	Register("resourcequotas", &Strategy{
		Default: func(obj metav1.Object) {
			q := obj.(*corev1.ResourceQuota)
			q.Spec.Hard = roundedUp(q.Spec.Hard)
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			obj.(*corev1.ResourceQuota).Status = corev1.ResourceQuotaStatus{}
		},
		PrepareForUpdate: func(_ *Context, obj, old metav1.Object) {
			obj.(*corev1.ResourceQuota).Status = old.(*corev1.ResourceQuota).Status
		},
		PrepareForStatusUpdate: func(_ *Context, obj, old metav1.Object) {
			obj.(*corev1.ResourceQuota).Spec = old.(*corev1.ResourceQuota).Spec
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.quota(&obj.(*corev1.ResourceQuota).Spec)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, oldObj)}
			spec, old := &obj.(*corev1.ResourceQuota).Spec, &oldObj.(*corev1.ResourceQuota).Spec
			v.quota(spec)
			v.add(immutableField(specPath.Child("scopes"), spec.Scopes, old.Scopes))
			return v.errs
		},
		Columns: []column{
			nameColumn(),
			text("Request", "What is used of what may be requested."),
			text("Limit", "What is used of what limits may add up to."),
			ageColumn(),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			q := obj.(*corev1.ResourceQuota)
			var requests, limits []string
			for _, name := range sortedKeys(q.Status.Hard) {
				used, hard := q.Status.Used[name], q.Status.Hard[name]
				item := fmt.Sprintf("%s: %s/%s", name, used.String(), hard.String())
				if strings.HasPrefix(string(name), "limits.") {
					limits = append(limits, item)
				} else {
					requests = append(requests, item)
				}
			}
			return []any{q.Name, strings.Join(requests, ", "), strings.Join(limits, ", "), age(q, now)}
		},
	})
	Register("limitranges", &Strategy{
		Default: func(obj metav1.Object) {
			r := obj.(*corev1.LimitRange)
			r.Spec.Limits = mapped(r.Spec.Limits, defaultLimit)
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.limits(obj.(*corev1.LimitRange).Spec.Limits)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.limits(obj.(*corev1.LimitRange).Spec.Limits)
			return v.errs
		},
	})
}

func (v *validator) disruptionBudget(spec *policyv1.PodDisruptionBudgetSpec) {
	if spec.MinAvailable != nil && spec.MaxUnavailable != nil {
		v.invalid(specPath, internal{spec}, "minAvailable and maxUnavailable cannot be both set")
	}
	if spec.MinAvailable != nil {
		v.positiveOrPercent(*spec.MinAvailable, specPath, "minAvailable")
		v.atMost100Percent(*spec.MinAvailable, specPath, "minAvailable")
	}
	if spec.MaxUnavailable != nil {
		v.positiveOrPercent(*spec.MaxUnavailable, specPath, "maxUnavailable")
		v.atMost100Percent(*spec.MaxUnavailable, specPath, "maxUnavailable")
	}
	v.add(validateSelector(spec.Selector, specPath.Child("selector")))
	if p := spec.UnhealthyPodEvictionPolicy; p != nil {
		oneOf(v, specPath, "unhealthyPodEvictionPolicy", *p, policyv1.AlwaysAllow, policyv1.IfHealthyBudget)
	}
}

func isStandardQuota(name corev1.ResourceName) bool {
	return standardResources[name] && name != corev1.ResourceStorage || isHugePages(corev1.ResourceName(strings.TrimPrefix(string(name), "requests.")))
}

// canScope reports whether a quota of the resource can be kept to what the scope selects.
func canScope(s corev1.ResourceQuotaScope, name corev1.ResourceName) bool {
	switch s {
	case corev1.ResourceQuotaScopeBestEffort:
		return name == corev1.ResourcePods
	case corev1.ResourceQuotaScopeVolumeAttributesClass:
		return name == corev1.ResourcePersistentVolumeClaims || name == corev1.ResourceRequestsStorage
	case corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating, corev1.ResourceQuotaScopeNotBestEffort,
		corev1.ResourceQuotaScopePriorityClass, corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		switch name {
		case "pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory":
			return true
		}
		return false
	}
	return true
}

func (v *validator) quota(spec *corev1.ResourceQuotaSpec) {
	p := specPath.Child("hard")
	for _, name := range sortedKeys(spec.Hard) {
		v.resourceName(name, p.Key(string(name)))
		if !strings.Contains(string(name), "/") && !isStandardQuota(name) {
			v.invalid(p.Key(string(name)), name, "must be a standard resource for quota")
		}
		v.quantity(name, spec.Hard[name], p.Key(string(name)))
	}
	apply := func(s corev1.ResourceQuotaScope, p *field.Path, shown any) {
		for _, name := range sortedKeys(spec.Hard) {
			if isStandardQuota(name) && !canScope(s, name) {
				v.invalid(p, shown, "unsupported scope applied to resource")
			}
		}
	}
	scopes := map[corev1.ResourceQuotaScope]bool{}
	for _, s := range spec.Scopes {
		scopes[s] = true
		switch s {
		case corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating, corev1.ResourceQuotaScopeBestEffort,
			corev1.ResourceQuotaScopeNotBestEffort, corev1.ResourceQuotaScopePriorityClass, corev1.ResourceQuotaScopeCrossNamespacePodAffinity,
			corev1.ResourceQuotaScopeVolumeAttributesClass:
		default:
			v.invalid(specPath.Child("scopes"), spec.Scopes, "unsupported scope")
		}
		apply(s, specPath.Child("scopes"), spec.Scopes)
	}
	if spec.ScopeSelector != nil {
		p := specPath.Child("scopeSelector", "matchExpressions")
		for _, r := range spec.ScopeSelector.MatchExpressions {
			apply(r.ScopeName, p, internal{spec.ScopeSelector})
			switch r.Operator {
			case corev1.ScopeSelectorOpIn, corev1.ScopeSelectorOpNotIn:
				if len(r.Values) == 0 {
					v.required(p.Child("values"), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")
				}
			case corev1.ScopeSelectorOpExists, corev1.ScopeSelectorOpDoesNotExist:
				if len(r.Values) != 0 {
					v.invalid(p.Child("values"), r.Values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector")
				}
			default:
				v.invalid(p.Child("operator"), r.Operator, "not a valid selector operator")
			}
		}
	}
	if scopes[corev1.ResourceQuotaScopeBestEffort] && scopes[corev1.ResourceQuotaScopeNotBestEffort] ||
		scopes[corev1.ResourceQuotaScopeTerminating] && scopes[corev1.ResourceQuotaScopeNotTerminating] {
		v.invalid(specPath.Child("scopes"), spec.Scopes, "conflicting scopes")
	}
}

// defaultLimit completes the limits of containers: default from max, default
// request from default, else from min.
func defaultLimit(l *corev1.LimitRangeItem) *corev1.LimitRangeItem {
	if l.Type != corev1.LimitTypeContainer {
		return l
	}
	m := *l
	m.Default = withDefaults(l.Default, l.Max)
	m.DefaultRequest = withDefaults(l.DefaultRequest, withDefaults(m.Default, l.Min))
	if maps.EqualFunc(m.Default, l.Default, sameQuantity) && maps.EqualFunc(m.DefaultRequest, l.DefaultRequest, sameQuantity) && l.Default != nil && l.DefaultRequest != nil {
		return l
	}
	return &m
}

func (v *validator) limits(list []corev1.LimitRangeItem) {
	seen := map[corev1.LimitType]bool{}
	for i := range list {
		l := &list[i]
		p := specPath.Child("limits").Index(i)
		msgs := qualifiedName(string(l.Type))
		for _, msg := range msgs {
			v.invalid(p.Child("type"), l.Type, msg)
		}
		if len(msgs) == 0 && !strings.Contains(string(l.Type), "/") && l.Type != corev1.LimitTypePod && l.Type != corev1.LimitTypeContainer && l.Type != corev1.LimitTypePersistentVolumeClaim {
			v.invalid(p.Child("type"), l.Type, "must be a standard limit type or fully qualified")
		}
		if seen[l.Type] {
			v.duplicate(p.Child("type"), l.Type)
		}
		seen[l.Type] = true
		keys := map[corev1.ResourceName]bool{}
		names := func(m corev1.ResourceList, child string) {
			for _, n := range sortedKeys(m) {
				keys[n] = true
				if l.Type == corev1.LimitTypePod || l.Type == corev1.LimitTypeContainer {
					v.containerResourceName(n, p.Child(child).Key(string(n)))
				} else {
					v.resourceName(n, p.Child(child).Key(string(n)))
				}
			}
		}
		names(l.Max, "max")
		names(l.Min, "min")
		if l.Type == corev1.LimitTypePod {
			if len(l.Default) > 0 {
				v.forbidden(p.Child("default"), "may not be specified when `type` is 'Pod'")
			}
			if len(l.DefaultRequest) > 0 {
				v.forbidden(p.Child("defaultRequest"), "may not be specified when `type` is 'Pod'")
			}
		} else {
			names(l.Default, "default")
			names(l.DefaultRequest, "defaultRequest")
		}
		if l.Type == corev1.LimitTypePersistentVolumeClaim {
			_, least := l.Min[corev1.ResourceStorage]
			_, most := l.Max[corev1.ResourceStorage]
			if !least && !most {
				v.required(p.Child("limits"), "either minimum or maximum storage value is required, but neither was provided")
			}
		}
		names(l.MaxLimitRequestRatio, "maxLimitRequestRatio")
		for _, n := range sortedKeys(keys) {
			// greater reports in list a's field that a's value exceeds b's.
			greater := func(a corev1.ResourceList, aWord string, b corev1.ResourceList, bWord, child string, shown corev1.ResourceList) {
				x, ok := a[n]
				y, also := b[n]
				if ok && also && x.Cmp(y) > 0 {
					q := shown[n]
					v.invalid(p.Child(child).Key(string(n)), q, fmt.Sprintf("%s value %s is greater than %s value %s", aWord, x.String(), bWord, y.String()))
				}
			}
			greater(l.Min, "min", l.Max, "max", "min", l.Min)
			greater(l.Min, "min", l.DefaultRequest, "default request", "defaultRequest", l.DefaultRequest)
			greater(l.DefaultRequest, "default request", l.Max, "max", "defaultRequest", l.DefaultRequest)
			greater(l.DefaultRequest, "default request", l.Default, "default limit", "defaultRequest", l.DefaultRequest)
			greater(l.Min, "min", l.Default, "default", "default", l.Min)
			greater(l.Default, "default", l.Max, "max", "default", l.Max)
			if ratio, ok := l.MaxLimitRequestRatio[n]; ok && ratio.MilliValue() < 1000 {
				v.invalid(p.Child("maxLimitRequestRatio").Key(string(n)), ratio, fmt.Sprintf("ratio %s is less than 1", ratio.String()))
			}
		}
	}
}
