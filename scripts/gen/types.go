// This file turns upstream's Go declarations into plain structs: same names,
// same order, same json tags; no prose, no protobuf, no methods.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"golang.org/x/tools/go/packages"
)

const (
	module  = "github.com/kubonsai/kubonsai/sim/api/"
	metaDir = "meta/v1"
	meta    = "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// upstream lists the packages to read, with the folder each one gets.
var upstream = []struct{ path, dir, schemaPrefix string }{
	{meta, metaDir, "io.k8s.apimachinery.pkg.apis.meta.v1."},
	{"k8s.io/api/core/v1", "core/v1", ""},
	{"k8s.io/api/apps/v1", "apps/v1", ""},
	{"k8s.io/api/autoscaling/v1", "autoscaling/v1", ""},
	{"k8s.io/api/autoscaling/v2", "autoscaling/v2", ""},
	{"k8s.io/api/batch/v1", "batch/v1", ""},
	{"k8s.io/api/policy/v1", "policy/v1", ""},
	{"k8s.io/api/rbac/v1", "rbac/v1", ""},
	{"k8s.io/api/networking/v1", "networking/v1", ""},
	{"k8s.io/api/discovery/v1", "discovery/v1", ""},
	{"k8s.io/api/coordination/v1", "coordination/v1", ""},
	{"k8s.io/api/events/v1", "events/v1", ""},
	{"k8s.io/api/storage/v1", "storage/v1", ""},
	{"k8s.io/api/scheduling/v1", "scheduling/v1", ""},
	{"k8s.io/api/node/v1", "node/v1", ""},
	{"k8s.io/api/resource/v1", "resource/v1", ""},
	{"k8s.io/api/authentication/v1", "authentication/v1", ""},
	{"k8s.io/api/authorization/v1", "authorization/v1", ""},
	{"k8s.io/api/certificates/v1", "certificates/v1", ""},
	{"k8s.io/api/admissionregistration/v1", "admissionregistration/v1", ""},
	{"k8s.io/api/flowcontrol/v1", "flowcontrol/v1", ""},
	{"k8s.io/api/apidiscovery/v2", "apidiscovery/v2", ""},
	{"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1", "apiextensions/v1", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."},
	{"k8s.io/kube-aggregator/pkg/apis/apiregistration/v1", "apiregistration/v1", "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1."},
}

// handWritten are declarations of meta/v1 that exist as hand-written Go, or
// that the product has no use for.
var handWritten = map[string]bool{
	"Time": true, "MicroTime": true, "Duration": true, "FieldsV1": true, "List": true,
	"TableRow": true, "Timestamp": true, "InternalEvent": true,
}

// leaves are the packages that generated types use beside each other: their
// upstream path and the product's own.
var leaves = map[string]struct{ name, path string }{
	"k8s.io/apimachinery/pkg/api/resource": {"resource", module + "resource"},
	"k8s.io/apimachinery/pkg/util/intstr":  {"intstr", module + "intstr"},
	"time":                                 {"time", "time"},
}

// moved are types of packages that the product must not link; meta/v1 has them.
var moved = map[string]string{
	"k8s.io/apimachinery/pkg/types.UID":            "UID",
	"k8s.io/apimachinery/pkg/types.NodeName":       "NodeName",
	"k8s.io/apimachinery/pkg/types.NamespacedName": "NamespacedName",
	"k8s.io/apimachinery/pkg/runtime.RawExtension": "RawExtension",
}

type pkg struct {
	path, dir, schemaPrefix string
	group, version          string
	types                   *types.Package
	syntax                  []*ast.File
	info                    *types.Info
	objects                 map[string]bool // struct names with TypeMeta and ObjectMeta
	structs                 map[string]*types.Struct
	imports                 map[string]string // path -> local name
}

func (p *pkg) alias() string { return strings.ReplaceAll(p.dir, "/", "") }

func loadPackages() ([]*pkg, error) {
	var paths []string
	for _, u := range upstream {
		paths = append(paths, u.path)
	}
	loaded, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles |
		packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports}, paths...)
	if err != nil {
		return nil, err
	}
	byPath := map[string]*packages.Package{}
	for _, l := range loaded {
		for _, e := range l.Errors {
			return nil, e
		}
		byPath[l.PkgPath] = l
	}
	var out []*pkg
	for _, u := range upstream {
		l := byPath[u.path]
		if l == nil {
			return nil, fmt.Errorf("%s was not loaded", u.path)
		}
		p := &pkg{path: u.path, dir: u.dir, schemaPrefix: u.schemaPrefix, types: l.Types, info: l.TypesInfo,
			objects: map[string]bool{}, structs: map[string]*types.Struct{}, imports: map[string]string{}}
		if p.schemaPrefix == "" {
			p.schemaPrefix = "io.k8s.api." + strings.ReplaceAll(u.dir, "/", ".") + "."
		}
		p.version = filepath.Base(u.dir)
		if c, ok := l.Types.Scope().Lookup("GroupName").(*types.Const); ok {
			p.group = constant.StringVal(c.Val())
		} else {
			return nil, fmt.Errorf("%s has no GroupName", u.path)
		}
		for i, file := range l.Syntax {
			name := filepath.Base(l.CompiledGoFiles[i])
			if strings.HasSuffix(name, ".pb.go") || strings.HasPrefix(name, "zz_") || strings.Contains(name, "generated") {
				continue
			}
			p.syntax = append(p.syntax, file)
		}
		out = append(out, p)
	}
	return out, nil
}

