package apiserver_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim/api"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

const pod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"main","image":"nginx:1.27"}]}}`

// step is one request and a part of what it must answer.
type step struct {
	line, body, header string
	code               int
	want               string
}

func follow(t *testing.T, s rest.Handler, do func(line, body string, headers ...string) (int, string), steps []step) {
	t.Helper()
	for i, st := range steps {
		var headers []string
		if st.header != "" {
			headers = append(headers, st.header)
		}
		code, body := do(st.line, st.body, headers...)
		if code != st.code || !strings.Contains(body, st.want) {
			t.Errorf("step %d, %s: got %d %s\nwant %d …%s…", i, st.line, code, body, st.code, st.want)
		}
	}
}

func TestDeletion(t *testing.T) {
	s := newServer(t)
	run := func(line, body string, h ...string) (int, string) { return do(t, s, line, body, h...) }
	const strategic = "Content-Type: application/strategic-merge-patch+json"
	follow(t, s, run, []step{
		// A pod without a node goes at once; one with a node waits for its kubelet.
		{"POST " + pods, pod, "", 201, `"phase":"Pending"`},
		{"DELETE " + pods + "/p", ``, "", 200, `"kind":"Pod"`},
		{"GET " + pods + "/p", ``, "", 404, ``},
		{"POST " + pods, pod, "", 201, ``},
		{"POST " + pods + "/p/binding", `{"metadata":{"name":"p"},"target":{"kind":"Node","name":"n1"}}`, "", 201, `"status":"Success"`},
		{"POST " + pods + "/p/binding", `{"metadata":{"name":"p"},"target":{"kind":"Node","name":"n2"}}`, "", 409,
			`Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n1\"`},
		{"DELETE " + pods + "/p", ``, "", 200, `"deletionGracePeriodSeconds":30`},
		{"DELETE " + pods + "/p", ``, "", 200, `"deletionGracePeriodSeconds":30`},
		{"DELETE " + pods + "/p?gracePeriodSeconds=5", ``, "", 200, `"deletionGracePeriodSeconds":5`},
		{"DELETE " + pods + "/p", `{"gracePeriodSeconds":0}`, "", 200, `"deletionGracePeriodSeconds":0`},
		{"GET " + pods + "/p", ``, "", 404, ``},
		// Finalizers keep the object until the last one is gone.
		{"POST " + cms, `{"metadata":{"name":"f","finalizers":["example.com/a"]}}`, "", 201, ``},
		{"DELETE " + cms + "/f", ``, "", 200, `"deletionTimestamp":"2026-11-22T02:00:00Z","deletionGracePeriodSeconds":0`},
		{"PATCH " + cms + "/f", `{"metadata":{"finalizers":["example.com/a","example.com/b"]}}`, "", 422, `no new finalizers can be added if the object is being deleted`},
		{"PATCH " + cms + "/f", `{"metadata":{"finalizers":null}}`, "", 200, ``},
		{"GET " + cms + "/f", ``, "", 404, ``},
		// Propagation.
		{"POST " + deploys, deployment, "", 201, `"generation":1`},
		{"DELETE " + deploys + "/d?propagationPolicy=Foreground&dryRun=All", ``, "", 200, `"finalizers":["foregroundDeletion"]`},
		{"DELETE " + deploys + "/d", `{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Orphan"}`, "Content-Type: application/json", 200, `"finalizers":["orphan"]`},
		{"PATCH " + deploys + "/d", `{"metadata":{"$deleteFromPrimitiveList/finalizers":["orphan"]}}`, strategic, 200, ``},
		{"GET " + deploys + "/d", ``, "", 404, ``},
		// Namespaces end when their finalizer is gone.
		{"POST /api/v1/namespaces", `{"metadata":{"name":"dev"}}`, "", 201, `"finalizers":["kubernetes"]`},
		{"DELETE /api/v1/namespaces/dev", ``, "", 200, `"phase":"Terminating"`},
		{"POST /api/v1/namespaces/dev/configmaps", `{"metadata":{"name":"x"}}`, "", 403,
			`configmaps \"x\" is forbidden: unable to create new content in namespace dev because it is being terminated`},
		{"PUT /api/v1/namespaces/dev/finalize", `{"metadata":{"name":"dev"},"spec":{}}`, "", 200, ``},
		{"GET /api/v1/namespaces/dev", ``, "", 404, ``},
		// Collections.
		{"POST " + cms, `{"metadata":{"name":"a","labels":{"x":"1"}}}`, "", 201, ``},
		{"POST " + cms, `{"metadata":{"name":"b","labels":{"x":"2"}}}`, "", 201, ``},
		{"DELETE " + cms + "?labelSelector=x%3D1", ``, "", 200, `"name":"a"`},
		{"GET " + cms, ``, "", 200, `"name":"b"`},
	})
}

