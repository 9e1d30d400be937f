// This file signs the certificates that clients ask for, and knows users by
// them. Inside the simulation nothing encrypts, so the cluster's own authority
// writes certificates in their true form and, for a signature, a digest that
// only it can make.

package apiserver

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	certificatesv1 "github.com/kubonsai/kubonsai/sim/api/certificates/v1"
	"github.com/kubonsai/kubonsai/sim/pki"
	"github.com/kubonsai/kubonsai/sim/rest"
	"github.com/kubonsai/kubonsai/sim/seed"
)

// Authority is the cluster's certificate authority.
type Authority interface {
	// Certificate is the authority's own, in PEM.
	Certificate() []byte
	// CheckRequest judges a request in PEM form and its signature.
	CheckRequest(request []byte) error
	// Sign issues the certificate, in PEM, that a request asks for. usages are
	// those of the CertificateSigningRequest.
	Sign(request []byte, usages []certificatesv1.KeyUsage, from, to time.Time) ([]byte, error)
}

// Authority is who signs the cluster's certificates.
func (s *Server) Authority() Authority { return s.authority }

type simulatedAuthority struct {
	secret  string
	serials *seed.Stream
}

// Certificate implements Authority. It is the same after a reload.
func (a *simulatedAuthority) Certificate() []byte {
	drawn := 0
	random := func(n int) []byte {
		out := make([]byte, 0, n+sha256.Size)
		for len(out) < n {
			drawn++
			sum := sha256.Sum256(fmt.Appendf(nil, "ca key %s %d", a.secret, drawn))
			out = append(out, sum[:]...)
		}
		return out[:n]
	}
	name, _ := pki.Name("/CN=kubernetes")
	from := time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC)
	c := pki.SelfSigned(pki.NewRequest(name, pki.NewKey(2048, random), pki.ParseNames("DNS:kubernetes")), []byte{1}, from, from.AddDate(10, 0, 0))
	c.KeyUsages = 0xa4 // digital signature, key encipherment, certificates
	return []byte(pki.PEM("CERTIFICATE", c.Encode(a.digest)))
}

// CheckRequest implements Authority; requests made in the simulation carry no
// signature that could be checked.
func (*simulatedAuthority) CheckRequest(request []byte) error {
	_, err := pki.ParseRequest(request)
	return err
}

// Sign implements Authority.
func (a *simulatedAuthority) Sign(request []byte, usages []certificatesv1.KeyUsage, from, to time.Time) ([]byte, error) {
	r, err := pki.ParseRequest(request)
	if err != nil {
		return nil, err
	}
	serial := make([]byte, 16)
	for i := range serial {
		serial[i] = byte(a.serials.IntN(256))
	}
	serial[0] = serial[0]&0x7f | 0x40 // positive
	issuer, _ := pki.Name("/CN=kubernetes")
	c := &pki.Certificate{Serial: serial, Issuer: issuer, Subject: r.Subject, PublicKey: r.PublicKey, From: from, To: to, Names: r.Names, Leaf: true}
	for _, u := range usages {
		switch u {
		case certificatesv1.UsageDigitalSignature, certificatesv1.UsageSigning:
			c.KeyUsages |= 0x80
		case certificatesv1.UsageKeyEncipherment:
			c.KeyUsages |= 0x20
		case certificatesv1.UsageServerAuth:
			c.Purposes = append(c.Purposes, 1)
		case certificatesv1.UsageClientAuth:
			c.Purposes = append(c.Purposes, 2)
		}
	}
	return []byte(pki.PEM("CERTIFICATE", c.Encode(a.digest))), nil
}

// digest stands for the signature: as long as an RSA one.
func (a *simulatedAuthority) digest(signed []byte) []byte {
	sum := sha256.Sum256(append([]byte("ca"+a.secret), signed...))
	return slices.Repeat(sum[:], 8)
}

var errCertificate = errors.New("x509: certificate signed by unknown authority")

// CertificateUser is whom a certificate, shown inside the simulation, stands
// for: its common name and, as groups, its organizations.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates
func (s *Server) CertificateUser(c *pki.Certificate) (*rest.User, error) {
	a, ok := s.authority.(*simulatedAuthority)
	if !ok || !c.SignedBy(a.digest) {
		return nil, errCertificate
	}
	if now := s.now(); now.Before(c.From) || now.After(c.To) {
		return nil, errors.New("x509: certificate has expired or is not yet valid")
	}
	name, groups := c.Name()
	return &rest.User{Name: name, Groups: append(slices.Clone(groups), "system:authenticated")}, nil
}
