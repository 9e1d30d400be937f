// This file writes answers as bytes for clients outside of the process. Inside,
// answers stay typed and nothing here runs.

package apiserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/kubonsai/kubonsai/sim/api"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// Encode is the body of an answer to a request, and its Content-Type. Watches
// and streams have none.
func Encode(req *rest.Request, resp *rest.Response) (contentType string, body []byte, err error) {
	if resp.Object == nil {
		return resp.ContentType, resp.Body, nil
	}
	obj := outward(resp.Object)
	f, err := negotiate(req, false)
	if err != nil {
		f = form{mediaType: "application/json"}
	}
	if f.mediaType == "application/yaml" {
		body, err = yaml.Marshal(obj)
		return f.mediaType, body, err
	}
	contentType = f.mediaType
	if resp.ContentType != "" {
		contentType = resp.ContentType
	}
	if body, err = json.Marshal(obj); err != nil {
		return "", nil, err
	}
	if pretty(req) {
		var b bytes.Buffer
		if err := json.Indent(&b, body, "", "  "); err != nil {
			return "", nil, err
		}
		return contentType, b.Bytes(), nil
	}
	return contentType, append(body, '\n'), nil
}

// pretty reports whether the reader is likely to be a person.
func pretty(req *rest.Request) bool {
	if v, ok := req.Query["pretty"]; ok && len(v) > 0 {
		return !(v[0] == "false" || v[0] == "0")
	}
	agent := req.Header.Get("User-Agent")
	for _, known := range []string{"curl", "Wget", "Mozilla/5.0"} {
		if strings.HasPrefix(agent, known) {
			return true
		}
	}
	return false
}

// EncodeWatchEvent is one line of a watch's JSON stream, with its newline.
func EncodeWatchEvent(e rest.Event) ([]byte, error) {
	raw, err := json.Marshal(outward(e.Object))
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(metav1.WatchEvent{Type: string(e.Type), Object: metav1.RawExtension{Raw: raw}})
	return append(line, '\n'), err
}

// EncodeObject is an object's JSON as it leaves the process, with its kind.
func EncodeObject(obj metav1.Object) ([]byte, error) { return json.Marshal(expandManaged(obj)) }

// EncodeEvent is EncodeWatchEvent with the object's JSON given.
func EncodeEvent(t rest.EventType, object []byte) []byte {
	line := make([]byte, 0, len(object)+len(t)+24)
	line = append(append(append(line, `{"type":"`...), t...), `","object":`...)
	return append(append(line, object...), "}\n"...)
}

// Streams reports whether the answer to a request is a JSON list, which need
// not be held in memory as a whole, and its Content-Type.
func Streams(req *rest.Request, resp *rest.Response) (contentType string, ok bool) {
	if _, list := resp.Object.(*metav1.List); !list || pretty(req) {
		return "", false
	}
	f, err := negotiate(req, false)
	return f.mediaType, err == nil && f.mediaType == "application/json"
}

// WriteList writes a list as Encode does, item by item; encode is EncodeObject
// or remembers what that has said.
func WriteList(w io.Writer, l *metav1.List, encode func(metav1.Object) ([]byte, error)) error {
	head, err := json.Marshal(&metav1.List{TypeMeta: l.TypeMeta, ListMeta: l.ListMeta})
	if err != nil {
		return err
	}
	const tail = "]}"
	if _, err := w.Write(bytes.TrimSuffix(head, []byte(tail))); err != nil {
		return err
	}
	for i, item := range l.Items {
		data, err := encode(item)
		if err != nil {
			return err
		}
		if i > 0 {
			if _, err := w.Write([]byte{','}); err != nil {
				return err
			}
		}
		if bare(l, item) {
			t := item.GetTypeMeta()
			if rest, ok := bytes.CutPrefix(data, fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,`, t.Kind, t.APIVersion)); ok {
				if _, err := w.Write([]byte{'{'}); err != nil {
					return err
				}
				data = rest
			}
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, tail+"\n")
	return err
}

// bare reports that an item of a list does not repeat its kind.
func bare(l *metav1.List, item metav1.Object) bool {
	switch item.(type) {
	case *metav1.Unstructured, *metav1.PartialObjectMetadata:
		return false
	}
	return l.Kind != "List" && l.Kind != "PartialObjectMetadataList"
}

// outward is a value as it leaves the process: items of a typed list do not
// repeat their kind, and what is known of managed fields is spelled out.
func outward(v any) any {
	switch x := v.(type) {
	case *metav1.List:
		out := *x
		out.Items = make([]metav1.Object, len(x.Items))
		for i, item := range x.Items {
			item = expandManaged(item)
			if bare(x, item) {
				item = api.ShallowCopy(item)
				*item.GetTypeMeta() = metav1.TypeMeta{}
			}
			out.Items[i] = item
		}
		return &out
	case *metav1.Table:
		out := *x
		out.Rows = append([]metav1.TableRow{}, x.Rows...)
		for i := range out.Rows {
			if o, ok := out.Rows[i].Object.(metav1.Object); ok {
				out.Rows[i].Object = expandManaged(o)
			}
		}
		return &out
	case metav1.Object:
		return expandManaged(x)
	}
	return v
}

// unmarshal reads JSON as the API does: names in their exact case, numbers kept whole.
func unmarshal(data []byte, into any) error {
	return kjson.UnmarshalCaseSensitivePreserveInts(data, into)
}

// StatusOf is the failure that an answer carries, or nil.
func StatusOf(resp *rest.Response) error {
	if s, ok := resp.Object.(*metav1.Status); ok {
		return apierrors.FromStatus(s)
	}
	return nil
}

// SpellOut is an object with its managed fields in full, for clients within the
// process that show them; it may be the object itself.
func SpellOut(obj metav1.Object) metav1.Object { return expandManaged(obj) }
