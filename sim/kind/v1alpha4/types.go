// Package v1alpha4 is kind's configuration file, kind.x-k8s.io/v1alpha4: its
// fields by their documented names (https://kind.sigs.k8s.io/docs/user/configuration/).
// The types' names appear in what kind says of unknown fields.
package v1alpha4

// Cluster is the file.
type Cluster struct {
	TypeMeta                        `yaml:",inline"`
	Name                            string            `yaml:"name,omitempty"`
	Nodes                           []Node            `yaml:"nodes,omitempty"`
	Networking                      Networking        `yaml:"networking,omitempty"`
	FeatureGates                    map[string]bool   `yaml:"featureGates,omitempty"`
	RuntimeConfig                   map[string]string `yaml:"runtimeConfig,omitempty"`
	KubeadmConfigPatches            []string          `yaml:"kubeadmConfigPatches,omitempty"`
	KubeadmConfigPatchesJSON6902    []PatchJSON6902   `yaml:"kubeadmConfigPatchesJSON6902,omitempty"`
	ContainerdConfigPatches         []string          `yaml:"containerdConfigPatches,omitempty"`
	ContainerdConfigPatchesJSON6902 []string          `yaml:"containerdConfigPatchesJSON6902,omitempty"`
}

// TypeMeta says what the file is.
type TypeMeta struct {
	Kind       string `yaml:"kind,omitempty"`
	APIVersion string `yaml:"apiVersion,omitempty"`
}

// Node is one node.
type Node struct {
	Role                         string            `yaml:"role,omitempty"`
	Image                        string            `yaml:"image,omitempty"`
	Labels                       map[string]string `yaml:"labels,omitempty"`
	ExtraMounts                  []Mount           `yaml:"extraMounts,omitempty"`
	ExtraPortMappings            []PortMapping     `yaml:"extraPortMappings,omitempty"`
	KubeadmConfigPatches         []string          `yaml:"kubeadmConfigPatches,omitempty"`
	KubeadmConfigPatchesJSON6902 []PatchJSON6902   `yaml:"kubeadmConfigPatchesJSON6902,omitempty"`
}

// Networking is the cluster's network.
type Networking struct {
	IPFamily          string    `yaml:"ipFamily,omitempty"`
	APIServerPort     int32     `yaml:"apiServerPort,omitempty"`
	APIServerAddress  string    `yaml:"apiServerAddress,omitempty"`
	PodSubnet         string    `yaml:"podSubnet,omitempty"`
	ServiceSubnet     string    `yaml:"serviceSubnet,omitempty"`
	DisableDefaultCNI bool      `yaml:"disableDefaultCNI,omitempty"`
	KubeProxyMode     string    `yaml:"kubeProxyMode,omitempty"`
	DNSSearch         *[]string `yaml:"dnsSearch,omitempty"`
}

// PatchJSON6902 is a patch of a kubeadm document.
type PatchJSON6902 struct {
	Group   string `yaml:"group"`
	Version string `yaml:"version"`
	Kind    string `yaml:"kind"`
	Patch   string `yaml:"patch"`
}

// Mount is a directory of the host in a node.
type Mount struct {
	ContainerPath  string `yaml:"containerPath,omitempty"`
	HostPath       string `yaml:"hostPath,omitempty"`
	Readonly       bool   `yaml:"readOnly,omitempty"`
	SelinuxRelabel bool   `yaml:"selinuxRelabel,omitempty"`
	Propagation    string `yaml:"propagation,omitempty"`
}

// PortMapping is a port of a node on the host.
type PortMapping struct {
	ContainerPort int32  `yaml:"containerPort,omitempty"`
	HostPort      int32  `yaml:"hostPort,omitempty"`
	ListenAddress string `yaml:"listenAddress,omitempty"`
	Protocol      string `yaml:"protocol,omitempty"`
}
