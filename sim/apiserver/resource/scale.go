// This file draws Scale (autoscaling/v1), which has no objects of its own.

package resource

import (
	"time"

	autoscalingv1 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
)

// ForScale is the strategy with the columns of the scale subresource.
func ForScale() *Strategy {
	return &Strategy{
		Columns: []column{
			nameColumn(),
			integer("Desired", "How many replicas there shall be."),
			integer("Available", "How many replicas there are."),
			ageColumn(),
		},
		Row: func(obj metav1.Object, now time.Time) []any {
			s := obj.(*autoscalingv1.Scale)
			return []any{s.Name, int64(s.Spec.Replicas), int64(s.Status.Replicas), age(s, now)}
		},
	}
}
