package apiserver_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/admission"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
)

var start = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

// newServer is a bootstrapped server whose panics fail the test.
func newServer(t testing.TB) *apiserver.Server {
	t.Helper()
	s := apiserver.New(apiserver.Options{Store: store.New(), Clock: clock.New(start), Seed: seed.New(1), Admission: admission.Default(), OnPanic: func(r any, stack []byte) {
		t.Errorf("panic: %v\n%s", r, stack)
	}})
	if err := s.Bootstrap("172.18.0.2"); err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"default", "kube-system"} {
		s.Serve(&rest.Request{Method: "POST", Path: "/api/v1/namespaces/" + ns + "/serviceaccounts",
			Object: &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}})
	}
	return s
}

// call sends METHOD PATH?QUERY with a JSON (or other) body and returns the
// answer as a client outside would read it.
func do(t testing.TB, s *apiserver.Server, line, body string, headers ...string) (int, string) {
	t.Helper()
	req := request(line, body, headers...)
	resp := s.Serve(req)
	if resp.Watch != nil {
		return resp.Code, events(t, resp.Watch)
	}
	_, data, err := apiserver.Encode(req, resp)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Code, strings.TrimSuffix(string(data), "\n")
}

func request(line, body string, headers ...string) *rest.Request {
	method, target, _ := strings.Cut(line, " ")
	path, query, _ := strings.Cut(target, "?")
	q, _ := url.ParseQuery(query)
	req := &rest.Request{Method: method, Path: path, Query: q, Body: []byte(body), Header: rest.Header{"User-Agent": "test/1"}}
	if method == "PATCH" {
		req.Header["Content-Type"] = "application/merge-patch+json"
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		req.Header[k] = v
	}
	return req
}

// events drains a watch.
func events(t testing.TB, w rest.Watch) string {
	t.Helper()
	var b strings.Builder
	for {
		e, ok := w.Next()
		if !ok {
			return strings.TrimSuffix(b.String(), "\n")
		}
		line, err := apiserver.EncodeWatchEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
	}
}

func message(body string) string {
	var s metav1.Status
	_ = json.Unmarshal([]byte(body), &s)
	return s.Message
}

const cms = "/api/v1/namespaces/default/configmaps"

// TestConfigMapLife follows sim/testdata/transcripts/api/transcript, steps 10–21.
func TestConfigMapLife(t *testing.T) {
	s := newServer(t)
	for _, step := range []struct {
		line, body string
		code       int
		want       string // a part of the body
		header     string
	}{
		{"POST " + cms, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"made-"},"data":{"a":"1"}}`, 201, `"name":"made-`, ""},
		{"POST " + cms, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"fixed"},"data":{"a":"1"}}`, 201, `"name":"fixed","namespace":"default","uid":"`, ""},
		{"POST " + cms, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"fixed"}}`, 409, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"configmaps \"fixed\" already exists","reason":"AlreadyExists","details":{"name":"fixed","kind":"configmaps"},"code":409}`, ""},
		{"POST " + cms, `{"kind":"Pod"`, 400, `"message":"the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input ({\"kind\":\"Pod\")"`, ""},
		{"PUT " + cms + "/fixed", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"fixed","resourceVersion":"1"},"data":{"a":"2"}}`, 409, `Operation cannot be fulfilled on configmaps \"fixed\": the object has been modified; please apply your changes to the latest version and try again`, ""},
		{"PUT " + cms + "/fixed", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"fixed"},"data":{"a":"2"}}`, 200, `"data":{"a":"2"}`, ""},
		{"GET " + cms + "/nope", ``, 404, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"configmaps \"nope\" not found","reason":"NotFound","details":{"name":"nope","kind":"configmaps"},"code":404}`, ""},
		{"GET /api/v1/namespaces/default/nopes", ``, 404, `"message":"the server could not find the requested resource","reason":"NotFound","details":{},"code":404}`, ""},
		{"GET /apis/nope/v1/x", ``, 404, `404 page not found`, ""},
		{"POST " + cms + "/fixed", `{}`, 405, `the server does not allow this method on the requested resource`, ""},
		{"GET " + cms + "?limit=1", ``, 200, `"remainingItemCount":1`, ""},
		{"GET " + cms + "/fixed", ``, 200, `"kind":"Table"`, "Accept: application/json;as=Table;v=v1;g=meta.k8s.io"},
		{"GET " + cms + "/fixed", ``, 406, `only the following media types are accepted`, "Accept: application/vnd.kubernetes.protobuf"},
		{"GET " + cms + "?watch=true&fieldSelector=metadata.name=fixed", ``, 200, `{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"fixed"`, ""},
		{"GET " + cms + "?labelSelector=a%20in%20b", ``, 400, `unable to parse requirement: found 'b' expected: '('`, ""},
		{"GET /api/v1/pods?fieldSelector=foo=bar", ``, 400, `foo`, ""},
		{"DELETE " + cms + "/fixed", ``, 200, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","details":{"name":"fixed","kind":"configmaps","uid":"`, ""},
		{"GET /version", ``, 200, `"gitVersion": "v1.36.2"`, ""},
		{"GET /healthz", ``, 200, `ok`, ""},
		{"POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", `{"spec":{"resourceAttributes":{"verb":"create","resource":"pods"}}}`, 201, `"status":{"allowed":true}`, ""},
	} {
		var headers []string
		if step.header != "" {
			headers = append(headers, step.header)
		}
		code, body := do(t, s, step.line, step.body, headers...)
		if code != step.code || !strings.Contains(body, step.want) {
			t.Errorf("%s: %d %s\n want %d …%s…", step.line, code, body, step.code, step.want)
		}
	}
}

func BenchmarkPodWrites(b *testing.B) {
	s := newServer(b)
	h := rest.Header{"User-Agent": "kubelet/v1.36.2"}
	b.ReportAllocs()
	for b.Loop() {
		resp := s.Serve(&rest.Request{Method: "POST", Path: "/api/v1/namespaces/default/pods", Header: rest.Header{"User-Agent": "kube-controller-manager/v1.36.2"}, Object: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", Labels: map[string]string{"app": "web"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "nginx:1.27", Ports: []corev1.ContainerPort{{ContainerPort: 80}}}}},
		}})
		pod, ok := resp.Object.(*corev1.Pod)
		if !ok {
			b.Fatal(resp.Object)
		}
		for range 5 {
			next := *pod
			next.Status.Conditions = append([]corev1.PodCondition(nil), pod.Status.Conditions...)
			next.Status.Conditions = append(next.Status.Conditions, corev1.PodCondition{Type: "Ready", Status: "True"})
			resp := s.Serve(&rest.Request{Method: "PUT", Path: "/api/v1/namespaces/default/pods/" + pod.Name + "/status", Header: h, Object: &next})
			if pod, ok = resp.Object.(*corev1.Pod); !ok {
				b.Fatal(resp.Object)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/6, "µs/write")
}
