package deployment

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/intstr"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
	"github.com/kubonsai/kubonsai/sim/controller/replicaset"
)

const manifest = `
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: nginx, image: "nginx:1.23"}]}
`

func setUp(t *testing.T) (*ct.Cluster, *ct.Kubelet) {
	c := ct.New(t)
	replicaset.New(c.Client, c.Factory)
	New(c.Client, c.Factory)
	k := c.StartKubelet(500 * time.Millisecond)
	k.AnyPod = true
	return c, k
}

func get(c *ct.Cluster) *appsv1.Deployment { return ct.Get[*appsv1.Deployment](c, "default", "web") }

func setImage(c *ct.Cluster, image string) {
	ct.Change(c, "default", "web", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = image })
}

// sets lists the ReplicaSets as "revision:image spec/ready", by revision.
func sets(c *ct.Cluster) []string {
	var out []string
	for _, rs := range ct.List[*appsv1.ReplicaSet](c, "") {
		out = append(out, fmt.Sprintf("%s:%s %d/%d", rs.Annotations[RevisionAnnotation], rs.Spec.Template.Spec.Containers[0].Image, *rs.Spec.Replicas, rs.Status.ReadyReplicas))
	}
	slices.Sort(out)
	return out
}

func scaling(c *ct.Cluster) []string {
	var out []string
	names := map[string]string{}
	for _, rs := range ct.List[*appsv1.ReplicaSet](c, "") {
		names[rs.Name] = "rs" + rs.Annotations[RevisionAnnotation]
	}
	for _, e := range c.Events("web") {
		for name, short := range names {
			e = strings.ReplaceAll(e, name, short)
		}
		out = append(out, e)
	}
	return out
}

