// This file finds pods and containers for the verbs that talk to them: exec,
// attach, logs, cp, port-forward, run and debug.

package kubectl

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"
	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func podTimeoutFlag(f *pflag.FlagSet, p *time.Duration, def time.Duration) {
	f.DurationVar(p, "pod-running-timeout", def, "How long to wait until a pod runs")
}

var errPodTimeout = errors.New("--pod-running-timeout must be higher than zero")

func podOf(obj tree.Map) (*corev1.Pod, error) {
	pod := new(corev1.Pod)
	return pod, api.FromTree(obj, pod)
}

// labelSelector is a selector (matchLabels, matchExpressions) as one line.
func labelSelector(selector tree.Map) (string, error) {
	if selector == nil {
		return labels.Nothing().String(), nil
	}
	ls := new(metav1.LabelSelector)
	if err := api.FromTree(selector, ls); err != nil {
		return "", err
	}
	sel, err := metav1.LabelSelectorAsSelector(ls)
	if err != nil {
		return "", fmt.Errorf("invalid label selector: %v", err)
	}
	return sel.String(), nil
}

// podsSelector selects the pods of an object that has some.
func podsSelector(obj tree.Map) (string, error) {
	switch tree.Kind(obj) {
	case "ReplicationController":
		return labels.SelectorFromSet(tree.Strings(obj, "spec", "selector")).String(), nil
	case "Service":
		if len(tree.Strings(obj, "spec", "selector")) == 0 {
			return "", fmt.Errorf("invalid service '%s': Service is defined without a selector", tree.Name(obj))
		}
		return labels.SelectorFromSet(tree.Strings(obj, "spec", "selector")).String(), nil
	case "ReplicaSet", "StatefulSet", "DaemonSet", "Deployment", "Job":
		return labelSelector(tree.Sub(obj, "spec", "selector"))
	}
	return "", fmt.Errorf("selector for *v1.%s not implemented", tree.Kind(obj))
}

// podsFor lists the pods of an object, the best first; it waits until there is one.
func (s *Session) podsFor(namespace, selector string, timeout time.Duration, less func(a, b *corev1.Pod) bool) ([]*corev1.Pod, error) {
	c, m, err := s.resource("pods")
	if err != nil {
		return nil, err
	}
	deadline := s.Now().Add(timeout)
	for {
		pods, err := ListTyped[corev1.Pod](c, m, namespace, url.Values{"labelSelector": {selector}})
		if err != nil {
			return nil, err
		}
		if len(pods) > 0 {
			slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
				switch {
				case less(a, b):
					return -1
				case less(b, a):
					return 1
				}
				return 0
			})
			return pods, nil
		}
		if !s.Now().Before(deadline) {
			return nil, errTimedOut
		}
		if err := s.Proc.Sleep(min(500*time.Millisecond, max(time.Millisecond, deadline.Sub(s.Now())))); err != nil {
			return nil, err
		}
	}
}

