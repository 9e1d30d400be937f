// kubectl run: makes one pod, and can attach to it and remove it at its end.

package kubectl

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/internal/lazy"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func runCommand() *Command {
	return &Command{
		Use:   `run NAME --image=image [--env="key=value"] [--port=port] [--dry-run=server|client] [--overrides=inline-json] [--command] -- [COMMAND] [args...]`,
		Short: "Run a particular image on the cluster",
		Long:  "Create a pod that runs an image.",
		Examples: `kubectl run web --image=nginx
kubectl run web --image=nginx --port=80 --labels=app=web,tier=front
kubectl run once --image=busybox --restart=Never -- date
kubectl run -it shell --image=busybox --rm --restart=Never -- sh
kubectl run web --image=nginx --dry-run=client -o yaml`,
		New: func() Verb { return &runOptions{del: deleteOptions{grace: -1}} },
	}
}

type runOptions struct {
	creator
	overrideFlags
	del         deleteOptions
	record      recordFlag
	image       string
	pullPolicy  string
	annotations []string
	env         []string
	labels      string
	port        string
	restart     string
	remove      bool
	stdin, tty  bool
	attach      bool
	leaveOpen   bool
	asCommand   bool
	expose      bool
	quiet       bool
	privileged  bool
	detachKeys  string
	timeout     time.Duration
	args        []string

	// What kubectl had once and documents still use.
	limits, requests string
	serviceAccount   string
	generator        string
	oldReplicas      int
	schedule         string
	hostPort         int
	serviceGenerator string
	serviceOverrides string
}

func (o *runOptions) Flags(f *pflag.FlagSet) {
	o.del.sharedFlags(f)
	o.out.flags(f)
	o.record.flags(f)
	dryRunFlag(f, &o.dryRunText)
	f.StringArrayVar(&o.annotations, "annotations", nil, "Annotation of the pod, key=value; may be repeated")
	f.StringVar(&o.image, "image", "", "The image")
	markRequired(f, "image")
	f.StringVar(&o.pullPolicy, "image-pull-policy", "", "When to pull the image: Always, IfNotPresent, Never")
	f.BoolVar(&o.remove, "rm", false, "Delete the pod when it has ended; only when attached")
	f.StringArrayVar(&o.env, "env", nil, "Environment variable, NAME=value; may be repeated")
	f.StringVar(&o.port, "port", "", "Port that the container serves")
	f.StringVarP(&o.labels, "labels", "l", "", "Labels of the pod, separated by commas")
	f.BoolVarP(&o.stdin, "stdin", "i", false, "Keep the container's stdin open")
	f.BoolVarP(&o.tty, "tty", "t", false, "Give the container a terminal")
	f.BoolVar(&o.attach, "attach", false, "Wait for the pod and attach to it; the default with -i")
	f.BoolVar(&o.leaveOpen, "leave-stdin-open", false, "Leave stdin open after the first attachment")
	f.StringVar(&o.restart, "restart", "Always", "Restart policy: Always, OnFailure, Never")
	f.BoolVar(&o.asCommand, "command", false, "What follows -- is the command, not its arguments")
	f.BoolVar(&o.expose, "expose", false, "Make a ClusterIP service for the pod too; needs --port")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "No messages of kubectl's own")
	f.BoolVar(&o.privileged, "privileged", false, "Run the container privileged")
	f.StringVar(&o.detachKeys, "detach-keys", "ctrl-p,ctrl-q", "Keys that leave the container running")
	fieldManagerFlag(f, &o.manager, "kubectl-run")
	o.overrideFlags.flags(f)
	saveConfigFlag(f, &o.saveConfig)
	podTimeoutFlag(f, &o.timeout, time.Minute)

	f.StringVar(&o.limits, "limits", "", "Limits of the container")
	f.StringVar(&o.requests, "requests", "", "Requests of the container")
	f.StringVar(&o.serviceAccount, "serviceaccount", "", "Service account of the pod")
	f.StringVar(&o.generator, "generator", "", "")
	f.IntVarP(&o.oldReplicas, "replicas", "r", 1, "")
	f.StringVar(&o.schedule, "schedule", "", "")
	f.IntVar(&o.hostPort, "hostport", -1, "Port on the node")
	f.StringVar(&o.serviceGenerator, "service-generator", "", "")
	f.StringVar(&o.serviceOverrides, "service-overrides", "", "")
	const set = "kubectl has removed it since; it still works here, elsewhere use --overrides."
	for _, name := range []string{"limits", "requests", "serviceaccount", "hostport"} {
		markDropped(f, name, set)
	}
	const none = "kubectl has removed it since; kubectl run only creates pods."
	for _, name := range []string{"generator", "replicas", "schedule", "service-generator", "service-overrides"} {
		markDropped(f, name, none)
	}
}

func (o *runOptions) Complete(s *Session, args []string) (err error) {
	o.s, o.args = s, args
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	if !s.Changed("attach") && o.stdin {
		o.attach = true
	}
	if err := o.out.check(s); err != nil {
		return err
	}
	if err := o.del.prepare(s); err != nil {
		return err
	}
	o.namespace, o.explicit, err = s.Namespace()
	return err
}

