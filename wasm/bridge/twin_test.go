package bridge_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/wasm/bridge"
)

// frame.go and protocol.ts are twins: the same opening paragraph, number,
// kinds and fields.
func TestTwins(t *testing.T) {
	source, err := os.ReadFile("../../site/src/protocol.ts")
	if err != nil {
		t.Skip(err)
	}
	ts := string(source)
	file, err := parser.ParseFile(token.NewFileSet(), "frame.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comment := ts[strings.Index(ts, "/**")+3 : strings.Index(ts, "*/")]
	comment = strings.Join(strings.Fields(regexp.MustCompile(`(?m)^ \* ?`).ReplaceAllString(comment, "")), " ")
	if got := strings.Join(strings.Fields(file.Doc.Text()), " "); got != comment {
		t.Errorf("opening paragraphs differ:\n%s\n%s", got, comment)
	}
	if !regexp.MustCompile(`PROTOCOL = 1\b`).MatchString(ts) || bridge.Protocol != 1 {
		t.Error("protocol numbers differ")
	}
	list := func(name string) (out []string) {
		m := regexp.MustCompile(`(?s)export const ` + name + ` = \[(.*?)\]`).FindStringSubmatch(ts)
		for _, q := range regexp.MustCompile(`'([^']+)'`).FindAllStringSubmatch(m[1], -1) {
			out = append(out, q[1])
		}
		sort.Strings(out)
		return out
	}
	var groups [][]string
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		var kinds []string
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			if strings.HasPrefix(v.Names[0].Name, "Kind") {
				kinds = append(kinds, strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
			}
		}
		if len(kinds) > 0 {
			sort.Strings(kinds)
			groups = append(groups, kinds)
		}
	}
	if got, want := groups[0], list("requests"); !reflect.DeepEqual(got, want) {
		t.Errorf("requests:\n go %v\n ts %v", got, want)
	}
	if got, want := groups[1], list("answers"); !reflect.DeepEqual(got, want) {
		t.Errorf("answers:\n go %v\n ts %v", got, want)
	}
	var fields []string
	for f := range reflect.TypeFor[bridge.Frame]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			name = "data"
		}
		if name != "id" && name != "kind" {
			fields = append(fields, name)
		}
	}
	sort.Strings(fields)
	m := regexp.MustCompile(`(?s)interface Fields \{(.*?)\n\}`).FindStringSubmatch(ts)
	var theirs []string
	for _, q := range regexp.MustCompile(`(?m)^  (\w+)\?:`).FindAllStringSubmatch(m[1], -1) {
		theirs = append(theirs, q[1])
	}
	sort.Strings(theirs)
	if !reflect.DeepEqual(fields, theirs) {
		t.Errorf("fields:\n go %v\n ts %v", fields, theirs)
	}
}
