// Package minikube is the command minikube of the reader's terminals: clusters
// ("profiles") on the reader's machine in the words of minikube v1.38 with its
// docker driver. This file is the command line, cluster.go what makes, stops
// and deletes profiles, query.go what tells of them.
package minikube

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/internal/lazy"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/provision"
)

const (
	version           = "v1.38.1"
	commit            = "c93a4cb9311efc66b90d33ea03f75f2c4120e9b0"
	kubernetesVersion = "v1.36.2"
	baseImage         = "v0.0.50"
	containerRuntime  = "containerd 2.2.7"
	apiPort           = 8443
	defaultProfile    = "minikube"
)

// The exit statuses of minikube that are not 1.
const (
	exitInterrupted = 130
	exitUsage       = 14
	exitNotFound    = 85
	exitNotRunning  = 83
	exitService     = 115
	exitAddon       = 10
)

// Options are what minikube needs.
type Options struct {
	Machine provision.Machine
	// Kubectl is what minikube kubectl runs.
	Kubectl program.Program
}

// run is one run of minikube.
type run struct {
	*program.Context
	Options
	profile string
	flags   *pflag.FlagSet
}

// failure ends a run; its text, if any, has yet to be printed.
type failure struct {
	code     int
	id, text string
}

func (f *failure) Error() string { return f.text }

// exit is the end of a run that has said all.
func exit(code int) error { return &failure{code: code} }

// exitMessage is minikube's "Exiting due to".
func exitMessage(code int, id, format string, args ...any) error {
	return &failure{code, id, fmt.Sprintf(format, args...)}
}

func usage(format string, args ...any) error {
	return exitMessage(exitUsage, "MK_USAGE", format, args...)
}

var errInterrupted = exit(exitInterrupted)

// command is one command; words are its name, "node add".
type command struct {
	words, short string
	flags        func(f *pflag.FlagSet)
	run          func(r *run, args []string) error
}

func none(*pflag.FlagSet) {}

func commands() []command {
	node := func(f *pflag.FlagSet) { f.StringP("node", "n", "", "The node. Defaults to the primary control plane.") }
	output := func(f *pflag.FlagSet) { f.StringP("output", "o", "", "The output format") }
	return []command{
		{"start", "Starts a local Kubernetes cluster", startFlags, start},
		{"status", "Gets the status of a local Kubernetes cluster", func(f *pflag.FlagSet) { node(f); output(f) }, status},
		{"stop", "Stops a running local Kubernetes cluster", func(f *pflag.FlagSet) { f.Bool("all", false, "Set flag to stop all profiles (clusters)") }, stop},
		{"delete", "Deletes a local Kubernetes cluster", func(f *pflag.FlagSet) {
			f.Bool("all", false, "Set flag to delete all profiles")
			f.Bool("purge", false, "Set this flag to delete the '.minikube' folder from your user directory.")
		}, deleteProfile},
		{"ip", "Retrieves the IP address of the specified node", node, ip},
		{"service", "Returns a URL to connect to a service", func(f *pflag.FlagSet) {
			f.StringP("namespace", "n", "default", "The service namespace")
			f.Bool("url", false, "Display the Kubernetes service URL in the CLI instead of opening it in the default browser")
			f.Bool("all", false, "Forwards all services in a namespace")
			f.Bool("https", false, "Open the service URL with https instead of http")
		}, service},
		{"service list", "Lists the URLs for the services in your local cluster", func(f *pflag.FlagSet) {
			f.StringP("namespace", "n", "", "The services namespace")
		}, serviceList},
		{"profile", "Get or list the current profiles (clusters)", none, profileCommand},
		{"profile list", "Lists all minikube profiles.", output, profileList},
		{"node list", "List nodes.", none, nodeList},
		{"node add", "Adds a node to the given cluster.", func(f *pflag.FlagSet) {
			f.Bool("worker", true, "If set, added node will be available as worker.")
			f.Bool("control-plane", false, "If set, added node will become a control-plane.")
		}, nodeAdd},
		{"node delete", "Deletes a node from a cluster.", none, nodeDelete},
		{"node stop", "Stops a node in a cluster.", none, nodeStop},
		{"node start", "Starts a node.", none, nodeStart},
		{"addons list", "Lists all available minikube addons as well as their current statuses (enabled/disabled)", output, addonsList},
		{"addons enable", "Enables the addon w/ADDON_NAME within minikube.", none, addonsEnable},
		{"addons disable", "Disables the addon w/ADDON_NAME within minikube.", none, addonsDisable},
		{"update-context", "Update kubeconfig in case of an IP or port change", none, updateContext},
		{"tunnel", "Connect to LoadBalancer services", func(f *pflag.FlagSet) { f.BoolP("cleanup", "c", true, "remove old tunnels") }, tunnel},
		{"dashboard", "Access the Kubernetes dashboard running within the minikube cluster", func(f *pflag.FlagSet) {
			f.Bool("url", false, "Display dashboard URL instead of opening a browser")
		}, dashboard},
		{"version", "Print the version of minikube", func(f *pflag.FlagSet) {
			output(f)
			f.Bool("short", false, "Print just the version number.")
		}, printVersion},
	}
}

