// Package docker is the command docker of the reader's terminals, as far as
// readers of Kubernetes need it: the nodes of kind and minikube are its
// containers, which can be listed, inspected, stopped and started; docker exec
// runs tools on them, crictl among them. Containers of other images it cannot make, and says so.
package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/kubectl/printer"
	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/provision"
)

const version = "29.1.3"

// New returns the program.
func New(m provision.Machine) program.Program {
	return func(c *program.Context, args []string) int {
		return (&run{Context: c, m: m}).main(args[1:])
	}
}

// run is one run.
type run struct {
	*program.Context
	m provision.Machine
}

// container is a node.
type container struct {
	id, image, name string
	ports           []string
	address         string
	created         time.Time // zero when the cluster is halted
	running         bool
	cluster         provision.Cluster
	node            provision.Node
}

func (r *run) fail(code int, format string, args ...any) int {
	fmt.Fprintf(r.Stderr, format+"\n", args...)
	return code
}

func id(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// containers are the nodes of all clusters, the youngest cluster's first.
func (r *run) containers() []container {
	var out []container
	for _, tool := range []string{provision.Kind, provision.Minikube} {
		for _, c := range r.m.Clusters(tool) {
			spec := c.Spec()
			born := map[string]time.Time{}
			if c.Up() {
				nodes, _, _ := client.List[*corev1.Node](client.New(c.Handler(), "docker"), "", "")
				for _, n := range nodes {
					born[n.Name] = n.CreationTimestamp.Time
				}
			}
			address := spec.FirstNode
			for i, n := range spec.Nodes {
				at := address
				address = address.Next()
				if n.Removed {
					continue
				}
				image := "kindest/node:v1.36.2"
				if tool == provision.Minikube {
					image = "gcr.io/k8s-minikube/kicbase:v0.0.48"
				} else if n.Version != "" {
					image = "kindest/node:" + n.Version
				}
				k := container{id: id(tool + "/" + spec.Name + "/" + n.Name), image: image, name: n.Name, address: at.String(), created: born[n.Name], cluster: c, node: n,
					running: c.Up() && !c.Stopped(n.Name)}
				for _, p := range spec.Ports {
					if p.Node != i {
						continue
					}
					host := "0.0.0.0"
					if p.Local {
						host = "127.0.0.1"
					}
					k.ports = append(k.ports, fmt.Sprintf("%s:%d->%d/tcp", host, p.HostPort, p.ContainerPort))
				}
				if n.ControlPlane && spec.Server.Addr().IsLoopback() {
					k.ports = append(k.ports, fmt.Sprintf("%s->6443/tcp", spec.Server))
				}
				out = append(out, k)
			}
		}
	}
	return out
}

// find is the container of a name or of the beginning of an id.
func (r *run) find(name string) *container {
	for _, c := range r.containers() {
		if c.name == name || len(name) > 1 && strings.HasPrefix(c.id, name) {
			return &c
		}
	}
	return nil
}

// ago is a time as docker words it.
func (r *run) ago(t time.Time) string {
	d := r.Proc.Now().Sub(t)
	if t.IsZero() {
		return ""
	}
	count := func(n int, unit string) string { return strconv.Itoa(n) + " " + unit }
	switch s, m, h := int(d.Seconds()), int(d.Minutes()), int(d.Hours()+0.5); {
	case s < 1:
		return "Less than a second"
	case s == 1:
		return "1 second"
	case s < 60:
		return count(s, "seconds")
	case m == 1:
		return "About a minute"
	case m < 60:
		return count(m, "minutes")
	case h == 1:
		return "About an hour"
	case h < 48:
		return count(h, "hours")
	case h < 24*14:
		return count(h/24, "days")
	case h < 24*60:
		return count(h/24/7, "weeks")
	}
	return count(int(d.Hours())/24/30, "months")
}

// options are the flags of a command line: those in values take one.
func (r *run) options(args []string, values string, until bool) (flags map[string][]string, rest []string) {
	flags = map[string][]string{}
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case len(a) < 2 || a[0] != '-':
			rest = append(rest, a)
			if until {
				return flags, append(rest, args[i+1:]...)
			}
			continue
		case a == "--":
			return flags, append(rest, args[i+1:]...)
		}
		name, value, has := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if !strings.HasPrefix(a, "--") && !has && len(name) > 1 { // -aq
			for _, c := range name[:len(name)-1] {
				flags[string(c)] = append(flags[string(c)], "")
			}
			name = name[len(name)-1:]
		}
		if slices.Contains(strings.Fields(values), name) && !has && i+1 < len(args) {
			i++
			value = args[i]
		}
		flags[name] = append(flags[name], value)
	}
	return flags, rest
}

