// Sizes: how maxSurge and maxUnavailable round, how large the new set may be,
// how a change of replicas is shared out among several sets.

package deployment

import (
	"math"
	"slices"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/intstr"

	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
)

func replicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

func replicasOf(rs *appsv1.ReplicaSet) int32 {
	if rs.Spec.Replicas == nil {
		return 1
	}
	return *rs.Spec.Replicas
}

func total(sets []*appsv1.ReplicaSet) (n int32) {
	for _, rs := range sets {
		n += replicasOf(rs)
	}
	return n
}

func active(sets []*appsv1.ReplicaSet) []*appsv1.ReplicaSet {
	var out []*appsv1.ReplicaSet
	for _, rs := range sets {
		if replicasOf(rs) > 0 {
			out = append(out, rs)
		}
	}
	return out
}

func isRolling(d *appsv1.Deployment) bool {
	return d.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType
}

// fenceposts resolves maxSurge (percentages rounded up) and maxUnavailable
// (rounded down); when both come to 0, one pod may be unavailable.
func fenceposts(d *appsv1.Deployment) (surge, unavailable int32) {
	ru := d.Spec.Strategy.RollingUpdate
	if ru == nil {
		ru = &appsv1.RollingUpdateDeployment{}
	}
	scaled := func(v *intstr.IntOrString, up bool) int32 {
		n, err := intstr.GetScaledValueFromIntOrPercent(intstr.ValueOrDefault(v, intstr.FromInt32(0)), int(replicas(d)), up)
		if err != nil {
			return 0
		}
		return int32(n)
	}
	surge, unavailable = scaled(ru.MaxSurge, true), scaled(ru.MaxUnavailable, false)
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, unavailable
}

func maxSurge(d *appsv1.Deployment) int32 {
	if !isRolling(d) {
		return 0
	}
	surge, _ := fenceposts(d)
	return surge
}

func maxUnavailable(d *appsv1.Deployment) int32 {
	if !isRolling(d) || replicas(d) == 0 {
		return 0
	}
	_, n := fenceposts(d)
	return min(n, replicas(d))
}

// newSize is how large the current set may be now, with all sets (it included)
// as they are.
func newSize(d *appsv1.Deployment, all []*appsv1.ReplicaSet, rs *appsv1.ReplicaSet) int32 {
	if !isRolling(d) {
		return replicas(d)
	}
	room := replicas(d) + maxSurge(d) - total(all)
	if room <= 0 {
		return replicasOf(rs)
	}
	return replicasOf(rs) + min(room, replicas(d)-replicasOf(rs))
}

// saturated reports whether the current set alone serves what is wanted.
func saturated(d *appsv1.Deployment, rs *appsv1.ReplicaSet) bool {
	if rs == nil {
		return false
	}
	desired, ok := annotatedInt(rs, DesiredReplicasAnnotation)
	return ok && desired == replicas(d) && replicasOf(rs) == desired && rs.Status.AvailableReplicas == desired
}

// proportionalSizes shares change (more or fewer replicas) out among sets in
// proportion to their sizes, and sorts sets: the largest first, among equals
// the newer one first when growing, the older one first when shrinking. What
// rounding leaves over goes to the first.
func proportionalSizes(d *appsv1.Deployment, sets []*appsv1.ReplicaSet, change int32) []int32 {
	if change != 0 {
		slices.SortStableFunc(sets, func(a, b *appsv1.ReplicaSet) int {
			if x, y := replicasOf(a), replicasOf(b); x != y {
				return int(y - x)
			}
			if change > 0 {
				return byAge(b, a)
			}
			return byAge(a, b)
		})
	}
	sizes := make([]int32, len(sets))
	given := int32(0)
	for i, rs := range sets {
		sizes[i] = replicasOf(rs)
		if change == 0 || given == change {
			continue
		}
		part := share(d, rs)
		if change > 0 {
			part = min(part, change-given)
		} else {
			part = max(part, change-given)
		}
		sizes[i] += part
		given += part
	}
	if len(sizes) > 0 && change != 0 {
		sizes[0] = max(sizes[0]+change-given, 0)
	}
	return sizes
}

// share is by how much the set's size changes when the deployment's does.
func share(d *appsv1.Deployment, rs *appsv1.ReplicaSet) int32 {
	if replicas(d) == 0 {
		return -replicasOf(rs)
	}
	before, ok := annotatedInt(rs, MaxReplicasAnnotation)
	if !ok || before == 0 {
		if before = d.Status.Replicas; before == 0 {
			return 0
		}
	}
	size := float64(replicasOf(rs)) * float64(replicas(d)+maxSurge(d)) / float64(before)
	return int32(math.Round(size)) - replicasOf(rs)
}

func byAge(a, b *appsv1.ReplicaSet) int {
	if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

func byRevision(a, b *appsv1.ReplicaSet) int {
	switch x, y := Revision(a), Revision(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return byAge(a, b)
}
