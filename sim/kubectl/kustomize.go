// kubectl kustomize, and -k everywhere: objects from a directory with a
// kustomization. It knows resources, components, patches, name prefixes and
// suffixes, namespaces, labels, annotations, images, replicas and generators; a
// field that it does not know (replacements, helm …) is an error that says so.
// https://kubectl.docs.kubernetes.io/references/kustomize/

package kubectl

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func init() { mutatingCommands["kustomize"] = kustomizeCommand }

func kustomizeCommand() *Command {
	return &Command{
		Use: "kustomize DIR [flags]", Short: "Build a kustomization target from a directory or URL",
		Examples: "# What a directory makes\nkubectl kustomize overlay",
		New:      func() Verb { return &kustomizeOptions{} },
	}
}

type kustomizeOptions struct {
	output string
	dir    string
}

func (o *kustomizeOptions) Flags(f *pflag.FlagSet) {
	f.Bool("as-current-user", false, "Run functions as the current user")
	f.Bool("enable-alpha-plugins", false, "Let plugins run")
	f.Bool("enable-helm", false, "Let the Helm chart generator run")
	f.StringSliceP("env", "e", nil, "Environment of functions")
	f.StringSlice("helm-api-versions", nil, "API versions for Helm")
	f.String("helm-command", "helm", "The Helm program")
	f.Bool("helm-debug", false, "Let Helm say more")
	f.String("helm-kube-version", "", "Kubernetes version for Helm")
	f.String("load-restrictor", "LoadRestrictionsRootOnly", "Whether files may lie outside the directory")
	f.StringSlice("mount", nil, "Mounts of functions")
	f.Bool("network", false, "Give functions a network")
	f.String("network-name", "bridge", "The functions' network")
	f.StringVarP(&o.output, "output", "o", "", "Write to this file")
}

func (o *kustomizeOptions) Complete(s *Session, args []string) error {
	switch len(args) {
	case 0:
		o.dir = "."
	case 1:
		o.dir = args[0]
	default:
		return errors.New("specify one path to " + kustomizationFiles[0])
	}
	return nil
}

func (o *kustomizeOptions) Validate() error { return nil }

func (o *kustomizeOptions) Run(s *Session) error {
	data, err := s.Kustomize(o.dir)
	if err != nil {
		return err
	}
	if o.output != "" {
		return s.FS.WriteFile(s.Path(o.output), data, 0o644)
	}
	_, err = s.Stdout.Write(data)
	return err
}

// Kustomize builds a directory: YAML documents.
func (s *Session) Kustomize(dir string) ([]byte, error) {
	objs, err := (&kustomizer{s: s}).build(dir, 0, nil)
	if err != nil {
		return nil, err
	}
	for _, o := range objs {
		delete(o, originField)
	}
	sort.SliceStable(objs, func(i, j int) bool { return kindRank(objs[i]) < kindRank(objs[j]) })
	var parts []string
	for _, o := range objs {
		data, err := yaml.Marshal(o)
		if err != nil {
			return nil, err
		}
		parts = append(parts, string(data))
	}
	return []byte(strings.Join(parts, "---\n")), nil
}

// kindRank puts what others need first.
func kindRank(o tree.Map) int {
	order := []string{"Namespace", "ResourceQuota", "StorageClass", "CustomResourceDefinition", "ServiceAccount", "PodSecurityPolicy", "Role",
		"ClusterRole", "RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret", "Endpoints", "Service", "LimitRange", "PriorityClass",
		"PersistentVolume", "PersistentVolumeClaim", "Deployment", "StatefulSet", "CronJob", "PodDisruptionBudget"}
	for i, k := range order {
		if k == tree.Kind(o) {
			return i
		}
	}
	switch tree.Kind(o) {
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		return len(order) + 2
	}
	return len(order) + 1
}

type kustomizer struct{ s *Session }

var kustomizationFiles = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// deprecatedFields are the fields of a kustomization that have a successor.
var deprecatedFields = []struct{ field, instead, note string }{
	{"bases", "resources", ""}, {"commonLabels", "labels", ""}, {"patchesJson6902", "patches", ""},
	{"patchesStrategicMerge", "patches", ""}, {"vars", "replacements", " [EXPERIMENTAL]"},
}

