package gotemplate

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"text/template"
)

var data = map[string]any{
	"kind": "List", "n": int64(3), "zero": int64(0), "f": 1.5, "yes": true, "no": false, "null": nil, "empty": "", "enc": "aGVsbG8=",
	"html": "<a href='x'>\"é\u2028&=\\\n", "none": []any{}, "nomap": map[string]any{},
	"items": []any{
		map[string]any{"metadata": map[string]any{"name": "web", "labels": map[string]any{"app": "web", "tier": nil}}, "ports": []any{int64(80), int64(443)}},
		map[string]any{"metadata": map[string]any{"name": "db"}, "ports": []any{}},
		nil, "text", int64(7),
	},
}

// old is kubectl's way with text/template.
func old(text string, missingError bool) (string, error) {
	t, err := template.New("output").Funcs(template.FuncMap{
		"exists": func(item any, indices ...any) bool {
			args := []value{{item, boxed}}
			for _, i := range indices {
				args = append(args, value{i, boxed})
			}
			v, _ := exists(args)
			return v.v.(bool)
		},
		"base64decode": func(v string) (string, error) {
			d, err := base64.StdEncoding.DecodeString(v)
			if err != nil {
				return "", fmt.Errorf("base64 decode failed: %v", err)
			}
			return string(d), nil
		},
	}).Parse(text)
	if err != nil {
		return "", err
	}
	if missingError {
		t.Option("missingkey=error")
	}
	var b bytes.Buffer
	err = t.Execute(&b, data)
	return b.String(), err
}

func ours(text string, missingError bool) (string, error) {
	t, err := New("output", text, missingError)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = t.Execute(&b, data)
	return b.String(), err
}

func compare(t *testing.T, text string) {
	t.Helper()
	for _, missingError := range []bool{false, true} {
		want, wantErr := old(text, missingError)
		got, gotErr := ours(text, missingError)
		if got != want || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Errorf("%s (missing is an error: %v)\ngot  %q %v\nwant %q %v", text, missingError, got, gotErr, want, wantErr)
		}
	}
}

