// kind's configuration: reading, defaults, checks, and what cluster it asks for.

package kind

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v2"

	"github.com/kubonsai/kubonsai/sim/internal/lazy"
	"github.com/kubonsai/kubonsai/sim/kind/v1alpha4"
	"github.com/kubonsai/kubonsai/sim/provision"
)

const (
	controlPlane = "control-plane"
	worker       = "worker"

	podSubnet     = "10.244.0.0/16"
	serviceSubnet = "10.96.0.0/16"
)

// parse reads a configuration file.
func parse(raw []byte) (*v1alpha4.Cluster, error) {
	var head struct {
		v1alpha4.TypeMeta `yaml:",inline"`
	}
	if err := yaml.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("could not determine kind / apiVersion for config: %w", err)
	}
	if head.APIVersion != "kind.x-k8s.io/v1alpha4" {
		return nil, fmt.Errorf("unknown apiVersion: %s", head.APIVersion)
	}
	if head.Kind != "Cluster" {
		return nil, fmt.Errorf("unknown kind %s for apiVersion: %s", head.Kind, head.APIVersion)
	}
	cfg := &v1alpha4.Cluster{}
	if err := yaml.UnmarshalStrict(raw, cfg); err != nil {
		return nil, fmt.Errorf("unable to decode config: %w", err)
	}
	return cfg, nil
}

// setDefaults fills in what the file leaves out.
func setDefaults(cfg *v1alpha4.Cluster) {
	or := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	or(&cfg.Name, "kind")
	if len(cfg.Nodes) == 0 {
		cfg.Nodes = []v1alpha4.Node{{}}
	}
	for i := range cfg.Nodes {
		n := &cfg.Nodes[i]
		or(&n.Image, defaultImage)
		or(&n.Role, controlPlane)
		for j := range n.ExtraPortMappings {
			or(&n.ExtraPortMappings[j].Protocol, "TCP")
		}
	}
	net := &cfg.Networking
	or(&net.IPFamily, "ipv4")
	or(&net.APIServerAddress, "127.0.0.1")
	or(&net.PodSubnet, podSubnet)
	or(&net.ServiceSubnet, serviceSubnet)
	or(&net.KubeProxyMode, "iptables")
}

var validName = lazy.Regexp(`^[a-z0-9.-]+$`)

// aggregate is several errors as kind prints them.
func aggregate(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	texts := make([]string, len(errs))
	for i, e := range errs {
		texts[i] = e.Error()
	}
	return errors.New("[" + strings.Join(texts, ", ") + "]")
}

func validate(cfg *v1alpha4.Cluster) error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !validName().MatchString(cfg.Name) {
		add("'%s' is not a valid cluster name, cluster names must match `%s`", cfg.Name, validName())
	}
	net := &cfg.Networking
	if err := validPort(net.APIServerPort); err != nil {
		add("invalid apiServerPort: %w", err)
	}
	if !slices.Contains([]string{"ipv4", "ipv6", "dual"}, net.IPFamily) {
		add("invalid ipFamily: %s", net.IPFamily)
	}
	if err := validSubnet(net.PodSubnet); err != nil {
		add("invalid pod subnet %w", err)
	}
	if err := validSubnet(net.ServiceSubnet); err != nil {
		add("invalid service subnet %w", err)
	}
	if !slices.Contains([]string{"iptables", "ipvs", "nftables", "none"}, net.KubeProxyMode) {
		add("invalid kubeProxyMode: %s", net.KubeProxyMode)
	}
	planes := 0
	for i := range cfg.Nodes {
		if err := validNode(&cfg.Nodes[i]); err != nil {
			add("invalid configuration for node %d: %w", i, err)
		}
		if cfg.Nodes[i].Role == controlPlane {
			planes++
		}
	}
	if planes == 0 {
		add("must have at least one %s node", controlPlane)
	}
	return aggregate(errs)
}

func validNode(n *v1alpha4.Node) error {
	var errs []error
	if n.Role != controlPlane && n.Role != worker {
		errs = append(errs, fmt.Errorf("%q is not a valid node role", n.Role))
	}
	for _, m := range n.ExtraPortMappings {
		if err := validPort(m.HostPort); err != nil {
			errs = append(errs, fmt.Errorf("invalid hostPort: %w", err))
		}
		if err := validPort(m.ContainerPort); err != nil {
			errs = append(errs, fmt.Errorf("invalid containerPort: %w", err))
		}
	}
	if err := validMappings(n.ExtraPortMappings); err != nil {
		errs = append(errs, fmt.Errorf("invalid portMapping: %w", err))
	}
	return aggregate(errs)
}

