// kubectl logs: what containers have printed.

package kubectl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/rest"
)

const (
	logsUsage      = "logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]"
	logsUsageError = "expected '" + logsUsage + "'.\nPOD or TYPE/NAME is a required argument for the logs command"
)

func logsCommand() *Command {
	return &Command{
		Use:   logsUsage,
		Short: "Print the logs for a container in a pod",
		Long:  "Print what a container has written to its standard output and error. Without a container, the annotated or the first one is meant; for a deployment, job or other maker of pods, one of its pods.",
		Examples: `kubectl logs web
kubectl logs -f web -c sidecar
kubectl logs --tail=20 --since=1h web
kubectl logs -l app=web --all-containers --prefix
kubectl logs job/once`,
		New: func() Verb { return &logsOptions{} },
	}
}

type logsOptions struct {
	allPods, allContainers         bool
	follow, timestamps, previous   bool
	ignoreErrors, prefix, insecure bool
	limitBytes, tail               int64
	sinceTime                      string
	since                          time.Duration
	container                      string
	timeout                        time.Duration
	selector                       string
	maxRequests                    int

	args    []string
	named   bool // -c
	tailSet bool
	ns      string
	object  tree.Map   // a single object
	pods    []tree.Map // with -l
}

func (o *logsOptions) Flags(f *pflag.FlagSet) {
	f.BoolVar(&o.allPods, "all-pods", false, "The logs of all pods of the object, with --prefix")
	f.BoolVar(&o.allContainers, "all-containers", false, "The logs of all containers")
	f.BoolVarP(&o.follow, "follow", "f", false, "Go on as the container prints more")
	f.BoolVar(&o.timestamps, "timestamps", false, "Put the time before each line")
	f.Int64Var(&o.limitBytes, "limit-bytes", 0, "At most so many bytes; 0 is no limit")
	f.BoolVarP(&o.previous, "previous", "p", false, "The log of the container's instance before the present one")
	f.Int64Var(&o.tail, "tail", -1, "The last so many lines; -1 is all, but 10 with a selector")
	f.BoolVar(&o.ignoreErrors, "ignore-errors", false, "Go on when a log cannot be read")
	f.StringVar(&o.sinceTime, "since-time", "", "What was printed after this time (RFC 3339)")
	f.DurationVar(&o.since, "since", 0, "What was printed in this last time, such as 5s, 2m, 3h")
	f.StringVarP(&o.container, "container", "c", "", "The container")
	f.BoolVar(&o.insecure, "insecure-skip-tls-verify-backend", false, "Do not check the kubelet's certificate")
	podTimeoutFlag(f, &o.timeout, 20*time.Second)
	selectorFlag(f, &o.selector)
	f.IntVar(&o.maxRequests, "max-log-requests", 5, "How many logs may be followed at once")
	f.BoolVar(&o.prefix, "prefix", false, "Put pod and container before each line")
}

func (o *logsOptions) Complete(s *Session, args []string) (err error) {
	o.args, o.named, o.tailSet = args, s.Changed("container"), s.Changed("tail")
	resource := ""
	switch {
	case len(args) == 0 && o.selector == "", len(args) > 2:
		return s.UsageErrorf("%s", logsUsageError)
	case len(args) == 1 && o.selector != "":
		return s.UsageErrorf("only a selector (-l) or a POD name is allowed")
	case len(args) > 0:
		resource = args[0]
	}
	if len(args) == 2 {
		o.container = args[1]
	}
	o.prefix = o.prefix || o.allPods
	if o.ns, _, err = s.Namespace(); err != nil {
		return err
	}
	if o.timeout <= 0 {
		return errPodTimeout
	}
	if o.sinceTime != "" {
		if _, err := time.Parse(time.RFC3339, o.sinceTime); err != nil {
			return err
		}
	}
	b := &Builder{S: s, Namespace: o.ns, SingleType: true}
	if resource != "" {
		b.DefaultResource, b.Args = "pods", []string{resource}
	}
	if o.selector != "" {
		b.DefaultResource = ""
		b.Args, b.Selector = []string{"pods"}, o.selector
		if resource != "" {
			return errors.New("name cannot be provided when a selector is specified")
		}
	}
	infos, err := b.Do().Infos()
	if err != nil {
		if apierrors.IsNotFound(err) {
			err = fmt.Errorf("error from server (NotFound): %s in namespace %q", err, o.ns)
			return fmt.Errorf("error: %w", err)
		}
		return err
	}
	if o.selector == "" {
		if len(infos) != 1 {
			return errors.New("expected a resource")
		}
		o.object = infos[0].Object
		return nil
	}
	o.pods = tree.Maps(infos[0].Object, "items")
	if len(o.pods) == 0 {
		s.Errorf("No resources found in %s namespace.\n", o.ns)
	}
	return nil
}

