// kubectl auth: may I, and who am I.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_auth/

package kubectl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	authenticationv1 "github.com/kubonsai/kubonsai/sim/api/authentication/v1"
	authorizationv1 "github.com/kubonsai/kubonsai/sim/api/authorization/v1"
	rbacv1 "github.com/kubonsai/kubonsai/sim/api/rbac/v1"

	"github.com/kubonsai/kubonsai/sim/api"
	"github.com/kubonsai/kubonsai/sim/kubectl/describe"
	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func authCommand() *Command {
	return &Command{
		Use: "auth [flags]", Short: "Inspect authorization", Long: "Inspects who you are and what you may do.", New: needsSubcommand,
		Sub: []*Command{
			{
				Use: "can-i VERB [TYPE | TYPE/NAME | NONRESOURCEURL]", Short: "Check whether an action is allowed",
				Examples: "# May I create pods anywhere?\nkubectl auth can-i create pods --all-namespaces\n# Everything I may do\nkubectl auth can-i --list",
				New:      func() Verb { return &canIOptions{} },
			},
			{
				Use: "reconcile -f FILENAME", Short: "Reconcile roles and bindings with files",
				Long:     "Create roles and bindings, and their namespaces, or add to them what files ask for beyond what they permit.",
				Examples: "kubectl auth reconcile -f roles.yaml",
				New:      func() Verb { return &reconcileOptions{} },
			},
			{Use: "whoami", Short: "Experimental: Check self subject attributes", New: func() Verb { return &whoAmIOptions{} }},
		},
	}
}

type canIOptions struct {
	allNamespaces bool
	quiet, list   bool
	noHeaders     bool
	subresource   string

	namespace, verb, name, url string
	resource, group            string
}

func (o *canIOptions) Flags(f *pflag.FlagSet) {
	allNamespacesFlag(f, &o.allNamespaces)
	f.BoolVarP(&o.quiet, "quiet", "q", false, "Say nothing, only the exit status counts")
	f.StringVar(&o.subresource, "subresource", "", "Subresource, such as pod/log or deployment/scale")
	f.BoolVar(&o.list, "list", false, "List everything that is allowed")
	f.BoolVar(&o.noHeaders, "no-headers", false, "Leave out the headers of --list")
}

var (
	canIVerbs    = " get list watch create update patch delete deletecollection use bind impersonate * approve sign escalate attest "
	canIURLVerbs = " get put post head options delete patch * "
)

func (o *canIOptions) Complete(s *Session, args []string) error {
	switch {
	case o.list && len(args) != 0:
		return errors.New("list option must be specified with no arguments")
	case !o.list && len(args) != 2:
		return errors.New("you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.")
	}
	var err error
	if o.namespace, _, err = s.Namespace(); err != nil {
		return err
	}
	if o.allNamespaces {
		o.namespace = ""
	}
	if o.list {
		return nil
	}
	o.verb = args[0]
	if strings.HasPrefix(args[1], "/") {
		o.url = args[1]
		if !strings.Contains(canIURLVerbs, " "+o.verb+" ") {
			s.Warn(fmt.Sprintf("verb '%s' is not a known verb\n", o.verb))
		}
		return nil
	}
	if !strings.Contains(canIVerbs, " "+o.verb+" ") {
		s.Warn(fmt.Sprintf("verb '%s' is not a known verb\n", o.verb))
	}
	typed, name, _ := strings.Cut(args[1], "/")
	o.name = name
	if typed == "*" {
		o.resource = "*"
		return nil
	}
	c, err := s.Client()
	if err != nil {
		return err
	}
	mapper, err := c.Mapper()
	if err != nil {
		return err
	}
	m, err := mapper.Find(typed)
	if err != nil {
		resource, group, _ := strings.Cut(typed, ".")
		o.resource, o.group = typed, ""
		if group != "" {
			o.resource, o.group = resource, group
			s.Warn(fmt.Sprintf("the server doesn't have a resource type '%s' in group '%s'\n", resource, group))
		} else {
			s.Warn(fmt.Sprintf("the server doesn't have a resource type '%s'\n", resource))
		}
		return nil
	}
	o.resource, o.group = m.Resource, m.Group
	if !m.Namespaced && !o.allNamespaces {
		if o.group != "" {
			s.Warn(fmt.Sprintf("resource '%s' is not namespace scoped in group '%s'\n", o.resource, o.group))
		} else {
			s.Warn(fmt.Sprintf("resource '%s' is not namespace scoped\n", o.resource))
		}
	}
	return nil
}

func (o *canIOptions) Validate() error {
	switch {
	case o.list && (o.quiet || o.allNamespaces || o.subresource != ""):
		return errors.New("list option can't be specified with neither quiet, all-namespaces nor subresource options")
	case o.url != "" && o.subresource != "":
		return errors.New("--subresource can not be used with NonResourceURL")
	case !o.list && o.noHeaders:
		return errors.New("--no-headers cannot be set without --list specified")
	}
	return nil
}

