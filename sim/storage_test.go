package sim

import (
	"strings"
	"testing"
)

// TestContainerBounds: what containers may write, compute and log has bounds,
// and the words for them are the kubelet's and the kernel's.
func TestContainerBounds(t *testing.T) {
	c, err := New(Options{Seed: 1, ImagesPresent: true, MetricsServer: true, Log: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	pod := func(name, fields, volumes, script string) {
		yaml := "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\nspec:\n  restartPolicy: Never\n  volumes: [" + volumes + "]\n" +
			"  containers: [{name: c, image: busybox:1.36, command: [sh, -c, '" + script + "'], " + fields + "}]\n"
		if err := c.Files().WriteFile(Home+"/"+name+".yaml", []byte(yaml), 0o644); err != nil {
			t.Fatal(err)
		}
		if out := do(t, c, "1", "kubectl apply -f "+name+".yaml"); !strings.Contains(out, "created") {
			t.Fatal(out)
		}
	}
	mount := "volumeMounts: [{name: v, mountPath: /v}]"
	pod("emptydir", mount, "{name: v, emptyDir: {sizeLimit: 10Mi}}", "dd if=/dev/zero of=/v/f bs=1M count=20; sleep 9999")
	pod("memory", mount+", resources: {limits: {memory: 8Mi}}", "{name: v, emptyDir: {medium: Memory}}", "dd if=/dev/zero of=/v/f bs=1M count=20; sleep 9999")
	pod("tmpfs", mount, "{name: v, emptyDir: {medium: Memory, sizeLimit: 5Mi}}", "dd if=/dev/zero of=/v/f bs=1M count=20 2>&1 | head -1")
	pod("layer", "resources: {limits: {ephemeral-storage: 20Mi}}", "", "yes > /f; sleep 9999")
	pod("endless", "", "", "yes > /f; echo $?")
	pod("busy", "resources: {limits: {cpu: 500m}}", "", "while true; do :; done")
	pod("log", "", "", "i=0; while [ $i -lt 40000 ]; do echo line $i of a log that is longer than what is kept; i=$((i+1)); done; sleep 9999")
	pod("readonly", mount+", securityContext: {readOnlyRootFilesystem: true}", "{name: v, emptyDir: {}}", "echo x > /x; echo y > /v/y && cat /v/y; echo why > /dev/termination-log; exit 3")
	do(t, c, "1", `kubectl apply -f - <<E >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: user}
spec:
  restartPolicy: Never
  securityContext: {runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000, supplementalGroups: [4000]}
  volumes: [{name: v, emptyDir: {}}]
  containers: [{name: c, image: "busybox:1.36", command: [sh, -c, 'id; echo x > /etc/x; echo h > /v/h; ls -ln /v | tail -1 | cut -c1-30; whoami'], volumeMounts: [{name: v, mountPath: /v}]}]
E
sleep 40`)
	state := func(pod, field string) string {
		return "kubectl get pod " + pod + " -o jsonpath='{.status." + field + "}'"
	}
	for _, x := range []struct{ line, want string }{
		{state("emptydir", "reason} {.status.message"), `Evicted Usage of EmptyDir volume "v" exceeds the limit "10Mi". `},
		{state("emptydir", "conditions[?(@.type==\"DisruptionTarget\")].reason"), "TerminationByKubelet"},
		{"kubectl get events --field-selector reason=Evicted,involvedObject.name=emptydir -o jsonpath='{.items[*].type}'", "Warning"},
		{state("memory", "containerStatuses[0].state.terminated.reason"), "OOMKilled"},
		{"kubectl logs tmpfs", "dd: error writing '/v/f': No space left on device\n"},
		{state("layer", "reason} {.status.message"), "Evicted Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. "},
		{"kubectl logs endless", "yes: write error: No space left on device\n1\n"},
		{"kubectl top pod busy --no-headers", "busy   500m   0Mi   \n"},
		{"kubectl logs log --tail=1; kubectl logs log | head -1 | cut -d' ' -f1", "line 39999 of a log that is longer than what is kept\nWarning: the simulation keeps the last 1Mi of a container's log: 21979 older lines of \"c\" are gone\nline\n"},
		{"kubectl logs log | tail -1", "line 39999 of a log that is longer than what is kept\n"},
		{"kubectl logs readonly; " + state("readonly", "containerStatuses[0].state.terminated.message"), "sh: can't create /x: Read-only file system\ny\nwhy\n"},
		{"kubectl logs user", "uid=1000 gid=3000 groups=2000,3000,4000\nsh: can't create /etc/x: Permission denied\n-rw-r--r--    1 1000     2000 \nwhoami: unknown uid 1000\n"},
	} {
		if got := do(t, c, "1", x.line); got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
}
