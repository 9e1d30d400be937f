package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/schema"
)

// objects reads what a real v1.36 server's watches showed: one object a line, chosen so that each field
// that occurs in the recording occurs here. KUBONSAI_OBJECTS names another file of the same form.
func objects(t testing.TB) []map[string]any {
	path := os.Getenv("KUBONSAI_OBJECTS")
	if path == "" {
		path = "testdata/objects.jsonl"
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []map[string]any
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		tree, err := metav1.DecodeTree(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, tree.(map[string]any))
	}
	return out
}

func mustJSON(t testing.TB, v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Each recorded object survives typed structs unchanged, by trees and by encoding/json, which proves the tags.
func TestRoundTrip(t *testing.T) {
	kinds := map[string]int{}
	for _, want := range objects(t) {
		obj, err := Decode(want)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := obj.(*metav1.Unstructured); ok {
			t.Fatalf("%v is not a known kind", want["kind"])
		}
		kinds[want["kind"].(string)]++
		got, err := ToTree(obj)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("by tree\n got %s\nwant %s", mustJSON(t, got), mustJSON(t, want))
		}

		again := New(obj.GetTypeMeta().GroupVersionKind())
		if err := json.Unmarshal([]byte(mustJSON(t, want)), again); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(obj, again) {
			t.Errorf("FromTree and json.Unmarshal differ\n%s\n%s", mustJSON(t, obj), mustJSON(t, again))
		}
		tree, err := metav1.DecodeTree([]byte(mustJSON(t, obj)))
		if err != nil || !reflect.DeepEqual(tree, any(want)) {
			t.Errorf("by JSON\n got %s\nwant %s\n%v", mustJSON(t, obj), mustJSON(t, want), err)
		}

		u := new(metav1.Unstructured)
		if err := json.Unmarshal([]byte(mustJSON(t, want)), u); err != nil {
			t.Fatal(err)
		}
		fromTree := new(metav1.Unstructured)
		if err := FromTree(want, fromTree); err != nil {
			t.Fatal(err)
		}
		for _, u := range []*metav1.Unstructured{u, fromTree} {
			if got := mustJSON(t, u); got != mustJSON(t, want) {
				t.Errorf("unstructured\n got %s\nwant %s", got, mustJSON(t, want))
			}
			if got, _ := ToTree(u); !reflect.DeepEqual(got, want) {
				t.Errorf("unstructured tree\n got %s\nwant %s", mustJSON(t, got), mustJSON(t, want))
			}
		}
	}
	t.Log(kinds)
}

// Every struct of the registry has the same fields, by name, as its schema: nothing that is decoded is lost.
func TestZeroObjectsOfEveryKind(t *testing.T) {
	for gvk, f := range kinds {
		obj := f()
		obj.GetObjectMeta().Name = "x"
		obj.GetTypeMeta().SetGroupVersionKind(gvk)
		if got := KindOf(obj); got != gvk {
			t.Errorf("KindOf(%T) = %v", obj, got)
		}
		byTree, err := ToTree(obj)
		if err != nil {
			t.Fatalf("%v: %v", gvk, err)
		}
		byJSON, _ := metav1.DecodeTree([]byte(mustJSON(t, obj)))
		if !reflect.DeepEqual(any(byTree), byJSON) {
			t.Errorf("%v\n tree %v\n json %v", gvk, byTree, byJSON)
		}
		if typ := schema.ForKind(gvk.Group, gvk.Version, gvk.Kind); typ != nil {
			for name := range byTree {
				if typ.Field(name) == nil {
					t.Errorf("%v: the schema has no %s", gvk, name)
				}
			}
		} else if gvk.Group != "resource.k8s.io" && gvk.Kind != "RangeAllocation" && gvk.Kind != "PodStatusResult" {
			t.Logf("%v has no schema", gvk)
		}
	}
}

