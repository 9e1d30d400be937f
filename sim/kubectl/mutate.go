// This file holds what the verbs that change objects share: how they print what
// they did, how they send it, and the annotations that kubectl keeps on objects.

package kubectl

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/schema"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func init() {
	for name, c := range map[string]func() *Command{
		"annotate": annotateCommand, "apply": applyCommand, "attach": attachCommand, "autoscale": autoscaleCommand,
		"certificate": certificateCommand, "cordon": cordonCommand, "cp": cpCommand, "create": createCommand,
		"debug": debugCommand, "delete": deleteCommand, "diff": diffCommand, "drain": drainCommand,
		"edit": editCommand, "exec": execCommand, "expose": exposeCommand, "label": labelCommand,
		"logs": logsCommand, "patch": patchCommand, "port-forward": portForwardCommand, "proxy": proxyCommand,
		"replace": replaceCommand, "rollout": rolloutCommand, "run": runCommand, "scale": scaleCommand,
		"set": setCommand, "taint": taintCommand, "uncordon": uncordonCommand, "wait": waitCommand,
	} {
		mutatingCommands[name] = c
	}
}

// lastApplied holds what apply sent last time; changeCause why an object changed.
const (
	lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
	changeCause = "kubernetes.io/change-cause"
)

// writer sends one verb's changes.
type writer struct {
	DryRun     DryRun
	Manager    string
	Validation string
	Force      bool // server-side apply only
	apply      bool
}

func (w writer) query() url.Values {
	q := url.Values{}
	if w.DryRun == DryRunServer {
		q.Set("dryRun", "All")
	}
	if w.Manager != "" {
		q.Set("fieldManager", w.Manager)
	}
	if w.Validation != "" {
		q.Set("fieldValidation", w.Validation)
	}
	if w.apply {
		q.Set("force", fmt.Sprint(w.Force))
	}
	return q
}

// create posts the object; its resourceVersion is not sent.
func (i *Info) create(w writer, obj tree.Map) (tree.Map, error) {
	if tree.String(obj, "metadata", "resourceVersion") != "" {
		obj = tree.Copy(obj)
		tree.Delete(obj, "metadata", "resourceVersion")
	}
	return i.client.Send("POST", i.Mapping, i.Namespace, "", "", w.query(), obj)
}

// patch sends a patch to the object or the subresource that it stands for.
func (i *Info) patch(w writer, mediaType string, patch any) (tree.Map, error) {
	data, ok := patch.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(patch); err != nil {
			return nil, err
		}
	}
	w.apply = mediaType == ApplyPatch
	return i.client.Patch(i.Mapping, i.Namespace, i.Name, i.Subresource, mediaType, w.query(), data)
}

// replace puts the object; without a resourceVersion it overwrites what is there.
func (i *Info) replace(w writer, obj tree.Map) (tree.Map, error) {
	obj = tree.Copy(obj)
	if tree.String(obj, "metadata", "resourceVersion") == "" && i.Subresource == "" {
		current, err := i.client.Get(i.Mapping, i.Namespace, i.Name, "")
		if err != nil {
			return i.client.Send("PUT", i.Mapping, i.Namespace, i.Name, i.Subresource, w.query(), obj)
		}
		tree.Set(obj, tree.String(current, "metadata", "resourceVersion"), "metadata", "resourceVersion")
	}
	return i.client.Send("PUT", i.Mapping, i.Namespace, i.Name, i.Subresource, w.query(), obj)
}

// schemaType is the schema of a built-in kind; nil for custom resources.
func (m *Mapping) schemaType() *schema.Type {
	if m == nil {
		return nil
	}
	return schema.ForKind(m.Group, m.Version, m.Kind)
}

func schemaOf(obj tree.Map) *schema.Type {
	gvk := metav1.FromAPIVersionAndKind(tree.APIVersion(obj), tree.Kind(obj))
	return schema.ForKind(gvk.Group, gvk.Version, gvk.Kind)
}

// treeOf is a typed object as a tree, with apiVersion and kind.
func treeOf(obj metav1.Object) (tree.Map, error) {
	tm := obj.GetTypeMeta()
	if tm.Kind == "" {
		tm.SetGroupVersionKind(api.KindOf(obj))
	}
	return api.ToTree(obj)
}

