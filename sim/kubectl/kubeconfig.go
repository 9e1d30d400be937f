// This file reads and writes kubeconfig files: where they are, how several are
// merged, which context, cluster, user and namespace a run uses. The commands
// that change them are in config.go.

package kubectl

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

// kubeConfig is the merged configuration. Entries are trees, so that fields we
// do not know survive being written back.
type kubeConfig struct {
	clusters, contexts, users map[string]*configEntry
	current                   string
	currentFile               string // where current-context was read
	files                     []string
	explicit                  bool // --kubeconfig
	trees                     map[string]tree.Map
}

type configEntry struct {
	file string
	body tree.Map
}

const (
	kindClusters = "clusters"
	kindContexts = "contexts"
	kindUsers    = "users"
)

// configField is the field of a named entry that holds its body.
var configField = map[string]string{kindClusters: "cluster", kindContexts: "context", kindUsers: "user"}

// home is the reader's home directory.
func (s *Session) home() string {
	if h := s.Getenv("HOME"); h != "" {
		return h
	}
	return "/root"
}

// Config reads the kubeconfig once.
func (s *Session) Config() (*kubeConfig, error) {
	if s.config != nil {
		return s.config, nil
	}
	c := &kubeConfig{
		clusters: map[string]*configEntry{}, contexts: map[string]*configEntry{}, users: map[string]*configEntry{},
		trees: map[string]tree.Map{},
	}
	switch env := s.Getenv("KUBECONFIG"); {
	case s.Global.Kubeconfig != "":
		c.files, c.explicit = []string{s.Path(s.Global.Kubeconfig)}, true
	case env != "":
		for _, f := range strings.Split(env, ":") {
			if f != "" {
				c.files = append(c.files, s.Path(f))
			}
		}
	default:
		c.files = []string{path.Join(s.home(), ".kube/config")}
	}
	for _, file := range c.files {
		data, err := s.FS.ReadFile(file)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				if c.explicit && s.Command != nil && !strings.HasPrefix(s.Command.Path(), "kubectl config") {
					return nil, fmt.Errorf("stat %s: no such file or directory", s.Global.Kubeconfig)
				}
				continue
			}
			return nil, fmt.Errorf("error loading config file \"%s\": %v", file, err)
		}
		t := tree.Map{}
		if err := yaml.Unmarshal(data, &t); err != nil {
			return nil, fmt.Errorf("error loading config file \"%s\": %v", file, err)
		}
		if t == nil {
			t = tree.Map{}
		}
		c.trees[file] = t
		for _, kind := range []string{kindClusters, kindContexts, kindUsers} {
			for _, m := range tree.Maps(t, kind) {
				name := tree.String(m, "name")
				if _, taken := c.table(kind)[name]; !taken {
					body := tree.Sub(m, configField[kind])
					if body == nil {
						body = tree.Map{}
					}
					c.table(kind)[name] = &configEntry{file, body}
				}
			}
		}
		if cur := tree.String(t, "current-context"); cur != "" && c.current == "" {
			c.current, c.currentFile = cur, file
		}
	}
	s.config = c
	return c, nil
}

func (c *kubeConfig) table(kind string) map[string]*configEntry {
	switch kind {
	case kindClusters:
		return c.clusters
	case kindContexts:
		return c.contexts
	}
	return c.users
}

// newFile is where new entries go: the first file that exists, else the last one.
func (c *kubeConfig) newFile() string {
	for _, f := range c.files {
		if c.trees[f] != nil {
			return f
		}
	}
	return c.files[len(c.files)-1]
}

// shown is what messages call a file.
func (s *Session) configFile() string {
	c, err := s.Config()
	if err != nil {
		return ""
	}
	return c.newFile()
}

// set puts an entry (nil removes it) and current sets the current context; save writes.
func (c *kubeConfig) set(kind, name string, body tree.Map) {
	t := c.table(kind)
	if body == nil {
		delete(t, name)
		return
	}
	if e := t[name]; e != nil {
		e.body = body
		return
	}
	t[name] = &configEntry{c.newFile(), body}
}

func (c *kubeConfig) list(kind, file string) []any {
	var out []any
	t := c.table(kind)
	for _, name := range tree.Keys(t) {
		if file == "" || t[name].file == file {
			out = append(out, tree.Map{"name": name, configField[kind]: t[name].body})
		}
	}
	return out
}

// tree is the configuration as one document, file "" for all files together.
func (c *kubeConfig) tree(file string) tree.Map {
	out := tree.Map{"apiVersion": "v1", "kind": "Config", "current-context": ""}
	if file == "" {
		out["current-context"] = c.current
	}
	for f, t := range c.trees {
		if f != file {
			continue
		}
		for k, v := range t {
			if _, known := out[k]; !known && k != kindClusters && k != kindContexts && k != kindUsers {
				if k == "preferences" && len(tree.Sub(t, k)) == 0 {
					continue
				}
				out[k] = v
			}
		}
	}
	for _, kind := range []string{kindClusters, kindContexts, kindUsers} {
		out[kind] = nil
		if l := c.list(kind, file); l != nil {
			out[kind] = l
		}
	}
	return out
}

