// kubectl auth reconcile: roles and bindings as files want them, with what they
// have beyond that left alone unless told otherwise. Rules are compared by what
// they permit, as k8s.io/component-helpers/auth/rbac does.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_auth/kubectl_auth_reconcile/

package kubectl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

type reconcileOptions struct {
	files                             FilenameOptions
	out                               outputFlags
	removePermissions, removeSubjects bool
	dryRunText                        string
	dryRun                            DryRun
}

func (o *reconcileOptions) Flags(f *pflag.FlagSet) {
	o.out.flags(f)
	o.files.flags(f, "identifying the resource to reconcile.")
	f.BoolVar(&o.removePermissions, "remove-extra-permissions", false, "Take away what roles permit beyond the file")
	f.BoolVar(&o.removeSubjects, "remove-extra-subjects", false, "Take away the subjects that bindings have beyond the file")
	dryRunFlag(f, &o.dryRunText)
}

func (o *reconcileOptions) Complete(s *Session, args []string) (err error) {
	if err := o.files.Require(); err != nil {
		return err
	}
	if len(args) > 0 {
		return errors.New("no arguments are allowed")
	}
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return fmt.Errorf("error accessing --dry-run flag for command reconcile: %v", err)
	}
	if o.dryRun == DryRunServer {
		return errors.New("--dry-run=server for command reconcile is not supported yet")
	}
	return nil
}

func (o *reconcileOptions) Validate() error { return nil }

func (o *reconcileOptions) Run(s *Session) error {
	b, err := s.objects(o.files, nil)
	if err != nil {
		return err
	}
	b.Local = true
	if err := o.out.check(s); err != nil {
		return err
	}
	c, err := s.Client()
	if err != nil {
		return err
	}
	return b.Do().Visit(func(i *Info) error {
		group, version, _ := strings.Cut(tree.APIVersion(i.Object), "/")
		m := &Mapping{Group: group, Version: version, Kind: tree.Kind(i.Object)}
		switch m.Kind {
		case "Role", "RoleBinding":
			m.Namespaced = true
		case "ClusterRole", "ClusterRoleBinding":
		default:
			return nil
		}
		m.Resource = strings.ToLower(m.Kind) + "s"
		switch {
		case group != "rbac.authorization.k8s.io":
			return nil
		case version != "v1":
			return fmt.Errorf("only rbac.authorization.k8s.io/v1 is supported: not *%s.%s", version, m.Kind)
		}
		r := &reconciliation{options: o, c: c, m: m, want: i.Object}
		for tries := 0; ; tries++ {
			if err := r.run(); err != nil && (tries == 2 || !apierrors.IsConflict(err)) {
				return err
			} else if err == nil {
				return r.print(s)
			}
		}
	})
}

// rbacBody is what a role or a binding has beside its metadata.
type rbacBody struct {
	Rules           []rbacv1.PolicyRule     `json:"rules,omitempty"`
	AggregationRule *rbacv1.AggregationRule `json:"aggregationRule,omitempty"`
	RoleRef         rbacv1.RoleRef          `json:"roleRef,omitempty"`
	Subjects        []rbacv1.Subject        `json:"subjects,omitempty"`
}

// reconciliation is that of one object.
type reconciliation struct {
	options *reconcileOptions
	c       *Client
	m       *Mapping
	want    tree.Map

	operation                      string // "", create, update, recreate
	protected                      bool
	result                         tree.Map
	missingRules, extraRules       []rbacv1.PolicyRule
	missingSubjects, extraSubjects []rbacv1.Subject
}

