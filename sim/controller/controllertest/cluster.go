// Package controllertest is a small cluster for the tests of controllers and
// of the scheduler: a store, the API server, a client, informers, a clock that
// tests move, and a kubelet that only turns pods Running.
package controllertest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
)

// Start is when the test's time begins.
var Start = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

// Cluster is a cluster without actors; tests add those they look at.
type Cluster struct {
	T       testing.TB
	Clock   *clock.Clock
	Seed    *seed.Source
	Store   *store.Store
	Server  rest.Handler
	Client  *client.Client
	Factory *client.Factory
}

// New returns a cluster with the namespaces default and kube-system.
func New(t testing.TB) *Cluster {
	clk, src, st := clock.New(Start), seed.New(1), store.New()
	srv := apiserver.New(apiserver.Options{Store: st, Clock: clk, Seed: src,
		OnPanic: func(r any, stack []byte) { t.Errorf("API server: %v\n%s", r, stack) }})
	c := &Cluster{T: t, Clock: clk, Seed: src, Store: st, Server: srv, Client: client.New(srv, "test")}
	c.Factory = client.NewFactory(c.Client, clk)
	for _, name := range []string{"default", "kube-system"} {
		ns := &corev1.Namespace{}
		ns.APIVersion, ns.Kind, ns.Name = "v1", "Namespace", name
		if _, err := client.Get[*corev1.Namespace](c.Client, "", name); err != nil {
			Create(c, ns)
		}
	}
	return c
}

// Create creates an object or fails the test.
func Create[T metav1.Object](c *Cluster, obj T) T {
	c.T.Helper()
	out, err := client.Create(c.Client, obj)
	if err != nil {
		c.T.Fatalf("create %T: %v", obj, err)
	}
	return out
}

// Get returns an object or fails the test.
func Get[T metav1.Object](c *Cluster, namespace, name string) T {
	c.T.Helper()
	out, err := client.Get[T](c.Client, namespace, name)
	if err != nil {
		c.T.Fatal(err)
	}
	return out
}

// List lists objects in the namespace default.
func List[T metav1.Object](c *Cluster, selector string) []T {
	c.T.Helper()
	out, _, err := client.List[T](c.Client, "default", selector)
	if err != nil {
		c.T.Fatal(err)
	}
	return out
}

// Change updates an object: change gets a deep copy.
func Change[T metav1.Object](c *Cluster, namespace, name string, change func(T)) T {
	c.T.Helper()
	o := api.DeepCopy(Get[T](c, namespace, name))
	change(o)
	out, err := client.Update(c.Client, o)
	if err != nil {
		c.T.Fatal(err)
	}
	return out
}

// ChangeStatus is Change for the status subresource.
func ChangeStatus[T metav1.Object](c *Cluster, namespace, name string, change func(T)) T {
	c.T.Helper()
	o := api.DeepCopy(Get[T](c, namespace, name))
	change(o)
	out, err := client.UpdateStatus(c.Client, o)
	if err != nil {
		c.T.Fatal(err)
	}
	return out
}

// Apply creates the objects of a YAML manifest, one document.
func Parse[T metav1.Object](c *Cluster, manifest string) T {
	c.T.Helper()
	var zero T
	r := api.Of(zero)
	obj := r.New().(T)
	if err := yaml.Unmarshal([]byte(manifest), obj); err != nil {
		c.T.Fatal(err)
	}
	if r.Namespaced && obj.GetObjectMeta().Namespace == "" {
		obj.GetObjectMeta().Namespace = "default"
	}
	return obj
}

// Apply creates the object of a YAML manifest.
func Apply[T metav1.Object](c *Cluster, manifest string) T {
	c.T.Helper()
	return Create(c, Parse[T](c, manifest))
}

// Run moves the clock forward.
func (c *Cluster) Run(d time.Duration) { c.Clock.AdvanceTo(c.Clock.Now().Add(d)) }

// Events lists the events about an object as "Type Reason Message", in order.
func (c *Cluster) Events(name string) []string {
	c.T.Helper()
	var out []string
	events, _, err := client.List[*corev1.Event](c.Client, "", "")
	if err != nil {
		c.T.Fatal(err)
	}
	slices.SortStableFunc(events, func(a, b *corev1.Event) int { return int(store.RevisionOf(a)) - int(store.RevisionOf(b)) })
	for _, e := range events {
		if e.InvolvedObject.Name == name {
			out = append(out, fmt.Sprintf("%s %s %s", e.Type, e.Reason, e.Message))
		}
	}
	return out
}

