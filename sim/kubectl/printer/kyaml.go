// This file writes KYAML, the strict flow-style dialect of YAML: braces and
// brackets, quoted strings, trailing commas, keys without quotes where they are safe.

package printer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/kubonsai/kubonsai/sim/internal/lazy"
)

// writeKYAML rewrites JSON; the order of the keys stays.
func writeKYAML(b *bytes.Buffer, data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := readOrdered(dec)
	if err != nil {
		return err
	}
	kyamlValue(b, v, 0)
	return nil
}

type orderedMap []struct {
	key   string
	value any
}

func readOrdered(dec *json.Decoder) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		m := orderedMap{}
		for dec.More() {
			k, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := readOrdered(dec)
			if err != nil {
				return nil, err
			}
			m = append(m, struct {
				key   string
				value any
			}{k.(string), v})
		}
		_, err := dec.Token()
		return m, err
	case json.Delim('['):
		l := []any{}
		for dec.More() {
			v, err := readOrdered(dec)
			if err != nil {
				return nil, err
			}
			l = append(l, v)
		}
		_, err := dec.Token()
		return l, err
	}
	return t, nil
}

func kyamlValue(b *bytes.Buffer, v any, indent int) {
	pad := strings.Repeat("  ", indent+1)
	switch x := v.(type) {
	case orderedMap:
		if len(x) == 0 {
			b.WriteString("{}")
			return
		}
		b.WriteString("{\n")
		for _, e := range x {
			b.WriteString(pad)
			if needsQuotes(e.key) {
				kyamlString(b, e.key, indent+2)
			} else {
				b.WriteString(e.key)
			}
			b.WriteString(": ")
			kyamlValue(b, e.value, indent+1)
			b.WriteString(",\n")
		}
		b.WriteString(pad[2:] + "}")
	case []any:
		if len(x) == 0 {
			b.WriteString("[]")
			return
		}
		cuddle := true
		for _, e := range x {
			switch e.(type) {
			case orderedMap, []any:
			default:
				cuddle = false
			}
		}
		if cuddle {
			b.WriteString("[")
			for i, e := range x {
				if i > 0 {
					b.WriteString(", ")
				}
				kyamlValue(b, e, indent)
			}
			b.WriteString("]")
			return
		}
		b.WriteString("[\n")
		for _, e := range x {
			b.WriteString(pad)
			kyamlValue(b, e, indent+1)
			b.WriteString(",\n")
		}
		b.WriteString(pad[2:] + "]")
	case string:
		kyamlString(b, x, indent+1)
	case nil:
		b.WriteString("null")
	default:
		fmt.Fprint(b, x)
	}
}

// kyamlString quotes; lines of a text are folded so that it stays readable.
func kyamlString(b *bytes.Buffer, s string, indent int) {
	pad := strings.Repeat("  ", indent)
	multi := strings.Contains(s, "\n")
	b.WriteByte('"')
	if multi {
		b.WriteString("\\\n")
	}
	fresh := multi
	for _, r := range s {
		if fresh {
			b.WriteString(pad)
			if unicode.IsSpace(r) && r != '\n' {
				b.WriteByte('\\')
			} else {
				b.WriteByte(' ')
			}
			fresh = false
		}
		switch {
		case r == '\n':
			b.WriteString("\\n\\\n")
			fresh = true
		case r == '\t', unicode.IsPrint(r) && r != '"' && r != '\\':
			b.WriteRune(r)
		case r == '"', r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == 0x1b:
			b.WriteString(`\e`)
		case r == 0:
			b.WriteString(`\0`)
		case r < ' ' || r == 0x7f:
			if q := strconv.QuoteRune(r); len(q) == 4 {
				b.WriteString(q[1:3])
			} else {
				fmt.Fprintf(b, `\x%02x`, r)
			}
		case r < 0x10000:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			fmt.Fprintf(b, `\U%08x`, r)
		}
	}
	if multi {
		if !fresh {
			b.WriteString("\\\n")
		}
		b.WriteString(pad)
	}
	b.WriteByte('"')
}

var (
	sexagesimal = lazy.Regexp(`^[+-]?[1-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$`)
	timestamp   = lazy.Regexp(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?$`)
)

// needsQuotes reports whether a key could be taken for something else than a string.
func needsQuotes(s string) bool {
	switch strings.ToLower(s) {
	case "", "null", "~", "true", "y", "yes", "on", "false", "n", "no", "off", "t", "f", ".inf", "-.inf", "+.inf", ".nan":
		return true
	}
	plain := strings.ReplaceAll(s, "_", "")
	if _, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return true
	}
	if _, err := strconv.ParseFloat(plain, 64); err == nil {
		return true
	}
	if sexagesimal().MatchString(s) || timestamp().MatchString(s) {
		return true
	}
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case unicode.IsLetter(r), unicode.IsNumber(r), r == '_':
		case i > 0 && i < len(runes)-1 && strings.ContainsRune("-./", r):
		default:
			return true
		}
	}
	return false
}
