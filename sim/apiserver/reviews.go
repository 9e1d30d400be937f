// This file answers the kinds that are questions rather than objects: who am I,
// what may I do, and a token for a service account.

package apiserver

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	authenticationv1 "github.com/kubonsai/kubonsai/sim/api/authentication/v1"
	authorizationv1 "github.com/kubonsai/kubonsai/sim/api/authorization/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/rest"
)

func labelSet(m map[string]string) labels.Set { return m }

// reviews are the resources that can be created only, and are not stored.
var reviews map[metav1.GroupResource]func(*call) (*rest.Response, error)

func init() {
	const authz, authn = "authorization.k8s.io", "authentication.k8s.io"
	reviews = map[metav1.GroupResource]func(*call) (*rest.Response, error){
		{Resource: "bindings"}:                                (*call).createBinding,
		{Group: authz, Resource: "selfsubjectaccessreviews"}:  (*call).selfSubjectAccessReview,
		{Group: authz, Resource: "subjectaccessreviews"}:      (*call).subjectAccessReview,
		{Group: authz, Resource: "localsubjectaccessreviews"}: (*call).localSubjectAccessReview,
		{Group: authz, Resource: "selfsubjectrulesreviews"}:   (*call).selfSubjectRulesReview,
		{Group: authn, Resource: "selfsubjectreviews"}:        (*call).selfSubjectReview,
		{Group: authn, Resource: "tokenreviews"}:              (*call).tokenReview,
	}
}

// review decodes the question.
func (c *call) review() (metav1.Object, error) {
	obj, err := c.decode(c.kind.GroupVersionKind(), nil)
	if err != nil {
		return nil, err
	}
	if c.kind.Namespaced {
		err = c.fitNamespace(obj.GetObjectMeta())
	}
	return obj, err
}

func (c *call) allowed(user *rest.User, r *authorizationv1.ResourceAttributes, n *authorizationv1.NonResourceAttributes) authorizationv1.SubjectAccessReviewStatus {
	a := AccessAttributes{User: user}
	if r != nil {
		a.Verb, a.Group, a.Version, a.Resource, a.Subres = r.Verb, r.Group, r.Version, r.Resource, r.Subresource
		a.Namespace, a.Name = r.Namespace, r.Name
	} else if n != nil {
		a.Verb, a.Path = n.Verb, n.Path
	}
	ok, reason := c.s.authorizer.Authorize(a)
	return authorizationv1.SubjectAccessReviewStatus{Allowed: ok, Reason: reason}
}

func exactlyOne(r *authorizationv1.ResourceAttributes, n *authorizationv1.NonResourceAttributes) field.ErrorList {
	path := field.NewPath("spec")
	switch {
	case r != nil && n != nil:
		return field.ErrorList{field.Invalid(path.Child("nonResourceAttributes"), n, "cannot be specified in combination with resourceAttributes")}
	case r == nil && n == nil:
		return field.ErrorList{field.Invalid(path.Child("resourceAttributes"), r, "exactly one of nonResourceAttributes or resourceAttributes must be specified")}
	}
	return nil
}

func (c *call) invalidReview(errs field.ErrorList) error {
	return apierrors.NewInvalid(c.kind.GroupKind(), "", errs)
}

func (c *call) selfSubjectAccessReview() (*rest.Response, error) {
	obj, err := c.review()
	if err != nil {
		return nil, err
	}
	r := obj.(*authorizationv1.SelfSubjectAccessReview)
	if errs := exactlyOne(r.Spec.ResourceAttributes, r.Spec.NonResourceAttributes); errs != nil {
		return nil, c.invalidReview(errs)
	}
	r.Status = c.allowed(c.user(), r.Spec.ResourceAttributes, r.Spec.NonResourceAttributes)
	return c.answer(201, r)
}

func reviewed(s *authorizationv1.SubjectAccessReviewSpec) *rest.User {
	u := &rest.User{Name: s.User, UID: s.UID, Groups: s.Groups, Extra: map[string][]string{}}
	for k, v := range s.Extra {
		u.Extra[k] = v
	}
	return u
}

