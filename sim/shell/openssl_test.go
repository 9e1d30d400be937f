// What openssl writes, read by Go's own library.

package shell_test

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOpenSSL(t *testing.T) {
	const make = "cd /tmp 2>/dev/null || mkdir -p /tmp && cd /tmp; openssl req -x509 -nodes -days 365 -newkey rsa:2048 -keyout tls.key -out tls.crt -subj '/CN=shop.example/O=shop' -addext 'subjectAltName = DNS:shop.example,DNS:www.shop.example' 2>/dev/null; "
	for _, x := range []struct{ script, want string }{
		{make + "head -1 tls.key tls.crt | grep BEGIN; openssl x509 -in tls.crt -noout -subject -issuer -dates",
			"-----BEGIN PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nsubject=CN = shop.example, O = shop\nissuer=CN = shop.example, O = shop\nnotBefore=Nov 22 02:14:45 2026 GMT\nnotAfter=Nov 22 02:14:45 2027 GMT\n"},
		{make + "openssl x509 -noout -text <tls.crt | grep DNS", "                DNS:shop.example, DNS:www.shop.example\n"},
		{make + "openssl x509 -in tls.crt | cmp - tls.crt && echo same", "same\n"},
		{"openssl rand -hex 16 | tr -d '\\n' | wc -c; openssl rand -base64 48 | wc -l", "32\n1\n"},
		{"openssl x509 -noout -subject </dev/null 2>&1; echo $?; openssl rand x 2>/dev/null; echo $?; openssl dsa 2>/dev/null; echo $?", "Could not find certificate from -\n1\n1\n1\n"},
		{"shuf -i 1-5 | sort | tr '\\n' ' '; shuf -e a b c -n 2 | wc -l; seq 3 | shuf | sort | tail -1; shuf -i x 2>&1", "1 2 3 4 5 2\n3\nshuf: invalid input range: 'x'\n"},
	} {
		if got, errs, _, _ := newMachine().run("", 1e6, "bash", "-c", x.script); got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q\n%s", x.script, got, x.want, errs)
		}
	}
	got, _, _, _ := newMachine().run("", 1e6, "bash", "-c", make+"cat tls.crt")
	block, _ := pem.Decode([]byte(got))
	if block == nil {
		t.Fatalf("no PEM: %q", got)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject.CommonName != "shop.example" || !slices.Equal(c.DNSNames, []string{"shop.example", "www.shop.example"}) || c.NotAfter.Sub(c.NotBefore) != 365*24*time.Hour {
		t.Errorf("%v %v %v %v", c.Subject, c.DNSNames, c.NotBefore, c.NotAfter)
	}
	if strings.Contains(got, "simulated") {
		t.Error(got)
	}
}
