// openssl, as far as walkthroughs of TLS Secrets and of client certificates go:
// rand, keys (genrsa, genpkey), requests (req), self-signed certificates
// (req -x509) and what one says (x509). Nothing in the simulation encrypts, so
// what package pki writes has its true form and contents, while keys are random
// bits and signatures are not computed.

package tool

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/pki"
	"github.com/kubonsai/kubonsai/sim/vfs"
)

func init() { reg("", openssl, "openssl") }

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
		t.eprint("usage: openssl genpkey|genrsa|rand|req|version|x509 [options]\n")
		return 1
	}
	verb := t.args[0]
	opts, rest, bad := longOptions(t.args[1:], " out keyout subj days newkey addext in keyform outform inform config extensions set_serial key algorithm pkeyopt passout passin ")
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
	case "genrsa", "genpkey":
		return t.opensslKey(verb, opts, rest)
	case "req":
		return t.opensslReq(opts)
	case "x509":
		return t.opensslX509(opts)
	}
	t.eprint("Invalid command '" + verb + "'; the simulation has genpkey, genrsa, rand, req, version and x509.\n")
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
		lines := strings.Split(strings.TrimSuffix(pki.PEM("", b), "\n"), "\n")
		text = strings.Join(lines[1:len(lines)-1], "\n") + "\n"
	}
	return t.put(opts, "out", text)
}

// opensslSize reads a key's size in bits.
func (t *T) opensslSize(verb, text string) (bits int, ok bool) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 512 || n > 16384 {
		t.eprint(verb + ": Error setting RSA key size: " + text + "\n")
		return 0, false
	}
	return n, true
}

// opensslKey is genrsa and genpkey.
func (t *T) opensslKey(verb string, opts map[string]string, rest []string) int {
	size := "2048"
	if v, ok := strings.CutPrefix(opts["pkeyopt"], "rsa_keygen_bits:"); ok {
		size = v
	} else if len(rest) > 0 {
		size = rest[0]
	}
	if verb == "genpkey" && strings.ToUpper(opts["algorithm"]) != "RSA" {
		t.eprint("genpkey: the simulation makes keys of RSA only: add -algorithm RSA\n")
		return 1
	}
	bits, ok := t.opensslSize(verb, size)
	if !ok {
		return 1
	}
	return t.put(opts, "out", pki.NewKey(bits, t.random).PEM())
}

// opensslInput reads the file of an option, or stdin.
func (t *T) opensslInput(opts map[string]string, option, what string) ([]byte, bool) {
	name := opts[option]
	if name == "" {
		name = "-"
	}
	text, err := t.readAll(name)
	if err != nil {
		t.eprint("Could not open file or uri for loading " + what + " from " + name + ": " + vfs.Reason(err) + "\n")
		return nil, false
	}
	return text, true
}

// opensslReq makes a request, or with -x509 the certificate that a key makes for
// itself, or shows a request (-in).
func (t *T) opensslReq(opts map[string]string) int {
	_, self := opts["x509"]
	_, fresh := opts["new"]
	newkey, makesKey := opts["newkey"]
	if _, reads := opts["in"]; reads || !self && !fresh && !makesKey {
		return t.opensslShowRequest(opts)
	}
	days := 30
	if v, is := opts["days"]; is {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			t.eprint("req: Can't parse \"" + v + "\" as a number\nreq: Use -help for summary.\n")
			return 1
		}
		days = n
	}
	var key *pki.Key
	if _, given := opts["key"]; given {
		text, ok := t.opensslInput(opts, "key", "private key")
		if !ok {
			return 1
		}
		var err error
		if key, err = pki.ParseKey(text); err != nil {
			t.eprint("Could not find private key from " + opts["key"] + "\n")
			return 1
		}
	}
	subject, given := opts["subj"]
	if !given {
		t.eprint("req: No template, please set one up: the simulation asks for no names, give them with -subj\n")
		return 1
	}
	name, unknown := pki.Name(subject)
	if unknown != "" {
		t.eprint("req: Skipping unknown subject name attribute \"" + unknown + "\"\n")
	}
	if key == nil {
		bits := 2048
		if v, ok := strings.CutPrefix(newkey, "rsa:"); ok {
			if bits, ok = t.opensslSize("req", v); !ok {
				return 1
			}
		}
		key = pki.NewKey(bits, t.random)
		keyFile := opts
		if opts["keyout"] == "" {
			keyFile = map[string]string{"keyout": "privkey.pem"}
		}
		if status := t.put(keyFile, "keyout", key.PEM()); status != 0 {
			return status
		}
		t.eprint("-----\n")
	}
	var names pki.Names
	if v, ok := strings.CutPrefix(opts["addext"], "subjectAltName"); ok {
		names = pki.ParseNames(strings.TrimLeft(v, " ="))
	}
	request := pki.NewRequest(name, key, names)
	if !self {
		return t.put(opts, "out", request.PEM(t.random(key.Size())))
	}
	serial := t.random(20)
	serial[0] = serial[0]&0x7f | 0x40 // positive
	now := t.Proc.Now()
	cert := pki.SelfSigned(request, serial, now, now.AddDate(0, 0, days))
	return t.put(opts, "out", pki.PEM("CERTIFICATE", cert.Encode(func([]byte) []byte { return t.random(key.Size()) })))
}

