// What the API server asks of a node on behalf of clients: logs, exec, attach,
// port-forward and proxied requests. The option types equal those of
// apiserver.NodeProxy, which sits above this package; sim joins the two.

package kubelet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/container"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// LogOptions are the query parameters of pods/log.
type LogOptions struct {
	Follow       bool
	Previous     bool
	Timestamps   bool
	SinceSeconds *int64
	SinceTime    *time.Time
	TailLines    *int64
	LimitBytes   *int64
	Stream       string
	Warn         func(text string)
}

// ExecOptions say which streams a client asked for.
type ExecOptions struct {
	Stdin, Stdout, Stderr, TTY bool
}

func (k *Kubelet) at(o *corev1.Pod, name string) (*pod, *ctr, error) {
	p := k.byUID[o.UID]
	if p == nil {
		if n := k.nodes[o.Spec.NodeName]; n == nil || n.stopped {
			return nil, nil, k.unreachable(o.Spec.NodeName)
		}
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: ContainerCreating", name, o.Name))
	}
	if p.node.stopped {
		return nil, nil, k.unreachable(p.node.Name)
	}
	c := p.ctr(name)
	if c == nil {
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", name, o.Name))
	}
	return p, c, nil
}

func (k *Kubelet) unreachable(node string) error {
	addr := k.FirstNode.String()
	if n := k.nodes[node]; n != nil {
		addr = n.addr.String()
	}
	return apierrors.NewInternalError(fmt.Errorf("dial tcp %s:10250: connect: no route to host", addr))
}

// Logs returns a container's log, and a stream when it is to be followed.
func (k *Kubelet) Logs(o *corev1.Pod, name string, opts LogOptions) ([]byte, rest.Stream, error) {
	p, c, err := k.at(o, name)
	if err != nil {
		return nil, nil, err
	}
	cur := c.cur
	if opts.Previous {
		// Which one that is, the written status says.
		switch id := lastContainerID(p.obj, name); {
		case id == "":
			return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("previous terminated container %q in pod %q not found", name, o.Name))
		case cur != nil && id == "containerd://"+cur.ID:
		case c.old != nil && id == "containerd://"+c.old.ID && !c.exited():
			cur = c.old
		default:
			// When a container ends, the kubelet removes those before it.
			return []byte("unable to retrieve container logs for " + id), nil, nil
		}
	}
	if cur == nil || cur.State == container.Created {
		st := k.ctrStatus(p, c)
		reason := "ContainerCreating"
		if w := st.State.Waiting; w != nil {
			reason = w.Reason
		}
		msg := fmt.Sprintf("container %q in pod %q is waiting to start: %s", name, o.Name, reason)
		switch reason {
		case "ErrImagePull", "ErrImageNeverPull":
			msg = fmt.Sprintf("container %q in pod %q is waiting to start: image can't be pulled", name, o.Name)
		case "ImagePullBackOff":
			msg = fmt.Sprintf("container %q in pod %q is waiting to start: trying and failing to pull image", name, o.Name)
		}
		return nil, nil, apierrors.NewBadRequest(msg)
	}
	w := &logWriter{opts: opts, left: -1}
	if opts.LimitBytes != nil {
		w.left = *opts.LimitBytes
	}
	if n := cur.Log().Dropped(); n > 0 && opts.Warn != nil && opts.TailLines == nil && opts.SinceTime == nil && opts.SinceSeconds == nil && cur.Log().Tell() {
		opts.Warn(fmt.Sprintf("the simulation keeps the last %s of a container's log: %d older lines of %q are gone",
			resource.NewQuantity(int64(k.Runtime.LogLimit), resource.BinarySI), n, name))
	}
	lines, next := cur.Log().Lines(0)
	lines = w.filter(lines, k.Clock.Now())
	if !opts.Follow {
		var b bytes.Buffer
		w.write(&b, lines)
		return b.Bytes(), nil, nil
	}
	return nil, &followStream{k: k, cur: cur, w: w, first: lines, next: next}, nil
}