// modifiedConfiguration is what apply remembers of an object: itself without the annotation.
func modifiedConfiguration(obj tree.Map) string {
	o := tree.Copy(obj)
	if tree.Sub(o, "metadata", "annotations") == nil {
		tree.Set(o, tree.Map{}, "metadata", "annotations")
	}
	delete(tree.Sub(o, "metadata", "annotations"), lastApplied)
	data, err := json.Marshal(o)
	if err != nil {
		return ""
	}
	return string(data) + "\n"
}

func setLastApplied(obj tree.Map) {
	tree.Set(obj, modifiedConfiguration(obj), "metadata", "annotations", lastApplied)
}

// originalConfiguration is what apply sent last; ok is false when it never did.
func originalConfiguration(obj tree.Map) (original tree.Map, ok bool, err error) {
	text, ok := tree.Strings(obj, "metadata", "annotations")[lastApplied]
	if !ok || text == "" {
		return nil, ok, nil
	}
	v, err := metav1.DecodeTree([]byte(text))
	if err != nil {
		return nil, true, err
	}
	m, _ := v.(tree.Map)
	return m, true, nil
}

// recordFlag is --record, which kubectl is about to drop.
type recordFlag struct{ record bool }

func (r *recordFlag) flags(f *pflag.FlagSet) {
	f.BoolVar(&r.record, "record", false, "Keep this command line in the object's change-cause annotation")
	_ = f.MarkDeprecated("record", "--record will be removed in the future")
}

// note writes the command line into the object's annotations.
func (r *recordFlag) note(s *Session, obj tree.Map) {
	if r.record && obj != nil {
		tree.Set(obj, s.commandLine(), "metadata", "annotations", changeCause)
	}
}

func (s *Session) commandLine() string {
	line := s.Command.Path()
	if args := s.Flags.Args(); len(args) > 0 {
		line += " " + strings.Join(args, " ")
	}
	s.Flags.Visit(func(f *pflag.Flag) {
		value := f.Value.String()
		if f.Value.Type() == "stringSlice" || f.Value.Type() == "stringArray" {
			value = strings.Trim(value, "[]")
		}
		line += " --" + f.Name + "=" + value
	})
	return line
}

// saveConfigFlag is --save-config.
func saveConfigFlag(f *pflag.FlagSet, p *bool) {
	f.BoolVar(p, "save-config", false, "Keep the configuration in the object's annotation, so that apply can be used later")
}

// mapping finds the resource of an object that this client made itself.
func (s *Session) mappingOf(obj tree.Map) (*Client, *Mapping, error) {
	c, err := s.Client()
	if err != nil {
		return nil, nil, err
	}
	m, err := c.Mapper()
	if err != nil {
		return nil, nil, err
	}
	e, err := m.ForObject(tree.APIVersion(obj), tree.Kind(obj))
	return c, e, err
}

// resource finds a resource by its typed name.
func (s *Session) resource(name string) (*Client, *Mapping, error) {
	c, err := s.Client()
	if err != nil {
		return nil, nil, err
	}
	m, err := c.Mapper()
	if err != nil {
		return nil, nil, err
	}
	e, err := m.Find(name)
	return c, e, err
}

// objectsOf returns a Builder for the usual case: names and files in the
// namespace of this run, going on after errors.
func (s *Session) objects(files FilenameOptions, args []string) (*Builder, error) {
	ns, explicit, err := s.Namespace()
	if err != nil {
		return nil, err
	}
	return &Builder{S: s, Namespace: ns, EnforceNamespace: explicit, Files: files, Args: args,
		ContinueOnError: true, Flatten: true}, nil
}

// resourcesAndPairs splits arguments into resources and key=value or key- pairs.
func resourcesAndPairs(args []string, what string) (resources, pairs []string, err error) {
	inPairs := false
	for _, a := range args {
		isPair := strings.Contains(a, "=") && !strings.HasPrefix(a, "=") || strings.HasSuffix(a, "-")
		switch {
		case !inPairs && isPair:
			inPairs = true
			pairs = append(pairs, a)
		case !inPairs:
			resources = append(resources, a)
		case isPair:
			pairs = append(pairs, a)
		default:
			return nil, nil, fmt.Errorf("all resources must be specified before %s changes: %s", what, a)
		}
	}
	return resources, pairs, nil
}

