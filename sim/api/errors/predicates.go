// This file tells errors apart. An error whose reason is not one of the known
// ones is judged by its HTTP code, as client-go does.

package apierrors

import (
	"errors"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// ReasonForError is the reason of an API error, StatusReasonUnknown for others.
func ReasonForError(err error) metav1.StatusReason {
	reason, _ := reasonAndCode(err)
	return reason
}

// CodeForError is the HTTP code of an API error, 0 for others.
func CodeForError(err error) int32 {
	_, code := reasonAndCode(err)
	return code
}

func reasonAndCode(err error) (metav1.StatusReason, int32) {
	var s APIStatus
	if errors.As(err, &s) {
		return s.Status().Reason, s.Status().Code
	}
	return metav1.StatusReasonUnknown, 0
}

var knownReasons = map[metav1.StatusReason]bool{
	metav1.StatusReasonUnauthorized: true, metav1.StatusReasonForbidden: true, metav1.StatusReasonNotFound: true,
	metav1.StatusReasonAlreadyExists: true, metav1.StatusReasonConflict: true, metav1.StatusReasonGone: true,
	metav1.StatusReasonInvalid: true, metav1.StatusReasonServerTimeout: true, metav1.StatusReasonStoreReadError: true,
	metav1.StatusReasonTimeout: true, metav1.StatusReasonTooManyRequests: true, metav1.StatusReasonBadRequest: true,
	metav1.StatusReasonMethodNotAllowed: true, metav1.StatusReasonNotAcceptable: true,
	metav1.StatusReasonRequestEntityTooLarge: true, metav1.StatusReasonUnsupportedMediaType: true,
	metav1.StatusReasonInternalError: true, metav1.StatusReasonExpired: true, metav1.StatusReasonServiceUnavailable: true,
}

func is(err error, reason metav1.StatusReason, code int32) bool {
	if err == nil {
		return false
	}
	r, c := reasonAndCode(err)
	return r == reason || (!knownReasons[r] && code != 0 && c == code)
}

// IsNotFound reports that there is no such object or resource.
func IsNotFound(err error) bool { return is(err, metav1.StatusReasonNotFound, codeNotFound) }

// IsAlreadyExists reports that the name is taken.
func IsAlreadyExists(err error) bool { return is(err, metav1.StatusReasonAlreadyExists, 0) }

// IsConflict reports that another writer was first.
func IsConflict(err error) bool { return is(err, metav1.StatusReasonConflict, codeConflict) }

// IsInvalid reports that the object breaks a rule.
func IsInvalid(err error) bool { return is(err, metav1.StatusReasonInvalid, codeInvalid) }

// IsGone reports that something is no longer to be had.
func IsGone(err error) bool { return is(err, metav1.StatusReasonGone, codeGone) }

// IsResourceExpired reports that a resourceVersion or continue token is too old.
func IsResourceExpired(err error) bool { return is(err, metav1.StatusReasonExpired, 0) }

// IsNotAcceptable reports that no common media type for the answer was found.
func IsNotAcceptable(err error) bool {
	return is(err, metav1.StatusReasonNotAcceptable, codeNotAcceptable)
}

// IsUnsupportedMediaType reports that the body's media type is not known.
func IsUnsupportedMediaType(err error) bool {
	return is(err, metav1.StatusReasonUnsupportedMediaType, codeUnsupportedMedia)
}

// IsMethodNotSupported reports that the resource does not have the verb.
func IsMethodNotSupported(err error) bool {
	return is(err, metav1.StatusReasonMethodNotAllowed, codeMethodNotAllowed)
}

// IsServiceUnavailable reports that whoever should answer cannot.
func IsServiceUnavailable(err error) bool {
	return is(err, metav1.StatusReasonServiceUnavailable, codeUnavailable)
}

// IsBadRequest reports that the request could not be understood.
func IsBadRequest(err error) bool { return is(err, metav1.StatusReasonBadRequest, codeBadRequest) }

// IsUnauthorized reports that the server does not know who asks.
func IsUnauthorized(err error) bool {
	return is(err, metav1.StatusReasonUnauthorized, codeUnauthorized)
}

// IsForbidden reports that the request is not allowed.
func IsForbidden(err error) bool { return is(err, metav1.StatusReasonForbidden, codeForbidden) }

// IsTimeout reports that the answer took too long.
func IsTimeout(err error) bool { return is(err, metav1.StatusReasonTimeout, codeGatewayTimeout) }

// IsServerTimeout reports that the operation may be tried again.
func IsServerTimeout(err error) bool { return is(err, metav1.StatusReasonServerTimeout, 0) }

// IsInternalError reports that the server is at fault.
func IsInternalError(err error) bool {
	return is(err, metav1.StatusReasonInternalError, codeInternal)
}

// IsTooManyRequests reports that the client should come again later.
func IsTooManyRequests(err error) bool {
	return is(err, metav1.StatusReasonTooManyRequests, 0) || CodeForError(err) == codeTooManyRequests
}

// IsRequestEntityTooLarge reports that the body was too large.
func IsRequestEntityTooLarge(err error) bool {
	return is(err, metav1.StatusReasonRequestEntityTooLarge, 0) || CodeForError(err) == codeTooLarge
}

// HasStatusCause reports whether one of the error's causes is of that type.
func HasStatusCause(err error, t metav1.CauseType) bool {
	_, ok := StatusCause(err, t)
	return ok
}

// StatusCause returns the error's first cause of that type.
func StatusCause(err error, t metav1.CauseType) (metav1.StatusCause, bool) {
	var s APIStatus
	if errors.As(err, &s) {
		if d := s.Status().Details; d != nil {
			for _, c := range d.Causes {
				if c.Type == t {
					return c, true
				}
			}
		}
	}
	return metav1.StatusCause{}, false
}
