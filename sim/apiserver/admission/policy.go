// This file holds writes to the validating admission policies that bindings
// apply to them.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/

package admission

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubonsai/kubonsai/sim/api"
	admissionv1 "github.com/kubonsai/kubonsai/sim/api/admissionregistration/v1"
	"github.com/kubonsai/kubonsai/sim/api/labels"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/policy"
)

const policies, policyBindings = "validatingadmissionpolicies.admissionregistration.k8s.io", "validatingadmissionpolicybindings.admissionregistration.k8s.io"

// policyCache holds compiled policies by the stored object, which never changes.
type policyCache map[*admissionv1.ValidatingAdmissionPolicy]*policy.Policy

// cachedPolicies is how many old ones may be kept.
const cachedPolicies = 100

func (c *policyCache) compiled(p *admissionv1.ValidatingAdmissionPolicy) *policy.Policy {
	out := (*c)[p]
	if out == nil {
		if len(*c) >= cachedPolicies {
			*c = policyCache{}
		}
		out, _ = policy.Compile(&p.Spec, field.NewPath("spec"))
		(*c)[p] = out
	}
	return out
}

// ValidatingAdmissionPolicy is the plugin, with a cache of its own.
func ValidatingAdmissionPolicy() Plugin {
	cache := policyCache{}
	return Plugin{
		Name: "ValidatingAdmissionPolicy",
		Validate: func(a *apiserver.Attributes) error {
			if a.Context.List == nil || exempt(a) {
				return nil
			}
			var bindings []*admissionv1.ValidatingAdmissionPolicyBinding
			list(a, policyBindings, "", func(b *admissionv1.ValidatingAdmissionPolicyBinding) { bindings = append(bindings, b) })
			if len(bindings) == 0 {
				return nil
			}
			a = a.Shown()
			var denied error
			list(a, policies, "", func(p *admissionv1.ValidatingAdmissionPolicy) {
				if err := judge(a, &cache, p, bindings); err != nil && denied == nil {
					denied = err
				}
			})
			return denied
		},
	}
}

// decision is what one validation says against a write.
type decision struct {
	message string
	reason  metav1.StatusReason
}

// judge applies one policy with all its bindings, warns as they say, and returns
// the first denial.
func judge(a *attributes, cache *policyCache, p *admissionv1.ValidatingAdmissionPolicy, bindings []*admissionv1.ValidatingAdmissionPolicyBinding) error {
	if p.Spec.MatchConstraints == nil {
		return nil
	}
	kind := criteriaOf(p.Spec.MatchConstraints).match(a)
	if kind == nil {
		return nil
	}
	var first error
	for _, b := range bindings {
		if b.Spec.PolicyName != p.Name {
			continue
		}
		shown := &view{a: a, kind: kind}
		if m := b.Spec.MatchResources; m != nil {
			k := criteriaOf(m).match(a)
			if k == nil {
				continue
			}
		}
		params, err := parameters(a, p, b)
		if err != nil {
			if failClosed(p.Spec.FailurePolicy) && first == nil {
				first = refuse(a, p, b, decision{message: "failed to configure binding: " + err.Error()})
			}
			continue
		}
		compiled := cache.compiled(p)
		for _, param := range params {
			decisions, err := evaluate(shown, p, compiled, param)
			if err != nil {
				return err
			}
			for _, d := range decisions {
				for _, action := range b.Spec.ValidationActions {
					switch action {
					case admissionv1.Deny:
						if first == nil {
							first = refuse(a, p, b, d)
						}
					case admissionv1.Warn:
						a.Warn(fmt.Sprintf("Validation failed for ValidatingAdmissionPolicy '%s' with binding '%s': %s", p.Name, b.Name, d.message))
					}
				}
			}
		}
	}
	return first
}

func failClosed(p *admissionv1.FailurePolicyType) bool { return p == nil || *p == admissionv1.Fail }

// refuse is the error of a denied write.
func refuse(a *attributes, p *admissionv1.ValidatingAdmissionPolicy, b *admissionv1.ValidatingAdmissionPolicyBinding, d decision) error {
	text := fmt.Sprintf("ValidatingAdmissionPolicy '%s' with binding '%s' denied request: %s", p.Name, b.Name, d.message)
	err := forbid(a, "%s", text)
	if d.reason == "" {
		d.reason = metav1.StatusReasonInvalid
	}
	err.ErrStatus.Reason = d.reason
	switch d.reason {
	case metav1.StatusReasonForbidden:
	case metav1.StatusReasonUnauthorized:
		err.ErrStatus.Code = 401
	case metav1.StatusReasonRequestEntityTooLarge:
		err.ErrStatus.Code = 413
	default:
		err.ErrStatus.Code = 422
	}
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Message: text})
	return err
}

