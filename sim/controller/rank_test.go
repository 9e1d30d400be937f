package controller

import (
	"strings"
	"testing"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// The order in which a ReplicaSet gives up pods, as its documentation lists it:
// each pair differs in one thing, the first goes first.
func TestRankForDeletion(t *testing.T) {
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	pod := func(change ...func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{}
		p.UID = "b"
		p.Spec.NodeName = "node-1"
		p.Status.Phase = corev1.PodRunning
		p.CreationTimestamp = metav1.NewTime(now.Add(-time.Hour))
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-time.Hour))}}
		for _, c := range change {
			c(p)
		}
		return p
	}
	ready := func(age time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(now.Add(-age)) }
	}
	unready := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
	phase := func(ph corev1.PodPhase) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Status.Phase = ph } }
	cost := func(v string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.PodDeletionCost: v} }
	}
	node := func(n string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.NodeName = n } }
	created := func(age time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) { unready(p); p.CreationTimestamp = metav1.NewTime(now.Add(-age)) }
	}
	restarted := func(n int32) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: n}} }
	}
	for _, tt := range []struct {
		name         string
		first, later *corev1.Pod
	}{
		{"unassigned before assigned", pod(node("")), pod(phase(corev1.PodPending), cost("-5"))},
		{"pending before unknown", pod(phase(corev1.PodPending)), pod(phase(corev1.PodUnknown), unready)},
		{"unknown before running", pod(phase(corev1.PodUnknown)), pod(unready)},
		{"not ready before ready", pod(unready), pod(cost("-5"))},
		{"lower cost", pod(cost("-1")), pod()},
		{"cost 0 before 10", pod(), pod(cost("10"))},
		{"a malformed cost is none", pod(cost("-1")), pod(cost("-9x"))},
		{"more replicas on the node", pod(node("node-2")), pod(ready(time.Second))},
		{"ready for a shorter time", pod(ready(time.Minute)), pod(restarted(5))},
		{"more restarts", pod(restarted(5)), pod(restarted(1))},
		{"newer", pod(created(time.Minute)), pod(created(time.Hour))},
		{"in one bucket the uid decides", pod(created(61*time.Minute), func(p *corev1.Pod) { p.UID = "a" }), pod(created(60 * time.Minute))},
	} {
		related := []*corev1.Pod{pod(node("node-2")), pod(node("node-2")), pod()}
		for _, in := range [][]*corev1.Pod{{tt.first, tt.later}, {tt.later, tt.first}} {
			if got := RankForDeletion(in, related, now); got[0] != tt.first {
				t.Errorf("%s: the other one goes first", tt.name)
			}
		}
	}
}

// Slow start: batches of 1, 2, 4 …; a failing batch is the last.
func TestSlowStart(t *testing.T) {
	for _, tt := range []struct{ n, failAt, calls, done int }{{10, -1, 10, 10}, {10, 0, 1, 0}, {10, 1, 3, 2}, {10, 4, 7, 6}, {0, -1, 0, 0}} {
		calls := 0
		done, err := SlowStart(tt.n, func() error {
			calls++
			if calls-1 == tt.failAt {
				return errQuota
			}
			return nil
		})
		if calls != tt.calls || done != tt.done || (err != nil) != (tt.failAt >= 0) {
			t.Errorf("%+v: %d calls, %d done, %v", tt, calls, done, err)
		}
	}
}

type quota string

func (q quota) Error() string { return string(q) }

const errQuota = quota("exceeded quota")

func TestNamePrefix(t *testing.T) {
	if NamePrefix("web") != "web-" || strings.HasSuffix(NamePrefix(strings.Repeat("a", 253)), "-") {
		t.Error("prefix")
	}
}
