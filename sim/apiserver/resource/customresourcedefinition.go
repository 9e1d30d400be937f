// This file is the strategy of custom resource definitions. What a definition
// makes of the server is the controller's affair (sim/controller/crd).

package resource

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	apiextensionsv1 "github.com/kubonsai/kubonsai/sim/api/apiextensions/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/validation"
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
			v.definition(&c.Spec, c.Status.StoredVersions)
			const approved = "api-approved.kubernetes.io"
			if protected(c.Spec.Group) && c.Annotations[approved] == "" {
				v.required(metadataPath.Child("annotations").Key(approved), fmt.Sprintf("protected groups must have approval annotation %q, see https://github.com/kubernetes/enhancements/pull/1111", approved))
			}
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, oldObj metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, oldObj)}
			spec, old := &obj.(*crd).Spec, &oldObj.(*crd).Spec
			v.definition(spec, obj.(*crd).Status.StoredVersions)
			v.add(immutableField(specPath.Child("group"), spec.Group, old.Group))
			v.add(immutableField(specPath.Child("scope"), spec.Scope, old.Scope))
			v.add(immutableField(specPath.Child("names", "kind"), spec.Names.Kind, old.Names.Kind))
			v.add(immutableField(specPath.Child("names", "plural"), spec.Names.Plural, old.Names.Plural))
			return v.errs
		},
		ValidateStatusUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList { return validateMetaUpdate(obj, old) },
	})
}

// protected reports whether a group is Kubernetes' own.
func protected(group string) bool {
	for _, own := range [...]string{"k8s.io", "kubernetes.io"} {
		if group == own || strings.HasSuffix(group, "."+own) {
			return true
		}
	}
	return false
}

// dns1035 is one message for all that is wrong with a label of old.
func dns1035(value string) []string {
	if msgs := validation.IsDNS1035Label(value); len(msgs) > 0 {
		return []string{strings.Join(msgs, ",")}
	}
	return nil
}

func mixedCase(value string) []string {
	if msgs := dns1035(strings.ToLower(value)); len(msgs) > 0 {
		return []string{"may have mixed case, but should otherwise match: " + msgs[0]}
	}
	return nil
}

