// Package protobuf reads API objects in Kubernetes' protobuf encoding, which
// clients of typed kinds prefer, and gives them as JSON: kubectl create
// deployment sends it, client-go's typed clients do. Only the hosts that serve
// foreign clients need it; inside the simulation objects are never encoded.
//
// The field numbers are one embedded table, written by scripts/gen from the
// published .proto files; its format is described there. The envelope is
// described in k8s.io/apimachinery/pkg/runtime/serializer/protobuf.
package protobuf

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/schema"
)

// ContentType is the media type of the encoding.
const ContentType = "application/vnd.kubernetes.protobuf"

// ErrUnknownKind is what Decode returns for a kind that has no protobuf
// encoding, such as a custom resource.
var ErrUnknownKind = errors.New("no protobuf encoding for this kind")

var errTruncated = errors.New("unexpected EOF")

// maxDepth bounds how deep messages may be nested.
const maxDepth = 64

//go:embed zz_generated.table.txt
var table string

type field struct {
	name   string
	inline bool
	list   bool
	values bool // of a map whose keys are strings
	typ    string
	msg    *message // of messages
}

type message struct {
	name   string
	fields map[uint64]*field
}

// messages are the table's, by full name.
var messages = sync.OnceValue(func() map[string]*message {
	lines := strings.Split(strings.TrimSuffix(table, "\n"), "\n")
	all := make([]message, len(lines))
	byName := make(map[string]*message, len(lines))
	for i, line := range lines {
		parts := strings.Split(line, "\t")
		m := &all[i]
		m.name, m.fields = parts[0], make(map[uint64]*field, len(parts)-1)
		byName["io.k8s."+m.name] = m
		for _, text := range parts[1:] {
			words := strings.Split(text, " ")
			n, _ := strconv.ParseUint(words[0], 10, 64)
			f := &field{name: words[1], typ: words[2]}
			f.name, f.inline = strings.CutPrefix(f.name, "&")
			f.typ, f.list = strings.CutPrefix(f.typ, "[")
			f.typ, f.values = strings.CutPrefix(f.typ, "{")
			if line, err := strconv.Atoi(f.typ); err == nil {
				f.msg = &all[line]
			}
			m.fields[n] = f
		}
	}
	return byName
})

