// kubectl describe: what an object is and what has happened to it.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_describe/

package kubectl

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/describe"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func describeCommand() *Command {
	return &Command{
		Use:   "describe (-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME)",
		Short: "Show details of a specific resource or group of resources",
		Long:  "Shows an object in full: its fields, what belongs to it, and its events.\n\nA name may also be the beginning of names: then all objects that begin so are shown.",
		Examples: `# A node
kubectl describe nodes kind-control-plane
# A pod
kubectl describe pods/nginx
# The pods with a label
kubectl describe pods -l app=web`,
		New: func() Verb { return &describeOptions{} },
	}
}

type describeOptions struct {
	files         FilenameOptions
	selector      string
	allNamespaces bool
	showEvents    bool
	chunk         int64
	namespace     string
	explicit      bool
	args          []string
}

func (o *describeOptions) Flags(f *pflag.FlagSet) {
	o.files.flags(f, "with the objects to describe")
	selectorFlag(f, &o.selector)
	allNamespacesFlag(f, &o.allNamespaces)
	f.BoolVar(&o.showEvents, "show-events", true, "Show the object's events; not the default for several objects")
	chunkFlag(f, &o.chunk)
}

func (o *describeOptions) Complete(s *Session, args []string) error {
	var err error
	if o.namespace, o.explicit, err = s.Namespace(); err != nil {
		return err
	}
	if o.allNamespaces {
		o.explicit = false
	}
	if len(args) == 0 && o.files.Empty() {
		return fmt.Errorf("You must specify the type of resource to describe. %s\n", "Use \"kubectl api-resources\" for a complete list of supported resources.")
	}
	o.args = args
	return nil
}

func (o *describeOptions) Validate() error { return nil }

func (o *describeOptions) builder(s *Session, args []string) *Builder {
	return &Builder{
		S: s, Namespace: o.namespace, EnforceNamespace: o.explicit, AllNamespaces: o.allNamespaces, Files: o.files,
		Selector: o.selector, Args: args, TypeOnlyMeansAll: true, ContinueOnError: true, Flatten: true, Chunk: o.chunk,
	}
}

func (o *describeOptions) Run(s *Session) error {
	r := o.builder(s, o.args).Do()
	if r.Err() != nil {
		return r.Err()
	}
	var errs []error
	infos, err := r.Infos()
	events := o.showEvents
	if (err != nil || len(infos) > 1) && !s.Changed("show-events") {
		events = false
	}
	if err != nil {
		if apierrors.IsNotFound(err) && len(o.args) == 2 {
			return o.byPrefix(s, err, events)
		}
		errs = append(errs, err)
	}
	seen := map[string]bool{}
	first := true
	for _, i := range infos {
		text, err := s.describe(i, events)
		if err != nil {
			if !seen[err.Error()] {
				seen[err.Error()] = true
				errs = append(errs, err)
			}
			continue
		}
		if first {
			first = false
			s.Printf("%s", text)
		} else {
			s.Printf("\n\n%s", text)
		}
	}
	if len(infos) == 0 && len(errs) == 0 {
		if o.allNamespaces {
			s.Errorf("No resources found\n")
		} else {
			s.Errorf("No resources found in %s namespace.\n", o.namespace)
		}
	}
	return NewAggregate(errs)
}

// byPrefix describes everything whose name begins as typed.
func (o *describeOptions) byPrefix(s *Session, notFound error, events bool) error {
	r := o.builder(s, o.args[:1]).Do()
	infos, err := r.Infos()
	if err != nil {
		return err
	}
	found := false
	for _, i := range infos {
		if !strings.HasPrefix(i.Name, o.args[1]) {
			continue
		}
		found = true
		text, err := s.describe(i, events)
		if err != nil {
			return err
		}
		s.Printf("%s\n", text)
	}
	if !found {
		return notFound
	}
	return nil
}

// describe is the page of an object that was read already.
func (s *Session) describe(i *Info, events bool) (string, error) {
	c, err := s.Client()
	if err != nil {
		return "", err
	}
	src := c.describeSource(events)
	m := i.Mapping
	if m.Resource == "horizontalpodautoscalers" {
		m = &Mapping{Group: m.Group, Version: "v2", Resource: m.Resource, Namespaced: true}
	}
	resp, err := c.Do(&rest.Request{Method: "GET", Path: m.Path(i.Namespace, i.Name, "")})
	if err != nil {
		return "", err
	}
	obj, err := typedObject(resp)
	if err != nil {
		return "", err
	}
	return describe.Object(src, obj)
}

func typedObject(resp *rest.Response) (metav1.Object, error) {
	if o, ok := resp.Object.(metav1.Object); ok {
		return o, nil
	}
	t, err := ResponseTree(resp)
	if err != nil {
		return nil, err
	}
	return api.Decode(t)
}

func (c *Client) describeSource(events bool) describe.Source {
	find := func(group, resource string) (*Mapping, error) {
		m, err := c.Mapper()
		if err != nil {
			return nil, err
		}
		if e := m.byResource(group, "", resource); e != nil && e.Group == group {
			return e, nil
		}
		return nil, &noResourceMatch{group: group, resource: resource}
	}
	return describe.Source{
		Now: c.s.Now(), Events: events,
		Get: func(group, resource, namespace, name string) (metav1.Object, error) {
			m, err := find(group, resource)
			if err != nil {
				return nil, err
			}
			resp, err := c.Do(&rest.Request{Method: "GET", Path: m.Path(namespace, name, "")})
			if err != nil {
				return nil, err
			}
			return typedObject(resp)
		},
		List: func(group, resource, namespace string, query url.Values) ([]metav1.Object, error) {
			m, err := find(group, resource)
			if group == "" && resource == "events" {
				m = &Mapping{Version: "v1", Resource: "events", Namespaced: true}
			} else if err != nil {
				return nil, err
			}
			resp, err := c.Do(&rest.Request{Method: "GET", Path: m.Path(namespace, "", ""), Query: cloneQuery(query)})
			if err != nil {
				return nil, err
			}
			if l, ok := resp.Object.(*metav1.List); ok {
				return append([]metav1.Object(nil), l.Items...), nil
			}
			t, err := ResponseTree(resp)
			if err != nil {
				return nil, err
			}
			var out []metav1.Object
			for _, item := range tree.Maps(t, "items") {
				if tree.Kind(item) == "" {
					item["apiVersion"], item["kind"] = m.APIVersion(), m.Kind
				}
				o, err := api.Decode(item)
				if err != nil {
					return nil, err
				}
				out = append(out, o)
			}
			return out, nil
		},
	}
}
