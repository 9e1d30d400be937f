// What minikube tells: status, addresses, services, profiles.

package minikube

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/provision"
)

// nodeStatus is one node in minikube status.
type nodeStatus struct {
	Name       string
	Host       string
	Kubelet    string
	APIServer  string
	Kubeconfig string
	Worker     bool
}

func (r *run) statuses(c provision.Cluster) []nodeStatus {
	spec := c.Spec()
	var out []nodeStatus
	for _, i := range live(spec) {
		n := spec.Nodes[i]
		state := "Running"
		if c.Stopped(n.Name) {
			state = "Stopped"
		}
		s := nodeStatus{Name: n.Name, Host: state, Kubelet: state, APIServer: state, Kubeconfig: "Configured", Worker: !n.ControlPlane}
		switch {
		case s.Worker:
			s.APIServer, s.Kubeconfig = "Irrelevant", "Irrelevant"
		case state == "Stopped":
			s.Kubeconfig = "Stopped"
		case !provision.Has(r.Context, spec.Name):
			s.Kubeconfig = "Misconfigured"
		}
		out = append(out, s)
	}
	return out
}

func status(r *run, _ []string) error {
	c, err := r.existing()
	if err != nil {
		return err
	}
	all := r.statuses(c)
	if name := r.text("node"); name != "" {
		i, err := r.node(c, name)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(s nodeStatus) bool { return s.Name != c.Spec().Nodes[i].Name })
	}
	switch output := r.text("output"); output {
	case "", "text":
		for _, s := range all {
			if s.Worker {
				fmt.Fprintf(r.Stdout, "%s\ntype: Worker\nhost: %s\nkubelet: %s\n\n", s.Name, s.Host, s.Kubelet)
			} else {
				fmt.Fprintf(r.Stdout, "%s\ntype: Control Plane\nhost: %s\nkubelet: %s\napiserver: %s\nkubeconfig: %s\n\n", s.Name, s.Host, s.Kubelet, s.APIServer, s.Kubeconfig)
			}
		}
	case "json":
		var doc any = all
		if len(all) == 1 {
			doc = all[0]
		}
		data, _ := json.Marshal(doc)
		fmt.Fprintln(r.Stdout, string(data))
	default:
		return usage("invalid output format: %s. Valid values: 'text', 'json'", output)
	}
	code := 0
	for _, s := range all {
		if s.Host != "Running" {
			code |= 1
		}
		if s.Kubelet != "Running" {
			code |= 2
		}
		if !s.Worker && (s.APIServer != "Running" || s.Kubeconfig != "Configured") {
			code |= 4
		}
	}
	if code != 0 {
		return exit(code)
	}
	return nil
}

func ip(r *run, _ []string) error {
	c, err := r.running()
	if err != nil {
		return err
	}
	i := 0
	if name := r.text("node"); name != "" {
		if i, err = r.node(c, name); err != nil {
			return err
		}
	}
	fmt.Fprintln(r.Stdout, address(c.Spec(), i))
	return nil
}

func nodeList(r *run, args []string) error {
	if len(args) > 0 {
		return usage("Usage: minikube node list")
	}
	c, err := r.existing()
	if err != nil {
		return err
	}
	spec := c.Spec()
	for _, i := range live(spec) {
		fmt.Fprintf(r.Stdout, "%s\t%s\n", spec.Nodes[i].Name, address(spec, i))
	}
	return nil
}

// table draws rows under headings as minikube's table writer does.
func (r *run) table(rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			for _, line := range strings.Split(cell, "\n") {
				width[i] = max(width[i], utf8.RuneCountInString(line))
			}
		}
	}
	rule := func(left, middle, right string) {
		parts := make([]string, len(width))
		for i, w := range width {
			parts[i] = strings.Repeat("─", w+2)
		}
		fmt.Fprintln(r.Stdout, left+strings.Join(parts, middle)+right)
	}
	rule("┌", "┬", "┐")
	for n, row := range rows {
		height := 1
		for _, cell := range row {
			height = max(height, strings.Count(cell, "\n")+1)
		}
		for l := range height {
			var b strings.Builder
			for i, cell := range row {
				line := ""
				if lines := strings.Split(cell, "\n"); l < len(lines) {
					line = lines[l]
				}
				space := width[i] - utf8.RuneCountInString(line)
				left := 0
				if n == 0 {
					left = space / 2 // headings stand in the middle
				}
				b.WriteString("│ " + strings.Repeat(" ", left) + line + strings.Repeat(" ", space-left) + " ")
			}
			fmt.Fprintln(r.Stdout, b.String()+"│")
		}
		if n == 0 {
			rule("├", "┼", "┤")
		}
	}
	rule("└", "┴", "┘")
}

