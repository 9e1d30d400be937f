// The arithmetic: from the pods' usage to a number of replicas.

package horizontalpodautoscaler

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	autoscalingv1 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v1"
	autoscalingv2 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v2"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	resource "github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	tolerance = 0.1 // a ratio this close to 1 changes nothing
	// The cpu usage of a pod that has just started says little.
	cpuInitialization     = 5 * time.Minute
	initialReadinessDelay = 30 * time.Second
	metricsWindow         = 15 * time.Second
)

// compute asks one metric.
func (a *attempt) compute(scale *autoscalingv1.Scale, spec *autoscalingv2.MetricSpec, sel labels.Selector, status *autoscalingv2.MetricStatus) (
	int32, string, *autoscalingv2.HorizontalPodAutoscalerCondition, error) {
	const none = "the server could not find the requested resource"
	fetch := func(api, what string) error {
		return fmt.Errorf("unable to fetch metrics from %s metrics API: %s", api, what)
	}
	switch spec.Type {
	case autoscalingv2.ResourceMetricSourceType:
		n, value, metric, err := a.resource(scale.Spec.Replicas, spec.Resource.Name, spec.Resource.Target, "", sel)
		if err != nil {
			return 0, "", a.unable("FailedGetResourceMetric", err), fmt.Errorf("failed to get %s resource metric value: %w", spec.Resource.Name, err)
		}
		*status = autoscalingv2.MetricStatus{Type: spec.Type, Resource: &autoscalingv2.ResourceMetricStatus{Name: spec.Resource.Name, Current: value}}
		return n, metric, nil, nil
	case autoscalingv2.ContainerResourceMetricSourceType:
		s := spec.ContainerResource
		n, value, metric, err := a.resource(scale.Spec.Replicas, s.Name, s.Target, s.Container, sel)
		if err != nil {
			return 0, "", a.unable("FailedGetContainerResourceMetric", err), fmt.Errorf("failed to get %s container metric value: %w", s.Container, err)
		}
		*status = autoscalingv2.MetricStatus{Type: spec.Type, ContainerResource: &autoscalingv2.ContainerResourceMetricStatus{Name: s.Name, Container: s.Container, Current: value}}
		return n, metric, nil, nil
	case autoscalingv2.PodsMetricSourceType:
		err := fmt.Errorf("unable to get metric %s: %w", spec.Pods.Metric.Name, fetch("custom", none+" (get pods.custom.metrics.k8s.io)"))
		return 0, "", a.unable("FailedGetPodsMetric", err), fmt.Errorf("failed to get pods metric value: %w", err)
	case autoscalingv2.ObjectMetricSourceType:
		o := spec.Object
		err := fmt.Errorf("unable to get metric %s: %s on %s %s/%w", o.Metric.Name, o.DescribedObject.Kind, a.hpa.Namespace, o.DescribedObject.Name, fetch("custom", none))
		return 0, "", a.unable("FailedGetObjectMetric", err), fmt.Errorf("failed to get object metric value: %w", err)
	case autoscalingv2.ExternalMetricSourceType:
		err := fmt.Errorf("unable to get external metric %s/%s: %w", a.hpa.Namespace, spec.External.Metric.Name, fetch("external", none))
		return 0, "", a.unable("FailedGetExternalMetric", err), fmt.Errorf("failed to get %s external metric value: %w", spec.External.Metric.Name, err)
	}
	err := fmt.Errorf("unknown metric source type %q", spec.Type)
	return 0, "", a.unable("InvalidMetricSourceType", err), err
}