func TestServicesGetAddressesAndPorts(t *testing.T) {
	s := newServer(t)
	const path = "/api/v1/namespaces/default/services"
	create := func(body string) *corev1.Service {
		resp := s.Serve(request("POST "+path, body))
		svc, ok := resp.Object.(*corev1.Service)
		if !ok {
			t.Fatalf("%s: %+v", body, resp.Object)
		}
		return svc
	}
	a := create(`{"metadata":{"name":"a"},"spec":{"type":"NodePort","ports":[{"port":80,"name":"w"},{"port":53,"name":"t","protocol":"TCP"},{"port":53,"name":"u","protocol":"UDP"}]}}`)
	p := a.Spec.Ports
	if !strings.HasPrefix(a.Spec.ClusterIP, "10.96.") || a.Spec.ClusterIPs[0] != a.Spec.ClusterIP {
		t.Errorf("cluster IP %q %q", a.Spec.ClusterIP, a.Spec.ClusterIPs)
	}
	if p[0].NodePort < 30000 || p[0].NodePort > 32767 || p[1].NodePort != p[2].NodePort || p[0].NodePort == p[1].NodePort {
		t.Errorf("node ports %+v", p)
	}
	run := func(line, body string, h ...string) (int, string) { return do(t, s, line, body, h...) }
	taken := fmt.Sprintf(`{"metadata":{"name":"b"},"spec":{"type":"NodePort","ports":[{"port":80,"nodePort":%d}]}}`, p[0].NodePort)
	sameIP := fmt.Sprintf(`{"metadata":{"name":"c"},"spec":{"clusterIP":%q,"ports":[{"port":80}]}}`, a.Spec.ClusterIP)
	follow(t, s, run, []step{
		{"POST " + path, taken, "", 422, `provided port is already allocated`},
		{"POST " + path, sameIP, "", 422, `failed to allocate IP ` + a.Spec.ClusterIP + `: provided IP is already allocated`},
		{"POST " + path + "?dryRun=All", strings.Replace(taken, "nodePort", "x", 1), "", 201, `"nodePort":3`},
		{"PATCH " + path + "/a", `{"spec":{"clusterIP":"10.96.7.7"}}`, "", 422, `spec.clusterIPs[0]: Invalid value: [\"10.96.7.7\"]: may not change once set`},
		{"PATCH " + path + "/a", `{"spec":{"type":"ClusterIP"}}`, "", 200, `"ports":[{"name":"w","protocol":"TCP","port":80,"targetPort":80},`},
		{"POST " + path, taken, "", 201, ``},
		{"DELETE " + path + "/a", ``, "", 200, ``},
		{"POST " + path, sameIP, "", 201, ``},
		{"GET " + path + "/kubernetes", ``, "", 200, `"ports":[{"name":"https","protocol":"TCP","port":443,"targetPort":6443}],"clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],"type":"ClusterIP","sessionAffinity":"None","ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack","internalTrafficPolicy":"Cluster"`},
	})
}

func TestWatchTransitions(t *testing.T) {
	s := newServer(t)
	resp := s.Serve(request("GET "+cms+"?watch=1&labelSelector=on", ""))
	w := resp.Watch
	notified := 0
	w.Notify(func() { notified++ })
	for _, line := range []string{
		"POST " + cms + "\n" + `{"metadata":{"name":"a"}}`,
		"PATCH " + cms + "/a\n" + `{"metadata":{"labels":{"on":"1"}}}`,
		"PATCH " + cms + "/a\n" + `{"data":{"k":"v"}}`,
		"PATCH " + cms + "/a\n" + `{"metadata":{"labels":{"on":null}}}`,
		"PATCH " + cms + "/a\n" + `{"data":{"k":"w"}}`,
		"POST " + cms + "\n" + `{"metadata":{"name":"b","labels":{"on":"1"}}}`,
		"DELETE " + cms + "/b\n",
	} {
		request, body, _ := strings.Cut(line, "\n")
		if code, text := do(t, s, request, body); code >= 300 {
			t.Fatal(request, code, text)
		}
	}
	var got []string
	for {
		e, ok := w.Next()
		if !ok {
			break
		}
		m := e.Object.(metav1.Object).GetObjectMeta()
		got = append(got, fmt.Sprintf("%s %s", e.Type, m.Name))
	}
	if want := "ADDED a,MODIFIED a,DELETED a,ADDED b,DELETED b"; strings.Join(got, ",") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ","), want)
	}
	if notified != 1 {
		t.Errorf("notified %d times", notified)
	}
	w.Stop()
	if !w.Done() {
		t.Error("a stopped watch is not done")
	}
}

