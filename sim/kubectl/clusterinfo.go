// kubectl cluster-info: where the control plane and the cluster's services are.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_cluster-info/

package kubectl

import (
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func clusterInfoCommand() *Command {
	return &Command{
		Use: "cluster-info [flags]", Short: "Display cluster information",
		Long:     "Shows the addresses of the control plane and of services labelled kubernetes.io/cluster-service=true.",
		Examples: "# Where the cluster is\nkubectl cluster-info",
		New:      func() Verb { return &clusterInfoOptions{} },
		Sub: []*Command{{
			Use: "dump [flags]", Short: "Dump relevant information for debugging and diagnosis",
			New: func() Verb { return &clusterInfoDumpOptions{} },
		}},
	}
}

type clusterInfoOptions struct{}

func (o *clusterInfoOptions) Flags(f *pflag.FlagSet)                   {}
func (o *clusterInfoOptions) Complete(s *Session, args []string) error { return nil }
func (o *clusterInfoOptions) Validate() error                          { return nil }

func (o *clusterInfoOptions) Run(s *Session) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	m, err := c.Mapper()
	if err != nil {
		return err
	}
	services, err := m.Find("services")
	if err != nil {
		return err
	}
	show := func(name, at string) { s.Printf("%s is running at %s\n", name, at) }
	server := strings.TrimSuffix(c.Server(), "/")
	show("Kubernetes control plane", server)
	list, err := c.List(services, "kube-system", url.Values{"labelSelector": {"kubernetes.io/cluster-service=true"}}, 0)
	if err != nil {
		return err
	}
	for _, svc := range tree.Maps(list, "items") {
		name := tree.Name(svc)
		port := ""
		if ports := tree.Maps(svc, "spec", "ports"); len(ports) > 0 {
			port = ":" + tree.String(ports[0], "name")
		}
		title := tree.String(svc, "metadata", "labels", "kubernetes.io/name")
		if title == "" {
			title = name
		}
		show(title, server+"/api/v1/namespaces/"+tree.Namespace(svc)+"/services/"+name+port+"/proxy")
	}
	s.Printf("\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n")
	return nil
}

type clusterInfoDumpOptions struct {
	allNamespaces bool
	namespaces    []string
	directory     string
	print         PrintFlags
}

func (o *clusterInfoDumpOptions) Flags(f *pflag.FlagSet) {
	o.print.Output = "json"
	o.print.Flags(f)
	f.StringVar(&o.directory, "output-directory", "", "Directory for the files; '-' or nothing prints everything")
	f.StringSliceVar(&o.namespaces, "namespaces", nil, "Namespaces to dump")
	f.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "Dump all namespaces")
	f.Duration("pod-running-timeout", 20e9, "How long to wait for a pod to run")
}
func (o *clusterInfoDumpOptions) Complete(s *Session, args []string) error { return nil }
func (o *clusterInfoDumpOptions) Validate() error                          { return nil }

func (o *clusterInfoDumpOptions) Run(s *Session) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	mapper, err := c.Mapper()
	if err != nil {
		return err
	}
	p, err := o.print.Printer(s, DryRunNone)
	if err != nil {
		return err
	}
	dump := func(p printer.Printer, resource, namespace string) error {
		m, err := mapper.Find(resource)
		if err != nil {
			return err
		}
		list, err := c.List(m, namespace, nil, 0)
		if err != nil {
			return err
		}
		typed := new(metav1.List)
		if err := api.FromTree(list, typed); err != nil {
			return err
		}
		for _, obj := range typed.Items { // as in lists of the real one's clients
			*obj.GetTypeMeta() = metav1.TypeMeta{}
		}
		return p.Print(typed, s.Stdout)
	}
	if err := dump(p, "nodes", ""); err != nil {
		return err
	}
	namespaces := o.namespaces
	if len(namespaces) == 0 {
		namespaces = []string{"kube-system", "default"}
	}
	if o.allNamespaces {
		namespaces = []string{""}
	}
	for _, ns := range namespaces {
		for _, r := range []string{"events", "replicationcontrollers", "services", "daemonsets.apps", "deployments.apps", "replicasets.apps", "pods"} {
			if err := dump(p, r, ns); err != nil {
				return err
			}
		}
	}
	return nil
}
