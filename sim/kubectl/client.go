// This file talks to the server: one request, one answer, errors and warnings
// as kubectl shows them, and watches that block the process until something
// happens. Answers may be typed (in-process) or bytes (over a wire); the rest
// of kubectl sees trees.

package kubectl

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Client is the API of the server that this run talks to.
type Client struct {
	s       *Session
	target  *target
	handler rest.Handler
	mapper  *Mapper
}

// Client connects to the server on first use.
func (s *Session) Client() (*Client, error) {
	if s.client != nil {
		return s.client, nil
	}
	t, err := s.target()
	if err != nil {
		return nil, err
	}
	c := &Client{s: s, target: t}
	if s.Options.Connect == nil {
		return nil, &connectError{t.server, errors.New("connection refused")}
	}
	c.handler, err = s.Options.Connect(t.server)
	if err != nil {
		return nil, &connectError{t.server, err}
	}
	s.client = c
	return c, nil
}

// Server is the URL of the API server.
func (c *Client) Server() string { return c.target.server }

// Handler is the API without kubectl's headers and error handling.
func (c *Client) Handler() rest.Handler { return c.handler }

// Do sends a request. An answer of 400 and above is an error of package
// apierrors; warnings go to stderr, each text once.
func (c *Client) Do(r *rest.Request) (*rest.Response, error) {
	if r.Header == nil {
		r.Header = rest.Header{}
	}
	h := r.Header
	if h["User-Agent"] == "" {
		h["User-Agent"] = "kubectl/" + c.s.Options.Version + " (linux/amd64) kubernetes/simulated"
	}
	c.identify(r)
	t := c.target
	if r.Query == nil {
		r.Query = url.Values{}
	}
	var err error
	if c.handler, err = c.s.Options.Connect(t.server); err != nil { // it may have gone meanwhile
		return nil, &connectError{t.server, err}
	}
	resp := c.handler.Serve(r)
	for tries := 1; resp != nil && resp.Later && tries < rest.LaterTries && c.s.spend(rest.LaterAfter); tries++ {
		resp = c.handler.Serve(r)
	}
	if r.Method != "GET" && !c.s.spend(c.s.Options.RoundTrip) {
		return nil, kernel.ErrInterrupted
	}
	if resp == nil {
		return nil, &connectError{t.server, errors.New("EOF")}
	}
	for _, w := range resp.Warnings {
		c.s.Warn(w)
	}
	if resp.Code >= 400 {
		return resp, errorOf(resp, r)
	}
	return resp, nil
}

// CertificateHeader carries, in PEM, the certificate that a real client would
// show when it connects.
const CertificateHeader = "X-Client-Certificate"

