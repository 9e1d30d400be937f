// kubectl debug: an ephemeral container in a pod, a changed copy of a pod, or a
// pod with a node's files.

package kubectl

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sort"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func debugCommand() *Command {
	return &Command{
		Use:   "debug (POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ]",
		Short: "Create debugging sessions for troubleshooting workloads and nodes",
		Long:  "Put an ephemeral container into a running pod, make a copy of a pod with things changed (--copy-to), or start a pod in a node's namespaces with its files at /host.",
		Examples: `kubectl debug web -it --image=busybox
kubectl debug web -it --image=busybox --target=nginx
kubectl debug web -it --image=busybox --copy-to=web-debug
kubectl debug node/worker -it --image=busybox`,
		New: func() Verb { return &debugOptions{} },
	}
}

type debugOptions struct {
	files                                     FilenameOptions
	argsOnly, attach, replace                 bool
	container, copyTo, image, pullPolicy      string
	env, setImages                            map[string]string
	keepLabels, keepAnnotations, keepLiveness bool
	keepReadiness, keepStartup, keepInit      bool
	stdin, tty, quiet                         bool
	sameNode, shareProcesses                  bool
	target, profile, custom                   string

	names, args       []string
	namespace         string
	explicit          bool
	attachSet, shared bool
	customSpec        tree.Map
	s                 *Session
}

func (o *debugOptions) Flags(f *pflag.FlagSet) {
	f.StringSliceVarP(&o.files.Filenames, "filename", "f", nil, "Manifest that names the object")
	f.BoolVar(&o.argsOnly, "arguments-only", false, "What follows -- are arguments, not the command")
	f.BoolVar(&o.attach, "attach", false, "Wait for the container and attach to it; the default with -i")
	f.StringVarP(&o.container, "container", "c", "", "Name of the container")
	f.StringVar(&o.copyTo, "copy-to", "", "Make a copy of the pod with this name")
	f.BoolVar(&o.replace, "replace", false, "Delete the pod that was copied")
	f.StringToStringVar(&o.env, "env", nil, "Environment variables")
	f.StringVar(&o.image, "image", "", "Image of the container")
	f.BoolVar(&o.keepLabels, "keep-labels", false, "The copy keeps the labels")
	f.BoolVar(&o.keepAnnotations, "keep-annotations", false, "The copy keeps the annotations")
	f.BoolVar(&o.keepLiveness, "keep-liveness", false, "The copy keeps the liveness probes")
	f.BoolVar(&o.keepReadiness, "keep-readiness", false, "The copy keeps the readiness probes")
	f.BoolVar(&o.keepStartup, "keep-startup", false, "The copy keeps the startup probes")
	f.BoolVar(&o.keepInit, "keep-init-containers", true, "The copy keeps the init containers")
	f.StringToStringVar(&o.setImages, "set-image", nil, "Other images for the copy's containers, name=image")
	f.StringVar(&o.pullPolicy, "image-pull-policy", "", "When to pull the image")
	f.BoolVarP(&o.stdin, "stdin", "i", false, "Keep the container's stdin open")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "No messages of kubectl's own")
	f.BoolVar(&o.sameNode, "same-node", false, "Put the copy on the same node")
	f.BoolVar(&o.shareProcesses, "share-processes", true, "The copy's containers see each other's processes")
	f.StringVar(&o.target, "target", "", "Container whose processes the new one sees")
	f.BoolVarP(&o.tty, "tty", "t", false, "Give the container a terminal")
	f.StringVar(&o.profile, "profile", "general", "general, baseline, restricted, netadmin or sysadmin")
	f.StringVar(&o.custom, "custom", "", "File with a partial container spec")
}

func (o *debugOptions) Complete(s *Session, args []string) (err error) {
	o.s = s
	o.names = args
	if n := s.ArgsLenAtDash; n >= 0 && len(args) > n {
		o.names, o.args = args[:n], args[n:]
	}
	o.attachSet, o.shared = s.Changed("attach"), s.Changed("share-processes")
	if !o.attachSet && o.stdin {
		o.attach = true
	}
	if o.namespace, o.explicit, err = s.Namespace(); err != nil {
		return err
	}
	if !slices.Contains([]string{"legacy", "general", "baseline", "restricted", "netadmin", "sysadmin"}, o.profile) {
		return fmt.Errorf("unknown profile: %s", o.profile)
	}
	if o.custom != "" {
		data, err := s.FS.ReadFile(s.Path(o.custom))
		if err != nil {
			return fmt.Errorf("must pass a container spec json file for custom profile: %w", openError(o.custom, err))
		}
		if err := yaml.Unmarshal(data, &o.customSpec); err != nil {
			return fmt.Errorf("%s does not contain a valid container spec: %w", o.custom, err)
		}
	}
	return nil
}

