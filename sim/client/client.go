// Package client is how the control plane's actors use the API: typed calls,
// informers, work queues and an event recorder, all over rest.Handler. Inside
// the process objects travel decoded; what a call returns is shared with the
// store and must be copied before it is changed.
package client

import (
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Client sends requests as one user agent.
type Client struct {
	handler   rest.Handler
	userAgent string
	user      *rest.User
}

// New returns a client of the handler. userAgent names the component, as in
// "kube-controller-manager"; it is what managedFields show.
func New(h rest.Handler, userAgent string) *Client {
	return &Client{handler: h, userAgent: userAgent}
}

// As returns a client that acts as the given user.
func (c *Client) As(u *rest.User) *Client { d := *c; d.user = u; return &d }

// Do sends a request and turns an answer of 400 and above into an error of
// package apierrors.
func (c *Client) Do(r *rest.Request) (*rest.Response, error) {
	if r.Header == nil {
		r.Header = rest.Header{"User-Agent": c.userAgent}
	}
	if r.User == nil {
		r.User = c.user
	}
	resp := c.handler.Serve(r)
	if resp.Code >= 400 {
		if st, ok := resp.Object.(*metav1.Status); ok {
			return resp, apierrors.FromStatus(st)
		}
		return resp, apierrors.NewGenericServerResponse(resp.Code, r.Method, metav1.GroupResource{}, "", string(resp.Body), 0, true)
	}
	return resp, nil
}

// resourceOf is the registry's entry of a Go type; every type that T can be is
// registered.
func resourceOf[T metav1.Object]() *api.Resource {
	var zero T
	r := api.Of(zero)
	if r == nil {
		panic("client: type is not an API kind")
	}
	return r
}

// Path is the URL path of an object or collection (name "") of the resource;
// sub is "" or a subresource.
func Path(r *api.Resource, namespace, name, sub string) string {
	if !r.Namespaced {
		namespace = ""
	}
	return rest.Path(r.Group, r.Version, r.Plural, namespace, name, sub)
}

func call[T metav1.Object](c *Client, req *rest.Request) (T, error) {
	var zero T
	resp, err := c.Do(req)
	if err != nil {
		return zero, err
	}
	if o, ok := resp.Object.(T); ok {
		return o, nil
	}
	return zero, nil
}

// Get returns the object, or an error for which apierrors.IsNotFound holds.
func Get[T metav1.Object](c *Client, namespace, name string) (T, error) {
	return call[T](c, &rest.Request{Method: "GET", Path: Path(resourceOf[T](), namespace, name, "")})
}

// List returns the objects of a namespace ("" is all) that match the label
// selector, and the list's resourceVersion.
func List[T metav1.Object](c *Client, namespace, labelSelector string) ([]T, string, error) {
	q := url.Values{}
	if labelSelector != "" {
		q.Set("labelSelector", labelSelector)
	}
	resp, err := c.Do(&rest.Request{Method: "GET", Path: Path(resourceOf[T](), namespace, "", ""), Query: q})
	if err != nil {
		return nil, "", err
	}
	l := resp.Object.(*metav1.List)
	out := make([]T, 0, len(l.Items))
	for _, o := range l.Items {
		out = append(out, o.(T))
	}
	return out, l.ResourceVersion, nil
}

// Create creates the object in its own namespace and returns it as stored.
func Create[T metav1.Object](c *Client, obj T) (T, error) {
	return call[T](c, &rest.Request{Method: "POST", Object: obj,
		Path: Path(resourceOf[T](), obj.GetObjectMeta().Namespace, "", "")})
}

// CreateGiven is Create of an object that is the caller's own throughout and is
// not looked at again: it is stored as it is, without a copy.
func CreateGiven[T metav1.Object](c *Client, obj T) (T, error) {
	return call[T](c, &rest.Request{Method: "POST", Object: obj, Given: true,
		Path: Path(resourceOf[T](), obj.GetObjectMeta().Namespace, "", "")})
}

// UpdateGiven is Update of a copy that is not looked at again.
func UpdateGiven[T metav1.Object](c *Client, obj T) (T, error) {
	m := obj.GetObjectMeta()
	return call[T](c, &rest.Request{Method: "PUT", Object: obj, Given: true, Path: Path(resourceOf[T](), m.Namespace, m.Name, "")})
}

// StatusGiven is UpdateStatus of a shallow copy that is not looked at again.
func StatusGiven[T metav1.Object](c *Client, obj T) (T, error) {
	m := obj.GetObjectMeta()
	return call[T](c, &rest.Request{Method: "PUT", Object: obj, Given: true, Path: Path(resourceOf[T](), m.Namespace, m.Name, "status")})
}

// Update replaces the object; a conflict is an error for which
// apierrors.IsConflict holds.
func Update[T metav1.Object](c *Client, obj T) (T, error) { return UpdateSubresource(c, obj, "") }

// UpdateStatus replaces the object's status.
func UpdateStatus[T metav1.Object](c *Client, obj T) (T, error) {
	return UpdateSubresource(c, obj, "status")
}

// UpdateSubresource replaces what a subresource of the object may change.
func UpdateSubresource[T metav1.Object](c *Client, obj T, sub string) (T, error) {
	m := obj.GetObjectMeta()
	return call[T](c, &rest.Request{Method: "PUT", Object: obj, Path: Path(resourceOf[T](), m.Namespace, m.Name, sub)})
}

// The content types of patches.
const (
	JSONPatch      = "application/json-patch+json"
	MergePatch     = "application/merge-patch+json"
	StrategicPatch = "application/strategic-merge-patch+json"
	ApplyPatch     = "application/apply-patch+yaml"
)

// Patch sends a patch, a value that encodes to the patch's JSON or its bytes.
func Patch[T metav1.Object](c *Client, namespace, name, contentType string, patch any, sub string) (T, error) {
	var zero T
	body, ok := patch.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(patch); err != nil {
			return zero, err
		}
	}
	return call[T](c, &rest.Request{Method: "PATCH", Body: body,
		Header: rest.Header{"User-Agent": c.userAgent, "Content-Type": contentType},
		Path:   Path(resourceOf[T](), namespace, name, sub)})
}

