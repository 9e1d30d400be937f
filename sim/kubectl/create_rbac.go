// kubectl create role, rolebinding, clusterrole and clusterrolebinding.

package kubectl

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/pflag"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"
)

// roleRules are the flags that make rules.
type roleRules struct {
	verbs, resources, names, urls []string
}

func (r *roleRules) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&r.verbs, "verb", nil, "Verb that the rule allows; may be repeated")
	f.StringSliceVar(&r.resources, "resource", nil, "Resource, resource.group or resource/subresource; may be repeated")
	f.StringArrayVar(&r.names, "resource-name", nil, "Name that the rule is limited to; may be repeated")
}

func unique(list []string) []string {
	var out []string
	for _, v := range list {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

var resourceVerbs = []string{"*", "get", "delete", "list", "create", "update", "patch", "watch", "proxy", "deletecollection",
	"use", "bind", "escalate", "impersonate"}

// specialVerbs are for some resources only.
var specialVerbs = map[string][]string{
	"use":         {"podsecuritypolicies.policy", "podsecuritypolicies.extensions"},
	"bind":        {"roles.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io"},
	"escalate":    {"roles.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io"},
	"impersonate": {"users", "serviceaccounts", "groups", "userextras.authentication.k8s.io"},
}

// rules checks the flags against the server's resources and makes one rule for each API group.
func (r *roleRules) rules(s *Session) ([]rbacv1.PolicyRule, error) {
	r.verbs, r.names = unique(r.verbs), unique(r.names)
	if slices.Contains(r.verbs, "*") {
		r.verbs = []string{"*"}
	}
	for _, v := range r.verbs {
		if len(r.resources) > 0 && !slices.Contains(resourceVerbs, v) {
			s.Errorf("Warning: '%s' is not a standard resource verb\n", v)
		}
	}
	byGroup := map[string][]string{}
	for _, text := range r.resources {
		first, sub, _ := strings.Cut(text, "/")
		name, group, dotted := strings.Cut(first, ".")
		if name == "" {
			return nil, errors.New("resource must be specified if apiGroup/subresource specified")
		}
		if name != "*" {
			find := name
			if dotted {
				find = first
			}
			_, m, err := s.resource(find)
			if m != nil {
				name, group = m.Resource, m.Group
			}
			for _, v := range r.verbs {
				allowed, special := specialVerbs[v]
				if !special {
					continue
				}
				full := metav1.GroupResource{Group: group, Resource: name}.String()
				if !slices.Contains(allowed, full) {
					return nil, fmt.Errorf("can not perform '%s' on '%s' in group '%s'", v, name, group)
				}
				err = nil
			}
			if err != nil {
				return nil, &noResourceMatch{group: group, resource: name}
			}
		}
		if sub != "" {
			name += "/" + sub
		}
		if !slices.Contains(byGroup[group], name) {
			byGroup[group] = append(byGroup[group], name)
		}
		if text == "*" {
			byGroup = map[string][]string{"": {"*"}}
			break
		}
	}
	groups := make([]string, 0, len(byGroup))
	for g := range byGroup {
		groups = append(groups, g)
	}
	sort.Strings(groups)
	var out []rbacv1.PolicyRule
	for _, g := range groups {
		out = append(out, rbacv1.PolicyRule{Verbs: r.verbs, Resources: byGroup[g], APIGroups: []string{g}, ResourceNames: r.names})
	}
	if len(r.urls) > 0 {
		out = append(out, rbacv1.PolicyRule{Verbs: r.verbs, NonResourceURLs: r.urls})
	}
	return out, nil
}

func createRoleCommand() *Command {
	return &Command{
		Use:      "role NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] [--dry-run=server|client|none]",
		Short:    "Create a role with single rule",
		Examples: `kubectl create role reader --verb=get,list,watch --resource=pods,deployments.apps`,
		New:      func() Verb { return &createRole{} },
	}
}

type createRole struct {
	creator
	roleRules
}

func (o *createRole) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	o.roleRules.flags(f)
}

func (o *createRole) Validate() error {
	if len(o.verbs) == 0 {
		return errors.New("at least one verb must be specified")
	}
	if len(o.resources) == 0 {
		return errors.New("at least one resource must be specified")
	}
	return nil
}

func (o *createRole) Run(s *Session) error {
	rules, err := o.rules(s)
	if err != nil {
		return err
	}
	return o.create(&rbacv1.Role{ObjectMeta: o.meta(), Rules: rules}, "")
}

func createClusterRoleCommand() *Command {
	return &Command{
		Use:   "clusterrole NAME --verb=verb --resource=resource.group [--resource-name=resourcename] [--dry-run=server|client|none]",
		Short: "Create a cluster role",
		Examples: `kubectl create clusterrole node-reader --verb=get,list --resource=nodes
kubectl create clusterrole prober --verb=get --non-resource-url=/healthz`,
		New: func() Verb { return &createClusterRole{} },
	}
}

type createClusterRole struct {
	creator
	roleRules
	aggregation map[string]string
}

func (o *createClusterRole) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	o.roleRules.flags(f)
	f.StringSliceVar(&o.urls, "non-resource-url", nil, "Path that the rule allows; may be repeated")
	f.Var(&labelMap{&o.aggregation}, "aggregation-rule", "Labels of the cluster roles to combine")
}

