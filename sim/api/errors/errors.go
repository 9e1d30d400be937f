// Package apierrors makes and recognises the errors that the Kubernetes API
// answers with: one constructor per meaning, so that every message, reason,
// code and detail that a user can see is worded in one place. An error is a
// *metav1.Status wrapped as a Go error; it travels as such from the strategies
// to the client. Which error applies when is decided elsewhere.
package apierrors

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// The HTTP codes that statuses carry.
const (
	codeBadRequest       = 400
	codeUnauthorized     = 401
	codeForbidden        = 403
	codeNotFound         = 404
	codeMethodNotAllowed = 405
	codeNotAcceptable    = 406
	codeConflict         = 409
	codeGone             = 410
	codeTooLarge         = 413
	codeUnsupportedMedia = 415
	codeInvalid          = 422
	codeTooManyRequests  = 429
	codeInternal         = 500
	codeUnavailable      = 503
	codeGatewayTimeout   = 504
)

// StatusError is a failed request as a Go error.
type StatusError struct {
	ErrStatus metav1.Status
}

// APIStatus is any error that carries a Status.
type APIStatus interface{ Status() metav1.Status }

func (e *StatusError) Error() string { return e.ErrStatus.Message }

// Status is the answer that says so over the API.
func (e *StatusError) Status() metav1.Status { return e.ErrStatus }

// Object is the Status as an answer of its own, with apiVersion and kind.
func (e *StatusError) Object() *metav1.Status {
	s := e.ErrStatus
	s.Kind, s.APIVersion = "Status", "v1"
	return &s
}

func failure(code int32, reason metav1.StatusReason, details *metav1.StatusDetails, format string, args ...any) *StatusError {
	return &StatusError{metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Details: details,
		Message: fmt.Sprintf(format, args...),
	}}
}

func about(gr metav1.GroupResource, name string) *metav1.StatusDetails {
	return &metav1.StatusDetails{Group: gr.Group, Kind: gr.Resource, Name: name}
}

// NewNotFound says that there is no object of that name.
func NewNotFound(gr metav1.GroupResource, name string) *StatusError {
	return failure(codeNotFound, metav1.StatusReasonNotFound, about(gr, name), "%s %q not found", gr, name)
}

// NewAlreadyExists says that the name is taken.
func NewAlreadyExists(gr metav1.GroupResource, name string) *StatusError {
	return failure(codeConflict, metav1.StatusReasonAlreadyExists, about(gr, name), "%s %q already exists", gr, name)
}

// NewGenerateNameConflict says that no free name was found for a generateName.
func NewGenerateNameConflict(gr metav1.GroupResource, name string, retryAfterSeconds int) *StatusError {
	d := about(gr, name)
	d.RetryAfterSeconds = int32(retryAfterSeconds)
	return failure(codeConflict, metav1.StatusReasonAlreadyExists, d,
		"%s %q already exists, the server was not able to generate a unique name for the object", gr, name)
}

// NewUnauthorized says that the server does not know who asks.
func NewUnauthorized(reason string) *StatusError {
	if reason == "" {
		reason = "not authorized"
	}
	return failure(codeUnauthorized, metav1.StatusReasonUnauthorized, nil, "%s", reason)
}

// NewForbidden says that the request is not allowed, for the reason err.
func NewForbidden(gr metav1.GroupResource, name string, err error) *StatusError {
	message := fmt.Sprintf("%s %q is forbidden: %v", gr, name, err)
	if gr.Empty() {
		message = fmt.Sprintf("forbidden: %v", err)
	} else if name == "" {
		message = fmt.Sprintf("%s is forbidden: %v", gr, err)
	}
	return failure(codeForbidden, metav1.StatusReasonForbidden, about(gr, name), "%s", message)
}

// OptimisticLockMessage is the reason of a conflict between two writers.
const OptimisticLockMessage = "the object has been modified; please apply your changes to the latest version and try again"

var errOptimisticLock = errors.New(OptimisticLockMessage)

// NewConflict says that the write does not fit the object's present state.
func NewConflict(gr metav1.GroupResource, name string, err error) *StatusError {
	return failure(codeConflict, metav1.StatusReasonConflict, about(gr, name),
		"Operation cannot be fulfilled on %s %q: %v", gr, name, err)
}

// NewModified is the conflict of an update whose resourceVersion is not the latest.
func NewModified(gr metav1.GroupResource, name string) *StatusError {
	return NewConflict(gr, name, errOptimisticLock)
}

