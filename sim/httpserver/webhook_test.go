package httpserver

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
)

type tree = map[string]any

// hookServer answers reviews by what review returns: the response without its uid.
func hookServer(t *testing.T, review func(path string, request tree) tree) *httptest.Server {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			APIVersion, Kind string
			Request          tree
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Kind != "AdmissionReview" || in.APIVersion != "admission.k8s.io/v1" {
			t.Errorf("no review: %v %+v", err, in)
		}
		out := review(r.URL.Path, in.Request)
		switch {
		case out == nil:
			http.Error(w, "no idea", 500)
		default:
			if out["uid"] == nil {
				out["uid"] = in.Request["uid"]
			}
			json.NewEncoder(w).Encode(tree{"apiVersion": in.APIVersion, "kind": "AdmissionReview", "response": out})
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestWebhooks(t *testing.T) {
	m, err := sim.New(sim.Options{Webhooks: CallWebhook, Start: time.Now(), ImagesPresent: true})
	if err != nil {
		t.Fatal(err)
	}
	h := NewHost(m, 1, func(err error) { t.Error(err) })
	defer h.Close()
	api := httptest.NewServer(h)
	defer api.Close()
	var mu sync.Mutex
	var asked []string
	ask := func(method, path string, body any, code int) tree {
		t.Helper()
		data, _ := json.Marshal(body)
		req, _ := http.NewRequest(method, api.URL+path, bytes.NewReader(data))
		req.Header.Set("Content-Type", "application/json")
		if method == "PATCH" {
			req.Header.Set("Content-Type", "application/merge-patch+json")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != code {
			t.Errorf("%s %s: %d, want %d: %s", method, path, resp.StatusCode, code, text)
		}
		var out tree
		json.Unmarshal(text, &out)
		if w := resp.Header.Values("Warning"); len(w) > 0 {
			out["warnings"] = strings.Join(w, "|")
		}
		return out
	}
	srv := hookServer(t, func(path string, request tree) tree {
		mu.Lock()
		asked = append(asked, fmt.Sprint(path, " ", request["operation"], " ", request["name"]))
		mu.Unlock()
		object, _ := request["object"].(tree)
		meta, _ := object["metadata"].(tree)
		data, _ := object["data"].(tree)
		switch path {
		case "/label":
			patch := `[{"op":"add","path":"/data/seen","value":"yes"}]`
			if data == nil {
				patch = `[{"op":"add","path":"/data","value":{"seen":"yes"}}]`
			}
			return tree{"allowed": true, "patchType": "JSONPatch", "patch": []byte(patch), "warnings": []string{"labelled"}}
		case "/again": // asked again after a later webhook has changed the object
			return tree{"allowed": true, "patchType": "JSONPatch", "patch": []byte(fmt.Sprintf(`[{"op":"add","path":"/metadata/annotations","value":{"keys":"%d"}}]`, len(data)))}
		case "/judge":
			switch {
			case meta["name"] == "bare":
				return tree{"allowed": false}
			case meta["name"] == "bad":
				return tree{"allowed": false, "status": tree{"code": 403, "reason": "Forbidden", "message": "not that name"}}
			case meta["name"] == "broken":
				return nil
			case meta["name"] == "stranger":
				return tree{"allowed": true, "uid": "x"}
			case meta["name"] == "slow":
				time.Sleep(1500 * time.Millisecond)
			case meta["name"] == "curious": // the server asks the API while the API waits for it
				resp, err := http.Get(api.URL + "/api/v1/namespaces/default")
				if err != nil || resp.StatusCode != 200 {
					return tree{"allowed": false}
				}
				resp.Body.Close()
			}
			return tree{"allowed": true}
		}
		return nil
	})
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	rules := []tree{{"apiGroups": []string{""}, "apiVersions": []string{"v1"}, "operations": []string{"CREATE", "UPDATE"}, "resources": []string{"configmaps"}}}
	hook := func(name, url string, more tree) tree {
		out := tree{"name": name, "sideEffects": "None", "admissionReviewVersions": []string{"v1"}, "rules": rules, "timeoutSeconds": 1,
			"clientConfig": tree{"url": url, "caBundle": ca}, "matchConditions": []tree{{"name": "ours", "expression": "!request.userInfo.username.startsWith('system:') && object.metadata.name != 'kube-root-ca.crt'"}}}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	const group = "/apis/admissionregistration.k8s.io/v1/"
	ask("POST", group+"mutatingwebhookconfigurations", tree{"metadata": tree{"name": "m"}, "webhooks": []tree{
		hook("again.example.com", srv.URL+"/again", tree{"reinvocationPolicy": "IfNeeded"}), hook("label.example.com", srv.URL+"/label", nil)}}, 201)
	ask("POST", group+"validatingwebhookconfigurations", tree{"metadata": tree{"name": "v"}, "webhooks": []tree{hook("judge.example.com", srv.URL+"/judge", nil)}}, 201)
	const maps = "/api/v1/namespaces/default/configmaps"
	create := func(name string, code int) tree {
		t.Helper()
		return ask("POST", maps, tree{"metadata": tree{"name": name}}, code)
	}

	made := create("good", 201)
	if made["data"].(tree)["seen"] != "yes" || made["metadata"].(tree)["annotations"].(tree)["keys"] != "1" || made["warnings"] != `299 - "labelled"` {
		t.Errorf("%v", made)
	}
	if got := strings.Join(asked, ","); got != "/again CREATE good,/label CREATE good,/again CREATE good,/judge CREATE good" {
		t.Error(got)
	}
	if changed := ask("PATCH", maps+"/good", tree{"data": tree{"x": "1"}}, 200); changed["metadata"].(tree)["annotations"].(tree)["keys"] != "2" {
		t.Errorf("%v", changed)
	}
	for name, want := range map[string]struct {
		code    int
		message string
	}{
		"bare":     {400, `admission webhook "judge.example.com" denied the request without explanation`},
		"bad":      {403, `admission webhook "judge.example.com" denied the request: not that name`},
		"broken":   {500, `Internal error occurred: failed calling webhook "judge.example.com": failed to call webhook: an error on the server ("no idea") has prevented the request from succeeding`},
		"stranger": {500, `Internal error occurred: failed calling webhook "judge.example.com": expected response.uid="`},
		"slow":     {500, `Internal error occurred: failed calling webhook "judge.example.com": failed to call webhook: Post "` + srv.URL + `/judge?timeout=1s": context deadline exceeded`},
	} {
		if got := create(name, want.code); !strings.HasPrefix(fmt.Sprint(got["message"]), want.message) {
			t.Errorf("%s: %v, want %s", name, got["message"], want.message)
		}
	}
	create("curious", 201)
	if got := ask("POST", maps+"?dryRun=All", tree{"metadata": tree{"name": "bad"}}, 403); got["reason"] != "Forbidden" {
		t.Errorf("%v", got)
	}
	// One that cannot be reached closes the door, or not.
	ask("PATCH", group+"validatingwebhookconfigurations/v", tree{"webhooks": []tree{hook("gone.example.com", "https://127.0.0.1:1/x", nil)}}, 200)
	if got := create("door", 500); got["message"] != `Internal error occurred: failed calling webhook "gone.example.com": failed to call webhook: Post "https://127.0.0.1:1/x?timeout=1s": dial tcp 127.0.0.1:1: connect: connection refused` {
		t.Error(got["message"])
	}
	ask("PATCH", group+"validatingwebhookconfigurations/v", tree{"webhooks": []tree{hook("gone.example.com", "https://127.0.0.1:1/x", tree{"failurePolicy": "Ignore"})}}, 200)
	create("door", 201)
	ask("PATCH", group+"validatingwebhookconfigurations/v", tree{"webhooks": []tree{hook("svc.example.com", "", tree{"clientConfig": tree{"service": tree{"namespace": "default", "name": "none", "path": "/p"}}})}}, 200)
	if got := create("svc", 500); got["message"] != `Internal error occurred: failed calling webhook "svc.example.com": failed to call webhook: Post "https://none.default.svc:443/p?timeout=1s": service "none" not found` {
		t.Error(got["message"])
	}

	// A namespace's labels and the object's own keep webhooks away.
	ask("PATCH", group+"validatingwebhookconfigurations/v", tree{"webhooks": []tree{hook("judge.example.com", srv.URL+"/judge", tree{
		"namespaceSelector": tree{"matchLabels": tree{"hooks": "on"}}})}}, 200)
	create("bad", 201)
	ask("DELETE", maps+"/bad", nil, 200)
	ask("PATCH", "/api/v1/namespaces/default", tree{"metadata": tree{"labels": tree{"hooks": "on"}}}, 200)
	create("bad", 403)
}
