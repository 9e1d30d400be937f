// The replacements of a kustomization: values of one object's field written to
// fields of others.
// https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/replacements/

package kubectl

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

const defaultReplacementField = "metadata.name"

// replace does what one entry of replacements says.
func (k *kustomizer) replace(dir string, spec tree.Map, objs []tree.Map) error {
	if file := tree.String(spec, "path"); file != "" {
		text, err := k.s.FS.ReadFile(k.s.Path(path.Join(dir, file)))
		if err != nil {
			return errors.New(k.missing(path.Join(dir, file)))
		}
		var list []tree.Map
		if err := yaml.Unmarshal(text, &list); err != nil {
			list = []tree.Map{{}}
			if err := yaml.Unmarshal(text, &list[0]); err != nil {
				return err
			}
		}
		for _, r := range list {
			if err := k.replace(dir, r, objs); err != nil {
				return err
			}
		}
		return nil
	}
	value, err := k.replacement(tree.Sub(spec, "source"), objs)
	if err != nil {
		return err
	}
	for _, target := range tree.Maps(spec, "targets") {
		if tree.Sub(target, "select") == nil {
			return errors.New("target must specify resources to select")
		}
		var rejected []tree.Map
		for _, r := range tree.Maps(target, "reject") {
			if err := k.each(r, objs, func(o tree.Map) error { rejected = append(rejected, o); return nil }); err != nil {
				return err
			}
		}
		fields := tree.Slice(target, "fieldPaths")
		if len(fields) == 0 {
			fields = []any{defaultReplacementField}
		}
		options := tree.Sub(target, "options")
		err := k.each(tree.Sub(target, "select"), objs, func(o tree.Map) error {
			if slices.ContainsFunc(rejected, func(r tree.Map) bool { return tree.Kind(r) == tree.Kind(o) && tree.Name(r) == tree.Name(o) }) {
				return nil
			}
			for _, f := range fields {
				field := fmt.Sprint(f)
				var wrong error
				_, found := visitField(o, splitField(field), tree.Bool(options, "create"), func(old any) any {
					if old == nil && (strings.HasPrefix(field, "metadata.annotations.") || strings.HasPrefix(field, "metadata.labels.")) {
						old = "" // whatever the text looks like
					}
					v, err := replaced(old, value, options)
					if err != nil {
						wrong = err
					}
					return v
				})
				if wrong != nil {
					return wrong
				}
				if !found {
					return fmt.Errorf("unable to find field %q in replacement target", field)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// replacement is the value that a source names.
func (k *kustomizer) replacement(source tree.Map, objs []tree.Map) (value any, err error) {
	field := tree.String(source, "fieldPath")
	id := fmt.Sprintf("%s.%s.%s/%s.%s", cmp.Or(tree.String(source, "kind"), "[noKind]"), cmp.Or(tree.String(source, "version"), "[noVer]"),
		cmp.Or(tree.String(source, "group"), "[noGrp]"), cmp.Or(tree.String(source, "name"), "[noName]"), cmp.Or(tree.String(source, "namespace"), "[noNs]"))
	selector := id
	if field != "" {
		selector += ":" + field
	}
	var from tree.Map
	err = k.each(source, objs, func(o tree.Map) error {
		if from != nil {
			return errors.New("multiple matches for selector " + selector)
		}
		from = o
		return nil
	})
	if err != nil {
		return nil, err
	}
	if from == nil {
		return nil, errors.New("nothing selected by " + selector)
	}
	field = cmp.Or(field, defaultReplacementField)
	visitField(from, splitField(field), false, func(v any) any {
		value = v
		return v
	})
	if value == nil {
		return nil, fmt.Errorf("fieldPath `%s` is missing for replacement source %s", field, id)
	}
	if delimiter := tree.String(source, "options", "delimiter"); delimiter != "" {
		index, _ := tree.Int(source, "options", "index")
		text := scalarText(value)
		parts := strings.Split(text, delimiter)
		if index < 0 || int(index) >= len(parts) {
			return nil, fmt.Errorf("options.index %d is out of bounds for value %s", index, text)
		}
		return parts[index], nil
	}
	return tree.Copy(value), nil
}

// replaced is what a target's field becomes. Its type stays; one that was not
// there gets that of its text.
func replaced(old, value any, options tree.Map) (any, error) {
	switch value.(type) {
	case tree.Map, []any:
		return tree.Copy(value), nil
	}
	text := scalarText(value)
	if delimiter := tree.String(options, "delimiter"); delimiter != "" {
		parts := strings.Split(scalarText(old), delimiter)
		switch index, _ := tree.Int(options, "index"); {
		case index < 0:
			parts = slices.Insert(parts, 0, text)
		case int(index) >= len(parts):
			parts = append(parts, text)
		default:
			parts[index] = text
		}
		text = strings.Join(parts, delimiter)
	}
	if _, ok := old.(string); ok {
		return text, nil
	}
	var v any
	err := yaml.Unmarshal([]byte(text), &v)
	return v, err
}

func scalarText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	data, _ := json.Marshal(v) // what was read from YAML
	return string(data)
}

// splitField takes a.b.[name=x].c apart: dots in brackets and after backslashes do not count.
func splitField(field string) (parts []string) {
	part, depth := "", 0
	for i := 0; i < len(field); i++ {
		switch c := field[i]; {
		case c == '\\' && i+1 < len(field) && field[i+1] == '.':
			i++
			part += "."
		case c == '.' && depth == 0:
			parts = append(parts, part)
			part = ""
		default:
			switch c {
			case '[':
				depth++
			case ']':
				depth--
			}
			part += string(c)
		}
	}
	return append(parts, part)
}

// visitField sets what a path leads to (the elements of lists by index, by
// [key=value], all by *) and returns the changed v; found says whether it led
// anywhere. With create, missing fields are made.
func visitField(v any, parts []string, create bool, set func(any) any) (out any, found bool) {
	if len(parts) == 0 {
		return set(v), true
	}
	part, rest := parts[0], parts[1:]
	inner, bracketed := strings.CutPrefix(strings.TrimSuffix(part, "]"), "[")
	key, want, byValue := strings.Cut(inner, "=")
	byValue = byValue && bracketed
	if v == nil && create {
		v = tree.Map{}
		if byValue {
			v = []any{}
		}
	}
	switch x := v.(type) {
	case tree.Map:
		names := []string{inner}
		if part == "*" {
			names = tree.Keys(x)
		}
		for _, name := range names {
			if old, ok := x[name]; ok || create {
				if changed, ok := visitField(old, rest, create, set); ok {
					x[name], found = changed, true
				}
			}
		}
	case []any:
		index, err := strconv.Atoi(part)
		for i, e := range x {
			m, _ := e.(tree.Map)
			if part == "*" || err == nil && i == index || byValue && m != nil && scalarText(m[key]) == want {
				if changed, ok := visitField(e, rest, create, set); ok {
					x[i], found = changed, true
				}
			}
		}
		if !found && create && byValue {
			if e, ok := visitField(tree.Map{key: want}, rest, create, set); ok {
				return append(x, e), true
			}
		}
	}
	return v, found
}
