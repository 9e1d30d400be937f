// Package resource holds Quantity, the fixed-point number with a unit suffix
// that Kubernetes writes amounts of memory and CPU in ("100m", "1.5Gi"). Text
// forms, rounding and messages are those of the API
// (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).
// The upstream package links a CBOR codec, a fifth of the browser module's
// budget; this one holds 63 bits of precision, and rounds up what has more.
package resource

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Format is how a quantity is written.
type Format string

// The formats.
const (
	DecimalExponent Format = "DecimalExponent" // 12e6
	BinarySI        Format = "BinarySI"        // 12Mi
	DecimalSI       Format = "DecimalSI"       // 12M
)

// Scale is a power of ten.
type Scale int32

// The scales with names.
const (
	Nano  Scale = -9
	Micro Scale = -6
	Milli Scale = -3
	Kilo  Scale = 3
	Mega  Scale = 6
	Giga  Scale = 9
	Tera  Scale = 12
	Peta  Scale = 15
	Exa   Scale = 18
)

// The errors of ParseQuantity.
var (
	ErrFormatWrong = errors.New("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
	ErrNumeric     = errors.New("unable to parse numeric part of quantity")
	ErrSuffix      = errors.New("unable to parse quantity's suffix")
)

// Quantity is value × 10^scale. The zero value is 0.
type Quantity struct {
	value int64
	scale Scale // -9 to 18
	Format
}

// NewQuantity returns the quantity of a whole number.
func NewQuantity(value int64, format Format) *Quantity { return &Quantity{value, 0, format} }

// NewMilliQuantity returns the quantity of a number of thousandths.
func NewMilliQuantity(value int64, format Format) *Quantity { return &Quantity{value, Milli, format} }

// NewScaledQuantity returns value × 10^scale in DecimalSI.
func NewScaledQuantity(value int64, scale Scale) *Quantity {
	return &Quantity{value, scale, DecimalSI}
}

// MustParse is ParseQuantity for texts known to be right; it panics on others.
func MustParse(s string) Quantity {
	q, err := ParseQuantity(s)
	if err != nil {
		panic("cannot parse '" + s + "': " + err.Error())
	}
	return q
}

var pow10 = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// mul multiplies, and reports whether the product fits.
func mul(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	return c, c/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64)
}

func add(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}

// divUp divides, rounding away from zero.
func divUp(a, b int64) int64 {
	q := a / b
	if a%b != 0 {
		if a < 0 {
			return q - 1
		}
		return q + 1
	}
	return q
}

// at is the value in units of 10^scale, rounded away from zero; values too
// large for that are the largest there are.
func (q Quantity) at(scale Scale) int64 {
	switch d := int(q.scale - scale); {
	case d == 0 || q.value == 0:
		return q.value
	case d > 0:
		if d < len(pow10) {
			if v, ok := mul(q.value, pow10[d]); ok {
				return v
			}
		}
		if q.value < 0 {
			return math.MinInt64
		}
		return math.MaxInt64
	case -d < len(pow10):
		return divUp(q.value, pow10[-d])
	case q.value < 0:
		return -1
	}
	return 1
}

// ParseQuantity reads a quantity.
func ParseQuantity(s string) (Quantity, error) {
	if s == "" {
		return Quantity{}, ErrFormatWrong
	}
	if s == "0" {
		return Quantity{Format: DecimalSI}, nil
	}
	i, negative := 0, false
	if s[0] == '-' || s[0] == '+' {
		negative = s[0] == '-'
		i = 1
	}
	start, point := i, -1
	for ; i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' && point < 0); i++ {
		if s[i] == '.' {
			point = i
		}
	}
	digits, suffix := s[start:i], s[i:]
	end := 0
	for end < len(suffix) && strings.IndexByte("eEinumkKMGTP", suffix[end]) >= 0 {
		end++
	}
	tail := end
	if tail < len(suffix) && (suffix[tail] == '-' || suffix[tail] == '+') {
		tail++
	}
	for tail < len(suffix) && suffix[tail] >= '0' && suffix[tail] <= '9' {
		tail++
	}
	if tail != len(suffix) {
		return Quantity{}, ErrFormatWrong
	}
	base, exponent, format, ok := parseSuffix(suffix)
	if !ok {
		return Quantity{}, ErrSuffix
	}
	whole, fraction := digits, ""
	if point >= 0 {
		whole, fraction = digits[:point-start], digits[point-start+1:]
	}
	q := Quantity{Format: format}
	if base == 10 {
		q.value, q.scale = decimal(whole, fraction, exponent)
	} else {
		q.value, q.scale = binary(whole, fraction, exponent)
	}
	if negative {
		q.value = -q.value
	}
	if format == BinarySI && q.value > -1 && q.value < 1 && q.value != 0 {
		q.Format = DecimalSI
	}
	return q, nil
}