// resource is a number of replicas from the usage of cpu or memory.
func (a *attempt) resource(current int32, name corev1.ResourceName, target autoscalingv2.MetricTarget, container string, sel labels.Selector) (
	int32, autoscalingv2.MetricValueStatus, string, error) {
	var status autoscalingv2.MetricValueStatus
	switch {
	case target.AverageValue != nil:
		s, err := a.sample(name, container, sel)
		if err != nil {
			return 0, status, "", fmt.Errorf("failed to get %s usage: %w", name, err)
		}
		n, average := s.byValue(current, target.AverageValue.MilliValue())
		q := quantityOf(name, average)
		status.AverageValue = &q
		return n, status, string(name) + " resource", nil
	case target.AverageUtilization != nil:
		s, err := a.sample(name, container, sel)
		if err == nil {
			err = s.addRequests(name, container)
		}
		if err != nil {
			return 0, status, "", fmt.Errorf("failed to get %s utilization: %w", name, err)
		}
		n, percent, average, err := s.byUtilization(current, *target.AverageUtilization)
		if err != nil {
			return 0, status, "", fmt.Errorf("failed to get %s utilization: %w", name, err)
		}
		q := quantityOf(name, average)
		status.AverageUtilization, status.AverageValue = &percent, &q
		what := "resource utilization"
		if container != "" {
			what = "container resource utilization"
		}
		return n, status, fmt.Sprintf("%s %s (percentage of request)", name, what), nil
	}
	return 0, status, "", errors.New("invalid resource metric source: neither an average utilization target nor an average value (usage) target was set")
}

// quantityOf is an amount in thousandths as a quantity.
func quantityOf(name corev1.ResourceName, milli int64) resource.Quantity {
	format := resource.DecimalSI
	if name == corev1.ResourceMemory {
		format = resource.BinarySI
	}
	return *resource.NewMilliQuantity(milli, format)
}

// sample is what is known of a workload's pods, in thousandths.
type sample struct {
	pods     []*corev1.Pod
	usage    map[string]int64 // of ready pods, by name
	requests map[string]int64
	unready  []string
	missing  []string
	ready    int
}

func (a *attempt) sample(name corev1.ResourceName, container string, sel labels.Selector) (*sample, error) {
	unable := func(what string) error {
		return fmt.Errorf("unable to get metrics for resource %s: %s", name, what)
	}
	why := "the server could not find the requested resource"
	if a.metrics != nil {
		why = a.metrics.Unavailable()
	}
	if why != "" {
		return nil, unable("unable to fetch metrics from resource metrics API: " + why + " (get pods.metrics.k8s.io)")
	}
	s := &sample{pods: a.pods.List(a.hpa.Namespace, sel), usage: map[string]int64{}}
	all := map[string]int64{}
	for _, p := range s.pods {
		if p.Status.Phase != corev1.PodRunning {
			continue
		}
		if u, ok := a.metrics.Pod(p.Namespace, p.Name); ok {
			v, found := int64(0), container == ""
			for ctr, amount := range u {
				if container != "" && ctr != container {
					continue
				}
				found = true
				if name == corev1.ResourceMemory {
					v += amount.Memory * 1000
				} else {
					v += amount.MilliCPU
				}
			}
			if !found {
				return nil, unable(fmt.Sprintf("container %s not present in metrics for pod %s/%s", container, p.Namespace, p.Name))
			}
			all[p.Name] = v
		}
	}
	if len(all) == 0 {
		return nil, unable("no metrics returned from resource metrics API")
	}
	for _, p := range s.pods {
		switch v, ok := all[p.Name]; {
		case p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodFailed:
		case p.Status.Phase == corev1.PodPending:
			s.unready = append(s.unready, p.Name)
		case !ok:
			s.missing = append(s.missing, p.Name)
		case name == corev1.ResourceCPU && unreadyForCPU(p, a.now):
			s.unready = append(s.unready, p.Name)
		default:
			s.ready++
			s.usage[p.Name] = v
		}
	}
	if len(s.usage) == 0 {
		return nil, errors.New("did not receive metrics for targeted pods (pods might be unready)")
	}
	return s, nil
}

func unreadyForCPU(p *corev1.Pod, now time.Time) bool {
	c := controller.PodCondition(p, corev1.PodReady)
	if c == nil || p.Status.StartTime == nil {
		return true
	}
	if p.Status.StartTime.Add(cpuInitialization).After(now) {
		return c.Status == corev1.ConditionFalse || now.Before(c.LastTransitionTime.Add(metricsWindow))
	}
	return c.Status == corev1.ConditionFalse && p.Status.StartTime.Add(initialReadinessDelay).After(c.LastTransitionTime.Time)
}

