package apiserver_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestDiscovery compares with the documents of a real v1.36.2 server.
func TestDiscovery(t *testing.T) {
	s := newServer(t)
	const aggregated = "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
	for _, c := range []struct{ line, header, file string }{
		{"GET /api", aggregated, "aggregated-api.json"},
		{"GET /apis", aggregated, "aggregated-apis.json"},
		{"GET /apis", "Accept: application/json", "apis.json"},
		{"GET /api", "Accept: application/json", "api.json"},
	} {
		data, err := os.ReadFile("testdata/discovery/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		_, body := do(t, s, c.line, "", c.header)
		var got, want any
		if json.Unmarshal([]byte(body), &got) != nil || json.Unmarshal(data, &want) != nil {
			t.Fatal(body)
		}
		if !reflect.DeepEqual(got, want) {
			x, _ := json.MarshalIndent(got, "", " ")
			y, _ := json.MarshalIndent(want, "", " ")
			a, b := strings.Split(string(x), "\n"), strings.Split(string(y), "\n")
			for i := range a {
				if i >= len(b) || a[i] != b[i] {
					t.Errorf("%s differs from line %d:\n got %s\nwant %s", c.file, i, strings.Join(a[i:min(i+5, len(a))], "\n"), strings.Join(b[i:min(i+5, len(b))], "\n"))
					break
				}
			}
		}
	}
	// sim/testdata/transcripts/api/transcript, steps 5 and 6.
	if _, body := do(t, s, "GET /apis/apps/v1", ""); !strings.HasPrefix(body, `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"apps/v1","resources":[{"name":"controllerrevisions","singularName":"controllerrevision","namespaced":true,"kind":"ControllerRevision","verbs":["create","delete","deletecollection","get","list","patch","update","watch"],"storageVersionHash":"85nkx63pcBU="}`) {
		t.Errorf("%.400s", body)
	}
	if _, body := do(t, s, "GET /api/v1", ""); !strings.HasPrefix(body, `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"bindings","singularName":"binding","namespaced":true,"kind":"Binding","verbs":["create"]},{"name":"componentstatuses","singularName":"componentstatus","namespaced":false,"kind":"ComponentStatus","verbs":["get","list"],"shortNames":["cs"]}`) {
		t.Errorf("%.400s", body)
	}
}

func TestOpenAPI(t *testing.T) {
	s := newServer(t)
	for _, path := range []string{"/openapi/v3", "/openapi/v2", "/openapi/v3/apis/apps/v1"} {
		code, body := do(t, s, "GET "+path, "")
		var doc map[string]any
		if err := json.Unmarshal([]byte(body), &doc); code != 200 || err != nil {
			t.Fatalf("%s: %d %v %.200s", path, code, err, body)
		}
		// Every reference leads somewhere.
		for _, part := range strings.Split(body, `"$ref":"#/`)[1:] {
			ref, _, _ := strings.Cut(part, `"`)
			var at any = doc
			for _, key := range strings.SplitN(ref, "/", strings.Count(ref, "/")+1) {
				m, _ := at.(map[string]any)
				at = m[key]
			}
			if at == nil {
				t.Errorf("%s: nothing at %s", path, ref)
			}
		}
	}
	_, body := do(t, s, "GET /openapi/v3/apis/apps/v1", "")
	var doc struct {
		Paths      map[string]map[string]struct{ Parameters []struct{ Name string } }
		Components struct{ Schemas map[string]map[string]any }
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	if p := doc.Paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]; len(p.Parameters) != 4 || p.Parameters[2].Name != "fieldValidation" {
		t.Errorf("%+v", p)
	}
	// The schemas are those that the real server published.
	data, err := os.ReadFile("../../scripts/gen/openapi/apis_apps_v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Components struct{ Schemas map[string]map[string]any }
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	inOrder := func(m map[string]any) {
		if r, ok := m["required"].([]any); ok {
			slices.SortFunc(r, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
	}
	for name, w := range want.Components.Schemas {
		got := doc.Components.Schemas[name]
		if got == nil {
			continue // not reachable from a kind that is served
		}
		inOrder(got)
		inOrder(w)
		// DeleteOptions is of every group; one document names its own.
		if delete(got, "x-kubernetes-group-version-kind"); !reflect.DeepEqual(got, without(w, "x-kubernetes-group-version-kind")) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, w)
		}
	}
}

func without(m map[string]any, key string) map[string]any {
	m = maps.Clone(m)
	delete(m, key)
	return m
}
