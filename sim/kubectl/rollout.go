// kubectl rollout: status, history, undo, pause, resume and restart.

package kubectl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/schema"
	"github.com/kubonsai/kubonsai/sim/kubectl/describe"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func rolloutCommand() *Command {
	return &Command{
		Use: "rollout SUBCOMMAND", New: needsSubcommand, Short: "Manage the rollout of a resource",
		Long: "Look at and steer the rollouts of deployments, daemon sets and stateful sets.",
		Examples: `kubectl rollout status deployment/web
kubectl rollout undo deployment/web
kubectl rollout restart deployment -l app=web`,
		Sub: []*Command{
			{Use: "history (TYPE NAME | TYPE/NAME) [flags]", Short: "View rollout history", New: func() Verb { return &rolloutHistory{} }},
			{Use: "pause RESOURCE", Short: "Mark the provided resource as paused", New: func() Verb { return &rolloutChange{verb: "pause"} }},
			{Use: "restart RESOURCE", Short: "Restart a resource", New: func() Verb { return &rolloutChange{verb: "restart"} }},
			{Use: "resume RESOURCE", Short: "Resume a paused resource", New: func() Verb { return &rolloutChange{verb: "resume"} }},
			{Use: "status (TYPE NAME | TYPE/NAME) [flags]", Short: "Show the status of the rollout", New: func() Verb { return &rolloutStatus{} }},
			{Use: "undo (TYPE NAME | TYPE/NAME) [flags]", Short: "Undo a previous rollout", New: func() Verb { return &rolloutUndo{} }},
		},
	}
}

// rolloutTarget chooses the objects.
type rolloutTarget struct {
	files    FilenameOptions
	selector string
	args     []string
}

func (o *rolloutTarget) Flags(f *pflag.FlagSet) {
	o.files.flags(f, "that names the objects")
	selectorFlag(f, &o.selector)
}

func (o *rolloutTarget) Complete(_ *Session, args []string) error {
	o.args = args
	return nil
}

func (o *rolloutTarget) Validate() error {
	if len(o.args) == 0 && o.files.Empty() {
		return errors.New("required resource not specified")
	}
	return nil
}

func (o *rolloutTarget) result(s *Session) (*Result, error) {
	b, err := s.objects(o.files, o.args)
	if err != nil {
		return nil, err
	}
	b.Selector, b.TypeOnlyMeansAll, b.Latest = o.selector, true, true
	r := b.Do()
	return r, r.Err()
}

type rolloutStatus struct {
	rolloutTarget
	watch    bool
	revision int64
	timeout  time.Duration
}

func (o *rolloutStatus) Flags(f *pflag.FlagSet) {
	o.rolloutTarget.Flags(f)
	f.BoolVarP(&o.watch, "watch", "w", true, "Go on until the rollout is done")
	f.Int64Var(&o.revision, "revision", 0, "Fail if another revision is running; 0 is the last one")
	f.DurationVar(&o.timeout, "timeout", 0, "How long to watch; 0 is for ever")
}

func (o *rolloutStatus) Validate() error {
	if err := o.rolloutTarget.Validate(); err != nil {
		return err
	}
	if o.revision < 0 {
		return fmt.Errorf("revision must be a positive integer: %v", o.revision)
	}
	return nil
}

func (o *rolloutStatus) Run(s *Session) error {
	r, err := o.result(s)
	if err != nil {
		return err
	}
	found := false
	err = r.Visit(func(i *Info) error {
		found = true
		status := map[string]func(tree.Map, int64) (string, bool, error){
			"Deployment.apps": deploymentStatus, "DaemonSet.apps": daemonSetStatus, "StatefulSet.apps": statefulSetStatus,
		}[i.Mapping.GroupKind().String()]
		if status == nil {
			return fmt.Errorf("no status viewer has been implemented for %v", i.Mapping.GroupKind())
		}
		late, err := i.client.watchObject(i.Mapping, i.Namespace, i.Name, o.timeout, func(obj tree.Map) (bool, error) {
			if obj == nil {
				return true, errors.New("object has been deleted")
			}
			text, done, err := status(obj, o.revision)
			if err != nil {
				return false, err
			}
			s.Printf("%s", text)
			return done || !o.watch, nil
		})
		if late {
			return errTimedOut
		}
		return err
	})
	if err != nil {
		return err
	}
	if !found {
		ns, _, _ := s.Namespace()
		s.Errorf("No resources found in %s namespace.\n", ns)
	}
	return nil
}

