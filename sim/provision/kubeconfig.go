// The kubeconfig as kind and minikube edit it: their own entries are added,
// replaced and removed; everything else in the reader's files stays.

package provision

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/program"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

type object = map[string]any

// Entry is what a kubeconfig has of one cluster: the bodies of the cluster, the
// context and the user, all of the same name.
type Entry struct {
	Name                   string
	Cluster, Context, User map[string]any
}

// PEM is a block in which a certificate or key would stand. Inside the
// simulation there is no wire to protect.
func PEM(kind string) []byte {
	return []byte("-----BEGIN " + kind + "-----\nsimulated\n-----END " + kind + "-----\n")
}

// KindEntry is the entry of a cluster of kind; internal is as its nodes see it.
func KindEntry(s Spec, internal bool) Entry {
	name := "kind-" + s.Name
	server := s.Server.String()
	if internal {
		server = s.Nodes[0].Name + ":6443"
	}
	encode := base64.StdEncoding.EncodeToString
	return Entry{Name: name,
		Cluster: object{"certificate-authority-data": encode(PEM("CERTIFICATE")), "server": "https://" + server},
		Context: object{"cluster": name, "user": name},
		User:    object{"client-certificate-data": encode(PEM("CERTIFICATE")), "client-key-data": encode(PEM("RSA PRIVATE KEY"))},
	}
}

// Document is a kubeconfig with this entry alone.
func (e Entry) Document() ([]byte, error) {
	doc := object{"apiVersion": "v1", "kind": "Config"}
	e.mergeInto(doc)
	return yaml.Marshal(doc)
}

var lists = []string{"clusters", "contexts", "users"}

func (e Entry) mergeInto(doc object) {
	bodies := [...]object{{"name": e.Name, "cluster": e.Cluster}, {"name": e.Name, "context": e.Context}, {"name": e.Name, "user": e.User}}
	for i, list := range lists {
		items, _ := doc[list].([]any)
		at := slices.IndexFunc(items, func(v any) bool { return named(v, e.Name) })
		if at >= 0 {
			items[at] = bodies[i]
		} else {
			items = append(items, bodies[i])
		}
		doc[list] = items
	}
	doc["current-context"] = e.Name
	for k, v := range map[string]string{"apiVersion": "v1", "kind": "Config"} {
		if doc[k] == nil {
			doc[k] = v
		}
	}
}

func named(v any, name string) bool {
	m, _ := v.(object)
	return m["name"] == name
}

// files are the kubeconfigs of a program: --kubeconfig, $KUBECONFIG or the one
// in the home directory.
func files(c *program.Context, explicit string) []string {
	if explicit != "" {
		return []string{c.Path(explicit)}
	}
	var out []string
	for _, f := range strings.Split(c.Getenv("KUBECONFIG"), ":") {
		if f != "" && !slices.Contains(out, c.Path(f)) {
			out = append(out, c.Path(f))
		}
	}
	if len(out) == 0 {
		out = []string{path.Join(c.Getenv("HOME"), ".kube/config")}
	}
	return out
}

// Merge writes the entry into the first of the program's kubeconfigs that
// exists, else the last, and makes it the current one.
func Merge(c *program.Context, explicit string, e Entry) error {
	all := files(c, explicit)
	file := all[len(all)-1]
	for _, f := range all {
		if _, err := c.FS.Stat(f); err == nil {
			file = f
			break
		}
	}
	doc, err := read(c.FS, file)
	if err != nil {
		return fmt.Errorf("failed to get kubeconfig to merge: %w", err)
	}
	e.mergeInto(doc)
	return write(c, file, doc)
}

// Remove takes the entry of that name out of the program's kubeconfigs.
func Remove(c *program.Context, explicit, name string) error {
	for _, file := range files(c, explicit) {
		doc, err := read(c.FS, file)
		if err != nil {
			return fmt.Errorf("failed to read kubeconfig to remove KIND entry: %w", err)
		}
		changed := false
		for _, list := range lists {
			items, _ := doc[list].([]any)
			kept := slices.DeleteFunc(slices.Clone(items), func(v any) bool { return named(v, name) })
			if len(kept) < len(items) {
				doc[list], changed = kept, true
			}
		}
		if doc["current-context"] == name {
			doc["current-context"], changed = "", true
		}
		if !changed {
			continue
		}
		if err := write(c, file, doc); err != nil {
			return err
		}
	}
	return nil
}

// Current is the current context of the program's kubeconfigs.
func Current(c *program.Context) string {
	for _, file := range files(c, "") {
		if doc, err := read(c.FS, file); err == nil {
			if name, _ := doc["current-context"].(string); name != "" {
				return name
			}
		}
	}
	return ""
}

// CurrentServer is the server that a kubeconfig's current context leads to, ""
// when it leads nowhere.
func CurrentServer(f *vfs.FS, file string) string {
	doc, err := read(f, file)
	if err != nil {
		return ""
	}
	find := func(list, field, name string) object {
		items, _ := doc[list].([]any)
		for _, v := range items {
			if named(v, name) {
				body, _ := v.(object)[field].(object)
				return body
			}
		}
		return nil
	}
	current, _ := doc["current-context"].(string)
	cluster, _ := find("contexts", "context", current)["cluster"].(string)
	server, _ := find("clusters", "cluster", cluster)["server"].(string)
	return server
}

// SetCurrent makes a context the current one, in the file that says which is,
// else in the first that exists.
func SetCurrent(c *program.Context, name string) error {
	all := files(c, "")
	file := ""
	for _, f := range all {
		doc, err := read(c.FS, f)
		if err == nil && (doc["current-context"] != nil || file == "" && len(doc) > 0) {
			file = f
			if doc["current-context"] != "" {
				break
			}
		}
	}
	if file == "" {
		file = all[len(all)-1]
	}
	doc, err := read(c.FS, file)
	if err != nil {
		return err
	}
	doc["current-context"] = name
	return write(c, file, doc)
}

// Has reports whether a kubeconfig of the program has the context.
func Has(c *program.Context, name string) bool {
	return slices.ContainsFunc(files(c, ""), func(file string) bool {
		doc, _ := read(c.FS, file)
		items, _ := doc["contexts"].([]any)
		return slices.ContainsFunc(items, func(v any) bool { return named(v, name) })
	})
}

// read is the file as a tree; a file that is not there is empty.
func read(f *vfs.FS, file string) (object, error) {
	data, err := f.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return object{}, nil
	}
	if err != nil {
		return nil, err
	}
	doc := object{}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if doc == nil {
		doc = object{}
	}
	return doc, nil
}

func write(c *program.Context, file string, doc object) error {
	for _, list := range lists {
		if items, ok := doc[list].([]any); ok && len(items) == 0 {
			doc[list] = nil
		}
	}
	data, err := yaml.Marshal(doc)
	if err != nil {
		return err
	}
	if err := c.FS.MkdirAll(path.Dir(file), 0o755); err != nil {
		return err
	}
	return c.FS.WriteFile(file, data, 0o600)
}
