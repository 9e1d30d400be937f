// This file is the strategy of what admission goes by: validating admission
// policies, their bindings, and the configurations of webhooks.

package resource

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	admissionv1 "github.com/kubonsai/kubonsai/sim/api/admissionregistration/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/api/validation"
	"github.com/kubonsai/kubonsai/sim/apiserver/policy"
)

var (
	failClosed    = new(admissionv1.Fail)
	equivalent    = new(admissionv1.Equivalent)
	allScopes     = new(admissionv1.AllScopes)
	neverAgain    = new(admissionv1.NeverReinvocationPolicy)
	tenSeconds    = new(int32(10))
	webhookPort   = new(int32(443))
	everySelector = &metav1.LabelSelector{}
)

const unset = "<unset>"

func init() {
	Register("validatingadmissionpolicies.admissionregistration.k8s.io", &Strategy{
		Default: func(obj metav1.Object) {
			s := &obj.(*admissionv1.ValidatingAdmissionPolicy).Spec
			fill(&s.FailurePolicy, failClosed)
			s.MatchConstraints = defaultMatch(s.MatchConstraints)
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) {
			p := obj.(*admissionv1.ValidatingAdmissionPolicy)
			p.Generation, p.Status = 1, admissionv1.ValidatingAdmissionPolicyStatus{}
		},
		PrepareForUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			p, old := obj.(*admissionv1.ValidatingAdmissionPolicy), oldObj.(*admissionv1.ValidatingAdmissionPolicy)
			p.Status = old.Status
			nextGeneration(p, old, semanticEqual(&p.Spec, &old.Spec))
		},
		PrepareForStatusUpdate: func(_ *Context, obj, oldObj metav1.Object) {
			p, old := obj.(*admissionv1.ValidatingAdmissionPolicy), oldObj.(*admissionv1.ValidatingAdmissionPolicy)
			resetForStatus(p, old)
			p.Spec = old.Spec
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			v := validator{errs: validateMeta(obj, false, dnsSubdomain)}
			v.admissionPolicy(&obj.(*admissionv1.ValidatingAdmissionPolicy).Spec)
			return v.errs
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			v := validator{errs: validateMetaUpdate(obj, old)}
			v.admissionPolicy(&obj.(*admissionv1.ValidatingAdmissionPolicy).Spec)
			return v.errs
		},
		Columns: []column{nameColumn(), integer("Validations", "How many validations it has."), text("ParamKind", "What its parameters are."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			p := obj.(*admissionv1.ValidatingAdmissionPolicy)
			kind := unset
			if k := p.Spec.ParamKind; k != nil {
				kind = k.APIVersion + "/" + k.Kind
			}
			return []any{p.Name, int64(len(p.Spec.Validations)), kind, age(p, now)}
		},
	})
	binding := func(obj metav1.Object, errs field.ErrorList) field.ErrorList {
		v := validator{errs: errs}
		v.policyBinding(&obj.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec)
		return v.errs
	}
	Register("validatingadmissionpolicybindings.admissionregistration.k8s.io", &Strategy{
		Default: func(obj metav1.Object) {
			s := &obj.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec
			s.MatchResources = defaultMatch(s.MatchResources)
		},
		PrepareForCreate: func(_ *Context, obj metav1.Object) { obj.GetObjectMeta().Generation = 1 },
		PrepareForUpdate: func(_ *Context, obj, old metav1.Object) {
			nextGeneration(obj, old, semanticEqual(&obj.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec, &old.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec))
		},
		Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
			return binding(obj, validateMeta(obj, false, dnsSubdomain))
		},
		ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
			return binding(obj, validateMetaUpdate(obj, old))
		},
		Columns: []column{nameColumn(), text("PolicyName", "Which policy it binds."), text("ParamRef", "Which parameters it gives."), ageColumn()},
		Row: func(obj metav1.Object, now time.Time) []any {
			b := obj.(*admissionv1.ValidatingAdmissionPolicyBinding)
			params := unset
			switch r := b.Spec.ParamRef; {
			case r == nil:
			case r.Name != "" && r.Namespace != "":
				params = r.Namespace + "/" + r.Name
			case r.Name != "":
				params = "*/" + r.Name
			case r.Selector != nil:
				params = selectorText(r.Selector)
			}
			return []any{b.Name, b.Spec.PolicyName, params, age(b, now)}
		},
	})
	webhooks := func(hooks func(metav1.Object) []admissionv1.MutatingWebhook, put func(metav1.Object, []admissionv1.MutatingWebhook), mutating bool) *Strategy {
		validate := func(obj metav1.Object, errs field.ErrorList) field.ErrorList {
			v := validator{errs: errs}
			v.webhooks(hooks(obj), mutating)
			return v.errs
		}
		return &Strategy{
			Default: func(obj metav1.Object) {
				list := slices.Clone(hooks(obj))
				for i := range list {
					h := &list[i]
					fill(&h.FailurePolicy, failClosed)
					fill(&h.MatchPolicy, equivalent)
					fill(&h.NamespaceSelector, everySelector)
					fill(&h.ObjectSelector, everySelector)
					fill(&h.TimeoutSeconds, tenSeconds)
					if mutating {
						fill(&h.ReinvocationPolicy, neverAgain)
					}
					if s := h.ClientConfig.Service; s != nil && s.Port == nil {
						service := *s
						service.Port = webhookPort
						h.ClientConfig.Service = &service
					}
					h.Rules = slices.Clone(h.Rules)
					for j := range h.Rules {
						fill(&h.Rules[j].Scope, allScopes)
					}
				}
				put(obj, list)
			},
			PrepareForCreate: func(_ *Context, obj metav1.Object) { obj.GetObjectMeta().Generation = 1 },
			PrepareForUpdate: func(_ *Context, obj, old metav1.Object) {
				nextGeneration(obj, old, semanticEqual(hooks(obj), hooks(old)))
			},
			Validate: func(_ *Context, obj metav1.Object) field.ErrorList {
				return validate(obj, validateMeta(obj, false, dnsSubdomain))
			},
			ValidateUpdate: func(_ *Context, obj, old metav1.Object) field.ErrorList {
				return validate(obj, validateMetaUpdate(obj, old))
			},
			Columns: []column{nameColumn(), integer("Webhooks", "How many webhooks it has."), ageColumn()},
			Row: func(obj metav1.Object, now time.Time) []any {
				return []any{obj.GetObjectMeta().Name, int64(len(hooks(obj))), age(obj, now)}
			},
		}
	}
	Register("mutatingwebhookconfigurations.admissionregistration.k8s.io", webhooks(
		func(obj metav1.Object) []admissionv1.MutatingWebhook {
			return obj.(*admissionv1.MutatingWebhookConfiguration).Webhooks
		},
		func(obj metav1.Object, list []admissionv1.MutatingWebhook) {
			obj.(*admissionv1.MutatingWebhookConfiguration).Webhooks = list
		}, true))
	Register("validatingwebhookconfigurations.admissionregistration.k8s.io", webhooks(
		func(obj metav1.Object) []admissionv1.MutatingWebhook {
			return Webhooks(obj.(*admissionv1.ValidatingWebhookConfiguration))
		},
		func(obj metav1.Object, list []admissionv1.MutatingWebhook) {
			c := obj.(*admissionv1.ValidatingWebhookConfiguration)
			c.Webhooks = slices.Clone(c.Webhooks)
			for i, h := range list {
				c.Webhooks[i] = admissionv1.ValidatingWebhook{Name: h.Name, ClientConfig: h.ClientConfig, Rules: h.Rules, FailurePolicy: h.FailurePolicy,
					MatchPolicy: h.MatchPolicy, NamespaceSelector: h.NamespaceSelector, ObjectSelector: h.ObjectSelector, SideEffects: h.SideEffects,
					TimeoutSeconds: h.TimeoutSeconds, AdmissionReviewVersions: h.AdmissionReviewVersions, MatchConditions: h.MatchConditions}
			}
		}, false))
}

