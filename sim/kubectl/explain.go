// kubectl explain: the fields of a kind, from the published schema. The real
// pages carry upstream's sentences; ours have the layout, names, types, enums
// and defaults, and no sentences of theirs.
// https://kubernetes.io/docs/reference/kubectl/generated/kubectl_explain/

package kubectl

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api/schema"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func explainCommand() *Command {
	return &Command{
		Use: "explain TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [-o|--output=plaintext|plaintext-openapiv2]", Short: "Get documentation for a resource",
		Long:     "Shows the fields of a kind of object, or of one of its fields: kubectl explain TYPE.field.field",
		Examples: "# A pod's fields\nkubectl explain pods\n# Those of its containers\nkubectl explain pod.spec.containers",
		New:      func() Verb { return &explainOptions{} },
	}
}

type explainOptions struct {
	recursive  bool
	apiVersion string
	output     string
	args       []string
}

func (o *explainOptions) Flags(f *pflag.FlagSet) {
	f.BoolVarP(&o.recursive, "recursive", "R", false, "Show the fields of the fields, by name only")
	f.StringVar(&o.apiVersion, "api-version", "", "Group and version of the kind, such as apps/v1")
	f.StringVarP(&o.output, "output", "o", "plaintext", "plaintext or plaintext-openapiv2")
}

func (o *explainOptions) Complete(s *Session, args []string) error {
	o.args = args
	return nil
}

func (o *explainOptions) Validate() error {
	switch {
	case len(o.args) == 0:
		return errors.New("You must specify the type of resource to explain. Use \"kubectl api-resources\" for a complete list of supported resources.\n")
	case len(o.args) > 1:
		return errors.New("We accept only this format: explain RESOURCE\n")
	}
	return nil
}

// schemaNode is a place in a schema: a built-in type's value or a custom resource's tree.
type schemaNode struct {
	value  *schema.Value
	custom tree.Map
}

type schemaField struct {
	name     string
	required bool
	node     schemaNode
	text     string
}

// element goes down through lists and maps.
func (n schemaNode) element() schemaNode {
	if n.value != nil {
		v := n.value
		for v.Elem != nil {
			v = v.Elem
		}
		return schemaNode{value: v}
	}
	m := n.custom
	for {
		if sub := tree.Sub(m, "items"); sub != nil {
			m = sub
		} else if sub := tree.Sub(m, "additionalProperties"); sub != nil {
			m = sub
		} else {
			return schemaNode{custom: m}
		}
	}
}

func (n schemaNode) fields() []schemaField {
	e := n.element()
	var out []schemaField
	if e.value != nil {
		t := e.value.Type()
		if t == nil {
			return nil
		}
		if t.Kind != schema.Object {
			return nil
		}
		for i := range t.Fields {
			f := &t.Fields[i]
			out = append(out, schemaField{f.Name, f.Required, schemaNode{value: &f.Value}, ""})
		}
		return out
	}
	required := map[string]bool{}
	for _, r := range tree.Slice(e.custom, "required") {
		if s, ok := r.(string); ok {
			required[s] = true
		}
	}
	props := tree.Sub(e.custom, "properties")
	for _, k := range tree.Keys(props) {
		sub, _ := props[k].(tree.Map)
		if k == "metadata" && len(tree.Sub(sub, "properties")) == 0 {
			if t := schema.Lookup("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"); t != nil {
				v := schema.Value{Kind: schema.Object, Ref: t.Name}
				out = append(out, schemaField{k, required[k], schemaNode{value: &v}, ""})
				continue
			}
		}
		out = append(out, schemaField{k, required[k], schemaNode{custom: sub}, tree.String(sub, "description")})
	}
	return out
}

// typeName is the short form of a type: []Container, map[string]string, Object.
func (n schemaNode) typeName() string {
	if n.value != nil {
		v := n.value
		switch v.Kind {
		case schema.Array:
			return "[]" + schemaNode{value: v.Elem}.typeName()
		case schema.Map:
			return "map[string]" + schemaNode{value: v.Elem}.typeName()
		case schema.Object:
			if v.Ref == "" {
				return "Object"
			}
			if t := schema.Lookup(v.Ref); t != nil {
				return t.ShortName()
			}
			return v.Ref[strings.LastIndexByte(v.Ref, '.')+1:]
		case schema.IntOrString:
			return "IntOrString"
		case schema.Quantity:
			return "Quantity"
		case schema.Any:
			if v.Ref != "" {
				return v.Ref[strings.LastIndexByte(v.Ref, '.')+1:]
			}
			return "Object"
		}
		switch v.Kind {
		case schema.String, schema.Integer, schema.Number, schema.Boolean:
			return string(v.Kind)
		case schema.Time, schema.MicroTime:
			return "string"
		}
		if t := v.Type(); t != nil {
			return t.ShortName()
		}
		return "string"
	}
	switch {
	case tree.Sub(n.custom, "items") != nil:
		return "[]" + schemaNode{custom: tree.Sub(n.custom, "items")}.typeName()
	case tree.Sub(n.custom, "additionalProperties") != nil:
		return "map[string]" + schemaNode{custom: tree.Sub(n.custom, "additionalProperties")}.typeName()
	}
	t := tree.String(n.custom, "type")
	if t == "object" || t == "" {
		return "Object"
	}
	return t
}

