// The OpenAPI v2 document in protobuf: the only form in which clients made with
// client-go read it. kubectl asks for it when the v3 documents do not know a
// kind, as for List.

package protobuf

import (
	openapi "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
)

// OpenAPIContentType is the media type of the document in answers; clients ask
// for it with the @ of OpenAPIAccept instead of the dot.
const (
	OpenAPIContentType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
	OpenAPIAccept      = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
)

// EncodeOpenAPI encodes a document given as JSON.
func EncodeOpenAPI(document []byte) ([]byte, error) {
	doc, err := openapi.ParseDocument(document)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(doc)
}
