// This file is the strategy of horizontal pod autoscalers, which are stored in
// their v2 form.

package resource

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	autoscalingv2 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v2"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/resource"
)

var (
	eighty32       = new(int32(80))
	maxChange      = new(autoscalingv2.MaxChangePolicySelect)
	defaultMetrics = []autoscalingv2.MetricSpec{{
		Type: autoscalingv2.ResourceMetricSourceType,
		Resource: &autoscalingv2.ResourceMetricSource{
			Name:   corev1.ResourceCPU,
			Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: eighty32},
		},
	}}
	defaultScaleUp = autoscalingv2.HPAScalingRules{
		StabilizationWindowSeconds: zero32, SelectPolicy: maxChange,
		Policies: []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15},
			{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15},
		},
	}
	defaultScaleDown = autoscalingv2.HPAScalingRules{
		SelectPolicy: maxChange,
		Policies:     []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}},
	}
)

func init() {
	Register("horizontalpodautoscalers.autoscaling", &Strategy{
		Default: func(obj metav1.Object) {
			h := obj.(*autoscalingv2.HorizontalPodAutoscaler)
			if h.Spec.MinReplicas == nil {
				h.Spec.MinReplicas = one32
			}
			if len(h.Spec.Metrics) == 0 {
				h.Spec.Metrics = defaultMetrics
			}
			if b := h.Spec.Behavior; b != nil {
				h.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
					ScaleUp: scalingRules(b.ScaleUp, defaultScaleUp), ScaleDown: scalingRules(b.ScaleDown, defaultScaleDown)}
			}
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			obj.(*autoscalingv2.HorizontalPodAutoscaler).Status = autoscalingv2.HorizontalPodAutoscalerStatus{}
		},
		PrepareForUpdate: func(_ *Context, obj, old metav1.Object) {
			obj.(*autoscalingv2.HorizontalPodAutoscaler).Status = old.(*autoscalingv2.HorizontalPodAutoscaler).Status
		},
		PrepareForStatusUpdate: func(_ *Context, obj, old metav1.Object) {
			obj.(*autoscalingv2.HorizontalPodAutoscaler).Spec = old.(*autoscalingv2.HorizontalPodAutoscaler).Spec
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, true, dnsSubdomain)}
			v.autoscaler(&obj.(*autoscalingv2.HorizontalPodAutoscaler).Spec, nil)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.autoscaler(&obj.(*autoscalingv2.HorizontalPodAutoscaler).Spec, &old.(*autoscalingv2.HorizontalPodAutoscaler).Spec)
			return v.errs
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			s := &obj.(*autoscalingv2.HorizontalPodAutoscaler).Status
			v.nonnegative(int64(s.CurrentReplicas), statusPath, "currentReplicas")
			v.nonnegative(int64(s.DesiredReplicas), statusPath, "desiredReplicas")
			return v.errs
		},
		Columns: []column{
			nameColumn(),
			text("Reference", "What is scaled."),
			text("Targets", "What is measured now, and what it shall be."),
			text("MinPods", "The fewest pods."),
			text("MaxPods", "The most pods."),
			text("Replicas", "How many pods there are."),
			ageColumn(),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			h := obj.(*autoscalingv2.HorizontalPodAutoscaler)
			least := "<unset>"
			if h.Spec.MinReplicas != nil {
				least = strconv.Itoa(int(*h.Spec.MinReplicas))
			}
			return []any{h.Name, h.Spec.ScaleTargetRef.Kind + "/" + h.Spec.ScaleTargetRef.Name, formatMetrics(h.Spec.Metrics, h.Status.CurrentMetrics),
				least, int64(h.Spec.MaxReplicas), int64(h.Status.CurrentReplicas), age(h, now)}
		},
	})
}

func scalingRules(given *autoscalingv2.HPAScalingRules, defaults autoscalingv2.HPAScalingRules) *autoscalingv2.HPAScalingRules {
	out := defaults
	if given != nil {
		if given.SelectPolicy != nil {
			out.SelectPolicy = given.SelectPolicy
		}
		if given.StabilizationWindowSeconds != nil {
			out.StabilizationWindowSeconds = given.StabilizationWindowSeconds
		}
		if given.Policies != nil {
			out.Policies = given.Policies
		}
		out.Tolerance = given.Tolerance
	}
	return &out
}

