// Package apiserver answers the Kubernetes REST API out of a store. A request
// travels through files of this package in the order route → decode → default →
// admit → validate → write → respond: route.go finds what is asked of which
// resource; decode.go makes a typed object of the body; create.go, update.go,
// patch.go, delete.go hold the writing verbs, get.go, list.go, watch.go the
// reading ones; subresources have files of their own; table.go and encode.go
// give the answer the form that the client accepts.
//
// What is particular to one resource is in package resource; plugins that look
// at requests of every kind are in package admission. The server has no
// goroutines and no clock of its own: it works while Serve runs.
package apiserver

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/allocator"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
)

// Options are what a server is made of. Store, Clock and Seed are required.
type Options struct {
	Store *store.Store
	Clock *clock.Clock
	Seed  *seed.Source
	// Nodes reaches the kubelets; without it logs, exec and proxies are unavailable.
	Nodes NodeProxy
	// Admission looks at every write; nil admits everything.
	Admission Admission
	// Authorizer decides who may do what; nil allows everything.
	Authorizer Authorizer
	// Authority signs certificates; nil is one that computes no signatures.
	Authority Authority
	// Address is what discovery tells clients, "172.18.0.2:6443" when empty.
	Address string
	// ServiceRange is where cluster IPs come from; zero is allocator.Range.
	ServiceRange netip.Prefix
	// OnPanic is told of panics that Serve turned into a 500 answer.
	OnPanic func(r any, stack []byte)
}

// Server is a rest.Handler for one cluster.
type Server struct {
	store      *store.Store
	clock      *clock.Clock
	nodes      NodeProxy
	webhooks   Webhooks
	admission  Admission
	authorizer Authorizer
	authority  Authority
	address    string
	onPanic    func(r any, stack []byte)
	views      map[string]func(metav1.Object) metav1.Object // by resource; see SetView

	uids     *seed.Stream
	suffixes *seed.Stream
	tokens   *seed.Stream
	reviews  *seed.Stream
	secret   string // signs tokens

	kinds    *registry
	services *allocator.Services
	docs     documents
	expiry   expiry // of events
	coarse   map[coarseWrite][]metav1.ManagedFieldsEntry
}

// New returns a server. It does nothing until it is asked; call Bootstrap once
// on an empty store.
func New(o Options) *Server {
	s := &Server{
		store: o.Store, clock: o.Clock, nodes: o.Nodes, admission: o.Admission,
		authorizer: o.Authorizer, authority: o.Authority, address: o.Address, onPanic: o.OnPanic,
		uids: o.Seed.Stream("apiserver/uid"), suffixes: o.Seed.Stream("apiserver/name-suffix"),
		tokens: o.Seed.Stream("apiserver/token"), reviews: o.Seed.Stream("apiserver/review"),
		kinds:  newRegistry(),
		secret: newSecret(o.Seed.Seed()),
		coarse: map[coarseWrite][]metav1.ManagedFieldsEntry{},
	}
	if s.address == "" {
		s.address = "172.18.0.2:6443"
	}
	if s.admission == nil {
		s.admission = admitAll{}
	}
	if s.authorizer == nil {
		s.authorizer = allowAll{}
	}
	if s.authority == nil {
		s.authority = &simulatedAuthority{secret: s.secret, serials: o.Seed.Stream("apiserver/serial")}
	}
	s.services = allocator.NewServices(o.Seed.Stream("apiserver/service-ip"), s.store, o.ServiceRange)
	s.store.SetPacking(eventsKey, (&eventPacker{shapes: map[eventShape]*eventShape{}}).pack)
	s.expiry.s = s
	s.expiry.watch()
	return s
}

// SetNodeProxy installs the way to the kubelets, for wirings in which they are
// made after the server.
func (s *Server) SetNodeProxy(n NodeProxy) { s.nodes = n }

// SetAdmission installs the admission plugins, for wirings in which they need the server.
func (s *Server) SetAdmission(a Admission) { s.admission = a }

// Serve answers one request. It never panics.
func (s *Server) Serve(req *rest.Request) (resp *rest.Response) {
	defer func() {
		if r := recover(); r != nil {
			if s.onPanic != nil {
				s.onPanic(r, debug.Stack())
			}
			resp = failed(apierrors.NewInternalError(fmt.Errorf("panic: %v", r)))
		}
	}()
	c := &call{s: s, req: req}
	resp, err := c.serve()
	if err != nil {
		resp = failed(err)
	}
	resp.Warnings = append(resp.Warnings, c.warnings...)
	resp.Later = c.later && err != nil
	return resp
}

