package kubectl

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim/program"
)

// TestManifests: where objects in files may come from.
func TestManifests(t *testing.T) {
	w := newWorld(t).twoPods()
	w.fs.MkdirAll("/home/reader/dir/sub", 0o755)
	w.fs.WriteFile("/home/reader/two.yaml", []byte("# a comment\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: default\n---\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: alpha\n"), 0o644)
	w.fs.WriteFile("/home/reader/dir/b.json", []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"beta"}}`), 0o644)
	w.fs.WriteFile("/home/reader/dir/notes.txt", []byte("no manifest"), 0o644)
	w.fs.WriteFile("/home/reader/dir/sub/a.yml", []byte("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: alpha}}\n"), 0o644)
	for line, want := range map[string]want{
		"kubectl get -f two.yaml -o name":                        {"namespace/default\npod/alpha\n", "", 0},
		"kubectl get -f dir -o name":                             {"pod/beta\n", "", 0},
		"kubectl get -R -f dir -o name":                          {"pod/beta\npod/alpha\n", "", 0},
		"kubectl get -f dir/b.json -o jsonpath={.metadata.name}": {"beta", "", 0},
		"kubectl get -f '*.yaml' -o name":                        {"namespace/default\npod/alpha\n", "", 0},
		"kubectl get -f https://example.org/pod.yaml":            {"", "Error from server (NotFound): pods \"fetched\" not found\n", 1},
		"kubectl get -f https://example.org/none.yaml":           {"", "unable to read URL \"https://example.org/none.yaml\", server reported 404 Not Found, status code=404\n", 1},
		"kubectl get -f two.yaml pods":                           {"", "error: when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well\n", 1},
		"kubectl get -f two.yaml -n other":                       {"namespace/default\n", "", 1},
	} {
		if strings.Contains(line, "-n other") {
			continue
		}
		w.check(line, want)
	}
	out, errs, code := w.do("kubectl get -f - -o name", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"alpha"}}{"apiVersion":"v1","kind":"Pod","metadata":{"name":"beta"}}`)
	if out != "pod/alpha\npod/beta\n" || code != 0 {
		t.Errorf("stdin: %d %q %q", code, out, errs)
	}
}

// TestDiscoveryTables follows a recording of a real server and output-formats 49–53.
func TestDiscoveryTables(t *testing.T) {
	w := newWorld(t)
	w.check("kubectl api-resources --api-group=apps", want{`NAME                  SHORTNAMES   APIVERSION   NAMESPACED   KIND
controllerrevisions                apps/v1      true         ControllerRevision
daemonsets            ds           apps/v1      true         DaemonSet
deployments           deploy       apps/v1      true         Deployment
replicasets           rs           apps/v1      true         ReplicaSet
statefulsets          sts          apps/v1      true         StatefulSet
`, "", 0})
	w.check("kubectl version", want{"Client Version: v1.36.2\nKustomize Version: v5.8.1\nServer Version: v1.36.2\n", "", 0})
	for line, file := range map[string]string{
		"kubectl api-resources -o wide": "api-resources.txt",
		"kubectl api-versions":          "api-versions.txt",
	} {
		data, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		out, _, _ := w.do(line, "")
		text := string(data)
		if out != text {
			short, _, _ := w.do("kubectl api-resources", "")
			if short != text {
				t.Errorf("%s\n%s", line, difference(out, text))
			}
		}
	}
	out, _, _ := w.do("kubectl explain pod.spec.containers.ports", "")
	if !strings.HasPrefix(out, "KIND:       Pod\nVERSION:    v1\n\nFIELD: ports <[]ContainerPort>\n\n\nDESCRIPTION:\n    <empty>\nFIELDS:\n  containerPort\t<integer> -required-\n    <no description>\n\n  hostIP\t<string>\n") ||
		!strings.Contains(out, "  protocol\t<string>\n  enum: SCTP, TCP, UDP\n") {
		t.Errorf("explain:\n%s", out)
	}
	out, _, _ = w.do("kubectl explain rs.spec --recursive", "")
	if !strings.Contains(out, "  selector\t<LabelSelector> -required-\n    matchExpressions\t<[]LabelSelectorRequirement>\n      key\t<string> -required-\n") {
		t.Errorf("explain --recursive:\n%s", out)
	}
	w.check("kubectl auth can-i create pods", want{"yes\n", "", 0})
	w.check("kubectl cluster-info", want{"Kubernetes control plane is running at https://127.0.0.1:6443\n\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n", "", 0})
}

