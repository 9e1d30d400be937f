package apiserver_test

import (
	"strings"
	"testing"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

const apply = "Content-Type: application/apply-patch+yaml"

// TestApply follows sim/testdata/transcripts/api/transcript, steps 16 and 17, and the
// life of a field under two managers.
func TestApply(t *testing.T) {
	s := newServer(t)
	run := func(line, body string, h ...string) (int, string) { return do(t, s, line, body, h...) }
	follow(t, s, run, []step{
		{"PATCH " + cms + "/ssa?fieldManager=me", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ssa"},"data":{"x":"1","y":"1"}}`, apply, 201,
			`"managedFields":[{"manager":"me","operation":"Apply","apiVersion":"v1","time":"2026-11-22T02:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:x":{},"f:y":{}}}}]`},
		{"PATCH " + cms + "/ssa?fieldManager=other", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ssa"},"data":{"x":"2"}}`, apply, 409,
			`"message":"Apply failed with 1 conflict: conflict with \"me\": .data.x","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"me\"","field":".data.x"}]},"code":409}`},
		{"PATCH " + cms + "/ssa?fieldManager=other", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ssa"},"data":{"x":"1"}}`, apply, 200,
			`"fieldsV1":{"f:data":{"f:x":{}}}}]`},
		{"PATCH " + cms + "/ssa?fieldManager=me", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ssa"},"data":{}}`, apply, 200, `"data":{"x":"1"}`},
		{"PATCH " + cms + "/ssa?fieldManager=third&force=true", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ssa"},"data":{"x":"3"}}`, apply, 200, `"data":{"x":"3"}`},
		{"GET " + cms + "/ssa", ``, "", 200, `"manager":"third"`},
		{"PATCH " + deploys + "/typo?fieldManager=me", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"typo"},"spec":{"replica":1}}`, apply, 500,
			`failed to create typed patch object (default/typo; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema`},
		{"PATCH " + deploys + "/d?fieldManager=me", deployment, apply, 201, `"manager":"me"`},
		{"PATCH " + deploys + "/d?fieldManager=me", strings.Replace(deployment, `"replicas":1,`, ``, 1), apply, 200, `"replicas":1`},
	})
}

// TestUpdateManagers follows sim/testdata/transcripts/api/transcript, steps 11 and 15,
// and step 60 of sim/testdata/transcripts/output-formats.
func TestUpdateManagers(t *testing.T) {
	s := newServer(t)
	run := func(line, body string, h ...string) (int, string) { return do(t, s, line, body, h...) }
	follow(t, s, run, []step{
		{"POST " + cms, `{"metadata":{"name":"fixed"},"data":{"a":"1"}}`, "User-Agent: curl/8", 201,
			`"managedFields": [
      {
        "manager": "curl",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-11-22T02:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
          "f:data": {
            ".": {},
            "f:a": {}
          }
        }
      }
    ]`},
		{"PATCH " + cms + "/fixed?fieldManager=curl", `{"data":{"b":"3"}}`, "", 200, `"fieldsV1":{"f:data":{".":{},"f:a":{},"f:b":{}}}}]`},
		{"PATCH " + cms + "/fixed?fieldManager=kubectl-annotate", `{"metadata":{"annotations":{"note":"x"}}}`, "", 200,
			`"manager":"kubectl-annotate","operation":"Update","apiVersion":"v1","time":"2026-11-22T02:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:annotations":{".":{},"f:note":{}}}}}`},
		{"PATCH " + cms + "/fixed?fieldManager=kubectl", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"fixed","annotations":{"note":"first"}}}`, apply, 409,
			`Apply failed with 1 conflict: conflict with \"kubectl-annotate\" using v1: .metadata.annotations.note`},
		{"POST " + deploys + "?fieldManager=kubectl-create", deployment, "", 201,
			`"fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:progressDeadlineSeconds":{},"f:replicas":{},"f:revisionHistoryLimit":{},"f:selector":{},"f:strategy":{"f:rollingUpdate":{".":{},"f:maxSurge":{},"f:maxUnavailable":{}},"f:type":{}},"f:template":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"nginx\"}":{".":{},"f:image":{},"f:imagePullPolicy":{},"f:name":{},"f:resources":{},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{}}},"f:dnsPolicy":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:terminationGracePeriodSeconds":{}}}}}`},
		{"PATCH " + deploys + "/d/scale", `{"spec":{"replicas":3}}`, "User-Agent: curl/8", 200, ``},
		{"GET " + deploys + "/d", ``, "", 200, `{"manager":"curl","operation":"Update","apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:replicas":{}}},"subresource":"scale"}`},
	})
}

// TestLastApplied follows step 61 of sim/testdata/transcripts/output-formats: kubectl's
// server-side apply keeps the annotation of its client-side apply in step, where
// there is one; that of others does not.
func TestLastApplied(t *testing.T) {
	const note = "kubectl.kubernetes.io/last-applied-configuration"
	s := newServer(t)
	run := func(line, body string, h ...string) (int, string) { return do(t, s, line, body, h...) }
	follow(t, s, run, []step{
		{"POST " + cms, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"la","annotations":{"` + note + `":"{}"}},"data":{"x":"1"}}`, "", 201, ``},
		{"PATCH " + cms + "/la?fieldManager=me", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"la"},"data":{"y":"1"}}`, apply, 200, `"annotations":{"` + note + `":"{}"}`},
		{"PATCH " + cms + "/la?fieldManager=kubectl", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"la"},"data":{"z":"1"}}`, apply, 200,
			`"` + note + `":"{\"apiVersion\":\"v1\",\"data\":{\"z\":\"1\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"la\"}}\n"`},
		{"PATCH " + cms + "/none?fieldManager=kubectl", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"none"},"data":{"z":"1"}}`, apply, 201, `"name":"none","namespace"`},
	})
}

func TestView(t *testing.T) {
	s := newServer(t)
	do(t, s, "POST "+cms, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"v"},"data":{"x":"stored"}}`)
	s.SetView("configmaps", func(o metav1.Object) metav1.Object {
		c := *o.(*corev1.ConfigMap)
		c.Data = map[string]string{"x": "seen"}
		return &c
	})
	for line, want := range map[string]string{
		"GET " + cms + "/v": `"x":"seen"`,
		"GET " + cms:        `"x":"seen"`,
		"GET " + cms + "?watch=true&fieldSelector=metadata.name=v": `"x":"stored"`,
		"PATCH " + cms + "/v": `"x":"stored"`,
	} {
		body := ""
		if strings.HasPrefix(line, "PATCH") {
			body = "{}"
		}
		if _, got := do(t, s, line, body); !strings.Contains(got, want) {
			t.Errorf("%s: no %s in %s", line, want, got)
		}
	}
}