// call is one request on its way through the server.
type call struct {
	s   *Server
	req *rest.Request
	target
	verb     string // get, list, watch, create, update, patch, delete, deletecollection, connect
	form     form   // of the answer
	warnings []string
	options  options
	later    bool // see rest.Response
	scaling  bool // the workload is changed through its Scale
}

func (c *call) warn(text string) {
	for _, w := range c.warnings {
		if w == text {
			return
		}
	}
	c.warnings = append(c.warnings, text)
}

func (s *Server) now() time.Time { return s.clock.Now() }

// context is what strategies may look at.
func (s *Server) context() *resource.Context {
	return &resource.Context{Now: s.clock.Now(), Get: s.lookup, List: s.visit, Suffix: s.suffixes.Suffix,
		CheckRequest: s.authority.CheckRequest}
}

// lookup is a stored object by its store resource, or nil.
func (s *Server) lookup(resource, namespace, name string) metav1.Object {
	obj, err := s.store.Get(store.Key{Resource: resource, Namespace: namespace, Name: name})
	if err != nil {
		return nil
	}
	return obj
}

// visit calls fn for the stored objects of a resource.
func (s *Server) visit(resource, namespace string, fn func(metav1.Object)) {
	s.store.Scan(resource, namespace, func(obj metav1.Object) bool { fn(obj); return true })
}

// failed is the answer to a request that an error ended.
func failed(err error) *rest.Response {
	var e *apierrors.StatusError
	if !errors.As(err, &e) { // upstream leaves such errors without a reason
		e = &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: 500, Message: err.Error()}}
	}
	return &rest.Response{Code: int(e.ErrStatus.Code), Object: e.Object()}
}

// succeeded is the Status that answers where there is no object to show.
func succeeded(details *metav1.StatusDetails, code int32) *metav1.Status {
	s := &metav1.Status{Status: metav1.StatusSuccess, Details: details, Code: code}
	s.Kind, s.APIVersion = "Status", "v1"
	return s
}

// serve finds out what is asked and does it.
func (c *call) serve() (*rest.Response, error) {
	if err := c.impersonate(); err != nil {
		return nil, err
	}
	if resp, done, err := c.route(); done || err != nil {
		return resp, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	var err error
	if c.form, err = negotiate(c.req, c.verb == "watch"); err != nil {
		return nil, err
	}
	if text := deprecated[c.kind.Key]; text != "" {
		c.warn(text)
	}
	if h := subresources[c.subresource]; c.subresource != "" && h != nil {
		return h(c)
	}
	if c.kind.Compute != nil {
		return c.computed()
	}
	switch c.verb {
	case "get":
		return c.get()
	case "list":
		return c.list()
	case "watch":
		return c.watch()
	case "create":
		return c.create()
	case "update":
		return c.update()
	case "patch":
		return c.patch()
	case "delete":
		return c.delete()
	case "deletecollection":
		return c.deleteCollection()
	}
	return nil, errMethodNotAllowed(c.req)
}

// deprecated are the resources that every request is warned of.
var deprecated = map[string]string{
	"componentstatuses": "v1 ComponentStatus is deprecated in v1.19+",
	"endpoints":         "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}

// gr names the resource in messages.
func (c *call) gr() metav1.GroupResource { return c.kind.GroupResource() }

// key is where the call's object is stored.
func (c *call) key(name string) store.Key {
	return store.Key{Resource: c.kind.Key, Namespace: c.namespace, Name: name}
}

// stored returns the call's object as it is stored, or the NotFound error.
func (c *call) stored(name string) (metav1.Object, error) {
	obj, err := c.s.store.Get(c.key(name))
	if err != nil {
		return nil, apierrors.NewNotFound(c.gr(), name)
	}
	return obj, nil
}

// setKind gives a typed object its apiVersion and kind.
func setKind(obj metav1.Object, r *api.Resource) {
	t := obj.GetTypeMeta()
	t.APIVersion, t.Kind = r.APIVersion(), r.Kind
}
