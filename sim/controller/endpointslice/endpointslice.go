// Package endpointslice lists the pods behind a service in slices of at most
// 100 endpoints, with whether they are ready, serving and terminating.
package endpointslice

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency       = 10 * time.Millisecond
	serviceName   = "kubernetes.io/service-name"
	managedBy     = "endpointslice.kubernetes.io/managed-by"
	managerName   = "endpointslice-controller.k8s.io"
	headlessLabel = "service.kubernetes.io/headless"
	zoneLabel     = "topology.kubernetes.io/zone"
	maxEndpoints  = 100
	serviceIndex  = "service"
)

// Controller reconciles services.
type Controller struct {
	client   *client.Client
	recorder *client.Recorder
	services *client.Informer[*corev1.Service]
	pods     *client.Informer[*corev1.Pod]
	nodes    *client.Informer[*corev1.Node]
	slices   *client.Informer[*discoveryv1.EndpointSlice]
	queue    *client.Queue
}

// New returns the controller.
func New(c *client.Client, f *client.Factory) *Controller {
	ec := &Controller{client: c, recorder: client.NewRecorder(c, f.Clock(), "endpoint-slice-controller", ""),
		services: client.InformerFor[*corev1.Service](f),
		pods:     client.InformerFor[*corev1.Pod](f),
		nodes:    client.InformerFor[*corev1.Node](f),
		slices:   client.InformerFor[*discoveryv1.EndpointSlice](f)}
	ec.queue = client.NewQueue(f.Clock(), "endpointslice-controller", latency, ec.sync)
	ec.slices.AddIndex(serviceIndex, func(s *discoveryv1.EndpointSlice) []string {
		if s.Labels[managedBy] != managerName {
			return nil
		}
		return []string{s.Namespace + "/" + s.Labels[serviceName]}
	})
	ec.services.OnChange(func(old, s *corev1.Service) {
		if s != nil {
			ec.queue.Add(client.Key(s))
		}
	})
	ec.pods.OnChange(func(old, p *corev1.Pod) {
		if controller.EndpointChanged(old, p) {
			controller.ServicesOf(ec.services, old, p, ec.queue.Add)
		}
	})
	ec.slices.OnChange(func(old, s *discoveryv1.EndpointSlice) {
		if old != nil && old.Labels[managedBy] == managerName && (s == nil || old.Generation != s.Generation) {
			ec.queue.Add(old.Namespace + "/" + old.Labels[serviceName])
		}
	})
	return ec
}

// wanted are the endpoints with one set of ports.
type wanted struct {
	ports     []discoveryv1.EndpointPort
	endpoints []discoveryv1.Endpoint
}

func (c *Controller) sync(key string) error {
	s, ok := c.services.ByKey(key)
	if !ok || s.DeletionTimestamp != nil || s.Spec.Type == corev1.ServiceTypeExternalName || len(s.Spec.Selector) == 0 {
		return nil
	}
	have := c.slices.ByIndex(serviceIndex, key)
	plan := c.plan(s, have)
	want := maps.Clone(s.Labels)
	if want == nil {
		want = map[string]string{}
	}
	want[managedBy], want[serviceName] = managerName, s.Name
	delete(want, headlessLabel)
	if s.Spec.ClusterIP == corev1.ClusterIPNone {
		want[headlessLabel] = ""
	}
	for i, sl := range plan {
		if sl.old != nil && sl.same() && maps.Equal(sl.old.Labels, want) {
			continue
		}
		trigger := sl.trigger(c.readyTime(s.Namespace))
		o := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
		if sl.old != nil {
			o = controller.Copy(sl.old)
		} else {
			o.APIVersion, o.Kind = discoveryv1.SchemeGroupVersion.String(), "EndpointSlice"
			o.Namespace, o.GenerateName = s.Namespace, controller.NamePrefix(s.Name)
			o.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(s, corev1.SchemeGroupVersion.WithKind("Service"))}
			if trigger.IsZero() {
				trigger = s.CreationTimestamp
			}
		}
		o.Labels, o.Ports, o.Endpoints = want, sl.ports, sl.endpoints
		o.Annotations = maps.Clone(o.Annotations)
		delete(o.Annotations, corev1.EndpointsLastChangeTriggerTime)
		if !trigger.IsZero() {
			if o.Annotations == nil {
				o.Annotations = map[string]string{}
			}
			o.Annotations[corev1.EndpointsLastChangeTriggerTime] = trigger.String()
		}
		var err error
		switch {
		case sl.old == nil:
			_, err = client.Create(c.client, o)
		case i > 0 && len(sl.endpoints) == 0:
			err = client.Delete[*discoveryv1.EndpointSlice](c.client, o.Namespace, o.Name, client.DeleteOptions{})
		default:
			_, err = client.Update(c.client, o)
		}
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			c.recorder.Eventf(s, controller.Warning, "FailedToUpdateEndpointSlices", "Error updating Endpoint Slices for Service %s: %v", key, err)
			return err
		}
	}
	return nil
}

