// This file is the strategy of certificate signing requests.

package resource

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation/field"

	certificatesv1 "github.com/kubonsai/kubonsai/sim/api/certificates/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	"github.com/kubonsai/kubonsai/sim/api/duration"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/validation"
	"github.com/kubonsai/kubonsai/sim/pki"
)

const legacySigner = "kubernetes.io/legacy-unknown"

// keyUsages are what a certificate may be asked for, sorted.
var keyUsages = []string{"any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
	"decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user",
	"key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping"}

func init() {
	Register("certificatesigningrequests.certificates.k8s.io", &Strategy{
		PrepareForCreate: func(c *Context, obj metav1.Object) {
			r := obj.(*certificatesv1.CertificateSigningRequest)
			s := &r.Spec
			s.Username, s.UID, s.Groups, s.Extra = "", "", nil, nil
			if u := c.User; u != nil {
				s.Username, s.UID, s.Groups = u.Name, u.UID, u.Groups
				for k, v := range u.Extra {
					if s.Extra == nil {
						s.Extra = map[string]certificatesv1.ExtraValue{}
					}
					s.Extra[k] = v
				}
			}
			r.Status = certificatesv1.CertificateSigningRequestStatus{}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			r, old := obj.(*certificatesv1.CertificateSigningRequest), oldObj.(*certificatesv1.CertificateSigningRequest)
			r.Spec, r.Status = old.Spec, old.Status
		},
		PrepareForStatusUpdate: func(c *Context, obj, oldObj metav1.Object) {
			r, old := obj.(*certificatesv1.CertificateSigningRequest), oldObj.(*certificatesv1.CertificateSigningRequest)
			r.Spec = old.Spec
			stampConditions(c, r, old)
		},
		Validate: func(c *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, false, func(string) []string { return nil })}
			v.signingRequest(c, obj.(*certificatesv1.CertificateSigningRequest), nil)
			return v.errs
		},
		ValidateUpdate: func(c *Context, obj, old metav1.Object) field.ErrorList {
			return validateRequestUpdate(c, obj, old, "")
		},
		ValidateStatusUpdate: func(c *Context, obj, old metav1.Object) field.ErrorList {
			return validateRequestUpdate(c, obj, old, "status")
		},
		Fields: func(obj metav1.Object) fields.Set {
			return fields.Set{"spec.signerName": obj.(*certificatesv1.CertificateSigningRequest).Spec.SignerName}
		},
		FieldNames: []string{"spec.signerName"},
		Columns: []column{
			nameColumn(),
			ageColumn(),
			text("SignerName", "Who is asked to sign."),
			text("Requestor", "Who asks."),
			text("RequestedDuration", "How long the certificate shall be valid."),
			text("Condition", "What has become of the request."),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			r := obj.(*certificatesv1.CertificateSigningRequest)
			wanted := none
			if s := r.Spec.ExpirationSeconds; s != nil {
				wanted = duration.HumanDuration(time.Duration(*s) * time.Second)
			}
			condition := "Pending"
			switch {
			case len(requestConditions(r, certificatesv1.CertificateDenied)) > 0:
				condition = "Denied"
			case len(requestConditions(r, certificatesv1.CertificateApproved)) > 0:
				condition = "Approved"
			}
			if len(requestConditions(r, certificatesv1.CertificateFailed)) > 0 {
				condition += ",Failed"
			}
			if len(r.Status.Certificate) > 0 {
				condition += ",Issued"
			}
			return []any{r.Name, age(r, now), r.Spec.SignerName, r.Spec.Username, wanted, condition}
		},
	})
}

// PrepareForApproval lets nothing but the conditions of a certificate signing
// request change.
func PrepareForApproval(c *Context, obj, oldObj metav1.Object) {
	r, old := obj.(*certificatesv1.CertificateSigningRequest), oldObj.(*certificatesv1.CertificateSigningRequest)
	stampConditions(c, r, old)
	conditions := r.Status.Conditions
	r.Spec, r.Status = old.Spec, old.Status
	r.Status.Conditions = conditions
}

