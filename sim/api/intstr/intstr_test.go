package intstr

import (
	"encoding/json"
	"testing"

	upstream "k8s.io/apimachinery/pkg/util/intstr"
)

func TestAgainstUpstream(t *testing.T) {
	for _, text := range []string{`1`, `"http"`, `"25%"`, `"5"`, `-1`, `1.5`, `true`, `null`, `99999999999`, `"x%"`, `"100%"`, `{}`, `""`} {
		var want upstream.IntOrString
		var got IntOrString
		werr, gerr := json.Unmarshal([]byte(text), &want), json.Unmarshal([]byte(text), &got)
		if (werr == nil) != (gerr == nil) {
			t.Errorf("%s: error %v, upstream %v", text, gerr, werr)
			continue
		}
		if werr != nil {
			continue
		}
		if got.String() != want.String() || got.IntValue() != want.IntValue() {
			t.Errorf("%s: %s %d, upstream %s %d", text, got.String(), got.IntValue(), want.String(), want.IntValue())
		}
		for _, up := range []bool{true, false} {
			w, werr := upstream.GetScaledValueFromIntOrPercent(&want, 3, up)
			g, gerr := GetScaledValueFromIntOrPercent(&got, 3, up)
			if w != g || (werr == nil) != (gerr == nil) || werr != nil && werr.Error() != gerr.Error() {
				t.Errorf("%s of 3: %d, %v; upstream %d, %v", text, g, gerr, w, werr)
			}
		}
		if a, _ := json.Marshal(got); true {
			if b, _ := json.Marshal(want); string(a) != string(b) {
				t.Errorf("%s is written %s, upstream %s", text, a, b)
			}
		}
	}
}
