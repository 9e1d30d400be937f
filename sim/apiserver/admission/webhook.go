// This file asks admission webhooks: the mutating ones, whose patches change the
// object, and the validating ones.
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/

package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubonsai/kubonsai/sim/api"
	admissionv1 "github.com/kubonsai/kubonsai/sim/api/admissionregistration/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/apiserver"
	"github.com/kubonsai/kubonsai/sim/apiserver/patch"
	"github.com/kubonsai/kubonsai/sim/apiserver/policy"
	"github.com/kubonsai/kubonsai/sim/apiserver/resource"
)

const (
	mutatingConfigurations   = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
	validatingConfigurations = "validatingwebhookconfigurations.admissionregistration.k8s.io"
)

// hooks are the webhooks that are meant for the write, in their order, with the
// kind in whose version each wants to see it.
func hooks(a *attributes, mutating bool) []hook {
	if a.Context.List == nil || exempt(a) {
		return nil
	}
	var all []admissionv1.MutatingWebhook
	if mutating {
		list(a, mutatingConfigurations, "", func(c *admissionv1.MutatingWebhookConfiguration) { all = append(all, c.Webhooks...) })
	} else {
		list(a, validatingConfigurations, "", func(c *admissionv1.ValidatingWebhookConfiguration) { all = append(all, resource.Webhooks(c)...) })
	}
	out := make([]hook, 0, len(all))
	for i := range all {
		out = append(out, hook{MutatingWebhook: &all[i], mutating: mutating})
	}
	return out
}

type hook struct {
	*admissionv1.MutatingWebhook
	mutating bool
}

// meant finds out whether the webhook is to be called about the write; nil is no.
func (h *hook) meant(a *attributes) (*view, error) {
	rules := make([]admissionv1.NamedRuleWithOperations, len(h.Rules))
	for i, r := range h.Rules {
		rules[i].RuleWithOperations = r
	}
	if len(rules) == 0 {
		return nil, nil
	}
	kind := (&criteria{rules: rules, policy: h.MatchPolicy, namespace: h.NamespaceSelector, other: h.ObjectSelector}).match(a)
	if kind == nil {
		return nil, nil
	}
	v := &view{a: a, kind: kind}
	if len(h.MatchConditions) == 0 {
		return v, nil
	}
	vars, err := v.variables()
	if err != nil {
		return nil, err
	}
	conditions, _ := policy.CompileConditions(h.MatchConditions, false, field.NewPath("matchConditions"))
	met, err := conditionsMet(conditions, vars)
	switch {
	case !met || err != nil && !failClosed(h.FailurePolicy):
		return nil, nil
	case err != nil:
		return nil, apierrors.NewForbidden(a.Kind.GroupResource(), a.Name, err)
	}
	return v, nil
}

// MutatingAdmissionWebhook is described at the top of its file. again runs the
// plugins that came before over an object that a webhook has changed.
func MutatingAdmissionWebhook(again func(a *apiserver.Attributes) error) Plugin {
	return Plugin{Name: "MutatingAdmissionWebhook", Admit: func(a *apiserver.Attributes) error {
		all := hooks(a, true)
		if len(all) == 0 {
			return nil
		}
		seen := make([]any, len(all)) // what each has left behind
		changed := false
		for i := range all {
			after, did, err := all[i].ask(a)
			if err != nil {
				return err
			}
			seen[i], changed = after, changed || did
		}
		if !changed {
			return nil
		}
		if err := again(a); err != nil {
			return err
		}
		for i := range all {
			h := &all[i]
			if seen[i] == nil || h.ReinvocationPolicy == nil || *h.ReinvocationPolicy != admissionv1.IfNeededReinvocationPolicy {
				continue
			}
			now, err := (&view{a: a, kind: a.Kind}).tree(a.Object)
			if err != nil {
				return err
			}
			if reflect.DeepEqual(now, seen[i]) {
				continue
			}
			if _, _, err := h.ask(a); err != nil {
				return err
			}
		}
		return nil
	}}
}

// ValidatingAdmissionWebhook is described at the top of its file.
var ValidatingAdmissionWebhook = Plugin{
	Name: "ValidatingAdmissionWebhook",
	Validate: func(a *apiserver.Attributes) error {
		all := hooks(a, false)
		if len(all) == 0 {
			return nil
		}
		a = a.Shown()
		for i := range all {
			if _, _, err := all[i].ask(a); err != nil {
				return err
			}
		}
		return nil
	},
}