// parameters are the objects with which a binding applies its policy: one nil
// when it has none.
func parameters(a *attributes, p *admissionv1.ValidatingAdmissionPolicy, b *admissionv1.ValidatingAdmissionPolicyBinding) ([]metav1.Object, error) {
	k, ref := p.Spec.ParamKind, b.Spec.ParamRef
	if k == nil || ref == nil {
		return []metav1.Object{nil}, nil
	}
	gvk := metav1.FromAPIVersionAndKind(k.APIVersion, k.Kind)
	kind := a.KindOf(gvk)
	if kind == nil {
		return nil, fmt.Errorf("failed to find resource referenced by paramKind: '%v'", gvk)
	}
	namespace := ""
	if kind.Namespaced {
		namespace = ref.Namespace
		if namespace == "" {
			namespace = a.Namespace
		}
		if namespace == "" {
			return nil, errors.New("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
		}
	} else if ref.Namespace != "" {
		return nil, errors.New("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
	}
	show := func(obj metav1.Object) metav1.Object {
		if kind.FromStorage != nil {
			return kind.FromStorage(obj)
		}
		return obj
	}
	var out []metav1.Object
	switch {
	case ref.Selector != nil:
		sel, err := metav1.LabelSelectorAsSelector(ref.Selector)
		if err != nil {
			return nil, err
		}
		a.Context.List(kind.Key, namespace, func(obj metav1.Object) {
			if sel.Matches(labels.Set(obj.GetObjectMeta().Labels)) {
				out = append(out, show(obj))
			}
		})
	case ref.Name != "":
		if obj := a.Context.Get(kind.Key, namespace, ref.Name); obj != nil {
			out = append(out, show(obj))
		}
	default:
		return nil, errors.New("paramRef must have either name or selector")
	}
	if len(out) == 0 && ref.ParameterNotFoundAction != nil && *ref.ParameterNotFoundAction == admissionv1.DenyAction {
		return nil, errors.New("no params found for policy binding with `Deny` parameterNotFoundAction")
	}
	return out, nil
}

// evaluate returns what the policy says against the write, with one parameter.
func evaluate(shown *view, p *admissionv1.ValidatingAdmissionPolicy, compiled *policy.Policy, param metav1.Object) ([]decision, error) {
	vars, err := shown.variables()
	if err != nil {
		return nil, err
	}
	vars["params"] = nil
	if param != nil {
		if vars["params"], err = api.ToTree(param); err != nil {
			return nil, err
		}
	}
	in := compiled.NewInput(vars)
	closed := failClosed(p.Spec.FailurePolicy)
	met, err := conditionsMet(compiled.Conditions, vars)
	switch {
	case !met:
		return nil, nil
	case err != nil && closed:
		return []decision{{message: err.Error()}}, nil
	case err != nil:
		return nil, nil
	}
	var out []decision
	for _, v := range compiled.Validations {
		result, err := in.Eval(v.Program)
		switch {
		case err != nil && closed:
			out = append(out, decision{message: err.Error()})
		case err == nil && result != true:
			d := decision{message: v.Message}
			if v.Reason != nil {
				d.reason = *v.Reason
			}
			if v.MessageExpression != nil {
				if text, err := in.Eval(v.MessageExpression); err == nil {
					if s, ok := text.(string); ok && strings.TrimSpace(s) != "" && !strings.ContainsAny(s, "\r\n") && len(s) <= maxMessage {
						d.message = strings.TrimSpace(s)
					}
				}
			}
			if d.message == "" {
				d.message = "failed expression: " + strings.TrimSpace(v.Expression)
			}
			out = append(out, d)
		}
	}
	for _, n := range compiled.Annotations {
		if _, err := in.Eval(n.Program); err != nil && closed {
			out = append(out, decision{message: err.Error()})
		}
	}
	return out, nil
}

// maxMessage is how long the text of a messageExpression may be.
const maxMessage = 5 << 10

// conditionsMet asks all match conditions: one that says no settles it,
// whatever is wrong with others.
func conditionsMet(list []policy.Condition, vars map[string]any) (met bool, err error) {
	var errs []string
	for _, c := range list {
		v, err := policy.Eval(c.Program, vars)
		if err != nil {
			errs = append(errs, err.Error())
		} else if v != true {
			return false, nil
		}
	}
	switch len(errs) {
	case 0:
		return true, nil
	case 1:
		return true, errors.New(errs[0])
	}
	return true, errors.New("[" + strings.Join(errs, ", ") + "]")
}
