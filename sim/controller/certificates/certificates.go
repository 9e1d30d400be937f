// Package certificates holds the controllers of certificate signing requests:
// one approves those of kubelets, one signs what was approved for a signer of
// the cluster's own, one deletes what nobody needs any more.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/
package certificates

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	authorizationv1 "github.com/kubonsai/kubonsai/sim/api/authorization/v1"
	certificatesv1 "github.com/kubonsai/kubonsai/sim/api/certificates/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
	"github.com/kubonsai/kubonsai/sim/pki"
)

const (
	latency = 10 * time.Millisecond
	// The flag --cluster-signing-duration's default, and how far certificates are dated back.
	longest  = 365 * 24 * time.Hour
	backdate = 5 * time.Minute
	// How long requests stay.
	keepPending = 24 * time.Hour
	keepDone    = time.Hour
)

// Controller is all three.
type Controller struct {
	client    *client.Client
	clock     *clock.Clock
	authority apiserver.Authority
	requests  *client.Informer[*certificatesv1.CertificateSigningRequest]
	queue     *client.Queue
	cleaning  *client.Queue
}

// New returns the controllers.
func New(c *client.Client, f *client.Factory, authority apiserver.Authority) *Controller {
	cc := &Controller{client: c, clock: f.Clock(), authority: authority,
		requests: client.InformerFor[*certificatesv1.CertificateSigningRequest](f)}
	cc.queue = client.NewQueue(f.Clock(), "certificate", latency, cc.sync)
	cc.cleaning = client.NewQueue(f.Clock(), "csr-cleaner", 0, cc.clean)
	cc.requests.OnChange(func(_, r *certificatesv1.CertificateSigningRequest) {
		if r != nil {
			cc.queue.Add(r.Name)
			cc.cleaning.AddAfter(r.Name, cc.expiry(r).Sub(cc.clock.Now()))
		}
	})
	return cc
}

func (c *Controller) sync(name string) error {
	r, ok := c.requests.Get("", name)
	if !ok {
		return nil
	}
	if len(r.Status.Certificate) == 0 && len(r.Status.Conditions) == 0 {
		return c.approve(r)
	}
	if resource.IsApproved(r) && len(r.Status.Certificate) == 0 {
		return c.sign(r)
	}
	return nil
}

// approve lets the requests of kubelets pass, if who made them may have them.
func (c *Controller) approve(r *certificatesv1.CertificateSigningRequest) error {
	request, err := pki.ParseRequest(r.Spec.Request)
	if err != nil || r.Spec.SignerName != certificatesv1.KubeAPIServerClientKubeletSignerName || forKubeletClient(request, r.Spec.Usages) != nil {
		return nil
	}
	type recognizer struct{ permission, message string }
	try := []recognizer{{"nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."}}
	if common, _ := request.Name(); common == r.Spec.Username {
		try = slices.Insert(try, 0, recognizer{"selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."})
	}
	for _, t := range try {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: r.Spec.Username, UID: r.Spec.UID, Groups: r.Spec.Groups,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Group: certificatesv1.GroupName, Version: "*",
				Resource: "certificatesigningrequests", Verb: "create", Subresource: t.permission}}}
		review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SubjectAccessReview"
		answer, err := client.Create(c.client, review)
		if err != nil {
			return err
		}
		if !answer.Status.Allowed {
			continue
		}
		return c.put(r, "approval", certificatesv1.CertificateApproved, "AutoApproved", t.message, nil)
	}
	return nil
}

// sign issues the certificate, or says why the request cannot be met. Signers
// that are not the cluster's own are left to whoever serves them.
func (c *Controller) sign(r *certificatesv1.CertificateSigningRequest) error {
	request, err := pki.ParseRequest(r.Spec.Request)
	if err != nil {
		return fmt.Errorf("unable to parse csr %q: %v", r.Name, err)
	}
	var problem error
	switch r.Spec.SignerName {
	case certificatesv1.KubeAPIServerClientSignerName:
		problem = forClient(r.Spec.Usages)
	case certificatesv1.KubeAPIServerClientKubeletSignerName:
		problem = forKubeletClient(request, r.Spec.Usages)
	case certificatesv1.KubeletServingSignerName:
		problem = forKubeletServing(request, r.Spec)
	default:
		return nil
	}
	if problem != nil {
		return c.put(r, "status", certificatesv1.CertificateFailed, "SignerValidationFailure", problem.Error(), nil)
	}
	lifetime := longest
	if s := r.Spec.ExpirationSeconds; s != nil {
		lifetime = min(lifetime, time.Duration(*s)*time.Second)
	}
	now := c.clock.Now()
	certificate, err := c.authority.Sign(r.Spec.Request, r.Spec.Usages, now.Add(-backdate), now.Add(lifetime))
	if err != nil {
		return fmt.Errorf("error auto signing csr: %v", err)
	}
	return c.put(r, "status", "", "", "", certificate)
}