// directory checks that the root of a kustomization is one.
func (k *kustomizer) directory(dir string) error {
	full := k.s.Path(dir)
	if info, err := k.s.FS.Stat(full); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("must build at directory: '%s': file is not directory", dir)
		}
		return nil
	}
	missing := full
	for up := path.Dir(missing); up != missing; missing, up = up, path.Dir(up) {
		if _, err := k.s.FS.Stat(up); err == nil {
			break
		}
	}
	return fmt.Errorf("must build at directory: not a valid directory: evalsymlink failure on '%s' : lstat %s: no such file or directory", dir, missing)
}

// build is what a kustomization makes, with what a component adds itself to.
func (k *kustomizer) build(dir string, depth int, objs []tree.Map) ([]tree.Map, error) {
	if depth > 20 {
		return nil, fmt.Errorf("cycle detected: candidate root '%s'", k.s.Path(dir))
	}
	if depth == 0 {
		if err := k.directory(dir); err != nil {
			return nil, err
		}
	}
	var data []byte
	found := false
	for _, f := range kustomizationFiles {
		if d, err := k.s.FS.ReadFile(k.s.Path(path.Join(dir, f))); err == nil {
			data, found = d, true
			break
		}
	}
	if !found {
		return nil, fmt.Errorf("unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '%s'", k.s.Path(dir))
	}
	t := tree.Map{}
	if err := yaml.Unmarshal(data, &t); err != nil {
		return nil, fmt.Errorf("invalid Kustomization: %v", err)
	}
	for _, d := range deprecatedFields {
		if _, ok := t[d.field]; ok {
			k.s.Errorf("# Warning: '%s' is deprecated. Please use '%s' instead.%s Run 'kustomize edit fix' to update your Kustomization automatically.\n", d.field, d.instead, d.note)
		}
	}
	for _, field := range tree.Keys(t) {
		switch {
		case strings.Contains(plainFields, " "+field+" "), slices.Contains(transformers, field):
		case strings.Contains(absentFields, " "+field+" "):
			return nil, fmt.Errorf("invalid Kustomization: this simulated kustomize does not know the field %q", field)
		default:
			return nil, fmt.Errorf("invalid Kustomization: json: unknown field %q", field)
		}
	}
	for _, r := range append(tree.Slice(t, "resources"), tree.Slice(t, "bases")...) {
		name, _ := r.(string)
		at := path.Join(dir, name)
		if info, err := k.s.FS.Stat(k.s.Path(at)); err == nil && info.IsDir() {
			sub, err := k.build(at, depth+1, nil)
			if err != nil {
				return nil, err
			}
			objs = append(objs, sub...)
			continue
		}
		text, err := k.s.FS.ReadFile(k.s.Path(at))
		if err != nil {
			return nil, fmt.Errorf("accumulating resources: accumulation err='accumulating resources from '%s': %[2]s': must build at directory: not a valid directory: %[2]s", name, k.missing(at))
		}
		err = eachDocument(text, func(doc any, err error) error {
			if m, ok := doc.(tree.Map); ok && err == nil {
				m[originField] = tree.Name(m)
				objs = append(objs, m)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("accumulating resources: accumulation err='accumulating resources from '%s': %v'", name, err)
		}
	}
	renamed := map[string]string{} // kind/name before -> name after
	before := make([]string, 0, len(objs))
	for _, g := range []struct{ field, kind string }{{"configMapGenerator", "ConfigMap"}, {"secretGenerator", "Secret"}} {
		for _, spec := range tree.Maps(t, g.field) {
			o, err := k.generate(dir, g.kind, spec, t)
			if err != nil {
				return nil, err
			}
			o[originField] = tree.Name(o)
			objs = append(objs, o)
		}
	}
	for _, c := range tree.Slice(t, "components") {
		var err error
		if objs, err = k.build(path.Join(dir, fmt.Sprint(c)), depth+1, objs); err != nil {
			return nil, err
		}
	}
	for _, o := range objs {
		before = append(before, tree.Kind(o)+"/"+tree.Name(o))
	}
	for _, field := range transformers {
		if _, ok := t[field]; !ok {
			continue
		}
		if err := k.apply(dir, field, t, objs); err != nil {
			return nil, err
		}
	}
	objs = slices.DeleteFunc(objs, func(o tree.Map) bool { return len(o) == 0 }) // by a patch
	for i, o := range objs {
		if hash, ok := o[hashField].(string); ok {
			delete(o, hashField)
			tree.Set(o, tree.Name(o)+"-"+hash, "metadata", "name")
		}
		renamed[before[i]] = tree.Name(o)
	}
	for _, o := range objs {
		rewriteReferences(o, renamed)
	}
	return objs, nil
}

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

// originField keeps the name that an object had in its file.
const originField = "\x00origin"

// What a kustomization may hold beside transformers, and what this one does not do.
const (
	plainFields  = " apiVersion kind metadata resources bases components configMapGenerator secretGenerator generatorOptions sortOptions buildMetadata "
	absentFields = " configurations crds generators helmChartInflationGenerator helmCharts helmGlobals openapi replacements transformers validators vars "
)

// transformers are the fields that change objects, in the order in which they do.
var transformers = []string{"patchesStrategicMerge", "patches", "namespace", "namePrefix", "nameSuffix", "commonLabels", "labels",
	"commonAnnotations", "patchesJson6902", "replicas", "images"}

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

// apply does what one field of the kustomization says.
func (k *kustomizer) apply(dir, field string, t tree.Map, objs []tree.Map) error {
	switch field {
	case "patches", "patchesJson6902", "patchesStrategicMerge":
		for _, p := range tree.Slice(t, field) {
			spec, ok := p.(tree.Map)
			if !ok { // of patchesStrategicMerge: a file, or the patch itself
				text := fmt.Sprint(p)
				spec = tree.Map{"patch": text}
				if _, err := k.s.FS.Stat(k.s.Path(path.Join(dir, text))); err == nil {
					spec = tree.Map{"path": text}
				}
			}
			if err := k.patch(dir, spec, objs); err != nil {
				return err
			}
		}
	case "namePrefix", "nameSuffix":
		for _, o := range objs {
			if kind := tree.Kind(o); kind != "Namespace" && kind != "CustomResourceDefinition" {
				name := tree.Name(o)
				if field == "namePrefix" {
					name = tree.String(t, field) + name
				} else {
					name += tree.String(t, field)
				}
				tree.Set(o, name, "metadata", "name")
			}
		}
	case "namespace":
		for _, o := range objs {
			switch kind := tree.Kind(o); {
			case kind == "Namespace":
				tree.Set(o, tree.String(t, field), "metadata", "name")
			case strings.HasPrefix(kind, "Cluster") || kind == "PersistentVolume" || kind == "StorageClass" || kind == "CustomResourceDefinition" || kind == "PriorityClass":
			default:
				tree.Set(o, tree.String(t, field), "metadata", "namespace")
			}
		}
	case "labels":
		for _, l := range tree.Maps(t, field) {
			addLabels(objs, tree.Sub(l, "pairs"), tree.Bool(l, "includeSelectors"), tree.Bool(l, "includeTemplates"))
		}
	case "commonLabels":
		addLabels(objs, tree.Sub(t, field), true, true)
	case "commonAnnotations":
		for _, o := range objs {
			merge(o, tree.Sub(t, field), "metadata", "annotations")
			if tree.Sub(o, "spec", "template") != nil {
				merge(o, tree.Sub(t, field), "spec", "template", "metadata", "annotations")
			}
		}
	case "images":
		for _, im := range tree.Maps(t, field) {
			for _, o := range objs {
				setImages(o, im)
			}
		}
	case "replicas":
		for _, r := range tree.Maps(t, field) {
			for _, o := range objs {
				plain := strings.TrimSuffix(strings.TrimPrefix(tree.Name(o), tree.String(t, "namePrefix")), tree.String(t, "nameSuffix"))
				switch tree.Kind(o) {
				case "Deployment", "ReplicaSet", "StatefulSet", "ReplicationController":
					if plain == tree.String(r, "name") || tree.Name(o) == tree.String(r, "name") {
						tree.Set(o, r["count"], "spec", "replicas")
					}
				}
			}
		}
	}
	return nil
}

// missing is the trouble with a file that is not there.
func (k *kustomizer) missing(at string) string {
	full := k.s.Path(at)
	return fmt.Sprintf("evalsymlink failure on '%s' : lstat %s: no such file or directory", full, full)
}

// patch changes the objects that one entry of patches is about: a JSON patch,
// or strategic merge patches, which may name their objects themselves.
func (k *kustomizer) patch(dir string, spec tree.Map, objs []tree.Map) error {
	text := tree.String(spec, "patch")
	wrong := func(reason string) error {
		data, _ := yaml.Marshal(spec)
		return fmt.Errorf("trouble configuring builtin PatchTransformer with config: `\n%s`: %s", data, reason)
	}
	if file := tree.String(spec, "path"); file != "" {
		data, err := k.s.FS.ReadFile(k.s.Path(path.Join(dir, file)))
		if err != nil {
			return wrong(fmt.Sprintf("failed to get the patch file from path(%s): %s", file, k.missing(path.Join(dir, file))))
		}
		text = string(data)
	}
	target := tree.Sub(spec, "target")
	var ops []any
	if yaml.Unmarshal([]byte(text), &ops) == nil && len(ops) > 0 {
		if target == nil {
			return errors.New("must specify a target for JSON patch " + text)
		}
		return k.each(target, objs, func(o tree.Map) error {
			out, err := smerge.JSONPatch(o, ops)
			if err != nil {
				return err
			}
			return become(o, out)
		})
	}
	found := false
	err := eachDocument([]byte(text), func(doc any, err error) error {
		m, ok := doc.(tree.Map)
		if err != nil || !ok || tree.Kind(m) == "" {
			return wrong(fmt.Sprintf("unable to parse SM or JSON patch from [patch: %q]", text))
		}
		merge := func(o tree.Map) error {
			found = true
			if m["$patch"] == "delete" {
				clear(o)
				return nil
			}
			p := tree.Copy(m)
			for _, f := range []string{"name", "namespace"} {
				tree.Set(p, tree.String(o, "metadata", f), "metadata", f)
				if tree.String(o, "metadata", f) == "" {
					tree.Delete(p, "metadata", f)
				}
			}
			p["kind"], p["apiVersion"] = o["kind"], o["apiVersion"]
			out, err := smerge.Ordered(o, p, schemaOf(o))
			if err != nil {
				return err
			}
			return become(o, out)
		}
		if target != nil {
			found = true
			return k.each(target, objs, merge)
		}
		found = false
		for _, o := range objs {
			if len(o) > 0 && tree.Kind(o) == tree.Kind(m) && tree.APIVersion(o) == tree.APIVersion(m) &&
				(tree.Name(m) == tree.Name(o) || tree.Name(m) == o[originField]) && (tree.Namespace(m) == "" || tree.Namespace(m) == tree.Namespace(o)) {
				if err := merge(o); err != nil {
					return err
				}
			}
		}
		if found {
			return nil
		}
		group, version, ok := strings.Cut(tree.APIVersion(m), "/")
		if !ok {
			group, version = "[noGrp]", group
		}
		namespace := tree.Namespace(m)
		if namespace == "" {
			namespace = "[noNs]"
		}
		id := fmt.Sprintf("%s.%s.%s/%s.%s", tree.Kind(m), version, group, tree.Name(m), namespace)
		return fmt.Errorf("no resource matches strategic merge patch %q: no matches for Id %s; failed to find unique target for patch %s", id, id, id)
	})
	return err
}

// become changes an object in place, where others refer to it.
func become(o, to tree.Map) error {
	clear(o)
	maps.Copy(o, to)
	return nil
}

// each calls fn for the objects that a patch's target selects: fields that are
// regular expressions, and selectors of labels and annotations.
func (k *kustomizer) each(target tree.Map, objs []tree.Map, fn func(tree.Map) error) error {
	for _, o := range objs {
		if len(o) == 0 {
			continue
		}
		gvk := metav1.FromAPIVersionAndKind(tree.APIVersion(o), tree.Kind(o))
		origin, _ := o[originField].(string)
		ok := true
		for _, f := range []struct {
			field  string
			values []string
		}{{"group", []string{gvk.Group}}, {"version", []string{gvk.Version}}, {"kind", []string{gvk.Kind}},
			{"name", []string{tree.Name(o), origin}}, {"namespace", []string{tree.Namespace(o)}}} {
			if want := tree.String(target, f.field); want != "" {
				re, err := regexp.Compile("^(?:" + want + ")$")
				if err != nil {
					return err
				}
				ok = ok && slices.ContainsFunc(f.values, re.MatchString)
			}
		}
		for _, field := range []string{"label", "annotation"} {
			s, err := labels.Parse(tree.String(target, field+"Selector"))
			if err != nil {
				return err
			}
			ok = ok && s.Matches(labels.Set(tree.Strings(o, "metadata", field+"s")))
		}
		if ok {
			if err := fn(o); err != nil {
				return err
			}
		}
	}
	return nil
}

func merge(o, pairs tree.Map, at ...string) {
	m := tree.Sub(o, at...)
	if m == nil {
		m = tree.Map{}
		tree.Set(o, m, at...)
	}
	for k, v := range pairs {
		m[k] = v
	}
}

func addLabels(objs []tree.Map, pairs tree.Map, selectors, templates bool) {
	for _, o := range objs {
		merge(o, pairs, "metadata", "labels")
		if tree.Sub(o, "spec", "template") != nil && (selectors || templates) {
			merge(o, pairs, "spec", "template", "metadata", "labels")
		}
		if !selectors {
			continue
		}
		switch tree.Kind(o) {
		case "Service", "ReplicationController":
			merge(o, pairs, "spec", "selector")
		case "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet":
			merge(o, pairs, "spec", "selector", "matchLabels")
		}
	}
}

// setImages changes every image of the name, wherever containers are.
func setImages(v any, im tree.Map) {
	switch x := v.(type) {
	case tree.Map:
		for key, e := range x {
			if key != "containers" && key != "initContainers" {
				setImages(e, im)
				continue
			}
			for _, c := range tree.Maps(x, key) {
				image := tree.String(c, "image")
				name, tag := image, ""
				if n, d, ok := strings.Cut(image, "@"); ok {
					name, tag = n, "@"+d
				} else if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
					name, tag = image[:i], image[i:]
				}
				if name != tree.String(im, "name") {
					continue
				}
				if n := tree.String(im, "newName"); n != "" {
					name = n
				}
				if n, ok := im["newTag"]; ok {
					tag = ":" + fmt.Sprint(n)
				}
				if d := tree.String(im, "digest"); d != "" {
					tag = "@" + d
				}
				c["image"] = name + tag
			}
		}
	case []any:
		for _, e := range x {
			setImages(e, im)
		}
	}
}

// rewriteReferences follows renamed ConfigMaps, Secrets and other objects.
func rewriteReferences(v any, renamed map[string]string) {
	swap := func(m tree.Map, field, kind string) {
		if to, ok := renamed[kind+"/"+tree.String(m, field)]; ok && m != nil {
			m[field] = to
		}
	}
	switch x := v.(type) {
	case tree.Map:
		for key, e := range x {
			m, _ := e.(tree.Map)
			switch key {
			case "configMapRef", "configMapKeyRef", "configMap":
				swap(m, "name", "ConfigMap")
			case "secretRef", "secretKeyRef":
				swap(m, "name", "Secret")
			case "secret":
				swap(m, "secretName", "Secret")
				swap(m, "name", "Secret")
			case "scaleTargetRef":
				swap(m, "name", tree.String(m, "kind"))
			case "roleRef":
				swap(m, "name", tree.String(m, "kind"))
			case "service":
				swap(m, "name", "Service")
			case "persistentVolumeClaim":
				swap(m, "claimName", "PersistentVolumeClaim")
			case "serviceAccountName":
				swap(x, "serviceAccountName", "ServiceAccount")
			case "serviceName":
				swap(x, "serviceName", "Service")
			}
			if key != "metadata" {
				rewriteReferences(e, renamed)
			}
		}
	case []any:
		for _, e := range x {
			rewriteReferences(e, renamed)
		}
	}
}