func TestRegistry(t *testing.T) {
	deployments := ByResource("apps", "deployments")
	if deployments == nil || deployments.Kind != "Deployment" || deployments.Singular != "deployment" || !deployments.Namespaced ||
		!slices.Equal(deployments.ShortNames, []string{"deploy"}) || !slices.Equal(deployments.Categories, []string{"all"}) ||
		!deployments.HasVerb("deletecollection") || deployments.HasVerb("proxy") || deployments.APIVersion() != "apps/v1" {
		t.Fatalf("deployments: %+v", deployments)
	}
	if s := deployments.Subresource("scale"); s == nil || s.Kind.String() != "autoscaling/v1, Kind=Scale" {
		t.Errorf("scale: %+v", s)
	}
	if Of(&appsv1.Deployment{}) != deployments || ByGVK(deployments.GroupVersionKind()) != deployments || ByGVR(deployments.GroupVersionResource()) != deployments {
		t.Error("lookups differ")
	}
	if r := ByResource("autoscaling", "horizontalpodautoscalers"); r.Version != "v2" {
		t.Errorf("the preferred version is %s", r.Version)
	}
	if r := Of(&corev1.Event{}); r.Group != "" {
		t.Errorf("core events are of %q", r.Group)
	}
	if Of(new(metav1.Unstructured)) != nil {
		t.Error("unstructured objects have no resource")
	}
	if g := Groups(); g[0].Name != "" || g[1].Name != "apiregistration.k8s.io" || g[2].Name != "apps" {
		t.Errorf("groups: %v", g)
	}
	for _, r := range Resources() {
		if Of(r.New()) != r {
			t.Errorf("%s: its objects are of %v", r.GroupResource(), Of(r.New()))
		}
	}
}

// Two lists: a typed one, whose items do not say their kind, and a v1 List of mixed kinds.
func TestLists(t *testing.T) {
	for _, text := range []string{
		`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"},"spec":{"containers":null},"status":{}}]}`,
		`{"kind":"List","apiVersion":"v1","metadata":{},"items":[{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"containers":null},"status":{}},{"apiVersion":"example.com/v1","kind":"Bonsai","metadata":{"name":"b"},"spec":{"height":3}}]}`,
		`{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}`,
	} {
		tree, _ := metav1.DecodeTree([]byte(text))
		var l metav1.List
		if err := FromTree(tree.(map[string]any), &l); err != nil {
			t.Fatal(err)
		}
		if got := mustJSON(t, &l); got != text {
			t.Errorf("got %s\nwant %s", got, text)
		}
		if back, err := ToTree(&l); err != nil || !reflect.DeepEqual(any(back), tree) {
			t.Errorf("tree %v\nwant %v, %v", back, tree, err)
		}
	}
}

// The wording of sigs.k8s.io/json, which the server uses; the first is from a recorded transcript.
func TestTypeErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"apiVersion":"v1","kind":"Pod","spec":{"containers":"nginx"}}`, "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container"},
		{`{"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicas":"three"}}`, "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"},
		{`{"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicas":1.5}}`, "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"},
		{`{"apiVersion":"v1","kind":"ConfigMap","data":{"a":1}}`, "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"},
		{`{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"env":[{"name":"A","value":true}]}]}}`, "json: cannot unmarshal bool into Go struct field EnvVar.spec.containers.env.value of type string"},
		{`{"apiVersion":"v1","kind":"Pod","spec":{"volumes":[{"emptyDir":[]}]}}`, "json: cannot unmarshal array into Go struct field Volume.spec.volumes.VolumeSource.emptyDir of type v1.EmptyDirVolumeSource"},
		{`{"apiVersion":"v1","kind":"Service","spec":{"ports":[{"targetPort":1.5}]}}`, "json: cannot unmarshal number 1.5 into Go struct field ServicePort.spec.ports.targetPort of type int32"},
		{`{"apiVersion":"v1","kind":"Secret","data":{"a":"%"}}`, "illegal base64 data at input byte 0"},
		{`{"apiVersion":"v1","kind":"Pod","metadata":{"creationTimestamp":"x"}}`, `parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"`},
		{`{"apiVersion":"v1","kind":"Pod","metadata":"x"}`, "json: cannot unmarshal string into Go struct field Pod.metadata of type v1.ObjectMeta"},
	} {
		tree, _ := metav1.DecodeTree([]byte(c.in))
		_, err := Decode(tree.(map[string]any))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s\n got %v\nwant %s", c.in, err, c.want)
		}
	}
}

func pod(t testing.TB) *corev1.Pod {
	var best *corev1.Pod
	size := 0
	for _, tree := range objects(t) {
		obj, _ := Decode(tree)
		if p, ok := obj.(*corev1.Pod); ok {
			if n := len(mustJSON(t, p)); n > size {
				best, size = p, n
			}
		}
	}
	return best
}