// Webhooks are the webhooks of a validating configuration in the form that
// mutating ones have, which differs by the reinvocation policy only.
func Webhooks(c *admissionv1.ValidatingWebhookConfiguration) []admissionv1.MutatingWebhook {
	out := make([]admissionv1.MutatingWebhook, len(c.Webhooks))
	for i, h := range c.Webhooks {
		out[i] = admissionv1.MutatingWebhook{Name: h.Name, ClientConfig: h.ClientConfig, Rules: h.Rules, FailurePolicy: h.FailurePolicy,
			MatchPolicy: h.MatchPolicy, NamespaceSelector: h.NamespaceSelector, ObjectSelector: h.ObjectSelector, SideEffects: h.SideEffects,
			TimeoutSeconds: h.TimeoutSeconds, AdmissionReviewVersions: h.AdmissionReviewVersions, MatchConditions: h.MatchConditions}
	}
	return out
}

// fill sets a pointer that is not set.
func fill[T any](p **T, value *T) {
	if *p == nil {
		*p = value
	}
}

func defaultMatch(m *admissionv1.MatchResources) *admissionv1.MatchResources {
	if m == nil {
		return nil
	}
	out := *m
	fill(&out.MatchPolicy, equivalent)
	fill(&out.NamespaceSelector, everySelector)
	fill(&out.ObjectSelector, everySelector)
	for _, list := range []*[]admissionv1.NamedRuleWithOperations{&out.ResourceRules, &out.ExcludeResourceRules} {
		*list = slices.Clone(*list)
		for i := range *list {
			fill(&(*list)[i].Scope, allScopes)
		}
	}
	return &out
}

