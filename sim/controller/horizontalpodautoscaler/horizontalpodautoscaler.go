// Package horizontalpodautoscaler sets the replicas of workloads so that their
// pods use about as much as asked for. Where the numbers come from is the
// host's affair (interface Metrics); scale.go holds the arithmetic, limits.go
// what keeps a change within bounds.
package horizontalpodautoscaler

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	"github.com/kubonsai/kubonsai/sim/api"
	autoscalingv1 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v1"
	autoscalingv2 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v2"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
	"github.com/kubonsai/kubonsai/sim/rest"
)

const interval = 15 * time.Second

// Usage is what a container uses now.
type Usage struct {
	MilliCPU int64
	Memory   int64 // bytes
}

// Metrics is where pods' usage comes from.
type Metrics interface {
	// Pod returns the usage of a pod's containers by name; false when there is none yet.
	Pod(namespace, name string) (map[string]Usage, bool)
	// Unavailable is why the resource metrics API does not answer, "" when it does.
	Unavailable() string
}

// Controller reconciles HorizontalPodAutoscalers.
type Controller struct {
	client   *client.Client
	clock    *clock.Clock
	recorder *client.Recorder
	metrics  Metrics
	discover func() []*api.Resource
	hpas     *client.Informer[*autoscalingv2.HorizontalPodAutoscaler]
	pods     *client.Informer[*corev1.Pod]
	queue    *client.Queue
	memory   map[string]*memory
}

// New returns the controller. metrics is nil when the cluster has no metrics
// server; discover lists what is served, nil means the built-in resources.
func New(c *client.Client, f *client.Factory, metrics Metrics, discover func() []*api.Resource) *Controller {
	if discover == nil {
		discover = api.Resources
	}
	hc := &Controller{client: c, clock: f.Clock(), metrics: metrics, discover: discover, memory: map[string]*memory{},
		recorder: client.NewRecorder(c, f.Clock(), "horizontal-pod-autoscaler", ""),
		hpas:     client.InformerFor[*autoscalingv2.HorizontalPodAutoscaler](f),
		pods:     client.InformerFor[*corev1.Pod](f)}
	hc.queue = client.NewQueue(f.Clock(), "horizontal-pod-autoscaler", interval, hc.sync)
	hc.hpas.OnChange(func(old, h *autoscalingv2.HorizontalPodAutoscaler) {
		if h == nil {
			hc.queue.Remove(client.Key(old))
			delete(hc.memory, client.Key(old))
			return
		}
		hc.queue.Add(client.Key(h))
	})
	return hc
}

// memory is what the controller remembers of an autoscaler: it only smooths
// decisions and may be lost.
type memory struct {
	recommendations []recommendation
	ups, downs      []scaleEvent
}

func (c *Controller) sync(key string) error {
	h, ok := c.hpas.ByKey(key)
	if !ok {
		return nil
	}
	m := c.memory[key]
	if m == nil {
		m = &memory{}
		c.memory[key] = m
	}
	a := &attempt{Controller: c, stored: h, hpa: controller.Copy(h), memory: m, now: c.clock.Now()}
	a.hpa.Status.Conditions = slices.Clone(h.Status.Conditions)
	a.run()
	c.queue.Add(key) // every 15 s
	return nil
}

// attempt is one reconciliation.
type attempt struct {
	*Controller
	stored, hpa *autoscalingv2.HorizontalPodAutoscaler
	memory      *memory
	now         time.Time
}

func (a *attempt) setCondition(t autoscalingv2.HorizontalPodAutoscalerConditionType, status corev1.ConditionStatus, reason, format string, args ...any) {
	now := metav1.NewTime(a.now)
	c := autoscalingv2.HorizontalPodAutoscalerCondition{Type: t, Status: status, LastTransitionTime: now, Reason: reason, Message: fmt.Sprintf(format, args...)}
	conds := a.hpa.Status.Conditions
	for i := range conds {
		if conds[i].Type == t {
			if conds[i].Status == status {
				c.LastTransitionTime = conds[i].LastTransitionTime
			}
			conds[i] = c
			return
		}
	}
	a.hpa.Status.Conditions = append(conds, c)
}