func (c *call) subjectAccessReview() (*rest.Response, error) {
	obj, err := c.review()
	if err != nil {
		return nil, err
	}
	r := obj.(*authorizationv1.SubjectAccessReview)
	errs := exactlyOne(r.Spec.ResourceAttributes, r.Spec.NonResourceAttributes)
	if r.Spec.User == "" && len(r.Spec.Groups) == 0 {
		errs = append(errs, field.Invalid(field.NewPath("spec", "user"), "", "at least one of user or group must be specified"))
	}
	if len(errs) > 0 {
		return nil, c.invalidReview(errs)
	}
	r.Status = c.allowed(reviewed(&r.Spec), r.Spec.ResourceAttributes, r.Spec.NonResourceAttributes)
	return c.answer(201, r)
}

func (c *call) localSubjectAccessReview() (*rest.Response, error) {
	obj, err := c.review()
	if err != nil {
		return nil, err
	}
	r := obj.(*authorizationv1.LocalSubjectAccessReview)
	if errs := exactlyOne(r.Spec.ResourceAttributes, r.Spec.NonResourceAttributes); errs != nil {
		return nil, c.invalidReview(errs)
	}
	if a := r.Spec.ResourceAttributes; a != nil && a.Namespace != c.namespace {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("spec.resourceAttributes.namespace must match namespace: %v", c.namespace))
	}
	r.Status = c.allowed(reviewed(&r.Spec), r.Spec.ResourceAttributes, r.Spec.NonResourceAttributes)
	return c.answer(201, r)
}

func (c *call) selfSubjectRulesReview() (*rest.Response, error) {
	obj, err := c.review()
	if err != nil {
		return nil, err
	}
	r := obj.(*authorizationv1.SelfSubjectRulesReview)
	if r.Spec.Namespace == "" {
		return nil, apierrors.NewBadRequest("no namespace on request")
	}
	resources, paths, complete := c.s.authorizer.Rules(c.user(), r.Spec.Namespace)
	r.Status = authorizationv1.SubjectRulesReviewStatus{Incomplete: !complete,
		ResourceRules: []authorizationv1.ResourceRule{}, NonResourceRules: []authorizationv1.NonResourceRule{}}
	for _, o := range resources {
		r.Status.ResourceRules = append(r.Status.ResourceRules, authorizationv1.ResourceRule{Verbs: o.Verbs, APIGroups: o.Groups, Resources: o.Resources, ResourceNames: o.Names})
	}
	for _, o := range paths {
		r.Status.NonResourceRules = append(r.Status.NonResourceRules, authorizationv1.NonResourceRule{Verbs: o.Verbs, NonResourceURLs: o.Paths})
	}
	return c.answer(201, r)
}

func (c *call) selfSubjectReview() (*rest.Response, error) {
	obj, err := c.review()
	if err != nil {
		return nil, err
	}
	r := obj.(*authenticationv1.SelfSubjectReview)
	u := c.user()
	r.CreationTimestamp = metav1.NewTime(c.s.now())
	r.Status.UserInfo = authenticationv1.UserInfo{Username: u.Name, UID: u.UID, Groups: u.Groups}
	for k, v := range u.Extra {
		if r.Status.UserInfo.Extra == nil {
			r.Status.UserInfo.Extra = map[string]authenticationv1.ExtraValue{}
		}
		r.Status.UserInfo.Extra[k] = v
	}
	return c.answer(201, r)
}

