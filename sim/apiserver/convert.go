// This file converts between the versions of the resources that are served
// twice: HorizontalPodAutoscaler (stored as autoscaling/v2) and Event (stored
// as core/v1).

package apiserver

import (
	"encoding/json"

	autoscalingv1 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v1"
	autoscalingv2 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v2"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	eventsv1 "github.com/kubonsai/kubonsai/sim/api/events/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

type conversion struct {
	key      string // in the store
	storage  metav1.GroupVersionKind
	to, from func(metav1.Object) metav1.Object
}

var conversions = map[metav1.GroupVersionKind]conversion{
	{Group: "autoscaling", Version: "v1", Kind: "HorizontalPodAutoscaler"}: {
		key: "horizontalpodautoscalers.autoscaling", storage: hpaV2, to: hpaToV2, from: hpaToV1,
	},
	{Group: "events.k8s.io", Version: "v1", Kind: "Event"}: {
		key: "events", storage: metav1.GroupVersionKind{Version: "v1", Kind: "Event"}, to: eventToCore, from: eventFromCore,
	},
}

var hpaV2 = metav1.GroupVersionKind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}

// Annotations carry what autoscaling/v1 has no fields for.
const (
	hpaMetrics        = "autoscaling.alpha.kubernetes.io/metrics"
	hpaCurrentMetrics = "autoscaling.alpha.kubernetes.io/current-metrics"
	hpaConditions     = "autoscaling.alpha.kubernetes.io/conditions"
	hpaBehavior       = "autoscaling.alpha.kubernetes.io/behavior"
)

func hpaToV2(obj metav1.Object) metav1.Object {
	in := obj.(*autoscalingv1.HorizontalPodAutoscaler)
	out := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: in.ObjectMeta}
	out.SetGroupVersionKind(hpaV2)
	out.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: in.Spec.ScaleTargetRef.Kind,
		Name: in.Spec.ScaleTargetRef.Name, APIVersion: in.Spec.ScaleTargetRef.APIVersion}
	out.Spec.MinReplicas, out.Spec.MaxReplicas = in.Spec.MinReplicas, in.Spec.MaxReplicas
	if p := in.Spec.TargetCPUUtilizationPercentage; p != nil {
		out.Spec.Metrics = append(out.Spec.Metrics, autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceCPU,
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: p}}})
	}
	out.Status.ObservedGeneration = in.Status.ObservedGeneration
	out.Status.LastScaleTime = in.Status.LastScaleTime
	out.Status.CurrentReplicas, out.Status.DesiredReplicas = in.Status.CurrentReplicas, in.Status.DesiredReplicas
	if p := in.Status.CurrentCPUUtilizationPercentage; p != nil {
		out.Status.CurrentMetrics = []autoscalingv2.MetricStatus{{Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricStatus{Name: corev1.ResourceCPU, Current: autoscalingv2.MetricValueStatus{AverageUtilization: p}}}}
	}
	out.Annotations = map[string]string{}
	for k, v := range in.Annotations {
		switch k {
		case hpaMetrics:
			var m []autoscalingv2.MetricSpec
			if json.Unmarshal([]byte(v), &m) == nil {
				out.Spec.Metrics = append(out.Spec.Metrics, m...)
			}
		case hpaCurrentMetrics:
			var m []autoscalingv2.MetricStatus
			if json.Unmarshal([]byte(v), &m) == nil {
				out.Status.CurrentMetrics = append(out.Status.CurrentMetrics, m...)
			}
		case hpaConditions:
			_ = json.Unmarshal([]byte(v), &out.Status.Conditions)
		case hpaBehavior:
			_ = json.Unmarshal([]byte(v), &out.Spec.Behavior)
		default:
			out.Annotations[k] = v
		}
	}
	if len(out.Annotations) == 0 {
		out.Annotations = nil
	}
	return out
}