// ValidateApproval validates what PrepareForApproval has left.
func ValidateApproval(c *Context, obj, old metav1.Object) field.ErrorList {
	return validateRequestUpdate(c, obj, old, "approval")
}

func requestConditions(r *certificatesv1.CertificateSigningRequest, kind certificatesv1.RequestConditionType) (out []certificatesv1.CertificateSigningRequestCondition) {
	for _, c := range r.Status.Conditions {
		if c.Type == kind {
			out = append(out, c)
		}
	}
	return out
}

// stampConditions dates the conditions that the client has not.
func stampConditions(c *Context, r, old *certificatesv1.CertificateSigningRequest) {
	now := metav1.NewTime(c.Now)
	r.Status.Conditions = slices.Clone(r.Status.Conditions)
	for i := range r.Status.Conditions {
		o := &r.Status.Conditions[i]
		if o.LastUpdateTime.IsZero() {
			o.LastUpdateTime = now
		}
		if !o.LastTransitionTime.IsZero() {
			continue
		}
		o.LastTransitionTime = now
		for _, before := range requestConditions(old, o.Type) {
			if before.Status == o.Status && !before.LastTransitionTime.IsZero() {
				o.LastTransitionTime = before.LastTransitionTime
				break
			}
		}
	}
}

func (v *validator) signingRequest(c *Context, r, old *certificatesv1.CertificateSigningRequest) {
	check := func(request []byte) error {
		_, err := pki.ParseRequest(request)
		return err
	}
	if c.CheckRequest != nil {
		check = c.CheckRequest
	}
	s := &r.Spec
	if err := check(s.Request); err != nil {
		v.invalid(specPath.Child("request"), s.Request, err.Error())
	}
	if len(s.Usages) == 0 {
		v.required(specPath.Child("usages"), "")
	}
	for i, u := range s.Usages {
		if p := specPath.Child("usages").Index(i); !slices.Contains(keyUsages, string(u)) {
			v.errs = append(v.errs, field.NotSupported(p, u, keyUsages))
		}
	}
	for i, u := range s.Usages {
		if slices.Contains(s.Usages[:i], u) {
			v.duplicate(specPath.Child("usages").Index(i), u)
		}
	}
	if p := specPath.Child("signerName"); s.SignerName == legacySigner {
		v.invalid(p, s.SignerName, "the legacy signerName is not allowed via this API version")
	} else {
		v.signerName(p, s.SignerName)
	}
	if e := s.ExpirationSeconds; e != nil && *e < 600 {
		v.invalid(specPath.Child("expirationSeconds"), *e, "may not specify a duration less than 600 seconds (10 minutes)")
	}
	const exclusive = "Approved and Denied conditions are mutually exclusive"
	seen := map[certificatesv1.RequestConditionType]bool{}
	for i, o := range r.Status.Conditions {
		p := statusPath.Child("conditions").Index(i)
		if o.Type == "" {
			v.required(p.Child("type"), "")
		}
		allowed := []string{"False", "True", "Unknown"}
		switch o.Type {
		case certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed:
			allowed = []string{"True"}
		}
		if o.Status == "" {
			v.required(p.Child("status"), "")
		} else if !slices.Contains(allowed, string(o.Status)) {
			v.errs = append(v.errs, field.NotSupported(p.Child("status"), o.Status, allowed))
		}
		if o.Type == certificatesv1.CertificateApproved && seen[certificatesv1.CertificateDenied] ||
			o.Type == certificatesv1.CertificateDenied && seen[certificatesv1.CertificateApproved] {
			v.invalid(p.Child("type"), o.Type, exclusive)
		}
		if seen[o.Type] {
			v.duplicate(p.Child("type"), o.Type)
		}
		seen[o.Type] = true
	}
	if cert := r.Status.Certificate; len(cert) > 0 && (old == nil || !bytes.Equal(cert, old.Status.Certificate)) {
		if kind, _ := pki.Block(cert); kind != "CERTIFICATE" {
			problem := "must contain at least one PEM block"
			if kind != "" {
				problem = fmt.Sprintf("only CERTIFICATE PEM blocks are allowed, found %q", kind)
			}
			v.invalid(statusPath.Child("certificate"), "<certificate data>", problem)
		}
	}
}