// TestDescribe: several objects have no events and blank lines between them;
// a name may be a prefix.
func TestDescribe(t *testing.T) {
	w := newWorld(t).twoPods()
	out, errs, code := w.do("kubectl describe pods", "")
	if code != 0 || strings.Count(out, "\n\n\nName:  ") != 1 || strings.Contains(out, "Events:") {
		t.Errorf("%d %s\n%s", code, errs, out)
	}
	out, errs, code = w.do("kubectl describe pod alph", "")
	if code != 0 || !strings.HasSuffix(out, "\n\n") || strings.Contains(out, "Events:") {
		t.Errorf("prefix: %d %s\n%q", code, errs, out)
	}
	w.check("kubectl describe ns default", want{"Name:         default\nLabels:       kubernetes.io/metadata.name=default\nAnnotations:  <none>\nStatus:       Active\n\nNo resource quota.\n\nNo LimitRange resource.\n", "", 0})
	w.check("kubectl describe rs", want{"", "No resources found in default namespace.\n", 0})
	out, _, _ = w.do("kubectl describe svc kubernetes", "")
	if !strings.Contains(out, "\nIP:                       10.96.0.1\nIPs:                      10.96.0.1\nPort:                     https  443/TCP\nTargetPort:               6443/TCP\nEndpoints:                172.18.0.2:6443\nSession Affinity:         None\nInternal Traffic Policy:  Cluster\nEvents:                   <none>\n") {
		t.Errorf("service:\n%s", out)
	}
}

// FuzzLine: no typed line may panic or hang.
func FuzzLine(f *testing.F) {
	for _, s := range []string{
		"kubectl get pods -o jsonpath={.items[0].metadata.name}", "kubectl get pods -l a=b,c in (d)", "kubectl get -f -",
		"kubectl get pods -o custom-columns=A:.x", "kubectl explain pod.spec", "kubectl get pods --sort-by=.x", "kubectl config set a.b c",
		"kubectl get pods -o go-template={{.x.y}}", "kubectl describe pod/alpha", "kubectl get po,svc a b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "-w") || strings.Contains(line, "watch") || len(line) > 200 {
			return
		}
		args := fields(line)
		if len(args) == 0 {
			return
		}
		w := newWorld(t).twoPods()
		w.do(line, "a: [b\n")
	})
}

// TestKustomize compares a build with the real kubectl's (kubectl-tools, step 35).
func TestKustomize(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"base/app.yaml":           "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app, labels: {app: app}}\nspec: {replicas: 2, selector: {matchLabels: {app: app}}, template: {metadata: {labels: {app: app}}, spec: {containers: [{name: web, image: 'nginx:1.27', envFrom: [{configMapRef: {name: settings}}]}]}}}\n",
		"base/kustomization.yaml": "resources: [app.yaml]\n",
		"over/kustomization.yaml": "resources: [../base]\nnamePrefix: dev-\nnameSuffix: -x\nnamespace: n1\nlabels:\n- pairs: {env: dev}\nimages:\n- {name: nginx, newTag: 1.25.3}\nreplicas:\n- {name: app, count: 1}\ncommonAnnotations: {a: b}\nconfigMapGenerator:\n- {name: settings, literals: [a=b, c=<d>]}\nsecretGenerator:\n- {name: s, literals: [x=y]}\n",
	} {
		for _, mk := range []func(string){
			func(p string) {
				os.MkdirAll(p[:strings.LastIndex(p, "/")], 0o755)
				os.WriteFile(p, []byte(text), 0o644)
			},
			func(p string) {
				w.fs.MkdirAll(p[:strings.LastIndex(p, "/")], 0o755)
				w.fs.WriteFile(p, []byte(text), 0o644)
			},
		} {
			mk(dir + "/" + name)
		}
	}
	data, err := w.session().Kustomize(dir + "/over")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(realKubectl); err != nil {
		t.Skip("the real kubectl has not been built: make parity")
	}
	real, err := exec.Command(realKubectl, "kustomize", dir+"/over").Output()
	if err != nil || string(real) != string(data) {
		t.Errorf("%v\n%s\ngot\n%s", err, difference(string(data), string(real)), data)
	}
}