func (o *debugOptions) Validate() error {
	if o.attach && o.attachSet && o.image == "" && o.container == "" {
		return errors.New("you must specify --container or create a new container using --image in order to attach.")
	}
	if o.copyTo != "" {
		if o.image == "" && len(o.setImages) == 0 && len(o.args) == 0 {
			return errors.New("you must specify --image, --set-image or command arguments.")
		}
		if len(o.args) > 0 && o.container == "" && o.image == "" {
			return errors.New("you must specify an existing container or a new image when specifying args.")
		}
	} else {
		switch {
		case o.replace:
			return errors.New("--replace may only be used with --copy-to.")
		case o.sameNode:
			return errors.New("--same-node may only be used with --copy-to.")
		case len(o.setImages) > 0:
			return errors.New("--set-image may only be used with --copy-to.")
		case o.image == "":
			return errors.New("you must specify --image when not using --copy-to.")
		}
	}
	if o.image != "" && !imageName().MatchString(o.image) {
		return fmt.Errorf("invalid image name %q: invalid reference format", o.image)
	}
	if len(o.names) == 0 && len(o.files.Filenames) == 0 {
		return errors.New("NAME or filename is required for debug")
	}
	switch o.pullPolicy {
	case "", "Always", "IfNotPresent", "Never":
	default:
		return fmt.Errorf("invalid image pull policy: %s", o.pullPolicy)
	}
	for _, name := range tree.Keys(o.setImages) {
		if !imageName().MatchString(o.setImages[name]) {
			return fmt.Errorf("invalid image name %q for container %q: invalid reference format", o.setImages[name], name)
		}
	}
	if o.target != "" {
		if o.copyTo != "" {
			return errors.New("--target is incompatible with --copy-to. Use --share-processes instead.")
		}
		if !o.quiet {
			o.s.Printf("Targeting container %q. If you don't see processes from this container it may be because the container runtime doesn't support this feature.\n", o.target)
		}
	}
	if o.tty && !o.stdin {
		return errors.New("-i/--stdin is required for containers with -t/--tty=true")
	}
	for _, f := range []string{"name", "command", "image", "lifecycle", "volumeDevices"} {
		if o.customSpec[f] != nil {
			return errors.New("name, command, image, lifecycle and volume devices are not modifiable via custom profile")
		}
	}
	if o.profile == "legacy" {
		o.s.Errorf("--profile=legacy is deprecated and planned to be removed in v1.39. It is recommended to specify other profile, for example \"--profile=general\".\n")
	}
	return nil
}

func (o *debugOptions) Run(s *Session) error {
	b := &Builder{S: s, Namespace: o.namespace, EnforceNamespace: o.explicit, Files: o.files}
	if len(o.names) > 0 {
		b.DefaultResource, b.Args = "pods", o.names
	}
	return b.Do().Visit(func(i *Info) error {
		var pod *corev1.Pod
		var name string
		var err error
		switch i.Mapping.GroupKind().String() {
		case "Node":
			pod, name, err = o.node(s, i)
		case "Pod":
			if o.copyTo != "" {
				pod, name, err = o.copy(s, i)
			} else {
				pod, name, err = o.ephemeral(s, i)
			}
		default:
			err = fmt.Errorf("%q not supported by debug", gvkText(i.Mapping.GVK()))
		}
		if err != nil || !o.attach || name == "" {
			return err
		}
		return o.attachTo(s, pod, name)
	})
}

