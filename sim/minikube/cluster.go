// Profiles: start, stop, delete, and their nodes.

package minikube

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/kubonsai/kubonsai/sim/internal/lazy"
	"github.com/kubonsai/kubonsai/sim/provision"
)

// How long the steps take on a machine whose disk is warm.
const (
	pullTime    = 2 * time.Second
	createTime  = 8 * time.Second
	restartTime = 5 * time.Second
	prepareTime = 7 * time.Second
	verifyTime  = 3 * time.Second
	networkTime = 2 * time.Second
	stopTime    = 4 * time.Second
	deleteTime  = 2 * time.Second
)

func startFlags(f *pflag.FlagSet) {
	f.IntP("nodes", "n", 1, "The total number of nodes to spin up. Defaults to 1.")
	f.String("kubernetes-version", "", "The Kubernetes version that the minikube VM will use")
	f.StringP("driver", "d", "", "The driver to run the cluster")
	f.String("vm-driver", "", "DEPRECATED, use `driver` instead.")
	f.String("cpus", "2", "Number of CPUs allocated to Kubernetes.")
	f.String("memory", "", "Amount of RAM to allocate to Kubernetes")
	f.StringP("container-runtime", "c", "", "The container runtime to be used.")
	f.String("cni", "", "CNI plug-in to use.")
	f.String("disk-size", "20000mb", "Disk size allocated to the minikube VM")
	f.StringSlice("addons", nil, "Enable addons.")
	f.StringArray("extra-config", nil, "A set of key=value pairs that describe configuration that may be passed to different components.")
	f.StringSlice("feature-gates", nil, "A set of key=value pairs that describe feature gates for alpha/experimental features.")
	f.StringSlice("insecure-registry", nil, "Insecure Docker registries to pass to the Docker daemon.")
	f.Bool("keep-context", false, "This will keep the existing kubectl context and will create a minikube context.")
	f.Bool("ha", false, "Create Highly Available Multi-Control Plane Cluster with a minimum of three control-plane nodes")
	f.Bool("force", false, "Force minikube to perform possibly dangerous operations")
	f.StringSlice("wait", nil, "comma separated list of Kubernetes components to verify and wait for after starting a cluster.")
	f.Duration("wait-timeout", 6*time.Minute, "max time to wait per Kubernetes or host to be healthy.")
	f.Bool("install-addons", true, "If set, install addons. Defaults to true.")
}

var versionText = lazy.Regexp(`^v?1\.(\d+)(?:\.(\d+))?$`)

// requestedVersion is --kubernetes-version with its v; the newest without one.
func (r *run) requestedVersion() (string, error) {
	given := r.text("kubernetes-version")
	if given == "" || given == "stable" || given == "latest" {
		return kubernetesVersion, nil
	}
	m := versionText().FindStringSubmatch(given)
	if m == nil {
		return "", usage("Unable to parse %q: Malformed version: %s", given, given)
	}
	minor, _ := strconv.Atoi(m[1])
	switch v := "v" + strings.TrimPrefix(given, "v"); {
	case minor > 36:
		return "", exitMessage(exitUsage, "K8S_NEW_UNSUPPORTED", "Kubernetes %s is not supported by this release of minikube", v)
	case minor < 28:
		return "", exitMessage(exitUsage, "K8S_OLD_UNSUPPORTED", "Kubernetes %s is not supported by this release of minikube", v)
	case m[2] == "":
		return v + ".0", nil
	default:
		return v, nil
	}
}

// drivers are those that minikube has on Linux.
var drivers = []string{"docker", "kvm2", "qemu2", "qemu", "kvm", "none", "podman", "ssh", "virtualbox", "vmware"}

func nodeName(profile string, i int) string {
	if i == 0 {
		return profile
	}
	return fmt.Sprintf("%s-m%02d", profile, i+1)
}