func TestSame(t *testing.T) {
	for _, text := range []string{
		`plain`, `{{.kind}}`, `{{.}}`, `{{.missing}}`, `{{.missing.deep}}`, `{{.null}}`, `{{.null.deep}}`, `{{.kind.deep}}`, `{{.items}}`, `{{$}}`, `{{$.kind}}`,
		`{{range .items}}{{.}};{{end}}`, `{{range .items}}{{.metadata.name}}{{"\n"}}{{end}}`, `{{range $i, $e := .items}}{{$i}}={{$e}} {{end}}`,
		`{{range $k, $v := .}}{{$k}}: {{$v}}{{end}}`, `{{range .none}}x{{else}}empty{{end}}`, `{{range .null}}x{{else}}nil{{end}}`, `{{range .kind}}x{{end}}`, `{{range .f}}{{end}}`,
		`{{range 3}}{{.}}{{end}}`, `{{range $i := .n}}{{$i}}{{end}}`, `{{range $i, $j := 3}}{{end}}`, `{{range .zero}}{{else}}none{{end}}`,
		`{{range $i, $e := .items}}{{if eq $i 1}}{{continue}}{{end}}{{if gt $i 2}}{{break}}{{end}}{{$i}}{{end}}`,
		`{{$x := ""}}{{range $x = .items}}{{end}}{{$x}}`, `{{$x := 0}}{{$y := 0}}{{range $x, $y = .items}}{{end}}{{$x}} {{$y}}`,
		`{{range .items}}{{range .none}}{{else}}{{break}}{{end}}x{{end}}`,
		`{{if .yes}}a{{else if .no}}b{{else}}c{{end}}`, `{{if .no}}a{{else if .n}}b{{else}}c{{end}}`, `{{if .missing}}a{{else}}c{{end}}`, `{{if .nomap}}a{{else}}c{{end}}`,
		`{{with .kind}}{{.}}{{end}}`, `{{with .kind}}{{.x}}{{end}}`, `{{with $x := .kind}}{{$x}}{{.}}{{end}}`, `{{with .null}}a{{else with .n}}{{.}}{{end}}`, `{{with 1}}{{.x}}{{end}}`,
		`{{$x := .kind}}{{$x.y}}`, `{{$x := .items}}{{len $x}}`, `{{$x := 1}}{{$x = 2}}{{$x}}`, `{{$x}}`, `{{(index .items 0).metadata.name}}`, `{{(.kind).x}}`, `{{nil}}`, `{{nil.x}}`, `{{(nil).x}}`,
		`{{define "a"}}<{{.}}>{{end}}{{template "a" .kind}}{{template "a"}}`, `{{block "b" .n}}{{.}}!{{end}}`, `{{template "none"}}`,
		`{{define "a"}}{{.missing.x.y}}{{.kind.x}}{{end}}{{template "a" .}}`,
		`{{index .items 0}}`, `{{index .items 9}}`, `{{index .items 5}}`, `{{index .items -1}}`, `{{index .items "a"}}`, `{{index .items nil}}`, `{{index .items 0 "metadata" "name"}}`, `{{index .items 2 "x"}}`,
		`{{index . "kind"}}`, `{{index . "nothing"}}`, `{{index . "nothing" "x"}}`, `{{index . 1}}`, `{{index . nil}}`, `{{index .kind 0}}`, `{{index .kind 4}}`, `{{index .kind 5}}`, `{{index .n 0}}`, `{{index nil}}`, `{{index .missing 1}}`, `{{index .null 1}}`, `{{index}}`, `{{.items | index}}`, `{{0 | index .items}}`,
		`{{slice .kind 1}}`, `{{slice .kind 1 2}}`, `{{slice .kind 2 1}}`, `{{slice .kind 1 2 3}}`, `{{slice .items 1 2}}`, `{{slice .items 1 2 3}}`, `{{slice .items 1 3 2}}`, `{{slice .items 0 9}}`, `{{slice .n}}`, `{{slice nil}}`, `{{slice .items 1 2 3 4}}`, `{{slice .kind .missing}}`,
		`{{len .items}}`, `{{len .}}`, `{{len .kind}}`, `{{len .n}}`, `{{len .null}}`, `{{len .missing}}`, `{{len nil}}`, `{{len}}`, `{{len 1 2}}`, `{{.items | len}}`,
		`{{not .yes}} {{not .null}} {{not 0}}`, `{{and .yes .n .null .kind}}`, `{{or .no .null .kind}}`, `{{and}}`, `{{.kind | and .yes}}`, `{{.kind | or .no}}`, `{{or .no .zero}}`, `{{and 1 .missing}}`,
		`{{eq .n 3}} {{eq .n 3.0}}`, `{{eq .kind "List"}} {{eq .kind "a" "List"}}`, `{{eq .f 1.5}}`, `{{eq .null nil}}`, `{{eq .missing nil}}`, `{{eq .kind nil}}`, `{{eq .items .items}}`, `{{eq .items .}}`, `{{eq .items nil}}`, `{{eq 1}}`, `{{eq .yes true}}`, `{{eq .kind 1}}`, `{{ne .kind "x"}}`, `{{ne .n "x"}}`,
		`{{lt 1 2}} {{le 2 2}} {{gt .n 2}} {{ge .n 4}}`, `{{lt "a" "b"}}`, `{{lt 1 1.5}}`, `{{lt .yes .no}}`, `{{lt .null 1}}`, `{{lt .items 1}}`, `{{lt 1}}`, `{{gt .f 1.0}}`, `{{lt (index .kind 0) 100}}`, `{{eq (index .kind 0) 76}}`,
		`{{print .kind .n "x"}}`, `{{println .kind .null .missing}}`, `{{printf "%s=%d %v %T" .kind .n .null .f}}`, `{{printf .kind}}`, `{{printf .n}}`, `{{printf .null}}`, `{{printf .missing}}`, `{{printf nil}}`, `{{printf 1}}`, `{{.kind | printf "%s-%s" "a"}}`, `{{.kind | printf}}`, `{{1 | printf}}`, `{{printf}}`, `{{printf "%q" .items}}`,
		`{{html .html}}`, `{{js .html}}`, `{{urlquery .html .n}}`, `{{html .null}}`, `{{html .missing .n}}`, `{{js 1}}`,
		`{{base64decode .enc}}`, `{{.enc | base64decode}}`, `{{base64decode .kind}}`, `{{base64decode .n}}`, `{{base64decode .null}}`, `{{base64decode .missing}}`, `{{base64decode nil}}`, `{{base64decode 1}}`, `{{base64decode "eA=="}}`, `{{base64decode}}`, `{{base64decode "a" "b"}}`,
		`{{exists . "kind"}} {{exists . "items" 0 "metadata"}} {{exists . "items" 9}} {{exists .items "x"}}`, `{{exists}}`, `{{exists .missing "x"}}`,
		`{{call .kind}}`, `{{call nil}}`, `{{call .null 1}}`, `{{.kind | call}}`, `{{call}}`, `{{call 1}}`,
		`{{1}} {{1.5}} {{0x10}} {{'a'}} {{1e3}} {{1i}} {{"s"}} {{true}}`, `{{9223372036854775808}}`, `{{.kind 1}}`, `{{1 | .kind}}`, `{{1 | 2}}`, `{{"a" 1}}`, `{{.n.x.y}}`, `{{(.items) 1}}`, `{{unknown}}`, `{{if}}`, `{{`, `{{end}}`, `{{break}}`, `{{/* c */}}`, `a {{- .kind -}} b`,
		`{{range .items}}{{.ports}}{{end}}`, `{{$m := (index .items 0).metadata}}{{$m.name}}{{$m.other}}{{$m.other.deep}}`, `100% {{.kind.x}}`, `{{printf "%d%%" 5}}`,
		`{{range $k, $v := (index .items 0).metadata.labels}}{{$k}}={{$v}};{{end}}`, `{{range (index .items 0).metadata.labels}}{{.x}}{{end}}`, `{{.metadata.name | printf "%s"}}`, `{{true.x}}`, `{{. | len}}`, `{{.. }}`,
	} {
		compare(t, text)
	}
}

