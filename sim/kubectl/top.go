// kubectl top: how much pods and nodes use. It reads the metrics API, which a
// cluster has when a metrics server runs in it.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_top/

package kubectl

import (
	"errors"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func topCommand() *Command {
	return &Command{
		Use: "top [flags]", Short: "Display resource (CPU/memory) usage", New: needsSubcommand,
		Long: "Shows the CPU and memory that nodes or pods use. The cluster needs a metrics server for it.",
		Sub: []*Command{
			{Use: "node [NAME | -l label]", Aliases: []string{"nodes", "no"}, Short: "Display resource (CPU/memory) usage of nodes", New: func() Verb { return &topOptions{nodes: true} }},
			{Use: "pod [NAME | -l label]", Aliases: []string{"pods", "po"}, Short: "Display resource (CPU/memory) usage of pods", New: func() Verb { return &topOptions{} }},
		},
	}
}

type topOptions struct {
	nodes         bool
	selector      string
	fieldSelector string
	sortBy        string
	noHeaders     bool
	allNamespaces bool
	containers    bool
	sum           bool
	protocol      bool
	capacity      bool
	swap          bool
	name          string
	namespace     string
}

func (o *topOptions) Flags(f *pflag.FlagSet) {
	selectorFlag(f, &o.selector)
	f.StringVar(&o.sortBy, "sort-by", "", "Sort by 'cpu' or 'memory'")
	f.BoolVar(&o.noHeaders, "no-headers", false, "Leave out the headers")
	f.BoolVar(&o.protocol, "use-protocol-buffers", true, "How the metrics travel")
	f.BoolVar(&o.swap, "show-swap", false, "Show swap memory as well")
	if o.nodes {
		f.BoolVar(&o.capacity, "show-capacity", false, "Shares of the capacity instead of what is allocatable")
		return
	}
	fieldSelectorFlag(f, &o.fieldSelector)
	allNamespacesFlag(f, &o.allNamespaces)
	f.BoolVar(&o.containers, "containers", false, "Show the containers of each pod")
	f.BoolVar(&o.sum, "sum", false, "Show the sum at the end")
}

func (o *topOptions) Complete(s *Session, args []string) error {
	if len(args) > 1 {
		return s.UsageErrorf("%s", s.Command.Use)
	}
	if len(args) == 1 {
		o.name = args[0]
	}
	var err error
	o.namespace, _, err = s.Namespace()
	return err
}

func (o *topOptions) Validate() error {
	if o.sortBy != "" && o.sortBy != "cpu" && o.sortBy != "memory" {
		return errors.New("--sort-by accepts only cpu or memory")
	}
	if o.name != "" && (o.selector != "" || o.fieldSelector != "") {
		return errors.New("only one of NAME or selector can be provided")
	}
	return nil
}

func amount(t tree.Map, what string) resource.Quantity {
	q, err := resource.ParseQuantity(tree.String(t, what))
	if err != nil {
		return resource.Quantity{}
	}
	return q
}

func (o *topOptions) Run(s *Session) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	mapper, err := c.FreshMapper() // a metrics server may have come since
	if err != nil {
		return err
	}
	if !mapper.groups["metrics.k8s.io"] {
		return errors.New("Metrics API not available")
	}
	path := "/apis/metrics.k8s.io/v1beta1/"
	switch {
	case o.nodes:
		path += "nodes"
	case o.allNamespaces:
		path += "pods"
	default:
		path += "namespaces/" + o.namespace + "/pods"
	}
	if o.name != "" {
		path += "/" + o.name
	}
	q := url.Values{}
	if o.selector != "" {
		q.Set("labelSelector", o.selector)
	}
	if o.fieldSelector != "" {
		q.Set("fieldSelector", o.fieldSelector)
	}
	resp, err := c.Do(&rest.Request{Method: "GET", Path: path, Query: q})
	if err != nil {
		return err
	}
	t, err := ResponseTree(resp)
	if err != nil {
		return err
	}
	items := []tree.Map{t}
	if tree.IsList(t) {
		items = tree.Maps(t, "items")
	}
	if o.nodes {
		return o.printNodes(s, c, mapper, items)
	}
	if len(items) == 0 {
		return o.noPods(s, c, mapper, q)
	}
	return o.printPods(s, items)
}

// noPods tells why there are no metrics: no pods, or too young ones.
func (o *topOptions) noPods(s *Session, c *Client, mapper *Mapper, query url.Values) error {
	m, err := mapper.Find("pods")
	if err != nil {
		return err
	}
	namespace := o.namespace
	if o.allNamespaces {
		namespace = ""
	}
	t, err := c.List(m, namespace, query, 0)
	if err != nil {
		return err
	}
	pods := tree.Maps(t, "items")
	for _, p := range pods {
		created, err := time.Parse(time.RFC3339, tree.String(p, "metadata", "creationTimestamp"))
		if age := s.Now().Sub(created); err == nil && age > metricsCreationDelay {
			return fmt.Errorf("Metrics not available for pod %s/%s, age: %s", tree.Namespace(p), tree.Name(p), age)
		}
	}
	switch {
	case len(pods) > 0:
		return errors.New("metrics not available yet")
	case o.allNamespaces:
		s.Errorf("No resources found\n")
	default:
		s.Errorf("No resources found in %s namespace.\n", o.namespace)
	}
	return nil
}