// startup is how long minikube takes to look at its profiles.
const startup = 200 * time.Millisecond

// New returns the program.
func New(o Options) program.Program {
	return func(c *program.Context, args []string) int {
		r := &run{Context: c, Options: o}
		if c.Proc.Spend(startup) != nil {
			return exitInterrupted
		}
		f, ok := r.execute(args[1:]).(*failure)
		if !ok {
			return 0
		}
		if f.text != "" {
			fmt.Fprintln(c.Stderr)
			if f.id != "" {
				f.text = "Exiting due to " + f.id + ": " + f.text
			}
			fmt.Fprintln(c.Stderr, r.styled("❌", f.text))
		}
		return f.code
	}
}

var validProfile = lazy.Regexp(`^[a-zA-Z0-9]+(?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$`)

// execute finds the command and runs it.
func (r *run) execute(args []string) error {
	all := commands()
	i := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") })
	for i > 0 && (args[i-1] == "-p" || args[i-1] == "--profile") { // the profile's name, not the command's
		next := slices.IndexFunc(args[i+1:], func(a string) bool { return !strings.HasPrefix(a, "-") })
		if next < 0 {
			i = -1
			break
		}
		i += 1 + next
	}
	if i < 0 || args[i] == "help" {
		r.help(all)
		return nil
	}
	name, rest := args[i], slices.Delete(slices.Clone(args), i, i+1)
	if name == "kubectl" || name == "ssh" {
		return r.passOn(name, rest)
	}
	var found *command
	for k := range all {
		first, second, two := strings.Cut(all[k].words, " ")
		if first != name {
			continue
		}
		if j := slices.IndexFunc(rest, func(a string) bool { return !strings.HasPrefix(a, "-") }); two && j >= 0 && rest[j] == second {
			found, rest = &all[k], slices.Delete(rest, j, j+1)
			break
		} else if !two {
			found = &all[k]
		}
	}
	if found == nil {
		if slices.ContainsFunc(all, func(c command) bool { return strings.HasPrefix(c.words, name+" ") }) {
			return usage("Usage: minikube %s [%s]", name, subcommands(all, name))
		}
		fmt.Fprintf(r.Stderr, "Error: unknown command %q for \"minikube\"\nRun 'minikube --help' for usage.\n", name)
		return exit(1)
	}
	r.flags = pflag.NewFlagSet(found.words, pflag.ContinueOnError)
	r.flags.SetOutput(io.Discard)
	r.commonFlags(r.flags)
	help := r.flags.BoolP("help", "h", false, "help for "+found.words)
	found.flags(r.flags)
	if err := r.flags.Parse(rest); err != nil {
		fmt.Fprintf(r.Stderr, "Error: %v\nSee 'minikube %s --help' for usage.\n", err, found.words)
		return exit(1)
	}
	if *help {
		fmt.Fprintf(r.Stdout, "%s\n\nOptions:\n%s\nUsage:\n  minikube %s [flags] [options]\n", found.short, r.flags.FlagUsages(), found.words)
		return nil
	}
	if !validProfile().MatchString(r.profile) {
		return usage("Profile name %q is not valid. Only alphanumeric and dashes '-' are permitted. Minimum 1 character, starting with alphanumeric.", r.profile)
	}
	return found.run(r, r.flags.Args())
}

func (r *run) commonFlags(f *pflag.FlagSet) {
	profile := r.active()
	f.StringVarP(&r.profile, "profile", "p", profile, "The name of the minikube VM being used.")
	f.Bool("alsologtostderr", false, "log to standard error as well as files")
	f.StringP("bootstrapper", "b", "kubeadm", "The name of the cluster bootstrapper that will set up the Kubernetes cluster.")
	f.IntP("v", "v", 0, "number for the log level verbosity")
}

func subcommands(all []command, of string) string {
	var out []string
	for _, c := range all {
		if first, second, ok := strings.Cut(c.words, " "); ok && first == of {
			out = append(out, second)
		}
	}
	return strings.Join(out, "|")
}

func (r *run) help(all []command) {
	fmt.Fprint(r.Stdout, "minikube provisions and manages local Kubernetes clusters optimized for development workflows.\n\nCommands:\n")
	for _, c := range all {
		if !strings.Contains(c.words, " ") {
			fmt.Fprintf(r.Stdout, "  %-16s %s\n", c.words, c.short)
		}
	}
	fmt.Fprintf(r.Stdout, "  %-16s %s\n  %-16s %s\n", "kubectl", "Run a kubectl binary matching the cluster version", "ssh", "Log into the minikube environment (for debugging)")
	fmt.Fprint(r.Stdout, "\nUsage:\n  minikube [flags] [options]\n\nUse \"minikube <command> --help\" for more information about a given command.\n")
}