// Node adds a ready node.
func (c *Cluster) Node(name, cpu, memory string) *corev1.Node {
	c.T.Helper()
	n := Parse[*corev1.Node](c, fmt.Sprintf(`
metadata: {name: %[1]s, labels: {kubernetes.io/hostname: %[1]s}}
status:
  capacity: {cpu: "%[2]s", memory: %[3]s, pods: "110", ephemeral-storage: 100Gi}
  allocatable: {cpu: "%[2]s", memory: %[3]s, pods: "110", ephemeral-storage: 100Gi}
  conditions:
  - {type: MemoryPressure, status: "False", reason: KubeletHasSufficientMemory, message: kubelet has sufficient memory available, lastHeartbeatTime: "2026-11-22T02:00:00Z", lastTransitionTime: "2026-11-22T02:00:00Z"}
  - {type: DiskPressure, status: "False", reason: KubeletHasNoDiskPressure, message: kubelet has no disk pressure, lastHeartbeatTime: "2026-11-22T02:00:00Z", lastTransitionTime: "2026-11-22T02:00:00Z"}
  - {type: PIDPressure, status: "False", reason: KubeletHasSufficientPID, message: kubelet has sufficient PID available, lastHeartbeatTime: "2026-11-22T02:00:00Z", lastTransitionTime: "2026-11-22T02:00:00Z"}
  - {type: Ready, status: "True", reason: KubeletReady, message: kubelet is posting ready status, lastHeartbeatTime: "2026-11-22T02:00:00Z", lastTransitionTime: "2026-11-22T02:00:00Z"}
`, name, cpu, memory))
	status := n.Status
	out := Create(c, n)
	if len(out.Status.Allocatable) == 0 {
		out = ChangeStatus(c, "", name, func(n *corev1.Node) { n.Status = status })
	}
	return out
}

// Kubelet turns scheduled pods Running and Ready after a while, and deletes
// pods that are being deleted. Pods for which hold is true stay as they are.
type Kubelet struct {
	c     *Cluster
	pods  *client.Informer[*corev1.Pod]
	queue *client.Queue
	Hold  func(*corev1.Pod) bool
	ip    int
	// AnyPod makes the kubelet run pods without a node, for tests without a scheduler.
	AnyPod bool
}

// StartKubelet adds the kubelet.
func (c *Cluster) StartKubelet(after time.Duration) *Kubelet {
	k := &Kubelet{c: c, pods: client.InformerFor[*corev1.Pod](c.Factory), Hold: func(*corev1.Pod) bool { return false }}
	k.queue = client.NewQueue(c.Clock, "kubelet", after, k.sync)
	k.pods.OnChange(func(old, p *corev1.Pod) {
		if p != nil {
			k.queue.Add(client.Key(p))
		}
	})
	return k
}

// Again looks at all pods once more, after Hold was changed.
func (k *Kubelet) Again() {
	for _, p := range k.pods.List("", nil) {
		k.queue.Add(client.Key(p))
	}
}

func (k *Kubelet) sync(key string) error {
	p, ok := k.pods.ByKey(key)
	if !ok || p.Spec.NodeName == "" && !k.AnyPod {
		return nil
	}
	if p.DeletionTimestamp != nil {
		_ = client.Delete[*corev1.Pod](k.c.Client, p.Namespace, p.Name, client.DeleteOptions{GracePeriodSeconds: new(int64(0))})
		return nil
	}
	if k.Hold(p) || p.Status.Phase != corev1.PodPending && p.Status.Phase != "" {
		return nil
	}
	u := api.ShallowCopy(p).(*corev1.Pod)
	k.ip++
	now := metav1.NewTime(k.c.Clock.Now())
	u.Status.Phase = corev1.PodRunning
	u.Status.PodIP = fmt.Sprintf("10.244.%d.%d", k.ip/250, k.ip%250+2)
	u.Status.PodIPs = []corev1.PodIP{{IP: u.Status.PodIP}}
	u.Status.StartTime = &now
	u.Status.Conditions = append(slices.Clone(p.Status.Conditions),
		corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now},
		corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: now})
	for _, ctr := range p.Spec.Containers {
		u.Status.ContainerStatuses = append(u.Status.ContainerStatuses, corev1.ContainerStatus{Name: ctr.Name, Ready: true, Started: new(true)})
	}
	_, err := client.UpdateStatus(k.c.Client, u)
	return err
}

// Timers are the names of the pending timers, but for the one that waits for
// old events to expire.
func (c *Cluster) Timers() []string {
	return slices.DeleteFunc(c.Clock.Names(), func(name string) bool { return name == "apiserver/event-ttl" })
}