// TestRandom compares random templates.
func TestRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	var expr func(depth int) string
	expr = func(depth int) string {
		if depth == 0 || r.IntN(3) == 0 {
			return pick(".", ".kind", ".n", ".f", ".null", ".missing", ".items", "$", "$.items", ".metadata.name", ".metadata", ".null.x", "nil", "1", "0", "2.5", `"a"`, `"%v"`, "true", "-1", ".html", ".ports", ".kind.x", "'x'")
		}
		switch r.IntN(4) {
		case 0:
			return "(" + expr(depth-1) + ")" + pick("", "", ".metadata", ".x")
		case 1:
			return "(" + expr(depth-1) + " | " + pick("len", "not", "print", "printf", "html", "index .items", "index $", "eq 1", "and .yes", "or .no", "slice .items", `printf "%v %v" 1`) + ")"
		}
		call := pick("len", "not", "index", "slice", "print", "println", "printf", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "html", "js", "exists", "base64decode", "call", "urlquery")
		for range r.IntN(4) {
			call += " " + expr(depth-1)
		}
		return "(" + call + ")"
	}
	var body func(depth int) string
	body = func(depth int) string {
		var b strings.Builder
		for range 1 + r.IntN(3) {
			switch k := r.IntN(8); {
			case k < 4 || depth == 0:
				b.WriteString("{{" + expr(2) + "}}" + pick("", " ", ";"))
			case k == 4:
				b.WriteString("{{if " + expr(2) + "}}" + body(depth-1) + pick("", "{{else}}"+body(depth-1)) + "{{end}}")
			case k == 5:
				b.WriteString("{{with " + pick("", "$w := ") + expr(2) + "}}" + body(depth-1) + "{{end}}")
			default:
				b.WriteString("{{range " + pick("", "$v := ", "$k, $v := ") + pick(expr(2), ".items", ".") + "}}" + body(depth-1) + pick("", "", "{{break}}", "{{continue}}", "{{else}}"+body(0)) + "{{end}}")
			}
		}
		return b.String()
	}
	for range 20_000 {
		compare(t, body(2))
		if t.Failed() {
			return
		}
	}
}