// NewApplyConflict says which fields other managers own.
func NewApplyConflict(causes []metav1.StatusCause, message string) *StatusError {
	return failure(codeConflict, metav1.StatusReasonConflict, &metav1.StatusDetails{Causes: causes}, "%s", message)
}

// NewGone says that something is no longer to be had.
func NewGone(message string) *StatusError {
	return failure(codeGone, metav1.StatusReasonGone, nil, "%s", message)
}

// NewResourceExpired says that a resourceVersion or continue token is too old.
func NewResourceExpired(message string) *StatusError {
	return failure(codeGone, metav1.StatusReasonExpired, nil, "%s", message)
}

// NewTooOldResourceVersion is the answer to a watch that begins before the
// oldest change that the server remembers.
func NewTooOldResourceVersion(asked, oldest uint64) *StatusError {
	return NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", asked, oldest))
}

// NewTooLargeResourceVersion is the answer to a resourceVersion that the server
// has not reached.
func NewTooLargeResourceVersion(asked, current uint64, retryAfterSeconds int) *StatusError {
	e := NewTimeout(fmt.Sprintf("Too large resource version: %d, current: %d", asked, current), retryAfterSeconds)
	e.ErrStatus.Details.Causes = []metav1.StatusCause{{
		Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version",
	}}
	return e
}

// NewInvalid says which fields of an object break which rules.
func NewInvalid(gk metav1.GroupKind, name string, errs field.ErrorList) *StatusError {
	causes := make([]metav1.StatusCause, 0, len(errs))
	for _, e := range errs {
		causes = append(causes, metav1.StatusCause{Type: metav1.CauseType(e.Type), Message: e.ErrorBody(), Field: e.Field})
	}
	d := &metav1.StatusDetails{Group: gk.Group, Kind: gk.Kind, Name: name, Causes: causes}
	if all := errs.ToAggregate(); all != nil {
		return failure(codeInvalid, metav1.StatusReasonInvalid, d, "%s %q is invalid: %v", gk, name, all)
	}
	return failure(codeInvalid, metav1.StatusReasonInvalid, d, "%s %q is invalid", gk, name)
}

// NewBadRequest says that the request cannot be understood.
func NewBadRequest(reason string) *StatusError {
	return failure(codeBadRequest, metav1.StatusReasonBadRequest, nil, "%s", reason)
}

// NewTooManyRequests asks the client to come again later.
func NewTooManyRequests(message string, retryAfterSeconds int) *StatusError {
	return failure(codeTooManyRequests, metav1.StatusReasonTooManyRequests,
		&metav1.StatusDetails{RetryAfterSeconds: int32(retryAfterSeconds)}, "%s", message)
}

// NewServiceUnavailable says that whoever should answer cannot.
func NewServiceUnavailable(reason string) *StatusError {
	return failure(codeUnavailable, metav1.StatusReasonServiceUnavailable, nil, "%s", reason)
}

// NewMethodNotSupported says that the resource does not have that verb.
func NewMethodNotSupported(gr metav1.GroupResource, action string) *StatusError {
	return failure(codeMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, about(gr, ""),
		"%s is not supported on resources of kind %q", action, gr.String())
}

// NewServerTimeout says that the operation may be tried again.
func NewServerTimeout(gr metav1.GroupResource, operation string, retryAfterSeconds int) *StatusError {
	d := about(gr, operation)
	d.RetryAfterSeconds = int32(retryAfterSeconds)
	return failure(codeInternal, metav1.StatusReasonServerTimeout, d,
		"The %s operation against %s could not be completed at this time, please try again.", operation, gr)
}

// NewInternalError says that the server is at fault.
func NewInternalError(err error) *StatusError {
	return failure(codeInternal, metav1.StatusReasonInternalError,
		&metav1.StatusDetails{Causes: []metav1.StatusCause{{Message: err.Error()}}}, "Internal error occurred: %v", err)
}

// NewUnknown is what the server makes of an error that is none of the API's: a
// failure of its own, without a reason.
func NewUnknown(message string) *StatusError {
	return failure(codeInternal, metav1.StatusReasonUnknown, nil, "%s", message)
}

