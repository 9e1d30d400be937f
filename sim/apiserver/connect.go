// This file answers what only a node can: logs, commands in containers,
// attaching, forwarded ports and proxied requests. It checks what the API
// knows and leaves the rest to the NodeProxy.

package apiserver

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

var errNoNodes = apierrors.NewServiceUnavailable("no nodes can be reached")

// container is the container that a request to a pod is about.
func (c *call) container(pod *corev1.Pod) (string, error) {
	name := c.req.Query.Get("container")
	var names []string
	for _, o := range pod.Spec.InitContainers {
		names = append(names, o.Name)
	}
	for _, o := range pod.Spec.Containers {
		names = append(names, o.Name)
	}
	for _, o := range pod.Spec.EphemeralContainers {
		names = append(names, o.Name)
	}
	switch {
	case name != "" && has(names, name):
		return name, nil
	case name != "":
		return "", apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", name, pod.Name))
	case len(pod.Spec.Containers) == 1:
		return pod.Spec.Containers[0].Name, nil
	case len(pod.Spec.Containers) == 0:
		return "", apierrors.NewBadRequest(fmt.Sprintf("a container name must be specified for pod %s", pod.Name))
	}
	return "", apierrors.NewBadRequest(fmt.Sprintf("a container name must be specified for pod %s, choose one of: %s", pod.Name, names))
}

// pod is the stored pod of the call; bound says that it must have a node.
func (c *call) pod(bound bool) (*corev1.Pod, error) {
	obj, err := c.stored(c.name)
	if err != nil {
		return nil, err
	}
	pod := obj.(*corev1.Pod)
	if bound && pod.Spec.NodeName == "" {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("pod %s does not have a host assigned", c.name))
	}
	return pod, nil
}

func (c *call) log() (*rest.Response, error) {
	pod, err := c.pod(false)
	if err != nil {
		return nil, err
	}
	opts, err := c.logOptions()
	if err != nil {
		return nil, err
	}
	container, err := c.container(pod)
	if err != nil {
		return nil, err
	}
	resp := &rest.Response{Code: 200, ContentType: "text/plain"}
	if pod.Spec.NodeName == "" {
		return resp, nil
	}
	if c.s.nodes == nil {
		return nil, errNoNodes
	}
	opts.Warn = c.warn
	resp.Body, resp.Stream, err = c.s.nodes.Logs(pod, container, opts)
	return resp, err
}

func (c *call) logOptions() (LogOptions, error) {
	q := c.req.Query
	o := LogOptions{Follow: c.queryBool("follow"), Previous: c.queryBool("previous"), Timestamps: c.queryBool("timestamps"), Stream: q.Get("stream")}
	var errs field.ErrorList
	var bad error
	number := func(name string, least int64, message string) *int64 {
		s := q.Get(name)
		if s == "" {
			return nil
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			bad = apierrors.NewBadRequest(err.Error())
			return nil
		}
		if n < least {
			errs = append(errs, field.Invalid(field.NewPath(name), n, message))
		}
		return &n
	}
	o.TailLines = number("tailLines", 0, "must be greater than or equal to 0")
	o.LimitBytes = number("limitBytes", 1, "must be greater than 0")
	o.SinceSeconds = number("sinceSeconds", 1, "must be greater than 0")
	if s := q.Get("sinceTime"); s != "" {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return o, apierrors.NewBadRequest(err.Error())
		}
		o.SinceTime = &t
		if o.SinceSeconds != nil {
			errs = append(errs, field.Forbidden(field.NewPath(""), "at most one of `sinceTime` or `sinceSeconds` may be specified"))
		}
	}
	switch o.Stream {
	case "", "All", "Stdout", "Stderr":
	default:
		errs = append(errs, field.NotSupported(field.NewPath("stream"), o.Stream, []string{"All", "Stdout", "Stderr"}))
	}
	if bad != nil {
		return o, bad
	}
	if len(errs) > 0 {
		return o, apierrors.NewInvalid(metav1.GroupKind{Kind: "PodLogOptions"}, c.name, errs)
	}
	return o, nil
}

// connect checks what every connection to a pod needs.
func (c *call) connect() (*corev1.Pod, error) {
	pod, err := c.pod(false)
	if err != nil {
		return nil, err
	}
	return pod, c.admit(Connect, pod, nil)
}

func (c *call) execOptions() ExecOptions {
	return ExecOptions{Stdin: c.queryBool("stdin"), Stdout: c.queryBool("stdout"), Stderr: c.queryBool("stderr"), TTY: c.queryBool("tty")}
}

func (c *call) exec() (*rest.Response, error) {
	return c.stream(func(pod *corev1.Pod, container string) (rest.Stream, error) {
		return c.s.nodes.Exec(pod, container, c.req.Query["command"], c.execOptions())
	})
}

func (c *call) attach() (*rest.Response, error) {
	return c.stream(func(pod *corev1.Pod, container string) (rest.Stream, error) {
		return c.s.nodes.Attach(pod, container, c.execOptions())
	})
}

func (c *call) stream(open func(*corev1.Pod, string) (rest.Stream, error)) (*rest.Response, error) {
	pod, err := c.connect()
	if err != nil {
		return nil, err
	}
	container, err := c.container(pod)
	if err != nil {
		return nil, err
	}
	if pod, err = c.pod(true); err != nil {
		return nil, err
	}
	if c.s.nodes == nil {
		return nil, errNoNodes
	}
	s, err := open(pod, container)
	if err != nil {
		return nil, err
	}
	return &rest.Response{Code: 101, Stream: s}, nil
}

func (c *call) portForward() (*rest.Response, error) {
	if _, err := c.connect(); err != nil {
		return nil, err
	}
	pod, err := c.pod(true)
	if err != nil {
		return nil, err
	}
	if c.s.nodes == nil {
		return nil, errNoNodes
	}
	port := c.req.Query.Get("ports")
	if port == "" {
		port = c.req.Query.Get("port")
	}
	var n uint64
	if port != "" { // else each stream of the connection says its port
		if n, err = strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("port %q is not valid", port))
		}
	}
	s, err := c.s.nodes.PortForward(pod, int32(n))
	if err != nil {
		return nil, err
	}
	return &rest.Response{Code: 101, Stream: s}, nil
}

// proxy answers …/pods|services|nodes/[SCHEME:]NAME[:PORT]/proxy/PATH.
func (c *call) proxy() (*rest.Response, error) {
	t := ProxyTarget{Path: c.path}
	if t.Path == "" {
		t.Path = "/"
	}
	parts := strings.Split(c.name, ":")
	switch len(parts) {
	case 1:
		c.name = parts[0]
	case 2:
		c.name, t.Port = parts[0], parts[1]
	case 3:
		t.Scheme, c.name, t.Port = parts[0], parts[1], parts[2]
	default:
		return nil, apierrors.NewBadRequest(fmt.Sprintf("invalid %s request %q", strings.TrimSuffix(c.kind.Plural, "s"), c.name))
	}
	if t.Scheme != "" && t.Scheme != "http" && t.Scheme != "https" {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("invalid %s request %q", strings.TrimSuffix(c.kind.Plural, "s"), strings.Join(parts, ":")))
	}
	obj, err := c.stored(c.name)
	if err != nil {
		return nil, err
	}
	switch x := obj.(type) {
	case *corev1.Pod:
		t.Pod = x
	case *corev1.Service:
		t.Service = x
	case *corev1.Node:
		t.Node = x
	}
	if c.s.nodes == nil {
		return nil, errNoNodes
	}
	return c.s.nodes.HTTP(t, c.req)
}
