// kubectl kustomize, and -k everywhere: objects from a directory with a
// kustomization. It knows resources, components, patches, name prefixes and
// suffixes, namespaces, labels, annotations, images, replicas, replacements and
// generators; a field that it does not know (helm …) is an error that says so.
// https://kubectl.docs.kubernetes.io/references/kustomize/

package kubectl

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
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
	k := &kustomizer{s: s}
	objs, err := k.build(dir, 0, nil)
	if err != nil {
		return nil, err
	}
	before := names(objs)
	for _, o := range objs {
		delete(o, originField)
		if o[hashField] != nil {
			delete(o, hashField)
			tree.Set(o, tree.Name(o)+"-"+generatorHash(o), "metadata", "name")
		}
	}
	rewriteNames(objs, before)
	if !k.inOrder {
		slices.SortStableFunc(objs, func(a, b tree.Map) int {
			return cmp.Or(kindRank(a)-kindRank(b), strings.Compare(sortKey(a), sortKey(b)))
		})
	}
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

// sortKey orders objects of one rank: by kind, namespace and name, those without a namespace last.
func sortKey(o tree.Map) string {
	gvk := metav1.FromAPIVersionAndKind(tree.APIVersion(o), tree.Kind(o))
	return strings.TrimSuffix(gvk.Kind+"."+gvk.Version+"."+gvk.Group, ".") + "|" + cmp.Or(tree.Namespace(o), "~X") + "|" + tree.Name(o)
}

type kustomizer struct {
	s       *Session
	inOrder bool // sortOptions: the objects stay in the order in which they came
}

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
	if depth == 0 {
		k.inOrder = tree.String(t, "sortOptions", "order") == "fifo"
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
		if file, root := k.s.Path(at), k.s.Path(dir); err == nil && !strings.HasPrefix(file, strings.TrimSuffix(root, "/")+"/") {
			return nil, fmt.Errorf("accumulating resources: accumulation err='accumulating resources from '%s': security; file '%s' is not in or below '%s'': must build at directory: '%[2]s': file is not directory", name, file, root)
		}
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
	for _, g := range []struct{ field, kind string }{{"configMapGenerator", "ConfigMap"}, {"secretGenerator", "Secret"}} {
		for _, spec := range tree.Maps(t, g.field) {
			o, err := k.generate(dir, g.kind, spec, t)
			if err != nil {
				return nil, err
			}
			if objs, err = absorb(objs, o, tree.String(spec, "behavior")); err != nil {
				return nil, fmt.Errorf("merging from generator %v: %w", tree.Name(o), err)
			}
		}
	}
	for _, c := range tree.Slice(t, "components") {
		var err error
		if objs, err = k.build(path.Join(dir, fmt.Sprint(c)), depth+1, objs); err != nil {
			return nil, err
		}
	}
	before := names(objs)
	for _, field := range transformers {
		if _, ok := t[field]; !ok {
			continue
		}
		if err := k.apply(dir, field, t, objs); err != nil {
			return nil, err
		}
	}
	rewriteNames(objs, before)
	return slices.DeleteFunc(objs, func(o tree.Map) bool { return len(o) == 0 }), nil // by a patch
}

// names are the objects' kinds and names: kind/name.
func names(objs []tree.Map) []string {
	out := make([]string, len(objs))
	for i, o := range objs {
		out[i] = tree.Kind(o) + "/" + tree.Name(o)
	}
	return out
}

// rewriteNames makes references follow objects to the names that they have by now.
func rewriteNames(objs []tree.Map, before []string) {
	renamed := map[string]string{}
	for i, o := range objs {
		if len(o) > 0 { // not deleted by a patch
			renamed[before[i]] = tree.Name(o)
		}
	}
	for _, o := range objs {
		rewriteReferences(o, renamed)
	}
}

// originField keeps the name that an object had in its file.
const originField = "\x00origin"

// What a kustomization may hold beside transformers, and what this one does not do.
const (
	plainFields  = " apiVersion kind metadata resources bases components configMapGenerator secretGenerator generatorOptions sortOptions buildMetadata "
	absentFields = " configurations crds generators helmChartInflationGenerator helmCharts helmGlobals openapi transformers validators vars "
)

// transformers are the fields that change objects, in the order in which they do.
var transformers = []string{"patchesStrategicMerge", "patches", "namespace", "namePrefix", "nameSuffix", "commonLabels", "labels",
	"commonAnnotations", "patchesJson6902", "replicas", "images", "replacements"}

// missing is the trouble with a file that is not there.
func (k *kustomizer) missing(at string) string {
	full := k.s.Path(at)
	return fmt.Sprintf("evalsymlink failure on '%s' : lstat %s: no such file or directory", full, full)
}
