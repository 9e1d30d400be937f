package apiserver_test

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	pods    = "/api/v1/namespaces/default/pods"
	deploys = "/apis/apps/v1/namespaces/default/deployments"
)

const deployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","labels":{"app":"d"}},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"d"}},"template":{"metadata":{"labels":{"app":"d"}},"spec":{"containers":[{"name":"nginx","image":"nginx:1.27"}]}}}}`

// oracle is a file of the recorded scenarios, as JSON.
func oracle(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Skip(err)
	}
	out, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestErrors are the errors of sim/testdata/transcripts/errors that the server words.
func TestErrors(t *testing.T) {
	s := newServer(t)
	steps := []struct {
		name, line, body string
		headers          []string
		code             int
		want             string // the whole message; a leading … allows anything before
	}{
		{"38", "POST /apis/apps/v1/namespaces/default/replicasets", oracle(t, "bad-selector.yaml"), nil, 422,
			"ReplicaSet.apps \"mismatch\" is invalid: spec.template.metadata.labels: Invalid value: {\"app\":\"b\"}: `selector` does not match template `labels`"},
		{"39", "POST " + deploys + "?fieldValidation=Strict", oracle(t, "unknown-field.yaml"), nil, 400,
			`Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replica", unknown field "spec.template.spec.containers[0].imagePullPolice"`},
		{"45", "POST " + pods, oracle(t, "wrong-type.yaml"), nil, 400,
			`Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container`},
		{"46", "POST /api/v1/namespaces/default/services", oracle(t, "bad-nodeport.yaml"), nil, 422,
			`Service "np" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767`},
		{"time zone that is none", "POST /apis/batch/v1/namespaces/default/cronjobs", `{"metadata":{"name":"c"},"spec":{"schedule":"@daily","timeZone":"Asia/Tokio","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"busybox"}]}}}}}}`, nil, 422,
			`CronJob.batch "c" is invalid: spec.timeZone: Invalid value: "Asia/Tokio": unknown time zone Asia/Tokio`},
		{"47", "POST " + deploys, deployment, nil, 201, ""},
		{"49", "PATCH " + deploys + "/d", `{"spec":{"selector":{"matchLabels":{"x":"y"}}}}`, []string{"Content-Type: application/strategic-merge-patch+json"}, 422,
			"Deployment.apps \"d\" is invalid: [spec.template.metadata.labels: Invalid value: {\"app\":\"d\"}: `selector` does not match template `labels`, spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"d\",\"x\":\"y\"}}: field is immutable]"},
		{"50", "PATCH " + deploys + "/d", `[{"op":"remove","path":"/spec/nope"}]`, []string{"Content-Type: application/json-patch+json"}, 422,
			"the server rejected our request due to an error in our request"},
		{"51", "PATCH " + deploys + "/d", `"not json"`, []string{"Content-Type: application/strategic-merge-patch+json"}, 400,
			"json: cannot unmarshal string into Go value of type map[string]interface {}"},
		{"53a", "POST /api/v1/namespaces", `{"metadata":{"name":"dev"}}`, nil, 201, ""},
		{"53b", "POST /api/v1/namespaces", `{"metadata":{"name":"dev"}}`, nil, 409, `namespaces "dev" already exists`},
		{"56", "DELETE /api/v1/namespaces/kube-system", ``, nil, 403, `namespaces "kube-system" is forbidden: this namespace may not be deleted`},
		{"namespace missing", "POST /api/v1/namespaces/nowhere/configmaps", `{"metadata":{"name":"x"}}`, nil, 404, `namespaces "nowhere" not found`},
		{"namespace mismatch", "POST " + cms, `{"metadata":{"name":"x","namespace":"other"}}`, nil, 400, `the namespace of the provided object does not match the namespace sent on the request`},
		{"name mismatch", "PUT " + deploys + "/e", deployment, nil, 400, `the name of the object (d) does not match the name on the URL (e)`},
		{"kind", "POST " + cms, `{"apiVersion":"v1","kind":"Pod"}`, nil, 400, `Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion`},
		{"version", "POST " + deploys, `{"apiVersion":"apps/v2","kind":"Deployment"}`, nil, 400,
			`Deployment in version "v2" cannot be handled as a Deployment: no kind "Deployment" is registered for version "apps/v2" in scheme "pkg/api/legacyscheme/scheme.go:30"`},
		{"other version", "POST /apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", `{"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler"}`, nil, 400,
			`the API version in the data (autoscaling/v1) does not match the expected API version (autoscaling/v2)`},
		{"patch type", "PATCH " + deploys + "/d", `{"spec":{"replicas":"x"}}`, []string{"Content-Type: application/strategic-merge-patch+json"}, 422,
			` "" is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": unrecognized type: int32`},
		{"patch unknown", "PATCH " + deploys + "/d?fieldValidation=Strict", `{"spec":{"replica":1}}`, []string{"Content-Type: application/strategic-merge-patch+json"}, 422,
			` "" is invalid: patch: Invalid value: "map[spec:map[replica:1]]": strict decoding error: unknown field "spec.replica"`},
		{"media", "PATCH " + deploys + "/d", `{}`, []string{"Content-Type: application/json"}, 415,
			`the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml`},
		{"dry run", "POST " + cms + "?dryRun=x", `{}`, nil, 422, `CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["x"]: supported values: "All"`},
		{"too large", "POST " + cms, strings.Repeat(" ", 3<<20+1), nil, 413, `Request entity too large: limit is 3145728`},
		{"apply manager", "PATCH " + cms + "/x", `{}`, []string{"Content-Type: application/apply-patch+yaml"}, 422, `PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch`},
		{"continue", "GET " + cms + "?continue=zzz", ``, nil, 400, `…continue key is not valid: `},
		{"future", "GET " + cms + "?resourceVersion=99999", ``, nil, 504, `…Timeout: Too large resource version: 99999, current: `},
		{"scale", "PUT " + deploys + "/d/scale", `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"d"},"spec":{"replicas":-1}}`, nil, 422,
			`Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0`},
		{"exec", "POST " + pods + "/nope/exec?command=ls", ``, nil, 404, `pods "nope" not found`},
		{"duplicate", "POST " + cms + "?fieldValidation=Strict", `{"metadata":{"name":"x"},"data":{"a":"1","a":"2"}}`, nil, 400,
			`ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data.a"`},
		{"rules", "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews", `{"spec":{"namespace":"default"}}`, nil, 201, ``},
		{"precondition", "DELETE " + deploys + "/d", `{"preconditions":{"uid":"x"}}`, nil, 409, `…the UID in the precondition (x) does not match the UID in record (`},
		{"policy", "DELETE " + deploys + "/d?propagationPolicy=X", ``, nil, 422, `…propagationPolicy: Unsupported value: "X": supported values: "Foreground", "Background", "Orphan", "nil"`},
	}
	for _, step := range steps {
		code, body := do(t, s, step.line, step.body, step.headers...)
		got := message(body)
		ok := got == step.want
		if rest, found := strings.CutPrefix(step.want, "…"); found {
			ok = strings.Contains(got, rest)
		}
		if code != step.code || !ok {
			t.Errorf("%s: %s:\n got %d %s\nwant %d %s\nbody %.300s", step.name, step.line, code, got, step.code, step.want, body)
		}
	}
}

