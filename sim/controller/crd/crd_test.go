package crd

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	apiextensionsv1 "github.com/kubonsai/kubonsai/sim/api/apiextensions/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/client"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
	"github.com/kubonsai/kubonsai/sim/rest"
)

const manifest = `
metadata: {name: bonsais.example.com}
spec:
  group: example.com
  names: {kind: Bonsai, plural: bonsais, shortNames: [bn]}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.branches, statusReplicasPath: .status.branches}}
    additionalPrinterColumns:
    - {name: Branches, type: integer, jsonPath: .spec.branches}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [species]
            properties:
              species: {type: string, enum: [pine, maple]}
              branches: {type: integer, minimum: 1, maximum: 9, default: 3}
              port: {x-kubernetes-int-or-string: true}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}}}
            x-kubernetes-validations:
            - {rule: "self.branches >= oldSelf.branches", message: "branches do not grow back"}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

const path = "/apis/example.com/v1/namespaces/default/bonsais"

func setUp(t *testing.T) (*ct.Cluster, func(method, path, body string) string) {
	c := ct.New(t)
	New(c.Client, c.Factory, c.Server.(*apiserver.Server))
	ct.Apply[*definition](c, manifest)
	c.Run(time.Second)
	return c, func(method, path, body string) string {
		data, err := yaml.YAMLToJSON([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		req := &rest.Request{Method: method, Path: path, Header: rest.Header{"Content-Type": "application/json"}}
		if method == "PATCH" {
			req.Header["Content-Type"] = client.MergePatch
		}
		if body != "" {
			req.Body = data
		}
		resp := c.Server.Serve(req)
		_, out, err := apiserver.Encode(req, resp)
		if err != nil {
			t.Fatal(err)
		}
		if st, ok := resp.Object.(*metav1.Status); ok && st.Status == metav1.StatusFailure {
			return st.Message
		}
		return string(out)
	}
}

func TestEstablishes(t *testing.T) {
	c, do := setUp(t)
	crd := ct.Get[*definition](c, "", "bonsais.example.com")
	if len(crd.Status.Conditions) != 2 || crd.Status.Conditions[0].Type != apiextensionsv1.NamesAccepted || crd.Status.Conditions[1].Reason != "InitialNamesAccepted" ||
		crd.Status.AcceptedNames.ListKind != "BonsaiList" || !slices.Equal(crd.Status.StoredVersions, []string{"v1"}) {
		t.Errorf("%+v", crd.Status)
	}
	head := "apiVersion: example.com/v1\nkind: Bonsai\nmetadata: {name: old}\n"
	for _, step := range []struct{ method, path, body, want string }{
		{"POST", path, head + "spec: {species: pine, colour: red}", `"spec":{"branches":3,"species":"pine"}`},
		{"PATCH", path + "/old", "spec: {branches: 5}", `"generation":2`},
		{"PATCH", path + "/old", "spec: {branches: 4}", `Bonsai.example.com "old" is invalid: spec: Invalid value: branches do not grow back`},
		{"PATCH", path + "/old", "spec: {branches: 12}", `spec.branches: Invalid value: 12: spec.branches in body should be less than or equal to 9`},
		{"PATCH", path + "/old", "spec: {branches: many}", `spec.branches: Invalid value: "string": spec.branches in body must be of type integer: "string"`},
		{"PATCH", path + "/old", "spec: {species: oak}", `spec.species: Unsupported value: "oak": supported values: "pine", "maple"`},
		{"PATCH", path + "/old", "spec: {species: null}", `spec.species: Required value`},
		{"PATCH", path + "/old", "spec: {port: true}", `spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"`},
		{"PATCH", path + "/old", "spec: {parts: [{name: a}, {name: a}]}", `spec.parts[1]: Duplicate value: {"name":"a"}`},
		{"PATCH", path + "/old/status", "status: {branches: 5, any: [1]}", `"status":{"any":[1],"branches":5}`},
		{"GET", path + "/old/scale", "", `"spec":{"replicas":5},"status":{"replicas":5}`},
		{"PATCH", path + "/old/scale", "spec: {replicas: 7}", `"replicas":7`},
		{"GET", path + "/old", "", `"branches":7`},
	} {
		if got := do(step.method, step.path, step.body); !strings.Contains(got, step.want) {
			t.Errorf("%s %s %s: %s, want %s", step.method, step.path, step.body, got, step.want)
		}
	}
}

// A server that starts over a store with definitions serves them at once.
func TestReload(t *testing.T) {
	c, do := setUp(t)
	do("POST", path, "apiVersion: example.com/v1\nkind: Bonsai\nmetadata: {name: old}\nspec: {species: pine}")
	again := apiserver.New(apiserver.Options{Store: c.Store, Clock: c.Clock, Seed: c.Seed})
	again.Reload()
	cl := client.New(again, "test")
	New(cl, client.NewFactory(cl, c.Clock), again)
	if resp := again.Serve(&rest.Request{Method: "GET", Path: path + "/old"}); resp.Code != 200 {
		t.Errorf("%d %s", resp.Code, resp.Body)
	}
}

func TestDeletion(t *testing.T) {
	c, do := setUp(t)
	do("POST", path, "apiVersion: example.com/v1\nkind: Bonsai\nmetadata: {name: old, finalizers: [example.com/wait]}\nspec: {species: pine}")
	if err := client.Delete[*definition](c.Client, "", "bonsais.example.com", client.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Run(time.Second)
	crd := ct.Get[*definition](c, "", "bonsais.example.com")
	if s := condition(crd, apiextensionsv1.Terminating); s != apiextensionsv1.ConditionTrue {
		t.Errorf("%+v", crd.Status.Conditions)
	}
	do("PATCH", path+"/old", "metadata: {finalizers: null}")
	c.Run(10 * time.Second)
	if _, err := client.Get[*definition](c.Client, "", "bonsais.example.com"); err == nil {
		t.Error("the definition is still there")
	}
	if resp := c.Server.Serve(&rest.Request{Method: "GET", Path: path}); resp.Code != 404 {
		t.Errorf("%d", resp.Code)
	}
}

func TestRefusedDefinitions(t *testing.T) {
	c := ct.New(t)
	for edit, want := range map[string]string{
		"name: bonsais.example.com=name: other.example.com":                    `metadata.name: Invalid value: "other.example.com": must be spec.names.plural+"."+spec.group`,
		"storage: true=storage: false":                                         "must have exactly one version marked as storage version",
		"species: {type: string, enum: [pine, maple]}=species: {enum: [pine]}": "spec.validation.openAPIV3Schema.properties[spec].properties[species].type: Required value: must not be empty for specified object fields",
		"self.branches >= oldSelf.branches=self.branches >":                    "compilation failed: ERROR: <input>:1:16: Syntax error",
		"default: 3=default: 30":                                               "properties[branches].default: Invalid value: 30",
		"scope: Namespaced=scope: Everywhere":                                  `spec.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"`,
		"specReplicasPath: .spec.branches=specReplicasPath: .status.branches":  "should be a json path under .spec",
	} {
		from, to, _ := strings.Cut(edit, "=")
		if strings.HasPrefix(edit, "self.branches") {
			from, to = "self.branches >= oldSelf.branches", "self.branches >"
		}
		text := strings.Replace(manifest, from, to, 1)
		if text == manifest {
			t.Fatalf("%s does not occur", from)
		}
		_, err := client.Create(c.Client, ct.Parse[*definition](c, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", edit, err, want)
		}
	}
}