func has(flags map[string][]string, names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return flags[n] != nil })
}

func last(flags map[string][]string, names ...string) string {
	for _, n := range names {
		if v := flags[n]; len(v) > 0 {
			return v[len(v)-1]
		}
	}
	return ""
}

// table prints rows in columns as docker does; crictl has wider ones.
func (r *run) table(rows [][]string, least int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell)+3, least)
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			if i == len(row)-1 {
				line += cell
			} else {
				line += fmt.Sprintf("%-*s", widths[i], cell)
			}
		}
		fmt.Fprintln(r.Stdout, line)
	}
}

// format prints each object with a Go template.
func (r *run) format(text string, objects ...map[string]any) int {
	t, err := printer.NewTemplate(text, true)
	if err != nil {
		return r.fail(1, "template parsing error: %v", err)
	}
	for _, o := range objects {
		if err := t.Print(o, r.Stdout); err != nil {
			return 1
		}
		_, _ = io.WriteString(r.Stdout, "\n")
	}
	return 0
}

func (r *run) main(args []string) int {
	if len(args) > 0 && (args[0] == "container" || args[0] == "image") && len(args) > 1 {
		kind := args[0]
		args = args[1:]
		if args[0] == "ls" || args[0] == "list" {
			args = append([]string{map[string]string{"container": "ps", "image": "images"}[kind]}, args[1:]...)
		}
	}
	if len(args) == 0 || args[0] == "--help" || args[0] == "help" {
		fmt.Fprint(r.Stdout, "Usage:  docker [OPTIONS] COMMAND\n\nOf docker the simulation has what shows and changes the nodes of its clusters:\n  ps  images  exec  stop  start  restart  kill  inspect  pull  network  version  info\n")
		return 0
	}
	verb, rest := args[0], args[1:]
	switch verb {
	case "-v", "--version":
		fmt.Fprintln(r.Stdout, "Docker version "+version+", build 2d5a0a3")
		return 0
	case "version":
		fmt.Fprintf(r.Stdout, "Client: Docker Engine - Community\n Version:           %s\n API version:       1.52\n OS/Arch:           linux/amd64\n\nServer: Docker Engine - Community\n Engine:\n  Version:          %[1]s\n  API version:      1.52 (minimum version 1.44)\n  OS/Arch:          linux/amd64\n", version)
		return 0
	case "info":
		all, up := r.containers(), 0
		for _, c := range all {
			if c.running {
				up++
			}
		}
		fmt.Fprintf(r.Stdout, "Client: Docker Engine - Community\n Version:    %s\n Context:    default\n\nServer:\n Containers: %d\n  Running: %d\n  Paused: 0\n  Stopped: %d\n Server Version: %[1]s\n Cgroup Version: 2\n", version, len(all), up, len(all)-up)
		return 0
	case "ps":
		return r.ps(rest)
	case "images":
		return r.images(rest)
	case "exec":
		return r.exec(rest)
	case "stop", "start", "restart", "kill":
		return r.power(verb, rest)
	case "inspect":
		return r.inspect(rest)
	case "pull":
		return r.pull(rest)
	case "network":
		if len(rest) > 0 && rest[0] == "ls" {
			r.table([][]string{{"NETWORK ID", "NAME", "DRIVER", "SCOPE"}, {id("bridge")[:12], "bridge", "bridge", "local"}, {id("host")[:12], "host", "host", "local"}, {id("kind")[:12], "kind", "bridge", "local"}}, 0)
			return 0
		} else if len(rest) > 0 && rest[0] == "inspect" {
			return r.inspect(rest[1:])
		}
	case "build", "buildx", "run", "create", "push", "tag", "save", "load", "login", "logout", "compose", "cp", "rm", "rmi", "rename", "logs", "top", "stats", "port", "volume", "system", "pause", "unpause", "commit", "history", "search", "attach":
	default:
		return r.fail(1, "docker: unknown command: docker %s\n\nRun 'docker --help' for more information", verb)
	}
	return r.fail(1, "docker: the simulation has no docker %s: the only containers here are the nodes of clusters, and pods run the images that registries have. Nothing needs to be built or loaded.", verb)
}