func parseSuffix(s string) (base, exponent int, format Format, ok bool) {
	switch s {
	case "":
		return 10, 0, DecimalSI, true
	case "n":
		return 10, -9, DecimalSI, true
	case "u":
		return 10, -6, DecimalSI, true
	case "m":
		return 10, -3, DecimalSI, true
	case "k":
		return 10, 3, DecimalSI, true
	case "M":
		return 10, 6, DecimalSI, true
	case "G":
		return 10, 9, DecimalSI, true
	case "T":
		return 10, 12, DecimalSI, true
	case "P":
		return 10, 15, DecimalSI, true
	case "E":
		return 10, 18, DecimalSI, true
	case "Ki":
		return 2, 10, BinarySI, true
	case "Mi":
		return 2, 20, BinarySI, true
	case "Gi":
		return 2, 30, BinarySI, true
	case "Ti":
		return 2, 40, BinarySI, true
	case "Pi":
		return 2, 50, BinarySI, true
	case "Ei":
		return 2, 60, BinarySI, true
	}
	if len(s) > 1 && (s[0] == 'e' || s[0] == 'E') {
		n, err := strconv.ParseInt(s[1:], 10, 64)
		if err != nil {
			return 0, 0, "", false
		}
		return 10, int(max(min(n, 1000), -1000)), DecimalExponent, true
	}
	return 0, 0, "", false
}