// signerName requires example.com/name.
func (v *validator) signerName(p *field.Path, name string) {
	if name == "" {
		v.required(p, "")
		return
	}
	domain, path, ok := strings.Cut(name, "/")
	if !ok || strings.Contains(path, "/") {
		v.invalid(p, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")
		return
	}
	const longest = validation.DNS1123SubdomainMaxLength
	if len(domain) > longest {
		v.errs = append(v.errs, field.TooLong(p, "", longest))
	}
	labels := func(text string, check nameCheck) {
		for label := range strings.SplitSeq(text, ".") {
			if errs := check(label); len(errs) > 0 {
				for _, e := range errs {
					v.invalid(p, text, fmt.Sprintf("validating label %q: %s", label, e))
				}
				return
			}
		}
	}
	labels(domain, dnsLabel)
	if !strings.Contains(domain, ".") {
		v.invalid(p, domain, "should be a domain with at least two segments separated by dots")
	}
	labels(path, dnsSubdomain)
	if limit := longest + longest + validation.DNS1123LabelMaxLength + 2; len(name) > limit {
		v.errs = append(v.errs, field.TooLong(p, "", limit))
	}
}

func validateRequestUpdate(c *Context, obj, oldObj metav1.Object, subresource string) field.ErrorList {
	r, old := obj.(*certificatesv1.CertificateSigningRequest), oldObj.(*certificatesv1.CertificateSigningRequest)
	v := validator{errs: validateMeta(obj, false, func(string) []string { return nil })}
	v.signingRequest(c, r, old)
	p := statusPath.Child("conditions")
	kinds := []certificatesv1.RequestConditionType{certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed}
	for _, t := range kinds {
		if len(requestConditions(r, t)) < len(requestConditions(old, t)) {
			v.forbidden(p, fmt.Sprintf("updates may not remove a condition of type %q", t))
		}
	}
	if subresource != "approval" {
		for _, t := range kinds[:2] {
			switch now, before := requestConditions(r, t), requestConditions(old, t); {
			case len(now) > len(before):
				v.forbidden(p, fmt.Sprintf("updates may not add a condition of type %q", t))
			case len(now) == len(before) && !slices.EqualFunc(now, before, sameCondition):
				v.forbidden(p, fmt.Sprintf("updates may not modify a condition of type %q", t))
			}
		}
	}
	if !bytes.Equal(r.Status.Certificate, old.Status.Certificate) {
		if p := statusPath.Child("certificate"); subresource != "status" {
			v.forbidden(p, "updates may not set certificate content")
		} else if len(old.Status.Certificate) > 0 {
			v.forbidden(p, "updates may not modify existing certificate content")
		}
	}
	return append(v.errs, validateMetaUpdate(obj, oldObj)...)
}

func sameCondition(a, b certificatesv1.CertificateSigningRequestCondition) bool {
	return a.Status == b.Status && a.Reason == b.Reason && a.Message == b.Message &&
		a.LastUpdateTime.Equal(&b.LastUpdateTime) && a.LastTransitionTime.Equal(&b.LastTransitionTime)
}

// IsApproved reports whether a request for a certificate was approved and has
// not failed.
func IsApproved(r *certificatesv1.CertificateSigningRequest) bool {
	has := func(t certificatesv1.RequestConditionType) bool {
		return slices.ContainsFunc(requestConditions(r, t), func(o certificatesv1.CertificateSigningRequestCondition) bool {
			return o.Status == corev1.ConditionTrue
		})
	}
	return has(certificatesv1.CertificateApproved) && !has(certificatesv1.CertificateDenied) && !has(certificatesv1.CertificateFailed)
}
