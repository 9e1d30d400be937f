// kind create cluster: the steps, the time that each takes, and their words.

package kind

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/kind/v1alpha4"
	"github.com/kubonsai/kubonsai/sim/provision"
)

// How long the steps take on a machine whose disk is warm.
const (
	pullTime    = 2 * time.Second
	nodeTime    = 3 * time.Second
	configTime  = time.Second
	initTime    = 9 * time.Second
	bootTime    = 4 * time.Second // of it, until the API server answers
	addonTime   = time.Second
	joinTime    = 5 * time.Second
	networkTime = 10 * time.Second // from the CNI's installation to ready nodes
	frameTime   = 100 * time.Millisecond
)

// config reads what --config names; nil without one.
func (r *run) config(name string) (*v1alpha4.Cluster, error) {
	var raw []byte
	var err error
	switch name {
	case "":
		return &v1alpha4.Cluster{}, nil
	case "-":
		if raw, err = io.ReadAll(r.Stdin); err != nil {
			return nil, fmt.Errorf("error reading config from stdin: %w", err)
		}
	default:
		if raw, err = r.FS.ReadFile(r.Path(name)); err != nil {
			var p *fs.PathError
			if errors.As(err, &p) {
				err = p.Err
			}
			return nil, fmt.Errorf("failed to create cluster: error reading file: open %s: %w", name, err)
		}
	}
	cfg, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("failed to create cluster: %w", err)
	}
	return cfg, nil
}

func create(r *run, f *pflag.FlagSet, _ []string) error {
	cfg, err := r.config(text(f, "config"))
	if err != nil {
		return err
	}
	if name := text(f, "name"); name != "" {
		cfg.Name = name
	}
	setDefaults(cfg)
	if image := text(f, "image"); image != "" {
		for i := range cfg.Nodes {
			cfg.Nodes[i].Image = image
		}
	}
	wait, _ := f.GetDuration("wait")
	c := &creation{run: r, cfg: cfg, kubeconfig: text(f, "kubeconfig"), wait: wait}
	if err := c.create(); err != nil {
		if c.made != nil && !flag(f, "retain") && !errors.Is(err, errStopped) {
			r.Machine.Delete(c.made)
		}
		return fmt.Errorf("failed to create cluster: %w", err)
	}
	return nil
}

// errStopped is a creation that a signal has ended.
var errStopped = errors.New("interrupted")

// creation is one cluster in the making.
type creation struct {
	*run
	cfg        *v1alpha4.Cluster
	kubeconfig string
	wait       time.Duration
	made       provision.Cluster
	frame      int // of the spinner
}

func (c *creation) create() error {
	cfg := c.cfg
	if c.find(cfg.Name) != nil {
		return fmt.Errorf("node(s) already exist for a cluster with the name %q", cfg.Name)
	}
	if len(cfg.Name) > 50 {
		c.say("WARNING: cluster name %q is probably too long, this might not work properly on some systems", cfg.Name)
	}
	if err := validate(cfg); err != nil {
		return err
	}
	if cfg.Networking.IPFamily != "ipv4" {
		return fmt.Errorf("the simulation has IPv4 networks only, not ipFamily %q", cfg.Networking.IPFamily)
	}
	c.say("Creating cluster %q ...", cfg.Name)

	var images []string
	planes := 0
	for i := range cfg.Nodes {
		images = append(images, cfg.Nodes[i].Image)
		if cfg.Nodes[i].Role == controlPlane {
			planes++
		}
	}
	slices.Sort(images)
	for _, image := range slices.Compact(images) {
		shown, _, _ := strings.Cut(image, "@sha256:")
		if err := c.step("Ensuring node image ("+shown+") 🖼️", pullTime, func() error { return pull(image) }); err != nil {
			return err
		}
	}
	if err := c.step("Preparing nodes "+strings.Repeat("📦 ", len(cfg.Nodes)), nodeTime+time.Duration(len(cfg.Nodes)-1)*time.Second, func() (err error) {
		c.made, err = c.Machine.Prepare(spec(cfg))
		return c.dockerError(err)
	}); err != nil {
		return err
	}
	if planes > 1 {
		if err := c.step("Configuring the external load balancer ⚖️", configTime, nil); err != nil {
			return err
		}
	}
	if err := c.step("Writing configuration 📜", configTime, nil); err != nil {
		return err
	}
	const starting = "Starting control-plane 🕹️"
	if err := c.begin(starting, bootTime); err != nil {
		return err
	}
	if err := c.made.Boot(); err != nil {
		c.end(starting, false)
		return err
	}
	if err := c.spin(starting, initTime-bootTime); err != nil {
		return err
	}
	c.end(starting, true)
	if !cfg.Networking.DisableDefaultCNI {
		if err := c.step("Installing CNI 🔌", addonTime, func() error { c.made.ConnectNetwork(networkTime); return nil }); err != nil {
			return err
		}
	}
	if err := c.step("Installing StorageClass 💾", addonTime, nil); err != nil {
		return err
	}
	if planes > 1 {
		if err := c.step("Joining more control-plane nodes 🎮", joinTime*time.Duration(planes-1), nil); err != nil {
			return err
		}
	}
	if planes < len(cfg.Nodes) {
		if err := c.step("Joining worker nodes 🚜", joinTime, nil); err != nil {
			return err
		}
	}
	if err := c.waitForReady(); err != nil {
		return err
	}
	e := provision.KindEntry(c.made.Spec(), false)
	if err := provision.Merge(c.Context, c.kubeconfig, e); err != nil {
		return err
	}
	c.Machine.Use(c.made)
	usage := "kubectl cluster-info --context " + e.Name
	if c.kubeconfig != "" {
		usage += " --kubeconfig " + c.kubeconfig
	}
	c.say("Set kubectl context to %q\nYou can now use your cluster with:\n\n%s\n", e.Name, usage)
	words := []string{"Have a nice day! 👋", "Thanks for using kind! 😊",
		"Not sure what to do next? 😅  Check out https://kind.sigs.k8s.io/docs/user/quick-start/",
		"Have a question, bug, or feature request? Let us know! https://kind.sigs.k8s.io/#community 🙂"}
	c.say("%s", words[c.Random()%uint64(len(words))])
	return nil
}

