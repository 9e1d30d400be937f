// The OpenAPI v2 document for clients that read it in protobuf only.

package httpserver

import (
	"strings"
	"sync"

	"github.com/kubonsai/kubonsai/sim/api/protobuf"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// openapiV2 keeps the document that was encoded last; the API server hands out
// the same bytes until a resource is added or removed.
type openapiV2 struct {
	mu       sync.Mutex
	from, to []byte
}

// wantsOpenAPIProtobuf reports whether a request asks for the document in
// protobuf; then it is asked of the API server as JSON.
func wantsOpenAPIProtobuf(req *rest.Request) bool {
	accept := req.Header.Get("Accept")
	if req.Path != "/openapi/v2" || !strings.Contains(accept, protobuf.OpenAPIAccept) && !strings.Contains(accept, protobuf.OpenAPIContentType) {
		return false
	}
	req.Header["Accept"] = "application/json"
	return true
}

// encode gives an answer's document in protobuf; other answers stay.
func (o *openapiV2) encode(resp *rest.Response) (*rest.Response, error) {
	if resp.Code != 200 || len(resp.Body) == 0 {
		return resp, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.from) != len(resp.Body) || &o.from[0] != &resp.Body[0] {
		to, err := protobuf.EncodeOpenAPI(resp.Body)
		if err != nil {
			return nil, err
		}
		o.from, o.to = resp.Body, to
	}
	return &rest.Response{Code: resp.Code, ContentType: protobuf.OpenAPIContentType, Body: o.to}, nil
}
