// openssl, as far as walkthroughs of TLS Secrets go: rand, self-signed
// certificates (req -x509) and what one says (x509). Nothing in the simulation
// encrypts, so a certificate has its true form and contents, while its key is
// random bits and its signature is not computed.

package tool

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() { reg("", openssl, "openssl") }

// der is one DER element of the given parts.
func der(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	switch n := len(body); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	}
}

// derNext takes the first element off the data; its tag is 0 when there is none.
func derNext(data []byte) (tag byte, body, rest []byte) {
	if len(data) < 2 {
		return 0, nil, nil
	}
	n, at := int(data[1]), 2
	if n >= 0x80 {
		count := n & 0x7f
		if n = 0; count > 2 || len(data) < 2+count {
			return 0, nil, nil
		}
		for _, b := range data[2 : 2+count] {
			n = n<<8 | int(b)
		}
		at += count
	}
	if len(data) < at+n {
		return 0, nil, nil
	}
	return data[0], data[at : at+n], data[at+n:]
}

const (
	derInteger  = 0x02
	derBits     = 0x03
	derOctets   = 0x04
	derID       = 0x06
	derUTF8     = 0x0c
	derTime     = 0x17
	derSequence = 0x30
	derSet      = 0x31

	idRSA       = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
	idSHA256RSA = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
	idAltNames  = "\x55\x1d\x11"
	derTimeForm = "060102150405Z"
)

// nameParts are the parts of a distinguished name and the last byte of their ids.
var nameParts = []struct {
	name string
	id   byte
}{{"CN", 3}, {"C", 6}, {"L", 7}, {"ST", 8}, {"O", 10}, {"OU", 11}}

// distinguished encodes "/CN=a/O=b"; it says which part it does not know.
func distinguished(subject string) (name []byte, unknown string) {
	for _, part := range strings.Split(strings.Trim(subject, "/"), "/") {
		k, v, _ := strings.Cut(part, "=")
		known := false
		for _, p := range nameParts {
			if p.name == k {
				known = true
				name = append(name, der(derSet, der(derSequence, der(derID, []byte{0x55, 4, p.id}), der(derUTF8, []byte(v))))...)
			}
		}
		if !known && unknown == "" && part != "" {
			unknown = k
		}
	}
	return der(derSequence, name), unknown
}

// nameText is a distinguished name as openssl shows it.
func nameText(name []byte) string {
	var out []string
	for len(name) > 0 {
		var set []byte
		_, set, name = derNext(name)
		_, pair, _ := derNext(set)
		_, id, value := derNext(pair)
		_, text, _ := derNext(value)
		for _, p := range nameParts {
			if len(id) == 3 && id[2] == p.id {
				out = append(out, p.name+" = "+string(text))
			}
		}
	}
	return strings.Join(out, ", ")
}

func pemText(kind string, data []byte) string {
	text, out := base64.StdEncoding.EncodeToString(data), "-----BEGIN "+kind+"-----\n"
	for len(text) > 64 {
		out, text = out+text[:64]+"\n", text[64:]
	}
	return out + text + "\n-----END " + kind + "-----\n"
}

// random are n bytes of /dev/urandom.
func (t *T) random(n int) []byte {
	b := make([]byte, n)
	if r, err := t.open("/dev/urandom"); err == nil {
		_, _ = io.ReadFull(r, b)
	}
	return b
}

// longOptions reads options of one dash, some of which take a value.
func longOptions(args []string, valued string) (opts map[string]string, rest []string, bad string) {
	opts = map[string]string{}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if !strings.HasPrefix(a, "-") || a == "-" {
			rest = append(rest, a)
			continue
		}
		a = strings.TrimLeft(a, "-")
		if strings.Contains(valued, " "+a+" ") {
			if i++; i == len(args) {
				return opts, rest, a
			}
			opts[a] = args[i]
		} else {
			opts[a] = ""
		}
	}
	return opts, rest, ""
}