// lastContainerID is the container that the status calls the last one.
func lastContainerID(o *corev1.Pod, name string) string {
	for _, list := range [][]corev1.ContainerStatus{o.Status.ContainerStatuses, o.Status.InitContainerStatuses, o.Status.EphemeralContainerStatuses} {
		for i := range list {
			if t := list[i].LastTerminationState.Terminated; list[i].Name == name && t != nil {
				return t.ContainerID
			}
		}
	}
	return ""
}

type logWriter struct {
	opts LogOptions
	left int64
}

// filter applies since and tail to what is there.
func (w *logWriter) filter(lines []container.Line, now time.Time) []container.Line {
	var since time.Time
	if w.opts.SinceSeconds != nil {
		since = now.Add(-time.Duration(*w.opts.SinceSeconds) * time.Second)
	}
	if w.opts.SinceTime != nil {
		since = *w.opts.SinceTime
	}
	var out []container.Line
	for _, l := range lines {
		if !l.Time.Before(since) && w.wants(l) {
			out = append(out, l)
		}
	}
	if t := w.opts.TailLines; t != nil && *t >= 0 && int64(len(out)) > *t {
		out = out[int64(len(out))-*t:]
	}
	return out
}

func (w *logWriter) wants(l container.Line) bool {
	switch w.opts.Stream {
	case "Stdout":
		return !l.Stderr
	case "Stderr":
		return l.Stderr
	}
	return true
}

func (w *logWriter) write(out io.Writer, lines []container.Line) error {
	for _, l := range lines {
		if w.left == 0 {
			return io.EOF
		}
		text := l.Text
		if w.opts.Timestamps {
			text = l.Time.UTC().Format("2006-01-02T15:04:05.000000000Z") + " " + text
		}
		if w.left > 0 && int64(len(text)) > w.left {
			text = text[:w.left]
		}
		if w.left > 0 {
			w.left -= int64(len(text))
		}
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
	}
	return nil
}

// followStream is a log that goes on.
type followStream struct {
	k      *Kubelet
	cur    *container.Container
	w      *logWriter
	first  []container.Line
	next   int
	closed bool
	wait   kernel.WaitQueue
}

func (f *followStream) Run(o rest.StreamOptions) error {
	p := f.k.Kernel.Current()
	if p == nil {
		return errors.New("log stream: not in a process")
	}
	if o.Stdout == nil {
		return nil
	}
	if err := f.w.write(o.Stdout, f.first); err != nil {
		return eofIsNil(err)
	}
	f.first = nil
	for !f.closed {
		lines, next := f.cur.Log().Lines(f.next)
		f.next = next
		if len(lines) > 0 {
			var keep []container.Line
			for _, l := range lines {
				if f.w.wants(l) {
					keep = append(keep, l)
				}
			}
			if err := f.w.write(o.Stdout, keep); err != nil {
				return eofIsNil(err)
			}
			continue
		}
		if f.cur.Log().Closed() {
			return nil
		}
		if err := p.Wait(f.cur.Log().Wait()); err != nil {
			return err
		}
	}
	return nil
}