func hpaToV1(obj metav1.Object) metav1.Object {
	in := obj.(*autoscalingv2.HorizontalPodAutoscaler)
	out := &autoscalingv1.HorizontalPodAutoscaler{ObjectMeta: in.ObjectMeta}
	out.Kind, out.APIVersion = "HorizontalPodAutoscaler", "autoscaling/v1"
	out.Spec.ScaleTargetRef = autoscalingv1.CrossVersionObjectReference{Kind: in.Spec.ScaleTargetRef.Kind,
		Name: in.Spec.ScaleTargetRef.Name, APIVersion: in.Spec.ScaleTargetRef.APIVersion}
	out.Spec.MinReplicas, out.Spec.MaxReplicas = in.Spec.MinReplicas, in.Spec.MaxReplicas
	extra := map[string]string{}
	note := func(key string, v any) {
		if data, err := json.Marshal(v); err == nil {
			extra[key] = string(data)
		}
	}
	var metrics []autoscalingv2.MetricSpec
	for _, m := range in.Spec.Metrics {
		if m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil && m.Resource.Name == corev1.ResourceCPU &&
			m.Resource.Target.AverageUtilization != nil && out.Spec.TargetCPUUtilizationPercentage == nil {
			out.Spec.TargetCPUUtilizationPercentage = m.Resource.Target.AverageUtilization
			continue
		}
		metrics = append(metrics, m)
	}
	if len(metrics) > 0 {
		note(hpaMetrics, metrics)
	}
	var current []autoscalingv2.MetricStatus
	for _, m := range in.Status.CurrentMetrics {
		if m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil && m.Resource.Name == corev1.ResourceCPU &&
			m.Resource.Current.AverageUtilization != nil && out.Status.CurrentCPUUtilizationPercentage == nil {
			out.Status.CurrentCPUUtilizationPercentage = m.Resource.Current.AverageUtilization
		}
		current = append(current, m)
	}
	if len(current) > 0 {
		note(hpaCurrentMetrics, current)
	}
	if len(in.Status.Conditions) > 0 {
		note(hpaConditions, in.Status.Conditions)
	}
	if in.Spec.Behavior != nil {
		note(hpaBehavior, in.Spec.Behavior)
	}
	if len(extra) > 0 {
		for k, v := range in.Annotations {
			extra[k] = v
		}
		out.Annotations = extra
	}
	out.Status.ObservedGeneration = in.Status.ObservedGeneration
	out.Status.LastScaleTime = in.Status.LastScaleTime
	out.Status.CurrentReplicas, out.Status.DesiredReplicas = in.Status.CurrentReplicas, in.Status.DesiredReplicas
	return out
}

func eventToCore(obj metav1.Object) metav1.Object {
	in := obj.(*eventsv1.Event)
	out := &corev1.Event{ObjectMeta: in.ObjectMeta, EventTime: in.EventTime, ReportingController: in.ReportingController,
		ReportingInstance: in.ReportingInstance, Action: in.Action, Reason: in.Reason, InvolvedObject: in.Regarding,
		Related: in.Related, Message: in.Note, Type: in.Type, Source: in.DeprecatedSource,
		FirstTimestamp: in.DeprecatedFirstTimestamp, LastTimestamp: in.DeprecatedLastTimestamp, Count: in.DeprecatedCount}
	if in.Series != nil {
		out.Series = &corev1.EventSeries{Count: in.Series.Count, LastObservedTime: in.Series.LastObservedTime}
	}
	out.Kind, out.APIVersion = "Event", "v1"
	return out
}

func eventFromCore(obj metav1.Object) metav1.Object {
	in := obj.(*corev1.Event)
	out := &eventsv1.Event{ObjectMeta: in.ObjectMeta, EventTime: in.EventTime, ReportingController: in.ReportingController,
		ReportingInstance: in.ReportingInstance, Action: in.Action, Reason: in.Reason, Regarding: in.InvolvedObject,
		Related: in.Related, Note: in.Message, Type: in.Type, DeprecatedSource: in.Source,
		DeprecatedFirstTimestamp: in.FirstTimestamp, DeprecatedLastTimestamp: in.LastTimestamp, DeprecatedCount: in.Count}
	if in.Series != nil {
		out.Series = &eventsv1.EventSeries{Count: in.Series.Count, LastObservedTime: in.Series.LastObservedTime}
	}
	out.Kind, out.APIVersion = "Event", "events.k8s.io/v1"
	return out
}
