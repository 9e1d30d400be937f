// Package pki reads and writes X.509 certificates and PKCS#10 requests, as far
// as the simulation needs them where crypto/x509, which weighs more than the
// API server, cannot be linked. It computes no signatures: nothing inside the
// simulation encrypts. der.go has the encoding, certificate.go what is encoded.
// https://www.rfc-editor.org/rfc/rfc5280, https://www.rfc-editor.org/rfc/rfc2986
package pki

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// The tags of DER elements.
const (
	Boolean     = 0x01
	Integer     = 0x02
	Bits        = 0x03
	Octets      = 0x04
	ObjectID    = 0x06
	UTF8        = 0x0c
	UTCTime     = 0x17
	Sequence    = 0x30
	Set         = 0x31
	attributes  = 0xa0 // of a request
	extensions  = 0xa3 // of a certificate
	nameEmail   = 0x81
	nameDNS     = 0x82
	nameURI     = 0x86
	nameAddress = 0x87
)

// Element is one DER element of the given parts.
func Element(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	switch n := len(body); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	case n < 0x10000:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	default:
		return append([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}, body...)
	}
}

// Next takes the first element off the data; its tag is 0 when there is none.
func Next(data []byte) (tag byte, body, rest []byte) {
	if len(data) < 2 {
		return 0, nil, nil
	}
	n, at := int(data[1]), 2
	if n >= 0x80 {
		count := n & 0x7f
		if n = 0; count > 3 || len(data) < 2+count {
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

// PEM is a block of that kind, in lines of 64 characters.
func PEM(kind string, data []byte) string {
	text, out := base64.StdEncoding.EncodeToString(data), "-----BEGIN "+kind+"-----\n"
	for len(text) > 64 {
		out, text = out+text[:64]+"\n", text[64:]
	}
	return out + text + "\n-----END " + kind + "-----\n"
}

// Block is the data of the first PEM block of text and its kind, "" when there is none.
func Block(text []byte) (kind string, data []byte) {
	_, rest, ok := strings.Cut(string(text), "-----BEGIN ")
	if !ok {
		return "", nil
	}
	kind, rest, ok = strings.Cut(rest, "-----")
	body, _, end := strings.Cut(rest, "-----END "+kind+"-----")
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
	if !ok || !end || err != nil {
		return "", nil
	}
	return kind, data
}
