// Package kind is the command kind of the reader's terminals: it makes clusters
// on the reader's machine in the words of kind v0.32. This file is the command
// line, create.go what `kind create cluster` does, config.go its configuration.
package kind

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/provision"
)

const (
	version = "0.32.0"
	// defaultImage has the simulation's own version of Kubernetes.
	defaultImage = "kindest/node:v1.36.2"
)

// Options are what kind needs.
type Options struct {
	Machine provision.Machine
	// Random chooses the words of farewell.
	Random func() uint64
}

// run is one run of kind.
type run struct {
	*program.Context
	Options
	quiet bool
}

// command is one node of the command tree.
type command struct {
	use, short string
	sub        []command
	flags      func(f *pflag.FlagSet)
	args       func(path string, args []string) error
	run        func(r *run, f *pflag.FlagSet, args []string) error
	out        bool // what it prints is on stdout
}

func (c *command) name() string {
	name, _, _ := strings.Cut(c.use, " ")
	return name
}

// noArgs refuses arguments as cobra does.
func noArgs(path string, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unknown command %q for %q", args[0], path)
	}
	return nil
}

func anyArgs(string, []string) error { return nil }

func nameFlag(f *pflag.FlagSet) { f.StringP("name", "n", "kind", "the cluster context name") }

func kubeconfigFlag(f *pflag.FlagSet) {
	f.String("kubeconfig", "", "sets kubeconfig path instead of $KUBECONFIG or $HOME/.kube/config")
}

func commands() command {
	return command{use: "kind", short: "kind creates and manages local Kubernetes clusters using Docker container 'nodes'", sub: []command{
		{use: "create", short: "Creates one of [cluster]", sub: []command{
			{use: "cluster", short: "Creates a local Kubernetes cluster", args: noArgs, run: create, flags: func(f *pflag.FlagSet) {
				f.StringP("name", "n", "", "cluster name, overrides KIND_CLUSTER_NAME, config (default kind)")
				f.String("config", "", "path to a kind config file")
				f.String("image", "", "node docker image to use for booting the cluster")
				f.Bool("retain", false, "retain nodes for debugging when cluster creation fails")
				f.Duration("wait", 0, "The length of time to wait for control plane node to be ready (default 0s). Non-zero values should contain a corresponding time unit (e.g. 1s, 2m, 3h).")
				kubeconfigFlag(f)
			}},
		}},
		{use: "delete", short: "Deletes one of [cluster]", sub: []command{
			{use: "cluster", short: "Deletes a cluster", args: noArgs, run: deleteCluster, flags: func(f *pflag.FlagSet) { nameFlag(f); kubeconfigFlag(f) }},
			{use: "clusters", short: "Deletes one or more clusters", args: anyArgs, run: deleteClusters, flags: func(f *pflag.FlagSet) {
				kubeconfigFlag(f)
				f.BoolP("all", "A", false, "delete all clusters")
			}},
		}},
		{use: "export", short: "Exports one of [kubeconfig, logs]", sub: []command{
			{use: "kubeconfig", short: "Exports cluster kubeconfig", args: noArgs, run: exportKubeconfig, flags: func(f *pflag.FlagSet) {
				nameFlag(f)
				kubeconfigFlag(f)
				f.Bool("internal", false, "use internal address instead of external")
			}},
		}},
		{use: "get", short: "Gets one of [clusters, nodes, kubeconfig]", sub: []command{
			{use: "clusters", short: "Lists existing kind clusters by their name", args: noArgs, run: getClusters, flags: func(*pflag.FlagSet) {}},
			{use: "nodes", short: "Lists existing kind nodes by their name", args: noArgs, run: getNodes, flags: func(f *pflag.FlagSet) {
				nameFlag(f)
				f.BoolP("all-clusters", "A", false, "If present, list all the available nodes across all cluster contexts. Current context is ignored even if specified with --name.")
			}},
			{use: "kubeconfig", short: "Prints cluster kubeconfig", args: noArgs, run: getKubeconfig, flags: func(f *pflag.FlagSet) {
				nameFlag(f)
				f.Bool("internal", false, "use internal address instead of external")
			}},
		}},
		{use: "load", short: "Loads images into nodes", sub: []command{
			{use: "docker-image <IMAGE> [IMAGE...]", short: "Loads docker images from host into nodes", run: loadImages, flags: func(f *pflag.FlagSet) {
				nameFlag(f)
				f.StringSlice("nodes", nil, "comma separated list of nodes to load images into")
			}, args: func(_ string, args []string) error {
				if len(args) == 0 {
					return fmt.Errorf("a list of image names is required")
				}
				return nil
			}},
		}},
		{use: "version", short: "Prints the kind CLI version", args: anyArgs, flags: func(*pflag.FlagSet) {}, run: func(r *run, _ *pflag.FlagSet, _ []string) error {
			if r.quiet {
				fmt.Fprintln(r.Stdout, version)
			} else {
				fmt.Fprintf(r.Stdout, "kind v%s go1.26.3 linux/amd64\n", version)
			}
			return nil
		}},
	}}
}

