package garbagecollector

import (
	"strings"
	"testing"
	"time"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
	"github.com/kubonsai/kubonsai/sim/controller/deployment"
	"github.com/kubonsai/kubonsai/sim/controller/replicaset"
)

func setUp(t *testing.T) (*ct.Cluster, *ct.Kubelet) {
	c := ct.New(t)
	New(c.Client, c.Factory, nil)
	replicaset.New(c.Client, c.Factory)
	deployment.New(c.Client, c.Factory)
	k := c.StartKubelet(100 * time.Millisecond)
	k.AnyPod = true
	ct.Apply[*appsv1.Deployment](c, `
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: nginx, image: "nginx:1.23"}]}
`)
	c.Run(5 * time.Second)
	return c, k
}

func count(c *ct.Cluster) (deployments, sets, pods int) {
	return len(ct.List[*appsv1.Deployment](c, "")), len(ct.List[*appsv1.ReplicaSet](c, "")), len(ct.List[*corev1.Pod](c, ""))
}

// "In background cascading deletion, the API server deletes the owner object
// immediately and the garbage collector cleans up the dependent objects".
func TestBackground(t *testing.T) {
	c, _ := setUp(t)
	if err := client.Delete[*appsv1.Deployment](c.Client, "default", "web", client.DeleteOptions{Propagation: "Background"}); err != nil {
		t.Fatal(err)
	}
	if d, s, p := count(c); d != 0 || s != 1 || p != 3 {
		t.Errorf("at once: %d deployments, %d sets, %d pods", d, s, p)
	}
	c.Run(5 * time.Second)
	if d, s, p := count(c); d+s+p != 0 {
		t.Errorf("later: %d deployments, %d sets, %d pods", d, s, p)
	}
}

// "In foreground cascading deletion, the owner object first enters a deletion
// in progress state" until its dependents are gone.
func TestForeground(t *testing.T) {
	c, _ := setUp(t)
	if err := client.Delete[*appsv1.Deployment](c.Client, "default", "web", client.DeleteOptions{Propagation: "Foreground"}); err != nil {
		t.Fatal(err)
	}
	c.Run(15 * time.Millisecond)
	d := ct.Get[*appsv1.Deployment](c, "default", "web")
	if d.DeletionTimestamp == nil || len(d.Finalizers) != 1 || d.Finalizers[0] != "foregroundDeletion" {
		t.Errorf("deployment %+v", d.ObjectMeta)
	}
	c.Run(10 * time.Second)
	if d, s, p := count(c); d+s+p != 0 {
		t.Errorf("later: %d deployments, %d sets, %d pods", d, s, p)
	}
}

// Orphans stay, without owner, and can be adopted again.
func TestOrphan(t *testing.T) {
	c, _ := setUp(t)
	rs := ct.List[*appsv1.ReplicaSet](c, "")[0]
	if err := client.Delete[*appsv1.Deployment](c.Client, "default", "web", client.DeleteOptions{Propagation: "Orphan"}); err != nil {
		t.Fatal(err)
	}
	c.Run(5 * time.Second)
	if d, s, p := count(c); d != 0 || s != 1 || p != 3 {
		t.Errorf("%d deployments, %d sets, %d pods", d, s, p)
	}
	if got := ct.Get[*appsv1.ReplicaSet](c, "default", rs.Name); len(got.OwnerReferences) != 0 {
		t.Errorf("owners %+v", got.OwnerReferences)
	}
}

// An owner that never existed, and one in another namespace.
func TestDangling(t *testing.T) {
	c, _ := setUp(t)
	cm := func(name string, ref metav1.OwnerReference) {
		o := ct.Parse[*corev1.ConfigMap](c, "metadata: {name: "+name+"}")
		o.OwnerReferences = []metav1.OwnerReference{ref}
		ct.Create(c, o)
	}
	other := ct.Parse[*corev1.ConfigMap](c, "metadata: {name: owner, namespace: kube-system}")
	other = ct.Create(c, other)
	cm("absent", metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: "1234"})
	cm("foreign", metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: other.UID})
	cm("unknown", metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "Thing", Name: "x", UID: "5678"})
	c.Run(5 * time.Second)
	var left []string
	for _, o := range ct.List[*corev1.ConfigMap](c, "") {
		left = append(left, o.Name)
	}
	if strings.Join(left, " ") != "unknown" {
		t.Errorf("left: %v", left)
	}
	if got := c.Events("foreign"); len(got) != 1 || !strings.HasPrefix(got[0], "Warning OwnerRefInvalidNamespace ownerRef [v1/ConfigMap, namespace: default, name: owner, uid: ") {
		t.Errorf("events %q", got)
	}
}

// Two objects that own each other and are deleted in the foreground do not
// wait for each other for ever.
func TestCycle(t *testing.T) {
	c, _ := setUp(t)
	a := ct.Apply[*corev1.ConfigMap](c, "metadata: {name: a}")
	b := ct.Parse[*corev1.ConfigMap](c, "metadata: {name: b}")
	b.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "a", UID: a.UID, BlockOwnerDeletion: new(true)}}
	b = ct.Create(c, b)
	ct.Change(c, "default", "a", func(o *corev1.ConfigMap) {
		o.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "b", UID: b.UID, BlockOwnerDeletion: new(true)}}
	})
	c.Run(time.Second)
	_ = client.Delete[*corev1.ConfigMap](c.Client, "default", "a", client.DeleteOptions{Propagation: "Foreground"})
	c.Run(10 * time.Second)
	if left := ct.List[*corev1.ConfigMap](c, ""); len(left) != 0 {
		t.Errorf("%d left", len(left))
	}
}