func (o *logsOptions) Validate() error {
	switch {
	case o.sinceTime != "" && o.since != 0:
		return errors.New("at most one of `sinceTime` or `sinceSeconds` may be specified")
	case o.allContainers && o.container != "":
		return fmt.Errorf("--all-containers=true should not be specified with container name %s", o.container)
	case o.named && len(o.args) == 2:
		return errors.New("only one of -c or an inline [CONTAINER] arg is allowed")
	case o.limitBytes < 0:
		return errors.New("--limit-bytes must be greater than 0")
	case o.since < 0:
		return errors.New("--since must be greater than 0")
	case o.tail < -1:
		return errors.New("--tail must be greater than or equal to -1")
	}
	return nil
}

func (o *logsOptions) query(container string) url.Values {
	q := url.Values{"container": {container}}
	for name, on := range map[string]bool{"follow": o.follow, "previous": o.previous, "timestamps": o.timestamps, "insecureSkipTLSVerifyBackend": o.insecure} {
		if on {
			q.Set(name, "true")
		}
	}
	if o.sinceTime != "" {
		q.Set("sinceTime", o.sinceTime)
	}
	if o.limitBytes != 0 {
		q.Set("limitBytes", strconv.FormatInt(o.limitBytes, 10))
	}
	if o.since != 0 {
		q.Set("sinceSeconds", strconv.FormatInt(int64(o.since.Round(time.Second).Seconds()), 10))
	}
	if o.selector != "" && o.tail == -1 && !o.tailSet {
		q.Set("tailLines", "10")
	} else if o.tail != -1 {
		q.Set("tailLines", strconv.FormatInt(o.tail, 10))
	}
	return q
}

// logSource is one container's log.
type logSource struct {
	pod       *corev1.Pod
	container string
}

// sources are the logs that the line means.
func (o *logsOptions) sources(s *Session) ([]logSource, error) {
	var pods []*corev1.Pod
	quiet := false
	switch {
	case o.object == nil:
		for _, t := range o.pods {
			p, err := podOf(t)
			if err != nil {
				return nil, err
			}
			pods = append(pods, p)
		}
		quiet = o.allPods
	case tree.Kind(o.object) == "Pod":
		p, err := podOf(o.object)
		if err != nil {
			return nil, err
		}
		pods = []*corev1.Pod{p}
		quiet = o.allPods
	default:
		selector, err := podsSelector(o.object)
		if err != nil {
			return nil, fmt.Errorf("cannot get the logs from *v1.%s: %v", tree.Kind(o.object), err)
		}
		if pods, err = s.podsFor(tree.Namespace(o.object), selector, o.timeout, byLogging); err != nil {
			return nil, err
		}
		quiet = o.allPods
		if len(pods) > 1 && !o.allPods {
			s.Errorf("Found %v pods, using pod/%v\n", len(pods), pods[0].Name)
		}
		if !o.allPods {
			pods = pods[:1]
		}
	}
	var out []logSource
	for _, p := range pods {
		if o.allContainers {
			for _, c := range p.Spec.InitContainers {
				out = append(out, logSource{p, c.Name})
			}
			for _, c := range p.Spec.Containers {
				out = append(out, logSource{p, c.Name})
			}
			for _, c := range p.Spec.EphemeralContainers {
				out = append(out, logSource{p, c.Name})
			}
			continue
		}
		name := o.container
		if annotated := p.Annotations[defaultContainerAnnotation]; name == "" && annotated != "" {
			if _, ok := findContainer(p, annotated); ok {
				name = annotated
			} else {
				s.Errorf("Default container name %q not found in pod %s\n", annotated, p.Name)
			}
		}
		if name == "" {
			c, err := chooseContainer(p, "", quiet, s.Errorf)
			if err != nil {
				return nil, err
			}
			name = c.name
		}
		if _, ok := findContainer(p, name); !ok {
			return nil, invalidContainer(p, name)
		}
		out = append(out, logSource{p, name})
	}
	return out, nil
}