// A deep copy is equal, and no change to it, anywhere, reaches the original.
func TestDeepCopy(t *testing.T) {
	for _, tree := range objects(t) {
		obj, _ := Decode(tree)
		c := DeepCopy(obj)
		if !reflect.DeepEqual(obj, c) {
			t.Fatalf("the copy of %s differs", mustJSON(t, obj))
		}
		noAliases(t, reflect.ValueOf(obj), reflect.ValueOf(c), reflect.TypeOf(obj).String())
		u := new(metav1.Unstructured)
		_ = FromTree(tree, u)
		if c := DeepCopy(u); !reflect.DeepEqual(u, c) {
			t.Fatal("the copy of an unstructured object differs")
		} else {
			noAliases(t, reflect.ValueOf(u), reflect.ValueOf(c), "unstructured")
		}
	}
	var none *corev1.Pod
	if DeepCopy(none) != nil || DeepCopy(3) != 3 || DeepCopy(metav1.Object(nil)) != nil {
		t.Error("copies of nothing")
	}
	empty := &corev1.ConfigMap{Data: map[string]string{}}
	if c := DeepCopy(empty); c.Data == nil || c.BinaryData != nil {
		t.Error("nil and empty maps are two things")
	}
}

func noAliases(t *testing.T, a, b reflect.Value, path string) {
	switch a.Kind() {
	case reflect.Pointer:
		if !a.IsNil() && a.Type().Elem().Size() > 0 && a.Type().String() != "*time.Location" {
			if a.Pointer() == b.Pointer() {
				t.Errorf("%s is shared", path)
			}
			noAliases(t, a.Elem(), b.Elem(), path)
		}
	case reflect.Map:
		if !a.IsNil() && a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", path)
		}
		for _, k := range a.MapKeys() {
			noAliases(t, a.MapIndex(k), b.MapIndex(k), path+"."+k.String())
		}
	case reflect.Slice:
		if a.Cap() > 0 && a.Pointer() == b.Pointer() && a.Type().Elem().Size() > 0 {
			t.Errorf("%s is shared", path)
		}
		for i := range a.Len() {
			noAliases(t, a.Index(i), b.Index(i), path+"[]")
		}
	case reflect.Struct:
		for i := range a.NumField() {
			noAliases(t, a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name)
		}
	case reflect.Interface:
		if !a.IsNil() {
			noAliases(t, a.Elem(), b.Elem(), path)
		}
	}
}

func TestShallowCopy(t *testing.T) {
	p := pod(t)
	c := ShallowCopy(p).(*corev1.Pod)
	c.Name = "other"
	if p.Name == "other" || &c.Spec.Containers[0] != &p.Spec.Containers[0] {
		t.Error("a shallow copy has its own fields and shares what they point to")
	}
}

// What is generated is what the generator makes now: recursive types, unions with methods, raw JSON.
func TestCustomResourceDefinition(t *testing.T) {
	const text = `{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","metadata":{"name":"bonsais.example.com"},"spec":{"group":"example.com","names":{"plural":"bonsais","kind":"Bonsai"},"scope":"Namespaced","versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","properties":{"height":{"type":"integer","default":3},"tags":{"type":"object","additionalProperties":{"type":"string"}},"any":{"type":"object","additionalProperties":true},"list":{"type":"array","items":{"type":"string"}}}}}}}}]},"status":{"conditions":null,"acceptedNames":{"plural":"","kind":""},"storedVersions":null}}`
	tree, err := metav1.DecodeTree([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	obj, err := Decode(tree.(map[string]any))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ToTree(obj)
	if err != nil || !reflect.DeepEqual(any(got), tree) {
		t.Errorf("got %s\nwant %s, %v", mustJSON(t, got), text, err)
	}
	var viaJSON, want bytes.Buffer
	_ = json.Indent(&viaJSON, []byte(mustJSON(t, DeepCopy(obj))), "", " ")
	_ = json.Indent(&want, []byte(mustJSON(t, obj)), "", " ")
	if viaJSON.String() != want.String() {
		t.Errorf("the copy is\n%s\nnot\n%s", &viaJSON, &want)
	}
}

func BenchmarkPod(b *testing.B) {
	p := pod(b)
	tree, _ := ToTree(p)
	data := []byte(mustJSON(b, p))
	b.Logf("a pod of %d bytes", len(data))
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
	run("DeepCopy", func() { DeepCopy(p) })
	run("ShallowCopy", func() { ShallowCopy(p) })
	run("ToTree", func() { _, _ = ToTree(p) })
	run("FromTree", func() { _ = FromTree(tree, new(corev1.Pod)) })
	run("JSONMarshal", func() { _, _ = json.Marshal(p) })
	run("JSONUnmarshal", func() { _ = json.Unmarshal(data, new(corev1.Pod)) })
	run("DecodeTree", func() { _, _ = metav1.DecodeTree(data) })
}
