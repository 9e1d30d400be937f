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
		"self.?none.orValue(3) == 3 && self.?branches.hasValue()":               true,
		"self.?a.?b.?c.hasValue() || self.?labels.x.value() == '1'":             true,
		"self.tags[?1].orValue('') + self.tags[?7].orValue('-')":                "bb-",
		"self.?labels.optMap(l, l.size()).orValue(0)":                           int64(2),
		"[1, ?optional.none(), ?optional.of(2)] == [1, 2]":                      true,
		"{?'a': self.?none, 'b': 1} == {'b': 1}":                                true,
		"optional.ofNonZeroValue('').or(optional.of('x')).value()":              "x",
		"self.labels.transformMap(k, v, k + v).x":                               "x1",
		"self.tags.transformList(i, t, i > 0, t)[0]":                            "bb",
		"self.labels.transformMapEntry(k, v, {v: k})['2']":                      "y",
		"self.labels.all(k, v, k > v) && self.tags.exists(i, t, i == 1)":        true,
		"ip('192.168.0.1').family() == 4 && isIP('::1') && !isIP('1.2.3')":      true,
		"cidr('10.0.0.0/8').containsIP('10.1.2.3')":                             true,
		"cidr('10.0.0.0/8').containsCIDR(cidr('10.1.0.0/16'))":                  true,
		"cidr('10.1.0.0/8').masked().ip() == ip('10.0.0.0')":                    true,
		"string(cidr('10.0.0.0/8')) + string(ip('::1'))":                        "10.0.0.0/8::1",
		"url('https://e.com:80/a?x=1').getHostname() + url('/a').getHost()":     "e.com",
		"url('https://e.com:80/a?x=1').getQuery()['x'][0]":                      "1",
		"'a1b22'.findAll('[0-9]+') == ['1', '22'] && 'a1'.find('[0-9]') == '1'": true,
		"[1, 2].indexOf(2) + ['a'].lastIndexOf('b') + 'abcab'.lastIndexOf('b')": int64(4),
		"sets.contains([1, 2], [2]) && !sets.intersects([1], [2])":              true,
		"sets.equivalent([1, 1], [1])":                                          true,
		"quantity('1.5').add(quantity('500m')).asInteger()":                     int64(2),
		"quantity('50k').compareTo(quantity('50000')) == 0":                     true,
		"quantity('1Gi').sub(1).isInteger() && !isQuantity('x')":                true,
		"string(quantity('1500m'))":                                             "1500m",
		"semver('1.2.3').isLessThan(semver('1.10.0'))":                          true,
		"semver('1.0.0-rc.1').compareTo(semver('1.0.0'))":                       int64(-1),
		"isSemver('1.2') || isSemver('v1.2', true)":                             true,
		"!format.dns1123Label().validate('a-b').hasValue()":                     true,
		"format.named('dns1123Label').value().validate('A_').hasValue()":        true,
		"'%s is %d, %.1f, %x: %s'.format(['a', 3, 2.5, 255, [1, true]])":        "a is 3, 2.5, ff: [1, true]",
		"timestamp('2026-01-02T03:04:05Z').getMonth()":                          int64(0),
		"duration('1h30m').getMinutes()":                                        int64(90),
		"type(1) == int && type('a') == string && type([]) == list":             true,
		"'Abc'.charAt(1) + 'Abc'.reverse() + 'a-b'.replace('-', '+')":           "bcbAa+b",
		"b'abc' == bytes('abc') && size(b'abc') == 3":                           true,
		"-9223372036854775808 < 0":                                              true,
		"'ü'.size()":                                                            int64(1),
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
	for _, text := range []string{"", "self.", "1 +", "(1", "'a", "self[1", "a ? b", "#", strings.Repeat("(", 1000), strings.Repeat("!", 100000), "a.map(1, 2)", "[1", "-"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%.20q was taken", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("self.a.all(x, x > 1) ? 'b' : {'c': [1]}")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := Parse(text); err == nil {
			_, _ = p.Check(map[string]*Type{"self": nil}, nil)
			_, _ = p.Eval(map[string]any{"self": self})
		}
	})
}

// What the checker says, in upstream's words.
func TestCheck(t *testing.T) {
	spec := ObjectOf(func(name string) (*Type, bool) { return Int, name == "replicas" })
	vars := map[string]*Type{"self": nil, "authorizer": Authorizer, "authorizer.requestResource": ResourceOf,
		"object": ObjectOf(func(name string) (*Type, bool) {
			return map[string]*Type{"spec": spec, "tags": ListOf(String)}[name], name == "spec" || name == "tags" || name == "any"
		})}
	for text, want := range map[string]string{
		"self.a == 1":                        "",
		"object.spec.replicas <= 5":          "",
		"object.any.b.c":                     "must evaluate to bool",
		"self.replicas":                      "must evaluate to bool",
		"1 + 2":                              "must evaluate to bool",
		"object.replicas > 1":                "ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^",
		"nobody.a == 1":                      "ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')\n | nobody.a == 1\n | ^",
		"self.a.foo(1)":                      "ERROR: <input>:1:11: undeclared reference to 'foo' (in container '')\n | self.a.foo(1)\n | ..........^",
		"object.spec.replicas > '3'":         "ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\n | object.spec.replicas > '3'\n | .....................^",
		"'a'.startsWith(1)":                  "ERROR: <input>:1:15: found no matching overload for 'startsWith' applied to 'string.(int)'\n | 'a'.startsWith(1)\n | ..............^",
		"object.tags.all(t, t > 1)":          "ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(string, int)'\n | object.tags.all(t, t > 1)\n | .....................^",
		"object.tags.exists(t, size(t) > 1)": "",
		"object.?spec.?replicas.orValue(0) > 1 && has(object.spec)":                         "",
		"authorizer.group('').resource('pods').check('get').allowed()":                      "",
		"authorizer.requestResource.check('get').allowed() && object.any == quantity('1')":  "",
		"object.tags.map(t, t.size()).sum() > 1 ? self.x.startsWith('a') : self.y in ['b']": "",
		"(self.a + 'x') == 1": "ERROR: <input>:1:16: found no matching overload for '_==_' applied to '(string, int)'\n | (self.a + 'x') == 1\n | ...............^",
	} {
		p, err := Parse(text)
		if err == nil {
			_, err = p.Check(vars, Bool)
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", text, got, want)
		}
	}
	_, err := Parse("self.a >")
	if want := "ERROR: <input>:1:9: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | self.a >\n | ........^"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}
