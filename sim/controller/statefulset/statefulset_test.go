package statefulset

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
)

const manifest = `
metadata: {name: web}
spec:
  replicas: 3
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "nginx:1.27"}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`

func setUp(t *testing.T, edit func(*appsv1.StatefulSetSpec)) (*ct.Cluster, *[]string) {
	c := ct.New(t)
	New(c.Client, c.Factory)
	k := c.StartKubelet(100 * time.Millisecond)
	k.AnyPod = true
	trace := &[]string{}
	client.InformerFor[*corev1.Pod](c.Factory).OnChange(func(old, p *corev1.Pod) {
		switch {
		case old == nil:
			*trace = append(*trace, "+"+p.Name)
		case p == nil:
			*trace = append(*trace, "-"+old.Name)
		case old.Status.Phase != p.Status.Phase:
			*trace = append(*trace, p.Name)
		}
	})
	set := ct.Parse[*appsv1.StatefulSet](c, manifest)
	if edit != nil {
		edit(&set.Spec)
	}
	ct.Create(c, set)
	c.Run(10 * time.Second)
	return c, trace
}

func take(trace *[]string) string {
	s := strings.Join(*trace, " ")
	*trace = nil
	return s
}

// "Pods are deployed sequentially, in order from {0..N-1}", "terminated in
// reverse order", "Before a scaling operation is applied to a Pod, all of its
// predecessors must be Running and Ready".
func TestInOrder(t *testing.T) {
	c, trace := setUp(t, nil)
	if got := take(trace); got != "+web-0 web-0 +web-1 web-1 +web-2 web-2" {
		t.Errorf("%s", got)
	}
	p := ct.Get[*corev1.Pod](c, "default", "web-1")
	if p.Spec.Hostname != "web-1" || p.Spec.Subdomain != "web" || p.Labels[appsv1.StatefulSetPodNameLabel] != "web-1" || p.Labels[appsv1.PodIndexLabel] != "1" ||
		p.Spec.Volumes[0].PersistentVolumeClaim.ClaimName != "data-web-1" {
		t.Errorf("%+v", p.Spec)
	}
	ct.Change(c, "default", "web", func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.Containers[0].Image = "nginx:1.28" })
	c.Run(20 * time.Second)
	if got := take(trace); got != "-web-2 +web-2 web-2 -web-1 +web-1 web-1 -web-0 +web-0 web-0" {
		t.Errorf("update: %s", got)
	}
	s := ct.Get[*appsv1.StatefulSet](c, "default", "web").Status
	if s.CurrentRevision != s.UpdateRevision || s.UpdatedReplicas != 3 || s.CurrentReplicas != 3 || s.ReadyReplicas != 3 {
		t.Errorf("%+v", s)
	}
	ct.Change(c, "default", "web", func(s *appsv1.StatefulSet) { s.Spec.Replicas = new(int32(1)) })
	c.Run(10 * time.Second)
	if got := take(trace); got != "-web-2 -web-1" {
		t.Errorf("scale down: %s", got)
	}
	if n := len(ct.List[*corev1.PersistentVolumeClaim](c, "app=web")); n != 3 {
		t.Errorf("%d claims stay, want 3", n)
	}
	if !slices.Contains(c.Events("web"), "Normal SuccessfulCreate Create Pod web-0 in StatefulSet web successful") {
		t.Errorf("%q", c.Events("web"))
	}
}

func TestPartitionAndParallel(t *testing.T) {
	c, trace := setUp(t, func(s *appsv1.StatefulSetSpec) {
		s.PodManagementPolicy = appsv1.ParallelPodManagement
		s.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType,
			RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(2))}}
	})
	if got := take(trace); got != "+web-0 +web-1 +web-2 web-0 web-1 web-2" {
		t.Errorf("%s", got)
	}
	ct.Change(c, "default", "web", func(s *appsv1.StatefulSet) { s.Spec.Template.Spec.Containers[0].Image = "nginx:1.28" })
	c.Run(20 * time.Second)
	if got := take(trace); got != "-web-2 +web-2 web-2" {
		t.Errorf("update: %s", got)
	}
	// A pod below the partition comes back with the old template.
	if err := client.Delete[*corev1.Pod](c.Client, "default", "web-0", client.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Run(5 * time.Second)
	images := ""
	for i := range 3 {
		images += ct.Get[*corev1.Pod](c, "default", fmt.Sprint("web-", i)).Spec.Containers[0].Image + " "
	}
	if images != "nginx:1.27 nginx:1.27 nginx:1.28 " {
		t.Errorf("%s", images)
	}
}

func TestRetention(t *testing.T) {
	c, _ := setUp(t, func(s *appsv1.StatefulSetSpec) {
		s.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
			WhenDeleted: appsv1.DeletePersistentVolumeClaimRetentionPolicyType, WhenScaled: appsv1.DeletePersistentVolumeClaimRetentionPolicyType}
	})
	owner := func(name string) string {
		refs := ct.Get[*corev1.PersistentVolumeClaim](c, "default", name).OwnerReferences
		if len(refs) != 1 {
			return fmt.Sprint(refs)
		}
		return refs[0].Kind + " " + refs[0].Name
	}
	if got := owner("data-web-2"); got != "StatefulSet web" {
		t.Errorf("%s", got)
	}
	ct.Change(c, "default", "web", func(s *appsv1.StatefulSet) { s.Spec.Replicas = new(int32(2)) })
	c.Run(5 * time.Second)
	if got := owner("data-web-2"); got != "Pod web-2" {
		t.Errorf("%s", got)
	}
}
