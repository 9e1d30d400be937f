// kubectl exec and kubectl attach: a command in a container, or its main process.

package kubectl

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func execCommand() *Command {
	return &Command{
		Use:   "exec (POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]",
		Short: "Execute a command in a container",
		Long:  "Run a command in a running container, with the command's own exit status.",
		Examples: `kubectl exec web -- date
kubectl exec web -c sidecar -- ls /tmp
kubectl exec -it web -- sh
kubectl exec deploy/web -- env`,
		New: func() Verb { return &execOptions{} },
	}
}

type execOptions struct {
	files      FilenameOptions
	container  string
	stdin, tty bool
	quiet      bool
	timeout    time.Duration
	resource   string
	command    []string
}

func (o *execOptions) Flags(f *pflag.FlagSet) {
	podTimeoutFlag(f, &o.timeout, time.Minute)
	f.StringSliceVarP(&o.files.Filenames, "filename", "f", nil, "Manifest that names the object")
	f.StringVarP(&o.container, "container", "c", "", "Container; the annotated or the first one if not given")
	f.BoolVarP(&o.stdin, "stdin", "i", false, "Pass stdin to the container")
	f.BoolVarP(&o.tty, "tty", "t", false, "Stdin is a terminal")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "Print only what the command prints")
}

func (o *execOptions) Complete(s *Session, args []string) error {
	dash := s.ArgsLenAtDash
	if len(args) > 0 && dash != 0 {
		o.resource = args[0]
	}
	if dash > -1 {
		o.command = args[dash:]
	} else if len(args) > 1 || len(args) > 0 && len(o.files.Filenames) > 0 {
		return s.UsageErrorf("exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead")
	}
	if o.timeout <= 0 {
		return s.UsageErrorf("%s", errPodTimeout)
	}
	return nil
}

func (o *execOptions) Validate() error {
	if o.resource == "" && len(o.files.Filenames) == 0 {
		return errors.New("pod, type/name or --filename must be specified")
	}
	if len(o.command) == 0 {
		return errors.New("you must specify at least one command for the container")
	}
	return nil
}

func (o *execOptions) Run(s *Session) error {
	i, err := s.namedObject(o.files, o.resource)
	if err != nil {
		return err
	}
	pod, err := s.attachablePod(i.Object, o.timeout)
	if err != nil {
		return err
	}
	if err := completed(pod, "exec into"); err != nil {
		return err
	}
	if o.container != "" {
		if _, ok := findContainer(pod, o.container); !ok {
			return invalidContainer(pod, o.container)
		}
	}
	c, err := chooseContainer(pod, o.container, o.quiet, s.Errorf)
	if err != nil {
		return err
	}
	t := s.setUpTTY(o.stdin, o.tty, o.quiet)
	return s.exec(pod, c.name, o.command, t)
}

func completed(pod *corev1.Pod, verb string) error {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return fmt.Errorf("cannot %s a container in a completed pod; current phase is %s", verb, pod.Status.Phase)
	}
	return nil
}

// setUpTTY says which streams a command gets.
func (s *Session) setUpTTY(stdin, tty, quiet bool) rest.StreamOptions {
	o := rest.StreamOptions{Stdout: s.Stdout, Stderr: s.Stderr}
	if !stdin {
		return o
	}
	o.Stdin = s.Stdin
	if o.Stdin == nil {
		o.Stdin = emptyReader{}
	}
	if !tty {
		return o
	}
	if s.TTY == nil {
		if !quiet {
			s.Errorf("Unable to use a TTY - input is not a terminal or the right kind of file\n")
		}
		return o
	}
	o.TTY, o.Stderr = true, nil
	o.Columns, o.Rows = s.TTY.Size()
	return o
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, io.EOF }

func streamQuery(container string, o rest.StreamOptions) url.Values {
	q := url.Values{"container": {container}}
	for name, on := range map[string]bool{"stdin": o.Stdin != nil, "stdout": o.Stdout != nil, "stderr": o.Stderr != nil, "tty": o.TTY} {
		if on {
			q.Set(name, strconv.FormatBool(true))
		}
	}
	return q
}