// slice is what becomes of one slice; old is nil for a new one.
type slice struct {
	old       *discoveryv1.EndpointSlice
	ports     []discoveryv1.EndpointPort
	endpoints []discoveryv1.Endpoint
}

func (s *slice) same() bool {
	return len(s.old.Endpoints) == len(s.endpoints) && len(s.old.Ports) == len(s.ports) &&
		(len(s.ports) == 0 || reflect.DeepEqual(s.old.Ports, s.ports)) &&
		(len(s.endpoints) == 0 || reflect.DeepEqual(s.old.Endpoints, s.endpoints))
}

// trigger is when the latest of the new or changed endpoints became (un)ready.
func (s *slice) trigger(ready func(name string) metav1.Time) metav1.Time {
	var out metav1.Time
	for i := range s.endpoints {
		e := &s.endpoints[i]
		if *e.Conditions.Terminating {
			continue
		}
		if s.old != nil && slices.ContainsFunc(s.old.Endpoints, func(o discoveryv1.Endpoint) bool { return reflect.DeepEqual(o, *e) }) {
			continue
		}
		if t := ready(e.TargetRef.Name); t.After(out.Time) {
			out = t
		}
	}
	return out
}

func (c *Controller) readyTime(namespace string) func(string) metav1.Time {
	return func(name string) metav1.Time {
		if p, ok := c.pods.Get(namespace, name); ok {
			if cond := controller.PodCondition(p, corev1.PodReady); cond != nil {
				return cond.LastTransitionTime
			}
		}
		return metav1.Time{}
	}
}

// plan decides what goes into which slice. Endpoints stay where they are, new
// ones fill slices with room; there is always one slice, be it empty. Slices
// to be deleted come after the first and are empty.
func (c *Controller) plan(s *corev1.Service, have []*discoveryv1.EndpointSlice) []*slice {
	groups := c.endpoints(s)
	var out []*slice
	free := slices.Clone(have) // slices whose ports nobody has any more
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g := groups[key]
		want := map[metav1.UID]discoveryv1.Endpoint{}
		for _, e := range g.endpoints {
			want[e.TargetRef.UID] = e
		}
		var mine []*slice
		free = slices.DeleteFunc(free, func(o *discoveryv1.EndpointSlice) bool {
			if portsKey(o.Ports) != key {
				return false
			}
			sl := &slice{old: o, ports: g.ports}
			for _, e := range o.Endpoints {
				if e.TargetRef == nil {
					continue
				}
				if w, ok := want[e.TargetRef.UID]; ok {
					sl.endpoints = append(sl.endpoints, w)
					delete(want, e.TargetRef.UID)
				}
			}
			mine = append(mine, sl)
			return true
		})
		for _, e := range g.endpoints {
			if _, ok := want[e.TargetRef.UID]; !ok {
				continue
			}
			i := slices.IndexFunc(mine, func(sl *slice) bool { return len(sl.endpoints) < maxEndpoints })
			if i < 0 {
				sl := &slice{ports: g.ports}
				if len(free) > 0 { // take over one that would be deleted
					sl.old, free = free[0], free[1:]
				}
				mine = append(mine, sl)
				i = len(mine) - 1
			}
			mine[i].endpoints = append(mine[i].endpoints, e)
		}
		out = append(out, mine...)
	}
	for _, o := range free {
		out = append(out, &slice{old: o})
	}
	slices.SortStableFunc(out, func(a, b *slice) int { return cmp.Compare(min(len(b.endpoints), 1), min(len(a.endpoints), 1)) })
	if len(out) == 0 {
		out = append(out, &slice{})
	}
	if len(out[0].endpoints) == 0 {
		out[0].ports = nil
	}
	return out
}

