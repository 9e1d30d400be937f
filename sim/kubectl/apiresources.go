// kubectl api-resources and api-versions: what the server serves.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_api-resources/

package kubectl

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/pflag"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
)

func apiResourcesCommand() *Command {
	return &Command{
		Use: "api-resources [flags]", Short: "Print the supported API resources on the server",
		Examples: "# All of them\nkubectl api-resources\n# Those outside of namespaces\nkubectl api-resources --namespaced=false",
		New:      func() Verb { return &apiResourcesOptions{} },
	}
}

type apiResourcesOptions struct {
	output, apiGroup, sortBy   string
	namespaced, noHeaders      bool
	cached                     bool
	verbs, categories          []string
	groupGiven, namespaceGiven bool
	print                      PrintFlags
}

func (o *apiResourcesOptions) Flags(f *pflag.FlagSet) {
	f.BoolVar(&o.noHeaders, "no-headers", false, "Leave out the headers")
	f.StringVarP(&o.output, "output", "o", "", "Output format: (json, yaml, kyaml, name, wide)")
	f.StringVar(&o.apiGroup, "api-group", "", "Only this API group")
	f.BoolVar(&o.namespaced, "namespaced", true, "Only resources within namespaces, or with =false those outside")
	f.StringSliceVar(&o.verbs, "verbs", nil, "Only resources that have all of these verbs")
	f.StringVar(&o.sortBy, "sort-by", "", "Sort by name or kind")
	f.BoolVar(&o.cached, "cached", false, "Use what is cached")
	f.StringSliceVar(&o.categories, "categories", nil, "Only resources of these categories")
	f.BoolVar(&o.print.ManagedFields, "show-managed-fields", false, "Print metadata.managedFields with JSON and YAML")
}

func (o *apiResourcesOptions) Complete(s *Session, args []string) error {
	if len(args) > 0 {
		return s.UsageErrorf("unexpected arguments: %v", args)
	}
	o.groupGiven, o.namespaceGiven = s.Changed("api-group"), s.Changed("namespaced")
	return nil
}

func (o *apiResourcesOptions) Validate() error {
	switch o.output {
	case "", "wide", "name", "json", "yaml", "kyaml":
	default:
		return &noPrinterError{o.output, []string{"json", "yaml", "kyaml", "name", "wide"}}
	}
	switch o.sortBy {
	case "", "name", "kind":
		return nil
	}
	return errors.New("--sort-by accepts only name or kind")
}

func (o *apiResourcesOptions) Run(s *Session) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	mapper, err := c.FreshMapper()
	if err != nil {
		return err
	}
	var list []*Mapping
	for _, m := range mapper.All {
		if !m.Preferred || len(m.Verbs) == 0 || o.groupGiven && m.Group != o.apiGroup || o.namespaceGiven && m.Namespaced != o.namespaced {
			continue
		}
		if !hasAll(m.Verbs, o.verbs) || !hasAll(m.Categories, o.categories) {
			continue
		}
		list = append(list, m)
	}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		switch o.sortBy {
		case "name":
			return a.Resource < b.Resource
		case "kind":
			return a.Kind < b.Kind
		}
		if a.Group != b.Group {
			return a.Group < b.Group
		}
		return a.Resource < b.Resource
	})
	if p, err := o.print.document(s, o.output); p != nil || err != nil {
		if err != nil {
			return err
		}
		out := &metav1.APIResourceList{APIResources: make([]metav1.APIResource, len(list))}
		out.Kind, out.APIVersion = "APIResourceList", "v1"
		for i, m := range list {
			out.APIResources[i] = metav1.APIResource{Name: m.Resource, SingularName: m.Singular, Namespaced: m.Namespaced, Group: m.Group,
				Version: m.Version, Kind: m.Kind, Verbs: m.Verbs, ShortNames: m.ShortNames, Categories: m.Categories}
		}
		return p.Print(out, s.Stdout)
	}
	w := printer.NewTabWriter(s.Stdout)
	defer w.Flush()
	if o.output == "name" {
		for _, m := range list {
			fmt.Fprintln(w, m.GroupResource())
		}
		return nil
	}
	wide := o.output == "wide"
	if !o.noHeaders {
		head := "NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND"
		if wide {
			head += "\tVERBS\tCATEGORIES"
		}
		fmt.Fprintln(w, head)
	}
	for _, m := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%v\t%s", m.Resource, strings.Join(m.ShortNames, ","), m.APIVersion(), m.Namespaced, m.Kind)
		if wide {
			fmt.Fprintf(w, "\t%s\t%s", strings.Join(m.Verbs, ","), strings.Join(m.Categories, ","))
		}
		fmt.Fprintln(w)
	}
	return nil
}

func hasAll(have, want []string) bool {
	for _, w := range want {
		found := false
		for _, h := range have {
			found = found || h == w
		}
		if !found {
			return false
		}
	}
	return true
}

func apiVersionsCommand() *Command {
	return &Command{
		Use: "api-versions", Short: `Print the supported API versions on the server, in the form of "group/version"`,
		Examples: "# All of them\nkubectl api-versions",
		New:      func() Verb { return &apiVersionsOptions{} },
	}
}

type apiVersionsOptions struct{}

func (o *apiVersionsOptions) Flags(f *pflag.FlagSet) {}
func (o *apiVersionsOptions) Complete(s *Session, args []string) error {
	if len(args) > 0 {
		return s.UsageErrorf("unexpected arguments: %v", args)
	}
	return nil
}
func (o *apiVersionsOptions) Validate() error { return nil }
func (o *apiVersionsOptions) Run(s *Session) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	mapper, err := c.FreshMapper()
	if err != nil {
		return err
	}
	for _, gv := range mapper.GroupVersions() {
		s.Printf("%s\n", gv)
	}
	return nil
}
