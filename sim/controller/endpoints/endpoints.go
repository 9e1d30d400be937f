// Package endpoints keeps the older list of a service's pods: one Endpoints
// object per service, ready and not ready addresses by port.
package endpoints

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency       = 10 * time.Millisecond
	managedBy     = "endpoints.kubernetes.io/managed-by"
	managerName   = "endpoint-controller"
	headlessLabel = "service.kubernetes.io/headless"
	maxAddresses  = 1000
)

// Controller reconciles services.
type Controller struct {
	client    *client.Client
	recorder  *client.Recorder
	services  *client.Informer[*corev1.Service]
	pods      *client.Informer[*corev1.Pod]
	endpoints *client.Informer[*corev1.Endpoints]
	queue     *client.Queue
}

// New returns the controller.
func New(c *client.Client, f *client.Factory) *Controller {
	ec := &Controller{client: c, recorder: client.NewRecorder(c, f.Clock(), managerName, ""),
		services:  client.InformerFor[*corev1.Service](f),
		pods:      client.InformerFor[*corev1.Pod](f),
		endpoints: client.InformerFor[*corev1.Endpoints](f)}
	ec.queue = client.NewQueue(f.Clock(), managerName, latency, ec.sync)
	ec.services.OnChange(func(old, s *corev1.Service) {
		if s == nil {
			s = old
		}
		ec.queue.Add(client.Key(s))
	})
	ec.pods.OnChange(func(old, p *corev1.Pod) {
		if controller.EndpointChanged(old, p) {
			controller.ServicesOf(ec.services, old, p, ec.queue.Add)
		}
	})
	ec.endpoints.OnChange(func(old, e *corev1.Endpoints) {
		if e == nil && old.Labels[managedBy] == managerName {
			ec.queue.Add(client.Key(old))
		}
	})
	return ec
}

func (c *Controller) sync(key string) error {
	namespace, name := client.SplitKey(key)
	have, exists := c.endpoints.ByKey(key)
	s, ok := c.services.ByKey(key)
	if !ok {
		if exists && have.Labels[managedBy] == managerName {
			if err := client.Delete[*corev1.Endpoints](c.client, namespace, name, client.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return err
			}
		}
		return nil
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName || len(s.Spec.Selector) == 0 {
		return nil
	}
	subsets, trigger := c.subsets(s)
	want := maps.Clone(s.Labels)
	if want == nil {
		want = map[string]string{}
	}
	want[managedBy] = managerName
	delete(want, headlessLabel)
	if s.Spec.ClusterIP == corev1.ClusterIPNone {
		want[headlessLabel] = ""
	}
	if exists && reflect.DeepEqual(have.Subsets, subsets) && maps.Equal(have.Labels, want) {
		return nil
	}
	e := &corev1.Endpoints{}
	if exists {
		e = controller.Copy(have)
	}
	e.APIVersion, e.Kind = "v1", "Endpoints"
	e.Namespace, e.Name = namespace, name
	e.Labels, e.Subsets = want, subsets
	if trigger.IsZero() && !exists {
		trigger = s.CreationTimestamp
	}
	e.Annotations = maps.Clone(e.Annotations)
	delete(e.Annotations, corev1.EndpointsLastChangeTriggerTime)
	if !trigger.IsZero() {
		if e.Annotations == nil {
			e.Annotations = map[string]string{}
		}
		e.Annotations[corev1.EndpointsLastChangeTriggerTime] = trigger.String()
	}
	var err error
	if exists {
		_, err = client.Update(c.client, e)
	} else {
		_, err = client.Create(c.client, e)
	}
	switch {
	case err == nil || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	case exists:
		c.recorder.Eventf(e, controller.Warning, "FailedToUpdateEndpoint", "Failed to update endpoint %v: %v", key, err)
	default:
		c.recorder.Eventf(e, controller.Warning, "FailedToCreateEndpoint", "Failed to create endpoint for service %v: %v", key, err)
	}
	return err
}

// subsets groups the service's pods by the ports they serve.
func (c *Controller) subsets(s *corev1.Service) ([]corev1.EndpointSubset, metav1.Time) {
	type group struct {
		ports      []corev1.EndpointPort
		ready, not []corev1.EndpointAddress
	}
	groups := map[string]*group{}
	var trigger metav1.Time
	n := 0
	for _, p := range c.pods.List(s.Namespace, labels.SelectorFromSet(s.Spec.Selector)) {
		if p.Status.PodIP == "" || controller.IsTerminal(p) || p.DeletionTimestamp != nil && !s.Spec.PublishNotReadyAddresses || n == maxAddresses {
			continue
		}
		n++
		if cond := controller.PodCondition(p, corev1.PodReady); cond != nil && cond.LastTransitionTime.After(trigger.Time) {
			trigger = cond.LastTransitionTime
		}
		var ports []corev1.EndpointPort
		for i := range s.Spec.Ports {
			sp := &s.Spec.Ports[i]
			if port, ok := controller.TargetPort(p, sp); ok {
				ports = append(ports, corev1.EndpointPort{Name: sp.Name, Port: port, Protocol: sp.Protocol, AppProtocol: sp.AppProtocol})
			}
		}
		if len(s.Spec.Ports) > 0 && len(ports) == 0 {
			continue
		}
		slices.SortFunc(ports, func(a, b corev1.EndpointPort) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port))
		})
		key := fmt.Sprint(ports)
		g := groups[key]
		if g == nil {
			g = &group{ports: ports}
			groups[key] = g
		}
		a := corev1.EndpointAddress{IP: p.Status.PodIP, Hostname: controller.HostnameFor(p, s),
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID}}
		if p.Spec.NodeName != "" {
			a.NodeName = &p.Spec.NodeName
		}
		if controller.IsReady(p) || s.Spec.PublishNotReadyAddresses {
			g.ready = append(g.ready, a)
		} else {
			g.not = append(g.not, a)
		}
	}
	var out []corev1.EndpointSubset
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g := groups[key]
		slices.SortFunc(g.ready, byIP)
		slices.SortFunc(g.not, byIP)
		out = append(out, corev1.EndpointSubset{Addresses: g.ready, NotReadyAddresses: g.not, Ports: g.ports})
	}
	return out, trigger
}

// byIP orders addresses as upstream does, byte by byte.
func byIP(a, b corev1.EndpointAddress) int {
	x, errx := netip.ParseAddr(a.IP)
	y, erry := netip.ParseAddr(b.IP)
	if errx != nil || erry != nil {
		return strings.Compare(a.IP, b.IP)
	}
	return x.Compare(y)
}
