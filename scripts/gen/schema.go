// This file reads the OpenAPI documents and writes the schema table, whose
// format is described in sim/api/schema/schema.go.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

type openSchema struct {
	Ref                  string `json:"$ref"`
	AllOf                []openSchema
	OneOf                []openSchema
	Type                 string
	Format               string
	Properties           map[string]*openSchema
	Required             []string
	Items                *openSchema
	AdditionalProperties *openSchema
	Enum                 []string
	Default              json.RawMessage
	PatchStrategy        string   `json:"x-kubernetes-patch-strategy"`
	PatchMergeKey        string   `json:"x-kubernetes-patch-merge-key"`
	ListType             string   `json:"x-kubernetes-list-type"`
	ListMapKeys          []string `json:"x-kubernetes-list-map-keys"`
	MapType              string   `json:"x-kubernetes-map-type"`
	Kinds                []gvk    `json:"x-kubernetes-group-version-kind"`
	Unions               []struct {
		Discriminator string
		Fields        map[string]string `json:"fields-to-discriminateBy"`
	} `json:"x-kubernetes-unions"`
}

func readOpenAPI(dir string) (map[string]*openSchema, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no OpenAPI documents in %s: %v", dir, err)
	}
	sort.Strings(files)
	all := map[string]*openSchema{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var doc struct {
			Components struct{ Schemas map[string]*openSchema }
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&doc); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for name, s := range doc.Components.Schemas {
			if old := all[name]; old != nil { // DeleteOptions and WatchEvent list the kinds of every group
				for _, k := range s.Kinds {
					if !contains(old.Kinds, k) {
						old.Kinds = append(old.Kinds, k)
					}
				}
				continue
			}
			all[name] = s
		}
	}
	return all, nil
}

func contains(kinds []gvk, k gvk) bool {
	for _, have := range kinds {
		if have == k {
			return true
		}
	}
	return false
}

const refPrefix = "#/components/schemas/"

var shorter = strings.NewReplacer("io.k8s.apimachinery.pkg.apis.meta.v1.", "^", "io.k8s.api.", "~")

func encodeSchemas(schemas map[string]*openSchema) ([]byte, error) {
	var names []string
	for name := range schemas {
		names = append(names, name)
	}
	sort.Strings(names)
	var out bytes.Buffer
	for _, name := range names {
		s := schemas[name]
		line := shorter.Replace(name)
		v, err := encodeValue(name, s)
		if err != nil {
			return nil, err
		}
		if v != "o" { // most types are plain objects
			line += " " + v
		}
		for _, k := range s.Kinds {
			line += fmt.Sprintf(" K%s/%s/%s", k.Group, k.Version, k.Kind)
		}
		for _, u := range s.Unions {
			line += " U" + u.Discriminator
			var fields []string
			for f := range u.Fields {
				fields = append(fields, f)
			}
			sort.Strings(fields)
			for _, f := range fields {
				line += "," + f + "=" + u.Fields[f]
			}
		}
		required := map[string]bool{}
		for _, r := range s.Required {
			required[r] = true
		}
		var props []string
		for f := range s.Properties {
			props = append(props, f)
		}
		sort.Strings(props)
		for _, f := range props {
			v, err := encodeValue(name, s.Properties[f])
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", name, f, err)
			}
			mark := ""
			if required[f] {
				mark = "!"
			}
			line += "\t" + f + mark + " " + v
		}
		if strings.Count(line, "\n") > 0 {
			return nil, fmt.Errorf("%s: line break in the table", name)
		}
		out.WriteString(line + "\n")
	}
	return out.Bytes(), nil
}

// encodeValue writes one value's schema as words: its kind, then what else is known of it.
func encodeValue(owner string, s *openSchema) (string, error) {
	if len(s.AllOf) == 1 && s.Type == "" {
		s.Ref = s.AllOf[0].Ref
	} else if len(s.AllOf) > 0 {
		return "", fmt.Errorf("allOf with %d parts", len(s.AllOf))
	}
	var words []string
	add := func(prefix, value string) error {
		if strings.ContainsAny(value, " \t\n") {
			return fmt.Errorf("%q holds a separator", value)
		}
		words = append(words, prefix+value)
		return nil
	}
	var err error
	switch {
	case s.Ref != "":
		ref := strings.TrimPrefix(s.Ref, refPrefix)
		if i := strings.LastIndex(owner, "."); strings.HasPrefix(ref, owner[:i+1]) && !strings.Contains(ref[i+1:], ".") {
			ref = ref[i:] // same package: .Name
		} else {
			ref = shorter.Replace(ref)
		}
		err = add("r", ref)
	case s.Format == "int-or-string":
		words = append(words, "x")
	case s.Type == "object" && s.AdditionalProperties != nil, s.Type == "array":
		elem := s.Items
		kind := "a"
		if s.Type == "object" {
			elem, kind = s.AdditionalProperties, "m"
		}
		e, err2 := encodeValue(owner, elem)
		if err2 != nil {
			return "", err2
		}
		words = append(words, kind+strings.ReplaceAll(e, " ", " .")) // a dot for each level down
	case len(s.OneOf) > 0:
		words = append(words, "q")
	case s.Type == "":
		words = append(words, "?")
	default:
		code := map[string]string{"object": "o", "string": "s", "integer": "i", "number": "n", "boolean": "b"}[s.Type]
		if code == "" {
			return "", fmt.Errorf("unknown type %q", s.Type)
		}
		if s.Format == "date-time" {
			code = "t"
		} else if s.Format != "" {
			code += ":" + s.Format
		}
		words = append(words, code)
	}
	if err != nil {
		return "", err
	}
	if s.Enum != nil {
		enum := strings.Join(s.Enum, ",")
		if strings.Contains(enum, "~") || strings.Count(enum, ",") != len(s.Enum)-1 {
			return "", fmt.Errorf("enum %q cannot be written", s.Enum)
		}
		err = firstErr(err, add("E", strings.ReplaceAll(enum, " ", "~")))
	}
	if s.Default != nil {
		var b bytes.Buffer
		if err := json.Compact(&b, s.Default); err != nil {
			return "", err
		}
		err = firstErr(err, add("D", b.String()))
	}
	for _, x := range []struct{ prefix, value string }{
		{"P", s.PatchStrategy}, {"G", s.PatchMergeKey}, {"L", s.ListType}, {"Y", strings.Join(s.ListMapKeys, ",")}, {"M", s.MapType},
	} {
		if x.value != "" {
			err = firstErr(err, add(x.prefix, x.value))
		}
	}
	return strings.Join(words, " "), err
}

func firstErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
