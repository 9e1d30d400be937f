// kubectl port-forward: local ports that lead to a pod. What arrives at a local
// port is one message; it is written onto a forwarded connection byte by byte,
// and the answer is read back.

package kubectl

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/intstr"
	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/kernel"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/network"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func portForwardCommand() *Command {
	return &Command{
		Use:   "port-forward TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
		Short: "Forward one or more local ports to a pod",
		Long:  "Listen on local ports and lead connections to a pod, or to one pod of a deployment, service or the like, until the command is stopped.",
		Examples: `kubectl port-forward pod/web 8080:80
kubectl port-forward deployment/web 8080:80
kubectl port-forward svc/web 8443:https
kubectl port-forward pod/web :80`,
		New: func() Verb { return &portForwardOptions{} },
	}
}

type portForwardOptions struct {
	addresses []string
	timeout   time.Duration
	pod       *corev1.Pod
	ports     []forwardedPort
	wrong     error // with the numbers of the ports
}

type forwardedPort struct{ local, remote int }

func (o *portForwardOptions) Flags(f *pflag.FlagSet) {
	podTimeoutFlag(f, &o.timeout, time.Minute)
	f.StringSliceVar(&o.addresses, "address", []string{"localhost"}, "Addresses to listen on, separated by commas")
}

func (o *portForwardOptions) Complete(s *Session, args []string) error {
	if len(args) < 2 {
		return s.UsageErrorf("TYPE/NAME and list of ports are required for port-forward")
	}
	if o.timeout <= 0 {
		return s.UsageErrorf("%s", errPodTimeout)
	}
	i, err := s.namedObject(FilenameOptions{}, args[0])
	if err != nil {
		return err
	}
	if o.pod, err = s.attachablePod(i.Object, o.timeout); err != nil {
		return err
	}
	var svc *corev1.Service
	if tree.Kind(i.Object) == "Service" {
		svc = new(corev1.Service)
		if err := api.FromTree(i.Object, svc); err != nil {
			return err
		}
	}
	for _, text := range args[1:] {
		p, err := o.port(text, svc)
		if err != nil {
			return err
		}
		o.ports = append(o.ports, p)
	}
	return nil
}

// port reads [local:]remote; the remote port may be a name, and is a service's own for services.
func (o *portForwardOptions) port(text string, svc *corev1.Service) (forwardedPort, error) {
	localText, remote, both := strings.Cut(text, ":")
	if !both {
		localText, remote = text, text
	}
	if remote == "" {
		return forwardedPort{}, errors.New("remote port cannot be empty")
	}
	number, err := strconv.Atoi(remote)
	named := err != nil
	if svc != nil {
		var sp *corev1.ServicePort
		for n := range svc.Spec.Ports {
			if p := &svc.Spec.Ports[n]; named && p.Name == remote || !named && int(p.Port) == number {
				sp = p
				break
			}
		}
		if sp == nil {
			if named {
				return forwardedPort{}, fmt.Errorf("Service '%s' does not have a named port '%s'", svc.Name, remote)
			}
			return forwardedPort{}, fmt.Errorf("Service %s does not have a service port %d", svc.Name, number)
		}
		if sp.Protocol == corev1.ProtocolUDP {
			return forwardedPort{}, fmt.Errorf("UDP protocol is not supported for %s", remote)
		}
		if named && localText == remote {
			localText = strconv.Itoa(int(sp.Port))
		}
		switch {
		case svc.Spec.ClusterIP == corev1.ClusterIPNone:
			number = int(sp.Port)
		case sp.TargetPort.Type == intstr.Int && sp.TargetPort.IntVal == 0:
			number = int(sp.Port)
		case sp.TargetPort.Type == intstr.Int:
			number = int(sp.TargetPort.IntVal)
		default:
			if number, err = o.namedPort(sp.TargetPort.StrVal); err != nil {
				return forwardedPort{}, err
			}
		}
	} else if named {
		if number, err = o.namedPort(remote); err != nil {
			return forwardedPort{}, err
		}
		if !both {
			localText = strconv.Itoa(number)
		}
	}
	parse := func(what, text string) int {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil && o.wrong == nil {
			o.wrong = fmt.Errorf("error parsing %s port '%s': %s", what, text, err)
		}
		return int(n)
	}
	p := forwardedPort{}
	if localText != "" {
		p.local = parse("local", localText)
	}
	if p.remote = parse("remote", strconv.Itoa(number)); p.remote == 0 && o.wrong == nil {
		o.wrong = errors.New("remote port must be > 0")
	}
	return p, nil
}

