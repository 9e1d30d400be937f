package smerge

import (
	"encoding/json"
	"testing"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/schema"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func parse(t *testing.T, s string) tree.Map {
	t.Helper()
	v, err := metav1.DecodeTree([]byte(s))
	if err != nil {
		t.Fatal(s, err)
	}
	m, _ := v.(tree.Map)
	return m
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// TestThreeWay: what apply sends, and that the patch, applied, keeps what others set.
func TestThreeWay(t *testing.T) {
	deploy := schema.ForKind("apps", "v1", "Deployment")
	for _, c := range []struct{ name, original, modified, current, patch, result string }{
		{"unchanged", `{"spec":{"replicas":1}}`, `{"spec":{"replicas":1}}`, `{"spec":{"replicas":1,"paused":true}}`, `{}`, `{"spec":{"paused":true,"replicas":1}}`},
		{"dropped", `{"spec":{"replicas":1,"paused":true}}`, `{"spec":{"replicas":1}}`, `{"spec":{"replicas":5,"paused":true}}`,
			`{"spec":{"paused":null,"replicas":1}}`, `{"spec":{"replicas":1}}`},
		{"container of others", `{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x"}]}}}}`,
			`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"y"}]}}}}`,
			`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x","tty":true},{"name":"b","image":"z"}]}}}}`,
			`{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"a"}],"containers":[{"image":"y","name":"a"}]}}}}`,
			`{"spec":{"template":{"spec":{"containers":[{"image":"y","name":"a","tty":true},{"image":"z","name":"b"}]}}}}`},
		{"container dropped", `{"spec":{"template":{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}}}`,
			`{"spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}}`,
			`{"spec":{"template":{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}}}`,
			`{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"a"}],"containers":[{"$patch":"delete","name":"b"}]}}}}`,
			`{"spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}}`},
		{"strategy", `{"spec":{"strategy":{"type":"RollingUpdate"}}}`, `{"spec":{"strategy":{"type":"Recreate"}}}`,
			`{"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}}`,
			`{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}`, `{"spec":{"strategy":{"type":"Recreate"}}}`},
		{"finalizers", `{"metadata":{"finalizers":["a","b"]}}`, `{"metadata":{"finalizers":["b","c"]}}`, `{"metadata":{"finalizers":["a","b","z"]}}`,
			`{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"$setElementOrder/finalizers":["b","c"],"finalizers":["c"]}}`,
			`{"metadata":{"finalizers":["b","c","z"]}}`},
	} {
		patch := ThreeWay(parse(t, c.original), parse(t, c.modified), parse(t, c.current), deploy)
		if got := text(patch); got != c.patch {
			t.Errorf("%s: patch\n%s, want\n%s", c.name, got, c.patch)
		}
		result, err := Strategic(parse(t, c.current), patch, deploy)
		if got := text(result); err != nil || got != c.result {
			t.Errorf("%s: result %v\n%s, want\n%s", c.name, err, got, c.result)
		}
	}
	patch := ThreeWay(parse(t, `{"a":1,"b":2}`), parse(t, `{"a":1,"c":{"d":[1]}}`), parse(t, `{"a":1,"b":2,"z":3}`), nil)
	if got := text(patch); got != `{"b":null,"c":{"d":[1]}}` {
		t.Errorf("merge patch %s", got)
	}
}

// TestTwoWayRoundTrip: a patch made from two documents turns one into the other.
func TestTwoWayRoundTrip(t *testing.T) {
	pod := schema.ForKind("", "v1", "Pod")
	docs := []string{
		`{}`, `{"metadata":{"labels":{"a":"b"}}}`, `{"metadata":{"labels":{"c":"d"},"finalizers":["x"]}}`,
		`{"spec":{"containers":[{"name":"a","ports":[{"containerPort":80},{"containerPort":81,"name":"p"}]}]}}`,
		`{"spec":{"containers":[{"name":"b"},{"name":"a","ports":[{"containerPort":81}],"command":["x","y"]}],"volumes":[{"name":"v","emptyDir":{}}]}}`,
		`{"spec":{"volumes":[{"name":"v","hostPath":{"path":"/"}}],"tolerations":[{"key":"a"}]}}`,
	}
	for _, a := range docs {
		for _, b := range docs {
			from, to := parse(t, a), parse(t, b)
			got, err := Strategic(from, TwoWay(from, to, pod), pod)
			if err != nil || !Equal(prune(got), prune(to)) {
				t.Errorf("%s to %s: %v %s by %s", a, b, err, text(got), text(TwoWay(from, to, pod)))
			}
		}
	}
}

// prune drops empty lists: deleting every item leaves one.
func prune(v any) any {
	m, ok := v.(tree.Map)
	if !ok {
		return v
	}
	out := tree.Map{}
	for k, e := range m {
		if l, isList := e.([]any); isList && len(l) == 0 {
			continue
		}
		out[k] = prune(e)
	}
	return out
}