const revisionAnnotation = "deployment.kubernetes.io/revision"

func revisionOf(obj tree.Map) (int64, error) {
	text, ok := tree.Strings(obj, "metadata", "annotations")[revisionAnnotation]
	if !ok {
		return 0, nil
	}
	return strconv.ParseInt(text, 10, 64)
}

func intAt(obj tree.Map, path ...string) int64 {
	n, _ := tree.Int(obj, path...)
	return n
}

func deploymentStatus(d tree.Map, revision int64) (string, bool, error) {
	name := tree.Name(d)
	if revision > 0 {
		running, err := revisionOf(d)
		if err != nil {
			return "", false, fmt.Errorf("cannot get the revision of deployment %q: %v", name, err)
		}
		if running != revision {
			return "", false, fmt.Errorf("desired revision (%d) is different from the running revision (%d)", revision, running)
		}
	}
	if intAt(d, "metadata", "generation") > intAt(d, "status", "observedGeneration") {
		return "Waiting for deployment spec update to be observed...\n", false, nil
	}
	for _, c := range tree.Maps(d, "status", "conditions") {
		if tree.String(c, "type") == "Progressing" && tree.String(c, "reason") == "ProgressDeadlineExceeded" {
			return "", false, fmt.Errorf("deployment %q exceeded its progress deadline", name)
		}
	}
	want, hasWant := tree.Int(d, "spec", "replicas")
	updated, all, available := intAt(d, "status", "updatedReplicas"), intAt(d, "status", "replicas"), intAt(d, "status", "availableReplicas")
	switch {
	case hasWant && updated < want:
		return fmt.Sprintf("Waiting for deployment %q rollout to finish: %d out of %d new replicas have been updated...\n", name, updated, want), false, nil
	case all > updated:
		return fmt.Sprintf("Waiting for deployment %q rollout to finish: %d old replicas are pending termination...\n", name, all-updated), false, nil
	case available < updated:
		return fmt.Sprintf("Waiting for deployment %q rollout to finish: %d of %d updated replicas are available...\n", name, available, updated), false, nil
	}
	return fmt.Sprintf("deployment %q successfully rolled out\n", name), true, nil
}

var errNotRolling = errors.New("rollout status is only available for RollingUpdate strategy type")

func daemonSetStatus(d tree.Map, _ int64) (string, bool, error) {
	if tree.String(d, "spec", "updateStrategy", "type") != "RollingUpdate" {
		return "", true, errNotRolling
	}
	if intAt(d, "metadata", "generation") > intAt(d, "status", "observedGeneration") {
		return "Waiting for daemon set spec update to be observed...\n", false, nil
	}
	name := tree.Name(d)
	updated, want, available := intAt(d, "status", "updatedNumberScheduled"), intAt(d, "status", "desiredNumberScheduled"), intAt(d, "status", "numberAvailable")
	switch {
	case updated < want:
		return fmt.Sprintf("Waiting for daemon set %q rollout to finish: %d out of %d new pods have been updated...\n", name, updated, want), false, nil
	case available < want:
		return fmt.Sprintf("Waiting for daemon set %q rollout to finish: %d of %d updated pods are available...\n", name, available, want), false, nil
	}
	return fmt.Sprintf("daemon set %q successfully rolled out\n", name), true, nil
}

func statefulSetStatus(d tree.Map, _ int64) (string, bool, error) {
	if tree.String(d, "spec", "updateStrategy", "type") != "RollingUpdate" {
		return "", true, errNotRolling
	}
	observed := intAt(d, "status", "observedGeneration")
	if observed == 0 || intAt(d, "metadata", "generation") > observed {
		return "Waiting for statefulset spec update to be observed...\n", false, nil
	}
	want, hasWant := tree.Int(d, "spec", "replicas")
	ready, updated := intAt(d, "status", "readyReplicas"), intAt(d, "status", "updatedReplicas")
	if hasWant && ready < want {
		return fmt.Sprintf("Waiting for %d pods to be ready...\n", want-ready), false, nil
	}
	if rolling := tree.Sub(d, "spec", "updateStrategy", "rollingUpdate"); rolling != nil {
		if partition, ok := tree.Int(rolling, "partition"); ok && hasWant && updated < want-partition {
			return fmt.Sprintf("Waiting for partitioned roll out to finish: %d out of %d new pods have been updated...\n", updated, want-partition), false, nil
		}
		return fmt.Sprintf("partitioned roll out complete: %d new pods have been updated...\n", updated), true, nil
	}
	if next := tree.String(d, "status", "updateRevision"); next != tree.String(d, "status", "currentRevision") {
		return fmt.Sprintf("waiting for statefulset rolling update to complete %d pods at revision %s...\n", updated, next), false, nil
	}
	return fmt.Sprintf("statefulset rolling update complete %d pods at revision %s...\n", intAt(d, "status", "currentReplicas"), tree.String(d, "status", "currentRevision")), true, nil
}