func start(r *run, args []string) error {
	prefix := ""
	if r.profile != defaultProfile {
		prefix = "[" + r.profile + "] "
	}
	if err := r.step("😄", prefix+"minikube "+version+" on Debian 12.12 (amd64)", 0); err != nil {
		return err
	}
	v, err := r.requestedVersion()
	if err != nil {
		return err
	}
	driver := r.text("driver")
	if driver == "" {
		driver = r.text("vm-driver")
	}
	if driver != "" && !slices.Contains(drivers, driver) {
		return exitMessage(56, "DRV_UNSUPPORTED_OS", "The driver '%s' is not supported on linux/amd64", driver)
	}
	if driver != "" && driver != "docker" {
		return exitMessage(69, "PROVIDER_"+strings.ToUpper(driver)+"_NOT_FOUND", "The '%s' provider was not found: the simulation has the docker driver only", driver)
	}
	c := r.find(r.profile)
	count, _ := r.flags.GetInt("nodes")
	planes := 1
	if r.flag("ha") {
		planes, count = 3, max(count, 3)
	}
	if count < 1 {
		return usage("Sorry, the number of nodes must be at least 1, not %d", count)
	}
	switch {
	case c != nil:
		_ = r.step("✨", "Using the docker driver based on existing profile", 0)
	case driver != "":
		_ = r.step("✨", "Using the docker driver based on user configuration", 0)
	default:
		_ = r.step("✨", "Automatically selected the docker driver", 0)
	}
	if c == nil {
		_ = r.step("📌", "Using Docker driver with root privileges", 0)
	}
	was := c != nil
	if !was {
		if c, err = r.prepare(v, count, planes); err != nil {
			return err
		}
	} else {
		v = c.Spec().Nodes[0].Version
	}
	nodes := c.Spec().Nodes
	for i, n := range nodes {
		if n.Removed {
			continue
		}
		if err := r.startNode(c, i, was); err != nil {
			return err
		}
	}
	if err := r.writeContext(c, r.flag("keep-context")); err != nil {
		return exitMessage(1, "HOST_KUBECONFIG_UPDATE", "failed to update kubeconfig: %v", err)
	}
	if r.flag("keep-context") {
		return r.step("💗", "To connect to this cluster, use:  --context="+r.profile, 0)
	}
	r.Machine.Use(c)
	return r.step("🏄", fmt.Sprintf("Done! kubectl is now configured to use %q cluster and \"default\" namespace by default", r.profile), 0)
}

// prepare makes the profile's cluster.
func (r *run) prepare(v string, count, planes int) (provision.Cluster, error) {
	cpu, memory := r.text("cpus"), quantity(r.text("memory"))
	if n, err := strconv.Atoi(cpu); err == nil && n < 2 && !r.flag("force") {
		return nil, exitMessage(29, "RSRC_INSUFFICIENT_CORES", "Requested cpu count %d is less than the minimum allowed of 2", n)
	} else if err != nil {
		cpu = "" // "max" and "no-limit": all that the machine has
	}
	s := provision.Spec{Tool: provision.Minikube, Name: r.profile, APIPort: apiPort}
	for i := range count {
		s.Nodes = append(s.Nodes, provision.Node{Name: nodeName(r.profile, i), ControlPlane: i < planes, CPU: cpu, Memory: memory, Version: v,
			Labels: nodeLabels(r.profile, i == 0)})
	}
	c, err := r.Machine.Prepare(s)
	if err != nil {
		return nil, exitMessage(80, "GUEST_PROVISION", "error provisioning guest: %v", err)
	}
	return c, nil
}

func nodeLabels(profile string, primary bool) map[string]string {
	return map[string]string{"minikube.k8s.io/name": profile, "minikube.k8s.io/primary": fmt.Sprint(primary),
		"minikube.k8s.io/version": version, "minikube.k8s.io/commit": commit}
}

var memoryText = lazy.Regexp(`(?i)^(\d+)([kmgt]?)(?:i?b)?$`)

// quantity is an amount of memory as minikube takes it ("4g", "4096" in MiB) as
// Kubernetes writes it.
func quantity(s string) string {
	m := memoryText().FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	if m[2] == "" {
		return m[1] + "Mi"
	}
	return m[1] + strings.ToUpper(m[2]) + "i"
}

// timed is a line of output and the time that what it says takes.
type timed struct {
	emoji, text string
	takes       time.Duration
}

func (r *run) steps(list []timed) error {
	for _, s := range list {
		if err := r.step(s.emoji, s.text, s.takes); err != nil {
			return err
		}
	}
	return nil
}

// creating is the making of a node's container.
func creating(n provision.Node) timed {
	cpu, memory := n.CPU, "3072"
	if cpu == "" {
		cpu = "no-limit"
	}
	if q, err := resource.ParseQuantity(n.Memory); err == nil && n.Memory != "" {
		memory = strconv.FormatInt(q.Value()>>20, 10)
	}
	return timed{"🔥", fmt.Sprintf("Creating docker container (CPUs=%s, Memory=%sMB) ...", cpu, memory), createTime}
}

