package managed

import (
	"encoding/json"
	"testing"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/schema"
)

var podRoot = Root(schema.ForKind("", "v1", "Pod"))

func tree(t testing.TB, s string) map[string]any {
	t.Helper()
	v, err := metav1.DecodeTree([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any)
}

func TestCompareAndClaim(t *testing.T) {
	old := tree(t, `{"spec":{"containers":[{"name":"a","image":"a:1"}]}}`)
	now := tree(t, `{"metadata":{"labels":{"x":"1"}},"spec":{"containers":[{"name":"a","image":"a:2"},{"name":"b","ports":[{"containerPort":80}]}]}}`)
	c := Compare(old, now, podRoot)
	if got, want := string(c.Added.JSON()), `{"f:metadata":{".":{},"f:labels":{".":{},"f:x":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}`; got != want {
		t.Errorf("added %s\nwant %s", got, want)
	}
	if got, want := string(c.Modified.JSON()), `{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{"f:image":{}}}}}`; got != want {
		t.Errorf("modified %s", got)
	}
	if got, want := string(Of(now, podRoot).JSON()), `{"f:metadata":{"f:labels":{"f:x":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{},"f:name":{}},"k:{\"name\":\"b\"}":{".":{},"f:name":{},"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}`; got != want {
		t.Errorf("claimed %s\nwant %s", got, want)
	}
	paths := c.Modified.Paths()
	if len(paths) != 1 || paths[0].String() != `.spec.containers[name="a"].image` {
		t.Errorf("paths %v", paths)
	}
}

func TestMergeAndRemove(t *testing.T) {
	live := tree(t, `{"spec":{"containers":[{"name":"a","image":"a:1"},{"name":"b","image":"b:1"}],"tolerations":[{"key":"x"}]}}`)
	config := tree(t, `{"spec":{"containers":[{"name":"c"},{"name":"a","image":"a:2"}],"tolerations":[{"key":"y"}]}}`)
	merged := Merge(live, config, podRoot)
	data, _ := json.Marshal(merged)
	if got, want := string(data), `{"spec":{"containers":[{"name":"c"},{"image":"a:2","name":"a"},{"image":"b:1","name":"b"}],"tolerations":[{"key":"y"}]}}`; got != want {
		t.Errorf("merged %s\nwant %s", got, want)
	}
	drop, _ := Parse([]byte(`{"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{},"f:image":{},"f:name":{}}},"f:tolerations":{}}}`))
	rest, _ := Remove(merged, drop, &Set{}, podRoot)
	data, _ = json.Marshal(rest)
	if got, want := string(data), `{"spec":{"containers":[{"name":"c"},{"image":"a:2","name":"a"}]}}`; got != want {
		t.Errorf("rest %s\nwant %s", got, want)
	}
}

func FuzzSets(f *testing.F) {
	f.Add([]byte(`{"f:a":{".":{},"f:b":{}},"k:{\"x\":1}":{}}`), []byte(`{"spec":{"containers":[{"name":"a"}]}}`), []byte(`{"spec":{}}`))
	f.Fuzz(func(t *testing.T, raw, a, b []byte) {
		if s, err := Parse(raw); err == nil {
			again, err := Parse(s.JSON())
			if err != nil || !Equal(s, again) {
				t.Fatalf("%s became %s: %v", raw, s.JSON(), err)
			}
			for _, p := range s.Paths() {
				_ = p.String()
			}
			if !Difference(s, s).Empty() || !Equal(Union(s, s), s) {
				t.Fatal("set arithmetic")
			}
		}
		x, err := metav1.DecodeTree(a)
		if err != nil {
			return
		}
		y, err := metav1.DecodeTree(b)
		if err != nil {
			return
		}
		xm, ok := x.(map[string]any)
		ym, ok2 := y.(map[string]any)
		if !ok || !ok2 {
			return
		}
		for _, root := range []*schema.Value{podRoot, nil} {
			c := Compare(xm, ym, root)
			Remove(ym, c.Touched(), nil, root)
			Merge(xm, ym, root)
			Unknown(ym, root, nil)
			_ = Of(ym, root)
			if same := Compare(ym, ym, root); !same.Touched().Empty() || !same.Removed.Empty() {
				t.Fatalf("%s differs from itself", b)
			}
		}
	})
}