func (r *run) ps(args []string) int {
	flags, rest := r.options(args, "f filter format n last", false)
	if len(rest) > 0 {
		return r.fail(1, "docker: 'docker ps' accepts no arguments\n\nUsage:  docker ps [OPTIONS]\n\nRun 'docker ps --help' for more information")
	}
	rows := [][]string{{"CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"}}
	var objects []map[string]any
	for _, c := range r.containers() {
		keep := c.running || has(flags, "a", "all")
		for _, f := range append(flags["f"], flags["filter"]...) {
			switch k, v, _ := strings.Cut(f, "="); k {
			case "name":
				keep = keep && strings.Contains(c.name, strings.Trim(v, "^$/"))
			case "status":
				keep = (v == "running") == c.running
			}
		}
		if !keep {
			continue
		}
		ago := r.ago(c.created)
		status, command := "Up "+ago, `"/usr/local/bin/entr…"`
		if !c.running {
			status = "Exited (137)"
		}
		if ago != "" {
			ago += " ago"
		}
		ports := strings.Join(c.ports, ", ")
		if !c.running {
			ports = ""
		}
		short := c.id[:12]
		if has(flags, "no-trunc") {
			short = c.id
		}
		rows = append(rows, []string{short, c.image, command, ago, status, ports, c.name})
		objects = append(objects, map[string]any{"ID": short, "Image": c.image, "Command": command, "CreatedAt": ago, "RunningFor": ago, "Status": status, "State": map[bool]string{true: "running", false: "exited"}[c.running], "Ports": ports, "Names": c.name})
	}
	switch text := last(flags, "format"); {
	case has(flags, "q", "quiet"):
		for _, row := range rows[1:] {
			fmt.Fprintln(r.Stdout, row[0])
		}
	case strings.HasPrefix(text, "table "):
		text = strings.ReplaceAll(strings.TrimPrefix(text, "table "), `\t`, "\t")
		heads := map[string]any{"ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "CreatedAt": "CREATED AT", "RunningFor": "CREATED", "Status": "STATUS", "State": "STATE", "Ports": "PORTS", "Names": "NAMES"}
		out := r.Stdout
		var b strings.Builder
		r.Stdout = &b
		code := r.format(text, append([]map[string]any{heads}, objects...)...)
		r.Stdout = out
		if code != 0 {
			return code
		}
		var cells [][]string
		for _, l := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
			cells = append(cells, strings.Split(l, "\t"))
		}
		r.table(cells, 0)
	case text != "":
		return r.format(text, objects...)
	default:
		r.table(rows, 0)
	}
	return 0
}

func (r *run) images(args []string) int {
	flags, rest := r.options(args, "f filter format", false)
	rows := [][]string{{"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"}}
	seen := map[string]bool{}
	for _, c := range r.containers() {
		repo, tag, _ := strings.Cut(c.image, ":")
		if seen[c.image] || len(rest) > 0 && rest[0] != repo && rest[0] != c.image {
			continue
		}
		seen[c.image] = true
		rows = append(rows, []string{repo, tag, id(c.image)[:12], "3 weeks ago", map[bool]string{true: "1.05GB", false: "1.31GB"}[c.cluster.Spec().Tool == provision.Kind]})
	}
	if has(flags, "q", "quiet") {
		for _, row := range rows[1:] {
			fmt.Fprintln(r.Stdout, row[2])
		}
		return 0
	}
	r.table(rows, 0)
	return 0
}