// hints say for whom an endpoint is meant, as the service's trafficDistribution
// asks; there are none for endpoints that are not ready (KEP-4444, KEP-3015).
func hints(s *corev1.Service, e *discoveryv1.Endpoint) *discoveryv1.EndpointHints {
	if s.Spec.TrafficDistribution == nil || !*e.Conditions.Ready {
		return nil
	}
	var h discoveryv1.EndpointHints
	if e.Zone != nil {
		h.ForZones = []discoveryv1.ForZone{{Name: *e.Zone}}
	}
	if *s.Spec.TrafficDistribution == corev1.ServiceTrafficDistributionPreferSameNode && e.NodeName != nil {
		h.ForNodes = []discoveryv1.ForNode{{Name: *e.NodeName}}
	}
	if h.ForZones == nil && h.ForNodes == nil {
		return nil
	}
	return &h
}

// endpoints are the service's pods by the ports they serve, in order of name.
func (c *Controller) endpoints(s *corev1.Service) map[string]*wanted {
	out := map[string]*wanted{}
	for _, p := range c.pods.List(s.Namespace, labels.SelectorFromSet(s.Spec.Selector)) {
		if p.Status.PodIP == "" || controller.IsTerminal(p) {
			continue
		}
		var ports []discoveryv1.EndpointPort
		for i := range s.Spec.Ports {
			sp := &s.Spec.Ports[i]
			if port, ok := controller.TargetPort(p, sp); ok {
				ports = append(ports, discoveryv1.EndpointPort{Name: &sp.Name, Port: &port, Protocol: &sp.Protocol, AppProtocol: sp.AppProtocol})
			}
		}
		serving, terminating := controller.IsReady(p), p.DeletionTimestamp != nil
		ready := s.Spec.PublishNotReadyAddresses || serving && !terminating
		e := discoveryv1.Endpoint{Addresses: []string{p.Status.PodIP},
			Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID}}
		if p.Spec.NodeName != "" {
			e.NodeName = &p.Spec.NodeName
			if n, ok := c.nodes.Get("", p.Spec.NodeName); ok {
				if z, ok := n.Labels[zoneLabel]; ok {
					e.Zone = &z
				}
			}
		}
		if h := controller.HostnameFor(p, s); h != "" {
			e.Hostname = &h
		}
		e.Hints = hints(s, &e)
		key := portsKey(ports)
		if out[key] == nil {
			out[key] = &wanted{ports: ports}
		}
		out[key].endpoints = append(out[key].endpoints, e)
	}
	return out
}

func portsKey(ports []discoveryv1.EndpointPort) string {
	key := ""
	for _, p := range ports {
		name, app := "", ""
		if p.Name != nil {
			name = *p.Name
		}
		if p.AppProtocol != nil {
			app = *p.AppProtocol
		}
		key += fmt.Sprintf("%s/%d/%s/%s;", name, *p.Port, *p.Protocol, app)
	}
	return key
}