// imageName is what a reference to an image looks like.
var imageName = lazy.Regexp(`^(?:(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?` +
	`[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*` +
	`(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`)

func (o *runOptions) check(s *Session) error {
	switch {
	case len(o.args) == 0 || s.ArgsLenAtDash == 0:
		return s.UsageErrorf("NAME is required for run")
	case o.timeout <= 0:
		return s.UsageErrorf("%v", errPodTimeout)
	case o.image == "":
		return errors.New("--image is required")
	case !imageName().MatchString(o.image):
		return fmt.Errorf("Invalid image name %q: invalid reference format", o.image)
	case o.tty && !o.stdin:
		return s.UsageErrorf("-i/--stdin is required for containers with -t/--tty=true")
	case o.expose && o.port == "":
		return s.UsageErrorf("--port must be set when exposing a service")
	}
	switch o.restart {
	case "":
		o.restart = "Always"
		if o.stdin {
			o.restart = "OnFailure"
		}
	case "Always", "OnFailure", "Never":
	default:
		return s.UsageErrorf("invalid restart policy: %s", o.restart)
	}
	if !o.attach && o.remove {
		return s.UsageErrorf("--rm should only be used for attached containers")
	}
	if o.attach && o.dryRun != DryRunNone {
		return s.UsageErrorf("--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)")
	}
	switch o.pullPolicy {
	case "", "Always", "IfNotPresent", "Never":
	default:
		return s.UsageErrorf("invalid image pull policy: %s", o.pullPolicy)
	}
	return nil
}

// pod is what the flags describe.
func (o *runOptions) pod() (*corev1.Pod, error) {
	name := o.args[0]
	pod := &corev1.Pod{}
	pod.Name = name
	var err error
	if pod.Annotations, _, err = parsePairs(o.annotations, "annotations", false); err != nil {
		return nil, err
	}
	pod.Labels = map[string]string{"run": name}
	if o.labels != "" {
		if pod.Labels, err = parseLabelList(o.labels); err != nil {
			return nil, err
		}
	}
	c := corev1.Container{Name: name, Image: o.image, Stdin: o.stdin, StdinOnce: o.stdin && !o.leaveOpen, TTY: o.tty,
		ImagePullPolicy: corev1.PullPolicy(o.pullPolicy)}
	for _, e := range o.env {
		n := strings.Index(e, "=")
		if n <= 0 {
			return nil, fmt.Errorf("invalid env: %v", e)
		}
		c.Env = append(c.Env, corev1.EnvVar{Name: e[:n], Value: e[n+1:]})
	}
	if rest := o.args[1:]; len(rest) > 0 {
		if o.asCommand {
			c.Command = rest
		} else {
			c.Args = rest
		}
	}
	if o.port != "" {
		port, err := strconv.Atoi(o.port)
		if err != nil {
			return nil, err
		}
		c.Ports = []corev1.ContainerPort{{ContainerPort: int32(port)}}
		if o.hostPort > 0 {
			c.Ports[0].HostPort = int32(o.hostPort)
		}
	}
	if o.privileged {
		c.SecurityContext = &corev1.SecurityContext{Privileged: &o.privileged}
	}
	if c.Resources.Limits, err = resourceList(o.limits); err != nil {
		return nil, err
	}
	if c.Resources.Requests, err = resourceList(o.requests); err != nil {
		return nil, err
	}
	pod.Spec = corev1.PodSpec{Containers: []corev1.Container{c}, DNSPolicy: corev1.DNSClusterFirst,
		RestartPolicy: corev1.RestartPolicy(o.restart), ServiceAccountName: o.serviceAccount}
	return pod, nil
}

func (o *runOptions) Run(s *Session) error {
	if err := o.check(s); err != nil {
		return err
	}
	pod, err := o.pod()
	if err != nil {
		return err
	}
	if err := o.apply(pod); err != nil {
		return err
	}
	if o.record.record {
		if pod.Annotations == nil {
			pod.Annotations = map[string]string{}
		}
		pod.Annotations[changeCause] = s.commandLine()
	}
	c, m, err := s.resource("pods")
	if err != nil {
		return err
	}
	pod.SetGroupVersionKind(m.GVK())
	var obj any = pod
	var made tree.Map
	if o.dryRun == DryRunClient {
		if o.explicit {
			pod.Namespace = o.namespace
		}
	} else {
		t, err := treeOf(pod)
		if err != nil {
			return err
		}
		if o.saveConfig {
			if err := saveConfig(pod, t); err != nil {
				return err
			}
		}
		w := writer{DryRun: o.dryRun, Manager: o.manager}
		if made, err = c.Send("POST", m, o.namespace, "", "", w.query(), t); err != nil {
			return err
		}
		if obj, err = podOf(made); err != nil {
			return err
		}
	}
	var errs []error
	var exposed bool
	if o.expose {
		if err := o.service(s); err != nil {
			errs = append(errs, err)
		} else {
			exposed = true
		}
	}
	if !o.attach {
		if err := o.out.print(s, "created", o.dryRun, obj); err != nil {
			return err
		}
		return NewAggregate(errs)
	}
	err = o.attached(s, c, m, tree.Namespace(made), tree.Name(made))
	if o.remove && !errorsIsInterrupted(err) {
		o.delete(s, "pods", tree.Namespace(made), tree.Name(made))
		if exposed {
			o.delete(s, "services", o.namespace, pod.Name)
		}
	}
	return err
}

