// This file is the strategy of custom resource definitions. What a definition
// makes of the server is the controller's affair (sim/controller/crd).

package resource

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	apiextensionsv1 "github.com/kubonsai/kubonsai/sim/api/apiextensions/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/structural"
)

func init() {
	type crd = apiextensionsv1.CustomResourceDefinition
	Register("customresourcedefinitions.apiextensions.k8s.io", &Strategy{
		Default: func(obj metav1.Object) {
			spec := &obj.(*crd).Spec
			if spec.Names.Singular == "" {
				spec.Names.Singular = strings.ToLower(spec.Names.Kind)
			}
			if spec.Names.ListKind == "" && spec.Names.Kind != "" {
				spec.Names.ListKind = spec.Names.Kind + "List"
			}
			if spec.Conversion == nil {
				spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter}
			}
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			c := obj.(*crd)
			c.Generation = 1
			c.Status = apiextensionsv1.CustomResourceDefinitionStatus{Conditions: []apiextensionsv1.CustomResourceDefinitionCondition{}, StoredVersions: []string{}}
			for _, v := range c.Spec.Versions {
				if v.Storage {
					c.Status.StoredVersions = append(c.Status.StoredVersions, v.Name)
					break
				}
			}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			c, old := obj.(*crd), oldObj.(*crd)
			c.Status = old.Status
			for _, v := range c.Spec.Versions {
				stored := false
				for _, s := range old.Status.StoredVersions {
					stored = stored || s == v.Name
				}
				if v.Storage && !stored {
					c.Status.StoredVersions = append(old.Status.StoredVersions[:len(old.Status.StoredVersions):len(old.Status.StoredVersions)], v.Name)
				}
			}
			nextGeneration(c, old, semanticEqual(&c.Spec, &old.Spec))
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			c, old := obj.(*crd), oldObj.(*crd)
			c.Spec, c.Generation = old.Spec, old.Generation
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			c := obj.(*crd)
			v := validator{errs: validateMeta(c, false, func(name string) []string {
				if want := c.Spec.Names.Plural + "." + c.Spec.Group; name != want {
					return []string{`must be spec.names.plural+"."+spec.group`}
				}
				return nil
			})}
			v.definition(&c.Spec)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, oldObj)}
			spec, old := &obj.(*crd).Spec, &oldObj.(*crd).Spec
			v.definition(spec)
			v.add(immutableField(specPath.Child("group"), spec.Group, old.Group))
			v.add(immutableField(specPath.Child("scope"), spec.Scope, old.Scope))
			v.add(immutableField(specPath.Child("names", "kind"), spec.Names.Kind, old.Names.Kind))
			v.add(immutableField(specPath.Child("names", "plural"), spec.Names.Plural, old.Names.Plural))
			return v.errs
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList { return validateMetaUpdate(obj, old) },
		Warnings: func(_ *Context, obj, _ metav1.Object) []string {
			if g := obj.(*crd).Spec.Group; strings.HasSuffix(g, ".k8s.io") || g == "k8s.io" {
				return []string{fmt.Sprintf("%s is a protected group", g)}
			}
			return nil
		},
	})
}

func (v *validator) definition(spec *apiextensionsv1.CustomResourceDefinitionSpec) {
	p := specPath
	if spec.Group == "" {
		v.required(p.Child("group"), "")
	} else {
		v.check(p, "group", spec.Group, dnsSubdomain)
		if len(strings.Split(spec.Group, ".")) < 2 {
			v.invalid(p.Child("group"), spec.Group, "should be a domain with at least one dot")
		}
	}
	switch spec.Scope {
	case "":
		v.required(p.Child("scope"), "")
	case apiextensionsv1.ClusterScoped, apiextensionsv1.NamespaceScoped:
	default:
		v.errs = append(v.errs, field.NotSupported(p.Child("scope"), spec.Scope, []string{"Cluster", "Namespaced"}))
	}
	names := p.Child("names")
	for _, n := range []struct{ child, value string }{{"plural", spec.Names.Plural}, {"singular", spec.Names.Singular}, {"kind", spec.Names.Kind}, {"listKind", spec.Names.ListKind}} {
		if n.value == "" {
			v.required(names.Child(n.child), "")
			continue
		}
		value := n.value
		if strings.HasSuffix(strings.ToLower(n.child), "kind") {
			value = strings.ToLower(value)
		}
		v.check(names, n.child, value, dnsLabel)
	}
	if spec.Names.Kind != "" && spec.Names.Kind == spec.Names.ListKind {
		v.invalid(names.Child("listKind"), spec.Names.ListKind, "kind and listKind may not be the same")
	}
	for i, s := range spec.Names.ShortNames {
		for _, msg := range dnsLabel(s) {
			v.invalid(names.Child("shortNames").Index(i), s, msg)
		}
	}
	if len(spec.Versions) == 0 {
		v.required(p.Child("versions"), "")
		return
	}
	stored := 0
	seen := map[string]bool{}
	for i := range spec.Versions {
		version := &spec.Versions[i]
		at := p.Child("versions").Index(i)
		if version.Storage {
			stored++
		}
		if seen[version.Name] {
			v.errs = append(v.errs, field.Duplicate(at.Child("name"), version.Name))
		}
		seen[version.Name] = true
		v.check(at, "name", version.Name, dnsLabel)
		v.definitionVersion(version, at)
	}
	if stored != 1 {
		v.invalid(p.Child("versions"), internal{spec.Versions}, "must have exactly one version marked as storage version")
	}
}

func (v *validator) definitionVersion(version *apiextensionsv1.CustomResourceDefinitionVersion, at *field.Path) {
	path := at.Child("schema", "openAPIV3Schema")
	if version.Schema == nil || version.Schema.OpenAPIV3Schema == nil {
		v.required(path, "schemas are required")
	} else {
		schema := version.Schema.OpenAPIV3Schema
		switch {
		case schema.Type == "":
			v.required(path.Child("type"), "must not be empty at the root")
		case schema.Type != "object":
			v.invalid(path.Child("type"), schema.Type, "must be object at the root")
		default:
			_, errs := structural.Compile(schema, path)
			v.errs = append(v.errs, errs...)
		}
	}
	types := []string{"boolean", "date", "integer", "number", "string"}
	for i, c := range version.AdditionalPrinterColumns {
		p := at.Child("additionalPrinterColumns").Index(i)
		if c.Name == "" {
			v.required(p.Child("name"), "")
		}
		if c.Type == "" {
			v.required(p.Child("type"), "must be one of "+strings.Join(types, ","))
		} else {
			oneOf(v, p, "type", c.Type, types...)
		}
		if c.JSONPath == "" {
			v.required(p.Child("JSONPath"), "")
		}
	}
	if s := version.Subresources; s != nil && s.Scale != nil {
		p := at.Child("subresources", "scale")
		if s.Scale.SpecReplicasPath == "" {
			v.required(p.Child("specReplicasPath"), "")
		} else if !strings.HasPrefix(s.Scale.SpecReplicasPath, ".spec.") {
			v.invalid(p.Child("specReplicasPath"), s.Scale.SpecReplicasPath, "should be a json path under .spec")
		}
		if s.Scale.StatusReplicasPath == "" {
			v.required(p.Child("statusReplicasPath"), "")
		} else if !strings.HasPrefix(s.Scale.StatusReplicasPath, ".status.") {
			v.invalid(p.Child("statusReplicasPath"), s.Scale.StatusReplicasPath, "should be a json path under .status")
		}
	}
}