func (v *validator) autoscaler(s, old *autoscalingv2.HorizontalPodAutoscalerSpec) {
	if s.MinReplicas != nil && *s.MinReplicas < 1 {
		v.invalid(specPath.Child("minReplicas"), *s.MinReplicas, "must be greater than or equal to 1")
	}
	if s.MaxReplicas == 0 {
		v.required(specPath.Child("maxReplicas"), "must be set and greater than 0")
	} else if s.MaxReplicas < 0 {
		v.invalid(specPath.Child("maxReplicas"), s.MaxReplicas, "must be greater than or equal to 1")
	}
	if s.MinReplicas != nil && s.MaxReplicas < *s.MinReplicas {
		v.invalid(specPath.Child("maxReplicas"), s.MaxReplicas, "must be greater than or equal to `minReplicas`")
	}
	p := specPath.Child("scaleTargetRef")
	v.crossVersionReference(&s.ScaleTargetRef, p)
	r := &s.ScaleTargetRef
	switch group, _, ok := strings.Cut(r.APIVersion, "/"); {
	case old != nil && old.ScaleTargetRef.APIVersion == r.APIVersion && old.ScaleTargetRef.Kind == r.Kind:
	case strings.Count(r.APIVersion, "/") > 1:
		v.invalid(p.Child("apiVersion"), r.APIVersion, "unexpected GroupVersion string: "+r.APIVersion)
	case (!ok || group == "") && r.Kind != "ReplicationController":
		v.invalid(p.Child("apiVersion"), r.APIVersion, "apiVersion must specify API group")
	}
	toZero := s.MinReplicas != nil && *s.MinReplicas == 0
	for i := range s.Metrics {
		m := &s.Metrics[i]
		v.metric(m, specPath.Child("metrics").Index(i))
		toZero = toZero && m.Type != autoscalingv2.ObjectMetricSourceType && m.Type != autoscalingv2.ExternalMetricSourceType
	}
	if toZero {
		v.forbidden(specPath.Child("metrics"), "must specify at least one Object or External metric to support scaling to zero replicas")
	}
	if b := s.Behavior; b != nil {
		v.scalingRules(b.ScaleUp, specPath.Child("behavior", "scaleUp"))
		v.scalingRules(b.ScaleDown, specPath.Child("behavior", "scaleDown"))
	}
}

func (v *validator) crossVersionReference(r *autoscalingv2.CrossVersionObjectReference, p *field.Path) {
	for _, f := range [...]struct{ child, value string }{{"kind", r.Kind}, {"name", r.Name}} {
		if f.value == "" {
			v.required(p.Child(f.child), "")
		} else {
			v.check(p, f.child, f.value, pathSegment)
		}
	}
}

func (v *validator) scalingRules(r *autoscalingv2.HPAScalingRules, p *field.Path) {
	if r == nil {
		return
	}
	if w := r.StabilizationWindowSeconds; w != nil && *w < 0 {
		v.invalid(p.Child("stabilizationWindowSeconds"), *w, "must be greater than or equal to zero")
	} else if w != nil && *w > 3600 {
		v.invalid(p.Child("stabilizationWindowSeconds"), *w, "must be less than or equal to 3600")
	}
	if r.SelectPolicy != nil {
		oneOf(v, p, "selectPolicy", *r.SelectPolicy, autoscalingv2.DisabledPolicySelect, autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect)
	}
	at := p.Child("policies")
	if len(r.Policies) == 0 {
		v.required(at, "must specify at least one Policy")
	}
	for i := range r.Policies {
		policy, at := &r.Policies[i], at.Index(i)
		oneOf(v, at, "type", policy.Type, autoscalingv2.PercentScalingPolicy, autoscalingv2.PodsScalingPolicy)
		if policy.Value <= 0 {
			v.invalid(at.Child("value"), policy.Value, "must be greater than zero")
		}
		if policy.PeriodSeconds <= 0 {
			v.invalid(at.Child("periodSeconds"), policy.PeriodSeconds, "must be greater than zero")
		} else if policy.PeriodSeconds > 1800 {
			v.invalid(at.Child("periodSeconds"), policy.PeriodSeconds, "must be less than or equal to 1800")
		}
	}
	if r.Tolerance != nil {
		v.quantity("tolerance", *r.Tolerance, p.Child("tolerance"))
	}
}

