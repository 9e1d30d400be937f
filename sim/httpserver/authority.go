// The certificates of kubonsai serve: a CA of its own, the server's certificate
// and those of its clients.

package httpserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	certificatesv1 "github.com/kubonsai/kubonsai/sim/api/certificates/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
)

// validity is how long certificates last, as kubeadm's for the CA.
const validity = 10 * 365 * 24 * time.Hour

// Authority signs the certificates of one served cluster.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// PEM is the CA's certificate, for kubeconfigs.
	PEM []byte
}

// Certificate implements apiserver.Authority.
func (a *Authority) Certificate() []byte { return a.PEM }

// LoadAuthority reads ca.crt and ca.key in dir, or makes them; with dir "" the
// authority lasts for the process.
func LoadAuthority(dir string) (*Authority, error) {
	if dir == "" {
		return newAuthority()
	}
	crtFile, keyFile := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
	crt, err := os.ReadFile(crtFile)
	if errors.Is(err, fs.ErrNotExist) {
		a, err := newAuthority()
		if err != nil {
			return nil, err
		}
		key, err := keyPEM(a.key)
		if err != nil {
			return nil, err
		}
		// The certificate last: it says that the pair is complete.
		return a, errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(keyFile, key, 0o600), os.WriteFile(crtFile, a.PEM, 0o644))
	}
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(crt, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", crtFile, err)
	}
	private, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an ECDSA key", keyFile)
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	return &Authority{cert, private, crt}, err
}

func newAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate("kubernetes")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	template.DNSNames = []string{"kubernetes"}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{cert, key, certPEM(der)}, err
}

func certificate(name string, organizations ...string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: organizations},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity)}
}

// issue signs a template with a new key.
func (a *Authority) issue(template *x509.Certificate) (crt, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyPEM(private)
	return certPEM(der), key, err
}

// Client issues a certificate that stands for a user and its groups, in PEM.
func (a *Authority) Client(user string, groups ...string) (crt, key []byte, err error) {
	template := certificate(user, groups...)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.issue(template)
}

func parseRequest(text []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	return x509.ParseCertificateRequest(block.Bytes)
}

// CheckRequest implements apiserver.Authority.
func (a *Authority) CheckRequest(request []byte) error {
	r, err := parseRequest(request)
	if err != nil {
		return err
	}
	return r.CheckSignature()
}

// keyUsages and purposes are what the usages of requests mean in certificates.
var (
	keyUsages = map[certificatesv1.KeyUsage]x509.KeyUsage{
		certificatesv1.UsageSigning: x509.KeyUsageDigitalSignature, certificatesv1.UsageDigitalSignature: x509.KeyUsageDigitalSignature,
		certificatesv1.UsageContentCommitment: x509.KeyUsageContentCommitment, certificatesv1.UsageKeyEncipherment: x509.KeyUsageKeyEncipherment,
		certificatesv1.UsageKeyAgreement: x509.KeyUsageKeyAgreement, certificatesv1.UsageDataEncipherment: x509.KeyUsageDataEncipherment,
	}
	purposes = map[certificatesv1.KeyUsage]x509.ExtKeyUsage{
		certificatesv1.UsageServerAuth: x509.ExtKeyUsageServerAuth, certificatesv1.UsageClientAuth: x509.ExtKeyUsageClientAuth,
	}
)

// Sign implements apiserver.Authority.
func (a *Authority) Sign(request []byte, usages []certificatesv1.KeyUsage, from, to time.Time) ([]byte, error) {
	r, err := parseRequest(request)
	if err != nil {
		return nil, err
	}
	template := certificate("")
	template.Subject, template.NotBefore, template.NotAfter = r.Subject, from, to
	template.DNSNames, template.IPAddresses, template.EmailAddresses, template.URIs = r.DNSNames, r.IPAddresses, r.EmailAddresses, r.URIs
	template.BasicConstraintsValid = true
	for _, u := range usages {
		template.KeyUsage |= keyUsages[u]
		if p, ok := purposes[u]; ok {
			template.ExtKeyUsage = append(template.ExtKeyUsage, p)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, r.PublicKey, a.key)
	return certPEM(der), err
}

var _ apiserver.Authority = (*Authority)(nil)

// Server is what a listener needs to serve HTTPS under the given host names and
// addresses, and to verify the certificates of clients that show one.
func (a *Authority) Server(hosts ...string) (*tls.Config, error) {
	template := certificate("kube-apiserver")
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.DNSNames = []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"}
	template.IPAddresses = []net.IP{net.ParseIP("127.0.0.1"), net.IPv6loopback, net.ParseIP("10.96.0.1")}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if h != "" {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	crt, key, err := a.issue(template)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(crt, key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven,
		MinVersion: tls.VersionTLS12}, nil
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
}