func (p *pkg) emit() ([]byte, error) {
	var body bytes.Buffer
	for _, file := range p.syntax {
		for _, decl := range file.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			var err error
			switch d.Tok {
			case token.TYPE:
				err = p.emitTypes(&body, d)
			case token.CONST:
				err = p.emitConsts(&body, d)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	group := p.group
	if group == "" {
		group = "core"
	}
	var out bytes.Buffer
	out.WriteString(header)
	if p.dir != metaDir { // meta/v1 has its package comment in a hand-written file
		fmt.Fprintf(&out, "// Package %s holds the types of the %s/%s API.\n", p.version, group, p.version)
	}
	fmt.Fprintf(&out, "package %s\n\n", p.version)
	if p.dir != metaDir {
		metaName := p.importName(meta)
		fmt.Fprintf(&body, "// SchemeGroupVersion is the group and version of this package's kinds.\nvar SchemeGroupVersion = %s.GroupVersion{Group: GroupName, Version: %q}\n", metaName, p.version)
	}
	var paths []string
	for path := range p.imports {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	if len(paths) > 0 {
		out.WriteString("import (\n")
		for _, path := range paths {
			fmt.Fprintf(&out, "%s %q\n", p.imports[path], path)
		}
		out.WriteString(")\n\n")
	}
	out.Write(body.Bytes())
	return out.Bytes(), nil
}

func (p *pkg) emitTypes(w *bytes.Buffer, d *ast.GenDecl) error {
	for _, s := range d.Specs {
		spec := s.(*ast.TypeSpec)
		name := spec.Name.Name
		if !spec.Name.IsExported() || p.dir == metaDir && handWritten[name] || spec.TypeParams != nil {
			continue
		}
		obj := p.info.Defs[spec.Name].(*types.TypeName)
		if obj.IsAlias() {
			continue
		}
		switch t := obj.Type().Underlying().(type) {
		case *types.Interface, *types.Signature:
			continue
		case *types.Struct:
			if p.isList(t) {
				continue
			}
			fmt.Fprintf(w, "type %s struct {\n", name)
			hasType, hasObject := false, false
			for i := 0; i < t.NumFields(); i++ {
				f := t.Field(i)
				if !f.Exported() {
					return fmt.Errorf("%s has the unexported field %s", name, f.Name())
				}
				ft, err := p.typeString(f.Type())
				if err != nil {
					return fmt.Errorf("%s.%s: %w", name, f.Name(), err)
				}
				tag, ok := reflect.StructTag(t.Tag(i)).Lookup("json")
				if !ok && !f.Embedded() && p.dir != "apiextensions/v1" { // its unions have methods instead
					return fmt.Errorf("%s.%s has no json tag", name, f.Name())
				}
				if ok {
					tag = fmt.Sprintf(" `json:%q`", tag)
				}
				if f.Embedded() {
					hasType = hasType || f.Name() == "TypeMeta"
					hasObject = hasObject || f.Name() == "ObjectMeta"
					fmt.Fprintf(w, "%s%s\n", ft, tag)
				} else {
					fmt.Fprintf(w, "%s %s%s\n", f.Name(), ft, tag)
				}
			}
			w.WriteString("}\n\n")
			p.structs[name] = t
			if hasType && hasObject {
				p.objects[name] = true
			}
		default:
			// A type declared from another named one keeps that name, as in
			// type ResourceClaimConditionType string or type A B.
			under, err := p.typeString(obj.Type().Underlying())
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintf(w, "type %s %s\n\n", name, under)
		}
	}
	return nil
}

// isList reports whether a struct is a typed list; those have one generic type in the product.
// Discovery lists are documents of their own and stay.
func (p *pkg) isList(t *types.Struct) bool {
	if p.dir == "apidiscovery/v2" {
		return false
	}
	list, items := false, false
	for i := 0; i < t.NumFields(); i++ {
		list = list || t.Field(i).Name() == "ListMeta"
		items = items || t.Field(i).Name() == "Items"
	}
	return list && items
}

func (p *pkg) emitConsts(w *bytes.Buffer, d *ast.GenDecl) error {
	var lines []string
	for _, s := range d.Specs {
		for _, id := range s.(*ast.ValueSpec).Names {
			if !id.IsExported() {
				continue
			}
			c := p.info.Defs[id].(*types.Const)
			typ := ""
			if b, ok := c.Type().(*types.Basic); !ok || b.Info()&types.IsUntyped == 0 {
				t, err := p.typeString(c.Type())
				if err != nil {
					return fmt.Errorf("%s: %w", id.Name, err)
				}
				typ = " " + t
			}
			lines = append(lines, fmt.Sprintf("%s%s = %s\n", id.Name, typ, c.Val().ExactString()))
		}
	}
	switch len(lines) {
	case 0:
	case 1:
		fmt.Fprintf(w, "const %s\n", lines[0])
	default:
		fmt.Fprintf(w, "const (\n%s)\n\n", strings.Join(lines, ""))
	}
	return nil
}

func (p *pkg) importName(path string) string {
	name := ""
	if leaf, ok := leaves[path]; ok {
		name, path = leaf.name, leaf.path
	} else {
		for _, u := range upstream {
			if u.path == path {
				name, path = strings.ReplaceAll(u.dir, "/", ""), module+u.dir
			}
		}
	}
	if name != "" {
		p.imports[path] = name
	}
	return name
}

func (p *pkg) typeString(t types.Type) (string, error) {
	switch t := t.(type) {
	case *types.Alias:
		return p.typeString(types.Unalias(t))
	case *types.Basic:
		return t.Name(), nil
	case *types.Pointer:
		s, err := p.typeString(t.Elem())
		return "*" + s, err
	case *types.Slice:
		s, err := p.typeString(t.Elem())
		return "[]" + s, err
	case *types.Map:
		k, err1 := p.typeString(t.Key())
		v, err2 := p.typeString(t.Elem())
		return "map[" + k + "]" + v, errors.Join(err1, err2)
	case *types.Interface:
		if t.Empty() {
			return "any", nil
		}
	case *types.Named:
		o := t.Obj()
		if o.Pkg() == nil {
			return o.Name(), nil
		}
		path := o.Pkg().Path()
		name := o.Name()
		if m, ok := moved[path+"."+name]; ok {
			path, name = meta, m
		}
		if path == p.path {
			return name, nil
		}
		if local := p.importName(path); local != "" {
			return local + "." + name, nil
		}
	}
	return "", fmt.Errorf("type %s is from outside the known packages", t)
}

// fields lists the JSON names of a struct, inlined structs included.
func fields(t *types.Struct, into map[string]bool) {
	for i := 0; i < t.NumFields(); i++ {
		name, _, _ := strings.Cut(reflect.StructTag(t.Tag(i)).Get("json"), ",")
		switch {
		case name == "-":
		case name != "":
			into[name] = true
		case t.Field(i).Embedded():
			ft := t.Field(i).Type()
			if ptr, ok := ft.(*types.Pointer); ok {
				ft = ptr.Elem()
			}
			fields(ft.Underlying().(*types.Struct), into)
		}
	}
}

// compare checks each struct against the OpenAPI schema of the same name, both ways.
func compare(pkgs []*pkg, schemas map[string]*openSchema) error {
	var problems []error
	seen := map[string]bool{}
	for _, p := range pkgs {
		for name, t := range p.structs {
			full := p.schemaPrefix + name
			s := schemas[full]
			seen[full] = true
			if s == nil || s.Properties == nil {
				continue
			}
			got := map[string]bool{}
			fields(t, got)
			for f := range got {
				if s.Properties[f] == nil {
					problems = append(problems, fmt.Errorf("%s: Go has the field %q, OpenAPI does not", full, f))
				}
			}
			for f := range s.Properties {
				if !got[f] {
					problems = append(problems, fmt.Errorf("%s: OpenAPI has the field %q, Go does not", full, f))
				}
			}
		}
	}
	for full, s := range schemas {
		if s.Properties != nil && s.Properties["items"] == nil && !seen[full] {
			problems = append(problems, fmt.Errorf("%s: OpenAPI has the type, Go does not", full))
		}
	}
	sort.Slice(problems, func(i, j int) bool { return problems[i].Error() < problems[j].Error() })
	return errors.Join(problems...)
}
