// Package ingressnginx is ingress-nginx's controller: while its program runs in
// a pod, it watches the ingresses of its class, writes where they are reached
// into their status, and tells the proxy in the pod where requests go.
// https://kubernetes.github.io/ingress-nginx/user-guide/
package ingressnginx

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	networkingv1 "github.com/kubonsai/kubonsai/sim/api/networking/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency       = 50 * time.Millisecond
	statusDelay   = 10 * time.Second // the status is written in rounds
	serviceIndex  = "service"
	classNotation = "kubernetes.io/ingress.class"
)

// Controller holds the table of routes.
type Controller struct {
	// Lookup resolves a name as a pod does, for Services of type ExternalName;
	// nil knows none.
	Lookup func(pod, name string) []netip.Addr

	client   *client.Client
	recorder *client.Recorder
	clock    *clock.Clock
	ingress  *client.Informer[*networkingv1.Ingress]
	classes  *client.Informer[*networkingv1.IngressClass]
	services *client.Informer[*corev1.Service]
	slices   *client.Informer[*discoveryv1.EndpointSlice]
	pods     *client.Informer[*corev1.Pod]
	status   *client.Queue
	runs     []*run // the programs that run; the first leads
	servers  map[string]*vhost
	stale    bool
	turn     map[string]int // by upstream: whose turn it is
}

// run is one program's run.
type run struct {
	pod  string
	args []string
}

// New returns the controller; it acts while a program runs (see Run).
func New(c *client.Client, f *client.Factory) *Controller {
	n := &Controller{client: c, clock: f.Clock(), recorder: client.NewRecorder(c, f.Clock(), "nginx-ingress-controller", ""),
		ingress: client.InformerFor[*networkingv1.Ingress](f), classes: client.InformerFor[*networkingv1.IngressClass](f),
		services: client.InformerFor[*corev1.Service](f), slices: client.InformerFor[*discoveryv1.EndpointSlice](f),
		pods: client.InformerFor[*corev1.Pod](f), turn: map[string]int{}}
	n.status = client.NewQueue(n.clock, "ingress-nginx status", latency, n.writeStatus)
	n.slices.AddIndex(serviceIndex, func(s *discoveryv1.EndpointSlice) []string {
		return []string{s.Namespace + "/" + s.Labels[discoveryv1.LabelServiceName]}
	})
	n.ingress.OnChange(func(old, i *networkingv1.Ingress) {
		n.stale = true
		if len(n.runs) > 0 && i != nil && n.mine(i) && (old == nil || old.Generation != i.Generation || !reflect.DeepEqual(old.Status, i.Status) || !reflect.DeepEqual(old.Annotations, i.Annotations)) {
			n.seen(i)
		}
	})
	n.classes.OnChange(func(_, c *networkingv1.IngressClass) {
		n.stale = true
		if c != nil {
			n.each(func(i *networkingv1.Ingress) { n.status.AddAfter(client.Key(i), statusDelay) })
		}
	})
	n.services.OnChange(func(_, s *corev1.Service) {
		if key := n.flag("publish-service"); s != nil && key != "" && client.Key(s) == key {
			n.each(func(i *networkingv1.Ingress) { n.status.Add(client.Key(i)) })
		}
	})
	return n
}

// seen is what happens when an ingress has come or changed.
func (n *Controller) seen(i *networkingv1.Ingress) {
	n.recorder.Eventf(i, controller.Normal, "Sync", "Scheduled for sync")
	n.status.AddAfter(client.Key(i), statusDelay)
}

// Run implements container.IngressController.
func (n *Controller) Run(pod string, args []string) (stop func()) {
	r := &run{pod, args}
	n.runs = append(n.runs, r)
	n.stale = true
	// by a timer: a program that starts again after a reload does so before the API is there
	start := n.clock.After(latency, "ingress-nginx starts", func() {
		if n.runs[0] == r {
			n.each(func(i *networkingv1.Ingress) {
				if len(i.Status.LoadBalancer.Ingress) == 0 {
					n.seen(i)
				}
			})
		}
	})
	return func() {
		start.Stop()
		n.runs = slices.DeleteFunc(n.runs, func(o *run) bool { return o == r })
	}
}

