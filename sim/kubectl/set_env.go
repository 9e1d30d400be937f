// kubectl set env.

package kubectl

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"sort"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api/validation"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

type setEnv struct {
	setter
	containers    string
	from, prefix  string
	params, keys  []string
	list, resolve bool
	overwrite     bool
	pairs         []string
}

func (o *setEnv) Flags(f *pflag.FlagSet) {
	o.setter.Flags(f)
	f.StringVarP(&o.containers, "containers", "c", "*", "Names of the containers to change; may hold wildcards")
	f.StringVar(&o.from, "from", "", "Config map or secret to import from")
	f.StringVar(&o.prefix, "prefix", "", "What to put before the variables' names")
	f.StringArrayVarP(&o.params, "env", "e", nil, "KEY=value to set")
	f.StringSliceVar(&o.keys, "keys", nil, "Keys to import; all if not given")
	f.BoolVar(&o.list, "list", false, "Print the variables")
	f.BoolVar(&o.resolve, "resolve", false, "Print the values of references to secrets and config maps")
	f.BoolVar(&o.overwrite, "overwrite", true, "Change variables that are there already")
}

func (o *setEnv) Complete(s *Session, args []string) error {
	if o.all && o.selector != "" {
		return errors.New("cannot set --all and --selector at the same time")
	}
	inPairs := false
	for _, a := range args {
		isPair := strings.Contains(a, "=") && !strings.HasPrefix(a, "=") || strings.HasSuffix(a, "-") && a != "-" || a == "-"
		switch {
		case isPair:
			inPairs = true
			o.pairs = append(o.pairs, a)
		case inPairs:
			return fmt.Errorf("all resources must be specified before environment changes: %s", strings.Join(args, " "))
		default:
			o.resources = append(o.resources, a)
		}
	}
	return o.complete(s)
}

func (o *setEnv) Validate() error {
	switch {
	case o.local && o.dryRun == DryRunServer:
		return errLocalServer
	case len(o.resources) == 0 && o.files.Empty():
		return errors.New("one or more resources must be specified as <resource> <name> or <resource>/<name>")
	case o.list && o.out.Output != "":
		return errors.New("--list and --output may not be specified together")
	case len(o.keys) > 0 && o.from == "":
		return errors.New("when specifying --keys, a configmap or secret must be provided with --from")
	}
	return nil
}

// parse reads the pairs of the line and of stdin ("-").
func (o *setEnv) parse(s *Session) (env []tree.Map, remove []string, err error) {
	seen := map[string]bool{}
	for _, p := range append(append([]string{}, o.params...), o.pairs...) {
		key, value, ok := strings.Cut(p, "=")
		switch {
		case p == "-":
			data, err := s.ReadStdin()
			if err != nil {
				return nil, nil, err
			}
			lines := bufio.NewScanner(bytes.NewReader(data))
			for lines.Scan() {
				line := strings.TrimSpace(lines.Text())
				if line == "" || strings.HasPrefix(line, "#") {
					continue
				}
				k, v, ok := strings.Cut(line, "=")
				if !ok {
					return nil, nil, fmt.Errorf("invalid environment variable: %v", line)
				}
				env = append(env, tree.Map{"name": strings.TrimPrefix(k, "export "), "value": v})
			}
		case ok && key != "":
			if errs := validation.IsEnvVarName(key); len(errs) > 0 {
				return nil, nil, fmt.Errorf("%q is not a valid key name: %s", key, strings.Join(errs, ";"))
			}
			seen[key] = true
			env = append(env, tree.Map{"name": key, "value": value})
		case strings.HasSuffix(p, "-"):
			remove = append(remove, p[:len(p)-1])
		default:
			return nil, nil, fmt.Errorf("unknown environment variable specification: %v", p)
		}
	}
	for _, r := range remove {
		if seen[r] {
			return nil, nil, errors.New("can not both modify and remove the same environment variable in the same command")
		}
	}
	return env, remove, nil
}

func (o *setEnv) Run(s *Session) error {
	env, remove, err := o.parse(s)
	if err != nil {
		return err
	}
	if o.from != "" {
		infos, err := o.find(s, []string{o.from})
		if err != nil {
			return err
		}
		for _, i := range infos {
			ref := map[string]string{"Secret": "secretKeyRef", "ConfigMap": "configMapKeyRef"}[tree.Kind(i.Object)]
			if ref == "" {
				return errors.New("unsupported resource specified in --from")
			}
			for _, key := range tree.Keys(tree.Sub(i.Object, "data")) {
				wanted := len(o.keys) == 0
				for _, k := range o.keys {
					wanted = wanted || k == key
				}
				if wanted {
					env = append(env, tree.Map{"name": o.envName(s, key),
						"valueFrom": tree.Map{ref: tree.Map{"name": tree.Name(i.Object), "key": key}}})
				}
			}
		}
	}
	if o.prefix != "" {
		for _, e := range env {
			e["name"] = o.prefix + tree.String(e, "name")
		}
	}
	infos, err := o.find(s, o.resources)
	if err != nil {
		return err
	}
	edit := func(obj tree.Map) error { return o.edit(s, obj, env, remove) }
	if o.list {
		for _, i := range infos {
			_ = edit(tree.Copy(i.Object)) // what has no containers is passed over
		}
		return nil
	}
	return o.change(s, infos, "env updated", "env update to pod template:", edit)
}