// TestPodErrors is step 41 of sim/testdata/transcripts/errors.
func TestPodErrors(t *testing.T) {
	s := newServer(t)
	_, body := do(t, s, "POST "+pods, oracle(t, "invalid.yaml"))
	got := message(body)
	for _, part := range []string{
		`metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of`,
		`spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive`,
		`spec.containers[0].resources.requests: Invalid value: "200m": must be less than or equal to cpu limit of 100m`,
		`spec.containers[1].name: Duplicate value: "main"`,
		`spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"`,
	} {
		if !strings.Contains(got, part) {
			t.Errorf("%s is not in\n%s", part, got)
		}
	}
}

// TestWarnings is step 40 of sim/testdata/transcripts/errors.
func TestWarnings(t *testing.T) {
	s := newServer(t)
	resp := s.Serve(request("POST "+deploys+"?dryRun=All&fieldValidation=Warn", oracle(t, "unknown-field.yaml")))
	want := []string{`unknown field "spec.replica"`, `unknown field "spec.template.spec.containers[0].imagePullPolice"`}
	if resp.Code != 201 || strings.Join(resp.Warnings, "|") != strings.Join(want, "|") {
		t.Errorf("%d %q", resp.Code, resp.Warnings)
	}
	if code, _ := do(t, s, "GET "+deploys+"/typo", ""); code != 404 {
		t.Errorf("a dry run was stored: %d", code)
	}
}