// revision is one entry of a history: the replica set or controller revision
// that keeps it, and its pod template.
type revision struct {
	number   int64
	keeper   tree.Map
	template tree.Map
}

// history lists the revisions of a deployment, daemon set or stateful set, oldest first.
func (s *Session) history(i *Info, what string) ([]revision, error) {
	var out []revision
	keepers := func(resource string) ([]tree.Map, error) {
		c, m, err := s.resource(resource)
		if err != nil {
			return nil, err
		}
		list, err := c.List(m, i.Namespace, url.Values{"labelSelector": {selectorText(tree.Sub(i.Object, "spec", "selector"))}}, 0)
		if err != nil {
			return nil, err
		}
		var owned []tree.Map
		for _, o := range tree.Maps(list, "items") {
			for _, ref := range tree.Maps(o, "metadata", "ownerReferences") {
				if tree.Bool(ref, "controller") && tree.String(ref, "uid") == tree.String(i.Object, "metadata", "uid") {
					owned = append(owned, o)
				}
			}
		}
		return owned, nil
	}
	switch i.Mapping.GroupKind().String() {
	case "Deployment.apps":
		sets, err := keepers("replicasets.apps")
		if err != nil {
			return nil, fmt.Errorf("failed to retrieve replica sets from deployment %s: %v", i.Name, err)
		}
		for _, rs := range sets {
			n, err := revisionOf(rs)
			if err != nil {
				continue
			}
			out = append(out, revision{n, rs, tree.Sub(rs, "spec", "template")})
		}
	case "DaemonSet.apps", "StatefulSet.apps":
		revisions, err := keepers("controllerrevisions.apps")
		if err != nil {
			return nil, fmt.Errorf("unable to find history controlled by %s %s: %v", i.Mapping.Kind, i.Name, err)
		}
		for _, cr := range revisions {
			merged, err := smerge.Strategic(i.Object, tree.Sub(cr, "data"), i.Mapping.schemaType())
			if err != nil {
				return nil, err
			}
			out = append(out, revision{intAt(cr, "revision"), cr, tree.Sub(merged, "spec", "template")})
		}
	default:
		return nil, fmt.Errorf("no %s has been implemented for %q", what, i.Mapping.GroupKind())
	}
	slices.SortStableFunc(out, func(a, b revision) int { return int(a.number - b.number) })
	return out, nil
}

// selectorText is a label selector as -l takes it.
func selectorText(selector tree.Map) string {
	sel, err := labelSelector(selector)
	if err != nil {
		return ""
	}
	return sel
}

func templateText(t tree.Map) (string, error) {
	pt := new(corev1.PodTemplateSpec)
	if err := api.FromTree(t, pt); err != nil {
		return "", err
	}
	return describe.Template(pt), nil
}

type rolloutHistory struct {
	rolloutTarget
	out      outputFlags
	revision int64
}

func (o *rolloutHistory) Flags(f *pflag.FlagSet) {
	f.Int64Var(&o.revision, "revision", 0, "Show this revision with its pod template")
	o.rolloutTarget.Flags(f)
	o.out.flags(f)
}

func (o *rolloutHistory) Validate() error {
	if err := o.rolloutTarget.Validate(); err != nil {
		return err
	}
	if o.revision < 0 {
		return fmt.Errorf("revision must be a positive integer: %v", o.revision)
	}
	return nil
}