// ask asks one webhook if it is meant, and applies its patch. after is the
// object that it leaves behind, nil if it was not asked.
func (h *hook) ask(a *attributes) (after any, changed bool, err error) {
	v, err := h.meant(a)
	if v == nil || err != nil {
		return nil, false, err
	}
	if a.DryRun && (h.SideEffects == nil || *h.SideEffects != admissionv1.SideEffectClassNone && *h.SideEffects != admissionv1.SideEffectClassNoneOnDryRun) {
		return nil, false, apierrors.NewBadRequest(fmt.Sprintf("admission webhook %q does not support dry run", h.Name))
	}
	response, err := h.review(v)
	if err != nil {
		if !failClosed(h.FailurePolicy) {
			return nil, false, nil
		}
		return nil, false, apierrors.NewInternalError(fmt.Errorf("failed calling webhook %q: %w", h.Name, err))
	}
	for _, w := range response.Warnings {
		a.Warn(w)
	}
	if !response.Allowed {
		return nil, false, h.denied(response.Status)
	}
	if len(response.Patch) > 0 {
		if changed, err = h.apply(v, response.Patch); err != nil {
			return nil, false, err
		}
	}
	after, err = (&view{a: a, kind: a.Kind}).tree(a.Object)
	return after, changed, err
}

// response is what a webhook answers.
type response struct {
	UID       string         `json:"uid"`
	Allowed   bool           `json:"allowed"`
	Status    *metav1.Status `json:"status"`
	Patch     []byte         `json:"patch"`
	PatchType *string        `json:"patchType"`
	Warnings  []string       `json:"warnings"`
}

