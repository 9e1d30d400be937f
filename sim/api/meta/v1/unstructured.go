// This file holds custom resources: a plain JSON tree behind the same Object
// interface as typed kinds. apiVersion, kind and metadata live in TypeMeta and
// ObjectMeta, everything else in Object; the two are one document in JSON only.

package v1

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
)

// Unstructured is an object of a kind that has no Go struct.
type Unstructured struct {
	TypeMeta
	ObjectMeta
	// Object holds every top-level field but apiVersion, kind and metadata.
	// Its values are those of DecodeTree.
	Object map[string]any
}

// MarshalJSON writes the whole document, its keys sorted.
func (u *Unstructured) MarshalJSON() ([]byte, error) {
	doc := make(map[string]any, len(u.Object)+3)
	maps.Copy(doc, u.Object)
	data, err := json.Marshal(&u.ObjectMeta)
	if err != nil {
		return nil, err
	}
	if doc["metadata"], err = DecodeTree(data); err != nil { // a tree, so that its keys are sorted too
		return nil, err
	}
	if u.APIVersion != "" {
		doc["apiVersion"] = u.APIVersion
	}
	if u.Kind != "" {
		doc["kind"] = u.Kind
	}
	return json.Marshal(doc)
}

// UnmarshalJSON reads a whole document. Fields of metadata that ObjectMeta does not have are dropped.
func (u *Unstructured) UnmarshalJSON(data []byte) error {
	var head struct {
		TypeMeta
		Metadata ObjectMeta `json:"metadata"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	tree, err := DecodeTree(data)
	if err != nil {
		return err
	}
	doc, ok := tree.(map[string]any)
	if !ok {
		return fmt.Errorf("an object is a JSON object, not %T", tree)
	}
	delete(doc, "apiVersion")
	delete(doc, "kind")
	delete(doc, "metadata")
	u.TypeMeta, u.ObjectMeta, u.Object = head.TypeMeta, head.Metadata, doc
	return nil
}

// DecodeTree parses JSON into map[string]any, []any, string, bool, nil, int64 for numbers
// written without fraction or exponent that fit, and float64 for the others.
func DecodeTree(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("invalid JSON: data after the top-level value")
	}
	return treeNumbers(tree)
}

func treeNumbers(v any) (any, error) {
	var err error
	switch x := v.(type) {
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return i, nil
		}
		return x.Float64()
	case map[string]any:
		for k, e := range x {
			if x[k], err = treeNumbers(e); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, e := range x {
			if x[i], err = treeNumbers(e); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