// power stops and starts nodes.
func (r *run) power(verb string, args []string) int {
	_, names := r.options(args, "t timeout time s signal", false)
	if len(names) == 0 {
		return r.fail(1, "docker: 'docker %s' requires at least 1 argument\n\nUsage:  docker %[1]s [OPTIONS] CONTAINER [CONTAINER...]\n\nSee 'docker %[1]s --help' for more information", verb)
	}
	code := 0
	for _, name := range names {
		c := r.find(name)
		if c == nil {
			code = r.fail(1, "Error response from daemon: No such container: %s", name)
			continue
		}
		var err error
		switch {
		case !c.cluster.Up() && !c.cluster.Stopped(c.name): // all of it was halted
			if verb == "start" || verb == "restart" {
				err = c.cluster.Boot()
			}
		case verb == "kill" && !c.running:
			err = fmt.Errorf("cannot kill container: %s: container %s is not running", name, c.id)
		default:
			if c.running && verb != "start" {
				err = c.cluster.StopNode(c.name)
			}
			if err == nil && verb != "kill" && verb != "stop" && (verb == "restart" || !c.running) {
				err = c.cluster.StartNode(c.name)
			}
		}
		if err != nil {
			code = r.fail(1, "Error response from daemon: %v", err)
			continue
		}
		fmt.Fprintln(r.Stdout, name)
	}
	return code
}

func (r *run) inspect(args []string) int {
	flags, names := r.options(args, "f format type", false)
	if len(names) == 0 {
		return r.fail(1, "docker: 'docker inspect' requires at least 1 argument\n\nUsage:  docker inspect [OPTIONS] NAME|ID [NAME|ID...]\n\nSee 'docker inspect --help' for more information")
	}
	var objects []any
	code := 0
	for _, name := range names {
		c := r.find(name)
		switch {
		case c != nil:
			network := map[string]any{"IPAddress": c.address, "Gateway": "172.18.0.1", "IPPrefixLen": int64(16)}
			key := "kind"
			if c.cluster.Spec().Tool == provision.Minikube {
				key = c.cluster.Spec().Name
			}
			state := map[bool]string{true: "running", false: "exited"}[c.running]
			objects = append(objects, map[string]any{"Id": c.id, "Name": "/" + c.name, "Image": "sha256:" + id(c.image), "Config": map[string]any{"Hostname": c.name, "Image": c.image},
				"State": map[string]any{"Status": state, "Running": c.running}, "NetworkSettings": map[string]any{"IPAddress": "", "Networks": map[string]any{key: network}}})
		case name == "kind":
			objects = append(objects, map[string]any{"Name": "kind", "Id": id("kind"), "Scope": "local", "Driver": "bridge", "IPAM": map[string]any{"Driver": "default", "Config": []any{map[string]any{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}}}})
		default:
			code = r.fail(1, "error: no such object: %s", name)
		}
	}
	if text := last(flags, "f", "format"); text != "" {
		for _, o := range objects {
			if c := r.format(text, o.(map[string]any)); c != 0 {
				code = c
			}
		}
		return code
	}
	if objects == nil {
		objects = []any{}
	}
	data, _ := json.MarshalIndent(objects, "", "    ")
	fmt.Fprintln(r.Stdout, string(data))
	return code
}

func (r *run) pull(args []string) int {
	_, names := r.options(args, "platform", false)
	if len(names) != 1 {
		return r.fail(1, "docker: 'docker pull' requires 1 argument\n\nUsage:  docker pull [OPTIONS] NAME[:TAG|@DIGEST]\n\nSee 'docker pull --help' for more information")
	}
	name := names[0]
	repo, tag := name, ""
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		repo, tag = name[:i], name[i+1:]
	}
	if tag == "" {
		tag = "latest"
		fmt.Fprintln(r.Stdout, "Using default tag: latest")
	}
	digest := r.m.ImageID(repo + ":" + tag)
	if r.Proc.Sleep(2*time.Second) != nil {
		return 130
	}
	if digest == "" {
		return r.fail(1, "Error response from daemon: failed to resolve reference %q: %[1]s: not found", full(repo)+":"+tag)
	}
	fmt.Fprintf(r.Stdout, "%s: Pulling from %s\nDigest: %s\nStatus: Downloaded newer image for %s:%s\n%s:%[1]s\n", tag, strings.TrimPrefix(full(repo), "docker.io/"), digest, repo, tag, full(repo))
	return 0
}

// full is a repository with its registry.
func full(repo string) string {
	first, _, more := strings.Cut(repo, "/")
	switch {
	case !more:
		return "docker.io/library/" + repo
	case !strings.ContainsAny(first, ".:"):
		return "docker.io/" + repo
	}
	return repo
}