// plain are the prefixes where there is no terminal to show emoji.
var plain = map[string]string{"❌": "X", "❗": "!", "💣": "X", "▪": "  -"}

// styled is a line with its emoji, or what stands for it without a terminal.
func (r *run) styled(emoji, text string) string {
	if r.TTY != nil {
		if emoji == "▪" {
			return "    ▪ " + text
		}
		return emoji + "  " + text
	}
	if p := plain[emoji]; p != "" {
		return p + " " + text
	}
	return "* " + text
}

// step prints a line and lets the time pass that what it says takes.
func (r *run) step(emoji, text string, takes time.Duration) error {
	fmt.Fprintln(r.Stdout, r.styled(emoji, text))
	if takes > 0 && r.Proc.Sleep(takes) != nil {
		return errInterrupted
	}
	return nil
}

func (r *run) find(profile string) provision.Cluster {
	return provision.Find(r.Machine, provision.Minikube, profile)
}

// command is a command line that a message recommends.
func (r *run) command(name string) string {
	if r.profile != defaultProfile {
		return "minikube " + name + " -p " + r.profile
	}
	return "minikube " + name
}

func (r *run) tip(name string, code int) error {
	fmt.Fprintln(r.Stdout, r.styled("👉", fmt.Sprintf("To start a cluster, run: %q", r.command(name))))
	return exit(code)
}

// existing is the profile's cluster, or why the command cannot go on.
func (r *run) existing() (provision.Cluster, error) {
	c := r.find(r.profile)
	if c == nil {
		fmt.Fprintln(r.Stdout, r.styled("🤷", fmt.Sprintf("Profile %q not found. Run \"minikube profile list\" to view all profiles.", r.profile)))
		return nil, r.tip("start", exitNotFound)
	}
	return c, nil
}

// running is existing, and its control plane answers.
func (r *run) running() (provision.Cluster, error) {
	c, err := r.existing()
	if err == nil && !c.Up() {
		fmt.Fprintln(r.Stdout, r.styled("🤷", fmt.Sprintf("The control-plane node %s host is not running: state=Stopped", c.Spec().Nodes[0].Name)))
		return nil, r.tip("start", exitNotRunning)
	}
	return c, err
}

// text and flag are values of flags.
func (r *run) text(name string) string {
	v, _ := r.flags.GetString(name)
	return v
}

func (r *run) flag(name string) bool {
	v, _ := r.flags.GetBool(name)
	return v
}

// ssh runs a command on a node, or a shell, as the user of minikube's machines.
func (r *run) ssh(node string, args []string) error {
	c, err := r.running()
	if err != nil {
		return err
	}
	i := 0
	if node != "" {
		if i, err = r.node(c, node); err != nil {
			return err
		}
	}
	shell := c.Shell(c.Spec().Nodes[i].Name)
	if shell == nil {
		return exitMessage(80, "GUEST_STATUS", "%q host is not running, please start it", c.Spec().Nodes[i].Name)
	}
	const home = "/home/docker"
	_ = shell.FS.MkdirAll(home, 0o755)
	_ = shell.FS.Chown(home, userID, userID)
	shell.User, shell.UID, shell.Dir, shell.Env["HOME"] = "docker", userID, home, home
	command := []string{"bash"}
	if len(args) > 0 {
		command = append(command, "-c", strings.Join(args, " "))
	}
	code, _ := provision.RunOn(r.Context, shell, command)
	if code == 0 {
		return nil
	}
	if len(args) > 0 {
		fmt.Fprintf(r.Stderr, "ssh: Process exited with status %d\n", code)
		return exit(1)
	}
	return exit(code)
}

// userID is the number of the user docker on minikube's machines.
const userID = 1000

// passOn is minikube kubectl and minikube ssh: all after "--" is the command's.
func (r *run) passOn(name string, args []string) error {
	f := pflag.NewFlagSet(name, pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.ParseErrorsAllowlist.UnknownFlags = true
	r.commonFlags(f)
	node := f.StringP("node", "n", "", "The node to ssh into")
	own, rest := args, []string(nil)
	if i := slices.Index(args, "--"); i >= 0 {
		own, rest = args[:i], args[i+1:]
	} else if name == "kubectl" {
		own, rest = nil, args
	}
	if err := f.Parse(own); err != nil {
		fmt.Fprintf(r.Stderr, "Error: %v\n", err)
		return exit(1)
	}
	if name == "ssh" {
		return r.ssh(*node, append(f.Args(), rest...))
	}
	c := r.Context.Clone()
	if code := r.Kubectl(c, append([]string{"kubectl", "--cluster", r.profile}, rest...)); code != 0 {
		return exit(code)
	}
	return nil
}
