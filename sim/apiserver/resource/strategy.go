// Package resource holds what the API server knows of each resource: its
// defaults, what a create and an update may set, validation, selectable
// fields, table columns, graceful deletion and scaling. One file per resource;
// a resource without a file gets the generic strategy, which stores what it is
// given.
package resource

import (
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Context is what a strategy may look at besides the object itself.
type Context struct {
	Now time.Time
	// Get returns another stored object, or nil. resource is "pods",
	// "deployments.apps" ….
	Get func(resource, namespace, name string) metav1.Object
	// List visits the stored objects of a resource, of one namespace or of all
	// (""), in the order of their names. It may be nil.
	List func(resource, namespace string, visit func(metav1.Object))
	// Suffix is a random name suffix of n characters.
	Suffix func(n int) string
	// User is who writes; nil when nobody in particular does.
	User *rest.User
	// CheckRequest judges a request for a certificate in PEM form and its
	// signature; nil leaves the signature alone.
	CheckRequest func(pem []byte) error
}

// Strategy is one resource's rules. Objects given to its functions are the
// server's own copies and may be changed where the name says so; old objects
// are shared and may not. Every function may be nil.
type Strategy struct {
	// Default fills in what a user may leave out.
	Default func(obj metav1.Object)
	// PrepareForCreate clears what a create may not set (status) and sets what
	// the server decides (generation 1, initial phase …).
	PrepareForCreate func(c *Context, obj metav1.Object)
	// PrepareForUpdate restores what an update of the main resource may not
	// change (status) and raises the generation when the spec has changed.
	PrepareForUpdate func(c *Context, obj, old metav1.Object)
	// PrepareForStatusUpdate restores everything but status (and what else the
	// status subresource may set).
	PrepareForStatusUpdate func(c *Context, obj, old metav1.Object)
	Validate               func(c *Context, obj metav1.Object) field.ErrorList
	ValidateUpdate         func(c *Context, obj, old metav1.Object) field.ErrorList
	ValidateStatusUpdate   func(c *Context, obj, old metav1.Object) field.ErrorList
	// Warnings are the texts of Warning headers for a created or updated object.
	Warnings func(c *Context, obj, old metav1.Object) []string
	// Fields are the values that field selectors can match beside
	// metadata.name and metadata.namespace; FieldNames lists those names.
	Fields     func(obj metav1.Object) fields.Set
	FieldNames []string
	// Columns and Row make the table that kubectl prints. Row's cells are in
	// the order of Columns: string, int64, bool.
	Columns []metav1.TableColumnDefinition
	Row     func(obj metav1.Object, now time.Time) []any
	// Grace decides how long a deletion waits for the resource's owner of
	// process (the kubelet). immediate true removes it at once. seconds is
	// what the client asked for, nil when it did not.
	Grace func(obj metav1.Object, seconds *int64) (grace int64, immediate bool)
	// AllowCreateOnUpdate lets PUT create the object; AllowUnconditionalUpdate
	// lets an update leave resourceVersion out.
	AllowCreateOnUpdate     bool
	DenyUnconditionalUpdate bool
	// DefaultOrphan says that dependents are orphaned when the client does not
	// say how to propagate a deletion.
	DefaultOrphan bool
	// Scale makes the resource scalable.
	Scale *Scale
}

// Scale reads and writes the replica count of a scalable resource.
type Scale struct {
	Get func(obj metav1.Object) (spec, status int32, selector string)
	Set func(obj metav1.Object, replicas int32) // changes obj, a copy whose spec is its own
}

var strategies = map[string]*Strategy{}

// Register installs the strategy of a resource ("pods", "deployments.apps");
// files of this package call it from init.
func Register(resource string, s *Strategy) { strategies[resource] = s }

var generic = &Strategy{}

// For returns the strategy of a resource, the generic one when it has none.
func For(resource string) *Strategy {
	if s := strategies[resource]; s != nil {
		return s
	}
	return generic
}
