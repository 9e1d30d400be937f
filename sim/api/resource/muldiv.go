// 128-bit steps for fractions of binary units.

package resource

import "math/bits"

// mulDiv is a × b / den and the remainder; all are positive and the quotient fits.
func mulDiv(a, b, den int64) (quo, rem int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, r := bits.Div64(hi, lo, uint64(den))
	return int64(q), int64(r)
}
