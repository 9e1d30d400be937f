// The metrics server: the metrics.k8s.io API, answered from what the kubelets
// know of their containers while the Deployment that stands for it runs.
// https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/

package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller/apiservice"
	"github.com/kubonsai/kubonsai/sim/controller/horizontalpodautoscaler"
	"github.com/kubonsai/kubonsai/sim/kubelet"
)

const (
	metricsAPI = "v1beta1.metrics.k8s.io"
	// metricsResolution is how often the server asks the kubelets; a container
	// is measured first when it has run for metricsWarmUp.
	metricsResolution = 15 * time.Second
	metricsWarmUp     = 10 * time.Second
)

// SwitchMetricsServer installs a metrics server, as `minikube addons enable
// metrics-server` does, or removes it; kubectl top works some 40 s of virtual
// time later. Doing so twice changes nothing. Unlike the one of the manifest it
// runs beside the control plane, so that draining a worker is not in its way.
func (c *Cluster) SwitchMetricsServer(on bool) error {
	const anywhere = `"nodeSelector":{"kubernetes.io/os":"linux"}`
	err := c.switchObjects(on, strings.Replace(metricsObjects, anywhere, `"nodeSelector":{"kubernetes.io/os":"linux","node-role.kubernetes.io/control-plane":""},`+
		`"tolerations":[{"key":"node-role.kubernetes.io/control-plane","effect":"NoSchedule"}]`, 1), "minikube")
	if err == nil {
		c.spec.MetricsServer, c.machine.dirty.clusters = on, true
	}
	return err
}

// metricsServer answers for the group metrics.k8s.io.
type metricsServer struct {
	c     *Cluster
	pods  *client.Informer[*corev1.Pod]
	nodes *client.Informer[*corev1.Node]
	apis  *apiservice.Controller
}

func (c *Cluster) newMetricsServer(manager *client.Client) *metricsServer {
	m := &metricsServer{c: c, pods: client.InformerFor[*corev1.Pod](c.factory), nodes: client.InformerFor[*corev1.Node](c.factory)}
	kind := func(kind, plural string, namespaced bool, row func(tree map[string]any) []any, compute apiserver.Compute) *apiserver.Kind {
		gvk := metav1.GroupVersionKind{Group: "metrics.k8s.io", Version: "v1beta1", Kind: kind}
		r := &api.Resource{Group: gvk.Group, Version: gvk.Version, Kind: kind, Plural: plural, Namespaced: namespaced, Verbs: []string{"get", "list"},
			New: func() metav1.Object {
				u := &metav1.Unstructured{Object: map[string]any{}}
				u.SetGroupVersionKind(gvk)
				return u
			}}
		column := func(name string) metav1.TableColumnDefinition {
			return metav1.TableColumnDefinition{Name: name, Type: "string"}
		}
		return &apiserver.Kind{Resource: r, Dynamic: &apiserver.Dynamic{}, Compute: compute, Strategy: &resource.Strategy{
			Columns: []metav1.TableColumnDefinition{{Name: "Name", Type: "string", Format: "name"}, column("cpu"), column("memory"), column("Window")},
			Row: func(obj metav1.Object, _ time.Time) []any {
				u := obj.(*metav1.Unstructured)
				return append(append([]any{u.Name}, row(u.Object)...), u.Object["window"])
			}}}
	}
	pod := kind("PodMetrics", "pods", true, func(tree map[string]any) []any {
		var cpu, memory int64
		for _, k := range tree["containers"].([]any) {
			u := k.(map[string]any)["usage"].(map[string]any)
			n, _ := strconv.ParseInt(u["cpu"].(string)[:len(u["cpu"].(string))-1], 10, 64)
			b, _ := strconv.ParseInt(u["memory"].(string)[:len(u["memory"].(string))-2], 10, 64)
			cpu, memory = cpu+n, memory+b
		}
		return []any{fmt.Sprintf("%dn", cpu), fmt.Sprintf("%dKi", memory)}
	}, m.podMetrics)
	node := kind("NodeMetrics", "nodes", false, func(tree map[string]any) []any {
		u := tree["usage"].(map[string]any)
		return []any{u["cpu"], u["memory"]}
	}, m.nodeMetrics)
	m.apis = apiservice.New(manager, c.factory, c.server, apiservice.Backend{Name: metricsAPI, Kinds: []*apiserver.Kind{node, pod}})
	return m
}