// decimal is whole.fraction × 10^exponent, rounded up to billionths.
func decimal(whole, fraction string, exponent int) (int64, Scale) {
	digits := strings.TrimLeft(whole+fraction, "0")
	exponent -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	digits = trimmed
	if digits == "" {
		return 0, 0
	}
	round := false
	cut := func(n int) {
		n = min(n, len(digits))
		round = round || strings.Trim(digits[len(digits)-n:], "0") != ""
		digits = digits[:len(digits)-n]
	}
	if exponent < int(Nano) {
		cut(int(Nano) - exponent)
		exponent = int(Nano)
	}
	for exponent < 0 && (len(digits) > 19 || len(digits) == 19 && digits > "9223372036854775806") {
		cut(1)
		exponent++
	}
	if len(digits)+exponent > 19 {
		return math.MaxInt64, 0
	}
	v, err := strconv.ParseInt(orZero(digits), 10, 64)
	if err != nil {
		return math.MaxInt64, 0
	}
	if round {
		v++
	}
	for exponent > int(Exa) {
		v *= 10
		exponent--
	}
	if exponent > 0 { // within 2^63-1 as a whole number, as upstream caps it
		if _, ok := mul(v, pow10[exponent]); !ok {
			return math.MaxInt64, 0
		}
	}
	return v, Scale(exponent)
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// binary is whole.fraction × 2^shift, rounded up to billionths.
func binary(whole, fraction string, shift int) (int64, Scale) {
	w, err := strconv.ParseInt(orZero(whole), 10, 64)
	if err != nil || w > math.MaxInt64>>shift {
		return math.MaxInt64, 0
	}
	v := w << shift
	fraction = strings.TrimRight(fraction, "0")
	if fraction == "" {
		return v, 0
	}
	// The fraction's share, digit by digit from the right, in exact steps:
	// share = 2^shift × 0.fraction.
	if len(fraction) > 18 {
		fraction = fraction[:18]
	}
	num, _ := strconv.ParseInt(fraction, 10, 64)
	den := pow10[len(fraction)]
	hi, rem := mulDiv(num, int64(1)<<shift, den)
	if rem == 0 {
		if sum, ok := add(v, hi); ok {
			return sum, 0
		}
		return math.MaxInt64, 0
	}
	// What is left over, in billionths, rounded up.
	nano, rest := mulDiv(rem, 1e9, den)
	if rest != 0 {
		nano++
	}
	sum, ok := add(v, hi)
	if !ok {
		return math.MaxInt64, 0
	}
	// Steps of a thousand, so that the canonical text has no more digits.
	for scale := Nano; scale < 0; scale += 3 {
		if nano%1000 != 0 {
			if big, ok := mul(sum, pow10[-scale]); ok {
				if total, ok := add(big, nano); ok {
					return total, scale
				}
			}
		}
		nano = divUp(nano, 1000)
	}
	return sum + nano, 0
}

// Value is the quantity as a whole number, rounded up.
func (q *Quantity) Value() int64 { return q.at(0) }

// MilliValue is the quantity in thousandths, rounded up.
func (q *Quantity) MilliValue() int64 { return q.at(Milli) }

// ScaledValue is the quantity in units of 10^scale, rounded up.
func (q *Quantity) ScaledValue(scale Scale) int64 { return q.at(scale) }

// AsInt64 is the quantity if it is a whole number that fits.
func (q *Quantity) AsInt64() (int64, bool) {
	if q.scale < 0 {
		p := pow10[-q.scale]
		return q.value / p, q.value%p == 0
	}
	v, ok := mul(q.value, pow10[q.scale])
	return v, ok
}

// AsApproximateFloat64 is the nearest floating-point number, roughly.
func (q *Quantity) AsApproximateFloat64() float64 {
	return float64(q.value) * math.Pow10(int(q.scale))
}

// Set makes it a whole number, keeping the format.
func (q *Quantity) Set(value int64) { q.SetScaled(value, 0) }

// SetMilli makes it a number of thousandths, keeping the format.
func (q *Quantity) SetMilli(value int64) { q.SetScaled(value, Milli) }

// SetScaled makes it value × 10^scale, keeping the format.
func (q *Quantity) SetScaled(value int64, scale Scale) {
	q.value, q.scale = value, scale
	if q.Format == "" {
		q.Format = DecimalSI
	}
}

// IsZero reports whether the quantity is 0.
func (q *Quantity) IsZero() bool { return q.value == 0 }

// Sign is -1, 0 or 1.
func (q *Quantity) Sign() int {
	switch {
	case q.value < 0:
		return -1
	case q.value > 0:
		return 1
	}
	return 0
}

// Cmp is -1, 0 or 1 as q is less than, equal to or greater than y.
func (q *Quantity) Cmp(y Quantity) int {
	if q.scale == y.scale {
		return compare(q.value, y.value)
	}
	if s, t := q.Sign(), y.Sign(); s != t || s == 0 {
		return compare(int64(s), int64(t))
	}
	if q.scale > y.scale {
		return compareScaled(q.value, int(q.scale-y.scale), y.value)
	}
	return -compareScaled(y.value, int(y.scale-q.scale), q.value)
}

// compareScaled compares a × 10^n with b.
func compareScaled(a int64, n int, b int64) int {
	if n < len(pow10) {
		if v, ok := mul(a, pow10[n]); ok {
			return compare(v, b)
		}
	}
	if a < 0 {
		return -1
	}
	return 1
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// CmpInt64 compares with a whole number.
func (q *Quantity) CmpInt64(y int64) int { return q.Cmp(Quantity{value: y}) }

// Equal reports whether the two are the same amount.
func (q Quantity) Equal(v Quantity) bool { return q.Cmp(v) == 0 }

// Add adds y; a zero q takes y's format.
func (q *Quantity) Add(y Quantity) {
	if q.value == 0 {
		q.Format = y.Format
	}
	a, b := *q, y
	if a.value == 0 {
		q.value, q.scale = b.value, b.scale
		return
	}
	if b.value == 0 {
		return
	}
	scale := min(a.scale, b.scale)
	for {
		x, okx := a.exact(scale)
		z, okz := b.exact(scale)
		if okx && okz {
			if sum, ok := add(x, z); ok {
				q.value, q.scale = sum, scale
				return
			}
		}
		if scale >= Exa {
			q.value, q.scale = math.MaxInt64, 0
			if a.value < 0 {
				q.value = math.MinInt64
			}
			return
		}
		scale++
	}
}

// exact is at, and whether the value fits.
func (q Quantity) exact(scale Scale) (int64, bool) {
	if d := int(q.scale - scale); d > 0 {
		if d >= len(pow10) {
			return 0, q.value == 0
		}
		return mul(q.value, pow10[d])
	}
	return q.at(scale), true
}

// Sub subtracts y; a zero q takes y's format.
func (q *Quantity) Sub(y Quantity) {
	y.value = -y.value
	q.Add(y)
}

// Mul multiplies by a whole number; false if the result does not fit.
func (q *Quantity) Mul(y int64) bool {
	v, ok := mul(q.value, y)
	if ok {
		q.value = v
	}
	return ok
}

// Neg changes the sign.
func (q *Quantity) Neg() { q.value = -q.value }

// RoundUp rounds up to a multiple of 10^scale; false if that lost precision.
func (q *Quantity) RoundUp(scale Scale) bool {
	if q.scale >= scale {
		return true
	}
	exact := q.value%pow10[min(int(scale-q.scale), len(pow10)-1)] == 0
	q.value, q.scale = q.at(scale), scale
	return exact
}

// DeepCopy returns a copy.
func (q Quantity) DeepCopy() Quantity { return q }

// ToUnstructured is the quantity as it stands in a JSON tree.
func (q Quantity) ToUnstructured() any { return q.String() }

// String is the canonical text: no precision is lost, no fractional digits are
// written, the exponent or suffix is as large as possible.
func (q *Quantity) String() string {
	if q == nil {
		return "<nil>"
	}
	if q.value == 0 {
		return "0"
	}
	switch q.Format {
	case DecimalSI:
	case BinarySI:
		whole, exact := q.AsInt64()
		if exact && (whole <= -1024 || whole >= 1024) {
			v, n := whole, 0
			for v%1024 == 0 && n < 6 {
				v /= 1024
				n++
			}
			return strconv.FormatInt(v, 10) + [...]string{"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"}[n]
		}
	default:
		digits, e := q.thousands()
		if e == 0 {
			return digits
		}
		return digits + "e" + strconv.Itoa(e)
	}
	digits, e := q.thousands()
	return digits + [...]string{"n", "u", "m", "", "k", "M", "G", "T", "P", "E"}[e/3+3]
}

// thousands is the quantity as digits × 10^e with the largest e that is a
// multiple of 3, from -9 to 18.
func (q *Quantity) thousands() (digits string, e int) {
	v, e := q.value, int(q.scale)
	for v%10 == 0 && e < int(Exa) {
		v /= 10
		e++
	}
	digits = strconv.FormatInt(v, 10)
	for e%3 != 0 {
		digits += "0"
		e--
	}
	return digits, e
}

// MarshalJSON writes the canonical text.
func (q Quantity) MarshalJSON() ([]byte, error) {
	s := q.String()
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), nil
}

// UnmarshalJSON reads a text or a bare number.
func (q *Quantity) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || string(b) == "null" {
		*q = Quantity{}
		return nil
	}
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		b = b[1 : len(b)-1]
	}
	v, err := ParseQuantity(strings.TrimSpace(string(b)))
	if err != nil {
		return err
	}
	*q = v
	return nil
}
