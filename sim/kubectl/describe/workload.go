// The pages of the controllers that keep pods: ReplicationController,
// ReplicaSet, Deployment, StatefulSet, DaemonSet, Job, CronJob and the
// HorizontalPodAutoscaler.

package describe

import (
	"fmt"
	"net/url"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubonsai/kubonsai/sim/api"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	autoscalingv2 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v2"
	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

func init() {
	register("", "ReplicationController", replicationController)
	register("apps", "ReplicaSet", replicaSet)
	register("apps", "Deployment", deployment)
	register("apps", "StatefulSet", statefulSet)
	register("apps", "DaemonSet", daemonSet)
	register("batch", "Job", job)
	register("batch", "CronJob", cronJob)
	register("autoscaling", "HorizontalPodAutoscaler", horizontalPodAutoscaler)
}

func number(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}

type condition struct{ kind, status, reason string }

func (p *page) conditions(cs []condition) {
	if len(cs) == 0 {
		return
	}
	p.line(0, "Conditions:")
	p.line(1, "Type\tStatus\tReason")
	p.line(1, "----\t------\t------")
	for _, c := range cs {
		p.line(1, "%v \t%v\t%v", c.kind, c.status, c.reason)
	}
}

func replicationController(p *page, o *corev1.ReplicationController) error {
	pods, err := p.podStatus(o, formatSelector(o.Spec.Selector))
	if err != nil {
		return err
	}
	p.head(&o.ObjectMeta)
	p.line(0, "Selector:\t%s", formatLabels(o.Spec.Selector))
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Replicas:\t%d current / %d desired", o.Status.Replicas, number(o.Spec.Replicas))
	p.line(0, "Pods Status:\t%s", pods)
	p.template(o.Spec.Template)
	var cs []condition
	for _, c := range o.Status.Conditions {
		cs = append(cs, condition{string(c.Type), string(c.Status), c.Reason})
	}
	p.conditions(cs)
	p.showEvents(p.eventsOf(o, "ReplicationController"))
	return nil
}

func formatSelector(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	return formatLabels(m)
}

func replicaSet(p *page, o *appsv1.ReplicaSet) error {
	pods, err := p.podStatus(o, selectorText(o.Spec.Selector))
	p.head(&o.ObjectMeta)
	p.line(0, "Selector:\t%s", metav1.FormatLabelSelector(o.Spec.Selector))
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.controller(o)
	p.line(0, "Replicas:\t%d current / %d desired", o.Status.Replicas, number(o.Spec.Replicas))
	if err != nil {
		pods = fmt.Sprintf("error in fetching pods: %s", err)
	}
	p.line(0, "Pods Status:\t%s", pods)
	p.template(&o.Spec.Template)
	var cs []condition
	for _, c := range o.Status.Conditions {
		cs = append(cs, condition{string(c.Type), string(c.Status), c.Reason})
	}
	p.conditions(cs)
	p.showEvents(p.eventsOf(o, "ReplicaSet"))
	return nil
}

func deployment(p *page, o *appsv1.Deployment) error {
	p.head(&o.ObjectMeta)
	p.line(0, "CreationTimestamp:\t%s", stamp(o.CreationTimestamp.Time))
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Selector:\t%s", selectorText(o.Spec.Selector))
	p.line(0, "Replicas:\t%d desired | %d updated | %d total | %d available | %d unavailable",
		number(o.Spec.Replicas), o.Status.UpdatedReplicas, o.Status.Replicas, o.Status.AvailableReplicas, o.Status.UnavailableReplicas)
	p.line(0, "StrategyType:\t%s", o.Spec.Strategy.Type)
	p.line(0, "MinReadySeconds:\t%d", o.Spec.MinReadySeconds)
	if ru := o.Spec.Strategy.RollingUpdate; ru != nil {
		p.line(0, "RollingUpdateStrategy:\t%s max unavailable, %s max surge", ru.MaxUnavailable.String(), ru.MaxSurge.String())
	}
	p.template(&o.Spec.Template)
	var cs []condition
	for _, c := range o.Status.Conditions {
		cs = append(cs, condition{string(c.Type), string(c.Status), c.Reason})
	}
	p.conditions(cs)
	if older, newest, err := p.replicaSets(o); err == nil && (newest != nil || len(older) > 0) {
		var texts []string
		for _, rs := range older {
			texts = append(texts, created(rs))
		}
		p.line(0, "OldReplicaSets:\t%s", orNone(strings.Join(texts, ", ")))
		now := ""
		if newest != nil {
			now = created(newest)
		}
		p.line(0, "NewReplicaSet:\t%s", orNone(now))
	}
	p.showEvents(p.eventsOf(o, "Deployment"))
	return nil
}

func created(rs *appsv1.ReplicaSet) string {
	return fmt.Sprintf("%s (%d/%d replicas created)", rs.Name, rs.Status.Replicas, number(rs.Spec.Replicas))
}

// replicaSets are a deployment's, the one with its present template apart.
func (p *page) replicaSets(d *appsv1.Deployment) (older []*appsv1.ReplicaSet, newest *appsv1.ReplicaSet, err error) {
	list, err := p.List("apps", "replicasets", d.Namespace, url.Values{"labelSelector": {selectorText(d.Spec.Selector)}})
	if err != nil {
		return nil, nil, err
	}
	var mine []*appsv1.ReplicaSet
	for _, o := range list {
		if rs, ok := o.(*appsv1.ReplicaSet); ok && metav1.IsControlledBy(rs, d) {
			mine = append(mine, rs)
		}
	}
	byAge := append([]*appsv1.ReplicaSet(nil), mine...)
	sort.SliceStable(byAge, func(i, j int) bool {
		a, b := byAge[i].CreationTimestamp.Time, byAge[j].CreationTimestamp.Time
		if a.Equal(b) {
			return byAge[i].Name < byAge[j].Name
		}
		return a.Before(b)
	})
	for _, rs := range byAge {
		if sameTemplate(&rs.Spec.Template, &d.Spec.Template) {
			newest = rs
			break
		}
	}
	for _, rs := range mine {
		if newest == nil || rs.UID != newest.UID {
			older = append(older, rs)
		}
	}
	return older, newest, nil
}

// sameTemplate compares pod templates, the hash label apart.
func sameTemplate(a, b *corev1.PodTemplateSpec) bool {
	plain := func(t *corev1.PodTemplateSpec) string {
		c := *t
		c.Labels = map[string]string{}
		for k, v := range t.Labels {
			if k != "pod-template-hash" {
				c.Labels[k] = v
			}
		}
		m, err := api.ToTree(&c)
		if err != nil {
			return ""
		}
		return fmt.Sprint(m)
	}
	return plain(a) == plain(b)
}

func statefulSet(p *page, o *appsv1.StatefulSet) error {
	pods, err := p.podStatus(o, selectorText(o.Spec.Selector))
	if err != nil {
		return err
	}
	p.head(&o.ObjectMeta)
	p.line(0, "CreationTimestamp:\t%s", stamp(o.CreationTimestamp.Time))
	p.line(0, "Selector:\t%s", selectorText(o.Spec.Selector))
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Replicas:\t%d desired | %d total", number(o.Spec.Replicas), o.Status.Replicas)
	p.line(0, "Update Strategy:\t%s", o.Spec.UpdateStrategy.Type)
	if ru := o.Spec.UpdateStrategy.RollingUpdate; ru != nil && ru.Partition != nil {
		p.line(1, "Partition:\t%d", *ru.Partition)
		if ru.MaxUnavailable != nil {
			p.line(1, "MaxUnavailable:\t%s", ru.MaxUnavailable.String())
		}
	}
	p.line(0, "Pods Status:\t%s", pods)
	p.template(&o.Spec.Template)
	if len(o.Spec.VolumeClaimTemplates) == 0 {
		p.line(0, "Volume Claims:\t<none>")
	} else {
		p.line(0, "Volume Claims:")
		for _, c := range o.Spec.VolumeClaimTemplates {
			class := ""
			if c.Spec.StorageClassName != nil {
				class = *c.Spec.StorageClassName
			}
			p.line(1, "Name:\t%s", c.Name)
			p.line(1, "StorageClass:\t%s", class)
			p.labels(1, "Labels", c.Labels)
			p.labels(1, "Annotations", c.Annotations)
			capacity := "<default>"
			if q, ok := c.Spec.Resources.Requests["storage"]; ok {
				capacity = q.String()
			}
			p.line(1, "Capacity:\t%s", capacity)
			p.line(1, "Access Modes:\t%s", c.Spec.AccessModes)
		}
	}
	p.showEvents(p.eventsOf(o, "StatefulSet"))
	return nil
}

func daemonSet(p *page, o *appsv1.DaemonSet) error {
	pods, err := p.podStatus(o, selectorText(o.Spec.Selector))
	if err != nil {
		return err
	}
	p.head(&o.ObjectMeta)
	p.line(0, "Selector:\t%s", selectorText(o.Spec.Selector))
	p.line(0, "Node-Selector:\t%s", formatLabels(o.Spec.Template.Spec.NodeSelector))
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Desired Number of Nodes Scheduled: %d", o.Status.DesiredNumberScheduled)
	p.line(0, "Current Number of Nodes Scheduled: %d", o.Status.CurrentNumberScheduled)
	p.line(0, "Number of Nodes Scheduled with Up-to-date Pods: %d", o.Status.UpdatedNumberScheduled)
	p.line(0, "Number of Nodes Scheduled with Available Pods: %d", o.Status.NumberAvailable)
	p.line(0, "Number of Nodes Misscheduled: %d", o.Status.NumberMisscheduled)
	p.line(0, "Pods Status:\t%s", pods)
	p.template(&o.Spec.Template)
	p.showEvents(p.eventsOf(o, "DaemonSet"))
	return nil
}

func job(p *page, o *batchv1.Job) error {
	p.head(&o.ObjectMeta)
	p.line(0, "Selector:\t%s", selectorText(o.Spec.Selector))
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.controller(o)
	if o.Spec.Parallelism != nil {
		p.line(0, "Parallelism:\t%d", *o.Spec.Parallelism)
	}
	p.line(0, "Completions:\t%s", orUnset(o.Spec.Completions))
	if o.Spec.CompletionMode != nil {
		p.line(0, "Completion Mode:\t%s", *o.Spec.CompletionMode)
	}
	if o.Spec.Suspend != nil {
		p.line(0, "Suspend:\t%v", *o.Spec.Suspend)
	}
	if o.Spec.BackoffLimit != nil {
		p.line(0, "Backoff Limit:\t%v", *o.Spec.BackoffLimit)
	}
	if o.Spec.TTLSecondsAfterFinished != nil {
		p.line(0, "TTL Seconds After Finished:\t%v", *o.Spec.TTLSecondsAfterFinished)
	}
	st := &o.Status
	if st.StartTime != nil {
		p.line(0, "Start Time:\t%s", stamp(st.StartTime.Time))
	}
	if st.CompletionTime != nil {
		p.line(0, "Completed At:\t%s", stamp(st.CompletionTime.Time))
		if st.StartTime != nil {
			p.line(0, "Duration:\t%s", duration.HumanDuration(st.CompletionTime.Sub(st.StartTime.Time)))
		}
	}
	if o.Spec.ActiveDeadlineSeconds != nil {
		p.line(0, "Active Deadline Seconds:\t%ds", *o.Spec.ActiveDeadlineSeconds)
	}
	ready := ""
	if st.Ready != nil {
		ready = fmt.Sprintf(" (%d Ready)", *st.Ready)
	}
	p.line(0, "Pods Statuses:\t%d Active%s / %d Succeeded / %d Failed", st.Active, ready, st.Succeeded, st.Failed)
	if o.Spec.CompletionMode != nil && *o.Spec.CompletionMode == "Indexed" {
		indexes := orNone(st.CompletedIndexes)
		if n := strings.IndexByte(indexes[min(50, len(indexes)):], ','); n >= 0 {
			indexes = indexes[:50+n+1] + "..."
		}
		p.line(0, "Completed Indexes:\t%s", indexes)
	}
	p.template(&o.Spec.Template)
	p.showEvents(p.eventsOf(o, "Job"))
	return nil
}

func orUnset[T int32 | int64](n *T) string {
	if n == nil {
		return "<unset>"
	}
	return fmt.Sprint(*n)
}

func cronJob(p *page, o *batchv1.CronJob) error {
	p.head(&o.ObjectMeta)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "Schedule:\t%s", o.Spec.Schedule)
	p.line(0, "Concurrency Policy:\t%s", o.Spec.ConcurrencyPolicy)
	suspend := "<unset>"
	if o.Spec.Suspend != nil {
		suspend = title(*o.Spec.Suspend)
	}
	p.line(0, "Suspend:\t%s", suspend)
	zone := "<unset>"
	if o.Spec.TimeZone != nil {
		zone = *o.Spec.TimeZone
	}
	p.line(0, "Time Zone:\t%s", zone)
	p.line(0, "Successful Job History Limit:\t%s", orUnset(o.Spec.SuccessfulJobsHistoryLimit))
	p.line(0, "Failed Job History Limit:\t%s", orUnset(o.Spec.FailedJobsHistoryLimit))
	deadline := orUnset(o.Spec.StartingDeadlineSeconds)
	if o.Spec.StartingDeadlineSeconds != nil {
		deadline += "s"
	}
	p.line(0, "Starting Deadline Seconds:\t%s", deadline)
	spec := &o.Spec.JobTemplate.Spec
	selector := "<unset>"
	if spec.Selector != nil {
		selector = selectorText(spec.Selector)
	}
	p.line(0, "Selector:\t%s", selector)
	p.line(0, "Parallelism:\t%s", orUnset(spec.Parallelism))
	p.line(0, "Completions:\t%s", orUnset(spec.Completions))
	if spec.ActiveDeadlineSeconds != nil {
		p.line(0, "Active Deadline Seconds:\t%ds", *spec.ActiveDeadlineSeconds)
	}
	p.template(&spec.Template)
	last := "<unset>"
	if o.Status.LastScheduleTime != nil {
		last = stamp(o.Status.LastScheduleTime.Time)
	}
	p.line(0, "Last Schedule Time:\t%s", last)
	var active []string
	for _, r := range o.Status.Active {
		active = append(active, r.Name)
	}
	p.line(0, "Active Jobs:\t%s", orNone(strings.Join(active, ", ")))
	p.showEvents(p.eventsOf(o, "CronJob"))
	return nil
}