// startNode brings one node up, with the words for the first or a later one.
func (r *run) startNode(c provision.Cluster, i int, existing bool) error {
	spec := c.Spec()
	n := spec.Nodes[i]
	role := "worker"
	if n.ControlPlane {
		role = "control-plane"
	}
	if i == 0 {
		role = "primary control-plane"
	}
	steps := []timed{
		{"👍", fmt.Sprintf("Starting %q %s node in %q cluster", n.Name, role, spec.Name), 300 * time.Millisecond},
		{"🚜", "Pulling base image " + baseImage + " ...", pullTime},
	}
	switch {
	case existing && !c.Stopped(n.Name):
		steps = append(steps, timed{"🏃", fmt.Sprintf("Updating the running docker %q container ...", n.Name), time.Second})
	case existing:
		steps = append(steps, timed{"🔄", fmt.Sprintf("Restarting existing docker container for %q ...", n.Name), restartTime})
	default:
		steps = append(steps, creating(n))
	}
	if err := r.steps(steps); err != nil {
		return err
	}
	if i == 0 {
		if err := c.Boot(); err != nil {
			return exitMessage(80, "GUEST_START", "failed to start node: %v", err)
		}
	} else {
		_ = r.step("🌐", "Found network options:", 0)
		_ = r.step("▪", "NO_PROXY="+spec.FirstNode.String(), 0)
	}
	if c.Stopped(n.Name) {
		if err := c.StartNode(n.Name); err != nil {
			return exitMessage(80, "GUEST_START", "failed to start node: %v", err)
		}
	}
	if err := r.step("🐳", "Preparing Kubernetes "+n.Version+" on "+containerRuntime+" ...", prepareTime); err != nil {
		return err
	}
	if i > 0 {
		_ = r.step("▪", "env NO_PROXY="+spec.FirstNode.String(), 0)
	} else if !existing {
		plugin := "bridge CNI"
		if len(spec.Nodes) > 1 {
			plugin = "CNI"
		}
		_ = r.step("🔗", "Configuring "+plugin+" (Container Networking Interface) ...", 0)
		c.ConnectNetwork(networkTime)
	}
	if err := r.step("🔎", "Verifying Kubernetes components...", verifyTime); err != nil {
		return err
	}
	if i > 0 {
		return nil
	}
	_ = r.step("▪", "Using image gcr.io/k8s-minikube/storage-provisioner:v5", 0)
	enabled := []string{"storage-provisioner", "default-storageclass"}
	wanted, _ := r.flags.GetStringSlice("addons")
	for _, name := range wanted {
		if slices.Contains(enabled, name) {
			continue
		}
		a, err := addonNamed("enable", name)
		if err != nil {
			return err
		}
		if err := r.enable(c, a); err != nil {
			return err
		}
		enabled = append(enabled, name)
	}
	return r.step("🌟", "Enabled addons: "+strings.Join(enabled, ", "), 0)
}

// writeContext writes the profile's kubeconfig entry and the files it names.
func (r *run) writeContext(c provision.Cluster, keep bool) error {
	home := path.Join(r.Getenv("HOME"), ".minikube")
	profile := path.Join(home, "profiles", r.profile)
	if err := r.FS.MkdirAll(profile, 0o755); err != nil {
		return err
	}
	for file, kind := range map[string]string{path.Join(home, "ca.crt"): "CERTIFICATE", path.Join(profile, "client.crt"): "CERTIFICATE", path.Join(profile, "client.key"): "RSA PRIVATE KEY"} {
		if err := r.FS.WriteFile(file, provision.PEM(kind), 0o600); err != nil {
			return err
		}
	}
	extension := func(name string) []any {
		return []any{map[string]any{"name": name, "extension": map[string]any{
			"last-update": r.Proc.Now().Format(time.RFC1123), "provider": "minikube.sigs.k8s.io", "version": version}}}
	}
	was := provision.Current(r.Context)
	err := provision.Merge(r.Context, "", provision.Entry{Name: r.profile,
		Cluster: map[string]any{"certificate-authority": path.Join(home, "ca.crt"), "server": "https://" + c.Spec().Server.String(), "extensions": extension("cluster_info")},
		Context: map[string]any{"cluster": r.profile, "namespace": "default", "user": r.profile, "extensions": extension("context_info")},
		User:    map[string]any{"client-certificate": path.Join(profile, "client.crt"), "client-key": path.Join(profile, "client.key")}})
	if err == nil && keep {
		err = provision.SetCurrent(r.Context, was)
	}
	return err
}

