package apierrors

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

var (
	podsResource   = metav1.GroupResource{Resource: "pods"}
	deployResource = metav1.GroupResource{Group: "apps", Resource: "deployments"}
)

// TestWire compares whole answers with those of a real server
// (sim/testdata/transcripts/api and errors) or of upstream's constructors.
func TestWire(t *testing.T) {
	for _, c := range []struct {
		err  *StatusError
		want string
	}{
		{NewNotFound(podsResource, "nope"), `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"pods \"nope\" not found","reason":"NotFound","details":{"name":"nope","kind":"pods"},"code":404}`},
		{NewAlreadyExists(deployResource, "x"), `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"deployments.apps \"x\" already exists","reason":"AlreadyExists","details":{"name":"x","group":"apps","kind":"deployments"},"code":409}`},
		{NewModified(podsResource, "x"), `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Operation cannot be fulfilled on pods \"x\": the object has been modified; please apply your changes to the latest version and try again","reason":"Conflict","details":{"name":"x","kind":"pods"},"code":409}`},
		{NewForbidden(podsResource, "", errors.New("no")), `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"pods is forbidden: no","reason":"Forbidden","details":{"kind":"pods"},"code":403}`},
		{NewTooOldResourceVersion(1, 5), `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (5)","reason":"Expired","code":410}`},
		{NewGenericServerResponse(404, "GET", metav1.GroupResource{}, "", "404 page not found", 0, false), `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","details":{},"code":404}`},
		{NewGenericServerResponse(422, "PATCH", deployResource, "d", "", 0, false), `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the server rejected our request due to an error in our request (patch deployments.apps d)","reason":"Invalid","details":{"name":"d","group":"apps","kind":"deployments"},"code":422}`},
		{NewInvalid(metav1.GroupKind{Group: "apps", Kind: "ReplicaSet"}, "r", field.ErrorList{field.Required(field.NewPath("a"), "why"), field.Duplicate(field.NewPath("b"), "x")}),
			`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"ReplicaSet.apps \"r\" is invalid: [a: Required value: why, b: Duplicate value: \"x\"]","reason":"Invalid","details":{"name":"r","group":"apps","kind":"ReplicaSet","causes":[{"reason":"FieldValueRequired","message":"Required value: why","field":"a"},{"reason":"FieldValueDuplicate","message":"Duplicate value: \"x\"","field":"b"}]},"code":422}`},
		{NewInternalError(errors.New("x")), `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Internal error occurred: x","reason":"InternalError","details":{"causes":[{"message":"x"}]},"code":500}`},
	} {
		if got, _ := json.Marshal(c.err.Object()); string(got) != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestPredicates(t *testing.T) {
	wrapped := fmt.Errorf("wrapped: %w", NewNotFound(podsResource, "x"))
	for name, ok := range map[string]bool{
		"wrapped":   IsNotFound(wrapped),
		"other":     !IsNotFound(errors.New("x")) && !IsNotFound(nil),
		"conflict":  IsConflict(NewModified(podsResource, "x")) && !IsConflict(NewAlreadyExists(podsResource, "x")),
		"exists":    IsAlreadyExists(NewAlreadyExists(podsResource, "x")),
		"expired":   IsResourceExpired(NewTooOldResourceVersion(1, 2)) && !IsGone(NewTooOldResourceVersion(1, 2)),
		"by code":   IsGone(&StatusError{metav1.Status{Code: 410, Reason: "Odd"}}),
		"status":    IsNotFound(FromStatus(&NewNotFound(podsResource, "x").ErrStatus)) && FromStatus(&metav1.Status{Status: "Success"}) == nil,
		"too large": HasStatusCause(NewTooLargeResourceVersion(2, 1, 1), metav1.CauseTypeResourceVersionTooLarge),
		"reason":    ReasonForError(wrapped) == metav1.StatusReasonNotFound,
	} {
		if !ok {
			t.Error(name)
		}
	}
}