func (c *call) tokenReview() (*rest.Response, error) {
	obj, err := c.review()
	if err != nil {
		return nil, err
	}
	r := obj.(*authenticationv1.TokenReview)
	if r.Spec.Token == "" {
		return nil, apierrors.NewBadRequest(`token is required for TokenReview in authentication`)
	}
	r.Status = authenticationv1.TokenReviewStatus{}
	wanted := r.Spec.Audiences
	if len(wanted) == 0 {
		wanted = []string{Issuer}
	}
	if user, audiences, err := c.s.authenticate(r.Spec.Token, wanted); err != nil {
		r.Status.Error = err.Error()
	} else {
		r.Status.Authenticated = true
		r.Status.User = authenticationv1.UserInfo{Username: user.Name, UID: user.UID, Groups: user.Groups}
		for k, v := range user.Extra {
			if r.Status.User.Extra == nil {
				r.Status.User.Extra = map[string]authenticationv1.ExtraValue{}
			}
			r.Status.User.Extra[k] = v
		}
		r.Status.Audiences = audiences
	}
	return c.answer(201, r)
}

// Issuer is who signs the tokens of service accounts.
const Issuer = "https://kubernetes.default.svc.cluster.local"

var tokenKind = metav1.GroupVersionKind{Group: "authentication.k8s.io", Version: "v1", Kind: "TokenRequest"}

// claims are the contents of a service account's token.
type claims struct {
	Audience   []string `json:"aud"`
	Expires    int64    `json:"exp"`
	IssuedAt   int64    `json:"iat"`
	Issuer     string   `json:"iss"`
	ID         string   `json:"jti"`
	Kubernetes private  `json:"kubernetes.io"`
	NotBefore  int64    `json:"nbf"`
	Subject    string   `json:"sub"`
}

type private struct {
	Namespace      string  `json:"namespace"`
	Node           *object `json:"node,omitempty"`
	Pod            *object `json:"pod,omitempty"`
	Secret         *object `json:"secret,omitempty"`
	ServiceAccount object  `json:"serviceaccount"`
}

type object struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// What the kubelet asks for on behalf of pods that did not ask for a token
// themselves, and how long it then lasts: programs that read their token only
// once would fail after an hour (--service-account-extend-token-expiration).
const (
	podTokenSeconds      = 3607
	extendedTokenSeconds = 365 * 24 * 3600
)

// token answers POST …/serviceaccounts/NAME/token.
func (c *call) token() (*rest.Response, error) {
	if err := c.readOptions("CreateOptions", false); err != nil {
		return nil, err
	}
	obj, err := c.decode(tokenKind, nil)
	if err != nil {
		return nil, err
	}
	r := obj.(*authenticationv1.TokenRequest)
	invalid := func(name string, e *field.Error) error {
		return apierrors.NewInvalid(tokenKind.GroupKind(), name, field.ErrorList{e})
	}
	if r.Name != "" && r.Name != c.name {
		return nil, invalid(c.name, field.Invalid(field.NewPath("metadata", "name"), r.Name, "must match the service account name if specified"))
	}
	if r.Namespace != "" && r.Namespace != c.namespace {
		return nil, invalid(c.name, field.Invalid(field.NewPath("metadata", "namespace"), r.Namespace, "must match the service account namespace if specified"))
	}
	stored, err := c.stored(c.name)
	if err != nil {
		return nil, err
	}
	sa := stored.(*corev1.ServiceAccount)
	if r.UID != "" && r.UID != sa.UID {
		return nil, apierrors.NewConflict(metav1.GroupResource{Group: tokenKind.Group, Resource: tokenKind.Kind}, c.name,
			fmt.Errorf("the UID in the token request (%s) does not match the UID of the service account (%s)", r.UID, sa.UID))
	}
	r.Name, r.Namespace, r.UID = sa.Name, sa.Namespace, sa.UID
	if len(r.Spec.Audiences) == 0 {
		r.Spec.Audiences = []string{Issuer}
	}
	seconds := int64(3600)
	if r.Spec.ExpirationSeconds != nil {
		seconds = *r.Spec.ExpirationSeconds
	}
	path := field.NewPath("spec", "expirationSeconds")
	if seconds < 600 {
		return nil, invalid("", field.Invalid(path, seconds, "may not specify a duration less than 10 minutes"))
	}
	if seconds > 1<<32 {
		return nil, invalid("", field.TooLong(path, seconds, 1<<32))
	}
	r.Spec.ExpirationSeconds = &seconds
	now := c.s.now()
	r.CreationTimestamp = metav1.NewTime(now)
	id := claims{Audience: r.Spec.Audiences, IssuedAt: now.Unix(), NotBefore: now.Unix(), Expires: now.Unix() + seconds, Issuer: Issuer,
		ID: c.s.tokens.UID(), Subject: "system:serviceaccount:" + sa.Namespace + ":" + sa.Name,
		Kubernetes: private{Namespace: sa.Namespace, ServiceAccount: object{sa.Name, string(sa.UID)}}}
	if err := c.bindToken(r, sa, &id.Kubernetes); err != nil {
		return nil, err
	}
	if ref := r.Spec.BoundObjectRef; ref != nil && ref.Kind == "Pod" && seconds == podTokenSeconds && slices.Equal(r.Spec.Audiences, []string{Issuer}) {
		id.Expires += extendedTokenSeconds - seconds
	}
	r.Status = authenticationv1.TokenRequestStatus{Token: c.s.sign(id), ExpirationTimestamp: metav1.NewTime(now.Add(time.Duration(seconds) * time.Second))}
	return c.answer(201, r)
}

