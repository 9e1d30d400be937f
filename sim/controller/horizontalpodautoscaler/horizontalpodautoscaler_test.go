package horizontalpodautoscaler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	autoscalingv2 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v2"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
	"github.com/kubonsai/kubonsai/sim/controller/replicaset"
)

const rs = `
metadata: {name: web}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: nginx, image: "nginx:1.25", resources: {requests: {cpu: 200m}}}]}
`

const hpa = `
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: ReplicaSet, name: web}
  minReplicas: 3
  maxReplicas: 10
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
`

// load is the same for every pod, shared out among them.
type load struct{ total, pods int64 }

func (l *load) Unavailable() string { return "" }

func (l *load) Pod(namespace, name string) (map[string]Usage, bool) {
	return map[string]Usage{"nginx": {MilliCPU: l.total / l.pods}}, true
}

func setUp(t *testing.T, replicas int, m Metrics) *ct.Cluster {
	c := ct.New(t)
	replicaset.New(c.Client, c.Factory)
	New(c.Client, c.Factory, m, nil)
	k := c.StartKubelet(100 * time.Millisecond)
	k.AnyPod = true
	ct.Apply[*appsv1.ReplicaSet](c, fmt.Sprintf(rs, replicas))
	ct.Apply[*autoscalingv2.HorizontalPodAutoscaler](c, hpa)
	return c
}

func conditions(c *ct.Cluster) []string {
	var out []string
	for _, cond := range ct.Get[*autoscalingv2.HorizontalPodAutoscaler](c, "default", "web").Status.Conditions {
		out = append(out, fmt.Sprintf("%s %s %s %s", cond.Type, cond.Status, cond.Reason, cond.Message))
	}
	return out
}

// testdata/transcripts/replicaset, steps 55–57: 2 replicas, minimum 3, no metrics server.
func TestBelowMinimum(t *testing.T) {
	c := setUp(t, 2, nil)
	c.Run(20 * time.Second)
	want := []string{"AbleToScale True SucceededRescale the HPA controller was able to update the target scale to 3"}
	if got := conditions(c); !slices.Equal(got, want) {
		t.Errorf("conditions %q", got)
	}
	if s := ct.Get[*autoscalingv2.HorizontalPodAutoscaler](c, "default", "web").Status; s.CurrentReplicas != 2 || s.DesiredReplicas != 3 {
		t.Errorf("status %+v", s)
	}
	if got := c.Events("web"); !slices.Contains(got, "Normal SuccessfulRescale New size: 3; reason: Current number of replicas below Spec.MinReplicas") {
		t.Errorf("events %q", got)
	}
	c.Run(15 * time.Second)
	got := conditions(c)
	want = []string{
		"AbleToScale True SucceededGetScale the HPA controller was able to get the target's current scale",
		"ScalingActive False FailedGetResourceMetric the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("conditions %q", got)
	}
}

// desiredReplicas = ceil[currentReplicas * (currentMetricValue / desiredMetricValue)]
func TestScalesWithLoad(t *testing.T) {
	l := &load{total: 300, pods: 3}
	c := setUp(t, 3, l)
	c.Run(time.Minute)
	size := func() int32 { return *ct.Get[*appsv1.ReplicaSet](c, "default", "web").Spec.Replicas }
	if size() != 3 {
		t.Fatalf("%d replicas at 50 %%, want 3", size())
	}
	l.total = 540 // 90 % each
	c.Run(16 * time.Second)
	if size() != 6 {
		t.Fatalf("%d replicas at 90 %% of 3, want 6; %q", size(), conditions(c))
	}
	if got := c.Events("web"); !slices.Contains(got, "Normal SuccessfulRescale New size: 6; reason: cpu resource utilization (percentage of request) above target") {
		t.Errorf("events %q", got)
	}
	l.pods = 6
	l.total = 60 // 5 % each: down, but only once nothing recent asked for more
	c.Run(2 * time.Minute)
	if size() != 6 || !strings.Contains(strings.Join(conditions(c), "\n"), "AbleToScale True ScaleDownStabilized recent recommendations were higher than current one, applying the highest recent recommendation") {
		t.Errorf("%d replicas, %q", size(), conditions(c))
	}
	c.Run(5 * time.Minute)
	if size() != 3 || !slices.Contains(c.Events("web"), "Normal SuccessfulRescale New size: 3; reason: All metrics below target") {
		t.Errorf("%d replicas, %q, %q", size(), conditions(c), c.Events("web"))
	}
	if !strings.Contains(strings.Join(conditions(c), "\n"), "ScalingLimited True TooFewReplicas the desired replica count is less than the minimum replica count") {
		t.Errorf("conditions %q", conditions(c))
	}
}

func TestWithinRules(t *testing.T) {
	for _, tt := range []struct {
		current, desired, least, most, want int32
		reason                              string
	}{
		{3, 6, 1, 10, 6, "DesiredWithinRange"}, {3, 7, 1, 10, 6, "ScaleUpLimit"}, {1, 9, 1, 10, 4, "ScaleUpLimit"},
		{6, 20, 1, 10, 10, "TooManyReplicas"}, {6, 1, 2, 10, 2, "TooFewReplicas"},
	} {
		if n, reason, _ := withinRules(tt.current, tt.desired, tt.least, tt.most); n != tt.want || reason != tt.reason {
			t.Errorf("%+v: got %d, %s", tt, n, reason)
		}
	}
}