// serviceURLs are a service's ports by name and the URLs of its node ports.
func (r *run) serviceURLs(c provision.Cluster, s *corev1.Service) (ports, urls []string) {
	scheme := "http"
	if f := r.flags.Lookup("https"); f != nil && f.Value.String() == "true" {
		scheme = "https"
	}
	for _, p := range s.Spec.Ports {
		if p.NodePort == 0 {
			continue
		}
		name := fmt.Sprint(p.Port)
		if p.Name != "" {
			name = p.Name + "/" + name
		}
		ports = append(ports, name)
		urls = append(urls, fmt.Sprintf("%s://%s:%d", scheme, c.Spec().FirstNode, p.NodePort))
	}
	return ports, urls
}

func service(r *run, args []string) error {
	if len(args) == 0 && !r.flag("all") || len(args) > 0 && r.flag("all") {
		return usage("You must specify service name(s) or --all")
	}
	c, err := r.running()
	if err != nil {
		return err
	}
	namespace := r.text("namespace")
	all, _, err := client.List[*corev1.Service](client.New(c.Handler(), "minikube"), namespace, "")
	if err != nil {
		return exitMessage(119, "SVC_UNAVAILABLE", "Failed to get service URL: %v", err)
	}
	found := slices.DeleteFunc(all, func(s *corev1.Service) bool { return len(args) > 0 && !slices.Contains(args, s.Name) })
	switch {
	case len(found) == 0 && r.flag("all"):
		return exitMessage(exitService, "SVC_NOT_FOUND", "No services were found in the '%[1]s' namespace.\nYou may select another namespace by using 'minikube service --all -n <namespace>'", namespace)
	case len(found) == 0:
		return exitMessage(exitService, "SVC_NOT_FOUND", "Service '%[1]s' was not found in '%[2]s' namespace.\nYou may select another namespace by using 'minikube service %[1]s -n <namespace>'. Or list out all the services using 'minikube service list'", args[0], namespace)
	}
	var hidden []string
	for _, s := range found {
		ports, urls := r.serviceURLs(c, s)
		switch {
		case len(urls) == 0:
			fmt.Fprintln(r.Stdout, r.styled("😿", "service "+client.Key(s)+" has no node port"))
			hidden = append(hidden, client.Key(s))
		case r.flag("url"):
			fmt.Fprintln(r.Stdout, strings.Join(urls, "\n"))
		default:
			r.table([][]string{{"NAMESPACE", "NAME", "TARGET PORT", "URL"}, {s.Namespace, s.Name, strings.Join(ports, "\n"), strings.Join(urls, "\n")}})
			fmt.Fprintln(r.Stdout, r.styled("🎉", fmt.Sprintf("Opening service %s in default browser...", client.Key(s))))
			fmt.Fprintln(r.Stdout, r.styled("👉", "there is no browser on this machine: curl "+urls[0]))
		}
	}
	if len(hidden) > 0 {
		fmt.Fprintln(r.Stderr, r.styled("❗", fmt.Sprintf("Services %v have type \"ClusterIP\" not meant to be exposed, however for local development minikube allows you to access this !", hidden)))
	}
	return nil
}

func serviceList(r *run, _ []string) error {
	c, err := r.running()
	if err != nil {
		return err
	}
	all, _, err := client.List[*corev1.Service](client.New(c.Handler(), "minikube"), r.text("namespace"), "")
	if err != nil {
		return exitMessage(119, "SVC_UNAVAILABLE", "Failed to get service URL: %v", err)
	}
	rows := [][]string{{"NAMESPACE", "NAME", "TARGET PORT", "URL"}}
	for _, s := range all {
		ports, urls := r.serviceURLs(c, s)
		if len(ports) == 0 {
			ports = []string{"No node port"}
		}
		rows = append(rows, []string{s.Namespace, s.Name, strings.Join(ports, "\n"), strings.Join(urls, "\n")})
	}
	r.table(rows)
	return nil
}