// put adds a condition or the certificate through a subresource.
func (c *Controller) put(r *certificatesv1.CertificateSigningRequest, subresource string, kind certificatesv1.RequestConditionType, reason, message string, certificate []byte) error {
	r = api.ShallowCopy(r).(*certificatesv1.CertificateSigningRequest)
	if kind != "" {
		r.Status.Conditions = append(slices.Clone(r.Status.Conditions), certificatesv1.CertificateSigningRequestCondition{
			Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastUpdateTime: metav1.NewTime(c.clock.Now())})
	}
	if certificate != nil {
		r.Status.Certificate = certificate
	}
	_, err := client.UpdateSubresource(c.client, r, subresource)
	return err
}

// forClient judges the usages of a certificate for a client of the API server.
func forClient(usages []certificatesv1.KeyUsage) error {
	for _, u := range usages {
		switch u {
		case certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment, certificatesv1.UsageClientAuth:
		default:
			return fmt.Errorf("invalid usage for client certificate: %s", u)
		}
	}
	if !slices.Contains(usages, certificatesv1.UsageClientAuth) {
		return fmt.Errorf("missing required usage for client certificate: %s", certificatesv1.UsageClientAuth)
	}
	return nil
}

const nodePrefix = "system:node:"

// forKubelet is what both kinds of kubelets' certificates must be.
func forKubelet(r *pki.Request, usages []certificatesv1.KeyUsage, purpose certificatesv1.KeyUsage) error {
	common, organizations := r.Name()
	if !slices.Equal(organizations, []string{"system:nodes"}) {
		return errors.New("subject organization is not system:nodes")
	}
	if !strings.HasPrefix(common, nodePrefix) {
		return errors.New("subject common name does not begin with " + nodePrefix)
	}
	if len(r.Names.Emails) > 0 {
		return errors.New("Email subjectAltNames are not allowed")
	}
	if len(r.Names.URIs) > 0 {
		return errors.New("URI subjectAltNames are not allowed")
	}
	full := []string{string(purpose), string(certificatesv1.UsageDigitalSignature), string(certificatesv1.UsageKeyEncipherment)}
	slices.Sort(full)
	have := make([]string, len(usages))
	for i, u := range usages {
		have[i] = string(u)
	}
	slices.Sort(have)
	if without := slices.DeleteFunc(slices.Clone(full), func(s string) bool { return s == string(certificatesv1.UsageKeyEncipherment) }); !slices.Equal(have, full) && !slices.Equal(have, without) {
		return fmt.Errorf("usages did not match %v", full)
	}
	return nil
}

func forKubeletClient(r *pki.Request, usages []certificatesv1.KeyUsage) error {
	switch {
	case len(r.Names.DNS) > 0:
		return errors.New("DNS subjectAltNames are not allowed")
	case len(r.Names.Addresses) > 0:
		return errors.New("IP subjectAltNames are not allowed")
	}
	return forKubelet(r, usages, certificatesv1.UsageClientAuth)
}

func forKubeletServing(r *pki.Request, s certificatesv1.CertificateSigningRequestSpec) error {
	if common, _ := r.Name(); s.Username != common {
		return errors.New("requesting user is not the node named in the subject")
	}
	if len(r.Names.DNS)+len(r.Names.Addresses) == 0 {
		return errors.New("DNS or IP subjectAltName is required")
	}
	return forKubelet(r, s.Usages, certificatesv1.UsageServerAuth)
}

// expiry is when a request is deleted.
func (c *Controller) expiry(r *certificatesv1.CertificateSigningRequest) time.Time {
	for _, o := range r.Status.Conditions {
		switch o.Type {
		case certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed:
			return o.LastUpdateTime.Add(keepDone)
		}
	}
	return r.CreationTimestamp.Add(keepPending)
}

func (c *Controller) clean(name string) error {
	r, ok := c.requests.Get("", name)
	if !ok {
		return nil
	}
	if left := c.expiry(r).Sub(c.clock.Now()); left > 0 {
		c.cleaning.AddAfter(name, left)
		return nil
	}
	err := client.Delete[*certificatesv1.CertificateSigningRequest](c.client, "", name, client.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