func (o *logsOptions) Run(s *Session) error {
	sources, err := o.sources(s)
	if err != nil {
		return err
	}
	if !o.follow || len(sources) < 2 {
		for _, src := range sources {
			if err := o.copy(s, src, s.Proc); err != nil {
				return err
			}
		}
		return nil
	}
	if len(sources) > o.maxRequests {
		return fmt.Errorf("you are attempting to follow %d log streams, but maximum allowed concurrency is %d, use --max-log-requests to increase the limit", len(sources), o.maxRequests)
	}
	var children []*kernel.Proc
	errs := make([]error, len(sources))
	for n, src := range sources {
		children = append(children, s.Proc.Kernel().Spawn(s.Proc, "kubectl logs", func(p *kernel.Proc) int {
			errs[n] = o.copy(s, src, p)
			return 0
		}))
	}
	defer func() {
		for _, c := range children {
			c.Signal(kernel.SIGKILL)
		}
	}()
	for n, c := range children {
		if _, err := s.Proc.Join(c); err != nil {
			return err
		}
		if errs[n] != nil {
			return errs[n]
		}
	}
	return nil
}

// copy prints one log.
func (o *logsOptions) copy(s *Session, src logSource, p *kernel.Proc) error {
	out := &lineWriter{w: s.Stdout}
	if o.prefix {
		out.prefix = fmt.Sprintf("[pod/%s/%s] ", src.pod.Name, src.container)
	}
	for {
		err := s.copyLog(src.pod, o.query(src.container), out)
		out.flush()
		switch {
		case err == nil || errorsIsInterrupted(err):
			return err
		case o.ignoreErrors:
			fmt.Fprintf(s.Stdout, "error: %s\n", err)
			return nil
		case !o.follow:
			return err
		}
		s.Errorf("%s\n", err)
		if _, api := err.(apierrors.APIStatus); !api {
			return err
		}
		if err := p.Sleep(time.Second); err != nil {
			return err
		}
		if o.timeout -= time.Second; o.timeout <= 0 {
			return errTimedOut
		}
	}
}

// copyLog writes a log to w, following it if the query says so.
func (s *Session) copyLog(pod *corev1.Pod, q url.Values, w io.Writer) error {
	resp, err := s.connect("GET", pod, "log", q)
	if err != nil {
		return err
	}
	if resp.Stream == nil {
		data, err := ResponseBytes(resp)
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	}
	defer resp.Stream.Close()
	return resp.Stream.Run(rest.StreamOptions{Stdout: w})
}

// lineWriter passes whole lines on, each with a prefix.
type lineWriter struct {
	w       io.Writer
	prefix  string
	pending []byte
}

func (l *lineWriter) Write(b []byte) (int, error) {
	if l.prefix == "" {
		return l.w.Write(b)
	}
	l.pending = append(l.pending, b...)
	for {
		n := bytes.IndexByte(l.pending, '\n')
		if n < 0 {
			return len(b), nil
		}
		line := append([]byte(l.prefix), l.pending[:n+1]...)
		l.pending = l.pending[n+1:]
		if _, err := l.w.Write(line); err != nil {
			return 0, err
		}
	}
}

func (l *lineWriter) flush() {
	if len(l.pending) > 0 {
		l.w.Write(append([]byte(l.prefix), l.pending...))
		l.pending = nil
	}
}