// Decode gives the JSON of one encoded object. ErrUnknownKind is returned, with
// what the envelope says of kind, when the kind is not known.
func Decode(data []byte) ([]byte, error) {
	body, ok := bytes.CutPrefix(data, []byte("k8s\x00"))
	if !ok {
		return nil, errors.New("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
	}
	var apiVersion, kind string
	var raw []byte
	err := each(body, func(n uint64, v value) error {
		switch {
		case n == 1 && v.bytes != nil:
			return each(v.bytes, func(n uint64, v value) error {
				switch n {
				case 1:
					apiVersion = string(v.bytes)
				case 2:
					kind = string(v.bytes)
				}
				return nil
			})
		case n == 2:
			raw = v.bytes
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group, version = "", apiVersion
	}
	t := schema.ForKind(group, version, kind)
	if t == nil {
		return nil, fmt.Errorf("%s, Kind=%s: %w", apiVersion, kind, ErrUnknownKind)
	}
	m := messages()[t.Name]
	if m == nil {
		return nil, fmt.Errorf("%s, Kind=%s: %w", apiVersion, kind, ErrUnknownKind)
	}
	tree := map[string]any{"apiVersion": apiVersion, "kind": kind}
	if err := m.into(tree, raw, 0); err != nil {
		return nil, err
	}
	return json.Marshal(tree)
}

// value is one field's value on the wire.
type value struct {
	number uint64 // of varints and fixed values
	bytes  []byte // of everything with a length; never nil then
}

// each calls fn with every field of a message.
func each(data []byte, fn func(n uint64, v value) error) error {
	for len(data) > 0 {
		key, n := binary.Uvarint(data)
		if n <= 0 {
			return errTruncated
		}
		data = data[n:]
		var v value
		switch key & 7 {
		case 0:
			if v.number, n = binary.Uvarint(data); n <= 0 {
				return errTruncated
			}
		case 1:
			if n = 8; len(data) < n {
				return errTruncated
			}
			v.number = binary.LittleEndian.Uint64(data)
		case 2:
			size, used := binary.Uvarint(data)
			if used <= 0 || size > uint64(len(data)-used) {
				return errTruncated
			}
			n = used + int(size)
			v.bytes = data[used:n:n]
			if v.bytes == nil {
				v.bytes = []byte{}
			}
		case 5:
			if n = 4; len(data) < n {
				return errTruncated
			}
			v.number = uint64(binary.LittleEndian.Uint32(data))
		default:
			return fmt.Errorf("proto: illegal wireType %d", key&7)
		}
		data = data[n:]
		if err := fn(key>>3, v); err != nil {
			return err
		}
	}
	return nil
}

// into puts a message's fields into an object of JSON.
func (m *message) into(tree map[string]any, data []byte, depth int) error {
	if depth > maxDepth {
		return errors.New("proto: messages are nested too deeply")
	}
	return each(data, func(n uint64, v value) error {
		f := m.fields[n]
		if f == nil {
			return nil
		}
		if f.inline {
			return f.msg.into(tree, v.bytes, depth+1)
		}
		if f.values {
			return f.entry(tree, v.bytes, depth)
		}
		got, err := f.decode(v, depth)
		switch {
		case err != nil:
			return fmt.Errorf("%s.%s: %w", m.name[strings.LastIndexByte(m.name, '.')+1:], f.name, err)
		case f.list:
			old, _ := tree[f.name].([]any)
			tree[f.name] = append(old, got)
		case got != nil:
			tree[f.name] = got
		}
		return nil
	})
}

// entry adds one entry of a map.
func (f *field) entry(tree map[string]any, data []byte, depth int) error {
	entries, _ := tree[f.name].(map[string]any)
	if entries == nil {
		entries = map[string]any{}
		tree[f.name] = entries
	}
	key := ""
	v := value{bytes: []byte{}}
	err := each(data, func(n uint64, part value) error {
		if n == 1 {
			key = string(part.bytes)
		} else {
			v = part
		}
		return nil
	})
	if err != nil {
		return err
	}
	entries[key], err = f.decode(v, depth)
	return err
}

func (f *field) decode(v value, depth int) (any, error) {
	if f.msg != nil {
		return f.msg.decode(v.bytes, depth+1)
	}
	switch f.typ {
	case "string":
		return string(v.bytes), nil
	case "bytes":
		return base64.StdEncoding.EncodeToString(v.bytes), nil
	case "bool":
		return v.number != 0, nil
	case "int32":
		return int32(v.number), nil
	case "double":
		if x := math.Float64frombits(v.number); !math.IsNaN(x) && !math.IsInf(x, 0) {
			return x, nil
		}
		return nil, errors.New("not a number")
	}
	return int64(v.number), nil
}

// decode gives a message's JSON: an object, unless the type has a form of its
// own (see the Marshal functions of k8s.io/apimachinery).
func (m *message) decode(data []byte, depth int) (any, error) {
	special := formOf[m.name]
	if special == nil {
		tree := map[string]any{}
		return tree, m.into(tree, data, depth)
	}
	var fields form
	err := each(data, func(n uint64, v value) error {
		f := m.fields[n]
		if f == nil {
			return nil
		}
		got, err := f.decode(v, depth)
		if err != nil {
			return err
		}
		switch f.typ {
		case "bytes":
			fields.raw = v.bytes
		case "string":
			fields.text = append(fields.text, string(v.bytes))
		case "bool":
			fields.yes = v.number != 0
		default:
			if f.msg == nil && n <= 2 {
				fields.number[n] = int64(v.number)
			} else {
				fields.schemas = append(fields.schemas, got)
				fields.list = fields.list || f.list
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return special(&fields)
}

// form holds what a message of a special form may be made of.
type form struct {
	raw     []byte
	text    []string
	number  [3]int64 // by field number
	yes     bool
	schemas []any
	list    bool
}

func rawJSON(f *form) (any, error) {
	if len(f.raw) == 0 {
		return nil, nil
	}
	if !json.Valid(f.raw) {
		return nil, errors.New("invalid JSON inside the message")
	}
	return json.RawMessage(f.raw), nil
}

func instant(layout string) func(f *form) (any, error) {
	return func(f *form) (any, error) {
		if f.number[1] == 0 && f.number[2] == 0 {
			return nil, nil
		}
		return time.Unix(f.number[1], f.number[2]).UTC().Format(layout), nil
	}
}

func items(f *form) (any, error) { return f.text, nil }

// formOf are the messages whose JSON is not an object of their fields.
var formOf = map[string]func(f *form) (any, error){
	"apimachinery.pkg.api.resource.Quantity": func(f *form) (any, error) {
		if len(f.text) == 0 || f.text[0] == "" {
			return "0", nil
		}
		return f.text[0], nil
	},
	"apimachinery.pkg.util.intstr.IntOrString": func(f *form) (any, error) {
		if f.number[1] == 1 {
			return strings.Join(f.text, ""), nil
		}
		return int32(f.number[2]), nil
	},
	"apimachinery.pkg.apis.meta.v1.Time":      instant(time.RFC3339),
	"apimachinery.pkg.apis.meta.v1.MicroTime": instant("2006-01-02T15:04:05.000000Z07:00"),
	"apimachinery.pkg.apis.meta.v1.Duration": func(f *form) (any, error) {
		return time.Duration(f.number[1]).String(), nil
	},
	"apimachinery.pkg.apis.meta.v1.FieldsV1":                 rawJSON,
	"apimachinery.pkg.runtime.RawExtension":                  rawJSON,
	"apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": rawJSON,
	"api.authentication.v1.ExtraValue":                       items,
	"api.authorization.v1.ExtraValue":                        items,
	"api.certificates.v1.ExtraValue":                         items,
	"apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": func(f *form) (any, error) {
		if len(f.schemas) == 1 && !f.list {
			return f.schemas[0], nil
		}
		return f.schemas, nil
	},
	"apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": func(f *form) (any, error) {
		if len(f.schemas) > 0 {
			return f.schemas[0], nil
		}
		return f.yes, nil
	},
	"apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": func(f *form) (any, error) {
		if len(f.schemas) > 0 {
			return f.schemas[0], nil
		}
		return f.text, nil
	},
}
