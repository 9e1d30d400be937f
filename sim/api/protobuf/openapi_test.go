package protobuf

import (
	"testing"

	openapi "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
)

// TestEncodeOpenAPI: what was encoded reads as the same document, and what is no
// document is refused.
func TestEncodeOpenAPI(t *testing.T) {
	data, err := EncodeOpenAPI([]byte(`{"swagger":"2.0","info":{"title":"T","version":"v1"},"paths":{"/a":{"get":{"responses":{"200":{"description":"OK"}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	var doc openapi.Document
	if err := proto.Unmarshal(data, &doc); err != nil || doc.Swagger != "2.0" || len(doc.Paths.Path) != 1 || doc.Paths.Path[0].Name != "/a" {
		t.Errorf("%v %v", err, &doc)
	}
	if _, err := EncodeOpenAPI([]byte("[")); err == nil {
		t.Error("no error for what is no document")
	}
}
