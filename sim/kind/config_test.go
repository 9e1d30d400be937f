package kind

import (
	"strings"
	"testing"
)

const head = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n"

// Checks after kind's pkg/internal/apis/config/validate.go.
func TestValidate(t *testing.T) {
	for _, x := range []struct{ config, want string }{
		{"", ""},
		{"nodes: [{role: worker}]", "must have at least one control-plane node"},
		{"networking: {apiServerPort: 70000}", "invalid apiServerPort: invalid port number: 70000"},
		{"networking: {kubeProxyMode: fast}", "invalid kubeProxyMode: fast"},
		{"networking: {podSubnet: ten}", "invalid pod subnet failed to parse cidr value:\"ten\" with error: invalid CIDR address: ten"},
		{"networking: {serviceSubnet: \"10.0.0.0/16,10.1.0.0/16\"}", "invalid service subnet only one CIDR allowed for single-stack networking"},
		{"nodes: [{extraPortMappings: [{containerPort: 99999, hostPort: 80}]}]", "invalid configuration for node 0: invalid containerPort: invalid port number: 99999"},
		{"nodes: [{extraPortMappings: [{containerPort: 1, hostPort: 80}, {containerPort: 2, hostPort: 80, listenAddress: 127.0.0.1}]}]",
			"invalid configuration for node 0: invalid portMapping: port mapping with same listen address, port and protocol already configured: 127.0.0.1:80/TCP"},
		{"nodes: [{extraPortMappings: [{containerPort: 1, hostPort: 80, listenAddress: here}]}]", "invalid configuration for node 0: invalid portMapping: invalid listen address: here"},
		{"featureGates: {X: true}\nruntimeConfig: {api/all: \"true\"}\nkubeadmConfigPatches: [\"kind: ClusterConfiguration\"]\nnodes: [{extraMounts: [{hostPath: /a, containerPath: /b}]}]", ""},
	} {
		cfg, err := parse([]byte(head + x.config))
		if err != nil {
			t.Fatalf("%s: %v", x.config, err)
		}
		setDefaults(cfg)
		got := ""
		if err := validate(cfg); err != nil {
			got = err.Error()
		}
		if got != x.want {
			t.Errorf("%s\n got %q\nwant %q", x.config, got, x.want)
		}
	}
}

// The node with the control plane comes first, with its ports.
func TestSpecPutsTheControlPlaneFirst(t *testing.T) {
	cfg, err := parse([]byte(head + "nodes: [{role: worker}, {role: control-plane, extraPortMappings: [{containerPort: 30000, hostPort: 80}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	setDefaults(cfg)
	s := spec(cfg)
	if s.Nodes[0].Name != "kind-control-plane" || !s.Nodes[0].Tainted || s.Nodes[1].Name != "kind-worker" || s.Ports[0].Node != 0 {
		t.Errorf("the cluster is %+v", s)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(head + "nodes: [{role: control-plane, image: \"kindest/node:v1.29.0@sha256:0\"}]")
	f.Add("nodes: 1")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "*") > 3 {
			t.Skip("aliases of aliases are the YAML library's affair")
		}
		cfg, err := parse([]byte(text))
		if err != nil {
			return
		}
		setDefaults(cfg)
		if validate(cfg) == nil && len(spec(cfg).Nodes) == 0 {
			t.Error("a cluster without nodes")
		}
	})
}
