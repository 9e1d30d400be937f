// What a machine with limits refuses, and in which words.

package sim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim"
	"github.com/kubonsai/kubonsai/sim/apiserver/admission"
)

func TestLimits(t *testing.T) {
	full := false
	m, err := sim.New(sim.Options{Seed: 1, Limits: sim.Limits{
		Capacity: admission.Capacity{Objects: 300, Pods: 15, Full: func() bool { return full }},
		Clusters: 2, LogBytes: 4 << 10, FileBytes: 64 << 10}})
	if err != nil {
		t.Fatal(err)
	}
	run := func(script, want string) {
		t.Helper()
		var out strings.Builder
		done := false
		m.Terminal("1").Start(script, sim.RunOptions{
			OnOutput: func(_ int, data []byte) { out.Write(data) }, OnExit: func(int) { done = true }})
		m.Jump(m.Now().Add(10*time.Minute), func() bool { return done })
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nprinted %q\nlacks   %q", script, out.String(), want)
		}
	}
	run("kubectl create deployment web --image=nginx --replicas=20; sleep 5; kubectl get rs -o jsonpath='{.items[0].status.conditions[0].message}'",
		"is forbidden: the sandbox is limited to 15 pods, and has 15")
	run("kubectl scale deployment web --replicas=3; sleep 60; kubectl get deployment web", "3/3")
	run("for i in $(seq 300); do kubectl create configmap c$i || break; done", `configmaps "c`)
	run("kubectl create configmap more", "is forbidden: the sandbox is limited to 300 objects, and has 300")
	run("kubectl delete cm --all; kubectl create configmap again", "configmap/again created")
	run("kubectl exec deploy/web -- dd if=/dev/zero of=/big bs=1k count=100", "")
	run("kubectl exec deploy/web -- sh -c 'yes abcdefgh | head -c 100000 > /big'", "o space left on device")
	run("kubectl run loud --image=busybox --restart=Never -- seq 100000; sleep 5; kubectl logs loud | tail -n 1; kubectl logs loud | wc -c | awk '{print ($1 > 9000) ? \"long\" : \"short\"}'", "short")
	run("kind create cluster --name b; kind create cluster --name c", "the sandbox is limited to 2 clusters")
	run("kubectl config use-context kind-kind", "Switched")
	full = true
	run("kubectl create configmap fat", "is forbidden: the sandbox's storage is full: delete something first")
	run("kubectl delete cm again", "deleted")
}
