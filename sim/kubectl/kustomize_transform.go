// The fields of a kustomization that change objects: patches, names, labels,
// images, replicas; and the references that follow objects to new names.

package kubectl

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/smerge"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

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
	case "replacements":
		for _, r := range tree.Maps(t, field) {
			if err := k.replace(dir, r, objs); err != nil {
				return err
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
