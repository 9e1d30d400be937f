// Users who come with a certificate, as the documentation's walkthrough makes one:
// https://kubernetes.io/docs/tasks/tls/certificate-issue-client-csr/

package sim

import (
	"testing"
	"time"
)

func TestCertificateUser(t *testing.T) {
	m := newMachine(t, Options{})
	for _, x := range []struct {
		line, want string
		late       bool // a day later
	}{
		{"openssl genrsa -out ann.key 3072; openssl req -new -key ann.key -out ann.csr -subj /CN=ann/O=dev; openssl req -in ann.csr -noout -subject", "subject=CN = ann, O = dev\n", false},
		{`printf 'apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata:\n  name: %s\nspec:\n  request: %s\n  signerName: %s\n  expirationSeconds: 86400\n  usages: [client auth]\n' ann "$(base64 <ann.csr | tr -d '\n')" kubernetes.io/kube-apiserver-client >ann.yaml; kubectl apply -f ann.yaml`,
			"certificatesigningrequest.certificates.k8s.io/ann created\n", false},
		{"kubectl get csr --no-headers | awk '{print $1, $3, $4, $5, $6}'", "ann kubernetes.io/kube-apiserver-client kubernetes-admin 24h Pending\n", false},
		{"kubectl certificate approve ann; sleep 1; kubectl get csr --no-headers | awk '{print $6}'", "certificatesigningrequest.certificates.k8s.io/ann approved\nApproved,Issued\n", false},
		{"kubectl get csr ann -o jsonpath='{.status.certificate}' | base64 -d >ann.crt; openssl x509 -in ann.crt -noout -subject -issuer", "subject=CN = ann, O = dev\nissuer=CN = kubernetes\n", false},
		{"kubectl config set-credentials ann --client-key=ann.key --client-certificate=ann.crt --embed-certs=true; kubectl config set-context ann --cluster=kind-kind --user=ann", "User \"ann\" set.\nContext \"ann\" created.\n", false},
		{"kubectl --context ann auth whoami -o jsonpath='{.status.userInfo}'", `{"groups":["dev","system:authenticated"],"username":"ann"}`, false},
		{"kubectl --context ann get pods", "Error from server (Forbidden): pods is forbidden: User \"ann\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"\n", false},
		{"kubectl create role r --verb=list --resource=pods >/dev/null; kubectl create rolebinding b --role=r --group=dev >/dev/null; kubectl --context ann get pods", "No resources found in default namespace.\n", false},
		// nobody else's signature counts, and nobody is who they do not show
		{"openssl req -x509 -nodes -newkey rsa:2048 -keyout e.key -out e.crt -subj /CN=ann/O=system:masters 2>/dev/null; kubectl --context ann --client-certificate=e.crt get pods", "error: You must be logged in to the server (Unauthorized)\n", false},
		{"kubectl config set-credentials nobody >/dev/null; kubectl --user nobody get pods", "Error from server (Forbidden): pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"\n", false},
		{"kubectl --token=x get pods", "error: You must be logged in to the server (Unauthorized)\n", false},
		{"kubectl --token=$(kubectl create token default) auth whoami -o jsonpath={.status.userInfo.username}", "system:serviceaccount:default:default", false},
		// a day later it has expired; the request went an hour after it was approved
		{"kubectl --context ann get pods; kubectl get csr", "error: You must be logged in to the server (Unauthorized)\nNo resources found\n", true},
		{"sed s/kube-apiserver-client/kubelet-serving/ ann.yaml | kubectl create -f - >/dev/null; kubectl certificate approve ann >/dev/null; sleep 1; kubectl get csr ann -o jsonpath='{.status.conditions[1].type}: {.status.conditions[1].message}'", "Failed: requesting user is not the node named in the subject", false},
		{"sed 's/name: ann/name: mine/; s#kubernetes.io/kube-apiserver-client#example.com/mine#' ann.yaml | kubectl create -f - >/dev/null; kubectl certificate approve mine >/dev/null; sleep 60; kubectl get csr mine --no-headers | awk '{print $6}'", "Approved\n", false},
		{"openssl req -new -key ann.key -out m.csr -subj /CN=x/O=system:masters; sed \"s/name: ann/name: m/; s/request: .*/request: $(base64 <m.csr | tr -d '\\n')/\" ann.yaml | kubectl create -f -", "Error from server (Forbidden): error when creating \"STDIN\": certificatesigningrequests.certificates.k8s.io \"m\" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed\n", false},
		{"openssl req -new -key ann.key -out n.csr -subj /CN=system:node:n1/O=system:nodes; sed \"s/name: ann/name: node/; s/request: .*/request: $(base64 <n.csr | tr -d '\\n')/; s/apiserver-client/apiserver-client-kubelet/; s/client auth/digital signature, client auth/\" ann.yaml | kubectl create -f - >/dev/null; sleep 1; kubectl get csr node --no-headers | awk '{print $6}'", "Approved,Issued\n", false},
	} {
		if x.late {
			m.Jump(m.Now().Add(25*time.Hour), func() bool { return false })
		}
		if got := do(t, m, "1", x.line); got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
}
