package texttool_test

import (
	"strings"
	"testing"

	"github.com/kubonsai/kubonsai/sim/shell/guest/host"
	"github.com/kubonsai/kubonsai/sim/shell/texttool"
)

const manifests = `# top
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3 # for now
  containers:
    - name: a
      image: "nginx:1.25"
    - name: b
      image: redis
---
kind: Service
`

func TestYq(t *testing.T) {
	for _, c := range []line{
		{script: "yq .kind m.yaml", out: "Deployment\n---\nService\n"},
		{script: "yq -N .spec.replicas m.yaml", out: "3\nnull\n"},
		{script: "yq '.spec.containers[].image' m.yaml", out: "nginx:1.25\nredis\n"},
		{script: "yq 'select(.kind == \"Deployment\") | .spec.containers[1]' m.yaml", out: "name: b\nimage: redis\n"},
		{script: "cat m.yaml | yq", out: manifests},
		{script: "yq m.yaml", out: manifests},
		{script: "yq -i 'select(.kind == \"Deployment\").spec.replicas = 5' m.yaml; cat m.yaml", out: strings.Replace(manifests, ": 3", ": 5", 1)},
		{script: "yq 'select(.spec) | (.spec.containers[] | select(.name == \"a\") | .image) |= \"nginx:1.27\"' m.yaml | grep nginx", out: "      image: \"nginx:1.27\"\n"},
		{script: "yq 'del(.spec.replicas) | .metadata.labels.app = \"x\"' m.yaml | head -4", out: "# top\nkind: Deployment\nmetadata: {name: web, labels: {app: x}}\nspec:\n"},
		{script: "yq -o=json -I0 .metadata m.yaml; yq -o json 'select(.spec) | .spec.containers[0]' m.yaml", out: "{\"name\":\"web\"}\nnull\n{\n  \"name\": \"a\",\n  \"image\": \"nginx:1.25\"\n}\n"},
		{script: "echo '{\"b\": [1, {\"c\": \"x\"}], \"a\": null}' | yq -P", out: "b:\n  - 1\n  - c: x\na: null\n"},
		{script: "X=5 yq -n '.a.b = env(X) | .c = strenv(X)'", out: "a:\n  b: 5\nc: \"5\"\n"},
		{script: "printf 'x: &x {a: 1}\\ny: {<<: *x, b: 2}\\n' | yq '.y.a'", out: "1\n"},
		{script: "yq '.a b' m.yaml", err: "Error: bad expression, please check expression syntax: unexpected token \"b\"\n", code: 1},
		{script: "yq . nope.yaml", err: "Error: open nope.yaml: no such file or directory\n", code: 1},
		{script: "printf 'a: [1\\n' | yq .", err: "Error: bad file '-': yaml: line 1: did not find expected ',' or ']'\n", code: 1},
		{script: "yq -e .nope m.yaml", out: "null\n---\nnull\n", err: "Error: no matches found\n", code: 1},
		{script: "yq -i .a", err: "Error: write in place flag only applicable when giving an expression and at least one file\n", code: 1},
		{script: "yq --foo", err: "Error: unknown flag: --foo\n", code: 1},
	} {
		check(t, c)
	}
}

func TestBc(t *testing.T) {
	for _, c := range []line{
		{script: "echo '1+2*3; 10/3; scale=3; 10/3; -7/2; 5%3; 2^100; sqrt(2); x=5; x+=1; x*2; 1==1; .5*.25' | bc", out: "7\n3\n3.333\n-3.500\n.002\n1267650600228229401496703205376\n1.414\n12\n1\n.125\n"},
		{script: "echo '4*a(1); e(1); l(2); s(1); c(1)' | bc -l", out: "3.14159265358979323844\n2.71828182845904523536\n.69314718055994530941\n.84147098480789650665\n.54030230586813971740\n"},
		{script: "echo 'obase=16; 255; obase=2; 5' | bc; echo 'ibase=16; FF' | bc", out: "FF\n101\n255\n"},
		{script: "echo '2^300' | bc", out: "20370359763344860862684456884093781610514683936659362506361404493543\\\n81299763336706183397376\n"},
		{script: "echo 'print \"a\", 1+1, \"\\n\"; quit; 5' | bc", out: "a2\n"},
		{script: "printf '1/0\\n1+\\n2 $ 3\\nf(1)\\nwhile (1) {}\\n9^999999\\n(((\\n' | bc", err: "Runtime error (func=(main), adr=3): Divide by zero\n(standard_in) 1: syntax error\n(standard_in) 1: illegal character: $\nRuntime error (func=(main), adr=5): Function f not defined.\nbc: this bc is simulated and has no while\nOut of memory for malloc.\n(standard_in) 1: syntax error\n"},
		{script: "bc nope", err: "File nope is unavailable.\n", code: 1},
	} {
		check(t, c)
	}
}

func check(t *testing.T, c line) {
	t.Helper()
	m := newMachine(host.Native(texttool.Run))
	_ = m.fs.WriteFile("/tmp/w/m.yaml", []byte(manifests), 0o644)
	stdout, stderr, code, done := m.run(c.script)
	if stdout != c.out || stderr != c.err || code != c.code || !done {
		t.Errorf("$ %s\ngot  %q, %q, %d, %v\nwant %q, %q, %d", c.script, stdout, stderr, code, done, c.out, c.err, c.code)
	}
}

// Whatever is fed to them, yq and bc end.
func FuzzCalculators(f *testing.F) {
	for _, s := range []string{"1+2", "a: [1, {b: c}]", "scale=2000;l(3)", "&a [*a]", "x: !!int y", "((((1", "e(-5)", "\"a", "a: |\n  b\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := newMachine(host.Native(texttool.Run))
		_ = m.fs.WriteFile("/tmp/w/in", []byte(text), 0o644)
		if _, stderr, _, done := m.run("bc -l <in; yq . in; yq '.a = 1' in"); !done || strings.Contains(stderr, "panic") {
			t.Errorf("%q: %v %s", text, done, stderr)
		}
	})
}