// bindToken ties the token to the life of another object.
func (c *call) bindToken(r *authenticationv1.TokenRequest, sa *corev1.ServiceAccount, p *private) error {
	ref := r.Spec.BoundObjectRef
	if ref == nil {
		return nil
	}
	gvk := metav1.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	resource, namespace := "", c.namespace
	switch gvk {
	case metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}:
		resource = "pods"
	case metav1.GroupVersionKind{Version: "v1", Kind: "Secret"}:
		resource = "secrets"
	case metav1.GroupVersionKind{Version: "v1", Kind: "Node"}:
		resource, namespace = "nodes", ""
	default:
		return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token to object of type %s", gvk))
	}
	obj := c.s.lookup(resource, namespace, ref.Name)
	if obj == nil {
		return apierrors.NewNotFound(metav1.GroupResource{Resource: resource}, ref.Name)
	}
	m := obj.GetObjectMeta()
	if ref.UID != "" && ref.UID != m.UID {
		return apierrors.NewConflict(metav1.GroupResource{Resource: gvk.Kind}, ref.Name,
			fmt.Errorf("the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", ref.UID))
	}
	named := &object{m.Name, string(m.UID)}
	switch x := obj.(type) {
	case *corev1.Pod:
		if x.Spec.ServiceAccountName != sa.Name {
			return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token for serviceaccount %q to pod running with different serviceaccount name.", sa.Name))
		}
		p.Pod = named
		if node := c.s.lookup("nodes", "", x.Spec.NodeName); node != nil {
			p.Node = &object{x.Spec.NodeName, string(node.GetObjectMeta().UID)}
		}
	case *corev1.Secret:
		p.Secret = named
	case *corev1.Node:
		p.Node = named
	}
	return nil
}

// sign makes a token of the usual form. The signature is a keyed digest that
// this server alone checks; it protects nothing but the simulation.
func (s *Server) sign(c any) string {
	payload, _ := json.Marshal(c)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"`+s.keyID()+`"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	return text + "." + s.signature(text)
}

// legacy is what the token in a Secret says, which lives as long as that.
type legacy struct {
	Issuer    string `json:"iss"`
	Namespace string `json:"kubernetes.io/serviceaccount/namespace"`
	Secret    string `json:"kubernetes.io/serviceaccount/secret.name"`
	Account   string `json:"kubernetes.io/serviceaccount/service-account.name"`
	UID       string `json:"kubernetes.io/serviceaccount/service-account.uid"`
	Subject   string `json:"sub"`
}

const legacyIssuer = "kubernetes/serviceaccount"

// SecretToken is the token that a Secret of type kubernetes.io/service-account-token
// holds for an account.
func (s *Server) SecretToken(sa *corev1.ServiceAccount, secret string) string {
	return s.sign(legacy{legacyIssuer, sa.Namespace, secret, sa.Name, string(sa.UID), "system:serviceaccount:" + sa.Namespace + ":" + sa.Name})
}