func check(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func conditions(d *appsv1.Deployment) []string {
	var out []string
	for _, c := range d.Status.Conditions {
		out = append(out, fmt.Sprintf("%s %s %s", c.Type, c.Status, c.Reason))
	}
	return out
}

// objects/deployment-rollout.jsonl: the statuses of a first rollout, in order.
func TestFirstRollout(t *testing.T) {
	c, _ := setUp(t)
	ct.Apply[*appsv1.Deployment](c, manifest)
	var seen []string
	client.InformerFor[*appsv1.Deployment](c.Factory).OnChange(func(_, d *appsv1.Deployment) {
		s := fmt.Sprintf("%d/%d/%d %v", d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas, conditions(d))
		if len(seen) == 0 || seen[len(seen)-1] != s {
			seen = append(seen, s)
		}
	})
	c.Run(10 * time.Second)
	check(t, "statuses", seen, []string{
		"0/0/0 []",
		"0/0/0 [Progressing True NewReplicaSetCreated]",
		"0/0/0 [Progressing True NewReplicaSetCreated Available False MinimumReplicasUnavailable]",
		"3/3/0 [Available False MinimumReplicasUnavailable Progressing True ReplicaSetUpdated]",
		"3/3/3 [Available True MinimumReplicasAvailable Progressing True NewReplicaSetAvailable]",
	})
	check(t, "events", scaling(c), []string{"Normal ScalingReplicaSet Scaled up replica set rs1 from 0 to 3"})
	rs := ct.List[*appsv1.ReplicaSet](c, "")[0]
	hash := rs.Labels["pod-template-hash"]
	if rs.Name != "web-"+hash || rs.Spec.Selector.MatchLabels["pod-template-hash"] != hash || hash == "" {
		t.Errorf("replica set %s with labels %v", rs.Name, rs.Labels)
	}
	if a := rs.Annotations; a[DesiredReplicasAnnotation] != "3" || a[MaxReplicasAnnotation] != "4" || a[RevisionAnnotation] != "1" {
		t.Errorf("annotations %v", a)
	}
	if get(c).Annotations[RevisionAnnotation] != "1" {
		t.Errorf("revision of the deployment: %v", get(c).Annotations)
	}
	if m := get(c).Status.Conditions[1].Message; m != fmt.Sprintf("ReplicaSet %q has successfully progressed.", rs.Name) {
		t.Errorf("message %q", m)
	}
}

// 25 % of 3 rounds to one surge and no unavailable pod: up by one, down by one.
func TestRollingUpdate(t *testing.T) {
	c, _ := setUp(t)
	ct.Apply[*appsv1.Deployment](c, manifest)
	c.Run(10 * time.Second)
	setImage(c, "nginx:1.24")
	for range 100 {
		c.Run(100 * time.Millisecond)
		ready, all := 0, 0
		for _, p := range ct.List[*corev1.Pod](c, "") {
			if p.DeletionTimestamp == nil {
				all++
				if p.Status.Phase == corev1.PodRunning {
					ready++
				}
			}
		}
		if ready < 3 || all > 4 {
			t.Fatalf("%d pods, %d ready", all, ready)
		}
	}
	check(t, "sets", sets(c), []string{"1:nginx:1.23 0/0", "2:nginx:1.24 3/3"})
	check(t, "events", scaling(c), []string{
		"Normal ScalingReplicaSet Scaled up replica set rs1 from 0 to 3",
		"Normal ScalingReplicaSet Scaled up replica set rs2 from 0 to 1",
		"Normal ScalingReplicaSet Scaled down replica set rs1 from 3 to 2",
		"Normal ScalingReplicaSet Scaled up replica set rs2 from 1 to 2",
		"Normal ScalingReplicaSet Scaled down replica set rs1 from 2 to 1",
		"Normal ScalingReplicaSet Scaled up replica set rs2 from 2 to 3",
		"Normal ScalingReplicaSet Scaled down replica set rs1 from 1 to 0",
	})
	// Back to the first template: its set is used again, as revision 3.
	setImage(c, "nginx:1.23")
	c.Run(10 * time.Second)
	check(t, "sets after the return", sets(c), []string{"2:nginx:1.24 0/0", "3:nginx:1.23 3/3"})
	for _, rs := range ct.List[*appsv1.ReplicaSet](c, "") {
		if rs.Annotations[RevisionAnnotation] == "3" && rs.Annotations[RevisionHistoryAnnotation] != "1" {
			t.Errorf("history %q", rs.Annotations[RevisionHistoryAnnotation])
		}
	}
	if get(c).Annotations[RevisionAnnotation] != "3" {
		t.Errorf("revision %v", get(c).Annotations)
	}
}

// A broken image leaves the old pods serving; the deadline is reported once passed.
func TestBrokenRollout(t *testing.T) {
	c, k := setUp(t)
	ct.Apply[*appsv1.Deployment](c, manifest)
	c.Run(10 * time.Second)
	k.Hold = func(p *corev1.Pod) bool { return strings.HasSuffix(p.Spec.Containers[0].Image, "broken") }
	setImage(c, "nginx:broken")
	c.Run(time.Minute)
	check(t, "sets", sets(c), []string{"1:nginx:1.23 3/3", "2:nginx:broken 1/0"})
	check(t, "conditions", conditions(get(c)), []string{"Available True MinimumReplicasAvailable", "Progressing True ReplicaSetUpdated"})
	c.Run(10 * time.Minute)
	check(t, "conditions", conditions(get(c)), []string{"Available True MinimumReplicasAvailable", "Progressing False ProgressDeadlineExceeded"})
	setImage(c, "nginx:1.24")
	c.Run(10 * time.Second)
	check(t, "sets", sets(c), []string{"1:nginx:1.23 0/0", "2:nginx:broken 0/0", "3:nginx:1.24 3/3"})
	if left := c.Timers(); len(left) != 0 {
		t.Errorf("timers %q pending in an idle cluster", left)
	}
}

// Recreate: "all existing Pods are killed before new ones are created".
func TestRecreate(t *testing.T) {
	c, _ := setUp(t)
	d := ct.Parse[*appsv1.Deployment](c, manifest)
	d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	ct.Create(c, d)
	c.Run(5 * time.Second)
	setImage(c, "nginx:1.24")
	for range 50 {
		c.Run(100 * time.Millisecond)
		images := map[string]bool{}
		for _, p := range ct.List[*corev1.Pod](c, "") {
			images[p.Spec.Containers[0].Image] = true
		}
		if len(images) > 1 {
			t.Fatalf("pods of both templates: %v", images)
		}
	}
	check(t, "sets", sets(c), []string{"1:nginx:1.23 0/0", "2:nginx:1.24 3/3"})
	check(t, "events", scaling(c), []string{
		"Normal ScalingReplicaSet Scaled up replica set rs1 from 0 to 3",
		"Normal ScalingReplicaSet Scaled down replica set rs1 from 3 to 0",
		"Normal ScalingReplicaSet Scaled up replica set rs2 from 0 to 3",
	})
}

func TestPausedAndScaled(t *testing.T) {
	c, _ := setUp(t)
	ct.Apply[*appsv1.Deployment](c, manifest)
	c.Run(5 * time.Second)
	ct.Change(c, "default", "web", func(d *appsv1.Deployment) { d.Spec.Paused = true })
	c.Run(time.Second)
	setImage(c, "nginx:1.24")
	ct.Change(c, "default", "web", func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(5)) })
	c.Run(5 * time.Second)
	check(t, "sets", sets(c), []string{"1:nginx:1.23 5/5"})
	check(t, "conditions", conditions(get(c)), []string{"Progressing Unknown DeploymentPaused", "Available True MinimumReplicasAvailable"})
	ct.Change(c, "default", "web", func(d *appsv1.Deployment) { d.Spec.Paused = false })
	c.Run(20 * time.Second)
	check(t, "sets", sets(c), []string{"1:nginx:1.23 0/0", "2:nginx:1.24 5/5"})
}

