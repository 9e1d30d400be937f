// Which pod goes first when there are too many: the order that the ReplicaSet
// documentation lists, each step with a comment.

package controller

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// RankForDeletion returns pods with those first that a scale-down gives up
// first. related are all pods that count when it looks for nodes with several
// of them (the pods of all ReplicaSets of the same owner).
func RankForDeletion(pods, related []*corev1.Pod, now time.Time) []*corev1.Pod {
	perNode := map[string]int{}
	for _, p := range related {
		if IsActive(p) {
			perNode[p.Spec.NodeName]++
		}
	}
	out := slices.Clone(pods)
	slices.SortStableFunc(out, func(a, b *corev1.Pod) int {
		if before(a, b, perNode, now) {
			return -1
		}
		if before(b, a, perNode, now) {
			return 1
		}
		return 0
	})
	return out
}

func phaseOrder(p *corev1.Pod) int {
	switch p.Status.Phase {
	case corev1.PodPending, "":
		return 0
	case corev1.PodUnknown:
		return 1
	}
	return 2
}

// DeletionCost reads the annotation controller.kubernetes.io/pod-deletion-cost;
// a malformed one counts as 0.
func DeletionCost(p *corev1.Pod) int32 {
	v, ok := p.Annotations[corev1.PodDeletionCost]
	if !ok || strings.HasPrefix(v, "+") || len(v) > 1 && strings.HasPrefix(v, "0") {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

func before(a, b *corev1.Pod, perNode map[string]int, now time.Time) bool {
	// not yet assigned to a node
	if x, y := a.Spec.NodeName == "", b.Spec.NodeName == ""; x != y {
		return x
	}
	// pending, then unknown, then running
	if x, y := phaseOrder(a), phaseOrder(b); x != y {
		return x < y
	}
	// not ready
	ra, rb := IsReady(a), IsReady(b)
	if ra != rb {
		return !ra
	}
	// lower deletion cost
	if x, y := DeletionCost(a), DeletionCost(b); x != y {
		return x < y
	}
	// more replicas on its node
	if x, y := perNode[a.Spec.NodeName], perNode[b.Spec.NodeName]; x != y {
		return x > y
	}
	// ready for a shorter time
	if ra && rb {
		x, y := PodCondition(a, corev1.PodReady).LastTransitionTime, PodCondition(b, corev1.PodReady).LastTransitionTime
		if !x.Equal(&y) {
			return younger(x, y, a, b, now)
		}
	}
	// more restarts
	x, y := restarts(a), restarts(b)
	for i := range x {
		if x[i] != y[i] {
			return x[i] > y[i]
		}
	}
	// newer
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return younger(a.CreationTimestamp, b.CreationTimestamp, a, b, now)
	}
	return false
}

// younger compares ages on a logarithmic scale; within one bucket the uid, that
// is chance, decides. An unset time counts as the youngest.
func younger(x, y metav1.Time, a, b *corev1.Pod, now time.Time) bool {
	if x.IsZero() || y.IsZero() || now.IsZero() {
		if x.IsZero() != y.IsZero() {
			return x.IsZero()
		}
		return x.After(y.Time)
	}
	if bx, by := ageBucket(now.Sub(x.Time)), ageBucket(now.Sub(y.Time)); bx != by {
		return bx < by
	}
	return a.UID < b.UID
}

// ageBucket is the power of two of the age in nanoseconds, -1 for none.
func ageBucket(d time.Duration) int64 {
	if d <= 0 {
		return -1
	}
	return int64(math.Log2(float64(d)))
}

// restarts are the highest restart counts of the pod's regular containers and
// of its restartable init containers.
func restarts(p *corev1.Pod) (out [2]int32) {
	for _, s := range p.Status.ContainerStatuses {
		out[0] = max(out[0], s.RestartCount)
	}
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			continue
		}
		for _, s := range p.Status.InitContainerStatuses {
			if s.Name == c.Name {
				out[1] = max(out[1], s.RestartCount)
			}
		}
	}
	return out
}