func (v *validator) metric(m *autoscalingv2.MetricSpec, p *field.Path) {
	if m.Type == "" {
		v.required(p.Child("type"), "must specify a metric source type")
	}
	if !oneOf(v, p, "type", m.Type, autoscalingv2.ContainerResourceMetricSourceType, autoscalingv2.ExternalMetricSourceType,
		autoscalingv2.ObjectMetricSourceType, autoscalingv2.PodsMetricSourceType, autoscalingv2.ResourceMetricSourceType) {
		return
	}
	missing := func(set bool, child string) bool {
		if !set {
			v.required(p.Child(child), "must populate information for the given metric source")
		}
		return !set
	}
	switch m.Type {
	case autoscalingv2.ResourceMetricSourceType:
		if missing(m.Resource != nil, "resource") {
			return
		}
		at := p.Child("resource")
		if m.Resource.Name == "" {
			v.required(at.Child("name"), "must specify a resource name")
		}
		v.utilizationTarget(&m.Resource.Target, at)
	case autoscalingv2.ContainerResourceMetricSourceType:
		if missing(m.ContainerResource != nil, "containerResource") {
			return
		}
		at := p.Child("containerResource")
		if m.ContainerResource.Name == "" {
			v.required(at.Child("name"), "must specify a resource name")
		}
		if m.ContainerResource.Container == "" {
			v.required(at.Child("container"), "must specify a container")
		}
		v.utilizationTarget(&m.ContainerResource.Target, at)
	case autoscalingv2.PodsMetricSourceType:
		if missing(m.Pods != nil, "pods") {
			return
		}
		at := p.Child("pods")
		v.metricName(&m.Pods.Metric, at)
		v.metricTarget(&m.Pods.Target, at.Child("target"))
		if m.Pods.Target.AverageValue == nil || m.Pods.Target.AverageValue.Sign() != 1 {
			v.required(at.Child("target", "averageValue"), "must specify a positive target averageValue")
		}
	case autoscalingv2.ObjectMetricSourceType:
		if missing(m.Object != nil, "object") {
			return
		}
		at := p.Child("object")
		v.crossVersionReference(&m.Object.DescribedObject, at.Child("describedObject"))
		v.metricName(&m.Object.Metric, at)
		v.metricTarget(&m.Object.Target, at.Child("target"))
		if m.Object.Target.Value == nil && m.Object.Target.AverageValue == nil {
			v.required(at.Child("target", "averageValue"), "must set either a target value or averageValue")
		}
	case autoscalingv2.ExternalMetricSourceType:
		if missing(m.External != nil, "external") {
			return
		}
		at := p.Child("external")
		v.metricName(&m.External.Metric, at)
		v.metricTarget(&m.External.Target, at.Child("target"))
		if m.External.Target.Value == nil && m.External.Target.AverageValue == nil {
			v.required(at.Child("target", "averageValue"), "must set either a target value for metric or a per-pod target")
		}
	}
}

func (v *validator) metricName(m *autoscalingv2.MetricIdentifier, p *field.Path) {
	if m.Name == "" {
		v.required(p.Child("metric", "name"), "must specify a metric name")
	} else {
		v.check(p.Child("metric"), "name", m.Name, pathSegment)
	}
}

func (v *validator) utilizationTarget(t *autoscalingv2.MetricTarget, p *field.Path) {
	v.metricTarget(t, p.Child("target"))
	if t.AverageUtilization == nil && t.AverageValue == nil {
		v.required(p.Child("target", "averageUtilization"), "must set either a target raw value or a target utilization")
	}
	if t.AverageUtilization != nil && t.AverageValue != nil {
		v.forbidden(p.Child("target", "averageValue"), "may not set both a target raw value and a target utilization")
	}
}