func (o *portForwardOptions) namedPort(name string) (int, error) {
	for _, c := range o.pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == name {
				return int(p.ContainerPort), nil
			}
		}
	}
	return 0, fmt.Errorf("Pod '%s' does not have a named port '%s'", o.pod.Name, name)
}

func (o *portForwardOptions) Validate() error { return nil }

func (o *portForwardOptions) Run(s *Session) error {
	c, m, err := s.resource("pods")
	if err != nil {
		return err
	}
	pod, err := GetTyped[corev1.Pod](c, m, o.pod.Namespace, o.pod.Name)
	if err != nil {
		return err
	}
	if pod.Status.Phase != corev1.PodRunning {
		return fmt.Errorf("unable to forward port because pod is not running. Current status=%v", pod.Status.Phase)
	}
	if o.wrong != nil {
		return o.wrong
	}
	if s.Net == nil {
		return errors.New("unable to listen: this machine has no network")
	}
	var lost kernel.WaitQueue
	failed := false
	handle := func(p forwardedPort) network.Handler {
		return func(_ *kernel.Proc, r *network.Request) *network.Response {
			s.Printf("Handling connection for %d\n", p.local)
			resp, err := s.forward(pod, p, r)
			if err != nil {
				reason := err.Error()
				if !strings.HasPrefix(reason, "error forwarding port") {
					reason = fmt.Sprintf("error forwarding port %d to pod %s, uid : %s", p.remote, pod.UID, reason)
				}
				s.logLine('E', "portforward.go:424", fmt.Sprintf("\"Unhandled Error\" err=%q", fmt.Sprintf("an error occurred forwarding %d -> %d: %s", p.local, p.remote, reason)))
				failed = true
				lost.Wake()
				return nil
			}
			return resp
		}
	}
	resp, err := s.connect("POST", pod, "portforward", url.Values{"ports": {strconv.Itoa(o.ports[0].remote)}})
	if err != nil {
		return fmt.Errorf("error upgrading connection: %w", refusedStream(err))
	}
	if resp.Stream != nil {
		resp.Stream.Close()
	}
	bound := 0
	for n := range o.ports {
		p := &o.ports[n]
		shown := p.local
		local := !slices.Contains(o.addresses, "0.0.0.0") && !slices.Contains(o.addresses, "::")
		var handler network.Handler
		l, err := s.Net.Listen(p.local, local, func(proc *kernel.Proc, r *network.Request) *network.Response { return handler(proc, r) })
		if err != nil {
			s.Printf("Unable to listen on port %d: Listeners failed to create with the following errors: [unable to create listener: Error listen tcp4 127.0.0.1:%d: %v unable to create listener: Error listen tcp6 [::1]:%d: %v]\n", shown, shown, err, shown, err)
			continue
		}
		defer l.Close()
		p.local = l.Port
		handler = handle(*p)
		bound++
		for _, a := range o.addresses {
			switch a {
			case "localhost":
				s.Printf("Forwarding from 127.0.0.1:%d -> %d\n", p.local, p.remote)
				s.Printf("Forwarding from [::1]:%d -> %d\n", p.local, p.remote)
			default:
				if strings.Contains(a, ":") {
					a = "[" + a + "]"
				}
				s.Printf("Forwarding from %s:%d -> %d\n", a, p.local, p.remote)
			}
		}
	}
	if bound == 0 {
		var list []string
		for _, p := range o.ports {
			list = append(list, fmt.Sprintf("{%d %d}", p.local, p.remote))
		}
		return fmt.Errorf("unable to listen on any of the requested ports: [%s]", strings.Join(list, " "))
	}
	for !failed {
		if err := s.Proc.Wait(&lost); err != nil {
			return err
		}
	}
	return errors.New("lost connection to pod")
}

// forward sends one message to a pod's port and reads the answer.
func (s *Session) forward(pod *corev1.Pod, p forwardedPort, r *network.Request) (*network.Response, error) {
	resp, err := s.connect("POST", pod, "portforward", url.Values{"ports": {strconv.Itoa(p.remote)}})
	if err != nil {
		return nil, err
	}
	if resp.Stream == nil {
		return nil, errors.New("the server did not open a stream")
	}
	defer resp.Stream.Close()
	var out, trouble bytes.Buffer
	err = resp.Stream.Run(rest.StreamOptions{Stdin: bytes.NewReader(network.RequestBytes(r)), Stdout: &out, Stderr: &trouble})
	if err != nil {
		return nil, err
	}
	if trouble.Len() > 0 {
		return nil, errors.New(strings.TrimSpace(trouble.String()))
	}
	if r.Method == network.Raw {
		return &network.Response{Body: out.Bytes()}, nil
	}
	return network.ParseResponse(out.Bytes())
}