// service is the one of --expose.
func (o *runOptions) service(s *Session) error {
	e := exposeOptions{creator: o.creator}
	e.name, e.port = o.args[0], o.port
	obj := tree.Map{"kind": "Pod", "metadata": tree.Map{"name": o.args[0], "labels": tree.Map{}}}
	e.selector = o.labels
	if e.selector == "" {
		e.selector = "run=" + o.args[0]
	}
	e.labels = o.labels
	svc, err := e.service(&Info{Name: o.args[0], Object: obj, Mapping: &Mapping{Kind: "Pod", Resource: "pods"}})
	if err != nil {
		return err
	}
	if o.dryRun == DryRunClient && o.explicit {
		svc.Namespace = o.namespace
	}
	if err := o.createAs(svc, "created", ""); err != nil {
		return err
	}
	if o.out.Output == "yaml" {
		s.Printf("---\n")
	}
	return nil
}

func (o *runOptions) delete(s *Session, resource, namespace, name string) {
	d := o.del
	d.s, d.ignoreNotFound, d.wait, d.grace, d.quiet, d.dryRun = s, true, false, -1, o.quiet, DryRunNone
	b := &Builder{S: s, Namespace: namespace, DefaultResource: resource, Args: []string{name}, ContinueOnError: true, Flatten: true}
	_ = d.deleteResult(b.Do())
}

var errPodGone = apierrors.NewNotFound(metav1.GroupResource{Resource: "pods"}, "")

// podUntil watches a pod until done holds.
func (s *Session) podUntil(c *Client, m *Mapping, namespace, name string, timeout time.Duration, done func(*corev1.Pod) bool) (*corev1.Pod, error) {
	var found *corev1.Pod
	late, err := c.watchObject(m, namespace, name, timeout, func(obj tree.Map) (bool, error) {
		if obj == nil {
			return false, errPodGone
		}
		pod, err := podOf(obj)
		if err != nil {
			return false, err
		}
		if done(pod) {
			found = pod
			return true, nil
		}
		return false, nil
	})
	if late {
		return nil, errTimedOut
	}
	return found, err
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// attached waits for the pod, attaches, and passes on how the pod ended.
func (o *runOptions) attached(s *Session, c *Client, m *Mapping, namespace, name string) error {
	pod, err := s.podUntil(c, m, namespace, name, o.timeout, func(p *corev1.Pod) bool {
		_, ready := podReadySince(p)
		return ended(p) || p.Status.Phase == corev1.PodRunning && ready
	})
	if err != nil {
		return err
	}
	a := &attachOptions{stdin: o.stdin, tty: o.tty, quiet: o.quiet, command: "kubectl attach"}
	if err := s.attachOrLog(a, pod); err != nil {
		return err
	}
	if o.leaveOpen || o.restart == "Always" {
		return nil
	}
	pod, err = s.podUntil(c, m, namespace, name, o.timeout, func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodSucceeded || o.restart == "Never" && ended(p)
	})
	if err != nil {
		return err
	}
	switch pod.Status.Phase {
	case corev1.PodSucceeded:
		return nil
	case corev1.PodFailed:
		unknown := fmt.Errorf("pod %s/%s failed with unknown exit code", pod.Namespace, pod.Name)
		if len(pod.Status.ContainerStatuses) == 0 {
			return unknown
		}
		t := pod.Status.ContainerStatuses[0].State.Terminated
		if t == nil || t.ExitCode == 0 {
			return unknown
		}
		return &rest.ExitError{Code: int(t.ExitCode), Message: fmt.Sprintf("pod %s/%s terminated (%s)\n%s", pod.Namespace, pod.Name, t.Reason, t.Message)}
	}
	return fmt.Errorf("pod %s/%s left in phase %s", pod.Namespace, pod.Name, pod.Status.Phase)
}

// attachOrLog attaches to a pod that runs, or prints what one that has ended said.
func (s *Session) attachOrLog(a *attachOptions, pod *corev1.Pod) error {
	log := func() error {
		c, err := chooseContainer(pod, a.container, a.quiet, s.Errorf)
		if err != nil {
			return err
		}
		return s.copyLog(pod, url.Values{"container": {c.name}}, s.Stdout)
	}
	if ended(pod) {
		return log()
	}
	if err := log(); err != nil && !errorsIsInterrupted(err) {
		s.Errorf("warning: couldn't fetch pre-attach logs: %v\n", err)
	}
	err := a.attach(s, pod)
	var exit *rest.ExitError
	if err == nil || errorsIsInterrupted(err) || errors.As(err, &exit) {
		return nil
	}
	s.Errorf("warning: couldn't attach to pod/%s, falling back to streaming logs: %v\n", pod.Name, err)
	return log()
}