func eofIsNil(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

func (f *followStream) Resize(int, int) {}
func (f *followStream) Close()          { f.closed = true; f.cur.Log().Wait().Wake() }

// Exec prepares a command in a running container; it starts with the stream.
func (k *Kubelet) Exec(o *corev1.Pod, name string, command []string, opts ExecOptions) (rest.Stream, error) {
	_, c, err := k.at(o, name)
	if err != nil {
		return nil, err
	}
	if !c.running() {
		return notFound(name), nil
	}
	return &execStream{k: k, cur: c.cur, command: command, opts: opts}, nil
}

// notFound is a stream to a container that does not run, which the kubelet
// cannot tell from one that there is not.
func notFound(container string) rest.Stream {
	return noStream{rest.UpgradeError(fmt.Sprintf("container not found (%q)", container))}
}

type noStream struct{ err error }

func (s noStream) Run(rest.StreamOptions) error { return s.err }
func (noStream) Resize(int, int)                {}
func (noStream) Close()                         {}

type execStream struct {
	k       *Kubelet
	cur     *container.Container
	command []string
	opts    ExecOptions
	proc    *kernel.Proc
	resize  func(int, int)
}

func (s *execStream) Run(o rest.StreamOptions) error {
	p := s.k.Kernel.Current()
	if p == nil {
		return errors.New("exec: not in a process")
	}
	streams := container.IO{Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, Raw: o.Raw}
	if s.opts.TTY || o.TTY {
		t := container.NewTerminal(o.Columns, o.Rows)
		s.resize = t.Resize
		streams.TTY = t
		streams.Stderr = o.Stdout
	}
	proc, err := s.cur.Exec(s.command, streams)
	if err != nil {
		return apierrors.NewInternalError(fmt.Errorf("error executing command in container: %w", err))
	}
	s.proc = proc
	for {
		code, err := p.Join(proc)
		if err != nil {
			proc.Signal(kernel.SIGKILL)
			return err
		}
		if code != 0 {
			return &rest.ExitError{Code: code, Message: fmt.Sprintf("command terminated with exit code %d", code)}
		}
		return nil
	}
}

func (s *execStream) Resize(c, r int) {
	if s.resize != nil {
		s.resize(c, r)
	}
}

func (s *execStream) Close() {
	if s.proc != nil {
		s.proc.Signal(kernel.SIGKILL)
	}
}

// Attach connects to a container's main process.
func (k *Kubelet) Attach(o *corev1.Pod, name string, opts ExecOptions) (rest.Stream, error) {
	_, c, err := k.at(o, name)
	if err != nil {
		return nil, err
	}
	if !c.running() {
		return notFound(name), nil
	}
	return &attachStream{k: k, cur: c.cur}, nil
}

type attachStream struct {
	k    *Kubelet
	cur  *container.Container
	proc *kernel.Proc
}

func (s *attachStream) Run(o rest.StreamOptions) error {
	p := s.k.Kernel.Current()
	if p == nil {
		return errors.New("attach: not in a process")
	}
	return s.cur.Attach(p, container.IO{Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, Raw: o.Raw})
}

func (s *attachStream) Resize(int, int) {}
func (s *attachStream) Close()          {}

// Forwarder is the stream of a forwarded port: traffic is modelled request by
// request, so the client hands over whole requests instead of bytes.
type Forwarder interface {
	rest.Stream
	// Do sends one request through the forwarded port.
	Do(p *kernel.Proc, r *network.Request) (*network.Response, error)
}

// PortForward opens one connection to a port of the pod; the stream is a Forwarder.
func (k *Kubelet) PortForward(o *corev1.Pod, port int32) (rest.Stream, error) {
	p := k.byUID[o.UID]
	if p == nil || p.node.stopped || p.sandbox == nil {
		return nil, k.unreachable(o.Spec.NodeName)
	}
	return &forward{k: k, p: p, port: int(port)}, nil
}

type forward struct {
	k    *Kubelet
	p    *pod
	port int
}

// dial opens the connection, which inside the pod comes from localhost.
func (f *forward) dial() (*network.Conn, error) {
	if f.p.removed || f.p.sandbox == nil {
		return nil, fmt.Errorf("error forwarding port %d to pod %s, uid : container not running", f.port, f.p.obj.Name)
	}
	c, err := f.p.sandbox.Net().Dial("127.0.0.1", f.port)
	return c, f.failed(err)
}

// failed is an error of the connection in the kubelet's words.
func (f *forward) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("error forwarding port %d to pod %s, uid : failed to execute portforward in network namespace %q: failed to connect to localhost:%d inside namespace %q, IPv4: dial tcp4 127.0.0.1:%d: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address found ",
		f.port, f.p.sandbox.ID, "/var/run/netns/cni-"+f.p.sandbox.ID[:8], f.port, f.p.sandbox.ID, f.port)
}

