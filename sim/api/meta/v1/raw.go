// This file holds the two types that carry JSON unparsed: RawExtension (for
// instance the data of a ControllerRevision) and FieldsV1 (a managed field set).

package v1

import (
	"bytes"
	"errors"
)

var null = []byte("null")

// RawExtension is any JSON value, kept as bytes.
type RawExtension struct {
	Raw []byte `json:"-"`
}

// MarshalJSON returns the bytes, or null when there are none.
func (r RawExtension) MarshalJSON() ([]byte, error) { return rawJSON(r.Raw) }

// UnmarshalJSON keeps a copy of the bytes; null leaves r as it is.
func (r *RawExtension) UnmarshalJSON(data []byte) error {
	if r == nil {
		return errors.New("v1.RawExtension: UnmarshalJSON on nil pointer")
	}
	if !bytes.Equal(data, null) {
		r.Raw = bytes.Clone(data)
	}
	return nil
}

// FieldsV1 is a set of field paths in JSON form, kept as bytes.
type FieldsV1 struct {
	Raw []byte `json:"-"`
}

// NewFieldsV1 wraps a field set in JSON form.
func NewFieldsV1(raw string) *FieldsV1 { return &FieldsV1{Raw: []byte(raw)} }

// MarshalJSON returns the bytes, or null when there are none.
func (f FieldsV1) MarshalJSON() ([]byte, error) { return rawJSON(f.Raw) }

// UnmarshalJSON keeps a copy of the bytes; null leaves f as it is.
func (f *FieldsV1) UnmarshalJSON(data []byte) error {
	if f == nil {
		return errors.New("v1.FieldsV1: UnmarshalJSON on nil pointer")
	}
	if !bytes.Equal(data, null) {
		f.Raw = bytes.Clone(data)
	}
	return nil
}

func rawJSON(raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return null, nil
	}
	return raw, nil
}
