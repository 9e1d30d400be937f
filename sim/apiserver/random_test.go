package apiserver_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// TestListThenWatch: whoever lists and then watches from the list's revision
// ends with what a later list shows, whatever happens in between, with any
// selector. The seed is in the test's name.
func TestListThenWatch(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { listThenWatch(t, seed) })
	}
}

func listThenWatch(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	s := newServer(t)
	queries := []string{"", "labelSelector=on", "labelSelector=on%21%3D1", "fieldSelector=metadata.name%3Dc3", "labelSelector=on&fieldSelector=metadata.name%21%3Dc1"}
	type mirror struct {
		query string
		state map[string]string
		w     rest.Watch
	}
	list := func(query string) (map[string]string, string) {
		l := s.Serve(request("GET "+cms+"?"+query, "")).Object.(*metav1.List)
		out := map[string]string{}
		for _, o := range l.Items {
			out[o.GetObjectMeta().Name] = o.GetObjectMeta().ResourceVersion
		}
		return out, l.ResourceVersion
	}
	act := func() {
		name := fmt.Sprintf("c%d", r.IntN(6))
		label := []string{`null`, `"0"`, `"1"`}[r.IntN(3)]
		switch r.IntN(4) {
		case 0:
			do(t, s, "POST "+cms, fmt.Sprintf(`{"metadata":{"name":%q,"labels":{"on":"1"}}}`, name))
		case 1:
			do(t, s, "DELETE "+cms+"/"+name, "")
		default:
			do(t, s, "PATCH "+cms+"/"+name, fmt.Sprintf(`{"metadata":{"labels":{"on":%s}},"data":{"k":"%d"}}`, label, r.IntN(3)))
		}
	}
	var mirrors []*mirror
	for range 300 {
		act()
		if r.IntN(20) == 0 {
			q := queries[r.IntN(len(queries))]
			m := &mirror{query: q}
			var rv string
			m.state, rv = list(q)
			for range r.IntN(5) {
				act()
			}
			m.w = s.Serve(request("GET "+cms+"?watch=1&resourceVersion="+rv+"&"+q, "")).Watch
			mirrors = append(mirrors, m)
		}
		if len(mirrors) > 0 && r.IntN(3) == 0 {
			m := mirrors[r.IntN(len(mirrors))]
			e, ok := m.w.Next()
			if ok {
				applyEvent(t, m.state, e)
			}
		}
	}
	for _, m := range mirrors {
		for {
			e, ok := m.w.Next()
			if !ok {
				break
			}
			applyEvent(t, m.state, e)
		}
		want, _ := list(m.query)
		if fmt.Sprint(m.state) != fmt.Sprint(want) {
			t.Errorf("%q: watched %v, listed %v", m.query, m.state, want)
		}
	}
}

func applyEvent(t *testing.T, state map[string]string, e rest.Event) {
	t.Helper()
	m := e.Object.(metav1.Object).GetObjectMeta()
	_, known := state[m.Name]
	if known != (e.Type != rest.Added) {
		t.Errorf("%s of %s, known: %v", e.Type, m.Name, known)
	}
	if e.Type == rest.Deleted {
		delete(state, m.Name)
	} else {
		state[m.Name] = m.ResourceVersion
	}
}

// FuzzRequests: no request makes the server panic, and each has an answer that
// can be written.
func FuzzRequests(f *testing.F) {
	for _, seed := range [][5]string{
		{"GET", "/api/v1/namespaces/default/pods", "labelSelector=a%20in%20(b)&limit=1&continue=eyJ9", "", "application/json;as=Table;v=v1;g=meta.k8s.io"},
		{"POST", "/api/v1/namespaces/default/pods", "fieldValidation=Strict&dryRun=All", pod, "application/json"},
		{"PATCH", "/apis/apps/v1/namespaces/default/deployments/d", "fieldManager=x&force=1", deployment, "application/apply-patch+yaml"},
		{"PATCH", "/apis/apps/v1/namespaces/default/deployments/d", "", `{"spec":{"template":{"spec":{"containers":[{"$patch":"delete","name":"nginx"}]}}}}`, "application/strategic-merge-patch+json"},
		{"PATCH", "/apis/apps/v1/namespaces/default/deployments/d/scale", "", `[{"op":"replace","path":"/spec/replicas","value":2}]`, "application/json-patch+json"},
		{"DELETE", "/apis/apps/v1/namespaces/default/deployments/d", "propagationPolicy=Orphan", `{"gracePeriodSeconds":-1}`, ""},
		{"GET", "/api/v1/configmaps", "watch=1&resourceVersion=1&timeoutSeconds=1&sendInitialEvents=true", "", ""},
		{"POST", "/api/v1/namespaces/default/services", "", `{"metadata":{"name":"s"},"spec":{"type":"NodePort","ports":[{"port":80,"nodePort":30000}]}}`, ""},
		{"PUT", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt", "", "metadata:\n  name: x\n", "application/yaml"},
		{"POST", "/api/v1/namespaces/default/serviceaccounts/default/token", "", `{"spec":{}}`, ""},
		{"GET", "/openapi/v3/apis/apps/v1", "", "", ""},
		{"GET", "/apis", "", "", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"},
		{"POST", "/api/v1/namespaces/default/pods/p/eviction", "", `{"metadata":{"name":"p"}}`, ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	f.Fuzz(func(t *testing.T, method, path, query, body, media string) {
		s := newServer(t)
		do(t, s, "POST "+pods, pod)
		do(t, s, "POST "+deploys, deployment)
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		req := &rest.Request{Method: method, Path: path, Query: q, Body: []byte(body),
			Header: rest.Header{"Content-Type": media, "Accept": media, "User-Agent": "fuzz"}}
		for range 2 { // a second time, against what the first has made
			resp := s.Serve(req)
			if resp.Watch != nil {
				events(t, resp.Watch)
				resp.Watch.Stop()
				continue
			}
			if _, _, err := apiserver.Encode(req, resp); err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
		}
	})
}
