// Package resourcequota keeps the status of ResourceQuotas: what is used of
// each limit. The API server counts for itself when it admits an object; this
// is for those who read. Only the resources that some quota limits are watched.
package resourcequota

import (
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/admission"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/controller"
	"github.com/kubonsai/kubonsai/sim/rest"
)

const latency = 8 * time.Millisecond

// Controller reconciles quotas.
type Controller struct {
	client   *client.Client
	clock    *clock.Clock
	discover func() []*api.Resource
	quotas   *client.Informer[*corev1.ResourceQuota]
	queue    *client.Queue
	watches  map[string]rest.Watch // by resource: "pods", "deployments.apps"
}

// New returns the controller. discover lists what is served, with custom
// resources; nil means the built-in ones.
func New(c *client.Client, f *client.Factory, discover func() []*api.Resource) *Controller {
	if discover == nil {
		discover = api.Resources
	}
	qc := &Controller{client: c, clock: f.Clock(), discover: discover,
		quotas: client.InformerFor[*corev1.ResourceQuota](f), watches: map[string]rest.Watch{}}
	qc.queue = client.NewQueue(f.Clock(), "resourcequota", latency, qc.sync)
	qc.quotas.OnChange(func(old, q *corev1.ResourceQuota) {
		if q == nil {
			qc.queue.Remove(client.Key(old))
			return
		}
		qc.queue.Add(client.Key(q))
	})
	return qc
}

func (c *Controller) find(key string) *api.Resource {
	plural, group, _ := strings.Cut(key, ".")
	for _, r := range c.discover() {
		if r.Group == group && r.Plural == plural && r.Namespaced && r.HasVerb("list") {
			return r
		}
	}
	return nil
}

// watch looks at a resource from now on: its changes may free or use quota.
func (c *Controller) watch(key string) {
	if c.watches[key] != nil {
		return
	}
	r := c.find(key)
	if r == nil || !r.HasVerb("watch") {
		return
	}
	_, version, err := controller.ListAny(c.client, r, "")
	if err != nil {
		return
	}
	w, err := controller.WatchAny(c.client, r, version)
	if err != nil {
		return
	}
	c.watches[key] = w
	armed := false
	w.Notify(func() {
		if armed {
			return
		}
		armed = true
		c.clock.After(0, "resourcequota watch", func() {
			armed = false
			for {
				e, ok := w.Next()
				if !ok {
					return
				}
				if e.Type == rest.Error { // the next sync watches again
					w.Stop()
					delete(c.watches, key)
					c.touch("")
					return
				}
				if obj, ok := e.Object.(metav1.Object); ok {
					c.touch(obj.GetObjectMeta().Namespace)
				}
			}
		})
	})
}

func (c *Controller) touch(namespace string) {
	c.quotas.Scan(namespace, func(q *corev1.ResourceQuota) bool {
		c.queue.Add(client.Key(q))
		return true
	})
}

func (c *Controller) sync(key string) error {
	q, ok := c.quotas.ByKey(key)
	if !ok {
		return nil
	}
	used := admission.Used(func(resource, namespace string, visit func(metav1.Object)) {
		c.watch(resource)
		r := c.find(resource)
		if r == nil {
			return
		}
		items, _, err := controller.ListAny(c.client, r, namespace)
		if err != nil {
			return
		}
		for _, obj := range items {
			visit(obj)
		}
	}, q, c.clock.Now())
	if equal(q.Status.Hard, q.Spec.Hard) && equal(q.Status.Used, used) {
		return nil
	}
	u := controller.Copy(q)
	u.Status = corev1.ResourceQuotaStatus{Hard: q.Spec.Hard, Used: used}
	_, err := client.UpdateStatus(c.client, u)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func equal(a, b corev1.ResourceList) bool {
	if len(a) != len(b) || (a == nil) != (b == nil) {
		return false
	}
	for name, x := range a {
		if y, ok := b[name]; !ok || x.Cmp(y) != 0 {
			return false
		}
	}
	return true
}
