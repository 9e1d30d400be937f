// This file reads what form of answer a client accepts and gives the answer
// that form: the object itself, a table of rows for people, or metadata alone.

package apiserver

import (
	"fmt"
	"strings"
	"time"

	authenticationv1 "github.com/kubonsai/kubonsai/sim/api/authentication/v1"
	autoscalingv1 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
	"github.com/kubonsai/kubonsai/sim/rest"
)

// asTable, asPartial are the forms beside the plain one.
const (
	asTable   = "Table"
	asPartial = "PartialObjectMetadata"
)

// form is how a client wants its answer.
type form struct {
	mediaType string // application/json or application/yaml
	as        string // "", asTable, asPartial; as…List is the same as without
	version   string // v1 or v1beta1 of meta.k8s.io
	include   metav1.IncludeObjectPolicy
}

var answerTypes = []string{"application/json", "application/yaml"}

// negotiate finds the first form in the Accept header that the server can give.
func negotiate(req *rest.Request, streaming bool) (form, error) {
	f := form{mediaType: "application/json", include: metav1.IncludeObjectPolicy(req.Query.Get("includeObject"))}
	switch f.include {
	case "", metav1.IncludeMetadata, metav1.IncludeNone, metav1.IncludeObject:
	default:
		return f, apierrors.NewBadRequest(fmt.Sprintf("Unable to convert to Table as requested: includeObject: Invalid value: %q: must be 'Metadata', 'Object', 'None', or empty", f.include))
	}
	accept := req.Header.Get("Accept")
	if strings.TrimSpace(accept) == "" {
		return f, nil
	}
	for clause := range strings.SplitSeq(accept, ",") {
		media, params, _ := strings.Cut(clause, ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "application/json", "*/*", "application/*":
			f.mediaType = "application/json"
		case "application/yaml":
			if streaming {
				continue
			}
			f.mediaType = "application/yaml"
		default:
			continue
		}
		as, group, version := "", "", ""
		for p := range strings.SplitSeq(params, ";") {
			k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
			switch k {
			case "as":
				as = v
			case "g":
				group = v
			case "v":
				version = v
			}
		}
		switch {
		case as == "":
			return f, nil
		case group == metav1.GroupName && (version == "v1" || version == "v1beta1"):
			switch as {
			case "Table", "PartialObjectMetadata", "PartialObjectMetadataList":
				f.as, f.version = strings.TrimSuffix(as, "List"), version
				return f, nil
			}
		}
	}
	return f, apierrors.NewNotAcceptable(answerTypes)
}

// respond answers with one stored object.
func (c *call) respond(code int, obj metav1.Object) (*rest.Response, error) {
	return c.answer(code, c.kind.external(obj))
}

// answer gives an object its form; it need not be of the call's kind.
func (c *call) answer(code int, obj metav1.Object) (*rest.Response, error) {
	if c.form.as == "" && strings.HasPrefix(c.req.Header.Get("User-Agent"), "kubectl") {
		obj = expandManaged(obj) // a person may look at it; lists are spelled out by Encode only
	}
	resp := &rest.Response{Code: code, Object: obj}
	switch c.form.as {
	case asTable:
		k := c.kind
		switch obj.(type) {
		case *autoscalingv1.Scale:
			k = scaleTable
		case *authenticationv1.TokenRequest:
			k = &Kind{Strategy: &resource.Strategy{}}
		}
		table := k.table([]metav1.Object{obj}, c.form, c.s.now(), true)
		table.ResourceVersion = obj.GetObjectMeta().ResourceVersion
		resp.Object = table
	case asPartial:
		resp.Object = partial(obj, c.form.version)
	}
	return resp, nil
}

// respondList answers with a list.
func (c *call) respondList(list *metav1.List) (*rest.Response, error) {
	resp := &rest.Response{Code: 200, Object: list}
	switch c.form.as {
	case asTable:
		table := c.kind.table(list.Items, c.form, c.s.now(), true)
		table.ListMeta = list.ListMeta
		resp.Object = table
	case asPartial:
		out := &metav1.List{ListMeta: list.ListMeta, Items: make([]metav1.Object, len(list.Items))}
		out.Kind, out.APIVersion = "PartialObjectMetadataList", "meta.k8s.io/"+c.form.version
		for i, obj := range list.Items {
			out.Items[i] = partial(obj, c.form.version)
		}
		resp.Object = out
	}
	return resp, nil
}

func partial(obj metav1.Object, version string) *metav1.PartialObjectMetadata {
	p := &metav1.PartialObjectMetadata{ObjectMeta: *obj.GetObjectMeta()}
	p.Kind, p.APIVersion = "PartialObjectMetadata", "meta.k8s.io/"+version
	return p
}

// genericColumns are for resources whose strategy has none.
var genericColumns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "The object's name, unique among its kind in its namespace."},
	{Name: "Created At", Type: "date", Description: "When the server stored the object."},
}

// table is the rows that objects of the kind have for people.
func (k *Kind) table(items []metav1.Object, f form, now time.Time, head bool) *metav1.Table {
	t := &metav1.Table{Rows: make([]metav1.TableRow, 0, len(items))}
	t.Kind, t.APIVersion = "Table", "meta.k8s.io/"+f.version
	s := k.Strategy
	if k.Storage != nil {
		if own := resource.For(k.GroupResource().String()); own.Row != nil && k.Key != k.GroupResource().String() {
			s = own
		}
	}
	columns := s.Columns
	if s.Row == nil {
		columns = genericColumns
	}
	if head {
		t.ColumnDefinitions = columns
	}
	for _, obj := range items {
		row := metav1.TableRow{}
		switch {
		case s.Row == nil:
			m := obj.GetObjectMeta()
			row.Cells = []any{m.Name, m.CreationTimestamp.UTC().Format(time.RFC3339)}
		case k.ToStorage != nil && s == k.Strategy:
			row.Cells = s.Row(k.ToStorage(obj), now)
		default:
			row.Cells = s.Row(obj, now)
		}
		row.Conditions = conditions(obj)
		switch f.include {
		case metav1.IncludeObject:
			row.Object = obj
		case "", metav1.IncludeMetadata:
			row.Object = partial(obj, f.version)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// conditions marks the rows of pods that have ended.
func conditions(obj metav1.Object) []metav1.TableRowCondition {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return nil
	}
	switch pod.Status.Phase {
	case corev1.PodSucceeded:
		return podSucceeded
	case corev1.PodFailed:
		return podFailed
	}
	return nil
}

var (
	podSucceeded = []metav1.TableRowCondition{{Type: metav1.RowCompleted, Status: metav1.ConditionTrue, Reason: "Succeeded", Message: "The pod has completed successfully."}}
	podFailed    = []metav1.TableRowCondition{{Type: metav1.RowCompleted, Status: metav1.ConditionTrue, Reason: "Failed", Message: "The pod failed."}}
)