func (r *reconciliation) run() error {
	namespace, name := tree.Namespace(r.want), tree.Name(r.want)
	var want, have rbacBody
	if err := api.FromTree(r.want, &want); err != nil {
		return err
	}
	existing, err := r.c.Get(r.m, namespace, name, "")
	switch {
	case apierrors.IsNotFound(err):
		r.operation, r.result = "create", r.want
		r.missingRules, r.missingSubjects = want.Rules, want.Subjects
	case err != nil:
		return err
	default:
		if err := api.FromTree(existing, &have); err != nil {
			return err
		}
		r.compare(existing, &have, &want)
	}
	if r.protected || r.options.dryRun != DryRunNone {
		return nil
	}
	switch r.operation {
	case "recreate":
		_, err := r.c.Delete(r.m, namespace, name, tree.Map{"preconditions": tree.Map{"uid": tree.String(existing, "metadata", "uid")}})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		fallthrough
	case "create":
		if r.m.Namespaced {
			if err := r.ensureNamespace(namespace); err != nil {
				return err
			}
		}
		r.result, err = r.c.Send("POST", r.m, namespace, "", "", nil, r.result)
	case "update":
		r.result, err = r.c.Send("PUT", r.m, namespace, name, "", nil, r.result)
	default:
		return nil
	}
	return err
}