// DeleteOptions say how an object is deleted; the zero value leaves all to the server.
type DeleteOptions struct {
	GracePeriodSeconds *int64
	UID                string // only if the object has this uid
	Propagation        string // Background, Foreground, Orphan
}

// Delete asks for the object's deletion.
func Delete[T metav1.Object](c *Client, namespace, name string, opts DeleteOptions) error {
	return deletePath(c, Path(resourceOf[T](), namespace, name, ""), opts)
}

// DeleteResource is Delete for a resource known at run time only.
func DeleteResource(c *Client, r *api.Resource, namespace, name string, opts DeleteOptions) error {
	return deletePath(c, Path(r, namespace, name, ""), opts)
}

func deletePath(c *Client, path string, opts DeleteOptions) error {
	req := &rest.Request{Method: "DELETE", Path: path, Query: url.Values{}}
	if opts.UID != "" {
		uid := metav1.UID(opts.UID)
		o := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, GracePeriodSeconds: opts.GracePeriodSeconds}
		o.APIVersion, o.Kind = "v1", "DeleteOptions"
		if opts.Propagation != "" {
			p := metav1.DeletionPropagation(opts.Propagation)
			o.PropagationPolicy = &p
		}
		body, err := json.Marshal(&o)
		if err != nil {
			return err
		}
		req.Body = body
	} else {
		if opts.GracePeriodSeconds != nil {
			req.Query.Set("gracePeriodSeconds", strconv.FormatInt(*opts.GracePeriodSeconds, 10))
		}
		if opts.Propagation != "" {
			req.Query.Set("propagationPolicy", opts.Propagation)
		}
	}
	_, err := c.Do(req)
	return err
}

// Post sends an object to a subresource (binding, eviction, token).
func Post(c *Client, r *api.Resource, namespace, name, sub string, obj metav1.Object) (any, error) {
	resp, err := c.Do(&rest.Request{Method: "POST", Object: obj, Path: Path(r, namespace, name, sub)})
	if err != nil {
		return nil, err
	}
	return resp.Object, nil
}
