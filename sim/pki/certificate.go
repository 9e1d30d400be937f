// What certificates and requests consist of.

package pki

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Identifiers, as they are encoded.
const (
	idRSA         = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
	idSHA256RSA   = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
	idRequested   = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e" // extensionRequest
	idKeyUsage    = "\x55\x1d\x0f"
	idAltNames    = "\x55\x1d\x11"
	idConstraints = "\x55\x1d\x13"
	idExtended    = "\x55\x1d\x25"
	idPurpose     = "\x2b\x06\x01\x05\x05\x07\x03" // id-kp, before the purpose's number

	timeForm = "060102150405Z"
)

// nameParts are the parts of a distinguished name and the last byte of their ids.
var nameParts = []struct {
	name string
	id   byte
}{{"CN", 3}, {"C", 6}, {"L", 7}, {"ST", 8}, {"O", 10}, {"OU", 11}}

// Name encodes "/CN=a/O=b"; it says which part it does not know.
func Name(subject string) (name []byte, unknown string) {
	for _, part := range strings.Split(strings.Trim(subject, "/"), "/") {
		k, v, _ := strings.Cut(part, "=")
		known := false
		for _, p := range nameParts {
			if p.name == k {
				known = true
				name = append(name, Element(Set, Element(Sequence, Element(ObjectID, []byte{0x55, 4, p.id}), Element(UTF8, []byte(v))))...)
			}
		}
		if !known && unknown == "" && part != "" {
			unknown = k
		}
	}
	return Element(Sequence, name), unknown
}

// visitName calls fn for the parts of a distinguished name.
func visitName(name []byte, fn func(part, value string)) {
	for len(name) > 0 {
		var set []byte
		_, set, name = Next(name)
		for len(set) > 0 {
			var pair []byte
			_, pair, set = Next(set)
			_, id, value := Next(pair)
			_, text, _ := Next(value)
			for _, p := range nameParts {
				if len(id) == 3 && id[2] == p.id {
					fn(p.name, string(text))
				}
			}
		}
	}
}

// nameText is a distinguished name as openssl shows it.
func nameText(name []byte) string {
	var out []string
	_, body, _ := Next(name)
	visitName(body, func(part, value string) { out = append(out, part+" = "+value) })
	return strings.Join(out, ", ")
}

// Names are a certificate's alternative ones.
type Names struct {
	DNS, Emails, URIs []string
	Addresses         []netip.Addr
}

// add takes one name as openssl writes it: DNS:a, IP:1.2.3.4, email:a@b, URI:x.
func (n *Names) add(text string) {
	kind, v, _ := strings.Cut(strings.TrimSpace(text), ":")
	switch kind {
	case "DNS":
		n.DNS = append(n.DNS, v)
	case "email":
		n.Emails = append(n.Emails, v)
	case "URI":
		n.URIs = append(n.URIs, v)
	case "IP":
		if a, err := netip.ParseAddr(v); err == nil {
			n.Addresses = append(n.Addresses, a)
		}
	}
}

// ParseNames reads openssl's list "DNS:a, IP:1.2.3.4".
func ParseNames(text string) (n Names) {
	for part := range strings.SplitSeq(text, ",") {
		n.add(part)
	}
	return n
}

// Texts are the names as openssl shows them.
func (n *Names) Texts() (out []string) {
	for _, v := range n.DNS {
		out = append(out, "DNS:"+v)
	}
	for _, v := range n.Addresses {
		out = append(out, "IP Address:"+v.String())
	}
	for _, v := range n.Emails {
		out = append(out, "email:"+v)
	}
	for _, v := range n.URIs {
		out = append(out, "URI:"+v)
	}
	return out
}

// extension is the encoded extension, nil without names.
func (n *Names) extension() []byte {
	var names []byte
	for _, v := range n.DNS {
		names = append(names, Element(nameDNS, []byte(v))...)
	}
	for _, v := range n.Addresses {
		names = append(names, Element(nameAddress, v.AsSlice())...)
	}
	for _, v := range n.Emails {
		names = append(names, Element(nameEmail, []byte(v))...)
	}
	for _, v := range n.URIs {
		names = append(names, Element(nameURI, []byte(v))...)
	}
	if names == nil {
		return nil
	}
	return extension(idAltNames, false, Element(Sequence, names))
}

func extension(id string, critical bool, value []byte) []byte {
	var mark []byte
	if critical {
		mark = Element(Boolean, []byte{0xff})
	}
	return Element(Sequence, Element(ObjectID, []byte(id)), mark, Element(Octets, value))
}

// namesIn finds the alternative names in the body of a list of extensions.
func namesIn(list []byte) (n Names) {
	for len(list) > 0 {
		var ext []byte
		_, ext, list = Next(list)
		_, id, value := Next(ext)
		if string(id) != idAltNames {
			continue
		}
		tag, octets, rest := Next(value)
		if tag == Boolean {
			_, octets, _ = Next(rest)
		}
		_, names, _ := Next(octets)
		for len(names) > 0 {
			var v []byte
			tag, v, names = Next(names)
			switch tag {
			case nameDNS:
				n.DNS = append(n.DNS, string(v))
			case nameEmail:
				n.Emails = append(n.Emails, string(v))
			case nameURI:
				n.URIs = append(n.URIs, string(v))
			case nameAddress:
				if a, ok := netip.AddrFromSlice(v); ok {
					n.Addresses = append(n.Addresses, a)
				}
			}
		}
	}
	return n
}

