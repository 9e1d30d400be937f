// This file gives the parts of a CustomResourceDefinition's schema that may be
// one thing or another their JSON forms.

package v1

import (
	"bytes"
	"encoding/json"
	"errors"
)

// MarshalJSON returns the value's bytes, or null.
func (j JSON) MarshalJSON() ([]byte, error) {
	if len(j.Raw) == 0 {
		return []byte("null"), nil
	}
	return j.Raw, nil
}

// UnmarshalJSON keeps the value's bytes; null is no value.
func (j *JSON) UnmarshalJSON(data []byte) error {
	j.Raw = nil
	if string(data) != "null" {
		j.Raw = bytes.Clone(data)
	}
	return nil
}

// MarshalJSON writes the schema, or the boolean where there is none.
func (s JSONSchemaPropsOrBool) MarshalJSON() ([]byte, error) {
	if s.Schema != nil {
		return json.Marshal(s.Schema)
	}
	return json.Marshal(s.Allows)
}

// UnmarshalJSON reads a schema, which allows, or a boolean.
func (s *JSONSchemaPropsOrBool) UnmarshalJSON(data []byte) error {
	*s = JSONSchemaPropsOrBool{}
	switch {
	case len(data) > 0 && data[0] == '{':
		s.Allows = true
		return json.Unmarshal(data, &s.Schema)
	case string(data) == "true", string(data) == "false":
		s.Allows = data[0] == 't'
		return nil
	}
	return errors.New("boolean or JSON schema expected")
}

// MarshalJSON writes the names, else the schema, else null.
func (s JSONSchemaPropsOrStringArray) MarshalJSON() ([]byte, error) {
	if len(s.Property) > 0 {
		return json.Marshal(s.Property)
	}
	return json.Marshal(s.Schema)
}

// UnmarshalJSON reads a schema or a list of names.
func (s *JSONSchemaPropsOrStringArray) UnmarshalJSON(data []byte) error {
	*s = JSONSchemaPropsOrStringArray{}
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, &s.Property)
	}
	return json.Unmarshal(data, &s.Schema)
}

// MarshalJSON writes the schemas, else the schema, else null.
func (s JSONSchemaPropsOrArray) MarshalJSON() ([]byte, error) {
	if len(s.JSONSchemas) > 0 {
		return json.Marshal(s.JSONSchemas)
	}
	return json.Marshal(s.Schema)
}

// UnmarshalJSON reads one schema or several.
func (s *JSONSchemaPropsOrArray) UnmarshalJSON(data []byte) error {
	*s = JSONSchemaPropsOrArray{}
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, &s.JSONSchemas)
	}
	return json.Unmarshal(data, &s.Schema)
}
