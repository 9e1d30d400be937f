package sim

import "testing"

// What readers see of mistakes, in the words of a v1.36 control plane and kubelet.
func TestMistakes(t *testing.T) {
	const definition = `kubectl apply -f - <<X
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab}
  versions:
  - name: v1
    served: true
    storage: true
    selectableFields: [{jsonPath: .spec.size}]
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}, mode: {type: string, enum: [a]}}, x-kubernetes-validations: [{rule: "self.mode == 'a'", message: no mode, fieldPath: .mode}]}}}}
---
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: one}
spec: {size: 3, mode: a}
X
`
	runScript(t, Options{Seed: 1}, []scriptStep{
		{"kubectl run web --image=nginx:1.27; kubectl run old --image=busybox:1.28 --command -- sleep 3600; kubectl run far --image=nginx:1.27 --overrides='{\"spec\":{\"nodeSelector\":{\"a\":\"b\"}}}'; kubectl wait --for=condition=Ready pod/web pod/old", "-"},
		// streams
		{"kubectl create role r --verb=get,list --resource=pods; kubectl create rolebinding r --role=r --user=bob", "-"},
		{"kubectl exec web --as=bob -- ls", "error: unable to upgrade connection: pods \"web\" is forbidden: User \"bob\" cannot create resource \"pods/exec\" in API group \"\" in the namespace \"default\"\n"},
		{"kubectl port-forward web 8080:80 --as=bob", "error: error upgrading connection: unable to upgrade connection: pods \"web\" is forbidden: User \"bob\" cannot create resource \"pods/portforward\" in API group \"\" in the namespace \"default\"\n"},
		{"kubectl exec far -- ls", "error: unable to upgrade connection: pod far does not have a host assigned\n"},
		{"kubectl get cs 2>/dev/null; kubectl get cs nope", "NAME                 STATUS    MESSAGE   ERROR\ncontroller-manager   Healthy   ok        \netcd-0               Healthy   ok        \nscheduler            Healthy   ok        \nWarning: v1 ComponentStatus is deprecated in v1.19+\nError from server (NotFound): componentstatus \"nope\" not found\n"},
		{"kubectl get clusterrole view -o jsonpath={.aggregationRule}", "{\"clusterRoleSelectors\":[{\"matchLabels\":{\"rbac.authorization.k8s.io/aggregate-to-view\":\"true\"}}]}"},
		// names
		{"kubectl exec old -- nslookup kubernetes.default", "Server:    10.96.0.10\nAddress 1: 10.96.0.10 kube-dns.kube-system.svc.cluster.local\n\nName:      kubernetes.default\nAddress 1: 10.96.0.1 kubernetes.default.svc.cluster.local\n"},
		{"kubectl exec old -- nslookup nope | tail -1", "nslookup: can't resolve 'nope'\ncommand terminated with exit code 1\n\n"},
		// kinds in lower case
		{"printf 'apiVersion: v1\\nkind: pod\\nmetadata: {name: x}\\n' > x.yaml; kubectl create -f x.yaml", "~ Error from server (BadRequest): error when creating \"x.yaml\": pod in version \"v1\" cannot be handled as a Pod: no kind \"pod\" is registered for version \"v1\" in scheme"},
		// custom resources
		{definition, "-"},
		{"sleep 2; " + definition, "~ crontab.stable.example.com/one created"},
		{"kubectl get crontabs --field-selector spec.size=3 -o name; kubectl get crontabs --field-selector spec.size=4 -o name", "crontab.stable.example.com/one\n"},
		{`kubectl patch crontab one --type=merge -p '{"metadata":{"labels":{"a":"b c"}}}'`, "~ The CronTab \"one\" is invalid: metadata.labels: Invalid value: \"b c\": a valid label must be an empty string"},
		{`kubectl patch crontab one --type=merge -p '{"spec":{"mode":null}}'`, "The CronTab \"one\" is invalid: spec: Invalid value: \"object\": no such key: mode evaluating rule: no mode\n"},
		{`kubectl patch crontab one --type=merge -p '{"spec":{"mode":"b"}}'`, "~ * spec.mode: Unsupported value: \"b\": supported values: \"a\"\n* <nil>: Invalid value: null: some validation rules were not checked"},
		// admission
		{"kubectl run rc --image=nginx:1.27 --overrides='{\"spec\":{\"runtimeClassName\":\"nope\"}}'", "Error from server (Forbidden): pods \"rc\" is forbidden: pod rejected: RuntimeClass \"nope\" not found\n"},
		{"kubectl label ns default pod-security.kubernetes.io/enforce=some", "The Namespace \"default\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"some\": must be one of privileged, baseline, restricted\n"},
		{"kubectl label ns default pod-security.kubernetes.io/warn-version=v9", "The Namespace \"default\" is invalid: metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \"v9\": must be \"latest\" or \"v1.x\"\n"},
		{"kubectl expose pod web --port=80 --external-ip=1.2.3.4", "~ Warning: spec.externalIPs is deprecated and may no longer be implemented in some clusters"},
		{`kubectl patch svc web -p '{"spec":{"clusterIP":"10.96.0.77"}}'`, "~ spec.clusterIPs[0]: Invalid value: [\"10.96.0.77\"]: may not change once set"},
		{`kubectl patch pod web --type=json -p '[{"op":"replace","path":"/metadata/labels/new","value":"x"}]'`, "pod/web patched\n"},
		{`kubectl patch pod web --subresource=resize -p '{"spec":{"containers":[{"name":"web","resources":{"requests":{"cpu":"500"}}}]}}'`, "~ Pod QOS Class may not change as a result of resizing"},
		// kustomize
		{"mkdir -p k l; printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: c}\\n' > k/c.yaml; printf 'resources: [../k/c.yaml]\\n' > l/kustomization.yaml; printf 'namespace: nope\\nresources: [c.yaml]\\n' > k/kustomization.yaml; kubectl apply -k k", "Error from server (NotFound): error when creating \"k\": namespaces \"nope\" not found\n"},
		{"kubectl apply -k l", "error: accumulating resources: accumulation err='accumulating resources from '../k/c.yaml': security; file '/home/reader/k/c.yaml' is not in or below '/home/reader/l'': must build at directory: '/home/reader/k/c.yaml': file is not directory\n"},
		// drain
		{"kubectl run v --image=nginx:1.27 --overrides='{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}}'; kubectl create deployment d --image=nginx:1.27; kubectl create pdb d --selector=app=d --min-available=1; kubectl rollout status deployment d", "-"},
		{"kubectl drain kind-control-plane 2>&1 | tail -2", "cannot delete Pods that declare no controller (use --force to override): default/old, default/web\ncannot delete Pods with local storage (use --delete-emptydir-data to override): default/v\n"},
		{"kubectl drain kind-control-plane --force --delete-emptydir-data --ignore-daemonsets --timeout=7s 2>&1 | grep -E '^(pod/web|error when.*global)' | sed 's/d-[a-z0-9]*-[a-z0-9]*/d-X/'", "pod/web evicted\nerror when evicting pods/\"d-X\" -n \"default\": global timeout reached: 7s\n"},
	})
}