// labelMap is a flag of key=value pairs, separated by commas.
type labelMap struct{ m *map[string]string }

func (l *labelMap) Type() string   { return "mapStringString" }
func (l *labelMap) String() string { return joinLabels(*l.m) }

// Set adds pairs.
func (l *labelMap) Set(text string) error {
	if *l.m == nil {
		*l.m = map[string]string{}
	}
	for _, pair := range strings.Split(text, ",") {
		if pair == "" {
			continue
		}
		k, v, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("malformed pair, expect string=string")
		}
		(*l.m)[strings.TrimSpace(k)] = strings.TrimSpace(v)
	}
	return nil
}

func (o *createClusterRole) Validate() error {
	if len(o.aggregation) > 0 {
		if len(o.urls)+len(o.verbs)+len(o.resources)+len(o.names) > 0 {
			return errors.New("aggregation rule must be specified without nonResourceURLs, verbs, resources or resourceNames")
		}
		return nil
	}
	if len(o.verbs) == 0 {
		return errors.New("at least one verb must be specified")
	}
	if len(o.resources) == 0 && len(o.urls) == 0 {
		return errors.New("one of resource or nonResourceURL must be specified")
	}
	if len(o.urls) > 0 {
		for _, v := range o.verbs {
			if !slices.Contains([]string{"*", "get", "post", "put", "delete", "patch", "head", "options"}, v) {
				return fmt.Errorf("invalid verb: '%s' for nonResourceURL", v)
			}
		}
	}
	for _, u := range o.urls {
		switch {
		case u == "*":
		case !strings.HasPrefix(u, "/"):
			return errors.New("nonResourceURL should start with /")
		case strings.Contains(u[:len(u)-1], "*"):
			return errors.New("nonResourceURL only supports wildcard matches when '*' is at the end")
		}
	}
	return nil
}

func (o *createClusterRole) Run(s *Session) error {
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: o.name}}
	if len(o.aggregation) > 0 {
		role.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: o.aggregation}}}
		return o.create(role, "")
	}
	var err error
	if role.Rules, err = o.rules(s); err != nil {
		return err
	}
	return o.create(role, "")
}

// bindingFlags name who gets a role.
type bindingFlags struct {
	clusterRole             string
	users, groups, accounts []string
}

func (b *bindingFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&b.clusterRole, "clusterrole", "", "Cluster role that is given")
	f.StringArrayVar(&b.users, "user", nil, "User who gets it; may be repeated")
	f.StringArrayVar(&b.groups, "group", nil, "Group that gets it; may be repeated")
	f.StringArrayVar(&b.accounts, "serviceaccount", nil, "Service account that gets it, <namespace>:<name>; may be repeated")
}

func (b *bindingFlags) subjects() ([]rbacv1.Subject, error) {
	var out []rbacv1.Subject
	for _, u := range b.users {
		out = append(out, rbacv1.Subject{Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: u})
	}
	for _, g := range b.groups {
		out = append(out, rbacv1.Subject{Kind: "Group", APIGroup: "rbac.authorization.k8s.io", Name: g})
	}
	for _, a := range b.accounts {
		parts := strings.Split(a, ":")
		if len(parts) != 2 || parts[0] == "" || parts[1] == "" {
			return nil, errors.New("serviceaccount must be <namespace>:<name>")
		}
		out = append(out, rbacv1.Subject{Kind: "ServiceAccount", Namespace: parts[0], Name: parts[1]})
	}
	return out, nil
}

func createRoleBindingCommand() *Command {
	return &Command{
		Use:   "rolebinding NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
		Short: "Create a role binding for a particular role or cluster role",
		New:   func() Verb { return &createRoleBinding{} },
	}
}

type createRoleBinding struct {
	creator
	bindingFlags
	role string
}

func (o *createRoleBinding) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	o.bindingFlags.flags(f)
	f.StringVar(&o.role, "role", "", "Role that is given")
}

func (o *createRoleBinding) Validate() error {
	if (o.clusterRole == "") == (o.role == "") {
		return errors.New("exactly one of clusterrole or role must be specified")
	}
	return nil
}

func (o *createRoleBinding) Run(*Session) error {
	b := &rbacv1.RoleBinding{ObjectMeta: o.meta(), RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: o.clusterRole}}
	if o.role != "" {
		b.RoleRef.Kind, b.RoleRef.Name = "Role", o.role
	}
	var err error
	if b.Subjects, err = o.subjects(); err != nil {
		return err
	}
	return o.create(b, "rolebinding:")
}

func createClusterRoleBindingCommand() *Command {
	return &Command{
		Use:   "clusterrolebinding NAME --clusterrole=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
		Short: "Create a cluster role binding for a particular cluster role",
		New:   func() Verb { return &createClusterRoleBinding{} },
	}
}

type createClusterRoleBinding struct {
	creator
	bindingFlags
}

func (o *createClusterRoleBinding) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	o.bindingFlags.flags(f)
	markRequired(f, "clusterrole")
}

func (o *createClusterRoleBinding) Run(*Session) error {
	b := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: o.name},
		RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: o.clusterRole}}
	var err error
	if b.Subjects, err = o.subjects(); err != nil {
		return err
	}
	return o.create(b, "clusterrolebinding:")
}
