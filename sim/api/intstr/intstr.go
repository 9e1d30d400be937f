// Package intstr holds IntOrString, a value that is written as a number or as a
// text: a port by number or name, a count or a percentage. Forms and messages
// are those of the API. (The upstream package links a CBOR codec.)
package intstr

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Type says which of the two the value is.
type Type int64

// The types.
const (
	Int Type = iota
	String
)

// IntOrString is a number or a text.
type IntOrString struct {
	Type   Type
	IntVal int32
	StrVal string
}

// FromInt32 is the value of a number.
func FromInt32(v int32) IntOrString { return IntOrString{Type: Int, IntVal: v} }

// FromInt is FromInt32 for a number known to fit.
func FromInt(v int) IntOrString { return FromInt32(int32(v)) }

// FromString is the value of a text.
func FromString(v string) IntOrString { return IntOrString{Type: String, StrVal: v} }

// Parse is a number if the text is one, else the text.
func Parse(s string) IntOrString {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return FromInt32(int32(n))
	}
	return FromString(s)
}

// ValueOrDefault is the value, or def when it is nil.
func ValueOrDefault(v *IntOrString, def IntOrString) *IntOrString {
	if v == nil {
		return &def
	}
	return v
}

// String is the text, or the number in decimal.
func (v *IntOrString) String() string {
	if v == nil {
		return "<nil>"
	}
	if v.Type == String {
		return v.StrVal
	}
	return strconv.Itoa(v.IntValue())
}

// IntValue is the number; of a text that is not one, 0.
func (v *IntOrString) IntValue() int {
	if v.Type == String {
		n, _ := strconv.Atoi(v.StrVal)
		return n
	}
	return int(v.IntVal)
}

// MarshalJSON writes a number or a string.
func (v IntOrString) MarshalJSON() ([]byte, error) {
	switch v.Type {
	case Int:
		return json.Marshal(v.IntVal)
	case String:
		return json.Marshal(v.StrVal)
	}
	return nil, errors.New("impossible IntOrString.Type")
}

// UnmarshalJSON reads a number or a string.
func (v *IntOrString) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		v.Type, v.IntVal = String, 0
		return json.Unmarshal(data, &v.StrVal)
	}
	v.Type, v.StrVal = Int, ""
	return json.Unmarshal(data, &v.IntVal)
}

// ToUnstructured is the value as it stands in a JSON tree.
func (v IntOrString) ToUnstructured() any {
	if v.Type == String {
		return v.StrVal
	}
	return int64(v.IntVal)
}

// GetScaledValueFromIntOrPercent is the number, or that percentage of total,
// rounded up or down.
func GetScaledValueFromIntOrPercent(v *IntOrString, total int, roundUp bool) (int, error) {
	if v == nil {
		return 0, errors.New("nil value for IntOrString")
	}
	if v.Type == Int {
		return v.IntValue(), nil
	}
	digits, ok := strings.CutSuffix(v.StrVal, "%")
	if !ok {
		return 0, fmt.Errorf("invalid value for IntOrString: invalid type: string is not a percentage")
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0, fmt.Errorf("invalid value for IntOrString: invalid value %q: %v", v.StrVal, err)
	}
	share := float64(n) * float64(total) / 100
	if roundUp {
		return int(math.Ceil(share)), nil
	}
	return int(math.Floor(share)), nil
}
