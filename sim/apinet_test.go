package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestMachine goes over what a reader meets on the way: their own files, the
// API server on the network, heartbeats that nobody writes.
func TestMachine(t *testing.T) {
	c, err := New(Options{Seed: 1, ImagesPresent: true, Files: map[string][]byte{"a.txt": []byte("one\n")},
		Log: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, "1", "kubectl run box --image=curlimages/curl:8.5.0 --command -- sleep 36000; kubectl wait --for=condition=Ready pod/box")
	do(t, c, "1", "kubectl create deployment web --image=nginx:1.27; kubectl wait --for=condition=Available deploy/web")
	const token = `-H "Authorization: Bearer $(cat /var/run/secrets/kubernetes.io/serviceaccount/token)"`
	for _, x := range []struct{ line, want string }{
		{"sed -i s/one/two/ a.txt; cat a.txt", "two\n"},
		{"mkdir -p d/e; echo x > d/e/f; echo y > /tmp/z; cat d/e/f /tmp/z", "x\ny\n"},
		{"echo x > /etc/motd", "bash: /etc/motd: Permission denied\n"},
		{`kubectl port-forward deploy/web 8080:80 > pf.log & sleep 1; curl -s localhost:8080 | grep -c Welcome; kill $!; wait; cat pf.log`,
			"2\nForwarding from 127.0.0.1:8080 -> 80\nForwarding from [::1]:8080 -> 80\nHandling connection for 8080\n"},
		{"kubectl exec box -- curl -sk https://kubernetes.default.svc/api | grep message", `  "message": "forbidden: User \"system:anonymous\" cannot get path \"/api\"",` + "\n"},
		{"kubectl exec box -- curl -sk https://kubernetes.default.svc/version | grep gitVersion", `  "gitVersion": "v1.36.2",` + "\n"},
		{"kubectl exec box -- curl -s --cacert /var/run/secrets/kubernetes.io/serviceaccount/ca.crt https://kubernetes.default.svc/version | grep gitVersion", `  "gitVersion": "v1.36.2",` + "\n"},
		{"kubectl exec box -- curl -s https://kubernetes.default.svc/version; kubectl exec box -- curl -sS https://kubernetes.default.svc 2>&1 | head -1; kubectl exec box -- curl -sS --cacert none https://kubernetes.default.svc",
			"command terminated with exit code 60\ncurl: (60) SSL certificate problem: unable to get local issuer certificate\ncurl: (77) error setting certificate file: none\ncommand terminated with exit code 77\n"},
		{"kubectl get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}' | openssl x509 -noout -subject", "subject=CN = kubernetes\n"},
		{"kubectl exec box -- curl -s http://kubernetes.default.svc:443/", "Client sent an HTTP request to an HTTPS server.\n"},
		{"kubectl exec box -- sh -c 'curl -sk " + token + " https://kubernetes.default.svc/api/v1/pods' | grep message",
			`  "message": "pods is forbidden: User \"system:serviceaccount:default:default\" cannot list resource \"pods\" in API group \"\" at the cluster scope",` + "\n"},
		{"curl -sk -H 'Authorization: Bearer x' https://127.0.0.1:6443/api | grep reason", `  "reason": "Unauthorized",` + "\n"},
		{"kubectl get endpoints web", "Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\nError from server (NotFound): endpoints \"web\" not found\n"},
		{"kubectl create deployment web --image=nginx", "error: failed to create deployment: deployments.apps \"web\" already exists\n"},
		{"kubectl exec box -- cat /nope", "cat: can't open '/nope': No such file or directory\ncommand terminated with exit code 1\n"},
		{"kubectl exec box -- rm /nope", "rm: can't remove '/nope': No such file or directory\ncommand terminated with exit code 1\n"},
		{"kubectl exec box -- nslookup kubernetes | grep -c NXDOMAIN", "command terminated with exit code 1\n4\n"},
		{"kubectl cp a.txt box:/tmp/b.txt; kubectl exec box -- cat /tmp/b.txt", "two\n"},
	} {
		if got := do(t, c, "1", x.line); got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
	// Days pass at once, and the node has spoken a moment ago.
	c.JumpTo(c.Now().Add(90 * time.Hour))
	now := fmt.Sprint(c.Now().Unix())
	for _, x := range []struct {
		line  string
		limit int
	}{
		{`echo $(( ` + now + ` - $(date -d "$(kubectl get lease -n kube-node-lease kind-control-plane -o jsonpath='{.spec.renewTime}')" +%s) ))`, 11},
		{`echo $(( ` + now + ` - $(date -d "$(kubectl get node kind-control-plane -o jsonpath='{.status.conditions[3].lastHeartbeatTime}')" +%s) ))`, 301},
	} {
		var age int
		out := do(t, c, "1", x.line)
		if _, err := fmt.Sscan(strings.TrimSpace(out), &age); err != nil || age < 0 || age > x.limit {
			t.Errorf("$ %s\n got %q, want at most %d", x.line, out, x.limit)
		}
	}
}

// https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken
func TestPodTokens(t *testing.T) {
	const claims = `cut -d. -f2 | base64 -d 2>/dev/null | jq -c '[.aud[0], .exp - .iat, ."kubernetes.io".pod.name]'`
	runScript(t, Options{Seed: 1}, []scriptStep{
		{`kubectl apply -f - <<X
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers: [{name: c, image: busybox, command: [sleep, "3600"], volumeMounts: [{name: t, mountPath: /t}]}]
  volumes: [{name: t, projected: {sources: [{serviceAccountToken: {path: tok, audience: vault, expirationSeconds: 7200}}]}}]
X
kubectl wait --for=condition=Ready pod/p`, "pod/p created\npod/p condition met\n"},
		{"kubectl exec p -- cat /t/tok | " + claims, `["vault",7200,"p"]` + "\n"},
		{"kubectl exec p -- cat /var/run/secrets/kubernetes.io/serviceaccount/token | " + claims, `["https://kubernetes.default.svc.cluster.local",31536000,"p"]` + "\n"},
	})
}