func (v *validator) admissionPolicy(s *admissionv1.ValidatingAdmissionPolicySpec) {
	if s.FailurePolicy != nil {
		oneOf(v, specPath, "failurePolicy", *s.FailurePolicy, admissionv1.Fail, admissionv1.Ignore)
	}
	if k := s.ParamKind; k != nil {
		p := specPath.Child("paramKind")
		v.groupVersion(k.APIVersion, p.Child("apiVersion"))
		if k.Kind == "" {
			v.required(p.Child("kind"), "")
		} else if errs := validation.IsDNS1035Label(strings.ToLower(k.Kind)); len(errs) > 0 {
			v.invalid(p.Child("kind"), k.Kind, "may have mixed case, but should otherwise match: "+strings.Join(errs, ","))
		}
	}
	if p := specPath.Child("matchConstraints"); s.MatchConstraints == nil {
		v.required(p, "")
	} else {
		v.matchResources(s.MatchConstraints, p)
		if len(s.MatchConstraints.ResourceRules) == 0 {
			v.required(p.Child("resourceRules"), "")
		}
	}
	v.matchConditions(s.MatchConditions, specPath.Child("matchConditions"))
	for i, x := range s.Variables {
		p := specPath.Child("variables").Index(i)
		if strings.TrimSpace(x.Name) == "" {
			v.required(p.Child("name"), "name is not specified")
		} else if len(validation.IsCIdentifier(x.Name)) > 0 {
			v.invalid(p.Child("name"), x.Name, "name is not a valid CEL identifier")
		}
		if strings.TrimSpace(x.Expression) == "" {
			v.required(p.Child("expression"), "expression is not specified")
		}
	}
	if len(s.Validations) == 0 && len(s.AuditAnnotations) == 0 {
		const detail = "validations or auditAnnotations must contain at least one item"
		v.required(specPath.Child("validations"), detail)
		v.required(specPath.Child("auditAnnotations"), detail)
	}
	for i, x := range s.Validations {
		p := specPath.Child("validations").Index(i)
		if strings.TrimSpace(x.Expression) == "" {
			v.required(p.Child("expression"), "expression is not specified")
		}
		if x.MessageExpression != "" && strings.TrimSpace(x.MessageExpression) == "" {
			v.invalid(p.Child("messageExpression"), x.MessageExpression, "must be non-empty if specified")
		}
		if message := strings.TrimSpace(x.Message); x.Message != "" && message == "" {
			v.invalid(p.Child("message"), x.Message, "message must be non-empty if specified")
		} else if strings.ContainsAny(message, "\r\n") {
			v.invalid(p.Child("message"), x.Message, "message must not contain line breaks")
		}
		if x.Reason != nil {
			oneOf(v, p, "reason", *x.Reason, "Forbidden", "Invalid", "RequestEntityTooLarge")
		}
	}
	for i, a := range s.AuditAnnotations {
		p := specPath.Child("auditAnnotations").Index(i)
		if a.Key == "" {
			v.required(p.Child("key"), "")
		} else if slices.ContainsFunc(s.AuditAnnotations[:i], func(b admissionv1.AuditAnnotation) bool { return a.Key == b.Key }) {
			v.duplicate(p.Child("key"), a.Key)
		}
		if strings.TrimSpace(a.ValueExpression) == "" {
			v.required(p.Child("valueExpression"), "valueExpression is not specified")
		}
	}
	_, errs := policy.Compile(s, specPath)
	v.add(errs)
}

