package patch

import (
	"encoding/json"
	"testing"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/schema"
)

func decode(t testing.TB, s string) any {
	t.Helper()
	v, err := metav1.DecodeTree([]byte(s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

func encode(v any) string {
	data, _ := json.Marshal(v)
	return string(data)
}

// TestJSON has the examples of RFC 6902, appendix A, and what upstream allows beside.
func TestJSON(t *testing.T) {
	for _, c := range []struct{ doc, patch, want string }{
		{`{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux"}]`, `{"baz":"qux","foo":"bar"}`},
		{`{"foo":["bar","baz"]}`, `[{"op":"add","path":"/foo/1","value":"qux"}]`, `{"foo":["bar","qux","baz"]}`},
		{`{"baz":"qux","foo":"bar"}`, `[{"op":"remove","path":"/baz"}]`, `{"foo":"bar"}`},
		{`{"foo":["bar","qux","baz"]}`, `[{"op":"remove","path":"/foo/1"}]`, `{"foo":["bar","baz"]}`},
		{`{"baz":"qux","foo":"bar"}`, `[{"op":"replace","path":"/baz","value":"boo"}]`, `{"baz":"boo","foo":"bar"}`},
		{`{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}`, `[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]`, `{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}`},
		{`{"foo":["all","grass","cows","eat"]}`, `[{"op":"move","from":"/foo/1","path":"/foo/3"}]`, `{"foo":["all","cows","eat","grass"]}`},
		{`{"baz":"qux","foo":["a",2,"c"]}`, `[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]`, `{"baz":"qux","foo":["a",2,"c"]}`},
		{`{"baz":"qux"}`, `[{"op":"test","path":"/baz","value":"bar"}]`, `testing value /baz failed: test failed`},
		{`{"foo":"bar"}`, `[{"op":"add","path":"/child","value":{"grandchild":{}}}]`, `{"child":{"grandchild":{}},"foo":"bar"}`},
		{`{"foo":"bar"}`, `[{"op":"add","path":"/baz/bat","value":"qux"}]`, `operation does not apply: doc is missing path: "/baz/bat": missing value`},
		{`{"foo":"bar"}`, `[{"op":"remove","path":"/nope"}]`, `operation does not apply: doc is missing path: "/nope": missing value`},
		{`{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":10}]`, `{"/":9,"~1":10}`},
		{`{"foo":["bar"]}`, `[{"op":"add","path":"/foo/-","value":["abc","def"]}]`, `{"foo":["bar",["abc","def"]]}`},
		{`{"a":{"b":1}}`, `[{"op":"copy","from":"/a","path":"/c"},{"op":"replace","path":"/c/b","value":2}]`, `{"a":{"b":1},"c":{"b":2}}`},
		{`{"a":1}`, `[{"op":"frob","path":"/a"}]`, `Unexpected kind: frob`},
		{`{"a":[1]}`, `[{"op":"add","path":"/a/7","value":1}]`, `unable to access invalid index: 7: invalid index referenced`},
		{`{}`, `{"op":"add"}`, `json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp`},
		{`{}`, `[{"op":1}]`, `json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string`},
	} {
		got := ""
		ops, err := Operations(decode(t, c.patch))
		if err == nil {
			var out any
			if out, err = JSON(decode(t, c.doc), ops); err == nil {
				got = encode(out)
			}
		}
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s with %s: got %s, want %s", c.doc, c.patch, got, c.want)
		}
	}
}

// TestMerge has the examples of RFC 7386, appendix A.
func TestMerge(t *testing.T) {
	for _, c := range []struct{ doc, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		if got := encode(Merge(decode(t, c.doc), decode(t, c.patch))); got != c.want {
			t.Errorf("%s with %s: got %s, want %s", c.doc, c.patch, got, c.want)
		}
	}
}

// TestStrategic follows the rules of
// https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
// and of the strategic merge patch design (directives).
func TestStrategic(t *testing.T) {
	const two = `{"spec":{"containers":[{"image":"a:1","name":"a"},{"image":"b:1","name":"b"}]}}`
	for _, c := range []struct{ name, doc, patch, want string }{
		{"merge by key", two, `{"spec":{"containers":[{"name":"b","image":"b:2"}]}}`, `{"spec":{"containers":[{"image":"a:1","name":"a"},{"image":"b:2","name":"b"}]}}`},
		// An element that is new comes first, as with the real server.
		{"add", two, `{"spec":{"containers":[{"name":"c","image":"c:1"}]}}`, `{"spec":{"containers":[{"image":"c:1","name":"c"},{"image":"a:1","name":"a"},{"image":"b:1","name":"b"}]}}`},
		{"delete", two, `{"spec":{"containers":[{"$patch":"delete","name":"a"}]}}`, `{"spec":{"containers":[{"image":"b:1","name":"b"}]}}`},
		{"replace list", two, `{"spec":{"containers":[{"$patch":"replace"},{"name":"z"}]}}`, `{"spec":{"containers":[{"name":"z"}]}}`},
		{"replace map", two, `{"spec":{"$patch":"replace","dnsPolicy":"x"}}`, `{"spec":{"dnsPolicy":"x"}}`},
		{"delete map", two, `{"spec":{"$patch":"delete"}}`, `{"spec":{}}`},
		{"null", two, `{"spec":{"containers":null}}`, `{"spec":{}}`},
		{"atomic list", `{"spec":{"tolerations":[{"key":"a"}]}}`, `{"spec":{"tolerations":[{"key":"b"}]}}`, `{"spec":{"tolerations":[{"key":"b"}]}}`},
		{"order", two, `{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"a","image":"a:2"}]}}`,
			`{"spec":{"containers":[{"image":"b:1","name":"b"},{"image":"a:2","name":"a"}]}}`},
		{"order with addition", two, `{"spec":{"$setElementOrder/containers":[{"name":"a"},{"name":"c"},{"name":"b"}],"containers":[{"name":"c"}]}}`,
			`{"spec":{"containers":[{"image":"a:1","name":"a"},{"name":"c"},{"image":"b:1","name":"b"}]}}`},
		{"primitive list", `{"metadata":{"finalizers":["a","b"]}}`, `{"metadata":{"finalizers":["c"]}}`, `{"metadata":{"finalizers":["c","a","b"]}}`},
		{"primitive deletion", `{"metadata":{"finalizers":["a","b"]}}`, `{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}}`, `{"metadata":{"finalizers":["b"]}}`},
		{"retain keys", `{"spec":{"volumes":[{"emptyDir":{},"name":"v"}]}}`, `{"spec":{"volumes":[{"$retainKeys":["name","hostPath"],"name":"v","hostPath":{"path":"/"}}]}}`,
			`{"spec":{"volumes":[{"hostPath":{"path":"/"},"name":"v"}]}}`},
		{"nulls in additions", `{}`, `{"metadata":{"labels":{"a":null,"b":"c"}}}`, `{"metadata":{"labels":{"b":"c"}}}`},
		{"labels", `{"metadata":{"labels":{"a":"1","b":"2"}}}`, `{"metadata":{"labels":{"a":null,"c":"3"}}}`, `{"metadata":{"labels":{"b":"2","c":"3"}}}`},
		{"no key", two, `{"spec":{"containers":[{"image":"c:1"}]}}`, `map: map[image:c:1] does not contain declared merge key: name`},
		{"bad retain", two, `{"spec":{"$retainKeys":["a"],"dnsPolicy":"x"}}`, `patch content doesn't match retainKeys list`},
	} {
		out, err := Strategic(decode(t, c.doc).(map[string]any), decode(t, c.patch).(map[string]any), schema.ForKind("", "v1", "Pod"))
		got := encode(out)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func FuzzPatches(f *testing.F) {
	f.Add(`{"spec":{"containers":[{"name":"a"}]}}`, `{"spec":{"containers":[{"$patch":"delete","name":"a"}]}}`)
	f.Add(`{"a":[1,2]}`, `[{"op":"move","from":"/a/0","path":"/a/-"}]`)
	f.Add(`{"metadata":{"finalizers":["a"]}}`, `{"metadata":{"$setElementOrder/finalizers":["b","a"],"finalizers":["b"]}}`)
	pod := schema.ForKind("", "v1", "Pod")
	f.Fuzz(func(t *testing.T, doc, patch string) {
		d, err := metav1.DecodeTree([]byte(doc))
		if err != nil {
			return
		}
		p, err := metav1.DecodeTree([]byte(patch))
		if err != nil {
			return
		}
		before := encode(p)
		if ops, err := Operations(p); err == nil && len(ops) < 100 {
			_, _ = JSON(Copy(d), ops)
		}
		Merge(Copy(d), p)
		if dm, ok := d.(map[string]any); ok {
			if pm, ok := p.(map[string]any); ok {
				_, _ = Strategic(Copy(dm).(map[string]any), pm, pod)
				_, _ = Strategic(Copy(dm).(map[string]any), pm, nil)
			}
		}
		if encode(p) != before {
			t.Errorf("the patch was changed: %s, now %s", before, encode(p))
		}
	})
}