func (s *Server) keyID() string {
	sum := sha256.Sum256([]byte("kid" + s.secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (s *Server) signature(text string) string {
	var out []byte
	for i := byte(0); i < 8; i++ { // as long as an RSA signature
		sum := sha256.Sum256(append([]byte{i}, s.secret+text...))
		out = append(out, sum[:]...)
	}
	return base64.RawURLEncoding.EncodeToString(out)
}

// Authenticate returns the service account that a token made by this server,
// for this server, stands for.
func (s *Server) Authenticate(token string) (*rest.User, error) {
	user, _, err := s.authenticate(token, []string{Issuer})
	return user, err
}

// authenticate is Authenticate for servers that go by one of the given names; it
// returns also which of them the token is for.
func (s *Server) authenticate(token string, wanted []string) (user *rest.User, audiences []string, err error) {
	bad := fmt.Errorf("invalid bearer token")
	i := lastDot(token)
	if i < 0 || token[i+1:] != s.signature(token[:i]) {
		return nil, nil, bad
	}
	j := lastDot(token[:i])
	data, err := base64.RawURLEncoding.DecodeString(token[j+1 : i])
	var c claims
	if err != nil || json.Unmarshal(data, &c) != nil {
		return nil, nil, bad
	}
	if l := (legacy{}); json.Unmarshal(data, &l) == nil && l.Issuer == legacyIssuer {
		secret, ok := s.lookup("secrets", l.Namespace, l.Secret).(*corev1.Secret)
		if !ok || string(secret.Data[corev1.ServiceAccountTokenKey]) != token {
			return nil, nil, fmt.Errorf("[invalid bearer token, service account token has been invalidated]")
		}
		c.Subject, c.Audience, c.Expires = l.Subject, wanted, math.MaxInt64
		c.Kubernetes.Namespace, c.Kubernetes.ServiceAccount = l.Namespace, object{l.Account, l.UID}
	}
	refuse := func(format string, args ...any) (*rest.User, []string, error) {
		return nil, nil, fmt.Errorf("[invalid bearer token, "+format+"]", args...)
	}
	if s.now().Unix() > c.Expires {
		return refuse("service account token has expired")
	}
	for _, a := range wanted {
		if has(c.Audience, a) {
			audiences = append(audiences, a)
		}
	}
	if len(audiences) == 0 {
		return refuse("token audiences %q is invalid for the target audiences %q", c.Audience, wanted)
	}
	k := c.Kubernetes
	is := func(resource, namespace string, o *object) bool {
		if o == nil {
			return true
		}
		obj := s.lookup(resource, namespace, o.Name)
		return obj != nil && string(obj.GetObjectMeta().UID) == o.UID
	}
	if !is("serviceaccounts", k.Namespace, &k.ServiceAccount) {
		return refuse("service account has been invalidated")
	}
	if !is("pods", k.Namespace, k.Pod) || !is("secrets", k.Namespace, k.Secret) {
		return refuse("service account token has been invalidated")
	}
	const extra = "authentication.kubernetes.io/"
	user = &rest.User{Name: c.Subject, UID: k.ServiceAccount.UID,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + k.Namespace, "system:authenticated"},
		Extra:  map[string][]string{}}
	if c.ID != "" {
		user.Extra[extra+"credential-id"] = []string{"JTI=" + c.ID}
	}
	for name, o := range map[string]*object{"pod": k.Pod, "node": k.Node} {
		if o != nil {
			user.Extra[extra+name+"-name"] = []string{o.Name}
			user.Extra[extra+name+"-uid"] = []string{o.UID}
		}
	}
	return user, audiences, nil
}

func lastDot(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '.' {
			return i
		}
	}
	return -1
}

// newSecret is the key of the server's tokens, from the seed alone.
func newSecret(seed uint64) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("kubonsai/%d", seed)))
	return hex.EncodeToString(sum[:])
}