func (o *rolloutHistory) Run(s *Session) error {
	r, err := o.result(s)
	if err != nil {
		return err
	}
	if err := o.out.check(s); err != nil {
		return err
	}
	return r.Visit(func(i *Info) error {
		all, err := s.history(i, "history viewer")
		if err != nil {
			return err
		}
		var one *revision
		for n := range all {
			if all[n].number == o.revision {
				one = &all[n]
			}
		}
		if o.revision > 0 && one == nil && (len(all) > 0 || o.out.Output != "") {
			return errors.New("unable to find the specified revision")
		}
		if o.out.Output != "" {
			for n := range all {
				if o.revision > 0 && all[n].number != o.revision {
					continue
				}
				if err := o.out.print(s, "", DryRunNone, all[n].keeper); err != nil {
					return err
				}
			}
			return nil
		}
		text, with := "No rollout history found.", ""
		if o.revision > 0 {
			with = fmt.Sprintf("with revision #%d", o.revision)
		}
		switch {
		case len(all) == 0:
		case one != nil:
			t := tree.Copy(one.template)
			if cause := tree.Strings(one.keeper, "metadata", "annotations")[changeCause]; cause != "" {
				tree.Set(t, cause, "metadata", "annotations", changeCause)
			}
			if text, err = templateText(t); err != nil {
				return err
			}
		default:
			var b bytes.Buffer
			w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
			fmt.Fprintf(w, "REVISION\tCHANGE-CAUSE\n")
			for _, rev := range all {
				cause := tree.Strings(rev.keeper, "metadata", "annotations")[changeCause]
				if cause == "" {
					cause = "<none>"
				}
				fmt.Fprintf(w, "%d\t%s\n", rev.number, cause)
			}
			w.Flush()
			text = b.String()
		}
		return o.out.print(s, with+"\n"+text, DryRunNone, i.Object)
	})
}

type rolloutUndo struct {
	rolloutTarget
	out        outputFlags
	revision   int64
	dryRunText string
	dryRun     DryRun
}

func (o *rolloutUndo) Flags(f *pflag.FlagSet) {
	f.Int64Var(&o.revision, "to-revision", 0, "Revision to go back to; 0 is the one before the last")
	o.rolloutTarget.Flags(f)
	dryRunFlag(f, &o.dryRunText)
	o.out.flags(f)
}

func (o *rolloutUndo) Complete(s *Session, args []string) (err error) {
	o.args = args
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	return o.out.check(s)
}

func (o *rolloutUndo) Run(s *Session) error {
	r, err := o.result(s)
	if err != nil {
		return err
	}
	return r.Visit(func(i *Info) error {
		if _, applied := tree.Strings(i.Object, "metadata", "annotations")[lastApplied]; applied {
			s.Errorf("Warning: resource %s was previously managed with 'kubectl apply'. Rolling back will not update the %s annotation, which may cause unexpected behavior on future 'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file instead.\n",
				i.ObjectName(), lastApplied)
		}
		text, err := o.undo(s, i)
		if err != nil {
			return err
		}
		return o.out.print(s, text, o.dryRun, i.Object)
	})
}

func (o *rolloutUndo) undo(s *Session, i *Info) (string, error) {
	missing := fmt.Errorf("unable to find specified revision %v in history", o.revision)
	if o.revision < 0 {
		return "", missing
	}
	all, err := s.history(i, "rollbacker")
	if err != nil {
		return "", err
	}
	var to *revision
	isDeployment := i.Mapping.Kind == "Deployment"
	if o.revision > 0 {
		for n := range all {
			if all[n].number == o.revision {
				to = &all[n]
			}
		}
		if to == nil {
			return "", missing
		}
	} else {
		if len(all) < 2 {
			if isDeployment {
				return "", fmt.Errorf("no rollout history found for deployment %q", i.Name)
			}
			return "", errors.New("no last revision to roll back to")
		}
		to = &all[len(all)-2]
	}
	if o.dryRun == DryRunClient {
		text, err := templateText(to.template)
		if !isDeployment {
			text = "will roll back to " + text
		}
		return text, err
	}
	if isDeployment && tree.Bool(i.Object, "spec", "paused") {
		return "", errors.New("you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again")
	}
	template := tree.Copy(to.template)
	tree.Delete(template, "metadata", "labels", "pod-template-hash")
	now := tree.Copy(tree.Sub(i.Object, "spec", "template"))
	tree.Delete(now, "metadata", "labels", "pod-template-hash")
	if smerge.Equal(template, now) {
		return fmt.Sprintf("skipped rollback (current template already matches revision %d)", o.revision), nil
	}
	w := writer{DryRun: o.dryRun}
	if !isDeployment {
		data, err := json.Marshal(tree.Sub(to.keeper, "data"))
		if err != nil {
			return "", err
		}
		_, err = i.patch(w, StrategicMergePatch, data)
		if err != nil {
			return "", fmt.Errorf("failed restoring revision %d: %v", o.revision, err)
		}
		return "rolled back", nil
	}
	kept := []string{lastApplied, revisionAnnotation, "deployment.kubernetes.io/revision-history",
		"deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas", "deprecated.deployment.rollback.to"}
	annotations := tree.Map{}
	for k, v := range tree.Strings(i.Object, "metadata", "annotations") {
		if slices.Contains(kept, k) {
			annotations[k] = v
		}
	}
	for k, v := range tree.Strings(to.keeper, "metadata", "annotations") {
		if !slices.Contains(kept, k) {
			annotations[k] = v
		}
	}
	ops := []any{
		tree.Map{"op": "replace", "path": "/spec/template", "value": template},
		tree.Map{"op": "replace", "path": "/metadata/annotations", "value": annotations},
	}
	if _, err := i.patch(w, JSONPatch, ops); err != nil {
		return "", fmt.Errorf("failed restoring revision %d: %v", o.revision, err)
	}
	return "rolled back", nil
}