// exec runs a command on a node.
func (r *run) exec(args []string) int {
	flags, rest := r.options(args, "e env u user w workdir", true)
	if len(rest) < 2 {
		return r.fail(1, "docker: 'docker exec' requires at least 2 arguments\n\nUsage:  docker exec [OPTIONS] CONTAINER COMMAND [ARG...]\n\nSee 'docker exec --help' for more information")
	}
	if has(flags, "t", "tty") && r.TTY == nil {
		return r.fail(1, "the input device is not a TTY")
	}
	c := r.find(rest[0])
	switch {
	case c == nil:
		return r.fail(1, "Error response from daemon: No such container: %s", rest[0])
	case !c.running:
		return r.fail(1, "Error response from daemon: container %s is not running", c.id)
	}
	shell := c.cluster.Shell(c.name)
	if shell == nil {
		return r.fail(1, "Error response from daemon: container %s is not running", c.id)
	}
	tools := shell.Lookup
	shell.Lookup = func(name string) program.Program {
		if name != "crictl" {
			return tools(name)
		}
		return func(on *program.Context, args []string) int {
			return (&run{Context: on, m: r.m}).crictl(c, args[1:])
		}
	}
	code, found := provision.RunOn(r.Context, shell, rest[1:])
	switch command := rest[1]; {
	case found:
		return code
	case slices.Contains([]string{"systemctl", "journalctl", "ctr", "nerdctl", "iptables", "kubelet", "kubeadm"}, command):
		return r.fail(126, "docker: the simulation has no %s on its nodes; docker exec %s crictl ps shows their containers", command, c.name)
	default:
		return r.fail(127, "OCI runtime exec failed: exec failed: unable to start container process: exec: %q: executable file not found in $PATH", command)
	}
}

// crictl lists what the container runtime of a node has.
func (r *run) crictl(c *container, args []string) int {
	flags, rest := r.options(args, "r runtime-endpoint n namespace name", false)
	if len(rest) == 0 {
		return r.fail(1, "NAME:\n   crictl - client for CRI\n\nUSAGE:\n   crictl [global options] command [command options] [arguments...]")
	}
	api := client.New(c.cluster.Handler(), "crictl")
	all, _, err := client.List[*corev1.Pod](api, "", "")
	if err != nil {
		return r.fail(1, "FATA[0000] %v", err)
	}
	var pods []*corev1.Pod
	for _, p := range all {
		if p.Spec.NodeName == c.name && p.Status.Phase != corev1.PodPending {
			pods = append(pods, p)
		}
	}
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
		return b.CreationTimestamp.Time.Compare(a.CreationTimestamp.Time)
	})
	short := func(s string) string {
		s = s[strings.LastIndexAny(s, "/:")+1:]
		return s[:min(13, len(s))]
	}
	ago := func(t time.Time) string { return r.ago(t) + " ago" }
	switch rest[0] {
	case "ps":
		rows := [][]string{{"CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD", "NAMESPACE"}}
		for _, p := range pods {
			for _, s := range p.Status.ContainerStatuses {
				state, since := "Exited", p.CreationTimestamp.Time
				if s.State.Running != nil {
					state, since = "Running", s.State.Running.StartedAt.Time
				} else if s.State.Terminated != nil {
					since = s.State.Terminated.StartedAt.Time
				}
				if s.ContainerID == "" || state == "Exited" && !has(flags, "a", "all") {
					continue
				}
				rows = append(rows, []string{short(s.ContainerID), short(s.ImageID), ago(since), state, s.Name, strconv.Itoa(int(s.RestartCount)), id(string(p.UID))[:13], p.Name, p.Namespace})
			}
		}
		r.table(rows, 20)
	case "pods", "podsandboxes":
		rows := [][]string{{"POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME"}}
		for _, p := range pods {
			state := "Ready"
			if p.Status.Phase != corev1.PodRunning {
				state = "NotReady"
			}
			rows = append(rows, []string{id(string(p.UID))[:13], ago(p.CreationTimestamp.Time), state, p.Name, p.Namespace, "0", "(default)"})
		}
		r.table(rows, 20)
	default:
		return r.fail(1, "crictl: of crictl the simulation has ps and pods")
	}
	return 0
}
