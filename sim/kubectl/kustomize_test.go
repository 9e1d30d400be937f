package kubectl

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestKustomizations builds on one base; the wants are the real kubectl's words,
// which it is asked for again where it has been built (make parity).
func TestKustomizations(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	write := func(name, text string) {
		for _, p := range []string{dir + "/" + name, "/home/reader/" + name} {
			folder := p[:strings.LastIndex(p, "/")]
			if err := os.MkdirAll(folder, 0o755); err == nil && strings.HasPrefix(p, dir) {
				_ = os.WriteFile(p, []byte(text), 0o644)
			}
			_ = w.fs.MkdirAll(folder, 0o755)
			_ = w.fs.WriteFile(p, []byte(text), 0o644)
		}
	}
	write("base/kustomization.yaml", "resources: [d.yaml]\nconfigMapGenerator: [{name: cfg, literals: [A=1]}]\nsecretGenerator: [{name: sec, literals: [P=w], options: {disableNameSuffixHash: true}}]\n")
	write("base/d.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2, template: {spec: {containers: [{name: c, image: 'nginx:1.25', envFrom: [{configMapRef: {name: cfg}}]}]}}}\n")
	write("prod/kustomization.yaml", "resources: [../base]\nnamespace: prod\nnamePrefix: p-\n")
	write("tm/r.yaml", "source: {kind: Deployment, fieldPath: spec.replicas}\ntargets: [{select: {name: cfg}, fieldPaths: [data.A]}]\n")
	one := func(source, target string) string {
		return "resources: [../base]\nreplacements: [{source: {" + source + "}, targets: [{" + target + "}]}]\n"
	}
	const image = `fieldPath: "spec.template.spec.containers.[name=c].image", options: {delimiter: ":", index: 1}`
	for i, x := range []struct{ text, want string }{
		{"resources: [../base]\nnameSuffix: -v1\nconfigMapGenerator: [{name: cfg, behavior: merge, literals: [B=2]}]\n", "  A: \"1\"\n  B: \"2\"\n|name: cfg-v1-66h9cbh964\n|configMapRef:\n            name: cfg-v1-66h9cbh964\n"},
		{"resources: [../base]\nsecretGenerator: [{name: sec, behavior: replace, literals: [Q=1]}]\n", "data:\n  Q: MQ==\nkind: Secret\nmetadata:\n  name: sec\n"},
		{"resources: [../base]\nconfigMapGenerator: [{name: im, literals: [a=1], options: {immutable: true}}]\n", "immutable: true\nkind: ConfigMap\nmetadata:\n  name: im-"},
		{"resources: [../base, ../prod]\n", "name: p-cfg-89g4tffbfk\n  namespace: prod\n---\napiVersion: v1\ndata:\n  A: \"1\"\n"},
		{"resources: [../base]\nsortOptions: {order: fifo}\n", "---\napiVersion: v1\ndata:\n  A: \"1\"\n"},
		{"resources: [../base]\npatches: [{patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: cfg}, $patch: delete}'}]\n", "configMapRef:\n            name: cfg\n"},
		{one("kind: Deployment, "+image, "select: {name: cfg}, fieldPaths: [data.TAG, 'metadata.annotations.[a.b/c]'], options: {create: true}"), "  TAG: 1.25\n|    a.b/c: \"1.25\"\n"},
		{one("kind: ConfigMap, name: cfg, fieldPath: data.A", `select: {kind: Deployment}, fieldPaths: [spec.replicas, 'spec.template.metadata.labels.x\.y'], options: {create: true}`), "  replicas: 1\n|        x.y: 1\n"},
		{one("kind: ConfigMap, name: cfg, fieldPath: data", "select: {kind: Deployment}, fieldPaths: [spec.template.metadata.annotations], options: {create: true}"), "      annotations:\n        A: \"1\"\n"},
		{one("kind: ConfigMap, name: cfg", "select: {kind: Deployment}, fieldPaths: ['spec.template.spec.containers.[name=c].env.[name=CM].value', 'spec.template.spec.containers.*.workingDir'], options: {create: true}"), "      - env:\n        - name: CM\n          value: cfg\n|        workingDir: cfg\n"},
		{one("kind: Deployment", "select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.image], options: {delimiter: ':', index: 1}"), "image: nginx:web\n"},
		{one("kind: Deployment", "select: {version: v1}, reject: [{kind: Secret}, {kind: Deployment}], fieldPaths: [data.A]"), "  A: web\n"},
		{"resources: [../base]\nreplacements: [{path: r.yaml}]\n", "  A: \"2\"\n"},
		{one("kind: Nope, name: web", "select: {kind: ConfigMap}"), "error: nothing selected by Nope.[noVer].[noGrp]/web.[noNs]\n"},
		{one("kind: Deployment, name: web, fieldPath: spec.nope", "select: {kind: ConfigMap}"), "error: fieldPath `spec.nope` is missing for replacement source Deployment.[noVer].[noGrp]/web.[noNs]\n"},
		{one("kind: Deployment", "select: {kind: ConfigMap}, fieldPaths: [data.NO]"), "error: unable to find field \"data.NO\" in replacement target\n"},
		{one("fieldPath: spec.replicas", "select: {kind: ConfigMap}"), "error: multiple matches for selector [noKind].[noVer].[noGrp]/[noName].[noNs]:spec.replicas\n"},
		{one("kind: Deployment", "fieldPaths: [x]"), "error: target must specify resources to select\n"},
		{one("kind: Deployment, "+strings.Replace(image, "1}", "7}", 1), "select: {name: cfg}"), "error: options.index 7 is out of bounds for value nginx:1.25"},
	} {
		name := "t" + string(rune('a'+i))
		write(name+"/kustomization.yaml", x.text)
		out, errs, _ := w.do("kubectl kustomize "+name, "")
		for _, part := range strings.Split(x.want, "|") {
			if !strings.Contains(out+errs, part) {
				t.Errorf("%swithout %q:\n%s%s", x.text, part, out, errs)
			}
		}
		if _, err := os.Stat(realKubectl); err != nil {
			continue
		}
		if real, _ := exec.Command(realKubectl, "kustomize", dir+"/"+name).CombinedOutput(); string(real) != out+errs {
			t.Errorf("%s%s", x.text, difference(out+errs, string(real)))
		}
	}
}
