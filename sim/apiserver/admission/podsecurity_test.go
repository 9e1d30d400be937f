package admission

import (
	"testing"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"sigs.k8s.io/yaml"
)

func TestPodSecurityChecks(t *testing.T) {
	const good = "securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}\n"
	const strict = "securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}"
	for _, c := range []struct {
		level int
		spec  string
		want  string
	}{
		{1, "containers: [{name: a}]", ""},
		{1, "hostNetwork: true\nhostPID: true\ncontainers: [{name: a}]", "host namespaces (hostNetwork=true, hostPID=true)"},
		{1, "containers: [{name: a, securityContext: {privileged: true}}, {name: b, securityContext: {privileged: true}}]",
			`privileged (containers "a", "b" must not set securityContext.privileged=true)`},
		{1, "containers: [{name: a, ports: [{containerPort: 80, hostPort: 80}]}]", `hostPort (container "a" uses hostPort 80)`},
		{1, "containers: [{name: a}]\nvolumes: [{name: v, hostPath: {path: /}}]", `hostPath volumes (volume "v")`},
		{1, "containers: [{name: a, securityContext: {capabilities: {add: [NET_ADMIN, CHOWN]}}}]",
			`non-default capabilities (container "a" must not include "NET_ADMIN" in securityContext.capabilities.add)`},
		{2, good + "containers: [{name: a, " + strict + "}]", ""},
		{2, good + "containers: [{name: a, " + strict + "}]\nvolumes: [{name: v, hostPath: {path: /}}]",
			`restricted volume types (volume "v" uses restricted volume type "hostPath")`},
		{2, "containers: [{name: a}, {name: b}]", `allowPrivilegeEscalation != false (containers "a", "b" must set securityContext.allowPrivilegeEscalation=false), ` +
			`unrestricted capabilities (containers "a", "b" must set securityContext.capabilities.drop=["ALL"]), ` +
			`runAsNonRoot != true (pod or containers "a", "b" must set securityContext.runAsNonRoot=true), ` +
			`seccompProfile (pod or containers "a", "b" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`},
	} {
		spec := &corev1.PodSpec{}
		if err := yaml.Unmarshal([]byte(c.spec), spec); err != nil {
			t.Fatal(err)
		}
		if got := details(check(c.level, &metav1.ObjectMeta{}, spec)); got != c.want {
			t.Errorf("%s: %s, want %s", c.spec, got, c.want)
		}
	}
}

func TestStandards(t *testing.T) {
	enforce, warn := standards(map[string]string{securityLabel + "enforce": "baseline", securityLabel + "enforce-version": "v1.30"})
	if enforce.String() != "baseline:v1.30" || warn != enforce {
		t.Errorf("%v %v", enforce, warn)
	}
	if _, warn = standards(map[string]string{securityLabel + "enforce": "restricted", securityLabel + "warn": "baseline"}); warn.String() != "baseline:latest" {
		t.Errorf("%v", warn)
	}
}