func (t *T) opensslShowRequest(opts map[string]string) int {
	text, ok := t.opensslInput(opts, "in", "certificate request")
	if !ok {
		return 1
	}
	r, err := pki.ParseRequest(text)
	if err != nil {
		t.eprint("Unable to load X509 request\n")
		return 1
	}
	if _, is := opts["verify"]; is {
		t.eprint("Certificate request self-signature verify OK\n")
	}
	if _, is := opts["text"]; is {
		t.puts("Certificate Request:\n    Data:\n        Version: 1 (0x0)\n        Subject: " + r.SubjectText() + "\n")
		if list := r.Names.Texts(); list != nil {
			t.puts("        Attributes:\n            Requested Extensions:\n                X509v3 Subject Alternative Name: \n                    " + strings.Join(list, ", ") + "\n")
		}
	}
	if _, is := opts["subject"]; is {
		t.puts("subject=" + r.SubjectText() + "\n")
	}
	if _, quiet := opts["noout"]; !quiet {
		_, data := pki.Block(text)
		return t.put(opts, "out", pki.PEM("CERTIFICATE REQUEST", data))
	}
	return 0
}

func (t *T) opensslX509(opts map[string]string) int {
	text, ok := t.opensslInput(opts, "in", "certificate")
	if !ok {
		return 1
	}
	cert, err := pki.ParseCertificate(text)
	if err != nil {
		name := opts["in"]
		if name == "" {
			name = "-"
		}
		t.eprint("Could not find certificate from " + name + "\n")
		return 1
	}
	const form = "Jan _2 15:04:05 2006 GMT"
	from, to := cert.From.Format(form), cert.To.Format(form)
	for _, line := range []struct{ option, text string }{
		{"serial", "serial=" + cert.SerialText()},
		{"subject", "subject=" + cert.SubjectText()},
		{"issuer", "issuer=" + cert.IssuerText()},
		{"dates startdate", "notBefore=" + from},
		{"dates enddate", "notAfter=" + to},
	} {
		for _, o := range strings.Fields(line.option) {
			if _, is := opts[o]; is {
				t.puts(line.text + "\n")
			}
		}
	}
	if _, is := opts["text"]; is {
		t.puts(fmt.Sprintf("Certificate:\n    Data:\n        Version: 3 (0x2)\n        Serial Number:\n            %s\n        Signature Algorithm: sha256WithRSAEncryption\n        Issuer: %s\n        Validity\n            Not Before: %s\n            Not After : %s\n        Subject: %s\n",
			strings.ToLower(cert.SerialText()), cert.IssuerText(), from, to, cert.SubjectText()))
		if names := cert.Names.Texts(); names != nil {
			t.puts("        X509v3 extensions:\n            X509v3 Subject Alternative Name: \n                " + strings.Join(names, ", ") + "\n")
		}
	}
	if _, quiet := opts["noout"]; !quiet {
		_, data := pki.Block(text)
		return t.put(opts, "out", pki.PEM("CERTIFICATE", data))
	}
	return 0
}