// addRequests sums up what the pods' containers request.
func (s *sample) addRequests(name corev1.ResourceName, container string) error {
	s.requests = map[string]int64{}
	for _, p := range s.pods {
		sum := int64(0)
		if p.Spec.Resources != nil && container == "" {
			if q, ok := p.Spec.Resources.Requests[name]; ok {
				s.requests[p.Name] = q.MilliValue()
				continue
			}
		}
		add := func(c *corev1.Container) error {
			if container != "" && c.Name != container {
				return nil
			}
			q, ok := c.Resources.Requests[name]
			if !ok {
				return fmt.Errorf("missing request for %s in container %s of Pod %s", name, c.Name, p.Name)
			}
			sum += q.MilliValue()
			return nil
		}
		for i := range p.Spec.Containers {
			if err := add(&p.Spec.Containers[i]); err != nil {
				return err
			}
		}
		for i := range p.Spec.InitContainers {
			if c := &p.Spec.InitContainers[i]; c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
				if err := add(c); err != nil {
					return err
				}
			}
		}
		s.requests[p.Name] = sum
	}
	return nil
}

// byUtilization compares usage with a percentage of the requests.
func (s *sample) byUtilization(current, target int32) (n, percent int32, average int64, err error) {
	ratio := func() (float64, int32, int64, bool) {
		used, requested := int64(0), int64(0)
		k := int64(0)
		for pod, v := range s.usage {
			r, ok := s.requests[pod]
			if !ok {
				continue
			}
			used, requested, k = used+v, requested+r, k+1
		}
		if requested == 0 {
			return 0, 0, 0, false
		}
		u := int32(used * 100 / requested)
		return float64(u) / float64(target), u, used / k, true
	}
	r, percent, average, ok := ratio()
	if !ok {
		return 0, 0, 0, errors.New("no metrics returned matched known pods")
	}
	n = s.decide(current, r, func(pod string, over bool) int64 {
		if over {
			return 0
		}
		return s.requests[pod] * int64(max(100, target)) / 100
	}, func() float64 { x, _, _, _ := ratio(); return x })
	return n, percent, average, nil
}

// byValue compares the average usage with an amount.
func (s *sample) byValue(current int32, target int64) (n int32, average int64) {
	ratio := func() (float64, int64) {
		sum := int64(0)
		for _, v := range s.usage {
			sum += v
		}
		avg := sum / int64(len(s.usage))
		return float64(avg) / float64(target), avg
	}
	r, average := ratio()
	n = s.decide(current, r, func(pod string, over bool) int64 {
		if over {
			return 0
		}
		return target
	}, func() float64 { x, _ := ratio(); return x })
	return n, average
}

func within(ratio float64) bool { return ratio >= 1-tolerance && ratio <= 1+tolerance }

// decide turns a usage ratio into a number of replicas. Pods whose usage is not
// known are assumed to be such that they dampen the change: fallback is what a
// pod is assumed to use when the others are over, or under, the target.
func (s *sample) decide(current int32, ratio float64, fallback func(pod string, over bool) int64, again func() float64) int32 {
	upWithUnready := len(s.unready) > 0 && ratio > 1
	if !upWithUnready && len(s.missing) == 0 {
		if within(ratio) {
			return current
		}
		return int32(math.Ceil(ratio * float64(s.ready)))
	}
	if ratio != 1 {
		for _, pod := range s.missing {
			s.usage[pod] = fallback(pod, ratio > 1)
		}
	}
	if upWithUnready {
		for _, pod := range s.unready {
			s.usage[pod] = 0
		}
	}
	fresh := again()
	if within(fresh) || ratio < 1 && fresh > 1 || ratio > 1 && fresh < 1 {
		return current
	}
	n := int32(math.Ceil(fresh * float64(len(s.usage))))
	if fresh < 1 && n > current || fresh > 1 && n < current {
		return current
	}
	return n
}