// startup is how long kind takes to look at the machine's containers.
const startup = 200 * time.Millisecond

// New returns the program.
func New(o Options) program.Program {
	return func(c *program.Context, args []string) int {
		r := &run{Context: c, Options: o}
		if c.Proc.Spend(startup) != nil {
			return 130
		}
		err := r.execute(args[1:])
		if err == nil {
			return 0
		}
		if !r.quiet {
			red, plain := "", ""
			if c.TTY != nil {
				red, plain = "\x1b[31m", "\x1b[0m"
			}
			fmt.Fprintf(c.Stderr, "%sERROR%s: %v\n", red, plain, err)
		}
		return 1
	}
}

// execute finds the command and runs it.
func (r *run) execute(args []string) error {
	root := commands()
	at, path := &root, "kind"
	rest := args
	for at.run == nil {
		i := slices.IndexFunc(rest, func(a string) bool { return !strings.HasPrefix(a, "-") })
		if i < 0 {
			break
		}
		j := slices.IndexFunc(at.sub, func(s command) bool { return s.name() == rest[i] })
		if j < 0 {
			if at == &root {
				return fmt.Errorf("unknown command %q for %q", rest[i], path)
			}
			break
		}
		at, path = &at.sub[j], path+" "+rest[i]
		rest = slices.Delete(slices.Clone(rest), i, i+1)
	}
	f := pflag.NewFlagSet(path, pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVarP(&r.quiet, "quiet", "q", false, "silence all stderr output")
	f.Int32P("verbosity", "v", 0, "info log verbosity, higher value produces more output")
	help := f.BoolP("help", "h", false, "help for "+at.name())
	if at.flags != nil {
		at.flags(f)
	}
	show := f.Bool("version", false, "version for kind")
	if at != &root {
		_ = f.MarkHidden("version")
	}
	if err := f.Parse(rest); err != nil {
		return err
	}
	switch {
	case *show && at == &root:
		fmt.Fprintf(r.Stdout, "kind version %s\n", version)
		return nil
	case *help || at.run == nil:
		r.help(at, path, f)
		if !*help && at != &root {
			return fmt.Errorf("Subcommand is required")
		}
		return nil
	}
	if err := at.args(path, f.Args()); err != nil {
		return err
	}
	if name := f.Lookup("name"); name != nil && !name.Changed && r.Getenv("KIND_CLUSTER_NAME") != "" {
		_ = f.Set("name", r.Getenv("KIND_CLUSTER_NAME"))
	}
	return at.run(r, f, f.Args())
}

// help is a command's page.
func (r *run) help(c *command, path string, f *pflag.FlagSet) {
	fmt.Fprintf(r.Stdout, "%s\n\nUsage:\n", c.short)
	if len(c.sub) > 0 {
		fmt.Fprintf(r.Stdout, "  %s [command]\n\nAvailable Commands:\n", path)
		for _, s := range c.sub {
			fmt.Fprintf(r.Stdout, "  %-11s %s\n", s.name(), s.short)
		}
	} else {
		parent := strings.TrimSuffix(path, c.name())
		fmt.Fprintf(r.Stdout, "  %s%s [flags]\n", parent, c.use)
	}
	fmt.Fprintf(r.Stdout, "\nFlags:\n%s", f.FlagUsages())
	if len(c.sub) > 0 {
		fmt.Fprintf(r.Stdout, "\nUse \"%s [command] --help\" for more information about a command.\n", path)
	}
}

// say prints a message as kind's log does: on stderr, unless it is to be quiet.
func (r *run) say(format string, args ...any) {
	if !r.quiet {
		fmt.Fprintf(r.Stderr, format+"\n", args...)
	}
}

func text(f *pflag.FlagSet, name string) string {
	v, _ := f.GetString(name)
	return v
}

func flag(f *pflag.FlagSet, name string) bool {
	v, _ := f.GetBool(name)
	return v
}

// nodes are the names of a cluster's containers.
func nodes(s provision.Spec) []string {
	var out []string
	planes := 0
	for _, n := range s.Nodes {
		out = append(out, n.Name)
		if n.ControlPlane {
			planes++
		}
	}
	if planes > 1 {
		out = append(out, s.Name+"-external-load-balancer")
	}
	return out
}

func getClusters(r *run, _ *pflag.FlagSet, _ []string) error {
	all := r.Machine.Clusters(provision.Kind)
	if len(all) == 0 {
		r.say("No kind clusters found.")
	}
	for _, c := range all {
		fmt.Fprintln(r.Stdout, c.Spec().Name)
	}
	return nil
}

func getNodes(r *run, f *pflag.FlagSet, _ []string) error {
	var found []string
	if flag(f, "all-clusters") {
		for _, c := range r.Machine.Clusters(provision.Kind) {
			found = append(found, nodes(c.Spec())...)
		}
		if len(found) == 0 {
			r.say("No kind nodes for any cluster.")
		}
	} else if c := r.find(text(f, "name")); c != nil {
		found = nodes(c.Spec())
	} else {
		r.say("No kind nodes found for cluster %q.", text(f, "name"))
	}
	for _, n := range found {
		fmt.Fprintln(r.Stdout, n)
	}
	return nil
}

func (r *run) find(name string) provision.Cluster {
	return provision.Find(r.Machine, provision.Kind, name)
}

// entry is the kubeconfig entry of a cluster that has a control plane.
func (r *run) entry(name string, internal bool) (e provision.Entry, c provision.Cluster, err error) {
	if c = r.find(name); c == nil {
		return e, nil, fmt.Errorf("could not locate any control plane nodes for cluster named '%s'. Use the --name option to select a different cluster", name)
	}
	if !c.Up() {
		node := c.Spec().Nodes[0].Name
		return e, nil, fmt.Errorf("failed to get cluster internal kubeconfig: command \"docker exec --privileged %s cat /etc/kubernetes/admin.conf\" failed with error: exit status 1", node)
	}
	return provision.KindEntry(c.Spec(), internal), c, nil
}

func getKubeconfig(r *run, f *pflag.FlagSet, _ []string) error {
	e, _, err := r.entry(text(f, "name"), flag(f, "internal"))
	if err != nil {
		return err
	}
	doc, err := e.Document()
	fmt.Fprintln(r.Stdout, string(doc))
	return err
}

func exportKubeconfig(r *run, f *pflag.FlagSet, _ []string) error {
	e, c, err := r.entry(text(f, "name"), flag(f, "internal"))
	if err != nil {
		return err
	}
	if err := provision.Merge(r.Context, text(f, "kubeconfig"), e); err != nil {
		return err
	}
	r.Machine.Use(c)
	r.say("Set kubectl context to %q", e.Name)
	return nil
}

// remove deletes a cluster and its kubeconfig entry; it may be gone already.
func (r *run) remove(name, kubeconfig string) ([]string, error) {
	failed := provision.Remove(r.Context, kubeconfig, "kind-"+name)
	if failed != nil {
		r.say("failed to update kubeconfig: %v", failed)
	}
	c := r.find(name)
	if c == nil {
		return nil, failed
	}
	gone := nodes(c.Spec())
	if err := r.Proc.Sleep(time.Second); err != nil {
		return nil, err
	}
	r.Machine.Delete(c)
	return gone, failed
}

func deleteCluster(r *run, f *pflag.FlagSet, _ []string) error {
	name := text(f, "name")
	r.say("Deleting cluster %q ...", name)
	gone, err := r.remove(name, text(f, "kubeconfig"))
	if len(gone) > 0 {
		r.say("Deleted nodes: %q", gone)
	}
	if err != nil {
		return fmt.Errorf("failed to delete cluster %q: %w", name, err)
	}
	return nil
}

func deleteClusters(r *run, f *pflag.FlagSet, args []string) error {
	if flag(f, "all") {
		args = nil
		for _, c := range r.Machine.Clusters(provision.Kind) {
			args = append(args, c.Spec().Name)
		}
	} else if len(args) == 0 {
		return fmt.Errorf("no cluster names provided")
	}
	var done []string
	for _, name := range args {
		gone, err := r.remove(name, text(f, "kubeconfig"))
		if len(gone) > 0 {
			r.say("Deleted nodes: %q", gone)
		}
		if err != nil {
			r.say("failed to delete cluster %q: %v", name, err)
			continue
		}
		done = append(done, name)
	}
	r.say("Deleted clusters: %q", done)
	return nil
}

func loadImages(r *run, f *pflag.FlagSet, args []string) error {
	name := text(f, "name")
	c := r.find(name)
	for _, image := range args {
		if r.Machine.ImageID(image) == "" {
			return fmt.Errorf("image: %q not present locally", image)
		}
	}
	if c == nil {
		return fmt.Errorf("no nodes found for cluster %q", name)
	}
	var all []string
	for _, n := range c.Spec().Nodes {
		all = append(all, n.Name)
	}
	chosen, _ := f.GetStringSlice("nodes")
	for _, n := range chosen {
		if !slices.Contains(all, n) {
			return fmt.Errorf("unknown node: %q", n)
		}
	}
	if len(chosen) == 0 {
		chosen = all
	}
	var load []string
	for i, image := range args {
		if slices.Contains(args[:i], image) {
			continue
		}
		id, missing := r.Machine.ImageID(image), false
		for _, n := range chosen {
			if !c.HasImage(n, image) {
				missing = true
				r.say("Image: %q with ID %q not yet present on node %q, loading...", image, id, n)
			}
		}
		if missing {
			load = append(load, image)
		} else {
			r.say("Image: %q with ID %q found to be already present on all nodes.", image, id)
		}
	}
	for _, image := range load {
		if err := r.Proc.Sleep(2 * time.Second); err != nil {
			return err
		}
		c.LoadImage(chosen, image)
	}
	return nil
}