// flag is an argument of the leading program: --name=value; "true" for --name.
func (n *Controller) flag(name string) string {
	if len(n.runs) == 0 {
		return ""
	}
	for _, a := range n.runs[0].args {
		if k, v, ok := strings.Cut(strings.TrimLeft(a, "-"), "="); k == name && ok {
			return v
		} else if k == name {
			return "true"
		}
	}
	return ""
}

// mine reports whether the ingress is of the controller's class.
func (n *Controller) mine(i *networkingv1.Ingress) bool {
	if a, ok := i.Annotations[classNotation]; ok {
		return a == cmp.Or(n.flag("ingress-class"), "nginx")
	}
	if i.Spec.IngressClassName == nil {
		return n.flag("watch-ingress-without-class") == "true"
	}
	class, ok := n.classes.Get("", *i.Spec.IngressClassName)
	return ok && class.Spec.Controller == cmp.Or(n.flag("controller-class"), "k8s.io/ingress-nginx")
}

// each calls fn for the ingresses of the program that runs, the oldest first.
func (n *Controller) each(fn func(*networkingv1.Ingress)) {
	if len(n.runs) == 0 {
		return
	}
	var list []*networkingv1.Ingress
	n.ingress.Scan("", func(i *networkingv1.Ingress) bool {
		if n.mine(i) {
			list = append(list, i)
		}
		return true
	})
	slices.SortStableFunc(list, func(a, b *networkingv1.Ingress) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	for _, i := range list {
		fn(i)
	}
}

// address is where the outside world reaches the controller, as its arguments say.
func (n *Controller) address() []networkingv1.IngressLoadBalancerIngress {
	if a := n.flag("publish-status-address"); a != "" {
		var out []networkingv1.IngressLoadBalancerIngress
		for _, one := range strings.Split(a, ",") {
			if _, err := netip.ParseAddr(one); err == nil {
				out = append(out, networkingv1.IngressLoadBalancerIngress{IP: one})
			} else {
				out = append(out, networkingv1.IngressLoadBalancerIngress{Hostname: one})
			}
		}
		return out
	}
	if key := n.flag("publish-service"); key != "" {
		s, ok := n.services.ByKey(key)
		if !ok {
			return nil
		}
		var out []networkingv1.IngressLoadBalancerIngress
		for _, i := range s.Status.LoadBalancer.Ingress {
			out = append(out, networkingv1.IngressLoadBalancerIngress{IP: i.IP, Hostname: i.Hostname})
		}
		if s.Spec.Type == corev1.ServiceTypeNodePort || s.Spec.Type == corev1.ServiceTypeClusterIP {
			out = append(out, networkingv1.IngressLoadBalancerIngress{IP: s.Spec.ClusterIP})
		}
		return out
	}
	var out []networkingv1.IngressLoadBalancerIngress
	for _, r := range n.runs { // the addresses of the nodes that it runs on
		if o, ok := n.pods.ByKey(r.pod); ok && o.Status.HostIP != "" {
			out = append(out, networkingv1.IngressLoadBalancerIngress{IP: o.Status.HostIP})
		}
	}
	return out
}

func (n *Controller) writeStatus(key string) error {
	i, ok := n.ingress.ByKey(key)
	if !ok || len(n.runs) == 0 || !n.mine(i) {
		return nil
	}
	want := n.address()
	if reflect.DeepEqual(i.Status.LoadBalancer.Ingress, want) || len(want) == 0 && len(i.Status.LoadBalancer.Ingress) == 0 {
		return nil
	}
	i = controller.Copy(i)
	i.Status.LoadBalancer.Ingress = want
	if _, err := client.UpdateStatus(n.client, i); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}