// save writes every file of the configuration that has content.
func (s *Session) saveConfig() error {
	c := s.config
	newFile := c.newFile()
	if c.current != "" && c.currentFile == "" {
		c.currentFile = newFile
	}
	for _, f := range c.files {
		t := c.tree(f)
		if f == c.currentFile {
			t["current-context"] = c.current
		}
		if c.trees[f] == nil && f != newFile {
			continue
		}
		data, err := yaml.Marshal(t)
		if err != nil {
			return err
		}
		if err := s.FS.MkdirAll(path.Dir(f), 0o750); err != nil {
			return err
		}
		if err := s.FS.WriteFile(f, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// target is what a run talks to.
type target struct {
	server, namespace         string
	explicitNamespace         bool
	token, username, password string
	clientCertificate         []byte
	as, asUID                 string
	asGroups                  []string
	asExtra                   map[string][]string
}

// target works out context, cluster and user from the kubeconfig and the flags.
func (s *Session) target() (*target, error) {
	c, err := s.Config()
	if err != nil {
		return nil, err
	}
	t := &target{namespace: "default"}
	g := &s.Global
	name := c.current
	if g.Context != "" {
		name = g.Context
		if c.contexts[name] == nil {
			return nil, configError{fmt.Errorf("context was not found for specified context: %s", name)}
		}
	}
	var context tree.Map
	if e := c.contexts[name]; e != nil {
		context = e.body
	} else if name != "" {
		return nil, configError{fmt.Errorf("context was not found for specified context: %s", name)}
	}
	if ns := tree.String(context, "namespace"); ns != "" {
		t.namespace = ns
	}
	if g.Namespace != "" {
		t.namespace, t.explicitNamespace = g.Namespace, true
	}
	clusterName := tree.String(context, "cluster")
	if g.Cluster != "" {
		clusterName = g.Cluster
		if c.clusters[clusterName] == nil {
			return nil, fmt.Errorf("no server found for cluster %q", clusterName)
		}
	}
	if e := c.clusters[clusterName]; e != nil {
		t.server = tree.String(e.body, "server")
	} else if clusterName != "" && g.Server == "" {
		return nil, configError{Aggregate{fmt.Errorf("cluster %q does not exist", clusterName)}}
	}
	if g.Server != "" {
		t.server = g.Server
	}
	if t.server == "" {
		t.server = "http://localhost:8080"
	}
	if !strings.Contains(t.server, "://") {
		t.server = "http://" + t.server
	}
	userName := tree.String(context, "user")
	if g.User != "" {
		userName = g.User
		if c.users[userName] == nil {
			return nil, fmt.Errorf("auth info %q does not exist", userName)
		}
	}
	if e := c.users[userName]; e != nil {
		b := e.body
		t.token, t.username, t.password = tree.String(b, "token"), tree.String(b, "username"), tree.String(b, "password")
		t.clientCertificate, _ = base64.StdEncoding.DecodeString(tree.String(b, "client-certificate-data"))
		if f := tree.String(b, "client-certificate"); f != "" && len(t.clientCertificate) == 0 {
			t.clientCertificate, _ = s.FS.ReadFile(s.Path(f))
		}
		if f := tree.String(b, "tokenFile"); f != "" {
			if data, err := s.FS.ReadFile(s.Path(f)); err == nil {
				t.token = strings.TrimSpace(string(data))
			}
		}
		t.as = tree.String(b, "as")
	} else if userName != "" && g.Token == "" {
		return nil, configError{Aggregate{fmt.Errorf("user %q does not exist", userName)}}
	}
	if g.Token != "" {
		t.token = g.Token
	}
	if f := g.ClientCertificate; f != "" {
		t.clientCertificate, _ = s.FS.ReadFile(s.Path(f))
	}
	if g.Username != "" {
		t.username, t.password = g.Username, g.Password
	}
	if g.As != "" {
		t.as = g.As
	}
	if t.as == "" && (g.AsUID != "" || len(g.AsGroup) > 0 || len(g.AsUserExtra) > 0) {
		return nil, fmt.Errorf("requesting uid, groups or user-extra for %s without impersonating a user", tree.String(context, "user"))
	}
	if _, err := requestTimeout(g.RequestTimeout); err != nil {
		return nil, err
	}
	t.asUID, t.asGroups = g.AsUID, g.AsGroup
	for _, kv := range g.AsUserExtra {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			continue
		}
		if t.asExtra == nil {
			t.asExtra = map[string][]string{}
		}
		t.asExtra[k] = append(t.asExtra[k], v)
	}
	return t, nil
}

// Namespace is the namespace of this run and whether --namespace gave it.
func (s *Session) Namespace() (namespace string, explicit bool, err error) {
	t, err := s.target()
	if err != nil {
		return "", false, err
	}
	return t.namespace, t.explicitNamespace, nil
}

// requestTimeout reads --request-timeout: seconds, or a duration with its unit;
// 0 is for ever. Only watches heed it, for the simulated server answers at once.
func requestTimeout(text string) (time.Duration, error) {
	if n, err := strconv.Atoi(text); err == nil || text == "" {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New("Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)")
	}
	return d, nil
}