func horizontalPodAutoscaler(p *page, o *autoscalingv2.HorizontalPodAutoscaler) error {
	p.head(&o.ObjectMeta)
	p.labels(0, "Labels", o.Labels)
	p.annotations(0, "Annotations", o.Annotations)
	p.line(0, "CreationTimestamp:\t%s", stamp(o.CreationTimestamp.Time))
	p.line(0, "Reference:\t%s/%s", o.Spec.ScaleTargetRef.Kind, o.Spec.ScaleTargetRef.Name)
	p.line(0, "Metrics:\t( current / target )")
	for i := range o.Spec.Metrics {
		var current *autoscalingv2.MetricStatus
		if i < len(o.Status.CurrentMetrics) {
			current = &o.Status.CurrentMetrics[i]
		}
		p.metric(&o.Spec.Metrics[i], current)
	}
	p.line(0, "Min replicas:\t%s", orUnset(o.Spec.MinReplicas))
	p.line(0, "Max replicas:\t%d", o.Spec.MaxReplicas)
	if b := o.Spec.Behavior; b != nil {
		p.line(0, "Behavior:")
		p.behavior("Scale Up", b.ScaleUp)
		p.behavior("Scale Down", b.ScaleDown)
	}
	p.line(0, "%s pods:\t%d current / %d desired", o.Spec.ScaleTargetRef.Kind, o.Status.CurrentReplicas, o.Status.DesiredReplicas)
	if len(o.Status.Conditions) > 0 {
		p.line(0, "Conditions:")
		p.line(1, "Type\tStatus\tReason\tMessage")
		p.line(1, "----\t------\t------\t-------")
		for _, c := range o.Status.Conditions {
			p.line(1, "%v\t%v\t%v\t%v", c.Type, c.Status, c.Reason, c.Message)
		}
	}
	p.showEvents(p.eventsOf(o, "HorizontalPodAutoscaler"))
	return nil
}

