// kubectl cluster-info: where the control plane and the cluster's services are.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_cluster-info/

package kubectl

import (
	"bytes"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
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
	extension := ".txt"
	if o.print.Output == "json" || o.print.Output == "yaml" {
		extension = "." + o.print.Output
	}
	dump := func(resource, namespace, file string) ([]metav1.Object, error) {
		m, err := mapper.Find(resource)
		if err != nil {
			return nil, err
		}
		list, err := c.List(m, namespace, nil, 0)
		if err != nil {
			return nil, err
		}
		typed := new(metav1.List)
		if err := api.FromTree(list, typed); err != nil {
			return nil, err
		}
		for _, obj := range typed.Items { // as in lists of the real one's clients
			*obj.GetTypeMeta() = metav1.TypeMeta{}
		}
		var b bytes.Buffer
		if err := p.Print(typed, &b); err != nil {
			return nil, err
		}
		return typed.Items, o.write(s, path.Join(namespace, file)+extension, b.Bytes())
	}
	if _, err := dump("nodes", "", "nodes"); err != nil {
		return err
	}
	namespaces := o.namespaces
	if len(namespaces) == 0 {
		current, _, err := s.Namespace()
		if err != nil {
			return err
		}
		namespaces = []string{"kube-system", current}
	}
	if o.allNamespaces {
		namespaces = nil
		m, err := mapper.Find("namespaces")
		if err != nil {
			return err
		}
		list, err := c.List(m, "", nil, 0)
		if err != nil {
			return err
		}
		for _, ns := range tree.Maps(list, "items") {
			namespaces = append(namespaces, tree.Name(ns))
		}
	}
	for _, ns := range namespaces {
		for _, r := range [][2]string{{"events", "events"}, {"replicationcontrollers", "replication-controllers"}, {"services", "services"},
			{"daemonsets.apps", "daemonsets"}, {"deployments.apps", "deployments"}, {"replicasets.apps", "replicasets"}} {
			if _, err := dump(r[0], ns, r[1]); err != nil {
				return err
			}
		}
		pods, err := dump("pods", ns, "pods")
		if err != nil {
			return err
		}
		for _, obj := range pods {
			if pod, ok := obj.(*corev1.Pod); ok {
				if err := o.write(s, path.Join(ns, pod.Name, "logs.txt"), s.podLogs(pod)); err != nil {
					return err
				}
			}
		}
	}
	if o.toFiles() {
		s.Printf("Cluster info dumped to %s\n", o.directory)
	}
	return nil
}

func (o *clusterInfoDumpOptions) toFiles() bool { return o.directory != "" && o.directory != "-" }

// write puts one part of the dump where it belongs.
func (o *clusterInfoDumpOptions) write(s *Session, file string, data []byte) error {
	if !o.toFiles() {
		_, err := s.Stdout.Write(data)
		return err
	}
	full := s.Path(path.Join(o.directory, file))
	if err := s.FS.MkdirAll(path.Dir(full), 0o755); err != nil {
		return err
	}
	return s.FS.WriteFile(full, data, 0o644)
}

// podLogs are the logs of all containers of a pod.
func (s *Session) podLogs(pod *corev1.Pod) []byte {
	var b bytes.Buffer
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		fmt.Fprintf(&b, "==== START logs for container %s of pod %s/%s ====\n", c.Name, pod.Namespace, pod.Name)
		resp, err := s.connect("GET", pod, "log", url.Values{"container": {c.Name}})
		if err != nil {
			fmt.Fprintf(&b, "Request log error: %s\n", err)
		} else {
			b.Write(resp.Body)
		}
		fmt.Fprintf(&b, "==== END logs for container %s of pod %s/%s ====\n", c.Name, pod.Namespace, pod.Name)
	}
	return b.Bytes()
}
