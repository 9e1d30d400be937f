// The generators of a kustomization: ConfigMaps and Secrets made of literals and
// files, whose names end in a hash of what they hold.

package kubectl

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
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
	if len(data) > 0 || kind == "Secret" {
		o["data"] = data
	}
	if len(binary) > 0 {
		o["binaryData"] = binary
	}
	if kind == "Secret" {
		o["type"] = "Opaque"
		if v := tree.String(spec, "type"); v != "" {
			o["type"] = v
		}
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
	if v, _ := options["immutable"].(bool); v {
		o["immutable"] = true
	}
	if off, _ := options["disableNameSuffixHash"].(bool); !off {
		o[hashField] = true
	}
	return o, nil
}

// absorb adds a generated object, or puts it in place of one that is there, with
// or without what that holds.
func absorb(objs []tree.Map, o tree.Map, behavior string) ([]tree.Map, error) {
	i := slices.IndexFunc(objs, func(have tree.Map) bool {
		return tree.Kind(have) == tree.Kind(o) && (tree.Name(have) == tree.Name(o) || have[originField] == tree.Name(o)) &&
			(tree.Namespace(o) == "" || tree.Namespace(have) == tree.Namespace(o))
	})
	switch merging := behavior == "merge"; {
	case i < 0 && (merging || behavior == "replace"):
		return nil, fmt.Errorf("id %s does not exist; cannot merge or replace", names([]tree.Map{o})[0])
	case i < 0:
		o[originField] = tree.Name(o)
		return append(objs, o), nil
	case !merging && behavior != "replace":
		return nil, fmt.Errorf("id %s exists; behavior must be merge or replace", names([]tree.Map{o})[0])
	default:
		have := objs[i]
		for _, field := range [][]string{{"metadata", "labels"}, {"metadata", "annotations"}, {"data"}, {"binaryData"}} {
			if old := tree.Sub(have, field...); old != nil && (merging || field[0] == "metadata") {
				all := tree.Copy(old)
				maps.Copy(all, tree.Sub(o, field...))
				tree.Set(o, all, field...)
			}
		}
		for _, field := range []string{"name", "namespace"} {
			if v := tree.String(have, "metadata", field); v != "" {
				tree.Set(o, v, "metadata", field)
			}
		}
		delete(o, hashField)
		for _, mark := range []string{originField, hashField} {
			if v, ok := have[mark]; ok {
				o[mark] = v
			}
		}
		objs[i] = o
		return objs, nil
	}
}

// hashField marks generated objects whose names are to end in a hash; a name
// gets it at the very end.
const hashField = "\x00hash"

// generatorHash is ten characters of a SHA-256 of what the object holds, without those that could spell words.
func generatorHash(o tree.Map) string {
	content := tree.Map{"kind": tree.Kind(o), "name": "", "data": ""}
	for _, field := range []string{"data", "binaryData"} {
		if m := tree.Sub(o, field); m != nil {
			content[field] = m
		}
	}
	if t, ok := o["type"]; ok {
		content["type"] = t
	}
	data, err := json.Marshal(content)
	if err != nil {
		panic("kustomize: " + err.Error()) // strings only
	}
	sum := sha256.Sum256(data)
	return strings.NewReplacer("0", "g", "1", "h", "3", "k", "a", "m", "e", "t").Replace(hex.EncodeToString(sum[:])[:10])
}
