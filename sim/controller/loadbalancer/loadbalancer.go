// Package loadbalancer is the service controller of a cloud: it gives services
// of type LoadBalancer an address of the world outside, and takes it back. A
// cluster without a cloud has the controller switched off: such services wait.
// https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer
package loadbalancer

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/controller"
)

const (
	latency   = 20 * time.Millisecond
	provision = time.Second     // how long the cloud takes to make a load balancer
	retry     = 5 * time.Second // after a failure, as upstream's minimum
	// Finalizer keeps a service until its load balancer is gone.
	Finalizer = "service.kubernetes.io/load-balancer-cleanup"
)

var errNoAddress = errors.New("no free address")

// Controller reconciles services of type LoadBalancer without a class.
type Controller struct {
	client   *client.Client
	recorder *client.Recorder
	services *client.Informer[*corev1.Service]
	queue    *client.Queue
	first    netip.Addr
	ready    map[string]time.Time // when the load balancer that is being made will be there
	now      func() time.Time
	on       bool
}

// New returns the controller, switched off. It hands out the addresses from
// first on, to the end of its /24.
func New(c *client.Client, f *client.Factory, first netip.Addr) *Controller {
	lc := &Controller{client: c, recorder: client.NewRecorder(c, f.Clock(), "service-controller", ""),
		services: client.InformerFor[*corev1.Service](f), first: first, ready: map[string]time.Time{}, now: f.Clock().Now}
	lc.queue = client.NewQueue(f.Clock(), "service", latency, lc.sync)
	lc.services.OnChange(func(old, s *corev1.Service) {
		if s == nil {
			delete(lc.ready, client.Key(old))
		}
		if !lc.on || s == nil {
			return
		}
		if old != nil && wanted(old) != wanted(s) {
			lc.recorder.Eventf(s, controller.Normal, "Type", "%v -> %v", old.Spec.Type, s.Spec.Type)
		}
		if wanted(s) || slices.Contains(s.Finalizers, Finalizer) {
			lc.queue.Add(client.Key(s))
		}
	})
	return lc
}

// Switch turns the cloud on or off. Services that have an address keep it.
func (c *Controller) Switch(on bool) {
	if c.on == on {
		return
	}
	c.on = on
	c.services.Scan("", func(s *corev1.Service) bool {
		if on && (wanted(s) || slices.Contains(s.Finalizers, Finalizer)) {
			c.queue.Add(client.Key(s))
		}
		return true
	})
}

// On reports whether there is a cloud.
func (c *Controller) On() bool { return c.on }

// wanted is whether this controller has to make a load balancer for the
// service; a class asks for another controller.
func wanted(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.LoadBalancerClass == nil
}

func (c *Controller) sync(key string) error {
	s, ok := c.services.ByKey(key)
	if !ok || !c.on {
		delete(c.ready, key)
		return nil
	}
	held := slices.Contains(s.Finalizers, Finalizer)
	switch {
	case !wanted(s) || s.DeletionTimestamp != nil:
		delete(c.ready, key)
		if held {
			return c.remove(s)
		}
		return nil
	case !held:
		s = controller.Copy(s)
		s.Finalizers = append(slices.Clone(s.Finalizers), Finalizer)
		if _, err := client.Update(c.client, s); err != nil {
			return ignoreGone(err)
		}
		return nil // its change comes back here
	case len(s.Status.LoadBalancer.Ingress) > 0:
		return nil
	}
	until, making := c.ready[key]
	if !making {
		c.recorder.Eventf(s, controller.Normal, "EnsuringLoadBalancer", "Ensuring load balancer")
		c.ready[key] = c.now().Add(provision)
		c.queue.AddAfter(key, provision)
		return nil
	}
	if wait := until.Sub(c.now()); wait > 0 {
		c.queue.AddAfter(key, wait)
		return nil
	}
	delete(c.ready, key)
	a, err := c.address(s)
	if err != nil {
		c.recorder.Eventf(s, controller.Warning, "SyncLoadBalancerFailed", "Error syncing load balancer: failed to ensure load balancer: %v", err)
		c.ready[key] = c.now().Add(retry)
		c.queue.AddAfter(key, retry)
		return nil
	}
	s = controller.Copy(s)
	vip := corev1.LoadBalancerIPModeVIP
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: a.String(), IPMode: &vip}}
	if _, err := client.UpdateStatus(c.client, s); err != nil {
		return ignoreGone(err)
	}
	c.recorder.Eventf(s, controller.Normal, "EnsuredLoadBalancer", "Ensured load balancer")
	return nil
}

func (c *Controller) remove(s *corev1.Service) error {
	c.recorder.Eventf(s, controller.Normal, "DeletingLoadBalancer", "Deleting load balancer")
	if s.DeletionTimestamp == nil && len(s.Status.LoadBalancer.Ingress) > 0 {
		s = controller.Copy(s)
		s.Status.LoadBalancer = corev1.LoadBalancerStatus{}
		updated, err := client.UpdateStatus(c.client, s)
		if err != nil {
			return ignoreGone(err)
		}
		s = updated
	}
	s = controller.Copy(s)
	s.Finalizers = slices.DeleteFunc(slices.Clone(s.Finalizers), func(f string) bool { return f == Finalizer })
	if _, err := client.Update(c.client, s); err != nil {
		return ignoreGone(err)
	}
	c.recorder.Eventf(s, controller.Normal, "DeletedLoadBalancer", "Deleted load balancer")
	return nil
}

// address is the one that the service asks for, or the next free one.
func (c *Controller) address(s *corev1.Service) (netip.Addr, error) {
	used := map[netip.Addr]bool{}
	c.services.Scan("", func(o *corev1.Service) bool {
		for _, i := range o.Status.LoadBalancer.Ingress {
			if a, err := netip.ParseAddr(i.IP); err == nil {
				used[a] = true
			}
		}
		return true
	})
	if want, err := netip.ParseAddr(s.Spec.LoadBalancerIP); err == nil {
		if used[want] {
			return want, errors.New("address " + want.String() + " is in use")
		}
		return want, nil
	}
	for a := c.first; a.As4()[3] != 255 && a.As4()[2] == c.first.As4()[2]; a = a.Next() {
		if !used[a] {
			return a, nil
		}
	}
	return netip.Addr{}, errNoAddress
}

func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