// ensureNamespace makes the namespace, if it is not there and may be made.
func (r *reconciliation) ensureNamespace(name string) error {
	m := &Mapping{Version: "v1", Kind: "Namespace", Resource: "namespaces"}
	_, err := r.c.Get(m, "", name, "")
	if apierrors.IsNotFound(err) {
		_, err = r.c.Send("POST", m, "", "", "", nil, tree.Map{"apiVersion": "v1", "kind": m.Kind, "metadata": tree.Map{"name": name}})
	}
	if apierrors.IsForbidden(err) || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// compare finds out what must become of an existing object.
func (r *reconciliation) compare(existing tree.Map, have, want *rbacBody) {
	r.operation = ""
	r.protected = tree.Strings(existing, "metadata", "annotations")[rbacv1.AutoUpdateAnnotationKey] == "false"
	if want.RoleRef != have.RoleRef {
		r.operation, r.result = "recreate", r.want
		return
	}
	r.result = tree.Copy(existing)
	set := func(value any, path ...string) {
		tree.Set(r.result, value, path...)
		r.operation = "update"
	}
	for _, field := range []string{"annotations", "labels"} {
		has := tree.Sub(existing, "metadata", field)
		for _, k := range tree.Keys(tree.Sub(r.want, "metadata", field)) {
			if _, ok := has[k]; !ok {
				set(tree.Sub(r.want, "metadata", field)[k], "metadata", field, k)
			}
		}
	}
	body := *have
	if want.AggregationRule == nil || have.AggregationRule == nil {
		r.extraRules = uncovered(want.Rules, have.Rules)
	}
	r.missingRules = uncovered(have.Rules, want.Rules)
	remove := r.options.removePermissions
	if len(r.missingRules) > 0 || remove && len(r.extraRules) > 0 {
		body.Rules = append(slices.Clone(have.Rules), r.missingRules...)
		if remove {
			body.Rules = want.Rules
		}
	}
	missing := without(selectors(r.want), selectors(existing))
	switch extra := without(selectors(existing), selectors(r.want)); {
	case want.AggregationRule == nil && have.AggregationRule != nil:
		tree.Delete(r.result, "aggregationRule")
		r.operation = "update"
	case remove && len(missing)+len(extra) > 0:
		set(tree.Get(r.want, "aggregationRule"), "aggregationRule")
	case len(missing) > 0:
		set(append(slices.Clone(selectors(existing)), missing...), "aggregationRule", "clusterRoleSelectors")
	}
	r.missingSubjects, r.extraSubjects = lacking(want.Subjects, have.Subjects), lacking(have.Subjects, want.Subjects)
	if len(r.missingSubjects) > 0 || r.options.removeSubjects && len(r.extraSubjects) > 0 {
		body.Subjects = append(slices.Clone(have.Subjects), r.missingSubjects...)
		if r.options.removeSubjects {
			body.Subjects = want.Subjects
		}
	}
	if t, err := api.ToTree(&body); err == nil {
		for _, field := range []string{"rules", "subjects"} {
			if !smerge.Equal(tree.Slice(t, field), tree.Slice(existing, field)) {
				set(t[field], field)
			}
		}
	}
}

func selectors(obj tree.Map) []any { return tree.Slice(obj, "aggregationRule", "clusterRoleSelectors") }

// without are the elements of list that the other one has not.
func without(list, other []any) (out []any) {
	for _, x := range list {
		if !slices.ContainsFunc(other, func(y any) bool { return smerge.Equal(x, y) }) {
			out = append(out, x)
		}
	}
	return out
}

func lacking(list, other []rbacv1.Subject) (out []rbacv1.Subject) {
	for _, x := range list {
		if !slices.Contains(other, x) && !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// uncovered is what rules permit beyond those of an owner, one verb of one
// resource or path each.
func uncovered(owner, rules []rbacv1.PolicyRule) (out []rbacv1.PolicyRule) {
	add := func(one rbacv1.PolicyRule) {
		if !slices.ContainsFunc(owner, func(r rbacv1.PolicyRule) bool { return covers(&r, &one) }) {
			out = append(out, one)
		}
	}
	for _, r := range rules {
		for _, g := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, v := range r.Verbs {
					one := rbacv1.PolicyRule{APIGroups: []string{g}, Resources: []string{resource}, Verbs: []string{v}}
					for _, name := range r.ResourceNames {
						one.ResourceNames = []string{name}
						add(one)
					}
					if len(r.ResourceNames) == 0 {
						add(one)
					}
				}
			}
		}
		for _, u := range r.NonResourceURLs {
			for _, v := range r.Verbs {
				add(rbacv1.PolicyRule{NonResourceURLs: []string{u}, Verbs: []string{v}})
			}
		}
	}
	return out
}

// covers reports whether a rule permits what one with at most one element of each sort does.
func covers(r, one *rbacv1.PolicyRule) bool {
	in := func(set, wanted []string, alike func(has, want string) bool) bool {
		return len(wanted) == 0 || slices.ContainsFunc(set, func(has string) bool { return has == wanted[0] || alike(has, wanted[0]) })
	}
	star := func(has, _ string) bool { return has == "*" }
	return in(r.Verbs, one.Verbs, star) && in(r.APIGroups, one.APIGroups, star) &&
		in(r.Resources, one.Resources, func(has, want string) bool {
			_, sub, ok := strings.Cut(want, "/")
			return has == "*" || ok && has == "*/"+sub
		}) &&
		in(r.NonResourceURLs, one.NonResourceURLs, func(has, want string) bool {
			return strings.HasSuffix(has, "*") && strings.HasPrefix(want, strings.TrimRight(has, "*"))
		}) &&
		(len(r.ResourceNames) == 0 || len(one.ResourceNames) > 0 && slices.Contains(r.ResourceNames, one.ResourceNames[0]))
}

func (r *reconciliation) print(s *Session) error {
	o := r.options
	if err := o.out.print(s, "reconciled", o.dryRun, r.result); err != nil {
		return err
	}
	if r.operation == "" {
		return nil
	}
	caveat := ""
	if r.protected {
		caveat = ", but object opted out (rbac.authorization.kubernetes.io/autoupdate: false)"
	}
	s.Errorf("\treconciliation required %s%s\n", r.operation, caveat)
	list(s, "missing subjects added", r.missingSubjects, true)
	list(s, "extra subjects removed", r.extraSubjects, o.removeSubjects)
	list(s, "missing rules added", r.missingRules, true)
	list(s, "extra rules removed", r.extraRules, o.removePermissions)
	return nil
}

func list[T any](s *Session, title string, items []T, show bool) {
	if !show || len(items) == 0 {
		return
	}
	s.Errorf("\t%s:\n", title)
	for _, x := range items {
		s.Errorf("\t\t%+v\n", x)
	}
}
