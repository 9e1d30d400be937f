// Rules about failed pods and about early success.

package job

import (
	"fmt"
	"slices"

	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

// matchFailurePolicy applies the first rule that fits a failed pod: whether the
// failure counts, what the rule does ("" without one), and for FailJob why.
func matchFailurePolicy(policy *batchv1.PodFailurePolicy, pod *corev1.Pod) (counts bool, action batchv1.PodFailurePolicyAction, message string) {
	if policy == nil {
		return true, "", ""
	}
	for i := range policy.Rules {
		rule := &policy.Rules[i]
		why := ""
		if rule.OnExitCodes != nil {
			s := exitedWith(pod.Status.ContainerStatuses, rule.OnExitCodes)
			if s == nil {
				s = exitedWith(pod.Status.InitContainerStatuses, rule.OnExitCodes)
			}
			if s == nil {
				continue
			}
			why = fmt.Sprintf("Container %s for pod %s/%s failed with exit code %v matching %v rule at index %d",
				s.Name, pod.Namespace, pod.Name, s.State.Terminated.ExitCode, rule.Action, i)
		} else {
			at := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
				return slices.ContainsFunc(rule.OnPodConditions, func(p batchv1.PodFailurePolicyOnPodConditionsPattern) bool {
					return p.Type == c.Type && p.Status == c.Status
				})
			})
			if at < 0 {
				continue
			}
			why = fmt.Sprintf("Pod %s/%s has condition %v matching %v rule at index %d",
				pod.Namespace, pod.Name, pod.Status.Conditions[at].Type, rule.Action, i)
		}
		if rule.Action != batchv1.PodFailurePolicyActionFailJob {
			why = ""
		}
		return rule.Action != batchv1.PodFailurePolicyActionIgnore, rule.Action, why
	}
	return true, "", ""
}

func exitedWith(list []corev1.ContainerStatus, want *batchv1.PodFailurePolicyOnExitCodesRequirement) *corev1.ContainerStatus {
	for i := range list {
		end := list[i].State.Terminated
		if end == nil || end.ExitCode == 0 || want.ContainerName != nil && *want.ContainerName != list[i].Name {
			continue
		}
		if slices.Contains(want.Values, end.ExitCode) == (want.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn) {
			return &list[i]
		}
	}
	return nil
}

// failedByPolicy looks for a pod whose failure fails the job.
func (p *pass) failedByPolicy() (string, bool) {
	if p.job.Spec.PodFailurePolicy == nil {
		return "", false
	}
	for _, pod := range p.pods {
		if failed(pod, p.job) {
			if _, _, message := matchFailurePolicy(p.job.Spec.PodFailurePolicy, pod); message != "" {
				return message, true
			}
		}
	}
	return "", false
}

// succeededByPolicy looks for a rule by which the succeeded indexes suffice.
func (p *pass) succeededByPolicy() (string, bool) {
	if p.job.Spec.SuccessPolicy == nil || len(p.done) == 0 {
		return "", false
	}
	for i, rule := range p.job.Spec.SuccessPolicy.Rules {
		met := false
		if rule.SucceededIndexes != nil {
			wanted := parseIntervals(*rule.SucceededIndexes, int(*p.job.Spec.Completions))
			if len(wanted) == 0 {
				continue
			}
			have := wanted.overlap(p.done)
			met = have == wanted.total() || rule.SucceededCount != nil && have >= int(*rule.SucceededCount)
		} else {
			met = rule.SucceededCount != nil && p.done.total() >= int(*rule.SucceededCount)
		}
		if met {
			return fmt.Sprintf("Matched rules at index %d", i), true
		}
	}
	return "", false
}
