package doctest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the comments of site/static/templates promise.
var templates = map[string]string{
	"web-and-service.yaml": `
$ kubectl rollout status deployment/web --timeout=60s | tail -n 1
deployment "web" successfully rolled out
$ kubectl run -it --rm --image=busybox try -- wget -qO- web 2>/dev/null | grep title
<title>Welcome to nginx!</title>
$ kubectl delete pod --all --wait=false >/dev/null; kubectl scale deployment web --replicas=5 >/dev/null; kubectl set image deployment/web nginx=nginx:1.27-alpine >/dev/null
$ kubectl run -it --rm --image=busybox try -- wget -qO- web 2>/dev/null | grep title
<title>Welcome to nginx!</title>
`,
	"broken-deployment.yaml": `
$ sleep 60; kubectl get pods -o jsonpath='{range .items[*]}{.metadata.labels.app} {.status.phase} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | sort
cart Running False
cart Running False
shop Pending False
shop Pending False
$ kubectl set image deployment/shop nginx=nginx:1.25-alpine
deployment.apps/shop image updated
$ kubectl rollout status deployment/shop --timeout=60s | tail -n 1
deployment "shop" successfully rolled out
$ kubectl get endpointslices -l kubernetes.io/service-name=shop -o jsonpath='{.items[*].endpoints}'
$ kubectl set selector service shop app=shop
service/shop selector updated
$ sleep 5; kubectl get endpointslices -l kubernetes.io/service-name=shop -o jsonpath='{range .items[*].endpoints[*]}{.conditions.ready} {end}{"\n"}'
true true 
$ kubectl patch deployment cart --type=json -p '[{"op":"replace","path":"/spec/template/spec/containers/0/readinessProbe/httpGet/port","value":80}]'
deployment.apps/cart patched
$ kubectl rollout status deployment/cart --timeout=60s | tail -n 1
deployment "cart" successfully rolled out
`,
	"three-tier.yaml": `
$ kubectl -n shop rollout status statefulset/database --timeout=120s | tail -n 1
partitioned roll out complete: 1 new pods have been updated...
$ kubectl -n shop rollout status deployment/api --timeout=120s | tail -n 1
deployment "api" successfully rolled out
$ kubectl -n shop rollout status deployment/frontend --timeout=120s | tail -n 1
deployment "frontend" successfully rolled out
$ kubectl -n shop exec deploy/frontend -- wget -qO- http://api:9898 | grep message
  "message": "greetings from podinfo v6.5.0"
$ kubectl -n shop exec database-0 -- psql -U postgres -c 'create table notes (text text)'
CREATE TABLE
$ kubectl -n shop delete pod database-0 >/dev/null; kubectl -n shop rollout status statefulset/database --timeout=120s >/dev/null
$ kubectl -n shop exec database-0 -- psql -U postgres -tc 'select count(*) from notes' | tr -d ' \n'; echo
0
`,
}

func TestTemplates(t *testing.T) {
	dir := "../../site/static/templates"
	found, err := filepath.Glob(dir + "/*")
	if err != nil || len(found) != len(templates) {
		t.Fatalf("%v has %d files, %d are tested: %v", dir, len(found), len(templates), err)
	}
	for name, steps := range templates {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		page := "<!-- kubonsai page nodes=1 files=templates -->\n\n```sh kubonsai\nkubectl apply -f " + name + "\n```\n\n```console kubonsai\n" + strings.TrimSpace(steps) + "\n```\n"
		p, err := Read(name+".md", []byte(page), nil)
		if err != nil {
			t.Fatal(err)
		}
		r := &Report{Page: name}
		r.Results, r.Err = p.Run(Host{Seed: 1, Load: func(string) (map[string][]byte, error) { return map[string][]byte{name: data}, nil }})
		if !r.OK() || r.count(Passed) != 2 {
			r.Print(t.Output(), true)
			t.Error(name)
		}
	}
}
