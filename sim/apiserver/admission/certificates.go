// This file guards certificate signing requests: who may approve and sign for a
// signer, and that nobody asks to become an administrator whom nothing can stop.

package admission

import (
	"slices"

	certificatesv1 "github.com/kubonsai/kubonsai/sim/api/certificates/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/pki"
)

const signingRequests = "certificatesigningrequests.certificates.k8s.io"

// mayAsSigner asks for a verb on the signer, or on all signers of its domain.
func mayAsSigner(a *attributes, verb, signer string) bool {
	domain := signer
	for i := range signer {
		if signer[i] == '/' {
			domain = signer[:i] + "/*"
			break
		}
	}
	for _, name := range []string{signer, domain} {
		if ok, _ := a.Authorize(apiserver.AccessAttributes{User: a.User, Verb: verb, Group: certificatesv1.GroupName, Version: "*", Resource: "signers", Name: name}); ok {
			return true
		}
	}
	return false
}

// CertificateApproval is described at the top of its file.
var CertificateApproval = Plugin{
	Name: "CertificateApproval",
	Validate: func(a *apiserver.Attributes) error {
		if a.Kind.Key != signingRequests || a.Subresource != "approval" {
			return nil
		}
		if signer := a.Old.(*certificatesv1.CertificateSigningRequest).Spec.SignerName; !mayAsSigner(a, "approve", signer) {
			return forbid(a, "user not permitted to approve requests with signerName %q", signer)
		}
		return nil
	},
}

// CertificateSigning is described at the top of its file.
var CertificateSigning = Plugin{
	Name: "CertificateSigning",
	Validate: func(a *apiserver.Attributes) error {
		if a.Kind.Key != signingRequests || a.Subresource != "status" {
			return nil
		}
		r, old := a.Object.(*certificatesv1.CertificateSigningRequest), a.Old.(*certificatesv1.CertificateSigningRequest)
		if slices.Equal(r.Status.Certificate, old.Status.Certificate) && len(r.Status.Conditions) == len(old.Status.Conditions) {
			return nil
		}
		if signer := old.Spec.SignerName; !mayAsSigner(a, "sign", signer) {
			return forbid(a, "user not permitted to sign requests with signerName %q", signer)
		}
		return nil
	},
}

// CertificateSubjectRestriction is described at the top of its file.
var CertificateSubjectRestriction = Plugin{
	Name: "CertificateSubjectRestriction",
	Validate: func(a *apiserver.Attributes) error {
		if !is(a, apiserver.Create, signingRequests) {
			return nil
		}
		s := a.Object.(*certificatesv1.CertificateSigningRequest).Spec
		if s.SignerName != certificatesv1.KubeAPIServerClientSignerName {
			return nil
		}
		r, err := pki.ParseRequest(s.Request)
		if err != nil {
			return forbid(a, "failed to parse CSR: %v", err)
		}
		if _, organizations := r.Name(); slices.Contains(organizations, "system:masters") {
			return forbid(a, "use of %s signer with system:masters group is not allowed", s.SignerName)
		}
		return nil
	},
}