func (v *validator) groupVersion(text string, p *field.Path) {
	group, version, ok := strings.Cut(text, "/")
	if !ok {
		group, version = "", text
	}
	switch {
	case text == "":
		v.required(p, "")
	case strings.Contains(version, "/"):
		v.invalid(p, text, "unexpected GroupVersion string: "+text)
	default:
		if errs := dnsSubdomain(group); group != "" && len(errs) > 0 {
			v.invalid(p, group, strings.Join(errs, ","))
		}
		if version == "" {
			v.invalid(p, text, "version must be specified")
		} else if errs := validation.IsDNS1035Label(version); len(errs) > 0 {
			v.invalid(p, version, strings.Join(errs, ","))
		}
	}
}

func (v *validator) policyBinding(s *admissionv1.ValidatingAdmissionPolicyBindingSpec) {
	if s.PolicyName == "" {
		v.required(specPath.Child("policyName"), "")
	} else {
		v.check(specPath, "policyName", s.PolicyName, dnsSubdomain)
	}
	if r, p := s.ParamRef, specPath.Child("paramRef"); r != nil {
		const exclusive = "name and selector are mutually exclusive"
		if r.Name != "" {
			v.check(p, "name", r.Name, pathSegment)
			if r.Selector != nil {
				v.forbidden(p.Child("name"), exclusive)
			}
		}
		if r.Selector != nil {
			v.add(validateSelector(r.Selector, p.Child("selector")))
			if r.Name != "" {
				v.forbidden(p.Child("selector"), exclusive)
			}
		}
		if r.Name == "" && r.Selector == nil {
			v.required(p, "one of name or selector must be specified")
		}
		if r.ParameterNotFoundAction == nil {
			v.required(p.Child("parameterNotFoundAction"), "")
		} else {
			oneOf(v, p, "parameterNotFoundAction", *r.ParameterNotFoundAction, admissionv1.DenyAction, admissionv1.AllowAction)
		}
	}
	if s.MatchResources != nil {
		v.matchResources(s.MatchResources, specPath.Child("matchResouces")) // upstream's spelling
	}
	p := specPath.Child("validationActions")
	for i, a := range s.ValidationActions {
		if !slices.Contains([]admissionv1.ValidationAction{admissionv1.Deny, admissionv1.Warn, admissionv1.Audit}, a) {
			v.errs = append(v.errs, field.NotSupported(p.Index(i), a, []string{"Audit", "Deny", "Warn"}))
		}
		if slices.Contains(s.ValidationActions[:i], a) {
			v.duplicate(p.Index(i), a)
		}
	}
	if slices.Contains(s.ValidationActions, admissionv1.Deny) && slices.Contains(s.ValidationActions, admissionv1.Warn) {
		v.invalid(p, s.ValidationActions, "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)")
	}
	if len(s.ValidationActions) == 0 {
		v.required(p, "at least one validation action is required")
	}
}

func (v *validator) matchResources(m *admissionv1.MatchResources, p *field.Path) {
	if m.MatchPolicy != nil {
		oneOf(v, p, "matchPolicy", *m.MatchPolicy, admissionv1.Equivalent, admissionv1.Exact)
	}
	v.add(validateSelector(m.NamespaceSelector, p.Child("namespaceSelector")))
	v.add(validateSelector(m.ObjectSelector, p.Child("objectSelector")))
	named := func(list []admissionv1.NamedRuleWithOperations, p *field.Path) {
		for i, r := range list {
			for j, name := range r.ResourceNames {
				at := p.Index(i).Child("resourceNames").Index(j)
				for _, msg := range pathSegment(name) {
					v.invalid(at, name, msg)
				}
				if slices.Contains(r.ResourceNames[:j], name) {
					v.duplicate(at, name)
				}
			}
			v.admissionRule(&r.RuleWithOperations, p.Index(i))
		}
	}
	named(m.ResourceRules, p.Child("resourceRules"))
	named(m.ExcludeResourceRules, p.Child("excludeResourceRules"))
}

var operations = []admissionv1.OperationType{admissionv1.OperationAll, admissionv1.Connect, admissionv1.Create, admissionv1.Delete, admissionv1.Update}

