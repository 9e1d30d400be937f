package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"slices"
	"testing"
	"time"
)

func realRequest(t testing.TB) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "ann", Organization: []string{"dev", "ops"}, Country: []string{"JP"}},
		DNSNames: []string{"a.example"}, IPAddresses: []net.IP{net.ParseIP("10.0.0.1")}, EmailAddresses: []string{"a@b.c"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(PEM("CERTIFICATE REQUEST", der))
}

// What Go's own library has written is read here, and the other way round.
func TestAgainstX509(t *testing.T) {
	r, err := ParseRequest(realRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	name, groups := r.Name()
	if name != "ann" || !slices.Equal(groups, []string{"dev", "ops"}) || !slices.Equal(r.NameParts("C"), []string{"JP"}) ||
		!slices.Equal(r.Names.Texts(), []string{"DNS:a.example", "IP Address:10.0.0.1", "email:a@b.c"}) {
		t.Errorf("%s %v %v", name, groups, r.Names.Texts())
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	issuer, _ := Name("/CN=kubernetes")
	c := &Certificate{Serial: []byte{0x41, 2}, Issuer: issuer, Subject: r.Subject, PublicKey: r.PublicKey, From: now, To: now.Add(time.Hour),
		Names: r.Names, KeyUsages: 0xa0, Purposes: []byte{2}, Leaf: true}
	sign := func(signed []byte) []byte { return bytes.Repeat([]byte{byte(len(signed))}, 256) }
	der := c.Encode(sign)
	theirs, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if theirs.Subject.CommonName != "ann" || theirs.Issuer.CommonName != "kubernetes" || theirs.IsCA || !theirs.NotAfter.Equal(c.To) ||
		theirs.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment || !slices.Equal(theirs.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) ||
		!slices.Equal(theirs.DNSNames, []string{"a.example"}) || len(theirs.IPAddresses) != 1 {
		t.Errorf("%+v", theirs)
	}
	back, err := ParseCertificate([]byte(PEM("CERTIFICATE", der)))
	if err != nil || !back.SignedBy(sign) || back.SerialText() != "4102" || back.SubjectText() != c.SubjectText() || back.IssuerText() != "CN = kubernetes" {
		t.Errorf("%v %+v", err, back)
	}
	der[len(der)-1] ^= 1
	if back, err = ParseCertificate([]byte(PEM("CERTIFICATE", der))); err != nil || back.SignedBy(sign) {
		t.Error("a changed signature counts")
	}
}

func TestKeys(t *testing.T) {
	random := func(n int) []byte { return bytes.Repeat([]byte{0x5a}, n) }
	k := NewKey(2048, random)
	back, err := ParseKey([]byte(k.PEM()))
	if err != nil || back.Size() != 256 || !bytes.Equal(back.public(), k.public()) {
		t.Error(err, back)
	}
	subject, unknown := Name("/CN=x/Q=1")
	if unknown != "Q" {
		t.Error(unknown)
	}
	r := NewRequest(subject, k, ParseNames("DNS:a, IP:1.2.3.4"))
	theirs, _ := Block([]byte(r.PEM(random(256))))
	_, der := Block([]byte(r.PEM(random(256))))
	parsed, err := x509.ParseCertificateRequest(der)
	if theirs != "CERTIFICATE REQUEST" || err != nil || parsed.Subject.CommonName != "x" || !slices.Equal(parsed.DNSNames, []string{"a"}) {
		t.Error(err, parsed)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(realRequest(f))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := ParseRequest(text); err == nil {
			r.Name()
			r.Names.Texts()
		}
		if c, err := ParseCertificate(text); err == nil {
			c.SubjectText()
		}
		ParseKey(text)
	})
}
