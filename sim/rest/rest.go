// Package rest is the shape of a request to the Kubernetes API and of its
// answer, free of net/http. Handler is the one door to the cluster: kubectl,
// the controllers, the kubelets, the page and the HTTP adapter all go through
// it. Inside the process a body travels as a typed object and is never turned
// into JSON; across a process boundary it is bytes.
package rest

import (
	"io"
	"net/url"
	"time"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// User is who sends a request.
type User struct {
	Name   string
	UID    string
	Groups []string
	Extra  map[string][]string
}

// Request is one call of the API.
type Request struct {
	Method string // GET, POST, PUT, PATCH, DELETE
	Path   string // "/apis/apps/v1/namespaces/default/replicasets/frontend", unescaped
	Query  url.Values
	Header Header
	// Body is the encoded body; Object, when set, is the decoded one and wins.
	// The handler neither keeps nor changes Object without copying: the caller
	// gives up the right to change it after the call.
	Body   []byte
	Object metav1.Object
	// Given says that Object, a copy of the caller's own, may itself be changed
	// and kept: the caller does not look at it again.
	Given bool
	// User is nil for the cluster's administrator.
	User *User
	// Wait runs something that takes the wall's time, such as a call to the
	// outside, while the host lets others use the cluster. nil: nobody else can.
	Wait func(fn func())
}

// Path is the URL path of an object, or of a collection (name ""), of a
// resource; namespace and sub, a subresource, may be "".
func Path(group, version, resource, namespace, name, sub string) string {
	p := "/apis/" + group + "/" + version
	if group == "" {
		p = "/api/" + version
	}
	if namespace != "" {
		p += "/namespaces/" + namespace
	}
	p += "/" + resource
	if name != "" {
		p += "/" + name
	}
	if sub != "" {
		p += "/" + sub
	}
	return p
}

// Header holds the few header fields that the API looks at, by canonical name:
// Accept, Content-Type, User-Agent, Impersonate-User ….
type Header map[string]string

// Get is the value of a header field, "" when it is absent.
func (h Header) Get(name string) string { return h[name] }

// Response is the answer to a request. One of Object, Body, Watch and Stream is set.
type Response struct {
	Code     int
	Warnings []string // texts of Warning header fields, code 299
	// Object is the decoded answer: an API object, *metav1.List,
	// *metav1.Table, *metav1.Status, or a discovery document. It is shared
	// with the store and must not be changed.
	Object any
	// Body and ContentType are set for answers that are not API objects
	// (version, health, OpenAPI, logs that are not followed).
	Body        []byte
	ContentType string
	Watch       Watch
	Stream      Stream
	// Later says that the error is about something that is being made: who
	// serves the request may ask again, as upstream's server does before it
	// answers (LaterTries times, LaterAfter apart).
	Later bool
}

// How upstream's admission waits for a namespace's default service account.
const (
	LaterTries = 10
	LaterAfter = 150 * time.Millisecond
)

// Handler serves the API.
type Handler interface {
	Serve(*Request) *Response
}

// HandlerFunc is a function that serves the API.
type HandlerFunc func(*Request) *Response

// Serve calls f.
func (f HandlerFunc) Serve(r *Request) *Response { return f(r) }

// EventType is the kind of a watch event.
type EventType string

// The types of watch events.
const (
	Added    EventType = "ADDED"
	Modified EventType = "MODIFIED"
	Deleted  EventType = "DELETED"
	Bookmark EventType = "BOOKMARK"
	Error    EventType = "ERROR" // Object is a *metav1.Status; the watch has ended
)

// Event is one change seen by a watch. Object is shared and must not be changed.
type Event struct {
	Type   EventType
	Object any // metav1.Object, *metav1.Table or *metav1.Status
}

// Watch is an open watch. It is pulled, never pushed: Next returns what has
// happened since the last call and never blocks.
type Watch interface {
	// Next returns the next event; ok is false when there is none yet.
	Next() (e Event, ok bool)
	// Done reports whether the watch has ended and nothing is left to read.
	Done() bool
	// Notify sets what is called, once per batch, when there is something to
	// read after there was nothing, and when the watch ends. It must not read.
	Notify(func())
	// Stop ends the watch.
	Stop()
}

// Bookmarker is a Watch that can tell how far it is. Who carries a watch to a
// client that hears nothing for a long time asks for a bookmark: upstream sends
// one about every minute.
type Bookmarker interface {
	// Bookmark is a bookmark of now; false when the client did not ask for
	// bookmarks. It is called when Next has just said that there is nothing.
	Bookmark() (Event, bool)
}

// StreamOptions say what the client of an exec, attach, log or port-forward
// stream brings along. The client owns its ends.
type StreamOptions struct {
	Stdin          io.Reader // nil when not wanted
	Stdout, Stderr io.Writer // nil when not wanted; with TTY only Stdout is used
	TTY            bool
	// Raw says that the client sends a terminal's keys and shows what comes
	// back as it is: the remote terminal echoes and edits the line.
	Raw           bool
	Columns, Rows int
}

// Stream is an upgraded connection: the streams of exec, attach, followed logs
// or a forwarded port.
type Stream interface {
	// Run connects the client's streams and blocks the current process until
	// the remote side ends or the process is interrupted. The returned error
	// is nil for exit status 0, *ExitError for another status, else a
	// transport error.
	Run(StreamOptions) error
	// Resize tells the remote terminal its size.
	Resize(columns, rows int)
	// Close breaks the connection.
	Close()
}

// ExitError says that a remote command ended with a status other than 0.
type ExitError struct {
	Code    int
	Message string // as the kubelet words it
}

func (e *ExitError) Error() string { return e.Message }

// UpgradeError is why the kubelet did not open a stream to a container. Its
// text is what the API server says of that.
type UpgradeError string

func (e UpgradeError) Error() string { return "unable to upgrade connection: " + string(e) }
