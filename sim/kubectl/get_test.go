package kubectl

import (
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim/kernel"
)

// TestErrors follows sim/testdata/transcripts/errors and lines given to the real kubectl.
func TestErrors(t *testing.T) {
	w := newWorld(t).twoPods()
	w.fs.WriteFile("/home/reader/bad-indent.yaml", []byte("apiVersion: v1\nkind: Pod\nmetadata:\n name: x\n  labels:\n   a: b\n"), 0o644)
	w.fs.WriteFile("/home/reader/no-kind.yaml", []byte("apiVersion: apps/v2\nkind: Deployment\nmetadata:\n  name: x\n"), 0o644)
	w.fs.MkdirAll("/home/reader/empty", 0o755)
	for line, want := range map[string]want{
		"kubectl get pods nope":                                 {"", "Error from server (NotFound): pods \"nope\" not found\n", 1},
		"kubectl get nope":                                      {"", "error: the server doesn't have a resource type \"nope\"\n", 1},
		"kubectl get pods,nope":                                 {"", "error: the server doesn't have a resource type \"nope\"\n", 1},
		"kubectl get deploy/none svc/none":                      {"", "Error from server (NotFound): deployments.apps \"none\" not found\nError from server (NotFound): services \"none\" not found\n", 1},
		"kubectl describe pod nope":                             {"", "Error from server (NotFound): pods \"nope\" not found\n", 1},
		"kubectl aply -f x":                                     {"", "error: unknown command \"aply\" for \"kubectl\"\n\nDid you mean this?\n\tapply\n", 1},
		"kubectl list":                                          {"", "error: unknown command \"list\" for \"kubectl\"\n\nDid you mean this?\n\tget\n", 1},
		"kubectl config foo":                                    {"", "error: unknown command \"foo\"\nSee 'kubectl config -h' for help and examples\n", 1},
		"kubectl get pods --no-such-flag":                       {"", "error: unknown flag: --no-such-flag\nSee 'kubectl get --help' for usage.\n", 1},
		"kubectl get -z":                                        {"", "error: unknown shorthand flag: 'z' in -z\nSee 'kubectl get --help' for usage.\n", 1},
		"kubectl get --watch=x":                                 {"", "error: invalid argument \"x\" for \"-w, --watch\" flag: strconv.ParseBool: parsing \"x\": invalid syntax\nSee 'kubectl get --help' for usage.\n", 1},
		"kubectl get pods -n":                                   {"", "error: flag needs an argument: 'n' in -n\nSee 'kubectl get --help' for usage.\n", 1},
		"kubectl get pods -o nope":                              {"", "error: unable to match a printer suitable for the output format \"nope\", allowed formats are: custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,kyaml,name,template,templatefile,wide,yaml\n", 1},
		"kubectl get pods -o jsonpath='{.items[*'":              {"", "error: error parsing jsonpath {.items[*, unterminated array\n", 1},
		"kubectl get pods -l 'a in b'":                          {"", "Error from server (BadRequest): Unable to find \"/v1, Resource=pods\" that match label selector \"a in b\", field selector \"\": unable to parse requirement: found 'b' expected: '('\n", 1},
		"kubectl get pods --field-selector foo=bar":             {"", "Error from server (BadRequest): Unable to find \"/v1, Resource=pods\" that match label selector \"\", field selector \"foo=bar\": field label not supported: foo\n", 1},
		"kubectl get pods -n nowhere":                           {"", "No resources found in nowhere namespace.\n", 0},
		"kubectl get pods x -n nowhere":                         {"", "Error from server (NotFound): namespaces \"nowhere\" not found\n", 1},
		"kubectl get pods x -l app=x":                           {"", "error: name cannot be provided when a selector is specified\n", 1},
		"kubectl get pods --context nope":                       {"", "Error in configuration: context was not found for specified context: nope\n", 1},
		"kubectl config use-context nope":                       {"", "error: no context exists with the name: \"nope\"\n", 1},
		"kubectl top pods":                                      {"", "error: Metrics API not available\n", 1},
		"kubectl explain nope":                                  {"", "the server doesn't have a resource type \"nope\"\n", 1},
		"kubectl explain pod.spec.nope":                         {"KIND:       Pod\nVERSION:    v1\n\n", "error: field \"nope\" does not exist\n", 1},
		"kubectl get -f nowhere.yaml":                           {"", "error: the path \"nowhere.yaml\" does not exist\n", 1},
		"kubectl get -f bad-indent.yaml":                        {"", "error parsing bad-indent.yaml: error converting YAML to JSON: yaml: line 5: mapping values are not allowed in this context\n", 1},
		"kubectl get -f no-kind.yaml":                           {"", "resource mapping not found for name: \"x\" namespace: \"\" from \"no-kind.yaml\": no matches for kind \"Deployment\" in version \"apps/v2\"\nensure CRDs are installed first\n", 1},
		"kubectl get -f empty":                                  {"", "error: error reading [empty]: recognized file extensions are [.json .yaml .yml]\n", 1},
		"kubectl get pods -s https://10.0.0.1:6443":             {"", "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?\n", 1},
		"kubectl get pod/a po b":                                {"", "error: there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'\n", 1},
		"kubectl get pods --raw /api":                           {"", "error: arguments may not be passed when --raw is specified\n", 1},
		"kubectl get pods --output-watch-events":                {"", "error: --output-watch-events option can only be used with --watch or --watch-only\n", 1},
		"kubectl get pod alpha nope --ignore-not-found -o name": {"pod/alpha\n", "", 0},
		"kubectl get":                                           {"", "You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of supported resources.\n\nerror: Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed description of that resource (e.g. kubectl explain pods).\nSee 'kubectl get -h' for help and examples\n", 1},
	} {
		w.check(line, want)
	}
}

