// Validating admission policies, as the documentation writes them:
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/

package sim

import (
	"os"
	"strings"
	"testing"
)

func TestAdmissionPolicies(t *testing.T) {
	m := newMachine(t, Options{ImagesPresent: true})
	for _, file := range []string{"policies.yaml", "limits.yaml", "bad-policy.yaml"} {
		data, err := os.ReadFile("testdata/policies/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Files().WriteFile(Home+"/"+file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const denied = "ValidatingAdmissionPolicy 'replicas' with binding 'replicas-test' denied request: failed expression: object.spec.replicas <= 5\n"
	for _, x := range []struct{ line, want string }{
		{"kubectl apply -f policies.yaml", "validatingadmissionpolicy.admissionregistration.k8s.io/replicas created\nvalidatingadmissionpolicybinding.admissionregistration.k8s.io/replicas-test created\n"},
		{"kubectl create deployment a --image=nginx --replicas=6", "deployment.apps/a created\n"},
		{"kubectl label ns default environment=test", "namespace/default labeled\n"},
		{"kubectl create deployment b --image=nginx --replicas=6", "error: failed to create deployment: deployments.apps \"b\" is forbidden: " + denied},
		{"kubectl create deployment b --image=nginx --replicas=6 --dry-run=server", "error: failed to create deployment: deployments.apps \"b\" is forbidden: " + denied},
		{"kubectl create deployment c --image=nginx --replicas=5", "deployment.apps/c created\n"},
		{"kubectl patch deployment c -p '{\"spec\":{\"replicas\":7}}'", "The deployments \"c\" is invalid: : " + denied},
		// a change of scale is one of deployments/scale, which the rule does not name
		{"kubectl scale deployment c --replicas=7", "deployment.apps/c scaled\n"},
		{"kubectl patch validatingadmissionpolicy replicas --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/matchConstraints/resourceRules/0/resources\",\"value\":[\"deployments/scale\"]}]'", "validatingadmissionpolicy.admissionregistration.k8s.io/replicas patched\n"},
		{"kubectl scale deployment c --replicas=8", "The deployments \"c\" is invalid: : " + denied},
		// the policy's own group cannot be intercepted
		{"kubectl delete validatingadmissionpolicy replicas >/dev/null; kubectl scale deployment c --replicas=1", "deployment.apps/c scaled\n"},

		{"kubectl apply -f limits.yaml >/dev/null; kubectl run a --image=busybox", "Warning: Validation failed for ValidatingAdmissionPolicy 'images' with binding 'images': bad images: busybox in default of kubernetes-admin\npod/a created\n"},
		{"kubectl patch validatingadmissionpolicybinding images --type merge -p '{\"spec\":{\"validationActions\":[\"Deny\"]}}' >/dev/null; kubectl run b --image=busybox",
			"Error from server (Forbidden): pods \"b\" is forbidden: ValidatingAdmissionPolicy 'images' with binding 'images' denied request: bad images: busybox in default of kubernetes-admin\n"},
		{"kubectl run c --image=nginx; kubectl delete pod a --now", "pod/c created\npod \"a\" deleted from default namespace\n"},
		{"kubectl run d --image=nginx -n kube-system", "The pods \"d\" is invalid: : ValidatingAdmissionPolicy 'images' with binding 'images' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction\n"},
		{"kubectl patch configmap limits -p '{\"data\":{\"max\":\"none\"}}' >/dev/null; kubectl run d --image=nginx",
			"The pods \"d\" is invalid: : ValidatingAdmissionPolicy 'images' with binding 'images' denied request: expression 'int(params.data.max) >= size(object.spec.containers)' resulted in error: strconv.ParseInt: parsing \"none\": invalid syntax\n"},
		{"kubectl patch validatingadmissionpolicy images --type merge -p '{\"spec\":{\"failurePolicy\":\"Ignore\"}}' >/dev/null; kubectl run d --image=nginx", "pod/d created\n"},
		{"kubectl run e --image=nginx --labels=exempt=yes --dry-run=server; kubectl auth can-i create pods", "pod/e created (server dry run)\nyes\n"},
		{"kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings --no-headers | awk '{print $1, $2, $3}'", "validatingadmissionpolicy.admissionregistration.k8s.io/images 2 v1/ConfigMap\n" +
			"validatingadmissionpolicybinding.admissionregistration.k8s.io/images images */limits\nvalidatingadmissionpolicybinding.admissionregistration.k8s.io/replicas-test replicas <unset>\n"},

		{"kubectl apply -f bad-policy.yaml", "The ValidatingAdmissionPolicy \"bad\" is invalid: \n" +
			"* spec.validations[0].expression: Invalid value: \"object.replicas >\": compilation failed: ERROR: <input>:1:18: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | object.replicas >\n | .................^\n" +
			"* spec.validations[1].expression: Invalid value: \"object.spec.replicas\": must evaluate to bool\n" +
			"* spec.validations[2].expression: Invalid value: \"params.x == 1\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n | params.x == 1\n | ^\n" +
			"* spec.validations[2].messageExpression: Invalid value: \"1\": must evaluate to string\n"},
		{"sed -i 's/object.replicas >/object.replicas > 1/; s/\"object.spec.replicas\"/\"object.spec.template.spec.containers.all(c, c.image > 1)\"/; s/params.x/request.uid/; s/\"1\"/string(1)/' bad-policy.yaml; sed 's/request.uid/request.name.size()/' bad-policy.yaml | kubectl apply -f -; sleep 1; kubectl get validatingadmissionpolicy bad -o jsonpath='{.status.typeChecking.expressionWarnings[*].warning}'",
			"validatingadmissionpolicy.admissionregistration.k8s.io/bad created\n" +
				"apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^ apps/v1, Kind=Deployment: ERROR: <input>:1:53: found no matching overload for '_>_' applied to '(string, int)'\n | object.spec.template.spec.containers.all(c, c.image > 1)\n | ....................................................^"},
		{"kubectl apply -f bad-policy.yaml 2>&1 | head -1", "The ValidatingAdmissionPolicy \"bad\" is invalid: spec.validations[2].expression: Invalid value: \"request.uid == 1\": compilation failed: ERROR: <input>:1:8: undefined field 'uid'\n"},
	} {
		if got := do(t, m, "1", x.line); got != x.want {
			t.Errorf("$ %s\n got %s\nwant %s", x.line, strings.ReplaceAll(got, "\n", "\n     "), strings.ReplaceAll(x.want, "\n", "\n     "))
		}
	}
}
