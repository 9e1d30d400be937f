// A certificate that the served cluster has issued opens it.

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/httpserver"
)

func TestIssuedCertificate(t *testing.T) {
	authority, err := httpserver.LoadAuthority("")
	if err != nil {
		t.Fatal(err)
	}
	m, err := sim.New(sim.Options{Authority: authority, Start: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	h := httpserver.NewHost(m, 1, func(err error) { t.Error(err) })
	defer h.Close()
	srv := httptest.NewUnstartedServer(h)
	if srv.TLS, err = authority.Server("127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	srv.StartTLS()
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.PEM)
	as := func(crt, key []byte) *http.Client {
		pair, err := tls.X509KeyPair(crt, key)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}}
	}
	ask := func(c *http.Client, method, path string, body any, status int) map[string]any {
		t.Helper()
		data, _ := json.Marshal(body)
		req, _ := http.NewRequest(method, srv.URL+path, bytes.NewReader(data))
		req.Header.Set("Content-Type", "application/json")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != status {
			t.Fatalf("%s %s: %d, want %d: %s", method, path, resp.StatusCode, status, text)
		}
		var tree map[string]any
		if err := json.Unmarshal(text, &tree); err != nil {
			t.Fatal(err)
		}
		return tree
	}
	crt, key, err := authority.Client(httpserver.Administrator, httpserver.AdministratorsGroup)
	if err != nil {
		t.Fatal(err)
	}
	admin := as(crt, key)

	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "ann", Organization: []string{"dev"}}}, private)
	if err != nil {
		t.Fatal(err)
	}
	const path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
	object := func(der []byte) map[string]any {
		return map[string]any{"metadata": map[string]any{"name": "ann"}, "spec": map[string]any{
			"request": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), "signerName": "kubernetes.io/kube-apiserver-client", "usages": []string{"client auth"}}}
	}
	broken := bytes.Clone(der)
	broken[len(broken)-1] ^= 1
	if refused := ask(admin, "POST", path, object(broken), 422); !strings.Contains(refused["message"].(string), "x509: ECDSA verification failure") {
		t.Error(refused["message"])
	}
	csr := ask(admin, "POST", path, object(der), 201)
	csr["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Approved", "status": "True", "reason": "Test"}}}
	ask(admin, "PUT", path+"/ann/approval", csr, 200)
	var issued []byte
	for range 100 {
		status := ask(admin, "GET", path+"/ann", nil, 200)["status"].(map[string]any)
		if text, ok := status["certificate"].(string); ok {
			if err := json.Unmarshal([]byte(`"`+text+`"`), &issued); err != nil {
				t.Fatal(err)
			}
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	ann := as(issued, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}))
	who := ask(ann, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", map[string]any{}, 201)
	if user := who["status"].(map[string]any)["userInfo"].(map[string]any); user["username"] != "ann" {
		t.Error(user)
	}
	ask(ann, "GET", "/api/v1/namespaces/default/pods", nil, 403)
}