// rolloutChange is pause, resume and restart.
type rolloutChange struct {
	rolloutTarget
	verb    string
	out     outputFlags
	manager string
}

func (o *rolloutChange) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	o.rolloutTarget.Flags(f)
	fieldManagerFlag(f, &o.manager, "kubectl-rollout")
}

func (o *rolloutChange) Complete(s *Session, args []string) error {
	o.args = args
	return o.out.check(s)
}

func (o *rolloutChange) edit(s *Session, obj tree.Map) error {
	kind := tree.Kind(obj)
	paused := tree.Bool(obj, "spec", "paused")
	switch o.verb {
	case "pause":
		if kind != "Deployment" {
			return errors.New("pausing is not supported")
		}
		if paused {
			return errors.New("is already paused")
		}
		tree.Set(obj, true, "spec", "paused")
	case "resume":
		if kind != "Deployment" {
			return errors.New("resuming is not supported")
		}
		if !paused {
			return errors.New("is not paused")
		}
		tree.Delete(obj, "spec", "paused")
	case "restart":
		if kind != "Deployment" && kind != "DaemonSet" && kind != "StatefulSet" {
			return errors.New("restarting is not supported")
		}
		if paused && kind == "Deployment" {
			return errors.New("can't restart paused deployment (run rollout resume first)")
		}
		tree.Set(obj, s.Now().Format(time.RFC3339), "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
	}
	return nil
}

func (o *rolloutChange) Run(s *Session) error {
	r, err := o.result(s)
	if err != nil {
		return err
	}
	var errs []error
	infos, err := r.Infos()
	if err != nil {
		errs = append(errs, err)
	}
	if len(infos) == 0 && len(errs) == 0 {
		ns, _, _ := s.Namespace()
		s.Errorf("No resources found in %s namespace.\n", ns)
		return nil
	}
	done := map[string]string{"pause": "paused", "resume": "resumed", "restart": "restarted"}[o.verb]
	for _, i := range infos {
		obj := tree.Copy(i.Object)
		if err := o.edit(s, obj); err != nil {
			errs = append(errs, fmt.Errorf("error: %s %q %v", i.Mapping.GroupResource(), i.Name, err))
			continue
		}
		patch := smerge.TwoWay(i.Object, obj, schema.ForKind(i.Mapping.Group, i.Mapping.Version, i.Mapping.Kind))
		if len(patch) == 0 {
			errs = append(errs, fmt.Errorf("failed to create patch for %v: if restart has already been triggered within the past second, please wait before attempting to trigger another", i.Name))
			continue
		}
		answer, err := i.patch(writer{Manager: o.manager}, StrategicMergePatch, patch)
		if err != nil {
			errs = append(errs, fmt.Errorf("failed to patch: %v", err))
			continue
		}
		if err := o.out.print(s, done, DryRunNone, answer); err != nil {
			errs = append(errs, err)
		}
	}
	return NewAggregate(errs)
}