// Key is a private key of RSA's form. Its numbers are random, not primes.
type Key struct{ body []byte }

// NewKey makes a key of so many bits from random bytes.
func NewKey(bits int, random func(n int) []byte) *Key {
	number := func(n int) []byte {
		b := random(n)
		if n > 0 {
			b[0] = b[0]&0x7f | 0x40 // positive
		}
		return Element(Integer, b)
	}
	half := func() []byte { return number(bits / 16) }
	return &Key{bytes.Join([][]byte{Element(Integer, []byte{0}), number(bits / 8), Element(Integer, []byte{1, 0, 1}), number(bits / 8),
		half(), half(), half(), half(), Element(Integer, []byte{1})}, nil)}
}

// ParseKey reads a private key of RSA in either PEM form.
func ParseKey(text []byte) (*Key, error) {
	kind, data := Block(text)
	_, body, _ := Next(data)
	if kind == "PRIVATE KEY" {
		var octets []byte
		_, _, rest := Next(body)
		_, _, rest = Next(rest)
		_, octets, _ = Next(rest)
		_, body, _ = Next(octets)
	}
	k := &Key{body}
	if !strings.HasSuffix(kind, "PRIVATE KEY") || k.Size() == 0 {
		return nil, errors.New("no private key of RSA")
	}
	return k, nil
}

// Size is the modulus's length in bytes.
func (k *Key) Size() int {
	_, _, rest := Next(k.body)
	_, modulus, _ := Next(rest)
	return len(modulus)
}

// PEM is the key in PKCS#8.
func (k *Key) PEM() string {
	return PEM("PRIVATE KEY", Element(Sequence, Element(Integer, []byte{0}), algorithm(idRSA), Element(Octets, Element(Sequence, k.body))))
}

// public is the SubjectPublicKeyInfo.
func (k *Key) public() []byte {
	_, _, rest := Next(k.body)
	_, modulus, _ := Next(rest)
	return Element(Sequence, algorithm(idRSA), Element(Bits, []byte{0},
		Element(Sequence, Element(Integer, modulus), Element(Integer, []byte{1, 0, 1}))))
}

func algorithm(id string) []byte {
	return Element(Sequence, Element(ObjectID, []byte(id)), []byte{5, 0})
}

// Request is a request for a certificate.
type Request struct {
	Subject   []byte // a distinguished name, whole
	PublicKey []byte // a SubjectPublicKeyInfo, whole
	Names     Names
}

// NewRequest is a request for a name of the form /CN=a/O=b and a key.
func NewRequest(subject []byte, key *Key, names Names) *Request {
	return &Request{Subject: subject, PublicKey: key.public(), Names: names}
}

// PEM encodes the request with a signature.
func (r *Request) PEM(signature []byte) string {
	var wanted []byte
	if ext := r.Names.extension(); ext != nil {
		wanted = Element(Sequence, Element(ObjectID, []byte(idRequested)), Element(Set, Element(Sequence, ext)))
	}
	info := Element(Sequence, Element(Integer, []byte{0}), r.Subject, r.PublicKey, Element(attributes, wanted))
	return PEM("CERTIFICATE REQUEST", Element(Sequence, info, algorithm(idSHA256RSA), Element(Bits, []byte{0}, signature)))
}

