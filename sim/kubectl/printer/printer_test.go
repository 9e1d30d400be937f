package printer

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

// TestTabWriter: a column is at least six wide, three wider than its widest
// cell, never pads the last cell, and remembers widths over flushes.
func TestTabWriter(t *testing.T) {
	var b bytes.Buffer
	w := NewTabWriter(&b)
	w.Write([]byte("A\tBB\tC\nlonger\t\tx\n"))
	w.Flush()
	w.Write([]byte("s\tt\tu\n"))
	w.Flush()
	w.Forget()
	w.Write([]byte("s\tt\tu\n"))
	w.Flush()
	want := "A        BB    C\nlonger         x\ns        t     u\ns     t     u\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// TestKYAML follows `kubectl create deployment x --image=y --dry-run=client -o kyaml`.
func TestKYAML(t *testing.T) {
	var b bytes.Buffer
	err := (&KYAML{}).Print(tree.Map{"apiVersion": "v1", "kind": "X", "a": []any{tree.Map{"n": int64(1)}}, "e": []any{}, "m": tree.Map{},
		"on": "x", "s": []any{"p", nil, true}, "t": "one\n two\n"}, &b)
	want := "---\n{\n  a: [{\n    \"n\": 1,\n  }],\n  apiVersion: \"v1\",\n  e: [],\n  kind: \"X\",\n  m: {},\n  \"on\": \"x\",\n  s: [\n    \"p\",\n    null,\n    true,\n  ],\n  \"t\": \"\\\n     one\\n\\\n    \\ two\\n\\\n    \",\n}\n"
	if err != nil || b.String() != want {
		t.Errorf("%v\ngot\n%s\nwant\n%s", err, b.String(), want)
	}
}

// FuzzPaths: no expression may panic.
func FuzzPaths(f *testing.F) {
	for _, s := range []string{"{.a}", "{.items[*].x}", "{range .items[*]}{.n}{end}", "a.b[0]", "{.items[?(@.n==1)].n}", "{['a','b']}", "N:.a,M:.items[*]"} {
		f.Add(s)
	}
	obj := tree.Map{"apiVersion": "v1", "kind": "List", "a": "x", "items": []any{tree.Map{"n": int64(1)}, tree.Map{"n": "2"}}}
	f.Fuzz(func(t *testing.T, text string) {
		var b strings.Builder
		if p, err := NewJSONPath(text, true, false); err == nil {
			_ = p.Print(obj, &b)
		}
		if p, err := NewColumns(text, false); err == nil {
			_ = p.Print(obj, &b)
		}
		_ = SortTrees([]tree.Map{{"n": int64(1)}, {"n": "2"}, {}}, text, nil)
		_ = (&KYAML{}).Print(tree.Map{text: text}, &b)
	})
}
