// Package validatingadmissionpolicystatus judges the expressions of admission
// policies with the types of what they match, and writes what does not fit into
// their status.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#type-checking
package validatingadmissionpolicystatus

import (
	"slices"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api"
	admissionv1 "github.com/kubonsai/kubonsai/sim/api/admissionregistration/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/cel"
	"github.com/kubonsai/kubonsai/sim/apiserver/policy"
	"github.com/kubonsai/kubonsai/sim/client"
)

const (
	latency = 10 * time.Millisecond
	// maxTypes is how many kinds a policy is judged with.
	maxTypes = 10
)

// Controller reconciles policies.
type Controller struct {
	client   *client.Client
	policies *client.Informer[*admissionv1.ValidatingAdmissionPolicy]
	kinds    func() []*apiserver.Kind
}

// New returns the controller; kinds are what the server serves.
func New(c *client.Client, f *client.Factory, kinds func() []*apiserver.Kind) *Controller {
	pc := &Controller{client: c, kinds: kinds, policies: client.InformerFor[*admissionv1.ValidatingAdmissionPolicy](f)}
	queue := client.NewQueue(f.Clock(), "validatingadmissionpolicy-status", latency, pc.sync)
	pc.policies.OnChange(func(_, p *admissionv1.ValidatingAdmissionPolicy) {
		if p != nil && p.Generation > p.Status.ObservedGeneration {
			queue.Add(p.Name)
		}
	})
	return pc
}

func (c *Controller) sync(name string) error {
	p, ok := c.policies.Get("", name)
	if !ok || p.Generation <= p.Status.ObservedGeneration {
		return nil
	}
	p = api.ShallowCopy(p).(*admissionv1.ValidatingAdmissionPolicy)
	p.Status.ObservedGeneration = p.Generation
	p.Status.TypeChecking = &admissionv1.TypeChecking{ExpressionWarnings: policy.Warnings(&p.Spec, c.matched(p.Spec.MatchConstraints), c.params(p.Spec.ParamKind))}
	_, err := client.UpdateStatus(c.client, p)
	return err
}

// matched are the kinds that the rules name, without those of wildcards, and
// those whose schema is not known.
func (c *Controller) matched(m *admissionv1.MatchResources) []policy.Typed {
	if m == nil {
		return nil
	}
	var out []policy.Typed
	for _, r := range m.ResourceRules {
		for _, k := range c.kinds() {
			if k.Schema == nil || !slices.Contains(r.APIGroups, k.Group) || !slices.Contains(r.APIVersions, k.Version) || !slices.Contains(r.Resources, k.Plural) {
				continue
			}
			kind := k.GroupVersionKind().String()
			if !slices.ContainsFunc(out, func(t policy.Typed) bool { return t.Kind == kind }) {
				out = append(out, policy.Typed{Kind: kind, Type: policy.Object(k.Schema)})
			}
		}
	}
	slices.SortFunc(out, func(a, b policy.Typed) int { return strings.Compare(a.Kind, b.Kind) })
	return out[:min(len(out), maxTypes)]
}

// params is the type of a policy's parameters, nil when it is not known.
func (c *Controller) params(kind *admissionv1.ParamKind) *cel.Type {
	if kind == nil {
		return nil
	}
	want := metav1.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)
	for _, k := range c.kinds() {
		if k.GroupVersionKind() == want && k.Schema != nil {
			return policy.Object(k.Schema)
		}
	}
	return nil
}