// ParseRequest reads a request in PEM form; its errors are the API server's.
func ParseRequest(text []byte) (*Request, error) {
	kind, data := Block(text)
	if kind != "CERTIFICATE REQUEST" {
		return nil, errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	bad := errors.New("asn1: structure error: sequence truncated")
	tag, all, _ := Next(data)
	infoTag, info, rest := Next(all)
	if tag != Sequence || infoTag != Sequence || len(rest) == 0 {
		return nil, bad
	}
	version, _, rest := Next(info)
	subjectTag, _, after := Next(rest)
	subject := rest[:len(rest)-len(after)]
	keyTag, _, tail := Next(after)
	key := after[:len(after)-len(tail)]
	if version != Integer || subjectTag != Sequence || keyTag != Sequence {
		return nil, bad
	}
	r := &Request{Subject: subject, PublicKey: key}
	_, list, _ := Next(tail)
	for len(list) > 0 {
		var attribute []byte
		_, attribute, list = Next(list)
		if _, id, values := Next(attribute); string(id) == idRequested {
			_, set, _ := Next(values)
			_, exts, _ := Next(set)
			r.Names = namesIn(exts)
		}
	}
	return r, nil
}

// Name returns the common name and the organizations.
func (r *Request) Name() (common string, organizations []string) { return subjectOf(r.Subject) }

// NameParts are the subject's parts of one kind (OU, C …).
func (r *Request) NameParts(kind string) (out []string) {
	_, body, _ := Next(r.Subject)
	visitName(body, func(part, value string) {
		if part == kind {
			out = append(out, value)
		}
	})
	return out
}

func subjectOf(name []byte) (common string, organizations []string) {
	_, body, _ := Next(name)
	visitName(body, func(part, value string) {
		switch part {
		case "CN":
			common = value
		case "O":
			organizations = append(organizations, value)
		}
	})
	return common, organizations
}

// Certificate is what a certificate says.
type Certificate struct {
	Serial    []byte
	Issuer    []byte // distinguished names, whole
	Subject   []byte
	PublicKey []byte
	From, To  time.Time
	Names     Names
	// KeyUsages are bits counted from the left of the first byte, Purposes the
	// numbers of extended key usages (1 server, 2 client authentication). Both are
	// written only.
	KeyUsages byte
	Purposes  []byte
	// Leaf says in the certificate that it is no authority's.
	Leaf bool

	signed, signature []byte
}

// Encode is the certificate, signed by sign.
func (c *Certificate) Encode(sign func(signed []byte) []byte) []byte {
	date := func(t time.Time) []byte { return Element(UTCTime, []byte(t.UTC().Format(timeForm))) }
	var exts []byte
	if c.KeyUsages != 0 {
		unused := 0
		for c.KeyUsages>>unused&1 == 0 {
			unused++
		}
		exts = append(exts, extension(idKeyUsage, true, Element(Bits, []byte{byte(unused), c.KeyUsages}))...)
	}
	if c.Purposes != nil {
		var list []byte
		for _, p := range c.Purposes {
			list = append(list, Element(ObjectID, []byte(idPurpose), []byte{p})...)
		}
		exts = append(exts, extension(idExtended, false, Element(Sequence, list))...)
	}
	if c.Leaf {
		exts = append(exts, extension(idConstraints, true, Element(Sequence))...)
	}
	exts = append(exts, c.Names.extension()...)
	if exts != nil {
		exts = Element(extensions, Element(Sequence, exts))
	}
	signed := Element(Sequence, Element(0xa0, Element(Integer, []byte{2})), Element(Integer, c.Serial), algorithm(idSHA256RSA), c.Issuer,
		Element(Sequence, date(c.From), date(c.To)), c.Subject, c.PublicKey, exts)
	return Element(Sequence, signed, algorithm(idSHA256RSA), Element(Bits, []byte{0}, sign(signed)))
}

// SelfSigned is the certificate that a key makes for itself.
func SelfSigned(r *Request, serial []byte, from, to time.Time) *Certificate {
	return &Certificate{Serial: serial, Issuer: r.Subject, Subject: r.Subject, PublicKey: r.PublicKey, From: from, To: to, Names: r.Names}
}

// ParseCertificate reads the first certificate in PEM form.
func ParseCertificate(text []byte) (*Certificate, error) {
	kind, data := Block(text)
	bad := errors.New("no certificate")
	if kind != "CERTIFICATE" {
		return nil, bad
	}
	_, all, _ := Next(data)
	tag, fields, rest := Next(all)
	if tag != Sequence {
		return nil, bad
	}
	c := &Certificate{signed: all[:len(all)-len(rest)]}
	_, _, rest = Next(rest)
	if _, bits, _ := Next(rest); len(bits) > 0 {
		c.signature = bits[1:]
	}
	var f [8][]byte // version, serial, algorithm, issuer, validity, subject, key, extensions
	whole := f
	for i := range f {
		before := fields
		_, f[i], fields = Next(fields)
		whole[i] = before[:len(before)-len(fields)]
	}
	c.Serial, c.Issuer, c.Subject, c.PublicKey = f[1], whole[3], whole[5], whole[6]
	_, from, until := Next(f[4])
	_, to, _ := Next(until)
	var err1, err2 error
	c.From, err1 = time.Parse(timeForm, string(from))
	c.To, err2 = time.Parse(timeForm, string(to))
	if err1 != nil || err2 != nil {
		return nil, bad
	}
	_, list, _ := Next(f[7])
	c.Names = namesIn(list)
	return c, nil
}

// SignedBy reports whether sign gives the certificate's signature.
func (c *Certificate) SignedBy(sign func(signed []byte) []byte) bool {
	return len(c.signature) > 0 && slices.Equal(sign(c.signed), c.signature)
}

// Name returns the subject's common name and organizations.
func (c *Certificate) Name() (common string, organizations []string) { return subjectOf(c.Subject) }

// SubjectText and IssuerText are the names as openssl shows them.
func (c *Certificate) SubjectText() string { return nameText(c.Subject) }
func (c *Certificate) IssuerText() string  { return nameText(c.Issuer) }

// SubjectText is the subject as openssl shows it.
func (r *Request) SubjectText() string { return nameText(r.Subject) }

// SerialText is the serial number in hexadecimal digits.
func (c *Certificate) SerialText() string { return strings.ToUpper(hex.EncodeToString(c.Serial)) }