// parsePairs reads key=value and, if allowed, key- arguments.
func parsePairs(args []string, what string, removal bool) (set map[string]string, remove []string, err error) {
	set = map[string]string{}
	var invalid []string
	for _, a := range args {
		key, value, ok := strings.Cut(a, "=")
		switch {
		case ok && key != "":
			set[key] = value
		case removal && strings.HasSuffix(a, "-") && a != "-":
			remove = append(remove, a[:len(a)-1])
		default:
			invalid = append(invalid, a)
		}
	}
	if len(invalid) > 0 {
		return nil, nil, fmt.Errorf("invalid %s format: %s", what, strings.Join(invalid, ", "))
	}
	return set, remove, nil
}

// untilGone waits until an object with that uid ("" is any) no longer exists.
func (c *Client) untilGone(m *Mapping, namespace, name, uid string, timeout time.Duration) error {
	gone := func(obj tree.Map) bool { return uid != "" && tree.String(obj, "metadata", "uid") != uid }
	deadline := c.s.Now().Add(timeout)
	for {
		obj, err := c.Get(m, namespace, name, "")
		if apierrors.IsNotFound(err) || err == nil && gone(obj) {
			return nil
		}
		if err != nil {
			return err
		}
		left := deadline.Sub(c.s.Now())
		if left <= 0 {
			return fmt.Errorf("timed out waiting for the condition on %s/%s", m.Resource, name)
		}
		done := false
		q := url.Values{"fieldSelector": {"metadata.name=" + name}, "resourceVersion": {tree.String(obj, "metadata", "resourceVersion")}}
		timedOut, err := c.Watch(m.Path(namespace, "", ""), q, nil, left, func(e rest.Event) (bool, error) {
			if e.Type == rest.Deleted {
				done = true
			}
			return done, nil
		})
		switch {
		case done:
			return nil
		case timedOut:
			return fmt.Errorf("timed out waiting for the condition on %s/%s", m.Resource, name)
		case err != nil && !apierrors.IsResourceExpired(err):
			return err
		}
		if err := c.s.Proc.Sleep(100 * time.Millisecond); err != nil {
			return err
		}
	}
}

// watchObject follows one object from its present state until fn is done; a
// deletion is shown as a nil object.
func (c *Client) watchObject(m *Mapping, namespace, name string, timeout time.Duration, fn func(obj tree.Map) (bool, error)) (timedOut bool, err error) {
	list, err := c.List(m, namespace, url.Values{"fieldSelector": {"metadata.name=" + name}}, 0)
	if err != nil {
		return false, err
	}
	if len(tree.Slice(list, "items")) == 0 {
		return false, apierrors.NewNotFound(m.GroupResource(), name)
	}
	for _, o := range tree.Maps(list, "items") {
		if done, err := fn(o); done || err != nil {
			return false, err
		}
	}
	q := url.Values{"fieldSelector": {"metadata.name=" + name}, "resourceVersion": {tree.String(list, "metadata", "resourceVersion")}}
	done := false
	timedOut, err = c.Watch(m.Path(namespace, "", ""), q, nil, timeout, func(e rest.Event) (bool, error) {
		var obj tree.Map
		if e.Type != rest.Deleted {
			var err error
			if obj, err = ToTree(e.Object); err != nil {
				return false, err
			}
		}
		var err error
		done, err = fn(obj)
		return done, err
	})
	if err == nil && !done && !timedOut {
		err = errors.New("watch closed before UntilWithoutRetry timeout")
	}
	return timedOut, err
}

// logLine is a line of kubectl's log on stderr: level, time, process, place.
func (s *Session) logLine(level byte, place, text string) {
	pid := 1
	if s.Proc != nil {
		pid = s.Proc.ID
	}
	s.Errorf("%c%s %7d %s] %s\n", level, s.Now().Format("0102 15:04:05.000000"), pid, place, text)
}

// subcommandsOnly is a command that prints its help on stderr and fails,
// because it needs a subcommand.
type subcommandsOnly struct{}

func (*subcommandsOnly) Flags(*pflag.FlagSet) {}
func (v *subcommandsOnly) Validate() error    { return nil }

func (v *subcommandsOnly) Complete(s *Session, args []string) error {
	if len(args) > 0 {
		return s.UsageErrorf("unknown command %q", strings.Join(args, " "))
	}
	return nil
}

func (*subcommandsOnly) Run(s *Session) error {
	s.Stdout = s.Stderr
	if err := s.help(s.Command, nil); err != nil {
		return err
	}
	return ErrExit
}

func needsSubcommand() Verb { return &subcommandsOnly{} }

var errTimedOut = errors.New("timed out waiting for the condition")
