// Package endpointslicemirroring copies Endpoints that a person has written,
// for a service without a selector, into EndpointSlices, which is what
// connections are routed by. https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#endpointslice-mirroring
package endpointslicemirroring

import (
	"maps"
	"net/netip"
	"reflect"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	discoveryv1 "github.com/kubonsai/kubonsai/sim/api/discovery/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency     = 10 * time.Millisecond
	managerName = "endpointslicemirroring-controller.k8s.io"
	perSubset   = 1000
	sourceIndex = "mirrored endpoints"
	lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
)

// Controller reconciles Endpoints.
type Controller struct {
	client    *client.Client
	recorder  *client.Recorder
	services  *client.Informer[*corev1.Service]
	endpoints *client.Informer[*corev1.Endpoints]
	slices    *client.Informer[*discoveryv1.EndpointSlice]
	queue     *client.Queue
}

// New returns the controller.
func New(c *client.Client, f *client.Factory) *Controller {
	m := &Controller{client: c, recorder: client.NewRecorder(c, f.Clock(), "endpoint-slice-mirroring-controller", ""),
		services:  client.InformerFor[*corev1.Service](f),
		endpoints: client.InformerFor[*corev1.Endpoints](f),
		slices:    client.InformerFor[*discoveryv1.EndpointSlice](f)}
	m.queue = client.NewQueue(f.Clock(), "endpointslicemirroring-controller", latency, m.sync)
	m.slices.AddIndex(sourceIndex, func(s *discoveryv1.EndpointSlice) []string {
		if s.Labels[discoveryv1.LabelManagedBy] != managerName {
			return nil
		}
		return []string{s.Namespace + "/" + s.Labels[discoveryv1.LabelServiceName]}
	})
	m.endpoints.OnChange(func(old, e *corev1.Endpoints) {
		if e == nil {
			e = old
		}
		m.queue.Add(client.Key(e))
	})
	m.services.OnChange(func(old, s *corev1.Service) {
		if s == nil {
			s = old
		}
		if len(s.Spec.Selector) == 0 || old != nil && len(old.Spec.Selector) == 0 {
			m.queue.Add(client.Key(s))
		}
	})
	return m
}

func (m *Controller) sync(key string) error {
	have := m.slices.ByIndex(sourceIndex, key)
	e, ok := m.endpoints.ByKey(key)
	s, found := m.services.ByKey(key)
	var want []*discoveryv1.EndpointSlice
	if ok && found && len(s.Spec.Selector) == 0 && e.Labels[discoveryv1.LabelSkipMirror] != "true" {
		want = m.mirror(e)
	}
	for i, w := range want {
		var err error
		switch {
		case i >= len(have):
			_, err = client.Create(m.client, w)
		case same(have[i], w):
		default:
			o := controller.Copy(have[i])
			o.Labels, o.Annotations, o.Ports, o.Endpoints = w.Labels, w.Annotations, w.Ports, w.Endpoints
			_, err = client.Update(m.client, o)
		}
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			m.recorder.Eventf(e, controller.Warning, "FailedToUpdateEndpointSlices", "Error updating mirrored Endpoint Slices for Endpoints %s: %v", key, err)
			return err
		}
	}
	for i := len(want); i < len(have); i++ {
		if err := client.Delete[*discoveryv1.EndpointSlice](m.client, have[i].Namespace, have[i].Name, client.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

func same(a, b *discoveryv1.EndpointSlice) bool {
	return maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations) && reflect.DeepEqual(a.Ports, b.Ports) && reflect.DeepEqual(a.Endpoints, b.Endpoints)
}

// mirror is one slice for each subset.
func (m *Controller) mirror(e *corev1.Endpoints) []*discoveryv1.EndpointSlice {
	labels := maps.Clone(e.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[discoveryv1.LabelManagedBy], labels[discoveryv1.LabelServiceName] = managerName, e.Name
	annotations := maps.Clone(e.Annotations)
	delete(annotations, lastApplied)
	delete(annotations, corev1.EndpointsLastChangeTriggerTime)
	var out []*discoveryv1.EndpointSlice
	for i := range e.Subsets {
		sub := &e.Subsets[i]
		o := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
		o.APIVersion, o.Kind = discoveryv1.SchemeGroupVersion.String(), "EndpointSlice"
		o.Namespace, o.GenerateName, o.Labels, o.Annotations = e.Namespace, controller.NamePrefix(e.Name), labels, annotations
		o.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(e, corev1.SchemeGroupVersion.WithKind("Endpoints"))}
		for j := range sub.Ports {
			p := &sub.Ports[j]
			o.Ports = append(o.Ports, discoveryv1.EndpointPort{Name: &p.Name, Port: &p.Port, Protocol: &p.Protocol, AppProtocol: p.AppProtocol})
		}
		add := func(list []corev1.EndpointAddress, ready bool) {
			for j := range list {
				a := &list[j]
				if addr, err := netip.ParseAddr(a.IP); err != nil || !addr.Is4() {
					continue
				}
				if len(o.Endpoints) == perSubset {
					m.recorder.Eventf(e, controller.Warning, "TooManyAddressesToMirror", "A max of %d addresses can be mirrored to EndpointSlices per Endpoints subset. %d addresses were skipped", perSubset, len(list)-j)
					return
				}
				x := discoveryv1.Endpoint{Addresses: []string{a.IP}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}, NodeName: a.NodeName, TargetRef: a.TargetRef}
				if a.Hostname != "" {
					x.Hostname = &a.Hostname
				}
				o.Endpoints = append(o.Endpoints, x)
			}
		}
		add(sub.Addresses, true)
		add(sub.NotReadyAddresses, false)
		if len(o.Endpoints) > 0 {
			out = append(out, o)
		}
	}
	return out
}