// Do implements Forwarder.
func (f *forward) Do(p *kernel.Proc, r *network.Request) (*network.Response, error) {
	c, err := f.dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	resp, err := c.Do(p, r)
	return resp, f.failed(err)
}

// Run carries HTTP requests, or messages of another protocol, given as bytes.
func (f *forward) Run(o rest.StreamOptions) error {
	if o.Stdin == nil || o.Stdout == nil {
		return nil
	}
	first := make([]byte, 4096)
	n, err := o.Stdin.Read(first)
	if first = first[:n]; n == 0 {
		return eofIsNil(err)
	}
	if !network.IsRequest(first) {
		return f.raw(first, o)
	}
	in := io.MultiReader(bytes.NewReader(first), o.Stdin)
	for {
		req, err := network.ReadRequest(in)
		if err != nil {
			return eofIsNil(err)
		}
		resp, err := f.Do(f.k.Kernel.Current(), req)
		if err != nil {
			return err
		}
		if err := network.WriteResponse(o.Stdout, resp); err != nil {
			return err
		}
	}
}

// raw hands on what comes as it comes.
func (f *forward) raw(data []byte, o rest.StreamOptions) error {
	c, err := f.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	for err == nil && len(data) > 0 {
		resp, broken := c.Do(f.k.Kernel.Current(), &network.Request{Method: network.Raw, Body: bytes.Clone(data)})
		if broken != nil {
			return f.failed(broken)
		}
		if _, err = o.Stdout.Write(resp.Body); err == nil {
			data = data[:cap(data)]
			n := 0
			n, err = o.Stdin.Read(data)
			data = data[:n]
		}
	}
	return eofIsNil(err)
}

func (f *forward) Resize(int, int) {}
func (f *forward) Close()          {}

// Target is where a proxied request goes: a pod, or an address.
type Target struct {
	Pod    *corev1.Pod
	Node   *corev1.Node
	Addr   netip.Addr // of a service
	Scheme string
	Port   string
	Path   string
}

// HTTP sends a request of the API's proxy subresources.
func (k *Kubelet) HTTP(t Target, req *rest.Request) (*rest.Response, error) {
	var from *network.Namespace
	host := t.Addr.String()
	port, _ := strconv.Atoi(t.Port)
	if len(k.order) > 0 {
		from = k.nodes[k.order[0]].ns
	}
	switch {
	case t.Pod != nil:
		p := k.byUID[t.Pod.UID]
		if p == nil || p.node.stopped {
			return nil, k.unreachable(t.Pod.Spec.NodeName)
		}
		host = p.ip.String()
		if port == 0 {
			for _, c := range t.Pod.Spec.Containers {
				for _, cp := range c.Ports {
					if t.Port == cp.Name || t.Port == "" && port == 0 {
						port = int(cp.ContainerPort)
					}
				}
			}
		}
	case t.Node != nil:
		a, ok := k.NodeAddr(t.Node.Name)
		if !ok {
			return nil, k.unreachable(t.Node.Name)
		}
		host = a.String()
		if port == 0 {
			port = 10250
		}
	}
	if port == 0 {
		port = 80
	}
	if from == nil {
		return nil, k.unreachable("")
	}
	path := t.Path
	if q := req.Query.Encode(); q != "" {
		path += "?" + q
	}
	h := network.Header{"Accept": {"*/*"}}
	for n, v := range req.Header {
		if !strings.HasPrefix(n, "Impersonate-") {
			h[n] = []string{v}
		}
	}
	resp, err := from.Do(k.Kernel.Current(), host, port, &network.Request{Method: req.Method, Host: fmt.Sprintf("%s:%d", host, port), Path: path, Header: h, Body: req.Body, TLS: t.Scheme == "https"})
	if err != nil {
		return nil, apierrors.NewServiceUnavailable("error trying to reach service: " + err.Error())
	}
	return &rest.Response{Code: resp.Status, Body: resp.Body, ContentType: resp.Header.Get("Content-Type")}, nil
}