func (v *validator) metricTarget(t *autoscalingv2.MetricTarget, p *field.Path) {
	if t.Type == "" {
		v.required(p.Child("type"), "must specify a metric target type")
	}
	switch t.Type {
	case autoscalingv2.UtilizationMetricType, autoscalingv2.ValueMetricType, autoscalingv2.AverageValueMetricType:
	default:
		v.invalid(p.Child("type"), t.Type, "must be either Utilization, Value, or AverageValue")
	}
	if t.Value != nil && t.Value.Sign() != 1 {
		v.invalid(p.Child("value"), t.Value, "must be positive")
	}
	if t.AverageValue != nil && t.AverageValue.Sign() != 1 {
		v.invalid(p.Child("averageValue"), t.AverageValue, "must be positive")
	}
	if t.AverageUtilization != nil && *t.AverageUtilization < 1 {
		v.invalid(p.Child("averageUtilization"), t.AverageUtilization, "must be greater than 0")
	}
}

// formatMetrics prints what kubectl shows as TARGETS: cpu: 12%/50%.
func formatMetrics(specs []autoscalingv2.MetricSpec, statuses []autoscalingv2.MetricStatus) string {
	if len(specs) == 0 {
		return none
	}
	const unknown = "<unknown>"
	quantity := func(q *resource.Quantity) string {
		if q == nil {
			return "0"
		}
		copied := q.DeepCopy()
		return copied.String()
	}
	var out []string
	for i := range specs {
		s := &specs[i]
		var now autoscalingv2.MetricStatus
		if i < len(statuses) {
			now = statuses[i]
		}
		resourceMetric := func(name corev1.ResourceName, target *autoscalingv2.MetricTarget, current *autoscalingv2.MetricValueStatus) string {
			have := unknown
			if target.AverageValue != nil {
				if current != nil {
					have = quantity(current.AverageValue)
				}
				return fmt.Sprintf("%s: %s/%s", name, have, quantity(target.AverageValue))
			}
			if current != nil && current.AverageUtilization != nil {
				have = fmt.Sprintf("%d%%", *current.AverageUtilization)
			}
			want := "<auto>"
			if target.AverageUtilization != nil {
				want = fmt.Sprintf("%d%%", *target.AverageUtilization)
			}
			return fmt.Sprintf("%s: %s/%s", name, have, want)
		}
		valueMetric := func(target *autoscalingv2.MetricTarget, current *autoscalingv2.MetricValueStatus) string {
			have := unknown
			if target.AverageValue != nil {
				if current != nil && current.AverageValue != nil {
					have = quantity(current.AverageValue)
				}
				return have + "/" + quantity(target.AverageValue) + " (avg)"
			}
			if current != nil {
				have = quantity(current.Value)
			}
			return have + "/" + quantity(target.Value)
		}
		switch {
		case s.Type == autoscalingv2.ResourceMetricSourceType && s.Resource != nil:
			var current *autoscalingv2.MetricValueStatus
			if now.Resource != nil {
				current = &now.Resource.Current
			}
			out = append(out, resourceMetric(s.Resource.Name, &s.Resource.Target, current))
		case s.Type == autoscalingv2.ContainerResourceMetricSourceType && s.ContainerResource != nil:
			var current *autoscalingv2.MetricValueStatus
			if now.ContainerResource != nil {
				current = &now.ContainerResource.Current
			}
			out = append(out, resourceMetric(s.ContainerResource.Name, &s.ContainerResource.Target, current))
		case s.Type == autoscalingv2.PodsMetricSourceType && s.Pods != nil:
			have := unknown
			if now.Pods != nil {
				have = quantity(now.Pods.Current.AverageValue)
			}
			out = append(out, have+"/"+quantity(s.Pods.Target.AverageValue))
		case s.Type == autoscalingv2.ObjectMetricSourceType && s.Object != nil:
			var current *autoscalingv2.MetricValueStatus
			if now.Object != nil {
				current = &now.Object.Current
			}
			out = append(out, valueMetric(&s.Object.Target, current))
		case s.Type == autoscalingv2.ExternalMetricSourceType && s.External != nil:
			var current *autoscalingv2.MetricValueStatus
			if now.External != nil {
				current = &now.External.Current
			}
			out = append(out, valueMetric(&s.External.Target, current))
		default:
			out = append(out, "<unknown type>")
		}
	}
	if len(out) > 2 {
		return fmt.Sprintf("%s + %d more...", strings.Join(out[:2], ", "), len(out)-2)
	}
	return strings.Join(out, ", ")
}
