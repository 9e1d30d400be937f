// This file holds the API's three time types and their JSON forms. None of
// them reads a clock: the present is always an argument. Times are UTC and cut
// to what their JSON form can hold, so that an object in memory equals the same
// object read back from a snapshot.

package v1

import (
	"encoding/json"
	"time"
)

// Time is a point in time, to the second.
type Time struct {
	time.Time
}

// NewTime cuts t to the second.
func NewTime(t time.Time) Time {
	return Time{t.UTC().Add(-time.Duration(t.Nanosecond()))} // Truncate is slow in wasm
}

// Unix is the time so many seconds and nanoseconds after 1970 began.
func Unix(sec, nsec int64) Time { return NewTime(time.Unix(sec, nsec)) }

// Date is time.Date as a Time.
func Date(year int, month time.Month, day, hour, minute, sec, nsec int, loc *time.Location) Time {
	return NewTime(time.Date(year, month, day, hour, minute, sec, nsec, loc))
}

// IsZero also holds for nil.
func (t *Time) IsZero() bool { return t == nil || t.Time.IsZero() }

// Before is false where either side is nil.
func (t *Time) Before(u *Time) bool { return t != nil && u != nil && t.Time.Before(u.Time) }

// Equal compares points in time; nil equals nil only.
func (t *Time) Equal(u *Time) bool {
	if t == nil || u == nil {
		return t == u
	}
	return t.Time.Equal(u.Time)
}

// String formats as in JSON; the zero time is "".
func (t Time) String() string { return formatTime(t.Time, time.RFC3339) }

// MarshalJSON writes RFC 3339 in UTC, null for zero.
func (t Time) MarshalJSON() ([]byte, error) { return marshalTime(t.Time, time.RFC3339) }

// UnmarshalJSON reads RFC 3339 or null.
func (t *Time) UnmarshalJSON(data []byte) error {
	parsed, err := unmarshalTime(data, time.RFC3339)
	if err == nil {
		t.Time = parsed.Truncate(time.Second)
	}
	return err
}

// ParseTime reads the JSON form without its quotes.
func ParseTime(s string) (Time, error) {
	parsed, err := time.Parse(time.RFC3339, s)
	return NewTime(parsed), err
}

// MicroTime is a point in time, to the microsecond.
type MicroTime struct {
	time.Time
}

// NewMicroTime cuts t to the microsecond.
func NewMicroTime(t time.Time) MicroTime { return MicroTime{t.UTC().Truncate(time.Microsecond)} }

// IsZero also holds for nil.
func (t *MicroTime) IsZero() bool { return t == nil || t.Time.IsZero() }

// Before is false where either side is nil.
func (t *MicroTime) Before(u *MicroTime) bool { return t != nil && u != nil && t.Time.Before(u.Time) }

// Equal compares points in time; nil equals nil only.
func (t *MicroTime) Equal(u *MicroTime) bool {
	if t == nil || u == nil {
		return t == u
	}
	return t.Time.Equal(u.Time)
}

// String formats as in JSON; the zero time is "".
func (t MicroTime) String() string { return formatTime(t.Time, RFC3339Micro) }

// MarshalJSON writes RFC 3339 with six digits in UTC, null for zero.
func (t MicroTime) MarshalJSON() ([]byte, error) { return marshalTime(t.Time, RFC3339Micro) }

// UnmarshalJSON reads RFC 3339 with six digits, or null.
func (t *MicroTime) UnmarshalJSON(data []byte) error {
	parsed, err := unmarshalTime(data, RFC3339Micro)
	if err == nil {
		t.Time = parsed.Truncate(time.Microsecond)
	}
	return err
}

// ParseMicroTime reads the JSON form without its quotes.
func ParseMicroTime(s string) (MicroTime, error) {
	parsed, err := time.Parse(RFC3339Micro, s)
	return NewMicroTime(parsed), err
}

// Duration is a span of time whose JSON form is a string such as "15s".
type Duration struct {
	time.Duration
}

// MarshalJSON writes Go's duration syntax.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.Duration.String()) }

// UnmarshalJSON reads Go's duration syntax.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(s)
	if err == nil {
		d.Duration = parsed
	}
	return err
}

func formatTime(t time.Time, layout string) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(layout)
}

func marshalTime(t time.Time, layout string) ([]byte, error) {
	if t.IsZero() {
		return null, nil
	}
	buf := make([]byte, 0, len(layout)+2)
	buf = append(buf, '"')
	buf = t.UTC().AppendFormat(buf, layout)
	return append(buf, '"'), nil
}

func unmarshalTime(data []byte, layout string) (time.Time, error) {
	if string(data) == "null" {
		return time.Time{}, nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(layout, s)
	return t.UTC(), err
}