// scraped is when the server last asked the kubelets.
func (m *metricsServer) scraped() time.Time { return m.c.clock.Now().Truncate(metricsResolution) }

// usage is what is known of a pod: nothing before each of its containers has
// been measured.
func (m *metricsServer) usage(p *corev1.Pod) []kubelet.ContainerUsage {
	if p.Status.Phase != corev1.PodRunning {
		return nil
	}
	us, _ := m.c.kubelet.PodUsage(p.Namespace, p.Name)
	for _, u := range us {
		if m.scraped().Sub(u.Started) < metricsWarmUp {
			return nil
		}
	}
	return us
}

func amounts(milliCPU, memory int64) map[string]any {
	return map[string]any{"cpu": fmt.Sprintf("%dn", milliCPU*1e6), "memory": fmt.Sprintf("%dKi", memory>>10)}
}

func (m *metricsServer) object(kind string, of *metav1.ObjectMeta, extra map[string]any) metav1.Object {
	u := &metav1.Unstructured{Object: extra}
	u.SetGroupVersionKind(metav1.GroupVersionKind{Group: "metrics.k8s.io", Version: "v1beta1", Kind: kind})
	u.Name, u.Namespace, u.Labels, u.CreationTimestamp = of.Name, of.Namespace, of.Labels, metav1.NewTime(m.c.clock.Now())
	extra["timestamp"], extra["window"] = m.scraped().UTC().Format(time.RFC3339), metricsResolution.String()
	return u
}

func (m *metricsServer) podMetrics(namespace, name string) ([]metav1.Object, error) {
	var out []metav1.Object
	add := func(p *corev1.Pod) bool {
		us := m.usage(p)
		if len(us) == 0 {
			return true
		}
		var list []any
		for _, u := range us {
			list = append(list, map[string]any{"name": u.Name, "usage": amounts(u.MilliCPU, u.Memory)})
		}
		out = append(out, m.object("PodMetrics", &p.ObjectMeta, map[string]any{"containers": list}))
		return true
	}
	if name == "" {
		m.pods.Scan(namespace, add)
		return out, nil
	}
	p, ok := m.pods.Get(namespace, name)
	if !ok {
		return nil, apierrors.NewNotFound(metav1.GroupResource{Resource: "pods"}, name)
	}
	if add(p); len(out) == 0 {
		return nil, apierrors.NewNotFound(metav1.GroupResource{Group: "metrics.k8s.io", Resource: "podmetrics"}, namespace+"/"+name)
	}
	return out, nil
}

func (m *metricsServer) nodeMetrics(_, name string) ([]metav1.Object, error) {
	var out []metav1.Object
	add := func(n *corev1.Node) bool {
		if cpu, memory, ok := m.c.kubelet.NodeUsage(n.Name); ok {
			out = append(out, m.object("NodeMetrics", &n.ObjectMeta, map[string]any{"usage": amounts(cpu, memory)}))
		}
		return true
	}
	if name == "" {
		m.nodes.Scan("", add)
		return out, nil
	}
	n, ok := m.nodes.Get("", name)
	if !ok {
		return nil, apierrors.NewNotFound(metav1.GroupResource{Resource: "nodes"}, name)
	}
	if add(n); len(out) == 0 {
		return nil, apierrors.NewNotFound(metav1.GroupResource{Group: "metrics.k8s.io", Resource: "nodemetrics"}, name)
	}
	return out, nil
}

// Pod implements horizontalpodautoscaler.Metrics.
func (m *metricsServer) Pod(namespace, name string) (map[string]horizontalpodautoscaler.Usage, bool) {
	out := map[string]horizontalpodautoscaler.Usage{}
	if p, ok := m.pods.Get(namespace, name); ok {
		for _, u := range m.usage(p) {
			out[u.Name] = horizontalpodautoscaler.Usage{MilliCPU: u.MilliCPU, Memory: u.Memory}
		}
	}
	return out, len(out) > 0
}

// Unavailable implements horizontalpodautoscaler.Metrics.
func (m *metricsServer) Unavailable() string {
	switch {
	case !m.apis.Registered(metricsAPI):
		return "the server could not find the requested resource"
	case !m.apis.Available(metricsAPI):
		return "the server is currently unable to handle the request"
	}
	return ""
}