func openssl(t *T) int {
	if len(t.args) == 0 {
		t.eprint("usage: openssl rand|req|version|x509 [options]\n")
		return 1
	}
	verb := t.args[0]
	opts, rest, bad := longOptions(t.args[1:], " out keyout subj days newkey addext in keyform outform inform config extensions set_serial ")
	if bad != "" {
		t.eprint(verb + ": Option -" + bad + " needs a value\n" + verb + ": Use -help for summary.\n")
		return 1
	}
	switch verb {
	case "version":
		t.puts("OpenSSL 3.0.17 1 Jul 2025 (Library: OpenSSL 3.0.17 1 Jul 2025)\n")
		return 0
	case "rand":
		return t.opensslRand(opts, rest)
	case "req":
		return t.opensslReq(opts)
	case "x509":
		return t.opensslX509(opts)
	}
	t.eprint("Invalid command '" + verb + "'; the simulation has rand, req -x509, version and x509.\n")
	return 1
}

// put writes text to the file of an option, or to stdout.
func (t *T) put(opts map[string]string, option, text string) int {
	name := opts[option]
	if name == "" || name == "-" {
		t.puts(text)
		return 0
	}
	w, err := t.create(name, os.O_TRUNC)
	if err != nil {
		t.eprint("Can't open \"" + name + "\" for writing, " + vfs.Reason(err) + "\n")
		return 1
	}
	t.rawWrite(w, []byte(text))
	return 0
}

func (t *T) opensslRand(opts map[string]string, rest []string) int {
	if len(rest) != 1 {
		t.eprint("rand: Use -help for summary.\n")
		return 1
	}
	n, err := strconv.Atoi(rest[0])
	if err != nil || n < 0 || n > 1<<20 {
		t.eprint("rand: Can't parse \"" + rest[0] + "\" as a number\nrand: Use -help for summary.\n")
		return 1
	}
	b := t.random(n)
	text := string(b)
	if _, is := opts["hex"]; is {
		text = hex.EncodeToString(b) + "\n"
	} else if _, is := opts["base64"]; is {
		lines := strings.Split(strings.TrimSuffix(pemText("", b), "\n"), "\n")
		text = strings.Join(lines[1:len(lines)-1], "\n") + "\n"
	}
	return t.put(opts, "out", text)
}

func (t *T) opensslReq(opts map[string]string) int {
	if _, self := opts["x509"]; !self {
		t.eprint("req: the simulation makes self-signed certificates only: add -x509\n")
		return 1
	}
	subject, given := opts["subj"]
	if !given {
		t.eprint("req: No template, please set one up: the simulation asks for no names, give them with -subj\n")
		return 1
	}
	name, unknown := distinguished(subject)
	if unknown != "" {
		t.eprint("req: Skipping unknown subject name attribute \"" + unknown + "\"\n")
	}
	days, size := 30, 2048
	if v, is := opts["days"]; is {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			t.eprint("req: Can't parse \"" + v + "\" as a number\nreq: Use -help for summary.\n")
			return 1
		}
		days = n
	}
	if v, ok := strings.CutPrefix(opts["newkey"], "rsa:"); ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 512 || n > 16384 {
			t.eprint("req: Error setting RSA key size: " + v + "\n")
			return 1
		}
		size = n
	}
	number := func(n int) []byte {
		b := t.random(n)
		if n > 0 {
			b[0] = b[0]&0x7f | 0x40 // positive
		}
		return der(derInteger, b)
	}
	one := der(derInteger, []byte{1})
	modulus, exponent := number(size/8), der(derInteger, []byte{1, 0, 1})
	rsa := der(derSequence, der(derID, []byte(idRSA)), []byte{5, 0})
	signature := der(derSequence, der(derID, []byte(idSHA256RSA)), []byte{5, 0})
	now := t.Proc.Now().UTC()
	fields := [][]byte{der(0xa0, der(derInteger, []byte{2})), number(20), signature, name,
		der(derSequence, der(derTime, []byte(now.Format(derTimeForm))), der(derTime, []byte(now.AddDate(0, 0, days).Format(derTimeForm)))),
		name, der(derSequence, rsa, der(derBits, []byte{0}, der(derSequence, modulus, exponent)))}
	if v, ok := strings.CutPrefix(opts["addext"], "subjectAltName"); ok {
		var names [][]byte
		for _, n := range strings.Split(strings.TrimLeft(v, " ="), ",") {
			if host, ok := strings.CutPrefix(strings.TrimSpace(n), "DNS:"); ok {
				names = append(names, der(0x82, []byte(host)))
			}
		}
		fields = append(fields, der(0xa3, der(derSequence, der(derSequence, der(derID, []byte(idAltNames)), der(derOctets, der(derSequence, names...))))))
	}
	cert := der(derSequence, der(derSequence, fields...), signature, der(derBits, []byte{0}, t.random(size/8)))
	half := func() []byte { return number(size / 16) }
	key := der(derSequence, der(derInteger, []byte{0}), rsa, der(derOctets,
		der(derSequence, der(derInteger, []byte{0}), modulus, exponent, number(size/8), half(), half(), half(), half(), one)))
	keyFile := opts
	if opts["keyout"] == "" {
		keyFile = map[string]string{"keyout": "privkey.pem"}
	}
	if status := t.put(keyFile, "keyout", pemText("PRIVATE KEY", key)); status != 0 {
		return status
	}
	t.eprint("-----\n")
	return t.put(opts, "out", pemText("CERTIFICATE", cert))
}