// NewTimeout says that the answer took too long; the operation may still complete.
func NewTimeout(message string, retryAfterSeconds int) *StatusError {
	return failure(codeGatewayTimeout, metav1.StatusReasonTimeout,
		&metav1.StatusDetails{RetryAfterSeconds: int32(retryAfterSeconds)}, "Timeout: %s", message)
}

// NewRequestEntityTooLarge says that the body is beyond the server's limit.
func NewRequestEntityTooLarge(message string) *StatusError {
	return failure(codeTooLarge, metav1.StatusReasonRequestEntityTooLarge, nil, "Request entity too large: %s", message)
}

// NewNotAcceptable says which media types the server could have answered with.
func NewNotAcceptable(accepted []string) *StatusError {
	return failure(codeNotAcceptable, metav1.StatusReasonNotAcceptable, nil,
		"only the following media types are accepted: %v", strings.Join(accepted, ", "))
}

// NewUnsupportedMediaType says which media types a body may have.
func NewUnsupportedMediaType(accepted []string) *StatusError {
	return failure(codeUnsupportedMedia, metav1.StatusReasonUnsupportedMediaType, nil,
		"the body of the request was in an unknown format - accepted media types include: %v", strings.Join(accepted, ", "))
}

// generic holds the words for answers that have none of their own.
var generic = map[int]struct {
	reason  metav1.StatusReason
	message string
}{
	codeNotFound:         {metav1.StatusReasonNotFound, "the server could not find the requested resource"},
	codeBadRequest:       {metav1.StatusReasonBadRequest, "the server rejected our request for an unknown reason"},
	codeUnauthorized:     {metav1.StatusReasonUnauthorized, "the server has asked for the client to provide credentials"},
	codeForbidden:        {metav1.StatusReasonForbidden, ""},
	codeNotAcceptable:    {metav1.StatusReasonNotAcceptable, ""},
	codeUnsupportedMedia: {metav1.StatusReasonUnsupportedMediaType, ""},
	codeConflict:         {metav1.StatusReasonConflict, "the server reported a conflict"},
	codeMethodNotAllowed: {metav1.StatusReasonMethodNotAllowed, "the server does not allow this method on the requested resource"},
	codeInvalid:          {metav1.StatusReasonInvalid, "the server rejected our request due to an error in our request"},
	codeUnavailable:      {metav1.StatusReasonServiceUnavailable, "the server is currently unable to handle the request"},
	codeGatewayTimeout:   {metav1.StatusReasonTimeout, "the server was unable to return a response in the time allotted, but may still be processing the request"},
	codeTooManyRequests:  {metav1.StatusReasonTooManyRequests, "the server has received too many requests and has asked us to try again later"},
}

// NewGenericServerResponse is what is known of an answer by its code alone.
// verb is the HTTP method; serverMessage is kept where the code says little.
func NewGenericServerResponse(code int, verb string, gr metav1.GroupResource, name, serverMessage string, retryAfterSeconds int, unexpected bool) *StatusError {
	g, known := generic[code]
	reason, message := g.reason, g.message
	switch {
	case code == codeConflict && verb == "POST":
		reason = metav1.StatusReasonAlreadyExists
	case code == codeNotAcceptable && (serverMessage == "" || serverMessage == "unknown"):
		message = "the server was unable to respond with a content type that the client supports"
	case known && message == "":
		message = serverMessage
	case !known && code >= codeInternal:
		reason = metav1.StatusReasonInternalError
		message = fmt.Sprintf("an error on the server (%q) has prevented the request from succeeding", serverMessage)
	case !known:
		message = fmt.Sprintf("the server responded with the status code %d but did not return more information", code)
	}
	if !gr.Empty() {
		message += " (" + strings.ToLower(verb) + " " + gr.String()
		if name != "" {
			message += " " + name
		}
		message += ")"
	}
	d := about(gr, name)
	d.RetryAfterSeconds = int32(retryAfterSeconds)
	if unexpected {
		d.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeUnexpectedServerResponse, Message: serverMessage}}
	}
	return failure(int32(code), reason, d, "%s", message)
}

// FromStatus is the failure that a Status describes, nil for a success and for nil.
func FromStatus(s *metav1.Status) error {
	if s == nil || s.Status != metav1.StatusFailure {
		return nil
	}
	return &StatusError{*s}
}

// From returns err as a StatusError: itself, or an internal error.
func From(err error) *StatusError {
	var e *StatusError
	if errors.As(err, &e) {
		return e
	}
	return NewInternalError(err)
}