func (o *debugOptions) envVars() []corev1.EnvVar {
	var out []corev1.EnvVar
	for k, v := range o.env {
		out = append(out, corev1.EnvVar{Name: k, Value: v})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

func (o *debugOptions) name(s *Session, pod *corev1.Pod) string {
	if o.container != "" {
		return o.container
	}
	name := "debugger-" + s.suffix("debugger "+pod.Name)
	for n := 0; ; n++ {
		if _, taken := findContainer(pod, name); !taken {
			break
		}
		name = "debugger-" + s.suffix(fmt.Sprint("debugger ", pod.Name, n))
	}
	if !o.quiet {
		s.Printf("Defaulting debug container name to %s.\n", name)
	}
	return name
}

// security is the profile's security context for a container.
func (o *debugOptions) security(node bool) *corev1.SecurityContext {
	yes, no := true, false
	switch o.profile {
	case "general":
		if node {
			return nil
		}
		return &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE"}}}
	case "restricted":
		return &corev1.SecurityContext{RunAsNonRoot: &yes, AllowPrivilegeEscalation: &no,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}, SeccompProfile: &corev1.SeccompProfile{Type: "RuntimeDefault"}}
	case "netadmin":
		return &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN", "NET_RAW"}}}
	case "sysadmin":
		return &corev1.SecurityContext{Privileged: &yes}
	}
	return nil
}

// customize merges the file of --custom into a container.
func (o *debugOptions) customize(list []any, name string) error {
	if o.customSpec == nil {
		return nil
	}
	for n, v := range list {
		if m, _ := v.(tree.Map); tree.String(m, "name") == name {
			list[n] = smerge.Merge(m, o.customSpec)
			return nil
		}
	}
	return fmt.Errorf("unable to find the %s container in the pod", name)
}

func (o *debugOptions) ephemeral(s *Session, i *Info) (*corev1.Pod, string, error) {
	pod, err := podOf(i.Object)
	if err != nil {
		return nil, "", err
	}
	ec := corev1.EphemeralContainer{TargetContainerName: o.target}
	ec.Name = o.name(s, pod)
	ec.Env, ec.Image, ec.ImagePullPolicy = o.envVars(), o.image, corev1.PullPolicy(o.pullPolicy)
	ec.Stdin, ec.TTY, ec.TerminationMessagePolicy = o.stdin, o.tty, corev1.TerminationMessageReadFile
	ec.SecurityContext = o.security(false)
	if o.argsOnly {
		ec.Args = o.args
	} else {
		ec.Command = o.args
	}
	t, err := api.ToTree(&ec)
	if err != nil {
		return nil, "", err
	}
	changed := tree.Copy(i.Object)
	// One of that name would be changed, which the server refuses.
	list := slices.DeleteFunc(tree.Slice(changed, "spec", "ephemeralContainers"), func(c any) bool { return tree.String(c.(tree.Map), "name") == ec.Name })
	list = append(list, t)
	if err := o.customize(list, ec.Name); err != nil {
		return nil, "", err
	}
	tree.Set(changed, list, "spec", "ephemeralContainers")
	sub := *i
	sub.Subresource = "ephemeralcontainers"
	answer, err := sub.patch(writer{}, StrategicMergePatch, smerge.TwoWay(i.Object, changed, schemaOf(changed)))
	if err != nil {
		if status, ok := err.(apierrors.APIStatus); ok && apierrors.IsNotFound(err) && (status.Status().Details == nil || status.Status().Details.Name == "") {
			return nil, "", fmt.Errorf("ephemeral containers are disabled for this cluster (error from server: %q)", err)
		}
		return nil, "", err
	}
	pod, err = podOf(answer)
	return pod, ec.Name, err
}

func (o *debugOptions) createPod(s *Session, pod *corev1.Pod, container string) (*corev1.Pod, error) {
	t, err := treeOf(pod)
	if err != nil {
		return nil, err
	}
	if err := o.customize(tree.Slice(t, "spec", "containers"), container); err != nil {
		return nil, err
	}
	c, m, err := s.resource("pods")
	if err != nil {
		return nil, err
	}
	ns := pod.Namespace
	if ns == "" {
		ns = o.namespace
	}
	answer, err := c.Send("POST", m, ns, "", "", url.Values{}, t)
	if err != nil {
		return nil, err
	}
	return podOf(answer)
}

func (o *debugOptions) node(s *Session, i *Info) (*corev1.Pod, string, error) {
	cn := o.container
	if cn == "" {
		cn = "debugger"
	}
	pod := &corev1.Pod{}
	pod.Name = fmt.Sprintf("node-debugger-%s-%s", i.Name, s.suffix("node "+i.Name))
	if !o.quiet {
		s.Printf("Creating debugging pod %s with container %s on node %s.\n", pod.Name, cn, i.Name)
	}
	pod.Labels = map[string]string{"app.kubernetes.io/managed-by": "kubectl-debug"}
	c := corev1.Container{Name: cn, Env: o.envVars(), Image: o.image, ImagePullPolicy: corev1.PullPolicy(o.pullPolicy), Stdin: o.stdin, TTY: o.tty,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile, SecurityContext: o.security(true)}
	if o.argsOnly {
		c.Args = o.args
	} else {
		c.Command = o.args
	}
	pod.Spec = corev1.PodSpec{NodeName: i.Name, RestartPolicy: corev1.RestartPolicyNever,
		Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}}
	if o.profile != "restricted" && o.profile != "baseline" {
		pod.Spec.HostNetwork, pod.Spec.HostPID, pod.Spec.HostIPC = true, true, o.profile != "netadmin"
		if o.profile != "netadmin" {
			pod.Spec.Volumes = []corev1.Volume{{Name: "host-root", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
			c.VolumeMounts = []corev1.VolumeMount{{Name: "host-root", MountPath: "/host"}}
		}
	}
	pod.Spec.Containers = []corev1.Container{c}
	made, err := o.createPod(s, pod, cn)
	return made, cn, err
}

func (o *debugOptions) copy(s *Session, i *Info) (*corev1.Pod, string, error) {
	old, err := podOf(i.Object)
	if err != nil {
		return nil, "", err
	}
	pod := &corev1.Pod{Spec: api.DeepCopy(old.Spec)}
	pod.Name, pod.Namespace = o.copyTo, old.Namespace
	if o.keepLabels {
		pod.Labels = old.Labels
	}
	if o.keepAnnotations {
		pod.Annotations = old.Annotations
	}
	pod.Spec.EphemeralContainers = nil
	if !o.keepInit {
		pod.Spec.InitContainers = nil
	}
	if o.shared || o.profile != "restricted" && o.profile != "baseline" {
		pod.Spec.ShareProcessNamespace = &o.shareProcesses
	}
	if !o.sameNode {
		pod.Spec.NodeName = ""
	}
	for n := range pod.Spec.Containers {
		c := &pod.Spec.Containers[n]
		image := o.setImages["*"]
		if own, ok := o.setImages[c.Name]; ok {
			image = own
		}
		if image != "" {
			c.Image = image
		}
		if !o.keepLiveness {
			c.LivenessProbe = nil
		}
		if !o.keepReadiness {
			c.ReadinessProbe = nil
		}
		if !o.keepStartup {
			c.StartupProbe = nil
		}
	}
	name := o.container
	at := slices.IndexFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == name })
	if at < 0 {
		if o.image == "" {
			if len(o.setImages) > 0 {
				made, err := o.createCopy(s, i, pod, "")
				return made, "", err
			}
			return nil, "", errors.New("you must specify image when creating new container")
		}
		if name == "" {
			name = o.name(s, pod)
		}
		at = len(pod.Spec.Containers)
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: name, TerminationMessagePolicy: corev1.TerminationMessageReadFile})
	}
	c := &pod.Spec.Containers[at]
	if len(o.args) > 0 {
		if o.argsOnly {
			c.Args = o.args
		} else {
			c.Command, c.Args = o.args, nil
		}
	}
	if len(o.env) > 0 {
		c.Env = o.envVars()
	}
	if o.image != "" {
		c.Image = o.image
	}
	if o.pullPolicy != "" {
		c.ImagePullPolicy = corev1.PullPolicy(o.pullPolicy)
	}
	c.Stdin, c.TTY = o.stdin, o.tty
	if sc := o.security(false); sc != nil && c.SecurityContext == nil {
		c.SecurityContext = sc
	}
	made, err := o.createCopy(s, i, pod, name)
	return made, name, err
}

