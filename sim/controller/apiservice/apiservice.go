// Package apiservice is the aggregation layer's controller: it looks whether the
// service behind an APIService can answer, says so in its status, and has the
// API server serve the group's kinds. What stands behind a service is a
// Backend of the simulation; a group without one has nobody who answers.
// https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/
package apiservice

import (
	"fmt"
	"time"

	apiregistrationv1 "github.com/kubonsai/kubonsai/sim/api/apiregistration/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const latency = 30 * time.Millisecond

// Server is where kinds are installed.
type Server interface {
	Install(*apiserver.Kind)
	Uninstall(metav1.GroupVersionResource)
}

// Backend is what answers for a group: Kinds are served while an APIService of
// that name (version.group) is there.
type Backend struct {
	Name  string
	Kinds []*apiserver.Kind
}

type object = apiregistrationv1.APIService

// Controller reconciles API services.
type Controller struct {
	client    *client.Client
	clock     *clock.Clock
	server    Server
	backends  map[string]Backend
	apis      *client.Informer[*object]
	services  *client.Informer[*corev1.Service]
	endpoints *client.Informer[*corev1.Endpoints]
	queue     *client.Queue
}

// New returns the controller. The kinds of APIServices that are there already,
// as after a reload, are installed at once.
func New(c *client.Client, f *client.Factory, s Server, backends ...Backend) *Controller {
	ac := &Controller{client: c, clock: f.Clock(), server: s, backends: map[string]Backend{},
		apis: client.InformerFor[*object](f), services: client.InformerFor[*corev1.Service](f), endpoints: client.InformerFor[*corev1.Endpoints](f)}
	for _, b := range backends {
		for _, k := range b.Kinds {
			compute := k.Compute
			k.Compute = func(namespace, name string) ([]metav1.Object, error) {
				if !ac.Available(b.Name) {
					return nil, apierrors.NewGenericServerResponse(503, "GET", k.GroupResource(), name, "", 0, false)
				}
				return compute(namespace, name)
			}
		}
		ac.backends[b.Name] = b
	}
	ac.queue = client.NewQueue(f.Clock(), "apiservice", latency, ac.sync)
	ac.apis.OnChange(func(old, a *object) {
		if a == nil {
			ac.queue.Remove(old.Name)
			for _, k := range ac.backends[old.Name].Kinds {
				s.Uninstall(k.GroupVersionResource())
			}
			return
		}
		if old == nil {
			for _, k := range ac.backends[a.Name].Kinds {
				s.Install(k)
			}
		}
		ac.queue.Add(a.Name)
	})
	of := func(obj metav1.Object) {
		m := obj.GetObjectMeta()
		ac.apis.Scan("", func(a *object) bool {
			if r := a.Spec.Service; r != nil && r.Namespace == m.Namespace && r.Name == m.Name {
				ac.queue.Add(a.Name)
			}
			return true
		})
	}
	ac.services.OnChange(func(old, s *corev1.Service) {
		if s == nil {
			s = old
		}
		of(s)
	})
	ac.endpoints.OnChange(func(old, e *corev1.Endpoints) {
		if e == nil {
			e = old
		}
		of(e)
	})
	return ac
}

// Registered reports whether there is an APIService of that name.
func (c *Controller) Registered(name string) bool { _, ok := c.apis.ByKey(name); return ok }

// Available reports whether the service behind it answers.
func (c *Controller) Available(name string) bool {
	a, ok := c.apis.ByKey(name)
	if !ok {
		return false
	}
	for _, cond := range a.Status.Conditions {
		if cond.Type == apiregistrationv1.Available {
			return cond.Status == apiregistrationv1.ConditionTrue
		}
	}
	return false
}

func (c *Controller) sync(name string) error {
	shared, ok := c.apis.ByKey(name)
	if !ok {
		return nil
	}
	want := c.check(shared)
	for _, cond := range shared.Status.Conditions {
		if cond.Type == want.Type {
			if cond.Status == want.Status && cond.Reason == want.Reason && cond.Message == want.Message {
				return nil
			}
			if cond.Status == want.Status {
				want.LastTransitionTime = cond.LastTransitionTime
			}
		}
	}
	a := controller.Copy(shared)
	a.Status.Conditions = []apiregistrationv1.APIServiceCondition{want}
	_, err := client.UpdateStatus(c.client, a)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// check is the Available condition, in the words of kube-aggregator's
// controller for remote services.
func (c *Controller) check(a *object) apiregistrationv1.APIServiceCondition {
	cond := func(status apiregistrationv1.ConditionStatus, reason, format string, args ...any) apiregistrationv1.APIServiceCondition {
		return apiregistrationv1.APIServiceCondition{Type: apiregistrationv1.Available, Status: status, LastTransitionTime: metav1.NewTime(c.clock.Now()),
			Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	no := func(reason, format string, args ...any) apiregistrationv1.APIServiceCondition {
		return cond(apiregistrationv1.ConditionFalse, reason, format, args...)
	}
	r := a.Spec.Service
	if r == nil {
		return cond(apiregistrationv1.ConditionTrue, "Local", "Local APIServices are always available")
	}
	svc, ok := c.services.Get(r.Namespace, r.Name)
	if !ok {
		return no("ServiceNotFound", "service/%s in %q is not present", r.Name, r.Namespace)
	}
	port := int32(443)
	if r.Port != nil {
		port = *r.Port
	}
	portName, found := "", false
	for _, p := range svc.Spec.Ports {
		if p.Port == port {
			portName, found = p.Name, true
		}
	}
	if !found {
		return no("ServicePortError", "service/%s in %q is not listening on port %d", r.Name, r.Namespace, port)
	}
	ep, ok := c.endpoints.Get(r.Namespace, r.Name)
	if !ok {
		return no("EndpointsNotFound", "cannot find endpoints for service/%s in %q", r.Name, r.Namespace)
	}
	ready := false
	for _, s := range ep.Subsets {
		for _, p := range s.Ports {
			ready = ready || p.Name == portName && len(s.Addresses) > 0
		}
	}
	if !ready {
		return no("MissingEndpoints", "endpoints for service/%s in %q have no addresses with port name %q", r.Name, r.Namespace, portName)
	}
	if _, ok := c.backends[a.Name]; !ok {
		url := fmt.Sprintf("https://%s:%d/apis/%s/%s", svc.Spec.ClusterIP, port, a.Spec.Group, a.Spec.Version)
		return no("FailedDiscoveryCheck", "failing or missing response from %s: bad status from %s: 404", url, url)
	}
	return cond(apiregistrationv1.ConditionTrue, "Passed", "all checks passed")
}