// definition judges a spec as the server's own type holds it: what all versions
// have in common stands beside them, so messages name it there.
func (v *validator) definition(given *apiextensionsv1.CustomResourceDefinitionSpec, stored []string) {
	p := specPath
	spec := *given
	var common apiextensionsv1.CustomResourceDefinitionVersion
	spec.Versions = slices.Clone(spec.Versions)
	if len(spec.Versions) > 0 {
		first := spec.Versions[0]
		schema, columns, subresources := true, true, true
		for i := range spec.Versions {
			version := &spec.Versions[i]
			schema = schema && semanticEqual(version.Schema, first.Schema)
			columns = columns && semanticEqual(version.AdditionalPrinterColumns, first.AdditionalPrinterColumns)
			subresources = subresources && semanticEqual(version.Subresources, first.Subresources)
		}
		for i := range spec.Versions {
			version := &spec.Versions[i]
			if schema {
				common.Schema, version.Schema = first.Schema, nil
			}
			if columns {
				common.AdditionalPrinterColumns, version.AdditionalPrinterColumns = first.AdditionalPrinterColumns, nil
			}
			if subresources {
				common.Subresources, version.Subresources = first.Subresources, nil
			}
		}
	}
	if spec.Group == "" {
		v.required(p.Child("group"), "")
	} else if msgs := dnsSubdomain(spec.Group); len(msgs) > 0 {
		v.invalid(p.Child("group"), spec.Group, strings.Join(msgs, ","))
	} else if !strings.Contains(spec.Group, ".") {
		v.invalid(p.Child("group"), spec.Group, "should be a domain with at least one dot")
	}
	if spec.Scope == "" {
		v.required(p.Child("scope"), "")
	} else {
		oneOf(v, p, "scope", spec.Scope, apiextensionsv1.ClusterScoped, apiextensionsv1.NamespaceScoped)
	}
	storage, unique := 0, true
	for i := range spec.Versions {
		version, at := &spec.Versions[i], p.Child("versions").Index(i)
		if common.Schema == nil && (version.Schema == nil || version.Schema.OpenAPIV3Schema == nil) {
			v.required(at.Child("schema", "openAPIV3Schema"), "")
		}
		if version.Storage {
			storage++
		}
		unique = unique && !slices.ContainsFunc(spec.Versions[:i], func(o apiextensionsv1.CustomResourceDefinitionVersion) bool { return o.Name == version.Name })
		v.check(at, "name", version.Name, dns1035)
		v.definitionVersion(version, at, "schema")
	}
	if !unique {
		v.invalid(p.Child("versions"), internal{spec.Versions}, "must contain unique version names")
	}
	if storage != 1 {
		v.invalid(p.Child("versions"), internal{spec.Versions}, "must have exactly one version marked as storage version")
	}
	if len(spec.Versions) > 0 {
		v.check(p, "version", spec.Versions[0].Name, dns1035)
	}
	names := p.Child("names")
	for _, n := range [...]struct {
		child, value string
		check        nameCheck
	}{{"plural", spec.Names.Plural, dns1035}, {"singular", spec.Names.Singular, dns1035}, {"kind", spec.Names.Kind, mixedCase}, {"listKind", spec.Names.ListKind, mixedCase}} {
		if n.value == "" {
			v.required(names.Child(n.child), "")
		} else {
			v.check(names, n.child, n.value, n.check)
		}
	}
	for _, list := range [...]struct {
		child  string
		values []string
	}{{"shortNames", spec.Names.ShortNames}, {"categories", spec.Names.Categories}} {
		for i, s := range list.values {
			for _, msg := range dns1035(s) {
				v.invalid(names.Child(list.child).Index(i), s, msg)
			}
		}
	}
	if spec.Names.Kind != "" && spec.Names.Kind == spec.Names.ListKind {
		v.invalid(names.Child("listKind"), spec.Names.ListKind, "kind and listKind may not be the same")
	}
	v.definitionVersion(&common, p, "validation")
	at := statusPath.Child("storedVersions")
	if len(stored) == 0 {
		v.invalid(at, []string(nil), "must have at least one stored version")
	}
	left := slices.Clone(stored)
	for i := range spec.Versions {
		version := &spec.Versions[i]
		n := slices.Index(left, version.Name)
		if n >= 0 {
			left = slices.Delete(left, n, n+1)
		} else if version.Storage {
			v.invalid(at, stored, "must have the storage version "+version.Name)
		}
	}
	for _, name := range left {
		v.invalid(at.Index(slices.Index(stored, name)), name, "must appear in spec.versions")
	}
}

// definitionVersion judges what a version has of its own, or all have in common.
func (v *validator) definitionVersion(version *apiextensionsv1.CustomResourceDefinitionVersion, at *field.Path, child string) {
	if version.Schema != nil && version.Schema.OpenAPIV3Schema != nil {
		path := at.Child(child, "openAPIV3Schema")
		switch schema := version.Schema.OpenAPIV3Schema; {
		case schema.Type == "":
			v.required(path.Child("type"), "must not be empty at the root")
		case schema.Type != "object":
			v.invalid(path.Child("type"), schema.Type, "must be object at the root")
		default:
			_, errs := structural.Compile(schema, path)
			v.add(errs)
		}
	}
	const types = "boolean,date,integer,number,string"
	for i, c := range version.AdditionalPrinterColumns {
		p := at.Child("additionalPrinterColumns").Index(i)
		if c.Name == "" {
			v.required(p.Child("name"), "")
		}
		if c.Type == "" {
			v.required(p.Child("type"), "must be one of "+types)
		} else if !slices.Contains(strings.Split(types, ","), c.Type) {
			v.invalid(p.Child("type"), c.Type, "must be one of "+types)
		}
		if c.JSONPath == "" {
			v.required(p.Child("JSONPath"), "")
		} else if c.JSONPath[0] != '.' {
			v.invalid(p.Child("JSONPath"), c.JSONPath, "must be a simple json path starting with .")
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