// review calls the webhook and reads its answer.
func (h *hook) review(v *view) (*response, error) {
	version := "v1"
	if i := slices.IndexFunc(h.AdmissionReviewVersions, func(s string) bool { return s == "v1" || s == "v1beta1" }); i >= 0 {
		version = h.AdmissionReviewVersions[i]
	}
	uid := v.a.ReviewUID()
	request := v.requestTree()
	request["uid"] = uid
	var err error
	if request["object"], err = v.tree(v.a.Object); err != nil {
		return nil, err
	}
	if request["oldObject"], err = v.tree(v.a.Old); err != nil {
		return nil, err
	}
	const kind, group = "AdmissionReview", "admission.k8s.io/"
	body, err := json.Marshal(map[string]any{"kind": kind, "apiVersion": group + version, "request": request})
	if err != nil {
		return nil, err
	}
	call, err := h.call(v.a)
	if err != nil {
		return nil, fmt.Errorf("failed to call webhook: %w", err)
	}
	call.Body = body
	code, body, err, ok := v.a.Post(call)
	switch {
	case !ok:
		err = fmt.Errorf("Post %q: nothing outside the cluster can be reached", call.URL)
	case err == nil && (code < 200 || code > 299):
		text := strings.TrimSpace(string(body))
		if text == "" {
			text = "unknown"
		}
		err = apierrors.NewGenericServerResponse(code, "POST", metav1.GroupResource{}, "", text, 0, true)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to call webhook: %w", err)
	}
	var answer struct {
		metav1.TypeMeta
		Response *response `json:"response"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("failed to call webhook: couldn't get version/kind; json parse error: %w", err)
	}
	want, got := metav1.FromAPIVersionAndKind(group+version, kind), metav1.FromAPIVersionAndKind(answer.APIVersion, answer.Kind)
	if r := answer.Response; r == nil {
		return nil, errors.New("webhook response was absent")
	} else if version == "v1beta1" && answer.APIVersion == "" && answer.Kind == "" { // such old ones need not say
		return r, nil
	} else if got != want {
		return nil, fmt.Errorf("expected webhook response of %v, got %v", want, got)
	} else if r.UID != uid {
		return nil, fmt.Errorf("expected response.uid=%q, got %q", uid, r.UID)
	}
	return answer.Response, h.checkPatch(answer.Response, version)
}

func (h *hook) checkPatch(r *response, version string) error {
	switch {
	case !h.mutating && len(r.Patch) > 0:
		return errors.New("validating webhook may not return response.patch")
	case !h.mutating && r.PatchType != nil:
		return errors.New("validating webhook may not return response.patchType")
	case version != "v1":
	case len(r.Patch) == 0 && r.PatchType != nil:
		return errors.New("webhook returned response.patchType but not response.patch")
	case len(r.Patch) > 0 && r.PatchType == nil:
		return errors.New("webhook returned response.patch but not response.patchType")
	case r.PatchType != nil && *r.PatchType != "JSONPatch":
		return fmt.Errorf("webhook returned invalid response.patchType of %q", *r.PatchType)
	}
	return nil
}

// call is the call of the webhook without its body.
func (h *hook) call(a *attributes) (*apiserver.WebhookCall, error) {
	c := &apiserver.WebhookCall{CA: h.ClientConfig.CABundle, Timeout: 10 * time.Second}
	if h.TimeoutSeconds != nil {
		c.Timeout = time.Duration(*h.TimeoutSeconds) * time.Second
	}
	if text := h.ClientConfig.URL; text != nil {
		u, err := url.Parse(*text)
		if err != nil {
			return nil, err
		}
		c.URL = u
	} else if s := h.ClientConfig.Service; s != nil {
		c.Port = 443
		if s.Port != nil {
			c.Port = *s.Port
		}
		c.URL = &url.URL{Scheme: "https", Host: fmt.Sprintf("%s.%s.svc:%d", s.Name, s.Namespace, c.Port)}
		if s.Path != nil {
			c.URL.Path = *s.Path
		}
		c.URL.RawQuery = "timeout=" + c.Timeout.String()
		service, ok := get[*corev1.Service](a, "services", s.Namespace, s.Name)
		if !ok {
			return nil, fmt.Errorf("Post %q: service %q not found", c.URL, s.Name)
		}
		c.Service = service
		return c, nil
	}
	c.URL.RawQuery = "timeout=" + c.Timeout.String()
	return c, nil
}

// denied is the error of a write that the webhook does not allow.
func (h *hook) denied(s *metav1.Status) error {
	if s == nil {
		s = &metav1.Status{}
	}
	e := &apierrors.StatusError{ErrStatus: *s}
	out := &e.ErrStatus
	out.Code = max(out.Code, 400)
	out.Status = metav1.StatusFailure
	text := fmt.Sprintf("admission webhook %q denied the request", h.Name)
	switch {
	case s.Message != "":
		out.Message = text + ": " + s.Message
	case s.Reason != "":
		out.Message = text + ": " + string(s.Reason)
	default:
		out.Message = text + " without explanation"
	}
	return e
}

// apply changes the object in place by a JSON patch.
func (h *hook) apply(v *view, text []byte) (changed bool, err error) {
	internal := func(format string, args ...any) (bool, error) {
		return false, apierrors.NewInternalError(fmt.Errorf(format, args...))
	}
	if v.a.Object == nil {
		return internal("admission webhook %q attempted to modify the object, which is not supported for this operation", h.Name)
	}
	list, err := metav1.DecodeTree(text)
	if err != nil {
		return internal("%v", err)
	}
	ops, err := patch.Operations(list)
	if err != nil {
		return internal("%v", err)
	}
	if len(ops) == 0 {
		return false, nil
	}
	before, err := v.tree(v.a.Object)
	if err != nil {
		return false, err
	}
	after, err := patch.JSON(patch.Copy(before), ops)
	if err != nil {
		return internal("%v", err)
	}
	tree, ok := after.(map[string]any)
	if !ok || reflect.DeepEqual(before, after) {
		return false, nil
	}
	obj, err := api.Decode(tree)
	if err != nil {
		return internal("%v", err)
	}
	if v.a.Subresource == "" || v.a.Subresource == "status" {
		if v.kind.ToStorage != nil {
			obj = v.kind.ToStorage(obj)
		}
		if fill := v.kind.Strategy.Default; fill != nil {
			fill(obj)
		}
	}
	to, from := reflect.ValueOf(v.a.Object), reflect.ValueOf(obj)
	if to.Type() != from.Type() {
		return internal("admission webhook %q changed the kind of the object", h.Name)
	}
	to.Elem().Set(from.Elem())
	return true, nil
}
