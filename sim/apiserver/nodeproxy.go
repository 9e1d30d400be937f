// This file is the seam to the kubelets: what the API server asks of a node
// when a client wants a log, a shell in a container, or a forwarded port. The
// server checks names and states that the API knows; the node does the rest.

package apiserver

import (
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// NodeProxy reaches the kubelets of all nodes. Errors that are
// *apierrors.StatusError are answered as they are, others as a 500.
//
// The server has already checked that the pod exists, is bound to a node and
// has the container, and has chosen the default one.
type NodeProxy interface {
	// Logs returns the container's log: bytes, or a stream when opts.Follow
	// asks to go on (the stream's Stdout gets the lines).
	Logs(pod *corev1.Pod, container string, opts LogOptions) ([]byte, rest.Stream, error)
	// Exec starts a command in a running container.
	Exec(pod *corev1.Pod, container string, command []string, opts ExecOptions) (rest.Stream, error)
	// Attach connects to the container's main process.
	Attach(pod *corev1.Pod, container string, opts ExecOptions) (rest.Stream, error)
	// PortForward opens one connection to a port of the pod.
	PortForward(pod *corev1.Pod, port int32) (rest.Stream, error)
	// HTTP sends a request to a port of a pod, a service's endpoint or a node.
	HTTP(target ProxyTarget, req *rest.Request) (*rest.Response, error)
}

// LogOptions are the query parameters of pods/log.
type LogOptions struct {
	Follow       bool
	Previous     bool
	Timestamps   bool
	SinceSeconds *int64
	SinceTime    *time.Time
	TailLines    *int64
	LimitBytes   *int64
	Stream       string // "All", "Stdout", "Stderr"; "" is All
	// Warn tells the client something beside the log.
	Warn func(text string)
}

// ExecOptions are the query parameters of pods/exec and pods/attach: which
// streams the client asked for.
type ExecOptions struct {
	Stdin, Stdout, Stderr, TTY bool
}

// ProxyTarget is where a request to a proxy subresource goes. One of Pod, Node
// and Service is set. Path begins with a slash.
type ProxyTarget struct {
	Pod     *corev1.Pod
	Service *corev1.Service
	Node    *corev1.Node
	Scheme  string // "http" (also ""), "https"
	Port    string // number or name; "" is the first port
	Path    string
}