// https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#manually-create-a-long-lived-api-token-for-a-serviceaccount
func TestSecretToken(t *testing.T) {
	const secret = `printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: %s, annotations: {kubernetes.io/service-account.name: %s}}\ntype: kubernetes.io/service-account-token\n' `
	runScript(t, Options{Seed: 1}, []scriptStep{
		{"kubectl create sa robot; kubectl create rolebinding r --clusterrole=view --serviceaccount=default:robot; " + secret + "key robot | kubectl apply -f -; " + secret + "lost nobody | kubectl apply -f -; sleep 1", "-"},
		{"kubectl get secrets --no-headers | awk '{print $1,$2,$3}'", "key kubernetes.io/service-account-token 3\n"},
		{"T=$(kubectl get secret key -o jsonpath={.data.token} | base64 -d); kubectl --token=$T auth whoami -o jsonpath={.status.userInfo.username}; echo; kubectl --token=$T get pods; kubectl --token=$T get nodes", "system:serviceaccount:default:robot\nNo resources found in default namespace.\nError from server (Forbidden): nodes is forbidden: User \"system:serviceaccount:default:robot\" cannot list resource \"nodes\" in API group \"\" at the cluster scope\n"},
		{"kubectl delete sa robot; sleep 1; kubectl get secrets; kubectl --token=$T get pods", "serviceaccount \"robot\" deleted from default namespace\nNo resources found in default namespace.\nerror: You must be logged in to the server (Unauthorized)\n"},
	})
}