// metricsCreationDelay is how old a pod may be without metrics.
const metricsCreationDelay = 2 * time.Minute

type usage struct {
	namespace, pod, name string
	cpu, memory          resource.Quantity
}

func (o *topOptions) sort(us []usage) {
	sort.SliceStable(us, func(i, j int) bool {
		switch o.sortBy {
		case "cpu":
			return us[i].cpu.MilliValue() > us[j].cpu.MilliValue()
		case "memory":
			return us[i].memory.Value() > us[j].memory.Value()
		}
		return us[i].namespace+"/"+us[i].pod < us[j].namespace+"/"+us[j].pod
	})
}

func (o *topOptions) printNodes(s *Session, c *Client, mapper *Mapper, items []tree.Map) error {
	if len(items) == 0 {
		return errors.New("metrics not available yet")
	}
	nodes, err := mapper.Find("nodes")
	if err != nil {
		return err
	}
	var us []usage
	for _, it := range items {
		us = append(us, usage{pod: tree.Name(it), cpu: amount(tree.Sub(it, "usage"), "cpu"), memory: amount(tree.Sub(it, "usage"), "memory")})
	}
	o.sort(us)
	w := printer.NewTabWriter(s.Stdout)
	defer w.Flush()
	if !o.noHeaders {
		fmt.Fprintln(w, "NAME\tCPU(cores)\tCPU(%)\tMEMORY(bytes)\tMEMORY(%)\t")
	}
	for _, u := range us {
		node, err := c.Get(nodes, "", u.pod, "")
		if err != nil {
			return err
		}
		of := "allocatable"
		if o.capacity {
			of = "capacity"
		}
		have := tree.Sub(node, "status", of)
		cpu, memory := amount(have, "cpu"), amount(have, "memory")
		share := func(a, b int64) string {
			if b == 0 {
				return "<unknown>"
			}
			return fmt.Sprintf("%d%%", int64(float64(a)/float64(b)*100))
		}
		fmt.Fprintf(w, "%s\t%dm\t%s\t%dMi\t%s\t\n", u.pod, u.cpu.MilliValue(), share(u.cpu.MilliValue(), cpu.MilliValue()),
			u.memory.Value()/(1<<20), share(u.memory.Value(), memory.Value()))
	}
	return nil
}

func (o *topOptions) printPods(s *Session, items []tree.Map) error {
	var us []usage
	for _, it := range items {
		var all usage
		all.namespace, all.pod = tree.Namespace(it), tree.Name(it)
		var each []usage
		for _, k := range tree.Maps(it, "containers") {
			cpu, memory := amount(tree.Sub(k, "usage"), "cpu"), amount(tree.Sub(k, "usage"), "memory")
			each = append(each, usage{all.namespace, all.pod, tree.String(k, "name"), cpu, memory})
			all.cpu.Add(cpu)
			all.memory.Add(memory)
		}
		if o.containers {
			us = append(us, each...)
		} else {
			us = append(us, all)
		}
	}
	o.sort(us)
	w := printer.NewTabWriter(s.Stdout)
	defer w.Flush()
	line := func(u usage) {
		var cells []string
		if o.allNamespaces {
			cells = append(cells, u.namespace)
		}
		cells = append(cells, u.pod)
		if o.containers {
			cells = append(cells, u.name)
		}
		cells = append(cells, fmt.Sprintf("%dm", u.cpu.MilliValue()), fmt.Sprintf("%dMi", u.memory.Value()/(1<<20)))
		fmt.Fprintln(w, strings.Join(cells, "\t")+"\t") // upstream ends every cell
	}
	if !o.noHeaders {
		head := "CPU(cores)\tMEMORY(bytes)"
		head = "NAME\t" + head
		if o.containers {
			head = "POD\t" + head
		}
		if o.allNamespaces {
			head = "NAMESPACE\t" + head
		}
		fmt.Fprintln(w, head+"\t")
	}
	var sum usage
	for _, u := range us {
		line(u)
		sum.cpu.Add(u.cpu)
		sum.memory.Add(u.memory)
	}
	if o.sum {
		pad := ""
		for _, column := range []bool{o.allNamespaces, o.containers} {
			if column {
				pad += "\t"
			}
		}
		fmt.Fprintf(w, "%s\t________\t________\t\n%s\t%dm\t%dMi\t\n", pad, pad, sum.cpu.MilliValue(), sum.memory.Value()/(1<<20))
	}
	return nil
}