// "revisionHistoryLimit … how many old ReplicaSets to retain"
func TestRevisionHistoryLimit(t *testing.T) {
	c, _ := setUp(t)
	d := ct.Parse[*appsv1.Deployment](c, manifest)
	d.Spec.RevisionHistoryLimit = new(int32(2))
	ct.Create(c, d)
	c.Run(5 * time.Second)
	for i := range 5 {
		setImage(c, fmt.Sprintf("nginx:2.%d", i))
		c.Run(20 * time.Second)
	}
	check(t, "sets", sets(c), []string{"4:nginx:2.2 0/0", "5:nginx:2.3 0/0", "6:nginx:2.4 3/3"})
}

func TestFenceposts(t *testing.T) {
	p := func(s string) *intstr.IntOrString { v := intstr.Parse(s); return &v }
	for _, tt := range []struct {
		replicas                   int32
		surge, unavailable         string
		wantSurge, wantUnavailable int32
	}{
		{3, "25%", "25%", 1, 0}, {4, "25%", "25%", 1, 1}, {10, "25%", "25%", 3, 2}, {10, "0", "0", 0, 1},
		{10, "30%", "3", 3, 3}, {1, "0%", "50%", 0, 1}, {100, "100%", "0", 100, 0},
	} {
		d := &appsv1.Deployment{}
		d.Spec.Replicas = &tt.replicas
		d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: p(tt.surge), MaxUnavailable: p(tt.unavailable)}}
		if s, u := fenceposts(d); s != tt.wantSurge || u != tt.wantUnavailable {
			t.Errorf("%d replicas, surge %s, unavailable %s: got %d and %d, want %d and %d", tt.replicas, tt.surge, tt.unavailable, s, u, tt.wantSurge, tt.wantUnavailable)
		}
	}
}

// "you have a Deployment with 10 replicas, maxSurge=3, maxUnavailable=2 …
// 5 replicas are added: 3 to the old ReplicaSet with 8, 2 to the new one with 5"
func TestProportionalScaling(t *testing.T) {
	set := func(name string, n int32) *appsv1.ReplicaSet {
		rs := &appsv1.ReplicaSet{}
		rs.Name = name
		rs.Spec.Replicas = &n
		rs.Annotations = map[string]string{MaxReplicasAnnotation: "13"}
		return rs
	}
	three, two := intstr.FromInt32(3), intstr.FromInt32(2)
	d := &appsv1.Deployment{}
	d.Spec.Replicas = new(int32(15))
	d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &three, MaxUnavailable: &two}}
	if got := proportionalSizes(d, []*appsv1.ReplicaSet{set("new", 5), set("old", 8)}, 5); !slices.Equal(got, []int32{11, 7}) {
		t.Errorf("got %v, want the larger set at 11, the smaller at 7", got)
	}
}

func TestTemplateHash(t *testing.T) {
	a := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "b"}}}}
	h := TemplateHash(a, nil)
	if h != TemplateHash(a, nil) || h == TemplateHash(a, new(int32(1))) || strings.Trim(h, "bcdfghjklmnpqrstvwxz2456789") != "" || len(h) > 10 {
		t.Errorf("hash %q", h)
	}
}
