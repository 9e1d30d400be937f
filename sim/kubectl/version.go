// kubectl version, api-resources' company: what the client and the server are.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_version/

package kubectl

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func versionCommand() *Command {
	return &Command{
		Use: "version [flags]", Short: "Print the client and server version information",
		Long:     "Prints the versions of kubectl and of the cluster.",
		Examples: "# Both versions\nkubectl version",
		New:      func() Verb { return &versionOptions{} },
	}
}

type versionOptions struct {
	client bool
	output string
	args   []string
}

func (o *versionOptions) Flags(f *pflag.FlagSet) {
	f.BoolVar(&o.client, "client", false, "Do not ask the server")
	f.StringVarP(&o.output, "output", "o", "", "yaml or json")
}

func (o *versionOptions) Complete(s *Session, args []string) error {
	o.args = args
	return nil
}

func (o *versionOptions) Validate() error {
	if len(o.args) > 0 {
		return errors.New("extra arguments: [" + strings.Join(o.args, " ") + "]")
	}
	if o.output != "" && o.output != "yaml" && o.output != "json" {
		return errors.New(`--output must be 'yaml' or 'json'`)
	}
	return nil
}

const kustomizeVersion = "v5.8.1"

// versionInfo is in the order in which the real one prints JSON.
type versionInfo struct {
	Major string `json:"major"`
	Minor string `json:"minor"`
	// A server's alone.
	EmulationMajor        string `json:"emulationMajor,omitempty"`
	EmulationMinor        string `json:"emulationMinor,omitempty"`
	MinCompatibilityMajor string `json:"minCompatibilityMajor,omitempty"`
	MinCompatibilityMinor string `json:"minCompatibilityMinor,omitempty"`

	GitVersion   string `json:"gitVersion"`
	GitCommit    string `json:"gitCommit"`
	GitTreeState string `json:"gitTreeState"`
	BuildDate    string `json:"buildDate"`
	GoVersion    string `json:"goVersion"`
	Compiler     string `json:"compiler"`
	Platform     string `json:"platform"`
}

type versions struct {
	Client    *versionInfo `json:"clientVersion,omitempty"`
	Kustomize string       `json:"kustomizeVersion,omitempty"`
	Server    *versionInfo `json:"serverVersion,omitempty"`
}

func (o *versionOptions) Run(s *Session) error {
	version := s.Options.Version
	major, rest0, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest0, ".")
	v := versions{
		Client: &versionInfo{Major: major, Minor: minor, GitVersion: version, GitTreeState: "clean", BuildDate: "1970-01-01T00:00:00Z",
			GoVersion: "go1.26", Compiler: "gc", Platform: "linux/amd64"},
		Kustomize: kustomizeVersion,
	}
	var serverErr error
	if !o.client {
		v.Server, serverErr = o.server(s, v.Client)
	}
	switch o.output {
	case "":
		s.Printf("Client Version: %s\nKustomize Version: %s\n", v.Client.GitVersion, v.Kustomize)
		if v.Server != nil {
			s.Printf("Server Version: %s\n", v.Server.GitVersion)
		}
	case "yaml":
		data, err := yaml.Marshal(&v)
		if err != nil {
			return err
		}
		s.Printf("%s", data)
	case "json":
		data, err := json.MarshalIndent(&v, "", "  ")
		if err != nil {
			return err
		}
		s.Printf("%s\n", data)
	}
	return serverErr
}

func (o *versionOptions) server(s *Session, client *versionInfo) (*versionInfo, error) {
	c, err := s.Client()
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(&rest.Request{Method: "GET", Path: "/version"})
	if err != nil {
		return nil, err
	}
	t, err := ResponseTree(resp)
	if err != nil {
		return nil, err
	}
	v := &versionInfo{}
	return v, api.FromTree(t, v)
}