func (n schemaNode) enum() []string {
	if n.value != nil {
		return n.value.Enum
	}
	var out []string
	for _, e := range tree.Slice(n.custom, "enum") {
		out = append(out, fmt.Sprint(e))
	}
	return out
}

// description is what a custom resource's author wrote; built-in kinds have none here.
func (n schemaNode) description() string {
	if n.value != nil {
		return ""
	}
	var parts []string
	for m := n.custom; m != nil; {
		if d := tree.String(m, "description"); d != "" {
			parts = append(parts, d)
		}
		if next := tree.Sub(m, "items"); next != nil {
			m = next
		} else {
			m = tree.Sub(m, "additionalProperties")
		}
	}
	return strings.Join(parts, "\n")
}

// simpleName is the type in the words of OpenAPI v2: all objects are alike.
func (n schemaNode) simpleName() string {
	if n.value == nil {
		return n.typeName()
	}
	switch v := n.value; v.Kind {
	case schema.Array:
		return "[]" + schemaNode{value: v.Elem}.simpleName()
	case schema.Map:
		return "map[string]" + schemaNode{value: v.Elem}.simpleName()
	case schema.IntOrString, schema.Quantity:
		return "string"
	case schema.Any:
		if v.Ref != "" && !strings.HasSuffix(v.Ref, ".RawExtension") && !strings.HasSuffix(v.Ref, ".FieldsV1") {
			return ""
		}
		return "Object"
	case schema.Object:
		return "Object"
	}
	return n.typeName()
}

// page2 is -o plaintext-openapiv2.
func (o *explainOptions) page2(b *strings.Builder, n schemaNode, name string) {
	fields := n.fields()
	if name != "" {
		title := "RESOURCE: "
		if fields == nil {
			title = "FIELD:    "
		}
		fmt.Fprintf(b, "%s%s <%s>\n\n", title, name, n.simpleName())
	}
	b.WriteString("DESCRIPTION:\n")
	description := n.description()
	if description == "" {
		description = "<empty>"
	}
	for _, l := range wrap(description, 75) {
		b.WriteString("     " + l + "\n")
	}
	if fields == nil {
		return
	}
	b.WriteString("\nFIELDS:\n")
	o.visit(fields, 1, map[string]bool{}, func(f schemaField, level int) {
		indent := strings.Repeat("   ", level)
		fmt.Fprintf(b, "%s%s\t<%s>", indent, f.name, f.node.simpleName())
		if f.required && !o.recursive {
			b.WriteString(" -required-")
		}
		b.WriteString("\n")
		if !o.recursive {
			if f.text != "" {
				for _, l := range wrap(f.text, 73) {
					b.WriteString(indent + "  " + l + "\n")
				}
			}
			b.WriteString("\n")
		}
	})
}

// visit calls fn for the fields and, with --recursive, for theirs, but for those of types above them.
func (o *explainOptions) visit(fields []schemaField, level int, above map[string]bool, fn func(f schemaField, level int)) {
	for _, f := range fields {
		fn(f, level)
		if !o.recursive {
			continue
		}
		key := f.node.element().key()
		if key != "" && above[key] {
			continue
		}
		if key != "" {
			above[key] = true
		}
		o.visit(f.node.fields(), level+1, above, fn)
		delete(above, key)
	}
}

func (o *explainOptions) Run(s *Session) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	mapper, err := c.Mapper()
	if err != nil {
		return err
	}
	m, path, err := o.find(mapper)
	if err != nil {
		return err
	}
	n, err := c.schemaOf(m)
	if err != nil {
		return err
	}
	var b strings.Builder
	old := false
	switch o.output {
	case "plaintext":
	case "plaintext-openapiv2":
		old = true
	default:
		return fmt.Errorf("unrecognized format: %s", o.output)
	}
	switch {
	case old:
		fmt.Fprintf(&b, "KIND:     %s\nVERSION:  %s\n\n", m.Kind, m.APIVersion())
	case m.Group != "":
		fmt.Fprintf(&b, "GROUP:      %s\n", m.Group)
		fallthrough
	default:
		fmt.Fprintf(&b, "KIND:       %s\nVERSION:    %s\n\n", m.Kind, m.Version)
	}
	for i, name := range path {
		var next *schemaField
		for _, f := range n.fields() {
			if f.name == name {
				next = &f
				break
			}
		}
		if next == nil {
			if !old {
				s.Printf("%s", b.String())
			}
			return fmt.Errorf("field %q does not exist", path[len(path)-1])
		}
		n = next.node
		if i == len(path)-1 && !old {
			fmt.Fprintf(&b, "FIELD: %s <%s>\n", name, n.typeName())
			if enum := n.enum(); len(enum) > 0 {
				b.WriteString("ENUM:")
				for _, e := range enum {
					if e == "" {
						e = `""`
					}
					b.WriteString("\n    " + e)
				}
			}
			b.WriteString("\n\n")
		}
	}
	if old {
		name := ""
		if len(path) > 0 {
			name = path[len(path)-1]
		}
		o.page2(&b, n, name)
		_, err = io.WriteString(s.Stdout, b.String())
		return err
	}
	b.WriteString("DESCRIPTION:\n")
	description := n.description()
	if description == "" {
		description = "<empty>"
	}
	for _, l := range wrap(description, 76) {
		b.WriteString("    " + l + "\n")
	}
	if n.description() != "" {
		b.WriteString("    \n")
	}
	if fields := n.fields(); len(fields) > 0 {
		b.WriteString("FIELDS:\n")
		o.visit(fields, 1, map[string]bool{}, func(f schemaField, level int) { o.field(&b, f, level) })
	}
	b.WriteString("\n")
	_, err = s.Stdout.Write([]byte(b.String()))
	return err
}