const profileFile = "/.minikube/active-profile"

// active is the profile that commands are about when -p is not given.
func (r *run) active() string {
	if p := r.Getenv("MINIKUBE_PROFILE"); p != "" {
		return p
	}
	if data, err := r.FS.ReadFile(r.Getenv("HOME") + profileFile); err == nil && len(data) > 0 {
		return strings.TrimSpace(string(data))
	}
	return defaultProfile
}

func profileCommand(r *run, args []string) error {
	switch len(args) {
	case 0:
		fmt.Fprintln(r.Stdout, r.profile)
		return nil
	case 1:
	default:
		return usage("usage: minikube profile [MINIKUBE_PROFILE_NAME]")
	}
	name := args[0]
	if name == "default" {
		name = defaultProfile
	}
	if !validProfile().MatchString(name) {
		return usage("Only alphanumeric and dashes '-' are permitted. Minimum 1 character, starting with alphanumeric.")
	}
	c := r.find(name)
	if c == nil {
		fmt.Fprintln(r.Stderr, r.styled("💡", "if you want to create a profile you can by this command: minikube start -p "+name))
		return nil
	}
	home := r.Getenv("HOME")
	if err := r.FS.MkdirAll(home+"/.minikube", 0o755); err != nil {
		return exitMessage(1, "INTERNAL_CONFIG_SET", "Setting profile failed: %v", err)
	}
	if err := r.FS.WriteFile(home+profileFile, []byte(name+"\n"), 0o644); err != nil {
		return exitMessage(1, "INTERNAL_CONFIG_SET", "Setting profile failed: %v", err)
	}
	if c.Up() {
		if err := provision.SetCurrent(r.Context, name); err != nil {
			return exitMessage(1, "HOST_KUBECONFIG_UPDATE", "%v", err)
		}
		r.Machine.Use(c)
	}
	return r.step("✅", "minikube profile was successfully set to "+name, 0)
}

func profileList(r *run, _ []string) error {
	all := r.Machine.Clusters(provision.Minikube)
	if r.text("output") == "json" {
		valid := []map[string]any{}
		for _, c := range all {
			valid = append(valid, map[string]any{"Name": c.Spec().Name, "Status": state(c), "Active": c.Spec().Name == r.active()})
		}
		data, _ := json.Marshal(map[string]any{"invalid": []any{}, "valid": valid})
		fmt.Fprintln(r.Stdout, string(data))
		return nil
	}
	if len(all) == 0 {
		return exitMessage(exitUsage, "MK_USAGE_NO_PROFILE", "No minikube profile was found.")
	}
	mark := func(is bool) string {
		if is {
			return "*"
		}
		return ""
	}
	rows := [][]string{{"PROFILE", "DRIVER", "RUNTIME", "IP", "VERSION", "STATUS", "NODES", "ACTIVE PROFILE", "ACTIVE KUBECONTEXT"}}
	for _, c := range all {
		s := c.Spec()
		rows = append(rows, []string{s.Name, "docker", "containerd", s.FirstNode.String(), s.Nodes[0].Version, state(c), fmt.Sprint(len(live(s))),
			mark(s.Name == r.active()), mark(s.Name == provision.Current(r.Context))})
	}
	r.table(rows)
	return nil
}

func state(c provision.Cluster) string {
	if c.Up() {
		return "OK"
	}
	return "Stopped"
}

func dashboard(r *run, _ []string) error {
	if _, err := r.running(); err != nil {
		return err
	}
	return exitMessage(exitAddon, "MK_ADDON_ENABLE", "the simulation does not have the dashboard: kubectl get and kubectl describe show what it would")
}

func printVersion(r *run, _ []string) error {
	switch {
	case r.flag("short"):
		fmt.Fprintln(r.Stdout, version)
	case r.text("output") == "json":
		fmt.Fprintf(r.Stdout, "{\"commit\":%q,\"minikubeVersion\":%q}\n", commit, version)
	case r.text("output") == "yaml":
		fmt.Fprintf(r.Stdout, "commit: %s\nminikubeVersion: %s\n\n", commit, version)
	default:
		fmt.Fprintf(r.Stdout, "minikube version: %s\ncommit: %s\n", version, commit)
	}
	return nil
}