func (v *validator) admissionRule(r *admissionv1.RuleWithOperations, p *field.Path) {
	if len(r.Operations) == 0 {
		v.required(p.Child("operations"), "")
	}
	if len(r.Operations) > 1 && slices.Contains(r.Operations, admissionv1.OperationAll) {
		v.invalid(p.Child("operations"), r.Operations, "if '*' is present, must not specify other operations")
	}
	for i, o := range r.Operations {
		if !slices.Contains(operations, o) {
			v.errs = append(v.errs, field.NotSupported(p.Child("operations").Index(i), o, operations))
		}
	}
	list := func(child, what string, values []string, emptyOK bool) {
		at := p.Child(child)
		if len(values) == 0 {
			v.required(at, "")
		}
		if len(values) > 1 && slices.Contains(values, "*") {
			v.invalid(at, values, "if '*' is present, must not specify other "+what)
		}
		for i, s := range values {
			if s == "" && !emptyOK {
				v.required(at.Index(i), "")
			}
		}
	}
	list("apiGroups", "API groups", r.APIGroups, true)
	list("apiVersions", "API versions", r.APIVersions, false)
	v.ruleResources(r.Resources, p.Child("resources"))
	if r.Scope != nil {
		oneOf(v, p, "scope", *r.Scope, admissionv1.AllScopes, admissionv1.ClusterScope, admissionv1.NamespacedScope)
	}
}

func (v *validator) ruleResources(list []string, p *field.Path) {
	if len(list) == 0 {
		v.required(p, "")
	}
	everySub, everyOf := map[string]bool{}, map[string]bool{} // x/*, */y
	for i, s := range list {
		if s == "" {
			v.required(p.Index(i), "")
			continue
		}
		if s == "*/*" && len(list) > 1 {
			v.invalid(p, list, "if '*/*' is present, must not specify other resources")
		}
		res, sub, _ := strings.Cut(s, "/")
		if sub == "*" {
			everySub[res] = true
		}
		if res == "*" {
			everyOf[sub] = true
		}
	}
	for i, s := range list {
		res, sub, ok := strings.Cut(s, "/")
		if ok && sub != "*" && everySub[res] {
			v.invalid(p.Index(i), s, fmt.Sprintf("if '%s/*' is present, must not specify %s", res, s))
		}
		if s != "*" && res != "*" && everyOf[sub] {
			v.invalid(p.Index(i), s, fmt.Sprintf("if '*/%s' is present, must not specify %s", sub, s))
		}
	}
	if len(list) > 1 && slices.Contains(list, "*") {
		for _, s := range list {
			if !strings.Contains(s, "/") && s != "*" {
				v.invalid(p, list, "if '*' is present, must not specify other resources without subresources")
				break
			}
		}
	}
}

// matchConditions judges all but the expressions themselves.
func (v *validator) matchConditions(list []admissionv1.MatchCondition, p *field.Path) {
	if len(list) > 64 {
		v.errs = append(v.errs, field.TooMany(p, len(list), 64))
	}
	for i, m := range list {
		if strings.TrimSpace(m.Expression) == "" {
			v.required(p.Index(i).Child("expression"), "")
		}
		if m.Name == "" {
			v.required(p.Index(i).Child("name"), "")
			continue
		}
		v.check(p.Index(i), "name", m.Name, qualifiedName)
		if slices.ContainsFunc(list[:i], func(o admissionv1.MatchCondition) bool { return o.Name == m.Name }) {
			v.duplicate(p.Index(i).Child("name"), m.Name)
		}
	}
}