func (o *debugOptions) createCopy(s *Session, i *Info, pod *corev1.Pod, container string) (*corev1.Pod, error) {
	if container == "" {
		o.customSpec = nil
	}
	made, err := o.createPod(s, pod, container)
	if err != nil || !o.replace {
		return made, err
	}
	_, err = i.client.Delete(i.Mapping, i.Namespace, i.Name, tree.Map{"gracePeriodSeconds": int64(0)})
	return made, err
}

// attachTo waits for a container and attaches to it.
func (o *debugOptions) attachTo(s *Session, pod *corev1.Pod, name string) error {
	c, m, err := s.resource("pods")
	if err != nil {
		return err
	}
	var status *corev1.ContainerStatus
	pod, err = s.podUntil(c, m, pod.Namespace, pod.Name, 0, func(p *corev1.Pod) bool {
		for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses} {
			for n := range list {
				if list[n].Name == name {
					status = &list[n]
				}
			}
		}
		if status == nil {
			return false
		}
		if status.State.Running != nil || status.State.Terminated != nil {
			return true
		}
		if w := status.State.Waiting; !o.quiet && w != nil && w.Message != "" {
			s.Warn(fmt.Sprintf("container %s: %s", name, w.Message))
		}
		return false
	})
	if err != nil {
		return err
	}
	log := func() error { return s.copyLog(pod, url.Values{"container": {name}}, s.Stdout) }
	if status.State.Terminated != nil {
		return log()
	}
	a := &attachOptions{container: name, stdin: o.stdin, tty: o.tty, quiet: o.quiet, command: "kubectl attach"}
	if err := a.attach(s, pod); err != nil {
		if errorsIsInterrupted(err) {
			return err
		}
		s.Errorf("warning: couldn't attach to pod/%s, falling back to streaming logs: %v\n", pod.Name, err)
		return log()
	}
	return nil
}
