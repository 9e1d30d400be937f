// kubectl cordon, uncordon, drain and taint: what is done to nodes.

package kubectl

import (
	"errors"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"
	"github.com/kubonsai/kubonsai/sim/api/validation"
	"github.com/spf13/pflag"

	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func cordonCommand() *Command {
	return &Command{Use: "cordon NODE", Short: "Mark node as unschedulable", Long: "Let no new pods be scheduled on a node.",
		Examples: "kubectl cordon worker", New: func() Verb { return &cordonOptions{desired: true} }}
}

func uncordonCommand() *Command {
	return &Command{Use: "uncordon NODE", Short: "Mark node as schedulable", Long: "Let pods be scheduled on a node again.",
		Examples: "kubectl uncordon worker", New: func() Verb { return &cordonOptions{} }}
}

func drainCommand() *Command {
	return &Command{Use: "drain NODE", Short: "Drain node in preparation for maintenance",
		Long:     "Cordon a node and evict its pods, or delete them where eviction is not possible. Pods of daemon sets and mirror pods stay; pods without a controller stop the command unless --force is given.",
		Examples: "kubectl drain worker --ignore-daemonsets\nkubectl drain worker --grace-period=900", New: func() Verb { return &drainOptions{} }}
}

// nodeFlags choose nodes.
type nodeFlags struct {
	out        outputFlags
	selector   string
	dryRunText string
	dryRun     DryRun
	nodes      []*Info
}

func (o *nodeFlags) flags(f *pflag.FlagSet) {
	selectorFlag(f, &o.selector)
	dryRunFlag(f, &o.dryRunText)
}

func (o *nodeFlags) complete(s *Session, args []string) (err error) {
	if len(args) == 0 && !s.Changed("selector") {
		return s.UsageErrorf("USAGE: %s [flags]", s.Command.Use)
	}
	if len(args) > 0 && o.selector != "" {
		return s.UsageErrorf("error: cannot specify both a node name and a --selector option")
	}
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	ns, _, err := s.Namespace()
	if err != nil {
		return err
	}
	b := &Builder{S: s, Namespace: ns, ContinueOnError: true, Flatten: true}
	if o.selector != "" {
		b.Args, b.Selector = []string{"nodes"}, o.selector
	} else {
		b.DefaultResource, b.Args = "nodes", args
	}
	return b.Do().Visit(func(i *Info) error {
		if i.Mapping.Resource != "nodes" {
			return fmt.Errorf("error: expected resource of type node, got %q", i.Mapping.Resource)
		}
		o.nodes = append(o.nodes, i)
		return nil
	})
}

// cordon marks the nodes.
func (o *nodeFlags) cordon(s *Session, desired bool) error {
	verb, done, already := "cordon", "cordoned", "already cordoned"
	if !desired {
		verb, done, already = "uncordon", "uncordoned", "already uncordoned"
	}
	for _, i := range o.nodes {
		if tree.Bool(i.Object, "spec", "unschedulable") == desired {
			if err := o.out.print(s, already, o.dryRun, i.Object); err != nil {
				return err
			}
			continue
		}
		if o.dryRun != DryRunClient {
			value := any(nil)
			if desired {
				value = true
			}
			_, err := i.patch(writer{DryRun: o.dryRun}, StrategicMergePatch, tree.Map{"spec": tree.Map{"unschedulable": value}})
			if err != nil {
				s.Errorf("error: unable to %s node %q: cordon error: %v\n", verb, i.Name, err)
				continue
			}
		}
		if err := o.out.print(s, done, o.dryRun, i.Object); err != nil {
			return err
		}
	}
	return nil
}

type cordonOptions struct {
	nodeFlags
	desired bool
}

func (o *cordonOptions) Flags(f *pflag.FlagSet)                   { o.flags(f) }
func (o *cordonOptions) Complete(s *Session, args []string) error { return o.complete(s, args) }
func (o *cordonOptions) Validate() error                          { return nil }
func (o *cordonOptions) Run(s *Session) error                     { return o.cordon(s, o.desired) }

type drainOptions struct {
	nodeFlags
	force, ignoreDaemonSets bool
	deleteEmptyDir          bool
	deleteLocal             bool
	grace                   int
	timeout                 time.Duration
	podSelector             string
	disableEviction         bool
	skipWait                int
	chunk                   int64
}

func (o *drainOptions) Flags(f *pflag.FlagSet) {
	f.BoolVar(&o.force, "force", false, "Go on even if there are pods without a controller")
	f.BoolVar(&o.ignoreDaemonSets, "ignore-daemonsets", false, "Leave the pods of daemon sets alone")
	f.BoolVar(&o.deleteEmptyDir, "delete-emptydir-data", false, "Go on even if pods lose the data of their emptyDir volumes")
	f.BoolVar(&o.deleteLocal, "delete-local-data", false, "Old name of --delete-emptydir-data")
	markDropped(f, "delete-local-data", "This option is deprecated and will be deleted. Use --delete-emptydir-data.")
	f.IntVar(&o.grace, "grace-period", -1, "Seconds that each pod gets to end; negative: the pod's own")
	f.DurationVar(&o.timeout, "timeout", 0, "How long to wait before giving up; 0: as long as it takes")
	f.StringVar(&o.podSelector, "pod-selector", "", "Label selector for the pods to remove")
	f.BoolVar(&o.disableEviction, "disable-eviction", false, "Delete pods instead of evicting them; passes by disruption budgets")
	f.IntVar(&o.skipWait, "skip-wait-for-delete-timeout", 0, "Do not wait for pods that have been ending for so many seconds")
	chunkFlag(f, &o.chunk)
	o.flags(f)
}

func (o *drainOptions) Complete(s *Session, args []string) error {
	o.deleteEmptyDir = o.deleteEmptyDir || o.deleteLocal
	if o.podSelector != "" {
		if _, err := labels.Parse(o.podSelector); err != nil {
			return err
		}
	}
	return o.complete(s, args)
}

func (o *drainOptions) Validate() error { return nil }

func (o *drainOptions) Run(s *Session) error {
	if err := o.cordon(s, true); err != nil {
		return err
	}
	var fatal []error
	var remaining []string
	for _, node := range o.nodes {
		err := o.drain(s, node)
		if err == nil {
			if err := o.out.print(s, "drained", o.dryRun, node.Object); err != nil {
				return err
			}
			continue
		}
		if errorsIsInterrupted(err) {
			return err
		}
		s.Errorf("error: unable to drain node %q due to error: %s, continuing command...\n", node.Name, err)
		fatal, remaining = append(fatal, err), append(remaining, node.Name)
	}
	if len(remaining) > 0 {
		s.Errorf("There are pending nodes to be drained:\n")
		for _, n := range remaining {
			s.Errorf(" %s\n", n)
		}
	}
	if len(fatal) == 1 { // printed without "error: ", as upstream's list within a list is
		return listed{fatal[0]}
	}
	return NewAggregate(fatal)
}

// pods lists what has to go; warnings tell of pods that go although something speaks against it.
func (o *drainOptions) pods(s *Session, node string) (pods []tree.Map, warnings string, err error) {
	c, m, err := s.resource("pods")
	if err != nil {
		return nil, "", err
	}
	q := url.Values{"fieldSelector": {"spec.nodeName=" + node}}
	if o.podSelector != "" {
		q.Set("labelSelector", o.podSelector)
	}
	list, err := c.List(m, "", q, o.chunk)
	if err != nil {
		return nil, "", err
	}
	fatal, warned := map[string][]string{}, map[string][]string{}
	for _, p := range tree.Maps(list, "items") {
		name := tree.Namespace(p) + "/" + tree.Name(p)
		if _, mirror := tree.Strings(p, "metadata", "annotations")["kubernetes.io/config.mirror"]; mirror {
			continue
		}
		phase := tree.String(p, "status", "phase")
		finished := phase == "Succeeded" || phase == "Failed"
		var owner tree.Map
		for _, ref := range tree.Maps(p, "metadata", "ownerReferences") {
			if tree.Bool(ref, "controller") {
				owner = ref
			}
		}
		var bad, warn string
		if deleted := tree.String(p, "metadata", "deletionTimestamp"); deleted != "" && o.skipWait > 0 {
			if at, err := time.Parse(time.RFC3339, deleted); err == nil && s.Now().Sub(at) > time.Duration(o.skipWait)*time.Second {
				continue
			}
		}
		if owner != nil && tree.String(owner, "kind") == "DaemonSet" && !finished {
			_, dsm, err := s.resource("daemonsets.apps")
			if err != nil {
				return nil, "", err
			}
			_, err = c.Get(dsm, tree.Namespace(p), tree.String(owner, "name"), "")
			switch {
			case apierrors.IsNotFound(err) && o.force:
				warned[err.Error()] = append(warned[err.Error()], name)
			case err != nil:
				fatal[err.Error()] = append(fatal[err.Error()], name)
				continue
			case !o.ignoreDaemonSets:
				fatal["DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"] = append(fatal["DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"], name)
				continue
			default:
				warned["ignoring DaemonSet-managed Pods"] = append(warned["ignoring DaemonSet-managed Pods"], name)
				continue
			}
		}
		if !finished {
			for _, v := range tree.Maps(p, "spec", "volumes") {
				if v["emptyDir"] == nil {
					continue
				}
				if o.deleteEmptyDir {
					warn = "deleting Pods with local storage"
				} else {
					bad = "Pods with local storage (use --delete-emptydir-data to override)"
				}
			}
			if owner == nil {
				if o.force {
					warn = "deleting Pods that declare no controller"
				} else if bad == "" {
					bad = "Pods that declare no controller (use --force to override)"
				}
			}
		}
		if bad != "" {
			fatal[bad] = append(fatal[bad], name)
			continue
		}
		if warn != "" {
			warned[warn] = append(warned[warn], name)
		}
		pods = append(pods, p)
	}
	var errs []error
	for _, k := range tree.Keys(fatal) {
		sort.Strings(fatal[k])
		errs = append(errs, fmt.Errorf("cannot delete %s: %s", k, strings.Join(fatal[k], ", ")))
	}
	var texts []string
	for _, k := range tree.Keys(warned) {
		texts = append(texts, k+": "+strings.Join(warned[k], ", "))
	}
	return pods, strings.Join(texts, "; "), NewAggregate(errs)
}

func (o *drainOptions) drain(s *Session, node *Info) error {
	pods, warnings, err := o.pods(s, node.Name)
	if err != nil {
		return err
	}
	if warnings != "" {
		s.Warn(warnings)
	}
	if o.dryRun == DryRunClient {
		for _, p := range pods {
			s.Printf("evicting pod %s/%s (dry run)\n", tree.Namespace(p), tree.Name(p))
		}
		return nil
	}
	if err := o.remove(s, pods); err != nil {
		pending, _, perr := o.pods(s, node.Name)
		if len(pending) > 0 {
			s.Errorf("There are pending pods in node %q when an error occurred: %v\n", node.Name, err)
			for _, p := range pending {
				s.Errorf("pod/%s\n", tree.Name(p))
			}
		}
		if perr != nil {
			s.Errorf("Following errors occurred while getting the list of pods to delete:\n%s", perr)
		}
		return err
	}
	return nil
}

// remove evicts or deletes the pods and waits until they are gone.
func (o *drainOptions) remove(s *Session, pods []tree.Map) error {
	c, m, err := s.resource("pods")
	if err != nil {
		return err
	}
	timeout := o.timeout
	if timeout == 0 {
		timeout = 1<<62 - 1
	}
	deadline := s.Now().Add(min(timeout, 100*365*24*time.Hour))
	const retry = 5 * time.Second
	waiting := append([]tree.Map{}, pods...)
	announced := map[string]bool{}
	operation := "evicted"
	if o.disableEviction {
		operation = "deleted"
	}
	var leaving []tree.Map
	for len(waiting) > 0 {
		if !s.Now().Before(deadline) {
			var errs []error
			for _, p := range waiting {
				errs = append(errs, fmt.Errorf("error when evicting pods/%q -n %q: global timeout reached: %v", tree.Name(p), tree.Namespace(p), o.timeout))
			}
			return NewAggregate(errs)
		}
		var again []tree.Map
		for _, p := range waiting {
			ns, name := tree.Namespace(p), tree.Name(p)
			verb := "evicting"
			if o.disableEviction {
				verb = "deleting"
			}
			if !o.disableEviction {
				suffix := ""
				if o.dryRun == DryRunServer {
					suffix = " (server dry run)"
				}
				s.Printf("%s pod %s/%s%s\n", verb, ns, name, suffix)
			}
			announced[ns+"/"+name] = true
			options := tree.Map{}
			if o.grace >= 0 {
				options["gracePeriodSeconds"] = int64(o.grace)
			}
			if o.dryRun == DryRunServer {
				options["dryRun"] = []any{"All"}
			}
			var err error
			if o.disableEviction {
				_, err = c.Delete(m, ns, name, options)
			} else {
				_, err = c.Send("POST", m, ns, name, "eviction", url.Values{}, tree.Map{"apiVersion": "policy/v1", "kind": "Eviction",
					"metadata": tree.Map{"name": name, "namespace": ns}, "deleteOptions": options})
			}
			switch {
			case err == nil:
				leaving = append(leaving, p)
			case apierrors.IsNotFound(err):
			case apierrors.IsTooManyRequests(err) && !o.disableEviction:
				s.Errorf("error when evicting pods/%q -n %q (will retry after %v): %v\n", name, ns, retry, err)
				again = append(again, p)
			case o.disableEviction:
				return err
			default:
				return fmt.Errorf("error when evicting pods/%q -n %q: %v", name, ns, err)
			}
		}
		waiting = again
		if len(waiting) == 0 {
			break
		}
		for range retry / time.Second { // meanwhile others go
			if err := s.Proc.Sleep(time.Second); err != nil {
				return err
			}
			var still []tree.Map
			for _, p := range leaving {
				now, err := c.Get(m, tree.Namespace(p), tree.Name(p), "")
				switch {
				case err == nil && tree.String(now, "metadata", "uid") == tree.String(p, "metadata", "uid"):
					still = append(still, p)
				case err != nil && !apierrors.IsNotFound(err):
					return err
				default:
					if err := o.out.print(s, operation, o.dryRun, p); err != nil {
						return err
					}
				}
			}
			leaving = still
		}
	}
	if o.dryRun == DryRunServer {
		return nil
	}
	for _, p := range leaving {
		ns, name := tree.Namespace(p), tree.Name(p)
		if err := c.untilGone(m, ns, name, tree.String(p, "metadata", "uid"), deadline.Sub(s.Now())); err != nil {
			if o.timeout > 0 && !errorsIsInterrupted(err) {
				return fmt.Errorf("error when waiting for pod %q in namespace %q to terminate: global timeout reached: %v", name, ns, o.timeout)
			}
			return err
		}
		if err := o.out.print(s, operation, o.dryRun, p); err != nil {
			return err
		}
	}
	return nil
}

func taintCommand() *Command {
	return &Command{
		Use:   "taint NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N",
		Short: "Update the taints on one or more nodes",
		Long:  "Set taints (key=value:effect), or remove them (key:effect- or key-). The effect is NoSchedule, PreferNoSchedule or NoExecute.",
		Examples: `kubectl taint nodes worker dedicated=gpu:NoSchedule
kubectl taint nodes worker dedicated:NoSchedule-
kubectl taint nodes worker dedicated-`,
		New: func() Verb { return &taintOptions{} },
	}
}

type taint struct{ key, value, effect string }

func (t taint) text() string {
	switch {
	case t.effect == "" && t.value == "":
		return t.key
	case t.effect == "":
		return t.key + "=" + t.value + ":"
	case t.value == "":
		return t.key + ":" + t.effect
	}
	return t.key + "=" + t.value + ":" + t.effect
}

type taintOptions struct {
	out            outputFlags
	selector       string
	overwrite, all bool
	dryRunText     string
	validate       string
	manager        string
	dryRun         DryRun
	resources      []string
	add, remove    []taint
	s              *Session
}

func (o *taintOptions) Flags(f *pflag.FlagSet) {
	dryRunFlag(f, &o.dryRunText)
	o.out.flags(f)
	validateFlag(f, &o.validate)
	selectorFlag(f, &o.selector)
	f.BoolVar(&o.overwrite, "overwrite", false, "Change taints that are there already")
	f.BoolVar(&o.all, "all", false, "Select all nodes")
	fieldManagerFlag(f, &o.manager, "kubectl-taint")
}

func parseTaint(spec string) (t taint, err error) {
	parts := strings.Split(spec, ":")
	switch len(parts) {
	case 1:
		t.key = parts[0]
	case 2:
		t.effect = parts[1]
		switch t.effect {
		case "NoSchedule", "PreferNoSchedule", "NoExecute":
		default:
			return t, fmt.Errorf("invalid taint effect: %v, unsupported taint effect", t.effect)
		}
		kv := strings.Split(parts[0], "=")
		if len(kv) > 2 {
			return t, fmt.Errorf("invalid taint spec: %v", spec)
		}
		t.key = kv[0]
		if len(kv) == 2 {
			t.value = kv[1]
			if errs := validation.IsValidLabelValue(t.value); len(errs) > 0 {
				return t, fmt.Errorf("invalid taint spec: %v, %s", spec, strings.Join(errs, "; "))
			}
		}
	default:
		return t, fmt.Errorf("invalid taint spec: %v", spec)
	}
	if errs := validation.IsQualifiedName(t.key); len(errs) > 0 {
		return t, fmt.Errorf("invalid taint spec: %v, %s", spec, strings.Join(errs, "; "))
	}
	return t, nil
}

func (o *taintOptions) Complete(s *Session, args []string) (err error) {
	o.s = s
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	if o.validate, err = validationDirective(o.validate); err != nil {
		return err
	}
	if err := o.out.check(s); err != nil {
		return err
	}
	var specs []string
	inTaints := false
	for _, a := range args {
		isTaint := strings.Contains(a, "=") || strings.Contains(a, ":") || strings.HasSuffix(a, "-")
		switch {
		case isTaint:
			inTaints = true
			specs = append(specs, a)
		case inTaints:
			return fmt.Errorf("all resources must be specified before taint changes: %s", a)
		default:
			o.resources = append(o.resources, a)
		}
	}
	if len(o.resources) == 0 {
		return errors.New("one or more resources must be specified as <resource> <name>")
	}
	if len(specs) == 0 {
		return errors.New("at least one taint update is required")
	}
	seen := map[string]bool{}
	for _, spec := range specs {
		if bare, ok := strings.CutSuffix(spec, "-"); ok {
			t, err := parseTaint(bare)
			if err != nil {
				return s.UsageErrorf("%s", err)
			}
			o.remove = append(o.remove, taint{key: t.key, effect: t.effect})
			continue
		}
		t, err := parseTaint(spec)
		if err == nil && t.effect == "" {
			err = fmt.Errorf("invalid taint spec: %v", spec)
		}
		if err == nil && seen[t.key+":"+t.effect] {
			err = fmt.Errorf("duplicated taints with the same key and effect: {%s %s %s <nil>}", t.key, t.value, t.effect)
		}
		if err != nil {
			return s.UsageErrorf("%s", err)
		}
		seen[t.key+":"+t.effect] = true
		o.add = append(o.add, t)
	}
	return nil
}

func (o *taintOptions) Validate() error {
	kind := strings.ToLower(o.resources[0])
	_, m, err := o.s.resource(kind)
	if err != nil {
		return err
	}
	if m.Kind != "Node" {
		return fmt.Errorf("invalid resource type %s, only node types are supported", kind)
	}
	var both []string
	for _, a := range o.add {
		for _, r := range o.remove {
			if a.key == r.key && (r.effect == "" || r.effect == a.effect) {
				both = append(both, r.key+"="+r.effect)
			}
		}
	}
	switch {
	case len(both) > 0:
		return fmt.Errorf("can not both modify and remove the following taint(s) in the same command: %s", strings.Join(both, ", "))
	case o.all && o.selector != "":
		return errors.New("setting 'all' parameter with a non empty selector is prohibited")
	case !o.all && o.selector == "" && len(o.resources) < 2:
		return errors.New("at least one resource name must be specified since 'all' parameter is not set")
	}
	return nil
}

func (o *taintOptions) Run(s *Session) error {
	b, err := s.objects(FilenameOptions{}, o.resources)
	if err != nil {
		return err
	}
	b.Latest = true
	if o.selector != "" {
		b.Selector, b.Args = o.selector, o.resources[:1]
	}
	if o.all {
		b.SelectAll, b.Args = true, o.resources[:1]
	}
	return b.Do().Visit(func(i *Info) error {
		obj := tree.Copy(i.Object)
		operation, err := o.update(obj)
		if err != nil {
			return err
		}
		if o.dryRun != DryRunClient {
			w := writer{DryRun: o.dryRun, Manager: o.manager, Validation: o.validate}
			if obj, err = i.patch(w, StrategicMergePatch, smerge.TwoWay(i.Object, obj, schemaOf(obj))); err != nil {
				return err
			}
		}
		return o.out.print(s, operation, o.dryRun, obj)
	})
}

func (o *taintOptions) update(node tree.Map) (operation string, err error) {
	old := tree.Maps(node, "spec", "taints")
	same := func(m tree.Map, t taint) bool {
		return tree.String(m, "key") == t.key && (t.effect == "" || tree.String(m, "effect") == t.effect)
	}
	if !o.overwrite {
		var exist []string
		for _, t := range o.add {
			for _, m := range old {
				if same(m, t) {
					exist = append(exist, t.key)
				}
			}
		}
		if len(exist) > 0 {
			return "", fmt.Errorf("node %s already has %v taint(s) with same effect(s) and --overwrite is false", tree.Name(node), strings.Join(exist, ","))
		}
	}
	var list []any
	for _, t := range o.add {
		m := tree.Map{"key": t.key, "effect": t.effect}
		if t.value != "" {
			m["value"] = t.value
		}
		list = append(list, m)
	}
	for _, m := range old {
		replaced := false
		for _, t := range o.add {
			replaced = replaced || same(m, t)
		}
		if !replaced {
			list = append(list, m)
		}
	}
	added := len(old) != len(list)
	removed := false
	var errs []error
	for _, t := range o.remove {
		kept := make([]any, 0, len(list))
		for _, v := range list {
			if m, _ := v.(tree.Map); !same(m, t) {
				kept = append(kept, v)
			}
		}
		removed = len(kept) != len(list)
		if !removed {
			errs = append(errs, fmt.Errorf("taint %q not found", t.text()))
		}
		list = kept
	}
	if len(list) == 0 {
		tree.Delete(node, "spec", "taints")
	} else {
		tree.Set(node, list, "spec", "taints")
	}
	switch {
	case added && removed || o.overwrite:
		operation = "modified"
	case added:
		operation = "tainted"
	default:
		operation = "untainted"
	}
	return operation, NewAggregate(errs)
}