func (v *validator) webhooks(hooks []admissionv1.MutatingWebhook, mutating bool) {
	for i := range hooks {
		h, p := &hooks[i], field.NewPath("webhooks").Index(i)
		v.fullyQualified(h.Name, p.Child("name"))
		for j := range h.Rules {
			v.admissionRule(&h.Rules[j], p.Child("rules").Index(j))
		}
		if h.FailurePolicy != nil {
			oneOf(v, p, "failurePolicy", *h.FailurePolicy, admissionv1.Fail, admissionv1.Ignore)
		}
		if h.MatchPolicy != nil {
			oneOf(v, p, "matchPolicy", *h.MatchPolicy, admissionv1.Equivalent, admissionv1.Exact)
		}
		if h.SideEffects == nil {
			v.required(p.Child("sideEffects"), "must specify one of None, NoneOnDryRun")
		} else {
			oneOf(v, p, "sideEffects", *h.SideEffects, admissionv1.SideEffectClassNone, admissionv1.SideEffectClassNoneOnDryRun)
		}
		if t := h.TimeoutSeconds; t != nil && (*t < 1 || *t > 30) {
			v.invalid(p.Child("timeoutSeconds"), *t, "the timeout value must be between 1 and 30 seconds")
		}
		v.add(validateSelector(h.NamespaceSelector, p.Child("namespaceSelector")))
		v.add(validateSelector(h.ObjectSelector, p.Child("objectSelector")))
		if mutating && h.ReinvocationPolicy != nil {
			oneOf(v, p, "reinvocationPolicy", *h.ReinvocationPolicy, admissionv1.IfNeededReinvocationPolicy, admissionv1.NeverReinvocationPolicy)
		}
		v.webhookClient(&h.ClientConfig, p.Child("clientConfig"))
		v.matchConditions(h.MatchConditions, p.Child("matchConditions"))
		_, errs := policy.CompileConditions(h.MatchConditions, false, p.Child("matchConditions"))
		v.add(errs)
		v.reviewVersions(h.AdmissionReviewVersions, p.Child("admissionReviewVersions"))
		if h.Name != "" && slices.ContainsFunc(hooks[:i], func(o admissionv1.MutatingWebhook) bool { return o.Name == h.Name }) {
			v.duplicate(p.Child("name"), h.Name)
		}
	}
}

func (v *validator) fullyQualified(name string, p *field.Path) {
	if name == "" {
		v.required(p, "")
		return
	}
	if errs := dnsSubdomain(name); len(errs) > 0 {
		v.invalid(p, name, strings.Join(errs, ","))
	} else if strings.Count(name, ".") < 2 {
		v.invalid(p, name, "should be a domain with at least three segments separated by dots")
	}
}

func (v *validator) reviewVersions(list []string, p *field.Path) {
	if len(list) == 0 {
		v.required(p, "must specify one of v1, v1beta1")
		return
	}
	for i, s := range list {
		if slices.Contains(list[:i], s) {
			v.invalid(p.Index(i), s, "duplicate version")
			continue
		}
		for _, msg := range validation.IsDNS1035Label(s) {
			v.invalid(p.Index(i), s, msg)
		}
	}
	if !slices.Contains(list, "v1") && !slices.Contains(list, "v1beta1") {
		v.invalid(p, list, "must include at least one of v1, v1beta1")
	}
}

func (v *validator) webhookClient(c *admissionv1.WebhookClientConfig, p *field.Path) {
	if (c.URL == nil) == (c.Service == nil) {
		v.required(p, "exactly one of url or service is required")
		return
	}
	if c.URL != nil {
		v.webhookURL(*c.URL, p.Child("url"))
		return
	}
	s, p := c.Service, p.Child("service")
	if s.Name == "" {
		v.required(p.Child("name"), "service name is required")
	}
	if s.Namespace == "" {
		v.required(p.Child("namespace"), "service namespace is required")
	}
	if s.Port != nil {
		if errs := validation.IsValidPortNum(int(*s.Port)); len(errs) > 0 {
			v.invalid(p.Child("port"), *s.Port, "port is not valid: "+strings.Join(errs, ","))
		}
	}
	if s.Path == nil || *s.Path == "" {
		return
	}
	at, path := p.Child("path"), *s.Path
	switch {
	case path == "/":
	case !strings.HasPrefix(path, "/"):
		v.invalid(at, path, "must start with a '/'")
	case strings.Contains(path, "//"):
		i := slices.Index(strings.Split(path[1:], "/"), "")
		v.invalid(at, path, fmt.Sprintf("segment[%d] may not be empty", i))
	}
}

func (v *validator) webhookURL(text string, p *field.Path) {
	const form = "; desired format: https://host[/path]"
	u, err := url.Parse(text)
	if err != nil {
		v.required(p, "url must be a valid URL: "+err.Error()+form)
		return
	}
	if u.Scheme != "https" {
		v.invalid(p, u.Scheme, "'https' is the only allowed URL scheme"+form)
	}
	if u.Host == "" {
		v.invalid(p, u.Host, "host must be specified"+form)
	}
	if u.User != nil {
		v.invalid(p, u.User.String(), "user information is not permitted in the URL")
	}
	if u.Fragment != "" {
		v.invalid(p, u.Fragment, "fragments are not permitted in the URL")
	}
	if u.RawQuery != "" {
		v.invalid(p, u.RawQuery, "query parameters are not permitted in the URL")
	}
}