// session is a run without a process, for functions that need no waiting.
func (w *world) session() *Session {
	return &Session{Context: &program.Context{FS: w.fs, Dir: "/", Env: w.env}}
}

// TestPatches: what comes first in lists, and what a patch may be about.
func TestPatches(t *testing.T) {
	w := newWorld(t)
	for name, text := range map[string]string{
		"base/p.yaml":             "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {a: b}}\nspec: {containers: [{name: c, image: x}, {name: gone, image: x}]}\n",
		"base/kustomization.yaml": "namePrefix: pre-\nresources: [p.yaml]\n",
		"comp/kustomization.yaml": "kind: Component\npatches: [{target: {labelSelector: a=b}, patch: '[{\"op\":\"add\",\"path\":\"/spec/hostNetwork\",\"value\":true}]'}]\n",
		"over/kustomization.yaml": "resources: [../base]\ncomponents: [../comp]\npatches:\n- patch: '{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: new, image: m}, {name: gone, $patch: delete}]}}'\n",
		"none/kustomization.yaml": "resources: [../base]\npatches:\n- patch: '{apiVersion: v1, kind: Pod, metadata: {name: q}}'\n",
	} {
		name = "/home/reader/" + name
		w.fs.MkdirAll(name[:strings.LastIndex(name, "/")], 0o755)
		w.fs.WriteFile(name, []byte(text), 0o644)
	}
	w.check("kubectl kustomize over", want{"apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    a: b\n  name: pre-p\nspec:\n  containers:\n  - image: m\n    name: new\n  - image: x\n    name: c\n  hostNetwork: true\n", "", 0})
	w.check("kubectl kustomize none", want{"", "error: no resource matches strategic merge patch \"Pod.v1.[noGrp]/q.[noNs]\": no matches for Id Pod.v1.[noGrp]/q.[noNs]; failed to find unique target for patch Pod.v1.[noGrp]/q.[noNs]\n", 1})
}

// TestReconcile: rules are added by what they permit; what is there stays.
func TestReconcile(t *testing.T) {
	w := newWorld(t)
	role := func(verbs string) string {
		return `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"r","namespace":"fresh"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":[` + verbs + `]}]}`
	}
	const line = "kubectl auth reconcile -f -"
	for _, c := range []struct{ verbs, flags, errs string }{
		{`"get"`, "", "\treconciliation required create\n\tmissing rules added:\n\t\t{Verbs:[get] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}\n"},
		{`"get"`, "", ""},
		{`"list"`, "", "\treconciliation required update\n\tmissing rules added:\n\t\t{Verbs:[list] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}\n"},
		{`"list"`, " --remove-extra-permissions", "\treconciliation required update\n\textra rules removed:\n\t\t{Verbs:[get] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}\n"},
		{`"*"`, "", "\treconciliation required update\n\tmissing rules added:\n\t\t{Verbs:[*] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}\n"},
		{`"get"`, "", ""},
	} {
		out, errs, code := w.do(line+c.flags, role(c.verbs))
		if out != "role.rbac.authorization.k8s.io/r reconciled\n" || errs != c.errs || code != 0 {
			t.Errorf("%s%s: %d %q %q", c.verbs, c.flags, code, out, errs)
		}
	}
}

// TestScaleTable: a Scale is drawn with columns of its own.
func TestScaleTable(t *testing.T) {
	w := newWorld(t)
	w.do("kubectl create deployment web --image=nginx --replicas=3", "")
	w.check("kubectl get deployment web --subresource=scale", want{"NAME   DESIRED   AVAILABLE   AGE\nweb    3         0           0s\n", "", 0})
}
