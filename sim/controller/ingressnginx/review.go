// The controller's admission webhook: it refuses an ingress that claims what
// another one has.

package ingressnginx

import (
	"encoding/json"
	"fmt"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	networkingv1 "github.com/kubonsai/kubonsai/sim/api/networking/v1"
)

// Review implements container.IngressController: it answers an AdmissionReview,
// nil what is none.
func (n *Controller) Review(body []byte) []byte {
	var review struct {
		metav1.TypeMeta
		Request *struct {
			UID       string                `json:"uid"`
			Operation string                `json:"operation"`
			Object    *networkingv1.Ingress `json:"object"`
		} `json:"request"`
	}
	if json.Unmarshal(body, &review) != nil || review.Request == nil {
		return nil
	}
	response := map[string]any{"uid": review.Request.UID, "allowed": true}
	if problem := n.problem(review.Request.Object); problem != "" {
		response["allowed"] = false
		response["status"] = map[string]any{"code": 400, "message": problem}
	}
	out, err := json.Marshal(map[string]any{"kind": review.Kind, "apiVersion": review.APIVersion, "response": response})
	if err != nil {
		return nil
	}
	return out
}

// problem is what is wrong with an ingress beside the others, "" nothing.
func (n *Controller) problem(i *networkingv1.Ingress) (text string) {
	if i == nil || !n.mine(i) {
		return ""
	}
	taken := func(host, path string) {
		n.each(func(o *networkingv1.Ingress) {
			if text != "" || o.Namespace == i.Namespace && o.Name == i.Name {
				return
			}
			for _, r := range o.Spec.Rules {
				if r.Host != host || r.HTTP == nil {
					continue
				}
				for _, p := range r.HTTP.Paths {
					if p.Path == path {
						text = fmt.Sprintf("host %q and path %q is already defined in ingress %s/%s", host, path, o.Namespace, o.Name)
					}
				}
			}
		})
	}
	for _, r := range i.Spec.Rules {
		if r.Host != "" && r.HTTP != nil {
			for _, p := range r.HTTP.Paths {
				taken(r.Host, p.Path)
			}
		}
	}
	return text
}