func updateContext(r *run, _ []string) error {
	c, err := r.running()
	if err != nil {
		return err
	}
	if err := r.writeContext(c, false); err != nil {
		return exitMessage(1, "HOST_KUBECONFIG_UPDATE", "update config: %v", err)
	}
	r.Machine.Use(c)
	_ = r.step("🎉", fmt.Sprintf("%q context has been updated to point to %s", r.profile, c.Spec().Server), 0)
	return r.step("💗", fmt.Sprintf("Current context is %q", r.profile), 0)
}

// live are the nodes that have not been removed, with their indexes.
func live(s provision.Spec) []int {
	var out []int
	for i, n := range s.Nodes {
		if !n.Removed {
			out = append(out, i)
		}
	}
	return out
}

func stop(r *run, _ []string) error {
	profiles := []string{r.profile}
	if r.flag("all") {
		profiles = nil
		for _, c := range r.Machine.Clusters(provision.Minikube) {
			profiles = append(profiles, c.Spec().Name)
		}
	}
	stopped := 0
	for _, r.profile = range profiles {
		c, err := r.existing()
		if err != nil {
			return err
		}
		spec := c.Spec()
		nodes := live(spec)
		slices.Reverse(nodes)
		for _, i := range nodes {
			name := spec.Nodes[i].Name
			if err := r.step("✋", fmt.Sprintf("Stopping node %q  ...", name), 0); err != nil {
				return err
			}
			if !c.Stopped(name) {
				if err := r.step("🛑", fmt.Sprintf("Powering off %q via SSH ...", name), stopTime); err != nil {
					return err
				}
			}
			stopped++
		}
		c.Halt()
		if err := provision.Remove(r.Context, "", r.profile); err != nil {
			return exitMessage(1, "HOST_KUBECONFIG_DELETE_CTX", "delete ctx: %v", err)
		}
	}
	many := "s"
	if stopped == 1 {
		many = ""
	}
	return r.step("🛑", fmt.Sprintf("%d node%s stopped.", stopped, many), 0)
}

func deleteProfile(r *run, args []string) error {
	if len(args) > 0 {
		return usage("Usage: minikube delete")
	}
	all := r.Machine.Clusters(provision.Minikube)
	if !r.flag("all") {
		c := r.find(r.profile)
		if c == nil {
			fmt.Fprintln(r.Stderr, r.styled("🙄", fmt.Sprintf("%q profile does not exist, trying anyways.", r.profile)))
			all = nil
		} else {
			all = []provision.Cluster{c}
		}
	}
	for _, c := range all {
		if err := r.remove(c); err != nil {
			return err
		}
	}
	if len(all) == 0 && !r.flag("all") {
		_ = r.step("💀", fmt.Sprintf("Removed all traces of the %q cluster.", r.profile), 0)
	}
	if r.flag("all") {
		_ = r.step("🔥", "Successfully deleted all profiles", 0)
	}
	if r.flag("purge") {
		dir := path.Join(r.Getenv("HOME"), ".minikube")
		_ = r.FS.RemoveAll(dir)
		return r.step("💀", "Successfully purged minikube directory located at - ["+dir+"]", 0)
	}
	return nil
}

func (r *run) remove(c provision.Cluster) error {
	spec := c.Spec()
	if err := r.step("🔥", fmt.Sprintf("Deleting %q in docker ...", spec.Name), 0); err != nil {
		return err
	}
	for _, i := range live(spec) {
		if err := r.step("🔥", fmt.Sprintf("Deleting container %q ...", spec.Nodes[i].Name), deleteTime); err != nil {
			return err
		}
	}
	dir := path.Join(r.Getenv("HOME"), ".minikube/machines", spec.Name)
	_ = r.step("🔥", "Removing "+dir+" ...", 0)
	r.Machine.Delete(c)
	_ = r.FS.RemoveAll(path.Join(r.Getenv("HOME"), ".minikube/profiles", spec.Name))
	if err := provision.Remove(r.Context, "", spec.Name); err != nil {
		return exitMessage(1, "HOST_KUBECONFIG_DELETE_CTX", "delete ctx: %v", err)
	}
	return r.step("💀", fmt.Sprintf("Removed all traces of the %q cluster.", spec.Name), 0)
}

// node finds a node by its full name or by its short one ("m02").
func (r *run) node(c provision.Cluster, name string) (int, error) {
	spec := c.Spec()
	for _, i := range live(spec) {
		if n := spec.Nodes[i].Name; n == name || n == spec.Name+"-"+name {
			return i, nil
		}
	}
	return -1, exitMessage(exitNotFound, "GUEST_NODE_RETRIEVE", "retrieving node: Could not find node %s", name)
}