func (o *setEnv) envName(s *Session, key string) string {
	name := strings.ToUpper(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, key))
	if name != key {
		s.Warn(fmt.Sprintf("key %s transferred to %s", key, name))
	}
	return name
}

func (o *setEnv) edit(s *Session, obj tree.Map, env []tree.Map, remove []string) error {
	spec, err := podSpecFor(obj)
	if err != nil {
		return err
	}
	matched := false
	unresolved := false
	for _, list := range []string{"containers", "initContainers"} {
		for _, c := range tree.Maps(spec, list) {
			if ok, _ := path.Match(o.containers, tree.String(c, "name")); !ok {
				continue
			}
			matched = true
			old := tree.Maps(c, "env")
			if !o.overwrite {
				for _, e := range old {
					for _, n := range env {
						if tree.String(e, "name") == tree.String(n, "name") {
							return fmt.Errorf("'%s' already has a value (%s), and --overwrite is false", tree.String(e, "name"), tree.String(e, "value"))
						}
					}
				}
			}
			updated := updateEnv(old, env, remove)
			if len(updated) > 0 || len(old) > 0 {
				c["env"] = updated
				if len(updated) == 0 {
					delete(c, "env")
				}
			}
			if o.list {
				unresolved = o.print(s, obj, c, updated) || unresolved
			}
		}
	}
	if !matched {
		s.Warn(fmt.Sprintf("%s/%s does not have any containers matching %q", tree.Kind(obj), tree.Name(obj), o.containers))
	}
	if unresolved {
		return errors.New("failed to retrieve valueFrom references")
	}
	return nil
}

// updateEnv replaces, adds and removes variables by name.
func updateEnv(old, env []tree.Map, remove []string) []any {
	covered := map[string]bool{}
	for _, r := range remove {
		covered[r] = true
	}
	var out []any
	for _, e := range old {
		name := tree.String(e, "name")
		if covered[name] {
			continue
		}
		for _, n := range env {
			if tree.String(n, "name") == name {
				covered[name] = true
				e = n
				break
			}
		}
		out = append(out, tree.Copy(e))
	}
	for _, n := range env {
		if name := tree.String(n, "name"); !covered[name] {
			covered[name] = true
			out = append(out, tree.Copy(n))
		}
	}
	return out
}

// print lists a container's variables; it reports whether a reference could not be resolved.
func (o *setEnv) print(s *Session, obj, c tree.Map, env []any) bool {
	s.Printf("# %s %s, container %s\n", tree.Kind(obj), tree.Name(obj), tree.String(c, "name"))
	failed := map[string][]string{}
	for _, e := range env {
		m, _ := e.(tree.Map)
		name := tree.String(m, "name")
		from := tree.Sub(m, "valueFrom")
		if from == nil {
			s.Printf("%s=%s\n", name, tree.String(m, "value"))
			continue
		}
		text, value, err := o.reference(s, obj, from)
		if o.resolve && err == nil {
			s.Printf("%s=%s\n", name, value)
			continue
		}
		s.Printf("# %s from %s\n", name, text)
		if o.resolve {
			failed[err.Error()] = append(failed[err.Error()], name)
		}
	}
	var lines []string
	for text, names := range failed {
		sort.Strings(names)
		lines = append(lines, fmt.Sprintf("error retrieving reference for %s: %v", strings.Join(names, ", "), text))
	}
	sort.Strings(lines)
	for _, l := range lines {
		s.Errorf("%s\n", l)
	}
	return len(lines) > 0
}

// reference words a valueFrom and looks its value up.
func (o *setEnv) reference(s *Session, obj, from tree.Map) (text, value string, err error) {
	for _, r := range []struct{ field, resource, what string }{{"configMapKeyRef", "configmaps", "configmap"}, {"secretKeyRef", "secrets", "secret"}} {
		ref := tree.Sub(from, r.field)
		if ref == nil {
			continue
		}
		name, key := tree.String(ref, "name"), tree.String(ref, "key")
		text = fmt.Sprintf("%s %s, key %s", map[string]string{"configmap": "configmap", "secret": "secret"}[r.what], name, key)
		if !o.resolve {
			return text, "", nil
		}
		c, m, err := s.resource(r.resource)
		if err != nil {
			return text, "", err
		}
		src, err := c.Get(m, tree.Namespace(obj), name, "")
		if err != nil {
			return text, "", err
		}
		if r.what == "secret" {
			src = decodedSecret(src)
		}
		v, ok := tree.Sub(src, "data")[key].(string)
		if !ok {
			return text, "", fmt.Errorf("key %s not found in %s %s", key, r.what, name)
		}
		return text, v, nil
	}
	if f := tree.Sub(from, "fieldRef"); f != nil {
		p := tree.String(f, "fieldPath")
		return "field path " + p, fmt.Sprint(tree.Get(obj, strings.Split(p, ".")...)), nil
	}
	if f := tree.Sub(from, "resourceFieldRef"); f != nil {
		return fmt.Sprintf("resource field %s", tree.String(f, "resource")), "", errors.New("not resolved")
	}
	return "invalid valueFrom", "", errors.New("invalid valueFrom")
}

// decodedSecret is a secret whose data can be read.
func decodedSecret(secret tree.Map) tree.Map {
	out := tree.Copy(secret)
	for k, v := range tree.Sub(out, "data") {
		if text, ok := v.(string); ok {
			if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
				out["data"].(tree.Map)[k] = string(plain)
			}
		}
	}
	return out
}