func TestWatchListAndTooOld(t *testing.T) {
	s := newServer(t)
	do(t, s, "POST "+cms, `{"metadata":{"name":"a"}}`)
	_, got := do(t, s, "GET "+cms+"?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", "")
	lines := strings.Split(got, "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], `{"type":"ADDED"`) || !strings.Contains(lines[1], `"type":"BOOKMARK"`) ||
		!strings.Contains(lines[1], `"k8s.io/initial-events-end":"true"`) {
		t.Errorf("got %s", got)
	}
	for i := range 3000 {
		do(t, s, "PATCH "+cms+"/a", fmt.Sprintf(`{"data":{"k":"%d"}}`, i))
	}
	code, body := do(t, s, "GET "+cms+"?watch=1&resourceVersion=2", "")
	if code != 410 || !strings.Contains(message(body), "too old resource version: 2 (") {
		t.Errorf("%d %s", code, body)
	}
	if !strings.Contains(body, `"reason":"Expired"`) {
		t.Error(body)
	}
}

func TestTableWatchSendsColumnsOnce(t *testing.T) {
	s := newServer(t)
	do(t, s, "POST "+pods, pod)
	req := request("GET "+pods+"?watch=1", "", "Accept: application/json;as=Table;v=v1;g=meta.k8s.io")
	w := s.Serve(req).Watch
	do(t, s, "DELETE "+pods+"/p", "")
	lines := strings.Split(events(t, w), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"columnDefinitions":[{"name":"Name"`) || !strings.Contains(lines[1], `"columnDefinitions":null`) {
		t.Errorf("got %s", strings.Join(lines, "\n"))
	}
}

func TestPages(t *testing.T) {
	s := newServer(t)
	for i := range 7 {
		do(t, s, "POST "+cms, fmt.Sprintf(`{"metadata":{"name":"c%d"}}`, i))
	}
	var names []string
	next, rv := "", ""
	for page := 0; ; page++ {
		_, body := do(t, s, "GET "+cms+"?limit=3&continue="+next, "")
		var list struct {
			Metadata metav1.ListMeta
			Items    []corev1.ConfigMap
		}
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		for _, i := range list.Items {
			names = append(names, i.Name)
		}
		if rv == "" {
			rv = list.Metadata.ResourceVersion
		} else if rv != list.Metadata.ResourceVersion {
			t.Errorf("page %d is of %s, the first of %s", page, list.Metadata.ResourceVersion, rv)
		}
		do(t, s, "DELETE "+cms+fmt.Sprintf("/c%d", 6-page), "")
		if next = list.Metadata.Continue; next == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "c0 c1 c2 c3 c4 c5 c6" {
		t.Error(got)
	}
}

func TestScale(t *testing.T) {
	s := newServer(t)
	do(t, s, "POST "+deploys, deployment)
	code, body := do(t, s, "PATCH "+deploys+"/d/scale", `{"spec":{"replicas":3}}`)
	if code != 200 || !strings.Contains(body, `{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"d"`) || !strings.Contains(body, `"spec":{"replicas":3}`) {
		t.Errorf("%d %s", code, body)
	}
	d := s.Serve(request("GET "+deploys+"/d", "")).Object.(*appsv1.Deployment)
	if *d.Spec.Replicas != 3 || d.Generation != 2 {
		t.Errorf("%d replicas, generation %d", *d.Spec.Replicas, d.Generation)
	}
}

func TestUnchangedWritesNothing(t *testing.T) {
	s := newServer(t)
	_, a := do(t, s, "POST "+deploys, deployment)
	for _, line := range []string{"PUT " + deploys + "/d", "PATCH " + deploys + "/d"} {
		if _, b := do(t, s, line, deployment); a != b {
			t.Errorf("%s\n%s\n%s", line, a, b)
		}
	}
}

// TestInProcess: a typed object is neither changed nor encoded.
func TestInProcess(t *testing.T) {
	s := newServer(t)
	mine := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "x-"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "b"}}}}
	before := api.DeepCopy(mine)
	resp := s.Serve(&rest.Request{Method: "POST", Path: pods, Object: mine, Header: rest.Header{"User-Agent": "kube-controller-manager"}})
	stored, ok := resp.Object.(*corev1.Pod)
	if !ok {
		t.Fatal(resp.Object)
	}
	x, _ := json.Marshal(before)
	y, _ := json.Marshal(mine)
	if string(x) != string(y) {
		t.Errorf("the caller's object was changed:\n%s\n%s", x, y)
	}
	got := s.Serve(request("GET "+pods+"/"+stored.Name, "")).Object
	if got != any(stored) {
		t.Error("a get does not share the stored object")
	}
	_, body := do(t, s, "GET "+pods+"/"+stored.Name, "")
	if !strings.Contains(body, `"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"2026-11-22T02:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:generateName":{}},"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{}`) {
		t.Error(body)
	}
}