func nodeAdd(r *run, _ []string) error {
	c, err := r.running()
	if err != nil {
		return err
	}
	if r.flag("control-plane") {
		return exitMessage(80, "GUEST_NODE_ADD", "Adding a control-plane node to a non-HA (non-multi-control plane) cluster is not currently supported. Please first delete the cluster and use 'minikube start --ha' to create new one.")
	}
	spec := c.Spec()
	i := len(spec.Nodes)
	n := provision.Node{Name: nodeName(spec.Name, i), CPU: spec.Nodes[0].CPU, Memory: spec.Nodes[0].Memory, Version: spec.Nodes[0].Version, Labels: nodeLabels(spec.Name, false)}
	short := strings.TrimPrefix(n.Name, spec.Name+"-")
	if err := r.step("😄", fmt.Sprintf("Adding node %s to cluster %s as [worker]", short, spec.Name), 0); err != nil {
		return err
	}
	if err := r.steps([]timed{
		{"👍", fmt.Sprintf("Starting %q worker node in %q cluster", n.Name, spec.Name), 300 * time.Millisecond},
		{"🚜", "Pulling base image " + baseImage + " ...", pullTime},
		creating(n),
		{"🐳", "Preparing Kubernetes " + n.Version + " on " + containerRuntime + " ...", prepareTime},
		{"🔎", "Verifying Kubernetes components...", verifyTime},
	}); err != nil {
		return err
	}
	if err := c.AddNode(n); err != nil {
		return exitMessage(80, "GUEST_NODE_ADD", "failed to add node: %v", err)
	}
	return r.step("🏄", fmt.Sprintf("Successfully added %s to %s!", short, spec.Name), 0)
}

func nodeDelete(r *run, args []string) error {
	if len(args) == 0 {
		return usage("Usage: minikube node delete NODE_NAME")
	}
	c, err := r.running()
	if err != nil {
		return err
	}
	if err := r.step("🔥", fmt.Sprintf("Deleting node %s from cluster %s", args[0], r.profile), 0); err != nil {
		return err
	}
	i, err := r.node(c, args[0])
	if err != nil {
		return err
	}
	if i == 0 {
		return exitMessage(80, "GUEST_NODE_DELETE", "deleting node: the primary control-plane node cannot be deleted: use %s", r.command("delete"))
	}
	name := c.Spec().Nodes[i].Name
	for _, text := range []string{fmt.Sprintf("Stopping node %q  ...", name), fmt.Sprintf("Deleting %q in docker ...", name)} {
		if err := r.step("🔥", text, deleteTime); err != nil {
			return err
		}
	}
	if err := c.RemoveNode(name); err != nil {
		return exitMessage(80, "GUEST_NODE_DELETE", "deleting node: %v", err)
	}
	return r.step("💀", fmt.Sprintf("Node %s was successfully deleted.", args[0]), 0)
}

// namedNode is the cluster and the node, by its number and name, that the
// arguments of minikube node VERB are about.
func (r *run) namedNode(verb string, args []string) (c provision.Cluster, i int, name string, err error) {
	if len(args) == 0 {
		return nil, 0, "", usage("Usage: minikube node %s NODE_NAME", verb)
	}
	if c, err = r.existing(); err != nil {
		return nil, 0, "", err
	}
	if i, err = r.node(c, args[0]); err != nil {
		return nil, 0, "", err
	}
	return c, i, c.Spec().Nodes[i].Name, nil
}

func nodeStop(r *run, args []string) error {
	c, _, name, err := r.namedNode("stop", args)
	if err != nil {
		return err
	}
	if err := errors.Join(r.step("✋", fmt.Sprintf("Stopping node %q  ...", name), 0), r.step("🛑", fmt.Sprintf("Powering off %q via SSH ...", name), stopTime)); err != nil {
		return errInterrupted
	}
	if c.Up() {
		if err := c.StopNode(name); err != nil {
			return exitMessage(30, "HOST", "Failed to stop node %s: %v", name, err)
		}
	}
	return r.step("🛑", "Successfully stopped node "+name, 0)
}

func nodeStart(r *run, args []string) error {
	c, i, name, err := r.namedNode("start", args)
	if err != nil {
		return err
	}
	if !c.Stopped(name) {
		return r.step("🙄", name+" is already running", 0)
	}
	if err := r.startNode(c, i, true); err != nil {
		return err
	}
	return r.step("😄", "Successfully started node "+args[0]+"!", 0)
}

// address is a node's address.
func address(s provision.Spec, i int) netip.Addr {
	a := s.FirstNode
	for range i {
		a = a.Next()
	}
	return a
}
