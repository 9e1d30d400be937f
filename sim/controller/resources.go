// Objects of any kind, for the controllers that serve all of them.

package controller

import (
	"net/url"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Deletable lists the resources whose objects can be listed, watched and
// deleted, each in one version only; events are left out.
func Deletable(all []*api.Resource) []*api.Resource {
	seen := map[metav1.GroupResource]bool{}
	var out []*api.Resource
	for _, r := range all {
		if !r.HasVerb("list") || !r.HasVerb("watch") || !r.HasVerb("delete") || seen[r.GroupResource()] {
			continue
		}
		seen[r.GroupResource()] = true
		if r.Kind != "Event" {
			out = append(out, r)
		}
	}
	return out
}

// ListAny lists objects of a resource in a namespace ("" is all).
func ListAny(c *client.Client, r *api.Resource, namespace string) ([]metav1.Object, string, error) {
	resp, err := c.Do(&rest.Request{Method: "GET", Path: client.Path(r, namespace, "", "")})
	if err != nil {
		return nil, "", err
	}
	l, ok := resp.Object.(*metav1.List)
	if !ok {
		return nil, "", nil
	}
	return l.Items, l.ResourceVersion, nil
}

// WatchAny watches all objects of a resource from a resourceVersion on.
func WatchAny(c *client.Client, r *api.Resource, version string) (rest.Watch, error) {
	resp, err := c.Do(&rest.Request{Method: "GET", Path: client.Path(r, "", "", ""),
		Header: rest.Header{client.PinnedHeader: "true"},
		Query:  url.Values{"watch": {"true"}, "resourceVersion": {version}}})
	if err != nil {
		return nil, err
	}
	return resp.Watch, nil
}

// UpdateAny replaces an object of any kind; sub is "" or a subresource.
func UpdateAny(c *client.Client, r *api.Resource, obj metav1.Object, sub string) error {
	m := obj.GetObjectMeta()
	_, err := c.Do(&rest.Request{Method: "PUT", Object: obj, Path: client.Path(r, m.Namespace, m.Name, sub)})
	return err
}