// TestGet follows sim/testdata/transcripts/output-formats.
func TestGet(t *testing.T) {
	w := newWorld(t).twoPods()
	w.fs.WriteFile("/home/reader/cols", []byte("N\tI\nmetadata.name .spec.containers[0].image\n"), 0o644)
	for line, want := range map[string]want{
		"kubectl get pods":                                         {"NAME    READY   STATUS    RESTARTS   AGE\nalpha   0/2     Pending   0          7s\nbeta    0/1     Pending   0          7s\n", "", 0},
		"kubectl get pods --no-headers":                            {"alpha   0/2   Pending   0     7s\nbeta    0/1   Pending   0     7s\n", "", 0},
		"kubectl get po -o wide beta":                              {"NAME   READY   STATUS    RESTARTS   AGE   IP       NODE     NOMINATED NODE   READINESS GATES\nbeta   0/1     Pending   0          7s    <none>   <none>   <none>           <none>\n", "", 0},
		"kubectl get Pods --show-labels":                           {"NAME    READY   STATUS    RESTARTS   AGE   LABELS\nalpha   0/2     Pending   0          7s    app=one\nbeta    0/1     Pending   0          7s    app=two\n", "", 0},
		"kubectl get pods -L app":                                  {"NAME    READY   STATUS    RESTARTS   AGE   APP\nalpha   0/2     Pending   0          7s    one\nbeta    0/1     Pending   0          7s    two\n", "", 0},
		"kubectl get pods --show-kind":                             {"NAME        READY   STATUS    RESTARTS   AGE\npod/alpha   0/2     Pending   0          7s\npod/beta    0/1     Pending   0          7s\n", "", 0},
		"kubectl get pods -A -l app=one":                           {"NAMESPACE   NAME    READY   STATUS    RESTARTS   AGE\ndefault     alpha   0/2     Pending   0          7s\n", "", 0},
		"kubectl get pods -o name":                                 {"pod/alpha\npod/beta\n", "", 0},
		"kubectl get po/alpha po/beta -o name":                     {"pod/alpha\npod/beta\n", "", 0},
		"kubectl get pods -o jsonpath='{.items[*].metadata.name}'": {"alpha beta", "", 0},
		"kubectl get pods -o jsonpath='{.items[?(@.metadata.labels.app==\"two\")].metadata.name}'":                  {"beta", "", 0},
		"kubectl get pods -o jsonpath-as-json='{.items[*].metadata.name}'":                                          {"[\n    \"alpha\",\n    \"beta\"\n]\n", "", 0},
		"kubectl get pods -o custom-columns='NAME:.metadata.name,IMAGES:.spec.containers[*].image,NOPE:.spec.nope'": {"NAME    IMAGES                    NOPE\nalpha   nginx:1.27,busybox:1.36   <none>\nbeta    nginx:1.25.3              <none>\n", "", 0},
		"kubectl get pods -o custom-columns-file=cols":                                                              {"N       I\nalpha   nginx:1.27\nbeta    nginx:1.25.3\n", "", 0},
		"kubectl get pods -o go-template='{{range .items}}{{.metadata.name}}{{\"\\n\"}}{{end}}'":                    {"alpha\nbeta\n", "", 0},
		"kubectl get pods --template='{{len .items}}'":                                                              {"2", "", 0},
		"kubectl get pods --sort-by=.spec.containers[0].image":                                                      {"NAME    READY   STATUS    RESTARTS   AGE\nbeta    0/1     Pending   0          7s\nalpha   0/2     Pending   0          7s\n", "", 0},
		"kubectl get pods --sort-by='{.metadata.name}' -o name":                                                     {"pod/alpha\npod/beta\n", "", 0},
		"kubectl get pods --field-selector metadata.name=beta -o name":                                              {"pod/beta\n", "", 0},
		"kubectl get pods -l 'app notin (one)' -o name":                                                             {"pod/beta\n", "", 0},
		"kubectl get --raw /api/v1/namespaces/default/pods/beta/nope":                                               {"", "Error from server (NotFound): the server could not find the requested resource\n", 1},
		"kubectl get rs":                          {"", "No resources found in default namespace.\n", 0},
		"kubectl get ns,rs":                       {"NAME                        STATUS   AGE\nnamespace/default           Active   7s\nnamespace/kube-node-lease   Active   7s\nnamespace/kube-public       Active   7s\nnamespace/kube-system       Active   7s\n", "", 0},
		"kubectl get pods.v1. beta -o name":       {"pod/beta\n", "", 0},
		"kubectl -n default get pods beta -oname": {"pod/beta\n", "", 0},
		"kubectl get all -l app=one":              {"NAME        READY   STATUS    RESTARTS   AGE\npod/alpha   0/2     Pending   0          7s\n", "", 0},
		"kubectl get pods beta --ignore-not-found --show-managed-fields -o jsonpath='{.metadata.managedFields[0].manager}'": {"test", "", 0},
	} {
		w.check(line, want)
	}
	out, _, _ := w.do("kubectl get pods -o yaml", "")
	if !strings.HasPrefix(out, "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    annotations:\n      note: first\n") ||
		!strings.HasSuffix(out, "kind: List\nmetadata:\n  resourceVersion: \"\"\n") || strings.Contains(out, "managedFields") {
		t.Errorf("-o yaml:\n%s", out)
	}
	out, _, _ = w.do("kubectl get pod beta -o json", "")
	if !strings.HasPrefix(out, "{\n    \"apiVersion\": \"v1\",\n    \"kind\": \"Pod\",\n    \"metadata\": {\n        \"creationTimestamp\": \"2026-11-22T02:00:00Z\",\n") {
		t.Errorf("-o json:\n%s", out)
	}
}

// TestWatch: rows stay aligned while widths grow, a deletion shows the last state.
func TestWatch(t *testing.T) {
	w := newWorld(t).twoPods()
	out, errs, p := w.start("kubectl get pods --watch --output-watch-events", "")
	w.put(podsPath, strings.Replace(beta, "name: beta", "name: a-longer-name", 1))
	w.settle()
	w.do("kubectl version --client", "")
	if code, done := p.Done(); done {
		t.Fatalf("ended with %d: %s", code, errs)
	}
	p.Signal(kernel.SIGINT)
	w.settle()
	if code, _ := p.Done(); code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
	want := "EVENT      NAME    READY   STATUS    RESTARTS   AGE\n" +
		"ADDED      alpha   0/2     Pending   0          7s\n" +
		"ADDED      beta    0/1     Pending   0          7s\n" +
		"ADDED      a-longer-name   0/1     Pending   0          0s\n"
	if out.String() != want {
		t.Errorf("got\n%s%s\nwant\n%s", out, errs, want)
	}
}