func accessMapping(group, kind, resource string) *Mapping {
	return &Mapping{Group: group, Version: "v1", Kind: kind, Resource: resource}
}

func (o *canIOptions) Run(s *Session) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	if o.list {
		return o.listRules(s, c)
	}
	spec := tree.Map{"nonResourceAttributes": tree.Map{"verb": o.verb, "path": o.url}}
	if o.url == "" {
		spec = tree.Map{"resourceAttributes": tree.Map{
			"namespace": o.namespace, "verb": o.verb, "group": o.group, "resource": o.resource, "subresource": o.subresource, "name": o.name,
		}}
	}
	m := accessMapping("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews")
	answer, err := c.Send("POST", m, "", "", "", nil, tree.Map{"apiVersion": m.APIVersion(), "kind": m.Kind, "spec": spec})
	if err != nil {
		return err
	}
	allowed := tree.Bool(answer, "status", "allowed")
	if !o.quiet {
		if allowed {
			s.Printf("yes\n")
		} else {
			text := "no"
			if r := tree.String(answer, "status", "reason"); r != "" {
				text += " - " + r
			}
			if e := tree.String(answer, "status", "evaluationError"); e != "" {
				text += " - " + e
			}
			s.Printf("%s\n", text)
		}
	}
	if !allowed {
		return ErrExit
	}
	return nil
}

func (o *canIOptions) listRules(s *Session, c *Client) error {
	m := accessMapping("authorization.k8s.io", "SelfSubjectRulesReview", "selfsubjectrulesreviews")
	answer, err := c.Send("POST", m, "", "", "", nil, tree.Map{"apiVersion": m.APIVersion(), "kind": m.Kind, "spec": tree.Map{"namespace": o.namespace}})
	if err != nil {
		return err
	}
	review := new(authorizationv1.SelfSubjectRulesReview)
	if err := api.FromTree(answer, review); err != nil {
		return err
	}
	if review.Status.Incomplete {
		s.Warn(fmt.Sprintf("the list may be incomplete: %v", review.Status.EvaluationError))
	}
	var rules []rbacv1.PolicyRule
	for _, r := range review.Status.ResourceRules {
		rules = append(rules, rbacv1.PolicyRule{Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames})
	}
	for _, r := range review.Status.NonResourceRules {
		rules = append(rules, rbacv1.PolicyRule{Verbs: r.Verbs, NonResourceURLs: r.NonResourceURLs})
	}
	w := printer.NewTabWriter(s.Stdout)
	if !o.noHeaders {
		fmt.Fprintln(w, "Resources\tNon-Resource URLs\tResource Names\tVerbs")
	}
	for _, r := range describe.SplitRules(rules) {
		fmt.Fprintf(w, "%s\t%v\t%v\t%v\n", r.Resource, r.URLs, r.Names, r.Verbs)
	}
	return w.Flush()
}

type whoAmIOptions struct{ print PrintFlags }

func (o *whoAmIOptions) Flags(f *pflag.FlagSet)                   { o.print.Flags(f) }
func (o *whoAmIOptions) Complete(s *Session, args []string) error { return nil }
func (o *whoAmIOptions) Validate() error                          { return nil }

func (o *whoAmIOptions) Run(s *Session) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	m := accessMapping("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews")
	answer, err := c.Send("POST", m, "", "", "", nil, tree.Map{"apiVersion": m.APIVersion(), "kind": m.Kind})
	if err != nil {
		return err
	}
	if o.print.Output != "" {
		p, err := o.print.Printer(s, DryRunNone)
		if err != nil {
			return err
		}
		review := new(authenticationv1.SelfSubjectReview)
		if err := api.FromTree(answer, review); err != nil {
			return err
		}
		return p.Print(review, s.Stdout)
	}
	w := printer.NewTabWriter(s.Stdout)
	fmt.Fprintln(w, "ATTRIBUTE\tVALUE")
	info := tree.Sub(answer, "status", "userInfo")
	if v := tree.String(info, "username"); v != "" {
		fmt.Fprintf(w, "Username\t%s\n", v)
	}
	if v := tree.String(info, "uid"); v != "" {
		fmt.Fprintf(w, "UID\t%s\n", v)
	}
	if v := tree.Slice(info, "groups"); len(v) > 0 {
		fmt.Fprintf(w, "Groups\t%v\n", v)
	}
	extra := tree.Sub(info, "extra")
	for _, k := range tree.Keys(extra) {
		fmt.Fprintf(w, "Extra: %s\t%v\n", k, extra[k])
	}
	return w.Flush()
}
