package apiserver_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/seed"
	"github.com/kubonsai/kubonsai/sim/store"
)

// nodes is a NodeProxy that says what it was asked.
type nodes struct{ asked string }

func (n *nodes) Logs(pod *corev1.Pod, container string, o apiserver.LogOptions) ([]byte, rest.Stream, error) {
	if o.Previous {
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("previous terminated container %q in pod %q not found", container, pod.Name))
	}
	return []byte("hello\n"), nil, nil
}

func (n *nodes) Exec(pod *corev1.Pod, container string, command []string, o apiserver.ExecOptions) (rest.Stream, error) {
	n.asked = fmt.Sprint(pod.Name, container, command, o)
	return nil, nil
}

func (n *nodes) Attach(*corev1.Pod, string, apiserver.ExecOptions) (rest.Stream, error) {
	return nil, nil
}

func (n *nodes) PortForward(*corev1.Pod, int32) (rest.Stream, error) { return nil, nil }

func (n *nodes) HTTP(t apiserver.ProxyTarget, _ *rest.Request) (*rest.Response, error) {
	return &rest.Response{Code: 200, Body: []byte(t.Scheme + "|" + t.Port + "|" + t.Path)}, nil
}

func TestNodeProxy(t *testing.T) {
	s := newServer(t)
	n := &nodes{}
	s.SetNodeProxy(n)
	run := func(line, body string, h ...string) (int, string) { return do(t, s, line, body, h...) }
	const two = `{"metadata":{"name":"two"},"spec":{"nodeName":"n","containers":[{"name":"a","image":"i"},{"name":"b","image":"i"}]}}`
	follow(t, s, run, []step{
		{"POST " + pods, pod, "", 201, ``},
		{"GET " + pods + "/p/log", ``, "", 200, ``},
		{"POST " + pods + "/p/exec?command=ls", ``, "", 400, `pod p does not have a host assigned`},
		{"POST " + pods, two, "", 201, ``},
		{"GET " + pods + "/two/log", ``, "", 400, `a container name must be specified for pod two, choose one of: [a b]`},
		{"GET " + pods + "/two/log?container=c", ``, "", 400, `container c is not valid for pod two`},
		{"GET " + pods + "/two/log?container=b", ``, "", 200, `hello`},
		{"GET " + pods + "/two/log?container=b&previous=true", ``, "", 400, `previous terminated container \"b\" in pod \"two\" not found`},
		{"GET " + pods + "/two/log?container=b&tailLines=-1", ``, "", 422, `PodLogOptions \"two\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0`},
		{"POST " + pods + "/two/exec?container=a&command=sh&command=-c&stdout=true&tty=1", ``, "", 101, ``},
		{"GET " + pods + "/http:two:8080/proxy/x/y", ``, "", 200, `http|8080|/x/y`},
		{"POST " + pods + "/two/eviction", `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"two"}}`, "", 201, `"status":"Success"`},
		{"GET " + pods + "/two", ``, "", 200, `"reason":"EvictionByEvictionAPI","message":"Eviction API: evicting"`},
	})
	if n.asked != "twoa[sh -c] {false true false true}" {
		t.Error(n.asked)
	}
}

func TestTokens(t *testing.T) {
	clk := clock.New(start)
	s := apiserver.New(apiserver.Options{Store: store.New(), Clock: clk, Seed: seed.New(7)})
	s.Serve(request("POST /api/v1/namespaces/default/serviceaccounts", `{"metadata":{"name":"x"}}`))
	resp := s.Serve(request("POST /api/v1/namespaces/default/serviceaccounts/x/token", `{"spec":{"expirationSeconds":600}}`))
	tree, err := api.ToTree(resp.Object)
	if err != nil {
		t.Fatal(err)
	}
	status, _ := tree["status"].(map[string]any)
	token, _ := status["token"].(string)
	u, err := s.Authenticate(token)
	if err != nil || u.Name != "system:serviceaccount:default:x" {
		t.Fatal(u, err, tree)
	}
	if _, err := s.Authenticate(token + "x"); err == nil {
		t.Error("a forged token was taken")
	}
	clk.AdvanceTo(start.Add(11 * time.Minute))
	if _, err := s.Authenticate(token); err == nil {
		t.Error("an old token was taken")
	}
}

// TestDynamicKinds: a resource that is installed at run time is served as any other.
func TestDynamicKinds(t *testing.T) {
	s := newServer(t)
	s.Install(&apiserver.Kind{
		Resource: &api.Resource{Group: "example.com", Version: "v1", Kind: "Bonsai", Plural: "bonsais", Singular: "bonsai", Namespaced: true,
			Verbs:        []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"},
			Subresources: []api.Subresource{{Name: "status", Kind: metav1.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Bonsai"}, Verbs: []string{"get", "patch", "update"}}},
			New:          func() metav1.Object { return &metav1.Unstructured{} }},
		Dynamic: &apiserver.Dynamic{Prune: func(tree map[string]any) (out []string) {
			if spec, ok := tree["spec"].(map[string]any); ok && spec["colour"] != nil {
				delete(spec, "colour")
				return []string{"spec.colour"}
			}
			return nil
		}},
	})
	const path = "/apis/example.com/v1/namespaces/default/bonsais"
	run := func(line, body string, h ...string) (int, string) { return do(t, s, line, body, h...) }
	follow(t, s, run, []step{
		{"GET /apis/example.com/v1", ``, "", 200, `"name":"bonsais"`},
		{"POST " + path + "?fieldValidation=Strict", `{"apiVersion":"example.com/v1","kind":"Bonsai","metadata":{"name":"bad"},"spec":{"colour":1}}`, "", 400,
			`Bonsai in version \"v1\" cannot be handled as a Bonsai: strict decoding error: unknown field \"spec.colour\"`},
		{"POST " + path, `{"apiVersion":"example.com/v1","kind":"Bonsai","metadata":{"name":"old"},"spec":{"branches":3},"status":{"x":1}}`, "", 201, `"generation":1`},
		{"PATCH " + path + "/old", `{"spec":{"branches":4}}`, "", 200, `"generation":2`},
		{"PATCH " + path + "/old", `{}`, "Content-Type: application/strategic-merge-patch+json", 415, `application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml`},
		{"PATCH " + path + "/old/status", `{"status":{"x":2},"spec":{"branches":9}}`, "", 200, `"spec":{"branches":4},"status":{"x":2}}`},
		{"PATCH " + path + "/old?fieldManager=me&force=true", `{"apiVersion":"example.com/v1","kind":"Bonsai","metadata":{"name":"old"},"spec":{"branches":5}}`, apply, 200, `"branches":5`},
		{"GET " + path, ``, "", 200, `"items":[{"apiVersion":"example.com/v1","kind":"Bonsai"`},
		{"GET " + path + "?watch=1", ``, "", 200, `"type":"ADDED"`},
		{"DELETE " + path + "/old", ``, "", 200, `"status":"Success"`},
		{"GET /openapi/v3/apis/example.com/v1", ``, "", 200, `com.example.v1.Bonsai`},
	})
	s.Uninstall(metav1.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "bonsais"})
	if code, body := do(t, s, "GET "+path, ""); code != 404 || !strings.Contains(body, "404 page not found") {
		t.Error(code, body)
	}
}