// exec runs a command in a container until it ends.
func (s *Session) exec(pod *corev1.Pod, container string, command []string, o rest.StreamOptions) error {
	q := streamQuery(container, o)
	q["command"] = command
	return s.run(pod, "exec", q, o)
}

func (s *Session) run(pod *corev1.Pod, subresource string, q url.Values, o rest.StreamOptions) error {
	resp, err := s.connect("POST", pod, subresource, q)
	if err != nil {
		return refusedStream(err)
	}
	if resp.Stream == nil {
		return errors.New("unable to upgrade connection: the server did not open a stream")
	}
	defer resp.Stream.Close()
	return remoteError(resp.Stream.Run(o))
}

func attachCommand() *Command {
	return &Command{
		Use:   "attach (POD | TYPE/NAME) -c CONTAINER",
		Short: "Attach to a running container",
		Long:  "Connect to the main process of a running container.",
		Examples: `kubectl attach web
kubectl attach web -c sidecar -it
kubectl attach rs/web`,
		New: func() Verb { return &attachOptions{} },
	}
}

type attachOptions struct {
	container  string
	stdin, tty bool
	quiet      bool
	detachKeys string
	timeout    time.Duration
	args       []string
	command    string // how to attach again
}

func (o *attachOptions) Flags(f *pflag.FlagSet) {
	podTimeoutFlag(f, &o.timeout, time.Minute)
	f.StringVarP(&o.container, "container", "c", "", "Container; the annotated or the first one if not given")
	f.BoolVarP(&o.stdin, "stdin", "i", false, "Pass stdin to the container")
	f.BoolVarP(&o.tty, "tty", "t", false, "Stdin is a terminal")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "Print only what the container prints")
	f.StringVar(&o.detachKeys, "detach-keys", "ctrl-p,ctrl-q", "Keys that leave the container running")
}

func (o *attachOptions) Complete(s *Session, args []string) error {
	o.args = args
	o.command = s.Command.Path()
	return nil
}

func (o *attachOptions) Validate() error {
	switch {
	case len(o.args) == 0:
		return errors.New("at least 1 argument is required for attach")
	case len(o.args) > 2:
		return fmt.Errorf("expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw %d: %v", len(o.args), o.args)
	case o.timeout <= 0:
		return errPodTimeout
	}
	return nil
}

func (o *attachOptions) Run(s *Session) error {
	i, err := s.namedObject(FilenameOptions{}, o.args...)
	if err != nil {
		return err
	}
	pod, err := s.attachablePod(i.Object, o.timeout)
	if err != nil {
		return err
	}
	if err := completed(pod, "attach"); err != nil {
		return err
	}
	return o.attach(s, pod)
}

// attach connects to a container of the pod; run and debug end here too.
func (o *attachOptions) attach(s *Session, pod *corev1.Pod) error {
	c, err := chooseContainer(pod, o.container, o.quiet, s.Errorf)
	if err != nil {
		return fmt.Errorf("cannot attach to the container: %v", err)
	}
	tty := o.tty
	if tty && !c.tty {
		tty = false
		if !o.quiet {
			s.Errorf("error: Unable to use a TTY - container %s did not allocate one\n", c.name)
		}
	} else if !tty && c.tty {
		tty = true
	}
	t := s.setUpTTY(o.stdin, tty, o.quiet)
	if !o.quiet {
		s.Errorf("All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.\n")
		s.Errorf("If you don't see a command prompt, try pressing enter.\n")
	}
	if err := s.run(pod, "attach", streamQuery(c.name, t), t); err != nil {
		return err
	}
	if o.quiet || !o.stdin || !t.TTY {
		return nil
	}
	if c.ephemeral {
		s.Printf("Session ended, the ephemeral container will not be restarted but may be reattached using '%s %s -c %s -n %s -i -t' if it is still running\n", o.command, pod.Name, c.name, pod.Namespace)
	} else {
		s.Printf("Session ended, resume using '%s %s -c %s -n %s -i -t' command\n", o.command, pod.Name, c.name, pod.Namespace)
	}
	return nil
}
