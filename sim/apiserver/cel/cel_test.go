package cel

import (
	"strings"
	"testing"
)

var self = map[string]any{"species": "pine", "branches": int64(3), "tags": []any{"a", "bb"}, "ratio": 0.5,
	"labels": map[string]any{"x": "1", "y": "2"}, "some-name": true, "in": "word"}

// Expressions of the documentation's validation rules and of its CEL page.
func TestEval(t *testing.T) {
	for text, want := range map[string]any{
		"self.species != 'pine' || self.branches < 9":                           true,
		"self.branches > 2 && self.branches <= 3":                               true,
		"has(self.species) && !has(self.none)":                                  true,
		"self.none == 1 || true":                                                true,
		"false && self.none == 1":                                               false,
		"size(self.tags) == 2 && self.tags.size() == 2":                         true,
		"self.tags.all(t, t.size() <= 2)":                                       true,
		"self.tags.exists(t, t == 'bb')":                                        true,
		"self.tags.exists_one(t, t.startsWith('b'))":                            true,
		"self.tags.map(t, t + '!')[1]":                                          "bb!",
		"self.tags.filter(t, t != 'a').size()":                                  int64(1),
		"self.labels.all(k, self.labels[k] in ['1', '2'])":                      true,
		"'x' in self.labels":                                                    true,
		"self.branches in [1, 2, 3]":                                            true,
		"self.branches * 2 + 1 - 7 % 4":                                         int64(4),
		"-self.branches":                                                        int64(-3),
		"self.ratio < 1":                                                        true,
		"self.branches == 3.0":                                                  true,
		"self.species.matches('^p[a-z]+$')":                                     true,
		"self.branches > 5 ? 'many' : 'few'":                                    "few",
		"self.some__dash__name":                                                 true,
		"self.__in__ == 'word'":                                                 true,
		"{'a': 1}.a + [1, 2][1]":                                                int64(3),
		"duration('90s') > duration('1m')":                                      true,
		"timestamp('2026-01-02T00:00:00Z') > timestamp('2026-01-01T00:00:00Z')": true,
		`"a\"b" + r'\d' == 'a"b\\d'`:                                            true,
		"string(self.branches) + 'x'":                                           "3x",
		"quantity('1Gi').isGreaterThan(quantity('1000Mi'))":                     true,
		"self.tags.isSorted() && [1, 2].sum() == 3 && [3, 1].min() == 1":        true,
		"self.species.split('i').join('-')":                                     "p-ne",
		"oldSelf.branches <= self.branches":                                     true,
	} {
		p, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := p.Eval(map[string]any{"self": self, "oldSelf": self})
		if err != nil || !Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"self.none > 1":           "no such key: none",
		"self.tags[5]":            "index out of bounds: 5",
		"self.species > 1":        "no such overload",
		"1 / 0":                   "division by zero",
		"9223372036854775807 + 1": "integer overflow",
		"nobody":                  "undeclared reference to 'nobody'",
		"[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, true))))))": "cost budget",
	} {
		p, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, err = p.Eval(map[string]any{"self": self}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{"", "self.", "1 +", "(1", "'a", "self[1", "a ? b", "#", strings.Repeat("(", 1000), strings.Repeat("!", 100000)} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%.20q was taken", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("self.a.all(x, x > 1) ? 'b' : {'c': [1]}")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := Parse(text); err == nil {
			_, _ = p.Eval(map[string]any{"self": self})
		}
	})
}
