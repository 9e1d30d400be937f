// This file serves kinds whose objects are worked out when somebody asks, by
// whoever stands behind an APIService; nothing of them is in the store.
// https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/

package apiserver

import (
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Compute returns the objects of a namespace (of all, when it is ""), sorted by
// namespace and name, or the one object that is named. An object that is not
// there is a NotFound error.
type Compute func(namespace, name string) ([]metav1.Object, error)

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
