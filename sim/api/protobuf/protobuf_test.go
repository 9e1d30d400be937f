// Bodies recorded from kubectl v1.36 against what kubectl prints of the same
// objects.

package protobuf

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// bare is a document without empty values, which one encoding spells out and
// the other leaves away.
func bare(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range x {
			if e = bare(e); e != nil {
				out[k] = e
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = bare(e)
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case string:
		if x == "" {
			return nil
		}
	case float64:
		if x == 0 {
			return nil
		}
	case bool:
		if !x {
			return nil
		}
	}
	return v
}

func parse(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	doc, _ = bare(doc).(map[string]any)
	meta := doc["metadata"].(map[string]any)
	delete(meta, "namespace")
	delete(meta, "creationTimestamp")
	return doc
}

func TestRecorded(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.pb")
	if len(files) < 10 {
		t.Fatalf("%d recordings", len(files))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(data)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, ".pb") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if g, w := parse(t, got), parse(t, want); !reflect.DeepEqual(g, w) {
			gs, _ := json.MarshalIndent(g, "", " ")
			ws, _ := json.MarshalIndent(w, "", " ")
			t.Errorf("%s:\ngot %s\nwant %s", file, gs, ws)
		}
	}
}

// lengths writes fields with a length.
func lengths(pairs ...any) []byte {
	var out []byte
	for i := 0; i < len(pairs); i += 2 {
		var b []byte
		switch x := pairs[i+1].(type) {
		case string:
			b = []byte(x)
		case []byte:
			b = x
		case int:
			out = binary.AppendUvarint(out, uint64(pairs[i].(int))<<3)
			out = binary.AppendUvarint(out, uint64(x))
			continue
		}
		out = binary.AppendUvarint(out, uint64(pairs[i].(int))<<3|2)
		out = binary.AppendUvarint(out, uint64(len(b)))
		out = append(out, b...)
	}
	return out
}

func envelope(apiVersion, kind string, body []byte) []byte {
	return append([]byte("k8s\x00"), lengths(1, lengths(1, apiVersion, 2, kind), 2, body)...)
}

func TestForms(t *testing.T) {
	meta := lengths(1, "x")
	for _, c := range []struct {
		name       string
		apiVersion string
		kind       string
		body       []byte
		want       string
	}{
		{"inline volume source", "v1", "Pod", lengths(2, lengths(1, lengths(1, "v", 2, lengths(2, lengths(1, "Memory"))))), `"volumes":[{"emptyDir":{"medium":"Memory"},"name":"v"}]`},
		{"int port", "v1", "Service", lengths(2, lengths(1, lengths(4, lengths(1, 0, 2, 8080)))), `"targetPort":8080`},
		{"named port", "v1", "Service", lengths(2, lengths(1, lengths(4, lengths(1, 1, 3, "web")))), `"targetPort":"web"`},
		{"time", "v1", "Pod", lengths(1, lengths(1, "p", 8, lengths(1, 1767225600))), `"creationTimestamp":"2026-01-01T00:00:00Z"`},
		{"no time", "v1", "Pod", lengths(1, lengths(1, "p", 8, []byte{})), `"metadata":{"name":"p"}`},
		{"micro time", "coordination.k8s.io/v1", "Lease", lengths(2, lengths(4, lengths(1, 1767225600, 2, 5000))), `"renewTime":"2026-01-01T00:00:00.000005Z"`},
		{"negative", "v1", "Pod", lengths(2, lengths(25, 1<<63-1)), `"priority":-1`},
		{"delete options", "apps/v1", "DeleteOptions", lengths(1, 0, 4, "Orphan"), `"propagationPolicy":"Orphan"`},
		{"schema", "apiextensions.k8s.io/v1", "CustomResourceDefinition",
			lengths(1, meta, 2, lengths(7, lengths(1, "v1", 4, lengths(1, lengths(38, 1, 5, "object", 29, lengths(1, "a", 2, lengths(5, "string", 8, lengths(1, `"d"`)))))))),
			`"openAPIV3Schema":{"properties":{"a":{"default":"d","type":"string"}},"type":"object","x-kubernetes-preserve-unknown-fields":true}`},
	} {
		got, err := Decode(envelope(c.apiVersion, c.kind, c.body))
		if err != nil || !strings.Contains(string(got), c.want) {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func TestBadInput(t *testing.T) {
	deep := []byte{}
	for range 200 { // JSONSchemaProps.not
		deep = lengths(28, deep)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"no magic":  {[]byte("{}"), "does not appear to be a protobuf message"},
		"truncated": {envelope("v1", "Pod", lengths(1, lengths(1, "x")))[:20], "unexpected EOF"},
		"cut body":  {envelope("v1", "Pod", []byte{0x0a, 0x7f}), "unexpected EOF"},
		"deep":      {envelope("apiextensions.k8s.io/v1", "CustomResourceDefinition", lengths(2, lengths(7, lengths(4, lengths(1, deep))))), "nested too deeply"},
	} {
		if _, err := Decode(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode(envelope("example.com/v1", "Widget", nil)); !errors.Is(err, ErrUnknownKind) {
		t.Errorf("custom kind: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.pb")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if out, err := Decode(data); err == nil && !json.Valid(out) {
			t.Errorf("not JSON: %s", out)
		}
	})
}
