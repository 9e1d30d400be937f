// What keeps a change within bounds: the recent past (stabilization), the
// behaviour's policies, the least and most replicas.

package horizontalpodautoscaler

import (
	"math"
	"slices"
	"time"

	autoscalingv2 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v2"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

const downscaleStabilization = 5 * time.Minute

type recommendation struct {
	replicas int32
	at       time.Time
}

type scaleEvent struct {
	change int32
	at     time.Time
}

// limit is what becomes of a proposal; it sets the conditions that say so.
func (a *attempt) limit(current, proposed, least int32) int32 {
	b := a.hpa.Spec.Behavior
	var steady int32
	var reason, message string
	if b == nil {
		steady = a.stabilize(proposed)
		reason, message = "ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest recent recommendation"
	} else {
		steady, reason, message = a.stabilizeBy(b, current, proposed)
	}
	if steady != proposed {
		a.setCondition(autoscalingv2.AbleToScale, corev1.ConditionTrue, reason, "%s", message)
	} else {
		a.setCondition(autoscalingv2.AbleToScale, corev1.ConditionTrue, "ReadyForNewScale", "recommended size matches current size")
	}
	var n int32
	if b == nil {
		n, reason, message = withinRules(current, steady, least, a.hpa.Spec.MaxReplicas)
	} else {
		n, reason, message = a.withinRates(b, current, steady, least)
	}
	status := corev1.ConditionFalse
	if n != steady {
		status = corev1.ConditionTrue
	}
	a.setCondition(autoscalingv2.ScalingLimited, status, reason, "%s", message)
	return n
}

// add remembers a recommendation, in place of one that is too old to matter.
func (a *attempt) add(n int32, old func(recommendation) bool) {
	a.memory.recommendations = append(slices.DeleteFunc(a.memory.recommendations, old), recommendation{n, a.now})
}

// stabilize holds a decrease until nothing in the last minutes asked for more.
func (a *attempt) stabilize(proposed int32) int32 {
	cutoff := a.now.Add(-downscaleStabilization)
	out := proposed
	for _, r := range a.memory.recommendations {
		if !r.at.Before(cutoff) {
			out = max(out, r.replicas)
		}
	}
	a.add(proposed, func(r recommendation) bool { return r.at.Before(cutoff) })
	return out
}

func window(r *autoscalingv2.HPAScalingRules, fallback time.Duration) time.Duration {
	if r == nil || r.StabilizationWindowSeconds == nil {
		return fallback
	}
	return time.Duration(*r.StabilizationWindowSeconds) * time.Second
}

func (a *attempt) stabilizeBy(b *autoscalingv2.HorizontalPodAutoscalerBehavior, current, proposed int32) (n int32, reason, message string) {
	upCutoff := a.now.Add(-window(b.ScaleUp, 0))
	downCutoff := a.now.Add(-window(b.ScaleDown, downscaleStabilization))
	up, down := proposed, proposed
	for _, r := range a.memory.recommendations {
		if r.at.After(upCutoff) {
			up = min(up, r.replicas)
		}
		if r.at.After(downCutoff) {
			down = max(down, r.replicas)
		}
	}
	n = min(max(current, up), down)
	a.add(proposed, func(r recommendation) bool { return r.at.Before(upCutoff) && r.at.Before(downCutoff) })
	if proposed >= current {
		return n, "ScaleUpStabilized", "recent recommendations were lower than current one, applying the lowest recent recommendation"
	}
	return n, "ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest recent recommendation"
}

const (
	inRange  = "the desired count is within the acceptable range"
	tooFast  = "the desired replica count is increasing faster than the maximum scale rate"
	tooMany  = "the desired replica count is more than the maximum replica count"
	tooFew   = "the desired replica count is less than the minimum replica count"
	tooQuick = "the desired replica count is decreasing faster than the maximum scale rate"
)

// withinRules bounds without a behaviour: at most twice as many, or 4.
func withinRules(current, desired, least, most int32) (n int32, reason, message string) {
	reason, message = "TooManyReplicas", tooMany
	if fast := max(2*current, 4); most > fast {
		most, reason, message = fast, "ScaleUpLimit", tooFast
	}
	switch {
	case desired < least:
		return least, "TooFewReplicas", tooFew
	case desired > most:
		return most, reason, message
	}
	return desired, "DesiredWithinRange", inRange
}

// withinRates bounds by the behaviour's policies.
func (a *attempt) withinRates(b *autoscalingv2.HorizontalPodAutoscalerBehavior, current, desired, least int32) (n int32, reason, message string) {
	switch {
	case desired > current:
		most := a.hpa.Spec.MaxReplicas
		reason, message = "TooManyReplicas", tooMany
		if fast := max(a.upLimit(b.ScaleUp, current), current); most > fast {
			most, reason, message = fast, "ScaleUpLimit", tooFast
		}
		if desired > most {
			return most, reason, message
		}
	case desired < current:
		reason, message = "TooFewReplicas", tooFew
		if slow := min(a.downLimit(b.ScaleDown, current), current); least < slow {
			least, reason, message = slow, "ScaleDownLimit", tooQuick
		}
		if desired < least {
			return least, reason, message
		}
	}
	return desired, "DesiredWithinRange", inRange
}

// changed sums up the changes of the last seconds.
func (a *attempt) changed(events []scaleEvent, seconds int32) (n int32) {
	cutoff := a.now.Add(-time.Duration(seconds) * time.Second)
	for _, e := range events {
		if e.at.After(cutoff) {
			n += e.change
		}
	}
	return n
}

func policy(r *autoscalingv2.HPAScalingRules) autoscalingv2.ScalingPolicySelect {
	if r == nil || r.SelectPolicy == nil {
		return autoscalingv2.MaxChangePolicySelect
	}
	return *r.SelectPolicy
}

func (a *attempt) upLimit(r *autoscalingv2.HPAScalingRules, current int32) int32 {
	if r == nil || len(r.Policies) == 0 {
		return math.MaxInt32
	}
	pick := policy(r)
	if pick == autoscalingv2.DisabledPolicySelect {
		return current
	}
	out := int32(math.MinInt32)
	if pick == autoscalingv2.MinChangePolicySelect {
		out = math.MaxInt32
	}
	for _, p := range r.Policies {
		start := current - a.changed(a.memory.ups, p.PeriodSeconds) + a.changed(a.memory.downs, p.PeriodSeconds)
		n := start + p.Value
		if p.Type == autoscalingv2.PercentScalingPolicy {
			n = int32(math.Ceil(float64(start) * (1 + float64(p.Value)/100)))
		}
		if pick == autoscalingv2.MinChangePolicySelect {
			out = min(out, n)
		} else {
			out = max(out, n)
		}
	}
	return out
}

func (a *attempt) downLimit(r *autoscalingv2.HPAScalingRules, current int32) int32 {
	if r == nil || len(r.Policies) == 0 {
		return math.MinInt32
	}
	pick := policy(r)
	if pick == autoscalingv2.DisabledPolicySelect {
		return current
	}
	out := int32(math.MaxInt32)
	if pick == autoscalingv2.MinChangePolicySelect {
		out = math.MinInt32
	}
	for _, p := range r.Policies {
		start := current - a.changed(a.memory.ups, p.PeriodSeconds) + a.changed(a.memory.downs, p.PeriodSeconds)
		n := start - p.Value
		if p.Type == autoscalingv2.PercentScalingPolicy {
			n = int32(float64(start) * (1 - float64(p.Value)/100))
		}
		if pick == autoscalingv2.MinChangePolicySelect {
			out = max(out, n)
		} else {
			out = min(out, n)
		}
	}
	return out
}

// remember notes a change of size, for the policies.
func (a *attempt) remember(from, to int32) {
	if a.hpa.Spec.Behavior == nil {
		return
	}
	longest := func(r *autoscalingv2.HPAScalingRules) (d time.Duration) {
		if r != nil {
			for _, p := range r.Policies {
				d = max(d, time.Duration(p.PeriodSeconds)*time.Second)
			}
		}
		return d
	}
	note := func(events []scaleEvent, change int32, keep time.Duration) []scaleEvent {
		return append(slices.DeleteFunc(events, func(e scaleEvent) bool { return a.now.Sub(e.at) > keep }), scaleEvent{change, a.now})
	}
	if to > from {
		a.memory.ups = note(a.memory.ups, to-from, longest(a.hpa.Spec.Behavior.ScaleUp))
	} else {
		a.memory.downs = note(a.memory.downs, from-to, longest(a.hpa.Spec.Behavior.ScaleDown))
	}
}