func (t *T) opensslX509(opts map[string]string) int {
	name := opts["in"]
	if name == "" {
		name = "-"
	}
	text, err := t.readAll(name)
	if err != nil {
		t.eprint("Could not open file or uri for loading certificate from " + name + ": " + vfs.Reason(err) + "\n")
		return 1
	}
	_, block, _ := strings.Cut(string(text), "-----BEGIN CERTIFICATE-----")
	block, _, _ = strings.Cut(block, "-----END CERTIFICATE-----")
	data, _ := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(block), ""))
	_, cert, _ := derNext(data)
	_, fields, _ := derNext(cert)
	var f [8][]byte // version, serial, algorithm, issuer, validity, subject, key, extensions
	for i := range f {
		_, f[i], fields = derNext(fields)
	}
	_, from, until := derNext(f[4])
	_, to, _ := derNext(until)
	start, err1 := time.Parse(derTimeForm, string(from))
	end, err2 := time.Parse(derTimeForm, string(to))
	if err1 != nil || err2 != nil {
		t.eprint("Could not find certificate from " + name + "\n")
		return 1
	}
	const form = "Jan _2 15:04:05 2006 GMT"
	serial := strings.ToUpper(hex.EncodeToString(f[1]))
	var hosts []string
	if i := bytes.Index(f[7], []byte(idAltNames)); i >= 0 {
		_, octets, _ := derNext(f[7][i+len(idAltNames):])
		_, names, _ := derNext(octets)
		for len(names) > 0 {
			var host []byte
			_, host, names = derNext(names)
			hosts = append(hosts, "DNS:"+string(host))
		}
	}
	for _, line := range []struct{ option, text string }{
		{"serial", "serial=" + serial},
		{"subject", "subject=" + nameText(f[5])},
		{"issuer", "issuer=" + nameText(f[3])},
		{"dates startdate", "notBefore=" + start.Format(form)},
		{"dates enddate", "notAfter=" + end.Format(form)},
	} {
		for _, o := range strings.Fields(line.option) {
			if _, is := opts[o]; is {
				t.puts(line.text + "\n")
			}
		}
	}
	if _, is := opts["text"]; is {
		t.puts(fmt.Sprintf("Certificate:\n    Data:\n        Version: 3 (0x2)\n        Serial Number:\n            %s\n        Signature Algorithm: sha256WithRSAEncryption\n        Issuer: %s\n        Validity\n            Not Before: %s\n            Not After : %s\n        Subject: %s\n",
			strings.ToLower(serial), nameText(f[3]), start.Format(form), end.Format(form), nameText(f[5])))
		if hosts != nil {
			t.puts("        X509v3 extensions:\n            X509v3 Subject Alternative Name: \n                " + strings.Join(hosts, ", ") + "\n")
		}
	}
	if _, quiet := opts["noout"]; !quiet {
		return t.put(opts, "out", pemText("CERTIFICATE", data))
	}
	return 0
}
