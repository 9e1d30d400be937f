package resource

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	upstream "k8s.io/apimachinery/pkg/api/resource"
)

// texts are ordinary and odd quantities; the upstream package says what is right.
func texts() []string {
	out := []string{"", "0", "1", "-1", "+1", "100m", "1000m", "1500m", "0.5", ".5", "5.", "1.", ".", "-", "+", "1k", "1K", "1Ki", "1.5Gi", "0.1Gi",
		"1024Mi", "1000Mi", "64Mi", "900Gi", "1e3", "1E3", "1e-3", "12e6", "1e", "1E", "5E", "1.25e4", "1e+2", "1mi", "1 Gi", "Gi", "m", "1.2.3",
		"0.0000000001", "1n", "1u", "3.0001n", "9223372036854775807", "9223372036854775808", "99999999999999999999", "1Ei", "7Ei", "8Ei", "10Ei",
		"-1.5Gi", "0Gi", "0.0", "1023", "1024", "1025Ki", "0.001Ki", "100000000m", "1e20", "1x", "0x1", "१", "1e99999999999999999999", "500n", "1000000n", "1.000000001"}
	rnd := rand.New(rand.NewPCG(1, 2))
	suffixes := []string{"", "m", "u", "n", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "e-2", "E6"}
	for range 3000 {
		s := fmt.Sprint(rnd.IntN(100000))
		if rnd.IntN(2) == 0 {
			s += fmt.Sprintf(".%d", rnd.IntN(10000))
		}
		out = append(out, s+suffixes[rnd.IntN(len(suffixes))])
	}
	return out
}

// canonical is upstream's canonical text; its String may be the text it read.
func canonical(q upstream.Quantity) string {
	number, suffix := q.CanonicalizeBytes(nil)
	return string(number) + string(suffix)
}

// tooLarge are texts that need more than our 63 bits.
var tooLarge = map[string]bool{"9223372036854775808": true, "99999999999999999999": true, "1e20": true}

// "Quantities are written in canonical form": ours and upstream's agree.
func TestAgainstUpstream(t *testing.T) {
	for _, s := range texts() {
		want, werr := upstream.ParseQuantity(s)
		got, gerr := ParseQuantity(s)
		if (werr == nil) != (gerr == nil) || werr != nil && werr.Error() != gerr.Error() {
			t.Errorf("%q: error %v, upstream %v", s, gerr, werr)
			continue
		}
		if werr != nil {
			continue
		}
		if tooLarge[s] {
			continue
		}
		if got.String() != canonical(want) && len(canonical(want)) < 19 {
			t.Errorf("%q: %s, upstream %s", s, got.String(), canonical(want))
		}
		if got.Value() != want.Value() || got.Value() < 1e15 && got.MilliValue() != want.MilliValue() {
			t.Errorf("%q: value %d, milli %d; upstream %d, %d", s, got.Value(), got.MilliValue(), want.Value(), want.MilliValue())
		}
	}
}

func TestArithmeticAgainstUpstream(t *testing.T) {
	all := texts()
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		a, b := all[rnd.IntN(len(all))], all[rnd.IntN(len(all))]
		x, err1 := ParseQuantity(a)
		y, err2 := ParseQuantity(b)
		if err1 != nil || err2 != nil || len(a) > 15 || len(b) > 15 {
			continue
		}
		u, v := upstream.MustParse(a), upstream.MustParse(b)
		if x.Cmp(y) != u.Cmp(v) {
			t.Errorf("%s ? %s: %d, upstream %d", a, b, x.Cmp(y), u.Cmp(v))
		}
		x.Add(y)
		u.Add(v)
		if strings.ContainsAny(a+b, "ETP") {
			continue // more than 63 bits
		}
		if x.String() != canonical(u) && len(canonical(u)) < 17 {
			t.Errorf("%s + %s = %s, upstream %s", a, b, x.String(), canonical(u))
		}
		x.Sub(y)
		x.Sub(y)
		u.Sub(v)
		u.Sub(v)
		if x.String() != canonical(u) && len(canonical(u)) < 17 {
			t.Errorf("%s - %s = %s, upstream %s", a, b, x.String(), canonical(u))
		}
	}
}

func TestJSON(t *testing.T) {
	var v struct{ A, B, C Quantity }
	if err := json.Unmarshal([]byte(`{"A":"1000m","B":2.5,"C":null}`), &v); err != nil {
		t.Fatal(err)
	}
	out, _ := json.Marshal(v)
	if string(out) != `{"A":"1","B":"2500m","C":"0"}` {
		t.Errorf("%s", out)
	}
	if err := json.Unmarshal([]byte(`{"A":"lots"}`), &v); err == nil || err.Error() != ErrFormatWrong.Error() {
		t.Errorf("error %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range texts()[:60] {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseQuantity(s)
		if err != nil || len(q.String()) > 19 { // 63 bits and no more
			return
		}
		again, err := ParseQuantity(q.String())
		if err != nil || again.Cmp(q) != 0 {
			t.Errorf("%q is written %s and read back as %s (%v)", s, q.String(), again.String(), err)
		}
	})
}
