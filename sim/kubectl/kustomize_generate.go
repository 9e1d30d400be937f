// The generators of a kustomization: ConfigMaps and Secrets made of literals and
// files, whose names end in a hash of what they hold.

package kubectl

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

// generate makes a ConfigMap or Secret; its name ends in a hash of its content.
func (k *kustomizer) generate(dir, kind string, spec, t tree.Map) (tree.Map, error) {
	data, binary := tree.Map{}, tree.Map{}
	put := func(key string, value []byte) {
		switch {
		case kind == "Secret":
			data[key] = base64.StdEncoding.EncodeToString(value)
		case utf8.Valid(value):
			data[key] = string(value)
		default:
			binary[key] = base64.StdEncoding.EncodeToString(value)
		}
	}
	for _, l := range tree.Slice(spec, "literals") {
		key, value, ok := strings.Cut(fmt.Sprint(l), "=")
		if !ok {
			return nil, fmt.Errorf("invalid literal source %v, expected key=value", l)
		}
		put(key, []byte(strings.Trim(value, `"'`)))
	}
	read := func(name string) ([]byte, error) {
		text, err := k.s.FS.ReadFile(k.s.Path(path.Join(dir, name)))
		if err != nil {
			return nil, fmt.Errorf("loading KV pairs: file sources: [%s]: open %s: no such file or directory", name, k.s.Path(path.Join(dir, name)))
		}
		return text, nil
	}
	for _, f := range tree.Slice(spec, "files") {
		key, name, ok := strings.Cut(fmt.Sprint(f), "=")
		if !ok {
			key, name = path.Base(key), key
		}
		text, err := read(name)
		if err != nil {
			return nil, err
		}
		put(key, text)
	}
	envs := tree.Slice(spec, "envs")
	if e := tree.String(spec, "env"); e != "" {
		envs = append(envs, e)
	}
	for _, e := range envs {
		text, err := read(fmt.Sprint(e))
		if err != nil {
			return nil, err
		}
		for _, line := range strings.Split(string(text), "\n") {
			line = strings.TrimSpace(line)
			if line != "" && !strings.HasPrefix(line, "#") {
				key, value, _ := strings.Cut(line, "=")
				put(key, []byte(value))
			}
		}
	}
	name := tree.String(spec, "name")
	o := tree.Map{"apiVersion": "v1", "kind": kind, "metadata": tree.Map{"name": name}}
	content := tree.Map{"kind": kind, "name": ""}
	if len(data) > 0 || kind == "Secret" {
		o["data"] = data
		content["data"] = data
	} else {
		content["data"] = ""
	}
	if len(binary) > 0 {
		o["binaryData"] = binary
		content["binaryData"] = binary
	}
	if kind == "Secret" {
		o["type"] = "Opaque"
		if v := tree.String(spec, "type"); v != "" {
			o["type"] = v
		}
		content["type"] = o["type"]
	}
	if ns := tree.String(spec, "namespace"); ns != "" {
		tree.Set(o, ns, "metadata", "namespace")
	}
	options := tree.Map{}
	for _, from := range []tree.Map{tree.Sub(t, "generatorOptions"), tree.Sub(spec, "options")} {
		for key, v := range from {
			options[key] = v
		}
	}
	for _, f := range []string{"labels", "annotations"} {
		if m := tree.Sub(options, f); m != nil {
			tree.Set(o, tree.Copy(m), "metadata", f)
		}
	}
	if off, _ := options["disableNameSuffixHash"].(bool); !off {
		o[hashField] = generatorHash(content)
	}
	return o, nil
}

// hashField keeps a generated object's hash until its name is final.
const hashField = "\x00hash"

// generatorHash is ten characters of a SHA-256, without those that could spell words.
func generatorHash(content tree.Map) string {
	data, err := json.Marshal(content)
	if err != nil {
		panic("kustomize: " + err.Error()) // strings only
	}
	sum := sha256.Sum256(data)
	return strings.NewReplacer("0", "g", "1", "h", "3", "k", "a", "m", "e", "t").Replace(hex.EncodeToString(sum[:])[:10])
}