// average and value print a metric's amounts, <unknown> when there are none.
func average(v *autoscalingv2.MetricValueStatus) string {
	if v == nil || v.AverageValue == nil {
		return "<unknown>"
	}
	return v.AverageValue.String()
}

func absolute(v *autoscalingv2.MetricValueStatus) string {
	if v == nil || v.Value == nil {
		return "<unknown>"
	}
	return v.Value.String()
}

func wanted(t autoscalingv2.MetricTarget) string {
	switch {
	case t.AverageValue != nil:
		return t.AverageValue.String()
	case t.Value != nil:
		return t.Value.String()
	case t.AverageUtilization != nil:
		return fmt.Sprintf("%d%%", *t.AverageUtilization)
	}
	return "<auto>"
}

// utilization is a share of the request, with the amount behind it.
func utilization(v *autoscalingv2.MetricValueStatus) string {
	if v == nil || v.AverageUtilization == nil {
		return "<unknown>"
	}
	return fmt.Sprintf("%d%% (%s)", *v.AverageUtilization, average(v))
}

func (p *page) metric(m *autoscalingv2.MetricSpec, st *autoscalingv2.MetricStatus) {
	var now *autoscalingv2.MetricValueStatus
	switch {
	case m.Type == "External" && m.External != nil:
		if st != nil && st.External != nil {
			now = &st.External.Current
		}
		if m.External.Target.AverageValue != nil {
			p.line(1, "%q (target average value):\t%s / %s", m.External.Metric.Name, average(now), wanted(m.External.Target))
		} else {
			p.line(1, "%q (target value):\t%s / %s", m.External.Metric.Name, absolute(now), wanted(m.External.Target))
		}
	case m.Type == "Pods" && m.Pods != nil:
		if st != nil && st.Pods != nil {
			now = &st.Pods.Current
		}
		p.line(1, "%q on pods:\t%s / %s", m.Pods.Metric.Name, average(now), wanted(m.Pods.Target))
	case m.Type == "Object" && m.Object != nil:
		if st != nil && st.Object != nil {
			now = &st.Object.Current
		}
		head := fmt.Sprintf("%q on %s/%s", m.Object.Metric.Name, m.Object.DescribedObject.Kind, m.Object.DescribedObject.Name)
		if m.Object.Target.Type == "AverageValue" {
			p.line(1, "%s (target average value):\t%s / %s", head, average(now), wanted(m.Object.Target))
		} else {
			p.line(1, "%s (target value):\t%s / %s", head, absolute(now), wanted(m.Object.Target))
		}
	case m.Type == "Resource" && m.Resource != nil:
		if st != nil && st.Resource != nil {
			now = &st.Resource.Current
		}
		p.resourceMetric(fmt.Sprintf("resource %s on pods", m.Resource.Name), m.Resource.Target, now)
	case m.Type == "ContainerResource" && m.ContainerResource != nil:
		if st != nil && st.ContainerResource != nil {
			now = &st.ContainerResource.Current
		}
		p.resourceMetric(fmt.Sprintf("resource %s of container %q on pods", m.ContainerResource.Name, m.ContainerResource.Container), m.ContainerResource.Target, now)
	default:
		p.line(1, "<unknown metric type %q>", string(m.Type))
	}
}

func (p *page) resourceMetric(head string, target autoscalingv2.MetricTarget, now *autoscalingv2.MetricValueStatus) {
	if target.AverageValue != nil {
		p.line(1, "%s:\t%s / %s", head, average(now), wanted(target))
		return
	}
	p.line(1, "%s  (as a percentage of request):\t%s / %s", head, utilization(now), wanted(target))
}

func (p *page) behavior(label string, r *autoscalingv2.HPAScalingRules) {
	if r == nil {
		return
	}
	p.line(1, "%s:", label)
	if r.StabilizationWindowSeconds != nil {
		p.line(2, "Stabilization Window: %d seconds", *r.StabilizationWindowSeconds)
	}
	if len(r.Policies) == 0 {
		return
	}
	sel := "Max"
	if r.SelectPolicy != nil {
		sel = string(*r.SelectPolicy)
	}
	p.line(2, "Select Policy: %s", sel)
	p.line(2, "Policies:")
	for _, x := range r.Policies {
		p.line(3, "- Type: %s\tValue: %d\tPeriod: %d seconds", x.Type, x.Value, x.PeriodSeconds)
	}
}
