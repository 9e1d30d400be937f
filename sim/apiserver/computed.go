// This file serves kinds whose objects are worked out when somebody asks, by
// whoever stands behind an APIService; nothing of them is in the store.
// https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/

package apiserver

import (
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Compute returns the objects of a namespace (of all, when it is ""), sorted by
// namespace and name, or the one object that is named. An object that is not
// there is a NotFound error.
type Compute func(namespace, name string) ([]metav1.Object, error)

// componentStatuses are of the parts of the control plane that the server asks.
func componentStatuses(_, name string) ([]metav1.Object, error) {
	var out []metav1.Object
	for _, part := range []string{"controller-manager", "etcd-0", "scheduler"} {
		if name == "" || name == part {
			s := &corev1.ComponentStatus{Conditions: []corev1.ComponentCondition{{Type: corev1.ComponentHealthy, Status: corev1.ConditionTrue, Message: "ok"}}}
			s.APIVersion, s.Kind, s.Name = "v1", "ComponentStatus", part
			out = append(out, s)
		}
	}
	if out == nil {
		return nil, apierrors.NewNotFound(metav1.GroupResource{Resource: "componentstatus"}, name)
	}
	return out, nil
}

// computed answers a get or a list of a kind that has Compute.
func (c *call) computed() (*rest.Response, error) {
	if c.verb == "get" {
		objs, err := c.kind.Compute(c.namespace, c.name)
		if err != nil {
			return nil, err
		}
		return c.answer(200, objs[0])
	}
	l, err := c.readListing(false)
	if err != nil {
		return nil, err
	}
	objs, err := c.kind.Compute(c.namespace, "")
	if err != nil {
		return nil, err
	}
	list := &metav1.List{Items: make([]metav1.Object, 0, len(objs))}
	list.Kind, list.APIVersion = c.kind.Kind+"List", c.kind.APIVersion()
	for _, obj := range objs {
		if l.matches(obj) {
			list.Items = append(list.Items, obj)
		}
	}
	return c.respondList(list)
}