func (a *attempt) writeStatus() {
	if reflect.DeepEqual(a.stored.Status, a.hpa.Status) {
		return
	}
	if _, err := client.UpdateStatus(a.client, a.hpa); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		a.recorder.Eventf(a.hpa, controller.Warning, "FailedUpdateStatus", "%v", err)
	}
}

// fail says that the scale could not be read.
func (a *attempt) fail(err error) {
	a.recorder.Eventf(a.hpa, controller.Warning, "FailedGetScale", "%v", err)
	a.setCondition(autoscalingv2.AbleToScale, corev1.ConditionFalse, "FailedGetScale", "the HPA controller was unable to get the target's current scale: %v", err)
	a.writeStatus()
}

func (a *attempt) run() {
	ref := a.hpa.Spec.ScaleTargetRef
	gv, err := metav1.ParseGroupVersion(ref.APIVersion)
	if err != nil {
		a.fail(err)
		return
	}
	var target *api.Resource
	for _, r := range a.discover() {
		if r.Group == gv.Group && r.Kind == ref.Kind && (target == nil || r.Version == gv.Version) {
			target = r
		}
	}
	if target == nil {
		a.fail(fmt.Errorf("no matches for kind %q in group %q", ref.Kind, gv.Group))
		return
	}
	path := client.Path(target, a.hpa.Namespace, ref.Name, "scale")
	resp, err := a.client.Do(&rest.Request{Method: "GET", Path: path})
	if err != nil {
		a.fail(err)
		return
	}
	scale, ok := resp.Object.(*autoscalingv1.Scale)
	if !ok {
		a.fail(fmt.Errorf("the server could not find the requested resource"))
		return
	}
	a.setCondition(autoscalingv2.AbleToScale, corev1.ConditionTrue, "SucceededGetScale", "the HPA controller was able to get the target's current scale")
	current := scale.Spec.Replicas
	if len(a.memory.recommendations) == 0 {
		a.memory.recommendations = []recommendation{{current, a.now}}
	}
	least := int32(1)
	if a.hpa.Spec.MinReplicas != nil {
		least = *a.hpa.Spec.MinReplicas
	}
	var statuses []autoscalingv2.MetricStatus
	desired, reason := int32(0), ""
	rescale := true
	switch {
	case current == 0 && least != 0:
		rescale = false
		a.setCondition(autoscalingv2.ScalingActive, corev1.ConditionFalse, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
	case current > a.hpa.Spec.MaxReplicas:
		desired, reason = a.hpa.Spec.MaxReplicas, "Current number of replicas above Spec.MaxReplicas"
	case current < least:
		desired, reason = least, "Current number of replicas below Spec.MinReplicas"
	default:
		proposed, metric, st, err := a.propose(scale)
		statuses = st
		if err != nil && proposed < 0 {
			a.setStatus(current, a.hpa.Status.DesiredReplicas, statuses, false)
			a.writeStatus()
			a.recorder.Eventf(a.hpa, controller.Warning, "FailedComputeMetricsReplicas", "%v", err)
			return
		}
		desired = max(proposed, 0)
		switch {
		case desired > current:
			reason = metric + " above target"
		case desired < current:
			reason = "All metrics below target"
		}
		desired = a.limit(current, desired, least)
		rescale = desired != current
	}
	if rescale {
		u := controller.Copy(scale)
		u.Spec.Replicas = desired
		if _, err := a.client.Do(&rest.Request{Method: "PUT", Path: path, Object: u}); err != nil {
			a.recorder.Eventf(a.hpa, controller.Warning, "FailedRescale", "New size: %d; reason: %s; error: %v", desired, reason, err)
			a.setCondition(autoscalingv2.AbleToScale, corev1.ConditionFalse, "FailedUpdateScale", "the HPA controller was unable to update the target scale: %v", err)
			a.setStatus(current, a.hpa.Status.DesiredReplicas, statuses, false)
			a.writeStatus()
			return
		}
		a.setCondition(autoscalingv2.AbleToScale, corev1.ConditionTrue, "SucceededRescale", "the HPA controller was able to update the target scale to %d", desired)
		a.recorder.Eventf(a.hpa, controller.Normal, "SuccessfulRescale", "New size: %d; reason: %s", desired, reason)
		a.remember(current, desired)
	} else {
		desired = current
	}
	a.setStatus(current, desired, statuses, rescale)
	a.writeStatus()
}

func (a *attempt) setStatus(current, desired int32, statuses []autoscalingv2.MetricStatus, rescaled bool) {
	s := &a.hpa.Status
	s.CurrentReplicas, s.DesiredReplicas, s.CurrentMetrics = current, desired, statuses
	if rescaled {
		now := metav1.NewTime(a.now)
		s.LastScaleTime = &now
	}
}

// propose asks every metric for a number of replicas; the highest counts.
func (a *attempt) propose(scale *autoscalingv1.Scale) (int32, string, []autoscalingv2.MetricStatus, error) {
	if scale.Status.Selector == "" {
		const message = "selector is required"
		a.recorder.Eventf(a.hpa, controller.Warning, "SelectorRequired", message)
		a.setCondition(autoscalingv2.ScalingActive, corev1.ConditionFalse, "InvalidSelector", "the HPA target's scale is missing a selector")
		return -1, "", nil, fmt.Errorf("%s", message)
	}
	sel, err := labels.Parse(scale.Status.Selector)
	if err != nil {
		message := fmt.Sprintf("couldn't convert selector into a corresponding internal selector object: %v", err)
		a.recorder.Eventf(a.hpa, controller.Warning, "InvalidSelector", "%s", message)
		a.setCondition(autoscalingv2.ScalingActive, corev1.ConditionFalse, "InvalidSelector", "%s", message)
		return -1, "", nil, fmt.Errorf("%s", message)
	}
	replicas, name := int32(0), ""
	statuses := make([]autoscalingv2.MetricStatus, len(a.hpa.Spec.Metrics))
	invalid := 0
	var firstErr error
	var firstCond *autoscalingv2.HorizontalPodAutoscalerCondition
	for i := range a.hpa.Spec.Metrics {
		n, metric, cond, err := a.compute(scale, &a.hpa.Spec.Metrics[i], sel, &statuses[i])
		if err != nil {
			if invalid == 0 {
				firstErr, firstCond = err, cond
			}
			invalid++
			continue
		}
		if replicas == 0 || n > replicas {
			replicas, name = n, metric
		}
	}
	if firstErr != nil {
		firstErr = fmt.Errorf("invalid metrics (%v invalid out of %v), first error is: %w", invalid, len(statuses), firstErr)
	}
	// While something is unknown only a higher number may be acted on.
	if invalid >= len(statuses) || invalid > 0 && replicas < scale.Spec.Replicas {
		if firstCond != nil {
			a.setCondition(firstCond.Type, firstCond.Status, firstCond.Reason, "%s", firstCond.Message)
		}
		return -1, "", statuses, firstErr
	}
	a.setCondition(autoscalingv2.ScalingActive, corev1.ConditionTrue, "ValidMetricFound", "the HPA was able to successfully calculate a replica count from %s", name)
	return replicas, name, statuses, firstErr
}

// unable is the condition for a metric that gave no number, and its event.
func (a *attempt) unable(reason string, err error) *autoscalingv2.HorizontalPodAutoscalerCondition {
	a.recorder.Eventf(a.hpa, controller.Warning, reason, "%v", err)
	return &autoscalingv2.HorizontalPodAutoscalerCondition{Type: autoscalingv2.ScalingActive, Status: corev1.ConditionFalse,
		Reason: reason, Message: fmt.Sprintf("the HPA was unable to compute the replica count: %v", err)}
}