func (o *explainOptions) field(b *strings.Builder, f schemaField, level int) {
	indent := strings.Repeat("  ", level)
	fmt.Fprintf(b, "%s%s\t<%s>", indent, f.name, f.node.typeName())
	if f.required {
		b.WriteString(" -required-")
	}
	if enum := f.node.enum(); len(enum) > 0 {
		b.WriteString("\n" + indent + "enum: ")
		for i, e := range enum {
			if i == 4 {
				b.WriteString(", ....")
				break
			}
			if i > 0 {
				b.WriteString(", ")
			}
			if e == "" {
				e = `""`
			}
			b.WriteString(e)
		}
	}
	b.WriteString("\n")
	if o.recursive {
		return
	}
	text := f.text
	if text == "" {
		text = "<no description>"
	}
	for _, l := range wrap(text, 78-len(indent)) {
		b.WriteString(indent + "  " + l + "\n")
	}
	b.WriteString("\n")
}

func (n schemaNode) key() string {
	if n.value != nil {
		return n.value.Ref
	}
	return ""
}

// wrap breaks a text into lines of at most width characters.
func wrap(text string, width int) []string {
	var out []string
	for _, paragraph := range strings.Split(text, "\n") {
		line := ""
		for _, w := range strings.Fields(paragraph) {
			if line != "" && len(line)+1+len(w) > width {
				out = append(out, line)
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += w
		}
		out = append(out, line)
	}
	return out
}

// find splits TYPE.field.field; the type may be group-qualified itself.
func (o *explainOptions) find(mapper *Mapper) (*Mapping, []string, error) {
	parts := strings.Split(strings.TrimSuffix(o.args[0], "."), ".")
	var m *Mapping
	rest := parts[1:]
	for i := len(parts); i > 1; i-- { // the longest prefix that names a resource
		group := strings.Join(parts[1:i], ".")
		for _, e := range mapper.All {
			if e.Resource == parts[0] && (e.Group == group || e.Version+"."+e.Group == group) {
				m, rest = e, parts[i:]
				break
			}
		}
		if m != nil {
			break
		}
	}
	if m == nil {
		var err error
		if m, err = mapper.Find(parts[0]); err != nil {
			return nil, nil, &CodeError{1, &noResourceMatch{resource: parts[0]}}
		}
	}
	if o.apiVersion != "" {
		version := o.apiVersion
		found := false
		for _, e := range mapper.All {
			if e.APIVersion() == version && e.Resource == m.Resource {
				m, found = e, true
				break
			}
		}
		if !found {
			return nil, nil, fmt.Errorf("couldn't find resource for %q", version+", Resource="+m.Resource)
		}
	}
	return m, rest, nil
}

// schemaOf is the schema of a kind: built in, or from its CustomResourceDefinition.
func (c *Client) schemaOf(m *Mapping) (schemaNode, error) {
	if t := schema.ForKind(m.Group, m.Version, m.Kind); t != nil {
		v := schema.Value{Kind: schema.Object, Ref: t.Name}
		return schemaNode{value: &v}, nil
	}
	crds := &Mapping{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	crd, err := c.Get(crds, "", m.GroupResource().String(), "")
	if err != nil {
		return schemaNode{}, fmt.Errorf("GVR (%s) not found in OpenAPI schema", gvrText(m))
	}
	for _, v := range tree.Maps(crd, "spec", "versions") {
		if tree.String(v, "name") != m.Version {
			continue
		}
		root := tree.Copy(tree.Sub(v, "schema", "openAPIV3Schema"))
		if root == nil {
			root = tree.Map{}
		}
		props := tree.Sub(root, "properties")
		if props == nil {
			props = tree.Map{}
			root["properties"] = props
		}
		for _, k := range []string{"apiVersion", "kind"} {
			if props[k] == nil {
				props[k] = tree.Map{"type": "string"}
			}
		}
		if props["metadata"] == nil {
			props["metadata"] = tree.Map{"type": "object"}
		}
		return schemaNode{custom: root}, nil
	}
	return schemaNode{}, fmt.Errorf("GVR (%s) not found in OpenAPI schema", gvrText(m))
}
