// This file reads YAML and JSON documents, with the messages that the real
// decoder gives for text that is neither.

package kubectl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	"sigs.k8s.io/yaml"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

type tableType = metav1.Table

// eachDocument calls fn for every document of the text that is not empty. A
// text that begins with "{" is a stream of JSON values, else it is YAML.
func eachDocument(data []byte, fn func(doc any, err error) error) error {
	data = decodeBOM(data)
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		if done, err := eachJSON(trimmed, fn); done {
			return err
		}
	}
	for _, part := range splitYAML(data) {
		j, err := yaml.YAMLToJSON(part)
		if err != nil {
			return fn(nil, fmt.Errorf("error converting YAML to JSON: %v", err))
		}
		j = bytes.TrimSpace(j)
		if len(j) == 0 || string(j) == "null" {
			continue
		}
		doc, err := metav1.DecodeTree(j)
		if err != nil {
			return fn(nil, err)
		}
		if err := fn(doc, nil); err != nil {
			return err
		}
	}
	return nil
}

// eachJSON reads JSON values; done is false when the first one is not JSON and
// the text must be tried as YAML.
func eachJSON(data []byte, fn func(doc any, err error) error) (done bool, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	for n := 0; ; n++ {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			if n == 0 {
				return false, nil
			}
			rest := bytes.TrimSpace(data[dec.InputOffset():])
			if len(rest) == 0 {
				return true, nil
			}
			if bytes.HasPrefix(rest, []byte("---")) {
				return true, eachDocument(rest, fn)
			}
			return true, fn(nil, fmt.Errorf("json: %v", err))
		}
		doc, err := metav1.DecodeTree(raw)
		if err != nil {
			return true, fn(nil, err)
		}
		if err := fn(doc, nil); err != nil {
			return true, err
		}
	}
}

// splitYAML cuts a text at its "---" lines.
func splitYAML(data []byte) [][]byte {
	var parts [][]byte
	start := 0
	for pos := 0; pos < len(data); {
		end := bytes.IndexByte(data[pos:], '\n')
		next := len(data)
		if end >= 0 {
			next = pos + end + 1
		}
		line := data[pos:next]
		if bytes.HasPrefix(line, []byte("---")) && len(bytes.TrimSpace(line[3:])) == 0 {
			parts = append(parts, data[start:pos])
			start = next
		} else if bytes.HasPrefix(line, []byte("--- ")) {
			parts = append(parts, data[start:pos])
			start = pos + 3
		}
		pos = next
	}
	return append(parts, data[start:])
}

func decodeBOM(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		return data[3:]
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}), bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		little := data[0] == 0xFF
		var u []uint16
		for i := 2; i+1 < len(data); i += 2 {
			if little {
				u = append(u, uint16(data[i])|uint16(data[i+1])<<8)
			} else {
				u = append(u, uint16(data[i+1])|uint16(data[i])<<8)
			}
		}
		return []byte(string(utf16.Decode(u)))
	}
	return data
}

func jsonType(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	case []any:
		return "array"
	case tree.Map:
		return "object"
	}
	return "number"
}

func notAnObject(v any) error {
	return fmt.Errorf("json: cannot unmarshal %s into Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }", jsonType(v))
}

func compactJSON(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}

// RequireTypeMeta is the client's own check of a document before it is sent:
// it must say what it is. Everything else is the server's to check.
func RequireTypeMeta(doc tree.Map) error {
	if s, _ := doc["apiVersion"].(string); s == "" {
		if k, _ := doc["kind"].(string); k == "" {
			return Aggregate{fmt.Errorf("apiVersion not set"), fmt.Errorf("kind not set")}
		}
		return fmt.Errorf("apiVersion not set")
	}
	if s, _ := doc["kind"].(string); s == "" {
		return fmt.Errorf("kind not set")
	}
	return nil
}