func validMappings(list []v1alpha4.PortMapping) error {
	type bound struct {
		port  int32
		proto string
	}
	taken := map[bound][]netip.Addr{}
	for _, m := range list {
		if m.HostPort <= 0 {
			continue
		}
		a := netip.IPv4Unspecified()
		if m.ListenAddress != "" {
			var err error
			if a, err = netip.ParseAddr(m.ListenAddress); err != nil {
				return fmt.Errorf("invalid listen address: %s", m.ListenAddress)
			}
		}
		shown := a.String()
		if a.IsUnspecified() {
			a = netip.IPv4Unspecified()
		}
		key := bound{m.HostPort, m.Protocol}
		if t := taken[key]; a.IsUnspecified() && len(t) > 0 || slices.Contains(t, a) || slices.Contains(t, netip.IPv4Unspecified()) {
			return fmt.Errorf("port mapping with same listen address, port and protocol already configured: %s:%d/%s", shown, m.HostPort, m.Protocol)
		}
		taken[key] = append(taken[key], a)
	}
	return nil
}

func validPort(port int32) error {
	if port < -1 || port > 65535 {
		return fmt.Errorf("invalid port number: %d", port)
	}
	return nil
}

func validSubnet(s string) error {
	subnets := strings.Split(s, ",")
	for _, subnet := range subnets {
		p, err := netip.ParsePrefix(subnet)
		if err != nil {
			return fmt.Errorf("failed to parse cidr value:%q with error: invalid CIDR address: %s", subnet, subnet)
		}
		if !p.Addr().Is4() {
			return errors.New("expected IPv4 CIDR for IPv4 family")
		}
	}
	if len(subnets) > 1 {
		return errors.New("only one CIDR allowed for single-stack networking")
	}
	return nil
}

// spec is the cluster that a checked configuration asks for.
func spec(cfg *v1alpha4.Cluster) provision.Spec {
	roles := make([]bool, len(cfg.Nodes))
	for i := range cfg.Nodes {
		roles[i] = cfg.Nodes[i].Role == controlPlane
	}
	s := provision.Spec{Tool: provision.Kind, Name: cfg.Name, Nodes: provision.KindRoles(cfg.Name, roles)}
	for i := range cfg.Nodes {
		n := &cfg.Nodes[i]
		s.Nodes[i].Labels, s.Nodes[i].Version = n.Labels, imageVersion(n.Image)
		for _, m := range n.ExtraPortMappings {
			if m.Protocol != "TCP" {
				continue // nothing on the reader's machine speaks it
			}
			a, err := netip.ParseAddr(m.ListenAddress)
			s.Ports = append(s.Ports, provision.Port{Node: i, ContainerPort: int(m.ContainerPort), HostPort: int(max(m.HostPort, 0)), Local: err == nil && a.IsLoopback()})
		}
	}
	// The first node is the one whose API server is spoken to.
	if first := slices.IndexFunc(s.Nodes, func(n provision.Node) bool { return n.ControlPlane }); first > 0 {
		for i := range s.Ports {
			switch s.Ports[i].Node {
			case first:
				s.Ports[i].Node = 0
			case 0:
				s.Ports[i].Node = first
			}
		}
		s.Nodes[0], s.Nodes[first] = s.Nodes[first], s.Nodes[0]
	}
	subnet := func(text, usual string) netip.Prefix {
		p, err := netip.ParsePrefix(text)
		if err != nil || text == usual {
			return netip.Prefix{}
		}
		return p
	}
	s.PodSubnet, s.ServiceSubnet = subnet(cfg.Networking.PodSubnet, podSubnet), subnet(cfg.Networking.ServiceSubnet, serviceSubnet)
	if port := cfg.Networking.APIServerPort; port > 0 {
		s.Server = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
	}
	return s
}

var imageTag = lazy.Regexp(`:(v1\.(\d+)\.\d+[0-9A-Za-z.-]*)$`)

// imageVersion is the Kubernetes version of a node image; "" when its name does
// not tell, which is the simulation's own.
func imageVersion(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if m := imageTag().FindStringSubmatch(image); m != nil {
		return m[1]
	}
	return ""
}