// identify adds who asks: credentials, and whom they act as.
func (c *Client) identify(r *rest.Request) {
	h := r.Header
	t := c.target
	switch {
	case t.token != "":
		h["Authorization"] = "Bearer " + t.token
	case t.username != "":
		h["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(t.username+":"+t.password))
	case len(t.clientCertificate) > 0:
		h[CertificateHeader] = string(t.clientCertificate)
	}
	if t.as != "" {
		h["Impersonate-User"] = t.as
		if t.asUID != "" {
			h["Impersonate-Uid"] = t.asUID
		}
		if len(t.asGroups) > 0 {
			h["Impersonate-Group"] = strings.Join(t.asGroups, ",")
		}
		for k, vs := range t.asExtra {
			h["Impersonate-Extra-"+k] = strings.Join(vs, ",")
		}
	}
}

// Warn prints a warning once.
func (s *Session) Warn(text string) {
	if s.warned[text] {
		return
	}
	if s.warned == nil {
		s.warned = map[string]bool{}
	}
	s.warned[text] = true
	s.warnings++
	s.Errorf("Warning: %s\n", text)
}

func errorOf(resp *rest.Response, r *rest.Request) error {
	if st, ok := resp.Object.(*metav1.Status); ok {
		return apierrors.FromStatus(st)
	}
	if t, err := ResponseTree(resp); err == nil && tree.Kind(t) == "Status" {
		st := new(metav1.Status)
		if api.FromTree(t, st) == nil {
			return apierrors.FromStatus(st)
		}
	}
	gr, name := named(r.Path)
	return apierrors.NewGenericServerResponse(resp.Code, r.Method, gr, name, strings.TrimSpace(string(resp.Body)), 0, true)
}

// named reads which resource and which object a path is of.
func named(path string) (gr metav1.GroupResource, name string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 3 && parts[0] == "apis":
		gr.Group, parts = parts[1], parts[3:]
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	default:
		return gr, ""
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	gr.Resource = parts[0]
	if len(parts) > 1 {
		name = parts[1]
	}
	return gr, name
}

// ToTree is an answer's object as a tree.
func ToTree(obj any) (tree.Map, error) {
	switch o := obj.(type) {
	case nil:
		return nil, errors.New("the server sent no object")
	case tree.Map:
		return o, nil
	case *rest.Response:
		return ResponseTree(o)
	}
	return api.ToTree(obj)
}

// ResponseTree is the answer as a tree.
func ResponseTree(r *rest.Response) (tree.Map, error) {
	if r.Object != nil {
		return ToTree(r.Object)
	}
	v, err := metav1.DecodeTree(r.Body)
	if err != nil {
		return nil, err
	}
	m, ok := v.(tree.Map)
	if !ok {
		return nil, fmt.Errorf("the server sent %T instead of an object", v)
	}
	return m, nil
}

// ResponseBytes is the answer as text, for --raw and documents that are no objects.
func ResponseBytes(r *rest.Response) ([]byte, error) {
	if r.Object == nil {
		return r.Body, nil
	}
	data, err := json.Marshal(r.Object)
	return data, err
}

// Path is the URL path of a collection (name ""), an object or a subresource of it.
func (m *Mapping) Path(namespace, name, subresource string) string {
	if !m.Namespaced {
		namespace = ""
	}
	return rest.Path(m.Group, m.Version, m.Resource, namespace, name, subresource)
}

var errNoName = errors.New("resource name may not be empty")

// Get fetches one object as a tree.
func (c *Client) Get(m *Mapping, namespace, name, subresource string) (tree.Map, error) {
	if name == "" {
		return nil, errNoName
	}
	resp, err := c.Do(&rest.Request{Method: "GET", Path: m.Path(namespace, name, subresource)})
	if err != nil {
		return nil, err
	}
	return ResponseTree(resp)
}

// Send writes a tree: POST to a collection (name ""), PUT to an object.
func (c *Client) Send(method string, m *Mapping, namespace, name, subresource string, query url.Values, obj tree.Map) (tree.Map, error) {
	if method != "POST" && name == "" {
		return nil, errNoName
	}
	body, err := json.Marshal(obj)
	if err != nil {
		return nil, err
	}
	return c.send(&rest.Request{Method: method, Path: m.Path(namespace, name, subresource), Query: query, Body: body,
		Header: rest.Header{"Content-Type": "application/json"}})
}

// Patch types, by the media type that the server wants.
const (
	JSONPatch           = "application/json-patch+json"
	MergePatch          = "application/merge-patch+json"
	StrategicMergePatch = "application/strategic-merge-patch+json"
	ApplyPatch          = "application/apply-patch+yaml"
)

// Patch sends a patch of the given media type.
func (c *Client) Patch(m *Mapping, namespace, name, subresource, mediaType string, query url.Values, patch []byte) (tree.Map, error) {
	if name == "" {
		return nil, errNoName
	}
	return c.send(&rest.Request{Method: "PATCH", Path: m.Path(namespace, name, subresource), Query: query, Body: patch,
		Header: rest.Header{"Content-Type": mediaType}})
}

// Delete deletes an object; options is a DeleteOptions tree without apiVersion and kind, or nil.
func (c *Client) Delete(m *Mapping, namespace, name string, options tree.Map) (tree.Map, error) {
	if name == "" {
		return nil, errNoName
	}
	body := tree.Map{"apiVersion": "v1", "kind": "DeleteOptions"}
	for k, v := range options {
		body[k] = v
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.send(&rest.Request{Method: "DELETE", Path: m.Path(namespace, name, ""), Body: data,
		Header: rest.Header{"Content-Type": "application/json"}})
}

func (c *Client) send(r *rest.Request) (tree.Map, error) {
	resp, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	return ResponseTree(resp)
}

// typed is a pointer to an API struct that can be filled from a tree.
type typed[T any] interface {
	*T
	metav1.Object
}

// GetTyped fetches an object as a Go struct; describe works on these.
func GetTyped[T any, P typed[T]](c *Client, m *Mapping, namespace, name string) (P, error) {
	resp, err := c.Do(&rest.Request{Method: "GET", Path: m.Path(namespace, name, "")})
	if err != nil {
		return nil, err
	}
	return asTyped[T, P](resp.Object, resp)
}

func asTyped[T any, P typed[T]](obj any, resp *rest.Response) (P, error) {
	if o, ok := obj.(P); ok {
		return o, nil
	}
	var t tree.Map
	var err error
	if obj == nil && resp != nil {
		t, err = ResponseTree(resp)
	} else {
		t, err = ToTree(obj)
	}
	if err != nil {
		return nil, err
	}
	out := P(new(T))
	return out, api.FromTree(t, out)
}

// ListTyped fetches a collection as Go structs.
func ListTyped[T any, P typed[T]](c *Client, m *Mapping, namespace string, query url.Values) ([]P, error) {
	resp, err := c.Do(&rest.Request{Method: "GET", Path: m.Path(namespace, "", ""), Query: query})
	if err != nil {
		return nil, err
	}
	var out []P
	if l, ok := resp.Object.(*metav1.List); ok {
		for _, item := range l.Items {
			o, err := asTyped[T, P](item, nil)
			if err != nil {
				return nil, err
			}
			out = append(out, o)
		}
		return out, nil
	}
	t, err := ResponseTree(resp)
	if err != nil {
		return nil, err
	}
	for _, item := range tree.Maps(t, "items") {
		o, err := asTyped[T, P](item, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// List fetches a collection as trees, in chunks if chunk > 0; the answer is the
// whole list with apiVersion and kind set on each item.
func (c *Client) List(m *Mapping, namespace string, query url.Values, chunk int64) (tree.Map, error) {
	var whole tree.Map
	q := cloneQuery(query)
	for {
		if chunk > 0 {
			q.Set("limit", strconv.FormatInt(chunk, 10))
		}
		resp, err := c.Do(&rest.Request{Method: "GET", Path: m.Path(namespace, "", ""), Query: q})
		if err != nil {
			return nil, err
		}
		t, err := ResponseTree(resp)
		if err != nil {
			return nil, err
		}
		for _, item := range tree.Maps(t, "items") {
			if tree.Kind(item) == "" {
				item["apiVersion"], item["kind"] = m.APIVersion(), m.Kind
			}
		}
		if whole == nil {
			whole = t
		} else {
			whole["items"] = append(tree.Slice(whole, "items"), tree.Slice(t, "items")...)
			whole["metadata"] = t["metadata"]
		}
		next := tree.String(t, "metadata", "continue")
		if next == "" || chunk <= 0 {
			return whole, nil
		}
		q.Set("continue", next)
	}
}

func cloneQuery(q url.Values) url.Values {
	out := make(url.Values, len(q)+2)
	for k, v := range q {
		out[k] = append([]string(nil), v...)
	}
	return out
}

// Watch calls fn for every event of a watch until fn is done or fails, the
// watch ends, the time is over (0: no limit) or a signal arrives. timedOut is
// true when the time was over.
func (c *Client) Watch(path string, query url.Values, header rest.Header, timeout time.Duration, fn func(rest.Event) (done bool, err error)) (timedOut bool, err error) {
	q := cloneQuery(query)
	q.Set("watch", "true")
	resp, err := c.Do(&rest.Request{Method: "GET", Path: path, Query: q, Header: header})
	if err != nil {
		return false, err
	}
	if resp.Watch == nil {
		return false, errors.New("the server did not open a watch")
	}
	return c.s.Follow(resp.Watch, timeout, fn)
}

// Follow reads an open watch; see Client.Watch.
func (s *Session) Follow(w rest.Watch, timeout time.Duration, fn func(rest.Event) (done bool, err error)) (timedOut bool, err error) {
	defer w.Stop()
	var q kernel.WaitQueue
	w.Notify(q.Wake)
	limited := timeout == 0 // by --request-timeout, after which a watch just ends
	if limited {
		timeout, _ = requestTimeout(s.Global.RequestTimeout) // which has been checked
	}
	deadline := s.Now().Add(timeout)
	for {
		for {
			e, ok := w.Next()
			if !ok {
				break
			}
			if e.Type == rest.Bookmark {
				continue
			}
			if e.Type == rest.Error {
				if st, ok := e.Object.(*metav1.Status); ok {
					return false, apierrors.FromStatus(st)
				}
			}
			if done, err := fn(e); done || err != nil {
				return false, err
			}
		}
		if w.Done() {
			return false, nil
		}
		wait := time.Duration(-1)
		if timeout > 0 {
			if wait = deadline.Sub(s.Now()); wait <= 0 {
				return !limited, nil
			}
		}
		if _, err := s.Proc.WaitTimeout(&q, wait); err != nil {
			return false, err
		}
	}
}

// tableAccept asks for a table drawn by the server.
const tableAccept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"

// asTable is the answer as a table that the caller may change; nil when it is none.
func asTable(obj any) (*metav1.Table, error) {
	switch o := obj.(type) {
	case *metav1.Table:
		t := *o
		t.Rows = make([]metav1.TableRow, len(o.Rows))
		for i, r := range o.Rows {
			r.Cells = append([]any(nil), r.Cells...)
			t.Rows[i] = r
		}
		return &t, nil
	case tree.Map:
		if tree.Kind(o) != "Table" {
			return nil, nil
		}
		t := new(metav1.Table)
		if err := api.FromTree(o, t); err != nil {
			return nil, err
		}
		return t, nil
	}
	return nil, nil
}