// frames are the spinner's.
var frames = []string{"⠈⠁", "⠈⠑", "⠈⠱", "⠈⡱", "⢀⡱", "⢄⡱", "⢄⡱", "⢆⡱", "⢎⡱", "⢎⡰", "⢎⡠", "⢎⡀", "⢎⠁", "⠎⠁", "⠊⠁"}

// step shows what is under way while it takes its time, then does it.
func (c *creation) step(status string, takes time.Duration, do func() error) error {
	if err := c.begin(status, takes); err != nil {
		return err
	}
	var err error
	if do != nil {
		err = do()
	}
	c.end(status, err == nil)
	return err
}

func (c *creation) begin(status string, takes time.Duration) error {
	if c.TTY == nil {
		c.say(" • %s  ...", status)
	}
	return c.spin(status, takes)
}

// spin lets time pass, and shows that it does where there is a terminal.
func (c *creation) spin(status string, takes time.Duration) error {
	if c.TTY == nil || c.quiet {
		if c.Proc.Sleep(takes) != nil {
			return errStopped
		}
		return nil
	}
	for ; takes > 0; c.frame++ {
		fmt.Fprintf(c.Stderr, "\r %s %s ", frames[c.frame%len(frames)], status)
		if c.Proc.Sleep(min(frameTime, takes)) != nil {
			return errStopped
		}
		takes -= frameTime
	}
	return nil
}

func (c *creation) end(status string, success bool) {
	mark, colour := "✓", "32"
	if !success {
		mark, colour = "✗", "31"
	}
	if c.TTY == nil || c.quiet {
		c.say(" %s %s", mark, status)
		return
	}
	c.say("\r \x1b[%sm%s\x1b[0m %s", colour, mark, status)
}

// pull finds a node image: kind's own, of the versions there have been.
func pull(image string) error {
	name, _, _ := strings.Cut(image, "@")
	name = strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "index.docker.io/")
	repo, tag, _ := strings.Cut(name, ":")
	why := ""
	m := imageTag().FindStringSubmatch(name)
	switch {
	case repo != "kindest/node":
		why = fmt.Sprintf("Error response from daemon: pull access denied for %s, repository does not exist or may require 'docker login': denied: requested access to the resource is denied", repo)
	case tag == "" && !strings.Contains(image, "@"):
		why = "Error response from daemon: manifest for kindest/node:latest not found: manifest unknown: manifest unknown"
	case tag != "" && (m == nil || !published(m[2])):
		why = "Error response from daemon: manifest for " + name + " not found: manifest unknown: manifest unknown"
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("failed to pull image %q: command \"docker pull %s\" failed with error: exit status 1\n\nCommand Output: %s", image, image, why)
}

// published reports whether there is a node image of that minor version.
func published(minor string) bool {
	n, err := strconv.Atoi(minor)
	return err == nil && n >= 11 && n <= 36
}

// dockerError is how kind reports a container that docker could not start.
func (c *creation) dockerError(err error) error {
	var port *provision.PortError
	if !errors.As(err, &port) {
		return err
	}
	node := c.cfg.Name + "-" + controlPlane
	return fmt.Errorf("command \"docker run --name %s --hostname %s ... %s\" failed with error: exit status 125\n\nCommand Output: docker: Error response from daemon: failed to set up container networking: driver failed programming external connectivity on endpoint %s: %w\n\nRun 'docker run --help' for more information",
		node, node, c.cfg.Nodes[0].Image, node, port)
}

// waitForReady is --wait.
func (c *creation) waitForReady() error {
	if c.wait <= 0 {
		return nil
	}
	status := fmt.Sprintf("Waiting ≤ %s for control-plane = Ready ⏳", c.wait.Round(time.Second))
	start := c.Proc.Now()
	api := client.New(c.made.Handler(), "kubectl")
	if err := c.begin(status, 0); err != nil {
		return err
	}
	for {
		if controlPlanesReady(api) {
			c.end(status, true)
			c.say(" • Ready after %s 💚", c.Proc.Now().Sub(start).Round(time.Second))
			return nil
		}
		if c.Proc.Now().Sub(start) >= c.wait {
			c.end(status, false)
			c.say(" • WARNING: Timed out waiting for Ready ⚠️")
			return nil
		}
		if err := c.spin(status, frameTime); err != nil {
			return err
		}
	}
}

func controlPlanesReady(api *client.Client) bool {
	nodes, _, err := client.List[*corev1.Node](api, "", "node-role.kubernetes.io/control-plane")
	return err == nil && !slices.ContainsFunc(nodes, func(n *corev1.Node) bool {
		return !slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		})
	})
}