func podReadySince(p *corev1.Pod) (at time.Time, ready bool) {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

func podRestarts(p *corev1.Pod) int32 {
	var n int32
	for _, c := range p.Status.ContainerStatuses {
		n = max(n, c.RestartCount)
	}
	return n
}

// byLogging puts the pod whose log says most first: running, ready for long, restarted often, old.
func byLogging(a, b *corev1.Pod) bool {
	if (a.Spec.NodeName == "") != (b.Spec.NodeName == "") {
		return a.Spec.NodeName != ""
	}
	rank := map[corev1.PodPhase]int{corev1.PodRunning: 0, corev1.PodUnknown: 1, corev1.PodPending: 2}
	if rank[a.Status.Phase] != rank[b.Status.Phase] {
		return rank[a.Status.Phase] < rank[b.Status.Phase]
	}
	at, ar := podReadySince(a)
	bt, br := podReadySince(b)
	if ar != br {
		return ar
	}
	if ar && !at.Equal(bt) {
		return at.Before(bt)
	}
	if podRestarts(a) != podRestarts(b) {
		return podRestarts(a) > podRestarts(b)
	}
	return a.CreationTimestamp.Time.Before(b.CreationTimestamp.Time)
}

// byActivity puts the pod that is most worth talking to first.
func byActivity(a, b *corev1.Pod) bool {
	if (a.Spec.NodeName == "") != (b.Spec.NodeName == "") {
		return a.Spec.NodeName != ""
	}
	rank := map[corev1.PodPhase]int{corev1.PodPending: 0, corev1.PodUnknown: 1, corev1.PodRunning: 2}
	if rank[a.Status.Phase] != rank[b.Status.Phase] {
		return rank[a.Status.Phase] > rank[b.Status.Phase]
	}
	at, ar := podReadySince(a)
	bt, br := podReadySince(b)
	if ar != br {
		return ar
	}
	if (a.DeletionTimestamp == nil) != (b.DeletionTimestamp == nil) {
		return a.DeletionTimestamp == nil
	}
	if a.DeletionTimestamp != nil && !a.DeletionTimestamp.Equal(b.DeletionTimestamp) {
		return b.DeletionTimestamp.Before(a.DeletionTimestamp)
	}
	if ar && !at.Equal(bt) {
		return at.Before(bt)
	}
	if podRestarts(a) != podRestarts(b) {
		return podRestarts(a) < podRestarts(b)
	}
	return a.CreationTimestamp.Time.Before(b.CreationTimestamp.Time)
}

// attachablePod is the pod itself, or one of the object's.
func (s *Session) attachablePod(obj tree.Map, timeout time.Duration) (*corev1.Pod, error) {
	if tree.Kind(obj) == "Pod" {
		return podOf(obj)
	}
	selector, err := podsSelector(obj)
	if err != nil {
		return nil, fmt.Errorf("cannot attach to *v1.%s: %v", tree.Kind(obj), err)
	}
	pods, err := s.podsFor(tree.Namespace(obj), selector, timeout, byActivity)
	if err != nil {
		return nil, err
	}
	return pods[0], nil
}

// namedObject is the one object that a pod name or type/name means.
func (s *Session) namedObject(files FilenameOptions, args ...string) (*Info, error) {
	ns, explicit, err := s.Namespace()
	if err != nil {
		return nil, err
	}
	b := &Builder{S: s, Namespace: ns, EnforceNamespace: explicit, Files: files}
	switch {
	case len(args) == 2:
		b.DefaultResource, b.Args = args[0], args[1:]
	case len(args) == 1 && args[0] != "":
		b.DefaultResource, b.Args = "pods", args
	}
	infos, err := b.Do().Infos()
	if err != nil {
		return nil, err
	}
	if len(infos) == 0 {
		return nil, ErrMissingResource
	}
	if len(infos) > 1 {
		return nil, errors.New("cannot exec into multiple objects at a time")
	}
	return infos[0], nil
}

const defaultContainerAnnotation = "kubectl.kubernetes.io/default-container"

// containerNames lists a pod's containers as messages do.
func containerNames(pod *corev1.Pod) string {
	var out []string
	for _, c := range pod.Spec.Containers {
		out = append(out, c.Name)
	}
	for _, c := range pod.Spec.EphemeralContainers {
		out = append(out, c.Name+" (ephem)")
	}
	for _, c := range pod.Spec.InitContainers {
		out = append(out, c.Name+" (init)")
	}
	return strings.Join(out, ", ")
}

// foundContainer is what is known of a container of any sort.
type foundContainer struct {
	name      string
	tty       bool
	ephemeral bool
}

func findContainer(pod *corev1.Pod, name string) (foundContainer, bool) {
	for _, c := range pod.Spec.Containers {
		if c.Name == name {
			return foundContainer{c.Name, c.TTY, false}, true
		}
	}
	for _, c := range pod.Spec.InitContainers {
		if c.Name == name {
			return foundContainer{c.Name, c.TTY, false}, true
		}
	}
	for _, c := range pod.Spec.EphemeralContainers {
		if c.Name == name {
			return foundContainer{c.Name, c.TTY, true}, true
		}
	}
	return foundContainer{}, false
}

func invalidContainer(pod *corev1.Pod, name string) error {
	return fmt.Errorf("container %s is not valid for pod %s out of: %s", name, pod.Name, containerNames(pod))
}

// chooseContainer is the named container, the annotated one, or the first, which it says on warn.
func chooseContainer(pod *corev1.Pod, name string, quiet bool, warn func(format string, args ...any)) (foundContainer, error) {
	if len(pod.Spec.Containers) == 0 {
		return foundContainer{}, fmt.Errorf("pod %s/%s does not have any containers", pod.Namespace, pod.Name)
	}
	if name == "" {
		name = pod.Annotations[defaultContainerAnnotation]
	}
	if name != "" {
		c, ok := findContainer(pod, name)
		if !ok {
			return c, invalidContainer(pod, name)
		}
		return c, nil
	}
	first := pod.Spec.Containers[0]
	if !quiet && warn != nil && len(pod.Spec.Containers)+len(pod.Spec.InitContainers)+len(pod.Spec.EphemeralContainers) > 1 {
		warn("Defaulted container %q out of: %s\n", first.Name, containerNames(pod))
	}
	return foundContainer{first.Name, first.TTY, false}, nil
}

// connect opens a stream to a subresource of a pod.
func (s *Session) connect(method string, pod *corev1.Pod, subresource string, query url.Values) (*rest.Response, error) {
	c, m, err := s.resource("pods")
	if err != nil {
		return nil, err
	}
	return c.Do(&rest.Request{Method: method, Path: m.Path(pod.Namespace, pod.Name, subresource), Query: query})
}

// refusedStream words what the server answers instead of opening a stream.
func refusedStream(err error) error {
	if _, ok := err.(apierrors.APIStatus); ok && !apierrors.IsInternalError(err) {
		return rest.UpgradeError(err.Error())
	}
	return remoteError(err)
}

// remoteError words errors of a remote command as the stream's far end does,
// which names an internal error twice.
func remoteError(err error) error {
	var exit *rest.ExitError
	if err == nil || errors.As(err, &exit) || errorsIsInterrupted(err) {
		return err
	}
	const internal = "Internal error occurred: "
	if apierrors.IsInternalError(err) {
		return errors.New(internal + internal + strings.TrimPrefix(strings.TrimPrefix(err.Error(), internal), internal))
	}
	return err
}
