package kubelet_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubonsai/kubonsai/sim/kubelet"
)

// states are the distinct states that a watch showed of a pod's container.
func (c *cluster) states(pod string) string {
	var out []string
	for _, r := range c.rows {
		if _, rest, ok := strings.Cut(r, " "+pod+" "); ok {
			_, rest, _ = strings.Cut(rest, " | | main=")
			state, _, _ := strings.Cut(rest, " ")
			if n := len(out); state != "" && (n == 0 || out[n-1] != state) {
				out = append(out, state)
			}
		}
	}
	return strings.Join(out, " ")
}

// TestRestarts follows a recording of a real cluster's pods: a start
// is seen even of a program that ends at once, its end at the next relist, and
// a restart for a failed probe shows no end at all.
func TestRestarts(t *testing.T) {
	tools(t, "sleep", "cat", "rm", "touch")
	c := newCluster(t, 1)
	c.watchPods()
	pod := func(name, rest string) {
		c.create("apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\nspec:\n" + rest)
	}
	pod("done", "  restartPolicy: Never\n  containers:\n  - {name: main, image: 'busybox:1.36', command: [sh, -c, echo all good]}\n")
	pod("liveness", "  terminationGracePeriodSeconds: 2\n  containers:\n  - name: main\n    image: busybox:1.36\n    args: [/bin/sh, -c, touch /tmp/healthy; sleep 15; rm -f /tmp/healthy; sleep 600]\n    livenessProbe: {exec: {command: [cat, /tmp/healthy]}, initialDelaySeconds: 3, periodSeconds: 3}\n")
	pod("mute", "  containers:\n  - {name: main, image: 'busybox:1.36', command: [sleep, '99'], livenessProbe: {exec: {command: ['false']}, periodSeconds: 100}, readinessProbe: {exec: {command: [nope]}, periodSeconds: 100}}\n")
	pod("crash", "  containers:\n  - {name: main, image: 'busybox:1.36', command: [sh, -c, echo out; sleep 2; exit 1]}\n")
	c.run(5 * time.Second)
	// The first run has ended, the second runs: the first can be read.
	previous := func() string {
		b, _, err := c.k.Logs(c.pod("crash"), "main", kubelet.LogOptions{Previous: true})
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	c.want(previous(), "out\n")
	c.run(4 * time.Second)
	// The second has ended too: the first is gone, and the status still names it.
	if got := previous(); !strings.HasPrefix(got, "unable to retrieve container logs for containerd://") {
		t.Error(got)
	}
	c.run(26 * time.Second)
	c.want(c.states("done"), "waiting:ContainerCreating running terminated:Completed:0")
	c.want(c.states("liveness"), "waiting:ContainerCreating running")
	if s := c.pod("liveness").Status.ContainerStatuses[0]; s.RestartCount != 1 || s.LastTerminationState.Terminated == nil {
		t.Error(summary(c.pod("liveness")))
	}
	if e := c.events("liveness"); !strings.Contains(e, "Unhealthy 3 spec.containers{main} Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory") {
		t.Error(e)
	}
	if e := c.events("mute"); !strings.Contains(e, "Readiness probe errored and resulted in unknown state: rpc error: code = Unknown desc = ") {
		t.Error(e)
	}
	c.run(90 * time.Second)
	if e := c.events("mute"); !strings.Contains(e, "Liveness probe failed: \n") {
		t.Error(e)
	}
}
